"""Certificates: five shapes with n > d, five seeds each, at a quarter of the best path length and at it.

The labels are orthogonal to the rows of x, so that A and B alone cannot fit them. σ(u) = 3 sin 2u: of the activations of the catalogue that
were tried (3(1 - cos 1.5u) and 3(1 - cos 2u) are the others) it has the largest s₀, and the labels' own ratio is nearest to the least one.
"""

from __future__ import annotations

from typing import Any

from depthlimit.models.spec import Spec

SHAPES = ((4, 3, 4, 64), (5, 3, 4, 128), (6, 4, 5, 128), (8, 4, 5, 256), (16, 6, 7, 512))  # (n, d, q, m)
SEEDS = range(5)
FRACTIONS = (0.25, 1.0)
# In this draw two points of x nearly agree: of the labels only a small part lies in the slow direction, which the loss shows late.
LATE = ((5, 3, 4, 128), 0)


def certificate(shape: tuple[int, int, int, int], seed: int, fraction: float, **regime: Any) -> Spec:
    """The certificate of a shape (n, d, q, m) at L = 8, initialisation and data from the same seed."""
    n, d, q, m = shape
    T = 40.0 if (shape, seed) == LATE and not regime.get("labels") else 1.0
    return Spec.model_validate(
        {
            "regime": {"kind": "local-pl", "fraction": fraction, **regime},
            **{"n": n, "d": d, "dout": 1, "q": q, "m": m, "L": 8},
            **{"T": T, "times": (0.0, T / 4, T), "rtol": 1e-12},
            "activation": {"name": "sin", "a": 3.0, "b": 2.0},
            "init": {"kind": "paper", "seed": seed},
            "data": {"kind": "sphere", "seed": seed, "labels": "orthogonal"},
        }
    )


# Every ball, the worst labels, and labels so large that the flow leaves its ball
QUICK = (
    certificate(SHAPES[0], 0, 1.0, ball="averaged"),
    certificate(SHAPES[0], 0, 1.0, ball="spectral"),
    certificate(SHAPES[1], 0, 0.25, ball="spectral", labels="hardest"),
    certificate(SHAPES[0], 1, 0.02, ball="stacked", labels="hardest"),  # so small a ball that μ is nearly attained
    certificate(SHAPES[0], 0, 1.0, excess=100.0),
    certificate(SHAPES[0], 0, 1.0, ball="spectral", excess=100.0),
)
STANDARD = (
    *(certificate(shape, seed, fraction, starts=4) for shape in SHAPES for seed in SEEDS for fraction in FRACTIONS),
    *(
        certificate(shape, 1, fraction, ball=ball, starts=4)
        for ball in ("averaged", "spectral", "stacked")
        for shape in SHAPES
        for fraction in FRACTIONS
    ),
)
DEEP = tuple(
    certificate(shape, seed, fraction, ball=ball, points=64, starts=64)
    for ball in ("sup", "averaged", "spectral", "stacked")
    for shape in SHAPES
    for seed in SEEDS
    for fraction in FRACTIONS
)
