"""What a record that did not come out as registered says, in lines: both sides, their radii, where, and how to run it again."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from depthlimit.models.printed import shortened
from depthlimit.theory import judgement as J
from depthlimit.theory.claim import Claim
from depthlimit.theory.record import claim_id
from depthlimit.theory.registry import claims

Record = dict[str, Any]


def explain(item: Record) -> str:
    """What came out, what was expected, both sides with their radii, and where."""
    claim = next(c for c in claims() if c.id == claim_id(item))
    at = ", ".join(f"{axis} {index}" for axis, index in item["where"].items() if index is not None)
    lines = [
        f"{claim.id} on {item['regime']}: {item['verdict']}, expected {_expected(claim, item)}",
        f"  {claim.meaning} ({claim.source})",
        f"  {claim.lhs} {claim.relation} {claim.rhs}",
        *(f"    {symbol} = {definition}" for symbol, definition in claim.where.items()),
        *(f"  {side} = {item[side]!r} ± {item[f'{side}_radius']!r}{_unit(item)}" for side in ("lhs", "rhs") if item[side] is not None),
        *([f"  log10 tightness {value!r}{f', at {at}' if at else ''}"] if (value := item["log10_tightness"]) is not None or at else []),
    ]
    return "\n".join([*lines, *([f"  {item['reason']}"] if item["reason"] else [])])


def printed(heard: Iterable[Mapping[str, Any]], length: int = 200) -> list[str]:
    """A line per method that printed something on an instance: items of printed.jsonl."""
    out = []
    for item in heard:
        often = f" (in {item['calls']} calls)" if item["calls"] > 1 else ""
        out.append(f"{item['method']} printed{often}: {shortened(' '.join(item['text'].split()), length)}")
    return out


def replay(file: Path, line: int, implementation: str, device: str = "cpu") -> str:
    """The shell line that runs a record of a file again."""
    how = ["--implementation", implementation, *(["--device", device] if device != "cpu" else [])]
    return shlex.join(["depthlimit", "replay", f"{file}:{line}", *how])


def _unit(item: Record) -> str:
    return "" if item["scale"] == "linear" else f" ({item['scale']})"


def _expected(claim: Claim, item: Record) -> str:
    if item["verdict"] == J.UNDECIDED:
        return "a verdict: the radii are too wide, so this was not measured"
    if claim.expect is None:
        return "that it holds"
    return f"that {claim.expect} refutes it"
