"""What is measured on the networks of an experiment: rows of the data of a figure.

Figure 1, left, per depth L and iteration T, over the iterates 0..T-1 (those that the published program keeps after T of its rounds), or of
the flow over the saved times up to T:

    max         max_{k,t} |Z_{k+1} - Z_k|_F, which is the figure's label; max-V and max-W of V or of W alone
    max-entry   the largest entry of a difference
    mean        the mean over k, and the maximum over t
    layers      the root of the sum of squares over k, and the maximum over t
    all         the root of the sum of squares over k and t, of V or of W, whichever is larger

Figure 1, right, per depth and iteration, of V and of W against a function of s:

    l2          (∫|V^L(s) - V(s)|_F² ds)^{1/2} with the step function (8), which is the figure's label
    sup         sup_s |V^L(s) - V(s)|_F: uniform convergence
    nodes       the root of the mean over k = 1..L of |V_k - V((k-1)/L)|_F²
    middle      the same at (k - ½)/L

The function is a polynomial in s. Of the limit it is the solution of `depthlimit.models.training_limit`, with its declared error. Of a
reference network it goes through V_k at (k - ½)/N, with the largest distance as its error; its step function (8) takes the polynomial at
the nodes of its own layers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from depthlimit.models import training_limit
from depthlimit.models.chebyshev import basis
from depthlimit.models.experiment import FLOW_RTOL, Experiment, State, network, start, states
from depthlimit.models.general import Perceptron
from depthlimit.theory.quantity import Array

_AT_ONCE = 256  # rows that fit the cache
DEGREE = 64  # of the polynomial through the reference's layers, or a quarter of them; what it leaves is measured
ENTRIES = {"V": (1, 3), "W": (1, 3)}  # row and column, from 0, of what Figure 2 draws


class Row(NamedTuple):
    """A line of the data: value of a measure at depth L after an iteration; `layer` for what is drawn against layers."""

    L: int
    iteration: int
    measure: str
    value: float
    layer: int | None = None


class Curve(NamedTuple):
    """A function of s on [0, 1] for each saved iteration; `layers` > 0: a network's, whose step function (8) is compared with."""

    layers: int
    coefficients: Mapping[str, Array]  # [saved degree+1 entries] of V and W: Chebyshev series in 2s - 1
    error: float  # largest |polynomial - layer|_F

    def step(self, s: Array) -> Array:
        """Where the step function (8) of a network takes its function for s; s itself for a function of its own."""
        return (np.floor((self.layers - 1) * s) + 0.5) / self.layers if self.layers else s

    def apart(self, block: str, j: int, along: Array, values: Array | _Rows) -> Array:
        """Distances [S] after saved iteration j from the rows of values [S entries], at s whose `basis` is along [S degree+1]."""
        found, terms = np.empty(len(along)), self.coefficients[block][j]
        for i in range(0, len(along), _AT_ONCE):
            piece = slice(i, i + _AT_ONCE)
            off = along[piece] @ terms - values[piece]
            found[piece] = np.sqrt(np.einsum("ij,ij->i", off, off))
        return found

    def basis(self, s: Array) -> Array:
        """Chebyshev polynomials at s."""
        return basis(s, self.coefficients["V"].shape[1])


class _Rows:
    """Rows of an array by index, taken when they are asked for: so many that all of them would not fit the cache."""

    def __init__(self, values: Array, index: Array) -> None:
        self._values, self._index = values, index

    def __getitem__(self, piece: slice) -> Array:
        return np.asarray(self._values[self._index[piece]])


def blocks(state: State) -> dict[str, Array]:
    """V and W as [L entries]."""
    return {k: v.reshape(len(v), -1) for k, v in (("V", state.V), ("W", state.W))}


def successive(along: Iterable[State], L: int, saved: Sequence[int], summed: bool = True) -> Iterator[Row]:
    """The measures of Figure 1, left, over iterates in their order.

    summed: of descent, with `all` too. A flow is known at the saved times alone, and the maximum is over those up to each of them.
    """
    largest: dict[str, float] = dict.fromkeys(("max", "max-V", "max-W", "max-entry", "mean", "layers"), 0.0)
    total = dict.fromkeys("VW", 0.0)
    seen = 0
    for state in along:
        for due in saved if summed else ():
            if seen < due <= state.iteration:  # the iterates before `due` are in
                yield from (Row(L, due, measure, value) for measure, value in largest.items())
                yield Row(L, due, "all", max(total.values()) ** 0.5)
        seen = state.iteration
        steps = {k: np.diff(v, axis=0) for k, v in blocks(state).items()}
        squares = {k: np.einsum("ij,ij->i", v, v) for k, v in steps.items()}
        both = squares["V"] + squares["W"]
        now = {"max": both.max() ** 0.5, "max-V": squares["V"].max() ** 0.5, "max-W": squares["W"].max() ** 0.5}
        now |= {"mean": float(np.mean(both**0.5)), "layers": both.sum() ** 0.5}
        now["max-entry"] = max(float(np.abs(v).max()) for v in steps.values())
        largest = {k: max(v, float(now[k])) for k, v in largest.items()}
        total = {k: v + float(squares[k].sum()) for k, v in total.items()}
        if not summed and state.iteration in saved:
            yield from (Row(L, state.iteration, measure, value) for measure, value in largest.items())


def curve(case: Experiment) -> Curve:
    """What is compared with, after each saved iteration: the reference network as a function of s, or the limit."""
    L = case.reference
    if not L:
        return exact(case)
    degree = min(DEGREE, L // 4)
    vander = basis((np.arange(L) + 0.5) / L, degree + 1)
    inverse = np.linalg.pinv(vander)
    found: dict[str, list[Array]] = {"V": [], "W": []}
    error = 0.0
    for state in states(case, L):
        if state.iteration in case.saved:
            for k, values in blocks(state).items():
                found[k].append(inverse @ values)
                error = max(error, float(np.max(np.linalg.norm(vander @ found[k][-1] - values, axis=1))))
    return Curve(L, {k: np.stack(v) for k, v in found.items()}, error)


def exact(case: Experiment) -> Curve:
    """The limit of the flow after each saved iteration."""
    W, x, y = start(case)
    Z = np.concatenate([np.zeros(W.size), W.ravel()])
    spec, eye = network(case, 1), np.eye(case.q)
    branch = Perceptron(case.q, case.m, spec["activation"])
    problem = training_limit.Problem(branch, eye, eye, lambda s: np.repeat(Z[None], len(s), axis=0), x, y, spec)
    times = np.array([i * case.step for i in case.saved])
    found = training_limit.limit(problem, times, wanted=FLOW_RTOL)
    V, W = np.split(found.solution.coefficients, 2, axis=2)
    return Curve(0, {"V": V, "W": W}, float(found.error("Z").max()))


def distances(along: Iterable[State], L: int, saved: Sequence[int], limit: Curve) -> Iterator[Row]:
    """The measures of Figure 1, right, against a curve, after the saved iterations that come along."""
    pieces = limit.layers - 1 if limit.layers else 2**14  # sixteen to a layer, if not more: the norm is good to 1e-3 at L = 1024
    cuts = np.unique(np.concatenate([np.arange(pieces + 1) / pieces, np.arange(L) / (L - 1)]))
    middle, width = (cuts[1:] + cuts[:-1]) / 2, np.diff(cuts)
    own = np.minimum(np.floor((L - 1) * middle).astype(int), L - 2)
    ends = () if limit.layers else (cuts[:-1], cuts[1:])  # of pieces, on which a step function is constant
    inner, outer = limit.basis(limit.step(middle)), [limit.basis(s) for s in ends]
    left = np.arange(L) / L
    layers = {"nodes": limit.basis(left + (0.5 / limit.layers if limit.layers else 0)), "middle": limit.basis(left + 0.5 / L)}
    for state in along:
        if state.iteration not in saved:
            continue
        j = saved.index(state.iteration)
        for block, values in blocks(state).items():
            spread = _Rows(values, own)
            apart = limit.apart(block, j, inner, spread)
            yield Row(L, state.iteration, f"l2-{block}", float(np.sqrt(np.sum(width * apart**2))))
            yield Row(
                L,
                state.iteration,
                f"sup-{block}",
                max([float(apart.max()), *(float(limit.apart(block, j, s, spread).max()) for s in outer)]),
            )
            for measure, along in layers.items():
                off = limit.apart(block, j, along, values)
                yield Row(L, state.iteration, f"{measure}-{block}", float(np.sqrt(np.mean(off**2))))


def long_time(along: Iterable[State], L: int, saved: Sequence[int]) -> Iterator[Row]:
    """Figure 2: the loss, and a hundred times an entry of V and of W across layers."""
    drawn = set(saved[:: max(1, len(saved) // 100)])
    for state in along:
        if state.iteration in saved:
            yield Row(L, state.iteration, "loss", state.loss)
        if state.iteration in drawn:
            for block, (i, j) in ENTRIES.items():
                for k, value in enumerate((state.V if block == "V" else state.W)[:, i, j]):
                    yield Row(L, state.iteration, f"entry-{block}", float(value), k + 1)


def rows_of(case: Experiment, L: int, along: Iterable[State], limit: Curve | None) -> list[Row]:
    """All rows of one depth."""
    if case.figure == "fig1-left":
        return list(successive(along, L, case.saved, not case.flow))
    if case.figure == "fig2":
        return list(long_time(along, L, case.saved))
    assert limit is not None
    return list(distances(along, L, case.saved, limit))


def to_json(found: Curve) -> dict[str, Any]:
    """Arrays of a curve, for an .npz."""
    return {"layers": np.array(found.layers), "error": np.array(found.error), **found.coefficients}
