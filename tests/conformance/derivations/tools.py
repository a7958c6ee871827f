"""Tools of the proofs: each takes what is known to a bound, and refuses (ValueError) where it does not apply.

Expressions are those of claims: symbols are nonnegative, and constants (K, C, α) stand as symbols until their definitions are compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import sympy as sp

v, w, _x, _n = (sp.Symbol(name, nonnegative=True) for name in ("v", "w", "x", "n"))


def bounded(expression: sp.Expr, bounds: Mapping[sp.Expr, sp.Expr]) -> sp.Expr:
    """Each quantity replaced by its bound, one after the other; the expression must grow with each and contain it."""
    for quantity, bound in bounds.items():
        slot = sp.Dummy(nonnegative=True)
        opened = expression.subs(quantity, slot)
        if slot not in opened.free_symbols:
            raise ValueError(f"{quantity} does not occur in {expression}")
        slope = sp.diff(opened, slot)
        if not sp.expand(slope.xreplace({s: sp.Dummy(positive=True) for s in slope.free_symbols})).is_nonnegative:
            raise ValueError(f"{expression} may fall when {quantity} grows")
        expression = opened.xreplace({slot: bound})
    return expression


def enlarged(expression: sp.Expr, definitions: Mapping[sp.Symbol, sp.Expr], *largest: sp.Symbol) -> sp.Expr:
    """Constants replaced by the larger ones that are defined as their maxima (K₁ and K₂ by K)."""
    for symbol in largest:
        if not isinstance(definitions[symbol], sp.Max):
            raise ValueError(f"{symbol} is no maximum")
        present = [c for c in definitions[symbol].args if c in expression.free_symbols]
        expression = bounded(expression, dict.fromkeys(present, symbol))
    return expression


def triangle(expression: sp.Expr, sizes: Mapping[sp.Symbol, sp.Expr]) -> sp.Expr:
    """|Σ c_i v_i| <= Σ |c_i| |v_i|: the norm of a combination of the vectors whose sizes are given."""
    poly = sp.Poly(sp.expand(expression), *sizes)
    if not poly.is_linear or poly.nth(*[0] * len(sizes)) != 0:
        raise ValueError(f"{expression} is no combination of {', '.join(map(str, sizes))}")
    return sp.Add(*(sp.Abs(poly.coeff_monomial(vector)) * size for vector, size in sizes.items()))


def product_rule(*factors: tuple[sp.Expr, sp.Expr]) -> sp.Expr:
    """|ΠA_i - ΠB_i| <= Σ_i |A_i - B_i| Π_{j≠i} size_j, from (size, change) of each factor."""
    sizes = [size for size, _ in factors]
    return sp.Add(*(change * sp.Mul(*sizes[:i], *sizes[i + 1 :]) for i, (_, change) in enumerate(factors)))


def chain_rule(*terms: tuple[sp.Expr, sp.Expr]) -> sp.Expr:
    """|g(u, θ) - g(u', θ')| <= Σ (bound of a derivative) (change of its argument): chain rule and mean value theorem."""
    return sp.Add(*(bound * change for bound, change in terms))


def gronwall(start: sp.Expr, rate: sp.Expr, time: sp.Expr) -> sp.Expr:
    """From y(t) <= start + ∫₀ᵗ rate y, start not decreasing in t: y(t) <= start e^{rate t}."""
    return start * sp.exp(rate * time)


@cache
def _layers() -> sp.Expr:
    return sp.limit((1 + _x / _n) ** _n, _n, sp.oo)


def layers(factor: sp.Expr) -> sp.Expr:
    """sup over L of (1 + factor/L)^L, which increases to its limit."""
    return _layers().xreplace({_x: factor})


def discrete_gronwall(step: sp.Expr, state: sp.Symbol, start: sp.Expr, depth: sp.Symbol, steps: sp.Expr | None = None) -> sp.Expr:
    """From y_{k+1} <= (1 + c/L) y_k + b, y_0 = start, the right side of the first being `step`.

    With `steps` the power and the geometric sum as they are: (1+c/L)^steps start + (bL/c) ((1+c/L)^steps - 1). Without, as the paper
    has it, for up to L steps: (start + bL/c) e^c.
    """
    factor = sp.diff(step, state)
    source, c = sp.expand(step - factor * state), sp.expand((factor - 1) * depth)
    if factor.has(state) or c.has(depth):
        raise ValueError(f"{step} is not (1 + c/L) {state} + b")
    if steps is None:
        return (start + sp.expand(source * depth / c)) * layers(c)
    power = sp.exp(steps * sp.log(factor))
    return start * power + source * depth / c * (power - 1)


def discrete_gronwall_sum(factor: sp.Expr, step: sp.Expr) -> sp.Expr:
    """From Δ_{k+1} <= (1 + factor/L) Δ_k + step/L², Δ_0 = 0: sup over L of L Δ_L, of the geometric sum itself."""
    return step * (layers(factor) - 1) / factor


def _largest(expression: sp.Expr, low: sp.Expr, high: sp.Expr) -> sp.Expr:
    """The largest value over low <= v <= high, where it is at an end or at a zero of the derivative for all values of the symbols."""
    inside = [x for x in sp.solve(sp.diff(expression, v), v) if not x.has(sp.I)]
    values = [sp.expand(expression.subs(v, x)) for x in (*inside, low, high)]
    return max(values, key=lambda e: float(e.subs(dict.fromkeys(e.free_symbols, 1))))


def supremum_over_sum_ball(expression: sp.Expr, radius: sp.Expr) -> sp.Expr:
    """Over v + w <= radius, of a polynomial of degree at most 2 that grows with v and w: on the edge w = radius - v."""
    return _largest(expression.subs(w, radius - v), sp.Integer(0), radius)


def supremum_over_disc(expression: sp.Expr, radius: sp.Symbol) -> sp.Expr:
    """Over v² + w² <= radius², of an expression that grows with v and w: on the edge w = √(radius² - v²)."""
    edge = sp.Symbol("radius", positive=True)
    return _largest(expression.subs(w, sp.sqrt(edge**2 - v**2)), sp.Integer(0), edge).subs(edge, radius)


def spectral_norm(matrix: sp.Matrix) -> sp.Expr:
    """Of a symmetric matrix with nonnegative entries: its largest eigenvalue."""
    return max(matrix.eigenvals(), key=lambda e: float(e.subs(dict.fromkeys(e.free_symbols, 1))))


def euclidean(*components: sp.Expr) -> sp.Expr:
    """√(Σ x²)."""
    return sp.sqrt(sp.Add(*(x**2 for x in components)))
