r"""Proposition 2 (page 4; proof in Appendix B.2, page 31, from (35), page 24): the network discretises its neural ODE at rate 1/L.

The constant of the proof, for θ_k = Θ(k/L), a^L = Ax and g = f of model (3). With v = sup|𝒱|₂, w = sup|𝒲|₂, κ = K_σ/√(qm):

    C₁ = κ v w                     Lipschitz constant of g(., θ); |U|, |u_k| <= e^{C₁} sup|Ax| =: D
    C₂ = κ D √(v² + w²)            Lipschitz constant of g(u, .) for |u| <= D;   C = max(C₁, C₂)
    C̃ = C₁² D + C₂ C_Θ             bounds |d²U/ds²| (|U'| <= C₁ D)
    sup|Θ - Θ^L| <= C_Θ/L          |Θ(s) - Θ((⌊(L-1)s⌋+1)/L)| <= C_Θ |s - (⌊(L-1)s⌋+1)/L| <= C_Θ/L

(35) then reads |H(1) - h_L| <= (2 C_Θ + C̃/C) e^C/L. Sharpened: with the Taylor remainder C̃/(2L²) as it is (the print drops the half), each
constant in its place, and the discrete Grönwall inequality summed instead of bounded,

    |H(1) - h_L| <= (C₂ C_Θ + C̃/2) (e^{C₁} - 1)/(C₁ L).
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Claim, Role, Source, Tool
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.registry import register

kappa, C, C1, C2, Ct, D = (sp.Symbol(s, nonnegative=True) for s in ("kappa", "C", "C_1", "C_2", "C_tilde", "D"))
EULER = ("euler-scheme", "euler-ladder")
_SMOOTH = frozenset({"lipschitz", "zero-at-zero"})


def constants(state: sp.Expr) -> dict[sp.Symbol, sp.Expr]:
    """The constants above, for states of at most that size."""
    return {
        kappa: Q.K_sigma / sp.sqrt(Q.q * Q.m),
        C1: kappa * Q.v_ode * Q.w_ode,
        D: state,
        C2: kappa * D * sp.sqrt(Q.v_ode**2 + Q.w_ode**2),
        C: sp.Max(C1, C2),
        Ct: C1**2 * D + C2 * Q.C_Theta,
    }


A_PRIORI = constants(sp.exp(C1) * Q.a_sup)
_TEX = r"\sup_{x\in\mathcal X}\|F(x)-F^L(x)\| \le \frac CL"
_SOURCE = Source("Proposition 2", "explicit constant from (35)", "(35)", 24)
_sharp = Q.B_op * (C2 * Q.C_Theta + Ct / 2) * (sp.exp(C1) - 1) / C1

register(
    Claim(
        "prop2.output",
        Q.depth * Q.output_gap,
        "<=",
        Q.B_op * (2 * Q.C_Theta + Ct / C) * sp.exp(C),
        _SOURCE,
        EULER,
        "Outputs of network and neural ODE differ by at most C/L: the constant that the proof yields.",
        _TEX,
        edition="explicit",
        where=A_PRIORI,
        needs=_SMOOTH,
        tool=Tool.DISCRETE_GRONWALL,
        scale="log10",
    )
)
for _inputs, _where in (("a-priori", A_PRIORI), ("along-trajectory", constants(Q.u_sup))):
    register(
        Claim(
            "prop2.output",
            Q.depth * Q.output_gap,
            "<=",
            _sharp,
            _SOURCE,
            EULER,
            "The same with each constant in its place and Grönwall's sum kept"
            + ("." if _inputs == "a-priori" else "; the largest state is measured."),
            _TEX,
            edition="sharpened",
            inputs=_inputs,
            where=_where,
            needs=_SMOOTH,
            tool=Tool.DISCRETE_GRONWALL,
        )
    )
register(
    Claim(
        "prop2.rate",
        Q.slope_output,
        "=",
        sp.Integer(-1),
        Source("Proposition 2", "rate in L", "", 4),
        ("euler-ladder",),
        "The distance of the outputs falls like 1/L, extrapolated over doubling depths.",
        r"\sup_{x\in\mathcal X}\|F(x)-F^L(x)\| \sim L^{-1}",
        role=Role.RESULT,
        edition="sharpened",
        inputs="along-trajectory",
        needs=frozenset({"C2", "lipschitz", "zero-at-zero"}),
        tool=Tool.EXTRAPOLATION,
    )
)
