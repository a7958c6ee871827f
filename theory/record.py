"""Records: one judgement of one claim at one spec as a JSON line, and the summary of many.

The line holds no time, host, path or version, so that the same seed and command give the same bytes. `RECORD_SCHEMA` and
`SUMMARY_SCHEMA` are JSON Schemas 2020-12.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

from depthlimit.theory import judgement as J
from depthlimit.theory.claim import Claim
from depthlimit.theory.quantity import AXES

NO_POWER = 1e3  # a detectable factor above this reads "holds, no power" and is never counted as a pass

_NUMBER = {"type": ["number", "null"]}
RECORD_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "depthlimit record",
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "claim": {"type": "string"},
        "edition": {"enum": ["as-printed", "explicit", "corrected", "sharpened"]},
        "inputs": {"enum": ["a-priori", "along-trajectory", "instantaneous"]},
        "verdict": {"enum": list(J.VERDICTS)},
        "attained": {"type": "boolean"},
        "log10_tightness": _NUMBER,
        "lhs": _NUMBER,
        "lhs_radius": _NUMBER,
        "rhs": _NUMBER,
        "rhs_radius": _NUMBER,
        "scale": {"enum": ["linear", "log10", "log10log10"]},
        "where": {
            "type": "object",
            "additionalProperties": False,
            "required": list(AXES[:-1]),
            "properties": {axis: {"type": ["integer", "null"], "minimum": 0} for axis in AXES[:-1]},
        },
        "regime": {"type": "string"},
        "spec": {"type": "object"},
        "reason": {"type": "string"},
    },
}
RECORD_SCHEMA["required"] = list(RECORD_SCHEMA["properties"])

SUMMARY_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "depthlimit summary",
    "type": "object",
    "required": ["counts", "claims"],
    "properties": {
        "counts": {"type": "object", "additionalProperties": {"type": "integer"}},
        "claims": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["expected", "as_expected", "verdict", "verdicts", "log10_tightness", "detectable_factor", "examples", "line"],
                "properties": {
                    "expected": {"enum": ["holds", "refuted"]},
                    "as_expected": {"type": "boolean"},
                    "verdict": {"type": "string"},
                    "verdicts": {"type": "object", "additionalProperties": {"type": "integer"}},
                    "scale": {"type": "string"},
                    "log10_tightness": _NUMBER,
                    "detectable_factor": _NUMBER,
                    "examples": {"type": "integer"},
                    "line": {"type": ["integer", "null"]},
                },
            },
        },
    },
}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def record(claim: Claim, judged: J.Judgement, regime: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """The record of one judgement, keys in their order; infinities become null."""
    return {
        "claim": claim.label,
        "edition": claim.edition,
        "inputs": claim.inputs,
        "verdict": judged.verdict,
        "attained": judged.attained,
        "log10_tightness": _finite(judged.log10_tightness),
        "lhs": _finite(judged.lhs.value if judged.lhs else None),
        "lhs_radius": _finite(judged.lhs.radius if judged.lhs else None),
        "rhs": _finite(judged.rhs.value if judged.rhs else None),
        "rhs_radius": _finite(judged.rhs.radius if judged.rhs else None),
        "scale": judged.scale,
        "where": {axis: dict(judged.where).get(axis) for axis in AXES[:-1]},
        "regime": regime,
        "spec": dict(spec),
        "reason": judged.reason.encode("utf-8", "replace").decode(),  # an implementation's message may hold what no file can
    }


def line(item: Mapping[str, Any]) -> str:
    """One line of `records.jsonl`, newline included."""
    return json.dumps(item, separators=(",", ":"), ensure_ascii=False, allow_nan=False) + "\n"


def claim_id(item: Mapping[str, Any]) -> str:
    """The id of the claim that a record is about."""
    return f"{item['claim']}[{item['edition']},{item['inputs']}]"


def unexpected(claim: Claim, verdict: str) -> bool:
    """Whether one verdict contradicts the registered expectation (of a refuted claim, only its witness must be violated)."""
    return verdict in (J.ERRORED, J.BLOCKED) or (verdict == J.VIOLATED and claim.expect is None)


def equality_factor(item: Mapping[str, Any]) -> float | None:
    """1 + (r_a + r_b)/max(|a|, |b|): the smallest relative error that an equality would notice here; None if both sides are 0."""
    sides = [item[k] for k in ("lhs", "rhs", "lhs_radius", "rhs_radius")]
    if any(s is None for s in sides) or max(abs(sides[0]), abs(sides[1])) == 0:
        return None
    return float(1 + (sides[2] + sides[3]) / max(abs(sides[0]), abs(sides[1])))


def summarise(items: Iterable[Mapping[str, Any]], registry: Mapping[str, Claim]) -> dict[str, Any]:
    """Counts and, per claim, verdict, worst tightness, detectable factor, examples and the line (from 1) of the worst record.

    The verdict of a claim is the gravest of its records that carry one, else the reason why none does; a claim that is refuted by its
    witness reads "refuted". `detectable_factor` is null where no instance has power to speak of (towers).
    """
    counts: dict[str, int] = dict.fromkeys(J.VERDICTS, 0)
    table: dict[str, dict[str, Any]] = {}
    factors: dict[str, list[float]] = {}
    for number, item in enumerate(items, start=1):
        key = claim_id(item)
        claim = registry[key]
        counts[item["verdict"]] += 1
        row = table.setdefault(
            key,
            {
                "expected": "holds" if claim.expect is None else "refuted",
                "as_expected": True,
                "verdict": "",
                "verdicts": {},
                "scale": item["scale"],
                "log10_tightness": None,
                "detectable_factor": None,
                "examples": 0,
                "line": None,
            },
        )
        row["verdicts"][item["verdict"]] = row["verdicts"].get(item["verdict"], 0) + 1
        if unexpected(claim, item["verdict"]):
            row["as_expected"] = False
        if item["verdict"] in (J.HOLDS, J.VIOLATED, J.UNDECIDED):
            row["examples"] += 1
            value = item["log10_tightness"]
            if row["line"] is None or nearness(value, item["scale"]) > nearness(row["log10_tightness"], row["scale"]):
                row["line"], row["log10_tightness"], row["scale"] = number, value, item["scale"]
        if item["verdict"] == J.HOLDS and claim.relation == "=":
            factor = equality_factor(item)
            if factor is not None:
                factors.setdefault(key, []).append(factor)
    for key, row in table.items():
        grave = (J.ERRORED, J.BLOCKED, J.VIOLATED, J.UNDECIDED, J.HOLDS, J.OUT_OF_HYPOTHESIS, J.UNSUPPORTED)
        row["verdict"] = next(v for v in grave if v in row["verdicts"])
        if row["expected"] == "refuted":
            refuted = J.VIOLATED in row["verdicts"]
            row["verdict"] = "refuted" if refuted else row["verdict"]
        if registry[key].relation == "=":
            row["detectable_factor"] = min(factors[key]) if key in factors else None
        elif row["scale"] != "log10log10" and row["log10_tightness"] is not None and row["log10_tightness"] > -300:
            row["detectable_factor"] = max(1.0, 10 ** -row["log10_tightness"])  # attained within its radii
        if row["verdict"] == J.HOLDS and (row["detectable_factor"] is None or row["detectable_factor"] > NO_POWER):
            row["verdict"] = "holds, no power"
    return {"counts": counts, "claims": table}


def nearness(value: float | None, scale: str) -> tuple[int, float]:
    """A key that orders log10 tightnesses of any scale, the nearest to the bound last (a tower is far from any number)."""
    if value is None:
        return (0, 0.0)
    return (1, -value) if scale == "log10log10" else (2, value)
