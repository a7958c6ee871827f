"""Faults in Propositions 9 and 15 and Lemmas 16, 17 and 19: wrong index maps, limits and states, and bounds with something dropped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp

from depthlimit.conformance.faults.planting import Fault, claim_fault, scaled
from depthlimit.models.corpus import COUNTEREXAMPLES
from depthlimit.models.corpus_families import FAMILIES
from depthlimit.models.families import Depths, FamilyRun
from depthlimit.models.spec import Spec
from depthlimit.theory.claim import Claim
from depthlimit.theory.paper import prop9, prop15
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.quantity import Array

SPECS: dict[str, Spec] = {**{f"family-{name}": spec for name, spec in FAMILIES.items()}, "dropped": COUNTEREXAMPLES[0]}


class IndexOfThePrint(FamilyRun):
    """Z_⌊Ls⌋ of Proposition 15 for the index of (8)."""

    def index(self, L: int, s: Fraction) -> int:
        """⌊Ls⌋."""
        return self.printed_index(L, s)


class IndexAtTheNextLayer(FamilyRun):
    """⌊Ls⌋ + 1, which is L + 1 at s = 1, for the index of (8)."""

    def index(self, L: int, s: Fraction) -> int:
        """⌊Ls⌋ + 1."""
        return self.printed_index(L, s) + 1


class LimitOfTheWholeSequence(FamilyRun):
    """The limit that odd and even depths have on the average, for that of a subsequence."""

    def limit(self, s: Depths, t: Array) -> Array:
        """Without (-1)^L flip."""
        return np.asarray(super().limit(s, t) - self.given["flip"])


class StepForAnExponential(FamilyRun):
    """A step of Euler's scheme on each piece for the solution of the ODE."""

    def on_piece(self, start: Array, exponent: Array) -> Array:
        """1 + z for e^z."""
        return np.asarray(start * (1 + exponent))


class WeightsOfDepthZero(FamilyRun):
    """(45) with Z_∞(0) at every depth."""

    def velocity(self, s: float, h: Array) -> Array:
        """Z_∞(0) ⊙ h."""
        return super().velocity(0.0, h)


def _without(*symbols: sp.Symbol) -> Callable[[Claim], Claim]:
    zero = dict.fromkeys(symbols, sp.Integer(0))
    return lambda c: replace(c, lhs=c.lhs.xreplace(zero), rhs=c.rhs.xreplace(zero))


def _less(amount: sp.Expr) -> Callable[[Claim], Claim]:
    return lambda c: replace(c, rhs=c.rhs - amount)


def _run(name: str, run: Any, spec: str, *caught_by: str) -> Fault:
    return Fault(name, run.__doc__.splitlines()[0], (spec,), caught_by, runs=run)


_A, _HALF = "[as-printed,a-priori]", sp.Rational(1, 2)
_C, _S, _E = (f"[{edition},a-priori]" for edition in ("corrected", "sharpened", "explicit"))
_CLAIMS: tuple[tuple[str, str, str, str, Callable[[Claim], Claim]], ...] = (
    ("floor-without-time", "aligned", f"prop9.floor{_A}", "no C|t - t'|", _without(Q.t)),
    ("floor-without-layers", "aligned", f"prop9.floor{_A}", "no layers in between", _without(prop9.steps)),
    ("eq26-without-jump", "aligned", f"prop9.eq26{_A}", "no C/L", _less(prop9.C / Q.depth)),
    ("eq26-without-time", "aligned", f"prop9.eq26{_A}", "no C|t - t'|", _without(Q.t)),
    ("eq26-without-depth", "aligned", f"prop9.eq26{_A}", "no C|s - s'|", _without(prop9.apart)),
    ("cauchy-without-eps", "turned", f"prop9.cauchy{_A}", "no 4Cε", _without(prop9.near)),
    ("eq27-half-C", "aligned", f"prop9.eq27{_A}", "C/2 for C", scaled(_HALF)),
    ("eq28-without-jump", "aligned", f"prop9.eq28{_A}", "no C/φ(L)", _without(prop9.C)),
    ("eq28-half-eps", "turned", f"prop9.eq28{_A}", "ε/2 for ε", scaled(_HALF)),
    ("eq29-half-eps", "turned", f"prop9.eq29{_A}", "ε/2 for ε", scaled(_HALF)),
    ("eq30-half-path", "planar", f"prop9.eq30{_C}", "half of the path", scaled(_HALF)),
    ("eq31-half-eps", "turned", f"prop9.eq31{_A}", "ε/2 for ε", scaled(_HALF)),
    ("in-t-one-eps", "turned", f"prop9.in-t{_A}", "ε for 2ε", _less(prop9.eps)),
    ("in-s-one-eps", "turned", f"prop9.in-s{_A}", "ε for 2ε", _less(prop9.eps)),
    ("uniform-three-eps", "turned", f"prop9.uniform{_C}", "3ε for 4ε", _less(prop9.eps)),
    ("uniform-sharpened-three-eps", "turned", f"prop9.uniform{_S}", "3ε for 4ε", _less(prop9.eps)),
    ("one-index-one-eps", "turned", f"prop9.one-index{_E}", "ε for 2ε", _less(prop9.eps)),
    ("maps-half-C", "aligned", f"prop15.maps{_E}", "C/2 for C", scaled(_HALF)),
    ("hidden-without-distance", "turned", f"prop15.hidden{_E}", "no distance of Z^L from the limit", _without(prop15.far)),
    ("ball-nine-tenths", "still", f"prop15.ball{_A}", "nine tenths of the radius", scaled(sp.Rational(9, 10))),
)
_CONTROLS = (
    ("integrable", "three halves, above the sine", 3),
    ("successive", "(6/5)√L", 3),
    ("one-constant", "twice the right sides", 2),
)
_TRAINED = "prop9.trained[explicit,along-trajectory]"
FAULTS: tuple[Fault, ...] = (
    _run("family-index-of-the-print", IndexOfThePrint, "family-planar", f"prop15.index{_C}"),
    _run("family-index-at-the-next-layer", IndexAtTheNextLayer, "family-planar", f"prop15.index{_C}"),
    _run("family-limit-of-the-whole-sequence", LimitOfTheWholeSequence, "family-planar", f"prop15.iterated{_A[:-9]}along-trajectory]"),
    _run("family-step-for-an-exponential", StepForAnExponential, "family-planar", f"prop15.eq54{_A}"),
    _run("family-weights-of-depth-zero", WeightsOfDepthZero, "family-planar", f"prop15.eq45{_A}"),
    *(claim_fault(f"family-{name}", f"family-{spec}", claim, meaning, change) for name, spec, claim, meaning, change in _CLAIMS),
    *(claim_fault(f"dropped-{name}", "dropped", f"hypothesis.{name}{_E}", meaning, scaled(by)) for name, meaning, by in _CONTROLS),
    claim_fault("trained-without-time", "saturated", _TRAINED, "layers that do not move", _without(Q.t)),
    claim_fault("trained-without-depth", "clipped", _TRAINED, "layers that do not differ", _without(prop9.gap_run)),
)
