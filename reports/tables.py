"""Rows of the report's tables: verdicts, slopes, other verdicts than holds, constants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

import sympy as sp
from markupsafe import Markup

from depthlimit.reports import formulas, words
from depthlimit.reports.aggregate import Result, Run
from depthlimit.reports.records import Item, describe
from depthlimit.theory.claim import Claim
from depthlimit.theory.judgement import HOLDS
from depthlimit.theory.quantity import Quantity

Row = dict[str, Any]
REASONS = 5  # of each verdict, the most frequent first
_CHANGED = {"mu": r"\mu", "rate": r"-\ell'/\ell", "s0": "s_0", "K_sigma": r"K_\sigma"}
NARROW = 1e-5  # relative width up to which an enclosure is shown as one number


def cells(claim: Claim, entry: Item) -> Row:
    """Verdict, worst ratio, detectable factor and examples of a summary's entry."""
    worst = words.tightness(entry["log10_tightness"], entry["scale"])
    if claim.relation == "=" and entry["log10_tightness"] is not None:
        worst += Markup(' <span class="unit">of radii</span>')
    return {
        "claim": claim,
        "verdict": words.verdict(entry["verdict"], entry),
        "worst": worst,
        "factor": words.factor(entry["detectable_factor"]) if entry["examples"] else words.DASH,
        "examples": entry["examples"],
        "line": entry["line"],
    }


def row(result: Result) -> Row:
    """A claim as a line of a ladder."""
    return {**cells(result.claim, result.row), "attained": result.attained}


def rates(results: Iterable[Result], worst: bool = False) -> list[Row]:
    """Measured slopes with their intervals: all, or only the worst of each claim."""
    out = []
    for result in results:
        claimed = sp.sympify(result.claim.rhs)
        for line, item in result.rates:
            if worst and line != result.row["line"]:
                continue
            # Records hold the magnitudes of both sides; where they agree, their signs do.
            agree = item["verdict"] == HOLDS and (item["rhs"] or 0) > 0
            sign = "−" if agree and claimed.is_number and claimed.is_negative else ""
            out.append(
                {
                    "claim": result.claim,
                    "line": line,
                    "regime": item["regime"],
                    "sign": sign,
                    "lhs": "–" if item["lhs"] is None else words.minus(f"{item['lhs']:.6f}"),
                    "radius": words.number(item["lhs_radius"], 2),
                    "rhs": "–" if item["rhs"] is None else words.minus(f"{item['rhs']:g}"),
                    "verdict": words.verdict(item["verdict"]),
                }
            )
    return out


def other_verdicts(results: Iterable[Result]) -> list[Row]:
    """Records with another verdict than `holds`: how many, why, and their lines."""
    out = []
    for result in results:
        frequent = sorted(result.reasons.items(), key=lambda pair: (-pair[1], pair[0]))
        for verdict, total in result.row["verdicts"].items():
            if verdict == HOLDS:
                continue
            lines = result.lines[verdict]
            out.append(
                {
                    "claim": result.claim,
                    "verdict": words.verdict(verdict),
                    "count": total,
                    "lines": lines,
                    "more": total - len(lines),
                    "reasons": [(text, n) for (v, text), n in frequent if v == verdict][:REASONS],
                }
            )
    return out


def definitions(run: Run, vocabulary: Mapping[str, Quantity]) -> list[Row]:
    """Each symbol that some claim defines, with its definition and the labels that use it."""
    groups: dict[tuple[sp.Symbol, sp.Expr], list[str]] = {}
    for result in run.results.values():
        for symbol, expression in result.claim.where.items():
            groups.setdefault((symbol, sp.sympify(expression)), []).append(result.claim.label)
    return [
        {
            "formula": formulas.definition(symbol, expression, vocabulary),
            "meaning": vocabulary[symbol.name].meaning if symbol.name in vocabulary else "",
            "labels": list(dict.fromkeys(labels)),
        }
        for (symbol, expression), labels in groups.items()
    ]


def detectable(run: Run) -> list[Row]:
    """What could be detected: per certificate and quantity the smallest relative change that is noticed, and by which claims."""
    return [
        {
            "spec": f"{describe(table['spec'])}, {table['spec']['regime']['ball']} ball, fraction {table['spec']['regime']['fraction']:g}",
            "rows": [
                {
                    "symbol": formulas.inline(_CHANGED[row["name"]]),
                    "change": words.DASH if row["change"] is None else words.minus(f"{100 * row['change']:+.2g} %"),
                    "by": row["by"],
                }
                for row in table["rows"]
            ],
        }
        for table in run.identity.get("detectable") or ()
    ]


def constants(run: Run) -> list[Row]:
    """The constants on the instances of constants.json, by regime and rung, definitions and values ready to be shown."""
    out = []
    said = set[tuple[str, str]]()
    for table in run.constants:
        groups = groupby(table["constants"], key=lambda r: (r["item"], r["edition"], r["inputs"]))
        shown = [(", ".join(part for part in key if part), [_constant(r, said) for r in rows]) for key, rows in groups]
        out.append({"regime": table["regime"], "spec": describe(table["spec"]), "groups": shown})
    return out


def _constant(item: Item, said: set[tuple[str, str]]) -> Row:
    """A row of constants.json; an enclosure whose ends agree in the digits shown is one number. What has been `said` is left out."""
    low, high, scale = item["lower"], item["upper"], item["scale"]
    show = {"linear": lambda v: words.number(v, 6), "log10": words.power, "log10log10": words.tower}[scale]
    value = Markup("∞") if low is None and high is None and not item["reason"] else words.DASH
    if high is not None and low is not None:
        ends = list(dict.fromkeys((show(low), show(high))))
        value = show(low / 2 + high / 2) if len(ends) > 1 and abs(high - low) < NARROW * abs(high) else Markup(" … ").join(ends)
    bound = item["kind"] == "bound"
    right = f"= {item['definition_tex']}" if item["definition_tex"] else ""
    about = item["tex"], right or item["meaning"]
    new = about not in said
    said.add(about)
    return {
        "symbol": formulas.inline(item["tex"]),
        "label": item["name"] if bound else "",
        "definition": formulas.inline(right) if right and new else "",
        "meaning": item["meaning"] if new and not right else "",
        "value": item["reason"] or value,
        "lower": "∞" if low is None and value == "∞" else words.full(low),
        "upper": "∞" if high is None and not item["reason"] else words.full(high),
        "scale": Markup({"linear": "", "log10": "log<sub>10</sub><br>", "log10log10": "log<sub>10</sub>log<sub>10</sub><br>"}[scale]),
    }
