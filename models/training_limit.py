r"""The limit of training as L -> ∞, on its own: the continuous-depth dynamics (38)-(44), pp. 28-30, by a spectral method in depth.

    dA/dt = π(-1/n Σ P_i(0) x_iᵀ),  ∂Z/∂t(s) = π(-1/n Σ ∂₂f(H_i, Z)ᵀ P_i (s)),  dB/dt = π(-2/n Σ (B H_i(1) - y_i) H_i(1)ᵀ)
    ∂H/∂s = f(H, Z), H(0) = A x      ∂P/∂s = -∂₁f(H, Z)ᵀ P, P(1) = 2 Bᵀ(B H(1) - y)

The backward equation is the one that the recurrence (13) tends to; the print lacks its sign and its transpose. No residual network is
involved: Z lives at N Chebyshev points, both equations in s are solved by Picard's iteration on their integral forms, with the exact
integrals of interpolants, and DOP853 steps in t. Without kinks everything is analytic in s, and the error falls geometrically in N.

The declared error has two parts, N points against two thirds of them and the tolerance in t against ten times that; the energy, integrated
along with the parameters, is a third opinion. A clip with kinks may leave Z with kinks in s, where the error falls no faster than 1/N.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from depthlimit.models import flow
from depthlimit.models.branches import residual_branch
from depthlimit.models.chebyshev import basis, integrals, picard, points, transform
from depthlimit.models.clip import project
from depthlimit.models.data import ArrayStore, inputs
from depthlimit.models.general import Branch, Perceptron
from depthlimit.models.general_run import initial
from depthlimit.models.initialisation import outer, smooth_function
from depthlimit.models.rounding import euclid
from depthlimit.models.spec import GeneralFlow, Spec
from depthlimit.theory.quantity import Array

Arrays = Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class Problem:
    """What is trained.

    Args:
        branch: f.
        A, B: A_init (q,d) and B_init (dout,q).
        Z: Z_init, s [S] -> [S p].
        x, y: data (n,d) and (n,dout).
        network: the protocol's mapping, of which `clip`, `train` and `rtol` are used.
        gain: π(g) is the clip of gain g.
    """

    branch: Branch
    A: Array
    B: Array
    Z: Callable[[Array], Array]
    x: Array
    y: Array
    network: Mapping[str, Any]
    gain: float = 1.0


def problem(spec: Spec, arrays: ArrayStore) -> Problem:
    """The problem of a Spec: of model (3) with an initialisation that is a function of depth, or of a general residual network.

    Raises:
        BadInput: i.i.d. initialisation, or arrays for model (3): these have no limit in depth.
    """
    x, y = inputs(spec, arrays)
    if isinstance(spec.regime, GeneralFlow):
        A, Z, B = initial(spec, arrays)
        return Problem(residual_branch(spec), A, B, Z, x, y, spec.network(), spec.regime.gain)
    smooth, (A, B) = smooth_function(spec, arrays), outer(spec)

    def both(s: Array) -> Array:
        return np.concatenate([part.reshape(len(s), -1) for part in smooth(s)], axis=1)

    return Problem(Perceptron(spec.q, spec.m, spec.activation.model_dump()), A, B, both, x, y, spec.network())


class ContinuousDepth:
    """The right-hand side of (38)-(41) with Z at N Chebyshev points: parameters A (q,d), Z (N,p), B (dout,q)."""

    def __init__(self, problem: Problem, N: int) -> None:
        self.problem, self.N = problem, N
        self.s, self.transform = transform(N)
        self.along, self.total = integrals(self.s, N), integrals(np.ones(1), N)[0]

    def hidden(self, A: Array, Z: Array, x: Array) -> tuple[Array, Array]:
        """H at the points [N n q] and H(1) [n q] of (43), for x [n d]."""
        start, z = x @ A.T, Z[:, None, :]
        H = picard(start, self.along, lambda u: self.problem.branch.value(u, z))
        return H, start + np.tensordot(self.total, self.problem.branch.value(H, z), axes=1)

    def backward(self, jacobian: Array, P: Array) -> Array:
        """-∂P/∂s [N n q] from ∂₁f [N n q q], with the sign and the transpose that the print of (44) lacks."""
        return np.asarray((P[..., None, :] @ jacobian)[..., 0, :])

    def adjoint(self, H: Array, last: Array, Z: Array, B: Array) -> tuple[Array, Array]:
        """P at the points [N n q] and P(0) [n q] of (44)."""
        jacobian = self.problem.branch.state_jacobian(H, Z[:, None, :])
        end = 2 * (last @ B.T - self.problem.y) @ B
        P = picard(end, self.total - self.along, lambda P: self.backward(jacobian, P))
        return P, end + np.tensordot(self.total, self.backward(jacobian, P), axes=1)

    def gradient(self, params: Arrays) -> tuple[float, dict[str, Array]]:
        """The loss, and what stands inside π in (38)-(41), without its minus: the gradient for the inner product ∫<., .> ds in Z."""
        A, Z, B = (params[k] for k in "AZB")
        x, y = self.problem.x, self.problem.y
        H, last = self.hidden(A, Z, x)
        P, first = self.adjoint(H, last, Z, B)
        residual = last @ B.T - y
        by_Z = self.problem.branch.pull(H, Z[:, None, :], P)
        return float(np.sum(residual**2)) / len(x), {"A": first.T @ x / len(x), "Z": by_Z / len(x), "B": 2 / len(x) * residual.T @ last}

    def descent(self, g: Arrays) -> dict[str, Array]:
        """π of minus the gradient; 0 for what is not trained."""
        clip, gain, train = self.problem.network["clip"], self.problem.gain, self.problem.network["train"]
        (A,), (B,) = (project(clip, -gain * g[k]) for k in "AB")
        (Z,) = project(clip, -gain * g["Z"][:, None, :])
        return {"A": A * ("A" in train), "Z": Z[:, 0, :], "B": B * ("B" in train)}

    def inner(self, u: Arrays, v: Arrays) -> float:
        """<u_A, v_A> + ∫<u_Z, v_Z> ds + <u_B, v_B>."""
        return float(np.vdot(u["A"], v["A"]) + self.total @ np.einsum("sp,sp->s", u["Z"], v["Z"]) + np.vdot(u["B"], v["B"]))


@dataclass(frozen=True, eq=False)
class Trained:
    """A solution on N points.

    times [T], A [T q d], Z [T N p] at the points, B [T dout q], loss [T], and energy [T] = ∫_0^t <-∇ℓ, θ'>, which is ℓ(0) - ℓ(t).
    """

    dynamics: ContinuousDepth
    times: Array
    A: Array
    Z: Array
    B: Array
    loss: Array
    energy: Array

    @cached_property
    def coefficients(self) -> Array:
        """Chebyshev coefficients of Z(., t) [T N p]."""
        return np.asarray(np.einsum("ij,tjp->tip", self.dynamics.transform, self.Z))

    def weights(self, s: Array) -> Array:
        """Z(s, t) for s [S]: [T S p]."""
        return np.asarray(basis(s, self.dynamics.N) @ self.coefficients)

    def params(self, j: int) -> dict[str, Array]:
        """A, Z and B at times[j]."""
        return {"A": self.A[j], "Z": self.Z[j], "B": self.B[j]}

    def states(self, x: Array) -> tuple[Array, Array]:
        """Chebyshev coefficients of H(., t) [T N+1 n q], and H(1, t) [T n q], for x [n d]."""
        integral, found = points(self.dynamics.N)[1], []
        for A, Z in zip(self.A, self.Z, strict=True):
            H, last = self.dynamics.hidden(A, Z, x)
            series = np.tensordot(integral, self.dynamics.problem.branch.value(H, Z[:, None, :]), axes=1)
            series[0] += x @ A.T
            found.append((series, last))
        series, last = (np.stack(v) for v in zip(*found, strict=True))
        return series, last


def train(problem: Problem, times: Array, N: int, rtol: float, dynamics: type[ContinuousDepth] = ContinuousDepth) -> Trained:
    """(38)-(41) from the initialisation at times [T], on N points, with local tolerance rtol in t.

    Raises:
        ValueError, RuntimeError: as `flow.solve`, or where the equation in depth has no solution that Picard's iteration finds.
    """
    at = dynamics(problem, N)
    start = {"A": problem.A, "Z": problem.Z(at.s), "B": problem.B}
    shapes = [a.shape for a in start.values()]
    unit = at.gradient(start)[0] or 1.0

    def unpacked(state: Array) -> dict[str, Array]:
        return dict(zip(start, flow.unpack(state[:-1], shapes), strict=True))

    def rhs(_: float, state: Array) -> Array:
        _, g = at.gradient(unpacked(state))
        v = at.descent(g)
        return flow.pack([*(v[k] for k in start), np.array(at.inner(g, v) / unit)])

    state = flow.pack([*start.values(), np.array(1.0)])
    blocks = [*(flow.Block(math.prod(shape)) for shape in shapes), flow.Block(1, reach=1.0)]
    moved = flow.solve(rhs, state, times, rtol, blocks)
    along = [unpacked(state + u) for u in moved]
    return Trained(
        at,
        np.asarray(times, dtype=float),
        **{k: np.stack([params[k] for params in along]) for k in "AZB"},
        loss=np.array([at.gradient(params)[0] for params in along]),
        energy=-unit * moved[:, -1],
    )


@dataclass(frozen=True, eq=False)
class Limit:
    """The finest solution.

    in_s, in_t: its declared error per time [T] of A, B, sup|Z| and sup|H|, by two numbers of points and by two tolerances.
    energy_error [T]: |ℓ(0) - ℓ(t) - energy| relative to ℓ(0), a third opinion on both.
    """

    solution: Trained
    in_s: dict[str, Array]
    in_t: dict[str, Array]

    def error(self, name: str) -> Array:
        """The sum of both for "A", "B", "Z" or "H" [T]."""
        return self.in_s[name] + self.in_t[name]

    @property
    def energy_error(self) -> Array:
        """[T]."""
        loss = self.solution.loss
        return np.asarray(np.abs(loss[0] - loss - self.solution.energy) / (loss[0] or 1.0))


def apart(one: Trained, other: Trained, samples: int = 65) -> dict[str, Array]:
    """Largest distances of two solutions per time [T]: Frobenius of A and B, Euclidean of Z and H at 0, 1 and Chebyshev points."""
    s = np.concatenate([[0.0], np.sort(points(samples)[0]), [1.0]])
    H = [np.einsum("sj,tjnq->tsnq", basis(s, each.dynamics.N + 1), each.states(each.dynamics.problem.x)[0]) for each in (one, other)]
    ends = {k: euclid((getattr(one, k) - getattr(other, k)).reshape(len(one.times), -1)) for k in "AB"}
    return {**ends, "Z": euclid(one.weights(s) - other.weights(s)).max(axis=1), "H": euclid(H[0] - H[1]).max(axis=(1, 2))}


def limit(
    problem: Problem,
    times: Array,
    wanted: float = 1e-10,
    start: int = 16,
    most: int = 184,
    dynamics: type[ContinuousDepth] = ContinuousDepth,
) -> Limit:
    """The solution on half as many points again, from `start` on, until that changes A, B, Z and H by at most `wanted`, or `most` is met.

    The tolerance in t is the one with which a flow meets problem.network["rtol"], and on the points before the last ones ten times that as
    well. Raises as `train` does.
    """
    rtol = flow.local_tolerance(problem.network)
    before = train(problem, times, start, rtol, dynamics)
    while True:
        N = before.dynamics.N * 3 // 2
        finest = train(problem, times, N, rtol, dynamics)
        in_s = apart(finest, before)
        if most < N * 3 // 2 or max(float(e.max()) for e in in_s.values()) <= wanted:
            return Limit(finest, in_s, apart(train(problem, times, before.dynamics.N, 10 * rtol, dynamics), before))
        before = finest
