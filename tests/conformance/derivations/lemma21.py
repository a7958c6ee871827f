"""Lemma 21 and (55): Chernoff's exponent from a Laplace transform, its values at two levels, and the numbers of pairs of columns."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from depthlimit.conformance.derivations.lines import Definitions, Lines
from depthlimit.theory import registry
from depthlimit.theory.paper import lemma21 as M
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.unclipped import M_sigma

Rule = Callable[[Lines], sp.Expr]
_i = sp.Symbol("i", integer=True)
_s, _t, _x = (sp.Symbol(name, positive=True) for name in ("s", "t", "x"))


def _poisson(t: sp.Expr) -> sp.Expr:
    """-inf over s of st - 1 + e^{-s}, the logarithm of e^{st} E e^{-s M} per unit of λ/R."""
    exponent = _s * _t - 1 + sp.exp(-_s)
    (best,) = sp.solve(sp.diff(exponent, _s), _s)
    return sp.expand_log(-exponent.subs(_s, best), force=True).subs(_t, t)


def _quadratic(t: sp.Expr) -> sp.Expr:
    """Its Taylor polynomial of second order at t = 1, which lies below it since the next derivative, -1/t², is negative."""
    polynomial = sp.series(_poisson(_t), _t, 1, 3).removeO()
    return sp.factor(polynomial).subs(_t, t)


def gaussian(variance: sp.Expr) -> sp.Expr:
    """2 inf over s of e^{-st} e^{s² v²/2}: both tails."""
    exponent = -_s * _t + _s**2 * _x / 2
    (best,) = sp.solve(sp.diff(exponent, _s), _s)
    return 2 * sp.exp(sp.simplify(exponent.subs(_s, best))).subs({_x: variance, _t: M.cap_t})


def _hoeffding() -> sp.Expr:
    """The ε at which 2 exp(-2Nε²/(2M_σ²)²), once per pair, is the risk, N = m draws; each term lies in [-M_σ², M_σ²]."""
    N, width, logarithm = (sp.Symbol(name, positive=True) for name in ("N", "width", "logarithm"))
    (square,) = sp.solve(logarithm - 2 * N * _x / width**2, _x)
    return sp.sqrt(square).subs({N: Q.m * M.draws, width: 2 * M_sigma**2, logarithm: sp.log(2 * M.left / M.RISK)})


def level(t: sp.Expr, smallest: sp.Expr, exponent: Callable[[sp.Expr], sp.Expr] = _quadratic) -> sp.Expr:
    """The bound at level t where λ_min(E(M|X)) is `smallest`."""
    return Q.n * sp.exp(-exponent(t) * smallest / (M_sigma**2 * Q.n))


RULES: dict[str, Rule] = {
    "lemma21.largest": lambda line: M.R,
    "lemma21.expectation": lambda line: _hoeffding(),
    "eq55.kernel[sharpened]": lambda line: Q.m * M.eta2 * (1 - sp.summation(M.corr, (_i, 1, Q.n - 1))),
    "eq55.sub-gaussian[explicit]": lambda line: gaussian(sp.Integer(1)),
    "eq55.sub-gaussian[sharpened]": lambda line: gaussian(M.proxy),
    "eq55.pair": lambda line: line.rhs("eq55.sub-gaussian[sharpened]").subs(M.cap_t, sp.sqrt(Q.d * M.theta)),
    "eq55.probability[as-printed]": lambda line: M.b,
    "eq55.probability[sharpened]": lambda line: M.b_sharp,
    "lemma21.chernoff[corrected]": lambda line: Q.n * sp.exp(-_quadratic(M.t) * M.ratio),
    "lemma21.chernoff[sharpened]": lambda line: Q.n * sp.exp(-_poisson(M.t) * M.ratio),
    "lemma21.half[corrected]": lambda line: M.a_corrected,
    "lemma21.event[corrected]": lambda line: M.a_corrected,
    "lemma21.product[corrected]": lambda line: sp.Mul(*(sp.Max(1 - p, 0) for p in (M.a, M.b))),
    "lemma21.union": lambda line: line.rhs("lemma21.product[corrected]"),
    "lemma21.delta": lambda line: 1 - sp.expand((1 - M.a) * (1 - M.b)) + M.a * M.b,
}


def constants(line: Lines) -> Definitions:
    """The two probabilities, as printed (with the printed exponent at t = 1/2), corrected, and by way of mη²/4 at t = 1/4."""
    eighth, quarter = Q.m * M.eta2 / 8, Q.m * M.eta2 / 4
    logarithm = sp.solve(M.order * _x - sp.log(sp.Rational(3, 4) / Q.n), _x)[0]  # of the ρ with ρ^r = 3/(4n)
    pair = sp.sympify(registry.claims("eq55.pair")[0].rhs)
    return {
        M.R: sp.summation(M_sigma**2, (_i, 1, Q.n)),
        M.ratio: M.lam / M.R,
        M.a: level(sp.Rational(1, 2), eighth, lambda t: (1 - t**2) / 2),
        M.a_corrected: level(sp.Rational(1, 2), eighth),
        M.a_sharp: level(sp.Rational(1, 4), quarter),
        M.theta: sp.exp(2 * logarithm),
        M.b: Q.n**2 * pair,
        M.b_sharp: sp.summation(Q.n - _i, (_i, 1, Q.n)) * pair,
        M.left: sp.summation(Q.n - _i + 1, (_i, 1, Q.n)),
    }
