r"""Lemma 21 (Appendix C, page 38) and (55): the smallest singular value of σ(WX), X with unit columns.

λ = λ_min(E(M|X)), M = Σ_i M_i, M_i = σ(Xᵀw_iᵀ)σ(w_iX), R = M_σ² n, η = η_r(σ), G = XᵀX.

(55). E(M|X)_ij = m κ(ρ_ij), κ(ρ) = Σ_r η_r² ρ^r (Mehler), so that E(M|X) = m Σ_r η_r² G^{∘r}, a sum of positive matrices (Schur), is at
least m η² G^{∘r}; by Gershgorin λ_min(G^{∘r}) >= 1 - max_i Σ_{j≠i}|ρ_ij|^r. If |ρ_ij|^r <= 3/(4n) for all pairs, λ >= m η²/4: twice what is
printed. Each pair fails with probability at most 2 exp(-(d/(2C²))(3/(4n))^{2/r}), given one of its columns, and there are n(n-1)/2 pairs.

Chernoff. Markov's inequality for tr e^{-θM} and E e^{-θM_i} <= exp(-(1-e^{-θR}) E M_i/R) (e^{-θx} <= 1 - (1-e^{-θR})x/R on [0, R]) give
P(λ_min(M) <= tλ|X) <= n exp((θtR - 1 + e^{-θR}) λ/R), smallest at e^{-θR} = t:

    P(λ_min(M) <= tλ|X) <= n exp(-(1 - t + t ln t) λ/R) <= n exp(-(1-t)² λ/(2R)).

The print has 1 - t² for (1-t)². For M_i that are 0 but rarely the exponent 1 - t + t ln t is exact up to powers, and 1 - t² exceeds twice
that for t > 0.2: the printed line is false, by any factor as λ/R grows. An instance: n = 2, columns at a small angle pπ, σ nearly a sign;
then λ_min(M) = 2 min(D, m-D) with D ~ Bin(m, p) the rows on which the signs differ, λ = 2mp, R = 2. At t = 1/2 the exponent is
m η²/(64 M_σ² n) for 3m η²/(64 M_σ² n).

The δ of the lemma survives: λ >= mη²/4 and t = 1/4 give n exp(-9mη²/(128 M_σ² n)) + n(n-1) exp(-(d/(2C²))(3/(4n))^{2/r}), below it. Where
m < n, s_min, the n-th singular value, is 0; but then δ > n e^{-3/64} > 1, so the lemma says nothing: m >= n need not be assumed.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import hermite as H
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.quantities import B_, C_, N_
from depthlimit.theory.paper.unclipped import M_sigma
from depthlimit.theory.quantity import maximum
from depthlimit.theory.registry import quantity, register

RISK = sp.Rational(1, 10**9)  # per test of a count

order = quantity("kernel_order", "r", (), "the order r of η_r in Lemma 21", exact=True).symbol
draws = quantity("kernel_draws", "N_d", (), "number of seeds", exact=True).symbol
eta2 = quantity("kernel_eta2", r"\eta_r(\sigma)^2", (), "square of the Hermite coefficient of that order").symbol
entry = quantity("kernel_entry", r"\mathbb E\,\sigma(wx_i)\sigma(wx_j)", (N_,), "entries of the kernel matrix, i < j", signed=True).symbol
series = quantity("kernel_mehler", r"\textstyle\sum_r\eta_r^2\rho_{ij}^r", (N_,), "the same by Mehler's series", signed=True).symbol
sampled = quantity(
    "kernel_sampled_gap", r"|\hat{\mathbb E}-\mathbb E|\,\sigma(wx_i)\sigma(wx_j)", (N_,), "distance of the mean over all rows of all draws"
).symbol
closed = quantity("kernel_closed", r"1_{\text{closed form}}", (), "1 if the kernel of σ has a closed form", exact=True).symbol
lam = quantity("kernel_min", r"\lambda_{\min}(\mathbb E(M|X))", (), "smallest eigenvalue of E(M|X)").symbol
hadamard = quantity("kernel_hadamard", r"\lambda_{\min}(G^{\circ r})", (B_,), "of the entrywise powers of XᵀX, r = 0..8").symbol
discs = quantity("kernel_discs", r"(1-\max_i\textstyle\sum_{j\ne i}|\rho_{ij}|^r)^+", (B_,), "left end of Gershgorin's discs").symbol
corr = quantity("kernel_correlation", r"\max_{i\ne j}|\rho_{ij}|^r", (), "largest correlation to the power r").symbol
gram_min = quantity("kernel_sum_min", r"\lambda_{\min}(\textstyle\sum_iM_i)", (B_,), "per draw of W, the M_i summed one by one").symbol
s_n2 = quantity("kernel_singular2", r"s_n(\sigma(WX))^2", (B_,), "per draw of W, by a singular value decomposition").symbol
row = quantity("kernel_row", r"\max_i\|\sigma(w_iX)\|_2^2", (B_,), "largest eigenvalue of any M_i, per draw").symbol
plain = quantity("kernel_activations", r"\sigma(WX)", (C_,), "entries at the first draw").symbol
rescaled = quantity("kernel_rescaled", r"\sigma\big((W/\sqrt d)(\sqrt dX)\big)", (C_,), "the same with the rescaled law").symbol
t = quantity("kernel_t", "t", (B_,), "levels 1/8, ..., 7/8", exact=True).symbol
tail = quantity("kernel_tail", r"P(\lambda_{\min}(M)\le t\lambda_{\min}(\mathbb E(M|X))|X)", (B_,), "exact tail").symbol
half = quantity("kernel_half", r"P(\lambda_{\min}(M)<\lambda_{\min}(\mathbb E(M|X))/2|X)", (), "exact tail").symbol
event = quantity("kernel_event", r"P(\lambda_{\min}(M)<m\eta_r^2/16|X)", (), "exact tail").symbol
known = quantity(
    "kernel_exact", r"1_{\text{exact tail}}", (), "1 if the distribution of λ_min(M) is known (n = 1; n = 2 and σ steep)", exact=True
).symbol
below = quantity("kernel_below", r"\#\{\lambda_{\min}(M)\le t\lambda_{\min}(\mathbb E(M|X))\}", (B_,), "draws of W below the level").symbol
allowed = quantity("kernel_below_allowed", r"c_\delta", (B_,), "exact binomial quantile at the corrected probability").symbol
excess = quantity("kernel_excess", r"|\#-N_dP|", (B_,), "deviation of that count from its exact expectation").symbol
deviation = quantity("kernel_deviation", r"d_\delta", (B_,), "exact binomial quantile of that deviation at the stated risk").symbol
random = quantity("kernel_random", r"1_{X\text{ random}}", (), "1 if the columns of X are uniform on the sphere", exact=True).symbol
failed = quantity("kernel_failed", r"\#\{\lambda_{\min}(M)<m\eta_r^2/16\}", (), "joint draws of X and W").symbol
failed_allowed = quantity("kernel_failed_allowed", r"c_\delta", (), "exact binomial quantile at the printed δ").symbol
failed_sharp = quantity("kernel_failed_sharp", r"c_{\delta'}", (), "exact binomial quantile at the sharpened δ").symbol
low = quantity("kernel_low", r"\#\{\lambda_{\min}(\mathbb E(M|X))<m\eta_r^2/4\}", (), "draws of X").symbol
low_allowed = quantity("kernel_low_allowed", r"c_\delta", (), "exact binomial quantile").symbol
low_exact = quantity("kernel_low_8", r"P(\lambda_{\min}(\mathbb E(M|X))<m\eta_r^2/8)", (), "exact for n = 2 and σ odd or even").symbol
low_sharp = quantity("kernel_low_4", r"P(\lambda_{\min}(\mathbb E(M|X))<m\eta_r^2/4)", (), "exact for n = 2 and σ odd or even").symbol
proxy = quantity("kernel_proxy", r"C^2", (), "smallest variance proxy of √d x, x uniform on the sphere, rounded up by 5e-4 at most").symbol
cap_t = quantity("kernel_cap_t", "s", (B_,), "levels up to √d", exact=True).symbol
cap = quantity("kernel_cap", r"P(|\langle\sqrt dx,y\rangle|\ge s)", (B_,), "exact tail of one coordinate").symbol
pair = quantity("kernel_pair", r"P(|\rho_{ij}|^r\ge 3/(4n))", (), "exact tail for one pair of columns").symbol
s_n = quantity("kernel_s_n", r"s_n(\bar S)", (), "n-th singular value of σ(WX) at the first draw").symbol
flags = {
    name: quantity(f"kernel_{name}", rf"1_{{\text{{{text}}}}}", (), f"1 if {text}", exact=True).symbol
    for name, text in (
        ("narrow", "m is less than n"),
        ("copies", "two columns agree"),
        ("antipodal", "two columns are opposite and σ is odd or even"),
        ("linear", "σ is linear and n > d"),
    )
}

m, n, d = Q.m, Q.n, Q.d
R, ratio, a, a_corrected, a_sharp, theta, b, b_sharp, left = (
    sp.Symbol(s, nonnegative=True) for s in ("R", "ratio", "a", "a_1", "a_2", "theta", "b", "b_2", "pairs")
)
_ETA = m * eta2 / (M_sigma**2 * n)
WHERE = {
    R: M_sigma**2 * n,
    ratio: lam / R,
    a: n * sp.exp(-3 * _ETA / 64),
    a_corrected: n * sp.exp(-_ETA / 64),
    a_sharp: n * sp.exp(-9 * _ETA / 128),
    theta: sp.exp(2 * sp.log(sp.Rational(3, 4) / n) / order),  # (3/(4n))^{2/r}
    b: 2 * n**2 * sp.exp(-d * theta / (2 * proxy)),
    b_sharp: n * (n - 1) * sp.exp(-d * theta / (2 * proxy)),
    left: n * (n + 1) / 2,
}
_PROOF = Source("Lemma 21", "proof", "", 38)
_55 = Source("Lemma 21", "proof", "(55)", 38)
_STATED = Source("Lemma 21", "statement", "", 38)
_BOUNDED = frozenset({"bounded"})
_ORDER = Condition("η_r is not 0", eta2, ">=", sp.Rational(1, 10**6))
_RANDOM = Condition("columns uniform on the sphere", random, "=", sp.Integer(1))
_EXACT = Condition("the distribution of λ_min(M) is known", known, "=", sp.Integer(1))
_SEVERAL = Condition("n >= 2", n, ">=", sp.Integer(2))
_ONE_EIGHTH = Condition("λ_min(E(M|X)) >= mη_r²/8", lam, ">=", m * eta2 / 8)


def _used(*expressions: sp.Expr) -> dict[sp.Symbol, sp.Expr]:
    """The definitions that expressions rest on."""
    found = {s for e in expressions for s in sp.sympify(e).free_symbols if s in WHERE}
    deeper = _used(*(WHERE[s] for s in found)) if found else {}
    return {s: value for s, value in WHERE.items() if s in found or s in deeper}


def _claim(label: str, lhs: sp.Expr, relation: str, rhs: sp.Expr, meaning: str, tex: str, tool: Tool, **more) -> None:  # type: ignore[no-untyped-def]
    conditions = [*more.get("hypotheses", ()), *([more["equality"]] if more.get("equality") else [])]
    where = _used(lhs, rhs, *(side for c in conditions for side in (c.lhs, c.rhs)))
    settings = {"source": _PROOF, "role": Role.STEP, "where": where, "regimes": ("kernel-matrix",), **more}
    register(Claim(label, lhs, relation, rhs, meaning=meaning, tex=tex, tool=tool, **settings))


# --- the matrices

_claim(
    "lemma21.sum",
    gram_min,
    "=",
    s_n2,
    "The smallest eigenvalue of the sum of the M_i is the square of the n-th singular value.",
    r"M = \textstyle\sum_{i=1}^mM_i,\quad M_i = \sigma(X^\top w_i^\top)\sigma(w_iX),\quad \lambda_{\min}(M) = s_{\min}(\sigma(WX))^2",
    Tool.DEFINITION,
    role=Role.DEFINITION,
    hypotheses=(
        Condition("m >= n", m, ">=", n),
        Condition("no rank is lost", s_n2, ">=", m * sp.Rational(1, 10**9)),
    ),
)
_claim(
    "lemma21.largest",
    row,
    "<=",
    R,
    "The largest eigenvalue of each M_i is the squared norm of its row, at most M_σ² n.",
    r"\lambda_{\max}(M_i) = \|\sigma(w_iX)\|_2^2 \le M_\sigma^2n",
    Tool.SUPREMUM,
    needs=_BOUNDED,
    equality=Condition("some row is saturated", row, ">=", R * (1 - sp.Rational(1, 10**9))),
)
_claim(
    "lemma21.expectation",
    sampled,
    "<=",
    M_sigma**2 * sp.sqrt(2 * sp.log(2 * left / RISK) / (m * draws)),
    "The mean of σ(w x_i)σ(w x_j) over all rows drawn is the enclosed kernel, within Hoeffding's deviation.",
    r"\mathbb E(M|X) = m\,\mathbb E_{\tilde w\sim\mathcal N(0,I_d)}\big(\sigma(X^\top\tilde w^\top)\sigma(\tilde wX)\big|X\big)",
    Tool.EXACT_DISTRIBUTION,
    needs=_BOUNDED,
    risk=RISK,
)
_claim(
    "lemma21.rescaling",
    rescaled,
    "=",
    plain,
    "Standard Gaussian rows on X are rows of variance 1/d on √d X.",
    r"\mathbb E_{\tilde w\sim\mathcal N(0,I_d)}\big(\sigma(X^\top\tilde w^\top)\sigma(\tilde wX)\big|X\big)"
    r" = \mathbb E_{\tilde w\sim\mathcal N(0,\frac1dI_d)}\big(\sigma((\sqrt dX)^\top\tilde w^\top)\sigma(\tilde w(\sqrt dX))\big|X\big)",
    Tool.DEFINITION,
    needs=_BOUNDED,
)

# --- (55)

_claim(
    "eq55.mehler",
    entry,
    "=",
    series,
    "The kernel in closed form is the power series of squared Hermite coefficients.",
    r"\mathbb E\,\sigma(wx_i)\sigma(wx_j) = \textstyle\sum_r\eta_r(\sigma)^2\langle x_i,x_j\rangle^r",
    Tool.EXACT_DISTRIBUTION,
    source=_55,
    edition="explicit",
    hypotheses=(
        Condition("the kernel has a closed form", closed, "=", sp.Integer(1)),
        Condition("the series has converged", corr, "<=", sp.Rational(7, 10)),
    ),
    premises=("hermite.coefficient",),
)
_claim(
    "eq55.hadamard",
    lam,
    ">=",
    m * H.eta**2 * hadamard,
    "Each term of the series is a positive matrix, so that each bounds the smallest eigenvalue from below.",
    r"\lambda_{\min}(\mathbb E(M|X)) \ge m\,\eta_r(\sigma)^2\,\lambda_{\min}((X^\top X)^{\circ r})",
    Tool.PERTURBATION,
    source=_55,
    edition="explicit",
    hypotheses=(Condition("the kernel matrix is not singular", lam, ">=", m * H.square / 10**4),),
    equality=Condition("σ is a single polynomial", H.square, "<=", H.eta**2 * (1 + sp.Rational(1, 10**9))),
    premises=("eq55.mehler",),
)
_claim(
    "eq55.gershgorin",
    hadamard,
    ">=",
    discs,
    "Gershgorin's discs for entrywise powers of the matrix of correlations.",
    r"\lambda_{\min}((X^\top X)^{\circ r}) \ge 1-\max_i\textstyle\sum_{j\ne i}|\rho_{ij}|^r",
    Tool.PERTURBATION,
    source=_55,
    edition="explicit",
    equality=Condition("correlated in pairs, as for n <= 2", hadamard - discs, "<=", sp.Rational(1, 10**12)),
)
_SEPARATED = Condition("|ρ_ij|^r <= 3/(4n) for all pairs", corr, "<=", sp.Rational(3, 4) / n)
for _edition, _rhs, _tex in (
    ("as-printed", m * eta2 / 8, r"\frac{m\eta_r^2(\sigma)}8"),
    ("sharpened", m * eta2 * (1 - (n - 1) * corr), r"m\eta_r^2(\sigma)(1-(n-1)\max_{i\ne j}|\rho_{ij}|^r) \ge \frac{m\eta_r^2(\sigma)}4"),
):
    _claim(
        "eq55.kernel",
        lam,
        ">=",
        _rhs,
        "The smallest eigenvalue of the kernel matrix of columns that are well apart.",
        rf"\lambda_{{\min}}(\mathbb E(M|X)) \ge {_tex}",
        Tool.PERTURBATION,
        source=_55,
        edition=_edition,
        hypotheses=(_SEPARATED,),
        equality=None if _edition == "as-printed" else Condition("nothing but η_r", H.square, "<=", eta2 * (1 + sp.Rational(1, 10**9))),
        premises=("eq55.hadamard", "eq55.gershgorin"),
    )
for _edition, _proxy in (("explicit", sp.Integer(1)), ("sharpened", proxy)):
    _claim(
        "eq55.sub-gaussian",
        cap,
        "<=",
        2 * sp.exp(-(cap_t**2) / (2 * _proxy)),
        "Tails of a coordinate of the uniform law on the sphere of radius √d: variance proxy "
        + ("1 always serves." if _edition == "explicit" else "as small as it can be."),
        r"P(|\langle x, y\rangle| \ge t) \le 2\exp\Big(-\frac{t^2}{2v_x^2}\Big)",
        Tool.EXACT_DISTRIBUTION,
        source=Source("Section B", "sub-Gaussian random vector", "", 31),
        edition=_edition,
        hypotheses=(Condition("d >= 2", d, ">=", sp.Integer(2)),),
        note="By moments: E u^{2k} d^k = d^k (2k-1)!!/(d(d+2)...(d+2k-2)) <= (2k-1)!!, those of N(0, 1)." if _edition == "explicit" else "",
    )
_claim(
    "eq55.proxy",
    proxy,
    "<=",
    sp.Integer(1),
    "The smallest proxy is at most 1, and tends to 1 as d grows.",
    r"v_x^2 \le 1",
    Tool.EXACT_DISTRIBUTION,
    source=Source("Section B", "sub-Gaussian random vector", "", 31),
    edition="sharpened",
    hypotheses=(Condition("d >= 2", d, ">=", sp.Integer(2)),),
    premises=("eq55.sub-gaussian",),
)
_claim(
    "eq55.pair",
    pair,
    "<=",
    2 * sp.exp(-d * theta / (2 * proxy)),
    "Two columns are too close with at most the sub-Gaussian probability, given one of them.",
    r"P\big(|\rho_{ij}|^r \ge \tfrac3{4n}\big) \le 2\exp\Big(-\frac d{2C^2}\big(\frac3{4n}\big)^{2/r}\Big)",
    Tool.EXACT_DISTRIBUTION,
    source=_55,
    edition="explicit",
    hypotheses=(_RANDOM,),
    premises=("eq55.sub-gaussian",),
)
for _edition, _lhs, _rhs, _tex in (
    ("as-printed", low_exact, b, r"2n^2\exp\Big(-\frac d{2C^2}\big(\frac3{4n}\big)^{2/r}\Big)"),
    ("sharpened", low_sharp, b_sharp, r"n(n-1)\exp\Big(-\frac d{2C^2}\big(\frac3{4n}\big)^{2/r}\Big)"),
):
    _claim(
        "eq55.probability",
        _lhs,
        "<=",
        _rhs,
        f"The exact probability over two columns that the kernel matrix is below {'mη²/8' if _edition == 'as-printed' else 'mη²/4'}.",
        rf"P\Big(\lambda_{{\min}}(\mathbb E(M|X)) \ge \frac{{m\eta_r^2(\sigma)}}{8 if _edition == 'as-printed' else 4}\Big) \ge 1-{_tex}",
        Tool.EXACT_DISTRIBUTION,
        source=_55,
        edition=_edition,
        hypotheses=(
            _RANDOM,
            _ORDER,
            Condition("n = 2", n, "=", sp.Integer(2)),
            Condition("σ is odd or even", H.symmetric, "=", sp.Integer(1)),
        ),
        premises=("eq55.kernel", "eq55.pair"),
    )
_claim(
    "eq55.frequency",
    low,
    "<=",
    low_allowed,
    "Of all draws of X, no more have a kernel matrix below mη²/4 than the sharpened probability allows.",
    r"P\Big(\lambda_{\min}(\mathbb E(M|X)) \ge \frac{m\eta_r^2(\sigma)}4\Big)"
    r" \ge 1-n(n-1)\exp\Big(-\frac d{2C^2}\big(\frac3{4n}\big)^{2/r}\Big)",
    Tool.EXACT_DISTRIBUTION,
    source=_55,
    edition="sharpened",
    hypotheses=(_RANDOM, _ORDER, _SEVERAL),
    equality=Condition("the probability is at least 1", b_sharp, ">=", sp.Integer(1), trivial=True),
    premises=("eq55.kernel", "eq55.pair"),
    risk=RISK,
)

# --- the matrix Chernoff bound

_WITNESS = "lemma21-witness"
for _edition, _exponent, _tex, _note in (
    ("as-printed", (1 - t**2) / 2, r"\frac{(1-t^2)\lambda_{\min}(\mathbb E(M|X))}{2R(X)}", "1 - t² for (1-t)², false for t > 0.2."),
    (
        "corrected",
        (1 - t) ** 2 / 2,
        r"\frac{(1-t)^2\lambda_{\min}(\mathbb E(M|X))}{2R(X)}",
        "By Taylor's formula at t = 1, from the edition sharpened.",
    ),
    (
        "sharpened",
        1 - t + t * sp.log(t),
        r"(1-t+t\ln t)\frac{\lambda_{\min}(\mathbb E(M|X))}{R(X)}",
        "The exponent is that of Poisson tails.",
    ),
):
    _claim(
        "lemma21.chernoff",
        tail,
        "<=",
        n * sp.exp(-_exponent * ratio),
        "The matrix Chernoff bound for the smallest eigenvalue, against exact tails at seven levels.",
        rf"P\big(\lambda_{{\min}}(M) \le t\lambda_{{\min}}(\mathbb E(M|X))\big|X\big) \le n\exp\Big(-{_tex}\Big)",
        Tool.EXACT_DISTRIBUTION,
        edition=_edition,
        needs=_BOUNDED,
        hypotheses=(_EXACT,),
        premises=("lemma21.sum", "lemma21.largest"),
        expect=_WITNESS if _edition == "as-printed" else None,
        note=_note,
    )
for _label, _tail, _premise, _meaning, _tex in (
    ("half", half, "chernoff", "half the smallest eigenvalue of its mean", r"\frac{\lambda_{\min}(\mathbb E(M|X))}2\Big|X"),
    ("event", event, "half", "mη²/16", r"\frac{m\eta_r^2(\sigma)}{16}"),
):
    for _edition, _rhs, _number in (("as-printed", a, "3"), ("corrected", a_corrected, "")):
        _claim(
            f"lemma21.{_label}",
            _tail,
            "<=",
            _rhs,
            f"On the event (55), M is below {_meaning} with at most this probability given X.",
            rf"P\Big(\lambda_{{\min}}(M) \ge {_tex}\Big) \ge 1-n\exp\Big(-\frac{{{_number}m\eta_r^2(\sigma)}}{{64M_\sigma^2n}}\Big)",
            Tool.DEFINITION,
            edition=_edition,
            needs=_BOUNDED,
            hypotheses=(_EXACT, _ORDER, _ONE_EIGHTH),
            premises=(f"lemma21.{_premise}",),
            expect=_WITNESS if _edition == "as-printed" else None,
            note="3 is 4(1 - t²) at t = 1/2, for 4(1 - t)² = 1." if _edition == "as-printed" else "",
        )
_claim(
    "lemma21.counts",
    excess,
    "<=",
    deviation,
    "Of all draws of W, as many lie below each level as the exact tail allows.",
    r"P(\lambda_{\min}(M) \le t\lambda_{\min}(\mathbb E(M|X))|X)",
    Tool.EXACT_DISTRIBUTION,
    edition="explicit",
    source=Source("Lemma 21", "test of the exact tails by seeds"),
    role=Role.CONTROL,
    hypotheses=(_EXACT,),
    risk=RISK,
    equality=Condition("no draw is expected below", draws * tail, "<=", sp.Rational(1, 1000), trivial=True),
)
_claim(
    "lemma21.frequency",
    below,
    "<=",
    allowed,
    "Of all draws of W, no more lie below each level than the corrected bound allows.",
    r"P(\lambda_{\min}(M) \le t\lambda_{\min}(\mathbb E(M|X))|X) \le n\exp\Big(-\frac{(1-t)^2\lambda_{\min}(\mathbb E(M|X))}{2R(X)}\Big)",
    Tool.EXACT_DISTRIBUTION,
    edition="corrected",
    needs=_BOUNDED,
    equality=Condition("the bound is at least 1", n * sp.exp(-((1 - t) ** 2) * ratio / 2), ">=", sp.Integer(1), trivial=True),
    premises=("lemma21.chernoff",),
    risk=RISK,
)

# --- the union of the two events, and the statement

_FREE: dict[str, Any] = {"needs": _BOUNDED, "hypotheses": (_RANDOM, _ORDER), "tool": Tool.DEFINITION}
_SHARE = 1 - failed / draws + sp.sqrt(sp.log(1 / RISK) / (2 * draws))
for _edition, _rhs, _tex in (
    ("as-printed", (1 - a) * (1 - b), r"\Big(1-n\exp\Big(-\frac{3m\eta_r^2(\sigma)}{64M_\sigma^2n}\Big)\Big)(1-2n^2\exp(\dots))"),
    (
        "corrected",
        maximum(1 - a, 0) * maximum(1 - b, 0),
        r"\Big(1-n\exp\Big(-\frac{3m\eta_r^2(\sigma)}{64M_\sigma^2n}\Big)\Big)^+(1-2n^2\exp(\dots))^+",
    ),
):
    _claim(
        "lemma21.product",
        _SHARE,
        ">=",
        _rhs,
        "The two probabilities multiplied, against the share of draws of X and W that succeed, within Hoeffding's deviation.",
        rf"P\Big(\lambda_{{\min}}(M) \ge \frac{{m\eta_r^2(\sigma)}}{{16}}\Big) \ge {_tex}",
        edition=_edition,
        premises=("lemma21.event", "eq55.probability"),
        expect="lemma21-product-witness" if _edition == "as-printed" else None,
        risk=RISK,
        note="Where both factors are negative their product may exceed 1." if _edition == "as-printed" else "",
        **_FREE,
    )
_claim(
    "lemma21.union",
    maximum(1 - a - b, 0),
    "<=",
    maximum(1 - a, 0) * maximum(1 - b, 0),
    "The product expanded, its last term dropped.",
    r"(1-a)(1-b) \ge 1-a-b",
    equality=Condition("the last term is lost in rounding", a * b, "<=", sp.Rational(1, 10**12)),
    premises=("lemma21.product",),
    **_FREE,
)
_TEX = r"s_{\min}(\sigma(WX)) \ge \tfrac14\sqrt m\,|\eta_r(\sigma)|\text{ with probability at least }1-"
for _edition, _rhs, _tex in (
    ("as-printed", failed_allowed, r"n\exp\Big(-\frac{3m\eta_r^2(\sigma)}{64M_\sigma^2n}\Big)-2n^2\exp(\dots)"),
    ("sharpened", failed_sharp, r"n\exp\Big(-\frac{9m\eta_r^2(\sigma)}{128M_\sigma^2n}\Big)-n(n-1)\exp(\dots)"),
):
    _claim(
        "lemma21.conclusion",
        failed,
        "<=",
        _rhs,
        "Of all draws of X and W, no more have a smallest singular value below ¼√m|η_r| than δ allows.",
        _TEX + _tex,
        source=_STATED,
        role=Role.LEMMA,
        edition=_edition,
        equality=Condition("δ is at least 1", a_sharp + b_sharp, ">=", sp.Integer(1), trivial=True),
        premises=("lemma21.union",) if _edition == "as-printed" else ("eq55.frequency", "lemma21.frequency"),
        risk=RISK,
        **{**_FREE, "tool": Tool.EXACT_DISTRIBUTION},
    )
_claim(
    "lemma21.delta",
    a_sharp + b_sharp,
    "<=",
    a + b,
    "The δ that follows from Gershgorin's discs and the corrected Chernoff bound at t = 1/4 is below the printed one, which is right so.",
    r"n\exp\Big(-\frac{9m\eta_r^2}{128M_\sigma^2n}\Big)+n(n-1)\exp(\dots) \le \delta",
    source=_STATED,
    edition="sharpened",
    premises=("lemma21.chernoff", "eq55.probability"),
    **_FREE,
)
_claim(
    "lemma21.void",
    a,
    ">=",
    sp.Integer(1),
    "Below m = n the printed δ exceeds 1: the lemma says nothing there, and need not assume m >= n.",
    r"m < n \Rightarrow \delta > n\,e^{-3/64} > 1",
    Tool.SUPREMUM,
    source=_STATED,
    edition="explicit",
    needs=_BOUNDED,
    hypotheses=(Condition("m < n", m, "<=", n - 1),),
    premises=("hermite.parseval",),
)

# --- controls: what makes s_n(S̄) collapse, and the kernel matrix with it unless it is m < n

for _name, _flag, _reason, _note in (
    ("narrow", flags["narrow"], "m < n", "S̄ has fewer rows than columns."),
    (
        "copies",
        flags["copies"],
        "a sample stands twice",
        "Columns of S̄ agree: n copies of a point give rank 1; no sub-Gaussian proxy makes δ < 1 there.",
    ),
    ("antipodal", flags["antipodal"], "two samples are opposite and σ is odd or even", "Two columns of S̄ agree up to sign."),
    ("polynomial", flags["linear"], "σ is linear and n > d", "S̄ has rank at most d, and η_r = 0 for r >= 2."),
):
    _claim(
        f"lemma21.control-{_name}",
        s_n,
        "=",
        sp.Integer(0),
        f"The n-th singular value vanishes where {_reason}: no bound by ¼√m|η_r| > 0 can hold.",
        r"s_{\min}(\sigma(\bar W\bar Ax/\sqrt q)) = 0",
        Tool.DEFINITION,
        edition="explicit",
        source=Source("Lemma 21", f"control: {_reason}"),
        role=Role.CONTROL,
        hypotheses=(Condition(_reason, _flag, "=", sp.Integer(1)),),
        note=_note,
    )
_claim(
    "lemma21.control-kernel",
    lam,
    "=",
    sp.Integer(0),
    "In the last three of these cases E(M|X) is singular as well: (55) fails for every r with η_r ≠ 0.",
    r"\lambda_{\min}(\mathbb E(M|X)) = 0",
    Tool.DEFINITION,
    edition="explicit",
    source=Source("Lemma 21", "control: E(M|X) is singular"),
    role=Role.CONTROL,
    hypotheses=(
        Condition(
            "samples agree or are opposite, or σ is linear", flags["copies"] + flags["antipodal"] + flags["linear"], ">=", sp.Integer(1)
        ),
    ),
)
