"""`break`: a planted fault of an implementation is switched on, and what notices it is shown.

broken = switched_on("drop-depth-scaling")
print(broken_text(broken))
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

from depthlimit.conformance.diagnosis import Cause, diagnose
from depthlimit.conformance.explain import explain
from depthlimit.conformance.faults import FAULTS, SPECS
from depthlimit.conformance.faults.planted import path
from depthlimit.conformance.faults.planting import Fault
from depthlimit.conformance.subject import Record, Subject
from depthlimit.models import calls
from depthlimit.models.corpus import corpus
from depthlimit.models.spec import BadInput, Spec
from depthlimit.models.verify import select
from depthlimit.models.workers import single_threaded
from depthlimit.theory import judgement as J
from depthlimit.theory.record import claim_id

FAILED = (J.VIOLATED, J.ERRORED)
_SHOWN = 3  # declared checks whose failure is told in full


@dataclass(frozen=True)
class Broken:
    """What a fault did.

    Args:
        fault: the planted fault.
        records: of every check on its instances and on the smallest instances of the corpus of the same regimes.
        causes: what a diagnosis of the wrong implementation says.
        subject: the wrong implementation under test.
    """

    fault: Fault
    records: list[Record]
    causes: list[Cause]
    subject: Subject

    @property
    def failed(self) -> list[Record]:
        """Records of checks that noticed the fault."""
        refuted = {c.id for c in select([]) if c.expect is not None}
        return [item for item in self.records if item["verdict"] in FAILED and claim_id(item) not in refuted]

    @property
    def noticed(self) -> list[str]:
        """Ids of the checks that noticed it."""
        return list(dict.fromkeys(map(claim_id, self.failed)))

    @property
    def unnoticed(self) -> list[str]:
        """Ids of those that were judged and did not."""
        judged = [claim_id(item) for item in self.records if item["verdict"] in (J.HOLDS, J.UNDECIDED)]
        return [name for name in dict.fromkeys(judged) if name not in self.noticed]

    @property
    def survived(self) -> list[str]:
        """Declared checks that did not notice it: empty if it is caught as declared."""
        return [name for name in self.fault.caught_by if name not in self.noticed]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        specs = {item["spec"]["regime"]["kind"]: item["spec"] for item in reversed(self.failed)}
        return {
            **summary_of(self.fault),
            "noticed": self.noticed,
            "survived": self.survived,
            "unnoticed": self.unnoticed,
            "failures": self.failed,
            "diagnosis": [cause.to_json() for cause in self.causes],
            "replay": [self.subject.replay(spec) for spec in specs.values()],
        }


def breakable() -> list[Fault]:
    """The planted faults of implementations."""
    return [fault for fault in FAULTS if fault.implementation is not None]


def summary_of(fault: Fault) -> dict[str, Any]:
    """A fault as JSON."""
    cause = fault.cause or fault.meaning
    return {"fault": fault.name, "meaning": fault.meaning, "cause": cause, "declared": list(fault.caught_by), "implementation": path(fault)}


def faults_text() -> str:
    """Two lines per fault: name and meaning, and the checks that must catch it; the cause where it is not the meaning."""
    lines = []
    for fault in breakable():
        lines.append(f"{fault.name:<28} {fault.meaning}")
        if fault.cause and fault.cause.rstrip(".").lower() != fault.meaning.rstrip(".").lower():
            lines.append(f"    cause: {fault.cause}")
        lines.append(f"    caught by {', '.join(fault.caught_by)}")
    return "\n".join([*lines, f"{len(breakable())} faults; depthlimit break NAME switches one on"])


def _instances(fault: Fault) -> list[Spec]:
    """The fault's own, and of each of their regimes the smallest of the corpus."""
    own = [SPECS[name] for name in fault.specs]
    smallest = []
    for kind in dict.fromkeys(spec.regime.kind for spec in own):
        found = [spec for spec in corpus() if spec.regime.kind == kind]
        smallest += sorted(found, key=lambda s: s.L * s.q * (s.m + s.d) * s.n)[:1]
    return [*own, *smallest]


def switched_on(name: str) -> Broken:
    """The checks and the diagnosis of an implementation with that fault. Raises BadInput for an unknown name."""
    known = {fault.name: fault for fault in breakable()}
    if name not in known:
        close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        near = f"; did you mean {' or '.join(close)}?" if close else "; depthlimit break lists them"
        raise BadInput(f"no planted fault of an implementation is called {name!r}{near}")
    fault = known[name]
    subject = Subject(path(fault), "cpu", False, {})
    assert fault.implementation is not None
    calls.watch(fault.seconds)
    try:
        if fault.seconds is None:
            records = [item for spec in _instances(fault) for item in subject.check(spec)[0]]
        else:  # each check waits, so only those declared are asked
            subject.chosen.update({SPECS[one].regime.kind: set(fault.caught_by) for one in fault.specs})
            records = [item for one in fault.specs for item in subject.on_corpus(SPECS[one])[0]]
        with single_threaded():
            causes = diagnose(fault.implementation())
    finally:
        calls.watch(None)
    return Broken(fault, records, causes, subject)


def broken_text(broken: Broken) -> str:
    """What was switched on, which checks failed and how, which did not, the probable cause, and how to see it again."""
    fault, failed = broken.fault, broken.failed
    first = {claim_id(item): item for item in reversed(failed)}
    lines = [f"{fault.name}: {fault.meaning}", ""]
    caught = [name for name in fault.caught_by if name in first]
    lines.append(f"{len(broken.noticed)} of {len(broken.noticed) + len(broken.unnoticed)} checks fail; {len(caught)} of them had to:")
    for name in caught[:_SHOWN]:
        lines += ["", *(f"  {line}" for line in explain(first[name]).splitlines())]
    others = [name for name in broken.noticed if name not in caught[:_SHOWN]]
    for title, names in (("also failing", others), ("not noticing it", broken.unnoticed)):
        if names:
            lines += ["", f"{title}: {_listed(names)}"]
    if broken.survived:
        lines += ["", f"SURVIVED: these had to fail and did not: {', '.join(broken.survived)}"]
    lines += ["", *(["probable cause", *(f"  {line}" for line in broken.causes[0].text().splitlines())] if broken.causes else [])]
    lines += [f"and {len(broken.causes) - 1} more"] if len(broken.causes) > 1 else []
    if failed:
        item = first[caught[0]] if caught else failed[0]
        about = {key: item[key] for key in ("claim", "edition", "inputs", "spec")}
        lines += ["", "to see it again", f"  {broken.subject.replay(about)}"]
    return "\n".join(lines)


def _listed(names: list[str]) -> str:
    """Labels, each once."""
    return ", ".join(dict.fromkeys(name.split("[")[0] for name in names))
