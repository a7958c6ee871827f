"""Measured and bound along an axis (t, L or k) of one instance: the measured line, and one line per rung.

A bound that lies so far above everything measured that drawing it would flatten the rest is named in the
caption instead. Against L the table adds the local slopes between successive depths.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from depthlimit.reports import panels
from depthlimit.reports.aggregate import Result
from depthlimit.reports.figures import name
from depthlimit.reports.panels import Cells, Drawing
from depthlimit.reports.records import Curve
from depthlimit.reports.svg import INK
from depthlimit.reports.words import DASH, number, power

OFF_SCALE = 12.0  # decades above everything measured
AXES = {"L": "depth L", "t": "time t", "k": "layer k"}

Values = tuple[float | None, ...]


def _logs(values: Values, scale: str) -> Values:
    """log10 of each value that has one."""
    if scale == "log10":
        return values
    return tuple(math.log10(v) if v is not None and 0 < v < math.inf else None for v in values)


def _signed(curves: Sequence[Curve]) -> bool:
    """Whether some value is negative, so that the axis must be linear."""
    sides = [side for c in curves if c.scale == "linear" for side in (c.lhs, c.rhs or ())]
    return any(v is not None and v < 0 for side in sides for v in side)


def _lines(
    curves: Sequence[Curve], results: Mapping[str, Result], signed: bool
) -> tuple[list[tuple[str, Values]], list[tuple[str, Values]], list[str]]:
    """Measured lines (equal ones once), bounds, and the bounds that are off the scale in words."""
    siblings = [results[c.claim] for c in curves]
    measured: list[tuple[str, Values]] = []
    bounds: list[tuple[str, Values]] = []
    off: list[str] = []
    for curve in curves:
        values = curve.lhs if signed else _logs(curve.lhs, curve.scale)
        if values not in [v for _, v in measured]:
            measured.append((f"measured, {name(results[curve.claim], siblings)}", values))
    if len(measured) == 1:
        measured = [("measured", measured[0][1])]
    top = max((v for _, values in measured for v in values if v is not None), default=0.0)
    for curve in curves:
        rung = name(results[curve.claim], siblings)
        if curve.scale == "log10log10":
            off.append(f"{rung} (a tower)")
            continue
        values = (curve.rhs or ()) if signed else _logs(curve.rhs or (), curve.scale)
        least = min((v for v in values if v is not None), default=None)
        if least is not None and not signed and least > top + OFF_SCALE:
            off.append(f"{rung} (at least 10^{least:.4g})")
        elif least is not None:
            bounds.append((rung, values))
    return measured, bounds[: panels.LINES], off


def _slopes(x: Sequence[float], y: Sequence[float | None]) -> list[str]:
    """Slope of y (log10) against log10 x from each point to the next; empty for the first."""
    out: list[str] = [""]
    for i in range(1, len(x)):
        a, b = y[i - 1], y[i]
        missing = a is None or b is None or x[i] == x[i - 1]
        out.append("–" if missing else f"{((b or 0) - (a or 0)) / math.log10(x[i] / x[i - 1]):.5f}")
    return [text.replace("-", "−") for text in out]


def measured_and_bound(curves: Sequence[Curve], results: Mapping[str, Result], prefix: str, origin: str = "") -> Drawing | None:
    """The curves share label, axis and instance and differ by rung; None if they have no line to draw."""
    first, signed = curves[0], _signed(curves)
    keep = panels.thin(range(len(first.x)))
    measured, bounds, off = _lines([c for c in curves if c.x == first.x], results, signed)
    lines = [(text, [values[i] for i in keep]) for text, values in (*measured, *bounds)]
    x = [first.x[i] for i in keep]
    if all(sum(v is not None for v in values) < 2 for _, values in lines):
        return None
    in_depth = first.axis == "L" and min(x) > 0
    place: Callable[[float], float] = math.log10 if in_depth else float
    panel = panels.Panel(x=panels.spread(map(place, x)))
    colours = [INK] * len(measured) + list(range(1, panels.LINES + 1))
    for i, (text, values) in enumerate(lines):
        places = [None if v is None else (place(a), v) for a, v in zip(x, values, strict=True)]
        panel.series(places, panels.look(i, colours[i]), text, every=max(1, len(keep) // 12))
    panel.y_ticks = (panels.numbers if signed else panels.decades)(*panel.extent(1))
    panel.x_ticks = panels.sizes(list(map(place, x))) if in_depth else panels.numbers(min(x), max(x))
    axis = AXES.get(first.axis, first.axis)
    panel.x_name = axis
    title = f"{results[first.claim].claim.label} along {axis}"
    caption = f"{title}, {f'{first.label}, ' if first.label else ''}instance {first.spec}{origin}."
    if off:
        caption += f" Above the frame: {'; '.join(off)}."
    form = number if signed else power
    table: list[Sequence[str]] = [[number(v, 6) for v in x]]
    table += [[DASH if v is None else form(v) for v in values] for _, values in lines]
    header: Cells = (axis, *(text for text, _ in lines))
    if in_depth and not signed:
        table.append(_slopes(x, lines[0][1]))
        header += ("local slope of the first",)
    return panel.drawing(prefix, title, caption, header, tuple(zip(*table, strict=True)))
