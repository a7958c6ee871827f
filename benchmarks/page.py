"""The page of a run, in the form of the report: machine, goals, and per section its tables and what is drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

import depthlimit.reports as reports
from benchmarks import tables
from benchmarks.sections import SECTIONS
from depthlimit.reports import panels, svg
from depthlimit.reports.panels import Drawing

TEMPLATES = Path(next(iter(reports.__path__))) / "templates"
Points = Sequence[tuple[float, float]]


def curves(series: Mapping[str, Points], name: str, x: str, y: str, caption: str) -> Drawing:
    """Lines of values against sizes, both logarithmic."""
    shown = {label: [(math.log10(a), math.log10(b)) for a, b in points if b > 0] for label, points in series.items()}
    shown = {label: points for label, points in shown.items() if points}
    across, up = ([p[i] for points in shown.values() for p in points] for i in (0, 1))
    pad = 0.05 * (max(up) - min(up)) + 0.02
    panel = panels.Panel(x=(min(across) - 0.05, max(across) + 0.05), y=(min(up) - pad, max(up) + pad), x_name=x, y_name=y)
    for i, (label, points) in enumerate(shown.items()):
        panel.series(points, panels.look(i, 1 + i % svg.SERIES), label)
    panel.x_ticks = panels.sizes(across)
    panel.y_ticks = panels.decades(*panel.y)
    rows = tuple((label, f"{a:g}", tables.text(b)) for label, points in series.items() for a, b in points)
    return panel.drawing(name, f"{y} against {x}", caption, ("line", x, y), rows)


def _rhs(found: Mapping[str, Any]) -> list[Drawing]:
    series: dict[str, list[tuple[float, float]]] = {}
    for depth in found["depths"]:
        for r in depth["rows"]:
            if r["name"] not in ("attainable", "compiled, checkpoints"):
                series.setdefault(r["name"], []).append((depth["L"], r["time"]["median"]))
    return [curves(series, "rhs-layer", "L", "µs per layer", "One right-hand side: microseconds per layer against depth.")]


def _scaling(found: Sequence[Mapping[str, Any]]) -> list[Drawing]:
    series = {f["axis"]: [(s, t["median"]) for s, t in zip(f["sizes"], f["times"], strict=True)] for f in found}
    return [curves(series, "scaling", "size", "ms", "One compiled right-hand side: milliseconds against each size.")]


def _memory(found: Mapping[str, Any]) -> list[Drawing]:
    series = {w["name"]: list(zip(w["depths"], (b / 2**20 for b in w["bytes"]), strict=True)) for w in found["ways"]}
    return [curves(series, "memory", "L", "MiB", "Peak memory beyond parameters and gradients against depth.")]


def _figure1(found: Mapping[str, Any]) -> list[Drawing]:
    names = {"authors": "authors' way", "compiled": "compiled descent", "flow": "flow to t = 5"}
    times = {label: [(d["L"], d[key]["seconds"]) for d in found["depths"]] for key, label in names.items()}
    errors = {
        label: [(d["L"], d[key]["error"]) for d in found["depths"] if "error" in d[key]]
        for key, label in (("compiled", "gradient descent"), ("flow", "flow"))
    }
    drawn = [
        curves(times, "figure1-time", "L", "s", "The experiment of Figure 1: seconds against depth, extrapolated where the table says so.")
    ]
    if any(errors.values()):
        drawn.append(curves(errors, "figure1-error", "L", "error", "Error against the flow, relative to the displacement."))
    return drawn


DRAWN = {"rhs": _rhs, "scaling": _scaling, "memory": _memory, "figure1": _figure1}


def render(results: Mapping[str, Any]) -> str:
    """The page from what `benchmarks.json` holds."""
    loader = FileSystemLoader([Path(__file__).parent, TEMPLATES])
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    shown = []
    with svg.defaults():
        for name, section in SECTIONS.items():
            found = results["sections"].get(name)
            if found is not None:
                failed = found.get("failed", "")
                made = [] if failed else tables.TABLES[name](found["results"])
                drawn = [] if failed or name not in DRAWN else DRAWN[name](found["results"])
                shown.append({"name": name, "title": section.title, "tables": made, "drawings": drawn, "failed": failed})
    counts = [sum(g["reached"] is said for g in results["goals"]) for said in (True, False, None)]
    failures = [s["title"] for s in shown if s["failed"]]
    sentence = f"Of {sum(counts)} goals {counts[0]} are reached, {counts[1]} are not, {counts[2]} were not measured."
    if failures:
        sentence += f" Refused: {', '.join(failures)}."
    return environment.get_template("page.html").render(
        sections=shown,
        goals=tables.goals(results["goals"]),
        machine=tables.machine(results["machine"]),
        quick=results["quick"],
        sentence=sentence,
        mood="bad" if failures else "good" if counts[1] == 0 and counts[0] else "warn",
    )


def write(folder: Path, results: Mapping[str, Any]) -> None:
    """`benchmarks.html` and its style sheet."""
    (folder / "benchmarks.html").write_text(render(results), encoding="utf-8", newline="\n")
    (folder / "style.css").write_bytes((TEMPLATES / "style.css").read_bytes())
