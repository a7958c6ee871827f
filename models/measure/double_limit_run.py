"""The runs of the double limit: networks at doubling depths, each trained to the end, and the limit of training in depth beside them.

*t to infinity.* Late in training everything moves in proportion to √ℓ. What is still to come after the last time T is the geometric series
of the last interval: r/(1-r) times its displacement, r = √(ℓ(T)/ℓ(t_{J-1})). That is added, and is the radius too.
*L to infinity.* Either by Richardson's extrapolation in 1/L of the networks' limits in t, whose last correction is the radius, or by the
continuous-depth dynamics, which know no L.
*Suprema over s* are those of `depthlimit.models.measure.limit_run`. Those over inputs are taken over the data and `_FRESH` more points.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from depthlimit.models import flow, residual
from depthlimit.models.calls import call
from depthlimit.models.data import ArrayStore
from depthlimit.models.implementation import Arrays, Implementation
from depthlimit.models.measure.certificate import CertificateRun
from depthlimit.models.rounding import U, euclid, frobenius
from depthlimit.models.spec import DoubleLimit, Spec
from depthlimit.models.training_limit import ContinuousDepth, Limit, limit, problem
from depthlimit.models.trajectory import BLOCKS, Batch, Trajectory, realise
from depthlimit.theory.quantity import Array, Field

_FINE = np.linspace(0.0, 1.0, 129)
UNSCALED = 1e-8  # local tolerance of the control's flows; a hundred times that is what flows of the protocol are off at most
_FRESH = 4
_START = 8  # points of the limit at first: on the ball of a certificate weights are nearly polynomials of low degree in s


class Weights(NamedTuple):
    """A and B together [T C], Z at the layers [T L p] or, of the limit, on `_FINE`, and errors [T]; without T: as t tends to infinity."""

    ends: Array
    ends_error: Array
    Z: Array
    Z_error: Array


class DoubleRun(CertificateRun):
    """The certified instance at each of its depths; the Trajectory itself is the shallowest."""

    dynamics: type[ContinuousDepth] = ContinuousDepth  # planted faults are other ones

    def __init__(self, spec: Spec, arrays: ArrayStore, implementation: Implementation) -> None:
        assert isinstance(spec.regime, DoubleLimit)
        super().__init__(spec, arrays, implementation)
        self._arrays, self.depths = arrays, spec.regime.depths

    def at_depth(self, L: int) -> Batch:
        """The same instance, its labels included, at another depth."""
        return replace(realise(self.spec, self._arrays, L), y=self.batch.y)

    @cached_property
    def trained(self) -> list[Trajectory]:
        """The network at each depth."""
        return [self, *(Trajectory(self.at_depth(L), self.implementation) for L in self.depths[1:])]

    @cached_property
    def limit(self) -> Limit:
        """The limit of training in depth."""
        return limit(replace(problem(self.spec, self._arrays), y=self.batch.y), self.times, start=_START, dynamics=self.dynamics)

    @cached_property
    def limit_gradients(self) -> tuple[Field, Field]:
        """The squared gradient of the limit and its loss at the computed states [T]: the residual is known to its rounding."""
        found = self.limit.solution
        each = [found.dynamics.gradient(found.params(j)) for j in range(len(self.times))]
        squares, loss = np.array([found.dynamics.inner(g, g) for _, g in each]), np.array([value for value, _ in each])
        terms = euclid(self.batch.y).max() + euclid(found.B.reshape(len(loss), -1)) * euclid(self.batch.x).max()
        relative = 64 * U * (1 + terms / np.sqrt(loss))
        return Field(squares, 3 * relative * squares, ("time",)), Field(loss, 3 * relative * loss, ("time",))

    @cached_property
    def losses(self) -> tuple[Array, Array]:
        """ℓ at each depth and, last, in the limit, and its error [depths+1 T]."""
        squares, own = self.limit_gradients
        joint = np.sqrt(sum(self.limit.error(k) ** 2 for k in "ABZ"))
        off = 1.01 * np.sqrt(squares.values) * joint + own.radius
        loss = [t.flow["loss"][0] for t in self.trained]
        return np.stack([*loss, own.values]), np.stack([*(t.loss_error[0] for t in self.trained), off])

    @cached_property
    def weights(self) -> list[Weights]:
        """At each depth and, last, in the limit."""
        out, (one, off) = [], (self.limit.solution, self.limit.error)
        for t in self.trained:
            e = {k: v[0] for k, v in t.state_error.items()}
            ends = np.concatenate([t.flowed[k][0].reshape(len(self.times), -1) for k in "AB"], axis=-1)
            Z = np.concatenate([t.flowed[k][0].reshape(len(self.times), t.network["L"], -1) for k in "VW"], axis=-1)
            out.append(Weights(ends, np.hypot(e["A"], e["B"]), Z, np.hypot(e["V"], e["W"])))
        ends, Z = np.concatenate([a.reshape(len(a), -1) for a in (one.A, one.B)], axis=-1), one.weights(_FINE)
        return [*out, Weights(ends, np.hypot(off("A"), off("B")), Z, off("Z") + 64 * U * euclid(Z).max(axis=-1))]

    @cached_property
    def series(self) -> Array:
        """r/(1-r) at each depth and, last, in the limit. Raises RuntimeError where the loss no longer falls."""
        ratios = np.sqrt(self.losses[0][:, -1] / self.losses[0][:, -2])
        if not np.all(ratios < 1):
            raise RuntimeError(f"the loss does not fall from the last time but one to the last: {self.losses[0][:, -2:].tolist()}")
        return np.asarray(ratios / (1 - ratios))

    @cached_property
    def settled(self) -> list[Weights]:
        """As t tends to infinity, at each depth and, last, in the limit."""
        out = []
        for w, factor in zip(self.weights, self.series, strict=True):
            ends, Z = ((a[-1] - a[-2]) * factor for a in (w.ends, w.Z))
            out.append(Weights(w.ends[-1] + ends, w.ends_error[-1] + euclid(ends), w.Z[-1] + Z, w.Z_error[-1] + euclid(Z).max()))
        return out

    @cached_property
    def final(self) -> Array:
        """Chebyshev coefficients of Z of the double limit [1 N p]: the limit of training as t tends to infinity."""
        series = self.limit.solution.coefficients
        return np.asarray(series[-1:] + (series[-1:] - series[-2:-1]) * self.series[-1])

    @cached_property
    def inputs(self) -> Array:
        """The data and fresh points of the same law [n+_FRESH d]."""
        fresh = np.random.RandomState(self.spec.init.seed).standard_normal((_FRESH, self.spec.d))  # type: ignore[union-attr]
        return np.concatenate([self.batch.x, np.sqrt(self.spec.q) * fresh / euclid(fresh)[:, None]])

    def states_of(self, t: Trajectory) -> tuple[Array, Array, Array]:
        """Of the network at the inputs: h [T L+1 N q], outputs [T N dout], and how far one sample's h may lie off [T].

        With κ = K_σ/√(qm) an error of V_k moves f by κ|W_k||h|, one of W_k by κ|V_k||h|, and by discrete Grönwall h by at most
        e^{κ|V||W|} times the mean over the layers; rounding is that of the data, doubled for points of the same norm.
        """
        s, L = {k: v[0] for k, v in t.flowed.items()}, t.network["L"]
        each = [
            call(t.implementation, "forward", t.network, params={k: v[j] for k, v in s.items()}, x=self.inputs) for j in range(len(s["A"]))
        ]
        hidden, output = (np.stack([a[k] for a in each]) for k in ("hidden", "output"))
        V, W, h = (*(frobenius(s[k]).max(axis=1) for k in "VW"), euclid(hidden).max(axis=(1, 2)))
        kappa, e = t.rounding.K / np.sqrt(self.spec.q * self.spec.m), {k: v[0] for k, v in t.state_error.items()}
        moved = e["A"] * euclid(self.inputs).max() + kappa * h * (W * e["V"] + V * e["W"]) / np.sqrt(L)
        moved = np.exp(kappa * V * W) * moved
        return hidden, output, moved + 2 * euclid(t.rounding.states[0]).max(axis=1)

    def sensitivity(self, t: Trajectory) -> float:
        """How far the hidden states of all samples at the last time may move per unit of A and of Z_k, by the same bounds."""
        V, W = (float(frobenius(t.flowed[k][0, -1]).max()) for k in "VW")
        kappa, hidden = float(t.rounding.K / np.sqrt(self.spec.q * self.spec.m)), t.forward["hidden"][0, -1]
        size = float(np.sqrt(np.sum(hidden**2, axis=(1, 2))).max())
        return float(1.01 * np.exp(kappa * V * W) * max(float(np.linalg.norm(t.batch.x)), kappa * np.hypot(V, W) * size))

    @cached_property
    def limit_states(self) -> tuple[Array, Array]:
        """Of the limit of training, at the inputs: Chebyshev coefficients of H(., t), all samples together [T N+1 nq], and B H(1, t)."""
        H, last = self.limit.solution.states(self.inputs)
        return H.reshape(*H.shape[:2], -1), np.einsum("tnq,toq->tno", last, self.limit.solution.B)

    def unscaled(self, L: int, times: Array) -> tuple[Array, Array]:
        """Outputs [T n dout] and loss [T] of (4) without the factor L, by NumPy."""
        b = self.at_depth(L)
        right = flow.rates(b.network, b.x, b.y)

        def at(theta: Arrays) -> tuple[float, Arrays, float]:
            loss, v, _ = right(theta)
            slow = self.without_factor(v, L)
            return loss, slow, -sum(float(np.sum(a**2)) for a in slow.values())

        found = flow.integrate(b.network, b.params, b.x, b.y, times, UNSCALED, at)
        outputs = [residual.forward(b.network, {k: found[k][j] for k in BLOCKS}, b.x)[1] for j in range(len(times))]
        return np.stack(outputs), found["loss"]

    def without_factor(self, v: Arrays, L: int) -> dict[str, Array]:
        """-∂ℓ/∂θ from the velocities of (4)."""
        return {k: a / L if k in "VW" else a for k, a in v.items()}
