"""The experiment of Figure 1 (Section 5.1 and Appendix E, p. 40) by the authors' way and by ours.

n = 100, d = q = 16, m = 32, GELU, the initialisation of Section 3, A and B the identity and not trained, x and y Gaussian; 500 iterations
of gradient descent with learning rate L/100, depths 2, 4, ..., 2^14. The authors' way is a loop over layers in torch with autograd, here in
float64 as ours. Ours is the same descent by the compiled kernel, and the flow to t = 5 that the descent stands for. Where 500 iterations
take too long, some are measured and multiplied, which is said (`extrapolated`).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from benchmarks.timing import Disagreement, rounding
from depthlimit.models import flow
from depthlimit.models.compiled.implementation import RightHandSide
from depthlimit.models.experiment import ONE, descend

DEPTHS = tuple(2**k for k in range(1, 15))
SIZES = {"q": 16, "m": 32, "n": 100}
ITERATIONS, STEP = 500, 1e-2  # time 5
RTOL = 1e-6  # local tolerance of the flow
MEASURED = 256  # depth up to which errors are measured
Advance = Callable[[int], None]  # makes so many iterations


def case(L: int, q: int, m: int, n: int, seed: int = 0) -> tuple[dict[str, Any], dict[str, Any], Any, Any]:
    """The network at its start (V = 0, W of independent Gaussian entries, the same in all layers), and data."""
    r = np.random.RandomState(seed)
    spec = {"version": 1, "L": L, "q": q, "m": m, "n": n, "d": q, "dout": q, "clip": None, "train": "VW", "rtol": 1e-9}
    spec["activation"] = {"name": "gelu", "a": 1.0, "b": 1.0}
    W = np.repeat(r.randn(1, m, q), L, axis=0)
    return spec, {"A": np.eye(q), "V": np.zeros((L, q, m)), "W": W, "B": np.eye(q)}, r.randn(n, q), r.randn(n, q)


def authors(spec: Any, params: Any, x: Any, y: Any) -> tuple[Advance, Callable[[], Any]]:
    """A loop over layers, autograd and SGD; a tensor for each layer."""
    V, W = ([torch.tensor(layer, requires_grad=True) for layer in params[k]] for k in "VW")
    x, y, q, m, L = torch.tensor(x), torch.tensor(y), spec["q"], spec["m"], spec["L"]
    optimiser = torch.optim.SGD([*V, *W], lr=STEP * L)

    def advance(iterations: int) -> None:
        for _ in range(iterations):
            h = x
            for V_k, W_k in zip(V, W, strict=True):
                h = h + torch.nn.functional.gelu(h @ W_k.T / q**0.5) @ V_k.T / (L * m**0.5)
            loss = ((h - y) ** 2).sum() / len(x)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    return advance, lambda: [torch.stack(layers).detach().numpy() for layers in (V, W)]


def ours(spec: Any, params: Any, x: Any, y: Any) -> tuple[Advance, Callable[[], Any]]:
    """The same by the compiled kernel."""
    steps = descend(spec, params, x, y, STEP, sys.maxsize, ONE)
    state = next(steps)

    def advance(iterations: int) -> None:
        nonlocal state
        for _ in range(iterations):
            state = next(steps)

    return advance, lambda: [state.scaled[k] for k in "VW"]


def _descent(advance: Advance, budget: float, iterations: int) -> dict[str, Any]:
    """Processor seconds of that many iterations: all of them, or as many as fit the budget, three at least, and multiplied."""
    begun, start = time.monotonic(), time.process_time()
    advance(1)  # takes the memory, so it is not multiplied
    first, done, start = time.process_time() - start, 1, time.process_time()
    while done < iterations and (done < 3 or time.monotonic() - begun < budget):
        now = min(1 + done // 4, iterations - done)
        advance(now)
        done += now
    taken = first + (time.process_time() - start) * (iterations - 1) / max(done - 1, 1)
    return {"seconds": taken, "measured": done, "extrapolated": done < iterations}


def _norm(arrays: Sequence[Any], others: Sequence[Any]) -> float:
    return float(np.sqrt(sum(np.sum((a - b) ** 2) for a, b in zip(arrays, others, strict=True))))


def one(L: int, sizes: Mapping[str, int], budget: float, evaluations: float, iterations: int) -> dict[str, Any]:
    """All ways at one depth; evaluations: what the flow took at the depth before, for saying what it would take here."""
    start = case(L, **sizes)
    spec, params, x, y = start
    steps = {"authors": authors(*start), "compiled": ours(*start)}
    for advance, _ in steps.values():
        advance(1)
    first = [read() for _, read in steps.values()]
    apart, tolerance = _norm(*first) / np.linalg.norm(first[0][1]), rounding(spec)
    if not apart <= tolerance:
        raise Disagreement(f"descents are {apart:.2g} apart after one iteration at L = {L}, allowed {tolerance:.2g}")
    steps = {"authors": authors(*start), "compiled": ours(*start)}
    found: dict[str, Any] = {"L": L, **{name: _descent(advance, budget, iterations) for name, (advance, _) in steps.items()}}
    end = np.array([iterations * STEP])
    calls, rates = 0, RightHandSide(spec).rates(x, y)

    def at(theta: Any) -> Any:
        nonlocal calls
        calls += 1
        return rates(theta)

    if found["compiled"]["seconds"] * evaluations / iterations < budget or L <= MEASURED:
        before = time.process_time()
        moved = flow.integrate(spec, params, x, y, end, RTOL, at)
        taken = time.process_time() - before
        found["flow"] = {"seconds": taken, "evaluations": calls, "extrapolated": False}
    else:
        each = found["compiled"]["seconds"] / iterations
        found["flow"] = {"seconds": each * evaluations, "evaluations": evaluations, "extrapolated": True}
    if L <= MEASURED:
        exact = flow.integrate(spec, params, x, y, end, flow.FINEST, rates)
        reference, begun = [exact[k][0] for k in "VW"], [params[k] for k in "VW"]
        size = _norm(reference, begun)
        found["flow"]["error"] = _norm([moved[k][0] for k in "VW"], reference) / size
        advance, read = steps["compiled"]
        advance(iterations - found["compiled"]["measured"])
        found["compiled"]["error"] = _norm(read(), reference) / size
    return found


def measure(
    depths: Sequence[int] = DEPTHS, sizes: Mapping[str, int] = SIZES, budget: float = 1.0, iterations: int = ITERATIONS
) -> dict[str, Any]:
    """Per depth: seconds of each way, what was extrapolated, and errors of V and W against the flow, relative to its displacement."""
    found: list[dict[str, Any]] = []
    for L in depths:
        found.append(one(L, sizes, budget, found[-1]["flow"]["evaluations"] if found else 0.0, iterations))
    total = {name: sum(row[name]["seconds"] for row in found) for name in ("authors", "compiled", "flow")}
    return {"sizes": dict(sizes), "iterations": iterations, "step": STEP, "depths": found, "total": total}
