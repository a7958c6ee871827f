"""`benchmarks/` with tiny sizes: every section runs, wrong contestants are refused, exponents are those put in, the page is complete."""

from __future__ import annotations

import functools
import importlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[2]
MODULES = ("document", "figure1", "flows", "goals", "memory", "rhs", "scaling", "sections", "small", "suite", "tables", "timing")


@pytest.fixture(scope="module")
def b() -> Iterator[Any]:
    """The modules of `benchmarks`, which is no installed package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT))
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC", "XLA_FLAGS", "EQX_ON_ERROR"):
            patch.setenv(name, os.environ.get(name, ""))  # put back at the end
        found = SimpleNamespace(**{name: importlib.import_module(f"benchmarks.{name}") for name in MODULES})
        found.command = importlib.import_module("benchmarks.__main__")
        patch.setattr(found.rhs, "PRODUCT", 50)
        patch.setattr(found.timing, "TURN", 1e-4)
        patch.setattr(found.timing, "product_rate", functools.partial(found.timing.product_rate, 100))
        yield found


@pytest.fixture(scope="module")
def run(b: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A quick run of all that needs no other process, and its folder."""
    folder = tmp_path_factory.mktemp("benchmarks")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        patch.setattr(b.suite, "_clock", lambda *_: {"seconds": 1.0, "status": 0, "said": "fine"})
        answer = SimpleNamespace(stdout=json.dumps([2**22, 2**23]))
        patch.setattr(b.memory.subprocess, "run", lambda *a, **k: answer)
        return folder, b.command.measure([*b.sections.SECTIONS], folder, quick=True)


def test_every_section_is_measured_and_stands_in_json_and_on_the_page(b: Any, run: tuple[Path, dict[str, Any]]) -> None:
    folder, results = run
    assert not [entry["failed"] for entry in results["sections"].values() if "failed" in entry]
    assert json.loads((folder / "benchmarks.json").read_text(encoding="utf-8")) == results
    assert list(results["sections"]) == list(b.sections.SECTIONS) == list(b.tables.TABLES)
    text = (folder / "benchmarks.html").read_text(encoding="utf-8")
    for name, section in b.sections.SECTIONS.items():
        assert f'<h2 id="{name}">{section.title}</h2>' in text
    assert text.count("<svg") >= 4 and "not measured: no CUDA device" in text and (folder / "style.css").exists()
    assert results["machine"]["product_rate"] > 0 and results["machine"]["versions"]["numpy"] == np.__version__
    assert {g["reached"] for g in results["goals"]} == {None}, "a quick run says nothing about goals"
    rows = results["sections"]["rhs"]["results"]["depths"][0]["rows"]
    for line in rows:
        assert line["time"]["lower"] <= line["time"]["median"] <= line["time"]["upper"] and line["turns"] >= 3
    assert next(r["ratio"]["median"] for r in rows if r["name"] == "compiled") == 1


def test_flows_meet_the_target_and_descents_have_errors(b: Any, run: tuple[Path, dict[str, Any]]) -> None:
    results = run[1]["sections"]
    (found,) = results["flows"]["results"]
    assert len(found["rows"]) >= 4 and all(r["error"] <= 2 * found["target"] and r["evaluations"] > 0 for r in found["rows"])
    assert 0 < found["inside"] < 1
    for depth in results["figure1"]["results"]["depths"]:
        assert depth["flow"]["error"] < 1e-6, "the flow is far closer than the descent"
        assert 1e-5 < depth["compiled"]["error"] < 1e-1
        for way in ("authors", "compiled"):
            assert depth[way]["extrapolated"] == (depth[way]["measured"] < 50)


def test_what_is_not_measured_in_full_is_said_to_be_extrapolated(b: Any) -> None:
    calls: list[int] = []
    found = b.figure1._descent(calls.append, 0.0, 500)
    assert found["extrapolated"] and found["measured"] == sum(calls) == 3
    assert b.figure1._descent(calls.append, 60.0, 20) == {"seconds": pytest.approx(0, abs=0.1), "measured": 20, "extrapolated": False}
    drawn = b.tables.figure1(
        {
            "sizes": {},
            "iterations": 500,
            "step": 0.01,
            "total": dict.fromkeys(("authors", "compiled", "flow"), 1.0),
            "depths": [{"L": 2, **{k: {"seconds": 1.0, "measured": 3, "extrapolated": True} for k in ("authors", "compiled", "flow")}}],
        }
    )
    assert all(cell.startswith("≈") for cell in drawn[0].rows[0][1:4])


def planted(b: Any, how: str) -> tuple[dict[str, Any], float]:
    case = b.rhs.instance(6, 3, 4, 5, 2, 1)
    spec, params, x, y = case
    entered = b.rhs.contestants(*case)
    if how == "depth":  # the 1/L is missing
        wrong = b.rhs.contestants(spec, {**params, "V": params["V"] * spec["L"]}, x, y)["NumPy"]
    elif how == "single precision":
        right = entered["NumPy"]
        wrong = b.timing.Contestant(right.run, lambda found: [np.float32(a) for a in right.read(found)])
    else:  # one entry of one block
        right = entered["NumPy"]
        wrong = b.timing.Contestant(right.run, lambda found: [a + 1e-9 * (i == 2) for i, a in enumerate(right.read(found))])
    return {**entered, "wrong": wrong}, b.timing.rounding(spec)


@pytest.mark.parametrize("how", ["depth", "single precision", "entry"])
def test_a_wrong_contestant_is_refused_before_it_is_timed(b: Any, how: str) -> None:
    entered, tolerance = planted(b, how)
    with pytest.raises(b.timing.Disagreement, match="wrong is off compiled by"):
        b.timing.contest(entered, 0.0, 1e-6, tolerance)
    del entered["wrong"]
    b.timing.agree(entered, tolerance)


def test_a_refused_section_is_told_and_the_others_stay(b: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    b.command.measure(["scaling"], tmp_path, quick=True)
    right = b.rhs.backward.loss_and_gradients
    monkeypatch.setattr(b.small.backward, "loss_and_gradients", lambda *a: (0.0, {k: 1.001 * v for k, v in right(*a)[1].items()}))
    results = b.command.measure(["small"], tmp_path, quick=True)
    assert results["sections"]["small"]["failed"].startswith("refused: NumPy is off compiled by")
    assert "results" in results["sections"]["scaling"]
    assert "Refused: Small networks." in (tmp_path / "benchmarks.html").read_text(encoding="utf-8")


def test_an_interrupted_run_keeps_what_it_has(b: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(**_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setitem(b.sections.SECTIONS, "rhs", b.sections.Section("Right-hand side", interrupted))
    with pytest.raises(KeyboardInterrupt):
        b.command.measure(["scaling", "rhs"], tmp_path, quick=True)
    assert list(json.loads((tmp_path / "benchmarks.json").read_text(encoding="utf-8"))["sections"]) == ["scaling"]


def test_a_wrong_stepper_is_refused(b: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    right = b.flows.Problem.by_autograd

    def wrong(problem: Any) -> Any:
        velocity = right(problem)
        return lambda state: 1.0001 * velocity(state)

    monkeypatch.setattr(b.flows.Problem, "by_autograd", wrong)
    with pytest.raises(b.timing.Disagreement, match="dopri8, autograd is off"):
        b.flows.measure(**b.sections.SECTIONS["flows"].quick)


def test_a_wrong_descent_is_refused(b: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.nn.functional, "gelu", lambda u: u * torch.sigmoid(1.702 * u))  # the usual approximation
    with pytest.raises(b.timing.Disagreement, match="apart after one iteration"):
        b.figure1.measure((2,), {"q": 3, "m": 4, "n": 5})


def test_a_ladder_finds_the_largest_tolerance_that_meets_the_target(b: Any) -> None:
    ladder = [10.0**-k for k in range(3, 12)]
    assert b.flows.tolerance(lambda tol: (tol, 0), lambda moved: 3 * moved, 1e-6, ladder) == pytest.approx(1e-7)


def test_the_fit_recovers_a_known_exponent(b: Any) -> None:
    sizes = [2.0**k for k in range(6)]
    exact = b.timing.exponent(sizes, [7 * s**1.25 for s in sizes])
    assert exact["exponent"] == pytest.approx(1.25, abs=1e-12) and exact["error"] < 1e-12
    noise = np.random.RandomState(0).randn(200, 6)
    fits = [b.timing.exponent(sizes, 7 * np.array(sizes) ** 1.25 * np.exp(0.1 * e)) for e in noise]
    slopes, errors = ([f[k] for f in fits] for k in ("exponent", "error"))
    assert np.mean(slopes) == pytest.approx(1.25, abs=4 * np.std(slopes) / 200**0.5)
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(slopes), rel=0.2)  # 200 runs know it to 5 %, the errors to 4 %


def test_goals_are_read_off_judged_and_their_misses_explained(b: Any) -> None:
    def line(name: str, ratio: float, time: float = 1.0) -> dict[str, Any]:
        return {"name": name, "ratio": {"median": ratio}, "time": {"median": time}, "evaluations": 7}

    depth = {"L": 64, "rows": [line("torch autograd", 12.0), line("JAX", 1.2), line("attainable", 0.8)]}
    judged = b.goals.judge(
        {
            "rhs": {"depths": [depth]},
            "scaling": [{"axis": "L", "exponent": 0.9}],
            "flows": [{"inside": 0.5, "rows": [line("diffrax Tsit5, hand-written", 3.0), line("diffrax Dopri8, hand-written", 1.4)]}],
            "gpu": {"device": None},
        }
    )
    said = {g["goal"]: (g["measured"], g["reached"]) for g in judged}
    assert len(said) == len(b.goals.GOALS)
    assert said["times faster than the authors' style, L = 64"] == (12.0, True)
    assert said["times faster than the authors' style, L = 1024"] == (None, None)
    assert said["times faster than JAX jitted, L = 64"] == (1.2, False)
    assert said["right-hand side over attainable, L = 64"] == (1.25, False)
    assert said["flows, times faster than diffrax, hand-written"] == (1.4, False), "the best of a library counts"
    assert said["cost in L ≥ 256: exponent off 1 by"] == (pytest.approx(0.1), False)
    assert said["GPU: share of its product rate"] == (None, None)
    missed = [g for g in judged if g["reached"] is False]
    assert next(g["limit"] for g in missed if "JAX" in g["goal"]).endswith("alone, would allow 1.5")
    assert all(g["limit"] and g["misses_by"] > 1 for g in missed) and len(missed) == 4


def test_memory_is_what_one_call_takes_beyond_parameters_and_gradients(b: Any) -> None:
    done = subprocess.run(
        [b.memory.sys.executable, "-m", "benchmarks.memory", "compiled", "16", "32", "400", "64", "256"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    taken = json.loads(done.stdout)
    for L, found in zip((64, 256), taken, strict=True):
        kept = 8 * 400 * (L * (16 + 2 * 32) + 16)  # states, σ and σ' of all layers
        assert abs(found - kept) <= b.memory.PAGE  # below too: the kernel counts resident pages in lots, per processor


def test_the_document_has_goals_and_ratios_and_no_times(b: Any, run: tuple[Path, dict[str, Any]]) -> None:
    text = b.document.render(run[1])
    assert "## Goals" in text and "times compiled" in text and "µs" not in text.partition("## Right-hand side")[2]
    committed = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    assert committed.startswith(b.document.HEAD) and all(goal.text in committed for goal in b.goals.GOALS)
