"""Where a bound loses: the decades of each step on one instance, one after the other, and what the results lose in all."""

from __future__ import annotations

import math
from collections.abc import Sequence

from depthlimit.reports import panels
from depthlimit.reports.aggregate import Run
from depthlimit.reports.chain import Loss, Waterfall
from depthlimit.reports.panels import Cells, Drawing
from depthlimit.reports.records import describe
from depthlimit.reports.words import number, power, rung

FRAME = 30.0  # decades; what reaches further is cut with an arrow, and given in words
ROW = 26  # pixels


def decades_text(loss: Loss) -> str:
    """A number of decades for a figure, which knows no superscripts of superscripts."""
    if loss.log10 < 3:
        return f"{loss.decades:.2g}".replace("-", "−")
    return f"10^{loss.log10:.5g}"


def draw(falls: Waterfall, run: Run, prefix: str) -> Drawing:
    """Bars of the steps, each from where the last one ended, then bars of the results from 0."""
    within = [sum(s.decades for s in falls.steps), *(e.decades for e in falls.totals)]
    frame = max([1.0, *(w * 1.05 for w in within if w <= FRAME)])
    rows = len(falls.steps) + len(falls.totals)
    panel = panels.Panel(
        height=43 + ROW * rows, left=11, x=(0, frame), y=(-0.35, rows - 0.3), upright=False, x_ticks=panels.numbers(0, frame)
    )
    panel.x_name = "decades lost: log₁₀ of bound over measured"
    at, table = 0.0, list[Cells]()
    for i, loss in enumerate((*falls.steps, *falls.totals)):
        step = i < len(falls.steps)
        start, y = (at if step else 0.0), rows - 1 - i
        end = start + loss.decades
        shown = [min(v, frame) for v in (start, end)]
        left, right = shown[0], max(shown[1], shown[0] + frame / 250)
        corners = [(left, y - 0.15), (left, y + 0.15), (right, y + 0.15), (right, y - 0.15)]
        panel.area(corners, 1 if step else 2, 0.8 if step else 1.4, opacity=0.35 if step else 0)
        if end > frame:
            panel.marks([(frame, y)], ">", 1 if step else 2, 5)
        claim = loss.result.claim
        sign = "+" if step else "="
        panel.text(0, y + 0.24, f"{sign} {decades_text(loss)}  {claim.label}: {rung(claim)}")
        at = end if step else at
        total = "" if not step else _power(math.log10(end) if 0 < end < math.inf else loss.log10 if end else -math.inf)
        table.append(("step" if step else "result", claim.id, _power(loss.log10), total))
    unit = run.units[falls.unit]
    title = f"Where {falls.label} loses"
    caption = f"{title}, on one instance: {describe(unit.spec)}; its records from line {unit.line}."
    header = ("part", "claim", "decades", "cumulated")
    return panel.drawing(prefix, title, caption, header, tuple(table))


def _power(log10: float) -> str:
    return number(0.0) if log10 == -math.inf else power(log10)


def gallery(falls: Sequence[Waterfall], run: Run) -> list[Drawing]:
    """One drawing per result."""
    return [draw(w, run, f"{w.label.replace('.', '-')}-waterfall") for w in falls]
