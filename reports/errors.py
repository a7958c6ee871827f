"""What the page of an implementation draws: its errors in units of what is allowed, by quantity, and along the layers or times."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from depthlimit.reports import panels
from depthlimit.reports.curves import AXES
from depthlimit.reports.panels import Cells, Drawing
from depthlimit.reports.records import Curve
from depthlimit.reports.svg import INK, SERIES, to_markup
from depthlimit.reports.words import DASH, number, power

FIGURES = 12  # claims whose errors are drawn, causes first
ERRORS = "errors-"  # before the axis of a curve of errors
_LEAST = 1e-6  # errors below are drawn there: they are zeros of rounding


def _log(value: float) -> float:
    return math.log10(max(value, _LEAST))


def by_quantity(margins: Sequence[Mapping[str, Any]]) -> Drawing | None:
    """A line per quantity of an answer, from the median of its errors to the largest."""
    if not margins:
        return None
    figure, axes = panels.panel(height=0.62 + 0.19 * len(margins), left=1.5)
    rows: list[Cells] = []
    names = [" ".join(dict.fromkeys((row["method"], row["quantity"]))) for row in margins]
    for floor, row in zip(reversed(range(len(margins))), margins, strict=True):
        middle, worst = _log(row["median"]), _log(row["worst"])
        colour = SERIES[1] if row["worst"] > 1 else SERIES[0]
        axes.plot([middle, worst], [floor, floor], color=colour, linewidth=1.4)
        axes.plot([middle], [floor], marker="|", markersize=7, color=colour)
        axes.plot([worst], [floor], marker="X" if row["worst"] > 1 else "o", markersize=4.5, color=colour)
        numbers = (number(row[key], 2) for key in ("median", "worst"))
        rows.append((row["method"], row["quantity"], *numbers, str(row["records"]), str(row["exact"])))
    low, high = axes.get_xlim()
    low, high = min(low, -1.0), max(high, 0.1)
    axes.set_xlim(low, high)
    panels.decades(axes.set_xticks, low, high)
    axes.axvline(0.0, color=INK, linewidth=0.8, linestyle="--")
    axes.set_ylim(-0.7, len(margins) - 0.3)
    axes.set_yticks(range(len(margins)), labels=list(reversed(names)))
    panels.name_axes(figure, "error / tolerance")
    title = "Errors by quantity"
    caption = f"{title}, over all instances and states: from the median (bar) to the largest (dot; a cross beyond 1, where a claim fails)."
    header = ("method", "quantity", "median", "largest", "records", "to the last bit")
    return Drawing(to_markup(figure, "errors-by-quantity", title, caption), caption, header, tuple(rows))


def along(curve: Curve, label: str, whole: bool) -> Drawing:
    """The errors of one claim along the layers or times of one instance; `whole`: what is allowed is of all layers together."""
    values = [0.0 if v is None else v for v in curve.lhs]
    keep = panels.thin(range(len(values)))
    figure, axes = panels.panel(height=2.0)
    look = panels.style(0, SERIES[0]) | {"markevery": max(1, len(keep) // 16)}
    axes.plot([curve.x[i] for i in keep], [_log(values[i]) for i in keep], **look)
    low, high = axes.get_ylim()
    low, high = min(low, -0.3), max(high, 0.3)
    low, high = low - 0.05 * (high - low), high + 0.05 * (high - low)
    axes.set_ylim(low, high)
    axes.axhline(0.0, color=INK, linewidth=0.8, linestyle="--")
    panels.decades(axes.set_yticks, low, high)
    panels.numbers(axes.set_xticks, min(curve.x), max(curve.x))
    axis = AXES[curve.axis.removeprefix(ERRORS)]
    panels.name_axes(figure, axis, "share / tolerance" if whole else "error / tolerance")
    wrong = [x for x, v in zip(curve.x, values, strict=True) if v > 1]
    what, most = axis.split()[0], curve.x[values.index(max(values))]
    where = f"shares of an error that is too large in all, the largest at {what} {most:g}"
    if wrong:
        where = f"beyond 1 first at {what} {wrong[0]:g}, at {len(wrong)} of {len(values)} {what}s, most at {what} {most:g}"
    title = f"{label} along {axis}"
    caption = f"{title}: {where}. Instance {curve.spec}, {curve.label}."
    rows = tuple((number(curve.x[i], 6), DASH if curve.lhs[i] is None else power(_log(values[i])) if values[i] else "0") for i in keep)
    return Drawing(to_markup(figure, f"errors-{label.replace('.', '-')}", title, caption), caption, (axis, "error / tolerance"), rows)


def of_failures(claims: Sequence[str], curves: Sequence[Curve]) -> list[Drawing]:
    """A figure per claim: along the layers if it has any, on the instance with most of them."""
    out = []
    for claim in claims:
        own = [c for c in curves if c.claim == claim and c.axis.startswith(ERRORS)]
        if own:
            best = max(own, key=lambda c: (c.axis.endswith("k"), len(c.x)))
            label = claim.partition("[")[0]
            out.append(along(best, label, best.axis.endswith("k") and label.endswith(("flow-V", "flow-W"))))
    return out[:FIGURES]
