"""Hermite coefficients, kernels and the exact distributions of Lemma 21, against closed forms, mpmath, simulation and derivations."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy as sp
from flint import arb, ctx
from scipy import stats

from depthlimit.conformance.faults import SPECS
from depthlimit.models import check, corpus_kernel, tails
from depthlimit.models.kernel_run import KernelRun
from depthlimit.models.measure.hermite import rodrigues
from depthlimit.models.measure.registry import Fields
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.spec import Spec
from depthlimit.theory import hermite
from depthlimit.theory.activation import CATALOGUE, U, lookup
from depthlimit.theory.constants import activation_rows
from depthlimit.theory.registry import claims

SCALES = [(1.0, 1.0), (3.0, 0.25), (1.0, 30.0)]
each = pytest.mark.parametrize("name", list(CATALOGUE))


def fields(name: str) -> Fields:
    return Fields(check.run(SPECS[name], NumpyImplementation()))


# --- coefficients


@each
@pytest.mark.parametrize(("a", "b"), SCALES)
def test_every_coefficient_is_known_to_twelve_digits_and_how(name: str, a: float, b: float) -> None:
    for r, found in enumerate(hermite.coefficients(name, a, b)):
        assert found.certificate and found.hi - found.lo <= 1e-12 * max(abs(found.lo), abs(found.hi)), (r, found)
        assert (found.lo == found.hi == 0) == found.certificate.startswith("0 by symmetry"), (r, found)


@each
@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (2.0, 6.0)])
def test_closed_forms_quadrature_and_integration_by_parts_agree(name: str, a: float, b: float) -> None:
    for r in range(10):
        value, integral = hermite.coefficient(name, a, b, r), hermite.by_quadrature(name, a, b, r)
        assert value.overlaps(integral) and integral.rad() < 1e-20, r
        if r:
            assert (arb(r).sqrt() * value).overlaps(hermite.by_quadrature(name, a, b, r - 1, True)), r
    assert hermite.square_mean(name, a, b).overlaps(hermite.square_by_quadrature(name, a, b))


@each
def test_coefficients_are_the_integrals_that_mpmath_finds(name: str) -> None:
    """An integrand written in SymPy, another integrator, and polynomials from Rodrigues' formula."""
    a, b = 1.5, 0.8
    phi = sp.lambdify(U, lookup(name).expr, "mpmath")
    for r in (0, 1, 2, 3, 8):
        found, p = hermite.coefficients(name, a, b)[r], rodrigues(8)[r]

        def integrand(u: Any, p: list[int] = p) -> Any:
            return a * phi(b * u) * mpmath.polyval(p[::-1], u) * mpmath.exp(-u * u / 2)

        value = mpmath.quad(integrand, [-14, -4, 0, 4, 14]) / mpmath.sqrt(2 * mpmath.pi) / mpmath.sqrt(math.factorial(r))
        assert abs(value - found.lo) <= 1e-13


def test_what_parseval_leaves_after_order_eight() -> None:
    """Of tanh 0.12 per cent, of sin 2.4e-6; of a polynomial nothing."""
    shares = {}
    for name in CATALOGUE:
        squares = sum((hermite.coefficient(name, 1.0, 1.0, r) ** 2 for r in range(9)), arb(0))
        shares[name] = float((1 - squares / hermite.square_mean(name, 1.0, 1.0)).mid())
    assert 0.0012 < shares["tanh"] < 0.00125 and 2e-6 < shares["sin"] < 3e-6 and abs(shares["identity"]) < 1e-15, shares
    assert max(shares.values()) < 0.02 and all(v > 1e-12 for k, v in shares.items() if k != "identity")


def test_the_polynomials_are_those_of_the_definition() -> None:
    assert rodrigues(3) == [[1], [0, 1], [-1, 0, 1], [0, -3, 0, 1]]
    for r, p in enumerate(rodrigues(8)):
        value = sum(c * 1.5**k for k, c in enumerate(p)) / math.sqrt(math.factorial(r))
        assert float(hermite.polynomial(r, arb(1.5)).mid()) == pytest.approx(value, rel=1e-14)


def test_a_quadrature_that_fails_says_so() -> None:
    found = hermite.coefficients("tanh", 1.0, 1e300)
    assert found[1].lo <= math.sqrt(2 / math.pi) <= found[1].hi
    with pytest.raises(ValueError, match="unknown activation"):
        hermite.coefficients("sine", 1.0, 1.0)


def test_the_command_lists_them_with_their_certificates() -> None:
    rows = {row["name"]: row for row in activation_rows("sin", 2.0, 1.0)}
    assert [name for name in rows if name.startswith("eta_")] == [f"eta_{r}" for r in range(9)]
    row = rows["eta_3"]
    assert row["item"] == "Section B" and row["page"] == 31 and row["meaning"].endswith("closed form")
    assert (
        row["lower"] <= -2 * math.exp(-0.5) / math.sqrt(6) + 1e-16
        and row["upper"] == pytest.approx(row["lower"], rel=1e-14)
        and row["upper"] < 0
    )


# --- kernels


@each
@pytest.mark.parametrize("rho", [-0.6, 0.0, 0.35, 0.8])
def test_kernels_are_the_mean_over_correlated_pairs(name: str, rho: float) -> None:
    """Gauss-Hermite rules in two dimensions; relu has a kink, and there they are good to 1e-3."""
    g, w = np.polynomial.hermite_e.hermegauss(80)
    w = w / math.sqrt(2 * math.pi)
    phi = sp.lambdify(U, lookup(name).expr, ["scipy", "numpy"])
    second = rho * g[:, None] + math.sqrt(1 - rho**2) * g
    value = float(np.sum(w[:, None] * w * phi(0.7 * g)[:, None] * phi(0.7 * second)))
    found = hermite.kernel(name, 1.0, 0.7, arb(rho))
    assert abs(value - float(found.mid())) <= float(found.rad()) + (1e-3 if name == "relu" else 1e-6), found


@pytest.mark.parametrize("name", ["sin", "one_minus_cos", "one_minus_gauss", "erf", "identity", "relu"])
def test_kernels_in_closed_form_are_the_series(name: str) -> None:
    for rho in (-0.7, -0.2, 0.0, 0.3, 0.6):
        closed = hermite.kernel_closed(name, 2.0, 0.9, arb(rho))
        assert closed is not None and closed.overlaps(hermite.mehler(name, 2.0, 0.9, arb(rho)))
    one = hermite.kernel_closed(name, 2.0, 0.9, arb(1))
    assert one is not None and one.overlaps(hermite.square_by_quadrature(name, 2.0, 0.9))


def test_opposite_columns_have_the_kernel_of_the_parity() -> None:
    for name, sign in (("tanh", -1), ("one_minus_cos", 1)):
        assert hermite.kernel(name, 1.0, 1.0, arb(-1)).overlaps(sign * hermite.square_mean(name, 1.0, 1.0))


# --- exact distributions


@pytest.mark.parametrize(("d", "proxy"), [(8, 0.49), (13, 0.54), (64, 0.70)])
def test_variance_proxies_of_the_uniform_law(d: int, proxy: float) -> None:
    low, high, _ = tails.variance_proxy(d)
    assert round(high, 2) == proxy and high - low <= 1e-3 and high < 1


def test_a_proxy_is_the_largest_that_is_needed_anywhere() -> None:
    for d in (1, 2, 5):
        _, high, _ = tails.variance_proxy(d)
        t = np.linspace(0.01, math.sqrt(d) - 1e-9, 2000)
        tail = np.ones_like(t) if d == 1 else stats.beta.sf(t**2 / d, 0.5, (d - 1) / 2)
        assert np.all(tail <= 2 * np.exp(-(t**2) / (2 * high)) * (1 + 1e-9))
        assert np.max(t**2 / (2 * np.log(2 / tail))) >= high * (1 - 1e-2)


def test_moments_of_the_uniform_law_are_below_the_gaussian_ones() -> None:
    """E (√d u₁)^{2k} = (2k-1)!! Π_j d/(d+2j) <= (2k-1)!!: the moment generating function is below e^{s²/2}, so 1 always serves."""
    d, k = sp.symbols("d k", positive=True, integer=True)
    for order in range(1, 6):
        moment = d**order * sp.gamma(order + sp.Rational(1, 2)) * sp.gamma(d / 2) / (sp.sqrt(sp.pi) * sp.gamma(d / 2 + order))
        ratio = sp.prod([d / (d + 2 * j) for j in range(order)])
        assert sp.simplify(sp.gammasimp(moment / sp.factorial2(2 * order - 1)) - ratio) == 0
    assert k.is_positive


@pytest.mark.parametrize("name", ["sin", "one_minus_cos", "tanh"])
def test_sums_of_independent_squares_are_enclosed(name: str) -> None:
    """By 200 000 simulated sums of six, within five standard deviations; of one, by quantiles."""
    sigma = {"name": name, "a": 1.0, "b": 1.3}
    g = np.random.RandomState(1).standard_normal((200_000, 6))
    phi = sp.lambdify(U, lookup(name).expr, "numpy")
    sums = np.sum(phi(1.3 * g) ** 2, axis=1)
    levels = np.quantile(sums, [0.01, 0.1, 0.5])
    low, high = tails.sum_below(sigma, 6, levels)
    seen = np.array([np.mean(sums <= x) for x in levels])
    assert np.all(low <= high) and np.all(high - low <= 0.15 * high)
    assert np.all(np.abs(seen - np.clip(seen, low, high)) <= 5 * np.sqrt(seen / len(sums)))
    one_low, one_high = tails.sum_below({"name": "tanh", "a": 1.0, "b": 1.0}, 1, np.array([0.25]))
    assert one_low[0] <= math.erf(math.atanh(0.5) / math.sqrt(2)) <= one_high[0]


def test_two_columns_of_signs_have_a_binomial_smallest_eigenvalue() -> None:
    angle = 0.3
    rng = np.random.RandomState(2)
    W = rng.standard_normal((4000, 40, 2))
    X = np.array([[1.0, math.cos(angle)], [0.0, math.sin(angle)]])
    S = np.sign(W @ X)
    smallest = np.linalg.eigvalsh(np.einsum("rmi,rmj->rij", S, S))[:, 0]
    levels = np.array([1.0, 5.0, 9.0])
    low, high = tails.signs_below({"name": "erf", "a": 1.0, "b": 1e12}, 40, arb(math.cos(angle)), levels)
    seen = np.array([np.mean(smallest <= x) for x in levels])
    assert np.all(np.abs(seen - (low + high) / 2) <= 5 * np.sqrt(high / 4000))
    with pytest.raises(ValueError, match="not decided"):
        tails.signs_below({"name": "erf", "a": 1.0, "b": 1e12}, 40, arb(math.cos(angle)), np.array([4.0]))


# --- the proof of Lemma 21 by hand

_t, _s, _x, _R, _lam = sp.symbols("t s x R lambda", positive=True)


def test_the_chernoff_bound_has_the_exponent_of_poisson_tails() -> None:
    """inf over s of e^{s t λ} exp((e^{-sR} - 1) λ/R): -λ(1 - t + t ln t)/R; at t = 1/2 that is between the two printed candidates."""
    exponent = _s * _t * _lam - (1 - sp.exp(-_s * _R)) * _lam / _R
    (best,) = sp.solve(sp.diff(exponent, _s), _s)
    rate = sp.simplify(-exponent.subs(_s, best) * _R / _lam)
    assert sp.simplify(sp.expand_log(rate - (1 - _t + _t * sp.log(_t)), force=True)) == 0
    gap = 1 - _t + _t * sp.log(_t) - (1 - _t) ** 2 / 2  # 0 at t = 1 with its derivative ln t + 1 - t <= 0
    assert gap.subs(_t, 1) == 0 and sp.simplify(sp.diff(gap, _t) - (sp.log(_t) + 1 - _t)) == 0
    at_half = (1 - _t + _t * sp.log(_t)).subs(_t, sp.Rational(1, 2))
    assert sp.Rational(1, 8) < at_half < sp.Rational(3, 8)
    crossing = sp.nsolve((1 - _t**2) / 2 - (1 - _t + _t * sp.log(_t)), _t, 0.2)
    assert 0.198 < crossing < 0.2


def test_rare_summands_attain_that_exponent() -> None:
    """n = 1, M_i of values 0 and R: Bin(m, p) at half its mean. The exponent tends to (1 - ln 2)/2 < 3/8 as p falls and mp grows."""
    p = 1e-6
    for mean, printed in ((30, 2), (200, 1e6)):
        m = round(mean / p)
        tail = stats.binom.cdf(m * p / 2, m, p)
        assert tail > printed * math.exp(-3 * mean / 8)
        assert tail <= math.exp(-(1 - math.log(2)) / 2 * mean) <= math.exp(-mean / 8)
    rate = -stats.binom.logcdf(1000, round(2000 / p), p) / 2000
    assert abs(rate - (1 - math.log(2)) / 2) < 0.005


def test_the_printed_product_may_exceed_1() -> None:
    a, b = sp.symbols("a b", positive=True)
    assert sp.expand((1 - a) * (1 - b) - (1 - a - b)) == a * b
    assert ((1 - a) * (1 - b)).subs({a: 3, b: 18}) == 34
    # the step before it multiplies P >= 1 - b by 1 - a, which turns round where a > 1
    assert (1 - a).subs(a, 3) * sp.Rational(9, 10) < (1 - a).subs(a, 3) * sp.Rational(1, 2)


def test_delta_is_right_by_another_way() -> None:
    """Level 1/16 of mη² is t = 1/4 of mη²/4, and (3/4)²/2 · 1/4 = 9/128 > 3/64."""
    level, gershgorin = sp.Rational(1, 16), sp.Rational(1, 4)
    t = level / gershgorin
    assert (1 - t) ** 2 / 2 * gershgorin == sp.Rational(9, 128) > sp.Rational(3, 64)
    t = level / sp.Rational(1, 8)
    assert ((1 - t**2) / 2 / 8, (1 - t) ** 2 / 2 / 8) == (sp.Rational(3, 64), sp.Rational(1, 64))


def test_the_witness_violates_the_printed_lines_by_a_factor_and_keeps_the_lemma() -> None:
    f = Fields(check.run(corpus_kernel.SIGNS, NumpyImplementation()))
    tail, lam = f["kernel_tail"], float(f["kernel_min"].values)
    m, p = 4000, 0.00677
    assert lam == pytest.approx(2 * m * p, rel=1e-9)
    assert abs(tail.values[3] - stats.binom.cdf(13, m, p)) <= tail.radius[3] <= 0.03 * tail.values[3]
    assert tail.values[3] / (2 * math.exp(-3 * lam / 16)) > 20
    eta2 = float(f["kernel_eta2"].values)
    assert eta2 == pytest.approx(1 / (3 * math.pi), rel=1e-9)  # of a sign, r = 3
    assert float(f["kernel_event"].values) > 20 * 2 * math.exp(-3 * m * eta2 / 128)


# --- measures


def test_rows_and_columns_are_those_of_the_initialisation_and_of_the_data() -> None:
    spec = SPECS["kernel-narrow"]
    run = KernelRun(spec, check.ArrayStore())
    S = run.activations(run.rows(0), run.x)
    b = run.batch  # q = 6 > d = 4
    expected = np.tanh(b.params["W"][0] @ b.params["A"] @ b.x.T / math.sqrt(spec.q))
    assert pytest.approx(expected, abs=1e-14) == S and S.shape == (2, 3)
    assert not np.array_equal(run.columns(1), run.x) and np.array_equal(run.columns(0), run.x)


def test_the_kernel_matrix_is_the_mean_of_many_rows() -> None:
    run = KernelRun(SPECS["kernel-tanh"], check.ArrayStore())
    W = np.random.RandomState(3).standard_normal((400_000, run.spec.d))
    S = run.activations(W, run.x)
    mid, _ = run.matrix(run.x)
    assert pytest.approx(S.T @ S / len(W), abs=5e-3) == mid


def test_two_columns_are_close_as_often_as_the_cap_says() -> None:
    """n = 2, 1 - cos: P(λ_min(E(M|X)) < mη²/4) over 1500 draws of X."""
    run = KernelRun(SPECS["kernel-pair"], check.ArrayStore())
    probability = float(Fields(run)["kernel_low_4"].values)
    bound = run.spec.m * float(run.eta2.mid()) / 4
    seen = np.mean([run.kernel_min(run.columns(i))[0] < bound for i in range(1500)])
    assert abs(seen - probability) <= 5 * math.sqrt(probability / 1500) and probability > 0.05


def test_controls_collapse_and_nothing_else_does() -> None:
    collapsed = {c.label for c in claims("lemma21") if c.label.startswith("lemma21.control-")}
    assert len(collapsed) == 5
    for name in ("kernel-narrow", "kernel-copies", "kernel-antipodal", "kernel-linear", "kernel-tanh", "kernel-pair"):
        f = fields(name)
        flags = sum(float(f[k].values) for k in ("kernel_narrow", "kernel_copies", "kernel_antipodal", "kernel_linear"))
        s_n = f["kernel_s_n"]
        assert (flags > 0) == bool(s_n.values <= s_n.radius) == (name not in ("kernel-tanh", "kernel-pair")), name


def test_a_kernel_matrix_needs_the_initialisation_of_the_paper() -> None:
    with pytest.raises(ValueError, match="regime kernel-matrix needs the paper's initialisation"):
        Spec.model_validate({**corpus_kernel.SMALL.to_json(), "init": {"kind": "iid"}})


def test_no_bit_depends_on_the_precision_that_others_left_behind() -> None:
    found = []
    for bits in (53, 2000):
        with ctx.workprec(bits):
            records, _ = check.check(SPECS["kernel-tanh"], NumpyImplementation())
            rows = [(e.lo, e.hi) for e in hermite.coefficients("algebraic", 1.0, 1.0)]
        found.append((records, rows))
    assert found[0] == found[1]
