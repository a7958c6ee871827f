"""How small an error is noticed: one entry of one answer is changed by a factor 1 + ε, ε = 1e-3, 1e-4, ..., until no claim fails.

The entry is the largest of its part, or the one of median size; of a flow, at the last time. Claims that compare whole answers with the
reference are told apart from those that need none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from depthlimit.models.check import applicable, judge, run
from depthlimit.models.corpus import corpus
from depthlimit.models.measure.registry import Fields
from depthlimit.models.spec import Spec
from depthlimit.theory import judgement as J
from depthlimit.theory.activation import CATALOGUE
from depthlimit.theory.claim import Claim
from depthlimit.theory.paper.protocol import compares

EXPONENTS = range(-3, -14, -1)
_BLOCKS = ("A", "V", "W", "B")
PARTS: dict[str, tuple[str, ...]] = {
    "forward": ("hidden", "output"),
    "loss": ("",),
    "gradients": _BLOCKS,
    "velocity": _BLOCKS,
    "flow": (*_BLOCKS, "loss"),
    "neural_ode": ("hidden", "output"),
}
ENTRIES = ("largest", "median")
# Where each method is asked, and which claims listen: a flow's are those that need no suprema or comparison equations.
_REGIMES = {**dict.fromkeys(("forward", "loss", "gradients", "velocity"), "network"), "flow": "plain-flow", "neural_ode": "euler-ladder"}
_LISTENING = ("eq", "loss", "identities", "agreement", "repeat", "rows", "batch", "prop2")


class Perturbed:
    """An implementation, one entry of one part of the answers of one of its methods changed by a factor 1 + ε."""

    def __init__(self, implementation: Any, method: str, part: str, entry: str, epsilon: float) -> None:
        self._implementation, self._method, self._part, self._entry, self._factor = implementation, method, part, entry, 1 + epsilon

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._implementation, name)
        return found if name != self._method else lambda *arguments: self._changed(found(*arguments))

    def _changed(self, answer: Any) -> Any:
        if not self._part:
            return float(answer) * self._factor
        values = np.array(answer[self._part], order="C")
        last = values[-1:].reshape(-1) if self._method == "flow" else values.reshape(-1)
        order = np.argsort(np.abs(last), kind="stable")
        last[order[-1] if self._entry == "largest" else order[len(order) // 2]] *= self._factor
        return {**answer, self._part: values}


def _spec(method: str) -> Spec:
    """The first instance of the corpus of the method's regime, with all blocks trained."""
    return next(s for s in corpus() if s.regime.kind == _REGIMES[method] and s.train == "AVWB")


def _noticing(implementation: Any, spec: Spec, listening: Sequence[Claim]) -> list[Claim]:
    fields, properties = Fields(run(spec, implementation)), CATALOGUE[spec.activation.name].properties
    return [c for c in listening if judge(c, fields, properties).verdict in (J.VIOLATED, J.ERRORED)]


def smallest(implementation: Any, method: str, part: str, entry: str) -> dict[str, Any]:
    """The row of one entry: `epsilon` is the smallest that is noticed (None: not even 1e-3), `by` the claims that notice that one."""
    spec = _spec(method)
    listening = [c for c in applicable(spec) if c.expect is None and c.label.startswith(_LISTENING)]
    found: tuple[float, list[Claim]] | None = None
    for exponent in EXPONENTS:
        noticing = _noticing(Perturbed(implementation, method, part, entry, 10.0**exponent), spec, listening)
        if not noticing:
            break
        found = 10.0**exponent, noticing
    by = found[1] if found else []
    return {
        "method": method,
        "part": part,
        "entry": entry,
        "epsilon": found[0] if found else None,
        "by": [c.id for c in by],
        "without_reference": [c.id for c in by if not compares(c)],
    }


def cases(methods: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """(method, part, entry) of the rows."""
    for method in methods:
        for part in PARTS[method]:
            yield from ((method, part, entry) for entry in (ENTRIES if part else ENTRIES[:1]))
