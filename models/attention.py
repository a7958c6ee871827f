r"""L2 self-attention (Kim et al., 2021) with one head and a tied query and key matrix: the Lipschitz attention of Section 4.3, p. 7.

On N tokens x_i of D numbers, with W, V in R^{D×D}, z = (W, V),

    f_i = Σ_j P_ij VᵀA x_j,   P_ij ∝ exp(-|Wᵀ(x_i - x_j)|²/√D),   A = WWᵀ/√D

so that f(X) = VᵀW G(XW/c)/c with c = D^{1/4} and a map without parameters, G_i(Y) = Σ_j P_ij y_j, P_ij ∝ exp(-|y_i - y_j|²). What G
admits is what f admits. Let a_j = y_j - y_i; E, Cov and κ₃ (the third mixed cumulant) are over j with weights P_ij; ψ_j = -2a_j·da_j:

    d G_i = E[dy] + Cov(a, ψ),   d²G_i = 2 Cov(da, ψ) + Cov(a, -2|da|²) + κ₃(a, ψ, ψ)

* E|a|^{2β} <= μ_β = w(β + w)^{β-1}, w = W₀(β(N-1)e^{-β}): where it is largest all a_j but a_i = 0 have one length, |a|² = β + w. This is
  Kim et al.'s φ^{-1}(N-1) for β = 1, called ρ.
* P_ij <= 1/2 for j != i, so that columns of P sum to at most (N+1)/2: |G| <= γ₀|Y| and ‖P‖₂ <= γ₀ = √((N+1)/2).
* |Cov(a, ψ)| <= 2 Σ_j P_ij|a_j - ā||a_j||da_j| <= 2ρ√2|dY|, for each i: ‖DG‖ <= γ₁ = γ₀ + 2ρ√(2N).
* For |dY| = 1: Cov(da, ψ) <= 4√ρ (|da| <= √2), Cov(a, -2|da|²) <= 2√ρ (|da|² in [0, 2]) and κ₃ = Cov(a, ψ²) - 2ψ̄ Cov(a, ψ) <= 32 μ_{3/2}:
  ‖D²G‖ <= γ₂ = √N (10√ρ + 32 μ_{3/2}).

Without the factor A, or with another key than query, f would not be Lipschitz; nor is dot-product attention, P_ij ∝ exp(x_iᵀWWᵀx_j/√D).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import lambertw

from depthlimit.models.general import Bounds, Evaluation
from depthlimit.models.rounding import U, euclid, gamma
from depthlimit.theory.quantity import Array


def moment(beta: float, N: int) -> float:
    """μ_β: the largest mean of |a_j|^{2β} under weights proportional to exp(-|a_j|²), N vectors of which one is 0; rounded upwards."""
    w = float(np.real(lambertw(beta * (N - 1) * np.exp(-beta))))
    return float(w * (beta + w) ** (beta - 1) * (1 + 2.0**-45))


def weights(a: Array) -> Array:
    """exp(-|a_ij|²) over its sum in j: a [... N N D] to [... N N]. The largest weight before division is that of j = i, which is 1."""
    e = np.exp(-np.sum(a**2, axis=-1))
    return np.asarray(e / np.sum(e, axis=-1, keepdims=True))


def averages(Y: Array) -> Array:
    """G(Y) [... N D]."""
    a = Y[..., None, :, :] - Y[..., :, None, :]
    return np.asarray(Y + np.einsum("...ij,...ija->...ia", weights(a), a))


def averages_jacobian(Y: Array) -> Array:
    """∂G_ia/∂y_jb [... N D N D]: P_ij I - 2K_ij + 2δ_ij Σ_l K_il with K_ij = P_ij (a_j - ā)a_jᵀ."""
    a = Y[..., None, :, :] - Y[..., :, None, :]
    P = weights(a)
    centred = a - np.einsum("...ij,...ija->...ia", P, a)[..., :, None, :]
    K = np.einsum("...ij,...ija,...ijb->...iajb", P, centred, a)
    N, D = Y.shape[-2:]
    same = np.einsum("ij,...iajb->...iab", np.ones((N, N)), K)
    return np.asarray(np.einsum("...ij,ab->...iajb", P, np.eye(D)) - 2 * K + 2 * np.einsum("ij,...iab->...iajb", np.eye(N), same))


@dataclass(frozen=True)
class Attention:
    """f of the module on h = (x_1, ..., x_N) in R^{ND}, z = (W, V)."""

    tokens: int
    size: int

    @property
    def q(self) -> int:
        """ND."""
        return self.tokens * self.size

    @property
    def p(self) -> int:
        """2D²."""
        return 2 * self.size**2

    @property
    def c(self) -> float:
        """D^{1/4}."""
        return float(self.size**0.25)

    @property
    def constants(self) -> tuple[float, float, float]:
        """γ₀, γ₁, γ₂."""
        N, rho = self.tokens, moment(1, self.tokens)
        g0 = np.sqrt((N + 1) / 2)
        return g0, g0 + 2 * rho * np.sqrt(2 * N), np.sqrt(N) * (10 * np.sqrt(rho) + 32 * moment(1.5, N))

    def weights(self, z: Array) -> tuple[Array, Array]:
        """W and V [... D D] of the vector z."""
        W, V = z[..., : self.size**2], z[..., self.size**2 :]
        return W.reshape(*W.shape[:-1], self.size, self.size), V.reshape(*V.shape[:-1], self.size, self.size)

    def _rows(self, h: Array) -> Array:
        return h.reshape(*h.shape[:-1], self.tokens, self.size)

    def _flat(self, rows: Array) -> Array:
        return rows.reshape(*rows.shape[:-2], self.q)

    def value(self, h: Array, z: Array) -> Array:
        """G(XW/c)WᵀV/c."""
        W, V = self.weights(z)
        return self._flat(averages(self._rows(h) @ W / self.c) @ (np.swapaxes(W, -1, -2) @ V) / self.c)

    def state_jacobian(self, h: Array, z: Array) -> Array:
        """VᵀW DG Wᵀ/c², token by token."""
        W, V = self.weights(z)
        DG = averages_jacobian(self._rows(h) @ W / self.c)
        J = np.einsum("...ae,...iajb,...db->...iejd", np.swapaxes(W, -1, -2) @ V, DG, W, optimize=True) / self.c**2
        return np.asarray(J.reshape(*J.shape[:-4], self.q, self.q))

    def parameter_jacobian(self, h: Array, z: Array) -> Array:
        """(δW, δV) -> VᵀδW G/c + VᵀW DG δWᵀX/c² + δVᵀW G/c."""
        W, V = self.weights(z)
        X = self._rows(h)
        Y = X @ W / self.c
        G, DG = averages(Y), averages_jacobian(Y)
        by_W = np.einsum("...de,...ib->...iedb", V, G) / self.c
        by_W = by_W + np.einsum("...ae,...iajb,...jd->...iedb", np.swapaxes(W, -1, -2) @ V, DG, X, optimize=True) / self.c**2
        by_V = np.einsum("...id,ef->...iedf", G @ np.swapaxes(W, -1, -2) / self.c, np.eye(self.size))
        lead = np.broadcast_shapes(by_W.shape[:-4], by_V.shape[:-4])
        shape = (*lead, self.q, self.size**2)
        return np.concatenate([np.broadcast_to(J, (*lead, *J.shape[-4:])).reshape(shape) for J in (by_W, by_V)], axis=-1)

    def pull(self, h: Array, z: Array, p: Array) -> Array:
        """By the Jacobian."""
        return np.asarray(np.einsum("...nqp,...nq->...p", self.parameter_jacobian(h, z), p))

    def bounds(self, h: Array, z: Array) -> Bounds:
        """By |W|_F = w and |V|_F = v.

        ∂₂₂f[δ, δ] = 2δVᵀδW G/c + 2δVᵀW DG δWᵀX/c² + 2VᵀδW DG δWᵀX/c² + VᵀW D²G[δWᵀX, δWᵀX]/c³, so at most 2α|δV||δW| + β|δW|²;
        ∂₂₁f likewise; |G| <= γ₀w|h|/c.
        """
        g0, g1, g2 = self.constants
        w, v = euclid(z[..., : self.size**2]), euclid(z[..., self.size**2 :])
        root, bend = self.c**2, g2 * h / self.c
        alpha, beta = w * (g0 + g1) * h / root, v * (2 * g1 + w * bend) * h / root
        return Bounds(
            g1 * v * w**2 / root,
            w * h * np.hypot(g0 * w, (g0 + g1) * v) / root,
            (beta + np.hypot(beta, 2 * alpha)) / 2,
            w * np.hypot(g1 * w, v * (2 * g1 + w * bend)) / root,
            g2 * v * w**3 / self.c**3,
        )

    def suprema(self, M: Array, H: Array) -> Bounds:
        """Upper bounds where w² + v² <= M²: vw <= M²/2, vw² <= 2M³/√27, vw³ <= √27M⁴/16, and of ∂₂f the supremum of its bound.

        That is γ₀²w⁴ + Γ²v²w² with Γ = γ₀ + γ₁ >= √2γ₀: Γ⁴M⁴/(4(Γ² - γ₀²)). The terms of K' are bounded one by one.
        """
        g0, g1, g2 = self.constants
        both, root, bend = g0 + g1, self.c**2, g2 * H / self.c
        alpha, beta = M * both * H / root, (2 * g1 * M + M**2 / 2 * bend) * H / root
        return Bounds(
            g1 * 2 * M**3 / np.sqrt(27) / root,
            M**2 * H * both**2 / (2 * np.sqrt(both**2 - g0**2)) / root,
            (beta + np.hypot(beta, 2 * alpha)) / 2,
            np.hypot(g1 * M**2, g1 * M**2 + 2 * M**3 / np.sqrt(27) * bend) / root,
            g2 * np.sqrt(27) * M**4 / 16 / self.c**3,
        )

    def evaluation(self, h: Array, z: Array) -> Evaluation:
        """Y is off by γ_{D+2} w|h|/c, which G and DG pass on times γ₁ and γ₂, and they round on their own.

        A weight P_ij is off by a part g|a_j|² (from the exponent, g = γ_{D+2}, its mean subtracted) and γ_{N+12} (exp within 4 ulp, sum,
        quotient). With Jensen's inequality the rows of G are off by g 2μ_{3/2} + γ_{N+12}√ρ, those of P, K by 2gρ + γ_{N+12} and
        6gμ₂ + 4γ_{N+14}ρ; DG consists of P, each entry D times, and 4 such K. |DG|_F <= √(ND)(1 + 4ρ).
        """
        N, D = self.tokens, self.size
        g0, g1, g2 = self.constants
        rho, three, four = (moment(beta, N) for beta in (1, 1.5, 2))
        w, v, size = euclid(z[..., : D**2]), euclid(z[..., D**2 :]), euclid(h)
        Y = w * size / self.c
        G = g1 * gamma(D + 2) * Y + np.sqrt(N) * gamma(N + D + 12) * (2 * three + np.sqrt(rho)) + 2 * U * g0 * Y
        DG = g2 * gamma(D + 2) * Y + np.sqrt(N * D) * gamma(2 * N + 5 * D + 20) * (2 + 22 * rho + 24 * four)
        G = G + gamma(2 * D + 4) * g0 * Y  # of the products that follow, too
        return Evaluation(
            v * w * G / self.c,
            v * w**2 * DG / self.c**2,
            np.hypot(v * G / self.c + v * w * size * DG / self.c**2, np.sqrt(D) * w * G / self.c),
        )
