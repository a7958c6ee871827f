"""What is shown of a run: the sentence and the status, Markdown, the badge and JUnit XML, whatever an implementation says."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from xml.etree import ElementTree as ET

import junitparser
import pytest
from markdown_it import MarkdownIt

from depthlimit.cli import main
from depthlimit.conformance.oracle import badge
from depthlimit.conformance.oracle.failures import METHODS, subject
from depthlimit.conformance.oracle.folder import Run, read_run
from depthlimit.conformance.oracle.known import Known, KnownFailure
from depthlimit.conformance.oracle.outcome import CHECKED, FAILS, KNOWN, SKIPPED, Outcome
from depthlimit.conformance.oracle.outputs import code, fenced, markdown, table, write
from depthlimit.models.spec import BadInput
from depthlimit.theory import judgement as J
from depthlimit.theory.record import claim_id

RunOf = Callable[[str], Path]
ENTRY = KnownFailure(claim="*", reason="a | b `c` <i>", link="https://example.org/1", expires=date(2030, 1, 1))


def all_known(run: Run) -> Known:
    """Every record that came out wrong, covered by one entry."""
    outcome = Outcome(run)
    return Known({i: ENTRY for case in outcome.cases for i in case.wrong})


def tables(text: str) -> list[list[list[str]]]:
    """The tables of a Markdown text as GitHub reads them: rows of cells."""
    found: list[list[list[str]]] = []
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type == "inline" and found and token.level > 3:
            found[-1][-1].append("".join(t.content for t in token.children or []))
    return found


@pytest.mark.parametrize(
    ("name", "status", "says"),
    [
        ("numpy", 0, "None of"),
        ("partial", 0, "None of"),
        ("faulty", 1, "fail"),
        ("hostile", 1, "fail"),
    ],
)
def test_the_status_is_that_of_the_sentence(run_of: RunOf, name: str, status: int, says: str) -> None:
    outcome = Outcome(read_run(run_of(name)))
    assert (outcome.status, says in outcome.sentence) == (status, True), outcome.sentence


def test_an_implementation_of_no_method_has_passed_nothing(run_of: RunOf) -> None:
    """What needs no implementation may still be checked; here the claims are those of the protocol."""
    run = read_run(run_of("nothing"))
    asked = Run(run.folder, run.identity, [r for r in run.records if r["claim"].startswith("agreement")], run.plan, run.notes)
    outcome = Outcome(asked)
    assert (outcome.checked, outcome.status, outcome.sentence) == (0, 1, f"No claim was checked on {run.implementation}.")
    assert badge.message(outcome) == ("nothing checked", "lightgrey")


def test_undecided_is_neither_a_failure_nor_a_pass(run_of: RunOf) -> None:
    run = read_run(run_of("numpy"))
    item = next(r for r in run.records if r["claim"] == "agreement.loss")
    item["verdict"] = J.UNDECIDED
    outcome = Outcome(run)
    assert outcome.status == 3 and outcome.sentence.endswith("; 1 is undecided.")
    assert "1 undecided" in json.loads((write(run).run.folder / "badge.json").read_text())["message"]


def test_a_known_failure_does_not_count_and_is_shown_with_its_reason(run_of: RunOf, tmp_path: Path) -> None:
    run = read_run(run_of("faulty"))
    before = Outcome(run)
    outcome = write(run, all_known(run), tmp_path / "junit.xml")
    assert (before.status, outcome.status) == (1, 0)
    assert outcome.count(KNOWN) == before.count(FAILS) + before.count("undecided") > 0
    assert "None of" in outcome.sentence and "are known" in outcome.sentence
    shown = next(t for t in tables(markdown(outcome)) if "reason" in t[0])
    assert {row[3] for row in shown[1:]} == {"a | b `c` <i>"}
    assert "known failures" in json.loads((run.folder / "badge.json").read_text())["message"]
    skipped = [c for suite in junitparser.JUnitXml.fromfile(str(tmp_path / "junit.xml")) for c in suite if c.is_skipped]
    assert sum("a | b `c` <i>" in case.result[0].message for case in skipped) == len(
        {(c.claim.id, c.regime) for c in outcome.cases if c.known}
    )


def test_one_failure_that_is_not_known_is_enough(run_of: RunOf) -> None:
    run = read_run(run_of("faulty"))
    known = all_known(run)
    first = next(iter(known.covered))
    outcome = Outcome(run, Known({i: e for i, e in known.covered.items() if i != first}))
    assert outcome.status == 1 and outcome.count(FAILS) == 1


def test_a_list_of_known_failures_that_is_wrong_fails_everywhere(run_of: RunOf, tmp_path: Path) -> None:
    outcome = write(read_run(run_of("numpy")), Known(problems=("entry 1 expired",)), tmp_path / "junit.xml")
    assert outcome.status == 1 and "1 error" in outcome.sentence
    assert json.loads((outcome.run.folder / "badge.json").read_text())["color"] == "red"
    assert junitparser.JUnitXml.fromfile(str(tmp_path / "junit.xml")).failures == 1
    assert "entry 1 expired" in (outcome.run.folder / "summary.md").read_text()


def test_what_a_method_lacks_is_told_by_the_claims_about_it(run_of: RunOf) -> None:
    lacking = {"velocity", "neural_ode"}
    for item in read_run(run_of("partial")).records:
        if item["claim"].startswith(("agreement", "repeat", "rows")):
            assert (item["verdict"] == J.UNSUPPORTED) == (subject(item) in lacking), (claim_id(item), item["verdict"])


def test_the_scoreboard_has_a_row_per_method_and_says_why_one_is_missing(run_of: RunOf) -> None:
    board = {row[0]: row for row in tables(markdown(Outcome(read_run(run_of("partial")))))[0][1:]}
    assert tuple(board) == METHODS
    assert board["forward"][1] != "–" and float(board["forward"][5]) <= 1
    assert board["forward"][6] == "the implementation has no method batch"
    assert "neural_ode: no solver | <b>here</b>" in board["neural_ode"][6]
    assert board["velocity"][1:5] == ["–"] * 4 and "no method velocity" in board["velocity"][6]
    faulty = {row[0]: row for row in tables(markdown(Outcome(read_run(run_of("faulty")))))[0][1:]}
    assert int(faulty["forward"][2]) >= 2 and float(faulty["forward"][5]) > 1


def test_a_claim_without_power_is_not_counted(run_of: RunOf) -> None:
    outcome = Outcome(read_run(run_of("numpy")))
    summary = json.loads((outcome.run.folder / "summary.json").read_text())["claims"]
    powerless = [key for key, row in summary.items() if row["verdict"] == "holds, no power"]
    assert powerless and {outcome.claims[key] for key in powerless} == {SKIPPED}
    assert outcome.checked == sum(state == CHECKED for state in outcome.claims.values()) < len(summary)


def test_failures_are_shown_with_both_sides_and_a_command_that_shows_them_again(
    run_of: RunOf, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = Outcome(read_run(run_of("faulty")))
    text = markdown(outcome)
    shown = next(t for t in tables(text) if "left side" in t[0])
    assert sorted(row[0] for row in shown[1:]) == sorted(c.claim.id for c in outcome.cases if c.wrong)
    assert shown[1][0].startswith("eq3.") and "blocked by forward" in shown[-1][2], "causes come first"
    command = next(line for line in text.splitlines() if line.startswith("depthlimit replay"))
    monkeypatch.setattr(sys, "argv", shlex.split(command))
    with pytest.raises(SystemExit) as stop:
        main()
    claim, line = shown[1][0], outcome.run.records[int(shown[1][7]) - 1]
    assert stop.value.code == 1 and capsys.readouterr().out.startswith(f"{claim}: violated lhs={line['lhs']!r}")


def test_whatever_an_implementation_says_stays_text(run_of: RunOf, tmp_path: Path) -> None:
    run = read_run(run_of("hostile"))
    write(run, junit=tmp_path / "junit.xml")
    text = (run.folder / "summary.md").read_text()
    for rows in tables(text):
        assert {len(row) for row in rows} == {len(rows[0])}
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    markup = [t for token in tokens for t in [token, *(token.children or [])] if t.type.startswith("html") or t.type == "image"]
    assert not markup
    headings = [tokens[i + 1].content for i, t in enumerate(tokens) if t.type == "heading_open"]
    assert headings == ["depthlimit", "Methods", "Failures", "Not checked", "Run"]
    root = ET.parse(tmp_path / "junit.xml").getroot()
    errors = root.findall(".//error")
    assert errors and all("<script>alert(1)</script>" in (e.text or "") for e in errors if e.get("type") == "errored")


def test_code_keeps_its_backticks_and_its_bars() -> None:
    said = "a\n```\n# b"
    (block,) = MarkdownIt("commonmark").parse("\n".join(fenced(said)))
    assert (block.type, block.content) == ("fence", said + "\n")
    cells = ["a | `b`", "``", "|"]
    assert tables("\n".join(table(["x"] * 3, [[code(cell) for cell in cells]])))[0][1] == cells


def test_the_record_that_is_shown_is_the_worst_of_its_case(run_of: RunOf) -> None:
    run = read_run(run_of("faulty"))
    item = next(r for r in run.records if r["verdict"] == J.VIOLATED and r["claim"].startswith("agreement."))
    farther = {**item, "log10_tightness": item["log10_tightness"] + 1}
    for records, worst in (([item, farther, item], 1), ([farther, {**item, "verdict": J.ERRORED}, item], 1)):
        (case,) = Outcome(replace(run, records=records)).cases
        assert (case.worst, case.wrong) == (worst, [0, 1, 2])


def test_junit_is_read_by_a_parser_and_has_what_pytest_writes(run_of: RunOf, tmp_path: Path) -> None:
    """Displays are made for what pytest and Surefire write: the latter has a `type` on failures."""
    outcome = write(read_run(run_of("hostile")), junit=tmp_path / "ours.xml")
    (tmp_path / "test_a.py").write_text(
        "import pytest\ndef test_a(): pass\ndef test_b(): assert 0\ndef test_c(): pytest.skip('x')\n"
        "@pytest.fixture\ndef f(): 1 / 0\ndef test_d(f): pass\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--junit-xml=theirs.xml", "test_a.py"]
    subprocess.run(command, cwd=tmp_path, check=False, capture_output=True)
    ours, theirs = (
        {(e.tag, key) for e in ET.parse(tmp_path / f"{name}.xml").iter() for key in [*e.attrib, ""]} for name in ("ours", "theirs")
    )
    assert ours <= theirs | {("failure", "type"), ("error", "type")}
    read = junitparser.JUnitXml.fromfile(str(tmp_path / "ours.xml"))
    (suite,) = read
    states = [c.state for c in outcome.cases]
    assert (suite.tests, suite.skipped) == (len(states), states.count(SKIPPED))
    assert suite.failures + suite.errors == states.count(FAILS) > 0
    assert len({(c.classname, c.name) for c in suite}) == suite.tests
    assert not {("testsuite", "timestamp"), ("testsuite", "hostname")} & ours


@pytest.mark.parametrize("name", ["numpy", "faulty", "partial", "hostile"])
def test_badges_are_images_that_promise_nothing(run_of: RunOf, name: str) -> None:
    outcome = write(read_run(run_of(name)))
    endpoint = json.loads((outcome.run.folder / "badge.json").read_text())
    assert set(endpoint) == {"schemaVersion", "label", "message", "color"} and endpoint["schemaVersion"] == 1
    text = (outcome.run.folder / "badge.svg").read_text()
    words = "".join(ET.fromstring(text).itertext())
    assert endpoint["message"] in words and "depthlimit" in words
    said = text.replace("http://www.w3.org/2000/svg", "") + endpoint["message"]
    assert not any(word in said.lower() for word in ("verified", "proved", "proven", "certified", "correct", "http:"))
    assert ("fail" in endpoint["message"]) == (outcome.status == 1)
    assert endpoint["color"] == {0: "brightgreen", 1: "red"}[outcome.status]


def test_the_same_run_gives_the_same_bytes(run_of: RunOf, tmp_path: Path) -> None:
    folder = run_of("faulty")
    identity = json.loads((folder / "run.json").read_text())
    written = []
    for day in ("2026-01-01", "2027-01-01"):
        (folder / "run.json").write_text(json.dumps({**identity, "started": day, "finished": day}))
        write(read_run(folder), junit=folder / "junit.xml")
        written.append([(folder / name).read_bytes() for name in ("summary.md", "badge.svg", "badge.json", "junit.xml")])
    assert written[0] == written[1]


def test_the_command_prints_the_summary_and_honours_known_failures(
    run_of: RunOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, known = run_of("faulty"), tmp_path / "known.toml"
    known.write_text('[[known]]\nclaim = "*"\nreason = "no depth"\nlink = "https://example.org/1"\nexpires = 2999-01-01\n')
    for extra, status in (([], 1), (["--known", known], 0), (["--junit", tmp_path / "missing" / "j.xml"], 2)):
        monkeypatch.setattr(sys, "argv", ["depthlimit", "oracle", "summary", str(folder), *map(str, extra)])
        with pytest.raises(SystemExit) as stop:
            main()
        printed = capsys.readouterr()
        assert stop.value.code == status, printed.err
        assert status == 2 or printed.out == (folder / "summary.md").read_text()


def test_what_is_no_run_is_bad_input(run_of: RunOf, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read_run(tmp_path)
    folder = run_of("numpy")
    with (folder / "records.jsonl").open("a") as file:
        file.write("{}\n")
    with pytest.raises(BadInput, match="a record without"):
        read_run(folder)
    (folder / "run.json").write_text("{}")
    with pytest.raises(BadInput, match="without implementation"):
        read_run(folder)
