"""The double limit with one of the two limits wrong, a bound without one of its parts, and a control in which nothing is dropped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import sympy as sp

from depthlimit.conformance import faults
from depthlimit.conformance.faults.limits import NoTranspose
from depthlimit.conformance.faults.planting import Fault, Faulty, claim_fault, scaled
from depthlimit.models import corpus_double
from depthlimit.models.data import ArrayStore
from depthlimit.models.implementation import Array, Arrays, Network
from depthlimit.models.measure.double_limit_run import DoubleRun
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.spec import Spec
from depthlimit.models.training_limit import Arrays as Parameters
from depthlimit.models.training_limit import ContinuousDepth, train
from depthlimit.theory.claim import Claim
from depthlimit.theory.paper import double_limit as D

SPECS: dict[str, Spec] = {"double": corpus_double.QUICK[0].model_copy(update={"T": 4.8, "times": (0.0, 0.5, 1.5, 4.2, 4.8)})}


class ForgottenL(Faulty):
    """Networks are trained without the factor L."""

    def velocity(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """(4) with -∂ℓ/∂Z."""
        return {k: v / spec["L"] if k in "VW" else v for k, v in super().velocity(spec, params, x, y).items()}


class Halved(ContinuousDepth):
    """The factor 2 of the loss is missing in (41)."""

    def descent(self, g: Parameters) -> dict[str, Array]:
        """(38)-(41) with half of the speed of B."""
        found = super().descent(g)
        return {**found, "B": found["B"] / 2}


class Kept(DoubleRun):
    """The control keeps the factor L."""

    def without_factor(self, v: Arrays, L: int) -> dict[str, Array]:
        """(4)."""
        return dict(v)


def _with(run: DoubleRun, *shared: str, **others: Any) -> DoubleRun:
    """The run with what is not wrong in it taken over from the right one."""
    right = faults._fields("double").run
    vars(run).update({name: getattr(right, name) for name in shared}, **others)
    return run


def _networks(spec: Spec, store: ArrayStore) -> DoubleRun:
    return _with(DoubleRun(spec, store, ForgottenL()), "limit")


def _limit(kind: type[ContinuousDepth]) -> Callable[[Spec, ArrayStore], DoubleRun]:
    def start(spec: Spec, store: ArrayStore) -> DoubleRun:
        run = _with(DoubleRun(spec, store, NumpyImplementation()), "trained", "limit")
        right = run.limit.solution
        wrong = train(right.dynamics.problem, run.times, right.dynamics.N, 1e-12, kind)
        return _with(run, limit=replace(run.limit, solution=wrong))

    return start


def _kept(spec: Spec, store: ArrayStore) -> DoubleRun:
    return _with(Kept(spec, store, NumpyImplementation()), "trained", "limit")


_EDITIONS = {
    **dict.fromkeys(("tail-ends", "tail-Z", "double-ends", "double-Z"), "sharpened,along-trajectory"),
    **dict.fromkeys(("depths-decay", "limit-pl", "lipschitz"), "sharpened,a-priori"),
    **dict.fromkeys(("rate-ends", "rate-Z", "rate-h", "rate-F", "order-ends", "order-Z"), "explicit,along-trajectory"),
    "hidden": "as-printed,along-trajectory",
}


def _ids(names: str) -> tuple[str, ...]:
    return tuple(f"thm6.{name}[{_EDITIONS[name]}]" for name in names.split())


def _run(name: str, kind: type, start: Callable[[Spec, ArrayStore], Any], names: str) -> Fault:
    return Fault(f"double-{name}", (kind.__doc__ or "").splitlines()[0], ("double",), _ids(names), runs=start)


def _rhs(new: Callable[[sp.Expr], sp.Expr]) -> Callable[[Claim], Claim]:
    return lambda c: replace(c, rhs=new(c.rhs))


_CONTROL = "control.{}[explicit,along-trajectory]"
_CLAIMS: tuple[tuple[str, str, Callable[[Claim], Claim]], ...] = (
    ("tail-ends", "an eighth", scaled(sp.Rational(1, 8))),
    ("tail-Z", "a quarter", scaled(sp.Rational(1, 4))),
    ("depths-decay", "three times μ", scaled(3)),
    ("limit-pl", "three times μ", scaled(3)),
    ("lipschitz", "K̃/500", scaled(sp.Rational(1, 500))),
    ("rate-ends", "a slope of -1.01", scaled(sp.Rational(101, 100))),
    ("rate-Z", "a slope of -1.01", scaled(sp.Rational(101, 100))),
    ("rate-h", "a slope of -1.01", scaled(sp.Rational(101, 100))),
    ("rate-F", "a slope of -1.01", scaled(sp.Rational(101, 100))),
    ("order-ends", "off by a part in 10⁵", scaled(1 + sp.Rational(1, 10**5))),
    ("order-Z", "off by a part in 10⁵", scaled(1 + sp.Rational(1, 10**5))),
    ("hidden", "off by a part in 10⁴", scaled(1 + sp.Rational(1, 10**4))),
    ("double-ends", "without what falls with t", _rhs(lambda e: e.subs(D.g_ends, 0))),
    ("double-Z", "without what falls with L", _rhs(lambda e: e - D.Z_end)),
)
FAULTS: tuple[Fault, ...] = (
    _run("networks-without-L", ForgottenL, _networks, "depths-decay rate-ends rate-Z rate-h"),
    _run("limit-untransposed", NoTranspose, _limit(NoTranspose), "order-Z rate-Z hidden"),
    _run("limit-half-B", Halved, _limit(Halved), "order-ends rate-ends"),
    Fault("control-with-L", "The control keeps the factor L.", ("double",), (_CONTROL.format("depth-first"),), runs=_kept),
    claim_fault("control-half-labels", "double", _CONTROL.format("time-first"), "half of the labels", scaled(sp.Rational(1, 2))),
    *(claim_fault(f"double-{name}", "double", _ids(name)[0], meaning, change) for name, meaning, change in _CLAIMS),
)
