r"""The mapping (42) of continuous-depth training, p. 28, at two parameters (Z, A, B), and the networks of L layers that tend to the first.

    ∂H/∂s = f(H, Z), H(0) = A x      ∂P/∂s = -∂₁f(H, Z)ᵀ P, P(1) = 2 Bᵀ(B H(1) - y)

Both are solved by Picard's iteration at Chebyshev points. What P ought to be is known without its equation: ∂ℓ_i/∂H(s) = Φ(s)⁻ᵀ Φ(1)ᵀ P(1)
with Φ' = ∂₁f Φ, Φ(0) = I, which goes forward in s as H does. And what (38)-(41) ought to be is known without P: the slope of the loss
along a direction, from the sensitivity equation δ' = ∂₁f δ + ∂₂f ζ, δ(0) = α x.

Values on N points are compared with those on half as many, whose error is far larger where everything is analytic in s; that is their
radius, beside rounding: sums of at most 8N + 4L terms, grown by e^{K₁} in each of the two equations that they pass through.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from typing import Protocol

import numpy as np

from depthlimit.models import general_run
from depthlimit.models.branches import residual_branch
from depthlimit.models.chebyshev import integrals, picard, transform
from depthlimit.models.clip import project
from depthlimit.models.data import ArrayStore, expect_shapes, inputs
from depthlimit.models.flow import Block, solve
from depthlimit.models.general import Bounds
from depthlimit.models.residual import transposed
from depthlimit.models.rounding import euclid, gamma
from depthlimit.models.spec import LimitMap, Spec
from depthlimit.models.training_limit import ContinuousDepth, problem
from depthlimit.theory.quantity import Array

POINTS = 40


class InDepth(Protocol):
    """A (q,d), B (dout,q) and Z, a function of s."""

    @property
    def A(self) -> Array:
        """[q d]."""

    @property
    def B(self) -> Array:
        """[dout q]."""

    def weights(self, s: Array) -> Array:
        """Z(s) [S p] for s [S]."""


@dataclass(frozen=True, eq=False)
class Parameters:
    """A (q,d), B (dout,q) and Z(s) = Z0 + s Z1 (p each)."""

    A: Array
    B: Array
    Z0: Array
    Z1: Array

    def weights(self, s: Array) -> Array:
        """Z(s) [S p] for s [S]."""
        return self.Z0 + s[:, None] * self.Z1

    def __sub__(self, other: Parameters) -> Parameters:
        return Parameters(*(getattr(self, k) - getattr(other, k) for k in ("A", "B", "Z0", "Z1")))


@dataclass(frozen=True)
class Piece:
    """A point s in [0, 1]: where functions of s are taken, and ⌊(L-1)s⌋ and ⌊Ls⌋, exact; just left of a jump they are those before it."""

    s: float
    below: int
    floor: int


def pieces(L: int) -> list[Piece]:
    """Both ends of every interval on which ⌊(L-1)s⌋ and ⌊Ls⌋ are constant, and s = 1."""
    jumps = sorted({Fraction(k, n) for n in {L, max(L - 1, 1)} for k in range(n + 1)})
    found = []
    for left, right in pairwise(jumps):
        below, floor = (L - 1) * left // 1, L * left // 1
        found += [Piece(float(left), below, floor), Piece(float(right), below, floor)]
    return [*found, Piece(1.0, L - 1, L)]


def state_at(s: Fraction, L: int) -> int:
    """⌊Ls⌋, the index of H^L(s) and P^L(s)."""
    return int(L * s // 1)


class LimitMapRun:
    """One `limit-map` Spec: `here` is (Z, A, B), `there` the shifted one; `dynamics` is how `training_limit` trains from the first."""

    dynamics: type[ContinuousDepth] = ContinuousDepth

    def __init__(self, spec: Spec, arrays: ArrayStore, implementation: object = None) -> None:
        assert isinstance(spec.regime, LimitMap)
        self.spec, self.L, self.branch, self.gain = spec, spec.L, residual_branch(spec), spec.regime.gain
        self.clip = None if spec.clip is None else spec.clip.model_dump()
        self.x, self.y = inputs(spec, arrays)
        given, shift = general_run.coefficients(spec, arrays), arrays.resolve(spec.regime.shift)
        expect_shapes("regime.shift", shift, {k: a.shape for k, a in given.items()})
        self.problem = problem(spec, arrays)
        self.here, self.there = (Parameters(*(given[k] + c * shift[k] for k in ("A", "B", "Z0", "Z1"))) for c in (0, 1))

    # --- the equations; planted faults override these

    def last(self, B: Array, residual: Array) -> Array:
        """P(1) [n q] from B H(1) - y [n dout]."""
        return 2 * residual @ B

    def backward(self, jacobian: Array, P: Array) -> Array:
        """-∂P/∂s [... n q] from ∂₁f [... n q q]."""
        return np.asarray(np.einsum("...ab,...a->...b", jacobian, P))

    def backward_printed(self, jacobian: Array, P: Array) -> Array:
        """The same as (44) prints it."""
        return -np.asarray(np.einsum("...ab,...b->...a", jacobian, P))

    def inside_Z(self, H: Array, Z: Array, P: Array) -> Array:
        """-1/n Σ ∂₂f(H_i, Z)ᵀ P_i [... p]; H, P [... n q], Z [... p]."""
        by_Z = self.branch.parameter_jacobian(H, Z[..., None, :])
        return -np.asarray(np.einsum("...nqp,...nq->...p", by_Z, P)) / self.spec.n

    def inside_A(self, first: Array) -> Array:
        """-1/n Σ P_i(0) x_iᵀ [q d]."""
        return -first.T @ self.x / self.spec.n

    def inside_B(self, residual: Array, H: Array) -> Array:
        """-2/n Σ (B H_i(1) - y_i) H_i(1)ᵀ [dout q]."""
        return -2 / self.spec.n * residual.T @ H

    def samples(self) -> Array:
        """The s at which layer k = 1..L takes its Z: k/L."""
        return np.arange(1, self.L + 1) / self.L

    def adjoints(self, network: dict[str, Array], hidden: Array) -> Array:
        """p_0..p_L of (13) [L+1 n q]."""
        return general_run.adjoint(self.branch, network, hidden, self.y)

    def layer(self, piece: Piece) -> int:
        """The k of 𝒵^L(s) = Z_k."""
        return piece.below + 1

    def arguments(self, below: int) -> tuple[Fraction, Fraction]:
        """Those of H^L and P^L in the second form of (37), at ⌊(L-1)s⌋."""
        return Fraction(below, self.L), Fraction(below + 1, self.L)

    def projected(self, g: Array) -> Array:
        """π of vectors [... p] or matrices as vectors."""
        (found,) = project(self.clip, self.gain * g[..., None, :])
        return np.asarray(found[..., 0, :])

    # --- the network of L layers

    @cached_property
    def network(self) -> dict[str, Array]:
        """A, B and Z_k = Z(k/L) [L p]."""
        return {"A": self.here.A, "B": self.here.B, "Z": self.here.weights(self.samples())}

    @cached_property
    def hidden(self) -> Array:
        """h_0..h_L [L+1 n q]."""
        return general_run.forward(self.branch, self.network, self.x)[0]

    @cached_property
    def adjoint(self) -> Array:
        """p_0..p_L [L+1 n q]."""
        return self.adjoints(self.network, self.hidden)

    @cached_property
    def velocity(self) -> Array:
        """π(-L ∂ℓ/∂Z_k) [L p], the gradient by forward mode."""
        p = general_run.by_forward_mode(self.branch, self.network, self.hidden, self.y)
        g = general_run.gradients(self.branch, self.network, self.hidden, p, self.x, self.y)
        return self.projected(-self.L * g["Z"])

    @cached_property
    def pieces(self) -> list[Piece]:
        """See `pieces`."""
        return pieces(self.L)

    # --- continuous depth

    @cached_property
    def solutions(self) -> tuple[tuple[Continuum, Continuum], tuple[Continuum, Continuum]]:
        """On POINTS points and on half as many: (here, there) each."""
        fine, coarse = ((Continuum(self, self.here, N), Continuum(self, self.there, N)) for N in (POINTS, POINTS // 2))
        return fine, coarse

    @cached_property
    def reference(self) -> tuple[Array, Array]:
        """H(s) - A x at nine values of s by DOP853 [9 n q] and its error [9 n]."""
        start, s = self.x @ transposed(self.here.A), np.linspace(0, 1, 9)

        def slope(at: float, flat: Array) -> Array:
            return self.branch.value(flat.reshape(start.shape), self.here.weights(np.array([at]))).ravel()

        runs = (solve(slope, start.ravel(), s, rtol, [Block(start.size)]).reshape(9, *start.shape) for rtol in (1e-13, 1e-11))
        fine, coarse = runs
        return fine, np.asarray(euclid(fine - coarse) + self.rounding(float(np.max(euclid(start)))))

    # --- constants over E and the ball of weights

    @cached_property
    def weight_bound(self) -> float:
        """M_Z: the largest |Z(s)|, |Z̃(s)|; both are affine, so their ends serve, also for the layers."""
        ends = np.array([0.0, 1.0])
        return float(max(np.max(euclid(side.weights(ends))) for side in (self.here, self.there)))

    @cached_property
    def state_bound(self) -> float:
        """R: the largest |A x_i|, |Ã x_i| times e^{K₁}, K₁ at |z| <= M_Z, the same for all states."""
        start = max(float(np.max(euclid(self.x @ transposed(side.A)))) for side in (self.here, self.there))
        first = float(self.branch.suprema(np.array(self.weight_bound), np.array(start)).state)
        return start * float(np.exp(first)) * (1 + 1e-15)

    @cached_property
    def suprema(self) -> Bounds:
        """K₁, K₂ and bounds of the second derivatives over |h| <= R, |z| <= M_Z."""
        return self.branch.suprema(np.array(self.weight_bound), np.array(self.state_bound))

    def rounding(self, size: float) -> float:
        """Of sums of terms of that size; see the module."""
        return float(gamma(8 * POINTS + 4 * self.L) * np.exp(2 * self.suprema.state)) * size


class Continuum:
    """H, P and their relatives for one (Z, A, B), on N points."""

    def __init__(self, run: LimitMapRun, params: InDepth, N: int) -> None:
        self.run, self.params, self.N = run, params, N
        self.s = transform(N)[0]
        self.inner, self.total = integrals(self.s, N), integrals(np.ones(1), N)[0]
        self.Z = params.weights(self.s)
        self.start = run.x @ transposed(params.A)

    def _picard(self, start: Array, matrix: Array, slope: Callable[[Array], Array]) -> Array:
        """The slope of the solution."""
        return np.asarray(slope(picard(start, matrix, slope)))

    @cached_property
    def _slopes(self) -> Array:
        """f(H, Z) at the points [N n q]."""
        return self._picard(self.start, self.inner, lambda H: self.run.branch.value(H, self.Z[:, None, :]))

    def moved(self, s: Array) -> Array:
        """H(s) - A x [S n q]."""
        return np.tensordot(integrals(s, self.N), self._slopes, axes=1)

    def hidden(self, s: Array) -> Array:
        """H(s) [S n q]."""
        return np.asarray(self.start + self.moved(s))

    def speed(self, s: Array) -> Array:
        """f(H(s), Z(s)) [S n q]."""
        return self.run.branch.value(self.hidden(s), self.params.weights(s)[:, None, :])

    @cached_property
    def output(self) -> tuple[Array, Array]:
        """H(1) [n q] and B H(1) - y [n dout]."""
        H = self.hidden(np.ones(1))[0]
        return H, H @ transposed(self.params.B) - self.run.y

    @cached_property
    def _jacobian(self) -> Array:
        """∂₁f at the points [N n q q]."""
        return self.run.branch.state_jacobian(self.hidden(self.s), self.Z[:, None, :])

    @cached_property
    def _backward(self) -> tuple[Array, Array]:
        """-∂P/∂s at the points [N n q], corrected and as printed."""
        end, matrix = self.end, self.total - self.inner
        right, printed = self.run.backward, self.run.backward_printed
        return (
            self._picard(end, matrix, lambda P: right(self._jacobian, P)),
            self._picard(end, matrix, lambda P: printed(self._jacobian, P)),
        )

    @property
    def end(self) -> Array:
        """P(1) [n q]."""
        return self.run.last(self.params.B, self.output[1])

    def adjoint(self, s: Array, printed: bool = False) -> Array:
        """P(s) [S n q] of (44), corrected or as printed."""
        return np.asarray(self.end + np.tensordot(self.total - integrals(s, self.N), self._backward[printed], axes=1))

    def gradient(self, s: Array) -> Array:
        """∂ℓ_i/∂H(s) [S n q] by forward mode: Φ(s)⁻ᵀ Φ(1)ᵀ 2Bᵀ(B H(1) - y), without (44)."""
        n, q = self.start.shape
        eye = np.broadcast_to(np.eye(q), (n, q, q))
        slopes = self._picard(eye, self.inner, lambda Phi: self._jacobian @ Phi)
        Phi = eye + np.tensordot(integrals(np.append(s, 1.0), self.N), slopes, axes=1)  # [S+1 n q q]
        end = np.einsum("nab,na->nb", Phi[-1], 2 * self.output[1] @ self.params.B)
        return np.asarray(np.linalg.solve(transposed(Phi[:-1]), np.broadcast_to(end, (len(s), n, q))[..., None])[..., 0])

    def slope(self, along: Parameters) -> float:
        """dℓ/dε at (Z + εζ, A + εα, B + εβ), ε = 0, by the sensitivity equation."""
        by_Z = self.run.branch.parameter_jacobian(self.hidden(self.s), self.Z[:, None, :])  # [N n q p]
        push = np.einsum("snqp,sp->snq", by_Z, along.weights(self.s))
        start = self.run.x @ transposed(along.A)
        slopes = self._picard(start, self.inner, lambda u: np.einsum("...ab,...b->...a", self._jacobian, u) + push)
        H, residual = self.output
        moved = (start + np.tensordot(self.total, slopes, axes=1)) @ transposed(self.params.B) + H @ transposed(along.B)
        return float(2 / self.run.spec.n * np.vdot(residual, moved))

    def velocity(self, s: Array) -> Array:
        """What stands inside π in (38) at s [S p]."""
        return self.run.inside_Z(self.hidden(s), self.params.weights(s), self.adjoint(s))

    def ends(self) -> tuple[Array, Array]:
        """What stands inside π in (40) and (41)."""
        H, residual = self.output
        return self.run.inside_A(self.adjoint(np.zeros(1))[0]), self.run.inside_B(residual, H)

    def descent(self, s: Array) -> tuple[Array, ...]:
        """(38) at s [S p], (40) and (41), π included and each as vectors, with the gradient by forward mode for P."""
        (H, residual), P = self.output, self.gradient(np.append(s, 0.0))
        inside = self.run.inside_Z(self.hidden(s), self.params.weights(s), P[:-1])
        ends = self.run.inside_A(P[-1]), self.run.inside_B(residual, H)
        return self.run.projected(inside), *(self.run.projected(e.ravel()) for e in ends)
