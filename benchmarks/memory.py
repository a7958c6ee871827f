"""Peak memory of one right-hand side against depth: what the largest resident set of a process of its own grows by.

    python -m benchmarks.memory WAY Q M N L...

prints that in bytes for each depth. Parameters and gradients lie in memory before, so that what is left is what a way needs beyond them.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.timing import exponent

WAYS = ("compiled", "compiled, checkpoints", "torch autograd")
SIZES = {"q": 16, "m": 32, "n": 400, "d": 10, "dout": 1}
DEPTHS = (256, 1024, 4096, 16384)
MOST = 4 * 2**30  # bytes that a way may need; torch keeps (2 q + 3 m) n numbers a layer, the compiled one (q + 2 m) n
PAGE = 2**20  # what the allocator and the interpreter take in passing


def beyond(way: str, L: int, q: int, m: int, n: int) -> int:
    """Bytes by which one right-hand side raises the largest resident set of this process, gradients taken off."""
    from benchmarks.rhs import BLOCKS, instance, torch_autograd
    from depthlimit.models.compiled.implementation import RightHandSide
    from depthlimit.models.residual import Workspace

    def made(L: int) -> Any:
        case = instance(L, q, m, n, SIZES["d"], SIZES["dout"])
        spec, params, x, y = case
        if way == "torch autograd":
            return torch_autograd(*case)
        theta, out = [params[k][None] for k in BLOCKS], Workspace()
        for k, block in zip(BLOCKS, theta, strict=True):
            out.empty(k, *block.shape)[...] = 0.0  # the gradients, in memory
        ours = RightHandSide(spec, checkpoint=way != "compiled")
        return lambda: ours("gradients", theta, x[None], y[None], out)

    def peak() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    made(2)()  # what compilers and libraries take is taken before
    run = made(L)
    before = peak()
    run()
    # Gradients of torch are made by the call itself.
    return peak() - before - (16 * L * q * m if way == "torch autograd" else 0)


def forked(way: str, L: int, *sizes: int) -> int:
    """`beyond` in a fork, whose largest resident set starts from what it inherits."""
    ours, theirs = os.pipe()
    if not (child := os.fork()):
        status = 1
        try:
            os.write(theirs, str(beyond(way, L, *sizes)).encode())
            status = 0
        finally:
            os._exit(status)
    os.close(theirs)
    with open(ours, encoding="ascii") as answer:
        text = answer.read()
    os.waitpid(child, 0)
    return int(text)


def measure(depths: Sequence[int] = DEPTHS, sizes: Mapping[str, int] = SIZES, ways: Sequence[str] = WAYS) -> dict[str, Any]:
    """Per way: depths, bytes beyond parameters and gradients, and the fitted exponent over depths that need more than `PAGE`."""
    found, per_layer = [], 8 * sizes["n"] * (2 * sizes["q"] + 3 * sizes["m"])
    for way in ways:
        asked = [L for L in depths if way == "compiled, checkpoints" or per_layer * L <= MOST]
        command = [sys.executable, "-m", "benchmarks.memory", way, *(str(sizes[k]) for k in "qmn"), *map(str, asked)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
        taken = json.loads(done.stdout)
        fitted = [(L, b) for L, b in zip(asked, taken, strict=True) if b > PAGE]
        fit = exponent(*zip(*fitted, strict=True)) if len(fitted) > 1 else {"exponent": None, "error": None}
        found.append({"name": way, "depths": asked, "bytes": taken, **fit})
    return {"sizes": dict(sizes), "ways": found}


def main(way: str, *numbers: str) -> None:
    """Print the bytes of each depth."""
    q, m, n, *depths = map(int, numbers)
    import benchmarks.rhs  # noqa: F401, once for all forks

    if way != "torch autograd":  # whose threads do not survive a fork
        beyond(way, 2, q, m, n)
    print(json.dumps([forked(way, L, q, m, n) for L in depths]))


if __name__ == "__main__":
    main(*sys.argv[1:])
