r"""Appendix D (page 39): with ReLU the successive weights of a scalar chain of 2L layers end Ω(1) apart, from a start O(1/L).

    h_{k+1} = h_k + σ(w_{k+1} h_k)/(2L),  w_k(0) = (-1)^k/(2L),  ℓ = (h_{2L} - Cx)²,  C > 1,  x > 0.

With u_j = 1 + w_{2j}/(2L) the chain rule gives

    -∂ℓ/∂w_{2k} = -2(h_{2L} - Cx) ∂h_{2L}/∂w_{2k} = (x²/L) (C - Π_j u_j) Π_{j≠k} u_j,

where the paper prints 2x (C - Π_j u_j) Π_{j≠k} u_j: one factor x and the 1/(2L) are missing. The flow below carries the factor 2L of (4)
(without it the same path is run through 2L times more slowly), so that w = w_{2k} for every k and

    w' = 2x² (C - u^L) u^{L-1},     y = C - u^L,     y' = -x² y u^{2L-2}.

With a C² activation instead, p_k = ∂ℓ/∂h_k, |p| <= P, |h| <= H, |w| <= W, the same chain has

    |(w_{k+1} - w_k)'| <= α|w_{k+1} - w_k| + β/(2L),    α = P H² S2,   β = P H W K_σ (2K_σ + S2 W H).

Where w >= 0, u >= 1, and Grönwall gives |y(t)| <= |y(0)| e^{-x²t}; |dw/dy| = 2u^{1-L} <= 2 then gives
|w* - w(t)| <= 2|y(0)| e^{-x²t}, both with equality for L = 1. w* = 2L(C^{1/L} - 1) >= 2 ln C by (56). The limit and the gap are as
printed: the missing factors rescale time.

They rescale it by 2L, though: along dw/dt = -∂ℓ/∂w as it stands w' = (x²/L) y u^{L-1}, |y| <= |y(0)| and u^L <= max(C, e^{1/4L}), so

    |w(t) - w(0)| <= (x²t/L) |y(0)| max(C, e^{1/4L})

and until any fixed time successive weights stay O(1/L) apart. By the factor of (4), or after times of order L, smoothness is lost.

What the text says of signs needs x > 0 (for x = 0 nothing moves): w_{2k} >= 0 gives h_k >= x, and the argument of σ on an odd layer is
-h_{2k}/(2L). What becomes of the chain as L grows stands in `relu_limit`.
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.difference import Difference, differ
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.quantities import B_, C_, L_, T_
from depthlimit.theory.quantity import maximum
from depthlimit.theory.registry import quantity, register

_BT, _BTL = (B_, T_), (B_, T_, L_)
C = quantity("relu_C", "C", (), "label over input, C = y/x", exact=True).symbol
x = quantity("relu_x", "x", (), "the input", exact=True).symbol
ReLU = quantity("relu_kink", r"1_{\mathrm{ReLU}}", (), "1 if the activation is ReLU", exact=True).symbol
h_last = quantity("relu_h", r"h_{2L}(t)", _BT, "last state of the chain, by its recursion").symbol
product = quantity("relu_product", r"\prod_j(1+w_{2j}/2L)", _BT, "product over the even layers").symbol
others = quantity("relu_others", r"\prod_{j\ne k}(1+w_{2j}/2L)", _BTL, "product over the other even layers").symbol
slope = quantity(
    "relu_descent", r"-\partial\ell/\partial w_{2k}", _BTL, "minus the gradient in the even weights, by backpropagation", signed=True
).symbol
odd = quantity("relu_odd", r"w_{2k+1}(t)", (B_, T_, C_), "odd weights along the flow", local=False).symbol
odd0 = quantity("relu_odd_start", r"w_{2k+1}(0)", (B_, C_), "odd weights at t = 0", exact=True).symbol
even = quantity("relu_even", r"w_{2k}(t)", _BTL, "even weights along the flow", local=False).symbol
speed = quantity("relu_speed", r"\dot w(t)", _BT, "speed of the common value of the even weights, 2L times the descent", signed=True).symbol
w = quantity("relu_w", r"w(t)", _BT, "last even weight of the computed state").symbol
w_ode = quantity("relu_w_ode", r"w(t)", _BT, "solution of the scalar equation, on its own", local=False).symbol
y = quantity("relu_y", r"|C-(1+w(t)/2L)^L|", _BT, "distance of the product from C", local=False).symbol
argument = quantity(
    "relu_argument",
    r"\min_k(-w_{2k+1}(t)h_{2k}(t))",
    _BT,
    "how far the argument of the activation lies below 0 on odd layers, at least",
    signed=True,
).symbol
gap_unscaled = quantity(
    "relu_gap_unscaled",
    r"\max_k|w_{k+1}-w_k|",
    _BT,
    "largest successive difference along dw/dt = -∂ℓ/∂w, without the factor 2L",
    local=False,
).symbol
y0 = quantity("relu_y_start", r"|y(0)|", (), "the same at t = 0", exact=False).symbol
w_star = quantity("relu_w_star", r"w^\star", (), "2L(C^{1/L} - 1), enclosed", exact=False).symbol
power = quantity("relu_power", r"(1+w^\star/2L)^L", (), "the power at w*, enclosed", exact=False).symbol
distance = quantity("relu_distance", r"|w^\star-w(t)|", _BT, "distance of the even weights from their limit", local=False).symbol
gap = quantity("relu_gap", r"\min_k|w_{k+1}-w_k|", _BT, "smallest successive difference along the flow", local=False).symbol
gap_max = quantity("relu_gap_max", r"\max_k|w_{k+1}-w_k|", _BT, "largest successive difference along the flow", local=False).symbol
gap0 = quantity("relu_gap_start", r"|w_{k+1}(0)-w_k(0)|", (), "successive difference at t = 0", exact=True).symbol

P = quantity("relu_p_sup", r"\sup|p_k|", (), "largest adjoint state of the chain along the run", exact=False).symbol
H = quantity("relu_h_sup", r"\sup|h_k|", (), "largest state of the chain along the run", exact=False).symbol
W = quantity("relu_w_sup", r"\sup|w_k|", (), "largest weight of the chain along the run", exact=False).symbol

_IS_RELU = Condition("σ is ReLU", ReLU, "=", sp.Integer(1))
_SMOOTH = Condition("σ is smooth", ReLU, "=", sp.Integer(0))
_POSITIVE = Condition("x > 0 and C > 1", C, ">=", sp.Integer(1))
_D = "Appendix D"
_decay = y0 * sp.exp(-(x**2) * Q.t)


def _claim(label: str, part: str, lhs: sp.Expr, relation: str, rhs: sp.Expr, meaning: str, tex: str, **more) -> Claim:  # type: ignore[no-untyped-def]
    settings = {
        "role": Role.STEP,
        "inputs": "along-trajectory",
        "hypotheses": (_IS_RELU, _POSITIVE),
        "source": Source(_D, part, "", 39),
        **more,
    }
    return register(Claim(label, lhs, relation, rhs, regimes=("relu",), meaning=meaning, tex=tex, **settings))


_claim(
    "relu.start",
    "initialisation",
    gap0,
    "=",
    1 / Q.L,
    "Initially all successive weights are 1/L apart, L being half the depth.",
    r"w_k(0) = \frac{(-1)^k}{2L}",
    role=Role.DEFINITION,
    tool=Tool.DEFINITION,
    hypotheses=(),
)
_claim(
    "relu.odd",
    "odd layers",
    odd,
    "=",
    odd0,
    "The odd layers never move: the argument of σ is negative there.",
    r"w_{2k+1}(t) = w_{2k+1}(0)",
    tool=Tool.CHAIN_RULE,
)
_claim(
    "relu.argument",
    "odd layers",
    argument,
    ">=",
    x / (2 * Q.L),
    "No state lies below x, so the argument of σ is negative on every odd layer, by x/(2L) at least.",
    r"h_k(t) \ge 0,\quad w_{2k+1}(t)h_{2k}(t) < 0",
    edition="sharpened",
    inputs="instantaneous",
    equality=Condition("always: the first layer", ReLU, "=", sp.Integer(1)),
    note="The paper has x >= 0 and h_k >= 0, of which the second half does not follow for x = 0; x > 0 is meant.",
    premises=("relu.odd",),
    tool=Tool.DEFINITION,
)
_claim(
    "relu.product",
    "product",
    h_last,
    "=",
    product * x,
    "The chain multiplies by 1 + w/(2L) at each even layer, and by 1 at each odd one.",
    r"h_{2L}(t) = \prod_{j=1}^L\Big(1+\frac{w_{2j}(t)}{2L}\Big)x",
    premises=("relu.odd",),
    tool=Tool.DEFINITION,
)
_TEX_SLOPE = r"-\frac{\partial\ell}{\partial w_{2k}}(t) = %s\Big(C-\prod_{j=1}^L\Big(1+\frac{w_{2j}(t)}{2L}\Big)\Big)"
_TEX_SLOPE += r"\prod_{j=1,j\ne k}^L\Big(1+\frac{w_{2j}(t)}{2L}\Big)"
_MISSING = "The print lacks a factor x/(2L): ∂h_{2L}/∂w_{2k} = (x/2L) Π_{j≠k}. It rescales time and moves no limit."
for _edition, _factor, _tex, _expect in (
    ("as-printed", 2 * x, "2x", "appendix-d-witness"),
    ("corrected", x**2 / Q.L, r"\frac{x^2}{L}", None),
):
    _claim(
        "relu.gradient",
        "gradient flow",
        slope,
        "=",
        _factor * (C - product) * others,
        "The descent direction in an even weight" + (", as printed." if _expect else ", by the chain rule."),
        _TEX_SLOPE % _tex,
        edition=_edition,
        inputs="instantaneous",
        expect=_expect,
        note=_MISSING,
        premises=("relu.product",),
        tool=Tool.CHAIN_RULE,
    )
_claim(
    "relu.symmetry",
    "symmetry",
    even,
    "=",
    w_ode,
    "All even weights coincide at all times.",
    r"w_{2k}(t) = w(t)",
    tool=Tool.NONE,
    hypotheses=(_IS_RELU,),
    premises=("relu.gradient",),
)
for _edition, _factor, _tex, _expect in (
    ("as-printed", 2 * x, "2x", "appendix-d-witness"),
    ("corrected", 2 * x**2, "2x^2", None),
):
    _claim(
        "relu.ode",
        "scalar equation",
        speed,
        "=",
        _factor * (C - product) * product / (1 + w / (2 * Q.L)),
        "The equation of the common value" + (", as printed." if _expect else "; time runs with the factor 2L of (4)."),
        r"\frac{dw}{dt}(t) = FACTOR\Big(C-\Big(1+\frac{w(t)}{2L}\Big)^L\Big)\Big(1+\frac{w(t)}{2L}\Big)^{L-1}".replace("FACTOR", _tex),
        edition=_edition,
        inputs="instantaneous",
        expect=_expect,
        note=_MISSING + " Without the factor 2L of (4) time runs 2L times more slowly.",
        premises=("relu.symmetry",),
        tool=Tool.CHAIN_RULE,
    )
_claim(
    "relu.decay",
    "Grönwall",
    y,
    "<=",
    _decay,
    "The error of the product decays at least like exp(-x²t); exactly so for two layers.",
    r"y(t) = C-\Big(1+\frac{w(t)}{2L}\Big)^L,\quad |y(t)| \le |y(0)|e^{-x^2t}",
    edition="explicit",
    equality=Condition("L = 1, or t = 0", (Q.L - 1) * Q.t, "=", sp.Integer(0)),
    premises=("relu.ode",),
    tool=Tool.GRONWALL,
)
_claim(
    "relu.limit",
    "limit",
    distance,
    "<=",
    2 * _decay,
    "The even weights tend to w*, at least as fast; with equality for two layers.",
    r"w(t) \to w^\star,\quad |w^\star-w(t)| \le 2|y(0)|e^{-x^2t}",
    edition="explicit",
    equality=Condition("L = 1", Q.L, "=", sp.Integer(1)),
    premises=("relu.decay",),
    tool=Tool.GRONWALL,
)
_claim(
    "relu.limit-equation",
    "limit",
    power,
    "=",
    C,
    "The limit solves (56).",
    r"\Big(1+\frac{w^\star}{2L}\Big)^L = C",
    source=Source(_D, "limit", "(56)", 39),
    inputs="a-priori",
    premises=("relu.limit",),
    tool=Tool.NONE,
)
_claim(
    "relu.limit-bound",
    "limit",
    w_star,
    ">=",
    2 * sp.log(C),
    "The limit is bounded below, independently of L.",
    r"w^\star \ge 2\log C",
    inputs="a-priori",
    premises=("relu.limit-equation",),
    tool=Tool.NONE,
)
_claim(
    "relu.gap",
    "conclusion",
    gap + 2 * _decay,
    ">=",
    2 * sp.log(C) + 1 / (2 * Q.L),
    "Every two successive weights end at least 2 log C apart, whatever the depth: the smoothness is lost.",
    r"|w_{k+1}(t)-w_k(t)| \to w^\star+\frac1{2L} \ge 2\log C = \Omega(1)",
    role=Role.CONTROL,
    premises=("relu.limit", "relu.limit-bound", "relu.odd"),
    tool=Tool.TRIANGLE,
)
_claim(
    "relu.unscaled",
    "gradient flow",
    gap_unscaled,
    "<=",
    1 / Q.L + x**2 * Q.t / Q.L * y0 * maximum(C, sp.exp(1 / (4 * Q.L))),
    "Along the gradient flow as it is displayed, without the factor of (4), successive weights stay O(1/L) apart until any fixed time.",
    r"\frac{dw_{2k}}{dt} = -\frac{\partial\ell}{\partial w_{2k}}:\quad |w_{k+1}(t)-w_k(t)| = O(1/L)\ \text{for fixed } t",
    edition="explicit",
    role=Role.CONTROL,
    equality=Condition("t = 0", Q.t, "=", sp.Integer(0), trivial=True),
    premises=("relu.gradient", "relu.odd"),
    tool=Tool.TRIANGLE,
)
_alpha, _beta = sp.Symbol("alpha", nonnegative=True), sp.Symbol("beta", nonnegative=True)
_claim(
    "relu.smooth",
    "contrast with Proposition 7",
    gap_max,
    "<=",
    (gap0 + _beta * Q.t / (2 * Q.L)) * sp.exp(_alpha * Q.t),
    "The same chain from the same start, with a smooth activation: successive weights stay O(1/L) apart.",
    r"\|w_{k+1}(t)-w_k(t)\| \le \Big(\|w_{k+1}(0)-w_k(0)\|+\frac{\beta t}{2L}\Big)e^{\alpha t}",
    edition="explicit",
    role=Role.CONTROL,
    where={
        _alpha: P * H**2 * Q.S2,
        _beta: P * H * W * Q.K_sigma * (2 * Q.K_sigma + Q.S2 * W * H),
    },
    hypotheses=(_SMOOTH, _POSITIVE),
    needs=frozenset({"C2", "lipschitz", "zero-at-zero"}),
    equality=Condition("t = 0", Q.t, "=", sp.Integer(0), trivial=True),
    tool=Tool.GRONWALL,
)

differ(
    Difference(
        "d-appendix-d-gradient",
        Source(_D, "gradient flow", "", 39),
        r"-\frac{\partial\ell}{\partial w_{2k}} = 2x\Big(C-\prod_{j=1}^L\big(1+\frac{w_{2j}}{2L}\big)\Big)"
        r"\prod_{j\ne k}\big(1+\frac{w_{2j}}{2L}\big)",
        r"-\frac{\partial\ell}{\partial w_{2k}} = \frac{x^2}{L}\Big(C-\prod_{j=1}^L\big(1+\frac{w_{2j}}{2L}\big)\Big)"
        r"\prod_{j\ne k}\big(1+\frac{w_{2j}}{2L}\big)",
        "false as printed",
        "None for the limits: the missing factor x/(2L) rescales time. Without the factor 2L of (4) the flow takes a time of order L.",
        (
            "Backpropagation through the chain at a witness (x = 2, C = 3) differs from the print by exactly that factor.",
            "Chain rule: ∂h_{2L}/∂w_{2k} = (x/2L) Π_{j≠k}(1 + w_{2j}/2L), so -∂ℓ/∂w_{2k} = 2(Cx - h_{2L}) ∂h_{2L}/∂w_{2k} carries x²/L.",
        ),
        "depthlimit replay appendix-d-witness --implementation numpy",
    )
)
differ(
    Difference(
        "d-appendix-d-scaling",
        Source(_D, "gradient flow", "", 39),
        r"\frac{dw_{2k}}{dt}(t) = -\frac{\partial\ell}{\partial w_{2k}}(t)",
        r"\frac{dw_{2k}}{dt}(t) = -2L\frac{\partial\ell}{\partial w_{2k}}(t)",
        "hypothesis not stated",
        "Without the factor of (4) the weights reach w* after a time of order L only, and until any fixed time they stay O(1/L) apart.",
        (
            "Along the flow as displayed the largest successive difference is below 1/L + (x²t/L)|y(0)|max(C, e^{1/4L}) at every instance.",
            "By (x²/L)(C - u^L)u^{L-1} for the speed of w(t), which is what the chain rule gives, in place of 2x(C - u^L)u^{L-1}.",
        ),
        "depthlimit explain relu.unscaled",
    )
)
