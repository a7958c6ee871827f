"""Right formulas in wrong numbers: single precision, noise, rounding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from depthlimit.conformance.faults.planting import Fault, Faulty
from depthlimit.conformance.faults.written import Change, each, wrong
from depthlimit.models.implementation import Array, Arrays, Network
from depthlimit.models.reference import NumpyImplementation


def _single(a: Any) -> Any:
    return {k: _single(v) for k, v in a.items()} if isinstance(a, Mapping) else a.astype(np.float32) * np.float64(1)


class SinglePrecision(Faulty):
    """States, outputs and gradients are rounded to float32."""

    def forward(self, spec: Network, params: Arrays, x: Array) -> dict[str, Array]:
        """(3), rounded after the pass."""
        rounded: dict[str, Array] = _single(super().forward(spec, params, x))
        return rounded

    def gradients(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """Gradients, rounded."""
        rounded: dict[str, Array] = _single(super().gradients(spec, params, x, y))
        return rounded


def _digits(v: Array) -> Array:
    """Seven decimal digits."""
    with np.errstate(divide="ignore"):
        unit = 10.0 ** (np.floor(np.log10(np.abs(v))) - 6)
    return np.where(v == 0, 0.0, np.rint(v / np.where(v == 0, 1, unit)) * unit)


def _short_mantissa(v: Array) -> Array:
    """Ten bits, as tensor cores read single precision."""
    m, e = np.frexp(v)
    return np.asarray(np.ldexp(np.rint(m * 2**11) / 2**11, e))


def _noisy(size: float) -> Change:
    """Relative noise, another one at each call."""
    generator = np.random.RandomState(0)
    return each(lambda v: np.asarray(v * (1 + size * generator.standard_normal(np.shape(v)))))


def _entry(block: str, factor: float) -> Change:
    """The last entry of an array times a factor."""

    def change(answer: Arrays, *_: Any) -> dict[str, Array]:
        found = answer[block].copy()
        found.flat[-1] *= factor
        return {**answer, block: found}

    return change


def _inputs(method: str) -> dict[str, Change]:
    return {method: lambda s, *arguments: (s, *(_single(a) for a in arguments))}


def _displaced(f: Arrays, s: Network, p: Arrays, *_: Any) -> dict[str, Array]:
    return {**f, **{k: p[k] + (f[k] - p[k]) * (1 + 1e-6) for k in "AVWB"}}


_SINGLE, _NOISE, _INEXACT = (
    "the numbers are single precision inside",
    "the same question has another answer each time",
    "an answer is inexact",
)
_GRADIENTS = "agreement.gradient-A agreement.gradient-V agreement.gradient-W agreement.gradient-B"
_N = NumpyImplementation
FAULTS: tuple[Fault, ...] = (
    wrong("float32-inside", _SINGLE, "plain", "eq3.layer eq15.V agreement.hidden", of=SinglePrecision),
    wrong("float32-states", _SINGLE, "plain", "eq3.layer agreement.hidden", "`forward` reads float32.", of=_N, given=_inputs("forward")),
    wrong("float32-gradients", _SINGLE, "plain", f"eq15.W {_GRADIENTS}", "`gradients` reads float32.", of=_N, given=_inputs("gradients")),
    wrong(
        "float32-loss", _SINGLE, "plain", "loss.mean-squared-error agreement.loss", "`loss` reads float32.", of=_N, given=_inputs("loss")
    ),
    wrong(
        "float32-flow",
        _SINGLE,
        "plain",
        "eq4.flow-W eq4.flow-V",
        "`flow` returns rounded states.",
        of=_N,
        answers={"flow": lambda f, *_: _single(f)},
    ),
    wrong(
        "float32-ode",
        _SINGLE,
        "small-ode",
        "eq6.state",
        "`neural_ode` returns rounded states.",
        of=_N,
        answers={"neural_ode": lambda f, *_: _single(f)},
    ),
    wrong(
        "tensor-float32",
        _SINGLE,
        "plain",
        "eq3.layer agreement.hidden",
        "Weights are read with ten bits.",
        of=_N,
        given={"forward": lambda s, p, x: (s, {k: _short_mantissa(v) for k, v in p.items()}, x)},
    ),
    wrong(
        "seven-digits",
        "answers are rounded",
        "plain",
        f"eq16.B {_GRADIENTS}",
        "Gradients have seven digits.",
        of=_N,
        answers={"gradients": each(_digits)},
    ),
    wrong(
        "entry-of-states-off",
        _INEXACT,
        "plain",
        "eq3.output agreement.output",
        "The last output is off by a millionth.",
        of=_N,
        answers={"forward": _entry("output", 1 + 1e-6)},
    ),
    wrong(
        "entry-of-W-off",
        _INEXACT,
        "plain",
        "eq15.W agreement.gradient-W",
        "One entry of the gradient in W is off by a millionth.",
        of=_N,
        answers={"gradients": _entry("W", 1 + 1e-6)},
    ),
    wrong(
        "entry-of-V-off",
        _INEXACT,
        "plain",
        "eq15.V agreement.gradient-V",
        "One entry of the gradient in V is off by 1e-9.",
        of=_N,
        answers={"gradients": _entry("V", 1 + 1e-9)},
    ),
    wrong(
        "flow-off",
        _INEXACT,
        "plain",
        "eq4.flow-A eq4.flow-W",
        "The displacement is off by a millionth.",
        of=_N,
        answers={"flow": _displaced},
    ),
    wrong(
        "noisy-states",
        _NOISE,
        "plain",
        "eq3.layer repeat.forward rows.forward batch.forward",
        "Relative noise of 1e-9.",
        of=_N,
        answers={"forward": _noisy(1e-9)},
    ),
    wrong(
        "noisy-loss",
        _NOISE,
        "plain",
        "loss.mean-squared-error repeat.loss rows.loss batch.loss",
        "Relative noise of 1e-9.",
        of=_N,
        answers={"loss": _noisy(1e-9)},
    ),
    wrong(
        "noisy-gradients",
        _NOISE,
        "plain",
        "eq15.V repeat.gradients rows.gradients batch.gradients",
        "Relative noise of 1e-9.",
        of=_N,
        answers={"gradients": _noisy(1e-9)},
    ),
    wrong(
        "noisy-velocity",
        _NOISE,
        "plain",
        "eq4.V repeat.velocity batch.velocity",
        "Relative noise of 1e-9.",
        of=_N,
        answers={"velocity": _noisy(1e-9)},
    ),
    wrong("noisy-flow", _NOISE, "plain", "eq4.flow-W repeat.flow", "Relative noise of 1e-6.", of=_N, answers={"flow": _noisy(1e-6)}),
    wrong(
        "noisy-ode",
        _NOISE,
        "small-ode",
        "eq6.state repeat.neural-ode",
        "Relative noise of 1e-5.",
        of=_N,
        answers={"neural_ode": _noisy(1e-5)},
    ),
)
