"""Chebyshev points of [0, 1], and the matrices that act on values there."""

from __future__ import annotations

import math

import numpy as np
from numpy.polynomial import chebyshev

from depthlimit.theory.quantity import Array


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
