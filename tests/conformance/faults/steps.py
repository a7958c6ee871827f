"""Wrong implementations and wrong adjoints that the steps of Proposition 7 catch on a network of model (3), and (9) over depths."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import sympy as sp

from depthlimit.conformance.faults.general import where
from depthlimit.conformance.faults.planting import BASE, GP, Fault, claim_fault, scaled
from depthlimit.conformance.faults.written import times, wrong
from depthlimit.models import activations, corpus, residual
from depthlimit.models.data import ArrayStore
from depthlimit.models.implementation import Array
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.spec import Spec
from depthlimit.models.trajectory import Trajectory, realise
from depthlimit.theory.paper import quantities as Q

SPECS: dict[str, Spec] = {
    "steep": corpus.STEEP,
    "aligned-steps": corpus.ALIGNED,
    "ladder-gp": corpus.LADDERS[1],
    "one-sample": Spec.model_validate({**BASE, "n": 1, "regime": {"kind": "plain-flow"}, "init": GP, "T": 0.1}),
}


class HalfAdjoint(Trajectory):
    """The 2 of (13) is missing in our own adjoint."""

    @cached_property
    def adjoint(self) -> Array:
        """p/2."""
        return super().adjoint / 2


class AdjointWithoutDepth(Trajectory):
    """The 1/L of the recurrence (13) is missing in our own adjoint."""

    @cached_property
    def adjoint(self) -> Array:
        """p_k = p_{k+1} + ∂₁fᵀp_{k+1}."""
        s, net = self.states, self.network
        slope = activations.derivative(net["activation"], residual.preactivations(net, s, self.forward["hidden"]))
        p = [super().adjoint[..., -1, :, :]]
        for k in reversed(range(net["L"])):
            pull = (p[-1] @ s["V"][..., k, :, :]) * slope[..., k, :, :]
            p.append(p[-1] + pull @ s["W"][..., k, :, :] / np.sqrt(net["q"] * net["m"]))
        return np.stack(p[::-1], axis=-3)


def _ids(names: str) -> tuple[str, ...]:
    """Steps by name, `/c` and `/s` for the corrected and the sharpened edition."""
    editions = {"": "as-printed", "c": "corrected", "s": "sharpened"}
    pairs = (name.partition("/") for name in names.split())
    return tuple(f"prop7.{label}[{editions[edition]},instantaneous]" for label, _, edition in pairs)


def _planted(name: str, kind: type[Trajectory], specs: tuple[str, ...], caught_by: str) -> Fault:
    def start(spec: Spec, store: ArrayStore) -> Trajectory:
        return kind(realise(spec, store), NumpyImplementation())

    return Fault(name, (kind.__doc__ or "").splitlines()[0], specs, _ids(caught_by), runs=start)


_half = sp.Rational(1, 2)
_GROWTH = "hidden-growth hidden-growth/s hidden-bound h-change"
_RATES = "split-samples/c eq20/c returning/c returning/s thus/s"
_LIMIT = "eq9.state[as-printed,along-trajectory]"
# What faults of other parts are caught by on these instances too: specs and ids.
ALSO: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "drop-depth-scaling": (("steep", "aligned-steps"), _ids(f"{_GROWTH} {_RATES}")),
    "last-layer-frozen": (("one-sample", "clipped"), _ids("velocity-difference/c eq20/c")),
    "untransposed-jacobian": (("one-sample",), _ids("split-samples/c")),
    "scaled-output": (("plain",), _ids("p-last")),
    "reversed-ode": (("ladder-gp",), (_LIMIT,)),
    "drop-width-scaling": (("ladder",), (_LIMIT,)),
}
FAULTS: tuple[Fault, ...] = (
    wrong(
        "unscaled-bytes",
        "inputs are multiplied by 255, as bytes that were never scaled to [0, 1]",
        "steep aligned-steps",
        " ".join(_ids("embedded compact-h K2 K mean-value")),
        given={method: lambda spec, params, x, *y: (spec, params, 255 * x, *y) for method in ("forward", "loss", "gradients")},
    ),
    wrong(
        "skip-twice",
        "the residual connection is added twice",
        "steep aligned-steps",
        " ".join(_ids(_GROWTH)),
        keep=lambda s: 2.0,
    ),
    wrong(
        "loss-doubled",
        "gradients are those of twice the loss",
        "aligned-steps one-sample",
        " ".join(_ids(_RATES)),
        answers={"gradients": times(lambda s: 2.0)},
    ),
    _planted("steps-half-adjoint", HalfAdjoint, ("aligned-steps",), f"{_RATES} p-last"),
    _planted("steps-adjoint-without-depth", AdjointWithoutDepth, ("steep",), "p-change/c p-triangle/c p-step"),
    # no implementation can break these, which hold for f at any states: what is wrong here is the constant
    *(
        claim_fault(f"steps-{name.replace('/', '-')}", spec, _ids(name)[0], meaning, change)
        for name, spec, meaning, change in (
            ("K1", "steep", "K₁/L for K₁", where(K_1=1 / Q.L)),
            ("embedded-bound", "steep", "half of M", where(M=_half)),
            ("mean-value/s", "aligned-steps", "half of K'₂₂", where(**{"K'_22": _half})),
            ("split-products/c", "aligned-steps", "half of both products", scaled(_half)),
            ("p-growth", "steep", "K/L² for K/L", where(K=1 / Q.L)),
            ("h-step", "steep", "K/L² for K/L", scaled(1 / Q.L)),
            ("p-last-bound", "aligned-steps", "half of M", where(M=_half)),
        )
    ),
)
