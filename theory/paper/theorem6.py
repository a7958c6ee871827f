r"""Appendix B.6 (pages 35 and 36): from Proposition 5 to Theorem 6, its constant C, Remark 3.

C holds K of Proposition 8, K = max(K₁, K₂) with K₁ = sup_{|z| <= M_Z} |∂₁f|, M_Z = |W̄|_F + M. The supremum is over all (V, W) of joint
norm M_Z, V not small, so K₁ = K_σ M_Z²/(4√(qm)) in the norm |V|_F + |W|_F (one neuron attains it), and since |W̄|_F is about √(qm), K₁ grows
like √(qm) and C falls like e^{-2K}: C depends on m, against Remark 3. Along the flow |V_k| <= M, and with V and W bounded separately
K₁ = K_σ M (|W̄|_F + M)/√(qm), which the event |W̄|_F <= √(2qm) bounds without m: so read, Remark 3 is right. K₂ is taken from above, with
|h| <= e^{K₁} M_A M_X: K_σ e^{K₁} M_A M_X |z|/√(qm).

As t and L tend to infinity: a ladder in depth trained until 1e-12 of the loss is left has limits at that time, statements (i) to (iii) by
`prop3.rate` and `eq9.state`, from which the limits in t are no farther than √ℓ(T) lets them be. Both orders, and the double limit,
are in `depthlimit.theory.paper.double_limit`.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import prop5_setting as P
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.prop5_steps import line
from depthlimit.theory.paper.prop7 import SMOOTH
from depthlimit.theory.quantity import maximum
from depthlimit.theory.registry import quantity, register

_ROOT = sp.sqrt(Q.q * Q.m)
M_AB, M_X = 1 + P.M, sp.sqrt(Q.q)  # M_A = M_B = 1 + M: Ā and B̄ have operator norm 1


def _K_1(W: sp.Expr, root: sp.Expr) -> sp.Expr:
    """sup |∂₁f| over |V|_F + |W|_F <= W + M."""
    return Q.K_sigma * (W + P.M) ** 2 / (4 * root)


def _K(K_1: sp.Expr, Z: sp.Expr) -> sp.Expr:
    """max(K₁, K₂), K₂ from above; Z: the norm of z over √(qm)."""
    return maximum(K_1, Q.K_sigma * sp.exp(K_1) * M_AB * M_X * Z)


def _C(K: sp.Expr) -> sp.Expr:
    """The constant C of page 35."""
    largest = maximum(M_AB * K, M_AB * M_X)
    return P.c_3**2 * P.c_4**2 / (64 * Q.n**4 * Q.q**3 * largest**2 * sp.exp(2 * K))


K = _K(_K_1(P.W_bar, _ROOT), (P.W_bar + P.M) / _ROOT)
C = _C(K)
_WIDEST = sp.sqrt(2) * _ROOT
C_EVENT = _C(_K(_K_1(_WIDEST, _ROOT), (_WIDEST + P.M) / _ROOT))  # the least C on the event |W̄|_F <= √(2qm)
_MU = P.c_4 / (Q.n * sp.sqrt(Q.n) * Q.q)
_22 = maximum(M_AB * K, M_AB * M_X) * 8 * sp.exp(K) / P.M
_6: dict[str, Any] = {"item": "Theorem 6", "inputs": "a-priori"}
_SETUP = (Condition("q >= d + d'", Q.q, ">=", Q.d + Q.dout),)
_CONST = r"\frac{c_3^2c_4^2}{64n^4q^3\max(M_BK, M_BM_X, M_AM_X)^2e^{2K}}"

line("thm6.weaker", Q.ball_gradient2, ">=", _MU / 2 * Q.ball_loss, "The (M, μ)-local PL condition implies that with μ/2.",
     r"\tilde\mu \in (0, \mu)", 35, hypotheses=(*P.DEEP, *P.PRINTED), premises=("prop5.pl",), tool=Tool.SUPREMUM,
     item="Theorem 6")  # fmt: skip
line("thm6.loss0", P.loss_start, "=", Q.mean_y2, "The network starts at 0.",
     r"F^L(x) = B^L(0)A^L(0)x = 0,\quad \ell^L(0) = \frac1n\sum_{i=1}^n\|y_i\|^2", 35, hypotheses=_SETUP, **_6)  # fmt: skip
line(
    "thm6.C",
    _C(K),
    "=",
    (_MU * P.M / (8 * maximum(M_AB * K, M_AB * M_X) * sp.exp(K))) ** 2,
    "M replaced by its value.",
    rf"\Big(\frac{{c_4}}{{n\sqrt n\,q}}\frac M{{8e^K\max(M_BK, M_BM_X, M_AM_X)}}\Big)^2 = {_CONST}",
    35,
    tool=Tool.DEFINITION,
    **_6,
)
line("thm6.condition", _MU, ">=", _22 * sp.sqrt(P.loss_start), "The μ of Proposition 5 is at least that of (22) if the labels are small.",
     r"\frac{c_4}{n\sqrt n\,q} \ge \max(M_BK, M_BM_X, M_AM_X)\frac{8e^K}M\sup_{L \in \mathbb N^*}\sqrt{\ell^L(0)}", 35,
     hypotheses=(*_SETUP, Condition("(1/n) Σ|y_i|² <= C", Q.mean_y2, "<=", C)), premises=("thm6.C", "thm6.loss0"), **_6)  # fmt: skip

_WIDER = _C(_K_1(P.W_bar_4, 2 * _ROOT))  # from above at width 4m: K >= K₁ there
_3: dict[str, Any] = {"item": "Remark 3", "part": "", "inputs": "a-priori", "role": Role.RESULT}
_SEPARATE = Q.K_sigma * P.M * (P.W_bar + P.M) / _ROOT
_LIMIT = Q.K_sigma * P.M * (sp.sqrt(2) + P.M)
line("remark3.width", _WIDER, ">=", C, "C does not fall with m: as large at width 4m.", rf"{_CONST}\text{{ does not depend on }}m", 36,
     hypotheses=P.EVENT_W, expect="prop5-literal-witness",
     note="K₁ is a supremum over |z| <= M_Z, which is about √(qm): K₁ grows like √m and C falls like e^{-2K₁}.", **_3)  # fmt: skip
line("remark3.width", _C(_K(_SEPARATE, (P.W_bar + 2 * P.M) / _ROOT)), ">=", _C(_K(_LIMIT, sp.sqrt(2) + 2 * P.M)),
     "With V and W bounded separately C has a bound from below without m.", rf"{_CONST} \ge C(\mathcal X, \sigma, n, q)", 36,
     edition="corrected", hypotheses=(*P.EVENT_W, Condition("qm >= 1", Q.q * Q.m, ">=", sp.Integer(1))), **_3)  # fmt: skip

_MEANING = "outputs of the neural ODE with the trained weights extrapolated in 1/L, as the loss vanishes"
F_limit = quantity("F_limit", r"B_\infty H(1)", (Q.N_, Q.C_), _MEANING, local=False).symbol
y_all = quantity("y_all", "y_i", (Q.N_, Q.C_), "labels", exact=True).symbol
ladder_left = quantity(
    "ladder_left", r"\max_L\ell^L(T)/\ell^L(0)", (), "what is left of the loss at the depth where most is", local=False
).symbol
register(
    Claim(
        "thm6.interpolates",
        F_limit,
        "=",
        y_all,
        Source("Theorem 6", "(iv)", "", 7),
        ("depth-ladder", "double-limit"),
        "As t and L tend to infinity the outputs tend to those of a neural ODE that interpolates the training data.",
        r"F_\infty(x_i) = B_\infty H(1) = y_i \text{ for all } i \in \{1,\dots,n\}",
        role=Role.RESULT,
        inputs="along-trajectory",
        hypotheses=(Condition("1e-12 of the loss is left at every depth", ladder_left, "<=", sp.Rational(1, 10**12)),),
        needs=SMOOTH,
        premises=("eq9.state", "thm6.condition"),
        tool=Tool.EXTRAPOLATION,
    )
)
