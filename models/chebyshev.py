"""Chebyshev points of [0, 1], the matrices that act on values there, and integral equations."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.polynomial import chebyshev

from depthlimit.theory.quantity import Array

_ITERATIONS = 400  # Picard's k-th correction is below C^k/k! for the Lipschitz constant C of the slope: 400 serve for C up to about 140
_SETTLED = 4 * np.finfo(float).eps


def transform(N: int) -> tuple[Array, Array]:
    """N points s in (0, 1), 2s-1 = cos(π(j+1/2)/N), and the matrix [N N] from values there to Chebyshev coefficients in 2s-1.

    By discrete orthogonality c_i = (2/N) Σ_j f(s_j) T_i(2s_j-1), half of it for i = 0.
    """
    angle = math.pi * (np.arange(N) + 0.5) / N
    matrix = np.cos(np.arange(N)[:, None] * angle) * (2 / N)  # [coefficient point]
    matrix[0] /= 2
    return (1 + np.cos(angle)) / 2, matrix


def points(N: int) -> tuple[Array, Array]:
    """Those N points, and the matrix [N+1 N] from values there to the coefficients of ∫_0^s."""
    s, matrix = transform(N)
    return s, np.asarray(chebyshev.chebint(matrix, lbnd=-1) / 2)


def basis(s: Array, N: int) -> Array:
    """T_0..T_{N-1} at 2s-1 for s [...]: [... N]."""
    return np.asarray(chebyshev.chebvander(2 * np.asarray(s, dtype=float) - 1, N - 1))


def integrals(s: Array, N: int) -> Array:
    """∫_0^s of values at the N points [S N], for s [S]; exactly 0 at s = 0."""
    return np.asarray((basis(s, N + 1) - (-1.0) ** np.arange(N + 1)) @ points(N)[1])


def picard(start: Array, matrix: Array, slope: Callable[[Array], Array]) -> Array:
    """u = start + matrix slope(u) at the points [N ...], from start [...]; matrix [N N] integrates.

    Raises RuntimeError if the iteration does not settle.
    """
    u = np.broadcast_to(start, (len(matrix), *start.shape))
    with np.errstate(all="ignore"):  # what overflows is found below
        for _ in range(_ITERATIONS):
            following = start + (matrix @ slope(u).reshape(len(matrix), -1)).reshape(u.shape)
            change, size = np.abs(following - u).max(), np.abs(following).max()
            u = following
            if not np.isfinite(size):
                break
            if change <= _SETTLED * size:
                return np.asarray(u)
    raise RuntimeError(
        f"Picard's iteration on {len(matrix)} points does not settle: the weights have grown too large for an equation in depth"
    )
