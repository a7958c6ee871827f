r"""Exact probabilities against which Lemma 21's tail bounds are measured, each with a radius.

* One coordinate of a uniform point u of the sphere in R^d: u₁² ~ Beta(1/2, (d-1)/2), in ball arithmetic; the smallest variance proxy of
  √d u is sup_t t²/(2 ln(2/P(√d|u₁| >= t))), by branch and bound on cells, on which numerator and tail are monotone.
* Sums of m independent copies of σ(g)² (n = 1): σ(g)² is replaced by its neighbours above and below on a lattice, so that the distribution
  is enclosed from both sides, and those are summed by Fourier transform. A transform of length N <= 2^18 has an error of at most 20 log₂N u
  of the Euclidean norm, its m-th power (of modulus at most 1) m times as much, and at most N values are summed: together √N m 20 log₂N u,
  below 2e-9 for m <= 64.
* n = 2 and σ = a erf(bu), b large: σ is ±a but for |bu| < 6.5, of probability at most 2·6.5/(b√(2π)) per entry, where erfc(6.5) < 1e-19.
  Then λ_min(M) = 2a² min(D, m - D), D ~ Bin(m, p) being the rows on which the two signs differ, p = arccos(ρ)/π. Rounding p changes the
  tail by at most m u/min(p, 1 - p) of itself; 1e-9 is for that and for SciPy's binomial. A level within 1e-6, far above its rounding,
  of a multiple of 2a² is refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import scipy
from flint import arb, ctx
from scipy import special

from depthlimit.models import activations
from depthlimit.theory.activation import constants
from depthlimit.theory.quantity import Array

STEEP = 1e6  # slopes b from which a erf(bu) counts as a sign
_BITS = 128
_CELLS, _LEVELS, _WIDE = 20_000, 4_000, 8.5  # of g within ±8.5 (beyond: 2e-17), and of σ² between 0 and its supremum
_SATURATED = 6.5
_TRANSFORM = 2e-9


def cap(d: int, s: arb) -> arb:
    """P(|u₁| >= s) for u uniform on the sphere in R^d, 0 <= s."""
    with ctx.workprec(_BITS):
        if d == 1:
            return arb(1) if s <= 1 else arb(0)
        return arb(0) if s >= 1 else (1 - s * s).beta_lower(arb(d - 1) / 2, arb(0.5), regularized=True)


@lru_cache(maxsize=64)
def variance_proxy(d: int) -> tuple[float, float, float]:
    """Lower and upper end of the smallest variance proxy of √d u, and a level t at which it is nearly needed."""
    with ctx.workprec(_BITS):
        if d == 1:  # |√d u₁| = 1
            value = 1 / (2 * math.log(2))
            return value * (1 - 1e-15), value * (1 + 1e-15), 1.0
        tails: dict[float, arb] = {}

        def needed(t: float, tail_at: float) -> arb:
            tail = tails.setdefault(tail_at, cap(d, arb(tail_at) / arb(d).sqrt()))
            return arb(t) ** 2 / (2 * (2 / tail).log()) if tail > 0 else arb(0)

        ends = [float(t) for t in np.linspace(0, math.sqrt(d), 65)]
        cells, best, at = list(pairwise(ends)), 0.0, 0.0
        while True:
            for t in (c[0] for c in cells):
                value = float(needed(t, t).lower())
                if value > best:
                    best, at = value, t
            upper = [float(needed(y, x).upper()) for x, y in cells]
            cells = [c for c, u in zip(cells, upper, strict=True) if u > best]
            if max(upper) < best * (1 + 5e-4):
                return best, max(upper) * (1 + 1e-15), at
            cells = [half for x, y in cells for half in ((x, (x + y) / 2), ((x + y) / 2, y))]


def _ends(sigma: Mapping[str, Any]) -> tuple[Array, Array, Array]:
    """Cells of g: the least and the largest σ² on each, and the probability of each."""
    found = constants(sigma["name"], sigma["a"], sigma["b"])
    g = np.linspace(-_WIDE, _WIDE, _CELLS + 1)
    middle = (g[1:] + g[:-1]) / 2
    size = np.abs(activations.value(sigma, middle))
    slack = found["K_sigma"].hi * (g[1] - g[0]) / 2 + activations.evaluation_error(sigma, middle)
    weights = np.concatenate([np.diff(special.ndtr(g)), [2 * special.ndtr(-_WIDE)]])
    low = np.append(np.maximum(size - slack, 0) ** 2, 0.0)
    high = np.append(np.minimum(size + slack, found["M_sigma"].hi) ** 2, found["M_sigma"].hi ** 2)
    return low, high, weights


def sum_below(sigma: Mapping[str, Any], m: int, levels: Array) -> tuple[Array, Array]:
    """Ends of P(σ(g₁)² + ... + σ(g_m)² <= x) for each x of `levels`, which are below m sup σ²."""
    top = constants(sigma["name"], sigma["a"], sigma["b"])["M_sigma"].hi ** 2
    low, high, weights = _ends(sigma)
    step = top / _LEVELS
    length = 1 << (m * (_LEVELS + 2)).bit_length()  # so long that no sum comes round
    found = []
    for index in (np.ceil(high / step * (1 + 1e-14)), np.floor(low / step * (1 - 1e-14))):  # sums too large, too small
        lattice = np.bincount(index.astype(int), weights, length)
        sums = np.cumsum(np.fft.irfft(np.fft.rfft(lattice) ** m, length))
        found.append(sums[(levels / step).astype(int)])
    return np.maximum(found[0] - _TRANSFORM, 0.0), np.minimum(found[1] + _TRANSFORM, 1.0)


def signs_below(sigma: Mapping[str, Any], m: int, rho: arb, levels: Array) -> tuple[Array, Array]:
    """Ends of P(λ_min(M) <= x) for two columns of correlation ρ, σ nearly a sign, for each x of `levels`."""
    with ctx.workprec(_BITS):
        p = float((rho.acos() / arb.pi()).mid())
    size = sigma["a"] ** 2
    counts = np.floor(levels / (2 * size))
    if np.any(np.abs(levels / (2 * size) - np.rint(levels / (2 * size))) < 1e-6):
        raise ValueError(f"a level {levels} is a multiple of 2a²: the count at it is not decided")
    value = np.minimum(scipy.stats.binom.cdf(counts, m, p) + scipy.stats.binom.sf(m - counts - 1, m, p), 1.0)
    slack = 2 * m * 2 * _SATURATED / (sigma["b"] * math.sqrt(2 * math.pi)) + 1e-9 * value
    return np.maximum(value - slack, 0.0), np.minimum(value + slack, 1.0)
