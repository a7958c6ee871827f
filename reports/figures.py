"""How far from its bound each claim of a statement stays: over all records, and against L, m, n and t.

Each figure comes with all its numbers as rows of a table, and nothing is drawn that is not in the table: the
records are summarised as a histogram, or as least, median and worst per size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from statistics import median

from depthlimit.reports import panels, svg
from depthlimit.reports.aggregate import Point, Result
from depthlimit.reports.panels import Cells, Drawing
from depthlimit.reports.words import number, power

BINS = 48
ROWS = 24  # histograms that a figure holds at most
COLUMNS = 14  # distinct sizes drawn one by one; more are gathered in bins of equal ratio
NO_POWER = -3.0  # log10 of the ratio below which the detectable factor exceeds 1000
KINDS = {
    "ratio": (
        "Ratio to the bound",
        "ratio measured/bound",
        "1 is the bound itself; left of 10⁻³ there is no power",
    ),
    "error": (
        "Error of the equalities",
        "|difference| over sum of radii",
        "beyond 1 an equality is violated",
    ),
    "tower": (
        "Ratio to the bounds that are towers",
        "x, the ratio being 10^(−10^x)",
        "smaller x is nearer to the bound",
    ),
}
SIZES = {"L": "depth L", "m": "width m", "n": "samples n", "t": "time t of the worst point"}


def name(result: Result, siblings: Iterable[Result]) -> str:
    """Label without the page's prefix, and the rung where the label has more than one."""
    claim = result.claim
    tail = claim.label.partition(".")[2] or claim.label
    rungs = [r for r in siblings if r.claim.label == claim.label]
    return tail if len(rungs) == 1 else f"{tail}: {claim.edition}, {claim.inputs}"


def kind(result: Result) -> str:
    """What a tightness means, a key of `KINDS`."""
    if result.claim.scale == "log10log10":
        return "tower"
    return "error" if result.claim.relation == "=" else "ratio"


def _iterated(shown: Sequence[Result], sort: str) -> bool:
    """Whether the exponents of towers span so much that they too are drawn by their logarithms."""
    values = [p.value for r in shown for p in r.points]
    return sort == "tower" and min(values) > 0 and max(values) > 100


def _range(values: Sequence[float], tower: bool) -> tuple[float, float]:
    high = max(values) if tower else max(*values, 0.0)
    low = min(*values, high - 0.5)
    margin = 0.03 * (high - low)
    return low - margin, high + margin


def distribution(results: Sequence[Result], sort: str, prefix: str) -> Drawing | None:
    """A histogram of log10 tightness per claim of that kind, one above the other on a common axis."""
    usable = [r for r in results if r.points and kind(r) == sort]
    if not usable:
        return None
    nearest = sorted(usable, key=lambda r: max(p.value for p in r.points) * (-1 if sort == "tower" else 1))[-ROWS:]
    shown = [r for r in usable if r in nearest]
    iterated = _iterated(shown, sort)
    drawn = [[math.log10(p.value) if iterated else p.value for p in r.points] for r in shown]
    low, high = _range([v for values in drawn for v in values], sort == "tower")
    edges = [low + i * (high - low) / BINS for i in range(BINS + 1)]
    panel = panels.Panel(height=47 + 33 * len(shown), left=11, x=(low, high), y=(-0.25, len(shown) - 0.02), upright=False)
    form = number if sort == "tower" and not iterated else power
    outlines: list[panels.Place | None] = []
    floors: list[panels.Place] = []
    worst: list[panels.Place] = []
    rows: list[Cells] = []
    for floor, result, values in zip(reversed(range(len(shown))), shown, drawn, strict=True):
        counts = [0] * BINS
        for value in values:
            counts[min(int((value - low) / (high - low) * BINS), BINS - 1)] += 1
        tops = [floor, *(floor + 0.5 * c / max(counts) for c in counts), floor]
        outlines += [(edge, top) for edge, pair in zip(edges, pairwise(tops), strict=True) if pair[0] != pair[1] for top in pair]
        outlines.append(None)
        floors += [(low, floor), (high, floor)]
        worst.append((min(values) if sort == "tower" else max(values), floor - 0.07))
        panel.text(low, floor + 0.54, name(result, results))
        rows += [(result.claim.id, form(edges[i]), str(c)) for i, c in enumerate(counts) if c]
    panel.area(outlines, 1)
    panel.segments(floors, 1, 0.8)
    panel.marks(worst, "^", svg.INK, 4)
    title, panel.x_name, remark = KINDS[sort]
    panel.x_ticks = (panels.numbers if sort == "tower" and not iterated else panels.decades)(low, high)
    if sort != "tower":
        panel.rule(0.0, upright=True)
    if sort == "ratio" and low < NO_POWER:
        panel.rule(NO_POWER, upright=True, dash=panels.DOTTED)
    caption = f"{title}, over all records that have one; ▲ marks the worst. Here {remark}."
    if len(usable) > len(shown):
        caption += f" The {len(shown)} nearest of {len(usable)} are drawn."
    unit, first = ("", "x from") if sort == "tower" else (" decades", "from")
    caption += f" A bin spans {(high - low) / BINS:.3g}{unit if form is power else ''}."
    return panel.drawing(prefix, title, caption, ("claim", first, "records"), tuple(rows))


def columns(points: Sequence[Point], at: str) -> list[tuple[float, list[float]]]:
    """Values by size: one column per distinct size, or per bin of equal ratio if there are many."""
    table: dict[float, list[float]] = {}
    for point in points:
        size = getattr(point, at)
        if size is not None:
            table.setdefault(float(size), []).append(point.value)
    if len(table) <= COLUMNS:
        return sorted(table.items())
    if min(table) <= 0:
        return [(x, table[x]) for x in panels.thin(sorted(table))]
    low, width = math.log(min(table)), (math.log(max(table)) - math.log(min(table))) / COLUMNS
    merged: dict[int, list[float]] = {}
    for size, values in sorted(table.items()):
        merged.setdefault(min(int((math.log(size) - low) / width), COLUMNS - 1), []).extend(values)
    return [(math.exp(low + (b + 0.5) * width), values) for b, values in sorted(merged.items())]


def against(results: Sequence[Result], at: str, prefix: str) -> Drawing | None:
    """Ratios against L, m, n or t: bars from least to worst, dashes at medians, lines through the worst."""
    usable = [(r, columns(r.points, at)) for r in results if r.points and kind(r) == "ratio"]
    usable = [(r, found) for r, found in usable if len(found) > 3]  # three sizes show no trend
    usable.sort(key=lambda pair: -max(p.value for p in pair[0].points))
    shown = usable[: panels.LINES]
    if not shown:
        return None
    place: Callable[[float], float] = float if at == "t" else math.log10
    places = sorted({place(x) for _, found in shown for x, _ in found})
    panel = panels.Panel(x_name=SIZES[at], y_name="measured/bound")
    apart = 0.008 * (places[-1] - places[0])  # so that bars of several claims at one size stay visible
    rows: list[Cells] = []
    for i, (result, found) in enumerate(shown):
        x = [place(size) + (i - (len(shown) - 1) / 2) * apart for size, _ in found]
        worst, middle, least = ([f(v) for _, v in found] for f in (max, median, min))
        panel.segments([end for a, *ends in zip(x, least, worst, strict=True) for end in ((a, ends[0]), (a, ends[1]))], i + 1, opacity=0.55)
        panel.marks(zip(x, middle, strict=True), "_", i + 1, 5)
        panel.series(list(zip(x, worst, strict=True)), panels.look(i, i + 1), name(result, results))
        rows += [
            (result.claim.id, number(size), power(a), power(b), power(c), str(len(values)))
            for (size, values), a, b, c in zip(found, worst, middle, least, strict=True)
        ]
    low, high = panel.extent(1)
    if high > -1.5:  # near enough for the bound itself to be in the frame
        high = max(high, 0.08)
        panel.rule(0.0)
    panel.y = low, high
    panel.y_ticks = panels.decades(low, high)
    panel.x_ticks = panels.numbers(places[0], places[-1]) if at == "t" else panels.sizes(places)
    title = f"Ratio against {SIZES[at]}"
    caption = f"{title}: bars from least to worst, dashes at the median, lines through the worst."
    if len(usable) > len(shown):
        left_out = len(usable) - len(shown)
        caption += f" The {len(shown)} claims nearest to their bounds; {left_out} more are not drawn."
    header = ("claim", at, "worst", "median", "least", "records")
    return panel.drawing(prefix, title, caption, header, tuple(rows))
