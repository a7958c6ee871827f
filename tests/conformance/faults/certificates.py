"""Faults in the certificates: a constant, a term, a norm or a weight is wrong, or the ball, the layers or the labels are other ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import sympy as sp

from depthlimit.conformance.faults.planting import Fault, claim_fault, redefined, scaled
from depthlimit.models.certificate import Certificate
from depthlimit.models.corpus_certificate import SHAPES, certificate
from depthlimit.models.data import ArrayStore
from depthlimit.models.measure.certificate import CertificateRun
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.spec import LocalPL, Spec
from depthlimit.theory.claim import Claim
from depthlimit.theory.paper import averaged
from depthlimit.theory.paper import certificate as sup
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.quantity import Array

_SMALL = {"points": 4}
SPECS: dict[str, Spec] = {
    "sup-ball": certificate(SHAPES[0], 0, 1.0, **_SMALL),
    "averages": certificate(SHAPES[0], 0, 0.25, ball="averaged", **_SMALL),
    "spectral": certificate(SHAPES[0], 0, 0.25, ball="spectral", **_SMALL),
    "stacked": certificate(SHAPES[0], 0, 0.25, ball="stacked", **_SMALL),
    "spectral-wide": certificate(SHAPES[0], 0, 1.0, ball="spectral", **_SMALL),
    "large-labels": certificate(SHAPES[0], 0, 1.0, excess=100.0, **_SMALL),
    "large-labels-averages": certificate(SHAPES[0], 0, 1.0, ball="averaged", excess=100.0, **_SMALL),
}


class _Right(CertificateRun):
    """The right run of NumPy; faults are subclasses."""

    def __init__(self, spec: Spec, arrays: ArrayStore) -> None:
        super().__init__(spec, arrays, NumpyImplementation())


class MissingL(_Right):
    """The sum over the layers in Definition 1 lacks its factor L."""

    @property
    def weight(self) -> float:
        """1 for L."""
        return 1.0


@dataclass(frozen=True)
class _Wider(Certificate):
    """A ball whose points go half as far again as its radii say."""

    def extreme(self, direction: Mapping[str, Array]) -> dict[str, Array]:
        """Outside."""
        return {k: 1.5 * v for k, v in super().extreme(direction).items()}


class WrongBall(_Right):
    """The points lie half as far again from the centre as the radii say."""

    def __init__(self, spec: Spec, arrays: ArrayStore) -> None:
        super().__init__(spec, arrays)
        self.certificate = _Wider(self.certificate.batch, self.certificate.radii, self.certificate.mu)


class IndependentLayers(_Right):
    """The layers of the centre are independent draws, not the same W."""

    def __init__(self, spec: Spec, arrays: ArrayStore) -> None:
        super().__init__(spec, arrays)
        W = np.random.RandomState(1).standard_normal(self.batch.params["W"].shape)
        W[0] = self.batch.params["W"][0]
        self.batch = replace(self.batch, params={**self.batch.params, "W": W})
        self.certificate = replace(self.certificate, batch=self.batch)


class AdmissibleLabels(_Right):
    """The labels are those that the certificate admits, whatever the Spec says."""

    def __init__(self, spec: Spec, arrays: ArrayStore) -> None:
        super().__init__(spec, arrays)
        assert isinstance(spec.regime, LocalPL)
        self.batch = replace(self.batch, y=self.batch.y / spec.regime.excess)


_A, _I = "a-priori", "instantaneous"
_HALF, _TWO = sp.Rational(1, 2), sp.Integer(2)


def _id(label: str) -> str:
    return f"{label}[sharpened,{_I if label.endswith('rate') else _A}]"


def _of(label: str, name: str, spec: str, meaning: str, change: Callable[[Claim], Claim]) -> Fault:
    return claim_fault(f"{label.replace('.', '-')}-{name}", spec, _id(label), meaning, change)


def _admitting(c: Claim) -> Claim:
    """Without the condition on ℓ(0)."""
    return replace(c, hypotheses=sup.BALL if c.label.startswith("certificate") else averaged.BALL)


def _run(name: str, run: type[_Right], spec: str, *caught_by: str) -> Fault:
    return Fault(name, run.__doc__ or "", (spec,), tuple(_id(c) for c in caught_by), runs=run)


_CENTRE = 4 * Q.s0**2 / (Q.m * Q.n)
_LARGEST = {Q.s0: Q.S0}
FAULTS: tuple[Fault, ...] = (
    *(
        _of(f"{ball}{k}", "doubled", spec, "8 for 4 in μ", scaled(2))
        for ball, spec in (("averaged.", "averages"), ("averaged.spectral-", "spectral"), ("averaged.stacked-", "stacked"))
        for k in ("pl", "rate", "decay")
    ),
    *(
        _of(f"adversary.{k}", "doubled", spec, "8 for 4 in μ", scaled(2))
        for k, spec in (("pl", "certificate"), ("averaged-pl", "averages"), ("spectral-pl", "spectral"), ("stacked-pl", "stacked"))
    ),
    *(
        claim_fault(
            f"{label.replace('.', '-')}-{edition}-times-{factor}",
            spec,
            f"{label}[{edition},instantaneous]",
            f"μ times {factor}",
            scaled(factor),
        )
        for label, edition, spec, factor in (
            ("adversary.prop5", "corrected", "ball-scale", 125),
            ("adversary.prop5", "explicit", "ball-edge", 470),
            ("adversary.prop5-sharp", "sharpened", "ball-flat", 19),
        )
    ),
    _of("adversary.stacked-pl", "of-centre", "stacked", "μ of the centre in all of the ball", redefined(mu=4 * Q.s_all**2 / Q.n)),
    _of("adversary.spectral-pl", "of-centre", "spectral-wide", "μ of the centre in all of the ball", redefined(mu=_CENTRE)),
    *(
        _of(label, "of-largest", spec, "the largest singular value for the smallest", redefined(mu=where[mu].xreplace(_LARGEST)))
        for label, spec, where, mu in (
            ("certificate.pl", "sup-ball", sup.WHERE, sup.mu),
            ("averaged.spectral-pl", "spectral", averaged.WHERE["spectral"], averaged.mu),
        )
    ),
    _of("averaged.adjoint", "doubled", "averages", "4 for 2 in the adjoint's bound", scaled(2)),
    _of("averaged.hidden", "second-order", "averages", "e^a - 1 - a for e^a - 1", redefined(g=sp.exp(averaged.a) - 1 - averaged.a)),
    _of("averaged.spectral-hidden", "per-sample", "spectral", "1/√(2m) for 1/√m", scaled(sp.sqrt(_HALF))),
    _of(
        "averaged.activations",
        "without-depth",
        "averages",
        "D̂ without the terms of A and of the depth",
        redefined(D_hat=Q.K_sigma / sp.sqrt(Q.q) * Q.R_ball * averaged.H2),
    ),
    _of(
        "averaged.spectral-activations",
        "without-A",
        "spectral",
        "D̂ without the term of A",
        redefined(D_hat=averaged.WHERE["spectral"][averaged.D_hat].xreplace({(Q.w0 * Q.X2) ** 2: sp.Integer(0)})),
    ),
    *(
        _of(f"averaged.{k}stays", "squared", spec, "R⁴ for R²", lambda c: replace(c, rhs=c.rhs**2))
        for k, spec in (("", "averages"), ("spectral-", "spectral"), ("stacked-", "stacked"))
    ),
    *(
        _of(
            f"certificate.stays-{k}",
            "any-labels",
            "large-labels",
            "no condition on ℓ(0): the labels are a hundred times as large",
            _admitting,
        )
        for k in "ABVW"
    ),
    _of(
        "averaged.stays", "any-labels", "large-labels-averages", "no condition on ℓ(0): the labels are a hundred times as large", _admitting
    ),
    claim_fault(
        "pl-in-the-sum-norm", "sum-norm", "adversary.sum-norm[explicit,instantaneous]", "rate μ for μ/2 in the sum norm", scaled(2)
    ),
    _run("missing-L", MissingL, "certificate", "certificate.pl", "adversary.pl"),
    _run("missing-L-averages", MissingL, "averages", "averaged.pl", "averaged.spectral-pl", "adversary.averaged-pl"),
    _run("wrong-ball", WrongBall, "spectral", "averaged.spectral-hidden"),
    _run("independent-layers", IndependentLayers, "sup-ball", "certificate.activations"),
    _run("independent-layers-averages", IndependentLayers, "spectral", "averaged.spectral-activations"),
    _run("admissible-labels", AdmissibleLabels, "large-labels", "adversary.leaves"),
)
