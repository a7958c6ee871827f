"""Wrong implementations that were written down before a diagnosis was tried on them, which has no entry for any.

Other constants, other functions and mixtures than those of the planted faults: what a diagnosis says of these is what it says of a
stranger's mistake. Of the first twenty 15 were told right at first sight, 2 wrong and 3 not at all; the strength of (6) and
factors by layer are read since then, and no argument of a probe is 0 any more. Of the ten of the second list 7 were told right at
first sight, 1 wrong and 2 not at all. Of some nothing can be said but that they are wrong.
"""

from __future__ import annotations

import numpy as np

from depthlimit.conformance.faults.flows import Momentum
from depthlimit.conformance.faults.interface import Remembering
from depthlimit.conformance.faults.planting import Fault
from depthlimit.conformance.faults.velocity import _clip, _clipped, _radial
from depthlimit.conformance.faults.written import Written, layer, times, wrong
from depthlimit.models import activations
from depthlimit.models.implementation import Array, Arrays, Network
from depthlimit.models.reference import NumpyImplementation


class PreNorm(Written):
    """The branch reads h/|h|."""

    def _states(self, s: Network, params: Arrays, x: Array) -> tuple[list[Array], list[Array]]:
        h, us = [x @ params["A"].T], []
        for V, W in zip(params["V"], params["W"], strict=True):
            us.append(self.inner(s) * h[-1] / np.linalg.norm(h[-1], axis=1, keepdims=True) @ W.T)
            h.append(h[-1] + self.outer(s) * self.sigma(s, us[-1]) @ V.T)
        return h, us


class Half(NumpyImplementation):
    """States and outputs are kept in half precision."""

    def forward(self, spec: Network, params: Arrays, x: Array) -> dict[str, Array]:
        """Rounded."""
        return {k: v.astype(np.float16).astype(np.float64) for k, v in super().forward(spec, params, x).items()}


class KeptGradients(Remembering):
    """Gradients are kept by the number of samples."""

    def gradients(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """The first of that many samples and that depth."""
        found: dict[str, Array] = self.recalled((x.shape, y.shape, spec["L"]), super().gradients(spec, params, x, y))
        return found


class Lighter(Momentum):
    """Steps have half the momentum, and there are fewer."""

    steps = 400

    def step(self, spec: Network, theta: dict[str, Array], x: Array, y: Array, dt: float) -> dict[str, Array]:
        """v <- 0.5 v + θ'/2."""
        v = self.velocity(spec, theta, x, y)
        self.speed = {k: 0.5 * self.speed[k] + 0.5 * v[k] for k in "AVWB"}
        return {k: theta[k] + dt * self.speed[k] for k in "AVWB"}


def _rational(s: Network, u: Array) -> Array:
    t = s["activation"]["b"] * u
    if s["activation"]["name"] != "tanh":
        return activations.value(s["activation"], u)
    return np.asarray(s["activation"]["a"] * t * (27 + t**2) / (27 + 9 * t**2))


def _by_spectral_norm(s: Network, g: Arrays) -> dict[str, Array]:
    r = s["clip"]["radius"]
    out = {}
    for k in "AVWB":
        v = -(s["L"] if k in "VW" else 1) * g[k]
        norm = np.linalg.norm(v, 2, axis=(-2, -1), keepdims=True)
        out[k] = v * np.minimum(1, r / norm)
    return out


def _algebraic(s: Network, g: Arrays) -> dict[str, Array]:
    r = s["clip"]["radius"]
    return {k: -(c := s["L"] if k in "VW" else 1) * v / np.sqrt(1 + (c * v / r) ** 2) for k, v in g.items()}


def _doubled(s: Network, p: Arrays, x: Array, y: Array) -> tuple[object, ...]:
    return s, p, np.concatenate([x[:1], x]), np.concatenate([y[:1], y])


_N = NumpyImplementation
UNSEEN: tuple[Fault, ...] = (
    wrong("clip-narrower", "the radius of every clip is 0.7 r", "plain", "", law=_clipped(_clip(radius=lambda r: 0.7 * r))),
    wrong("clip-by-spectral-norm", "each matrix is clipped by its spectral norm", "plain", "", law=_clipped(_by_spectral_norm)),
    wrong(
        "clip-softly",
        "0.4 is added to the norm in the radial clip",
        "plain",
        "",
        law=_clipped(_radial(lambda v: float(np.linalg.norm(v)) + 0.4)),
    ),
    wrong("tanh-rational", "tanh is approximated", "plain", "", sigma=_rational),
    wrong(
        "sigma-cut-off", "σ is cut off at 1/2", "plain", "", sigma=lambda s, u: np.clip(activations.value(s["activation"], u), -0.5, 0.5)
    ),
    wrong(
        "branch-at-nine-tenths",
        "the residual branch is 0.9 of what it should be",
        "plain",
        "",
        outer=lambda s: 0.9 / s["L"] / s["m"] ** 0.5,
    ),
    wrong("branch-reads-normalised", "the branch reads h/|h|", "plain", "", of=PreNorm),
    wrong(
        "weights-in-steps",
        "weights are rounded to multiples of 1/256",
        "plain",
        "",
        of=_N,
        given={"forward": lambda s, p, x: (s, {k: np.rint(256 * v) / 256 for k, v in p.items()}, x)},
    ),
    wrong("first-sample-twice", "the first sample counts twice in the gradients", "plain", "", given={"gradients": _doubled}),
    wrong(
        "labels-smoothed",
        "labels are multiplied by 0.9",
        "plain",
        "",
        given=dict.fromkeys(("loss", "gradients"), lambda s, p, x, y: (s, p, x, 0.9 * y)),
    ),
    wrong("errors-cut-off", "errors are cut off at 1 in the adjoint", "plain", "", last=lambda s, error, B: 2 * np.clip(error, -1, 1) @ B),
    wrong("light-momentum", "the flow has momentum", "plain", "", of=Lighter),
    wrong(
        "time-squared",
        "the flow runs in 10 t²",
        "plain",
        "",
        of=_N,
        given={"flow": lambda s, p, x, y, t: (s, p, x, y, 10 * t**2)},
    ),
    wrong("gradients-kept", "an answer depends on the calls before", "plain", "", of=KeptGradients),
    wrong(
        "ode-too-strong",
        "the field of (6) is 1.1 of what it should be",
        "plain",
        "",
        of=_N,
        given={"neural_ode": lambda s, w, x, at: (s, {**w, "V": 1.1 * w["V"]}, x, at)},
    ),
    wrong(
        "layers-discounted",
        "the gradients of layer k are multiplied by 0.9^(L-k)",
        "plain",
        "",
        answers={
            "gradients": lambda g, s, *_: {k: v * 0.9 ** np.arange(s["L"])[::-1, None, None] if k in "VW" else v for k, v in g.items()}
        },
    ),
    wrong("second-layer-halved", "the gradients of one layer are halved", "plain", "", answers={"gradients": layer(-1, lambda v: v / 2)}),
    wrong(
        "V-decays",
        "V has a penalty in the velocity",
        "plain",
        "",
        answers={"velocity": lambda v, s, p, *_: {**v, "V": v["V"] - 1e-3 * p["V"]}},
    ),
    wrong("half-precision", "the numbers are half precision inside", "plain", "", of=Half),
    wrong(
        "two-scalings",
        "V is doubled and B is halved",
        "plain",
        "",
        answers={"gradients": times(lambda s: 2.0, "V"), "velocity": times(lambda s: 0.5, "B")},
    ),
    # the second list
    wrong(
        "V-with-root-of-q-plus-m",
        "the factor 1/√m of (3) is 1/√(q+m)",
        "plain",
        "",
        outer=lambda s: 1 / s["L"] / (s["q"] + s["m"]) ** 0.5,
    ),
    wrong(
        "leaky-cut", "σ is cut off below at -0.2", "plain", "", sigma=lambda s, u: np.maximum(activations.value(s["activation"], u), -0.2)
    ),
    wrong(
        "skip-at-root-half",
        "h_{k-1} and the branch are multiplied by 1/√2",
        "plain",
        "",
        keep=lambda s: 0.5**0.5,
        outer=lambda s: 0.5**0.5 / s["L"] / s["m"] ** 0.5,
    ),
    wrong(
        "outputs-weighted",
        "outputs count 1, 2, 3, ... times",
        "plain",
        "",
        last=lambda s, e, B: 2 * e * (1 + np.arange(e.shape[1])) @ B,
    ),
    wrong(
        "middle-sample-dropped",
        "the middle sample is left out of the gradients",
        "plain",
        "",
        given={
            "gradients": lambda s, p, x, y: (
                (s, p, np.delete(x, len(x) // 2, 0), np.delete(y, len(y) // 2, 0)) if len(x) > 1 else (s, p, x, y)
            )
        },
    ),
    wrong("clip-sigmoid", "every clip is r g/√(r² + g²)", "plain", "", law=_clipped(_algebraic)),
    wrong(
        "velocity-normalised",
        "the velocity is normalised",
        "plain",
        "",
        answers={"velocity": lambda v, *_: {k: a / sum(float(np.sum(b**2)) for b in v.values()) ** 0.5 for k, a in v.items()}},
    ),
    wrong("flow-early", "the flow is early by 0.002", "plain", "", of=_N, given={"flow": lambda s, p, x, y, t: (s, p, x, y, t + 0.002)}),
    wrong(
        "three-digits-of-s",
        "s is rounded to a tenth",
        "plain",
        "",
        of=_N,
        given={"neural_ode": lambda s, w, x, at: (s, w, x, np.round(at, 1))},
    ),
    wrong("l1-gradients", "gradients are those of the absolute error", "plain", "", last=lambda s, e, B: 2 * np.sign(e) @ B),
)
