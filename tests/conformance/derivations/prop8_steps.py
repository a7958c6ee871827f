"""Appendix A.2 and Remark 1 line by line, and their constants; μ of (22) is where the fastest block moves by M/2."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import sympy as sp

from depthlimit.conformance.derivations.lines import Definitions, Lines
from depthlimit.conformance.derivations.prop5_constants import shrunk
from depthlimit.conformance.derivations.prop7_steps import norm
from depthlimit.conformance.derivations.tools import bounded, chain_rule, gronwall, layers, triangle
from depthlimit.theory import registry
from depthlimit.theory.paper import prop7, remark1
from depthlimit.theory.paper import prop7_quantities as P
from depthlimit.theory.paper import prop8 as S
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.prop7 import E_h, K, Kp

Rule = Callable[[Lines], sp.Expr]
M = S.R_pl
_tau, _y = (sp.Symbol(name, positive=True) for name in ("tau", "y"))
_x = sp.symbols("x_1:3")
_FACTORS = {"Z": S.M_B * K, "A": S.M_B * Q.M_X, "B": S.M_A * Q.M_X}  # of the speeds, over 2e^K √ℓ


def _fading(time: sp.Expr, rate: sp.Symbol = S.mu) -> sp.Expr:
    """√(ℓ(t)/ℓ(0)) from ℓ' <= -μℓ."""
    return sp.sqrt(gronwall(sp.Integer(1), -rate, time))


def _integral(speed: sp.Expr, low: sp.Expr, high: sp.Expr) -> sp.Expr:
    """∫ speed e^{-μτ/2} dτ."""
    rate, time = sp.Symbol("mu", positive=True), sp.Symbol("t", positive=True)
    value = sp.integrate(sp.exp(-rate * _tau / 2), (_tau, *(end.subs(Q.t, time) for end in (low, high))))
    return speed * sp.expand(value).subs({rate: S.mu, time: Q.t})


def _adjoint(stretch: sp.Symbol = K) -> sp.Expr:
    """2 e^K |B|₂ √ℓ(0), without its decay."""
    return layers(stretch) * 2 * S.M_B * sp.sqrt(Q.loss0)


def _largest(of_Z: sp.Symbol) -> sp.Expr:
    return sp.Max(*(factor.subs(K, of_Z) for factor in _FACTORS.values()))


def _rate(stretch: sp.Symbol, of_Z: sp.Symbol, room: sp.Expr) -> sp.Expr:
    """The μ at which the fastest block moves by `room` in all time."""
    (rate,) = sp.solve(_adjoint(stretch) / S.M_B * 2 / _y - room, _y)
    return rate * _largest(of_Z)


def _thus(adjoint: sp.Expr) -> dict[sp.Symbol, sp.Expr]:
    """C₁ and C₂, from the line after "Thus" of the proof of Proposition 7, |A| <= M_A in place of M."""
    line = registry.claims("prop7.thus[as-printed,a-priori]")[0]
    bracket = sp.expand(line.rhs.xreplace({prop7.M: S.M_A}) / adjoint)
    return {S.C1: sp.expand(bracket.coeff(Q.gap_here, 0) * Q.L), S.C2: bracket.coeff(Q.gap_here, 1)}


@cache
def known() -> Definitions:
    """The constants of (22), of statements (ii) and (iii), and the proven PL constant."""
    last = 2 * sp.Max(S.B0_min - M, 0) * S.rho / sp.sqrt(Q.n)  # |P_0|_F over √ℓ: 2/n |Bᵀ(F - y)|, |F - y| = √(nℓ)
    states = sp.Max(S.AX_min - triangle(sum(_x), {_x[0]: M * Q.X2, _x[1]: (layers(S.K1) - 1) * S.M_A * Q.XF}), 0)
    start = chain_rule((S.Z0_slope, 1 / Q.L))
    return {
        **_thus(P.mean_p),
        S.M_A: triangle(sum(_x), {_x[0]: S.A0_op, _x[1]: M}),
        S.M_B: triangle(sum(_x), {_x[0]: S.B0_op, _x[1]: M}),
        S.M_Z: triangle(sum(_x), {_x[0]: S.Z0_sup, _x[1]: M}),
        E_h: layers(S.K1) * S.M_A * Q.M_X,
        K: sp.Max(S.K1, S.K2),
        Kp: sp.Max(S.K22_pl, S.K21_pl),
        S.mu: _rate(K, K, M / 2),
        S.mu_sharp: _rate(S.K1, S.K2, M),
        S.b: _half_radius_speed() * _fading(Q.t),
        S.Kt: sp.simplify(Q.L * _spread(start)) * sp.exp(_half() / Q.M_X * S.C2),
        S.rho: shrunk(S.K1),
        S.pl: (last * S.X_min) ** 2 + (2 / Q.n * states * sp.sqrt(Q.n)) ** 2,
    }


def _at_the_largest(total: sp.Expr) -> sp.Expr:
    """A block's movement for all times over its factor, with the largest factor and the μ of (22) put in."""
    largest = sp.Symbol("largest", positive=True)
    return sp.simplify((total * largest).subs(S.mu, _rate(K, K, M / 2).subs(_largest(K), largest)))


@cache
def _half() -> sp.Expr:
    return _at_the_largest(_adjoint() / S.M_B * 2 / S.mu)


def _half_radius_speed() -> sp.Expr:
    """The speed that fades like e^{-μt/2} and moves a block by M/2."""
    (speed,) = sp.solve(_y * 2 / S.mu - _half(), _y)
    return speed


def _spread(start: sp.Expr) -> sp.Expr:
    """Z_{k+1} - Z_k at t = 0 and what C₁/L adds, ∫ of (25) being at most M/(2M_X)."""
    return start + _half() / Q.M_X * S.C1 / Q.L


def _successive_rate(line: Lines) -> sp.Expr:
    p = P.mean_p if line.claim.edition == "as-printed" else Q.p_pair
    found = sp.expand(line.rhs("prop7.thus").xreplace({prop7.M: S.M_A, P.K_pi: sp.Integer(1)}))  # there is no clip
    if sp.expand(found - p * (known()[S.C1] / Q.L + known()[S.C2] * Q.gap_here)) != 0:
        raise ValueError("the proof of Proposition 7 has changed")
    return p * (S.C1 / Q.L + S.C2 * Q.gap_here)


def _integrated(line: Lines, block: str) -> sp.Expr:
    """(25) under the integral, times what else a speed has."""
    by = {"Z": K, "A": Q.M_X}
    if block != "B":
        start = line.rhs("prop8.eq25").subs(Q.t, 0)
        return _integral(by[block] * start, sp.Integer(0), Q.t)
    error = line.rhs("prop8.eq25-decay").subs(Q.t, 0)
    states = bounded(line.rhs("prop8.compact-h").subs(E_h, known()[E_h]), {S.K1: K})
    return _integral(2 * error * states, sp.Integer(0), Q.t)


def _block(name: str) -> dict[str, Rule]:
    steps = [f"prop8.{name}-{step}" for step in ("path", "split", *(["K"] if name == "Z" else []), "integral", "total", "half")]
    return {
        f"prop8.{name}-integral": lambda line: _integrated(line, name),
        f"prop8.{name}-total": lambda line: line.rhs(f"prop8.{name}-integral").subs(_fading(Q.t), 0),
        f"prop8.{name}-half": lambda line: _at_the_largest(line.rhs(f"prop8.{name}-total") / _FACTORS[name]),
        f"prop8.{name}-moved": lambda line: line.follow(line.claim.lhs, *steps),
        f"prop8.speed-{name}": lambda line: S.b,
        f"prop8.tail-{name}": lambda line: _half() * _fading(Q.t),
    }


def _successive_integral(line: Lines) -> sp.Expr:
    rate = sp.expand(line.rhs("prop8.successive-decay").subs(Q.t, 0))
    moving = rate.coeff(Q.gap, 1)
    return Q.gap0 + _integral(rate.coeff(Q.gap, 0), sp.Integer(0), Q.t) + moving * S.gap_decay_path


def _successive_mu(line: Lines) -> sp.Expr:
    moving = sp.expand(line.rhs("prop8.successive-integral")).coeff(S.gap_decay_path, 1)
    return _spread(Q.gap0) + moving * S.gap_decay_path


def _successive_gronwall(line: Lines) -> sp.Expr:
    integral = sp.expand(line.rhs("prop8.successive-mu"))
    moving = integral.coeff(S.gap_decay_path, 1)
    return (integral - moving * S.gap_decay_path) * sp.exp(_integral(moving, sp.Integer(0), Q.t))


def _rate_of(line: Lines) -> sp.Expr:
    """-(ln ℓ)' of an exponential."""
    bound = line.rhs("prop8.eq24") if line.claim.edition == "as-printed" else gronwall(Q.loss0, -line.rhs("prop8.pl") / Q.loss, Q.t)
    return -sp.simplify(sp.diff(bound, Q.t) / bound)


_BOOTSTRAP: dict[str, Rule] = {
    "prop8.eq22": lambda line: S.pl,
    "prop8.pl": lambda line: (S.mu if line.claim.edition == "as-printed" else S.pl) * Q.loss,
    "prop8.descent": lambda line: line.follow(line.claim.lhs, "prop8.chain-rule", "prop8.pl"),
    "prop8.eq24": lambda line: gronwall(Q.loss0, -line.rhs("prop8.descent") / Q.loss, Q.t),
    "prop8.decay": _rate_of,
    "prop8.norm-A": lambda line: S.M_A,
    "prop8.norm-B": lambda line: S.M_B,
    "prop8.norm-Z": lambda line: S.M_Z,
    "prop8.compact-h": lambda line: E_h,
    "prop8.p-growth[corrected]": lambda line: line.rhs("prop7.p-bound"),
    "prop8.p-growth[sharpened]": lambda line: layers(S.K1) * P.p_last_size,
    "prop8.p-last[corrected]": lambda line: bounded(
        norm(line.rhs("eq13.general-last")), {P.B_error_size: line.rhs("prop8.norm-B") * S.r_size}
    ),
    "prop8.eq25-adjoint": lambda line: line.follow(P.p_size, "prop8.p-growth[corrected]", "prop8.p-last[corrected]").subs(
        S.r_size, S.r_mean
    ),
    "prop8.eq25-cauchy": lambda line: sp.sqrt(Q.loss_t) * sp.sqrt(sp.summation(1 / Q.n, (sp.Symbol("i"), 1, Q.n))),
    "prop8.eq25-decay": lambda line: sp.sqrt(line.rhs("prop8.eq24")),
    "prop8.eq25[as-printed]": lambda line: line.follow(line.rhs("prop8.eq25-adjoint"), "prop8.eq25-cauchy", "prop8.eq25-decay"),
    "prop8.eq25[sharpened]": lambda line: line.follow(P.p_size, "prop8.p-growth", "prop8.p-last").subs(
        S.r_size, sp.sqrt(Q.loss0) * _fading(Q.t, S.pl)
    ),
}
_WEIGHTS: dict[str, Rule] = {
    **_block("Z"),
    **_block("A"),
    **_block("B"),
    "prop8.Z-K": lambda line: chain_rule((K, S.p_path)),
    "prop8.tail-integral": lambda line: _integral(line.rhs("prop8.eq25").subs(Q.t, 0) * Q.M_X, Q.t, sp.oo),
    "prop8.successive-rate": _successive_rate,
    "prop8.successive-decay": lambda line: bounded(line.rhs("prop8.successive-rate[corrected]"), {Q.p_pair: line.rhs("prop8.eq25")}).subs(
        Q.gap_here, Q.gap
    ),
    "prop8.successive-integral": _successive_integral,
    "prop8.successive-mu": _successive_mu,
    "prop8.successive-gronwall": _successive_gronwall,
    "prop8.successive-bound": lambda line: _spread(Q.gap0) * sp.exp(_half() / Q.M_X * S.C2),
    "prop8.successive": lambda line: S.Kt / Q.L,
}


RULES: dict[str, Rule] = {
    **_BOOTSTRAP,
    **_WEIGHTS,
    "remark1.energy": lambda line: (
        remark1.momentum_loss + sp.integrate(_y, (_y, 0, sp.sqrt(remark1.momentum_speed2))) + remark1.momentum_spent
    ),
    "remark1.bounded": lambda line: sp.solve(_y / 2 - Q.loss0, _y)[0],
}
NOT_DERIVED: dict[str, str] = dict.fromkeys(
    ("prop8.p-growth[as-printed]", "prop8.p-last[as-printed]"), "false as printed; the corrected edition is derived"
)


def constants(line: Lines) -> Definitions:
    """The same for every line."""
    return known()
