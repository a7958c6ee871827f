"""Radii of the PL certificate: the ball, the admissible loss, and labels scaled to it.

The bounds are those of `depthlimit.theory.paper.certificate` (read from its SymPy formulas, not written again). For a path length τ the
radii are the least fixed point of R_j = g_j(R) τ, reached from 0 since the g_j increase in R; the loss that they admit is
ℓ₀ = (μ(R) τ/2)². `fraction` is of the τ that maximises it. Any radii that satisfy the claims' hypotheses would do; nothing here is
part of a proof, and the claims check their hypotheses with enclosures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import sympy as sp

from depthlimit.models import activations
from depthlimit.models.data import ArrayStore
from depthlimit.models.spec import BadInput, LocalPL, Spec
from depthlimit.models.trajectory import Batch, realise
from depthlimit.theory.activation import constants
from depthlimit.theory.paper import certificate as theory
from depthlimit.theory.quantity import Array

_SLACK = 1e-7  # radii are this much larger than the fixed point and ℓ₀ this much smaller, so that enclosures decide the hypotheses
_ITERATIONS = 200


@dataclass(frozen=True)
class Certificate:
    """A batch with scaled labels, the radii of its ball and μ in floating point (for display; claims enclose it)."""

    batch: Batch
    radii: dict[str, float]
    mu: float


@cache
def _formulas() -> list[tuple[str, tuple[str, ...], Callable[..., float]]]:
    """Compiled definitions in the order of need, then the speeds g_A, g_B, g_V, g_W: name, names of arguments, function."""
    definitions = {k.name: v for k, v in theory.WHERE.items() if k is not theory.tau}
    definitions |= {f"g_{k}": speed for k, (_, _, speed) in theory.SPEEDS.items()}
    compiled = []
    for name, expression in definitions.items():
        arguments = sorted(expression.free_symbols, key=str)
        function = sp.lambdify(arguments, expression, modules=["math", {"Max": max}])
        compiled.append((name, tuple(map(str, arguments)), function))
    return compiled


def _evaluate(numbers: Mapping[str, float]) -> dict[str, float]:
    """Every definition of the certificate at given numbers and radii."""
    values = dict(numbers)
    for name, arguments, function in _formulas():
        values[name] = function(*(values[a] for a in arguments))
    return values


def data_numbers(batch: Batch) -> dict[str, float]:
    """Sizes, activation constants and singular values that the certificate reads off the initialisation."""
    net = batch.network
    W, x = batch.params["W"][0], batch.x
    S = activations.value(net["activation"], x @ batch.params["A"].T @ W.T / math.sqrt(net["q"]))  # [n m]
    values = np.linalg.svd(S, compute_uv=False)
    c = constants(net["activation"]["name"], net["activation"]["a"], net["activation"]["b"])
    return {
        **{k: float(net[k]) for k in ("q", "m", "L", "n")},
        "K_sigma": c["K_sigma"].hi,
        "s0": float(values[net["n"] - 1]) if net["m"] >= net["n"] else 0.0,
        "S0": float(values[0]),
        "w0": float(np.linalg.norm(W, 2)),
        "X2": float(np.linalg.norm(x, 2)),
        "XF": float(np.linalg.norm(x)),
    }


def _radii(numbers: Mapping[str, float], tau: float) -> tuple[dict[str, float], float] | None:
    """The least fixed point at path length τ and its μ; None if there is none within the certificate's conditions."""
    R = {f"R_{k}": 0.0 for k in theory.SPEEDS}
    for _ in range(_ITERATIONS):
        if R["R_B"] >= 0.99 or R["R_V"] * (numbers["w0"] + R["R_W"]) * numbers["K_sigma"] >= 0.99 * numbers["L"] * math.sqrt(
            numbers["q"] * numbers["m"]
        ):
            return None
        try:
            values = _evaluate({**numbers, **R})
        except OverflowError:
            return None
        if values["mu"] <= 0:
            return None
        new = {f"R_{k}": values[f"g_{k}"] * tau * (1 + _SLACK) for k in theory.SPEEDS}
        if all(new[k] <= R[k] * (1 + _SLACK / 4) for k in R):
            return R, values["mu"]
        R = {k: max(R[k], new[k]) for k in R}
    return None


def _best(numbers: Mapping[str, float]) -> float:
    """The τ that maximises the admissible loss (golden section on ln τ would do; a grid refined three times is plainer)."""
    grid = np.geomspace(1e-8, 1e4, 49)
    for _ in range(3):
        losses = [(f[1] * tau / 2) ** 2 if (f := _radii(numbers, float(tau))) else 0.0 for tau in grid]
        best = int(np.argmax(losses))
        if losses[best] == 0:
            return 0.0
        grid = np.linspace(grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)], 21)
    return float(grid[best])


def certify(spec: Spec, arrays: ArrayStore) -> Certificate:
    """The certificate of a spec of regime local-pl. Where none exists (s₀ = 0, say) the radii are 0, labels stay and μ = 0.

    Raises BadInput if every label is 0.
    """
    assert isinstance(spec.regime, LocalPL)
    batch = realise(spec, arrays)
    numbers = data_numbers(batch)
    tau = spec.regime.fraction * _best(numbers)
    found = _radii(numbers, tau) if tau > 0 else None
    if found is None:
        return Certificate(batch, dict.fromkeys(("R_A", "R_B", "R_V", "R_W"), 0.0), 0.0)
    radii, mu = found
    size = float(np.mean(np.sum(batch.y**2, axis=-1)))
    if size == 0:
        raise BadInput("regime local-pl needs labels that are not all 0")
    y: Array = np.ascontiguousarray(batch.y * (mu * tau / 2 * (1 - _SLACK) / math.sqrt(size)))
    return Certificate(replace(batch, y=y), radii, mu)
