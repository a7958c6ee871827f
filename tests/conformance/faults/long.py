"""Wrong lines of Proposition 8, and implementations that are wrong only late in training.

The latter stop, slow down or forget where they are going once the loss is small, and are right at the times at which other instances look.
They are runs and not implementations to be diagnosed: the questions of a diagnosis are short.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp

from depthlimit.conformance.faults.general import where
from depthlimit.conformance.faults.planting import Fault, claim_fault, scaled
from depthlimit.models import corpus_long, flow
from depthlimit.models.data import ArrayStore
from depthlimit.models.general_run import Arrays
from depthlimit.models.implementation import Array, Network
from depthlimit.models.measure.general_long_run import GeneralLongRun
from depthlimit.models.measure.long_flow import LongRun
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.spec import Spec
from depthlimit.theory.claim import Claim
from depthlimit.theory.paper import certificate as C
from depthlimit.theory.paper import long_flow as L
from depthlimit.theory.paper import prop8 as S
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper import remark1

SPECS: dict[str, Spec] = {
    "ball-scalar": corpus_long.BALLS[0],
    "ball-steep": corpus_long.BALLS[1],
    "ball-identity": corpus_long.IDENTITY,
    "ball-diagonal": corpus_long.DIAGONAL,
    "long": Spec.model_validate({**corpus_long.LONG[0].to_json(), "L": 2, "times": (0.0, 0.5, 6.5, 13.25, 26.5)}),
}


class ForgottenL(GeneralLongRun):
    """The flow uses the plain gradient of Z, without the factor L."""

    def descent(self, g: Arrays) -> dict[str, Array]:
        """(4) with -∂ℓ/∂Z."""
        return super().descent({**g, "Z": g["Z"] / self.spec.L})


class Late(NumpyImplementation):
    """A flow that is right until the loss is `SMALL` of what it was."""

    SMALL = 1e-5

    def after(self, t: float, start: float) -> float:
        """Which time is answered for a time after that: none later, so that training stops early."""
        return start

    def flow(self, spec: Network, params: Arrays, x: Array, y: Array, times: Array) -> dict[str, Array]:
        """The flow, at other times late."""
        found = super().flow(spec, params, x, y, times)
        loss = found["loss"]
        late = loss < self.SMALL * self.loss(spec, params, x, y)
        if not np.any(late):
            return found
        first = float(times[int(np.argmax(late))])
        moved = np.array([t if t <= first else self.after(t, first) for t in times])
        distinct, back = np.unique(moved, return_inverse=True)
        again = super().flow(spec, params, x, y, distinct)
        return {k: v[back] for k, v in again.items()}


class Slower(Late):
    """Time runs at nine tenths of its speed once the loss is small, as with a step that adapts to the loss."""

    def after(self, t: float, start: float) -> float:
        """0.9 of the time since."""
        return start + 0.9 * (t - start)


class Decaying(NumpyImplementation):
    """B decays at rate 1e-8 beside the gradient: weight decay."""

    def flow(self, spec: Network, params: Arrays, x: Array, y: Array, times: Array) -> dict[str, Array]:
        """The flow of (4) with -1e-8 B."""
        blocks = list(params)
        shapes = [params[k].shape for k in blocks]

        def rhs(_: float, vector: Array) -> Array:
            theta = dict(zip(blocks, flow.unpack(vector, shapes), strict=True))
            v = self.velocity(spec, theta, x, y)
            return flow.pack([*(v[k] - 1e-8 * theta[k] * (k == "B") for k in blocks)])

        start = flow.pack(params[k] for k in blocks)
        moved = flow.solve(rhs, start, times, flow.local_tolerance(spec), [flow.Block(params[k].size) for k in blocks])
        out = dict(zip(blocks, flow.unpack(start + moved, shapes), strict=True))
        return {**out, "loss": np.array([self.loss(spec, {k: out[k][j] for k in blocks}, x, y) for j in range(len(times))])}


class Single(NumpyImplementation):
    """States are rounded to 32 bits."""

    def flow(self, spec: Network, params: Arrays, x: Array, y: Array, times: Array) -> dict[str, Array]:
        """The flow, its displacements rounded."""
        found = super().flow(spec, params, x, y, times)
        out = {k: params[k] + (found[k] - params[k]).astype(np.float32).astype(float) for k in params}
        return {**out, "loss": np.array([self.loss(spec, {k: out[k][j] for k in params}, x, y) for j in range(len(times))])}


def _late(name: str, kind: type[NumpyImplementation], caught_by: str) -> Fault:
    def start(spec: Spec, store: ArrayStore) -> LongRun:
        return LongRun(spec, store, kind())

    ids = tuple(f"{label}[{edition},along-trajectory]" for label, _, edition in (c.partition("/") for c in caught_by.split()))
    return Fault(f"late-{name}", (kind.__doc__ or "").splitlines()[0], ("long",), ids, runs=start)


def _rhs(new: Any) -> Callable[[Claim], Claim]:
    return lambda c: replace(c, rhs=sp.sympify(new(c.rhs) if callable(new) else new))


def _put(old: Any, new: Any) -> Callable[[Claim], Claim]:
    return lambda c: replace(c, rhs=c.rhs.xreplace({old: new}))


_SPEED2 = remark1.momentum_speed2
_FASTER = _put(S.FADING, S.FADING**2)
_half, _root = sp.Rational(1, 2), 1 / sp.sqrt(2)
_SC, _ST, _DI = "ball-scalar", "ball-steep", "ball-diagonal"
_PRINT = "as-printed,a-priori"
_LINES: tuple[tuple[str, str, str, str, Callable[[Claim], Claim]], ...] = (
    ("eq22", _PRINT, _SC, "half of the PL constant", where(mu_PL=_half)),
    ("pl", _PRINT, _SC, "twice μ", scaled(2)),
    ("pl", "sharpened,a-priori", _SC, "twice the proven constant", scaled(2)),
    ("descent", _PRINT, _SC, "twice μ", scaled(2)),
    ("eq24", _PRINT, _SC, "e^{-2μt} for e^{-μt}", _put(sp.exp(-S.mu * Q.t), sp.exp(-2 * S.mu * Q.t))),
    ("decay", _PRINT, _SC, "twice μ", scaled(2)),
    ("decay", "sharpened,a-priori", _SC, "twice the proven constant", scaled(2)),
    ("norm-A", "corrected,a-priori", _SC, "M_A without M", _rhs(S.A0_op)),
    ("norm-B", "corrected,a-priori", _SC, "M_B without M", _rhs(S.B0_op)),
    ("norm-Z", _PRINT, _SC, "M_Z without M", _rhs(S.Z0_sup)),
    *((f"eq23-{k}", f"{e},a-priori", _ST, "an eighth of M", scaled(_half**3)) for k in "AZB" for e in ("as-printed", "sharpened")),
    ("compact-h", _PRINT, _SC, "‖A_init‖₂ M_X for e^{K₁} M_A M_X", _rhs(S.A0_op * Q.M_X)),
    ("p-growth", _PRINT, _SC, "a quarter", scaled(_half**2)),
    ("p-growth", "corrected,a-priori", _SC, "half", scaled(_half)),
    ("p-growth", "sharpened,a-priori", _SC, "e^{K₁} dropped", _put(sp.exp(S.K1), sp.Integer(1))),
    ("p-last", "corrected,a-priori", _SC, "the factor 2 lost", scaled(_half)),
    *((f"eq25-{name}", _PRINT, _SC, "half, the factor 2 lost", scaled(_half)) for name in ("adjoint", "cauchy")),
    ("eq25-decay", _PRINT, _SC, "e^{-μt} for e^{-μt/2}", _FASTER),
    ("eq25", _PRINT, _SC, "e^{-μt} for e^{-μt/2}", _FASTER),
    ("eq25", "sharpened,a-priori", _SC, "the factor 2 lost", scaled(_half)),
    *((f"{k}-{name}", _PRINT, _ST, "half", scaled(_half)) for k in "AZB" for name in ("path", "split", "integral", "total")),
    ("Z-K", _PRINT, _ST, "K/L for K", scaled(1 / Q.L)),
    *((f"{k}-half", _PRINT, _ST if k == "Z" else _SC, "M/4 for M/2", scaled(_half)) for k in "AZB"),
    *((f"{k}-moved", _PRINT, _ST, "M/8 for M/2", scaled(_half**2)) for k in "AZB"),
    *((f"speed-{k}", "explicit,a-priori", _ST, "b/2 for b", scaled(_half)) for k in "AZB"),
    ("tail-path", _PRINT, _SC, "half of the path", scaled(_half)),
    ("tail-integral", _PRINT, _SC, "e^{-μt} for e^{-μt/2}", _FASTER),
    *((f"tail-{k}", f"{'as-printed' if k == 'A' else 'explicit'},a-priori", _ST, "e^{-μt} for e^{-μt/2}", _FASTER) for k in "AZB"),
    ("successive-rate", "corrected,a-priori", _DI, "a quarter of C₁ and C₂", scaled(_half**2)),
    ("successive-decay", _PRINT, _DI, "an eighth", scaled(_half**3)),
    ("successive-integral", _PRINT, _DI, "an eighth of both integrals", scaled(_half**3)),
    *((f"successive-{name}", _PRINT, _DI, "C₁M² for C₁M", where(C_1=S.R_pl)) for name in ("mu", "gronwall", "bound")),
    ("successive", "explicit,a-priori", _DI, "C₁M² for C₁M", where(Ktilde=S.R_pl)),
    ("long-norm-A", "sharpened,a-priori", "long", "0.998 of M_A", scaled(sp.Rational(998, 1000))),
    ("long-norm-B", "sharpened,a-priori", "long", "0.998 of M_B", scaled(sp.Rational(998, 1000))),
    ("long-chord", "sharpened,along-trajectory", "long", "2μ for μ", scaled(_root)),
    ("long-distance", "sharpened,a-priori", "long", "2μ for μ", scaled(_root)),
    ("long-tail", "sharpened,along-trajectory", "long", "2μ for μ", scaled(_root)),
    ("long-decay", "sharpened,a-priori", "long", "2μ for μ", _put(sp.exp(-C.mu * Q.t), sp.exp(-2 * C.mu * Q.t))),
    ("long-decay-above", "sharpened,along-trajectory", "long", "0.95 of the rate", _put(L.rate_high, L.rate_high * sp.Rational(95, 100))),
    ("long-adjoint", "sharpened,along-trajectory", "long", "the factor 2 lost", scaled(_half)),
    ("long-adjoint-decay", "sharpened,a-priori", "long", "e^{-μt} for e^{-μt/2}", _put(sp.exp(-C.mu * Q.t / 2), sp.exp(-C.mu * Q.t))),
    ("long-successive", "sharpened,a-priori", "long", "a thousandth of K̃", scaled(_half**10)),
    ("long-successive", "sharpened,along-trajectory", "long", "a hundredth of K̃", scaled(_half**7)),
)
_LOSS = "prop8.long-loss/sharpened eq4.flow-A/as-printed"
FAULTS: tuple[Fault, ...] = (
    *(
        claim_fault(f"prop8-{label}-{rung.split(',')[0]}-{rung.split(',')[1]}", spec, f"prop8.{label}[{rung}]", meaning, change)
        for label, rung, spec, meaning, change in _LINES
    ),
    Fault(
        "prop8-forgotten-L", (ForgottenL.__doc__ or ""), ("ball-scalar",), ("prop8.chain-rule[as-printed,instantaneous]",), runs=ForgottenL
    ),
    claim_fault("remark1-bounded", "ball-scalar", "remark1.bounded[explicit,a-priori]", "a tenth of ℓ(0)", scaled(sp.Rational(1, 10))),
    claim_fault(
        "remark1-energy", "ball-scalar", "remark1.energy[explicit,along-trajectory]", "the factor 1/2 lost", _put(_SPEED2 / 2, _SPEED2)
    ),
    _late("stop", Late, f"prop8.long-left/sharpened prop8.long-decay/sharpened {_LOSS}"),
    _late("slow", Slower, f"prop8.long-decay/sharpened {_LOSS}"),
    _late("weight-decay", Decaying, "prop8.long-loss/sharpened"),
    _late("single-precision", Single, "prop8.long-loss/sharpened"),
)
