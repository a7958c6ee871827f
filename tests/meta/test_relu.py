"""Appendix D over depths, ReLU in model (3) and independent layers: closed forms, and the code against them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import sympy as sp
from scipy import stats
from scipy.optimize import brentq

from depthlimit.models import backward, residual
from depthlimit.models.corpus_relu import QUICK, STANDARD
from depthlimit.models.data import ArrayStore
from depthlimit.models.independent import Outputs
from depthlimit.models.measure.counterexamples import CounterexamplesRun
from depthlimit.models.measure.extrapolate import limit
from depthlimit.models.measure.registry import Fields
from depthlimit.models.measure.relu import ReluRun
from depthlimit.models.measure.relu_ladder import ReluLadderRun
from depthlimit.models.measure.relu_model import at_the_kink, descent
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.spec import Spec
from depthlimit.models.trajectory import realise
from depthlimit.theory.paper import relu_limit
from depthlimit.theory.paper.appendix_d import C, x
from depthlimit.theory.quantity import Array
from depthlimit.theory.registry import claims

_ONE = dict.fromkeys(("d", "dout", "q", "m", "n", "L"), 1)
_TOYS = Spec.model_validate({**_ONE, "regime": {"kind": "counterexamples", "depths": (2, 4, 8, 16)}, "T": 0.24})


def chain(L: int, x: float, C: float, **more: Any) -> ReluRun:
    data = {"kind": "arrays", "arrays": {"inline": [["x", [1, 1], [x]], ["y", [1, 1], [C * x]]]}}
    body = {**_ONE, "regime": {"kind": "relu"}, "activation": {"name": "relu"}, "L": L, "data": data, **more}
    return ReluRun(Spec.model_validate(body), ArrayStore())


# --- derivations


def test_the_factor_that_the_gradient_lacks_and_the_speed_of_the_flow_as_displayed() -> None:
    """The chain of four layers written out; on positive arguments σ is the identity, on negative ones 0."""
    L = 2
    w = sp.symbols(f"w1:{2 * L + 1}")
    h = x
    for k, weight in enumerate(w, start=1):
        h += (weight * h if k % 2 == 0 else 0) / (2 * L)
    descents = [-sp.diff((h - C * x) ** 2, w[2 * k - 1]) for k in range(1, L + 1)]
    product = sp.prod([1 + w[2 * j - 1] / (2 * L) for j in range(1, L + 1)])
    common = sp.Symbol("w", nonnegative=True)
    u = 1 + common / (2 * L)
    for k, found in enumerate(descents, start=1):
        others = product / (1 + w[2 * k - 1] / (2 * L))
        assert sp.simplify(found - x**2 / L * (C - product) * others) == 0
        at_common = found.subs(dict.fromkeys(w[1::2], common))
        assert sp.simplify(at_common - x**2 / L * (C - u**L) * u ** (L - 1)) == 0


def test_the_limit_of_the_chain_has_the_integral_that_is_registered() -> None:
    """P' = x²(C - P)P^{2-2/L} for half of the layers, 2x²(C - P)P^{2-1/L} for all, and what the left side gains in time."""
    (claim,) = claims("relu.ladder-time")
    L, w = sp.symbols("L w", positive=True)
    for share, power in ((sp.Rational(1, 2), L), (sp.Integer(1), 2 * L)):
        u = 1 + w / (2 * L)
        descent = 2 * x**2 * (C - u**power) * u ** (power - 1)  # 2L times -∂ℓ/∂w, ∂h/∂w_k = x u^{power-1}/2L
        speed = sp.diff(u**power, w) * descent
        P = sp.Symbol("P", positive=True)
        in_P = sp.powsimp(sp.simplify(speed.subs(w, 2 * L * (P ** (1 / power) - 1))), force=True)
        at_depth = 2 * share * x**2 * (C - P) * P ** (2 - 2 / power)
        numbers = {P: 1.7, C: 3, x: 2, L: 5}
        assert sp.N(in_P.subs(numbers)) == pytest.approx(float(at_depth.subs(numbers)))
        rate = sp.diff(claim.lhs, relu_limit.P).subs(relu_limit.P, P) * sp.limit(at_depth, L, sp.oo)
        assert sp.simplify(rate - 2 * share * C**2 * x**2) == 0
        assert sp.limit(2 * L * (P ** (1 / power) - 1), L, sp.oo) == sp.log(P) / share
    assert claim.lhs.subs(relu_limit.P, 1) == 0


def test_the_field_points_at_the_kink_from_both_sides() -> None:
    """Two layers, V = 1: from W = ε the first sample alone is seen, from -ε the second."""
    e = sp.Symbol("epsilon", positive=True)
    first, second = (1 + e / 2) ** 2, -((1 - e / 2) ** 2)  # h -> h + V max(W h, 0)/2
    right = -2 * (2 * (first - 0) / 2) * sp.diff(first, e) / 2  # -L ∂ℓ/∂W_k: the sum over both layers is 2 of them
    assert sp.limit(right, e, 0) == -1
    left = -2 * (2 * (second + 2) / 2) * sp.diff(second, e) / 2 * -1  # ∂/∂W = -∂/∂ε
    assert sp.limit(left, e, 0) == 1


# --- the chain


def test_without_the_factor_of_the_flow_time_runs_2L_times_more_slowly() -> None:
    slow, fast = chain(3, 2.0, 3.0, T=6.0, times=(0.0, 1.5, 6.0)), chain(3, 2.0, 3.0, T=1.0, times=(0.0, 0.25, 1.0))
    assert np.all(np.abs(slow.unscaled[0] - fast.weights[0]) <= (slow.unscaled[1] + fast.weights[1])[:, None])
    gap = Fields(slow)["relu_gap_unscaled"]
    assert gap.values[0] == pytest.approx(np.abs(np.diff(fast.weights[0], axis=1)).max(axis=1), rel=1e-8)


def test_arguments_of_odd_layers_are_measured_by_their_states() -> None:
    run = chain(2, 2.0, 3.0, T=1.0, times=(0.0, 1.0))
    w, h = run.weights[0], run.passes[0]
    expected = [min(-w[t, 0] * h[t, 0], -w[t, 2] * h[t, 2]) for t in (0, 1)]
    assert Fields(run)["relu_argument"].values[0] == pytest.approx(expected, rel=1e-14)


def test_limits_of_a_ladder_are_the_roots_of_their_equation() -> None:
    run = ReluLadderRun(QUICK[0], ArrayStore())
    f = Fields(run)
    T = run.spec.T
    for i, share in enumerate((0.5, 1.0)):
        root = brentq(lambda P, s=share: math.log(P * 2 / (3 - P)) + 3 * (1 - 1 / P) - 2 * s * 9 * T, 1 + 1e-9, 3 - 1e-9, xtol=1e-14)
        assert abs(f["relu_P"].values[i] - root) <= f["relu_P"].radius[i] < 1e-4
        assert abs(f["relu_w_limit"].values[i] - math.log(root) / share) <= f["relu_w_limit"].radius[i] < 1e-4
    deepest = run.chains[1][-1].weights[0][-1]
    assert np.ptp(deepest) < 1e-9  # from equal signs all layers stay equal


def test_limits_of_expansions_are_found_and_their_radius_covers_them() -> None:
    depths = 2.0 ** np.arange(2, 7)
    for expansion in (lambda L: 3 + 2 / L, lambda L: 3 + 2 / L - 5 / L**2, lambda L: 3 + 7 / L**3, lambda L: 3 + 1 / (L + 1)):
        value, radius = limit(expansion(depths), np.full(len(depths), 1e-12))
        assert abs(value - 3) <= radius < 0.01
    value, radius = limit(np.array([3.5, 3.25]), np.zeros(2))
    assert abs(value - 3) <= radius == 0.5


# --- model (3)


def test_the_descent_of_the_toy_is_that_of_finite_differences() -> None:
    network: dict[str, Any] = {**_TOYS.network(3), "n": 2, "activation": {"name": "gelu", "a": 1.0, "b": 1.0}}
    V, W, x, y = np.array([0.5, -1.0, 2.0]), np.array([0.3, 0.7, -0.4]), np.array([[1.0], [-0.5]]), np.array([[2.0], [0.0]])
    found = descent(network, V, W, x, y)[0]

    def loss(z: Array) -> float:
        return float(residual.loss(descent(network, z[:3], z[3:], x, y)[1], y))

    z, step = np.concatenate([V, W]), 1e-6
    expected = [-3 * (loss(z + step * e) - loss(z - step * e)) / (2 * step) for e in np.eye(6)]
    assert found.ravel() == pytest.approx(expected, rel=1e-7)


def test_two_layers_at_the_kink_have_their_own_equation() -> None:
    """L = 2: the first layer rests; V' = 2(y - F)W, W' = 2(y - F)V with F = 1 + VW/2, and V² - W² stays."""
    gap, margin = at_the_kink(CounterexamplesRun(_TOYS, ArrayStore()), 2, 1e-10)
    c, t = 1 - 1 / 16, np.linspace(0, _TOYS.T, 20001)
    V, W = 1.0, 0.25
    for dt in np.diff(t):  # midpoint rule
        pull = 2 * (1 - V * W / 2)
        v, w = V + dt / 2 * pull * W, W + dt / 2 * pull * V
        pull = 2 * (1 - v * w / 2)
        V, W = V + dt * pull * w, W + dt * pull * v
    assert pytest.approx(c, rel=1e-7) == V * V - W * W
    assert (gap, margin) == pytest.approx((math.hypot(V - 1, W + 0.25), 1 - V * W / 2), rel=1e-6)


def _signs(spec: Spec, L: int) -> Array:
    """Signs of W_k h_{k-1} at 0, T/2 and T [3 L n m]."""
    b = realise(spec, ArrayStore(), L)
    flow = NumpyImplementation().flow(b.network, b.params, b.x, b.y, np.array([0.0, spec.T / 2, spec.T]))
    params = {k: flow[k] for k in "AVWB"}
    hidden, _ = residual.forward(b.network, params, b.x)
    return np.sign(residual.preactivations(b.network, params, hidden))


def test_arguments_change_their_sign_where_the_corpus_says_so() -> None:
    assert not np.any(np.ptp(_signs(QUICK[2], 8), axis=0))
    assert np.any(np.ptp(_signs(STANDARD[4], 8), axis=0))


def test_the_flow_of_relu_ends_at_the_kink_from_the_start_of_the_paper_too() -> None:
    """One layer, q = d + d': an argument rises to 0 shortly after t = 0.854, and beyond 0 it would fall."""
    spec = Spec.model_validate(
        {
            **{**_ONE, "d": 2, "q": 3, "m": 4, "n": 3, "T": 0.854, "times": (0.0, 0.854)},
            "regime": {"kind": "plain-flow"},
            "activation": {"name": "relu"},
            "init": {"kind": "paper", "seed": 2},
            "data": {"kind": "sphere", "seed": 2, "label_scale": 2.0},
        }
    )
    b = realise(spec, ArrayStore())
    flow = NumpyImplementation().flow(b.network, b.params, b.x, b.y, np.array(spec.times))
    at = {k: flow[k][-1] for k in "AVWB"}

    def argument(params: dict[str, Array]) -> float:
        hidden, _ = residual.forward(b.network, params, b.x)
        return float(residual.preactivations(b.network, params, hidden)[0, 0, 2])  # the third neuron on the first sample

    def rate(params: dict[str, Array]) -> float:
        g, dt = backward.loss_and_gradients(b.network, params, b.x, b.y)[1], 1e-7
        moved = {k: params[k] - dt * g[k] for k in params}  # L = 1
        return (argument(moved) - argument(params)) / dt

    assert -2e-4 < argument(at) < 0 and rate(at) == pytest.approx(0.2585, abs=0.001)
    h = (b.x @ at["A"].T)[0]
    beyond = {**at, "W": at["W"].copy()}
    beyond["W"][0, 2] -= 2 * argument(at) * math.sqrt(3) * h / (h @ h)  # the point reflected at the kink
    assert argument(beyond) == pytest.approx(-argument(at), rel=1e-9) and rate(beyond) == pytest.approx(-0.14, abs=0.001)


# --- independent layers


def test_outputs_are_trained_by_the_gradients_of_the_model() -> None:
    made = Outputs(0, 3, 4)
    z = made.start()
    network: dict[str, Any] = {**_TOYS.network(3), "activation": {"name": "tanh", "a": 1.0, "b": 1.0}}
    one = np.ones((1, 1))
    for i in range(4):
        params = {"A": one, "V": z[0, :, i, None, None], "W": z[1, :, i, None, None], "B": one}
        g = backward.loss_and_gradients(network, params, one, np.full((1, 1), 2.0))[1]
        assert made.velocity(z)[:, :, i] == pytest.approx(-3 * np.stack([g["V"][:, 0, 0], g["W"][:, 0, 0]]), rel=1e-12)
    ends = [made.trained(steps) for steps in (4, 8, 64)]
    assert np.max(np.abs(ends[0] - ends[2])) < 2e-2 and np.max(np.abs(ends[1] - ends[2])) < np.max(np.abs(ends[0] - ends[2])) / 8


def test_the_interval_of_the_median_holds_it_with_the_probability_that_is_asked() -> None:
    class Normal(Outputs):
        def trained(self, steps: int) -> Array:
            return np.random.RandomState(self.seed).standard_normal(self.draws)

    median, missed = math.sqrt(2) * stats.halfnorm.median(), 0
    for seed in range(400):
        low, high = Normal(seed, 1, 100).spread(0.1)
        missed += not low <= median <= high
    assert 5 <= missed <= 40  # 0.1 at most, and less because ranks are whole numbers
    low, high = Normal(0, 4, 2000).spread(1e-6)
    assert 2 * median * 0.7 < low < 2 * median < high < 2 * median * 1.4


def test_distances_between_depths_are_those_of_layers_made_by_hand() -> None:
    class Made(CounterexamplesRun):
        def layers(self, L: int, tied: bool, rtol: float) -> tuple[Array, Array]:
            start = np.arange(1, L + 1)[:, None] * np.array([3.0, 4.0])
            return np.stack([start, start / L]), np.array([9.0, 1.0])

    f = Fields(Made(_TOYS, ArrayStore()))
    rms = [math.sqrt(np.mean(np.arange(1, L + 1) ** 2)) for L in (2, 4, 8)]  # Z_{2k} - Z_k is k (3, 4)
    assert f["layers_depths_apart"].values == pytest.approx([5 * r for r in rms])
    assert f["layers_depths_end"].values == pytest.approx([0, 0, 0], abs=1e-12)
    assert f["layers_depths_reach"].values == pytest.approx(6 * (1 + math.sqrt(2)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"q": 2}, "d = dout = q = m = n = 1"),
        ({}, "data from arrays"),
        ({"regime": {"kind": "relu-ladder", "depths": (2, 4, 9, 16)}}, "successive doublings"),
    ],
)
def test_a_ladder_of_chains_outside_its_regime_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Spec.model_validate({**_ONE, "regime": {"kind": "relu-ladder", "depths": (2, 4, 8, 16)}, **change})
