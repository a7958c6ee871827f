"""The proof of a statement as its claims tell it: which steps it rests on, and how many decades each of them loses.

The graph has a node per label and an edge from each premise of one of its rungs; in the order here every label stands after what it
rests on. A loss is the log10 of bound over measured, and of towers given by its own log10.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from depthlimit.reports.aggregate import Result, Run
from depthlimit.reports.figures import kind
from depthlimit.theory.claim import Role
from depthlimit.theory.record import nearness

EDITIONS = ("as-printed", "explicit", "corrected", "sharpened")
INPUTS = ("instantaneous", "along-trajectory", "a-priori")  # from the sharpest
TIGHT = math.log10(0.9)


@dataclass(frozen=True)
class Node:
    """A label: its rungs, the numbers of its premises in the chain, and whether it belongs to the statement itself."""

    label: str
    results: tuple[Result, ...]
    premises: tuple[int, ...]
    own: bool

    @property
    def best(self) -> Result:
        """The rung that shows most: one that came out otherwise than registered, else the one nearest to its bound and not refuted."""

        def shows(r: Result) -> tuple[bool, bool, tuple[int, float]]:
            return not r.row["as_expected"], r.claim.expect is None, nearness(r.row["log10_tightness"], r.row["scale"])

        return max(self.results, key=shows)


@dataclass(frozen=True, eq=False)
class Loss:
    """Decades that a rung loses on an instance; `log10` holds where they are too many for a float."""

    result: Result
    log10: float

    @property
    def decades(self) -> float:
        """As a number, perhaps infinite."""
        return 10.0**self.log10 if self.log10 < 300 else math.inf


@dataclass(frozen=True)
class Waterfall:
    """The losses along the chain of a label on one instance (a unit of the run).

    `steps` start from measured values and lose on their own; `totals` (results of other labels, then the rungs of this one) hold what was
    lost before them.
    """

    label: str
    unit: int
    steps: tuple[Loss, ...]
    totals: tuple[Loss, ...]


def by_label(run: Run) -> dict[str, list[Result]]:
    """All results by label, in the order of the registry."""
    out: dict[str, list[Result]] = {}
    for result in run.results.values():
        out.setdefault(result.claim.label, []).append(result)
    return out


def _premises(results: Iterable[Result]) -> list[str]:
    return list(dict.fromkeys(p for r in results for p in r.claim.premises))


def chain(labels: Mapping[str, Sequence[Result]], ends: Iterable[str]) -> list[Node]:
    """The given labels and all that they rest on, premises first and otherwise in the order of the registry."""
    ends = list(ends)
    order: dict[str, None] = {}
    entered: set[str] = set()

    def visit(label: str) -> None:
        if label in labels and label not in entered:
            entered.add(label)
            for premise in _premises(labels[label]):
                visit(premise)
            order[label] = None

    for label in ends:
        visit(label)
    place = {label: i for i, label in enumerate(order)}
    return [
        Node(label, tuple(labels[label]), tuple(sorted(place[p] for p in _premises(labels[label]) if p in place)), label in ends)
        for label in order
    ]


def has_proof(results: Iterable[Result]) -> bool:
    """Whether a statement has a claim that rests on others, beyond an equation and what follows from it at once."""
    return any(r.claim.premises for r in results if r.claim.role in (Role.LEMMA, Role.STEP, Role.RESULT, Role.IDENTITY))


def _losses(result: Result) -> dict[int, Loss]:
    """By unit; none for equalities, which lose nothing."""
    sort = kind(result)
    if sort == "error":
        return {}
    return {p.unit: Loss(result, p.value if sort == "tower" else math.log10(-p.value) if p.value < 0 else -math.inf) for p in result.points}


def _choice(result: Result) -> tuple[int, int]:
    """Of the rungs of a step, the print's own is taken, with the sharpest inputs."""
    return EDITIONS.index(result.claim.edition), INPUTS.index(result.claim.inputs)


def waterfall(nodes: Sequence[Node], label: str) -> Waterfall | None:
    """The losses along the chain of a label, on the instance of the run that has most of them (the first of those)."""
    end = next(node for node in nodes if node.label == label)
    steps = {node.label: sorted((r for r in node.results if _losses(r)), key=_choice) for node in nodes if node.label != label}
    table = {id(r): _losses(r) for rungs in (*steps.values(), end.results) for r in rungs}
    units = sorted({unit for losses in table.values() for unit in losses})

    def on(rungs: Sequence[Result], unit: int) -> list[Loss]:
        return [table[id(r)][unit] for r in rungs if unit in table[id(r)]]

    def richness(unit: int) -> tuple[int, int]:
        return len(on(end.results, unit)), sum(bool(on(rungs, unit)) for rungs in steps.values())

    usable = [unit for unit in units if min(richness(unit)) > 0]
    if not usable:
        return None
    unit = max(usable, key=lambda u: (richness(u), -u))
    before = [found[0] for rungs in steps.values() if (found := on(rungs, unit))]
    ends = sorted(on(end.results, unit), key=lambda loss: loss.log10)
    fresh = [loss for loss in before if _starts_anew(loss.result, steps)]
    return Waterfall(label, unit, tuple(fresh), tuple(loss for loss in (*before, *ends) if loss not in fresh))


def _starts_anew(result: Result, steps: Mapping[str, Sequence[Result]]) -> bool:
    """Whether the inputs of a bound are measured where it is, or no other step has a part in it."""
    return result.claim.inputs == INPUTS[0] or not any(steps.get(premise) for premise in result.claim.premises)


def waterfalls(nodes: Sequence[Node]) -> list[Waterfall]:
    """Of each result of the statement that rests on other claims, in order."""
    labels = {node.label: node for node in nodes}
    out = []
    for node in nodes:
        result = any(r.claim.role is Role.RESULT and kind(r) != "error" for r in node.results)
        if node.own and node.premises and result:
            above = chain({name: labels[name].results for name in labels}, [node.label])
            out.append(waterfall(above, node.label))
    return [w for w in out if w]


def tight(nodes: Iterable[Node]) -> int:
    """How many labels of the statement have an inequality that comes within a tenth of its bound."""
    return sum(node.own and any(kind(r) == "ratio" and any(p.value > TIGHT for p in r.points) for r in node.results) for node in nodes)
