"""Certificates in units of μ: the smallest ratio of the PL condition that was found, and ratios and loss rates of every draw.

Tightness of these claims is μ over what was measured, so that its inverse is what is shown; below 1 the claim would be violated.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from depthlimit.reports import words
from depthlimit.reports.aggregate import Run
from depthlimit.theory.claim import Tool

_BALLS = {
    "sup": ("certificate", ""),
    "averaged": ("averaged", ""),
    "spectral": ("averaged", "spectral-"),
    "stacked": ("averaged", "stacked-"),
}
Row = dict[str, Any]


def least(run: Run) -> list[Row]:
    """Per edition the smallest ratio to μ that the adversary found, and the line of its record."""
    searched = [r for r in run.results.values() if r.claim.label.startswith("adversary.") and r.claim.tool is Tool.SUPREMUM]
    return [
        {
            "label": r.claim.label,
            "edition": r.claim.edition,
            "source": r.claim.source,
            "ratio": words.number(10.0 ** -r.row["log10_tightness"]),
            "line": r.row["line"],
        }
        for r in searched
        if r.row["log10_tightness"] is not None
    ]


def draws(run: Run) -> list[Row]:
    """Per ball, shape and fraction, in ascending order over the draws: the ratio found by search, at points tried, and the loss rate."""
    rows = []
    for ball, (item, kind) in _BALLS.items():
        labels = (f"adversary.{'' if item == 'certificate' else kind or 'averaged-'}pl", f"{item}.{kind}pl", f"{item}.{kind}rate")
        found = [_by_shape(run, label, ball) for label in labels]
        for shape in sorted(set().union(*found)):
            columns = [sorted(column[shape]) for column in found]
            cells = [", ".join(words.number(v, 2) for v in column) or words.DASH for column in columns]
            rows.append({"ball": ball, "shape": shape, "draws": max(map(len, columns)), "cells": cells})
    return rows


def _by_shape(run: Run, label: str, ball: str) -> dict[tuple[Any, ...], list[float]]:
    """Inverse tightness by (n, d, q, m, fraction), of certificates with n > d for the labels of the data, as large as they may be."""
    out = defaultdict(list)
    for point in (p for r in run.results.values() if r.claim.label == label for p in r.points):
        spec = run.units[point.unit].spec
        regime = spec["regime"]
        wanted = {"kind": "local-pl", "ball": ball, "labels": "given", "excess": 1}
        if all(regime.get(key) == value for key, value in wanted.items()) and spec["n"] > spec["d"]:
            out[*(spec[k] for k in "ndqm"), regime["fraction"]].append(10.0**-point.value)
    return out
