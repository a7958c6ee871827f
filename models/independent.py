"""Networks (3) of width 1 whose layers start independent, many at once: their outputs after training are averages over the layers."""

from __future__ import annotations

import numpy as np
import scipy

from depthlimit.theory.quantity import Array

_LABEL, _T = 2.0, 0.5
_STEPS = 4  # of the fourth order; compared with half as many


class Outputs:
    """Outputs F(x; T) of networks (3) of width 1 with independent layers, trained together by (4) with A = B = 1 fixed, at one depth.

    q = m = n = 1, σ = tanh, x = 1, y = 2; V and W are [L draws].
    """

    def __init__(self, seed: int, L: int, draws: int) -> None:
        self.seed, self.L, self.draws = seed, L, draws

    def start(self) -> Array:
        """V and W [2 L draws], standard Gaussian."""
        return np.random.RandomState(self.seed).standard_normal((2, self.L, self.draws))

    def forward(self, z: Array) -> tuple[Array, Array]:
        """States h_0..h_L [L+1 draws] and σ(W_k h_{k-1}) [L draws]."""
        h, s = np.ones((self.L + 1, self.draws)), np.empty((self.L, self.draws))
        for k, (V, W) in enumerate(zip(*z, strict=True)):
            np.tanh(W * h[k], out=s[k])
            h[k + 1] = h[k] + V * s[k] / self.L
        return h, s

    def velocity(self, z: Array) -> Array:
        """-L ∂ℓ/∂V and -L ∂ℓ/∂W [2 L draws], by (13), (15) and (16)."""
        h, s = self.forward(z)
        V, W = z
        through = V * (1 - s * s)  # ∂f/∂(Wh)
        p = np.empty_like(h)
        p[-1] = 2 * (h[-1] - _LABEL)
        for k in range(self.L - 1, -1, -1):
            p[k] = p[k + 1] * (1 + through[k] * W[k] / self.L)
        return -np.stack([p[1:] * s, p[1:] * through * h[:-1]])

    def trained(self, steps: int) -> Array:
        """F(x; T) [draws], by the classical Runge-Kutta scheme."""
        z, dt = self.start(), _T / steps
        for _ in range(steps):
            one = self.velocity(z)
            two = self.velocity(z + dt / 2 * one)
            three = self.velocity(z + dt / 2 * two)
            z = z + dt / 6 * (one + 2 * two + 2 * three + self.velocity(z + dt * three))
        return np.asarray(self.forward(z)[0][-1])

    def spread(self, risk: float) -> tuple[float, float]:
        """A confidence interval of √L times the median of |F - F̃|, F̃ another draw, by order statistics: exact for any distribution.

        What two step sizes differ by is added: more than the error of the smaller one.
        """
        fine, coarse = self.trained(_STEPS), self.trained(_STEPS // 2)
        pairs, N, off = np.abs(fine[1::2] - fine[::2]), len(fine) // 2, np.abs(fine - coarse)
        rank = int(scipy.stats.binom.ppf(risk / 2, N, 0.5))  # fewer than `rank` lie below the median with half of the risk at most
        error = off[1::2] + off[::2]
        low, high = np.sort(pairs - error)[rank - 1], np.sort(pairs + error)[N - rank]
        return float(np.sqrt(self.L) * low), float(np.sqrt(self.L) * high)
