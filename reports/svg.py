"""The few shapes that figures are made of, as SVG text: small, themed by the page's style sheet, and silent under a strict content policy.

Colours are numbers: 0 is the ink, `FAINT` the grid, 1, 2, ... the series, classes s1, s2, ... (stroke) and f1, f2, ... (fill) of the
style sheet. There are no inline styles (a policy such as that of Jenkins ignores them) and no ids but those of title and description.
Points are in pixels from the upper left, written to a tenth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby

from markupsafe import Markup, escape

INK, FAINT = 0, -1
SERIES = 6
DASHES = ("", "4.4 1.9", "7.7 1.9 1.2 1.9", "1.2 2", "7.2 1.2 1.2 1.2 1.2 1.2", "1.2 3.6")  # solid, dashed, dash-dot, dotted, two more
DASHED, DOTTED = DASHES[1], DASHES[3]

Place = tuple[float, float]


def short(value: float) -> str:
    """A coordinate to a tenth."""
    return f"{round(value, 1) + 0.0:g}"


def polyline(places: Sequence[Place | None], close: bool = False) -> str:
    """A path through the places, interrupted, or closed and begun anew, where one is None; places within a level stretch are left out."""
    out: list[str] = []
    for gap, run in groupby(places, key=lambda place: place is None):
        at = [] if gap else [(short(place[0]), short(place[1])) for place in run if place]
        kept = at[:1] + [b for a, b, c in zip(at, at[1:], at[2:], strict=False) if not a[1] == b[1] == c[1]] + at[1:][-1:]
        for i, (x, y) in enumerate(kept):
            before = kept[i - 1] if i else ("", "")
            out.append(f"M{x} {y}" if not i else f"V{y}" if x == before[0] else f"H{x}" if y == before[1] else f"L{x} {y}")
        out += ["z"] if close and kept else []
    return "".join(out)


def segments(places: Sequence[Place | None]) -> str:
    """A path from the first place to the second, from the third to the fourth, ..."""
    pairs = zip(places[::2], places[1::2], strict=True)
    return "".join(polyline(pair) for pair in pairs)


_MARKS: dict[str, tuple[Place, Callable[[str, str], str]]] = {  # where the pen starts, in half sizes, and its way, by half and whole size
    "o": ((0, 0), lambda r, d: "h0"),  # the round end of a line without length, as wide as the mark
    "s": ((-1, -1), lambda r, d: f"h{d}v{d}h-{d}z"),
    "^": ((0, -1), lambda r, d: f"l{r} {d}h-{d}z"),
    "D": ((0, -1), lambda r, d: f"l{r} {r}-{r} {r}-{r}-{r}z"),
    "v": ((0, 1), lambda r, d: f"l{r}-{d}h-{d}z"),
    "P": ((-1, 0), lambda r, d: f"h{d}m-{r}-{r}v{d}"),
    "X": ((-1, -1), lambda r, d: f"l{d} {d}m0-{d}l-{d} {d}"),
    ">": ((1, 0), lambda r, d: f"l-{d} {r}v-{d}z"),
    "_": ((-1, 0), lambda r, d: f"h{d}"),
    "|": ((0, -1), lambda r, d: f"v{d}"),
}


def marks(places: Sequence[Place | None], shape: str, size: float, colour: int) -> str:
    """A <path> of marks, one at each place: o s ^ D v P X > _ |."""
    (right, down), way = _MARKS[shape]
    half = round(size / 2, 1)
    drawn = way(short(half), short(2 * half))
    d = "".join(f"M{short(p[0] + right * half)} {short(p[1] + down * half)}{drawn}" for p in places if p is not None)
    return path(d, colour, size + 1 if shape == "o" else 1.0, fill=shape in "s^Dv>", round_ends=shape == "o")


def path(
    d: str, colour: int, width: float = 1.2, dash: str = "", fill: bool = False, opacity: float = 1.0, round_ends: bool = False
) -> str:
    """A <path>, stroked, and filled with the same colour where asked, then as light as `opacity`; nothing to draw gives nothing."""
    if not d:
        return ""
    own = "0" if colour == FAINT else str(colour)
    classes = ["s" + own] if colour else []
    classes += ["f" + own] if colour and fill else []
    given = {
        "class": " ".join(classes),
        "fill": "currentColor" if fill and not colour else "",
        "stroke-width": "" if width == 1.2 else f"{width:g}",
        "stroke-dasharray": dash,
        "stroke-linecap": "round" if round_ends else "",
        ("fill-opacity" if fill else "stroke-opacity"): "" if opacity == 1.0 else f"{opacity:g}",
    }
    said = "".join(f' {key}="{value}"' for key, value in given.items() if value)
    return f'<path{said} d="{d}"/>'


def text(x: float, y: float, words: str) -> str:
    """A line of text on the base line `y`."""
    return f'<text x="{short(x)}" y="{short(y)}">{escape(words)}</text>'


def document(name: str, title: str, size: Place, lines: str, texts: Sequence[tuple[str, str]]) -> Markup:
    """The <svg>: paths, then texts by anchor. Its title has the id `name`-title; its description is the caption, of the id `name`-desc."""
    groups = "".join(f'<g text-anchor="{anchor}">{inside}</g>' for anchor, inside in texts if inside)
    said = f'<title id="{name}-title">{escape(title)}</title>'
    labelled = f'role="img" aria-labelledby="{name}-title {name}-desc"'
    return Markup(
        f'<svg viewBox="0 0 {short(size[0])} {short(size[1])}" {labelled} fill="currentColor" font-size="9">{said}'
        f'<g fill="none" stroke="currentColor" stroke-width="1.2">{lines}</g>{groups}</svg>'
    )
