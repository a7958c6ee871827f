"""Judgement: the verdict on one claim at one instance, its tightness, and where the worst point lies.

For a <= b with radii e_a, e_b: holds iff a + e_a <= b - e_b; violated iff a - e_a > b + e_b; otherwise holds with the flag `attained`
if e_a + e_b is below s/1000 (s as below) and the claim's declared equality case applies or both sides have cancelled to less than ten
radii; else undecided. For a = b (numbers, or vectors in the Euclidean norm): violated iff |a - b| > e_a + e_b; else undecided iff
e_a + e_b > s/1000, s the size of the terms that the sides are sums of (max(|a|, |b|) unless they cancel), and s is not 0; else holds.
A verdict over a grid is that of its worst point, so "holds" means: holds on this grid.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from flint import arb

from depthlimit.theory.enclosure import Ball, evaluate, log_evaluate
from depthlimit.theory.quantity import AXES, Array, Field

if TYPE_CHECKING:
    from depthlimit.theory.claim import Claim

HOLDS, VIOLATED, UNDECIDED = "holds", "violated", "undecided"
OUT_OF_HYPOTHESIS, UNSUPPORTED, ERRORED, BLOCKED = "out-of-hypothesis", "unsupported", "errored", "blocked"
VERDICTS = (HOLDS, VIOLATED, UNDECIDED, OUT_OF_HYPOTHESIS, UNSUPPORTED, ERRORED, BLOCKED)
EMPTY = "the instance has no point at which to check"
RESOLUTION = 1000.0  # an equality whose radius exceeds 1/1000 of its sides was not measured
ROUNDING = 10.0  # sides below so many radii are what is left of larger terms: late in training, where layers do not differ


@dataclass(frozen=True)
class Bound:
    """An enclosed value on a scale: linear, log10 or log10log10."""

    value: float
    radius: float
    scale: str = "linear"


@dataclass(frozen=True)
class Judgement:
    """Verdict, tightness in log10 (log10 of its negative on scale log10log10) and both sides at the worst point.

    `lhs`, `rhs` are None where nothing was evaluated, and `lhs` alone where it has no logarithm on the scale; `where` holds the index on
    each axis that the claim has. `reason` says why for the verdicts that are not about the numbers.
    """

    verdict: str
    attained: bool = False
    log10_tightness: float | None = None
    where: tuple[tuple[str, int], ...] = ()
    lhs: Bound | None = None
    rhs: Bound | None = None
    scale: str = "linear"
    reason: str = ""


def _settles(relation: str, a: Ball, b: Ball) -> Array:
    """Points at which a condition is met, up to the radii."""
    if relation == "=":
        return np.asarray((a.lo <= b.hi) & (b.lo <= a.hi))
    low, high = (a, b) if relation == "<=" else (b, a)
    return np.asarray(low.lo <= high.hi)


def _outside(claim: Claim, fields: Mapping[str, Field], properties: frozenset[str]) -> str:
    lacking = sorted(claim.needs - properties)
    if lacking:
        return f"the activation is not {', '.join(lacking)}"
    for condition in claim.hypotheses:
        a, b = (evaluate(side, fields, claim.where) for side in (condition.lhs, condition.rhs))
        if not np.all(_settles(condition.relation, a, b)):
            return f"not met: {condition.text}"
    return ""


def _enclose(lo: arb, hi: arb, scale: str) -> Bound:
    """Midpoint and radius in float64 of an enclosure given by its ends."""
    low, high = float(lo.lower()), float(hi.upper())
    mid = low + (high - low) / 2
    return Bound(mid, (high - low) / 2 + abs(mid) * 2.0**-52, scale)


def _log_bound(claim: Claim, numbers: Mapping[str, tuple[float, float]]) -> tuple[arb, arb, Bound]:
    """Both ends of the log10 of a bound, and the bound on the claim's scale; a second logarithm is for towers."""
    lo, hi = (end / arb(10).log() for end in log_evaluate(claim.rhs, numbers, claim.where))
    if claim.scale == "log10" or not lo > 10:
        return lo, hi, _enclose(lo, hi, "log10")
    return lo, hi, _enclose(lo.log() / arb(10).log(), hi.log() / arb(10).log(), "log10log10")


def _tower(claim: Claim, lhs: Ball, numbers: Mapping[str, tuple[float, float]]) -> Judgement:
    """A scalar bound in logarithms against the largest measured value."""
    at = int(np.argmax(lhs.mid))
    measured = float(lhs.mid.flat[at])
    low, high = (arb(float(end.flat[at])) for end in (lhs.lo, lhs.hi))
    bound_low, bound_high, rhs = _log_bound(claim, numbers)
    ten = arb(10).log()
    holds = not high > 0 or high.log() / ten <= bound_low
    violated = bool(low > 0) and low.log() / ten > bound_high
    verdict = HOLDS if holds else VIOLATED if violated else UNDECIDED
    tightness: float | None = None
    sides: Bound | None = None
    if measured > 0:
        value = math.log10(measured)
        if rhs.scale == "log10":
            tightness = value - rhs.value
            sides = Bound(value, float(lhs.rad.flat[at]) / measured / math.log(10) + abs(value) * 2.0**-52, "log10")
        else:
            tightness = float(((bound_low - arb(value)).log() / ten).mid())
    return Judgement(verdict, False, tightness, _where(lhs.mid.shape, at), sides, rhs, rhs.scale)


def _where(shape: tuple[int, ...], at: int) -> tuple[tuple[str, int], ...]:
    index = np.unravel_index(at, shape)
    return tuple((axis, int(i)) for axis, i, n in zip(AXES, index, shape, strict=False) if n > 1 or int(i))


def _recorded(side: Ball) -> Array:
    """What a record holds of a side: the number itself, the norm of a vector."""
    return side.size() if side.vector else side.mid


def _in_equality_case(claim: Claim, fields: Mapping[str, Field]) -> Array:
    """Points in the claim's declared equality case, up to the radii."""
    if claim.equality is None:
        return np.zeros((1, 1, 1, 1), dtype=bool)
    sides = (evaluate(s, fields, claim.where) for s in (claim.equality.lhs, claim.equality.rhs))
    return _settles(claim.equality.relation, *sides)


def _points(claim: Claim, fields: Mapping[str, Field]) -> tuple[Array, ...]:
    """verdict code (0 holds, 1 attained, 2 undecided, 3 violated), tightness, a, e_a, b, e_b on the grid."""
    left, right = (evaluate(side, fields, claim.where) for side in (claim.lhs, claim.rhs))
    a, b, e_a, e_b = np.broadcast_arrays(_recorded(left), _recorded(right), left.rad, right.rad)
    with np.errstate(all="ignore"):
        if claim.relation == "=":
            vectors = left.vector or right.vector
            difference = np.sqrt(np.sum((left.mid - right.mid) ** 2, axis=-1)) if vectors else np.abs(left.mid - right.mid)
            radius = e_a + e_b
            violated = ~(difference <= radius)
            undecided = ~(radius <= np.maximum(left.scale, right.scale) / RESOLUTION) & (np.maximum(left.scale, right.scale) != 0)
            tightness = np.where(difference == 0, 0.0, difference / radius)
            tightness = np.where((a == 0) & (b == 0), np.nan, tightness)
        else:
            low, high = (left, right) if claim.relation == "<=" else (right, left)
            violated = low.lo > high.hi
            undecided = ~(low.hi <= high.lo) & (low.hi > 0)  # both sides are nonnegative: 0 is below anything
            tightness = np.where((low.mid == 0) & (high.mid == 0), np.nan, low.mid / high.mid)
            violated, undecided, tightness = np.broadcast_arrays(violated, undecided, tightness)
    code = np.where(violated, 3, np.where(undecided, 2, 0))
    if claim.relation != "=":
        radius, scale = e_a + e_b, np.maximum(left.scale, right.scale)
        resolved, zeros = radius <= scale / RESOLUTION, (a == 0) & (b == 0)
        case = np.broadcast_to(_in_equality_case(claim, fields), code.shape)
        rounding = np.maximum(a, b) / ROUNDING <= radius
        code = np.where((code == 2) & ((resolved & rounding) | ((resolved | zeros) & case)), 1, code)
        trivial = case if claim.equality is not None and claim.equality.trivial else False
        tightness = np.where(((code == 1) & rounding) | trivial, np.nan, tightness)
    return tuple(np.broadcast_arrays(code, tightness, a, e_a, b, e_b))


def _numbers(claim: Claim, fields: Mapping[str, Field]) -> dict[str, tuple[float, float]]:
    return {name: (float(fields[name].values), float(fields[name].radius)) for name in claim.names(claim.rhs)}


def judge(claim: Claim, fields: Mapping[str, Field], properties: frozenset[str]) -> Judgement:
    """See `Claim.judge`. Raises KeyError if a quantity is missing."""
    reason = _outside(claim, fields, properties)
    if reason:
        return Judgement(OUT_OF_HYPOTHESIS, scale=claim.scale, reason=reason)
    if claim.scale != "linear":
        lhs = evaluate(claim.lhs, fields, claim.where)
        if lhs.mid.size == 0:
            return Judgement(OUT_OF_HYPOTHESIS, scale=claim.scale, reason=EMPTY)
        judged = _tower(claim, lhs, _numbers(claim, fields))
        resolved = np.max(lhs.rad) <= np.max(lhs.mid) / RESOLUTION
        if judged.verdict == UNDECIDED and resolved and np.all(_in_equality_case(claim, fields)):
            return replace(judged, verdict=HOLDS, attained=True)
        return judged
    code, tightness, a, e_a, b, e_b = _points(claim, fields)
    if code.size == 0:
        return Judgement(OUT_OF_HYPOTHESIS, reason=EMPTY)
    rank = np.where(np.isnan(tightness), -1.0, tightness)
    gravity = np.where(code == 1, 0, code)
    worst = int(np.lexsort((rank.ravel(), gravity.ravel()))[-1])
    verdict = (HOLDS, HOLDS, UNDECIDED, VIOLATED)[int(code.flat[worst])]
    value = float(tightness.flat[worst])
    log10 = math.log10(value) if 0 < value < math.inf else None
    return Judgement(
        verdict,
        bool(np.any(code == 1)),
        log10,
        _where(code.shape, worst),
        Bound(float(a.flat[worst]), float(e_a.flat[worst])),
        Bound(float(b.flat[worst]), float(e_b.flat[worst])),
    )


def bound(claim: Claim, fields: Mapping[str, Field]) -> Bound:
    """See `Claim.bound`."""
    if claim.scale != "linear":
        return _log_bound(claim, _numbers(claim, fields))[2]
    ball = evaluate(claim.rhs, fields, claim.where)
    at = int(np.argmax(ball.size()))
    return Bound(float(ball.size().flat[at]), float(ball.rad.flat[at]))
