"""What a GPU makes of batches of networks: everything side by side in one run, a table and JSON.

    python benchmarks/gpu.py [--out gpu.json]

Without a CUDA device it says so, writes that as its entry and ends with status 0. Measured:

* the rate of a large float64 matrix product, the unit of all shares;
* loss and gradients of batches of networks of the paper's size, call by call and replayed from a CUDA graph, on tensors that lie on the
  device; 12 q m n L operations per network count, nothing for activations;
* small networks per second through `batch`, copies to and from the device included;
* a flow with its stages on the device, and with SciPy's stages on the host;
* the answers, in units of the radii within which they and those of NumPy on the CPU must lie.

Times are taken in turn, in rounds; given are the best and the median.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from depthlimit.models import flow
from depthlimit.models.check import run
from depthlimit.models.data import ArrayStore
from depthlimit.models.implementation import load
from depthlimit.models.measure.registry import Fields
from depthlimit.models.spec import Spec
from depthlimit.models.torch_implementation import TorchImplementation
from depthlimit.models.trajectory import realise

Sizes = Mapping[str, int]
PAPER = {"d": 16, "dout": 16, "q": 16, "m": 32, "L": 64, "n": 100}
SMALL = {"d": 3, "dout": 2, "q": 5, "m": 6, "L": 16, "n": 4}
BLOCKS = ("A", "V", "W", "B")
GOAL = 0.5  # of the product rate, for batches of the paper's size
ABSENT = "not measured: no CUDA device"


def timed(works: Mapping[str, Callable[[], object]], device: str, rounds: int) -> dict[str, dict[str, float]]:
    """Seconds of each work, best and median of rounds in which they take turns, after two calls in which nothing is timed."""

    def seconds(work: Callable[[], object]) -> float:
        started = time.perf_counter()
        work()
        if device != "cpu":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    for work in works.values():
        seconds(work), seconds(work)
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            taken[name].append(seconds(work))
    return {name: {"seconds": min(all_), "median": statistics.median(all_)} for name, all_ in taken.items()}


def product_rate(device: str, size: int, rounds: int) -> float:
    """Operations per second of a float64 matrix product of this size."""
    a, b = (torch.rand(size, size, dtype=torch.float64, device=device) for _ in range(2))
    out = torch.empty_like(a)
    return 2.0 * size**3 / timed({"product": lambda: torch.mm(a, b, out=out)}, device, rounds)["product"]["seconds"]


def case(sizes: Sizes, seed: int = 0, **more: Any) -> tuple[Any, ...]:
    """Arguments of `gradients`: a network with smooth weights, and data."""
    values = {**sizes, "regime": {"kind": "plain-flow"}, "init": {"kind": "gp", "seed": seed}, **more}
    b = realise(Spec.model_validate(values), ArrayStore())
    return b.network, b.params, b.x, b.y


def batches(device: str, sizes: Sizes, counts: Sequence[int], rounds: int, rate: float) -> list[dict[str, Any]]:
    """Loss and gradients of so many networks in one call, call by call and replayed."""
    plain, replayed = TorchImplementation(device), TorchImplementation(device)
    plain.graphs = None
    spec, params, x, y = case(sizes)
    work = 12.0 * sizes["q"] * sizes["m"] * sizes["n"] * sizes["L"]
    found = []
    for count in counts:
        scale = torch.linspace(0.5, 1.5, count, dtype=torch.float64, device=device)

        def stack(array: Any, scale: torch.Tensor = scale) -> torch.Tensor:
            return scale.view(-1, *(1,) * array.ndim) * torch.tensor(array, device=device)

        tensors = {k: stack(params[k]) for k in BLOCKS}, stack(x), stack(y)
        ways = {"call by call": plain} | ({} if replayed.graphs is None else {"replayed": replayed})
        works = {
            name: lambda way=way, tensors=tensors: way._answer("gradients", spec, tensors[0], *tensors[1:]) for name, way in ways.items()
        }
        for name, taken in timed(works, device, rounds).items():
            speed = count * work / taken["seconds"]
            found.append({"networks": count, "how": name, **taken, "rate": speed, "share": speed / rate})
        if replayed.graphs is not None:
            replayed.graphs.clear()
    return found


def small_instances(device: str, sizes: Sizes, count: int, rounds: int) -> dict[str, Any]:
    """Velocities per second of small networks, from arrays on the host to arrays on the host."""
    spec, params, x, y = case(sizes)
    found, scales = TorchImplementation(device), np.linspace(0.5, 1.5, count)
    calls = [(spec, {k: s * v for k, v in params.items()}, s * x, y) for s in scales]
    taken = timed({"batch": lambda: found.batch("velocity", calls)}, device, rounds)["batch"]
    return {"networks": count, **taken, "per_second": count / taken["seconds"]}


def flows(device: str, sizes: Sizes, T: float, rounds: int) -> dict[str, Any]:
    """One flow to time T: stages on the device by `flow`, and SciPy's stages on the host, each evaluation copied there and back."""
    spec, params, x, y = case(sizes, T=T)
    found, times = TorchImplementation(device), np.array([T])
    shapes, start = [params[k].shape for k in BLOCKS], flow.pack(params[k] for k in BLOCKS)

    def on_the_host() -> np.ndarray:
        def rhs(_: float, state: np.ndarray) -> np.ndarray:
            theta = dict(zip(BLOCKS, flow.unpack(state, shapes), strict=True))
            v = found.velocity(spec, theta, x, y)
            return flow.pack(v[k] for k in BLOCKS)

        blocks = [flow.Block(params[k].size) for k in BLOCKS]
        return start + flow.solve(rhs, start, times, flow.local_tolerance(spec), blocks)[0]

    works = {"on the device": lambda: found.flow(spec, params, x, y, times), "on the host": on_the_host}
    taken: dict[str, Any] = timed(works, device, rounds)
    ends = works["on the device"]()
    moved = flow.pack(ends[k][0] for k in BLOCKS) - start
    gap = np.linalg.norm(moved - (on_the_host() - start)) / np.linalg.norm(moved)
    return {**taken, "ratio": taken["on the host"]["seconds"] / taken["on the device"]["seconds"], "relative_difference": float(gap)}


def agreement(device: str, sizes: Sizes, networks: int) -> dict[str, float]:
    """The largest difference of any answer from that of NumPy on the CPU, in units of both radii; right answers stay below 1."""
    regime = {"kind": "network", "networks": networks}
    spec = Spec.model_validate({**sizes, "regime": regime, "init": {"kind": "gp", "seed": 0}})
    fields, ratios = Fields(run(spec, load("torch", device))), {}
    blocks = [f"{what}_{k}" for what in ("gradient", "velocity") for k in BLOCKS]
    for name in ("hidden", "output", "loss", *blocks):
        given, own = fields[f"given_{name}"], fields[f"own_{name}"]
        # Entries of a vector share its radius, which bounds its norm.
        gap = np.abs(given.values - own.values)
        radius = given.radius + own.radius
        gap = np.linalg.norm(gap, axis=-1) if gap.ndim > np.ndim(radius) else gap
        ratios[name] = float(np.max(np.divide(gap, radius, out=np.zeros_like(gap), where=gap > 0)))
    return ratios


def measure(
    device: str,
    *,
    product: int = 8192,
    paper: Sizes = PAPER,
    counts: Sequence[int] = (256, 1024, 4096),
    small: Sizes = SMALL,
    smalls: int = 4096,
    T: float = 1.0,
    rounds: int = 7,
) -> dict[str, Any]:
    """Everything, as the entry that is written."""
    rate = product_rate(device, product, rounds)
    rows = batches(device, paper, counts, rounds, rate)
    return {
        "device": torch.cuda.get_device_name(device) if device != "cpu" else platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "sizes": {"paper": dict(paper), "small": dict(small)},
        "product_rate": rate,
        "batches": rows,
        "goal": {"share": GOAL, "measured": max(row["share"] for row in rows)},
        "small_instances": small_instances(device, small, smalls, rounds),
        "flow": flows(device, paper, T, max(rounds // 3, 1)),
        "agreement": agreement(device, paper, 2),
    }


def table(found: Mapping[str, Any]) -> str:
    """The lines that are printed."""
    lines = [f"{found['device']}, torch {found['torch']}: float64 products at {found['product_rate'] / 1e12:.3g} Tflop/s"]
    for row in found["batches"]:
        took = f"{row['seconds'] * 1e3:8.2f} ms (median {row['median'] * 1e3:.2f})"
        lines.append(f"{row['networks']:6d} networks {row['how']:12s} {took}, {row['share']:.1%} of that")
    goal, small, one = found["goal"], found["small_instances"], found["flow"]
    lines.append(
        f"goal {goal['share']:.0%}, measured {goal['measured']:.1%}: {'reached' if goal['measured'] >= goal['share'] else 'missed'}"
    )
    lines.append(f"small networks: {small['per_second']:.3g} per second in batches of {small['networks']}")
    lines.append(
        f"a flow: {one['on the device']['seconds']:.3g} s with stages on the device, {one['on the host']['seconds']:.3g} s on the host, "
        f"ratio {one['ratio']:.2f}, results differ by {one['relative_difference']:.1g} of the displacement"
    )
    lines.append(f"largest difference from the CPU: {max(found['agreement'].values()):.2g} of what rounding allows")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Batches of networks on a GPU")
    parser.add_argument("--out", type=Path, default=Path("gpu.json"), help="where the JSON goes (default: gpu.json)")
    out = parser.parse_args(arguments).out
    if torch.cuda.is_available():
        found = measure("cuda")
        print(table(found))
    else:
        found = {"device": None, "note": ABSENT}
        print(ABSENT)
    out.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
