r"""Hermite transform (Section B, page 31) and what page 32 says of it, for the activation of an instance.

η_r(σ) = E σ(g) h_r(g), g ~ N(0, 1), r = 0..8, is enclosed in two or three ways (`depthlimit.theory.hermite`). By parts
√r η_r(σ) = η_{r-1}(σ'), so that Parseval gives Σ r η_r² = E σ'² as well as Σ η_r² = E σ². With |σ'| <= K_σ: r η_r² <= K_σ².

"σ bounded and not constant, it cannot be a polynomial function; there are infinitely many non-zero coefficients" (page 32): if η_r = 0 for
all r > 8, σ is a polynomial. What a run can show is that E σ² exceeds the sum of the first nine squares by at least the next two.
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.quantities import B_, L_
from depthlimit.theory.registry import quantity, register

r = quantity("hermite_r", "r", (B_,), "orders r = 0..8", exact=True).symbol
eta = quantity("hermite_eta", r"\eta_r(\sigma)", (B_,), "Hermite coefficients, in closed form where there is one", signed=True).symbol
quad = quantity("hermite_quad", r"\mathbb E\,\sigma(g)h_r(g)", (B_,), "the same by quadrature in ball arithmetic", signed=True).symbol
slope = quantity(
    "hermite_slope", r"\mathbb E\,\sigma'(g)h_{r-1}(g)", (B_,), "coefficients of σ' by quadrature; 0 for r = 0", signed=True
).symbol
partial = quantity("hermite_partial", r"\textstyle\sum_{s\le r}\eta_s^2", (B_,), "partial sums of squares").symbol
slope_partial = quantity("hermite_slope_partial", r"\textstyle\sum_{s\le r}s\,\eta_s^2", (B_,), "partial sums of squares of σ'").symbol
square = quantity("hermite_square", r"\mathbb E\,\sigma(g)^2", (), "mean square of σ, by quadrature").symbol
slope_square = quantity("hermite_slope_square", r"\mathbb E\,\sigma'(g)^2", (), "mean square of σ', by quadrature").symbol
rest = quantity(
    "hermite_rest", r"\mathbb E\,\sigma(g)^2-\textstyle\sum_{r\le8}\eta_r^2", (), "what the first nine leave, before rounding"
).symbol
following = quantity("hermite_next", r"\eta_9^2+\eta_{10}^2", (), "the next two squares").symbol
gram = quantity(
    "hermite_gram", r"\langle h_r,h_s\rangle", (B_, L_), "inner products of the polynomials of the definition", signed=True
).symbol
unit = quantity("hermite_identity", r"\delta_{rs}", (B_, L_), "identity matrix", exact=True).symbol
odd = quantity(
    "hermite_even_part", r"\eta_r(\sigma)\ (\sigma(-u)=(-1)^{r+1}\sigma(u))", (B_,), "coefficients of wrong parity", signed=True
).symbol
symmetric = quantity("hermite_symmetric", r"1_{\sigma\text{ odd or even}}", (), "1 if σ is odd or even", exact=True).symbol

_SOURCE = Source("Section B", "Hermite transform", "", 31)
_SMALL = sp.Rational(1, 10**12)


def _claim(label: str, lhs: sp.Expr, relation: str, rhs: sp.Expr, meaning: str, tex: str, **more) -> None:  # type: ignore[no-untyped-def]
    settings = {"source": _SOURCE, "role": Role.STEP, "regimes": ("kernel-matrix",), "tool": Tool.DEFINITION, **more}
    register(Claim(f"hermite.{label}", lhs, relation, rhs, meaning=meaning, tex=tex, **settings))


_claim(
    "orthonormal",
    gram,
    "=",
    unit,
    "The polynomials that Rodrigues' formula defines are orthonormal, in exact arithmetic.",
    r"\langle h_r, h_s\rangle = \delta_{rs},\quad h_r(x) = \frac1{\sqrt{r!}}(-1)^re^{x^2/2}\frac{d^r}{dx^r}e^{-x^2/2}",
    role=Role.DEFINITION,
)
_claim(
    "coefficient",
    eta,
    "=",
    quad,
    "The coefficients in closed form are the integrals that define them.",
    r"\eta_r(\sigma) = \langle\sigma, h_r\rangle",
    role=Role.DEFINITION,
    note="tanh, and SiLU for even r, have no closed form: there both sides are one quadrature, and hermite.by-parts is the second way.",
)
_claim(
    "by-parts",
    sp.sqrt(r) * eta,
    "=",
    slope,
    "Coefficients of σ and of σ', integrated apart, agree through integration by parts.",
    r"\sqrt r\,\eta_r(\sigma) = \eta_{r-1}(\sigma')",
    edition="explicit",
    premises=("hermite.coefficient",),
)
_claim(
    "parity",
    odd,
    "=",
    sp.Integer(0),
    "An odd σ has no coefficients of even order, an even one none of odd order.",
    r"\sigma(-u) = \pm\sigma(u) \Rightarrow \eta_r(\sigma) = 0\text{ for every }r\text{ of the other parity}",
    edition="explicit",
    hypotheses=(Condition("σ is odd or even", symmetric, "=", sp.Integer(1)),),
    premises=("hermite.coefficient",),
)
_LEFT = Condition("nothing is left beyond r", square - partial, "<=", _SMALL * square)
_LEFT_SLOPE = Condition("nothing is left beyond r", slope_square - slope_partial, "<=", _SMALL * slope_square)
_claim(
    "parseval",
    partial,
    "<=",
    square,
    "Sums of squares of coefficients stay below the mean square of σ, and reach it in the limit.",
    r"\textstyle\sum_{s\le r}\eta_s(\sigma)^2 \le \mathbb E\,\sigma(g)^2",
    equality=_LEFT,
    premises=("hermite.orthonormal", "hermite.coefficient"),
)
_claim(
    "parseval-slope",
    slope_partial,
    "<=",
    slope_square,
    "The same for σ', whose coefficients are √r η_r.",
    r"\textstyle\sum_{s\le r}s\,\eta_s(\sigma)^2 \le \mathbb E\,\sigma'(g)^2",
    edition="sharpened",
    equality=_LEFT_SLOPE,
    premises=("hermite.by-parts",),
)
_claim(
    "slope-bound",
    r * eta**2,
    "<=",
    Q.K_sigma**2,
    "No coefficient of order r exceeds K_σ/√r.",
    r"\eta_r(\sigma)^2 \le K_\sigma^2/r",
    edition="sharpened",
    needs=frozenset({"lipschitz"}),
    equality=Condition("σ' is constant", slope_square, "=", Q.K_sigma**2),
    premises=("hermite.parseval-slope",),
    tool=Tool.SUPREMUM,
)
_claim(
    "not-polynomial",
    rest,
    ">=",
    following,
    "A bounded σ that is not constant has more than the coefficients of order 0 to 8: it is no polynomial of that degree.",
    r"\mathbb E\,\sigma(g)^2-\textstyle\sum_{r\le8}\eta_r(\sigma)^2 \ge \eta_9(\sigma)^2+\eta_{10}(\sigma)^2 > 0",
    source=Source("Proposition 5", "proof, the Hermite expansion", "", 32),
    edition="explicit",
    needs=frozenset({"bounded", "non-constant"}),
    hypotheses=(Condition("one of the next two is not 0", following, ">=", sp.Rational(1, 10**250)),),
    premises=("hermite.parseval",),
    note="Infinitely many coefficients cannot be looked at; a polynomial would have none beyond its degree.",
)
