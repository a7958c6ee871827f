"""Hermite coefficients that have a closed form, and the sub-Gaussian variance proxy of the uniform law on the sphere."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

from flint import arb, ctx

from depthlimit.models.spec import BadInput

KNOWN = ("sin", "erf", "one_minus_cos", "one_minus_gauss")
_CELLS = 800


def hermite(activation: Mapping[str, Any], order: int) -> tuple[float, float]:
    """|η_r(σ)| and its radius: the coefficient of σ on He_r/√(r!), r >= 1, for σ(u) = a φ(b u).

    sin and cos: E[cos(bN + θ) He_r(N)] is ± b^r e^{-b²/2} or 0. Gaussian: Σ_r E[e^{-sN²} He_r(N)] z^r/r! = (1+2s)^{-1/2} e^{-z²s/(1+2s)}.
    erf: E[σ He_r] = E[σ' He_{r-1}], and σ' is Gaussian. Raises BadInput for another φ.
    """
    name, r = activation["name"], order
    ctx.prec = 128
    a, b = abs(arb(activation["a"])), abs(arb(activation["b"]))
    root = arb(math.factorial(r)).sqrt()
    if name in ("sin", "one_minus_cos"):
        value = a * b**r * (-(b**2) / 2).exp() / root if r % 2 == (name == "sin") else arb(0)
    elif name == "one_minus_gauss":
        value = a * root * _gaussian(b**2 / 4, r)
    elif name == "erf":
        value = a * 2 * b / arb.pi().sqrt() * arb(math.factorial(r - 1)) * _gaussian(b**2, r - 1) / root
    else:
        raise BadInput(f"no closed form of the Hermite coefficients of {name}; there are {', '.join(KNOWN)}")
    mid = float(value.mid())
    return mid, float((value - arb(mid)).abs_upper())


def _gaussian(s: arb, r: int) -> arb:
    """|E[e^{-sN²} He_r(N)]|/r!."""
    half = r // 2
    return arb(0) if r % 2 else (1 + 2 * s).rsqrt() * (s / (1 + 2 * s)) ** half / math.factorial(half)


@cache
def sphere_proxy(d: int) -> float:
    """From above, the least v² with P(|⟨X, u⟩| >= t) <= 2exp(-t²/(2v²)) for all t, X uniform on the sphere of radius √d in ℝ^d.

    P(|X_1| >= t) = I_{1-t²/d}((d-1)/2, 1/2) falls with t, so on a cell [s, t] the quotient t²/(2 ln(2/P(s))) is the largest.
    """
    if d == 1:
        return 1 / (2 * math.log(2)) * (1 + 2.0**-40)
    ctx.prec = 64
    largest = 0.0
    for i in range(_CELLS):
        s, t = arb(i) / _CELLS, arb(i + 1) / _CELLS  # over √d
        tail = (1 - s * s).beta_lower(arb(d - 1) / 2, arb(1) / 2, regularized=True) if i else arb(1)
        largest = max(largest, float((d * t * t / (2 * (2 / tail).log())).upper()))
    return largest * (1 + 2.0**-40)
