"""The files of a run folder, read and checked line by line.

Errors name the file, the line and what was expected. A last line without newline is what a killed run leaves;
it is dropped with a note, as `--resume` drops it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from depthlimit.theory.claim import Claim
from depthlimit.theory.constants import CONSTANTS_SCHEMA
from depthlimit.theory.judgement import VERDICTS
from depthlimit.theory.record import RECORD_SCHEMA, claim_id

TRIAL_KEYS = ("implementation", "sentence", "scoreboard", "failures", "causes", "sensitivity", "margins", "printed")
FILES = ("records.jsonl", "summary.json", "constants.json", "run.json", "plan.jsonl", "curves.jsonl", "printed.jsonl", "oracle.json")

CONSTANT_KEYS = CONSTANTS_SCHEMA["items"]["properties"]["constants"]["items"]["required"]

Item = dict[str, Any]


class RunError(ValueError):
    """A run folder that cannot be read; the message names the file, the line and what was expected."""


@dataclass(frozen=True)
class Curve:
    """A measured quantity and its bound along an axis (t, L or k) of one instance; errors and what is allowed along errors-t and errors-k.

    `spec` is the digest of the instance, `label` describes it, `scale` is as in a record.
    """

    claim: str
    origin: str
    spec: str
    label: str
    axis: str
    scale: str
    x: tuple[float, ...]
    lhs: tuple[float | None, ...]
    rhs: tuple[float | None, ...] | None


def _refuse(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def decode(text: str, where: str) -> Item:
    """A JSON object; `where` names it in errors."""
    try:
        value = json.loads(text, parse_constant=_refuse)
    except ValueError as error:
        raise RunError(f"{where}: not JSON ({error}); restore the file or run again") from None
    if not isinstance(value, dict):
        raise RunError(f"{where}: expected a JSON object, got {type(value).__name__}")
    return value


def read_object(path: Path) -> Item:
    """The JSON object in a file of a run."""
    try:
        return decode(path.read_text(encoding="utf-8"), path.name)
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror}); expected a folder that `verify` wrote") from None


def read_lines(path: Path, notes: list[str]) -> Iterator[tuple[int, Item]]:
    """The JSON objects of a file and their line numbers, from 1; a last line cut short becomes a note."""
    with path.open(encoding="utf-8") as file:
        for number, text in enumerate(file, start=1):
            if not text.endswith("\n"):
                notes.append(f"The last line of {path.name} (line {number}) is cut short and was left out.")
                return
            yield number, decode(text, f"{path.name}:{number}")


def read_records(folder: Path, registry: Mapping[str, Claim] | None, notes: list[str]) -> Iterator[tuple[int, Item]]:
    """The records of a run and their lines; each is complete and about a claim of the registry, if one is given."""
    path = folder / "records.jsonl"
    if not path.exists():
        raise RunError(f"{path}: no such file; expected a folder that `verify` wrote")
    for number, item in read_lines(path, notes):
        where = f"{path.name}:{number}"
        missing = [key for key in RECORD_SCHEMA["required"] if key not in item]
        if missing:
            raise RunError(f"{where}: a record without {', '.join(missing)}")
        if item["verdict"] not in VERDICTS:
            raise RunError(f"{where}: verdict {item['verdict']!r}; expected one of {', '.join(VERDICTS)}")
        if registry is not None and claim_id(item) not in registry:
            raise RunError(f"{where}: no claim {claim_id(item)} is registered; was this run made by another version (see run.json)?")
        yield number, item


def read_curves(folder: Path, registry: Mapping[str, Claim], plan: Sequence[str], notes: list[str]) -> Iterator[Curve]:
    """The curves of a run; `plan` holds the origin of each unit. Curves of unknown claims are left out."""
    path = folder / "curves.jsonl"
    if not path.exists():
        return
    for number, item in read_lines(path, notes):
        where = f"{path.name}:{number}"
        try:
            curve = Curve(
                **{key: item[key] for key in ("claim", "spec", "axis", "label")},
                origin=plan[item["unit"]] if "unit" in item else item["origin"],
                scale=item.get("scale", "linear"),
                x=tuple(item["x"]),
                lhs=tuple(item["lhs"]),
                rhs=None if item["rhs"] is None else tuple(item["rhs"]),
            )
        except (KeyError, IndexError, TypeError) as error:
            raise RunError(f"{where}: not a curve ({error!r})") from None
        if {len(curve.x)} != {len(side) for side in (curve.lhs, curve.rhs) if side is not None}:
            raise RunError(f"{where}: x, lhs and rhs differ in length")
        if curve.x and curve.claim in registry:
            yield curve


def read_constants(folder: Path) -> list[Item]:
    """The tables of constants.json; none if a run that did not finish has not written it."""
    path = folder / "constants.json"
    if not path.exists():
        return []
    try:
        tables = json.loads(path.read_text(encoding="utf-8"))
        for table in tables:
            lacking = {"regime", "spec", "constants"} - table.keys()
            lacking |= {key for row in table["constants"] for key in CONSTANT_KEYS if key not in row}
            if lacking:
                raise ValueError(f"a table without {', '.join(sorted(lacking))}")
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise RunError(f"{path.name}: not the constants of a run ({error}); finish the run again with --resume") from None
    return list(tables)


def read_trial(folder: Path) -> Item | None:
    """oracle.json: what a run of the oracle says of the implementation; None of another run, or of one that did not finish."""
    path = folder / "oracle.json"
    if not path.exists():
        return None
    found = read_object(path)
    if lacking := [key for key in TRIAL_KEYS if key not in found]:
        raise RunError(f"{path.name}: without {', '.join(lacking)}; run the oracle again with --resume")
    return found


def read_printed(folder: Path, notes: list[str]) -> list[Item]:
    """printed.jsonl: what an implementation printed, by instance and method; empty if it printed nothing."""
    path, out = folder / "printed.jsonl", []
    for number, item in read_lines(path, notes) if path.exists() else ():
        if not {"spec": str, "method": str, "calls": int, "text": str}.items() <= {k: type(v) for k, v in item.items()}.items():
            raise RunError(f"{path.name}:{number}: expected spec, method, calls and text")
        out.append(item)
    return out


def canonical(spec: Mapping[str, Any]) -> str:
    """A text that is the same for equal specs."""
    return json.dumps(spec, sort_keys=True, separators=(",", ":"))


def describe(spec: Item) -> str:
    """An instance in a few letters."""
    sizes = ", ".join(f"{key} = {spec[key]}" for key in ("L", "q", "m", "n", "T") if key in spec)
    sigma, clip = spec.get("activation"), spec.get("clip")
    parts = [sizes, str(sigma["name"]) if isinstance(sigma, dict) else "", f"{clip['kind']} clip" if isinstance(clip, dict) else ""]
    return ", ".join(part for part in parts if part)


def read_plan(folder: Path, notes: list[str]) -> list[tuple[str, str]]:
    """The planned specs in canonical form, each with its origin."""
    path = folder / "plan.jsonl"
    plan: list[tuple[str, str]] = []
    if not path.exists():
        notes.append("There is no plan.jsonl: where the instances come from is unknown.")
        return plan
    for number, item in read_lines(path, notes):
        if "spec" not in item or "origin" not in item:
            raise RunError(f"{path.name}:{number}: expected an object with spec and origin")
        plan.append((canonical(item["spec"]), item["origin"]))
    return plan
