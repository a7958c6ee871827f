r"""The proof of Proposition 3 (Appendix B.3, page 32), line by line.

What holds as printed: the norms of the initialisation, M_0 <= 2√(qm) on the event of Lemma 20 (q >= max(d, d') and m >= 1 give
√d, √d' <= √(qm)), the bound by M in the norm ‖V‖_F + ‖W‖_F (the triangle inequality holds in every norm), and Z_k(0) = Z_{k+1}(0).

What does not: "the parameters Z are considered in Proposition 7 as a vector. In particular ‖Z‖ = ‖V‖_F + ‖W‖_F". Appendix A norms vectors
by ‖.‖ Euclidean (page 15), and ∂₂f, ∂₂₂f by the operator norms that belong to it. The two norms agree only where V = 0 or W = 0, and

    ‖Z‖ <= ‖V‖_F + ‖W‖_F <= √2 ‖Z‖,    with equality on the left for V = 0, on the right for ‖V‖_F = ‖W‖_F.

Proposition 7's bound on successive weights does not carry over to the sum norm with the same constants: its step (20) uses
‖∂₂fᵀp‖ <= ‖∂₂f‖₂‖p‖, false in the sum norm for Euclidean ‖∂₂f‖₂. For q = m = 1, f = Vσ(Wh): ∂₂f = (σ(Wh), Vσ'(Wh)h), and
where σ(Wh) = Vσ'(Wh)h the left side is √2 times the right one. With α and β multiplied by √2 everything holds in the sum norm:
‖∂₂fᵀp‖ <= √2 ‖∂₂f‖₂‖p‖, and ‖∂₂f(h, Z) - ∂₂f(h, Z')‖₂ <= K'‖Z - Z'‖ <= K'(‖V - V'‖_F + ‖W - W'‖_F). Read in the Euclidean norm
throughout, nothing changes, and max(‖V_{k+1} - V_k‖_F, ‖W_{k+1} - W_k‖_F) <= ‖Z_{k+1} - Z_k‖ is what Proposition 3 asks.
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.difference import Difference, differ
from depthlimit.theory.paper import prop3
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.quantities import B_, C_, L_, T_
from depthlimit.theory.quantity import maximum, minimum
from depthlimit.theory.registry import quantity, register

FLOWS = ("plain-flow", "clipped-flow")
_BTL = (B_, T_, L_)
_INIT = Condition("starts at the initialisation of Section 3", Q.paper_init, "=", sp.Integer(1))
_EVENT = Condition("‖W(0)‖_F <= 2√(qm), the event of Lemma 20", Q.W0_norm, "<=", 2 * sp.sqrt(Q.q * Q.m))

A0 = quantity("A0_norm", r"\|A(0)\|_F", (), "Frobenius norm of the initial A").symbol
B0 = quantity("B0_norm", r"\|B(0)\|_F", (), "Frobenius norm of the initial B").symbol
Z0_here = quantity("Z0_here", r"Z_k(0)", (B_, L_, C_), "initial parameters of layers 1..L-1").symbol
Z0_next = quantity("Z0_next", r"Z_{k+1}(0)", (B_, L_, C_), "initial parameters of layers 2..L").symbol
Z_euclid = quantity("Z_euclid", r"\|Z_k\|", _BTL, "Euclidean norm of the saved Z_k as a vector").symbol
V_here = quantity("V_here", r"\|V_k\|_F", _BTL, "Frobenius norm of the saved V_k").symbol
W_here = quantity("W_here", r"\|W_k\|_F", _BTL, "Frobenius norm of the saved W_k").symbol
gap_V = quantity("gap_V", r"\|V_{k+1}-V_k\|_F", _BTL, "successive difference of V, saved state").symbol
gap_W = quantity("gap_W", r"\|W_{k+1}-W_k\|_F", _BTL, "successive difference of W, saved state").symbol
A_speed = quantity("A_speed", r"\|\dot A\|_F", (B_, T_), "speed of A").symbol
B_speed = quantity("B_speed", r"\|\dot B\|_F", (B_, T_), "speed of B").symbol
Z_speed_sum = quantity("Z_speed_sum", r"\|\dot V_k\|_F+\|\dot W_k\|_F", _BTL, "speed of Z_k, sum norm").symbol
descent_sum = quantity(
    "descent_sum", r"\|L\partial_{V_k}\ell\|_F+\|L\partial_{W_k}\ell\|_F", _BTL, "L times the gradient in Z_k, sum norm"
).symbol
descent = quantity("descent", r"\|L\partial_{Z_k}\ell\|", _BTL, "L times the gradient in Z_k, Euclidean").symbol
pull = quantity(
    "pull", r"\tfrac1n\sum_i\|\partial_2f(h_{k-1,i},Z_k)\|_2\|p_{k,i}\|", _BTL, "operator norms of ∂₂f times adjoint states, mean"
).symbol


def _claim(label: str, lhs: sp.Expr, relation: str, rhs: sp.Expr, meaning: str, tex: str, tool: Tool, **more) -> Claim:  # type: ignore[no-untyped-def]
    settings = {
        "source": Source("Proposition 3", "proof", "", 32),
        "regimes": FLOWS,
        "role": Role.STEP,
        "inputs": "instantaneous",
        **more,
    }
    return register(Claim(label, lhs, relation, rhs, meaning=meaning, tex=tex, tool=tool, **settings))


for _name, _norm, _size, _tex in (("A", A0, Q.d, "d"), ("B", B0, Q.dout, "d'")):
    _claim(
        f"prop3.start-{_name}",
        _norm,
        "=",
        sp.sqrt(_size),
        f"The norm of {_name} at the paper's initialisation.",
        rf"\|{_name}^L(0)\|_F = \sqrt{{{_tex}}}",
        Tool.DEFINITION,
        hypotheses=(_INIT,),
        inputs="a-priori",
    )
_claim(
    "prop3.start-layers",
    Z0_next,
    "=",
    Z0_here,
    "Initially all layers are the same.",
    r"Z_k^L(0) = Z_{k+1}^L(0)",
    Tool.DEFINITION,
    hypotheses=(_INIT,),
    inputs="a-priori",
    note='Printed for k in {1, ..., L}; Z_{L+1} does not exist, and k <= L - 1 is what Proposition 3 needs. "V_0(0), W_0(0)" likewise.',
)
_claim(
    "prop3.M0",
    Q.M0_sum,
    "<=",
    2 * sp.sqrt(Q.q * Q.m),
    "On the event of Lemma 20 the initial norms stay below 2√(qm), since q >= max(d, d').",
    r"M_0 = \max(\|A^L(0)\|_F, \|V_0^L(0)\|_F+\|W_0^L(0)\|_F, \|B^L(0)\|_F) \le 2\sqrt{qm}",
    Tool.SUPREMUM,
    hypotheses=(_INIT, _EVENT),
    inputs="a-priori",
    risk=prop3.RISK,
    premises=("prop3.event", "prop3.start-A", "prop3.start-B", "prop3.start-layers"),
)
for _name, _speed in (("A", A_speed), ("Z", Z_speed_sum), ("B", B_speed)):
    _claim(
        f"prop3.M-pi-{_name}",
        _speed,
        "<=",
        Q.M_pi,
        f"{_name} moves no faster than M_π" + (", in the norm ‖V‖_F + ‖W‖_F." if _name == "Z" else "."),
        r"M_\pi = \max\Big(\max_A\|\pi(A)\|_F, \max_Z\|\pi(Z)\|, \max_B\|\pi(B)\|_F\Big)",
        Tool.SUPREMUM,
        regimes=("clipped-flow",),
        equality=Condition("the clip is saturated, on the block where it is largest", _speed, ">=", Q.M_pi),
        premises=(f"eq5.{'V' if _name == 'Z' else _name}",),
    )
_NORM = "Appendix A, page 15: for a vector ‖.‖ is Euclidean. The sum is another norm, equivalent to it within a factor √2."
_claim(
    "prop3.norm-of-vector",
    Z_euclid,
    "=",
    V_here + W_here,
    "The norm of Z as a vector is the sum of two Frobenius norms, as printed.",
    r"\|Z\| = \|V\|_F + \|W\|_F",
    Tool.DEFINITION,
    expect="sum-norm-witness",
    note=_NORM,
)
_claim(
    "prop3.norm-of-vector",
    Z_euclid,
    "=",
    sp.sqrt(V_here**2 + W_here**2),
    "The norm of Z as a vector is the root of the sum of squares.",
    r"\|Z\|^2 = \|V\|_F^2 + \|W\|_F^2",
    Tool.DEFINITION,
    edition="corrected",
)
_claim(
    "prop3.norms-lower",
    Z_euclid,
    "<=",
    V_here + W_here,
    "The sum of the Frobenius norms bounds the Euclidean norm.",
    r"\|Z\| \le \|V\|_F + \|W\|_F",
    Tool.TRIANGLE,
    edition="explicit",
    premises=("prop3.norm-of-vector",),
    equality=Condition("one block is nothing beside the other", minimum(V_here, W_here), "<=", maximum(V_here, W_here) / 10**12),
)
_claim(
    "prop3.norms-upper",
    V_here + W_here,
    "<=",
    sp.sqrt(2) * Z_euclid,
    "It is at most √2 times the Euclidean norm: for equal norms of V and W.",
    r"\|V\|_F + \|W\|_F \le \sqrt2\|Z\|",
    Tool.CAUCHY_SCHWARZ,
    edition="explicit",
    premises=("prop3.norm-of-vector",),
    equality=Condition("the norms of V and W agree", V_here, "=", W_here),
)
_claim(
    "prop3.max-norm",
    Q.gap_here,
    "=",
    sp.sqrt(gap_V**2 + gap_W**2),
    "What Proposition 3 bounds is part of the Euclidean successive difference, and so at most that.",
    r"\max(\|V_{k+1}-V_k\|_F, \|W_{k+1}-W_k\|_F)^2 \le \|Z_{k+1}-Z_k\|^2 = \|V_{k+1}-V_k\|_F^2 + \|W_{k+1}-W_k\|_F^2",
    Tool.DEFINITION,
    edition="explicit",
    premises=("prop3.norm-of-vector",),
)
_STEP_TEX = r"\|\partial_2f(h_{k-1,i},Z_k)^\top p_{k,i}\| \le \|\partial_2f(h_{k-1,i},Z_k)\|_2 \|p_{k,i}\|"
for _edition, _lhs, _factor, _meaning, _expect in (
    ("as-printed", descent_sum, sp.Integer(1), "The step of (20) in the sum norm with the Euclidean operator norm.", "sum-norm-witness"),
    ("corrected", descent_sum, sp.sqrt(2), "The step of (20) in the sum norm, with the factor √2 that it costs.", None),
    ("sharpened", descent, sp.Integer(1), "The step of (20) in the Euclidean norm.", None),
):
    _claim(
        "prop3.operator-norm",
        _lhs,
        "<=",
        _factor * pull,
        _meaning,
        (r"\text{sum norm: }" if _edition != "sharpened" else "") + _STEP_TEX.replace(r"\le", r"\le\sqrt2" if _factor != 1 else r"\le"),
        Tool.CAUCHY_SCHWARZ,
        edition=_edition,
        regimes=("plain-flow",),
        expect=_expect,
        note="Proposition 7 is applied in the norm of B.3, its constants are in that of Appendix A: α and β gain a factor √2 at most.",
        equality=Condition("all samples pull along one singular direction of ∂₂f, blocks alike", _lhs, ">=", _factor * pull),
        premises=("prop3.norm-of-vector", "eq15.V", "eq15.W"),
    )

differ(
    Difference(
        "d-prop3-sum-norm",
        Source("Proposition 3", "proof", "", 32),
        r"\text{In particular, } \|Z\| = \|V\|_F + \|W\|_F",
        r"\|Z\|^2 = \|V\|_F^2 + \|W\|_F^2 \text{ (or } \alpha, \beta \text{ times } \sqrt2)",
        "holds with another constant",
        "The bound by M holds in both norms. The constants α and β of Proposition 7 are Euclidean: in the sum norm both gain a factor "
        "√2; that some K with K/L exists is untouched.",
        (
            "Witness q = m = n = 1, L = 1: ‖∂₂fᵀp‖ in the sum norm exceeds ‖∂₂f‖₂‖p‖ by the factor √2 up to 1e-6.",
            "∂₂f = (σ(Wh), Vσ'(Wh)h) for q = m = 1: with equal entries s, |s| + |s| = √2 √(s² + s²). Equivalence of norms gives √2 in "
            "general.",
        ),
        "depthlimit replay sum-norm-witness --implementation numpy",
    )
)
differ(
    Difference(
        "d-prop3-layer-zero",
        Source("Proposition 3", "proof", "", 32),
        r"M_0 = \max(\|A^L(0)\|_F, \|V_0^L(0)\|_F+\|W_0^L(0)\|_F, \|B^L(0)\|_F),\quad Z_k^L(0) = Z_{k+1}^L(0),\ k \in \{1,\dots,L\}",
        r"M_0 = \max(\|A^L(0)\|_F, \max_k(\|V_k^L(0)\|_F+\|W_k^L(0)\|_F), \|B^L(0)\|_F),\quad k \in \{1,\dots,L-1\}",
        "misprint without consequence",
        "Layers are numbered from 1 to L in (3): Z_0 and Z_{L+1} do not exist. All layers are equal at t = 0, so any of them serves.",
        (
            "The equality of layers k and k + 1 is checked for k = 1..L-1 on every instance that starts as in Section 3.",
            "(3) uses V_{k+1}, W_{k+1} for k in {0, ..., L-1}; Proposition 7 has sup_s ‖Z^init(s)‖ in this place.",
        ),
        "depthlimit explain prop3.start-layers",
    )
)
