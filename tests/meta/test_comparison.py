"""The comparison system without clipping: against closed forms, against a second writing of it under another integrator, and its order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from depthlimit.models import comparison, corpus
from depthlimit.models.check import run
from depthlimit.models.measure.registry import Fields
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.spec import Spec
from depthlimit.theory.paper import comparison as theory
from depthlimit.theory.quantity import Array
from depthlimit.theory.registry import claims

UNIT = {"q": 4.0, "m": 9.0, "L": 5.0, "n": 4.0, "trained_ends": 1.0, "mean_y2": 0.25, "w0": 2.0, "S0": 1.5, "s0": 0.0, "X2": 2.0, "XF": 3.0}
UNIT |= {"M_X": 2.0, "x_least": 0.0, "K_sigma": 1.0, "S2": 0.75, "M_sigma": 1.0}
NONE = {"X2": 0.0, "XF": 0.0, "M_sigma": math.inf}  # nothing but V moves
TIMES = np.array([0.0, 0.5, 1.0])


def _numbers(seed: int) -> dict[str, float]:
    """Inputs of the sizes that instances have."""
    random = np.random.RandomState(seed)
    names = ("mean_y2", "w0", "S0", "X2", "XF", "M_X", "S2", "M_sigma", "K_sigma")
    found = {**UNIT, **{name: UNIT[name] * random.uniform(0.3, 1.2) for name in names}, "s0": random.uniform(0, 0.5)}
    return {**found, "x_least": random.uniform(0, 1), "trained_ends": float(seed % 2)}


def _by_hand(c: dict[str, float], t: float, y: Sequence[float]) -> list[float]:
    """The system once more, from its docstring: rates of (V, W, A, B, ν_V, ν_W, λ)."""
    q, m, n, L, K = (c[k] for k in ("q", "m", "n", "L", "K_sigma"))
    D = math.sqrt(t * c["mean_y2"])
    v, R = (min(z, math.sqrt(L) * D) for z in y[:2])
    dA, dB = (min(z, D) for z in y[2:4])
    nV, nW = min(y[4], 2 * v), min(y[5], 2 * R)
    w = c["w0"] + R
    a = K / math.sqrt(q * m) * min(v * w, D * c["w0"] + D * D / 2)
    alpha, beta = min(1 + dA, math.sqrt(1 + 2 * dB**2 + (2 * c["w0"] + R) * R)), min(1 + dB, math.sqrt(1 + D * D))
    stretch, top = (math.exp(a) - 1) * alpha * c["XF"], c["M_sigma"] * math.sqrt(m * n)

    def change(s: float) -> float:
        return K / math.sqrt(q) * (R * (alpha * c["X2"] + s) + c["w0"] * (s + dA * c["X2"]))

    stretch = min(stretch, v * min(top, c["S0"] + change(stretch)) / math.sqrt(m))
    X, S, H = alpha * c["X2"] + stretch, min(top, c["S0"] + change(stretch)), alpha * c["M_X"] * math.exp(a)
    P = 2 * beta * math.exp(a) * math.sqrt(c["mean_y2"] * math.exp(-y[6]) / n)
    pull = max(0.0, 1 - a) * max(0.0, 1 - dB)
    ends = (pull * c["x_least"]) ** 2 + max(0.0, c["x_least"] - stretch - dA * c["X2"]) ** 2
    kappa = 4 / n * (c["trained_ends"] * ends + (pull * max(0.0, c["s0"] - change(stretch))) ** 2 / m)
    step, local, bend = v * S / math.sqrt(m), K * v * w / math.sqrt(q * m), c["S2"] * X / (q * math.sqrt(m))
    first = K * X / math.sqrt(q * m)
    source_V = S * local / math.sqrt(m) + K * w * step / math.sqrt(q * m)
    source_W = K * v * (X * local + step) / math.sqrt(q * m) + v * bend * w * step
    return [
        P * S / math.sqrt(m),
        K * v * P * X / math.sqrt(q * m),
        P * c["X2"],
        2 * math.sqrt(c["mean_y2"] * math.exp(-y[6]) / n) * X,
        P * (first * nW + source_V / L),
        P * (first * nV + v * bend * H * nW + source_W / L),
        kappa,
    ]


@pytest.mark.parametrize("seed", range(6))
def test_the_steps_stay_just_above_another_integration_of_the_system(seed: int) -> None:
    inputs = _numbers(seed)
    found = comparison.solve(inputs, TIMES)
    solved = solve_ivp(lambda t, y: _by_hand(inputs, t, y), (0, 1), [0.0] * 7, rtol=1e-9, atol=1e-12, t_eval=TIMES)
    for j in (1, 2):
        t, y = TIMES[j], solved.y[:, j]
        D = math.sqrt(t * inputs["mean_y2"])
        v, R = (min(z, math.sqrt(inputs["L"]) * D) for z in y[:2])
        gap = min(math.hypot(min(y[4], 2 * v), min(y[5], 2 * R)), math.sqrt(2 * inputs["L"]) * D)
        expected = {"V": v, "W": R, "gap": gap, "loss": inputs["mean_y2"] * math.exp(-y[6])}
        for name, value in expected.items():
            assert 1 - 1e-6 < found[name][j] / value < 1.03, name


@pytest.mark.parametrize("seed", range(6))
def test_more_steps_only_lower_the_bounds(seed: int) -> None:
    runs = [comparison.solve(_numbers(seed), TIMES, steps=steps) for steps in (60, 240, 960)]
    for coarse, fine in pairwise(runs):
        assert all(np.all(fine[name] <= coarse[name] * (1 + 1e-9)) for name in coarse)


def test_v_alone_by_pencil() -> None:
    """Without inputs x: S = S₀ and a = kv, k = K|W|₂/√(qm), so v' = ce^{kv} with c = 2√ℓ₀S₀/√(nm): v = -ln(1 - kct)/k, and c_V = 2S₀kv/√m
    makes dν_V/dv = 2kv/L."""
    inputs = {**UNIT, **NONE}
    k, c = 2 / 6, 2 * 0.5 * 1.5 / 6
    found = comparison.solve(inputs, TIMES, steps=4000)
    v = -np.log(1 - k * c * TIMES) / k
    assert found["V"] == pytest.approx(v, rel=1e-3)
    assert found["gap"] == pytest.approx(k * v**2 / 5, rel=3e-3)
    assert np.all(found["V"] >= v) and np.all(found["gap"] >= k * v**2 / 5) and np.all(found["W"] == 0)


def test_the_decay_of_the_loss_by_pencil() -> None:
    """With K = 0 and no norm of x but its least singular value s: κ = 8s²/n, and v = 2√ℓ₀S₀/√(nm) (1 - e^{-κt/2})/(κ/2)."""
    found = comparison.solve({**UNIT, **NONE, "K_sigma": 0.0, "x_least": 3.0}, TIMES)
    kappa = 18.0
    assert found["loss"] == pytest.approx(0.25 * np.exp(-kappa * TIMES), rel=1e-8)
    assert found["V"] == pytest.approx(0.25 * (1 - np.exp(-kappa * TIMES / 2)) / (kappa / 2), rel=1e-7)
    frozen = comparison.solve({**UNIT, **NONE, "K_sigma": 0.0, "x_least": 3.0, "trained_ends": 0.0}, TIMES)
    assert frozen["loss"] == pytest.approx(0.25)


@pytest.mark.parametrize("seed", range(20))
def test_speeds_grow_with_the_state_and_with_time_and_the_rate_of_the_loss_falls(seed: int) -> None:
    """What the proof needs, at random pairs of states in order."""
    random, inputs = np.random.RandomState(100 + seed), _numbers(seed)
    speeds = comparison._function(theory.SYSTEM, (*theory.SYSTEM.rates, theory.kappa), inputs)
    low = 10 ** random.uniform(-3, 0.5, len(theory.STATE))
    high = low * (1 + random.randint(0, 2, len(low)) * random.uniform(0, 1, len(low)))
    s, t = sorted(10 ** random.uniform(-3, 0.5, 2))
    *less, kappa = speeds(s, list(low))
    *more, smaller = speeds(t, list(high))
    assert all(a <= b * (1 + 1e-12) for a, b in zip(less, more, strict=True)) and smaller <= kappa * (1 + 1e-12)


def test_bounds_that_leave_float64_are_infinite() -> None:
    found = comparison.solve({**UNIT, "mean_y2": 1e8}, TIMES)
    assert np.isinf(found["h"][-1]) and np.isinf(found["p"][-1]) and not any(np.any(np.isnan(a)) for a in found.values())


FAMILIES: tuple[tuple[int, ...], ...] = (
    *((1, 1, 2, 4, 8, 3), (1, 1, 2, 2, 8, 1), (2, 1, 4, 5, 6, 3), (3, 2, 5, 4, 8, 4), (2, 2, 4, 4, 8, 2)),
    *((16, 1, 17, 32, 16, 20), (4, 4, 16, 32, 16, 8)),
)


def _fields(sizes: tuple[int, ...], energy: float) -> Fields:
    """An instance with Tℓ(0) = energy."""
    known: dict[str, object] = {**dict(zip(("d", "dout", "q", "m", "L", "n"), sizes, strict=True)), "rtol": 1e-10}
    spec = Spec.model_validate({**known, "regime": {"kind": "plain-flow"}})
    loss = float(Fields(run(spec, NumpyImplementation()))["mean_y2"].values)
    return Fields(run(Spec.model_validate({**spec.to_json(), "T": energy / loss, "times": [0.0, energy / loss]}), NumpyImplementation()))


@pytest.mark.parametrize("sizes", FAMILIES)
def test_successive_weights_within_a_thousand_and_below_the_closed_form(sizes: tuple[int, ...]) -> None:
    closed = claims("unclipped.gap")[0]
    fields = _fields(sizes, 0.1)
    bound, value = float(fields["gap_compared"].values[-1]), float(fields["gap_last"].values)
    assert value < bound < 1e3 * value
    assert math.log10(bound) < closed.bound(fields.run.spec).value


def test_closed_forms_lie_above_the_comparison() -> None:
    fields = Fields(run(corpus.PLAIN[0], NumpyImplementation()))
    t, y2 = np.array(corpus.PLAIN[0].times), float(fields["mean_y2"].values)
    D: Array = np.sqrt(t * y2)
    for name in "AB":
        assert np.all(fields[f"{name}_compared"].values <= (1 + D) * (1 + 1e-9))
    assert np.all(fields["loss_compared"].values <= y2 * (1 + 1e-12))


def test_long_runs_end_at_the_energy_bound() -> None:
    """At Tℓ(0) = 3 the speeds have outgrown what the energy allows; the closed form is a tower there."""
    fields = _fields(FAMILIES[0], 3.0)
    assert float(fields["gap_compared"].values[-1]) == pytest.approx(math.sqrt(2 * 8 * 3.0))
    assert claims("unclipped.gap")[0].bound(fields.run.spec).value > 6  # 10^(10^6)


def test_what_the_steps_need_is_measured() -> None:
    few, many = (corpus.PLAIN[i] for i in (1, 0))
    fields = Fields(run(few, NumpyImplementation()))
    assert float(fields["x_least"].values) == pytest.approx(abs(float(fields.run.batch.x[0, 0])))
    assert float(Fields(run(many, NumpyImplementation()))["x_least"].values) == 0  # n > d
    assert fields["moved_W_most"].values == pytest.approx(np.max(fields["moved_W"].values, axis=-1))
