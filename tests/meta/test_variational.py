"""The variational equation, its comparison equations and the bounds without clipping, by pencil and by independent computations."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np
import pytest
import scipy.linalg

from depthlimit.models import backward, corpus, flow, residual, variational
from depthlimit.models.check import check, run
from depthlimit.models.data import ArrayStore
from depthlimit.models.measure.registry import Fields
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.spec import Spec
from depthlimit.models.trajectory import realise
from depthlimit.theory import judgement as J
from depthlimit.theory.enclosure import log_evaluate
from depthlimit.theory.paper import unclipped
from depthlimit.theory.paper.variational import ORDERS
from depthlimit.theory.quantity import Array
from depthlimit.theory.registry import claims

SMALL = Spec.model_validate(
    {
        "regime": {"kind": "plain-flow"},
        **{"d": 2, "dout": 2, "q": 3, "m": 4, "L": 4, "n": 3, "T": 0.5, "rtol": 1e-12},
        "init": {"kind": "gp", "seed": 2, "length": 0.5},
    }
)


def _scalar(V: list[float], W: list[float], activation: str = "identity", y: float = 1.0) -> Spec:
    """d = q = m = n = 1, A = B = x = 1."""
    L = len(V)
    start = [["A", [1, 1], [1.0]], ["V", [L, 1, 1], V], ["W", [L, 1, 1], W], ["B", [1, 1], [1.0]]]
    return Spec.model_validate(
        {
            "regime": {"kind": "plain-flow"},
            **{"d": 1, "dout": 1, "q": 1, "m": 1, "L": L, "n": 1, "T": 0.1},
            "activation": {"name": activation},
            "init": {"kind": "arrays", "arrays": {"inline": start}},
            "data": {"kind": "arrays", "arrays": {"inline": [["x", [1, 1], [1.0]], ["y", [1, 1], [y]]]}},
        }
    )


def _linearised(spec: Spec, states: dict[str, Array] | None = None) -> variational.Linearisation:
    b = realise(spec, ArrayStore())
    params = b.params if states is None else states
    hidden = residual.forward(b.network, params, b.x)[0].copy()
    return variational.Linearisation(b.network, params, hidden, backward.adjoint(b.network, params, hidden, b.y).copy())


@pytest.mark.parametrize("name", ["tanh", "sin", "algebraic", "gelu"])
@pytest.mark.parametrize("step", [0.0, 1e-9, 1e-3, 0.2, 0.3, 5.0])
def test_divided_differences_are_those_of_fifty_digit_arithmetic(name: str, step: float) -> None:
    phi = {
        "tanh": mpmath.tanh,
        "sin": mpmath.sin,
        "algebraic": lambda u: u / mpmath.sqrt(1 + u * u),
        "gelu": lambda u: u * (1 + mpmath.erf(u / mpmath.sqrt(2))) / 2,
    }[name]
    a, b = 1.5, 0.5
    u = np.array([-2.0, -0.125, 0.0, 0.75])
    found = variational.divided({"name": name, "a": a, "b": b}, u, u + step)
    with mpmath.workdps(50):
        for order, values in enumerate(found):
            for x, value in zip(u, values, strict=True):
                end = mpmath.mpf(float(x + step))

                def f(t: Any, order: int = order) -> Any:
                    return a * mpmath.diff(phi, b * t, order) * b**order

                exact = (
                    (f(end) - f(mpmath.mpf(x))) / (end - mpmath.mpf(x))
                    if end != x
                    else a * mpmath.diff(phi, b * x, order + 1) * b ** (order + 1)
                )
                # 16 u where a derivative is integrated; 8 u a max(1, ...)/step where values are subtracted (step b > 1/4: at most 64 u)
                assert abs(value - float(exact)) <= 100 * 2.0**-53 * a


def test_two_layers_of_one_neuron_by_pencil() -> None:
    """σ = id, h_0 = 1: h_1 = 1 + v₁w₁/2, h_2 = h_1(1 + v₂w₂/2), p_2 = 2(h_2 - y), p_1 = p_2(1 + v₂w₂/2); every square root is 1."""
    v1, w1, v2, w2, y = 0.5, 0.25, 1.0, 0.75, 1.0
    h1 = 1 + v1 * w1 / 2
    h2 = h1 * (1 + v2 * w2 / 2)
    p2 = 2 * (h2 - y)
    p1 = p2 * (1 + v2 * w2 / 2)
    at = _linearised(_scalar([v1, v2], [w1, w2], y=y))
    assert at.difference.ravel() == pytest.approx([v2 - v1, w2 - w1])
    assert at.matrices.ravel() == pytest.approx([0, p2 * h1, p2 * h1, 0])
    e = [2 * w1 * (p2 * h1 - p1), 2 * v1 * (p2 * h1 - p1)]
    assert at.source.ravel() == pytest.approx(e)
    M = at.matrices
    assert at.growth(M).item() == pytest.approx(abs(p2 * h1)) and at.size(M).item() == pytest.approx(abs(p2 * h1))
    # V_2' - V_1' = -p₂w₂h₁ + p₁w₁, and the same for W with v
    right = -np.einsum("...ab,...b->...a", M, at.difference) - at.source / 2
    assert right.ravel() == pytest.approx([-p2 * w2 * h1 + p1 * w1, -p2 * v2 * h1 + p1 * v1])


def test_the_logarithmic_norm_of_a_matrix_made_by_hand() -> None:
    """-(M + Mᵀ)/2 = [[-1, -2], [-2, -1]] has the eigenvalues 1 and -3; MᵀM = [[1, 4], [4, 17]]."""
    at = _linearised(SMALL)
    M = np.array([[[1.0, 4.0], [0.0, 1.0]]])
    assert at.growth(M).item() == pytest.approx(1)
    assert at.size(M).item() == pytest.approx(math.sqrt((18 + math.sqrt(320)) / 2))  # t² - 18 t + 1 = 0
    assert np.isnan(at.growth(np.full((1, 2, 2), np.inf))).all()


def test_the_equation_agrees_with_finite_differences_of_the_flow() -> None:
    b = realise(SMALL, ArrayStore())
    t, step = 0.3, 1e-4
    states = flow.integrate(b.network, b.params, b.x, b.y, np.array([t - step, t, t + step]))
    Z = variational.neurons(states["V"], states["W"])
    k = variational.pairs(SMALL.L)
    moving = ((Z[2] - Z[0]) / (2 * step))[k + 1] - ((Z[2] - Z[0]) / (2 * step))[k]
    at = _linearised(SMALL, {name: states[name][1] for name in flow.BLOCKS})
    right = -np.einsum("...ab,...b->...a", at.matrices, at.difference) - at.source / SMALL.L
    # third derivatives of order 10 times step²/6, and the flow's error 1e-11 over step
    assert np.max(np.abs(moving - right)) < 1e-6 * np.max(np.abs(right)) + 1e-6
    assert np.max(np.abs(right)) > 0.05


def test_comparison_equations_agree_with_a_quadrature_of_their_formulas() -> None:
    """e^{∫λ} b(0) + ∫ e^{∫_s λ} |e| ds by Simpson's rule on states of the flow, the same for the remainders, and G by its transport."""
    b = realise(SMALL, ArrayStore())
    times = np.linspace(0, SMALL.T, 201)
    states = flow.integrate(b.network, b.params, b.x, b.y, times)
    lines = [_linearised(SMALL, {name: states[name][j] for name in flow.BLOCKS}) for j in range(len(times))]
    M = np.stack([at.matrices for at in lines])
    e = np.stack([at.source for at in lines])
    growth = np.linalg.eigvalsh(-(M + M.swapaxes(-1, -2)) / 2)[..., -1]
    D = SMALL.L * lines[0].difference

    def integral(f: Array) -> Array:
        """Cumulative trapezoid: error h²/12 |f''| T."""
        steps = (f[1:] + f[:-1]) / 2 * (times[1] - times[0])
        return np.concatenate([np.zeros_like(f[:1]), np.cumsum(steps, axis=0)])

    def solution(rate: Array, source: Array, start: Array) -> Array:
        factor = np.exp(integral(rate))
        return np.asarray(factor * (start + integral(source / factor)))

    norm = lambda a: np.sqrt(np.sum(a**2, axis=-1))  # noqa: E731
    neurons = solution(growth, norm(e), norm(D))
    expected = {"layer": solution(growth.max(axis=-1), norm(norm(e)), norm(norm(D))), "neurons": neurons}
    E = integral(e) - D
    for i in range(1, len(ORDERS) + 1):
        ME = np.einsum("...ab,...b->...a", M, E)
        expected |= {f"E{i}": E, f"remainder{i}": solution(growth, norm(ME), np.zeros(D.shape[:-1]))}
        E = integral(ME)
    # LΔΔᵀ/|Δ| and the source eeᵀ/|e|, carried by the exponential of each step: an error of the step's square
    push = e[..., :, None] * e[..., None, :] / norm(e)[..., None, None]
    G, rate = [D[..., :, None] * D[..., None, :] / norm(D)[..., None, None]], []
    for j, step in enumerate(np.diff(times)):
        rate.append(lines[j].drift(M[j] @ G[-1], G[-1], growth[j]))
        ahead = G[-1] + step * (push[j] - M[j] @ G[-1] - (M[j] @ G[-1]).swapaxes(-1, -2) - rate[-1][..., None, None] * G[-1])
        mean = (rate[-1] + lines[j + 1].drift(M[j + 1] @ ahead, ahead, growth[j + 1])) / 2
        carry = scipy.linalg.expm(-step / 2 * (M[j] + M[j + 1] + mean[..., None, None] * np.eye(M.shape[-1])))
        G.append(carry @ (G[-1] + step * push[j] / 2) @ carry.swapaxes(-1, -2) + step * push[j + 1] / 2)
    rate.append(lines[-1].drift(M[-1] @ G[-1], G[-1], growth[-1]))
    expected |= {"directions": np.stack(G), "weights": solution(np.stack(rate), norm(e), norm(D))}
    found = variational.integrate(b.network, b.params, b.x, b.y, times[[100, 200]], 1e-9)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert np.max(np.abs(found[name] - value[[100, 200]])) < 2e-4 * np.max(np.abs(value)), name


class AnyRate(variational.Linearisation):
    """μ = -1: the bound by directions holds with any rate."""

    def drift(self, MG: Array, G: Array, growth: Array) -> Array:
        """-1."""
        return np.full_like(growth, -1.0)


class LogarithmicRate(variational.Linearisation):
    """μ = λ: the bound by directions is never worse than the one by neurons."""

    def drift(self, MG: Array, G: Array, growth: Array) -> Array:
        """λ_j."""
        return growth


@pytest.mark.parametrize("kind", [variational.Linearisation, AnyRate, LogarithmicRate])
def test_the_matrix_of_directions_bounds_the_differences_whatever_its_rate(kind: type[variational.Linearisation]) -> None:
    """L²ΔΔᵀ <= bG for each neuron; with μ = λ, G <= b too."""
    b = realise(SMALL, ArrayStore())
    times = np.array([0.0, 0.25, 0.5])
    states = flow.integrate(b.network, b.params, b.x, b.y, times)
    found = variational.integrate(b.network, b.params, b.x, b.y, times, 1e-10, kind)
    Z, k = variational.neurons(states["V"], states["W"]), variational.pairs(SMALL.L)
    moved = SMALL.L * (Z[:, k + 1] - Z[:, k])
    bG, square = found["weights"][..., None, None] * found["directions"], found["neurons"] ** 2
    assert np.all(np.linalg.eigvalsh(bG - moved[..., :, None] * moved[..., None, :])[..., 0] >= -1e-8 * square)
    if kind is LogarithmicRate:
        largest = variational.largest(bG)
        assert np.all(largest <= (1 + 1e-8) * square) and np.min(largest[-1] / square[-1]) < 0.9


def test_the_mean_rate_of_two_directions_by_pencil() -> None:
    """M = diag(1, -3), G = diag(3, 1): -tr MG/tr G = 0; G = diag(1, 3): 2; diag(1, 0): -1, and 0 is taken; nothing held: 0."""
    at, M, growth = _linearised(SMALL), np.diag([1.0, -3.0]), np.full((1, 1), 3.0)
    for G, rate in (([3.0, 1.0], 0.0), ([1.0, 3.0], 2.0), ([1.0, 0.0], 0.0), ([0.0, 0.0], 0.0)):
        matrix = np.diag(G)[None, None]
        assert at.drift(M @ matrix, matrix, growth).item() == pytest.approx(rate)


def test_the_radius_of_a_comparison_solution_covers_a_finer_run() -> None:
    fields, b = Fields(run(SMALL, NumpyImplementation())), realise(SMALL, ArrayStore())
    finer = variational.integrate(b.network, b.params, b.x, b.y, np.array(SMALL.times), 1e-11)
    layer = fields["comparison"]
    assert np.all(np.abs(layer.values[0, -1] - finer["layer"][-1]) <= layer.radius[0, -1])
    assert np.all(layer.radius < 3e-4 * layer.values)


def test_a_network_of_one_layer_has_no_successive_weights() -> None:
    fields = Fields(run(SMALL.model_copy(update={"L": 1}), NumpyImplementation()))
    for name in ("parting", "parted", "comparison", "second_error", "P_block"):
        assert fields[name].values.size == 0
    assert float(fields["gap_last"].values) == 0


def test_pairs_hold_the_first_and_the_last() -> None:
    for L in range(2, 12):
        k = variational.pairs(L)
        assert k[0] == 0 and k[-1] == L - 2 and len(k) == min(L - 1, variational.PAIRS)


def test_block_norms_and_fluxes_by_pencil() -> None:
    """The two-layer network above: every block is a number, and its norm the absolute value."""
    v1, w1, v2, w2 = 0.5, 0.25, 1.0, 0.75
    h = [1.0, 1 + v1 * w1 / 2]
    h.append(h[1] * (1 + v2 * w2 / 2))
    p2 = 2 * (h[2] - 1)
    p = [0.0, p2 * (1 + v2 * w2 / 2), p2]
    p[0] = p[1] * (1 + v1 * w1 / 2)
    fields = Fields(run(_scalar([v1, v2], [w1, w2]), NumpyImplementation()))
    expected = {
        **{"P": max(p[1:]), "v": v2, "w": w2, "X": h[1], "H": h[1], "S": w1, "hd_F": v1 * w1, "nu_V": v2 - v1, "nu_W": w2 - w1},
        **{"rate_V": abs(p[2] * w2 * h[1] - p[1] * w1), "rate_W": abs(p[2] * v2 * h[1] - p[1] * v1)},
    }
    for name, value in expected.items():
        assert fields[f"{name}_block"].values[0, 0, 0] == pytest.approx(value), name
    assert fields["layer_flux"].values[0, 0, :, 0] == pytest.approx([-2 * (p[k] * h[k] - p[k - 1] * h[k - 1]) for k in (1, 2)])
    assert fields["embedding_flux"].values[0, 0] == pytest.approx(-p[0]) and fields["readout_flux"].values[0, 0] == pytest.approx(
        -p[2] * h[2]
    )
    assert float(fields["P_run"].values) + float(fields["P_run"].radius) >= max(p)
    assert fields["h_max"].values[0, 0] == pytest.approx(h) and fields["p_mean"].values[0, 0] == pytest.approx(p)
    assert float(fields["A_op"].values[0, 0]) == float(fields["B_op_t"].values[0, 0]) == 1
    assert float(fields["gap_last"].values) == pytest.approx(float(fields["gap"].values[0, -1, 0]))
    assert float(fields["gap_floor"].values) == 10 * float(fields["gap_last"].radius)


@pytest.mark.parametrize(("kind", "expected"), [(None, 1.0), ("coordinate", 1.0), ("smooth", 1.0), ("radial", 0.0)])
def test_the_radial_clip_joins_v_and_w(kind: str | None, expected: float) -> None:
    clip = None if kind is None else {"kind": kind, "radius": 0.5}
    spec = Spec.model_validate({**SMALL.to_json(), "regime": {"kind": "clipped-flow" if clip else "plain-flow"}, "clip": clip})
    assert float(Fields(run(spec, NumpyImplementation()))["clip_apart"].values) == expected


@pytest.mark.parametrize("activation", ["tanh", "gelu"])
def test_the_supremum_of_the_activation_is_the_certified_one(activation: str) -> None:
    spec = Spec.model_validate({**SMALL.to_json(), "activation": {"name": activation, "a": 2.0, "b": 3.0}})
    value = float(Fields(run(spec, NumpyImplementation()))["M_sigma"].values)
    assert value == (2.0 if activation == "tanh" else math.inf)


def _at_the_end(spec: Spec) -> dict[str, float]:
    """Largest bound/measured over the layers at T: of each comparison equation, and of the series from above and from below."""
    fields = Fields(run(spec, NumpyImplementation()))
    size = fields["parted"].values[0, -1]
    found = {name: np.max(fields[name].values[0, -1] / size) for name in ("comparison", "comparison_neurons", "comparison_directions")}
    for order in ORDERS:
        centre, radius = (fields[f"{order}_{part}"].values[0, -1] for part in ("size", "radius"))
        found |= {f"{order}_above": np.max((centre + radius) / size), f"{order}_below": np.max(size / np.maximum(centre - radius, 1e-300))}
    return {name: float(value) for name, value in found.items()}


@pytest.mark.parametrize("spec", [s for s in corpus.PLAIN if s.T <= 1 and s.L > 1], ids=lambda s: f"L={s.L},{s.init.kind},T={s.T}")
def test_up_to_time_one_bounds_are_within_ten_per_cent_from_above_and_below(spec: Spec) -> None:
    found = _at_the_end(spec)
    assert found["comparison"] < 2
    assert max(found["comparison_directions"], found["third_above"], found["third_below"]) < 1.1


def test_on_a_long_run_with_large_labels_directions_keep_what_the_logarithmic_norm_loses() -> None:
    found = _at_the_end(corpus.HARD)
    assert found["comparison"] > 10 and found["comparison_neurons"] > 6 and found["comparison_directions"] < 6


def test_the_a_priori_bound_is_of_ordinary_size_at_short_times() -> None:
    """Below 10³ at Tℓ(0) <= 0.1."""
    (record,) = check(corpus.SHORT, NumpyImplementation(), selected=claims("unclipped.gap"))[0]
    assert record["verdict"] == J.HOLDS and 10 ** -record["log10_tightness"] < 1e3


def test_more_rounds_of_the_a_priori_bounds_only_sharpen_them() -> None:
    fields = Fields(run(corpus.SHORT, NumpyImplementation()))
    claim = claims("unclipped.gap")[0]
    numbers = {name: (float(fields[name].values), 0.0) for name in claim.names(claim.rhs)}
    sizes = []
    for rounds in range(3):
        names, where = unclipped.matrices(unclipped.Q.T, rounds)
        sizes.append([float(log_evaluate(names[k], numbers, where)[1].mid()) for k in ("P", "v", "w", "X", "S")])
    assert all(b <= a for before, after in pairwise(sizes) for a, b in zip(before, after, strict=True))
    assert sizes[2][1] < sizes[0][1]


def test_comparison_equations_that_leave_float64_bound_nothing() -> None:
    spec = Spec.model_validate(
        {
            "regime": {"kind": "clipped-flow"},
            **{"d": 1, "dout": 2, "q": 3, "m": 3, "L": 11, "n": 1, "train": "VW", "rtol": 1e-10, "T": 0.5},
            "times": [0.0, 0.125, 0.25, 0.375, 0.5],
            "activation": {"name": "silu", "a": 2.0, "b": 2.0},
            "clip": {"kind": "radial", "radius": 0.5},
            "init": {"kind": "fourier", "seed": 1082, "terms": 3},
            "data": {"kind": "sphere", "seed": 8, "label_scale": 0.1},
        }
    )
    (record,) = check(spec, NumpyImplementation(), selected=claims("variational.one-sided-clipped"))[0]
    assert record["verdict"] == J.OUT_OF_HYPOTHESIS and record["lhs"] is None


def test_directions_that_are_error_alone_are_no_measurement_that_failed() -> None:
    """Where nothing parts, G is rounding, and its largest eigenvalue may come out below 0."""
    spec = Spec.model_validate(
        {
            **{"regime": {"kind": "plain-flow"}, "d": 1, "dout": 1, "q": 1, "m": 1, "L": 9, "n": 5, "T": 1.0, "train": "VW", "rtol": 1e-11},
            "times": (0.0, 0.25, 0.5, 0.75, 1.0),
            "activation": {"name": "one_minus_gauss", "a": 2.0, "b": 1.0},
            "init": {"kind": "paper", "seed": 26462782},
            "data": {"kind": "sphere", "seed": 1697283107, "label_scale": 0.1},
        }
    )
    (record,) = check(spec, NumpyImplementation(), selected=claims("variational.one-sided-directions"))[0]
    assert record["verdict"] == J.HOLDS and record["attained"]
