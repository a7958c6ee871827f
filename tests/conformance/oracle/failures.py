"""What failed, of which method, and what is only a consequence.

Each claim has a method that it is about. A claim that fails on an instance where another one fails about a method further up is "blocked":
with a wrong `forward` nothing can be said of gradients.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from depthlimit.models.verify import as_registered
from depthlimit.theory import judgement as J

Record = dict[str, Any]
METHODS = ("forward", "loss", "gradients", "velocity", "flow", "neural_ode")
UPSTREAM = {
    "loss": ("forward",),
    "gradients": ("forward",),
    "velocity": ("gradients", "forward"),
    "flow": ("velocity", "gradients", "forward"),
}
UPSTREAM |= {"neural_ode": ()}
_SUBJECTS = {
    **dict.fromkeys(("eq3", "agreement.hidden", "agreement.output"), "forward"),
    **dict.fromkeys(("loss", "agreement.loss"), "loss"),
    **dict.fromkeys(("eq13", "eq14", "eq15", "eq16", "agreement.gradient"), "gradients"),
    **{f"eq{n}.{block}": "velocity" for n in (4, 5) for block in "AVWB"},
    "agreement.velocity": "velocity",
    **dict.fromkeys(("eq6", "repeat.neural-ode"), "neural_ode"),
    **{f"{kind}.{method}": method for kind in ("repeat", "rows", "batch") for method in METHODS[:5]},
}
_BOTH = ("euler-scheme", "euler-ladder")  # what is no claim of one method there is about the neural ODE and the networks beside it


def subject(record: Record) -> str:
    """The method that a record's claim is about."""
    label = record["claim"]
    for prefix, method in _SUBJECTS.items():
        if label == prefix or label.startswith((f"{prefix}.", f"{prefix}-")):
            return method
    return "neural_ode" if record["regime"] in _BOTH else "flow"


@dataclass(frozen=True)
class Failure:
    """A record that is not as registered.

    Args:
        record: as in records.jsonl. line: where it stands there, from 1.
        method: what its claim is about.
        blocked: the method further up that failed on the same instance, or empty.
    """

    record: Record
    line: int
    method: str
    blocked: str = ""

    @property
    def undecided(self) -> bool:
        """Whether the measurement failed, and not the implementation."""
        return bool(self.record["verdict"] == J.UNDECIDED)


def failures(records: Iterable[Record]) -> list[Failure]:
    """The failures of a run, causes and consequences, in its order."""
    by_instance: dict[str, list[Failure]] = {}
    for line, record in enumerate(records, start=1):
        if not as_registered(record):
            by_instance.setdefault(repr(record["spec"]), []).append(Failure(record, line, subject(record)))
    return [f for found in by_instance.values() for f in _blocked(found)]


def _blocked(found: Sequence[Failure]) -> Iterable[Failure]:
    failed = {f.method for f in found}
    for f in found:
        above = [method for method in reversed(UPSTREAM.get(f.method, ("neural_ode",))) if method in failed]
        yield Failure(f.record, f.line, f.method, above[0] if above else "")
