"""Constants of Proposition 5, from the shares of s_min that its proof leaves; sizes of a layer and of what moves the activations."""

from __future__ import annotations

from functools import cache

import sympy as sp

from depthlimit.conformance.derivations.lemma21 import gaussian, level
from depthlimit.conformance.derivations.lines import Definitions
from depthlimit.conformance.derivations.tools import chain_rule, discrete_gronwall, layers, triangle
from depthlimit.theory import registry
from depthlimit.theory.paper import lemma21
from depthlimit.theory.paper import prop5_setting as P
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.lemma20 import N
from depthlimit.theory.paper.prop11_setting import k_step as k

HALF, ROOT_M, EIGHTH = sp.Rational(1, 2), sp.sqrt(Q.m), sp.Rational(1, 8)
_j = sp.Symbol("j", integer=True)
_y = sp.Symbol("y", positive=True)
_x = sp.symbols("x_1:4")
_V, W_EVENT = sp.Integer(1), sp.sqrt(2 * Q.q * Q.m)  # (48), and the event of Lemma 20
START = ROOT_M * P.eta / 4  # s_min(S̄) on the event of Lemma 21


def branch(v: sp.Expr, w: sp.Expr, h: sp.Expr) -> sp.Expr:
    """|V σ(Wh/√q)|/√m."""
    return chain_rule((v, chain_rule((Q.K_sigma, w * h / sp.sqrt(Q.q))))) / ROOT_M


def moved(W: sp.Expr, h: sp.Expr, bar: sp.Expr, h_drift: sp.Expr, A_drift: sp.Expr) -> sp.Expr:
    """σ(Wh/√q) - σ(W̄Āx/√q), σ entry by entry and Wh - W̄Āx = (W - W̄)h + W̄(h - Ax) + W̄(A - Ā)x."""
    parts = (W * h, bar * h_drift, bar * A_drift)
    return chain_rule((Q.K_sigma, triangle(sum(_x), dict(zip(_x, parts, strict=True))) / sp.sqrt(Q.q)))


def shrunk(kept: sp.Expr) -> sp.Expr:
    """(1 - kept/L)^L."""
    return discrete_gronwall((1 - kept / Q.L) * _y, _y, sp.Integer(1), Q.L, Q.L)


@cache
def by_A() -> sp.Expr:
    """The radius at which W̄(A - Ā)x moves σ by an eighth of s_min(S̄)."""
    (radius,) = sp.solve(moved(sp.Integer(0), sp.Integer(0), W_EVENT, sp.Integer(0), _y * P.root_nq) - START * EIGHTH, _y)
    return radius


@cache
def _drift() -> sp.Expr:
    """The change of the activations under (48), the distance of W from the centre at most ½."""
    h = layers(P.a) * 2 * P.root_nq
    h_drift = sp.summation(branch(_V, 2 * W_EVENT, h) / Q.L, (_j, 1, k))
    return sp.expand(moved(HALF, h, W_EVENT, h_drift, by_A() * P.root_nq))


def first_constant() -> sp.Expr:
    """c₁ from C₁√n <= √mη/32, an eighth of s_min(S̄) again."""
    (ratio,) = sp.solve(P.C_1 * sp.sqrt(Q.n) - (START * EIGHTH).subs(Q.m, _y * Q.n), _y)
    return ratio


@cache
def known() -> Definitions:
    """Those of pages 32 to 35 and of the sharpened edition, the same for every line."""
    full = {P.C_1: sp.expand(_drift()).coeff(k, 0).coeff(P.eta, 0) / sp.sqrt(Q.n)}
    by_k = _drift().coeff(k, 1) * 16 * Q.L / (P.root_nq * ROOT_M)  # C₂√(nqm)k/(16L)
    full[P.C_2] = sp.simplify(by_k)
    full[P.C_3] = layers(-P.a) * (sp.Rational(3, 16) - sp.Rational(1, 16))
    share = P.C_2 / 16 * ROOT_M * P.root_nq * _y / Q.L - START / 4  # a quarter of s_min(S̄) at k = x
    (x,) = sp.solve(share, _y)
    (depth,) = sp.solve(x.subs(Q.L, _y) - 1, _y)  # x >= 1
    radius = by_A()
    logarithm = sp.solve(P.r * _y - sp.log(sp.Rational(3, 4) / Q.n), _y)[0]  # of the ρ with ρ^r = 3/(4n)
    rate = sp.sympify(registry.claims("prop5.sharp-rate")[0].rhs)
    return {
        P.a: branch(_V, 2 * W_EVENT, sp.Integer(1)),
        P.C_1: full[P.C_1],
        P.C_2: sp.simplify(full[P.C_2] / full[P.C_1]) * P.C_1,
        P.C_3: full[P.C_3],
        P.c_1: sp.Max(first_constant().subs(full), 1),
        P.c_2: sp.simplify(depth / P.root_nq).subs(full),
        P.c_3: sp.Min(sp.simplify(radius * P.root_nq), HALF),
        P.c_4: sp.simplify((proved() * Q.n * P.root_nq).subs(full)),
        P.M: P.c_3 / P.root_nq,
        P.x: x,
        P.pair: sp.exp(2 * logarithm),
        P.delta_W: sp.sympify(registry.claims("prop5.event[as-printed,a-priori]")[0].rhs).subs(N, Q.q * Q.m),
        P.delta_S: level(HALF, Q.m * P.eta**2 / 8, lambda t: (1 - t**2) / 2) / Q.n,
        P.delta_x: Q.n**2 * gaussian(P.v_x2).subs(lemma21.cap_t, sp.sqrt(Q.d * P.pair)),
        P.M_sharp: radius / sp.Max(1, Q.K_sigma),
        P.a_sharp: branch(P.M_sharp, W_EVENT + P.M_sharp, sp.Integer(1)),
        P.mu_sharp: rate * P.eta**2 / Q.n,
    }


def failure_sharpened() -> sp.Expr:
    """δ of the sharpened edition: the level ¼ of mη²/4, and each pair of samples once."""
    pairs = sp.summation(Q.n - _j, (_j, 1, Q.n))
    quarter = sp.Rational(1, 4)
    return P.delta_W + level(quarter, Q.m * P.eta**2 * quarter) + pairs * known()[P.delta_x] / Q.n**2


def in_constants(expression: sp.Expr) -> sp.Expr:
    """With C₁ and C₂ for what they stand for."""
    c_1, by_c_1 = known()[P.C_1], known()[P.C_2] / P.C_1
    return sp.expand(sp.expand(expression).subs(c_1, P.C_1).subs(P.C_1 * Q.K_sigma, P.C_2 * Q.K_sigma / by_c_1))


def proved() -> sp.Expr:
    """The μ where the proof ends, on page 34."""
    return sp.sympify(registry.claims("prop5.pl-proved[as-printed,instantaneous]")[0].rhs) / Q.ball_loss


def in_a(expression: sp.Expr) -> sp.Expr:
    """With a for what a layer stretches by."""
    return expression.subs(Q.K_sigma, P.a * Q.K_sigma / known()[P.a])


def by_loss(expression: sp.Expr) -> sp.Expr:
    """|Bh_L - y|² = nℓ."""
    return expression.subs(P.at_residual, sp.sqrt(Q.n) * sp.sqrt(Q.ball_loss))
