"""Section 5.1: small networks under gradient descent, and the published figures."""

from __future__ import annotations

from depthlimit.models.spec import Spec

_DATA = {"data": {"kind": "gaussian", "seed": 1}, "train": "VW", "activation": {"name": "gelu"}}
DESCENT = Spec.model_validate(
    {
        "regime": {"kind": "descent", "depths": (8, 16, 32, 64, 128), "iterations": 20, "step": 0.02},
        **{"d": 3, "dout": 3, "q": 3, "m": 4, "L": 8, "n": 4, **_DATA},
    }
)
FIGURES = Spec.model_validate({"regime": {"kind": "published-figure"}, "d": 16, "dout": 16, "q": 16, "m": 32, "L": 2, "n": 100, **_DATA})
SECTION51 = (DESCENT, FIGURES)
WITNESSES = {"descent-witness": DESCENT, "figures-witness": FIGURES}
