"""What page 7 says of the general model and of smooth initialisations, and leaves out."""

from __future__ import annotations

from depthlimit.theory.claim import Source
from depthlimit.theory.difference import Difference, differ

_43 = "Section 4.3"
for _id, _part, _printed, _corrected, _consequence, _evidence, _replay in (
    (
        "d-section43-all-results",
        "general residual networks",
        r"\text{all results are shown for this general model, except the PL condition of Proposition 5}",
        r"\text{except Proposition 5, } M \text{ and } K \text{ of Proposition 3, and the condition on labels of Theorem 6}",
        "For another f the constants of Proposition 3 are those of Proposition 7, and the condition of Theorem 6 is (22), with the loss at "
        "the start in the place of the labels' mean square.",
        (
            "By the text: page 31 names the three.",
            "On the corpus: networks of convolutions and of attention meet (22), and Proposition 8 holds on them, but they do not start at "
            "the output 0, which the condition on labels takes for granted (thm6.loss0).",
        ),
        "depthlimit explain thm6.loss0",
    ),
    (
        "d-section43-random-constants",
        "initialisation",
        r"\mathcal V_0, \mathcal W_0 \text{ Lipschitz, with independent Gaussian processes as entries}",
        r"\mathcal V_0, \mathcal W_0 \text{ Lipschitz almost surely, with a random constant that has no bound}",
        "M_0, M, K and every constant of Propositions 2 and 3 and of Theorem 4 are random, and the statements hold draw by draw; no event "
        "of large probability with given constants is named, as Proposition 3 does for the initialisation of Section 3.",
        (
            "By hand: an entry of 𝒲_0(1) - 𝒲_0(0) is normal with variance 2(1 - e^{-1/(2ℓ²)}) > 0, so each number is exceeded with "
            "positive probability.",
            "By draws: over a hundred seeds the constants of 𝒲_0 for ℓ = ½, q = 2 and m = 1, each proved (section43.start-W), range from "
            "1.7 to 6.9.",
        ),
        "depthlimit explain section43.start-W",
    ),
):
    differ(Difference(_id, Source(_43, _part, "", 7), _printed, _corrected, "hypothesis not stated", _consequence, _evidence, _replay))
