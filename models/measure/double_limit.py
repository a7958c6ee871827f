"""Measures of the double limit; how t and L tend to infinity stands in `depthlimit.models.measure.double_limit_run`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from depthlimit.models.calls import call
from depthlimit.models.chebyshev import basis
from depthlimit.models.measure.double_limit_run import UNSCALED, DoubleRun
from depthlimit.models.measure.extrapolate import romberg, slope
from depthlimit.models.measure.limit_run import state_pieces, supremum, weight_pieces
from depthlimit.models.measure.network import BT
from depthlimit.models.measure.registry import measures
from depthlimit.models.measure.training_limit import largest
from depthlimit.models.rounding import U, euclid
from depthlimit.theory.quantity import Array, Field, number

LC, NC = ("layer", "component"), ("sample", "component")
_SPREAD = 10.0  # how far Richardson's weights spread errors: Π (2^p + 1)/(2^p - 1) < 8.3
_LEFT = 20.0  # ln of what is left of the loss, in the control
_EARLY = 0.002  # of the time in which (4) loses a factor e of the loss: so early outputs are a power series in 1/L that falls fast


@measures("limit_gradient2", "limit_loss", on=DoubleRun)
def limit_pl(run: DoubleRun) -> Mapping[str, Field]:
    """Both sides of the PL condition of the neural ODE."""
    return dict(zip(("limit_gradient2", "limit_loss"), run.limit_gradients, strict=True))


@measures("depth_loss", "depth_rate", "ladder_left", "y_all", on=DoubleRun)
def losses(run: DoubleRun) -> Mapping[str, Field]:
    """The loss and its mean rate of decay at each depth and in the limit; what is left of it where most is."""
    loss, error = run.losses
    late = run.times > 0
    with np.errstate(divide="ignore"):
        rate, off = np.log(loss[:, :1] / loss[:, late]), -np.log1p(-np.minimum(error[:, late] / loss[:, late], 1.0)) + 64 * U
    worst = int(np.argmax(loss[:, -1]))
    left, left_error = (float(v[worst, -1] / loss[worst, 0]) for v in (loss, error))
    return {
        "depth_loss": Field(loss, error, BT),
        "depth_rate": Field(rate / run.times[late], off / run.times[late], BT),
        "ladder_left": number(left, left_error),
        "y_all": Field(run.batch.y, np.zeros(()), NC),
    }


@measures("ends_tail", "Z_tail", on=DoubleRun)
def tails(run: DoubleRun) -> Mapping[str, Field]:
    """Distances to the limits in t."""
    pairs = list(zip(run.weights, run.settled, strict=True))
    ends, Z = (np.stack([euclid(w.ends - s.ends) for w, s in pairs]), np.stack([euclid(w.Z - s.Z).max(axis=-1) for w, s in pairs]))
    off = (np.stack([w.ends_error + s.ends_error for w, s in pairs]), np.stack([w.Z_error + s.Z_error for w, s in pairs]))
    return {"ends_tail": Field(ends, off[0], BT), "Z_tail": Field(Z, off[1], BT)}


@measures("Z_slope", on=DoubleRun)
def slope_in_s(run: DoubleRun) -> Field:
    """Of the limit's interpolant; by Markov's inequality an error of a polynomial of degree N moves its slope on [0, 1] by 2N² times it."""
    found = run.limit.solution
    speed, above = largest(found.coefficients, 1)
    off = 2 * found.dynamics.N**2 * (run.limit.error("Z") + 64 * U * euclid(found.Z).max(axis=1))
    return Field(speed, off + above, ("time",))


@measures("ends_end", "Z_end", "ends_double", "Z_double", on=DoubleRun)
def from_double_limit(run: DoubleRun) -> Mapping[str, Field]:
    """Distances from the double limit, at each time and as t tends to infinity."""
    *networks, last = run.settled
    own = tails(run)  # of the limit itself, whose limit in t is the double limit
    rows: dict[str, list[tuple[Array, Array]]] = {"ends_double": [], "Z_double": [], "ends_end": [], "Z_end": []}
    for w, s in zip(run.weights, networks, strict=False):
        along, at_end = from_double(run, w.Z), from_double(run, s.Z[None])
        rows["ends_double"].append((euclid(w.ends - last.ends), w.ends_error + last.ends_error))
        rows["ends_end"].append((euclid(s.ends - last.ends), s.ends_error + last.ends_error))
        rows["Z_double"].append((along[0], along[1] + w.Z_error + last.Z_error))
        rows["Z_end"].append((at_end[0][0], at_end[1][0] + s.Z_error + last.Z_error))
    for name in ("ends", "Z"):
        rows[f"{name}_double"].append((own[f"{name}_tail"].values[-1], own[f"{name}_tail"].radius[-1]))
        rows[f"{name}_end"].append((np.zeros(()), np.zeros(())))
    axes = {name: BT if name.endswith("double") else ("batch",) for name in rows}
    return {name: Field(np.stack([v for v, _ in pairs]), np.stack([e for _, e in pairs]), axes[name]) for name, pairs in rows.items()}


def from_double(run: DoubleRun, Z: Array) -> tuple[Array, Array]:
    """The largest distance over s of (8), Z_k [T L p], from Z of the double limit, and how much larger it may be [T]."""
    sups = [supremum(row[None], weight_pieces(Z.shape[1]), run.final) for row in Z]
    return np.array([sup.value for sup in sups]), np.array([sup.excess for sup in sups])


@measures(*(f"slope_{name}_limit" for name in ("ends", "Z", "h", "F")), on=DoubleRun)
def slopes(run: DoubleRun) -> Mapping[str, Field]:
    """Of the largest distance from the limit of training over all times: a supremum over t at each depth."""
    rows: dict[str, list[tuple[float, float]]] = {"ends": [], "Z": [], "h": [], "F": []}
    *networks, last = run.weights
    (H, F), limit, root = run.limit_states, run.limit, np.sqrt(len(run.inputs))
    for t, w in zip(run.trained, networks, strict=True):
        L = w.Z.shape[1]
        hidden, outputs, off_h = run.states_of(t)
        Z = supremum(w.Z, weight_pieces(L), limit.solution.coefficients)
        h = supremum(hidden.reshape(len(F), L + 1, -1), state_pieces(L), H)
        h_error = off_h + limit.error("H")
        F_error = euclid(t.flowed["B"][0].reshape(len(F), -1)) * h_error + (t.state_error["B"][0] + limit.error("B")) * euclid(
            hidden[:, -1]
        ).max(axis=1)
        for name, value, off in (
            ("ends", euclid(w.ends - last.ends).max(), w.ends_error + last.ends_error),
            ("Z", Z.value, Z.excess + w.Z_error + last.Z_error),
            ("h", h.value, h.excess + root * h_error),
            ("F", euclid(outputs - F).max(), F_error),
        ):
            rows[name].append((float(value), float(off.max())))
    return {f"slope_{name}_limit": number(*slope(*np.array(pairs).T)) for name, pairs in rows.items()}


def richardson(values: Array) -> tuple[Array, Array]:
    """The limit in 1/L of values [depths ...] at doubling depths, a power removed per depth, and the last correction."""
    table = romberg(values)
    return table[-1][-1], np.abs(table[-1][-1] - table[-2][-1])


@measures("ends_t_first", "ends_L_first", "Z_t_first", "Z_L_first", on=DoubleRun)
def orders(run: DoubleRun) -> Mapping[str, Field]:
    """Both iterated limits, less the start."""
    first, (*networks, last) = run.depths[0], run.settled
    start, (final,) = run.weights[0], basis(np.arange(1, first + 1) / first, run.final.shape[1]) @ run.final
    ends, ends_off = richardson(np.stack([w.ends for w in networks]))
    Z, Z_off = richardson(np.stack([w.Z[len(w.Z) // first - 1 :: len(w.Z) // first] for w in networks]))
    spread = [_SPREAD * max(float(e) for e in errors) for errors in zip(*((w.ends_error, w.Z_error) for w in networks), strict=True)]
    return {
        "ends_t_first": Field(ends - start.ends[0], euclid(ends_off) + spread[0], ("component",)),
        "ends_L_first": Field(last.ends - start.ends[0], last.ends_error, ("component",)),
        "Z_t_first": Field(Z - start.Z[0], euclid(Z_off) + spread[1], LC),
        "Z_L_first": Field(final - start.Z[0], last.Z_error, LC),
    }


@measures("h_double", "H_double", "F_limit", on=DoubleRun)
def hidden(run: DoubleRun) -> Mapping[str, Field]:
    """Hidden states of the networks at the last time, extrapolated, and the implementation's neural ODE with the limit's weights there."""
    first, found, spec = run.depths[0], run.limit.solution, run.spec
    each = [(t.forward["hidden"][0, -1], run.states_of(t)[2][-1]) for t in run.trained]
    h, correction = richardson(np.stack([h[:: (len(h) - 1) // first].reshape(first + 1, -1) for h, _ in each]))
    V, W = np.split(found.coefficients[-1], 2, axis=-1)  # [N qm] each
    shaped = {"V": V.reshape(-1, spec.q, spec.m), "W": W.reshape(-1, spec.m, spec.q)}
    weights, s = {"A": found.A[-1], "B": found.B[-1], **shaped}, np.arange(first + 1) / first
    H = call(run.implementation, "neural_ode", run.batch.network, weights=weights, x=run.batch.x, s=s)["hidden"].reshape(first + 1, -1)
    # by the protocol, of the limit, and from T to infinity as far as weights move hidden states
    own = 100 * spec.rtol * euclid(H - H[0]) + spec.rtol * euclid(H) + np.sqrt(spec.n) * run.limit.error("H")[-1]
    rest = max(float(euclid(a.Z[-1] - b.Z).max() + euclid(a.ends[-1] - b.ends)) for a, b in zip(run.weights, run.settled, strict=True))
    rest *= max(run.sensitivity(t) for t in run.trained)
    of_h = _SPREAD * np.sqrt(spec.n) * max(float(e) for _, e in each)
    left = np.sqrt(spec.n * float(run.losses[0][-1, -1] + run.losses[1][-1, -1]))  # no output is farther from its label
    off = float(np.linalg.norm(found.B[-1]) * own[-1] + euclid(H[-1]) * run.limit.error("B")[-1])
    start = (run.batch.x @ run.batch.params["A"].T).ravel()
    return {
        "h_double": Field(h - start, euclid(correction) + of_h + rest, LC),
        "H_double": Field(H - start, own + rest, LC),
        "F_limit": Field(H[-1].reshape(-1, spec.q) @ found.B[-1].T, np.array(off + left), NC),
    }


@measures("slope_unscaled", "F_unscaled", on=DoubleRun)
def unscaled(run: DoubleRun) -> Mapping[str, Field]:
    """The control: outputs early, and of two depths when time has grown with L until e^{-20} of the loss is left."""
    loss, _ = run.losses
    unit = float(run.times[-1] / np.log(loss[0, 0] / loss[0, -1]))
    early = [float(np.linalg.norm(run.unscaled(L, np.array([_EARLY * unit]))[0])) for L in run.depths]
    late = [run.unscaled(L, np.array([_LEFT * unit * L])) for L in run.depths[:2]]
    ends, left = np.concatenate([F for F, _ in late]), np.sqrt(run.spec.n * np.array([rest[0] for _, rest in late]))
    values, off = np.array(early), 100 * UNSCALED
    return {
        "slope_unscaled": number(*slope(values, off * values)),
        "F_unscaled": Field(ends, left[:, None] + off * euclid(ends), ("batch", *NC)),
    }
