"""The point of a ball, and the labels, at which a search finds the least PL ratio ‖∇ℓ‖²/ℓ.

At given parameters the least ratio over the labels is (4/n) λ_min(K), K = J Jᵀ, where the rows of J are the gradients of single outputs,
V and W weighted by √L; it is attained where F(x) - y is the eigenvector v. Over the parameters the search goes from vertex to vertex: the
ratio is nearly linear on the small balls of the certificates, so that it is least far out against its gradient (Frank and Wolfe's step
without line search), and each step takes the worst labels anew. With φ = ⟨v, F(x)⟩ and D the weights of the metric, the gradient of
⟨∇φ, D∇φ⟩ is 2 H D∇φ, H the Hessian of φ, by a central difference of two gradients.

Nothing here is part of a proof: what is found is judged at the implementation's own gradients. Everything is deterministic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from depthlimit.models import backward, residual
from depthlimit.models.trajectory import BLOCKS, Batch
from depthlimit.theory.quantity import Array

Params = dict[str, Array]
STEPS = 6  # from one start: no search of the corpus gains by a seventh
_GAIN = 1e-6  # relative; below it a step no longer counts
_DIFFERENCE = 1e-5  # of the displacement in the central difference; what it loses, 1e-10 of the gradient, does not matter to a search


@dataclass(frozen=True)
class Worst:
    """Parameters, labels with mean squared error 1, and the ratio there in floating point."""

    params: Params
    y: Array  # [n dout]
    ratio: float


def _gradient_of_outputs(batch: Batch, params: Params, v: Array) -> Params:
    """∇⟨v, F(x)⟩ for each v of [... n dout]: that of the loss with labels F(x) - (n/2) v."""
    n = batch.network["n"]
    hidden, output = residual.forward(batch.network, params, batch.x)
    y = output - n / 2 * v
    p = backward.adjoint(batch.network, params, hidden, y)
    return backward.gradients(batch.network, params, hidden, p, batch.x, y)


def weights(batch: Batch) -> dict[str, float]:
    """The metric of (4): L for V and W, 1 for A and B."""
    return {k: float(batch.network["L"]) if k in "VW" else 1.0 for k in BLOCKS}


def kernel(batch: Batch, params: Params) -> tuple[Array, Array]:
    """Eigenvalues, ascending, and eigenvectors as rows [n·dout n dout], of K at some parameters."""
    n, dout = batch.network["n"], batch.network["dout"]
    basis = np.eye(n * dout).reshape(n * dout, n, dout)
    g, D = _gradient_of_outputs(batch, params, basis), weights(batch)
    J = np.concatenate([np.sqrt(D[k]) * g[k].reshape(n * dout, -1) for k in BLOCKS], axis=1)
    values, vectors = np.linalg.eigh(J @ J.T)
    return values, vectors.T.reshape(n * dout, n, dout)


def _uphill(batch: Batch, params: Params, v: Array) -> Params:
    """The gradient of ⟨∇φ, D∇φ⟩, φ = ⟨v, F(x)⟩, up to a factor."""
    g, D = _gradient_of_outputs(batch, params, v), weights(batch)
    size = np.sqrt(sum(float(np.sum((D[k] * g[k]) ** 2)) for k in BLOCKS))
    ends = [_gradient_of_outputs(batch, {k: params[k] + sign * _DIFFERENCE / size * D[k] * g[k] for k in BLOCKS}, v) for sign in (1, -1)]
    return {k: ends[0][k] - ends[1][k] for k in BLOCKS}


def search(batch: Batch, extreme: Callable[[Params], Params], starts: int) -> Worst:
    """The least ratio found from `starts` starts: the directions of the smallest eigenvalues at the centre, then random ones.

    extreme: the displacement within the ball that goes farthest along a direction.
    """
    centre, n = batch.params, batch.network["n"]
    values, vectors = kernel(batch, centre)
    rng = np.random.RandomState(0)
    best = float(values[0]), centre, vectors[0]
    for start in range(starts):
        params, v = centre, vectors[start] if start < len(vectors) else rng.standard_normal(vectors[0].shape)
        least = np.inf
        for _ in range(STEPS):
            step = extreme({k: -g for k, g in _uphill(batch, params, v).items()})
            params = {k: centre[k] + step[k] for k in BLOCKS}
            (value, *_), (v, *_) = kernel(batch, params)
            if value < best[0]:
                best = float(value), params, v
            if value >= least * (1 - _GAIN):
                break
            least = value
    least, params, v = best
    return Worst(params, residual.forward(batch.network, params, batch.x)[1] - np.sqrt(n) * v, 4 / n * least)
