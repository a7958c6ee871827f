"""A run, aggregated before anything is rendered: what the pages and figures are made from.

`load` streams the records once into `theory.record.summarise` and keeps per claim only what is shown: one
small `Point` per evaluated record, counts of reasons, lines to replay, and the worst record. Nothing but the
records decides a verdict: a `summary.json` that says otherwise is reported as a disagreement.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from depthlimit.reports.records import (
    FILES,
    Curve,
    Item,
    canonical,
    decode,
    read_constants,
    read_curves,
    read_object,
    read_plan,
    read_records,
    read_trial,
)
from depthlimit.theory.claim import Claim, Tool
from depthlimit.theory.judgement import HOLDS, UNDECIDED, VIOLATED
from depthlimit.theory.record import claim_id, summarise

NOT_RUN = "not run"
DATA = "data"
KEPT = 12  # lines listed per claim and verdict; the counts are complete


class Point(NamedTuple):
    """One evaluated record as the figures see it: log10 tightness (its scale is the claim's), sizes and the instance's number."""

    value: float
    L: float
    m: float
    n: float
    t: float | None
    unit: int


class Unit(NamedTuple):
    """An instance, and the line of its first record."""

    line: int
    spec: Item


@dataclass
class Result:
    """What a run says about one claim; `row` is its entry of the summary, `worst` the record it names."""

    claim: Claim
    row: Item
    points: list[Point] = field(default_factory=list)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    lines: dict[str, list[int]] = field(default_factory=dict)
    attained: int = 0
    rates: list[tuple[int, Item]] = field(default_factory=list)
    worst: Item | None = None

    @property
    def was_run(self) -> bool:
        """Whether the run has a record of it."""
        return bool(self.row["verdicts"])


@dataclass(frozen=True)
class Run:
    """A run: its identity, results by claim id in the order of the registry, and the part on real data."""

    identity: Item
    results: Mapping[str, Result]
    counts: Mapping[str, int]
    data: Mapping[str, Item]
    curves: tuple[Curve, ...]
    units: tuple[Unit, ...]
    constants: tuple[Item, ...]
    planned: Mapping[str, int]
    notes: tuple[str, ...]
    files: tuple[str, ...]
    trial: Item | None


def is_rate(claim: Claim) -> bool:
    """Whether the claim is an equality of an extrapolated slope with a number."""
    return claim.relation == "=" and claim.tool is Tool.EXTRAPOLATION and bool(claim.rhs.is_number)


def time_of(item: Item) -> float | None:
    """The time at which a record's worst point lies."""
    index, times = item["where"]["time"], item["spec"].get("times") or ()
    return float(times[index]) if index is not None and index < len(times) else None


def _point(item: Item, tower: bool, unit: int) -> Point | None:
    """None without a tightness. A tower's bound that is an ordinary number there stands on the tower's scale all the same."""
    value = item["log10_tightness"]
    if value is not None and tower and item["scale"] != "log10log10":
        value = math.log10(-value) if value < 0 else None
    sizes = [item["spec"].get(key) for key in ("L", "m", "n")]
    if value is None or not all(isinstance(size, int) and size > 0 for size in sizes):
        return None
    L, m, n = sizes
    return Point(value, L, m, n, time_of(item), unit)


def _observe(result: Result, number: int, item: Item, unit: int) -> None:
    verdict = item["verdict"]
    result.attained += bool(item["attained"])
    if item["reason"]:
        result.reasons[verdict, item["reason"]] += 1
    lines = result.lines.setdefault(verdict, [])
    if len(lines) < KEPT:
        lines.append(number)
    if verdict in (HOLDS, VIOLATED, UNDECIDED):
        point = _point(item, result.claim.scale == "log10log10", unit)
        if point is not None:
            result.points.append(point)
        if is_rate(result.claim):
            result.rates.append((number, item))


def _empty(claim: Claim) -> Item:
    """A summary's entry for a claim without records."""
    return {
        "expected": "holds" if claim.expect is None else "refuted",
        "as_expected": True,
        "verdict": NOT_RUN,
        "verdicts": {},
        "scale": claim.scale,
        "log10_tightness": None,
        "detectable_factor": None,
        "examples": 0,
        "line": None,
    }


def _fetch_worst(path: Path, results: Mapping[str, Result]) -> None:
    wanted = {r.row["line"]: r for r in results.values() if r.row["line"] is not None}
    with path.open(encoding="utf-8") as file:
        for number, text in enumerate(file, start=1):
            if number in wanted:
                wanted[number].worst = decode(text, path.name)


def load(folder: Path, registry: Mapping[str, Claim]) -> Run:
    """Read and aggregate a run folder; raises RunError naming file, line and what was expected."""
    notes: list[str] = []
    identity = read_object(folder / "run.json")
    plan = read_plan(folder, notes)
    real = {spec for spec, origin in plan if origin == DATA}
    results = {key: Result(claim, _empty(claim)) for key, claim in registry.items()}
    data: list[tuple[int, Item]] = []

    units: list[Unit] = []

    def records() -> Iterator[Item]:
        for number, item in read_records(folder, registry, notes):
            if not units or units[-1].spec != item["spec"]:  # records of one instance stand together
                units.append(Unit(number, item["spec"]))
            _observe(results[claim_id(item)], number, item, len(units) - 1)
            if real and canonical(item["spec"]) in real:
                data.append((number, item))
            yield item

    summary = summarise(records(), registry)
    for key, row in summary["claims"].items():
        results[key].row = row
    _fetch_worst(folder / "records.jsonl", results)
    if (folder / "summary.json").exists():
        if read_object(folder / "summary.json") != summary:
            notes.append("summary.json disagrees with records.jsonl; what stands here follows the records.")
    elif identity.get("finished"):
        notes.append("There is no summary.json; what stands here follows the records.")
    of_data = summarise((item for _, item in data), registry)["claims"]
    for row in of_data.values():
        row["line"] = None if row["line"] is None else data[row["line"] - 1][0]
    origins = [origin for _, origin in plan]
    curves = tuple(read_curves(folder, registry, origins, notes))
    files = tuple(file for file in FILES if (folder / file).exists())
    constants = tuple(read_constants(folder))
    return Run(
        identity,
        results,
        summary["counts"],
        of_data,
        curves,
        tuple(units),
        constants,
        Counter(origins),
        tuple(notes),
        files,
        read_trial(folder),
    )
