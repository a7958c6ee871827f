"""Ladders in depth: successive weights of trained networks, and of i.i.d. initialisations as the negative control."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import scipy
from scipy import integrate

from depthlimit.models.data import ArrayStore
from depthlimit.models.implementation import Implementation
from depthlimit.models.independent import Outputs
from depthlimit.models.measure.extrapolate import slope
from depthlimit.models.measure.instance import register_instance
from depthlimit.models.measure.registry import Fields, measures
from depthlimit.models.spec import DepthLadder, IidInit, IidLadder, Spec
from depthlimit.models.trajectory import Trajectory, realise
from depthlimit.theory.paper.controls import IID_RISK
from depthlimit.theory.quantity import Array, Field, number


def vertex(row: Array, k: int) -> tuple[float, float]:
    """The maximum of the parabola through row[k-1 : k+2], row[k] the largest entry, and a bound on its error; row[k] at an end."""
    if not 1 <= k < len(row) - 1:
        return float(row[k]), 0.0
    left, middle, right = (float(v) for v in row[k - 1 : k + 2])
    bend = 2 * middle - left - right
    thirds = np.abs(np.diff(row[max(k - 2, 0) : k + 3], 3))
    third = float(thirds.max()) if thirds.size else abs(bend)  # three layers alone say nothing of the next order
    return middle + ((right - left) ** 2 / (8 * bend) if bend > 0 else 0.0), 0.065 * third


class LadderRun:
    """One instance trained at every depth of its ladder."""

    def __init__(self, spec: Spec, arrays: ArrayStore, implementation: Implementation) -> None:
        assert isinstance(spec.regime, DepthLadder)
        self.spec, self.depths = spec, np.array(spec.regime.depths)
        self.batch = realise(spec, arrays, spec.regime.depths[-1])
        self._arrays, self.implementation = arrays, implementation

    @cached_property
    def trained(self) -> list[Trajectory]:
        """The network at each depth."""
        return [Trajectory(realise(self.spec, self._arrays, int(L)), self.implementation) for L in self.depths]

    @cached_property
    def gaps(self) -> tuple[Array, Array]:
        """max over k and t of |Z_{k+1} - Z_k| at each depth, and its radius.

        The expansion in 1/L is that of the maximum of a smooth function of s, and a maximum over the layers misses an interior one by up
        to an eighth of the second difference. So an interior maximum is that of the parabola through three layers; its error is at
        most max|u(u² - 1)|/6 < 0.065 of the third difference, which the radius includes.
        """
        values, radii = [], []
        for trajectory in self.trained:
            gap = Fields(trajectory)["gap"]
            _, t, k = np.unravel_index(int(np.argmax(gap.values)), gap.values.shape)
            row = gap.values[0, t]
            refined, error = vertex(row, int(k))
            values.append(refined)
            radii.append(float(gap.radius[0, t, k]) + error)
        return np.array(values), np.array(radii)


register_instance(LadderRun)


@measures("slope_gap", on=LadderRun)
def slope_gap(run: LadderRun) -> Field:
    """Extrapolated slope of the largest successive difference."""
    value, radius = slope(*run.gaps)
    return Field(np.array([value]), np.array([radius]), ("batch",))


class IidRun:
    """`draws` i.i.d. initialisations at every depth; no implementation, and a toy alone is trained."""

    outputs: type[Outputs] = Outputs

    def __init__(self, spec: Spec, arrays: ArrayStore) -> None:
        assert isinstance(spec.regime, IidLadder) and isinstance(spec.init, IidInit)
        self.spec, self.depths, self.draws = spec, np.array(spec.regime.depths), spec.regime.draws
        self.batch = realise(spec, arrays, 2)

    @cached_property
    def maxima(self) -> Array:
        """Largest |Z_{2j} - Z_{2j-1}| over the ⌊L/2⌋ disjoint pairs [depth draw]."""
        s = self.spec
        assert isinstance(s.init, IidInit)
        out = np.empty((len(self.depths), self.draws))
        for i, L in enumerate(self.depths):
            rng = np.random.RandomState((s.init.seed + 7919 * i) % 2**32)
            for j in range(self.draws):
                Z = rng.standard_normal((int(L), 2 * s.q * s.m))
                pairs = Z[1::2] - Z[: 2 * (int(L) // 2) : 2]
                out[i, j] = np.sqrt(np.max(np.sum(pairs**2, axis=-1)))
        return out

    @cached_property
    def expected(self) -> Array:
        """Exact expectation of those maxima per depth: ∫ (1 - F(r²/2)^N) dr, F of χ² with 2qm degrees of freedom."""
        dof = 2 * self.spec.q * self.spec.m
        return np.array(
            [
                integrate.quad(
                    lambda r, N=int(L) // 2: -np.expm1(N * scipy.stats.chi2.logcdf(r * r / 2, dof)), 0, 4 * np.sqrt(2 * dof) + 40
                )[0]
                for L in self.depths
            ]
        )

    @cached_property
    def medians(self) -> Array:
        """Exact medians: F(r²/2)^N = 1/2."""
        dof = 2 * self.spec.q * self.spec.m
        return np.array([np.sqrt(2 * scipy.stats.chi2.ppf(0.5 ** (1 / (int(L) // 2)), dof)) for L in self.depths])


register_instance(IidRun)


@measures("iid_excess", "iid_allowed", "iid_mean", "iid_shallow", on=IidRun)
def iid(run: IidRun) -> Mapping[str, Field]:
    """Counts above the exact median against the exact binomial quantile, and means of the maxima."""
    counts = np.sum(run.maxima > run.medians[:, None], axis=1).astype(float)
    N = run.draws
    risk = float(IID_RISK) / len(run.depths)
    allowed = float(scipy.stats.binom.isf(risk / 2, N, 0.5)) - N / 2
    means = run.maxima.mean(axis=1)
    tiny = 1e-12 * means  # rounding of sums of at most 2qm <= 1e6 squares
    return {
        "iid_excess": Field(np.abs(counts - N / 2), np.zeros(()), ("batch",)),
        "iid_allowed": Field(np.full(len(counts), allowed), np.zeros(()), ("batch",)),
        "iid_mean": Field(means[1:], tiny[1:], ("batch",)),
        "iid_shallow": number(float(means[0]), float(tiny[0])),
    }
