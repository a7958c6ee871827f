"""What a derivation may use: the registered lines that come before a claim in its proof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import sympy as sp

from depthlimit.conformance.derivations.tools import bounded
from depthlimit.theory import registry
from depthlimit.theory.claim import Claim

Definitions = Mapping[sp.Symbol, sp.Expr]


@cache
def _labelled(label: str) -> tuple[Claim, ...]:
    return tuple(c for c in registry.claims(label) if c.label == label)


@cache
def ancestors(label: str) -> frozenset[str]:
    """Labels of the premises of a label's editions, of their premises, and so on."""
    direct = {p for c in _labelled(label) for p in c.premises}
    return frozenset(direct.union(*map(ancestors, direct)))


@dataclass(frozen=True)
class Lines:
    """The lines before a claim, each in the claim's own edition and inputs where it has them.

    `claim` as it is derived; every label asked for must be among its premises, theirs, and so on (KeyError).
    """

    claim: Claim

    def find(self, label: str) -> Claim:
        """The line of that label; "label[edition]" insists on an edition."""
        label, _, edition = label.rstrip("]").partition("[")
        if label not in ancestors(self.claim.label):
            raise KeyError(f"{label} is no premise of {self.claim.label}, nor of its premises")
        if edition:
            preferred = [edition]
        elif self.claim.edition == "as-printed":
            preferred = ["as-printed", "corrected", "explicit", "sharpened"]
        else:
            preferred = [self.claim.edition, "corrected", "as-printed", "explicit", "sharpened"]
        found = [c for c in _labelled(label) if c.edition in preferred]
        return min(found, key=lambda c: (preferred.index(c.edition), c.inputs != self.claim.inputs))

    def rhs(self, label: str) -> sp.Expr:
        """The right side of a line."""
        return sp.sympify(self.find(label).rhs)

    def follow(self, expression: sp.Expr, *labels: str) -> sp.Expr:
        """The expression with the left side of each line replaced by the right one, in order."""
        for label in labels:
            line = self.find(label)
            expression = bounded(expression, {line.lhs: line.rhs})
        return expression

    def given(self, expression: sp.Expr) -> sp.Expr:
        """The expression with quantities replaced by the bounds that the claim's hypotheses have for them."""
        bounds = {c.lhs: c.rhs for c in self.claim.hypotheses if c.lhs in expression.free_symbols}
        return bounded(expression, bounds)
