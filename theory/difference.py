"""Differences: what the paper prints otherwise than it must read, each confirmed in two ways.

A difference is data beside the claims: what is printed, the corrected form, what follows from it, the two confirmations, and a command
line that shows it again. The claims carry the editions; this list is for a reader who wants to know what to change in the paper.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from depthlimit.theory.claim import Source

KINDS = ("false as printed", "holds with another constant", "misprint without consequence", "hypothesis not stated")
_TEXT = {"type": "string", "minLength": 1}
_ROW = {
    "id": {"type": "string", "pattern": "^d-[a-z0-9-]+$"},
    "item": _TEXT,
    "equation": {"type": "string"},
    "page": {"type": ["integer", "null"]},
    "printed": _TEXT,
    "corrected": _TEXT,
    "kind": {"enum": list(KINDS)},
    "consequence": _TEXT,
    "evidence": {"type": "array", "items": _TEXT, "minItems": 2},
    "replay": {"type": "string", "pattern": "^depthlimit "},
}
DIFFERENCES_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "depthlimit differences",
    "type": "array",
    "items": {"type": "object", "additionalProperties": False, "required": list(_ROW), "properties": _ROW},
}


@dataclass(frozen=True)
class Difference:
    """One difference from the paper.

    Args:
        id: `d-prop7-20-index`; never renumbered.
        source: item, part, equation and page, spelled as in the paper.
        printed, corrected: TeX.
        kind: one of `KINDS`.
        consequence: what follows for the statements that use it, in a sentence.
        evidence: the two independent confirmations.
        replay: a command line that ends with 0 and shows it: `depthlimit replay` of a witness or `depthlimit explain` of a derivation.
    """

    id: str
    source: Source
    printed: str
    corrected: str
    kind: str
    consequence: str
    evidence: tuple[str, str]
    replay: str

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.id}: kind must be one of {KINDS}, got {self.kind!r}")

    def to_json(self) -> dict[str, object]:
        """The object of `depthlimit differences --json`, keys in this order: id, item, equation, page, printed, ..., replay."""
        values = asdict(self)
        source = values.pop("source")
        place = {key: source[key] for key in ("item", "equation", "page")}
        return {"id": values.pop("id"), **place, **values, "evidence": list(self.evidence)}


_DIFFERENCES: dict[str, Difference] = {}


def differ(difference: Difference) -> Difference:
    """Register a difference; a second one of the same id is an error."""
    if difference.id in _DIFFERENCES:
        raise ValueError(f"difference {difference.id} is registered already")
    return _DIFFERENCES.setdefault(difference.id, difference)


def differences() -> list[Difference]:
    """All differences, in order of page."""
    import depthlimit.theory.paper  # noqa: F401  importing it registers them

    return sorted(_DIFFERENCES.values(), key=lambda d: (d.source.page or 0, d.id))
