"""Numbers of the instance: sizes, horizon, data and activation constants, exact or certified."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import U, euclid
from depthlimit.models.trajectory import Batch
from depthlimit.theory.activation import Enclosure, constants
from depthlimit.theory.quantity import Field, number


class Run(Protocol):
    """Anything with a realised network."""

    batch: Batch


def enclosed(e: Enclosure) -> Field:
    """A certified enclosure as a Field; infinite if the supremum is."""
    if not np.isfinite(e.hi):
        return number(np.inf)
    mid = (e.lo + e.hi) / 2
    return number(mid, max(e.hi - mid, mid - e.lo))


def instance(run: Run) -> Mapping[str, Field]:
    """Sizes, T, K_σ, S₂, M_X, M_Y, mean |y|² and the flags of an instance."""
    b = run.batch
    net: dict[str, Any] = b.network
    c = constants(net["activation"]["name"], net["activation"]["a"], net["activation"]["b"])
    x, y = euclid(b.x), euclid(b.y)
    width = b.x.shape[1] + b.y.shape[1] + len(b.x) + 4
    return {
        **{k: number(float(net[k])) for k in ("d", "dout", "q", "m", "L", "n")},
        "T": number(b.spec.T),
        "K_sigma": enclosed(c["K_sigma"]),
        "S2": enclosed(c["S2"]),
        "M_X": number(float(x.max()), width * U * float(x.max())),
        "M_Y": number(float(y.max()), width * U * float(y.max())),
        "mean_y2": number(float(np.mean(y**2)), 2 * width * U * float(np.mean(y**2))),
        "trained_ends": number(float(net["train"] == "AVWB")),
        "paper_init": number(float(b.spec.init.kind == "paper")),
    }


NAMES = (*("d", "dout", "q", "m", "L", "n", "T", "K_sigma", "S2", "M_X", "M_Y", "mean_y2", "trained_ends", "paper_init"),)


def register_instance(kind: type) -> None:
    """Let runs of this type supply the numbers of their instance."""
    measures(*NAMES, on=kind)(instance)
