"""The list of differences from the paper is complete enough to act on, and each replay does what it says."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from depthlimit.cli import main
from depthlimit.models.clip import clip
from depthlimit.reports.formulas import from_tex
from depthlimit.theory import registry
from depthlimit.theory.difference import DIFFERENCES_SCHEMA, Difference, differ, differences

FOUND = differences()
each = pytest.mark.parametrize("difference", FOUND, ids=lambda d: d.id)


def run(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["depthlimit", *arguments])
    with pytest.raises(SystemExit) as stop:
        main()
    return int(stop.value.code or 0)


def test_the_command_prints_the_list_as_json_and_as_text(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["differences", "--json"], monkeypatch) == 0
    printed = json.loads(capsys.readouterr().out)
    jsonschema.validate(printed, DIFFERENCES_SCHEMA)
    assert printed == [d.to_json() for d in FOUND] and len({d["id"] for d in printed}) == len(printed) > 0
    assert [d["page"] or 0 for d in printed] == sorted(d["page"] or 0 for d in printed)
    assert run(["differences"], monkeypatch) == 0
    text = capsys.readouterr().out
    for one in FOUND:
        for said in (one.id, one.kind, one.printed, one.corrected, one.consequence, *one.evidence, one.replay):
            assert said in text, one.id


@each
def test_a_difference_can_be_typeset_and_says_how_it_was_confirmed(difference: Difference) -> None:
    assert "<math" in from_tex(difference.printed) and "<math" in from_tex(difference.corrected)
    assert difference.printed != difference.corrected and len(set(difference.evidence)) == 2
    assert difference.source.page is not None


@each
def test_its_replay_ends_with_0(
    difference: Difference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command, *arguments = shlex.split(difference.replay)
    monkeypatch.chdir(tmp_path)
    assert command == "depthlimit" and run(arguments, monkeypatch) == 0
    assert capsys.readouterr().out


def test_what_is_false_as_printed_is_a_refuted_claim_or_says_so() -> None:
    """Every refuted edition of the paper's own statements stands in the list."""
    places = {(d.source.equation, d.source.page) for d in FOUND} | {(d.source.item, d.source.page) for d in FOUND}
    for claim in registry.claims():
        if claim.expect is not None and claim.source.page is not None and claim.edition == "as-printed":
            assert {(claim.source.equation, claim.source.page), (claim.source.item, claim.source.page)} & places, claim.id


def test_a_witness_is_replayed_by_its_name(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", "eq13-witness", "--implementation", "numpy"], monkeypatch) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["eq13.layer[as-printed,instantaneous]:", "violated,"],
        ["eq13.layer[corrected,instantaneous]:", "holds"],
    ]


def test_a_literal_instance_is_replayed_by_its_name(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["replay", "prop5-literal", "--implementation", "numpy"], monkeypatch) == 0
    assert "prop5.pl[as-printed,instantaneous]: holds" in capsys.readouterr().out


def test_an_id_is_registered_once_and_a_kind_is_one_of_four() -> None:
    with pytest.raises(ValueError, match="registered already"):
        differ(FOUND[0])
    with pytest.raises(ValueError, match="kind must be one of"):
        replace(FOUND[0], kind="ugly")


def test_the_numbers_in_the_evidence_are_right() -> None:
    """d-prop7-clip-lipschitz, d-prop3-norm and d-prop11-taylor, recomputed."""
    radial = {"q": 1, "d": 1, "dout": 1, "m": 1, "clip": {"kind": "radial", "radius": 1.0}}
    (velocities,) = clip(radial, "A", np.array([[[2.0]], [[3.0]]]))
    assert np.ptp(velocities) == 0.0
    assert np.tanh(1.0) - np.tanh(-1.0) > 1.5
    jacobian = np.array([[1.0, 1.0]])  # of V W h in (V, W), at 1
    assert np.abs(jacobian.T @ [1.0]).sum() == 2.0 > np.linalg.norm(jacobian, 2)
    L, k = 5.0, 2.0
    s, weights = np.polynomial.legendre.leggauss(2)
    nodes = k / L + (s + 1) / (2 * L)
    assert np.sum(weights / (2 * L) * ((k + 1) / L - nodes)) == pytest.approx(1 / (2 * L**2), rel=1e-14)
