"""Toy networks in which one hypothesis is dropped (`depthlimit.theory.paper.hypotheses`): recursions at doubling depths, and two flows.

A network (3) with independent layers is trained as well (`depthlimit.theory.paper.controls`). No implementation: what is checked is that
the conclusion needs the hypothesis.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from depthlimit.models import backward, residual
from depthlimit.models.data import ArrayStore
from depthlimit.models.flow import Block, solve
from depthlimit.models.implementation import load
from depthlimit.models.measure.instance import register_instance
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import euclid, gamma
from depthlimit.models.spec import Counterexamples, Spec
from depthlimit.models.trajectory import Trajectory, realise
from depthlimit.theory.activation import CATALOGUE
from depthlimit.theory.quantity import Array, Field, number

_TOLERANCES = 1e-12, 1e-10
LAYERS: dict[str, Any] = {  # three samples in the plane, labels orthogonal to the rows of x
    **{"regime": {"kind": "plain-flow"}, "d": 2, "dout": 1, "q": 3, "m": 16, "n": 3, "T": 4.0},
    "activation": {"name": "sin", "a": 3.0, "b": 2.0},
    "data": {"kind": "sphere", "labels": "orthogonal", "label_scale": 0.1},
}
LAYERS_RTOL = 1e-9, 1e-7
_LABEL = 10.0  # so far above the output that it is not reached: the sign of no gradient changes


class CounterexamplesRun:
    """Every toy network of one spec; `T` and `times` are those of its flows."""

    kinked: Mapping[str, Any] = {"name": "relu", "a": 1.0, "b": 1.0}  # the activation that is not differentiable

    def __init__(self, spec: Spec, arrays: ArrayStore, implementation: Any = None) -> None:
        assert isinstance(spec.regime, Counterexamples)
        self.spec, self.depths = spec, np.array(spec.regime.depths)
        self.batch = realise(spec, arrays, 1)
        self._trained: dict[tuple[int, bool, float], tuple[Array, Array]] = {}

    def branch(self, h: float, scale: float, f: Callable[[float], float], L: int) -> float:
        """h_L of h_{k+1} = h_k + scale f(h_k)."""
        for _ in range(L):
            h += scale * f(h)
        return h

    def signs(self, descent: Array) -> Array:
        """The π that is bounded and not Lipschitz."""
        return np.sign(descent)

    def reverse(self, descent: Array) -> Array:
        """The π that is Lipschitz and not bounded."""
        return -descent

    def sign_flow(self, L: int) -> tuple[Array, Array]:
        """V and W of a network (3) of width 1 from Z_k = (-1)^k (1/2L, 1/2L), at 0 and at T [2 2 L]; A = B = 1 are not trained."""
        network = {**self.spec.network(L), "activation": {"name": "tanh", "a": 1.0, "b": 1.0}}
        one, y = np.ones((1, 1)), np.full((1, 1), _LABEL)
        start = np.tile(np.where(np.arange(1, L + 1) % 2 == 0, 1.0, -1.0) / (2 * L), 2)

        def velocity(_: float, z: Array) -> Array:
            V, W = (part.reshape(L, 1, 1) for part in np.split(z, 2))
            params = {"A": one, "V": V, "W": W, "B": one}
            hidden, _output = residual.forward(network, params, one)
            p = backward.adjoint(network, params, hidden, y)
            g = backward.gradients(network, params, hidden, p, one, y)
            return self.signs(-L * np.concatenate([g["V"].ravel(), g["W"].ravel()]))

        moved = solve(velocity, start, np.array([0.0, self.spec.T]), 1e-9, [Block(2 * L)])
        return start.reshape(2, L), (start + moved[-1]).reshape(2, L)

    def factor(self, L: int) -> float:
        """What the branch of (3) is multiplied by: L undoes the factor 1/L."""
        return float(L)

    def unscaled_flow(self, L: int, rtol: float) -> tuple[float, float]:
        """Output and Σ_k V_k at t = 1/L² of (3) without 1/L, width 1, from V = 0, W = 1; A = B = 1 fixed, x = 1, y = 2."""
        network = {**self.spec.network(L), "activation": {"name": "tanh", "a": 1.0, "b": 1.0}}
        one, y, c = np.ones((1, 1)), np.full((1, 1), 2.0), self.factor(L)
        start = np.repeat([0.0, 1.0], L)

        def parameters(z: Array) -> dict[str, Array]:
            return {"A": one, "V": c * z[:L, None, None], "W": z[L:, None, None], "B": one}

        def velocity(_: float, z: Array) -> Array:
            params = parameters(z)
            hidden, _output = residual.forward(network, params, one)
            p = backward.adjoint(network, params, hidden, y)
            g = backward.gradients(network, params, hidden, p, one, y)
            return np.asarray(-L * np.concatenate([c * g["V"].ravel(), g["W"].ravel()]))

        end = start + solve(velocity, start, np.array([1.0 / L**2]), rtol, [Block(L), Block(L)])[-1]
        return float(residual.forward(network, parameters(end), one)[1][0, 0]), float(np.sum(end[:L]))

    def layers(self, L: int, tied: bool, rtol: float) -> tuple[Array, Array]:
        """Z_k at 0 and T [2 L 2qm] and the loss there [2] of (3) trained by (4) from the paper's initialisation, or independent W_k."""
        b = realise(Spec.model_validate({**LAYERS, "L": L, "rtol": rtol}), ArrayStore())
        W = b.params["W"] if tied else np.random.RandomState(0).standard_normal(b.params["W"].shape)
        run = load("compiled").flow(b.network, {**b.params, "W": W}, b.x, b.y, np.array([0.0, b.spec.T]))
        return np.concatenate([run[k].reshape(2, L, -1) for k in "VW"], axis=-1), np.asarray(run["loss"])

    def trained(self, L: int, tied: bool, rtol: float) -> tuple[Array, Array]:
        """`layers`, computed once."""
        key = L, tied, rtol
        if key not in self._trained:
            self._trained[key] = self.layers(L, tied, rtol)
        return self._trained[key]


register_instance(CounterexamplesRun)


@measures("toy_scaled", "toy_root", "toy_unscaled", "toy_offset", "toy_square", "toy_square_before", "depth", on=CounterexamplesRun)
def states(run: CounterexamplesRun) -> Mapping[str, Field]:
    """Last states per depth; two roundings a layer, which each layer multiplies by at most 3, and the next layers by h_L/h_k."""

    def each(scale: Callable[[int], float], f: Callable[[float], float]) -> Array:
        return np.array([run.branch(1.0, scale(int(L)), f, int(L)) for L in run.depths])

    radius = np.array([gamma(4 * int(L) + 4) for L in run.depths])
    values = {
        "toy_scaled": each(lambda L: 1 / L, lambda h: h),
        "toy_root": each(lambda L: L**-0.5, lambda h: h),
        "toy_unscaled": each(lambda L: 1.0, lambda h: h),
        "toy_offset": each(lambda L: 1 / L, lambda h: h + 1),
    }
    square = each(lambda L: 1 / L, lambda h: h * h)
    slack = radius * square  # an error of h_k reaches h_L multiplied by at most (h_L/h_k)²
    return {
        **{name: Field(v, radius * v, ("batch",)) for name, v in values.items()},
        "toy_square": Field(square[1:], (slack * square)[1:], ("batch",)),
        "toy_square_before": Field(square[:-1], (slack * square)[:-1], ("batch",)),
        "depth": Field(run.depths.astype(float), np.zeros(()), ("batch",)),
    }


@measures("toy_sign_gap", "toy_sign_start", on=CounterexamplesRun)
def sign(run: CounterexamplesRun) -> Mapping[str, Field]:
    """Successive differences under π = sign: the field is constant, so the stepper only rounds."""
    ends = []
    for L in map(int, run.depths):
        gaps = [np.hypot(*np.diff(z, axis=1)) for z in run.sign_flow(L)]
        ends.append((float(np.max(gaps[0])), float(np.min(gaps[1]))))
    start, end = (np.array(column) for column in zip(*ends, strict=True))
    return {
        "toy_sign_start": Field(start, gamma(8) * start, ("batch",)),
        "toy_sign_gap": Field(end, 1e-9 * end, ("batch",)),
    }


@measures("toy_error", "toy_weight", "toy_instant", on=CounterexamplesRun)
def unscaled(run: CounterexamplesRun) -> Mapping[str, Field]:
    """Training without the factor 1/L; the error is the difference of two tolerances."""
    fine, coarse = (np.array([run.unscaled_flow(int(L), rtol) for L in run.depths]) for rtol in _TOLERANCES)
    radius = np.abs(fine - coarse) + gamma(64) * np.abs(fine)
    instants = 1.0 / run.depths.astype(float) ** 2
    return {
        "toy_error": Field(np.maximum(2 - fine[:, 0], 0.0), radius[:, 0], ("batch",)),
        "toy_weight": Field(fine[:, 1], radius[:, 1], ("batch",)),
        "toy_instant": Field(instants, gamma(1) * instants, ("batch",)),
    }


@measures("layers_decay", "layers_gap", "layers_apart", "layers_reach", "tied_decay", "tied_gap", "tied_before", on=CounterexamplesRun)
def layers(run: CounterexamplesRun) -> Mapping[str, Field]:
    """Training from independent layers and from equal ones, per depth; the error is the difference of two tolerances."""

    def numbers(L: int, tied: bool, rtol: float) -> tuple[float, ...]:
        Z, loss = run.trained(L, tied, rtol)
        gaps = euclid(np.diff(Z, axis=1))  # [2 L-1]
        return np.log(loss[0] / loss[1]), np.max(gaps[1]), np.sqrt(np.mean(gaps[0] ** 2)), np.sqrt(LAYERS["T"] * loss[0])

    def field(tied: bool) -> list[Field]:
        fine, coarse = (np.array([numbers(int(L), tied, rtol) for L in run.depths]).T for rtol in LAYERS_RTOL)
        return [Field(a, np.abs(a - b) + gamma(1000) * a, ("batch",)) for a, b in zip(fine, coarse, strict=True)]

    free, tied = field(False), field(True)
    named = dict(zip(("layers_decay", "layers_gap", "layers_apart", "layers_reach"), free, strict=True))
    deeper, before = (Field(tied[1].values[part], tied[1].radius[part], ("batch",)) for part in (slice(1, None), slice(-1)))
    return {**named, "tied_decay": tied[0], "tied_gap": deeper, "tied_before": before}


@measures("toy_ascent", "t", on=CounterexamplesRun)
def ascent(run: CounterexamplesRun) -> Mapping[str, Field]:
    """A under π(u) = -u for a network (3) of width 1 with V = W = 0, x = 1, y = 0, from A = B = 1: branches stay at rest."""
    network = {**run.spec.network(1), "activation": {"name": "tanh", "a": 1.0, "b": 1.0}}
    one, none = np.ones((1, 1)), np.zeros((1, 1, 1))

    def velocity(_: float, ab: Array) -> Array:
        params = {"A": ab[:1, None], "V": none, "W": none, "B": ab[1:, None]}
        hidden, _output = residual.forward(network, params, one)
        p = backward.adjoint(network, params, hidden, np.zeros((1, 1)))
        g = backward.gradients(network, params, hidden, p, one, np.zeros((1, 1)))
        return run.reverse(-np.array([g["A"][0, 0], g["B"][0, 0]]))

    times = np.array(run.spec.times)
    fine, coarse = (1 + solve(velocity, np.ones(2), times, rtol, [Block(2)])[:, 0] for rtol in _TOLERANCES)
    radius = np.abs(fine - coarse) + gamma(16) * fine
    return {"toy_ascent": Field(fine, radius, ("time",)), "t": Field(times, np.zeros(()), ("time",))}


@measures("sigma_unbounded", on=Trajectory)
def unbounded(run: Trajectory) -> Field:
    """Whether the catalogue says that the activation is not bounded."""
    return number(float("bounded" not in CATALOGUE[run.spec.activation.name].properties))
