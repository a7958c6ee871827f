"""Appendix A.5: each right side from the lines before it, and the constants."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from depthlimit.conformance.derivations.lines import Definitions, Lines
from depthlimit.conformance.derivations.tools import bounded, chain_rule, enlarged, gronwall, layers, product_rule
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper import thm14_steps as S
from depthlimit.theory.paper.prop7_quantities import K_pi

Rule = Callable[[Lines], sp.Expr]
_r, _L, _k = sp.symbols("r L k", positive=True)
_MAXIMUM: Definitions = {S.K_f: sp.Max(S.K1, S.K2)}


def _mean(rate: sp.Expr, from_left: bool) -> sp.Expr:
    """1/L times the mean over a layer [k/L, (k+1)/L] of rate times the distance to its left or right end."""
    distance = _r - _k / _L if from_left else (_k + 1) / _L - _r
    return rate * sp.simplify(sp.integrate(distance, (_r, _k / _L, (_k + 1) / _L)))


def _growth(start: sp.Expr, source: sp.Expr) -> sp.Expr:
    """y_{k+1} <= (1 + K₁/L)y_k + source, y_0 = start: (start + L source)(1 + K₁/L)^L, each source growing at most as the start does."""
    return (start + _L * source) * layers(S.K1)


def _G() -> sp.Expr:
    """Over a layer f(H(r), Z(r)) - f(h_k, Z((k+1)/L)): K₁|H(r) - H(k/L)| from the left, K₂C_Z|r - (k+1)/L| from the right."""
    speed = chain_rule((S.K1, S.R))
    return _growth(sp.Integer(0), _mean(S.K1 * speed, True) + _mean(S.K2 * S.C_Z, False)).subs(_L, Q.L)


def _hidden(line: Lines) -> sp.Expr:
    """|h_k - H(k/L)| and the way from k/L to s, at speed K₁R."""
    return S.G + chain_rule((S.K1 * S.R, 1 / Q.L))


def _adjoint(line: Lines) -> sp.Expr:
    """Down from p_L - P(1) = 2BᵀB(h_L - H(1)); over a layer ∂₁f(H, Z)ᵀP - ∂₁f(h_k, Z_{k+1})ᵀP((k+1)/L) in its four distances."""
    speed, fall = S.K1 * S.R, chain_rule((S.K1, S.D_P))
    jacobian = S.K11 * (S.G / _L + _mean(speed, True)) + _mean(S.K21 * S.C_Z, False)
    source = jacobian * S.D_P + S.K1 * _mean(fall, False)
    return (_growth(2 * S.M_B**2 * S.G, source) + fall / _L).subs(_L, Q.L)


def _unfolded(line: Lines) -> sp.Expr:
    """|α x| and the integral of a5.lipschitz over [0, s], s <= 1."""
    inside = enlarged(chain_rule((S.K2, S.dZ), (S.K1, S.H_apart)), _MAXIMUM, S.K_f)
    return S.dA * S.x_norm + inside.subs(S.H_apart, 0) + sp.diff(inside, S.H_apart) * S.H_integral


def _gronwall(line: Lines) -> sp.Expr:
    unfolded = line.rhs("a5.unfolded")
    return gronwall(unfolded.subs(S.H_integral, 0), sp.diff(unfolded, S.H_integral), sp.Integer(1))


def _velocity(line: Lines) -> sp.Expr:
    """∂₂f(h, Z)ᵀp, both factors changed; the mean over samples is below the maximum."""
    jacobian = chain_rule((S.K21, S.h_gap_37), (S.K22, S.Z_gap_s))
    return K_pi * product_rule((S.K2, jacobian), (S.D_P, S.p_gap_37))


def _ends(dH: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """|B H - y| and its change."""
    return S.M_B * S.R + Q.M_Y, product_rule((S.M_B, S.dB), (S.R, dH))


def _map(line: Lines) -> sp.Expr:
    """π of ∂₂fᵀP, P(0)xᵀ and 2(BH - y)Hᵀ."""
    in_Z = product_rule((S.K2, chain_rule((S.K21, S.dH), (S.K22, S.dZ))), (S.D_P, S.dP))
    in_B = 2 * product_rule(_ends(S.dH), (S.R, S.dH))
    return K_pi * (in_Z + Q.M_X * S.dP + in_B)


RULES: dict[str, Rule] = {
    "a5.eq39": lambda line: chain_rule((S.C_Z, 1 / Q.L)),  # ⌊(L-1)s⌋ + 1 lies within 1 of Ls: test_limit_map.py
    "a5.hidden": _hidden,
    "a5.adjoint": _adjoint,
    "a5.velocity": _velocity,
    "a5.lipschitz": lambda line: enlarged(chain_rule((S.K2, S.dZ), (S.K1, S.H_apart)), _MAXIMUM, S.K_f),
    "a5.unfolded": _unfolded,
    "a5.gronwall": _gronwall,
    "a5.eq42": _map,
}


def constants(line: Lines) -> Definitions:
    """K_f, G, D_P, δ_H, δ_1 and δ_P."""
    error, change = _ends(S.dH)
    last = 2 * product_rule((S.M_B, S.dB), (error, change))
    return {
        **_MAXIMUM,
        S.G: _G(),
        S.D_P: gronwall(2 * S.M_B * error, S.K1, sp.Integer(1)),
        S.dH: bounded(gronwall(S.dA * S.x_norm + S.K2 * S.dZ, S.K1, sp.Integer(1)), {S.x_norm: Q.M_X}),
        S.d1: last,
        S.dP: gronwall(S.d1 + S.D_P * chain_rule((S.K11, S.dH), (S.K21, S.dZ)), S.K1, sp.Integer(1)),
    }
