r"""Theorem 4 (page 5), as far as equation (9): what the hidden states of a trained network tend to.

(9) is (6) with the limits A(t), 𝒱(., t), 𝒲(., t) of the trained weights. For smooth initialisations all three have expansions in 1/L, and
so have the hidden states at fixed s = k/L: both sides are extrapolated from the same depths, each by itself, and must agree.
"""

from __future__ import annotations

from depthlimit.theory.claim import Claim, Role, Source, Tool
from depthlimit.theory.paper.prop7 import SMOOTH
from depthlimit.theory.paper.quantities import C_, L_
from depthlimit.theory.registry import quantity, register

h_limit = quantity(
    "h_limit",
    r"\lim_{L\to\infty}h^L_{\lfloor Ls\rfloor}(T)",
    (L_, C_),
    "hidden states of the trained network at s = k/L, extrapolated in 1/L; all samples together",
    local=False,
).symbol
H_limit = quantity(
    "H_limit", "H(s,T)", (L_, C_), "states of the implementation's neural ODE with the trained weights extrapolated in 1/L", local=False
).symbol

register(
    Claim(
        "eq9.state",
        h_limit,
        "=",
        H_limit,
        Source("Theorem 4", "(iii)", "(9)", 5),
        ("depth-ladder",),
        "At t = T the hidden states of the trained networks tend to the solution of the neural ODE with the limit of their weights.",
        r"H(0,t) = A(t)x,\quad"
        r" \frac{\partial H}{\partial s}(s,t) = \frac1{\sqrt m}\mathcal V(s,t)\sigma\Big(\frac1{\sqrt q}\mathcal W(s,t)H(s,t)\Big)",
        role=Role.RESULT,
        inputs="along-trajectory",
        needs=SMOOTH,
        premises=("eq6.state", "prop3.rate"),
        tool=Tool.EXTRAPOLATION,
        note="The paper proves convergence without a rate. That there is an expansion in 1/L is measured: radii are the last corrections.",
    )
)
