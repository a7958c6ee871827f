"""Departures from the model: one change each to (3)-(6), (13)-(16) or the clip, said in its words.

They are the hypotheses of a diagnosis that know of no planted fault. Each is an implementation that answers as one would whose author had
made that change and no other: the reference asked another question, or a formula of it written otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from depthlimit.conformance.faults.planting import Faulty
from depthlimit.models import activations, backward, flow, residual
from depthlimit.models.clip import KINDS, project
from depthlimit.models.implementation import Array, Arrays, Network
from depthlimit.models.reference import NumpyImplementation
from depthlimit.theory.activation import CATALOGUE

BLOCKS = flow.BLOCKS
Params = dict[str, Array]


@dataclass(frozen=True)
class Departure:
    """A sentence that says what is wrong, and the implementation of which it is true."""

    sentence: str
    make: Callable[[], NumpyImplementation]


# --- the reference, asked another question


class Changed(Faulty):
    """The reference where spec, parameters or data are other ones. factors: what blocks are multiplied by (gradients follow)."""

    def __init__(
        self,
        factors: Mapping[str, Callable[[Network], float]] | None = None,
        spec: Callable[[Network], Network] = lambda s: s,
        params: Callable[[Params], Params] = lambda p: p,
        x: Callable[[Array], Array] = lambda x: x,
        y: Callable[[Array], Array] = lambda y: y,
        only: frozenset[str] = frozenset({"forward", "loss", "gradients", "neural_ode"}),
    ) -> None:
        self.factors, self._spec, self._params, self._x, self._y, self.only = factors or {}, spec, params, x, y, only

    def _asked(self, spec: Network, params: Arrays, x: Array) -> tuple[Network, Params, Array]:
        scaled = {k: v * self.factors[k](spec) if k in self.factors else v for k, v in params.items()}
        return self._spec(spec), self._params(scaled), self._x(x)

    def forward(self, spec: Network, params: Arrays, x: Array) -> dict[str, Array]:
        """(3), otherwise."""
        return super().forward(*(self._asked(spec, params, x) if "forward" in self.only else (spec, params, x)))

    def loss(self, spec: Network, params: Arrays, x: Array, y: Array) -> float:
        """The loss, otherwise."""
        if "loss" not in self.only:
            return super().loss(spec, params, x, y)
        s, p, z = self._asked(spec, params, x)
        return float(residual.loss(residual.forward(s, p, z)[1], self._y(y)))

    def gradients(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """Gradients, otherwise."""
        if "gradients" not in self.only:
            return super().gradients(spec, params, x, y)
        s, p, z = self._asked(spec, params, x)
        g = backward.loss_and_gradients(s, p, z, self._y(y))[1]
        return {k: v * self.factors[k](spec) if k in self.factors else v for k, v in g.items()}

    def neural_ode(self, spec: Network, weights: Arrays, x: Array, s: Array) -> dict[str, Array]:
        """(6), otherwise."""
        if "neural_ode" not in self.only:
            return super().neural_ode(spec, weights, x, s)
        network, changed, z = self._asked(spec, weights, x)
        return super().neural_ode(network, changed, z, s)


FACTORS: dict[str, Callable[[Network], float]] = {
    "L": lambda s: s["L"],
    "√L": lambda s: math.sqrt(s["L"]),
    "1/L": lambda s: 1 / s["L"],
    "1/√L": lambda s: 1 / math.sqrt(s["L"]),
    "√m": lambda s: math.sqrt(s["m"]),
    "1/√m": lambda s: 1 / math.sqrt(s["m"]),
    "√q": lambda s: math.sqrt(s["q"]),
    "1/√q": lambda s: 1 / math.sqrt(s["q"]),
    "1/q": lambda s: 1 / s["q"],
    "√d": lambda s: math.sqrt(s["d"]),
    "1/√d": lambda s: 1 / math.sqrt(s["d"]),
    "√(q/m)": lambda s: math.sqrt(s["q"] / s["m"]),
    "√(m/q)": lambda s: math.sqrt(s["m"] / s["q"]),
    "L/(L+1)": lambda s: s["L"] / (s["L"] + 1),
    "2": lambda s: 2,
    "1/2": lambda s: 0.5,
    "-1": lambda s: -1,
    "0": lambda s: 0,
}
_SAID = {
    ("V", "L"): "the factor 1/L of the residual branch is missing",
    ("V", "√m"): "the factor 1/√m of the residual branch is missing",
    ("W", "√q"): "the factor 1/√q in the argument of σ is missing",
    ("V", "√L"): "the residual branch is divided by √L instead of L",
    ("V", "1/L"): "the residual branch is divided by L twice",
    ("V", "1/√m"): "the residual branch is divided by m instead of √m",
    ("V", "√(m/q)"): "the residual branch is divided by √q instead of √m",
    ("W", "1/√q"): "the argument of σ is divided by q instead of √q",
    ("W", "√(q/m)"): "the argument of σ is divided by √m instead of √q",
    ("V", "L/(L+1)"): "the residual branch is divided by L + 1 instead of L",
    ("V", "-1"): "the residual branch is subtracted",
    ("V", "0"): "the residual branches are left out",
    ("A", "1/√d"): "the embedding A x is divided by √d",
    ("B", "1/√q"): "the output is divided by √q",
    ("B", "1/q"): "the output is divided by q",
}


def _scalings() -> Iterator[Departure]:
    for block in BLOCKS:
        for name, factor in FACTORS.items():
            sentence = _SAID.get((block, name), f"{block} is multiplied by {name}")
            yield Departure(sentence, lambda b=block, f=factor: Changed({b: f}))  # type: ignore[misc]


def _layers(change: Callable[[Array], Array], blocks: str) -> Callable[[Params], Params]:
    return lambda p: {k: change(v) if k in blocks else v for k, v in p.items()}


def _next(a: Array) -> Array:
    return np.concatenate([a[1:], a[-1:]])


def _previous(a: Array) -> Array:
    return np.concatenate([a[:1], a[:-1]])


def _without(k: int) -> Callable[[Array], Array]:
    def change(a: Array) -> Array:
        b = a.copy()
        b[k] = 0
        return b

    return change


def _float32(a: Array) -> Array:
    return a.astype(np.float32).astype(np.float64)


def _questions() -> Iterator[Departure]:
    def params(sentence: str, change: Callable[[Array], Array], blocks: str) -> Departure:
        return Departure(sentence, lambda: Changed(params=_layers(change, blocks)))

    for k in ("V", "W", "VW"):
        which = " and ".join(k)
        yield params(f"layers are off by one: layer k uses {which} of layer k+1", _next, k)
        yield params(f"layers are off by one: layer k uses {which} of layer k-1", _previous, k)
        yield params(f"layers run in the reverse order in {which}", lambda a: a[::-1], k)
        yield params(f"all layers use {which} of the first layer", lambda a: np.repeat(a[:1], len(a), axis=0), k)
    yield params("the last layer is left out", _without(-1), "V")
    yield params("the first layer is left out", _without(0), "V")
    yield params("V is transposed in memory order", lambda a: np.asfortranarray(a.transpose(0, 2, 1)).reshape(a.shape), "V")
    yield params("W is transposed in memory order", lambda a: np.asfortranarray(a.transpose(0, 2, 1)).reshape(a.shape), "W")
    swapped = lambda p: {**p, "V": p["W"].transpose(0, 2, 1), "W": p["V"].transpose(0, 2, 1)}  # noqa: E731
    yield Departure("V and W are exchanged", lambda: Changed(params=swapped))
    yield Departure("inputs are normalised", lambda: Changed(x=lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)))
    yield Departure("inputs are centred over the samples", lambda: Changed(x=lambda x: x - x.mean(axis=0)))
    yield Departure(
        "inputs are standardised over the samples", lambda: Changed(x=lambda x: (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-12))
    )
    yield Departure("outputs are compared with labels of the opposite sign", lambda: Changed(y=lambda y: -y))
    yield Departure("labels are centred over the samples", lambda: Changed(y=lambda y: y - y.mean(axis=0)))
    yield Departure("labels are normalised", lambda: Changed(y=lambda y: y / np.linalg.norm(y, axis=1, keepdims=True)))
    yield Departure("labels are left out", lambda: Changed(y=np.zeros_like))
    yield Departure("samples and labels are not paired", lambda: Changed(y=lambda y: y[::-1]))
    yield Departure("weights are rounded to float32", lambda: Changed(params=lambda p: {k: _float32(v) for k, v in p.items()}))
    yield Departure("inputs are rounded to float32", lambda: Changed(x=_float32))
    sigma: Callable[..., Callable[[Network], Network]] = lambda **more: (  # noqa: E731
        lambda s: {**s, "activation": {**s["activation"], **more}}
    )
    yield Departure("σ(u) = aφ(bu) without the factor a", lambda: Changed(spec=sigma(a=1.0)))
    yield Departure("σ(u) = aφ(bu) without the factor b", lambda: Changed(spec=sigma(b=1.0)))
    yield Departure("σ(u) = φ(u) instead of aφ(bu)", lambda: Changed(spec=sigma(a=1.0, b=1.0)))
    exchanged = lambda s: {**s, "activation": {**s["activation"], "a": s["activation"]["b"], "b": s["activation"]["a"]}}  # noqa: E731
    yield Departure("a and b of σ(u) = aφ(bu) are exchanged", lambda: Changed(spec=exchanged))
    for name in CATALOGUE:
        yield Departure(f"σ is {name} whatever is asked for", lambda name=name: Changed(spec=sigma(name=name)))  # type: ignore[misc]


# --- (3) written otherwise


class Forward(Faulty):
    """(3) with another recurrence: step(h, branch, h_0, σ) is h_k."""

    def __init__(self, step: Callable[..., Array], output: Callable[[Array], Array] = lambda hidden: hidden[-1]) -> None:
        self.step, self.output = step, output

    def forward(self, spec: Network, params: Arrays, x: Array) -> dict[str, Array]:
        """(3), otherwise."""
        sigma = lambda u: activations.value(spec["activation"], u)  # noqa: E731
        hidden = [x @ params["A"].T]

        def branch(h: Array, k: int) -> Array:
            return np.asarray(sigma(h @ params["W"][k].T / math.sqrt(spec["q"])) @ params["V"][k].T / (spec["L"] * math.sqrt(spec["m"])))

        for k in range(spec["L"]):
            hidden.append(self.step(hidden[-1], lambda h, k=k: branch(h, k), hidden[0], sigma))
        states = np.stack(hidden)
        return {"hidden": states, "output": self.output(states) @ params["B"].T}

    def loss(self, spec: Network, params: Arrays, x: Array, y: Array) -> float:
        """Of that network."""
        return float(residual.loss(self.forward(spec, params, x)["output"], y))


def _rounded_steps(h: Array, f: Callable[[Array], Array], *_: Any) -> Array:
    return _float32(h + f(h))


def _forwards() -> Iterator[Departure]:
    yield Departure("the skip connection is missing", lambda: Forward(lambda h, f, *_: f(h)))
    yield Departure("σ acts on the whole layer", lambda: Forward(lambda h, f, h0, sigma: sigma(h + f(h))))
    yield Departure("σ acts on the residual branch once more", lambda: Forward(lambda h, f, h0, sigma: h + sigma(f(h))))
    yield Departure("every layer adds to h_0", lambda: Forward(lambda h, f, h0, sigma: h0 + f(h)))
    yield Departure("every layer reads h_0", lambda: Forward(lambda h, f, h0, sigma: h + f(h0)))
    yield Departure("a layer is a midpoint step", lambda: Forward(lambda h, f, *_: h + f(h + f(h) / 2)))
    yield Departure("a layer is a step of Heun's method", lambda: Forward(lambda h, f, *_: h + (f(h) + f(h + f(h))) / 2))
    yield Departure("states are rounded to float32", lambda: Forward(_rounded_steps))
    plain = lambda h, f, *_: h + f(h)  # noqa: E731
    yield Departure("the output is read off h_{L-1}", lambda: Forward(plain, lambda hidden: hidden[-2]))
    yield Departure("the output is read off the first state h_0", lambda: Forward(plain, lambda hidden: hidden[0]))
    yield Departure("the output is read off the mean of the states", lambda: Forward(plain, lambda hidden: np.mean(hidden, axis=0)))


# --- the loss and (13)-(16) written otherwise


class Backward(Faulty):
    """Gradients from another adjoint: back(p_{k+1}, slope, V, W) is p_k - p_{k+1}, of rows; `last` multiplies p_L."""

    def __init__(
        self,
        back: Callable[..., Array] | None = None,
        skip: bool = True,
        hidden: Callable[[Array], Array] = lambda h: h,
        adjoint: Callable[[Array], Array] = lambda p: p,
        slope: Callable[[Array], Array] = lambda s: s,
    ) -> None:
        self.back, self.skip, self.hidden, self.adjoint, self.slope = back, skip, hidden, adjoint, slope

    def gradients(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """(14)-(16) from the other adjoint."""
        hidden, output = residual.forward(spec, params, x)
        slope = self.slope(activations.derivative(spec["activation"], residual.preactivations(spec, params, hidden)))
        p = np.zeros_like(hidden)
        p[-1] = 2 * (output - y) @ params["B"]
        scale = 1 / (spec["L"] * math.sqrt(spec["q"] * spec["m"]))
        for k in reversed(range(spec["L"])):
            V, W = params["V"][k], params["W"][k]
            step = ((p[k + 1] @ V) * slope[k]) @ W if self.back is None else self.back(p[k + 1], slope[k], V, W, spec)
            p[k] = (p[k + 1] if self.skip else 0) + scale * step
        return backward.gradients(spec, params, self.hidden(hidden), self.adjoint(p), x, y)


def _shift(a: Array) -> Array:
    return np.concatenate([a[:1], a[:-1]])


def _backwards() -> Iterator[Departure]:
    yield Departure("the adjoint (13) has the Jacobian ∂₁f for its transpose", lambda: Backward(lambda p, s, V, W, _: ((p @ W.T) * s) @ V.T))
    yield Departure("the adjoint (13) does not pass through the branches", lambda: Backward(lambda p, s, V, W, _: np.zeros_like(p)))
    yield Departure("the adjoint (13) does not pass through the skip connections", lambda: Backward(skip=False))
    yield Departure("the adjoint (13) lacks the factor 1/L", lambda: Backward(lambda p, s, V, W, n: n["L"] * ((p @ V) * s) @ W))
    yield Departure("the adjoint (13) lacks σ'", lambda: Backward(lambda p, s, V, W, _: (p @ V) @ W))
    yield Departure("the adjoint (13) has the opposite sign in the branches", lambda: Backward(lambda p, s, V, W, _: -((p @ V) * s) @ W))
    yield Departure("gradients (14)-(15) of layer k use p_{k-1} for p_k", lambda: Backward(adjoint=_shift))
    yield Departure("gradients (15) of layer k use h_k for h_{k-1}", lambda: Backward(hidden=lambda h: np.concatenate([h[1:], h[-1:]])))
    yield Departure("gradients use float32", lambda: Backward(adjoint=_float32))


class Rounded(Faulty):
    """Answers of a method are rounded to float32."""

    def __init__(self, method: str) -> None:
        self.method = method

    def forward(self, spec: Network, params: Arrays, x: Array) -> dict[str, Array]:
        """Rounded."""
        found = super().forward(spec, params, x)
        return {k: _float32(v) for k, v in found.items()} if self.method == "forward" else found

    def gradients(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """Rounded."""
        found = super().gradients(spec, params, x, y)
        return {k: _float32(v) for k, v in found.items()} if self.method in ("forward", "gradients") else found


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


def _after(factor: Callable[[Network], float], blocks: str) -> Callable[[Network, Arrays], dict[str, Array]]:
    return lambda s, g: {k: v * factor(s) if k in blocks else v for k, v in flow.velocity(s, g).items()}


def _clips(change: Callable[[Network], Any]) -> Callable[[Network, Arrays], dict[str, Array]]:
    return lambda s, g: flow.velocity({**s, "clip": s["clip"] and change(s)}, g)


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
    inverse, root, depth = FACTORS["1/L"], FACTORS["1/√L"], FACTORS["L"]
    yield "the factor L of the velocity is missing", _times(V=inverse, W=inverse)
    yield "the velocity has the factor √L for L", _times(V=root, W=root)
    yield "the velocity has the factor L twice", _times(V=depth, W=depth)
    yield "the velocity has the factor L for A and B too", _times(A=depth, B=depth)
    yield "the velocity of V lacks the factor L", _times(V=inverse)
    yield "the velocity of W lacks the factor L", _times(W=inverse)
    yield "the velocity has the sign of gradient ascent", _times(**dict.fromkeys(BLOCKS, FACTORS["-1"]))
    yield "the velocity is twice too large", _times(**dict.fromkeys(BLOCKS, FACTORS["2"]))
    yield "the velocity is half of what it should be", _times(**dict.fromkeys(BLOCKS, FACTORS["1/2"]))
    yield "the clip acts before the factor L", _before_L
    yield "the clip is left out", _clips(lambda s: None)
    for kind in KINDS:
        yield f"the clip is {kind} whatever is asked for", _clips(lambda s, kind=kind: {**s["clip"], "kind": kind})
    yield "the clip's radius is 1", _clips(lambda s: {**s["clip"], "radius": 1.0})
    yield "the clip's radius is multiplied by 2", _clips(lambda s: {**s["clip"], "radius": 2 * s["clip"]["radius"]})
    yield "the clip's radius is multiplied by L", _clips(lambda s: {**s["clip"], "radius": s["L"] * s["clip"]["radius"]})
    yield "the clip's radius is divided by L", _clips(lambda s: {**s["clip"], "radius": s["clip"]["radius"] / s["L"]})
    yield "the clip acts on V and W separately", _pieces(lambda s, v: {k: project(s["clip"], v[k])[0] for k in BLOCKS})
    yield "the clip acts on all blocks as one vector", _pieces(_jointly)
    yield "the clip acts on all layers as one vector", _pieces(_all_layers)
    yield (
        "A and B are not clipped",
        lambda s, g: {**flow.velocity(s, g), **{k: v for k, v in flow.velocity({**s, "clip": None}, g).items() if k in "AB"}},
    )
    yield "A and B train although they should not", lambda s, g: flow.velocity({**s, "train": "AVWB"}, g)
    for blocks in ("A", "B", "AB", "V", "W", "VW"):
        yield f"{' and '.join(blocks)} {'does' if len(blocks) == 1 else 'do'} not train", _still(blocks)
    yield "the last layer does not train", _still("VW", -1)
    yield "the first layer does not train", _still("VW", 0)


def _velocities() -> Iterator[Departure]:
    for sentence, formula in _formulas():
        yield Departure(sentence, lambda f=formula: Velocity(f))  # type: ignore[misc]
    for sentence, formula in _formulas():
        yield Departure(f"{sentence}, in the flow alone", lambda f=formula: Velocity(f, "flow"))  # type: ignore[misc]


# --- flows and neural ODEs that are solved otherwise


class Flow(NumpyImplementation):
    """The right states at other times: at(times, spec) are the times, one for each."""

    def __init__(self, at: Callable[[Array, Network], Array], loss: str = "same") -> None:
        self.at, self.only_loss = at, loss == "only"

    def flow(self, spec: Network, params: Arrays, x: Array, y: Array, times: Array) -> dict[str, Array]:
        """The flow at other times."""
        asked = np.maximum(self.at(times, spec), 0.0)
        at, back = np.unique(asked, return_inverse=True)
        found = {k: v[back] for k, v in super().flow(spec, params, x, y, at).items()}
        return {**super().flow(spec, params, x, y, times), "loss": found["loss"]} if self.only_loss else found


class Descent(NumpyImplementation):
    """Explicit Euler steps instead of the flow: `steps` of them to each time."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def flow(self, spec: Network, params: Arrays, x: Array, y: Array, times: Array) -> dict[str, Array]:
        """Gradient descent."""
        theta, now, rows = {k: v.copy() for k, v in params.items()}, 0.0, []
        for t in times:
            for _ in range(self.steps):
                v = self.velocity(spec, theta, x, y)
                theta = {k: theta[k] + (t - now) / self.steps * v[k] for k in BLOCKS}
            now = t
            rows.append({**theta, "loss": np.array(self.loss(spec, theta, x, y))})
        return {k: np.stack([row[k] for row in rows]) for k in rows[0]}


class Weights(NumpyImplementation):
    """The neural ODE with other weights V(s), W(s), or its output read off elsewhere."""

    def __init__(self, change: Callable[[Array], Array] = lambda c: c, at: Callable[[Array], Array] = lambda s: s, output: str = "") -> None:
        self.change, self.at, self.output = change, at, output

    def neural_ode(self, spec: Network, weights: Arrays, x: Array, s: Array) -> dict[str, Array]:
        """(6), otherwise."""
        changed = {k: self.change(v) if k in "VW" else v for k, v in weights.items()}
        found = super().neural_ode(spec, changed, x, self.at(s))
        read = {"first": x @ weights["A"].T, "last": found["hidden"][-1], "": None}[self.output]
        return found if read is None else {**found, "output": read @ weights["B"].T}


def _chebyshev(convert: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """The series that the function, vectorised over the leading axis of coefficients, stands for."""
    return lambda c: np.asarray(np.tensordot(convert(np.eye(len(c))), c, axes=1))


def _from_powers(scale: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Coefficients of the Chebyshev series of Σ c_j scale(u)^j; column j of the identity is the j-th power."""

    def convert(eye: Array) -> Array:
        N = len(eye)
        nodes = np.cos(np.pi * (np.arange(N) + 0.5) / N)
        return np.linalg.solve(np.polynomial.chebyshev.chebvander(nodes, N - 1), np.vander(scale(nodes), N, increasing=True))

    return _chebyshev(convert)


def _at(argument: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Chebyshev polynomials at another argument, u = 2s - 1."""

    def convert(eye: Array) -> Array:
        N = len(eye)
        nodes = np.cos(np.pi * (np.arange(N) + 0.5) / N)
        vander = np.polynomial.chebyshev.chebvander
        return np.linalg.solve(vander(nodes, N - 1), vander(argument(nodes), N - 1))

    return _chebyshev(convert)


def _solved() -> Iterator[Departure]:
    for name, c in (("twice too fast", 2.0), ("at half the speed", 0.5)):
        yield Departure(f"the flow runs {name}", lambda c=c: Flow(lambda t, s: c * t))  # type: ignore[misc]
    yield Departure("the flow runs L times too fast", lambda: Flow(lambda t, s: s["L"] * t))
    yield Departure("the flow runs L times too slowly", lambda: Flow(lambda t, s: t / s["L"]))
    yield Departure("the flow runs backwards in time", lambda: Velocity(_times(**dict.fromkeys(BLOCKS, FACTORS["-1"])), "flow"))
    yield Departure("times are counted from the first one asked for", lambda: Flow(lambda t, s: t - t[0]))
    yield Departure("each state is that at the time before", lambda: Flow(lambda t, s: np.concatenate([[0.0], t[:-1]])))
    yield Departure("all states are those at the last time", lambda: Flow(lambda t, s: np.full_like(t, t[-1])))
    yield Departure("times are replaced by equal steps to the last", lambda: Flow(lambda t, s: np.linspace(0, t[-1], len(t))))
    yield Departure("the loss along the flow is that at the time before", lambda: Flow(lambda t, s: np.concatenate([[0.0], t[:-1]]), "only"))
    yield Departure("the loss along the flow is the initial one", lambda: Flow(lambda t, s: np.zeros_like(t), "only"))
    for steps in (1, 10, 20, 50, 100):
        yield Departure(f"gradient descent with {steps} steps to each time for the flow", lambda n=steps: Descent(n))  # type: ignore[misc]
    yield Departure("the neural ODE runs through its weights from s = 1 to 0", lambda: Weights(_at(lambda u: -u)))
    yield Departure("the neural ODE takes T_j(s) for T_j(2s-1)", lambda: Weights(_at(lambda u: (u + 1) / 2)))
    yield Departure("the neural ODE takes its coefficients for those of powers of s", lambda: Weights(_from_powers(lambda u: (u + 1) / 2)))
    yield Departure("the neural ODE takes its coefficients for those of powers of 2s-1", lambda: Weights(_from_powers(lambda u: u)))
    yield Departure("the neural ODE reads its coefficients in the reverse order", lambda: Weights(lambda c: c[::-1]))
    yield Departure("the neural ODE has constant weights", lambda: Weights(lambda c: c[:1]))
    yield Departure("the neural ODE halves its first coefficient", lambda: Weights(lambda c: np.concatenate([c[:1] / 2, c[1:]])))
    yield Departure("the neural ODE leaves out its last coefficient", lambda: Weights(lambda c: c[:-1]))
    yield Departure("the neural ODE's output is read off its initial state", lambda: Weights(output="first"))
    yield Departure("the neural ODE's output is read off the last s asked for, not s = 1", lambda: Weights(output="last"))
    yield Departure("the neural ODE's states stand at equal steps for s", lambda: Weights(at=lambda s: np.linspace(0, 1, len(s))))


def departures() -> list[Departure]:
    """All of them; of two with the same answers, the simpler comes first."""
    parts = (_scalings, _questions, _forwards, _backwards, _velocities, _solved)
    rounded = [Departure(f"answers of {m} are rounded to float32", lambda m=m: Rounded(m)) for m in ("forward", "gradients")]  # type: ignore[misc]
    return [*(one for part in parts for one in part()), *rounded]
