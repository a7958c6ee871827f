r"""What becomes of Theorem 4 without smoothness: ReLU, and layers that start independent.

**The chain of Appendix D.** P = (1 + w/2L)^L has P' = x²(C - P)P^{2-2/L}. As L grows, P(0) tends to 1 and P' to x²(C - P)P², which has
the integral

    ln(P(C-1)/(C-P)) + C(1 - 1/P) = C² x² t,

and w = 2L(P^{1/L} - 1) tends to 2 ln P: outputs and even weights have limits at every t > 0, while odd weights tend to 0. So (8) has no
limit in s, only a weak one. Half of the layers are trained, λ = 1/2. From w_k(0) = 1/(2L) at every layer all are, λ = 1: P is
(1 + w/2L)^{2L}, and P' tends to 2x²(C - P)P², twice the speed. Both starts tend to the same function of s, which is 0, and lie 1/L apart;
but their limits differ, so with ReLU the limit of training is no function of the limit of the initialisation. The neural ODE that is
trained from the limit has the speed of λ = 1. With a C² activation the two limits agree.

**Model (3), V = 1 and the chain's W.** Train V and W from V_k = 1, W_k = (-1)^k/(2L), q = m = 1, A = B = 1, x = 1, y > F. Odd layers
rest: σ and σ' vanish. On even ones V_k >= 1, and states and adjoints only grow, so W_k' >= 2(y - F(T)), F being monotone: successive
weights end 1/L + 2T(y - F(T)) apart at least.

**No flow at all.** Two samples, x = 1 and -1, y = x - 1, and V_k = 1, W_k = ε: the first alone is seen and W_k' = -1 - O(ε); from W_k = -ε
the second alone, and W_k' = 1 + O(ε). The field points at W = 0 from both sides, and no differentiable curve solves (4) beyond it.
It happens from the paper's initialisation too: `test_the_flow_of_relu_ends_at_the_kink_from_the_start_of_the_paper_too`.

**Model (3), equal layers.** Where no argument of σ vanishes at the start the activation is linear near each, so the flow is smooth until
one changes its sign, and Z^L converges like 1/L; the counterexample needs weights at the kink.

**Independent layers.** Z_k^L(T) and Z_{2k}^{2L}(T) belong to the same s = k/L and start from independent draws. By
`identities.displacement` the first move by (Tℓ^L(0))^{1/2} in mean square over the layers and the second, every other layer of 2L, by
(2Tℓ^{2L}(0))^{1/2}, so (Z^L) is no Cauchy sequence in the mean square over s. Outputs are averages over the layers: those of two draws
come together like L^{-1/2}, not like 1/L.
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import hypotheses
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.appendix_d import C, ReLU, x
from depthlimit.theory.paper.quantities import B_
from depthlimit.theory.quantity import maximum, minimum
from depthlimit.theory.registry import quantity, register

SPREAD_RISK = sp.Rational(1, 10**6)  # per ladder, split over its two depths
KINK = sp.Rational(1, 2**20)  # the distance from the kink at which the field is taken

ratio = quantity(
    "relu_ratio",
    r"\lim_{L\to\infty}\frac{\max_k|w^{2L}_{k+1}-w^{2L}_k|}{\max_k|w^L_{k+1}-w^L_k|}",
    (B_,),
    "largest successive difference at T at twice the depth over that at L, extrapolated in 1/L",
    local=False,
).symbol
weight_limit = quantity(
    "relu_w_limit",
    r"\lim_{L\to\infty}w_{2L}(T)",
    (B_,),
    "last weight, extrapolated in 1/L: from signs that alternate, and from equal ones",
    local=False,
).symbol
P = quantity(
    "relu_P",
    r"\lim_{L\to\infty}\frac{h_{2L}(T)}x",
    (B_,),
    "output over input, extrapolated in 1/L: from signs that alternate, and from equal ones",
    local=False,
).symbol
P_equal = quantity("relu_P_equal", r"P_+", (), "the same from equal signs", local=False).symbol
share = quantity("relu_share", r"\lambda", (B_,), "share of the layers that are trained: 1/2 and 1", exact=True).symbol
ratio_depths = quantity(
    "depths_ratio",
    r"\lim_{L\to\infty}\frac{\|Z^{4L}-Z^{2L}\|}{\|Z^{2L}-Z^L\|}",
    (B_,),
    "root mean square over layers of Z_{2k}^{2L}(T) - Z_k^L(T), at twice the depth over that at L, extrapolated in 1/L",
    local=False,
).symbol
model_gap = quantity(
    "relu_model_gap", r"\min_k\|Z_{k+1}(T)-Z_k(T)\|", (B_,), "smallest successive difference of (3) with ReLU, per depth", local=False
).symbol
model_margin = quantity("relu_model_margin", r"y-F^L(x;T)", (B_,), "what its output lacks", local=False).symbol
inward = quantity(
    "relu_inward",
    r"\min(-\dot W|_{W=\varepsilon},\dot W|_{W=-\varepsilon})",
    (B_,),
    "speed towards the kink, on the slower side",
    signed=True,
).symbol
apart = quantity(
    "layers_depths_apart",
    r"\Big(\tfrac1L\sum_k\|Z_{2k}^{2L}(0)-Z_k^L(0)\|^2\Big)^{1/2}",
    (B_,),
    "root mean square distance of the initial weights at L and 2L",
    local=False,
).symbol
trained_apart = quantity(
    "layers_depths_end", r"\Big(\tfrac1L\sum_k\|Z_{2k}^{2L}(T)-Z_k^L(T)\|^2\Big)^{1/2}", (B_,), "the same of the trained ones", local=False
).symbol
reach = quantity(
    "layers_depths_reach", r"\sqrt{T\ell^L(0)}+\sqrt{2T\ell^{2L}(0)}", (B_,), "how far the two can come nearer to each other", local=False
).symbol
spread, spread_deep = (
    quantity(
        name,
        rf"\sqrt{{{depth}}}\,\mathrm{{median}}|F^{{{depth}}}-\tilde F^{{{depth}}}|",
        (B_,),
        f"median distance of the outputs of two networks of width 1 trained from independent layers, times the root of the depth, {which}",
        local=False,
    ).symbol
    for name, depth, which in (("iid_spread", "L_1", "at the least depth"), ("iid_spread_deep", "L_2", "at the largest"))
)

_IS_RELU = Condition("σ is ReLU", ReLU, "=", sp.Integer(1))
_SMOOTH = Condition("σ is smooth", ReLU, "=", sp.Integer(0))
_CHAIN = Source("Appendix D", "as L tends to infinity", "", 39)
_THM4 = Source("control", "ReLU and independent layers in Theorem 4", "", 5)


def _control(label: str, source: Source, regime: str, lhs: sp.Expr, relation: str, rhs: sp.Expr, meaning: str, tex: str, **more) -> Claim:  # type: ignore[no-untyped-def]
    settings = {"role": Role.CONTROL, "edition": "explicit", "inputs": "along-trajectory", **more}
    return register(Claim(label, lhs, relation, rhs, source=source, regimes=(regime,), meaning=meaning, tex=tex, **settings))


_control(
    "relu.ladder-ratio",
    _CHAIN,
    "relu-ladder",
    ratio,
    "=",
    (1 + ReLU) / 2,
    "From the same start, whose successive weights are 1/L apart, they end Ω(1) apart with ReLU and O(1/L) with a smooth activation.",
    r"\max_k|w_{k+1}(T)-w_k(T)| \sim L^{\lambda},\quad \lambda = 0\ \text{for ReLU},\ -1\ \text{for}\ \sigma\in C^2",
    note="The start is no discretisation of a Lipschitz function: Proposition 7 needs successive weights O(1/L) apart and no more.",
    premises=("relu.gap", "relu.smooth"),
    tool=Tool.EXTRAPOLATION,
)
_control(
    "relu.ladder-weights",
    _CHAIN,
    "relu-ladder",
    weight_limit,
    "=",
    sp.log(P) / share,
    "With ReLU the weights that are trained have a limit at every time, off 0; those beside them stay at -1/(2L).",
    r"\lim_{L\to\infty}w_{2k}(T) = \frac1\lambda\log P(T)",
    hypotheses=(_IS_RELU,),
    premises=("relu.product",),
    tool=Tool.EXTRAPOLATION,
)
_control(
    "relu.ladder-time",
    _CHAIN,
    "relu-ladder",
    sp.log(P * (C - 1) / (C - P)) + C * (1 - 1 / P),
    "=",
    2 * share * C**2 * x**2 * Q.T,
    "Outputs have a limit with ReLU too, and it depends on the signs of initial weights of order 1/L: the limit of training is no function "
    "of the limit of the initialisation.",
    r"\log\frac{P(C-1)}{C-P}+C\Big(1-\frac1P\Big) = 2\lambda C^2x^2T",
    hypotheses=(_IS_RELU,),
    premises=("relu.ode",),
    tool=Tool.EXTRAPOLATION,
)
_control(
    "relu.ladder-same",
    _CHAIN,
    "relu-ladder",
    P,
    "=",
    P_equal,
    "With a smooth activation two starts that are 1/L apart have the same limit.",
    r"P_\pm(T) = P_+(T)",
    hypotheses=(_SMOOTH,),
    needs=frozenset({"C2", "lipschitz", "zero-at-zero"}),
    premises=("relu.smooth",),
    tool=Tool.EXTRAPOLATION,
)
_control(
    "control.relu-tied",
    _THM4,
    "depth-ladder",
    ratio_depths,
    "=",
    sp.Rational(1, 2),
    "With ReLU and equal layers, none of them at the kink, trained weights converge like 1/L: the counterexample needs weights near 0.",
    r"\|Z^{2L}(T)-Z^L(T)\| \sim L^{-1}",
    hypotheses=(_IS_RELU,),
    note="Measured. Until an argument of σ changes its sign the flow is that of a linear activation; later it has corners in s.",
    tool=Tool.EXTRAPOLATION,
)
_control(
    "control.relu-model",
    _THM4,
    "counterexamples",
    model_gap,
    ">=",
    1 / hypotheses.depth + 2 * Q.T * model_margin,
    "Appendix D in model (3): V_k = 1 and W_k = (-1)^k/(2L) end Ω(1) apart from layer to layer.",
    r"\|Z_{k+1}^L(T)-Z_k^L(T)\| \ge \frac1L+2T(y-F^L(x;T))",
    tool=Tool.TRIANGLE,
)
_control(
    "hypothesis.sigma-C1",
    Source("hypothesis", "σ differentiable", "(4)", 3),
    "counterexamples",
    inward,
    ">=",
    1 - KINK,
    "With ReLU the field of (4) may point at the kink from both sides: no differentiable solution leads on from there.",
    r"\dot W_k|_{W=0^+} = -1,\quad \dot W_k|_{W=0^-} = 1",
    inputs="a-priori",
    tool=Tool.NONE,
)
_control(
    "control.iid-not-cauchy",
    _THM4,
    "counterexamples",
    trained_apart + reach,
    ">=",
    apart,
    "From independent layers the trained weights at depths L and 2L do not come together: they tend to no function of s.",
    r"\Big(\frac1L\sum_k\|Z_{2k}^{2L}(T)-Z_k^L(T)\|^2\Big)^{1/2} \ge "
    r"\Big(\frac1L\sum_k\|Z_{2k}^{2L}(0)-Z_k^L(0)\|^2\Big)^{1/2}-\sqrt{T\ell^L(0)}-\sqrt{2T\ell^{2L}(0)}",
    premises=("identities.displacement",),
    tool=Tool.TRIANGLE,
)
_control(
    "control.iid-outputs",
    _THM4,
    "iid-ladder",
    maximum(spread, spread_deep),
    "<=",
    2 * minimum(spread, spread_deep),
    "From independent layers trained outputs come together like L^{-1/2}, as averages over the layers do, and not like 1/L.",
    r"\mathrm{median}\,|F^L(x;T)-\tilde F^L(x;T)| \sim L^{-1/2}",
    risk=SPREAD_RISK,
    tool=Tool.EXACT_DISTRIBUTION,
    note="The factor 2 leaves room for depths that are not large. A rate of 1/L, or none, would miss it by the root of L_2/L_1.",
)
