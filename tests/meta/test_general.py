"""General residual networks: branches and their bounds, a run by hand, and the derivations behind the differences from the paper."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sympy as sp

from depthlimit.models import backward, corpus_general, flow, residual
from depthlimit.models.data import ArrayStore
from depthlimit.models.general import Branch, Linear, Perceptron, Sine
from depthlimit.models.general_run import GeneralRun, adjoint, by_forward_mode, forward, gradients
from depthlimit.models.measure.registry import Fields
from depthlimit.models.spec import Spec
from depthlimit.theory.difference import differences
from depthlimit.theory.registry import claims

SIGMA = {"name": "tanh", "a": 1.5, "b": 0.5}
BRANCHES: tuple[Branch, ...] = (Linear(3), Sine(3), Perceptron(3, 2, SIGMA))
each = pytest.mark.parametrize("branch", BRANCHES, ids=lambda b: type(b).__name__)


def _spec(**more: Any) -> Spec:
    base = {"regime": {"kind": "general-flow"}, "d": 2, "dout": 2, "q": 3, "m": 2, "L": 4, "n": 2, "init": {"kind": "affine"}}
    return Spec.model_validate({**base, **more})


def _one(L: int, A: float, Z0: float, Z1: float, B: float, x: float, y: float, **more: Any) -> GeneralRun:
    inline = [["A", [1, 1], [A]], ["B", [1, 1], [B]], ["Z0", [1], [Z0]], ["Z1", [1], [Z1]]]
    data = [["x", [1, 1], [x]], ["y", [1, 1], [y]]]
    arrays = {"init": {"kind": "arrays", "arrays": {"inline": inline}}, "data": {"kind": "arrays", "arrays": {"inline": data}}}
    return GeneralRun(_spec(d=1, dout=1, q=1, m=1, L=L, n=1, **arrays, **more), ArrayStore())


# --- branches


@each
def test_jacobians_are_derivatives_of_the_value(branch: Branch) -> None:
    """Central differences with step s: the error is s²/6 |f'''| + u |f|/s, about 1e-10 for the derivatives of order 1 here."""
    random, s = np.random.RandomState(0), 1e-5
    h, z = random.standard_normal(branch.q), random.standard_normal(branch.p)
    by_h = [(branch.value(h + s * e, z) - branch.value(h - s * e, z)) / (2 * s) for e in np.eye(branch.q)]
    by_z = [(branch.value(h, z + s * e) - branch.value(h, z - s * e)) / (2 * s) for e in np.eye(branch.p)]
    np.testing.assert_allclose(branch.state_jacobian(h, z), np.transpose(by_h), atol=1e-9)
    np.testing.assert_allclose(branch.parameter_jacobian(h, z), np.transpose(by_z), atol=1e-9)


@each
def test_branches_vanish_at_the_state_0(branch: Branch) -> None:
    assert not branch.value(np.zeros(branch.q), np.ones(branch.p)).any()


def _norms(branch: Branch, h: np.ndarray, z: np.ndarray) -> list[float]:
    """|∂₁f|, |∂₂f|, and |∂₂₂f·u|, |∂₂₁f·u|, |∂₁₁f·u| for a random unit vector u, the latter by differences."""
    random, s = np.random.RandomState(1), 1e-5
    u, v = random.standard_normal(branch.p), random.standard_normal(branch.q)
    u, v = s * u / np.linalg.norm(u), s * v / np.linalg.norm(v)
    two = (branch.parameter_jacobian(h, z + u) - branch.parameter_jacobian(h, z - u)) / (2 * s)
    mixed = (branch.parameter_jacobian(h + v, z) - branch.parameter_jacobian(h - v, z)) / (2 * s)
    one = (branch.state_jacobian(h + v, z) - branch.state_jacobian(h - v, z)) / (2 * s)
    first = (branch.state_jacobian(h, z), branch.parameter_jacobian(h, z))
    return [float(np.linalg.norm(J, 2)) for J in (*first, two, mixed, one)]


@each
def test_no_point_of_the_compact_passes_the_suprema(branch: Branch) -> None:
    random = np.random.RandomState(2)
    for M, H in ((0.3, 2.0), (1.5, 0.5), (3.0, 1.0)):
        bounds = branch.suprema(np.array(M), np.array(H))
        for _ in range(100):
            h, z = random.standard_normal(branch.q), random.standard_normal(branch.p)
            h, z = H * h / np.linalg.norm(h), M * z / np.linalg.norm(z)
            local = branch.bounds(np.array(H), z)
            for found, near, bound in zip(_norms(branch, h, z), local, bounds, strict=True):
                assert found <= near * (1 + 1e-9) + 1e-9  # differences are good to 1e-10
                assert near <= bound * (1 + 1e-12)


@pytest.mark.parametrize("M", [0.4, 2.0])
def test_the_toy_suprema_are_attained(M: float) -> None:
    """Linear: rank one. Sine: one coordinate at min(M, π/2) for K₁ and K'₂₂, at 0 for K₂ and K'₂₁."""
    h, first = np.array([3.0, 0.0, 0.0]), np.array([1.0, 0.0, 0.0])
    exact = Linear(3).suprema(np.array(M), np.array(3.0))
    assert _norms(Linear(3), h, np.kron(first, M * first))[:2] == pytest.approx([float(exact.state), float(exact.parameter)])
    exact = Sine(3).suprema(np.array(M), np.array(3.0))
    steep = min(M, np.pi / 2) * first
    J = [Sine(3).parameter_jacobian(h, steep + s * first) for s in (1e-5, -1e-5)]
    assert np.linalg.norm(Sine(3).state_jacobian(h, steep), 2) == pytest.approx(exact.state)
    assert np.linalg.norm(Sine(3).parameter_jacobian(h, 0 * first), 2) == exact.parameter
    assert np.linalg.norm(J[0] - J[1], 2) / 2e-5 == pytest.approx(exact.second)
    J = [Sine(3).parameter_jacobian(h + s * first, 0 * first) for s in (0.5, -0.5)]
    assert np.linalg.norm(J[0] - J[1], 2) == exact.mixed


# --- the network


def test_the_perceptron_is_model_3() -> None:
    """The same network by the code of model (3): another layout of sums, so equal to a few ulp of terms of order 1."""
    q, m, L, n = 3, 2, 4, 5
    random = np.random.RandomState(3)
    x, y = random.standard_normal((n, 2)), random.standard_normal((n, 2))
    V, W = random.standard_normal((L, q, m)), random.standard_normal((L, m, q))
    A, B = random.standard_normal((q, 2)), random.standard_normal((2, q))
    branch = Perceptron(q, m, SIGMA)
    ours = {"A": A, "Z": np.concatenate([V.reshape(L, -1), W.reshape(L, -1)], axis=1), "B": B}
    theirs = {"A": A, "V": V, "W": W, "B": B}
    net = {"d": 2, "dout": 2, "q": q, "m": m, "L": L, "n": n, "activation": SIGMA, "train": "AVWB"}
    hidden, output = forward(branch, ours, x)
    np.testing.assert_allclose(hidden, residual.forward(net, theirs, x)[0], rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(output, residual.forward(net, theirs, x)[1], rtol=1e-13, atol=1e-13)
    p = adjoint(branch, ours, hidden, y)
    np.testing.assert_allclose(p, backward.adjoint(net, theirs, hidden, y), rtol=1e-12, atol=1e-12)
    g, right = gradients(branch, ours, hidden, p, x, y), backward.gradients(net, theirs, hidden, p, x, y)
    for k in "AB":
        np.testing.assert_allclose(g[k], right[k], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(g["Z"][:, : q * m].reshape(L, q, m), right["V"], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(g["Z"][:, q * m :].reshape(L, m, q), right["W"], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("clip", [None, {"kind": "radial", "radius": 0.2}, {"kind": "smooth", "radius": 0.5}])
def test_the_flow_of_the_perceptron_is_that_of_model_3(clip: dict[str, Any] | None) -> None:
    spec = _spec(regime={"kind": "general-flow", "residual": "perceptron"}, clip=clip, T=0.5, activation=SIGMA)
    run = GeneralRun(spec, ArrayStore())
    q, m, L = spec.q, spec.m, spec.L
    Z = run.batch.params["Z"]
    V, W = Z[:, : q * m].reshape(L, q, m), Z[:, q * m :].reshape(L, m, q)
    params = {"A": run.batch.params["A"], "V": V, "W": W, "B": run.batch.params["B"]}
    right = flow.integrate(run.network, params, run.batch.x, run.batch.y, run.times)
    together = np.concatenate([right["V"].reshape(len(run.times), L, -1), right["W"].reshape(len(run.times), L, -1)], axis=-1)
    for k, found in (("A", right["A"]), ("Z", together), ("B", right["B"])):
        difference = np.linalg.norm((run.flow[k][0] - found).reshape(len(run.times), -1), axis=1)
        assert np.all(difference <= 2 * run.state_error[k][0]), k


@each
def test_gradients_are_derivatives_of_the_loss(branch: Branch) -> None:
    """Central differences of the loss, from values only: good to about 1e-9 of terms of order 10."""
    random, s = np.random.RandomState(4), 1e-5
    x, y = random.standard_normal((2, 2)), random.standard_normal((2, 1))
    params = {"A": random.standard_normal((3, 2)), "Z": random.standard_normal((3, branch.p)) / 2, "B": random.standard_normal((1, 3))}

    def loss(moved: dict[str, np.ndarray]) -> float:
        return float(np.mean(np.sum((forward(branch, moved, x)[1] - y) ** 2, axis=1)))

    hidden, _ = forward(branch, params, x)
    p = adjoint(branch, params, hidden, y)
    np.testing.assert_allclose(p, by_forward_mode(branch, params, hidden, y), rtol=1e-12, atol=1e-12)
    g = gradients(branch, params, hidden, p, x, y)
    for k in params:
        for index in np.ndindex(*params[k].shape):
            step = np.zeros_like(params[k])
            step[index] = s
            slope = (loss({**params, k: params[k] + step}) - loss({**params, k: params[k] - step})) / (2 * s)
            assert abs(slope - g[k][index]) < 1e-7


# --- measures, by hand: f = zh, L = 2, A = 2, Z = (2, -1), B = 3, x = 1, y = 0
#     h = (2, 4, 2), F = 6, p_2 = 36, p_1 = p_2 (1 - 1/2) = 18, p_0 = p_1 (1 + 1) = 36


def test_the_setting_by_hand() -> None:
    fields = Fields(_one(2, 2.0, 5.0, -6.0, 3.0, 1.0, 0.0))
    expected = {
        "h0": 2.0,
        "Ax": 2.0,
        "h": [2, 4],
        "h_next": [4, 2],
        "f_value": [4, -4],
        "f_at_zero": [0, 0],
        "output": 6,
        "Bh": 6,
        "adj": [36, 18],
        "adj_next": [18, 36],
        "adj_last": 36,
        "B_error": 18,
        "J_adj": [36, -36],
        "Jt_adj": [36, -36],
        "sum_14": 36,
        "slope_A": 36,
        "sum_15": [36, 144],
        "slope_Z": [18, 72],
        "sum_16": 12,
        "slope_B": 24,
        "A_dot": -36,
        "pi_A": -36,
        "Z_dot": [-36, -144],
        "pi_Z": [-36, -144],
        "B_dot": -24,
        "pi_B": -24,
        "A_start": 2,
        "B_start": 3,
        "Z_start": [2, 1],
        "gap0": 3,
    }
    for name, value in expected.items():
        field = fields[name]
        start = field.values[:, 0] if "time" in field.axes else field.values
        np.testing.assert_allclose(start.ravel(), np.ravel(value), rtol=1e-14, err_msg=name)


def test_sizes_and_the_sums_of_20_by_hand() -> None:
    fields = Fields(_one(2, 2.0, 5.0, -6.0, 3.0, 1.0, 0.0))
    expected = {
        "h_size": [2, 4],
        "h_next_size": [4, 2],
        "dh_size": [2, 2],
        "f_size": [4, 4],
        "h0_size": 2,
        "Ax_size": 2,
        "p_size": [36, 18],
        "p_next_size": [18, 36],
        "dp_size": [18, 18],
        "J_size": [36, 36],
        "Jt_size": [36, 36],
        "p_last_size": 36,
        "B_error_size": 18,
        "Bh_size": 6,
        "y_size": 0,
        "J1_norm": [2, 1],
        "J2_norm": [2, 4],
        "dJ2_norm": 2,
        "dh_pair": 2,
        "gap_here": 3,
        "gap_rate": 108,
        "grad_gap": 108,
        "sum_20": 4 * 36 - 2 * 18,
        "sum_20_early": 0,
        "split_20": 4 * 18 + 18 * 2,
        "split_20_early": 4 * 18 + 36 * 2,
        "mean_dp": 18,
        "mean_dp_early": 18,
        "mean_p": 18,
        "mean_p_early": 36,
        "mean_p_dh": 36,
        "mean_p_dh_early": 72,
        "p_pair": 36,
        "M0_euclid": 5,  # |Z0|, at s = 0
        "clipped": 0,
        "K_pi": 1,
        "M_now": 3,
        "K1_now": 3,
        "K2_now": 3 * np.exp(3),
        "K22_now": 0,
        "K21_now": 1,
        "K1_here": [2, 1],
        "K1_pair": 2,
        "K2_pair": 4,
        "K22_pair": 0,
        "K21_pair": 1,
        "h_pair": 4,
    }
    for name, value in expected.items():
        field = fields[name]
        start = field.values[:, 0] if "time" in field.axes else field.values
        np.testing.assert_allclose(start.ravel(), np.ravel(value), rtol=1e-13, atol=1e-12, err_msg=name)


def test_a_saturated_flow_by_hand() -> None:
    """Every speed is the clip's radius 0.01: A = 0.02 + 0.01 t, paths are 0.01 t, the gap stays what it was."""
    spec = corpus_general.SATURATED
    run = GeneralRun(spec, ArrayStore())
    fields, t = Fields(run), run.times
    for name in ("A_norm", "B_norm"):
        np.testing.assert_allclose(fields[name].values[0], 0.02 + 0.01 * t, rtol=1e-10)
    for name in ("path_A", "path_B"):
        np.testing.assert_allclose(fields[name].values[0], 0.01 * t, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(fields["path_Z"].values[0], 0.01 * np.outer(t, [1, 1]), rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(fields["Z_size"].values[0], 0.02 + 0.01 * np.outer(t, [1, 1]), rtol=1e-10)
    assert float(fields["M_pi_euclid"].values) == 0.01
    M = 0.03
    for name, value in (("K1_sup", M), ("K2_sup", np.exp(M) * M * 0.97), ("K22_sup", 0.0), ("K21_sup", 1.0)):
        assert float(fields[name].values) == pytest.approx(value, rel=1e-12), name
    apart = GeneralRun(spec.model_copy(update={"init": _one(2, 0.02, 0.02, 0.01, 0.02, 1.0, 1.0).spec.init}), ArrayStore())
    np.testing.assert_allclose(Fields(apart)["gap_path"].values[0], 0.005 * t[:, None], rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(Fields(apart)["gap"].values[0], 0.005, rtol=1e-9)


@pytest.mark.parametrize("residual_kind", ["linear", "sine", "perceptron"])
def test_states_and_adjoints_lie_within_their_radii(residual_kind: str) -> None:
    """Against the same recurrences in 50-digit arithmetic."""
    import mpmath

    spec = _spec(regime={"kind": "general-flow", "residual": residual_kind}, init={"kind": "affine", "scale": 3.0, "slope": 2.0})
    run = GeneralRun(spec, ArrayStore())
    A, Z, B = (run.states[k][0, 0] for k in "AZB")
    with mpmath.workdps(50):
        exact = np.vectorize(mpmath.mpf, otypes=[object])

        def branch(h: Any, z: Any) -> tuple[Any, Any]:
            if residual_kind == "linear":
                return z.reshape(3, 3) @ h, z.reshape(3, 3)
            if residual_kind == "sine":
                s = np.array([mpmath.sin(v) for v in z])
                return h * s, np.diag(s)
            V, W = z[:6].reshape(3, 2), z[6:].reshape(2, 3)
            u = W @ h / mpmath.sqrt(3)
            S = np.array([mpmath.tanh(v) for v in u])
            slope = np.array([1 - v**2 for v in S])
            return V @ S / mpmath.sqrt(2), (V * slope) @ W / mpmath.sqrt(6)

        for i, (x, y) in enumerate(zip(run.batch.x, run.batch.y, strict=True)):
            h, jacobians = [exact(A) @ exact(x)], []
            for z in exact(Z):
                f, J = branch(h[-1], z)
                h.append(h[-1] + f / spec.L)
                jacobians.append(J)
            p = [2 * (exact(B) @ h[-1] - exact(y)) @ exact(B)]
            for J in reversed(jacobians):
                p.append(p[-1] + J.T @ p[-1] / spec.L)
            for k in range(spec.L + 1):
                dh = np.linalg.norm((h[k] - exact(run.hidden[0, 0, k, i])).astype(float))
                dp = np.linalg.norm((p[::-1][k] - exact(run.p[0, 0, k, i])).astype(float))
                df = np.linalg.norm((p[::-1][k] - exact(run.forward_mode[0, 0, k, i])).astype(float))
                assert dh <= run.hidden_error[0, 0, k, i]
                assert dp <= run.adjoint_error[0, 0, k, i]
                assert df <= 2 * np.sqrt(3) * run.adjoint_error[0, 0, k, i]


def test_specs_say_what_a_general_flow_takes() -> None:
    with pytest.raises(ValueError, match="init affine or arrays"):
        _spec(init={"kind": "paper"})
    with pytest.raises(ValueError, match="init affine or arrays"):
        _spec(regime={"kind": "plain-flow"})
    with pytest.raises(ValueError, match="a gain belongs to a clip"):
        _spec(regime={"kind": "general-flow", "gain": 2.0})
    with pytest.raises(ValueError, match="C2"):
        _spec(activation={"name": "relu"})


# --- derivations: the second confirmation of each difference


def test_printed_20_cancels_in_one_dimension() -> None:
    """f = zh: p_k = (1 + z_{k+1}/L) p_{k+1}, h_k = (1 + z_k/L) h_{k-1}, and ∂₂f = h."""
    h0, p2, z1, z2, L = sp.symbols("h0 p2 z1 z2 L")
    h1, p1 = (1 + z1 / L) * h0, (1 + z2 / L) * p2
    p0 = (1 + z1 / L) * p1
    assert sp.simplify(h1 * p1 - h0 * p0) == 0
    assert sp.simplify(h1 * p2 - h0 * p1 - h0 * p2 * (z1 - z2) / L) == 0
    assert (p1.subs({L: 2, z2: -2}), (h1 * p2 - h0 * p1).subs({L: 2, z2: -2, z1: 0})) == (0, h0 * p2)


def test_the_adjoint_takes_the_transpose() -> None:
    z = sp.Matrix(2, 2, sp.symbols("a b c d"))
    h, B, y = sp.Matrix(sp.symbols("h1 h2")), sp.Matrix([sp.symbols("b1 b2")]), sp.Symbol("y")
    error = (B * (h + z * h))[0] - y
    slope = sp.Matrix([sp.diff(error**2, v) for v in h])
    p1 = 2 * B.T * error
    assert sp.simplify(slope - (p1 + z.T * p1)) == sp.zeros(2, 1)
    L = sp.Symbol("L", positive=True)
    Z, p = sp.Matrix([[0, 0], [1, 0]]), sp.Matrix([0, 1])
    assert ((p + Z.T * p / L).norm(), p.norm() + (Z * p).norm() / L) == (sp.sqrt(1 + 1 / L**2), 1)


def test_velocities_differ_by_lipschitz_constant_times_beta_over_root_two() -> None:
    """The diagonal instance for small M: the limit of L |Z_2' - Z_1'|/β is Lip(π)/√2."""
    M, L, gain = sp.symbols("M L c", positive=True)
    z, MX, MY = M / sp.sqrt(2), sp.exp(-M), sp.Integer(1)
    Z, A, B = sp.diag(z, -z), sp.Matrix([M, 0]), sp.Matrix([[0, M]])
    h0 = A * MX
    h1 = h0 + Z * h0 / L
    h2 = h1 + Z * h1 / L
    p2 = 2 * B.T * ((B * h2)[0] - MY)
    p1 = p2 + Z.T * p2 / L
    rate = gain * (p2 * h1.T - p1 * h0.T).norm()
    K = M  # K₁ = M and K₂ = e^{K₁} M M_X = M
    beta = 2 * K * sp.exp(K) * M * (K + sp.exp(K) * M * MX) * (sp.exp(K) * M**2 * MX + MY)
    assert sp.simplify(sp.limit(sp.simplify(L * rate / beta), M, 0) - gain / sp.sqrt(2)) == 0


def test_every_difference_names_claims_that_exist() -> None:
    labels = {c.label for c in claims()}
    for difference in differences():
        words = difference.replay.split()
        if words[:2] == ["depthlimit", "explain"]:
            assert words[2] in labels, difference.id
