r"""The constants are derived again from the displayed steps, each by its tool, and must equal the registered ones.

Numbers cannot see that a bound is too large; these derivations demand equality, so that a constant which is weakened by mistake (a factor
2, K for K₁, a term too much) fails here as surely as one that is too small.

Model (3) enters through its second-order expansion at a point: with one hidden unit and one neuron the bounds on ∂₁f, ∂₂f, ∂₂₂f and ∂₂₁f
are the norms of scalars, vectors and a 2 x 2 matrix, and the operator norms of the general case obey the same bounds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

import pytest
import sympy as sp

from depthlimit.conformance.faults.planting import redefined, scaled
from depthlimit.theory import registry
from depthlimit.theory.claim import Claim
from depthlimit.theory.paper import prop2, prop3, prop7
from depthlimit.theory.paper import quantities as Q

v, w, H, M, P, L, g, g0, s = (sp.Symbol(name, nonnegative=True) for name in ("v", "w", "H", "M", "P", "L", "g", "g_0", "s"))
kappa, K, Kp, K1, K2, K21, K22 = prop7.kappa, prop7.K, prop7.Kp, prop7.K1, prop7.K2, prop7.K21, prop7.K22
Derived = dict[str, sp.Expr]


# --- tools: from premises to a conclusion


def gronwall(start: sp.Expr, rate: sp.Expr, time: sp.Symbol) -> sp.Expr:
    """From y(t) <= start(t) + ∫₀ᵗ rate y with start not decreasing: y(t) <= start(t) e^{rate t}."""
    return start * sp.exp(rate * time)


def discrete_gronwall(factor: sp.Expr) -> sp.Expr:
    """sup over L of (1 + factor/L)^L, which increases to its limit."""
    return sp.limit((1 + factor / s) ** s, s, sp.oo)


def discrete_gronwall_sum(factor: sp.Expr, step: sp.Expr) -> sp.Expr:
    """From Δ_{k+1} <= (1 + factor/L) Δ_k + step/L², Δ_0 = 0: sup over L of L Δ_L, of the geometric sum itself."""
    return step * (discrete_gronwall(factor) - 1) / factor


def product_rule(a: sp.Expr, da: sp.Expr, b: sp.Expr, db: sp.Expr) -> sp.Expr:
    """|AB - A'B'| <= |A| |B - B'| + |A - A'| |B'|."""
    return a * db + da * b


def supremum_over_sum_ball(expression: sp.Expr) -> sp.Expr:
    """The largest value over v + w <= M of a polynomial of degree at most 2 that grows with v and w: on the edge w = M - v."""
    edge = expression.subs(w, M - v)
    inside = [x for x in sp.solve(sp.diff(edge, v), v) if not x.has(sp.I)]
    values = [sp.expand(edge.subs(v, x)) for x in (*inside, sp.Integer(0), M)]
    return max(values, key=lambda e: float(e.subs(dict.fromkeys(e.free_symbols, 1))))


# --- the derivatives of model (3) at a point


@cache
def model() -> tuple[sp.Expr, sp.Expr, sp.Matrix, sp.Matrix]:
    """∂₁f, ∂₂f, ∂₂₂f and ∂₂₁f of V σ(Wh/√q)/√m with σ, σ', σ'' at their largest: |σ| <= K_σ |u|, |σ'| <= K_σ, |σ''| <= S₂."""
    V, W, h = sp.symbols("V W h")
    point = {V: v, W: w, h: H}
    u = W * h / sp.sqrt(Q.q)
    u0 = u.subs(point)
    expansion = Q.K_sigma * u0 + Q.K_sigma * (u - u0) + Q.S2 * (u - u0) ** 2 / 2
    f = V * expansion / sp.sqrt(Q.m)

    def at(*names: sp.Symbol) -> sp.Expr:
        return sp.simplify(sp.diff(f, *names).subs(point))

    return at(h), sp.Matrix([at(V), at(W)]), sp.Matrix([[at(V, V), at(V, W)], [at(W, V), at(W, W)]]), sp.Matrix([at(V, h), at(W, h)])


def spectral_norm(matrix: sp.Matrix) -> sp.Expr:
    """Of a symmetric matrix with nonnegative entries: its largest eigenvalue."""
    return max(matrix.eigenvals(), key=lambda e: float(e.subs(dict.fromkeys(e.free_symbols, 1))))


def euclidean(vector: sp.Matrix) -> sp.Expr:
    return sp.sqrt(sum(x**2 for x in vector))


def model_constants(size: sp.Expr, v_: sp.Expr, w_: sp.Expr) -> Derived:
    """κ, K₁, K₂, K'_22, K'_21 for |V| <= v_, |W| <= w_, |h| <= size."""
    d1, d2, d22, d21 = model()
    here = {v: v_, w: w_, H: size}
    norms = {"K_1": d1, "K_2": euclidean(d2), "K'_22": spectral_norm(d22), "K'_21": euclidean(d21)}
    return {"kappa": Q.K_sigma / sp.sqrt(Q.q * Q.m), **{name: norm.subs(here, simultaneous=True) for name, norm in norms.items()}}


def model_constants_a_priori() -> Derived:
    """The same over |V| + |W| <= M, |h| <= H_E, with √(x² + y²) <= x + y and (b + √(b² + 4c²))/2 <= b + c."""
    d1, d2, d22, d21 = model()
    square = supremum_over_sum_ball(sp.expand(sum(x**2 for x in d2)))
    by_parts = {
        "K_1": supremum_over_sum_ball(d1),
        "K_2": sp.sqrt(square),
        "K'_22": supremum_over_sum_ball(d22[1, 1]) + d22[0, 1],
        "K'_21": supremum_over_sum_ball(d21[0] + d21[1]),
    }
    to_registered = {M: prop7.M, H: prop7.E_h}
    derived = {name: value.subs(to_registered) for name, value in by_parts.items()}
    return {"kappa": Q.K_sigma / sp.sqrt(Q.q * Q.m), **derived}


# --- Proposition 7, pages 16 and 17


def rate(p: sp.Expr, h: sp.Expr, d1: sp.Expr, d2: sp.Expr, d21: sp.Expr, d22: sp.Expr) -> sp.Expr:
    """(20) and what follows: |∂₂f| <= d2, |p_k - p_{k-1}| <= d1 p/L, |h_k - h_{k-1}| <= d1 h/L, |Δ∂₂f| <= d21 |Δh| + d22 g."""
    return product_rule(d2, d21 * d1 * h / L + d22 * g, p, d1 * p / L)


def alpha_beta(bound: sp.Expr) -> Derived:
    """α and β of a bound α g + β/L."""
    bound = sp.expand(bound)
    return {"alpha": bound.coeff(g, 1), "beta": sp.expand(bound.coeff(g, 0) * L)}


def a_priori(initial: sp.Expr) -> Derived:
    """All constants of Proposition 7 in the order of their definition; `initial` is M₀."""
    tau, m = sp.Symbol("tau"), prop7.M
    hidden = discrete_gronwall(K) * m * Q.M_X  # (21), K₁ <= K
    last = 2 * m * (m * hidden + Q.M_Y)  # |p_L| = 2|Bᵀ(Bh_L - y)|
    adjoint = discrete_gronwall(K) * last
    return {
        "M": initial + sp.integrate(Q.M_pi, (tau, 0, Q.T)),
        **model_constants_a_priori(),
        "H_E": discrete_gronwall(K1) * m * Q.M_X,  # (19)
        "K": sp.Max(K1, K2),
        "K'": sp.Max(K22, K21),
        **alpha_beta(rate(adjoint, hidden, K, K, Kp, Kp)),
    }


def along(p: sp.Expr, h: sp.Expr, v_: sp.Expr, w_: sp.Expr, edition: str) -> Derived:
    """The constants with given bounds on p, h, V and W: K and K' in the print, one constant for each derivative if sharpened."""
    derived = model_constants(h, v_, w_)
    if edition == "sharpened":
        return {**derived, **alpha_beta(rate(p, h, K1, K2, K21, K22))}
    return {**derived, "K": sp.Max(K1, K2), "K'": sp.Max(K22, K21), **alpha_beta(rate(p, h, K, K, Kp, Kp))}


def derived_for(claim: Claim) -> tuple[Derived, sp.Expr]:
    """Definitions and right side that the steps give."""
    if claim.label == "prop7.gap-rate":
        return along(Q.p_pair, Q.h_pair, Q.v_pair, Q.w_pair, claim.edition), prop7.alpha * Q.gap_here + prop7.beta / Q.L
    if claim.inputs == "along-trajectory":
        bound = gronwall(Q.gap0 + prop7.beta * Q.t / Q.L, prop7.alpha, Q.t)
        return along(Q.p_sup, Q.h_sup, Q.v_sup, Q.w_sup, claim.edition), bound
    if claim.label == "prop3.gap":
        # ‖A(0)‖ = √d, ‖W(0)‖ <= 2√(qm), ‖B(0)‖ = √d'; the largest, as d, d' <= q and m >= 1
        start = max(sp.sqrt(Q.q), 2 * sp.sqrt(Q.q * Q.m), key=lambda e: float(e.subs({Q.q: 1, Q.m: 1})))
        return a_priori(start), gronwall(prop7.beta * Q.T / Q.L, prop7.alpha, Q.T)  # Z_k(0) = Z_{k+1}(0)
    return a_priori(Q.M0_sum), gronwall(Q.gap0_sum + prop7.beta * Q.T / Q.L, prop7.alpha, Q.T)


# --- Proposition 2, page 24


def euler(claim: Claim) -> tuple[Derived, sp.Expr]:
    """Constants and bound on L |F - F^L|: from Δ_{k+1} <= (1 + C/L) Δ_k + (C/L) sup|Θ - Θ^L| + C C_Θ/L² + C̃/L², |Θ - Θ^L| <= C_Θ/L."""
    C, C1, C2, Ct, D = prop2.C, prop2.C1, prop2.C2, prop2.Ct, prop2.D
    d1, d2, _, _ = model()
    here = {v: Q.v_ode, w: Q.w_ode, H: D}
    definitions = {
        "kappa": Q.K_sigma / sp.sqrt(Q.q * Q.m),
        "C_1": d1.subs(here, simultaneous=True),
        "D": discrete_gronwall(C1) * Q.a_sup if claim.inputs == "a-priori" else Q.u_sup,
        "C_2": euclidean(d2).subs(here, simultaneous=True),
        "C": sp.Max(C1, C2),
        "C_tilde": C1 * (C1 * D) + C2 * Q.C_Theta,  # |d²U/ds²| <= |∂₁g| |U'| + |∂₂g| |Θ'|, |U'| = |g| <= C₁ D
    }
    if claim.edition == "explicit":
        step = C * Q.C_Theta + C * Q.C_Theta + Ct  # interpolation, argument, remainder
        return definitions, Q.B_op * sp.expand(step / C) * discrete_gronwall(C)
    x = sp.Symbol("x")
    half = sp.integrate(1 - x, (x, 0, 1))  # ∫ over a step of ((k+1)/L - s) ds is 1/L² of it
    return definitions, Q.B_op * discrete_gronwall_sum(C1, C2 * Q.C_Theta + half * Ct)


_P7, _P3 = "prop7.gap[as-printed,a-priori]", "prop3.gap[as-printed,a-priori]"
_RUN, _SHARP = "prop7.gap[as-printed,along-trajectory]", "prop7.gap[sharpened,along-trajectory]"
_RATE, _RATE_PRINTED = "prop7.gap-rate[sharpened,instantaneous]", "prop7.gap-rate[as-printed,instantaneous]"
_C, _C_SHARP, _C_RUN = (f"prop2.output[{rung}]" for rung in ("explicit,a-priori", "sharpened,a-priori", "sharpened,along-trajectory"))
DERIVATIONS: dict[str, Callable[[Claim], tuple[Derived, sp.Expr]]] = {
    **dict.fromkeys((_P7, _P3, _RUN, _SHARP, _RATE, _RATE_PRINTED), derived_for),
    **dict.fromkeys((_C, _C_SHARP, _C_RUN), euler),
}
each = pytest.mark.parametrize("key", DERIVATIONS)


def equal(one: sp.Expr, other: sp.Expr) -> bool:
    """Symbolic equality of expressions in nonnegative symbols."""
    if one == other or sp.expand(one - other) == 0:
        return True
    return bool(sp.simplify(one - other) == 0)


def unequal(claim: Claim) -> set[str]:
    """What differs between a claim and its derivation: symbols of `where`, and "rhs"."""
    definitions, bound = DERIVATIONS[claim.id](claim)
    registered = {symbol.name: sp.sympify(value) for symbol, value in claim.where.items()}
    assert registered.keys() == definitions.keys(), claim.id
    in_full = {kappa: definitions["kappa"]}
    wrong = {name for name, value in registered.items() if not equal(value.subs(in_full), definitions[name].subs(in_full))}
    return wrong | (set() if equal(claim.rhs, bound) else {"rhs"})


@each
def test_constants_and_bound_are_those_that_the_steps_give(key: str) -> None:
    assert unequal(registry.claims(key)[0]) == set()


def test_the_bounds_of_the_module_on_second_derivatives_are_the_norms() -> None:
    _, _, d22, d21 = model()
    bounds = prop7.curvature(v, w, H)
    in_full: Mapping[sp.Symbol, sp.Expr] = {kappa: Q.K_sigma / sp.sqrt(Q.q * Q.m)}
    assert equal(bounds[0].subs(in_full), spectral_norm(d22)) and equal(bounds[1].subs(in_full), euclidean(d21))


def test_the_radius_of_the_ball_is_that_of_every_claim_about_it() -> None:
    for name in "AZB":
        assert equal(registry.claims(f"prop7.norm-{name}")[0].where[prop7.M], a_priori(Q.M0_sum)["M"])
        assert equal(registry.claims(f"prop3.norm-{name}")[0].where[prop3.M], a_priori(2 * sp.sqrt(Q.q * Q.m))["M"])


def test_the_tools_give_what_they_are_known_to_give() -> None:
    t, a, b = (sp.Symbol(name, positive=True) for name in ("t", "a", "b"))
    exact = (g0 + b / a) * sp.exp(a * t) - b / a  # of y' = a y + b, y(0) = g₀
    assert sp.simplify(sp.diff(exact, t) - a * exact - b) == 0 and exact.subs(t, 0) == g0
    bound = gronwall(g0 + b * t, a, t)
    gap = sp.series((bound - exact).subs(g0, 0), t, 0, 6).removeO()
    assert all(c.is_positive for c in sp.Poly(gap, t).coeffs())
    steps = sp.summation((1 + a / 7) ** sp.Symbol("k"), (sp.Symbol("k"), 0, 6)) * b / 7
    assert float((discrete_gronwall_sum(a, b) - steps).subs({a: 2, b: 3})) > 0
    assert discrete_gronwall(a) == sp.exp(a)
    assert supremum_over_sum_ball(v * w) == M**2 / 4 and supremum_over_sum_ball(v**2 + w**2) == M**2
    x, y = (sp.Symbol(name, nonnegative=True) for name in "xy")
    assert sp.expand((x + y) ** 2 - (x**2 + y**2)) == 2 * x * y  # √(x² + y²) <= x + y, and with b, 2c the other one


_A, _B = prop7.PRINTED_CONSTANTS[prop7.alpha], prop7.PRINTED_CONSTANTS[prop7.beta]
MUTANTS: dict[str, tuple[str, str, Callable[[Claim], Claim]]] = {
    "alpha doubled": (_P7, "alpha", redefined(alpha=2 * _A)),
    "alpha without its 2": (_P7, "alpha", redefined(alpha=_A / 2)),
    "alpha with K for K'": (_P7, "alpha", redefined(alpha=_A.subs(Kp, K))),
    "alpha without M_Y": (_P7, "alpha", redefined(alpha=_A.subs(Q.M_Y, 0))),
    "alpha with e^(2K)": (_P3, "alpha", redefined(alpha=_A * sp.exp(K))),
    "beta with K_1 for K": (_P7, "beta", redefined(beta=_B.subs(K, K1))),
    "beta with its first K squared": (_P7, "beta", redefined(beta=_B * K)),
    "beta without K in the sum": (_P3, "beta", redefined(beta=_B - _B.subs(Kp, 0))),
    "K without K_2": (_P7, "K", redefined(K=K1)),
    "K_1 + K_2 for the larger": (_P7, "K", redefined(K=K1 + K2)),
    "K_1 with M^2/2": (_P7, "K_1", redefined(K_1=kappa * prop7.M**2 / 2)),
    "K_2 with K_sigma^2": (_P7, "K_2", redefined(K_2=kappa * Q.K_sigma * prop7.M * prop7.E_h)),
    "H_E with e^(2 K_1)": (_P7, "H_E", redefined(H_E=sp.exp(2 * K1) * prop7.M * Q.M_X)),
    "H_E without M": (_P3, "H_E", redefined(H_E=sp.exp(K1) * Q.M_X)),
    "M with M_0 twice": (_P7, "M", redefined(M=2 * Q.M0_sum + Q.T * Q.M_pi)),
    "M with 4 root(qm)": (_P3, "M", redefined(M=4 * sp.sqrt(Q.q * Q.m) + Q.T * Q.M_pi)),
    "bound with e^(2 alpha T)": (_P7, "rhs", lambda c: replace(c, rhs=c.rhs * sp.exp(prop7.alpha * Q.T))),
    "bound with T squared": (_P3, "rhs", lambda c: replace(c, rhs=c.rhs * Q.T)),
    "bound doubled along the run": (_RUN, "rhs", scaled(2)),
    "beta with K_2 for K": (_RUN, "beta", redefined(beta=Q.p_sup * (K2**2 + Kp * K * Q.h_sup))),
    "alpha with both second derivatives": (_SHARP, "alpha", redefined(alpha=Q.p_sup * (K22 + K21))),
    "beta with K_1 squared": (_RATE, "beta", redefined(beta=Q.p_pair * (K1**2 + K21 * K1 * Q.h_pair))),
    "curvature with its root doubled": (_RATE, "K'_22", redefined(**{"K'_22": 2 * prop7.curvature(Q.v_pair, Q.w_pair, Q.h_pair)[0]})),
    "3 C_Theta for 2": (_C, "rhs", lambda c: replace(c, rhs=c.rhs + Q.B_op * Q.C_Theta * sp.exp(prop2.C))),
    "e^(2C) for e^C": (_C, "rhs", lambda c: replace(c, rhs=c.rhs * sp.exp(prop2.C))),
    "C_tilde doubled": (_C, "C_tilde", redefined(C_tilde=2 * prop2.C1**2 * prop2.D + 2 * prop2.C2 * Q.C_Theta)),
    "C_2 for C_1 squared": (_C, "C_tilde", redefined(C_tilde=prop2.C2**2 * prop2.D + prop2.C2 * Q.C_Theta)),
    "C the sum": (_C, "C", redefined(C=prop2.C1 + prop2.C2)),
    "the Taylor remainder in full": (_C_SHARP, "rhs", lambda c: replace(c, rhs=c.rhs.subs(prop2.Ct, 2 * prop2.Ct))),
    "C_1 in the exponent twice": (_C_SHARP, "rhs", lambda c: replace(c, rhs=c.rhs.subs(sp.exp(prop2.C1), sp.exp(2 * prop2.C1)))),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_constant_that_is_weakened_or_tightened_is_noticed(name: str) -> None:
    key, place, change = MUTANTS[name]
    claim = registry.claims(key)[0]
    mutant = change(claim)
    assert (mutant.rhs, dict(mutant.where)) != (claim.rhs, dict(claim.where)), "the mutant is the claim itself"
    assert unequal(mutant) == {place}
