r"""Constants of model (3), and Propositions 7, 3 and 2 with them: derived from the second-order expansion of the branch at a point.

With one hidden unit and one neuron the bounds on ∂₁f, ∂₂f, ∂₂₂f and ∂₂₁f are the norms of scalars, vectors and a 2 x 2 matrix; the
operator norms of the general case obey the same bounds.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from depthlimit.conformance.derivations import prop7_steps
from depthlimit.conformance.derivations.lines import Definitions, Lines
from depthlimit.conformance.derivations.tools import (
    chain_rule,
    discrete_gronwall_sum,
    enlarged,
    euclidean,
    gronwall,
    layers,
    product_rule,
    spectral_norm,
    supremum_over_sum_ball,
    v,
    w,
)
from depthlimit.theory.paper import prop2, prop7
from depthlimit.theory.paper import quantities as Q

H, M, L, g = (sp.Symbol(name, nonnegative=True) for name in ("H", "M", "L", "g"))
K, Kp, K1, K2, K21, K22 = prop7.K, prop7.Kp, prop7.K1, prop7.K2, prop7.K21, prop7.K22
KAPPA = {prop7.kappa: Q.K_sigma / sp.sqrt(Q.q * Q.m)}


@cache
def derivatives() -> tuple[sp.Expr, sp.Matrix, sp.Matrix, sp.Matrix]:
    """∂₁f, ∂₂f, ∂₂₂f and ∂₂₁f of V σ(Wh/√q)/√m with σ, σ', σ'' at their largest: |σ| <= K_σ |u|, |σ'| <= K_σ, |σ''| <= S₂."""
    V, W, h = sp.symbols("V W h")
    point = {V: v, W: w, h: H}
    u = W * h / sp.sqrt(Q.q)
    u0 = u.subs(point)
    expansion = Q.K_sigma * u0 + Q.K_sigma * (u - u0) + Q.S2 * (u - u0) ** 2 / 2
    f = V * expansion / sp.sqrt(Q.m)

    def at(*names: sp.Symbol) -> sp.Expr:
        return sp.simplify(sp.diff(f, *names).subs(point))

    return at(h), sp.Matrix([at(V), at(W)]), sp.Matrix([[at(V, V), at(V, W)], [at(W, V), at(W, W)]]), sp.Matrix([at(V, h), at(W, h)])


@cache
def constants(size: sp.Expr, v_: sp.Expr, w_: sp.Expr) -> dict[sp.Symbol, sp.Expr]:
    """κ, K₁, K₂, K'_22, K'_21 for |V| <= v_, |W| <= w_, |h| <= size."""
    d1, d2, d22, d21 = derivatives()
    norms = {K1: d1, K2: euclidean(*d2), K22: spectral_norm(d22), K21: euclidean(*d21)}
    return {**KAPPA, **{name: norm.subs({v: v_, w: w_, H: size}, simultaneous=True) for name, norm in norms.items()}}


@cache
def _a_priori_norms() -> dict[sp.Symbol, sp.Expr]:
    """The same over |V| + |W| <= M, |h| <= H_E, with √(x² + y²) <= x + y and (b + √(b² + 4c²))/2 <= b + c."""
    d1, d2, d22, d21 = derivatives()
    by_parts = {
        K1: supremum_over_sum_ball(d1, M),
        K2: sp.sqrt(supremum_over_sum_ball(sp.expand(sum(x**2 for x in d2)), M)),
        K22: supremum_over_sum_ball(d22[1, 1], M) + d22[0, 1],
        K21: supremum_over_sum_ball(d21[0] + d21[1], M),
    }
    return {name: value.subs({M: prop7.M, H: prop7.E_h}) for name, value in by_parts.items()}


@cache
def a_priori(initial: sp.Expr) -> Definitions:
    """All constants of Proposition 7; `initial` is M₀. All but the norms are those of the general steps."""
    tau = sp.Symbol("tau")
    return {
        **KAPPA,
        **_a_priori_norms(),
        **prop7_steps.printed(),
        prop7.M: initial + sp.integrate(Q.M_pi, (tau, 0, Q.T)),
    }


def initial_norm() -> sp.Expr:
    """‖A(0)‖ = √d, ‖W(0)‖ <= 2√(qm), ‖B(0)‖ = √d': the largest, as d, d' <= q and m >= 1."""
    return max(sp.sqrt(Q.q), 2 * sp.sqrt(Q.q * Q.m), key=lambda e: float(e.subs({Q.q: 1, Q.m: 1})))


def rate(p: sp.Expr, h: sp.Expr, d1: sp.Expr, d2: sp.Expr, d21: sp.Expr, d22: sp.Expr) -> dict[sp.Symbol, sp.Expr]:
    """α and β of (20) and what follows: |∂₂f| <= d2, |p_k - p_{k-1}| <= d1 p/L, |h_k - h_{k-1}| <= d1 h/L, |Δ∂₂f| <= d21 |Δh| + d22 g."""
    bound = sp.expand(product_rule((d2, d21 * d1 * h / L + d22 * g), (p, d1 * p / L)))
    return {prop7.alpha: bound.coeff(g, 1), prop7.beta: sp.expand(bound.coeff(g, 0) * L)}


def along(line: Lines) -> Definitions:
    """The constants with bounds on p, h, V and W from the run: K and K' in the print, one constant for each derivative if sharpened."""
    pair = line.claim.inputs == "instantaneous"
    p, h, v_, w_ = (Q.p_pair, Q.h_pair, Q.v_pair, Q.w_pair) if pair else (Q.p_sup, Q.h_sup, Q.v_sup, Q.w_sup)
    derived = constants(h, v_, w_)
    if line.claim.edition == "sharpened":
        return {**derived, **rate(p, h, K1, K2, K21, K22)}
    return {**derived, **prop7_steps.MAXIMA, **rate(p, h, K, K, Kp, Kp)}


def prop7_constants(line: Lines) -> Definitions:
    """Those of the claims of Propositions 7 and 3 about model (3)."""
    if line.claim.inputs == "a-priori":
        return a_priori(initial_norm() if line.claim.label.startswith("prop3") else Q.M0_sum)
    return along(line)


def gap_rate(line: Lines) -> sp.Expr:
    """α Δ + β/L, with the α and β of `rate`."""
    return prop7.alpha * Q.gap_here + prop7.beta / Q.L


def gap(line: Lines) -> sp.Expr:
    """Grönwall's inequality on the line before, from where each claim starts: Z_k(0) = Z_{k+1}(0) in Proposition 3."""
    if line.claim.inputs != "a-priori":
        return gronwall(Q.gap0 + prop7.beta * Q.t / Q.L, prop7.alpha, Q.t)
    start = sp.Integer(0) if line.claim.label.startswith("prop3") else Q.gap0_sum
    return gronwall(start + prop7.beta * Q.T / Q.L, prop7.alpha, Q.T)


# --- Proposition 2, page 24: Δ_{k+1} <= (1 + C/L) Δ_k + (C/L) sup|Θ - Θ^L| + C C_Θ/L² + C̃/L², |Θ - Θ^L| <= C_Θ/L

C, C1, C2, Ct, D = prop2.C, prop2.C1, prop2.C2, prop2.Ct, prop2.D


def euler_constants(line: Lines) -> Definitions:
    """The constants of Proposition 2, and C', C'' of B.2 where a claim has them."""
    d1, d2, _, _ = derivatives()
    here = {v: Q.v_ode, w: Q.w_ode, H: D}
    source = sp.expand((Q.C_Theta * C + Ct) / C)  # beside sup|Θ - Θ^L| in (35), times L
    return {
        **KAPPA,
        C1: d1.subs(here, simultaneous=True),
        D: Q.u_sup if line.claim.inputs == "along-trajectory" else layers(C1) * Q.a_sup,
        C2: euclidean(*d2).subs(here, simultaneous=True),
        C: sp.Max(C1, C2),
        Ct: chain_rule((C1, C1 * D), (C2, Q.C_Theta)),  # |U'| = |g| <= C₁ D
        sp.Symbol("C'", nonnegative=True): layers(C) * sp.Max(1, source),
        sp.Symbol("C''", nonnegative=True): Q.C_Theta,
    }


def _euler(line: Lines) -> sp.Expr:
    """L |H(1) - h_L|."""
    if line.claim.edition == "explicit":
        step = enlarged(C1 * Q.C_Theta, {C: sp.Max(C1, C2)}, C)  # of the argument, and again of the interpolation
        return sp.expand((2 * step + Ct) / C) * layers(C)
    x, k, depth = sp.symbols("x k L", positive=True)
    half = sp.integrate(x, (x, 0, 1))  # of the change of the state, and of that of the parameters, over a step
    if line.claim.inputs == "along-trajectory":
        return discrete_gronwall_sum(C1, half * Ct)
    grown = layers(C1 * (k + 1) / depth) * layers(C1 * (1 - (k + 1) / depth))  # the state up to the step, and its error after it
    return half * Ct / layers(C1) * sp.summation(sp.expand(sp.powsimp(grown)), (k, 0, depth - 1)) / depth


def output(line: Lines) -> sp.Expr:
    """|B|₂ times the bound on the last states."""
    return Q.B_op * _euler(line)


def state(line: Lines) -> sp.Expr:
    """The bound on the last states: sharpened as in `output`, explicit from the line before it."""
    return _euler(line) / Q.depth
