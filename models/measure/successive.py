"""Measures of successive weights: gaps, norms, speeds, and the inputs of the bounds of Propositions 3 and 7.

State errors are those of whole arrays, so a difference of two layers carries at most √2 of them. Suprema along the run are maxima over
the saved times; what a quantity does between two of them is covered by the largest change from one saved time to the next.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from depthlimit.models.clip import euclidean_supremum, sum_norm_supremum
from depthlimit.models.measure.network import BT, gradients
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import U, euclid, frobenius, gamma
from depthlimit.models.trajectory import Trajectory, operator_norm
from depthlimit.theory.quantity import Array, Field, number

BTL = ("batch", "time", "layer")


def _differences(run: Trajectory, states: Mapping[str, Array]) -> tuple[Array, Array, Array]:
    """|V_{k+1} - V_k|_F, |W_{k+1} - W_k|_F and the rounding of both together [1 T L-1]: a difference of floats has relative error u."""
    V, W = (frobenius(np.diff(states[k], axis=2)) for k in "VW")
    joint = np.hypot(V, W)
    return V, W, gamma(2 * run.network["q"] * run.network["m"] + 6) * joint


@measures("gap_here", on=Trajectory)
def gap_here(run: Trajectory) -> Field:
    """|Z_{k+1} - Z_k| of the saved states themselves."""
    V, W, rounding = _differences(run, run.states)
    return Field(np.hypot(V, W), rounding, BTL)


@measures("gap", "gap_sum", "gap_max", "gap0", "gap0_sum", on=Trajectory)
def gaps(run: Trajectory) -> Mapping[str, Field]:
    """|Z_{k+1} - Z_k| along the implementation's flow, in the three norms that are used."""
    V, W, rounding = _differences(run, run.flowed)
    eV, eW = (np.sqrt(2) * run.state_error[k][..., None] for k in "VW")
    error = np.hypot(eV, eW) + rounding
    sizes = np.hypot(*(frobenius(run.flowed[k]) for k in "VW"))
    total = V + W
    largest = float(total[:, 0].max()) if total.shape[-1] else 0.0
    return {
        "gap": Field(np.hypot(V, W), error, BTL, sizes[..., 1:] + sizes[..., :-1]),
        "gap_sum": Field(total, eV + eW + 2 * rounding, BTL),
        "gap_max": Field(np.maximum(V, W), error, BTL),
        "gap0": Field(np.hypot(V, W)[:, 0], rounding[:, 0], ("batch", "layer")),
        "gap0_sum": number(largest, float(2 * rounding[:, 0].max()) if total.shape[-1] else 0.0),
    }


@measures("gap_rate", "Z_speed", on=Trajectory)
def speeds(run: Trajectory) -> Mapping[str, Field]:
    """|Z'_{k+1} - Z'_k| and |Z'_k|; π is 1-Lipschitz, so the gradients' radii times L carry over."""
    v, e, L = run.velocity, run.rounding.gradients, run.network["L"]
    V, W = (frobenius(np.diff(v[k], axis=2)) for k in "VW")
    joint = L * np.hypot(e["V"], e["W"])
    speed = np.hypot(frobenius(v["V"]), frobenius(v["W"]))
    own = gamma(2 * run.network["q"] * run.network["m"] + 8)
    together = speed[..., 1:] + speed[..., :-1]
    terms = L * np.hypot(*(np.asarray(gradients(run)[f"grad_{k}"].scale) for k in "VW"))
    return {
        "gap_rate": Field(np.hypot(V, W), joint[..., 1:] + joint[..., :-1] + own * together, BTL, terms[..., 1:] + terms[..., :-1]),
        "Z_speed": Field(speed, joint + own * speed, BTL),
    }


@measures("A_norm", "Z_norm", "B_norm", "W0_norm", "M0_sum", on=Trajectory)
def norms(run: Trajectory) -> Mapping[str, Field]:
    """Norms of the blocks along the flow, and initially."""
    s, e = run.flowed, run.state_error
    f = {k: frobenius(s[k]) for k in s}
    own = gamma(run.network["q"] * max(run.network["m"], run.network["d"], run.network["dout"]) + 4)
    Z = f["V"] + f["W"]
    initial = max(float(f["A"][0, 0]), float(Z[0, 0].max()), float(f["B"][0, 0]))
    W0 = float(f["W"][0, 0].max())
    return {
        "A_norm": Field(f["A"], e["A"] + own * f["A"], BT),
        "Z_norm": Field(Z, (e["V"] + e["W"])[..., None] + own * Z, BTL),
        "B_norm": Field(f["B"], e["B"] + own * f["B"], BT),
        "W0_norm": number(W0, own * W0),
        "M0_sum": number(initial, own * initial),
    }


@measures("M_pi", "M_pi_Z", on=Trajectory)
def suprema(run: Trajectory) -> Mapping[str, Field]:
    """Suprema of the clip."""
    largest = max(sum_norm_supremum(run.network, block) for block in "ABZ")
    Z = euclidean_supremum(run.network, "Z")
    return {"M_pi": number(largest, 4 * U * largest), "M_pi_Z": number(Z, 4 * U * Z)}


@measures("v_pair", "w_pair", "h_pair", "p_pair", on=Trajectory)
def pairs(run: Trajectory) -> Mapping[str, Field]:
    """Inputs of the bound at one time and layer."""
    fields = {}
    for name, block in (("v_pair", "V"), ("w_pair", "W")):
        value, radius = operator_norm(run.states[block])
        fields[name] = Field(np.maximum(value[..., 1:], value[..., :-1]), np.maximum(radius[..., 1:], radius[..., :-1]), BTL)
    r = run.rounding
    h, p = euclid(run.forward["hidden"]), euclid(run.adjoint)
    h_max, dh = np.max(h, axis=-1), np.max(r.states + gamma(run.network["q"] + 2) * h, axis=-1)
    h_pair = np.maximum(h_max[..., 1:-1], h_max[..., :-2])
    fields["h_pair"] = Field(h_pair, np.maximum(dh[..., 1:-1], dh[..., :-2]), BTL)
    p_mean = np.mean(np.maximum(p[..., 1:-1, :], p[..., 2:, :]), axis=-1)
    dp = np.mean(np.maximum(r.adjoint[..., 1:-1, :], r.adjoint[..., 2:, :]), axis=-1)
    fields["p_pair"] = Field(p_mean, dp + gamma(run.network["q"] + run.network["n"] + 4) * p_mean, BTL)
    return fields


def _supremum(values: Array, radius: Array) -> Field:
    """Supremum of [batch time ...] between the maximum over the grid and that plus the largest change between saved times."""
    between = float(np.max(np.abs(np.diff(values, axis=1)))) if values.shape[1] > 1 else 0.0
    return number(float(np.max(values)) + between / 2, float(np.max(radius)) + between / 2)


@measures("v_sup", "w_sup", "h_sup", "p_sup", on=Trajectory)
def run_suprema(run: Trajectory) -> Mapping[str, Field]:
    """Inputs of the bound along the run. At t = 0 alone the state has no error, so the radii of later states are added."""
    e = run.state_error
    fields = {}
    for name, block in (("v_sup", "V"), ("w_sup", "W")):
        value, radius = operator_norm(run.states[block])
        fields[name] = _supremum(value, radius + e[block][..., None])
    r = run.rounding
    h, p = euclid(run.forward["hidden"]), np.mean(euclid(run.adjoint), axis=-1)
    # States off by their allowed error move h and p by about that error relative to the state. The 10 for their sensitivity is an
    # estimate, not a bound; like the change between saved times it is far below the slack of what these enter.
    relative = sum(float(np.max(e[k])) / max(float(np.max(frobenius(run.states[k]))), 1e-300) for k in e)
    fields["h_sup"] = _supremum(np.max(h, axis=-1), np.max(r.states, axis=-1) + 10 * relative * np.max(h))
    fields["p_sup"] = _supremum(p, np.mean(r.adjoint, axis=-1) + 10 * relative * np.max(p))
    return fields
