"""Departures by which the loss is another function of outputs and labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from depthlimit.conformance.diagnosis.laws import Departure
from depthlimit.conformance.faults.planting import Faulty
from depthlimit.models import residual
from depthlimit.models.implementation import Array, Arrays, Network


class Loss(Faulty):
    """Another function of the outputs and labels."""

    def __init__(self, value: Callable[[Array], Any]) -> None:
        self.value = value

    def loss(self, spec: Network, params: Arrays, x: Array, y: Array) -> float:
        """Of F(x) - y [n dout]."""
        return float(self.value(residual.forward(spec, params, x)[1] - y))


def losses() -> Iterator[Departure]:
    """Of the errors F(x) - y."""

    yield Departure("the loss is the root of the mean square", lambda: Loss(lambda e: np.sqrt(np.sum(e**2) / len(e))))
    yield Departure("the loss is the mean distance", lambda: Loss(lambda e: np.mean(np.linalg.norm(e, axis=1))))
    yield Departure("the loss is the sum of absolute errors", lambda: Loss(lambda e: np.sum(np.abs(e)) / len(e)))
    yield Departure("the last sample is left out of the loss", lambda: Loss(lambda e: np.sum(e[:-1] ** 2) / max(len(e) - 1, 1)))
