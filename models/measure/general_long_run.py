r"""GeneralLongRun: a general residual network in the ball of Proposition 8, followed by (4) until little of the loss is left.

Beside rounding (see `depthlimit.models.general_run`) the error of the flow counts here: bounds that decay in time are compared with
residuals that are 1e-6 of what they were. With e_A, e_Z, e_B the errors of the states, a, b, c, e, s the bounds of |∂₁f|, |∂₂f|, |∂₁₁f|,
|∂₂₁f| and |∂₂₂f|, and G = Π (1 + a/L), to first order and with 1.01 for the second:

    δh <= G (e_A |x| + b e_Z/√L),  δr <= |B| δh + e_B |h_L|,  δp <= G (2|B| δr + 2 e_B |r|) + 2 G |B||r| (c δh + e e_Z/√L)
    δA' <= mean δp_0 |x|,  δB' <= 2 mean (δr |h_L| + |r| δh),  δZ' <= mean (b δp + (e δh + s e_Z) |p|)

The limit weights are those at the last time T. They are off by at most the length of the rest of the path, 2√(ℓ(T)/μ) by the PL condition
in the norm with weight 1/L on Z, where μ is the proven constant of `depthlimit.theory.paper.prop8`.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from depthlimit.models.general_run import Arrays, GeneralRun
from depthlimit.models.measure.registry import Fields
from depthlimit.models.rounding import U, euclid, frobenius, gamma
from depthlimit.models.spec import GeneralLong
from depthlimit.theory.enclosure import evaluate
from depthlimit.theory.paper import prop8
from depthlimit.theory.quantity import Array

_SECOND_ORDER = 1.01


class GeneralLongRun(GeneralRun):
    """A general residual network of regime general-long along its flow."""

    @property
    def radius(self) -> float:
        """M, the radius of the ball."""
        assert isinstance(self.spec.regime, GeneralLong)
        return self.spec.regime.radius

    @cached_property
    def initial_loss(self) -> float:
        """ℓ(0)."""
        params = self.batch.params
        error = self.hidden_states(params)[-1] @ params["B"].T - self.batch.y
        return float(np.mean(np.sum(error**2, axis=-1)))

    @cached_property
    def initial_error(self) -> float:
        """Rounding of the largest |F(x_i) - y_i| at t = 0: no entry takes more operations than are counted here."""
        s, params = self.spec, self.batch.params
        hidden = euclid(self.hidden_states(params)[:-1])
        growth = np.prod(1 + np.max(self.branch.bounds(hidden, params["Z"][:, None, :]).state) / s.L * np.ones(s.L))
        terms = frobenius(params["B"]) * frobenius(params["A"]) * euclid(self.batch.x) * growth + euclid(self.batch.y)
        return float(gamma((s.L + 2) * (s.d + 2 * s.q + self.branch.p + 16)) * np.max(terms))

    def constant(self, symbol: object) -> tuple[float, float]:
        """Both ends of a constant of Proposition 8 by theory's formula."""
        ball = evaluate(symbol, Fields(self), prop8.WHERE)
        return float(ball.lo.ravel()[0]), float(ball.hi.ravel()[0])

    @cached_property
    def mu(self) -> float:
        """μ of (22)."""
        return self.constant(prop8.mu)[0]

    @cached_property
    def _sizes(self) -> dict[str, Array]:
        sizes = super()._sizes
        more = {"px_path": sizes["path_A"], "rh_path": sizes["path_B"], "pull_path": sizes["path_Z"]}
        return {**sizes, **more, "p_path": np.full(self.spec.L, sizes["path_B"]), "gap_decay_path": sizes["gap_path"]}

    def integrands(self, t: float, params: Arrays, velocity: Arrays) -> dict[str, Array]:
        """Also what the chains of page 19 integrate, and e^{-μt/2}|Z_{k+1} - Z_k|."""
        found = super().integrands(t, params, velocity)
        x, hidden = self.batch.x, self.hidden_states(params)
        p, error = self.adjoint_states(params, hidden), hidden[-1] @ params["B"].T - self.batch.y
        J = self.branch.parameter_jacobian(hidden[:-1], params["Z"][:, None, :])
        return {
            **found,
            "px_path": np.mean(euclid(p[0]) * euclid(x)),
            "rh_path": 2 * np.mean(euclid(error) * euclid(hidden[-1])),
            "pull_path": np.mean(euclid(np.einsum("lnqp,lnq->lnp", J, p[1:])), axis=-1),
            "p_path": np.mean(euclid(p[1:]), axis=-1),
            "gap_decay_path": np.exp(-self.mu * t / 2) * found["gap_path"],
        }

    # --- what the error of the flow does: see the module

    @cached_property
    def residual(self) -> Array:
        """|F(x_i) - y_i| [1 T n]."""
        return euclid(self.output - self.batch.y)

    @cached_property
    def _growth(self) -> Array:
        return np.asarray(np.prod(1 + self.bounds[0] / self.spec.L, axis=-2))  # [1 T n]

    @cached_property
    def _parts(self) -> tuple[Array, Array, Array]:
        """e_A, e_Z/√L and e_B, [1 T 1]."""
        e = self.state_error
        return e["A"][..., None], e["Z"][..., None] / np.sqrt(self.spec.L), e["B"][..., None]

    @cached_property
    def hidden_drift(self) -> Array:
        """δh [1 T n], with the rounding."""
        A, Z, _ = self._parts
        moved = self._growth * (A * euclid(self.batch.x) + np.max(self.bounds[1], axis=-2) * Z)
        return np.asarray(_SECOND_ORDER * moved + np.max(self.hidden_error, axis=-2))

    @cached_property
    def residual_drift(self) -> Array:
        """δr [1 T n]."""
        B = frobenius(self.states["B"])[..., None]
        moved = B * self.hidden_drift + self._parts[2] * euclid(self.hidden[..., -1, :, :])
        return np.asarray(_SECOND_ORDER * moved + self.residual_error)

    @cached_property
    def adjoint_drift(self) -> Array:
        """δp [1 T n] at any layer."""
        B, r = frobenius(self.states["B"])[..., None], self.residual
        _, Z, eB = self._parts
        _, _, c, e = (np.max(v, axis=-2) for v in self.bounds)
        moved = 2 * B * self.residual_drift + 2 * eB * r + 2 * B * r * (c * self.hidden_drift + e * Z)
        return np.asarray(_SECOND_ORDER * self._growth * moved + np.max(self.adjoint_error, axis=-2))

    @cached_property
    def speed_drift(self) -> dict[str, Array]:
        """δA', δZ' (any layer), δB' [1 T]."""
        x, h, r, p = euclid(self.batch.x), euclid(self.hidden[..., -1, :, :]), self.residual, np.max(euclid(self.p), axis=-2)
        _, b, _, e = (np.max(v, axis=-2) for v in self.bounds)
        bounds = self.branch.bounds(euclid(self.hidden[..., :-1, :, :]), self.states["Z"][..., None, :])
        s = np.max(np.broadcast_to(bounds.second, self.hidden[..., :-1, :, 0].shape), axis=-2)
        Z = b * self.adjoint_drift + (e * self.hidden_drift + s * self.state_error["Z"][..., None]) * p
        moved = {"A": self.adjoint_drift * x, "Z": Z, "B": 2 * (self.residual_drift * h + r * self.hidden_drift)}
        return {k: _SECOND_ORDER * np.mean(v, axis=-1) for k, v in moved.items()}

    @cached_property
    def loss(self) -> tuple[Array, Array, Array]:
        """ℓ, its radius at the computed states, and as that of the exact flow [1 T]."""
        r = self.residual
        value = np.mean(r**2, axis=-1)
        here, along = (np.mean((2 * r + d) * d, axis=-1) + 64 * U * value for d in (self.residual_error, self.residual_drift))
        return value, here, along

    @cached_property
    def rest(self) -> float:
        """How much longer the path is after the last time, in the norm with weight 1/L on Z."""
        proven = self.constant(prop8.pl)[0]
        value, _, radius = (float(v[0, -1]) for v in self.loss)
        return float(2 * np.sqrt((value + radius) / proven)) if proven > 0 else np.inf
