r"""Rounding radii: how far a float64 evaluation of (3), (13)-(16), by any implementation, may lie from the exact value.

u = 2⁻⁵³, γ_k = ku/(1 - ku); a product with inner dimension k has normwise error γ_k |A|_F |B|_F in any order of summation (Higham, section
3.5). With |.| Euclidean per sample and |.|₂ the operator norm, one step from exact h_k:

    pre-activation   e_u = γ_{q+2} |W|_F |h_k|/√q
    activation       e_σ = K_σ e_u + |evaluation error of σ|
    branch           e_b = |V|₂ e_σ + γ_m |V|_F (|S| + e_σ)
    step             r_{k+1} = (e_b + 4u |branch|)/(L√m) + γ_m |h_k| + 2u |h_{k+1}|: the terms of the branch may be added to h_k one by one

An error of h_k reaches h_{k+1} through I + J_k, J_k = V diag σ'(u) W/(L√(qm)) at the state itself; within δ of it |J| differs from
|J_k| by at most S₂|V|₂|W|₂²δ/(Lq√m), and it is nowhere above K_σ|V|₂|W|₂/(L√(qm)). Hence
δ_{k+1} = (1 + g_k) δ_k + r_{k+1} with g_k the smaller of the two, and
likewise for the adjoint backwards, where σ' is off by its evaluation error and by S₂ times the error of its argument. Gradients are
products of these. Each radius is a bound to first order in u, multiplied by 1.01 for the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from depthlimit.models import activations, residual
from depthlimit.theory.activation import constants
from depthlimit.theory.quantity import Array

U = 2.0**-53
_SECOND_ORDER = 1.01


def gamma(k: int) -> float:
    """γ_k = ku/(1 - ku)."""
    return k * U / (1 - k * U)


def frobenius(a: Array) -> Array:
    """Frobenius norm over the last two axes."""
    return np.asarray(np.sqrt(np.sum(a * a, axis=(-2, -1))))


def euclid(a: Array) -> Array:
    """Euclidean norm over the last axis."""
    return np.asarray(np.sqrt(np.sum(a * a, axis=-1)))


@dataclass(frozen=True)
class Rounding:
    """Radii at given states; arrays may have any leading axes.

    Args:
        spec: the protocol's mapping.
        params: A, V, W, B.
        x, y: data.
        hidden, output: as an implementation computed them. p: the adjoint (13) there, per sample.
    """

    spec: Mapping[str, Any]
    params: Mapping[str, Array]
    x: Array
    y: Array
    hidden: Array  # [... L+1 n q]
    output: Array  # [... n dout]
    p: Array | None = None  # [... L+1 n q]

    def __post_init__(self) -> None:
        s = self.spec
        sigma = s["activation"]
        c = constants(sigma["name"], sigma["a"], sigma["b"])
        object.__setattr__(self, "K", float(c["K_sigma"].hi))
        object.__setattr__(self, "S2", c["S2"].hi)

    K: float = 0.0
    S2: float = 0.0

    @cached_property
    def _norms(self) -> dict[str, Array]:
        return {k: frobenius(self.params[k]) for k in "AVWB"}

    @cached_property
    def _operator(self) -> dict[str, Array]:
        return {k: np.linalg.norm(self.params[k], ord=2, axis=(-2, -1)) for k in "VWB"}

    @cached_property
    def pre(self) -> Array:
        """W_{k+1} h_k/√q [... L n m]."""
        return residual.preactivations(self.spec, self.params, self.hidden)

    @cached_property
    def activations(self) -> Array:
        """S_{k+1} = σ(W_{k+1} h_k/√q) [... L n m]."""
        return activations.value(self.spec["activation"], self.pre)

    @cached_property
    def _argument(self) -> Array:
        """e_u [... L n]."""
        q = self.spec["q"]
        return np.asarray(gamma(q + 2) * self._norms["W"][..., None] * euclid(self.hidden[..., :-1, :, :]) / np.sqrt(q))

    @cached_property
    def activation(self) -> Array:
        """e_σ [... L n]."""
        own = euclid(activations.evaluation_error(self.spec["activation"], self.pre))
        return self.K * self._argument + own

    @cached_property
    def branch(self) -> Array:
        """e_b, the error of V_{k+1} S_{k+1} [... L n]."""
        own = gamma(self.spec["m"]) * self._norms["V"][..., None] * (euclid(self.activations) + self.activation)
        return np.asarray(self._operator["V"][..., None] * self.activation + own)

    @cached_property
    def step(self) -> Array:
        """r_{k+1} [... L n]."""
        s = self.spec
        size = self._norms["V"][..., None] * euclid(self.activations)
        scaled = (self.branch + 4 * U * size) / (s["L"] * np.sqrt(s["m"]))
        h = euclid(self.hidden)
        return np.asarray(_SECOND_ORDER * (scaled + gamma(s["m"]) * h[..., :-1, :] + 2 * U * h[..., 1:, :]))

    @cached_property
    def jacobian(self) -> Array:
        """|J_k|₂ per sample [... L n]."""
        s = self.spec
        norms = []
        for k in range(s["L"]):  # layer by layer: all of V diag σ' together would be n times the weights
            slope = activations.derivative(s["activation"], self.pre[..., k, :, :])
            V, W = (self.params[b][..., k, None, :, :] for b in "VW")
            norms.append(np.linalg.norm((V * slope[..., None, :]) @ W, ord=2, axis=(-2, -1)))
        return np.asarray(np.stack(norms, axis=-2) / (s["L"] * np.sqrt(s["q"] * s["m"])))

    def _growth(self, k: int, delta: Array) -> Array:
        """g_k for errors up to delta [... n] of h_k."""
        s = self.spec
        V, W = (self._operator[b][..., k, None] for b in "VW")
        anywhere = self.K * V * W / (s["L"] * np.sqrt(s["q"] * s["m"]))
        if not np.isfinite(self.S2):
            return np.asarray(anywhere)
        here = self.jacobian[..., k, :] + self.S2 * V * W**2 * delta / (s["L"] * s["q"] * np.sqrt(s["m"]))
        return np.asarray(np.minimum(anywhere, here))

    @cached_property
    def embedded(self) -> Array:
        """Error of Ax [... n]."""
        return np.asarray(_SECOND_ORDER * gamma(self.spec["d"]) * self._norms["A"][..., None] * euclid(self.x))

    @cached_property
    def states(self) -> Array:
        """δ_k, the error of h_k against exact arithmetic [... L+1 n]."""
        deltas = [self.embedded]
        for k in range(self.spec["L"]):
            deltas.append((1 + self._growth(k, deltas[-1])) * deltas[-1] + self.step[..., k, :])
        return np.stack(deltas, axis=-2)

    @cached_property
    def readout(self) -> Array:
        """Error of B h_L at the given h_L [... n]."""
        size = self._norms["B"][..., None] * euclid(self.hidden[..., -1, :, :])
        return np.asarray(_SECOND_ORDER * gamma(self.spec["q"]) * size)

    @cached_property
    def residuals(self) -> Array:
        """Error of F(x_i) - y_i against exact arithmetic [... n]."""
        difference = euclid(self.output - self.y)
        return self.readout + self._operator["B"][..., None] * self.states[..., -1, :] + U * difference

    @cached_property
    def loss(self) -> Array:
        """Error of the loss against exact arithmetic [...]."""
        s = self.spec
        difference = euclid(self.output - self.y)
        inner = 2 * difference * self.residuals + self.residuals**2 + gamma(s["n"] * s["dout"] + 3) * difference**2
        return np.asarray(_SECOND_ORDER * np.mean(inner, axis=-1))

    @cached_property
    def _slope(self) -> Array:
        """Largest error of σ' over a layer's units, per sample [... L n]."""
        s = self.spec
        own = np.max(activations.derivative_error(s["activation"], self.pre), axis=-1)
        argument = self._argument + self._operator["W"][..., None] * self.states[..., :-1, :] / np.sqrt(s["q"])
        if np.isfinite(self.S2):
            return np.asarray(own + self.S2 * argument)
        # A kink of σ' at 0 (ReLU): no error of the argument matters unless it can change its sign.
        safe = np.min(np.abs(self.pre), axis=-1) > argument
        return np.where(safe, own, np.inf)

    @cached_property
    def adjoint(self) -> Array:
        """δp_k against exact arithmetic [... L+1 n]."""
        s = self.spec
        assert self.p is not None
        difference = euclid(self.output - self.y)
        last = 2 * (self._operator["B"][..., None] * self.residuals + self._norms["B"][..., None] * gamma(s["dout"] + 1) * difference)
        deltas = [last]
        scale = 1 / (s["L"] * np.sqrt(s["q"] * s["m"]))
        product = gamma(s["q"] + 2) + gamma(s["m"] + 2)
        with np.errstate(invalid="ignore"):
            for k in reversed(range(s["L"])):
                p = euclid(self.p[..., k + 1, :, :])
                V, W = (self._norms[b][..., k, None] for b in "VW")
                slope = np.where(V * p == 0, 0.0, self._slope[..., k, :] * self._operator["V"][..., k, None] * p)
                local = scale * (self._operator["W"][..., k, None] * slope + self.K * product * W * V * p)
                local = np.where(W == 0, 0.0, local) + gamma(s["m"]) * p + 3 * U * euclid(self.p[..., k, :, :])
                deltas.append((1 + self._growth(k, self.states[..., k, :])) * deltas[-1] + local)
        return _SECOND_ORDER * np.stack(deltas[::-1], axis=-2)

    @cached_property
    def gradients(self) -> dict[str, Array]:
        """Errors of ∂ℓ/∂A [...], ∂ℓ/∂V_k [... L], ∂ℓ/∂W_k [... L], ∂ℓ/∂B [...], Frobenius, against exact arithmetic."""
        s = self.spec
        assert self.p is not None
        n, L, q, m = s["n"], s["L"], s["q"], s["m"]
        p, dp = euclid(self.p), self.adjoint
        h, dh = euclid(self.hidden), self.states
        x = euclid(self.x)
        S = euclid(self.activations)
        V = self._operator["V"][..., None]
        drift = self.activation + self.K * self._operator["W"][..., None] * dh[..., :-1, :] / np.sqrt(q)
        A = np.mean(dp[..., 0, :] * x + gamma(n + 3) * p[..., 0, :] * x, axis=-1)
        gV = np.mean(dp[..., 1:, :] * S + p[..., 1:, :] * drift + gamma(n + 5) * p[..., 1:, :] * S, axis=-1)
        pull = V * p[..., 1:, :]
        with np.errstate(invalid="ignore"):
            slope = np.where(pull == 0, 0.0, self._slope * pull)
        dr = self.K * V * dp[..., 1:, :] + slope + self.K * gamma(q + 2) * self._norms["V"][..., None] * p[..., 1:, :]
        gW = np.mean(dr * h[..., :-1, :] + self.K * pull * (dh[..., :-1, :] + gamma(n + 5) * h[..., :-1, :]), axis=-1)
        difference = euclid(self.output - self.y)
        gB = np.mean(self.residuals * h[..., -1, :] + difference * (dh[..., -1, :] + gamma(n + 3) * h[..., -1, :]), axis=-1)
        return {
            "A": _SECOND_ORDER * A,
            "V": _SECOND_ORDER * gV / (L * np.sqrt(m)),
            "W": _SECOND_ORDER * gW / (L * np.sqrt(q * m)),
            "B": _SECOND_ORDER * 2 * gB,
        }
