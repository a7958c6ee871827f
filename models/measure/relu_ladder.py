"""The chain of Appendix D at doubling depths, and what its weights and outputs tend to."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from depthlimit.models.data import ArrayStore
from depthlimit.models.implementation import Implementation
from depthlimit.models.measure.extrapolate import limit
from depthlimit.models.measure.instance import register_instance
from depthlimit.models.measure.registry import measures
from depthlimit.models.measure.relu import ReluRun
from depthlimit.models.rounding import gamma
from depthlimit.models.spec import Relu, ReluLadder, Spec
from depthlimit.models.trajectory import realise
from depthlimit.theory.quantity import Field, number


class ReluLadderRun:
    """One chain at every depth of its ladder, from signs that alternate and from equal ones."""

    chain: type[ReluRun] = ReluRun

    def __init__(self, spec: Spec, arrays: ArrayStore, implementation: Implementation | None = None) -> None:
        assert isinstance(spec.regime, ReluLadder)
        self.spec, self.depths = spec, np.array(spec.regime.depths)
        self.batch = realise(spec, arrays, 1)
        self._arrays = arrays

    @cached_property
    def chains(self) -> tuple[list[ReluRun], list[ReluRun]]:
        """The chains of both starts, saved at 0 and T."""
        found = []
        for equal in (False, True):
            each = []
            for L in map(int, self.depths):
                spec = self.spec.model_copy(update={"regime": Relu(), "L": L, "times": (0.0, self.spec.T)})
                run = self.chain(spec, self._arrays)
                run.start = np.abs(run.start) if equal else run.start
                each.append(run)
            found.append(each)
        return found[0], found[1]


register_instance(ReluLadderRun)


@measures("relu_C", "relu_x", "relu_kink", "relu_share", on=ReluLadderRun)
def constants(run: ReluLadderRun) -> Mapping[str, Field]:
    """Numbers of the instance."""
    one = run.chains[0][0]
    C = one.y / one.x
    return {
        "relu_C": number(C, gamma(1) * C),
        "relu_x": number(one.x),
        "relu_kink": number(float(run.spec.activation.name == "relu")),
        "relu_share": Field(np.array([0.5, 1.0]), np.zeros(()), ("batch",)),
    }


@measures("relu_ratio", on=ReluLadderRun)
def rough(run: ReluLadderRun) -> Field:
    """The largest successive difference at T at 2L over that at L, extrapolated. It is found at an end, so it is smooth in 1/L."""
    ends = [(one.weights[0][-1], one.weights[1][-1]) for one in run.chains[0]]
    gaps = np.array([np.abs(np.diff(w)).max() for w, _ in ends])
    relative = np.array([2 * e for _, e in ends]) / gaps
    ratios = gaps[1:] / gaps[:-1]
    value, radius = limit(ratios, ratios * (relative[1:] + relative[:-1]))
    return Field(np.array([value]), np.array([radius]), ("batch",))


@measures("relu_w_limit", "relu_P", "relu_P_equal", on=ReluLadderRun)
def ends(run: ReluLadderRun) -> Mapping[str, Field]:
    """Last weights and outputs at T, extrapolated. An error e of the weights moves the output by at most e|∂h/∂w|, twice that here."""
    found = []
    for chains in run.chains:
        weights = np.array([one.weights[0][-1, -1] for one in chains])
        errors = np.array([one.weights[1][-1] for one in chains])
        outputs = np.array([one.passes[0][-1, -1] for one in chains])
        # ∂ℓ/∂w = 2(h - y)∂h/∂w, and 2L weights move it as |e| √(Σ(∂h/∂w)²)
        slopes = np.array([np.linalg.norm(one.passes[2][-1] / one.passes[1][-1, -1]) for one in chains])
        moved = 2 * errors * slopes + gamma(8 * int(run.depths[-1])) * outputs
        found.append((limit(weights, errors), limit(outputs / chains[0].x, moved / chains[0].x)))
    (w, dw), (P, dP) = (np.array([pair[i] for pair in found]).T for i in (0, 1))
    return {
        "relu_w_limit": Field(w, dw, ("batch",)),
        "relu_P": Field(P, dP, ("batch",)),
        "relu_P_equal": number(float(P[1]), float(dP[1])),
    }
