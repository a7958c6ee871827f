"""256 small networks, where the overhead of a call decides: a property-based suite lives here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.rhs import BLOCKS, by_block, instance, torch_autograd
from benchmarks.timing import Contestant, contest, rounding
from depthlimit.models import backward
from depthlimit.models.compiled.implementation import CompiledImplementation


def _entered(cases: Sequence[Any]) -> dict[str, Contestant]:
    autograd, ours = [torch_autograd(*case) for case in cases], CompiledImplementation()

    def each(name: str) -> Callable[[Any], list[Any]]:
        read = [by_block(case[0])[name] for case in cases]
        return lambda found: [array for r, f in zip(read, found, strict=True) for array in r(f)]

    def blocks(found: Any) -> list[Any]:
        return [answer[k] for answer in found for k in BLOCKS]

    return {
        "compiled": Contestant(lambda: [ours.gradients(*case) for case in cases], blocks),
        "compiled, batch": Contestant(lambda: ours.batch("gradients", cases), blocks),
        "NumPy": Contestant(lambda: [backward.loss_and_gradients(*case) for case in cases], each("NumPy")),
        "torch autograd": Contestant(lambda: [run() for run in autograd], each("torch autograd")),
    }


def measure(count: int = 256, seconds: float = 10.0) -> dict[str, Any]:
    """Microseconds per network, of random shapes (q, m, n <= 8, L <= 64) and of one shape: {"random shapes", "one shape"}."""
    r = np.random.RandomState(0)
    random = [instance(int(r.randint(1, 65)), *(int(k) for k in r.randint(1, 9, 3)), 1, 1, seed=j) for j in range(count)]
    same = [instance(32, 5, 6, 4, 2, 1, seed=j) for j in range(count)]
    return {
        "count": count,
        **{
            name: contest(_entered(cases), seconds / 2, count * 1e-6, max(rounding(case[0]) for case in cases))
            for name, cases in (("random shapes", random), ("one shape", same))
        },
    }
