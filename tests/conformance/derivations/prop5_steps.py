"""Lemma 18 and Appendix B.5: each right side from the lines before it and its hypotheses."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from depthlimit.conformance.derivations.lines import Definitions, Lines
from depthlimit.conformance.derivations.prop5_constants import (
    HALF,
    ROOT_M,
    START,
    W_EVENT,
    branch,
    by_A,
    by_loss,
    first_constant,
    in_a,
    in_constants,
    known,
    moved,
    proved,
    shrunk,
)
from depthlimit.conformance.derivations.tools import bounded, chain_rule, discrete_gronwall, layers, triangle
from depthlimit.theory.paper import prop5_setting as P
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.prop11_setting import k_step as k

Rule = Callable[[Lines], sp.Expr]
_j = sp.Symbol("j", integer=True)
_y = sp.Symbol("y", positive=True)
_x = sp.symbols("x_1:3")


def constants(line: Lines) -> Definitions:
    """The constants of the proof, the same for every line."""
    return known()


def _eigenvalue() -> sp.Expr:
    """Tr(RRᵀBBᵀ) = Σ λ_i r_i² in the eigenbasis of BBᵀ, each λ_i at least the smallest."""
    roots, parts = sp.symbols("l_1:3", nonnegative=True), sp.symbols("r_1:3", nonnegative=True)
    trace = (sp.diag(*parts) ** 2 * sp.diag(*roots)).trace()
    return sp.factor(trace.subs(dict.fromkeys(roots, P.at_BB_min))).subs(sum(r**2 for r in parts), P.at_residual**2)


def _power(line: Lines) -> sp.Expr:
    """|p_k| >= |p_{k+1}| less what a layer takes under (48), L times."""
    step, growth = line.find("prop5.p-step"), line.find("prop5.p-growth")
    taken = in_a(line.given(growth.lhs - P.at_p))
    if sp.expand(taken - (step.lhs - P.at_p)) != 0:
        raise ValueError("the line before it takes more, or less")
    return discrete_gronwall(sp.expand(step.rhs - taken), P.at_p_next, P.at_p_last, Q.L, Q.L)


def _p_last() -> sp.Expr:
    """∂/∂h_L of |Bh_L - y|²/n: 2/n times Bᵀ applied to the errors."""
    return sp.diff(P.at_residual**2 / Q.n, P.at_residual).subs(P.at_residual, P.at_pulled)


def _second_form(line: Lines, constant: sp.Symbol) -> sp.Expr:
    """The constant, if its first form is that with C₁, C₂ and C₃ put in."""
    definitions = known()
    first = line.claim.lhs.subs(P.C_2, definitions[P.C_2]).subs({c: definitions[c] for c in (P.C_1, P.C_3)})
    if sp.simplify(first - definitions[constant]) != 0:
        raise ValueError(f"the first form of {constant} is another constant")
    return constant


def _drift_line(line: Lines) -> sp.Expr:
    sizes = {P.dist_W: HALF, P.at_h: line.rhs("prop5.h-bound"), P.W_bar: W_EVENT, P.at_h_drift: line.rhs("prop5.h-drift")}
    by_A = chain_rule((1, line.rhs("prop5.A-drift-bound")))
    return bounded(line.rhs("prop5.drift-split"), {**sizes, P.at_A_drift: by_A})


def _s_layer(line: Lines) -> sp.Expr:
    """¼√mη less the drift, with the part with k on the left."""
    drift = sp.expand(line.rhs("prop5.drift"))
    in_c = in_constants(drift).subs(P.C_1 * sp.sqrt(Q.n), line.rhs("prop5.c1-used"))
    return sp.expand(START - in_c + (line.claim.lhs - P.at_s))


def _s_eighth(line: Lines) -> sp.Expr:
    """The line before it at k = x, where what this one has on the left is 0."""
    layer, x = line.find("prop5.s-layer"), known()[P.x]
    return sp.expand(layer.rhs + (line.claim.lhs - P.at_s - (layer.lhs - P.at_s)).subs(k, x))


def _sum_floor(line: Lines) -> sp.Expr:
    """The squares of the layers k = 1..⌊x⌋, or k = 0..min(⌊x⌋, L-1)."""
    if line.claim.edition == "as-printed":
        count = sp.summation(1, (_j, 1, sp.floor(P.x)))
    else:
        count = sp.Min(*(sp.summation(1, (_j, 0, last)) for last in (sp.floor(P.x), Q.L - 1)))
    return line.rhs("prop5.sum").subs(P.at_sum_V, count * line.rhs("prop5.grad-V-layer") ** 2)


def _pl_proved(line: Lines) -> sp.Expr:
    """⌊x⌋ >= x/2; or ⌊x⌋ + 1 >= x, and C₂ = c₂η."""
    total, x = line.rhs("prop5.sum-floor"), known()[P.x]
    if line.claim.edition == "as-printed":
        return bounded(total, {sp.floor(P.x): line.rhs("prop5.floor")}).subs(P.x, x)
    share = sp.simplify(x.subs(P.C_2, P.c_2 * P.eta) / Q.L)
    return total.subs(sp.Min(sp.floor(P.x) + 1, Q.L), Q.L * sp.Min(share, 1))


def _pl(line: Lines) -> sp.Expr:
    """With c₄ for its value, and q for √q in the denominator: what is stated is less than what is proved."""
    if line.claim.edition == "corrected":
        return line.rhs("prop5.pl-proved")
    before = line.rhs("prop5.pl-proved[as-printed]")
    return (before * P.c_4 / (proved() * Q.n * P.root_nq)).subs(sp.sqrt(Q.q), Q.q)


def _sharp_drift(line: Lines) -> sp.Expr:
    start = (1 + P.M_sharp) * P.root_nq
    h_drift = line.rhs("prop5.sharp-hidden").subs(P.at_h0, start)
    sizes = {P.dist_W: P.M_sharp, P.at_h: layers(P.a_sharp) * start, P.W_bar: W_EVENT, P.at_h_drift: h_drift}
    return bounded(line.rhs("prop5.drift-split"), {**sizes, P.at_A_drift: P.M_sharp * P.root_nq})


def _sharp_p(line: Lines) -> sp.Expr:
    """(1 - a/L)^L times (2/n) s_min(B)√(nℓ)."""
    smin = line.rhs("prop5.smin-B") - P.M_sharp
    return shrunk(P.a_sharp) * by_loss(_p_last().subs(P.at_pulled, smin * P.at_residual))


def _sharp_draw(line: Lines) -> sp.Expr:
    """(1/m) |p|² s_min(S)²: L layers, each with its weight L, over L²m."""
    return line.rhs("prop5.sharp-p") ** 2 * sp.Max(Q.s0 - line.rhs("prop5.sharp-drift"), 0) ** 2 / Q.m


_GRADIENT: dict[str, Rule] = {
    "lemma18.eigenvalue": lambda line: _eigenvalue(),
    "lemma18.square[corrected]": lambda line: line.claim.lhs.subs(P.at_BB_min, (sp.Matrix([[P.at_B_min]]) ** 2)[0, 0]),
    "lemma18.left": lambda line: sp.sqrt(line.follow(P.at_pulled**2, "lemma18.trace", "lemma18.eigenvalue", "lemma18.square[corrected]")),
    "lemma18.right": lambda line: line.rhs("lemma18.left").subs({P.at_B_min: P.at_s, P.at_residual: P.at_p_next}),
    "prop5.p-power[corrected]": _power,
    "prop5.p-last": lambda line: _p_last(),
    "prop5.p-last-lower": lambda line: line.follow(line.rhs("prop5.p-last"), "lemma18.left"),
    "prop5.p-last-loss": lambda line: by_loss(line.given(line.rhs("prop5.p-last-lower"))),
    "prop5.p-lower": lambda line: line.rhs("prop5.p-power").subs(P.at_p_last, line.rhs("prop5.p-last-loss")),
    "prop5.p-upper": lambda line: layers(P.a) * by_loss(_p_last().subs(P.at_pulled, line.given(P.at_B * P.at_residual))),
    "prop5.grad-V": lambda line: sp.diff(_y * P.at_pS / (Q.L * ROOT_M), _y),
    "prop5.grad-V-lower": lambda line: line.follow(line.rhs("prop5.grad-V"), "lemma18.right"),
    "prop5.grad-V-loss": lambda line: bounded(line.rhs("prop5.grad-V-lower"), {P.at_p_next: line.rhs("prop5.p-lower")}),
}
_STATES: dict[str, Rule] = {
    "prop5.loss": lambda line: P.at_residual**2 / sp.summation(1, (_j, 1, Q.n)),
    "prop5.smin-B": lambda line: line.rhs("lemma18.perturbation").subs(Q.s0, 1),
    "prop5.smin-half": lambda line: line.rhs("prop5.smin-B") - line.given(P.dist_B),
    "prop5.norm-B": lambda line: line.given(triangle(sum(_x[:2]), {_x[0]: 1, _x[1]: P.dist_B})),
    "prop5.norm-W": lambda line: line.given(triangle(sum(_x[:2]), {_x[0]: P.W_bar, _x[1]: P.dist_W})),
    "prop5.h0-norm": lambda line: chain_rule((P.at_A, Q.XF)),
    "prop5.h0-bound": lambda line: line.given(line.claim.lhs),
    "prop5.h-growth": lambda line: triangle(sum(_x[:2]), {_x[0]: P.at_h, _x[1]: branch(P.at_V, P.at_W, P.at_h) / Q.L}),
    "prop5.h-step": lambda line: in_a(line.given(line.rhs("prop5.h-growth"))),
    "prop5.h-power": lambda line: discrete_gronwall(line.rhs("prop5.h-step"), P.at_h, P.at_h0, Q.L),
    "prop5.h-bound": lambda line: bounded(line.rhs("prop5.h-power"), {P.at_h0: line.rhs("prop5.h0-bound")}),
    "prop5.near-A": lambda line: line.given(line.claim.lhs),
    "prop5.near-B": lambda line: bounded(line.given(line.claim.lhs), {P.M: HALF}),
    "prop5.near-W": lambda line: bounded(line.given(line.claim.lhs), {P.M: HALF}),
    "prop5.half": lambda line: next(bound for bound in known()[P.c_3].args if bound.is_Number),
    "prop5.radius": lambda line: sp.Min(by_A(), HALF),
}
_DRIFT: dict[str, Rule] = {
    "prop5.drift-split": lambda line: moved(P.dist_W, P.at_h, P.W_bar, P.at_h_drift, P.at_A_drift),
    "prop5.h-drift": lambda line: sp.summation(line.given(branch(P.at_V, P.at_W, line.rhs("prop5.h-bound"))) / Q.L, (_j, 1, k)),
    "prop5.A-drift": lambda line: chain_rule((P.dist_A, Q.XF)),
    "prop5.A-drift-bound": lambda line: line.given(line.claim.lhs).subs(P.M, by_A()),
    "prop5.drift": _drift_line,
    "prop5.drift-constants": lambda line: in_constants(line.claim.lhs),
    "prop5.c1-used": lambda line: line.claim.lhs.subs(Q.n, Q.m / first_constant()),
    "prop5.s-layer": _s_layer,
    "prop5.s-eighth": _s_eighth,
    "prop5.grad-V-layer": lambda line: (
        bounded(line.rhs("prop5.grad-V-loss"), {P.at_s: line.rhs("prop5.s-eighth")}) * P.C_3 / known()[P.C_3]
    ),
    "prop5.sum": lambda line: Q.L * P.at_sum_V,
    "prop5.floor": lambda line: sp.limit(sp.floor(_y) / _y, _y, 2, "-") * P.x,
    "prop5.sum-floor": _sum_floor,
    "prop5.pl-proved": _pl_proved,
    "prop5.pl": _pl,
    "prop5.c1": lambda line: _second_form(line, P.c_1),
    "prop5.c2": lambda line: _second_form(line, P.c_2),
    "prop5.c4": lambda line: _second_form(line, P.c_4),
    "prop5.mu-root": lambda line: proved(),
    "prop5.delta-34": lambda line: (P.delta_W if line.claim.edition == "corrected" else 0) + Q.n * P.delta_S + P.delta_x,
    "remark2.order": lambda line: known()[P.delta_x].subs(P.pair, known()[P.pair].subs(P.r, 2)),
}
_SHARP: dict[str, Rule] = {
    "prop5.sharp-radius": lambda line: known()[P.M_sharp].subs(P.eta, Q.K_sigma / sp.sqrt(2)).subs({Q.n: 1, Q.q: 1, Q.K_sigma: 1}),
    "prop5.sharp-hidden": lambda line: (layers(P.a_sharp) - 1) * P.at_h0,
    "prop5.sharp-drift": _sharp_drift,
    "prop5.sharp-s": lambda line: START - line.rhs("prop5.sharp-drift-bound"),
    "prop5.sharp-p": _sharp_p,
    "prop5.sharp-pl": lambda line: P.mu_sharp * Q.ball_loss,
    "prop5.sharp-draw": _sharp_draw,
}
RULES: dict[str, Rule] = {**_GRADIENT, **_STATES, **_DRIFT, **_SHARP, "thm6.weaker": lambda line: line.rhs("prop5.pl") / 2}
NOT_DERIVED: dict[str, str] = {
    "lemma18.square[as-printed]": "false as printed; the corrected edition is derived",
    "prop5.p-power[as-printed]": "false as printed; the corrected edition is derived",
    "prop5.p-power[explicit]": "what is printed, where it holds with room: a layer takes less there",
    "prop5.norm-A": "rounded up from 3/2 in the print",
    "prop5.near-V": "rounded up from ½ in the print",
    "prop5.sharp-stretch": "rounded up from 1/(32√2) + 1/(64·64√2); checked in the tests of Proposition 5",
    "prop5.sharp-drift-bound": "three terms rounded up; checked in the tests of Proposition 5",
    "prop5.sharp-rate": "rounded down from 1/11.1; checked in the tests of Proposition 5",
    "remark2.dirac": "1, beyond which a probability says nothing",
    "remark2.first-terms": "a simpler expression that was chosen",
}
