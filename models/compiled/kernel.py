"""The network (3), its loss, and the gradients (14)-(16) or velocities (4), (5) of many networks of one shape, one network after the other.

The layers are walked in spans. Within a span all is kept that the way back needs: states, σ and σ'. Of earlier spans only the first state
is kept, and the way back computes them once more. One span of all layers is the ordinary backpropagation; spans of √L layers need O(√L)
memory beyond the parameters and their gradients, for a third more arithmetic. On the way back ∂ℓ/∂V_k and ∂ℓ/∂W_k are finished, clip
included, while their layer is in the cache.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba.extending import intrinsic

from depthlimit.models.compiled.caching import entry, inner
from depthlimit.models.compiled.clips import downhill
from depthlimit.models.compiled.products import times, times_transposed, transposed_times
from depthlimit.models.compiled.sigma import activate
from depthlimit.theory.quantity import Array

FORWARD, GRADIENTS, VELOCITY = range(3)  # what is asked
Sigma = tuple[int, float, float]  # name, a, b
Clip = tuple[int, float, bool]  # kind, radius, and whether A and B are trained


@intrinsic
def unowned(typing, array):  # type: ignore[no-untyped-def]
    """The same array, of which no references are counted: its views cost nothing, and whoever called keeps it alive."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = context.make_array(array)(context, builder, arguments[0])
        view.meminfo = view.meminfo.type(None)
        view.parent = view.parent.type(None)
        return view._getvalue()

    return array(array), generate


@inner
def _copy(source: Array, target: Array) -> None:
    for i in range(source.shape[0]):
        for j in range(source.shape[1]):
            target[i, j] = source[i, j]


@inner
def _walk(sigma: Sigma, L: int, V: Array, W: Array, h: Array, u: Array, s: Array, d: Array) -> None:
    """h_1, ..., h_K in h [K+1 n q] from h_0 there, σ and σ' in s and d [K n m], or [1 n m] if they are not kept.

    V [K q m], W [K m q]; u [n m] is room.
    """
    m, q = W.shape[1:]
    for k in range(len(V)):
        times_transposed(1 / math.sqrt(q), h[k], W[k], 0.0, u)
        j = min(k, len(s) - 1)
        activate(sigma[0], sigma[1], sigma[2], u, s[j], d[j])
        _copy(h[k], h[k + 1])
        times_transposed(1 / (L * math.sqrt(m)), s[j], V[k], 1.0, h[k + 1])


@inner
def _back(
    law: int, clip: Clip, L: int, V: Array, W: Array, h: Array, s: Array, d: Array, p: Array, r: Array, gV: Array, gW: Array
) -> float:
    """∂ℓ/∂V_k and ∂ℓ/∂W_k in gV and gW, or velocities, from p = ∂ℓ/∂h_K [n q], which becomes ∂ℓ/∂h_0.

    r [n m] is room. Returns <∂ℓ, velocity>, 0 if no velocity is asked for.
    """
    m, q = W.shape[1:]
    weight, change = 1 / (L * math.sqrt(m)), 0.0
    for k in range(len(V) - 1, -1, -1):
        times(weight / math.sqrt(q), p, V[k], 0.0, r)
        for i in range(len(r)):
            for j in range(m):
                r[i, j] *= d[k, i, j]
        transposed_times(weight, p, s[k], gV[k])
        transposed_times(1.0, r, h[k], gW[k])
        times(1.0, r, W[k], 1.0, p)
        if law == VELOCITY:
            change += downhill(L, clip[0], clip[1], gV[k], gW[k])
    return change


@inner
def _carved(room: Array, start: int, count: int, rows: int, columns: int) -> tuple[Array, int]:
    """The next [count rows columns] of the room, and where it ends."""
    end = start + count * rows * columns
    return room[start:end].reshape(count, rows, columns), end


def rooms(L: int, span: int, kept: int, n: int, q: int, m: int) -> int:
    """How many numbers `evaluate` needs room for: first states, the states of a span, σ and σ' of `kept` layers, r and p."""
    return (-(-L // span) + span + 2) * n * q + (2 * kept + 1) * n * m


@entry
def evaluate(
    law: int,
    sigma: Sigma,
    clip: Clip,
    span: int,
    theta: tuple[Array, Array, Array, Array],
    data: tuple[Array, Array],
    room: Array,
    answer: tuple[Array, Array],
    numbers: Array,
    slopes: tuple[Array, Array, Array, Array],
) -> None:
    """All of it, for each network of the batch; every array is C-contiguous float64.

    span: so many layers are kept for the way back; on the way there alone, σ and σ' of one.
    theta: A [batch q d], V [batch L q m], W [batch L m q], B [batch dout q]; data: x [batch n d], y [batch n dout].
    room: as many numbers as `rooms` says. answer: hidden [batch L+1 n q], or nothing [0 0 0 0] where it is not asked for, and output
    [batch n dout]; numbers: the loss and its rate of change <∂ℓ, velocity> [2 batch]; slopes: gradients or velocities, shaped as theta.
    """
    A, V, W, B = unowned(theta[0]), unowned(theta[1]), unowned(theta[2]), unowned(theta[3])
    L, q, m, n = V.shape[1], V.shape[2], V.shape[3], data[0].shape[1]
    spans, kept, free = -(-L // span), 1 if law == FORWARD else span, unowned(room)
    starts, at = _carved(free, 0, spans, n, q)
    own, at = _carved(free, at, span + 1, n, q)
    s, at = _carved(free, at, kept, n, m)
    d, at = _carved(free, at, kept, n, m)
    us, at = _carved(free, at, 1, n, m)
    ps, at = _carved(free, at, 1, n, q)
    u, p = us[0], ps[0]
    for i in range(len(V)):
        x, y, output = unowned(data[0][i]), unowned(data[1][i]), unowned(answer[1][i])
        h = unowned(answer[0][i]) if len(answer[0]) else own
        times_transposed(1.0, x, A[i], 0.0, h[0])
        for j in range(spans):
            first, last = j * span, min(L, (j + 1) * span)
            if j:
                _copy(h[span], h[0])
            _copy(h[0], starts[j])
            _walk(sigma, L, V[i, first:last], W[i, first:last], h, u, s, d)
        end = h[L - (spans - 1) * span]
        times_transposed(1.0, end, B[i], 0.0, output)
        error = output - y
        numbers[0, i] = np.sum(error * error) / n
        if law == FORWARD:
            continue
        error *= 2 / n
        gA, gV, gW, gB = unowned(slopes[0][i]), unowned(slopes[1][i]), unowned(slopes[2][i]), unowned(slopes[3][i])
        transposed_times(1.0, error, end, gB)
        times(1.0, error, B[i], 0.0, p)
        change = 0.0
        for j in range(spans - 1, -1, -1):
            first, last = j * span, min(L, (j + 1) * span)
            layers = slice(first, last)
            if j < spans - 1:
                _copy(starts[j], h[0])
                _walk(sigma, L, V[i, layers], W[i, layers], h, u, s, d)
            change += _back(law, clip, L, V[i, layers], W[i, layers], h, s, d, p, u, gV[layers], gW[layers])
        transposed_times(1.0, p, x, gA)
        if law == VELOCITY:
            for g in (gA, gB):
                if clip[2]:
                    change += downhill(1.0, clip[0], clip[1], g, g[:0])
                else:
                    g[...] = 0.0
            numbers[1, i] = change
