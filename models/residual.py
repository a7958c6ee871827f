"""The residual network (3), p. 3, in NumPy, for any number of networks at once.

All arrays may have leading axes `...` (batch, time) that broadcast: each network is treated alone. Layer k of
the paper is index k-1 of V and W and index k of `hidden`. Samples are rows: one product per layer serves all
of them.

    h_0 = A x,    h_k = h_{k-1} + 1/(L√m) V_k σ(W_k h_{k-1}/√q),    F(x) = B h_L
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import cycle
from typing import Any, NamedTuple

import numpy as np

from depthlimit.models.activations import function
from depthlimit.models.implementation import Arrays, Network
from depthlimit.theory.quantity import Array

_CACHED = 2**13  # entries, 64 KiB: a few temporaries of this size fit in any second-level cache


class States(NamedTuple):
    """All that a forward pass computes."""

    hidden: Array  # [... L+1 n q]  h_0..h_L
    output: Array  # [... n dout]   F(x)
    u: Array  # [... L n m]         W_k h_{k-1}/√q
    s: Array  # [... L n m]         σ(u)


class Workspace:
    """Arrays kept from call to call by name: touching fresh memory costs as much as the arithmetic in it.

    What a function returns lies in the workspace that it was given, until the next call with it.
    """

    def __init__(self) -> None:
        self._kept: dict[str, Array] = {}

    def empty(self, name: str, *shape: int) -> Array:
        """An uninitialised array of that shape: the one of that name if it fits."""
        kept = self._kept.get(name)
        if kept is None or kept.shape != shape:
            kept = self._kept[name] = np.empty(shape)
        return kept


def transposed(a: Array) -> Array:
    """The last two axes exchanged; a view."""
    return a.swapaxes(-1, -2)


def by_layer(a: Array) -> Array:
    """Views of the layers of [... L rows columns], the layer axis first."""
    return a if a.ndim == 3 else np.moveaxis(a, -3, 0)


def leading(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """The leading axes of a result from those of its arguments."""
    return np.broadcast_shapes(a, b) if a or b else ()


def layerwise(function: Callable[[Any, Array], Array], activation: Any, u: Array, out: Array) -> Array:
    """out = function(activation, u), [... L n m], a few layers at a time: temporaries stay in the cache."""
    layers = max(1, _CACHED * u.shape[-3] // max(1, u.size))
    for k in range(0, u.shape[-3], layers):
        out[..., k : k + layers, :, :] = function(activation, u[..., k : k + layers, :, :])
    return out


def states(spec: Network, params: Arrays, x: Array, work: Workspace | None = None, keep: bool = True) -> States:
    """The forward pass on x [... n d], with the u and s that the backward pass needs, or one layer of them."""
    work = work or Workspace()
    L, m, q, activation = spec["L"], spec["m"], spec["q"], spec["activation"]
    h: Array = x @ transposed(params["A"])  # [... n q]
    lead, n = leading(h.shape[:-2], params["W"].shape[:-3]), h.shape[-2]
    hidden, step = work.empty("hidden", *lead, L + 1, n, q), work.empty("step", *lead, n, q)
    kept = L if keep else 1
    u, s = work.empty("u", *lead, kept, n, m), work.empty("s", *lead, kept, n, m)
    # Transposed copies: products with them are a third faster than with transposed views.
    W = work.empty("W", *params["W"].shape[:-2], q, m)
    V = work.empty("V", *params["V"].shape[:-2], m, q)
    np.multiply(transposed(params["W"]), 1 / math.sqrt(q), out=W)
    np.multiply(transposed(params["V"]), 1 / (L * math.sqrt(m)), out=V)
    product = np.matmul if lead else np.dot  # the same for matrices, and np.dot starts faster
    hidden_k = by_layer(hidden)
    hidden_k[0] = h
    weights, buffers = zip(by_layer(W), by_layer(V), strict=True), zip(by_layer(u), by_layer(s), strict=True)
    sigma = function(activation)
    with np.errstate(over="ignore", under="ignore"):
        for h, h_next, (W_k, V_k), (u_k, s_k) in zip(hidden_k, hidden_k[1:], weights, cycle(buffers), strict=False):
            product(h, W_k, out=u_k)
            s_k[...] = sigma(u_k)
            np.add(h, product(s_k, V_k, out=step), out=h_next)
    return States(hidden, hidden_k[L] @ transposed(params["B"]), u, s)


def forward(spec: Network, params: Arrays, x: Array) -> tuple[Array, Array]:
    """Hidden states [... L+1 n q] and output [... n dout] of (3), p. 3, for x [... n d]."""
    result = states(spec, params, x, keep=False)
    return result.hidden, result.output


def preactivations(spec: Network, params: Arrays, hidden: Array) -> Array:
    """W_{k+1} h_k/√q for k = 0..L-1, [... L n m], from hidden [... L+1 n q]."""
    u: Array = hidden[..., :-1, :, :] @ transposed(params["W"])
    u *= 1 / math.sqrt(spec["q"])
    return u


def loss(output: Array, y: Array) -> Array:
    """ℓ = (1/n) Σ_i |F(x_i) - y_i|², p. 3: [...] from output and y [... n dout]."""
    residual = output - y
    return np.asarray(np.einsum("...ij,...ij->...", residual, residual) / y.shape[-2])
