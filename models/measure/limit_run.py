r"""LimitRun: networks trained at doubling depths, beside the limit of training in depth.

Networks of model (3) are trained by the implementation, general ones by our own code; the limit is solved by
`depthlimit.models.training_limit` in either case, and no network has a part in it. Distances are taken at all s of [0, 1]: a network is
constant on pieces, and both ends of each piece are looked at (`Sup`). Times are the saved ones.

An error δA, δZ of the weights moves a hidden state by at most e^{K₁}(|δA| M_X + K₂ |δZ|), K₁ and K₂ the means over the layers of bounds
of ∂₁f and ∂₂f (discrete Grönwall), and an output by |δB||h_L| + |B||δh|; rounding of the forward pass is added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from depthlimit.models.chebyshev import basis
from depthlimit.models.data import ArrayStore
from depthlimit.models.flow import kinked
from depthlimit.models.general_run import GeneralRun
from depthlimit.models.implementation import Implementation
from depthlimit.models.measure.ladder import vertex
from depthlimit.models.rounding import euclid, frobenius
from depthlimit.models.spec import GeneralLimit, Spec, TrainingLimit
from depthlimit.models.training_limit import Arrays, ContinuousDepth, Limit, limit, problem
from depthlimit.models.trajectory import Trajectory, realise
from depthlimit.theory.quantity import Array

_START = 10  # points in s of the first solution
_KINKED = 60  # of the last one past kinks: those that move along s gain little from more


class Pieces(NamedTuple):
    """Intervals [left, right] of s on which a network stands still, and the row of its arrays that it has there."""

    row: NDArray[np.intp]
    left: Array
    right: Array


def weight_pieces(L: int) -> Pieces:
    """(8): Z_k on [(k-1)/(L-1), k/(L-1)[ for k < L, and Z_L at s = 1. Rows 0..L-1 are k = 1..L."""
    ends = np.append(np.arange(L) / (L - 1), 1.0)
    return Pieces(np.arange(L), ends[:-1], ends[1:])


def state_pieces(L: int) -> Pieces:
    """(iii): h_k on [k/L, (k+1)/L[ for k < L, and h_L at s = 1. Rows 0..L are k = 0..L."""
    ends = np.append(np.arange(L + 1) / L, 1.0)
    return Pieces(np.arange(L + 1), ends[:-1], ends[1:])


class Peaks(NamedTuple):
    """Suprema over s of branches (times, samples, ends of pieces), each with an expansion in 1/L; arrays [branches].

    values are known within errors; near: how far the value lies above that at the end of [0, 1], where it is no more than two layers away.
    """

    values: Array
    errors: Array
    near: Array

    def times(self, factor: float) -> Peaks:
        """All multiplied."""
        return Peaks(*(factor * v for v in self))

    def wider(self, radius: float) -> Peaks:
        """Larger errors."""
        return self._replace(errors=self.errors + radius)


class Sup(NamedTuple):
    """A supremum: no less than `value`, no more than `value` plus `excess`; the largest of `peaks`, but for what the layers miss."""

    value: float
    excess: float
    peaks: Peaks


def supremum(rows: Array, pieces: Pieces, series: Array) -> Sup:
    """Of |rows[t, row] - f(s, t)| over s and t, for rows [T rows c] and Chebyshev coefficients of f in 2s-1 [T N c].

    On a piece of length δ, f is a chord within u(1-u) |f''| δ²/2, and the distance from a chord is convex. So between distances a >= b at
    its ends the largest one is at most that of a + (b-a)u + u(1-u)c, c = |f''| δ²/2: a itself unless a - b < c.
    The branches are both ends of the pieces at each time.
    """
    N = series.shape[1]
    moved = [np.einsum("sj,tjc->tsc", basis(s, N), series) for s in (pieces.left, pieces.right)]
    ends = [euclid(rows[:, pieces.row] - f) for f in moved]  # [T pieces] each
    curvature = 4 * euclid(np.asarray(chebyshev.chebder(series, 2, axis=1), dtype=float)).sum(axis=1) if N > 2 else np.zeros(len(series))
    c = curvature[:, None] * (pieces.right - pieces.left) ** 2 / 2
    a, gap = np.maximum(*ends), np.abs(ends[0] - ends[1])
    over = a + np.divide(np.maximum(c - gap, 0.0) ** 2, 4 * c, out=np.zeros_like(a), where=c > 0)
    value = float(a.max())
    return Sup(value, float(over.max()) - value, branches(ends, pieces))


def together(sups: Sequence[Sup]) -> Sup:
    """Their supremum."""
    value = max(sup.value for sup in sups)
    return Sup(value, max(sup.value + sup.excess for sup in sups) - value, joined([sup.peaks for sup in sups]))


def exact(values: Array) -> Sup:
    """Of numbers that are all there are."""
    values = values.ravel()
    return Sup(float(values.max()), 0.0, Peaks(values, 0 * values, 0 * values))


def joined(parts: Sequence[Peaks]) -> Peaks:
    """The branches of all parts."""
    return Peaks(*(np.concatenate(v) for v in zip(*parts, strict=True)))


def branches(ends: Sequence[Array], pieces: Pieces) -> Peaks:
    """Of what stands at the left and at the right ends of pieces [T pieces]; the last piece may be a point."""
    return joined([peaks(ends[0]), peaks(ends[1][:, pieces.right > pieces.left])])


def peaks(rows: Array) -> Peaks:
    """The maximum over s of each row [T points], smooth in s, as the vertex of a parabola through three points."""
    found = np.zeros((3, len(rows)))
    for t, row in enumerate(rows):
        k, last = int(np.argmax(row)), len(row) - 1
        found[:2, t] = vertex(row, k)
        if min(k, last - k) in (1, 2):
            found[2, t] = found[0, t] - row[0 if k < last - k else last]
    return Peaks(*found)


def dominant(ladder: Sequence[Peaks]) -> tuple[Array, Array]:
    """Values and errors [depths] of the branch with the largest limit, of branches at doubling depths that have limits.

    That branch is told by one step of extrapolation from the last two depths; it may be another than the largest at the last one. A maximum
    near an end of [0, 1] at the last depth may lie beyond it in the limit, so that the value at the end is what counts: an error.
    """
    at = int(np.argmax(2 * ladder[-1].values - ladder[-2].values))
    return np.array([p.values[at] for p in ladder]), np.array([p.errors[at] for p in ladder]) + ladder[-1].near[at]


@dataclass(frozen=True, eq=False)
class Network:
    """One depth along its flow: A [T q d], Z [T L p], B [T dout q], Z' [T L p], states [T L+1 n q], outputs [T n dout].

    error: radii per time [T] of A, B, the layers of Z, the states h and the outputs F of one sample.
    """

    A: Array
    Z: Array
    B: Array
    speed: Array
    hidden: Array
    output: Array
    error: Arrays


class LimitRun:
    """Networks at each depth, and their limit. `dynamics`, `most`, the pieces and `network` are what planted faults replace."""

    dynamics: type[ContinuousDepth] = ContinuousDepth
    most = 184  # points in s
    weight_pieces = staticmethod(weight_pieces)
    state_pieces = staticmethod(state_pieces)

    def __init__(self, spec: Spec, arrays: ArrayStore, implementation: Implementation) -> None:
        assert isinstance(spec.regime, TrainingLimit | GeneralLimit)
        self.spec, self.arrays, self.implementation = spec, arrays, implementation
        self.depths, self.times = np.array(spec.regime.depths), np.array(spec.times)
        self.problem = problem(spec, arrays)
        self.batch = self.trained(spec.regime.depths[-1]).batch

    def trained(self, L: int) -> Trajectory | GeneralRun:
        """The run of the network at depth L."""
        if isinstance(self.spec.regime, GeneralLimit):
            return GeneralRun(self.spec.model_copy(update={"L": L}), self.arrays)
        return Trajectory(realise(self.spec, self.arrays, L), self.implementation)

    def network(self, L: int) -> Network:
        """The network at depth L and its radii; see the module."""
        run = self.trained(L)
        if isinstance(run, GeneralRun):
            states, v, hidden, output, rounding = run.states, run.velocity, run.hidden, run.output, run.hidden_error
            Z, speed, error_Z = states["Z"][0], v["Z"][0], run.state_error["Z"][0]
        else:
            states, v, hidden, output = run.flowed, run.velocity, run.forward["hidden"], run.forward["output"]
            rounding = run.rounding.states
            Z, speed = (np.concatenate([u[k][0].reshape(len(self.times), L, -1) for k in "VW"], axis=-1) for u in (states, v))
            error_Z = np.hypot(*(run.state_error[k][0] for k in "VW"))
        error = {"A": run.state_error["A"][0], "Z": error_Z, "B": run.state_error["B"][0]}
        size, x = euclid(hidden[0]), float(euclid(self.batch.x).max())
        bounds = self.problem.branch.bounds(size[:, :-1], Z[:, :, None, :])
        K1, K2 = (np.broadcast_to(k, size[:, :-1].shape).mean(axis=1).max(axis=1) for k in (bounds.state, bounds.parameter))
        error["h"] = np.exp(K1) * (error["A"] * x + K2 * error_Z) + rounding[0].max(axis=(1, 2))
        error["F"] = error["B"] * size.max(axis=(1, 2)) + frobenius(states["B"][0]) * error["h"]
        return Network(states["A"][0], Z, states["B"][0], speed, hidden[0], output[0], error)

    @cached_property
    def networks(self) -> list[Network]:
        """At each depth."""
        return [self.network(int(L)) for L in self.depths]

    @cached_property
    def limit(self) -> Limit:
        """The limit of training, with its declared error."""
        most = _KINKED if kinked(self.problem.network) else self.most
        return limit(self.problem, self.times, start=_START, most=most, dynamics=self.dynamics)

    @cached_property
    def error(self) -> dict[str, Array]:
        """Declared errors of the limit [T], of outputs too."""
        found = {k: self.limit.error(name) for k, name in zip("AZBh", "AZBH", strict=True)}
        last = euclid(self.states[1]).max(axis=1)
        return {**found, "F": found["B"] * last + frobenius(self.limit.solution.B) * found["h"]}

    @cached_property
    def states(self) -> tuple[Array, Array]:
        """Chebyshev coefficients of H(., t) [T N+1 n q], and H(1, t) [T n q]."""
        return self.limit.solution.states(self.batch.x)

    def distances(self, at: Network) -> dict[str, Sup]:
        """Suprema over s, t and samples of the distances of A and B together ("ends"), Z, h and F from the limit; excess is a radius."""
        solution, radius = self.limit.solution, {k: at.error[k] + self.error[k] for k in "AZBhF"}
        ends = np.hypot(frobenius(at.A - solution.A), frobenius(at.B - solution.B))
        outputs = euclid(at.output - np.einsum("tnq,toq->tno", self.states[1], solution.B))
        L, n = at.Z.shape[1], at.hidden.shape[2]
        weights = supremum(at.Z, self.weight_pieces(L), solution.coefficients)
        each = [supremum(at.hidden[:, :, i], self.state_pieces(L), self.states[0][:, :, i]) for i in range(n)]
        found = {
            "ends": exact(ends),
            "weights": weights,
            "states": together(each),
            "outputs": exact(outputs),
        }
        own = (np.hypot(radius["A"], radius["B"]), radius["Z"], radius["h"], radius["F"])
        wide = dict(zip(found, (float(r.max()) for r in own), strict=True))
        return {k: Sup(v.value, v.excess + wide[k], v.peaks.wider(wide[k])) for k, v in found.items()}

    @cached_property
    def ladder(self) -> dict[str, list[Sup]]:
        """Those at each depth."""
        each = [self.distances(at) for at in self.networks]
        return {k: [found[k] for found in each] for k in each[0]}
