"""The measured functionals on data made by hand: numbers that can be checked on paper, closed forms, 60-digit arithmetic."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import mpmath
import numpy as np
import pytest

from depthlimit.models import backward
from depthlimit.models import certificate as pl
from depthlimit.models.calls import MethodUnsupported, Misbehaviour, batch, call, watch
from depthlimit.models.check import judge
from depthlimit.models.data import ArrayStore
from depthlimit.models.measure import agreement
from depthlimit.models.measure.certificate import CertificateRun
from depthlimit.models.measure.euler import polynomial_supremum
from depthlimit.models.measure.extrapolate import slope
from depthlimit.models.measure.ladder import IidRun, vertex
from depthlimit.models.measure.registry import Fields
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.rounding import Rounding, U, euclid, frobenius, gamma
from depthlimit.models.spec import Spec
from depthlimit.models.trajectory import Trajectory, realise
from depthlimit.theory import judgement as J
from depthlimit.theory.quantity import Array, Field
from depthlimit.theory.registry import claims

# Rounding of a ladder's own values and of log2, generously: 8 units in 2⁻⁵³ relative. As `radii` of a ladder that is exact on paper.
EXACT = 8 * U
DOUBLINGS: Array = np.array([2.0**j for j in range(2, 9)])  # 4 ... 256


# ---------------------------------------------------------------- slopes


@pytest.mark.parametrize("power", [-2.0, -1.0, -0.5, 0.0, 1.0])
@pytest.mark.parametrize("count", [4, 5, 7])
def test_the_slope_of_a_power_law_is_its_exponent_with_a_radius_of_rounding(power: float, count: int) -> None:
    g: Array = np.array([3 * L**power for L in DOUBLINGS[:count]])
    value, radius = slope(g, EXACT * g)
    # Local slopes agree to rounding, so column 0 has radius |c - c'| + 2 EXACT/ln 2 <= 4 EXACT/ln 2, and the best column no more.
    assert abs(value - power) <= radius <= 4 * EXACT / math.log(2)


@pytest.mark.parametrize("share", [-0.9, -0.3, 0.2, 1.0, 5.0])
def test_a_ladder_with_a_term_of_second_order_extrapolates_to_minus_one(share: float) -> None:
    L = 4 * DOUBLINGS[:6]  # 16 ... 512
    g = (1 + share / L) / L
    value, radius = slope(g, EXACT * g)
    assert abs(value + 1) <= radius
    # The local slope itself is off by about |share|/(2 ln 2 L): Romberg's columns must beat it by far.
    assert radius < abs(math.log2(g[-1] / g[-2]) + 1) / 20


@pytest.mark.parametrize("seed", range(5))
def test_the_radius_of_a_slope_covers_noise_within_the_radii(seed: int) -> None:
    clean, noise = 1 / DOUBLINGS, 1e-3
    g = clean * (1 + noise * np.random.RandomState(seed).uniform(-1, 1, len(clean)))
    # |log2(g'/g) - log2(clean'/clean)| <= 2 noise/(1 - noise)/ln 2: radii of noise/(1 - noise)² of g cover that.
    value, radius = slope(g, noise / (1 - noise) ** 2 * g)
    assert abs(value + 1) <= radius


def test_the_radius_of_a_slope_covers_a_kink_between_the_last_depths() -> None:
    """Local slopes -1, -1, -1, -1/2: the last change is 1/2, and twice that is the radius of -1/2."""
    g = np.array([1, 1 / 2, 1 / 4, 1 / 8, 1 / 8 / math.sqrt(2)])
    value, radius = slope(g, EXACT * g)
    assert value == pytest.approx(-0.5, abs=2 * EXACT) and 0.5 <= radius <= 1 + 4 * EXACT / math.log(2)
    assert abs(value + 1) <= radius


def test_what_is_left_of_a_slope_may_exceed_its_last_change() -> None:
    """Local slopes of a network trained to T = 1: the last change is 0.001297 and -1 lies 0.001307 away."""
    slopes = [-0.9948303, -0.99739626, -0.99869339]
    g = 2.0 ** np.cumsum([0, *slopes])
    value, radius = slope(g, EXACT * g)
    assert abs(value + 1) <= radius


@pytest.mark.parametrize("factor", [1.01, 1.2, 2.0])
@pytest.mark.parametrize("phase", [0, 1])
def test_the_radius_of_a_slope_covers_alternation_between_two_power_laws(factor: float, phase: int) -> None:
    """Local slopes -1 ± log2(factor): two successive ones differ by twice what each is off."""
    g: Array = np.array([factor ** ((i + phase) % 2) / L for i, L in enumerate(DOUBLINGS)])
    value, radius = slope(g, EXACT * g)
    assert abs(value + 1) <= radius
    assert radius >= 2 * math.log2(factor) * (1 - 1e-9)  # 1e-9: far above rounding relative to log2(1.01) = 0.014


def test_a_slope_propagates_radii_of_the_values() -> None:
    """1/L exactly, radii 1 % of the values: column 0 has correction 0 and error 0.02/ln 2; later columns only add to it."""
    value, radius = slope(1 / DOUBLINGS, 0.01 / DOUBLINGS)
    assert value == -1  # powers of two and their logarithms are exact
    assert radius == pytest.approx(0.02 / math.log(2), rel=8 * U)


@pytest.mark.parametrize("values", [[1, 0.5, 0.25], [], [1, 0.5, 0, 0.1], [1, 0.5, -0.2, 0.1], [1, 0.5, math.nan, 0.1]])
def test_too_few_or_nonpositive_values_have_no_slope(values: list[float]) -> None:
    with pytest.raises(ValueError, match="at least 4 positive values"):
        slope(np.array(values), np.zeros(len(values)))


# ---------------------------------------------------------------- refined maxima


@pytest.mark.parametrize("at", [1.6, 2.5, 3.0, 3.2, 4.4])
def test_the_vertex_of_a_parabola_is_exact(at: float) -> None:
    row: Array = np.array([7 - 0.5 * (u - at) ** 2 for u in range(8)])
    value, error = vertex(row, int(np.argmax(row)))
    # A dozen operations on numbers of at most 18 (row[0..7] >= 7 - 0.5·6.4²), divided by bend = 1 and multiplied by |right - left| <= 1.
    assert abs(value - 7) <= 12 * 18 * U
    assert error <= 0.065 * 8 * 18 * U  # third differences of a parabola are their rounding, 8 entries' worth


@pytest.mark.parametrize("third", [-0.3, -0.1, 0.02, 0.2])
@pytest.mark.parametrize("at", [2.7, 3.0, 3.4])
def test_the_vertex_of_a_cubic_is_within_its_bound(third: float, at: float) -> None:
    """f = 5 - z²/2 + third z³/6, z = u - at, has the third difference `third`; its maximum over the three layers is on a fine grid."""

    def f(u: Array) -> Array:
        z = u - at
        return np.asarray(5 - z**2 / 2 + third * z**3 / 6)

    row = f(np.arange(3, dtype=float) + 2)
    k = int(np.argmax(row)) + 2
    row = f(np.arange(7, dtype=float))
    value, error = vertex(row, k)
    fine = float(np.max(f(np.linspace(k - 1, k + 1, 20001))))  # spacing 1e-4: misses at most |f''| (5e-5)²/2 < 5e-9
    assert abs(value - fine) <= error + 5e-9
    assert error == pytest.approx(0.065 * abs(third), abs=0.065 * 8 * 40 * U)  # |row| <= 40


def test_the_vertex_of_a_mirrored_row_is_the_same() -> None:
    row: Array = np.array([7 - 0.5 * (u - 1.4) ** 2 for u in range(8)])
    assert vertex(row, 1)[0] == pytest.approx(7, abs=12 * 30 * U)  # |row| < 30
    assert vertex(row[::-1], 6)[0] == pytest.approx(7, abs=12 * 30 * U)


def test_a_largest_entry_at_an_end_is_itself_the_maximum() -> None:
    row = np.array([5.0, 4.0, 2.0, 1.0, 0.5])
    assert vertex(row, 0) == (5.0, 0.0)
    assert vertex(row[::-1], 4) == (5.0, 0.0)
    assert vertex(np.array([2.0]), 0) == (2.0, 0.0)


# ---------------------------------------------------------------- i.i.d. initialisations


def iid_run(q: int, m: int, draws: int = 20) -> IidRun:
    regime = {"kind": "iid-ladder", "depths": (2, 4, 8, 16), "draws": draws}
    sizes = {"d": 1, "dout": 1, "q": q, "m": m, "L": 2, "n": 1}
    return IidRun(Spec.model_validate({"regime": regime, **sizes, "init": {"kind": "iid", "seed": 5}}), ArrayStore())


def test_medians_with_two_degrees_of_freedom_are_elementary() -> None:
    """q = m = 1: |Z' - Z|² / 2 is χ² with 2 degrees of freedom, F(r²/2) = 1 - exp(-r²/4), so r = 2 √(-ln(1 - 2^(-1/N)))."""
    expected = [2 * math.sqrt(-math.log(1 - 0.5 ** (1 / N))) for N in (1, 2, 4, 8)]
    # N = 1: r = 2 √ln 2. Cancellation in 1 - 2^(-1/8) = 0.083 costs a factor 12; 64 covers it, logarithm and the library's ppf.
    assert iid_run(1, 1).medians == pytest.approx(expected, rel=64 * U)
    assert iid_run(1, 1).medians[0] == pytest.approx(2 * math.sqrt(math.log(2)), rel=64 * U)


def test_expectations_with_two_degrees_of_freedom_are_elementary() -> None:
    """∫ 1 - (1 - e^(-r²/4))^N dr = Σ_j C(N, j) (-1)^(j+1) √(π/j)."""
    expected = [sum(math.comb(N, j) * (-1) ** (j + 1) * math.sqrt(math.pi / j) for j in range(1, N + 1)) for N in (1, 2, 4, 8)]
    assert expected[0] == math.sqrt(math.pi)
    assert iid_run(1, 1).expected == pytest.approx(expected, abs=1.5e-8)  # quad's own tolerance; the sum's terms are below 125


@pytest.mark.parametrize(("q", "m"), [(1, 1), (1, 2), (2, 3)])
def test_expectations_and_medians_of_iid_maxima_agree_with_monte_carlo(q: int, m: int) -> None:
    run, draws = iid_run(q, m, draws=1000), 1000
    rng = np.random.RandomState(17)
    for i, N in enumerate((1, 2, 4, 8)):
        Z, Z_next = rng.standard_normal((2, draws, N, 2 * q * m))
        fresh = np.max(np.linalg.norm(Z_next - Z, axis=-1), axis=-1)
        for sample in (fresh, run.maxima[i]):
            # Fixed seeds; 5 standard errors are passed with probability 6e-7 each, were they drawn again.
            assert abs(sample.mean() - run.expected[i]) <= 5 * sample.std() / math.sqrt(draws)
            assert abs(np.sum(sample > run.medians[i]) - draws / 2) <= 5 * math.sqrt(draws) / 2
    counts = Fields(run)["iid_excess"].values
    assert counts.tolist() == [abs(np.sum(run.maxima[i] > run.medians[i]) - 500) for i in range(4)]


# ---------------------------------------------------------------- suprema of polynomials


def covers(bracket: tuple[float, float], exact: float) -> bool:
    """Whether the exact supremum is in the bracket, and the bracket at most half a percent wide on either side."""
    value, radius = bracket
    return abs(value - exact) <= radius <= 0.005 * exact


@pytest.mark.parametrize("norm", ["operator", "frobenius"])
@pytest.mark.parametrize("degree", [1, 2, 3, 7, 11])
def test_chebyshev_polynomials_have_supremum_one(degree: int, norm: str) -> None:
    coefficients = np.zeros((degree + 1, 1, 1))
    coefficients[degree] = 1
    assert covers(polynomial_supremum(coefficients, norm), 1)


@pytest.mark.parametrize("norm", ["operator", "frobenius"])
def test_suprema_of_scalar_polynomials_are_those_of_calculus(norm: str) -> None:
    # 3 + 2x: 5. x² - x = 1/2 T_2 - T_1 + 1/2: 2 at x = -1. x³ - x = (T_3 - T_1)/4: 2/(3√3) inside. A constant: itself.
    cases = {
        5.0: [3.0, 2.0],
        2.0: [0.5, -1.0, 0.5],
        2 / (3 * math.sqrt(3)): [0.0, -0.25, 0.0, 0.25],
        4.0: [-4.0],
    }
    for exact, coefficients in cases.items():
        assert covers(polynomial_supremum(np.array(coefficients)[:, None, None], norm), exact)


def test_suprema_of_linear_matrix_polynomials_are_at_an_end() -> None:
    """A norm is convex, so that of C + x D is largest at x = ±1."""
    C, D = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]), np.array([[2.0, 0.0, 0.0], [0.0, 2.0, 0.0]])
    both = np.stack([C, D])  # at 1: diag(3, 4), at -1: diag(-1, 0)
    assert covers(polynomial_supremum(both, "operator"), 4)
    assert covers(polynomial_supremum(both, "frobenius"), 5)
    for seed in range(3):
        both = np.random.RandomState(seed).standard_normal((2, 3, 2))
        ends = (both[0] + both[1], both[0] - both[1])
        assert covers(polynomial_supremum(both, "operator"), max(float(np.linalg.svd(e, compute_uv=False)[0]) for e in ends))
        assert covers(polynomial_supremum(both, "frobenius"), max(float(np.linalg.norm(e)) for e in ends))


# ---------------------------------------------------------------- measures of a scripted implementation

SQRT2, SQRT96, SQRT137, SQRT160, SQRT281 = (math.sqrt(k) for k in (2, 96, 137, 160, 281))


def column(*rows: tuple[float, float]) -> Array:
    """Layers of shape (2, 1)."""
    return np.array(rows, dtype=float)[:, :, None]


def line(*rows: tuple[float, float]) -> Array:
    """Layers of shape (1, 2)."""
    return np.array(rows, dtype=float)[:, None, :]


# q = 2, m = d = dout = n = 1, L = 3, times 0 and 1. All differences below are Pythagorean.
FLOW: dict[str, Array] = {
    "A": np.stack([[[3.0], [4.0]], [[6.0], [8.0]]]),
    "V": np.stack([column((0, 0), (3, 0), (3, 0)), column((0, 0), (3, 4), (11, 4))]),
    "W": np.stack([line((0, 0), (0, 4), (12, 4)), line((0, 0), (12, 0), (12, 15))]),
    "B": np.stack([[[5.0, 12.0]], [[5.0, 12.0]]]),
    "loss": np.array([9.0, 4.0]),
}
VELOCITY: dict[str, Array] = {
    "A": np.array([[1.0], [2.0]]),
    "V": column((0, 0), (3, 0), (3, 8)),
    "W": line((0, 0), (0, 4), (15, 4)),
    "B": np.array([[2.0, 1.0]]),
}
GRADIENTS: dict[str, Array] = {
    "A": np.array([[1.0], [0.0]]),
    "V": column((1, 1), (1, 1), (1, 1)),
    "W": line((-1, 0), (-1, 0), (-1, 0)),
    "B": np.array([[0.0, 1.0]]),
}
FORWARD: dict[str, Array] = {"hidden": np.array([[[3.0, 4.0]], [[5.0, 12.0]], [[8.0, 15.0]], [[1.0, 0.0]]]), "output": np.array([[63.0]])}


@dataclass
class Scripted(NumpyImplementation):
    """Answers what is prescribed, whatever the network."""

    answers: Mapping[str, Any]

    def forward(self, spec: Any, params: Any, x: Array) -> dict[str, Array]:
        return cast("dict[str, Array]", self.answers["forward"])

    def loss(self, spec: Any, params: Any, x: Array, y: Array) -> float:
        return cast(float, self.answers["loss"])

    def gradients(self, spec: Any, params: Any, x: Array, y: Array) -> dict[str, Array]:
        return cast("dict[str, Array]", self.answers["gradients"])

    def velocity(self, spec: Any, params: Any, x: Array, y: Array) -> dict[str, Array]:
        return cast("dict[str, Array]", self.answers["velocity"])

    def flow(self, spec: Any, params: Any, x: Array, y: Array, times: Array) -> dict[str, Array]:
        return cast("dict[str, Array]", self.answers["flow"])


def inline(**arrays: Any) -> dict[str, Any]:
    return {"inline": [(k, np.shape(v), np.ravel(v).tolist()) for k, v in arrays.items()]}


def scripted_spec(**more: Any) -> Spec:
    body = {
        **{"regime": {"kind": "plain-flow"}, "d": 1, "dout": 1, "q": 2, "m": 1, "L": 3, "n": 1, "T": 1.0, "times": (0.0, 1.0)},
        "activation": {"name": "identity"},
        "init": {"kind": "arrays", "arrays": inline(**{k: FLOW[k][0] for k in "AVWB"})},
        "data": {"kind": "arrays", "arrays": inline(x=[[1.0]], y=[[60.0]])},
    }
    return Spec.model_validate({**body, **more})


def scripted(**more: Any) -> Trajectory:
    answers = {"forward": FORWARD, "loss": 9.0, "gradients": GRADIENTS, "velocity": VELOCITY, "flow": FLOW}
    return Trajectory(realise(scripted_spec(**more), ArrayStore()), Scripted(answers))


@pytest.fixture(scope="module")
def fields() -> Fields:
    return Fields(scripted())


def assert_is(field: Field, exact: Any, within: float) -> None:
    """Each value lies within its own radius of the exact one and, whatever that radius, within rounding; no radius exceeds `within`.

    Rounding: at most 30 operations follow one another, on terms below 1e5 (adjoints are the largest).
    """
    values = np.asarray(exact, dtype=float)
    assert field.values.shape == values.shape
    distance = np.abs(field.values - values)
    if field.vector:
        distance = np.sqrt(np.sum(distance**2, axis=-1))
    assert np.all(distance <= field.radius), (field, exact)
    assert np.all(distance <= gamma(30) * 1e5), (field, exact)
    assert np.all(field.radius <= within), field.radius


# States have errors (100 rtol |displacement| + rtol |array|) of at most 1e-7 √281 + 1e-9 √513 < 1.8e-6 at t = 1, and all sizes are
# below 25: a difference of two layers of V and W carries at most √2 √2 of it, a quadratic quantity 2 · 25 times it and per block.
LINEAR, QUADRATIC = 4 * 1.8e-6, 4 * 2 * 25 * 1.8e-6
# Rounding of gradients at the saved states: errors of states grow by at most (1 + 5·12/(3√2))(1 + √137·√369/(3√2)) < 820 on their way
# forth, and those of adjoints as much on their way back; the rest are factors of the gradient, 2|B|² |h|² |V| L (|V| < 12).
ROUNDING = gamma(30) * 820**2 * 2 * 13**2 * 17**2 * 12 * 3


def test_successive_differences_are_pythagorean(fields: Fields) -> None:
    assert_is(fields["gap"], [[[5, 12], [13, 17]]], LINEAR)
    assert_is(fields["gap_here"], [[[5, 12], [13, 17]]], gamma(30) * 25)
    assert_is(fields["gap_sum"], [[[7, 12], [17, 23]]], LINEAR)
    assert_is(fields["gap_max"], [[[4, 12], [12, 15]]], LINEAR)
    assert_is(fields["gap0"], [[5, 12]], gamma(30) * 25)
    assert_is(fields["gap0_sum"], 12, gamma(30) * 25)


def test_errors_of_the_flow_are_those_that_the_protocol_allows(fields: Fields) -> None:
    error = fields.run.state_error
    # rtol = 1e-9; |A(1) - A(0)| = 5, |A(1)| = 10; V moved by √96, |V| = √162; W by √281, |W| = √513; B not at all.
    expected = {"A": 1e-7 * 5 + 1e-8, "V": 1e-7 * SQRT96 + 1e-9 * math.sqrt(162), "W": 1e-7 * SQRT281 + 1e-9 * math.sqrt(513), "B": 0}
    for k, value in expected.items():
        assert error[k][0, 0] == 0
        assert error[k][0, 1] == pytest.approx(value, rel=32 * U)  # a sum of at most 7 squares, a root, two products and a sum
    # Differences of two layers: √2 of both blocks together, plus rounding (below 1e-7 of that: 1e-14 of 25 against 2e-6).
    together = SQRT2 * math.hypot(expected["V"], expected["W"])
    assert np.all((fields["gap"].radius[0, 1] >= together) & (fields["gap"].radius[0, 1] <= together * (1 + 1e-7)))


def test_clips_with_kinks_are_allowed_ten_times_the_error_of_the_displacement() -> None:
    run = scripted(regime={"kind": "clipped-flow"}, clip={"kind": "coordinate", "radius": 1.0})
    assert run.state_error["A"][0, 1] == pytest.approx(1e-6 * 5 + 1e-8, rel=32 * U)


def test_norms_of_the_blocks_are_pythagorean(fields: Fields) -> None:
    assert_is(fields["A_norm"], [[5, 10]], LINEAR)
    assert_is(fields["B_norm"], [[13, 13]], gamma(30) * 25)  # B does not move, so that only rounding is left
    assert_is(fields["Z_norm"], [[[0, 7, 3 + SQRT160], [0, 17, SQRT137 + math.sqrt(369)]]], LINEAR)
    assert_is(fields["W0_norm"], SQRT160, gamma(30) * 25)
    assert_is(fields["M0_sum"], 3 + SQRT160, gamma(30) * 25)
    assert_is(fields["B_norm2"], [[169, 169]], gamma(30) * 169)
    assert_is(fields["B0_norm2"], [169], gamma(30) * 169)


def test_speeds_are_those_of_the_prescribed_velocity(fields: Fields) -> None:
    """|(3, 0; 0, 4)| = 5, |(3, 8; 15, 4)| = √314; successive differences (3, 0; 0, 4) and (0, 8; 15, 0)."""
    assert_is(fields["Z_speed"], [[[0, 5, math.sqrt(314)]] * 2], ROUNDING)
    assert_is(fields["gap_rate"], [[[5, 17]] * 2], ROUNDING)
    # weighted: 5 + 5 + (25 + 314)/3 = 123; -⟨∇ℓ, θ'⟩ = -(1 + 1 + (0 + 3 + 11) + (0 + 0 - 15)) = -1
    assert_is(fields["speed2"], [[123, 123]], 20 * ROUNDING)
    assert_is(fields["descent_rate"], [[-1, -1]], 20 * ROUNDING)


def test_the_displacement_weighs_layers_with_one_over_depth(fields: Fields) -> None:
    """25 + 0 + ((16 + 80) + (160 + 121))/3."""
    assert_is(fields["displacement2"], [[0, 452 / 3]], QUADRATIC)


def test_the_conserved_matrix_is_that_of_paper_and_pencil(fields: Fields) -> None:
    # AAᵀ - BᵀB = (9 12; 12 16) - (25 60; 60 144), ΣVVᵀ = (18 0; 0 0), ΣWᵀW = (144 48; 48 32)
    start = [9 - 25 + (18 - 144) / 3, 12 - 60 - 48 / 3, 12 - 60 - 48 / 3, 16 - 144 - 32 / 3]
    # AAᵀ = (36 48; 48 64), ΣVVᵀ = (130 56; 56 32), ΣWᵀW = (288 180; 180 225)
    end = [36 - 25 + (130 - 288) / 3, 48 - 60 + (56 - 180) / 3, 48 - 60 + (56 - 180) / 3, 64 - 144 + (32 - 225) / 3]
    assert_is(fields["conserved"], [[start, end]], QUADRATIC)
    assert_is(fields["conserved0"], [start], gamma(30) * 25**2 * 4)
    assert fields["conserved"].radius[0, 0] == fields["conserved0"].radius[0]  # no error of the flow at t = 0


def test_both_sides_of_the_balance_are_those_of_paper_and_pencil(fields: Fields) -> None:
    # A'Aᵀ = (3 4; 6 8), ΣV'Vᵀ = (18 0; 24 0); BᵀB' = (10 5; 24 12), ΣWᵀW' = (180 48; 60 32); at t = 0
    left, right = fields["balance_AV"], fields["balance_BW"]
    for field, exact in ((left, [9, 4, 14, 8]), (right, [70, 21, 44, 12 + 32 / 3])):
        assert_is(Field(field.values[:, :1], field.radius[:, :1], field.axes), [[exact]], 25 * ROUNDING)


def test_growth_of_B_and_alignment_are_those_of_paper_and_pencil(fields: Fields) -> None:
    """2 ((5, 12), (2, 1)) = 44, (63 - 60) 60 = 180, (63 - 60)² = 9."""
    assert_is(fields["B_growth"], [[44, 44]], 25 * ROUNDING)
    assert_is(fields["alignment"], [[180, 180]], 25 * ROUNDING)
    assert_is(fields["sum_squares"], [[9, 9]], ROUNDING)
    assert_is(fields["loss"], [[9, 9]], ROUNDING)


def test_pairs_take_the_larger_of_the_two_layers_that_they_need(fields: Fields) -> None:
    assert_is(fields["v_pair"], [[[3, 3], [5, SQRT137]]], gamma(30) * 25)
    assert_is(fields["w_pair"], [[[4, SQRT160], [12, math.sqrt(369)]]], gamma(30) * 25)
    assert_is(fields["h_pair"], [[[13, 17]] * 2], ROUNDING)  # of (5, 13), (13, 17); h_3 is no input of a layer
    # p_3 = 2 Bᵀ (B h_3 - y) = -110 (5, 12), p_k = p_{k+1} + W (V · p_{k+1})/(3 √2), at t = 0
    p3 = -110 * np.array([5.0, 12.0])
    p2 = p3 + np.array([12.0, 4.0]) * 3 * p3[0] / (3 * SQRT2)
    p1 = p2 + np.array([0.0, 4.0]) * 3 * p2[0] / (3 * SQRT2)
    pair = fields["p_pair"]
    expected = [[[max(np.linalg.norm(p1), np.linalg.norm(p2)), max(np.linalg.norm(p2), np.linalg.norm(p3))]]]
    assert_is(Field(pair.values[:, :1], pair.radius[:, :1], pair.axes), expected, ROUNDING)


def test_suprema_along_the_run_reach_from_the_largest_saved_value_to_one_more_change(fields: Fields) -> None:
    # (field, largest saved value, largest change of a layer's value from one saved time to the next)
    cases = (("v_sup", SQRT137, SQRT137 - 3), ("w_sup", math.sqrt(369), 12 - 4.0), ("h_sup", 17.0, 0.0))
    for name, largest, change in cases:
        field = fields[name]
        low, high = float(field.values - field.radius), float(field.values + field.radius)
        # relative errors of states, below 1e-6 in all (1.8e-6 of 22, 1e-6 of 12 ...), count ten times for h: 17e-5 with room
        assert low <= largest <= largest + change <= high and low >= largest - 1e-3 and high <= largest + change + 1e-3


def test_numbers_of_the_instance_are_read_off_the_data() -> None:
    data = {"kind": "arrays", "arrays": inline(x=[[3.0, 4.0], [5.0, 12.0]], y=[[6.0, 8.0], [0.0, 0.0]])}
    start = {"A": np.eye(2), "V": FLOW["V"][0], "W": FLOW["W"][0], "B": np.eye(2)}
    body = {"d": 2, "dout": 2, "n": 2, "data": data, "init": {"kind": "arrays", "arrays": inline(**start)}}
    found = Fields(scripted(**body))
    for name, exact in {"M_X": 13, "M_Y": 10, "mean_y2": 50, "K_sigma": 1, "S2": 0, "paper_init": 0, "trained_ends": 1}.items():
        assert_is(found[name], exact, 50 * gamma(30))


@pytest.mark.parametrize(
    ("kind", "both", "Z"),
    # r = 3, Z = (V, W) with 2 entries each: by coordinates 3 (√2 + √2) and 3 √4; radial 3 √2, where |V| = |W|, and 3
    [("coordinate", 6 * SQRT2, 6.0), ("smooth", 6 * SQRT2, 6.0), ("radial", 3 * SQRT2, 3.0)],
)
def test_suprema_of_clips_are_elementary(kind: str, both: float, Z: float) -> None:
    found = Fields(scripted(regime={"kind": "clipped-flow"}, clip={"kind": kind, "radius": 3.0}))
    assert_is(found["M_pi"], both, 8 * U * both)
    assert_is(found["M_pi_Z"], Z, 8 * U * Z)


# ---------------------------------------------------------------- rounding radii against 60 digits

PHI: dict[str, Callable[[Any], Any]] = {
    "tanh": mpmath.tanh,
    "algebraic": lambda t: t / mpmath.sqrt(1 + t * t),
    "gelu": lambda t: t * (1 + mpmath.erf(t / mpmath.sqrt(2))) / 2,
    "relu": lambda t: t if t > 0 else mpmath.mpf(0),
}
NETWORKS = [("tanh", 0.7, 1.9, 1.0), ("algebraic", 1.0, 1.0, 1.0), ("gelu", 1.3, 0.6, 1.0), ("relu", 1.0, 1.0, 0.3)]
exactly = np.vectorize(mpmath.mpf, otypes=[object])


def exact_forward(spec: Mapping[str, Any], params: Mapping[str, Any], x: Any, y: Any) -> tuple[list[Any], Any]:
    """(3) and the loss on arrays of mpmath numbers, as the formulas stand in the paper."""
    sigma = spec["activation"]
    a, b, phi = mpmath.mpf(sigma["a"]), mpmath.mpf(sigma["b"]), PHI[sigma["name"]]
    value = np.vectorize(lambda u: a * phi(b * u), otypes=[object])
    hidden = [x @ params["A"].T]
    for V, W in zip(params["V"], params["W"], strict=True):
        s = value(hidden[-1] @ W.T / mpmath.sqrt(spec["q"]))
        hidden.append(hidden[-1] + s @ V.T / (spec["L"] * mpmath.sqrt(spec["m"])))
    error = hidden[-1] @ params["B"].T - y
    return hidden, np.sum(error * error) / len(x)


def exact_gradients(spec: Mapping[str, Any], params: dict[str, Any], x: Any, y: Any) -> dict[str, Any]:
    """Central differences with step 1e-20 in 60 digits: wrong by some 1e-39, and no backpropagation."""
    step, out = mpmath.mpf(10) ** -20, {}
    for k, block in params.items():
        g = np.empty(block.shape, dtype=object)
        for i in np.ndindex(*block.shape):
            sides = []
            for sign in (1, -1):
                moved = block.copy()
                moved[i] += sign * step
                sides.append(exact_forward(spec, {**params, k: moved}, x, y)[1])
            g[i] = (sides[0] - sides[1]) / (2 * step)
        out[k] = g
    return out


def distance(a: Any, b: Any, axes: tuple[int, ...]) -> Array:
    """Euclidean norm of a - b over some axes, subtracted in mpmath."""
    return np.asarray(np.sqrt(np.sum((exactly(a) - b).astype(float) ** 2, axis=axes)))


@pytest.mark.parametrize(("name", "a", "b", "size"), NETWORKS)
def test_states_and_gradients_lie_within_their_rounding_radii_of_sixty_digits(name: str, a: float, b: float, size: float) -> None:
    r = np.random.RandomState(len(name))
    spec: dict[str, Any] = {"version": 1, "d": 2, "dout": 1, "q": 3, "m": 3, "L": 3, "n": 2, "train": "AVWB", "rtol": 1e-9, "clip": None}
    spec["activation"] = {"name": name, "a": a, "b": b}
    shapes = {"A": (3, 2), "V": (3, 3, 3), "W": (3, 3, 3), "B": (1, 3)}
    params = {k: size * r.standard_normal(shape) for k, shape in shapes.items()}
    x, y = r.standard_normal((2, 2)), r.standard_normal((2, 1))
    numpy = NumpyImplementation()
    f, loss, g = numpy.forward(spec, params, x), numpy.loss(spec, params, x, y), numpy.gradients(spec, params, x, y)
    radii = Rounding(spec, params, x, y, f["hidden"], f["output"], backward.adjoint(spec, params, f["hidden"], y))
    with mpmath.workdps(60):
        theta, X, Y = {k: exactly(v) for k, v in params.items()}, exactly(x), exactly(y)
        hidden, truth = exact_forward(spec, theta, X, Y)
        errors = distance(f["hidden"], np.stack(hidden), (-1,))  # [L+1 n]
        loss_error = float(abs(mpmath.mpf(loss) - truth))
        residual_errors = distance(f["output"], hidden[-1] @ theta["B"].T, (-1,))
        gradient = exact_gradients(spec, theta, X, Y)
        gradient_errors = {k: distance(g[k], gradient[k], (-2, -1)) for k in g}
    # No slack: the errors above are computed in 60 digits from float64 results. Not absurdly wide: 1e-11 of what they belong to.
    assert np.all(errors <= radii.states) and np.all(radii.states < 1e-11 * euclid(f["hidden"]))
    assert loss_error <= float(radii.loss) < 1e-11 * loss
    assert np.all(residual_errors <= radii.residuals) and np.all(radii.residuals < 1e-11 * (euclid(f["output"]) + euclid(y)))
    for k, error in gradient_errors.items():
        assert np.all(error <= radii.gradients[k]), k
        assert np.all(radii.gradients[k] < 1e-11 * np.linalg.norm(g[k])), k  # of all layers: a single one may cancel
    assert max(float(np.max(e)) for e in gradient_errors.values()) > 0  # something was rounded


# ---------------------------------------------------------------- certificates


def pl_spec(**more: Any) -> Spec:
    return Spec.model_validate({"regime": {"kind": "local-pl", "points": 4}, "d": 2, "dout": 1, "q": 3, "m": 12, "L": 5, "n": 2, **more})


def test_at_radius_zero_mu_is_four_times_the_squared_singular_value_over_mn() -> None:
    numbers = {"q": 4.0, "m": 5.0, "L": 7.0, "n": 3.0, "K_sigma": 1.0, "s0": 0.7, "S0": 2.0, "w0": 3.0, "X2": 1.5, "XF": 2.5}
    values = pl._evaluate({**numbers, **dict.fromkeys(("R_A", "R_B", "R_V", "R_W"), 0.0)})
    assert (values["a"], values["g"], values["rho"], values["D_hat"]) == (0, 0, 1, 0)
    assert values["mu"] == pytest.approx(4 * 0.7**2 / (5 * 3), rel=8 * U)  # at most 8 operations, in whatever order SymPy printed them
    # speeds at the centre: P = 2/√n, so g_A = P X₂, g_B = 2 X₂/√n, g_V = P S₀/√m, g_W = 0
    # or, where it is less, √μ
    root = 2 * 0.7 / math.sqrt(15)
    assert root < 2 * 1.5 / math.sqrt(3) and root < 2 * 2 / math.sqrt(15)
    speeds = {"A": root, "B": root, "V": root, "W": 0.0}
    assert {k: values[f"g_{k}"] for k in "ABVW"} == pytest.approx(speeds, rel=8 * U)


def test_singular_values_of_one_sample_under_the_identity_are_a_norm() -> None:
    """S̄ = (W Ā x)ᵀ/√q is one row: s₀ = S₀ = |W Ā x|/√q, and Ā x = (x, 0)."""
    data = {"kind": "arrays", "arrays": inline(x=[[3.0, 4.0]], y=[[1.0]])}
    batch = realise(pl_spec(n=1, activation={"name": "identity"}, data=data), ArrayStore())
    W = batch.params["W"][0]
    numbers = pl.data_numbers(batch)
    size = math.sqrt(sum((3 * row[0] + 4 * row[1]) ** 2 for row in W) / 3)
    # m = 12 entries of three products each, a sum of 12 squares and a root; LAPACK's backward error is some m U
    assert numbers["s0"] == pytest.approx(size, rel=8 * 12 * U) and numbers["S0"] == numbers["s0"]
    assert numbers["X2"] == pytest.approx(5, rel=8 * U) and numbers["XF"] == pytest.approx(5, rel=8 * U)


@pytest.mark.parametrize("name", ["tanh", "identity"])
def test_radii_of_a_certificate_satisfy_its_four_conditions(name: str) -> None:
    """The docstring's formulas written again, at the loss of the centre: B̄Ā = 0 and V̄ = 0, so that it is the mean of |y|²."""
    found = pl.certify(pl_spec(activation={"name": name}), ArrayStore())
    c, R = pl.data_numbers(found.batch), {k: found.radii[f"R_{k}"] for k in "ABVW"}
    q, m, L, n, K = (c[k] for k in ("q", "m", "L", "n", "K_sigma"))
    a = K * R["V"] * (c["w0"] + R["W"]) / math.sqrt(q * m)
    g = math.expm1(a)
    H2 = (1 + R["A"]) * (c["X2"] + g * c["XF"])
    D = K / math.sqrt(q) * (R["W"] * H2 + c["w0"] * (1 + R["A"]) * c["XF"] * g + c["w0"] * R["A"] * c["X2"])
    P = 2 * (1 + R["B"]) * math.exp(a) / math.sqrt(n)
    mu = 4 / (m * n) * (1 - R["B"]) ** 2 * (1 - a / L) ** (2 * L) * max(c["s0"] - D, 0) ** 2
    # Some 50 operations; e^a - 1 cancels for small a, and s₀ - D̂ does little at a quarter of the best path: 1e-10 has ample room.
    assert found.mu == pytest.approx(mu, rel=1e-10) and mu > 0
    assert NumpyImplementation().forward(found.batch.network, found.batch.params, found.batch.x)["output"] == pytest.approx(0, abs=0)
    tau = 2 * math.sqrt(float(np.mean(np.sum(found.batch.y**2, axis=-1)))) / mu
    path = math.sqrt(mu)
    speeds = {
        "A": min(P * c["X2"], path),
        "B": min(2 * H2 / math.sqrt(n), path),
        "V": min(P * (c["S0"] + D) / math.sqrt(m), path + P * (g * (c["S0"] + D) + 2 * D) / math.sqrt(m)),
        "W": P * K * R["V"] * H2 / math.sqrt(q * m),
    }
    for k, speed in speeds.items():
        assert 0 < speed * tau <= R[k], k
        assert R[k] <= speed * tau * (1 + 1e-5), k  # the least fixed point but for slacks of 1e-7: a few of them
    assert R["B"] < 1 and a < L


def test_an_instance_without_a_certificate_has_radii_and_mu_zero() -> None:
    """More samples than units: s₀ = 0."""
    found = pl.certify(pl_spec(m=1), ArrayStore())
    assert found.mu == 0 and set(found.radii.values()) == {0.0}


def test_points_of_the_ball_lie_on_its_boundary_and_the_first_is_its_centre() -> None:
    run = CertificateRun(pl_spec(), ArrayStore(), NumpyImplementation())
    for k, centre in run.batch.params.items():
        states, R = run.ball.states[k], run.certificate.radii[f"R_{k}"]
        assert states.shape == (6, 1, *centre.shape)
        assert np.array_equal(states[0, 0], centre)
        moved = frobenius(states[1:, 0] - centre)
        # Added to the centre, whose entries are of order 3, steps round to 3 U per entry; the step itself is 1e-12 short.
        room = 4 * U * math.sqrt(centre[..., :, :].size) * max(1.0, float(np.abs(centre).max()))
        assert np.all(moved <= R + room) and np.all(moved >= R * (1 - 2e-12) - room)
        if k in "VW":
            same = np.ptp(states[1:, 0] - centre, axis=1).max(axis=(-2, -1)) <= 2 * room
            assert same.tolist() == [False, True, False, True, True]


# ---------------------------------------------------------------- calls

CALL: dict[str, Any] = {"params": {k: FLOW[k][0] for k in "AVWB"}, "x": np.ones((1, 1))}
LABELS = {"y": np.full((1, 1), 60.0)}


def ask(method: str, answer: Callable[..., Any], **more: Any) -> Any:
    class One:
        pass

    setattr(One, method, staticmethod(answer))
    return call(cast(Any, One()), method, scripted_spec().network(), **CALL, **more)


def test_a_correct_answer_comes_back_contiguous_and_without_what_was_not_asked_for() -> None:
    hidden = np.asfortranarray(np.arange(8.0).reshape(4, 1, 2))
    found = ask("forward", lambda *_: {"output": FORWARD["output"], "hidden": hidden, "more": 1})
    assert list(found) == ["hidden", "output"] and found["hidden"].flags.c_contiguous
    assert np.array_equal(found["hidden"], hidden)
    assert ask("loss", lambda *_: np.float64(2.5), **LABELS) == 2.5


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("shape", {**FORWARD, "output": np.zeros((1, 2))}, r"forward: wrong shape: output has shape \(1, 2\), expected \(1, 1\)"),
    ("axes", {**FORWARD, "hidden": np.zeros((4, 2))}, r"forward: wrong shape: hidden has shape \(4, 2\), expected \(4, 1, 2\)"),
    ("dtype", {**FORWARD, "hidden": np.zeros((4, 1, 2), np.float32)}, "forward: wrong dtype: hidden has dtype float32, expected float64"),
    ("nan", {**FORWARD, "hidden": np.full((4, 1, 2), np.nan)}, "forward: non-finite: hidden has 8 non-finite values"),
    ("infinity", {**FORWARD, "output": np.array([[np.inf]])}, "forward: non-finite: output has 1 non-finite values"),
    ("list", {**FORWARD, "output": [[1.0]]}, "forward: wrong type: output is a list, expected a NumPy array"),
    ("missing", {"hidden": FORWARD["hidden"]}, r"forward: wrong type: answered \['hidden'\], expected the keys \['hidden', 'output'\]"),
    ("empty", {}, r"forward: wrong type: answered \[\], expected the keys"),
]


def test_a_missing_array_is_named_when_another_has_come_in_its_place() -> None:
    with pytest.raises(Misbehaviour, match=r"expected the keys \['hidden', 'output'\]"):
        ask("forward", lambda *_: {"hidden": FORWARD["hidden"], "outputs": FORWARD["output"]})


@pytest.mark.parametrize(("answer", "message"), [pytest.param(a, m, id=name) for name, a, m in WRONG])
def test_a_wrong_answer_is_named(answer: dict[str, Any], message: str) -> None:
    with pytest.raises(Misbehaviour, match=message):
        ask("forward", lambda *_: answer)


def test_an_answer_that_is_no_mapping_is_named() -> None:
    with pytest.raises(Misbehaviour, match="forward: wrong type: answered ndarray, expected the keys"):
        ask("forward", lambda *_: np.zeros(3))


@pytest.mark.parametrize(
    ("answer", "message"),
    [(math.nan, "loss: non-finite: nan"), (np.float32(1), "loss: wrong dtype: dtype float32"), (-math.inf, "loss: non-finite: -inf")],
)
def test_a_wrong_loss_is_named(answer: Any, message: str) -> None:
    with pytest.raises(Misbehaviour, match=message):
        ask("loss", lambda *_: answer, **LABELS)


def _change_weights(spec: Any, params: Any, x: Any) -> Any:
    params["V"][1, 0, 0] += 1
    return FORWARD


def _change_data(spec: Any, params: Any, x: Any) -> Any:
    x *= 2
    return FORWARD


def _change_spec(spec: Any, params: Any, x: Any) -> Any:
    spec["activation"]["name"] = "tanh"
    return FORWARD


def _drop_block(spec: Any, params: Any, x: Any) -> Any:
    del params["B"]
    return FORWARD


@pytest.mark.parametrize("change", [_change_weights, _change_data, _change_spec, _drop_block])
def test_changed_inputs_are_named_and_the_callers_own_are_safe(change: Callable[..., Any]) -> None:
    with pytest.raises(Misbehaviour, match="forward: inputs changed: the implementation changed its arguments in place"):
        ask("forward", change)
    assert set(CALL["params"]) == set("AVWB") and CALL["params"]["V"][1, 0, 0] == 3 and CALL["x"][0, 0] == 1
    assert scripted_spec().network()["activation"]["name"] == "identity"


def test_inputs_are_fresh_writable_and_contiguous() -> None:
    def look(spec: Any, params: Any, x: Any) -> Any:
        for a in (*params.values(), x):
            assert a.flags.c_contiguous and a.flags.writeable and a.flags.owndata and a.dtype == np.float64
        return FORWARD

    ask("forward", look)


def test_a_missing_method_is_unsupported_by_name() -> None:
    with pytest.raises(MethodUnsupported, match="the implementation has no method neural_ode"):
        call(cast(Any, object()), "neural_ode", scripted_spec().network(), weights=CALL["params"], x=CALL["x"], s=np.zeros(1))


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("only tanh, sorry", "forward: only tanh, sorry"),
        ("", "forward: not implemented"),
    ],
)
def test_a_method_that_declines_is_unsupported_with_its_reason(reason: str, message: str) -> None:
    def decline(*_: Any) -> Any:
        raise NotImplementedError(*([reason] if reason else []))

    with pytest.raises(MethodUnsupported, match=f"^{message}$"):
        ask("forward", decline)


def test_another_exception_is_named_with_its_own_words() -> None:
    def fail(*_: Any) -> Any:
        raise ZeroDivisionError("mine")

    with pytest.raises(Misbehaviour, match=r"^forward: exception: ZeroDivisionError: mine$"):
        ask("forward", fail)


def test_an_exception_of_a_measure_is_raised_again_for_each_quantity_and_stops_no_other() -> None:
    run = scripted()
    answers = {**cast(Scripted, run.implementation).answers, "velocity": {**VELOCITY, "A": np.full((2, 1), np.nan)}}
    found = Fields(Trajectory(replace(run.batch), Scripted(answers)))
    for _ in range(2):
        with pytest.raises(Misbehaviour, match="velocity: non-finite: A has 2 non-finite values"):
            found["Z_speed"]
    assert_is(found["gap0"], [[5, 12]], gamma(30) * 25)


# ---------------------------------------------------------------- how long a call may take, and many calls at once


@pytest.fixture
def watched() -> Iterator[list[str]]:
    """Calls stop after a tenth of a second; the methods that were announced."""
    told: list[str] = []
    watch(0.1, lambda method: contextlib.nullcontext(told.append(method)))
    yield told
    watch(None)


def _never(*_: Any) -> Any:
    while True:
        try:
            time.sleep(60)
        except Exception:  # what a careless implementation does
            continue


def test_a_call_that_does_not_come_back_is_named_and_the_next_one_answers(watched: list[str]) -> None:
    for _ in range(2):
        with pytest.raises(Misbehaviour, match=r"^forward: hang: no answer within 0\.1 s$") as caught:
            ask("forward", _never)
        assert (caught.value.method, caught.value.kind) == ("forward", "hang")
        assert ask("loss", lambda *_: 2.5, **LABELS) == 2.5
    assert watched == ["forward", "loss"] * 2


@pytest.mark.parametrize("answer", [lambda *_: FORWARD, _never, lambda *_: 1 / 0])
def test_the_alarm_is_as_it_was_after_a_call(watched: list[str], answer: Callable[..., Any]) -> None:
    def mine(*_: object) -> None:
        raise AssertionError("too late")

    before = signal.signal(signal.SIGALRM, mine)
    try:
        with contextlib.suppress(Misbehaviour):
            ask("forward", answer)
        assert signal.getsignal(signal.SIGALRM) is mine
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_without_a_limit_no_alarm_is_set() -> None:
    def look(*_: Any) -> Any:
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
        return FORWARD

    ask("forward", look)


def test_outside_the_main_thread_calls_are_not_limited(watched: list[str]) -> None:
    """Signals reach the main thread only: there is no alarm, and no error either."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(ask("loss", lambda *_: time.sleep(0.2) or 2.5, **LABELS)))
    thread.start()
    thread.join()
    assert found == [2.5] and watched == ["loss"]


def ask_many(answer: Callable[..., Any], method: str = "loss", count: int = 3) -> list[Any]:
    class Many:
        batch = staticmethod(answer)

    arguments = [(scripted_spec().network(), CALL["params"], CALL["x"] * i, LABELS["y"]) for i in range(count)]
    return batch(Many(), method, arguments if method == "loss" else [a[:3] for a in arguments])


def test_a_batch_answers_call_by_call() -> None:
    assert ask_many(lambda method, calls: [float(x[0, 0]) for _, _, x, _ in calls]) == [0.0, 1.0, 2.0]
    found = ask_many(lambda method, calls: tuple(FORWARD for _ in calls), "forward")
    assert len(found) == 3 and all(np.array_equal(f["output"], FORWARD["output"]) for f in found)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda method, calls: [1.0] * 2, "^batch of loss: wrong type: 2 answers, expected a list of 3$"),
        (lambda method, calls: np.ones(3), "^batch of loss: wrong type: a ndarray, expected a list of 3$"),
        (lambda method, calls: [1.0, 1.0, np.nan], "^loss: non-finite: nan$"),
        (lambda method, calls: [1 / len(calls[3:])], "^batch of loss: exception: ZeroDivisionError: division by zero$"),
        (lambda method, calls: [np.multiply(c[2], 0, out=c[2])[0, 0] for c in calls], "^batch of loss: inputs changed: "),
        (_never, r"^batch of loss: hang: no answer within 0\.1 s$"),
    ],
)
def test_what_is_wrong_with_a_batch_is_named(watched: list[str], answer: Callable[..., Any], message: str) -> None:
    with pytest.raises(Misbehaviour, match=message):
        ask_many(answer)


def test_an_implementation_without_batches_does_not_support_them() -> None:
    with pytest.raises(MethodUnsupported, match=r"^the implementation has no method batch$"):
        batch(object(), "loss", [])


# ---------------------------------------------------------------- agreement with the reference, and with itself


def at_start(fields: Fields, name: str) -> Array:
    """The field's values at the first saved state, checked to have radii of rounding only and to be no scalars of another size."""
    field = fields[name]
    # 30 roundings one after the other, each grown by layers and read-out at most as much as in ROUNDING above, of values up to 1e6
    assert np.all(field.radius[0, 0] <= gamma(30) * 1e6 * 820), name
    return field.values[0, 0]


def test_the_reference_is_that_of_paper_and_pencil(fields: Fields) -> None:
    """h_0 = h_1 = (3, 4), u_2 = 16/√2, h_2 = (3 + 8√2, 4), u_3 = (52 + 96√2)/√2, h_3 = (99 + 34√2, 4), F - y = 483 + 170√2 =: e,
    p_3 = e (10, 24), p_2 = p_3 + (10e/√2)(12, 4), p_1 = p_2 + ((10 + 60√2)e/√2)(0, 4) = p_0."""
    r, e = SQRT2, 483 + 170 * SQRT2
    h2, h3 = [3 + 8 * r, 4], [99 + 34 * r, 4]
    p3, p2, p1 = e * np.array([10, 24]), e * np.array([10 + 60 * r, 24 + 20 * r]), e * np.array([10 + 60 * r, 264 + 40 * r])
    exact = {
        "hidden": np.array([[3, 4], [3, 4], h2, h3])[:, None, :],
        "output": [[60 + e]],
        "loss": e**2,
        "gradient_A": p1,
        "gradient_V": [0 * p1, p2 * 16 / r / 3, p3 * (26 * r + 96) / 3],
        # W_k's gradient is (V_k, p_k)/(3√2) h_{k-1}: V_1 = 0, (V_2, p_2) = 3 p_2[0], (V_3, p_3) = 30 e
        "gradient_W": [[0, 0], p2[0] / r * np.array([3, 4]), p3[0] / r * np.array(h2)],
        "gradient_B": 2 * e * np.array(h3),
    }
    for k in "AVWB":
        exact[f"velocity_{k}"] = -(3 if k in "VW" else 1) * np.asarray(exact[f"gradient_{k}"])
    for name, value in exact.items():
        found, wanted = at_start(fields, f"own_{name}"), np.asarray(value, dtype=float)
        assert found.shape == wanted.shape, name
        assert found == pytest.approx(wanted, rel=gamma(200)), name  # some 200 roundings of terms of one sign


def test_what_is_compared_with_the_reference_is_what_was_answered(fields: Fields) -> None:
    answers = {"hidden": FORWARD["hidden"], "output": FORWARD["output"], "loss": 9.0}
    answers |= {f"gradient_{k}": flat_from(GRADIENTS[k]) for k in "AVWB"} | {f"velocity_{k}": flat_from(VELOCITY[k]) for k in "AVWB"}
    for name, value in answers.items():
        given, own = fields[f"given_{name}"], fields[f"own_{name}"]
        assert np.array_equal(given.values[0], np.stack([value, value])), name
        assert np.array_equal(given.radius, own.radius), name


def flat_from(a: Array) -> Array:
    """Entries as one component axis, after the layers if there are any."""
    return a.reshape(len(a), -1) if a.ndim == 3 else a.ravel()


def test_answers_are_compared_in_units_of_what_they_may_err() -> None:
    first = {"a": np.array([[3.0, 4.0], [5.0, 6.0]]), "b": np.array([1.0, 0.0, 2.0])}
    second = {"a": first["a"] + [[0.0, 0.5], [0.0, 0.0]], "b": first["b"] + [0, 0, 1e-9]}
    allowed = {"a": (np.array([0.5, 2.0]), np.array([5.0, 8.0])), "b": (np.zeros(()), np.array(4.0))}
    found = agreement._compared(first, second, allowed)
    assert found["first"].values[:2].tolist() == [[6, 8, 0], [2.5, 3, 0]]  # rows, padded to the widest
    assert found["second"].values[:2].tolist() == [[6, 9, 0], [2.5, 3, 0]]
    assert found["first"].radius.tolist() == found["second"].radius.tolist() == [1, 1, 1]
    assert found["first"].scale is not None and np.asarray(found["first"].scale)[:2].tolist() == [10, 4]
    # b may not err: the unit is its rounding, 2U times its size
    assert found["first"].values[2].tolist() == [1 / (8 * U), 0, 2 / (8 * U)]
    nothing = {"c": (np.zeros(()), np.zeros(()))}
    found = agreement._compared({"c": np.zeros(2)}, {"c": np.array([0.0, 1e-40])}, nothing)
    assert np.linalg.norm(found["second"].values - found["first"].values) > 2  # what must be 0 is 0


class Changing(Scripted):
    """Answers the loss that a list prescribes, one entry for each call."""

    losses: Sequence[float] = ()
    asked: list[tuple[Any, ...]]

    def loss(self, spec: Any, params: Any, x: Array, y: Array) -> float:
        self.__dict__.setdefault("asked", []).append((spec, params, x, y))
        return self.losses[min(len(self.asked), len(self.losses)) - 1]


def changing(*losses: float, **more: Any) -> Trajectory:
    run = scripted(**more)
    run.implementation = Changing(cast(Scripted, run.implementation).answers)
    run.implementation.losses = losses
    return run


@pytest.mark.parametrize(("share", "verdict"), [(0.0, J.HOLDS), (1.9, J.HOLDS), (-1.9, J.HOLDS), (2.1, J.VIOLATED), (-2.1, J.VIOLATED)])
def test_a_repeated_answer_may_differ_by_what_both_may_err(share: float, verdict: str) -> None:
    """Two calls at the saved states, three others, and the same again: the sixth is compared with the second."""
    radius = float(Fields(scripted())["own_loss"].radius[0, -1])
    run = changing(0.0, 9.0, 1.0, 2.0, 3.0, 9.0 + share * radius)
    fields = Fields(run)
    (claim,) = claims("repeat.loss")
    assert judge(claim, fields, frozenset()).verdict == verdict
    assert fields["second_repeat_loss"].values[0, 0] - fields["first_repeat_loss"].values[0, 0] == pytest.approx(share, abs=1e-3)
    asked = cast(Changing, run.implementation).asked
    assert len(asked) == 6
    (_, again, *_), others = asked[-1], asked[2:5]
    assert all(np.array_equal(again[k], asked[1][1][k]) for k in "AVWB")
    assert np.array_equal(others[2][1]["A"], -0.5 * again["A"])  # other parameters of the same sizes
    assert [(s["L"], len(p["V"]), len(x)) for s, p, x, _ in others] == [(3, 3, 1), (1, 1, 1), (3, 3, 1)]


def test_samples_alone_are_put_together_by_their_mean() -> None:
    class Summing(Changing):
        def loss(self, spec: Any, params: Any, x: Array, y: Array) -> float:
            return float(x.sum())

    data = {"kind": "arrays", "arrays": inline(x=[[1.0], [3.0]], y=[[60.0], [60.0]])}
    run = Trajectory(realise(scripted_spec(n=2, data=data), ArrayStore()), Summing(scripted().implementation.answers))  # type: ignore[attr-defined]
    run.__dict__["states"] = {k: FLOW[k][None] for k in "AVWB"}
    fields = Fields(run)
    assert fields["first_rows_loss"].values[0, 0] == 2 * fields["second_rows_loss"].values[0, 0]  # 4 against (1 + 3)/2


def test_a_batch_is_asked_the_other_way_round_and_compared_state_by_state() -> None:
    run = changing(7.0, 9.0)
    run.implementation.batch = lambda method, calls: [1.0 + float(c[1]["A"][0, 0] > 5) for c in calls]  # type: ignore[attr-defined]
    fields = Fields(run)
    first, second = (fields[f"{which}_batch_loss"].values[:, 0] for which in ("first", "second"))
    assert second / first == pytest.approx([1 / 7, 2 / 9], rel=8 * U)  # A's first entry is 3, then 6
