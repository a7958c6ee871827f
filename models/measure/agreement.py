"""Measures of an implementation as a whole: each method against the reference, and against itself on other occasions.

The reference is NumPy's (3), (13)-(16) and (4)-(5) from the parameters alone; both answers lie within the rounding radii of the exact
one. An answer is asked for again at the last saved state, after calls with other parameters, samples and sizes; both may err.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from depthlimit.models import residual
from depthlimit.models.calls import batch, call
from depthlimit.models.implementation import Arrays
from depthlimit.models.measure.euler import EulerRun
from depthlimit.models.measure.network import BT, BTC, BTLC, BTLNC, BTNC, flat
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import Rounding, U, euclid, frobenius
from depthlimit.models.trajectory import BLOCKS, Trajectory
from depthlimit.theory.quantity import Array, Field


@measures("given_hidden", "own_hidden", "given_output", "own_output", on=Trajectory)
def forwards(run: Trajectory) -> Mapping[str, Field]:
    """(3) from the parameters alone."""
    r, *_ = run.own
    return {
        "given_hidden": Field(run.forward["hidden"], r.states, BTLNC),
        "own_hidden": Field(r.hidden, r.states, BTLNC),
        "given_output": Field(
            run.forward["output"], r.residuals, BTNC, frobenius(run.states["B"])[..., None] * euclid(r.hidden[..., -1, :, :])
        ),
        "own_output": Field(r.output, r.residuals, BTNC),
    }


@measures("given_loss", "own_loss", on=Trajectory)
def losses(run: Trajectory) -> Mapping[str, Field]:
    """The mean squared error; late in training it is a sum of squares of differences that cancel."""
    r, *_ = run.own
    size = frobenius(run.states["B"])[..., None] * euclid(r.hidden[..., -1, :, :]) + euclid(run.batch.y)
    scale = np.mean(size**2, axis=-1)
    return {"given_loss": Field(run.loss, r.loss, BT, scale), "own_loss": Field(residual.loss(r.output, run.batch.y), r.loss, BT, scale)}


def _terms(run: Trajectory, r: Rounding) -> dict[str, Array]:
    """Sizes of the gradients before the samples, and the differences F(x_i) - y_i, cancel."""
    s = run.network
    B, V = (frobenius(run.states[k])[..., None] for k in "BV")
    size = B * euclid(r.hidden[..., -1, :, :]) + euclid(run.batch.y)
    assert r.p is not None
    error = euclid(r.output - run.batch.y)
    ratio = np.divide(size, error, out=np.ones_like(size), where=error > 0)[..., None, :]
    p, h = np.where(error[..., None, :] > 0, euclid(r.p) * ratio, 2 * (B * size)[..., None, :]), euclid(r.hidden)
    root = np.sqrt(s["q"] * s["m"])
    return {
        "A": np.mean(p[..., 0, :] * euclid(run.batch.x), axis=-1),
        "V": np.mean(p[..., 1:, :] * euclid(r.activations), axis=-1) / (s["L"] * np.sqrt(s["m"])),
        "W": np.mean(r.K * V * p[..., 1:, :] * h[..., :-1, :], axis=-1) / (s["L"] * root),
        "B": 2 * np.mean(size * h[..., -1, :], axis=-1),
    }


@measures(*(f"{who}_gradient_{k}" for who in ("given", "own") for k in BLOCKS), on=Trajectory)
def gradients(run: Trajectory) -> Mapping[str, Field]:
    """(14)-(16) from the parameters alone."""
    r, own, _ = run.own
    return _blocks("gradient", {"given": run.gradients, "own": own}, r.gradients, _terms(run, r))


@measures(*(f"{who}_velocity_{k}" for who in ("given", "own") for k in BLOCKS), on=Trajectory)
def velocities(run: Trajectory) -> Mapping[str, Field]:
    """(4) or (5): L times the radii in V and W; π is 1-Lipschitz on (V_k, W_k) together, and rounds once more."""
    r, _, own = run.own
    s = run.network
    factor = {"A": float("A" in s["train"]), "V": s["L"], "W": s["L"], "B": float("B" in s["train"])}
    radii, terms = ({k: factor[k] * values[k] for k in BLOCKS} for values in (r.gradients, _terms(run, r)))
    if s["clip"]:
        radii |= dict.fromkeys("VW", np.hypot(radii["V"], radii["W"]))
        terms |= dict.fromkeys("VW", np.hypot(terms["V"], terms["W"]))
    radii = {k: radii[k] + 16 * U * euclid(flat(own[k], 3 if k in "VW" else 2)) for k in BLOCKS}
    return _blocks("velocity", {"given": run.velocity, "own": own}, radii, terms)


def _blocks(name: str, answers: Mapping[str, Arrays], radii: Arrays, terms: Arrays) -> dict[str, Field]:
    return {
        f"{who}_{name}_{k}": Field(flat(values[k], 3 if k in "VW" else 2), radii[k], BTLC if k in "VW" else BTC, terms[k])
        for who, values in answers.items()
        for k in BLOCKS
    }


# --- the same question on other occasions

_NOTHING = 1e-100  # the unit where an answer is 0 and may not err: small, and its square no overflow
Allowed = Mapping[str, tuple[Array, Array]]  # per part of an answer what it may err, and the size of its terms, on its leading axes


def allowed(run: Trajectory, method: str, t: int | slice = -1) -> Allowed:
    """For answers at saved states."""
    r, _, _ = run.own
    terms = _terms(run, r)
    if method == "forward":
        found = {
            "hidden": (r.states, euclid(r.hidden)),
            "output": (r.residuals, frobenius(run.states["B"])[..., None] * euclid(r.hidden[..., -1, :, :])),
        }
    elif method == "loss":
        found = {"loss": (r.loss, losses(run)["own_loss"].scale)}
    elif method == "gradients":
        found = {k: (r.gradients[k], terms[k]) for k in BLOCKS}
    else:
        found = {k: (f.radius, f.scale) for k in BLOCKS for f in (velocities(run)[f"own_velocity_{k}"],)}
    return {name: (np.asarray(radius)[0, t], np.asarray(scale)[0, t]) for name, (radius, scale) in found.items()}


def _compared(first: Arrays, second: Arrays, allowed: Allowed) -> dict[str, Field]:
    """Two answers, a row for each radius and in units of it, so that each row has radius 1; where nothing may err, in units of rounding."""
    rows: list[tuple[Array, Array]] = []
    sizes: list[Array] = []
    for name, (radius, scale) in allowed.items():
        unit = np.ravel(np.where(radius > 0, radius, np.maximum(2 * U * scale, _NOTHING)))
        rows.append(tuple(np.reshape(np.asarray(a[name]), (len(unit), -1)) / unit[:, None] for a in (first, second)))
        sizes.append(np.ravel(scale) / unit)
    width = max(a.shape[1] for a, _ in rows)
    left, right = (np.concatenate([np.pad(pair[i], ((0, 0), (0, width - pair[i].shape[1]))) for pair in rows]) for i in (0, 1))
    ones, scale = np.ones(len(left)), np.concatenate(sizes)
    return {"first": Field(left, ones, ("sample", "component"), scale), "second": Field(right, ones, ("sample", "component"), scale)}


def _pair(kind: str, method: str, first: Arrays, second: Arrays, allowed: Allowed) -> dict[str, Field]:
    return {f"{which}_{kind}_{method}": field for which, field in _compared(first, second, allowed).items()}


def _names(kind: str, method: str) -> tuple[str, str]:
    return f"first_{kind}_{method}", f"second_{kind}_{method}"


def _given(run: Trajectory, method: str, t: int | slice = -1) -> dict[str, Array]:
    """The answers that were given at saved states."""
    return {k: v[0, t] for k, v in _named(getattr(run, method)).items()}


def _named(answer: Any) -> dict[str, Array]:
    return answer if isinstance(answer, dict) else {"loss": answer}


def _other(arguments: Mapping[str, Any], factor: float) -> dict[str, Any]:
    """The same with other parameters. A factor -1 would not do: F is even in them."""
    return {**arguments, "params": {k: factor * v for k, v in arguments["params"].items()}}


def _ask_others(run: Trajectory, method: str) -> None:
    """Other questions: fewer samples, another depth, and last, since it may leave most behind, the same sizes and other values."""
    a = run.arguments(method)
    few = {k: v[:1] for k, v in a.items() if k in ("x", "y")}
    for network, arguments in (
        (run.network, {**a, **few}),
        ({**run.network, "L": 1}, {**a, "params": {k: v[:1] if k in "VW" else v for k, v in a["params"].items()}}),
        (run.network, _other(a, -0.5)),
    ):
        call(run.implementation, method, network, **arguments)


def _repeat(method: str) -> None:
    @measures(*_names("repeat", method), on=Trajectory)
    def again(run: Trajectory) -> Mapping[str, Field]:
        """The last answer of the method, and again after others."""
        first = _given(run, method)
        _ask_others(run, method)
        second = _named(call(run.implementation, method, run.network, **run.arguments(method)))
        return _pair("repeat", method, first, second, allowed(run, method))


def _batch(method: str) -> None:
    @measures(*_names("batch", method), on=Trajectory)
    def together(run: Trajectory) -> Mapping[str, Field]:
        """The calls at all saved states, turned round and among others, as one batch, against the answers that were given.

        Those are of calls one by one, or of a batch in order (`StateRun`), of which `repeat.*` asks for the last one alone.
        """
        T, every = len(run.times), slice(None)
        given = _given(run, method, every)  # a method that is missing is not asked for in batches
        asked = [run.arguments(method, (0, t)) for t in reversed(range(T))]
        others = [_other(asked[0], factor) for factor in (-0.5, 0.25)]
        answers = batch(run.implementation, method, [(run.network, *a.values()) for a in (others[0], *asked, *others)])
        found = [_named(answer) for answer in answers[T:0:-1]]
        joined = {k: np.stack([answer[k] for answer in found]) for k in found[0]}
        return _pair("batch", method, given, joined, allowed(run, method, every))


def _rows(method: str) -> None:
    @measures(*_names("rows", method), on=Trajectory)
    def alone(run: Trajectory) -> Mapping[str, Field]:
        """The last answer, and what the samples alone make of it."""
        a = run.arguments(method)
        few = ({k: v[i : i + 1] if k in ("x", "y") else v for k, v in a.items()} for i in range(len(a["x"])))
        each = [_named(call(run.implementation, method, run.network, **one)) for one in few]
        joined = {
            k: np.concatenate([one[k] for one in each], axis=-2) if method == "forward" else np.mean([one[k] for one in each], axis=0)
            for k in each[0]
        }
        return _pair("rows", method, _given(run, method), joined, allowed(run, method))


for _method in ("forward", "loss", "gradients", "velocity"):
    _repeat(_method)
    _batch(_method)
    if _method != "velocity":
        _rows(_method)


def _flows(kind: str, ask: Callable[[Trajectory, dict[str, Any]], Arrays]) -> None:
    @measures(*_names(kind, "flow"), on=Trajectory)
    def again(run: Trajectory) -> Mapping[str, Field]:
        """The flow at the second saved time (or the only one), asked otherwise: it may not move by more than each answer may err."""
        at, b = slice(1, 2) if len(run.times) > 1 else slice(0, 1), run.batch
        first = {k: v[0, at] for k, v in run.flowed.items()}  # a flow that is missing is not asked for again
        again = ask(run, {"params": b.params, "x": b.x, "y": b.y, "times": run.times[at]})
        allowed = {k: (run.state_error[k][0, at], euclid(v.reshape(len(v), -1))) for k, v in first.items()}
        return _pair(kind, "flow", first, again, allowed)


def _among_others(run: Trajectory, arguments: dict[str, Any]) -> Arrays:
    """In a batch between flows of another network, which moves otherwise."""
    calls = [(run.network, *a.values()) for a in (_other(arguments, -0.5), arguments, _other(arguments, 0.25))]
    found: Arrays = batch(run.implementation, "flow", calls)[1]
    return found


_flows("repeat", lambda run, arguments: call(run.implementation, "flow", run.network, **arguments))
_flows("batch", _among_others)


@measures(*_names("repeat", "neural_ode"), on=EulerRun)
def ode_again(run: EulerRun) -> Mapping[str, Field]:
    """The neural ODE again, at three s that are uneven and not the ends, for a depth of which it must not know."""
    at, b = [1, 2, 6], run.batch
    again = call(run.implementation, "neural_ode", {**b.network, "L": 7}, weights=run.weights, x=b.x, s=run.s[at])
    first = {"hidden": run.ode["hidden"][at], "output": run.ode["output"]}
    B, size = float(np.linalg.norm(run.weights["B"], 2)), frobenius(run.ode["hidden"])
    allowed = {"hidden": (run.ode_error[at], size[at]), "output": (B * run.ode_error[-1], B * size[-1])}
    return _pair("repeat", "neural_ode", first, again, allowed)
