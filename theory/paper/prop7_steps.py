r"""Proposition 7, step by step, on general residual networks (Appendix A.1, pages 15-17).

Three inputs of the constants. A-priori: M = M₀ + T M_π and the suprema over the printed compact E. Instantaneous: the same formulas
with M(t), the largest norm of the parameters at that time, for M. Sharpened: K₁ where the proof needs no more (growth of h and p), K₁K₂
and K'₂₁K₁ for K² and K'K, and K'₂₂ for K' before the successive difference, each over the ball of the layers concerned where it is
instantaneous.

The paper's π is "a bounded Lipschitz continuous operator" (page 4), and its Lipschitz constant is missing from (20) on, so from α and β.
With r tanh(4g/r) for π the printed bound fails; α and β times Lip(π) are right, and are the corrected editions.

    K₁, K₂, K'   linear  f = Zh          M, H, 1                                       H = e^{K₁} M M_X
                 sine    f = h ⊙ sin z   s = sin(min(M, π/2)), H, max(H s, 1)

From (15), Z_{k+1}' - Z_k' = π(g_{k+1}) - π(g_k) with g_k = -(1/n) Σ_i ∂₂f(h_{k-1}, Z_k)ᵀ p_k: (20) has p_k, p_{k-1} for p_{k+1}, p_k.
With L = 2, q = n = 1 and f = zh the printed sum is 0, because h_k p_k does not depend on k, while the left side is |h_0 p_2| |z_1 - z_2|/2.
All bounds on p hold for every k, so the proof goes through with the indices moved: one ‖p_k‖ of the line after "Thus" becomes ‖p_{k+1}‖.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import general as G
from depthlimit.theory.paper import prop7_quantities as P
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.prop7 import FLOWS, K1, K2, K21, K22, SMOOTH, E_h, K, Kp, M, alpha, beta
from depthlimit.theory.quantity import maximum
from depthlimit.theory.registry import register

_BOUND = sp.Symbol("P", nonnegative=True)  # of the adjoint states
_PRINTED = {
    E_h: sp.exp(K1) * M * Q.M_X,
    K: maximum(K1, K2),
    Kp: maximum(K22, K21),
    alpha: 2 * sp.exp(K) * Kp * M * (sp.exp(K) * M**2 * Q.M_X + Q.M_Y),
    beta: 2 * K * sp.exp(K) * M * (K + sp.exp(K) * Kp * M * Q.M_X) * (sp.exp(K) * M**2 * Q.M_X + Q.M_Y),
}
A_PRIORI = {M: P.M0_euclid + Q.T * P.M_pi_euclid, K1: P.K1_sup, K2: P.K2_sup, K22: P.K22_sup, K21: P.K21_sup, **_PRINTED}
NOW = {M: P.M_now, K1: P.K1_now, K2: P.K2_now, K22: P.K22_now, K21: P.K21_now, **_PRINTED}
_FINE = {
    _BOUND: 2 * sp.exp(K1) * M * (sp.exp(K1) * M**2 * Q.M_X + Q.M_Y),
    alpha: _BOUND * K22,
    beta: _BOUND * (K1 * K2 + K21 * K1 * E_h),
}
SHARP = {**A_PRIORI, **_FINE}
PAIR = {K1: P.K1_pair, K2: P.K2_pair, K22: P.K22_pair, K21: P.K21_pair}
_BOUNDED = Condition("π is bounded", P.clipped, "=", sp.Integer(1))
GAIN = "Lip(π) is 1 for the clip of the paper's example; the paper asks of π only that it be bounded and Lipschitz (page 4)."
_7 = "Proposition 7"
Definitions = Mapping[sp.Symbol, sp.Expr]
INPUTS: dict[str, Definitions] = {"a-priori": A_PRIORI, "instantaneous": NOW}


def step(
    label: str,
    lhs: sp.Expr,
    relation: str,
    rhs: sp.Expr,
    page: int,
    tex: str,
    meaning: str,
    *,
    inputs: tuple[str, ...] = ("instantaneous",),
    edition: str = "as-printed",
    where: Definitions | None = None,
    premises: tuple[str, ...] = (),
    tool: Tool = Tool.TRIANGLE,
    equation: str = "",
    role: Role = Role.STEP,
    expect: str | None = None,
    note: str = "",
    from_start: bool = False,
) -> None:
    """Register a step for each of its inputs, with the constants over the a-priori compact or over that of time t.

    `from_start`: the sides agree at t = 0, which says nothing.
    """
    for kind in inputs:
        constants = where if where is not None else INPUTS.get(kind, {})
        # a step is attained where its proof is: in one dimension, at one layer, at saturated clips
        equality = Condition("no inequality of the step is strict here", lhs, "=", rhs) if relation == "<=" else None
        if from_start:  # at t = 0 both sides are what they were given to be
            equality = Condition("what has moved is not resolved", Q.t * lhs, "=", Q.t * rhs, trivial=True)
        used = _closure(sp.sympify(lhs).free_symbols | sp.sympify(rhs).free_symbols, constants)
        register(
            Claim(
                f"prop7.{label}",
                lhs,
                relation,
                rhs,
                Source(_7, "proof" if role is Role.STEP else "statement", equation, page),
                _regimes(kind, rhs, used, constants, expect),
                meaning,
                tex,
                role=role,
                edition=edition,
                inputs=kind,
                where={k: v for k, v in constants.items() if k in used},
                hypotheses=(_BOUNDED,) if kind == "a-priori" else (),
                needs=SMOOTH,
                equality=equality,
                premises=premises,
                tool=tool,
                expect=expect,
                note=note,
            )
        )


def _regimes(kind: str, rhs: sp.Expr, used: set[sp.Symbol], where: Definitions, expect: str | None) -> tuple[str, ...]:
    """What speaks of one state and is expected to hold is checked on implementations of model (3) too.

    Not so what contains e^K: for model (3) K₂ contains e^{K₁}, and a bound that overflows says nothing there. Nor the sums with the index
    of the print.
    """
    tower = any(part.has(sp.exp(K)) for part in (rhs, *(where[symbol] for symbol in used & where.keys())))
    return G.REGIMES if kind != "instantaneous" or expect or tower or used & P.EARLY else (*G.REGIMES, *FLOWS)


def _closure(symbols: set[sp.Symbol], where: Definitions) -> set[sp.Symbol]:
    """The symbols that a formula uses, through definitions."""
    found, pending = set(symbols), list(symbols)
    while pending:
        new = sp.sympify(where.get(pending.pop(), 0)).free_symbols - found
        found |= new
        pending += new
    return found


BOTH = ("a-priori", "instantaneous")

# --- bounded weights, (17) and the chain before it
for _b, _norm, _start, _path, _t in (
    ("A", Q.A_norm, P.A_start, P.path_A, "A^L"),
    ("Z", P.Z_size, P.Z_start, P.path_Z, "Z_k^L"),
    ("B", Q.B_norm, P.B_start, P.path_B, "B^L"),
):
    step(
        f"path-{_b}",
        _norm,
        "<=",
        _start + _path,
        16,
        rf"\|{_t}(t)\| \le \|{_t}(0)\| + \int_0^t \Big\|\frac{{d{_t}}}{{dt}}(\tau)\Big\| d\tau",
        f"The norm of {_b} grows by at most the length of its path.",
        inputs=("along-trajectory",),
        premises=(f"eq5.general-{_b}",),
    )
    step(
        f"path-bound-{_b}",
        _start + _path,
        "<=",
        P.M0_euclid + Q.t * P.M_pi_euclid,
        16,
        rf"\|{_t}(0)\| + \int_0^t \Big\|\frac{{d{_t}}}{{dt}}(\tau)\Big\| d\tau \le M_0 + \int_0^t M_\pi d\tau",
        f"The clip bounds the speed of {_b}.",
        inputs=("a-priori",),
        premises=(f"prop7.path-{_b}",),
        tool=Tool.SUPREMUM,
    )
step(
    "horizon",
    P.M0_euclid + Q.t * P.M_pi_euclid,
    "<=",
    M,
    16,
    r"M_0 + \int_0^t M_\pi d\tau \le M_0 + T M_\pi = M",
    "Times are at most T.",
    inputs=("a-priori",),
    tool=Tool.DEFINITION,
)
for _b, _norm, _t in (("A", Q.A_norm, r"\|A^L(t)\|_F"), ("Z", P.Z_size, r"\|Z_k^L(t)\|"), ("B", Q.B_norm, r"\|B^L(t)\|_F")):
    step(
        f"general-norm-{_b}",
        _norm,
        "<=",
        M,
        15,
        rf"{_t} \le M",
        f"{_b} stays within M = M₀ + T M_π, with the Euclidean norm on Z of Appendix A.",
        inputs=("a-priori",),
        equation="(17)",
        role=Role.RESULT,
        premises=(f"prop7.path-{_b}", f"prop7.path-bound-{_b}", "prop7.horizon"),
    )

# --- the constants (18)-(19) are the suprema that they are said to be
step(
    "K1",
    P.J1_norm,
    "<=",
    K1,
    16,
    r"K_1 = \sup_{\|z\|\le M} \|\partial_1 f(h,z)\|_2",
    "K₁ is above ∂₁f at every state of the flow.",
    inputs=BOTH,
    equation="(18)",
    tool=Tool.SUPREMUM,
)
step(
    "K2",
    P.J2_norm,
    "<=",
    K2,
    16,
    r"K_2 = \sup_{(h,z)\in E} \|\partial_2 f(h,z)\|_2",
    "K₂ is above ∂₂f at every state of the flow.",
    inputs=BOTH,
    equation="(19)",
    tool=Tool.SUPREMUM,
)

# --- forward growth and the compact
step(
    "hidden-growth",
    P.h_next_size,
    "<=",
    (1 + K1 / Q.L) * P.h_size,
    16,
    r"\|h_{k+1,i}^L(t)\| = \|h_{k,i}^L(t) + \tfrac1L f(h_{k,i}^L(t), Z_{k+1}^L(t))\| \le \Big(1 + \frac{K_1}{L}\Big) \|h_{k,i}^L(t)\|",
    "A layer lets the hidden state grow by at most 1 + K₁/L.",
    inputs=BOTH,
    premises=("eq12.layer", "eq12.vanishes", "prop7.K1"),
)
step(
    "hidden-growth",
    P.h_next_size,
    "<=",
    (1 + P.K1_here / Q.L) * P.h_size,
    16,
    r"\|h_{k+1,i}^L(t)\| \le \Big(1 + \frac{K_1}{L}\Big) \|h_{k,i}^L(t)\|",
    "A layer lets the hidden state grow by at most its own Lipschitz constant.",
    edition="sharpened",
    premises=("eq12.layer", "eq12.vanishes"),
)
step(
    "hidden-bound",
    P.h_next_size,
    "<=",
    sp.exp(K1) * P.h0_size,
    16,
    r"\|h_{k,i}^L(t)\| \le e^{K_1} \|h_{0,i}^L(t)\|",
    "L layers let the hidden state grow by at most e^{K₁}.",
    inputs=BOTH,
    equation="(21)",
    premises=("prop7.hidden-growth",),
    tool=Tool.DISCRETE_GRONWALL,
)
step(
    "embedded",
    P.h0_size,
    "=",
    P.Ax_size,
    16,
    r"\|h_{0,i}^L(t)\| = \|A^L(t)x_i\|",
    "The first hidden state is the embedded input.",
    equation="(21)",
    premises=("eq12.input",),
    tool=Tool.DEFINITION,
)
step(
    "embedded-bound",
    P.Ax_size,
    "<=",
    M * Q.M_X,
    16,
    r"e^{K_1}\|A^L(t)x_i\| \le e^{K_1} M M_X",
    "The embedded input is at most M M_X; the common factor is left out.",
    inputs=BOTH,
    equation="(21)",
    premises=("prop7.general-norm-A",),
    tool=Tool.SUPREMUM,
)
step(
    "compact-h",
    P.h_size,
    "<=",
    E_h,
    16,
    r"\|h_{k,i}^L(t)\| \le e^{K_1} M M_X",
    "The hidden states, k = 0..L-1, lie in the compact E.",
    inputs=BOTH,
    equation="(19)",
    premises=("prop7.hidden-bound", "prop7.embedded", "prop7.embedded-bound"),
    note="The print pairs h_k with Z_{k+1} for k = 1..L; Z_{L+1} does not exist, and k = 0..L-1 is what is used.",
)
step(
    "K",
    P.J2_norm,
    "<=",
    K,
    16,
    r"\|\partial_2 f(h_{k-1,i}^L(t), Z_k^L(t))\|_2 \le K",
    "K bounds ∂₂f on E.",
    inputs=BOTH,
    premises=("prop7.compact-h", "prop7.K2"),
    tool=Tool.SUPREMUM,
)
_TEX_MEAN = (
    r"\|\partial_2 f(h_{k,i}^L, Z_{k+1}^L) - \partial_2 f(h_{k-1,i}^L, Z_k^L)\|_2"
    r" \le K'\|h_{k,i}^L - h_{k-1,i}^L\| + K'\|Z_{k+1}^L - Z_k^L\|"
)
step(
    "mean-value",
    P.dJ2_norm,
    "<=",
    Kp * P.dh_pair + Kp * Q.gap_here,
    16,
    _TEX_MEAN,
    "∂₂f is K'-Lipschitz on the convex set E.",
    inputs=BOTH,
    premises=("prop7.compact-h",),
    tool=Tool.SUPREMUM,
)
step(
    "mean-value",
    P.dJ2_norm,
    "<=",
    K21 * P.dh_pair + K22 * Q.gap_here,
    16,
    _TEX_MEAN,
    "The same with one constant for each argument, over the ball through the two points.",
    edition="sharpened",
    where=PAIR,
    premises=("prop7.compact-h",),
    tool=Tool.SUPREMUM,
)
