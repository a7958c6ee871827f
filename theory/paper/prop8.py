r"""Proposition 8 (Appendix A.2, pages 17-20): its quantities, its constants, and where its hypotheses are met.

For model (3) K₂ contains e^{K₁} with K₁ = K_σM_Z²/(2√(qm)): with q = 4 and m = 64 of Section 3, K₁ = 35, K₂ = 10^16 and μ of (22) has
10^15 digits, so no computer reaches a loss small enough. The proposition is about the general network (12), and there all of it can be met:
f = Zh or h ⊙ sin z with small weights, n <= d, and labels so near to the initial output that a proven PL constant exceeds μ of (22).
With s = s_min(B_initᵀ), x_n the n-th singular value of the data, and the ball of radius M around the initialisation,

    |∂ℓ/∂A|² >= (1/n²) x_n² |P_0|² >= (4/n) (1 - K₁/L)^{2L} (s - M)² x_n² ℓ         (14), (13), |P_L|² = 4|BᵀR|² >= 4 (s - M)² n ℓ
    |∂ℓ/∂B|² >= (4/n²) s_n(H_L)² |R|²,  s_n(H_L) >= s_n(A_init x) - M|x|₂ - (e^{K₁} - 1) M_A |x|_F          (16), Weyl

and the sum of both is below the left side of Definition 1. So each line of A.2 is checked with the printed constants, under the printed
hypotheses, where it may fail. (22) has the supremum of ℓ^L(0) over L; at one depth the proof needs that depth's, which is put in.

Sharper than (22): adjoint states grow by e^{K₁}, the Z line needs K₂ only, and the ball may be left at M and not at M/2: the proof goes
through with μ♯ = max(M_B K₂, M_B M_X, M_A M_X) 4 e^{K₁} √ℓ(0)/M, since 1 - e^{-μt/2} < 1. PL with any μ also bounds the length of the path
in the weighted norm, ∫_t^∞ |θ'| <= 2√(ℓ(t)/μ) (d√ℓ/dt = -|θ'|²/(2√ℓ) <= -√μ |θ'|/2), which needs no bound on p at all.
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.general import measured
from depthlimit.theory.paper.prop7 import SMOOTH, E_h, K, Kp
from depthlimit.theory.quantity import maximum
from depthlimit.theory.registry import register

# --- constants of the instance
R_pl = measured("R_pl", "M", "", "radius of the ball around the initialisation", exact=True)
A0_op = measured("A0_op", r"\|A^{\mathrm{init}}\|_2", "", "operator norm of the initial A")
B0_op = measured("B0_op", r"\|B^{\mathrm{init}}\|_2", "", "operator norm of the initial B")
B0_min = measured("B0_min", r"s_{\min}(B^{\mathrm{init}\top})", "", "smallest singular value of the initial B, d' x q")
Z0_sup = measured("Z0_sup", r"\sup_s\|Z^{\mathrm{init}}(s)\|", "", "largest initial norm of Z over all s")
Z0_slope = measured("Z0_slope", r"\mathrm{Lip}(Z^{\mathrm{init}})", "", "Lipschitz constant of Z_init")
X_min = measured("X_min", "s_n(x)", "", "n-th singular value of the data, 0 if n > d")
AX_min = measured("AX_min", r"s_n(A^{\mathrm{init}}x)", "", "n-th singular value of the first hidden states at t = 0, 0 if n > d")
K1_pl = measured("K1_pl", r"\sup_{\|z\|\le M_Z}\|\partial_1f\|_2", "", "K₁ of (22), in closed form", exact=True)
K2_pl = measured("K2_pl", r"\sup_E\|\partial_2f\|_2", "", "K₂ of (22) over its compact E, in closed form", exact=True)
K22_pl = measured("K22_pl", r"\sup_E\|\partial_{22}f\|_2", "", "first term of K' over that E", exact=True)
K21_pl = measured("K21_pl", r"\sup_E\|\partial_{21}f\|_2", "", "second term of K' over that E", exact=True)

# --- along the flow
moved_Z = measured("moved_Z", r"\|Z_k(t)-Z_k(0)\|", "BTL", "displacement of Z_k", local=False)
A_flow_speed = measured("A_flow_speed", r"\|\dot A(t)\|_F", "BT", "speed of A", local=False)
Z_flow_speed = measured("Z_flow_speed", r"\|\dot Z_k(t)\|", "BTL", "speed of Z_k along the flow", local=False)
B_flow_speed = measured("B_flow_speed", r"\|\dot B(t)\|_F", "BT", "speed of B", local=False)
gradient2 = measured(
    "gradient2", r"\|\partial_A\ell\|_F^2+L\sum_k\|\partial_{Z_k}\ell\|^2+\|\partial_B\ell\|_F^2", "BT", "left side of Definition 1"
)
inner_rate = measured(
    "inner_rate", r"-\langle\nabla\ell,\dot\theta\rangle", "BT", "minus the product of derivatives by forward mode and velocities"
)
r_size = measured("r_size", r"\|F(x_i)-y_i\|", "BTN", "norm of the error of each sample")
r_mean = measured("r_mean", r"\tfrac1n\sum_i\|F(x_i)-y_i\|", "BT", "mean norm of the error", local=False)
velocity_gap = measured(
    "velocity_gap", r"\|\dot Z_{k+1}-\dot Z_k\|", "BTL", "difference of successive velocities along the flow", local=False
)
p_path = measured("p_path", r"\tfrac1n\sum_i\int_0^t\|p_{k,i}\|d\tau", "BTL", "integral of the mean adjoint state, k = 1..L", local=False)
pull_path = measured(
    "pull_path", r"\tfrac1n\sum_i\int_0^t\|\partial_2f^\top p_{k,i}\|d\tau", "BTL", "integral of the products of (15)", local=False
)
px_path = measured("px_path", r"\int_0^t\tfrac1n\sum_i\|p_{0,i}x_i^\top\|_Fd\tau", "BT", "integral of the products of (14)", local=False)
rh_path = measured(
    "rh_path", r"\int_0^t\tfrac2n\sum_i\|(F(x_i)-y_i)h_{L,i}^\top\|_Fd\tau", "BT", "integral of the products of (16)", local=False
)
gap_decay_path = measured(
    "gap_decay_path", r"\int_0^te^{-\mu\tau/2}\|Z_{k+1}-Z_k\|d\tau", "BTL", "weighted integral of the successive difference", local=False
)
rest_A = measured("rest_A", r"\int_t^\infty\|\dot A\|_Fd\tau", "BT", "length of the rest of the path of A", local=False)
tail_A = measured("tail_A", r"\|A_\infty-A(t)\|_F", "BT", "distance of A to its limit", local=False)
tail_Z = measured("tail_Z", r"\|Z_{k,\infty}-Z_k(t)\|", "BTL", "distance of Z_k to its limit", local=False)
tail_B = measured("tail_B", r"\|B_\infty-B(t)\|_F", "BT", "distance of B to its limit", local=False)

_S = sp.Symbol
M_A, M_B, M_Z, mu, K1, K2, C1, C2, Kt, b, pl, rho, mu_sharp = (
    _S(s, nonnegative=True) for s in ("M_A", "M_B", "M_Z", "mu", "K_1", "K_2", "C_1", "C_2", "Ktilde", "b", "mu_PL", "rho", "mu_sharp")
)
_LARGEST = maximum(M_B * K, M_B * Q.M_X, M_A * Q.M_X)
FADING = sp.exp(-mu * Q.t / 2)
ADJOINT = 2 * sp.exp(K) * M_B * sp.sqrt(Q.loss0)
WHERE = {
    M_A: A0_op + R_pl,
    M_B: B0_op + R_pl,
    M_Z: Z0_sup + R_pl,
    K1: K1_pl,
    E_h: sp.exp(K1) * M_A * Q.M_X,
    K2: K2_pl,
    K: maximum(K1, K2),
    Kp: maximum(K22_pl, K21_pl),
    mu: _LARGEST * 8 * sp.exp(K) / R_pl * sp.sqrt(Q.loss0),
    mu_sharp: maximum(M_B * K2, M_B * Q.M_X, M_A * Q.M_X) * 4 * sp.exp(K1) / R_pl * sp.sqrt(Q.loss0),
    C1: K**2 + Kp * K * sp.exp(K) * M_A * Q.M_X,
    C2: Kp,
    Kt: (Z0_slope + C1 * R_pl / (2 * Q.M_X)) * sp.exp(C2 * R_pl / (2 * Q.M_X)),
    b: mu * R_pl / 4 * FADING,
    rho: sp.exp(Q.L * sp.log(1 - K1 / Q.L)),
    pl: 4
    / Q.n
    * (rho**2 * maximum(B0_min - R_pl, 0) ** 2 * X_min**2 + maximum(AX_min - R_pl * Q.X2 - (sp.exp(K1) - 1) * M_A * Q.XF, 0) ** 2),
}
DEEP = Condition("K₁ < L", K1, "<=", sp.Rational(999, 1000) * Q.L)
PL = (DEEP, Condition("the (M, μ)-local PL condition with μ of (22), by its certificate", mu, "<=", pl))
PL_SHARP = (DEEP, Condition("the (M, μ♯)-local PL condition, by its certificate", mu_sharp, "<=", pl))
START = Condition("t = 0, or nothing has moved", Q.t, "=", sp.Integer(0), trivial=True)
REGIMES = ("general-long",)
_8 = "Proposition 8"


def closure(*expressions: sp.Expr) -> dict[sp.Symbol, sp.Expr]:
    """The definitions that expressions use."""
    used: dict[sp.Symbol, sp.Expr] = {}
    pending = [sp.sympify(e) for e in expressions]
    while pending:
        new = {s: WHERE[s] for s in pending.pop().free_symbols if s in WHERE and s not in used}
        used |= new
        pending += new.values()
    return {k: v for k, v in WHERE.items() if k in used}


def line(
    label: str,
    lhs: sp.Expr,
    relation: str,
    rhs: sp.Expr,
    page: int | None,
    tex: str,
    meaning: str,
    *,
    edition: str = "as-printed",
    inputs: str = "a-priori",
    regimes: tuple[str, ...] = REGIMES,
    hypotheses: tuple[Condition, ...] = PL,
    equality: Condition | None = None,
    premises: tuple[str, ...] = (),
    tool: Tool = Tool.TRIANGLE,
    equation: str = "",
    role: Role = Role.STEP,
    expect: str | None = None,
    note: str = "",
) -> None:
    """Register a line of A.2 with the constants of (22); `premises` are labels without `prop8.`, or full ones with a dot."""
    sides = [e for c in (*hypotheses, *([equality] if equality else [])) for e in (c.lhs, c.rhs)]
    register(
        Claim(
            f"prop8.{label}",
            lhs,
            relation,
            rhs,
            Source(_8, "statement" if role in (Role.RESULT, Role.HYPOTHESIS) else "proof", equation, page),
            regimes,
            meaning,
            tex,
            role=role,
            edition=edition,
            inputs=inputs,
            where=closure(lhs, rhs, *sides),
            hypotheses=hypotheses,
            needs=SMOOTH,
            equality=equality,
            premises=tuple(p if "." in p else f"prop8.{p}" for p in premises),
            tool=tool,
            expect=expect,
            note=note,
        )
    )
