"""The network (3), its loss, and the gradients (14)-(16) or velocities (4), (5) of many networks of one shape, one network after the other.

The layers are walked in spans. Within a span all is kept that the way back needs: states, σ and σ'. Of earlier spans only the first state
is kept, and the way back computes them once more. One span of all layers is the ordinary backpropagation; spans of √L layers need O(√L)
memory beyond the parameters and their gradients, for a third more arithmetic. On the way back ∂ℓ/∂V_k and ∂ℓ/∂W_k are finished, clip
included, while their layer is in the cache.
"""

from __future__ import annotations

import math

import numpy as np

from depthlimit.models.compiled.caching import entry, inner
from depthlimit.models.compiled.clips import downhill
from depthlimit.models.compiled.products import times, times_transposed, transposed_times
from depthlimit.models.compiled.sigma import activate
from depthlimit.theory.quantity import Array

FORWARD, GRADIENTS, VELOCITY = range(3)  # what is asked
Sigma = tuple[int, float, float]  # name, a, b
Clip = tuple[int, float, bool]  # kind, radius, and whether A and B are trained


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


@entry
def evaluate(
    law: int,
    sigma: Sigma,
    clip: Clip,
    theta: tuple[Array, Array, Array, Array],
    data: tuple[Array, Array],
    kept: tuple[Array, Array, Array, Array],
    room: tuple[Array, Array],
    answer: tuple[Array, Array, Array],
    slopes: tuple[Array, Array, Array, Array],
) -> None:
    """All of it, for each network of the batch; every array is C-contiguous float64.

    theta: A [batch q d], V [batch L q m], W [batch L m q], B [batch dout q]; data: x [batch n d], y [batch n dout].
    kept: the first states of spans [spans n q]; the states of a span [batch K+1 n q], or [1 K+1 n q] if they are not asked for; σ and σ' of
    its layers [K n m], of the last one [1 n m] if only forward. room: [n m], [n q].
    answer: output [batch n dout], loss and its rate of change <∂ℓ, velocity> [batch]; slopes: gradients or velocities, shaped as theta.
    """
    A, V, W, B = theta
    starts, hidden, s, d = kept
    u, p = room
    L, span, spans = V.shape[1], hidden.shape[1] - 1, len(starts)
    for i in range(len(V)):
        x, y, output = data[0][i], data[1][i], answer[0][i]
        h = hidden[min(i, len(hidden) - 1)]
        times_transposed(1.0, x, A[i], 0.0, h[0])
        for j in range(spans):
            first, last = j * span, min(L, (j + 1) * span)
            if j:
                h[0] = h[span]
            starts[j] = h[0]
            _walk(sigma, L, V[i, first:last], W[i, first:last], h, u, s, d)
        end = h[L - (spans - 1) * span]
        times_transposed(1.0, end, B[i], 0.0, output)
        error, n = output - y, len(x)
        answer[1][i] = np.sum(error * error) / n
        if law == FORWARD:
            continue
        error *= 2 / n
        gA, gV, gW, gB = slopes[0][i], slopes[1][i], slopes[2][i], slopes[3][i]
        transposed_times(1.0, error, end, gB)
        times(1.0, error, B[i], 0.0, p)
        change = 0.0
        for j in range(spans - 1, -1, -1):
            first, last = j * span, min(L, (j + 1) * span)
            layers = slice(first, last)
            if j < spans - 1:
                h[0] = starts[j]
                _walk(sigma, L, V[i, layers], W[i, layers], h, u, s, d)
            change += _back(law, clip, L, V[i, layers], W[i, layers], h, s, d, p, u, gV[layers], gW[layers])
        transposed_times(1.0, p, x, gA)
        if law == VELOCITY:
            nothing = np.empty((0, 0))
            for g in (gA, gB):
                if clip[2]:
                    change += downhill(1.0, clip[0], clip[1], g, nothing)
                else:
                    g[...] = 0.0
            answer[2][i] = change
