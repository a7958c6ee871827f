"""Measures of families: what Proposition 9, Corollary 10, Proposition 15 and Lemmas 17 and 19 compare.

Every value is a difference of closed forms whose terms are at most `size`, evaluated with some twenty roundings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp

from depthlimit.models.families import FamilyRun
from depthlimit.models.measure.counterexamples import CounterexamplesRun
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import U, euclid, gamma
from depthlimit.models.trajectory import Trajectory
from depthlimit.theory.quantity import Array, Field, number

BT, BTL, ALL = ("batch", "time"), ("batch", "time", "layer"), ("batch", "time", "layer", "sample")
_SETTLED = 2.0**40  # a depth at which 1/L is exact, and 1/L² below the rounding


def _norms(run: FamilyRun, values: Array, axes: tuple[str, ...]) -> Field:
    """Norms of differences of vectors on `axes` and components; equal layers differ by 0 exactly."""
    size = euclid(values)
    return Field(size, np.where(size == 0, 0.0, 64 * U * run.size), axes)


def _field(values: Array, radius: float, axes: tuple[str, ...]) -> Field:
    """The same radius everywhere."""
    return Field(values, np.full((), radius), axes)


def _exact(values: ArrayLike, *axes: str) -> Field:
    return _field(np.array(values, dtype=float), 0.0, axes)


def _each(run: FamilyRun, f: Callable[[int], Array]) -> Array:
    return np.stack([f(L) for L in run.depths])


@measures("family_C", "family_eps", "family_s", "family_apart", "family_steps", "depth", "t", "family_other", on=FamilyRun)
def setting(run: FamilyRun) -> Mapping[str, Field]:
    """Constants and points."""
    s = run.s
    steps = [[[abs(run.index(L, a) - run.index(L, b)) for b in s] for a in s] for L in run.depths]
    apart = np.array([[float(abs(a - b)) for b in s] for a in s])
    return {
        "family_C": number(run.C, 8 * U * run.C),
        "family_eps": number(run.regime.epsilon),
        "family_s": Field(np.array([float(x) for x in s]), U * np.ones(len(s)), ("layer",)),
        "family_apart": Field(apart, U * apart, ("layer", "sample")),
        "family_steps": _exact(np.array(steps), "batch", "layer", "sample"),
        "depth": _exact(run.depths, "batch"),
        "t": _exact(run.times, "time"),
        "family_other": _exact(np.roll(run.depths, -1), "batch"),
    }


@measures("family_across", "family_along", "family_both", "family_limit_both", on=FamilyRun)
def changes(run: FamilyRun) -> Mapping[str, Field]:
    """Differences between two depths s, two times, and both; t' is 0."""
    Z, limit = _each(run, lambda L: run.values(L, run.s, run.times)), run.limit(run.s, run.times)
    return {
        "family_across": _norms(run, Z[:, :, :, None] - Z[:, :, None], ALL),
        "family_along": _norms(run, Z - Z[:, :1], BTL),
        "family_both": _norms(run, Z[:, :, :, None] - Z[:, :1, None], ALL),
        "family_limit_both": _norms(run, limit[:, :, None] - limit[:1, None], ALL[1:]),
    }


@measures("family_pair", "family_pair_near", "family_near", "family_double", "family_double_x", "family_double_y", on=FamilyRun)
def pairs(run: FamilyRun) -> Mapping[str, Field]:
    """Differences between a depth and the next one of the run: at (s, t), at (s_j, t_j), and between t and the last time."""
    s_j, t_j = run.coarse()
    Z = _each(run, lambda L: run.values(L, run.s, run.times))
    Z_j = _each(run, lambda L: run.values(L, s_j, t_j))
    next_Z, last = np.roll(Z, -1, axis=0), Z[:, -1:]
    near = np.maximum(np.abs(run.times - t_j)[:, None], [float(a - b) for a, b in zip(run.s, s_j, strict=True)])
    return {
        "family_pair": _norms(run, Z - next_Z, BTL),
        "family_pair_near": _norms(run, Z_j - np.roll(Z_j, -1, axis=0), BTL),
        "family_near": Field(near, 4 * U * near, BTL[1:]),
        "family_double": _norms(run, Z - next_Z[:, -1:], BTL),
        "family_double_x": _norms(run, np.broadcast_to(last - next_Z[:, -1:], Z.shape), BTL),
        "family_double_y": _norms(run, Z - last, BTL),
    }


@measures("family_shift_s", "family_shift_t", "family_limit_shift_s", "family_limit_shift_t", on=FamilyRun)
def shifts(run: FamilyRun) -> Mapping[str, Field]:
    """Changes over δ in s (up to 1) and in t."""
    s, t = [min(x + run.delta, Fraction(1)) for x in run.s], run.times + float(run.delta)
    Z, limit = _each(run, lambda L: run.values(L, run.s, run.times)), run.limit(run.s, run.times)
    return {
        "family_shift_s": _norms(run, _each(run, lambda L: run.values(L, s, run.times)) - Z, BTL),
        "family_shift_t": _norms(run, _each(run, lambda L: run.values(L, run.s, t)) - Z, BTL),
        "family_limit_shift_s": _norms(run, run.limit(s, run.times) - limit, BTL[1:]),
        "family_limit_shift_t": _norms(run, run.limit(run.s, t) - limit, BTL[1:]),
    }


@measures("family_late", "family_path", "family_path_printed", "family_tail", "family_star", "family_limit_star", on=FamilyRun)
def late(run: FamilyRun) -> Mapping[str, Field]:
    """After t_0: changes, lengths of paths and the integral of b; before it, and on a bounded interval, 0."""
    t_0, start = run.t_0, np.array([run.t_0])
    after, star = np.maximum(run.times, t_0), run.star(run.times)
    Z, limit = _each(run, lambda L: run.values(L, run.s, run.times)), run.limit(run.s, run.times)

    def path(L: int, index: Callable[[int, Fraction], int]) -> Array:
        return run.path(L, np.array([float(max(index(L, s), 1)) for s in run.s]), t_0, after)

    def length(index: Callable[[int, Fraction], int]) -> Field:
        values = _each(run, lambda L: path(L, index))
        return Field(values, np.where(values == 0, 0.0, 64 * U * run.size), BTL)

    tail = (run.speed / run.regime.rate) * (run.grown(after) - run.grown(start))[:, 0, 0]
    return {
        "family_late": _norms(run, _each(run, lambda L: run.values(L, run.s, after) - run.values(L, run.s, start)), BTL),
        "family_path": length(run.index),
        "family_path_printed": length(run.printed_index),
        "family_tail": Field(tail, np.where(tail == 0, 0.0, 64 * U * run.size), ("time",)),
        "family_star": _norms(run, Z - _each(run, lambda L: run.values(L, run.s, star)), BTL),
        "family_limit_star": _norms(run, limit - run.limit(run.s, star), BTL[1:]),
    }


@measures(
    "family_D", "family_D_star", "family_D_nodes", "family_D_grid", "family_D_grid0", "family_D_one", "family_D_one_grid", on=FamilyRun
)
def distances(run: FamilyRun) -> Mapping[str, Field]:
    """Distances from the limit, everywhere and on the finite sets."""

    def distance(s: Sequence[Fraction], t: Array) -> Array:
        return _each(run, lambda L: run.values(L, s, t) - run.limit(s, t))

    def largest(values: Array, axes: tuple[int, ...], names: tuple[str, ...]) -> Field:
        return _field(np.max(euclid(values), axis=axes), 64 * U * run.size, names)

    star, one, with_start = run.star(run.times), [Fraction(1)], np.append(run.instants, run.t_0)
    return {
        "family_D": _norms(run, distance(run.s, run.times), BTL),
        "family_D_star": _norms(run, distance(run.s, star), BTL),
        "family_D_nodes": largest(distance(run.nodes, star), (2,), BT),
        "family_D_grid": largest(distance(run.nodes, run.instants), (1, 2), ("batch",)),
        "family_D_grid0": largest(distance(run.nodes, with_start), (1, 2), ("batch",)),
        "family_D_one": _norms(run, distance(one, run.times)[:, :, 0], BT),
        "family_D_one_grid": largest(distance(one, with_start), (1, 2), ("batch",)),
    }


@measures("family_floor", "family_index", "family_two", "family_first_t", "family_first_L", on=FamilyRun)
def indices(run: FamilyRun) -> Mapping[str, Field]:
    """The two index maps, what they select, and iterated limits of the last layer."""
    printed, own = ([[index(L, s) for s in run.s] for L in run.depths] for index in (run.printed_index, run.index))

    def two(L: int) -> Array:
        k = np.array([float(max(run.printed_index(L, s), 1)) for s in run.s])
        return run.layers(L, k, run.times) - run.values(L, run.s, run.times)

    one, end = [Fraction(1)], np.array([np.inf])
    coarse, fine = (run.values(int(L), one, end)[0, 0] for L in (_SETTLED, 2 * _SETTLED))
    return {
        "family_floor": _exact(printed, "batch", "layer"),
        "family_index": _exact(own, "batch", "layer"),
        "family_two": _norms(run, _each(run, two), BTL),
        "family_first_t": _field(2 * fine - coarse, 64 * U * run.size, ("component",)),
        "family_first_L": _field(run.limit(one, end)[0, 0], 64 * U * run.size, ("component",)),
    }


@measures("family_U", "family_U_integral", "family_U_norm", "family_U_speed", "family_U0_norm", "family_lipschitz", on=FamilyRun)
def solutions(run: FamilyRun) -> Mapping[str, Field]:
    """The ODE with piecewise constant parameters; Gauss and Legendre with eight points on a piece, |z| <= 2: below 1e-16 of the state."""
    U_s, integral = (np.stack(v) for v in zip(*(run.solution(L) for L in run.depths), strict=True))
    Z = _each(run, lambda L: run.values(L, run.s, run.times))
    lipschitz = np.stack([np.max(np.abs(run.layers(L, run.numbers(L), run.times)), axis=(1, 2)) for L in run.depths])
    own = gamma(4 * max(run.depths) + 64) * math.exp(run.size)
    size, speed = euclid(U_s), euclid(Z * U_s)
    start = float(euclid(run.given["start"]))
    C3 = (*BTL, "component")
    return {
        "family_U": _field(U_s, own * start, C3),
        "family_U_integral": _field(integral, own * start * (1 + run.size), C3),
        "family_U_norm": _field(size, own * start, BTL),
        "family_U_speed": _field(speed, own * run.size * start, BTL),
        "family_U0_norm": number(start, 4 * U * start),
        "family_lipschitz": _field(lipschitz, 64 * U * run.size, BT),
    }


@measures("family_H", "family_H_closed", "family_hidden_gap", "family_far", "family_slope", on=FamilyRun)
def limits(run: FamilyRun) -> Mapping[str, Field]:
    """(45) by DOP853 against exponentials; hidden states and parameters against the limit in t and L, affine in s on each piece."""
    first, slope = run.last()
    s, start = np.array([float(x) for x in run.s]), run.given["start"]
    closed = start * np.exp(np.multiply.outer(s, first) + np.multiply.outer(s**2 / 2, slope))
    found, rough = (solve_ivp(run.velocity, (0.0, 1.0), start, "DOP853", s, rtol=rtol, atol=0.0).y.T for rtol in (1e-13, 1e-10))
    own = gamma(256) * math.exp(run.size) * float(euclid(start))

    def far(L: int) -> Array:
        pieces = max(L - 1, 1)
        k = run.numbers(pieces)
        z = run.layers(L, k, run.times)
        ends = [z - first - slope * (e / pieces)[:, None] for e in (k - 1, k)]
        at_1 = run.layers(L, np.array([float(L)]), run.times) - first - slope
        return np.asarray(np.max(np.concatenate([euclid(e) for e in (*ends, at_1)], axis=1), axis=1))

    gap = euclid(_each(run, run.hidden) - closed)
    return {
        "family_H": Field(found, euclid(found - rough) + own, ("layer", "component")),
        "family_H_closed": _field(closed, own, ("layer", "component")),
        "family_hidden_gap": _field(gap, gamma(4 * max(run.depths)) * math.exp(run.size) * float(euclid(start)) + own, BTL),
        "family_far": _field(_each(run, far), 64 * U * run.size, BT),
        "family_slope": number(float(euclid(slope)), 8 * U * float(euclid(slope))),
    }


@measures("from_start", "layers_up", "gap_run", on=Trajectory)
def trained(run: Trajectory) -> Mapping[str, Field]:
    """Distances of layers of a trained network from the first one at the start, and the largest successive difference."""
    Z = np.concatenate([run.flowed[k].reshape(*run.flowed[k].shape[:3], -1) for k in "VW"], axis=-1)  # [1 T L 2qm]
    error = np.hypot(run.state_error["V"], run.state_error["W"])[..., None]
    size, gaps = euclid(Z - Z[:, :1, :1]), euclid(np.diff(Z, axis=2))
    own = gamma(2 * run.network["q"] * run.network["m"] + 6)
    largest = float(np.max(gaps, initial=0.0))
    return {
        "from_start": Field(size, error + own * size, BTL),
        "layers_up": _exact(np.arange(Z.shape[2]), "layer"),
        "gap_run": number(largest, 2 * float(np.max(error)) + own * largest),
    }


# --- toy families in which a hypothesis is dropped


@measures("toy_late", "toy_root_rate", "toy_root_far", on=CounterexamplesRun)
def dropped(run: CounterexamplesRun) -> Mapping[str, Field]:
    """sin(t/L) at t = πL/2, and √(k/L): its first difference is the largest; distances from √s at the right ends of pieces."""
    L = run.depths.astype(float)
    late = np.sin(np.pi * L / 2 / L)
    roots = [np.sqrt(np.arange(int(n) + 1) / n) for n in run.depths]
    rate = np.array([n * np.max(np.diff(r)) for n, r in zip(L, roots, strict=True)])
    far = np.array([np.max(np.diff(r)) for r in roots])
    return {
        "toy_late": Field(late, 8 * U * late, ("batch",)),
        "toy_root_rate": Field(rate, 8 * U * L, ("batch",)),
        "toy_root_far": Field(far, 8 * U * far, ("batch",)),
    }


def steep(u: Array, r: Array) -> Array:
    """g(u, r) = 2u/r, cut at ±2r: continuous, 0 at r = 0, Lipschitz in u with the constant 2/r."""
    return np.asarray(np.clip(2 * u, -2 * r**2, 2 * r**2) / r)


@measures("toy_parted", "toy_parted_integral", on=CounterexamplesRun)
def parted(run: CounterexamplesRun) -> Mapping[str, Field]:
    """Differences of solutions as², a = 1, 1/2, 0, -1, of (54) from 0; integrands are polynomials, exact with two points."""
    s = np.array(run.spec.times)
    x, w = np.polynomial.legendre.leggauss(2)
    r = s[:, None] * (1 + x) / 2
    found, integral = np.empty((2, len(s), 2))
    for i, (a, b) in enumerate(((1.0, 0.5), (0.0, -1.0))):
        found[:, i] = (a - b) * s**2
        right = np.where(r > 0, steep(a * r**2, np.where(r > 0, r, 1.0)) - steep(b * r**2, np.where(r > 0, r, 1.0)), 0.0)
        integral[:, i] = right @ w * s / 2
    TC = ("time", "component")
    return {"toy_parted": Field(found, 8 * U * s**2, TC), "toy_parted_integral": Field(integral, 16 * U * s**2, TC)}
