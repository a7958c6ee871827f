"""Appendices A.3 and A.6 and Lemma 17: rules for the right sides of their lines, on families."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from depthlimit.conformance.derivations.lines import Definitions, Lines
from depthlimit.conformance.derivations.tools import bounded, chain_rule, gronwall, triangle
from depthlimit.theory.paper import prop9 as S
from depthlimit.theory.paper import prop11_gap, prop11_setting, prop15
from depthlimit.theory.paper import quantities as Q

Rule = Callable[[Lines], sp.Expr]
_a, _b, _c = sp.symbols("a b c")
_SUM = _a + _b + _c


def _jump(line: Lines) -> sp.Expr:
    """|⌊x⌋ - ⌊y⌋| <= |x - y| + 1, and L - 1 <= L."""
    return bounded(line.rhs("prop9.floor"), {S.steps: Q.depth * S.apart + 1})


def _near(line: Lines, depth: sp.Symbol) -> sp.Expr:
    """(26) between (s, t) and (s_j, t_j)."""
    return line.rhs("prop9.eq26").subs({S.apart: S.near, Q.t: S.near, Q.depth: depth})


def _both(line: Lines, label: str, network: sp.Symbol, limit: sp.Symbol) -> sp.Expr:
    """The sum of the two bounds of (28) or (31): that of the network's change and that of the limit's."""
    found = line.find(label)
    slack = network - next(side for side in found.lhs.args if network in side.free_symbols)
    if slack.has(network) or limit not in found.lhs.args:
        raise ValueError(f"{label} has changed")
    return triangle(_a + _b, {_a: found.rhs + slack, _b: found.rhs})


def _uniform(line: Lines) -> sp.Expr:
    """Of 2C/φ(L), (31) has no need for one."""
    bound = bounded(line.follow(line.rhs("prop9.in-t"), "prop9.in-s"), {S.D_nodes: S.D_grid0})
    return bound if line.claim.edition == "corrected" else bound - S.C / Q.depth


def _hidden(line: Lines) -> sp.Expr:
    """Corollary 13 with equal starts for f(h, z) = z ⊙ h: Lipschitz constants C in h and D in z, where |h| <= D."""
    size = prop15.U0_norm * sp.exp(S.C)
    speed = chain_rule((S.C, size))
    constants = {
        prop11_gap.C_U: speed,
        prop11_setting.Ct: chain_rule((S.C, speed), (size, prop15.Theta_slope)),
        prop11_setting.C: sp.Max(S.C, size),
    }
    bound = prop11_gap.C_U / Q.L + prop11_gap.printed(sp.Integer(0), prop15.far)  # the right side of cor13.gap
    return bound.subs({Q.C_Theta: prop15.Theta_slope, Q.L: Q.depth}).xreplace(constants)


RULES: dict[str, Rule] = {
    "prop9.floor": lambda line: triangle(_a + _b, {_a: S.C * Q.t, _b: S.steps * S.C / Q.depth}),
    "prop9.eq26": _jump,
    "prop9.cauchy": lambda line: triangle(_SUM, {_a: _near(line, Q.depth), _b: S.pair_near, _c: _near(line, S.other)}),
    "prop9.eq27": lambda line: sp.limit(line.rhs("prop9.eq26"), Q.depth, sp.oo),
    "prop9.in-t": lambda line: _both(line, "prop9.eq31", S.star, S.limit_star) + S.D_star,
    "prop9.in-s": lambda line: _both(line, "prop9.eq28", S.shift_s, S.limit_shift_s) + S.D_nodes,
    "prop9.uniform[corrected]": _uniform,
    "prop9.uniform[sharpened]": _uniform,
    "prop9.one-index": lambda line: triangle(_SUM, {_a: S.eps, _b: S.D_one_grid, _c: S.eps}),
    "prop9.trained": lambda line: triangle(_a + _b, {_a: Q.M_pi_Z * Q.t, _b: S.layers_up * S.gap_run}),
    "prop15.maps": lambda line: line.rhs("prop9.floor").subs({S.steps: 1, Q.t: 0}),
    "prop15.hidden": _hidden,
    "prop15.ball": lambda line: gronwall(prop15.U0_norm, prop15.lipschitz, sp.Integer(1)),
}
NOT_DERIVED = {
    "prop9.uniform[as-printed]": "false as printed; the edition corrected is derived",
    "prop15.index": "1, the number of the first layer",
}


def constants(line: Lines) -> Definitions:
    """None: C, δ and t_0 are measured."""
    return {}
