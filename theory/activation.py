"""The catalogue of activations φ, and certified enclosures of sup|φ|, sup|φ'| and sup|φ''| over the line.

A network uses σ(u) = a φ(b u). The constants that the paper needs are suprema over the whole real line:
M_σ = sup|σ|, K_σ = sup|σ'| and S2 = sup|σ''|. A maximum over a grid lies below them, so each one is proved:
the critical points are found by hand (the `certificate` is that proof), the closed form that results is
evaluated in ball arithmetic, and the ball is rounded outward to floats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import sympy as sp
from flint import arb, ctx

U = sp.Symbol("u", real=True)

HYPOTHESES = frozenset({"C2", "non-constant", "lipschitz", "bounded", "zero-at-zero"})
"""What Section 3 (page 3) assumes of σ."""

_BITS = 256  # products of three floats and an enclosure's end are exact: 4 x 53 < 256


@dataclass(frozen=True)
class Enclosure:
    """lo <= value <= hi, in floats rounded outward; hi = inf for what is unbounded.

    `certificate` is the proof in words. Raises ValueError unless lo <= hi.
    """

    lo: float
    hi: float
    certificate: str

    def __post_init__(self) -> None:
        if not self.lo <= self.hi:
            raise ValueError(f"an enclosure needs lo <= hi, got lo = {self.lo!r}, hi = {self.hi!r}")


@dataclass(frozen=True)
class Activation:
    """One φ of the catalogue.

    Args:
        name: its name in specs.
        expr: φ(u) in SymPy, u being `U`; pieces are chosen so that φ'(0) = 0 for relu.
        properties: those of `HYPOTHESES` that hold. A non-trivial scaling a φ(b u) keeps each of them.
        bound: sup|φ|.
        lipschitz: sup|φ'|, the smallest Lipschitz constant.
        curvature: sup|φ''|, the smallest Lipschitz constant of φ'; inf where φ is not C¹.

    Raises ValueError when the properties contradict the constants or the expression.
    """

    name: str
    expr: sp.Expr
    properties: frozenset[str]
    bound: Enclosure
    lipschitz: Enclosure
    curvature: Enclosure

    def __post_init__(self) -> None:
        if unknown := self.properties - HYPOTHESES:
            raise ValueError(f"{self.name}: got properties {sorted(unknown)}, expected {sorted(HYPOTHESES)}")
        facts = {
            "bounded": math.isfinite(self.bound.hi),
            "lipschitz": math.isfinite(self.lipschitz.hi),
            "zero-at-zero": self.expr.subs(U, 0) == 0,
            "non-constant": self.expr.has(U),
        }
        for name, holds in facts.items():
            if (name in self.properties) != holds:
                claimed = "claimed" if name in self.properties else "not claimed"
                raise ValueError(f"{self.name}: {name} is {claimed}, its constants and expression say {holds}")

    @property
    def latex(self) -> str:
        """φ(u), typeset."""
        return str(sp.latex(self.expr))

    def derivative(self, order: int = 1) -> sp.Expr:
        """The derivative of φ of that order, piece by piece (relu'' = 0 says nothing about its kink)."""
        return sp.diff(self.expr, U, order)


def _down(x: arb) -> float:
    lower = x.lower()
    end = float(lower)
    while arb(end) > lower:
        end = math.nextafter(end, -math.inf)
    return end


def _up(x: arb) -> float:
    return 0.0 - _down(-x)  # 0.0, so that an exact 0 keeps its sign


def enclose(value: arb | int, certificate: str) -> Enclosure:
    """A ball's ends, rounded outward to floats."""
    ball = arb(value)
    return Enclosure(_down(ball), _up(ball), certificate)


def _unbounded(certificate: str) -> Enclosure:
    return Enclosure(math.inf, math.inf, certificate)


def _root_of_x_tanh_x() -> arb:
    """The positive root of x tanh x = 1: the left side grows, so each certified sign halves the bracket."""
    low, high = arb(1), arb(2)
    for _ in range(96):
        middle = (low + high) / 2
        if middle * middle.tanh() < 1:
            low = middle
        elif middle * middle.tanh() > 1:
            high = middle
        else:
            raise ArithmeticError(f"x tanh x - 1 has no certain sign at {middle} with {ctx.prec} bits")
    return low.union(high)


def _catalogue() -> dict[str, Activation]:
    pi, e = arb.pi(), arb(1).exp()
    unbounded, kinked = HYPOTHESES - {"bounded"}, HYPOTHESES - {"bounded", "C2"}
    linear_growth = "φ(u)/u -> 1 as u -> ∞"
    entries = [
        Activation(
            "identity",
            U,
            unbounded,
            _unbounded(linear_growth),
            enclose(1, "φ' = 1"),
            enclose(0, "φ'' = 0"),
        ),
        Activation(
            "relu",
            sp.Piecewise((U, U > 0), (0, True)),
            kinked,
            _unbounded(linear_growth),
            enclose(1, "φ is 0 for u <= 0 and u for u >= 0"),
            _unbounded("φ' jumps from 0 to 1 at 0"),
        ),
        Activation(
            "tanh",
            sp.tanh(U),
            HYPOTHESES,
            enclose(1, "φ is odd and increasing with limit 1, which it does not attain"),
            enclose(1, "φ' = 1 - φ² lies in (0, 1] and is 1 at u = 0"),
            enclose(
                4 / (3 * arb(3).sqrt()),
                "|φ''| = 2t(1-t²) with t = |φ| in [0, 1): 0 at both ends, stationary only at t = 1/√3, where it is 4/(3√3)",
            ),
        ),
        Activation(
            "sin",
            sp.sin(U),
            HYPOTHESES,
            enclose(1, "|φ| <= 1, attained at π/2"),
            enclose(1, "φ' = cos u, 1 at u = 0"),
            enclose(1, "φ'' = -sin u, -1 at π/2"),
        ),
        Activation(
            "erf",
            sp.erf(U),
            HYPOTHESES,
            enclose(1, "φ is odd and increasing with limit 1, which it does not attain"),
            enclose(2 / pi.sqrt(), "φ' = (2/√π) exp(-u²), largest at u = 0"),
            enclose(
                (8 / (pi * e)).sqrt(),
                "|φ''| = (4/√π)|u| exp(-u²), 0 at 0 and at ±∞; φ''' = 0 only at u² = 1/2, where it is √(8/(πe))",
            ),
        ),
        Activation(
            "arctan",
            sp.atan(U),
            HYPOTHESES,
            enclose(pi / 2, "φ is odd and increasing with limit π/2, which it does not attain"),
            enclose(1, "φ' = 1/(1+u²), largest at u = 0"),
            enclose(
                3 * arb(3).sqrt() / 8,
                "|φ''| = 2|u|/(1+u²)², 0 at 0 and at ±∞; φ''' = 0 only at u² = 1/3, where it is 3√3/8",
            ),
        ),
        Activation(
            "algebraic",
            U / sp.sqrt(1 + U**2),
            HYPOTHESES,
            enclose(1, "φ is odd and increasing with limit 1, which it does not attain"),
            enclose(1, "φ' = (1+u²)^(-3/2), largest at u = 0"),
            enclose(
                48 / (25 * arb(5).sqrt()),
                "|φ''| = 3|u|(1+u²)^(-5/2), 0 at 0 and at ±∞; φ''' = 0 only at u² = 1/4, where it is 48/(25√5)",
            ),
        ),
        Activation(
            "one_minus_cos",
            1 - sp.cos(U),
            HYPOTHESES,
            enclose(2, "0 <= φ <= 2, attained at π"),
            enclose(1, "φ' = sin u, 1 at π/2"),
            enclose(1, "φ'' = cos u, 1 at u = 0"),
        ),
        Activation(
            "one_minus_gauss",
            1 - sp.exp(-(U**2) / 4),
            HYPOTHESES,
            enclose(1, "0 <= φ < 1 with limit 1 at ±∞"),
            enclose(
                1 / (2 * e).sqrt(),
                "|φ'| = (|u|/2) exp(-u²/4), 0 at 0 and at ±∞; φ'' = 0 only at u² = 2, where it is 1/√(2e)",
            ),
            enclose(
                arb(1) / 2,
                "|φ''| = |1-2w| e^{-w}/2 with w = u²/4, and 1-2w <= 1 <= e^w, 2w-1 <= e w <= e^w: at most 1/2, attained at u = 0",
            ),
        ),
        Activation(
            "gelu",
            U * (1 + sp.erf(U / sp.sqrt(2))) / 2,
            unbounded,
            _unbounded(linear_growth),
            enclose(
                (1 + arb(1).erf()) / 2 + 1 / (e * pi.sqrt()),
                "φ'' = (2-u²)ϕ(u), ϕ the normal density: φ' falls from 0 to φ'(-√2), rises to φ'(√2), "
                "falls to 1; φ'(√2) = (1+erf 1)/2 + 1/(e√π) > 1 and φ'(-√2) = 1 - φ'(√2) > -1",
            ),
            enclose(
                (2 / pi).sqrt(),
                "φ'' = (2-u²)ϕ(u) -> 0 and φ''' = u(u²-4)ϕ(u): the extremes are φ''(0) = √(2/π) and φ''(±2) = -2ϕ(2) > -φ''(0)",
            ),
        ),
        Activation(
            "silu",
            U / (1 + sp.exp(-U)),
            unbounded,
            _unbounded(linear_growth),
            enclose(
                (1 + _root_of_x_tanh_x()) / 2,
                "φ'' = (1 - x tanh x)/(2 cosh² x), x = u/2: with x₀ tanh x₀ = 1 (x₀ by certified bisection), "
                "φ' falls from 0 to φ'(-2x₀), rises to φ'(2x₀), falls to 1; φ'(2x₀) = (1+x₀)/2 > 1 and "
                "φ'(-2x₀) = 1 - φ'(2x₀) > -1",
            ),
            enclose(
                arb(1) / 2,
                "φ'' = (1 - x tanh x)/(2 cosh² x), x = u/2, and 0 <= x tanh x <= |x| <= (1+x²)/2 <= cosh² x, "
                "so |1 - x tanh x| <= cosh² x: at most 1/2, attained at u = 0",
            ),
        ),
    ]
    return {entry.name: entry for entry in entries}


with ctx.workprec(_BITS):
    CATALOGUE: dict[str, Activation] = _catalogue()
"""Every activation that a spec may name, by name."""


def lookup(name: str) -> Activation:
    """The catalogue's entry of that name; ValueError, listing the accepted names, if there is none."""
    if name not in CATALOGUE:
        raise ValueError(f"unknown activation {name!r}, expected one of {', '.join(CATALOGUE)}")
    return CATALOGUE[name]


def _scaled(factor: arb, text: str, supremum: Enclosure) -> Enclosure:
    if factor == 0:
        return Enclosure(0.0, 0.0, "σ = 0")
    if math.isinf(supremum.hi) or supremum.hi == 0:
        return supremum
    lo, hi = _down(factor * arb(supremum.lo)), _up(factor * arb(supremum.hi))
    return Enclosure(lo, hi, f"{text} times: {supremum.certificate}")


def constants(name: str, a: float, b: float) -> dict[str, Enclosure]:
    """M_sigma = sup|σ|, K_sigma = sup|σ'| and S2 = sup|σ''| of σ(u) = a φ(b u), for exactly these a and b.

    They are |a| sup|φ|, |a b| sup|φ'| and |a| b² sup|φ''|, rounded outward; 0 when a b = 0, since φ(0) = 0.
    Raises ValueError for an unknown name and for an infinite or undefined a or b.
    """
    phi = lookup(name)
    if not (math.isfinite(a) and math.isfinite(b)):
        raise ValueError(f"a and b must be finite, got a = {a!r}, b = {b!r}")
    with ctx.workprec(_BITS):
        size, scale = abs(arb(a)), abs(arb(b))
        if scale == 0:
            size = arb(0)
        return {
            "M_sigma": _scaled(size, "|a|", phi.bound),
            "K_sigma": _scaled(size * scale, "|a b|", phi.lipschitz),
            "S2": _scaled(size * scale**2, "|a| b²", phi.curvature),
        }
