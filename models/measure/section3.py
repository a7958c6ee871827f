"""Measures of the running text of Sections 3 and 4.1: the initial network, π, the interpolation (8) and distances over several layers."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import numpy as np

from depthlimit.models.calls import call
from depthlimit.models.measure.network import BT, flat
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import Rounding, U, frobenius, gamma
from depthlimit.models.trajectory import Trajectory
from depthlimit.theory.quantity import Array, Field, number

BTL = ("batch", "time", "layer")
BC = ("batch", "component")


@measures("h_start", "Ax_start", on=Trajectory)
def initial_states(run: Trajectory) -> Mapping[str, Field]:
    """The implementation's hidden states at the drawn parameters, against Ax."""
    b = run.batch
    f = call(run.implementation, "forward", b.network, params=b.params, x=b.x)
    lead = {k: v[None] for k, v in b.params.items()}
    r = Rounding(b.network, lead, b.x, b.y, f["hidden"][None], f["output"][None])
    Ax = np.einsum("qd,nd->nq", b.params["A"], b.x)[None]
    return {
        "h_start": Field(f["hidden"][None, 1:], r.states[:, 1:], ("batch", "layer", "sample", "component")),
        "Ax_start": Field(Ax, r.embedded, ("batch", "sample", "component")),
    }


@measures("AtA", "I_d", "overlap", on=Trajectory)
def isometry(run: Trajectory) -> Mapping[str, Field]:
    """Products of the drawn A and B: for zeros and ones these are exact."""
    A, B = run.batch.params["A"], run.batch.params["B"]
    d, q = run.network["d"], run.network["q"]
    square = float(np.sum((B @ A) ** 2))
    return {
        "AtA": Field((A.T @ A).reshape(1, -1), gamma(q) * frobenius(A) ** 2 * np.ones(1), BC),
        "I_d": Field(np.eye(d).reshape(1, -1), np.zeros(1), BC),
        "overlap": number(square, 2 * gamma(q + A.size) * float(frobenius(A) * frobenius(B)) ** 2),
    }


def _spread(states: Array) -> tuple[Array, Array]:
    """max_k |X_{k+j} - X_k|_F for j = 1..L-1 [1 T L-1], and max_k of the first [1 T]; zeros for one layer."""
    L = states.shape[2]
    rows = [frobenius(states[:, :, j:] - states[:, :, :-j]).max(axis=-1) for j in range(1, L)]
    lead = states.shape[:2]
    return np.stack(rows, axis=-1) if rows else np.zeros((*lead, 0)), rows[0] if rows else np.zeros(lead)


@measures("spread_V", "spread_W", "step_V", "step_W", "lag", on=Trajectory)
def spreads(run: Trajectory) -> Mapping[str, Field]:
    """Distances over several layers of the saved states."""
    own = gamma(run.network["q"] * run.network["m"] + 6)
    fields = {"lag": Field(np.arange(1.0, run.network["L"]), np.zeros(()), ("layer",))}
    for k in "VW":
        spread, step = _spread(run.states[k])
        fields[f"spread_{k}"] = Field(spread, own * spread, BTL)
        fields[f"step_{k}"] = Field(step, own * step, BT)
    return fields


def interpolation(L: int) -> tuple[Fraction, int]:
    """sup over [0, 1] of |s - (⌊(L-1)s⌋+1)/L|, and how many layers ⌊(L-1)s⌋+1 visits: in integers, for floats miss ⌊(L-1)s⌋ at s = k/(L-1).

    On [k/(L-1), (k+1)/(L-1)) the index is k+1 and |s - (k+1)/L| is convex in s: its supremum is at an end. At s = 1 the index is L.
    """
    if L == 1:
        return Fraction(1), 1
    off = [abs(Fraction(end, L - 1) - Fraction(k + 1, L)) for k in range(L - 1) for end in (k, k + 1)]
    return max(off), len({(L - 1) * k // (L - 1) + 1 for k in range(L)})


@measures("shift", "layers_seen", on=Trajectory)
def indices(run: Trajectory) -> Mapping[str, Field]:
    """The index map of (8)."""
    shift, seen = interpolation(run.network["L"])
    return {"shift": number(float(shift), 8 * U * float(shift)), "layers_seen": number(float(seen))}


@measures("clip_radius", "clip_cube", "entry", "clipped_by", "descent_entry", "descent_gap", on=Trajectory)
def clip(run: Trajectory) -> Mapping[str, Field]:
    """The implementation's velocity of Z against its gradient, entry by entry; an entry's error is at most that of its block."""
    net, L = run.network, run.network["L"]
    e = run.rounding.gradients
    v = np.concatenate([flat(run.velocity[k], 3) for k in "VW"], axis=-1)
    g = np.concatenate([-L * flat(run.gradients[k], 3) for k in "VW"], axis=-1)
    # π rounds once. The velocity may come from another gradient than `gradients` returned: both carry the radius.
    radius = L * np.maximum(e["V"], e["W"])
    largest = np.max(np.abs(g), axis=-1)
    joint = L * np.hypot(e["V"], e["W"])
    difference = np.sqrt(np.sum(np.diff(g, axis=2) ** 2, axis=-1))
    size = np.sqrt(np.sum(g**2, axis=-1))
    own = gamma(g.shape[-1] + 6) * (size[..., 1:] + size[..., :-1])
    clip_ = net["clip"] or {"kind": "", "radius": np.inf}
    return {
        "clip_radius": number(float(clip_["radius"])),
        "clip_cube": number(float(clip_["kind"] == "coordinate")),
        "entry": Field(np.max(np.abs(v), axis=-1), radius, BTL),
        "clipped_by": Field(np.max(np.abs(g - v), axis=-1), 2 * radius + 4 * U * largest, BTL, largest),
        "descent_entry": Field(largest, radius + 4 * U * largest, BTL),
        "descent_gap": Field(difference, joint[..., 1:] + joint[..., :-1] + own, BTL),
    }
