"""General residual networks of the corpus: instances in one or two dimensions where the steps of Proposition 7 are nearly equalities.

saturated   q = d = n = 1, all clips saturated outwards: A, Z, B reach M at t = T, and M_X = 0.97, about e^{-M}, makes K₂ nearly K₁
diagonal    Z = diag(λ, -λ), A = M e₁, B = M e₂ᵀ: the adjoint is orthogonal to the state, and the two changes over a layer add up
bent        f = h sin z with z between the steepest and the flattest point of the sine
alternating f = h sin z with z = kπ: ∂₂f changes its sign from layer to layer, which α must pay for, and β/L is small
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from depthlimit.models.spec import Spec


def _general(residual: str, d: int, dout: int, q: int, L: int, n: int, *, m: int = 1, gain: float = 1.0, **more: Any) -> Spec:
    sizes = {"d": d, "dout": dout, "q": q, "m": m, "L": L, "n": n, "rtol": 1e-12}
    return Spec.model_validate({"regime": {"kind": "general-flow", "residual": residual, "gain": gain}, **sizes, **more})


def _arrays(**arrays: tuple[Sequence[int], Sequence[float]]) -> dict[str, Any]:
    inline = [[name, list(shape), list(numbers)] for name, (shape, numbers) in sorted(arrays.items())]
    return {"kind": "arrays", "arrays": {"inline": inline}}


def _one(A: float, Z0: float, Z1: float, B: float) -> dict[str, Any]:
    return _arrays(A=((1, 1), (A,)), Z0=((1,), (Z0,)), Z1=((1,), (Z1,)), B=((1, 1), (B,)))


def _point(x: float, y: float) -> dict[str, Any]:
    return _arrays(x=((1, 1), (x,)), y=((1, 1), (y,)))


def _clip(kind: str, radius: float) -> dict[str, Any]:
    return {"kind": kind, "radius": radius}


def _planar(A: float, Z0: Sequence[float], B: float) -> dict[str, Any]:
    """A = A e₁, B = B e₂ᵀ in the plane, the same Z at every layer."""
    zeros = [0.0] * len(Z0)
    return _arrays(A=((2, 1), (A, 0.0)), Z0=((len(Z0),), Z0), Z1=((len(Z0),), zeros), B=((1, 2), (0.0, B)))


_SHORT: Mapping[str, Any] = {"T": 1e-5, "clip": _clip("smooth", 1.0)}
_NORM = 0.02
_LAMBDA = _NORM / math.sqrt(2)
SATURATED = _general(
    "linear", 1, 1, 1, 2, 1, T=1.0, clip=_clip("coordinate", 0.01), init=_one(0.02, 0.02, 0.0, 0.02), data=_point(0.97, 300.0)
)
_PLANE: Mapping[str, Any] = {
    **_SHORT,
    "init": _planar(_NORM, (_LAMBDA, 0.0, 0.0, -_LAMBDA), _NORM),
    "data": _point(math.exp(-_NORM), 1.0),
}
DIAGONAL = _general("linear", 1, 1, 2, 2, 1, **_PLANE)
_WIDE = 8 * math.pi
ALTERNATING = _general(
    *("sine", 1, 1, 1, 16, 1),
    T=1e-7,
    clip=_clip("smooth", 1e6),
    init=_one(_WIDE, -_WIDE, 2 * _WIDE, _WIDE),
    data=_point(1 / (math.e * _WIDE), 1000.0),
)
WITNESSES = {
    "prop7-gain-witness": _general("linear", 1, 1, 2, 2, 1, gain=4.0, **_PLANE),
    "eq13-general-witness": _general("linear", 2, 1, 3, 3, 2, T=0.1, init={"kind": "affine", "seed": 1, "scale": 1.0}),
    "prop7-clip-witness": _general(
        "linear", 1, 1, 1, 2, 1, T=0.1, clip=_clip("coordinate", 0.01), init=_one(1.0, 0.0, 0.5, 1.0), data=_point(1.0, 9.0)
    ),
    "prop7-index-witness": _general(
        "linear", 1, 1, 1, 2, 1, T=1e-5, clip=_clip("smooth", 1e3), init=_one(1.0, -0.125, 0.25, 1.0), data=_point(10.0, 1.0)
    ),
    "prop7-thus-witness": _general(
        "linear", 1, 1, 1, 2, 1, T=1e-3, clip=_clip("smooth", 1.0), init=_one(1.0, 2.0, -4.0, 1.0), data=_point(1.0, 1.0)
    ),
    "prop7-transpose-witness": _general(
        "linear", 1, 1, 2, 1, 1, T=0.1, init=_planar(1.0, (0.0, 0.0, 1.0, 0.0), 1.0), data=_point(1.0, 3.0)
    ),
}
GENERAL = (
    SATURATED,
    DIAGONAL,
    ALTERNATING,
    _general("sine", 1, 1, 2, 2, 1, **_SHORT, init=_planar(_NORM, (_LAMBDA, -_LAMBDA), _NORM), data=_point(math.exp(-_NORM), 1.0)),
    _general("sine", 1, 1, 1, 4, 1, T=0.01, clip=_clip("smooth", 1.0), init=_one(1.0, 1.0, 0.5, 0.5), data=_point(0.1, 3.0)),
    _general("linear", 2, 2, 3, 6, 3, T=0.5, init={"kind": "affine", "scale": 0.5, "slope": 0.5}),
    _general("sine", 2, 1, 3, 5, 2, T=0.5, clip=_clip("radial", 0.1), init={"kind": "affine", "seed": 2, "slope": 1.0}),
    _general("perceptron", 2, 1, 2, 4, 2, m=3, T=0.25, clip=_clip("smooth", 0.5), init={"kind": "affine", "seed": 3, "scale": 1.0}),
    _general("perceptron", 1, 1, 1, 2, 1, T=0.5, activation={"name": "sin", "b": 2.0}, train="VW", init={"kind": "affine", "seed": 4}),
    *WITNESSES.values(),
)
