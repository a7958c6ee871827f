"""Initialisation: the parameters A, V, W, B of a Spec at any depth.

The smooth kinds (paper, gp, fourier) are finite sums V0(s) = Σ_j f_j(s) C_j with fixed scalar functions f_j
and drawn matrices C_j, and V_k = V0(k/L) (Section 4.3, page 7): the same function at every depth, to the last
bit, because each sum is taken entry by entry in the same order whatever the number of layers. A and B are the
paper's (Section 3, page 3) unless arrays are given.

    paper    f = 1, V0 = 0, W0 = W.
    gp       f_j(s) = scale e^{-u²/2} u^j/√(j!), u = (s - 1/2)/length, j < 40. Over all j,
             Σ_j f_j(s) f_j(s') = scale² e^{-(u-u')²/2}, so this is the Gaussian process itself but for a
             covariance below 1e-18 scale². No covariance matrix is factorised: being nearly singular, its
             root is determined only to the square root of the unit roundoff, and differs between linear
             algebra libraries.
    fourier  f = scale cos(πrs)/r and scale sin(πrs)/r, r = 1..terms.
    iid      no function: fresh matrices at each layer, the negative control.

Order of draws, from RandomState(seed): all of W0's matrices (or all W_k), each row by row, then all of V0's.
So the kinds share their first matrix, the paper's W.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from depthlimit.models.chebyshev import transform
from depthlimit.models.data import ArrayStore, expect_shapes
from depthlimit.models.spec import (
    AffineInit,
    ArraysInit,
    BadInput,
    FourierInit,
    GaussianProcessInit,
    IidInit,
    PaperInit,
    Spec,
)
from depthlimit.theory.quantity import Array

# Σ_{j>=40} f_j(s)² = scale² P(Poisson(u²) >= 40) with u² <= (0.5/0.2)² = 6.25: below scale² times
# e^{-6.25} 6.25^40/40! / (1 - 6.25/41) = 2e-19. By Cauchy-Schwarz that bounds the missing covariance too.
GP_TERMS = 40
_GRID = 256  # intervals on which the derivative of a Gaussian process is bounded
_U = 2.0**-53  # unit roundoff


def _combine(factors: Array, matrices: Array) -> Array:
    """Σ_j factors[s, j] matrices[j], (S, ...); entrywise, so that a value does not depend on the other s."""
    total = np.zeros((len(factors), *matrices.shape[1:]))
    for j, matrix in enumerate(matrices):
        total += factors[:, j, None, None] * matrix
    return total


@dataclass(frozen=True, eq=False)
class SmoothFunction:
    """s -> (V0(s), W0(s)) as a sum of scalar functions times matrices.

    Args:
        factors: s (S,) -> (S, N).
        V: matrices (N, q, m).
        W: matrices (N, m, q).
    """

    factors: Callable[[Array], Array]
    V: Array  # [term q m]
    W: Array  # [term m q]

    def __call__(self, s: Array) -> tuple[Array, Array]:
        """V0 (S,q,m) and W0 (S,m,q) at points s (S,) of [0, 1]."""
        factors = self.factors(np.asarray(s, dtype=np.float64))
        return _combine(factors, self.V), _combine(factors, self.W)


def _gp_factors(init: GaussianProcessInit, s: Array, terms: int = GP_TERMS) -> Array:
    u = (s - 0.5) / init.length
    columns = [init.scale * np.exp(-0.5 * u**2)]
    for j in range(1, terms):
        columns.append(columns[-1] * u / math.sqrt(j))
    return np.stack(columns, axis=1)


def _fourier_factors(init: FourierInit, s: Array) -> Array:
    rs = [(r, math.pi * r * s) for r in range(1, init.terms + 1)]
    return np.stack([init.scale * f(angle) / r for r, angle in rs for f in (np.cos, np.sin)], axis=1)


def smooth_function(spec: Spec, arrays: ArrayStore) -> SmoothFunction:
    """The functions V0, W0 on [0, 1] that the initialisation discretises: s (S,) -> V0 (S,q,m), W0 (S,m,q).

    Raises:
        BadInput: the kind is iid, arrays or affine: no functions V0, W0 of s.
    """
    init, q, m = spec.init, spec.q, spec.m
    if isinstance(init, IidInit | ArraysInit | AffineInit):
        raise BadInput(f"init.kind: {init.kind} is not a function of depth; accepted here: paper, gp, fourier")
    random = np.random.RandomState(init.seed)
    if isinstance(init, PaperInit):
        W = random.standard_normal((1, m, q))
        return SmoothFunction(lambda s: np.ones((len(s), 1)), np.zeros((1, q, m)), W)
    terms = GP_TERMS if isinstance(init, GaussianProcessInit) else 2 * init.terms
    W = random.standard_normal((terms, m, q))
    V = random.standard_normal((terms, q, m))
    if isinstance(init, GaussianProcessInit):
        return SmoothFunction(lambda s: _gp_factors(init, s), V, W)
    return SmoothFunction(lambda s: _fourier_factors(init, s), V, W)


def smooth_vector(init: GaussianProcessInit, p: int) -> Callable[[Array], Array]:
    """Z_init of a general residual network, s (S,) -> (S,p): entries are independent Gaussian processes."""
    matrices = np.random.RandomState(init.seed).standard_normal((GP_TERMS, p, 1))
    return lambda s: _combine(_gp_factors(init, s), matrices)[..., 0]


def outer(spec: Spec) -> tuple[Array, Array]:
    """Section 3, page 3: A = (I, 0)ᵀ (q,d) and B = (0, I) (dout,q)."""
    return np.eye(spec.q, spec.d), np.eye(spec.dout, spec.q, spec.q - spec.dout)


def parameters(spec: Spec, L: int, arrays: ArrayStore) -> dict[str, Array]:
    """The initial parameters at depth L: A (q,d), V (L,q,m), W (L,m,q), B (dout,q), fresh float64 arrays.

    Raises:
        BadInput: kind arrays with other names or shapes than the spec's sizes and L ask for.
    """
    q, m = spec.q, spec.m
    if isinstance(spec.init, ArraysInit):
        given = arrays.resolve(spec.init.arrays)
        shapes = {"A": (q, spec.d), "V": (L, q, m), "W": (L, m, q), "B": (spec.dout, q)}
        expect_shapes("init.arrays", given, shapes)
        return {name: given[name].copy() for name in shapes}
    A, B = outer(spec)
    if isinstance(spec.init, IidInit):
        random = np.random.RandomState(spec.init.seed)
        W = random.standard_normal((L, m, q))  # [layer m q]
        V = random.standard_normal((L, q, m))  # [layer q m]
    else:
        V, W = smooth_function(spec, arrays)(np.arange(1, L + 1) / L)
    return {"A": A, "V": V, "W": W, "B": B}


def lipschitz(spec: Spec) -> tuple[float, float]:
    """Upper bounds of the Lipschitz constants of V0 and W0 in the Frobenius norm, from the drawn matrices.

    The functions of paper are constant. Of fourier, the derivative is scale π Σ_r (-α_r sin πrs + β_r cos πrs), and
    |-α sin θ + β cos θ|_F is at most the largest singular value of the pair (α, β), attained for some θ. Of gp, the
    derivative is taken on a grid, between whose points it is off a chord by at most h²/8 times its second derivative.
    All rounded upwards.

    Raises:
        BadInput: the kind is iid, arrays or affine: no functions V0, W0 of s.
    """
    init, function = spec.init, smooth_function(spec, ArrayStore())
    if isinstance(init, PaperInit):
        return 0.0, 0.0
    if isinstance(init, GaussianProcessInit):
        return _grid_bound(init, function.V), _grid_bound(init, function.W)
    assert isinstance(init, FourierInit)
    return _pair_bound(init, function.V), _pair_bound(init, function.W)


def _ladder(values: Array, sign: float) -> Array:
    """√j v_{j-1} + sign √(j+1) v_{j+1}, one entry fewer: with sign = -1 the derivatives in u of φ_j = e^{-u²/2} u^j/√j!."""
    j = np.arange(values.shape[-1] - 1)
    before = np.concatenate([np.zeros_like(values[..., :1]), values[..., :-2]], axis=-1)
    return np.asarray(np.sqrt(j) * before + sign * np.sqrt(j + 1) * values[..., 1:])


def _grid_bound(init: GaussianProcessInit, matrices: Array) -> float:
    s = np.linspace(0, 1, _GRID + 1)
    size = np.sqrt(np.sum(matrices**2, axis=(1, 2)))  # [term]
    speeds = _ladder(_gp_factors(init, s, GP_TERMS + 1), -1.0) / init.length  # [point term]
    on_grid = float(np.max(np.sqrt(np.sum((speeds @ matrices.reshape(GP_TERMS, -1)) ** 2, axis=1))))
    # |φ_j| is largest at |u| = √j, or at the end of the interval of u, |u| = 1/(2 length)
    peaks = [(j, min(math.sqrt(j), 0.5 / init.length)) for j in range(1, GP_TERMS + 3)]
    values = [1.0] + [math.exp(j * math.log(u) - (u**2 + math.lgamma(j + 1)) / 2) for j, u in peaks]
    first = _ladder(init.scale * np.array(values), 1.0)
    third = _ladder(_ladder(first, 1.0), 1.0)
    between = float(third @ size) / init.length**3 / (8 * _GRID**2) * (1 + 1e-12)
    # a factor of term j is rounded at most 4j + 16 times, a sum of 40 terms 40 times; doubled
    rounding = 2 * (4 * GP_TERMS + 64) * _U * float(first[:GP_TERMS] @ size) / init.length
    return (on_grid + between + rounding) * (1 + 64 * _U)


def _pair_bound(init: FourierInit, matrices: Array) -> float:
    total, size = 0.0, matrices[0].size
    for alpha, beta in zip(matrices[0::2], matrices[1::2], strict=True):
        aa, bb, ab = float(np.sum(alpha**2)), float(np.sum(beta**2)), float(np.sum(alpha * beta))
        total += math.sqrt((aa + bb + math.hypot(aa - bb, 2 * ab)) / 2)
    # Entry ij of the Gram matrix is off by at most (size + 1) u √(G_ii G_jj), so its largest eigenvalue by
    # 2 (size + 1) u of itself and the root by half as much; the other operations, at most 6 sums among them,
    # lose less than 32 u. Doubled for the terms of second order.
    return float(init.scale * math.pi * total * (1 + 2 * (size + 32) * _U))


def chebyshev_weights(spec: Spec, coefficients: int, arrays: ArrayStore) -> dict[str, Array]:
    """Weights of the neural ODE (6): the Chebyshev interpolant in 2s-1 of the smooth initialisation.

    Returns A (q,d), B (dout,q) and the N = `coefficients` coefficients V (N,q,m), W (N,m,q) of T_0..T_{N-1};
    the interpolant equals V0, W0 at the N points 2s-1 = cos(π(j+1/2)/N).

    Raises:
        BadInput: the kind is iid or arrays.
    """
    s, matrix = transform(coefficients)
    V, W = smooth_function(spec, arrays)(s)
    A, B = outer(spec)
    return {"A": A, "B": B, "V": _combine(matrix, V), "W": _combine(matrix, W)}


def evaluate_weights(weights: Mapping[str, Array], s: Array) -> tuple[Array, Array]:
    """V(s) = Σ_j V[j] T_j(2s-1), (S,q,m), and W(s), (S,m,q), of neural ODE weights at points s (S,)."""
    u, degree = 2 * np.asarray(s, dtype=np.float64) - 1, len(weights["V"]) - 1
    factors: Array = np.polynomial.chebyshev.chebvander(u, degree).astype(np.float64)  # [point coefficient]
    return _combine(factors, weights["V"]), _combine(factors, weights["W"])
