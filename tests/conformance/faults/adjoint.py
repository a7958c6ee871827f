"""Wrong adjoints (13) and wrong gradients (14)-(16) of the right network."""

from __future__ import annotations

import numpy as np

from depthlimit.conformance.faults.planting import Fault
from depthlimit.conformance.faults.written import Change, layer, times, wrong
from depthlimit.models import activations, backward, residual
from depthlimit.models.implementation import Array, Arrays, Network
from depthlimit.models.reference import NumpyImplementation


def _slope_at(argument: Change) -> Change:
    """σ' at another argument."""
    return lambda s, us, j: activations.derivative(s["activation"], argument(s, us, j))


def _tanh_of_u(s: Network, us: list[Array], j: int) -> Array:
    """1 - φ², with u where φ(u) belongs."""
    return 1 - us[j] ** 2


def _one_output(s: Network, error: Array, B: Array) -> Array:
    return 2 * error[:, :1] @ B[:1]


def _samples(take: slice) -> dict[str, Change]:
    """Gradients of some samples only."""
    return {"gradients": lambda s, p, x, y: (s, p, x[take], y[take]) if len(x) > 1 else (s, p, x, y)}


def _exchanged(g: Arrays, *_: object) -> dict[str, Array]:
    return {**g, "V": g["W"].transpose(0, 2, 1), "W": g["V"].transpose(0, 2, 1)}


def _clipped(g: Arrays, *_: object) -> dict[str, Array]:
    norm = float(np.sqrt(sum(np.sum(v**2) for v in g.values())))
    return {k: v / max(1.0, 10 * norm) for k, v in g.items()}


class FiniteDifferences(NumpyImplementation):
    """Gradients are difference quotients of the loss with step 1e-6."""

    def gradients(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """(ℓ(θ + e) - ℓ(θ - e)) / 2e, entry by entry."""
        g = {k: np.zeros_like(v) for k, v in params.items()}
        for k, v in params.items():
            for at in np.ndindex(v.shape):
                e = np.zeros_like(v)
                e[at] = 1e-6
                ends = (self.loss(spec, {**params, k: v + sign * e}, x, y) for sign in (1, -1))
                g[k][at] = (next(ends) - next(ends)) / 2e-6
        return g


def _W_after(g: Arrays, s: Network, p: Arrays, x: Array, y: Array) -> dict[str, Array]:
    """W's gradient with h_k for h_{k-1}: the outer product's right factor comes one layer late."""
    h = residual.forward(s, p, x)[0]
    delta = activations.derivative(s["activation"], residual.preactivations(s, p, h)) * (backward.adjoint(s, p, h, y)[1:] @ p["V"])
    return {**g, "W": delta.swapaxes(1, 2) @ h[1:] / (len(x) * s["L"] * (s["q"] * s["m"]) ** 0.5)}


def _B_before(s: Network, p: Arrays, x: Array, y: Array) -> Array:
    f = NumpyImplementation().forward(s, p, x)
    return np.asarray(2 / len(x) * (f["output"] - y).T @ f["hidden"][-2])


_L, _J = "eq13.last agreement.gradient-A", "eq13.layer[corrected,instantaneous] agreement.gradient-A"
_V, _W, _A, _B = (f"{label} agreement.gradient-{label[-1]}" for label in ("eq15.V", "eq15.W", "eq14.A", "eq16.B"))
_TWO = "the factor 2 of (13) and (16) is missing"
_OMITTED = "a sample is left out of the gradients"
FAULTS: tuple[Fault, ...] = (
    # the adjoint
    wrong(
        "untransposed-jacobian",
        "the Jacobian of (13) is not transposed",
        "plain",
        f"{_J} eq14.A",
        "The adjoint follows (13) as printed, with ∂₁f for its transpose.",
        jacobian=lambda V, W, slope, p: ((p @ W.T) * slope) @ V.T,
    ),
    wrong(
        "half-loss",
        _TWO,
        "plain",
        "eq13.last eq16.B identities.B-growth agreement.gradient-B",
        "Gradients are those of half the loss.",
        answers={"gradients": times(lambda s: 0.5)},
    ),
    wrong(
        "last-adjoint-without-2", "the factor 2 of (13) is missing", "plain", f"{_L} identities.balance", last=lambda s, error, B: error @ B
    ),
    wrong(
        "B-without-2",
        "the factor 2 of (16) is missing",
        "plain",
        f"{_B} identities.B-growth identities.balance",
        answers={"gradients": times(lambda s: 0.5, "B")},
    ),
    wrong("first-output-alone", "the adjoint starts from one output alone", "plain", _L, last=_one_output),
    wrong(
        "jacobian-missing",
        "the term of the Jacobian in (13) is missing",
        "plain",
        f"{_J} identities.balance",
        jacobian=lambda V, W, slope, p: np.zeros_like(p),
    ),
    wrong(
        "jacobian-negative",
        "the sign of the Jacobian in (13) is wrong",
        "plain",
        f"{_J} identities.balance",
        jacobian=lambda V, W, slope, p: -((p @ V) * slope) @ W,
    ),
    wrong("jacobian-alone", "p_{k+1} itself is missing in (13)", "plain", f"{_J} identities.balance", back=lambda s, p, Jp: Jp),
    wrong(
        "jacobian-without-slope",
        "σ' is missing in the Jacobian of (13)",
        "plain",
        f"{_J} identities.balance",
        jacobian=lambda V, W, slope, p: (p @ V) @ W,
    ),
    wrong(
        "jacobian-with-L", "the factor 1/L of (13) is missing", "plain", f"{_J} identities.balance", back=lambda s, p, Jp: p + s["L"] * Jp
    ),
    wrong(
        "adjoint-cut",
        "the adjoint stops at layer 1",
        "plain",
        f"{_A} identities.balance",
        "∂ℓ/∂A is made from p_1, not p_0.",
        first=lambda ps: ps[1],
    ),
    # σ'
    wrong(
        "slope-at-sigma",
        "σ' is taken at σ(u)",
        "plain",
        f"{_W} identities.balance-layer",
        slope=_slope_at(lambda s, us, j: activations.value(s["activation"], us[j])),
    ),
    wrong(
        "slope-at-next-layer",
        "σ' is taken at the next layer's argument",
        "plain",
        f"{_W} identities.balance-layer",
        slope=_slope_at(lambda s, us, j: us[min(j + 1, len(us) - 1)]),
    ),
    wrong(
        "slope-without-b",
        "the inner derivative b of σ' is missing",
        "sigma",
        f"{_W} identities.balance-layer",
        slope=lambda s, us, j: activations.derivative(s["activation"], us[j]) / s["activation"]["b"],
    ),
    wrong("slope-one-minus-u-squared", "σ' is 1 - u² for 1 - σ(u)²", "plain", f"{_W} identities.balance-layer", slope=_tanh_of_u),
    wrong("slope-one", "σ' is missing", "plain", f"{_W} identities.balance-layer", slope=lambda s, us, j: np.ones_like(us[j])),
    # gradients
    wrong(
        "gradients-summed",
        "the factor 1/n of (14)-(16) is missing",
        "plain",
        f"{_A} {_B} identities.B-growth rows.gradients",
        answers={"gradients": lambda g, s, p, x, y: {k: v * len(x) for k, v in g.items()}},
    ),
    wrong(
        "gradients-without-L",
        "the factor 1/L of (15) is missing",
        "plain",
        f"{_V} {_W} identities.balance",
        answers={"gradients": times(lambda s: s["L"], "VW")},
    ),
    wrong(
        "V-without-m",
        "the factor 1/√m of (15) is missing",
        "plain",
        f"{_V} identities.balance",
        answers={"gradients": times(lambda s: s["m"] ** 0.5, "V")},
    ),
    wrong(
        "W-without-q",
        "the factor 1/√q of (15) is missing",
        "plain",
        f"{_W} identities.balance",
        answers={"gradients": times(lambda s: s["q"] ** 0.5, "W")},
    ),
    wrong(
        "gradients-exchanged",
        "the gradients in V and W are exchanged",
        "plain",
        f"{_V} {_W} identities.balance",
        answers={"gradients": _exchanged},
    ),
    wrong(
        "gradients-in-backward-order",
        "the gradients of the layers stand in reversed order",
        "plain",
        f"{_V} {_W} identities.balance-layer",
        answers={"gradients": lambda g, *_: {**g, "V": g["V"][::-1], "W": g["W"][::-1]}},
    ),
    wrong(
        "gradients-rolled",
        "the gradients of the layers are shifted by one",
        "plain",
        f"{_V} {_W} identities.balance-layer",
        answers={"gradients": lambda g, *_: {**g, "V": np.roll(g["V"], 1, axis=0), "W": np.roll(g["W"], 1, axis=0)}},
    ),
    wrong(
        "first-gradient-zero",
        "the first layer's gradient is missing",
        "plain",
        f"{_V} {_W} identities.balance-layer",
        answers={"gradients": layer(0)},
    ),
    wrong(
        "last-gradient-zero",
        "the last layer's gradient is missing",
        "plain",
        f"{_V} {_W} identities.balance-layer",
        answers={"gradients": layer(-1)},
    ),
    wrong(
        "A-detached", "the gradient in A is missing", "plain", f"{_A} identities.balance", answers={"gradients": times(lambda s: 0.0, "A")}
    ),
    wrong("last-sample-dropped", _OMITTED, "plain", f"{_A} {_B} identities.B-growth rows.gradients", given=_samples(slice(-1))),
    wrong("every-other-sample", _OMITTED, "plain", f"{_A} {_B} identities.B-growth rows.gradients", given=_samples(slice(None, None, 2))),
    wrong(
        "B-before-last-layer",
        "the gradient in B has h_{L-1} for h_L",
        "plain",
        f"{_B} identities.B-growth",
        answers={"gradients": lambda g, s, p, x, y: {**g, "B": _B_before(s, p, x, y)}},
    ),
    wrong(
        "W-after-its-layer",
        "the gradient in W has h_k for h_{k-1}",
        "plain",
        f"{_W} identities.balance-layer",
        answers={"gradients": _W_after},
    ),
    wrong("gradients-clipped", "the gradients are clipped", "plain", f"{_A} {_B} identities.B-growth", answers={"gradients": _clipped}),
    wrong(
        "finite-differences",
        "the gradients are difference quotients",
        "plain",
        f"{_A} {_V} {_W} {_B}",
        of=FiniteDifferences,
    ),
)
