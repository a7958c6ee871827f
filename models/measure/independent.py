"""Training from independent layers at more than one depth: weights that tend to nothing, and outputs that are averages over the layers."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from depthlimit.models.measure.counterexamples import LAYERS, LAYERS_RTOL, CounterexamplesRun
from depthlimit.models.measure.ladder import IidRun
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import gamma
from depthlimit.models.spec import IidInit
from depthlimit.theory.paper.relu_limit import SPREAD_RISK
from depthlimit.theory.quantity import Field

_DRAWS = 2000  # so many that the intervals are narrower than the claim's factor


@measures("layers_depths_apart", "layers_depths_end", "layers_depths_reach", on=CounterexamplesRun)
def between_depths(run: CounterexamplesRun) -> Mapping[str, Field]:
    """Z_k^L and Z_{2k}^{2L} at 0 and T for successive depths; the error is the difference of two tolerances."""

    def numbers(L: int, deeper: int, rtol: float) -> tuple[float, float, float]:
        (Z, loss), (deep, deep_loss) = (run.trained(depth, False, rtol) for depth in (L, deeper))
        start, end = (float(np.sqrt(np.mean(np.sum((deep[t, 1::2] - Z[t]) ** 2, axis=-1)))) for t in (0, 1))
        return start, end, float(np.sqrt(LAYERS["T"] * loss[0]) + np.sqrt(2 * LAYERS["T"] * deep_loss[0]))

    fine, coarse = (np.array([numbers(int(a), int(b), rtol) for a, b in pairwise(run.depths)]) for rtol in LAYERS_RTOL)
    radius = np.abs(fine - coarse) + gamma(1000) * fine
    names = "layers_depths_apart", "layers_depths_end", "layers_depths_reach"
    return {name: Field(fine[:, i], radius[:, i], ("batch",)) for i, name in enumerate(names)}


@measures("iid_spread", "iid_spread_deep", on=IidRun)
def spread(run: IidRun) -> Mapping[str, Field]:
    """At the least and at the largest depth of the ladder."""
    assert isinstance(run.spec.init, IidInit)
    fields = {}
    for name, L in (("iid_spread", run.depths[0]), ("iid_spread_deep", run.depths[-1])):
        low, high = run.outputs((run.spec.init.seed + 104729 * int(L)) % 2**32, int(L), _DRAWS).spread(float(SPREAD_RISK) / 2)
        fields[name] = Field(np.array([(low + high) / 2]), np.array([(high - low) / 2]), ("batch",))
    return fields
