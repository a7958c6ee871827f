"""The torch implementation on CUDA agrees with itself on the CPU, method by method, within the radii of both.

The tests exist from the start. Without a GPU they are skipped with the reason, and fail under
--depthlimit-require-device. The comparison itself is tried on every machine: it accepts another correct
implementation and notices single precision in each method that has it.
"""

from typing import Any

import numpy as np
import pytest

from depthlimit.conformance.faults.numerics import SinglePrecision
from depthlimit.conformance.subject import on_device
from depthlimit.models.data import ArrayStore
from depthlimit.models.implementation import load
from depthlimit.models.measure.euler import EulerRun
from depthlimit.models.measure.registry import Fields
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.rounding import euclid, frobenius
from depthlimit.models.spec import Spec
from depthlimit.models.strategies import SMOOTH
from depthlimit.models.trajectory import BLOCKS, Trajectory, realise

SIZES = {"d": 2, "dout": 2, "q": 4, "m": 3, "L": 4, "n": 3, "T": 0.5, "times": (0.0, 0.5)}
INIT = {"kind": "gp", "seed": 3, "length": 0.5}
FLOWS = {
    **{name: {"regime": {"kind": "plain-flow"}, "activation": {"name": name, "a": 0.5}} for name in SMOOTH},
    "weights only": {"regime": {"kind": "plain-flow"}, "train": "VW"},
    **{
        f"{kind} clip": {"regime": {"kind": "clipped-flow"}, "clip": {"kind": kind, "radius": 0.3}}
        for kind in ("coordinate", "radial", "smooth")
    },
}
ODES = ("tanh", "gelu")


def compared(one: Any, two: Any, values: dict[str, Any]) -> dict[str, float]:
    """The largest difference over the sum of both radii, per method and array; at most 1 if both are right.

    forward, loss, gradients and velocity are compared at the initial parameters, a state that both share.
    """
    runs = [Trajectory(realise(Spec.model_validate({**SIZES, "init": INIT, **values}), ArrayStore()), i) for i in (one, two)]
    ratios = {}
    for name, of in {
        "forward.hidden": lambda r: (r.forward["hidden"][0, 0], r.rounding.states[0, 0]),
        "forward.output": lambda r: (r.forward["output"][0, 0], r.rounding.residuals[0, 0]),
    }.items():
        (a, e_a), (b, e_b) = (of(run) for run in runs)
        ratios[name] = float(np.max(euclid(a - b) / (e_a + e_b)))
    a, b = (Fields(run)["loss"] for run in runs)
    ratios["loss"] = float(abs(a.values - b.values)[0, 0] / (a.radius + b.radius)[0, 0])
    for block in BLOCKS:
        for name, field, at in (
            ("gradients", f"grad_{block}", 0),
            ("velocity", f"{block}_dot", 0),
            ("flow", f"{block}_t", -1),
        ):
            a, b = (Fields(run)[field] for run in runs)
            gap, radius = euclid(a.values - b.values)[0, at], (a.radius + b.radius)[0, at]
            ratios[f"{name}.{block}"] = float(np.max(np.where(gap == 0, 0.0, gap / np.maximum(radius, 1e-300))))
    return ratios


def compared_odes(one: Any, two: Any, activation: str) -> float:
    """The same for the hidden states of `neural_ode`."""
    spec = Spec.model_validate(
        {
            **SIZES,
            "init": INIT,
            "activation": {"name": activation},
            "regime": {"kind": "euler-ladder", "depths": (8, 16, 32, 64)},
        }
    )
    runs = [EulerRun(spec, ArrayStore(), i) for i in (one, two)]
    a, b = (run.ode["hidden"] for run in runs)
    return float(np.max(frobenius(a - b) / (runs[0].ode_error + runs[1].ode_error)))


@pytest.fixture
def cpu() -> Any:
    return load("torch")


def cuda(config: pytest.Config) -> Any:
    return on_device("torch", "cuda", config.option.depthlimit_require_device)


@pytest.mark.parametrize("case", FLOWS)
def test_torch_on_cuda_agrees_with_torch_on_the_cpu(case: str, cpu: Any, pytestconfig: pytest.Config) -> None:
    assert max(compared(cpu, cuda(pytestconfig), FLOWS[case]).values()) <= 1


@pytest.mark.parametrize("activation", ODES)
def test_the_neural_ode_on_cuda_agrees_with_that_on_the_cpu(activation: str, cpu: Any, pytestconfig: pytest.Config) -> None:
    assert compared_odes(cpu, cuda(pytestconfig), activation) <= 1


def test_a_result_on_cuda_is_an_array_on_the_cpu(cpu: Any, pytestconfig: pytest.Config) -> None:
    # `call` refuses anything but float64 NumPy arrays, and arguments changed in place
    run = Trajectory(
        realise(Spec.model_validate({**SIZES, "regime": {"kind": "plain-flow"}}), ArrayStore()),
        cuda(pytestconfig),
    )
    assert run.forward["hidden"].shape == (1, 2, 5, 3, 4)


@pytest.mark.parametrize("case", ["tanh", "gelu", "weights only", "radial clip"])
def test_the_comparison_accepts_another_correct_implementation(case: str, cpu: Any) -> None:
    assert max(compared(cpu, load("numpy"), FLOWS[case]).values()) <= 1
    assert compared_odes(cpu, load("numpy"), "tanh") <= 1


def test_the_comparison_notices_single_precision(cpu: Any) -> None:
    ratios = compared(cpu, SinglePrecision(), FLOWS["tanh"])
    assert min(ratios[k] for k in ratios if k.startswith(("forward", "gradients", "velocity"))) > 1


def test_the_comparison_notices_a_method_that_answers_for_other_arguments(cpu: Any) -> None:
    class Late(NumpyImplementation):
        def flow(self, spec: Any, params: Any, x: Any, y: Any, times: Any) -> Any:
            return super().flow(spec, params, x, y, 1.001 * times)

        def neural_ode(self, spec: Any, weights: Any, x: Any, s: Any) -> Any:
            return super().neural_ode(spec, weights, x, 0.999 * s)

        def loss(self, spec: Any, params: Any, x: Any, y: Any) -> Any:
            return (1 + 1e-9) * super().loss(spec, params, x, y)

    ratios = compared(cpu, Late(), FLOWS["tanh"])
    assert min(ratios[k] for k in ratios if k.startswith(("flow", "loss"))) > 1
    assert compared_odes(cpu, Late(), "tanh") > 1
