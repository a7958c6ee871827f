r"""A PL certificate per draw (no probability): Proposition 5 and (10) with constants that an instance can meet, on a sup ball.

Around the initialisation (Ā, B̄ of Section 3, V̄ = 0, W̄_k = W̄), for |A-Ā|_F <= R_A, |B-B̄|_F <= R_B < 1, |V_k|_F <= R_V,
|W_k-W̄|_F <= R_W and any depth L:

1. a = K_σ R_V (w + R_W)/√(qm) bounds L times the relative growth of h and p per layer, w = |W̄|₂. Hence |h_k - Ax|_F <= g |Ax|_F,
g = e^a - 1 ((1 + a/L)^k - 1 <= g), and |h_k|_2 <= H₂ = (1 + R_A)(X₂ + g X_F).
2. S_k - S̄ = σ(W_k h_{k-1}/√q) - σ(W̄Āx/√q): split W_k h - W̄Āx = (W_k - W̄) h + W̄ (h - Ax) + W̄ (A - Ā) x, entrywise K_σ-Lipschitz:
   |S_k - S̄|_F <= D̂ = (K_σ/√q)[R_W H₂ + w (1 + R_A) X_F g + w R_A X₂].
3. p_L = (2/n) Bᵀ(F - y), |p_L|_F >= 2 (1 - R_B) √(ℓ/n) since B̄ has orthonormal rows; one layer back |p_k|_F >= (1 - a/L) |p_{k+1}|_F, so
   |p_k|_F >= 2 (1 - R_B) ρ √(ℓ/n), ρ = (1 - a/L)^L.
4. L Σ_k |∂ℓ/∂V_k|_F² = (1/(Lm)) Σ_k |p_k S_kᵀ|_F² >= (1/m) min_k |p_k|_F² s_n(S_k)², s_n(S_k) >= s₀ - D̂ (Weyl), hence
   μ = (4/(mn)) (1 - R_B)² ρ² (s₀ - D̂)₊².
5. The flow from Ā, B̄, 0, W̄ has speeds at most g_j √ℓ with g_V = P̂ (S₀ + D̂)/√m, g_W = P̂ K_σ R_V H₂/√(qm), g_A = P̂ X₂, g_B = 2 H₂/√n,
   P̂ = 2 (1 + R_B) e^a/√n; while it is in the ball ∫√ℓ <= 2√ℓ₀/μ = τ. If g_j τ <= R_j for all j, it never leaves.
6. By Cauchy-Schwarz its path length ∫√(-ℓ') <= 2√(ℓ₀/μ) = τ√μ bounds those of A and B, and that of the root of the mean over k of |V_k'|².
   V_k' = -p_k S_kᵀ/√m differs from V_j' by at most P̂ √ℓ (g (S₀ + D̂) + 2 D̂)/√m. Hence also g_A = g_B = √μ,
   g_V = √μ + P̂ (g (S₀ + D̂) + 2 D̂)/√m.
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.identities import START
from depthlimit.theory.quantity import maximum, minimum
from depthlimit.theory.registry import register

a, g, rho, H2, D_hat, P_hat, mu, tau = (sp.Symbol(s, nonnegative=True) for s in ("a", "g", "rho", "H_2", "D_hat", "P_hat", "mu", "tau"))
WHERE = {
    a: Q.K_sigma * Q.R_V * (Q.w0 + Q.R_W) / sp.sqrt(Q.q * Q.m),
    g: sp.exp(a) - 1,
    rho: sp.exp(Q.L * sp.log(1 - a / Q.L)),  # (1 - a/L)^L
    H2: (1 + Q.R_A) * (Q.X2 + g * Q.XF),
    D_hat: Q.K_sigma / sp.sqrt(Q.q) * (Q.R_W * H2 + Q.w0 * (1 + Q.R_A) * Q.XF * g + Q.w0 * Q.R_A * Q.X2),
    P_hat: 2 * (1 + Q.R_B) * sp.exp(a) / sp.sqrt(Q.n),
    mu: 4 / (Q.m * Q.n) * (1 - Q.R_B) ** 2 * rho**2 * maximum(Q.s0 - D_hat, 0) ** 2,
    tau: 2 * sp.sqrt(Q.loss0) / mu,
}

SPEEDS = {
    "A": (Q.moved_A, Q.R_A, minimum(P_hat * Q.X2, sp.sqrt(mu))),
    "B": (Q.moved_B, Q.R_B, minimum(2 * H2 / sp.sqrt(Q.n), sp.sqrt(mu))),
    "V": (
        Q.moved_V,
        Q.R_V,
        minimum(P_hat * (Q.S0 + D_hat) / sp.sqrt(Q.m), sp.sqrt(mu) + P_hat * (g * (Q.S0 + D_hat) + 2 * D_hat) / sp.sqrt(Q.m)),
    ),
    "W": (Q.moved_W, Q.R_W, P_hat * Q.K_sigma * Q.R_V * H2 / sp.sqrt(Q.q * Q.m)),
}
FOLLOWED = ("stays-A", "stays-B", "stays-V", "stays-W", "rate", "decay")  # what speaks of the flow, checked on long ones too
_SOURCE = Source("certificate", "Proposition 5 and (10) per draw, sup ball")
_NEEDS = frozenset({"lipschitz", "zero-at-zero"})
BALL = (
    Condition("starts at the initialisation of Section 3", Q.paper_init, "=", sp.Integer(1)),
    Condition("the points are of a sup ball", Q.averaged_ball, "=", sp.Integer(0)),
    Condition("a < L", a, "<=", Q.L * sp.Rational(999, 1000)),
    Condition("R_B < 1", Q.R_B, "<=", sp.Rational(999, 1000)),
)
_CLOSED = tuple(Condition(f"g_{k} τ <= R_{k}", speed * tau, "<=", R) for k, (_, R, speed) in SPEEDS.items())


def _certify(
    label: str,
    lhs: sp.Expr,
    relation: str,
    rhs: sp.Expr,
    tex: str,
    meaning: str,
    *,
    role: Role = Role.STEP,
    inputs: str = "a-priori",
    hypotheses: tuple[Condition, ...] = BALL,
    equality: Condition | None = None,
    premises: tuple[str, ...] = (),
    tool: Tool = Tool.TRIANGLE,
) -> None:
    register(
        Claim(
            f"certificate.{label}",
            lhs,
            relation,
            rhs,
            _SOURCE,
            ("local-pl", "long-flow") if label in FOLLOWED else ("local-pl",),
            meaning,
            tex,
            role=role,
            edition="sharpened",
            inputs=inputs,
            where=WHERE,
            hypotheses=hypotheses,
            needs=_NEEDS,
            equality=equality,
            premises=premises,
            tool=tool,
        )
    )


_certify(
    "hidden",
    Q.ball_h_drift,
    "<=",
    g * Q.ball_Ax,
    r"\|h_k - Ax\|_F \le (e^a-1)\|Ax\|_F",
    "Hidden states change little with depth anywhere in the ball.",
    equality=Condition("V = 0 at the centre", Q.ball_h_drift, "=", sp.Integer(0), trivial=True),
    tool=Tool.DISCRETE_GRONWALL,
)
_certify(
    "activations",
    Q.ball_drift,
    "<=",
    D_hat,
    r"\|S_k-\bar S\|_F \le \hat D",
    "Activations stay near those at the centre.",
    premises=("certificate.hidden",),
)
_certify(
    "adjoint",
    Q.ball_p,
    ">=",
    2 * (1 - Q.R_B) * rho * sp.sqrt(Q.ball_loss / Q.n),
    r"\|p_k\|_F \ge 2(1-R_B)\rho\sqrt{\ell/n}",
    "Adjoint states cannot vanish while the loss does not.",
    tool=Tool.DISCRETE_GRONWALL,
)
_certify(
    "pl",
    Q.ball_gradient2,
    ">=",
    mu * Q.ball_loss,
    r"\Big\|\frac{\partial\ell^L}{\partial A^L}\Big\|_F^2 + L\sum_{k=1}^L\Big\|\frac{\partial\ell^L}{\partial Z_k^L}\Big\|_F^2"
    r" + \Big\|\frac{\partial\ell^L}{\partial B^L}\Big\|_F^2 \ge \mu\,\ell^L",
    "The local PL condition of Definition 1 with the certified μ, at points of the ball.",
    role=Role.RESULT,
    premises=("certificate.activations", "certificate.adjoint"),
    tool=Tool.PERTURBATION,
)
for _block, (_moved, _R, _) in SPEEDS.items():
    _certify(
        f"stays-{_block}",
        _moved,
        "<=",
        _R,
        rf"\|{_block}(t)-{_block}(0)\|_F \le R_{_block}",
        f"The plain flow never carries {_block} out of the ball.",
        hypotheses=BALL + _CLOSED,
        equality=START,
        premises=("certificate.pl",),
        tool=Tool.POLYAK_LOJASIEWICZ,
    )
_certify(
    "rate",
    Q.descent_rate,
    ">=",
    mu * Q.loss,
    r"-\frac{d\ell^L}{dt} \ge \mu\,\ell^L",
    "The loss falls at rate μ at every saved time: PL along the flow.",
    role=Role.STEP,
    inputs="instantaneous",
    hypotheses=BALL + _CLOSED,
    premises=("certificate.pl", "identities.energy-rate"),
    tool=Tool.POLYAK_LOJASIEWICZ,
)
_certify(
    "decay",
    Q.mean_rate,
    ">=",
    mu,
    r"\ell^L(t) \le e^{-\mu t}\,\ell^L(0)",
    "The loss decays at least at the certified rate: (10), in the equivalent form ln(ℓ(0)/ℓ(t))/t >= μ, whose ratio shows what could fail.",
    role=Role.RESULT,
    hypotheses=BALL + _CLOSED,
    premises=("certificate.rate",),
    tool=Tool.GRONWALL,
)
