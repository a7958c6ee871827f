"""Proposition 11 on paper and pencil: closed forms, indices in integers, and the constants derived again."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import sympy as sp
from scipy.linalg import expm

from depthlimit.conformance.faults import SPECS
from depthlimit.models.chebyshev import points
from depthlimit.models.check import run
from depthlimit.models.consistency import ConsistencyRun, evaluate
from depthlimit.models.corpus import GENERAL_EULER
from depthlimit.models.data import ArrayStore
from depthlimit.models.measure.consistency import interpolation_index
from depthlimit.models.measure.registry import Fields, measured
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.spec import BadInput, Spec
from depthlimit.theory.difference import differences
from depthlimit.theory.paper import prop11_gap
from depthlimit.theory.paper import prop11_setting as prop11
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.registry import claims, quantities


def toy(residual: str, L: int, q: int = 1, *, sampling: str = "nodes", times: tuple[float, ...] = (0.0,), **arrays: list[float]) -> Spec:
    p = {"linear": q * q, "sine": q, "perceptron": 2 * q}[residual]
    sizes = {name: q if name.startswith("a") else p for name in ("a", "a_t", "a_L", "theta0", "theta1", "theta_t", "theta_L")}
    inline = [[name, [size], arrays.get(name, [0.0] * size)] for name, size in sizes.items()]
    regime = {"kind": "general-euler", "residual": residual, "sampling": sampling, "arrays": {"inline": inline}}
    more: dict[str, Any] = {"regime": regime, "d": q, "dout": 1, "q": q, "m": 1, "L": L, "n": 1, "times": times, "T": 5.0}
    return Spec.model_validate({**more, "activation": {"name": "identity"}})


def runs(*args: Any, **kwargs: Any) -> ConsistencyRun:
    return ConsistencyRun(toy(*args, **kwargs), ArrayStore())


S = np.linspace(0, 1, 7)


def test_chebyshev_integration_is_exact_for_polynomials() -> None:
    s, integral = points(8)
    series = np.einsum("cn,tnq->tcq", integral, (3 * s**2 - 2)[None, :, None])
    np.testing.assert_allclose(evaluate(series, S)[0, :, 0], S**3 - 2 * S, atol=1e-15)
    assert evaluate(series, np.zeros(1))[0, 0, 0] == 0


def test_a_constant_linear_branch_gives_the_exponential_of_its_matrix() -> None:
    Z, a = np.array([[0.3, -1.0], [2.0, 0.1]]), np.array([1.0, -0.5])
    found = runs("linear", 5, 2, a=list(a), theta0=list(Z.ravel()))
    exact = np.stack([expm(s * Z) @ a for s in S])
    assert np.max(np.abs(found.state(S)[0] - exact)) <= found.errors[0] <= 1e-11
    power = np.stack([np.linalg.matrix_power(np.eye(2) + Z / 5, k) @ a - a for k in range(6)])
    assert np.max(np.abs(found.scheme[0] - power)) <= found.errors[1] <= 1e-12
    np.testing.assert_allclose(found.curvature(S)[0], exact @ (Z @ Z).T, atol=1e-12)


@pytest.mark.parametrize("residual", ["linear", "sine", "perceptron"])
def test_a_branch_that_varies_with_depth_has_a_closed_form_in_one_dimension(residual: str) -> None:
    theta0, theta1, a = 0.4, 0.7, 0.8
    if residual == "perceptron":  # V = W = θ₀ + θ₁s and σ the identity: g = (θ₀ + θ₁s)² u
        found = runs("perceptron", 4, a=[a], theta0=[theta0] * 2, theta1=[theta1] * 2)
        rate = ((theta0 + theta1 * S) ** 3 - theta0**3) / (3 * theta1)
    elif residual == "sine":
        found = runs("sine", 4, a=[a], theta0=[theta0], theta1=[theta1])
        rate = (math.cos(theta0) - np.cos(theta0 + theta1 * S)) / theta1
    else:
        found = runs("linear", 4, a=[a], theta0=[theta0], theta1=[theta1])
        rate = theta0 * S + theta1 * S**2 / 2
    assert np.max(np.abs(found.moved(S)[0, :, 0] - a * np.expm1(rate))) <= found.errors[0] <= 1e-12
    reference, error = found.reference
    nine = np.linspace(0, 1, 9)
    assert np.all(np.abs(found.moved(nine) - reference)[..., 0] <= error + found.errors[0])


def test_the_scheme_takes_parameter_k_plus_1() -> None:
    found = runs("linear", 2, a=[1.0], a_L=[0.5], theta0=[0.0], theta1=[1.0], theta_L=[0.25])
    # θ₁ = 1/2 + 1/4, θ₂ = 1 + 1/4; u₁ = 1.5 (1 + θ₁/2), u₂ = u₁ (1 + θ₂/2)
    np.testing.assert_allclose(found.a_L + found.scheme[0], [[1.5], [2.0625], [3.3515625]], rtol=1e-15)


def test_times_pass_from_the_start_to_the_limit() -> None:
    found = runs("linear", 3, times=(0.0, 1.0), a=[1.0], a_t=[2.0], theta0=[0.1], theta_t=[0.3])
    np.testing.assert_allclose(found.a[:, 0], [3.0, 1 + 2 / math.e, 1.0])
    np.testing.assert_allclose(found.state(np.ones(1))[:, 0, 0], found.a[:, 0] * np.exp(0.1 + 0.3 * found.decay), rtol=1e-14)
    fields = Fields(found)
    np.testing.assert_allclose(fields["limit_start"].values, [2.0, 2 / math.e])
    np.testing.assert_allclose(fields["limit_theta"].values, [0.3, 0.3 / math.e])


@pytest.mark.parametrize(
    ("L", "sampling", "expected"),
    [(1, "nodes", 1.0), (2, "nodes", 0.5), (3, "nodes", 1 / 3), (1, "midpoints", 0.5), (2, "midpoints", 0.5), (3, "midpoints", 0.25)],
)
def test_the_distance_of_theta_and_its_piecewise_constant_counterpart(L: int, sampling: str, expected: float) -> None:
    """Θ(s) = s. Nodes: at s = 0 the value is 1/L. Midpoints: half a piece; for L = 1 one piece and 1/2."""
    fields = Fields(runs("linear", L, a=[1.0], theta1=[1.0], sampling=sampling))
    assert fields["theta_sup"].values[0] == pytest.approx(expected, rel=1e-14)
    s = np.linspace(0, 1, 10_001)
    constant = np.array([fields.run.sampled[math.floor((L - 1) * x + 1e-12)] for x in s])
    assert np.max(np.abs(s - constant)) == pytest.approx(expected, abs=2e-4)


def test_parameters_of_a_step_differ_as_drawn_on_paper() -> None:
    fields = Fields(runs("linear", 3, a=[1.0], theta1=[1.0], theta_L=[0.1]))
    np.testing.assert_allclose(fields["theta_gap"].values, [[1 / 3 + 0.1] * 3])
    np.testing.assert_allclose(fields["theta_shift"].values, [0, 1 / 6, 1 / 3])
    assert Fields(runs("linear", 1, a=[1.0], theta1=[1.0]))["theta_shift"].values == [0.0]


def test_the_interpolation_index_at_k_over_L_minus_1_is_k_plus_1_in_integers_and_not_in_floats() -> None:
    pairs = [(k, L) for L in range(2, 200) for k in range(L)]
    assert all(interpolation_index(k, L - 1, L) == k + 1 for k, L in pairs)
    assert interpolation_index(0, 1, 1) == 1
    assert any(math.floor((L - 1) * (k / (L - 1))) != k for k, L in pairs)


def test_lipschitz_constants_by_hand() -> None:
    linear = runs("linear", 2, 2, a=[3.0, 4.0], theta0=[0.0, 2.0, 0.0, 0.0], theta1=[0.0, -1.0, 0.0, 0.0])
    assert (linear.theta_bound, linear.state_lipschitz, linear.state_lipschitz_ball()) == (2.0, 2.0, 2.0)
    sine = runs("sine", 4, a=[2.0], theta0=[1.0], theta1=[1.0])  # passes π/2
    assert (sine.state_lipschitz, sine.state_lipschitz_ball(), sine.parameter_lipschitz_ball()) == (1.0, 1.0, 1.0)
    assert runs("sine", 4, a=[2.0], theta0=[0.25], theta1=[0.25]).state_lipschitz_ball() == math.sin(0.5)
    perceptron = runs("perceptron", 4, a=[2.0], theta0=[3.0, 4.0])  # V = 3, W = 4, κ = 1
    assert (perceptron.theta_bound, perceptron.state_lipschitz, perceptron.state_lipschitz_ball()) == (5.0, 12.0, 12.5)
    assert perceptron.parameter_lipschitz_ball() == 5.0


def test_gaps_and_remainders_of_one_step_by_hand() -> None:
    """g = u/10, a = 1, one step: U(1) = e^{1/10}, u₁ = 11/10; the remainder is their difference."""
    fields = Fields(runs("linear", 1, a=[1.0], theta0=[0.1]))
    exact = math.expm1(0.1) - 0.1
    for name in ("Delta_next", "remainder", "remainder_integral", "path_gap"):
        value = exact if name != "path_gap" else math.expm1(0.1)
        assert abs(float(fields[name].values[0, 0]) - value) <= float(fields[name].radius[0, 0]) + 1e-16, name
        assert fields[name].radius[0, 0] <= 1e-13
    assert float(fields["speed_change"].values[0, 0]) == pytest.approx(0.1 * math.expm1(0.1), rel=1e-13)
    assert float(fields["curvature_run"].values) == pytest.approx(0.01 * math.exp(0.1), rel=1e-4)


def test_equal_states_and_parameters_differ_by_nothing() -> None:
    fields = Fields(runs("linear", 3, a=[0.16243453636632418], theta0=[-0.5364843110780853]))
    assert fields["g_gap"].values[0, 0] == 0 == fields["g_gap"].radius[0, 0]
    assert fields["Delta"].values[0, 0] == 0 == fields["Delta"].radius[0, 0]


def test_arrays_of_other_names_or_shapes_are_refused() -> None:
    spec = toy("linear", 2, a=[1.0])
    wrong = spec.to_json()
    wrong["regime"]["residual"], wrong["q"] = "sine", 2
    with pytest.raises(BadInput, match=r"regime\.arrays"):
        ConsistencyRun(Spec.model_validate(wrong), ArrayStore())


def test_a_branch_that_is_too_steep_is_an_error_and_not_a_wrong_number() -> None:
    with pytest.raises(RuntimeError, match="Picard"):
        _ = runs("linear", 2, a=[1.0], theta0=[4000.0]).coefficients


def test_fields_of_a_general_scheme_have_the_axes_and_the_sign_that_theory_declares() -> None:
    found = run(GENERAL_EULER["sine"], NumpyImplementation())
    fields = Fields(found)
    for quantity in (q for q in quantities().values() if measured(q.name, ConsistencyRun)):
        assert fields[quantity.name].axes == quantity.axes, quantity.name
        assert fields[quantity.name].vector or np.all(fields[quantity.name].values >= 0), quantity.name


# --- the networks of Appendix B.2, and displacements


def test_the_weights_of_a_network_are_within_C_theta_over_L_of_the_function() -> None:
    found = run(SPECS["linear-ode"], NumpyImplementation())
    found.weights = {**found.weights, "V": np.array([[[0.0]], [[1.5]]]), "W": np.array([[[0.0]], [[2.0]]])}  # (3s - 3/2, 4s - 2)
    np.testing.assert_allclose(Fields(found)["Theta_gap"].values, 5.0 / found.depths, rtol=1e-12)
    np.testing.assert_allclose(Fields(found)["theta_k"].values[0], [3 / 16 - 1.5, 4 / 16 - 2], rtol=1e-14)


def test_displacements_are_those_of_the_flow() -> None:
    found = run(SPECS["saturated"], NumpyImplementation())
    fields = Fields(found)
    assert np.all(fields["moved_V"].values[:, 0] == 0)
    expected = np.linalg.norm(found.flow["B"][0, -1] - found.batch.params["B"])
    assert float(fields["moved_B"].values[0, -1]) == pytest.approx(float(expected), rel=1e-12)
    assert (float(fields["M_pi_A"].values), float(fields["M_pi_B"].values)) == (0.02, 0.02)


# --- derivations

k, L, C1, C2, Ct, S0, Theta, start = sp.symbols("k L C_1 C_2 C_tilde S C_Theta Delta_0", positive=True)


def claim(name: str) -> Any:
    return next(c for c in claims() if c.id == name)


def test_the_sharpened_gap_solves_the_recursion() -> None:
    """Demanded with equality, so that a bound that is weakened fails too."""
    names = {Q.L: L, prop11.C1: C1, prop11.C2: C2, prop11.Ct: Ct, prop11_gap.theta_sup: S0, Q.C_Theta: Theta, prop11_gap.start_gap: start}
    before = sp.Symbol("G", positive=True)  # (1 + C₁/L)^k
    growth = prop11_gap.growth.xreplace(names)
    assert growth == sp.exp((prop11.k_step + 1) * sp.log(1 + C1 / L))
    bound = claim("prop11.gap[sharpened,a-priori]").rhs.xreplace(names)
    after, earlier = bound.xreplace({growth: before * (1 + C1 / L)}), bound.xreplace({growth: before})
    step = (1 + C1 / L) * earlier + (C2 / L) * (S0 + Theta / L) + Ct / (2 * L**2)
    assert sp.simplify(after - step) == 0
    assert sp.simplify(bound.xreplace({growth: sp.Integer(1)}) - start) == 0


def test_the_printed_gap_follows_from_the_recursion_with_one_constant() -> None:
    """(35) minus the solution of its recursion is (Δ₀)(e^C - (1+C/L)^{k+1}) + (S + C_Θ/L + C̃/(LC)) (e^C - (1+C/L)^{k+1} + 1) >= 0."""
    printed = claim("prop11.gap[as-printed,a-priori]").rhs
    C = sp.Symbol("C", positive=True)
    names = {Q.L: L, prop11.C: C, prop11.Ct: Ct, prop11_gap.theta_sup: S0, Q.C_Theta: Theta, prop11_gap.start_gap: start}
    growth, x = sp.Symbol("G", positive=True), prop11_gap.Delta
    recursion = sp.expand(claim("prop11.recursion-sup[as-printed,a-priori]").rhs.xreplace(names))
    constant = recursion.subs(x, 0)
    assert sp.simplify(recursion.coeff(x) - (1 + C / L)) == 0
    solved = growth * start + constant * (growth - 1) / (C / L)
    rest = (start + S0 + Theta / L + Ct / (L * C)) * (sp.exp(C) - growth) + S0 + Theta / L + Ct / (L * C)
    assert sp.simplify(printed.xreplace(names) - solved - rest) == 0


def test_the_second_derivative_and_the_remainder_by_sympy() -> None:
    s, h = sp.symbols("s h", positive=True)
    assert sp.integrate(h - s, (s, 0, h)) == h**2 / 2
    u, theta = sp.Function("U")(s), sp.Function("T")(s)
    g = sp.Function("g")
    second = sp.diff(g(u, theta), s).subs(sp.Derivative(u, s), g(u, theta)).doit()
    d1, d2 = (sp.diff(g(*sp.symbols("x y")), v).subs(dict(zip(sp.symbols("x y"), (u, theta), strict=True))) for v in sp.symbols("x y"))
    assert sp.simplify(second - d1 * g(u, theta) - d2 * sp.Derivative(theta, s)) == 0
    bound = claim("prop11.curvature[explicit,a-priori]")
    assert sp.simplify(bound.rhs - (prop11.C1 * (prop11.C1 * prop11.D) + prop11.C2 * Q.C_Theta)) == 0
    assert prop11.A_PRIORI[prop11.Ct] == bound.rhs
    for edition, factor in (("as-printed", 1), ("sharpened", sp.Rational(1, 2))):
        remainder = claim(f"prop11.remainder[{edition},a-priori]").rhs
        assert sp.simplify(remainder - factor * prop11.Ct / Q.L**2) == 0


def test_the_shift_of_the_argument_is_at_most_one_over_L_and_the_last_step_attains_it() -> None:
    shift = k / (L - 1) - k / L
    assert sp.simplify(shift - k / (L * (L - 1))) == 0
    assert sp.simplify(shift.subs(k, L - 1) - 1 / L) == 0


def test_every_difference_of_these_pages_names_a_claim_to_look_at() -> None:
    own = [d for d in differences() if d.id.startswith(("d-prop11", "d-cor1", "d-prop2"))]
    assert len(own) >= 9
    for d in own:
        assert claims(d.replay.split()[-1]), d.id
