"""Constants: the numbers that the claims define, listed and enclosed. Nothing is defined here: all is read off the claims.

A constant is a symbol that some claim defines in `where`, a number of the instance or of its run that such a definition uses, a supremum
of the activation, or a bound that is one number. It is enclosed on the first of the scales linear, log10, log10log10 that holds it.
`CONSTANTS_SCHEMA` is a JSON Schema 2020-12 of a list of tables, one per instance.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sympy as sp
from flint import arb

from depthlimit.theory.activation import constants as suprema
from depthlimit.theory.claim import Claim
from depthlimit.theory.enclosure import evaluate, log_evaluate
from depthlimit.theory.hermite import coefficients
from depthlimit.theory.quantity import Field, Quantity
from depthlimit.theory.typeset import tex_of

SCALES = ("linear", "log10", "log10log10")
KINDS = ("activation", "quantity", "definition", "bound")
INPUTS = ("a-priori", "along-trajectory")  # instantaneous ones are not one number
LARGEST, LARGEST_LOG = 1e300, 1e10  # what is above the first is shown by its log10, what is above 10^second by the log10 of that
_MEANINGS = {"M_sigma": ("M_\\sigma", "sup|σ|"), "K_sigma": ("K_\\sigma", "sup|σ'|"), "S2": ("S_2", "sup|σ''|")}

_ROW = {
    "name": {"type": "string"},
    "kind": {"enum": list(KINDS)},
    "tex": {"type": "string"},
    "meaning": {"type": "string", "description": "of a supremum or a Hermite coefficient its certificate"},
    "definition": {"type": "string", "description": "SymPy; empty for what is not defined by others"},
    "definition_tex": {"type": "string"},
    "item": {"type": "string"},
    "page": {"type": ["integer", "null"]},
    "edition": {"type": "string"},
    "inputs": {"type": "string"},
    "claims": {"type": "array", "items": {"type": "string"}},
    "scale": {"enum": list(SCALES)},
    "lower": {"type": ["number", "null"], "description": "null: nothing is known (with a reason)"},
    "upper": {"type": ["number", "null"], "description": "null: infinite, or nothing is known (with a reason)"},
    "reason": {"type": "string"},
}
CONSTANTS_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "depthlimit constants",
    "type": "array",
    "items": {
        "type": "object",
        "additionalProperties": False,
        "required": ["regime", "spec", "constants"],
        "properties": {
            "regime": {"type": "string"},
            "spec": {"type": "object"},
            "constants": {
                "type": "array",
                "items": {"type": "object", "additionalProperties": False, "required": list(_ROW), "properties": _ROW},
            },
        },
    },
}


@dataclass
class Constant:
    """A symbol (or the label of a bound), its expression if it has one, and the claims that use it."""

    name: str
    kind: str
    claim: Claim
    expression: sp.Expr | None
    users: list[str]


def enclose(expression: sp.Expr, fields: Mapping[str, Field], where: Mapping[sp.Symbol, sp.Expr]) -> tuple[str, float, float]:
    """Scale, lower and upper end of an expression that is one number; ends are rounded outward, and infinite where nothing holds them."""
    ball = evaluate(expression, fields, where)
    lo, hi = float(ball.lo.max()), float(ball.hi.max())
    if hi < LARGEST and (lo > 1 / LARGEST or hi == 0 or not _positive(expression, where)):
        return "linear", lo, hi
    numbers = {s.name: (float(fields[s.name].values), float(fields[s.name].radius)) for s in _leaves(expression, where)}
    try:
        low, high = (end / arb(10).log() for end in log_evaluate(expression, numbers, where))
    except (TypeError, ValueError):  # a difference has no logarithm
        return "linear", lo, hi
    if not low.is_finite():
        return "linear", math.inf if low > 0 else lo, hi
    if not low > LARGEST_LOG:
        return ("log10", *_outward(low, high))
    return ("log10log10", *_outward(low.log() / arb(10).log(), high.log() / arb(10).log()))


def _outward(low: arb, high: arb) -> tuple[float, float]:
    return math.nextafter(float(low.lower()), -math.inf), math.nextafter(float(high.upper()), math.inf)


def _leaves(expression: sp.Expr, where: Mapping[sp.Symbol, sp.Expr]) -> set[sp.Symbol]:
    """The symbols that an expression depends on and that nothing defines."""
    free = sp.sympify(expression).free_symbols
    return {leaf for s in free for leaf in (_leaves(where[s], where) if s in where else {s})}


def _positive(expression: sp.Expr, where: Mapping[sp.Symbol, sp.Expr]) -> bool:
    """Whether no difference hides in the expression, so that it has a logarithm unless it is 0."""
    free = sp.sympify(expression)
    return not any(a.could_extract_minus_sign() for a in sp.preorder_traversal(free) if isinstance(a, sp.Mul | sp.Number)) and all(
        _positive(where[s], where) for s in free.free_symbols if s in where
    )


def listed(claims: Iterable[Claim], vocabulary: Mapping[str, Quantity]) -> list[Constant]:
    """The constants of claims, in their order; one that several claims define alike is listed once."""
    found: dict[Any, Constant] = {}

    def add(key: Any, name: str, kind: str, claim: Claim, expression: sp.Expr | None) -> None:
        entry = found.setdefault(key, Constant(name, kind, claim, expression, []))
        if claim.id not in entry.users:
            entry.users.append(claim.id)

    for claim in claims:
        for symbol, expression in _scalars(claim, vocabulary):
            for leaf in sorted(_leaves(expression, claim.where), key=lambda s: s.name):
                add(leaf.name, leaf.name, "quantity", claim, None)
            add((symbol, _closure(symbol, claim)), symbol.name, "definition", claim, expression)
        if claim.relation != "=" and not claim.rhs.is_Atom and _one_number(claim.rhs, claim, vocabulary):
            for leaf in sorted(_leaves(claim.rhs, claim.where), key=lambda s: s.name):
                add(leaf.name, leaf.name, "quantity", claim, None)
            add(claim.id, claim.label, "bound", claim, claim.rhs)
    return list(found.values())


def _one_number(expression: sp.Expr, claim: Claim, vocabulary: Mapping[str, Quantity]) -> bool:
    return all(not vocabulary[name].axes for name in claim.names(expression))


def _scalars(claim: Claim, vocabulary: Mapping[str, Quantity]) -> Iterator[tuple[sp.Symbol, sp.Expr]]:
    """The definitions of a claim that are one number."""
    for symbol, expression in claim.where.items():
        if _one_number(expression, claim, vocabulary):
            yield symbol, sp.sympify(expression)


def _closure(symbol: sp.Symbol, claim: Claim) -> frozenset[tuple[sp.Symbol, sp.Expr]]:
    """All definitions that a symbol rests on: what tells apart symbols of one letter."""
    seen: dict[sp.Symbol, sp.Expr] = {}
    pending = [symbol]
    while pending:
        s = pending.pop()
        if s in claim.where and s not in seen:
            seen[s] = sp.sympify(claim.where[s])
            pending += seen[s].free_symbols
    return frozenset(seen.items())


def row(constant: Constant, fields: Mapping[str, Field], vocabulary: Mapping[str, Quantity]) -> dict[str, Any]:
    """A constant as JSON, enclosed on these fields; what cannot be measured has a reason and no ends."""
    claim, expression = constant.claim, constant.expression
    quantity = vocabulary.get(constant.name)
    symbol = quantity.symbol if quantity else next((s for s in claim.where if s.name == constant.name), None)
    scale, ends, reason = "linear", (math.nan, math.nan), ""
    try:
        scale, *ends = enclose(symbol if expression is None else expression, fields, claim.where)  # type: ignore[assignment]
    except Exception as error:  # a run may fail in many ways; the other constants can still be listed
        reason = f"{type(error).__name__}: {error}"
    return {
        "name": constant.name,
        "kind": constant.kind,
        "tex": tex_of(claim.lhs if symbol is None else symbol, vocabulary),
        "meaning": claim.meaning if constant.kind == "bound" else quantity.meaning if quantity else "",
        "definition": "" if expression is None else str(expression),
        "definition_tex": "" if expression is None else tex_of(expression, vocabulary),
        "item": claim.source.item,
        "page": claim.source.page,
        "edition": claim.edition,
        "inputs": claim.inputs,
        "claims": constant.users,
        "scale": scale,
        "lower": _finite(ends[0]),
        "upper": _finite(ends[1]),
        "reason": reason,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def activation_rows(name: str, a: float, b: float) -> list[dict[str, Any]]:
    """The suprema of σ(u) = a φ(b u) and its Hermite coefficients, with their certificates."""
    known = {key: (*_MEANINGS[key], "Section 3", 3, found) for key, found in suprema(name, a, b).items()}
    for r, found in enumerate(coefficients(name, a, b)):
        known[f"eta_{r}"] = (rf"\eta_{{{r}}}(\sigma)", f"E σ(g)h_{r}(g)", "Section B", 31, found)
    return [
        {
            **dict.fromkeys(_ROW, ""),
            **{"name": key, "kind": "activation", "tex": tex, "meaning": f"{meaning}: {found.certificate}", "page": page, "claims": []},
            **{"item": item, "scale": "linear", "lower": _finite(found.lo), "upper": _finite(found.hi)},
        }
        for key, (tex, meaning, item, page, found) in known.items()
    ]
