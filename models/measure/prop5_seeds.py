"""Proposition 5 and Theorem 6 over seeds of initialisation and data, with the NumPy implementation: the mathematics is what is checked."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import scipy
import sympy as sp

from depthlimit.models import activations
from depthlimit.models.backward import loss_and_gradients
from depthlimit.models.data import ArrayStore
from depthlimit.models.measure.instance import register_instance
from depthlimit.models.measure.prop5 import sigma_numbers
from depthlimit.models.measure.registry import Fields, measures
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.rounding import frobenius
from depthlimit.models.spec import PLSeeds, Spec
from depthlimit.models.trajectory import Batch, realise
from depthlimit.theory.activation import constants
from depthlimit.theory.enclosure import evaluate
from depthlimit.theory.paper import prop5_setting as theory
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.prop5_seeds import RISK
from depthlimit.theory.quantity import Field, number


class SeedsRun:
    """`draws` initialisations and data sets of a spec, from its seeds on."""

    def __init__(self, spec: Spec, arrays: ArrayStore, implementation: Any = None) -> None:
        assert isinstance(spec.regime, PLSeeds)
        self.spec, self.regime = spec, spec.regime
        self.batch = realise(spec, arrays)

    def draw(self, i: int) -> Batch:
        """The i-th instance."""
        return realise(self.spec.redrawn(i), ArrayStore())

    @cached_property
    def numbers(self) -> dict[str, float]:
        """The constants with which failures are counted: the cautious end of each enclosure."""
        fields, out = Fields(self), {}
        for name, formula in (("delta", theory.DELTA), ("sharp", theory.DELTA_SHARP), ("mu", theory.mu_sharp), ("M", theory.M_sharp)):
            ball = evaluate(formula, fields, theory.used(formula))
            out[name] = min(float(ball.hi.item()), 1.0) if name in ("delta", "sharp") else float(ball.lo.item())
        printed = theory.c_4 / (Q.n * sp.sqrt(Q.n) * Q.q)
        out["printed"] = float(evaluate(printed, fields, theory.used(printed)).lo.item())
        return out

    def misses(self, b: Batch) -> bool:
        """Whether the event of the proof fails. A draw within rounding of the threshold may be counted on either side."""
        net, W = b.network, b.params["W"][0]
        S = activations.value(net["activation"], b.x @ b.params["A"].T @ W.T / np.sqrt(net["q"]))
        least = np.linalg.svd(S, compute_uv=False)[-1] if net["m"] >= net["n"] else 0.0
        eta = float(Fields(self)["eta"].values)
        return bool(least < np.sqrt(net["m"]) * eta / 4 or frobenius(W) > np.sqrt(2 * W.size))

    def flat(self, b: Batch, i: int) -> bool:
        """Whether the PL ratio, of the blocks that are trained, lies below μ at a random point of the boundary of the sharpened ball."""
        rng = np.random.RandomState(i)
        steps = {k: rng.standard_normal(v.shape) for k, v in b.params.items()}
        point = {k: v + self.numbers["M"] * steps[k] / frobenius(steps[k])[..., None, None] for k, v in b.params.items()}
        loss, g = loss_and_gradients(b.network, point, b.x, b.y)
        total = sum(float(np.sum(g[k] ** 2)) * (b.network["L"] if k in "VW" else 1) for k in (g if b.network["train"] == "AVWB" else "VW"))
        return total < self.numbers["mu"] * float(loss)

    def decays(self, b: Batch) -> float:
        """ln(ℓ(0)/ℓ(T))/T, less a thousand times the flow's tolerance: a margin, not a bound on its error."""
        T = self.spec.T
        answer = NumpyImplementation().flow(b.network, b.params, b.x, b.y, np.array([0.0, T]))
        return float(np.log(answer["loss"][0] / answer["loss"][1]) - 1e3 * b.network["rtol"]) / T

    @cached_property
    def counts(self) -> dict[str, int]:
        """Failures of the event and of PL over all draws, and of the two rates over the draws that are trained."""
        found = dict.fromkeys(("outside", "flat", "slow", "slow_printed"), 0)
        for i in range(self.regime.draws):
            b = self.draw(i)
            found["outside"] += self.misses(b)
            found["flat"] += self.flat(b, i)
            if i < self.regime.flows:
                rate = self.decays(b)
                found["slow"] += rate < self.numbers["mu"]
                found["slow_printed"] += rate < self.numbers["printed"]
        return found


register_instance(SeedsRun)


@measures("hermite_order", "eta", "v_x2", "M_sigma", on=SeedsRun)
def sigma(run: SeedsRun) -> Mapping[str, Field]:
    """Numbers of σ and of the law of the data."""
    phi = run.spec.activation
    supremum = constants(phi.name, phi.a, phi.b)["M_sigma"]
    mid = (supremum.lo + supremum.hi) / 2
    return {**sigma_numbers(run.batch.network, run.regime.order), "M_sigma": number(mid, supremum.hi - mid)}


@measures("outside", "flat", "slow", "slow_printed", "labels", on=SeedsRun)
def failures(run: SeedsRun) -> Mapping[str, Field]:
    """The counts, and the size of the labels."""
    squares = (float(np.mean(np.sum(run.draw(i).y ** 2, axis=-1))) for i in range(run.regime.flows))
    return {**{name: number(float(count)) for name, count in run.counts.items()}, "labels": number(max(squares))}


@measures(
    *("seeds", "flows", "outside_allowed", "outside_allowed_sharp", "slow_allowed", "slow_allowed_sharp"),
    on=SeedsRun,
)
def allowed(run: SeedsRun) -> Mapping[str, Field]:
    """Exact binomial quantiles at the stated risk."""
    sizes = {"outside": run.regime.draws, "slow": run.regime.flows}
    kinds = {"allowed": run.numbers["delta"], "allowed_sharp": run.numbers["sharp"]}
    quantiles = {
        f"{what}_{kind}": number(float(scipy.stats.binom.isf(float(RISK), size, delta)))
        for what, size in sizes.items()
        for kind, delta in kinds.items()
    }
    return {"seeds": number(float(run.regime.draws)), "flows": number(float(run.regime.flows)), **quantiles}
