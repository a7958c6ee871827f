"""The paper's figures drawn again from the data of a run of `depthlimit figures`: SVG and PDF beside the CSV.

What was published, as read off the page, stands beside it as circles.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

HEADER = ("L", "iteration", "layer", "measure", "value", "published", "published_error")
_RC: dict[Any, Any] = {"svg.hashsalt": "depthlimit", "svg.fonttype": "none", "pdf.fonttype": 42, "font.size": 8, "axes.titlesize": 8}


class Point(NamedTuple):
    """A line of the CSV; None where a cell is empty."""

    L: int
    iteration: int
    layer: int | None
    measure: str
    value: float
    published: float | None


def read(path: Path) -> tuple[list[str], list[Point]]:
    """Comments and points of a CSV that `depthlimit figures` wrote."""
    lines = path.read_text(encoding="utf-8").splitlines()
    comments = [line[2:] for line in lines if line.startswith("# ")]
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    return comments, [
        Point(
            int(r["L"]),
            int(r["iteration"]),
            int(r["layer"]) if r["layer"] else None,
            r["measure"],
            float(r["value"]),
            float(r["published"]) if r["published"] else None,
        )
        for r in rows
    ]


def deviations(points: Sequence[Point]) -> dict[str, float]:
    """Per measure, the largest factor by which it lies off what was published."""
    found: dict[str, float] = {}
    for p in points:
        if p.published is not None and p.layer is None:
            factor = float(np.exp(abs(np.log(p.value / p.published)))) if p.value > 0 else np.inf
            found[p.measure] = max(found.get(p.measure, 1.0), factor)
    return dict(sorted(found.items(), key=lambda item: item[1]))


def _guides(axes: Axes, L: Sequence[int], top: float, rates: Sequence[tuple[str, float]]) -> None:
    for (label, rate), style in zip(rates, (":", "--"), strict=False):
        axes.plot(L, [top * (k / L[0]) ** rate for k in L], style, color="0.4", lw=0.8, label=label)


def _against_depth(axes: Axes, points: Sequence[Point], measure: str, title: str) -> None:
    chosen = [p for p in points if p.measure == measure and p.value > 0]
    iterations = sorted({p.iteration for p in chosen})
    for i, iteration in enumerate(iterations):
        line = sorted(p for p in chosen if p.iteration == iteration)
        colour = colormaps["viridis"]((i + 1) / (len(iterations) + 1))
        axes.loglog([p.L for p in line], [p.value for p in line], color=colour, lw=1.2, label=str(iteration))
        seen = [p for p in line if p.published is not None]
        axes.loglog([p.L for p in seen], [p.published for p in seen], "o", mfc="none", mec=colour, ms=4, mew=0.8)
    depths = sorted({p.L for p in chosen})
    top = max((p.value for p in chosen if depths[0] == p.L), default=1.0)
    _guides(axes, depths, 1.5 * top, (("$L^{-1}$", -1.0), ("$L^{-1/2}$", -0.5)))
    axes.set_xscale("log", base=2)
    axes.set(xlabel="depth $L$", title=title)


def left(figure: Figure, points: Sequence[Point]) -> None:
    """Figure 1, left: the quantity of the label, and what the published curves show."""
    first, second = figure.subplots(1, 2)
    drawn = "all" if any(p.measure == "all" for p in points) else "layers"
    _against_depth(first, points, "max", r"$\max_{k,t}\,\|Z_k^L(t)-Z_{k+1}^L(t)\|_F$")
    over = "k,t" if drawn == "all" else "k"
    _against_depth(second, points, drawn, rf"$(\sum_{{{over}}}\|\cdot\|_F^2)^{{1/2}}$")
    second.legend(title="training iteration", fontsize=6, title_fontsize=6, loc="center left", bbox_to_anchor=(1, 0.5))


def right(figure: Figure, points: Sequence[Point]) -> None:
    """Figure 1, right: distances from the limit for each depth and iteration, and their slopes at the last one."""
    grid = figure.subplots(2, 2)
    for axes, block in zip(grid[0], "VW", strict=True):
        chosen = {(p.L, p.iteration): p.value for p in points if p.measure == f"l2-{block}"}
        depths, iterations = (sorted({key[i] for key in chosen}) for i in (0, 1))
        values = np.array([[chosen[L, i] for i in iterations] for L in depths])
        shown = axes.imshow(values, aspect="auto", cmap="BuPu", norm=LogNorm(), interpolation="nearest")
        axes.set_yticks(range(len(depths)), [str(L) for L in depths])
        axes.set_xticks(range(0, len(iterations), 3), [str(i) for i in iterations[::3]])
        axes.set(xlabel="training iteration", ylabel="depth $L$")
        axes.set_title(rf"$\|\mathcal{{{block}}}^L(\cdot,t)-\mathcal{{{block}}}(\cdot,t)\|_{{L^2}}$")
        figure.colorbar(shown, ax=axes)
    for axes, block in zip(grid[1], "VW", strict=True):
        seen = [p.iteration for p in points if p.published is not None]
        last = max(seen or [p.iteration for p in points])
        for measure, marker in (("sup", "^"), ("l2", "s"), ("nodes", "x"), ("middle", "+")):
            line = sorted(p for p in points if p.measure == f"{measure}-{block}" and p.iteration == last)
            axes.loglog([p.L for p in line], [p.value for p in line], marker=marker, ms=3, lw=0.8, label=measure)
        read_off = [p for p in line if p.published is not None]
        if read_off:
            axes.loglog([p.L for p in read_off], [p.published for p in read_off], "o", mfc="none", mec="k", ms=5, label="published")
        _guides(axes, [p.L for p in line], line[0].value, (("$L^{-1}$", -1.0),))
        axes.set_xscale("log", base=2)
        axes.set(xlabel="depth $L$", title=rf"$\mathcal{{{block}}}$ after iteration {last}")
        axes.legend(fontsize=6)


def limit(figure: Figure, points: Sequence[Point]) -> None:
    """Errors of V and W against the true limit, and their local slopes."""
    grid = figure.subplots(2, 2, sharex=True)
    last = max(p.iteration for p in points)
    for above, below, block in zip(*grid, "VW", strict=True):
        for measure, marker in (("sup", "^"), ("l2", "s"), ("nodes", "x"), ("middle", "+")):
            line = sorted(p for p in points if p.measure == f"{measure}-{block}" and p.iteration == last)
            L, values = (np.array([p[i] for p in line], dtype=float) for i in (0, 4))
            above.loglog(L, values, marker=marker, ms=3, lw=0.8, label=measure)
            below.plot(np.sqrt(L[1:] * L[:-1]), np.diff(np.log(values)) / np.diff(np.log(L)), marker=marker, ms=3, lw=0.8)
        _guides(above, [p.L for p in line], line[0].value, (("$L^{-1}$", -1.0),))
        above.set_xscale("log", base=2)
        above.set_title(rf"$\mathcal{{{block}}}^L$ against the limit, iteration {last}")
        below.axhline(-1, color="0.4", ls=":", lw=0.8)
        below.set(xlabel="depth $L$", ylabel="slope between depths", ylim=(-1.5, -0.5))
        above.legend(fontsize=6)


def long_time(figure: Figure, points: Sequence[Point]) -> None:
    """Figure 2: an entry of V and of W across layers, and the loss."""
    panels = figure.subplots(1, 3)
    for axes, block in zip(panels, "VW", strict=False):
        chosen = [p for p in points if p.measure == f"entry-{block}"]
        iterations = sorted({p.iteration for p in chosen})
        for i, iteration in enumerate(iterations):
            line = sorted((p.layer or 0, p.value) for p in chosen if p.iteration == iteration)
            axes.plot(*zip(*line, strict=True), color=colormaps["viridis"](i / len(iterations)), lw=0.5)
        axes.set(xlabel="layer $k$", title=f"an entry of ${block}_k^L(t)$")
        axes.grid(True, lw=0.3)
    losses = sorted((p.iteration, p.value) for p in points if p.measure == "loss")
    panels[2].semilogy(*zip(*losses, strict=True), lw=1.2)
    seen = [p for p in points if p.measure == "loss" and p.published is not None]
    panels[2].semilogy([p.iteration for p in seen], [p.published for p in seen], "o", mfc="none", mec="k", ms=4, mew=0.6)
    panels[2].set(xlabel="training iteration", title=r"$\ell^L$")
    panels[2].grid(True, lw=0.3)


DRAWN: dict[str, tuple[Callable[[Figure, Sequence[Point]], None], tuple[float, float]]] = {
    "fig1-left": (left, (6.5, 2.8)),
    "fig1-right": (right, (6.5, 5.0)),
    "limit": (limit, (6.5, 5.0)),
    "fig2": (long_time, (7.0, 2.2)),
}


def draw(name: str, path: Path) -> list[Path]:
    """Draw a CSV; the paths of SVG and PDF, whose bytes follow from those of the CSV."""
    comments, points = read(path)
    function, size = DRAWN[name]
    written = [path.with_suffix(".svg"), path.with_suffix(".pdf")]
    with rc_context(_RC):
        figure = Figure(figsize=size, layout="constrained")
        function(figure, points)
        for axes in figure.axes:
            axes.minorticks_off()  # those of logarithmic axes take as long as all else
        figure.savefig(written[0], metadata={"Title": path.stem, "Description": "\n".join(comments), "Date": None})
        figure.set_layout_engine("none")  # as it is laid out: that takes as long as drawing
        figure.savefig(written[1], metadata={"Title": path.stem, "Subject": "; ".join(comments), "CreationDate": None})
    return written
