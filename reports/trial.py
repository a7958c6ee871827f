"""The pages for an implementer: what the oracle says of an implementation, and which planted faults which checks notice."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from depthlimit.reports import errors, words
from depthlimit.reports.aggregate import Run
from depthlimit.theory.claim import Claim
from depthlimit.theory.paper.protocol import compares

Row = dict[str, Any]
STATES = ("checked", "fails", "undecided", "known failure", "skipped")


def faults(run: Run, registry: Mapping[str, Claim]) -> Row | None:
    """Planted faults: what catches each, apart from comparison with the reference; per claim those that only it catches; the matrix."""
    planted = (run.identity.get("faults") or {}).get("faults")
    if not planted:
        return None
    only: dict[str, list[str]] = {}
    rows = []
    for name, fault in planted.items():
        ids = fault["caught_by"]
        if len(ids) == 1 and fault.get("of") != "claim":
            only.setdefault(ids[0], []).append(name)
        known = [i for i in ids if i in registry]
        rows.append(
            {
                "name": name,
                "meaning": fault["meaning"],
                "of": fault.get("of", ""),
                "without": [i for i in known if not compares(registry[i])],
                "comparing": [i for i in known if compares(registry[i])],
                "statements": Counter(i.partition(".")[0] for i in known),
            }
        )
    wrong = [r for r in rows if r["of"] == "implementation"]
    return {
        "rows": rows,
        "wrong": wrong,
        "without": sum(bool(r["without"]) for r in wrong),
        "statements": [
            p for p in dict.fromkeys(c.label.partition(".")[0] for c in registry.values()) if any(r["statements"][p] for r in wrong)
        ],
        "only": only,
        "survivors": [name for name, fault in planted.items() if not fault["caught_by"]],
    }


def trial(run: Run) -> Row | None:
    """Scoreboard, causes, failures and the smallest errors that are noticed; None if the run was none of the oracle's."""
    found = run.trial
    if found is None:
        return None
    scoreboard = [
        {**row, "margin": words.number(row["margin"]), "counts": [row["states"].get(state, 0) for state in STATES]}
        for row in found["scoreboard"]
    ]
    sensitivity = [
        {
            **row,
            "epsilon": words.DASH
            if row["epsilon"] is None
            else Markup(f"10<sup>{words.minus(str(round(math.log10(row['epsilon']))))}</sup>"),
        }
        for row in found["sensitivity"]
    ]
    wrong = sorted(found["failures"], key=lambda f: bool(f["blocked"]))
    return {
        **found,
        "scoreboard": scoreboard,
        "margins": [{**row, **{key: words.number(row[key], 2) for key in ("median", "worst")}} for row in found["margins"]],
        "errors": errors.by_quantity(found["margins"]),
        "layers": errors.of_failures([f["claim"] for f in wrong], run.curves),
        "sensitivity": sensitivity,
        "failures": [_failure(f) for f in found["failures"]],
        "states": STATES,
    }


def _failure(item: Mapping[str, Any]) -> Row:
    sides = [(words.side(item[side], item["scale"]), words.number(item[f"{side}_radius"], 2)) for side in ("lhs", "rhs")]
    at = ", ".join(f"{axis} {index}" for axis, index in item["where"].items() if index is not None)
    return {**item, "sides": sides if item["lhs"] is not None else [], "at": at, "verdict": words.verdict(item["verdict"])}
