r"""Appendix B.2 (page 31): Proposition 2 from (35), line by line; and Proposition 1 (page 4; Appendix B.1, page 31).

B.2. With a^L = a = Ax, (35) reads |h_L - H(1)| <= e^C (S + C_Θ/L + C̃/(LC)) <= C' (1/L + S), C' = e^C max(1, C_Θ + C̃/C), and
S = sup|Θ - Θ^L| <= C''/L with C'' = C_Θ: on the piece [j/(L-1), (j+1)/(L-1)), where Θ^L = Θ((j+1)/L), s - (j+1)/L runs from
(j-L+1)/(L(L-1)) to (j+1)/(L(L-1)), both at most 1/L in absolute value (for L = 1 there is one piece, of length 1).

Proposition 1. |θ(t) - θ(0)| <= t sup|π| for each block: the solution stays in a ball that grows linearly in t, and a solution of an
ODE with locally Lipschitz right-hand side that stays bounded goes on for ever. Without a clip the displacement identity,
|θ(t) - θ(0)|² <= t (ℓ(0) - ℓ(t)), does the same: (4) does not diverge in finite time either.
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import prop2
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.quantity import maximum
from depthlimit.theory.registry import quantity, register

theta_k = quantity("theta_k", r"(V_k,W_k)", ("layer", "component"), "weights of the network of the smallest depth").symbol
Theta_k = quantity("Theta_k", r"\Theta(\tfrac kL)", ("layer", "component"), "the functions (𝒱, 𝒲) at k/L").symbol
Theta_gap = quantity(
    "Theta_gap", r"\sup_s\|\Theta(s)-\Theta^L(s)\|", ("batch",), "distance of Θ and Θ^L at each depth of the ladder, on a grid of s"
).symbol
state_gap = quantity("state_gap", r"\sup_x\|h_L-H(1)\|", ("batch",), "distance of last states, per depth", local=False).symbol
state_here = quantity("state_gap_here", r"\sup_x\|h_L-H(1)\|", ("batch",), "distance of the computed last states, per depth").symbol
output_here = quantity("output_gap_here", r"\sup_x\|F(x)-F^L(x)\|", ("batch",), "distance of the computed outputs, per depth").symbol
M_pi_A = quantity("M_pi_A", r"\max_A\|\pi(A)\|_F", (), "supremum of the clip on A", exact=True).symbol
M_pi_B = quantity("M_pi_B", r"\max_B\|\pi(B)\|_F", (), "supremum of the clip on B", exact=True).symbol

C_prime, C_second = (sp.Symbol(s, nonnegative=True) for s in ("C'", "C''"))
_PROOF = {
    **prop2.A_PRIORI,
    C_prime: sp.exp(prop2.C) * maximum(1, Q.C_Theta + prop2.Ct / prop2.C),
    C_second: Q.C_Theta,
}
_SMOOTH = frozenset({"lipschitz", "zero-at-zero"})
_ITEM = "Proposition 2"


def _agree(lhs: sp.Expr, rhs: sp.Expr) -> Condition:
    return Condition("the two sides agree", lhs, ">=", rhs)


register(
    Claim(
        "prop2.weights",
        theta_k,
        "=",
        Theta_k,
        Source(_ITEM, "the network's weights", "", 4),
        prop2.EULER,
        "The network samples the functions at k/L, k = 1..L.",
        r"V_k^L = \mathcal V(k/L),\quad W_k^L = \mathcal W(k/L)",
        role=Role.DEFINITION,
        inputs="instantaneous",
        tool=Tool.DEFINITION,
    )
)
register(
    Claim(
        "prop2.interpolation",
        Theta_gap,
        "<=",
        Q.C_Theta / Q.depth,
        Source(_ITEM, "proof", "", 31),
        prop2.EULER,
        "Θ and its piecewise constant counterpart are within C''/L, C'' = C_Θ.",
        r"\sup_{s\in[0,1]}\|\Theta(s)-\Theta^L(s)\| \le \frac{C''}L",
        role=Role.STEP,
        edition="explicit",
        equality=_agree(Theta_gap, Q.C_Theta / Q.depth),
        premises=("prop2.weights",),
        tool=Tool.SUPREMUM,
    )
)
register(
    Claim(
        "prop2.hidden",
        state_gap,
        "<=",
        C_prime * (1 / Q.depth + Theta_gap),
        Source(_ITEM, "proof", "(35)", 31),
        prop2.EULER,
        "Last states differ by at most C'(1/L + sup|Θ - Θ^L|).",
        r"\|h_L^L-H(1)\| \le C'\Big(\frac1L + \sup_{s\in[0,1]}\|\Theta(s)-\Theta^L(s)\|\Big)",
        role=Role.STEP,
        edition="explicit",
        where=_PROOF,
        needs=_SMOOTH,
        premises=("prop11.gap",),
        tool=Tool.DISCRETE_GRONWALL,
        note=prop2.SLACK,
    )
)
_STATE_TEX = r"\|h_L^L-H(1)\| \le \frac{C'(1+C'')}L"
_STATE = Source(_ITEM, "proof, last line", "", 31)
register(
    Claim(
        "prop2.state",
        state_gap,
        "<=",
        C_prime * (1 + C_second) / Q.depth,
        _STATE,
        prop2.EULER,
        "Last states differ by at most C'(1 + C'')/L (printed with a double plus).",
        _STATE_TEX,
        role=Role.STEP,
        edition="explicit",
        where=_PROOF,
        needs=_SMOOTH,
        premises=("prop2.hidden", "prop2.interpolation"),
        tool=Tool.TRIANGLE,
        note=prop2.SLACK,
    )
)
for _inputs, _where in (("a-priori", prop2.A_PRIORI), ("along-trajectory", prop2.constants(Q.u_sup))):
    register(
        Claim(
            "prop2.state",
            state_gap,
            "<=",
            prop2.SHARP[_inputs] / Q.depth,
            _STATE,
            prop2.EULER,
            "The same with the error of each step as one integral.",
            _STATE_TEX,
            role=Role.STEP,
            edition="sharpened",
            inputs=_inputs,
            where=_where,
            needs=_SMOOTH,
            premises=("prop2.interpolation",),
            tool=Tool.DISCRETE_GRONWALL,
        )
    )
register(
    Claim(
        "prop2.readout",
        output_here,
        "<=",
        Q.B_op * state_here,
        _STATE,
        prop2.EULER,
        "The outputs differ by at most |B|₂ times the difference of the last states.",
        r"F^L(x) = Bh_L^L,\quad F(x) = BH(1)",
        role=Role.STEP,
        inputs="instantaneous",
        equality=_agree(output_here, Q.B_op * state_here),
        premises=("eq6.output", "prop2.state"),
        tool=Tool.SUPREMUM,
    )
)

for _block, _moved, _speed in (
    ("A", Q.moved_A, M_pi_A),
    ("Z", sp.sqrt(Q.moved_V**2 + Q.moved_W**2), Q.M_pi_Z),
    ("B", Q.moved_B, M_pi_B),
):
    register(
        Claim(
            f"prop1.growth-{_block}",
            _moved,
            "<=",
            Q.t * _speed,
            Source("Proposition 1", "no blow-up", "", 4),
            ("clipped-flow",),
            f"The clipped flow moves {_block} by at most t sup|π|, so it exists for all t.",
            r"\text{the (clipped) gradient flow (5) has a unique solution for all } t \ge 0",
            role=Role.STEP,
            edition="explicit",
            equality=_agree(_moved, Q.t * _speed),
            premises=(f"prop7.norm-{_block}",),
            tool=Tool.TRIANGLE,
        )
    )
