"""Wrong networks (3) and wrong losses. Gradients are those of the wrong network, as automatic differentiation would have them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special

from depthlimit.conformance.faults.planting import Fault
from depthlimit.conformance.faults.written import Change, Written, times, wrong
from depthlimit.models import activations
from depthlimit.models.implementation import Array, Arrays, Network

_NEW = "eq3.layer agreement.hidden"
_SIGMA = "the parameter {} of σ is ignored"


def _phi(**instead: float) -> Change:
    """σ with another a or b."""
    return lambda s, u: activations.value({**s["activation"], **instead}, u)


def _dphi(**instead: float) -> Change:
    """Its derivative."""
    return lambda s, us, j: activations.derivative({**s["activation"], **instead}, us[j])


def _approximated(name: str, phi: Callable[[Array], Array]) -> Change:
    """σ with another φ for the activation of that name."""

    def sigma(s: Network, u: Array) -> Array:
        a = s["activation"]
        return a["a"] * phi(a["b"] * u) if a["name"] == name else activations.value(a, u)

    return sigma


def _gelu(v: Array) -> Array:
    return np.asarray(v * (1 + np.tanh((2 / np.pi) ** 0.5 * (v + 0.044715 * v**3))) / 2)


def _erf(v: Array) -> Array:
    """Abramowitz and Stegun 7.1.26: off by at most 1.5e-7."""
    t = 1 / (1 + 0.3275911 * np.abs(v))
    series = t * np.polyval([1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592], t)
    return np.asarray(np.sign(v) * (1 - series * np.exp(-(v**2))))


def _weights(change: Change) -> dict[str, Change]:
    """All that works on parameters works on changed ones."""

    def given(s: Network, params: Arrays, x: Array, *y: Array) -> tuple[object, ...]:
        return (s, {**params, **change(params)}, x, *y)

    return dict.fromkeys(("forward", "loss", "gradients"), given)


class OffByOne(Written):
    """Layer k uses W of the next layer, the last one its own."""

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

    @staticmethod
    def _shifted(params: Arrays) -> dict[str, Array]:
        return {**params, "W": np.concatenate([params["W"][1:], params["W"][-1:]])}


class SigmaFirst(Written):
    """A layer is V W σ(h): σ acts before W."""

    def _states(self, s: Network, params: Arrays, x: Array) -> tuple[list[Array], list[Array]]:
        h, us = [x @ params["A"].T], []
        for V, W in zip(params["V"], params["W"], strict=True):
            us.append(self.inner(s) * self.sigma(s, h[-1]) @ W.T)
            h.append(h[-1] + self.outer(s) * us[-1] @ V.T)
        return h, us


class SigmaLast(Written):
    """A layer is σ(V W h): σ acts after V."""

    def _states(self, s: Network, params: Arrays, x: Array) -> tuple[list[Array], list[Array]]:
        h, us = [x @ params["A"].T], []
        for V, W in zip(params["V"], params["W"], strict=True):
            us.append(self.inner(s) * h[-1] @ W.T)
            h.append(h[-1] + self.sigma(s, us[-1] @ V.T * s["m"] ** -0.5) / s["L"])
        return h, us


def _readout(k: int) -> Change:
    return lambda f, s, params, x: {**f, "output": f["hidden"][k] @ params["B"].T}


def _normalised(s: Network, params: Arrays, x: Array, *y: Array) -> tuple[object, ...]:
    return (s, params, x / np.linalg.norm(x, axis=1, keepdims=True), *y)


def _orthonormal(params: Arrays) -> dict[str, Array]:
    """The polar factor of A: A itself at the initialisation of Section 3."""
    U, _, Vt = np.linalg.svd(params["A"], full_matrices=False)
    return {"A": U @ Vt}


_LOSS = "loss.mean-squared-error agreement.loss"
_COLUMNS = "W is read column by column"
FAULTS: tuple[Fault, ...] = (
    # scalings
    wrong("drop-depth-scaling", "the factor 1/L of (3) is missing", "plain", f"{_NEW} eq1.layer", outer=lambda s: s["m"] ** -0.5),
    wrong("depth-root-scaling", "the factor 1/L of (3) is 1/√L", "plain", _NEW, outer=lambda s: (s["L"] * s["m"]) ** -0.5),
    wrong("depth-squared-scaling", "the factor 1/L of (3) is there twice", "plain", _NEW, outer=lambda s: s["L"] ** -2 * s["m"] ** -0.5),
    wrong("depth-plus-one", "the factor 1/L of (3) is 1/(L+1)", "plain", _NEW, outer=lambda s: 1 / (s["L"] + 1) / s["m"] ** 0.5),
    wrong("drop-width-scaling", "the factor 1/√m of (3) is missing", "plain", _NEW, outer=lambda s: 1 / s["L"]),
    wrong("width-without-root", "the factor 1/√m of (3) is 1/m", "plain", _NEW, outer=lambda s: 1 / s["L"] / s["m"]),
    wrong("width-of-q", "the factor 1/√m of (3) is 1/√q", "plain", _NEW, outer=lambda s: 1 / s["L"] / s["q"] ** 0.5),
    wrong("drop-inner-scaling", "the factor 1/√q of (3) is missing", "plain", _NEW, inner=lambda s: 1.0),
    wrong("inner-without-root", "the factor 1/√q of (3) is 1/q", "plain", _NEW, inner=lambda s: 1 / s["q"]),
    wrong("inner-of-d", "the factor 1/√q of (3) is 1/√d", "plain", _NEW, inner=lambda s: s["d"] ** -0.5),
    wrong(
        "scaled-output",
        "the output is divided by √q",
        "plain",
        "eq3.output agreement.output",
        given=_weights(lambda p: {"B": p["B"] / len(p["A"]) ** 0.5}),
        answers={"gradients": times(lambda s: s["q"] ** -0.5, "B")},
    ),
    wrong(
        "scaled-embedding",
        "the embedding is divided by √d",
        "plain",
        "eq3.input agreement.hidden",
        given=_weights(lambda p: {"A": p["A"] / p["A"].shape[1] ** 0.5}),
        answers={"gradients": times(lambda s: s["d"] ** -0.5, "A")},
    ),
    # layers
    wrong(
        "layer-off-by-one",
        "V and W of a layer are those of different layers",
        "plain",
        "eq3.layer identities.balance-layer",
        of=OffByOne,
    ),
    wrong(
        "layers-from-zero",
        "the layers are counted from 0",
        "plain",
        _NEW,
        "Layer k uses V and W of index k - 2, the first those of the last.",
        layers=lambda L: range(-1, L - 1),
    ),
    wrong("layers-reversed", "the layers stand in reversed order", "plain", _NEW, layers=lambda L: range(L - 1, -1, -1)),
    wrong("first-layer-skipped", "the first layer is skipped", "plain", _NEW, layers=lambda L: range(1, L)),
    wrong("last-layer-skipped", "the last layer is skipped", "plain", _NEW, layers=lambda L: range(L - 1)),
    wrong(
        "layers-tied",
        "every layer has the weights of the first",
        "plain",
        _NEW,
        "V and W of the first layer serve all of them, as at the initialisation of Section 3.",
        layers=lambda L: [0] * L,
    ),
    wrong(
        "W-column-by-column",
        _COLUMNS,
        "plain",
        _NEW,
        given=_weights(lambda p: {"W": np.stack([W.ravel().reshape(W.shape, order="F") for W in p["W"]])}),
        answers={"gradients": lambda g, *_: {**g, "W": np.stack([W.ravel(order="F").reshape(W.shape) for W in g["W"]])}},
    ),
    # the activation
    wrong("sigma-without-a", _SIGMA.format("a"), "sigma", _NEW, sigma=_phi(a=1.0), slope=_dphi(a=1.0)),
    wrong("sigma-without-b", _SIGMA.format("b"), "sigma", _NEW, sigma=_phi(b=1.0), slope=_dphi(b=1.0)),
    wrong("gelu-by-tanh", "gelu is approximated", "sigma", _NEW, sigma=_approximated("gelu", _gelu)),
    wrong(
        "gelu-by-sigmoid",
        "gelu is approximated",
        "sigma",
        _NEW,
        sigma=_approximated("gelu", lambda v: v * special.expit(1.702 * v)),
    ),
    wrong("erf-by-polynomial", "erf is approximated", "erf", _NEW, sigma=_approximated("erf", _erf)),
    wrong("sigma-missing", "σ is missing", "plain", _NEW, sigma=lambda s, u: u, slope=lambda s, us, j: np.ones_like(us[j])),
    wrong(
        "sigma-with-bias",
        "there is a bias in σ",
        "plain",
        _NEW,
        sigma=lambda s, u: activations.value(s["activation"], u + 0.01),
        slope=lambda s, us, j: activations.derivative(s["activation"], us[j] + 0.01),
    ),
    wrong("sigma-before-W", "σ stands in another place of (3)", "plain", _NEW, of=SigmaFirst),
    wrong("sigma-after-V", "σ stands in another place of (3)", "plain", _NEW, of=SigmaLast),
    # the stream
    wrong("residual-dropped", "the residual connection is missing", "plain", _NEW, keep=lambda s: 0.0),
    wrong(
        "residual-damped",
        "h_{k-1} is damped in h_k",
        "plain",
        _NEW,
        "h_k = (1 - 1/L) h_{k-1} + ..., a leaky residual connection.",
        keep=lambda s: 1 - 1 / s["L"],
    ),
    wrong(
        "A-taken-for-identity",
        "A stays at its initial value (I, 0)ᵀ",
        "plain",
        "eq3.input agreement.hidden",
        "Inputs are padded with zeros in place of multiplied by A.",
        given=_weights(lambda p: {"A": np.eye(*p["A"].shape)}),
    ),
    wrong("A-orthonormalised", "A is made orthonormal inside", "plain", "eq3.input agreement.hidden", given=_weights(_orthonormal)),
    wrong(
        "B-taken-for-projection",
        "B stays at its initial value (0, I)",
        "plain",
        "eq3.output agreement.output",
        "The output is the last coordinates of h_L.",
        given=_weights(lambda p: {"B": np.eye(*p["B"].shape)[::-1, ::-1]}),
    ),
    wrong(
        "readout-before-last-layer",
        "the output is read off h_{L-1}",
        "plain",
        "eq3.output agreement.output",
        answers={"forward": _readout(-2)},
    ),
    wrong(
        "states-shifted",
        "the hidden states returned are shifted by one layer",
        "plain",
        "eq3.input agreement.hidden",
        answers={"forward": lambda f, *_: {**f, "hidden": np.concatenate([f["hidden"][1:], f["hidden"][-1:]])}},
    ),
    wrong(
        "states-normalised",
        "the hidden states are normalised",
        "plain",
        "eq3.input agreement.hidden",
        answers={"forward": lambda f, *_: {**f, "hidden": f["hidden"] / np.linalg.norm(f["hidden"], axis=-1, keepdims=True)}},
    ),
    wrong(
        "normalised-inputs",
        "inputs are normalised inside",
        "plain start",
        "eq3.input section3.trivial-ode agreement.hidden",
        given=dict.fromkeys(("forward", "loss", "gradients"), _normalised),
    ),
    # the loss
    wrong(
        "mean-over-outputs",
        "the loss is averaged over the outputs too",
        "plain start",
        "loss.mean-squared-error identities.initial-loss agreement.loss",
        answers={"loss": lambda v, s, *_: v / s["dout"], "gradients": times(lambda s: 1 / s["dout"])},
    ),
    wrong(
        "sum-over-samples",
        "the factor 1/n of the loss is missing",
        "plain start",
        "loss.mean-squared-error identities.initial-loss agreement.loss rows.loss",
        answers={"loss": lambda v, s, p, x, y: v * len(x), "gradients": lambda g, s, p, x, y: {k: v * len(x) for k, v in g.items()}},
    ),
    wrong(
        "loss-halved",
        "the loss is halved",
        "plain start",
        "loss.mean-squared-error identities.initial-loss agreement.loss",
        answers={"loss": lambda v, *_: v / 2, "gradients": times(lambda s: 0.5)},
    ),
    wrong("root-of-loss", "the loss is the root of the mean square", "plain", _LOSS, answers={"loss": lambda v, *_: v**0.5}),
    wrong(
        "weight-decay",
        "there is a penalty on the parameters",
        "plain",
        f"{_LOSS} agreement.gradient-W",
        answers={
            "loss": lambda v, s, p, *_: v + 1e-6 * sum(float(np.sum(a**2)) for a in p.values()),
            "gradients": lambda g, s, p, *_: {k: v + 2e-6 * p[k] for k, v in g.items()},
        },
    ),
    wrong(
        "labels-centred",
        "labels are centred inside",
        "plain",
        _LOSS,
        given={"loss": lambda s, p, x, y: (s, p, x, y - y.mean(axis=0)), "gradients": lambda s, p, x, y: (s, p, x, y - y.mean(axis=0))},
    ),
)
