"""`oracle run`: misbehaviour is named and stops what it must, consequences are told apart, partial implementations pass."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from depthlimit.conformance.oracle.failures import METHODS, failures, subject
from depthlimit.conformance.oracle.run import ASKED, FLOWS, counts, plan
from depthlimit.models.check import RUNS, check
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.spec import BadInput, Spec
from depthlimit.models.strategies import GENERATED
from depthlimit.models.trajectory import Trajectory
from depthlimit.models.verify import Plan, run, status
from depthlimit.models.workers import tried
from depthlimit.theory import judgement as J
from depthlimit.theory.registry import claims

WRONG = '''
import os, time
from depthlimit.models.reference import NumpyImplementation


class Partial:
    """forward and loss alone."""

    def __init__(self):
        self.forward, self.loss = NumpyImplementation().forward, NumpyImplementation().loss


class Crash(NumpyImplementation):
    def gradients(self, *a):
        os.abort()

    velocity = gradients


class Hang(NumpyImplementation):
    def loss(self, *a):
        while True:
            time.sleep(0.01)


class Swallows(NumpyImplementation):
    """Catches what it should not, and goes on hanging: only the end of the process stops it."""

    def loss(self, *a):
        while True:
            try:
                time.sleep(60)
            except BaseException:
                pass


class Leaves(NumpyImplementation):
    def loss(self, *a):
        raise SystemExit(3)


def Aborting():
    os.write(2, b"no device")
    os.abort()


def Refusing():
    raise ValueError("not today")


class Doubled(NumpyImplementation):
    def gradients(self, *a):
        return {k: 2 * g for k, g in super().gradients(*a).items()}
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "wrong_ones.py").write_text(WRONG)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def planned(name: str, units: int = 2, **options: Any) -> Plan:
    """The first instances of the corpus."""
    found = plan(f"wrong_ones:{name}", examples=0, workers=1, **options)
    found.units = found.units[:units]
    return found


def records(found: Plan, folder: Path) -> list[dict[str, Any]]:
    run(found, folder / "out")
    return [json.loads(line) for line in (folder / "out" / "records.jsonl").read_text().splitlines()]


def test_every_regime_that_asks_an_implementation_is_part_of_a_run() -> None:
    asking = {
        kind
        for kind, run_class in RUNS.items()
        if issubclass(run_class, Trajectory) or "implementation" in run_class.__init__.__annotations__
    }
    ours = {
        "general-flow",
        "general-long",
        "limit-map",
        "general-limit",
        "descent",
        "published-figure",
        "random-matrix",
        "kernel-matrix",
        "relu",
        "relu-ladder",
        "counterexamples",
        "family",
        "pl-seeds",
    }  # take one by their signature and ask it nothing
    assert set(ASKED) == asking - ours


def test_one_generated_instance_of_fifty_is_more_than_one_state() -> None:
    found = counts(1000)
    assert sum(found.values()) == 1000 and sum(n for kind, n in found.items() if kind != "network") <= 1000 // FLOWS
    assert set(found) <= set(GENERATED) and counts(0) == dict.fromkeys(found, 0)


def test_every_claim_of_a_run_is_about_a_method() -> None:
    about = Counter(subject({"claim": c.label, "regime": r}) for c in claims() for r in c.regimes if r in ASKED)
    assert set(about) == set(METHODS) and min(about.values()) >= 2, about


def test_a_partial_implementation_passes_and_says_what_it_lacks(folder: Path) -> None:
    found = records(planned("Partial"), folder)
    assert status(found) == 0 and not failures(found)
    verdicts = {(subject(r), r["verdict"]) for r in found}
    assert ("forward", "holds") in verdicts and ("gradients", "unsupported") in verdicts and ("gradients", "holds") not in verdicts
    assert any("no method gradients" in r["reason"] for r in found)


@pytest.mark.parametrize(
    ("name", "method", "text"),
    [
        ("Crash", "gradients", "crash: the process ended with signal SIGABRT"),
        ("Hang", "loss", "hang: no answer within 1 s"),
        ("Swallows", "loss", "hang: no answer within 1 s, and it could not be stopped"),
        ("Leaves", "loss", "exception: SystemExit: 3"),
    ],
)
def test_what_ends_or_stops_a_process_stops_its_method_alone(folder: Path, name: str, method: str, text: str) -> None:
    found = records(planned(name, units=1, timeout=1.0), folder)
    assert any(text in r["reason"] for r in found if subject(r) == method)
    assert {r["verdict"] for r in found if subject(r) == "forward"} == {"holds"}
    causes = {f.method for f in failures(found) if not f.blocked}
    assert causes == {method}, causes


def test_what_rests_on_a_wrong_method_is_blocked_by_it(folder: Path) -> None:
    found = failures(records(planned("Doubled"), folder))
    assert {f.method for f in found if not f.blocked} == {"gradients"}
    assert {(f.method, f.blocked) for f in found if f.blocked} == {("velocity", "gradients")}


def test_a_run_that_fails_fast_ends_with_the_first_instance_that_fails(folder: Path) -> None:
    found = records(planned("Doubled", units=8, fail_fast=True), folder)
    assert status(found) == 1 and len({json.dumps(r["spec"]) for r in found}) == 1
    assert json.loads((folder / "out" / "run.json").read_text())["finished"] is None, "what was not run must not pass for finished"


def test_a_flow_with_one_saved_time_is_asked_again_too() -> None:
    spec = Spec.model_validate({"regime": {"kind": "plain-flow"}, "d": 1, "dout": 1, "q": 2, "m": 2, "L": 2, "n": 2, "times": (0.0,)})
    (record,) = check(spec, NumpyImplementation(), selected=claims("repeat.flow"))[0]
    assert record["verdict"] == J.HOLDS, record["reason"]


def test_methods_that_are_not_named_are_not_asked(folder: Path) -> None:
    found = records(planned("Crash", units=1, methods=["forward", "loss"]), folder)
    assert status(found) == 0 and {r["verdict"] for r in found if subject(r) == "gradients"} == {"unsupported"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Partial", ""),
        ("Aborting", "factory: crash: the process ended with signal SIGABRT\nno device"),
        ("Refusing", "factory: ValueError: not today"),
        ("Missing", "has no 'Missing'"),
    ],
)
def test_an_implementation_is_tried_where_it_may_crash(folder: Path, name: str, text: str) -> None:
    said = tried(planned(name))
    assert text in said and bool(said) == bool(text)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"methods": ["forwards"]}, "--methods forwards"),
        ({"examples": -1}, "--max-examples -1"),
        ({"timeout": 0.0}, "--timeout 0"),
        ({"only": ["lemma20"]}, "ask nothing of an implementation"),
    ],
)
def test_bad_options_are_named(options: dict[str, Any], text: str) -> None:
    with pytest.raises(BadInput, match=text):
        plan("numpy", **options)
