"""Measures on general residual networks: the setting, the norms that the steps of Proposition 7 speak of, and its constants.

A size that its radius does not resolve to a part in a thousand is given as 0, the radius widened by it: a difference that cancelled says
nothing about how tight a bound is. What it was a sum of stays as its scale.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from typing import Any, cast

import numpy as np

from depthlimit.models.clip import supremum
from depthlimit.models.general import Bounds
from depthlimit.models.general_run import GeneralRun, by_forward_mode, gradients
from depthlimit.models.measure.instance import register_instance
from depthlimit.models.measure.registry import Fields, measures
from depthlimit.models.rounding import U, euclid, frobenius, gamma
from depthlimit.theory.enclosure import evaluate
from depthlimit.theory.judgement import RESOLUTION
from depthlimit.theory.paper import prop7_steps
from depthlimit.theory.paper.prop7 import E_h, M
from depthlimit.theory.quantity import Array, Field, number

register_instance(GeneralRun)

BT, BTL, BTN, BTLN = ("batch", "time"), ("batch", "time", "layer"), ("batch", "time", "sample"), ("batch", "time", "layer", "sample")
BTC, BTLC, BTNC, BTLNC = (*BT, "component"), (*BTL, "component"), (*BTN, "component"), (*BTLN, "component")


def _flat(a: Array, keep: int) -> Array:
    return a.reshape(*a.shape[:keep], -1)


def size(values: Array, radius: Array, axes: tuple[str, ...], scale: Array | None = None) -> Field:
    """A nonnegative size; see the module. Its own summation is covered by 2⁻⁴⁵ of it (up to 128 terms)."""
    radius = radius + 2.0**-45 * values
    seen = values > RESOLUTION * radius
    return Field(np.where(seen, values, 0.0), np.where(seen, radius, radius + values), axes, values if scale is None else scale)


def _widen(e: tuple[Array, Array]) -> tuple[Array, Array]:
    return e[0] * (1 - 2.0**-45), e[1] * (1 + 2.0**-45)


def _enclosed(lo: Array, hi: Array, axes: tuple[str, ...]) -> Field:
    lo, hi = _widen((lo, hi))
    return Field(np.asarray((lo + hi) / 2), np.asarray((hi - lo) / 2), axes)


# --- the setting


@measures("t", on=GeneralRun)
def times(run: GeneralRun) -> Field:
    """Saved times."""
    return Field(run.times, np.zeros(()), ("time",))


@measures("h0", "Ax", "h", "h_next", "f_value", "f_at_zero", "output", "Bh", on=GeneralRun)
def states(run: GeneralRun) -> Mapping[str, Field]:
    """(12) at the flow's states: each side's radius is that of one step in float64."""
    h, s, branch = run.hidden, run.states, run.branch
    z = s["Z"][..., None, :]
    embedded, terms = run.hidden_error[..., 0, :], run.residual_terms
    zero, readout = np.zeros(()), gamma(run.spec.q) * run.residual_terms
    at_zero = euclid(branch.value(np.zeros(run.spec.q), s["Z"]))
    return {
        "h0": Field(h[..., 0, :, :], embedded, BTNC),
        "Ax": Field(np.einsum("...qd,nd->...nq", s["A"], run.batch.x), embedded, BTNC),
        "h": Field(h[..., :-1, :, :], zero, BTLNC),
        "h_next": Field(h[..., 1:, :, :], run.step_error, BTLNC),
        "f_value": Field(branch.value(h[..., :-1, :, :], z), run.evaluation[0], BTLNC),
        "f_at_zero": Field(at_zero, np.zeros_like(at_zero), BTL),
        "output": Field(run.output, readout, BTNC, terms),
        "Bh": Field(np.einsum("...oq,...nq->...no", s["B"], h[..., -1, :, :]), readout, BTNC, terms),
    }


@measures("adj", "adj_next", "adj_last", "B_error", "J_adj", "Jt_adj", on=GeneralRun)
def adjoint(run: GeneralRun) -> Mapping[str, Field]:
    """(13): adjoint states by forward mode against the recurrence."""
    p, P = run.forward_mode, run.adjoint_terms
    error = 2 * np.sqrt(run.spec.q) * run.adjoint_error
    a, J = run.bounds[0], run.state_jacobian
    own = run.jacobian_error[0] + gamma(run.spec.q) * a
    product = a * error[..., 1:, :] + own * P[..., 1:, :]
    last = run.output - run.batch.y
    B = run.states["B"]
    return {
        "adj": Field(p[..., :-1, :, :], error[..., :-1, :], BTLNC, P[..., :-1, :]),
        "adj_next": Field(p[..., 1:, :, :], error[..., 1:, :], BTLNC, P[..., 1:, :]),
        "adj_last": Field(run.p[..., -1, :, :], run.adjoint_error[..., -1, :], BTNC, P[..., -1, :]),
        "B_error": Field(np.einsum("...oq,...no->...nq", B, last), run.adjoint_error[..., -1, :] / 2, BTNC, P[..., -1, :] / 2),
        "J_adj": Field(np.einsum("...ab,...b->...a", J, p[..., 1:, :, :]), product, BTLNC, a * P[..., 1:, :]),
        "Jt_adj": Field(np.einsum("...ab,...a->...b", J, p[..., 1:, :, :]), product, BTLNC, a * P[..., 1:, :]),
    }


def _gradient_terms(run: GeneralRun) -> dict[str, tuple[Array, Array]]:
    """Radius and terms of n ∂ℓ/∂A, nL ∂ℓ/∂Z_k and (n/2) ∂ℓ/∂B, from the recurrence."""
    n, x = run.spec.n, euclid(run.batch.x)
    P, dp, h, dh = run.adjoint_terms, run.adjoint_error, euclid(run.hidden), run.hidden_error
    b = run.bounds[1]
    A = np.sum((dp[..., 0, :] + gamma(n + 2) * P[..., 0, :]) * x, axis=-1), np.sum(P[..., 0, :] * x, axis=-1)
    Z = np.sum(run.product_error + gamma(n + 4) * b * P[..., 1:, :], axis=-1), np.sum(b * P[..., 1:, :], axis=-1)
    e, size_e = run.residual_error, run.residual_terms
    B = (e * h[..., -1, :] + size_e * (dh[..., -1, :] + gamma(n + 3) * h[..., -1, :]), size_e * h[..., -1, :])
    return {"A": A, "Z": Z, "B": (np.sum(B[0], axis=-1), np.sum(B[1], axis=-1))}


@measures("slope_A", "slope_Z", "slope_B", "sum_14", "sum_15", "sum_16", on=GeneralRun)
def slopes(run: GeneralRun) -> Mapping[str, Field]:
    """(14)-(16): derivatives by forward mode, and the sums from the recurrence."""
    n, L = run.spec.n, run.spec.L
    x, y, s, h = run.batch.x, run.batch.y, run.states, run.hidden
    right = gradients(run.branch, s, h, by_forward_mode(run.branch, s, h, y), x, y)
    factor, fields = {"A": n, "Z": n * L, "B": n / 2}, {}
    for k, name in (("A", "sum_14"), ("Z", "sum_15"), ("B", "sum_16")):
        radius, terms = _gradient_terms(run)[k]
        keep, axes = (3, BTLC) if k == "Z" else (2, BTC)
        wide = 2 * np.sqrt(run.spec.q) * radius
        fields[name] = Field(_flat(run.gradients[k] * factor[k], keep), radius + 4 * U * terms, axes, terms)
        fields[f"slope_{k}"] = Field(_flat(right[k], keep), wide / factor[k], axes, terms / factor[k])
    return fields


@measures("A_dot", "Z_dot", "B_dot", "pi_A", "pi_Z", "pi_B", on=GeneralRun)
def velocities(run: GeneralRun) -> Mapping[str, Field]:
    """Velocities, and the clip of the descent directions by forward mode; π passes radii on times its Lipschitz constant."""
    n, fields = run.spec.n, {}
    by_slope = slopes(run)
    clipped = GeneralRun.descent(run, {k: by_slope[f"slope_{k}"].values.reshape(run.states[k].shape) for k in "AZB"})
    for k, factor in (("A", 1 / n), ("Z", 1 / n), ("B", 2 / n)):
        radius, terms = (a * factor * run.gain for a in _gradient_terms(run)[k])
        keep, axes = (3, BTLC) if k == "Z" else (2, BTC)
        trained = float(k == "Z" or run.spec.train == "AVWB")
        wide, rest = 2 * np.sqrt(run.spec.q) * radius, 16 * U * terms
        fields[f"{k}_dot"] = Field(_flat(run.velocity[k], keep), trained * (radius + rest), axes, trained * terms)
        fields[f"pi_{k}"] = Field(_flat(clipped[k], keep), trained * (wide + rest), axes, trained * terms)
    return fields


@measures("A_t", "Z_t", "B_t", "A_ref", "Z_ref", "B_ref", on=GeneralRun)
def flows(run: GeneralRun) -> Mapping[str, Field]:
    """The flow, and a finer one by forward mode, each within what its stepper was asked for."""
    error = run.error(run.reference, 0.1)
    fields = {}
    for k in "AZB":
        fields[f"{k}_t"] = Field(_flat(run.flow[k], 2), run.state_error[k], BTC)
        fields[f"{k}_ref"] = Field(_flat(run.reference[k], 2), error[k], BTC)
    return fields


# --- norms along the flow


@measures("A_norm", "Z_size", "B_norm", "A_start", "Z_start", "B_start", "path_A", "path_Z", "path_B", "gap_path", on=GeneralRun)
def norms(run: GeneralRun) -> Mapping[str, Field]:
    """Norms of the blocks and lengths of their paths; the error of a block of layers is that of each."""
    f, e = run.flow, run.state_error
    fields = {}
    for k, name in (("A", "A_norm"), ("Z", "Z_size"), ("B", "B_norm")):
        layers = k == "Z"
        value = euclid(f[k]) if layers else frobenius(f[k])
        own = 2.0**-45 * value
        fields[name] = Field(value, (e[k][..., None] if layers else e[k]) + own, BTL if layers else BT)
        fields[f"{k}_start"] = Field(value[:, 0], own[:, 0], ("batch", "layer") if layers else ("batch",))
        path, error = f[f"path_{k}"], e[f"path_{k}"]
        fields[f"path_{k}"] = Field(np.maximum(path, 0.0), error[..., None] if layers else error, BTL if layers else BT)
    fields["gap_path"] = Field(np.maximum(f["gap_path"], 0.0), e["gap_path"][..., None], BTL)
    return fields


@measures("gap", "gap0", "gap_here", "gap_rate", "grad_gap", on=GeneralRun)
def gaps(run: GeneralRun) -> Mapping[str, Field]:
    """Successive differences of parameters, velocities and gradients; the velocity's radius is the gradient's times the gain."""
    Z = run.states["Z"]
    here = euclid(np.diff(Z, axis=2))
    together = euclid(Z[..., 1:, :]) + euclid(Z[..., :-1, :])
    rounding = 2 * U * here
    error, terms = (a / run.spec.n for a in _gradient_terms(run)["Z"])
    pair, both = error[..., 1:] + error[..., :-1], terms[..., 1:] + terms[..., :-1]
    return {
        "gap": size(here, rounding + 2 * run.state_error["Z"][..., None], BTL, together),
        "gap0": size(here[:, 0], rounding[:, 0] + 2 * U * together[:, 0], ("batch", "layer"), together[:, 0]),
        "gap_here": size(here, rounding, BTL, together),
        "gap_rate": size(euclid(np.diff(run.velocity["Z"], axis=2)), run.gain * (pair + 16 * U * both), BTL, run.gain * both),
        "grad_gap": size(run.spec.L * euclid(np.diff(run.gradients["Z"], axis=2)), pair + 16 * U * both, BTL, both),
    }


# --- sizes per sample


@measures(*("h_size", "h_next_size", "dh_size", "f_size", "h0_size", "Ax_size", "dh_pair"), on=GeneralRun)
def hidden_sizes(run: GeneralRun) -> Mapping[str, Field]:
    """Norms of hidden states, their changes and the branch, as of the exact network."""
    h, dh, L = run.hidden, run.hidden_error, run.spec.L
    norm = euclid(h)
    f = run.branch.value(h[..., :-1, :, :], run.states["Z"][..., None, :])
    a = run.bounds[0]
    Ax = euclid(np.einsum("...qd,nd->...nq", run.states["A"], run.batch.x))
    both = norm[..., 1:, :] + norm[..., :-1, :]
    # h_{k+1} - h_k = f/L is smaller than either: its exact error is that of f at a state that is off by δh, and of the subtraction
    change = a * dh[..., :-1, :] / L + run.step_error + 2 * U * both
    fields = {
        "h_size": size(norm[..., :-1, :], dh[..., :-1, :], BTLN),
        "h_next_size": size(norm[..., 1:, :], dh[..., 1:, :], BTLN),
        "dh_size": size(euclid(np.diff(h, axis=-3)), change, BTLN, both),
        "f_size": size(euclid(f), a * dh[..., :-1, :] + run.evaluation[0], BTLN),
        "h0_size": size(norm[..., 0, :], dh[..., 0, :], BTN),
        "Ax_size": size(Ax, dh[..., 0, :], BTN),
    }
    pair = fields["dh_size"]
    return fields | {"dh_pair": Field(pair.values[..., :-1, :], pair.radius[..., :-1, :], BTLN, np.asarray(pair.scale)[..., :-1, :])}


@measures(*("p_size", "p_next_size", "dp_size", "J_size", "Jt_size", "p_last_size", "B_error_size"), on=GeneralRun)
def adjoint_sizes(run: GeneralRun) -> Mapping[str, Field]:
    """Norms of adjoint states by (13) and of their changes; P is the scale."""
    p, dp, P, a, J = run.p, run.adjoint_error, run.adjoint_terms, run.bounds[0], run.state_jacobian
    norm, after = euclid(p), p[..., 1:, :, :]
    own = run.jacobian_error[0] + gamma(run.spec.q + 2) * a
    product = a * dp[..., 1:, :] + own * P[..., 1:, :]
    both = P[..., 1:, :] + P[..., :-1, :]
    change = product / run.spec.L + (gamma(run.spec.q + 2) + 2 * U) * both
    last = np.einsum("...oq,...no->...nq", run.states["B"], run.output - run.batch.y)
    return {
        "p_size": size(norm[..., :-1, :], dp[..., :-1, :], BTLN, P[..., :-1, :]),
        "p_next_size": size(norm[..., 1:, :], dp[..., 1:, :], BTLN, P[..., 1:, :]),
        "dp_size": size(euclid(np.diff(p, axis=-3)), change, BTLN, both),
        "J_size": size(euclid(np.einsum("...ab,...b->...a", J, after)), product, BTLN, a * P[..., 1:, :]),
        "Jt_size": size(euclid(np.einsum("...ab,...a->...b", J, after)), product, BTLN, a * P[..., 1:, :]),
        "p_last_size": size(norm[..., -1, :], dp[..., -1, :], BTN, P[..., -1, :]),
        "B_error_size": size(euclid(last), dp[..., -1, :] / 2, BTN, P[..., -1, :] / 2),
    }


@measures("Bh_size", "y_size", "J1_norm", "J2_norm", "dJ2_norm", on=GeneralRun)
def derivative_norms(run: GeneralRun) -> Mapping[str, Field]:
    """Operator norms of the Jacobians and of the change of ∂₂f, of rank at most q: an SVD is off by at most 4 max(q, p) u times the
    Frobenius norm (LAPACK), the root of the largest eigenvalue of a Gram matrix by (p + q²) u/2 times it."""
    s, (a, b, _, _) = run.spec, run.bounds
    own = 4 * (run.branch.p + s.q**2) * np.sqrt(s.q) * U
    (one, two), (norm, change) = run.jacobian_error, run.parameter_norms
    e, both = two + own * b, b[..., 1:, :] + b[..., :-1, :]
    fields = {
        "J1_norm": size(run.state_norm, one + own * a, BTLN),
        "J2_norm": size(norm, e, BTLN),
        "dJ2_norm": size(change, e[..., 1:, :] + e[..., :-1, :], BTLN, both),
    }
    fields["Bh_size"] = size(euclid(run.output), run.residual_error, BTN, run.residual_terms)
    fields["y_size"] = size(euclid(run.batch.y), np.zeros(()), ("sample",))
    return fields


# --- (20): means over samples for pairs of layers


@measures("sum_20", "sum_20_early", "split_20", "split_20_early", on=GeneralRun)
def products(run: GeneralRun) -> Mapping[str, Field]:
    """The sums of (20) with the indices of (15), and an index early."""
    p, dp, P = run.p, run.adjoint_error, run.adjoint_terms
    b, own = run.bounds[1], run.jacobian_error[1] + gamma(run.spec.q + 2) * run.bounds[1]
    L, f = run.spec.L, derivative_norms(run)
    norm, change = f["J2_norm"], f["dJ2_norm"]
    fields = {}
    for name, shift in (("20", 1), ("20_early", 0)):
        q, dq, Q = (v[..., shift : L + shift, :] for v in (euclid(p), dp, P))  # the p that goes with ∂₂f(h_k, Z_{k+1})
        error, terms = b * dq + own * Q, b * Q
        both, radius = terms[..., 1:, :] + terms[..., :-1, :], error[..., 1:, :] + error[..., :-1, :]
        value = run.pull_change(p[..., shift : L + shift, :, :])
        fields[f"sum_{name}"] = size(np.mean(value, axis=-1), np.mean(radius + 4 * U * both, axis=-1), BTL, np.mean(both, axis=-1))
        step = euclid(np.diff(p[..., shift : L + shift, :, :], axis=-3))
        step_error = dq[..., 1:, :] + dq[..., :-1, :] + 4 * U * (Q[..., 1:, :] + Q[..., :-1, :])
        first = norm.values[..., 1:, :] * step + q[..., :-1, :] * change.values
        spread = (norm.values + norm.radius)[..., 1:, :] * step_error + norm.radius[..., 1:, :] * step
        spread = spread + (q + dq)[..., :-1, :] * change.radius + dq[..., :-1, :] * change.values
        fields[f"split_{name}"] = size(np.mean(first, axis=-1), np.mean(spread, axis=-1), BTL, np.mean(both, axis=-1))
    return fields


@measures("mean_dp", "mean_dp_early", "mean_p", "mean_p_early", "mean_p_dh", "mean_p_dh_early", "p_pair", on=GeneralRun)
def means(run: GeneralRun) -> Mapping[str, Field]:
    """Means over samples of adjoint states and their changes, with the indices of (15), and an index early."""
    p, e, P, L = euclid(run.p), run.adjoint_error, run.adjoint_terms, run.spec.L
    by_size, dh = adjoint_sizes(run)["dp_size"], hidden_sizes(run)["dh_pair"]
    fields = {}
    for suffix, at in (("", 1), ("_early", 0)):  # p_k is at index 1 of p for k = 1
        q, dq, Q = (v[..., at : at + L - 1, :] for v in (p, e, P))
        step, spread = (np.asarray(v)[..., at : at + L - 1, :] for v in (by_size.values, by_size.radius))
        fields[f"mean_dp{suffix}"] = size(np.mean(step, axis=-1), np.mean(spread, axis=-1), BTL, np.mean(2 * Q, axis=-1))
        fields[f"mean_p{suffix}"] = size(np.mean(q, axis=-1), np.mean(dq, axis=-1), BTL, np.mean(Q, axis=-1))
        product = np.mean(q * dh.values, axis=-1), np.mean(dq * (dh.values + dh.radius) + q * dh.radius, axis=-1)
        fields[f"mean_p_dh{suffix}"] = size(*product, BTL, np.mean(Q * np.asarray(dh.scale), axis=-1))
    pair, error, terms = (np.mean(np.maximum(v[..., 1:-1, :], v[..., 2:, :]), axis=-1) for v in (p, e, P))
    return fields | {"p_pair": size(pair, error, BTL, terms)}


# --- constants


@measures("M0_euclid", "M_pi_euclid", "K_pi", "clipped", on=GeneralRun)
def bounds(run: GeneralRun) -> Mapping[str, Field]:
    """M₀, M_π, the Lipschitz constant of π, and whether there is a clip. |Z0 + s Z1| is convex in s, so its supremum is at an end."""
    c = run.coefficients
    initial = max(float(np.linalg.norm(v)) for v in (c["A"], c["Z0"], c["Z0"] + c["Z1"], c["B"]))
    largest = max(supremum(run.network["clip"], v.size) for v in (c["A"], c["Z0"], c["B"]))
    clipped = run.network["clip"] is not None
    return {
        "M0_euclid": number(initial, 2.0**-45 * initial),
        "M_pi_euclid": number(largest, 4 * U * largest) if clipped else number(np.inf),
        "K_pi": number(run.gain),
        "clipped": number(float(clipped)),
    }


_NAMES = ("K1", "K2", "K22", "K21")


def _suprema(run: GeneralRun, suffix: str, M: tuple[Array, Array], H: tuple[Array, Array], axes: tuple[str, ...]) -> dict[str, Field]:
    """K₁, K₂ and the two of K', which grow with M and H, between their values at the ends."""
    low, high = (run.branch.suprema(m, h) for m, h in zip(M, H, strict=True))
    order = [Bounds._fields.index(k) for k in ("state", "parameter", "second", "mixed")]
    shape = np.broadcast_shapes(np.shape(M[0]), np.shape(H[0]))
    pairs = ((np.broadcast_to(low[i], shape), np.broadcast_to(high[i], shape)) for i in order)
    return {f"{k}_{suffix}": _enclosed(lo, hi, axes) for k, (lo, hi) in zip(_NAMES, pairs, strict=True)}


def _over_compact(run: GeneralRun, suffix: str, where: Mapping[Any, Any], axes: tuple[str, ...]) -> dict[str, Field]:
    """The suprema over E: M and the radius e^{K₁} M M_X of the states are theory's formulas, evaluated here with this branch's K₁."""
    fields, shape = Fields(run), (1, len(run.times)) if axes else ()
    ball = evaluate(M, fields, where)
    size_M = ball.lo.reshape(-1)[: int(np.prod(shape))].reshape(shape), ball.hi.reshape(-1)[: int(np.prod(shape))].reshape(shape)
    first = _suprema(run, suffix, size_M, size_M, axes)[f"K1_{suffix}"]
    radius = evaluate(E_h, ChainMap({f"K1_{suffix}": first}, cast(Any, fields)), where)
    return _suprema(run, suffix, size_M, (radius.lo.reshape(shape), radius.hi.reshape(shape)), axes)


@measures("K1_sup", "K2_sup", "K22_sup", "K21_sup", on=GeneralRun)
def a_priori(run: GeneralRun) -> Mapping[str, Field]:
    """The constants of (18)-(19) over the printed compact."""
    return _over_compact(run, "sup", prop7_steps.A_PRIORI, ())


@measures("M_now", on=GeneralRun)
def largest(run: GeneralRun) -> Field:
    """The largest norm of the parameters at each saved time, of the saved states themselves."""
    s = run.states
    value = np.maximum(np.maximum(frobenius(s["A"]), frobenius(s["B"])), np.max(euclid(s["Z"]), axis=-1))
    return Field(value, 2.0**-45 * value, BT)


@measures("K1_now", "K2_now", "K22_now", "K21_now", on=GeneralRun)
def at_time(run: GeneralRun) -> Mapping[str, Field]:
    """The same over the compact of each saved time."""
    return _over_compact(run, "now", prop7_steps.NOW, BT)


@measures("K1_here", "K1_pair", "K2_pair", "K22_pair", "K21_pair", "h_pair", on=GeneralRun)
def at_layers(run: GeneralRun) -> Mapping[str, Field]:
    """The same over balls that hold the states and parameters of one layer, or of two."""
    z, h, dh = euclid(run.states["Z"]), euclid(run.hidden), run.hidden_error
    own = _suprema(run, "here", _widen((z, z)), _widen((z, z)), BTL)["K1_here"]
    M = np.maximum(z[..., 1:], z[..., :-1])
    H, e = np.max(h[..., :-1, :], axis=-1), np.max(dh[..., :-1, :], axis=-1)
    H, e = np.maximum(H[..., 1:], H[..., :-1]), np.maximum(e[..., 1:], e[..., :-1])
    pair = _suprema(run, "pair", _widen((M, M)), _widen((np.maximum(H - e, 0.0), H + e)), BTL)
    return {"K1_here": own, **pair, "h_pair": Field(H, e + 2.0**-45 * H, BTL)}
