"""`depthlimit figures`: the networks that it trains, what it measures on them, what it writes, and the published values."""

from __future__ import annotations

import json
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from depthlimit import figures
from depthlimit.cli import main
from depthlimit.models import experiment_measures as measures
from depthlimit.models import experiment_runs as runs
from depthlimit.models.experiment import FIGURES, NETWORKS, ONE, Experiment, State, descent, experiment, flowed, start, states
from depthlimit.models.spec import BadInput
from depthlimit.models.workers import single_threaded
from depthlimit.reports import experiments as drawn
from depthlimit.theory.paper.published import readings


def by_autograd(case: Experiment, L: int, iterations: int) -> tuple[list[torch.Tensor], list[float]]:
    """Both networks as they are described, by a loop and autograd: V and W after those iterations, and the losses before each."""
    W0, x, y = (torch.from_numpy(a) for a in start(case))
    V = torch.zeros(L, case.q, case.m, dtype=torch.float64, requires_grad=True)
    W = W0.repeat(L, 1, 1).requires_grad_()
    paper = case.network == "paper"
    a, b = (case.q**-0.5, case.m**-0.5) if paper else (1.0, 1.0)
    losses = []
    for _ in range(iterations):
        h = x
        for k in range(L):
            h = h + b * torch.nn.functional.gelu(a * h @ W[k].T) @ V[k].T / L
        loss = ((h - y) ** 2).sum() / len(x) if paper else ((h - y) ** 2).mean()
        losses.append(float(loss.detach()))
        gradients = torch.autograd.grad(loss, (V, W))
        with torch.no_grad():
            for value, gradient in zip((V, W), gradients, strict=True):
                value -= L * case.step * gradient
    return [V.detach(), W.detach()], losses


@pytest.mark.parametrize("network", NETWORKS)
def test_descent_is_that_of_the_network_written_out_with_autograd(network: str) -> None:
    case = replace(experiment("fig1-left", network, small=True), iterations=4)
    (V, W), losses = by_autograd(case, 3, 4)
    found = [(s.V.copy(), s.W.copy(), s.loss) for s in descent(case, 3)]
    assert len(found) == 5
    np.testing.assert_allclose([loss for *_, loss in found[:4]], losses, rtol=1e-13)  # a hundred roundings or so
    np.testing.assert_allclose(found[4][0], V, rtol=0, atol=1e-13)
    np.testing.assert_allclose(found[4][1], W, rtol=0, atol=1e-13)
    assert np.abs(found[4][0]).max() > 0.1


def test_descent_with_small_steps_approaches_the_flow_at_the_same_time() -> None:
    case = replace(experiment("fig1-left", by_flow=True, small=True), saved=(10,))
    end = list(flowed(case, 4))[1]
    errors = []
    for share in (4, 8):
        fine = replace(case, flow=False, step=case.step / share, iterations=10 * share)
        *_, last = descent(fine, 4)
        errors.append(np.linalg.norm(last.V - end.V))
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.1)  # of first order in the step


def test_the_published_curves_of_figure_1_left_are_root_sums_of_squares_over_layers_and_iterations() -> None:
    """Of the program's network, within the error of reading; every other measure lies off by a factor of 3 at least."""
    case, kept = experiment("fig1-left", "published"), readings()["fig1-left"]
    off: dict[str, float] = {}
    for L in (2, 16):
        for row in measures.successive(descent(case, L), L, kept["iterations"]):
            seen = kept["values"][kept["iterations"].index(row.iteration)][kept["depths"].index(L)]
            off[row.measure] = max(off.get(row.measure, 0.0), abs(np.log(row.value / seen)))
    assert off.pop("all") < kept["relative_error"]
    assert min(off.values()) > np.log(3)


def test_the_published_curves_fall_like_the_root_of_the_depth() -> None:
    kept = readings()["fig1-left"]
    values, depths = np.array(kept["values"]), np.array(kept["depths"])
    slopes = np.diff(np.log(values[:, 1:]), axis=1) / np.diff(np.log(depths[1:]))
    error = 2 * kept["relative_error"] / np.log(64 / 16)
    assert np.all(np.abs(slopes + 0.5) < error + 1 / depths[1]) and np.all(slopes + 1 > 0.4)
    assert len(kept["legend"]) == len(values) + 1  # the curve of iteration 1 is 0 and has no logarithm


def _states(*arrays: np.ndarray) -> list[State]:
    return [State(i, {"V": a[:, :1, None], "W": a[:, 1:, None]}, 0.0, ONE) for i, a in enumerate(arrays)]


def test_successive_differences_are_measured_as_they_are_named() -> None:
    """V and W of one entry each: differences (3, 4), (0, 0) after iteration 0, and (0, 0), (0, 12) after iteration 1."""
    first, second = np.array([[0.0, 0], [3, 4], [3, 4]]), np.array([[3.0, 4], [3, 4], [3, 16]])
    rows = {(r.iteration, r.measure): r.value for r in measures.successive(_states(first, second, second), 3, (1, 2))}
    assert [rows[1, m] for m in ("max", "max-V", "max-W", "max-entry", "mean", "layers", "all")] == [5, 3, 4, 4, 2.5, 5, 4]
    assert [rows[2, m] for m in ("max", "max-V", "max-W", "max-entry", "mean", "layers")] == [12, 3, 12, 12, 6, 12]
    assert rows[2, "all"] == pytest.approx((4**2 + 12**2) ** 0.5)
    flow = {(r.iteration, r.measure): r.value for r in measures.successive(_states(first, second), 3, (0, 1), summed=False)}
    assert (flow[0, "max"], flow[1, "max"], (1, "all") in flow) == (5, 12, False)


@pytest.mark.parametrize("layers", [0, 8])
def test_distances_from_a_function_of_depth_are_measured_as_they_are_named(layers: int) -> None:
    """V = W = s at the middles of L layers against s itself, or against the same at the middles of 8 layers: exact integrals."""
    L = 4
    own = (np.arange(L) + 0.5) / L
    limit = measures.Curve(layers, dict.fromkeys("VW", np.array([[[0.5], [0.5]]])), 0.0)
    rows = {r.measure: r.value for r in measures.distances(_states(np.stack([own, own], axis=1)), L, (0,), limit)}
    s = (np.arange(840_000) + 0.5) / 840_000  # 840: cuts at multiples of 1/3 and 1/7 lie between points
    other = (np.floor((layers - 1) * s) + 0.5) / layers if layers else s
    apart = np.abs(own[np.minimum((3 * s).astype(int), 2)] - other)
    assert rows["l2-V"] == rows["l2-W"] == pytest.approx(float(np.sqrt(np.mean(apart**2))), rel=1e-5)  # pieces of 2⁻¹⁴, points of 1e-6
    assert rows["sup-V"] == pytest.approx(float(apart.max()), abs=2e-6)
    assert rows["middle-V"] == pytest.approx(0.0, abs=1e-15)
    assert rows["nodes-V"] == pytest.approx(0.125 if not layers else 0.125 - 0.0625, rel=1e-12)


def test_a_reference_network_is_a_polynomial_through_its_layers() -> None:
    case = experiment("fig1-right", small=True)
    L = case.reference or 0
    found = measures.curve(case)
    *_, last = descent(case, L)
    V = last.V.reshape(L, -1)
    s = (np.arange(L) + 0.5) / L
    assert found.apart("V", len(case.saved) - 1, found.basis(s), V).max() <= found.error < 1e-9
    assert found.step(np.array([0.0, 1.0])).tolist() == s[[0, -1]].tolist()


def test_distances_of_flows_from_the_limit_are_halved_with_each_doubling() -> None:
    case = replace(experiment("limit", small=True), saved=(10,))
    limit = measures.curve(case)
    assert limit.error < 1e-8 and limit.layers == 0
    coarse, fine = ({r.measure: r.value for r in measures.distances(states(case, L), L, case.saved, limit)} for L in (32, 64))
    for measure, value in coarse.items():
        assert value / fine[measure] == pytest.approx(2, abs=0.1), measure  # of first order: corrections of 1/32 times a number of order 1


def test_the_command_runs_draws_and_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """All figures, small; then one of them from what was kept, with one depth missing: the same bytes."""
    out = tmp_path / "out"

    def run(*names: str) -> list[str]:
        monkeypatch.setattr(sys, "argv", ["depthlimit", "figures", *names, "--small", "--workers", "1", "--out", str(out)])
        monkeypatch.setattr(figures, "command", lambda: ["depthlimit", "figures"])
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code in (0, None)
        return capsys.readouterr().err.splitlines()

    told = run("fig1-left", "fig1-right", "fig2")
    assert any(re.fullmatch(r"\d+/\d+ fig1-right L = 256: [\d.]+ s", text) for text in told)
    written = {p.name: p.read_bytes() for p in out.iterdir() if p.is_file()}
    assert {Path(n).suffix for n in written} == {".csv", ".svg", ".pdf"} and len(written) == 9
    (out / "runs" / "fig1-left-paper-descent-L8.json").unlink()
    assert len(run("fig1-left")) == 1
    assert {p.name: p.read_bytes() for p in out.iterdir() if p.is_file()} == written
    comments, points = drawn.read(out / "fig1-left-paper.csv")
    assert comments[0].endswith("depthlimit figures") and "seed = 2" in comments[1]
    assert {p.L for p in points} == {2, 4, 8, 16, 32} and all(p.published is None for p in points)
    assert b"depthlimit figures" in written["fig2-paper.svg"]


def test_networks_that_wait_for_their_reference_are_trained_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rows as when the reference comes first, and nothing else is left."""
    case = experiment("fig1-right", small=True)
    meanwhile, told = tmp_path / "meanwhile", list[str]()

    def patient(case: Experiment) -> measures.Curve:
        while not all(runs.states_file(case, L, meanwhile).exists() for L in case.depths):
            time.sleep(0.01)
        return measures.curve(case)

    monkeypatch.setattr(runs, "curve", patient)
    monkeypatch.setattr(runs, "ProcessPoolExecutor", lambda workers, mp_context: ThreadPoolExecutor(workers))
    with single_threaded():  # which threads side by side would undo for each other
        runs.run([case], meanwhile, 2, told.append)
        monkeypatch.setattr(runs, "curve", measures.curve)
        runs.run([case], tmp_path / "after", 1, lambda _: None)
    assert sum("waits for its reference" in text for text in told) == len(case.depths)
    assert {p.name for p in (meanwhile / "runs").iterdir()} == {p.name for p in (tmp_path / "after" / "runs").iterdir()}
    assert runs.read_rows(case, meanwhile) == runs.read_rows(case, tmp_path / "after")


def test_wrong_input_is_refused_in_words(tmp_path: Path) -> None:
    for arguments, message in (
        ({"names": ["fig3"]}, "figure fig3: accepted are fig1-left"),
        ({"names": ["fig2"], "network": "mine"}, "--network mine: accepted are paper, published"),
        ({"names": ["fig2"], "by_flow": True}, "Figure 2 is drawn by gradient descent only"),
        ({"names": ["fig1-left"], "by_flow": True, "network": "published"}, "leave out --network published"),
        ({"names": ["limit"], "network": "published"}, "limit: the limit is that of (4)"),
        ({"names": ["fig1-left"], "workers": -1}, "--workers -1: expected 0 or more"),
    ):
        with pytest.raises(BadInput, match=re.escape(message)):
            figures.make(out=tmp_path / "none", **arguments)  # type: ignore[arg-type]
    case = experiment("fig1-left", small=True)
    runs.one(case, 2, tmp_path)
    with pytest.raises(BadInput, match="was run with other settings; use another --out"):
        runs.run([replace(case, seed=3)], tmp_path, 1, print)
    runs.file_of(case, 2, tmp_path).write_text("{")
    with pytest.raises(BadInput, match="cannot be read"):
        runs.done(case, 2, tmp_path)


def test_what_fails_in_a_run_names_its_figure_and_depth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object) -> float:
        raise MemoryError("no room")

    monkeypatch.setattr(runs, "one", failing)
    with pytest.raises(RuntimeError, match=r"fig1-left, L = 32: no room. Complete depths are kept; the same command continues"):
        runs.run([experiment("fig1-left", small=True)], tmp_path, 1, print)


def test_the_experiments_have_the_sizes_of_appendix_e() -> None:
    for name in FIGURES:
        case = experiment(name)
        long = name == "fig2"
        assert (case.q, case.n, case.m) == ((16, 50, 64) if long else (16, 100, 32))
        assert (case.iterations, case.step) == ((80_000, 5e-3) if long else (500, 1e-2))
    assert experiment("fig1-right").reference == 2**14 and experiment("fig2").depths == (64,)
    assert json.loads(json.dumps(experiment("limit").to_json()))["flow"]
