"""What pages 6 and 32 to 37 print otherwise than it must read: Proposition 5, Theorem 6, Remark 3, Lemma 18."""

from __future__ import annotations

from depthlimit.theory.claim import Source
from depthlimit.theory.difference import Difference, differ

_5 = "Proposition 5"
_CLOSED = "By hand, and as a SymPy derivation in the tests of the suite: "
_RUN = "On the corpus, with radii: "
_REPLAY = "depthlimit replay {} --implementation numpy"
_MISPRINT = "misprint without consequence"

differ(
    Difference(
        "d-prop5-small-scale",
        Source(_5, "statement, with the constants of its proof", "", 6),
        r"\mu = \frac{c_4}{n\sqrt n\,q},\quad c_4 = \frac{\eta_r(\sigma)^3}{2^{14}K_\sigma^2\exp(6\sqrt2K_\sigma)}",
        r"\mu = \min\Big(\frac{2c_4}{n\sqrt{nq}}, \frac{C_3^2\eta_r(\sigma)^2}n\Big)",
        "holds with another constant",
        "For aσ with a small a, c₁ does not change, c₂ and c₄ fall like a, and the PL ratio like a²: the printed c₄ is false below K_σ of "
        "about 10⁻⁶ for n > d. It holds where c₂√(nq) >= 1. With min(2c₄, C₃²η²) for c₄, which depends on σ alone, the proposition holds, "
        "and for every L; prop5.sharp-pl has μ = η²/(12n).",
        (
            _CLOSED + "where B - B̄ and A - Ā fit the part of y in the rows of x, which small labels allow in any ball, and V = 0, the "
            "ratio is at most 4M_σ², of order a²; c₄ is of order a. The tests have σ, n = 25, d = 24, m and δ < 1/3 for which all "
            "hypotheses hold and the condition fails for almost every draw of i.i.d. labels.",
            _RUN
            + "σ = 10⁻⁸(1 - e^{-u²/4}), n = 3, d = 2, q = 3, m = 15300, L = 1 meets q >= d + d', m >= c₁n, L >= c₂√(nq) and the event of "
            "the proof, and the ratio is 640 times smaller than μ (prop5.pl, pl-proved, sum-floor).",
        ),
        _REPLAY.format("prop5-scale-witness"),
    )
)
differ(
    Difference(
        "d-prop5-range",
        Source(_5, "proof, sum over layers", "", 34),
        r"L\sum_{k=1}^{\lfloor L\eta_r(\sigma)/(C_2\sqrt{nq})\rfloor}\Big\|\frac{\partial\ell}{\partial V_{k+1}}\Big\|_F^2",
        r"L\sum_{k=0}^{\min(\lfloor L\eta_r(\sigma)/(C_2\sqrt{nq})\rfloor, L-1)}\Big\|\frac{\partial\ell}{\partial V_{k+1}}\Big\|_F^2",
        "false as printed",
        "The cause of d-prop5-small-scale: V_{L+1} does not exist. With min(⌊x⌋ + 1, L) layers neither the factor 2 for the floor nor "
        "L >= c₂√(nq) is needed.",
        (
            _CLOSED + "with x = L/c, c = c₂√(nq), ⌊x⌋ + 1 <= L for every L >= c if c > 1, and for no L if c < 1.",
            _RUN + "prop5-scale-witness has c = 3.7·10⁻⁶ and L = 1: the sum has 272 465 terms (prop5.range).",
        ),
        _REPLAY.format("prop5-scale-witness"),
    )
)
differ(
    Difference(
        "d-prop5-layer-index",
        Source(_5, "proof, sum over layers", "", 34),
        r"L\sum_{k=1}^L\Big\|\frac{\partial\ell}{\partial Z_{k+1}}\Big\|_F^2",
        r"L\sum_{k=1}^L\Big\|\frac{\partial\ell}{\partial Z_k}\Big\|_F^2",
        _MISPRINT,
        "Definition 1 has Z_k, and Z_{L+1} does not exist.",
        (
            "By the text: Definition 1 (page 6) has the sum over Z_1..Z_L.",
            _RUN + "with Z_1..Z_L the line holds at every point of every ball (prop5.sum).",
        ),
        "depthlimit explain prop5.sum",
    )
)
differ(
    Difference(
        "d-prop5-exponential",
        Source(_5, "proof", "(51)", 33),
        r"\|p_k\|_F \ge \exp(-2\sqrt2K_\sigma)\|p_L\|_F",
        r"\|p_k\|_F \ge \Big(1-\frac{2\sqrt2K_\sigma}L\Big)^L\|p_L\|_F,\quad 2\sqrt2K_\sigma < L",
        "false as printed",
        "So are (51) and (52), which rest on it and on (48) alone. In the ball of Proposition 5, where |V_k|_F <= M and not 1, all "
        "three hold as printed, and c₃ and c₄ are not affected (edition explicit).",
        (
            _CLOSED
            + "(1 - a/L)^L < e^{-a} for 0 < a < L, and V = -e₂e₁ᵀ, W = we₁e₂ᵀ with h along e₁ and p along e₂ attains it under (48).",
            _RUN + "prop5-adjoint-witness (K_σ = 1, L = 8) refutes the line and (51) by a factor 1.94, (52) by 1.25.",
        ),
        _REPLAY.format("prop5-adjoint-witness"),
    )
)
differ(
    Difference(
        "d-prop5-52",
        Source(_5, "proof", "(52)", 33),
        r"\frac1{L\sqrt{mn}}\exp(-2\sqrt2K_\sigma)\sqrt\ell\,s_{\min}(S_{k+1})",
        r"\frac1{L\sqrt{mn}}\Big(1-\frac{2\sqrt2K_\sigma}L\Big)^L\sqrt\ell\,s_{\min}(S_{k+1})",
        "false as printed",
        "As d-prop5-exponential: true in the ball of Proposition 5.",
        (
            _CLOSED + "at the first layer L - 1 factors 1 - a/L remain, and (1 - a/L)^{L-1} < e^{-a} for a = 2√2, L = 8.",
            _RUN + "prop5-adjoint-witness refutes prop5.grad-V-loss by a factor 1.25.",
        ),
        _REPLAY.format("prop5-adjoint-witness"),
    )
)
differ(
    Difference(
        "d-prop5-probability",
        Source(_5, "proof, probability of the event", "", 34),
        r"1-\exp\Big(-\frac{3m\eta_r^2(\sigma)}{64M_\sigma^2n}\Big)-2n^2\exp\Big(-\frac d{2v_x^2}\Big(\frac3{4n}\Big)^{2/r}\Big)",
        r"1-n\exp\Big(-\frac{3m\eta_r^2(\sigma)}{64M_\sigma^2n}\Big)-2n^2\exp\Big(-\frac d{2v_x^2}\Big(\frac3{4n}\Big)^{2/r}\Big)",
        _MISPRINT,
        "Lemma 21, which is cited for it, and δ on page 35 have the factor n of the matrix Chernoff bound.",
        (
            "By the text: δ of page 35 is the sum of the terms of Lemmas 20 and 21, with the n.",
            _RUN + "on prop5-literal-witness both sums are enclosed, and differ: 0.37610 and 0.37624 (prop5.delta-34).",
        ),
        _REPLAY.format("prop5-literal-witness"),
    )
)
differ(
    Difference(
        "d-prop5-root",
        Source(_5, "proof, constants", "", 35),
        r"\mu = \frac{c_4}{n\sqrt n\,q}",
        r"\mu = \frac{c_4}{n\sqrt{nq}}",
        _MISPRINT,
        "The root is over nq where page 34 ends, and over n in Proposition 5, (10) and B.6: the statement is weaker than its proof by √q.",
        (
            _CLOSED + "C₃²η³/(2C₂) = c₄, which page 34 divides by n√(nq).",
            _RUN + "both are enclosed and differ by √q (prop5.mu-root).",
        ),
        _REPLAY.format("prop5-scale-witness"),
    )
)
differ(
    Difference(
        "d-prop5-sign",
        Source(_5, "proof", "", 32),
        r"M = \min\Big(\frac{\eta_r(\sigma)}{32K_\sigma\sqrt{2nq}}, \frac12\Big)",
        r"M = \min\Big(\frac{|\eta_r(\sigma)|}{32K_\sigma\sqrt{2nq}}, \frac12\Big)",
        _MISPRINT,
        "η_r may be negative, and so would M, c₂, c₃ and c₄ be. With |η_r| everywhere the proof goes through; then |η_r| <= K_σ/√r, so "
        "that ½ in M and c₃ and 1 in c₁ never act, and c₁ >= 1024r.",
        (
            "By an example: η₃(sin) = E[sin(N)(N³ - 3N)]/√6 = -e^{-1/2}/√6 < 0; the tests of the suite compute it by quadrature.",
            _RUN + "with |η_r| the two forms of M agree (prop5.radius) and √r|η_r| <= K_σ (prop5.eta-bound).",
        ),
        "depthlimit explain prop5.radius",
    )
)
differ(
    Difference(
        "d-prop5-samples",
        Source(_5, "proof", "(47)", 32),
        r"\text{for } k \in \{1,\dots,n\}",
        r"\text{for } k \in \{1,\dots,L\}",
        _MISPRINT,
        "k counts layers. On page 34, likewise, W stands for W̄ in σ(WĀx/√q), twice.",
        ("By the text: Definition 1 has k in {1, ..., L}.", _RUN + "(47) holds at every layer (prop5.near-V, prop5.near-W)."),
        "depthlimit explain prop5.near-V",
    )
)
differ(
    Difference(
        "d-lemma18-squares",
        Source("Lemma 18", "proof", "", 37),
        r"\lambda_{\min}(A^\top A)\|B\|_F^2 = s_{\min}(A)\|B\|_F",
        r"\lambda_{\min}(A^\top A)\|B\|_F^2 = s_{\min}(A)^2\|B\|_F^2",
        _MISPRINT,
        "The left side of the display is ‖AB‖_F², so the lemma follows with the squares. s_max(A') = ‖A‖₂ must read ‖A'‖₂.",
        (
            "By an example: for the number A = ½ and B = 1 the sides are ¼ and ½.",
            _RUN + "prop5-adjoint-witness refutes lemma18.square and lemma18.operator as printed.",
        ),
        _REPLAY.format("prop5-adjoint-witness"),
    )
)
differ(
    Difference(
        "d-thm6-depth",
        Source("Theorem 6", "statement", "(10)", 6),
        r"\text{for } t \in \mathbb R_+ \text{ and } L \in \mathbb N^*",
        r"\text{for } t \in \mathbb R_+ \text{ and } L \ge c_2\sqrt{nq}",
        "hypothesis not stated",
        'Theorem 6 rests on Proposition 5, which needs L >= c₂√(nq), and on Proposition 8, which assumes the PL condition "for any L in '
        'N*". The sharpened Proposition 5 has it for every L >= 1, with other c₃ and c₄, and with them (10) holds for L in N*.',
        (
            "By the text: Proposition 5 has L >= c₂√(nq) among its assumptions.",
            _RUN + "instances with L = 1 < c₂√(nq) meet the hypotheses of prop5.sharp-pl and its bound, and not those of prop5.pl.",
        ),
        "depthlimit explain prop5.sharp-pl",
    )
)
differ(
    Difference(
        "d-remark3-width",
        Source("Remark 3", "", "", 36),
        r"C \text{ depends only on } \mathcal X, \sigma, n, q",
        r"C \text{ with } \|V\| \le M \text{ and } \|W\| \le \|\bar W\|+M \text{ bounded separately in } K_1, K_2",
        "holds with another constant",
        "K₁ of Proposition 8 is a supremum over |z| <= M_Z, and M_Z = |W̄|_F + M is about √(qm): K₁ grows like √(qm), C falls like "
        "e^{-2K₁}. Theorem 6 stands, its C depending on m. With V and W bounded separately, as along the flow, it does not.",
        (
            _CLOSED + "sup K_σ|V||W|/√(qm) over |V| + |W| <= M_Z is K_σM_Z²/(4√(qm)), attained by one neuron.",
            _RUN + "on prop5-literal-witness C at width 4m, from above, is less than C at width m (remark3.width).",
        ),
        _REPLAY.format("prop5-literal-witness"),
    )
)
