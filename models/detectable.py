"""What could be detected: the smallest relative change of μ, of the loss rate, of s₀ and s_*, or of K_σ that certificates notice.

Each is changed in the direction in which the paper's statement becomes stronger than it is, or the network slower: μ and s₀ up, K_σ and the
rates down; in the claims' own formulas and fields, and judged as ever. ε is found by bisection between `FINEST` and `COARSEST`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from depthlimit.models.check import applicable, judge, run
from depthlimit.models.data import ArrayStore
from depthlimit.models.measure.registry import Fields
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.spec import LocalPL, Spec
from depthlimit.theory import judgement as J
from depthlimit.theory.activation import CATALOGUE
from depthlimit.theory.claim import Claim
from depthlimit.theory.quantity import Field

FINEST, COARSEST = 1e-10, 1e3
_STEPS = 9  # of bisection, over 13 decades: to a factor of 10^(13/2^9), 6 %
_LISTENING = ("certificate.", "averaged.", "adversary.", "identities.energy-rate")


@dataclass(frozen=True)
class Change:
    """Quantities, or a symbol that the claims define, times 1 + ε or 1/(1 + ε)."""

    name: str
    quantities: tuple[str, ...] = ()
    up: bool = True

    def factor(self, epsilon: float) -> float:
        """The factor at an ε > 0."""
        return 1 + epsilon if self.up else 1 / (1 + epsilon)

    def concerns(self, claim: Claim) -> bool:
        """Whether the claim can notice."""
        return bool(claim.symbols() & set(self.quantities)) or any(s.name == self.name for s in claim.where)

    def claim(self, claim: Claim, epsilon: float) -> Claim:
        """The claim, of which the hypotheses are met, with its own definition changed if it has one."""
        return replace(
            claim, hypotheses=(), where={s: e * self.factor(epsilon) if s.name == self.name else e for s, e in claim.where.items()}
        )


CHANGES = (
    Change("mu"),
    Change("rate", ("descent_rate", "mean_rate"), up=False),
    Change("s0", ("s0", "s_all")),
    Change("K_sigma", ("K_sigma",), up=False),
)


class _Changed(Mapping[str, Field]):
    """Fields, some of them times a factor."""

    def __init__(self, fields: Mapping[str, Field], names: Sequence[str], factor: float) -> None:
        self._fields, self._names, self._factor = fields, names, factor

    def __getitem__(self, name: str) -> Field:
        found = self._fields[name]
        return replace(found, values=found.values * self._factor) if name in self._names else found

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


def _noticing(listening: Iterable[Claim], change: Change, epsilon: float, fields: Fields, properties: frozenset[str]) -> list[Claim]:
    changed = _Changed(fields, change.quantities, change.factor(epsilon))
    return [c for c in listening if judge(change.claim(c, epsilon), changed, properties).verdict == J.VIOLATED]


def smallest(holding: Iterable[Claim], change: Change, fields: Fields, properties: frozenset[str]) -> tuple[float, list[Claim]] | None:
    """The smallest ε at which one of the claims, which hold, is violated, and which are; None if none is even at `COARSEST`.

    What is noticed at an ε is noticed at larger ones, so only the claims that notice the last ε are asked about a smaller one.
    """
    found = COARSEST, _noticing((c for c in holding if change.concerns(c)), change, COARSEST, fields, properties)
    low, high = math.log10(FINEST), math.log10(COARSEST)
    for _ in range(_STEPS if found[1] else 0):
        middle = (low + high) / 2
        noticing = _noticing(found[1], change, 10**middle, fields, properties)
        low, high = (low, middle) if noticing else (middle, high)
        found = (10**middle, noticing) if noticing else found
    return found if found[1] else None


def table(spec: Spec, arrays: ArrayStore | None = None) -> dict[str, Any]:
    """Per change the smallest ε, as a relative change with its sign, and the claims that notice it; `change` is None if none does."""
    fields, properties = Fields(run(spec, NumpyImplementation(), arrays)), CATALOGUE[spec.activation.name].properties
    listening = [c for c in applicable(spec) if c.label.startswith(_LISTENING) and c.expect is None]
    holding = [c for c in listening if judge(c, fields, properties).verdict == J.HOLDS]
    rows = []
    for change in CHANGES:
        found = smallest(holding, change, fields, properties)
        least, by = (change.factor(found[0]) - 1, [c.id for c in found[1]]) if found else (None, [])
        rows.append({"name": change.name, "change": least, "by": by})
    return {"spec": spec.to_json(), "rows": rows}


def tables(specs: Iterable[Spec], arrays: ArrayStore | None = None) -> list[dict[str, Any]]:
    """The tables of the first certificates of the loosest and the sharpest ball with n > d, admitted labels and generated data."""
    first: dict[str, Spec] = {}
    for spec in specs:
        if isinstance(spec.regime, LocalPL) and spec.n > spec.d and spec.regime.excess == 1 and spec.data.kind != "arrays":
            first.setdefault(spec.regime.ball, spec)
    return [table(first[ball], arrays) for ball in ("sup", "stacked") if ball in first]
