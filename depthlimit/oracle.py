"""`depthlimit oracle`: an implementation of somebody else's on trial."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from depthlimit.console import command, new_folder, progress, write_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from depthlimit.conformance.oracle.failures import Failure

app = typer.Typer(no_args_is_help=True, help=__doc__)
SHOWN = 5  # failures that are told in full


@app.command()
def run(
    implementation: Annotated[str, typer.Option(help="package.module:factory, called without arguments; torch and numpy are our own")],
    out: Annotated[Path | None, typer.Option(help="folder of the run (default: a new depthlimit-out/NNNN)")] = None,
    methods: Annotated[str, typer.Option(help="comma-separated methods to ask (default: all that it has)")] = "",
    only: Annotated[list[str] | None, typer.Option(help="claim id, label or prefix; may be repeated")] = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="end with the first instance that fails")] = False,
    max_examples: Annotated[int, typer.Option(help="generated instances beside the corpus; one in fifty of them is a flow")] = 400,
    timeout: Annotated[float, typer.Option(help="seconds that one call may take")] = 60.0,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    workers: Annotated[int, typer.Option(help="processes; 0 means one per core")] = 0,
    seed: Annotated[int, typer.Option(help="seed of generated instances")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="continue the run in --out")] = False,
) -> None:
    """Judge an implementation by every claim that its methods allow: status 0 if nothing fails, 1 if something does."""
    from depthlimit.conformance.oracle.failures import failures
    from depthlimit.conformance.oracle.run import plan
    from depthlimit.models import verify as runs
    from depthlimit.models.spec import BadInput

    if resume and out is None:
        raise BadInput("--resume: needs --out, the folder of the run to continue")
    if workers < 0 or not 0 <= seed < 2**32:
        raise BadInput(f"--workers {workers}, --seed {seed}: expected workers >= 0 and 0 <= seed < 2^32")
    runs.start_server()
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
    folder = out or new_folder()
    with progress("asking") as update:
        runs.run(planned, folder, resume=resume, progress=update)
    records = [json.loads(text) for text in runs.read_lines(folder / "records.jsonl")]
    failed = failures(records)
    page = write_report(folder)
    print(scoreboard(records, failed))
    for text in told(failed, folder, implementation):
        print(f"\n{text}")
    print(f"\nrecords {folder / 'records.jsonl'}\nreport  {page}")
    raise typer.Exit(runs.status(records))


def scoreboard(records: Sequence[dict[str, Any]], failed: Sequence[Failure]) -> str:
    """A line per method: judgements, failures, consequences of failures further up, undecided; and why a method was not judged."""
    from depthlimit.conformance.oracle.failures import METHODS, subject
    from depthlimit.theory import judgement as J

    judged = Counter(subject(r) for r in records if r["verdict"] not in (J.UNSUPPORTED, J.OUT_OF_HYPOTHESIS))
    lacking = {subject(r): r["reason"] for r in records if r["verdict"] == J.UNSUPPORTED}
    piles = Counter((f.method, "undecided" if f.undecided else "blocked" if f.blocked else "failed") for f in failed)
    rows = [f"{'method':<12} {'judged':>8} {'failed':>8} {'blocked':>8} {'undecided':>10}"]
    for method in METHODS:
        counts = [piles[method, pile] for pile in ("failed", "blocked", "undecided")]
        note = "" if judged[method] else f"   {lacking.get(method, 'no claim of this run is about it')}"
        rows.append(f"{method:<12} {judged[method]:>8} {counts[0]:>8} {counts[1]:>8} {counts[2]:>10}{note}")
    return "\n".join(rows)


def told(failed: Sequence[Failure], folder: Path, implementation: str) -> list[str]:
    """The first failure of each claim that is no consequence of another, and how many more there are."""
    first: dict[str, Failure] = {}
    for f in failed:
        if not f.blocked:
            first.setdefault(f.record["claim"], f)
    out = []
    for f in list(first.values())[:SHOWN]:
        r = f.record
        lines = [f"{f.method}: {r['claim']} {r['verdict']}" + (f": {r['reason']}" if r["reason"] else "")]
        if r["lhs"] is not None:
            lines.append(f"  {r['lhs']!r} ± {r['lhs_radius']!r} against {r['rhs']!r} ± {r['rhs_radius']!r}, at {_place(r['where'])}")
        lines.append(f"  depthlimit replay {folder / 'records.jsonl'}:{f.line} --implementation {implementation}")
        out.append("\n".join(lines))
    if len(first) > SHOWN:
        out.append(f"and {len(first) - SHOWN} more claims")
    for method, count in Counter(f.blocked for f in failed if f.blocked).items():
        out.append(f"{count} failures are blocked by {method}")
    return out


def _place(where: dict[str, Any]) -> str:
    return ", ".join(f"{axis} {index}" for axis, index in where.items() if index is not None) or "the only point"
