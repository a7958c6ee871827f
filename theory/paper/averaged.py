r"""A PL certificate per draw on the ball of averages |A-Ā|_F² + |B-B̄|_F² + (1/L) Σ_k (|V_k|_F² + |W_k-W̄|_F²) <= R², R < 1.

Its metric is that of the flow, -ℓ' = |A'|² + |B'|² + (1/L) Σ|Z_k'|², so the path length ∫√(-ℓ') <= 2√(ℓ(0)/μ) alone keeps the flow inside:
R² μ(R)/4 >= ℓ(0) is enough. Notation of the sup ball; v̄, ω̄ are the roots of the means over k of v_k² = |V_k|_F² and ω_k² = |W_k-W̄|_F²,
α = |A-Ā|_F.

1. From layer to layer h and p grow or fall by x_k = K_σ v_k (w + ω_k)/(L√(qm)) at most. Σ_k x_k <= K_σ v̄ (w + ω̄)/√(qm) <= a, and since
   v_k <= R√L and v_k ω_k <= L R²/2, x_k <= â = K_σ (R w/√L + R²/2)/√(qm). With -ln(1-x) = x κ(x) and κ increasing:
   |p_k|_F >= e^{-aκ(â)} |p_L|_F, |p_L|_F >= 2(1-R)√(ℓ/n).
2. Π(1 + x_k) - 1 <= e^{a'} - 1 <= a' (e^a - 1)/a with a' = K_σ v̄ (w+R)/√(qm) <= a bounds |h_k - Ax|_F/|Ax|_F.
3. D_k = |S_k - S̄|_F <= (K_σ/√q)(ω_k H₂ + w (1+R) X_F (g/a) a' + w α X₂). The root of the mean over k is linear in (ω̄, v̄, α), whose
   Euclidean norm is at most R: Cauchy-Schwarz gives D̂.
4. (1/L) Σ_k (s₀ - D_k)₊² >= (s₀ - D̂)₊²: x -> (s₀ - x)₊² is convex and falls, and a mean is at most the root of the mean square.

*Spectral*: 2 charges V σ(Wh/√q) with its Lipschitz bound |V|_F K_σ w X_F/√q. With the activations themselves, |V_jS_j|_F <= v_j (S₀ + D_j):

2'. |h_k - Ax|_F <= (1/(L√m)) Σ_{j<=k} v_j (S₀ + D_j) <= R (S₀ + D̂)/√m; and the root of the mean over k of (1/L) Σ_{j<k} v_j is at most
    (2/π) v̄, the norm of the Volterra operator v -> ∫_0^s v: for v >= 0, a step function, the sum is at most that integral.
3'. Then D̂ <= (K_σ/√q)(ω̄ ((1+R) X₂ + R S₀/√m) + w α X₂ + (2/π) w v̄ S₀/√m) + a D̂ by 3, the terms with D_j on the right taken together.

*Stacked*: the gradients in A and B are kept. Let u = p_L = Bᵀ(2/n)(F - y), so that |u|_F >= 2(1-R)√(ℓ/n) and
|∂ℓ/∂B|_F >= |u h_Lᵀ|_F/(1+R); the squared gradient is at least (1+R)^{-2} times (1/(Lm)) Σ_k |p_kS_kᵀ|² + |p_0xᵀ|² + |u h_Lᵀ|².

5. With u, S̄ and Āx for p_k, S_k and h_L these are at least s_*²|u|², s_* the n-th singular value of S̄/√m above √2 x: Ā is an isometry.
6. |p_kS_kᵀ - uS̄ᵀ| <= |p_k - u| S₀ + e^a |u| D_k and |p_k - u| <= e^a |u| Σ_{j>k} x_j, the root of whose mean square is at most
   (K_σ/√(qm)) ((2/π) w + R) v̄ by 2'; |(p_0 - u)xᵀ| <= e^a |u| X₂ K_σ (w+R) v̄/√(qm); |u(h_L - Āx)ᵀ| <= |u| ((S₀+D̂) v̄/√m + X₂ α).
7. The three roots are at most |u| times linear forms in (α, v̄, ω̄), the sum of whose squares is at most R² |u|² times that of all
   coefficients: Ê. By the triangle inequality μ = (4/n) ((1-R)/(1+R))² (s_* - Ê)₊², which tends to the least PL ratio at the centre.
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.identities import START
from depthlimit.theory.quantity import maximum
from depthlimit.theory.registry import register

_R = Q.R_ball
a, a_hat, g, H2, D_hat, mu = (sp.Symbol(s, nonnegative=True) for s in ("a", "a_hat", "g", "H_2", "D_hat", "mu"))
_COMMON = {
    a: Q.K_sigma * _R * (Q.w0 + _R) / sp.sqrt(Q.q * Q.m),
    a_hat: Q.K_sigma * (_R * Q.w0 / sp.sqrt(Q.L) + _R**2 / 2) / sp.sqrt(Q.q * Q.m),
    mu: 4 / (Q.m * Q.n) * (1 - _R) ** 2 * sp.exp(2 * a * sp.log(1 - a_hat) / a_hat) * maximum(Q.s0 - D_hat, 0) ** 2,
}
_ROOT_QM = sp.sqrt(Q.q * Q.m)
_LIPSCHITZ = {
    **_COMMON,
    g: sp.exp(a) - 1,
    H2: (1 + _R) * (Q.X2 + g * Q.XF),
    D_hat: Q.K_sigma
    / sp.sqrt(Q.q)
    * _R
    * sp.sqrt(H2**2 + (Q.w0 * (1 + _R) * Q.XF * g / a * Q.K_sigma * (Q.w0 + _R) / _ROOT_QM) ** 2 + (Q.w0 * Q.X2) ** 2),
}
_DEPTH = 2 / sp.pi * Q.w0 * Q.S0 / sp.sqrt(Q.m)
_SPECTRAL = {
    **_COMMON,
    H2: (1 + _R) * Q.X2 + _R * Q.S0 / sp.sqrt(Q.m),
    D_hat: Q.K_sigma / sp.sqrt(Q.q) * _R * sp.sqrt(H2**2 + _DEPTH**2 + (Q.w0 * Q.X2) ** 2) / (1 - a),
}
E_hat = sp.Symbol("E_hat", nonnegative=True)
_K, _grown = Q.K_sigma / sp.sqrt(Q.q), sp.exp(a)
_COEFFICIENTS = (
    _grown * _K * Q.w0 * Q.X2 / (1 - a) / sp.sqrt(Q.m),
    _grown * _K * (_DEPTH * (1 + 1 / (1 - a)) + _R * Q.S0 / sp.sqrt(Q.m)) / sp.sqrt(Q.m),
    _grown * _K * H2 / (1 - a) / sp.sqrt(Q.m),
    _grown * Q.X2 * Q.K_sigma * (Q.w0 + _R) / _ROOT_QM,
    (Q.S0 + D_hat) / sp.sqrt(Q.m),
    Q.X2,
)
_STACKED = {
    **_SPECTRAL,
    E_hat: _R * sp.sqrt(sum(c**2 for c in _COEFFICIENTS)),
    mu: 4 / Q.n * ((1 - _R) / (1 + _R)) ** 2 * maximum(Q.s_all - E_hat, 0) ** 2,
}
WHERE = {"averaged": _LIPSCHITZ, "spectral": _SPECTRAL, "stacked": _STACKED}

_THOUSANDTH = sp.Rational(999, 1000)
BALL = (
    Condition("starts at the initialisation of Section 3", Q.paper_init, "=", sp.Integer(1)),
    Condition("the points are of a ball of averages", Q.averaged_ball, "=", sp.Integer(1)),
    Condition("R < 1", _R, "<=", _THOUSANDTH),
    Condition("a < 1", a, "<=", _THOUSANDTH),
    Condition("â < 1", a_hat, "<=", _THOUSANDTH),
)
_FITS = Condition("4 ℓ(0) <= R² μ", 4 * Q.loss0, "<=", _R**2 * mu)


def _certify(
    kind: str,
    name: str,
    lhs: sp.Expr,
    relation: str,
    rhs: sp.Expr,
    tex: str,
    meaning: str,
    tool: Tool,
    *premises: str,
    role: Role = Role.STEP,
    inputs: str = "a-priori",
    flow: bool = False,
    equality: Condition | None = None,
) -> None:
    register(
        Claim(
            f"averaged.{name}" if kind == "averaged" else f"averaged.{kind}-{name}",
            lhs,
            relation,
            rhs,
            Source("certificate", f"Proposition 5 and (10) per draw, ball of averages{'' if kind == 'averaged' else f', {kind}'}"),
            ("local-pl",),
            meaning,
            tex,
            role=role,
            edition="sharpened",
            inputs=inputs,
            where=WHERE[kind],
            hypotheses=(*BALL, *((_FITS,) if flow else ())),
            needs=frozenset({"lipschitz", "zero-at-zero"}),
            equality=equality,
            premises=premises,
            tool=tool,
        )
    )


_CENTRE = Condition("V = 0 at the centre", Q.ball_h_drift, "=", sp.Integer(0), trivial=True)
_certify(
    "averaged",
    "adjoint",
    Q.ball_p,
    ">=",
    2 * (1 - _R) * sp.exp(a * sp.log(1 - a_hat) / a_hat) * sp.sqrt(Q.ball_loss / Q.n),
    r"\|p_k\|_F \ge 2(1-R)e^{-a\kappa(\hat a)}\sqrt{\ell/n}",
    "Adjoint states cannot vanish while the loss does not.",
    Tool.DISCRETE_GRONWALL,
)
_PREMISES = {
    "averaged": ("averaged.activations", "averaged.adjoint"),
    "spectral": ("averaged.spectral-activations", "averaged.adjoint"),
    "stacked": ("averaged.spectral-hidden", "averaged.spectral-activations"),
}
for _kind, _drift, _tex in (
    ("averaged", g * Q.ball_Ax, r"\|h_k-Ax\|_F \le (e^a-1)\|Ax\|_F"),
    ("spectral", _R * (Q.S0 + D_hat) / sp.sqrt(Q.m), r"\|h_k-Ax\|_F \le R(S_0+\hat D)/\sqrt m"),
):
    _of = "averaged." if _kind == "averaged" else f"averaged.{_kind}-"
    _certify(
        *(_kind, "hidden", Q.ball_h_drift, "<=", _drift, _tex),
        "Hidden states change little with depth anywhere in the ball.",
        Tool.DISCRETE_GRONWALL if _kind == "averaged" else Tool.CAUCHY_SCHWARZ,
        equality=_CENTRE,
    )
    _certify(
        *(_kind, "activations", Q.ball_drift_rms, "<=", D_hat),
        r"\Big(\frac1L\sum_k\|S_k-\bar S\|_F^2\Big)^{1/2} \le \hat D",
        "Activations stay near those at the centre, on average over the layers.",
        Tool.CAUCHY_SCHWARZ,
        f"{_of}hidden",
        equality=Condition("all S_k are S̄ at the centre", Q.ball_drift_rms, "=", sp.Integer(0), trivial=True),
    )
for _kind in WHERE:
    _of = "averaged." if _kind == "averaged" else f"averaged.{_kind}-"
    _certify(
        *(_kind, "pl", Q.ball_gradient2, ">=", mu * Q.ball_loss),
        r"\Big\|\frac{\partial\ell^L}{\partial A^L}\Big\|_F^2 + L\sum_{k=1}^L\Big\|\frac{\partial\ell^L}{\partial Z_k^L}\Big\|_F^2"
        r" + \Big\|\frac{\partial\ell^L}{\partial B^L}\Big\|_F^2 \ge \mu\,\ell^L",
        "The PL condition with the certified μ, at points of the ball of averages.",
        Tool.PERTURBATION,
        *_PREMISES[_kind],
        role=Role.RESULT,
    )
    _certify(
        *(_kind, "stays", Q.displacement2, "<=", _R**2),
        r"\|A(t)-A(0)\|_F^2 + \tfrac1L\sum_k\|Z_k(t)-Z_k(0)\|_F^2 + \|B(t)-B(0)\|_F^2 \le R^2",
        "The plain flow never leaves the ball of averages.",
        Tool.POLYAK_LOJASIEWICZ,
        f"{_of}pl",
        flow=True,
        equality=START,
    )
    _certify(
        *(_kind, "rate", Q.descent_rate, ">=", mu * Q.loss),
        r"-\frac{d\ell^L}{dt} \ge \mu\,\ell^L",
        "The loss falls at rate μ at every saved time: PL along the flow.",
        Tool.POLYAK_LOJASIEWICZ,
        f"{_of}pl",
        "identities.energy-rate",
        inputs="instantaneous",
        flow=True,
    )
    _certify(
        *(_kind, "decay", Q.mean_rate, ">=", mu),
        r"\ell^L(t) \le e^{-\mu t}\,\ell^L(0)",
        "The loss decays at least at the certified rate, as ln(ℓ(0)/ℓ(t))/t >= μ.",
        Tool.GRONWALL,
        f"{_of}rate",
        role=Role.RESULT,
        flow=True,
    )
