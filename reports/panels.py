"""One style for all figures: a small panel on a transparent ground, with few ticks and a key above it.

All values come as log10 and are drawn on linear axes with ticks of our own: bounds that are recorded as logarithms then share an axis
with what was measured. The panel is drawn by hand rather than with Matplotlib, whose axes, ticks, keys and clipping nothing here would use.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple, TypeVar

from markupsafe import Markup

from depthlimit.reports import svg

WIDTH, HEIGHT = 302.0, 187.0  # pixels of a figure: one column of a telephone, three of a desk
LEFT, BOTTOM, RIGHT, TOP, LINE = 50.0, 30.0, 9.0, 7.0, 12.6  # margins, and a line of the key
SIZE = 3.5  # of a mark
MARGIN = 0.05  # of the range of the data, left free on each side
POINTS = 200  # drawn per line
LINES = 4  # in a figure
MARKS = "os^DvP"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

Cells = tuple[str | Markup, ...]
Ticks = list[tuple[float, str]]
Span = tuple[float, float]
T = TypeVar("T")


@dataclass(frozen=True)
class Drawing:
    """A figure: its name, unique to the page, inline SVG, a caption, and its numbers."""

    name: str
    svg: Markup
    caption: str
    header: Cells
    rows: tuple[Cells, ...]

    def groups(self) -> list[list[Cells]]:
        """The rows by runs of an equal first cell, which need be said only once."""
        return [list(rows) for _, rows in groupby(self.rows, key=lambda row: row[0])]


class Look(NamedTuple):
    """Colour, dashes and mark of a line."""

    colour: int
    dash: str
    mark: str


def look(index: int, colour: int) -> Look:
    """That of the index-th line: told apart without colour."""
    return Look(colour, svg.DASHES[index % len(svg.DASHES)], MARKS[index % len(MARKS)])


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


def numbers(low: float, high: float) -> Ticks:
    """Ticks at round numbers."""
    return [(t, plain(t)) for t in steps(low, high)]


def decades(low: float, high: float) -> Ticks:
    """Ticks of a logarithmic axis: powers of ten, or 1, 2 and 5 times them on a short range."""
    if high - low >= 2.5:
        return [(t, f"10{str(int(t)).translate(_SUPERSCRIPT)}") for t in steps(low, high) if float(t).is_integer()]
    for factors in ((1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8)):
        values = [math.log10(f) + e for e in range(math.floor(low), math.ceil(high) + 1) for f in factors]
        ticks = [t for t in values if low - 1e-9 <= t <= high + 1e-9]
        if len(ticks) >= 3:
            break
    else:
        ticks = [math.log10(v) for v in steps(10.0**low, 10.0**high, 4) if v > 0]
    return [(t, plain(10.0**t)) for t in ticks]


def sizes(places: Sequence[float]) -> Ticks:
    """Ticks at sizes that are whole numbers, given as log10."""
    apart = 0.09 * (max(places) - min(places))
    marks: list[float] = []
    for place in sorted(set(places)):
        if not marks or place - marks[-1] >= apart:
            marks.append(place)
    return [(x, f"{10.0**x:.0f}") for x in marks]


def spread(values: Iterable[float]) -> Span:
    """The range of data with margins."""
    found = list(values)
    low, high = min(found), max(found)
    margin = MARGIN * (high - low or max(abs(low), 1.0))
    return low - margin, high + margin


@dataclass
class Panel:
    """Shapes in units of the data and texts, placed on pixels at the end. `x` and `y` default to the extent of the data."""

    height: float = HEIGHT
    left: float = LEFT
    x: Span | None = None
    y: Span | None = None
    x_ticks: Ticks = field(default_factory=list)
    y_ticks: Ticks = field(default_factory=list)
    x_name: str = ""
    y_name: str = ""
    upright: bool = True  # whether the axis of y is drawn
    _shapes: list[tuple[list[svg.Place | None], Callable[[list[svg.Place | None]], str]]] = field(default_factory=list)
    _texts: list[tuple[float, float, str]] = field(default_factory=list)
    _rules: list[tuple[bool, float, str]] = field(default_factory=list)
    _key: list[tuple[str, Look]] = field(default_factory=list)

    def _add(self, places: Iterable[svg.Place | None], draw: Callable[[list[svg.Place | None]], str]) -> None:
        self._shapes.append((list(places), draw))

    def path(self, places: Iterable[svg.Place | None], look: Look) -> None:
        """A line; interrupted where a place is None."""
        self._add(places, lambda at: svg.path(svg.polyline(at), look.colour, dash=look.dash))

    def series(self, places: Sequence[svg.Place | None], look: Look, label: str, every: int = 1) -> None:
        """A line with a mark at every `every`-th place, and a line in the key."""
        self.path(places, look)
        self.marks(places[::every], look.mark, look.colour)
        self._key.append((label, look))

    def marks(self, places: Iterable[svg.Place | None], shape: str, colour: int, size: float = SIZE) -> None:
        """A mark at each place."""
        self._add(places, lambda at: svg.marks(at, shape, size, colour))

    def segments(self, places: Iterable[svg.Place], colour: int, width: float = 1.0, opacity: float = 1.0) -> None:
        """Lines from the first place to the second, from the third to the fourth, ..."""
        self._add(places, lambda at: svg.path(svg.segments(at), colour, width, opacity=opacity))

    def area(self, places: Iterable[svg.Place | None], colour: int, width: float = 0.8, opacity: float = 0.3) -> None:
        """Polygons, apart where a place is None: filled lightly, or, with opacity 0, their outlines alone."""
        self._add(places, lambda at: svg.path(svg.polyline(at, close=True), colour, width, fill=opacity > 0, opacity=opacity or 1.0))

    def rule(self, value: float, upright: bool = False, dash: str = svg.DASHED) -> None:
        """A line across the frame."""
        self._rules.append((upright, value, dash))

    def text(self, x: float, y: float, words: str) -> None:
        """A text that starts at a place."""
        self._texts.append((x, y, words))

    def extent(self, axis: int) -> Span:
        """The range of what has been drawn so far, with margins; of x (0) or y (1)."""
        return spread(place[axis] for places, _ in self._shapes for place in places if place is not None)

    def drawing(self, name: str, title: str, caption: str, header: Cells, rows: Iterable[Cells]) -> Drawing:
        """The figure with its numbers; `name` is a prefix for ids, unique to the page."""
        keys = LINE * len(self._key) + (3.6 if self._key else 0.0)
        left, right, top, bottom = self.left, WIDTH - RIGHT, TOP + keys, self.height + LINE * len(self._key) - BOTTOM
        (x0, x1), (y0, y1) = self.x or self.extent(0), self.y or self.extent(1)

        def place(at: svg.Place) -> svg.Place:
            return left + (at[0] - x0) / (x1 - x0) * (right - left), bottom - (at[1] - y0) / (y1 - y0) * (bottom - top)

        columns = [(place((t, y0))[0], label) for t, label in self.x_ticks]
        levels = [(place((x0, t))[1], label) for t, label in self.y_ticks]
        n = svg.short
        grid = [f"M{n(x)} {n(top)}V{n(bottom)}" for x, _ in columns] + [f"M{n(left)} {n(y)}H{n(right)}" for y, _ in levels]
        axes = f"M{n(left)} {n(top)}V{n(bottom)}H{n(right)}" if self.upright else f"M{n(left)} {n(bottom)}H{n(right)}"
        axes += "".join(f"M{n(x)} {n(bottom)}v3" for x, _ in columns) + "".join(f"M{n(left)} {n(y)}h-3" for y, _ in levels)
        lines = [svg.path("".join(grid), svg.FAINT, 0.4)]
        lines += [draw([at and place(at) for at in places]) for places, draw in self._shapes]
        for upright, value, dash in self._rules:
            ends = [(value, y0), (value, y1)] if upright else [(x0, value), (x1, value)]
            lines.append(svg.path(svg.polyline([place(end) for end in ends]), svg.INK, 0.8, dash))
        lines.append(svg.path(axes, svg.INK, 0.6))
        starts = [svg.text(*place((x, y)), words) for x, y, words in self._texts]
        for i, (label, look) in enumerate(self._key):
            y = TOP + LINE * i
            lines.append(svg.path(f"M6 {n(y)}H30", look.colour, dash=look.dash))
            lines.append(svg.marks([(18, y)], look.mark, SIZE, look.colour))
            starts.append(svg.text(35, y + 3, label))
        middles = [svg.text(x, bottom + 13, label) for x, label in columns]
        middles.append(svg.text((left + right) / 2, bottom + BOTTOM - 3, self.x_name))
        labels = "".join(svg.text(left - 6, y + 3, label) for y, label in levels)
        if self.y_name:
            middle = n((top + bottom) / 2)
            middles.append(f'<text transform="translate(9 {middle})rotate(-90)">{self.y_name}</text>')
        texts = (("start", "".join(starts)), ("middle", "".join(middles)), ("end", labels))
        drawn = svg.document(name, title, (WIDTH, bottom + BOTTOM), "".join(lines), texts)
        return Drawing(name, drawn, caption, header, tuple(rows))
