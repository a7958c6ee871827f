"""The velocity of (4) and (5) in place of the gradient: -∂ℓ times 1 or L, and the clip π (`depthlimit.models.clip` has the formulas)."""

from __future__ import annotations

import math

import numpy as np

from depthlimit.models.compiled.caching import inner, summed
from depthlimit.models.compiled.sigma import tanh
from depthlimit.theory.quantity import Array

KINDS = ("none", "coordinate", "radial", "smooth")
_NONE, _COORDINATE, _RADIAL, _SMOOTH = range(len(KINDS))


@summed
def _dot(a: Array, b: Array) -> float:
    total = 0.0
    for i in range(a.size):
        total += a[i] * b[i]
    return total


@inner
def _project(rate: float, kind: int, r: float, g: Array) -> float:
    """`downhill` of one array, entry by entry."""
    v = np.empty(g.size)
    for i in range(g.size):
        v[i] = -rate * g[i]
    if kind == _COORDINATE:
        for i in range(g.size):
            v[i] = min(max(v[i], -r), r)
    elif kind == _SMOOTH:
        for i in range(g.size):
            v[i] = r * tanh(v[i] / r)[0]
    change = _dot(g, v)
    g[:] = v
    return change


@inner
def downhill(rate: float, kind: int, r: float, first: Array, second: Array) -> float:
    """Gradients g [N] and [M], one vector together, replaced by v = π(-rate g); returns <g, v>."""
    if kind == _RADIAL:
        rate *= r / max(rate * math.sqrt(_dot(first, first) + _dot(second, second)), r)
    return _project(rate, kind, r, first) + _project(rate, kind, r, second)
