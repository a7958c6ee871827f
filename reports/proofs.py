"""A statement's proof as a page: the graph, the waterfalls and the table of steps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from depthlimit.reports import arcs, tables, waterfall, words
from depthlimit.reports.aggregate import Result, Run
from depthlimit.reports.chain import Node, by_label, chain, has_proof, tight, waterfalls
from depthlimit.reports.figures import kind
from depthlimit.reports.panels import Drawing
from depthlimit.reports.views import Statement

__all__ = ["Proof", "has_proof"]
Row = dict[str, Any]


@dataclass(frozen=True)
class Proof:
    """A statement and its chain."""

    page: Statement
    nodes: tuple[Node, ...]

    @classmethod
    def of(cls, run: Run, page: Statement) -> Proof:
        """The chain of all labels of a statement."""
        return cls(page, tuple(chain(by_label(run), page.labels())))

    @property
    def file(self) -> str:
        """The page's name."""
        return f"{self.page.prefix}-proof.html"

    def graph(self, link: Callable[[str], str]) -> Markup:
        """The arc diagram."""
        return arcs.draw(self.nodes, link, f"{self.page.prefix}-graph", f"What the claims of {self.page.title} rest on")

    def drawings(self, run: Run) -> list[Drawing]:
        """The waterfalls."""
        return waterfall.gallery(waterfalls(self.nodes), run)

    def steps(self, run: Run) -> Iterator[tuple[Row, list[Row]]]:
        """Per label what is said once, and a row per rung; of other statements, whose pages have them all, the one that shows most."""
        planted = (run.identity.get("faults") or {}).get("faults") or {}
        caught = Counter(key for fault in planted.values() for key in fault["caught_by"])
        for i, node in enumerate(self.nodes, start=1):
            first = node.results[0].claim
            tools = list(dict.fromkeys(str(r.claim.tool) for r in node.results if r.claim.tool))
            about = {"label": node.label, "source": _place(first.source), "premises": node.premises, "tools": tools}
            yield (
                about,
                [
                    {**tables.row(r), "number": i, "loss": _loss(r), "faults": caught[r.claim.id] or "–"}
                    for r in (node.results if node.own else [node.best])
                ],
            )

    def row(self) -> Row:
        """A line of the list of proofs."""
        own = [node for node in self.nodes if node.own]
        verdicts = Counter((r.row["verdict"], r.row["as_expected"]) for node in own for r in node.results)
        shown = [(words.verdict(word, {"as_expected": as_expected}), n) for (word, as_expected), n in sorted(verdicts.items())]
        others = len(self.nodes) - len(own)
        return {"page": self.page, "file": self.file, "own": len(own), "others": others, "tight": tight(self.nodes), "verdicts": shown}


def _place(source: Any) -> str:
    bits = (source.equation, f"p. {source.page}" if source.page else "")
    return ", ".join(bit for bit in bits if bit)


def _loss(result: Result) -> Markup:
    """Decades between measured and bound at the worst case; an equality loses none."""
    value = result.row["log10_tightness"]
    if kind(result) == "error":
        return words.number(0.0) if result.was_run else words.DASH
    if value is None:
        return words.DASH
    return words.power(value) if result.row["scale"] == "log10log10" else words.number(max(0.0, -value), 2)
