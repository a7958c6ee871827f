"""Proposition 5 in the corpus: its steps on small networks, the two that its print does not survive, and instances of all its hypotheses.

ADJOINT   V = -e₂e₁ᵀ, W = w e₁e₂ᵀ + e₂e₁ᵀ/8: Wh = 0 in the first neuron, whose slope is K_σ, and each layer takes 1 - 2√2K_σ/L of p
SCALE     σ of size 10⁻⁸, L = 1, n = 3 > d = 2 and labels orthogonal to x: every printed hypothesis of Proposition 5 holds, on its event
EDGE      the same with σ of size 0.003, c₂√(nq) = 1.1: the printed bound where it holds, at its tightest
LITERAL   every printed hypothesis with n = 2 and δ < 0.4: 2 · 2 · 9 · 10240 weights
DEEP      the same with n = 2, L = 16, δ < 0.09: 40 MB of weights; and every hypothesis of Theorem 6 with n = 2, over seeds
"""

from __future__ import annotations

import math
from typing import Any

from depthlimit.models.spec import Spec


def _spec(kind: str, d: int, dout: int, q: int, m: int, L: int, n: int, regime: dict[str, Any], **more: Any) -> Spec:
    sizes = {"d": d, "dout": dout, "q": q, "m": m, "L": L, "n": n, "times": (0.0, more["T"]) if "T" in more else (0.0,)}
    return Spec.model_validate({"regime": {"kind": kind, **regime}, **sizes, **more})


def _gauss(a: float) -> dict[str, Any]:
    return {"name": "one_minus_gauss", "a": a}


def _one_point(x: float, y: float) -> dict[str, Any]:
    return {"kind": "arrays", "arrays": {"inline": [["x", [1, 1], [x]], ["y", [1, 1], [y]]]}}


_L, _SMALL = 8, 0.125
_BIG = math.sqrt(32 - _SMALL**2) * (1 - 1e-12)  # |W|_F just below 2√(2qm)
_STATE = {
    "inline": [
        ["A", [2, 1], [1.0, 0.0]],
        ["B", [1, 2], [0.0, 0.5]],
        ["V", [_L, 2, 2], [0.0, 0.0, -1.0, 0.0] * _L],
        ["W", [_L, 2, 2], [0.0, _BIG, _SMALL, 0.0] * _L],
    ]
}
ADJOINT = _spec(
    *("pl-ball", 1, 1, 2, 2, _L, 1),
    {"ball": "line-47", "points": 0, "order": 3, "state": _STATE},
    activation={"name": "sin"},
    data=_one_point(math.sqrt(2), 1.0),
)
SCALE = _spec("pl-ball", 2, 1, 3, 15300, 1, 3, {"points": 0}, activation=_gauss(1e-8), data={"kind": "sphere", "labels": "orthogonal"})
EDGE = _spec("pl-ball", 2, 1, 3, 15400, 2, 3, {"points": 1}, activation=_gauss(0.003), data={"kind": "sphere", "labels": "orthogonal"})
LITERAL = _spec("pl-ball", 8, 1, 9, 10240, 2, 2, {"points": 1}, activation=_gauss(0.002332))
_CURVED = {"name": "one_minus_cos", "a": 3.0, "b": 1.5}  # K_σ = 4.5
_ORTHOGONAL = {"kind": "sphere", "labels": "orthogonal"}
BALLS = (
    _spec("pl-ball", 2, 1, 4, 6, 5, 3, {"ball": "line-47", "points": 4, "order": 3}, activation={"name": "tanh"}),
    _spec("pl-ball", 3, 2, 5, 8, 2, 4, {"ball": "line-47", "points": 4, "order": 3}, activation={"name": "sin", "a": 0.1}),
    _spec("pl-ball", 1, 1, 2, 2, 1, 1, {"ball": "line-47", "points": 2}, activation={"name": "one_minus_cos", "a": 0.05}),
    _spec("pl-ball", 3, 1, 4, 64, 4, 4, {"ball": "sharpened"}, activation=_CURVED, data=_ORTHOGONAL),
    _spec("pl-ball", 2, 1, 3, 64, 1, 3, {"ball": "sharpened"}, activation=_gauss(1.0), data=_ORTHOGONAL),
    # |y|² just below C: the condition of Theorem 6 is nearly an equality
    _spec(
        *("pl-ball", 1, 1, 2, 2, 3, 1),
        {"points": 0},
        activation={"name": "one_minus_cos", "a": 0.2},
        data=_one_point(math.sqrt(2), 2.8e-11),
    ),
    ADJOINT,
    SCALE,
    EDGE,
    LITERAL,
)


def _seeds(d: int, m: int, n: int, a: float, draws: int, flows: int, label_scale: float, T: float, **more: Any) -> Spec:
    regime, data = {"draws": draws, "flows": flows}, {"kind": "sphere", "label_scale": label_scale}
    return _spec("pl-seeds", d, 1, d + 1, m, 2, n, regime, activation=_gauss(a), T=T, rtol=1e-6, data=data, **more)


SEEDS = (  # V and W alone are trained, which is what the bound is about; then every hypothesis of Theorem 6, the labels below C
    _seeds(8, 3000, 2, 1.0, 40, 12, 0.01, 0.1, train="VW"),
    _seeds(8, 5200, 1, 0.003, 20, 4, 2e-14, 0.0005),
)
DEEP = (
    _spec("pl-ball", 13, 1, 14, 10764, 16, 2, {"points": 2}, activation=_gauss(0.02332)),
    _seeds(13, 10764, 2, 0.0025, 20, 9, 2e-15, 0.0005),
)
PROP5 = (*BALLS, *SEEDS)
# The literal instances, and their larger ones, by name
NAMED = {"prop5-literal": LITERAL, "prop5-literal-deep": DEEP[0], "thm6-literal": SEEDS[1], "thm6-literal-deep": DEEP[1]}
WITNESSES = {"prop5-adjoint-witness": ADJOINT, "prop5-scale-witness": SCALE, "prop5-literal-witness": LITERAL}
