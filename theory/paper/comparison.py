r"""Bounds for the plain flow (4) from the initialisation alone, as scalars that feed each other in time: a comparison system.

The initialisation is that of Section 3 with q >= d + d', so A(0), B(0)ᵀ have orthonormal columns with orthogonal ranges, V = 0, all W_k
are W, and ℓ(0) = ℓ₀ = mean |y_i|². p_k is the q x n matrix ∂ℓ/∂h_k (1/n inside), S_k = σ(W_kh_{k-1}/√q), S̄ its value for V = 0 and A(0),
W. All bounds hold for every k, and none but the caps depends on L:

1. *Energy.* With D = √(tℓ₀), `identities.displacement` gives |A-A(0)|_F, |B-B(0)|_F <= D and |V_k|_F, |W_k-W|_F <= √L D; two
   layers share one budget, so |Z_{k+1}-Z_k| <= √(2L) D whatever the network is: where this is the smaller, nothing is O(1/L) any more.
2. *Ends.* (BBᵀ)' = -(2/n)(2RRᵀ + RYᵀ + YRᵀ) with residuals R = BH - Y, at most YYᵀ/n as a quadratic form (complete the square), so
   |B|₂² <= 1 + tℓ₀. The conserved matrix gives AAᵀ = A(0)A(0)ᵀ - B(0)ᵀB(0) + BᵀB + (1/L)Σ(W_kᵀW_k - WᵀW - V_kV_kᵀ), and BᵀB <= 2B(0)ᵀB(0) +
   2(B-B(0))ᵀ(B-B(0)), so |A|₂² <= 1 + 2|B-B(0)|_F² + (2|W|₂ + R_W)R_W for |W_k-W|_F <= R_W: second order in what has moved.
3. *Depth.* a = K_σ/√(qm) min(v(|W|₂ + R_W), D|W|₂ + D²/2) as in `unclipped`: |h_{k,i}| <= e^aα max|x_i|, |p_k|_F <= 2βe^a√(ℓ/n). The drift
   |h_k-Ax|_F <= min((e^a-1)α|x|_F, vS/√m) bounds |h_k|₂ and, with R_W and D_A, D̂ >= |S_k-S̄|_F; S = min(M_σ√(mn), S₀ + D̂).
4. *Speeds.* |V_k'|_F <= PS/√m, |W_k'|_F <= K_σvPX/√(qm), |A'|_F <= PX₂, |B'|_F <= 2√(ℓ/n)X, and `variational.norm-rate-V`, `-W` for the
   differences ν, each of which is also below 2v, 2R_W.
5. *Loss.* -ℓ' >= |A'|² + |B'|² + (1/L)Σ|V_k'|² >= κℓ, from below as in the certificate: |p_k|_F >= 2(1-D_B)(1-a)√(ℓ/n), for
   Π(1-a_k) >= 1 - Σa_k; s_n(h_L) >= s_n(x) - |h_L - A(0)x|₂ and s_n(S_k) >= s_n(S̄) - D̂, each cut at 0. Where no singular value is
   certified, κ = 0.

*Comparison.* Let u(t) hold the true suprema over k of |V_k|_F, |W_k-W|_F, |A-A(0)|_F, |B-B(0)|_F, ν_V, ν_W, and λ(t) = ln(ℓ₀/ℓ(t)). Each g
of the rates is a speed over √ℓ. It is nondecreasing in t and in every component of the state, its own included (more than Kamke's
condition asks): it is built by +, x, min, exp and √ from nonnegative nondecreasing parts; κ is nonincreasing by the same token. So u' <=
√ℓ g(t, u), λ' >= κ(t, u). If on a step [s, s+h] some ȳ >= y(s) has z := y(s) + w g(s+h, ȳ) <= ȳ with w = ∫_0^h √ℓ₀ e^{-(λ(s) + κ(s+h,
ȳ)τ)/2} dτ, then u(s) <= y(s) implies u <= z on the step: as long as u <= ȳ, u grows by at most what z - y(s) allows up to that time, so it
cannot be the first to leave ȳ. `models/comparison.py` makes such steps: what it returns is a bound, at any number of steps, and no solution
of an equation has to be approximated for that.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy as sp
from sympy.codegen.cfunctions import expm1

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper import unclipped, variational
from depthlimit.theory.paper.prop7 import SMOOTH
from depthlimit.theory.quantity import maximum, minimum
from depthlimit.theory.registry import quantity, register

x_least = quantity("x_least", "s_n(x)", (), "n-th singular value of the d x n data matrix, 0 if d < n").symbol
moved_W_most = quantity("moved_W_most", r"\max_k\|W_k(t)-W(0)\|_F", ("batch", "time"), "largest displacement of a W_k", local=False).symbol
INPUTS = (
    *(Q.q, Q.m, Q.L, Q.n, Q.trained_ends, Q.mean_y2, Q.w0, Q.S0, Q.s0, Q.X2, Q.XF, Q.M_X, x_least),
    *(Q.K_sigma, Q.S2, unclipped.M_sigma),
)
LOWER = (Q.s0, x_least)  # inputs of which a lower end bounds; of the others it is the upper end
STATE = tuple(sp.Symbol(s, nonnegative=True) for s in ("V", "W", "A", "B", "nu_V", "nu_W"))
_V, _W, _A, _B, _nu_V, _nu_W = STATE

(D, v, R_W, D_A, D_B, growth, alpha, beta, crude, drift, X, moved, S, H, G, kappa) = (
    sp.Symbol(s, nonnegative=True)
    for s in ("D", "v", "R_W", "D_A", "D_B", "growth", "alpha", "beta", "crude", "drift", "X", "moved", "S", "H", "G", "kappa")
)


def _activation(stretch: sp.Expr) -> sp.Expr:
    """D̂ for |h_k-Ax|_F <= stretch."""
    return Q.K_sigma / sp.sqrt(Q.q) * (R_W * (alpha * Q.X2 + stretch) + Q.w0 * (stretch + D_A * Q.X2))


def _saturated(change: sp.Expr) -> sp.Expr:
    return minimum(unclipped.M_sigma * sp.sqrt(Q.m * Q.n), Q.S0 + change)


def _above(value: sp.Expr) -> sp.Expr:
    return maximum(value, 0)


_WEIGHTS = variational.norm_constants({"v": v, "w": Q.w0 + R_W, "X": X, "H": H, "S": S, "hd_F": v * S / sp.sqrt(Q.m)})
_PULL = _above(1 - growth) * _above(1 - D_B)  # |p_k|_F over 2√(ℓ/n), from below


@dataclass(frozen=True)
class System:
    """The comparison system: definitions in the order of need, speeds over √ℓ of `STATE`, and which definitions bound what.

    G is the bound of |p_k|_F over √ℓ, kappa the rate of the loss.
    """

    definitions: dict[sp.Symbol, sp.Expr]
    rates: tuple[sp.Expr, ...]


SYSTEM = System(
    {
        D: sp.sqrt(Q.t * Q.mean_y2),
        v: minimum(_V, sp.sqrt(Q.L) * D),
        R_W: minimum(_W, sp.sqrt(Q.L) * D),
        D_A: minimum(_A, D),
        D_B: minimum(_B, D),
        growth: Q.K_sigma / sp.sqrt(Q.q * Q.m) * minimum(v * (Q.w0 + R_W), D * Q.w0 + D**2 / 2),
        alpha: minimum(1 + D_A, sp.sqrt(1 + 2 * D_B**2 + (2 * Q.w0 + R_W) * R_W)),
        beta: minimum(1 + D_B, sp.sqrt(1 + D**2)),
        crude: expm1(growth) * alpha * Q.XF,
        drift: minimum(crude, v * _saturated(_activation(crude)) / sp.sqrt(Q.m)),
        X: alpha * Q.X2 + drift,
        moved: _activation(drift),
        S: _saturated(moved),
        H: sp.exp(growth) * alpha * Q.M_X,
        G: 2 * beta * sp.exp(growth) / sp.sqrt(Q.n),
        kappa: 4
        / Q.n
        * (
            _PULL**2 * (Q.trained_ends * x_least**2 + _above(Q.s0 - moved) ** 2 / Q.m)
            + Q.trained_ends * _above(x_least - drift - D_A * Q.X2) ** 2
        ),
        **_WEIGHTS,
    },
    (
        G * S / sp.sqrt(Q.m),
        Q.K_sigma * v * G * X / sp.sqrt(Q.q * Q.m),
        G * Q.X2,
        2 * X / sp.sqrt(Q.n),
        G * (variational.n1 * minimum(_nu_W, 2 * R_W) + variational.c_V / Q.L),
        G * (variational.n1 * minimum(_nu_V, 2 * v) + variational.n2 * minimum(_nu_W, 2 * R_W) + variational.c_W / Q.L),
    ),
)
BOUNDS = {  # what the system bounds at a time, but for the loss, and for p, which is G √(nℓ)
    "A": alpha,
    "B": beta,
    "h": H,
    "V": v,
    "W": R_W,
    "gap": minimum(sp.sqrt(minimum(_nu_V, 2 * v) ** 2 + minimum(_nu_W, 2 * R_W) ** 2), sp.sqrt(2 * Q.L) * D),
}


def _compared(name: str, latex: str, meaning: str) -> sp.Symbol:
    return quantity(f"{name}_compared", latex, ("time",), f"the comparison system's bound for {meaning}").symbol


_LIPSCHITZ = frozenset({"lipschitz", "zero-at-zero"})
_SOURCE = Source("Theorem 4", "comparison system for the plain flow")


def _claim(name: str, lhs: sp.Expr, rhs: sp.Expr, tex: str, meaning: str, *premises: str, **more: object) -> None:
    options = {"needs": _LIPSCHITZ, "role": Role.LEMMA, "hypotheses": unclipped.INITIALISED, "tool": Tool.GRONWALL, **more}
    start = Condition("both sides agree within the radii (short times)", lhs, "=", rhs, trivial=True)
    register(
        Claim(
            f"comparison.{name}",
            lhs,
            "<=",
            rhs,
            _SOURCE,
            ("plain-flow",),
            meaning,
            tex,
            edition="sharpened",
            equality=start,
            premises=premises,
            **options,  # type: ignore[arg-type]
        )
    )


_TRAINED = Condition("A and B are trained too", Q.trained_ends, "=", sp.Integer(1))
_claim(
    "B-root",
    unclipped.B_op_t,
    sp.sqrt(1 + Q.t * Q.mean_y2),
    r"\|B(t)\|_2^2 \le 1 + t\,\ell(0)",
    "The operator norm of B grows at most like the root of time.",
    "identities.B-growth",
    "identities.initial-loss",
    needs=frozenset(),
    tool=Tool.TRIANGLE,
)
_claim(
    "A-balance",
    unclipped.A_op**2,
    1 + 2 * Q.moved_B**2 + (2 * Q.w0 + moved_W_most) * moved_W_most,
    r"\|A\|_2^2 \le 1 + 2\|B-B(0)\|_F^2 + (2\|W(0)\|_2+R_W)R_W,\quad R_W = \max_k\|W_k-W(0)\|_F",
    "By the conserved matrix A grows to second order in what B and W have moved.",
    "identities.conserved-matrix",
    inputs="along-trajectory",
    hypotheses=(*unclipped.INITIALISED, _TRAINED),
    needs=frozenset(),
    tool=Tool.TRIANGLE,
)
_spread = Q.K_sigma / sp.sqrt(Q.q * Q.m) * (D * Q.w0 + D**2 / 2)
_claim(
    "decay",
    4
    / Q.n
    * (
        (_above(1 - Q.moved_B) * _above(1 - growth) * x_least) ** 2
        + _above(x_least - (sp.exp(growth) - 1) * (1 + Q.moved_A) * Q.XF - Q.moved_A * Q.X2) ** 2
    )
    * Q.loss,
    Q.descent_rate,
    r"-\frac{d\ell}{dt} \ge \frac{4\ell}{n}\Big((1-\|B-B(0)\|_F)_+^2(1-a)_+^2s_n(x)^2"
    r" + \big(s_n(x)-(e^a-1)(1+\|A-A(0)\|_F)\|x\|_F-\|A-A(0)\|_F\|x\|_2\big)_+^2\Big)",
    "With no more samples than input dimensions the two ends alone make the loss decay while little has moved.",
    "identities.energy-rate",
    inputs="along-trajectory",
    where={D: sp.sqrt(Q.t * Q.mean_y2), growth: _spread},
    hypotheses=(*unclipped.INITIALISED, _TRAINED, Condition("n <= d", Q.n, "<=", Q.d)),
    tool=Tool.PERTURBATION,
)
for _name, _lhs, _latex, _meaning, _premises in (
    ("A", unclipped.A_op, r"\hat\alpha", "the operator norm of A", ("comparison.A-balance",)),
    ("B", unclipped.B_op_t, r"\hat\beta", "the operator norm of B", ("comparison.B-root",)),
    ("loss", Q.loss_t, r"\hat\ell", "the loss", ("comparison.decay",)),
    ("h", unclipped.h_max, r"\hat H", "every hidden state", ("comparison.A",)),
    ("p", unclipped.p_mean, r"\sqrt n\hat P", "the mean norm of adjoint states", ("comparison.B", "comparison.loss")),
    ("V", Q.moved_V, r"\hat v", "every V_k", ("comparison.p",)),
    ("W", Q.moved_W, r"\hat R_W", "the displacement of every W_k", ("comparison.V", "comparison.h")),
):
    _bound = _compared(_name, f"{_latex}(t)", _meaning)
    _claim(_name, _lhs, _bound, f"{_latex}(t)", f"The comparison system bounds {_meaning}.", *_premises)
_claim(
    "gap",
    Q.gap,
    _compared("gap", r"|\hat\nu(t)|", "successive differences"),
    r"\|Z_{k+1}(t)-Z_k(t)\| \le |\hat\nu(t)|,\quad \dot{\hat\nu} = \hat P(\hat N\hat\nu + \hat c/L)",
    "Without clipping successive weights stay O(1/L) apart, by scalars that feed each other in time: from norms at the start alone.",
    "comparison.V",
    "comparison.W",
    "variational.norm-rate-V",
    "variational.norm-rate-W",
    needs=SMOOTH,
    role=Role.RESULT,
)
