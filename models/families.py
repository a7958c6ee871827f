r"""Families of functions Z_k^L(t) in closed form (`Family` of `models/spec.py`), and what the proof of Proposition 9 chooses for one.

Depths s are rational numbers and indices are integers: ⌊(L-1)s⌋ + 1 in float64 is wrong at the ends of pieces. Arrays lead with [t s p].
ODEs have the right side g(u, s) = Z^L(s, t) ⊙ u, piecewise constant in s, and are solved by exponentials.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.polynomial.legendre import leggauss

from depthlimit.models.data import ArrayStore, expect_shapes
from depthlimit.models.spec import BadInput, Family, Spec
from depthlimit.theory.quantity import Array

Depths = Sequence[Fraction]
_COARSE = 8  # s_j and t_j of the diagonal procedure: multiples of 1/8


def last_before(x: float) -> Fraction:
    """A rational number slightly below x > 0."""
    return Fraction(x) * (1 - Fraction(1, 10**9))


class FamilyRun:
    """A family at the depths of one spec."""

    def __init__(self, spec: Spec, arrays: ArrayStore, implementation: Any = None) -> None:
        assert isinstance(spec.regime, Family)
        self.spec, self.regime, self.depths = spec, spec.regime, spec.regime.depths
        self.given = arrays.resolve(spec.regime.arrays)
        names = ("base", "slope", "fade", "tilt", "drift", "flip", "start")
        expect_shapes("regime.arrays", self.given, dict.fromkeys(names, (spec.q,)))
        if np.any(self.given["flip"]) and any(L % 2 for L in self.depths):
            raise BadInput(f"regime.depths: with flip, odd and even depths have different limits, got {list(self.depths)}")
        self.times = np.array(spec.times)

    # --- the family and its limit

    def index(self, L: int, s: Fraction) -> int:
        """⌊(L-1)s⌋ + 1 of (8), in integers."""
        return math.floor((L - 1) * s) + 1

    def printed_index(self, L: int, s: Fraction) -> int:
        """⌊Ls⌋ = ⌊(Ls - 1)⌋ + 1 of (30) and Proposition 15."""
        return math.floor(L * s)

    def grown(self, t: Array) -> Array:
        """1 - e^{-rate t}, as [t 1 1]."""
        return np.asarray(-np.expm1(-self.regime.rate * t))[:, None, None]

    def _affine(self, s: Array, t: Array) -> Array:
        g, x = self.given, s[:, None]
        return np.asarray(g["base"] + g["slope"] * x + self.grown(t) * (g["fade"] + g["tilt"] * x))

    def layers(self, L: int, k: Array, t: Array) -> Array:
        """Z_k^L(t): [t k p]."""
        sign = -1.0 if self.regime.turns > L else 1.0
        return np.asarray(sign * self._affine(k / L, t) + self.given["drift"] / L + (-1) ** L * self.given["flip"])

    def numbers(self, L: int) -> Array:
        """1..L, as floats."""
        return np.arange(1, L + 1, dtype=np.float64)

    def values(self, L: int, s: Depths, t: Array) -> Array:
        """Z^L(s, t), piecewise constant in s: [t s p]."""
        return self.layers(L, np.array([self.index(L, x) for x in s], dtype=float), t)

    def limit(self, s: Depths, t: Array) -> Array:
        """Z^φ(s, t): [t s p]."""
        return self._affine(np.array([float(x) for x in s]), t) + self.given["flip"]

    def path(self, L: int, k: Array, start: float, t: Array) -> Array:
        """∫|dZ_k/dτ| from `start` to t >= start: [t k]; the direction of a layer's motion does not change."""
        speed = np.linalg.norm(self.given["fade"] + self.given["tilt"] * (k / L)[:, None], axis=-1)
        return np.asarray((self.grown(t) - self.grown(np.array([start])))[..., 0] * speed)

    # --- C, ε, δ, t_0 and the finite sets

    @cached_property
    def size(self) -> float:
        """Largest |Z_k^L(t)|, from above: affine in k/L and in e^{-rate t}, so corners serve."""
        g = self.given
        corners = [g["base"] + a * g["slope"] + b * (g["fade"] + a * g["tilt"]) for a in (0, 1) for b in (0, 1)]
        return float(max(np.linalg.norm(c) for c in corners) + np.linalg.norm(g["drift"]) + np.linalg.norm(g["flip"]))

    @cached_property
    def speed(self) -> float:
        """b(0), b(t) = b(0) e^{-rate t} the largest |dZ_k/dt| over k and L."""
        g = self.given
        return self.regime.rate * float(max(np.linalg.norm(g["fade"]), np.linalg.norm(g["fade"] + g["tilt"])))

    @cached_property
    def C(self) -> float:
        """The largest of L|Z_{k+1} - Z_k|, |Z_k| and b."""
        g = self.given
        return max(float(np.linalg.norm(g["slope"])), float(np.linalg.norm(g["slope"] + g["tilt"])), self.size, self.speed)

    @cached_property
    def delta(self) -> Fraction:
        """δ = ε/C, from below."""
        return last_before(self.regime.epsilon / self.C)

    @cached_property
    def t_0(self) -> float:
        """sup I, or a time after which the integral of b is at most ε."""
        if self.regime.bounded:
            return self.spec.T
        rate = self.regime.rate
        return max(math.log(max(self.speed / (rate * self.regime.epsilon), 1.0)), 0.1) / rate * (1 + 2.0**-40)

    def _midpoints(self, length: Fraction) -> list[Fraction]:
        """Midpoints of equal pieces shorter than 2δ: an open cover by intervals of radius δ."""
        pieces = math.floor(length / (2 * self.delta)) + 1
        return [length * (2 * i + 1) / (2 * pieces) for i in range(pieces)]

    @cached_property
    def nodes(self) -> list[Fraction]:
        """s_1..s_S."""
        return self._midpoints(Fraction(1))

    @cached_property
    def instants(self) -> Array:
        """t_1..t_T."""
        return np.array([float(t) for t in self._midpoints(Fraction(self.t_0))])

    def star(self, t: Array) -> Array:
        """t*: the nearest t_j, or t_0 after it."""
        nearest = self.instants[np.argmin(np.abs(self.instants - t[:, None]), axis=1)]
        return np.where(t > self.t_0, self.t_0, nearest)

    @cached_property
    def s(self) -> list[Fraction]:
        """Depths at which functions are compared: ends of pieces for each L, and shortly before them."""
        ends = {Fraction(j, max(L - 1, 1)) for L in self.depths for j in (1, (L - 1) // 2, L - 2, L - 1) if 0 <= j <= max(L - 1, 1)}
        before = {x - Fraction(1, 10**6) for x in ends if x > 0}
        return sorted({Fraction(0), Fraction(1, 3), *ends, *before})

    def coarse(self) -> tuple[Depths, Array]:
        """(s_j, t_j) with t_j <= t and s_j <= s on a grid: those of a dense sequence that the proof compares with."""
        return [Fraction(math.floor(x * _COARSE), _COARSE) for x in self.s], np.floor(self.times * _COARSE) / _COARSE

    # --- ODEs

    def on_piece(self, start: Array, exponent: Array) -> Array:
        """The state after a stretch of depth, from that at its start."""
        return np.asarray(start * np.exp(exponent))

    def velocity(self, s: float, h: Array) -> Array:
        """Right side of (45)."""
        first, slope = self.last()
        return np.asarray((first + slope * s) * h)

    def solution(self, L: int) -> tuple[Array, Array]:
        """U(s) of U' = Z^L(s, t) ⊙ U, and U_0 + ∫ Z^L ⊙ U by Gauss and Legendre on each piece: [t s p] each."""
        x, w = leggauss(8)
        pieces = max(L - 1, 1)
        z = self.layers(L, self.numbers(L), self.times)  # on [j/(L-1), (j+1)/(L-1)), j = k - 1

        def integrals(start: Array, z: Array, length: Array) -> Array:
            r = length[:, None] * (1 + x) / 2
            inside = self.on_piece(start[:, :, None], z[:, :, None] * r[..., None])
            return np.asarray(np.einsum("n,tjnp->tjp", w / 2, inside) * z * length[:, None])

        exponent = np.concatenate([np.zeros_like(z[:, :1]), np.cumsum(z[:, :pieces], axis=1) / pieces], axis=1)  # at j/(L-1)
        state = self.on_piece(self.given["start"], exponent)
        whole = integrals(state[:, :pieces], z[:, :pieces], np.full(pieces, 1 / pieces))
        total = np.concatenate([np.zeros_like(z[:, :1]), np.cumsum(whole, axis=1)], axis=1)
        at = np.array([self.index(L, s) - 1 for s in self.s])
        left = np.array([float(s - Fraction(int(j), pieces)) for s, j in zip(self.s, at, strict=True)])
        here = z[:, at]
        U = self.on_piece(state[:, at], here * left[:, None])
        return U, self.given["start"] + total[:, at] + integrals(state[:, at], here, left)

    def hidden(self, L: int) -> Array:
        """h_⌊Ls⌋ of h_{k+1} = h_k + Z_{k+1} ⊙ h_k / L from the start: [t s p]."""
        z = self.layers(L, self.numbers(L), self.times)
        states = self.given["start"] * np.concatenate([np.ones_like(z[:, :1]), np.cumprod(1 + z / L, axis=1)], axis=1)
        return np.asarray(states[:, [self.printed_index(L, s) for s in self.s]])

    def last(self) -> tuple[Array, Array]:
        """base + fade + flip, slope + tilt: the limit in t and L is affine in s."""
        g = self.given
        return g["base"] + g["fade"] + g["flip"], g["slope"] + g["tilt"]
