"""The NumPy and the torch implementation against each other, against mpmath and against exact solutions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from numpy.polynomial import chebyshev
from scipy.integrate import DOP853, solve_ivp
from scipy.linalg import expm

from depthlimit.models import backward, flow, limit, residual, torch_stepper
from depthlimit.models.clip import clip, euclidean_supremum, sum_norm_supremum
from depthlimit.models.data import ArrayStore
from depthlimit.models.implementation import Unsupported, load
from depthlimit.models.spec import Spec
from depthlimit.models.torch_implementation import TorchImplementation
from depthlimit.models.trajectory import realise
from depthlimit.theory.activation import constants
from depthlimit.theory.quantity import Array

EPS = 2.0**-53
BLOCKS = ("A", "V", "W", "B")
DEVICES = ["cpu"]
SIGMAS = [
    *((name, 1.0, 1.0) for name in ("identity", "relu", "tanh", "sin", "erf", "arctan", "algebraic")),
    *((name, 1.0, 1.0) for name in ("one_minus_cos", "one_minus_gauss", "gelu", "silu")),
    ("tanh", 0.7, 1.9),
    ("gelu", 1.3, 0.6),
]
CLIPS = [None, ("coordinate", 0.3), ("radial", 0.5), ("smooth", 0.4)]
Instance = tuple[dict[str, Any], dict[str, Array], Array, Array]


def instance(
    q: int = 4,
    m: int = 5,
    L: int = 6,
    n: int = 3,
    d: int = 2,
    dout: int = 2,
    sigma: tuple[str, float, float] = ("tanh", 1.0, 1.0),
    pi: tuple[str, float] | None = None,
    train: str = "AVWB",
    label: float = 1.0,
    start: str = "smooth",
    seed: int = 0,
) -> Instance:
    """A network with parameters and data; "paper": V = 0, one W for all layers, A and B partly I."""
    r = np.random.RandomState(seed)
    spec = {"version": 1, "d": d, "dout": dout, "q": q, "m": m, "L": L, "n": n, "train": train, "rtol": 1e-9}
    spec["activation"] = dict(zip(("name", "a", "b"), sigma, strict=True))
    spec["clip"] = None if pi is None else {"kind": pi[0], "radius": pi[1]}
    s = np.arange(1, L + 1)[:, None, None] / L
    params = {
        "A": r.randn(q, d),
        "V": (r.randn(q, m) * np.cos(3 * s) + r.randn(q, m) * s) / 2,
        "W": (r.randn(m, q) * np.sin(3 * s) + r.randn(m, q)) / 2,
        "B": r.randn(dout, q),
    }
    if start == "paper":
        params = {
            "A": np.eye(q, d),
            "V": 0 * params["V"],
            "W": np.repeat(params["W"][:1], L, axis=0),
            "B": np.eye(dout, q, q - dout),
        }
    return spec, params, r.randn(n, d), label * r.randn(n, dout)


def size(a: Array, first: int = 0) -> Array:
    """Euclidean norm over all axes from `first` on."""
    return np.asarray(np.sqrt(np.sum(np.square(a), axis=tuple(range(first, np.ndim(a))))))


def implementations() -> list[Any]:
    return [pytest.param("numpy", "cpu"), pytest.param("compiled", "cpu"), *(pytest.param("torch", device) for device in DEVICES)]


each = pytest.mark.parametrize(("name", "device"), implementations())
other = pytest.mark.parametrize(("name", "device"), implementations()[1:])


def rounding(spec: dict[str, Any], params: dict[str, Array], x: Array, y: Array) -> dict[str, Any]:
    """First-order bounds on the rounding error of each result, whatever the order of operations.

    Every computed number is a sum over paths of products of weights, data, values and slopes of σ. With K =
    sup|σ'| and σ(0) = 0 the sum of the paths' absolute values is at most what the network with |A|, |V|, |W|,
    |B|, |x|, |y| and σ(u) = K u gives: H for hidden states, U for preactivations, and so on. A path meets at
    most
        N = 2 (d + dout + n + L (q + m + 20)) + 20
    roundings on its way forth and back: q + m per layer for the two sums, 20 for scalings, σ and σ' (four of
    them for a library function wrong by 4 ulp). A rounded u of relative error N ε moves σ'(u) by at most N ε
    U sup|σ''|, against K, at each of the L layers of a path: a factor 1 + L U sup|σ''|/K for gradients
    (relu's infinite sup|σ''| is replaced: no u changes its sign here).
    """
    q, m, L, d, dout, n = spec["q"], spec["m"], spec["L"], spec["d"], spec["dout"], len(x)
    sigma = constants(**spec["activation"])
    K, S2 = sigma["K_sigma"].hi, min(sigma["S2"].hi, 10.0)
    unit = EPS * (2 * (d + dout + n + L * (q + m + 20)) + 20)
    linear = {**spec, "activation": {"name": "identity", "a": K, "b": 1.0}, "clip": None}
    theta, x, y = {k: np.abs(v) for k, v in params.items()}, np.abs(x), np.abs(y)
    hidden, output = residual.forward(linear, theta, x)
    p = backward.adjoint(linear, theta, hidden, -y)
    slopes = 1 + L * S2 / K * residual.preactivations(linear, theta, hidden).max()
    gradient = backward.gradients(linear, theta, hidden, p, x, -y)
    bounds = {k: unit * slopes * size(g) for k, g in gradient.items()}
    z = L * math.hypot(bounds["V"], bounds["W"])
    # A clip has Lipschitz constant 1 and rounds a few times itself, which N covers.
    return {
        "hidden": unit * size(hidden),
        "output": unit * size(output),
        "loss": unit * float(residual.loss(output, -y)),
        "p": unit * slopes * size(p),
        "gradients": bounds,
        "velocity": {"A": bounds["A"], "V": z, "W": z, "B": bounds["B"]},
    }


PHI: dict[str, Callable[[Any], Any]] = {
    "identity": lambda u: u,
    "relu": lambda u: max(u, mpmath.mpf(0)),
    "tanh": mpmath.tanh,
    "sin": mpmath.sin,
    "erf": mpmath.erf,
    "arctan": mpmath.atan,
    "algebraic": lambda u: u / mpmath.sqrt(1 + u * u),
    "one_minus_cos": lambda u: 1 - mpmath.cos(u),
    "one_minus_gauss": lambda u: 1 - mpmath.exp(-u * u / 4),
    "gelu": lambda u: u * mpmath.ncdf(u),
    "silu": lambda u: u / (1 + mpmath.exp(-u)),
}


def exact_loss(spec: dict[str, Any], params: dict[str, Any], x: Array, y: Array) -> Any:
    """ℓ by (3), p. 3, in mpmath's precision, entry by entry."""
    q, m, L = spec["q"], spec["m"], spec["L"]
    phi, a, b = PHI[spec["activation"]["name"]], spec["activation"]["a"], spec["activation"]["b"]
    total = mpmath.mpf(0)
    for x_i, y_i in zip(x.tolist(), y.tolist(), strict=True):
        h = [mpmath.fdot(row, x_i) for row in params["A"]]
        for V, W in zip(params["V"], params["W"], strict=True):
            s = [a * phi(b * mpmath.fdot(row, h) / mpmath.sqrt(q)) for row in W]
            h = [h_j + mpmath.fdot(row, s) / (L * mpmath.sqrt(m)) for h_j, row in zip(h, V, strict=True)]
        total += sum((mpmath.fdot(row, h) - t) ** 2 for row, t in zip(params["B"], y_i, strict=True))
    return total / len(x)


@each
@pytest.mark.parametrize("sigma", SIGMAS, ids=lambda s: "{}-{}-{}".format(*s))
def test_loss_and_gradients_are_those_of_fifty_digit_arithmetic(name: str, device: str, sigma: tuple[str, float, float]) -> None:
    spec, params, x, y = instance(q=3, m=2, L=3, n=2, d=2, dout=2, sigma=sigma)
    found, bound = load(name, device), rounding(spec, params, x, y)
    with mpmath.workdps(50):
        h = mpmath.mpf(10) ** -20  # central differences: error h² relatively, and 1e-50/h from rounding
        assert abs(found.loss(spec, params, x, y) - exact_loss(spec, params, x, y)) <= bound["loss"]
        gradient = found.gradients(spec, params, x, y)
        for k in BLOCKS:
            exact = np.empty_like(params[k])
            for index in np.ndindex(exact.shape):
                moved = [np.array(params[k], dtype=object), np.array(params[k], dtype=object)]
                moved[0][index] += h
                moved[1][index] -= h
                up, down = (exact_loss(spec, {**params, k: value}, x, y) for value in moved)
                exact[index] = float((up - down) / (2 * h))
            assert size(gradient[k] - exact) <= bound["gradients"][k], k


@other
@pytest.mark.parametrize("pi", CLIPS, ids=str)
@pytest.mark.parametrize("sigma", SIGMAS, ids=lambda s: "{}-{}-{}".format(*s))
def test_others_and_numpy_agree_to_rounding(name: str, device: str, sigma: tuple[str, float, float], pi: tuple[str, float] | None) -> None:
    ours, other = load("numpy"), load(name, device)
    sizes = [(4, 5, 6, 3, 2, 2), (1, 1, 1, 1, 1, 1), (3, 7, 20, 5, 1, 3)]
    for seed, (q, m, L, n, d, dout) in enumerate(sizes):
        spec, params, x, y = instance(q, m, L, n, d, dout, sigma, pi, seed=seed)
        bound = rounding(spec, params, x, y)
        a, b = ours.forward(spec, params, x), other.forward(spec, params, x)
        assert size(a["hidden"] - b["hidden"]) <= 2 * bound["hidden"]
        assert size(a["output"] - b["output"]) <= 2 * bound["output"]
        assert abs(ours.loss(spec, params, x, y) - other.loss(spec, params, x, y)) <= 2 * bound["loss"]
        for method in ("gradients", "velocity"):
            a, b = (getattr(i, method)(spec, params, x, y) for i in (ours, other))
            for k in BLOCKS:
                assert size(a[k] - b[k]) <= 2 * bound[method][k], (method, k)
                assert size(a[k]) > (1e5 if method == "gradients" else 1e3) * bound[method][k], "no power"


@each
@pytest.mark.parametrize("sizes", [(4, 5, 6, 3, 2, 1), (1, 1, 1, 1, 1, 1), (2, 3, 1, 1, 1, 2)], ids=str)
def test_results_have_the_protocols_shapes_and_dtype(name: str, device: str, sizes: tuple[int, int, int, int, int, int]) -> None:
    q, m, L, n, d, dout = sizes
    spec, params, x, y = instance(q, m, L, n, d, dout)
    spec["n"] = n + 7  # the number of samples is len(x)
    found = load(name, device)
    weights = {**params, "V": np.ones((2, q, m)), "W": np.ones((3, m, q))}
    shapes = {k: v.shape for k, v in params.items()}
    times = np.array([0.0, 0.01])
    expected = {
        "forward": ((x,), {"hidden": (L + 1, n, q), "output": (n, dout)}),
        "gradients": ((x, y), shapes),
        "velocity": ((x, y), shapes),
        "flow": ((x, y, times), {**{k: (2, *v) for k, v in shapes.items()}, "loss": (2,)}),
        "neural_ode": ((x, np.array([0.1, 0.5, 0.7])), {"hidden": (3, n, q), "output": (n, dout)}),
    }
    assert type(found.loss(spec, params, x, y)) is float
    for method, (arguments, result) in expected.items():
        got = getattr(found, method)(spec, weights if method == "neural_ode" else params, *arguments)
        assert {k: v.shape for k, v in got.items()} == result, method
        assert {v.dtype for v in got.values()} == {np.dtype(np.float64)}, method


@each
def test_inputs_stay_unchanged_and_results_are_no_views_of_them(name: str, device: str) -> None:
    spec, params, x, y = instance(pi=("smooth", 0.5), train="VW")
    found, s = load(name, device), np.array([0.0, 0.5, 1.0])
    given = [*params.values(), x, y, s]
    before = [a.copy() for a in given]
    for a in given:
        a.flags.writeable = False
    results = [
        found.forward(spec, params, x),
        found.gradients(spec, params, x, y),
        found.velocity(spec, params, x, y),
        found.flow(spec, params, x, y, s),
        found.neural_ode(spec, params, x, s),
    ]
    assert all(np.array_equal(a, b) for a, b in zip(given, before, strict=True))
    assert not any(np.shares_memory(r, a) for result in results for r in result.values() for a in given)
    again = found.gradients(spec, params, x, y)
    assert all(np.array_equal(again[k], results[1][k]) for k in BLOCKS), "overwritten by a later call"


@each
def test_blocks_that_are_not_trained_have_velocity_zero_and_stay(name: str, device: str) -> None:
    spec, params, x, y = instance(train="VW")
    found = load(name, device)
    full = found.velocity({**spec, "train": "AVWB"}, params, x, y)
    part = found.velocity(spec, params, x, y)
    states = found.flow(spec, params, x, y, np.array([0.1, 0.2]))
    for k in BLOCKS:
        assert np.array_equal(part[k], full[k] if k in "VW" else 0 * full[k])
        assert np.array_equal(states[k][1], params[k]) == (k in "AB")
    free = load("numpy").flow({**spec, "train": "AVWB"}, params, x, y, np.array([0.1, 0.2]))
    assert size(free["V"] - states["V"]) > 1e-3, "A and B were trained after all"


def test_the_loss_is_a_mean_over_samples_and_a_sum_over_outputs() -> None:
    assert residual.loss(np.array([[1.0, 2.0], [3.0, 4.0]]), np.zeros((2, 2))) == 15.0


def test_the_adjoint_is_n_times_the_derivative_by_the_hidden_states() -> None:
    spec, params, x, y = instance(L=4)
    theta = {k: torch.tensor(v) for k, v in params.items()}
    h = [(torch.tensor(x) @ theta["A"].T).requires_grad_()]
    for V, W in zip(theta["V"], theta["W"], strict=True):
        h.append(h[-1] + torch.tanh(h[-1] @ W.T / math.sqrt(spec["q"])) @ V.T / (4 * math.sqrt(spec["m"])))
    ell = (h[-1] @ theta["B"].T - torch.tensor(y)).square().sum() / len(x)
    expected = len(x) * np.stack([g.numpy() for g in torch.autograd.grad(ell, h)])
    p = backward.adjoint(spec, params, residual.forward(spec, params, x)[0], y)
    assert size(p - expected) <= 2 * rounding(spec, params, x, y)["p"]
    assert size(p[0] - p[-1]) > 0.01 * size(p[-1]), "the instance does not tell p_0 from p_L"


def test_leading_axes_are_networks_on_their_own() -> None:
    cases = [[instance(seed=3 * i + j) for j in range(3)] for i in range(2)]
    spec = cases[0][0][0]
    params = {k: np.array([[c[1][k] for c in row] for row in cases]) for k in BLOCKS}
    x, y = (np.array([[c[j] for c in row] for row in cases]) for j in (2, 3))
    hidden, output = residual.forward(spec, params, x)
    p = backward.adjoint(spec, params, hidden, y)
    together = backward.gradients(spec, params, hidden, p, x, y)
    ell, fused = backward.loss_and_gradients(spec, params, x, y)
    assert hidden.flags.c_contiguous and p.flags.c_contiguous
    for i, j in np.ndindex(2, 3):
        _, theta, x_ij, y_ij = cases[i][j]
        bound = rounding(spec, theta, x_ij, y_ij)
        alone = load("numpy").forward(spec, theta, x_ij)
        assert size(hidden[i, j] - alone["hidden"]) <= 2 * bound["hidden"]
        assert size(output[i, j] - alone["output"]) <= 2 * bound["output"]
        assert abs(ell[i, j] - load("numpy").loss(spec, theta, x_ij, y_ij)) <= 2 * bound["loss"]
        gradient = load("numpy").gradients(spec, theta, x_ij, y_ij)
        for k in BLOCKS:
            assert size(together[k][i, j] - gradient[k]) <= 2 * bound["gradients"][k]
            assert size(fused[k][i, j] - gradient[k]) <= 2 * bound["gradients"][k]
    shared = backward.adjoint(spec, params, hidden, y[0, 0])  # the same labels for all of them
    assert np.array_equal(shared[0, 0], p[0, 0])


# --- clips


@pytest.mark.parametrize("kind", ["coordinate", "radial", "smooth"])
def test_clips_are_bounded_by_their_suprema_and_reach_them(kind: str) -> None:
    spec = instance(q=3, m=5, pi=(kind, 0.25))[0]
    r = np.random.RandomState(1)
    shapes = {"A": [(3, 2)], "B": [(2, 3)], "Z": [(3, 5), (5, 3)]}
    for block, parts in shapes.items():
        for scale in (0.1, 1.0, 1e6):
            g = [scale * r.randn(*shape) for shape in parts]
            norms = [size(c) for c in clip(spec, block, *g)]
            assert math.hypot(*norms) <= euclidean_supremum(spec, block) * (1 + 8 * EPS)
            assert sum(norms) <= sum_norm_supremum(spec, block) * (1 + 8 * EPS)
        large = [np.full(shape, 1e9) for shape in parts]  # V and W of equal norms: both suprema are reached
        norms = [size(c) for c in clip(spec, block, *large)]
        assert math.hypot(*norms) == pytest.approx(euclidean_supremum(spec, block), rel=50 * EPS)
        assert sum(norms) == pytest.approx(sum_norm_supremum(spec, block), rel=50 * EPS)
    free = {**spec, "clip": None}
    assert sum_norm_supremum(free, "Z") == euclidean_supremum(free, "A") == math.inf


def test_suprema_are_those_of_the_protocol() -> None:
    spec = instance(q=3, m=5, d=2, dout=1, pi=("coordinate", 0.5))[0]
    assert euclidean_supremum(spec, "A") == 0.5 * math.sqrt(6)
    assert euclidean_supremum(spec, "B") == 0.5 * math.sqrt(3)
    assert euclidean_supremum(spec, "Z") == 0.5 * math.sqrt(30)
    assert sum_norm_supremum(spec, "Z") == 0.5 * (math.sqrt(15) + math.sqrt(15))
    radial = {**spec, "clip": {"kind": "radial", "radius": 0.5}}
    assert [euclidean_supremum(radial, block) for block in "ABZ"] == [0.5, 0.5, 0.5]
    assert sum_norm_supremum(radial, "Z") == 0.5 * math.sqrt(2)
    assert sum_norm_supremum(radial, "A") == 0.5


def test_clips_act_as_written() -> None:
    spec = instance()[0]
    V, W = np.array([[3.0, -0.5]]), np.array([[0.0], [4.0]])
    coordinate, radial, smooth = ({**spec, "clip": {"kind": kind, "radius": 1.0}} for kind in ("coordinate", "radial", "smooth"))
    assert np.array_equal(clip(coordinate, "Z", V, W)[0], [[1.0, -0.5]])
    norm = math.sqrt(9 + 0.25 + 16)
    assert clip(radial, "Z", V, W)[1] == pytest.approx(W / norm, rel=4 * EPS)
    assert np.array_equal(clip(radial, "A", V / 10)[0], V / 10)
    assert np.array_equal(clip(radial, "A", 0 * V)[0], 0 * V)
    assert clip(smooth, "B", V)[0] == pytest.approx(np.tanh(V), rel=4 * EPS)
    assert clip(spec, "Z", V, W) == (V, W)
    for wrong in (
        lambda: clip(spec, "V", V),
        lambda: clip(spec, "Z", V),
        lambda: euclidean_supremum(coordinate, "W"),
    ):
        with pytest.raises(ValueError, match="block"):
            wrong()
    with pytest.raises(ValueError, match="coordinate, radial, smooth"):
        clip({**spec, "clip": {"kind": "square", "radius": 1.0}}, "A", V)


def test_the_clip_acts_after_the_factor_L_and_on_each_layer_alone() -> None:
    spec, params, x, y = instance(pi=("radial", 0.05))
    free = load("numpy").velocity({**spec, "clip": None}, params, x, y)
    gradient = load("numpy").gradients(spec, params, x, y)
    clipped = load("numpy").velocity(spec, params, x, y)
    assert size(free["V"] + spec["L"] * gradient["V"]) == 0
    norms = np.hypot(size(free["V"], 1), size(free["W"], 1))
    assert (norms > 0.05).all()
    assert np.hypot(size(clipped["V"], 1), size(clipped["W"], 1)) == pytest.approx(0.05, rel=50 * EPS)
    assert clipped["W"] == pytest.approx(free["W"] * (0.05 / norms)[:, None, None], rel=50 * EPS)


# --- the steppers


def on_tensors(rhs: flow.RightHandSide, state: Array, times: Array, rtol: float, blocks: list[flow.Block]) -> Array:
    """`torch_stepper.solve` of a right-hand side on NumPy vectors."""

    def batched(t: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.tensor(rhs(float(t), y.numpy()[0]))[None]

    return torch_stepper.solve(batched, torch.tensor(state)[None], times, rtol, blocks)[:, 0]


steppers = pytest.mark.parametrize("solve", [flow.solve, on_tensors], ids=["scipy", "torchdiffeq"])
Solve = Callable[..., Array]


@steppers
def test_the_stepper_is_exact_where_the_solution_is_known(solve: Solve) -> None:
    times = np.array([1e-12, 1e-7, 1e-3, 0.1, 1.0, 3.0])

    def rhs(t: float, y: Array) -> Array:  # y_0 = e^t, (y_1, y_2) a rotation, y_3, y_4, y_5 = t, t²/2, t³/6
        return np.array([y[0], -7 * y[2], 7 * y[1], 1.0, y[3], y[4]])

    moved = solve(rhs, np.array([1.0, 1, 0, 0, 0, 0]), times, 1e-11, [flow.Block(n) for n in (1, 2, 1, 1, 1)])
    rotated = [-2 * np.sin(3.5 * times) ** 2, np.sin(7 * times)]
    exact = [np.expm1(times), *rotated, times, times**2 / 2, times**3 / 6]
    for j, (e, got) in enumerate(zip(exact, moved.T, strict=True)):
        scale = np.hypot(exact[1], exact[2]) if j in (1, 2) else np.abs(e)
        # Local errors of 1e-11 of the displacement, some 50 steps, no growth for these but e^t, which is
        # relative. The floor: rounding of a state of norm √2, which y_5 = 2e-37 at the first time lies below.
        assert (np.abs(got - e) <= 5e-10 * scale + 4 * EPS).all(), j
        assert (np.abs(got - e) <= 5e-10 * scale)[2:].all(), j


def test_the_stepper_ends_at_each_time_and_does_not_depend_on_the_others() -> None:
    spec, params, x, y = instance()
    few = flow.integrate(spec, params, x, y, np.array([0.5]))
    many = flow.integrate(spec, params, x, y, np.linspace(0, 0.5, 30))
    for k in BLOCKS:
        assert np.array_equal(many[k][0], params[k])
        assert size(few[k][0] - many[k][-1]) <= 1e-8 * size(few[k][0] - params[k])
    assert flow.integrate(spec, params, x, y, np.array([0.0]))["loss"] == many["loss"][0]
    assert flow.integrate(spec, params, x, y, np.array([]))["V"].shape == (0, 6, 4, 5)


@steppers
@pytest.mark.parametrize("zero", ["B", "A", "x", "y - F(x)"])
def test_blocks_that_start_without_speed_cost_no_more_steps(zero: str, solve: Solve) -> None:
    """V = 0 too. With B = 0 V moves by t², W by t⁴; without a residual nothing moves."""
    spec, params, x, y = instance(3, 4, 3, 2, 1, 1, start="paper")
    if zero in params:
        params[zero] = 0 * params[zero]
    x = 0 * x if zero == "x" else x
    y = residual.forward(spec, params, x)[1] if zero == "y - F(x)" else y
    calls, found = [], load("numpy")
    shapes = [params[k].shape for k in BLOCKS]

    def rhs(_: float, z: Array) -> Array:
        calls.append(z)
        v = found.velocity(spec, dict(zip(BLOCKS, flow.unpack(z, shapes), strict=True)), x, y)
        return flow.pack(v[k] for k in BLOCKS)

    times, start = np.array([0.0, 1e-6, 1e-3, 1.0]), flow.pack(params[k] for k in BLOCKS)
    moved = solve(rhs, start, times, 1e-10, [flow.Block(math.prod(shape)) for shape in shapes])
    assert len(calls) <= 330  # some 20 steps of 12 or 13 stages; noise resolved to a relative 1e-10 costs thousands
    run = {k: params[k] + piece for k, piece in zip(BLOCKS, flow.unpack(moved, shapes), strict=True)}
    case = (spec, params, x, y)
    exact = scipys_flow(*case, times)
    for k in BLOCKS:
        allowed = 1e-8 * size(exact[k] - exact[k][0], 1) + 1e-10 * size(exact[k], 1)
        # The noise floor: rounding of the whole state, in each of some 20 steps.
        assert (size(run[k] - exact[k], 1) <= allowed + 20 * 2 * EPS * size(start)).all(), k


@steppers
def test_the_stepper_says_when_it_fails(solve: Solve) -> None:
    with pytest.raises(RuntimeError, match=r"gave up at t = (0\.99999|1\.0000)"):
        solve(lambda t, y: y * y, np.array([1.0]), np.array([2.0]), 1e-9, [flow.Block(1)])
    with pytest.raises(RuntimeError, match="gave up"):
        solve(lambda t, y: y * math.nan, np.array([1.0]), np.array([2.0]), 1e-9, [flow.Block(1)])
    for times in ([0.0, 0.0], [1.0, 0.5], [-1.0, 1.0], [0.0, math.inf], [[0.0, 1.0]]):
        with pytest.raises(ValueError, match="strictly increasing"):
            solve(lambda t, y: y, np.array([1.0]), np.array(times), 1e-9, [flow.Block(1)])
    with pytest.raises(ValueError, match="rtol"):
        solve(lambda t, y: y, np.array([1.0]), np.array([1.0]), 1e-16, [flow.Block(1)])


@steppers
def test_the_stepper_gives_up_after_a_number_of_evaluations(solve: Solve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flow, "MAX_CALLS", 1000)
    monkeypatch.setattr(torch_stepper, "MAX_CALLS", 1000)
    with pytest.raises(RuntimeError, match=r"gave up at t = 0\..*1000 evaluations"):
        solve(lambda t, y: np.sin(1e6 * y), np.array([1.0]), np.array([1.0]), 1e-9, [flow.Block(1)])


@steppers
@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_trial_step_that_overflows_is_taken_again(value: float, solve: Solve) -> None:
    calls = []

    def rhs(t: float, y: Array) -> Array:
        calls.append(t)
        return y * (value if len(calls) == 50 else 1.0)

    moved = solve(rhs, np.array([1.0]), np.array([1.0]), 1e-10, [flow.Block(1)])
    assert moved[0, 0] == pytest.approx(math.e - 1, rel=1e-9)
    assert len(calls) > 50


def test_states_stepped_together_keep_their_own_tolerances() -> None:
    """A small state that turns 40 times as fast as a large one; with states that rest it takes the steps that it takes alone."""
    speeds, sizes = torch.tensor([40.0, 1.0, 0.0, 0.0], dtype=torch.float64), torch.tensor([1e-6, 1.0, 1.0, 1.0], dtype=torch.float64)
    state, times = torch.stack([sizes, 0 * sizes], dim=1), np.array([1e-3, 1.0])

    def solve(of: list[int]) -> Array:
        def rhs(t: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return speeds[of, None] * torch.stack([-y[:, 1], y[:, 0]], dim=1)

        return torch_stepper.solve(rhs, state[of], times, 1e-11, [flow.Block(2)])

    moved, angle = solve([0, 1, 2, 3]), times[:, None] * speeds.numpy()
    exact = sizes.numpy()[:, None] * np.stack([-2 * np.sin(angle / 2) ** 2, np.sin(angle)], axis=-1)
    # Some hundred steps; local errors of 1e-11 of the displacement and of |y| t.
    assert (size(moved - exact, 2) <= 1e-9 * size(exact, 2)).all()
    assert np.array_equal(solve([0, 2, 3])[:, 0], solve([0])[:, 0])


# --- flows: what the protocol asks, per array, of which a tenth is used at most


def trained(spec: dict[str, Any]) -> list[str]:
    return [k for k in BLOCKS if k in spec["train"]]


def spent(spec: dict[str, Any], got: dict[str, Array], exact: dict[str, Array]) -> float:
    """The largest error of an array as a fraction of what the protocol allows."""
    share = 1e-6 if spec["clip"] and spec["clip"]["kind"] in ("coordinate", "radial") else 1e-7
    worst = 0.0
    for k in trained(spec):
        allowed = share * size(exact[k] - exact[k][0], 1) + 1e-9 * size(exact[k], 1)
        worst = max(worst, float(np.max(size(got[k] - exact[k], 1)[1:] / allowed[1:])))
    return worst


def scipys_flow(spec: dict[str, Any], params: dict[str, Array], x: Array, y: Array, times: Array) -> dict[str, Array]:
    """The flow by scipy's own DOP853 with its componentwise control, at its finest tolerance."""
    names, found = trained(spec), load("numpy")
    shapes = [params[k].shape for k in names]

    def rhs(_: float, z: Array) -> Array:
        theta = {**params, **dict(zip(names, flow.unpack(z, shapes), strict=True))}
        v = found.velocity(spec, theta, x, y)
        return flow.pack(v[k] for k in names)

    start = flow.pack(params[k] for k in names)
    first = times[1] / 100
    run = solve_ivp(
        rhs,
        (0, times[-1]),
        start,
        "DOP853",
        t_eval=times,
        rtol=1e-13,
        atol=1e-15,
        first_step=first,
        max_step=np.inf,
    )
    return dict(zip(names, flow.unpack(run.y.T.copy(), shapes), strict=True))


@pytest.mark.parametrize("pi", [None, ("smooth", 0.3)], ids=str)
@pytest.mark.parametrize(
    ("label", "T"),
    [(1e-3, 1e-5), (1e-3, 3.0), (1.0, 1e-5), (1.0, 1e-2), (1.0, 3.0), (30.0, 1e-3), (30.0, 0.1)],
)
def test_flows_keep_a_tenth_of_the_error_asked(pi: tuple[str, float] | None, label: float, T: float) -> None:
    for seed, start, train in ((0, "paper", "AVWB"), (1, "smooth", "AVWB"), (2, "smooth", "VW")):
        case = instance(3, 4, 3, 2, 1, 1, pi=pi, label=label, start=start, train=train, seed=seed)
        times = np.array([0, T / 3, T])
        assert spent(case[0], flow.integrate(*case, times), scipys_flow(*case, times)) <= 0.1, (start, train)


def located_flow(spec: dict[str, Any], params: dict[str, Array], x: Array, y: Array, times: Array) -> tuple[dict[str, Array], int]:
    """The flow of a kinked clip with its kinks located, and their number.

    Between kinks the set of what is clipped is frozen, which makes the right-hand side smooth. A step of
    scipy's DOP853 at whose end the set has changed is taken again, up to the first change.
    """
    names, shapes, r = trained(spec), [params[k].shape for k in trained(spec)], spec["clip"]["radius"]
    free = {**spec, "clip": None}

    def unclipped(z: Array) -> list[Array]:
        theta = {**params, **dict(zip(names, flow.unpack(z, shapes), strict=True))}
        v = load("numpy").velocity(free, theta, x, y)
        return [v[k] for k in names]

    def groups(v: list[Array]) -> Array:
        """For each number of the state the size that is compared with r."""
        if spec["clip"]["kind"] == "coordinate":
            return np.abs(flow.pack(v))
        g = dict(zip(names, v, strict=True))
        z = np.hypot(size(g["V"], 1), size(g["W"], 1))[:, None, None]
        return flow.pack(np.broadcast_to(z if k in "VW" else size(g[k]), g[k].shape) for k in names)

    def rhs(_: float, z: Array) -> Array:
        v = unclipped(z)
        return np.asarray(flow.pack(v) * np.where(clipped, r / np.maximum(groups(v), r / 2), 1.0))

    def changed(z: Array) -> Array:
        return np.asarray((groups(unclipped(z)) > r) != clipped)

    z, t, rows, kinks = flow.pack(params[k] for k in names), 0.0, [], 0
    clipped = groups(unclipped(z)) > r
    for stop in times:
        while t < stop:
            run = DOP853(rhs, t, z, stop, rtol=1e-12, atol=1e-14)
            run.step()  # before the first look: the start may lie a rounding before its kink
            while run.status == "running" and not changed(run.y).any():
                run.step()
            if not changed(run.y).any():
                t, z = stop, run.y
                continue
            lo, hi, dense = run.t_old, run.t, run.dense_output()
            while lo < (middle := (lo + hi) / 2) < hi:
                lo, hi = (lo, middle) if changed(dense(middle)).any() else (middle, hi)
            again = solve_ivp(rhs, (run.t_old, hi), run.y_old, "DOP853", rtol=1e-12, atol=1e-14)
            t, z, kinks = hi, again.y[:, -1], kinks + 1
            clipped = clipped ^ changed(dense(hi))
        rows.append(z)
    return dict(zip(names, flow.unpack(np.array(rows), shapes), strict=True)), kinks


@pytest.mark.parametrize("pi", [("coordinate", 0.1), ("coordinate", 0.5), ("radial", 0.3)])
def test_flows_with_kinks_keep_a_tenth_of_the_error_asked(pi: tuple[str, float]) -> None:
    total = 0
    for seed, start, label, T in ((0, "paper", 1.0, 2.0), (1, "smooth", 1.0, 1.0), (0, "paper", 10.0, 0.3)):
        case = instance(2, 2, 2, 2, 1, 1, pi=pi, label=label, start=start, seed=seed)
        times = np.array([0, T / 3, T])
        exact, kinks = located_flow(*case, times)
        assert spent(case[0], flow.integrate(*case, times), exact) <= 0.1, (start, label, kinks)
        total += kinks
    assert total > 1, "no kink on the way"


def test_a_kink_that_the_error_estimate_overlooks_is_found_by_a_second_run() -> None:
    """A draw of some thousand on which a single run at 0.03 rtol and one at 0.1 rtol miss what is asked, and alike."""
    spec = Spec.model_validate(
        {
            "regime": {"kind": "clipped-flow"},
            **{"d": 1, "dout": 2, "q": 2, "m": 7, "L": 1, "n": 5, "rtol": 1e-10, "T": 0.5, "times": [0.0, 0.125, 0.25, 0.375, 0.5]},
            "activation": {"name": "algebraic", "a": 0.5, "b": 0.5},
            "clip": {"kind": "coordinate", "radius": 0.01},
            "init": {"kind": "paper", "seed": 658917},
            "data": {"kind": "sphere", "seed": 121, "label_scale": 3.0},
        }
    )
    batch = realise(spec, ArrayStore())
    case = batch.network, batch.params, batch.x, batch.y
    exact, kinks = located_flow(*case, np.array(spec.times))
    assert kinks > 0
    for found in (load("numpy"), load("torch")):
        assert spent(batch.network, found.flow(*case, np.array(spec.times)), exact) <= 0.025
    once = flow.integrate(*case, np.array(spec.times), rtol=0.1 * spec.rtol)
    assert spent(batch.network, once, exact) > 0.2  # of ten times that, at the default rtol


@other
@pytest.mark.parametrize("pi", CLIPS, ids=str)
def test_the_flow_of_others_is_the_numpy_flow(name: str, device: str, pi: tuple[str, float] | None) -> None:
    case = instance(3, 4, 3, 2, 1, 1, pi=pi, start="paper")
    times = np.array([0, 1e-3, 0.4])
    ours, other = (i.flow(*case, times) for i in (load("numpy"), load(name, device)))
    assert spent(case[0], other, ours) <= 0.2  # a tenth each
    # Losses of states within 1e-6 of their displacement: to first order within 1e-6 of their change, twice.
    lost = ours["loss"][0] - ours["loss"]
    assert (np.abs(ours["loss"] - other["loss"]) <= 2e-6 * lost + 2 * rounding(*case)["loss"]).all()


@pytest.mark.parametrize("pi", CLIPS, ids=str)
def test_the_energy_is_what_the_loss_has_lost(pi: tuple[str, float] | None) -> None:
    for train in ("AVWB", "VW"):
        case = instance(3, 2, 3, 2, 1, 1, pi=pi, train=train)
        run = flow.integrate(*case, np.array([0, 1e-6, 0.01, 1.0]))
        lost = run["loss"][0] - run["loss"]
        # The error asked of arrays, 1e-7, for the energy too, and the rounding of the losses subtracted.
        assert (np.abs(run["energy"] - lost) <= 1e-7 * lost + 2 * rounding(*case)["loss"]).all()
        assert lost[-1] > 0.05 * run["loss"][0]


def test_a_network_that_fits_its_data_stays() -> None:
    spec, params, x, _ = instance()
    y = residual.forward(spec, params, x)[1]
    run = flow.integrate(spec, params, x, y, np.array([0.0, 100.0]))
    assert all(size(run[k][1] - params[k]) <= 1e-9 * size(params[k]) for k in BLOCKS)


# --- the limit


def ode_error_spent(got: Array, exact: Array) -> float:
    """Error of H as a fraction of what the protocol allows: 1e-7 |H(s) - H(0)|_F + 1e-9 |H(s)|_F."""
    allowed = 1e-7 * size(exact - exact[0], 1) + 1e-9 * size(exact, 1)
    return float(np.max(size(got - exact, 1)[1:] / allowed[1:]))


@each
def test_constant_linear_weights_give_a_matrix_exponential(name: str, device: str) -> None:
    spec, params, x, _ = instance(sigma=("identity", 1.0, 1.0))
    weights = {**params, "V": params["V"][:1], "W": params["W"][:1]}
    s = np.array([0.0, 1e-6, 0.3, 1.0])
    M = params["V"][0] @ params["W"][0] / math.sqrt(spec["m"] * spec["q"])
    exact = np.stack([x @ params["A"].T @ expm(s_j * M).T for s_j in s])
    got = load(name, device).neural_ode(spec, weights, x, s)
    assert ode_error_spent(got["hidden"], exact) <= 0.01
    assert size(got["output"] - exact[-1] @ params["B"].T) <= 1e-9 * size(exact[-1]) * size(params["B"])


@each
@pytest.mark.parametrize("scale", [0.1, 1.0, 4.0])
def test_the_neural_ode_solves_its_equation(name: str, device: str, scale: float) -> None:
    spec, params, x, _ = instance(L=5, sigma=("sin", 1.0, 1.0))
    weights = {k: v * (scale if k in "VW" else 1) for k, v in params.items()}  # layers as coefficients

    def rhs(s: float, state: Array) -> Array:
        V, W = (chebyshev.chebval(2 * s - 1, weights[k]) for k in "VW")
        H = state.reshape(3, 4)
        return np.ravel(np.sin(H @ W.T / 2.0) @ V.T / math.sqrt(5))

    s = np.array([0.0, 0.01, 0.5, 1.0])
    run = solve_ivp(rhs, (0, 1), (x @ params["A"].T).ravel(), "DOP853", t_eval=s, rtol=1e-13, atol=1e-14)
    exact = run.y.T.reshape(4, 3, 4)
    got = load(name, device).neural_ode(spec, weights, x, s)
    assert ode_error_spent(got["hidden"], exact) <= 0.02  # the reference itself is good to about half of that
    inner = load(name, device).neural_ode(spec, weights, x, s[1:3])
    assert size(inner["hidden"] - got["hidden"][1:3]) <= 1e-9 * size(exact)
    assert size(inner["output"] - got["output"]) <= 1e-9 * size(exact[-1]) * size(params["B"])


def test_deep_networks_tend_to_the_neural_ode() -> None:
    spec, params, x, _ = instance(L=4)
    limit_output = limit.neural_ode(spec, params, x, np.array([1.0]))["output"]
    gaps = []
    for L in (64, 128, 256):
        layers = {k: np.stack([limit.weights_at(params[k], j / L) for j in range(1, L + 1)]) for k in "VW"}
        gaps.append(size(residual.forward({**spec, "L": L}, {**params, **layers}, x)[1] - limit_output))
    slopes = np.log2(np.array(gaps[1:]) / gaps[:-1])
    # The gap is c/L + O(1/L²): local slopes are -1 + O(1/L), with a constant of the order of the weights'
    # variation (below 10).
    assert np.abs(slopes + 1) == pytest.approx(0, abs=10 / 64)


def test_s_outside_the_unit_interval_is_refused() -> None:
    spec, params, x, _ = instance()
    for s in ([-0.1, 0.5], [0.5, 1.1], [0.5, 0.5]):
        with pytest.raises(ValueError, match="increas"):
            load("numpy").neural_ode(spec, params, x, np.array(s))


# --- batches, names, devices


@pytest.mark.parametrize("device", DEVICES)
def test_a_batch_of_torch_calls_is_the_calls_one_by_one(device: str) -> None:
    found = load("torch", device)
    cases = [instance(q=3 + j % 2, sigma=SIGMAS[j % 3 + 2], pi=CLIPS[j % 4], seed=j) for j in range(24)]
    cases += [cases[1], cases[0]]
    for method in ("forward", "loss", "gradients", "velocity"):
        arguments = [case[:3] if method == "forward" else case for case in cases]
        together = found.batch(method, arguments)
        assert len(together) == len(cases)
        for case, call, result in zip(cases, arguments, together, strict=True):
            alone, bound = getattr(found, method)(*call), rounding(*case)
            if method == "loss":
                assert type(result) is float and abs(result - alone) <= 2 * bound["loss"]
                continue
            bounds = bound if method == "forward" else bound[method]
            for k, value in alone.items():
                assert size(result[k] - value) <= 2 * bounds[k], (method, k)
    assert found.batch("loss", []) == []
    with pytest.raises(Unsupported, match="neural_ode"):
        found.batch("neural_ode", [])


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("pi", CLIPS, ids=str)
def test_a_batch_of_flows_is_the_flows_one_by_one(device: str, pi: tuple[str, float] | None) -> None:
    """Networks of different speeds, which step together, one of another size and one asked for other times, whichever stand together."""
    found = load("torch", device)
    cases = [instance(3, 4, 3, 2, 1, 1, pi=pi, label=label, start=start, seed=seed) for seed, (label, start) in enumerate(_MADE)]
    cases += [instance(2, 4, 3, 2, 1, 1, pi=pi), cases[0]]
    times = [np.array([1e-3, 0.02])] * 4 + [np.array([0.01])]
    calls = [(*case, t) for case, t in zip(cases, times, strict=True)]
    together, fewer = found.batch("flow", calls), found.batch("flow", calls[1:2])
    for case, call, answer in zip(cases, calls, together, strict=True):
        alone = found.flow(*call)
        assert {k: v.shape for k, v in answer.items()} == {k: v.shape for k, v in alone.items()}
        exact = {k: np.concatenate([case[1][k][None], load("numpy").flow(*call)[k]]) for k in BLOCKS}
        for got in (answer, alone):
            assert spent(case[0], {k: np.concatenate([case[1][k][None], got[k]]) for k in BLOCKS}, exact) <= 0.2  # a tenth each
        assert answer["loss"] == pytest.approx(alone["loss"], rel=1e-6)
    assert all(np.array_equal(fewer[0][k], found.flow(*calls[1])[k]) for k in BLOCKS)


_MADE = ((1.0, "paper"), (10.0, "smooth"), (1e-3, "smooth"))  # labels and starts: displacements of 1e-4 to 1


@pytest.mark.parametrize("device", DEVICES)
def test_torch_leaves_the_global_state_alone_and_refuses_other_dtypes(device: str) -> None:
    spec, params, x, y = instance()
    found = load("torch", device)
    before = torch.get_default_dtype(), torch.is_grad_enabled(), torch.is_inference_mode_enabled()
    found.velocity(spec, params, x, y)
    with torch.no_grad():
        gradient = found.gradients(spec, params, x, y)
    assert np.array_equal(gradient["V"], found.gradients(spec, params, x, y)["V"])
    assert (torch.get_default_dtype(), torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == before
    with pytest.raises(TypeError, match="float32"):
        found.forward(spec, params, x.astype(np.float32))
    with pytest.raises(NotImplementedError, match="softplus"):
        found.forward({**spec, "activation": {"name": "softplus", "a": 1.0, "b": 1.0}}, params, x)


def test_implementations_are_found_by_name(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [load(name).name for name in ("numpy", "torch", "compiled")] == ["numpy", "torch", "compiled"]
    assert load("depthlimit.models.torch_implementation:TorchImplementation").device == "cpu"
    (tmp_path / "adapter_for_this_test.py").write_text(
        "class Box:\n    @staticmethod\n    def make():\n        return 'made here'\nnumber = 3\n"
    )
    (tmp_path / "broken_adapter_for_this_test.py").write_text("import no_such_package_at_all\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [p for p in __import__("sys").path if p])
    assert load("adapter_for_this_test:Box.make") == "made here"
    for wrong, message in {
        "jax": "'numpy', 'torch', 'compiled' or 'package.module:factory'",
        "": "accepted",
        "a b:c": "accepted",
        "adapter_for_this_test:": "accepted",
        "adapter_for_this_test:missing": "has no 'missing'",
        "adapter_for_this_test:number": "got a int",
        "no_such_module_here:factory": "no module 'no_such_module_here'",
    }.items():
        with pytest.raises(ValueError, match=message):
            load(wrong)
    with pytest.raises(ModuleNotFoundError, match="no_such_package_at_all"):
        load("broken_adapter_for_this_test:factory")


def test_devices_that_are_not_there_are_refused() -> None:
    for name in ("numpy", "compiled"):
        with pytest.raises(ValueError, match=f"{name} runs on cpu only"):
            load(name, "cuda")
    for device in ("tpu", "cuda:x", "cpu:1", f"cuda:{torch.cuda.device_count()}"):
        with pytest.raises(ValueError, match="torch"):
            load("torch", device)
    with pytest.raises(ValueError, match="chooses its device itself"):
        load("depthlimit.models.torch_implementation:TorchImplementation", "cuda")
    assert TorchImplementation("cpu").device == "cpu"
