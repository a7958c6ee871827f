"""One instance of Lemma 21: X, the kernel matrix of its columns, and draws of W and of X with their smallest eigenvalues.

No training, and no implementation. Columns of X are the inputs of a spec divided by their norms; W are the first d columns of the initial
W, as on page 34. What works in balls is called under the precision that `supplies` of `models/measure/kernel.py` sets.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import scipy
from flint import arb, ctx

from depthlimit.models import activations, tails
from depthlimit.models.data import ArrayStore, inputs
from depthlimit.models.initialisation import parameters
from depthlimit.models.rounding import U, euclid, frobenius, gamma
from depthlimit.models.spec import KernelMatrix, PaperInit, Spec
from depthlimit.models.trajectory import realise
from depthlimit.theory import hermite
from depthlimit.theory.activation import constants
from depthlimit.theory.hermite import BITS
from depthlimit.theory.paper.lemma21 import RISK
from depthlimit.theory.quantity import Array

LEVELS = np.arange(1, 8) / 8  # of t in the tails
_INCREASING = ("identity", "tanh", "erf", "arctan", "algebraic")


def middle(x: arb) -> tuple[float, float]:
    """A ball in float64, its radius rounded up."""
    mid = float(x.mid())
    return mid, float((x - arb(mid)).abs_upper()) * (1 + 2.0**-40)


class KernelRun:
    """X and W of a spec, and `draws` more of each, from successive seeds."""

    def __init__(self, spec: Spec, arrays: ArrayStore, implementation: Any = None) -> None:
        assert isinstance(spec.regime, KernelMatrix) and isinstance(spec.init, PaperInit)
        self.spec, self.arrays, self.regime = spec, arrays, spec.regime
        self.batch = realise(spec, arrays, 1)
        self.sigma: dict[str, Any] = spec.activation.model_dump()
        self.key = spec.activation.name, spec.activation.a, spec.activation.b
        self.random = spec.data.kind == "sphere"
        self.x = self.batch.x

    def rows(self, i: int) -> Array:
        """W̃ [m d] of draw i."""
        W: Array = parameters(self.spec.redrawn(i), 1, self.arrays)["W"][0]
        return W[:, : self.spec.d]

    def columns(self, i: int) -> Array:
        """Inputs [n d] of draw i; those of the spec if they are given."""
        if not self.random or i == 0:
            return self.x
        return inputs(self.spec.redrawn(i), self.arrays)[0]

    def activations(self, W: Array, x: Array) -> Array:
        """σ(WX) [m n]."""
        return activations.value(self.sigma, W @ (x / euclid(x)[:, None]).T)

    def correlations(self, x: Array) -> list[list[arb]]:
        """<x_i, x_j>/(|x_i||x_j|) for i <= j, exactly ±1 for equal or opposite columns."""
        with ctx.workprec(BITS):
            exact = [[arb(float(v)) for v in row] for row in x]
            norms = [sum((v * v for v in row), arb(0)).sqrt() for row in exact]
            found = []
            for i, u in enumerate(exact):
                row = []
                for j in range(i, len(x)):
                    same, opposite = np.array_equal(x[i], x[j]), np.array_equal(x[i], -x[j])
                    product = sum((p * v for p, v in zip(u, exact[j], strict=True)), arb(0)) / (norms[i] * norms[j])
                    row.append(arb(1) if same else arb(-1) if opposite else product)
                found.append(row)
            return found

    def matrix(self, x: Array) -> tuple[Array, Array]:
        """Kernel matrix [n n] of the columns, without the factor m, and its radius."""
        n = len(x)
        mid, radius = np.zeros((n, n)), np.zeros((n, n))
        for i, row in enumerate(self.correlations(x)):
            for j, rho in enumerate(row, start=i):
                mid[i, j], radius[i, j] = mid[j, i], radius[j, i] = middle(hermite.kernel(*self.key, rho))
        return mid, radius

    def kernel_min(self, x: Array) -> tuple[float, float]:
        """λ_min(E(M|X)) and its radius, which holds the multiplication by m too."""
        mid, radius = self.matrix(x)
        slack = float(frobenius(radius)) + 8 * (len(x) + 1) * U * float(frobenius(mid))
        return self.spec.m * max(float(np.linalg.eigvalsh(mid)[0]), 0.0), self.spec.m * slack

    @cached_property
    def lam(self) -> tuple[float, float]:
        """That of the first draw."""
        return self.kernel_min(self.x)

    def coefficient(self, r: int) -> arb:
        """η_r(σ)."""
        return hermite.coefficient(*self.key, r)

    def series(self, rho: arb) -> arb:
        """E σ(g₁)σ(g₂) by Mehler's series."""
        return hermite.mehler(*self.key, rho)

    def scales(self) -> tuple[float, float]:
        """By how much W and X are multiplied where rows have variance 1/d."""
        return 1 / math.sqrt(self.spec.d), math.sqrt(self.spec.d)

    @cached_property
    def eta2(self) -> arb:
        """η_r²."""
        return self.coefficient(self.regime.order) ** 2

    @cached_property
    def drawn(self) -> Array:
        """σ(WX) [draw m n], X fixed."""
        return np.stack([self.activations(self.rows(i), self.x) for i in range(self.regime.draws)])

    @cached_property
    def grams(self) -> Array:
        """M [draw n n]."""
        return np.asarray(np.einsum("rmi,rmj->rij", self.drawn, self.drawn))

    @cached_property
    def smallest(self) -> Array:
        """λ_min(M) per draw."""
        return np.asarray(np.maximum(np.linalg.eigvalsh(self.grams)[:, 0], 0.0))

    @cached_property
    def joint(self) -> Array:
        """λ_min(M) per joint draw of X and W."""
        found = [self.activations(self.rows(i), self.columns(i)) for i in range(self.regime.draws)]
        return np.array([np.linalg.eigvalsh(S.T @ S)[0] for S in found])

    @property
    def steep(self) -> bool:
        """Whether σ counts as a sign."""
        return self.spec.n == 2 and self.spec.activation.name == "erf" and self.spec.activation.b >= tails.STEEP

    @property
    def exact(self) -> bool:
        """Whether the distribution of λ_min(M) is known: sums of σ² only where its mean is large beside the lattice."""
        if self.spec.n > 1 or self.spec.m > 64:
            return self.steep
        return bool(hermite.square_mean(*self.key) > arb(constants(*self.key)["M_sigma"].hi) ** 2 / 20)

    @cached_property
    def tails(self) -> tuple[Array, Array]:
        """P(λ_min(M) <= x|X) for x = tλ, mη_r²/16 and λ/2, and its radius; 1/2 ± 1/2 where it is not known."""
        lam, event = self.lam[0], self.spec.m * float(self.eta2.mid()) / 16
        levels = np.append(LEVELS * lam, [event, lam / 2])
        if not self.exact:
            low, high = np.zeros(len(levels)), np.ones(len(levels))
        elif self.steep:
            low, high = tails.signs_below(self.sigma, self.spec.m, self.correlations(self.x)[0][1], levels)
        else:
            low, high = tails.sum_below(self.sigma, self.spec.m, levels)
        return (low + high) / 2, (high - low) / 2 * (1 + 4 * U)

    def quantile(self, probability: Array | float) -> Array:
        """The number of draws that a probability allows at the stated risk."""
        return np.asarray(scipy.stats.binom.isf(float(RISK), self.regime.draws, np.minimum(probability, 1.0)), dtype=np.float64)

    @cached_property
    def error(self) -> Array:
        """Error of the first draw's σ(WX) [m n]: of the argument and of the evaluation; an increasing σ moves by what its ends say."""
        W, X = self.rows(0), (self.x / euclid(self.x)[:, None]).T
        u = W @ X
        shift = gamma(2 * self.spec.d + 8) * euclid(W)[:, None]
        moved = constants(*self.key)["K_sigma"].hi * shift
        if self.key[0] in _INCREASING:
            moved = np.minimum(moved, activations.value(self.sigma, u + shift) - activations.value(self.sigma, u - shift))
        return np.asarray(activations.evaluation_error(self.sigma, u) + moved)
