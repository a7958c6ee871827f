"""Departures by which another question is answered: factors, weights, inputs, labels and activation are other ones than given."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import numpy as np

from depthlimit.conformance.diagnosis.changes import WEIGHTS, following, preceding, rounded, without
from depthlimit.conformance.diagnosis.laws import Departure, Params
from depthlimit.conformance.diagnosis.numerics import PRECISIONS
from depthlimit.conformance.faults.planting import Faulty
from depthlimit.models import backward, residual
from depthlimit.models.flow import BLOCKS
from depthlimit.models.implementation import Array, Arrays, Network
from depthlimit.theory.activation import CATALOGUE


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


def asked_otherwise(method: str) -> Iterator[Departure]:
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
            yield params(f"layer k uses {which} of layer k+1", following, k)
            yield params(f"layer k uses {which} of layer k-1", preceding, k)
            yield params(f"layer k uses {which} of layer k-1, the first those of the last", lambda a: np.roll(a, 1, axis=0), k)
            yield params(f"the layers stand in reversed order in {which}", lambda a: a[::-1], k)
            yield params(f"every layer has {which} of the first", lambda a: np.repeat(a[:1], len(a), axis=0), k)
        yield params("the last layer is skipped", without(-1), "V")
        yield params("the first layer is skipped", without(0), "V")
    for block in () if method == "neural_ode" else BLOCKS:
        for what, change in WEIGHTS.items():
            yield params(f"{block} {what}", change, block)
    for bits, name in PRECISIONS.items():
        yield asked(f"the numbers are {name} inside", params=_layers(rounded(bits), "AVWB"), x=rounded(bits))
        yield asked(f"the weights are {name} inside", params=_layers(rounded(bits), "AVWB"))
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


def two_scalings() -> Iterator[Departure]:
    """Two factors of (3) wrong at once; gradients and loss follow."""
    wrong = {block: [(name, said) for (b, name), said in _SAID.items() if b == block and name not in ("-1", "0")] for block in "VW"}
    for V, by_V in wrong["V"]:
        for W, by_W in wrong["W"]:
            sentence = f"{by_V.format('(3)')}, and {by_W.format('(3)')}"
            yield Departure(sentence, lambda V=V, W=W: Changed({"V": FACTORS[V], "W": FACTORS[W]}))  # type: ignore[misc]
