"""What an implementation prints is kept by the method in which it did, compiled code's too, and is never in the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from depthlimit.conformance.explain import printed
from depthlimit.conformance.oracle.folder import read_run
from depthlimit.conformance.oracle.outcome import Outcome
from depthlimit.conformance.oracle.outputs import markdown
from depthlimit.conformance.oracle.run import plan
from depthlimit.models.calls import PATIENCE
from depthlimit.models.printed import KEPT, shortened
from depthlimit.models.verify import Plan, prepare, run, status

TALKING = '''
import ctypes, os, signal, sys, time, warnings
from depthlimit.models.reference import NumpyImplementation

print("nobody is asked yet")
C = ctypes.CDLL(None)
held = ctypes.create_string_buffer(4096)  # as of any program whose output is a file
C.setvbuf(ctypes.c_void_p.in_dll(C, "stdout"), held, 0, 4096)


class Talks(NumpyImplementation):
    """On standard output and error, in Python, below it, and through the buffers of C."""

    def forward(self, *a):
        print("in Python,", "unfinished", end="")
        print("on \\x1b[31mstderr", file=sys.stderr)
        os.write(1, b"below Python\\n")
        C.printf(b"held back by C\\n")
        warnings.warn("mind the step")
        return super().forward(*a)

    def loss(self, *a):
        os.write(2, b"z" * 1_000_000 + b" the end")
        return super().loss(*a)


class Dies(NumpyImplementation):
    def gradients(self, *a):
        os.write(1, b"so far so good\\n")
        os.kill(os.getpid(), signal.SIGSEGV)

    velocity = gradients


class Stuck(NumpyImplementation):
    """Compiled code that does not come back: no signal is heard."""

    def loss(self, *a):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        time.sleep(3600)
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "talking.py").write_text(TALKING)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def planned(name: str, units: int, **options: Any) -> Plan:
    found = plan(f"talking:{name}", examples=0, workers=1, only=["agreement", "eq3"], **options)
    found.units = found.units[:units]
    return found


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]


def test_all_that_is_printed_in_a_call_is_kept_with_its_method_and_passes(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = planned("Talks", 3)
    run(found, folder / "out")
    assert status(lines(folder / "out" / "records.jsonl")) == 0
    heard = lines(folder / "out" / "printed.jsonl")
    assert {(h["unit"], h["method"]) for h in heard} == {(i, m) for i in range(3) for m in ("forward", "loss")} | {(0, "factory")}
    forwards = [h for h in heard if h["method"] == "forward"]
    for words in ("in Python, unfinished", "stderr", "below Python", "held back by C", "UserWarning: mind the step"):
        assert all(words in h["text"] for h in forwards), words
    assert "nobody" in heard[0]["text"] and not any("nobody" in h["text"] or "\x1b" in h["text"] for h in forwards)
    losses = [h["text"] for h in heard if h["method"] == "loss"]
    assert all(text.startswith("zzz") and text.endswith("the end") and len(text) <= KEPT + 5 for text in losses)
    assert not any(word in text for text in capfd.readouterr() for word in ("in Python", "zzz", "mind the step"))

    text = markdown(Outcome(read_run(folder / "out")))
    assert text.count("\\- forward") + text.count("- forward printed: ") == 1, "the summary says it once"

    prepare(found, folder / "out", resume=True)
    records = (folder / "out" / "records.jsonl").read_text().splitlines(keepends=True)
    (folder / "out" / "records.jsonl").write_text("".join(records[:-1]))
    prepare(found, folder / "out", resume=True)
    assert {h["unit"] for h in lines(folder / "out" / "printed.jsonl")} == {0, 1}, "of a unit that was cut off nothing is kept"


def test_last_words_are_told_with_the_failure(folder: Path) -> None:
    run(planned("Dies", 1), folder / "out")
    found = read_run(folder / "out")
    assert {h["method"]: h["text"] for h in found.printed if h["method"] != "factory"} == {
        "gradients": "so far so good",
        "velocity": "so far so good",
    }
    text = markdown(Outcome(found))
    assert "gradients: crash: the process ended with signal SIGSEGV\ngradients printed: so far so good\n" in text


def test_a_method_that_ends_processes_by_hanging_is_given_up(folder: Path) -> None:
    units = PATIENCE + 2
    run(planned("Stuck", units, timeout=0.1), folder / "out")
    reasons = [r["reason"] for r in lines(folder / "out" / "records.jsonl") if r["claim"] == "agreement.loss"]
    late = "loss: hang: no answer within 0.1 s, and it could not be stopped"
    assert reasons == [late] * PATIENCE + [f"{late}, {PATIENCE} times; not asked again"] * 2


def test_a_line_of_a_terminal_holds_what_it_can() -> None:
    assert shortened("abc", 3) == "abc" and shortened("abcdef", 4) == "ab ... ef"
    assert printed([{"method": "loss", "calls": 1, "text": "a\n b"}, {"method": "flow", "calls": 7, "text": "x" * 300}], 10) == [
        "loss printed: a b",
        "flow printed (in 7 calls): xxxxx ... xxxxx",
    ]
