"""σ(u) = a φ(b u) and its derivatives in NumPy, and how far any float64 implementation may be from them.

`value` and `derivative` avoid cancellation and overflow. `evaluation_error` and `derivative_error` are the
rounding radii of the suite: bounds on the absolute error, at a given float64 u, of every reasonable
implementation: 1 - cos t, t(1 + erf(t/√2))/2 and autograd through t/√(1+t²) are no fault. With ε = 2^-53:

* t = b u is rounded once; a relative ε of t moves σ by |a φ'(t) t| ε, σ' by |a b φ''(t) t| ε, and a second
  order.
* φ and φ' at the rounded t are wrong by `value_rounding` and `slope_rounding` in the table below. They follow
  the formulas named there, one rounding after the other: an operation or a constant is wrong by a relative ε,
  1/√ and hypot by 2ε, an elementary function by 4 ulp (SVML's stated bound, the loosest of the libraries in
  use), and a function with limit ±1 is ±1 once it is within ε/1024 of it.
* The products with a, and with a b for σ', round once or twice; multiplying by ±2^k rounds nothing.

A factor covers products of these errors, and a floor covers underflow. The bounds hold for |b u| <= 2^500:
beyond it 1+t² may overflow.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from depthlimit.theory.activation import lookup
from depthlimit.theory.quantity import Array

EPS = 2.0**-53  # unit roundoff
_SAFETY = 1 + 2.0**-10  # products of two relative errors, and the rounding of the bounds themselves
_FLOOR = 2.0**-1000  # silu is below 2^-1014 where its exp(-t) overflows; what underflows is smaller
_SATURATED = EPS / 1024
_SQRT_2PI = math.sqrt(2 * math.pi)


def _library(x: Array, gap: Array | None = None) -> Array:
    """Error of an elementary function whose result is x: 4 ulp; gap = 1 - |x| if it has the limits ±1."""
    error = 4 * np.spacing(np.abs(x))
    return np.asarray(error if gap is None else np.where(gap > _SATURATED, error, gap))


def _smooth(t: Array) -> Array:
    """As functions of ln|t|, φ and φ' have second derivatives (tφ' + t²φ'', tφ'' + t²φ''') <= 2(1+|t|).

    Half of that is Taylor's remainder; the rest covers the rounding of the first-order term near its zeros.
    """
    return 8 * EPS**2 * (1 + np.abs(t))


def _periodic(t: Array) -> Array:
    """|φ''| and |φ'''| are at most 1, and neither φ nor φ' changes by more than 2."""
    return np.minimum(np.square(EPS * t), 2.0)


@dataclass(frozen=True)
class _Phi:
    """φ, φ' and φ'', the roundings of φ and φ', and their changes of second order under a relative ε of t."""

    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    bend: Callable[[Array], Array] = np.zeros_like
    value_rounding: Callable[[Array], Array] = np.zeros_like
    slope_rounding: Callable[[Array], Array] = np.zeros_like
    second_order: Callable[[Array], Array] = _smooth


def _tanh_slope(t: Array) -> Array:
    x = np.exp(-2 * np.abs(t))
    return np.asarray(4 * x / np.square(1 + x))


def _tanh_slope_rounding(t: Array) -> Array:
    """1 - φ², 1/cosh² t, 4x/(1+x)² with x = exp(-2|t|)."""
    f, slope = np.abs(np.tanh(t)), _tanh_slope(t)
    return np.maximum(2 * f * _library(f) + EPS * (f**2 + slope), 18 * EPS * slope)


def _erf_slope(t: Array) -> Array:
    return 2 / math.sqrt(math.pi) * np.exp(-np.square(t))


def _erf_slope_rounding(t: Array) -> Array:
    """(2/√π) exp(-t²): 2/√π from a rounded π is wrong by 2.5ε, the product rounds, ε of t² has weight t²."""
    g = np.exp(-np.square(t))
    return 2 / math.sqrt(math.pi) * (_library(g) + (np.square(t) + 4) * EPS * g)


def _algebraic_slope_rounding(t: Array) -> Array:
    """With r = √(1+t²): 1/r³ and pow(1+t², -3/2), wrong by 11ε; autograd's 1/r - t²/r³.

    There 1/r = 1/r³ + t²/r³ is wrong by 3ε, t²/r³ by 13ε, and the difference rounds.
    """
    return np.asarray(EPS * (11 + 16 * np.square(t)) / np.hypot(1.0, t) ** 3)


def _cos_value_rounding(t: Array) -> Array:
    """1 - cos t, 2 sin²(t/2)."""
    half = np.abs(np.sin(t / 2))
    return np.maximum(_library(np.cos(t)), 4 * half * _library(half)) + 2 * EPS * np.square(half)


def _cos_slope_rounding(t: Array) -> Array:
    """2 sin(t/2) cos(t/2), which covers sin t."""
    s, c = np.abs(np.sin(t / 2)), np.abs(np.cos(t / 2))
    return np.asarray(2 * (s * _library(c) + c * _library(s)) + 4 * EPS * s * c)


def _gauss_value_rounding(t: Array) -> Array:
    """1 - g and -expm1(-w), where w = t²/4 and g = e^-w: ε of w has the weight wg, and 1 - g rounds."""
    w = np.square(t / 2)
    f, g = -np.expm1(-w), np.exp(-w)
    return np.maximum(_library(g), _library(f)) + EPS * (w * g + f)


def _gauss_slope_rounding(t: Array) -> Array:
    """(t/2)g, and autograd's (t/2)(1 + expm1(-w))."""
    w = np.square(t / 2)
    g = np.exp(-w)
    factor = np.maximum(_library(g), _library(np.expm1(-w), gap=g))
    return np.abs(t) / 2 * (factor + (w + 3) * EPS * g)


def _normal_density(t: Array) -> Array:
    return np.asarray(np.exp(-np.square(t) / 2) / _SQRT_2PI)


def _gelu_slope(t: Array) -> Array:
    return np.asarray(special.ndtr(t) + t * _normal_density(t))


def _normal_rounding(t: Array) -> Array:
    """Φ from a library, and (1 + erf(t/√2))/2, whose sum rounds; t/√2 is wrong by 2ε, Φ hence by 2ε|t|ϕ."""
    P, gap = special.ndtr(t), 2 * special.ndtr(-np.abs(t))
    by_erf = _library(1 - gap, gap=gap) / 2 + EPS * P
    return np.asarray(np.maximum(_library(P), by_erf) + 2 * EPS * np.abs(t) * _normal_density(t))


def _gelu_value_rounding(t: Array) -> Array:
    return np.asarray(np.abs(t) * (_normal_rounding(t) + EPS * special.ndtr(t)))


def _gelu_slope_rounding(t: Array) -> Array:
    """Φ + tϕ: t²/2, as (t/√2)², is wrong by 5ε; constants and products of tϕ round eight times at most."""
    g = np.exp(-np.square(t) / 2)
    density = (_library(g) + (2.5 * np.square(t) + 8) * EPS * g) / _SQRT_2PI
    return _normal_rounding(t) + np.abs(t) * density + EPS * np.abs(_gelu_slope(t))


def _silu_slope(t: Array) -> Array:
    return np.asarray(special.expit(t) * (1 + t * special.expit(-t)))


def _silu_bend(t: Array) -> Array:
    return np.asarray(special.expit(t) * special.expit(-t) * (2 - t * np.tanh(t / 2)))


def _sigmoid_rounding(t: Array) -> Array:
    """s from a library, 1/(1+exp(-t)), (1+tanh(t/2))/2.

    exp(-t), relatively wrong by at most 8ε, has the weight 1-s in s; its sum and quotient add 2ε.
    """
    s, c = special.expit(t), special.expit(-t)
    gap = 2 * np.minimum(s, c)
    by_tanh = _library(1 - gap, gap=gap) / 2 + EPS * s
    error = np.maximum(np.maximum(_library(s), EPS * s * (8 * c + 2)), by_tanh)
    return np.asarray(np.where(c > _SATURATED, error, c))


def _silu_value_rounding(t: Array) -> Array:
    return np.asarray(np.abs(t) * (_sigmoid_rounding(t) + EPS * special.expit(t)))


def _silu_slope_rounding(t: Array) -> Array:
    """With s = sigmoid(t): s(1+t(1-s)), φ+s(1-φ), autograd through t/(1+exp(-t)).

    s(1+t(1-s)): an error of s has the weight s|t| + |1+t(1-s)| <= 1+|t|; 1-s from a library is wrong by 8ε,
    and it, its product, the sum and the last product round. φ+s(1-φ): an error of s has the weight
    |1-φ| + (1-s)|t| <= 1+|t|; 1-φ, its product, φ and the sum round. Autograd has s + t x/(1+x)² with
    x = exp(-t), whose 8ε have the weight |2s-1| <= 1, and six operations of the second term round.
    """
    s, c = special.expit(t), special.expit(-t)
    f, slope = np.abs(t * s), np.abs(_silu_slope(t))
    rounded = 14 * f * c + 2 * slope + 2 * s * np.abs(1 - t * s) + c * f
    return np.asarray(_sigmoid_rounding(t) * (1 + np.abs(t)) + EPS * rounded)


_PHI: dict[str, _Phi] = {
    # Linear on each side of 0: a rounding of t keeps its sign.
    "identity": _Phi(value=lambda t: t, slope=np.ones_like, second_order=np.zeros_like),
    "relu": _Phi(
        value=lambda t: np.maximum(t, 0.0),
        slope=lambda t: np.asarray(np.heaviside(t, 0.0)),
        second_order=np.zeros_like,
    ),
    "tanh": _Phi(
        value=np.tanh,
        slope=_tanh_slope,
        bend=lambda t: -2 * np.tanh(t) * _tanh_slope(t),
        value_rounding=lambda t: _library(np.tanh(t)),
        slope_rounding=_tanh_slope_rounding,
    ),
    "sin": _Phi(
        value=np.sin,
        slope=np.cos,
        bend=lambda t: -np.sin(t),
        value_rounding=lambda t: _library(np.sin(t)),
        slope_rounding=lambda t: _library(np.cos(t)),
        second_order=_periodic,
    ),
    "erf": _Phi(
        value=special.erf,
        slope=_erf_slope,
        bend=lambda t: -2 * t * _erf_slope(t),
        value_rounding=lambda t: _library(special.erf(t)),
        slope_rounding=_erf_slope_rounding,
    ),
    "arctan": _Phi(
        value=np.arctan,
        slope=lambda t: 1 / (1 + np.square(t)),
        bend=lambda t: -2 * t / np.square(1 + np.square(t)),
        value_rounding=lambda t: _library(np.arctan(t)),
        slope_rounding=lambda t: 3 * EPS / (1 + np.square(t)),  # 1/(1+t²): three operations
    ),
    "algebraic": _Phi(
        value=lambda t: t / np.hypot(1.0, t),
        slope=lambda t: 1 / ((1 + np.square(t)) * np.hypot(1.0, t)),
        bend=lambda t: -3 * t / (np.square(1 + np.square(t)) * np.hypot(1.0, t)),
        # 1+t² is wrong by 2ε and has the weight 1/2, 1/√ adds 2ε and the product ε.
        value_rounding=lambda t: 4 * EPS * np.abs(t) / np.hypot(1.0, t),
        slope_rounding=_algebraic_slope_rounding,
    ),
    "one_minus_cos": _Phi(
        value=lambda t: 2 * np.square(np.sin(t / 2)),
        slope=np.sin,
        bend=np.cos,
        value_rounding=_cos_value_rounding,
        slope_rounding=_cos_slope_rounding,
        second_order=_periodic,
    ),
    "one_minus_gauss": _Phi(
        value=lambda t: -np.expm1(-np.square(t / 2)),
        slope=lambda t: t / 2 * np.exp(-np.square(t / 2)),
        bend=lambda t: (1 - np.square(t) / 2) / 2 * np.exp(-np.square(t / 2)),
        value_rounding=_gauss_value_rounding,
        slope_rounding=_gauss_slope_rounding,
    ),
    "gelu": _Phi(
        value=lambda t: t * special.ndtr(t),
        slope=_gelu_slope,
        bend=lambda t: (2 - np.square(t)) * _normal_density(t),
        value_rounding=_gelu_value_rounding,
        slope_rounding=_gelu_slope_rounding,
    ),
    "silu": _Phi(
        value=lambda t: t * special.expit(t),
        slope=_silu_slope,
        bend=_silu_bend,
        value_rounding=_silu_value_rounding,
        slope_rounding=_silu_slope_rounding,
    ),
}


def _phi(name: str) -> _Phi:
    return _PHI.get(name) or _PHI[lookup(name).name]  # the latter raises for unknown names


def _read(activation: Mapping[str, Any], u: Array) -> tuple[_Phi, float, float, Array]:
    """φ, a, b and the rounded t = b u."""
    array = np.asarray(u)
    if array.dtype != np.float64:
        raise TypeError(f"u: got {array.dtype}, expected float64: convert it by u.astype(np.float64)")
    a, b = float(activation["a"]), float(activation["b"])
    return _phi(activation["name"]), a, b, array if b == 1 else np.asarray(b * array)


def _inexact(factor: float) -> bool:
    """Whether multiplying by this factor rounds: not for 0 and ±2^k."""
    return abs(math.frexp(factor)[0]) not in (0.0, 0.5)


def value(activation: Mapping[str, Any], u: Array) -> Array:
    """σ(u) = a φ(b u), same shape as u.

    `activation` has the keys name, a, b of a spec. Raises ValueError for an unknown name, listing the known
    ones, and TypeError unless u is float64.
    """
    with np.errstate(over="ignore", under="ignore"):
        phi, a, _, t = _read(activation, u)
        value = phi.value(t)
        if a != 1:
            return np.asarray(a * value)
        return np.array(value) if value is t else np.asarray(value)


def function(activation: Mapping[str, Any]) -> Callable[[Array], Array]:
    """σ to the bits of `value`, for loops over layers: no array is checked, and who calls sees to `np.errstate`."""
    phi, a, b = _phi(activation["name"]).value, float(activation["a"]), float(activation["b"])
    return phi if a == b == 1 else lambda u: np.asarray(a * phi(b * u))


def derivative(activation: Mapping[str, Any], u: Array) -> Array:
    """σ'(u) = a b φ'(b u), same shape as u; relu'(0) = 0. Arguments and errors as for `value`."""
    with np.errstate(over="ignore", under="ignore"):
        phi, a, b, t = _read(activation, u)
        slope = phi.slope(t)
        return np.asarray(slope if a == b == 1 else a * b * slope)


def second_derivative(activation: Mapping[str, Any], u: Array) -> Array:
    """σ''(u) = a b² φ''(b u), same shape as u; 0 for relu. Arguments and errors as for `value`."""
    with np.errstate(over="ignore", under="ignore"):
        phi, a, b, t = _read(activation, u)
        return np.asarray(a * b**2 * phi.bend(t))


def evaluation_error(activation: Mapping[str, Any], u: Array) -> Array:
    """Bound on |computed σ(u) - σ(u)| for every reasonable float64 implementation, same shape as u.

    u is taken as exact: an error δ of u adds K_σ δ. Derivation: module docstring. Arguments as for `value`.
    """
    with np.errstate(over="ignore", under="ignore"):
        phi, a, b, t = _read(activation, u)
        error = phi.value_rounding(t)
        if _inexact(b):
            error = error + EPS * np.abs(t * phi.slope(t)) + phi.second_order(t)
        error = error + EPS * _inexact(a) * np.abs(phi.value(t))
        bound = _SAFETY * abs(a) * error + _FLOOR * (1 + abs(a)) * (1 + abs(b))
        return np.where(t == 0, 0.0, bound)  # σ(0) = 0 comes out exactly


def derivative_error(activation: Mapping[str, Any], u: Array) -> Array:
    """Bound on |computed σ'(u) - σ'(u)| for every reasonable float64 implementation, autograd included.

    u is taken as exact: an error δ of u adds S2 δ. Derivation: module docstring. Arguments as for `value`.
    """
    with np.errstate(over="ignore", under="ignore"):
        phi, a, b, t = _read(activation, u)
        error = phi.slope_rounding(t)
        if _inexact(b):
            error = error + EPS * np.abs(t * phi.bend(t)) + phi.second_order(t)
        error = error + EPS * (_inexact(a) + _inexact(b)) * np.abs(phi.slope(t))
        return np.asarray(_SAFETY * abs(a * b) * error + _FLOOR * (1 + abs(a)) * (1 + abs(b)))
