"""One style for all figures: a small panel on a transparent ground, with few ticks and a key above it.

All values come as log10 and are drawn on linear axes with ticks of our own: bounds that are recorded as logarithms then share an axis
with what was measured, and drawing is several times faster than on log axes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple, TypeVar

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.transforms import Affine2D

from depthlimit.reports import svg

Place = tuple[float, float]
Cells = tuple[str | Markup, ...]
Ticks = list[tuple[float, str]]
Span = tuple[float, float]
Dash = str | tuple[int, tuple[int, ...]]
T = TypeVar("T")

WIDTH, HEIGHT = 302.0, 187.0  # points: one column of a telephone, three of a desk
LEFT, BOTTOM, RIGHT, TOP, LINE = 50.0, 30.0, 9.0, 7.0, 12.6  # margins, and a line of the key
SIZE, SMALL = 3.5, 8.5  # of a mark, and of letters within the frame and in the key
MARGIN = 0.05  # of the range of the data, left free on each side
DASHED, DOTTED = "--", ":"
DASHES: tuple[Dash, ...] = ("-", DASHED, "-.", DOTTED, (0, (6, 1, 1, 1, 1, 1)), (0, (1, 3)))
POINTS = 200  # drawn per line
LINES = 4  # in a figure
MARKS = "os^DvP"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


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
    dash: Dash
    mark: str


def look(index: int, colour: int) -> Look:
    """That of the index-th line: told apart without colour."""
    return Look(colour, DASHES[index % len(DASHES)], MARKS[index % len(MARKS)])


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
    """Axes, drawn on in units of the data; other sizes are in points. `x` and `y` default to the extent of what is drawn."""

    height: float = HEIGHT
    left: float = LEFT
    x: Span | None = None
    y: Span | None = None
    x_ticks: Ticks = field(default_factory=list)
    y_ticks: Ticks = field(default_factory=list)
    x_name: str = ""
    y_name: str = ""
    upright: bool = True  # whether the axis of y is drawn
    _figure: Figure = field(default_factory=Figure)
    _axes: Axes = field(init=False)
    _key: list[tuple[str, Look]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._axes = self._figure.add_axes((0.0, 0.0, 1.0, 1.0))
        for ground in (self._figure.patch, self._axes.patch):
            ground.set_visible(False)

    def _line(self, places: Iterable[Place | None], colour: int, **look: Any) -> None:
        at = [place or (math.nan, math.nan) for place in places]
        self._axes.plot([x for x, _ in at], [y for _, y in at], color=svg.colour(colour), **look)

    def path(self, places: Iterable[Place | None], look: Look, **where: Any) -> None:
        """A line; interrupted where a place is None."""
        self._line(places, look.colour, linestyle=look.dash, **where)

    def series(self, places: Sequence[Place | None], look: Look, label: str, every: int = 1) -> None:
        """A line with a mark at every `every`-th place, and a line in the key."""
        self.path(places, look)
        self.marks(places[::every], look.mark, look.colour)
        self._key.append((label, look))

    def marks(self, places: Iterable[Place | None], shape: str, colour: int, size: float = SIZE, **where: Any) -> None:
        """A mark at each place; a dot is the round ends of a line without length, a tenth of the bytes of a circle."""
        found = [place for place in places if place is not None]
        if shape == "o":
            twice = [end for place in found for end in (place, place, None)]
            self._line(twice, colour, linewidth=size + 1, solid_capstyle="round", **where)
        else:
            self._line(found, colour, linestyle="", marker=shape, markersize=size, **where)

    def segments(self, places: Sequence[Place], colour: int, width: float = 1.0, opacity: float = 1.0) -> None:
        """Lines from the first place to the second, from the third to the fourth, ..."""
        apart = [end for pair in zip(places[::2], places[1::2], strict=True) for end in (*pair, None)]
        self._line(apart, colour, linewidth=width, alpha=opacity)

    def area(self, places: Iterable[Place | None], colour: int, width: float = 0.8, opacity: float = 0.3) -> None:
        """Polygons, apart where a place is None: filled lightly, or, with opacity 0, their outlines alone."""
        runs = [[place for place in run if place] for gap, run in groupby(places, key=lambda place: place is None) if not gap]
        outline = Path.make_compound_path(*(Path([*run, run[0]], closed=True) for run in runs))
        fill = to_rgba(svg.colour(colour), opacity) if opacity else "none"
        self._axes.add_patch(PathPatch(outline, facecolor=fill, edgecolor=svg.colour(colour), linewidth=width))

    def rule(self, value: float, upright: bool = False, dash: Dash = DASHED) -> None:
        """A line across the frame."""
        draw = self._axes.axvline if upright else self._axes.axhline
        draw(value, color=svg.colour(svg.INK), linewidth=0.8, linestyle=dash)

    def text(self, x: float, y: float, words: str, **where: Any) -> None:
        """A text that starts, or is centred as `where` says, at a place."""
        self._axes.text(x, y, words, **{"fontsize": SMALL, **where})

    def extent(self, axis: int) -> Span:
        """The range of what has been drawn so far, with margins; of x (0) or y (1)."""
        low, high = self._axes.get_ylim() if axis else self._axes.get_xlim()
        return float(low), float(high)

    def drawing(self, name: str, title: str, caption: str, header: Cells, rows: Iterable[Cells]) -> Drawing:
        """The figure with its numbers; `name` is a prefix for ids, unique to the page."""
        axes, figure, height = self._axes, self._figure, self.height + LINE * len(self._key)
        top = height - TOP - LINE * len(self._key) - (3.6 if self._key else 0.0)
        figure.set_size_inches(WIDTH / 72, height / 72)
        axes.set_position((self.left / WIDTH, BOTTOM / height, (WIDTH - RIGHT - self.left) / WIDTH, (top - BOTTOM) / height))
        axes.set(xlim=self.x or self.extent(0), ylim=self.y or self.extent(1))
        axes.set_xticks([t for t, _ in self.x_ticks], labels=[label for _, label in self.x_ticks])
        axes.set_yticks([t for t, _ in self.y_ticks], labels=[label for _, label in self.y_ticks])
        axes.spines["left"].set_visible(self.upright)
        points = Affine2D().scale(1 / 72) + figure.dpi_scale_trans  # from the lower left corner of the figure
        for i, (label, look) in enumerate(self._key):
            y = height - TOP - LINE * i
            self.path([(6, y), (30, y)], look, transform=points)
            self.marks([(18, y)], look.mark, look.colour, transform=points)
            self.text(35, y - 3, label, transform=points)
        names: dict[str, Any] = {"ha": "center", "fontsize": svg.FONT, "transform": points}
        self.text((self.left + WIDTH - RIGHT) / 2, 3, self.x_name, **names)
        self.text(9, (top + BOTTOM) / 2, self.y_name, rotation=90, rotation_mode="anchor", **names)
        return Drawing(name, svg.to_markup(figure, name, title), caption, header, tuple(rows))
