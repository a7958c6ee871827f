"""Wrong branches of Section 4.3 in networks that are right otherwise, and wrong statements about attention."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import softmax

from depthlimit.conformance.faults.planting import SPECS, Fault, claim_fault, scaled
from depthlimit.models import attention, corpus_branches
from depthlimit.models.branches import Convolution
from depthlimit.models.data import ArrayStore
from depthlimit.models.general_run import GeneralRun
from depthlimit.models.spec import Spec
from depthlimit.theory.quantity import Array

SPECS |= {
    "convolution": corpus_branches.CONVOLUTION,
    "attention": corpus_branches.ATTENTION,
}


class DotProduct(attention.Attention):
    """Scores are products of tokens."""

    def value(self, h: Array, z: Array) -> Array:
        """softmax(QQᵀ)X WWᵀV/√D with Q = XW/c."""
        W, V = self.weights(z)
        X = self._rows(h)
        Q = X @ W / self.c
        return self._flat(softmax(Q @ np.swapaxes(Q, -1, -2), axis=-1) @ Q @ np.swapaxes(W, -1, -2) @ V / self.c)


class AnotherKey(attention.Attention):
    """The key matrix is the transpose of the query matrix."""

    def value(self, h: Array, z: Array) -> Array:
        """P_ij ∝ exp(-|Wᵀx_i - W x_j|²/√D)."""
        W, V = self.weights(z)
        X = self._rows(h)
        queries, keys = X @ W / self.c, X @ np.swapaxes(W, -1, -2) / self.c
        scores = -np.sum((queries[..., :, None, :] - keys[..., None, :, :]) ** 2, axis=-1)
        return self._flat(softmax(scores, axis=-1) @ queries @ np.swapaxes(W, -1, -2) @ V / self.c)


class WithoutSquare(attention.Attention):
    """The square WWᵀ/√D in front of the values is missing."""

    def value(self, h: Array, z: Array) -> Array:
        """P X V."""
        W, V = self.weights(z)
        X = self._rows(h)
        Q = X @ W / self.c
        P = attention.weights(Q[..., None, :, :] - Q[..., :, None, :])
        return self._flat(P @ X @ V)


class UnscaledScores(attention.Attention):
    """The scores are not divided by √D."""

    @property
    def c(self) -> float:
        """1 for D^{1/4}."""
        return 1.0


class FrozenScores(attention.Attention):
    """∂₁f holds the weights P fixed."""

    def state_jacobian(self, h: Array, z: Array) -> Array:
        """P ⊗ VᵀWWᵀ/√D."""
        W, V = self.weights(z)
        Q = self._rows(h) @ W / self.c
        P = attention.weights(Q[..., None, :, :] - Q[..., :, None, :])
        J = np.einsum("...ij,...de->...iejd", P, W @ np.swapaxes(W, -1, -2) @ V) / self.c**2
        return np.asarray(J.reshape(*J.shape[:-4], self.q, self.q))


class PaddedByZeros(Convolution):
    """The line is padded with zeros, not closed to a ring."""

    @property
    def shifts(self) -> Array:
        """Without the corners."""
        return np.stack([np.eye(self.q, k=j - 1) for j in range(3)])


class FlippedKernels(Convolution):
    """Kernels are read backwards."""

    @property
    def shifts(self) -> Array:
        """In reversed order."""
        return super().shifts[::-1]


class MeanOverCopies(Convolution):
    """Gradients of shared entries are averaged over the copies instead of added."""

    def shared(self, dense: Array) -> Array:
        """The mean."""
        return super().shared(dense) / self.q


class LeftNodes(GeneralRun):
    """Layers start from Z_init((k-1)/L)."""

    def __init__(self, spec: Spec, arrays: ArrayStore) -> None:
        super().__init__(spec, arrays)
        self.batch.params["Z"] = self.batch.params["Z"] - self.coefficients["Z1"] / spec.L


def _with(kind: Any) -> type[GeneralRun]:
    """Networks with this branch for the right one."""

    class Wrong(GeneralRun):
        def __init__(self, spec: Spec, arrays: ArrayStore) -> None:
            super().__init__(spec, arrays)
            self.branch = kind(**vars(self.branch))

    return Wrong


def _fault(name: str, kind: Any, spec: str, *labels: str) -> Fault:
    ids = tuple(f"section43.{label}[explicit,instantaneous]" for label in labels)
    return Fault(f"branch-{name}", kind.__doc__, (spec,), ids, runs=_with(kind))


FAULTS: tuple[Fault, ...] = (
    _fault("dot-product", DotProduct, "attention", "branch", "lipschitz"),
    _fault("another-key", AnotherKey, "attention", "branch"),
    _fault("without-square", WithoutSquare, "attention", "branch"),
    _fault("unscaled-scores", UnscaledScores, "attention", "branch"),
    _fault("frozen-scores", FrozenScores, "attention", "taylor"),
    _fault("padded-by-zeros", PaddedByZeros, "convolution", "branch"),
    _fault("flipped-kernels", FlippedKernels, "convolution", "branch"),
    _fault("mean-over-copies", MeanOverCopies, "convolution", "taylor"),
    Fault(
        "branch-left-nodes", LeftNodes.__doc__ or "", ("convolution",), ("section43.discretisation[as-printed,a-priori]",), runs=LeftNodes
    ),
    claim_fault("dot-product-slope", "toys", "hypothesis.dot-product[explicit,a-priori]", "half the slope", scaled(0.5)),
    claim_fault("l2-attention-constant", "toys", "hypothesis.l2-attention[explicit,a-priori]", "half the constant", scaled(0.5)),
)
