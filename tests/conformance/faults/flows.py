"""Wrong flows: the velocity is right, and what is made of it is not."""

from __future__ import annotations

import numpy as np

from depthlimit.conformance.faults.planting import Fault
from depthlimit.conformance.faults.written import BLOCKS, Change, wrong
from depthlimit.models import flow
from depthlimit.models.implementation import Array, Arrays, Network
from depthlimit.models.reference import NumpyImplementation


class Stepped(NumpyImplementation):
    """The flow by fixed steps."""

    steps = 100  # up to the last time

    def begin(self, params: Arrays) -> None:
        """Before the first step."""

    def step(self, spec: Network, theta: dict[str, Array], x: Array, y: Array, dt: float) -> dict[str, Array]:
        """Euler's: θ + dt θ'."""
        v = self.velocity(spec, theta, x, y)
        return {k: theta[k] + dt * v[k] for k in BLOCKS}

    def flow(self, spec: Network, params: Arrays, x: Array, y: Array, times: Array) -> dict[str, Array]:
        """Steps of the length closest to times[-1]/steps from one saved time to the next."""
        theta, now, saved = dict(params), 0.0, []
        self.begin(params)
        for t in times:
            count = max(1, round(self.steps * (t - now) / times[-1]))
            for _ in range(count if t > now else 0):
                theta = self.step(spec, theta, x, y, (t - now) / count)
            now = t
            saved.append(theta)
        out = {k: np.stack([s[k] for s in saved]) for k in BLOCKS}
        return {**out, "loss": np.array([self.loss(spec, s, x, y) for s in saved])}


class FewSteps(Stepped):
    """Ten Runge-Kutta steps of order 2."""

    steps = 10

    def step(self, spec: Network, theta: dict[str, Array], x: Array, y: Array, dt: float) -> dict[str, Array]:
        """The midpoint rule."""
        v = self.velocity(spec, super().step(spec, theta, x, y, dt / 2), x, y)
        return {k: theta[k] + dt * v[k] for k in BLOCKS}


class Momentum(Stepped):
    """Steps have momentum."""

    steps = 1000

    def begin(self, params: Arrays) -> None:
        """At rest."""
        self.speed = {k: np.zeros_like(v) for k, v in params.items()}

    def step(self, spec: Network, theta: dict[str, Array], x: Array, y: Array, dt: float) -> dict[str, Array]:
        """v <- 0.9 v + 0.1 θ'."""
        v = self.velocity(spec, theta, x, y)
        self.speed = {k: 0.9 * self.speed[k] + 0.1 * v[k] for k in BLOCKS}
        return {k: theta[k] + dt * self.speed[k] for k in BLOCKS}


class OneAfterAnother(Stepped):
    """Blocks are updated one after the other, each at the new values of those before."""

    steps = 1000

    def step(self, spec: Network, theta: dict[str, Array], x: Array, y: Array, dt: float) -> dict[str, Array]:
        """A first, B last."""
        for k in BLOCKS:
            theta = {**theta, k: theta[k] + dt * self.velocity(spec, theta, x, y)[k]}
        return theta


class Loose(NumpyImplementation):
    """The stepper has a tolerance of 1e-4."""

    def flow(self, spec: Network, params: Arrays, x: Array, y: Array, times: Array) -> dict[str, Array]:
        """The flow, roughly."""
        found = flow.integrate(spec, params, x, y, times, 1e-4)
        return {k: v for k, v in found.items() if not k.startswith("energy")}


def _timed(change: Change) -> dict[str, Change]:
    return {"flow": lambda s, p, x, y, times: (s, p, x, y, change(times))}


def _spec(**instead: object) -> dict[str, Change]:
    return {"flow": lambda s, *rest: ({**s, **instead}, *rest)}


def _late(out: Arrays) -> dict[str, Array]:
    """Each entry is that of the time before."""
    return {k: np.concatenate([v[:1], v[:-1]]) for k, v in out.items()}


def _linear(f: Arrays, s: Network, p: Arrays, x: Array, y: Array, times: Array) -> dict[str, Array]:
    share = (times - times[0]) / (times[-1] - times[0]) if len(times) > 1 else np.ones(1)
    return {k: v[0] + share.reshape(-1, *[1] * (v.ndim - 1)) * (v[-1] - v[0]) for k, v in f.items()}


_A, _V = "eq4.flow-A identities.energy", "eq4.flow-V eq4.flow-W"
_COARSE = "the flow is not followed accurately"
_LOSS = "the losses along the flow are not those of its states"
FAULTS: tuple[Fault, ...] = (
    wrong(
        "flow-twice-as-fast",
        "time runs at another speed",
        "plain start clipped",
        f"{_A} identities.displacement",
        "The flow runs at twice the speed; its velocity is right.",
        of=NumpyImplementation,
        given=_timed(lambda t: 2 * t),
    ),
    wrong(
        "flow-in-time-over-L",
        "time runs at another speed",
        "plain",
        f"{_A} {_V}",
        "Time is divided by L.",
        of=NumpyImplementation,
        given={"flow": lambda s, p, x, y, times: (s, p, x, y, times / s["L"])},
    ),
    wrong(
        "flow-late",
        "the flow is late by a constant",
        "plain",
        f"{_A} {_V}",
        "The state is that of 0.001 before.",
        of=NumpyImplementation,
        given=_timed(lambda t: np.where(t > 0, t - 1e-3, t)),
    ),
    wrong(
        "first-time-ignored",
        "the first time is taken for 0",
        "plain",
        "repeat.flow",
        of=NumpyImplementation,
        given=_timed(lambda t: t - t[0]),
    ),
    wrong(
        "first-entry-after-a-step",
        "the first entry is not the initial state",
        "plain",
        f"{_A} {_V}",
        "It is the state after a step of 1e-3.",
        of=NumpyImplementation,
        given=_timed(lambda t: np.where(t == 0, 1e-3, t)),
    ),
    wrong(
        "entries-shifted",
        "the entries are those of the times before",
        "plain",
        f"{_A} {_V}",
        of=NumpyImplementation,
        answers={"flow": lambda f, *_: _late(f)},
    ),
    wrong(
        "flow-by-interpolation",
        _COARSE,
        "plain",
        f"{_A} {_V}",
        "States between the ends are interpolated.",
        of=NumpyImplementation,
        answers={"flow": _linear},
    ),
    wrong("gradient-descent", _COARSE, "plain", f"{_A} {_V}", "A hundred steps of gradient descent.", of=Stepped),
    wrong("few-steps", _COARSE, "plain", f"{_A} {_V}", of=FewSteps),
    wrong("loose-tolerance", _COARSE, "certificate", "eq4.flow-V", of=Loose),
    wrong("momentum", "the flow has momentum", "plain", f"{_A} {_V}", of=Momentum),
    wrong("one-after-another", "blocks move one after the other", "plain", f"{_A} {_V}", of=OneAfterAnother),
    wrong(
        "flow-without-clip",
        "the flow forgets the clip",
        "saturated",
        "eq5.flow-A eq5.flow-V eq5.flow-W eq5.flow-B",
        of=NumpyImplementation,
        given=_spec(clip=None),
    ),
    wrong(
        "flow-trains-all",
        'the flow forgets spec["train"]',
        "weights-only",
        "eq4.flow-A eq4.flow-B",
        of=NumpyImplementation,
        given=_spec(train="AVWB"),
    ),
    wrong(
        "flow-with-layers-reversed",
        "the flow returns the layers in reversed order",
        "plain",
        _V,
        of=NumpyImplementation,
        answers={"flow": lambda f, *_: {**f, "V": f["V"][:, ::-1], "W": f["W"][:, ::-1]}},
    ),
    wrong(
        "flow-of-displacements",
        "the flow returns displacements",
        "plain",
        f"{_V} eq4.flow-A",
        of=NumpyImplementation,
        answers={"flow": lambda f, s, p, *_: {**f, **{k: f[k] - p[k] for k in BLOCKS}}},
    ),
    wrong(
        "losses-late",
        _LOSS,
        "plain",
        "identities.energy",
        "Each is that of the time before.",
        of=NumpyImplementation,
        answers={"flow": lambda f, *_: {**f, "loss": _late(f)["loss"]}},
    ),
    wrong(
        "losses-initial",
        _LOSS,
        "plain",
        "identities.energy",
        "All are that of the start.",
        of=NumpyImplementation,
        answers={"flow": lambda f, *_: {**f, "loss": np.full_like(f["loss"], f["loss"][0])}},
    ),
    wrong(
        "losses-halved",
        _LOSS,
        "plain",
        "identities.energy",
        "They are halved.",
        of=NumpyImplementation,
        answers={"flow": lambda f, *_: {**f, "loss": f["loss"] / 2}},
    ),
    wrong(
        "flow-without-last-layer",
        "the flow leaves the last layer where it was",
        "plain",
        _V,
        of=NumpyImplementation,
        answers={
            "flow": lambda f, s, p, *_: {
                **f,
                **{k: np.concatenate([f[k][:, :-1], np.repeat(p[k][None, -1:], len(f[k]), axis=0)], axis=1) for k in "VW"},
            }
        },
    ),
)
