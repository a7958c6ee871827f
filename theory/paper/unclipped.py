r"""Theorem 4's hypotheses for the plain flow (4), without clipping: bounds that do not depend on L, from ℓ(0), t and the initialisation.

At the initialisation of Section 3, A and B have orthonormal columns and rows, V = 0, all W_k are W, and ℓ₀ = mean |y_i|² (q >= d + d').
Let |x_i| <= √q. With D = √(tℓ₀), by `identities.displacement` |A-A(0)|² + |B-B(0)|² + (1/L) Σ_k (|V_k|² + |W_k-W|²) <= D², hence

* |A|₂, |B|₂ <= 1 + D.
* One layer multiplies |h| and |p| by at most 1 + K_σ|V_k|₂|W_k|₂/(L√(qm)), and (1/L) Σ |V_k|₂(|W|₂ + |W_k-W|₂) <= v|W|₂ + vw for root
  mean squares v² + w² <= D², so vw <= D²/2: growth at most e^a, a = K_σ(D|W|₂ + D²/2)/√(qm) (D²/2: v and w share one budget).
* |h_{k,i}| <= e^a(1+D)√q = H. p_{L,i} = 2Bᵀ(F(x_i)-y_i): (1/n) Σ|p_{k,i}| <= 2(1+D)e^a√ℓ₀ = G (mean |.| <= √(mean |.|²), and ℓ falls).
* |V_k'|_F <= (1/n) Σ|p_{k,i}||S_{k,i}|/√m and |S_{k,i}| <= M_σ√m: |V_k(t)|_F <= tM_σG.
* |W_k'|_F <= (1/n) Σ|V_k|₂|p_{k,i}|K_σ|h_{k-1,i}|/√(qm), and |V_k(s)| <= sM_σG(t): |W_k(t)-W|_F <= t²K_σM_σG²H/(2√(qm)), the ½ from ∫s
  ds.

Successive weights start at Δ(0) = 0. In the norm version (`variational.norm`) take, as matrices, P = 2(1+D_B)e^a√(ℓ₀/n) >= |p_k|_F
(Cauchy-Schwarz once less), X = (1+D_A)(X₂ + ae^aX_F) >= |h_k|₂ (e^a - 1 <= ae^a), S = min(M_σ√(mn), S₀ + D̂) >= |S_k|₂ with the drift D̂
of the activations from S̄ = σ(W̄Āx/√q) as in the certificate, v = tPS/√m >= |V_k|_F, |W_k - W|_F <= tK_σPvX/(2√(qm)), hd_F <= vS/√m.
These feed each other, and what was bounded with crude inputs is bounded again with the results: D_A <= tPX₂, D_B <= 2t√(ℓ₀/n)X and a <=
K_σvw/√(qm) replace D and a where they are smaller. Two rounds; each is valid because its inputs are. Since v(s) <= (s/t)v(t), c_V(s) <=
(s/t)c_V(t) and c_W(s) <= (s/t)²c_W(t):

    |Δ_k(t)| <= e^{μPt} (Pt/L) √( (c_V/2)² + (c_W/3)² ).
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper import variational
from depthlimit.theory.paper.prop7 import SMOOTH
from depthlimit.theory.quantity import minimum
from depthlimit.theory.registry import quantity, register

_BT, _BTL = ("batch", "time"), ("batch", "time", "layer")
M_sigma = quantity("M_sigma", r"M_\sigma", (), "supremum sup|σ| of the activation, certified enclosure", exact=True).symbol
A_op = quantity("A_op", r"\|A(t)\|_2", _BT, "operator norm of A along the flow", local=False).symbol
B_op_t = quantity("B_op_t", r"\|B(t)\|_2", _BT, "operator norm of B along the flow", local=False).symbol
h_max = quantity("h_max", r"\max_i\|h_{k,i}(t)\|", _BTL, "largest hidden state, k = 0..L", local=False).symbol
p_mean = quantity("p_mean", r"\tfrac1n\sum_i\|p_{k,i}(t)\|", _BTL, "mean norm of the adjoint, k = 0..L", local=False).symbol
gap_last = quantity(
    "gap_last", r"\max_k\|Z_{k+1}(T)-Z_k(T)\|", (), "largest successive difference at the horizon, Euclidean", local=False
).symbol
gap_floor = quantity("gap_floor", r"10\epsilon", (), "ten times the error that a flow is allowed in a successive difference").symbol

D, a, G, H = (sp.Symbol(s, nonnegative=True) for s in ("D", "a_D", "G", "H"))


def energy(time: sp.Expr) -> dict[sp.Symbol, sp.Expr]:
    """D, a, G and H at a time."""
    return {
        D: sp.sqrt(time * Q.mean_y2),
        a: Q.K_sigma * (D * Q.w0 + D**2 / 2) / sp.sqrt(Q.q * Q.m),
        G: 2 * (1 + D) * sp.exp(a) * sp.sqrt(Q.mean_y2),
        H: sp.exp(a) * (1 + D) * sp.sqrt(Q.q),
    }


def matrices(time: sp.Expr, rounds: int = 2) -> tuple[dict[str, sp.Expr], dict[sp.Symbol, sp.Expr]]:
    """Bounds on P, v, w, X, H, S, hd_F at a time, by name, and the definitions of the symbols that they use."""
    where = energy(time)
    root_qm, root_m = sp.sqrt(Q.q * Q.m), sp.sqrt(Q.m)
    D_A: sp.Expr = D
    D_B: sp.Expr = D
    growth: sp.Expr = a
    moved: sp.Expr | None = None  # bound on |W_k - W|_F of the round before
    names: dict[str, sp.Expr] = {}
    for j in range(rounds + 1):
        P, X, S, v, R_W, e = (sp.Symbol(f"{s}_{j}", nonnegative=True) for s in ("P", "X", "S", "v", "R_W", "a"))
        where[e] = growth
        where[P] = 2 * (1 + D_B) * sp.exp(e) * sp.sqrt(Q.mean_y2 / Q.n)
        where[X] = (1 + D_A) * (Q.X2 + e * sp.exp(e) * Q.XF)
        where[S] = M_sigma * sp.sqrt(Q.m * Q.n)
        if moved is not None:
            drift = Q.K_sigma / sp.sqrt(Q.q) * (moved * X + Q.w0 * (1 + D_A) * Q.XF * e * sp.exp(e) + Q.w0 * D_A * Q.X2)
            where[S] = minimum(where[S], Q.S0 + drift)
        where[v] = time * P * S / root_m
        where[R_W] = time * Q.K_sigma * P * v * X / (2 * root_qm)
        names = {"P": P, "v": v, "w": Q.w0 + R_W, "X": X, "H": (1 + D_A) * sp.exp(e) * sp.sqrt(Q.q), "S": S, "hd_F": v * S / root_m}
        moved = R_W
        D_A, D_B = minimum(D, time * P * Q.X2), minimum(D, 2 * time * sp.sqrt(Q.mean_y2 / Q.n) * X)
        growth = minimum(e, Q.K_sigma * v * names["w"] / root_qm)
    return names, where


INITIALISED = (
    Condition("starts at the initialisation of Section 3", Q.paper_init, "=", sp.Integer(1)),
    Condition("q >= d + d', so that the output starts at 0", Q.d + Q.dout, "<=", Q.q),
)
_HYPOTHESES = (*INITIALISED, Condition("|x_i| <= √q", Q.M_X, "<=", sp.sqrt(Q.q)))
_SATURATED = frozenset({"lipschitz", "zero-at-zero", "bounded"})
_V = Q.t * M_sigma * G
for _name, _lhs, _rhs, _tex, _meaning, _needs, _tool in (
    ("A", A_op, 1 + D, r"\|A(t)\|_2 \le 1 + \sqrt{t\ell(0)}", "A moves by at most D.", frozenset(), Tool.TRIANGLE),
    ("B", B_op_t, 1 + D, r"\|B(t)\|_2 \le 1 + \sqrt{t\ell(0)}", "B moves by at most D.", frozenset(), Tool.TRIANGLE),
    ("hidden", h_max, H, r"\|h_{k,i}(t)\| \le e^{a(t)}(1+D)\sqrt q", "Hidden states stay bounded.", SMOOTH, Tool.DISCRETE_GRONWALL),
    (
        "adjoint",
        p_mean,
        G,
        r"\frac1n\sum_i\|p_{k,i}(t)\| \le 2(1+D)e^{a(t)}\sqrt{\ell(0)}",
        "Adjoint states stay bounded in the mean.",
        SMOOTH,
        Tool.DISCRETE_GRONWALL,
    ),
    (
        "V",
        Q.moved_V,
        _V,
        r"\|V_k(t)\|_F \le 2tM_\sigma(1+D)e^{a(t)}\sqrt{\ell(0)}",
        "Every V_k grows at most linearly.",
        _SATURATED,
        Tool.SUPREMUM,
    ),
    (
        "W",
        Q.moved_W,
        Q.t**2 * Q.K_sigma * M_sigma * G**2 * H / (2 * sp.sqrt(Q.q * Q.m)),
        r"\|W_k(t)-W(0)\|_F \le \frac{t^2K_\sigma M_\sigma G^2H}{2\sqrt{qm}}",
        "Every W_k moves at most quadratically in time.",
        _SATURATED,
        Tool.SUPREMUM,
    ),
):
    register(
        Claim(
            f"unclipped.{_name}",
            _lhs,
            "<=",
            _rhs,
            Source("Theorem 4", "hypotheses for the plain flow"),
            ("plain-flow",),
            f"Without clipping: {_meaning}",
            _tex,
            role=Role.LEMMA,
            edition="sharpened",
            where=energy(Q.t),
            hypotheses=_HYPOTHESES,
            needs=_needs,
            equality=Condition("at the start, or nothing has moved", _lhs, "=", _rhs, trivial=_name != "adjoint"),
            premises=("identities.displacement", "identities.initial-loss"),
            tool=_tool,
        )
    )
_names, _where = matrices(Q.T)
_where |= variational.norm_constants(_names)
register(
    Claim(
        "unclipped.gap",
        gap_last,
        "<=",
        sp.exp(variational.growth() * Q.T * _names["P"])
        * (Q.T * _names["P"] / Q.L)
        * sp.sqrt((variational.c_V / 2) ** 2 + (variational.c_W / 3) ** 2),
        Source("Theorem 4", "successive weights for the plain flow"),
        ("plain-flow",),
        "Without clipping: successive weights stay O(1/L) apart, from the data and the initialisation alone.",
        r"\|Z_{k+1}(T)-Z_k(T)\| \le e^{\mu PT}\frac{PT}{L}\sqrt{(c_V/2)^2+(c_W/3)^2}",
        edition="sharpened",
        where=_where,
        hypotheses=(*_HYPOTHESES, Condition("successive weights have parted by more than a flow may err", gap_floor, "<=", gap_last)),
        needs=SMOOTH | {"bounded"},
        premises=("variational.norm-rate-V", "variational.norm-rate-W", "unclipped.adjoint", "unclipped.hidden"),
        tool=Tool.GRONWALL,
        scale="log10",
        note="A formula, with a constant that does not depend on L. comparison.gap lies below it, within a thousand times the gap"
        " where Tℓ(0) <= 0.1, and no tower beyond, where e^{a} takes over here.",
    )
)
