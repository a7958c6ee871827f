"""What pages 4, 23-25 and 31 print otherwise than it must read: Proposition 11, its corollaries, and Proposition 2's proof."""

from __future__ import annotations

from depthlimit.theory.claim import Source
from depthlimit.theory.difference import Difference, differ

_11, _13, _2 = "Proposition 11", "Corollary 13", "Proposition 2"
_HARMLESS, _OTHER, _UNSTATED = "misprint without consequence", "holds with another constant", "hypothesis not stated"

for _id, _source, _printed, _corrected, _kind, _consequence, _evidence, _claim in (
    (
        "d-prop11-space",
        Source(_11, "statement", "(32)", 23),
        r"E\subset\mathbb R^d,\ g:\mathbb R^d\times\mathbb R^p\to\mathbb R^d",
        r"E\subset\mathbb R^q,\ g:\mathbb R^q\times\mathbb R^p\to\mathbb R^q",
        _HARMLESS,
        "None: d is the dimension of the data in the rest of the paper, here it is that of the states.",
        (
            "Appendix B.2 applies the proposition with a^L = Ax, which (3) places in R^q, and g = f with values in R^q.",
            "Instances with d < q are networks of model (3) to which the claims of B.2 apply, with states of q components.",
        ),
        "prop2.state",
    ),
    (
        "d-prop11-two-constants",
        Source(_11, "proof", "", 23),
        r"C \text{ the uniform Lipschitz constant of } g(\cdot,\theta) \text{ for } \|\theta\|\le M;"
        r" \text{ later } C \text{ its Lipschitz constant}",
        r"C = \max(C_1, C_2),\ C_1 \text{ of } g(\cdot,\theta),\ C_2 \text{ of } g(u,\cdot) \text{ for } \|u\|\le D_Ee^{C_1}",
        _HARMLESS,
        "One letter for two constants: with page 23's C the recursion and (35) are false, with the maximum they hold.",
        (
            "A planted fault with C = C₁ in the recursion is refuted by g = Zu, Z = 0 in the ODE and small in the scheme, u = 1.",
            "By hand: for g = zu, Θ = 0, θ = c, a = 1, L = 1 the gap is c; C₁ = c gives (c·c) in place of C₂c >= c.",
        ),
        "prop11.recursion",
    ),
    (
        "d-prop11-remainder",
        Source(_11, "proof", "(34)", 24),
        r"\text{the norm of the remainder term is less than } \tilde C/L^2",
        r"\text{it is at most } \tilde C/(2L^2)",
        _OTHER,
        "A factor of 2 in the terms with C̃ of the recursion and of (35).",
        (
            "∫((k+1)/L - s) ds over the step is 1/(2L²), a SymPy derivation in the tests of the suite.",
            "Measured remainders reach 0.999 of the corrected bound and never more than half of the printed one.",
        ),
        "prop11.remainder",
    ),
    (
        "d-prop11-last-index",
        Source(_11, "proof", "", 24),
        r"\theta_{k+1}^L = \Theta^L\Big(\frac k{L-1}\Big)",
        r"\theta_{k+1}^L = \Theta^L\Big(\frac k{\max(L-1,1)}\Big)",
        _HARMLESS,
        "0/0 at L = 1, which the proposition includes; Θ^1 is constant, and the shift that follows is then 0.",
        (
            "For L = 1: ⌊0·s⌋ + 1 = 1 for all s, so every argument serves.",
            "An instance with L = 1 is in the corpus and meets (35) with the convention; integer indices are tested up to L = 200.",
        ),
        "prop11.index",
    ),
    (
        "d-prop11-35-sum",
        Source(_11, "proof", "(35)", 24),
        r"\Big(\Delta_0^L + \sup_s\|\Theta(s)-\Theta^L(s)\| + \frac{C_\Theta}L + \frac{\tilde C}{LC}\Big)e^C",
        r"\Delta_0^L e^{C_1} + \Big(C_2\sup_s\|\Theta(s)-\Theta^L(s)\| + \frac{C_2C_\Theta}L + \frac{\tilde C}{2L}\Big)"
        r"\frac{e^{C_1}-1}{C_1}",
        _OTHER,
        "The geometric sum of the discrete Grönwall inequality is bounded by e^C/C where (e^C - 1)/C would do; at C = 0 the print divides "
        "by 0.",
        (
            "The recursion solved by SymPy in the tests of the suite gives the sharpened form; the print minus it is nonnegative.",
            "Measured: gaps reach 0.98 of the sharpened form where they are 0.11 (g = zu, θ = Θ constant) and 0.36 (Θ = 0) of the print.",
        ),
        "prop11.gap",
    ),
    (
        "d-cor13-limit",
        Source(_13, "last sentence", "", 25),
        r"\text{the convergence only depends on } a\in E^I \text{ through } \sup_{t\in I}\|a^L(t)-a(t)\|",
        r"\text{the convergence only depends on } a_\infty\in E \text{ through } \|a^L(t)-a_\infty\| \text{ as } L,t\to\infty",
        _HARMLESS,
        "Copied from Corollary 12: no a(t) occurs in Corollary 13, and with a(t) for a_∞ the dependence is false.",
        (
            "A planted fault that takes the distances to a(t) and Θ(., t) is refuted by an instance that is still moving at t = 0.",
            "By hand: for g = 0, a^L(t) = a_∞ + e^{-t}b the distance to the limit is e^{-t}|b| although a^L(t) - a(t) = 0.",
        ),
        "cor13.gap",
    ),
    (
        "d-cor13-interval",
        Source(_13, "statement", "", 25),
        r"I\subseteq\mathbb R_+ \text{ an interval},\ \Theta^L:[0,1]\times\mathbb R_+\to\mathbb R^p",
        r"I \text{ unbounded},\ \Theta^L:[0,1]\times I\to\mathbb R^p",
        _UNSTATED,
        "t → ∞ has no meaning on a bounded interval, and Θ^L is defined where the θ_k^L are, on I.",
        (
            "The θ_k^L are functions on I by the first sentence.",
            "Proposition 15 uses the corollary with I = R_+; on [0, 1] an instance stays away from the limit for every L.",
        ),
        "cor13.gap",
    ),
    (
        "d-prop2-plus",
        Source(_2, "proof, last line", "", 31),
        r"\|h_L^L-H(1)\| \le \frac{C'(1{+}{+}C'')}L",
        r"\|h_L^L-H(1)\| \le \frac{C'(1+C'')}L",
        _HARMLESS,
        "A doubled sign.",
        (
            "C'(1/L + C''/L) from the two lines before is C'(1 + C'')/L.",
            "The corrected bound holds on every instance, with C' and C'' as the proof has them.",
        ),
        "prop2.state",
    ),
    (
        "d-prop2-pieces",
        Source(_2, "proof", "", 31),
        r"\Theta^L \text{ is a piecewise-constant interpolation of } \Theta \text{ with pieces of length } \frac1{L-1}",
        r"\Theta^L=\Theta\big(\tfrac{j+1}L\big) \text{ on } \big[\tfrac j{L-1},\tfrac{j+1}{L-1}\big),\ j\le L-2,\ \Theta^L(1)=\Theta(1);"
        r" \text{ one piece for } L=1",
        _HARMLESS,
        "At the ends of its pieces Θ^L is not Θ but for s = 1; the distance is still at most C_Θ/L, and attained at s = 0.",
        (
            "By hand: s - (j+1)/L runs from (j-L+1)/(L(L-1)) to (j+1)/(L(L-1)) on a piece, both at most 1/L; -1/L for j = 0.",
            "Measured: the distance reaches 0.997 of C_Θ/L for nearly affine Θ.",
        ),
        "prop2.interpolation",
    ),
):
    differ(Difference(_id, _source, _printed, _corrected, _kind, _consequence, _evidence, f"depthlimit explain {_claim}"))
