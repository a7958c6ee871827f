"""Appendix D: a chain of 2L scalar layers h + σ(w h)/(2L) on one sample, trained by gradient flow with the factor 2L of (4).

No implementation of (3) is asked: the chain has one weight per layer and neither A nor B. The gradient is backpropagated through the
recursion as it stands; nothing uses that even layers coincide or that odd ones rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from flint import arb, ctx

from depthlimit.models import activations
from depthlimit.models.data import ArrayStore
from depthlimit.models.flow import Block, solve
from depthlimit.models.measure.instance import register_instance
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import gamma
from depthlimit.models.spec import Relu, Spec
from depthlimit.models.trajectory import realise
from depthlimit.theory.quantity import Array, Field, number

BT, BTL = ("batch", "time"), ("batch", "time", "layer")
_COARSE = 100  # the second run's tolerance over the first's: their difference is the error of the coarser


class ReluRun:
    """The chain of one spec along its flow. Weights are w_1..w_2L; odd ones have even index here."""

    def __init__(self, spec: Spec, arrays: ArrayStore, implementation: Any = None) -> None:
        assert isinstance(spec.regime, Relu)
        self.spec, self.layers = spec, 2 * spec.L
        self.batch = realise(spec, arrays)
        self.x, self.y = float(self.batch.x[0, 0]), float(self.batch.y[0, 0])
        self.times = np.array(spec.times)
        self.start = np.where(np.arange(1, self.layers + 1) % 2 == 0, 1.0, -1.0) / self.layers

    def sigma(self, u: float) -> tuple[float, float]:
        """σ(u) and σ'(u)."""
        sigma = self.spec.activation.model_dump()
        if sigma["name"] == "relu":
            return (sigma["a"] * sigma["b"] * u, sigma["a"] * sigma["b"]) if u > 0 else (0.0, 0.0)
        at = np.array([u])
        return float(activations.value(sigma, at)[0]), float(activations.derivative(sigma, at)[0])

    def backpropagate(self, w: Array) -> tuple[Array, Array, Array]:
        """States h_0..h_2L, adjoints ∂ℓ/∂h_0..∂ℓ/∂h_2L and ∂ℓ/∂w, for weights w [2L]."""
        N, h, slopes = self.layers, [self.x], []
        for weight in w.tolist():
            value, slope = self.sigma(weight * h[-1])
            h.append(h[-1] + value / N)
            slopes.append(slope)
        p, gradient = [2 * (h[-1] - self.y)], np.empty(N)
        for k in range(N - 1, -1, -1):
            gradient[k] = p[-1] * slopes[k] * h[k] / N
            p.append(p[-1] * (1 + slopes[k] * float(w[k]) / N))
        return np.array(h), np.array(p[::-1]), gradient

    def velocity(self, w: Array) -> Array:
        """w' = -2L ∂ℓ/∂w."""
        return np.asarray(-self.layers * self.backpropagate(w)[2])

    def _followed(self, rtol: float) -> Array:
        moved = solve(lambda _, w: self.velocity(w), self.start, self.times, rtol, [Block(self.layers)])
        return np.asarray(self.start + moved)

    @cached_property
    def weights(self) -> tuple[Array, Array]:
        """w(t) [T 2L], and its error [T], Euclidean over the layers; 2⁻⁴⁰ for the rounding of sums over steps, as in a Trajectory."""
        fine, coarse = (self._followed(rtol) for rtol in (1e-12, 1e-12 * _COARSE))
        error = np.linalg.norm(fine - coarse, axis=1) + 2.0**-40 * np.linalg.norm(fine, axis=1)
        return fine, np.where(self.times == 0, 0.0, error)

    @cached_property
    def scalar(self) -> tuple[Array, Array]:
        """The scalar equation w' = 2x²(C - u^L)u^{L-1}, u = 1 + w/2L, solved on its own [T], and its error."""
        L, C = self.spec.L, self.y / self.x

        def rhs(_: float, w: Array) -> Array:
            u = 1 + w / self.layers
            return np.asarray(2 * self.x**2 * (C - u**L) * u ** (L - 1))

        start = np.array([1.0 / self.layers])
        fine, coarse = (start + solve(rhs, start, self.times, rtol, [Block(1)]) for rtol in (1e-12, 1e-12 * _COARSE))
        return fine[:, 0], np.abs(fine - coarse)[:, 0] + 2.0**-40 * np.abs(fine[:, 0])

    @cached_property
    def unscaled(self) -> tuple[Array, Array]:
        """w(t) of dw/dt = -∂ℓ/∂w, which runs 2L times more slowly [T 2L], and its error [T]."""
        fine, coarse = (
            self.start + solve(lambda _, w: self.velocity(w) / self.layers, self.start, self.times, rtol, [Block(self.layers)])
            for rtol in (1e-10, 1e-10 * _COARSE)
        )
        return fine, np.linalg.norm(fine - coarse, axis=1) + 2.0**-40 * np.linalg.norm(fine, axis=1)

    @cached_property
    def passes(self) -> tuple[Array, Array, Array]:
        """`backpropagate` at every saved time: h [T 2L+1], p [T 2L+1], gradient [T 2L]."""
        h, p, g = zip(*(self.backpropagate(w) for w in self.weights[0]), strict=True)
        return np.stack(h), np.stack(p), np.stack(g)

    @cached_property
    def limit(self) -> tuple[arb, arb]:
        """w* = 2L(C^{1/L} - 1) and (1 + w*/2L)^L in ball arithmetic, C = y/x."""
        ctx.prec = 128
        L = self.spec.L
        w = 2 * L * ((arb(self.y) / arb(self.x)).root(L) - 1)
        return w, (1 + w / (2 * L)) ** L


register_instance(ReluRun)


def _ball(value: arb) -> Field:
    mid = float(value.mid())
    return number(mid, float((value - arb(mid)).abs_upper()))


@measures("t", "relu_C", "relu_x", "relu_kink", "relu_gap_start", "relu_w_star", "relu_power", on=ReluRun)
def constants(run: ReluRun) -> Mapping[str, Field]:
    """Numbers of the instance and of the limit."""
    C = run.y / run.x
    gap = float(np.max(np.abs(np.diff(run.start))))
    return {
        "t": Field(run.times, np.zeros(()), ("time",)),
        "relu_C": number(C, gamma(1) * C),
        "relu_x": number(run.x),
        "relu_kink": number(float(run.spec.activation.name == "relu")),
        "relu_gap_start": number(gap, gamma(2) * gap),
        "relu_w_star": _ball(run.limit[0]),
        "relu_power": _ball(run.limit[1]),
    }


@measures("relu_h", "relu_argument", "relu_product", "relu_others", "relu_descent", "relu_speed", "relu_w", on=ReluRun)
def local(run: ReluRun) -> Mapping[str, Field]:
    """Functions of the computed weights: every one is a product of at most 4L + 8 factors, each rounded a few times."""
    w, (h, _, g) = run.weights[0], run.passes
    factors = 1 + w[:, 1::2] / run.layers  # [T L]
    product = np.prod(factors, axis=1)
    own = gamma(16 * run.spec.L + 32)
    others = product[:, None] / factors
    arguments = np.min(-w[:, 0::2] * h[:, :-1:2], axis=1)  # [T], the odd layers
    terms = (np.abs(h[:, -1]) + abs(run.y)) / np.maximum(np.abs(h[:, -1] - run.y), 1e-300)  # p_2L is a difference of these
    size = np.abs(g[:, 1::2]) * terms[:, None]
    size = np.where(g[:, 1::2] == 0, 2 * (np.abs(h[:, -1:]) + abs(run.y)) * np.abs(h[:, :-1][:, 1::2]), size)
    return {
        "relu_h": Field(h[None, :, -1], own * np.abs(h[None, :, -1]), BT),
        "relu_argument": Field(arguments[None], own * np.abs(arguments[None]), BT),
        "relu_product": Field(product[None], own * product[None], BT),
        "relu_others": Field(others[None], own * others[None], BTL),
        "relu_descent": Field(-g[None, :, 1::2], own * size[None], BTL, size[None]),
        "relu_speed": Field(-run.layers * g[None, :, -1], run.layers * own * size[None, :, -1], BT, run.layers * size[None, :, -1]),
        "relu_w": Field(np.abs(w[None, :, -1]), np.zeros(()), BT),
    }


@measures(
    "relu_odd",
    "relu_odd_start",
    "relu_even",
    "relu_w_ode",
    "relu_y",
    "relu_y_start",
    "relu_distance",
    "relu_gap",
    "relu_gap_max",
    on=ReluRun,
)
def along(run: ReluRun) -> Mapping[str, Field]:
    """The weights along the flow. |dy/dw| = u^{L-1}/2, within 1.01 of its value at the computed state."""
    (w, e), L = run.weights, run.spec.L
    u = 1 + w[:, -1] / run.layers
    y = np.abs(run.y / run.x - u**L)
    dy = 1.01 * e * np.abs(u) ** (L - 1) / 2 + gamma(4 * L + 8) * (run.y / run.x + np.abs(u) ** L)
    gaps = np.abs(np.diff(w, axis=1))
    limit = _ball(run.limit[0])
    away = np.abs(float(limit.values) - w[:, -1])
    scalar, scalar_error = run.scalar
    own = gamma(4) * np.max(np.abs(w), axis=1)
    return {
        "relu_odd": Field(w[None, :, 0::2], e[None], ("batch", "time", "component")),
        "relu_odd_start": Field(run.start[None, 0::2], np.zeros(()), ("batch", "component")),
        "relu_even": Field(np.abs(w[None, :, 1::2]), e[None, :, None], BTL),
        "relu_w_ode": Field(np.abs(scalar[None]), scalar_error[None], BT),
        "relu_y": Field(y[None], dy[None], BT),
        "relu_y_start": number(float(y[0]), float(dy[0])) if run.times[0] == 0 else number(np.inf),
        "relu_distance": Field(away[None], (e + float(limit.radius) + own)[None], BT),
        "relu_gap": Field(gaps.min(axis=1)[None], (2 * e + own)[None], BT),
        "relu_gap_max": Field(gaps.max(axis=1)[None], (2 * e + own)[None], BT),
    }


@measures("relu_gap_unscaled", on=ReluRun)
def unscaled(run: ReluRun) -> Field:
    """Successive differences along the flow without the factor 2L."""
    w, e = run.unscaled
    return Field(np.abs(np.diff(w, axis=1)).max(axis=1)[None], (2 * e + gamma(4) * np.max(np.abs(w), axis=1))[None], BT)


@measures("relu_p_sup", "relu_h_sup", "relu_w_sup", on=ReluRun)
def suprema(run: ReluRun) -> Mapping[str, Field]:
    """Suprema along the run: maxima over the saved times, widened by the largest change between two of them."""
    h, p, _ = run.passes
    fields = {}
    for name, values in (("relu_p_sup", p), ("relu_h_sup", h), ("relu_w_sup", run.weights[0])):
        largest = float(np.max(np.abs(values)))
        between = float(np.max(np.abs(np.diff(values, axis=0)), initial=0.0)) / 2
        fields[name] = number(largest + between, between + 1e-9 * largest)
    return fields
