"""What a run leaves for readers and machines beside its records: summary.md, badge.svg, badge.json, and JUnit XML where it is asked for.

    outcome = write(read_run(folder), known=apply(...), junit=Path("junit.xml"))
    outcome.status, outcome.sentence

The same records and known failures give the same bytes: no time, and no path but that of the folder as it was given.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from depthlimit.conformance.explain import explain, replay
from depthlimit.conformance.explain import printed as explained
from depthlimit.conformance.oracle import badge
from depthlimit.conformance.oracle.failures import failures
from depthlimit.conformance.oracle.folder import Item, Run
from depthlimit.conformance.oracle.junit import junit as junit_xml
from depthlimit.conformance.oracle.known import Known
from depthlimit.conformance.oracle.outcome import CHECKED, FAILS, KNOWN, OPEN, Case, Outcome
from depthlimit.models.spec import BadInput

_SHOWN = 10  # failures told in full; the table above them has all


def write(run: Run, known: Known | None = None, junit: Path | None = None) -> Outcome:
    """Write the files into the run's folder, and JUnit XML to `junit`. Raises BadInput where they cannot be written."""
    outcome = Outcome(run, known or Known())
    files = {
        run.folder / "summary.md": markdown(outcome).encode("utf-8", "replace"),
        run.folder / "badge.svg": badge.svg(outcome).encode(),
        run.folder / "badge.json": (json.dumps(badge.endpoint(outcome)) + "\n").encode(),
        **({} if junit is None else {junit: junit_xml(outcome)}),
    }
    for path, content in files.items():
        try:
            path.write_bytes(content)
        except OSError as error:
            raise BadInput(f"{path}: cannot be written ({error.strerror})") from None
    return outcome


# --- Markdown (GitHub's): whatever an implementation says is escaped or fenced


def plain(text: str) -> str:
    """Text on one line in which no letter is markup."""
    return re.sub(r"([\\`*_{}\[\]<>()#+!|~&@$-])", r"\\\1", " ".join(text.split()))


def unescaped(line: str) -> str:
    """A line of Markdown for those who see its letters."""
    return re.sub(r"\\([\\`*_{}\[\]<>()#+!|~&@$-])", r"\1", line)


def code(text: str) -> str:
    """A code span, also within a table."""
    line = " ".join(text.split()).replace("|", "\\|")
    ticks = "`" * (1 + max((len(run) for run in re.findall("`+", line)), default=0))
    return f"{ticks} {line} {ticks}" if "`" in line else f"{ticks}{line}{ticks}"


def fenced(text: str) -> list[str]:
    """A block of code."""
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return [ticks, *text.splitlines(), ticks]


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A table; cells are Markdown already."""
    return ["| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows)]


def markdown(outcome: Outcome) -> str:
    """The summary: verdict, scoreboard of the methods, failures, known failures, what was not asked, and the run's identity."""
    sections = (_scoreboard, causes, _failures, known, printed, _not_checked, _identity)
    blocks = [["# depthlimit", "", plain(outcome.sentence)], *(section(outcome) for section in sections)]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _scoreboard(outcome: Outcome) -> list[str]:
    """Claims by the method that they are about; the margin is the largest error of an equality over what is allowed."""
    rows = []
    for row in outcome.scoreboard:
        states = [str(row.states[state] or "–") for state in (CHECKED, FAILS, OPEN, KNOWN)]
        margin = "–" if row.margin is None else f"{row.margin:.2g}"
        asked = sum(row.states[s] for s in (CHECKED, FAILS, OPEN, KNOWN))
        why = plain("; ".join(row.reasons)) or ("" if asked else "not asked")
        rows.append([code(row.method), *states, margin, why])
    head = ("method", "agrees", "fails", "undecided", "known", "largest error / allowed", "not checked because")
    return ["## Methods", "", *table(head, rows)]


def causes(outcome: Outcome) -> list[str]:
    """What a diagnosis says, if there was one."""
    lines = []
    for cause in outcome.run.causes:
        lines += [f"- {code(cause['method'])}: {plain(cause['sentence'])}", *(f"  - {plain(text)}" for text in cause["evidence"])]
        for what, names in (("explains too", cause["consequences"]), ("blocks", cause["blocked"]), ("as likely", cause["rivals"])):
            lines += [f"  - {what}: {plain('; '.join(names))}"] if names else []
    return ["## Probable causes", "", *lines] if lines else []


def _side(item: Item, name: str) -> str:
    if item[name] is None:
        return "–"
    unit = "" if item["scale"] == "linear" else f" ({item['scale']})"
    return code(f"{item[name]:.6g} ± {item[f'{name}_radius'] or 0:.2g}{unit}")


def _ratio(item: Item) -> str:
    value = item["log10_tightness"]
    if value is None:
        return "–"
    if item["scale"] == "log10log10":
        return f"10^-10^{value:.6g}"
    return f"{10**value:.3g}" if abs(value) < 300 else f"10^{value:.6g}"


def _failures(outcome: Outcome) -> list[str]:
    """Every case that came out wrong, with both sides of its worst record; consequences of a failure come last."""
    cases = [case for case in outcome.cases if case.state in (FAILS, OPEN)]
    if not cases:
        return []
    blocked = {f.line: f.blocked for f in failures(outcome.run.records) if f.blocked}
    cases.sort(key=lambda c: all(i + 1 in blocked for i in c.wrong))
    run, rows, told = outcome.run, [], []
    for number, case in enumerate(cases):
        item, line = _worst(outcome, case), (case.worst or 0) + 1
        on = f"{len(case.wrong)} of {case.total}"
        sides = [_side(item, name) for name in ("lhs", "rhs")]
        verdict = item["verdict"] + (f", blocked by {blocked[line]}" if line in blocked else "")
        rows.append([code(case.claim.id), case.regime, verdict, on, *sides, _ratio(item), str(line)])
        if number < _SHOWN:
            again = replay(run.file, line, run.implementation, run.identity["device"])
            told += ["", *fenced("\n".join([explain(item), *explained(run.printed_on(item)), again]))]
    head = ("claim", "regime", "verdict", "instances", "left side", "right side", "ratio", "record")
    about = f"The worst record of each; its line in {code(str(run.file))} stands last"
    about += f", and the first {_SHOWN} are told in full." if len(cases) > _SHOWN else "."
    return ["## Failures", "", about, "", *table(head, rows), *told]


def _worst(outcome: Outcome, case: Case) -> Item:
    assert case.worst is not None
    return outcome.run.records[case.worst]


def known(outcome: Outcome) -> list[str]:
    """Known failures with their reasons, and what is wrong with the list."""
    rows = []
    for case in outcome.cases:
        if case.known and case.entry is not None:
            entry = case.entry
            on = f"{len(case.known)} of {case.total}"
            rows.append([code(case.claim.id), case.regime, on, plain(entry.reason), f"<{entry.link}>", str(entry.expires)])
    said = [f"- {plain(problem)}" for problem in outcome.known.problems]
    said += [f"- {plain(str(entry))}: not tried in this run" for entry in outcome.known.untried]
    if not rows and not said:
        return []
    head = ("claim", "regime", "instances", "reason", "link", "expires")
    return ["## Known failures", "", *(table(head, rows) if rows else []), *([""] if rows and said else []), *said]


def printed(outcome: Outcome) -> list[str]:
    """What the implementation printed in its calls: the first of each method."""
    first: dict[str, Item] = {}
    for item in outcome.run.printed:
        first.setdefault(item["method"], {**item, "calls": 1})
    lines = [f"- {plain(text)}" for text in explained(first.values())]
    return ["## Printed", "", "The first that each method printed in its calls, which is no failure:", "", *lines] if lines else []


def _not_checked(outcome: Outcome) -> list[str]:
    rows = [[plain(reason), str(number)] for reason, number in outcome.unsupported]
    rows += [[plain(f"{one['what']}: {one['reason']}"), "–"] for one in outcome.run.identity.get("skipped", [])]
    return ["## Not checked", "", *table(("reason", "claims"), rows)] if rows else []


def _identity(outcome: Outcome) -> list[str]:
    run = outcome.run.identity
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    facts = {
        "implementation": f"{run['implementation']} on {run['device']}",
        "instances": f"profile {run['profile']}, seed {run['seed']}",
        "paper": run["paper"],
        "versions": f"depthlimit {run['version']}, {versions}",
    }
    notes = [] if run.get("finished") else ["- the run did not finish"]
    return ["## Run", "", *(f"- {name}: {plain(str(value))}" for name, value in facts.items()), *notes]
