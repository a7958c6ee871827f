"""Two runs side by side: right ones differ in nothing, and each kind of difference is found just beyond the radii."""

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
from depthlimit.conformance.oracle.compare import COMPARISON_SCHEMA, NOT_CHECKED, Comparison, compare, text
from depthlimit.conformance.oracle.folder import Run, read_run
from depthlimit.conformance.oracle.margins import norm_rounding, own_state, radius
from depthlimit.models.spec import BadInput
from depthlimit.theory.record import claim_id
from depthlimit.theory.registry import claims

RunOf = Callable[[str], Path]
CLAIMS = {c.id: c for c in claims()}


def kinds(found: Comparison) -> dict[str, int]:
    """How many differences of each kind."""
    rows = {name: len(getattr(found, name)) for name in ("verdicts", "supported", "tightness", "sides")}
    jsonschema.validate(found.to_json(), COMPARISON_SCHEMA)
    assert found.same == (sum(rows.values()) == 0) and text(found).endswith("same" if found.same else "different")
    return {name: count for name, count in rows.items() if count}


def changed(run: Run, wanted: Callable[[dict[str, Any]], bool], change: Callable[[dict[str, Any]], dict[str, Any]]) -> tuple[Run, str]:
    """A run in which the first record that is wanted is another one, and its claim."""
    records = list(run.records)
    index = next(i for i, item in enumerate(records) if wanted(item))
    records[index] = {**records[index], **change(records[index])}
    return replace(run, records=records), claim_id(records[index])


@pytest.mark.parametrize("other", ["numpy", "torch"])
def test_right_implementations_differ_in_nothing(run_of: RunOf, tmp_path: Path, other: str) -> None:
    ours = read_run(run_of("numpy"))
    theirs = ours if other == "numpy" else read_run(run_of(other))
    found = compare(ours, theirs)
    assert kinds(found) == {} and len(found.pairs) == len(ours.records)
    judged = [p for p in found.pairs if p.claim and p.a["lhs"] is not None and not own_state(p.claim, p.a) and p.a["where"] == p.b["where"]]
    assert len(judged) > 30, "hardly anything was compared"


def test_a_wrong_implementation_differs_in_verdicts(run_of: RunOf) -> None:
    found = compare(read_run(run_of("numpy")), read_run(run_of("faulty")))
    assert kinds(found)["verdicts"]
    row = next(r for r in found.verdicts if r["claim"].startswith("eq3.layer"))
    assert (row["a"], row["b"], row["count"]) == ("holds", "violated", 2)
    assert [run.records[line - 1]["verdict"] for run, line in zip((found.a, found.b), row["lines"], strict=True)] == ["holds", "violated"]


def test_a_method_that_only_one_supports_is_told_with_the_reason(run_of: RunOf) -> None:
    numpy, partial = read_run(run_of("numpy")), read_run(run_of("partial"))
    for found, by in ((compare(numpy, partial), "a"), (compare(partial, numpy), "b")):
        assert set(kinds(found)) == {"supported"} and {row["by"] for row in found.supported} == {by}
        assert any(row["reason"] == "neural_ode: no solver | <b>here</b>" and row["claims"] for row in found.supported)


def test_a_claim_that_only_one_run_has_is_told(run_of: RunOf) -> None:
    run = read_run(run_of("numpy"))
    without = replace(run, records=[r for r in run.records if r["claim"] != "eq3.layer"])
    found = compare(run, without)
    assert kinds(found) == {"supported": 1}
    assert found.supported == [{"by": "a", "reason": NOT_CHECKED, "claims": ["eq3.layer[as-printed,instantaneous]"]}]


def inequality(item: dict[str, Any]) -> bool:
    claim = CLAIMS[claim_id(item)]
    return claim.relation != "=" and item["scale"] == "linear" and item["log10_tightness"] is not None and not own_state(claim, item)


@pytest.mark.parametrize(("factor", "same"), [(0.9, True), (1.1, False)])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_worst_ratio_may_move_by_what_the_radii_allow_and_no_more(run_of: RunOf, factor: float, sign: int, same: bool) -> None:
    """One instance only, so that the record is the worst of its claim."""
    run = read_run(run_of("numpy"))
    one = replace(run, records=[r for r in run.records if r["regime"] == "plain-flow"])
    shift = lambda item: sign * factor * 2 * radius(item)  # noqa: E731
    moved, claim = changed(one, inequality, lambda item: {"log10_tightness": item["log10_tightness"] + shift(item)})
    found = compare(one, moved)
    assert kinds(found) == ({} if same else {"tightness": 1})
    assert same or found.tightness[0]["claim"] == claim


def test_only_the_worst_ratio_counts(run_of: RunOf) -> None:
    """A ratio that is farther from the bound than that of another instance says nothing new."""
    run = read_run(run_of("numpy"))
    item = next(r for r in run.records if inequality(r))
    spec = json.loads(json.dumps(item["spec"]))
    spec["data"]["seed"] += 1
    loose = {**item, "spec": spec, "log10_tightness": item["log10_tightness"] - 2}
    runs = [replace(run, records=[item, {**loose, "log10_tightness": loose["log10_tightness"] - s}]) for s in (0.0, 1.0)]
    assert kinds(compare(*runs)) == {}


def test_the_error_of_an_equality_is_the_chance_of_rounding(run_of: RunOf) -> None:
    run = read_run(run_of("numpy"))

    def equality(item: dict[str, Any]) -> bool:
        claim = CLAIMS[claim_id(item)]
        return claim.relation == "=" and item["log10_tightness"] is not None and not own_state(claim, item)

    nearer, _ = changed(run, equality, lambda item: {"log10_tightness": -0.01})
    assert kinds(compare(run, nearer)) == {}


@pytest.mark.parametrize(("factor", "same"), [(0.9, True), (1.1, False)])
def test_sides_at_one_point_may_differ_by_their_radii_and_no_more(run_of: RunOf, factor: float, same: bool) -> None:
    run = read_run(run_of("numpy"))

    def wanted(item: dict[str, Any]) -> bool:
        return bool(item["lhs"]) and CLAIMS[claim_id(item)].relation == "=" and not own_state(CLAIMS[claim_id(item)], item)

    def shifted(item: dict[str, Any]) -> dict[str, Any]:
        allowed = 2 * (item["lhs_radius"] + norm_rounding(item) * abs(item["lhs"]))
        return {"lhs": item["lhs"] + factor * allowed}

    moved, claim = changed(run, wanted, shifted)
    found = compare(run, moved)
    assert kinds(found) == ({} if same else {"sides": 1})
    assert same or (found.sides[0]["claim"], found.sides[0]["side"]) == (claim, "lhs")


def test_another_point_or_another_state_is_not_compared(run_of: RunOf) -> None:
    run = read_run(run_of("numpy"))

    def local(item: dict[str, Any]) -> bool:
        return item["lhs"] is not None and own_state(CLAIMS[claim_id(item)], item)

    def fixed(item: dict[str, Any]) -> bool:
        claim = CLAIMS[claim_id(item)]
        return bool(item["lhs"]) and claim.relation == "=" and not own_state(claim, item)

    trained, _ = changed(run, local, lambda item: {"lhs": item["lhs"] + 1})
    elsewhere, _ = changed(run, fixed, lambda item: {"lhs": item["lhs"] + 1, "where": {**item["where"], "sample": 99}})
    assert kinds(compare(run, trained)) == kinds(compare(run, elsewhere)) == {}


@pytest.mark.parametrize("relation", ["<=", ">="])
def test_the_radius_of_a_ratio_encloses_the_ratios_of_the_ends(relation: str) -> None:
    item = {"scale": "linear", "lhs": 3.0, "lhs_radius": 0.2, "rhs": 4.0, "rhs_radius": 0.3}
    low, high = ("lhs", "rhs") if relation == "<=" else ("rhs", "lhs")

    def ratio(a: float, b: float) -> float:
        from math import log10

        ends = [item[side] + s * item[f"{side}_radius"] for side, s in ((low, a), (high, b))]  # type: ignore[operator]
        return log10(ends[0] / ends[1])

    found = radius({**item, "log10_tightness": ratio(0, 0)})
    farthest = max(abs(ratio(a, b) - ratio(0, 0)) for a in (-1, 1) for b in (-1, 1))
    assert farthest <= found <= farthest * (1 + 1e-9)
    assert radius({**item, "log10_tightness": None}) == radius({**item, "log10_tightness": 0.0, "lhs_radius": 3.0}) == float("inf")


def test_instances_of_one_run_only_are_counted_and_no_difference(run_of: RunOf) -> None:
    run = read_run(run_of("numpy"))
    fewer = replace(run, records=[r for r in run.records if r["regime"] != "clipped-flow"])
    found = compare(run, fewer)
    assert kinds(found) == {} and found.instances == {"both": 2, "a": 1, "b": 0}
    assert "1 instances in A only" in text(found)
    none = replace(run, records=[r for r in run.records if r["regime"] == "clipped-flow"])
    with pytest.raises(BadInput, match="no instance stands in both"):
        compare(fewer, none)


def test_claims_of_another_version_are_compared_by_verdict(run_of: RunOf) -> None:
    folder = run_of("numpy")
    records = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    renamed = [{**item, "claim": "eq99.gone"} if item["claim"] == "eq3.layer" else item for item in records]
    (folder / "records.jsonl").write_text("".join(json.dumps(r) + "\n" for r in renamed))
    with pytest.raises(BadInput, match="no claim eq99"):
        read_run(folder)
    run = read_run(folder, any_version=True)
    other, claim = changed(run, lambda item: item["claim"] == "eq99.gone", lambda item: {"verdict": "violated"})
    assert kinds(compare(run, run)) == {} and kinds(compare(run, other)) == {"verdicts": 1}
    assert claim == "eq99.gone[as-printed,instantaneous]"


def test_the_command_has_three_statuses_and_prints_json(
    run_of: RunOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    numpy, faulty = run_of("numpy"), run_of("faulty")
    for a, b, status in ((numpy, numpy, 0), (numpy, faulty, 1), (numpy, tmp_path, 2)):
        monkeypatch.setattr(sys, "argv", ["depthlimit", "oracle", "compare", str(a), str(b), "--json"])
        with pytest.raises(SystemExit) as stop:
            main()
        printed = capsys.readouterr()
        assert stop.value.code == status, printed.err
        if status < 2:
            value = json.loads(printed.out)
            jsonschema.validate(value, COMPARISON_SCHEMA)
            assert value["same"] == (status == 0)
