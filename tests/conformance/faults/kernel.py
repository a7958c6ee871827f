"""Wrong coefficients, samplers and bounds: the Hermite transform, (55) and Lemma 21."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import sympy as sp
from flint import arb

from depthlimit.conformance.faults.planting import Fault, claim_fault, redefined, scaled
from depthlimit.models import corpus_kernel
from depthlimit.models.implementation import Array
from depthlimit.models.kernel_run import KernelRun
from depthlimit.models.spec import Spec
from depthlimit.theory.claim import Claim
from depthlimit.theory.paper import hermite as H
from depthlimit.theory.paper import lemma21 as M
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.unclipped import M_sigma

_NAMED = {
    "kernel-signs": corpus_kernel.SIGNS,
    "kernel-wide": corpus_kernel.WIDE,
    "kernel-small": corpus_kernel.SMALL,
    "kernel-tanh": corpus_kernel.KERNEL_MATRIX[3],
    "kernel-line": corpus_kernel.KERNEL_MATRIX[12],
    "kernel-one": corpus_kernel.KERNEL_MATRIX[14],
    "kernel-pair": corpus_kernel.KERNEL_MATRIX[15],
    "kernel-narrow": corpus_kernel.KERNEL_MATRIX[17],
    "kernel-copies": corpus_kernel.KERNEL_MATRIX[18],
    "kernel-antipodal": corpus_kernel.KERNEL_MATRIX[19],
    "kernel-linear": corpus_kernel.KERNEL_MATRIX[21],
}
SPECS: dict[str, Spec] = _NAMED


class ShiftedOrder(KernelRun):
    """The coefficient of order r + 1 stands for that of order r."""

    def coefficient(self, r: int) -> arb:
        """The next one."""
        return super().coefficient(r + 1)


class Unnormalised(KernelRun):
    """He_r is not divided by √r!."""

    def coefficient(self, r: int) -> arb:
        """√r! times the coefficient."""
        return arb(math.factorial(r)).sqrt() * super().coefficient(r)

    def series(self, rho: arb) -> arb:
        """Mehler's series without its factorials."""
        return super().series(rho) + sum(
            (self.coefficient(r) ** 2 - super(Unnormalised, self).coefficient(r) ** 2) * rho**r for r in range(5)
        )


class HalfSampler(KernelRun):
    """Rows of W have standard deviation 1/2."""

    def rows(self, i: int) -> Array:
        """Half of W."""
        return super().rows(i) / 2


class FadingSampler(KernelRun):
    """Rows of W have standard deviation 1/1000, where σ is linear."""

    def rows(self, i: int) -> Array:
        """A thousandth of W."""
        return super().rows(i) / 1000


class ParallelColumns(KernelRun):
    """All columns of X are nearly the same."""

    def columns(self, i: int) -> Array:
        """The first one, and a millionth of each."""
        x = super().columns(i)
        return x[:1] + 1e-6 * x


class VarianceOverD(KernelRun):
    """Rows of variance 1/d are put on X and not on √d X."""

    def scales(self) -> tuple[float, float]:
        """X is not rescaled."""
        return 1 / math.sqrt(self.spec.d), 1.0


class Ridge(KernelRun):
    """A thousandth of the identity is added to the kernel matrix."""

    def matrix(self, x: Array) -> tuple[Array, Array]:
        """The matrix and a ridge."""
        mid, radius = super().matrix(x)
        return mid + np.eye(len(x)) / 1000, radius


class FullRank(KernelRun):
    """The activations are independent Gaussian numbers, n rows at least, whatever the samples are."""

    def activations(self, W: Array, x: Array) -> Array:
        """Noise."""
        noise: Array = np.random.RandomState(0).standard_normal((max(len(W), len(x)) + 2, len(x)))
        return noise


_A, _half = "a-priori", sp.Rational(1, 2)
_Change = Callable[[Claim], Claim]


def _rhs(expression: sp.Expr) -> _Change:
    return lambda c: replace(c, rhs=expression)


def _lhs(expression: sp.Expr) -> _Change:
    return lambda c: replace(c, lhs=expression)


def _ids(edition: str, *labels: str) -> tuple[str, ...]:
    return tuple(f"{label}[{edition},{_A}]" for label in labels)


_X = Q.d * M.theta / M.proxy
_RUNS = tuple(
    Fault(name, kind.__doc__ or "", specs, caught_by, runs=kind)
    for name, kind, specs, caught_by in (
        ("hermite-order-shifted", ShiftedOrder, ("kernel-tanh",), _ids("as-printed", "hermite.coefficient")),
        (
            "hermite-unnormalised",
            Unnormalised,
            ("kernel-wide",),
            (*_ids("as-printed", "hermite.coefficient", "hermite.parseval"), *_ids("explicit", "hermite.by-parts", "eq55.mehler")),
        ),
        (
            "kernel-half-sampler",
            HalfSampler,
            ("kernel-one", "kernel-wide"),
            (*_ids("explicit", "lemma21.counts"), *_ids("as-printed", "lemma21.expectation")),
        ),
        (
            "kernel-fading-sampler",
            FadingSampler,
            ("kernel-wide",),
            (
                *_ids("corrected", "lemma21.frequency", "lemma21.product"),
                *(f"lemma21.conclusion[{edition},{_A}]" for edition in ("as-printed", "sharpened")),
            ),
        ),
        ("kernel-parallel-columns", ParallelColumns, ("kernel-wide",), _ids("sharpened", "eq55.frequency", "lemma21.conclusion")),
        ("kernel-variance-over-d", VarianceOverD, ("kernel-tanh",), _ids("as-printed", "lemma21.rescaling")),
        ("kernel-ridge", Ridge, ("kernel-antipodal",), _ids("explicit", "lemma21.control-kernel")),
        *(
            (f"kernel-full-rank-{name}", FullRank, (f"kernel-{spec}",), _ids("explicit", f"lemma21.control-{name}"))
            for name, spec in (("narrow", "narrow"), ("copies", "copies"), ("antipodal", "antipodal"), ("polynomial", "linear"))
        ),
    )
)
_CLAIMS = tuple(
    claim_fault(name, spec, claim, meaning, change)
    for name, spec, (claim,), meaning, change in (
        ("gram-by-r-1", "kernel-line", _ids("as-printed", "hermite.orthonormal"), "√(r-1)! for √r!", _lhs(H.gram * H.r)),
        ("by-parts-without-root", "kernel-tanh", _ids("explicit", "hermite.by-parts"), "√r dropped", _lhs(H.eta)),
        ("parity-of-all", "kernel-tanh", _ids("explicit", "hermite.parity"), "no coefficient of any parity", _lhs(H.eta)),
        ("parseval-without-square", "kernel-tanh", _ids("as-printed", "hermite.parseval"), "a root too many", _lhs(sp.sqrt(H.partial))),
        (
            "parseval-slope-one-percent-less",
            "kernel-line",
            _ids("sharpened", "hermite.parseval-slope"),
            "0.99 E σ'²",
            scaled(sp.Rational(99, 100)),
        ),
        ("slope-bound-one-percent-less", "kernel-line", _ids("sharpened", "hermite.slope-bound"), "0.99 K²", scaled(sp.Rational(99, 100))),
        ("not-polynomial-doubled", "kernel-wide", _ids("explicit", "hermite.not-polynomial"), "twice the next squares", scaled(2)),
        ("s-n-without-square", "kernel-tanh", _ids("as-printed", "lemma21.sum"), "s_n for s_n²", _rhs(sp.sqrt(M.s_n2))),
        ("largest-without-n", "kernel-tanh", _ids("as-printed", "lemma21.largest"), "M_σ² for M_σ² n", _rhs(M_sigma**2)),
        (
            "hadamard-without-square",
            "kernel-line",
            _ids("explicit", "eq55.hadamard"),
            "|η_r| for η_r²",
            _rhs(Q.m * sp.sqrt(H.eta**2) * M.hadamard),
        ),
        (
            "discs-one-percent-more",
            "kernel-pair",
            _ids("explicit", "eq55.gershgorin"),
            "1.01 of the left end",
            scaled(sp.Rational(101, 100)),
        ),
        ("kernel-without-8", "kernel-wide", _ids("as-printed", "eq55.kernel"), "4mη² for mη²/8", scaled(32)),
        ("kernel-sharpened-doubled", "kernel-pair", _ids("sharpened", "eq55.kernel"), "twice the bound", scaled(2)),
        (
            "proxy-one-half",
            "kernel-wide",
            _ids("explicit", "eq55.sub-gaussian"),
            "variance proxy 1/2",
            _rhs(2 * sp.exp(-(M.cap_t**2))),
        ),
        (
            "proxy-one-percent-less",
            "kernel-wide",
            _ids("sharpened", "eq55.sub-gaussian"),
            "0.99 of the proxy",
            _rhs(2 * sp.exp(-(M.cap_t**2) / (2 * sp.Rational(99, 100) * M.proxy))),
        ),
        ("proxy-bounded-by-half", "kernel-wide", _ids("sharpened", "eq55.proxy"), "1/2 for 1", scaled(_half)),
        ("pair-without-2", "kernel-wide", _ids("explicit", "eq55.pair"), "C² for 2C²", _rhs(2 * sp.exp(-_X))),
        ("close-pairs-without-n2", "kernel-pair", _ids("as-printed", "eq55.probability"), "n² dropped, C² for 2C²", _rhs(sp.exp(-4 * _X))),
        ("close-pairs-halved", "kernel-pair", _ids("sharpened", "eq55.probability"), "C² for 2C²", _rhs(sp.exp(-2 * _X))),
        (
            "chernoff-as-printed",
            "kernel-signs",
            _ids("corrected", "lemma21.chernoff"),
            "1 - t² for (1-t)²",
            _rhs(Q.n * sp.exp(-(1 - M.t**2) * M.ratio / 2)),
        ),
        ("R-without-n", "kernel-signs", _ids("sharpened", "lemma21.chernoff"), "R = M_σ²", redefined(R=M_sigma**2)),
        *(
            (f"{label}-as-printed", "kernel-signs", _ids("corrected", f"lemma21.{label}"), "3 for 4(1-t)²", _rhs(M.a))
            for label in ("half", "event")
        ),
        ("union-of-halves", "kernel-wide", _ids("as-printed", "lemma21.union"), "half of the product", scaled(_half)),
        (
            "delta-at-half",
            "kernel-wide",
            _ids("sharpened", "lemma21.delta"),
            "mη²/8 for mη²/4",
            redefined(a_2=Q.n * sp.exp(-9 * Q.m * M.eta2 / (256 * M_sigma**2 * Q.n))),
        ),
        (
            "delta-without-n",
            "kernel-narrow",
            _ids("explicit", "lemma21.void"),
            "the factor n missing, as on page 34",
            redefined(a=sp.exp(-3 * Q.m * M.eta2 / (64 * M_sigma**2 * Q.n))),
        ),
    )
)
FAULTS: tuple[Fault, ...] = (*_RUNS, *_CLAIMS)
