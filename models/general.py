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
from typing import Any, Protocol

import numpy as np

from depthlimit.models import activations
from depthlimit.theory.quantity import Array


class Branch(Protocol):
    """f of (12) and what the flow and the proofs need of it. q: size of the state, p: of the parameter."""

    q: int
    p: int

    def value(self, h: Array, z: Array) -> Array:
        """f(h, z) [... q]."""

    def state_jacobian(self, h: Array, z: Array) -> Array:
        """∂₁f(h, z) [... q q]."""

    def parameter_jacobian(self, h: Array, z: Array) -> Array:
        """∂₂f(h, z) [... q p]."""


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
