"""Evaluation of formulas with enclosures: vectorised balls, and logarithms in Arb where a bound is a tower.

`evaluate` walks a SymPy expression over `Ball`s (NumPy arrays: intervals of numbers, Euclidean balls of vectors): every node encloses all
values that its arguments' enclosures and its own rounding allow, so monotonicity of a bound is never assumed. `log_evaluate`
encloses ln(expression)
for positive expressions built from sums, products, powers, exp, Max and Min, end by end: nothing is exponentiated before it must
be, so that K = βT e^{αT} with α = e^{25 900} has a finite logarithm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
import sympy as sp
from flint import arb, ctx

from depthlimit.theory.quantity import AXES, Array, Field

U = 2.0**-53  # unit roundoff
_LARGEST = np.finfo(float).max
PRECISION = 4096  # bits: αT = e^K with K = e^{K₁} needs 1.44 K₁ of them before the point
_FUNCTION_ULPS = 8  # exp, log, sqrt, power of NumPy are accurate to 4 ulp (SVML's stated bound): doubled


@dataclass(frozen=True)
class Ball:
    """An enclosure: numbers in [lo, hi], or vectors within `rad` of `mid` (Euclidean over the last axis of `mid`).

    `scale` is the size of the terms that were summed, before any cancellation: what a difference must be small against.
    """

    lo: Array
    hi: Array
    scale: Array
    mid: Array
    vector: bool = False

    @property
    def rad(self) -> Array:
        """Half the width of [lo, hi], or the radius of the ball of a vector (kept in lo, hi as -rad, rad)."""
        return np.asarray((self.hi - self.lo) / 2)

    def size(self) -> Array:
        """|mid|, Euclidean for vectors."""
        return np.sqrt(np.sum(self.mid**2, axis=-1)) if self.vector else np.abs(self.mid)


def _number(lo: Array, hi: Array, scale: Array | None = None) -> Ball:
    """An interval, widened by a rounding on each side; a lower end that overflowed is the largest float64."""
    lo = np.minimum(lo, _LARGEST)
    lo, hi = lo - U * np.abs(lo), hi + U * np.abs(hi)
    mid = np.where(np.isfinite(hi) & np.isfinite(lo), lo / 2 + hi / 2, hi)
    return Ball(lo, hi, np.maximum(np.abs(lo), np.abs(hi)) if scale is None else scale, mid)


def _vector(mid: Array, rad: Array, scale: Array) -> Ball:
    return Ball(-rad, rad, scale, mid, True)


def _align(field: Field) -> Ball:
    """A Field's values on all four grid axes (missing ones of length 1), components last."""
    present = [a in field.axes for a in AXES[:-1]]
    shape = iter(field.values.shape)
    grid = tuple(next(shape) if here else 1 for here in present)
    tail = field.values.shape[-1:] if field.vector else ()
    mid, rad = field.values.reshape(grid + tail), np.asarray(field.radius).reshape(grid)
    scale = np.asarray(field.scale).reshape(grid)
    return _vector(mid, rad, scale) if field.vector else Ball(mid - rad, mid + rad, scale, mid)


def _add(a: Ball, b: Ball) -> Ball:
    if a.vector != b.vector:
        raise TypeError("a sum of a vector and a number")
    if not a.vector:
        return _number(a.lo + b.lo, a.hi + b.hi, a.scale + b.scale)
    mid = a.mid + b.mid
    return _vector(mid, a.rad + b.rad + U * (a.size() + b.size()), a.scale + b.scale)


def _mul(a: Ball, b: Ball) -> Ball:
    if a.vector and b.vector:
        raise TypeError("a product of two vectors")
    if b.vector:
        a, b = b, a
    if not a.vector:
        ends = np.broadcast_arrays(a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi)
        products = [np.where(np.isnan(p), 0.0, p) for p in (*ends, a.scale * b.scale)]  # 0 times infinity, in a bound: 0 wins
        return _number(np.minimum.reduce(products[:4]), np.maximum.reduce(products[:4]), products[4])
    number, size = np.maximum(np.abs(b.lo), np.abs(b.hi)), a.size()
    mid = a.mid * b.mid[..., None]
    return _vector(mid, a.rad * number + size * b.rad + 2 * U * size * number, a.scale * number)


def _monotone(f: Callable[[Array], Array], a: Ball) -> Ball:
    """The image of an interval under a monotone f: both ends are evaluated and the hull is taken."""
    if a.vector:
        raise TypeError("a nonlinear function of a vector")
    x, y = f(a.lo), f(a.hi)
    lo, hi = np.minimum(np.minimum(x, y), _LARGEST), np.maximum(x, y)
    return _number(lo - _FUNCTION_ULPS * U * np.abs(lo), hi + _FUNCTION_ULPS * U * np.abs(hi))


def _power(base: Ball, exponent: sp.Expr) -> Ball:
    p = float(exponent)
    if exponent.is_Integer and int(exponent) > 0:
        out = reduce(_mul, [base] * int(exponent))
        return out if int(exponent) % 2 else Ball(np.maximum(out.lo, 0.0), out.hi, out.scale, out.mid)
    # roots and reciprocals are of nonnegative quantities; an enclosure that crosses 0 is cut there
    return _monotone(lambda x: np.maximum(x, 0.0) ** p, base)


def _extreme(f: Callable[[Array, Array], Array], a: Ball, b: Ball) -> Ball:
    if a.vector or b.vector:
        raise TypeError("a maximum of vectors")
    return _number(f(a.lo, b.lo), f(a.hi, b.hi))


def _floor(a: Ball) -> Ball:
    """The floors of both ends, which are exact: one integer unless the enclosure holds a jump."""
    lo, hi = np.floor(a.lo), np.floor(a.hi)
    return Ball(lo, hi, np.maximum(np.abs(lo), np.abs(hi)), lo / 2 + hi / 2)


Definitions = Mapping[sp.Symbol, sp.Expr]


def evaluate(expression: sp.Expr, fields: Mapping[str, Field], where: Definitions | None = None) -> Ball:
    """The value of `expression` with every symbol replaced by its definition in `where`, else by its Field.

    On the axes batch, time, layer, sample (length 1 if absent). Definitions are evaluated, not substituted: each once.

    Overflow gives infinite ends, never a warning and never a finite wrong value; use `log_evaluate` there.
    Raises KeyError for a symbol without Field, TypeError for a function that it does not know.
    """
    cache: dict[sp.Expr, Ball] = {}

    def go(e: sp.Expr) -> Ball:
        if e in cache:
            return cache[e]
        if where and e in where:
            out = go(where[e])
        elif e.is_Symbol:
            out = _align(fields[e.name])
        elif e.is_Number or e.is_NumberSymbol:
            value = np.full((1, 1, 1, 1), float(e))
            exact = e.is_Integer and abs(int(e)) < 2**53
            out = Ball(value, value, np.abs(value), value) if exact else _number(value, value)
        elif e.is_Add:
            out = reduce(_add, map(go, e.args))
        elif e.is_Mul:
            out = reduce(_mul, map(go, e.args))
        elif e.is_Pow and e.exp.is_Rational:
            out = _power(go(e.base), e.exp)
        elif isinstance(e, sp.exp):
            out = _monotone(np.exp, go(e.args[0]))
        elif isinstance(e, sp.log):
            out = _monotone(np.log, go(e.args[0]))
        elif isinstance(e, sp.floor):
            out = _floor(go(e.args[0]))
        elif isinstance(e, sp.Max):
            out = reduce(lambda a, b: _extreme(np.maximum, a, b), map(go, e.args))
        elif isinstance(e, sp.Min):
            out = reduce(lambda a, b: _extreme(np.minimum, a, b), map(go, e.args))
        else:
            raise TypeError(f"cannot enclose {e} ({type(e).__name__})")
        cache[e] = out
        return out

    with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
        return go(sp.sympify(expression))


Logs = tuple[arb, arb]  # lower and upper end of a logarithm; each is itself a ball of relative width 2^-PRECISION or so
_ZERO, _INFINITE = arb("-inf"), arb("inf")  # logarithms of 0 and of what no precision holds


def _ends(lo: arb, hi: arb) -> Logs:
    """Ends that Arb could not enclose become the widest: a bound may be lost, never wrong."""
    known = [x if x.is_finite() or x in (_ZERO, _INFINITE) else None for x in (lo, hi)]
    return _ZERO if known[0] is None else known[0], _INFINITE if known[1] is None else known[1]


def _log_sum(terms: list[arb]) -> arb:
    """ln Σ exp(t) of ends; zeros are dropped, and the largest term is taken out exactly."""
    first, *others = sorted(terms, key=lambda t: (t == _INFINITE, t != _ZERO, t.mid() if t.is_finite() else arb(0)), reverse=True)
    if not first.is_finite():
        return first
    return first + (1 + sum(((t - first).exp() for t in others if t != _ZERO), arb(0))).log()


def _log_product(factors: list[arb]) -> arb:
    """ln Π exp(t) of ends; 0 times infinity, in a bound: 0 wins."""
    return _ZERO if _ZERO in factors else sum(factors, arb(0))


def _log_node(e: sp.Expr, parts: list[Logs]) -> Logs:
    """The logarithm of a node from those of its arguments: ends map to ends, since each operation is monotone in each argument."""
    lows, highs = zip(*parts, strict=True)
    if e.is_Add:
        return _log_sum(list(lows)), _log_sum(list(highs))
    if e.is_Mul:
        return _log_product(list(lows)), _log_product(list(highs))
    if isinstance(e, sp.exp):
        return lows[0].exp(), highs[0].exp()
    if isinstance(e, sp.Max | sp.Min):
        extreme = arb.max if isinstance(e, sp.Max) else arb.min
        return reduce(extreme, lows), reduce(extreme, highs)
    raise TypeError(f"cannot take the logarithm of {e} ({type(e).__name__})")


def log_evaluate(expression: sp.Expr, numbers: Mapping[str, tuple[float, float]], where: Definitions | None = None) -> Logs:
    """Lower and upper end of ln(expression); a symbol is defined in `where` or a nonnegative number given as (value, radius).

    Sums must have nonnegative terms (as every bound of the paper has); a zero value has logarithm -inf and is dropped from sums. The
    ends are kept apart because a ball cannot hold e^{x ± 1} tightly when x is 10^18 ± 10^4.
    """

    cache: dict[sp.Expr, Logs] = {}

    def go(e: sp.Expr) -> Logs:
        if e not in cache:
            cache[e] = _ends(*node(e))
        return cache[e]

    def node(e: sp.Expr) -> Logs:
        if where and e in where:
            return go(where[e])
        if e.is_Symbol:
            value, radius = numbers[e.name]
            ends = (arb(value) - arb(radius), arb(value) + arb(radius))
            lo, hi = (x.log() if x > 0 else _ZERO for x in ends)
            return lo, hi
        if e.is_Rational:
            if e.is_negative:
                raise ValueError(f"a negative term in a bound: {e}")
            x = _ZERO if e == 0 else (arb(int(e.p)) / arb(int(e.q))).log()
            return x, x
        if e.is_Pow and e.exp.is_Rational:
            lo, hi = (x * arb(int(e.exp.p)) / arb(int(e.exp.q)) if x.is_finite() else x * int(sp.sign(e.exp)) for x in go(e.base))
            return (lo, hi) if e.exp.is_positive else (hi, lo)
        return _log_node(e, [go(a) for a in e.args])

    ctx.prec = PRECISION
    return go(sp.sympify(expression))
