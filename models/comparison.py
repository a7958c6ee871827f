"""The comparison system of `depthlimit.theory.paper.comparison`, followed in steps that are bounds themselves.

Each step finds ȳ >= y + w g(t+h, ȳ) by repeated evaluation, a little above each last result, so that what is returned lies above every flow
that the inputs allow: its excess over the system's solution is of the order of the step. The formulas are compiled from SymPy.

Rounding: one evaluation is a chain of fewer than 100 operations on nonnegative numbers, each with relative error 2⁻⁵², of which e^a
multiplies those of a by at most 709; each step is widened by 2⁻³⁶, which exceeds that. The differences in κ are of numbers below their
values at the start, to which its error is relative: 2⁻³⁶ of the first κ is subtracted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
import sympy as sp

from depthlimit.theory.paper import comparison as theory
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.quantity import Array

STEPS = 1000  # at least so many over the longest interval: the excess is of the order of 1/STEPS
_SETTLES = 0.02  # steps times κ, until ℓ has fallen by e^{-_SETTLED}
_SETTLED = 20.0
_ABOVE = 1.1  # a guess exceeds the last increment by a tenth
_WIDENING = 2.0**-36


@lru_cache(maxsize=64)
def _compiled(definitions: tuple[tuple[sp.Symbol, sp.Expr], ...], outputs: tuple[sp.Expr, ...]) -> Callable[..., list[float]]:
    """A function of the inputs, t and the state, from formulas that use definitions in their order."""
    arguments = (*theory.INPUTS, Q.t, *theory.STATE)
    function: Callable[..., list[float]] = sp.lambdify(
        arguments, outputs, modules="math", cse=lambda expressions: (list(definitions), list(expressions))
    )
    return function


def _function(system: theory.System, outputs: Sequence[sp.Expr], inputs: Mapping[str, float]) -> Callable[..., list[float]]:
    function = _compiled(tuple(system.definitions.items()), tuple(outputs))
    values = [inputs[s.name] for s in theory.INPUTS]

    def evaluate(t: float, state: Sequence[float]) -> list[float]:
        """Infinite where e^a leaves float64 and where 0 meets infinity."""
        try:
            found = function(*values, t, *state)
        except OverflowError:
            return [math.inf] * len(outputs)
        return [math.inf if math.isnan(value) else value for value in found]

    return evaluate


def solve(inputs: Mapping[str, float], times: Array, system: theory.System = theory.SYSTEM, steps: int = STEPS) -> dict[str, Array]:
    """Bounds at increasing times from 0 on, by the names of `theory.BOUNDS` and for "loss" and "p": [time].

    Args:
        inputs: the numbers of `theory.INPUTS` by name, lower ends of those in `theory.LOWER` and upper ends of the others.
        steps: at least so many from the first time to the last.

    Infinite where they leave float64.
    """
    speeds = _function(system, (*system.rates, theory.kappa), inputs)
    bounds = _function(system, (*theory.BOUNDS.values(), theory.G), inputs)
    loss0 = inputs[Q.mean_y2.name]
    state, fallen, kappa = [0.0] * len(theory.STATE), 0.0, 0.0
    *_, first = speeds(0.0, state)
    lost = _WIDENING * first  # what κ may have lost to rounding
    found = []

    def observe(t: float) -> None:
        *values, G = bounds(t, state)
        loss = loss0 * math.exp(-fallen)
        found.append((*values, loss, G * math.sqrt(inputs[Q.n.name] * loss)))

    observe(float(times[0]))
    last, before = [0.0] * len(state), 1.0  # increments of the step before and its length
    for start, end in pairwise(map(float, times)):
        t = start
        while t < end:
            h = min((float(times[-1]) - float(times[0])) / steps, _SETTLES / kappa if kappa > 0 and fallen < _SETTLED else math.inf)
            after = end if t + h * (1 + 1e-9) >= end else t + h
            h = after - t
            guess = [y + _ABOVE * d * h / before for y, d in zip(state, last, strict=True)]
            while True:
                *rates, kappa = speeds(after, guess)
                kappa = max(0.0, kappa - lost) if math.isfinite(kappa) else 0.0
                weight = math.sqrt(loss0) * math.exp(-fallen / 2) * (-math.expm1(-kappa * h / 2) / (kappa / 2) if kappa > 0 else h)
                last = [weight * rate for rate in rates]
                reached = [(y + d) * (1 + _WIDENING) for y, d in zip(state, last, strict=True)]
                if all(z <= y for z, y in zip(reached, guess, strict=True)):
                    break
                guess = [(y + _ABOVE * d) * (1 + 2 * _WIDENING) for y, d in zip(state, last, strict=True)]
            state, fallen, t, before = reached, fallen + h * kappa, after, h
        observe(end)
    names = (*theory.BOUNDS, "loss", "p")
    return dict(zip(names, np.array(found).T, strict=True))
