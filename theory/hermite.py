r"""Hermite coefficients of σ(u) = a φ(bu), and kernels E σ(g₁)σ(g₂), in balls.

As Section B defines them (page 31): h_r = He_r/√r! is the r-th normalised probabilists' Hermite polynomial, an orthonormal basis under
g ~ N(0, 1), and η_r(σ) = E σ(g) h_r(g).

Two ways, independent of each other:

* Quadrature. The integral over [-T, T] by Gauss-Legendre rules with Arb's own bounds on complex ellipses, and what lies beyond by
  Cauchy-Schwarz: |E σ h_r 1{|g| > T}|² <= E σ² 1{|g| > T} <= min(K_σ² (2Tϕ(T) + erfc(T/√2)), M_σ² erfc(T/√2)), since σ(0) = 0.
* Closed forms, with s = b²/(1 + b²), c_k = (-1)^k √(2k)!/(2^k k!) and √r η_r(σ) = η_{r-1}(σ') (integration by parts):

      sin bu           odd r   (-1)^{(r-1)/2} b^r e^{-b²/2}/√r!
      1 - cos bu       even r  [r = 0] - (-1)^{r/2} b^r e^{-b²/2}/√r!
      e^{-b²u²/2}      r = 2k  c_k s^k/√(1 + b²)                                            (Mehler's kernel)
      erf bu           r = 2k + 1, by parts from the line above
      u, max(u, 0)     b [r = 1];  b/√(2π), b/2, b h_{r-2}(0)/√(2π r(r-1))
      uψ(u)            √(r+1) η_{r+1}(ψ) + √r η_{r-1}(ψ)                                    (GELU: ψ = Φ)
      arctan bu and bu/√(1 + b²u²), by parts from E g^{2k}(1 + b²g²)^{-p} = Γ(k+½)/(√π 2^½ b^{2k+1}) U(k+½, k+3/2-p, 1/(2b²)),
      p = 1 and 3/2, U being Tricomi's function

tanh and SiLU have none; their coefficients are quadratures, and those of σ' the second way. Kernels of unit vectors with correlation ρ:
κ(ρ) = Σ_r η_r² ρ^r (Mehler), what is left after r <= R being at most |ρ|^{R+1} (E σ² - Σ_{r<=R} η_r²) (Parseval), and closed forms.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from typing import Any

from flint import acb, arb, ctx

from depthlimit.theory.activation import Enclosure, constants, enclose, lookup

ORDER = 8  # the largest r that is listed
KERNEL_ORDER = 24  # of Mehler's series where a kernel has no closed form
BITS = 160
_T = 16.0  # e^{-T²/4} = 1.6e-28
_GOAL = 84  # bits that are asked of a quadrature

Analytic = Callable[[acb, bool], acb]


def _cut(z: acb, analytic: bool) -> bool:
    """Whether a ball that must lie where atan is analytic may meet its cuts."""
    return bool(analytic and z.real.contains(arb(0)) and not abs(z.imag) < 1)


def _sigmoid(z: acb) -> acb:
    return 1 / (1 + (-z).exp())


_NAN = acb("nan")
_PHI: dict[str, tuple[Analytic, Analytic]] = {  # φ and φ' near the line; of relu the right half
    "identity": (lambda z, _: z, lambda z, _: acb(1)),
    "relu": (lambda z, _: z, lambda z, _: acb(1)),
    "tanh": (lambda z, _: z.tanh(), lambda z, _: 1 - z.tanh() ** 2),
    "sin": (lambda z, _: z.sin(), lambda z, _: z.cos()),
    "erf": (lambda z, _: z.erf(), lambda z, _: 2 / arb.pi().sqrt() * (-z * z).exp()),
    "arctan": (lambda z, a: _NAN if _cut(z, a) else z.atan(), lambda z, _: 1 / (1 + z * z)),
    "algebraic": (lambda z, a: z * (1 + z * z).rsqrt(analytic=a), lambda z, a: (1 + z * z).rsqrt(analytic=a) ** 3),
    "one_minus_cos": (lambda z, _: 2 * (z / 2).sin() ** 2, lambda z, _: z.sin()),
    "one_minus_gauss": (lambda z, _: 1 - (-z * z / 4).exp(), lambda z, _: z / 2 * (-z * z / 4).exp()),
    "gelu": (
        lambda z, _: z * (1 + (z / arb(2).sqrt()).erf()) / 2,
        lambda z, _: (1 + (z / arb(2).sqrt()).erf()) / 2 + z * (-z * z / 2).exp() / (2 * arb.pi()).sqrt(),
    ),
    "silu": (lambda z, _: z * _sigmoid(z), lambda z, _: _sigmoid(z) * (1 + z * (1 - _sigmoid(z)))),
}
PARITY = {  # -1 odd, 1 even, 0 neither, and then φ(u) - u/2 is even
    **dict.fromkeys(("identity", "tanh", "sin", "erf", "arctan", "algebraic"), -1),
    **dict.fromkeys(("one_minus_cos", "one_minus_gauss"), 1),
    **dict.fromkeys(("relu", "gelu", "silu"), 0),
}


def _root(r: int) -> arb:
    """√r!."""
    return arb(math.factorial(r)).sqrt()


def polynomial(r: int, x: Any) -> Any:
    """h_r(x) = He_r(x)/√r!, by He_{k+1} = x He_k - k He_{k-1}."""
    before, now = x * 0, x * 0 + 1
    for k in range(r):
        before, now = now, x * now - k * before
    return now / _root(r)


def _mean(name: str, f: Analytic, tail: arb) -> arb:
    """E f(g) with |E f 1{|g| > T}| <= tail; of relu the right half alone, its left one being 0."""
    goal = arb(2) ** -_GOAL
    ends = [0.0, _T] if name == "relu" else [-_T, 0.0, _T]
    inside = sum(
        (acb.integral(lambda z, a: f(z, a) * (-z * z / 2).exp(), x, y, rel_tol=goal, abs_tol=goal) for x, y in pairwise(ends)),
        acb(0),
    )
    return inside.real / (2 * arb.pi()).sqrt() + arb(0, tail.abs_upper())


def _beyond(name: str, a: float, b: float, slope: bool) -> arb:
    """A bound on E σ(g)² 1{|g| > T}, or of σ'."""
    found = constants(name, a, b)
    K, M, outside = arb(found["K_sigma"].hi), arb(found["M_sigma"].hi), (arb(_T) / arb(2).sqrt()).erfc()
    if slope:
        return K**2 * outside
    linear = K**2 * (2 * _T * (-(arb(_T) ** 2) / 2).exp() / (2 * arb.pi()).sqrt() + outside)
    return min(linear, M**2 * outside) if M.is_finite() else linear


@lru_cache(maxsize=4096)
def by_quadrature(name: str, a: float, b: float, r: int, slope: bool = False) -> arb:
    """η_r(σ), or η_r(σ') if `slope`, by quadrature."""
    with ctx.workprec(BITS):
        phi = _PHI[lookup(name).name][slope]
        factor = arb(a) * arb(b) if slope else arb(a)
        return _mean(name, lambda z, an: factor * phi(arb(b) * z, an) * polynomial(r, z), _beyond(name, a, b, slope).sqrt())


@lru_cache(maxsize=1024)
def square_by_quadrature(name: str, a: float, b: float, slope: bool = False) -> arb:
    """E σ(g)², or E σ'(g)² if `slope`, by quadrature."""
    with ctx.workprec(BITS):
        phi = _PHI[lookup(name).name][slope]
        factor = arb(a) * arb(b) if slope else arb(a)
        return _mean(name, lambda z, an: (factor * phi(arb(b) * z, an)) ** 2, _beyond(name, a, b, slope))


def _vanishes(name: str, r: int) -> bool:
    """Whether η_r is 0 for every b: by parity, or because φ(u) - u/2 is even (or φ is u)."""
    if PARITY[name] == 0 or name == "identity":
        return r != 1 if name == "identity" else r > 1 and r % 2 == 1
    return (r % 2 == 0) != (PARITY[name] == 1)


def _gauss(b2: arb, r: int) -> arb:
    """η_r of e^{-b²u²/2}."""
    k, odd = divmod(r, 2)
    return arb(0) if odd else arb(-1) ** k * _root(2 * k) / (2**k * math.factorial(k)) * (b2 / (1 + b2)) ** k / (1 + b2).sqrt()


def _rational(b: arb, p: arb, r: int) -> arb:
    """η_r of (1 + b²u²)^{-p}: the moments against the coefficients of He_r."""
    if r % 2:
        return arb(0)
    total, x = arb(0), 1 / (2 * b * b)
    for j in range(r // 2 + 1):
        k = r // 2 - j  # He_r = Σ_j (-1)^j r!/(j! (r-2j)! 2^j) u^{r-2j}
        moment = arb(k + 0.5).gamma() / ((2 * arb.pi()).sqrt() * b ** (2 * k + 1)) * x.hypgeom_u(arb(k + 0.5), k + arb(3) / 2 - p)
        total += (-1) ** j * math.factorial(r) / arb(math.factorial(j) * math.factorial(2 * k) * 2**j) * moment
    return total / _root(r)


def _erf(b: arb, r: int) -> arb:
    """η_r of erf bu, by parts."""
    return arb(0) if r == 0 else 2 * b / arb.pi().sqrt() * _gauss(2 * b * b, r - 1) / arb(r).sqrt()


def _closed(name: str, b: arb, r: int) -> arb | None:
    """η_r of φ(bu) in closed form; None where there is none."""
    wave = b**r * (-b * b / 2).exp() / _root(r)
    if _vanishes(name, r):
        return arb(0)
    if PARITY[name] == 0 and r == 1:
        return b / 2
    if name in ("tanh", "silu"):
        return None
    if name == "sin":
        return arb((-1) ** (r // 2)) * wave
    if name == "one_minus_cos":
        return arb(int(r == 0)) - arb((-1) ** (r // 2)) * wave
    if name == "one_minus_gauss":
        return int(r == 0) - _gauss(b * b / 2, r)
    if name == "erf":
        return _erf(b, r)
    if name == "identity":
        return b
    if name == "relu":
        return b / (2 * arb.pi()).sqrt() if r == 0 else b * polynomial(r - 2, arb(0)) / (2 * arb.pi() * r * (r - 1)).sqrt()
    if name == "gelu":
        step = b / arb(2).sqrt()
        psi = [(int(k == 0) + _erf(step, k)) / 2 for k in (max(r - 1, 0), r + 1)]
        return b * (arb(r + 1).sqrt() * psi[1] + arb(r).sqrt() * psi[0])
    return b * _rational(b, arb(1) if name == "arctan" else arb(3) / 2, r - 1) / arb(r).sqrt()


@lru_cache(maxsize=4096)
def closed_form(name: str, a: float, b: float, r: int) -> arb | None:
    """η_r(σ) in closed form, None where there is none."""
    with ctx.workprec(2 * BITS):  # sums of moments cancel
        found = _closed(lookup(name).name, arb(b), r)
        return None if found is None else arb(a) * found


def coefficient(name: str, a: float, b: float, r: int) -> arb:
    """η_r(σ): the closed form, or the quadrature."""
    found = closed_form(name, a, b, r)
    return by_quadrature(name, a, b, r) if found is None else found


def _square(name: str, b: arb) -> arb | None:
    """E φ(bg)² in closed form."""
    b2 = b * b
    forms = {
        "sin": lambda: (1 - (-2 * b2).exp()) / 2,
        "one_minus_cos": lambda: 1 - 2 * (-b2 / 2).exp() + (1 + (-2 * b2).exp()) / 2,
        "one_minus_gauss": lambda: 1 - 2 / (1 + b2 / 2).sqrt() + 1 / (1 + b2).sqrt(),
        "erf": lambda: 2 / arb.pi() * (2 * b2 / (1 + 2 * b2)).asin(),
        "identity": lambda: b2,
        "relu": lambda: b2 / 2,
    }
    return forms[name]() if name in forms else None


def square_mean(name: str, a: float, b: float) -> arb:
    """E σ(g)²."""
    with ctx.workprec(BITS):
        found = _square(name, arb(b))
        return square_by_quadrature(name, a, b) if found is None else arb(a) ** 2 * found


def kernel_closed(name: str, a: float, b: float, rho: arb) -> arb | None:
    """κ(ρ) in closed form, None where there is none."""
    with ctx.workprec(BITS):
        b2, wave = arb(b) ** 2, (-(arb(b) ** 2)).exp()
        low = (1 - rho * rho).max(arb(0)).sqrt()
        forms = {
            "sin": lambda: wave * (b2 * rho).sinh(),
            "one_minus_cos": lambda: 1 - 2 * (-b2 / 2).exp() + wave * (b2 * rho).cosh(),
            "one_minus_gauss": lambda: 1 - 2 / (1 + b2 / 2).sqrt() + 1 / ((1 + b2 / 2) ** 2 - (b2 * rho / 2) ** 2).sqrt(),
            "erf": lambda: 2 / arb.pi() * (2 * b2 * rho / (1 + 2 * b2)).asin(),
            "identity": lambda: b2 * rho,
            "relu": lambda: b2 * (low + rho * (arb.pi() - arb.atan2(low, rho))) / (2 * arb.pi()),
        }
        return arb(a) ** 2 * forms[name]() if name in forms else None


def mehler(name: str, a: float, b: float, rho: arb, order: int = KERNEL_ORDER) -> arb:
    """κ(ρ) by Mehler's series up to `order`, with Parseval's bound on the rest."""
    with ctx.workprec(BITS):
        squares = [coefficient(name, a, b, r) ** 2 for r in range(order + 1)]
        rest = (square_mean(name, a, b) - sum(squares, arb(0))).abs_upper() * abs(rho).abs_upper() ** (order + 1)
        return sum((c * rho**r for r, c in enumerate(squares)), arb(0)) + arb(0, rest)


def kernel(name: str, a: float, b: float, rho: arb) -> arb:
    """κ(ρ) = E σ(g₁)σ(g₂) for standard Gaussians with correlation ρ."""
    found = kernel_closed(name, a, b, rho)
    if found is not None:
        return found
    if rho == 1 or (rho == -1 and PARITY[name]):
        square = square_mean(name, a, b)
        return -square if rho == -1 and PARITY[name] == -1 else square
    return mehler(name, a, b, rho)


def coefficients(name: str, a: float, b: float, order: int = ORDER) -> tuple[Enclosure, ...]:
    """η_0..η_order of σ(u) = a φ(bu), rounded outward, each with how it was found.

    Quadratures that do not converge (b beyond 10^15, say) give infinite ends. Raises ValueError for an unknown name.
    """
    rows, quadrature = [], f"Arb's quadrature on |u| <= {_T:g}, the rest by Cauchy-Schwarz"
    with ctx.workprec(BITS):
        for r in range(order + 1):
            value = coefficient(name, a, b, r)
            how = quadrature if closed_form(name, a, b, r) is None else "closed form"
            if value.is_zero():
                how = "0 by symmetry: " + {-1: "φ is odd", 1: "φ is even", 0: "φ(u) - u/2 is even"}[PARITY[name]]
            rows.append(enclose(value, how) if value.is_finite() else Enclosure(-math.inf, math.inf, f"not found: {how}"))
    return tuple(rows)
