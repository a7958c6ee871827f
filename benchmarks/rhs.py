"""One right-hand side, the loss and all gradients of (3) in float64 on one thread, by several implementations side by side.

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 taskset -c 0 python benchmarks/rhs.py rhs.json

In one process, the contestants in turn; processor time, so that what else runs on the machine counts less. JAX takes part where it is
installed. Ratios are what carries over to other machines.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_info

from depthlimit.models import backward
from depthlimit.models.compiled.caching import inner
from depthlimit.models.compiled.implementation import CompiledImplementation, RightHandSide
from depthlimit.models.compiled.products import times, times_transposed, transposed_times
from depthlimit.models.compiled.sigma import NAMES, activate
from depthlimit.models.residual import Workspace

BLOCKS = ("A", "V", "W", "B")
SIZES = {"q": 16, "m": 32, "n": 100, "d": 10, "dout": 1}
DEPTHS = (64, 1024, 16384)
Contestants = dict[str, Callable[[], Any]]


def instance(L: int, q: int, m: int, n: int, d: int, dout: int, seed: int = 0) -> tuple[dict[str, Any], dict[str, Any], Any, Any]:
    """A network at a Gaussian state."""
    r = np.random.RandomState(seed)
    spec = {"version": 1, "L": L, "q": q, "m": m, "n": n, "d": d, "dout": dout, "clip": None, "train": "AVWB", "rtol": 1e-9}
    spec["activation"] = {"name": "tanh", "a": 1.0, "b": 1.0}
    params = {"A": r.randn(q, d), "V": r.randn(L, q, m), "W": r.randn(L, m, q), "B": r.randn(dout, q)}
    return spec, params, r.randn(n, d), r.randn(n, dout)


def torch_autograd(spec: Any, params: Any, x: Any, y: Any) -> Callable[[], Any]:
    """The authors' style: a loop over layers, and autograd; a tensor for each layer, as nn.ModuleList holds them."""
    A, B = (torch.tensor(params[k], requires_grad=True) for k in "AB")
    V, W = ([torch.tensor(layer, requires_grad=True) for layer in params[k]] for k in "VW")
    x, y, q, m, L = torch.tensor(x), torch.tensor(y), spec["q"], spec["m"], spec["L"]

    def run() -> Any:
        h = x @ A.T
        for V_k, W_k in zip(V, W, strict=True):
            h = h + torch.tanh(h @ W_k.T / q**0.5) @ V_k.T / (L * m**0.5)
        loss = ((h @ B.T - y) ** 2).sum() / len(x)
        return loss, torch.autograd.grad(loss, [A, *V, *W, B])

    return run


def torch_by_hand(spec: Any, params: Any, x: Any, y: Any) -> Callable[[], Any]:
    """The recurrences (12)-(16) in torch, into memory that is there."""
    A, V, W, B = (torch.tensor(params[k]) for k in BLOCKS)
    x, y = torch.tensor(x), torch.tensor(y)
    q, m, L, n = spec["q"], spec["m"], spec["L"], len(x)
    weight = 1 / (L * m**0.5)
    h, s, u, gV, gW = torch.empty(L + 1, n, q), torch.empty(L, n, m), torch.empty(n, m), torch.empty_like(V), torch.empty_like(W)
    hs, ss, Vs, Ws, gVs, gWs = (list(t.unbind(0)) for t in (h, s, V, W, gV, gW))
    VT, WT, W_scaled = [v.T for v in Vs], [w.T / q**0.5 for w in Ws], [w / q**0.5 for w in Ws]

    def run() -> Any:
        torch.mm(x, A.T, out=hs[0])
        for k in range(L):
            torch.mm(hs[k], WT[k], out=u)
            torch.tanh(u, out=ss[k])
            torch.addmm(hs[k], ss[k], VT[k], alpha=weight, out=hs[k + 1])
        error = 2 / n * (hs[L] @ B.T - y)
        p = error @ B
        for k in reversed(range(L)):
            torch.mm(p.T, ss[k], out=gVs[k]).mul_(weight)
            torch.mm(p, Vs[k], out=u)
            torch.addcmul(u, ss[k] * ss[k], u, value=-1, out=u).mul_(weight)
            torch.mm(u.T, hs[k], out=gWs[k]).mul_(q**-0.5)
            p.addmm_(u, W_scaled[k])
        return error, p.T @ x, gV, gW, error.T @ hs[L]

    return run


def by_jax(spec: Any, params: Any, x: Any, y: Any) -> Callable[[], Any]:
    """Two scans written by hand, jitted."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    q, m, L, n = spec["q"], spec["m"], spec["L"], len(x)
    weight = 1 / (L * m**0.5)

    def forth(h: Any, layer: Any) -> Any:
        V, W = layer
        s = jnp.tanh(h @ W.T / q**0.5)
        return h + weight * (s @ V.T), (h, s)

    def back(p: Any, layer: Any) -> Any:
        V, W, h, s = layer
        r = weight / q**0.5 * ((p @ V) * (1 - s * s))
        return p + r @ W, (weight * (p.T @ s), r.T @ h)

    def gradients(A: Any, V: Any, W: Any, B: Any, x: Any, y: Any) -> Any:
        end, (h, s) = jax.lax.scan(forth, x @ A.T, (V, W))
        error = end @ B.T - y
        p, (gV, gW) = jax.lax.scan(back, 2 / n * error @ B, (V, W, h, s), reverse=True)
        return (error * error).sum() / n, p.T @ x, gV, gW, 2 / n * error.T @ end

    compiled, arguments = jax.jit(gradients), [jnp.asarray(a) for a in (*(params[k] for k in BLOCKS), x, y)]
    return lambda: jax.block_until_ready(compiled(*arguments))


def contestants(*case: Any) -> Contestants:
    """What is compared on one instance; each call computes the loss and all gradients."""
    spec, params, x, y = case
    work, out, ours = Workspace(), Workspace(), RightHandSide(spec)
    checkpointed, theta = RightHandSide(spec, checkpoint=True), [params[k][None] for k in BLOCKS]
    found: Contestants = {
        "torch autograd": torch_autograd(*case),
        "torch by hand": torch_by_hand(*case),
        "NumPy": lambda: backward.loss_and_gradients(spec, params, x, y, work),
        "compiled": lambda: ours("gradients", theta, x[None], y[None], out),
        "compiled, checkpoints": lambda: checkpointed("gradients", theta, x[None], y[None], out),
    }
    if importlib.util.find_spec("jax"):
        found["JAX"] = by_jax(*case)
    return found


@inner
def _products(repeat: int, h: Any, u: Any, p: Any, V: Any, W: Any, gV: Any, gW: Any) -> None:
    for _ in range(repeat):
        times_transposed(0.25, h, W, 0.0, u)
        times_transposed(1e-3, u, V, 1.0, p)
        times(1e-3, p, V, 0.0, u)
        transposed_times(1e-3, p, u, gV)
        transposed_times(1e-3, u, h, gW)
        times(1e-3, u, W, 1.0, p)


@inner
def _activations(repeat: int, name: int, u: Any, s: Any, d: Any) -> None:
    for _ in range(repeat):
        activate(name, 1.0, 1.0, u, s, d)


def limits() -> Contestants:
    """What a layer cannot do without, 100 times: its six products, its activations; and one large product."""
    r, (q, m, n) = np.random.RandomState(0), (SIZES[k] for k in "qmn")
    arrays = [0.1 * r.randn(*shape) for shape in ((n, q), (n, m), (n, q), (q, m), (m, q), (q, m), (m, q))]
    u, s, d, big = r.randn(n, m), np.empty((n, m)), np.empty((n, m)), r.randn(1500, 1500)
    return {
        "products": lambda: _products(100, *arrays),
        "activations": lambda: _activations(100, NAMES.index("tanh"), u, s, d),
        "large product": lambda: big @ big,
    }


def interleaved(found: Contestants, seconds: float) -> dict[str, list[float]]:
    """Processor seconds of a call of each, in turn until so many seconds are over, three turns at least.

    A turn is calls for 20 ms after one that is not counted: of what the others left in the caches nothing is paid for.
    """
    calls = {}
    for name, run in found.items():
        run()
        start = time.process_time()
        run()
        calls[name] = max(1, int(0.02 / (time.process_time() - start)))
    taken: dict[str, list[float]] = {name: [] for name in found}
    end = time.monotonic() + seconds
    while time.monotonic() < end or min(map(len, taken.values())) < 3:
        for name, run in found.items():
            run()
            start = time.process_time()
            for _ in range(calls[name]):
                run()
            taken[name].append((time.process_time() - start) / calls[name])
    return taken


def summary(taken: Mapping[str, list[float]], unit: float) -> dict[str, dict[str, float]]:
    """Median, quartiles and minimum in that unit."""
    quantiles = {"min": 0, "lower": 25, "median": 50, "upper": 75}
    return {name: {k: float(np.percentile(t, p) / unit) for k, p in quantiles.items()} | {"runs": len(t)} for name, t in taken.items()}


def tiny() -> Contestants:
    """256 instances with q, m, n <= 8 and L <= 64, one after the other."""
    r = np.random.RandomState(0)
    cases = [instance(int(r.randint(1, 65)), *(int(k) for k in r.randint(1, 9, 3)), 1, 1, seed=j) for j in range(256)]
    autograd, ours = [torch_autograd(*case) for case in cases], CompiledImplementation()
    return {
        "torch autograd": lambda: [run() for run in autograd],
        "NumPy": lambda: [backward.loss_and_gradients(*case) for case in cases],
        "compiled": lambda: [ours.gradients(*case) for case in cases],
    }


def main(path: Path, seconds: float) -> None:
    """Run all of it and write the JSON."""
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    result: dict[str, Any] = {"machine": platform.processor() or platform.machine(), "cpus": os.cpu_count(), "sizes": SIZES}
    # Which kernels BLAS has chosen decides most: on a processor unknown to it OPENBLAS_CORETYPE chooses better.
    result["blas"] = [{k: library.get(k) for k in ("filepath", "version", "architecture")} for library in threadpool_info()]
    for L in DEPTHS:
        raw = interleaved(contestants(*instance(L, **SIZES)) | limits(), seconds)
        per_layer = {k: [t / (100 if k in ("products", "activations") else L) for t in v] for k, v in raw.items() if k != "large product"}
        found = summary(per_layer, 1e-6)
        flops = 12 * SIZES["q"] * SIZES["m"] * SIZES["n"]
        rate = 2 * 1500**3 / np.median(raw["large product"]) / 1e9
        attainable = found["products"]["median"] + found["activations"]["median"]
        ours = found["compiled"]["median"]
        result[f"L={L}"] = {
            "microseconds per layer": found,
            "large product GFLOP/s": rate,
            "attainable": attainable,
            "compiled over attainable": ours / attainable,
            "share of the large product's rate": flops / ours / 1e3 / rate,
            "times faster than": {k: v["median"] / ours for k, v in found.items()},
        }
    found = summary(interleaved(tiny(), seconds), 256e-6)
    ours = found["compiled"]["median"]
    result["tiny"] = {"microseconds": found, "times faster than": {k: v["median"] / ours for k, v in found.items()}}
    path.write_text(json.dumps(result, indent=2) + "\n")
    for key, value in result.items():
        print(key, json.dumps(value, indent=1) if isinstance(value, dict) else value)


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 60.0)
