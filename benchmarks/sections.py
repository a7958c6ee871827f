"""What `python -m benchmarks` can measure: sections by name, each with small sizes for a quick run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from benchmarks import figure1, flows, gpu, memory, rhs, scaling, small, suite

TINY = {"q": 3, "m": 4, "n": 5, "d": 2, "dout": 1}


@dataclass(frozen=True)
class Section:
    """`quick` are arguments of `measure` for sizes that say nothing and take seconds; `asked`: only when asked for by name."""

    title: str
    measure: Callable[..., Any]
    quick: Mapping[str, Any] = field(default_factory=dict)
    asked: bool = False


def on_gpu(**sizes: Any) -> dict[str, Any]:
    """`gpu.measure`, or why not."""
    return gpu.measure("cuda", **sizes) if torch.cuda.is_available() else {"device": None, "note": gpu.ABSENT}


_FLOW = {**TINY, "L": 4}
_GPU = {"d": 2, "dout": 1, "q": 3, "m": 4, "L": 2, "n": 2}
SECTIONS = {
    "rhs": Section("Right-hand side", rhs.measure, {"depths": (4, 8), "sizes": TINY, "seconds": 0.0}),
    "small": Section("Small networks", small.measure, {"count": 4, "seconds": 0.0}),
    "flows": Section("Flows at equal error", flows.measure, {"sizes": (_FLOW,), "T": 0.5, "seconds": 0.0}),
    "scaling": Section("Exponents", scaling.measure, {"grid": {"L": (4, 8), "batch": (1, 2)}, "base": {**TINY, "L": 4}, "seconds": 0.0}),
    "memory": Section("Peak memory", memory.measure, {"depths": (256, 1024), "sizes": {**TINY, "n": 400}, "ways": ("compiled",)}),
    "figure1": Section("Figure 1", figure1.measure, {"depths": (2, 4), "sizes": {"q": 3, "m": 4, "n": 5}, "budget": 0.2, "iterations": 50}),
    "suite": Section("Quick verification", suite.verification, {"implementations": ("compiled",), "only": ("prop7.displacement",)}),
    "tests": Section("Tests", suite.tests, {"arguments": ("tests/meta/test_networks.py",)}, asked=True),
    "gpu": Section("GPU", on_gpu, {"product": 64, "paper": _GPU, "counts": (1, 3), "small": _GPU, "smalls": 5, "T": 0.1, "rounds": 2}),
}
