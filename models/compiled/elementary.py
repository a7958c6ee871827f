"""exp, sin and cos, arctan and erf in arithmetic without branches, which LLVM vectorises.

After a reduction of the argument the series of Taylor give all digits with a term or two more than the best polynomials need; only erfc is
a polynomial fitted by mpmath. There is no table of numbers. `tests/meta/test_compiled.py` measures the errors against mpmath, in ulp.
"""

from __future__ import annotations

import math

import mpmath
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from depthlimit.models.compiled.caching import inline


@intrinsic
def _bits(typing, x):  # type: ignore[no-untyped-def]
    return types.int64(types.float64), lambda context, builder, signature, given: builder.bitcast(given[0], ir.IntType(64))


@intrinsic
def _number(typing, x):  # type: ignore[no-untyped-def]
    return types.float64(types.int64), lambda context, builder, signature, given: builder.bitcast(given[0], ir.DoubleType())


_ROUND = 1.5 * 2.0**52  # x + _ROUND is x rounded to an integer, which stands in the last bits
_ONE = 1023 << 52  # the bits of 1.0
_1_LN2, _2_PI, _TAN_PI_8 = 1 / math.log(2), 2 / math.pi, math.sqrt(2) - 1
# ln 2 and π/2 in pieces, all but the last of 33 bits: k times a piece is exact for |k| < 2^20, with or without fused operations.
_LN2 = (float.fromhex("0x1.62e42fee00000p-1"), float.fromhex("0x1.a39ef35793c76p-33"))
_HALF_PI = tuple(map(float.fromhex, ("0x1.921fb54400000p+0", "0x1.0b4611a600000p-34", "0x1.3198a2e000000p-69", "0x1.b839a252049c1p-104")))
_MISSING = 3.061616997868383e-17  # π/4 minus the nearest double
_EXP = tuple(1 / math.factorial(k) for k in range(2, 14))
_SIN = tuple((-1) ** k / math.factorial(2 * k + 1) for k in range(1, 9))
_COS = tuple((-1) ** k / math.factorial(2 * k) for k in range(2, 9))
_ARCTAN = tuple((-1) ** k / (2 * k + 1) for k in range(1, 22))
_ERF = tuple(2 / math.sqrt(math.pi) * (-1) ** k / (math.factorial(k) * (2 * k + 1)) for k in range(1, 20))
# exp(y²) erfc(y) (1 + y/4) on [0, 28], beyond which erfc underflows, as a polynomial in (y - 4)/(y + 4): to 2e-18.
with mpmath.workdps(40):
    _SCALED = mpmath.chebyfit(
        lambda z: (lambda y: mpmath.exp(y * y) * mpmath.erfc(y) * (1 + y / 4))(4 * (1 + z) / (1 - z)), [-1, mpmath.mpf(3) / 4], 23
    )
_TAIL = tuple(map(float, _SCALED[::-1]))
_2_ROOT_PI = 2 / math.sqrt(math.pi)

FAR = 2.0**19  # beyond it `sine_and_cosine` is wrong


@inline
def _polynomial(coefficients: tuple[float, ...], x: float) -> float:
    total = coefficients[-1]
    for i in range(len(coefficients) - 2, -1, -1):  # unrolled up to a length of about 16
        total = total * x + coefficients[i]
    return total


@inline
def _long_polynomial(even: tuple[float, ...], odd: tuple[float, ...], x: float) -> float:
    return _polynomial(even, x * x) + x * _polynomial(odd, x * x)


@inline
def exponential(x: float) -> tuple[float, float]:
    """exp(x) and exp(x) - 1 for |x| <= 708, and beyond it those of ±708."""
    x = min(max(x, -708.0), 708.0)
    k = x * _1_LN2 + _ROUND
    scale = _number((_bits(k) << 52) + _ONE)  # 2^k
    k -= _ROUND
    r = (x - k * _LN2[0]) - k * _LN2[1]  # |r| <= ln(2)/2
    p = r + r * r * _polynomial(_EXP, r)
    return scale * p + scale, scale * p + (scale - 1)


@inline
def sine_and_cosine(x: float) -> tuple[float, float]:
    """sin(x) and cos(x) for |x| <= `FAR`."""
    k = x * _2_PI + _ROUND
    quadrant = _bits(k)
    k -= _ROUND
    r = (((x - k * _HALF_PI[0]) - k * _HALF_PI[1]) - k * _HALF_PI[2]) - k * _HALF_PI[3]  # |r| <= π/4
    z = r * r
    sine = r + r * z * _polynomial(_SIN, z)
    cosine = 1 - (0.5 * z - z * z * _polynomial(_COS, z))
    odd = quadrant & 1
    first, second = (cosine, sine) if odd else (sine, cosine)
    return (-first if quadrant & 2 else first), (-second if (quadrant + 1) & 2 else second)


@inline
def arctangent(x: float) -> float:
    """arctan(x), from that of x, (x-1)/(x+1) or -1/x, which lies in [-tan π/8, tan π/8]."""
    y = abs(x)
    low, high = y < _TAN_PI_8, y > 1 / _TAN_PI_8
    above = y if low else (-1.0 if high else y - 1)
    below = 1.0 if low else (y if high else y + 1)
    eighths = 0.0 if low else (2.0 if high else 1.0)  # of 2π
    z = above / below
    s = z * z
    return math.copysign(eighths * (math.pi / 4) + (z + (z * s * _long_polynomial(_ARCTAN[::2], _ARCTAN[1::2], s) + eighths * _MISSING)), x)


@inline
def complement(y: float, square: float) -> tuple[float, float]:
    """erfc(y) and exp(-y²) for y >= 0 and y²: relatively, as good as y² is given."""
    gauss = exponential(-square)[0]
    y = min(y, 28.0)
    r = 1 / (y + 4)
    z = (y - 4) * r
    return gauss * (4 * r * _long_polynomial(_TAIL[::2], _TAIL[1::2], z)), gauss


@inline
def error_function(x: float) -> tuple[float, float]:
    """erf(x) and exp(-x²)."""
    tail, gauss = complement(abs(x), x * x)
    y = min(abs(x), 1.0)
    s = y * y
    near = y * _2_ROOT_PI + y * s * _long_polynomial(_ERF[::2], _ERF[1::2], s)
    return math.copysign(near if y < 1 else 1 - tail, x), gauss
