"""Wrong neural ODEs (6)."""

from __future__ import annotations

import numpy as np
from numpy.polynomial import chebyshev

from depthlimit.conformance.faults.planting import Fault
from depthlimit.conformance.faults.written import Change, wrong
from depthlimit.models import residual
from depthlimit.models.activations import value
from depthlimit.models.flow import Block, solve
from depthlimit.models.implementation import Array, Arrays, Network
from depthlimit.models.limit import weights_at
from depthlimit.models.reference import NumpyImplementation


class Scheme(NumpyImplementation):
    """A hundred Euler steps."""

    def field(self, s: Network, w: Arrays, h: Array, at: float, dt: float) -> Array:
        """One step's increment, from the left end."""
        V, W = (weights_at(w[k], at) for k in "VW")
        return np.asarray(dt * s["m"] ** -0.5 * value(s["activation"], h @ W.T * s["q"] ** -0.5) @ V.T)

    def neural_ode(self, spec: Network, weights: Arrays, x: Array, s: Array) -> dict[str, Array]:
        """(6) by steps of 1/100, those between saved s cut short."""
        h, now, hidden = x @ weights["A"].T, 0.0, []
        for stop in (*s, 1.0):
            while now < stop:
                dt = min(0.01, stop - now)
                h, now = h + self.field(spec, weights, h, now, dt), now + dt if now + dt < stop - 1e-12 else float(stop)
            hidden.append(h)
        return {"hidden": np.stack(hidden[:-1]), "output": h @ weights["B"].T}


class Decaying(NumpyImplementation):
    """The field has a term -H."""

    def neural_ode(self, spec: Network, weights: Arrays, x: Array, s: Array) -> dict[str, Array]:
        """H' = 1/√m V σ(W H/√q) - H."""
        start = x @ weights["A"].T

        def rhs(at: float, state: Array) -> Array:
            h, (V, W) = state.reshape(start.shape), (weights_at(weights[k], at) for k in "VW")
            f = value(spec["activation"], h @ W.T * spec["q"] ** -0.5) @ V.T * spec["m"] ** -0.5
            return np.asarray(f - h).ravel()

        stops = np.unique([*s, 1.0])
        H = start + solve(rhs, start.ravel(), stops, 1e-11, [Block(start.size)]).reshape(-1, *start.shape)
        return {"hidden": H[: len(s)], "output": H[-1] @ weights["B"].T}


class Network100(NumpyImplementation):
    """The residual network with 100 layers, V and W at k/L."""

    def neural_ode(self, spec: Network, weights: Arrays, x: Array, s: Array) -> dict[str, Array]:
        """h_k at k = 100 s, rounded."""
        V, W = (np.stack([weights_at(weights[k], j / 100) for j in range(1, 101)]) for k in "VW")
        hidden, output = residual.forward({**spec, "L": 100}, {**weights, "V": V, "W": W}, x)
        return {"hidden": hidden[np.rint(100 * s).astype(int)], "output": output}


def _series(change: Change) -> dict[str, Change]:
    """Other coefficients, for V and W."""
    return {"neural_ode": lambda spec, w, x, s: (spec, {**w, **{k: change(w[k], spec) for k in "VW"}}, x, s)}


def _only_V(factor: Change) -> dict[str, Change]:
    return {"neural_ode": lambda spec, w, x, s: (spec, {**w, "V": w["V"] * factor(spec)}, x, s)}


def _sampled(function: Change) -> Change:
    """Coefficients of the series that takes the value function(c, s) at s, of degree 2 N."""

    def change(c: Array, _: Network) -> Array:
        N = 2 * len(c)
        u = np.cos(np.pi * (np.arange(N) + 0.5) / N)
        values = np.stack([function(c, (v + 1) / 2) for v in u]).reshape(N, -1)
        return np.asarray(chebyshev.chebfit(u, values, N - 1)).reshape(N, *c.shape[1:])

    return change


def _reversed(c: Array, *_: object) -> Array:
    """T_j(-u) = (-1)^j T_j(u)."""
    return c * ((-1.0) ** np.arange(len(c)))[:, None, None]


def _halved(c: Array, *_: object) -> Array:
    return np.concatenate([c[:1] / 2, c[1:]])


_H = "eq6.state"
_F = "eq6.output"
_COARSE = "the neural ODE is not followed accurately"
_SERIES = "the weights of (6) are another function of s than Σ V_j T_j(2s-1)"


def _ode(
    name: str,
    cause: str,
    caught_by: str,
    meaning: str = "",
    of: type[NumpyImplementation] = NumpyImplementation,
    specs: str = "small-ode",
    **more: object,
) -> Fault:
    return wrong(name, cause, specs, caught_by, meaning, of=of, **more)  # type: ignore[arg-type]


FAULTS: tuple[Fault, ...] = (
    _ode(
        "reversed-ode",
        "the neural ODE runs from s = 1 to 0",
        f"{_H} eq2.state prop2.rate[sharpened,along-trajectory]",
        specs="ode",
        given=_series(_reversed),
    ),
    _ode("chebyshev-unshifted", _SERIES, _H, "It is Σ V_j T_j(s).", given=_series(_sampled(lambda c, s: weights_at(c, (s + 1) / 2)))),
    _ode(
        "monomials",
        _SERIES,
        _H,
        "It is Σ V_j (2s-1)^j.",
        given=_series(_sampled(lambda c, s: np.tensordot((2 * s - 1.0) ** np.arange(len(c)), c, axes=1))),
    ),
    _ode("first-coefficient-halved", _SERIES, _H, "The first term is V_0/2, as in a cosine transform.", given=_series(_halved)),
    _ode("last-coefficient-dropped", _SERIES, _H, "Its highest term is left out.", given=_series(lambda c, *_: c[:-1])),
    _ode("constant-weights", _SERIES, _H, "It is the constant V_0.", given=_series(lambda c, *_: c[:1])),
    _ode("ode-as-network", _COARSE, _H, of=Network100),
    _ode("ode-by-euler", _COARSE, _H, of=Scheme),
    _ode(
        "ode-loosely",
        _COARSE,
        "repeat.neural-ode",
        "The tolerance is 1e-4.",
        given={"neural_ode": lambda spec, *rest: ({**spec, "rtol": 1e-2}, *rest)},
    ),
    _ode("ode-without-m", "the factor 1/√m of (6) is missing", _H, given=_only_V(lambda s: s["m"] ** 0.5)),
    _ode(
        "ode-without-q",
        "the factor 1/√q of (6) is missing",
        _H,
        given={"neural_ode": lambda spec, w, x, s: (spec, {**w, "W": w["W"] * spec["q"] ** 0.5}, x, s)},
    ),
    _ode("ode-with-L", "there is a factor 1/L in (6)", "repeat.neural-ode", given=_only_V(lambda s: 1 / s["L"])),
    _ode("ode-decays", "(6) has a term -H", _H, of=Decaying),
    _ode(
        "ode-states-shifted",
        "the states of (6) are those of the s before",
        _H,
        answers={"neural_ode": lambda f, *_: {**f, "hidden": np.concatenate([f["hidden"][:1], f["hidden"][:-1]])}},
    ),
    _ode(
        "ode-on-even-grid",
        "s is taken for an even grid on [0, 1]",
        "repeat.neural-ode",
        given={"neural_ode": lambda spec, w, x, s: (spec, w, x, np.linspace(0, 1, len(s)))},
    ),
    _ode(
        "initial-output",
        "the output of (6) is B H(0)",
        _F,
        specs="ode",
        answers={"neural_ode": lambda f, spec, w, x, s: {**f, "output": x @ w["A"].T @ w["B"].T}},
    ),
    _ode(
        "output-at-last-s",
        "the output of (6) is B H at the last s",
        "repeat.neural-ode",
        answers={"neural_ode": lambda f, spec, w, x, s: {**f, "output": f["hidden"][-1] @ w["B"].T}},
    ),
    _ode(
        "ode-output-scaled",
        "the output of (6) is divided by √q",
        _F,
        answers={"neural_ode": lambda f, spec, *_: {**f, "output": f["output"] / spec["q"] ** 0.5}},
    ),
)
