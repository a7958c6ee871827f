"""The double limit: tails from the certificate's speeds, their sum with the distance in L, and its constants as L tends to infinity."""

from __future__ import annotations

from collections.abc import Callable

import sympy as sp

from depthlimit.conformance.derivations import certificates
from depthlimit.conformance.derivations.lines import Definitions, Lines
from depthlimit.conformance.derivations.prop5_constants import shrunk
from depthlimit.conformance.derivations.tools import euclidean, triangle
from depthlimit.theory.paper import certificate as C
from depthlimit.theory.paper import double_limit as D
from depthlimit.theory.paper import quantities as Q

Rule = Callable[[Lines], sp.Expr]
_x = sp.symbols("x_1:3")
_SPEEDS = {"ends": (D.g_ends, "AB"), "Z": (D.g_Z, "VW")}


def constants(line: Lines) -> Definitions:
    """Of the certificate and of the bound on successive weights; speeds of two blocks together; K̃ and μ in the limit."""
    known, speeds = certificates.long_constants(line), certificates.speeds()
    deep, a = sp.Symbol("L", positive=True), sp.Symbol("a", positive=True)
    rho = sp.limit(shrunk(C.a).subs({C.a: a, Q.L: deep}), deep, sp.oo).subs(a, C.a)
    return {
        **known,
        **{g: euclidean(*(speeds[k] for k in blocks)) for g, blocks in _SPEEDS.values()},
        D.mu_limit: known[C.mu].subs(C.rho, rho),
        D.slope_bound: certificates.LONG["prop8.long-successive"](line) * Q.L,
    }


def _tail(name: str) -> sp.Expr:
    """The speed over √ℓ times ∫_t^∞ √ℓ, which is τ from t on."""
    return _SPEEDS[name][0] * certificates.constants_of_the_sup_ball()[C.tau].subs(Q.loss0, D.depth_loss)


def _double(line: Lines, name: str, end: sp.Symbol) -> sp.Expr:
    return triangle(sum(_x), {_x[0]: end, _x[1]: line.rhs(f"thm6.tail-{name}")})


RULES: dict[str, Rule] = {
    "thm6.tail-ends": lambda line: _tail("ends"),
    "thm6.tail-Z": lambda line: _tail("Z"),
    "thm6.depths-decay": lambda line: line.rhs("certificate.decay"),
    "thm6.limit-pl": lambda line: line.rhs("certificate.pl").subs({C.mu: D.mu_limit, Q.ball_loss: D.limit_loss}),
    "thm6.lipschitz": lambda line: D.slope_bound,
    "thm6.double-ends": lambda line: _double(line, "ends", D.ends_end),
    "thm6.double-Z": lambda line: _double(line, "Z", D.Z_end),
}
