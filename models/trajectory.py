"""Trajectory: what one implementation does on one spec, computed when it is asked for and only once.

`realise` turns a Spec into arrays; a `Trajectory` calls the implementation's methods at the states of its own flow, and holds
beside them our
adjoint (13) at the implementation's hidden states, the rounding radii there, and the reference flow with its error. Leading axes are
[batch time]; batch is 1 for a flow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from depthlimit.models import backward, flow
from depthlimit.models.calls import MethodUnsupported, call
from depthlimit.models.clip import KINKED
from depthlimit.models.data import ArrayStore, inputs
from depthlimit.models.implementation import Implementation
from depthlimit.models.initialisation import parameters
from depthlimit.models.rounding import Rounding, euclid, frobenius
from depthlimit.models.spec import Spec
from depthlimit.theory.quantity import Array

BLOCKS = ("A", "V", "W", "B")


@dataclass(frozen=True)
class Batch:
    """A realised Spec: the protocol's mapping, the initial parameters and the data, float64.

    params: A (q,d), V (L,q,m), W (L,m,q), B (dout,q); x (n,d); y (n,dout).
    """

    spec: Spec
    network: dict[str, Any]
    params: dict[str, Array]
    x: Array
    y: Array


def realise(spec: Spec, arrays: ArrayStore, L: int | None = None) -> Batch:
    """The arrays of a Spec, at depth L if given."""
    x, y = inputs(spec, arrays)
    depth = spec.L if L is None else L
    return Batch(spec, spec.network(depth), parameters(spec, depth, arrays), x, y)


def asked_error(network: dict[str, Any], states: dict[str, Array]) -> dict[str, Array]:
    """The error that the protocol allows a flow, per array and time: (100 rtol |displacement| + rtol |array|)(Frobenius).

    At the default rtol 1e-9 these are the protocol's 1e-7 and 1e-9; ten times as much of the displacement for clips with kinks. 0 at t = 0.
    """
    rtol = network["rtol"]
    share = 100 * rtol * (10 if network["clip"] and network["clip"]["kind"] in KINKED else 1)
    out = {}
    for k, value in states.items():
        flat = value.reshape(*value.shape[:2], -1)
        moved = np.sqrt(np.sum((flat - flat[:, :1]) ** 2, axis=-1))
        error = share * moved + rtol * np.sqrt(np.sum(flat**2, axis=-1))
        out[k] = np.where(moved == 0, 0.0, error)
    return out


class Trajectory:
    """One implementation on one realised network.

    Args:
        batch: from `realise`.
        implementation: any that meets the protocol.
    """

    def __init__(self, batch: Batch, implementation: Implementation) -> None:
        self.batch, self.implementation = batch, implementation
        self.spec, self.network = batch.spec, batch.network
        self.times = np.array(batch.spec.times)

    @cached_property
    def flow(self) -> dict[str, Array]:
        """The implementation's flow, leading axes [batch time]."""
        b = self.batch
        answer = call(self.implementation, "flow", b.network, params=b.params, x=b.x, y=b.y, times=self.times)
        return {k: v[None] for k, v in answer.items()}

    @property
    def flowed(self) -> dict[str, Array]:
        """A [1 T q d], V [1 T L q m], W [1 T L m q], B [1 T dout q] along the implementation's own flow."""
        return {k: self.flow[k] for k in BLOCKS}

    @cached_property
    def states(self) -> dict[str, Array]:
        """The states at which everything local is checked: `flowed`, or the reference flow's if the implementation has no flow."""
        try:
            return self.flowed
        except MethodUnsupported:
            return {k: self.reference[0][k] for k in BLOCKS}

    @cached_property
    def state_error(self) -> dict[str, Array]:
        """Radius of each array of the flow [1 T]: what the protocol asks."""
        return asked_error(self.network, self.flowed)

    def _each(self, method: str, **more: Any) -> dict[str, Array]:
        answers = [
            call(
                self.implementation,
                method,
                self.network,
                params={k: self.states[k][b, t] for k in BLOCKS},
                x=self.batch.x,
                **more,
            )
            for b, t in np.ndindex(*self.states["A"].shape[:2])
        ]
        lead = self.states["A"].shape[:2]
        return {k: np.stack([a[k] for a in answers]).reshape(lead + answers[0][k].shape) for k in answers[0]}

    @cached_property
    def forward(self) -> dict[str, Array]:
        """hidden [1 T L+1 n q], output [1 T n dout] from the implementation."""
        return self._each("forward")

    @cached_property
    def loss(self) -> Array:
        """Loss from the implementation's `loss` [1 T]."""
        lead = self.states["A"].shape[:2]
        values = [
            call(
                self.implementation,
                "loss",
                self.network,
                params={k: self.states[k][b, t] for k in BLOCKS},
                x=self.batch.x,
                y=self.batch.y,
            )
            for b, t in np.ndindex(*lead)
        ]
        return np.array(values).reshape(lead)

    @cached_property
    def gradients(self) -> dict[str, Array]:
        """∂ℓ/∂θ from the implementation, leading axes [1 T]."""
        return self._each("gradients", y=self.batch.y)

    @cached_property
    def velocity(self) -> dict[str, Array]:
        """θ' from the implementation, leading axes [1 T]."""
        return self._each("velocity", y=self.batch.y)

    @cached_property
    def adjoint(self) -> Array:
        """Our (13) at the implementation's hidden states, per sample [1 T L+1 n q]."""
        return backward.adjoint(self.network, self.states, self.forward["hidden"], self.batch.y)

    @cached_property
    def rounding(self) -> Rounding:
        """Rounding radii at the implementation's states."""
        f = self.forward
        return Rounding(self.network, self.states, self.batch.x, self.batch.y, f["hidden"], f["output"], self.adjoint)

    @cached_property
    def cancellation(self) -> Array:
        """(|F(x_i)| + |y_i|)/|F(x_i) - y_i| [1 T n], at least 1: by how much the error of a sample is smaller than its terms.

        Whatever is proportional to the error is known relative to its terms only: late in training nothing better can be measured.
        """
        F, y = euclid(self.forward["output"]), euclid(self.batch.y)
        error = euclid(self.forward["output"] - self.batch.y)
        return np.divide(F + y, error, out=np.ones_like(error), where=error > 0)

    @cached_property
    def reference(self) -> tuple[dict[str, Array], dict[str, Array]]:
        """The NumPy flow from the same initial state, leading axes [1 T], and its error: the difference of two tolerances.

        The difference between a run at tolerance τ and one at τ/100 is dominated by the error of the first, so it over-estimates
        that of the second, which is the one returned; rounding of a sum over the steps is covered by 2⁻⁴⁰ of the array.
        """
        b = self.batch
        fine, coarse = (flow.integrate(b.network, b.params, b.x, b.y, self.times, rtol) for rtol in self._tolerances())
        error = {}
        for k, value in fine.items():
            axes = tuple(range(1, value.ndim))
            size = np.sqrt(np.sum(value**2, axis=axes))
            error[k] = (np.sqrt(np.sum((value - coarse[k]) ** 2, axis=axes)) + 2.0**-40 * size)[None]
            error[k][:, self.times == 0] = 0.0
        return {k: v[None] for k, v in fine.items()}, error

    def _tolerances(self) -> tuple[float, float]:
        rtol = self.network["rtol"]
        return max(rtol / 10, 1e-13), max(10 * rtol, 1e-11)

    @cached_property
    def loss_error(self) -> Array:
        """Radius of the loss at the implementation's states as the loss of the exact flow [1 T].

        |ℓ(θ̂) - ℓ(θ)| <= Σ_blocks |∂ℓ| |θ̂ - θ| to first order, with the gradients at θ̂, plus the rounding of ℓ(θ̂); the second order is below
        1e-7 of the first and is covered by a factor 1.01.
        """
        g = {k: self.gradients[k].reshape(*self.gradients[k].shape[:2], -1) for k in BLOCKS}
        total = sum(np.sqrt(np.sum(g[k] ** 2, axis=-1)) * self.state_error[k] for k in BLOCKS)
        return np.asarray(1.01 * total + self.rounding.loss)


def operator_norm(a: Array) -> tuple[Array, Array]:
    """Largest singular value over the last two axes, and its radius: LAPACK's backward error, at most max(rows, columns) u |a|_F."""
    value = np.linalg.norm(a, ord=2, axis=(-2, -1))
    return value, max(a.shape[-2:]) * 2.0**-53 * 4 * frobenius(a)
