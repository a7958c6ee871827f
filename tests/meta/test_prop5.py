"""Proposition 5: its constants from the steps of the proof by SymPy, floors in integers, closed forms, witnesses and sharpened bounds."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy as sp
from numpy.polynomial.hermite_e import hermegauss
from scipy import stats

from depthlimit.conformance.faults import SPECS
from depthlimit.models import check, corpus_prop5
from depthlimit.models.data import ArrayStore
from depthlimit.models.measure.prop5 import BallRun, sigma_numbers
from depthlimit.models.measure.registry import Fields, measured
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.spec import Spec
from depthlimit.theory.enclosure import evaluate
from depthlimit.theory.paper import prop5_setting as P
from depthlimit.theory.paper import prop5_sharp
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.quantity import number
from depthlimit.theory.registry import claims, quantities


def ball(spec: Spec) -> BallRun:
    return BallRun(spec, ArrayStore(), NumpyImplementation())


def unfolded(expression: sp.Expr) -> sp.Expr:
    """Definitions put in until none is left."""
    before = None
    while before != expression:
        before, expression = expression, expression.subs(P.CONSTANTS)
    return expression


# --- Lemma 18


def test_the_sizes_that_lemma_18_assumes_are_needed() -> None:
    """With fewer rows than columns A = (1, 0) has s_min = 1 and kills B = (0, 1)ᵀ."""
    A, B = np.array([[1.0, 0.0]]), np.array([[0.0], [1.0]])
    assert np.linalg.svd(A, compute_uv=False)[-1] == 1 and np.linalg.norm(A @ B) == 0
    assert np.linalg.norm(B.T @ A.T) == 0


# --- the constants


def test_factors_one_minus_a_over_L_stay_below_the_exponential() -> None:
    """(1 - a/L)^L < e^{-a} < (1 - a/L)^{L-1} exactly if a is small: the direction of page 33, in fractions against Arb's bounds."""
    for L in (3, 8, 100):
        for a in (Fraction(1, 2), Fraction(28, 10)):
            assert float((1 - a / L) ** L) < math.exp(-a)
    assert float((1 - Fraction(28284, 10000) / 8) ** 7) < math.exp(-2.8284)  # (52) fails at the first layer too


@pytest.mark.parametrize("c", [Fraction(1, 3), Fraction(1), Fraction(101, 100), Fraction(3, 2), Fraction(7, 2), Fraction(19)])
def test_the_sum_over_layers_has_the_layers_that_exist(c: Fraction) -> None:
    """x = L/c, c = c₂√(nq): for c > 1 and L >= c the printed sum stays within the layers, and its count is as printed."""
    for L in range(1, 60):
        x = Fraction(L) / c
        floor = math.floor(x)
        if c <= L:
            assert floor >= x / 2
            assert (floor + 1 <= L) == (c > 1)
        count = min(floor + 1, L)  # k = 0..min(⌊x⌋, L-1)
        assert count >= L * min(1 / c, 1)


def test_floors_are_enclosed_by_one_integer_away_from_jumps() -> None:
    for value, radius, lo, hi in ((2.5, 0.1, 2, 2), (3.0, 1e-9, 2, 3), (0.0, 0.0, 0, 0), (5.0, 0.0, 5, 5)):
        found = evaluate(sp.floor(Q.n), {"n": number(value, radius)})
        assert (found.lo.item(), found.hi.item()) == (lo, hi)


def test_a_hermite_coefficient_may_be_negative() -> None:
    u, w = hermegauss(80)
    third = np.sum(w / w.sum() * np.sin(u) * (u**3 - 3 * u)) / math.sqrt(6)
    assert third == pytest.approx(-math.exp(-0.5) / math.sqrt(6))
    assert float(Fields(ball(corpus_prop5.ADJOINT))["eta"].values) == pytest.approx(-third)


# --- witnesses


def value(f: Fields, expression: sp.Expr) -> float:
    return float(evaluate(expression, f, P.used(expression)).mid.max())


def test_the_adjoint_witness_takes_a_factor_at_each_layer() -> None:
    """p_k = (1 - 2√2/L)^{L-k} p_L up to the eighth that the second neuron takes of W."""
    f = Fields(ball(corpus_prop5.ADJOINT))
    factor = 1 - 2 * math.sqrt(2) / 8
    assert f["at_p"].values[1] == pytest.approx(factor ** np.arange(8, 0, -1), rel=3e-3)
    assert f["at_h"].values[1] == pytest.approx(math.sqrt(2))


def test_the_printed_constant_is_false_for_small_activations_by_hand() -> None:
    """At the centre, y orthogonal to the rows of x: the ratio is (4/(mn))|S̄y|²/|y|², computed here from the data alone."""
    run = ball(corpus_prop5.SCALE)
    b, f = run.batch, Fields(run)
    assert np.abs(b.x.T @ b.y).max() < 1e-14
    S = 1e-8 * -np.expm1(-((b.x @ b.params["W"][0][:, :2].T) ** 2) / (4 * 3))
    ratio = 4 / (15300 * 3) * float(np.sum((S.T @ b.y) ** 2) / np.sum(b.y**2))
    assert ratio == pytest.approx(float(f["ball_gradient2"].values[0] / f["ball_loss"].values[0]), rel=1e-9)
    mu = value(f, P.c_4 / (Q.n * sp.sqrt(Q.n) * Q.q))
    assert mu / ratio == pytest.approx(641, rel=0.01)
    assert value(f, P.c_1 * Q.n) <= 15300 and value(f, P.c_2 * P.root_nq) <= 1
    assert value(f, Q.s0) >= value(f, sp.sqrt(Q.m) * P.eta / 4) and value(f, P.W_bar) <= math.sqrt(2 * 3 * 15300)


def test_the_printed_proposition_is_false_with_a_failure_probability_below_one() -> None:
    """σ = a(1 - cos √8u), r = 8, n = 25 > d = 24: hypotheses and δ < 1/3, and μ > 4M_σ², which no ratio exceeds at the point below."""
    a, b = 1e-12, math.sqrt(8)
    numbers = {"n": 25.0, "d": 24.0, "dout": 1.0, "q": 25.0, "m": 1.47e6, "L": 1.0}
    f = {k: number(v) for k, v in numbers.items()}
    f |= sigma_numbers({"activation": {"name": "one_minus_cos", "a": a, "b": b}, "d": 24}, 8)
    f |= {"K_sigma": number(a * b), "M_sigma": number(2 * a)}

    def ends(e: sp.Expr) -> tuple[float, float]:
        found = evaluate(e, f, P.used(e))
        return float(found.lo.item()), float(found.hi.item())

    assert ends(P.c_1 * Q.n)[1] <= 1.47e6 and ends(P.c_2 * P.root_nq)[1] <= 1 and ends(P.DELTA)[1] < 1 / 3
    assert ends(P.c_4 / (Q.n * sp.sqrt(Q.n) * Q.q))[0] > 4 * (2 * a) ** 2


def test_small_independent_labels_leave_a_residual_orthogonal_to_the_data_inside_the_ball() -> None:
    """B = (yx⁺, I) in place of (0, I): A and B have no gradient, W none at V = 0, and V's is at most 4M_σ² ℓ/L at each layer."""
    run = ball(corpus_prop5.SCALE)
    b, f = run.batch, Fields(run)
    y = 1e-4 * np.random.RandomState(3).standard_normal(b.y.shape)
    params = {k: v.copy() for k, v in b.params.items()}
    params["B"][0, :2] = np.linalg.lstsq(b.x, y, rcond=None)[0][:, 0]
    assert np.linalg.norm(params["B"] - b.params["B"]) <= value(f, P.M)
    net, implementation = b.network, NumpyImplementation()
    g = implementation.gradients(net, params, b.x, y)
    loss = float(implementation.loss(net, params, b.x, y))
    ratio = sum(float(np.sum(g[k] ** 2)) * (net["L"] if k in "VW" else 1) for k in "AVWB") / loss
    assert ratio <= 4e-16 and value(f, P.c_4 / (Q.n * sp.sqrt(Q.n) * Q.q)) > 3 * ratio


def test_the_ratio_scales_with_the_square_of_the_activation_and_the_constant_with_its_size() -> None:
    K, eta, s = sp.symbols("K eta s", positive=True)
    scaled = {Q.K_sigma: s * K, P.eta: s * eta}
    c_1, c_2, c_4 = (unfolded(c) for c in (P.c_1, P.c_2, P.c_4))
    first = c_1.args[1].subs(scaled)
    assert sp.limit(first, s, 0) == 2**10 * K**2 / eta**2
    assert sp.limit(c_2.subs(scaled) / s, s, 0) == 128 * K**2 / eta
    assert sp.limit(c_4.subs(scaled) / s, s, 0) == eta**3 / (2**14 * K**2)


def test_K1_is_attained_by_one_neuron() -> None:
    """sup over |V|_F + |W|_F <= Z of |VW|σ'/√(qm) is Z²/(4√(qm)): equal norms, one neuron."""
    Z, split = 3.0, np.linspace(0, 3, 301)
    assert np.max(split * (Z - split)) == pytest.approx(Z**2 / 4)
    e = np.eye(3)
    V, W = np.outer(e[1], e[0]) * Z / 2, np.outer(e[0], e[2]) * Z / 2
    assert np.linalg.norm(V @ W, 2) == pytest.approx(Z**2 / 4)


# --- literal instances


@pytest.mark.parametrize(("spec", "delta"), [(corpus_prop5.LITERAL, 0.38), (corpus_prop5.DEEP[0], 0.09)], ids=["literal", "deep"])
def test_every_printed_hypothesis_holds_with_a_probability_that_says_something(spec: Spec, delta: float) -> None:
    sizes = {k: float(getattr(spec, k)) for k in ("n", "q", "m", "d", "dout", "L")}
    c = check.run(spec.model_copy(update={"m": 4, "L": 1}), NumpyImplementation())  # constants of σ do not need the arrays
    f: dict[str, Any] = {k: number(v) for k, v in sizes.items()}
    f |= {k: Fields(c)[k] for k in ("K_sigma", "M_sigma", "v_x2", "eta", "hermite_order")}

    def end(e: sp.Expr) -> float:
        return float(evaluate(e, f, P.used(e)).hi.item())

    assert spec.q >= spec.d + spec.dout and spec.m >= end(P.c_1 * Q.n) and spec.L >= end(P.c_2 * P.root_nq) > 1
    assert end(P.DELTA) < delta and end(P.DELTA_SHARP) < end(P.DELTA)


def test_the_failure_probability_vanishes_for_polynomial_n_if_r_is_chosen_for_the_power() -> None:
    """(53) with n = d^p: its logarithm falls without bound for ε < 1/p, and grows for ε = 1/p, which is r = 2 with n = d."""
    d = sp.Symbol("d", positive=True)

    def log_53(p: int, epsilon: sp.Rational) -> sp.Expr:
        return sp.log(2) + 2 * p * sp.log(d) - d ** (1 - p * epsilon) / 2 * sp.Rational(3, 4) ** epsilon

    assert sp.limit(log_53(1, sp.Rational(1, 2)), d, sp.oo) == -sp.oo
    assert sp.limit(log_53(3, sp.Rational(1, 6)), d, sp.oo) == -sp.oo
    assert sp.limit(log_53(1, sp.Integer(1)), d, sp.oo) == sp.oo


# --- the sharpened edition


def test_the_terms_of_the_sharpened_drift_are_those_of_its_proof() -> None:
    """Each of the three terms at its largest: M√(nq)K max(1,K) = η/(32√2), √2η = K, nq = 1, qm = 2, over K."""
    for K in np.geomspace(1e-3, 1e3, 61):
        eta = K / math.sqrt(2)
        M = eta / (32 * math.sqrt(2) * K * max(1, K))
        a = K * M * (math.sqrt(2) + M / math.sqrt(2))
        root_m = math.sqrt(2)
        terms = [K * M * (1 + M) * math.exp(a), K * 2 * (1 + M) * math.expm1(a), K * 2 * M]
        relative = [t / (root_m * eta) for t in terms]
        assert a <= 0.0224 and relative[0] <= 0.0163 and relative[1] <= 0.0458 and relative[2] <= 0.03126
    assert 0.0163 + 0.0458 + 0.03126 <= 3 / 32
    assert 4 * (63 / 64) ** 2 * (1 - 0.0224) ** 2 * (5 / 32) ** 2 >= 1 / 11.1


def test_without_the_factor_max_the_drift_exceeds_the_smallest_singular_value() -> None:
    values = {"n": 1, "q": 2, "m": 2, "eta": 6 / math.sqrt(2), "K_sigma": 6}
    D = unfolded(prop5_sharp.D.subs(P.M_sharp, P.eta / (32 * sp.sqrt(2) * Q.K_sigma * P.root_nq)))
    wrong = unfolded(prop5_sharp.D).subs(sp.Max(1, Q.K_sigma), 1)
    numbers = {s: values[s.name] for s in wrong.free_symbols}
    assert float(wrong.subs(numbers)) > math.sqrt(2) * values["eta"] / 4
    assert D.free_symbols


def test_random_points_of_random_balls_violate_nothing() -> None:
    from depthlimit.models.strategies import draw
    from depthlimit.theory import judgement as J

    for spec in draw("pl-ball", 12, 20240501):
        records, _ = check.check(spec, NumpyImplementation())
        refuted = {(c.label, c.edition) for c in claims() if c.expect is not None}
        assert not [r for r in records if r["verdict"] not in (J.HOLDS, J.OUT_OF_HYPOTHESIS) and (r["claim"], r["edition"]) not in refuted]


def test_binomial_quantiles_leave_room_for_no_more_than_the_risk() -> None:
    f = Fields(check.run(corpus_prop5.SEEDS[1], NumpyImplementation()))
    allowed, flows = float(f["slow_allowed"].values), int(f["flows"].values)
    delta = value(f, P.DELTA)
    assert allowed < flows and stats.binom.sf(allowed, flows, delta) <= 1e-9


@pytest.mark.parametrize("name", ["ball-47", "ball-adjoint", "seeds-printed"])
def test_fields_of_these_runs_have_the_axes_and_the_sign_that_theory_declares(name: str) -> None:
    run = check.run(SPECS[name], NumpyImplementation())
    fields = Fields(run)
    ours = {n for c in claims("prop5", "lemma18", "thm6", "remark3") if SPECS[name].regime.kind in c.regimes for n in c.symbols()}
    for quantity in (quantities()[n] for n in sorted(ours)):
        assert measured(quantity.name, type(run))
        field = fields[quantity.name]
        assert field.axes == quantity.axes and np.all(field.values >= 0), quantity.name


def test_distances_and_norms_at_a_given_point() -> None:
    f = Fields(ball(corpus_prop5.ADJOINT))
    assert f["dist_A"].values.tolist() == [0.0, 0.0] and f["dist_B"].values.tolist() == [0.0, 0.5]
    assert f["at_V"].values[1].tolist() == [1.0] * 8 and f["at_W"].values[1] == pytest.approx([math.sqrt(32)] * 8)
    assert f["at_B_min"].values.tolist() == [1.0, 0.5] and f["k_step"].values.tolist() == list(range(8))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"activation": {"name": "gelu"}}, "bounded σ"),
        ({"regime": {"kind": "pl-ball", "order": 2}}, "bounded σ"),
        ({"init": {"kind": "iid"}}, "paper's initialisation"),
        ({"regime": {"kind": "pl-seeds", "order": 3}, "data": corpus_prop5.ADJOINT.data.model_dump()}, "on the sphere"),
    ],
)
def test_a_spec_outside_its_regime_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Spec.model_validate({**corpus_prop5.ADJOINT.to_json(), **change})
