"""Measures on general residual networks that are trained for a long time: Proposition 8."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from depthlimit.models.general import Bounds
from depthlimit.models.measure.general import BT, BTL, BTN, slopes
from depthlimit.models.measure.general_long_run import GeneralLongRun
from depthlimit.models.measure.registry import Fields, measures
from depthlimit.models.rounding import U, euclid, frobenius
from depthlimit.theory.enclosure import evaluate
from depthlimit.theory.paper import prop8
from depthlimit.theory.paper.prop7 import E_h
from depthlimit.theory.quantity import Array, Field, number

_OWN = 2.0**-45


def _operator(a: Array) -> tuple[float, float]:
    """The largest and the smallest singular value."""
    values = np.linalg.svd(a, compute_uv=False)
    return float(values[0]), float(values[-1])


@measures("R_pl", "A0_op", "B0_op", "B0_min", "Z0_sup", "Z0_slope", "X_min", "AX_min", "X2", "XF", "loss0", on=GeneralLongRun)
def initial(run: GeneralLongRun) -> Mapping[str, Field]:
    """Norms and singular values at the start, with LAPACK's error; |Z0 + s Z1| is convex in s."""
    c, x, n = run.coefficients, run.batch.x, run.spec.n
    start = x @ c["A"].T
    values = {
        "R_pl": run.radius,
        "A0_op": _operator(c["A"])[0],
        "B0_op": _operator(c["B"])[0],
        "Z0_sup": max(float(np.linalg.norm(v)) for v in (c["Z0"], c["Z0"] + c["Z1"])),
        "Z0_slope": float(np.linalg.norm(c["Z1"])),
        "X2": _operator(x)[0],
        "XF": float(np.linalg.norm(x)),
    }
    smallest = {  # relative to the largest
        "B0_min": (c["B"], run.spec.dout <= run.spec.q),
        "X_min": (x, n <= run.spec.d),
        "AX_min": (start, n <= run.spec.d),
    }
    fields = {k: number(v, 0.0 if k == "R_pl" else _OWN * v) for k, v in values.items()}
    for name, (matrix, full) in smallest.items():
        high, low = _operator(matrix)
        fields[name] = number(low if full else 0.0, _OWN * high if full else 0.0)
    loss, error = run.initial_loss, run.initial_error
    fields["loss0"] = Field(np.array([loss]), np.array([(2 * np.sqrt(loss) + error) * error + 64 * U * loss]), ("batch",))
    return fields


@measures("K1_pl", "K2_pl", "K22_pl", "K21_pl", on=GeneralLongRun)
def suprema(run: GeneralLongRun) -> Mapping[str, Field]:
    """The suprema of (22) over its compact: M_Z and the radius of the states are theory's formulas."""

    def ends(symbol: object, fields: Mapping[str, Field]) -> tuple[float, float]:
        ball = evaluate(symbol, fields, prop8.WHERE)
        return float(ball.lo.ravel()[0]), float(ball.hi.ravel()[0])

    fields = dict(initial(run)) | {"M_X": Fields(run)["M_X"]}
    M = ends(prop8.M_Z, fields)

    def enclosed(H: tuple[float, float], name: str) -> Field:
        at = Bounds._fields.index(name)
        low, high = (float(run.branch.suprema(np.array(m), np.array(h))[at]) for m, h in zip(M, H, strict=True))
        mid = (low + high) / 2
        return number(mid, (high - low) / 2 + _OWN * mid)

    fields["K1_pl"] = enclosed(M, "state")
    H = ends(E_h, fields)
    rest = {"K2_pl": "parameter", "K22_pl": "second", "K21_pl": "mixed"}
    return {"K1_pl": fields["K1_pl"], **{name: enclosed(H, kind) for name, kind in rest.items()}}


@measures("A_op", "B_op_t", "moved_A", "moved_Z", "moved_B", on=GeneralLongRun)
def weights(run: GeneralLongRun) -> Mapping[str, Field]:
    """Operator norms and displacements along the flow."""
    fields = {}
    for k in "AZB":
        state, error = run.flow[k], run.state_error[k]
        norm = euclid if k == "Z" else frobenius
        wide = error[..., None] if k == "Z" else error
        size = norm(state)
        fields[f"moved_{k}"] = Field(
            norm(state - state[:, :1]),
            wide + _OWN * size * (run.times > 0).reshape(1, -1, *[1] * (k == "Z")),
            BTL if k == "Z" else BT,
            size + norm(state[:, :1]),
        )
        if k != "Z":
            fields["A_op" if k == "A" else "B_op_t"] = Field(np.linalg.norm(state, ord=2, axis=(-2, -1)), error + _OWN * size, BT)
    return fields


@measures("loss", "loss_t", "mean_rate", "r_size", "r_mean", on=GeneralLongRun)
def losses(run: GeneralLongRun) -> Mapping[str, Field]:
    """The loss at the computed states and as that of the exact flow, its mean rate of decay, and the errors."""
    value, here, along = run.loss
    r, late = run.residual, run.times > 0
    terms = np.mean(run.residual_terms**2, axis=-1)
    t, start = run.times[late], value[:, :1]
    rate = np.log(start / value[:, late]) / t
    with np.errstate(divide="ignore"):
        off = -np.log1p(-np.minimum(along[:, late] / value[:, late], 1.0)) + here[:, :1] / start
    return {
        "loss": Field(value, here, BT, terms),
        "loss_t": Field(value, along, BT),
        "mean_rate": Field(rate, off / t + 8 * U * np.abs(rate), BT),
        "r_size": Field(r, run.residual_error, BTN, run.residual_terms),
        "r_mean": Field(
            np.mean(r, axis=-1), np.mean(run.residual_drift, axis=-1) + _OWN * np.mean(r, axis=-1), BT, np.mean(run.residual_terms, axis=-1)
        ),
    }


@measures("p_mean", "A_flow_speed", "Z_flow_speed", "B_flow_speed", "velocity_gap", on=GeneralLongRun)
def speeds(run: GeneralLongRun) -> Mapping[str, Field]:
    """Adjoint states and velocities as of the exact flow; terms are the scale, as late in training sums cancel."""
    p = np.mean(euclid(run.p), axis=-1)
    d, v = run.speed_drift, run.velocity
    gap = euclid(np.diff(v["Z"], axis=2))
    fields = {"p_mean": Field(p, np.mean(run.adjoint_drift, axis=-1)[..., None] + _OWN * p, BTL, np.mean(run.adjoint_terms, axis=-1))}
    for k, name in (("A", "A_flow_speed"), ("B", "B_flow_speed")):
        fields[name] = Field(frobenius(v[k]), d[k] + _OWN * frobenius(v[k]), BT)
    fields["Z_flow_speed"] = Field(euclid(v["Z"]), d["Z"][..., None] + _OWN * euclid(v["Z"]), BTL)
    return fields | {"velocity_gap": Field(gap, 2 * d["Z"][..., None] + _OWN * gap, BTL)}


@measures("gradient2", "inner_rate", on=GeneralLongRun)
def rates(run: GeneralLongRun) -> Mapping[str, Field]:
    """The squared gradient of Definition 1 by the recurrence; derivatives by forward mode times velocities by the recurrence."""
    L, g, v, s = run.spec.L, run.gradients, run.velocity, slopes(run)
    weight = {"A": 1.0, "Z": float(L), "B": 1.0}
    square, product, radius, wide, terms = (np.zeros(g["A"].shape[:2]) for _ in range(5))
    for k in "AZB":
        slope = s[f"slope_{k}"]
        norm = frobenius(g[k])
        e, t = (np.sqrt(np.sum(np.asarray(a) ** 2, axis=-1)) if k == "Z" else np.asarray(a) for a in (slope.radius, slope.scale))
        square += weight[k] * norm**2
        product -= np.sum(slope.values.reshape(g[k].shape) * v[k], axis=(-2, -1))
        radius += weight[k] * (2 * norm + e) * e
        terms += weight[k] * t**2
        wide += weight[k] * (2 * norm + e) * e
    return {"gradient2": Field(square, radius + _OWN * square, BT, terms), "inner_rate": Field(product, wide + _OWN * square, BT, terms)}


@measures("p_path", "pull_path", "px_path", "rh_path", "gap_decay_path", on=GeneralLongRun)
def integrals(run: GeneralLongRun) -> Mapping[str, Field]:
    """Integrals along the flow."""
    fields = {}
    for name in ("p_path", "pull_path", "px_path", "rh_path", "gap_decay_path"):
        value, error = np.maximum(run.flow[name], 0.0), run.state_error[name]
        layers = value.ndim == 3
        fields[name] = Field(value, error[..., None] if layers else error, BTL if layers else BT)
    return fields


@measures("tail_A", "tail_Z", "tail_B", "rest_A", on=GeneralLongRun)
def tails(run: GeneralLongRun) -> Mapping[str, Field]:
    """Distances to the limit weights, which are those at the last time within `rest`, √L times that for one layer."""
    fields = {}
    for k in "AZB":
        state, error = run.flow[k], run.state_error[k]
        norm, wide = (euclid, np.sqrt(run.spec.L)) if k == "Z" else (frobenius, 1.0)
        radius = error + error[:, -1:] + wide * run.rest
        size = norm(state)
        value = norm(state[:, -1:] - state)
        radius = (radius[..., None] if k == "Z" else radius) + _OWN * size
        fields[f"tail_{k}"] = Field(value, np.broadcast_to(radius, value.shape), BTL if k == "Z" else BT, size + size[:, -1:])
    path, error = run.flow["path_A"], run.state_error["path_A"]
    left, half = path[:, -1:] - path, run.rest / 2
    fields["rest_A"] = Field(left + half, error + error[:, -1:] + half, BT, path[:, -1:] + frobenius(run.flow["A"]))
    return fields
