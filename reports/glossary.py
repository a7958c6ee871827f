"""The words of the report. Quantities have their own table, made from the registry."""

from __future__ import annotations

TERMS: tuple[tuple[str, str], ...] = (
    (
        "claim",
        "One edition of one checkable relation of the paper, on one kind of inputs: a left side, a "
        "relation and a right side, with its hypotheses. Its id is label[edition,inputs].",
    ),
    (
        "role",
        "What part the claim plays: a definition, a lemma, a step of a proof, a result, an exact "
        "identity, a hypothesis, or a control (a case in which a hypothesis is dropped and the "
        "conclusion is seen to fail).",
    ),
    (
        "edition",
        "Which text. as-printed: exactly as in the paper. explicit: with the constant that the proof "
        "yields where the paper says “there exists”. corrected: where the print is wrong. sharpened: "
        "the best constants that this project could derive.",
    ),
    (
        "inputs",
        "Where the suprema in a bound come from. a-priori: the ball that the theorem itself provides."
        " along-trajectory: the supremum over the times and layers of this run. instantaneous: the "
        "value at this time and layer.",
    ),
    (
        "rung",
        "A pair of edition and inputs. The rungs of one statement are its ladder, from the printed bound down to the sharpest.",
    ),
    (
        "tightness, ratio",
        "Measured over bound, between 0 and 1 when the claim holds; 1 is the bound itself. For a "
        "lower bound it is bound over measured. For an equality it is the difference of the sides "
        "over the sum of their radii (“of radii”). The worst ratio is the one nearest to violation "
        "over all records. 0/0 has none.",
    ),
    (
        "radius",
        "How far the true value may lie from the printed one: rounding and the integrator's error for"
        " what was measured, rounding of the evaluation for bounds. Each has a derivation; none was "
        "set by hand.",
    ),
    (
        "detectable factor",
        "The largest factor by which the bound, or the constant, could be too small, or the model "
        "wrong, without this rung noticing. For inequalities 1 over the worst ratio; for equalities "
        "the smallest 1 + radii/size over the instances. Near 1 is sharp.",
    ),
    (
        "holds",
        "On every instance and on the grid of times, layers and samples that was looked at, the claim"
        " was not falsified. Nothing is said about what lies between or beyond.",
    ),
    (
        "holds, no power",
        "It holds, but the detectable factor exceeds 1000: the check could hardly have failed. Shown, and never counted as a pass.",
    ),
    (
        "violated",
        "Measured minus its radius exceeds the bound plus its radius at some point.",
    ),
    (
        "undecided",
        "The radii overlap, or the radius of an equality exceeds a thousandth of its sides: the measurement failed, not the claim.",
    ),
    (
        "refuted, as registered",
        "The claim is registered as wrong as printed, and the witness that is named for it violates it here.",
    ),
    (
        "attained",
        "The two sides agree within their radii in the claim's declared equality case, or both have cancelled to rounding.",
    ),
    (
        "out-of-hypothesis",
        "The instance does not meet the hypotheses; it says nothing about the claim.",
    ),
    (
        "unsupported",
        "The implementation lacks what the check asks for; its reason is shown.",
    ),
    (
        "errored",
        "The implementation or the measurement raised an error on this instance.",
    ),
    (
        "blocked",
        "Not judged, because something that it depends on had failed on this instance.",
    ),
    (
        "not run",
        "Registered, and without a record in this run.",
    ),
    (
        "regime",
        "A family of instances on which the hypotheses of certain claims hold by construction.",
    ),
    (
        "slope, local slope",
        "The exponent with which a quantity depends on the depth, read between depths L and 2L and "
        "extrapolated; its interval is the last correction plus the radii. A least-squares fit over "
        "all depths would reject true rates.",
    ),
    (
        "planted fault",
        "A deliberately wrong implementation, given to the same checks. A fault that no claim catches shows a gap in the checks.",
    ),
)
