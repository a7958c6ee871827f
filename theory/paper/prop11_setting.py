r"""Proposition 11 (Appendix A.4, pages 23-25): quantities and constants of its proof, and `step`, which registers a line of it.

The constants, over the compact set of the proof: |θ| <= M for every parameter that occurs, D_E = sup_E|x|,

    C₁  Lipschitz constant of g(., θ), |θ| <= M;     |U(s)|, |u_k| <= D = D_E e^{C₁}
    C₂  Lipschitz constant of g(u, .), |u| <= D;     C₂ = c D where |∂₂g(u, θ)| <= c|u|
    C   = max(C₁, C₂): the proof writes C for C₁ on page 23, and on page 24 goes on to "let C be its Lipschitz constant" for g in both
        arguments. Only |g(u, θ) - g(u', θ')| <= C|u - u'| + C|θ - θ'| is used, for which the maximum serves.
    C̃   = C₁² D + C₂ C_Θ, since d²U/ds² = ∂₁g g + ∂₂g Θ', |g(U, Θ)| <= C₁ D and |Θ'| <= C_Θ

`along-trajectory` takes for C₁, C₂ the Lipschitz constants over the parameters and states that occur, and for C̃ the largest |d²U/ds²|.
Θ may depend on a time t, of which all constants are suprema (Corollary 12).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.quantity import maximum
from depthlimit.theory.registry import quantity, register

TIME, LAYER, BOTH, VECTOR = ("time",), ("layer",), ("time", "layer"), ("time", "layer", "component")


def measured(name: str, latex: str, axes: tuple[str, ...], meaning: str) -> sp.Symbol:
    """A quantity that depends on the whole path, and its symbol."""
    return quantity(name, latex, axes, meaning, local=False).symbol


D_E = measured("D_E", "D_E", (), "largest norm of an initial state, of the ODE or the scheme")
C_state = measured("C_state", "C_1", (), "Lipschitz constant of g(., θ) over the ball |θ| <= M")
c_parameter = measured("c_parameter", "c", (), "Lipschitz constant of g(u, .) over that ball, per unit of |u|")
C_state_run = measured(
    "C_state_run", r"\sup_\theta\mathrm{Lip}\,g(\cdot,\theta)", (), "Lipschitz constant of g(., θ) over the parameters that occur"
)
C_parameter_run = measured(
    "C_parameter_run", r"\sup_k\mathrm{Lip}\,g(u_k,\cdot)", (), "Lipschitz constant of g(u_k, .) between the parameters that occur"
)
curvature_run = measured("curvature_run", r"\sup_s\|U''(s)\|", (), "largest second derivative of the ODE's solution")
u_rate = measured("u_rate", "L(u_{k+1}-u_k)", VECTOR, "increments of the scheme, times L")
g_step = measured("g_step", r"g(u_k,\theta_{k+1})", VECTOR, "the branch at state k and parameter k+1")
U_state = measured("U_state", "U(s)-a", VECTOR, "displacement of the ODE's solution at nine values of s, by Picard's iteration")
U_reference = measured("U_reference", r"\Phi_s(a)-a", VECTOR, "displacement of the ODE's solution by an explicit stepper of order eight")
s_grid = measured("s_grid", "s", LAYER, "depths k/L, k = 0..L")
a_norm = measured("a_norm", r"\|a\|", TIME, "initial norm of the ODE")
aL_norm = measured("aL_norm", r"\|a^L\|", TIME, "initial norm of the scheme")
U_norm = measured("U_norm", r"\|U(s)\|", BOTH, "norm of the ODE's solution at s = k/L, k = 0..L")
U_speed = measured("U_speed", r"\|\tfrac{dU}{ds}(s)\|", BOTH, "speed of the ODE's solution at s = k/L")
U_curvature = measured("U_curvature", r"\|\tfrac{d^2U}{ds^2}(s)\|", BOTH, "second derivative of the ODE's solution at s = k/L")
k_step = measured("k_step", "k", LAYER, "steps k = 0..L-1")
u_norm = measured("u_norm", r"\|u_k\|", BOTH, "norm of the scheme's state, k = 0..L-1")
u_next = measured("u_next", r"\|u_{k+1}\|", BOTH, "norm of the scheme's next state")
g_norm = measured("g_norm", r"\|g(u_k,\theta_{k+1})\|", BOTH, "norm of the branch")
U_next = measured("U_next", r"U(\tfrac{k+1}L)-a", VECTOR, "displacement of the ODE's solution at the end of a step")
U_taylor = measured(
    "U_taylor",
    r"U(\tfrac kL)-a+\tfrac1L\tfrac{dU}{ds}(\tfrac kL)+\int(\tfrac{k+1}L-s)\tfrac{d^2U}{ds^2}ds",
    VECTOR,
    "Taylor expansion of the ODE's solution with integral remainder",
)
remainder = measured(
    "remainder", r"\|U(\tfrac{k+1}L)-U(\tfrac kL)-\tfrac1L\tfrac{dU}{ds}(\tfrac kL)\|", BOTH, "norm of the Taylor remainder"
)
remainder_integral = measured(
    "remainder_integral", r"\int(\tfrac{k+1}L-s)\|\tfrac{d^2U}{ds^2}\|ds", BOTH, "integral of the norm in the remainder"
)
speed_change = measured(
    "speed_change", r"\|\tfrac{dU}{ds}(\tfrac{k+1}L)-\tfrac{dU}{ds}(\tfrac kL)\|", BOTH, "change of the ODE's velocity over a step"
)

C, C1, C2, Ct, D = (sp.Symbol(s, nonnegative=True) for s in ("C", "C_1", "C_2", "C_tilde", "D"))
A_PRIORI: Mapping[sp.Symbol, sp.Expr] = {
    C1: C_state,
    D: D_E * sp.exp(C1),
    C2: c_parameter * D,
    C: maximum(C1, C2),
    Ct: C1**2 * D + C2 * Q.C_Theta,
}
ALONG: Mapping[sp.Symbol, sp.Expr] = {C1: C_state_run, C2: C_parameter_run, C: maximum(C1, C2), Ct: curvature_run}
CONSTANTS = {"a-priori": A_PRIORI, "along-trajectory": ALONG}
EVERY = ("a-priori", "along-trajectory")
HERE = "instantaneous"
GENERAL = ("general-euler",)
ITEM = "Proposition 11"


def _used(known: Mapping[sp.Symbol, sp.Expr], *sides: sp.Expr) -> dict[sp.Symbol, sp.Expr]:
    """The definitions that the sides of a claim need, in their order."""
    pending: list[sp.Expr] = list(sides)
    found: set[sp.Symbol] = set()
    while pending:
        new = (pending.pop().free_symbols & known.keys()) - found
        found |= new
        pending += [known[symbol] for symbol in new]
    return {symbol: value for symbol, value in known.items() if symbol in found}


def step(
    label: str, lhs: sp.Expr, relation: str, rhs: sp.Expr, page: int, tex: str, meaning: str, *, equation: str = "", **more: Any
) -> None:
    """Register a step of A.4 on `general-euler`, once for each `inputs` given (one name or several); a claim may name its item."""
    inputs = more.pop("inputs", "a-priori")
    item, role = more.pop("item", ITEM), more.pop("role", Role.STEP)
    attained = Condition("the two sides agree", lhs, ">=", rhs) if relation == "<=" else None
    for name in (inputs,) if isinstance(inputs, str) else inputs:
        known = more.get("where", CONSTANTS.get(name, {}))
        register(
            Claim(
                label,
                lhs,
                relation,
                rhs,
                Source(item, more.get("part", "proof"), equation, page),
                GENERAL,
                meaning,
                tex,
                role=role,
                inputs=name,
                equality=attained,
                where=_used(known, lhs, rhs),
                **{k: v for k, v in more.items() if k not in ("where", "part")},
            )
        )
