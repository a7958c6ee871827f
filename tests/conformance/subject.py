"""The implementation under test, loaded once per process, and how a failing check is run again.

Each Spec is run once per process:

    subject.on_corpus(spec)      # records and curves of the claims that this run has tests for
    subject.check(spec)          # of every claim of the Spec's regime

and a command runs again what came out wrong.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pytest

from depthlimit.models.calls import watch
from depthlimit.models.check import check
from depthlimit.models.implementation import load
from depthlimit.models.spec import BadInput, Spec
from depthlimit.models.verify import EXPECTED, status
from depthlimit.models.workers import single_threaded
from depthlimit.theory import judgement as J
from depthlimit.theory.claim import Claim
from depthlimit.theory.registry import claims

Record = dict[str, Any]
Checked = tuple[list[Record], list[dict[str, Any]]]


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


@dataclass
class Subject:
    """See the module. `chosen`: per regime, the ids of the claims whose corpus tests were collected."""

    name: str
    device: str
    required: bool
    chosen: dict[str, set[str]]
    _known: dict[tuple[str, bool], Checked] = field(default_factory=dict)

    @classmethod
    def of(cls, session: pytest.Session) -> Subject:
        """The subject of a test session."""
        chosen: dict[str, set[str]] = {}
        for item in session.items:
            for mark in item.iter_markers("depthlimit"):
                chosen.setdefault(mark.kwargs["regime"], set()).add(mark.kwargs.get("claim", ""))
        option = session.config.option
        watch(option.depthlimit_timeout)
        return cls(
            option.depthlimit_implementation,
            option.depthlimit_device,
            option.depthlimit_require_device,
            chosen,
        )

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
        if key not in self._known:
            implementation = self.implementation
            with single_threaded():
                self._known[key] = check(spec, implementation, selected=selected)
        return self._known[key]

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
