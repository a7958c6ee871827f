"""Measures of Section 5.1: small networks under gradient descent, and the published figures beside the networks that they show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache, cached_property

import numpy as np

from depthlimit.models import flow
from depthlimit.models.data import ArrayStore
from depthlimit.models.experiment import ONE, State, descend, descent, experiment, start
from depthlimit.models.experiment_measures import blocks, successive
from depthlimit.models.implementation import Implementation
from depthlimit.models.measure.extrapolate import slope
from depthlimit.models.measure.instance import register_instance
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import euclid
from depthlimit.models.spec import BadInput, Descent, Spec
from depthlimit.models.trajectory import realise
from depthlimit.theory.paper.published import readings
from depthlimit.theory.quantity import Array, Field, number

_ROUNDING = 2.0**-40  # of sums over iterations, relative to the parameters: as in a Trajectory
_LINES = {"change_early": (9600, 40000), "change_late": (40000, 79200)}  # iterations of published lines of both V and W
_RTOL = 1e-12  # of the flow that descent is compared with, relative to its displacement, and a hundred times that


class DescentRun:
    """One instance trained by gradient descent at every depth of its ladder, by the compiled kernel; no implementation is asked."""

    unit: Mapping[str, float] = ONE

    def __init__(self, spec: Spec, arrays: ArrayStore, implementation: Implementation | None = None) -> None:
        assert isinstance(spec.regime, Descent)
        self.spec, self.regime, self.depths = spec, spec.regime, np.array(spec.regime.depths)
        self.batch = realise(spec, arrays, spec.regime.depths[-1])
        self._arrays = arrays

    def iterates(self, L: int, halvings: int = 0) -> Iterator[State]:
        """Descent at depth L, with the step halved so often and as many more iterations."""
        b, more = realise(self.spec, self._arrays, L), 2**halvings
        return descend(b.network, b.params, b.x, b.y, self.regime.step / more, self.regime.iterations * more, self.unit)

    def rows(self, L: int) -> Iterator[tuple[int, str, float]]:
        """Iteration, measure and value of Figure 1, left, after a quarter of the iterations and at the end."""
        T = self.regime.iterations
        return ((r.iteration, r.measure, r.value) for r in successive(self.iterates(L), L, (T // 4, T)))

    @cached_property
    def ladder(self) -> dict[tuple[int, str], Array]:
        """Values by iteration and measure [depth]."""
        found: dict[tuple[int, str], list[float]] = {}
        for L in self.depths:
            for iteration, measure, value in self.rows(int(L)):
                found.setdefault((iteration, measure), []).append(value)
        return {k: np.array(v) for k, v in found.items()}

    @cached_property
    def size(self) -> float:
        """Norm of a layer's parameters at the start, which bounds those on the way within a factor."""
        return float(np.linalg.norm(self.batch.params["W"][0]))


register_instance(DescentRun)


def _rates(ladders: Sequence[tuple[Array, Array]]) -> Field:
    """Minus the extrapolated slopes of values with radii."""
    value, radius = (np.array(column) for column in zip(*(slope(*ladder) for ladder in ladders), strict=True))
    return Field(-value, radius, ("batch",))


@measures("max_rate", "sum_rate", on=DescentRun)
def rates(run: DescentRun) -> Mapping[str, Field]:
    """Extrapolated rates of the maximum, early and late, and of the root of the sum of squares at the end."""
    T, radius = run.regime.iterations, np.full(len(run.depths), 2 * _ROUNDING * run.size)
    return {
        "max_rate": _rates([(run.ladder[i, "max"], radius) for i in (T // 4, T)]),
        "sum_rate": _rates([(run.ladder[T, "all"], np.sqrt(T * run.depths) * radius)]),
    }


@measures("first_gap", on=DescentRun)
def first_gap(run: DescentRun) -> Field:
    """The largest gap after one iteration at each depth; its terms are the V of that iterate."""
    gaps, sizes = [], []
    for L in run.depths:
        along = run.iterates(int(L))
        next(along)
        found = blocks(next(along))
        gaps.append(float(np.linalg.norm(np.diff(np.concatenate(list(found.values()), axis=1), axis=0), axis=1).max()))
        sizes.append(float(np.linalg.norm(found["V"], axis=1).max()))
    return Field(np.array(gaps), _ROUNDING * np.array(sizes), ("batch",), np.array(sizes))


@measures("step_order", on=DescentRun)
def step_order(run: DescentRun) -> Field:
    """Extrapolated order of |descent - flow| in V and W at the first depth, for five steps."""
    L = int(run.depths[0])
    b = realise(run.spec, run._arrays, L)
    T = run.regime.iterations * run.regime.step
    exact = flow.integrate(b.network, b.params, b.x, b.y, np.array([T]), _RTOL)
    values, radii = [], []
    for halvings in range(5):
        *_, last = run.iterates(L, halvings)
        apart = [last.V - exact["V"][0], last.W - exact["W"][0]]
        moved = np.sqrt(np.sum(exact["V"][0] ** 2) + np.sum((exact["W"][0] - b.params["W"]) ** 2))
        values.append(float(np.sqrt(sum(np.sum(a**2) for a in apart))))
        radii.append(float(100 * _RTOL * moved + _ROUNDING * run.size * np.sqrt(L)))
    return _rates([(np.array(values), np.array(radii))])


class PublishedRun:
    """Figures 1 and 2 as read off the page, and the networks of Appendix E with the draws of the authors' program."""

    network = "published"  # of what is drawn

    def __init__(self, spec: Spec, arrays: ArrayStore, implementation: Implementation | None = None) -> None:
        self.case = experiment("fig1-left", self.network)
        if (spec.q, spec.m, spec.n) != (self.case.q, self.case.m, self.case.n):
            raise BadInput(f"regime published-figure: sizes are those of Appendix E, q=16, m=32, n=100, got {(spec.q, spec.m, spec.n)}")
        self.spec, self.batch, self.kept = spec, realise(spec, arrays), readings()["fig1-left"]
        self.long = readings()["fig2"]
        self.colours = np.array([*readings()["fig1-right"]["V"], *readings()["fig1-right"]["W"]])  # [18 depth]

    def values(self, measure: str) -> Array:
        """A measure at L = 2 and 16 after the iterations of the published curves [2 iteration]."""
        return np.array([[value for name, value in depth if name == measure] for depth in _trained(self.network)])


@cache
def _trained(network: str) -> tuple[tuple[tuple[str, float], ...], ...]:
    """Measures and values of Figure 1, left, per depth, after the iterations of the published curves."""
    case, kept = experiment("fig1-left", network), readings()["fig1-left"]
    found = (successive(descent(case, L), L, kept["iterations"]) for L in kept["depths"][:2])
    return tuple(tuple((row.measure, row.value) for row in rows) for rows in found)


register_instance(PublishedRun)


@measures("off_label", "off_sum", "read_error", on=PublishedRun)
def curves(run: PublishedRun) -> Mapping[str, Field]:
    """How far the published values lie from the label's maximum, and from the root of the sum of squares [2 x 9]."""
    drawn = np.array(run.kept["values"]).T[:2]
    off = {"off_label": run.values("max"), "off_sum": run.values("all")}
    fields = {k: Field(np.abs(np.log(drawn / v)).ravel(), np.full(drawn.size, _ROUNDING), ("batch",)) for k, v in off.items()}
    return {**fields, "read_error": number(run.kept["relative_error"])}


@measures("growth_early", "growth_late", on=PublishedRun)
def growth(run: PublishedRun) -> Mapping[str, Field]:
    """Of the label's maximum at L = 2 and 16 over the first and over the last fifty of the published iterations."""
    grown = np.diff(np.log(run.values("max")), axis=1)
    return {k: Field(grown[:, at], np.full(len(grown), _ROUNDING), ("batch",)) for k, at in (("growth_early", 0), ("growth_late", -1))}


@measures("read_rate", on=PublishedRun)
def read_rate(run: PublishedRun) -> Field:
    """Rates of the nine curves between the last two depths; the error of reading stands in the claim."""
    values, depths = np.array(run.kept["values"])[:, -2:], np.array(run.kept["depths"])[-2:]
    found = -np.diff(np.log(values), axis=1)[:, 0] / np.log(depths[1] / depths[0])
    return Field(found, np.full(len(found), 2.0**-50), ("batch",))


@measures("colour_rate", "colour_error", on=PublishedRun)
def colours(run: PublishedRun) -> Mapping[str, Field]:
    """Rates from L = 64 to 1024 of V and of W at nine iterations [18]; the error of reading stands in the claim."""
    kept = readings()["fig1-right"]
    first, last = (kept["depths"].index(L) for L in (64, 1024))
    values = run.colours[:, [first, last]]
    found = -np.diff(np.log(values), axis=1)[:, 0] / np.log(1024 / 64)
    return {"colour_rate": Field(found, np.full(len(found), 2.0**-50), ("batch",)), "colour_error": number(kept["relative_error"])}


@measures("off_loss", "off_mean", "loss_error", "long_m", "long_n", "long_norms", on=PublishedRun)
def long_time(run: PublishedRun) -> Mapping[str, Field]:
    """Figure 2: its first loss against |x - y|² in the mean over samples, and over entries too; its sizes and inputs."""
    case, kept = experiment("fig2", run.network), run.long
    _, x, y = start(case)
    loss, drawn = float(np.sum((x - y) ** 2)) / case.n, kept["loss"][0][1]
    off = {"off_loss": loss, "off_mean": loss / case.q}
    fields = {k: number(float(abs(np.log(drawn / v))), _ROUNDING) for k, v in off.items()}
    norms = euclid(x)
    return {
        **fields,
        "loss_error": number(kept["relative_error"]),
        "long_m": number(case.m),
        "long_n": number(case.n),
        "long_norms": number(float(norms.max() - norms.min()), _ROUNDING),
    }


@measures("long_fall", "long_rate", "change_early", "change_late", on=PublishedRun)
def settling(run: PublishedRun) -> Mapping[str, Field]:
    """Figure 2 as read: mean rates of the loss, from the start and between the last two readings; changes of the entries of V and of W."""
    kept = run.long
    at, loss = np.array(kept["loss"]).T
    fall, error = np.log(loss[0] / loss[1:]) / at[1:], 2 * kept["relative_error"]
    span = at[-1] - at[-2]
    lines = [{int(i): np.array(line) for i, line in kept[k].items()} for k in "VW"]
    changes = {k: np.array([np.abs(one[b] - one[a]).max() for one in lines]) for k, (a, b) in _LINES.items()}
    fields = {k: Field(v, np.full(len(v), 2 * kept["absolute_error"]), ("batch",)) for k, v in changes.items()}
    return {
        **fields,
        "long_fall": Field(fall, error / at[1:], ("batch",)),
        "long_rate": number(float(np.log(loss[-2] / loss[-1]) / span), error / span),
    }
