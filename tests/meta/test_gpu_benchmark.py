"""`benchmarks/gpu.py` on the CPU with tiny sizes, so that only the device is untried."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from depthlimit.models import torch_implementation
from depthlimit.models.graphs import Graphs

TINY = {"d": 2, "dout": 1, "q": 3, "m": 4, "L": 2, "n": 2}


@pytest.fixture(scope="module")
def gpu() -> Any:
    path = Path(__file__).parents[2] / "benchmarks" / "gpu.py"
    spec = importlib.util.spec_from_file_location("gpu", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tiny(gpu: Any) -> dict[str, Any]:
    return dict(gpu.measure("cpu", product=64, paper=TINY, counts=(1, 3), small=TINY, smalls=5, T=0.1, rounds=2))


def test_everything_is_measured(gpu: Any) -> None:
    found = json.loads(json.dumps(tiny(gpu)))
    assert [(row["networks"], row["how"]) for row in found["batches"]] == [(1, "call by call"), (3, "call by call")]
    for row in found["batches"]:
        assert 0 < row["seconds"] <= row["median"]
        assert row["rate"] == pytest.approx(row["networks"] * 12 * 3 * 4 * 2 * 2 / row["seconds"])
        assert row["share"] == pytest.approx(row["rate"] / found["product_rate"])
    assert found["goal"]["measured"] == max(row["share"] for row in found["batches"])
    assert found["small_instances"]["per_second"] == pytest.approx(5 / found["small_instances"]["seconds"])
    assert found["flow"]["relative_difference"] < 1e-8  # a hundredth of what both may err
    assert len(found["agreement"]) == 11 and 0 < max(found["agreement"].values()) < 1
    lines = gpu.table(found).splitlines()
    assert len(lines) == 7 and any(line.startswith("goal 50%, measured ") and line.endswith(": missed") for line in lines)


def test_replays_are_timed_beside_calls(gpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = []

    def again(function: Any, device: torch.device) -> Any:
        outputs = dict(function())
        recorded.append(outputs["V"].shape)
        return lambda: [outputs[k].copy_(v) for k, v in function().items()], outputs

    class Captured(torch_implementation.TorchImplementation):
        def __init__(self, device: str) -> None:
            super().__init__(device)
            self.graphs = Graphs(recorder=again)

    monkeypatch.setattr(gpu, "TorchImplementation", Captured)
    rows = gpu.batches("cpu", TINY, (1, 3), 2, 1e9)
    assert [(row["networks"], row["how"]) for row in rows] == [(n, how) for n in (1, 3) for how in ("call by call", "replayed")]
    assert recorded == [(1, 2, 3, 4), (3, 2, 3, 4)]


def test_a_wrong_answer_shows(gpu: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    right = torch_implementation._gradients
    monkeypatch.setitem(torch_implementation._METHODS, "gradients", lambda *a: {k: v * (1 + 1e-12) for k, v in right(*a).items()})
    ratios = gpu.agreement("cpu", TINY, 2)
    assert max(ratios[f"gradient_{k}"] for k in "AVWB") > 1 > max(ratios[name] for name in ratios if not name.startswith("gradient"))


def test_without_a_device_it_says_so(gpu: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    gpu.main(["--out", str(tmp_path / "gpu.json")])
    assert capsys.readouterr().out == "not measured: no CUDA device\n"
    assert json.loads((tmp_path / "gpu.json").read_text()) == {"device": None, "note": "not measured: no CUDA device"}
