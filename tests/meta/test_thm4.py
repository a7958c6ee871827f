"""Theorems 4 and 14 against the limit of training: suprema over all s, branches, extrapolation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.polynomial import chebyshev

from depthlimit import verify
from depthlimit.conformance import faults
from depthlimit.models.corpus_limit import GENERAL, STANDARD
from depthlimit.models.data import ArrayStore
from depthlimit.models.implementation import load
from depthlimit.models.measure.extrapolate import limit, romberg
from depthlimit.models.measure.limit_run import LimitRun, Peaks, Pieces, dominant, peaks, state_pieces, supremum, weight_pieces
from depthlimit.models.measure.registry import Fields
from depthlimit.models.measure.training_limit import largest
from depthlimit.models.spec import Spec
from depthlimit.theory.quantity import Array

FOURIER = next(spec for spec in STANDARD if spec.init.kind == "fourier")


def general() -> Fields:
    """The run that the planted faults are compared with."""
    return faults._fields("limit-general")


@pytest.mark.parametrize(
    ("pieces", "first", "index"),
    [(weight_pieces, 1, lambda L, s: np.floor((L - 1) * s) + 1), (state_pieces, 0, lambda L, s: np.floor(L * s))],
)
def test_pieces_are_where_the_index_of_the_theorem_is_constant(
    pieces: Callable[[int], Pieces], first: int, index: Callable[[int, Array], Array]
) -> None:
    for L in (2, 3, 8):
        found = pieces(L)
        inside = (found.left + found.right) / 2
        assert np.array_equal(index(L, inside), found.row + first)
        assert found.left[0] == 0 and found.left[-1] == found.right[-1] == 1 and np.array_equal(found.left[1:], found.right[:-1])


def test_the_supremum_over_all_s_lies_between_its_bounds() -> None:
    """Against 20 001 points of s, for polynomials whose largest distance lies inside of a piece too."""
    random = np.random.RandomState(0)
    above = 0
    for L in (2, 3, 5, 9):
        for bend in (0.1, 1.0, 5.0):
            series = random.standard_normal((2, 5, 3)) * bend ** np.arange(5)[:, None]
            pieces = weight_pieces(L)
            rows = np.einsum("sj,tjc->tsc", chebyshev.chebvander(2 * pieces.left - 1, 4), series) + random.standard_normal((2, L, 3))
            s = np.linspace(0, 1, 20001)
            f = np.einsum("sj,tjc->tsc", chebyshev.chebvander(2 * s - 1, 4), series)
            k = np.minimum(np.floor((L - 1) * s), L - 1).astype(int)
            dense = np.linalg.norm(rows[:, k] - f, axis=-1).max()
            found = supremum(rows, pieces, series)
            assert dense <= found.value + found.excess + 1e-12
            assert found.value <= dense * (1 + 1e-2)
            above += dense > found.value * (1 + 1e-9)
    assert above, "ends of pieces alone would have done"


def test_a_maximum_between_layers_is_found_and_one_near_an_end_is_an_error() -> None:
    s = np.arange(1, 33) / 32
    inner, outer = 1 - (s - 0.4) ** 2, 1 - (s - 0.05) ** 2
    found = peaks(np.stack([inner, outer]))
    assert np.allclose(found.values, 1, atol=1e-12) and found.near[0] == 0
    assert found.near[1] == pytest.approx(1 - outer[0])


def test_the_branch_with_the_largest_limit_is_followed() -> None:
    """1 - 1/L is below 0.99 + 1/L at all these depths, and above it in the limit."""
    L = np.array([4.0, 8.0, 16.0])
    zero = np.zeros(2)
    values, errors = dominant([Peaks(np.array([1 - 1 / depth, 0.99 + 1 / depth]), zero + 0.5, zero) for depth in L])
    assert np.allclose(values, 1 - 1 / L) and np.all(errors == 0.5)


def test_extrapolation_removes_one_power_after_the_other() -> None:
    L = 2.0 ** np.arange(2, 8)
    table = romberg(1 + 3 / L - 5 / L**2 + 2 / L**3)
    assert np.allclose(table[3], 1, rtol=0, atol=1e-13) and abs(table[2][-1] - 1) > 1e-7
    value, radius = limit(1 + 1 / (L + 1), np.zeros(len(L)))
    assert abs(value - 1) <= radius < 1e-6
    assert limit(1 + 1 / (L + 1), 1e-3 * np.ones(len(L)))[1] > 1e-3


def test_the_largest_derivative_of_a_series() -> None:
    """sin 5s, of which the derivative is largest at 0; its curvature is covered by the bound."""
    c = chebyshev.chebinterpolate(lambda u: np.sin(5 * (u + 1) / 2), 30)[None, :, None]
    for order, expected in ((0, 1.0), (1, 5.0), (2, 25.0)):
        value, above = largest(c, order)
        assert value[0] <= expected * (1 + 1e-9) and expected <= (value + above)[0] * (1 + 1e-9)


def test_more_times_say_no_more() -> None:
    """Suprema are over the saved times: three of them find what five find, because training moves away from its start."""
    times = tuple(float(t) for t in np.linspace(0, GENERAL.T, 5))
    spec: Spec = GENERAL.model_copy(update={"times": times, "regime": GENERAL.regime.model_copy(update={"depths": (2, 4, 8, 16)})})
    few = spec.model_copy(update={"times": GENERAL.times})
    fine, coarse = (LimitRun(s, ArrayStore(), load("numpy")).ladder for s in (spec, few))
    for name in fine:
        for a, b in zip(fine[name], coarse[name], strict=True):
            assert b.value <= a.value + a.excess and a.value <= 1.02 * (b.value + b.excess), name


def test_the_claims_say_what_the_issue_asks_of_them() -> None:
    """Slopes within a hundredth, orders to a half, the extrapolated ladder to 1e-8: the radii too."""
    fields = general()
    for part in ("ends", "weights", "states", "outputs"):
        slope = fields[f"rate_{part}"]
        assert abs(slope.values[0] + 1) + slope.radius[0] < 0.01
    assert len(fields["limit_order"].values) == 15
    apart, size = fields["limit_apart"], fields["limit_size"]
    assert np.all(apart.values + apart.radius <= 1e-8 * size.values)
    assert np.all(fields["limit_declared"].values < 1e-10)


def test_a_ladder_too_shallow_for_its_start_is_outside_the_claims_of_orders() -> None:
    """Third differences of cos(πs) are 0.59 of the first over layers of 1/4, and 0.15 over layers of 1/8: above and below 1/4."""
    for depths, verdict in (((4, 8, 16, 32, 64), "out-of-hypothesis"), ((8, 16, 32, 64, 128), "holds")):
        spec = FOURIER.model_copy(update={"regime": FOURIER.regime.model_copy(update={"depths": depths})})
        (record,) = (r for r in verify({**spec.to_json(), "L": depths[-1]}) if r["claim"] == "thm4.order")
        assert record["verdict"] == verdict
