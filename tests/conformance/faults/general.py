"""Wrong general residual networks, and wrong steps of Proposition 7 on right ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np
import sympy as sp

from depthlimit.conformance.faults.planting import SPECS, Fault, claim_fault, scaled
from depthlimit.models import corpus_general
from depthlimit.models.data import ArrayStore
from depthlimit.models.general_run import Arrays, GeneralRun
from depthlimit.models.spec import Spec
from depthlimit.theory.claim import Claim
from depthlimit.theory.paper import prop7_quantities as P
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.prop7 import K1
from depthlimit.theory.quantity import Array

SPECS |= {
    "general": Spec.model_validate(
        {
            "regime": {"kind": "general-flow", "residual": "linear"},
            **{"d": 2, "dout": 2, "q": 3, "m": 1, "L": 3, "n": 2, "T": 0.1, "rtol": 1e-10, "times": (0.0, 0.05, 0.1)},
            "clip": {"kind": "smooth", "radius": 1.0},
            "init": {"kind": "affine", "seed": 5, "scale": 1.0, "slope": 0.5},
        }
    ),
    "general-saturated": corpus_general.SATURATED,
    "general-diagonal": corpus_general.DIAGONAL,
    "general-alternating": corpus_general.ALTERNATING,
    "general-index": corpus_general.WITNESSES["prop7-index-witness"],
}


class NoDepthScaling(GeneralRun):
    """The 1/L is missing in (12)."""

    def hidden_states(self, params: Arrays) -> Array:
        """(12) with L f."""
        return super().hidden_states({**params, "Z": params["Z"] * self.spec.L})


class NormalisedInputs(GeneralRun):
    """Inputs are normalised inside."""

    def hidden_states(self, params: Arrays) -> Array:
        """(12) at x/|x|, by way of the average length."""
        return super().hidden_states({**params, "A": params["A"] / np.linalg.norm(self.batch.x, axis=1).mean()})


class DoubledOutput(GeneralRun):
    """The output is doubled."""

    @cached_property
    def output(self) -> Array:
        """2Bh."""
        return 2 * super().output


class BiasedBranch(GeneralRun):
    """The branch does not vanish at 0."""

    def __init__(self, spec: Spec, arrays: ArrayStore) -> None:
        super().__init__(spec, arrays)
        right = self.branch.value
        object.__setattr__(self.branch, "value", lambda h, z: right(h, z) + 0.1)


class UntransposedJacobian(GeneralRun):
    """The adjoint follows (13) as printed."""

    def adjoint_states(self, params: Arrays, hidden: Array) -> Array:
        """(13) with ∂₁f for its transpose."""
        L, Z = self.spec.L, params["Z"]
        p = [super().adjoint_states(params, hidden)[..., -1, :, :]]
        J = self.branch.state_jacobian(hidden[..., :-1, :, :], Z[..., None, :])
        for k in reversed(range(L)):
            p.append(p[-1] + np.einsum("...ab,...b->...a", J[..., k, :, :, :], p[-1]) / L)
        return np.stack(p[::-1], axis=-3)


class HalfLoss(GeneralRun):
    """The 2 of (13) is missing."""

    def adjoint_states(self, params: Arrays, hidden: Array) -> Array:
        """Half of (13)."""
        return super().adjoint_states(params, hidden) / 2


class HalfLastGradient(GeneralRun):
    """The 2 of (16) is missing."""

    def gradient(self, params: Arrays, hidden: Array, p: Array) -> dict[str, Array]:
        """(16) with 1/n."""
        g = super().gradient(params, hidden, p)
        return {**g, "B": g["B"] / 2}


class ForgottenL(GeneralRun):
    """The flow uses the plain gradient of Z, without the factor L."""

    def descent(self, g: Arrays) -> dict[str, Array]:
        """π(-∂ℓ/∂Z)."""
        return super().descent({**g, "Z": g["Z"] / self.spec.L})


class FrozenEnds(GeneralRun):
    """A and B do not train."""

    def descent(self, g: Arrays) -> dict[str, Array]:
        """No motion of A and B."""
        v = super().descent(g)
        return {**v, "A": 0 * v["A"], "B": 0 * v["B"]}


class TwiceAsFast(GeneralRun):
    """The flow runs at twice the speed; its velocity is right."""

    def speed(self, params: Arrays) -> dict[str, Array]:
        """Twice (5)."""
        return {k: 2 * v for k, v in super().speed(params).items()}


_I, _A, _ALONG = "instantaneous", "a-priori", "along-trajectory"


def _wrong(name: str, run: type[GeneralRun], *labels: str, spec: str = "general") -> Fault:
    ids = tuple(label if "[" in label else f"{label}[as-printed,{_I}]" for label in labels)
    return Fault(f"general-{name}", (run.__doc__ or "").splitlines()[0], (spec,), ids, runs=run)


def where(**factors: object) -> Callable[[Claim], Claim]:
    """Definitions times a factor, or what a function makes of them; by the names of their symbols."""

    def change(c: Claim) -> Claim:
        found: Mapping[sp.Symbol, sp.Expr] = {
            k: v if k.name not in factors else factors[k.name](v) if callable(factors[k.name]) else v * factors[k.name]  # type: ignore[operator]
            for k, v in c.where.items()
        }
        return replace(c, where=found)

    return change


def _put(old: sp.Symbol, new: sp.Expr) -> Callable[[Claim], Claim]:
    """A symbol of the right side replaced."""
    return lambda c: replace(c, rhs=c.rhs.xreplace({old: new}))


def _rhs(new: sp.Expr) -> Callable[[Claim], Claim]:
    return lambda c: replace(c, rhs=new)


_half = sp.Rational(1, 2)
_BOTH = (("as-printed", _A), ("as-printed", _I))
_FIXED = (("corrected", _A), ("corrected", _I))
_ONE, _SHARP = (("corrected", _I),), (("sharpened", _I),)
_S, _D = "general-saturated", "general-diagonal"
_PATHS = {"A": P.path_A, "Z": P.path_Z, "B": P.path_B}
_LAST = (
    ("general-rate", (*_FIXED, ("sharpened", _A))),
    ("general-integral", (("corrected", _A),)),
    ("general-gap", (("corrected", _A), ("sharpened", _A))),
)
_STEPS = (
    *((f"path-{b}", (("as-printed", _ALONG),), _S, "half the length of the path", _put(v, v / 2)) for b, v in _PATHS.items()),
    *((f"path-bound-{b}", (("as-printed", _A),), _S, "half of M_π", _put(P.M_pi_euclid, P.M_pi_euclid / 2)) for b in "AZB"),
    ("horizon", (("as-printed", _A),), _S, "half of T", lambda c: replace(c, where={k: v.subs(Q.T, Q.T / 2) for k, v in c.where.items()})),
    *((f"general-norm-{b}", (("as-printed", _A),), _S, "M without M₀", where(M=lambda v: v - P.M0_euclid)) for b in "AZB"),
    ("K1", _BOTH, _S, "K₁/L for K₁", where(K_1=1 / Q.L)),
    ("K2", _BOTH, _S, "K₂/L for K₂", where(K_2=1 / Q.L)),
    ("hidden-growth", _BOTH, _S, "1 + K₁/L² for 1 + K₁/L", where(K_1=1 / Q.L)),
    ("hidden-growth", _SHARP, _S, "1 + K₁/L² for 1 + K₁/L", _put(P.K1_here, P.K1_here / Q.L)),
    ("hidden-bound", _BOTH, _S, "e^{K₁/L} for e^{K₁}", where(K_1=1 / Q.L)),
    ("embedded-bound", _BOTH, _S, "M² for M", where(M=lambda v: v**2)),
    ("compact-h", _BOTH, _S, "M M_X without e^{K₁}", where(H_E=lambda v: v.subs(sp.exp(K1), 1))),
    ("K", _BOTH, _S, "K₁K₂ for the larger of the two", where(K=lambda v: sp.Mul(*v.args))),
    ("mean-value", _BOTH, _S, "half of K'", where(**{"K'": _half})),
    ("mean-value", _SHARP, _S, "half of K'₂₁", where(**{"K'_21": _half})),
    ("velocity-difference", _ONE, "general", "without the factor L", scaled(1 / Q.L)),
    ("split-samples", _ONE, "general-index", "the indices of the print", _rhs(P.sum_20_early)),
    ("split-products", (("as-printed", _I), ("corrected", _I)), _D, "half of both products", scaled(_half)),
    ("eq20", _ONE, "general-index", "the indices of the print", _rhs(P.split_20_early)),
    ("returning", _FIXED, _D, "without K'", where(**{"K'": 0})),
    ("returning", _SHARP, _D, "without K'₂₁", where(**{"K'_21": 0})),
    ("p-triangle", _ONE, _S, "1/L² for 1/L", _put(P.Jt_size, P.Jt_size / Q.L)),
    ("p-step", _BOTH, _S, "K/L² for K/L", scaled(1 / Q.L)),
    ("h-step", _BOTH, _S, "K/L² for K/L", scaled(1 / Q.L)),
    ("h-step-bound", _BOTH, _S, "M² for M", where(M=lambda v: v**2)),
    ("thus", _FIXED, _D, "without K'", where(**{"K'": 0})),
    ("thus", _SHARP, _D, "without K'₂₁", where(**{"K'_21": 0})),
    ("p-growth", _BOTH, _S, "K/L² for K/L", where(K=1 / Q.L)),
    ("p-bound", _BOTH, _S, "e^{K/L} for e^K", where(K=1 / Q.L)),
    ("p-last-bound", _BOTH, _S, "M² for M", where(M=lambda v: v**2)),
    ("p-final", _BOTH, _S, "M_Y dropped", _put(Q.M_Y, sp.Integer(0))),
    *((label, editions, _D, "the factor 2 of β dropped", where(beta=_half)) for label, editions in _LAST),
)  # fmt: skip
_EQUALITIES = (
    ("eq13.general-layer", "corrected", "K/L² for K/L in the recurrence", lambda c: replace(c, rhs=c.rhs.subs(Q.L, Q.L**2))),
    ("prop7.p-change", "corrected", "1/L² for 1/L", scaled(1 / Q.L)),
    ("prop7.h-change", "as-printed", "1/L² for 1/L", scaled(1 / Q.L)),
)
FAULTS: tuple[Fault, ...] = (
    *(
        claim_fault(f"prop7-{label}-alpha-{e}-{i}", "general-alternating", f"prop7.{label}[{e},{i}]", "α dropped", where(alpha=0))
        for label, editions in _LAST
        for e, i in editions
    ),
    _wrong("no-depth-scaling", NoDepthScaling, "eq12.layer"),
    _wrong("normalised-inputs", NormalisedInputs, "eq12.input", "prop7.embedded"),
    _wrong("doubled-output", DoubledOutput, "eq12.output"),
    _wrong("biased-branch", BiasedBranch, "eq12.vanishes"),
    _wrong("untransposed-jacobian", UntransposedJacobian, "eq14.general-A", "eq15.general-Z"),
    _wrong("half-loss", HalfLoss, "eq13.general-last", "prop7.p-last", "eq15.general-Z"),
    _wrong("half-last-gradient", HalfLastGradient, "eq16.general-B"),
    _wrong("forgotten-L", ForgottenL, "eq5.general-Z"),
    _wrong("frozen-ends", FrozenEnds, "eq5.general-A", "eq5.general-B"),
    _wrong("twice-as-fast", TwiceAsFast, *(f"eq5.general-flow-{b}[as-printed,{_ALONG}]" for b in "AZB")),
    *(claim_fault(f"{label}-{e}", "general", f"{label}[{e},{_I}]", meaning, change) for label, e, meaning, change in _EQUALITIES),
    *(
        claim_fault(f"prop7-{label}-{e}-{i}", spec, f"prop7.{label}[{e},{i}]", meaning, change)
        for label, editions, spec, meaning, change in _STEPS
        for e, i in editions
    ),
)
