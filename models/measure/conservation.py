"""Measures of the conservation law layer by layer: velocities of the implementation against our adjoint at its states."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from depthlimit.models.measure.network import BTC, BTLC, flat
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import U, euclid, frobenius, gamma
from depthlimit.models.trajectory import Trajectory
from depthlimit.theory.quantity import Field


@measures(*(f"{name}_{side}" for name in ("layer", "embedding", "readout") for side in ("balance", "flux")), on=Trajectory)
def fluxes(run: Trajectory) -> Mapping[str, Field]:
    """Products of a velocity and its block, and of adjoints and states.

    Radii, to first order: the gradients' (times L for V and W) against the block; errors of p and h against each other; products round with
    the inner dimension. Late in training the flux is known relative to its terms only.
    """
    s, v, e, r = run.states, run.velocity, run.rounding.gradients, run.rounding
    n, L, m = (run.network[k] for k in ("n", "L", "m"))
    hidden, p = run.forward["hidden"], run.adjoint
    flux = np.einsum("...nq,...nr->...qr", p, hidden) / n  # [1 T L+1 q q]
    h, size = euclid(hidden), euclid(p)
    off = 1.01 * np.mean(r.adjoint * h + size * r.states + gamma(n + 3) * size * h, axis=-1)  # [1 T L+1]
    terms = np.mean(run.terms[1] * h, axis=-1)
    own = gamma(max(m, run.network["d"], run.network["dout"]) + 8)
    norm, speed = ({k: frobenius(a[k]) for k in a} for a in (s, v))
    layer = np.einsum("...lqm,...lrm->...lqr", v["V"], s["V"]) - np.einsum("...lmq,...lmr->...lqr", s["W"], v["W"])
    by_layer = sum(norm[k] * (L * e[k] + own * speed[k]) for k in "VW")
    fields = {
        "layer_balance": Field(flat(layer, 3), np.asarray(by_layer), BTLC),
        "layer_flux": Field(
            flat(-L * np.diff(flux, axis=-3), 3),
            L * (off[..., 1:] + off[..., :-1] + 2 * U * (terms[..., 1:] + terms[..., :-1])),
            BTLC,
            L * (terms[..., 1:] + terms[..., :-1]),
        ),
    }
    ends = {
        "embedding": ("A", np.einsum("...qd,...rd->...qr", v["A"], s["A"]), 0),
        "readout": ("B", np.einsum("...oq,...or->...qr", s["B"], v["B"]), -1),
    }
    for name, (block, value, k) in ends.items():
        fields[f"{name}_balance"] = Field(flat(value, 2), norm[block] * (e[block] + own * speed[block]), BTC)
        fields[f"{name}_flux"] = Field(flat(-flux[..., k, :, :], 2), off[..., k], BTC, terms[..., k])
    return fields
