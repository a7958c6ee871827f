"""Wrong chains, toys and statements: Appendix D over depths, model (3) with ReLU, independent layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import sympy as sp

from depthlimit.conformance.faults.planting import Fault, claim_fault, scaled
from depthlimit.models.corpus_relu import QUICK
from depthlimit.models.implementation import Array
from depthlimit.models.independent import Outputs
from depthlimit.models.measure.ladder import IidRun
from depthlimit.models.measure.relu import ReluRun
from depthlimit.models.measure.relu_ladder import ReluLadderRun
from depthlimit.models.spec import Spec

_ALONG, _I = "along-trajectory", "instantaneous"
_RELU, _SMOOTH, _TIED = QUICK
SPECS: dict[str, Spec] = {
    "relu-chains": _RELU,
    "smooth-chains": _SMOOTH,
    "relu-tied": _TIED,
    "iid-deep": Spec.model_validate(
        {
            **dict.fromkeys(("d", "dout", "q", "m", "n", "L"), 1),
            "regime": {"kind": "iid-ladder", "depths": (8, 16, 32, 64, 128, 256), "draws": 100},
            "init": {"kind": "iid"},
        }
    ),
}


class StraightChain(ReluRun):
    """The activation has no kink: it is the identity."""

    def sigma(self, u: float) -> tuple[float, float]:
        """u."""
        return u, 1.0


class KinkedChain(ReluRun):
    """The activation is ReLU whatever the instance says."""

    def sigma(self, u: float) -> tuple[float, float]:
        """max(u, 0)."""
        return (u, 1.0) if u > 0 else (0.0, 0.0)


class TwiceAsFast(ReluRun):
    """The chain is trained at twice its speed, as a neural ODE from the limit of the weights is."""

    def velocity(self, w: Array) -> Array:
        """Twice the right one."""
        return 2 * super().velocity(w)


class NegativeStates(ReluRun):
    """The state changes its sign on the way."""

    def backpropagate(self, w: Array) -> tuple[Array, Array, Array]:
        """Right but for one sign."""
        h, p, g = super().backpropagate(w)
        h = h.copy()
        h[-3] *= -1
        return h, p, g


def _ladder(chain_: type[ReluRun]) -> type[ReluLadderRun]:
    class Ladder(ReluLadderRun):
        chain = chain_

    return Ladder


class _TiedOutputs(Outputs):
    def start(self) -> Array:
        """One draw for all layers."""
        return np.broadcast_to(super().start()[:, :1], (2, self.L, self.draws)).copy()


class TiedDraws(IidRun):
    """The layers of one network are all the same draw."""

    outputs = _TiedOutputs


class _AveragedOutputs(Outputs):
    def trained(self, steps: int) -> Array:
        """L times as near to 1 as they are."""
        return np.asarray(1 + (super().trained(steps) - 1) / np.sqrt(self.L))


class SmoothDraws(IidRun):
    """Outputs come together like 1/L."""

    outputs = _AveragedOutputs


def _run(name: str, runs: Any, spec: str, *labels: str) -> Fault:
    return Fault(name, runs.__doc__ or "", (spec,), labels, runs=runs)


def _chains(name: str, chain: type[ReluRun], spec: str, *labels: str) -> Fault:
    ids = tuple(f"relu.ladder-{label}[explicit,{_ALONG}]" for label in labels)
    return Fault(name, chain.__doc__ or "", (spec,), ids, runs=_ladder(chain))


FAULTS: tuple[Fault, ...] = (
    _chains("chains-without-kink", StraightChain, "relu-chains", "ratio", "weights", "time"),
    _chains("smooth-chains-with-kink", KinkedChain, "smooth-chains", "ratio", "same"),
    _chains("chains-twice-as-fast", TwiceAsFast, "relu-chains", "time"),
    claim_fault(
        "chains-as-neural-ode",
        "relu-chains",
        f"relu.ladder-time[explicit,{_ALONG}]",
        "the speed of the neural ODE, whatever the signs",
        scaled(2),
    ),
    claim_fault(
        "chain-weights-halved", "relu-chains", f"relu.ladder-weights[explicit,{_ALONG}]", "log P for log P/λ", scaled(sp.Rational(1, 2))
    ),
    claim_fault(
        "flow-unscaled-halved",
        "chain",
        f"relu.unscaled[explicit,{_ALONG}]",
        "half of the bound",
        scaled(sp.Rational(1, 2)),
    ),
    Fault("chain-changes-sign", NegativeStates.__doc__ or "", ("chain",), (f"relu.argument[sharpened,{_I}]",), runs=NegativeStates),
    _run("outputs-of-tied-draws", TiedDraws, "iid-deep", f"control.iid-outputs[explicit,{_ALONG}]"),
    _run("outputs-like-1-over-L", SmoothDraws, "iid-deep", f"control.iid-outputs[explicit,{_ALONG}]"),
    claim_fault("relu-tied-second-order", "relu-tied", f"control.relu-tied[explicit,{_ALONG}]", "1/L² for 1/L", scaled(sp.Rational(1, 2))),
)
