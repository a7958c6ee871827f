"""Faults in Proposition 11, Corollaries 12 and 13, Appendix B.2 and Proposition 1: wrong schemes, and bounds with something dropped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp

from depthlimit.conformance.faults.planting import Fault, claim_fault, redefined, scaled
from depthlimit.models.consistency import ConsistencyRun
from depthlimit.models.corpus import CLIPPED, DRIFTING, GENERAL_EULER, GROWING
from depthlimit.models.data import ArrayStore
from depthlimit.models.implementation import load
from depthlimit.models.initialisation import evaluate_weights
from depthlimit.models.measure.euler import EulerRun
from depthlimit.models.spec import Spec
from depthlimit.theory.claim import Claim
from depthlimit.theory.paper import prop11_gap
from depthlimit.theory.paper import prop11_setting as prop11
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.quantity import Array

_ODE = {
    **{"d": 1, "dout": 1, "q": 1, "m": 1, "n": 1, "L": 4, "rtol": 1e-12, "activation": {"name": "identity"}},
    "regime": {"kind": "euler-scheme", "depths": (16, 32, 64, 128)},
    "init": {"kind": "gp", "seed": 24, "length": 10.0, "scale": 0.7},
}
SPECS: dict[str, Spec] = {
    **{f"general-{name}": spec for name, spec in GENERAL_EULER.items()},
    "linear-ode": Spec.model_validate(_ODE),
    "growing-ode": GROWING,
    "drifting-ode": DRIFTING,
    "saturated-coordinates": CLIPPED[4],
}


class ParameterOfTheLayerBelow(ConsistencyRun):
    """Step k of (32) takes parameter k: Θ((k-1)/L) for Θ(k/L)."""

    def step_parameters(self) -> Array:
        """θ_k for θ_{k+1}."""
        return self.Theta(self.sampled - 1 / self.L)[:-1] + self.given["theta_L"]


class SchemeStartsAtTheLimit(ConsistencyRun):
    """The scheme starts at a instead of a^L."""

    def __init__(self, spec: Spec, arrays: ArrayStore) -> None:
        super().__init__(spec, arrays)
        self.a_L = self.a[:-1]


class FrozenParameters(ConsistencyRun):
    """The stepper follows an ODE whose parameters do not depend on depth."""

    def right_side(self, s: float, flat: Array) -> Array:
        """g(U, Θ(0))."""
        return super().right_side(0.0, flat)


class CurvatureWithoutDrift(ConsistencyRun):
    """d²U/ds² without the term ∂₂g Θ'."""

    def curvature(self, s: Array) -> Array:
        """∂₁g g alone."""
        U, theta = self.state(s), self.Theta(s)
        return np.asarray(np.einsum("...ab,...b->...a", self.g.state_jacobian(U, theta), self.g.value(U, theta)))


class WeightsOfTheLayerBelow(EulerRun):
    """The networks sample the functions at (k-1)/L."""

    def __init__(self, spec: Spec, arrays: ArrayStore) -> None:
        super().__init__(spec, arrays, load("numpy"))

    def sampled(self, L: int) -> tuple[Array, Array]:
        """𝒱((k-1)/L), 𝒲((k-1)/L)."""
        return evaluate_weights(self.weights, np.arange(L) / L)


def _without(*symbols: sp.Symbol) -> Callable[[Claim], Claim]:
    """The right side with terms dropped."""
    return lambda c: replace(c, rhs=c.rhs.xreplace(dict.fromkeys(symbols, sp.Integer(0))))


def _run(name: str, run: Any, spec: str, *caught_by: str) -> Fault:
    return Fault(name, run.__doc__.splitlines()[0], (spec,), caught_by, runs=run)


def _each(name: str, spec: str, label: str, meaning: str, change: Callable[[Claim], Claim], *editions: str) -> tuple[Fault, ...]:
    """One fault for each edition and inputs of a label."""
    return tuple(
        claim_fault(f"{name}-{edition.split(',')[0]}-{edition.split(',')[1]}", f"general-{spec}", f"{label}[{edition}]", meaning, change)
        for edition in editions
    )


_I, _PRINTED, _SHARP = (
    "as-printed,instantaneous",
    ("as-printed,a-priori", "as-printed,along-trajectory"),
    ("sharpened,a-priori", "sharpened,along-trajectory"),
)
_EXPLICIT = ("explicit,a-priori", "explicit,along-trajectory")
_ALONG = "as-printed,along-trajectory"
_G = prop11_gap
_HALF = sp.Rational(1, 2)


def _halved(c: Claim) -> Claim:
    """C₁/2 for C₁."""
    return redefined(C_1=c.where[prop11.C1] / 2)(c)


FAULTS: tuple[Fault, ...] = (
    _run("euler-parameter-of-the-layer-below", ParameterOfTheLayerBelow, "general-slope", f"eq32.layer[{_I}]", f"prop11.index[{_I}]"),
    _run("euler-start-at-the-limit", SchemeStartsAtTheLimit, "general-start", f"prop11.start[{_I}]"),
    _run("euler-frozen-parameters", FrozenParameters, "general-slope", f"eq33.state[{_ALONG}]"),
    _run("euler-curvature-without-drift", CurvatureWithoutDrift, "general-slope", f"prop11.taylor[{_ALONG}]"),
    _run("euler-weights-of-the-layer-below", WeightsOfTheLayerBelow, "linear-ode", f"prop2.weights[{_I}]"),
    *(
        fault
        for label, editions in (
            ("speed", _PRINTED),
            ("U-norm", _PRINTED + _SHARP),
            ("U-ball", _PRINTED),
            ("u-step", _PRINTED),
            ("u-norm", _PRINTED + _SHARP),
            ("u-ball", _PRINTED),
        )
        for fault in _each(f"prop11-{label}-half-C", "growth", f"prop11.{label}", "C/2 for C", _halved, *editions)
    ),
    *_each(
        "prop11-u-triangle-squared",
        "growth",
        "prop11.u-triangle",
        "1/L² for 1/L",
        lambda c: replace(c, rhs=c.rhs.xreplace({Q.L: Q.L**2})),
        _I,
    ),
    *_each(
        "prop11-curvature-without-growth",
        "growth",
        "prop11.curvature",
        "D_E for D_E e^C in C̃",
        redefined(D=prop11.D_E),
        "explicit,a-priori",
    ),
    *_each(
        "prop11-curvature-without-drift",
        "slope",
        "prop11.curvature",
        "C̃ without C_Θ",
        _without(Q.C_Theta),
        "explicit,a-priori",
        "sharpened,instantaneous",
    ),
    *_each("prop11-velocity-second-order", "growth", "prop11.velocity-lipschitz", "C̃/L² for C̃/L", scaled(1 / Q.L), *_EXPLICIT),
    *_each("prop11-remainder-integral-halved", "growth", "prop11.remainder-integral", "half the integral", scaled(_HALF), _ALONG),
    *_each("prop11-remainder-third-order", "growth", "prop11.remainder", "C̃/L³ for C̃/L²", scaled(1 / Q.L), *_PRINTED),
    *_each("prop11-remainder-quarter", "growth", "prop11.remainder", "C̃/(4L²) for C̃/(2L²)", scaled(_HALF), *_SHARP),
    *_each(
        "prop11-triangle-without-remainder", "late", "prop11.triangle", "no Taylor remainder", _without(prop11.remainder_integral), _ALONG
    ),
    *_each(
        "prop11-triangle-sharp-without-remainder",
        "late",
        "prop11.triangle-sharp",
        "no Taylor remainder",
        _without(prop11.remainder),
        _SHARP[1],
    ),
    *_each(
        "prop11-lipschitz-in-state-only",
        "mismatch",
        "prop11.lipschitz",
        "no distance of parameters",
        _without(_G.theta_gap),
        *_PRINTED,
        *_SHARP,
    ),
    *_each(
        "prop11-lipschitz-in-parameter-only", "start", "prop11.lipschitz", "no distance of states", _without(_G.Delta), *_PRINTED, *_SHARP
    ),
    *_each(
        "prop11-recursion-without-parameters",
        "mismatch",
        "prop11.recursion",
        "no distance of parameters",
        _without(_G.theta_gap),
        *_PRINTED,
        *_SHARP,
    ),
    *_each(
        "prop11-recursion-without-remainder",
        "late",
        "prop11.recursion",
        "no Taylor remainder",
        redefined(C_tilde=sp.Integer(0)),
        _SHARP[0],
        _SHARP[1],
    ),
    *_each(
        "prop11-recursion-with-one-constant", "mismatch", "prop11.recursion", "C₁, page 23's C, for C", redefined(C=prop11.C1), *_PRINTED
    ),
    *_each(
        "prop11-theta-triangle-shift-only", "slope", "prop11.theta-triangle", "only the shift of the argument", _without(_G.theta_sup), _I
    ),
    *_each("prop11-theta-shift-second-order", "slope", "prop11.theta-shift", "C_Θ/L² for C_Θ/L", scaled(1 / Q.L), _PRINTED[0]),
    *_each(
        "prop11-recursion-sup-without-sup",
        "mismatch",
        "prop11.recursion-sup",
        "no distance of Θ and Θ^L",
        _without(_G.theta_sup),
        *_PRINTED,
    ),
    *_each("prop11-gap-without-start", "start", "prop11.gap", "no initial gap", _without(_G.start_gap), *_PRINTED, *_SHARP),
    *_each(
        "prop11-gap-half-exponent",
        "start",
        "prop11.gap",
        "e^{C/2} for e^C",
        lambda c: replace(c, rhs=c.rhs * sp.exp(-prop11.C / 2)),
        *_PRINTED,
    ),
    *_each(
        "prop11-gap-without-parameters", "mismatch", "prop11.gap", "no distance of Θ and Θ^L", _without(_G.theta_sup), *_PRINTED, *_SHARP
    ),
    *_each("prop11-recursion-sup-without-drift", "midpoints", "prop11.recursion-sup", "no C_Θ", _without(Q.C_Theta), _ALONG),
    *_each("prop11-gap-without-drift", "midpoints", "prop11.gap", "no C_Θ", _without(Q.C_Theta), _SHARP[1]),
    *_each(
        "prop11-theta-triangle-without-shift",
        "midpoints",
        "prop11.theta-triangle",
        "no shift of the argument",
        _without(_G.theta_shift),
        _I,
    ),
    *_each("prop11-gap-without-remainder", "late", "prop11.gap", "no Taylor remainder", redefined(C_tilde=sp.Integer(0)), *_SHARP),
    *_each("prop11-U-lipschitz-second-order", "growth", "prop11.U-lipschitz", "C_U/L² for C_U/L", scaled(1 / Q.L), *_PRINTED),
    *_each("prop11-path-without-change", "growth", "prop11.path", "no C_U/L", redefined(C_U=sp.Integer(0)), *_PRINTED),
    *_each("prop11-path-triangle-without-change", "growth", "prop11.path-triangle", "no change of U", _without(_G.U_change), _ALONG),
    *_each("cor12-without-start", "start", "cor12.gap", "no initial gap", _without(_G.start_sup), *_EXPLICIT),
    *_each(
        "cor13-distance-as-printed",
        "late",
        "cor13.gap",
        "‖a^L(t) - a(t)‖ and ‖Θ^L - Θ‖ at t, as the last sentence of Corollary 13 has it, for the distances to the limits",
        lambda c: replace(c, rhs=c.rhs.xreplace({_G.limit_start: _G.start_gap, _G.limit_theta: _G.theta_sup})),
        _EXPLICIT[0],
    ),
    *(
        claim_fault(f"prop2-{label}-second-order", "linear-ode", f"prop2.{label}[explicit,a-priori]", "L⁻² for L⁻¹", scaled(1 / Q.depth))
        for label in ("interpolation", "hidden", "state")
    ),
    *(
        claim_fault(
            f"prop2-{label}-without-a-tenth-{inputs}",
            spec,
            f"prop2.{label}[sharpened,{inputs}]",
            "nine tenths of the constant",
            scaled(sp.Rational(9, 10)),
        )
        for label in ("state", "output")
        for spec, inputs in (("growing-ode", "a-priori"), ("drifting-ode", "along-trajectory"))
    ),
    *(
        claim_fault(f"prop2-{label}-an-eighth", "growing-ode", f"prop2.{label}[explicit,a-priori]", "an eighth", scaled(_HALF**3))
        for label in ("hidden", "state", "output")
    ),
    claim_fault("prop2-readout-half", "linear-ode", f"prop2.readout[{_I}]", "half of |B|₂", scaled(_HALF)),
    *(
        claim_fault(
            f"prop1-growth-{k}-squared",
            "saturated-coordinates",
            f"prop1.growth-{k}[explicit,a-priori]",
            "t² for t",
            lambda c: replace(c, rhs=c.rhs * Q.t),
        )
        for k in "AZB"
    ),
)
