"""What a run says of an implementation: one case per claim and regime, the scoreboard of the methods, a sentence and a status.

Everything that is shown of a run (Markdown, badge, JUnit) is read off the `Outcome`. A claim without power counts for nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from typing import Any

from depthlimit.conformance.oracle.failures import METHODS, subject
from depthlimit.conformance.oracle.folder import Item, Run
from depthlimit.conformance.oracle.known import Known, KnownFailure
from depthlimit.models.verify import EXPECTED, FAILED, UNDECIDED, status
from depthlimit.reports.words import NO_POWER, count
from depthlimit.theory import judgement as J
from depthlimit.theory.claim import Claim
from depthlimit.theory.record import claim_id, nearness, summarise
from depthlimit.theory.registry import claims

FAILS, OPEN, KNOWN, CHECKED, SKIPPED = "fails", "undecided", "known failure", "checked", "skipped"


@dataclass
class Case:
    """One claim on one regime. `wrong` and `known` hold indices of records; `reasons` say why others compared nothing, `lacking`
    what the implementation has not."""

    claim: Claim
    regime: str
    total: int = 0
    judged: int = 0
    wrong: list[int] = field(default_factory=list)
    known: list[int] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    lacking: Counter[str] = field(default_factory=Counter)
    worst: int | None = None  # the index of the record to show: the gravest, and of these the one farthest beyond its bound
    state: str = SKIPPED
    entry: KnownFailure | None = None

    def close(self, records: Sequence[Item]) -> None:
        """Settle worst and state when all records are in."""
        about = self.wrong or self.known
        if about:
            self.worst = max(about, key=lambda i: _gravity(records[i]))
        undecided = all(records[i]["verdict"] == J.UNDECIDED for i in self.wrong)
        self.state = (OPEN if undecided else FAILS) if self.wrong else KNOWN if self.known else CHECKED if self.judged else SKIPPED


def _gravity(item: Mapping[str, Any]) -> tuple[int, tuple[int, float]]:
    grave = (J.HOLDS, J.UNDECIDED, J.BLOCKED, J.VIOLATED, J.ERRORED)
    return grave.index(item["verdict"]) if item["verdict"] in grave else 0, nearness(item["log10_tightness"], item["scale"])


@dataclass
class Row:
    """A method on the scoreboard: how many of its claims came out how, the largest error in units of what is allowed, and why not."""

    method: str
    states: Counter[str] = field(default_factory=Counter)
    margin: float | None = None
    reasons: Counter[str] = field(default_factory=Counter)


# Claims that compare one quantity of one method.
_AGREEMENT = re.compile(r"(?:agreement\.(?:gradient-|velocity-)?|eq[45]\.flow-|eq6\.)(\w+)")


@dataclass(frozen=True)
class Margin:
    """A quantity of an answer: on `records` instances and states it was compared, of which `exact` agree to the last bit; the largest
    and the median error, in units of what is allowed."""

    method: str
    quantity: str
    claims: list[str]
    records: int
    exact: int
    worst: float
    median: float


@dataclass(frozen=True)
class Outcome:
    """A run with its known failures."""

    run: Run
    known: Known = field(default_factory=Known)

    @cached_property
    def cases(self) -> list[Case]:
        """In order of registration."""
        registry = {c.id: c for c in claims()}
        found: dict[tuple[str, str], Case] = {}
        for index, item in enumerate(self.run.records):
            key = (claim_id(item), item["regime"])
            case = found.setdefault(key, Case(registry[key[0]], item["regime"]))
            case.total += 1
            if item["verdict"] in (J.OUT_OF_HYPOTHESIS, J.UNSUPPORTED):
                case.reasons[item["reason"]] += 1
                case.lacking[item["reason"]] += item["verdict"] == J.UNSUPPORTED
            else:
                case.judged += 1
            if index in self.known.covered:
                case.known.append(index)
                case.entry = self.known.covered[index]
            elif (item["verdict"] != J.HOLDS or case.claim.expect is not None) and status([item]) != EXPECTED:
                case.wrong.append(index)
        place = {key: i for i, key in enumerate(registry)}
        for case in found.values():
            case.close(self.run.records)
        return sorted(found.values(), key=lambda c: place[c.claim.id])

    @cached_property
    def claims(self) -> dict[str, str]:
        """The state of each claim: the gravest of its cases; one that held without power was not checked."""
        table = summarise(self.run.records, {c.claim.id: c.claim for c in self.cases})["claims"]
        grave = (FAILS, OPEN, KNOWN, CHECKED, SKIPPED)
        out: dict[str, str] = {}
        for case in self.cases:
            state = SKIPPED if case.state == CHECKED and table[case.claim.id]["verdict"] == NO_POWER else case.state
            out[case.claim.id] = min(out.get(case.claim.id, SKIPPED), state, key=grave.index)
        return out

    def count(self, *states: str) -> int:
        """How many claims are in one of the states."""
        return sum(state in states for state in self.claims.values())

    @property
    def checked(self) -> int:
        """How many claims compared numbers with power, or failed to."""
        return self.count(CHECKED, FAILS, OPEN, KNOWN)

    @property
    def status(self) -> int:
        """0: nothing unknown came out wrong; 1: a failure, a list of known failures that is wrong, or nothing checked; 3: undecided."""
        if self.count(FAILS) or self.known.problems or not self.checked:
            return FAILED
        return UNDECIDED if self.count(OPEN) else EXPECTED

    @property
    def sentence(self) -> str:
        """The verdict."""
        name = self.run.implementation
        if not self.checked:
            return f"No claim was checked on {name}."
        fail, undecided, known = (self.count(state) for state in (FAILS, OPEN, KNOWN))
        head = f"{fail} of {count(self.checked, 'claim')} checked on {name} {'fails' if fail == 1 else 'fail'}"
        if not fail:
            head = f"None of {count(self.checked, 'claim')} checked on {name} fails"
        more = [f"{undecided} {'is' if undecided == 1 else 'are'} undecided"] * bool(undecided)
        more += [f"{count(known, 'more failure')} {'is' if known == 1 else 'are'} known"] * bool(known)
        more += [f"the list of known failures has {count(len(self.known.problems), 'error')}"] * bool(self.known.problems)
        return "; ".join([head, *more]) + "."

    @cached_property
    def equalities(self) -> dict[str, bool]:
        """Whether a claim is an equality that holds, whose tightness is its error over what is allowed."""
        return {case.claim.id: case.claim.relation == "=" and case.claim.expect is None for case in self.cases}

    @cached_property
    def scoreboard(self) -> list[Row]:
        """One row per method of the protocol, with the claims that are about it."""
        rows = {name: Row(name) for name in METHODS}
        states: dict[tuple[str, str], str] = {}
        for case in self.cases:
            method = subject({"claim": case.claim.label, "regime": case.regime})
            states[method, case.claim.id] = self.claims[case.claim.id]
            rows[method].reasons += case.lacking
        for (method, _), state in states.items():
            rows[method].states[state] += 1
        for item in self.run.records:
            row, value = rows[subject(item)], item["log10_tightness"]
            if value is not None and item["scale"] == "linear" and self.equalities[claim_id(item)]:
                row.margin = max(row.margin or 0.0, 10.0 ** min(value, 300.0))
        return list(rows.values())

    @cached_property
    def margins(self) -> list[Margin]:
        """Errors by method and quantity, of what passed and of what failed."""
        errors: dict[tuple[str, str], list[float]] = {}
        ids: dict[tuple[str, str], dict[str, None]] = {}
        for item in self.run.records:
            if (found := _AGREEMENT.fullmatch(item["claim"])) and item["verdict"] in (J.HOLDS, J.VIOLATED, J.UNDECIDED):
                key = subject(item), found[1].replace("state", "hidden")  # as the answer of the neural ODE has it
                value = item["log10_tightness"]
                errors.setdefault(key, []).append(0.0 if value is None else 10.0 ** min(value, 300.0))
                ids.setdefault(key, {})[claim_id(item)] = None
        ordered = sorted(errors.items(), key=lambda pair: METHODS.index(pair[0][0]))
        return [Margin(*key, list(ids[key]), len(e), e.count(0.0), max(e), median(e)) for key, e in ordered]

    @cached_property
    def unsupported(self) -> list[tuple[str, int]]:
        """Reasons why the implementation was not asked, and how many claims each left out."""
        about: dict[str, set[str]] = {}
        for item in self.run.records:
            if item["verdict"] == J.UNSUPPORTED:
                about.setdefault(item["reason"], set()).add(claim_id(item))
        return [(reason, len(keys)) for reason, keys in about.items()]
