"""The continuous-depth training dynamics against a closed form and against extrapolated networks."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from depthlimit.models.data import ArrayStore
from depthlimit.models.general import Perceptron
from depthlimit.models.general_run import GeneralRun
from depthlimit.models.implementation import load
from depthlimit.models.measure.extrapolate import romberg
from depthlimit.models.spec import BadInput, Spec
from depthlimit.models.training_limit import ContinuousDepth, Limit, limit, problem
from depthlimit.models.trajectory import realise
from depthlimit.theory.quantity import Array

SIZES: dict[str, Any] = {"d": 2, "dout": 2, "q": 3, "m": 3, "L": 8, "n": 2, "rtol": 1e-12, "T": 0.5, "times": (0.0, 0.25, 0.5)}
DEPTHS = (12, 24, 48, 96)


def spec(**changes: Any) -> Spec:
    return Spec.model_validate({"regime": {"kind": "plain-flow"}, **SIZES, **changes})


def solved(one: Spec, dynamics: type[ContinuousDepth] = ContinuousDepth) -> Limit:
    return limit(problem(one, ArrayStore()), np.array(one.times), dynamics=dynamics)


def networks(one: Spec) -> list[Array]:
    """Z_k at s = k/12, k = 1..12, of networks at each depth [T 12 p]."""
    out = []
    for L in DEPTHS:
        if one.regime.kind == "general-flow":
            Z = GeneralRun(one.model_copy(update={"L": L}), ArrayStore()).flow["Z"][0]
        else:
            b = realise(one, ArrayStore(), L)
            moved = load("numpy").flow(b.network, b.params, b.x, b.y, np.array(one.times))
            Z = np.concatenate([np.asarray(moved[k]).reshape(len(one.times), L, -1) for k in "VW"], axis=2)
        out.append(Z[:, L // 12 - 1 :: L // 12])
    return out


def extrapolated(one: Spec) -> list[float]:
    """Distance of Z at s = k/12 from the limit at the finest depth, after 0, 1, 2, 3 steps of Richardson's extrapolation."""
    limits = solved(one).solution.weights(np.arange(1, 13) / 12)
    return [float(np.abs(column[-1] - limits).max()) for column in romberg(np.stack(networks(one)))]


def test_a_scalar_linear_network_has_a_limit_in_closed_form() -> None:
    """f = zh with one number: P H is constant in s, so z(s,t) = z0(s) + c(t), H(1) = a e^{∫z0 + c} and a' = -2(bH - y)bH/a."""
    one = spec(
        regime={"kind": "general-flow", "residual": "linear"},
        **dict.fromkeys(("d", "dout", "q", "m", "n"), 1),
        init={"kind": "affine", "scale": 0.7, "slope": 0.9},
    )
    asked = problem(one, ArrayStore())
    (x,), (y,), z0 = asked.x[0], asked.y[0], float(asked.Z(np.array([0.5]))[0, 0])

    def rhs(_: float, state: Array) -> Array:
        a, c, b = state
        last = a * x * np.exp(z0 + c)
        pull = -2 * (b * last - y)
        return np.array([pull * b * last / a, pull * b * last, pull * last])

    exact = solve_ivp(rhs, (0, one.T), [asked.A[0, 0], 0.0, asked.B[0, 0]], "DOP853", one.times, rtol=1e-13, atol=1e-14).y
    found = solved(one)
    assert np.allclose(found.solution.A[:, 0, 0], exact[0], rtol=0, atol=1e-12)
    assert np.allclose(found.solution.B[:, 0, 0], exact[2], rtol=0, atol=1e-12)
    s = np.linspace(0, 1, 9)
    assert np.allclose(found.solution.weights(s)[..., 0], asked.Z(s)[:, 0] + exact[1][:, None], rtol=0, atol=1e-12)
    assert max(float(found.error(k).max()) for k in "ABZH") < 1e-12 and found.energy_error.max() < 1e-12


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(spec(), id="plain"),
        pytest.param(
            spec(regime={"kind": "general-flow", "residual": "sine"}, m=1, init={"kind": "affine", "scale": 0.6, "slope": 0.5}), id="sine"
        ),
    ],
)
def test_networks_extrapolated_in_depth_agree_with_it(one: Spec) -> None:
    """Each step of the extrapolation gains a factor of about L; three leave less than 1e-8. With clips: `thm4.order`."""
    errors = extrapolated(one)
    assert all(fine < coarse / 10 for coarse, fine in pairwise(errors)), errors
    assert errors[-1] < 1e-8, errors


def test_the_pull_is_that_of_the_jacobian() -> None:
    """Σ_i ∂₂f(h_i, z)ᵀ p_i for each branch."""
    random = np.random.RandomState(0)
    for residual in ("linear", "sine", "perceptron"):
        one = spec(regime={"kind": "general-flow", "residual": residual}, init={"kind": "affine"})
        branch = problem(one, ArrayStore()).branch
        h, p, z = (random.standard_normal(shape) for shape in ((4, 2, 3), (4, 2, 3), (4, 1, branch.p)))
        by_jacobian = np.einsum("snqp,snq->sp", branch.parameter_jacobian(h, z), p)
        assert np.allclose(branch.pull(h, z, p), by_jacobian, rtol=1e-13, atol=1e-14)
    assert isinstance(branch, Perceptron)


def test_an_initialisation_without_a_limit_is_refused() -> None:
    with pytest.raises(BadInput, match="iid is not a function of depth"):
        problem(spec(regime={"kind": "network"}, init={"kind": "iid"}), ArrayStore())


def test_weights_too_large_for_depth_are_named() -> None:
    one = spec(regime={"kind": "general-flow", "residual": "linear"}, init={"kind": "affine", "scale": 1e1, "slope": 1e1})
    asked = problem(one, ArrayStore())
    with pytest.raises(RuntimeError, match="does not settle"):
        ContinuousDepth(asked, 16).hidden(asked.A, 1e6 * asked.Z(ContinuousDepth(asked, 16).s), asked.x)
