r"""Proposition 2 (page 4; proof in Appendix B.2, page 31, from (35), page 24): the network discretises its neural ODE at rate 1/L.

The constant of the proof, for θ_k = Θ(k/L), a^L = Ax and g = f of model (3). With v = sup|𝒱|₂, w = sup|𝒲|₂, κ = K_σ/√(qm):

    C₁ = κ v w                     Lipschitz constant of g(., θ); |U|, |u_k| <= e^{C₁} sup|Ax| =: D
    C₂ = κ D √(v² + w²)            Lipschitz constant of g(u, .) for |u| <= D;   C = max(C₁, C₂)
    C̃ = C₁² D + C₂ C_Θ             bounds |d²U/ds²| (|U'| <= C₁ D)
    sup|Θ - Θ^L| <= C_Θ/L          |Θ(s) - Θ((⌊(L-1)s⌋+1)/L)| <= C_Θ |s - (⌊(L-1)s⌋+1)/L| <= C_Θ/L

(35) then reads |H(1) - h_L| <= (2 C_Θ + C̃/C) e^C/L. Sharpened, L |H(1) - h_L| <= C̃/2, with C̃ alone and no exponential beside it:
with U_k = U(k/L), the error of one step is

    ∫_{k/L}^{(k+1)/L} (g(U(s), Θ(s)) - g(U_k, θ_{k+1})) ds,
    |g(U(s), Θ(s)) - g(U(s), θ_{k+1})| <= c |U(s)| C_Θ ((k+1)/L - s),     c = C₂/D,
    |g(U(s), θ_{k+1}) - g(U_k, θ_{k+1})| <= C₁ |U(s) - U_k| <= C₁² (s - k/L) sup|U|,

at most (C₁² + c C_Θ) sup|U|/(2L²): interpolation and Taylor remainder are one integral, of which (35) counts the parts three times. Up to
the end of that step |U| <= e^{C₁(k+1)/L} sup|Ax|, and the steps that follow let the error grow by at most e^{C₁(1 - (k+1)/L)}: the two
multiply to e^{C₁} for every k. With the largest state D of a run instead the powers are summed, and (e^{C₁} - 1)/C₁ stays.

So of the constants of (35) no instance attains more than C/(2e^C) <= 1/(2e) = 0.184: C̃/2 <= (C̃/C) e^C · C/(2e^C). U' = U attains that.
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Claim, Role, Source, Tool
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.quantity import maximum
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
        C: maximum(C1, C2),
        Ct: C1**2 * D + C2 * Q.C_Theta,
    }


A_PRIORI = constants(sp.exp(C1) * Q.a_sup)
_TEX = r"\sup_{x\in\mathcal X}\|F(x)-F^L(x)\| \le \frac CL"
_SOURCE = Source("Proposition 2", "explicit constant from (35)", "(35)", 24)
SHARP = {"a-priori": Ct / 2, "along-trajectory": Ct / 2 * (sp.exp(C1) - 1) / C1}
SLACK = "No instance attains more than 1/(2e) = 0.184 of it: the sharpened edition is below it by that factor."

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
        note=SLACK,
    )
)
for _inputs, _where in (("a-priori", A_PRIORI), ("along-trajectory", constants(Q.u_sup))):
    register(
        Claim(
            "prop2.output",
            Q.depth * Q.output_gap,
            "<=",
            Q.B_op * SHARP[_inputs],
            _SOURCE,
            EULER,
            "The same with the error of each step as one integral, grown with the state"
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
