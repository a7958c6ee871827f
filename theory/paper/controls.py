"""Negative controls: a hypothesis is dropped and the conclusion is seen to fail.

For independent standard Gaussian V_k, W_k the differences of disjoint pairs (Z_{2j} - Z_{2j-1}) are independent and
|Z_{2j} - Z_{2j-1}|² = 2χ²_{2qm} exactly, so the maximum over the ⌊L/2⌋ pairs has the distribution function F^{⌊L/2⌋}. Its median
and expectation grow with L; a smooth initialisation would make it fall like 1/L.
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Claim, Role, Source, Tool
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.registry import register

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
