"""Lines of proofs are derived again from the lines before them, each by its tool, and must equal the registered ones.

Every derived line is then mutated, weaker and tighter, in its right side and in each of its constants: each mutant must be noticed, and
noticed there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from graphlib import CycleError

import pytest
import sympy as sp

from depthlimit.conformance import derivations as D
from depthlimit.conformance.derivations import certificates, model, prop5_constants, prop8_steps, tools
from depthlimit.conformance.derivations import theorem6 as derived6
from depthlimit.conformance.derivations.lines import Lines
from depthlimit.conformance.faults.planting import redefined, scaled
from depthlimit.theory import registry
from depthlimit.theory.claim import Claim
from depthlimit.theory.paper import certificate, lemma20, prop2, prop2_steps, prop3, prop7, prop8, prop11_setting, theorem6, variational
from depthlimit.theory.paper import prop5_setting as prop5
from depthlimit.theory.paper import quantities as Q

kappa, K, Kp, K1, K2, K21, K22 = prop7.kappa, prop7.K, prop7.Kp, prop7.K1, prop7.K2, prop7.K21, prop7.K22
DERIVED = [claim for claim in D.scope() if D.rule_for(claim)]
each = pytest.mark.parametrize("claim", DERIVED, ids=lambda claim: claim.id)


def test_a_line_that_says_more_than_one_quantity_is_derived_or_says_why_not() -> None:
    undecided = [claim.id for claim in D.scope() if (D.rule_for(claim) is None) == (D.reason_for(claim) is None)]
    assert not undecided, "add a rule to RULES of the derivations, or a reason to NOT_DERIVED"


def test_rules_and_reasons_are_about_registered_lines() -> None:
    known = {name for claim in D.scope() for name in (claim.label, f"{claim.label}[{claim.edition}]")}
    assert {*D.RULES, *D.NOT_DERIVED} <= known


@each
def test_a_line_is_what_the_lines_before_it_give(claim: Claim) -> None:
    assert D.unequal(claim) == set()


# --- mutants of every derived line

LARGER = {
    small: large for large, value in {**prop7.PRINTED_CONSTANTS, **prop2.A_PRIORI}.items() if value.func is sp.Max for small in value.args
}


def changes(expression: sp.Expr) -> Iterator[tuple[str, sp.Expr]]:
    """An expression made larger and smaller: by a factor, a term, a constant, an exponent and an order in L."""
    yield "doubled", 2 * expression
    yield "halved", expression / 2
    for symbol in sorted(expression.free_symbols, key=str)[:1]:
        yield f"{symbol} added", expression + symbol
    for small, large in LARGER.items():
        yield f"{large} for {small}", expression.xreplace({small: large})
        yield f"{small} for {large}", expression.xreplace({large: small})
    yield "exponents doubled", expression.replace(sp.exp, lambda x: sp.exp(2 * x))
    for depth in (Q.L, Q.depth):
        yield "L squared", expression.xreplace({depth: depth**2})


def mutants(claim: Claim) -> list[tuple[str, str, Claim]]:
    """What is changed, how, and the mutant; measured constants are transcription and stay."""
    found = [("rhs", how, replace(claim, rhs=rhs)) for how, rhs in changes(sp.sympify(claim.rhs)) if rhs != claim.rhs]
    for symbol, value in claim.where.items():
        for how, changed in () if sp.sympify(value).is_Symbol else changes(sp.sympify(value)):
            with suppress(CycleError):  # K in its own definition
                if changed != value:
                    found.append((symbol.name, how, replace(claim, where={**claim.where, symbol: changed})))
    return found


@each
def test_every_mutant_of_a_line_is_noticed_where_it_was_changed(claim: Claim) -> None:
    survived = [(place, how) for place, how, mutant in mutants(claim) if D.unequal(mutant) != {place}]
    assert not survived


_A, _B = prop7.PRINTED_CONSTANTS[prop7.alpha], prop7.PRINTED_CONSTANTS[prop7.beta]
_P7, _P3 = "prop7.gap[as-printed,a-priori]", "prop3.gap[as-printed,a-priori]"
_RUN, _SHARP = "prop7.gap[as-printed,along-trajectory]", "prop7.gap[sharpened,along-trajectory]"
_RATE = "prop7.gap-rate[sharpened,instantaneous]"
_C, _C_SHARP = "prop2.output[explicit,a-priori]", "prop2.output[sharpened,a-priori]"
_GENERAL, _THUS = "prop7.general-rate[corrected,a-priori]", "prop7.thus[corrected,a-priori]"
_GAP, _GAP_SHARP = "prop11.gap[as-printed,a-priori]", "prop11.gap[sharpened,a-priori]"
_NORM_W, _UNCLIPPED = "variational.norm-rate-W[sharpened,instantaneous]", "unclipped.gap[sharpened,a-priori]"
MUTANTS: dict[str, tuple[str, str, Callable[[Claim], Claim]]] = {
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
    "H_E without M": (_P3, "H_E", redefined(H_E=sp.exp(K1) * Q.M_X)),
    "M with M_0 twice": (_P7, "M", redefined(M=2 * Q.M0_sum + Q.T * Q.M_pi)),
    "M with 4 root(qm)": (_P3, "M", redefined(M=4 * sp.sqrt(Q.q * Q.m) + Q.T * Q.M_pi)),
    "bound with T squared": (_P3, "rhs", lambda c: replace(c, rhs=c.rhs * Q.T)),
    "beta with K_2 for K": (_RUN, "beta", redefined(beta=Q.p_sup * (K2**2 + Kp * K * Q.h_sup))),
    "alpha with both second derivatives": (_SHARP, "alpha", redefined(alpha=Q.p_sup * (K22 + K21))),
    "beta with K_1 squared": (_RATE, "beta", redefined(beta=Q.p_pair * (K1**2 + K21 * K1 * Q.h_pair))),
    "curvature with its root doubled": (_RATE, "K'_22", redefined(**{"K'_22": 2 * prop7.curvature(Q.v_pair, Q.w_pair, Q.h_pair)[0]})),
    "3 C_Theta for 2": (_C, "rhs", lambda c: replace(c, rhs=c.rhs + Q.B_op * Q.C_Theta * sp.exp(prop2.C))),
    "C_2 for C_1 squared": (_C, "C_tilde", redefined(C_tilde=prop2.C2**2 * prop2.D + prop2.C2 * Q.C_Theta)),
    "C the sum": (_C, "C", redefined(C=prop2.C1 + prop2.C2)),
    "the Taylor remainder in full": (_C_SHARP, "rhs", lambda c: replace(c, rhs=c.rhs.subs(prop2.Ct, 2 * prop2.Ct))),
    "K_1 for K in the growth of p": ("prop7.p-bound[as-printed,a-priori]", "rhs", lambda c: replace(c, rhs=c.rhs.subs(K, K1))),
    "K for K_1 in the compact": ("prop7.compact-h[as-printed,a-priori]", "H_E", redefined(H_E=sp.exp(K) * prop7.M * Q.M_X)),
    "M for M squared in the output": (
        "prop7.p-final[as-printed,a-priori]",
        "rhs",
        lambda c: replace(c, rhs=c.rhs.subs(prop7.M**2, prop7.M)),
    ),
    "no Lip(π) before α": (_GENERAL, "rhs", lambda c: replace(c, rhs=prop7.alpha * Q.gap_here + (c.rhs).coeff(Q.gap_here, 0))),
    "K' K without its growth": (_THUS, "rhs", lambda c: replace(c, rhs=c.rhs.subs(sp.exp(K), 1))),
    "T for t in the integral": (
        "prop7.general-integral[corrected,a-priori]",
        "rhs",
        lambda c: replace(c, rhs=c.rhs.subs(Q.t, Q.T)),
    ),
    "(35) without its C_Θ": (_GAP, "rhs", lambda c: replace(c, rhs=c.rhs.subs(Q.C_Theta, 0))),
    "(35) with C̃ for C̃/C": (_GAP, "rhs", lambda c: replace(c, rhs=c.rhs.subs(prop11_setting.Ct, prop11_setting.Ct * prop2.C))),
    "(35) with one step more": (_GAP_SHARP, "rhs", lambda c: replace(c, rhs=c.rhs.subs(prop11_setting.k_step, prop11_setting.k_step + 1))),
    "the sum of a remainder in full": (
        "prop11.remainder[sharpened,a-priori]",
        "rhs",
        scaled(2),
    ),
    "C' the sum": ("prop2.hidden[explicit,a-priori]", "C'", redefined(**{"C'": sp.exp(prop2.C) * (1 + Q.C_Theta + prop2.Ct / prop2.C)})),
    "C' without its 1": ("prop2.state[explicit,a-priori]", "C'", redefined(**{"C'": sp.exp(prop2.C) * (Q.C_Theta + prop2.Ct / prop2.C)})),
    "C'' for 1 + C''": (
        "prop2.state[explicit,a-priori]",
        "rhs",
        lambda c: replace(c, rhs=prop2_steps.C_prime * prop2_steps.C_second / Q.depth),
    ),
    "M_0 with √2": ("prop3.M0[as-printed,a-priori]", "rhs", scaled(sp.sqrt(2))),
    "x with M_W² for M_W² - 1": ("lemma20.tail[as-printed,a-priori]", "x", redefined(x=lemma20.a * lemma20.N / 16)),
    "Chernoff without its logarithm": (
        "lemma20.tail[sharpened,a-priori]",
        "rhs",
        lambda c: replace(c, rhs=sp.exp(-lemma20.N * (lemma20.a - 1) / 2)),
    ),
    "σ' without the state's part": (_NORM_W, "c_W", redefined(c_W=Q.K_sigma * Q.v_sup)),
    "N_2 without its half": (
        "variational.norm[sharpened,along-trajectory]",
        "rhs",
        lambda c: replace(c, rhs=c.rhs.subs(variational.n2, 2 * variational.n2)),
    ),
    "C₂ with |W| at the centre": ("prop5.drift-constants[as-printed,a-priori]", "C_2", redefined(C_2=64 * prop5.C_1 * Q.K_sigma)),
    "c₁ with the share of two terms": (
        "prop5.c1[as-printed,a-priori]",
        "c_1",
        redefined(c_1=sp.Max(2**8 * Q.K_sigma**2 * sp.exp(2 * prop5.a) / prop5.eta**2, 1)),
    ),
    "the floor for its argument": ("prop5.pl-proved[as-printed,instantaneous]", "rhs", scaled(2)),
    "the root of page 34 in the statement": ("prop5.pl[as-printed,instantaneous]", "rhs", scaled(sp.sqrt(Q.q))),
    "L layers for L - 1": (
        "prop5.sum-floor[corrected,instantaneous]",
        "rhs",
        lambda c: replace(c, rhs=c.rhs.subs(sp.floor(prop5.x), sp.floor(prop5.x) - 1)),
    ),
    "the radius without max(1, K)": (
        "prop5.sharp-pl[sharpened,instantaneous]",
        "M_s",
        lambda c: replace(c, where={**c.where, prop5.M_sharp: c.where[prop5.M_sharp] * sp.Max(1, Q.K_sigma)}),
    ),
    "(22) without M_A M_X": (
        "prop8.eq22[as-printed,a-priori]",
        "mu",
        lambda c: replace(c, where={**c.where, prop8.mu: c.where[prop8.mu].subs(prop8.M_A, 0)}),
    ),
    "K̃ with C₁ for C₁M/(2M_X)": (
        "prop8.successive[explicit,a-priori]",
        "Ktilde",
        lambda c: replace(c, where={**c.where, prop8.Kt: c.where[prop8.Kt].subs(prop8.Z0_slope, prop8.Z0_slope + prop8.C1)}),
    ),
    "(25) at rate μ": ("prop8.eq25[as-printed,a-priori]", "rhs", lambda c: replace(c, rhs=c.rhs * sp.exp(-prop8.mu * Q.t / 2))),
    "D̂ without the change of A": (
        "certificate.activations[sharpened,a-priori]",
        "D_hat",
        lambda c: replace(
            c, where={**c.where, certificate.D_hat: c.where[certificate.D_hat] - Q.K_sigma * Q.w0 * Q.R_A * Q.X2 / sp.sqrt(Q.q)}
        ),
    ),
    "c_V in full": (_UNCLIPPED, "rhs", lambda c: replace(c, rhs=c.rhs.subs(variational.c_V, 2 * variational.c_V))),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_constant_that_is_weakened_or_tightened_is_noticed(name: str) -> None:
    key, place, change = MUTANTS[name]
    claim = registry.claims(key)[0]
    mutant = change(claim)
    assert (mutant.rhs, dict(mutant.where)) != (claim.rhs, dict(claim.where)), "the mutant is the claim itself"
    assert D.unequal(mutant) == {place}


LEFT = ("c1", "c2", "c4", "c1-used", "h0-bound", "drift-constants", "s-layer")


@pytest.mark.parametrize("label", LEFT)
def test_a_left_side_with_constants_of_its_own_is_noticed_when_it_is_changed(label: str) -> None:
    (claim,) = registry.claims(f"prop5.{label}")
    assert D.rule_for(claim) is not None
    rule = D.RULES[claim.label][0]
    with suppress(ValueError):  # or else another right side follows from it
        assert not D.equal(sp.sympify(claim.rhs), rule(Lines(replace(claim, lhs=2 * claim.lhs - claim.lhs.coeff(prop5.at_s) * prop5.at_s))))


# --- model and tools


IN_HYPOTHESES: dict[str, tuple[sp.Expr, Callable[[], sp.Expr]]] = {
    **{f"g_{k}": (speed, lambda k=k: certificates.speeds()[k]) for k, (_, _, speed) in certificate.SPEEDS.items()},  # type: ignore[misc]
    "μ♯": (prop8.WHERE[prop8.mu_sharp], lambda: prop8_steps.known()[prop8.mu_sharp]),
    "C on the event": (theorem6.C_EVENT, derived6.largest_loss_on_the_event),
    "δ, sharpened": (prop5.DELTA_SHARP, prop5_constants.failure_sharpened),
}


@pytest.mark.parametrize("name", IN_HYPOTHESES)
def test_constants_of_hypotheses_alone_are_those_of_the_proof_and_their_mutants_are_noticed(name: str) -> None:
    registered, derive = IN_HYPOTHESES[name]
    derived = derive()
    assert D.equal(registered, derived)
    assert not [how for how, changed in changes(registered) if changed != registered and D.equal(changed, derived)]


def test_the_bounds_of_the_module_on_second_derivatives_are_the_norms() -> None:
    _, _, d22, d21 = model.derivatives()
    bounds = prop7.curvature(tools.v, tools.w, model.H)
    assert D.equal(bounds[0].subs(model.KAPPA), tools.spectral_norm(d22)) and D.equal(bounds[1].subs(model.KAPPA), tools.euclidean(*d21))


def test_the_radius_of_the_ball_of_proposition_3_is_that_of_its_norm() -> None:
    assert D.equal(registry.claims("prop3.M0")[0].rhs + Q.T * Q.M_pi, registry.claims("prop3.norm-A")[0].where[prop3.M])


def test_the_tools_give_what_they_are_known_to_give() -> None:
    t, a, b, g0 = (sp.Symbol(name, positive=True) for name in ("t", "a", "b", "g0"))
    exact = (g0 + b / a) * sp.exp(a * t) - b / a  # of y' = a y + b, y(0) = g₀
    assert sp.simplify(sp.diff(exact, t) - a * exact - b) == 0 and exact.subs(t, 0) == g0
    bound = tools.gronwall(g0 + b * t, a, t)
    gap = sp.series((bound - exact).subs(g0, 0), t, 0, 6).removeO()
    assert all(c.is_positive for c in sp.Poly(gap, t).coeffs())
    steps = sp.summation((1 + a / 7) ** sp.Symbol("k"), (sp.Symbol("k"), 0, 6)) * b / 7
    assert float((tools.discrete_gronwall_sum(a, b) - steps).subs({a: 2, b: 3})) > 0
    assert tools.layers(a) == sp.exp(a)
    v, w, M = tools.v, tools.w, sp.Symbol("M", nonnegative=True)
    assert tools.supremum_over_sum_ball(v * w, M) == M**2 / 4 and tools.supremum_over_sum_ball(v**2 + w**2, M) == M**2
    assert tools.supremum_over_disc(v * w, M) == M**2 / 2 and tools.supremum_over_disc(v, M) == M
    x, y = (sp.Symbol(name, nonnegative=True) for name in "xy")
    assert sp.expand((x + y) ** 2 - (x**2 + y**2)) == 2 * x * y  # √(x² + y²) <= x + y, and with b, 2c the other one
    assert tools.triangle(x - 2 * y / a, {x: t, y: b}) == t + 2 * b / a
    assert tools.product_rule((x, a), (y, b)) == a * y + b * x


def test_the_discrete_gronwall_inequality_is_attained_by_the_recursion_itself() -> None:
    y, c, b, y0, L = (sp.Symbol(name, positive=True) for name in ("y", "c", "b", "y_0", "L"))
    step = (1 + c / L) * y + b
    value: sp.Expr = y0
    for _ in range(3):
        value = step.subs(y, value)
    kept = tools.discrete_gronwall(step, y, y0, L, steps=sp.Integer(3))
    assert sp.simplify(kept - value) == 0
    at = {c: 2, b: sp.Rational(1, 5), y0: 3, L: 3}
    assert float(tools.discrete_gronwall(step, y, y0, L).subs(at)) > float(value.subs(at))


def test_a_tool_refuses_where_it_does_not_apply() -> None:
    x, y, L = (sp.Symbol(name, nonnegative=True) for name in "xyL")
    with pytest.raises(ValueError, match="may fall"):
        tools.bounded(1 / (1 + x), {x: y})
    with pytest.raises(ValueError, match="does not occur"):
        tools.bounded(x, {y: x})
    with pytest.raises(ValueError, match="no combination"):
        tools.triangle(x * y, {x: L, y: L})
    with pytest.raises(ValueError, match="no maximum"):
        tools.enlarged(x, {y: x}, y)
    with pytest.raises(ValueError, match="is not"):
        tools.discrete_gronwall((1 + x) * y, y, x, L)


def test_a_derivation_uses_premises_of_its_line_alone() -> None:
    line = Lines(registry.claims("prop7.p-bound[as-printed,a-priori]")[0])
    assert line.rhs("prop7.p-growth") == line.find("prop7.p-growth").rhs
    with pytest.raises(KeyError, match="no premise"):
        line.rhs("prop7.p-last")


def test_what_no_point_refutes_and_sympy_cannot_prove_is_an_error() -> None:
    x = sp.Symbol("x", nonnegative=True)
    assert D.equal((x + 1) ** 2, x**2 + 2 * x + 1) and not D.equal(x, x + sp.Rational(1, 10**15))
    with pytest.raises(RuntimeError, match="cannot tell"):
        D.equal(x, x + sp.Max(0, x - 1000))
