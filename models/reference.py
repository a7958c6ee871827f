"""The NumPy implementation of the protocol: a thin layer over this package's own modules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from depthlimit.models import backward, flow, limit, residual
from depthlimit.models.clip import KINDS
from depthlimit.models.implementation import Arrays, Network
from depthlimit.theory.activation import CATALOGUE
from depthlimit.theory.quantity import Array


class NumpyImplementation:
    """`Implementation` on the CPU in NumPy: (3) forward, gradients by (13)-(16)."""

    name = "numpy"
    version = np.__version__
    language = "Python"
    device = "cpu"
    activations = tuple(CATALOGUE)
    clips = KINDS

    def forward(self, spec: Network, params: Arrays, x: Array) -> dict[str, Array]:
        """Hidden states and output of (3)."""
        hidden, output = residual.forward(spec, params, x)
        return {"hidden": hidden, "output": output}

    def loss(self, spec: Network, params: Arrays, x: Array, y: Array) -> float:
        """The mean squared error."""
        return float(residual.loss(residual.forward(spec, params, x)[1], y))

    def gradients(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """∂ℓ/∂θ by (14)-(16)."""
        return backward.loss_and_gradients(spec, params, x, y)[1]

    def velocity(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """The right-hand side of (4) or (5)."""
        return flow.velocity(spec, self.gradients(spec, params, x, y))

    def flow(self, spec: Network, params: Arrays, x: Array, y: Array, times: Array) -> dict[str, Array]:
        """The flow (4) or (5) at times."""
        result = flow.integrate(spec, params, x, y, times)
        return {k: v for k, v in result.items() if not k.startswith("energy")}  # the energy is no part of the protocol

    def neural_ode(self, spec: Network, weights: Arrays, x: Array, s: Array) -> dict[str, Array]:
        """The neural ODE (6)."""
        return limit.neural_ode(spec, weights, x, s)

    def batch(self, method: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Many calls, one after the other."""
        return [getattr(self, method)(*given) for given in arguments]
