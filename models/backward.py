"""Backpropagation through (3): the adjoint (13) and the gradients (14)-(16), p. 14-15, for any leading axes.

With f(h, (V, W)) = 1/√m V σ(W h/√q) the recurrence (13) reads, its Jacobian transposed (p. 14 prints it
without)

    p_L = 2 Bᵀ(F(x) - y),    p_k = p_{k+1} + 1/(L√(qm)) W_{k+1}ᵀ (σ'(W_{k+1} h_k/√q) ⊙ V_{k+1}ᵀ p_{k+1})

so that p_k = n ∂ℓ/∂h_k, sample by sample. Samples are rows here.
"""

from __future__ import annotations

import math

import numpy as np

from depthlimit.models.activations import derivative, value
from depthlimit.models.implementation import Arrays, Network
from depthlimit.models.residual import (
    Workspace,
    by_layer,
    layerwise,
    leading,
    loss,
    preactivations,
    states,
    transposed,
)
from depthlimit.theory.quantity import Array


def adjoint(spec: Network, params: Arrays, hidden: Array, y: Array) -> Array:
    """p_0..p_L of (13), p. 14, [... L+1 n q], per sample and without the 1/n of the loss.

    From hidden [... L+1 n q] and y [... n dout].
    """
    slope = derivative(spec["activation"], preactivations(spec, params, hidden))
    residual = hidden[..., -1, :, :] @ transposed(params["B"]) - y
    return _recurrence(spec, params, residual, slope, Workspace())[0]


def gradients(spec: Network, params: Arrays, hidden: Array, p: Array, x: Array, y: Array) -> dict[str, Array]:
    """∂ℓ/∂A, ∂ℓ/∂V, ∂ℓ/∂W, ∂ℓ/∂B by (14)-(16), p. 15, from hidden and adjoint p [... L+1 n q]."""
    u = preactivations(spec, params, hidden)
    delta = derivative(spec["activation"], u) * (p[..., 1:, :, :] @ params["V"])
    delta *= 1 / (spec["L"] * math.sqrt(spec["m"]))
    residual = hidden[..., -1, :, :] @ transposed(params["B"]) - y
    return _products(spec, hidden, p, delta, value(spec["activation"], u), residual, x, Workspace())


def loss_and_gradients(spec: Network, params: Arrays, x: Array, y: Array, work: Workspace | None = None) -> tuple[Array, dict[str, Array]]:
    """The loss [...] and ∂ℓ/∂θ: what `forward`, `adjoint` and `gradients` give, in one pass each way."""
    work = work or Workspace()
    hidden, output, u, s = states(spec, params, x, work)
    residual = output - y
    slope = layerwise(derivative, spec["activation"], u, work.empty("slope", *u.shape))
    p, delta = _recurrence(spec, params, residual, slope, work)
    return loss(output, y), _products(spec, hidden, p, delta, s, residual, x, work)


def _recurrence(spec: Network, params: Arrays, residual: Array, slope: Array, work: Workspace) -> tuple[Array, Array]:
    """p [... L+1 n q] and delta_k = 1/(L√m) σ'(u_k) ⊙ (p_k V_k) [... L n m].

    From the residual F(x) - y [... n dout] and slope = σ'(u) [... L n m].
    """
    L, m, q = spec["L"], spec["m"], spec["q"]
    last: Array = 2 * (residual @ params["B"])
    lead, n = leading(last.shape[:-2], slope.shape[:-3]), last.shape[-2]
    p, delta = work.empty("p", *lead, L + 1, n, q), work.empty("delta", *lead, L, n, m)
    step = work.empty("step", *lead, n, q)
    W = by_layer(params["W"] / math.sqrt(q))  # [layer ... m q]
    V = by_layer(params["V"] / (L * math.sqrt(m)))  # [layer ... q m]
    product = np.matmul if lead else np.dot
    p_k, delta_k, slope_k = by_layer(p), by_layer(delta), by_layer(slope)
    p_k[L] = last
    for k in range(L - 1, -1, -1):
        after, d = p_k[k + 1], delta_k[k]
        np.multiply(product(after, V[k], out=d), slope_k[k], out=d)
        np.add(after, product(d, W[k], out=step), out=p_k[k])
    return p, delta


def _products(
    spec: Network, hidden: Array, p: Array, delta: Array, s: Array, residual: Array, x: Array, work: Workspace
) -> dict[str, Array]:
    """(14)-(16): the sums over the samples, all layers at once."""
    n, (*lead, L, m) = x.shape[-2], (*delta.shape[:-2], delta.shape[-1])
    q = p.shape[-1]
    V = np.matmul(transposed(p[..., 1:, :, :]), s, out=work.empty("dV", *lead, L, q, m))
    V *= 1 / (n * L * math.sqrt(m))
    W = np.matmul(transposed(delta), hidden[..., :-1, :, :], out=work.empty("dW", *lead, L, m, q))
    W *= 1 / (n * math.sqrt(q))
    return {
        "A": transposed(p[..., 0, :, :]) @ x / n,
        "V": V,
        "W": W,
        "B": 2 / n * (transposed(residual) @ hidden[..., -1, :, :]),
    }
