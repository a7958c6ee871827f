"""The steps of Proposition 7 on model (3): closed forms against the Jacobians they stand for, and a network by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from depthlimit.models.check import run
from depthlimit.models.general_run import GeneralRun
from depthlimit.models.measure.general import derivative_norms, hidden_sizes
from depthlimit.models.measure.prop7_steps import ModelRun, outer_change, plane
from depthlimit.models.measure.registry import Fields
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.spec import Spec
from depthlimit.theory.registry import claims


def _spec(**more: Any) -> Spec:
    base = {
        "regime": {"kind": "plain-flow"},
        "d": 2,
        "dout": 2,
        "q": 3,
        "m": 2,
        "L": 4,
        "n": 2,
        "T": 0.5,
        "init": {"kind": "gp", "seed": 1},
    }
    return Spec.model_validate({**base, **more})


def _run(**more: Any) -> Any:
    return run(_spec(**more), NumpyImplementation())


@pytest.mark.parametrize("sizes", [{}, {"q": 1, "m": 1, "d": 1, "dout": 1}, {"L": 1}, {"m": 5, "n": 1, "clip": None}], ids=str)
def test_closed_forms_are_the_norms_of_the_jacobian(sizes: dict[str, Any]) -> None:
    """∂₂f as an array, by the general branch; both are good to (p + q²) u, about 1e-14."""
    view = ModelRun(_run(**sizes))
    for closed, full in zip(view.parameter_norms, GeneralRun.parameter_norms.func(view), strict=True):
        np.testing.assert_allclose(closed, full, rtol=1e-12)
    p = view.p[..., 1:, :, :]
    np.testing.assert_allclose(view.pull_change(p), GeneralRun.pull_change(view, p), rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(view.state_norm, GeneralRun.state_norm.func(view), rtol=1e-12)


def test_the_radius_of_a_change_covers_layers_that_agree() -> None:
    """With the paper's start layers do not differ but by h, and at t = 0 not at all: a Gram difference would leave √u."""
    view = ModelRun(_run(init={"kind": "paper"}))
    assert not view.parameter_norms[1][:, 0].any()
    assert derivative_norms(view)["dJ2_norm"].radius.max() < 1e-12


def test_a_change_is_split_along_a_vector_and_across() -> None:
    length, along, across = plane(np.array([3.0, 0.0]), np.array([1.0, 2.0]))
    assert (length, along, across) == (3, 2, 2)
    assert plane(np.zeros(2), np.array([3.0, 4.0])) == (0, 0, 5)


def test_a_change_of_outer_products() -> None:
    """(1, 0)(2, 0)ᵀ - (0, 1)(0, 3)ᵀ has entries 2 and -3."""
    a = np.array([[[0.0, 1.0]], [[1.0, 0.0]]])
    b = np.array([[[0.0, 3.0]], [[2.0, 0.0]]])
    np.testing.assert_allclose(outer_change(a, b), [[np.sqrt(13)]], rtol=1e-15)


def test_a_network_by_hand() -> None:
    """One neuron, σ the identity: f = VWh. h = 1, 1 + VW/2, ...; ∂₁f = VW, ∂₂f = h(W, V), each gradient -2e B times a product."""
    eye = [["A", [1, 1], [1.0]], ["V", [2, 1, 1], [2.0, 1.0]], ["W", [2, 1, 1], [1.0, 3.0]], ["B", [1, 1], [1.0]]]
    data = {"kind": "arrays", "arrays": {"inline": [["x", [1, 1], [1.0]], ["y", [1, 1], [0.0]]]}}
    one = {"d": 1, "dout": 1, "q": 1, "m": 1, "L": 2, "n": 1, "T": 1e-3, "rtol": 1e-11}
    f = Fields(_run(**one, init={"kind": "arrays", "arrays": {"inline": eye}}, data=data, activation={"name": "identity"}))

    def at_start(name: str) -> Any:
        return f[name].values[0, 0, ..., 0] if f[name].axes[-1] == "sample" else f[name].values[0, 0]

    np.testing.assert_allclose(at_start("h_size"), [1, 2])  # 1 + 2/2
    np.testing.assert_allclose(at_start("h_next_size"), [2, 5])  # 2 + 3·2/2
    np.testing.assert_allclose(at_start("J1_norm"), [2, 3])
    np.testing.assert_allclose(at_start("J2_norm"), [np.sqrt(5), 2 * np.sqrt(10)])  # h |(W, V)|
    np.testing.assert_allclose(at_start("dJ2_norm"), [np.hypot(6 - 1, 2 - 2)])  # 2(3, 1) - (1, 2)
    np.testing.assert_allclose(at_start("p_next_size"), [25, 10])  # p_2 = 2·5, p_1 = p_2(1 + 3/2)
    np.testing.assert_allclose(at_start("p_size"), [50, 25])
    np.testing.assert_allclose(at_start("sum_20"), [np.hypot(6 * 10 - 25, 2 * 10 - 2 * 25)])
    np.testing.assert_allclose(at_start("grad_gap"), at_start("sum_20"))  # one sample
    np.testing.assert_allclose(at_start("M_now"), np.sqrt(10))
    assert f["K_pi"].values == 1


def test_sizes_of_hidden_states_do_not_depend_on_the_view() -> None:
    trajectory = _run()
    seen = hidden_sizes(ModelRun(trajectory))["h_next_size"]
    np.testing.assert_allclose(seen.values, np.linalg.norm(trajectory.forward["hidden"][..., 1:, :, :], axis=-1), rtol=1e-14)


def test_most_steps_are_checked_on_implementations() -> None:
    """All that speaks of one state, holds, and has no e^K."""
    here = {c.id for c in claims("prop7", regime="plain-flow") if "general-flow" in c.regimes}
    assert len(here) == 26 and here == {c.id for c in claims("prop7", regime="clipped-flow") if "general-flow" in c.regimes}
    assert not [i for i in here if "p-bound" in i or "p-final" in i or "general-" in i]
