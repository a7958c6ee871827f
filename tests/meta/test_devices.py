"""The torch implementation on CUDA agrees with itself on the CPU, method by method, within the radii of both.

The tests exist from the start. Without a GPU they are skipped with the reason, and fail under
--depthlimit-require-device. The comparison itself is tried on every machine: it accepts another correct
implementation and notices single precision in each method that has it. Capture is tried on every machine by test_graphs.py.
With workers, one of them runs this module.
"""

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from depthlimit.conformance import plugin
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
TESTS = Path(__file__).parents[1]


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


@pytest.fixture
def cuda(pytestconfig: pytest.Config) -> Iterator[Any]:
    """PyTorch on the first device that CUDA_VISIBLE_DEVICES leaves; afterwards its memory is free."""
    found = on_device("torch", "cuda", pytestconfig.option.depthlimit_require_device)
    yield found
    found.graphs.clear()
    gc.collect()
    torch.cuda.empty_cache()


@pytest.mark.parametrize("case", FLOWS)
def test_torch_on_cuda_agrees_with_torch_on_the_cpu(case: str, cpu: Any, cuda: Any) -> None:
    assert max(compared(cpu, cuda, FLOWS[case]).values()) <= 1


@pytest.mark.parametrize("activation", ODES)
def test_the_neural_ode_on_cuda_agrees_with_that_on_the_cpu(activation: str, cpu: Any, cuda: Any) -> None:
    assert compared_odes(cpu, cuda, activation) <= 1


def small_batch(size: int, scale: float) -> list[tuple[Any, ...]]:
    """Arguments of `velocity`."""
    spec = Spec.model_validate({**SIZES, "init": INIT, "regime": {"kind": "plain-flow"}})
    b = realise(spec, ArrayStore())
    return [(b.network, {k: scale * (1 + j) * v for k, v in b.params.items()}, b.x, b.y) for j in range(size)]


@pytest.mark.parametrize("method", ["loss", "gradients", "velocity"])
def test_a_captured_call_on_cuda_is_the_call(method: str, cuda: Any) -> None:
    for scale in (1.0, 0.5, 0.25):
        calls = small_batch(5, scale)
        captured = cuda.batch(method, calls)
        kept, cuda.graphs = cuda.graphs, None
        plain = cuda.batch(method, calls)
        cuda.graphs = kept
        for a, b in zip(captured, plain, strict=True):
            if method == "loss":
                assert a == pytest.approx(b, rel=1e-14)
                continue
            # The same kernels, unless cuBLAS chooses others on another stream: sums of fewer than 20 terms.
            assert all(euclid((a[k] - b[k]).ravel()) <= 1e-13 * euclid(b[k].ravel()) for k in BLOCKS)
    assert sum(entry is not None for entry in cuda.graphs._kept.values()) == 1, "nothing was captured"


def test_nothing_stays_on_the_device(cuda: Any) -> None:
    held = []
    for _ in range(2):  # what libraries keep for themselves is there after the first time
        for size in range(1, 8):  # more shapes than are kept
            for _ in range(3):
                cuda.batch("gradients", small_batch(size, 0.5))
        cuda.graphs.clear()
        gc.collect()
        torch.cuda.empty_cache()
        held.append(torch.cuda.memory_allocated())
    assert held[0] == held[1]


def test_a_result_on_cuda_is_an_array_on_the_cpu(cpu: Any, cuda: Any) -> None:
    # `call` refuses anything but float64 NumPy arrays, and arguments changed in place
    run = Trajectory(
        realise(Spec.model_validate({**SIZES, "regime": {"kind": "plain-flow"}}), ArrayStore()),
        cuda,
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


def test_without_a_visible_device_the_message_says_so() -> None:
    program = "from depthlimit.models.implementation import load; load('torch', 'cuda')"
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert run.stderr.splitlines()[-1].endswith("BadInput: implementation torch: got device 'cuda', but torch sees 0 CUDA device(s)")


def test_one_worker_runs_what_needs_the_device(pytestconfig: pytest.Config) -> None:
    (own,) = (p for p in pytestconfig.pluginmanager.get_plugins() if getattr(p, "__file__", None) == str(TESTS / "conftest.py"))
    scheduler = SimpleNamespace(_split_scope=lambda nodeid: nodeid)
    for hook in (plugin, own):
        option = SimpleNamespace(dist="loadgroup", depthlimit_device="cuda")
        made = hook.pytest_xdist_make_scheduler(SimpleNamespace(option=option))
        next(made)
        with pytest.raises(StopIteration):
            made.send(scheduler)
    names = ["tests/meta/test_devices.py::test_a", "tests/meta/test_devices.py::test_b[tanh]", "tests/meta/test_spec.py::test_c"]
    assert [scheduler._split_scope(name) for name in names] == ["cuda", "cuda", names[2]]
    claims = [f"tests/conformance/test_claims.py::test_{kind}" for kind in ("corpus[plain-flow-a]", "regime[clipped-flow-b]")]
    assert {scheduler._split_scope(name) for name in claims} == {"depthlimit-cuda"}
