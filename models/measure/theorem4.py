"""Limits of trained networks as the depth grows: hidden states, and the neural ODE (9) of the weights' limit.

Both are extrapolated over the last three depths of a ladder, which double: two powers of 1/L are removed, and the correction by the second
is the radius. Weights are first made functions of s, by least squares in Chebyshev polynomials at s = k/L. As an error of these the
solution of (9) is taken once more, with one power removed and two polynomials fewer.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.polynomial import chebyshev

from depthlimit.models.calls import call
from depthlimit.models.measure.extrapolate import romberg
from depthlimit.models.measure.ladder import LadderRun
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import euclid
from depthlimit.models.trajectory import BLOCKS
from depthlimit.theory.quantity import Array, Field, number

_DEGREE = 12  # trained weights at the times of a ladder are entire in s; on 16 nodes and more this degree is well conditioned
_WEIGHT = 5.0  # 8/3 + 2 + 1/3: how far errors at the three depths spread to the limit


def series(weights: Array, degree: int) -> Array:
    """Chebyshev coefficients [degree+1 rows columns] of the function that has weights [L rows columns] at k/L, k = 1..L."""
    L = len(weights)
    fit = chebyshev.chebfit(2 * np.arange(1, L + 1) / L - 1, weights.reshape(L, -1), degree)
    return np.asarray(fit.reshape(degree + 1, *weights.shape[1:]))


@measures("h_limit", "H_limit", "F_limit", on=LadderRun)
def trained_limits(run: LadderRun) -> Mapping[str, Field]:
    """Both sides of (9) at the last saved time, at the nodes of the third depth from below, and outputs B(T) H(1, T)."""
    last = run.trained[-3:]
    nodes = int(run.depths[-3])
    hidden = [t.forward["hidden"][0, -1, :: t.network["L"] // nodes] for t in last]  # [nodes+1 n q] each
    _, (*_, coarse), (fine,) = romberg(np.stack([h.reshape(nodes + 1, -1) for h in hidden]))
    rounding = max(float(np.linalg.norm(t.rounding.states[0, -1], axis=-1).max()) for t in last)
    # an error of the flow moves h by about as much relative to it; as in `successive.run_suprema`, 10 stands for its sensitivity
    relative = max(
        sum(float(t.state_error[k][0, -1]) / max(float(np.linalg.norm(t.states[k][0, -1])), 1e-300) for k in BLOCKS) for t in last
    )
    h_radius = euclid(fine - coarse) + _WEIGHT * (rounding + 10 * relative * float(euclid(fine).max()))

    s, degree = np.arange(nodes + 1) / nodes, min(nodes - 1, _DEGREE)
    found, outputs = [], []
    for powers, terms in ((2, degree), (1, max(degree - 2, 0))):
        ends = {k: romberg(np.stack([t.states[k][0, -1] for t in last]))[powers][-1] for k in "AB"}
        inner = {k: romberg(np.stack([series(t.states[k][0, -1], terms) for t in last]))[powers][-1] for k in "VW"}
        answer = call(run.implementation, "neural_ode", run.batch.network, weights={**ends, **inner}, x=run.batch.x, s=s)
        found.append(answer["hidden"].reshape(nodes + 1, -1))
        outputs.append(answer["hidden"].reshape(nodes + 1, -1, run.spec.q)[-1] @ ends["B"].T)
    H, other = found
    allowed = 100 * run.spec.rtol * euclid(H - H[0]) + run.spec.rtol * euclid(H)  # by the protocol
    LC = ("layer", "component")
    error = euclid(outputs[0] - outputs[1]) + float(np.linalg.norm(last[-1].states["B"][0, -1])) * allowed[-1]
    remaining = max(float(t.loss[0, -1] + t.loss_error[0, -1]) for t in last)  # no output is farther from its label than √(nℓ)
    return {
        "h_limit": Field(fine, h_radius, LC),
        "H_limit": Field(H, euclid(H - other) + allowed, LC),
        "F_limit": Field(outputs[0], error + np.sqrt(run.spec.n * remaining), ("sample", "component")),
    }


@measures("ladder_left", "y_all", on=LadderRun)
def fitted(run: LadderRun) -> Mapping[str, Field]:
    """What is left of the loss at the depth where most is, and the labels."""
    left, error = max((t.loss[0, -1] / t.loss[0, 0], t.loss_error[0, -1] / t.loss[0, 0]) for t in run.trained)
    return {"ladder_left": number(float(left), float(error)), "y_all": Field(run.batch.y, np.zeros(()), ("sample", "component"))}
