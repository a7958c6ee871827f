"""Exact identities of the gradient flow: energy, displacement, the conserved matrix, the growth of B.

They have zero slack, which makes them the sharpest checks there are. Derivations:

* Energy. Along (4), dℓ/dt = ⟨∇ℓ, θ'⟩ and θ' = -(∂_A ℓ, L ∂_Z ℓ, ∂_B ℓ), so -dℓ/dt = |A'|² + (1/L) Σ |Z_k'|² + |B'|².
* Displacement. By Cauchy-Schwarz in time |θ(t) - θ(0)|² <= t ∫ |θ'|² = t (ℓ(0) - ℓ(t)), in the norm with weight 1/L on Z. The
projection π on a
  closed convex set with 0 in it has |π(g)|² <= ⟨g, π(g)⟩, which gives the same under (5) (coordinate and radial clips; and the smooth one,
  since tanh(u)² <= u tanh(u)).
* Conservation. The loss is invariant under h -> Rh, (A, V_k, W_k, B) -> (RA, RV_k, W_k R^{-1}, BR^{-1}); Noether's identity for symmetric
  and skew directions R gives A'Aᵀ + (1/L) Σ V_k' V_kᵀ = Bᵀ B' + (1/L) Σ W_kᵀ W_k'; adding the transpose, the matrix is constant.
* B. B' = -(2/n) Σ (F - y) h_Lᵀ and F = B h_L give d|B|²/dt = -(4/n) Σ ⟨F - y, F⟩ = -4ℓ - (4/n) Σ ⟨F - y, y⟩; completing the square, it
  is at most mean |y|².
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.registry import register

START = Condition("t = 0", Q.t, "=", sp.Integer(0), trivial=True)
_ENDS = (Condition("A and B are trained too", Q.trained_ends, "=", sp.Integer(1)),)
_SOURCE = Source("identities", "derived from (3) and (4)")


def _identity(
    label: str,
    lhs: sp.Expr,
    relation: str,
    rhs: sp.Expr,
    tex: str,
    meaning: str,
    *,
    regimes: tuple[str, ...] = ("plain-flow",),
    inputs: str = "instantaneous",
    hypotheses: tuple[Condition, ...] = (),
    equality: Condition | None = None,
    premises: tuple[str, ...] = (),
    tool: Tool = Tool.CHAIN_RULE,
) -> Claim:
    return register(
        Claim(
            label,
            lhs,
            relation,
            rhs,
            _SOURCE,
            regimes,
            meaning,
            tex,
            role=Role.IDENTITY,
            edition="sharpened",
            inputs=inputs,
            hypotheses=hypotheses,
            equality=equality,
            premises=premises,
            tool=tool,
        )
    )


_identity(
    "identities.energy-rate",
    Q.descent_rate,
    "=",
    Q.speed2,
    r"-\frac{d\ell}{dt} = \|\dot A\|_F^2 + \frac1L\sum_k\|\dot Z_k\|^2 + \|\dot B\|_F^2",
    "The loss falls at the weighted squared speed.",
    regimes=("plain-flow", "local-pl", "long-flow"),
    premises=("eq4.A", "eq4.V", "eq4.W", "eq4.B"),
)
_identity(
    "identities.energy",
    Q.loss0,
    "=",
    Q.loss_t + Q.dissipated,
    r"\ell(0) = \ell(t) + \int_0^t \Big\langle -\nabla\ell, \frac{d\theta}{dt}\Big\rangle d\tau",
    "What the loss has lost is what the reference flow has dissipated, at the integrator's declared error.",
    regimes=("plain-flow", "clipped-flow", "long-flow"),
    inputs="along-trajectory",
)
_identity(
    "identities.displacement",
    Q.displacement2,
    "<=",
    Q.t * (Q.loss0 - Q.loss_t),
    r"\|A(t)-A(0)\|_F^2 + \frac1L\sum_k\|Z_k(t)-Z_k(0)\|^2 + \|B(t)-B(0)\|_F^2 \le t\,(\ell(0)-\ell(t))",
    "No blow-up in finite time, at any depth, without clipping.",
    regimes=("plain-flow", "clipped-flow"),
    inputs="along-trajectory",
    equality=Condition("the path is straight (short times)", Q.displacement2, "=", Q.t * (Q.loss0 - Q.loss_t)),
    premises=("identities.energy",),
    tool=Tool.CAUCHY_SCHWARZ,
)
_identity(
    "identities.balance",
    Q.balance_AV,
    "=",
    Q.balance_BW,
    r"\dot A A^\top + \frac1L\sum_k\dot V_kV_k^\top = B^\top\dot B + \frac1L\sum_kW_k^\top\dot W_k",
    "The derivative of the conservation law, at every saved state.",
    hypotheses=_ENDS,
    premises=("eq4.A", "eq4.V", "eq4.W", "eq4.B"),
)
_identity(
    "identities.conserved-matrix",
    Q.conserved,
    "=",
    Q.conserved0,
    r"AA^\top - B^\top B + \frac1L\sum_k(V_kV_k^\top - W_k^\top W_k) = \text{const}",
    "A q x q matrix that the plain flow conserves, whatever the activation, depth and data.",
    regimes=("plain-flow", "long-flow"),
    inputs="along-trajectory",
    hypotheses=_ENDS,
    premises=("identities.balance",),
)
_identity(
    "identities.B-growth",
    Q.B_growth,
    "=",
    -4 * Q.loss - 4 * Q.alignment / Q.n,
    r"\frac{d\|B\|_F^2}{dt} = -4\ell - \frac4n\sum_i\langle F(x_i)-y_i, y_i\rangle",
    "The norm of B moves by the loss and the alignment of errors and labels alone.",
    hypotheses=_ENDS,
    premises=("eq4.B",),
)
_identity(
    "identities.B-norm",
    Q.B_norm2,
    "<=",
    Q.B0_norm2 + Q.t * Q.mean_y2,
    r"\|B(t)\|_F^2 \le \|B(0)\|_F^2 + t\,\frac1n\sum_i\|y_i\|^2",
    "B grows at most like the root of time.",
    regimes=("plain-flow",),
    inputs="along-trajectory",
    hypotheses=_ENDS,
    equality=Condition("labels are 0, or times short", Q.B_norm2, "=", Q.B0_norm2 + Q.t * Q.mean_y2, trivial=True),
    premises=("identities.B-growth",),
)
_identity(
    "identities.initial-loss",
    Q.loss0,
    "=",
    Q.mean_y2,
    r"BA = 0 \Rightarrow \ell(0) = \frac1n\sum_i\|y_i\|^2 \quad (q \ge d + d')",
    "At the paper's initialisation the output is 0 if and only if q >= d + d'.",
    regimes=("plain-flow", "clipped-flow"),
    hypotheses=(
        Condition("starts at the initialisation of Section 3", Q.paper_init, "=", sp.Integer(1)),
        Condition("q >= d + d'", Q.d + Q.dout, "<=", Q.q),
    ),
    tool=Tool.DEFINITION,
)
