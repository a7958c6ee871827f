"""Wrong samplers, wrong toy networks and wrong statements: Lemma 20, the steps of B.3, the running text, Appendix D, the hypotheses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import sympy as sp

from depthlimit.conformance.faults.planting import BASE, Fault, claim_fault, redefined, scaled
from depthlimit.models.corpus import SUM_NORM
from depthlimit.models.implementation import Array
from depthlimit.models.measure.counterexamples import CounterexamplesRun
from depthlimit.models.measure.random_matrix import RandomMatrixRun
from depthlimit.models.measure.relu import ReluRun
from depthlimit.models.spec import Spec
from depthlimit.theory.paper import appendix_d as D
from depthlimit.theory.paper import lemma20, prop3_steps
from depthlimit.theory.paper import quantities as Q

_ONE = dict.fromkeys(("d", "dout", "q", "m", "L", "n"), 1)


def _matrix(q: int, m: int, level: float, draws: int = 100) -> dict[str, Any]:
    return {**_ONE, "q": q, "m": m, "regime": {"kind": "random-matrix", "level": level, "draws": draws}}


def _chain(L: int, x: float, C: float, **more: Any) -> dict[str, Any]:
    data = {"kind": "arrays", "arrays": {"inline": [["x", [1, 1], [x]], ["y", [1, 1], [C * x]]]}}
    relu = {"regime": {"kind": "relu"}, "activation": {"name": "relu"}, "T": 8.0, "times": (0.0, 0.5, 1.0, 8.0)}
    return {**_ONE, **relu, "L": L, "data": data, **more}


SPECS: dict[str, Spec] = {
    name: Spec.model_validate(value)
    for name, value in {
        "matrix-mean": _matrix(4, 8, 1.0, lemma20.DRAWN // 32),
        "matrix-root-2": _matrix(1, 64, 2.0),
        "matrix-2": _matrix(1, 64, 4.0),
        "matrix-small": _matrix(402, 1, 1.1),
        "two-layers": _chain(1, 1.0, 2.0),
        "chain": _chain(3, 2.0, 3.0, T=2.0, times=(0.0, 0.25, 1.0, 2.0)),
        "deep-chain": _chain(16, 1.0, 2.0),
        "smooth-chain": _chain(4, 1.0, 3.0, activation={"name": "gelu"}, T=1.0, times=(0.0, 0.01, 0.02)),
        "toys": {**_ONE, "regime": {"kind": "counterexamples", "depths": (8, 16, 32, 64)}, "T": 0.24, "times": (0.0, 0.1, 0.24)},
        "shallow-toys": {**_ONE, "regime": {"kind": "counterexamples", "depths": (2, 4, 8, 16)}, "T": 0.24},
        "sum-norm": SUM_NORM.to_json(),
        "event": {
            **{**_ONE, "L": 2, "T": 0.1},
            "regime": {"kind": "clipped-flow"},
            "clip": {"kind": "smooth", "radius": 0.1},
            "init": {"kind": "paper", "seed": 1104},
        },
        "cube": {
            **{"d": 2, "dout": 2, "q": 2, "m": 1, "L": 2, "n": 2, "T": 0.1},
            "regime": {"kind": "clipped-flow"},
            "clip": {"kind": "coordinate", "radius": 0.01},
            "init": {"kind": "gp", "seed": 1},
            "data": {"kind": "sphere", "label_scale": 10.0},
        },
        "fourier": {**_ONE, "L": 8, "regime": {"kind": "plain-flow"}, "T": 0.1, "init": {"kind": "fourier", "seed": 2, "terms": 1}},
        "overlap": {**BASE, "q": 3, "regime": {"kind": "plain-flow"}, "T": 0.1},
        "unbounded": {
            **BASE,
            "regime": {"kind": "plain-flow"},
            "activation": {"name": "identity"},
            "T": 0.1,
            "times": (0.0, 0.01, 0.1),
        },
    }.items()
}


class WideSampler(RandomMatrixRun):
    """The sampler draws with standard deviation 1.1."""

    def draw(self, seed: int) -> Array:
        """W of the right sampler, times 1.1."""
        return 1.1 * super().draw(seed)


class DoubledSampler(RandomMatrixRun):
    """The sampler draws with standard deviation 2.5."""

    def draw(self, seed: int) -> Array:
        """W of the right sampler, times 2.5."""
        return 2.5 * super().draw(seed)


class LeakyRelu(ReluRun):
    """The activation leaks: its slope below 0 is 1/10."""

    def sigma(self, u: float) -> tuple[float, float]:
        """max(u, u/10)."""
        return (u, 1.0) if u > 0 else (u / 10, 0.1)


class FasterChain(ReluRun):
    """The chain is trained at 1.001 times the speed."""

    def velocity(self, w: Array) -> Array:
        """A thousandth too fast."""
        return 1.001 * super().velocity(w)


class TamedToys(CounterexamplesRun):
    """Every toy keeps its hypotheses: the branch is linear, zero at zero and divided by L; both π are bounded and Lipschitz; σ is C²."""

    kinked: Mapping[str, Any] = {"name": "gelu", "a": 1.0, "b": 1.0}

    def branch(self, h: float, scale: float, f: Callable[[float], float], L: int) -> float:
        """h + h/L."""
        return super().branch(h, 1 / L, lambda h: h, L)

    def factor(self, L: int) -> float:
        """The factor 1/L stays."""
        return 1.0

    def signs(self, descent: Array) -> Array:
        """A smooth clip of a small slope."""
        return np.asarray(np.tanh(descent / 100))

    def reverse(self, descent: Array) -> Array:
        """No reversal."""
        return descent


class DoubledBranch(CounterexamplesRun):
    """Every branch counts twice."""

    def branch(self, h: float, scale: float, f: Callable[[float], float], L: int) -> float:
        """Twice the scale."""
        return super().branch(h, 2 * scale, f, L)


class AveragedLayers(CounterexamplesRun):
    """Training ends with the mean of the layers in each of them."""

    def layers(self, L: int, tied: bool, rtol: float) -> tuple[Array, Array]:
        """The right start and loss."""
        Z, loss = super().layers(L, tied, rtol)
        return np.stack([Z[0], np.broadcast_to(Z[1].mean(axis=0), Z[1].shape)]), loss


def _replaced(rhs: sp.Expr) -> Any:
    return lambda c: replace(c, rhs=rhs)


_A, _I, _ALONG = "a-priori", "instantaneous", "along-trajectory"
_half, _N, _a = sp.Rational(1, 2), lemma20.N, lemma20.a
_LEMMA = (
    claim_fault("power-overstated", "matrix-mean", f"lemma20.power[explicit,{_A}]", "a tenth of the chance to miss", scaled(_half**4)),
    claim_fault(
        "tail-at-twice-x", "matrix-2", f"lemma20.laurent-massart[as-printed,{_A}]", "e^{-2x} for e^{-x}", lambda c: replace(c, rhs=c.rhs**2)
    ),
    claim_fault("x-over-8", "matrix-2", f"lemma20.root[as-printed,{_A}]", "8 for 16 in x", redefined(x=(_a - 1) * _N / 8)),
    claim_fault("root-bound-halved", "matrix-root-2", f"lemma20.root-bound[as-printed,{_A}]", "¼ for ½", scaled(_half)),
    claim_fault("linear-term-of-x-over-4", "matrix-2", f"lemma20.linear[as-printed,{_A}]", "3 for 16 in x", redefined(x=(_a - 1) * _N / 3)),
    claim_fault(
        "linear-term-of-x-over-17", "matrix-2", f"lemma20.linear[explicit,{_A}]", "17 for 16 in x", redefined(x=(_a - 1) * _N / 17)
    ),
    *(
        claim_fault(f"prefactor-{label}", spec, f"{label}[sharpened,{_A}]", f"{factor} of the prefactor", scaled(factor))
        for label, spec, factor in (
            ("lemma20.prefactor", "matrix-2", sp.Rational(99, 100)),
            ("prop3.event", "matrix-2", sp.Rational(99, 100)),
            ("prop5.event", "matrix-root-2", sp.Rational(24, 25)),
        )
    ),
    claim_fault("threshold-halved", "matrix-root-2", f"lemma20.threshold[as-printed,{_A}]", "half the level", scaled(_half)),
    claim_fault("inclusion-halved", "matrix-root-2", f"lemma20.inclusion[as-printed,{_A}]", "half the larger event", scaled(_half)),
    claim_fault("tail-without-16", "matrix-2", f"lemma20.tail[as-printed,{_A}]", "the 16 dropped", redefined(x=(_a - 1) * _N)),
    claim_fault(
        "chernoff-without-2",
        "matrix-2",
        f"lemma20.tail[sharpened,{_A}]",
        "the 2 dropped in Chernoff's exponent",
        lambda c: replace(c, rhs=c.rhs**2),
    ),
    claim_fault("small-level-with-17", "matrix-small", f"lemma20.small-level[explicit,{_A}]", "17 for 16", redefined(x=(_a - 1) * _N / 17)),
    claim_fault(
        "prop3-event-without-16", "matrix-2", f"prop3.event[as-printed,{_A}]", "3qm for 3qm/16", lambda c: replace(c, rhs=c.rhs**16)
    ),
    claim_fault(
        "prop5-event-without-16", "matrix-root-2", f"prop5.event[as-printed,{_A}]", "qm for qm/16", lambda c: replace(c, rhs=c.rhs**16)
    ),
    Fault("wide-sampler", WideSampler.__doc__ or "", ("matrix-mean",), (f"lemma20.chi-square[as-printed,{_A}]",), runs=WideSampler),
    Fault("doubled-sampler", DoubledSampler.__doc__ or "", ("matrix-2",), (f"lemma20.frequency[as-printed,{_A}]",), runs=DoubledSampler),
)
_P = prop3_steps
_PROP3 = (
    *(
        claim_fault(
            f"start-{k}-squared", "start", f"prop3.start-{k}[as-printed,{_A}]", "the root dropped", lambda c: replace(c, rhs=c.rhs**2)
        )
        for k in "AB"
    ),
    claim_fault("start-of-next-layer-doubled", "start", f"prop3.start-layers[as-printed,{_A}]", "2W for W in the next layer", scaled(2)),
    claim_fault("M0-one-percent-less", "event", f"prop3.M0[as-printed,{_A}]", "0.99 of 2√(qm)", scaled(sp.Rational(99, 100))),
    *(claim_fault(f"M-pi-halved-{k}", "cube", f"prop3.M-pi-{k}[as-printed,{_I}]", f"half of M_π, for {k}", scaled(_half)) for k in "AZB"),
    claim_fault(
        "vector-norm-as-sum", "sum-norm", f"prop3.norm-of-vector[corrected,{_I}]", "the sum for the root", _replaced(_P.V_here + _P.W_here)
    ),
    claim_fault(
        "vector-norm-as-max", "sum-norm", f"prop3.norms-lower[explicit,{_I}]", "max for the sum", _replaced(sp.Max(_P.V_here, _P.W_here))
    ),
    claim_fault("sum-norm-without-root-2", "sum-norm", f"prop3.norms-upper[explicit,{_I}]", "√2 dropped", _replaced(_P.Z_euclid)),
    claim_fault("gap-as-max", "plain", f"prop3.max-norm[explicit,{_I}]", "max for the root", _replaced(sp.Max(_P.gap_V, _P.gap_W))),
    claim_fault("step-20-without-root-2", "sum-norm", f"prop3.operator-norm[corrected,{_I}]", "√2 dropped", _replaced(_P.pull)),
    claim_fault(
        "step-20-one-percent-less", "sum-norm", f"prop3.operator-norm[sharpened,{_I}]", "0.99 of ‖∂₂f‖₂", scaled(sp.Rational(99, 100))
    ),
)
_SECTION3 = (
    claim_fault("isometry-doubled", "start", f"section3.isometry[as-printed,{_I}]", "2I for I", scaled(2)),
    claim_fault(
        "overlap-by-one",
        "overlap",
        f"section3.overlap[as-printed,{_I}]",
        "one row too few",
        _replaced(sp.Max(Q.d + Q.dout - Q.q - 1, 0) + 1),
    ),
    claim_fault("contraction", "plain", f"section3.clip-lipschitz[explicit,{_I}]", "Lipschitz constant 0.99", scaled(sp.Rational(99, 100))),
    claim_fault(
        "shift-over-L-1", "plain", f"eq8.shift[explicit,{_A}]", "1/(L-1) for 1/L", lambda c: replace(c, lhs=c.lhs * (Q.L - 1) / Q.L)
    ),
    claim_fault("last-layer-unseen", "plain", f"eq8.layers[explicit,{_A}]", "L - 1 layers", _replaced(Q.L - 1)),
    *(
        claim_fault(
            f"lipschitz-{k}-one-percent-less", "plain", f"section4.lipschitz-{k}[as-printed,{_I}]", "0.99 K", scaled(sp.Rational(99, 100))
        )
        for k in "VW"
    ),
    claim_fault("M-constant-in-T", "clipped", f"section4.growth-of-M[corrected,{_A}]", "M(2T) <= M(T)", scaled(_half)),
)
_SECTION43 = (
    claim_fault(
        "covariance-without-2", "plain", f"section43.covariance[as-printed,{_A}]", "ℓ² for 2ℓ²", lambda c: replace(c, rhs=c.rhs**2)
    ),
    claim_fault("start-at-next-layer", "plain", f"section43.discretisation[as-printed,{_A}]", "twice the function", scaled(2)),
    *(
        claim_fault(
            f"start-{k}-over-L-squared",
            "fourier",
            f"section43.start-{k}[as-printed,{_A}]",
            "L² for L",
            lambda c: replace(c, lhs=c.lhs * Q.L),
        )
        for k in "VW"
    ),
)
_RELU = (
    Fault(
        "leaky-relu",
        LeakyRelu.__doc__ or "",
        ("chain",),
        (f"relu.odd[as-printed,{_ALONG}]", f"relu.product[as-printed,{_ALONG}]"),
        runs=LeakyRelu,
    ),
    Fault("faster-chain", FasterChain.__doc__ or "", ("chain",), (f"relu.symmetry[as-printed,{_ALONG}]",), runs=FasterChain),
    claim_fault("relu-start-at-depth", "chain", f"relu.start[as-printed,{_ALONG}]", "1/(2L) for 1/L", scaled(_half)),
    claim_fault("relu-gradient-as-printed", "chain", f"relu.gradient[corrected,{_I}]", "x/(2L) missing", scaled(2 * Q.L / D.x)),
    claim_fault("relu-ode-as-printed", "chain", f"relu.ode[corrected,{_I}]", "x for x²", scaled(1 / D.x)),
    claim_fault(
        "relu-decay-at-x",
        "two-layers",
        f"relu.decay[explicit,{_ALONG}]",
        "2x² for x²",
        lambda c: replace(c, rhs=c.rhs.xreplace({Q.t: 2 * Q.t})),
    ),
    claim_fault("relu-limit-without-2", "two-layers", f"relu.limit[explicit,{_ALONG}]", "the 2 dropped", scaled(sp.Rational(99, 100))),
    claim_fault("relu-limit-squared", "chain", f"relu.limit-equation[as-printed,{_A}]", "C² for C", lambda c: replace(c, rhs=c.rhs**2)),
    claim_fault("relu-limit-too-far", "deep-chain", f"relu.limit-bound[as-printed,{_A}]", "2.1 for 2", scaled(sp.Rational(21, 20))),
    claim_fault("relu-gap-too-far", "deep-chain", f"relu.gap[as-printed,{_ALONG}]", "2.1 for 2", scaled(sp.Rational(21, 20))),
    claim_fault(
        "smooth-chain-rests",
        "smooth-chain",
        f"relu.smooth[explicit,{_ALONG}]",
        "α and β dropped",
        redefined(alpha=sp.Integer(0), beta=sp.Integer(0)),
    ),
)
_H = "hypothesis."
_TOYS = (
    Fault(
        "tamed-toys",
        TamedToys.__doc__ or "",
        ("toys",),
        (
            *(
                f"{_H}{k}[explicit,{_A}]"
                for k in ("scaling-trained", "scaling-unscaled", "scaling-root", "scaling-limit", "zero-at-zero", "lipschitz-in-h")
            ),
            f"{_H}clip-lipschitz[explicit,{_A}]",
            f"{_H}clip-bounded[explicit,{_ALONG}]",
            f"{_H}sigma-C1[explicit,{_A}]",
            f"control.relu-model[explicit,{_ALONG}]",
        ),
        runs=TamedToys,
    ),
    Fault(
        "doubled-branch",
        DoubledBranch.__doc__ or "",
        ("toys",),
        (f"{_H}scaling-kept[explicit,{_A}]", f"{_H}zero-at-zero-remains[explicit,{_A}]"),
        runs=DoubledBranch,
    ),
    Fault(
        "averaged-layers",
        AveragedLayers.__doc__ or "",
        ("shallow-toys",),
        (f"control.iid-rough[explicit,{_ALONG}]", f"control.iid-not-cauchy[explicit,{_ALONG}]"),
        runs=AveragedLayers,
    ),
    claim_fault("independent-layers-faster", "shallow-toys", f"control.iid-decay[explicit,{_ALONG}]", "2 for ½", scaled(4)),
    claim_fault(
        "tied-gap-over-L2",
        "shallow-toys",
        f"control.tied-smooth[explicit,{_ALONG}]",
        "¼ for ½: a difference of order 1/L²",
        scaled(sp.Rational(3, 8)),
    ),
    claim_fault("trained-weights-halved", "toys", f"{_H}scaling-trained-weights[explicit,{_A}]", "half of the bound", scaled(_half)),
    claim_fault("sign-start-doubled", "toys", f"{_H}clip-lipschitz-start[explicit,{_A}]", "2√2 for √2", scaled(2)),
    claim_fault(
        "unbounded-without-beta", "unbounded", f"{_H}sigma-bounded[sharpened,{_ALONG}]", "β dropped", redefined(beta=sp.Integer(0))
    ),
)
FAULTS: tuple[Fault, ...] = (*_LEMMA, *_PROP3, *_SECTION3, *_SECTION43, *_RELU, *_TOYS)
