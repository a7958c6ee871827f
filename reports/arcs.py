"""The graph of a proof as an arc diagram: a line per label, under what it rests on, and an arc from each premise.

Drawn by hand rather than with Matplotlib: labels are links and lines of text, and the style sheet does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from markupsafe import Markup

from depthlimit.reports import words
from depthlimit.reports.chain import Node
from depthlimit.reports.figures import kind
from depthlimit.reports.words import SIGNS

LINE, WIDTH = 24, 680  # pixels
LEAST, MOST = 16, 130  # how far an arc reaches to the left


_NODE = Markup(
    '<circle class="dot {mood}" cx="{x}" cy="{y}" r="4"/><a href="{href}"><text{owner} x="{after}" y="{base}">{text}</text></a>'
    '<text class="mood {mood}" x="{column}" y="{base}">{verdict}</text><text class="ratio" x="{end}" y="{base}">{ratio}</text>'
)
_SVG = Markup(
    '<svg class="chain" viewBox="0 0 {w} {h}" role="img" aria-labelledby="{id}-title"><title id="{id}-title">{title}</title>{all}</svg>'
)


def draw(nodes: Sequence[Node], link: Callable[[str], str], name: str, title: str) -> Markup:
    """An <svg>: arcs on the left, then number, label, sign and verdict, and worst ratio of the rung that shows most."""
    spans = [abs(i - p) for i, node in enumerate(nodes) for p in node.premises]
    longest = max(spans, default=1)
    x = LEAST + 8 + (MOST - LEAST if longest > 1 else 0)
    arcs = list[str]()
    for i, node in enumerate(nodes):
        for p in node.premises:
            reach = LEAST + (MOST - LEAST) * (abs(i - p) - 1) / max(longest - 1, 1)
            out, down = -round(reach * 4 / 3), _y(i) - _y(p)  # a cubic reaches 3/4 of the way
            arcs.append(f"M{x} {_y(p)}c{out} 0 {out} {down} 0 {down}")
    parts = [Markup('<path class="arc" d="{}"/>').format("".join(arcs))]
    for i, node in enumerate(nodes):
        row = node.best.row
        verdict = f"{SIGNS.get(row['verdict'], '·')} {row['verdict']}"
        mood = "bad" if not row["as_expected"] else words.MOODS.get(row["verdict"], "plain")
        said = {
            "text": f"{i + 1}. {node.label}",
            "verdict": verdict,
            "ratio": ratio_text(node),
            "owner": Markup(' class="own"') if node.own else "",
        }
        place = {"x": x, "y": _y(i), "base": _y(i) + 4, "after": x + 12, "column": x + 262, "end": WIDTH - 8}
        parts.append(_NODE.format(href=link(node.label), mood=mood, **said, **place))
    return _SVG.format(w=WIDTH, h=LINE * len(nodes) + 8, id=name, title=title, all=Markup("").join(parts))


def _y(i: int) -> int:
    return 16 + LINE * i


def ratio_text(node: Node) -> str:
    """The worst ratio of the node's best rung in plain characters."""
    result = node.best
    value = result.row["log10_tightness"]
    if value is None or kind(result) == "error":
        return "equality" if kind(result) == "error" else "–"
    if result.row["scale"] == "log10log10":
        return f"10^−10^{value:.4g}"
    return f"{10.0**value:.3g}" if value > -4 else f"10^{value:.3g}".replace("-", "−")
