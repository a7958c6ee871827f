"""Model (3) with ReLU: from layers at the kink, beside it, and away from it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from depthlimit.models import backward, residual
from depthlimit.models.flow import Block, solve
from depthlimit.models.measure.counterexamples import CounterexamplesRun
from depthlimit.models.measure.extrapolate import limit
from depthlimit.models.measure.ladder import LadderRun
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import gamma
from depthlimit.theory.paper.relu_limit import KINK
from depthlimit.theory.quantity import Array, Field, number

_LABEL = 2.0
_ONE = np.ones((1, 1))


def descent(network: Mapping[str, Any], V: Array, W: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """-L ∂ℓ/∂(V, W) [2 L] of (3) with q = m = 1, A = B = 1, from V and W [L]; and the outputs [n 1]."""
    params = {"A": _ONE, "V": V[:, None, None], "W": W[:, None, None], "B": _ONE}
    output = residual.forward(network, params, x)[1]
    g = backward.loss_and_gradients(network, params, x, y)[1]
    return -network["L"] * np.stack([g["V"][:, 0, 0], g["W"][:, 0, 0]]), output


def at_the_kink(run: CounterexamplesRun, L: int, rtol: float) -> tuple[float, float]:
    """min_k|Z_{k+1} - Z_k| and y - F at T, from V_k = 1 and W_k = (-1)^k/(2L)."""
    network = {**run.spec.network(L), "n": 1, "activation": run.kinked}
    y = np.full((1, 1), _LABEL)
    start = np.concatenate([np.ones(L), np.where(np.arange(1, L + 1) % 2 == 0, 1.0, -1.0) / (2 * L)])

    def velocity(_: float, z: Array) -> Array:
        return np.asarray(descent(network, z[:L], z[L:], _ONE, y)[0].ravel())

    end = start + solve(velocity, start, np.array([0.0, run.spec.T]), rtol, [Block(L), Block(L)])[-1]
    gap = np.hypot(np.diff(end[:L]), np.diff(end[L:]))
    return float(gap.min()), _LABEL - float(descent(network, end[:L], end[L:], _ONE, y)[1][0, 0])


@measures("relu_model_gap", "relu_model_margin", on=CounterexamplesRun)
def kink(run: CounterexamplesRun) -> Mapping[str, Field]:
    """Appendix D in model (3), per depth; the error is the difference of two tolerances."""
    fine, coarse = (np.array([at_the_kink(run, int(L), rtol) for L in run.depths]) for rtol in (1e-10, 1e-8))
    radius = np.abs(fine - coarse) + gamma(1000) * np.abs(fine)
    return {name: Field(fine[:, i], radius[:, i], ("batch",)) for i, name in enumerate(("relu_model_gap", "relu_model_margin"))}


@measures("relu_inward", on=CounterexamplesRun)
def inward(run: CounterexamplesRun) -> Field:
    """Speeds towards W = 0 from W_k = ε and -ε, V_k = 1, at x = 1, -1 and y = x - 1."""
    x = np.array([[1.0], [-1.0]])
    found = []
    for L in map(int, run.depths):
        network = {**run.spec.network(L), "n": 2, "activation": run.kinked}
        sides = [-sign * descent(network, np.ones(L), np.full(L, sign * float(KINK)), x, x - 1)[0][1] for sign in (1.0, -1.0)]
        found.append(float(np.min(sides)))
    values = np.array(found)
    return Field(values, gamma(16 * int(run.depths[-1])) * np.abs(values), ("batch",))


@measures("relu_kink", on=LadderRun)
def is_relu(run: LadderRun) -> Field:
    """Whether the activation is ReLU."""
    return number(float(run.spec.activation.name == "relu"))


@measures("depths_ratio", on=LadderRun)
def between_depths(run: LadderRun) -> Field:
    """Differences Z_{2k}^{2L} - Z_k^L at the last saved time in root mean square: a Riemann sum, so smooth in 1/L."""
    ends = [np.concatenate([t.states[k][0, -1].reshape(t.network["L"], -1) for k in "VW"], axis=1) for t in run.trained]  # [L 2qm] each
    errors = [float(np.hypot(*(t.state_error[k][0, -1] for k in "VW"))) / np.sqrt(t.network["L"]) for t in run.trained]
    apart = np.array([np.sqrt(np.mean(np.sum((b[1::2] - a) ** 2, axis=1))) for a, b in pairwise(ends)])
    relative = np.array([a + np.sqrt(2) * b for a, b in pairwise(errors)]) / apart
    ratios = apart[1:] / apart[:-1]
    value, radius = limit(ratios, ratios * (relative[1:] + relative[:-1]))
    return Field(np.array([value]), np.array([radius]), ("batch",))
