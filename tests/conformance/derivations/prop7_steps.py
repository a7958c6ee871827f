"""Appendix A.1 line by line: each right side from the lines before it, with the constants as symbols; then the constants."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache

import sympy as sp

from depthlimit.conformance.derivations.lines import Definitions, Lines
from depthlimit.conformance.derivations.tools import bounded, chain_rule, discrete_gronwall, enlarged, gronwall, product_rule, triangle
from depthlimit.theory import registry
from depthlimit.theory.paper import general as G
from depthlimit.theory.paper import prop7_quantities as P
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.prop7 import K1, K2, K21, K22, E_h, K, Kp, M, alpha, beta

Rule = Callable[[Lines], sp.Expr]
MAXIMA: Definitions = {K: sp.Max(K1, K2), Kp: sp.Max(K22, K21)}  # the smallest constant that serves for both
_tau = sp.Symbol("tau", nonnegative=True)
_BOUND = sp.Symbol("P", nonnegative=True)
# norms of the vectors that (12) and (13) are sums of, and the change of the left side over the layer
_SIZES: Mapping[sp.Symbol, sp.Expr] = {
    Q.h: P.h_size,
    G.f_value: P.f_size,
    G.adj_next: P.p_next_size,
    G.J_adj: P.J_size,
    G.Jt_adj: P.Jt_size,
    G.B_error: P.B_error_size,
}
# means over the samples, read for one of them; "early" as the print has its indices
_SAMPLE = {
    P.mean_dp: P.dp_size,
    P.mean_p_dh: P.p_size * P.dh_pair,
    P.mean_p: P.p_size,
    P.mean_dp_early: P.dp_size,
    P.mean_p_dh_early: P.p_size * P.dh_pair,
    P.mean_p_early: P.p_size,
}


def norm(vector: sp.Expr) -> sp.Expr:
    """The triangle inequality on a combination of the vectors of (12)-(13)."""
    return triangle(vector, {symbol: size for symbol, size in _SIZES.items() if symbol in vector.free_symbols})


def _over_constants(line: Lines, expression: sp.Expr) -> sp.Expr:
    """K for K₁ and K₂, K' for its terms; nothing in the sharpened edition."""
    return expression if line.claim.edition == "sharpened" else enlarged(expression, MAXIMA, K, Kp)


def samplewise(expression: sp.Expr) -> sp.Expr:
    """Means over samples written for one sample, so that bounds of one sample can be put in."""
    return expression.xreplace(_SAMPLE)


def _moved(block: str, start: sp.Symbol, path: sp.Symbol) -> dict[str, Rule]:
    """Z(t) = Z(0) + ∫Z', the speed at most M_π, times at most T."""
    vectors = sp.symbols("start path")
    return {
        f"prop7.path-{block}": lambda line: triangle(sum(vectors), dict(zip(vectors, (start, path), strict=True))),
        f"prop7.path-bound-{block}": lambda line: bounded(
            line.rhs(f"prop7.path-{block}"), {start: P.M0_euclid, path: sp.integrate(P.M_pi_euclid, (_tau, 0, Q.t))}
        ),
        f"prop7.general-norm-{block}": lambda line: line.follow(
            line.claim.lhs, f"prop7.path-{block}", f"prop7.path-bound-{block}", "prop7.horizon"
        ),
    }


def _hidden_growth(line: Lines) -> sp.Expr:
    own = P.K1_here if line.claim.edition == "sharpened" else line.rhs("prop7.K1")  # f(0, .) = 0
    return sp.factor(bounded(norm(line.rhs("eq12.layer")), {P.f_size: chain_rule((own, P.h_size))}), P.h_size)


def _returning(line: Lines) -> sp.Expr:
    """(20) for one sample: |∂₂f| |Δp| + |p| |Δ∂₂f|, with K and the mean value theorem."""
    split = product_rule((P.J2_norm, P.dJ2_norm), (P.p_size, P.dp_size))
    rate = line.follow(Q.gap_rate, "prop7.eq20").subs({P.split_20: split, P.split_20_early: split})
    by_jacobian = K2 if line.claim.edition == "sharpened" else line.rhs("prop7.K")
    return line.follow(rate.subs(P.J2_norm, by_jacobian), "prop7.mean-value")


def _thus(line: Lines) -> sp.Expr:
    """Both changes over a layer put in, and one bound on the two adjoint states: the larger, or the first as printed."""
    sharp = line.claim.edition == "sharpened"
    rate = samplewise(line.rhs("prop7.returning"))
    dp = bounded(norm(line.rhs("eq13.general-layer[corrected]") - G.adj_next), {P.Jt_size: K1 * P.p_next_size})
    dh = bounded(norm(line.rhs("eq12.layer") - Q.h), {P.f_size: K1 * P.h_size})
    state = Q.h_pair if sharp else line.rhs("prop7.h-step-bound")
    rate = bounded(rate, {P.dp_size: dp, P.dh_pair: bounded(dh, {P.h_size: state})})
    p = P.mean_p if line.claim.edition == "as-printed" else Q.p_pair
    return _over_constants(line, bounded(rate, {P.p_size: p, P.p_next_size: p}))


def _adjoint(line: Lines, expression: sp.Expr) -> sp.Expr:
    """The bound on the adjoint states put in, line by line."""
    return line.follow(expression, "prop7.p-bound", "prop7.p-last", "prop7.p-last-bound", "prop7.p-final")


def _p_final(line: Lines) -> sp.Expr:
    output = bounded(Q.B_norm * P.h_next_size, {Q.B_norm: M})
    output = line.follow(output, "prop7.hidden-bound", "prop7.embedded", "prop7.embedded-bound")
    return enlarged(bounded(line.claim.lhs, {P.Bh_size: output, P.y_size: Q.M_Y}), MAXIMA, K)


def _lipschitz(line: Lines) -> sp.Expr:
    return sp.Integer(1) if line.claim.edition == "as-printed" else P.K_pi


def _integral(line: Lines) -> sp.Expr:
    """From the start, the rate integrated; the gap's own integral is `gap_path`."""
    rate = sp.expand(line.rhs("prop7.general-rate"))
    moving = rate.coeff(Q.gap_here, 1)
    return Q.gap0 + moving * P.gap_path + sp.integrate(rate - moving * Q.gap_here, (_tau, 0, Q.t))


def _gap(line: Lines) -> sp.Expr:
    """Grönwall's inequality; t at most T unless sharpened."""
    sharp = line.claim.edition == "sharpened"
    if sharp:  # its integral is that of the corrected edition, with constants of its own
        line = Lines(replace(line.claim, edition="corrected"))
    integral = sp.expand(line.rhs("prop7.general-integral"))
    moving = integral.coeff(P.gap_path, 1)
    bound = gronwall(integral - moving * P.gap_path, moving, Q.t)
    return bound if sharp else bounded(bound, {Q.t: Q.T})


RULES: dict[str, Rule] = {
    **_moved("A", P.A_start, P.path_A),
    **_moved("Z", P.Z_start, P.path_Z),
    **_moved("B", P.B_start, P.path_B),
    "prop7.horizon": lambda line: M,
    "prop7.hidden-growth": _hidden_growth,
    "prop7.hidden-bound": lambda line: discrete_gronwall(line.rhs("prop7.hidden-growth"), P.h_size, P.h0_size, Q.L),
    "prop7.embedded-bound": lambda line: bounded(Q.A_norm * Q.M_X, {Q.A_norm: M}),
    "prop7.compact-h": lambda line: E_h,
    "prop7.K": lambda line: enlarged(line.rhs("prop7.K2"), MAXIMA, K),
    "prop7.mean-value": lambda line: _over_constants(line, chain_rule((K21, P.dh_pair), (K22, Q.gap_here))),
    "prop7.velocity-difference[corrected]": lambda line: chain_rule((P.K_pi, P.grad_gap)),
    "prop7.eq20": lambda line: line.follow(Q.gap_rate, "prop7.velocity-difference", "prop7.split-samples", "prop7.split-products"),
    "prop7.returning": _returning,
    "prop7.p-change": lambda line: norm(line.rhs("eq13.general-layer") - G.adj_next),
    "prop7.p-triangle": lambda line: norm(line.rhs("eq13.general-layer")),
    "prop7.p-step": lambda line: enlarged(bounded(line.rhs("prop7.p-change[corrected]"), {P.Jt_size: K1 * P.p_next_size}), MAXIMA, K),
    "prop7.h-change": lambda line: norm(line.rhs("eq12.layer") - Q.h),
    "prop7.h-step": lambda line: enlarged(bounded(line.claim.lhs, {P.f_size: chain_rule((K1, P.h_size))}), MAXIMA, K),
    "prop7.h-step-bound": lambda line: enlarged(
        line.follow(P.h_next_size, "prop7.hidden-bound", "prop7.embedded", "prop7.embedded-bound"), MAXIMA, K
    ),
    "prop7.thus": _thus,
    "prop7.p-growth": lambda line: enlarged(bounded(line.rhs("prop7.p-triangle[corrected]"), {P.Jt_size: K1 * P.p_next_size}), MAXIMA, K),
    "prop7.p-bound": lambda line: discrete_gronwall(line.rhs("prop7.p-growth"), P.p_next_size, P.p_last_size, Q.L),
    "prop7.p-last": lambda line: norm(line.rhs("eq13.general-last")),
    "prop7.p-last-bound": lambda line: bounded(Q.B_norm * triangle(Q.Bh - Q.output, {Q.Bh: P.Bh_size, Q.output: P.y_size}), {Q.B_norm: M}),
    "prop7.p-final": _p_final,
    "prop7.general-rate": lambda line: _lipschitz(line) * (alpha * Q.gap_here + beta / Q.L),
    "prop7.general-integral": _integral,
    "prop7.general-gap": _gap,
}


def _rate_of(line: Lines, adjoint: sp.Expr) -> dict[sp.Symbol, sp.Expr]:
    """α and β from the line after "Thus", without Lip(π)."""
    rate = sp.expand(bounded(line.rhs("prop7.thus").subs(Q.h_pair, E_h), {Q.p_pair: adjoint}) / P.K_pi)
    return {alpha: rate.coeff(Q.gap_here, 1), beta: sp.expand(rate.coeff(Q.gap_here, 0) * Q.L)}


def _line(edition: str) -> Lines:
    """The lines before the differential inequality, in an edition."""
    return Lines(registry.claims(f"prop7.general-rate[{edition},a-priori]")[0])


@cache
def printed() -> dict[sp.Symbol, sp.Expr]:
    """H_E, K, K', α and β."""
    line = _line("corrected")
    state = line.follow(P.h_next_size, "prop7.hidden-bound", "prop7.embedded", "prop7.embedded-bound")
    return {E_h: state, **MAXIMA, **_rate_of(line, _adjoint(line, P.p_size))}


def constants(line: Lines) -> Definitions:
    """M, and the constants above; those of the sharpened edition have K₁ for K, as the bounds on h and p need no more."""
    horizon = registry.claims("prop7.horizon")[0].lhs
    size = {M: bounded(horizon, {Q.t: Q.T})} if line.claim.inputs == "a-priori" else {}
    if line.claim.edition != "sharpened" or line.claim.inputs != "a-priori":
        return {**size, **printed()}
    sharp = _line("sharpened")
    return {**size, **printed(), _BOUND: _adjoint(sharp, P.p_size).subs(K, K1), **_rate_of(sharp, _BOUND)}
