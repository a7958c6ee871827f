"""Measures of Lemma 20, B.3, Appendix D, the running text and the toy networks, on data made by hand."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from flint import arb, ctx
from scipy import stats
from scipy.integrate import solve_ivp

from depthlimit.conformance.faults import SPECS
from depthlimit.models import check
from depthlimit.models.data import ArrayStore
from depthlimit.models.initialisation import parameters
from depthlimit.models.measure.counterexamples import CounterexamplesRun
from depthlimit.models.measure.random_matrix import RandomMatrixRun, acceptance, chi_square_tail
from depthlimit.models.measure.registry import Fields
from depthlimit.models.measure.relu import ReluRun
from depthlimit.models.measure.section3 import interpolation
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.spec import Spec
from depthlimit.theory.enclosure import log_evaluate
from depthlimit.theory.quantity import Array
from depthlimit.theory.registry import claims


def fields(name: str) -> Fields:
    return Fields(check.run(SPECS[name], NumpyImplementation()))


# --- Lemma 20


@pytest.mark.parametrize(("dof", "threshold"), [(1, 4.0), (2, 3.0), (5, 0.5), (64, 128.0), (513, 700.0)])
def test_chi_square_tails_are_those_of_scipy(dof: int, threshold: float) -> None:
    ctx.prec = 128
    value, radius = chi_square_tail(dof, arb(threshold))
    assert value == pytest.approx(stats.chi2.sf(threshold, dof), rel=1e-12)
    assert 0 < radius <= 2.0**-50 * value


def test_two_degrees_of_freedom_have_an_exponential_tail() -> None:
    ctx.prec = 128
    value, radius = chi_square_tail(2, arb(3))
    assert abs(value - math.exp(-1.5)) <= radius + 2.0**-53


@pytest.mark.parametrize(("draws", "p", "risk"), [(10, 0.5, 0.1), (100, 0.3, 1e-3), (1000, 0.46, 1e-9), (50, 0.0, 1e-6)])
def test_the_acceptance_of_a_count_is_the_smallest_at_its_risk(draws: int, p: float, risk: float) -> None:
    allowed = acceptance(draws, p, risk)
    away = np.abs(np.arange(draws + 1) - draws * p)
    pmf = stats.binom.pmf(np.arange(draws + 1), draws, p)
    assert pmf[away > allowed].sum() <= risk
    assert pmf[away >= allowed].sum() > risk


def test_the_first_rows_of_a_draw_are_the_draw_at_a_smaller_width() -> None:
    spec = SPECS["matrix-mean"]
    run = RandomMatrixRun(spec, ArrayStore())
    narrow = parameters(spec.model_copy(update={"m": 3}), 1, ArrayStore())["W"][0]
    assert np.array_equal(run.draw(spec.init.seed)[:3], narrow)  # type: ignore[union-attr]
    assert run.squares[0, 2] == pytest.approx(np.sum(narrow**2))
    assert run.squares.shape == (run.draws, spec.m) and run.dof.tolist() == [4, 8, 12, 16, 20, 24, 28, 32]


def test_a_tenth_in_the_standard_deviation_is_missed_as_rarely_as_stated() -> None:
    """The stated chance of a miss, against simulated wrong samplers: none of 200 passes where 1 in 4000 is expected to."""
    run = RandomMatrixRun(SPECS["matrix-mean"], ArrayStore())
    chi = np.random.RandomState(0).chisquare(32, (200, run.draws))
    counts = np.sum(1.21 * chi > 32, axis=1)
    allowed = float(Fields(run)["deviation"].values[-1])
    passed = np.mean(np.abs(counts - run.draws * run.tails[0][-1]) <= allowed)
    assert passed == 0 and 0 < float(Fields(run)["missed"].values) < 1e-3


# --- B.3 and the running text


def test_the_gradient_of_the_witness_has_equal_blocks() -> None:
    f = fields("sum-norm")
    V, W = (np.abs(f[k].values[0, 0, 0, 0]) for k in ("V_dot", "W_dot"))
    # at V = 0.588, W = 0.5, h = 1, σ = tanh: ∂₂f = (tanh 0.5, 0.588 (1 - tanh² 0.5))
    s = math.tanh(0.5)
    slope = np.array([s, 0.588 * (1 - s * s)])
    error = 1 + 0.588 * s - 3
    assert pytest.approx(np.abs(2 * error * slope)) == [V, W]
    assert f["pull"].values[0, 0, 0] == pytest.approx(abs(2 * error) * np.linalg.norm(slope))
    assert f["descent"].values[0, 0, 0] == pytest.approx(f["pull"].values[0, 0, 0], rel=1e-12)
    assert f["descent_sum"].values[0, 0, 0] / f["pull"].values[0, 0, 0] == pytest.approx(math.sqrt(2), rel=1e-6)


def test_norms_of_the_operator_agree_with_the_jacobian_of_the_general_branch() -> None:
    from depthlimit.models.general import Perceptron

    run = check.run(SPECS["plain"], NumpyImplementation())
    net, h, p = run.network, run.forward["hidden"][0, 1], run.adjoint[0, 1]
    branch = Perceptron(net["q"], net["m"], net["activation"])
    for k in range(net["L"]):
        z = np.concatenate([run.states["V"][0, 1, k].ravel(), run.states["W"][0, 1, k].ravel()])
        norms = [np.linalg.norm(branch.parameter_jacobian(x, z), 2) for x in h[k]]
        expected = np.mean(np.array(norms) * np.linalg.norm(p[k + 1], axis=1))
        assert Fields(run)["pull"].values[0, 1, k] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("L", [1, 2, 3, 50])
def test_the_interpolation_is_1_over_L_off_at_worst(L: int) -> None:
    shift, seen = interpolation(L)
    assert (shift, seen) == (Fraction(1, L), L)
    grid = [Fraction(j, 60 * max(L - 1, 1)) for j in range(60 * max(L - 1, 1) + 1)]
    assert max(abs(s - Fraction(math.floor((L - 1) * s) + 1, L)) for s in grid) == shift


def test_distances_over_several_layers() -> None:
    inline = {"A": [1.0], "V": [0.0, 1.0, 3.0, 4.0], "W": [0.0] * 4, "B": [1.0]}
    shapes = {"A": [1, 1], "V": [4, 1, 1], "W": [4, 1, 1], "B": [1, 1]}
    ones = dict.fromkeys(("d", "dout", "q", "m", "n"), 1)
    init = {"kind": "arrays", "arrays": {"inline": [[k, shapes[k], inline[k]] for k in inline]}}
    spec = Spec.model_validate({**ones, "L": 4, "T": 1.0, "times": (0.0,), "regime": {"kind": "plain-flow"}, "init": init})
    f = Fields(check.run(spec, NumpyImplementation()))
    assert f["spread_V"].values.tolist() == [[[2.0, 3.0, 4.0]]] and f["lag"].values.tolist() == [1.0, 2.0, 3.0]
    assert f["step_V"].values.tolist() == [[2.0]] and f["step_W"].values.tolist() == [[0.0]]


def test_a_coordinate_clip_takes_what_lies_beyond_its_radius() -> None:
    f = fields("cube")
    g, taken, C = (f[k].values for k in ("descent_entry", "clipped_by", "clip_radius"))
    assert g.max() > C and taken == pytest.approx(np.maximum(g - C, 0))
    assert np.all(f["entry"].values <= C)


def test_the_printed_bound_outgrows_every_exponential_of_T() -> None:
    """ln K(2T)/ln K(T) is 2 at most for an exponential, and M(2T) <= 2 M(T)."""
    claim = next(c for c in claims("prop3.gap"))
    f = fields("saturated")
    numbers = {n: (float(f[n].values), float(f[n].radius)) for n in claim.names(claim.rhs)}
    logs = []
    for factor in (1, 2, 4):
        logs.append(log_evaluate(claim.rhs, {**numbers, "T": (numbers["T"][0] * factor, 0.0)}, claim.where)[0])
    assert logs[1] > 100 * logs[0] and logs[2] > 100 * logs[1]


# --- Appendix D


def chain(L: int, x: float, C: float, **more: Any) -> ReluRun:
    body = {**SPECS["chain"].to_json(), "L": L, **more}
    body["data"] = {"kind": "arrays", "arrays": {"inline": [["x", [1, 1], [x]], ["y", [1, 1], [C * x]]]}}
    return ReluRun(Spec.model_validate(body), ArrayStore())


def test_the_chain_is_backpropagated_like_finite_differences() -> None:
    run = chain(2, 2.0, 3.0, activation={"name": "tanh"})
    w, step = np.array([0.3, -0.2, 0.5, 0.7]), 1e-6
    gradient = run.backpropagate(w)[2]
    for k in range(4):
        ends = [run.backpropagate(w + sign * step * np.eye(4)[k])[0][-1] for sign in (1, -1)]
        assert gradient[k] == pytest.approx(((ends[0] - 6) ** 2 - (ends[1] - 6) ** 2) / (2 * step), rel=1e-6)


def test_two_layers_have_the_closed_solution() -> None:
    """L = 1: w' = 2x²(C - 1 - w/2), so w = w* + (w(0) - w*) e^{-x²t} with w* = 2(C - 1)."""
    run = chain(1, 2.0, 3.0, T=1.0, times=(0.0, 0.25, 1.0))
    weights, error = run.weights
    expected = 4 + (0.5 - 4) * np.exp(-4 * run.times)
    assert np.all(np.abs(weights[:, 1] - expected) <= error + 1e-14)
    assert np.all(weights[:, 0] == -0.5) and error.max() < 1e-8


def test_the_limit_of_the_chain_solves_its_equation() -> None:
    w, power = chain(4, 1.0, 16.0).limit
    assert float(w.mid()) == pytest.approx(8.0) and power.contains(16)  # (1 + w/8)^4 = 16


# --- toy networks


def test_toy_networks_have_their_closed_forms() -> None:
    run = CounterexamplesRun(SPECS["toys"], ArrayStore())
    f = Fields(run)
    L = run.depths.astype(float)
    assert f["toy_unscaled"].values.tolist() == (2.0**L).tolist()
    assert f["toy_scaled"].values == pytest.approx((1 + 1 / L) ** L)
    assert f["toy_offset"].values == pytest.approx(2 * (1 + 1 / L) ** L - 1)
    exact = Fraction(1)
    for _ in range(8):
        exact += exact * exact / 8
    assert f["toy_square_before"].values[0] == pytest.approx(float(exact), rel=1e-14)
    assert f["toy_sign_gap"].values == pytest.approx(2 * math.sqrt(2) * (1 / (2 * L) + 0.24))
    assert f["toy_ascent"].values == pytest.approx(1 / np.sqrt(1 - 4 * f["t"].values))


def test_one_layer_without_scaling_follows_its_two_equations() -> None:
    """L = 1: V' = 2(2 - F) tanh W, W' = 2(2 - F) V (1 - tanh² W), F = 1 + V tanh W, up to t = 1."""

    def rhs(_: float, z: list[float]) -> list[float]:
        V, S = z[0], math.tanh(z[1])
        pull = 2 * (1 - V * S)
        return [pull * S, pull * V * (1 - S * S)]

    V, W = solve_ivp(rhs, (0, 1), [0.0, 1.0], method="Radau", rtol=1e-10, atol=1e-12).y[:, -1]
    found = CounterexamplesRun(SPECS["toys"], ArrayStore()).unscaled_flow(1, 1e-11)
    assert found == pytest.approx((1 + V * math.tanh(W), V), rel=1e-8)


def test_layers_start_equal_or_apart_and_the_numbers_are_those_of_weights_made_by_hand() -> None:
    class Made(CounterexamplesRun):
        def layers(self, L: int, tied: bool, rtol: float) -> tuple[Array, Array]:
            end = np.arange(L)[:, None] * np.array([3.0, 4.0]) / (L if tied else 1)
            return np.stack([np.zeros_like(end) if tied else 2 * end, end]), np.array([9.0, 1.0])

    f = Fields(Made(SPECS["toys"], ArrayStore()))
    assert f["layers_gap"].values == pytest.approx(5) and f["layers_apart"].values == pytest.approx(10)
    assert f["tied_gap"].values == pytest.approx([5 / 16, 5 / 32, 5 / 64]) and f["tied_before"].values == pytest.approx(
        [5 / 8, 5 / 16, 5 / 32]
    )
    assert f["layers_decay"].values == pytest.approx(math.log(9)) and f["layers_reach"].values == pytest.approx(6)
    starts = [CounterexamplesRun(SPECS["toys"], ArrayStore()).layers(64, tied, 1e-6)[0][0] for tied in (True, False)]
    gaps = [np.linalg.norm(np.diff(Z, axis=0), axis=-1) for Z in starts]
    assert np.all(gaps[0] == 0) and np.mean(gaps[1] ** 2) == pytest.approx(2 * 3 * 16, rel=0.1)


# --- specs and differences


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"regime": {"kind": "relu"}, "q": 2}, "d = dout = q = m = n = 1"),
        ({"regime": {"kind": "relu"}}, "data from arrays"),
        ({"regime": {"kind": "counterexamples", "depths": (2, 4, 8, 16)}, "T": 0.25}, "T < 1/4"),
        ({"regime": {"kind": "random-matrix"}, "init": {"kind": "iid"}}, "paper's initialisation"),
    ],
)
def test_a_spec_outside_its_regime_is_refused(change: dict[str, Any], message: str) -> None:
    sizes = dict.fromkeys(("d", "dout", "q", "m", "L", "n"), 1)
    with pytest.raises(ValueError, match=message):
        Spec.model_validate({**sizes, **change})
