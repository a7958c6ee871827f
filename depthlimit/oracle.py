"""`depthlimit oracle`: an implementation is judged, runs are summed up and compared."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help=__doc__)


@app.command()
def summary(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="the folder of a run")],
    known: Annotated[Path | None, typer.Option(help="TOML file with the known failures")] = None,
    junit: Annotated[Path | None, typer.Option(help="where to write JUnit XML")] = None,
) -> None:
    """Sum a run up: Markdown on stdout and in DIR, a badge in DIR; status 0, 1 for a failure that is not known, 3 undecided only."""
    from depthlimit.conformance.oracle.folder import read_run
    from depthlimit.conformance.oracle.known import apply, read_known
    from depthlimit.conformance.oracle.outputs import markdown, write

    run = read_run(folder)
    found = apply(read_known(known), run.records, datetime.now(UTC).date()) if known else None
    outcome = write(run, found, junit)
    print(markdown(outcome), end="")
    raise typer.Exit(outcome.status)


@app.command()
def compare(
    a: Annotated[Path, typer.Argument(metavar="A", help="the folder of a run")],
    b: Annotated[Path, typer.Argument(metavar="B", help="the folder of another one, of the same profile and seed")],
    as_json: Annotated[bool, typer.Option("--json", help="a JSON object instead of lines")] = False,
) -> None:
    """Compare two runs, of two implementations or versions, on what both ran; status 0 the same, 1 different."""
    from depthlimit.conformance.oracle.compare import DIFFERENT, SAME, text
    from depthlimit.conformance.oracle.compare import compare as compared
    from depthlimit.conformance.oracle.folder import read_run

    found = compared(*(read_run(folder, any_version=True) for folder in (a, b)))
    print(json.dumps(found.to_json(), indent=1, ensure_ascii=False) if as_json else text(found))
    raise typer.Exit(SAME if found.same else DIFFERENT)
