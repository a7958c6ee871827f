"""Wrong claims: a factor dropped, an exponent or a constant changed; and a control that draws the wrong thing."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from depthlimit.conformance.faults.planting import BASE, Fault, claim_fault, redefined, scaled
from depthlimit.models.data import ArrayStore
from depthlimit.models.initialisation import smooth_function
from depthlimit.models.measure.ladder import IidRun
from depthlimit.models.spec import Spec
from depthlimit.theory.paper import certificate
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.quantity import Array


class SmoothInsteadOfIid(IidRun):
    """The control draws smooth initialisations, so that its conclusion should fail."""

    @cached_property
    def maxima(self) -> Array:
        """Largest differences of a Gaussian process at doubling depths."""
        out = np.empty((len(self.depths), self.draws))
        for j in range(self.draws):
            V, W = smooth_function(self.spec.model_copy(update={"init": _smooth(j)}), ArrayStore())(np.linspace(0, 1, int(self.depths[-1])))
            Z = np.concatenate([V.reshape(len(V), -1), W.reshape(len(W), -1)], axis=1)
            for i, L in enumerate(self.depths):
                part = Z[:: int(self.depths[-1] // L)]
                out[i, j] = np.max(np.linalg.norm(np.diff(part, axis=0)[::2], axis=1))
        return out


def _smooth(seed: int) -> Any:
    return Spec.model_validate({**BASE, "regime": {"kind": "plain-flow"}, "init": {"kind": "gp", "seed": seed}}).init


_I = "instantaneous"
_ALONG = "along-trajectory"
_G = certificate
FAULTS: tuple[Fault, ...] = (
    *(
        claim_fault(
            f"prop7-norm-{k}-without-M0",
            "saturated",
            f"prop7.norm-{k}[as-printed,a-priori]",
            f"M without M₀, for {k}",
            redefined(M=Q.T * Q.M_pi),
        )
        for k in "AZB"
    ),
    *(
        claim_fault(
            f"prop3-norm-{k}-without-start",
            "saturated",
            f"prop3.norm-{k}[as-printed,a-priori]",
            f"M without 2√(qm), for {k}",
            redefined(M=Q.T * Q.M_pi),
        )
        for k in "AZB"
    ),
    *(
        claim_fault(
            f"gap-rate-without-beta-{e}", "start", f"prop7.gap-rate[{e},{_I}]", "β dropped before Grönwall", redefined(beta=sp.Integer(0))
        )
        for e in ("as-printed", "sharpened")
    ),
    *(
        claim_fault(f"gap-without-beta-{e}", "start", f"prop7.gap[{e},{_ALONG}]", "β dropped in the bound", redefined(beta=sp.Integer(0)))
        for e in ("as-printed", "sharpened")
    ),
    claim_fault("clip-halved", "saturated", f"prop7.speed[as-printed,{_I}]", "half the supremum of the clip", scaled(sp.Rational(1, 2))),
    claim_fault("rate-of-order-2", "ladder", f"prop3.rate[sharpened,{_ALONG}]", "L⁻² for L⁻¹ in successive weights", scaled(2)),
    claim_fault("euler-of-order-2", "ode", f"prop2.rate[sharpened,{_ALONG}]", "L⁻² for L⁻¹ in Proposition 2", scaled(2)),
    *(
        claim_fault(
            f"prop2-exponent-{e}-{i}", "tight-ode", f"prop2.output[{e},{i}]", "C/L² for C/L", lambda c: replace(c, lhs=c.lhs * Q.depth)
        )
        for e, i in (("sharpened", "a-priori"), ("sharpened", _ALONG), ("explicit", "a-priori"))
    ),
    claim_fault(
        "B-norm-in-time-squared",
        "start",
        f"identities.B-norm[sharpened,{_ALONG}]",
        "t² for t",
        lambda c: replace(c, rhs=c.rhs.xreplace({Q.t: Q.t**2})),
    ),
    claim_fault(
        "conserved-doubled",
        "plain",
        f"identities.conserved-matrix[sharpened,{_ALONG}]",
        "the conserved matrix doubled at t = 0",
        scaled(2),
    ),
    claim_fault("energy-rate-halved", "plain", f"identities.energy-rate[sharpened,{_I}]", "½|θ'|² for |θ'|²", scaled(sp.Rational(1, 2))),
    claim_fault(
        "hidden-to-second-order",
        "certificate",
        "certificate.hidden[sharpened,a-priori]",
        "e^a - 1 - a for e^a - 1",
        redefined(g=sp.exp(_G.a) - 1 - _G.a),
    ),
    claim_fault(
        "activations-without-depth",
        "certificate",
        "certificate.activations[sharpened,a-priori]",
        "D̂ without the terms of A and of the depth",
        redefined(D_hat=Q.K_sigma / sp.sqrt(Q.q) * Q.R_W * _G.H2),
    ),
    claim_fault("adjoint-doubled", "certificate", "certificate.adjoint[sharpened,a-priori]", "4 for 2 in the adjoint's bound", scaled(2)),
    *(
        claim_fault(f"mu-times-four-{k}", "certificate", f"certificate.{k}[sharpened,{i}]", "16 for 4 in μ", scaled(4))
        for k, i in (("pl", "a-priori"), ("rate", _I), ("decay", "a-priori"))
    ),
    *(
        claim_fault(
            f"radius-squared-{k}",
            "certificate",
            f"certificate.stays-{k}[sharpened,a-priori]",
            f"R_{k}² for R_{k}",
            lambda c: replace(c, rhs=c.rhs**2),
        )
        for k in "ABVW"
    ),
    Fault(
        "smooth-instead-of-iid",
        "the control draws Gaussian processes",
        ("iid",),
        ("control.iid-median[explicit,a-priori]", "control.iid-no-decrease[explicit,a-priori]"),
        runs=SmoothInsteadOfIid,
    ),
)
