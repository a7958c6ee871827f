"""(38), (40) and (41) along training: the change of Z, A and B against the integral of their right sides, P by forward mode.

Everything is taken from two solutions, of N and 3/2 N points in depth and with tolerances apart by ten; their distance is the radius, with
what the last two Chebyshev coefficients in t hold of the integrals and the rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from depthlimit.models import flow
from depthlimit.models.chebyshev import basis, points, transform
from depthlimit.models.limit_map import Continuum, LimitMapRun
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import euclid
from depthlimit.models.training_limit import Trained, train
from depthlimit.theory.quantity import Array, Field

NINE = np.linspace(0, 1, 9)
NODES, POINTS = 12, 12


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


def _paths(run: LimitMapRun, N: int, rtol: float) -> list[tuple[Array, Array, Array]]:
    """Of Z at nine s, A and B: change, integral and what its last coefficients hold, each [T-1 ...], by a solution on N points."""
    times, (s, integral) = np.array(run.spec.times), points(NODES)
    inner = times[:-1, None] + np.diff(times)[:, None] * np.sort(s)
    stops = np.unique(np.concatenate([times, inner.ravel()]))
    solution = train(run.problem, stops, N, rtol, run.dynamics)
    saved = [At(solution, j) for j in np.searchsorted(stops, times)]
    slopes = [Continuum(run, At(solution, j), 2 * POINTS).descent(NINE) for j in np.searchsorted(stops, inner.ravel())]
    total, tail = (basis(np.ones(1), NODES + 1) @ integral)[0][::-1], transform(NODES)[1][-2:, ::-1]
    found = []
    for i, values in enumerate(([p.weights(NINE) for p in saved], [p.A.ravel() for p in saved], [p.B.ravel() for p in saved])):
        state = np.stack(values)
        slope = np.stack([v[i] for v in slopes]).reshape(len(times) - 1, NODES, *state.shape[1:])
        width = np.diff(times).reshape(-1, *[1] * (state.ndim - 1))
        each, rest = (np.einsum(f"{k}n,tn...->t{k}...", w, slope) for k, w in (("", total), ("k", tail)))
        found.append((state[1:] - state[:1], np.cumsum(width * each, axis=0), np.cumsum(width * np.abs(rest).sum(axis=1), axis=0)))
    return found


@measures(*(f"{k}_moved{by}" for k in "ZAB" for by in ("", "_by")), on=LimitMapRun)
def paths(run: LimitMapRun) -> Mapping[str, Field]:
    """See the module."""
    if len(run.spec.times) == 1:
        sizes = {"Z": (0, 9, run.branch.p), "A": (0, run.here.A.size), "B": (0, run.here.B.size)}
        return {f"{k}_moved{by}": _field(np.zeros(sizes[k]), np.zeros(sizes[k][:-1])) for k in "ZAB" for by in ("", "_by")}
    rtol = flow.local_tolerance(run.spec.network())
    fine, rough = (_paths(run, N, tolerance) for N, tolerance in ((POINTS * 3 // 2, rtol), (POINTS, 10 * rtol)))
    found = {}
    for k, (moved, by, rest), (other, other_by, _) in zip("ZAB", fine, rough, strict=True):
        rounding = run.rounding(float(np.max(euclid(moved))))
        found[f"{k}_moved"] = _field(moved, euclid(moved - other) + rounding)
        found[f"{k}_moved_by"] = _field(by, euclid(by - other_by) + euclid(rest) + rounding)
    return found


def _field(values: Array, radius: Array) -> Field:
    return Field(values, radius, ("time", "layer", "component")[:: 1 if values.ndim == 3 else 2])
