"""The committed baseline: what it is made of, which drift it notices and which it must not, and how it is updated."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from depthlimit.cli import main
from depthlimit.conformance.oracle.baseline import BASELINE_SCHEMA, Baseline, Drift, drift, made_of, read_baseline, updated, write_baseline
from depthlimit.conformance.oracle.folder import Run, read_run
from depthlimit.conformance.oracle.margins import SIDES, own_state, radius
from depthlimit.models.spec import BadInput
from depthlimit.theory.record import claim_id
from depthlimit.theory.registry import claims

RunOf = Callable[[str], Path]
COMMITTED = Path(__file__).parents[1] / "baseline.json"
CLAIMS = {c.id: c for c in claims()}


def test_the_committed_baseline_names_every_claim_with_a_reason() -> None:
    """That its numbers are right is what `depthlimit baseline check` says, in a minute."""
    found = read_baseline(COMMITTED)
    missing, unknown = set(CLAIMS) - set(found.claims), set(found.claims) - set(CLAIMS)
    assert not missing and not unknown, "run `depthlimit baseline update --reason TEXT`"
    jsonschema.validate(json.loads(COMMITTED.read_text()), BASELINE_SCHEMA)


def test_the_committed_baseline_can_notice_a_change_of_a_percent() -> None:
    """Of nine inequalities in ten; and of every equality some error of it, unless both sides are 0."""
    found = read_baseline(COMMITTED).claims
    inequalities = [e for e in found.values() if e.log10_tightness is not None]
    assert sum(e.radius is not None and 2 * e.radius < 0.004 for e in inequalities) >= 0.9 * len(inequalities) > 0
    assert all(CLAIMS[key].relation == "=" for key, e in found.items() if e.detects is not None)


@pytest.fixture
def numpy(run_of: RunOf) -> Run:
    return read_run(run_of("numpy"))


def moved(run: Run, claim: str, **change: Callable[[dict[str, Any]], Any]) -> Baseline:
    """The baseline of a run in which every record of one claim is another one."""
    records = [{**r, **{k: f(r) for k, f in change.items()}} if claim_id(r) == claim else r for r in run.records]
    return made_of(replace(run, records=records))


def tight(run: Run, *, own: bool) -> str:
    """An inequality whose worst record is about a state that was solved for, or is not."""
    entries = made_of(run).claims
    items = (r for r in run.records if r["scale"] == "linear" and r["log10_tightness"] is not None)
    return next(
        claim_id(r)
        for r in items
        if CLAIMS[claim_id(r)].relation != "="
        and own_state(CLAIMS[claim_id(r)], r) == own
        and entries[claim_id(r)].log10_tightness == r["log10_tightness"]
        and radius(r) < 1e-9
    )


@pytest.mark.parametrize(("factor", "names"), [(0.9, False), (1.1, True), (-0.9, False), (-1.1, True)])
def test_the_worst_ratio_may_move_by_the_radii_and_no_more(numpy: Run, factor: float, names: bool) -> None:
    claim = tight(numpy, own=False)
    found = drift(made_of(numpy), moved(numpy, claim, log10_tightness=lambda r: r["log10_tightness"] + factor * 2 * radius(r)))
    assert [d.claim for d in found] == [claim] * names, found
    assert not names or "log10_tightness moved by" in found[0].what


def test_a_ratio_at_a_state_that_was_solved_for_may_move_by_what_its_solver_may_err(numpy: Run) -> None:
    """2e-7 of it at rtol 1e-9, twice that of both runs; a thousandth is noticed."""
    claim = tight(numpy, own=True)
    for shift, names in ((1e-7, False), (1e-3, True)):
        found = drift(made_of(numpy), moved(numpy, claim, log10_tightness=lambda r, s=shift: r["log10_tightness"] - s))
        assert [d.claim for d in found] == [claim] * names, found


def test_a_changed_constant_is_noticed_in_every_inequality_that_has_a_ratio(numpy: Run) -> None:
    """A tenth more in each bound: all but those whose radii are wider than that."""
    before = made_of(numpy)
    wanted = [key for key, e in before.claims.items() if e.scale == "linear" and e.log10_tightness is not None and (e.radius or 1) < 0.01]
    assert len(wanted) > 15
    for claim in wanted:
        found = drift(
            before, moved(numpy, claim, rhs=lambda r: 1.1 * (r["rhs"] or 0), log10_tightness=lambda r: (r["log10_tightness"] or 0) - 0.041)
        )
        assert claim in [d.claim for d in found]


def test_the_error_of_an_equality_is_free_below_its_radii_and_its_power_is_not(numpy: Run) -> None:
    claim = "agreement.hidden[sharpened,instantaneous]"
    before = made_of(numpy)
    assert drift(before, moved(numpy, claim, log10_tightness=lambda r: -0.01)) == []
    for factor, names in ((2.0, False), (1e3, True)):
        wider = moved(numpy, claim, lhs_radius=lambda r, f=factor: f * r["lhs_radius"], rhs_radius=lambda r, f=factor: f * r["rhs_radius"])
        assert [d.claim for d in drift(before, wider)] == [claim] * names


def test_verdicts_claims_and_instances_that_change_are_drift(numpy: Run) -> None:
    before = made_of(numpy)
    claim = "agreement.hidden[sharpened,instantaneous]"
    assert drift(before, moved(numpy, claim, verdict=lambda r: "undecided"))[0] == Drift(claim, "holds became undecided")
    fewer = made_of(replace(numpy, records=[r for r in numpy.records if claim_id(r) != claim]))
    assert drift(before, fewer) == [Drift(claim, "vanished")] and drift(fewer, before) == [Drift(claim, "appeared")]
    other = made_of(replace(numpy, plan=numpy.plan + "\n"))
    assert [str(d)[:38] for d in drift(before, other)] == ["instances: the plan is another one: Sp"]
    for key, change in ((tight(numpy, own=False), {"log10_tightness": lambda r: None}), (claim, dict.fromkeys(SIDES, lambda r: 0.0))):
        none = moved(numpy, key, **change)
        assert [d.claim for d in drift(before, none)] == [d.claim for d in drift(none, before)] == [key]


def test_a_run_of_anything_else_makes_no_baseline(numpy: Run, run_of: RunOf) -> None:
    with pytest.raises(BadInput, match=r"implementation is 'own_adapters:Partial', expected 'numpy'"):
        made_of(read_run(run_of("partial")))
    for key, value in {"seed": 1, "profile": "deep", "only": ["eq3"], "data": {}}.items():
        with pytest.raises(BadInput, match=f"{key} is {value!r}".replace("[", r"\[").replace("]", r"\]")):
            made_of(replace(numpy, identity={**numpy.identity, key: value}))
    with pytest.raises(BadInput, match="did not finish"):
        made_of(replace(numpy, identity={**numpy.identity, "finished": None}))


def test_an_update_changes_what_has_drifted_and_nothing_else(numpy: Run, tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    claim, gone = tight(numpy, own=False), "agreement.hidden[sharpened,instantaneous]"
    write_baseline(path, updated(None, made_of(numpy), "first"))
    first = read_baseline(path)
    jsonschema.validate(json.loads(path.read_text()), BASELINE_SCHEMA)
    assert {e.reason for e in first.claims.values()} == {"first"} and drift(first, made_of(numpy)) == []
    now = moved(numpy, claim, log10_tightness=lambda r: r["log10_tightness"] - 0.1)
    now = now.model_copy(update={"claims": {k: e for k, e in now.claims.items() if k != gone}})
    write_baseline(path, updated(first, now, "a constant was wrong"))
    second = read_baseline(path)
    assert drift(second, now) == [] and second.gone == {gone: "a constant was wrong"}
    assert {k for k, e in second.claims.items() if e != first.claims[k]} == {claim}
    assert second.claims[claim].reason == "a constant was wrong"
    third = updated(second, made_of(numpy), "back")
    assert third.gone == {} and third.claims[gone].reason == "back"


def test_the_file_has_a_line_for_each_claim_and_the_same_bytes_again(numpy: Run, tmp_path: Path) -> None:
    written = []
    for name in "ab":
        write_baseline(tmp_path / name, updated(None, made_of(numpy), "first"))
        written.append((tmp_path / name).read_bytes())
    lines = written[0].decode().splitlines()
    assert written[0] == written[1] and sum('"verdict"' in line for line in lines) == len(made_of(numpy).claims)
    assert max(line.count('"verdict"') for line in lines) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"seed": "0"}, "seed: Input should be a valid integer"),
        ({"when": 1}, "when: Extra inputs are not permitted"),
        ({"claims": {"a": {"verdict": "holds", "reason": " "}}}, "claims.a.reason: String should match"),
        ({"claims": {"a": {"verdict": "holds"}}}, "claims.a: without a reason"),
    ],
)
def test_a_file_made_by_hand_is_refused_where_it_is_wrong(tmp_path: Path, change: dict[str, Any], says: str) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(
        json.dumps({"implementation": "numpy", "profile": "quick", "seed": 0, "instances": "", "claims": {}, "gone": {}, **change})
    )
    with pytest.raises(BadInput) as error:
        read_baseline(path)
    assert f"{path}: {says}" in str(error.value)


def test_the_commands_check_and_update(
    run_of: RunOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, file = run_of("numpy"), tmp_path / "b.json"

    def command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["depthlimit", "baseline", *map(str, arguments), "--baseline", str(file)])
        with pytest.raises(SystemExit) as stop:
            main()
        printed = capsys.readouterr()
        return int(stop.value.code or 0), printed.out, printed.err

    assert command("check", folder)[0] == 2
    assert command("update", folder)[0] == 2, "no reason"
    assert command("update", folder, "--reason", " ")[0] == 2
    assert command("update", folder, "--reason", "first") == (0, f"{file}: {len(made_of(read_run(folder)).claims)} entries\n", "")
    before = file.read_bytes()
    assert command("check", folder)[0] == 0
    assert command("update", folder, "--reason", "again") == (0, f"{file}: 0 entries changed\n", "") and file.read_bytes() == before
    lines = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    wide = [{**r, "lhs_radius": 1e4 * r["lhs_radius"]} if r["claim"] == "agreement.hidden" else r for r in lines]
    (folder / "records.jsonl").write_text("".join(json.dumps(r) + "\n" for r in wide))
    status, out, _ = command("check", folder)
    assert (status, out.splitlines()[-1]) == (1, f"{len(read_baseline(file).claims)} claims in the baseline, 1 drifted")
    assert out.startswith("agreement.hidden[sharpened,instantaneous]: detects moved by")
    bad = [{**r, "verdict": "violated"} if r["claim"] == "agreement.hidden" else r for r in lines]
    (folder / "records.jsonl").write_text("".join(json.dumps(r) + "\n" for r in bad))
    status, _, said = command("update", folder, "--reason", "x")
    assert status == 2 and "1 claims fail" in said and file.read_bytes() == before
