"""The runs of the double limit: networks at doubling depths, each trained to the end, and the limit of training in depth beside them.

*t to infinity.* Late in training everything moves in proportion to √ℓ. What is still to come after the last time T is the geometric series
of the last interval: r/(1-r) times its displacement, r = √(ℓ(T)/ℓ(t_{J-1})). That is added, and is the radius too.
*L to infinity.* Either by Richardson's extrapolation in 1/L of the networks' limits in t, whose last correction is the radius, or by the
continuous-depth dynamics, which know no L.
*Suprema over s.* (8) is constant on pieces, and so is h_⌊Ls⌋; the distance from a smooth function is greatest at the ends of a piece
wherever the square of that function's speed exceeds its curvature times the distance, for then the distance is convex there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from depthlimit.models import flow, residual
from depthlimit.models.data import ArrayStore
from depthlimit.models.implementation import Arrays, Implementation
from depthlimit.models.measure.certificate import CertificateRun
from depthlimit.models.rounding import U, euclid
from depthlimit.models.spec import DoubleLimit, Spec
from depthlimit.models.training_limit import ContinuousDepth, Limit, limit, problem
from depthlimit.models.trajectory import BLOCKS, Batch, Trajectory, realise
from depthlimit.theory.quantity import Array, Field

FINE = np.linspace(0.0, 1.0, 129)
UNSCALED = 1e-8  # local tolerance of the control's flows; a hundred times that is what flows of the protocol are off at most
_START = 8  # points of the limit at first: on the ball of a certificate weights are nearly polynomials of low degree in s


class Weights(NamedTuple):
    """A and B together [T C], Z at the layers [T L p] or, of the limit, on `FINE`, and errors [T]; without T: as t tends to infinity."""

    ends: Array
    ends_error: Array
    Z: Array
    Z_error: Array


class DoubleRun(CertificateRun):
    """The certified instance at each of its depths; the Trajectory itself is the shallowest."""

    dynamics: type[ContinuousDepth] = ContinuousDepth  # planted faults are other ones

    def __init__(self, spec: Spec, arrays: ArrayStore, implementation: Implementation) -> None:
        assert isinstance(spec.regime, DoubleLimit)
        super().__init__(spec, arrays, implementation)
        self._arrays, self.depths = arrays, spec.regime.depths

    def at_depth(self, L: int) -> Batch:
        """The same instance, its labels included, at another depth."""
        return replace(realise(self.spec, self._arrays, L), y=self.batch.y)

    @cached_property
    def trained(self) -> list[Trajectory]:
        """The network at each depth."""
        return [self, *(Trajectory(self.at_depth(L), self.implementation) for L in self.depths[1:])]

    @cached_property
    def limit(self) -> Limit:
        """The limit of training in depth."""
        return limit(replace(problem(self.spec, self._arrays), y=self.batch.y), self.times, start=_START, dynamics=self.dynamics)

    @cached_property
    def limit_gradients(self) -> tuple[Field, Field]:
        """The squared gradient of the limit and its loss at the computed states [T]: the residual is known to its rounding."""
        found = self.limit.solution
        each = [found.dynamics.gradient(found.params(j)) for j in range(len(self.times))]
        squares, loss = np.array([found.dynamics.inner(g, g) for _, g in each]), np.array([value for value, _ in each])
        terms = euclid(self.batch.y).max() + euclid(found.B.reshape(len(loss), -1)) * euclid(self.batch.x).max()
        relative = 64 * U * (1 + terms / np.sqrt(loss))
        return Field(squares, 3 * relative * squares, ("time",)), Field(loss, 3 * relative * loss, ("time",))

    @cached_property
    def losses(self) -> tuple[Array, Array]:
        """ℓ at each depth and, last, in the limit, and its error [depths+1 T]."""
        squares, own = self.limit_gradients
        joint = np.sqrt(sum(self.limit.error(k) ** 2 for k in "ABZ"))
        off = 1.01 * np.sqrt(squares.values) * joint + own.radius
        loss = [t.flow["loss"][0] for t in self.trained]
        return np.stack([*loss, own.values]), np.stack([*(t.loss_error[0] for t in self.trained), off])

    @cached_property
    def weights(self) -> list[Weights]:
        """At each depth and, last, in the limit."""
        out, (one, off) = [], (self.limit.solution, self.limit.error)
        for t in self.trained:
            e = {k: v[0] for k, v in t.state_error.items()}
            ends = np.concatenate([t.flowed[k][0].reshape(len(self.times), -1) for k in "AB"], axis=-1)
            Z = np.concatenate([t.flowed[k][0].reshape(len(self.times), t.network["L"], -1) for k in "VW"], axis=-1)
            out.append(Weights(ends, np.hypot(e["A"], e["B"]), Z, np.hypot(e["V"], e["W"])))
        ends, Z = np.concatenate([a.reshape(len(a), -1) for a in (one.A, one.B)], axis=-1), one.weights(FINE)
        return [*out, Weights(ends, np.hypot(off("A"), off("B")), Z, off("Z") + 64 * U * euclid(Z).max(axis=-1))]

    @cached_property
    def series(self) -> Array:
        """r/(1-r) at each depth and, last, in the limit."""
        ratios = np.sqrt(self.losses[0][:, -1] / self.losses[0][:, -2])
        return np.asarray(ratios / (1 - ratios))

    @cached_property
    def settled(self) -> list[Weights]:
        """As t tends to infinity, at each depth and, last, in the limit."""
        out = []
        for w, factor in zip(self.weights, self.series, strict=True):
            ends, Z = ((a[-1] - a[-2]) * factor for a in (w.ends, w.Z))
            out.append(Weights(w.ends[-1] + ends, w.ends_error[-1] + euclid(ends), w.Z[-1] + Z, w.Z_error[-1] + euclid(Z).max()))
        return out

    def final(self, s: Array) -> Array:
        """Z of the double limit at s [S]: [1 S p], the limit of training as t tends to infinity."""
        Z = self.limit.solution.weights(s)
        return np.asarray(Z[-1:] + (Z[-1:] - Z[-2:-1]) * self.series[-1])

    def limit_states(self, s: Array) -> Array:
        """H(s, t) along the limit of training, all samples together [T S nq]."""
        H = self.limit.solution.states(s, self.batch.x)[0]
        return H.reshape(*H.shape[:2], -1)

    def unscaled(self, L: int, times: Array) -> tuple[Array, Array]:
        """Outputs [T n dout] and loss [T] of (4) without the factor L, by NumPy."""
        b = self.at_depth(L)
        right = flow.rates(b.network, b.x, b.y)

        def at(theta: Arrays) -> tuple[float, Arrays, float]:
            loss, v, _ = right(theta)
            slow = self.without_factor(v, L)
            return loss, slow, -sum(float(np.sum(a**2)) for a in slow.values())

        found = flow.integrate(b.network, b.params, b.x, b.y, times, UNSCALED, at)
        outputs = [residual.forward(b.network, {k: found[k][j] for k in BLOCKS}, b.x)[1] for j in range(len(times))]
        return np.stack(outputs), found["loss"]

    def without_factor(self, v: Arrays, L: int) -> dict[str, Array]:
        """-∂ℓ/∂θ from the velocities of (4)."""
        return {k: a / L if k in "VW" else a for k, a in v.items()}


def richardson(values: Array) -> tuple[Array, Array]:
    """The limit in 1/L of values [depths ...] at doubling depths, a power removed per depth, and the last correction."""
    column, before = values, values
    for power in range(1, len(values)):
        column, before = (2**power * column[1:] - column[:-1]) / (2**power - 1), column
    return column[-1], np.abs(column[-1] - before[-1])


def pieces(L: int) -> tuple[Array, Array]:
    """Where (8) has Z_1, ..., Z_L, the last at s = 1 alone: left and right ends [L]."""
    left = np.arange(L) / (L - 1)
    return left, np.minimum(left + 1 / (L - 1), 1.0)


def from_steps(rows: Array, left: Array, right: Array, at: Callable[[Array], Array]) -> tuple[Array, Array]:
    """The largest distance of rows [T K C] from a function of s, row k on left[k] <= s < right[k], and how far it may lie off [T]."""
    fine, h = at(FINE), FINE[1]
    distance = np.maximum(*(euclid(rows - at(ends)) for ends in (left, right))).max(axis=1)
    speed, bend = euclid(np.diff(fine, axis=1)).min(axis=1) / h, euclid(np.diff(fine, 2, axis=1)).max(axis=1) / h**2
    inside = float(np.max(right - left)) ** 2 / 8 * bend
    return distance, np.where(speed**2 >= bend * distance, 0.0, inside) + 64 * U * euclid(fine).max(axis=1)


def sensitivity(trajectory: Trajectory) -> Array:
    """How far hidden states may lie off, relative to them [T]: as in `theorem4`, ten times what the states do."""
    sizes = {k: np.maximum(euclid(v[0].reshape(v.shape[1], -1)), np.finfo(float).tiny) for k, v in trajectory.flowed.items()}
    return np.asarray(10 * sum(trajectory.state_error[k][0] / sizes[k] for k in BLOCKS))
