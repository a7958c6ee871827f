r"""The branch that a Spec names: those of `depthlimit.models.general`, the attention of `depthlimit.models.attention`, and a convolution.

    convolution f(h, (v, w)) = Σ_c v_c ⋆ σ(w_c ⋆ h/√q)/√m: one channel of q positions, m/q hidden channels, kernels of three numbers,
                positions on a ring (circular padding), (w ⋆ h)_i = Σ_j w_j h_{i+j-1}, j = 0, 1, 2; p = 6m/q (v first)
    attention   m tokens of D = q/m numbers, p = 2D²

"Convolutional layers (or any sparse version of (3))", Section 4.3, p. 7: the convolution is model (3) with circulant blocks in V and W
whose entries are shared, so its gradients are sums over the copies of an entry.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from depthlimit.models.attention import Attention
from depthlimit.models.general import Branch, Evaluation, Linear, Perceptron, Sine
from depthlimit.models.rounding import euclid, gamma
from depthlimit.models.spec import GeneralEuler, GeneralFlow, Spec
from depthlimit.theory.activation import constants
from depthlimit.theory.quantity import Array

WIDTH = 3  # numbers in a kernel


@dataclass(frozen=True)
class Convolution(Perceptron):
    """Model (3) with circulant V and W, see the module; q >= 3."""

    @property
    def p(self) -> int:
        """6m/q."""
        return 2 * WIDTH * (self.m // self.q)

    @property
    def shifts(self) -> Array:
        """[3 q q]: entry j of a kernel stands where this is 1."""
        return np.stack([np.roll(np.eye(self.q), j - 1, axis=1) for j in range(WIDTH)])

    def weights(self, z: Array) -> tuple[Array, Array]:
        """V [... q m] and W [... m q] of the kernels z; the hidden units are ordered by channel, then position."""
        v, w = (z[..., half].reshape(*z.shape[:-1], -1, WIDTH) for half in (slice(self.p // 2), slice(self.p // 2, None)))
        V, W = np.einsum("...cj,jil->...icl", v, self.shifts), np.einsum("...cj,jil->...cil", w, self.shifts)
        return V.reshape(*z.shape[:-1], self.q, self.m), W.reshape(*z.shape[:-1], self.m, self.q)

    def shared(self, dense: Array) -> Array:
        """Derivatives [... 2qm] in the entries of V and W, summed over the copies of each entry of the kernels [... p]."""
        V, W = np.split(dense.reshape(*dense.shape[:-1], -1, self.q), 2, axis=-2)
        V = V.reshape(*dense.shape[:-1], self.q, -1, self.q)
        W = W.reshape(*dense.shape[:-1], -1, self.q, self.q)
        by = (np.einsum("...icl,jil->...cj", V, self.shifts), np.einsum("...cil,jil->...cj", W, self.shifts))
        return np.concatenate([a.reshape(*dense.shape[:-1], -1) for a in by], axis=-1)

    def parameter_jacobian(self, h: Array, z: Array) -> Array:
        """That of the dense network, summed over copies."""
        return self.shared(super().parameter_jacobian(h, z))

    def pull(self, h: Array, z: Array, p: Array) -> Array:
        """That of the dense network, summed over copies."""
        return self.shared(super().pull(h, z, p))

    def _kappa(self) -> tuple[float, float]:
        """Three times those of the dense network.

        With Fourier's transform ‖V‖₂ <= √3|v| and ‖W‖₂ <= √3|w|, attained by constant kernels, and |Wh|_∞ <= |w||h|. Each term of a
        derivative holds two such matrices, and a further factor W or δW under its maximum norm: it is at most 3 times the term of
        `Perceptron.bounds` with |v|, |w| for the Frobenius norms.
        """
        kappa, s2 = super()._kappa()
        return WIDTH * kappa, WIDTH * s2

    def evaluation(self, h: Array, z: Array) -> Evaluation:
        """Of the dense network; a sum over copies multiplies an error by √q at most, and rounds itself."""
        dense = super().evaluation(h, z)
        c = constants(self.activation["name"], self.activation["a"], self.activation["b"])
        V, W = (np.sqrt(np.sum(a**2, axis=(-2, -1))) for a in self.weights(z))
        size = float(c["K_sigma"].hi) * euclid(h) * (np.sqrt(self.q) * W + V) / np.sqrt(self.q * self.m)  # of ∂₂f, Frobenius
        return dense._replace(parameter_jacobian=np.sqrt(self.q) * (dense.parameter_jacobian + gamma(self.q) * size))


def residual_branch(spec: Spec) -> Branch:
    """The f that the regime of a Spec names."""
    assert isinstance(spec.regime, GeneralFlow | GeneralEuler)
    kind, sigma = spec.regime.residual, spec.activation.model_dump()
    if kind in ("linear", "sine"):
        return (Linear if kind == "linear" else Sine)(spec.q)
    if kind == "attention":
        return Attention(spec.m, spec.q // spec.m)
    return (Perceptron if kind == "perceptron" else Convolution)(spec.q, spec.m, sigma)
