"""The network written out part by part, so that a wrong one is the right one with a part replaced.

    wrong("drop-depth-scaling", "the factor 1/L of (3) is missing", "plain", "eq3.layer", outer=lambda s: s["m"] ** -0.5)

`s` is the `spec` of the protocol. Samples are rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from depthlimit.conformance.faults.planting import Fault, Faulty
from depthlimit.models import activations, flow
from depthlimit.models.implementation import Array, Arrays, Network
from depthlimit.models.reference import NumpyImplementation
from depthlimit.theory.registry import claims

BLOCKS = "AVWB"
Change = Callable[..., Any]


class Written(Faulty):
    """(3) and (13)-(16) layer by layer, and the law of motion (4) or (5). Gradients follow whatever the forward pass computes."""

    @staticmethod
    def inner(s: Network) -> float:
        """The factor of W h."""
        return float(s["q"] ** -0.5)

    @staticmethod
    def outer(s: Network) -> float:
        """The factor of V σ."""
        return float(1 / (s["L"] * s["m"] ** 0.5))

    @staticmethod
    def keep(s: Network) -> float:
        """The factor of h_{k-1} in h_k."""
        return 1.0

    @staticmethod
    def layers(L: int) -> Sequence[int]:
        """The indices of the layers that h passes through."""
        return range(L)

    @staticmethod
    def sigma(s: Network, u: Array) -> Array:
        """σ."""
        return activations.value(s["activation"], u)

    @staticmethod
    def slope(s: Network, us: Sequence[Array], j: int) -> Array:
        """σ' at the preactivation us[j] [n m]."""
        return activations.derivative(s["activation"], us[j])

    @staticmethod
    def last(s: Network, error: Array, B: Array) -> Array:
        """p_L of (13)."""
        return np.asarray(2 * error @ B)

    @staticmethod
    def jacobian(V: Array, W: Array, slope: Array, p: Array) -> Array:
        """∂₁fᵀ p without its factors."""
        return np.asarray(((p @ V) * slope) @ W)

    @staticmethod
    def back(s: Network, p: Array, Jp: Array) -> Array:
        """p_k from p_{k+1} and the term of the Jacobian."""
        return p + Jp

    @staticmethod
    def first(ps: Sequence[Array]) -> Array:
        """The adjoint state of (14), out of p_0..p_L."""
        return ps[0]

    @staticmethod
    def law(s: Network, g: Arrays) -> dict[str, Array]:
        """θ' from ∂ℓ/∂θ."""
        return flow.velocity(s, g)

    def _states(self, s: Network, params: Arrays, x: Array) -> tuple[list[Array], list[Array]]:
        h, us = [x @ params["A"].T], []
        for k in self.layers(s["L"]):
            us.append(self.inner(s) * h[-1] @ params["W"][k].T)
            h.append(self.keep(s) * h[-1] + self.outer(s) * self.sigma(s, us[-1]) @ params["V"][k].T)
        return h, us

    def forward(self, spec: Network, params: Arrays, x: Array) -> dict[str, Array]:
        """(3); what is missing at the end repeats the last state."""
        h, _ = self._states(spec, params, x)
        return {"hidden": np.stack(h + h[-1:] * (spec["L"] + 1 - len(h))), "output": h[-1] @ params["B"].T}

    def loss(self, spec: Network, params: Arrays, x: Array, y: Array) -> float:
        """The mean squared error at this forward pass."""
        return float(np.sum((self._states(spec, params, x)[0][-1] @ params["B"].T - y) ** 2) / len(x))

    def gradients(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """(13)-(16) along this forward pass."""
        s, n, (h, us) = spec, len(x), self._states(spec, params, x)
        error = h[-1] @ params["B"].T - y
        g: dict[str, Array] = {k: np.zeros_like(v) for k, v in params.items()}
        ps = [self.last(s, error, params["B"])]
        for j, k in reversed(list(enumerate(self.layers(s["L"])))):
            V, W, slope, p = params["V"][k], params["W"][k], self.slope(s, us, j), ps[0]
            g["V"][k] += self.outer(s) / n * p.T @ self.sigma(s, us[j])
            g["W"][k] += self.outer(s) * self.inner(s) / n * ((p @ V) * slope).T @ h[j]
            ps.insert(0, self.back(s, self.keep(s) * p, self.outer(s) * self.inner(s) * self.jacobian(V, W, slope, p)))
        return {**g, "A": self.first(ps).T @ x / n, "B": 2 / n * error.T @ h[-1]}

    def velocity(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """The law of motion at these gradients."""
        return self.law(spec, self.gradients(spec, params, x, y))


def ids(labels: str) -> tuple[str, ...]:
    """The ids of claims by their labels, or by whole ids where a label has several editions that are not refuted."""
    found = [[c.id for c in claims() if label in (c.id, c.label) and c.expect is None] for label in labels.split()]
    assert all(len(one) == 1 for one in found), (labels, found)
    return tuple(one[0] for one in found)


def wrong(
    name: str,
    cause: str,
    specs: str,
    caught_by: str,
    meaning: str = "",
    *,
    of: type[NumpyImplementation] = Written,
    given: Mapping[str, Change] | None = None,
    answers: Mapping[str, Change] | None = None,
    seconds: float | None = None,
    **parts: Any,
) -> Fault:
    """A planted fault of an implementation.

    Args:
        name, cause, meaning: as in `Fault`. By default the meaning is the cause, or the docstring of `of` where nothing of it changes.
        specs, caught_by: names of instances, and labels of claims, separated by blanks.
        of: the implementation of which a part is replaced.
        given: per method, what it takes its arguments for.
        answers: per method, what becomes of (its answer, *its arguments).
        seconds: as in `Fault`.
        parts: static methods of `of` replaced.
    """
    assert all(hasattr(of, part) for part in (*parts, *(given or {}), *(answers or {}))), name
    body: dict[str, Any] = {part: staticmethod(function) for part, function in parts.items()}
    for method in {**(given or {}), **(answers or {})}:
        body[method] = _around(getattr(of, method), (given or {}).get(method), (answers or {}).get(method))
    meaning = meaning or (f"{cause[0].upper()}{cause[1:]}." if body else of.__doc__ or "")
    title = "".join(word.title() for word in name.split("-"))
    made = cast("type[NumpyImplementation]", type(title, (of,), {**body, "__doc__": meaning, "__module__": __name__}))
    return Fault(name, meaning, tuple(specs.split()), ids(caught_by), implementation=made, cause=cause, seconds=seconds)


def _around(method: Change, before: Change | None, after: Change | None) -> Change:
    def changed(self: Any, *arguments: Any) -> Any:
        arguments = before(*arguments) if before else arguments
        answer = method(self, *arguments)
        return after(answer, *arguments) if after else answer

    return changed


def times(factor: Callable[[Network], float], blocks: str = BLOCKS) -> Change:
    """A change of an answer: these blocks times a factor."""
    return lambda answer, s, *_: {k: v * factor(s) if k in blocks else v for k, v in answer.items()}


def layer(k: int, what: Callable[[Array], Any] = np.zeros_like) -> Change:
    """A change of an answer: what happens to V and W of the layer of index k."""

    def change(answer: Arrays, *_: Any) -> dict[str, Array]:
        out = {name: v.copy() for name, v in answer.items()}
        for name in "VW":
            out[name][k] = what(out[name][k])
        return out

    return change


def each(what: Callable[[Array], Array]) -> Change:
    """A change of an answer: what happens to each of its arrays."""
    return lambda answer, *_: {k: what(v) for k, v in answer.items()} if isinstance(answer, Mapping) else float(what(np.asarray(answer)))
