"""What a run of the oracle says of the implementation beyond its records: oracle.json, which the report and the summary show.

Causes are sought where something failed, the smallest errors that are noticed where nothing did; both ask the implementation again, in a
process of its own.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from depthlimit.conformance.diagnosis import diagnose
from depthlimit.conformance.explain import printed, replay
from depthlimit.conformance.oracle import sensitivity
from depthlimit.conformance.oracle.failures import Failure, failures
from depthlimit.conformance.oracle.folder import Run
from depthlimit.conformance.oracle.outcome import Outcome
from depthlimit.models import calls
from depthlimit.models.calls import Death
from depthlimit.models.spec import Spec
from depthlimit.models.verify import Plan, cost, write_json
from depthlimit.models.workers import Pool, loaded, single_threaded
from depthlimit.theory.record import claim_id

Item = dict[str, Any]
ATTRIBUTES = ("name", "version", "language", "device", "activations", "clips")
_DIAGNOSED = ("network", "plain-flow", "clipped-flow")
ASKED = 3  # instances that failed, the cheapest, about which the diagnosis asks besides its own questions


def write(plan: Plan, run: Run, *, noticing: bool = True) -> None:
    """Ask what there is to be asked, and write oracle.json. Raises OSError where it cannot be written.

    noticing: measure the smallest errors that are noticed, if nothing failed.
    """
    outcome, failed = Outcome(run), failures(run.records)
    with Pool(plan, run.folder) as pool:
        about = pool.surviving(_about)()
        causes = sought(pool, failed)
        cases = [] if failed or plan.only or not noticing else sensitivity.cases(about["methods"])
        noticed = [row() for row in [pool.submit(_noticed, *case) for case in cases]]
    write_json(
        run.folder / "oracle.json",
        {
            "implementation": {**about["attributes"], "name": run.implementation},
            "sentence": outcome.sentence,
            "scoreboard": [{**vars(row), "states": dict(row.states), "reasons": list(row.reasons)} for row in outcome.scoreboard],
            "margins": [vars(row) for row in outcome.margins],
            "causes": causes,
            "failures": _told(failed, run),
            "sensitivity": noticed,
            "printed": _first(run.printed),
        },
    )


def _first(heard: list[Item]) -> list[Item]:
    """Per method, on how many instances it printed something, and the first of it."""
    counts = Counter(item["method"] for item in heard)
    first = {item["method"]: item["text"] for item in reversed(heard)}
    return [{"method": method, "instances": number, "text": first[method]} for method, number in counts.items()]


def sought(pool: Pool, failed: list[Failure]) -> list[Item]:
    """Probable causes of failures; what ends the process is not asked again."""
    causes: list[Item] = pool.surviving(_causes, _specs(failed))() if failed else []
    return causes


def _about(fatal: Mapping[str, Death]) -> Item:
    with calls.without(fatal):
        implementation = loaded()
    found = {name: getattr(implementation, name, None) for name in ATTRIBUTES}
    attributes = {key: list(map(str, v)) if isinstance(v, list | tuple) else str(v) for key, v in found.items() if v is not None}
    return {"attributes": attributes, "methods": [m for m in sensitivity.PARTS if hasattr(implementation, m)]}


def _causes(specs: list[Item], fatal: Mapping[str, Death]) -> list[Item]:
    with single_threaded(), calls.without(fatal):
        return [cause.to_json() for cause in diagnose(loaded(), [Spec.model_validate(s) for s in specs], first=True)]


def _noticed(method: str, part: str, entry: str) -> Item:
    with single_threaded():
        return sensitivity.smallest(loaded(), method, part, entry)


def _specs(failed: list[Failure]) -> list[Item]:
    """The cheapest instances of one state or a flow that failed, each once, without arrays of their own."""
    specs = {
        json.dumps(f.record["spec"]): f.record["spec"] for f in failed if f.record["regime"] in ("network", "plain-flow", "clipped-flow")
    }
    kept = [s for s in specs.values() if s["init"]["kind"] != "arrays" and s["data"]["kind"] != "arrays"]
    return sorted(kept, key=lambda s: cost(Spec.model_validate(s)))[:ASKED]


def _told(failed: list[Failure], run: Run) -> list[Item]:
    """The first failure of each claim, causes before consequences, and how many there are."""
    counts = Counter(claim_id(f.record) for f in failed)
    first: dict[str, Failure] = {}
    for f in sorted(failed, key=lambda f: bool(f.blocked)):
        first.setdefault(claim_id(f.record), f)
    keys = ("verdict", "reason", "scale", "lhs", "lhs_radius", "rhs", "rhs_radius", "where")
    return [
        {
            "claim": key,
            "method": f.method,
            "blocked": f.blocked,
            "count": counts[key],
            "line": f.line,
            **{name: f.record[name] for name in keys},
            "printed": printed(run.printed_on(f.record)),
            "replay": replay(Path("records.jsonl"), f.line, run.implementation, run.identity["device"]),
        }
        for key, f in first.items()
    ]
