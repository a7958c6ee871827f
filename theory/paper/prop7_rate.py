r"""Proposition 7, step by step: (20), the adjoint states, the differential inequality and its integration (pages 16-17).

Each line stands as printed, and corrected where the print cannot be right; `depthlimit.theory.paper.prop7_steps` says why.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp

from depthlimit.theory.claim import Role, Tool
from depthlimit.theory.paper import prop7_quantities as P
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.prop7 import K1, K2, K21, K22, K, Kp, M, alpha, beta
from depthlimit.theory.paper.prop7_steps import BOTH, GAIN, PAIR, SHARP, step

_NOW = ("instantaneous",)
_PI = r"\mathrm{Lip}(\pi)\,"
_INDEX = "Z_{k+1} goes with p_{k+1} and Z_k with p_k in (15); the print has p_k and p_{k-1}."

# --- (20), line by line
_TEX_1 = (
    r"\Big\|\frac{dZ_{k+1}^L}{dt}(t)-\frac{dZ_k^L}{dt}(t)\Big\| %s"
    r" L\Big\|\frac{\partial\ell^L}{\partial Z_{k+1}^L}(t)-\frac{\partial\ell^L}{\partial Z_k^L}(t)\Big\|"
)
step(
    "velocity-difference",
    Q.gap_rate,
    "=",
    P.grad_gap,
    16,
    _TEX_1 % "=",
    "Velocities differ as gradients do, if nothing is clipped.",
    equation="(20)",
    premises=("eq5.general-Z",),
    tool=Tool.DEFINITION,
    expect="prop7-clip-witness",
    note="Under (5) the left side is ‖π(g_{k+1}) - π(g_k)‖: equality needs π to be the identity. A saturated clip makes it 0.",
)
step(
    "velocity-difference",
    Q.gap_rate,
    "<=",
    P.K_pi * P.grad_gap,
    16,
    _TEX_1 % r"\le \mathrm{Lip}(\pi)",
    "Velocities differ by at most Lip(π) times what gradients do.",
    edition="corrected",
    equation="(20)",
    premises=("eq5.general-Z",),
    tool=Tool.SUPREMUM,
    note=GAIN,
)
for _edition, _sum, _split, _witness in (
    ("as-printed", P.sum_20_early, P.split_20_early, "prop7-index-witness"),
    ("corrected", P.sum_20, P.split_20, None),
):
    _p, _before = ("p_{k,i}", "p_{k-1,i}") if _edition == "as-printed" else ("p_{k+1,i}", "p_{k,i}")
    _J, _I = r"\partial_2 f(h_{k,i}^L, Z_{k+1}^L)", r"\partial_2 f(h_{k-1,i}^L, Z_k^L)"
    _tex_sum = rf"\sum_{{i=1}}^n \frac1n \|{_J}^\top {_p}^L - {_I}^\top {_before}^L\|"
    _tex_split = rf"\frac1n\sum_{{i=1}}^n \|{_J}\|_2 \|{_p}^L - {_before}^L\| + \|{_before}^L\| \|{_J} - {_I}\|_2"
    step(
        "split-samples",
        P.grad_gap,
        "<=",
        _sum,
        16,
        rf"L\Big\|\frac{{\partial\ell^L}}{{\partial Z_{{k+1}}^L}}-\frac{{\partial\ell^L}}{{\partial Z_k^L}}\Big\| \le {_tex_sum}",
        "The gradients (15) of two layers, sample by sample.",
        edition=_edition,
        equation="(20)",
        premises=("eq15.general-Z",),
        expect=_witness,
        note=_INDEX if _witness else "",
    )
    step(
        "split-products",
        _sum,
        "<=",
        _split,
        16,
        rf"{_tex_sum} \le {_tex_split}",
        "A difference of products is split.",
        edition=_edition,
        equation="(20)",
        premises=("prop7.split-samples",),
    )
    step(
        "eq20",
        Q.gap_rate,
        "<=",
        _split if _witness else P.K_pi * _split,
        16,
        rf"\Big\|\frac{{dZ_{{k+1}}^L}}{{dt}}-\frac{{dZ_k^L}}{{dt}}\Big\| \le {'' if _witness else _PI}{_tex_split}",
        "The first and the last side of (20).",
        edition=_edition,
        equation="(20)",
        premises=("prop7.velocity-difference", "prop7.split-samples", "prop7.split-products"),
        expect=_witness,
        note=_INDEX + " Where Z_k = 0 the printed right side is 0." if _witness else GAIN,
    )
_TEX_RETURN = (
    r"\Big\|\frac{dZ_{k+1}^L}{dt}-\frac{dZ_k^L}{dt}\Big\| \le %s\frac1n\sum_{i=1}^n K\|%s-%s\| + K'\|%s\|"
    r"(\|h_{k,i}^L-h_{k-1,i}^L\| + \|Z_{k+1}^L-Z_k^L\|)"
)
step(
    "returning",
    Q.gap_rate,
    "<=",
    K * P.mean_dp_early + Kp * (P.mean_p_dh_early + P.mean_p_early * Q.gap_here),
    17,
    _TEX_RETURN % ("", "p_{k,i}^L", "p_{k-1,i}^L", "p_{k-1,i}^L"),
    "(20) with K and K' put in, with the indices of the print.",
    inputs=BOTH,
    premises=("prop7.eq20", "prop7.K", "prop7.mean-value"),
    tool=Tool.SUPREMUM,
    expect="prop7-index-witness",
    note=_INDEX,
)
step(
    "returning",
    Q.gap_rate,
    "<=",
    P.K_pi * (K * P.mean_dp + Kp * (P.mean_p_dh + P.mean_p * Q.gap_here)),
    17,
    _TEX_RETURN % (_PI, "p_{k+1,i}^L", "p_{k,i}^L", "p_{k,i}^L"),
    "(20) with K and K' put in.",
    inputs=BOTH,
    edition="corrected",
    premises=("prop7.eq20", "prop7.K", "prop7.mean-value"),
    tool=Tool.SUPREMUM,
    note=GAIN,
)
step(
    "returning",
    Q.gap_rate,
    "<=",
    P.K_pi * (K2 * P.mean_dp + K21 * P.mean_p_dh + K22 * P.mean_p * Q.gap_here),
    17,
    _TEX_RETURN % (_PI, "p_{k+1,i}^L", "p_{k,i}^L", "p_{k,i}^L"),
    "The same with one constant for each derivative, at these two layers.",
    edition="sharpened",
    where=PAIR,
    premises=("prop7.eq20", "prop7.K", "prop7.mean-value"),
    tool=Tool.SUPREMUM,
    note=GAIN,
)

# --- changes over a layer
for _edition, _size, _tr, _witness in (("as-printed", P.J_size, "", "eq13-general-witness"), ("corrected", P.Jt_size, r"^\top", None)):
    step(
        "p-change",
        P.dp_size,
        "=",
        _size / Q.L,
        17,
        rf"\|p_{{k,i}}^L - p_{{k-1,i}}^L\| = \frac1L \|\partial_1 f(h_{{k-1,i}}^L, Z_k^L){_tr} p_{{k,i}}^L\|",
        "The adjoint state changes by ∂₁f/L.",
        edition=_edition,
        premises=("eq13.general-layer",),
        tool=Tool.DEFINITION,
        expect=_witness,
        note="The transpose of (13) is missing here too." if _witness else "",
    )
    step(
        "p-triangle",
        P.p_size,
        "<=",
        P.p_next_size + _size / Q.L,
        17,
        rf"\|p_{{k,i}}^L\| \le \|p_{{k+1,i}}^L\| + \frac1L \|\partial_1 f(h_{{k,i}}^L, Z_{{k+1}}^L){_tr} p_{{k+1,i}}^L\|",
        "The adjoint state grows by at most ∂₁f/L.",
        edition=_edition,
        premises=("eq13.general-layer",),
        expect="prop7-transpose-witness" if _witness else None,
        note="The transpose of (13) is missing here too; where ∂₁f p = 0 and ∂₁fᵀ p is not, the line is false." if _witness else "",
    )
step(
    "p-step",
    P.dp_size,
    "<=",
    K * P.p_next_size / Q.L,
    17,
    r"\|p_{k,i}^L(t) - p_{k-1,i}^L(t)\| \le \frac KL \|p_{k,i}^L(t)\|",
    "The adjoint state changes by at most K/L of itself.",
    inputs=BOTH,
    premises=("prop7.p-change", "prop7.K1"),
    tool=Tool.SUPREMUM,
)
step(
    "h-change",
    P.dh_size,
    "=",
    P.f_size / Q.L,
    17,
    r"\|h_{k,i}^L(t) - h_{k-1,i}^L(t)\| = \frac1L \|f(h_{k-1,i}^L(t), Z_k^L(t))\|",
    "The hidden state changes by f/L.",
    premises=("eq12.layer",),
    tool=Tool.DEFINITION,
)
step(
    "h-step",
    P.f_size / Q.L,
    "<=",
    K * P.h_size / Q.L,
    17,
    r"\frac1L \|f(h_{k-1,i}^L(t), Z_k^L(t))\| \le \frac KL \|h_{k-1,i}^L(t)\|",
    "The branch is at most K times the state.",
    inputs=BOTH,
    premises=("eq12.vanishes", "prop7.K1"),
    tool=Tool.SUPREMUM,
)
step(
    "h-step-bound",
    P.h_size,
    "<=",
    sp.exp(K) * M * Q.M_X,
    17,
    r"\frac KL \|h_{k-1,i}^L(t)\| \le \frac{K e^K M M_X}{L}",
    "The states lie in E, and K₁ is at most K; the common factor K/L is left out.",
    inputs=BOTH,
    premises=("prop7.compact-h",),
    tool=Tool.SUPREMUM,
)
_TEX_THUS = (
    r"\Big\|\frac{dZ_{k+1}^L}{dt}-\frac{dZ_k^L}{dt}\Big\| \le %s\frac1n\sum_{i=1}^n %s"
    r"\Big(\frac{K^2}{L} + \frac{K'K}{L} e^K M M_X + K'\|Z_{k+1}^L-Z_k^L\|\Big)"
)
_thus = K**2 / Q.L + Kp * K / Q.L * sp.exp(K) * M * Q.M_X + Kp * Q.gap_here
_from = ("prop7.returning", "prop7.p-step", "prop7.h-step", "prop7.h-step-bound")
step(
    "thus",
    Q.gap_rate,
    "<=",
    P.mean_p * _thus,
    17,
    _TEX_THUS % ("", r"\|p_{k,i}^L\|"),
    "Successive velocities against the adjoint state p_k alone.",
    inputs=BOTH,
    premises=_from,
    expect="prop7-thus-witness",
    note="The line before it has ‖p_k‖ in one term and ‖p_{k-1}‖ in the other, and (13) does not order the two: with f = zh, L = 2, "
    "Z_2 = -2 the state p_1 is 0 and the velocities differ. The larger of the two is meant; the bound on p that follows holds for all k.",
)
step(
    "thus",
    Q.gap_rate,
    "<=",
    P.K_pi * Q.p_pair * _thus,
    17,
    _TEX_THUS % (_PI, r"\max(\|p_{k,i}^L\|,\|p_{k+1,i}^L\|)"),
    "Successive velocities against the larger of p_k and p_{k+1}.",
    inputs=BOTH,
    edition="corrected",
    premises=_from,
    note=GAIN,
)
step(
    "thus",
    Q.gap_rate,
    "<=",
    P.K_pi * Q.p_pair * (K1 * K2 / Q.L + K21 * K1 / Q.L * Q.h_pair + K22 * Q.gap_here),
    17,
    _TEX_THUS % (_PI, r"\max(\|p_{k,i}^L\|,\|p_{k+1,i}^L\|)"),
    "The same with one constant for each derivative, at these two layers.",
    edition="sharpened",
    where=PAIR,
    premises=_from,
    note=GAIN,
)

# --- backward growth
step(
    "p-growth",
    P.p_next_size + P.Jt_size / Q.L,
    "<=",
    P.p_next_size + K / Q.L * P.p_next_size,
    17,
    r"\|p_{k+1,i}^L\| + \frac1L \|\partial_1 f(h_{k,i}^L, Z_{k+1}^L) p_{k+1,i}^L\| \le \|p_{k+1,i}^L\| + \frac KL \|p_{k+1,i}^L\|",
    "A layer lets the adjoint state grow by at most 1 + K/L, k = 0..L-1.",
    inputs=BOTH,
    premises=("prop7.p-triangle", "prop7.K1"),
    tool=Tool.SUPREMUM,
    note="Printed for k = 0..L; p_{L+1} does not exist.",
)
step(
    "p-bound",
    P.p_size,
    "<=",
    sp.exp(K) * P.p_last_size,
    17,
    r"\|p_{k,i}^L(t)\| \le e^K \|p_{L,i}^L(t)\|",
    "L layers let the adjoint state grow by at most e^K.",
    inputs=BOTH,
    premises=("prop7.p-growth",),
    tool=Tool.DISCRETE_GRONWALL,
)
step(
    "p-last",
    P.p_last_size,
    "=",
    2 * P.B_error_size,
    17,
    r"e^K \|p_{L,i}^L(t)\| = 2e^K \|B^L(t)^\top(F^L(x_i;t)-y_i)\|",
    "The last adjoint state, without the common factor.",
    premises=("eq13.general-last",),
    tool=Tool.DEFINITION,
)
step(
    "p-last-bound",
    P.B_error_size,
    "<=",
    M * (P.Bh_size + P.y_size),
    17,
    r"2e^K \|B^L(t)^\top(F^L(x_i;t)-y_i)\| \le 2e^K M(\|B^L(t)h_{L,i}^L(t)\| + \|y_i\|)",
    "B is at most M, and output and label are split; the common factor is left out.",
    inputs=BOTH,
    premises=("prop7.p-last", "prop7.general-norm-B"),
)
step(
    "p-final",
    M * (P.Bh_size + P.y_size),
    "<=",
    M * (sp.exp(K) * M**2 * Q.M_X + Q.M_Y),
    17,
    r"2e^K M(\|B^L(t)h_{L,i}^L(t)\| + \|y_i\|) \le 2e^K M(e^K M^2 M_X + M_Y)",
    "The output is at most e^K M² M_X; the common factor is left out.",
    inputs=BOTH,
    premises=("prop7.general-norm-B", "prop7.hidden-bound", "prop7.embedded", "prop7.embedded-bound"),
    tool=Tool.SUPREMUM,
)

# --- the differential inequality, its integral, and Grönwall
_MISSING = f"{GAIN} α and β lack it: with r tanh(4g/r) for π the line is false."
_RATE_FROM = ("prop7.thus", "prop7.p-bound", "prop7.p-last-bound", "prop7.p-final")
_LINES: tuple[tuple[str, tuple[str, ...], sp.Expr, Callable[[sp.Expr], sp.Expr], int, str, str, dict[str, Any]], ...] = (
    (
        "general-rate",
        BOTH,
        Q.gap_rate,
        lambda c: c * (alpha * Q.gap_here + beta / Q.L),
        17,
        r"\Big\|\frac{dZ_k^L}{dt}(t)-\frac{dZ_{k+1}^L}{dt}(t)\Big\| \le \alpha\|Z_k^L(t)-Z_{k+1}^L(t)\| + \frac{\beta}{L}",
        "The differential inequality",
        {"premises": _RATE_FROM},
    ),
    (
        "general-integral",
        ("a-priori",),
        Q.gap,
        lambda c: Q.gap0 + c * (beta * Q.t / Q.L + alpha * P.gap_path),
        17,
        r"\|Z_{k+1}^L(t)-Z_k^L(t)\| \le \|Z_{k+1}^L(0)-Z_k^L(0)\| + \frac{\beta t}{L}"
        r" + \int_0^t \alpha\|Z_k^L(\tau)-Z_{k+1}^L(\tau)\| d\tau",
        "The differential inequality, integrated",
        {"premises": ("prop7.general-rate",), "from_start": True},
    ),
    (
        "general-gap",
        ("a-priori",),
        Q.gap,
        lambda c: (Q.gap0 + c * beta * Q.T / Q.L) * sp.exp(c * alpha * Q.T),
        16,
        r"\|Z_{k+1}^L(t)-Z_k^L(t)\| \le \Big(\|Z_{k+1}^L(0)-Z_k^L(0)\| + \frac{\beta T}{L}\Big) e^{\alpha T}",
        "Successive weights stay O(1/L) apart",
        {"premises": ("prop7.general-integral",), "tool": Tool.GRONWALL, "role": Role.RESULT},
    ),
)
for _label, _inputs, _lhs, _rhs, _page, _tex, _meaning, _more in _LINES:
    step(
        _label,
        _lhs,
        "<=",
        _rhs(sp.Integer(1)),
        _page,
        _tex,
        f"{_meaning}, with the printed α and β.",
        inputs=_inputs,
        expect="prop7-gain-witness",
        note=_MISSING,
        **_more,
    )
    _right = _tex.replace(r"\alpha", _PI + r"\alpha").replace(r"\beta", _PI + r"\beta")
    step(
        _label,
        _lhs,
        "<=",
        _rhs(P.K_pi),
        _page,
        _right,
        f"{_meaning}, with α and β times the Lipschitz constant of π.",
        inputs=_inputs,
        edition="corrected",
        note=GAIN,
        **_more,
    )
    if _label == "general-integral":
        continue
    step(
        _label,
        _lhs,
        "<=",
        _rhs(P.K_pi).subs(Q.T, Q.t),
        _page,
        _right,
        f"{_meaning}, with one constant for each derivative" + (" and t for T." if _label == "general-gap" else "."),
        inputs=("a-priori",),
        edition="sharpened",
        where=SHARP,
        note=GAIN,
        **{**_more, "from_start": _label == "general-gap"},
    )
