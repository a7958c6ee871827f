"""σ and σ' of arrays, in one pass: φ and φ' of the catalogue from the elementary functions of `elementary`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import llvmlite.binding
from numba import carray, types

from depthlimit.models.compiled.caching import inline, inner, pointer
from depthlimit.models.compiled.elementary import FAR, arctangent, complement, error_function, exponential, sine_and_cosine
from depthlimit.theory.quantity import Array

Pair = tuple[float, float]
Scalar = Callable[[float], Pair]
Loop = Callable[[float, float, Array, Array, Array], None]

_ROOT_HALF, _1_ROOT_2PI, _2_ROOT_PI = math.sqrt(0.5), 1 / math.sqrt(2 * math.pi), 2 / math.sqrt(math.pi)


@inline
def identity(t: float) -> Pair:
    """t and 1."""
    return t, 1.0


@inline
def relu(t: float) -> Pair:
    """max(t, 0), and 0 at the kink."""
    return (t, 1.0) if t > 0 else (0.0, 0.0)


@inline
def tanh(t: float) -> Pair:
    """m/(m+2) and 4(m+1)/(m+2)² for m = exp(2|t|) - 1: nothing cancels."""
    e, m = exponential(min(2 * abs(t), 700.0))
    r = 1 / (m + 2)
    return math.copysign(m * r, t), 4 * e * r * r


@inline
def sin(t: float) -> Pair:
    """Sine and cosine."""
    return sine_and_cosine(t)


@inline
def sin_far(t: float) -> Pair:
    """Sine and cosine of numbers however large."""
    return math.sin(t), math.cos(t)


@inline
def erf(t: float) -> Pair:
    """The error function and its Gaussian."""
    value, gauss = error_function(t)
    return value, _2_ROOT_PI * gauss


@inline
def arctan(t: float) -> Pair:
    """The arctangent and 1/(1+t²)."""
    return arctangent(t), 1 / (1 + t * t)


@inline
def algebraic(t: float) -> Pair:
    """t/√(1+t²) and its third power over t³."""
    r = 1 / math.sqrt(1 + t * t)
    return t * r, r * r * r


@inline
def one_minus_cos(t: float) -> Pair:
    """2 sin²(t/2) and 2 sin(t/2) cos(t/2)."""
    s, c = sine_and_cosine(t / 2)
    return 2 * s * s, 2 * s * c


@inline
def one_minus_cos_far(t: float) -> Pair:
    """The same of numbers however large."""
    s, c = math.sin(t / 2), math.cos(t / 2)
    return 2 * s * s, 2 * s * c


@inline
def one_minus_gauss(t: float) -> Pair:
    """1 - exp(-t²/4) and (t/2) exp(-t²/4)."""
    e, m = exponential(-(t * t) / 4)
    return -m, t / 2 * e


@inline
def gelu(t: float) -> Pair:
    """tΦ and Φ + tϕ; Φ is known absolutely."""
    tail, gauss = complement(_ROOT_HALF * abs(t), t * t / 2)
    P = 1 - 0.5 * tail if t > 0 else 0.5 * tail
    return t * P, P + t * (_1_ROOT_2PI * gauss)


@inline
def silu(t: float) -> Pair:
    """ts and s + ts(1-s), s = 1/(1+exp(-t)), from exp(-|t|), which does not overflow."""
    e = exponential(-abs(t))[0]
    r = 1 / (1 + e)
    s, c = (r, e * r) if t > 0 else (e * r, r)
    return t * s, s * (1 + t * c)


def _loop(phi: Scalar) -> Loop:
    @inner
    def run(a: float, b: float, u: Array, s: Array, d: Array) -> None:
        for i in range(u.size):
            value, slope = phi(b * u[i])
            s[i], d[i] = a * value, a * b * slope

    return run


def _periodic(near: Scalar, far: Scalar) -> Loop:
    """Where one argument is beyond the reach of the reduction, all are taken from a library."""
    quick, sure = _loop(near), _loop(far)

    @inner
    def run(a: float, b: float, u: Array, s: Array, d: Array) -> None:
        beyond = False
        for i in range(u.size):
            beyond |= not abs(b * u[i]) <= FAR
        if beyond:
            sure(a, b, u, s, d)
        else:
            quick(a, b, u, s, d)

    return run


_tanh, _relu, _identity, _erf, _arctan, _algebraic = map(_loop, (tanh, relu, identity, erf, arctan, algebraic))
_one_minus_gauss, _gelu, _silu = map(_loop, (one_minus_gauss, gelu, silu))
_sin, _one_minus_cos = _periodic(sin, sin_far), _periodic(one_minus_cos, one_minus_cos_far)

NAMES = ("identity", "relu", "tanh", "sin", "erf", "arctan", "algebraic", "one_minus_cos", "one_minus_gauss", "gelu", "silu")
(IDENTITY, RELU, TANH, SIN, ERF, ARCTAN, ALGEBRAIC, ONE_MINUS_COS, ONE_MINUS_GAUSS, GELU, SILU) = range(len(NAMES))


@inner
def _run(name: int, a: float, b: float, u: Array, s: Array, d: Array) -> None:
    if name == TANH:
        _tanh(a, b, u, s, d)
    elif name == IDENTITY:
        _identity(a, b, u, s, d)
    elif name == RELU:
        _relu(a, b, u, s, d)
    elif name == SIN:
        _sin(a, b, u, s, d)
    elif name == ERF:
        _erf(a, b, u, s, d)
    elif name == ARCTAN:
        _arctan(a, b, u, s, d)
    elif name == ALGEBRAIC:
        _algebraic(a, b, u, s, d)
    elif name == ONE_MINUS_COS:
        _one_minus_cos(a, b, u, s, d)
    elif name == ONE_MINUS_GAUSS:
        _one_minus_gauss(a, b, u, s, d)
    elif name == GELU:
        _gelu(a, b, u, s, d)
    else:
        _silu(a, b, u, s, d)


# Called by name, as BLAS is: a function of its own is compiled once, and not again inside of what calls it.
_SYMBOL = "depthlimit_activate"
_VECTOR = types.CPointer(types.float64)


@pointer(types.void(types.int64, types.float64, types.float64, types.int64, _VECTOR, _VECTOR, _VECTOR))
def _activate(name: int, a: float, b: float, size: int, u: Any, s: Any, d: Any) -> None:
    _run(name, a, b, carray(u, size), carray(s, size), carray(d, size))


llvmlite.binding.add_symbol(_SYMBOL, _activate.address)
_called = types.ExternalFunction(_SYMBOL, types.void(types.int64, types.float64, types.float64, types.int64, *[types.uintp] * 3))


@inner
def activate(name: int, a: float, b: float, u: Array, s: Array, d: Array) -> None:
    """s = σ(u) and d = σ'(u), σ(u) = a φ(b u), for C-contiguous arrays of one size; φ is that of `NAMES[name]`."""
    _called(name, a, b, u.size, u.ctypes.data, s.ctypes.data, d.ctypes.data)
