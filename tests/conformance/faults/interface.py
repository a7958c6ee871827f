"""Implementations that break the protocol: shapes, types, inputs, memory of earlier calls, samples and calls that know of each other."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from depthlimit.conformance.faults.planting import Fault
from depthlimit.conformance.faults.written import Change, Written, each, wrong
from depthlimit.models import activations
from depthlimit.models.implementation import Array, Arrays, Network
from depthlimit.models.reference import NumpyImplementation

# Causes by the kind of misbehaviour that `calls` names.
CAUSES = {
    "exception": "a call raises an exception",
    "hang": "a call does not come back",
    "inputs changed": "arguments are changed in place",
    "wrong type": "an answer has another type",
    "wrong shape": "an answer has another shape",
    "wrong dtype": "an answer has another dtype",
    "non-finite": "an answer is not finite",
}


class Remembering(NumpyImplementation):
    """Keeps what it answered, per method."""

    def __init__(self) -> None:
        self.kept: dict[Any, Any] = {}

    def recalled(self, key: Any, answer: Any) -> Any:
        """The first answer to this key."""
        return self.kept.setdefault(key, answer)

    def mixed(self, method: str, answer: Arrays, old: float) -> dict[str, Array]:
        """The answer, plus so much of the one before."""
        before = self.kept.get(method, {})
        self.kept[method] = {k: v + old * before[k] if k in before and before[k].shape == v.shape else v for k, v in answer.items()}
        return dict(self.kept[method])


class CachedByShape(Remembering):
    """`forward` answers by the shape of x."""

    def forward(self, spec: Network, params: Arrays, x: Array) -> dict[str, Array]:
        """The first answer for this depth and shape."""
        found: dict[str, Array] = self.recalled((spec["L"], x.shape), super().forward(spec, params, x))
        return found


class LastWeights(Remembering):
    """`forward` works with the weights of the first call after a change of depth."""

    def forward(self, spec: Network, params: Arrays, x: Array) -> dict[str, Array]:
        """(3) with the weights in store."""
        if self.kept.get("L") != spec["L"]:
            self.kept = {"L": spec["L"], "params": params}
        return super().forward(spec, {**params, "B": self.kept["params"]["B"]}, x)


class Accumulating(Remembering):
    """Gradients are added to those of the call before."""

    def gradients(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """∂ℓ/∂θ and what was there."""
        return self.mixed("gradients", super().gradients(spec, params, x, y), 1.0)

    def velocity(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """The velocity, from fresh gradients."""
        return NumpyImplementation().velocity(spec, params, x, y)


class RunningStates(Remembering):
    """States are a running mean over calls."""

    def forward(self, spec: Network, params: Arrays, x: Array) -> dict[str, Array]:
        """A tenth of the answer before is kept."""
        f = self.mixed("forward", super().forward(spec, params, x), 0.1)
        return {k: v / 1.1 for k, v in f.items()}


class RunningLoss(Remembering):
    """The loss is a running mean over calls."""

    def loss(self, spec: Network, params: Arrays, x: Array, y: Array) -> float:
        """Half of the value before is kept."""
        value = super().loss(spec, params, x, y)
        self.kept["loss"] = (self.kept.get("loss", value) + value) / 2
        return float(self.kept["loss"])


class MovingVelocity(Remembering):
    """The velocity has momentum from call to call."""

    def velocity(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """Nine tenths of the velocity before are added."""
        return self.mixed("velocity", super().velocity(spec, params, x, y), 0.9)


class ContinuedFlow(Remembering):
    """The flow goes on from where the call before ended."""

    def flow(self, spec: Network, params: Arrays, x: Array, y: Array, times: Array) -> dict[str, Array]:
        """From the state in store."""
        out = super().flow(spec, self.kept.get("state", params), x, y, times)
        self.kept["state"] = {k: out[k][-1] for k in "AVWB"}
        return out


class CountedOde(Remembering):
    """The neural ODE knows how often it was asked."""

    def neural_ode(self, spec: Network, weights: Arrays, x: Array, s: Array) -> dict[str, Array]:
        """(6), plus a millionth for each call before."""
        self.kept["calls"] = self.kept.get("calls", -1) + 1
        return {k: v + 1e-6 * self.kept["calls"] for k, v in super().neural_ode(spec, weights, x, s).items()}


class SharedBuffer(NumpyImplementation):
    """Every answer of a batch lies in the same buffer."""

    def batch(self, method: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Views of the last answer."""
        return [super().batch(method, arguments)[-1]] * len(arguments)


def _refuse(condition: Change) -> Change:
    def given(s: Network, params: Arrays, x: Array, *y: Array) -> tuple[Any, ...]:
        if condition(s, params, x):
            raise ValueError("no such network")
        return (s, params, x, *y)

    return given


def _sleeping(*arguments: Any) -> Any:
    time.sleep(3600)
    return arguments


def _answer(**changes: Change) -> Change:
    """Parts of an answer changed."""
    return lambda f, *_: {k: changes[k](v) if k in changes else v for k, v in f.items()}


def _nan(v: Array) -> Array:
    v = v.copy()
    v.flat[0] = np.nan
    return v


def _scaled_in_place(s: Network, params: Arrays, x: Array, *y: Array) -> tuple[Any, ...]:
    np.divide(x, 2, out=x)
    return (s, params, x, *y)


def _centred_in_place(s: Network, params: Arrays, x: Array, y: Array) -> tuple[Any, ...]:
    params["W"] -= params["W"].mean()
    return (s, params, x, y)


def _batch_norm(s: Network, u: Array) -> Array:
    return activations.value(s["activation"], (u - u.mean(axis=0)) / (u.std(axis=0) + 1e-5))


def _spec_n(answer: Any, s: Network, p: Arrays, x: Array, y: Array) -> Any:
    share = len(x) / s["n"]
    return answer * share if isinstance(answer, float) else {k: v * share for k, v in answer.items()}


def _first_weights(method: str, arguments: list[tuple[Any, ...]]) -> tuple[str, list[tuple[Any, ...]]]:
    return method, [(a[0], arguments[0][1], *a[2:]) for a in arguments]


def _mean_of_batch(found: list[Any], *_: Any) -> list[Any]:
    if isinstance(found[0], float):
        return [v - 1e-6 * float(np.mean(found)) for v in found]
    return [{k: v - 1e-6 * np.mean([g[k] for g in found], axis=0) for k, v in f.items()} for f in found]


def _mean_of_flows(found: list[Any], method: str, *_: Any) -> list[Any]:
    return _mean_of_batch(found) if method == "flow" else found


_STATE = "an answer depends on the calls before"
_SAMPLES = "an answer depends on the other samples"
_CALLS = "an answer depends on the other calls of a batch"
_BATCHES = "batch.forward batch.loss batch.gradients batch.velocity"
_N = NumpyImplementation


def _broken(name: str, kind: str, caught_by: str, meaning: str, specs: str = "plain", **more: Any) -> Fault:
    """A fault that `calls` names by its kind."""
    return wrong(name, CAUSES[kind], specs, caught_by, meaning, of=_N, **more)


_H, _G = "eq3.layer agreement.hidden", "eq15.V agreement.gradient-V"
FAULTS: tuple[Fault, ...] = (
    # what `calls` names
    _broken(
        "hidden-without-first",
        "wrong shape",
        _H,
        "h_0 is not among the hidden states.",
        answers={"forward": _answer(hidden=lambda h: h[1:])},
    ),
    _broken(
        "hidden-transposed",
        "wrong shape",
        _H,
        "Hidden states have samples last.",
        answers={"forward": _answer(hidden=lambda h: h.swapaxes(1, 2))},
    ),
    _broken(
        "output-flat",
        "wrong shape",
        "eq3.output agreement.output",
        "Outputs are one vector.",
        answers={"forward": _answer(output=np.ravel)},
    ),
    _broken(
        "gradient-of-B-transposed",
        "wrong shape",
        "eq16.B agreement.gradient-B",
        "∂ℓ/∂B has the shape of Bᵀ.",
        answers={"gradients": _answer(B=np.transpose)},
    ),
    _broken(
        "loss-per-sample",
        "wrong shape",
        "loss.mean-squared-error agreement.loss",
        "The loss is a vector over samples.",
        answers={"loss": lambda v, s, p, x, y: np.full(len(x), v)},
    ),
    _broken(
        "flow-without-first-time", "wrong shape", "eq4.flow-A", "The state at time 0 is left out.", answers={"flow": each(lambda v: v[1:])}
    ),
    _broken(
        "single-answers",
        "wrong dtype",
        f"{_H} {_G}",
        "Answers are float32.",
        answers={m: each(lambda v: v.astype(np.float32)) for m in ("forward", "gradients")},
    ),
    _broken("complex-answers", "wrong dtype", _G, "Gradients are complex.", answers={"gradients": each(lambda v: v.astype(complex))}),
    _broken("list-answers", "wrong type", _H, "Hidden states are nested lists.", answers={"forward": _answer(hidden=lambda h: h.tolist())}),
    _broken(
        "key-missing",
        "wrong type",
        "eq3.output agreement.output",
        "`forward` answers no output.",
        answers={"forward": lambda f, *_: {"hidden": f["hidden"]}},
    ),
    _broken("tuple-answer", "wrong type", _G, "Gradients are a tuple.", answers={"gradients": lambda g, *_: tuple(g.values())}),
    _broken(
        "nothing-answered",
        "wrong type",
        "eq4.V agreement.velocity-V",
        "`velocity` forgets to return.",
        answers={"velocity": lambda *_: None},
    ),
    _broken("nan-in-one-entry", "non-finite", _H, "One hidden state is NaN.", answers={"forward": _answer(hidden=_nan)}),
    _broken(
        "loss-infinite",
        "non-finite",
        "loss.mean-squared-error agreement.loss",
        "The loss is infinite.",
        answers={"loss": lambda *_: float("inf")},
    ),
    _broken("inputs-scaled", "inputs changed", _H, "`forward` scales x in place.", given={"forward": _scaled_in_place}),
    _broken("weights-centred", "inputs changed", _G, "`gradients` centres W in place.", given={"gradients": _centred_in_place}),
    _broken(
        "one-sample-refused",
        "exception",
        "rows.forward rows.gradients",
        "One sample is refused.",
        given={m: _refuse(lambda s, p, x: len(x) == 1) for m in ("forward", "gradients")},
    ),
    _broken(
        "one-layer-refused",
        "exception",
        "eq13.last repeat.forward",
        "One layer is refused.",
        given={m: _refuse(lambda s, p, x: s["L"] == 1) for m in ("forward", "gradients")},
    ),
    _broken("wide-layers-refused", "exception", _H, "m < q is refused.", given={"forward": _refuse(lambda s, p, x: s["m"] < s["q"])}),
    _broken("hang", "hang", _H, "`forward` never returns.", given={"forward": _sleeping}, seconds=0.5),
    # memory of earlier calls
    wrong("cached-by-shape", _STATE, "plain", "agreement.output eq3.output", of=CachedByShape),
    wrong("weights-in-store", _STATE, "plain state", "eq3.output repeat.forward", of=LastWeights),
    wrong("states-running", _STATE, "plain", "eq3.input repeat.forward", of=RunningStates),
    wrong("loss-running", _STATE, "plain", "loss.mean-squared-error repeat.loss", of=RunningLoss),
    wrong("gradients-accumulate", _STATE, "plain", "eq16.B repeat.gradients", of=Accumulating),
    wrong("velocity-moves-on", _STATE, "plain", "eq4.B repeat.velocity", of=MovingVelocity),
    wrong("flow-continued", _STATE, "plain", "repeat.flow", of=ContinuedFlow),
    wrong("ode-counted", _STATE, "small-ode", "repeat.neural-ode", of=CountedOde),
    # samples and calls that know of each other
    wrong(
        "n-from-spec",
        "n is read off spec for len(x)",
        "plain",
        "rows.loss rows.gradients",
        of=_N,
        answers={"loss": _spec_n, "gradients": _spec_n},
    ),
    wrong("batch-normalisation", _SAMPLES, "plain", "eq3.layer rows.forward", "There is a batch normalisation in σ.", sigma=_batch_norm),
    wrong(
        "samples-mixed",
        _SAMPLES,
        "plain",
        "eq3.output rows.forward",
        "Outputs are centred over the samples.",
        of=Written,
        answers={"forward": lambda f, *_: {**f, "output": f["output"] - 1e-6 * f["output"].mean(axis=0)}},
    ),
    wrong(
        "samples-sorted",
        _SAMPLES,
        "plain",
        "eq3.input rows.forward",
        "Samples come back in the order of their first coordinate.",
        of=_N,
        answers={"forward": lambda f, s, p, x: {"hidden": f["hidden"][:, x[:, 0].argsort()], "output": f["output"][x[:, 0].argsort()]}},
    ),
    wrong(
        "batch-reversed",
        "the answers of a batch stand in another order",
        "plain state",
        _BATCHES,
        of=_N,
        answers={"batch": lambda found, *_: found[::-1]},
    ),
    wrong(
        "batch-with-one-network",
        _CALLS,
        "plain state",
        _BATCHES,
        "All calls have the weights of the first one.",
        of=_N,
        given={"batch": _first_weights},
    ),
    wrong("batch-in-one-buffer", _CALLS, "plain state", _BATCHES, of=SharedBuffer),
    wrong(
        "batch-coupled",
        _CALLS,
        "plain state",
        _BATCHES,
        "A millionth of the batch's mean is subtracted.",
        of=_N,
        answers={"batch": _mean_of_batch},
    ),
    wrong(
        "batch-of-coupled-flows",
        _CALLS,
        "plain clipped",
        "batch.flow",
        "A millionth of the batch's mean is subtracted from flows.",
        of=_N,
        answers={"batch": _mean_of_flows},
    ),
    _broken(
        "batch-too-short",
        "wrong type",
        _BATCHES,
        "The last call of a batch is not answered.",
        answers={"batch": lambda found, *_: found[:-1]},
    ),
)
