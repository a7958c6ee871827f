"""Propositions 9 and 15, Lemmas 16, 17 and 19: index maps in integers, families by other means, slips by hand."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import sympy as sp
from scipy.integrate import quad, solve_ivp

from depthlimit.models.check import check
from depthlimit.models.corpus_families import FAMILIES, family
from depthlimit.models.data import ArrayStore
from depthlimit.models.families import FamilyRun
from depthlimit.models.measure.families import steep
from depthlimit.models.measure.registry import Fields
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.spec import BadInput

RUNS = {name: FamilyRun(spec, ArrayStore()) for name, spec in FAMILIES.items()}
each = pytest.mark.parametrize("name", FAMILIES)


# --- index maps, in integers


def test_the_index_maps_at_the_ends_of_all_pieces() -> None:
    r = RUNS["aligned"]
    tiny = Fraction(1, 10**12)
    for L in range(1, 61):
        ends = {Fraction(j, n) for n in (L, max(L - 1, 1)) for j in range(n + 1)}
        for s in ends | {e - tiny for e in ends if e > 0} | {e + tiny for e in ends if e < 1}:
            own, printed = r.index(L, s), r.printed_index(L, s)
            assert 1 <= own <= L and own - printed in (0, 1)
            assert (own == L) == (s == 1 or L == 1), "the last layer is seen at s = 1 alone"
            assert (printed == 0) == (s < Fraction(1, L)) and (printed == L) == (s == 1)
            assert math.floor(L * s - 1) + 1 == printed, "the index that (30) prints"
        assert {r.index(L, Fraction(j, max(L - 1, 1))) for j in range(max(L - 1, 1) + 1)} == set(range(1, L + 1))


def test_floats_miss_the_ends_of_pieces() -> None:
    """Why indices are taken of fractions: at s = j/(L-1) in float64, ⌊(L-1)s⌋ is j - 1 for some j and L."""
    assert [(j, L) for L in range(2, 200) for j in range(L) if math.floor((L - 1) * (j / (L - 1))) != j]


def test_the_difference_of_floors_is_below_that_of_the_arguments_plus_one() -> None:
    grid = [Fraction(i, 7) for i in range(30)]
    assert max(abs(math.floor(x) - math.floor(y)) - abs(x - y) for x in grid for y in grid) == Fraction(6, 7)


# --- families


@each
def test_constants_are_suprema_over_layers_times_and_depths(name: str) -> None:
    r = RUNS[name]
    t = np.linspace(0, 60 / r.regime.rate, 4001)
    size = gap = speed = 0.0
    for L in (1, 2, 3, 8, *r.depths):
        Z = r.layers(L, r.numbers(min(L, 64)), t)
        size = max(size, float(np.max(np.linalg.norm(Z, axis=-1))))
        gap = max([gap, *(L * np.linalg.norm(np.diff(Z, axis=1), axis=-1).ravel())])
        speed = max(speed, float(np.max(np.linalg.norm(np.diff(Z, axis=0), axis=-1)) / (t[1] - t[0])))
    assert size <= r.size * (1 + 1e-12) and gap <= r.C * (1 + 1e-12) and speed <= r.speed + 1e-12
    assert 1.2 * max(size, gap, speed) >= r.C, "C is no larger than it must be, but for the norms that are added"


@each
def test_the_chosen_sets_are_covers_and_the_integral_of_b_after_t_0_is_at_most_epsilon(name: str) -> None:
    r = RUNS[name]
    for points, length in ((r.nodes, 1.0), ([Fraction(t) for t in r.instants], r.t_0)):
        gaps = [points[0], *((b - a) / 2 for a, b in pairwise(points)), Fraction(length) - points[-1]]
        assert max(gaps) < r.delta
    assert r.delta * Fraction(r.C) < Fraction(r.regime.epsilon)
    assert r.t_0 not in r.instants and r.t_0 > 0
    if not r.regime.bounded:
        tail = quad(lambda t: r.speed * math.exp(-r.regime.rate * t), r.t_0, r.t_0 + 60 / r.regime.rate, epsabs=1e-14)[0]
        assert tail <= r.regime.epsilon * (1 + 1e-12)
        layers = r.numbers(r.depths[0])
        assert np.all(r.path(r.depths[0], layers, r.t_0, np.array([r.t_0 + 60 / r.regime.rate])) <= tail * (1 + 1e-12)), "(30)"


@each
def test_depths_of_the_run_tend_to_the_limit_and_odd_ones_need_not(name: str) -> None:
    r = RUNS[name]
    s, t = [Fraction(0), Fraction(1, 3), Fraction(1)], np.array([0.0, 1.0, 50.0])
    deep = 2**30
    assert np.max(np.abs(r.values(deep, s, t) - r.limit(s, t))) < 1e-8
    odd = np.max(np.abs(r.values(deep + 1, s, t) - r.limit(s, t)))
    assert odd == pytest.approx(2 * np.max(np.abs(r.given["flip"])), abs=1e-8)


def test_an_odd_depth_where_a_subsequence_is_needed_is_refused() -> None:
    with pytest.raises(BadInput, match="odd and even depths"):
        FamilyRun(family(1, (2, 3), (0.0, 1.0), flip=0.5), ArrayStore())


def test_states_are_those_of_a_stepper_that_stops_at_every_jump() -> None:
    r = RUNS["planar"]
    L, i = 4, r.depths.index(4)
    fields = Fields(r)
    for s, U in zip(r.s, fields["family_U"].values[i, -1], strict=True):
        u = r.given["start"]
        ends = [Fraction(j, L - 1) for j in range(L) if Fraction(j, L - 1) < s] + [s]
        for a, b in pairwise(ends):
            z = r.layers(L, np.array([float(r.index(L, a))]), r.times)[-1, 0]
            u = solve_ivp(lambda _, v, z=z: z * v, (float(a), float(b)), u, "DOP853", rtol=1e-12, atol=0.0).y[:, -1]
        assert np.allclose(u, U, rtol=1e-10, atol=0)


def test_hidden_states_of_a_family_are_those_of_the_recurrence() -> None:
    r = RUNS["aligned"]
    h = [1.0]
    for k in range(1, 9):
        h.append(h[-1] * (1 + r.layers(8, np.array([float(k)]), r.times)[-1, 0, 0] / 8))
    assert np.allclose(r.hidden(8)[-1, :, 0], [h[r.printed_index(8, s)] for s in r.s], rtol=1e-14)


# --- slips by hand


def test_the_constant_of_the_last_display_without_t_0_is_six() -> None:
    """d-prop9-cover, by hand: parting at speed C in t and s, from (s_S, t_T) to (1, ∞)."""
    r = RUNS["turned"]
    t_T, half = float(r.instants[-1]), float(1 - r.nodes[-1])
    parted = 2 * (math.exp(-r.regime.rate * t_T) * float(r.given["fade"][0]) + half)
    assert 4.4 < parted / r.regime.epsilon < 6
    f = Fields(r)
    measured = float(np.max(f["family_D"].values[1]) - f["family_D_grid"].values[1])
    assert measured == pytest.approx(parted, abs=2 * r.C / 1024)
    assert measured > 4 * r.regime.epsilon + 2 * r.C / 1024


def test_an_interval_that_does_not_begin_with_0_has_points_of_the_cover_outside() -> None:
    """d-prop9-interval: every cover of [0, t_0] by intervals of radius δ around its points has one below δ < inf I."""
    r = RUNS["aligned"]
    assert r.instants[0] < r.delta and r.delta < 5


# --- dropped hypotheses


def test_the_root_family_has_no_lipschitz_limit_and_its_states_converge() -> None:
    """d-prop15-lipschitz: f(h, z) = zh, A = 1, constant in t; the hidden states tend to those of H' = √s H. B = y/h_L interpolates."""
    errors = []
    for L in (64, 256, 1024):
        h = np.prod(1 + np.sqrt(np.arange(1, L + 1) / L) / L)
        errors.append(abs(h - math.exp(2 / 3)))
    assert all(b < 0.3 * a for a, b in pairwise(errors)), "(iii) survives, as Lemma 17 says"
    s = np.array([4.0**-j for j in range(1, 12)])
    assert np.all(np.sqrt(s) / s == 2.0 ** np.arange(1, 12))


def test_the_steep_right_side_is_continuous_and_each_section_is_lipschitz() -> None:
    r = np.array([1e-6, 1e-3, 0.1, 1.0])
    u = np.linspace(-2, 2, 4001)
    for x in r:
        g = steep(u, np.full(u.shape, x))
        assert np.max(np.abs(g)) <= 2 * x * (1 + 1e-15) and steep(np.zeros(1), x)[0] == 0
        assert np.max(np.abs(np.diff(g)) / np.diff(u)) <= 2 / x * (1 + 1e-9)
    a, s = sp.symbols("a s", positive=True)
    assert sp.integrate(2 * a * s**2 / s, (s, 0, s)) == a * s**2


def test_lemma_16_at_its_ends_by_hand() -> None:
    """U' = U² leaves every compact at s = 1; U' = U on [0, 1] has a state at s = 1, though [0, T_max) ends before it."""
    s, r = sp.symbols("s r", positive=True)
    U = 1 / (1 - s)
    assert sp.simplify(1 + sp.integrate((1 / (1 - r)) ** 2, (r, 0, s)).rewrite(sp.Piecewise) - U).subs(s, sp.Rational(1, 3)) == 0
    assert sp.limit(U, s, 1, "-") == sp.oo
    assert (1 + sp.integrate(sp.exp(r), (r, 0, s)) - sp.exp(s)).subs(s, 1) == 0


def test_without_uniformity_iterated_limits_differ() -> None:
    """Lemma 19: e = x/(x + y) converges in each variable, not uniformly, and the limits are 1 and 0."""
    x, y = sp.symbols("x y", positive=True)
    e = x / (x + y)
    assert sp.limit(sp.limit(e, x, sp.oo), y, sp.oo) == 1 and sp.limit(sp.limit(e, y, sp.oo), x, sp.oo) == 0


# --- verdicts


@each
def test_verdicts_and_ratios_on_families_are_those_that_the_differences_tell(name: str) -> None:
    records, _ = check(FAMILIES[name], NumpyImplementation())
    ratios = {(r["claim"], r["edition"]): 10 ** (r["log10_tightness"] or 0) for r in records}
    told = {
        "turned": {("prop9.uniform", "as-printed"): 1.023, ("prop9.uniform", "sharpened"): 0.999},
        "planar": {("prop9.eq30", "as-printed"): 1.157},
    }
    assert all(ratios[key] == pytest.approx(value, abs=6e-4) for key, value in told.get(name, {}).items())
    violated = {(r["claim"], r["edition"]) for r in records if r["verdict"] != "holds"}
    own = {"turned": {("prop9.uniform", "as-printed")}, "planar": {("prop9.eq30", "as-printed")}}.get(name, set())
    assert violated == {("prop15.index", "as-printed")} | own
