"""Measures on certified instances that are followed until 1e-12 of the loss is left.

The states are known to the error that the protocol allows, an absolute one; the loss is known to |∂ℓ| times it, so that its relative error
grows as 1/√ℓ. The reference flow is off by far less. Its residual r obeys r' = -Kr with K >= μ/2 on the ball, so what a step adds to the
error of r is damped by e^{-μ(t-s)/2} as r itself is, and an error of the states that stays changes K and not r: relative to what is left,
r is off by the errors of the last steps, and by what changes of K do. Two tolerances show both, as they do for
the states (`Trajectory.reference`): the difference of their losses, with the rounding of the loss at one state, is the declared error.
The limit weights are those of the reference flow at the last time, off by its own error and by at most the length of the rest of the path,
2√(ℓ(T)/μ) with the certified μ.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from depthlimit.models.measure.certificate import CertificateRun
from depthlimit.models.measure.identities import rates, weighted
from depthlimit.models.measure.network import BT
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import U
from depthlimit.models.trajectory import BLOCKS
from depthlimit.theory.quantity import Array, Field, number


class LongRun(CertificateRun):
    """The flow of a certified instance of regime long-flow."""


def _joint(run: LongRun, error: Mapping[str, Array]) -> Array:
    """Errors of the blocks together, in the norm with weight 1/L on Z [1 T]."""
    return np.asarray(np.sqrt(error["A"] ** 2 + error["B"] ** 2 + (error["V"] ** 2 + error["W"] ** 2) / run.network["L"]))


def _logarithm(start: Array, loss: Array, error: Array) -> tuple[Array, Array]:
    """ln(start/loss) and its radius; infinite where the error is as large as the loss."""
    with np.errstate(divide="ignore"):
        return np.log(start / loss), -np.log1p(-np.minimum(error / loss, 1.0)) + 8 * U


@measures("loss_left", "log_loss", "log_loss_ref", on=LongRun)
def losses(run: LongRun) -> Mapping[str, Field]:
    """What is left of the loss, of the implementation's flow and of the reference flow from the same start; see the module."""
    loss, start = run.flow["loss"], run.loss[:, :1]
    off = run.rounding.loss[:, :1] / start
    reference, error = run.reference
    g = run.gradients
    norms = {k: [np.sqrt(np.sum(a[k].reshape(*a[k].shape[:2], -1) ** 2, axis=-1)) for a in (g, run.flowed)] for k in BLOCKS}
    stored: Array = np.sum([slope * U * size for slope, size in norms.values()], axis=0)  # states are rounded to float64
    value, radius = _logarithm(start, loss, run.loss_error)
    known, own = _logarithm(start, reference["loss"], 1.01 * (error["loss"] + stored) + run.rounding.loss)
    end = float(loss[0, -1] / start[0, 0])
    return {
        "loss_left": number(end, end * float(run.loss_error[0, -1] / loss[0, -1] + off[0, 0])),
        "log_loss": Field(value, radius + off, BT, np.maximum(value, 1.0)),  # 1: a radius of 1e-3 is a part in a thousand of the loss
        "log_loss_ref": Field(known, own + off, BT, np.maximum(known, 1.0)),
    }


@measures("rate_low", "rate_high", on=LongRun)
def instantaneous(run: LongRun) -> Mapping[str, Field]:
    """Bounds of -ℓ'/ℓ: its extremes at the saved times, and beyond them the largest change from one to the next."""
    fall, loss = rates(run)["descent_rate"], run.loss
    rate = fall.values / loss
    off = float(np.max((fall.radius + rate * run.rounding.loss) / loss)) + 4 * U * float(np.max(rate))
    between = float(np.max(np.abs(np.diff(rate, axis=1))))
    return {"rate_low": number(float(np.min(rate)) - between, off), "rate_high": number(float(np.max(rate)) + between, off)}


@measures("path_chord", "loss_before", "weights_left", on=LongRun)
def distances(run: LongRun) -> Mapping[str, Field]:
    """Distances along the path and to its end."""
    s, error = run.flowed, _joint(run, run.state_error)
    before = {k: np.concatenate([s[k][:, :1], s[k][:, :-1]], axis=1) for k in BLOCKS}
    chord = np.sqrt(weighted(run, {k: s[k] - before[k] for k in BLOCKS}))
    since = np.concatenate([error[:, :1], error[:, :-1]], axis=1)
    size = np.sqrt(weighted(run, s))
    states, off = run.reference
    end = {k: states[k][:, -1:] for k in BLOCKS}
    distance = np.sqrt(weighted(run, {k: s[k] - end[k] for k in BLOCKS}))
    mu = run.certificate.mu
    last = states["loss"][:, -1:] + run.loss_error[:, -1:]
    rest = 2 * np.sqrt(last / mu) if mu > 0 else np.full_like(last, np.inf)
    loss = run.flow["loss"]
    return {
        "path_chord": Field(chord, error + since + 2.0**-45 * chord, BT, size),
        "loss_before": Field(
            np.concatenate([loss[:, :1], loss[:, :-1]], axis=1),
            np.concatenate([run.loss_error[:, :1], run.loss_error[:, :-1]], axis=1),
            BT,
        ),
        "weights_left": Field(distance, error + _joint(run, off)[:, -1:] + rest + 2.0**-45 * distance, BT, size),
    }
