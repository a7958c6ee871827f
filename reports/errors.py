"""What the page of an implementation draws: its errors in units of what is allowed, by quantity, and along the layers or times."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from depthlimit.reports import panels
from depthlimit.reports.curves import AXES
from depthlimit.reports.panels import Cells, Drawing
from depthlimit.reports.records import Curve
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
    panel = panels.Panel(height=45 + 13.7 * len(margins), left=108, y=(-0.7, len(margins) - 0.3), x_name="error / tolerance")
    rows: list[Cells] = []
    for floor, row in zip(reversed(range(len(margins))), margins, strict=True):
        middle, worst = _log(row["median"]), _log(row["worst"])
        colour = 2 if row["worst"] > 1 else 1
        panel.segments([(middle, floor), (worst, floor)], colour, 1.4)
        panel.marks([(middle, floor)], "|", colour, 7)
        panel.marks([(worst, floor)], "X" if row["worst"] > 1 else "o", colour, 4.5)
        panel.y_ticks.append((floor, " ".join(dict.fromkeys((row["method"], row["quantity"])))))
        numbers = (number(row[key], 2) for key in ("median", "worst"))
        rows.append((row["method"], row["quantity"], *numbers, str(row["records"]), str(row["exact"])))
    low, high = panel.extent(0)
    panel.x = min(low, -1.0), max(high, 0.1)
    panel.x_ticks = panels.decades(*panel.x)
    panel.rule(0.0, upright=True)
    title = "Errors by quantity"
    caption = f"{title}, over all instances and states: from the median (bar) to the largest (dot; a cross beyond 1, where a claim fails)."
    header = ("method", "quantity", "median", "largest", "records", "to the last bit")
    return panel.drawing("errors-by-quantity", title, caption, header, tuple(rows))


def along(curve: Curve, label: str, whole: bool) -> Drawing:
    """The errors of one claim along the layers or times of one instance; `whole`: what is allowed is of all layers together."""
    values = [0.0 if v is None else v for v in curve.lhs]
    keep = panels.thin(range(len(values)))
    axis = AXES[curve.axis.removeprefix(ERRORS)]
    panel = panels.Panel(height=144, x_name=axis, y_name="share / tolerance" if whole else "error / tolerance")
    places = [(curve.x[i], _log(values[i])) for i in keep]
    look = panels.look(0, 1)
    panel.path(places, look)
    panel.marks(places[:: max(1, len(keep) // 16)], look.mark, look.colour)
    low, high = panel.extent(1)
    low, high = min(low, -0.3), max(high, 0.3)
    panel.y = low - 0.05 * (high - low), high + 0.05 * (high - low)
    panel.rule(0.0)
    panel.y_ticks = panels.decades(*panel.y)
    panel.x_ticks = panels.numbers(min(curve.x), max(curve.x))
    wrong = [x for x, v in zip(curve.x, values, strict=True) if v > 1]
    what, most = axis.split()[0], curve.x[values.index(max(values))]
    where = f"shares of an error that is too large in all, the largest at {what} {most:g}"
    if wrong:
        where = f"beyond 1 first at {what} {wrong[0]:g}, at {len(wrong)} of {len(values)} {what}s, most at {what} {most:g}"
    title = f"{label} along {axis}"
    caption = f"{title}: {where}. Instance {curve.spec}, {curve.label}."
    rows = tuple((number(curve.x[i], 6), DASH if curve.lhs[i] is None else power(_log(values[i])) if values[i] else "0") for i in keep)
    return panel.drawing(f"errors-{label.replace('.', '-')}", title, caption, (axis, "error / tolerance"), rows)


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
