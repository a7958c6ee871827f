"""(38), (40) and (41) along training: the change of Z, A and B against the integral of their right sides, P by forward mode.

Everything is taken from two solutions, of N and 3/2 N points in depth and with tolerances apart by ten; their distance is the radius, with
what the last two Chebyshev coefficients in t hold of the integrals and the rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from depthlimit.models import flow
from depthlimit.models.chebyshev import basis, integrals, transform
from depthlimit.models.limit_map import Continuum, LimitMapRun
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import euclid
from depthlimit.models.training_limit import Trained, train
from depthlimit.theory.quantity import Array, Field

NINE = np.linspace(0, 1, 9)
NODES, POINTS = 8, 12


@dataclass(frozen=True, eq=False)
class At:
    """A solution at its j-th time."""

    solution: Trained
    j: int

    @property
    def A(self) -> Array:
        """[q d]."""
        return np.asarray(self.solution.A[self.j])

    @property
    def B(self) -> Array:
        """[dout q]."""
        return np.asarray(self.solution.B[self.j])

    def weights(self, s: Array) -> Array:
        """[S p]."""
        return np.asarray(basis(s, self.solution.dynamics.N) @ self.solution.coefficients[self.j])


def _paths(run: LimitMapRun, N: int, rtol: float) -> tuple[Array, Array, Array]:
    """Of A, Z at nine s and B [T-1 C]: change, integral and what its last coefficients hold, by a solution on N points."""
    times, (s, matrix) = np.array(run.spec.times), transform(NODES)
    inner = times[:-1, None] + np.diff(times)[:, None] * np.sort(s)
    stops = np.unique(np.concatenate([times, inner.ravel()]))
    solution = train(run.problem, stops, N, rtol, run.dynamics)
    saved = [At(solution, j) for j in np.searchsorted(stops, times)]
    slopes = [Continuum(run, At(solution, j), 2 * POINTS).descent(NINE) for j in np.searchsorted(stops, inner.ravel())]
    total, tail = integrals(np.ones(1), NODES)[0][::-1], matrix[-2:, ::-1]
    state = np.stack([np.concatenate([p.A.ravel(), p.weights(NINE).ravel(), p.B.ravel()]) for p in saved])
    slope = np.stack([np.concatenate([A, Z.ravel(), B]) for Z, A, B in slopes]).reshape(len(times) - 1, NODES, -1)
    width = np.diff(times)[:, None]
    each, rest = np.einsum("n,tnc->tc", total, slope), np.abs(np.einsum("kn,tnc->ktc", tail, slope)).sum(axis=0)
    return state[1:] - state[:1], np.cumsum(width * each, axis=0), np.cumsum(width * rest, axis=0)


@measures("depth_moved", "depth_moved_by", on=LimitMapRun)
def paths(run: LimitMapRun) -> Mapping[str, Field]:
    """See the module; nothing where the Spec has no time but 0."""
    if len(run.spec.times) == 1:
        size = run.here.A.size + 9 * run.branch.p + run.here.B.size
        return dict.fromkeys(("depth_moved", "depth_moved_by"), Field(np.zeros((0, size)), np.zeros(0), ("time", "component")))
    rtol = flow.local_tolerance(run.spec.network())
    (moved, by, rest), (other, other_by, _) = (_paths(run, N, t) for N, t in ((POINTS * 3 // 2, rtol), (POINTS, 10 * rtol)))
    rounding = run.rounding(float(np.max(euclid(moved))))
    return {
        "depth_moved": Field(moved, euclid(moved - other) + rounding, ("time", "component")),
        "depth_moved_by": Field(by, euclid(by - other_by) + euclid(rest) + rounding, ("time", "component")),
    }
