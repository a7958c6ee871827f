"""Lemma 20: the norm of the initial W over many seeds, and the exact χ² distribution of its square.

No training, and no implementation: the sampler and the formulas are what is checked. The batch axis holds the widths 1..m.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import scipy
from flint import arb, ctx

from depthlimit.models.data import ArrayStore
from depthlimit.models.initialisation import parameters
from depthlimit.models.measure.instance import register_instance
from depthlimit.models.measure.registry import measures
from depthlimit.models.spec import PaperInit, RandomMatrix, Spec
from depthlimit.models.trajectory import realise
from depthlimit.theory.paper.lemma20 import FAULT, RISK
from depthlimit.theory.quantity import Array, Field, number

_BITS = 128


def chi_square_tail(dof: int, threshold: arb) -> tuple[float, float]:
    """P(χ²_dof > threshold) and its radius: Q(dof/2, threshold/2), the regularised incomplete gamma function, in Arb."""
    value = (threshold / 2).gamma_upper(arb(dof) / 2, regularized=1)
    mid = float(value.mid())
    return mid, float((value - arb(mid)).abs_upper())


def acceptance(draws: int, probability: float, risk: float) -> float:
    """The smallest c with P(|X - draws p| > c) <= risk for X binomial with that probability p."""
    distances = np.abs(np.arange(draws + 1) - draws * probability)
    weights = scipy.stats.binom.pmf(np.arange(draws + 1), draws, probability)
    order = np.argsort(-distances)
    beyond = np.cumsum(weights[order])  # P(|X - Np| >= distance), from the largest distance on
    return float(distances[order][np.searchsorted(beyond, risk, side="right")])


class RandomMatrixRun:
    """`draws` initialisations of a spec, from seeds init.seed, init.seed + 1, ..."""

    def __init__(self, spec: Spec, arrays: ArrayStore, implementation: Any = None) -> None:
        assert isinstance(spec.regime, RandomMatrix) and isinstance(spec.init, PaperInit)
        self.spec, self.draws, self.level = spec, spec.regime.draws, spec.regime.level
        self.batch = realise(spec, arrays, 1)
        self.dof = spec.q * np.arange(1, spec.m + 1)

    def draw(self, seed: int) -> Array:
        """W [m q] of the initialisation with that seed."""
        init = PaperInit(seed=seed % 2**32)
        W: Array = parameters(self.spec.model_copy(update={"init": init}), 1, ArrayStore())["W"][0]
        return W

    @cached_property
    def squares(self) -> Array:
        """‖W‖_F² at each width [draw width]: W is drawn row by row, so its first j rows are the draw at width j."""
        assert isinstance(self.spec.init, PaperInit)
        rows = np.stack([np.sum(self.draw(self.spec.init.seed + i) ** 2, axis=1) for i in range(self.draws)])
        return np.cumsum(rows, axis=1)

    @cached_property
    def tails(self) -> tuple[Array, Array, Array, Array]:
        """Exact tails at M_W² qm and at the threshold of Laurent and Massart, each [width] with its radius."""
        ctx.prec = _BITS
        rows = []
        for dof in map(int, self.dof):
            x = (arb(self.level) - 1) * dof / 16
            rows.append(chi_square_tail(dof, arb(self.level) * dof) + chi_square_tail(dof, dof + 2 * (dof * x).sqrt() + 2 * x))
        return tuple(np.array(column) for column in zip(*rows, strict=True))  # type: ignore[return-value]

    @property
    def risk(self) -> float:
        """The risk of one width."""
        return float(RISK) / len(self.dof)


register_instance(RandomMatrixRun)


@measures("N", "level", "draws", "tail", "tail_x", on=RandomMatrixRun)
def exact(run: RandomMatrixRun) -> Mapping[str, Field]:
    """Degrees of freedom and the exact tails."""
    tail, radius, tail_x, radius_x = run.tails
    return {
        "N": Field(run.dof.astype(float), np.zeros(()), ("batch",)),
        "level": number(run.level),
        "draws": number(float(run.draws)),
        "tail": Field(tail, radius, ("batch",)),
        "tail_x": Field(tail_x, radius_x, ("batch",)),
    }


@measures("above", "allowed", "excess", "deviation", on=RandomMatrixRun)
def counts(run: RandomMatrixRun) -> Mapping[str, Field]:
    """Draws above the level, against binomial quantiles at the printed and at the exact probability.

    A draw within rounding of the level may be counted on either side: its chance is below 1e-11, and the counts are taken as exact.
    """
    above = np.sum(run.squares > run.level * run.dof, axis=0).astype(float)
    printed = np.exp(-(run.level - 1) * run.dof / 16)
    zero = np.zeros(())
    return {
        "above": Field(above, zero, ("batch",)),
        "allowed": Field(scipy.stats.binom.isf(run.risk, run.draws, printed), zero, ("batch",)),
        "excess": Field(np.abs(above - run.draws * run.tails[0]), zero, ("batch",)),
        "deviation": Field(np.array([acceptance(run.draws, float(p), run.risk) for p in run.tails[0]]), zero, ("batch",)),
    }


@measures("missed", on=RandomMatrixRun)
def missed(run: RandomMatrixRun) -> Field:
    """P(|X - Np| <= deviation) at full width for X binomial with the probability that a sampler scaled by 1.1 has; 1e-9 of rounding."""
    dof, p = int(run.dof[-1]), float(run.tails[0][-1])
    ctx.prec = _BITS
    scaled = chi_square_tail(dof, arb(run.level) * dof / arb(float(FAULT)) ** 2)[0]
    allowed = acceptance(run.draws, p, run.risk)
    low, high = np.ceil(run.draws * p - allowed), np.floor(run.draws * p + allowed)
    value = float(scipy.stats.binom.cdf(high, run.draws, scaled) - scipy.stats.binom.cdf(low - 1, run.draws, scaled))
    return number(max(value, 0.0), 1e-9)
