"""Departures from the network: one change each to (3), the loss, (13)-(16) or what they are given, said in the words of the model.

They are hypotheses of a diagnosis that know of no planted fault. Each is an implementation that answers as one would whose author had
made that change and no other: the reference asked another question, or a formula of it written otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import numpy as np

from depthlimit.conformance.faults.planting import Faulty
from depthlimit.conformance.laws import Departure, Params, laws
from depthlimit.models import activations, backward, residual
from depthlimit.models.flow import BLOCKS
from depthlimit.models.implementation import Array, Arrays, Network
from depthlimit.models.reference import NumpyImplementation
from depthlimit.theory.activation import CATALOGUE

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
        only: Collection[str] = ("forward", "loss", "gradients", "neural_ode"),
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
    "√(q/d)": lambda s: math.sqrt(s["q"] / s["d"]),
    "L/(L+1)": lambda s: s["L"] / (s["L"] + 1),
    "2": lambda s: 2,
    "1/2": lambda s: 0.5,
    "-1": lambda s: -1,
    "0": lambda s: 0,
}
_SAID = {  # {} stands for the number of the equation
    ("V", "L"): "the factor 1/L of {} is missing",
    ("V", "√L"): "the factor 1/L of {} is 1/√L",
    ("V", "1/L"): "the factor 1/L of {} is there twice",
    ("V", "L/(L+1)"): "the factor 1/L of {} is 1/(L+1)",
    ("V", "√m"): "the factor 1/√m of {} is missing",
    ("V", "1/√m"): "the factor 1/√m of {} is 1/m",
    ("V", "√(m/q)"): "the factor 1/√m of {} is 1/√q",
    ("V", "-1"): "the residual branch of {} is subtracted",
    ("V", "0"): "the residual branches of {} are left out",
    ("W", "√q"): "the factor 1/√q of {} is missing",
    ("W", "1/√q"): "the factor 1/√q of {} is 1/q",
    ("W", "√(q/m)"): "the factor 1/√q of {} is 1/√m",
    ("W", "√(q/d)"): "the factor 1/√q of {} is 1/√d",
    ("A", "1/√d"): "the embedding is divided by √d",
    ("B", "1/√q"): "the output of {} is divided by √q",
    ("B", "1/q"): "the output of {} is divided by q",
}
_ODE = {
    "the factor 1/L of (6) is there twice": "there is a factor 1/L in (6)",
    "the factor 1/L of (6) is missing": "there is a factor L in (6)",
}


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


def float32(a: Array) -> Array:
    """Rounded to single precision."""
    return a.astype(np.float32).astype(np.float64)


def _columns(a: Array) -> Array:
    return a.transpose(0, 2, 1).reshape(a.shape)


def _questions(method: str) -> Iterator[Departure]:
    """The reference asked otherwise, by the method and by those after it."""
    equation = "(6)" if method == "neural_ode" else "(3)"
    order = ("forward", "loss", "gradients", "neural_ode")
    only = order[order.index(method) :]

    def asked(sentence: str, **changes: Any) -> Departure:
        return Departure(sentence, lambda: Changed(**changes, only=only))

    def params(sentence: str, change: Callable[[Array], Array], blocks: str) -> Departure:
        return asked(sentence, params=_layers(change, blocks))

    for block in BLOCKS:
        for name, factor in FACTORS.items():
            sentence = _SAID.get((block, name), f"{block} is multiplied by {name} in {{}}").format(equation)
            yield asked(_ODE.get(sentence, sentence), factors={block: factor})
    if method != "neural_ode":  # its weights are no layers
        for k in ("V", "W", "VW"):
            which = " and ".join(k)
            yield params(f"layer k uses {which} of layer k+1", _next, k)
            yield params(f"layer k uses {which} of layer k-1", _previous, k)
            yield params(f"layer k uses {which} of layer k-1, the first those of the last", lambda a: np.roll(a, 1, axis=0), k)
            yield params(f"the layers stand in reversed order in {which}", lambda a: a[::-1], k)
            yield params(f"every layer has {which} of the first", lambda a: np.repeat(a[:1], len(a), axis=0), k)
        yield params("the last layer is skipped", _without(-1), "V")
        yield params("the first layer is skipped", _without(0), "V")
    yield params("V is read column by column", _columns, "V")
    yield params("W is read column by column", _columns, "W")
    yield asked("V and W are exchanged", params=lambda p: {**p, "V": p["W"].transpose(0, 2, 1), "W": p["V"].transpose(0, 2, 1)})
    yield asked("A stays at its initial value (I, 0)ᵀ", params=lambda p: {**p, "A": np.eye(*p["A"].shape)})
    yield asked("B stays at its initial value (0, I)", params=lambda p: {**p, "B": np.eye(*p["B"].shape)[::-1, ::-1]})
    yield asked("inputs are normalised inside", x=lambda x: x / np.linalg.norm(x, axis=1, keepdims=True))
    yield asked("inputs are centred inside", x=lambda x: x - x.mean(axis=0))
    yield asked("inputs are standardised inside", x=lambda x: (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-12))
    if method in ("loss", "gradients"):
        yield asked("the sign of the labels is wrong", y=lambda y: -y)
        yield asked("labels are centred inside", y=lambda y: y - y.mean(axis=0))
        yield asked("labels are normalised inside", y=lambda y: y / np.linalg.norm(y, axis=1, keepdims=True))
        yield asked("labels are left out", y=np.zeros_like)
        yield asked("samples and labels are not paired", y=lambda y: y[::-1])
    sigma: Callable[..., Callable[[Network], Network]] = lambda **more: (  # noqa: E731
        lambda s: {**s, "activation": {**s["activation"], **more}}
    )
    yield asked("the parameter a of σ is ignored", spec=sigma(a=1.0))
    yield asked("the parameter b of σ is ignored", spec=sigma(b=1.0))
    yield asked("the parameters a and b of σ are ignored", spec=sigma(a=1.0, b=1.0))
    yield asked("σ is missing", spec=sigma(name="identity", a=1.0, b=1.0))
    exchanged = lambda s: {**s, "activation": {**s["activation"], "a": s["activation"]["b"], "b": s["activation"]["a"]}}  # noqa: E731
    yield asked("the parameters a and b of σ are exchanged", spec=exchanged)
    for name in CATALOGUE:
        yield asked(f"σ is {name} whatever is asked for", spec=sigma(name=name))


# --- (3) written otherwise


class Forward(Faulty):
    """(3) with another recurrence: step(h, branch, h_0, σ) is h_k."""

    def __init__(self, step: Callable[..., Array], output: Callable[[Array], Array] = lambda hidden: hidden[-1]) -> None:
        self.step, self.output = step, output

    def forward(self, spec: Network, params: Arrays, x: Array) -> dict[str, Array]:
        """(3), otherwise."""
        hidden = [x @ params["A"].T]

        def sigma(u: Array) -> Array:
            return activations.value(spec["activation"], u)

        def branch(h: Array, k: int) -> Array:
            return np.asarray(sigma(h @ params["W"][k].T / math.sqrt(spec["q"])) @ params["V"][k].T / (spec["L"] * math.sqrt(spec["m"])))

        for k in range(spec["L"]):
            hidden.append(self.step(hidden[-1], lambda h, k=k: branch(h, k), hidden[0], sigma))
        states = np.stack(hidden)
        return {"hidden": states, "output": self.output(states) @ params["B"].T}

    def loss(self, spec: Network, params: Arrays, x: Array, y: Array) -> float:
        """Of that network."""
        return float(residual.loss(self.forward(spec, params, x)["output"], y))


def _forwards() -> Iterator[Departure]:
    yield Departure("the residual connection is missing", lambda: Forward(lambda h, f, *_: f(h)))
    yield Departure("σ acts on the whole layer", lambda: Forward(lambda h, f, h0, sigma: sigma(h + f(h))))
    yield Departure("σ acts on the residual branch once more", lambda: Forward(lambda h, f, h0, sigma: h + sigma(f(h))))
    yield Departure("every layer adds to h_0", lambda: Forward(lambda h, f, h0, sigma: h0 + f(h)))
    yield Departure("every layer reads h_0", lambda: Forward(lambda h, f, h0, sigma: h + f(h0)))
    yield Departure("a layer is a midpoint step", lambda: Forward(lambda h, f, *_: h + f(h + f(h) / 2)))
    yield Departure("a layer is a step of Heun's method", lambda: Forward(lambda h, f, *_: h + (f(h) + f(h + f(h))) / 2))
    plain = lambda h, f, *_: h + f(h)  # noqa: E731
    yield Departure("the output is read off h_{L-1}", lambda: Forward(plain, lambda hidden: hidden[-2]))
    yield Departure("the output is read off h_0", lambda: Forward(plain, lambda hidden: hidden[0]))
    yield Departure("the output is read off the mean of the states", lambda: Forward(plain, lambda hidden: np.mean(hidden, axis=0)))


# --- the loss and (13)-(16) written otherwise


class Backward(Faulty):
    """Gradients from another adjoint.

    back(p_{k+1}, slope, V, W, spec) is the term of the Jacobian in p_k; slope(σ', us) is what stands for σ'(u) [L n m]; hidden and adjoint
    change what enters (14)-(16).
    """

    def __init__(
        self,
        back: Callable[..., Array] = lambda p, slope, V, W, spec: ((p @ V) * slope) @ W,
        skip: bool = True,
        hidden: Callable[[Array], Array] = lambda h: h,
        adjoint: Callable[[Array], Array] = lambda p: p,
        slope: Callable[[Callable[[Array], Array], Callable[[Array], Array], Array], Array] = lambda d, sigma, u: d(u),
    ) -> None:
        self.back, self.skip, self.hidden, self.adjoint, self.slope = back, skip, hidden, adjoint, slope

    def gradients(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """(14)-(16) from the other adjoint."""
        hidden, output = residual.forward(spec, params, x)
        sigma = spec["activation"]
        u = residual.preactivations(spec, params, hidden)
        slope = self.slope(lambda u: activations.derivative(sigma, u), lambda u: activations.value(sigma, u), u)
        p, scale = np.zeros_like(hidden), 1 / (spec["L"] * math.sqrt(spec["q"] * spec["m"]))
        p[-1] = 2 * (output - y) @ params["B"]
        for k in reversed(range(spec["L"])):
            step = self.back(p[k + 1], slope[k], params["V"][k], params["W"][k], spec)
            p[k] = (p[k + 1] if self.skip else 0) + scale * step
        h, p, n = self.hidden(hidden), self.adjoint(p), len(x)
        delta = slope * (p[1:] @ params["V"]) / (spec["L"] * math.sqrt(spec["m"]))
        s = activations.value(sigma, u)
        return {
            "A": p[0].T @ x / n,
            "V": p[1:].swapaxes(1, 2) @ s / (n * spec["L"] * math.sqrt(spec["m"])),
            "W": delta.swapaxes(1, 2) @ h[:-1] / (n * math.sqrt(spec["q"])),
            "B": 2 / n * (output - y).T @ h[-1],
        }


def _backwards() -> Iterator[Departure]:
    def jacobian(sentence: str, back: Callable[..., Array]) -> Departure:
        return Departure(sentence, lambda: Backward(back))

    yield jacobian("the Jacobian of (13) is not transposed", lambda p, s, V, W, _: ((p @ W.T) * s) @ V.T)
    yield jacobian("the term of the Jacobian in (13) is missing", lambda p, s, V, W, _: np.zeros_like(p))
    yield jacobian("the factor 1/L of (13) is missing", lambda p, s, V, W, n: n["L"] * ((p @ V) * s) @ W)
    yield jacobian("σ' is missing in the Jacobian of (13)", lambda p, s, V, W, _: (p @ V) @ W)
    yield jacobian("the sign of the Jacobian in (13) is wrong", lambda p, s, V, W, _: -((p @ V) * s) @ W)
    yield Departure("p_{k+1} itself is missing in (13)", lambda: Backward(skip=False))
    yield Departure("gradients of layer k have p_{k-1} for p_k", lambda: Backward(adjoint=_previous))
    yield Departure("the adjoint stops at layer 1", lambda: Backward(adjoint=lambda p: np.concatenate([p[1:2], p[1:]])))
    yield Departure("the gradient in W has h_k for h_{k-1}", lambda: Backward(hidden=_next))
    yield Departure("the gradient in B has h_{L-1} for h_L", lambda: Backward(hidden=lambda h: np.concatenate([h[:-1], h[-2:-1]])))
    yield Departure("σ' is missing", lambda: Backward(slope=lambda d, sigma, u: np.ones_like(u)))
    yield Departure("σ' is taken at σ(u)", lambda: Backward(slope=lambda d, sigma, u: d(sigma(u))))
    yield Departure("σ' is taken at the next layer's argument", lambda: Backward(slope=lambda d, sigma, u: d(_next(u))))
    yield Departure("σ' is σ", lambda: Backward(slope=lambda d, sigma, u: sigma(u)))
    yield Departure("σ' is 1 - u² for 1 - σ(u)²", lambda: Backward(slope=lambda d, sigma, u: 1 - u**2))


# --- answers of any method stored otherwise


class Answer(NumpyImplementation):
    """A method's right answer, with some parts changed: change(part, initial) for those of its parts that are named."""

    def __init__(self, method: str, parts: Collection[str], change: Callable[[Array], Array]) -> None:
        self.changed, self.parts, self.change = method, parts, change

    def _answer(self, method: str, found: dict[str, Array]) -> dict[str, Array]:
        return {k: self.change(v) if k in self.parts else v for k, v in found.items()} if method == self.changed else found

    def forward(self, *arguments: Any) -> dict[str, Array]:
        """(3), changed."""
        return self._answer("forward", super().forward(*arguments))

    def gradients(self, *arguments: Any) -> dict[str, Array]:
        """Gradients, changed."""
        return self._answer("gradients", super().gradients(*arguments))

    def velocity(self, *arguments: Any) -> dict[str, Array]:
        """The velocity, changed."""
        return self._answer("velocity", NumpyImplementation().velocity(*arguments))

    def flow(self, *arguments: Any) -> dict[str, Array]:
        """The flow, changed."""
        return self._answer("flow", super().flow(*arguments))

    def neural_ode(self, *arguments: Any) -> dict[str, Array]:
        """(6), changed."""
        return self._answer("neural_ode", super().neural_ode(*arguments))


_LAYERS: dict[str, Callable[[Array], Array]] = {  # on the axes [layer rows columns]
    "stand in reversed order": lambda v: v[..., ::-1, :, :],
    "are shifted by one": lambda v: np.roll(v, 1, axis=-3),
    "are shifted back by one": lambda v: np.roll(v, -1, axis=-3),
}


def _scalings() -> Iterator[Departure]:
    """Two factors of (3) wrong at once; gradients and loss follow."""
    wrong = {block: [(name, said) for (b, name), said in _SAID.items() if b == block and name not in ("-1", "0")] for block in "VW"}
    for V, by_V in wrong["V"]:
        for W, by_W in wrong["W"]:
            sentence = f"{by_V.format('(3)')}, and {by_W.format('(3)')}"
            yield Departure(sentence, lambda V=V, W=W: Changed({"V": FACTORS[V], "W": FACTORS[W]}))  # type: ignore[misc]


def _answers(method: str) -> Iterator[Departure]:
    def answer(sentence: str, parts: Collection[str], change: Callable[[Array], Array]) -> Departure:
        return Departure(sentence, lambda: Answer(method, parts, change))

    if method in ("forward", "neural_ode"):
        yield answer("the hidden states returned are shifted by one", ("hidden",), _next)
        yield answer("the hidden states returned are those before", ("hidden",), _previous)
        yield answer("the hidden states are normalised", ("hidden",), lambda h: h / np.linalg.norm(h, axis=-1, keepdims=True))
        yield answer("samples stand in reversed order", ("hidden", "output"), lambda h: h[..., ::-1, :])
    if method in ("gradients", "velocity", "flow"):
        for what, change in _LAYERS.items():
            yield answer(f"the layers of the answer {what}", "VW", change)
        yield answer("the first layer of the answer is missing", "VW", lambda v: np.concatenate([0 * v[:1], v[1:]]))
        yield answer("the last layer of the answer is missing", "VW", lambda v: np.concatenate([v[:-1], 0 * v[-1:]]))
    yield answer("the numbers are single precision inside", (*BLOCKS, "hidden", "output", "loss"), float32)


class Loss(Faulty):
    """Another function of the outputs and labels."""

    def __init__(self, value: Callable[[Array], Any]) -> None:
        self.value = value

    def loss(self, spec: Network, params: Arrays, x: Array, y: Array) -> float:
        """Of F(x) - y [n dout]."""
        return float(self.value(residual.forward(spec, params, x)[1] - y))


def _losses() -> Iterator[Departure]:
    yield Departure("the loss is the root of the mean square", lambda: Loss(lambda e: np.sqrt(np.sum(e**2) / len(e))))
    yield Departure("the loss is the mean distance", lambda: Loss(lambda e: np.mean(np.linalg.norm(e, axis=1))))
    yield Departure("the loss is the sum of absolute errors", lambda: Loss(lambda e: np.sum(np.abs(e)) / len(e)))
    yield Departure("the last sample is left out of the loss", lambda: Loss(lambda e: np.sum(e[:-1] ** 2) / max(len(e) - 1, 1)))


def departures(method: str) -> Iterator[Departure]:
    """Those that first show in the method; of two with the same answers, the simpler comes first."""
    if method in ("forward", "loss", "gradients", "neural_ode"):
        yield from _questions(method)
    if method in ("velocity", "flow", "neural_ode"):
        yield from laws(method)
    yield from {"forward": _forwards, "loss": _losses, "gradients": _backwards}.get(method, tuple)()
    if method != "loss":
        yield from _answers(method)
    if method == "forward":
        yield from _scalings()
