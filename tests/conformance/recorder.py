"""What a session says at its end: why an implementation fails, known failures, what was printed; and `--depthlimit-out DIR`.

Tests put their records on their own teardown report: all of them if the run folder of `depthlimit verify` is asked for, else those that
the end of the session needs. The process that controls the run collects them, from workers or from itself, and when the session ends it
asks the implementation why it fails and writes the folder: the corpus in its order, then generated Specs, each once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pebble import ProcessExpired

from depthlimit.conformance.faults import matrix
from depthlimit.conformance.oracle import outputs, trial
from depthlimit.conformance.oracle.failures import failures
from depthlimit.conformance.oracle.folder import Run, read_run
from depthlimit.conformance.oracle.known import Known, apply, read_known
from depthlimit.conformance.oracle.outcome import Outcome
from depthlimit.conformance.plugin import PROPERTY
from depthlimit.conformance.subject import plan_of
from depthlimit.models.corpus import corpus
from depthlimit.models.server import OURS
from depthlimit.models.spec import Spec
from depthlimit.models.strategies import GENERATED
from depthlimit.models.verify import EXPECTED, Plan, Unit, finish, prepare, status
from depthlimit.models.workers import Pool, single_threaded
from depthlimit.reports.pages import write
from depthlimit.theory.record import claim_id, line
from depthlimit.theory.registry import claims

_SHOWN = 20  # commands in the terminal; all records are in the folder
_ORDER = [c.id for c in claims()]


@dataclass
class Collected:
    """One Spec: its records by claim, its curves by claim."""

    unit: Unit
    records: dict[str, dict[str, Any]] = field(default_factory=dict)
    curves: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    printed: dict[str, dict[str, Any]] = field(default_factory=dict)


class Recorder:
    """A plugin of the controlling process, registered if --depthlimit-out is given or a test has something to tell."""

    def __init__(self, config: pytest.Config, out: Path | None) -> None:
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
        into.printed |= {heard["method"]: heard for heard in item["printed"]}

    def ordered(self) -> list[Collected]:
        """The corpus in its order, then generated Specs by regime in the order in which they were drawn."""
        place = {spec.canonical(): i for i, spec in enumerate(corpus(self.config.option.depthlimit_profile))}
        mine = [c for c in self.units.values() if c.unit.origin == "corpus"]
        drawn = [c for c in self.units.values() if c.unit.origin == "generated"]
        return [
            *sorted(mine, key=lambda c: place[c.unit.spec.canonical()]),
            *sorted(drawn, key=lambda c: GENERATED.index(c.unit.spec.regime.kind)),
        ]

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Ask why the implementation fails, and write the folder."""
        if not self.ours:
            self.said = [f"no test of depthlimit.conformance ran; nothing is written to {self.out}"]
            return
        interrupted = exitstatus == pytest.ExitCode.INTERRUPTED
        plan, found = self._plan(), self.ordered()
        items = [c.records[claim] for c in found for claim in _ORDER if claim in c.records]
        listed = self.config.option.depthlimit_known
        known = apply(read_known(Path(listed)), items, datetime.now(UTC).date()) if listed is not None else Known()
        failed = [f for f in failures(items) if f.line - 1 not in known.covered and not interrupted]
        if known.problems:
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
        printed = [heard for c in found for heard in c.printed.values()]
        run = Run(Path(), {"implementation": plan.implementation}, items, "", [], [], printed)
        if self.out is not None:
            self._write(self.out, plan, interrupted)
            run = read_run(self.out)
        try:
            if self.out is None:
                with Pool(replace(plan, workers=1), Path()) as pool:
                    run = replace(run, causes=trial.sought(pool, failed))
            elif failed or (plan.implementation not in OURS and not interrupted):
                trial.write(plan, run, noticing=False)
                run = read_run(self.out)
        except ProcessExpired as death:
            self.said.append(f"no diagnosis: the process of {plan.implementation} ended outside of its calls, status {death.exitcode}")
        outcome = Outcome(run, known)
        for section in (outputs.causes, outputs.known, outputs.printed):
            self.said += [*map(outputs.unescaped, section(outcome)), ""] if section(outcome) else []
        if self.out is not None:
            self._conclude(session, self.out, items)

    def _conclude(self, session: pytest.Session, out: Path, items: list[dict[str, Any]]) -> None:
        """Write the report, and say where everything is."""
        self.said.append(f"{len(items)} records in {out / 'records.jsonl'}")
        try:
            self.said.append(f"report {write(out)}")
        except ValueError as error:  # the failures of the tests must be shown all the same
            self.said.append(f"no report: {error}")
            session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
        option = self.config.option
        how = f"--implementation {option.depthlimit_implementation} --device {option.depthlimit_device}"
        again = [
            f"{item['verdict']} {claim_id(item)}: depthlimit replay {out / 'records.jsonl'}:{number} {how}"
            for number, item in enumerate(items, start=1)
            if status([item]) != EXPECTED
        ]
        self.said += again[:_SHOWN]
        if len(again) > _SHOWN:
            self.said.append(f"and {len(again) - _SHOWN} more")

    def _plan(self) -> Plan:
        found = self.ordered()
        present = {claim for c in found for claim in c.records}
        return replace(
            plan_of(self.config.option),
            units=[c.unit for c in found],
            selected=[c for c in claims() if c.id in present],
            workers=getattr(self.config.option, "numprocesses", None) or 1,
            only=[] if present == set(_ORDER) else [claim for claim in _ORDER if claim in present],
            command=["pytest", *map(str, self.config.invocation_params.args)],
        )

    def _write(self, out: Path, plan: Plan, interrupted: bool) -> None:
        prepare(plan, out, resume=False)
        lines: dict[str, list[dict[str, Any]]] = {"records": [], "curves": [], "printed": []}
        for unit, c in enumerate(self.ordered()):
            lines["records"] += [c.records[claim] for claim in _ORDER if claim in c.records]
            lines["curves"] += [{"unit": unit, **curve} for claim in _ORDER for curve in c.curves.get(claim, [])]
            lines["printed"] += [{"unit": unit, **heard} for heard in c.printed.values()]
        for name, found in lines.items():
            if found or name != "printed":
                (out / f"{name}.jsonl").write_text("".join(map(line, found)), encoding="utf-8")
        planted = None
        if not interrupted:
            with single_threaded():
                planted = matrix(plan.selected, partial)()
        finish(out, started=self.started, skipped=self._not_run(interrupted), faults=planted)

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
        """Why the implementation fails; where the records are, and how each one that came out wrong is run again."""
        if self.said:
            terminalreporter.section("depthlimit")
        for text in self.said:
            terminalreporter.line(text)
