"""What page 38 prints otherwise than it must read: the proof of Lemma 21."""

from __future__ import annotations

from depthlimit.theory.claim import Source
from depthlimit.theory.difference import Difference, differ

_21 = "Lemma 21"
_CLOSED = "By hand, and as a derivation in the tests of the suite: "
_RUN = "On the corpus, with radii: "

differ(
    Difference(
        "d-lemma21-chernoff",
        Source(_21, "proof", "", 38),
        r"P(\lambda_{\min}(M) \le t\lambda_{\min}(\mathbb E(M|X))|X)"
        r" \le n\exp\Big(-\frac{(1-t^2)\lambda_{\min}(\mathbb E(M|X))}{2R(X)}\Big)",
        r"P(\lambda_{\min}(M) \le t\lambda_{\min}(\mathbb E(M|X))|X)"
        r" \le n\exp\Big(-\frac{(1-t)^2\lambda_{\min}(\mathbb E(M|X))}{2R(X)}\Big)",
        "false as printed",
        "At t = 1/2 the exponent is mη²/(64M²n), not 3mη²/(64M²n), in the two lines that follow, which are false too. The δ of the lemma "
        "is right all the same: Gershgorin's discs give λ_min(E(M|X)) >= mη²/4 on the event of (55), and t = 1/4 then 9mη²/(128M²n).",
        (
            _CLOSED
            + "the matrix Laplace transform gives the exponent 1 - t + t ln t >= (1-t)²/2, which is that of Poisson tails, so that no "
            "larger one is true for n = 1 and rare M_i; but (1 - t²)/2 is larger for t > 0.2.",
            _RUN
            + "two columns at an angle of 0.00677π, σ nearly a sign, m = 4000: the exact binomial tail at t = 1/2 is 0.0021, the printed "
            "bound 0.0001 (lemma21-witness); the frequencies over seeds agree with the exact tails (lemma21.counts).",
        ),
        "depthlimit replay lemma21-witness --implementation numpy",
    )
)
differ(
    Difference(
        "d-lemma21-product",
        Source(_21, "proof, last display", "", 38),
        r"(1-a)\,P(\lambda_{\min}(\mathbb E(M|X)) \ge \frac{m\eta_r^2}8) \ge (1-a)(1-b),"
        r"\ a = n\exp\Big(-\frac{3m\eta_r^2}{64M_\sigma^2n}\Big),\ b = 2n^2\exp(\dots)",
        r"(1-a)^+P(\lambda_{\min}(\mathbb E(M|X)) \ge \frac{m\eta_r^2}8) \ge (1-a)^+(1-b)^+",
        "false as printed",
        "None: where a > 1 the last line, 1 - a - b, is negative and nothing is said.",
        (
            _CLOSED
            + "an inequality is not multiplied by 1 - a < 0; for a, b > 1 the product (a-1)(b-1) may exceed 1, which no probability does.",
            _RUN + "for n = 3, d = 3, m = 8 it is 6.4 (lemma21-product-witness).",
        ),
        "depthlimit replay lemma21-product-witness --implementation numpy",
    )
)
differ(
    Difference(
        "d-lemma21-sign",
        Source(_21, "statement", "", 38),
        r"s_{\min}(\sigma(WX)) \ge \tfrac14\sqrt m\,\eta_r(\sigma)",
        r"s_{\min}(\sigma(WX)) \ge \tfrac14\sqrt m\,|\eta_r(\sigma)|",
        "misprint without consequence",
        "The proof bounds λ_min(M) = s_min² by mη_r²/16. Without the bars nothing is said where η_r < 0 (as η_3 of tanh, sin and erf). "
        "Proposition 5 divides by η_r and multiplies with it, and needs |η_r| too.",
        (
            "By the proof: the root of mη_r²/16 is √m|η_r|/4. In closed form η_3(sin) = -e^{-1/2}/√6.",
            _RUN + "η_3 of tanh, sin and erf is enclosed below 0 (hermite.coefficient), and lemma21.conclusion holds with |η_r|.",
        ),
        "depthlimit explain lemma21.conclusion",
    )
)
differ(
    Difference(
        "d-lemma21-conditional",
        Source(_21, 'proof, after "thus"', "", 38),
        r"\text{on the event }[\lambda_{\min}(\mathbb E(M|X)) \ge \tfrac{m\eta_r^2}8],"
        r"\quad P\big(\lambda_{\min}(M) \ge \tfrac{m\eta_r^2}{16}\big) \ge \dots",
        r"P\big(\lambda_{\min}(M) \ge \tfrac{m\eta_r^2}{16}\big|X\big) \ge \dots",
        "misprint without consequence",
        "An event of X says something of probabilities given X. The next display integrates over X, and multiplies with its probability.",
        (
            "By the text: the line before is conditional on X, and the left side without the condition is a number.",
            _RUN + "lemma21.event and lemma21.half are judged at one X, on the event.",
        ),
        "depthlimit explain lemma21.event",
    )
)
