"""Negative controls: a hypothesis is dropped and the conclusion is seen to fail.

For independent standard Gaussian V_k, W_k the differences of disjoint pairs (Z_{2j} - Z_{2j-1}) are independent and
|Z_{2j} - Z_{2j-1}|² = 2χ²_{2qm} exactly, so the maximum over the ⌊L/2⌋ pairs has the distribution function F^{⌊L/2⌋}. Its median
and expectation grow with L; a smooth initialisation would make it fall like 1/L.

Trained by (4) from V_k = 0 and independent W_k instead of one W̄, a network (3) fits its labels as it does from W̄, so the decay of Theorem 6
does not need equal layers; but statement (ii) of Proposition 8, ‖Z_{k+1} - Z_k‖ <= K̃/L, fails at every depth. The weights move by at most
(1/L) Σ‖Z_k(T) - Z_k(0)‖² <= Tℓ(0) (`identities.displacement`), hence in mean square over the L - 1 pairs

    max_k ‖Z_{k+1}(T) - Z_k(T)‖ >= ((1/(L-1)) Σ‖Z_{k+1}(0) - Z_k(0)‖²)^{1/2} - 2 (L/(L-1))^{1/2} (Tℓ(0))^{1/2}

of which the first term is about (2qm)^{1/2} whatever L is.
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Claim, Role, Source, Tool
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.registry import quantity, register

IID_RISK = sp.Rational(1, 10**6)  # per ladder, split over its depths: a false alarm once in a million ladders

register(
    Claim(
        "control.iid-median",
        Q.iid_excess,
        "<=",
        Q.iid_allowed,
        Source("control", "i.i.d. initialisation instead of Section 4.3", "", 7),
        ("iid-ladder",),
        "Of N draws, as many maxima lie above the exact median as a fair coin allows.",
        r"\#\{\max_k\|Z_{2j}-Z_{2j-1}\| > \mathrm{median}\} \sim \mathrm{Bin}(N, \tfrac12)",
        role=Role.CONTROL,
        edition="explicit",
        inputs="a-priori",
        risk=IID_RISK,
        tool=Tool.EXACT_DISTRIBUTION,
    )
)
register(
    Claim(
        "control.iid-no-decrease",
        Q.iid_mean,
        ">=",
        Q.iid_shallow,
        Source("control", "i.i.d. initialisation instead of Section 4.3", "", 7),
        ("iid-ladder",),
        "Without a smooth initialisation the largest successive difference does not decrease with depth.",
        r"\max_k\|Z_{k+1}^L-Z_k^L\| \not\to 0",
        role=Role.CONTROL,
        edition="explicit",
        inputs="a-priori",
        equality=None,
        tool=Tool.EXACT_DISTRIBUTION,
    )
)


def _trained(name: str, latex: str, meaning: str) -> sp.Symbol:
    return quantity(name, latex, (Q.B_,), f"{meaning}, per depth", local=False).symbol


_GAP = r"\max_k\|Z_{k+1}^L(T)-Z_k^L(T)\|"
layers_decay = _trained("layers_decay", r"\ln\frac{\ell^L(0)}{\ell^L(T)}", "fall of the loss from independent layers")
layers_gap = _trained("layers_gap", _GAP, "largest successive difference of weights trained from independent layers")
layers_apart = _trained(
    "layers_apart", r"\Big(\tfrac1{L-1}\sum_k\|Z_{k+1}(0)-Z_k(0)\|^2\Big)^{1/2}", "root mean square of the initial ones"
)
layers_reach = _trained("layers_reach", r"\sqrt{T\ell^L(0)}", "how far the weights can move in mean square")
tied_decay = _trained("tied_decay", r"\ln\frac{\ell^L(0)}{\ell^L(T)}", "fall of the loss from equal layers")
tied_gap = _trained("tied_gap", _GAP, "largest successive difference of weights trained from equal layers")
tied_before = _trained("tied_before", r"\max_k\|Z_{k+1}^{L/2}(T)-Z_k^{L/2}(T)\|", "the same at half the depth")
_LAYERS = Source("control", "independent layers instead of one W̄ in Proposition 8 and Theorem 6", "", 18)

for _label, _lhs, _relation, _rhs, _meaning, _tex, _tool in (
    (
        "iid-decay",
        layers_decay,
        ">=",
        tied_decay / 2,
        "From independent layers the loss falls at least half as fast as from equal ones: its decay does not need them.",
        r"\ln\frac{\ell^L(0)}{\ell^L(T)}\Big|_{W_k\ \text{i.i.d.}} \ge \frac12\ln\frac{\ell^L(0)}{\ell^L(T)}\Big|_{W_k=\bar W}",
        Tool.NONE,
    ),
    (
        "iid-rough",
        layers_gap + 2 * sp.sqrt(Q.depth / (Q.depth - 1)) * layers_reach,
        ">=",
        layers_apart,
        "From independent layers the trained weights stay apart at every depth: no K̃/L bounds their successive differences.",
        rf"{_GAP} \ge \Big(\frac1{{L-1}}\sum_k\|Z_{{k+1}}(0)-Z_k(0)\|^2\Big)^{{1/2}}-2\sqrt{{\frac L{{L-1}}T\ell^L(0)}} = \Omega(1)",
        Tool.TRIANGLE,
    ),
    (
        "tied-smooth",
        tied_gap,
        "<=",
        sp.Rational(2, 3) * tied_before,
        "From equal layers the same training leaves successive differences that fall as the depth doubles, like K̃/L.",
        rf"{_GAP} \le \frac23\max_k\|Z_{{k+1}}^{{L/2}}(T)-Z_k^{{L/2}}(T)\|",
        Tool.NONE,
    ),
):
    register(
        Claim(
            f"control.{_label}",
            _lhs,
            _relation,
            _rhs,
            _LAYERS,
            ("counterexamples",),
            _meaning,
            _tex,
            role=Role.CONTROL,
            edition="explicit",
            inputs="along-trajectory",
            premises=("identities.displacement",) if _tool is Tool.TRIANGLE else (),
            tool=_tool,
        )
    )
