"""Appendix B.6 and Remark 3: C is the loss at which the μ of Proposition 5 is that of (22)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import sympy as sp

from depthlimit.conformance.derivations import model, prop8_steps
from depthlimit.conformance.derivations.lines import Definitions, Lines
from depthlimit.conformance.derivations.prop5_constants import branch, known
from depthlimit.conformance.derivations.tools import layers, supremum_over_sum_ball, v, w
from depthlimit.theory.paper import prop5_setting as P
from depthlimit.theory.paper import prop7
from depthlimit.theory.paper import prop8 as S
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.prop7 import K

Rule = Callable[[Lines], sp.Expr]
_H = (1 + P.M) * sp.sqrt(Q.q)  # M_A M_X


@cache
def _suprema() -> sp.Expr:
    """K over |V| + |W| <= |W̄| + M, |h| <= e^{K₁} M_A M_X."""
    radius, size = P.W_bar + P.M, sp.Symbol("size", nonnegative=True)
    bounds = model.constants(size, v, w)
    first = sp.factor(supremum_over_sum_ball(bounds[prop7.K1], radius))
    root = sp.sqrt(Q.q) * sp.sqrt(Q.m)
    second = sp.sqrt(sp.factor(supremum_over_sum_ball(sp.expand((bounds[prop7.K2] * root) ** 2), radius))) / root
    return sp.Max(first, second.subs(size, layers(first) * _H))


def _separate() -> sp.Expr:
    """K for |V| <= M and |W| <= √(2qm) + M, which is at most √(qm)(√2 + M) as qm >= 1."""
    root = sp.sqrt(Q.q * Q.m)
    by_W = sp.expand(P.EVENT_W[0].rhs / root) + P.M
    first = branch(P.M, root * by_W, sp.Integer(1))
    return sp.Max(first, branch(layers(first) * _H, root * (P.M + by_W), sp.Integer(1)))


def _right_of_22(loss: sp.Expr, largest: sp.Expr) -> sp.Expr:
    values = {S.M_A: 1 + P.M, S.M_B: 1 + P.M, Q.M_X: sp.sqrt(Q.q), K: largest, S.R_pl: P.M, Q.loss0: loss}
    return prop8_steps.known()[S.mu].subs(values, simultaneous=True)


def _largest_loss(largest: sp.Expr) -> sp.Expr:
    """The ℓ(0) at which the μ of Proposition 5 is that of (22)."""
    return (P.c_4 / (Q.n * sp.sqrt(Q.n) * Q.q) / _right_of_22(sp.Integer(1), largest)) ** 2


def _value_of_M(expression: sp.Expr) -> sp.Expr:
    """M² replaced where it stands in front."""
    return expression * (known()[P.M] / P.M) ** 2


def largest_loss_on_the_event() -> sp.Expr:
    """The same where |W̄| is as large as Lemma 20 lets it be."""
    return _value_of_M(_largest_loss(_suprema().subs(P.W_bar, P.EVENT_W[0].rhs)))


RULES: dict[str, Rule] = {
    "thm6.C": lambda line: _largest_loss(_suprema()),
    "thm6.condition": lambda line: _right_of_22(P.loss_start, _suprema()),
    "remark3.width[as-printed]": lambda line: _value_of_M(_largest_loss(_suprema())),
    "remark3.width[corrected]": lambda line: _value_of_M(_largest_loss(_separate())),
}


def constants(line: Lines) -> Definitions:
    """Those of Proposition 5, the same for every line."""
    return known()
