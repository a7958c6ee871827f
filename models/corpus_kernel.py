"""Lemma 21 of the corpus: every activation once, and instances on which the steps of its proof are nearly equalities.

signs      two columns at an angle of 0.00677 π and an erf so steep that it is a sign: the rows on which its two values differ are rare
exact      one column: sums of independent terms, their distribution enclosed
wide       so wide, and so many dimensions, that both probabilities of the lemma are close to 1
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from depthlimit.models.spec import Spec


def _kernel(d: int, n: int, m: int, name: str, a: float = 1.0, b: float = 1.0, *, q: int = 0, **more: Any) -> Spec:
    sizes = {"d": d, "dout": 1, "q": max(q, d), "m": m, "L": 1, "n": n}
    regime: Mapping[str, Any] = {"kind": "kernel-matrix", "draws": more.pop("draws", 50), "order": more.pop("order", 2)}
    return Spec.model_validate({"regime": regime, **sizes, "activation": {"name": name, "a": a, "b": b}, **more})


def _columns(*columns: tuple[float, ...]) -> dict[str, Any]:
    n, d = len(columns), len(columns[0])
    inline = [["x", [n, d], [v for c in columns for v in c]], ["y", [n, 1], [1.0] * n]]
    return {"kind": "arrays", "arrays": {"inline": inline}}


_ANGLE = 0.00677 * math.pi
_STEEP = math.sqrt(3)  # η_3(sin bu)² is largest there
SIGNS = _kernel(2, 2, 4000, "erf", b=1e12, order=3, draws=100, data=_columns((1.0, 0.0), (math.cos(_ANGLE), math.sin(_ANGLE))))
SMALL = _kernel(3, 3, 8, "sin", b=_STEEP, order=3)
WIDE = _kernel(24, 2, 800, "sin", b=_STEEP, order=3, draws=100)
_ACTIVATIONS = (
    *(("tanh", 1.0, 1.0), ("erf", 2.0, 1.0), ("arctan", 1.0, 2.0), ("algebraic", 1.0, 1.0), ("relu", 1.0, 1.0), ("gelu", 1.0, 1.0)),
    *(("silu", 1.0, 2.0), ("one_minus_cos", 1.0, 1.5), ("one_minus_gauss", 1.0, 2.0), ("identity", 0.5, 1.0)),
)
KERNEL_MATRIX = (
    SIGNS,
    SMALL,
    WIDE,
    *(_kernel(4, 3, 16, name, a, b, order=3 if name in ("tanh", "erf", "sin") else 2) for name, a, b in _ACTIVATIONS),
    _kernel(1, 1, 16, "sin", b=_STEEP, order=3),
    _kernel(1, 1, 24, "one_minus_cos", b=1.5),
    _kernel(2, 2, 8, "one_minus_cos", b=1.5, data={"kind": "sphere", "seed": 1}),
    _kernel(12, 2, 64, "one_minus_gauss", b=2.0, data={"kind": "sphere", "seed": 2}),
    _kernel(4, 3, 2, "tanh", q=6, order=3),
    _kernel(2, 3, 16, "gelu", data=_columns((1.0, 0.5), (0.3, -1.0), (1.0, 0.5))),
    _kernel(2, 3, 16, "arctan", b=2.0, order=3, data=_columns((1.0, 0.5), (0.3, -1.0), (-0.3, 1.0))),
    _kernel(2, 3, 16, "one_minus_cos", b=1.5, data=_columns((1.0, 0.5), (0.3, -1.0), (-0.3, 1.0))),
    _kernel(2, 4, 16, "identity", a=0.5),
    _kernel(2, 3, 16, "gelu", data=_columns(*[(1.0, 0.5)] * 3)),
)
WITNESSES = {"lemma21-witness": SIGNS, "lemma21-product-witness": SMALL}
