"""Measures of Theorems 4 and 14: networks at doubling depths against the limit of training.

Radii are those of the networks and the declared error of the limit; of an extrapolated value, the last correction as well. What is a
supremum over times between the saved ones is widened by the largest change from one saved time to the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.polynomial import chebyshev

from depthlimit.models.chebyshev import basis
from depthlimit.models.clip import supremum as clip_supremum
from depthlimit.models.flow import kinked
from depthlimit.models.measure.extrapolate import limit, romberg, slope
from depthlimit.models.measure.instance import register_instance
from depthlimit.models.measure.limit_run import (
    LimitRun,
    Network,
    Peaks,
    Pieces,
    Sup,
    branches,
    dominant,
    joined,
    peaks,
    state_pieces,
    weight_pieces,
)
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import euclid, frobenius
from depthlimit.models.spec import GeneralLimit
from depthlimit.theory.paper.theorem4 import PARTS
from depthlimit.theory.quantity import Array, Field, number

register_instance(LimitRun)

_RESOLVED = 0.1  # an order is read at the deepest two depths between which rounding moves it by no more
_SAMPLES = 513  # points of [0, 1] at which a polynomial is looked at: its maximum lies within |f''|/8 of the square of their distance
_B, _T = ("batch",), ("time",)


@measures("limit_deeper", *(f"{kind}_{k}" for k in PARTS for kind in ("far", "near", "rate")), on=LimitRun)
def distances(run: LimitRun) -> Mapping[str, Field]:
    """Suprema of distances from the limit at each depth but the first, those at the first, and their extrapolated slopes."""
    fields = {"limit_deeper": Field(run.depths[1:] / run.depths[0], np.zeros(()), _B)}
    for name, sups in run.ladder.items():
        value, excess = (np.array(v) for v in zip(*(sup[:2] for sup in sups), strict=True))
        fields[f"near_{name}"] = Field(value[1:], excess[1:], _B)
        fields[f"far_{name}"] = number(float(value[0]), float(excess[0]))
        found, spread = slope(*(v / run.depths for v in dominant(_times_depth(run, sups))))
        fields[f"rate_{name}"] = Field(np.array([found]), np.array([spread]), _B)
    return fields


def _times_depth(run: LimitRun, sups: Sequence[Sup]) -> list[Peaks]:
    """Branches times L."""
    return [sup.peaks.times(float(L)) for L, sup in zip(run.depths, sups, strict=True)]


def _blocks(run: LimitRun, at: Network) -> dict[str, Array]:
    """A, Z at common nodes, B, h at common nodes and F, each as [T rows numbers]."""
    T, step = len(run.times), at.Z.shape[1] // int(run.depths[0])
    h = at.hidden[:, ::step].reshape(T, int(run.depths[0]) + 1, -1)
    return {"A": at.A.reshape(T, 1, -1), "Z": at.Z[:, step - 1 :: step], "B": at.B.reshape(T, 1, -1), "h": h, "F": at.output}


def _limits(run: LimitRun) -> dict[str, Array]:
    """The same of the limit."""
    solution, T, L = run.limit.solution, len(run.times), int(run.depths[0])
    s = np.arange(L + 1) / L
    H = np.einsum("sj,tjnq->tsnq", basis(s, solution.dynamics.N + 1), run.states[0])
    F = np.einsum("tnq,toq->tno", run.states[1], solution.B)
    ends = {k: getattr(solution, k).reshape(T, 1, -1) for k in "AB"}
    return {**ends, "Z": solution.weights(s[1:]), "h": H.reshape(T, L + 1, -1), "F": F}


@measures("limit_order", "limit_expected", "limit_apart", "limit_size", on=LimitRun)
def richardson(run: LimitRun) -> Mapping[str, Field]:
    """Orders of the error at common nodes after each step, where they are resolved, and what is left after the last one."""
    names, limits, each = "AZBhF", _limits(run), [_blocks(run, at) for at in run.networks]
    orders: list[float] = []
    radii: list[float] = []
    expected: list[float] = []
    apart, spread, sizes = [], [], []
    factor = {"h": np.sqrt(run.spec.n)}  # all samples together
    for k in names:
        table = romberg(np.stack([blocks[k] for blocks in each]))
        own = np.array([factor.get(k, 1.0) * float(at.error[k].max()) for at in run.networks])
        declared, noise = factor.get(k, 1.0) * float(run.error[k].max()), romberg(own, 1.0)
        errors = [euclid(rows - limits[k]).max(axis=(1, 2)) for rows in table]
        for j in (1, 2, 3):
            relative = (noise[j] + declared) / errors[j]
            spreads = -np.log2(np.maximum(1 - relative, 1e-300))
            spreads = spreads[1:] + spreads[:-1]  # of each slope
            for at in np.flatnonzero(spreads <= _RESOLVED)[-1:]:
                orders.append(float(np.log2(errors[j][at + 1] / errors[j][at])))
                radii.append(float(spreads[at]))
                expected.append(j + 1.0)
        correction = float(euclid(table[-1][-1] - table[-2][-1]).max())
        apart.append(float(errors[-1][-1]))
        spread.append(correction + float(noise[-1][-1]) + declared)
        sizes.append(float(euclid(limits[k]).max()))
    return {
        "limit_order": Field(np.array(orders), np.array(radii), _B),
        "limit_expected": Field(np.array(expected), np.zeros(()), _B),
        "limit_apart": Field(np.array(apart), np.array(spread), _B),
        "limit_size": Field(np.array(sizes), np.zeros(()), _B),
    }


def _first_order(rows: Array, own: Array, pieces: Pieces, series: Array) -> Peaks:
    """Branches of |E_k - (s - s_k) f'(s_k)|, s both ends of each piece, rows [T k c] at their own places s_k."""
    N = series.shape[1]
    rate = 2 * np.einsum("sj,tjc->tsc", basis(own, N - 1), chebyshev.chebder(series, axis=1))
    errors = rows - np.einsum("sj,tjc->tsc", basis(own, N), series)
    return branches([euclid(errors - (s - own)[:, None] * rate) for s in pieces[1:]], pieces)


@measures("limit_constant", "limit_first", on=LimitRun)
def constants(run: LimitRun) -> Mapping[str, Field]:
    """L times suprema over s of distances, and over the layers of their first order, extrapolated."""
    solution, values, radii = run.limit.solution, [], []
    for name, error in (("weights", "Z"), ("states", "h")):
        first = []
        for L, at in zip(map(int, run.depths), run.networks, strict=True):
            if error == "Z":
                pieces, own, parts = weight_pieces(L), np.arange(1, L + 1) / L, [(at.Z, solution.coefficients)]
            else:
                pieces, own = state_pieces(L), np.arange(L + 1) / L
                parts = [(at.hidden[:, :, i], run.states[0][:, :, i]) for i in range(run.spec.n)]
            each = joined([_first_order(rows, own, pieces, series) for rows, series in parts])
            first.append(each.wider(float((at.error[error] + run.error[error]).max())).times(L))
        for ladder in (_times_depth(run, run.ladder[name]), first):
            value, radius = limit(*dominant(ladder))
            values.append(value)
            radii.append(radius)
    found = [Field(np.array(values[i::2]), np.array(radii[i::2]), _B) for i in (0, 1)]
    return dict(zip(("limit_constant", "limit_first"), found, strict=True))


@measures("limit_smooth", "limit_asked", "limit_declared", "limit_fall", "limit_energy", on=LimitRun)
def declared(run: LimitRun) -> Mapping[str, Field]:
    """Declared errors relative to sizes, and the energy. The loss is known within |∇ℓ| |δθ|, the integral as `flow.asked` allows."""
    solution = run.limit.solution
    kinks = kinked(run.problem.network)
    sizes = {"A": frobenius(solution.A), "Z": euclid(solution.Z).max(axis=1), "B": frobenius(solution.B)}
    sizes["h"] = euclid(run.states[1]).max(axis=1)
    relative = [float(run.error[k].max() / max(sizes[k].max(), 1e-300)) for k in "AZBh"]
    steep = []
    for j in range(len(run.times)):
        g = solution.dynamics.gradient(solution.params(j))[1]
        steep.append(sum(float(np.linalg.norm(g[k])) * run.error[k][j] for k in "AZB"))
    fall = solution.loss[0] - solution.loss
    share = 1000.0 if kinks else 100.0
    energy = float(run.problem.network["rtol"]) * (share * np.abs(solution.energy) + solution.loss[0])
    return {
        "limit_smooth": number(float(not kinks)),
        "limit_asked": number(1e-3 if kinks else 1e-8),
        "limit_declared": Field(np.array(relative), np.zeros(()), _B),
        "limit_fall": Field(fall, np.array(steep) + 2.0**-48 * solution.loss[0], _T, solution.loss[0] + np.abs(fall)),
        "limit_energy": Field(solution.energy, np.array(steep) + energy, _T),
    }


@measures("limit_bend", on=LimitRun)
def bend(run: LimitRun) -> Field:
    """0 where nothing depends on s."""
    h, error = 1 / max(3, int(run.depths[0])), float(run.error["Z"].max())
    s = np.linspace(0, 1 - 3 * h, _SAMPLES // 8)
    Z = np.stack([run.limit.solution.weights(s + j * h) for j in range(4)])
    first, third = (float(euclid(np.diff(Z, order, axis=0)).max()) for order in (1, 3))
    return number(third / first, 16 * error / first) if first > 100 * error else number(0.0)


@measures("limit_nodes", "limit_function", on=LimitRun)
def start(run: LimitRun) -> Mapping[str, Field]:
    """Layers of the deepest network at t = 0, and the limit there."""
    Z, function = run.networks[-1].Z[0], run.limit.solution.weights(np.arange(1, run.depths[-1] + 1) / run.depths[-1])[0]
    size, LC = 2.0**-45 * euclid(Z), ("layer", "component")
    return {"limit_nodes": Field(Z, size, LC), "limit_function": Field(function, size + float(run.error["Z"][0]), LC)}


def largest(series: Array, order: int) -> tuple[Array, Array]:
    """sup over s of the order-th derivative of Chebyshev series [T N c] in 2s-1, and how far it may lie above the largest sample [T]."""
    inner = 2.0**order * chebyshev.chebder(series, order, axis=1) if order else series
    samples = euclid(np.einsum("sj,tjc->tsc", basis(np.linspace(0, 1, _SAMPLES), inner.shape[1]), inner)).max(axis=1)
    bend = 4 * euclid(chebyshev.chebder(inner, 2, axis=1)).sum(axis=1) if inner.shape[1] > 2 else np.zeros(len(inner))
    return samples, bend / (8 * (_SAMPLES - 1) ** 2)


def _speeds(run: LimitRun) -> Array:
    """∂Z/∂t of the limit as a series in s [T N p]; without kinks it is as smooth as Z."""
    solution, at = run.limit.solution, run.limit.solution.dynamics
    rows = [at.descent(at.gradient(solution.params(j))[1])["Z"] for j in range(len(run.times))]
    return np.asarray(np.einsum("ij,tjp->tip", at.transform, np.stack(rows)))


@measures("limit_discrete", "limit_lipschitz", "limit_slope", "limit_slope0", on=LimitRun)
def lipschitz(run: LimitRun) -> Mapping[str, Field]:
    """Lipschitz constants of networks, extrapolated, and of the limit.

    A derivative of a polynomial with error δ is known within 2N² δ (Markov). For errors of speeds 100 stands for the sensitivity of the
    right-hand side: they are far below the last corrections.
    """
    N, gaps, speeds = run.limit.solution.dynamics.N, [], []
    own = 2 * N**2 * run.error["Z"]
    for L, at in zip(map(int, run.depths), run.networks, strict=True):
        gap, speed, error = euclid(np.diff(at.Z, axis=1)), euclid(at.speed), float(at.error["Z"].max())
        gaps.append(peaks(gap).wider(np.sqrt(2) * error).times(L))
        speeds.append(peaks(speed).wider(100 * error))
    pairs = [limit(*dominant(found)) for found in (gaps, speeds)]
    (along, more), (fast, extra) = largest(run.limit.solution.coefficients, 1), largest(_speeds(run), 0)
    late, quick = (int(np.argmax(v)) for v in (along, fast))
    sizes = [float(along[late]), float(fast[quick])]
    radii = [float(more[late] + own[late]), float(extra[quick] + 100 * run.error["Z"].max())]
    return {
        "limit_discrete": Field(np.array([v for v, _ in pairs]), np.array([r for _, r in pairs]), _B),
        "limit_lipschitz": Field(np.array(sizes), np.array(radii), _B),
        "limit_slope": Field(along, more + own, _T, euclid(run.limit.solution.coefficients).sum(axis=1)),
        "limit_slope0": number(float(along[0]), float(more[0] + own[0])),  # known within what Z is known to
    }


@measures("t", on=LimitRun)
def times(run: LimitRun) -> Field:
    """Saved times."""
    return Field(run.times, np.zeros(()), _T)


@measures("limit_K1", "limit_K2", "limit_K22", "limit_K21", "limit_h", "limit_p", on=LimitRun)
def along(run: LimitRun) -> Mapping[str, Field]:
    """Largest sizes along the limit, at the Chebyshev points and saved times; of P the mean over samples."""
    solution, at, found = run.limit.solution, run.limit.solution.dynamics, []
    for j in range(len(run.times)):
        p = solution.params(j)
        H, last = at.hidden(p["A"], p["Z"], run.batch.x)
        P, first = at.adjoint(H, last, p["Z"], p["B"])
        b = run.problem.branch.bounds(euclid(H), p["Z"][:, None, :])
        sizes = {"K1": b.state, "K2": b.parameter, "K22": b.second, "K21": b.mixed}
        ends = np.maximum(euclid(H).max(), euclid(last).max()), np.maximum(euclid(P).max(axis=0), euclid(first)).mean()
        found.append([*(float(np.max(v)) for v in sizes.values()), *map(float, ends)])
    rows = np.array(found)  # [T 6]
    change = np.abs(np.diff(rows, axis=0)).max(axis=0) if len(rows) > 1 else np.zeros(rows.shape[1])
    names = ("K1", "K2", "K22", "K21", "h", "p")
    return {f"limit_{k}": number(float(v), float(e)) for k, v, e in zip(names, rows.max(axis=0), change, strict=True)}


@measures("limit_norms", "M0_euclid", "M_pi_euclid", "K_pi", "clipped", on=LimitRun)
def norms(run: LimitRun) -> Mapping[str, Field]:
    """Norms of the limit along time, and what bounds them: the largest initial norm and the supremum of the clip."""
    solution, clip = run.limit.solution, run.problem.network["clip"]
    size_Z, more = largest(solution.coefficients, 0)
    rows = np.stack([frobenius(solution.A), size_Z, frobenius(solution.B)])
    radii = np.stack([run.error["A"], run.error["Z"] + more, run.error["B"]])
    top = int(np.argmax(rows[:, 0]))
    bound = max(clip_supremum(clip, v[0].size) for v in (solution.A, solution.Z[0], solution.B))
    return {
        "limit_norms": Field(rows, radii, ("batch", "time")),
        "M0_euclid": number(float(rows[top, 0]), float(radii[top, 0])),
        "M_pi_euclid": number(bound),
        "K_pi": number(run.problem.gain if isinstance(run.spec.regime, GeneralLimit) else 1.0),
        "clipped": number(float(clip is not None)),
    }
