"""Measures of the Hermite transform: coefficients in their different ways, and the polynomials of the definition."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from flint import arb, fmpq

from depthlimit.models.kernel_run import KernelRun, middle
from depthlimit.models.measure.kernel import field, supplies
from depthlimit.theory import hermite
from depthlimit.theory.hermite import ORDER
from depthlimit.theory.quantity import Field, number

_HERMITE = ("r", "eta", "quad", "slope", "partial", "slope_partial", "square", "slope_square", "rest", "next", "even_part", "symmetric")


@supplies(*(f"hermite_{name}" for name in _HERMITE))
def coefficients(run: KernelRun) -> Mapping[str, Field]:
    """Coefficients of order 0..8, of σ and σ', and what they leave; 9 and 10 for what follows."""
    key, orders = run.key, range(ORDER + 1)
    parity = hermite.PARITY[run.key[0]]
    eta = [run.coefficient(r) for r in range(ORDER + 3)]
    quad = [hermite.by_quadrature(*key, r) for r in orders]
    slope = [arb(0)] + [hermite.by_quadrature(*key, r - 1, True) for r in orders[1:]]
    square, steepness = (hermite.square_by_quadrature(*key, slope) for slope in (False, True))
    partial = [sum((v**2 for v in eta[: r + 1]), arb(0)) for r in orders]
    weighted = [sum((s * v**2 for s, v in enumerate(eta[: r + 1])), arb(0)) for r in orders]
    rest = (hermite.square_mean(*key) - partial[-1]).max(arb(0))
    size = np.full(ORDER + 1, float(square.sqrt().mid()))
    wrong = [quad[r] if parity and (r % 2 == 0) != (parity == 1) else arb(0) for r in orders]
    return {
        "hermite_r": Field(np.arange(ORDER + 1.0), np.zeros(()), ("batch",)),
        "hermite_eta": field(eta[: ORDER + 1], scale=size),
        "hermite_quad": field(quad, scale=size),
        "hermite_slope": field(slope, scale=np.full(ORDER + 1, float(steepness.sqrt().mid()))),
        "hermite_partial": field(partial),
        "hermite_slope_partial": field(weighted),
        "hermite_square": number(*middle(square)),
        "hermite_slope_square": number(*middle(steepness)),
        "hermite_rest": number(*middle(rest)),
        "hermite_next": number(*middle(eta[ORDER + 1] ** 2 + eta[ORDER + 2] ** 2)),
        "hermite_even_part": field(wrong, scale=size),
        "hermite_symmetric": number(float(parity != 0)),
    }


def rodrigues(order: int) -> list[list[int]]:
    """Coefficients of √r! h_r = (-1)^r e^{x²/2} d^r/dx^r e^{-x²/2}, r = 0..order: each derivative turns p into p' - xp."""
    found = [[1]]
    for _ in range(order):
        p = found[-1]
        slope = [*(k * c for k, c in enumerate(p) if k), 0, 0]
        found.append([-(s - x) for s, x in zip(slope, [0, *p], strict=True)])
    return found


@supplies("hermite_gram", "hermite_identity")
def orthonormal(run: KernelRun) -> Mapping[str, Field]:
    """Inner products from E g^{2k} = (2k-1)!!, exactly, but for the roots of the factorials."""
    polynomials = rodrigues(ORDER)
    gram, radius = np.zeros((2, ORDER + 1, ORDER + 1))
    for r, p in enumerate(polynomials):
        for s, v in enumerate(polynomials):
            total = sum(
                (c * e * math.prod(range(1, j + k, 2)) for j, c in enumerate(p) for k, e in enumerate(v) if (j + k) % 2 == 0),
                0,
            )
            gram[r, s], radius[r, s] = middle(arb(fmpq(total)) / arb(math.factorial(r) * math.factorial(s)).sqrt())
    axes = ("batch", "layer")
    return {
        "hermite_gram": Field(gram, radius, axes, np.ones_like(gram)),
        "hermite_identity": Field(np.eye(ORDER + 1), np.zeros(()), axes, np.ones_like(gram)),
    }
