"""Departures by which a right answer is stored otherwise."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any

import numpy as np

from depthlimit.conformance.diagnosis.changes import WEIGHTS, following, preceding, rounded
from depthlimit.conformance.diagnosis.laws import Departure, right_flow
from depthlimit.models.flow import BLOCKS
from depthlimit.models.implementation import Array
from depthlimit.models.reference import NumpyImplementation


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
        return self._answer("flow", right_flow(*arguments))

    def neural_ode(self, *arguments: Any) -> dict[str, Array]:
        """(6), changed."""
        return self._answer("neural_ode", super().neural_ode(*arguments))


class Exchanged(Answer):
    """V and W of an answer transposed, each in the other's place."""

    def __init__(self, method: str) -> None:
        super().__init__(method, "VW", lambda v: v.swapaxes(-1, -2))

    def _answer(self, method: str, found: dict[str, Array]) -> dict[str, Array]:
        out = super()._answer(method, found)
        return {**out, "V": out["W"], "W": out["V"]} if method == self.changed else out


_LAYERS: dict[str, Callable[[Array], Array]] = {  # on the axes [layer rows columns]
    "stand in reversed order": lambda v: v[..., ::-1, :, :],
    "are shifted by one": lambda v: np.roll(v, 1, axis=-3),
    "are shifted back by one": lambda v: np.roll(v, -1, axis=-3),
}


def stored_otherwise(method: str) -> Iterator[Departure]:
    """By the method."""

    def answer(sentence: str, parts: Collection[str], change: Callable[[Array], Array]) -> Departure:
        return Departure(sentence, lambda: Answer(method, parts, change))

    if method in ("forward", "neural_ode"):
        yield answer("the hidden states returned are shifted by one", ("hidden",), following)
        yield answer("the hidden states returned are those before", ("hidden",), preceding)
        yield answer("the hidden states are normalised", ("hidden",), lambda h: h / np.linalg.norm(h, axis=-1, keepdims=True))
        yield answer("samples stand in reversed order", ("hidden", "output"), lambda h: h[..., ::-1, :])
    if method in ("gradients", "velocity"):
        for part in BLOCKS:
            for what in ("is laid down column by column", "is read column by column"):
                yield answer(f"{part} of the answer {what}", part, WEIGHTS[what])
        yield Departure("V and W of the answer are exchanged", lambda: Exchanged(method))
    if method in ("gradients", "velocity", "flow"):
        for what, change in _LAYERS.items():
            yield answer(f"the layers of the answer {what}", "VW", change)
        yield answer("the first layer of the answer is missing", "VW", lambda v: np.concatenate([0 * v[:1], v[1:]]))
        yield answer("the last layer of the answer is missing", "VW", lambda v: np.concatenate([v[:-1], 0 * v[-1:]]))
    yield answer("the numbers are single precision inside", (*BLOCKS, "hidden", "output", "loss"), rounded(24))
