"""Planted faults: wrong implementations, wrong claims and a wrong control, each naming claims that must catch it.

A check that no fault can make fail is not trusted. `matrix` runs every fault against the claims and says which caught it; the report
shows for each claim the faults that it alone catches, and a survivor is a failing test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from depthlimit.models import activations, backward, flow, residual
from depthlimit.models.check import applicable, judge, run
from depthlimit.models.data import ArrayStore
from depthlimit.models.implementation import Array, Arrays, Network
from depthlimit.models.initialisation import smooth_function
from depthlimit.models.measure.ladder import IidRun
from depthlimit.models.measure.registry import Fields
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.spec import Spec
from depthlimit.models.verify import single_threaded
from depthlimit.theory import judgement as J
from depthlimit.theory.activation import CATALOGUE
from depthlimit.theory.claim import Claim
from depthlimit.theory.paper import certificate
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.registry import claims


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


class Rescaled(Faulty):
    """The network with V multiplied by `factor(spec)`, its gradients consistent with that."""

    def factor(self, spec: Network) -> float:
        """What V is multiplied by."""
        raise NotImplementedError

    def _scaled(self, spec: Network, params: Arrays) -> dict[str, Array]:
        return {**params, "V": params["V"] * self.factor(spec)}

    def forward(self, spec: Network, params: Arrays, x: Array) -> dict[str, Array]:
        """(3) of the rescaled network."""
        return super().forward(spec, self._scaled(spec, params), x)

    def loss(self, spec: Network, params: Arrays, x: Array, y: Array) -> float:
        """Loss of the rescaled network."""
        return super().loss(spec, self._scaled(spec, params), x, y)

    def gradients(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """Gradients of the rescaled network."""
        g = super().gradients(spec, self._scaled(spec, params), x, y)
        return {**g, "V": g["V"] * self.factor(spec)}


class NoDepthScaling(Rescaled):
    """The 1/L is missing."""

    def factor(self, spec: Network) -> float:
        """L undoes the 1/L."""
        return float(spec["L"])


class NoWidthScaling(Rescaled):
    """The 1/√m is missing."""

    def factor(self, spec: Network) -> float:
        """√m undoes the 1/√m."""
        return float(np.sqrt(spec["m"]))


class ForgottenL(Faulty):
    """The flow uses the plain gradient of Z, without the factor L."""

    def velocity(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """θ' = -∂ℓ for every block."""
        g = self.gradients(spec, params, x, y)
        return flow.velocity(spec, {**g, "V": g["V"] / spec["L"], "W": g["W"] / spec["L"]})


class TwiceAsFast(NumpyImplementation):
    """The flow runs at twice the speed; its velocity is right."""

    def flow(self, spec: Network, params: Arrays, x: Array, y: Array, times: Array) -> dict[str, Array]:
        """The state at 2t."""
        return super().flow(spec, params, x, y, 2 * times)


class UntransposedJacobian(Faulty):
    """The adjoint follows (13) as printed, with ∂₁f for its transpose."""

    def gradients(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """(14)-(16) from the wrong adjoint."""
        hidden, output = residual.forward(spec, params, x)
        u = residual.preactivations(spec, params, hidden)
        slope = activations.derivative(spec["activation"], u)
        p = np.empty_like(hidden)
        p[-1] = 2 * (output - y) @ params["B"]
        scale = 1 / (spec["L"] * np.sqrt(spec["q"] * spec["m"]))
        for k in reversed(range(spec["L"])):
            p[k] = p[k + 1] + scale * ((p[k + 1] @ params["W"][k].T) * slope[k]) @ params["V"][k].T
        return backward.gradients(spec, params, hidden, p, x, y)


class OffByOne(Faulty):
    """Layer k uses W of the next layer, the last one its own."""

    @staticmethod
    def _shifted(params: Arrays) -> dict[str, Array]:
        return {**params, "W": np.concatenate([params["W"][1:], params["W"][-1:]])}

    def forward(self, spec: Network, params: Arrays, x: Array) -> dict[str, Array]:
        """(3) with shifted W."""
        return super().forward(spec, self._shifted(params), x)

    def loss(self, spec: Network, params: Arrays, x: Array, y: Array) -> float:
        """Loss with shifted W."""
        return super().loss(spec, self._shifted(params), x, y)

    def gradients(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """Gradients of that network."""
        g = super().gradients(spec, self._shifted(params), x, y)
        W = np.concatenate([np.zeros_like(g["W"][:1]), g["W"][:-1]])
        W[-1] += g["W"][-1]
        return {**g, "W": W}


class MeanOverOutputs(Faulty):
    """The loss is averaged over outputs too."""

    def loss(self, spec: Network, params: Arrays, x: Array, y: Array) -> float:
        """(1/(n d')) Σ |F - y|²."""
        return super().loss(spec, params, x, y) / float(spec["dout"])

    def gradients(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """Gradients of that loss."""
        return {k: g / spec["dout"] for k, g in super().gradients(spec, params, x, y).items()}


class ClipBeforeL(Faulty):
    """The clip acts on the gradient, and the factor L comes after it."""

    def velocity(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """θ' = L π(-∂ℓ/∂Z)."""
        L = spec["L"]
        g = self.gradients(spec, params, x, y)
        v = flow.velocity(spec, {**g, "V": g["V"] / L, "W": g["W"] / L})
        return {**v, "V": v["V"] * L, "W": v["W"] * L}


class SinglePrecision(Faulty):
    """Parameters and data are rounded to float32 on the way in."""

    @staticmethod
    def _rounded(a: Any) -> Any:
        return {k: v.astype(np.float32).astype(np.float64) for k, v in a.items()} if isinstance(a, Mapping) else a.astype(np.float32) * 1.0

    def forward(self, spec: Network, params: Arrays, x: Array) -> dict[str, Array]:
        """(3), rounded after the pass."""
        return {k: np.asarray(v, dtype=np.float64) for k, v in self._rounded(super().forward(spec, params, x)).items()}

    def gradients(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """Gradients, rounded."""
        rounded: dict[str, Array] = self._rounded(super().gradients(spec, params, x, y))
        return rounded


class FrozenLastLayer(Faulty):
    """The last layer does not train."""

    def velocity(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """No motion of V_L, W_L."""
        v = super().velocity(spec, params, x, y)
        for k in "VW":
            v[k] = v[k].copy()
            v[k][-1] = 0
        return v


class FrozenEnds(Faulty):
    """A and B do not train although they should."""

    def velocity(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """No motion of A and B."""
        v = super().velocity(spec, params, x, y)
        return {**v, "A": np.zeros_like(v["A"]), "B": np.zeros_like(v["B"])}


class HalfLoss(Faulty):
    """Gradients are those of half the loss: the 2 of (13) and (16) is missing."""

    def gradients(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """∂(ℓ/2)."""
        return {k: g / 2 for k, g in super().gradients(spec, params, x, y).items()}


class NormalisedInputs(Faulty):
    """Inputs are normalised inside."""

    def forward(self, spec: Network, params: Arrays, x: Array) -> dict[str, Array]:
        """(3) at x/|x|."""
        return super().forward(spec, params, x / np.linalg.norm(x, axis=1, keepdims=True))


class ScaledOutput(Faulty):
    """The output is divided by √q."""

    def forward(self, spec: Network, params: Arrays, x: Array) -> dict[str, Array]:
        """F/√q."""
        f = super().forward(spec, params, x)
        return {**f, "output": f["output"] / np.sqrt(spec["q"])}


class ReversedOde(NumpyImplementation):
    """The neural ODE runs through its weights from s = 1 to 0."""

    def neural_ode(self, spec: Network, weights: Arrays, x: Array, s: Array) -> dict[str, Array]:
        """(6) with 𝒱(1 - s), 𝒲(1 - s): T_j(-u) = (-1)^j T_j(u)."""
        sign = (-1.0) ** np.arange(len(weights["V"]))[:, None, None]
        return super().neural_ode(spec, {**weights, "V": weights["V"] * sign, "W": weights["W"] * sign}, x, s)


class InitialOutput(NumpyImplementation):
    """The neural ODE's output is read off its initial state."""

    def neural_ode(self, spec: Network, weights: Arrays, x: Array, s: Array) -> dict[str, Array]:
        """F(x) = B H(0)."""
        out = super().neural_ode(spec, weights, x, s)
        return {**out, "output": x @ weights["A"].T @ weights["B"].T}


class SmoothInsteadOfIid(IidRun):
    """The control draws smooth initialisations, so that its conclusion should fail."""

    @cached_property
    def maxima(self) -> Array:
        """Largest differences of a Gaussian process at doubling depths."""
        out = np.empty((len(self.depths), self.draws))
        for j in range(self.draws):
            V, W = smooth_function(self.spec.model_copy(update={"init": _smooth(j)}), ArrayStore())(np.linspace(0, 1, int(self.depths[-1])))
            Z = np.concatenate([V.reshape(len(V), -1), W.reshape(len(W), -1)], axis=1)
            for i, L in enumerate(self.depths):
                part = Z[:: int(self.depths[-1] // L)]
                out[i, j] = np.max(np.linalg.norm(np.diff(part, axis=0)[::2], axis=1))
        return out


def _smooth(seed: int) -> Any:
    return Spec.model_validate({**_BASE, "regime": {"kind": "plain-flow"}, "init": {"kind": "gp", "seed": seed}}).init


# --- instances on which faults are sought: small, generic, W not weight-tied, two outputs

_BASE: dict[str, Any] = {"d": 2, "dout": 2, "q": 4, "m": 3, "L": 4, "n": 3}
_GP = {"kind": "gp", "seed": 3, "length": 0.5}
SPECS: dict[str, Spec] = {
    name: Spec.model_validate(value)
    for name, value in {
        "plain": {**_BASE, "regime": {"kind": "plain-flow"}, "init": _GP, "T": 0.1, "times": (0.0, 0.05, 0.1)},
        "start": {**_BASE, "regime": {"kind": "plain-flow"}, "T": 0.1, "times": (0.0, 0.01, 0.1)},
        "clipped": {**_BASE, "regime": {"kind": "clipped-flow"}, "init": _GP, "T": 0.1, "clip": {"kind": "smooth", "radius": 0.3}},
        "saturated": {
            **_BASE,
            "regime": {"kind": "clipped-flow"},
            "clip": {"kind": "radial", "radius": 0.02},
            "T": 0.5,
            "data": {"kind": "sphere", "label_scale": 10.0},
        },
        "ode": {
            **_BASE,
            "regime": {"kind": "euler-ladder", "depths": (16, 32, 64, 128)},
            "init": {"kind": "fourier", "seed": 1, "terms": 1, "scale": 0.3},
            "rtol": 1e-12,
        },
        "tight-ode": {
            **{"d": 1, "dout": 1, "q": 1, "m": 1, "n": 1, "L": 4, "rtol": 1e-12},
            "regime": {"kind": "euler-scheme", "depths": (16, 32, 64, 128)},
            "init": {"kind": "gp", "seed": 3, "length": 10.0, "scale": 0.3},
        },
        "ladder": {**_BASE, "T": 0.25, "regime": {"kind": "depth-ladder", "depths": (4, 8, 16, 32)}, "rtol": 1e-11},
        "iid": {**_BASE, "regime": {"kind": "iid-ladder", "depths": (8, 16, 32, 64), "draws": 100}, "init": {"kind": "iid"}},
        "certificate": {
            "regime": {"kind": "local-pl", "fraction": 0.25, "points": 4},
            **{"d": 3, "dout": 1, "q": 4, "m": 64, "L": 4, "n": 4, "T": 0.5, "rtol": 1e-12},
            "activation": {"name": "one_minus_cos", "a": 3.0, "b": 1.5},
            "data": {"kind": "sphere", "labels": "orthogonal"},
        },
    }.items()
}


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
    """

    name: str
    meaning: str
    specs: tuple[str, ...]
    caught_by: tuple[str, ...]
    implementation: type[NumpyImplementation] | None = None
    claim: Callable[[Claim], Claim] | None = None
    runs: type[IidRun] | None = None


def _model(name: str, implementation: type[NumpyImplementation], specs: Sequence[str], *caught_by: str) -> Fault:
    meaning = (implementation.__doc__ or "").splitlines()[0]
    return Fault(name, meaning, tuple(specs), caught_by, implementation=implementation)


_I = "instantaneous"
MODEL_FAULTS = (
    _model("drop-depth-scaling", NoDepthScaling, ("plain",), f"eq3.layer[as-printed,{_I}]"),
    _model("drop-width-scaling", NoWidthScaling, ("plain",), f"eq3.layer[as-printed,{_I}]"),
    _model("flow-forgets-L", ForgottenL, ("plain",), f"eq4.V[as-printed,{_I}]", f"identities.balance[sharpened,{_I}]"),
    _model(
        "flow-twice-as-fast",
        TwiceAsFast,
        ("plain", "start", "clipped"),
        "eq4.flow-A[as-printed,along-trajectory]",
        "identities.energy[sharpened,along-trajectory]",
        "identities.displacement[sharpened,along-trajectory]",
    ),
    _model("untransposed-jacobian", UntransposedJacobian, ("plain",), f"eq13.layer[corrected,{_I}]", f"eq14.A[as-printed,{_I}]"),
    _model("layer-off-by-one", OffByOne, ("plain",), f"eq3.layer[as-printed,{_I}]"),
    _model(
        "mean-over-outputs",
        MeanOverOutputs,
        ("plain", "start"),
        f"loss.mean-squared-error[as-printed,{_I}]",
        f"identities.initial-loss[sharpened,{_I}]",
    ),
    _model("clip-before-L", ClipBeforeL, ("clipped", "saturated"), f"eq5.V[as-printed,{_I}]", f"prop7.speed[as-printed,{_I}]"),
    _model("float32-inside", SinglePrecision, ("plain",), f"eq3.layer[as-printed,{_I}]", f"eq15.V[as-printed,{_I}]"),
    _model("last-layer-frozen", FrozenLastLayer, ("plain", "clipped"), f"eq4.V[as-printed,{_I}]", f"eq5.W[as-printed,{_I}]"),
    _model("ends-frozen", FrozenEnds, ("plain", "clipped"), f"eq4.A[as-printed,{_I}]", f"eq5.B[as-printed,{_I}]"),
    _model(
        "half-loss", HalfLoss, ("plain",), f"eq13.last[as-printed,{_I}]", f"eq16.B[as-printed,{_I}]", f"identities.B-growth[sharpened,{_I}]"
    ),
    _model("normalised-inputs", NormalisedInputs, ("plain",), f"eq3.input[as-printed,{_I}]"),
    _model("scaled-output", ScaledOutput, ("plain",), f"eq3.output[as-printed,{_I}]"),
    _model("reversed-ode", ReversedOde, ("ode",), "eq6.state[as-printed,along-trajectory]", "prop2.rate[sharpened,along-trajectory]"),
    _model("initial-output", InitialOutput, ("ode",), "eq6.output[as-printed,along-trajectory]"),
)


def _wrong(name: str, spec: str, claim_id: str, meaning: str, change: Callable[[Claim], Claim]) -> Fault:
    return Fault(name, meaning, (spec,), (claim_id,), claim=change)


def _times(factor: Any) -> Callable[[Claim], Claim]:
    return lambda c: replace(c, rhs=c.rhs * factor)


def _where(**changes: sp.Expr) -> Callable[[Claim], Claim]:
    return lambda c: replace(c, where={k: changes.get(k.name, v) for k, v in c.where.items()})


_ALONG = "along-trajectory"
_G = certificate
CLAIM_FAULTS = (
    *(
        _wrong(
            f"prop7-norm-{k}-without-M0",
            "saturated",
            f"prop7.norm-{k}[as-printed,a-priori]",
            f"M without M₀, for {k}",
            _where(M=Q.T * Q.M_pi),
        )
        for k in "AZB"
    ),
    *(
        _wrong(
            f"prop3-norm-{k}-without-start",
            "saturated",
            f"prop3.norm-{k}[as-printed,a-priori]",
            f"M without 2√(qm), for {k}",
            _where(M=Q.T * Q.M_pi),
        )
        for k in "AZB"
    ),
    *(
        _wrong(f"gap-rate-without-beta-{e}", "start", f"prop7.gap-rate[{e},{_I}]", "β dropped before Grönwall", _where(beta=sp.Integer(0)))
        for e in ("as-printed", "sharpened")
    ),
    *(
        _wrong(f"gap-without-beta-{e}", "start", f"prop7.gap[{e},{_ALONG}]", "β dropped in the bound", _where(beta=sp.Integer(0)))
        for e in ("as-printed", "sharpened")
    ),
    _wrong("clip-halved", "saturated", f"prop7.speed[as-printed,{_I}]", "half the supremum of the clip", _times(sp.Rational(1, 2))),
    _wrong("rate-of-order-2", "ladder", f"prop3.rate[sharpened,{_ALONG}]", "L⁻² for L⁻¹ in successive weights", _times(2)),
    _wrong("euler-of-order-2", "ode", f"prop2.rate[sharpened,{_ALONG}]", "L⁻² for L⁻¹ in Proposition 2", _times(2)),
    *(
        _wrong(f"prop2-exponent-{e}-{i}", "tight-ode", f"prop2.output[{e},{i}]", "C/L² for C/L", lambda c: replace(c, lhs=c.lhs * Q.depth))
        for e, i in (("sharpened", "a-priori"), ("sharpened", _ALONG), ("explicit", "a-priori"))
    ),
    _wrong(
        "B-norm-in-time-squared",
        "start",
        f"identities.B-norm[sharpened,{_ALONG}]",
        "t² for t",
        lambda c: replace(c, rhs=c.rhs.xreplace({Q.t: Q.t**2})),
    ),
    _wrong(
        "conserved-doubled",
        "plain",
        f"identities.conserved-matrix[sharpened,{_ALONG}]",
        "the conserved matrix doubled at t = 0",
        _times(2),
    ),
    _wrong("energy-rate-halved", "plain", f"identities.energy-rate[sharpened,{_I}]", "½|θ'|² for |θ'|²", _times(sp.Rational(1, 2))),
    _wrong(
        "hidden-to-second-order",
        "certificate",
        "certificate.hidden[sharpened,a-priori]",
        "e^a - 1 - a for e^a - 1",
        _where(g=sp.exp(_G.a) - 1 - _G.a),
    ),
    _wrong(
        "activations-without-depth",
        "certificate",
        "certificate.activations[sharpened,a-priori]",
        "D̂ without the terms of A and of the depth",
        _where(D_hat=Q.K_sigma / sp.sqrt(Q.q) * Q.R_W * _G.H2),
    ),
    _wrong("adjoint-doubled", "certificate", "certificate.adjoint[sharpened,a-priori]", "4 for 2 in the adjoint's bound", _times(2)),
    *(
        _wrong(f"mu-times-four-{k}", "certificate", f"certificate.{k}[sharpened,{i}]", "16 for 4 in μ", _times(4))
        for k, i in (("pl", "a-priori"), ("rate", _I), ("decay", "a-priori"))
    ),
    *(
        _wrong(
            f"radius-squared-{k}",
            "certificate",
            f"certificate.stays-{k}[sharpened,a-priori]",
            f"R_{k}² for R_{k}",
            lambda c: replace(c, rhs=c.rhs**2),
        )
        for k in "ABVW"
    ),
)
RUN_FAULTS = (
    Fault(
        "smooth-instead-of-iid",
        "the control draws Gaussian processes",
        ("iid",),
        ("control.iid-median[explicit,a-priori]", "control.iid-no-decrease[explicit,a-priori]"),
        runs=SmoothInsteadOfIid,
    ),
)
FAULTS: tuple[Fault, ...] = MODEL_FAULTS + CLAIM_FAULTS + RUN_FAULTS
_RUNS: dict[str, Fields] = {}


def _fields(name: str) -> Fields:
    """The right implementation's fields at an instance, measured once per process."""
    return _RUNS.setdefault(name, Fields(run(SPECS[name], NumpyImplementation())))


def caught(fault: Fault, selected: Iterable[Claim] | None = None) -> list[str]:
    """Ids of the claims that notice a fault (violated or errored), in order of registration."""
    found: dict[str, None] = {}
    for name in fault.specs:
        spec = SPECS[name]
        properties = CATALOGUE[spec.activation.name].properties
        known = applicable(spec, selected)
        if fault.claim is not None:
            known = [fault.claim(c) for c in known if c.id in fault.caught_by]
            fields = _fields(name)
        elif fault.runs is not None:
            fields = Fields(fault.runs(spec, ArrayStore()))
        else:
            assert fault.implementation is not None
            fields = Fields(run(spec, fault.implementation()))
        for c in known:
            if c.expect is None and judge(c, fields, properties).verdict in (J.VIOLATED, J.ERRORED):
                found[c.id] = None
    return list(found)


def caught_by_name(name: str, ids: Sequence[str]) -> list[str]:
    """`caught` for another process: the fault's name and the ids of the selected claims."""
    wanted = set(ids)
    with single_threaded():
        return caught(next(f for f in FAULTS if f.name == name), [c for c in claims() if c.id in wanted])


def matrix(selected: Iterable[Claim], submit: Callable[..., Callable[[], list[str]]]) -> Callable[[], dict[str, Any]]:
    """Submit every fault that concerns the selected claims; what is returned collects {"faults": {name: {"meaning", "expected",
    "caught_by"}}}, as run.json holds it."""
    ids = [c.id for c in selected]
    relevant = [f for f in FAULTS if set(ids) & set(f.caught_by)]
    results = {f.name: submit(caught_by_name, f.name, ids) for f in relevant}
    return lambda: {
        "faults": {
            f.name: {"meaning": f.meaning, "expected": [c for c in f.caught_by if c in ids], "caught_by": results[f.name]()}
            for f in relevant
        }
    }
