"""Derivations: the right sides of proof lines and their constants, worked out again from the premises and compared by SymPy.

Numbers cannot see that a bound is too large; these demand equality, so that a line which is weakened by mistake (a factor 2, K for K₁, a
term too much) is noticed as surely as one that is too small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from random import Random

import sympy as sp

from depthlimit.conformance.derivations import (
    certificates,
    double,
    lemma21,
    limit_map,
    matrices,
    model,
    prop5_steps,
    prop7_steps,
    prop8_steps,
    prop9,
    prop11_steps,
    successive,
    theorem6,
)
from depthlimit.conformance.derivations.lines import Definitions, Lines
from depthlimit.theory import registry
from depthlimit.theory.claim import Claim
from depthlimit.theory.paper import prop7

Rule = Callable[[Lines], sp.Expr]
ITEMS = (
    "prop1",
    "prop2",
    "prop3",
    "prop5",
    "prop7",
    "prop8",
    "prop9",
    "prop11",
    "cor12",
    "cor13",
    "prop15",
    "averaged",
    "certificate",
    "lemma18",
    "lemma20",
    "lemma21",
    "remark1",
    "remark2",
    "remark3",
    "thm6",
    "eq55",
    "unclipped",
    "variational",
    "a5",
)

# what derives a label, or one edition of it: the rule for the right side, and the constants by the family that they belong to
_FAMILIES: tuple[tuple[dict[str, Rule], Callable[[Lines], Definitions]], ...] = (
    (
        {
            "prop7.gap": model.gap,
            "prop7.gap-rate": model.gap_rate,
            "prop3.gap": model.gap,
            **{f"{item}.norm-{block}": lambda line: prop7.M for item in ("prop7", "prop3") for block in "AZB"},
        },
        model.prop7_constants,
    ),
    ({"prop2.output": model.output, "prop2.state[sharpened]": model.state}, model.euler_constants),
    ({k: r for k, r in prop11_steps.RULES.items() if k.startswith("prop2")}, model.euler_constants),
    ({k: r for k, r in prop11_steps.RULES.items() if not k.startswith("prop2")}, prop11_steps.constants),
    (prop7_steps.RULES, prop7_steps.constants),
    (matrices.RULES, matrices.constants),
    (successive.RULES, successive.constants),
    (lemma21.RULES, lemma21.constants),
    (prop5_steps.RULES, prop5_steps.constants),
    (prop8_steps.RULES, prop8_steps.constants),
    (theorem6.RULES, theorem6.constants),
    (certificates.RULES, certificates.constants),
    (certificates.LONG, certificates.long_constants),
    (prop9.RULES, prop9.constants),
    (double.RULES, double.constants),
    (limit_map.RULES, limit_map.constants),
)
RULES: dict[str, tuple[Rule, Callable[[Lines], Definitions]]] = {
    key: (rule, constants) for rules, constants in _FAMILIES for key, rule in rules.items()
}
NOT_DERIVED: dict[str, str] = {
    **prop5_steps.NOT_DERIVED,
    **prop8_steps.NOT_DERIVED,
    **prop9.NOT_DERIVED,
    "prop8.long-left": "a level that was chosen, and no consequence of anything",
    "lemma20.laurent-massart": "cited: Lemma 1 of Laurent and Massart (2000); checked against the exact tail",
    "lemma20.linear[as-printed]": "rounded up by a factor 4 in the print; the edition explicit is derived",
    **dict.fromkeys(
        (f"lemma21.{name}[as-printed]" for name in ("chernoff", "half", "event", "product")),
        "false as printed; the corrected edition is derived",
    ),
    **dict.fromkeys(
        (f"lemma21.control-{name}" for name in ("narrow", "copies", "antipodal", "polynomial", "kernel")), "0, by a loss of rank"
    ),
    "lemma21.void": "1, beyond which a probability says nothing",
    "eq55.hadamard": "one term of a sum of positive matrices: cited, Schur's product theorem",
    "eq55.kernel[as-printed]": "half of what the proof yields; the edition sharpened is derived",
    "eq55.proxy": "1, by moments: derived in the tests of kernels",
    "lemma20.power": "a level that was chosen, and no consequence of anything",
    "prop2.rate": "a measured rate",
    **dict.fromkeys(("prop3.rate", *(f"thm6.rate-{name}" for name in ("ends", "Z", "h", "F"))), "a measured rate"),
    "prop3.norm-of-vector[as-printed]": "false as printed; the corrected edition is derived",
}


def scope() -> list[Claim]:
    """The claims of these items whose right side, with its constants put in, is more than one measured quantity."""
    return [c for c in registry.claims(*ITEMS) if not (c.rhs.is_Symbol and sp.sympify(c.where.get(c.rhs, c.rhs)).is_Symbol)]


def rule_for(claim: Claim) -> tuple[Rule, Callable[[Lines], Definitions]] | None:
    """How a claim is derived, or None."""
    return RULES.get(f"{claim.label}[{claim.edition}]", RULES.get(claim.label))


def reason_for(claim: Claim) -> str | None:
    """Why a claim is not derived, or None."""
    return NOT_DERIVED.get(f"{claim.label}[{claim.edition}]", NOT_DERIVED.get(claim.label))


def _points(symbols: Iterable[sp.Symbol]) -> Iterator[dict[sp.Symbol, sp.Expr]]:
    """Positive values, all different and of ordinary size, small or larger at random: maxima take each of their arguments somewhere."""
    names, random = sorted(symbols, key=str), Random(0)
    sizes = [sp.Rational(37 + 11 * i, 53 + 7 * i) for i in range(len(names))]
    yield dict(zip(names, (sp.Float(size, 60) for size in sizes), strict=True))
    for _ in range(12):
        yield {name: sp.Float(size * random.choice((1, sp.Rational(1, 1000), 3)), 60) for name, size in zip(names, sizes, strict=True)}


@cache
def equal(one: sp.Expr, other: sp.Expr) -> bool:
    """Symbolic equality of expressions in nonnegative symbols: refuted by a point, or else proved (RuntimeError if neither)."""
    if one == other:
        return True
    for point in _points(one.free_symbols | other.free_symbols):
        left, right = (sp.N(e.xreplace(point), 30) for e in (one, other))
        if abs(left - right) > sp.Float(10) ** -20 * (abs(left) + abs(right)):
            return False
    if sp.expand(one - other) == 0 or sp.simplify(one - other) == 0:
        return True
    raise RuntimeError(f"{one} and {other} agree at points, and SymPy cannot tell")


@cache
def _derived(key: str) -> tuple[Definitions, sp.Expr]:
    claim = registry.claims(key)[0]
    found = rule_for(claim)
    assert found is not None
    rule, constants = found
    line = Lines(claim)
    return constants(line), rule(line)


@cache
def _same(registered: sp.Expr, derived: sp.Expr) -> bool:
    """Equality with κ in full, for one sample."""
    one, other = (prop7_steps.samplewise(sp.sympify(e).xreplace(model.KAPPA)) for e in (registered, derived))
    return equal(one, other)


@cache
def _measured() -> frozenset[sp.Symbol]:
    return frozenset(quantity.symbol for quantity in registry.quantities().values())


def unequal(claim: Claim) -> set[str]:
    """What differs between a claim, or a mutant of it, and the derivation of its id: symbols of `where`, and "rhs".

    Definitions that are one measured quantity are transcription and not derived.
    """
    definitions, bound = _derived(claim.id)
    algebra = {symbol: value for symbol, value in claim.where.items() if value not in _measured()}
    wrong = {symbol.name for symbol, value in algebra.items() if not _same(value, definitions[symbol])}
    return wrong | (set() if _same(claim.rhs, bound) else {"rhs"})
