"""Proposition 11, step by step: what a `ConsistencyRun` supplies."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.polynomial.legendre import leggauss

from depthlimit.models.consistency import ConsistencyRun
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import U, euclid
from depthlimit.theory.quantity import Array, Field, number

TL, TLC = ("time", "layer"), ("time", "layer", "component")
_ROUNDED = 32 * U  # norms, differences and products of vectors of at most 100 entries


def interpolation_index(numerator: int, denominator: int, L: int) -> int:
    """⌊(L-1)s⌋ + 1 at s = numerator/denominator, in integers."""
    return (L - 1) * numerator // denominator + 1


def _sup(value: float, spread: float = 0.0) -> Field:
    """A number known to lie in [value, value + spread], and its rounding."""
    return number(value + spread / 2, spread / 2 + _ROUNDED * value)


def _layers(values: Array, radius: float | Array) -> Field:
    return Field(values, radius + _ROUNDED * np.abs(values), TL)


@measures("L", "D_E", "C_state", "c_parameter", "C_Theta", "C_state_run", "C_parameter_run", on=ConsistencyRun)
def constants(run: ConsistencyRun) -> Mapping[str, Field]:
    """Sizes and Lipschitz constants; K_σ is the upper end of its enclosure."""
    return {
        "L": number(float(run.L)),
        "D_E": _sup(float(max(np.max(euclid(run.a)), np.max(euclid(run.a_L))))),
        "C_state": _sup(run.state_lipschitz_ball()),
        "c_parameter": _sup(run.parameter_lipschitz_ball()),
        "C_Theta": _sup(float(euclid(run.given["theta1"]))),
        "C_state_run": _sup(run.state_lipschitz),
        "C_parameter_run": _sup(run.parameter_lipschitz()),
    }


@measures("curvature_run", "speed_run", on=ConsistencyRun)
def suprema(run: ConsistencyRun) -> Mapping[str, Field]:
    """sup|d²U/ds²| and sup|dU/ds| over [0, 1], between the largest of 1025 values and that plus the largest change between two."""
    s, error = np.linspace(0, 1, 1025), run.errors
    found = {}
    for name, values in (("curvature_run", run.curvature(s)), ("speed_run", run.velocity(s))):
        size = euclid(values)[:-1]
        found[name] = _sup(float(np.max(size)), float(np.max(np.abs(np.diff(size, axis=1)))))
        found[name] = number(float(found[name].values), float(found[name].radius) + _slack(run) * error[2])
    return found


def _slack(run: ConsistencyRun) -> float:
    """A factor from the error of one evaluation of g to that of a product of its derivatives: sums of p terms, and the size of θ."""
    return 2 * (run.g.p + 1) * (1 + run.state_lipschitz + float(euclid(run.given["theta1"])))


@measures("u_rate", "g_step", "U_state", "U_reference", on=ConsistencyRun)
def equations(run: ConsistencyRun) -> Mapping[str, Field]:
    """(32): the scheme's increments against g at θ_{k+1}; (33): Picard's solution against Dormand and Prince's."""
    ode, _, own = run.errors
    u = run.a_L[:, None] + run.scheme[:, :-1]
    rate, g = run.L * np.diff(run.scheme, axis=1), run.g.value(u, run.theta_L)
    reference, error = run.reference
    found, s = run.moved(np.linspace(0, 1, 9)), np.abs(run.a[:, None])
    sizes = euclid(s + np.abs(found))
    return {
        "u_rate": Field(rate, own + run.L * 4 * U * euclid(run.scheme[:, 1:]), TLC),
        "g_step": Field(g, own + _ROUNDED * euclid(g), TLC),
        "U_state": Field(found, np.full(found.shape[:-1], ode), TLC, sizes),
        "U_reference": Field(reference, error, TLC, sizes),
    }


@measures("s_grid", "U_norm", "U_speed", "U_curvature", "a_norm", on=ConsistencyRun)
def solution(run: ConsistencyRun) -> Mapping[str, Field]:
    """|U|, |dU/ds| and |d²U/ds²| at s = k/L, k = 0..L, and |a|."""
    s, (ode, _, own) = np.arange(run.L + 1) / run.L, run.errors
    C1 = run.state_lipschitz
    state, speed, bend = (euclid(x)[:-1] for x in (run.state(s), run.velocity(s), run.curvature(s)))
    return {
        "s_grid": Field(s, U * s, ("layer",)),
        "U_norm": _layers(state, ode),
        "U_speed": _layers(speed, own + C1 * ode),
        "U_curvature": _layers(bend, _slack(run) * (own + (1 + C1) * ode)),
        "a_norm": Field(euclid(run.a[:-1]), _ROUNDED * euclid(run.a[:-1]), ("time",)),
    }


@measures("k_step", "u_norm", "u_next", "g_norm", "aL_norm", on=ConsistencyRun)
def scheme(run: ConsistencyRun) -> Mapping[str, Field]:
    """|u_k|, |u_{k+1}| and |g(u_k, θ_{k+1})|, k = 0..L-1, and |a^L|."""
    _, error, own = run.errors
    u = run.a_L[:, None] + run.scheme
    g = euclid(run.g.value(u[:, :-1], run.theta_L))
    size = euclid(run.a_L)
    return {
        "k_step": Field(np.arange(run.L, dtype=float), np.zeros(()), ("layer",)),
        "u_norm": _layers(euclid(u[:, :-1]), error),
        "u_next": _layers(euclid(u[:, 1:]), error),
        "g_norm": _layers(g, own + run.state_lipschitz * error),
        "aL_norm": Field(size, _ROUNDED * size, ("time",)),
    }


def _gaps(run: ConsistencyRun, limit: bool) -> Array:
    """U(k/L) - u_k, k = 0..L [time L+1 q]; with the limit's U for t -> ∞."""
    moved = run.moved(np.arange(run.L + 1) / run.L)
    if limit:
        start = -run.decay[:-1, None] * run.given["a_t"] - run.given["a_L"]
        return np.asarray(start[:, None] + moved[-1] - run.scheme)
    return np.asarray(moved[:-1] - run.scheme - run.given["a_L"])


@measures("Delta", "Delta_next", "Delta_start", "start_gap", "theta_gap", "theta_sup", "theta_shift", "g_gap", on=ConsistencyRun)
def gaps(run: ConsistencyRun) -> Mapping[str, Field]:
    """Δ_k, and what the recursion makes it of: distances of parameters at k/L, over all s, and of the two values of g."""
    L, (ode, step, own) = run.L, run.errors
    k = np.arange(L)
    gap = euclid(_gaps(run, limit=False))
    theta1, shift = run.given["theta1"], k / (L * max(L - 1, 1))
    difference = euclid(np.multiply.outer(k / L - run.sampled, theta1) - run.given["theta_L"]) * np.ones((len(gap), L))
    u = run.a_L[:, None] + run.scheme[:, :-1]
    g = euclid(run.velocity(k / L)[:-1] - run.g.value(u, run.theta_L))
    same = np.all(run.state(k / L)[:-1] == u, axis=-1) & np.all(run.Theta(k / L)[:-1] == run.theta_L, axis=-1)
    start = euclid(run.given["a_L"]) * np.ones(len(gap))
    first, sizes = euclid(run.state(np.zeros(1))[:-1, 0] - run.a_L), euclid(run.a_L) + euclid(run.a[:-1])
    started = np.minimum(k, 1)  # Δ_0 is what the instance says, without error
    sup = np.array([_theta_sup(run, 0.0)] * len(gap))
    return {
        "Delta": _layers(gap[:, :-1], (ode + step) * started),
        "Delta_next": _layers(gap[:, 1:], ode + step),
        "Delta_start": Field(first, ode + 8 * U * sizes, ("time",), sizes),
        "start_gap": Field(start, _ROUNDED * start, ("time",)),
        "theta_gap": Field(difference, _ROUNDED * difference, TL),
        "theta_sup": Field(sup, _ROUNDED * sup, ("time",)),
        "theta_shift": Field(euclid(theta1) * shift, _ROUNDED * euclid(theta1) * shift, ("layer",)),
        "g_gap": _layers(g, np.where(same, 0.0, 2 * own + run.state_lipschitz * (ode + step) * started)),
    }


def _theta_sup(run: ConsistencyRun, decay: float) -> float:
    """sup_s |Θ(s) - Θ^L(s)|, Θ^L(s) = θ_{⌊(L-1)s⌋+1}: affine on each piece, so its ends serve. decay: e^{-t} if Θ is the limit's."""
    pieces, offset = max(run.L - 1, 1), run.given["theta_L"] + decay * run.given["theta_t"]
    j = np.arange(pieces)
    ends = np.concatenate([j / pieces - run.sampled[:pieces], (j + 1) / pieces - run.sampled[:pieces], [1.0 - run.sampled[-1]]])
    return float(np.max(euclid(np.multiply.outer(ends, run.given["theta1"]) - offset)))


@measures("theta_next", "Theta_at", on=ConsistencyRun)
def interpolation(run: ConsistencyRun) -> Mapping[str, Field]:
    """θ_{k+1} and Θ^L(k/(L-1)), the index in integers; for L = 1, where k/(L-1) is 0/0, Θ^L is constant and s = 0 serves."""
    index = np.array([interpolation_index(k, max(run.L - 1, 1), run.L) for k in range(run.L)])
    zero = np.zeros((len(run.theta_L), run.L))
    return {"theta_next": Field(run.step_parameters(), zero, TLC), "Theta_at": Field(run.theta_L[:, index - 1], zero, TLC)}


@measures("U_next", "U_taylor", "remainder", "remainder_integral", "speed_change", on=ConsistencyRun)
def taylor(run: ConsistencyRun) -> Mapping[str, Field]:
    """The expansion of U on [k/L, (k+1)/L]; integrals by Gauss and Legendre with 16 points, their error from 8 points."""
    L, (ode, _, own), C1 = run.L, run.errors, run.state_lipschitz
    k = np.arange(L)
    moved, velocity = run.moved(np.arange(L + 1) / L)[:-1], run.velocity(np.arange(L + 1) / L)[:-1]

    def integrals(n: int) -> tuple[Array, Array]:
        x, w = leggauss(n)
        s = (k[:, None] + (1 + x) / 2) / L
        bend, weight = run.curvature(s)[:-1], w * (1 - x) / (4 * L**2)  # (k+1)/L - s = (1-x)/(2L), ds = dx/(2L)
        return np.einsum("n,tknq->tkq", weight, bend), np.einsum("n,tkn->tk", weight, euclid(bend))

    (vector, norm), (rough, rough_norm) = integrals(16), integrals(8)
    bend_error = _slack(run) * (own + (1 + C1) * ode) / L**2
    change = np.diff(moved, axis=1)
    step = velocity[:, :-1] / L
    rest = euclid(change - step)
    sizes = euclid(np.abs(moved[:, 1:]) + np.abs(moved[:, :-1]))
    U_next, U_taylor = moved[:, 1:], moved[:, :-1] + step + vector
    return {
        "U_next": Field(U_next, np.full(sizes.shape, ode), TLC, sizes),
        "U_taylor": Field(U_taylor, ode + (own + C1 * ode) / L + bend_error + euclid(vector - rough) + 8 * U * sizes, TLC, sizes),
        "remainder": _layers(rest, 2 * ode + (own + C1 * ode) / L + 4 * U * np.max(sizes)),
        "remainder_integral": Field(norm, np.abs(norm - rough_norm) + bend_error + _ROUNDED * norm, TL),
        "speed_change": _layers(euclid(np.diff(velocity, axis=1)), 2 * (own + C1 * ode)),
    }


def _path(run: ConsistencyRun, limit: bool) -> tuple[Array, Array]:
    """Largest |U(s) - U(k/L)| and |U(s) - u_k| over 17 points of [k/L, (k+1)/L] [time L]."""
    fraction = np.linspace(0, 1, 17)
    s = (np.arange(run.L)[:, None] + fraction) / run.L
    U_s = run.moved(s)
    change = U_s - U_s[:, :, :1]
    change = change[-1:] if limit else change[:-1]
    return np.max(euclid(change), axis=-1) * np.ones((len(run.scheme), 1)), np.max(
        euclid(change + _gaps(run, limit)[:, :-1, None]), axis=-1
    )


@measures("U_change", "path_gap", on=ConsistencyRun)
def path(run: ConsistencyRun) -> Mapping[str, Field]:
    """(36): distances between two grid points in depth; maxima over a grid of s."""
    ode, step, _ = run.errors
    change, gap = _path(run, limit=False)
    return {"U_change": _layers(change, 2 * ode), "path_gap": _layers(gap, 2 * ode + step)}


@measures("start_sup", "theta_sup_t", "limit_gap", "limit_start", "limit_theta", on=ConsistencyRun)
def corollaries(run: ConsistencyRun) -> Mapping[str, Field]:
    """Corollary 12: suprema over t; Corollary 13: distances to the limit t -> ∞."""
    ode, step, _ = run.errors
    limit = euclid(run.decay[:-1, None] * run.given["a_t"] + run.given["a_L"])
    theta = np.array([_theta_sup(run, float(d)) for d in run.decay[:-1]])
    return {
        "start_sup": _sup(float(euclid(run.given["a_L"]))),
        "theta_sup_t": _sup(_theta_sup(run, 0.0)),
        "limit_gap": _layers(_path(run, limit=True)[1], 2 * ode + step),
        "limit_start": Field(limit, _ROUNDED * limit, ("time",)),
        "limit_theta": Field(theta, _ROUNDED * theta, ("time",)),
    }
