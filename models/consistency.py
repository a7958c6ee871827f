r"""Proposition 11 on an instance: U' = g(U, Θ(s)), U(0) = a, against u_{k+1} = u_k + g(u_k, θ_{k+1})/L, for any branch g.

Arrays lead with [time]: the times of the spec, and for the ODE one more row, the limit t -> ∞. U is found by Picard's iteration
on Chebyshev points, as the proof finds it, U = a + ∫ g(U, Θ). What is kept is the displacement U - a, so that nothing is lost
where little moves. Its error follows from Grönwall's inequality: if Û - a - ∫ g(Û, Θ) is at most r, then |Û - U| <= r e^{C₁},
C₁ the Lipschitz constant of g(., Θ(s)), which holds for all states; r is measured on twice as many points and contains the rounding.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from numpy.polynomial import chebyshev

from depthlimit.models.branches import residual_branch
from depthlimit.models.chebyshev import points
from depthlimit.models.data import ArrayStore, expect_shapes
from depthlimit.models.flow import Block, solve
from depthlimit.models.general import Linear, Perceptron, Sine
from depthlimit.models.rounding import U as UNIT
from depthlimit.models.rounding import euclid, gamma
from depthlimit.models.spec import GeneralEuler, Spec
from depthlimit.theory.activation import constants
from depthlimit.theory.quantity import Array

POINTS = 40  # Chebyshev points: analytic branches with |Θ| of a few units are resolved to the last bits
_ITERATIONS = 400
STATES, PARAMETERS = ("a", "a_t", "a_L"), ("theta0", "theta1", "theta_t", "theta_L")  # the arrays of a Spec


def evaluate(coefficients: Array, s: Array) -> Array:
    """Chebyshev series in 2s-1 minus its value at s = 0, so that it is 0 there exactly: [time N q] at s [...]: [time ... q]."""
    powers = np.arange(1, coefficients.shape[1])
    basis = chebyshev.chebvander(2 * s - 1, len(powers))[..., 1:] - (-1.0) ** powers
    return np.asarray(np.einsum("...n,tnq->t...q", basis, coefficients[:, 1:]))


class ConsistencyRun:
    """The ODE, the scheme and the constants of one `general-euler` Spec."""

    def __init__(self, spec: Spec, arrays: ArrayStore) -> None:
        assert isinstance(spec.regime, GeneralEuler)
        self.spec, self.L, self.g, self.sampling = spec, spec.L, residual_branch(spec), spec.regime.sampling
        given = arrays.resolve(spec.regime.arrays)
        q, p = self.g.q, self.g.p
        expect_shapes("regime.arrays", given, {**dict.fromkeys(STATES, (q,)), **dict.fromkeys(PARAMETERS, (p,))})
        self.given = given
        self.decay = np.append(np.exp(-np.array(spec.times)), 0.0)  # [time+1], the last one the limit
        self.a = given["a"] + self.decay[:, None] * given["a_t"]  # [time+1 q]
        self.a_L = self.a[:-1] + given["a_L"]  # [time q]
        self.K_sigma = float(constants(spec.activation.name, spec.activation.a, spec.activation.b)["K_sigma"].hi)

    def Theta(self, s: Array) -> Array:
        """Θ(s, t) for s [...]: [time+1 ... p]."""
        along = self.given["theta0"] + np.multiply.outer(s, self.given["theta1"])
        return np.asarray(along + self.decay.reshape(-1, *[1] * along.ndim) * self.given["theta_t"])

    @property
    def sampled(self) -> Array:
        """s_k, k = 1..L, where θ_k^L samples Θ."""
        k = np.arange(1, self.L + 1)
        return k / self.L if self.sampling == "nodes" else np.minimum((k - 0.5) / max(self.L - 1, 1), 1.0)

    @property
    def theta_L(self) -> Array:
        """θ_k^L(t), k = 1..L: [time L p]."""
        return self.Theta(self.sampled)[:-1] + self.given["theta_L"]

    def step_parameters(self) -> Array:
        """The parameter of each step k = 0..L-1 of (32), θ_{k+1}: [time L p]."""
        return self.theta_L

    def _state(self, s: Array, moved: Array) -> Array:
        return self.a.reshape(len(self.a), *[1] * s.ndim, -1) + moved

    @cached_property
    def coefficients(self) -> Array:
        """Chebyshev coefficients of U - a [time+1 POINTS+1 q]."""
        s, integral = points(POINTS)
        to_points = chebyshev.chebvander(2 * s - 1, POINTS)
        theta, moved = self.Theta(s), np.zeros((len(self.a), POINTS, self.g.q))
        last = np.inf
        for _ in range(_ITERATIONS):
            series = np.einsum("cn,tnq->tcq", integral, self.g.value(self._state(s, moved), theta))
            new = np.einsum("nc,tcq->tnq", to_points, series)
            change, moved = float(np.max(np.abs(new - moved))), new
            if change == 0 or (change >= last and change <= 1e-12 * float(np.max(np.abs(new)))):
                return np.asarray(series)
            last = change
        raise RuntimeError(f"Picard's iteration did not settle in {_ITERATIONS} rounds: the branch is too steep for {POINTS} points")

    def moved(self, s: Array) -> Array:
        """U(s) - a for s [...]: [time+1 ... q]."""
        return evaluate(self.coefficients, s)

    def state(self, s: Array) -> Array:
        """U(s) for s [...]: [time+1 ... q]."""
        return self._state(s, self.moved(s))

    def velocity(self, s: Array) -> Array:
        """dU/ds = g(U(s), Θ(s)) (34)."""
        return self.g.value(self.state(s), self.Theta(s))

    def curvature(self, s: Array) -> Array:
        """d²U/ds² = ∂₁g g + ∂₂g Θ'."""
        U, theta = self.state(s), self.Theta(s)
        along = np.einsum("...ab,...b->...a", self.g.state_jacobian(U, theta), self.g.value(U, theta))
        return np.asarray(along + np.einsum("...ap,p->...a", self.g.parameter_jacobian(U, theta), self.given["theta1"]))

    @cached_property
    def scheme(self) -> Array:
        """u_k - a^L, k = 0..L (32): [time L+1 q]."""
        theta = self.step_parameters()
        moved = [np.zeros_like(self.a_L)]
        for k in range(self.L):
            moved.append(moved[-1] + self.g.value(self.a_L + moved[-1], theta[:, k]) / self.L)
        return np.stack(moved, axis=1)

    def right_side(self, s: float, flat: Array) -> Array:
        """g(U, Θ(s)) of all rows as one vector."""
        return self.g.value(flat.reshape(self.a.shape), self.Theta(np.asarray(s))).ravel()

    @cached_property
    def reference(self) -> tuple[Array, Array]:
        """U - a at nine values of s by DOP853 (another method), and its error: [time+1 9 q], [time+1 9]."""
        s, start, block = np.linspace(0, 1, 9), self.a.ravel(), [Block(self.a.size)]
        runs = (solve(self.right_side, start, s, rtol, block) for rtol in (1e-13, 1e-11))
        fine, coarse = (moved.reshape(len(s), *self.a.shape).transpose(1, 0, 2) for moved in runs)
        return fine, np.asarray(euclid(fine - coarse) + 2.0**-40 * euclid(fine) + 2.0**-48 * np.max(euclid(self.a)))

    # --- how far off the computed values are

    def rounding(self, u: Array, theta: Array) -> float:
        """The largest rounding error of g(u, θ)."""
        return float(np.max(self.g.evaluation(u, theta).value))

    @cached_property
    def errors(self) -> tuple[float, float, float]:
        """Of U - a anywhere, of u_k - a^L, and of one evaluation of g."""
        s, integral = points(2 * POINTS)
        U, theta = self.state(s), self.Theta(s)
        F = self.g.value(U, theta)
        again = evaluate(np.einsum("cn,tnq->tcq", integral, F), s)
        defect = float(np.max(euclid(self.moved(s) - again)))
        steps, theta_L = self.a_L[:, None] + self.scheme[:, :-1], self.step_parameters()
        own = max(self.rounding(U, theta), self.rounding(steps, theta_L))
        C1, largest = self.state_lipschitz, max(float(np.max(euclid(F))), float(np.max(euclid(self.g.value(steps, theta_L)))))
        own += 2 * UNIT * C1 * max(float(np.max(euclid(U))), float(np.max(euclid(steps))))
        ode = np.exp(C1) * (1.1 * defect + own + gamma(4 * POINTS) * largest)
        scheme = np.exp(C1) * (own + gamma(self.L + 8) * largest)
        return float(ode), float(scheme), own

    # --- Lipschitz constants of g

    @cached_property
    def theta_bound(self) -> float:
        """M: sup of |Θ| and |θ_k^L|; Θ is affine in s, so its ends serve."""
        ends = self.Theta(np.array([0.0, 1.0]))
        return float(max(np.max(euclid(ends)), np.max(euclid(self.theta_L))))

    @cached_property
    def _weights(self) -> tuple[float, float]:
        """sup|V|₂, sup|W|₂ of a perceptron over all Θ(s, t), θ_k^L: norms are convex, so ends and layers serve."""
        assert isinstance(self.g, Perceptron)
        all_theta = np.concatenate([x.reshape(-1, self.g.p) for x in (self.Theta(np.array([0.0, 1.0])), self.theta_L)])
        V, W = self.g.weights(all_theta)
        return tuple(float(np.max(np.linalg.norm(x, 2, axis=(-2, -1)))) for x in (V, W))  # type: ignore[return-value]

    @cached_property
    def state_lipschitz(self) -> float:
        """Lipschitz constant of g(., θ) for the Θ(s, t), θ_k^L of this run, for all states; exact for the linear branch and the sine."""
        ends = self.Theta(np.array([0.0, 1.0]))
        if isinstance(self.g, Linear):
            Z = np.concatenate([x.reshape(-1, self.g.q, self.g.q) for x in (ends, self.theta_L)])
            return float(np.max(np.linalg.norm(Z, 2, axis=(-2, -1))))
        if isinstance(self.g, Sine):
            # |sin| over an interval: its ends, or 1 if an odd multiple of π/2 lies between them
            lo, hi = np.min(ends, axis=1), np.max(ends, axis=1)
            peak = np.floor(hi / np.pi - 0.5) > np.floor(lo / np.pi - 0.5)
            sines = np.where(peak, 1.0, np.max(np.abs(np.sin(ends)), axis=1))
            return float(max(np.max(sines), np.max(np.abs(np.sin(self.theta_L)))))
        if isinstance(self.g, Perceptron):
            v, w = self._weights
            return self.K_sigma * v * w / math.sqrt(self.g.q * self.spec.m)
        return self.state_lipschitz_ball()

    def state_lipschitz_ball(self) -> float:
        """The same over the ball |θ| <= M."""
        return float(self.g.suprema(np.array(self.theta_bound), np.ones(())).state)

    def parameter_lipschitz_ball(self) -> float:
        """Lipschitz constant of g(u, .) over that ball, per unit of |u|."""
        return float(self.g.suprema(np.array(self.theta_bound), np.ones(())).parameter)

    def parameter_lipschitz(self) -> float:
        """Lipschitz constant of g(u_k, .) between the parameters of this run: largest |u|, largest entry of u, K_σ|u| √(v²+w²)/√(qm), or
        over the ball."""
        steps = self.a_L[:, None] + self.scheme[:, :-1]
        if isinstance(self.g, Sine):
            return float(np.max(np.abs(steps)))
        size = float(np.max(euclid(steps)))
        if isinstance(self.g, Linear):
            return size
        if type(self.g) is Perceptron:
            return self.K_sigma * size * float(np.hypot(*self._weights)) / math.sqrt(self.g.q * self.spec.m)
        return size * self.parameter_lipschitz_ball()
