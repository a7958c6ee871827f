"""Matplotlib's SVG made fit for a page: small, themed by the page's style sheet, and silent under a strict content policy.

What Matplotlib has drawn is written again, shapes before texts. Shapes of one look become one path, at the place of the first of them,
in tenths of a point and relative steps, a mark at each point of a line spelt out; black becomes the text's colour, and the colours of
`colour` the classes s1, s2, ... (stroke) and f1, f2, ... (fill) of the style sheet. There are no inline styles (a policy such as that
of Jenkins ignores them), no clip paths, for nothing is drawn beyond its frame, and no ids but the title's. The same figure gives the
same bytes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from itertools import groupby, pairwise
from typing import Any
from xml.etree import ElementTree

from markupsafe import Markup, escape
from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK, FAINT = 0, -1
SERIES = 6
WIDTH, FONT = 1.2, 9  # points: of a line and of letters, unless they say otherwise
_BLACK, _FAINT = "#000000", "#0000e0"
_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))
_RC: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.unicode_minus": True,
    "font.size": FONT,
    "grid.color": _FAINT,
    "grid.linewidth": 0.4,
    "lines.linewidth": WIDTH,
    "svg.fonttype": "none",
    "svg.hashsalt": "depthlimit",
    "text.parse_math": False,
    **{f"{axis}tick.{key}": value for axis in "xy" for key, value in (("labelsize", FONT), ("major.size", 3), ("major.width", 0.6))},
}

Step = tuple[int, int]  # tenths of a point


@contextmanager
def defaults() -> Iterator[None]:
    """Draw within this: Matplotlib's own defaults and ours, whatever the user's configuration says."""
    with rc_context():
        rcdefaults()
        rcParams.update(_RC)
        yield


def colour(number: int) -> str:
    """The colour that stands for ink (0), the grid (`FAINT`), or a series (1, 2, ...)."""
    return _FAINT if number == FAINT else f"#0000f{number}" if number else _BLACK


_CLASSES = {colour(FAINT): "0", **{colour(i): str(i) for i in range(1, SERIES + 1)}}


def _short(tenths: int) -> str:
    """A number of points without what SVG does not need."""
    return re.sub(r"^(-?)0\.", r"\1.", f"{tenths / 10:g}")


def _tenths(value: str | float) -> int:
    return round(10 * float(value))


def _walk(steps: list[Step]) -> str:
    """Relative steps: level and upright ones by their length, those that go on in such a direction as one, and none that stays."""
    out = []
    moves = [step for step in steps if step != (0, 0)] or steps[:1]
    for (level, upright, _), run in groupby(moves, key=lambda s: (s[1] == 0, s[0] == 0, sum(s) > 0)):
        if level or upright:
            length = sum(sum(step) for step in run)
            out.append(f"{'h' if level else 'v'}{_short(length)}")
        else:
            out.append("l" + " ".join(f"{_short(x)} {_short(y)}" for x, y in run))
    return "".join(out)


def _runs(d: str) -> list[tuple[Step, str]]:
    """Where the pen starts, and its way from there, for each part of a path; of straight lines, for curves are none of ours."""
    if set(d) & set("CQ"):
        raise ValueError(f"a curve in a figure: {d}")
    runs = []
    for part in re.findall("M[^M]*", d):
        places = [(_tenths(x), _tenths(y)) for x, y in re.findall(r"[ML] (\S+) (\S+)", part)]
        steps = [(x - a, y - b) for (a, b), (x, y) in pairwise(places)]
        closed = "z" in part
        if closed and places[-1] == places[0]:
            steps = steps[:-1]
        runs.append((places[0], _walk(steps) + "z" * closed))
    return runs


def _rules(element: ElementTree.Element) -> dict[str, str]:
    pairs = (rule.partition(":") for rule in element.get("style", "").split(";"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _look(rules: Mapping[str, str], closed: bool) -> str:
    """Classes and presentation attributes in place of a style, without what the group of all shapes says."""
    width = rules.get("stroke-width", "1")  # Matplotlib leaves out a width of 1, and a black fill
    said = {
        "class": " ".join(f"{key[0]}{_CLASSES[rules[key]]}" for key in ("stroke", "fill") if rules.get(key) in _CLASSES),
        "fill": "currentColor" if closed and rules.get("fill", _BLACK) == _BLACK else "",
        "stroke-width": "" if float(width) == WIDTH else width,
        "stroke-dasharray": " ".join(_short(_tenths(v)) for v in rules.get("stroke-dasharray", "").split(",") if v),
        "stroke-linecap": rules.get("stroke-linecap", "").replace("square", ""),  # half a width longer, of axes and grid
        **{key: rules.get(key, "") for key in ("fill-opacity", "stroke-opacity")},
    }
    return "".join(f' {key}="{value}"' for key, value in said.items() if value)


def _letters(text: ElementTree.Element) -> str:
    """Anchor and size as attributes, without what the figure says."""
    anchor = _rules(text).get("text-anchor", "start").replace("start", "")
    size = re.findall(r"([\d.]+)px", text.get("style", ""))[0]
    return f' text-anchor="{anchor}"' * bool(anchor) + f' font-size="{size}"' * (float(size) != FONT)


def _read(tree: ElementTree.Element) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Paths and texts by look."""
    shapes, texts = defaultdict[str, list[str]](list), defaultdict[str, list[str]](list)
    marks: dict[str, list[tuple[Step, str]]] = {}
    for element in tree.iter():
        tag = element.tag.removeprefix(_SVG)
        if tag == "text":
            x, y = (_short(_tenths(element.attrib[key])) for key in "xy")
            angle = element.get("transform", "").removeprefix("rotate(").partition(" ")[0]
            turned = "" if angle.strip("-") in ("", "0") else f' transform="rotate({angle} {x} {y})"'
            texts[_letters(element)].append(f'<text x="{x}" y="{y}"{turned}>{escape(element.text or "")}</text>')
        elif tag == "path" and "id" in element.attrib:
            marks["#" + element.attrib["id"]] = _runs(element.get("d", ""))
        elif tag in ("path", "use"):
            right, down = (_tenths(element.get(key, "0")) for key in "xy")
            runs = marks[element.attrib[_HREF]] if tag == "use" else _runs(element.get("d", ""))
            closed = any(way.endswith("z") for _, way in runs)
            shapes[_look(_rules(element), closed)] += [f"M{_short(right + a)} {_short(down + b)}{way}" for (a, b), way in runs]
    return shapes, texts


def to_markup(figure: Figure, name: str, title: str) -> Markup:
    """The figure as an inline <svg>. Its title has the id `name`-title; its description is the caption, of the id `name`-desc."""
    out = StringIO()
    FigureCanvasSVG(figure).print_svg(out, metadata=_NO_METADATA)  # type: ignore[no-untyped-call]
    tree = ElementTree.fromstring(out.getvalue())
    shapes, texts = _read(tree)
    box = " ".join(_short(_tenths(v)) for v in tree.get("viewBox", "").split())
    paths = "".join(f'<path{look} d="{re.sub(" -", "-", "".join(ways))}"/>' for look, ways in shapes.items() if ways)
    groups = "".join(f"<g{look}>{''.join(lines)}</g>" for look, lines in texts.items())
    return Markup(
        f'<svg viewBox="{box}" role="img" aria-labelledby="{name}-title {name}-desc" fill="currentColor" font-size="{FONT}">'
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<g fill="none" stroke="currentColor" stroke-width="{WIDTH:g}">{paths}</g>{groups}</svg>'
    )
