"""Instances of Section 4.3: networks of convolutions and of Lipschitz attention, trained, and against their ODE in depth."""

from __future__ import annotations

from typing import Any

import numpy as np

from depthlimit.models.spec import Spec


def _flow(residual: str, q: int, m: int, **more: Any) -> Spec:
    """Weights of order 1 that vary over two layers."""
    settings = {"d": 2, "dout": 1, "L": 2, "n": 1, "T": 0.25, "rtol": 1e-12, "init": {"kind": "affine", "scale": 1.0, "slope": 1.0}}
    return Spec.model_validate({"regime": {"kind": "general-flow", "residual": residual}, "q": q, "m": m, **settings, **more})


def _euler(residual: str, q: int, m: int, p: int) -> Spec:
    random = np.random.RandomState(1)
    scales = {"a": 1.0, "a_t": 0.1, "a_L": 0.05, "theta0": 0.8, "theta1": 0.2, "theta_t": 0.1, "theta_L": 0.02}
    sizes = {name: q if name.startswith("a") else p for name in scales}
    inline = [[name, [size], np.round(scales[name] * random.standard_normal(size), 3).tolist()] for name, size in sizes.items()]
    return Spec.model_validate(
        {
            "regime": {"kind": "general-euler", "residual": residual, "arrays": {"inline": inline}},
            **{"d": q, "dout": 1, "q": q, "m": m, "L": 5, "n": 1, "times": (0.0, 1.0), "T": 1.0},
        }
    )


_CLIP = {"kind": "smooth", "radius": 0.5}
CONVOLUTION = _flow("convolution", 3, 3, clip=_CLIP)
ATTENTION = _flow("attention", 4, 2, clip=_CLIP)
QUICK = (CONVOLUTION, ATTENTION, _euler("attention", 4, 2, 8))
STANDARD = (
    _flow("convolution", 4, 8, activation={"name": "gelu"}, L=5, n=3),
    _flow("attention", 6, 3, L=4, n=2),
    _flow("attention", 2, 2, L=3, n=2, train="VW", data={"kind": "gaussian", "seed": 1}),
    _euler("convolution", 3, 6, 12),
)
