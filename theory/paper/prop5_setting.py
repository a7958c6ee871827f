r"""Proposition 5 (pages 6 and 32 to 35): its quantities, its constants and its hypotheses, each once for all lines of the proof.

The constants are those of pages 32, 34 and 35, in the order in which the proof builds them; η is |η_r(σ)|, since η_r may be negative and
the proof divides by it. Points of the ball of Definition 1 are taken in the largest reading of its norm on Z = (V, W): |V_k - V̄_k|_F <= M
and |W_k - W̄_k|_F <= M each. All that the proof uses of Z is that, so whatever holds there holds with the Euclidean norm and the sum.
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Condition
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.quantities import B_, L_
from depthlimit.theory.paper.unclipped import M_sigma
from depthlimit.theory.quantity import maximum, minimum
from depthlimit.theory.registry import quantity


def _number(name: str, latex: str, meaning: str, *, exact: bool = False) -> sp.Symbol:
    return quantity(name, latex, (), meaning, exact=exact).symbol


def _point(name: str, latex: str, meaning: str) -> sp.Symbol:
    return quantity(name, latex, (B_,), meaning).symbol


def _layer(name: str, latex: str, meaning: str) -> sp.Symbol:
    return quantity(name, latex, (B_, L_), meaning).symbol


# --- numbers of an instance
r = _number("hermite_order", "r", "order of the Hermite coefficient that Proposition 5 is applied with", exact=True)
eta = _number("eta", r"|\eta_r(\sigma)|", "size of the r-th Hermite coefficient of σ, certified enclosure", exact=True)
v_x2 = _number("v_x2", "v_x^2", "sub-Gaussian variance proxy of √(d/q) x, from above: P(|⟨x, u⟩| >= t) <= 2exp(-t²/(2v_x²))", exact=True)
W_bar = _number("W_bar", r"\|\bar W\|_F", "Frobenius norm of the initial W")
W_bar_4 = _number("W_bar_4", r"\|\bar W\|_F\text{ at width }4m", "Frobenius norm of the initial W drawn at four times the width")
s_tilde = _number("s_tilde", r"s_{\min}(\sigma(\tilde W\tilde x))", "n-th singular value of σ of the first d columns of W̄ times x/√q")
loss_start = _number("loss_start", r"\ell^L(0)", "loss at the initialisation")

# --- points of the ball
at_A = _point("at_A", r"\|A\|_2", "operator norm of A at points of the ball")
at_B = _point("at_B", r"\|B\|_2", "operator norm of B at points of the ball")
at_B_min = _point("at_B_min", r"s_{\min}(B)", "smallest singular value of B at points of the ball")
at_BB_min = _point("at_BB_min", r"\lambda_{\min}(BB^\top)", "smallest eigenvalue of BBᵀ at points of the ball")
at_h0 = _point("at_h0", r"\|h_0\|_F", "first hidden states of all samples")
at_p_last = _point("at_p_last", r"\|p_L\|_F", "last adjoint state of all samples, with its 1/n")
at_residual = _point("at_residual", r"\|Bh_L-y\|_F", "errors of all samples")
at_pulled = _point("at_pulled", r"\|B^\top(Bh_L-y)\|_F", "Bᵀ applied to the errors")
at_trace = _point("at_trace", r"\mathrm{Tr}(RR^\top BB^\top)", "the trace in the proof of Lemma 18, R = Bh_L - y")
at_A_drift = _point("at_A_drift", r"\|Ax-\bar Ax\|_F", "change of the first hidden states against the centre")
dist_A = _point("dist_A", r"\|A-\bar A\|_F", "distance of A from the centre")
dist_B = _point("dist_B", r"\|B-\bar B\|_F", "distance of B from the centre")
at_V = _layer("at_V", r"\|V_{k+1}\|_F", "norm of V, k = 0..L-1, and its distance from the centre")
at_W = _layer("at_W", r"\|W_{k+1}\|_F", "norm of W, k = 0..L-1")
dist_W = _layer("dist_W", r"\|W_{k+1}-\bar W\|_F", "distance of W from the centre, k = 0..L-1")
at_h = _layer("at_h", r"\|h_k\|_F", "hidden states of all samples, k = 0..L-1")
at_h_next = _layer("at_h_next", r"\|h_{k+1}\|_F", "hidden states of all samples, k+1 = 1..L")
at_layer = _layer("at_layer", r"\|h_k+V_{k+1}S_{k+1}/(L\sqrt m)\|_F", "what (46) makes of the hidden states before, k = 0..L-1")
at_p = _layer("at_p", r"\|p_k\|_F", "adjoint states of all samples with their 1/n, k = 0..L-1")
at_p_next = _layer("at_p_next", r"\|p_{k+1}\|_F", "adjoint states of all samples with their 1/n, k+1 = 1..L")
at_s = _layer("at_s", r"s_{\min}(S_{k+1})", "n-th singular value of S_{k+1} = σ(W_{k+1}h_k/√q), 0 if m < n, k = 0..L-1")
at_S_drift = _layer("at_S_drift", r"\|S_{k+1}-\bar S\|_F", "change of the activations against the centre, k = 0..L-1")
at_S_drift2 = _layer("at_S_drift2", r"\|S_{k+1}-\bar S\|_2", "the same in the operator norm, k = 0..L-1")
at_S_drift_max = _layer("at_S_drift_max", r"s_{\max}(S_{k+1}-\bar S)", "the same from the eigenvalues of the Gram matrix, k = 0..L-1")
at_h_drift = _layer("at_h_drift", r"\|h_k-Ax\|_F", "change of the hidden states with depth, k = 0..L-1")
at_grad_V = _layer("at_grad_V", r"\|\partial\ell/\partial V_{k+1}\|_F", "gradient in V from the implementation, k = 0..L-1")
at_pS = _layer("at_pS", r"\|p_{k+1}S_{k+1}^\top\|_F", "product of adjoint states and activations, k = 0..L-1")
at_sum_V = _layer("at_sum_V", r"\sum_{j=1}^k\|\partial\ell/\partial V_{j+1}\|_F^2", "squares of the gradients in V_2..V_{k+1}, k = 0..L-1")

# --- constants, pages 32 to 35
root_nq, half = sp.sqrt(Q.n * Q.q), sp.Rational(1, 2)
a = sp.Symbol("a_48", nonnegative=True)  # 2√2 K_σ: what a layer stretches by, times L, under (48)
C_1, C_2, C_3, c_1, c_2, c_3, c_4, M, x = sp.symbols("C_1 C_2 C_3 c_1 c_2 c_3 c_4 M x", nonnegative=True)
M_sharp, a_sharp, mu_sharp = sp.symbols("M_s a_s mu_s", nonnegative=True)
pair, delta_W, delta_S, delta_x = sp.symbols("g_r delta_W delta_S delta_x", nonnegative=True)
CONSTANTS: dict[sp.Symbol, sp.Expr] = {
    a: 2 * sp.sqrt(2) * Q.K_sigma,
    C_1: Q.K_sigma * sp.exp(a),
    C_2: 128 * C_1 * Q.K_sigma,
    C_3: sp.exp(-a) / 8,
    c_1: maximum(2**10 * Q.K_sigma**2 * sp.exp(2 * a) / eta**2, 1),
    c_2: 128 * Q.K_sigma**2 * sp.exp(a) / eta,
    c_3: minimum(eta / (32 * sp.sqrt(2) * Q.K_sigma), half),
    c_4: eta**3 / (2**14 * Q.K_sigma**2 * sp.exp(3 * a)),
    M: c_3 / root_nq,
    x: Q.L * eta / (C_2 * root_nq),
    pair: sp.exp(2 / r * sp.log(3 / (4 * Q.n))),  # (3/4n)^{2/r}
    delta_W: sp.exp(-Q.q * Q.m / 16),
    delta_S: sp.exp(-3 * Q.m * eta**2 / (64 * M_sigma**2 * Q.n)),
    delta_x: 2 * Q.n**2 * sp.exp(-Q.d / (2 * v_x2) * pair),
    M_sharp: eta / (32 * sp.sqrt(2) * Q.K_sigma * maximum(1, Q.K_sigma) * root_nq),
    a_sharp: Q.K_sigma * M_sharp * (sp.sqrt(2) + M_sharp / sp.sqrt(Q.q * Q.m)),
    mu_sharp: eta**2 / (12 * Q.n),
}
DELTA = delta_W + Q.n * delta_S + delta_x  # page 35
DELTA_SHARP = (
    delta_W
    + Q.n * sp.exp(-9 * Q.m * eta**2 / (128 * M_sigma**2 * Q.n))
    + Q.n * (Q.n - 1) * sp.exp(-Q.d / (2 * v_x2) * pair)
)  # fmt: skip


def used(*expressions: sp.Expr) -> dict[sp.Symbol, sp.Expr]:
    """The definitions of `CONSTANTS` that the expressions need, in their order."""
    needed: set[sp.Symbol] = set()
    pending = list(expressions)
    while pending:
        new = {s for s in sp.sympify(pending.pop()).free_symbols if s in CONSTANTS} - needed
        needed |= new
        pending += [CONSTANTS[s] for s in new]
    return {s: e for s, e in CONSTANTS.items() if s in needed}


def _at_most(text: str, lhs: sp.Expr, rhs: sp.Expr) -> Condition:
    return Condition(text, lhs, "<=", sp.sympify(rhs))


# --- hypotheses
DATA = (_at_most("|x|_F <= √(qn)", Q.XF, root_nq),)  # all that is used of |x_i| = √q
EVENT_W = (_at_most("|W̄|_F <= √(2qm)", W_bar, sp.sqrt(2 * Q.q * Q.m)),)
EVENT_S = (Condition("s_min(σ(W̄Āx/√q)) >= √m η/4", Q.s0, ">=", sp.sqrt(Q.m) * eta / 4),)
LINE_47 = (
    _at_most("|A-Ā|_F <= ½", dist_A, half),
    _at_most("|B-B̄|_F <= ½", dist_B, half),
    _at_most("|V_k|_F <= 1", at_V, 1),
    _at_most("|W_k-W̄|_F <= √(2qm)", dist_W, sp.sqrt(2 * Q.q * Q.m)),
)
LINE_48 = (
    _at_most("|A|₂ <= 2", at_A, 2),
    Condition("s_min(B) >= ½", at_B_min, ">=", half),
    _at_most("|B|₂ <= 3/2", at_B, sp.Rational(3, 2)),
    _at_most("|V_k|_F <= 1", at_V, 1),
    _at_most("|W_k|_F <= 2√(2qm)", at_W, 2 * sp.sqrt(2 * Q.q * Q.m)),
)


def ball(radius: sp.Expr) -> tuple[Condition, ...]:
    """The points lie in the ball of Definition 1 of that radius."""
    pairs = (("A-Ā", dist_A), ("B-B̄", dist_B), ("V_k", at_V), ("W_k-W̄", dist_W))
    return tuple(_at_most(f"|{name}|_F <= the radius of the ball", distance, radius) for name, distance in pairs)


WIDE = (Condition("m >= n", Q.m, ">=", Q.n),)
SHALLOW = (_at_most("2√2K_σ < L", a, Q.L * sp.Rational(999, 1000)),)
SIZES = (
    Condition("q >= d + d'", Q.q, ">=", Q.d + Q.dout),
    Condition("m >= c_1 n", Q.m, ">=", c_1 * Q.n),
    Condition("L >= c_2 √(nq)", Q.L, ">=", c_2 * root_nq),
)
PRINTED = (*DATA, *SIZES, *EVENT_W, *EVENT_S, *ball(M))
DEEP = (Condition("c_2 √(nq) >= 1", c_2 * root_nq, ">=", sp.Integer(1)),)
SHARP_SIZES = (
    *WIDE,
    Condition("q >= d and d'", Q.q, ">=", maximum(Q.d, Q.dout)),
    Condition("qm >= 2", Q.q * Q.m, ">=", sp.Integer(2)),
    Condition("r >= 2", r, ">=", sp.Integer(2)),
)
SHARPENED = (
    *DATA,
    *SHARP_SIZES,
    *EVENT_W,
    *EVENT_S,
    *ball(M_sharp),
)
NEEDS = frozenset({"lipschitz", "zero-at-zero"})
BOUNDED = NEEDS | {"bounded"}
