"""Trajectory: what one implementation does on one spec, computed when it is asked for and only once.

`realise` turns a Spec into arrays; a `Trajectory` calls the implementation's methods at the states of its own flow, and holds
beside them our
adjoint (13) at the implementation's hidden states, the rounding radii there, and the reference flow with its error. Leading axes are
[batch time]; batch is 1 for a flow.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from depthlimit.models import backward, flow, residual
from depthlimit.models.calls import MethodUnsupported, Misbehaviour, batch, call
from depthlimit.models.data import ArrayStore, inputs
from depthlimit.models.implementation import Implementation
from depthlimit.models.initialisation import parameters
from depthlimit.models.rounding import Rounding, euclid, frobenius
from depthlimit.models.spec import Spec
from depthlimit.models.variational import Linearisation
from depthlimit.theory.paper.comparison import SYSTEM
from depthlimit.theory.quantity import Array

BLOCKS = ("A", "V", "W", "B")
_FINEST = 1e-12  # the smallest rtol of which the local tolerance is a tenth: below it steps meet the rounding of the right-hand side


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
    """The error that the protocol allows a flow (`flow.asked`), per array and time [1 T], Frobenius; 0 at t = 0."""
    out = {}
    for k, value in states.items():
        flat = value.reshape(*value.shape[:2], -1)
        out[k] = flow.asked(network, euclid(flat - flat[:, :1]), euclid(flat))
    return out


class Trajectory:
    """One implementation on one realised network.

    Args:
        batch: from `realise`.
        implementation: any that meets the protocol.
    """

    linearisation = Linearisation  # of successive weights; planted faults are other ones
    comparison = SYSTEM  # of the bounds without clipping; planted faults are other ones

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
        """The states at which everything local is checked: `flowed`, or the reference flow's where the implementation has none to give."""
        try:
            return self.flowed
        except (MethodUnsupported, Misbehaviour):
            return {k: self.reference[0][k] for k in BLOCKS}

    @cached_property
    def state_error(self) -> dict[str, Array]:
        """Radius of each array of the flow [1 T]: what the protocol asks."""
        return asked_error(self.network, self.flowed)

    def arguments(self, method: str, at: tuple[int, int] = (0, -1)) -> dict[str, Any]:
        """What the method is asked at a state: [batch time], the last one if none is named."""
        y = {} if method == "forward" else {"y": self.batch.y}
        return {"params": {k: self.states[k][at] for k in BLOCKS}, "x": self.batch.x, **y}

    def _asked(self, method: str) -> list[Any]:
        """The method's answers at the states, one call for each."""
        places = np.ndindex(*self.states["A"].shape[:2])
        return [call(self.implementation, method, self.network, **self.arguments(method, at)) for at in places]

    def _each(self, method: str) -> dict[str, Array]:
        answers, lead = self._asked(method), self.states["A"].shape[:2]
        return {k: np.stack([a[k] for a in answers]).reshape(lead + answers[0][k].shape) for k in answers[0]}

    @cached_property
    def forward(self) -> dict[str, Array]:
        """hidden [1 T L+1 n q], output [1 T n dout] from the implementation."""
        return self._each("forward")

    @cached_property
    def loss(self) -> Array:
        """Loss from the implementation's `loss` [1 T]."""
        return np.reshape(self._asked("loss"), self.states["A"].shape[:2])

    @cached_property
    def gradients(self) -> dict[str, Array]:
        """∂ℓ/∂θ from the implementation, leading axes [1 T]."""
        return self._each("gradients")

    @cached_property
    def velocity(self) -> dict[str, Array]:
        """θ' from the implementation, leading axes [1 T]."""
        return self._each("velocity")

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
    def terms(self) -> tuple[Array, Array]:
        """Sizes before cancellation: of F(x_i) - y_i [1 T n], and of the adjoint [1 T L+1 n].

        F(x_i) - y_i is a sum of terms of size |B|_F |h_L,i| + |y_i|. Whatever is proportional to it is known relative to these only:
        late in training nothing better can be measured.
        """
        B = frobenius(self.states["B"])[..., None]
        size = B * euclid(self.forward["hidden"][..., -1, :, :]) + euclid(self.batch.y)
        error, p = euclid(self.forward["output"] - self.batch.y), euclid(self.adjoint)
        ratio = np.divide(size, error, out=np.zeros_like(size), where=error > 0)[..., None, :]
        return size, np.where(error[..., None, :] > 0, p * ratio, 2 * (B * size)[..., None, :])

    @cached_property
    def reference(self) -> tuple[dict[str, Array], dict[str, Array]]:
        """The NumPy flow from the same initial state, leading axes [1 T], and its error.

        Past kinks it is followed at a tenth of the network's rtol, and the error is what that asks. Else there is a run at a tolerance τ
        and one at τ/100: their difference is dominated by the error of the first, so it over-estimates that of the second, which is the
        one returned. Rounding of a sum over the steps is covered by 2⁻⁴⁰ of the array; the energy has a bound of its own, which is added.
        """
        b, rtol = self.batch, self.network["rtol"]
        if flow.kinked(b.network):
            finer = {**b.network, "rtol": max(rtol / 10, _FINEST)}
            fine = flow.integrate(finer, b.params, b.x, b.y, self.times)
        else:
            tolerances = max(rtol / 10, 1e-13), max(10 * rtol, 1e-11)
            fine, coarse = (flow.integrate(b.network, b.params, b.x, b.y, self.times, tolerance) for tolerance in tolerances)
        quadrature, error = float(fine.pop("energy_error")), {}
        for k, value in fine.items():
            flat = value.reshape(len(value), -1)
            if flow.kinked(b.network):
                error[k] = flow.asked(finer, euclid(flat - flat[:1]), euclid(flat))[None]
            else:
                error[k] = (euclid(flat - coarse[k].reshape(flat.shape)) + 2.0**-40 * euclid(flat))[None]
            if k == "energy":
                error[k] += quadrature
            error[k][:, self.times == 0] = 0.0
        return {k: v[None] for k, v in fine.items()}, error

    @cached_property
    def own(self) -> tuple[Rounding, dict[str, Array], dict[str, Array]]:
        """The reference at the same states, from the parameters alone: rounding with hidden states and outputs, gradients, velocities."""
        s, states, x, y = self.network, self.states, self.batch.x, self.batch.y
        hidden, output = residual.forward(s, states, x)
        p = backward.adjoint(s, states, hidden, y)
        g = backward.gradients(s, states, hidden, p, x, y)
        return Rounding(s, states, x, y, hidden, output, p), g, flow.velocity(s, g)

    @cached_property
    def loss_error(self) -> Array:
        """Radius of the loss at the implementation's states as the loss of the exact flow [1 T].

        |ℓ(θ̂) - ℓ(θ)| <= Σ_blocks |∂ℓ| |θ̂ - θ| to first order, with the gradients at θ̂, plus the rounding of ℓ(θ̂); the second order is below
        1e-7 of the first and is covered by a factor 1.01.
        """
        g = {k: self.gradients[k].reshape(*self.gradients[k].shape[:2], -1) for k in BLOCKS}
        total = sum(np.sqrt(np.sum(g[k] ** 2, axis=-1)) * self.state_error[k] for k in BLOCKS)
        return np.asarray(1.01 * total + self.rounding.loss)


class StateRun(Trajectory):
    """One implementation at initial states alone: its flow is not asked for. The networks stand where a flow has its times, at t = 0.

    Several of them are one batch for the implementation. Where it has none, or its own breaks the protocol, they are asked for one by one:
    the claims `batch.*` say so, and the others speak of the answers that there are.
    """

    def __init__(self, batch: Batch, implementation: Implementation) -> None:
        super().__init__(batch, implementation)
        self.times = np.zeros(batch.spec.regime.networks)  # type: ignore[union-attr]

    @cached_property
    def flowed(self) -> dict[str, Array]:
        """The initial states [1 T ...], T networks."""
        others = (parameters(self.spec.redrawn(i), self.spec.L, ArrayStore()) for i in range(1, len(self.times)))
        each = [self.batch.params, *others]
        return {k: np.stack([params[k] for params in each])[None] for k in BLOCKS}

    def _asked(self, method: str) -> list[Any]:
        if len(self.times) > 1:
            with suppress(MethodUnsupported, Misbehaviour):
                calls = [(self.network, *self.arguments(method, (0, t)).values()) for t in range(len(self.times))]
                return batch(self.implementation, method, calls)
        return super()._asked(method)


def operator_norm(a: Array) -> tuple[Array, Array]:
    """Largest singular value over the last two axes, and its radius: LAPACK's backward error, at most max(rows, columns) u |a|_F."""
    value = np.linalg.norm(a, ord=2, axis=(-2, -1))
    return value, max(a.shape[-2:]) * 2.0**-53 * 4 * frobenius(a)
