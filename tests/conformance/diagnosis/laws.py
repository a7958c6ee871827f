"""Departures from the dynamics: one change each to (4), (5), the clip, how a flow is followed, or the neural ODE (6)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from depthlimit.conformance.faults.planting import Faulty
from depthlimit.models import activations, flow, limit
from depthlimit.models.clip import KINDS, project
from depthlimit.models.flow import BLOCKS
from depthlimit.models.implementation import Array, Arrays, Network
from depthlimit.models.reference import NumpyImplementation

Params = dict[str, Array]


@dataclass(frozen=True)
class Departure:
    """A sentence that says what is wrong, and the implementation of which it is true."""

    sentence: str
    make: Callable[[], NumpyImplementation]


# --- (4) and (5) written otherwise


class Velocity(Faulty):
    """θ' from the gradients by another formula."""

    def __init__(self, formula: Callable[[Network, Arrays], dict[str, Array]], follow: str = "both") -> None:
        self.formula, self.follow = formula, follow

    def velocity(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """(4) or (5), otherwise."""
        g = self.gradients(spec, params, x, y)
        return self.formula(spec, g) if self.follow == "both" else flow.velocity(spec, g)

    def flow(self, spec: Network, params: Arrays, x: Array, y: Array, times: Array) -> dict[str, Array]:
        """The flow of the formula, even if `velocity` is right."""
        return Velocity(self.formula).flow(spec, params, x, y, times) if self.follow == "flow" else super().flow(spec, params, x, y, times)


def _times(**powers: Callable[[Network], float]) -> Callable[[Network, Arrays], dict[str, Array]]:
    """Blocks multiplied before the clip."""
    return lambda s, g: flow.velocity(s, {k: v * powers[k](s) if k in powers else v for k, v in g.items()})


def _clips(kind: str | None, radius: Callable[[Network, float], float] = lambda s, r: r) -> Callable[[Network, Arrays], dict[str, Array]]:
    """Another kind, if one is given, or another radius."""

    def formula(s: Network, g: Arrays) -> dict[str, Array]:
        c = s["clip"]
        return flow.velocity(s if c is None else {**s, "clip": {"kind": kind or c["kind"], "radius": radius(s, c["radius"])}}, g)

    return formula


def _pieces(pieces: Callable[[Network, Params], dict[str, Array]]) -> Callable[[Network, Arrays], dict[str, Array]]:
    """The clip on other pieces of the unclipped velocity of the trained blocks."""

    def formula(s: Network, g: Arrays) -> dict[str, Array]:
        v = flow.velocity({**s, "clip": None}, g)
        return v if s["clip"] is None else {k: w if k in s["train"] else v[k] for k, w in pieces(s, v).items()}

    return formula


def _jointly(s: Network, v: Params) -> Params:
    """All blocks as one vector."""
    shapes = [v[k].shape for k in BLOCKS]
    (joint,) = project(s["clip"], flow.pack(v[k] for k in BLOCKS)[None, :])
    return dict(zip(BLOCKS, flow.unpack(joint[0], shapes), strict=True))


def _all_layers(s: Network, v: Params) -> Params:
    both = _jointly({**s}, {k: v[k] if k in "VW" else np.zeros_like(v[k]) for k in BLOCKS})
    return {**both, **{k: project(s["clip"], v[k])[0] for k in "AB"}}


def _before_L(s: Network, g: Arrays) -> dict[str, Array]:
    v = flow.velocity(s, {**g, "V": g["V"] / s["L"], "W": g["W"] / s["L"]})
    return {**v, "V": s["L"] * v["V"], "W": s["L"] * v["W"]}


def _still(blocks: str, layer: int | None = None) -> Callable[[Network, Arrays], dict[str, Array]]:
    def formula(s: Network, g: Arrays) -> dict[str, Array]:
        v = {k: np.array(a) for k, a in flow.velocity(s, g).items()}
        for k in blocks:
            v[k][... if layer is None else layer] = 0
        return v

    return formula


def _formulas() -> Iterator[tuple[str, Callable[[Network, Arrays], dict[str, Array]]]]:
    def of(blocks: str, factor: Callable[[Network], float]) -> Callable[[Network, Arrays], dict[str, Array]]:
        return _times(**dict.fromkeys(blocks, factor))

    yield "the factor L of (4) is missing", of("VW", lambda s: 1 / s["L"])
    yield "the factor L of (4) is √L", of("VW", lambda s: 1 / math.sqrt(s["L"]))
    yield "the factor L of (4) is there twice", of("VW", lambda s: s["L"])
    yield "the factor L of (4) is missing for V", of("V", lambda s: 1 / s["L"])
    yield "the factor L of (4) is missing for W", of("W", lambda s: 1 / s["L"])
    yield "A and B move with the factor L too", of("AB", lambda s: s["L"])
    yield "the sign of (4) is wrong", of("AVWB", lambda s: -1)
    for k in BLOCKS:
        yield f"the sign of (4) is wrong for {k}", of(k, lambda s: -1)
    yield "the velocity is twice too large", of("AVWB", lambda s: 2)
    yield "the velocity is half of what it should be", of("AVWB", lambda s: 0.5)
    yield "the clip acts before the factor L", _before_L
    yield "the clip is missing", lambda s, g: flow.velocity({**s, "clip": None}, g)
    for kind in KINDS:
        yield f"the clip is {kind} whatever is asked for", _clips(kind)
    for name, radius in _RADII.items():
        yield f"the radius of the clip is {name}", _clips(None, radius)
    yield "V and W are clipped apart", _pieces(lambda s, v: {k: project(s["clip"], v[k])[0] for k in BLOCKS})
    yield "all blocks are clipped as one vector", _pieces(_jointly)
    yield "all layers are clipped as one vector", _pieces(_all_layers)
    yield "A and B are not clipped", _pieces(lambda s, v: {**v, **dict(zip("VW", project(s["clip"], v["V"], v["W"]), strict=True))})
    yield 'spec["train"] is ignored', lambda s, g: flow.velocity({**s, "train": "AVWB"}, g)
    for blocks in ("A", "B", "AB", "V", "W", "VW"):
        yield f"{' and '.join(blocks)} {'does' if len(blocks) == 1 else 'do'} not move", _still(blocks)
    yield "the last layer does not move", _still("VW", -1)
    yield "the first layer does not move", _still("VW", 0)


_RADII: dict[str, Callable[[Network, float], float]] = {
    "1": lambda s, r: 1.0,
    "2r": lambda s, r: 2 * r,
    "r/2": lambda s, r: r / 2,
    "rL": lambda s, r: r * s["L"],
    "r/L": lambda s, r: r / s["L"],
    "r/√(qm)": lambda s, r: r / math.sqrt(s["q"] * s["m"]),
    "r²": lambda s, r: r * r,
}


# --- flows and neural ODEs that are solved otherwise


_FLOWS: dict[bytes, dict[str, Array]] = {}  # right flows: hypotheses ask for the same ones over and over


def right_flow(spec: Network, params: Arrays, x: Array, y: Array, times: Array) -> dict[str, Array]:
    """The reference's, from scratch only once."""
    arrays = [np.ascontiguousarray(v).tobytes() for v in (*(params[k] for k in BLOCKS), x, y, np.asarray(times))]
    key = b"|".join([repr(sorted(spec.items(), key=str)).encode(), *arrays])
    if key not in _FLOWS:
        if len(_FLOWS) > 500:
            _FLOWS.clear()
        _FLOWS[key] = NumpyImplementation().flow(spec, params, x, y, times)
    return {k: v.copy() for k, v in _FLOWS[key].items()}


class Flow(NumpyImplementation):
    """The right states at other times: at(times, spec) are the times, one for each."""

    def __init__(self, at: Callable[[Array, Network], Array], loss: str = "same") -> None:
        self.at, self.only_loss = at, loss == "only"

    def flow(self, spec: Network, params: Arrays, x: Array, y: Array, times: Array) -> dict[str, Array]:
        """The flow at other times."""
        asked = np.maximum(self.at(times, spec), 0.0)
        at, back = np.unique(asked, return_inverse=True)
        found = {k: v[back] for k, v in right_flow(spec, params, x, y, at).items()}
        return {**right_flow(spec, params, x, y, times), "loss": found["loss"]} if self.only_loss else found


class Resting(NumpyImplementation):
    """Layers of the returned states stay where they were."""

    def __init__(self, blocks: str, layer: int | None = None) -> None:
        self.blocks, self.layer = blocks, ... if layer is None else layer

    def flow(self, spec: Network, params: Arrays, x: Array, y: Array, times: Array) -> dict[str, Array]:
        """The flow, with these at the start."""
        found = right_flow(spec, params, x, y, times)
        for k in self.blocks:
            for state in found[k]:
                state[self.layer] = params[k][self.layer]
        return found


class BySample(Faulty):
    """The clip acts on the velocity of each sample, and then their mean is taken."""

    def velocity(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """The mean of clipped velocities."""
        one = NumpyImplementation()
        each = [one.velocity(spec, params, x[i : i + 1], y[i : i + 1]) for i in range(len(x))]
        return {k: np.mean([v[k] for v in each], axis=0) for k in BLOCKS}


class Displacements(NumpyImplementation):
    """θ(t) - θ(0) for θ(t)."""

    def flow(self, spec: Network, params: Arrays, x: Array, y: Array, times: Array) -> dict[str, Array]:
        """The way from the start."""
        found = right_flow(spec, params, x, y, times)
        return {**found, **{k: found[k] - params[k] for k in BLOCKS}}


class Weights(NumpyImplementation):
    """The neural ODE with other weights V(s), W(s), or its output read off elsewhere."""

    def __init__(
        self, change: Callable[[Array], Array] = lambda c: c, at: Callable[[Array], Array] = lambda s: s, output: str = ""
    ) -> None:
        self.change, self.at, self.output = change, at, output

    def neural_ode(self, spec: Network, weights: Arrays, x: Array, s: Array) -> dict[str, Array]:
        """(6), otherwise."""
        changed = {k: self.change(v) if k in "VW" else v for k, v in weights.items()}
        found = super().neural_ode(spec, changed, x, self.at(s))
        read = {"first": x @ weights["A"].T, "last": found["hidden"][-1], "": None}[self.output]
        return found if read is None else {**found, "output": read @ weights["B"].T}


class Field(NumpyImplementation):
    """The neural ODE with another right-hand side: field(f, H, σ) with f = 1/√m V σ(W H/√q)."""

    def __init__(self, field: Callable[[Array, Array, Callable[[Array], Array]], Array]) -> None:
        self.field = field

    def neural_ode(self, spec: Network, weights: Arrays, x: Array, s: Array) -> dict[str, Array]:
        """(6), otherwise."""
        start = x @ weights["A"].T

        def sigma(u: Array) -> Array:
            return activations.value(spec["activation"], u)

        def rhs(at: float, state: Array) -> Array:
            h, (V, W) = state.reshape(start.shape), (limit.weights_at(weights[k], at) for k in "VW")
            f = sigma(h @ W.T / math.sqrt(spec["q"])) @ V.T / math.sqrt(spec["m"])
            return np.asarray(self.field(f, h, sigma)).ravel()

        stops = np.unique([*s, 1.0])
        share = flow.local_tolerance(spec, 0.01)
        H = start + flow.solve(rhs, start.ravel(), stops, share, [flow.Block(start.size)]).reshape(-1, *start.shape)
        return {"hidden": H[: len(s)], "output": H[-1] @ weights["B"].T}


def _chebyshev(convert: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """The series that the function, vectorised over the leading axis of coefficients, stands for."""
    return lambda c: np.asarray(np.tensordot(convert(np.eye(len(c))), c, axes=1))


def _from_powers(scale: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Coefficients of the Chebyshev series of Σ c_j scale(u)^j; column j of the identity is the j-th power."""

    def convert(eye: Array) -> Array:
        N = len(eye)
        nodes = np.cos(np.pi * (np.arange(N) + 0.5) / N)
        return np.asarray(
            np.linalg.solve(np.polynomial.chebyshev.chebvander(nodes, N - 1), np.vander(scale(nodes), N, increasing=True)), dtype=np.float64
        )

    return _chebyshev(convert)


def _at(argument: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Chebyshev polynomials at another argument, u = 2s - 1."""

    def convert(eye: Array) -> Array:
        N = len(eye)
        nodes = np.cos(np.pi * (np.arange(N) + 0.5) / N)
        vander = np.polynomial.chebyshev.chebvander
        return np.asarray(np.linalg.solve(vander(nodes, N - 1), vander(argument(nodes), N - 1)), dtype=np.float64)

    return _chebyshev(convert)


STEPS = (0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)  # of gradient descent that are tried


class Descent(NumpyImplementation):
    """Steps of gradient descent, L-scaled and clipped, as many as there is time for."""

    def __init__(self, step: float) -> None:
        self.step = step

    def flow(self, spec: Network, params: Arrays, x: Array, y: Array, times: Array) -> dict[str, Array]:
        """θ after round(t/step) steps of θ + step θ'."""
        states, now, done = [], dict(params), 0
        with np.errstate(all="ignore"):
            for t in times:
                for _ in range(done, done := round(float(t) / self.step)):
                    v = self.velocity(spec, now, x, y)
                    now = {k: now[k] + self.step * v[k] for k in now}
                states.append({**now, "loss": np.asarray(self.loss(spec, now, x, y))})
        return {k: np.stack([state[k] for state in states]) for k in states[0]}


def _flows() -> Iterator[Departure]:
    def at(sentence: str, times: Callable[[Array, Network], Array], loss: str = "same") -> Departure:
        return Departure(sentence, lambda: Flow(times, loss))

    for factor, name in ((2.0, "twice too fast"), (0.5, "at half the speed")):
        yield at(f"time runs {name}", lambda t, s, c=factor: c * t)  # type: ignore[misc]
    yield at("time runs L times too fast", lambda t, s: s["L"] * t)
    yield at("time runs L times too slowly", lambda t, s: t / s["L"])
    yield at("the first time is taken for 0", lambda t, s: t - t[0])
    yield at("the entries are those of the times before", lambda t, s: np.concatenate([t[:1], t[:-1]]))
    yield at("all entries are those of the last time", lambda t, s: np.full_like(t, t[-1]))
    yield at("times are taken for an even grid", lambda t, s: np.linspace(0, t[-1], len(t)))
    yield at("the losses along the flow are those of the times before", lambda t, s: np.concatenate([t[:1], t[:-1]]), "only")
    yield at("the losses along the flow are the first one", lambda t, s: np.full_like(t, t[0]), "only")
    yield at("the losses along the flow are the initial one", lambda t, s: np.zeros_like(t), "only")
    yield Departure("the flow returns displacements", Displacements)
    for blocks in ("A", "B", "AB", "V", "W", "VW"):
        which = " and ".join(blocks)
        yield Departure(f"the states of {which} along the flow are the initial one", lambda b=blocks: Resting(b))  # type: ignore[misc]
    yield Departure("the flow leaves the last layer where it was", lambda: Resting("VW", -1))
    yield Departure("the flow leaves the first layer where it was", lambda: Resting("VW", 0))
    for step in STEPS:
        yield Departure("steps of gradient descent stand in place of the flow", lambda step=step: Descent(step))  # type: ignore[misc]


_FIELDS: dict[str, Callable[[Array, Array, Callable[[Array], Array]], Array]] = {
    "(6) has a term -H": lambda f, h, sigma: f - h,
    "(6) has a term H": lambda f, h, sigma: f + h,
    "the right-hand side of (6) has the wrong sign": lambda f, h, sigma: -f,
    "σ acts on the right-hand side of (6) once more": lambda f, h, sigma: sigma(f),
}


def _odes() -> Iterator[Departure]:
    def weights(sentence: str, **how: Any) -> Departure:
        return Departure(sentence, lambda: Weights(**how))

    yield weights("the neural ODE runs from s = 1 to 0", change=_at(lambda u: -u))
    yield weights("the weights of (6) are Σ V_j T_j(s)", change=_at(lambda u: (u + 1) / 2))
    yield weights("the weights of (6) are Σ V_j s^j", change=_from_powers(lambda u: (u + 1) / 2))
    yield weights("the weights of (6) are Σ V_j (2s-1)^j", change=_from_powers(lambda u: u))
    yield weights("the coefficients in (6) stand in reversed order", change=lambda c: c[::-1])
    yield weights("the weights of (6) are the constant V_0", change=lambda c: c[:1])
    yield weights("the first coefficient in (6) is halved", change=lambda c: np.concatenate([c[:1] / 2, c[1:]]))
    yield weights("the last coefficient in (6) is left out", change=lambda c: c[:-1])
    for sentence, field in _FIELDS.items():
        yield Departure(sentence, lambda field=field: Field(field))  # type: ignore[misc]
    yield weights("the output of (6) is B H(0)", output="first")
    yield weights("the output of (6) is B H at the last s", output="last")
    yield weights("s is taken for an even grid on [0, 1]", at=lambda s: np.linspace(0, 1, len(s)))


def laws(method: str) -> Iterator[Departure]:
    """Those that first show in velocity, flow or neural_ode."""
    if method in ("velocity", "flow"):
        for sentence, formula in _formulas():
            # A flow that is wrong where the velocity is right follows another one.
            name, follow = (sentence, "both") if method == "velocity" else (f"in the flow, {sentence}", "flow")
            yield Departure(name, lambda f=formula, follow=follow: Velocity(f, follow))  # type: ignore[misc]
    if method == "velocity":
        yield Departure("the clip acts on samples, before their mean", BySample)
    yield from {"flow": _flows, "neural_ode": _odes}.get(method, tuple)()
