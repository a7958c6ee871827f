"""`python -m benchmarks [SECTION ...] [--out DIR] [--quick]`: measure, and write benchmarks.json and benchmarks.html.

After each section both are written, so an interrupted run keeps what it has, and sections measured later on the same machine join it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from threadpoolctl import threadpool_limits

from benchmarks import page
from benchmarks.goals import judge
from benchmarks.sections import SECTIONS
from benchmarks.timing import Disagreement, machine

app = typer.Typer(add_completion=False)


def _begun(path: Path, found: dict[str, Any], quick: bool) -> dict[str, Any]:
    """What an earlier run left there, if it was one on this machine and of this kind."""
    if path.exists():
        earlier: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        same = [{k: v for k, v in m.items() if k != "product_rate"} for m in (earlier["machine"], found)]
        if earlier["quick"] == quick and same[0] == same[1]:
            return earlier
    return {"machine": found, "quick": quick, "sections": {}}


def measure(names: Sequence[str], folder: Path, quick: bool) -> dict[str, Any]:
    """Run the sections in turn; what `benchmarks.json` holds at the end. A section whose contestants disagree is refused by a line."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "benchmarks.json"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            results = _begun(path, machine(), quick)
            for name in names:
                section, begun = SECTIONS[name], time.monotonic()
                entry: dict[str, Any] = {"at": datetime.now(UTC).isoformat(timespec="seconds")}
                try:
                    entry["results"] = section.measure(**(section.quick if quick else {}))
                except Disagreement as error:
                    entry["failed"] = f"refused: {error}"
                entry["took"] = time.monotonic() - begun
                results["sections"][name] = entry
                # As it will be read: tuples are lists there.
                results = json.loads(json.dumps(results))
                measured = {k: e["results"] for k, e in results["sections"].items() if "results" in e}
                results["goals"] = judge({} if quick else measured)
                path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
                page.write(folder, results)
                print(f"{name:10s}{entry['took']:7.1f} s  {entry.get('failed', '')}".rstrip(), file=sys.stderr, flush=True)
    finally:
        torch.set_num_threads(threads)
    return results


@app.command()
def main(
    section: Annotated[list[str] | None, typer.Argument(help=f"of {', '.join(SECTIONS)} (default: all but tests)")] = None,
    out: Annotated[Path, typer.Option(help="folder of benchmarks.json and benchmarks.html")] = Path("depthlimit-out/benchmarks"),
    quick: Annotated[bool, typer.Option("--quick", help="sizes that take seconds and say nothing")] = False,
) -> None:
    """Measure side by side in one run: status 0, or 1 if contestants of some section disagree."""
    names = section or [name for name, s in SECTIONS.items() if not s.asked]
    if unknown := [name for name in names if name not in SECTIONS]:
        print(f"no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}", file=sys.stderr)
        raise typer.Exit(2)
    results = measure(names, out, quick)
    for goal in results["goals"]:
        said = {True: "yes", False: "NO", None: "-"}[goal["reached"]]
        print(f"{said:4s}{goal['goal']}: {goal['measured']}, goal {goal['relation']} {goal['target']}")
    print(out / "benchmarks.html")
    raise typer.Exit(1 if any("failed" in e for e in results["sections"].values()) else 0)


if __name__ == "__main__":
    app()
