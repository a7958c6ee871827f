"""Matplotlib's SVG made fit for a page: small, themed by the page's style sheet, and silent under a strict
content policy.

Style attributes are turned into presentation attributes and classes (a policy without inline styles, such as
that of Jenkins, ignores the former), black becomes `currentColor`, the marker colours of `SERIES` become the
classes s1, s2, ... (stroke) and f1, f2, ... (fill), fonts are inherited, ids are made unique to the figure or
dropped, and <title> and <desc> are put first. The same figure gives the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any
from xml.etree import ElementTree
from zlib import crc32

from markupsafe import Markup
from matplotlib import rc_context, rcdefaults, rcParams
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK = "#000000"
FAINT = "#0000e0"
SERIES = tuple(f"#0000f{i}" for i in range(1, 7))
_CLASSES = {FAINT: "0", **{colour: str(i) for i, colour in enumerate(SERIES, start=1)}}
_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_KEPT = {
    "stroke-width",
    "stroke-dasharray",
    "stroke-linecap",
    "text-anchor",
    "fill-opacity",
    "opacity",
    "stroke-opacity",
    "font-size",
}
_COORDINATES = {"d", "x", "y", "transform", "width", "height", "viewBox"}
_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))
_RC: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "depthlimit",
    "axes.unicode_minus": True,
    "path.simplify": False,
}


@contextmanager
def defaults() -> Iterator[None]:
    """Draw within this: Matplotlib's own defaults and ours, whatever the user's configuration says."""
    with rc_context():
        rcdefaults()
        rcParams.update(_RC)
        yield


def _restyle(element: ElementTree.Element) -> None:
    classes = []
    for rule in element.attrib.pop("style", "").split(";"):
        name, _, value = (part.strip() for part in rule.partition(":"))
        if name in ("fill", "stroke"):
            if value in _CLASSES:
                classes.append(name[0] + _CLASSES[value])
            else:
                element.set(name, "currentColor" if value == INK else value)
        elif name == "font":
            element.set("font-size", value.split("px")[0].split()[-1])
        elif name in _KEPT:
            element.set(name, value.removesuffix("px"))
    if classes:
        element.set("class", " ".join(classes))
    if element.tag == "text" and re.fullmatch(r"rotate\(-?0 .*\)", element.get("transform", "")):
        del element.attrib["transform"]


def _prune(parent: ElementTree.Element) -> None:
    """Drop what is empty, and groups that say nothing: what they hold takes their place."""
    kept = list[ElementTree.Element]()
    for child in parent:
        _prune(child)
        if child.tag == "g" and set(child.attrib) <= {"id"}:
            kept += child
        elif child.tag not in ("metadata", "style") and (child.tag != "defs" or len(child)):
            kept.append(child)
    parent[:] = kept


def _rename(tree: ElementTree.Element, name: str) -> None:
    """Ids that are used, made short (a figure may use them a thousand times) and its own."""
    used: dict[str, str] = {}
    prefix = f"f{crc32(name.encode()):x}"
    for element in tree.iter():
        href = element.attrib.pop(_HREF, None)
        if href:
            element.set("href", "#" + used.setdefault(href[1:], f"{prefix}-{len(used)}"))
        clip = element.get("clip-path")
        if clip:
            element.set("clip-path", f"url(#{used.setdefault(clip[5:-1], f'{prefix}-{len(used)}')})")
    for element in tree.iter():
        before = element.attrib.pop("id", None)
        if before in used:
            element.set("id", used[before])


def to_markup(figure: Figure, name: str, title: str, description: str) -> Markup:
    """The figure as an inline <svg>; `name` is a prefix for ids, unique to the page."""
    out = StringIO()
    FigureCanvasSVG(figure).print_svg(out, metadata=_NO_METADATA)  # type: ignore[no-untyped-call]
    tree = ElementTree.fromstring(out.getvalue())
    for element in tree.iter():
        element.tag = element.tag.removeprefix(_SVG)
        element.text = (element.text or "").replace("\n", "").strip() or None
        element.tail = None
        for key, value in list(element.attrib.items()):
            if key in _COORDINATES:
                value = re.sub(r"(\.\d)\d+", r"\1", value)  # tenths of a point
                element.set(key, re.sub(r"\s*([MLQCz])\s*", r"\1", value).strip())
        _restyle(element)
    _prune(tree)
    _rename(tree, name)
    box = tree.get("viewBox", "")
    tree.attrib.clear()
    tree.attrib.update(
        {
            "viewBox": box,
            "role": "img",
            "aria-labelledby": f"{name}-title {name}-desc",
            "fill": "currentColor",  # Matplotlib leaves out a black fill, which SVG takes for granted
        }
    )
    for i, (tag, words) in enumerate((("title", title), ("desc", description))):
        child = ElementTree.Element(tag, {"id": f"{name}-{tag}"})
        child.text = words
        tree.insert(i, child)
    return Markup(ElementTree.tostring(tree, encoding="unicode"))
