"""Flows of the corpus that go on until little of the loss is left: Proposition 8 with all its hypotheses, and certified instances.

On general networks the labels lie so near to the initial output that μ of (22) is 0.98 of a proven PL constant:

scalar     q = d = n = 1, M_X = 1: M_B M_X and M_A M_X are the largest of the three in (22), and each line of page 19 nearly an equality
steep      the same with M_X = 0.3 < K: M_B K is the largest
identity   A_init = B_init = I/2 in the plane: ‖A(0)‖_F = 0.71 exceeds M_A = 0.55
sine       f = h ⊙ sin z with an initialisation that depends on the layer
diagonal   Z = diag(λ, -λ), A along e₁ and B along e₂: successive weights drift apart
vanishing  Z_2 = -2 at L = 2, so that p_1 = 0 and p_2 is not; (22) is not met, and not assumed
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from depthlimit.models.spec import Spec

_SHARES = (0.0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0)
Rows = Sequence[Sequence[float]]


def _arrays(**arrays: Any) -> dict[str, Any]:
    flat = ((name, np.array(value, dtype=float)) for name, value in sorted(arrays.items()))
    return {"kind": "arrays", "arrays": {"inline": [[name, list(a.shape), a.ravel().tolist()] for name, a in flat]}}


def ball(
    residual: str, M: float, L: int, T: float, init: Sequence[Any], x: Rows, y: Rows, shares: Sequence[float] = _SHARES, m: int = 1
) -> Spec:
    """init: A, Z0, Z1 and B."""
    A, Z0, Z1, B = init
    return Spec.model_validate(
        {
            "regime": {"kind": "general-long", "residual": residual, "radius": M},
            **{"d": len(x[0]), "dout": len(B), "q": len(A), "m": m, "L": L, "n": len(x), "T": T, "rtol": 1e-12},
            "times": tuple(share * T for share in shares),
            "init": _arrays(A=A, Z0=Z0, Z1=Z1, B=B),
            "data": _arrays(x=x, y=y),
        }
    )


_HALF = ((0.5, 0.0), (0.0, 0.5))
_NONE = (0.0, 0.0, 0.0, 0.0)
SCALAR = ball("linear", 0.02, 4, 36.0, ([[0.3]], [0.0], [0.0], [[0.3]]), [[1.0]], [[0.09332]])
IDENTITY = ball(
    *("linear", 0.05, 3, 24.5, (_HALF, _NONE, _NONE, _HALF)), ((1.0, 0.0), (0.0, 1.0)), ((0.253926, 0.001963), (0.001963, 0.246074))
)
DIAGONAL = ball("linear", 0.02, 2, 36.0, ([[0.3], [0.0]], [0.2, 0.0, 0.0, -0.2], _NONE, [[0.0, 0.3]]), [[1.0]], [[0.00136]])
BALLS = (
    SCALAR,
    ball("linear", 0.02, 2, 26.0, ([[1.0]], [0.0], [0.0], [[1.0]]), [[0.3]], [[0.30374]]),
    IDENTITY,
    ball(
        *("sine", 0.05, 5, 27.0, ((*_HALF, (0.0, 0.0)), [0.02, -0.01, 0.1], [-0.02, 0.06, 0.05], ((0.5, 0.0, 0.0), (0.0, 0.5, 0.0)))),
        ((1.0, 0.2), (-0.3, 1.0)),
        ((0.253804, 0.052211), (-0.074703, 0.254761)),
    ),
    DIAGONAL,
)
VANISHING = ball("linear", 0.05, 2, 1e-3, ([[1.0]], [2.0], [-4.0], [[1.0]]), [[1.0]], [[1.0]], (0.0, 1.0))
WITNESSES = {"prop8-ball-witness": IDENTITY, "prop8-successive-witness": VANISHING}


def _certified(n: int, d: int, q: int, m: int, T: float, seed: int = 0, fraction: float = 0.25) -> Spec:
    """As the shortest of the corpus's certificates, to the end: labels orthogonal to the rows of x, n > d."""
    return Spec.model_validate(
        {
            "regime": {"kind": "long-flow", "fraction": fraction, "points": 1},
            **{"d": d, "dout": 1, "q": q, "m": m, "L": 8, "n": n, "T": T, "rtol": 1e-13},
            "times": tuple(T * share for share in (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0)),
            "activation": {"name": "one_minus_cos", "a": 3.0, "b": 1.5},
            "init": {"kind": "paper", "seed": seed},
            "data": {"kind": "sphere", "seed": seed, "labels": "orthogonal"},
        }
    )


LONG = (_certified(4, 3, 4, 64, 26.5),)
# Until 3e-16 of the loss is left at every depth: the limits of Theorem 6 as t and L tend to infinity
LADDER = Spec.model_validate(
    {
        "regime": {"kind": "depth-ladder", "depths": (8, 16, 32, 64)},
        **{"d": 2, "dout": 1, "q": 3, "m": 16, "L": 64, "n": 3, "T": 8.0, "times": (0.0, 8.0), "rtol": 1e-12},
        "activation": {"name": "sin", "a": 3.0, "b": 2.0},
        "data": {"kind": "sphere", "labels": "orthogonal", "label_scale": 0.1},
    }
)
QUICK = (*BALLS, VANISHING, *LONG, LADDER)
STANDARD = (_certified(4, 3, 4, 64, 21.0, seed=2, fraction=1.0), _certified(6, 4, 5, 128, 64.5))
