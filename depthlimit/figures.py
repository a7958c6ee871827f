"""`depthlimit figures`: the paper's figures run, measured and drawn again."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from depthlimit.console import command
from depthlimit.models import experiment_runs
from depthlimit.models.experiment import FIGURES, Experiment, experiment
from depthlimit.models.experiment_measures import Row
from depthlimit.models.spec import BadInput
from depthlimit.reports import experiments
from depthlimit.theory.paper.published import readings


def make(
    names: Sequence[str], out: Path, network: str = "paper", by_flow: bool = False, small: bool = False, workers: int = 0
) -> list[Path]:
    """Run what is missing in `out`, write the CSV of each figure and draw it; all files written.

    Raises BadInput for unknown names and for a folder with runs of other settings.
    """
    if workers < 0:
        raise BadInput(f"--workers {workers}: expected 0 or more")
    if out.exists() and not out.is_dir():
        raise BadInput(f"--out {out}: is no folder")
    chosen = names or [name for name in FIGURES if not (by_flow and name == "fig2") and not (network != "paper" and name == "limit")]
    cases = [experiment(name, network, by_flow, small) for name in chosen]
    experiment_runs.run(cases, out, workers or len(os.sched_getaffinity(0)), lambda text: print(text, file=sys.stderr))
    written = []
    for case in cases:
        name = f"{case.figure}-{case.network}{'-flow' if case.flow else ''}"
        path = out / f"{name}.csv"
        experiment_runs.write_csv(path, _comments(case, out), experiments.HEADER, list(_lines(case, out)))
        written += [path, *experiments.draw(case.figure, path)]
    return written


def deviations(path: Path) -> dict[str, float]:
    """Per measure, the largest factor by which it lies off what was published."""
    return experiments.deviations(experiments.read(path)[1])


def _comments(case: Experiment, out: Path) -> list[str]:
    import depthlimit

    kept = case.to_json()
    lines = [
        f"depthlimit {depthlimit.__version__}: {' '.join(command())}",
        "; ".join(f"{k} = {v}" for k, v in kept.items() if k != "saved"),
    ]
    if case.reference is not None:
        error = experiment_runs.read_curve(case, out).error
        lines.append(f"the {'reference, a polynomial in s,' if case.reference else 'limit'} is known to {error:.2g}")
    return lines


def _lines(case: Experiment, out: Path) -> Iterator[tuple[Any, ...]]:
    """The rows of the CSV, each beside what was published of it."""
    published = _published(case.figure)
    for row in experiment_runs.read_rows(case, out):
        read, error = published.get(_place(row), (None, None)) if case.n == _full(case) else (None, None)
        yield row.L, row.iteration, row.layer, row.measure, row.value, read, error


def _full(case: Experiment) -> int:
    return experiment(case.figure, case.network).n


def _place(row: Row) -> tuple[Any, ...]:
    """Where a row stands in a published figure: whatever measures are compared, they are compared with the same curve."""
    group = row.measure.partition("-")[2] if row.measure[:2] in ("l2", "su", "no", "mi") else ""
    if row.measure == "loss" or row.measure.startswith("entry"):
        group = row.measure
    return row.L, row.iteration, row.layer, group


def _published(figure: str) -> dict[tuple[Any, ...], tuple[float, float]]:
    """What was read off the page, and its error, by place."""
    if figure == "limit":
        return {}
    kept = readings()[figure]
    share = kept["relative_error"]
    found: dict[tuple[Any, ...], float] = {}
    if figure == "fig2":
        found = {(64, i, None, "loss"): v for i, v in kept["loss"]}
        for block in "VW":
            found |= {(64, int(i), k + 1, f"entry-{block}"): v for i, line in kept[block].items() for k, v in enumerate(line)}
        return {k: (v, share * v if k[2] is None else kept["absolute_error"]) for k, v in found.items()}
    for block in ("",) if figure == "fig1-left" else "VW":
        for iteration, line in zip(kept["iterations"], kept[block or "values"], strict=True):
            found |= {(L, iteration, None, block): v for L, v in zip(kept["depths"], line, strict=True)}
    return {k: (v, share * v) for k, v in found.items()}
