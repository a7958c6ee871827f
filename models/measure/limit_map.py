"""The proof of Theorem 14, line by line: what a `LimitMapRun` supplies. Every value that depends on the number of points is taken twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.polynomial.legendre import leggauss

from depthlimit.models.limit_map import Continuum, LimitMapRun, state_at
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import U, euclid
from depthlimit.theory.quantity import Array, Field, number

LN, LNC, LAYER, LC = ("layer", "sample"), ("layer", "sample", "component"), ("layer",), ("layer", "component")
NINE = np.linspace(0, 1, 9)
_ROUNDED = 64 * U  # norms, products and sums of at most 100 entries
Two = Callable[[Continuum, Continuum], Array | float]


def _both(run: LimitMapRun, value: Two, axes: tuple[str, ...], size: float) -> Field:
    """A value on all points, its radius the distance from that on half as many and the rounding of terms of that size."""
    fine, coarse = (np.asarray(value(*pair)) for pair in run.solutions)
    distance = euclid(fine - coarse) if axes and axes[-1] == "component" else np.abs(fine - coarse)
    return Field(fine, distance + run.rounding(size) + _ROUNDED * np.max(np.abs(fine), initial=0.0), axes)


def _adjoint_size(run: LimitMapRun) -> float:
    """D_P."""
    B, R = _ends(run), run.state_bound
    return float(2 * B * (B * R + np.max(euclid(run.y))) * np.exp(run.suprema.state))


def _ends(run: LimitMapRun) -> float:
    """M_B."""
    return float(max(np.linalg.norm(side.B, 2) for side in (run.here, run.there)))


def _known(value: float) -> Field:
    return number(float(value), _ROUNDED * float(value))


@measures("L", "M_X", "M_Y", "K1_E", "K2_E", "K11_E", "K21_E", "K22_E", "R_E", "M_B_E", "C_Z", "K_pi", on=LimitMapRun)
def constants(run: LimitMapRun) -> Mapping[str, Field]:
    """Sizes and bounds; K_σ is the upper end of its enclosure."""
    K = run.suprema
    return {
        "L": number(float(run.L)),
        "M_X": _known(np.max(euclid(run.x))),
        "M_Y": _known(np.max(euclid(run.y))),
        **{f"K{k}_E": _known(v) for k, v in zip(("1", "2", "22", "21", "11"), (float(b) for b in K), strict=True)},
        "R_E": _known(run.state_bound),
        "M_B_E": _known(_ends(run)),
        "C_Z": _known(float(euclid(run.here.Z1))),
        "K_pi": number(run.gain),
    }


@measures("x_norm", "Z_apart", "A_apart", "B_apart", on=LimitMapRun)
def distances(run: LimitMapRun) -> Mapping[str, Field]:
    """Of the two parameters; Z̃ - Z is affine, so its ends serve."""
    shift, x = run.there - run.here, euclid(run.x)
    return {
        "x_norm": Field(x, _ROUNDED * x, ("sample",)),
        "Z_apart": number(float(np.max(euclid(shift.weights(np.array([0.0, 1.0]))))), _ROUNDED * run.weight_bound),
        "A_apart": number(float(np.linalg.norm(shift.A, 2)), _ROUNDED * float(np.linalg.norm(run.here.A))),
        "B_apart": number(float(np.linalg.norm(shift.B, 2)), _ROUNDED * float(np.linalg.norm(run.here.B))),
    }


@measures("H_picard", "H_stepped", on=LimitMapRun)
def neural_ode(run: LimitMapRun) -> Mapping[str, Field]:
    """(43) at nine values of s."""
    stepped, error = run.reference
    return {"H_picard": _both(run, lambda here, _: here.moved(NINE), LNC, run.state_bound), "H_stepped": Field(stepped, error, LNC)}


@measures("P_solved", "P_printed", "P_forward", on=LimitMapRun)
def backward(run: LimitMapRun) -> Mapping[str, Field]:
    """(44) at nine values of s."""
    size = _adjoint_size(run)
    return {
        "P_solved": _both(run, lambda here, _: here.adjoint(NINE), LNC, size),
        "P_printed": _both(run, lambda here, _: here.adjoint(NINE, printed=True), LNC, size),
        "P_forward": _both(run, lambda here, _: here.gradient(NINE), LNC, size),
    }


def _read(run: LimitMapRun) -> tuple[Array, ...]:
    """The indices at which the second form of (37) reads h and p."""
    read = [[state_at(s, run.L) for s in run.arguments(p.below)] for p in run.pieces]
    return tuple(np.array(read).T)


@measures("Z_gap_s", "h_gap_s", "p_gap_s", "p_gap_printed", "h_gap_37", "p_gap_37", on=LimitMapRun)
def convergence(run: LimitMapRun) -> Mapping[str, Field]:
    """Distances of the network's functions of s from the continuous ones, at both ends of each piece."""
    s = np.array([p.s for p in run.pieces])
    floor, k = np.array([p.floor for p in run.pieces]), np.array([p.below + 1 for p in run.pieces])
    before, after = _read(run)
    h, p, D, R = run.hidden, run.adjoint, _adjoint_size(run), run.state_bound
    Z = run.network["Z"][k - 1] - run.here.weights(s)
    return {
        "Z_gap_s": Field(euclid(Z), np.full(len(s), _ROUNDED * run.weight_bound), LAYER),
        "h_gap_s": _both(run, lambda c, _: euclid(h[floor] - c.hidden(s)), LN, R),
        "p_gap_s": _both(run, lambda c, _: euclid(p[floor] - c.adjoint(s)), LN, D),
        "p_gap_printed": _both(run, lambda c, _: euclid(p[floor] - c.adjoint(s, printed=True)), LN, D),
        "h_gap_37": _both(run, lambda c, _: euclid(h[before] - c.hidden(s)).max(axis=-1), LAYER, R),
        "p_gap_37": _both(run, lambda c, _: euclid(p[after] - c.adjoint(s)).max(axis=-1), LAYER, D),
    }


@measures("velocity_37", "right_37", "velocity_gap_37", on=LimitMapRun)
def velocities(run: LimitMapRun) -> Mapping[str, Field]:
    """(37) by forward mode and in its second form, and its distance from (38)."""
    k, own = (np.array([layer(p) for p in run.pieces]) for layer in (run.layer, lambda p: p.below + 1))
    before, after = _read(run)
    right = run.projected(run.inside_Z(run.hidden[before], run.network["Z"][k - 1], run.adjoint[after]))
    s, size = np.array([p.s for p in run.pieces]), float(run.suprema.parameter) * _adjoint_size(run) * run.gain
    error = np.full(len(s), run.rounding(size))
    return {
        "velocity_37": Field(run.velocity[own - 1], error, LC, np.full(len(s), size)),
        "right_37": Field(right, error, LC, np.full(len(s), size)),
        "velocity_gap_37": _both(run, lambda c, _: euclid(right - run.projected(c.velocity(s))), LAYER, size),
    }


@measures(*(f"loss_{what}_{k}" for what in ("slope", "inner") for k in "ZAB"), on=LimitMapRun)
def descent(run: LimitMapRun) -> Mapping[str, Field]:
    """Slopes of the loss along the shift of each block, and what (38), (40) and (41) say they are."""
    shift = run.there - run.here
    zero = shift - shift
    alone = {
        "Z": type(shift)(zero.A, zero.B, shift.Z0, shift.Z1),
        "A": type(shift)(shift.A, zero.B, zero.Z0, zero.Z1),
        "B": type(shift)(zero.A, shift.B, zero.Z0, zero.Z1),
    }
    D, K2 = _adjoint_size(run), float(run.suprema.parameter)
    B_size = 2 * run.state_bound * (_ends(run) * run.state_bound + float(np.max(euclid(run.y))))
    sizes = {
        "Z": K2 * D * float(np.max(euclid(shift.weights(np.array([0.0, 1.0]))))),
        "A": D * float(np.max(euclid(run.x))) * float(np.linalg.norm(shift.A)),
        "B": B_size * float(np.linalg.norm(shift.B)),
    }
    inner: dict[str, Two] = {
        "Z": lambda c, _: -np.asarray(c.total @ np.einsum("sp,sp->s", c.velocity(c.s), shift.weights(c.s))),
        "A": lambda c, _: -np.asarray(np.vdot(c.ends()[0], shift.A)),
        "B": lambda c, _: -np.asarray(np.vdot(c.ends()[1], shift.B)),
    }
    found = {f"loss_inner_{k}": _both(run, inner[k], (), sizes[k]) for k in "ZAB"}
    return found | {f"loss_slope_{k}": _both(run, lambda c, _, k=k: c.slope(alone[k]), (), sizes[k]) for k in "ZAB"}  # type: ignore[misc]


def _up_to(value: Callable[[Array], Array], nodes: int) -> Array:
    """∫_0^s of value [S n] at nine values of s, by Gauss and Legendre on each of eight intervals."""
    x, w = leggauss(nodes)
    r = (NINE[:-1, None] + (1 + x) / 16).ravel()
    each = np.einsum("j,ijn->in", w / 16, value(r).reshape(8, nodes, -1))
    return np.concatenate([np.zeros((1, each.shape[1])), np.cumsum(each, axis=0)])


@measures("H_apart", "f_apart", "H_integral", "map_apart", on=LimitMapRun)
def two_parameters(run: LimitMapRun) -> Mapping[str, Field]:
    """Distances of what belongs to two parameters; integrals of norms with 16 points an interval, their error from 8."""
    R, K, D = run.state_bound, run.suprema, _adjoint_size(run)
    speed = float(K.state) * R

    def integral(value: Callable[[Continuum, Continuum, Array], Array], size: float) -> Field:
        found = _both(run, lambda a, b: _up_to(lambda r: value(a, b, r), 16), LN, size)
        rough = _up_to(lambda r: value(*run.solutions[0], r), 8)
        return Field(found.values, found.radius + np.abs(found.values - rough), LN)

    def values(here: Continuum, there: Continuum) -> Array:
        s = np.linspace(0, 1, 33)
        Z = run.projected(there.velocity(s)) - run.projected(here.velocity(s))
        ends = (run.projected(b.ravel()) - run.projected(a.ravel()) for a, b in zip(here.ends(), there.ends(), strict=True))
        return np.asarray(np.max(euclid(Z)) + sum(euclid(e) for e in ends))

    return {
        "H_apart": _both(run, lambda a, b: euclid(b.hidden(NINE) - a.hidden(NINE)), LN, R),
        "f_apart": _both(run, lambda a, b: euclid(b.speed(NINE) - a.speed(NINE)), LN, speed),
        "H_integral": integral(lambda a, b, r: euclid(b.hidden(r) - a.hidden(r)), R),
        "map_apart": _both(run, values, (), run.gain * (D * (float(K.parameter) + float(np.max(euclid(run.x)))) + 2 * D)),
    }
