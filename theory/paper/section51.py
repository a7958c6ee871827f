r"""Section 5.1 (pages 7-8) and Appendix E (page 40): what the text says of the experiments, and what Figures 1 and 2 show.

The values of the figures are read off page 8 (`depthlimit.theory.paper.published`), and the networks are trained again.

* Figure 1, left, says that it shows max_{k,t} ‖Z_{k+1} - Z_k‖_F with a rate 1/L. Its curves fall like L^{-1/2}: they are the roots of the
  sums of squares over layers and iterations, of V or of W, whichever is larger. With gaps of order 1/L, Σ_{k<L} ‖Z_{k+1} - Z_k‖² is of
  order L·L^{-2}. The maximum itself has the rate 1/L, at every time.
* The network drawn is h + Vσ(Wh)/L, without 1/√m and 1/√q, and its loss is the mean over samples and entries. With V√m and W√q in their
  place it is (3), started at W of standard deviation √q, and trained at m/d and q/d times the speed of (4).
* Ten curves are in the legend and nine in the plot: after one iteration V_k is the same in every layer and W has not moved, because V = 0.
* "The learning rate L × 10⁻²": iteration i of descent stands for the time i·10⁻² of (4), with an error of first order in the step. So
  T = 500 is the time 5 of (7).
* Figure 2 has q = d = d', where F(x) = x at the start, and m = 64 for n = 50: Proposition 5 and Theorem 6 ask for q >= d + d' and for
  m >= c₁n with c₁ >= 1024 (`prop5.eta-bound`), beside |x_i| = √q, a bounded σ and trained A and B.
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Claim, Role, Source, Tool
from depthlimit.theory.difference import Difference, differ
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.quantities import B_
from depthlimit.theory.quantity import maximum
from depthlimit.theory.registry import quantity, register

DRAWN = ("published-figure",)
DESCENT = ("descent",)

max_rate = quantity("max_rate", r"-\frac{d\log}{d\log L}\max_{k,t}", (B_,), "rate in L of the largest gap, early and late").symbol
sum_rate = quantity(
    "sum_rate",
    r"-\frac{d\log}{d\log L}\Big(\sum_{k,t}\Big)^{1/2}",
    (B_,),
    "rate in L of the root of the sum of squared gaps over layers and iterations",
).symbol
first_gap = quantity("first_gap", r"\max_k\|Z_{k+1}-Z_k\|_F", (B_,), "largest gap after one iteration, per depth").symbol
step_order = quantity("step_order", r"-\frac{d\log}{d\log 1/h}", (B_,), "order in the step of the distance of descent from (4)").symbol
read_rate = quantity("read_rate", r"-\frac{d\log}{d\log L}", (B_,), "rate between the last two depths of each published curve").symbol
off_label = quantity(
    "off_label", r"\Big|\log\frac{\text{drawn}}{\max_{k,t}}\Big|", (B_,), "distance of published values from the label's maximum"
).symbol
off_sum = quantity(
    "off_sum", r"\Big|\log\frac{\text{drawn}}{(\sum_{k,t})^{1/2}}\Big|", (B_,), "their distance from the root of the sum of squares"
).symbol
colour_rate = quantity("colour_rate", r"-\frac{d\log}{d\log L}", (B_,), "rate from L = 64 to 1024 of the published colours").symbol
colour_error = quantity("colour_error", r"\varepsilon_c", (), "error of reading a colour, relative", exact=True).symbol
read_error = quantity("read_error", r"\varepsilon", (), "error of reading, relative", exact=True).symbol
off_loss = quantity(
    "off_loss", r"\Big|\log\frac{\text{drawn}}{\ell(0)}\Big|", (), "distance of the first published loss from (1/n)Σ|F - y|²"
).symbol
off_mean = quantity("off_mean", r"\Big|\log\frac{\text{drawn}}{\ell(0)/d}\Big|", (), "its distance from the mean over entries too").symbol
loss_error = quantity("loss_error", r"\varepsilon_\ell", (), "error of reading the loss, relative", exact=True).symbol
growth_early = quantity(
    "growth_early", r"\ln\frac{\max_{k,t\le100}}{\max_{k,t\le50}}", (B_,), "growth of the label's maximum from iteration 50 to 100"
).symbol
growth_late = quantity("growth_late", r"\ln\frac{\max_{k,t\le450}}{\max_{k,t\le400}}", (B_,), "the same from iteration 400 to 450").symbol
long_fall = quantity(
    "long_fall", r"\tfrac1t\ln\frac{\ell(0)}{\ell(t)}", (B_,), "mean rate at which the published loss of Figure 2 falls"
).symbol
long_rate = quantity("long_rate", r"\mu", (), "its rate between the last two readings").symbol
change_early = quantity(
    "change_early", r"\max_k|\Delta Z_k|", (B_,), "change of the published entries from iteration 9,600 to 40,000"
).symbol
change_late = quantity("change_late", r"\max_k|\Delta Z_k|", (B_,), "the same from iteration 40,000 to 79,200").symbol
long_m = quantity("long_m", "m", (), "width in Figure 2", exact=True).symbol
long_n = quantity("long_n", "n", (), "samples in Figure 2", exact=True).symbol

long_norms = quantity("long_norms", r"\max_i\|x_i\|-\min_i\|x_i\|", (), "range of the norms of the inputs in Figure 2").symbol

_WITNESS, _SMALL = "figures-witness", "descent-witness"
_LEFT = Source("Figure 1", "left", "", 8)
_LONG = Source("Section 5.1", "long-time limit", "", 8)
_E = "Appendix E"


def _claim(label: str, source: Source, lhs: sp.Expr, relation: str, rhs: sp.Expr, meaning: str, tex: str, **more) -> Claim:  # type: ignore[no-untyped-def]
    settings = {"role": Role.RESULT, "inputs": "along-trajectory", "regimes": DRAWN, "tool": Tool.NONE, **more}
    return register(Claim(label, lhs, relation, rhs, source=source, meaning=meaning, tex=tex, **settings))


def _away(value: sp.Expr, target: sp.Expr) -> sp.Expr:
    return maximum(value - target, target - value)


_MAX = r"\max_{1\le k\le L,\,t\in[0,T]}\|Z_k^L(t)-Z_{k+1}^L(t)\|_F"
_SUM = r"\Big(\sum_{k,t}\|Z_k^L(t)-Z_{k+1}^L(t)\|_F^2\Big)^{1/2}"
_claim(
    "fig1.max-rate",
    Source("Section 5.1", "large-depth limit", "", 8),
    max_rate,
    "=",
    sp.Integer(1),
    "The largest successive difference has the rate 1/L under gradient descent, early and late.",
    rf"{_MAX} = O(1/L)",
    regimes=DESCENT,
    premises=("prop3.gap",),
    tool=Tool.EXTRAPOLATION,
)
for _edition, _rate, _expect in (("as-printed", sp.Integer(1), True), ("corrected", sp.Rational(1, 2), False)):
    _says = "1/L, as the caption says" if _expect else "L^{-1/2}"
    _claim(
        "fig1.sum-rate",
        _LEFT,
        sum_rate,
        "=",
        _rate,
        f"What Figure 1 draws has the rate {_says}: here the root of the sum of squares over layers and iterations, of descent.",
        r"1/L\text{ convergence of the maximum distance}" if _expect else rf"{_SUM} = O(L^{{-1/2}})",
        edition=_edition,
        expect=_SMALL if _expect else None,
        note="A sum of L terms of order 1/L² is of order 1/L, and its root of order L^{-1/2}.",
        regimes=DESCENT,
        premises=("fig1.max-rate",),
        tool=Tool.EXTRAPOLATION,
    )
    _claim(
        "fig1.drawn-rate",
        _LEFT,
        _away(read_rate, _rate),
        "<=",
        2 * read_error,
        f"The published curves have the rate {_says}, between the last two depths that they have.",
        r"1/L\text{ convergence}" if _expect else r"L^{-1/2}\text{ convergence}",
        edition=_edition,
        expect=_WITNESS if _expect else None,
        note="Two errors of reading over log(1014/256) = 1.38, and a bias of order 1/256.",
        premises=("fig1.sum-rate",),
    )
for _edition, _off, _tex, _what in (
    ("as-printed", off_label, _MAX, "the maximum that their label names"),
    ("corrected", off_sum, _SUM, "roots of sums of squares over layers and iterations"),
):
    _claim(
        "fig1.drawn",
        _LEFT,
        _off,
        "<=",
        read_error,
        f"The published values are {_what}, within the error of reading.",
        _tex,
        edition=_edition,
        expect=_WITNESS if _edition == "as-printed" else None,
        note="At L = 2 and 16 and nine iterations, on the network without 1/√m and 1/√q, with the draws of the authors' program.",
    )
_claim(
    "fig1.growth",
    Source("Section 5.1", "large-depth limit", "", 8),
    growth_late,
    "<=",
    growth_early,
    "Over fifty iterations the maximum grows by a smaller factor late than early: more slowly than any exponential.",
    r"\text{much slower pace than the exponential upper bound on } K",
    note="That it does not fall with T lies in the maximum over t <= T. On the network without 1/√m and 1/√q, at L = 2 and 16.",
    premises=("prop3.gap",),
)
_claim(
    "fig1.right-rate",
    Source("Figure 1", "right", "", 8),
    _away(colour_rate, sp.Integer(1)),
    "<=",
    colour_error,
    "The colours of Figure 1, right, have the rate 1/L for V and for W, at early and at late iterations alike.",
    r"\|\mathcal V^L(\cdot,t)-\mathcal V(\cdot,t)\| = O(1/L)",
    note='Two errors over log(1024/64) = 2.8, and 0.02 for a reference at L = 2^14. "The convergence is slower for larger training times" '
    "in its constant, not in its rate.",
    premises=("fig1.max-rate",),
)
_claim(
    "fig1.first",
    _LEFT,
    first_gap,
    "=",
    sp.Integer(0),
    "After one iteration all layers are still equal, so that the curve of iteration 1 has no place on a logarithmic axis.",
    r"Z_k^L(1) = Z_{k+1}^L(1)",
    edition="corrected",
    regimes=DESCENT,
)
_claim(
    "appendixE.step",
    Source(_E, "large-depth limit", "", 40),
    step_order,
    "=",
    sp.Integer(1),
    "Gradient descent with learning rate L·h follows (4) at the times h, 2h, ..., with an error of first order in h.",
    r"\text{The scaling of the learning rate with } L \text{ is the equivalent of the } L \text{ factor in (4)}",
    regimes=DESCENT,
    premises=("eq4.V",),
    tool=Tool.EXTRAPOLATION,
)
for _edition, _off, _tex, _what in (
    ("as-printed", off_loss, r"\ell^L(0) = \frac1n\sum_i\|F(x_i)-y_i\|^2", "(1/n) Σ|F(x_i) - y_i|²"),
    ("corrected", off_mean, r"\ell^L(0) = \frac1{nd}\sum_i\|x_i-y_i\|^2", "the mean over samples and entries of (x - y)²"),
):
    _claim(
        "fig2.start",
        Source("Figure 2", "right", "", 8),
        _off,
        "<=",
        loss_error,
        f"The published loss starts at {_what}, within the error of reading.",
        _tex,
        edition=_edition,
        expect=_WITNESS if _edition == "as-printed" else None,
        note="A = B = I, so that F(x) = x at the start, where Section 3 has F = 0.",
    )
_claim(
    "fig2.decay",
    _LONG,
    long_fall,
    ">=",
    long_rate,
    "The published loss falls at least as fast as (10) with the rate that it has at its end.",
    r"\ell^L(t) \le e^{-\mu t}\,\ell^L(0)",
    note="The slope in Figure 2 falls from 2.0 to 1.1 per 10,000 iterations and shows no last rate.",
)
_claim(
    "fig2.settles",
    _LONG,
    change_late,
    "<=",
    change_early,
    "The published entries of V and of W change less from 40,000 iterations to the end than from 9,600 to 40,000.",
    r"\text{weights converge as } t \to \infty",
    note="Of one depth alone no function is Lipschitz continuous or not.",
)
for _edition, _sides, _tex, _what in (
    ("as-printed", (long_m, ">=", 1024 * long_n), r"m \ge c_1n", "m is at least c₁n, of which c₁ >= 1024"),
    ("corrected", (1024 * long_n, ">=", long_m), r"m < 1024n \le c_1n", "m lies below c₁n for every σ and r"),
):
    _claim(
        "section51.width",
        _LONG,
        *_sides,
        f"Figure 2: {_what}.",
        _tex,
        edition=_edition,
        inputs="a-priori",
        role=Role.HYPOTHESIS,
        expect=_WITNESS if _edition == "as-printed" else None,
        note="For σ that is not bounded, as GELU, Proposition 5 names no c₁ at all.",
        premises=("prop5.eta-bound",),
    )
for _edition, _sides, _tex in (
    ("as-printed", (Q.q, ">=", Q.d + Q.dout), r"q \ge d+d'"),
    ("corrected", (2 * Q.q, "=", Q.d + Q.dout), r"q = d = d'"),
):
    _claim(
        "section51.hidden-size",
        _LONG,
        *_sides,
        f"The size of the hidden states: {_tex.replace(chr(92) + 'ge', '>=')}.",
        _tex,
        edition=_edition,
        inputs="a-priori",
        role=Role.HYPOTHESIS,
        expect=_WITNESS if _edition == "as-printed" else None,
        note="With q < d + d' the start has F(x) = x and a loss of its own.",
    )

for _edition, _sides, _tex, _what in (
    ("as-printed", (long_norms, "=", sp.Integer(0)), r"\|x_i\|_2 = \sqrt q", "are equal, as Proposition 5 asks"),
    ("corrected", (long_norms, ">=", sp.Integer(1)), r"\max_i\|x_i\|-\min_i\|x_i\| > 1", "of Gaussian inputs differ by more than 1"),
):
    _claim(
        "section51.norms",
        _LONG,
        *_sides,
        f"Figure 2: the norms of the inputs {_what}.",
        _tex,
        edition=_edition,
        inputs="a-priori",
        role=Role.HYPOTHESIS,
        expect=_WITNESS if _edition == "as-printed" else None,
        note="Theorem 6 asks for small labels besides; those of Figure 2 have the mean square 14.5.",
    )

_SEEN = "By the published values: "
_RUN = "By runs: "
_REPLAY = f"depthlimit replay {_WITNESS} --implementation numpy"
differ(
    Difference(
        "d-fig1-rate",
        _LEFT,
        r"1/L\text{ convergence}",
        r"L^{-1/2}\text{ convergence}",
        "false as printed",
        "None for Proposition 3: the maximum, which is not what is drawn, has the rate 1/L.",
        (
            _SEEN + "from L = 256 to 1014 the nine curves fall with rates 0.498 to 0.501, read to 0.015.",
            _RUN + "the root of the sum of squares over layers and iterations has the extrapolated rate ½ (fig1.sum-rate), the maximum 1.",
        ),
        f"depthlimit replay {_SMALL} --implementation numpy",
    )
)
differ(
    Difference(
        "d-fig1-measure",
        Source("Figure 1", "left: label and caption", "", 8),
        _MAX,
        r"\max_{U\in\{V,W\}}\Big(\sum_{k<L}\sum_{t<T}\|U_k^L(t)-U_{k+1}^L(t)\|_F^2\Big)^{1/2}",
        "false as printed",
        "The values drawn exceed the maximum by factors from 3 to 300, and grow with T by the number of terms too. A maximum over k <= L "
        "would need Z_{L+1}, which does not exist.",
        (
            _SEEN + "45 values read are met to 0.4 percent by that sum, by no other measure within a factor 3 (fig1.drawn).",
            "By the text of the authors' published program, which sums squares over iterations, layers and entries.",
        ),
        _REPLAY,
    )
)
differ(
    Difference(
        "d-fig1-network",
        Source("Section 5.1", "synthetic data", "", 7),
        r"h_{k+1} = h_k+\frac1{L\sqrt m}V_{k+1}\sigma\Big(\frac1{\sqrt q}W_{k+1}h_k\Big),\quad \ell = \frac1n\sum_i\|F(x_i)-y_i\|^2",
        r"h_{k+1} = h_k+\frac1LV_{k+1}\sigma(W_{k+1}h_k),\quad \ell = \frac1{nd}\sum_i\|F(x_i)-y_i\|^2",
        "false as printed",
        "It is (3) with V√m and W√q in place of V and W: W starts with standard deviation 4, and V and W move at m/d and q/d times the "
        "speed of (4). Theorem 4 covers it as a case of (11), with other constants.",
        (
            _SEEN
            + "that network meets the curves of Figure 1 to 0.4 percent, 576 entries of Figure 2 to 3e-4, and its loss to a percent or "
            "so over the first 40,000 iterations.",
            _RUN + "the first loss of Figure 2 is 1.88, the mean over entries, where (3) has 30.1 (fig2.start).",
        ),
        _REPLAY,
    )
)
differ(
    Difference(
        "d-fig1-first-iteration",
        Source("Figure 1", "left: legend", "", 8),
        r"1, 50, 100, \dots, 450",
        r"50, 100, \dots, 450",
        "misprint without consequence",
        "The curve of iteration 1 is zero and has no place on a logarithmic axis: there are nine curves for ten labels.",
        (
            "By hand: with V = 0 and the same W in each layer all h_k = x and all p_k are equal, so that V_k moves alike and W not at all.",
            _RUN + "after one iteration all layers agree (fig1.first).",
        ),
        "depthlimit explain fig1.first",
    )
)
differ(
    Difference(
        "d-fig1-uniform",
        Source("Figure 1", "right: caption", "", 8),
        r"\text{uniform convergence of } \mathcal Z^L \text{ to } \mathcal Z,\quad \|f\| = \Big(\int_0^1\|f(s)\|_F^2ds\Big)^{1/2}",
        r"\Big(\frac1L\sum_{k=1}^L\|Z_k^L-\mathcal Z(\tfrac{k-1}L)\|_F^2\Big)^{1/2}",
        "false as printed",
        "A mean over the left ends of pieces is neither uniform nor the norm of (8), which at iteration 450 are larger by up to 4 and 2. "
        "All of them have the rate 1/L.",
        (
            _SEEN + "the colours of 180 cells give that mean, to 3 or 4 percent in the median, and not the norm of the caption.",
            "By hand: for V(s) = s and V_k = (k-½)/L the mean is 1/(2L), the norm of the step function (8) tends to √(5/12)/L, and the "
            "supremum is 3/(2L).",
        ),
        "depthlimit explain fig1.drawn",
    )
)
differ(
    Difference(
        "d-appendix-e-time",
        Source("Section 5.1", "large-depth limit", "(7)", 8),
        r"T = 500",
        r"T = 500\cdot10^{-2} = 5",
        "misprint without consequence",
        "The T of (7) is a time of the flow, and 500 counts iterations of learning rate L·10⁻².",
        (
            "By hand: Z - L·10⁻² ∂ℓ/∂Z is a step of Euler's scheme for (4) over the time 10⁻².",
            _RUN + "descent with steps h, h/2, h/4, h/8 tends to the flow at that time with the order 1 (appendixE.step).",
        ),
        "depthlimit explain appendixE.step",
    )
)
differ(
    Difference(
        "d-fig2-hypotheses",
        _LONG,
        r"m \text{ large enough to satisfy the assumptions of Theorem 6}",
        r"m = 64 < c_1n,\quad q = 16 < d+d' = 32,\quad \|x_i\|_2 \ne \sqrt q,\quad \sup|\sigma| = \infty,"
        r"\quad A, B \text{ not trained}",
        "false as printed",
        "Theorem 6 says nothing of Figure 2: what Proposition 5 assumes of the sizes q and m, of inputs, of σ and of what is trained is "
        "not met, and labels are not small.",
        (
            "By hand: c₁ >= 1024r (prop5.eta-bound), so that n = 50 asks for m >= 51200; GELU is not bounded; Appendix E has q = d = d'.",
            _RUN + "section51.width, hidden-size and norms are refuted: the norms of inputs, √q = 4 there, range from 2.6 to 6.2.",
        ),
        _REPLAY,
    )
)
