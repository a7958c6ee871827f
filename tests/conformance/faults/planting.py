"""What a planted fault is, the base of wrong implementations, and small generic instances on which faults are sought."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy as sp

from depthlimit.models import flow
from depthlimit.models.data import ArrayStore
from depthlimit.models.implementation import Array, Arrays, Network
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.spec import Spec
from depthlimit.theory.claim import Claim


@dataclass(frozen=True)
class Fault:
    """A planted fault.

    Args:
        name: as `depthlimit break` would call it.
        meaning: what is wrong, in a sentence.
        specs: names of the instances to try.
        caught_by: ids of claims that must catch it (others may).
        implementation: the wrong implementation, or None.
        claim: a wrong edition of the claim that `caught_by` names, or None.
        runs: replaces the run of an instance, or None.
        cause: what a diagnosis should say of it, in the words of the model; faults with the same cause share it. Empty: its meaning.
        seconds: stop the implementation's calls after so long.
    """

    name: str
    meaning: str
    specs: tuple[str, ...]
    caught_by: tuple[str, ...]
    implementation: type[NumpyImplementation] | None = None
    claim: Callable[[Claim], Claim] | None = None
    runs: Callable[[Spec, ArrayStore], Any] | None = None
    cause: str = ""
    seconds: float | None = None


def claim_fault(name: str, spec: str, claim_id: str, meaning: str, change: Callable[[Claim], Claim]) -> Fault:
    """A wrong edition of the claim that must catch it."""
    return Fault(name, meaning, (spec,), (claim_id,), claim=change)


def scaled(factor: Any) -> Callable[[Claim], Claim]:
    """The right side times a factor."""
    return lambda c: replace(c, rhs=c.rhs * factor)


def redefined(**changes: sp.Expr) -> Callable[[Claim], Claim]:
    """Definitions of `where` replaced, by the names of their symbols."""
    return lambda c: replace(c, where={k: changes.get(k.name, v) for k, v in c.where.items()})


class Faulty(NumpyImplementation):
    """NumPy, with a flow that follows whatever `velocity` says: the base of wrong implementations."""

    def flow(self, spec: Network, params: Arrays, x: Array, y: Array, times: Array) -> dict[str, Array]:
        """The flow of `velocity`."""
        blocks = list(params)
        shapes = [params[k].shape for k in blocks]

        def unpacked(vector: Array) -> dict[str, Array]:
            return dict(zip(blocks, flow.unpack(vector, shapes), strict=True))

        def rhs(_: float, vector: Array) -> Array:
            v = self.velocity(spec, unpacked(vector), x, y)
            return flow.pack(v[k] for k in blocks)

        start = flow.pack(params[k] for k in blocks)
        moved = flow.solve(rhs, start, times, spec["rtol"], [flow.Block(params[k].size) for k in blocks])
        states = [unpacked(start + row) for row in moved]
        out = {k: np.stack([s[k] for s in states]) for k in blocks}
        return {**out, "loss": np.array([self.loss(spec, s, x, y) for s in states])}


# --- instances on which faults are sought: small, generic, W not weight-tied, two outputs

BASE: dict[str, Any] = {"d": 2, "dout": 2, "q": 4, "m": 3, "L": 4, "n": 3}
GP = {"kind": "gp", "seed": 3, "length": 0.5}
SPECS: dict[str, Spec] = {
    name: Spec.model_validate(value)
    for name, value in {
        "plain": {**BASE, "regime": {"kind": "plain-flow"}, "init": GP, "T": 0.1, "times": (0.0, 0.05, 0.1)},
        "start": {**BASE, "regime": {"kind": "plain-flow"}, "T": 0.1, "times": (0.0, 0.01, 0.1)},
        "clipped": {**BASE, "regime": {"kind": "clipped-flow"}, "init": GP, "T": 0.1, "clip": {"kind": "smooth", "radius": 0.3}},
        "saturated": {
            **BASE,
            "regime": {"kind": "clipped-flow"},
            "clip": {"kind": "radial", "radius": 0.02},
            "T": 0.5,
            "data": {"kind": "sphere", "label_scale": 10.0},
        },
        "ode": {
            **BASE,
            "regime": {"kind": "euler-ladder", "depths": (16, 32, 64, 128)},
            "init": {"kind": "fourier", "seed": 1, "terms": 1, "scale": 0.3},
            "rtol": 1e-12,
        },
        "tight-ode": {
            **{"d": 1, "dout": 1, "q": 1, "m": 1, "n": 1, "L": 4, "rtol": 1e-12},
            "regime": {"kind": "euler-scheme", "depths": (16, 32, 64, 128)},
            "init": {"kind": "gp", "seed": 3, "length": 10.0, "scale": 0.3},
        },
        "ladder": {**BASE, "T": 0.25, "regime": {"kind": "depth-ladder", "depths": (4, 8, 16, 32)}, "rtol": 1e-11},
        "iid": {**BASE, "regime": {"kind": "iid-ladder", "depths": (8, 16, 32, 64), "draws": 100}, "init": {"kind": "iid"}},
        "state": {**BASE, "regime": {"kind": "network"}, "init": {"kind": "iid", "seed": 5}, "times": (0.0,)},
        "inside": {**BASE, "regime": {"kind": "clipped-flow"}, "init": GP, "T": 0.1, "clip": {"kind": "radial", "radius": 5.0}},
        "sigma": {
            **{**BASE, "regime": {"kind": "plain-flow"}, "init": GP, "T": 0.1, "times": (0.0, 0.1)},
            "activation": {"name": "gelu", "a": 1.5, "b": 0.7},
        },
        "erf": {**BASE, "regime": {"kind": "plain-flow"}, "init": GP, "T": 0.1, "times": (0.0, 0.1), "activation": {"name": "erf"}},
        "weights-only": {**BASE, "regime": {"kind": "plain-flow"}, "init": GP, "T": 0.1, "train": "VW"},
        "small-ode": {
            **{"d": 2, "dout": 2, "q": 3, "m": 2, "L": 4, "n": 2},
            "regime": {"kind": "euler-scheme", "depths": (2, 4, 8, 16), "coefficients": 5},
            **{"init": GP, "rtol": 1e-12},
        },
        "certificate": {
            "regime": {"kind": "local-pl", "fraction": 0.25, "points": 4},
            **{"d": 3, "dout": 1, "q": 4, "m": 64, "L": 4, "n": 4, "T": 0.5, "rtol": 1e-12},
            "activation": {"name": "one_minus_cos", "a": 3.0, "b": 1.5},
            "data": {"kind": "sphere", "labels": "orthogonal"},
        },
    }.items()
}
