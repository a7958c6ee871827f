"""Hermite coefficients, kernel matrices and Lemma 21: draws of W and of X, and exact distributions.

No training, and no implementation. The batch axis holds orders r = 0..8, levels t or draws, whichever the quantity has. Columns of X are
the inputs of a spec divided by their norms; W are the first d columns of the initial W, as on page 34.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from flint import arb, ctx, fmpq
from scipy import stats

from depthlimit.models import activations, tails
from depthlimit.models.data import ArrayStore, inputs
from depthlimit.models.initialisation import parameters
from depthlimit.models.measure.instance import enclosed, register_instance
from depthlimit.models.measure.random_matrix import acceptance
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import U, euclid, frobenius, gamma
from depthlimit.models.spec import KernelMatrix, PaperInit, Spec
from depthlimit.models.trajectory import realise
from depthlimit.theory import hermite
from depthlimit.theory.activation import constants
from depthlimit.theory.hermite import BITS, ORDER
from depthlimit.theory.paper.lemma21 import RISK
from depthlimit.theory.quantity import Array, Field, number

LEVELS = np.arange(1, 8) / 8
_DECOMPOSED = 20  # of the draws, so many at most are decomposed in a second way
_INCREASING = ("identity", "tanh", "erf", "arctan", "algebraic")


def _middle(x: arb) -> tuple[float, float]:
    """A ball in float64, its radius rounded up."""
    mid = float(x.mid())
    return mid, float((x - arb(mid)).abs_upper()) * (1 + 2.0**-40)


def _field(balls: list[arb], axes: tuple[str, ...] = ("batch",), scale: Array | None = None) -> Field:
    found = np.array([_middle(x) for x in balls]).reshape(-1, 2)
    return Field(found[:, 0], found[:, 1], axes, scale)


class KernelRun:
    """X and W of a spec, and `draws` more of each, from successive seeds."""

    def __init__(self, spec: Spec, arrays: ArrayStore, implementation: Any = None) -> None:
        assert isinstance(spec.regime, KernelMatrix) and isinstance(spec.init, PaperInit)
        self.spec, self.arrays, self.regime = spec, arrays, spec.regime
        self.batch = realise(spec, arrays, 1)
        self.sigma: dict[str, Any] = spec.activation.model_dump()
        self.key = spec.activation.name, spec.activation.a, spec.activation.b
        self.random = spec.data.kind == "sphere"
        self.x = self.batch.x

    def rows(self, i: int) -> Array:
        """W̃ [m d] of draw i."""
        assert isinstance(self.spec.init, PaperInit)
        init = PaperInit(seed=(self.spec.init.seed + i) % 2**32)
        W: Array = parameters(self.spec.model_copy(update={"init": init}), 1, self.arrays)["W"][0]
        return W[:, : self.spec.d]

    def columns(self, i: int) -> Array:
        """Inputs [n d] of draw i; those of the spec if they are given."""
        if not self.random or i == 0:
            return self.x
        data = self.spec.data.model_copy(update={"seed": (self.spec.data.seed + i) % 2**32})  # type: ignore[union-attr]
        return inputs(self.spec.model_copy(update={"data": data}), self.arrays)[0]

    def activations(self, W: Array, x: Array) -> Array:
        """σ(WX) [m n]."""
        return activations.value(self.sigma, W @ (x / euclid(x)[:, None]).T)

    def correlations(self, x: Array) -> list[list[arb]]:
        """<x_i, x_j>/(|x_i||x_j|) for i <= j, exactly ±1 for equal or opposite columns."""
        with ctx.workprec(BITS):
            exact = [[arb(float(v)) for v in row] for row in x]
            norms = [sum((v * v for v in row), arb(0)).sqrt() for row in exact]
            found = []
            for i, u in enumerate(exact):
                row = []
                for j in range(i, len(x)):
                    same, opposite = np.array_equal(x[i], x[j]), np.array_equal(x[i], -x[j])
                    product = sum((p * v for p, v in zip(u, exact[j], strict=True)), arb(0)) / (norms[i] * norms[j])
                    row.append(arb(1) if same else arb(-1) if opposite else product)
                found.append(row)
            return found

    def matrix(self, x: Array) -> tuple[Array, Array]:
        """Kernel matrix [n n] of the columns, without the factor m, and its radius."""
        n = len(x)
        mid, radius = np.zeros((n, n)), np.zeros((n, n))
        for i, row in enumerate(self.correlations(x)):
            for j, rho in enumerate(row, start=i):
                mid[i, j], radius[i, j] = mid[j, i], radius[j, i] = _middle(hermite.kernel(*self.key, rho))
        return mid, radius

    def kernel_min(self, x: Array) -> tuple[float, float]:
        """λ_min(E(M|X)) and its radius, which holds the multiplication by m too."""
        mid, radius = self.matrix(x)
        slack = float(frobenius(radius)) + 8 * (len(x) + 1) * U * float(frobenius(mid))
        return self.spec.m * max(float(np.linalg.eigvalsh(mid)[0]), 0.0), self.spec.m * slack

    @cached_property
    def lam(self) -> tuple[float, float]:
        """That of the first draw."""
        return self.kernel_min(self.x)

    def coefficient(self, r: int) -> arb:
        """η_r(σ)."""
        return hermite.coefficient(*self.key, r)

    def series(self, rho: arb) -> arb:
        """E σ(g₁)σ(g₂) by Mehler's series."""
        return hermite.mehler(*self.key, rho)

    def scales(self) -> tuple[float, float]:
        """By how much W and X are multiplied where rows have variance 1/d."""
        return 1 / math.sqrt(self.spec.d), math.sqrt(self.spec.d)

    @cached_property
    def eta2(self) -> arb:
        """η_r²."""
        return self.coefficient(self.regime.order) ** 2

    @cached_property
    def drawn(self) -> Array:
        """σ(WX) [draw m n], X fixed."""
        return np.stack([self.activations(self.rows(i), self.x) for i in range(self.regime.draws)])

    @cached_property
    def grams(self) -> Array:
        """M [draw n n]."""
        return np.asarray(np.einsum("rmi,rmj->rij", self.drawn, self.drawn))

    @cached_property
    def smallest(self) -> Array:
        """λ_min(M) per draw."""
        return np.asarray(np.maximum(np.linalg.eigvalsh(self.grams)[:, 0], 0.0))

    @cached_property
    def joint(self) -> Array:
        """λ_min(M) per joint draw of X and W."""
        found = [self.activations(self.rows(i), self.columns(i)) for i in range(self.regime.draws)]
        return np.array([np.linalg.eigvalsh(S.T @ S)[0] for S in found])

    @property
    def steep(self) -> bool:
        """Whether σ counts as a sign."""
        return self.spec.n == 2 and self.spec.activation.name == "erf" and self.spec.activation.b >= tails.STEEP

    @property
    def exact(self) -> bool:
        """Whether the distribution of λ_min(M) is known: sums of σ² only where its mean is large beside the lattice."""
        if self.spec.n > 1 or self.spec.m > 64:
            return self.steep
        return bool(hermite.square_mean(*self.key) > arb(constants(*self.key)["M_sigma"].hi) ** 2 / 20)

    @cached_property
    def tails(self) -> tuple[Array, Array]:
        """P(λ_min(M) <= x|X) for x = tλ, mη_r²/16 and λ/2, and its radius; 1/2 ± 1/2 where it is not known."""
        lam, event = self.lam[0], self.spec.m * float(self.eta2.mid()) / 16
        levels = np.append(LEVELS * lam, [event, lam / 2])
        if not self.exact:
            low, high = np.zeros(len(levels)), np.ones(len(levels))
        elif self.steep:
            low, high = tails.signs_below(self.sigma, self.spec.m, self.correlations(self.x)[0][1], levels)
        else:
            low, high = tails.sum_below(self.sigma, self.spec.m, levels)
        return (low + high) / 2, (high - low) / 2 * (1 + 4 * U)

    def quantile(self, probability: Array | float) -> Array:
        """The number of draws that a probability allows at the stated risk."""
        return np.asarray(stats.binom.isf(float(RISK), self.regime.draws, np.minimum(probability, 1.0)), dtype=np.float64)


register_instance(KernelRun)


@measures("M_sigma", "kernel_order", "kernel_draws", "kernel_eta2", "kernel_closed", "kernel_exact", "kernel_random", on=KernelRun)
def setting(run: KernelRun) -> Mapping[str, Field]:
    """What the instance is."""
    return {
        "M_sigma": enclosed(constants(*run.key)["M_sigma"]),
        "kernel_order": number(float(run.regime.order)),
        "kernel_draws": number(float(run.regime.draws)),
        "kernel_eta2": number(*_middle(run.eta2)),
        "kernel_closed": number(float(hermite.kernel_closed(*run.key, arb(0)) is not None)),
        "kernel_exact": number(float(run.exact)),
        "kernel_random": number(float(run.random)),
    }


_HERMITE = ("r", "eta", "quad", "slope", "partial", "slope_partial", "square", "slope_square", "rest", "next", "even_part", "symmetric")


@measures(*(f"hermite_{name}" for name in _HERMITE), on=KernelRun)
def coefficients(run: KernelRun) -> Mapping[str, Field]:
    """Coefficients of order 0..8, of σ and σ', and what they leave; 9 and 10 for what follows."""
    key, orders = run.key, range(ORDER + 1)
    parity = hermite.PARITY[run.key[0]]
    with ctx.workprec(BITS):
        eta = [run.coefficient(r) for r in range(ORDER + 3)]
        quad = [hermite.by_quadrature(*key, r) for r in orders]
        slope = [arb(0)] + [hermite.by_quadrature(*key, r - 1, True) for r in orders[1:]]
        square, steepness = (hermite.square_by_quadrature(*key, slope) for slope in (False, True))
        partial = [sum((v**2 for v in eta[: r + 1]), arb(0)) for r in orders]
        weighted = [sum((s * v**2 for s, v in enumerate(eta[: r + 1])), arb(0)) for r in orders]
        rest = (hermite.square_mean(*key) - partial[-1]).max(arb(0))
        size = np.full(ORDER + 1, float(square.sqrt().mid()))
        wrong = [quad[r] if parity and (r % 2 == 0) != (parity == 1) else arb(0) for r in orders]
        return {
            "hermite_r": Field(np.arange(ORDER + 1.0), np.zeros(()), ("batch",)),
            "hermite_eta": _field(eta[: ORDER + 1], scale=size),
            "hermite_quad": _field(quad, scale=size),
            "hermite_slope": _field(slope, scale=np.full(ORDER + 1, float(steepness.sqrt().mid()))),
            "hermite_partial": _field(partial),
            "hermite_slope_partial": _field(weighted),
            "hermite_square": number(*_middle(square)),
            "hermite_slope_square": number(*_middle(steepness)),
            "hermite_rest": number(*_middle(rest)),
            "hermite_next": number(*_middle(eta[ORDER + 1] ** 2 + eta[ORDER + 2] ** 2)),
            "hermite_even_part": _field(wrong, scale=size),
            "hermite_symmetric": number(float(parity != 0)),
        }


def rodrigues(order: int) -> list[list[int]]:
    """Coefficients of √r! h_r = (-1)^r e^{x²/2} d^r/dx^r e^{-x²/2}, r = 0..order: each derivative turns p into p' - xp."""
    found = [[1]]
    for _ in range(order):
        p = found[-1]
        slope = [*(k * c for k, c in enumerate(p) if k), 0, 0]
        found.append([-(s - x) for s, x in zip(slope, [0, *p], strict=True)])
    return found


@measures("hermite_gram", "hermite_identity", on=KernelRun)
def orthonormal(run: KernelRun) -> Mapping[str, Field]:
    """Inner products from E g^{2k} = (2k-1)!!, exactly, but for the roots of the factorials."""
    polynomials = rodrigues(ORDER)
    gram, radius = np.zeros((2, ORDER + 1, ORDER + 1))
    for r, p in enumerate(polynomials):
        for s, v in enumerate(polynomials):
            total = sum(
                (c * e * math.prod(range(1, j + k, 2)) for j, c in enumerate(p) for k, e in enumerate(v) if (j + k) % 2 == 0),
                0,
            )
            with ctx.workprec(BITS):
                gram[r, s], radius[r, s] = _middle(arb(fmpq(total)) / arb(math.factorial(r) * math.factorial(s)).sqrt())
    axes = ("batch", "layer")
    return {
        "hermite_gram": Field(gram, radius, axes, np.ones_like(gram)),
        "hermite_identity": Field(np.eye(ORDER + 1), np.zeros(()), axes, np.ones_like(gram)),
    }


@measures("kernel_entry", "kernel_mehler", "kernel_sampled_gap", on=KernelRun)
def entries(run: KernelRun) -> Mapping[str, Field]:
    """The kernel of each pair of columns, in two ways, and its distance from the mean over all draws."""
    pairs = [rho for row in run.correlations(run.x) for rho in row[1:]]
    square = float(hermite.square_mean(*run.key).mid())
    size, upper = np.full(len(pairs), square), np.triu_indices(run.spec.n)
    exact, radius = (matrix[upper] for matrix in run.matrix(run.x))
    mean = np.mean(run.grams, axis=0)[upper] / run.spec.m
    rounding = 2 * float(np.max(_sigma_error(run))) * math.sqrt(square) + gamma(run.spec.m * run.regime.draws) * square
    return {
        "kernel_entry": _field([hermite.kernel(*run.key, rho) for rho in pairs], ("sample",), size),
        "kernel_mehler": _field([run.series(rho) for rho in pairs], ("sample",), size),
        "kernel_sampled_gap": Field(np.abs(mean - exact), radius + rounding, ("sample",)),
    }


def _sigma_error(run: KernelRun) -> Array:
    """Error of the first draw's σ(WX) [m n]: of the argument and of the evaluation; an increasing σ moves by what its ends say."""
    W, X = run.rows(0), (run.x / euclid(run.x)[:, None]).T
    u = W @ X
    shift = gamma(2 * run.spec.d + 8) * euclid(W)[:, None]
    moved = constants(*run.key)["K_sigma"].hi * shift
    if run.key[0] in _INCREASING:
        moved = np.minimum(moved, activations.value(run.sigma, u + shift) - activations.value(run.sigma, u - shift))
    return np.asarray(activations.evaluation_error(run.sigma, u) + moved)


@measures("kernel_activations", "kernel_rescaled", on=KernelRun)
def rescaled(run: KernelRun) -> Mapping[str, Field]:
    """σ(WX) at the first draw, and the same from W/√d and √d X."""
    less, more = run.scales()
    W, X = run.rows(0), (run.x / euclid(run.x)[:, None]).T
    other = activations.value(run.sigma, (less * W) @ (more * X))
    error = np.asarray(frobenius(_sigma_error(run)))
    return {
        "kernel_activations": Field(run.drawn[0].ravel(), error, ("component",)),
        "kernel_rescaled": Field(other.ravel(), 2 * error, ("component",)),
    }


@measures("kernel_min", "kernel_hadamard", "kernel_discs", "kernel_correlation", on=KernelRun)
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


@measures("kernel_sum_min", "kernel_singular2", "kernel_row", on=KernelRun)
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
    error = float(np.max(_sigma_error(run)))
    return {
        "kernel_sum_min": Field(
            np.maximum(np.linalg.eigvalsh(total)[:, 0], 0.0), (gamma(S.shape[1] + 2) + 8 * n * U) * size**2, ("batch",)
        ),
        "kernel_singular2": Field(smallest**2, (2 * smallest + slack) * slack, ("batch",)),
        "kernel_row": Field(row, gamma(n + 2) * row + 2 * np.sqrt(n * row) * error, ("batch",)),
    }


@measures("kernel_t", "kernel_tail", "kernel_half", "kernel_event", on=KernelRun)
def chernoff(run: KernelRun) -> Mapping[str, Field]:
    """Exact tails at the levels tλ, λ/2 and mη²/16."""
    value, radius = run.tails
    return {
        "kernel_t": Field(LEVELS, np.zeros(()), ("batch",)),
        "kernel_tail": Field(value[:-2], radius[:-2], ("batch",)),
        "kernel_event": number(float(value[-2]), float(radius[-2])),
        "kernel_half": number(float(value[-1]), float(radius[-1])),
    }


@measures("kernel_below", "kernel_below_allowed", "kernel_excess", "kernel_deviation", on=KernelRun)
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


@measures(*_DELTAS, on=KernelRun)
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
    with ctx.workprec(BITS):
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


@measures("kernel_proxy", "kernel_cap_t", "kernel_cap", "kernel_pair", "kernel_low_8", "kernel_low_4", on=KernelRun)
def close_columns(run: KernelRun) -> Mapping[str, Field]:
    """The variance proxy of the uniform law, its tails, and how often two columns are too close."""
    n, d = run.spec.n, run.spec.d
    _, high, at = tails.variance_proxy(d)
    levels = np.append(np.arange(1, 16) / 16 * math.sqrt(d), at)
    root = arb(d).sqrt()
    exact = {}
    for name, share in (("kernel_low_8", 0.125), ("kernel_low_4", 0.25)):
        ends = [_middle(tails.cap(d, rho))[0] for rho in _correlation_at(run, share)]
        exact[name] = number((ends[0] + ends[1]) / 2, (ends[0] - ends[1]) / 2 + 4 * U * ends[0])
    return {
        "kernel_proxy": number(high),
        "kernel_cap_t": Field(levels, np.zeros(()), ("batch",)),
        "kernel_cap": _field([tails.cap(d, arb(float(t)) / root) for t in levels]),
        "kernel_pair": number(*_middle(tails.cap(d, (arb(3) / (4 * n)) ** (arb(1) / run.regime.order)))),
        **exact,
    }


_FLAGS = ("kernel_narrow", "kernel_copies", "kernel_antipodal", "kernel_linear")


@measures("kernel_s_n", *_FLAGS, on=KernelRun)
def collapse(run: KernelRun) -> Mapping[str, Field]:
    """The n-th singular value of S̄, from a decomposition of S̄ padded to n rows, and what makes it vanish."""
    n = run.spec.n
    S = run.drawn[0]
    padded = np.vstack([S, np.zeros((max(n - len(S), 0), n))])
    values = np.linalg.svd(padded, compute_uv=False)
    slack = float(frobenius(_sigma_error(run))) + 8 * max(padded.shape) * U * float(values[0])
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
