"""The committed baseline: how tight each claim was on the quick profile, seed 0, of the NumPy implementation, and what has drifted.

What is kept of a claim, and why it is the same on another platform, with other libraries of linear algebra:

* The *verdict*, as in summary.json.
* Of an inequality the worst log10 tightness, the largest over all instances. Another right run has it within `2 max(radius, radius)` of the
  records where the two maxima lie (see margins.py, the records of both have about the same radii); where the record is about a
  state that was solved for, also within what the protocol lets that state err, `2 asked`, for a conditioning of 1.
* Of an equality the relative error that it would notice, log10(detectable factor - 1), which must stay within a decade: a radius that grew
  would let errors through without failing anything. It is a few units of rounding for many claims, hence no finer. The error itself, in
  radii, is the chance of rounding below 1, and above 1 it is a verdict.

Entries change by `update` only, each with the reason given then.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from depthlimit.conformance.oracle.folder import Run
from depthlimit.conformance.oracle.margins import EPSILON, own_state, radius
from depthlimit.models import flow
from depthlimit.models.spec import BadInput
from depthlimit.theory.claim import Claim
from depthlimit.theory.record import summarise
from depthlimit.theory.registry import claims

OF = {"implementation": "numpy", "profile": "quick", "seed": 0}
DECADE = 1.0  # in log10


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Entry(_Strict):
    """One claim. `radius`: of log10_tightness, null if it is not resolved; `detects`: of an equality, null if both sides are 0."""

    verdict: str
    scale: str = "linear"
    log10_tightness: float | None = None
    radius: float | None = None
    detects: float | None = None
    reason: str = Field("", pattern=r"^$|\S")


class Baseline(_Strict):
    """The file. `instances`: SHA-256 of the plan; `gone`: claims that were withdrawn, with the reason."""

    implementation: str
    profile: str
    seed: int
    instances: str
    claims: dict[str, Entry]
    gone: dict[str, str]


BASELINE_SCHEMA: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Baseline.model_json_schema()}


@dataclass(frozen=True)
class Drift:
    """What is otherwise than in the baseline; `claim` is empty for the plan itself."""

    claim: str
    what: str

    def __str__(self) -> str:
        return f"{self.claim or 'instances'}: {self.what}"


def read_baseline(path: Path) -> Baseline:
    """The file; raises BadInput."""
    try:
        found = Baseline.model_validate_json(path.read_bytes())
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); run where the baseline is, or name it with --baseline") from None
    except ValidationError as error:
        lines = [f"{path}: {'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors()]
        raise BadInput("\n".join(lines)) from None
    if bare := [key for key, entry in found.claims.items() if not entry.reason]:
        raise BadInput(f"{path}: claims.{bare[0]}: without a reason; entries are made by `depthlimit baseline update --reason TEXT`")
    return found


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write the file, a line per claim, so that two versions of it differ in lines that name a claim."""
    value = baseline.model_dump(exclude_defaults=True)
    parts = [f" {json.dumps(key)}: {json.dumps(value[key])}" for key in (*OF, "instances")]
    for key in ("claims", "gone"):
        lines = [f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in value[key].items()]
        parts.append(f' "{key}": {{' + (("\n" + ",\n".join(lines) + "\n ") if lines else "") + "}")
    temporary = path.with_suffix(".tmp")
    try:
        temporary.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror})") from None


def _entry(claim: Claim, row: Mapping[str, Any], run: Run) -> Entry:
    if claim.relation == "=":
        factor = row["detectable_factor"]
        return Entry(verdict=row["verdict"], detects=None if factor is None else round(math.log10(max(factor - 1, EPSILON / 2)), 2))
    if row["log10_tightness"] is None:
        return Entry(verdict=row["verdict"])
    item = run.records[row["line"] - 1]
    error = radius(item)
    if own_state(claim, item):
        error += 2 * float(flow.asked(item["spec"], np.array(1.0), np.array(0.0))) / math.log(10)
    value = float(row["log10_tightness"])
    return Entry(verdict=row["verdict"], scale=row["scale"], log10_tightness=value, radius=error if math.isfinite(error) else None)


def made_of(run: Run) -> Baseline:
    """The baseline of a run, without reasons. Raises BadInput for a run of anything else."""
    for key, value in {**OF, "only": [], "data": None}.items():
        if run.identity.get(key, value) != value:
            raise BadInput(f"{run.folder}: {key} is {run.identity[key]!r}, expected {value!r}; a baseline is of {OF}, of all claims")
    if not run.identity.get("finished"):
        raise BadInput(f"{run.folder}: the run did not finish; continue it with `depthlimit verify --resume`")
    registry = {c.id: c for c in claims()}
    table = summarise(run.records, registry)["claims"]
    found = {key: _entry(registry[key], table[key], run) for key in registry if key in table}
    instances = hashlib.sha256(run.plan.encode()).hexdigest()
    return Baseline.model_validate({**OF, "instances": instances, "claims": found, "gone": {}})


def _moved(old: Entry, new: Entry) -> str:
    """What is otherwise in one claim; empty if nothing is, up to the margins."""
    if old.verdict != new.verdict:
        return f"{old.verdict} became {new.verdict}"
    for name, margin in (("log10_tightness", None), ("detects", DECADE)):
        before, now = getattr(old, name), getattr(new, name)
        if (before is None) != (now is None) or old.scale != new.scale:
            return f"{name} {before} ({old.scale}) became {now} ({new.scale})"
        if before is None:
            continue
        if margin is None:
            if old.radius is None or new.radius is None:
                if old.radius is not new.radius:
                    return f"radius of the tightness {old.radius} became {new.radius}"
                continue
            margin = 2 * max(old.radius, new.radius)
        if abs(now - before) > margin:
            return f"{name} moved by {now - before:+.3g} from {before:.6g} to {now:.6g}, allowed {margin:.1g}"
    return ""


def drift(old: Baseline, new: Baseline) -> list[Drift]:
    """Everything in which a run is not its baseline, in the order of the run and then what is gone."""
    found = []
    if old.instances != new.instances:
        found.append(Drift("", "the plan is another one: Specs of the corpus, strategies or the version of Hypothesis changed"))
    for key, entry in new.claims.items():
        if key not in old.claims:
            found.append(Drift(key, "appeared"))
        elif what := _moved(old.claims[key], entry):
            found.append(Drift(key, what))
    return found + [Drift(key, "vanished") for key in old.claims if key not in new.claims]


def updated(old: Baseline | None, new: Baseline, reason: str) -> Baseline:
    """The baseline of a run: entries that have drifted are replaced, with the reason; others stay as they are, to the digit."""
    if old is None:
        claims_now = {key: entry.model_copy(update={"reason": reason}) for key, entry in new.claims.items()}
        return new.model_copy(update={"claims": claims_now})
    moved = {d.claim for d in drift(old, new)}
    kept = {k: e.model_copy(update={"reason": reason}) if k in moved else old.claims[k] for k, e in new.claims.items()}
    gone = {**{k: r for k, r in old.gone.items() if k not in kept}, **{k: reason for k in old.claims if k not in kept}}
    return new.model_copy(update={"claims": kept, "gone": gone})
