"""How the time of the compiled right-hand side grows: exponents in depth, widths, sample and batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.rhs import BLOCKS, instance
from benchmarks.timing import exponent, quartiles, turns
from depthlimit.models.compiled.implementation import RightHandSide
from depthlimit.models.residual import Workspace

BASE = {"L": 64, "q": 16, "m": 32, "n": 100, "d": 10, "dout": 1}
GRID: Mapping[str, Sequence[int]] = {
    "L": (256, 512, 1024, 2048, 4096),
    "q": (16, 32, 64, 128, 256),
    "m": (32, 64, 128, 256, 512),
    "n": (100, 200, 400, 800, 1600),
    "batch": (1, 2, 4, 8, 16, 32),
}


def _work(sizes: Mapping[str, int], batch: int) -> Callable[[], Any]:
    spec, params, x, y = instance(**sizes)
    ours, out = RightHandSide(spec), Workspace()
    theta = [np.repeat(params[k][None], batch, axis=0) for k in BLOCKS]
    data = [np.repeat(a[None], batch, axis=0) for a in (x, y)]
    return lambda: ours("gradients", theta, *data, out)


def measure(grid: Mapping[str, Sequence[int]] = GRID, base: Mapping[str, int] = BASE, seconds: float = 5.0) -> list[dict[str, Any]]:
    """Per axis the sizes, times in milliseconds, and the fitted exponent; the other sizes stay as in `base`."""
    found = []
    for axis, sizes in grid.items():
        works = {str(s): _work({**base, axis: s}, 1) if axis in base else _work(base, s) for s in sizes}
        times = [quartiles(t, 1e-3) for t in turns(works, seconds).values()]
        found.append({"axis": axis, "sizes": list(sizes), "times": times} | exponent(sizes, [t["median"] for t in times]))
    return found
