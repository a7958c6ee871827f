"""Departures by which (3) is another recurrence."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Iterator

import numpy as np

from depthlimit.conformance.diagnosis.laws import Departure
from depthlimit.conformance.faults.planting import Faulty
from depthlimit.models import activations, residual
from depthlimit.models.implementation import Array, Arrays, Network


class Forward(Faulty):
    """(3) with another recurrence: step(h, branch, h_0, σ) is h_k."""

    def __init__(self, step: Callable[..., Array], output: Callable[[Array], Array] = lambda hidden: hidden[-1]) -> None:
        self.step, self.output = step, output

    def branch(self, spec: Network, V: Array, W: Array, h: Array) -> Array:
        """1/(L√m) V σ(W h/√q)."""
        s = activations.value(spec["activation"], h @ W.T / math.sqrt(spec["q"]))
        return np.asarray(s @ V.T / (spec["L"] * math.sqrt(spec["m"])))

    def forward(self, spec: Network, params: Arrays, x: Array) -> dict[str, Array]:
        """(3), otherwise."""
        hidden = [x @ params["A"].T]

        def sigma(u: Array) -> Array:
            return activations.value(spec["activation"], u)

        for k in range(spec["L"]):
            hidden.append(self.step(hidden[-1], lambda h, k=k: self.branch(spec, params["V"][k], params["W"][k], h), hidden[0], sigma))
        states = np.stack(hidden)
        return {"hidden": states, "output": self.output(states) @ params["B"].T}

    def loss(self, spec: Network, params: Arrays, x: Array, y: Array) -> float:
        """Of that network."""
        return float(residual.loss(self.forward(spec, params, x)["output"], y))


PLACES = [at for size in (1, 2, 3) for at in itertools.combinations(("before W", "after W", "after V"), size) if at != ("after W",)]


class Placed(Forward):
    """σ at other places of the branch. outside: whether the factor 1/L stands outside a σ that acts after V."""

    def __init__(self, at: Collection[str], outside: bool) -> None:
        super().__init__(lambda h, f, *_: h + f(h))
        self.at, self.outside = at, outside

    def branch(self, spec: Network, V: Array, W: Array, h: Array) -> Array:
        """V W h with σ where it is said."""

        def sigma(place: str, u: Array) -> Array:
            return activations.value(spec["activation"], u) if place in self.at else u

        u = sigma("after W", sigma("before W", h) @ W.T / math.sqrt(spec["q"])) @ V.T / math.sqrt(spec["m"])
        return sigma("after V", u) / spec["L"] if self.outside else sigma("after V", u / spec["L"])


def recurrences() -> Iterator[Departure]:
    """Of the stream, the branch, and where σ stands in it."""

    yield Departure("the residual connection is missing", lambda: Forward(lambda h, f, *_: f(h)))
    yield Departure("σ acts on the whole layer", lambda: Forward(lambda h, f, h0, sigma: sigma(h + f(h))))
    yield Departure("σ acts on the residual branch once more", lambda: Forward(lambda h, f, h0, sigma: h + sigma(f(h))))
    yield Departure("every layer adds to h_0", lambda: Forward(lambda h, f, h0, sigma: h0 + f(h)))
    yield Departure("every layer reads h_0", lambda: Forward(lambda h, f, h0, sigma: h + f(h0)))
    yield Departure("a layer is a midpoint step", lambda: Forward(lambda h, f, *_: h + f(h + f(h) / 2)))
    yield Departure("a layer is a step of Heun's method", lambda: Forward(lambda h, f, *_: h + (f(h) + f(h + f(h))) / 2))
    for at in PLACES:
        for outside in (True, False):
            where = " and ".join(at) or "nowhere"
            yield Departure(f"σ acts {where} in the residual branch", lambda at=at, outside=outside: Placed(at, outside))  # type: ignore[misc]
    plain = lambda h, f, *_: h + f(h)  # noqa: E731
    yield Departure("the output is read off h_{L-1}", lambda: Forward(plain, lambda hidden: hidden[-2]))
    yield Departure("the output is read off h_0", lambda: Forward(plain, lambda hidden: hidden[0]))
    yield Departure("the output is read off the mean of the states", lambda: Forward(plain, lambda hidden: np.mean(hidden, axis=0)))
