"""Two runs side by side: of two implementations, or of one at two versions.

Only what both ran is compared: the claims on the instances that stand in both plans. Four kinds of difference count, each with the lines of
both records: a verdict that differs; a method that only one supports, or a claim that only one checked; a worst ratio
measured/bound that differs by more than the radii allow; a side at the same point whose intervals do not overlap. Instances that only one
ran are counted and no difference. Two right implementations differ in nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from depthlimit.conformance.oracle.folder import Item, Run
from depthlimit.conformance.oracle.margins import SIDES, norm_rounding, own_state, radius
from depthlimit.models.spec import BadInput
from depthlimit.reports.records import canonical
from depthlimit.theory import judgement as J
from depthlimit.theory.claim import Claim
from depthlimit.theory.record import claim_id, nearness
from depthlimit.theory.registry import claims

SAME, DIFFERENT = 0, 1
_LINES = {"type": "array", "items": {"type": "integer", "minimum": 1}, "minItems": 2, "maxItems": 2}
_TEXT, _COUNT, _NUMBER = {"type": "string"}, {"type": "integer", "minimum": 0}, {"type": "number"}


def _rows(**properties: Any) -> dict[str, Any]:
    row = {"type": "object", "additionalProperties": False, "required": list(properties), "properties": properties}
    return {"type": "array", "items": row}


_RUN = {"type": "object", "required": ["folder", "implementation", "version", "profile", "seed"]}
_PARTS: dict[str, Any] = {
    "a": _RUN,
    "b": _RUN,
    "same": {"type": "boolean"},
    "instances": {"type": "object", "required": ["both", "a", "b"], "additionalProperties": _COUNT},
    "records": _COUNT,
    "verdicts": _rows(claim=_TEXT, a=_TEXT, b=_TEXT, count=_COUNT, lines=_LINES),
    "supported": _rows(by={"enum": ["a", "b"]}, reason=_TEXT, claims={"type": "array", "items": _TEXT}),
    "tightness": _rows(claim=_TEXT, a=_NUMBER, b=_NUMBER, allowed=_NUMBER, lines=_LINES),
    "sides": _rows(claim=_TEXT, side={"enum": list(SIDES)}, a=_NUMBER, b=_NUMBER, allowed=_NUMBER, count=_COUNT, lines=_LINES),
}
COMPARISON_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "depthlimit comparison of two runs",
    "type": "object",
    "additionalProperties": False,
    "required": list(_PARTS),
    "properties": _PARTS,
}
NOT_CHECKED = "the other run checked these claims and this one has no record of them"


@dataclass(frozen=True)
class Pair:
    """One claim on one instance in both runs; the lines are those of records.jsonl."""

    claim: Claim | None  # None: registered at neither version that is installed here
    a: Item
    b: Item
    lines: tuple[int, int]

    def differs(self, side: str) -> tuple[float, float]:
        """How far a side differs, and how far its radii and the rounding of a norm allow."""
        values = [item[side] for item in (self.a, self.b)]
        if None in values:
            return 0.0, 0.0
        radii = sum((item[f"{side}_radius"] or 0.0) + norm_rounding(item) * abs(item[side]) for item in (self.a, self.b))
        return abs(values[0] - values[1]), radii


@dataclass
class Comparison:
    """What differs; see `COMPARISON_SCHEMA`, whose parts these are."""

    a: Run
    b: Run
    instances: dict[str, int]
    pairs: list[Pair]
    only: dict[str, set[str]]
    verdicts: list[dict[str, Any]] = field(default_factory=list)
    supported: list[dict[str, Any]] = field(default_factory=list)
    tightness: list[dict[str, Any]] = field(default_factory=list)
    sides: list[dict[str, Any]] = field(default_factory=list)

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not (self.verdicts or self.supported or self.tightness or self.sides)

    def to_json(self) -> dict[str, Any]:
        """The object of `compare --json`."""
        runs = {name: _identity(run) for name, run in (("a", self.a), ("b", self.b))}
        counts = {"same": self.same, "instances": self.instances, "records": len(self.pairs)}
        return {**runs, **counts, **{key: getattr(self, key) for key in ("verdicts", "supported", "tightness", "sides")}}


def _identity(run: Run) -> dict[str, Any]:
    return {"folder": str(run.folder), **{key: run.identity[key] for key in ("implementation", "version", "profile", "seed")}}


def compare(a: Run, b: Run) -> Comparison:
    """Raises BadInput if no instance stands in both runs."""
    keyed: list[dict[tuple[str, str], int]] = [
        {(claim_id(item), canonical(item["spec"])): i for i, item in enumerate(run.records)} for run in (a, b)
    ]
    specs = [{spec for _, spec in found} for found in keyed]
    both = specs[0] & specs[1]
    if not both:
        raise BadInput(f"{a.folder} and {b.folder}: no instance stands in both runs; compare runs of one profile and seed")
    registry = {c.id: c for c in claims()}
    pairs = [
        Pair(registry.get(key[0]), a.records[i], b.records[keyed[1][key]], (i + 1, keyed[1][key] + 1))
        for key, i in keyed[0].items()
        if key in keyed[1]
    ]
    instances = {"both": len(both), "a": len(specs[0] - both), "b": len(specs[1] - both)}
    missing = {
        name: {claim for claim, spec in mine.keys() - other.keys() if spec in both}
        for name, mine, other in (("a", keyed[0], keyed[1]), ("b", keyed[1], keyed[0]))
    }
    found = Comparison(a, b, instances, pairs, missing)
    _verdicts(found)
    _worst_ratios(found)
    _sides(found)
    return found


def _verdicts(found: Comparison) -> None:
    """Verdicts that differ, by claim and kind; where one is `unsupported`, by its reason."""
    differ: dict[tuple[str, str, str], list[Pair]] = {}
    lacking: dict[tuple[str, str], list[str]] = {}
    for pair in found.pairs:
        a, b = pair.a["verdict"], pair.b["verdict"]
        if a == b:
            continue
        if J.UNSUPPORTED in (a, b):
            by, reason = ("b", pair.a["reason"]) if a == J.UNSUPPORTED else ("a", pair.b["reason"])
            lacking.setdefault((by, reason), []).append(claim_id(pair.a))
        else:
            differ.setdefault((claim_id(pair.a), a, b), []).append(pair)
    for by, ids in found.only.items():
        if ids:
            lacking[by, NOT_CHECKED] = sorted(ids)
    found.verdicts = [{"claim": key, "a": a, "b": b, "count": len(p), "lines": list(p[0].lines)} for (key, a, b), p in differ.items()]
    found.supported = [{"by": by, "reason": reason, "claims": list(dict.fromkeys(ids))} for (by, reason), ids in lacking.items()]


def _judged(pairs: Iterable[Pair]) -> Iterable[tuple[Claim, Pair]]:
    """Pairs in which both compared numbers about the same state."""
    for pair in pairs:
        claim, items = pair.claim, (pair.a, pair.b)
        if claim is None or pair.a["scale"] != pair.b["scale"] or any(own_state(claim, item) for item in items):
            continue
        if {item["verdict"] for item in items} <= {J.HOLDS, J.VIOLATED, J.UNDECIDED}:
            yield claim, pair


def _worst_ratios(found: Comparison) -> None:
    """Inequalities whose worst ratio has moved: the error of an equality means nothing below its radii, and is a verdict above."""
    groups: dict[str, list[Pair]] = {}
    for claim, pair in _judged(found.pairs):
        if claim.relation != "=" and None not in (pair.a["log10_tightness"], pair.b["log10_tightness"]):
            groups.setdefault(claim.id, []).append(pair)
    for key, pairs in groups.items():
        worst = [max(pairs, key=lambda p, one=one: _near(getattr(p, one))) for one in ("a", "b")]  # type: ignore[misc]
        values = [worst[0].a["log10_tightness"], worst[1].b["log10_tightness"]]
        allowed = max(radius(pair.a) + radius(pair.b) for pair in worst)
        if abs(values[0] - values[1]) > allowed:
            lines = [worst[0].lines[0], worst[1].lines[1]]
            found.tightness.append({"claim": key, "a": values[0], "b": values[1], "allowed": allowed, "lines": lines})


def _near(item: Mapping[str, Any]) -> tuple[int, float]:
    return nearness(item["log10_tightness"], item["scale"])


def _sides(found: Comparison) -> None:
    """Sides at the same point whose intervals do not overlap, the farthest of each claim."""
    apart: dict[tuple[str, str], list[Pair]] = {}
    for claim, pair in _judged(found.pairs):
        if pair.a["where"] != pair.b["where"]:
            continue  # the worst point is another one
        for side in SIDES:
            distance, allowed = pair.differs(side)
            if distance > allowed:
                apart.setdefault((claim.id, side), []).append(pair)
    for (key, side), pairs in apart.items():
        worst = max(pairs, key=lambda p, side=side: p.differs(side)[0] - p.differs(side)[1])  # type: ignore[misc]
        row = {"claim": key, "side": side, "a": worst.a[side], "b": worst.b[side], "allowed": worst.differs(side)[1]}
        found.sides.append({**row, "count": len(pairs), "lines": list(worst.lines)})


def text(found: Comparison) -> str:
    """The comparison in lines."""
    lines = [
        f"A {found.a.folder}: {found.a.implementation}, depthlimit {found.a.identity['version']}",
        f"B {found.b.folder}: {found.b.implementation}, depthlimit {found.b.identity['version']}",
        f"{len(found.pairs)} records of {found.instances['both']} instances in both"
        + "".join(f"; {found.instances[one]} instances in {one.upper()} only" for one in "ab" if found.instances[one]),
    ]
    for row in found.supported:
        lines.append(f"only {row['by'].upper()}: {len(row['claims'])} claims ({_some(row['claims'])}): {row['reason']}")
    for row in found.verdicts:
        lines.append(f"verdict {row['claim']}: {row['a']} in A, {row['b']} in B, on {row['count']} (lines {_lines(row)})")
    for row in found.tightness:
        moved = f"log10 ratio {row['a']:.6g} in A, {row['b']:.6g} in B, allowed {row['allowed']:.1g}"
        lines.append(f"ratio {row['claim']}: {moved} (lines {_lines(row)})")
    for row in found.sides:
        apart = f"{row['a']!r} in A, {row['b']!r} in B, allowed {row['allowed']:.1g}, on {row['count']}"
        lines.append(f"{row['side']} of {row['claim']}: {apart} (lines {_lines(row)})")
    return "\n".join([*lines, "same" if found.same else "different"])


def _lines(row: Mapping[str, Any]) -> str:
    return " and ".join(map(str, row["lines"]))


def _some(ids: list[str]) -> str:
    return ", ".join(ids[:3]) + (", …" if len(ids) > 3 else "")
