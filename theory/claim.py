"""Claim: one edition of one checkable relation of the paper.

Results, proof steps, defining equations, exact identities and negative controls are all claims with another `role`. A claim holds its
formula (SymPy, over the symbols of `Quantity`s), where it stands in the paper, what it assumes and what is expected of it; it holds no
tensor. `Claim.judge` evaluates it on the Fields of one instance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

import sympy as sp

from depthlimit.theory.quantity import Field

if TYPE_CHECKING:
    from depthlimit.theory.judgement import Bound, Judgement


class Role(StrEnum):
    """What part a claim plays in the paper."""

    DEFINITION = "definition"
    LEMMA = "lemma"
    STEP = "step"
    RESULT = "result"
    IDENTITY = "identity"
    HYPOTHESIS = "hypothesis"
    CONTROL = "control"
    AGREEMENT = "agreement"


class Tool(StrEnum):
    """How the proof gets from the premises to the claim."""

    NONE = ""
    DEFINITION = "definition"
    CHAIN_RULE = "chain rule"
    TRIANGLE = "triangle inequality"
    CAUCHY_SCHWARZ = "Cauchy-Schwarz"
    GRONWALL = "Grönwall"
    DISCRETE_GRONWALL = "discrete Grönwall"
    SUPREMUM = "supremum over a set"
    POLYAK_LOJASIEWICZ = "Polyak-Łojasiewicz"
    PERTURBATION = "perturbation of singular values"
    EXTRAPOLATION = "extrapolation in 1/L"
    EXACT_DISTRIBUTION = "exact distribution"


@dataclass(frozen=True)
class Source:
    """Where a formula stands: numbered item, part of it, equation, page of arXiv:2309.01213v3 (None: not in the paper)."""

    item: str
    part: str = ""
    equation: str = ""
    page: int | None = None

    def __str__(self) -> str:
        bits = [self.item, self.part, f"eq. {self.equation}" if self.equation else "", f"p. {self.page}" if self.page else ""]
        return ", ".join(b for b in bits if b)


@dataclass(frozen=True)
class Condition:
    """A relation that an instance must meet (a hypothesis), or that marks the equality case."""

    text: str
    lhs: sp.Expr
    relation: str
    rhs: sp.Expr
    trivial: bool = False  # as an equality case: both sides are what they were given to be, which is no evidence of tightness


@dataclass(frozen=True)
class Claim:
    """One edition of one relation `lhs relation rhs`.

    Args:
        label: `prop7.gap`; never renumbered. The id adds edition and inputs: `prop7.gap[as-printed,a-priori]`.
        edition: as-printed | explicit | corrected | sharpened.
        inputs: a-priori | along-trajectory | instantaneous: where the suprema in the bound come from.
        regimes: kinds of instance on which it can be checked.
        relation: "<=", ">=" (both sides nonnegative) or "=" (numbers or vectors).
        where: definitions of symbols in lhs and rhs, which may use each other.
        hypotheses: conditions checked first; an instance that fails one is out-of-hypothesis.
        needs: properties of the activation that the statement assumes.
        equality: the case in which the two sides agree, so that a verdict within the radii counts as attained.
        scale: linear | log10 | log10log10: how the sides are compared and recorded (a logarithm for bounds that overflow).
        tex: the paper's own typesetting, as printed.
        expect: None if the claim is expected to hold, else the name of the corpus witness that refutes it.
    """

    label: str
    lhs: sp.Expr
    relation: str
    rhs: sp.Expr
    source: Source
    regimes: tuple[str, ...]
    meaning: str
    tex: str
    role: Role = Role.RESULT
    edition: str = "as-printed"
    inputs: str = "a-priori"
    where: Mapping[sp.Symbol, sp.Expr] = field(default_factory=dict)
    hypotheses: tuple[Condition, ...] = ()
    needs: frozenset[str] = frozenset()
    equality: Condition | None = None
    premises: tuple[str, ...] = ()
    tool: Tool = Tool.NONE
    risk: sp.Expr | None = None
    scale: str = "linear"
    expect: str | None = None
    note: str = ""

    def __post_init__(self) -> None:
        for name, value, accepted in (
            ("relation", self.relation, ("<=", ">=", "=")),
            ("edition", self.edition, ("as-printed", "explicit", "corrected", "sharpened")),
            ("inputs", self.inputs, ("a-priori", "along-trajectory", "instantaneous")),
            ("scale", self.scale, ("linear", "log10", "log10log10")),
        ):
            if value not in accepted:
                raise ValueError(f"{self.label}: {name} must be one of {accepted}, got {value!r}")

        TopologicalSorter({k: sp.sympify(v).free_symbols for k, v in self.where.items()}).prepare()  # CycleError if circular

    @property
    def id(self) -> str:
        """Label, edition and inputs: unique in the registry."""
        return f"{self.label}[{self.edition},{self.inputs}]"

    def names(self, *expressions: sp.Expr) -> frozenset[str]:
        """Names of the quantities in expressions, through the definitions of `where`."""
        seen: set[sp.Symbol] = set()
        pending = [sp.sympify(e) for e in expressions]
        while pending:
            new = pending.pop().free_symbols - seen
            seen |= new
            pending += [self.where[symbol] for symbol in new if symbol in self.where]
        return frozenset(s.name for s in seen if s not in self.where)

    def symbols(self) -> frozenset[str]:
        """Names of the quantities that an instance must supply."""
        conditions = [*self.hypotheses, *([self.equality] if self.equality else [])]
        return self.names(self.lhs, self.rhs, *(side for c in conditions for side in (c.lhs, c.rhs)))

    def judge(self, fields: Mapping[str, Field], properties: frozenset[str]) -> Judgement:
        """The verdict on one instance: its fields by quantity name, and the properties of its activation."""
        from depthlimit.theory.judgement import judge

        return judge(self, fields, properties)

    def bound(self, spec: Any) -> Bound:
        """The right side on an instance, enclosed, at its largest value over the grid. `spec`: a Spec or its JSON."""
        from depthlimit.theory.judgement import bound

        return bound(self, _SUPPLIER[0](spec))


_SUPPLIER: list[Callable[[Any], Mapping[str, Field]]] = []


def supply_with(supplier: Callable[[Any], Mapping[str, Field]]) -> None:
    """Tell `Claim.bound` how a spec becomes fields; models do so when they are imported."""
    _SUPPLIER[:] = [supplier]
