"""What `--depthlimit-out DIR` leaves: the run folder of `depthlimit verify`, from the records of the tests.

Tests put their records on their own teardown report. The process that controls the run collects them, from
workers or from itself, and writes the folder when the session ends: the corpus in its order, then generated
Specs, each once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from depthlimit.conformance.faults import matrix
from depthlimit.conformance.plugin import PROPERTY
from depthlimit.models.corpus import corpus
from depthlimit.models.spec import Spec
from depthlimit.models.strategies import GENERATED
from depthlimit.models.verify import EXPECTED, Plan, Unit, finish, prepare, status
from depthlimit.models.workers import single_threaded
from depthlimit.reports.pages import write
from depthlimit.theory.record import claim_id, line
from depthlimit.theory.registry import claims

_SHOWN = 20  # commands in the terminal; all records are in the folder


@dataclass
class Collected:
    """One Spec: its records by claim, its curves by claim."""

    unit: Unit
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    curves: dict[str, list[dict[str, Any]]] = field(default_factory=dict)


class Recorder:
    """A plugin of the controlling process, registered if --depthlimit-out is given."""

    def __init__(self, config: pytest.Config, out: Path) -> None:
        self.config, self.out = config, out
        self.started = datetime.now(UTC).isoformat(timespec="seconds")
        self.units: dict[tuple[str, str], Collected] = {}
        self.reason: dict[str, str] = {}  # by test, of those skipped
        self.skipped: dict[str, list[str]] = {}  # by reason, of our tests
        self.ours = 0
        self.said: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what the test recorded, from its last report."""
        if report.skipped and isinstance(report.longrepr, tuple):
            self.reason[report.nodeid] = str(report.longrepr[2]).removeprefix("Skipped: ")
        if report.when != "teardown":
            return
        for name, value in report.user_properties:
            if name == PROPERTY:
                self.ours += 1
                if reason := self.reason.pop(report.nodeid, ""):
                    self.skipped.setdefault(reason, []).append(report.nodeid.partition("::")[2])
                for item in json.loads(str(value)):
                    self._take(item)

    def _take(self, item: Mapping[str, Any]) -> None:
        spec = Spec.model_validate(item["spec"])
        key = (item["origin"], spec.canonical())
        into = self.units.setdefault(key, Collected(Unit(spec, item["origin"])))
        for record in item["records"]:
            record["spec"] = item["spec"]  # keeps its place among the keys
            into.records[claim_id(record)] = record
            into.curves[claim_id(record)] = [c for c in item["curves"] if c["claim"] == claim_id(record)]

    def ordered(self) -> list[Collected]:
        """The corpus in its order, then generated Specs by regime in the order in which they were drawn."""
        place = {spec.canonical(): i for i, spec in enumerate(corpus())}
        mine = [c for c in self.units.values() if c.unit.origin == "corpus"]
        drawn = [c for c in self.units.values() if c.unit.origin == "generated"]
        return [
            *sorted(mine, key=lambda c: place[c.unit.spec.canonical()]),
            *sorted(drawn, key=lambda c: GENERATED.index(c.unit.spec.regime.kind)),
        ]

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the folder."""
        if not self.ours:
            self.said = [f"no test of depthlimit.conformance ran; nothing is written to {self.out}"]
            return
        items = self._write(exitstatus == pytest.ExitCode.INTERRUPTED)
        self.said = [f"{len(items)} records in {self.out / 'records.jsonl'}"]
        try:
            self.said.append(f"report {write(self.out)}")
        except ValueError as error:  # the failures of the tests must be shown all the same
            self.said.append(f"no report: {error}")
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
        option = self.config.option
        how = f"--implementation {option.depthlimit_implementation} --device {option.depthlimit_device}"
        file = self.out / "records.jsonl"
        again = [
            f"{item['verdict']} {claim_id(item)}: depthlimit replay {file}:{number} {how}"
            for number, item in enumerate(items, start=1)
            if status([item]) != EXPECTED
        ]
        self.said += again[:_SHOWN]
        if len(again) > _SHOWN:
            self.said.append(f"and {len(again) - _SHOWN} more")

    def _write(self, interrupted: bool) -> list[dict[str, Any]]:
        option = self.config.option
        order = [c.id for c in claims()]
        found = self.ordered()
        present = {claim for c in found for claim in c.records}
        plan = Plan(
            units=[c.unit for c in found],
            selected=[c for c in claims() if c.id in present],
            profile=option.depthlimit_profile,
            seed=option.depthlimit_seed,
            implementation=option.depthlimit_implementation,
            device=option.depthlimit_device,
            workers=getattr(option, "numprocesses", None) or 1,
            only=[] if present == set(order) else [claim for claim in order if claim in present],
            command=["pytest", *map(str, self.config.invocation_params.args)],
        )
        prepare(plan, self.out, resume=False)
        items = [c.records[claim] for c in found for claim in order if claim in c.records]
        curves = [{"unit": i, **curve} for i, c in enumerate(found) for claim in order for curve in c.curves.get(claim, [])]
        (self.out / "records.jsonl").write_text("".join(map(line, items)), encoding="utf-8")
        (self.out / "curves.jsonl").write_text("".join(map(line, curves)), encoding="utf-8")
        planted = None
        if not interrupted:
            with single_threaded():
                planted = matrix(plan.selected, partial)()
        finish(self.out, started=self.started, skipped=self._not_run(interrupted), faults=planted)
        return items

    def _not_run(self, interrupted: bool) -> list[dict[str, str]]:
        """What was not run, and why."""
        out = []
        for reason, tests in self.skipped.items():
            what = tests[0] if len(tests) == 1 else f"{len(tests)} checks, the first of them {tests[0]}"
            out.append({"what": what, "reason": reason})
        if self.config.option.depthlimit_device == "cpu":
            reason = "the run asked for the CPU; use --depthlimit-device cuda"
            out.append({"what": "the same checks on CUDA", "reason": reason})
        if interrupted:
            out.append({"what": "the tests after an interruption", "reason": "the run was interrupted"})
        return out

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Where the records are, and how each one that came out wrong is run again."""
        terminalreporter.section("depthlimit")
        for text in self.said:
            terminalreporter.line(text)
