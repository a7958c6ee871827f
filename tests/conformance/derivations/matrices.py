"""Appendix B.3 and Lemma 20: each right side from the lines before it, or from the distribution."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from depthlimit.conformance.derivations.lines import Definitions, Lines
from depthlimit.conformance.derivations.model import initial_norm
from depthlimit.conformance.derivations.tools import euclidean, triangle
from depthlimit.theory.paper import lemma20, prop3_steps
from depthlimit.theory.paper import quantities as Q

Rule = Callable[[Lines], sp.Expr]
_a, _N, _x = lemma20.a, lemma20.N, lemma20.x
_i, _s, _V, _W = sp.symbols("i s V W")


def _orthonormal(rows: sp.Symbol) -> sp.Expr:
    """The Frobenius norm of a block whose rows, or columns, are that many unit vectors."""
    return sp.sqrt(sp.summation(1, (_i, 1, rows)))


def _root_2() -> sp.Expr:
    """|v| + |w| <= |(1, 1)| |(v, w)|: Cauchy-Schwarz."""
    return euclidean(sp.Integer(1), sp.Integer(1))


def _chernoff() -> sp.Expr:
    """inf over s of e^{-s a N} E e^{s χ²_N} = e^{-s a N} (1 - 2s)^{-N/2}."""
    a, N = (sp.Symbol(name, positive=True) for name in "aN")
    exponent = -_s * a * N - N / 2 * sp.log(1 - 2 * _s)
    (best,) = sp.solve(sp.diff(exponent, _s), _s)
    return sp.exp(sp.expand(sp.simplify(exponent.subs(_s, best)))).subs({a: _a, N: _N})


def _prefactor() -> sp.Expr:
    """z^{s-1} e^{-z}/(1 - (s-1)⁺/z) over Stirling's √(2π) s^{s-1/2} e^{-s}, in logarithms; s = N/2, z = as."""
    s = _N / 2
    logarithm = (s - 1) * (sp.log(_a) + sp.log(s)) - _a * s - (s - sp.Rational(1, 2)) * sp.log(s) + s
    return sp.exp(sp.expand(logarithm)) / (1 - sp.Max(_N - 2, 0) / (2 * _a * s)) / sp.sqrt(2 * sp.pi)


def _tail(level: int) -> Rule:
    """Lemma 20 at that level, x being (M_W² - 1)qm/16."""
    return lambda line: line.rhs("lemma20.tail[as-printed]").subs(_x, line.find("lemma20.tail[as-printed]").where[_x]).subs(_a, level)


RULES: dict[str, Rule] = {
    "prop3.start-A": lambda line: _orthonormal(Q.d),
    "prop3.start-B": lambda line: _orthonormal(Q.dout),
    "prop3.M0": lambda line: initial_norm(),
    "prop3.norm-of-vector[corrected]": lambda line: euclidean(prop3_steps.V_here, prop3_steps.W_here),
    "prop3.norms-lower": lambda line: triangle(_V + _W, {_V: prop3_steps.V_here, _W: prop3_steps.W_here}),
    "prop3.norms-upper": lambda line: _root_2() * prop3_steps.Z_euclid,
    "prop3.max-norm": lambda line: euclidean(prop3_steps.gap_V, prop3_steps.gap_W),
    "prop3.operator-norm[corrected]": lambda line: _root_2() * prop3_steps.pull,
    "prop3.event[as-printed]": _tail(4),
    "prop5.event[as-printed]": _tail(2),
    "prop3.event[sharpened]": lambda line: line.rhs("lemma20.prefactor").subs(_a, 4),
    "prop5.event[sharpened]": lambda line: line.rhs("lemma20.prefactor").subs(_a, 2),
    "lemma20.linear[explicit]": lambda line: line.claim.lhs.subs(_x, line.claim.where[_x]),
    "lemma20.prefactor": lambda line: _prefactor(),
    "lemma20.root": lambda line: line.claim.lhs.subs(_x, line.claim.where[_x]),
    "lemma20.root-bound": lambda line: line.rhs("lemma20.root").subs(sp.sqrt(_a - 1), _a - 1),  # at least 1
    "lemma20.threshold": lambda line: line.follow(sp.sqrt(_a - 1) * _N / 2, "lemma20.root-bound") + line.rhs("lemma20.linear[as-printed]"),
    "lemma20.tail[as-printed]": lambda line: line.follow(lemma20.tail, "lemma20.inclusion", "lemma20.laurent-massart"),
    "lemma20.tail[sharpened]": lambda line: _chernoff(),
    "lemma20.small-level": lambda line: line.rhs("lemma20.tail[as-printed]"),
}


def constants(line: Lines) -> Definitions:
    """The x for which 4√(Nx) = 2 √(M_W² - 1) N · ½: the threshold of Laurent and Massart at the level of the lemma."""
    root = sp.Symbol("root", positive=True)
    return {_x: sp.expand(sp.solve(2 * sp.sqrt(_N) * root - sp.sqrt(_a - 1) * _N / 2, root)[0] ** 2)}
