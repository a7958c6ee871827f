r"""Proposition 5 and Theorem 6 over seeds: how often the event fails, the PL condition fails, the loss decays too slowly.

Initialisation and data are drawn together, N times. A failure has probability at most δ, so the number of failures exceeds the (1 - risk)
quantile of the binomial law with that probability only with the stated risk.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import prop5_setting as P
from depthlimit.theory.registry import quantity, register

RISK = sp.Rational(1, 10**9)  # per instance: a false alarm in a run of 1000 instances less than once in a million


def _count(name: str, latex: str, meaning: str) -> sp.Symbol:
    return quantity(name, latex, (), meaning).symbol


seeds = _count("seeds", "N", "number of seeds of initialisation and data")
outside = _count("outside", r"\#\{\text{event fails}\}", "seeds with ‖W̄‖_F > √(2qm) or s_min(S̄) < √m η/4")
outside_allowed = _count("outside_allowed", "c_\\delta", "binomial quantile at the printed δ of page 35")
outside_allowed_sharp = _count("outside_allowed_sharp", "c_{\\delta'}", "binomial quantile at the δ of the sharpened edition")
flat = _count("flat", r"\#\{\text{PL fails}\}", "seeds with a point of the sharpened ball where the PL ratio is below η²/(12n)")
flows = _count("flows", "N_T", "seeds that are trained")
slow = _count("slow", r"\#\{\ell(T) > e^{-\mu T}\ell(0)\}", "trained seeds whose loss decays more slowly than μ = η²/(12n) asks")
slow_printed = _count("slow_printed", r"\#\{\ell(T) > e^{-\mu T}\ell(0)\}", "the same for μ = c₄/(n√n q)")
slow_allowed = _count("slow_allowed", "c_\\delta", "binomial quantile of the trained seeds at the printed δ")
slow_allowed_sharp = _count("slow_allowed_sharp", "c_{\\delta'}", "binomial quantile of the trained seeds at the sharpened δ")

_MANY = (Condition("at least 20 seeds", seeds, ">=", sp.Integer(20)), Condition("some are trained", flows, ">=", sp.Integer(1)))
_DRAWN = (
    *_MANY,
    Condition("δ < 1", P.DELTA, "<=", sp.Rational(99, 100)),
)
_SHARP = (*_MANY, Condition("δ' < 1", P.DELTA_SHARP, "<=", sp.Rational(99, 100)), *P.SHARP_SIZES)
_SIZES = (P.SIZES[0], P.SIZES[1], P.SIZES[2])


def _seeds(label: str, lhs: sp.Expr, rhs: sp.Expr, meaning: str, tex: str, source: Source, hypotheses: tuple[Condition, ...],
           **more: Any) -> None:  # fmt: skip
    where = P.used(*(side for c in hypotheses for side in (c.lhs, c.rhs)))
    register(Claim(label, lhs, "<=", rhs, source, ("pl-seeds",), meaning, tex, where=where, hypotheses=hypotheses, needs=P.BOUNDED,
                   risk=RISK, tool=Tool.EXACT_DISTRIBUTION, **more))  # fmt: skip


_EVENT = r"P\Big(\|\bar W\|_F \le \sqrt{2qm},\ s_{\min}(\bar S) \ge \frac14\sqrt m\,\eta\Big) \ge "
_PAGE_35 = Source("Proposition 5", "proof, δ", "", 35)
_SHARPENED = Source("Proposition 5", "any depth, over seeds")
_seeds("prop5.frequency", outside, outside_allowed, "No more seeds miss the event than the printed δ allows.", _EVENT + r"1-\delta",
       _PAGE_35, _DRAWN, role=Role.STEP, premises=("prop5.delta-34", "prop5.event"))  # fmt: skip
_seeds("prop5.frequency", outside, outside_allowed_sharp, "No more seeds miss the event than the sharpened δ allows.",
       _EVENT + r"1-e^{-qm/16}-ne^{-9m\eta^2/(128M_\sigma^2n)}-n(n-1)\exp\Big(-\frac d{2v_x^2}\Big(\frac3{4n}\Big)^{2/r}\Big)",
       Source("Proposition 5", "any depth, over seeds"), _SHARP, role=Role.STEP, edition="sharpened",
       premises=("prop5.delta-34", "prop5.event"))  # fmt: skip
_seeds(
    "prop5.pl-frequency",
    flat,
    outside_allowed_sharp,
    "No more seeds miss the local PL condition than the sharpened δ allows.",
    r"P(\text{PL with }\mu = \eta^2/(12n)) \ge 1-\delta'",
    _SHARPENED,
    _SHARP,
    edition="sharpened",
    premises=("prop5.sharp-pl",),
)
_10 = r"\ell^L(t) \le \exp\Big(-\frac{C't}{n\sqrt n\,q}\Big)\ell^L(0)"
_seeds("thm6.decay", slow_printed, slow_allowed, "No more trained seeds decay too slowly than the printed δ allows, with C' = c₄.", _10,
       Source("Theorem 6", "statement", "(10)", 6), (*_DRAWN, *_SIZES), premises=("prop5.pl", "thm6.condition"),
       note='"L in N*" is printed; the assumptions of Proposition 5 bound L from below.')  # fmt: skip
_seeds("thm6.decay", slow, slow_allowed_sharp, "No more trained seeds decay too slowly than the sharpened δ allows, at any depth.",
       r"\ell^L(t) \le \exp\Big(-\frac{\eta^2t}{12n}\Big)\ell^L(0)", Source("Theorem 6", "any depth, over seeds"), _SHARP,
       edition="sharpened", premises=("prop5.sharp-pl",))  # fmt: skip
