"""Wrong limits of training, wrong networks beside the right limit, and wrong places of layers: Theorems 4 and 14.

Whatever is right in a run is that of the right one: a wrong limit meets the right networks, wrong networks the right limit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import sympy as sp

from depthlimit.conformance import faults
from depthlimit.conformance.faults.planting import Fault, claim_fault, scaled
from depthlimit.models import corpus_limit
from depthlimit.models.clip import project
from depthlimit.models.data import ArrayStore
from depthlimit.models.general_run import GeneralRun
from depthlimit.models.measure.limit_run import LimitRun, Pieces
from depthlimit.models.spec import Spec
from depthlimit.models.training_limit import ContinuousDepth
from depthlimit.models.trajectory import Trajectory
from depthlimit.theory.quantity import Array

SPECS: dict[str, Spec] = {"limit": corpus_limit.NETWORKS, "limit-general": corpus_limit.GENERAL}
_NETWORKS, _GENERAL = SPECS
Params = Mapping[str, Array]


class WrongSign(ContinuousDepth):
    """The backward equation (44) with the sign of the print: +∂₁f for -∂₁f."""

    def backward(self, jacobian: Array, P: Array) -> Array:
        """The opposite sign."""
        return -super().backward(jacobian, P)


class NoTranspose(ContinuousDepth):
    """The backward equation (44) with ∂₁f for its transpose, as printed."""

    def backward(self, jacobian: Array, P: Array) -> Array:
        """The Jacobian itself."""
        return np.asarray((jacobian @ P[..., None])[..., 0])


class AsPrinted(WrongSign, NoTranspose):
    """The backward equation (44) as it is printed: neither the sign nor the transpose."""


class HalfEnd(ContinuousDepth):
    """P(1) = Bᵀ(BH(1) - y): the factor 2 of the loss is lost in the backward equation alone."""

    def adjoint(self, H: Array, last: Array, Z: Array, B: Array) -> tuple[Array, Array]:
        """Half of P: the equation is linear."""
        P, first = super().adjoint(H, last, Z, B)
        return P / 2, first / 2


class HalfLoss(ContinuousDepth):
    """The loss is (1/2n) Σ|F - y|², throughout."""

    def gradient(self, params: Params) -> tuple[float, dict[str, Array]]:
        """Half of both."""
        loss, g = super().gradient(params)
        return loss / 2, {k: v / 2 for k, v in g.items()}


class NoMean(ContinuousDepth):
    """1/n is missing in (41) and the like: sums over the samples."""

    def gradient(self, params: Params) -> tuple[float, dict[str, Array]]:
        """n times the gradient."""
        loss, g = super().gradient(params)
        return loss, {k: len(self.problem.x) * v for k, v in g.items()}


class ClipFirst(ContinuousDepth):
    """π acts on each sample before the mean."""

    def gradient(self, params: Params) -> tuple[float, dict[str, Array]]:
        """The mean of what π leaves of each sample's gradient."""
        x, y, clip = self.problem.x, self.problem.y, self.problem.network["clip"]
        A, Z, B = (params[k] for k in "AZB")
        H, last = self.hidden(A, Z, x)
        P, first = self.adjoint(H, last, Z, B)
        error = last @ B.T - y
        each = []
        for i in range(len(x)):
            by_Z = self.problem.branch.pull(H[:, i : i + 1], Z[:, None, :], P[:, i : i + 1])
            by_A, by_B = np.outer(first[i], x[i]), 2 * np.outer(error[i], last[i])
            each.append([project(clip, g)[0] for g in (by_A, by_Z[:, None, :], by_B)])
        mean = [np.mean(np.stack(v), axis=0) for v in zip(*each, strict=True)]
        return float(np.sum(error**2)) / len(x), {"A": mean[0], "Z": mean[1][:, 0], "B": mean[2]}

    def descent(self, g: Params) -> dict[str, Array]:
        """What is clipped already."""
        return {k: -v for k, v in g.items()}


class NoClip(ContinuousDepth):
    """π is forgotten in (39)."""

    def descent(self, g: Params) -> dict[str, Array]:
        """The clip acts on A and B alone."""
        return {**super().descent(g), "Z": -g["Z"]}


class FrozenA(ContinuousDepth):
    """A stays where it starts."""

    def descent(self, g: Params) -> dict[str, Array]:
        """A' = 0."""
        return {**super().descent(g), "A": 0 * g["A"]}


class FrozenB(ContinuousDepth):
    """B stays where it starts."""

    def descent(self, g: Params) -> dict[str, Array]:
        """B' = 0."""
        return {**super().descent(g), "B": 0 * g["B"]}


class LateAdjoint(ContinuousDepth):
    """P(1) for P(0) in (38)."""

    def adjoint(self, H: Array, last: Array, Z: Array, B: Array) -> tuple[Array, Array]:
        """P and its end."""
        return super().adjoint(H, last, Z, B)[0], 2 * (last @ B.T - self.problem.y) @ B


class EarlyState(ContinuousDepth):
    """H at the last of the points in s for H(1)."""

    def hidden(self, A: Array, Z: Array, x: Array) -> tuple[Array, Array]:
        """Points fall in s."""
        H, _ = super().hidden(A, Z, x)
        return H, H[0]


class Midpoints(ContinuousDepth):
    """Integrals over s by equal weights at the points, which are denser at the ends."""

    def __init__(self, problem: Any, N: int) -> None:
        super().__init__(problem, N)
        self.total = np.full(N, 1 / N)


def _right(spec: Spec) -> LimitRun:
    run: LimitRun = faults._fields(next(name for name, known in SPECS.items() if known == spec)).run
    return run


def _limit(kind: type[ContinuousDepth]) -> Callable[[Spec, ArrayStore], LimitRun]:
    def run(spec: Spec, store: ArrayStore) -> LimitRun:
        right = _right(spec)
        found = LimitRun(spec, store, right.implementation)
        found.dynamics, found.most = kind, 36  # where points do not help, there is no need of many
        vars(found)["networks"] = right.networks
        return found

    return run


def _network(**changes: Any) -> Callable[[Spec, ArrayStore], LimitRun]:
    """Parts of the run replaced, the limit that of the right one."""

    def run(spec: Spec, store: ArrayStore) -> LimitRun:
        right = _right(spec)
        found = type("Wrong", (LimitRun,), changes)(spec, store, right.implementation)
        vars(found).update({k: getattr(right, k) for k in ("limit", *(() if "trained" in changes else ("networks",)))})
        return found  # type: ignore[no-any-return]

    return run


class ForgottenL(GeneralRun):
    """The networks follow the gradient of Z itself, without the factor L."""

    def descent(self, g: Params) -> dict[str, Array]:
        """(5) with -∂ℓ/∂Z."""
        return super().descent({**g, "Z": g["Z"] / self.spec.L})


def _without_L(self: LimitRun, L: int) -> GeneralRun:
    return ForgottenL(self.spec.model_copy(update={"L": L}), self.arrays)


def _left(self: LimitRun, L: int) -> Trajectory | GeneralRun:
    """V_k(0) = 𝒱₀((k-1)/L)."""
    run = LimitRun.trained(self, L)
    Z, size = self.problem.Z(np.arange(L) / L), self.spec.q * self.spec.m
    params: dict[str, Array] = run.batch.params
    if isinstance(run, GeneralRun):
        params["Z"] = Z
    else:
        params["V"], params["W"] = Z[:, :size].reshape(params["V"].shape), Z[:, size:].reshape(params["W"].shape)
    return run


def _floor(L: int) -> Pieces:
    """Z_⌊Ls⌋ of an array that is counted from 1: there is no Z_0, and the last layer is read."""
    ends = np.append(np.arange(L + 1) / L, 1.0)
    return Pieces(np.arange(L + 1) - 1, ends[:-1], ends[1:])


def _floor_next(L: int) -> Pieces:
    """Z_{⌊Ls⌋+1}, and Z_L at s = 1."""
    ends = np.arange(L + 1) / L
    return Pieces(np.arange(L), ends[:-1], ends[1:])


def _states_as_weights(L: int) -> Pieces:
    """h_{⌊(L-1)s⌋+1}, the index of (8)."""
    ends = np.append(np.arange(L) / (L - 1), 1.0)
    return Pieces(np.arange(1, L + 1), ends[:-1], ends[1:])


def _ids(theorem: str, names: str, *others: str) -> tuple[str, ...]:
    """Both editions of the theorem's statements, and other sharpened claims."""
    editions = ("explicit", "sharpened")
    own = (f"{theorem}.{name}[{edition},along-trajectory]" for name in names.split() for edition in editions)
    return (*own, *(f"thm4.{name}[sharpened,along-trajectory]" for name in others))


def _slopes(theorem: str, names: str) -> tuple[str, ...]:
    """The theorem's statements with their rate alone."""
    return tuple(f"{theorem}.{name}[sharpened,along-trajectory]" for name in names.split())


def _fault(name: str, kind: type, spec: str, caught_by: tuple[str, ...]) -> Fault:
    return Fault(f"thm4-{name}", (kind.__doc__ or "").splitlines()[0], (spec,), caught_by, runs=_limit(kind))


_ALL = "ends weights states outputs"
_ENERGY, _LADDER = "energy", ("order", "agreement")
_half = sp.Rational(1, 2)
FAULTS: tuple[Fault, ...] = (
    _fault("sign", WrongSign, _NETWORKS, _ids("thm4", "ends weights outputs", *_LADDER, _ENERGY)),
    _fault("transpose", NoTranspose, _GENERAL, _ids("thm14", "weights", *_LADDER, _ENERGY)),
    _fault("as-printed", AsPrinted, _GENERAL, _ids("thm14", _ALL, *_LADDER, _ENERGY)),
    _fault("half-end", HalfEnd, _GENERAL, (*_ids("thm14", "ends", *_LADDER, _ENERGY), *_slopes("thm14", "weights"))),
    _fault("half-loss", HalfLoss, _GENERAL, (*_ids("thm14", "ends outputs", *_LADDER), *_slopes("thm14", "weights states"))),
    _fault("no-mean", NoMean, _GENERAL, (*_ids("thm14", "ends", *_LADDER), *_slopes("thm14", "weights states"))),
    _fault("clip-first", ClipFirst, _GENERAL, _ids("thm14", "ends", *_LADDER)),
    _fault("no-clip", NoClip, _GENERAL, (*_ids("thm14", "ends", *_LADDER), "thm4.M[as-printed,a-priori]")),
    _fault("frozen-A", FrozenA, _GENERAL, _ids("thm14", "ends", *_LADDER)),
    _fault("frozen-B", FrozenB, _GENERAL, _ids("thm14", "ends", *_LADDER)),
    _fault("late-adjoint", LateAdjoint, _GENERAL, _ids("thm14", "ends", *_LADDER, _ENERGY)),
    _fault("early-state", EarlyState, _GENERAL, _ids("thm14", "", "declared", "agreement")),
    _fault("equal-weights", Midpoints, _GENERAL, (*_ids("thm14", "", *_LADDER), *_slopes("thm14", "outputs"))),
    Fault(
        "thm4-forgotten-L",
        (ForgottenL.__doc__ or ""),
        (_GENERAL,),
        _ids("thm14", "weights", *_LADDER),
        runs=_network(trained=_without_L),
    ),
    Fault(
        "thm4-left-nodes",
        "Layers start at (k-1)/L instead of k/L: the limit is the same, and so is every order.",
        (_NETWORKS,),
        _ids("thm4", "", "start"),
        runs=_network(trained=_left),
    ),
    Fault(
        "thm4-floor",
        "Z_⌊Ls⌋ for (8): at s < 1/L there is no such layer, and the last one is read.",
        (_NETWORKS,),
        _ids("thm4", "weights"),
        runs=_network(weight_pieces=staticmethod(_floor)),
    ),
    Fault(
        "thm4-floor-next",
        "Z_{⌊Ls⌋+1} for (8): it converges just as fast, and its constant differs.",
        (_NETWORKS,),
        _ids("thm4", "", "constant"),
        runs=_network(weight_pieces=staticmethod(_floor_next)),
    ),
    Fault(
        "thm4-states-as-weights",
        "h_{⌊(L-1)s⌋+1} for h_⌊Ls⌋: it converges just as fast, and its constant differs.",
        (_GENERAL,),
        _ids("thm14", "", "constant"),
        runs=_network(state_pieces=staticmethod(_states_as_weights)),
    ),
    claim_fault("thm4-K", _GENERAL, "thm4.K[as-printed,along-trajectory]", "half of K", scaled(_half)),
)
