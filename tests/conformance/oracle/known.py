"""Known failures: a TOML file that says which failures are expected, why, where they are discussed and until when.

    [[known]]
    claim = "agreement.velocity-*"     # id or label; * and ? stand for any text and any letter
    regime = "clipped-flow"            # optional
    reason = "the radial clip is not written yet"
    link = "https://example.org/issues/12"
    expires = 2027-03-01               # the last day on which it counts

The list is strict: an entry that matches no failure although its claims were checked, or that has expired, is an error. A failure that
an entry matches is shown with its reason and does not count in the status.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from depthlimit.models.check import RUNS
from depthlimit.models.spec import BadInput
from depthlimit.models.verify import as_registered
from depthlimit.theory import judgement as J
from depthlimit.theory.claim import Claim
from depthlimit.theory.record import claim_id
from depthlimit.theory.registry import claims


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class KnownFailure(_Strict):
    """One entry; see the module."""

    claim: str = Field(min_length=1)
    regime: str | None = None
    reason: str = Field(pattern=r"\S")
    link: str = Field(pattern=r"^https?://[^\s<>|`\"]+$")
    expires: date

    def names(self, claim: Claim) -> bool:
        """Whether the entry is about a claim: brackets of an id are letters, not sets of letters."""
        pattern = self.claim.replace("[", "[[]")
        return any(text == self.claim or fnmatchcase(text, pattern) for text in (claim.id, claim.label))

    def __str__(self) -> str:
        return self.claim if self.regime is None else f"{self.claim} on {self.regime}"


class _File(_Strict):
    known: tuple[KnownFailure, ...] = Field((), strict=False)


KNOWN_SCHEMA: dict[str, Any] = {"$schema": "https://json-schema.org/draft/2020-12/schema", **_File.model_json_schema()}

_ACCEPTED = {
    "missing": "is missing",
    "extra_forbidden": f"is no key of an entry; accepted are {', '.join(KnownFailure.model_fields)}",
    "date_type": "expected a TOML date without quotes, as in 2027-03-01",
    "string_type": "expected a text in quotes",
}
_PATTERNS = {"reason": "expected a text that says why", "link": "expected a link that begins with http:// or https://"}


def read_known(path: Path) -> tuple[KnownFailure, ...]:
    """The entries of a file. Raises BadInput naming file, entry and key."""
    try:
        value = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); expected a TOML file with [[known]] entries") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: not TOML ({error})") from None
    try:
        entries = _File.model_validate(value).known
    except ValidationError as error:
        raise BadInput("\n".join(f"{path}: {_complaint(e, value)}" for e in error.errors())) from None
    for number, entry in enumerate(entries, start=1):
        if trouble := _unknown(entry):
            raise BadInput(f"{path}: entry {number} ({entry}): {trouble}")
    return entries


def _complaint(error: Any, value: Mapping[str, Any]) -> str:
    """What is wrong with one key, in the words of the file."""
    place = error["loc"]
    if len(place) < 2 or place[0] != "known" or not isinstance(place[1], int):
        key = place[0] if place else "the file"
        return f"{key}: expected [[known]] entries and nothing else"
    entry = value["known"][place[1]]
    name = f"entry {place[1] + 1}" + (f" ({entry['claim']})" if isinstance(entry, dict) and "claim" in entry else "")
    if len(place) < 3:
        return f"{name}: expected a table [[known]], got {entry!r}"
    key = str(place[2])
    said = _PATTERNS.get(key) if error["type"] == "string_pattern_mismatch" else _ACCEPTED.get(error["type"])
    got = "" if error["type"] in ("missing", "extra_forbidden") else f", got {str(error['input'])[:80]!r}"
    return f"{name}: {key}: {said or error['msg']}{got}"


def _unknown(entry: KnownFailure) -> str:
    """What an entry names that does not exist."""
    if entry.regime is not None and entry.regime not in RUNS:
        return f"regime: no regime is named so; accepted are {', '.join(RUNS)}"
    named = [c for c in claims() if entry.names(c)]
    if not named:
        near = difflib.get_close_matches(entry.claim, [text for c in claims() for text in (c.label, c.id)], n=3)
        return f"claim: no claim has this id or label{'; near are ' + ', '.join(near) if near else ''}"
    if entry.regime is not None and not any(entry.regime in c.regimes for c in named):
        return f"regime: {named[0].id} is not checked there, but on {', '.join(named[0].regimes)}"
    return ""


@dataclass(frozen=True)
class Known:
    """What a list of known failures makes of a run.

    `covered`: the entry by the index of the record. `problems`: what makes the list itself an error. `untried`: entries of which the run
    has no record that could fail, since it was a partial one.
    """

    covered: Mapping[int, KnownFailure] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    untried: tuple[KnownFailure, ...] = ()


def apply(entries: Sequence[KnownFailure], records: Sequence[Mapping[str, Any]], today: date) -> Known:
    """Match entries with the records that are not as registered; an expired entry covers nothing."""
    registry = {c.id: c for c in claims()}
    pairs = {(claim_id(r), r["regime"]) for r in records}
    wanted = [
        {(key, regime) for key, regime in pairs if entry.names(registry[key]) and entry.regime in (None, regime)} for entry in entries
    ]
    covered: dict[int, KnownFailure] = {}
    matched, tried = [False] * len(entries), [False] * len(entries)
    for index, item in enumerate(records):
        about = [i for i, pairs in enumerate(wanted) if (claim_id(item), item["regime"]) in pairs]
        if not about:
            continue
        wrong = not as_registered(dict(item))
        for i in about:
            tried[i] = tried[i] or item["verdict"] != J.OUT_OF_HYPOTHESIS
            matched[i] = matched[i] or wrong
        if wrong and (valid := [entries[i] for i in about if entries[i].expires >= today]):
            covered[index] = valid[0]
    problems, untried = [], []
    for number, (entry, hit, met) in enumerate(zip(entries, matched, tried, strict=True), start=1):
        if entry.expires < today:
            problems.append(f"entry {number} ({entry}) expired on {entry.expires}: fix the failure, or give it another date ({entry.link})")
        elif met and not hit:
            problems.append(f"entry {number} ({entry}) matches no failure: remove it ({entry.link})")
        elif not met:
            untried.append(entry)
    return Known(covered, tuple(problems), tuple(untried))
