"""Known failures: every mistake in the file is named with entry and key, and the list is strict about the run."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import jsonschema
import pytest

from depthlimit.conformance.oracle.folder import Run, read_run
from depthlimit.conformance.oracle.known import KNOWN_SCHEMA, Known, KnownFailure, apply, read_known
from depthlimit.conformance.oracle.outcome import FAILS, Outcome
from depthlimit.models.spec import BadInput
from depthlimit.theory.record import claim_id
from depthlimit.theory.registry import claims

RunOf = Callable[[str], Path]
TODAY = date(2026, 6, 1)
GOOD = {"claim": '"agreement.*"', "reason": '"why"', "link": '"https://example.org/1"', "expires": "2027-03-01"}


def written(folder: Path, *entries: dict[str, str]) -> Path:
    path = folder / "known.toml"
    path.write_text("".join("[[known]]\n" + "".join(f"{key} = {value}\n" for key, value in entry.items()) for entry in entries))
    return path


def entry(claim: str, *, regime: str | None = None, expires: date = TODAY) -> KnownFailure:
    return KnownFailure(claim=claim, regime=regime, reason="why", link="https://example.org/1", expires=expires)


def test_a_file_is_read_as_it_is_written(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD, {**GOOD, "claim": '"eq5.A"', "regime": '"clipped-flow"'})
    first, second = read_known(path)
    assert (first.claim, first.regime, first.expires) == ("agreement.*", None, date(2027, 3, 1))
    assert str(second) == "eq5.A on clipped-flow"
    assert read_known(written(tmp_path)) == ()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"reasn": '"x"'}, "entry 2 (agreement.*): reasn: is no key of an entry; accepted are claim, regime, reason, link, expires"),
        ({"reason": ""}, "entry 2 (agreement.*): reason: is missing"),
        ({"link": ""}, "entry 2 (agreement.*): link: is missing"),
        ({"expires": ""}, "entry 2 (agreement.*): expires: is missing"),
        ({"claim": ""}, "entry 2: claim: is missing"),
        ({"reason": '"  "'}, "entry 2 (agreement.*): reason: expected a text that says why, got '  '"),
        ({"reason": "3"}, "entry 2 (agreement.*): reason: expected a text in quotes, got '3'"),
        ({"link": '"issue 12"'}, "entry 2 (agreement.*): link: expected a link that begins with http:// or https://, got 'issue 12'"),
        (
            {"expires": '"2027-03-01"'},
            "entry 2 (agreement.*): expires: expected a TOML date without quotes, as in 2027-03-01, got '2027-03-01'",
        ),
        ({"expires": "2027-03-01T00:00:00"}, "entry 2 (agreement.*): expires: expected a TOML date without quotes"),
        ({"expires": "2027-02-30"}, "not TOML"),
        ({"claim": '"agreement.hiden"'}, "entry 2 (agreement.hiden): claim: no claim has this id or label; near are agreement.hidden"),
        ({"claim": '"agreement"'}, "entry 2 (agreement): claim: no claim has this id or label"),
        ({"regime": '"flow"'}, "entry 2 (agreement.* on flow): regime: no regime is named so; accepted are plain-flow"),
        (
            {"regime": '"iid-ladder"'},
            "entry 2 (agreement.* on iid-ladder): regime: agreement.hidden[sharpened,instantaneous] is not checked there",
        ),
    ],
)
def test_a_mistake_is_named_with_its_entry_and_key(tmp_path: Path, change: dict[str, str], says: str) -> None:
    path = written(tmp_path, GOOD, {key: value for key, value in {**GOOD, **change}.items() if value})
    with pytest.raises(BadInput) as error:
        read_known(path)
    assert f"{path}: {says}" in str(error.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("known = 3\n", "known: expected [[known]] entries and nothing else"),
        ("[known]\nclaim = 'eq5.A'\n", "known: expected [[known]] entries and nothing else"),
        ("known = [3]\n", "entry 1: expected a table [[known]], got 3"),
        ("[[knwon]]\n", "knwon: expected [[known]] entries and nothing else"),
        ("[[known]\n", "not TOML"),
        ("\xe9", "not TOML"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "known.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInput) as error:
        read_known(path)
    assert f"{path}: {says}" in str(error.value)


def test_a_missing_file_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"known\.toml: cannot be read \(No such file"):
        read_known(tmp_path / "known.toml")


def test_the_schema_accepts_what_is_read_and_nothing_less(tmp_path: Path) -> None:
    def value(*entries: dict[str, str]) -> object:
        found = tomllib.loads(written(tmp_path, *entries).read_text())
        return {"known": [{k: v.isoformat() if isinstance(v, date) else v for k, v in one.items()} for one in found.get("known", [])]}

    jsonschema.Draft202012Validator.check_schema(KNOWN_SCHEMA)
    jsonschema.validate(value(GOOD), KNOWN_SCHEMA)
    for wrong in ({**GOOD, "reasn": '"x"'}, {k: v for k, v in GOOD.items() if k != "reason"}, {**GOOD, "link": '"x"'}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(value(wrong), KNOWN_SCHEMA)


@pytest.mark.parametrize(
    ("pattern", "ids"),
    [
        ("eq5.flow-?", {f"eq5.flow-{k}[as-printed,along-trajectory]" for k in "AVWB"}),
        ("eq13.layer[corrected,instantaneous]", {"eq13.layer[corrected,instantaneous]"}),
        ("eq13.layer", {"eq13.layer[as-printed,instantaneous]", "eq13.layer[corrected,instantaneous]"}),
        ("eq13.layer[corrected,*]", {"eq13.layer[corrected,instantaneous]"}),
        ("eq13.laye[r]", set()),
        ("EQ13.layer", set()),
    ],
)
def test_patterns_know_two_wildcards_and_brackets_are_letters(pattern: str, ids: set[str]) -> None:
    assert {c.id for c in claims() if entry(pattern).names(c)} == ids


def outcome(run: Run, *entries: KnownFailure) -> Outcome:
    return Outcome(run, apply(entries, run.records, TODAY))


def test_what_is_covered_does_not_count_and_the_rest_does(run_of: RunOf) -> None:
    run = read_run(run_of("faulty"))
    everything, some = outcome(run, entry("*")), outcome(run, entry("agreement.*"))
    assert (everything.status, some.status, outcome(run).status) == (0, 1, 1)
    assert set(some.known.covered) == {i for i in everything.known.covered if run.records[i]["claim"].startswith("agreement.")}
    assert {claim_id(run.records[i]) for i in everything.known.covered} == {
        key for key, state in outcome(run).claims.items() if state in (FAILS, "undecided")
    }


def test_a_regime_limits_an_entry(run_of: RunOf) -> None:
    run = read_run(run_of("faulty"))
    covered = outcome(run, entry("agreement.*", regime="clipped-flow")).known.covered
    assert covered and {run.records[i]["regime"] for i in covered} == {"clipped-flow"}


def test_an_entry_that_matches_no_failure_is_an_error(run_of: RunOf) -> None:
    run = read_run(run_of("numpy"))
    found = outcome(run, entry("agreement.hidden"))
    assert (found.status, len(found.known.problems)) == (1, 1)
    assert "entry 1 (agreement.hidden) matches no failure: remove it (https://example.org/1)" in found.known.problems
    of_faulty = outcome(read_run(run_of("faulty")), entry("*"), entry("eq3.input"))
    assert [p[:23] for p in of_faulty.known.problems] == ["entry 2 (eq3.input) mat"]


def test_an_expired_entry_is_an_error_and_covers_nothing(run_of: RunOf) -> None:
    run = read_run(run_of("faulty"))
    last, late = (outcome(run, entry("*", expires=day)) for day in (TODAY, TODAY - timedelta(days=1)))
    assert (last.status, last.known.problems) == (0, ())
    assert late.status == 1 and not late.known.covered and late.count(FAILS)
    assert late.known.problems[0].startswith("entry 1 (*) expired on 2026-05-31: fix the failure")
    also = outcome(run, entry("*", expires=TODAY - timedelta(days=1)), entry("*"))
    assert also.count(FAILS) == 0 and also.status == 1


def test_an_entry_about_what_a_partial_run_left_out_is_told_and_no_error(run_of: RunOf) -> None:
    found = outcome(read_run(run_of("numpy")), entry("prop7.general-gap"))
    assert found.status == 0 and [str(e) for e in found.known.untried] == ["prop7.general-gap"]


def test_an_entry_whose_hypotheses_no_instance_met_is_not_tried(run_of: RunOf) -> None:
    run = read_run(run_of("numpy"))
    judged = {r["claim"] for r in run.records if r["verdict"] != "out-of-hypothesis"}
    label = next(r["claim"] for r in run.records if r["claim"] not in judged)
    found = outcome(run, entry(label))
    assert found.status == 0 and [str(e) for e in found.known.untried] == [label]


def test_an_undecided_record_can_be_known(run_of: RunOf) -> None:
    run = read_run(run_of("numpy"))
    next(r for r in run.records if r["claim"] == "agreement.loss")["verdict"] = "undecided"
    assert (outcome(run).status, outcome(run, entry("agreement.loss")).status) == (3, 0)


def test_no_entries_change_nothing(run_of: RunOf) -> None:
    assert apply((), read_run(run_of("numpy")).records, TODAY) == Known()
