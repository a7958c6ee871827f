r"""Section 4.3 (page 7): what the general model (11) asks of a branch f, on each that the text names, and on one that lacks it.

"f is a C² function such that f(0, ·) ≡ 0 and f(·, z) is uniformly Lipschitz for z in any compact": f(0, ·) ≡ 0 is `eq12.vanishes`. C² is
checked by Taylor's formula, whose remainder the second derivatives bound: it fails if a Jacobian is not the derivative of f, or a constant
of K' is too small. Lipschitz, uniformly: difference quotients at states that are as far away as one likes.

Convolutions, "or any sparse version of (3)", have the derivatives of (3) with entries of V and W tied. Attention is Lipschitz with squared
distances for scores, one matrix for queries and keys, and its square in front of the values (Kim et al., 2021); its constant and those of
its second derivatives are derived in `depthlimit.models.attention`. Dot-product attention is not: at two tokens (0, R), with weights 1,
∂f_1/∂x_1 = 1/2 + Var(x_j) = 1/2 + R²/4. It is C² and f(0, ·) = 0, so networks exist for every L; what is lost is that e^{K₁} bounds
their growth and that of the adjoint for all states at once.

What the text does not say: "all our results are shown in the appendix for this general model" leaves out, beside Proposition 5, the
expressions of M and K in Proposition 3 and the condition on labels in Theorem 6, as page 31 does say. The Lipschitz constants of the
example's Gaussian processes are random and have no bound, and with them M_0 and every constant of Theorem 4.
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.general import REGIMES, f_value, measured
from depthlimit.theory.registry import quantity, register

f_other = measured("f_other", r"\hat f(h_k,Z_{k+1})", "BTLNC", "the residual branch by the definition of its source, sum by sum")
taylor_rest = measured(
    "taylor_rest", r"\|f(h+\delta h,Z+\delta Z)-f-\partial_1f\,\delta h-\partial_2f\,\delta Z\|", "BTLN", "remainder of Taylor's formula"
)
step_h = measured("step_h", r"\|\delta h\|", "BTLN", "length of a small step of the state h_k in a random direction")
step_z = measured("step_z", r"\|\delta Z\|", "BTLN", "length of a small step of Z_{k+1} in a random direction")
K11_near, K21_near, K22_near = (
    measured(f"K{i}_near", f"K'_{{{i}}}", "BTLN", f"{meaning} over the ball of h_k, Z_{{k+1}} and these steps")
    for i, meaning in ((11, "supremum of ∂₁₁f"), (21, "second term of K'"), (22, "first term of K'"))
)
secant = measured("secant", r"\frac{\|f(h,Z_k)-f(h',Z_k)\|}{\|h-h'\|}", "BTL", "largest difference quotient tried, near and far away")
K1_all = measured("K1_all", r"\sup_{h\in\mathbb R^q}\|\partial_1f(h,Z_k)\|_2", "BTL", "its bound over all states, by the norm of Z_k")
reach = quantity("toy_reach", "R", (Q.B_,), "distance of the two tokens", exact=True).symbol
dot_slope = quantity("toy_dot", r"|\partial_{x_1}f_1(0,R)|", (Q.B_,), "slope of dot-product attention at the tokens 0 and R").symbol
l2_slope = quantity(
    "toy_l2", r"\max_{r\le R}\|\partial_1f(0,r)\|_2", (Q.B_,), "its largest norm for L2 attention up to that distance"
).symbol

_43 = Source("Section 4.3", "general residual networks", "", 7)
_MODEL = {"inputs": "instantaneous", "regimes": REGIMES, "edition": "explicit"}
register(
    Claim(
        "section43.branch",
        f_value,
        "=",
        f_other,
        _43,
        meaning="The branch is what its source defines: model (3), the same with convolutions, or L2 attention.",
        tex=r"f(h,(V,W)) = \tfrac1{\sqrt m}V\sigma(\tfrac1{\sqrt q}Wh),\quad f_i = \sum_jP_{ij}V^\top\tfrac{WW^\top}{\sqrt D}x_j,"
        r"\ P_{ij} \propto e^{-\|W^\top(x_i-x_j)\|^2/\sqrt D}",
        role=Role.DEFINITION,
        tool=Tool.DEFINITION,
        **_MODEL,  # type: ignore[arg-type]
    )
)
_remainder = (K11_near * step_h**2 + 2 * K21_near * step_h * step_z + K22_near * step_z**2) / 2
register(
    Claim(
        "section43.taylor",
        taylor_rest,
        "<=",
        _remainder,
        _43,
        meaning="f follows its derivatives up to a remainder that its second derivatives bound: it is C².",
        tex=r"\|f(h+\delta h,z+\delta z)-f(h,z)-\partial_1f\,\delta h-\partial_2f\,\delta z\| \le"
        r" \tfrac12\big(K'_{11}\|\delta h\|^2+2K'_{21}\|\delta h\|\|\delta z\|+K'_{22}\|\delta z\|^2\big)",
        role=Role.HYPOTHESIS,
        tool=Tool.SUPREMUM,
        equality=Condition("the second derivatives are constant and attained", taylor_rest, "=", _remainder),
        **_MODEL,  # type: ignore[arg-type]
    )
)
register(
    Claim(
        "section43.lipschitz",
        secant,
        "<=",
        K1_all,
        _43,
        meaning="f(·, z) is Lipschitz with one constant for all states, which the norm of z bounds.",
        tex=r"\|f(h,z)-f(h',z)\| \le K_1(\|z\|)\,\|h-h'\| \text{ for all } h,h'\in\mathbb R^q",
        role=Role.HYPOTHESIS,
        tool=Tool.SUPREMUM,
        equality=Condition("f is linear in h and the constant attained", secant, "=", K1_all),
        **_MODEL,  # type: ignore[arg-type]
    )
)
_DROPPED = Source("hypothesis", "f(., z) Lipschitz", "(11)", 7)
for _label, _lhs, _relation, _rhs, _meaning, _tex in (
    (
        "dot-product",
        dot_slope,
        "=",
        sp.Rational(1, 2) + reach**2 / 4,
        "Dot-product attention is not Lipschitz: its slope at two tokens grows like the square of their distance.",
        r"f_1 = \frac{\sum_je^{x_1x_j}x_j}{\sum_je^{x_1x_j}}:\ \partial_{x_1}f_1(0,R) = \frac12+\frac{R^2}4 \to \infty",
    ),
    (
        "l2-attention",
        l2_slope,
        "<=",
        sp.sqrt(sp.Rational(3, 2)) + 4 * sp.Rational(2785, 10**4),  # ρ e^{ρ+1} = 1: ρ = 0.27846...
        "L2 attention of two tokens with the same weights 1 keeps its Lipschitz constant.",
        r"\|\partial_1f(0,r)\|_2 \le \sqrt{\tfrac{N+1}2}+2\rho\sqrt{2N},\quad \rho e^{\rho+1} = N-1,\quad N = 2",
    ),
):
    register(
        Claim(
            f"hypothesis.{_label}",
            _lhs,
            _relation,
            _rhs,
            _DROPPED,
            ("counterexamples",),
            _meaning,
            _tex,
            role=Role.CONTROL,
            edition="explicit",
            tool=Tool.SUPREMUM,
        )
    )
