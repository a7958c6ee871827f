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
def _square(g: Array) -> float:
    total = 0.0
    for i in range(g.shape[0]):
        for j in range(g.shape[1]):
            total += g[i, j] * g[i, j]
    return total


@summed
def _coordinate(rate: float, r: float, g: Array) -> float:
    total = 0.0
    for i in range(g.shape[0]):
        for j in range(g.shape[1]):
            v = min(max(-rate * g[i, j], -r), r)
            total += g[i, j] * v
            g[i, j] = v
    return total


@summed
def _exchanged(g: Array, v: Array) -> float:
    """<g, v>; g becomes v."""
    total = 0.0
    for i in range(g.shape[0]):
        for j in range(g.shape[1]):
            total += g[i, j] * v[i, j]
            g[i, j] = v[i, j]
    return total


@inner
def _smooth(rate: float, r: float, g: Array) -> float:
    v = np.empty(g.shape)
    for i in range(g.shape[0]):
        for j in range(g.shape[1]):
            v[i, j] = r * tanh(-rate / r * g[i, j])[0]
    return _exchanged(g, v)


@inner
def _scaled(rate: float, g: Array) -> float:
    total = -rate * _square(g)
    for i in range(g.shape[0]):
        for j in range(g.shape[1]):
            g[i, j] *= -rate
    return total


@inner
def downhill(rate: float, kind: int, r: float, first: Array, second: Array) -> float:
    """Gradients g of two blocks that are one vector together, [N M] each, replaced by v = π(-rate g); returns <g, v>."""
    if kind == _COORDINATE:
        return _coordinate(rate, r, first) + _coordinate(rate, r, second)
    if kind == _SMOOTH:
        return _smooth(rate, r, first) + _smooth(rate, r, second)
    if kind == _RADIAL:
        rate *= r / max(rate * math.sqrt(_square(first) + _square(second)), r)
    return _scaled(rate, first) + _scaled(rate, second)
