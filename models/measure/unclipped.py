"""Measures of the plain flow against bounds from the initial loss: norms along the implementation's flow, with the error of its states."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from depthlimit.models.measure.instance import enclosed
from depthlimit.models.measure.network import BT
from depthlimit.models.measure.registry import measures
from depthlimit.models.measure.successive import BTL, gaps
from depthlimit.models.rounding import euclid, gamma
from depthlimit.models.trajectory import BLOCKS, Trajectory, operator_norm
from depthlimit.theory.activation import constants
from depthlimit.theory.quantity import Array, Field, number


@measures("M_sigma", on=Trajectory)
def supremum(run: Trajectory) -> Field:
    """sup|σ|; infinite for an unbounded activation."""
    sigma = run.network["activation"]
    return enclosed(constants(sigma["name"], sigma["a"], sigma["b"])["M_sigma"])


@measures("A_op", "B_op_t", on=Trajectory)
def operators(run: Trajectory) -> Mapping[str, Field]:
    """|A|₂ and |B|₂; a state's error in Frobenius norm bounds that of its operator norm."""
    fields = {}
    for name, block in (("A_op", "A"), ("B_op_t", "B")):
        value, rounding = operator_norm(run.flowed[block])
        fields[name] = Field(value, rounding + run.state_error[block], BT)
    return fields


@measures("h_max", "p_mean", on=Trajectory)
def states(run: Trajectory) -> Mapping[str, Field]:
    """Hidden and adjoint states at the implementation's states, k = 0..L.

    Their radius is rounding and, as for the suprema of Proposition 7, ten times the relative error of the states: an estimate of their
    sensitivity, far below the slack of what they enter except at t = 0, where it is 0.
    """
    h, p, r = euclid(run.forward["hidden"]), euclid(run.adjoint), run.rounding
    relative: Array = np.zeros(h.shape[:2])
    for k in BLOCKS:
        norm = np.sqrt(np.sum(run.states[k] ** 2, axis=tuple(range(2, run.states[k].ndim))))
        relative = relative + np.divide(run.state_error[k], norm, out=np.zeros_like(norm), where=norm > 0)
    off = 10 * relative[..., None]
    h_max, p_mean = np.max(h, axis=-1), np.mean(p, axis=-1)
    terms = np.mean(run.terms[1], axis=-1)
    return {
        "h_max": Field(h_max, np.max(r.states, axis=-1) + (off + gamma(run.network["q"] + 4)) * h_max, BTL),
        "p_mean": Field(
            p_mean, np.mean(r.adjoint, axis=-1) + off * terms + gamma(run.network["q"] + run.network["n"] + 4) * p_mean, BTL, terms
        ),
    }


@measures("gap_last", "gap_floor", on=Trajectory)
def last(run: Trajectory) -> Mapping[str, Field]:
    """The largest successive difference at the last saved time (0 for one layer), and ten times its radius."""
    gap = gaps(run)["gap"]
    if not gap.values.shape[-1]:
        return {"gap_last": number(0.0), "gap_floor": number(1.0)}
    at = int(np.argmax(gap.values[0, -1]))
    value, radius = float(gap.values[0, -1, at]), float(gap.radius[0, -1, at])
    return {"gap_last": number(value, radius), "gap_floor": number(10 * radius)}
