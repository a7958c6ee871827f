"""One style for all figures: a small panel on a transparent ground, with few ticks and a key above it.

All values come as log10 and are drawn on linear axes with ticks of our own: bounds that are recorded as
logarithms then share an axis with what was measured, and drawing is several times faster than on log axes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from depthlimit.reports.svg import FAINT, INK

WIDTH, HEIGHT = 4.2, 2.6  # inches: one column of a telephone, three of a desk
LEFT, BOTTOM, RIGHT, TOP, LINE = 0.7, 0.42, 0.12, 0.1, 0.175  # inches: margins, and a line of the key
SIZE, SMALL = 9.0, 8.5  # points
POINTS = 200  # drawn per line
LINES = 4  # in a figure
DASHES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 3)))
MARKERS = ("o", "s", "^", "D", "v", "P")
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

Key = list[tuple[str, dict[str, Any]]]
Cells = tuple[str | Markup, ...]
T = TypeVar("T")


@dataclass(frozen=True)
class Drawing:
    """A figure: inline SVG, a caption, and its numbers."""

    svg: Markup
    caption: str
    header: Cells
    rows: tuple[Cells, ...]


def thin(items: Sequence[T], limit: int = POINTS) -> list[T]:
    """At most `limit` of the items, evenly spread, first and last kept."""
    if len(items) <= limit:
        return list(items)
    return [items[round(i * (len(items) - 1) / (limit - 1))] for i in range(limit)]


def steps(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers within [low, high], at most `most` + 1 of them."""
    span = max(high - low, 1e-9)
    unit = 10.0 ** math.floor(math.log10(span / most))
    step = next(unit * f for f in (1, 2, 5, 10, 20) if span / (unit * f) <= most)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def plain(value: float) -> str:
    """A tick label."""
    return f"{value:.3g}".replace("-", "−")


def numbers(set_ticks: Callable[..., object], low: float, high: float) -> None:
    """Ticks at round numbers."""
    ticks = steps(low, high)
    set_ticks(ticks, labels=[plain(t) for t in ticks])


def decades(set_ticks: Callable[..., object], low: float, high: float) -> None:
    """Ticks of a logarithmic axis: powers of ten, or 1, 2 and 5 times them on a short range."""
    if high - low >= 2.5:
        ticks = [t for t in steps(low, high) if float(t).is_integer()]
        set_ticks(ticks, labels=[f"10{str(int(t)).translate(_SUPERSCRIPT)}" for t in ticks])
        return
    for factors in ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8)):
        values = [math.log10(f) + e for e in range(math.floor(low), math.ceil(high) + 1) for f in factors]
        ticks = [t for t in values if low - 1e-9 <= t <= high + 1e-9]
        if len(ticks) >= 3:
            break
    else:
        ticks = [math.log10(v) for v in steps(10.0**low, 10.0**high, 4) if v > 0]
    set_ticks(ticks, labels=[plain(10.0**t) for t in ticks])


def sizes(set_ticks: Callable[..., object], places: Sequence[float]) -> None:
    """Ticks at sizes that are whole numbers, given as log10."""
    apart = 0.09 * (max(places) - min(places))
    marks: list[float] = []
    for place in sorted(set(places)):
        if not marks or place - marks[-1] >= apart:
            marks.append(place)
    set_ticks(marks, labels=[f"{10.0**x:.0f}" for x in marks])


def style(index: int, colour: str) -> dict[str, Any]:
    """Dashes and marker of the index-th line: told apart without colour."""
    return {
        "color": colour,
        "linestyle": DASHES[index % len(DASHES)],
        "marker": MARKERS[index % len(MARKERS)],
        "linewidth": 1.2,
        "markersize": 3.5,
    }


def panel(height: float = HEIGHT, left: float = LEFT, keys: int = 0) -> tuple[Figure, Axes]:
    """A figure with one axes; room for `keys` lines is made above it."""
    top = TOP + LINE * keys + (0.05 if keys else 0.0)
    height += LINE * keys
    figure = Figure(figsize=(WIDTH, height))
    box = (left / WIDTH, BOTTOM / height, 1 - (left + RIGHT) / WIDTH, 1 - (BOTTOM + top) / height)
    axes = figure.add_axes(box)
    figure.patch.set_visible(False)
    axes.patch.set_visible(False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set(color=INK, linewidth=0.6)
    axes.tick_params(labelsize=SIZE, length=3, width=0.6, colors=INK)
    axes.grid(True, color=FAINT, linewidth=0.4)
    axes.set_axisbelow(True)
    return figure, axes


def name_axes(figure: Figure, x: str, y: str = "") -> None:
    """Labels of both axes, at fixed places: Matplotlib's own are laid out after all ticks, which is slow."""
    box, height = figure.axes[0].get_position(), figure.get_figheight()
    look: dict[str, Any] = {"fontsize": SIZE, "color": INK, "ha": "center"}
    figure.text((box.x0 + box.x1) / 2, 0.04 / height, x, **look)
    if y:
        figure.text(0.09 / WIDTH, (box.y0 + box.y1) / 2, y, rotation=90, va="center", **look)


def draw_key(figure: Figure, lines: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
    """One line per series above the axes; several times faster than a legend, which lays itself out."""
    height = figure.get_figheight()
    for i, (label, look) in enumerate(lines):
        y = 1 - (TOP + LINE * i) / height
        figure.add_artist(Line2D([0.02, 0.06, 0.10], [y, y, y], **{**look, "markevery": [1]}))
        figure.text(0.115, y, label, fontsize=SMALL, color=INK, va="center_baseline")
