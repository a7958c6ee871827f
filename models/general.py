r"""Residual branches f(h, z) of the general network (11)-(12), p. 8 and p. 14, with their derivatives.

    linear      f(h, Z) = Z h             Z in R^{q×q} as a vector, p = q²
    sine        f(h, z) = h ⊙ sin z       z in R^q, p = q
    perceptron  f(h, (V, W)) = V σ(Wh/√q)/√m, model (3), p = 2qm (V first)

Each is C² with f(0, .) = 0 and f(., z) Lipschitz for z in any compact. Of the first two the suprema K₁, K₂ and K' of Proposition 7
over its a-priori ball are known in closed form and of ordinary size, so that its printed bound can be put to the test.
Arrays carry any leading axes; the state h [... q] and the parameter z [... p] broadcast against each other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from depthlimit.models import activations
from depthlimit.models.residual import transposed
from depthlimit.models.rounding import U, euclid, gamma
from depthlimit.theory.activation import constants
from depthlimit.theory.quantity import Array


class Bounds(NamedTuple):
    """Upper bounds of operator norms of derivatives of f; each broadcasts over the leading axes of its arguments."""

    state: Array  # ∂₁f
    parameter: Array  # ∂₂f
    second: Array  # ∂₂₂f
    mixed: Array  # ∂₂₁f
    state_second: Array  # ∂₁₁f


class Evaluation(NamedTuple):
    """How far a float64 evaluation may lie off, Euclidean or Frobenius [...]."""

    value: Array
    state_jacobian: Array
    parameter_jacobian: Array


class Branch(Protocol):
    """f of (12) and what the flow and the proofs need of it."""

    @property
    def q(self) -> int:
        """Size of the state."""

    @property
    def p(self) -> int:
        """Size of the parameter."""

    def value(self, h: Array, z: Array) -> Array:
        """f(h, z) [... q]."""

    def state_jacobian(self, h: Array, z: Array) -> Array:
        """∂₁f(h, z) [... q q]."""

    def parameter_jacobian(self, h: Array, z: Array) -> Array:
        """∂₂f(h, z) [... q p]."""

    def pull(self, h: Array, z: Array, p: Array) -> Array:
        """Σ_i ∂₂f(h_i, z)ᵀ p_i [... p] over samples, h and p [... n q], z [... 1 p]."""

    def bounds(self, h: Array, z: Array) -> Bounds:
        """Over all states of norm <= h [...], at z [... p]; by the Frobenius norms of z."""

    def suprema(self, M: Array, H: Array) -> Bounds:
        """Over |z| <= M and |h| <= H: K₁, K₂ and the two terms of K' of (18)-(19), or upper bounds; ∂₁₁f too."""

    def evaluation(self, h: Array, z: Array) -> Evaluation:
        """Of the three methods above at exact h [... q], z [... p]."""


@dataclass(frozen=True)
class Linear:
    """f(h, Z) = Z h."""

    q: int

    @property
    def p(self) -> int:
        """q²."""
        return self.q**2

    def value(self, h: Array, z: Array) -> Array:
        """Z h."""
        return np.asarray(np.einsum("...ab,...b->...a", z.reshape(*z.shape[:-1], self.q, self.q), h))

    def state_jacobian(self, h: Array, z: Array) -> Array:
        """Z."""
        Z = z.reshape(*z.shape[:-1], self.q, self.q)
        return np.broadcast_to(Z, np.broadcast_shapes(h.shape[:-1], z.shape[:-1]) + Z.shape[-2:])

    def parameter_jacobian(self, h: Array, z: Array) -> Array:
        """I ⊗ hᵀ."""
        shape = np.broadcast_shapes(h.shape[:-1], z.shape[:-1])
        jacobian = np.einsum("ac,...b->...acb", np.eye(self.q), h).reshape(*h.shape[:-1], self.q, self.p)
        return np.broadcast_to(jacobian, (*shape, self.q, self.p))

    def pull(self, h: Array, z: Array, p: Array) -> Array:
        """Σ p hᵀ."""
        return np.asarray(transposed(p) @ h).reshape(*p.shape[:-2], self.p)

    def bounds(self, h: Array, z: Array) -> Bounds:
        """|Z|, |h|, 0, 1 and 0: f is bilinear."""
        return self.suprema(euclid(z), h)

    def suprema(self, M: Array, H: Array) -> Bounds:
        """M (attained at rank 1), H, 0, 1 and 0."""
        return Bounds(M, H, np.zeros(()), np.ones(()), np.zeros(()))

    def evaluation(self, h: Array, z: Array) -> Evaluation:
        """A product with inner dimension q; the Jacobians are copies."""
        return Evaluation(gamma(self.q) * euclid(z) * euclid(h), np.zeros(()), np.zeros(()))


@dataclass(frozen=True)
class Sine:
    """f(h, z) = h ⊙ sin z."""

    q: int

    @property
    def p(self) -> int:
        """q."""
        return self.q

    def value(self, h: Array, z: Array) -> Array:
        """h ⊙ sin z."""
        return h * np.sin(z)

    def state_jacobian(self, h: Array, z: Array) -> Array:
        """diag(sin z)."""
        return np.asarray(np.eye(self.q) * np.broadcast_to(np.sin(z), np.broadcast_shapes(h.shape, z.shape))[..., None, :])

    def parameter_jacobian(self, h: Array, z: Array) -> Array:
        """diag(h ⊙ cos z)."""
        return np.asarray(np.eye(self.q) * (h * np.cos(z))[..., None, :])

    def pull(self, h: Array, z: Array, p: Array) -> Array:
        """Σ p ⊙ h ⊙ cos z."""
        return np.asarray(np.sum(p * h * np.cos(z), axis=-2))

    def bounds(self, h: Array, z: Array) -> Bounds:
        """Largest |sin z_i|, |h|, the product of both, 1 and 0."""
        steepest = np.max(np.abs(np.sin(z)), axis=-1)
        return Bounds(steepest, h, h * steepest, np.ones(()), np.zeros(()))

    def suprema(self, M: Array, H: Array) -> Bounds:
        """sin(min(M, π/2)), H, H times the first, 1 and 0."""
        steepest = np.sin(np.minimum(M, np.pi / 2))
        return Bounds(steepest, H, H * steepest, np.ones(()), np.zeros(()))

    def evaluation(self, h: Array, z: Array) -> Evaluation:
        """Sine and cosine within 4 ulp (8u), then a product."""
        steepest = np.max(np.abs(np.sin(z)), axis=-1)
        return Evaluation(10 * U * steepest * euclid(h), 10 * U * steepest, 10 * U * euclid(h))


@dataclass(frozen=True)
class Perceptron:
    """f(h, (V, W)) = V σ(Wh/√q)/√m of model (3)."""

    q: int
    m: int
    activation: dict[str, Any]

    @property
    def p(self) -> int:
        """2qm."""
        return 2 * self.q * self.m

    def weights(self, z: Array) -> tuple[Array, Array]:
        """V [... q m] and W [... m q] of the vector z."""
        V, W = z[..., : self.q * self.m], z[..., self.q * self.m :]
        return V.reshape(*V.shape[:-1], self.q, self.m), W.reshape(*W.shape[:-1], self.m, self.q)

    def value(self, h: Array, z: Array) -> Array:
        """V σ(Wh/√q)/√m."""
        V, W = self.weights(z)
        S = activations.value(self.activation, np.einsum("...mq,...q->...m", W, h) / np.sqrt(self.q))
        return np.asarray(np.einsum("...qm,...m->...q", V, S) / np.sqrt(self.m))

    def state_jacobian(self, h: Array, z: Array) -> Array:
        """V diag σ'(Wh/√q) W/√(qm)."""
        V, W = self.weights(z)
        slope = activations.derivative(self.activation, np.einsum("...mq,...q->...m", W, h) / np.sqrt(self.q))
        return np.asarray((V * slope[..., None, :]) @ W / np.sqrt(self.q * self.m))

    def parameter_jacobian(self, h: Array, z: Array) -> Array:
        """(δV, δW) -> δV S/√m + V (σ' ⊙ δW h)/√(qm)."""
        V, W = self.weights(z)
        u = np.einsum("...mq,...q->...m", W, h) / np.sqrt(self.q)
        S, slope = activations.value(self.activation, u), activations.derivative(self.activation, u)
        lead = u.shape[:-1]
        by_V = np.einsum("ac,...m->...acm", np.eye(self.q), S) / np.sqrt(self.m)
        by_W = np.einsum("...am,...b->...amb", V * slope[..., None, :], h) / np.sqrt(self.q * self.m)
        return np.concatenate([by_V.reshape(*lead, self.q, -1), by_W.reshape(*lead, self.q, -1)], axis=-1)

    def pull(self, h: Array, z: Array, p: Array) -> Array:
        """Σ p Sᵀ/√m, then Σ (σ' ⊙ Vᵀp) hᵀ/√(qm)."""
        V, W = self.weights(z[..., 0, :])
        u = h @ transposed(W) / np.sqrt(self.q)
        by_V = transposed(p) @ activations.value(self.activation, u) / np.sqrt(self.m)
        back = activations.derivative(self.activation, u) * (p @ V) / np.sqrt(self.q * self.m)
        by_W = transposed(back) @ h
        lead = by_V.shape[:-2]
        return np.concatenate([by_V.reshape(*lead, -1), by_W.reshape(*lead, -1)], axis=-1)

    def _kappa(self) -> tuple[float, float]:
        """K_σ/√(qm) and S₂/(q√m)."""
        c = constants(self.activation["name"], self.activation["a"], self.activation["b"])
        return float(c["K_sigma"].hi) / np.sqrt(self.q * self.m), float(c["S2"].hi) / (self.q * np.sqrt(self.m))

    def bounds(self, h: Array, z: Array) -> Bounds:
        """By |V|_F and |W|_F; derived in `depthlimit.theory.paper.prop7`."""
        kappa, s2 = self._kappa()
        V, W = euclid(z[..., : self.p // 2]), euclid(z[..., self.p // 2 :])
        b = s2 * V * h**2
        second = (b + np.sqrt(b**2 + 4 * (kappa * h) ** 2)) / 2
        mixed = np.hypot(kappa * W, kappa * V + s2 * V * W * h)
        return Bounds(kappa * V * W, kappa * h * np.hypot(V, W), second, mixed, s2 * V * W**2)

    def suprema(self, M: Array, H: Array) -> Bounds:
        """Upper bounds: |V||W| <= M²/2 and |V||W|² <= 2M³/√27 where |V|² + |W|² <= M².

        K₁ is the supremum: with V = W = M/√2 e₁e₁ᵀ, ∂₁f = (M²/2) σ'(u)/√(qm) e₁e₁ᵀ for every u. So is K₂ where |σ'(0)| = K_σ: take
        V = M e₁e₁ᵀ, W = 0, h = H e₁. The terms of K' are bounded one by one, and not attained together.
        """
        kappa, s2 = self._kappa()
        b = s2 * M * H**2
        second = (b + np.sqrt(b**2 + 4 * (kappa * H) ** 2)) / 2
        return Bounds(kappa * M**2 / 2, kappa * H * M, second, kappa * M + s2 * M**2 * H / 2, 2 * s2 * M**3 / np.sqrt(27))

    def evaluation(self, h: Array, z: Array) -> Evaluation:
        """As in `depthlimit.models.rounding`: argument, activation, product."""
        c = constants(self.activation["name"], self.activation["a"], self.activation["b"])
        K, S2 = float(c["K_sigma"].hi), float(c["S2"].hi)
        V, W = self.weights(z)
        u = np.einsum("...mq,...q->...m", W, h) / np.sqrt(self.q)
        v, w = (np.sqrt(np.sum(a**2, axis=(-2, -1))) for a in (V, W))
        argument = gamma(self.q + 2) * w * euclid(h) / np.sqrt(self.q)
        S = K * argument + euclid(activations.evaluation_error(self.activation, u))
        slope = S2 * argument + np.max(activations.derivative_error(self.activation, u), axis=-1)
        size = euclid(activations.value(self.activation, u))
        root = np.sqrt(self.q * self.m)
        return Evaluation(
            v * (S + gamma(self.m + 2) * (size + S)) / np.sqrt(self.m),
            v * w * (slope + gamma(self.m + 3) * (K + slope)) / root,
            (S + 2 * U * size) / np.sqrt(self.m) + v * euclid(h) * (slope + gamma(4) * (K + slope)) / root,
        )
