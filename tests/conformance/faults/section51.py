"""Wrong descents, wrong measures and wrong readings that the claims on Section 5.1 and the figures catch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from depthlimit.conformance.faults.planting import Fault, claim_fault, scaled
from depthlimit.models.corpus_section51 import DESCENT, FIGURES
from depthlimit.models.data import ArrayStore
from depthlimit.models.experiment import State, descend
from depthlimit.models.measure.section51 import DescentRun, PublishedRun
from depthlimit.models.spec import Spec
from depthlimit.models.trajectory import realise
from depthlimit.theory.paper import section51
from depthlimit.theory.quantity import Array

SPECS: dict[str, Spec] = {"descent": DESCENT, "figures": FIGURES}


class UntiedDescent(DescentRun):
    """Each layer starts from a W of its own."""

    def iterates(self, L: int, halvings: int = 0) -> Iterator[State]:
        """Descent from independent layers."""
        b, T = realise(self.spec, self._arrays, L), self.regime.iterations
        W = np.random.RandomState(0).standard_normal(b.params["W"].shape)
        return descend(b.network, {**b.params, "W": W}, b.x, b.y, self.regime.step, T, self.unit)


class RateWithoutDepth(DescentRun):
    """The learning rate does not grow with L."""

    def iterates(self, L: int, halvings: int = 0) -> Iterator[State]:
        """Descent with steps h in place of L·h."""
        b, more = realise(self.spec, self._arrays, L), 2**halvings
        return descend(b.network, b.params, b.x, b.y, self.regime.step / more / L, self.regime.iterations * more, self.unit)


class FastDescent(DescentRun):
    """W moves at twice its speed, and is told in units of √2."""

    unit = MappingProxyType({"V": 1.0, "W": 2.0**0.5})


class MaximumForSum(DescentRun):
    """The largest gap stands where the root of the sum of squares should."""

    def rows(self, L: int) -> Iterator[tuple[int, str, float]]:
        """`max` under the name of `all`."""
        return ((i, {"max": "all", "all": "max"}.get(measure, measure), value) for i, measure, value in super().rows(L))


class SumWithoutRoot(DescentRun):
    """The sum of squares stands where its root should."""

    def rows(self, L: int) -> Iterator[tuple[int, str, float]]:
        """`all` squared."""
        return ((i, measure, value**2 if measure == "all" else value) for i, measure, value in super().rows(L))


class PaperForPublished(PublishedRun):
    """The published curves are compared with the network (3)."""

    network = "paper"


class LayersAlone(PublishedRun):
    """The published curves are compared with sums over layers, not over iterations."""

    def values(self, measure: str) -> Array:
        """`layers` for `all`."""
        return super().values("layers" if measure == "all" else measure)


class StretchedAxis(PublishedRun):
    """The axes of Figure 1 are read with decades three tenths too long."""

    def __init__(self, spec: Spec, arrays: ArrayStore) -> None:
        super().__init__(spec, arrays)
        self.kept = {**self.kept, "values": (np.array(self.kept["values"]) ** 1.3).tolist()}
        self.colours = self.colours**1.3


class Exponential(PublishedRun):
    """The largest gap of Figure 1 grows by the same factor, and then by a larger one, every fifty iterations."""

    def values(self, measure: str) -> Array:
        """exp of the square of the number of the curve, for the maximum."""
        found = super().values(measure)
        return np.exp(np.arange(found.shape[1]) ** 2 / 100) * found[:, :1] if measure == "max" else found


class Unsettled(PublishedRun):
    """The loss of Figure 2 stalls for a while, and its last lines are those of other iterations."""

    def __init__(self, spec: Spec, arrays: ArrayStore) -> None:
        super().__init__(spec, arrays)
        loss = [[i, 1.8 if 0 < i < 80_000 * 0.9 else v] for i, v in self.long["loss"]]
        self.long = {**self.long, "loss": loss, **{k: {**self.long[k], "79200": self.long[k]["9600"][::-1]} for k in "VW"}}


def _run(name: str, kind: type[DescentRun] | type[PublishedRun], caught_by: str) -> Fault:
    def start(spec: Spec, store: ArrayStore) -> DescentRun | PublishedRun:
        return kind(spec, store)

    instance = "descent" if issubclass(kind, DescentRun) else "figures"
    return Fault(
        name, (kind.__doc__ or "").splitlines()[0], (instance,), tuple(f"{c},along-trajectory]" for c in caught_by.split()), runs=start
    )


FAULTS: tuple[Fault, ...] = (
    _run("descent-untied", UntiedDescent, "fig1.first[corrected fig1.max-rate[as-printed fig1.sum-rate[corrected"),
    _run("descent-without-depth", RateWithoutDepth, "fig1.max-rate[as-printed fig1.sum-rate[corrected appendixE.step[as-printed"),
    _run("descent-fast-W", FastDescent, "appendixE.step[as-printed"),
    _run("figure-maximum-for-sum", MaximumForSum, "fig1.sum-rate[corrected"),
    _run("figure-sum-without-root", SumWithoutRoot, "fig1.sum-rate[corrected"),
    _run("figure-of-paper-network", PaperForPublished, "fig1.drawn[corrected"),
    _run("figure-layers-alone", LayersAlone, "fig1.drawn[corrected"),
    _run("figure-stretched-axis", StretchedAxis, "fig1.drawn[corrected fig1.drawn-rate[corrected fig1.right-rate[as-printed"),
    _run("figure-exponential", Exponential, "fig1.growth[as-printed"),
    _run("figure-2-unsettled", Unsettled, "fig2.decay[as-printed fig2.settles[as-printed"),
    claim_fault(
        "figure-2-sum-over-entries",
        "figures",
        "fig2.start[corrected,along-trajectory]",
        "the loss of Figure 2 is a sum over entries",
        lambda c: replace(c, lhs=section51.off_loss),
    ),
    claim_fault("figure-2-narrow", "figures", "section51.width[corrected,a-priori]", "c₁ is 1", lambda c: replace(c, lhs=section51.long_n)),
    claim_fault("figure-2-norms", "figures", "section51.norms[corrected,a-priori]", "norms differ by more than 4", scaled(4)),
    claim_fault("figure-2-hidden-size", "figures", "section51.hidden-size[corrected,a-priori]", "q = 2d", scaled(2)),
)
