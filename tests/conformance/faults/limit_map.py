"""Faults in the continuous-depth dynamics of Theorem 14's proof: wrong equations, wrong index maps, and bounds with something dropped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import numpy as np
import sympy as sp

from depthlimit.conformance.faults import limits
from depthlimit.conformance.faults.planting import Fault, claim_fault, scaled
from depthlimit.models import general_run
from depthlimit.models.corpus_limit_map import LIMIT_MAPS, TRAINED
from depthlimit.models.limit_map import LimitMapRun, Piece
from depthlimit.models.spec import Spec
from depthlimit.theory.claim import Claim
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper import thm14_steps as S
from depthlimit.theory.quantity import Array

SPECS: dict[str, Spec] = {f"map-{name}": spec for name, spec in (LIMIT_MAPS | TRAINED).items()}
_HALF = sp.Rational(1, 2)


class WrongSign(LimitMapRun):
    """The backward ODE has the wrong sign: ∂P/∂s = ∂₁fᵀP."""

    def backward(self, jacobian: Array, P: Array) -> Array:
        """-∂₁fᵀP."""
        return -super().backward(jacobian, P)


class Untransposed(LimitMapRun):
    """The backward ODE lacks the transpose: ∂P/∂s = -∂₁f P."""

    def backward(self, jacobian: Array, P: Array) -> Array:
        """∂₁f P."""
        return -self.backward_printed(jacobian, P)


class AsPrinted(LimitMapRun):
    """The backward ODE as printed: ∂P/∂s = ∂₁f P."""

    def backward(self, jacobian: Array, P: Array) -> Array:
        """-∂₁f P."""
        return self.backward_printed(jacobian, P)


class HalfLoss(LimitMapRun):
    """The 2 of P(1) is missing, as for a loss with ½."""

    def last(self, B: Array, residual: Array) -> Array:
        """Bᵀ(B H(1) - y)."""
        return super().last(B, residual) / 2


class HalfLossInB(LimitMapRun):
    """The 2 of (41) is missing."""

    def inside_B(self, residual: Array, H: Array) -> Array:
        """-1/n Σ (B H_i(1) - y_i) H_i(1)ᵀ."""
        return super().inside_B(residual, H) / 2


class SumOfSamplesInZ(LimitMapRun):
    """The 1/n of (37) and (38) is missing."""

    def inside_Z(self, H: Array, Z: Array, P: Array) -> Array:
        """-Σ ∂₂fᵀP."""
        return super().inside_Z(H, Z, P) * self.spec.n


class SumOfSamplesInA(LimitMapRun):
    """The 1/n of (40) is missing."""

    def inside_A(self, first: Array) -> Array:
        """-Σ P(0)xᵀ."""
        return super().inside_A(first) * self.spec.n


class Ascent(LimitMapRun):
    """The minus inside π is missing in (37) and (38)."""

    def inside_Z(self, H: Array, Z: Array, P: Array) -> Array:
        """+1/n Σ ∂₂fᵀP."""
        return -super().inside_Z(H, Z, P)


class LastAdjointInA(LimitMapRun):
    """(40) takes the adjoint at the other end, P(1) for P(0)."""

    def inside_A(self, first: Array) -> Array:
        """-1/n Σ P(1)xᵀ."""
        here = self.solutions[0][0]
        return super().inside_A(here.end)


class LayerBelow(LimitMapRun):
    """Layer k takes Z((k-1)/L), the left node."""

    def samples(self) -> Array:
        """(k-1)/L."""
        return super().samples() - 1 / self.L


class PairedAsPrinted(LimitMapRun):
    """The backward recurrence takes θ_k = (h_k, Z_k), as page 27 has it, for (h_{k-1}, Z_k)."""

    def adjoints(self, network: dict[str, Array], hidden: Array) -> Array:
        """(13) with states of the layer above."""
        above = np.concatenate([hidden[1:], hidden[-1:]])
        return np.concatenate([general_run.adjoint(self.branch, network, above, self.y)[:-1], super().adjoints(network, hidden)[-1:]])


class BackwardRunForward(LimitMapRun):
    """Corollary 12 applied to (13) as it stands: from p_L at s = 0 up, u_{k+1} = u_k + ∂₁fᵀu_k/L."""

    def adjoints(self, network: dict[str, Array], hidden: Array) -> Array:
        """(13) in the order of (32)."""
        J = self.branch.state_jacobian(hidden[:-1], network["Z"][:, None, :])
        p = [super().adjoints(network, hidden)[-1]]
        for k in range(self.L):
            p.append(p[-1] + np.einsum("nab,na->nb", J[k], p[-1]) / self.L)
        return np.stack(p)


class StateAbove(LimitMapRun):
    """(37) takes the state after its layer, h_k for h_{k-1}."""

    def arguments(self, below: int) -> tuple[Fraction, Fraction]:
        """(⌊(L-1)s⌋+1)/L twice."""
        return (super().arguments(below)[1],) * 2


class AdjointBelow(LimitMapRun):
    """(37) takes the adjoint before its layer, p_{k-1} for p_k."""

    def arguments(self, below: int) -> tuple[Fraction, Fraction]:
        """⌊(L-1)s⌋/L twice."""
        return (super().arguments(below)[0],) * 2


class FloorOfLs(LimitMapRun):
    """(37) is read with Z_{⌊Ls⌋} for Z_{⌊(L-1)s⌋+1}, and with Z_1 where there is no Z_0."""

    def layer(self, piece: Piece) -> int:
        """⌊Ls⌋."""
        return max(piece.floor, 1)


class OtherPieces(LimitMapRun):
    """(37) is read by ⌊(L-1)s⌋/(L-1), the right ends of the pieces of Z^L, for ⌊(L-1)s⌋/L."""

    def arguments(self, below: int) -> tuple[Fraction, Fraction]:
        """In units of 1/(L-1)."""
        last = self.L - 1
        return Fraction(below, last), min(Fraction(below + 1, last), Fraction(1))


class PlainGradient(LimitMapRun):
    """Layers move by π(-∂ℓ/∂Z_k), without the factor L."""

    @property
    def velocity(self) -> Array:
        """Without a clip, 1/L of the velocity."""
        return super().velocity / self.L


class FrozenWeights(LimitMapRun):
    """The stepper follows a neural ODE whose weights do not depend on s."""

    @property
    def reference(self) -> tuple[Array, Array]:
        """(43) with Z(0)."""
        here = type(self.here)(self.here.A, self.here.B, self.here.Z0, 0 * self.here.Z1)
        other = LimitMapRun.__new__(LimitMapRun)
        vars(other).update({**vars(self), "here": here})
        return other.reference


class TrainedAsPrinted(LimitMapRun):
    """Continuous depth is trained with the backward ODE as printed."""

    dynamics = limits.AsPrinted


class TrainedOnTheSum(LimitMapRun):
    """Continuous depth is trained on the sum of samples, not on their mean."""

    dynamics = limits.NoMean


class TrainedUnclipped(LimitMapRun):
    """Continuous depth is trained without the clip of Z."""

    dynamics = limits.NoClip


_PRINTED, _A, _I, _ALONG, _EXPLICIT = (
    "as-printed,a-priori",
    "corrected,a-priori",
    "as-printed,instantaneous",
    "as-printed,along-trajectory",
    "explicit,a-priori",
)
_44, _44_LIMIT = "a5.eq44[corrected,along-trajectory]", f"a5.adjoint[{_A}]"
_38, _40, _41 = (f"a5.eq{k}[{_ALONG}]" for k in (38, 40, 41))
_PATH = f"a5.path[{_ALONG}]"
_37 = f"a5.eq37[{_I}]"


def _run(name: str, run: type[LimitMapRun], specs: str, *caught_by: str) -> Fault:
    return Fault(f"limit-{name}", (run.__doc__ or "").splitlines()[0], tuple(f"map-{s}" for s in specs.split()), caught_by, runs=run)


def _line(name: str, spec: str, claim: str, meaning: str, change: Callable[[Claim], Claim]) -> Fault:
    return claim_fault(f"limit-{name}", f"map-{spec}", claim, meaning, change)


def _without(*symbols: sp.Symbol) -> Callable[[Claim], Claim]:
    """The right side with terms dropped."""

    def change(c: Claim) -> Claim:
        nothing = dict.fromkeys(symbols, sp.Integer(0))
        return replace(c, rhs=c.rhs.xreplace(nothing), where={k: sp.sympify(v).xreplace(nothing) for k, v in c.where.items()})

    return change


FAULTS: tuple[Fault, ...] = (
    _run("wrong-sign", WrongSign, "states plane", _44, _44_LIMIT, _38, _40),
    _run("untransposed", Untransposed, "plane", _44, _38, _40),
    _run("backward-as-printed", AsPrinted, "states plane", _44, _44_LIMIT, _38, _40),
    _run("half-loss", HalfLoss, "states plane", _44, _44_LIMIT, _38, _40),
    _run("half-loss-in-B", HalfLossInB, "plane", _41),
    _run("sum-of-samples-in-Z", SumOfSamplesInZ, "plane", _37, _38),
    _run("sum-of-samples-in-A", SumOfSamplesInA, "plane", _40),
    _run("ascent", Ascent, "plane", _37, _38),
    _run("last-adjoint-in-A", LastAdjointInA, "plane", _40),
    _run("layer-below", LayerBelow, "slope", f"a5.eq39[{_EXPLICIT}]"),
    _run("paired-as-printed", PairedAsPrinted, "perceptron", _37),
    _run("backward-run-forward", BackwardRunForward, "states plane", _37, _44_LIMIT),
    _run("floor-of-Ls", FloorOfLs, "perceptron", _37),
    _run("state-above", StateAbove, "plane", _37),
    _run("adjoint-below", AdjointBelow, "plane", _37),
    _run("other-pieces", OtherPieces, "plane", _37),
    _run("plain-gradient", PlainGradient, "plane", _37),
    _run("frozen-weights", FrozenWeights, "slope", f"a5.eq43[{_ALONG}]"),
    _run("trained-as-printed", TrainedAsPrinted, "trained-plane", _PATH),
    _run("trained-on-the-sum", TrainedOnTheSum, "trained-plane", _PATH),
    _run("trained-unclipped", TrainedUnclipped, "trained-perceptron", _PATH),
    _line("start-second-order", "slope", f"a5.eq39[{_EXPLICIT}]", "C_Z/L² for C_Z/L", scaled(1 / Q.L)),
    _line("hidden-halved", "states", f"a5.hidden[{_EXPLICIT}]", "half of it", scaled(_HALF)),
    _line("adjoint-halved", "states", _44_LIMIT, "half of it", scaled(_HALF)),
    *(
        _line(f"velocity-without-{name}", spec, "a5.velocity[explicit,instantaneous]", f"no distance of {name}", _without(symbol))
        for name, spec, symbol in (("adjoints", "states", S.p_gap_37), ("states", "slope", S.h_gap_37))
    ),
    _line("lipschitz-in-H-only", "weights", f"a5.lipschitz[{_PRINTED}]", "no distance of Z", _without(S.dZ)),
    _line("unfolded-without-integral", "states", f"a5.unfolded[{_PRINTED}]", "no integral", _without(S.H_integral)),
    *(
        _line(f"gronwall-without-{name}", spec, f"a5.gronwall[{_PRINTED}]", f"no distance of {name}", _without(symbol))
        for name, spec, symbol in (("A", "states", S.dA), ("Z", "weights", S.dZ))
    ),
    _line("gronwall-without-growth", "states", f"a5.gronwall[{_PRINTED}]", "no e^{K_f}", lambda c: replace(c, rhs=c.rhs * sp.exp(-S.K_f))),
    _line("map-halved", "states", f"a5.eq42[{_EXPLICIT}]", "half of it", scaled(_HALF)),
)
