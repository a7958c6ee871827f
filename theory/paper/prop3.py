"""Proposition 3 (page 5; proof in Appendix B.3, page 32): the bounds for model (3) at its initialisation, and the rate in L.

The slip "V_0^L(0), W_0^L(0)" of B.3 (layers are numbered from 1) is without consequence.
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import prop7
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.registry import register

M, K = prop7.M, prop7.K
_INIT = (
    Condition("starts at the initialisation of Section 3", Q.paper_init, "=", sp.Integer(1)),
    Condition("‖W(0)‖_F <= 2√(qm), the event of Lemma 20", Q.W0_norm, "<=", 2 * sp.sqrt(Q.q * Q.m)),
)
_WHERE = {**prop7.PRINTED_CONSTANTS, M: Q.T * Q.M_pi + 2 * sp.sqrt(Q.q * Q.m)}
RISK = sp.exp(-3 * Q.q * Q.m / 16)

for _name, _norm in (("A", Q.A_norm), ("Z", Q.Z_norm), ("B", Q.B_norm)):
    register(
        Claim(
            f"prop3.norm-{_name}",
            _norm,
            "<=",
            M,
            Source("Proposition 3", "bounded weights", "(7)", 5),
            ("clipped-flow",),
            f"The norm of {_name} stays below M = T M_π + 2√(qm), on the event of Lemma 20.",
            r"\max(\|A^L(t)\|_F, \|V_k^L(t)\|_F, \|W_k^L(t)\|_F, \|B^L(t)\|_F) \le M = TM_\pi + 2\sqrt{qm}",
            where={M: _WHERE[M]},
            hypotheses=_INIT,
            risk=RISK,
            premises=(f"prop7.norm-{_name}",),
            tool=Tool.TRIANGLE,
        )
    )
register(
    Claim(
        "prop3.gap",
        Q.gap_max,
        "<=",
        prop7.beta * Q.T * sp.exp(prop7.alpha * Q.T) / Q.L,
        Source("Proposition 3", "successive weights", "(7)", 5),
        ("clipped-flow",),
        "Successive weights stay within K/L, K = βT e^{αT}: a tower of exponentials, shown and never counted as a pass.",
        r"\max(\|V_{k+1}^L(t)-V_k^L(t)\|_F, \|W_{k+1}^L(t)-W_k^L(t)\|_F) \le \frac KL,\quad K = \beta T e^{\alpha T}",
        where=_WHERE,
        hypotheses=_INIT,
        needs=prop7.SMOOTH,
        risk=RISK,
        premises=("prop7.gap",),
        tool=Tool.GRONWALL,
        scale="log10log10",
    )
)
register(
    Claim(
        "prop3.rate",
        Q.slope_gap,
        "=",
        sp.Integer(-1),
        Source("Proposition 3", "rate in L", "(7)", 5),
        ("depth-ladder",),
        "The largest successive difference over layers and times falls like 1/L, extrapolated over doubling depths.",
        r"\max_{k,t}\|Z_{k+1}^L(t)-Z_k^L(t)\| \sim L^{-1}",
        role=Role.RESULT,
        edition="sharpened",
        inputs="along-trajectory",
        needs=prop7.SMOOTH,
        tool=Tool.EXTRAPOLATION,
        note="The paper proves O(1/L); that the rate is attained is measured: 1/L is exact for generic smooth initialisations.",
    )
)
