"""Faults in Proposition 5 and Theorem 6: a constant, a root, a floor or a sum of one line is wrong; samplers and flows over seeds.

Lower bounds that are far from attained are multiplied by what it takes: their factor says how wrong a constant may be unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from depthlimit.conformance.faults.planting import Fault, claim_fault, redefined, scaled
from depthlimit.models import corpus_prop5 as corpus
from depthlimit.models.measure.prop5_seeds import SeedsRun
from depthlimit.models.spec import Spec
from depthlimit.models.trajectory import Batch
from depthlimit.theory.claim import Claim
from depthlimit.theory.paper import prop5_setting as P
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.unclipped import M_sigma

_NAMES = ("47", "two", "one", "sharp", "flat", "labels", "adjoint", "scale", "edge", "literal")
SPECS: dict[str, Spec] = {
    **{f"ball-{name}": spec for name, spec in zip(_NAMES, corpus.BALLS, strict=True)},
    "seeds": corpus.SEEDS[0].model_copy(
        update={"regime": corpus.SEEDS[0].regime.model_copy(update={"flows": 1})}
    ),  # draws are what is wrong
    "seeds-printed": corpus.SEEDS[1],
}
_I, _A = "instantaneous", "a-priori"
_EDITIONS = {"": "as-printed", "c": "corrected", "e": "explicit", "s": "sharpened"}


def _id(name: str, inputs: str) -> str:
    label, _, edition = name.partition("/")
    return f"{label}[{_EDITIONS[edition]},{inputs}]"


def _one(name: str, spec: str, meaning: str, change: Callable[[Claim], Claim], inputs: str = _I) -> Fault:
    return claim_fault(name.replace(".", "-").replace("/", "-") + "-off", f"ball-{spec}", _id(name, inputs), meaning, change)


def _factors(inputs: str, *rows: tuple[str, str, float]) -> tuple[Fault, ...]:
    """The right side times a factor."""
    return tuple(_one(name, spec, f"{factor:g} times the right side", scaled(sp.nsimplify(factor)), inputs) for name, spec, factor in rows)


def _rhs(change: Callable[[sp.Expr], sp.Expr]) -> Callable[[Claim], Claim]:
    return lambda c: replace(c, rhs=change(c.rhs))


def _lhs(change: Callable[[sp.Expr], sp.Expr]) -> Callable[[Claim], Claim]:
    return lambda c: replace(c, lhs=change(c.lhs))


def _swap(**pairs: Any) -> Callable[[Claim], Claim]:
    """Symbols on both sides replaced, by name."""

    def change(c: Claim) -> Claim:
        found = {s: pairs[s.name] for s in c.lhs.free_symbols | c.rhs.free_symbols if s.name in pairs}
        return replace(c, lhs=c.lhs.xreplace(found), rhs=c.rhs.xreplace(found))

    return change


class WideDraws(SeedsRun):
    """W is drawn with standard deviation 1.5."""

    def draw(self, i: int) -> Batch:
        """The right draw, W times 1.5."""
        b = super().draw(i)
        return replace(b, params={**b.params, "W": 1.5 * b.params["W"]})


class OnePoint(SeedsRun):
    """All samples are copies of the first."""

    def draw(self, i: int) -> Batch:
        """n copies of a point."""
        b = super().draw(i)
        return replace(b, x=np.repeat(b.x[:1], len(b.x), axis=0))


class Ascending(SeedsRun):
    """The flow ascends."""

    def decays(self, b: Batch) -> float:
        """The rate with the wrong sign."""
        return -super().decays(b)


class Overrated(SeedsRun):
    """μ = 20η²/n for η²/(12n)."""

    @cached_property
    def numbers(self) -> dict[str, float]:
        """μ is 240 times too large."""
        right = super().numbers
        return {**right, "mu": 240 * right["mu"]}


def _run(name: str, kind: type[SeedsRun], spec: str, caught_by: tuple[str, ...]) -> Fault:
    return Fault(name, (kind.__doc__ or "").splitlines()[0], (spec,), tuple(_id(c, _A) for c in caught_by), runs=kind)


_K, _half = Q.K_sigma, sp.Rational(1, 2)
_LITTLE_LESS, _LITTLE_MORE = 0.98, 1.02
FAULTS: tuple[Fault, ...] = (
    *_factors(
        _I,
        *((f"lemma18.{name}", "47", _LITTLE_MORE) for name in ("loyka", "operator/c", "perturbation", "trace", "eigenvalue", "left")),
        ("lemma18.frobenius", "one", _LITTLE_LESS),
        ("lemma18.right", "one", _LITTLE_MORE),
        *((f"prop5.near-{k}", "flat", factor) for k, factor in (("A", 0.98), ("B", 0.005), ("V", 0.0025), ("W", 0.005))),
        *((f"prop5.{name}", "47", _LITTLE_MORE) for name in ("loss", "smin-B", "smin-half", "p-last-lower", "p-last-loss", "s-perturbed")),
        ("prop5.norm-A", "47", 0.7),
        ("prop5.norm-B", "two", 0.85),
        ("prop5.norm-W", "two", 0.7),
        ("prop5.h0-norm", "47", _LITTLE_LESS),
        ("prop5.h0-bound", "one", 0.7),
        ("prop5.h-growth", "sharp", _LITTLE_LESS),
        ("prop5.h-step", "scale", _LITTLE_LESS),
        ("prop5.h-power", "scale", _LITTLE_LESS),
        ("prop5.h-bound", "one", 0.6),
        ("prop5.p-growth", "sharp", _LITTLE_MORE),
        ("prop5.p-step", "adjoint", _LITTLE_MORE),
        ("prop5.p-power/e", "scale", _LITTLE_MORE),
        ("prop5.p-lower/e", "scale", 2.1),
        ("prop5.p-upper", "one", 0.6),
        ("prop5.grad-V-lower", "one", _LITTLE_MORE),
        ("prop5.grad-V-loss/c", "one", 1.2),
        ("prop5.grad-V-loss/e", "scale", 2.2),
        ("prop5.s-tilde", "47", _LITTLE_MORE),
        ("prop5.drift-split", "flat", 0.4),
        ("prop5.A-drift", "one", _LITTLE_LESS),
        ("prop5.A-drift-bound", "flat", _LITTLE_LESS),
        ("prop5.h-drift", "two", 0.02),
        ("prop5.drift", "literal", 0.08),
        ("prop5.s-layer", "scale", 3.5),
        ("prop5.s-eighth", "scale", 5.2),
        ("prop5.grad-V-layer", "scale", 11.5),
        ("prop5.pl-proved/c", "scale", 130),
        ("prop5.pl/c", "scale", 130),
        ("prop5.pl/e", "edge", 600),
        ("thm6.weaker", "edge", 1200),
        ("prop5.sharp-hidden/s", "sharp", 0.14),
        ("prop5.sharp-drift/s", "flat", 0.16),
        ("prop5.sharp-s/s", "flat", 4),
        ("prop5.sharp-p/s", "literal", _LITTLE_MORE),
        ("prop5.sharp-pl/s", "flat", 20),
    ),
    *_factors(
        _A,
        ("prop5.eta-bound/e", "flat", 0.6),
        ("prop5.half", "one", 0.01),
        ("prop5.floor", "literal", 1.25),
        ("remark2.order", "adjoint", 0.9),
        ("remark2.dirac", "adjoint", 1.2),
        ("remark2.first-terms", "one", 0.8),
        ("prop5.sharp-radius/s", "one", 0.4),
        ("prop5.sharp-stretch/s", "adjoint", 0.2),
        ("prop5.sharp-rate/s", "labels", 1.2),
        ("remark3.width/c", "scale", 1.1),
        ("thm6.loss0", "47", _LITTLE_MORE),
    ),
    _one("prop5.layer", "47", "1.02 of the layer", scaled(sp.Rational(51, 50))),
    _one("lemma18.square/c", "47", "s_min for its square", _rhs(lambda e: e / P.at_B_min)),
    _one("prop5.p-last", "47", "1/n for 2/n", scaled(_half)),
    _one("prop5.p-power/c", "adjoint", "L - 1 layers for L", _rhs(lambda e: e / (1 - P.a / Q.L))),
    _one("prop5.p-lower/c", "adjoint", "L - 1 layers for L", _rhs(lambda e: e / (1 - P.a / Q.L))),
    _one("prop5.grad-V", "47", "1/L for 1/(L√m)", scaled(sp.sqrt(Q.m))),
    _one("prop5.sum", "sharp", "the factor L of the PL sum is missing on the left", _lhs(lambda e: e / Q.L)),
    _one("prop5.sum-floor/c", "scale", "⌊x⌋ + 1 for min(⌊x⌋ + 1, L)", _rhs(lambda e: Q.L * (sp.floor(P.x) + 1) * e / (Q.L * Q.L))),
    _one("prop5.radius", "47", "√(2n) for √(2nq)", _rhs(lambda e: sp.Min(P.eta / (32 * _K * sp.sqrt(2 * Q.n)), _half)), _A),
    _one(
        "prop5.delta-34/c",
        "47",
        "1/64 for 3/64",
        _lhs(lambda e: e.xreplace({P.delta_S: sp.exp(-Q.m * P.eta**2 / (64 * M_sigma**2 * Q.n))})),
        _A,
    ),
    _one("prop5.drift-constants", "47", "64 for 128 in C₂", redefined(C_2=64 * P.C_1 * _K), _A),
    _one("prop5.c1-used", "scale", "2⁵·⅞ for 2⁵ in the use of c₁", scaled(sp.Rational(7, 8)), _A),
    _one("prop5.range/c", "literal", "⌈x⌉ + 1 for ⌊x⌋ + 1", _lhs(lambda e: e + 1), _A),
    _one("prop5.c1", "47", "2⁹ for 2¹⁰", _lhs(lambda e: e / 2), _A),
    _one("prop5.c2", "47", "64 for 128 in C₂", redefined(C_2=64 * P.C_1 * _K), _A),
    _one("prop5.c4", "47", "1/4 for 1/8 in C₃", redefined(C_3=sp.exp(-P.a) / 4), _A),
    _one("prop5.mu-root/c", "47", "the root over n for nq", _lhs(lambda e: e / sp.sqrt(Q.q)), _A),
    _one(
        "prop5.sharp-drift-bound/s",
        "sharp",
        "max(1, K_σ) missing in the radius",
        redefined(M_s=P.eta / (32 * sp.sqrt(2) * _K * P.root_nq)),
        _A,
    ),
    *(
        claim_fault(f"prop5-draw-{name}", "ball-sharp", _id("prop5.sharp-draw/s", _I), meaning, change)
        for name, meaning, change in (
            ("quarter", "1.25 times the right side", scaled(sp.Rational(5, 4))),
            ("without-L", "the factor L of the PL sum is missing", _lhs(lambda e: e / Q.L)),
            ("largest", "the largest singular value for the smallest", _rhs(lambda e: e.xreplace({Q.s0: Q.S0}))),
            ("one-sample", "1/n missing", scaled(Q.n)),
        )
    ),
    _one("thm6.C", "47", "32 for 64 in C", scaled(2), _A),
    _one("thm6.condition", "labels", "7 for 8 in (22), by C", _lhs(lambda e: e * sp.Rational(7, 8)), _A),
    _run("wide-draws", WideDraws, "seeds", ("prop5.frequency", "prop5.frequency/s")),
    _run("copies-of-a-point", OnePoint, "seeds", ("prop5.frequency", "prop5.frequency/s")),
    _run("ascending-flow", Ascending, "seeds-printed", ("thm6.decay", "thm6.decay/s")),
    _run("overrated-ratio", Overrated, "seeds", ("prop5.pl-frequency/s",)),
)
