"""`depthlimit baseline`: the committed worst tightness of every claim, and what has drifted from it."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from depthlimit.conformance.oracle.folder import Run

app = typer.Typer(no_args_is_help=True, help=__doc__)
FILE = Path("tests/baseline.json")
_Folder = Annotated[Path | None, typer.Argument(metavar="[DIR]", help="a run of NumPy, quick, seed 0 (default: run it now, a minute)")]
_File = Annotated[Path, typer.Option("--baseline", help="the committed file")]


def _run(folder: Path | None) -> Run:
    """The run in a folder, or a new one that leaves none."""
    from depthlimit.conformance.oracle.baseline import OF
    from depthlimit.conformance.oracle.folder import read_run
    from depthlimit.models import verify as runs

    if folder is not None:
        return read_run(folder)
    print("depthlimit: running the quick profile of NumPy", file=sys.stderr)
    with tempfile.TemporaryDirectory() as temporary:
        plan = runs.make_plan(profile="quick", seed=0, implementation=str(OF["implementation"]), workers=len(os.sched_getaffinity(0)))
        runs.run(plan, Path(temporary) / "run")
        return read_run(Path(temporary) / "run")


@app.command()
def check(folder: _Folder = None, baseline: _File = FILE) -> None:
    """Compare a run with the baseline; status 0 if nothing has drifted beyond what the radii allow, else 1."""
    from depthlimit.conformance.oracle.baseline import drift, made_of, read_baseline

    before = read_baseline(baseline)
    found = drift(before, made_of(_run(folder)))
    for one in found:
        print(one)
    print(
        f"{len(before.claims)} claims in the baseline, {len(found)} drifted" if found else f"{len(before.claims)} claims as in the baseline"
    )
    raise typer.Exit(1 if found else 0)


@app.command()
def update(
    reason: Annotated[str, typer.Option(help="why the numbers changed; kept with every entry that did")],
    folder: _Folder = None,
    baseline: _File = FILE,
) -> None:
    """Write the baseline again where a run has drifted from it; refused while a claim fails."""
    from depthlimit.conformance.oracle import baseline as baselines
    from depthlimit.conformance.oracle.outcome import FAILS, Outcome
    from depthlimit.models.spec import BadInput

    if not reason.strip():
        raise BadInput("--reason: say why the numbers changed")
    old = baselines.read_baseline(baseline) if baseline.exists() else None
    run = _run(folder)
    if failing := [key for key, state in Outcome(run).claims.items() if state == FAILS]:
        raise BadInput(f"{len(failing)} claims fail ({', '.join(failing[:3])}); a baseline is of a run that is as registered")
    new = baselines.made_of(run)
    found = [] if old is None else baselines.drift(old, new)
    if old is None or found:
        baselines.write_baseline(baseline, baselines.updated(old, new, reason.strip()))
    for one in found:
        print(one)
    print(f"{baseline}: {f'{len(found)} entries changed' if old else f'{len(new.claims)} entries'}")
