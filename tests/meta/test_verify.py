"""A run folder: same bytes with any number of workers, resumable after a kill, refused when it does not fit; statuses and messages."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import depthlimit
from depthlimit.cli import main
from depthlimit.models.spec import BadInput, Spec
from depthlimit.models.verify import as_registered, make_plan, run, status
from depthlimit.models.workers import interrupted_after
from depthlimit.theory.record import RECORD_SCHEMA, SUMMARY_SCHEMA

SMALL: dict[str, Any] = {"d": 2, "dout": 1, "q": 3, "m": 3, "L": 3, "n": 2, "T": 0.1}
SPECS = [
    {**SMALL, "regime": {"kind": "plain-flow"}, "data": {"kind": "sphere", "seed": 1}},
    {**SMALL, "regime": {"kind": "clipped-flow"}, "clip": {"kind": "smooth", "radius": 0.3}},
    {**SMALL, "regime": {"kind": "plain-flow"}, "init": {"kind": "gp", "seed": 2}},
]


def depthlimit_command(*arguments: object, cwd: Path, **more: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "depthlimit.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False, **more)


def in_process(
    cwd: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> subprocess.CompletedProcess[str]:
    """The same without a new interpreter."""
    monkeypatch.chdir(cwd)
    monkeypatch.setattr(sys, "argv", ["depthlimit", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    captured = capsys.readouterr()
    return subprocess.CompletedProcess(list(map(str, arguments)), int(stop.value.code or 0), captured.out, captured.err)


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    path = tmp_path / "specs.json"
    path.write_text(json.dumps(SPECS))
    return path


def _parsed() -> list[Spec]:
    return [Spec.model_validate(s) for s in SPECS]


def test_records_are_the_same_bytes_with_one_and_two_workers(tmp_path: Path) -> None:
    written = []
    for workers in (1, 2):
        out = tmp_path / str(workers)
        run(make_plan(specs=_parsed(), implementation="numpy", workers=workers), out)
        written.append([(out / name).read_bytes() for name in ("plan.jsonl", "records.jsonl", "curves.jsonl", "summary.json")])
    assert written[0] == written[1]


def test_records_and_summary_follow_their_schemas(tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    run(make_plan(specs=_parsed()[:1], implementation="numpy"), tmp_path / "out")
    for text in (tmp_path / "out" / "records.jsonl").read_text().splitlines():
        jsonschema.validate(json.loads(text), RECORD_SCHEMA)
    jsonschema.validate(json.loads((tmp_path / "out" / "summary.json").read_text()), SUMMARY_SCHEMA)


def test_a_run_killed_with_signal_9_resumes_to_the_same_records(tmp_path: Path, specs: Path) -> None:
    """The killed run sleeps between units, so that it is caught half way; a half-written line is added on top."""
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run(make_plan(specs=_parsed(), implementation="numpy"), whole)
    program = (
        "import sys, time, json\n"
        "from pathlib import Path\n"
        "from depthlimit.models.spec import Spec\n"
        "from depthlimit.models.verify import make_plan, run\n"
        f"specs = [Spec.model_validate(s) for s in json.loads(Path({str(specs)!r}).read_text())]\n"
        f"run(make_plan(specs=specs, implementation='numpy'), Path({str(cut)!r}),\n"
        "    progress=lambda done, total, unit: time.sleep(60 if done == 2 else 0))\n"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as process:
        deadline = time.monotonic() + 120
        expected = (whole / "records.jsonl").read_bytes()
        while len((cut / "records.jsonl").read_bytes() if (cut / "records.jsonl").exists() else b"") < len(expected) // 2:
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
    with (cut / "records.jsonl").open("a") as handle:
        handle.write('{"claim":"eq3.inp')
    assert (cut / "records.jsonl").read_bytes() != expected
    run(make_plan(specs=_parsed(), implementation="numpy"), cut, resume=True)
    for name in ("records.jsonl", "curves.jsonl", "summary.json"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes(), name


def _interruptible(command: list[str], folder: Path) -> subprocess.Popen[str]:
    """A process that heeds SIGINT, also where the tests run in the background of a shell, which has it ignored."""
    return subprocess.Popen(
        command,
        cwd=folder,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def test_an_interrupted_run_ends_with_130_says_how_to_go_on_and_resumes(tmp_path: Path) -> None:
    """So many instances that the signal comes before the last."""
    many = [{**SPECS[0], "init": {"kind": "paper", "seed": seed}} for seed in range(30)]
    (tmp_path / "many.json").write_text(json.dumps(many))
    arguments = ("verify", "--spec", "many.json", "--implementation", "numpy", "--workers", "2", "--only", "eq3", "--out", "out")
    command = [sys.executable, "-m", "depthlimit.cli", *map(str, arguments)]
    with _interruptible(command, tmp_path) as process:
        deadline = time.monotonic() + 120
        while not (tmp_path / "out" / "curves.jsonl").exists():  # opened just before the first unit is submitted
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130 and "--resume continues it" in errors and "Traceback" not in errors, errors
    assert depthlimit_command(*arguments, "--resume", cwd=tmp_path).returncode == 0
    run(make_plan(specs=[Spec.model_validate(s) for s in many], implementation="numpy", only=("eq3",)), tmp_path / "whole")
    assert (tmp_path / "out" / "records.jsonl").read_bytes() == (tmp_path / "whole" / "records.jsonl").read_bytes()


def test_a_second_interruption_does_not_wait_for_what_is_under_way(tmp_path: Path, specs: Path) -> None:
    (tmp_path / "slow_forward.py").write_text(
        "import time\n"
        "from pathlib import Path\n"
        "from depthlimit.models.reference import NumpyImplementation\n"
        "class Slow(NumpyImplementation):\n"
        "    def forward(self, *a):\n"
        "        Path('reached').touch()\n"
        "        time.sleep(600)\n"
    )
    arguments = ("verify", "--spec", specs, "--implementation", "slow_forward:Slow", "--workers", "2", "--only", "eq3", "--out", "out")
    command = [sys.executable, "-m", "depthlimit.cli", *map(str, arguments)]
    with _interruptible(command, tmp_path) as process:
        deadline = time.monotonic() + 120
        while not (tmp_path / "reached").exists():
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        time.sleep(1)
        assert process.poll() is None  # it waits for the two that are under way
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "--resume continues it" in errors, errors


def test_an_interruption_waits_until_workers_have_started() -> None:
    """A process cut off while it starts another leaves that one without its locks, and with a traceback on the terminal."""
    reached = []
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background of a shell
    try:
        with pytest.raises(KeyboardInterrupt), interrupted_after():
            signal.raise_signal(signal.SIGINT)
            reached.append("the end of the block")
        assert reached and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_folder_that_does_not_fit_is_refused_and_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(make_plan(specs=_parsed()[:1], implementation="numpy"), out)
    before = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    with pytest.raises(BadInput, match="holds files already"):
        run(make_plan(specs=_parsed()[:1], implementation="numpy"), out)
    with pytest.raises(BadInput, match="seed was 0"):
        run(make_plan(specs=_parsed()[:1], implementation="numpy", seed=1), out, resume=True)
    with pytest.raises(BadInput, match=r"plan in .* differs"):
        run(make_plan(specs=_parsed()[1:2], implementation="numpy"), out, resume=True)
    with pytest.raises(BadInput, match="holds no run"):
        run(make_plan(specs=_parsed()[:1], implementation="numpy"), tmp_path / "absent", resume=True)
    assert before == {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert not (tmp_path / "absent").exists()
    (tmp_path / "empty").mkdir()
    run(make_plan(specs=_parsed()[:1], implementation="numpy"), tmp_path / "empty")


def test_plans_of_one_seed_agree_and_of_two_seeds_differ() -> None:
    lines = [[u.line() for u in make_plan(seed=s, implementation="numpy").units] for s in (3, 3, 4)]
    assert lines[0] == lines[1] != lines[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--profile", "fast"), "quick, standard, deep"),
        (("--only", "prop99"), "no claim has this id, label or prefix"),
        (("--implementation", "nowhere:factory"), "nowhere"),
        (("--implementation", "numpy", "--device", "cuda"), "cuda"),
        (("--target", "y"), "--data"),
        (("--resume",), "--out"),
        (("--seed", "-1"), "0 <= seed"),
        (("--spec", "absent.json"), "absent.json"),
        (("--data", "absent.csv"), "absent.csv"),
        (("--data", "sklearn:nothing"), "diabetes"),
    ],
)
def test_bad_input_ends_with_2_names_the_argument_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    done = in_process(tmp_path, monkeypatch, capsys, "verify", *arguments)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr and done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_spec_names_field_value_and_what_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "spec.json").write_text(json.dumps({**SPECS[0], "q": 1, "T": -1}))
    done = in_process(tmp_path, monkeypatch, capsys, "verify", "--spec", "spec.json")
    assert done.returncode == 2 and "T" in done.stderr and "greater than 0" in done.stderr
    (tmp_path / "spec.json").write_text("{")
    assert "not JSON" in in_process(tmp_path, monkeypatch, capsys, "verify", "--spec", "spec.json").stderr


def test_verify_makes_a_numbered_folder_and_replay_repeats_its_records(
    tmp_path: Path, specs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = depthlimit_command("verify", "--spec", specs, "--implementation", "numpy", "--workers", "1", "--only", "eq3", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    out = tmp_path / "depthlimit-out" / "0001"
    assert f"{Path('depthlimit-out/0001/records.jsonl')}" in done.stdout
    assert (out / "report" / "index.html").is_file()
    again = in_process(tmp_path, monkeypatch, capsys, "replay", f"{out / 'records.jsonl'}:2", "--implementation", "numpy")
    item = json.loads((out / "records.jsonl").read_text().splitlines()[1])
    assert again.returncode == 0 and f"lhs={item['lhs']!r}" in again.stdout and again.stdout.count("\n") == 1
    assert in_process(tmp_path, monkeypatch, capsys, "replay", f"{out / 'records.jsonl'}:999").returncode == 2
    before = (out / "report" / "index.html").read_bytes()
    assert in_process(tmp_path, monkeypatch, capsys, "report", out).returncode == 0
    assert (out / "report" / "index.html").read_bytes() == before
    assert in_process(tmp_path, monkeypatch, capsys, "report", tmp_path).returncode == 2


def test_a_wrong_implementation_ends_with_1(
    tmp_path: Path, specs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "wrong_loss.py").write_text(
        "from depthlimit.models.reference import NumpyImplementation\n"
        "class Wrong(NumpyImplementation):\n"
        "    def loss(self, *a):\n"
        "        return 2 * super().loss(*a)\n"
    )
    done = in_process(
        tmp_path, monkeypatch, capsys, "verify", "--spec", specs, "--implementation", "wrong_loss:Wrong", "--only", "loss", "--workers", 1
    )
    assert done.returncode == 1 and "violated" in done.stdout


def test_undecided_alone_ends_with_3_and_an_error_with_1() -> None:
    item = {"claim": "eq3.input", "edition": "as-printed", "inputs": "instantaneous", "spec": SPECS[0]}
    assert [
        status([{**item, "verdict": v}]) for v in ("holds", "out-of-hypothesis", "unsupported", "undecided", "violated", "errored")
    ] == [0, 0, 0, 3, 1, 1]


def test_a_refuted_claim_may_hold_or_fail_but_not_on_its_witness() -> None:
    from depthlimit.models.corpus import WITNESSES

    item = {"claim": "eq13.layer", "edition": "as-printed", "inputs": "instantaneous", "verdict": "holds"}
    assert as_registered({**item, "spec": SPECS[0]})
    assert as_registered({**item, "spec": SPECS[0], "verdict": "violated"})
    assert not as_registered({**item, "spec": WITNESSES["eq13-witness"].to_json()})


def test_the_python_interface_gives_bounds_and_records() -> None:
    spec = depthlimit.Spec.model_validate(SPECS[1])
    claim = depthlimit.claims("prop7.norm-A")[0]
    bound = claim.bound(spec)
    records = depthlimit.verify(spec)
    found = next(r for r in records if r["claim"] == "prop7.norm-A")
    assert bound.value == pytest.approx(found["rhs"], rel=1e-12) and bound.radius > 0
    with pytest.raises(KeyError):
        depthlimit.claims("prop99")
    with pytest.raises(ValueError, match="spec: q"):
        depthlimit.verify({**SPECS[0], "q": 0})
