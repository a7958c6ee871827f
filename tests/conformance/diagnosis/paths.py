"""Which path and which clock a wrong flow has: the time at which the right flow passes, and the shape of the errors of known steppers;
and the strength of the field of a wrong neural ODE."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy.optimize import least_squares

from depthlimit.conformance.diagnosis.laws import right_flow
from depthlimit.conformance.diagnosis.questions import Question
from depthlimit.conformance.diagnosis.ratios import constant, number
from depthlimit.models import flow
from depthlimit.models.flow import BLOCKS
from depthlimit.models.implementation import Arrays
from depthlimit.models.reference import NumpyImplementation
from depthlimit.theory.quantity import Array

Pairs = Sequence[tuple[Question, Mapping[str, Array]]]
_NEWTON = 6  # steps towards the time: they square the error
_CLOSE = 1e-6  # of the displacement: what flows may err by is ten times less
_ALIKE = 0.02  # of the error: terms of higher order in the step, for a hundred steps and more


def _state(a: Mapping[str, Array], j: int) -> Array:
    return flow.pack(np.asarray(a[k])[j] for k in BLOCKS)


def displaced(pairs: Pairs, method: str) -> tuple[str, str] | None:
    """Displacements that are the right ones times a number."""
    if method != "flow":
        return None
    ratios: dict[str, list[tuple[Question, float]]] = {}
    for q, a in pairs:
        for k in BLOCKS:
            start = q.arguments["params"][k]
            given, right = np.asarray(a[k]) - start, q.expected[k] - start
            if not np.any(given) and not np.any(right):
                continue
            if (r := constant(given, right)) is None:
                return None
            ratios.setdefault(k, []).append((q, r))
    names = {k: _name(values) for k, values in ratios.items()}
    if any(name is None for name in names.values()):
        return None
    wrong = {k: name for k, name in names.items() if name != "1"}
    if not wrong:
        return None
    of = "the displacement" if len(set(names.values())) == 1 else f"the displacement of {' and '.join(wrong)}"
    return f"{of} along the flow is {' and '.join(dict.fromkeys(map(str, wrong.values())))} times what it should be", ""


def _name(values: list[tuple[Question, float]]) -> str | None:
    """As `number`; a number that is nearly 1 is told from 1 where the answers are that exact."""
    median = float(np.median([v for _, v in values]))
    spread = max(abs(v - median) for _, v in values)
    if abs(median - 1) > 3 * spread and abs(median - 1) < 1e-3 and spread < 3e-7:
        return f"1 {'+' if median > 1 else '-'} {abs(median - 1):.2g}"
    return number(values)


def clock(pairs: Pairs, method: str) -> tuple[str, str] | None:
    """States that the right flow passes at other times."""
    if method != "flow":
        return None
    found: list[tuple[Question, Array, Array]] = []
    for q, a in pairs:
        times = q.arguments["times"]
        at = [_passes(q, _state(a, j), float(t)) for j, t in enumerate(times)]
        if any(t is None for t in at):
            return None
        found.append((q, np.asarray(times), np.array(at, dtype=float)))
    asked, given = (np.concatenate([f[i] for f in found]) for i in (1, 2))
    if np.max(np.abs(given - asked)) <= 1e-7 * np.max(asked):
        return None
    text = f"the state at t = {asked[-1]:g} is the right one at {given[-1]:.6g}"
    later = asked > 0
    first = np.concatenate([[True] + [False] * (len(t) - 1) for _, t, _ in found])
    wrong = np.abs(given - asked) > 1e-6 * np.max(asked)
    if not np.any(wrong & ~first):
        return f"the first entry is that of another time: {given[wrong][0]:.6g} for {asked[wrong][0]:g}", text
    speeds, lags = given[later] / asked[later], (asked - given)[later]
    if np.ptp(speeds) <= 1e-5 * np.abs(speeds).max():
        return f"time runs {speeds[0]:.6g} times too fast", text
    if np.ptp(lags) <= 1e-5 * np.max(asked):
        return f"the flow is {'late' if lags[0] > 0 else 'early'} by {abs(lags[0]):.6g}", text
    power = np.polyfit(np.log(asked[later]), np.log(np.maximum(given[later], 1e-300)), 1)
    if np.allclose(np.exp(power[1]) * asked[later] ** power[0], given[later], rtol=1e-5):
        return f"time runs as {np.exp(power[1]):.6g} t^{power[0]:.4g}", text
    return "the states are those of other times", text


def _passes(q: Question, state: Array, t: float) -> float | None:
    """The time at which the right flow is there."""
    s, (params, x, y) = q.network, (q.arguments[k] for k in ("params", "x", "y"))
    start = flow.pack(params[k] for k in BLOCKS)
    for _ in range(_NEWTON):
        now = {k: v[-1] for k, v in right_flow(s, params, x, y, np.array([t])).items()} if t > 0 else dict(params)
        here = flow.pack(now[k] for k in BLOCKS)
        v = NumpyImplementation().velocity(s, {k: now[k] for k in BLOCKS}, x, y)
        speed = flow.pack(v[k] for k in BLOCKS)
        off = state - here
        if np.linalg.norm(off) <= _CLOSE * np.linalg.norm(state - start) + 1e-12 * np.linalg.norm(state):
            return t
        change = float(off @ speed) / float(speed @ speed)
        if not np.isfinite(change) or abs(change) > 10 * (t + 0.01):
            return None
        t = max(0.0, t + change)
    return None


# --- steppers


Step = Callable[[Callable[[Arrays], dict[str, Array]], dict[str, Array], dict[str, Array], float], dict[str, Array]]


def _euler(v: Callable[[Arrays], dict[str, Array]], theta: dict[str, Array], memory: dict[str, Array], dt: float) -> dict[str, Array]:
    speed = v(theta)
    return {k: theta[k] + dt * speed[k] for k in BLOCKS}


def _in_turn(order: str) -> Step:
    def step(v: Callable[[Arrays], dict[str, Array]], theta: dict[str, Array], memory: dict[str, Array], dt: float) -> dict[str, Array]:
        for k in order:
            theta = {**theta, k: theta[k] + dt * v(theta)[k]}
        return theta

    return step


def _momentum(beta: float, damped: bool) -> Step:
    def step(v: Callable[[Arrays], dict[str, Array]], theta: dict[str, Array], memory: dict[str, Array], dt: float) -> dict[str, Array]:
        speed = v(theta)
        for k in BLOCKS:
            memory[k] = beta * memory.get(k, 0.0) + (1 - beta if damped else 1.0) * speed[k]
        return {k: theta[k] + dt * memory[k] for k in BLOCKS}

    return step


_STEPPERS: dict[str, tuple[Step, ...]] = {
    "steps of gradient descent stand in place of the flow": (_euler,),
    "blocks move one after the other": tuple(_in_turn(order) for order in ("AVWB", "BWVA", "VWAB")),
    "the flow has momentum": tuple(_momentum(beta, damped) for beta in (0.9, 0.99, 0.5, 0.95) for damped in (True, False)),
}
_TRIED = (100, 200)  # numbers of steps with which the shape of an error is found


def _follow(q: Question, step: Step, count: int) -> Array:
    """The displacement at the last time after so many steps."""
    s, (params, x, y) = q.network, (q.arguments[k] for k in ("params", "x", "y"))
    g = NumpyImplementation()
    theta: dict[str, Array] = {k: params[k] for k in BLOCKS}
    memory: dict[str, Array] = {}
    dt = float(q.arguments["times"][-1]) / count
    for _ in range(count):
        theta = step(lambda at: g.velocity(s, at, x, y), theta, memory, dt)
    return flow.pack(theta[k] for k in BLOCKS)


def stepper(pairs: Pairs, method: str) -> tuple[str, str] | None:
    """Errors at the last time that are those of steps of one length, by a known scheme.

    The error of a scheme of first order is, to first order, the step times one vector: that of a hundred steps shows it, and the step
    that an answer has. The scheme is then run with it.
    """
    if method != "flow":
        return None
    plain = [(q, a) for q, a in pairs if not flow.kinked(q.network) and len(q.arguments["times"])]
    if not plain:
        return None
    q, a = min(plain, key=lambda pair: pair[0].network["q"] * pair[0].network["L"])
    right, given = _state(q.expected, -1), _state(a, -1)
    error = given - right
    for sentence, steps in _STEPPERS.items():
        for step in steps:
            shape = _follow(q, step, _TRIED[0]) - right
            if not np.all(np.isfinite(shape)):
                continue
            share = float(error @ shape) / float(shape @ shape)
            if share <= 0 or np.linalg.norm(error - share * shape) > 0.3 * np.linalg.norm(error):
                continue
            count = round(_TRIED[0] / share)
            for _ in range(3):
                if not 2 <= count <= 3000:
                    break
                again = _follow(q, step, count) - right
                share = float(error @ again) / float(again @ again)
                if np.linalg.norm(error - again) <= _ALIKE * np.linalg.norm(error):
                    return sentence, f"{count} steps up to t = {q.arguments['times'][-1]:g} give these errors"
                count = round(count / share) if share > 0 else 0
    return None


def field(pairs: Pairs, method: str) -> tuple[str, str] | None:
    """A factor of V, which is one of the right-hand side of (6), or of W, that gives all answers."""
    if method != "neural_ode":
        return None

    def off(q: Question, a: Mapping[str, Array], block: str, c: float) -> Array:
        weights = q.arguments["weights"]
        found = NumpyImplementation().neural_ode(q.network, {**weights, block: c * weights[block]}, *(q.arguments[k] for k in ("x", "s")))
        return np.concatenate([np.ravel(np.asarray(a[k]) - found[k]) for k in found])

    (q, a), plain = pairs[0], [pair for pair in pairs if pair[0].of is None]
    size = float(np.linalg.norm(q.expected["hidden"]))
    for block, what in (("V", "the right-hand side of (6)"), ("W", "the argument of σ in (6)")):
        fit = least_squares(lambda c, block=block: off(q, a, block, float(c[0])), [1.0], xtol=1e-10, ftol=1e-12, max_nfev=8)
        c = float(fit.x[0])
        if np.linalg.norm(fit.fun) > 1e-6 * size or abs(c - 1) < 1e-4:
            continue
        if all(np.linalg.norm(off(p, b, block, c)) <= 1e-5 * np.linalg.norm(p.expected["hidden"]) for p, b in plain):
            return f"{what} is multiplied by {c:.6g}", f"with this factor all errors are below {1e-5:g} of the size"
    return None
