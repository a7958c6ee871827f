r"""Theorem 6 (i)-(iv) and the hypotheses of Proposition 15, on certified instances: t and L to infinity, in both orders and together.

The sup-ball certificate (`depthlimit.theory.paper.certificate`) at the shallowest depth L₀ holds at every deeper one, since
(1 - a/L)^L grows with L, and for the neural ODE with e^{-a} in its place: step by step h and p solve integral equations instead of
recurrences, and sums over layers become integrals. So with g_A, g_B, g_V and g_W, the speeds over √ℓ, and ∫_t^∞ √ℓ <= 2√ℓ(t)/μ,

    ‖(A,B)_∞ - (A,B)(t)‖ <= √(g_A² + g_B²) 2√ℓ(t)/μ,   sup_s ‖Z_∞(s) - Z(s,t)‖ <= √(g_V² + g_W²) 2√ℓ(t)/μ,   ℓ(t) <= e^{-μt} ℓ(0)

for all L >= L₀ and in the limit: hypotheses (i) and (iii) of Proposition 15 with constants. (The path length 2√(ℓ(t)/μ) restarts at t, so
that either alternative in g serves.) Of (ii) the paper proves no rate; measured is 1/L, the supremum over all t included. Then

    sup_s ‖Z^L(s,t) - Z_∞(s)‖ <= sup_s ‖Z^L_∞(s) - Z_∞(s)‖ + √(g_V² + g_W²) 2√ℓ^L(t)/μ,

whose right side tends to 0 as t and L do, by whatever path: the double limit, and Lemma 19 with numbers. The bound on successive weights of
`depthlimit.theory.paper.long_flow`, K̃/L at every depth, is one on the slope of Z_∞.

The control drops the factor L from (4): Z_k' = -∂ℓ/∂Z_k = O(1/L). Where labels are orthogonal to the rows of x, A and B alone rest.
So F^L(x_i;t) -> 0 as L grows at every t, while F^L(x_i;t) -> y_i as t grows at every L, at times of order L: both iterated limits
exist, they differ, and it is the uniformity over L in hypotheses (i) and (iii) that is missing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import certificate as C
from depthlimit.theory.paper import long_flow, prop7
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.general import measured
from depthlimit.theory.paper.theorem6 import y_all
from depthlimit.theory.registry import register

_EVERY = "at each depth and, last, in the limit of training in depth"
ends_tail = measured("ends_tail", r"\|(A,B)_\infty-(A,B)(t)\|", "BT", f"distance of A and B to their limits, {_EVERY}", local=False)
Z_tail = measured("Z_tail", r"\sup_s\|Z_\infty(s)-Z(s,t)\|", "BT", f"largest distance of Z to its limit, {_EVERY}", local=False)
depth_loss = measured("depth_loss", r"\ell^L(t)", "BT", f"empirical risk, {_EVERY}", local=False)
depth_rate = measured("depth_rate", r"\tfrac1t\ln\frac{\ell^L(0)}{\ell^L(t)}", "BT", f"mean rate of decay at t > 0, {_EVERY}", local=False)
limit_gradient2 = measured(
    "limit_gradient2", r"\|\partial_A\ell\|_F^2+\int_0^1\|\partial_Z\ell\|^2ds+\|\partial_B\ell\|_F^2", "T", "squared gradient of the limit"
)
limit_loss = measured("limit_loss", r"\ell(t)", "T", "empirical risk of the neural ODE along the limit of training")
Z_slope = measured("Z_slope", r"\sup_s\|\partial_s\mathcal Z(s,t)\|", "T", "slope in s of the limit's weights", local=False)
ends_end = measured(
    "ends_end",
    r"\|(A,B)^L_\infty-(A,B)_\infty\|",
    "B",
    "distance of A and B as t grows from the double limit, per depth and, last, 0",
    local=False,
)
Z_end = measured(
    "Z_end",
    r"\sup_s\|\mathcal Z^L_\infty(s)-\mathcal Z_\infty(s)\|",
    "B",
    "distance of Z, by (8), as t grows from the double limit, per depth and, last, 0",
    local=False,
)
ends_double = measured(
    "ends_double", r"\|(A,B)^L(t)-(A,B)_\infty\|", "BT", f"distance of A and B from the double limit, {_EVERY}", local=False
)
Z_double = measured(
    "Z_double",
    r"\sup_s\|\mathcal Z^L(s,t)-\mathcal Z_\infty(s)\|",
    "BT",
    f"distance of Z, by (8), from the double limit, {_EVERY}",
    local=False,
)
_SLOPE = "extrapolated slope in L of the largest distance from the limit of training, over all saved t"
slope_ends, slope_Z, slope_h, slope_F = (
    measured(f"slope_{name}_limit", rf"\text{{slope of }}\sup_t{tex}", "", f"{_SLOPE}, of {of}", local=False, signed=True)
    for name, tex, of in (
        ("ends", r"\|(A,B)^L-(A,B)\|", "A and B"),
        ("Z", r"{}_{,s}\|\mathcal Z^L-\mathcal Z\|", "Z, by (8)"),
        ("h", r"{}_{,s,x}\|h^L_{\lfloor Ls\rfloor}-H\|", "hidden states at s, of the data and of fresh points"),
        ("F", r"{}_{,x}\|F^L-BH(1)\|", "outputs, of the data and of fresh points"),
    )
)
_T_FIRST, _L_FIRST = "each depth's limit in t, extrapolated in 1/L", "the limit of training in depth, as t grows"
_limits = {
    name: tuple(
        measured(f"{name}_{order}", tex, axes, f"{of}: {how}, less its start", local=False)
        for order, tex, how in (("t_first", t_first, _T_FIRST), ("L_first", L_first, _L_FIRST))
    )
    for name, axes, of, t_first, L_first in (
        ("ends", "C", "A and B", r"\lim_L\lim_t(A,B)^L", r"\lim_t\lim_L(A,B)^L"),
        ("Z", "LC", "Z at s = k/L₀", r"\lim_L\lim_tZ^L_{Ls}", r"\lim_t\lim_LZ^L_{Ls}"),
    )
}
h_double = measured("h_double", r"\lim_L\lim_th^L_{Ls}-A(0)x", "LC", f"hidden states at s = k/L₀: {_T_FIRST}", local=False)
H_double = measured(
    "H_double", r"H(s)-A(0)x", "LC", "states of the implementation's neural ODE with A_∞ and Z_∞ of the limit of training", local=False
)
slope_unscaled = measured(
    "slope_unscaled",
    r"\text{slope of }\|F^L(x_i;t)\|",
    "",
    "extrapolated slope in L of the outputs at one time, without the factor L",
    local=False,
    signed=True,
)
F_unscaled = measured(
    "F_unscaled", r"\lim_tF^L(x_i;t)", "BNC", "outputs of each depth when the loss is gone, without the factor L", local=False
)

mu_limit, slope_bound = sp.Symbol("mu_limit", nonnegative=True), sp.Symbol("Ktilde", nonnegative=True)
g_ends, g_Z = (sp.Symbol(name, nonnegative=True) for name in ("g_ends", "g_Z"))
_TOGETHER = {"ends": (g_ends, "AB"), "Z": (g_Z, "VW")}
SPEED = {name: {**C.WHERE, g: sp.sqrt(sum(C.SPEEDS[k][2] ** 2 for k in blocks))} for name, (g, blocks) in _TOGETHER.items()}
LIMIT = {**C.WHERE, mu_limit: C.WHERE[C.mu].xreplace({C.rho: sp.exp(-C.a)})}
_SETTLED = Condition("t is the last time", Q.t, ">=", Q.T, trivial=True)
_START = Condition("t = 0", Q.t, "=", sp.Integer(0), trivial=True)


def _thm6(label: str, part: str, lhs: sp.Expr, relation: str, rhs: sp.Expr, meaning: str, tex: str, **more: Any) -> Claim:
    settings: dict[str, Any] = {
        "source": Source("Theorem 6", part, "", 7),
        "regimes": ("double-limit",),
        "edition": "sharpened",
        "inputs": "a-priori",
        "where": C.WHERE,
        "hypotheses": long_flow.CERTIFIED,
        "needs": long_flow.NEEDS,
        **more,
    }
    return register(Claim(f"thm6.{label}", lhs, relation, rhs, meaning=meaning, tex=tex, **settings))


_MEASURED: dict[str, Any] = {"inputs": "along-trajectory", "where": {}, "hypotheses": (), "needs": prop7.SMOOTH, "edition": "explicit"}
_TEX = {"ends": r"(A,B)", "Z": r"\mathcal Z"}
_PART = {"ends": "(i)", "Z": "(ii)"}
for _name, _tail in (("ends", ends_tail), ("Z", Z_tail)):
    _thm6(
        f"tail-{_name}",
        _PART[_name],
        _tail,
        "<=",
        2 * _TOGETHER[_name][0] * sp.sqrt(depth_loss) / C.mu,
        f"Hypothesis (i) of Proposition 15 for {'A and B' if _name == 'ends' else 'Z, uniformly over s'}: limits in t, uniformly over L.",
        rf"\sup_L\|{_TEX[_name]}^L_\infty-{_TEX[_name]}^L(t)\| \le \frac{{2g}}\mu\sqrt{{\ell^L(t)}}",
        inputs="along-trajectory",
        where=SPEED[_name],
        equality=_SETTLED,
        premises=("certificate.pl", "prop8.long-tail"),
        tool=Tool.POLYAK_LOJASIEWICZ,
    )
_thm6(
    "depths-decay",
    "",
    depth_rate,
    ">=",
    C.mu,
    "(10) at every depth and in the limit with the μ of the shallowest: hypothesis (iii) of Proposition 15.",
    r"\ell^L(t) \le e^{-\mu t}\,\ell^L(0)\text{ for all }L \ge L_0",
    premises=("certificate.decay",),
    tool=Tool.GRONWALL,
)
_thm6(
    "limit-pl",
    "",
    limit_gradient2,
    ">=",
    mu_limit * limit_loss,
    "The PL condition of the neural ODE along the limit of training, with the certified μ as L tends to infinity.",
    r"\|\partial_A\ell\|_F^2+\int_0^1\|\partial_{\mathcal Z}\ell\|^2ds+\|\partial_B\ell\|_F^2 \ge \mu_\infty\,\ell,\quad \mu_\infty ="
    r" \lim_{L\to\infty}\mu",
    where=LIMIT,
    premises=("certificate.pl", "thm6.depths-decay"),
    tool=Tool.POLYAK_LOJASIEWICZ,
)
_thm6(
    "lipschitz",
    "(ii)",
    Z_slope,
    "<=",
    slope_bound,
    "Z(., t) is Lipschitz continuous at all times, and so is its limit, with the K̃ that bounds L times successive differences.",
    r"\|\mathcal Z_\infty(s)-\mathcal Z_\infty(s')\| \le \tilde K|s-s'|",
    where={**long_flow.SUCCESSIVE, slope_bound: long_flow.K_TILDE},
    needs=long_flow.NEEDS | prop7.SMOOTH,
    equality=_START,
    premises=("prop8.long-successive",),
    tool=Tool.GRONWALL,
)
for _name, _part, _slope, _over, _distance in (
    ("ends", "(i)", slope_ends, "", "(A,B)^L(t)-(A,B)(t)"),
    ("Z", "(ii)", slope_Z, " and s", r"\mathcal Z^L(s,t)-\mathcal Z(s,t)"),
    ("h", "(iii)", slope_h, ", s and x", r"h^L_{\lfloor Ls\rfloor}(t)-H(s,t)"),
    ("F", "(iv)", slope_F, " and x", r"F^L(x;t)-B(t)H(1,t)"),
):
    _thm6(
        f"rate-{_name}",
        _part,
        _slope,
        "=",
        sp.Integer(-1),
        f"Hypothesis (ii) of Proposition 15 with a rate: the distance from the limit falls as 1/L, uniformly over all t{_over}.",
        rf"\sup_{{t \in \mathbb R_+}}\|{_distance}\| = \mathcal O(1/L)",
        premises=("prop3.rate",),
        tool=Tool.EXTRAPOLATION,
        **_MEASURED,
    )
for _name, (_t_first, _L_first) in _limits.items():
    _thm6(
        f"order-{_name}",
        _PART[_name],
        _t_first,
        "=",
        _L_first,
        "The order in which t and L tend to infinity does not matter.",
        rf"\lim_{{L\to\infty}}\lim_{{t\to\infty}}{_TEX[_name]}^L(t) = \lim_{{t\to\infty}}\lim_{{L\to\infty}}{_TEX[_name]}^L(t)",
        premises=(f"thm6.rate-{_name}", f"thm6.tail-{_name}"),
        tool=Tool.EXTRAPOLATION,
        note="Networks extrapolated in 1/L against the continuous-depth dynamics, which hold no network.",
        **_MEASURED,
    )
_thm6(
    "hidden",
    "(iii)",
    h_double,
    "=",
    H_double,
    "As t and L tend to infinity hidden states tend to the solution of the neural ODE with the limits of the weights, (45).",
    r"H(0) = A_\infty x,\quad"
    r" \frac{dH}{ds}(s) = \frac1{\sqrt m}\mathcal V_\infty(s)\sigma\Big(\frac1{\sqrt q}\mathcal W_\infty(s)H(s)\Big)",
    role=Role.RESULT,
    premises=("thm6.order-ends", "thm6.order-Z", "eq6.state"),
    tool=Tool.EXTRAPOLATION,
    **{**_MEASURED, "edition": "as-printed"},
)
for _name, _double, _end in (("ends", ends_double, ends_end), ("Z", Z_double, Z_end)):
    _thm6(
        f"double-{_name}",
        _PART[_name],
        _double,
        "<=",
        _end + 2 * _TOGETHER[_name][0] * sp.sqrt(depth_loss) / C.mu,
        "The distance from the double limit is at most a number that falls with L and one that falls with t.",
        rf"\|{_TEX[_name]}^L(t)-{_TEX[_name]}_\infty\| \le \|{_TEX[_name]}^L_\infty-{_TEX[_name]}_\infty\|"
        r" + \frac{2g}\mu\sqrt{\ell^L(t)}",
        inputs="along-trajectory",
        where=SPEED[_name],
        equality=_SETTLED,
        premises=(f"thm6.tail-{_name}", "thm6.depths-decay"),
        tool=Tool.TRIANGLE,
    )

_CONTROL: dict[str, Any] = {
    **_MEASURED,
    "source": Source("control", "(4) without the factor L in Proposition 15", "", 30),
    "role": Role.CONTROL,
    "regimes": ("double-limit",),
}
for _label, _lhs, _rhs, _meaning, _tex, _tool in (
    (
        "depth-first",
        slope_unscaled,
        sp.Integer(-1),
        "Without the factor L outputs at a fixed time fall as 1/L: their limits in L, and then in t, are 0.",
        r"\lim_{t\to\infty}\lim_{L\to\infty}F^L(x_i;t) = 0",
        Tool.EXTRAPOLATION,
    ),
    (
        "time-first",
        F_unscaled,
        y_all,
        "Without the factor L every depth still fits the labels in the end: the iterated limits differ by the labels.",
        r"\lim_{L\to\infty}\lim_{t\to\infty}F^L(x_i;t) = y_i",
        Tool.NONE,
    ),
):
    register(replace(Claim(f"control.{_label}", _lhs, "=", _rhs, meaning=_meaning, tex=_tex, **_CONTROL), tool=_tool))
