"""`depthlimit break` switches a planted fault on and shows what notices it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest

from depthlimit import breaks
from depthlimit.cli import main
from depthlimit.conformance.faults import FAULTS
from depthlimit.conformance.faults.planted import path
from depthlimit.models.implementation import load
from depthlimit.theory.registry import claims


def depthlimit_break(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["depthlimit", "break", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(str(stop.value.code or 0))


def test_faults_are_listed_with_the_checks_that_must_catch_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert depthlimit_break(monkeypatch) == 0
    text = capsys.readouterr().out
    assert all(f.name in text and f.meaning in text for f in FAULTS if f.implementation is not None)
    assert depthlimit_break(monkeypatch, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert {one["fault"] for one in found} == {f.name for f in FAULTS if f.implementation is not None}
    assert {c for one in found for c in one["declared"]} <= {c.id for c in claims()}


def test_a_fault_that_is_switched_on_is_caught_diagnosed_and_can_be_seen_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert depthlimit_break(monkeypatch, "drop-depth-scaling") == 0
    text = capsys.readouterr().out
    assert "eq3.layer[as-printed,instantaneous] on plain-flow: violated, expected that it holds" in text
    assert "h_next = h + branch/(L*sqrt(m))" in text and "not noticing it: eq3.input" in text
    assert "forward: the factor 1/L of (3) is missing" in text and "consequences: loss, gradients, velocity, flow" in text
    assert "depthlimit replay spec.json --implementation depthlimit.conformance.faults.planted:drop_depth_scaling" in text
    assert "SURVIVED" not in text


def test_the_same_as_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert depthlimit_break(monkeypatch, "initial-output", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found["declared"]) <= set(found["noticed"]) and not found["survived"]
    assert not set(found["noticed"]) & set(found["unnoticed"])
    assert found["diagnosis"][0]["sentence"] == found["cause"] == "the output of (6) is B H(0)"
    assert {item["verdict"] for item in found["failures"]} <= {"violated", "errored"} and found["replay"]


def test_a_fault_that_survives_its_checks_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    harmless = next(f for f in FAULTS if f.name == "initial-output")
    declared = replace(harmless, caught_by=("eq6.state[as-printed,along-trajectory]",))  # the states are right
    monkeypatch.setattr(breaks, "FAULTS", (declared,))
    assert depthlimit_break(monkeypatch, "initial-output") == 1
    assert "SURVIVED: these had to fail and did not: eq6.state" in capsys.readouterr().out


def test_an_unknown_name_is_bad_input_and_close_ones_are_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert depthlimit_break(monkeypatch, "drop-depth-scalling") == 2
    captured = capsys.readouterr()
    assert "did you mean drop-depth-scaling" in captured.err and not captured.out


def test_every_planted_fault_can_be_loaded_by_name() -> None:
    for fault in breaks.breakable():
        assert type(load(path(fault))) is fault.implementation
    with pytest.raises(ValueError, match="has no"):
        load("depthlimit.conformance.faults.planted:nothing_wrong")
