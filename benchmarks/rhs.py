"""One right-hand side, the loss and all gradients of (3) in float64 on one thread, by several implementations side by side.

Beside them what a layer cannot do without, its six products and its activations, and one large product. JAX takes part where it is
installed. Ratios are what carries over to other machines.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from benchmarks.timing import Contestant, Contestants, agree, rounding, rows, turns
from depthlimit.models import backward
from depthlimit.models.compiled.caching import inner
from depthlimit.models.compiled.implementation import RightHandSide
from depthlimit.models.compiled.products import times, times_transposed, transposed_times
from depthlimit.models.compiled.sigma import NAMES, activate
from depthlimit.models.residual import Workspace

BLOCKS = ("A", "V", "W", "B")
SIZES = {"q": 16, "m": 32, "n": 100, "d": 10, "dout": 1}
DEPTHS = (64, 1024, 16384)
PRODUCT = 1500
LIMITS = {"products": 100, "activations": 100}  # layers in a call


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
    h, s, u = (torch.empty(shape, dtype=torch.float64) for shape in ((L + 1, n, q), (L, n, m), (n, m)))
    gV, gW = torch.empty_like(V), torch.empty_like(W)
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


def by_block(spec: Any) -> dict[str, Callable[[Any], Sequence[Any]]]:
    """How the answer of each contestant is read: gradients of A, V, W, B."""
    L = spec["L"]

    def autograd(found: Any) -> Sequence[Any]:
        A, *layers, B = found[1]
        return [A, torch.stack(layers[:L]), torch.stack(layers[L:]), B]

    ours = lambda found: [found[k][0] for k in BLOCKS]  # noqa: E731
    return {
        "torch autograd": autograd,
        "torch by hand": lambda found: found[1:],
        "NumPy": lambda found: [found[1][k] for k in BLOCKS],
        "compiled": ours,
        "compiled, checkpoints": ours,
        "JAX": lambda found: found[1:],
    }


def contestants(*case: Any) -> Contestants:
    """What is compared on one instance; each call computes the loss and all gradients."""
    spec, params, x, y = case
    work, out, ours = Workspace(), Workspace(), RightHandSide(spec)
    checkpointed, theta = RightHandSide(spec, checkpoint=True), [params[k][None] for k in BLOCKS]
    runs: dict[str, Callable[[], Any]] = {
        "compiled": lambda: ours("gradients", theta, x[None], y[None], out),
        "compiled, checkpoints": lambda: checkpointed("gradients", theta, x[None], y[None], out),
        "NumPy": lambda: backward.loss_and_gradients(spec, params, x, y, work),
        "torch by hand": torch_by_hand(*case),
        "torch autograd": torch_autograd(*case),
    }
    if importlib.util.find_spec("jax"):
        runs["JAX"] = by_jax(*case)
    read = by_block(spec)
    return {name: Contestant(run, read[name]) for name, run in runs.items()}


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


def limits(sizes: Mapping[str, int]) -> dict[str, Callable[[], Any]]:
    """What a layer cannot do without, so many times as `LIMITS` says: its six products, its activations; and one large product."""
    r, (q, m, n) = np.random.RandomState(0), (sizes[k] for k in "qmn")
    arrays = [0.1 * r.randn(*shape) for shape in ((n, q), (n, m), (n, q), (q, m), (m, q), (q, m), (m, q))]
    u, s, d, big = r.randn(n, m), np.empty((n, m)), np.empty((n, m)), r.randn(PRODUCT, PRODUCT)
    return {
        "products": lambda: _products(LIMITS["products"], *arrays),
        "activations": lambda: _activations(LIMITS["activations"], NAMES.index("tanh"), u, s, d),
        "large product": lambda: big @ big,
    }


def measure(depths: Sequence[int] = DEPTHS, sizes: Mapping[str, int] = SIZES, seconds: float = 10.0) -> dict[str, Any]:
    """Per depth: microseconds per layer, ratios, what is attainable, and shares of the rate of the large product."""
    found = []
    for L in depths:
        case = instance(L, **sizes)
        entered = contestants(*case)
        apart = agree(entered, rounding(case[0]))
        raw = turns({name: c.run for name, c in entered.items()} | limits(sizes), seconds)
        rate = 2 * PRODUCT**3 / np.median(raw.pop("large product"))
        layered = {name: [t / LIMITS.get(name, L) for t in times] for name, times in raw.items()}
        least = [p + a for p, a in zip(layered.pop("products"), layered.pop("activations"), strict=True)]
        table = rows(layered | {"attainable": least}, 1e-6)
        flops = 12.0 * sizes["q"] * sizes["m"] * sizes["n"]
        for line in table:
            line["share"] = flops / (line["time"]["median"] * 1e-6) / rate
        found.append({"L": L, "apart": apart, "rows": table, "product_rate": rate / 1e9})
    absent = [] if importlib.util.find_spec("jax") else ["JAX"]
    return {"sizes": dict(sizes), "depths": found, "not_installed": absent}
