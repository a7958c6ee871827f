"""A run folder as the oracle reads it: who was judged, and the records in their order."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from depthlimit.models.spec import BadInput, Spec
from depthlimit.reports.records import RunError, read_object, read_printed, read_records, read_trial
from depthlimit.theory.registry import claims

Item = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One run folder. `records[i]` stands on line i + 1 of records.jsonl; `identity` is run.json, `plan` the text of plan.jsonl;
    `causes` stand in oracle.json, `printed` in printed.jsonl."""

    folder: Path
    identity: Item
    records: list[Item]
    plan: str
    notes: list[str]
    causes: list[Item] = field(default_factory=list)
    printed: list[Item] = field(default_factory=list)

    def printed_on(self, record: Item) -> list[Item]:
        """What the implementation printed on a record's instance."""
        digest = Spec.model_validate(record["spec"]).digest() if self.printed else ""
        return [item for item in self.printed if item["spec"] == digest]

    @property
    def file(self) -> Path:
        """Where the records stand."""
        return self.folder / "records.jsonl"

    @property
    def implementation(self) -> str:
        """The name under which the implementation was given."""
        return str(self.identity["implementation"])


def read_run(folder: Path, *, any_version: bool = False) -> Run:
    """The run in a folder. Raises BadInput, also for claims that are not registered here unless `any_version`."""
    notes: list[str] = []
    registry = None if any_version else {c.id: c for c in claims()}
    try:
        identity = read_object(folder / "run.json")
        for key in ("implementation", "device", "profile", "seed", "version", "versions", "paper"):
            if key not in identity:
                raise RunError(f"{folder / 'run.json'}: without {key}; expected a folder that `verify` or `oracle run` wrote")
        records = [item for _, item in read_records(folder, registry, notes)]
        trial = read_trial(folder) or {"causes": []}
        plan = (folder / "plan.jsonl").read_text(encoding="utf-8")
        return Run(folder, identity, records, plan, notes, trial["causes"], read_printed(folder, notes))
    except OSError as error:
        raise BadInput(f"{error.filename}: cannot be read ({error.strerror})") from None
    except RunError as error:
        raise BadInput(str(error)) from None
