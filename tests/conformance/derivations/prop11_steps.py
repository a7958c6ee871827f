"""Appendices A.4 and B.2, and Proposition 1: each right side from the lines before it."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from depthlimit.conformance.derivations.lines import Definitions, Lines
from depthlimit.conformance.derivations.tools import bounded, chain_rule, discrete_gronwall, enlarged, gronwall, layers, triangle
from depthlimit.theory.paper import prop2_steps
from depthlimit.theory.paper import prop11_gap as B
from depthlimit.theory.paper import prop11_setting as S
from depthlimit.theory.paper import quantities as Q

Rule = Callable[[Lines], sp.Expr]
C, C1, C2, Ct, D, C_U = S.C, S.C1, S.C2, S.Ct, S.D, B.C_U
_MAXIMUM: Definitions = {C: sp.Max(C1, C2)}
_s, _k, _L = (sp.Symbol(name, positive=True) for name in ("s", "k", "L"))
_U, _u, _G, _g, _R = sp.symbols("U u G g R")


def _sharp(line: Lines) -> bool:
    return line.claim.edition == "sharpened"


def _over_constant(line: Lines, expression: sp.Expr) -> sp.Expr:
    return expression if _sharp(line) else enlarged(expression, _MAXIMUM, C)


def _gap_step(remainder: sp.Expr) -> sp.Expr:
    """Taylor's expansion of U less a step of the scheme: (U - u) + (G - g)/L + R."""
    difference = (_U + _G / Q.L + _R) - (_u + _g / Q.L)
    state, branch = sp.symbols("U-u G-g")
    return triangle(difference.subs({_U: _u + state, _G: _g + branch}), {state: B.Delta, branch: B.g_gap, _R: remainder})


def _remainder(line: Lines) -> sp.Expr:
    """C̃ ∫((k+1)/L - s) ds over the step; the print has the largest value of the integrand for its mean."""
    weight = (_k + 1) / _L - _s
    start, end = _k / _L, (_k + 1) / _L
    kernel = sp.integrate(weight, (_s, start, end)) if _sharp(line) else weight.subs(_s, start) * (end - start)
    return Ct * sp.simplify(kernel).subs(_L, Q.L)


def _recursion(line: Lines) -> sp.Expr:
    """The remainder term of either triangle is bounded through the integral."""
    step = line.rhs("prop11.triangle").subs(S.remainder_integral, S.remainder)
    return line.follow(step, "prop11.lipschitz", "prop11.remainder")


def _shift(at: sp.Expr) -> sp.Expr:
    """C_Θ |k/L - k/(L-1)| at its largest, k = L - 1; the argument is the k in question."""
    return Q.C_Theta * sp.simplify(at / (_L - 1) - at / _L)


def _suprema(line: Lines) -> sp.Expr:
    return line.follow(line.rhs("prop11.recursion"), "prop11.theta-triangle", "prop11.theta-shift")


def _gap(line: Lines) -> sp.Expr:
    if not _sharp(line):
        return discrete_gronwall(line.rhs("prop11.recursion-sup"), B.Delta, line.follow(B.Delta_start, "prop11.start"), Q.L)
    return discrete_gronwall(_suprema(line), B.Delta, B.start_gap, Q.L, steps=S.k_step + 1)


def _u_norm(line: Lines) -> sp.Expr:
    steps = S.k_step + 1 if _sharp(line) else None
    return discrete_gronwall(line.rhs("prop11.u-step"), S.u_norm, S.aL_norm, Q.L, steps)


def _U_norm(line: Lines) -> sp.Expr:
    bound = gronwall(S.a_norm, sp.diff(line.rhs("prop11.speed"), S.U_norm), S.s_grid)
    return bound if _sharp(line) else bounded(bound, {S.s_grid: sp.Integer(1)})


def _curvature(line: Lines) -> sp.Expr:
    """d²U/ds² = ∂₁g U' + ∂₂g Θ'."""
    if _sharp(line):
        return chain_rule((C1, S.U_speed), (S.c_parameter * S.U_norm, Q.C_Theta))
    return chain_rule((C1, bounded(line.rhs("prop11.speed"), {S.U_norm: D})), (C2, Q.C_Theta))


def _end_of_piece() -> sp.Expr:
    """max |s - (j+1)/L| over the pieces [j/(L-1), (j+1)/(L-1)) of Θ^L: at the left end of the first and the right end of the last."""
    j = sp.Symbol("j", nonnegative=True)
    left, right = (j + 1) / _L - j / (_L - 1), (j + 1) / (_L - 1) - (j + 1) / _L
    first, last = sp.simplify(left.subs(j, 0)), sp.simplify(right.subs(j, _L - 2))
    if first != last:
        raise ValueError("the two ends differ")
    return first


def _hidden(line: Lines) -> sp.Expr:
    """(35) at equal starts, its two coefficients replaced by the larger, C'."""
    bound = sp.expand(line.rhs("prop11.gap").subs({B.start_gap: 0, B.theta_sup: prop2_steps.Theta_gap, Q.L: Q.depth}) / layers(C))
    by_gap, by_depth = bound.coeff(prop2_steps.Theta_gap, 1), sp.expand(bound.coeff(prop2_steps.Theta_gap, 0) * Q.depth)
    if (by_gap, sp.expand(by_depth - Q.C_Theta - Ct / C)) != (1, 0):
        raise ValueError("(35) has changed")
    return prop2_steps.C_prime * (prop2_steps.Theta_gap + 1 / Q.depth)


def _state(line: Lines) -> sp.Expr:
    bound = line.follow(line.rhs("prop2.hidden"), "prop2.interpolation")
    return sp.factor(bound.subs(Q.C_Theta, prop2_steps.C_second))


RULES: dict[str, Rule] = {
    "prop11.speed": lambda line: chain_rule((C1, S.U_norm)),  # g(0, .) = 0
    "prop11.U-norm": _U_norm,
    "prop11.U-ball": lambda line: bounded(line.rhs("prop11.U-norm"), {S.a_norm: S.D_E}),
    "prop11.u-triangle": lambda line: triangle(_u + _g / Q.L, {_u: S.u_norm, _g: S.g_norm}),
    "prop11.u-step": lambda line: bounded(line.claim.lhs, {S.g_norm: chain_rule((C1, S.u_norm))}),
    "prop11.u-norm": _u_norm,
    "prop11.u-ball": lambda line: bounded(line.rhs("prop11.u-norm"), {S.aL_norm: S.D_E}),
    "prop11.curvature": _curvature,
    "prop11.velocity-lipschitz": lambda line: chain_rule((Ct, 1 / Q.L)),
    "prop11.remainder": _remainder,
    "prop11.triangle": lambda line: _gap_step(S.remainder_integral),
    "prop11.triangle-sharp": lambda line: _gap_step(S.remainder),
    "prop11.lipschitz": lambda line: _over_constant(line, chain_rule((C1, B.Delta), (C2, B.theta_gap))),
    "prop11.recursion": _recursion,
    "prop11.theta-triangle": lambda line: triangle(_U + _u, {_U: B.theta_sup, _u: B.theta_shift}),
    "prop11.theta-shift": lambda line: _shift(_L - 1).subs(_L, Q.L),
    "prop11.recursion-sup": _suprema,
    "prop11.gap": _gap,
    "prop11.U-lipschitz": lambda line: chain_rule((C_U, 1 / Q.L)),
    "prop11.path-triangle": lambda line: triangle(_U + _u, {_U: B.U_change, _u: B.Delta}),
    "prop11.path": lambda line: bounded(B.U_change + B.Delta, {B.U_change: line.rhs("prop11.U-lipschitz")}),
    "cor12.gap": lambda line: bounded(line.rhs("prop11.gap"), {B.start_gap: B.start_sup, B.theta_sup: B.theta_sup_t}),
    "cor13.gap": lambda line: bounded(
        line.rhs("prop11.path"), {B.Delta: line.rhs("prop11.gap").subs({B.start_gap: B.limit_start, B.theta_sup: B.limit_theta})}
    ),
    "prop2.interpolation": lambda line: chain_rule((Q.C_Theta, _end_of_piece().subs(_L, Q.depth))),
    "prop2.hidden": _hidden,
    "prop2.state[explicit]": _state,
    "prop2.readout": lambda line: chain_rule((Q.B_op, prop2_steps.state_here)),
    **{
        f"prop1.growth-{block}": lambda line, speed=speed: sp.integrate(speed, (_s, 0, Q.t))  # type: ignore[misc]
        for block, speed in (("A", prop2_steps.M_pi_A), ("Z", Q.M_pi_Z), ("B", prop2_steps.M_pi_B))
    },
}


def constants(line: Lines) -> Definitions:
    """D, C₂, C, C̃ and C_U over the ball; along the run they are measured, but for the maximum."""
    if line.claim.inputs != "a-priori":
        return _MAXIMUM
    speed = chain_rule((C1, D))
    return {**_MAXIMUM, D: S.D_E * layers(C1), C2: S.c_parameter * D, Ct: chain_rule((C1, speed), (C2, Q.C_Theta)), C_U: speed}
