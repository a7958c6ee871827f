"""Faults in the comparison system without clipping: a factor, a term or an exponent of one definition or speed is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import sympy as sp

from depthlimit.conformance.faults.planting import Fault, claim_fault, scaled
from depthlimit.models import corpus
from depthlimit.models.data import ArrayStore
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.spec import Spec
from depthlimit.models.trajectory import Trajectory, realise
from depthlimit.theory.claim import Claim
from depthlimit.theory.paper import comparison as theory
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper import variational as V


def _tiny(m: int, L: int, n: int, T: float, activation: str, seed: int, data: int, scale: float) -> Spec:
    return Spec.model_validate(
        {
            "regime": {"kind": "plain-flow"},
            **{"d": 1, "dout": 1, "q": 2, "m": m, "L": L, "n": n, "T": T, "rtol": 1e-11, "activation": {"name": activation}},
            "init": {"kind": "paper", "seed": seed},
            "data": {"kind": "gaussian", "seed": data, "label_scale": scale},
        }
    )


# found by search: each breaks the bound that lacks a term by the factor noted
SPECS: dict[str, Spec] = {
    "balanced": corpus.PLAIN[1],
    "linear-branch": corpus.UNCLIPPED[0],
    "small-activations": _tiny(1, 4, 1, 0.379, "identity", 8843, 3603, 3.0),  # 5.8: S̄ is small, and grows as A turns
    "turning": _tiny(1, 1, 1, 0.05, "tanh", 6759, 6045, 0.3),  # 1.6
    "amplifying": _tiny(2, 1, 1, 0.25, "tanh", 6440, 9458, 3.0),  # 1.05: layers stretch the adjoint
    "stretching": _tiny(1, 1, 2, 0.172, "identity", 8313, 2341, 3.0),  # 1.3: |A| grows and W is small
    "two-samples": _tiny(2, 4, 2, 0.0695, "tanh", 1758, 4388, 1.0),  # 1.4
}
_HALF = sp.Rational(1, 2)


def _id(name: str) -> str:
    return f"comparison.{name}[sharpened,{'along-trajectory' if name in ('A-balance', 'decay') else 'a-priori'}]"


def _planted(name: str, meaning: str, spec: str, system: theory.System, *caught_by: str) -> Fault:
    class Planted(Trajectory):
        comparison = system

    def start(found: Spec, store: ArrayStore) -> Trajectory:
        return Planted(realise(found, store), NumpyImplementation())

    return Fault(f"comparison-{name}", meaning, (spec,), tuple(_id(c) for c in caught_by), runs=start)


def _defined(**changes: Any) -> theory.System:
    """Definitions replaced, by the names of their symbols."""
    known = theory.SYSTEM.definitions
    return replace(theory.SYSTEM, definitions={k: sp.sympify(changes.get(k.name, v)) for k, v in known.items()})


def _speed(block: str, change: Callable[[sp.Expr], sp.Expr]) -> theory.System:
    """The speed of one component of the state changed."""
    at = [s.name for s in theory.STATE].index(block)
    return replace(theory.SYSTEM, rates=tuple(change(r) if i == at else r for i, r in enumerate(theory.SYSTEM.rates)))


def _one_for_two(c: Claim) -> Claim:
    return replace(c, rhs=c.rhs.xreplace({2 * Q.moved_B**2: Q.moved_B**2}))


_OF = theory.SYSTEM.definitions
FAULTS: tuple[Fault, ...] = (
    claim_fault(
        "comparison-root-halved", "balanced", _id("B-root"), "half the labels", lambda c: replace(c, rhs=sp.sqrt(1 + Q.t * Q.mean_y2 / 2))
    ),
    claim_fault("comparison-balance-once", "linear-branch", _id("A-balance"), "B counted once for twice", _one_for_two),
    claim_fault("comparison-decay-halved", "linear-branch", _id("decay"), "the loss decays half as fast", scaled(_HALF)),
    _planted(
        "A-balance-once",
        "in |A|₂ the displacement of B counts once for twice",
        "balanced",
        _defined(alpha=sp.Min(1 + theory.D_A, sp.sqrt(1 + theory.D_B**2 + (2 * Q.w0 + theory.R_W) * theory.R_W))),
        "A",
    ),
    _planted(
        "balance-without-W",
        "in |A|₂ the displacement of W is forgotten",
        "balanced",
        _defined(alpha=sp.Min(1 + theory.D_A, sp.sqrt(1 + 2 * theory.D_B**2))),
        "A",
    ),
    _planted("energy-halved", "D halved", "balanced", _defined(D=_OF[theory.D] / 2), "B"),
    _planted("decay-doubled", "8/n for 4/n in the rate of the loss", "balanced", _defined(kappa=2 * _OF[theory.kappa]), "loss", "p", "V"),
    _planted(
        "decay-unmoved",
        "the rate of the loss stays what it is at the start",
        "linear-branch",
        _defined(
            kappa=_OF[theory.kappa].xreplace(
                dict.fromkeys((theory.drift, theory.D_A, theory.D_B, theory.growth, theory.moved), sp.Integer(0))
            )
        ),
        "loss",
    ),
    _planted("states-without-depth", "e^a dropped from the states", "balanced", _defined(H=theory.alpha * Q.M_X), "h"),
    _planted("states-without-A", "|A|₂ dropped from the states", "stretching", _defined(H=_OF[theory.H] / theory.alpha), "h"),
    _planted("adjoint-halved", "the 2 of p_L dropped", "linear-branch", _defined(G=_OF[theory.G] / 2), "p", "V", "W", "gap"),
    _planted("adjoint-without-depth", "e^a dropped from the adjoint", "amplifying", _defined(G=2 * theory.beta / sp.sqrt(Q.n)), "p"),
    _planted("activations-unmoved", "S₀ for S₀ + D̂", "small-activations", _defined(S=Q.S0), "V", "gap"),
    _planted("turning-halved", "half the speed of A", "turning", _speed("A", lambda g: g / 2), "V", "W"),
    _planted("V-per-sample", "1/n for 1/√n in the speed of V", "two-samples", _speed("V", lambda g: g / sp.sqrt(Q.n)), "V", "W"),
    _planted("V-wide", "1/m for 1/√m in the speed of V", "linear-branch", _speed("V", lambda g: g / sp.sqrt(Q.m)), "V", "W", "gap"),
    _planted("W-four-fifths", "four fifths of the speed of W", "linear-branch", _speed("W", lambda g: g * sp.Rational(4, 5)), "W"),
    _planted("source-halved", "half the speed of ν_V", "linear-branch", _speed("nu_V", lambda g: g * _HALF), "gap"),
    _planted("source-deep", "c_V/L² for c_V/L", "linear-branch", _speed("nu_V", lambda g: g.xreplace({V.c_V: V.c_V / Q.L})), "gap"),
    _planted(
        "source-without-step",
        "c_V without the step of the states",
        "linear-branch",
        _defined(c_V=theory.S * V.a / sp.sqrt(Q.m)),
        "gap",
    ),
)
