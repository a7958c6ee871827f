"""Measures of kernel matrices and of σ(WX): entries, eigenvalues, sums of rows, and what makes them singular."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import numpy as np
from flint import arb, ctx

from depthlimit.models import activations
from depthlimit.models.kernel_run import KernelRun, middle
from depthlimit.models.measure.instance import enclosed, register_instance
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import U, euclid, frobenius, gamma
from depthlimit.theory import hermite
from depthlimit.theory.activation import constants
from depthlimit.theory.hermite import BITS, ORDER
from depthlimit.theory.quantity import Array, Field, number

_DECOMPOSED = 20  # of the draws, so many at most are decomposed in a second way

register_instance(KernelRun)


def field(balls: list[arb], axes: tuple[str, ...] = ("batch",), scale: Array | None = None) -> Field:
    """Balls as a Field."""
    found = np.array([middle(x) for x in balls]).reshape(-1, 2)
    return Field(found[:, 0], found[:, 1], axes, scale)


def supplies(*names: str) -> Callable[[Callable[[KernelRun], Any]], Callable[[KernelRun], Any]]:
    """`measures` on these runs, in balls of a fixed precision: no bit may depend on what was computed before."""

    def wrap(function: Callable[[KernelRun], Any]) -> Callable[[KernelRun], Any]:
        @wraps(function)
        def precise(run: KernelRun) -> Any:
            with ctx.workprec(BITS):
                return function(run)

        return measures(*names, on=KernelRun)(precise)

    return wrap


@supplies("M_sigma", "kernel_order", "kernel_draws", "kernel_eta2", "kernel_closed", "kernel_exact", "kernel_random")
def setting(run: KernelRun) -> Mapping[str, Field]:
    """What the instance is."""
    return {
        "M_sigma": enclosed(constants(*run.key)["M_sigma"]),
        "kernel_order": number(float(run.regime.order)),
        "kernel_draws": number(float(run.regime.draws)),
        "kernel_eta2": number(*middle(run.eta2)),
        "kernel_closed": number(float(hermite.kernel_closed(*run.key, arb(0)) is not None)),
        "kernel_exact": number(float(run.exact)),
        "kernel_random": number(float(run.random)),
    }


@supplies("kernel_entry", "kernel_mehler", "kernel_sampled_gap")
def entries(run: KernelRun) -> Mapping[str, Field]:
    """The kernel of each pair of columns, in two ways, and its distance from the mean over all draws."""
    pairs = [rho for row in run.correlations(run.x) for rho in row[1:]]
    square = float(hermite.square_mean(*run.key).mid())
    size, upper = np.full(len(pairs), square), np.triu_indices(run.spec.n)
    exact, radius = (matrix[upper] for matrix in run.matrix(run.x))
    mean = np.mean(run.grams, axis=0)[upper] / run.spec.m
    rounding = 2 * float(np.max(run.error)) * math.sqrt(square) + gamma(run.spec.m * run.regime.draws) * square
    return {
        "kernel_entry": field([hermite.kernel(*run.key, rho) for rho in pairs], ("sample",), size),
        "kernel_mehler": field([run.series(rho) for rho in pairs], ("sample",), size),
        "kernel_sampled_gap": Field(np.abs(mean - exact), radius + rounding, ("sample",)),
    }


@supplies("kernel_activations", "kernel_rescaled")
def rescaled(run: KernelRun) -> Mapping[str, Field]:
    """σ(WX) at the first draw, and the same from W/√d and √d X."""
    less, more = run.scales()
    W, X = run.rows(0), (run.x / euclid(run.x)[:, None]).T
    other = activations.value(run.sigma, (less * W) @ (more * X))
    error = np.asarray(frobenius(run.error))
    return {
        "kernel_activations": Field(run.drawn[0].ravel(), error, ("component",)),
        "kernel_rescaled": Field(other.ravel(), 2 * error, ("component",)),
    }


@supplies("kernel_min", "kernel_hadamard", "kernel_discs", "kernel_correlation")
def spectrum(run: KernelRun) -> Mapping[str, Field]:
    """Smallest eigenvalues of the kernel matrix and of the entrywise powers of the correlations."""
    n = run.spec.n
    G = np.eye(n)
    for i, row in enumerate(run.correlations(run.x)):
        for j, rho in enumerate(row, start=i):
            G[i, j] = G[j, i] = float(rho.mid())
    off = np.abs(G - np.eye(n))
    powers = np.stack([G**r for r in range(ORDER + 1)])
    powers[:, range(n), range(n)] = 1.0
    outside = np.stack([np.where(np.eye(n) > 0, 0.0, off**r) for r in range(ORDER + 1)])
    worst = float(np.max(outside[run.regime.order])) if n > 1 else 0.0
    smallest: Array = np.maximum(np.asarray(np.linalg.eigvalsh(powers)[:, 0], dtype=np.float64), 0.0)
    known: Array = np.asarray(np.arange(ORDER + 1) > 0, dtype=np.float64)  # r = 0: a matrix of ones
    smallest[0] = float(n == 1)
    sums = np.max(np.sum(outside, axis=2), axis=1)
    beyond = (sums > 1 + 32 * n * U) | np.any(outside == 1, axis=(1, 2))  # the discs reach 0 without doubt
    return {
        "kernel_min": Field(
            np.asarray(run.lam[0]), np.asarray(run.lam[1]), (), np.asarray(run.spec.m * n * float(hermite.square_mean(*run.key).mid()))
        ),
        "kernel_hadamard": Field(smallest, (8 * n + 16) * n * U * known, ("batch",)),
        "kernel_discs": Field(np.maximum(1 - sums, 0.0), 32 * n * U * (known * ~beyond), ("batch",)),
        "kernel_correlation": number(worst, 16 * U * worst),
    }


@supplies("kernel_sum_min", "kernel_singular2", "kernel_row")
def sums(run: KernelRun) -> Mapping[str, Field]:
    """λ_min(Σ_i M_i), the M_i formed and added one after another, and s_n² of σ(WX), over the draws."""
    S, n = run.drawn[:_DECOMPOSED], run.spec.n
    total = np.zeros((len(S), n, n))
    for i in range(S.shape[1]):
        total += S[:, i, :, None] * S[:, i, None, :]
    size = frobenius(S)
    values = np.asarray(np.linalg.svd(S, compute_uv=False), dtype=np.float64)
    smallest = values[:, n - 1] if S.shape[1] >= n else np.zeros(len(S))
    slack = 8 * max(S.shape[1:]) * U * size
    row = np.max(np.sum(S**2, axis=2), axis=1)
    error = float(np.max(run.error))
    return {
        "kernel_sum_min": Field(
            np.maximum(np.linalg.eigvalsh(total)[:, 0], 0.0), (gamma(S.shape[1] + 2) + 8 * n * U) * size**2, ("batch",)
        ),
        "kernel_singular2": Field(smallest**2, (2 * smallest + slack) * slack, ("batch",)),
        "kernel_row": Field(row, gamma(n + 2) * row + 2 * np.sqrt(n * row) * error, ("batch",)),
    }


_FLAGS = ("kernel_narrow", "kernel_copies", "kernel_antipodal", "kernel_linear")


@supplies("kernel_s_n", *_FLAGS)
def collapse(run: KernelRun) -> Mapping[str, Field]:
    """The n-th singular value of S̄, from a decomposition of S̄ padded to n rows, and what makes it vanish."""
    n = run.spec.n
    S = run.drawn[0]
    padded = np.vstack([S, np.zeros((max(n - len(S), 0), n))])
    values = np.linalg.svd(padded, compute_uv=False)
    slack = float(frobenius(run.error)) + 8 * max(padded.shape) * U * float(values[0])
    pairs = [rho for i, row in enumerate(run.correlations(run.x)) for rho in row[1:]]
    facts = (
        run.spec.m < n,
        any(rho == 1 for rho in pairs),
        any(rho == -1 for rho in pairs) and hermite.PARITY[run.key[0]] != 0,
        run.key[0] == "identity" and n > run.spec.d,
    )
    return {
        "kernel_s_n": Field(np.asarray(values[n - 1]), np.asarray(slack), (), np.asarray(values[0])),
        **{name: number(float(fact)) for name, fact in zip(_FLAGS, facts, strict=True)},
    }
