"""Measures of Lemma 21: exact tails of the smallest eigenvalue, counts over seeds, and how often columns are close."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from flint import arb

from depthlimit.models import tails
from depthlimit.models.kernel_run import LEVELS, KernelRun, middle
from depthlimit.models.measure.kernel import field, supplies
from depthlimit.models.measure.random_matrix import acceptance
from depthlimit.models.rounding import U
from depthlimit.theory import hermite
from depthlimit.theory.activation import constants
from depthlimit.theory.paper.lemma21 import RISK
from depthlimit.theory.quantity import Field, number


@supplies("kernel_t", "kernel_tail", "kernel_half", "kernel_event")
def chernoff(run: KernelRun) -> Mapping[str, Field]:
    """Exact tails at the levels tλ, λ/2 and mη²/16."""
    value, radius = run.tails
    return {
        "kernel_t": Field(LEVELS, np.zeros(()), ("batch",)),
        "kernel_tail": Field(value[:-2], radius[:-2], ("batch",)),
        "kernel_event": number(float(value[-2]), float(radius[-2])),
        "kernel_half": number(float(value[-1]), float(radius[-1])),
    }


@supplies("kernel_below", "kernel_below_allowed", "kernel_excess", "kernel_deviation")
def counts(run: KernelRun) -> Mapping[str, Field]:
    """Draws of W below each level, against binomial quantiles at the corrected bound and at the exact tails.

    A draw within rounding of a level may be counted on either side: its chance is below 1e-9, and the counts are taken as exact.
    """
    lam, radius = run.lam
    below = np.sum(run.smallest <= LEVELS[:, None] * lam, axis=1).astype(float)
    bound = constants(*run.key)["M_sigma"].hi ** 2 * run.spec.n
    corrected = run.spec.n * np.exp(-((1 - LEVELS) ** 2) * max(lam - radius, 0.0) / (2 * bound))
    tail, slack = (column[:-2] for column in run.tails)
    zero, share = np.zeros(()), float(RISK) / len(LEVELS)
    return {
        "kernel_below": Field(below, zero, ("batch",)),
        "kernel_below_allowed": Field(run.quantile(corrected), zero, ("batch",)),
        "kernel_excess": Field(np.abs(below - run.regime.draws * tail), run.regime.draws * slack, ("batch",)),
        "kernel_deviation": Field(
            np.array([acceptance(run.regime.draws, float(p), share) for p in tail]), run.regime.draws * slack, ("batch",)
        ),
    }


_DELTAS = ("kernel_failed", "kernel_failed_allowed", "kernel_failed_sharp", "kernel_low", "kernel_low_allowed")


@supplies(*_DELTAS)
def deltas(run: KernelRun) -> Mapping[str, Field]:
    """Joint draws of X and W that fail, draws of X whose kernel matrix is small, and what the two δ allow."""
    m, n, d = run.spec.m, run.spec.n, run.spec.d
    eta2 = float(run.eta2.mid())
    width = m * eta2 / (constants(*run.key)["M_sigma"].hi ** 2 * n)
    proxy = tails.variance_proxy(d)[1]
    close = math.exp(-d / (2 * proxy) * (3 / (4 * n)) ** (2 / run.regime.order))
    kernels = [run.kernel_min(run.columns(i))[0] for i in range(run.regime.draws)] if run.random else [run.lam[0]]
    values = {
        "kernel_failed": float(np.sum(run.joint < m * eta2 / 16)),
        "kernel_failed_allowed": float(run.quantile(n * math.exp(-3 * width / 64) + 2 * n**2 * close)),
        "kernel_failed_sharp": float(run.quantile(n * math.exp(-9 * width / 128) + n * (n - 1) * close)),
        "kernel_low": float(np.sum(np.array(kernels) < m * eta2 / 4)),
        "kernel_low_allowed": float(run.quantile(n * (n - 1) * close)),
    }
    return {name: number(value) for name, value in values.items()}


def _correlation_at(run: KernelRun, share: float) -> tuple[arb, arb]:
    """Ends of the ρ > 0 at which κ(1) - κ(ρ) = share η_r², by bisection of the increasing κ; 1 if there is none below."""
    goal = hermite.square_mean(*run.key) - arb(share) * run.eta2
    low, high = arb(0), arb(1)
    if hermite.kernel(*run.key, low) >= goal:
        return low, low
    for _ in range(60):
        middle = ((low + high) / 2).mid()
        value = hermite.kernel(*run.key, middle)
        if value < goal:
            low = middle
        elif value > goal:
            high = middle
        else:
            break
    return low, high


@supplies("kernel_proxy", "kernel_cap_t", "kernel_cap", "kernel_pair", "kernel_low_8", "kernel_low_4")
def close_columns(run: KernelRun) -> Mapping[str, Field]:
    """The variance proxy of the uniform law, its tails, and how often two columns are too close."""
    n, d = run.spec.n, run.spec.d
    _, high, at = tails.variance_proxy(d)
    levels = np.append(np.arange(1, 16) / 16 * math.sqrt(d), at)
    root = arb(d).sqrt()
    exact = {}
    for name, share in (("kernel_low_8", 0.125), ("kernel_low_4", 0.25)):
        ends = [middle(tails.cap(d, rho))[0] for rho in _correlation_at(run, share)]
        exact[name] = number((ends[0] + ends[1]) / 2, (ends[0] - ends[1]) / 2 + 4 * U * ends[0])
    return {
        "kernel_proxy": number(high),
        "kernel_cap_t": Field(levels, np.zeros(()), ("batch",)),
        "kernel_cap": field([tails.cap(d, arb(float(t)) / root) for t in levels]),
        "kernel_pair": number(*middle(tails.cap(d, (arb(3) / (4 * n)) ** (arb(1) / run.regime.order)))),
        **exact,
    }
