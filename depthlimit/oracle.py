"""`depthlimit oracle`: an implementation of somebody else's on trial; runs are summed up and compared."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from depthlimit.console import command, new_folder, progress, write_report

if TYPE_CHECKING:
    pass

app = typer.Typer(no_args_is_help=True, help=__doc__)
SHOWN = 5  # failures that are told in full


@app.command()
def run(
    implementation: Annotated[str, typer.Option(help="package.module:factory, called without arguments; torch and numpy are our own")],
    out: Annotated[Path | None, typer.Option(help="folder of the run (default: a new depthlimit-out/NNNN)")] = None,
    methods: Annotated[str, typer.Option(help="comma-separated methods to ask (default: all that it has)")] = "",
    only: Annotated[list[str] | None, typer.Option(help="claim id, label or prefix; may be repeated")] = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="end with the first instance that fails")] = False,
    max_examples: Annotated[
        int, typer.Option(help="generated cases beside the corpus; one in fifty of them, at most 500, is a flow")
    ] = 400,
    timeout: Annotated[float, typer.Option(help="seconds that one call may take")] = 60.0,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    workers: Annotated[int, typer.Option(help="processes; 0 means one per core")] = 0,
    seed: Annotated[int, typer.Option(help="seed of generated instances")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="continue the run in --out")] = False,
    known: Annotated[Path | None, typer.Option(help="TOML file with the known failures")] = None,
    junit: Annotated[Path | None, typer.Option(help="where to write JUnit XML")] = None,
) -> None:
    """Judge an implementation by every claim that its methods allow: status 0 if nothing fails, 1 if something does."""
    from depthlimit.models.server import start_server

    start_server(implementation)  # its imports take as long as those here
    from depthlimit.conformance.oracle import trial
    from depthlimit.conformance.oracle.folder import read_run
    from depthlimit.conformance.oracle.known import apply, read_known
    from depthlimit.conformance.oracle.outputs import markdown, write
    from depthlimit.conformance.oracle.run import plan
    from depthlimit.models import verify as runs
    from depthlimit.models.spec import BadInput
    from depthlimit.models.workers import tried

    if resume and out is None:
        raise BadInput("--resume: needs --out, the folder of the run to continue")
    if workers < 0 or not 0 <= seed < 2**32:
        raise BadInput(f"--workers {workers}, --seed {seed}: expected workers >= 0 and 0 <= seed < 2^32")
    planned = plan(
        implementation,
        device=device,
        methods=[name for name in methods.split(",") if name],
        only=only or (),
        examples=max_examples,
        seed=seed,
        timeout=timeout,
        workers=workers or len(os.sched_getaffinity(0)),
        fail_fast=fail_fast,
        command=command(),
    )
    listed = read_known(known) if known else None
    if trouble := tried(planned):
        raise BadInput(f"--implementation {implementation}, --device {device}: {trouble}")
    folder = out or new_folder()
    with progress("asking") as update:
        runs.run(planned, folder, resume=resume, progress=update)
    trial.write(planned, read_run(folder))
    judged = read_run(folder)
    outcome = write(judged, apply(listed, judged.records, datetime.now(UTC).date()) if listed is not None else None, junit)
    print(markdown(outcome))
    print(f"records {folder / 'records.jsonl'}\nreport  {write_report(folder)}")
    raise typer.Exit(outcome.status)


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
