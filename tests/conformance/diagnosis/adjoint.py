"""Departures by which (13)-(16) are other formulas, at the right states."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from depthlimit.conformance.diagnosis.changes import following, preceding
from depthlimit.conformance.diagnosis.laws import Departure
from depthlimit.conformance.faults.planting import Faulty
from depthlimit.models import activations, residual
from depthlimit.models.implementation import Array, Arrays, Network
from depthlimit.theory.activation import CATALOGUE


class Backward(Faulty):
    """Gradients from another adjoint.

    back(p_{k+1}, slope, V, W, spec) is the term of the Jacobian in p_k; slope(σ', us) is what stands for σ'(u) [L n m]; hidden and adjoint
    change what enters (14)-(16); factor, of the activation, and name are those of another σ'.
    """

    def __init__(
        self,
        back: Callable[..., Array] = lambda p, slope, V, W, spec: ((p @ V) * slope) @ W,
        skip: bool = True,
        hidden: Callable[[Array], Array] = lambda h: h,
        adjoint: Callable[[Array], Array] = lambda p: p,
        factor: Callable[[Network], float] = lambda activation: 1.0,
        name: str = "",
        slope: Callable[[Callable[[Array], Array], Callable[[Array], Array], Array], Array] = lambda d, sigma, u: d(u),
    ) -> None:
        self.factor, self.name = factor, name
        self.back, self.skip, self.hidden, self.adjoint, self.slope = back, skip, hidden, adjoint, slope

    def gradients(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """(14)-(16) from the other adjoint."""
        hidden, output = residual.forward(spec, params, x)
        sigma = spec["activation"]
        u = residual.preactivations(spec, params, hidden)
        other = {**sigma, "name": self.name or sigma["name"]}
        slope = self.factor(sigma) * self.slope(lambda u: activations.derivative(other, u), lambda u: activations.value(sigma, u), u)
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


SLOPES: dict[str, Callable[[Network], float]] = {
    "b": lambda a: a["b"],
    "1/b (the inner derivative)": lambda a: 1 / a["b"],
    "a": lambda a: a["a"],
    "1/a": lambda a: 1 / a["a"],
    "1/(ab)": lambda a: 1 / (a["a"] * a["b"]),
}


def adjoints() -> Iterator[Departure]:
    """Of the Jacobian, σ', the states and the adjoint."""

    def jacobian(sentence: str, back: Callable[..., Array]) -> Departure:
        return Departure(sentence, lambda: Backward(back))

    yield jacobian("the Jacobian of (13) is not transposed", lambda p, s, V, W, _: ((p @ W.T) * s) @ V.T)
    yield jacobian("the term of the Jacobian in (13) is missing", lambda p, s, V, W, _: np.zeros_like(p))
    yield jacobian("the factor 1/L of (13) is missing", lambda p, s, V, W, n: n["L"] * ((p @ V) * s) @ W)
    yield jacobian("σ' is missing in the Jacobian of (13)", lambda p, s, V, W, _: (p @ V) @ W)
    yield jacobian("the sign of the Jacobian in (13) is wrong", lambda p, s, V, W, _: -((p @ V) * s) @ W)
    yield Departure("p_{k+1} itself is missing in (13)", lambda: Backward(skip=False))
    yield Departure("gradients of layer k have p_{k-1} for p_k", lambda: Backward(adjoint=preceding))
    yield Departure("the adjoint stops at layer 1", lambda: Backward(adjoint=lambda p: np.concatenate([p[1:2], p[1:]])))
    yield Departure("the gradient in W has h_k for h_{k-1}", lambda: Backward(hidden=following))
    yield Departure("the gradient in B has h_{L-1} for h_L", lambda: Backward(hidden=lambda h: np.concatenate([h[:-1], h[-2:-1]])))
    yield Departure("σ' is missing", lambda: Backward(slope=lambda d, sigma, u: np.ones_like(u)))
    yield Departure("σ' is taken at σ(u)", lambda: Backward(slope=lambda d, sigma, u: d(sigma(u))))
    yield Departure("σ' is taken at the next layer's argument", lambda: Backward(slope=lambda d, sigma, u: d(following(u))))
    for name, factor in SLOPES.items():
        yield Departure(f"σ' is multiplied by {name}", lambda f=factor: Backward(factor=f))  # type: ignore[misc]
    for name in CATALOGUE:
        yield Departure(f"σ' is that of {name} whatever is asked for", lambda name=name: Backward(name=name))  # type: ignore[misc]
    yield Departure("σ' is σ", lambda: Backward(slope=lambda d, sigma, u: sigma(u)))
    yield Departure("σ' is 1 - u² for 1 - σ(u)²", lambda: Backward(slope=lambda d, sigma, u: 1 - u**2))
