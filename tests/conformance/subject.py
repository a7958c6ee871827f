"""The implementation under test, loaded once per process, and how a failing check is run again.

Each Spec is run once per process:

    subject.on_corpus(spec)      # records and curves of the claims that this run has tests for
    subject.check(spec)          # of every claim of the Spec's regime

and a command runs again what came out wrong.
"""

from __future__ import annotations

import json
import shlex
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from pebble import ProcessExpired

from depthlimit.conformance.explain import printed
from depthlimit.conformance.oracle.known import KnownFailure, apply, read_known
from depthlimit.models.calls import watch
from depthlimit.models.check import check
from depthlimit.models.implementation import load
from depthlimit.models.server import OURS
from depthlimit.models.spec import BadInput, Spec
from depthlimit.models.verify import EXPECTED, Plan, as_registered, status
from depthlimit.models.workers import Pool, check_here, single_threaded
from depthlimit.theory import judgement as J
from depthlimit.theory.claim import Claim
from depthlimit.theory.record import claim_id
from depthlimit.theory.registry import claims

Record = dict[str, Any]
Checked = tuple[list[Record], list[dict[str, Any]], list[dict[str, Any]]]  # records, curves, what was printed


def on_device(name: str, device: str, required: bool) -> Any:
    """The implementation on a device; where that is missing the test is skipped, or fails if `required`."""
    try:
        return load(name, device)
    except BadInput as error:
        if device == "cpu":
            raise
        if required:
            pytest.fail(f"{error}, and --depthlimit-require-device is given", pytrace=False)
        pytest.skip(str(error))


def plan_of(option: Any) -> Plan:
    """What the options say of a run in processes of their own; without instances, which the tests bring."""
    return Plan(
        units=[],
        selected=claims(),
        profile=option.depthlimit_profile,
        seed=option.depthlimit_seed,
        implementation=option.depthlimit_implementation,
        device=option.depthlimit_device,
        timeout=option.depthlimit_timeout,
        isolated=True,
    )


@dataclass
class Subject:
    """See the module.

    `chosen`: per regime, the ids of the claims whose corpus tests were collected. `plan`: of the process in which an implementation of
    somebody else's is asked, since it may crash, hang and print; without one it is asked in this process.
    """

    name: str
    device: str
    required: bool
    chosen: dict[str, set[str]]
    plan: Plan | None = None
    known: tuple[KnownFailure, ...] = ()
    _done: dict[tuple[str, bool], Checked] = field(default_factory=dict)
    _told: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, session: pytest.Session) -> Subject:
        """The subject of a test session."""
        chosen: dict[str, set[str]] = {}
        for item in session.items:
            for mark in item.iter_markers("depthlimit"):
                chosen.setdefault(mark.kwargs["regime"], set()).add(mark.kwargs.get("claim", ""))
        option = session.config.option
        watch(option.depthlimit_timeout)
        name, file = option.depthlimit_implementation, option.depthlimit_known
        return cls(
            name,
            option.depthlimit_device,
            option.depthlimit_require_device,
            chosen,
            None if name in OURS else plan_of(option),
            () if file is None else read_known(Path(file)),
        )

    @cached_property
    def _pool(self) -> Pool:
        assert self.plan is not None
        return Pool(self.plan, Path(tempfile.gettempdir()) / "no-arrays")

    def close(self) -> None:
        """End the process, if there is one."""
        if "_pool" in vars(self):
            self._pool.stop()
            self._pool.__exit__()

    @cached_property
    def implementation(self) -> Any:
        """The implementation; skips or fails the test that asks where its device is missing."""
        return on_device(self.name, self.device, self.required)

    def on_corpus(self, spec: Spec) -> Checked:
        """Records and curves for the claims that this run has tests for: `-k` costs what it selects."""
        ids = self.chosen[spec.regime.kind]
        return self._checked(spec, [c for c in claims() if c.id in ids])

    def check(self, spec: Spec) -> Checked:
        """Records and curves of a Spec for every claim of its regime."""
        return self._checked(spec, None)

    def _checked(self, spec: Spec, selected: Sequence[Claim] | None) -> Checked:
        key = (spec.canonical(), selected is None)
        if key not in self._done:
            self._done[key] = self._here(spec, selected) if self.plan is None else self._apart(spec, selected)
        return self._done[key]

    def _here(self, spec: Spec, selected: Sequence[Claim] | None) -> Checked:
        implementation = self.implementation
        with single_threaded():
            return (*check(spec, implementation, selected=selected), [])

    def _apart(self, spec: Spec, selected: Sequence[Claim] | None) -> Checked:
        ids = None if selected is None else [c.id for c in selected]
        try:
            found: Checked = self._pool.surviving(check_here, spec.to_json(), ids)()
        except ProcessExpired as death:
            pytest.fail(f"the process of {self.name} ended outside of its calls, status {death.exitcode}", pytrace=False)
        return found

    def sorted_out(self, items: Sequence[Record]) -> tuple[list[Record], str]:
        """Records that came out wrong and are no known failures, and what is known of the others."""
        covered = apply(self.known, items, datetime.now(UTC).date()).covered if self.known else {}
        unknown = [item for i, item in enumerate(items) if i not in covered and status([item]) != EXPECTED]
        return unknown, "; ".join(dict.fromkeys(f"{entry}: {entry.reason} ({entry.link})" for entry in covered.values()))

    def told(self, kept: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Of what tests record that which the end of a session asks for: failures, what may be a known one, the first that was printed."""
        about = {c.id for c in claims() for entry in self.known if entry.names(c)}
        out = []
        for unit in kept:
            records = [item for item in unit["records"] if claim_id(item) in about or not as_registered({**item, "spec": unit["spec"]})]
            heard = [item for item in unit["printed"] if item["method"] not in self._told]
            self._told |= {item["method"] for item in heard}
            if records or heard:
                out.append({**unit, "records": records, "curves": [], "printed": heard})
        return out

    def printed(self, spec: Spec, selected: bool) -> list[str]:
        """Lines on what was printed on a Spec that was run, on the corpus or not."""
        return [f"  {text}" for text in printed(self._done[spec.canonical(), not selected][2])]

    def replay(self, value: dict[str, Any]) -> str:
        """A shell line that writes a Spec or a record to a file and runs it again."""
        device = "" if self.device == "cpu" else f" --device {self.device}"
        text = shlex.quote(json.dumps(value, separators=(",", ":")))
        return f"printf %s {text} > spec.json; depthlimit replay spec.json --implementation {self.name}{device}"


def wrong(items: Sequence[Record]) -> list[Record]:
    """Records that are not as registered: violated, undecided, errored, or a witness that does not refute."""
    return [item for item in items if status([item]) != EXPECTED]


def judged(items: Sequence[Record]) -> bool:
    """Whether any of the records compared numbers."""
    return any(item["verdict"] not in (J.OUT_OF_HYPOTHESIS, J.UNSUPPORTED) for item in items)


def reasons(items: Sequence[Record]) -> str:
    """Why nothing was compared, each reason once."""
    return "; ".join(dict.fromkeys(f"{item['verdict']}: {item['reason']}" for item in items))
