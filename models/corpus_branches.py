"""Instances of Section 4.3: networks of convolutions and of Lipschitz attention, trained, also until the loss is gone, against their ODE in
depth and against the limit of training.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from depthlimit.models.corpus_long import ball
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


def _limit(residual: str, q: int, m: int, depths: tuple[int, ...], seed: int, scale: float, slope: float) -> Spec:
    """Against the limit of training; weights such that four orders in 1/L are told from rounding and from each other."""
    return Spec.model_validate(
        {
            "regime": {"kind": "general-limit", "residual": residual, "depths": depths},
            **{"d": 1, "dout": 1, "q": q, "m": m, "L": depths[-1], "n": 1, "rtol": 1e-13, "T": 0.1, "times": (0.0, 0.05, 0.1)},
            "clip": {"kind": "smooth", "radius": 0.3},
            "init": {"kind": "affine", "seed": seed, "scale": scale, "slope": slope},
        }
    )


# Until 1e-12 of the loss is left, Proposition 8: as the balls of `corpus_long`, n <= d and weights small.
_PLANE = ((0.5, 0.0), (0.0, 0.5))
_LONG = (
    ball(
        *("attention", 0.05, 3, 24.5, (_PLANE, (0.3, 0.1), (0.02, -0.05), _PLANE)),
        ((1.0, 0.0), (0.0, 1.0)),
        ((0.253926, 0.001963), (0.001963, 0.246074)),
        m=2,
    ),
    ball(
        *(
            "convolution",
            0.05,
            5,
            27.0,
            ((*_PLANE, (0.0, 0.0)), (0.1, -0.05, 0.1, 0.0, 0.2, 0.1), (0.01,) * 6, ((0.5, 0.0, 0.0), (0.0, 0.5, 0.0))),
        ),
        ((1.0, 0.2), (-0.3, 1.0)),
        ((0.253804, 0.052211), (-0.074703, 0.254761)),
        m=3,
    ),
)
_CLIP = {"kind": "smooth", "radius": 0.5}
CONVOLUTION = _flow("convolution", 3, 3, clip=_CLIP)
ATTENTION = _flow("attention", 4, 2, clip=_CLIP)
QUICK = (CONVOLUTION, ATTENTION)
STANDARD = (
    _flow("convolution", 4, 8, activation={"name": "gelu"}, L=5, n=3),
    _flow("attention", 6, 3, L=4, n=2),
    _flow("attention", 2, 2, L=3, n=2, train="VW", data={"kind": "gaussian", "seed": 1}),
    _euler("attention", 4, 2, 8),
    _euler("convolution", 3, 6, 12),
    *_LONG,
    _limit("convolution", 3, 3, (4, 8, 16, 32, 64), 2, 1.0, 0.4),
    _limit("attention", 2, 2, (4, 8, 16, 32, 64, 128), 8, 0.8, 0.6),
)
