"""A statement's page as plain values and ready-made Markup for the templates.

A statement is a label prefix (`prop7`) and gets a page; a label (`prop7.gap`) gets a section of it; a claim
is a rung of the label's ladder and gets a row. Everything is in the order of the registry.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy as sp
from markupsafe import Markup, escape

from depthlimit.reports import figures, formulas, tables, words
from depthlimit.reports.aggregate import DATA, Result, Run, time_of
from depthlimit.reports.curves import AXES, measured_and_bound
from depthlimit.reports.panels import Drawing
from depthlimit.reports.records import Curve, describe
from depthlimit.theory.claim import Claim, Role
from depthlimit.theory.quantity import Quantity
from depthlimit.theory.typeset import tex_of

View = dict[str, Any]

RESERVED = ("index", "constants", "differences", "faults", "glossary", "implementation", "proofs")  # pages of the report itself
SHOWN_SPEC = 2000  # characters; a longer spec holds inline arrays and stands in records.jsonl


@dataclass(frozen=True)
class Statement:
    """A page: the results whose labels share a prefix."""

    prefix: str
    title: str
    source: str
    results: tuple[Result, ...]

    @property
    def file(self) -> str:
        """The page's name."""
        return f"{self.prefix}{'-statement' if self.prefix in RESERVED else ''}.html"

    def labels(self) -> dict[str, list[Result]]:
        """Its results by label."""
        out: dict[str, list[Result]] = {}
        for result in self.results:
            out.setdefault(result.claim.label, []).append(result)
        return out


_TITLES = {
    **{"eq": "Equation ({})", "prop": "Proposition {}", "thm": "Theorem {}", "cor": "Corollary {}", "lemma": "Lemma {}"},
    **{"section": "Section {}", "a": "Appendix A.{}", "appendixE": "Appendix E", "fig": "Figure {}"},
}


def statements(run: Run) -> list[Statement]:
    """The statements of the registry; titled by the paper's item where it is theirs alone, else by prefix."""
    groups: dict[str, list[Result]] = {}
    for result in run.results.values():
        groups.setdefault(result.claim.label.partition(".")[0], []).append(result)
    items = {prefix: list(dict.fromkeys(r.claim.source.item for r in rs)) for prefix, rs in groups.items()}
    shared = Counter(item for found in items.values() for item in found)
    out = []
    for prefix, results in groups.items():
        alone = len(items[prefix]) == 1 and shared[items[prefix][0]] == 1
        title = items[prefix][0] if alone else _TITLES.get(prefix.rstrip("0123456789"), prefix.rstrip("0123456789") + " {}")
        number = re.sub(r"^\D+", "", prefix)
        title = title.format(".".join(number) if prefix.startswith("section") else number).strip()
        out.append(Statement(prefix, title[0].upper() + title[1:], ", ".join(items[prefix]), tuple(results)))
    return out


def overview(page: Statement) -> list[Drawing]:
    """The figures about all claims of a statement."""
    drawn = [figures.distribution(page.results, kind, f"{page.prefix}-{kind}") for kind in figures.KINDS]
    drawn += [figures.against(page.results, at, f"{page.prefix}-against-{at}") for at in figures.SIZES]
    return [d for d in drawn if d]


def _printed(results: Sequence[Result]) -> list[View]:
    """The statement as printed, and as typeset for other editions where they differ."""
    groups: dict[str, list[Claim]] = {}
    for result in results:
        groups.setdefault(result.claim.tex, []).append(result.claim)
    out = []
    for tex, claims in groups.items():
        in_print = [c for c in claims if c.edition == "as-printed" and c.source.page is not None]
        source = str((in_print or claims)[0].source)
        editions = dict.fromkeys(c.edition for c in claims)
        out.append(
            {
                "title": "As printed" if in_print else "As stated here",
                "source": source if in_print else ", ".join([*editions, source]),
                "formula": formulas.from_tex(tex),
            }
        )
    return out


Hypothesis = tuple[Markup, Markup | None]  # text, and the formula that is evaluated; without one, a property of the activation


@dataclass(frozen=True)
class Shared:
    """What a page says once and its sections refer to, filled by them."""

    meanings: dict[tuple[Any, ...], int] = field(default_factory=dict)  # of definitions: their numbers
    definitions: dict[int, tuple[str, str]] = field(default_factory=dict)  # by meaning: the label and the rung that it is stated for
    hypotheses: dict[Hypothesis, int] = field(default_factory=dict)  # their numbers
    instances: dict[tuple[str, str], View] = field(default_factory=dict)  # of worst cases, by description and spec: a number, and lines


def _meanings(where: Mapping[sp.Symbol, Any], numbers: dict[tuple[Any, ...], int]) -> dict[sp.Symbol, int]:
    """A number per symbol, the same for definitions that are the same in all that they use; `numbers` holds those given so far."""
    out: dict[sp.Symbol, int] = {}

    def number(symbol: sp.Symbol) -> int:
        if symbol not in out:
            expression = sp.sympify(where[symbol])
            inner = (number(s) for s in sorted(expression.free_symbols & where.keys(), key=str))
            out[symbol] = numbers.setdefault((symbol, expression, *inner), len(numbers))
        return out[symbol]

    return {symbol: number(symbol) for symbol in where}


def _computed(label: str, results: Sequence[Result], vocabulary: Mapping[str, Quantity], shared: Shared) -> list[View]:
    """The expressions that are evaluated, with their definitions; rungs with the same ones share a view.

    A page states a definition once: `above` holds, by label and rung, the symbols of those that it has stated already.
    """
    groups: dict[tuple[Any, ...], list[Claim]] = {}
    for result in results:
        c = result.claim
        groups.setdefault((c.lhs, c.relation, c.rhs, tuple(c.where.items())), []).append(c)
    out = []
    for claims in groups.values():
        new, above = list[Markup](), dict[tuple[str, str], list[Markup]]()
        where, here = claims[0].where, (label, words.rung(claims[0]))
        for symbol, meaning in _meanings(where, shared.meanings).items():
            said = shared.definitions.setdefault(meaning, here)
            if said == here:
                new.append(formulas.definition(symbol, where[symbol], vocabulary))
            else:
                above.setdefault(said, []).append(formulas.inline(tex_of(symbol, vocabulary)))
        rungs = "; ".join(words.rung(c) for c in claims)
        out.append({"rungs": rungs, "formula": formulas.computed(claims[0], vocabulary), "where": new, "above": above})
    return out


def _hypotheses(results: Sequence[Result], vocabulary: Mapping[str, Quantity], shared: Shared) -> list[int]:
    """The numbers of the hypotheses, each of which a page states once."""
    found = list[Hypothesis]()
    for c in {c.text: c for r in results for c in r.claim.hypotheses}.values():
        left, right = (tex_of(side, vocabulary) for side in (c.lhs, c.rhs))
        found.append((formulas.prose(c.text), formulas.inline(f"{left} {formulas.RELATIONS[c.relation]} {right}")))
    if needs := sorted({n for r in results for n in r.claim.needs}):
        found.append((escape(f"the activation is {', '.join(needs)}"), None))
    return sorted(shared.hypotheses.setdefault(h, len(shared.hypotheses) + 1) for h in found)


def _json(spec: Mapping[str, Any]) -> Markup:
    """A spec as JSON; what is too long is cut."""
    text = json.dumps(spec, ensure_ascii=False)
    shown = text if len(text) <= SHOWN_SPEC else text[:SHOWN_SPEC] + " … (the rest is in records.jsonl)"
    return Markup(str(escape(shown)).replace("&#34;", '"'))  # five bytes each, and no need in a text


def _radius(value: float | None) -> Markup:
    return Markup("") if value is None else Markup("<br>± ") + words.number(value, 2)


def _worst_case(result: Result) -> View | None:
    """The worst record with 17 digits, where it lies, and how to replay it."""
    item = result.worst
    if item is None:
        return None
    t = time_of(item)
    where = [
        f"{axis} {index}" + (f" (t = {t:g})" if axis == "time" and t is not None else "")
        for axis, index in item["where"].items()
        if index is not None
    ]
    return {
        "lhs": words.full_side(item["lhs"], item["scale"]),
        "lhs_radius": _radius(item["lhs_radius"]),
        "relation": {"<=": "≤", ">=": "≥", "=": "="}[result.claim.relation],
        "rhs": words.full_side(item["rhs"], item["scale"]),
        "rhs_radius": _radius(item["rhs_radius"]),
        "verdict": item["verdict"],
        "where": ", ".join(where) or "one value",
        "instance": f"{item['regime']}: {describe(item['spec'])}",
        "spec": _json(item["spec"]),
    }


def _richness(group: Mapping[str, Curve]) -> tuple[int, int]:
    return len(group), sum(len(curve.x) for curve in group.values())


def _curves(run: Run, label: str, ladder: bool) -> list[Drawing]:
    """Per axis the instance with most rungs and, of those, most points; and one of real data if there is one.

    A label with one rung has no ladder to show: one figure does.
    """
    groups: dict[tuple[str, bool, str], dict[str, Curve]] = {}
    for curve in run.curves:
        if run.results[curve.claim].claim.label == label and curve.axis in AXES:  # errors stand on the page of the implementation
            groups.setdefault((curve.axis, curve.origin == DATA, curve.spec), {}).setdefault(curve.claim, curve)
    chosen: dict[tuple[str, bool], dict[str, Curve]] = {}
    for (axis, real, _), group in groups.items():
        if _richness(group) > _richness(chosen.get((axis, real), {})):
            chosen[axis, real] = group
    drawn = [
        measured_and_bound(
            list(group.values()),
            run.results,
            f"{label.replace('.', '-')}-{axis}{'-data' if real else ''}",
            ", of real data" if real else "",
        )
        for (axis, real), group in sorted(chosen.items())[: None if ladder else 1]
    ]
    return [d for d in drawn if d]


def _ladder(results: Sequence[Result], shared: Shared) -> list[View]:
    """A row per rung, with its worst case; a page has the spec of each once, under a number."""
    out = []
    for result in results:
        case = _worst_case(result)
        row = {**tables.row(result), "case": case}
        if case:
            key = case["instance"], case["spec"]
            instance = shared.instances.setdefault(key, {"number": len(shared.instances) + 1, "lines": []})
            instance["lines"].append(row["line"])
            row["instance"] = instance["number"]
        out.append(row)
    return out


def sections(run: Run, page: Statement, vocabulary: Mapping[str, Quantity], shared: Shared) -> list[View]:
    """One view per label of a statement; what they share is put into `shared`."""
    planted = (run.identity.get("faults") or {}).get("faults") or {}
    return [
        {
            "label": label,
            "first": results[0].claim,
            "rungs": len(results),
            "printed": _printed(results),
            "computed": _computed(label, results, vocabulary, shared),
            "hypotheses": _hypotheses(results, vocabulary, shared),
            "regimes": sorted({regime for r in results for regime in r.claim.regimes}),
            "premises": list(dict.fromkeys(p for r in results for p in r.claim.premises)),
            "tools": list(dict.fromkeys(str(r.claim.tool) for r in results if r.claim.tool)),
            "notes": list(dict.fromkeys(r.claim.note for r in results if r.claim.note)),
            "ladder": _ladder(results, shared),
            "curves": [] if all(r.claim.role == Role.STEP for r in results) else _curves(run, label, len(results) > 1),
            "rates": tables.rates(results),
            "others": tables.other_verdicts(results),
            "faults": {name: fault["meaning"] for name, fault in planted.items() if any(r.claim.id in fault["caught_by"] for r in results)},
        }
        for label, results in page.labels().items()
    ]
