"""What commands that leave a folder share: its name, the progress on stderr, the command line as it was typed, the report."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def new_folder() -> Path:
    """The next free folder depthlimit-out/NNNN."""
    root = Path("depthlimit-out")
    taken = [int(p.name) for p in root.glob("[0-9][0-9][0-9][0-9]") if p.name.isdigit()]
    return root / f"{max(taken, default=0) + 1:04d}"


@contextmanager
def progress(total_label: str) -> Iterator[Callable[[int, int, Any], None]]:
    """A bar on stderr, told (units done, units in all, unit)."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(total_label, total=None)

        def update(done: int, total: int, unit: Any) -> None:
            note = f"{total_label}: {unit.spec.regime.kind}" if unit is not None else total_label
            bar.update(task, completed=done, total=total, description=note)

        yield update


def command() -> list[str]:
    """The command line as it was typed."""
    return ["depthlimit", *sys.argv[1:]]


def write_report(folder: Path) -> Path:
    """Write the report of a run folder; the path of its front page."""
    from depthlimit.reports.pages import write

    return write(folder)
