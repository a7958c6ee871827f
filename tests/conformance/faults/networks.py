"""Wrong implementations of the network, its gradients, its flow and its neural ODE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from depthlimit.conformance.faults.planting import Fault, Faulty, model_fault
from depthlimit.models import activations, backward, flow, residual
from depthlimit.models.implementation import Array, Arrays, Network
from depthlimit.models.reference import NumpyImplementation


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


_I = "instantaneous"
FAULTS: tuple[Fault, ...] = (
    model_fault("drop-depth-scaling", NoDepthScaling, ("plain",), f"eq3.layer[as-printed,{_I}]"),
    model_fault("drop-width-scaling", NoWidthScaling, ("plain",), f"eq3.layer[as-printed,{_I}]"),
    model_fault("flow-forgets-L", ForgottenL, ("plain",), f"eq4.V[as-printed,{_I}]", f"identities.balance[sharpened,{_I}]"),
    model_fault(
        "flow-twice-as-fast",
        TwiceAsFast,
        ("plain", "start", "clipped"),
        "eq4.flow-A[as-printed,along-trajectory]",
        "identities.energy[sharpened,along-trajectory]",
        "identities.displacement[sharpened,along-trajectory]",
    ),
    model_fault("untransposed-jacobian", UntransposedJacobian, ("plain",), f"eq13.layer[corrected,{_I}]", f"eq14.A[as-printed,{_I}]"),
    model_fault("layer-off-by-one", OffByOne, ("plain",), f"eq3.layer[as-printed,{_I}]"),
    model_fault(
        "mean-over-outputs",
        MeanOverOutputs,
        ("plain", "start"),
        f"loss.mean-squared-error[as-printed,{_I}]",
        f"identities.initial-loss[sharpened,{_I}]",
    ),
    model_fault("clip-before-L", ClipBeforeL, ("clipped", "saturated"), f"eq5.V[as-printed,{_I}]", f"prop7.speed[as-printed,{_I}]"),
    model_fault("float32-inside", SinglePrecision, ("plain",), f"eq3.layer[as-printed,{_I}]", f"eq15.V[as-printed,{_I}]"),
    model_fault("last-layer-frozen", FrozenLastLayer, ("plain", "clipped"), f"eq4.V[as-printed,{_I}]", f"eq5.W[as-printed,{_I}]"),
    model_fault("ends-frozen", FrozenEnds, ("plain", "clipped"), f"eq4.A[as-printed,{_I}]", f"eq5.B[as-printed,{_I}]"),
    model_fault(
        "half-loss", HalfLoss, ("plain",), f"eq13.last[as-printed,{_I}]", f"eq16.B[as-printed,{_I}]", f"identities.B-growth[sharpened,{_I}]"
    ),
    model_fault("normalised-inputs", NormalisedInputs, ("plain",), f"eq3.input[as-printed,{_I}]"),
    model_fault("scaled-output", ScaledOutput, ("plain",), f"eq3.output[as-printed,{_I}]"),
    model_fault("reversed-ode", ReversedOde, ("ode",), "eq6.state[as-printed,along-trajectory]", "prop2.rate[sharpened,along-trajectory]"),
    model_fault("initial-output", InitialOutput, ("ode",), "eq6.output[as-printed,along-trajectory]"),
)
