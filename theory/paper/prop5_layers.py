r"""Proof of Proposition 5, pages 34 and 35: the activations at each layer, the sum over layers, c₁ to c₄ and δ; Remark 2.

The sum runs over k = 1..⌊x⌋ with x = Lη/(C₂√(nq)) = L/(c₂√(nq)) and takes ∂ℓ/∂V_{k+1}. For c₂√(nq) < 1 that is more than the L - 1 layers
there are, and nothing on the page excludes it: c₁ does not depend on the scale of σ, c₂ falls with it. The true ratio is of the order of
K_σ², the printed c₄ of the order of K_σ, so that below some K_σ (about 10⁻⁶) the printed c₄ is false. With the layers that exist, and
the first one, which counts as well, the sum has min(⌊x⌋ + 1, L) >= L min(1/(c₂√(nq)), 1) terms, whence

    μ = (C₃²η²/n) min(1/(c₂√(nq)), 1) = min(2c₄/(n√(nq)), C₃²η²/n)

for every L. For c₂√(nq) >= 1 the printed constants hold, with little power: the ratio is 400 times μ at least, at c₂√(nq) = 1, n > d
and y orthogonal to the rows of x (most layers are dropped, the floor is halved, s_min(S̄)² is counted as mη²/64), and 10¹⁰ times where
n <= d, since there A and B alone fit the data at the rate 4s_min(x)²/n.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from depthlimit.theory.claim import Condition, Role, Tool
from depthlimit.theory.paper import prop5_setting as P
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.prop5_steps import ALIGNED, line
from depthlimit.theory.paper.prop11_setting import k_step as k
from depthlimit.theory.paper.unclipped import M_sigma
from depthlimit.theory.quantity import maximum, minimum

_STILL = Condition("the activations have not moved", P.at_S_drift, "<=", sp.Integer(0), trivial=True)
_DRIFT = r"\Big\|\sigma\Big(\frac1{\sqrt q}W_{k+1}h_k\Big)-\sigma\Big(\frac1{\sqrt q}\bar W\bar Ax\Big)\Big\|_F"
_SMIN = r"s_{\min}\Big(\sigma\Big(\frac1{\sqrt q}W_{k+1}h_k\Big)\Big)"
_START = r"s_{\min}\Big(\sigma\Big(\frac1{\sqrt q}\bar W\bar Ax\Big)\Big)"
_GRADIENT = (
    r"\Big\|\frac{\partial\ell}{\partial A}\Big\|_F^2+L\sum_{k=1}^L\Big\|\frac{\partial\ell}{\partial Z_k}\Big\|_F^2"
    r"+\Big\|\frac{\partial\ell}{\partial B}\Big\|_F^2"
)
_PRIORI: dict[str, Any] = {"inputs": "a-priori", "tool": Tool.DEFINITION}

# --- page 34: the activations
line("prop5.s-perturbed", P.at_s + P.at_S_drift, ">=", Q.s0, "The activations of a layer against those at the centre.",
     rf"{_SMIN} \ge {_START}-{_DRIFT}", 34, premises=("lemma18.perturbation",), tool=Tool.PERTURBATION, equality=ALIGNED)  # fmt: skip
line("prop5.s-tilde", Q.s0, "=", P.s_tilde, "Only d columns of W̄ meet the data.", rf"{_START} = s_{{\min}}(\sigma(\tilde W\tilde x))", 34,
     tool=Tool.DEFINITION)  # fmt: skip
_TAIL = r"\exp\Big(-\frac{3m\eta_r^2(\sigma)}{64M_\sigma^2n}\Big)"
_PAIRS = r"2n^2\exp\Big(-\frac d{2v_x^2}\Big(\frac3{4n}\Big)^{2/r}\Big)"
_21 = Q.n * P.delta_S + P.delta_x
line("prop5.delta-34", P.delta_S + P.delta_x, "=", _21, "The probability of page 34 is that of Lemma 21.",
     rf"1-{_TAIL}-{_PAIRS}", 34, needs=P.BOUNDED, expect="prop5-literal-witness",
     note="Lemma 21 and page 35 have n in front of the first exponential.", **_PRIORI)  # fmt: skip
line("prop5.delta-34", P.delta_W + _21, "=", P.DELTA, "The failures of Lemmas 20 and 21 add up to δ.",
     rf"1-n{_TAIL}-{_PAIRS}", 34, needs=P.BOUNDED, edition="corrected", **_PRIORI)  # fmt: skip
line("prop5.drift-split", P.at_S_drift, "<=",
     Q.K_sigma / sp.sqrt(Q.q) * (P.dist_W * P.at_h + P.W_bar * P.at_h_drift + P.W_bar * P.at_A_drift),
     "The change of the activations in three parts.",
     rf"{_DRIFT} \le \frac{{K_\sigma}}{{\sqrt q}}\Big(\|W_{{k+1}}-\bar W\|_F\|h_k\|_F+\|\bar W\|_F\|h_k-Ax\|_F"
     r"+\|\bar W\|_F\|Ax-\bar Ax\|_F\Big)", 34, tool=Tool.TRIANGLE, equality=_STILL)  # fmt: skip
_H = 4 * sp.sqrt(2) * Q.K_sigma * k / Q.L * sp.exp(P.a) * P.root_nq
line("prop5.h-drift", P.at_h_drift, "<=", _H, "The hidden states change little in the first layers.",
     r"\|h_k-Ax\|_F = \Big\|\sum_{j=1}^k\frac1{L\sqrt m}V_j\sigma\Big(\frac1{\sqrt q}W_jh_{j-1}\Big)\Big\|_F"
     r" \le \frac{4\sqrt2K_\sigma k}L\exp(2\sqrt2K_\sigma)\sqrt{qn}", 34, hypotheses=(*P.LINE_48, *P.DATA),
     premises=("prop5.h-bound",), tool=Tool.TRIANGLE, equality=Condition("k = 0", k, "=", sp.Integer(0), trivial=True))  # fmt: skip
line("prop5.A-drift", P.at_A_drift, "<=", P.dist_A * Q.XF, "The first hidden states against those at the centre.",
     r"\|Ax-\bar Ax\|_F \le \|A-\bar A\|_F\|x\|_F", 34, tool=Tool.CAUCHY_SCHWARZ,
     equality=Condition("A moves along the data", P.at_A_drift, "=", P.dist_A * Q.XF))  # fmt: skip
line("prop5.A-drift-bound", P.dist_A * Q.XF, "<=", P.eta / (32 * sp.sqrt(2) * Q.K_sigma), "Their change is bounded by the radius.",
     r"\|A-\bar A\|_F\|x\|_F \le \frac{\eta_r(\sigma)}{32\sqrt2K_\sigma}", 34, hypotheses=(*P.DATA, *P.ball(P.M)),
     premises=("prop5.near-A",))  # fmt: skip
_ROOT_M = sp.sqrt(Q.m) * P.eta / 32
_FIRST = Q.K_sigma * sp.exp(P.a) * sp.sqrt(Q.n) * (1 + sp.sqrt(Q.q * Q.m) * 8 * Q.K_sigma * k / Q.L) + _ROOT_M
_SECOND = P.C_1 * sp.sqrt(Q.n) + P.C_2 * sp.sqrt(Q.n * Q.q * Q.m) * k / (16 * Q.L) + _ROOT_M
line("prop5.drift", P.at_S_drift, "<=", _FIRST, "The change of the activations at each layer.",
     rf"{_DRIFT} \le K_\sigma\exp(2\sqrt2K_\sigma)\sqrt n\Big(1+\sqrt{{qm}}\frac{{8K_\sigma k}}L\Big)+\sqrt m\frac{{\eta_r(\sigma)}}{{32}}",
     34, hypotheses=(*P.DATA, *P.EVENT_W, *P.ball(P.M)), tool=Tool.TRIANGLE,
     premises=("prop5.drift-split", "prop5.h-drift", "prop5.A-drift-bound", "prop5.h-bound"))  # fmt: skip
line("prop5.drift-constants", _FIRST, "=", _SECOND, "The same with C₁ and C₂: as printed, <=, with equality.",
     r"K_\sigma\exp(2\sqrt2K_\sigma)\sqrt n\Big(1+\sqrt{qm}\frac{8K_\sigma k}L\Big) \le C_1\sqrt n+C_2\frac{\sqrt{nqm}k}{16L}", 34,
     **_PRIORI)  # fmt: skip
line("prop5.c1-used", P.C_1 * sp.sqrt(Q.n), "<=", _ROOT_M, "What m >= c₁n is for.",
     r"C_1\sqrt n \le \frac1{32}\sqrt m\eta_r(\sigma)", 34, inputs="a-priori", hypotheses=(P.SIZES[1],))  # fmt: skip
_NEEDED = (*P.DATA, P.SIZES[1], *P.EVENT_W, *P.EVENT_S, *P.ball(P.M))
line("prop5.s-layer", P.at_s + sp.sqrt(Q.m) * P.C_2 / 16 * P.root_nq * k / Q.L, ">=", sp.Rational(3, 16) * sp.sqrt(Q.m) * P.eta,
     "The activations of a layer from below.",
     rf"{_SMIN} \ge \sqrt m\Big(\frac3{{16}}\eta_r(\sigma)-\frac{{C_2}}{{16}}\sqrt{{nq}}\frac kL\Big)", 34, hypotheses=_NEEDED,
     premises=("prop5.s-perturbed", "prop5.drift", "prop5.c1-used"))  # fmt: skip
_BEYOND = maximum(0, P.C_2 * P.root_nq * k / Q.L - P.eta)  # 0 for k <= x, as the line assumes
line("prop5.s-eighth", P.at_s + sp.sqrt(Q.m) / 16 * _BEYOND, ">=", sp.sqrt(Q.m) * P.eta / 8,
     "The activations of the first ⌊x⌋ + 1 layers from below; past them the line says less, and is compared with that.",
     rf"{_SMIN} \ge \frac18\sqrt m\eta_r(\sigma),\quad k \le \frac{{L\eta_r(\sigma)}}{{C_2\sqrt{{nq}}}}", 34, hypotheses=_NEEDED,
     premises=("prop5.s-layer",))  # fmt: skip
_ROOT_LOSS = sp.sqrt(Q.ball_loss)
line("prop5.grad-V-layer", P.at_grad_V + P.C_3 / 2 * _BEYOND * _ROOT_LOSS / (Q.L * sp.sqrt(Q.n)), ">=",
     P.C_3 * P.eta / (Q.L * sp.sqrt(Q.n)) * _ROOT_LOSS, "The gradient in V of the first ⌊x⌋ + 1 layers from below.",
     r"\Big\|\frac{\partial\ell}{\partial V_{k+1}}\Big\|_F \ge \frac1{8L\sqrt n}\eta_r(\sigma)\exp(-2\sqrt2K_\sigma)\sqrt\ell"
     r" = \frac{C_3\eta_r(\sigma)}{L\sqrt n}\sqrt\ell", 34, hypotheses=P.PRINTED,
     premises=("prop5.grad-V-loss", "prop5.s-eighth"))  # fmt: skip

# --- pages 34 and 35: the sum over layers
_FLOOR, _FLOORED = sp.floor(P.x), r"\lfloor L\eta_r(\sigma)/(C_2\sqrt{nq})\rfloor"
_INDEX = "∂ℓ/∂Z_{k+1} in the sum from 1 to L is printed for ∂ℓ/∂Z_k."
line(
    "prop5.sum",
    Q.ball_gradient2,
    ">=",
    Q.L * P.at_sum_V,
    "The gradient is at least its part in V_2..V_{k+1}.",
    rf"{_GRADIENT} \ge L\sum_{{k=1}}^{{{_FLOORED}}}\Big\|\frac{{\partial\ell}}{{\partial V_{{k+1}}}}\Big\|_F^2",
    34,
    note=_INDEX,
)
line("prop5.range", _FLOOR + 1, "<=", Q.L, "V_{k+1} exists for every k of the sum.",
     rf"1 \le k \le {_FLOORED} \Rightarrow k+1 \le L", 34, inputs="a-priori", hypotheses=P.SIZES,
     expect="prop5-scale-witness", note="False for c₂√(nq) <= 1, where the sum has more terms than there are layers.")  # fmt: skip
line("prop5.range", _FLOOR + 1, "<=", Q.L, "V_{k+1} exists for every k of the sum.",
     rf"c_2\sqrt{{nq}} > 1,\ L \ge c_2\sqrt{{nq}} \Rightarrow {_FLOORED}+1 \le L", 34, inputs="a-priori", edition="corrected",
     hypotheses=(*P.SIZES, Condition("c_2 √(nq) > 1", P.c_2 * P.root_nq, ">=", 1 + sp.Rational(1, 10**9))))  # fmt: skip
line("prop5.floor", _FLOOR, ">=", P.x / 2, "A floor is at least half its argument.",
     r"\lfloor x\rfloor \ge \frac x2,\quad x \ge 1", 35, inputs="a-priori",
     hypotheses=(Condition("x >= 1", P.x, ">=", sp.Integer(1)),))  # fmt: skip
_EACH = P.C_3**2 * P.eta**2 / (Q.L**2 * Q.n)
_SCALE = "The sum is over more layers than there are where c₂√(nq) < 1, and below K_σ of about 10⁻⁶ the bound is false."
_READ = r"\min\Big(\frac1{c_2\sqrt{nq}}, 1\Big)\frac{C_3^2\eta_r(\sigma)^2}n"
_TRUE = minimum(1 / (P.c_2 * P.root_nq), 1) * P.C_3**2 * P.eta**2 / Q.n
_ANY = tuple(c for c in P.PRINTED if c is not P.SIZES[2])
for _label, _printed, _tex, _corrected, _true_tex, _role, _page, _part in (
    ("sum-floor", Q.L * _FLOOR * _EACH, rf"{_GRADIENT} \ge L{_FLOORED}\frac{{C_3^2\eta_r(\sigma)^2}}{{L^2n}}\ell",
     Q.L * minimum(_FLOOR + 1, Q.L) * _EACH, rf"{_GRADIENT} \ge L\min({_FLOORED}+1, L)\frac{{C_3^2\eta_r(\sigma)^2}}{{L^2n}}\ell",
     Role.STEP, 34, "proof"),
    ("pl-proved", P.C_3**2 * P.eta**3 / (2 * P.C_2 * Q.n * P.root_nq),
     rf"{_GRADIENT} \ge \frac{{C_3^2\eta_r(\sigma)^3}}{{2C_2n\sqrt{{nq}}}}\ell", _TRUE, rf"{_GRADIENT} \ge {_READ}\ell",
     Role.STEP, 34, "proof"),
    ("pl", P.c_4 / (Q.n * sp.sqrt(Q.n) * Q.q), rf"{_GRADIENT} \ge \frac{{c_4}}{{n\sqrt n\,q}}\ell", _TRUE, rf"{_GRADIENT} \ge {_READ}\ell",
     Role.RESULT, 6, "statement, Definition 1"),
):  # fmt: skip
    _premises = {"sum-floor": ("prop5.grad-V-layer", "prop5.sum", "prop5.range"), "pl-proved": ("prop5.sum-floor", "prop5.floor"),
                 "pl": ("prop5.pl-proved",)}[_label]  # fmt: skip
    line(f"prop5.{_label}", Q.ball_gradient2, ">=", _printed * Q.ball_loss, "The local PL condition of Proposition 5 on its event.",
         _tex, _page, part=_part, role=_role, hypotheses=P.PRINTED, tool=Tool.POLYAK_LOJASIEWICZ, premises=_premises,
         expect="prop5-scale-witness", note=_SCALE)  # fmt: skip
    line(f"prop5.{_label}", Q.ball_gradient2, ">=", _corrected * Q.ball_loss,
         "The local PL condition with the layers that exist, for every depth.", _true_tex, _page, part=_part, role=_role,
         edition="corrected", hypotheses=_ANY, tool=Tool.POLYAK_LOJASIEWICZ, premises=_premises)  # fmt: skip
line("prop5.pl", Q.ball_gradient2, ">=", P.c_4 / (Q.n * sp.sqrt(Q.n) * Q.q) * Q.ball_loss,
     "The local PL condition as printed where c₂√(nq) >= 1.", rf"{_GRADIENT} \ge \frac{{c_4}}{{n\sqrt n\,q}}\ell", 6,
     part="statement, Definition 1", role=Role.RESULT, edition="explicit", hypotheses=(*P.DEEP, *P.PRINTED),
     tool=Tool.POLYAK_LOJASIEWICZ, premises=("prop5.pl-proved",),
     note="The ratio is 400 times μ at least, at c₂√(nq) = 1, n > d and y orthogonal to the rows of x: most layers are "
          "dropped, the floor is halved, s_min(S̄)² is counted as mη²/64. For n <= d it is 10¹⁰ times: A and B fit the data.")  # fmt: skip

# --- page 35: the constants
_K = Q.K_sigma
for _name, _first, _second, _tex in (
    ("c1", maximum(2**10 * P.C_1**2 / P.eta**2, 1), P.c_1,
     r"c_1 = \max\Big(\frac{2^{10}C_1^2}{\eta_r(\sigma)^2}, 1\Big) ="
     r" \max\Big(\frac{2^{10}K_\sigma^2\exp(4\sqrt2K_\sigma)}{\eta_r(\sigma)^2}, 1\Big)"),
    ("c2", P.C_2 / P.eta, P.c_2, r"c_2 = \frac{C_2}{\eta_r(\sigma)} = \frac{128K_\sigma^2\exp(2\sqrt2K_\sigma)}{\eta_r(\sigma)}"),
    ("c4", P.C_3**2 * P.eta**3 / (2 * P.C_2), P.c_4,
     r"c_4 = \frac{C_3^2\eta_r(\sigma)^3}{2C_2} = \frac{\eta_r(\sigma)^3}{2^{14}K_\sigma^2\exp(6\sqrt2K_\sigma)}"),
):  # fmt: skip
    line(f"prop5.{_name}", _first, "=", _second, f"The two forms of {_name[0]}_{_name[1]}.", _tex, 35, **_PRIORI)
_ROOTS = r"\frac{C_3^2\eta_r(\sigma)^3}{2C_2n\sqrt{nq}}"
_PROVED = P.C_3**2 * P.eta**3 / (2 * P.C_2 * Q.n * P.root_nq)
line("prop5.mu-root", P.c_4 / (Q.n * sp.sqrt(Q.n) * Q.q), "=", _PROVED, "The μ that is stated is the μ that is proved.",
     rf"\frac{{c_4}}{{n\sqrt n\,q}} = {_ROOTS}", 35, expect="prop5-scale-witness",
     note="The root is over n on pages 6 and 35 and over nq on page 34: the statement is weaker than its proof by √q.",
     **_PRIORI)  # fmt: skip
line("prop5.mu-root", P.c_4 / (Q.n * P.root_nq), "=", _PROVED, "The μ that could be stated is the μ that is proved.",
     rf"\frac{{c_4}}{{n\sqrt{{nq}}}} = {_ROOTS}", 35, edition="corrected", **_PRIORI)  # fmt: skip
_REMARK: dict[str, Any] = {"item": "Remark 2", "part": "", "inputs": "a-priori", "role": Role.RESULT}
line("remark2.order", P.delta_x, "<=", 2 * Q.n**2 * sp.exp(-Q.d / (2 * P.v_x2) * sp.exp(sp.log(3 / (4 * Q.n)))),
     "A larger r makes the last term smaller: (53) for ε = 1 >= 2/r.",
     r"2n^2\exp\Big(-\frac d{2v_x^2}\Big(\frac3{4n}\Big)^{2/r}\Big) \le 2n^2\exp\Big(-\frac d{2v_x^2}\Big(\frac3{4n}\Big)^\varepsilon\Big)",
     35, eq="(53)", hypotheses=(Condition("r >= 2", P.r, ">=", sp.Integer(2)),),
     equality=Condition("r = 2", P.r, "=", sp.Integer(2), trivial=True), **_REMARK)  # fmt: skip
line(
    "remark2.dirac",
    2 * Q.n**2 * sp.exp(-Q.d / 2 * (2 * sp.log(2) / Q.d) * P.pair),
    ">=",
    sp.Integer(1),
    "With one Dirac, v_x² = d/(2 ln 2) and the bound is void.",
    r"v_x^2 = \frac d{2\ln2} \Rightarrow \delta \ge 1",
    35,
    **_REMARK,
)
line(
    "remark2.first-terms",
    P.delta_W + Q.n * P.delta_S,
    "<=",
    2 * Q.n * sp.exp(-Q.m * P.eta**2 / (64 * M_sigma**2 * Q.n)),
    "The first two terms vanish as m grows: both fall exponentially with it.",
    r"\exp\Big(-\frac{qm}{16}\Big)+n\exp\Big(-\frac{3m\eta_r^2(\sigma)}{64M_\sigma^2n}\Big) \to 0",
    35,
    needs=P.BOUNDED,
    **_REMARK,
)
