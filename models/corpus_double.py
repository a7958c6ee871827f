"""The double limit: certified instances with n > d at doubling depths, until 1e-14 of the loss is left or less.

QUICK     labels as large as the certificate at the shallowest depth admits
STANDARD  forty times those, where weights move far enough to see how they depend on the depth; wider ones; deeper ladders
"""

from __future__ import annotations

from typing import Any

from depthlimit.models.spec import Spec

_SHARES = (0.0, 0.05, 0.1, 0.2, 0.4, 0.7, 0.9, 1.0)


def _double(n: int, d: int, q: int, m: int, T: float, depths: tuple[int, ...], a: float, b: float, **regime: Any) -> Spec:
    return Spec.model_validate(
        {
            "regime": {"kind": "double-limit", "fraction": 1.0, "points": 1, "depths": depths, **regime},
            **{"d": d, "dout": 1, "q": q, "m": m, "L": depths[0], "n": n, "T": T, "rtol": 1e-13},
            "times": tuple(T * share for share in _SHARES),
            "activation": {"name": "sin", "a": a, "b": b},
            "data": {"kind": "sphere", "labels": "orthogonal"},
        }
    )


QUICK = (_double(3, 2, 3, 12, 6.0, (4, 8, 16, 32), 5.0, 1.5),)
STANDARD = (
    _double(3, 2, 3, 16, 8.0, (8, 16, 32, 64), 3.0, 2.0, excess=40.0),
    _double(4, 3, 4, 64, 18.0, (4, 8, 16, 32), 3.0, 2.0),
)
