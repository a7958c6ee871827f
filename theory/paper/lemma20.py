r"""Lemma 20 (Appendix C, page 37): the Frobenius norm of a Gaussian matrix, from the exact χ² distribution; its uses on pages 32 and 33.

With a = M_W² >= 1, N = qm, ‖W‖_F² ~ χ²_N and x = (a - 1)N/16 the proof is

    P(χ²_N - N >= 2√(Nx) + 2x) <= e^{-x}                     Laurent and Massart (2000), Lemma 1
    2√(Nx) = ½√(a - 1) N <= ½(a - 1)N                        needs a >= 2, with equality there
    2x = (a - 1)N/8 <= ½(a - 1)N                             a factor 4 to spare
    2√(Nx) + 2x <= (a - 1)N,  hence  P(χ²_N > aN) <= e^{-x}

All of it is right as printed. Its constant is far from what is true: no matrix attains more than P(χ²_1 > 2) e^{1/16} = 0.168 of the
printed bound (N = 1, M_W² = 2), nor more than P(χ²_1 > 4) e^{3/16} = 0.055 of that on page 32, and the bound of Laurent and Massart is at
most half attained, since the median of χ² lies below its mean. Sharpened, for every a >= 1:

* Chernoff's bound P(χ²_N >= aN) <= e^{-N(a - 1 - ln a)/2}, whose exponent is the exact rate (Cramér); at most half attained too.
* With its prefactor, s = N/2 and z = as: in Γ(s, z) = ∫_z^∞ u^{s-1} e^{-u} du, u^{s-1} <= z^{s-1} e^{(s-1)⁺(u-z)/z} (ln y <= y - 1), so
  Γ(s, z) <= z^{s-1} e^{-z}/(1 - (s-1)⁺/z), and Γ(s) >= √(2π) s^{s-1/2} e^{-s} (Stirling):

      P(χ²_N > aN) <= √(N/π)/(aN - (N-2)⁺) e^{-N(a - 1 - ln a)/2},

  exact as aN grows: no constant in it can be wrong by more than two thousandths unnoticed.

Where a - 1 - ln a < (a - 1)/8, that is for a < 1.30, the printed bound is false for large N: the control, N = 402 the first size at
M_W² = 1.1. Every width j = 1..m of a spec is checked, with N = qj: the first j rows of the drawn W are what the sampler draws at width j.
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.quantities import B_
from depthlimit.theory.quantity import maximum
from depthlimit.theory.registry import quantity, register

RISK = sp.Rational(1, 10**9)  # per instance, split over its widths: a false alarm in a run of 1000 instances less than once in a million
MISS = sp.Rational(1, 10**3)
FAULT = sp.Rational(11, 10)  # the fault against which power is stated: entries of standard deviation 1.1
DRAWN = 9600  # N·draws from which that power holds at level 1, for at most 8 widths and at least 200 draws

N = quantity("N", "qm", (B_,), "entries of W at widths 1..m: degrees of freedom of ‖W‖_F²", exact=True).symbol
a = quantity("level", "M_W^2", (), "square of the constant of Lemma 20", exact=True).symbol
draws = quantity("draws", "N_d", (), "number of seeds", exact=True).symbol
tail = quantity("tail", r"P(\|W\|_F>M_W\sqrt{qm})", (B_,), "exact tail of χ² with qm degrees of freedom, in ball arithmetic").symbol
tail_x = quantity(
    "tail_x", r"P(\|W\|_F^2-qm\ge 2\sqrt{qmx}+2x)", (B_,), "exact tail at the threshold of Laurent and Massart, x = (M_W²-1)qm/16"
).symbol
above = quantity("above", r"\#\{\|W\|_F>M_W\sqrt{qm}\}", (B_,), "draws of the initialisation above the level").symbol
allowed = quantity("allowed", r"c_\delta", (B_,), "exact binomial quantile at the stated risk, at the printed probability").symbol
excess = quantity("excess", r"|\#\{\|W\|_F>M_W\sqrt{qm}\}-NP|", (B_,), "deviation of that count from its exact expectation").symbol
deviation = quantity("deviation", r"d_\delta", (B_,), "exact binomial quantile of that deviation at the stated risk").symbol
missed = quantity(
    "missed", r"P_{1.1}(\text{accept})", (), "exact probability that a sampler with standard deviation 1.1 passes at full width"
).symbol

x = sp.Symbol("x", nonnegative=True)
_X = {x: (a - 1) * N / 16}
_LEVEL = Condition("M_W >= √2", a, ">=", sp.Integer(2))
_PROOF = Source("Lemma 20", "proof", "", 37)


def _claim(label: str, lhs: sp.Expr, relation: str, rhs: sp.Expr, meaning: str, tex: str, tool: Tool, **more) -> Claim:  # type: ignore[no-untyped-def]
    settings = {"source": _PROOF, "role": Role.STEP, "where": _X, "hypotheses": (_LEVEL,), "regimes": ("random-matrix",), **more}
    return register(Claim(label, lhs, relation, rhs, meaning=meaning, tex=tex, tool=tool, **settings))


_claim(
    "lemma20.chi-square",
    excess,
    "<=",
    deviation,
    "Of all seeds of the initialisation, as many norms lie above the level as the χ² distribution with qm degrees of freedom allows.",
    r"\|W\|_F^2 \sim \chi^2_{qm}",
    Tool.EXACT_DISTRIBUTION,
    hypotheses=(),
    risk=RISK,
    equality=Condition("no draw is expected above the level", draws * tail, "<=", sp.Rational(1, 1000), trivial=True),
    note="Two-sided exact binomial test of the sampler at every width up to m; the power against a wrong scale is a claim of its own.",
)
_claim(
    "lemma20.power",
    missed,
    "<=",
    MISS,
    "The test of the sampler misses a standard deviation of 1.1 with probability at most 1/1000.",
    r"P_{1.1}(\text{accept}) \le 10^{-3}",
    Tool.EXACT_DISTRIBUTION,
    edition="explicit",
    source=Source("Lemma 20", "power of the test of the sampler"),
    role=Role.CONTROL,
    hypotheses=(
        Condition("the level is the mean of ‖W‖_F²", a, "=", sp.Integer(1)),
        Condition("enough numbers are drawn", Q.q * Q.m * draws, ">=", sp.Integer(DRAWN)),
        Condition("qm >= 8", Q.q * Q.m, ">=", sp.Integer(8)),
        Condition("the risk is split over at most 8 widths", Q.m, "<=", sp.Integer(8)),
        Condition("at least 200 draws", draws, ">=", sp.Integer(200)),
    ),
    premises=("lemma20.chi-square",),
)
_claim(
    "lemma20.laurent-massart",
    tail_x,
    "<=",
    sp.exp(-x),
    "The tail bound of Laurent and Massart, at the x of the proof.",
    r"P(\|W\|_F^2-qm \ge 2\sqrt{qmx}+2x) \le \exp(-x)",
    Tool.EXACT_DISTRIBUTION,
    hypotheses=(),
    equality=Condition("x = 0", a, "=", sp.Integer(1), trivial=True),
    premises=("lemma20.chi-square",),
    note="At most half attained: at x = 0 the left side is below a half and the right one is 1.",
)
_claim(
    "lemma20.root",
    2 * sp.sqrt(N * x),
    "=",
    sp.sqrt(a - 1) * N / 2,
    "The root in the threshold, at the x of the proof.",
    r"2\sqrt{qmx} = \frac12\sqrt{M_W^2-1}\,qm",
    Tool.DEFINITION,
    hypotheses=(),
)
_claim(
    "lemma20.root-bound",
    sp.sqrt(a - 1) * N / 2,
    "<=",
    (a - 1) * N / 2,
    "The root is at most its argument, which is at least 1.",
    r"\frac12\sqrt{M_W^2-1}\,qm \le \frac12(M_W^2-1)qm",
    Tool.SUPREMUM,
    equality=Condition("M_W = √2", a, "=", sp.Integer(2)),
    premises=("lemma20.root",),
)
_claim(
    "lemma20.linear",
    2 * x,
    "<=",
    (a - 1) * N / 2,
    "The linear term of the threshold: a quarter of what is claimed.",
    r"2x \le \frac12(M_W^2-1)qm",
    Tool.DEFINITION,
    hypotheses=(),
    note="A quarter of it is attained, on every instance: the edition explicit is the value.",
)
_claim(
    "lemma20.linear",
    2 * x,
    "=",
    (a - 1) * N / 8,
    "The linear term of the threshold.",
    r"2x = \frac18(M_W^2-1)qm",
    Tool.DEFINITION,
    edition="explicit",
    hypotheses=(),
)
_claim(
    "lemma20.threshold",
    2 * sp.sqrt(N * x) + 2 * x,
    "<=",
    (a - 1) * N,
    "The threshold of Laurent and Massart lies below the level of the lemma.",
    r"2\sqrt{qmx}+2x \le (M_W^2-1)qm",
    Tool.TRIANGLE,
    premises=("lemma20.root-bound", "lemma20.linear"),
    note="At most 5/8 of it is attained, at M_W = √2: a half by the root, an eighth by the linear term.",
)
_claim(
    "lemma20.inclusion",
    tail,
    "<=",
    tail_x,
    "The event of the lemma is contained in that of Laurent and Massart.",
    r"P(\|W\|_F^2>M_W^2qm) \le P(\|W\|_F^2-qm \ge 2\sqrt{qmx}+2x)",
    Tool.SUPREMUM,
    premises=("lemma20.threshold",),
)
_STATED = {"source": Source("Lemma 20", "statement", "", 37), "role": Role.LEMMA}
_TEX = r"P(\|W\|_F \le M_W\sqrt q\sqrt m) \ge 1-\exp\Big(-\frac{(M_W^2-1)qm}{16}\Big)"
_claim(
    "lemma20.tail",
    tail,
    "<=",
    sp.exp(-x),
    "The exact χ² tail against the printed bound, at every width up to m.",
    _TEX,
    Tool.TRIANGLE,
    premises=("lemma20.inclusion", "lemma20.laurent-massart"),
    note="At most 0.168 of it is attained, by one Gaussian number at M_W = √2; lemma20.prefactor is what is true.",
    **_STATED,
)
_claim(
    "lemma20.tail",
    tail,
    "<=",
    sp.exp(-N * (a - 1 - sp.log(a)) / 2),
    "The exact χ² tail against Chernoff's bound, for every M_W >= 1.",
    r"P(\|W\|_F > M_W\sqrt{qm}) \le \exp\Big(-\frac{qm}2(M_W^2-1-\ln M_W^2)\Big)",
    Tool.EXACT_DISTRIBUTION,
    edition="sharpened",
    hypotheses=(),
    note="At most half attained: a prefactor is missing, which lemma20.prefactor has.",
    **_STATED,
)
_claim(
    "lemma20.prefactor",
    tail,
    "<=",
    sp.sqrt(N / sp.pi) / (a * N - maximum(N - 2, 0)) * sp.exp(-N * (a - 1 - sp.log(a)) / 2),
    "The exact χ² tail against Chernoff's bound with its prefactor, for every M_W >= 1: equality in the limit.",
    r"P(\|W\|_F > M_W\sqrt{qm}) \le \frac{\sqrt{qm/\pi}}{M_W^2qm-(qm-2)^+}\exp\Big(-\frac{qm}2(M_W^2-1-\ln M_W^2)\Big)",
    Tool.EXACT_DISTRIBUTION,
    edition="sharpened",
    hypotheses=(),
    premises=("lemma20.tail",),
    **_STATED,
)
_claim(
    "lemma20.frequency",
    above,
    "<=",
    allowed,
    "Of all seeds of the initialisation, no more exceed the level than the printed probability allows.",
    _TEX,
    Tool.EXACT_DISTRIBUTION,
    premises=("lemma20.tail",),
    risk=RISK,
    **_STATED,
)
_claim(
    "lemma20.small-level",
    tail,
    ">=",
    sp.exp(-x),
    "Below M_W² = 1.3 the printed bound fails for large matrices: the hypothesis on M_W is needed in kind.",
    r"P(\|W\|_F > M_W\sqrt{qm}) \not\le \exp\Big(-\frac{(M_W^2-1)qm}{16}\Big)",
    Tool.EXACT_DISTRIBUTION,
    edition="explicit",
    source=Source("Lemma 20", "control: M_W < √2", "", 37),
    role=Role.CONTROL,
    hypotheses=(
        Condition("M_W² = 1.1", a, "=", sp.Rational(11, 10)),
        Condition("qm >= 402 at each width", N, ">=", sp.Integer(402)),
    ),
    premises=("lemma20.tail",),
    note="√2 itself is not needed: by Chernoff's bound the printed one holds from M_W² = 1.30 on.",
)
for _label, _item, _part, _page, _level, _rhs, _tex in (
    ("prop3.event", "Proposition 3", "proof, the event of Lemma 20", 32, 4, 3 * N / 16, r"\|W_0^L(0)\|_F \le 2\sqrt{qm}"),
    ("prop5.event", "Proposition 5", "proof, the event of Lemma 20", 33, 2, N / 16, r"\|\bar W\|_F \le \sqrt{2qm}"),
):
    _claim(
        _label,
        tail,
        "<=",
        sp.exp(-_rhs),
        f"The exact probability that the initial W leaves the event, M_W² = {_level}, against the printed one.",
        rf"P({_tex}) \ge 1-\exp\Big(-{'3qm' if _level == 4 else 'qm'}/16\Big)",
        Tool.EXACT_DISTRIBUTION,
        source=Source(_item, _part, "", _page),
        hypotheses=(Condition(f"M_W² = {_level}", a, "=", sp.Integer(_level)),),
        premises=("lemma20.tail",),
        note=f"At most {'0.055' if _level == 4 else '0.168'} of it is attained, at qm = 1.",
    )
    _claim(
        _label,
        tail,
        "<=",
        sp.sqrt(N / sp.pi) / (_level * N - maximum(N - 2, 0)) * sp.exp(-N * (_level - 1 - sp.log(_level)) / 2),
        f"The exact probability that the initial W leaves the event, M_W² = {_level}, against the true rate with its prefactor.",
        rf"P({_tex}) \ge 1-\frac{{\sqrt{{qm/\pi}}}}{{{_level}qm-(qm-2)^+}}e^{{-{_level - 1}qm/2}}{_level}^{{qm/2}}",
        Tool.EXACT_DISTRIBUTION,
        edition="sharpened",
        source=Source(_item, _part, "", _page),
        hypotheses=(Condition(f"M_W² = {_level}", a, "=", sp.Integer(_level)),),
        premises=("lemma20.prefactor",),
    )
