"""Contestants against each other: first they must agree, then they are timed in turn, in one process, by processor time.

Processor time counts less of what else runs on the machine, and ratios are taken turn by turn, so that a disturbance hits both sides.
"""

from __future__ import annotations

import gc
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_info

OURS = "compiled"
TURN = 0.02  # seconds of a turn, at least
QUARTILES = {"lower": 25, "median": 50, "upper": 75}


class Contestant(NamedTuple):
    """What is timed, and how its answer is read: a list of arrays, in the same order for all."""

    run: Callable[[], Any]
    read: Callable[[Any], Sequence[Any]]


Contestants = dict[str, Contestant]
Row = dict[str, Any]


class Disagreement(RuntimeError):
    """Contestants do not compute the same: what one of them takes says nothing."""


def agree(contestants: Mapping[str, Contestant], tolerance: float) -> dict[str, float]:
    """How far each is off the first, per array relative to its norm; raises `Disagreement` beyond the tolerance."""
    names = iter(contestants)
    first = next(names)
    want = [np.array(a, dtype=float) for a in contestants[first].read(contestants[first].run())]
    found = {first: 0.0}
    for name in names:
        got = [np.asarray(a, dtype=float) for a in contestants[name].read(contestants[name].run())]
        gaps = [float(np.linalg.norm(g - w) / (np.linalg.norm(w) or 1.0)) for g, w in zip(got, want, strict=True)]
        found[name] = max(gaps)
        if not found[name] <= tolerance:
            raise Disagreement(f"{name} is off {first} by {found[name]:.2g} of the norm, allowed {tolerance:.2g}")
    return found


def rounding(spec: Mapping[str, Any]) -> float:
    """How far two float64 right-hand sides may lie apart, relative to their norm.

    No chain of operations is longer than L + 1 layers there and back, each with sums of q, m, n and d terms; each rounds by eps, and what
    it rounded is magnified by less than 10 on the way at states of order 1.
    """
    return float(20 * (spec["L"] + 1) * (spec["q"] + spec["m"] + spec["n"] + spec["d"]) * np.finfo(float).eps)


def turns(works: Mapping[str, Callable[[], Any]], seconds: float, least: int = 3, warm: bool = False) -> dict[str, list[float]]:
    """Processor seconds of a call of each, in turn until so many seconds are over.

    A turn is calls for 20 ms after one that is not counted: of what the others left in the caches nothing is paid for. A call of ten
    times that fills the caches itself. warm: each was called before, and a turn is one call. The collector of garbage rests meanwhile: it
    would charge whoever is running for the objects of all.
    """
    gc.collect()
    collects = gc.isenabled()
    gc.disable()
    try:
        return _turns(works, seconds, least, warm)
    finally:
        if collects:
            gc.enable()


def _turns(works: Mapping[str, Callable[[], Any]], seconds: float, least: int, warm: bool) -> dict[str, list[float]]:
    calls, long, taken = dict[str, int](), set[str](), {name: list[float]() for name in works}
    for name, run in works.items():
        calls[name], took = 1, 0.0
        for _ in range(0 if warm else 2):
            start = time.process_time()
            run()
            took = time.process_time() - start
            calls[name] = max(1, int(TURN / max(took, 1e-7)))
            if took > 1.0:
                break
        if warm or took > 10 * TURN:
            long.add(name)
    end = time.monotonic() + seconds
    while time.monotonic() < end or min(map(len, taken.values())) < least:
        for name, run in works.items():
            if name not in long:
                run()
            start = time.process_time()
            for _ in range(calls[name]):
                run()
            taken[name].append((time.process_time() - start) / calls[name])
    return taken


def quartiles(values: Sequence[float], unit: float = 1.0) -> dict[str, float]:
    """Median and quartiles in that unit."""
    return {k: float(np.percentile(values, p) / unit) for k, p in QUARTILES.items()}


def rows(taken: Mapping[str, Sequence[float]], unit: float, ours: str = OURS) -> list[Row]:
    """Per contestant its time in that unit, and how many times longer than ours it takes, each with quartiles over turns."""
    return [
        {
            "name": name,
            "time": quartiles(times, unit),
            "turns": len(times),
            "ratio": quartiles([t / o for t, o in zip(times, taken[ours], strict=True)]),
        }
        for name, times in taken.items()
    ]


def contest(contestants: Mapping[str, Contestant], seconds: float, unit: float, tolerance: float) -> dict[str, Any]:
    """Agreement, then times: {"apart", "rows"}."""
    apart = agree(contestants, tolerance)
    return {"apart": apart, "rows": rows(turns({name: c.run for name, c in contestants.items()}, seconds), unit)}


def row(found: Mapping[str, Any], name: str) -> Row | None:
    """The row of that contestant."""
    return next((r for r in found["rows"] if r["name"] == name), None)


def exponent(sizes: Sequence[float], values: Sequence[float]) -> dict[str, float]:
    """The slope of log value in log size by least squares, with its standard error (0 from two points)."""
    x, y = np.log(np.asarray(sizes, dtype=float)), np.log(np.asarray(values, dtype=float))
    dx = x - x.mean()
    slope = float(dx @ y / (dx @ dx))
    left = y - y.mean() - slope * dx
    error = float(np.sqrt(left @ left / max(len(x) - 2, 1) / (dx @ dx)))
    return {"exponent": slope, "error": error}


def product_rate(size: int = 1500, repeat: int = 5) -> float:
    """GFLOP/s of a large float64 matrix product on one thread, the best of some."""
    a = np.random.RandomState(0).randn(size, size)
    return 2 * size**3 / min(turns({"product": lambda: a @ a}, 0.0, repeat)["product"]) / 1e9


def machine() -> dict[str, Any]:
    """What ran: processor, cores, caches, versions, which kernels BLAS has chosen, and the rate of its large product."""
    cpu, cache = platform.processor() or platform.machine(), {}
    info = Path("/proc/cpuinfo")
    if info.exists():
        fields = dict(line.split(":", 1) for line in info.read_text(encoding="utf-8").splitlines() if ":" in line)
        named = {key.strip(): value.strip() for key, value in fields.items()}
        cpu = f"{named.get('model name', cpu)}, family {named.get('cpu family', '?')}, model {named.get('model', '?')}"
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((index / name).read_text(encoding="utf-8").strip() for name in ("level", "type", "size"))
        if kind != "Instruction":
            cache[f"L{level}"] = size
    versions = {"python": platform.python_version()}
    for name in ("numpy", "scipy", "numba", "torch", "torchdiffeq", "jax", "diffrax"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    libraries = [library for library in threadpool_info() if library["user_api"] == "blas"]
    blas = {Path(library["filepath"]).parent.name: f"{library['version']}, {library.get('architecture')}" for library in libraries}
    variables = {k: v for k, v in sorted(os.environ.items()) if k.startswith("OPENBLAS_CORETYPE")}
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "cache": cache,
        "versions": versions,
        "blas": blas,
        "environment": variables,
        "system": f"{platform.system()} {platform.release()}",
        "product_rate": product_rate(),
    }
