"""PL certificates, on the sup ball and on the three balls of averages: constants and speeds; what follows for long flows."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import sympy as sp

from depthlimit.conformance.derivations import model
from depthlimit.conformance.derivations.lines import Definitions, Lines
from depthlimit.conformance.derivations.prop5_constants import branch, by_loss, moved, shrunk
from depthlimit.conformance.derivations.tools import euclidean, gronwall, layers, supremum_over_disc, triangle, v, w
from depthlimit.theory.paper import averaged as A
from depthlimit.theory.paper import certificate as C
from depthlimit.theory.paper import long_flow, prop7
from depthlimit.theory.paper import prop5_setting as P
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.prop7_quantities import p_last_size

Rule = Callable[[Lines], sp.Expr]
_R, _ONE, _ZERO = Q.R_ball, sp.Integer(1), sp.Integer(0)
_LIMIT = 2 / sp.pi  # norm of the Volterra operator
_ROOT_M = sp.sqrt(Q.m)
_tau, _y = (sp.Symbol(name, positive=True) for name in ("tau", "y"))
_x = sp.symbols("x_1:3")
_LONG = {name: getattr(long_flow, f"_{name}") for name in ("PI", "H", "K1", "K2", "K21", "K22", "v", "w")}
_alpha, _v, _omega, _D = sp.symbols("alpha v_mean omega_mean D", nonnegative=True)  # distance of A, root mean squares of V, W - W̄ and S - S̄


def _sum(one: sp.Expr, other: sp.Expr) -> sp.Expr:
    return triangle(sum(_x), {_x[0]: one, _x[1]: other})


def _last(smin: sp.Expr, loss: sp.Expr) -> sp.Expr:
    """|p_L| = (2/n) |B| √(nℓ)."""
    return by_loss(2 / Q.n * smin * P.at_residual).subs(Q.ball_loss, loss)


def _by_layers(adjoint: sp.Expr, drift: sp.Expr) -> sp.Expr:
    """(1/m) |p|² s_n(S)² over ℓ."""
    return (adjoint**2 / Q.ball_loss) * sp.Max(Q.s0 - drift, 0) ** 2 / Q.m


# --- the sup ball


@cache
def constants_of_the_sup_ball() -> Definitions:
    """From the ball's radii."""
    start = (1 + Q.R_A) * Q.XF
    rate = sp.Symbol("mu", positive=True)
    total = sp.integrate(sp.exp(-rate * _tau / 2), (_tau, 0, sp.oo)).subs(rate, C.mu)
    return {
        C.a: branch(Q.R_V, _sum(Q.w0, Q.R_W), _ONE),
        C.g: layers(C.a) - 1,
        C.rho: shrunk(C.a),
        C.H2: _sum((1 + Q.R_A) * Q.X2, C.g * start),
        C.D_hat: moved(Q.R_W, C.H2, Q.w0, C.g * start, Q.R_A * Q.X2),
        C.P_hat: layers(C.a) * _last(1 + Q.R_B, _ONE),
        C.mu: _by_layers(C.rho * _last(1 - Q.R_B, Q.ball_loss), C.D_hat),
        C.tau: total * sp.sqrt(Q.loss0),
    }


def speeds() -> dict[str, sp.Expr]:
    """Over √ℓ: p_0xᵀ, 2/n (F - y)h_Lᵀ, pSᵀ/√m and (Vᵀp ⊙ σ')hᵀ/√(qm); for A and B the path length over τ is √μ; that of V_k is that of
    the mean and what V_k' = pSᵀ/√m differs by: |Δp| <= g|p| and |ΔS| <= 2D̂."""
    length = _length(Q.loss0, _ZERO, C.mu) / constants_of_the_sup_ball()[C.tau]
    active = _sum(Q.S0, C.D_hat)
    spread = C.P_hat * _sum(C.g * active, 2 * C.D_hat) / _ROOT_M
    return {
        "A": sp.Min(C.P_hat * Q.X2, length),
        "B": sp.Min(by_loss(2 / Q.n * P.at_residual).subs(Q.ball_loss, 1) * C.H2, length),
        "V": sp.Min(C.P_hat * active / _ROOT_M, _sum(length, spread)),
        "W": branch(Q.R_V, C.H2, C.P_hat),
    }


# --- balls of averages


def _form_bound(*forms: sp.Expr) -> sp.Expr:
    """Linear forms in (α, v̄, ω̄), whose Euclidean norm is at most R: by Cauchy-Schwarz, all coefficients together."""
    return _R * euclidean(*(sp.diff(form, x) for form in forms for x in (_omega, _v, _alpha)))


@cache
def _averaged(kind: str) -> Definitions:
    radius = sp.Symbol("radius", nonnegative=True)
    by_layer = branch(_x[0], _ONE, _ONE)
    most = (supremum_over_disc(e, radius).subs(radius, _R * sp.sqrt(Q.L)) / Q.L for e in (v, v * w))
    first, second = (by_layer.subs(_x[0], size) for size in most)
    found = {A.a: branch(_R, _sum(Q.w0, _R), _ONE), A.a_hat: _sum(Q.w0 * first, second)}
    if kind == "averaged":
        start = (1 + _R) * Q.XF
        grown = A.g / A.a * branch(_v, _sum(Q.w0, _R), _ONE)  # e^{a'} - 1 <= a' (e^a - 1)/a
        drift = _form_bound(moved(_omega, A.H2, Q.w0, grown * start, _alpha * Q.X2))
        found |= {A.g: layers(A.a) - 1, A.H2: _sum((1 + _R) * Q.X2, A.g * start), A.D_hat: drift}
    else:
        found |= {A.H2: _sum((1 + _R) * Q.X2, _R * Q.S0 / _ROOT_M), A.D_hat: _self_consistent(_form_bound(_drift()))}
    if kind == "stacked":
        floor = (1 - _R) / (1 + _R)
        found |= {A.E_hat: _form_bound(*_stacked()), A.mu: (floor * _last(_ONE, _ONE) * sp.Max(Q.s_all - A.E_hat, 0)) ** 2}
    else:
        found[A.mu] = _by_layers(_adjoint(), A.D_hat)
    return found


def _drift() -> sp.Expr:
    """Of S - S̄ in (α, v̄, ω̄), with the activations themselves for their Lipschitz bound, averaged over the layers before."""
    return moved(_omega, A.H2, Q.w0, _LIMIT * _v * Q.S0 / _ROOT_M, _alpha * Q.X2)


def _self_consistent(drift: sp.Expr) -> sp.Expr:
    """D from D <= drift + aD, where the layers before have moved as much."""
    (factor,) = sp.solve(_D - 1 - A.a * _D, _D)
    return drift * factor


def _stacked() -> tuple[sp.Expr, ...]:
    """Changes of pSᵀ/√m, of p_0xᵀ and of uh_Lᵀ against u = p_L, S̄ and Āx, over |u|."""
    grown = layers(A.a)
    p_drift = branch(_v, _sum(_LIMIT * Q.w0, _R), _ONE)
    by_layers = grown * _sum(p_drift * Q.S0, _self_consistent(_drift())) / _ROOT_M
    by_input = grown * branch(_v, _sum(Q.w0, _R), Q.X2)
    return by_layers, by_input, _sum((Q.S0 + A.D_hat) * _v / _ROOT_M, Q.X2 * _alpha)


def _adjoint() -> sp.Expr:
    """Factors 1 - x_k with Σ x_k <= a and x_k <= â: ln(1 - x) >= x ln(1 - â)/â."""
    return sp.exp(A.a * sp.log(1 - A.a_hat) / A.a_hat) * _last(1 - _R, Q.ball_loss)


def _kind(line: Lines) -> str:
    name = line.claim.label.removeprefix("averaged.")
    return next((kind for kind in ("spectral", "stacked") if name.startswith(kind)), "averaged")


def constants(line: Lines) -> Definitions:
    """Of the certificate that a claim belongs to."""
    return constants_of_the_sup_ball() if line.claim.label.startswith(("certificate", "prop8")) else _averaged(_kind(line))


def _stays(line: Lines) -> sp.Expr:
    """(2√(ℓ(0)/μ))², as 4ℓ(0) is at most that in the hypothesis."""
    fits = line.claim.hypotheses[-1]
    return _length(Q.loss0, _ZERO, A.mu).subs(Q.loss0, fits.rhs / (fits.lhs / Q.loss0)) ** 2


def _flow(prefix: str, mu: sp.Symbol) -> dict[str, Rule]:
    return {
        f"{prefix}pl": lambda line: mu * Q.ball_loss,
        f"{prefix}rate": lambda line: line.rhs(f"{prefix}pl").subs(Q.ball_loss, Q.loss),
        f"{prefix}decay": lambda line: line.rhs(f"{prefix}rate") / Q.loss,
    }


RULES: dict[str, Rule] = {
    "certificate.hidden": lambda line: C.g * Q.ball_Ax,
    "certificate.activations": lambda line: C.D_hat,
    "certificate.adjoint": lambda line: C.rho * _last(1 - Q.R_B, Q.ball_loss),
    **_flow("certificate.", C.mu),
    "averaged.hidden": lambda line: A.g * Q.ball_Ax,
    "averaged.spectral-hidden": lambda line: _R * _sum(Q.S0, A.D_hat) / _ROOT_M,
    **dict.fromkeys(("averaged.activations", "averaged.spectral-activations"), lambda line: A.D_hat),
    "averaged.adjoint": lambda line: _adjoint(),
    **{
        key: rule
        for kind in ("", "spectral-", "stacked-")
        for key, rule in {**_flow(f"averaged.{kind}", A.mu), f"averaged.{kind}stays": _stays}.items()
    },
}


# --- long flows of model (3)


def _length(before: sp.Expr, after: sp.Expr, mu: sp.Symbol) -> sp.Expr:
    """The path between two losses: -d√ℓ/dt = |θ'|²/(2√ℓ) and |θ'| >= √(μℓ)."""
    loss = sp.Symbol("loss_now", positive=True)
    slope = sp.sqrt(mu) * sp.sqrt(loss) / (2 * sp.sqrt(loss))  # of √ℓ along the path, at least
    return (sp.sqrt(before) - sp.sqrt(after)) / slope


def _long_decay(line: Lines) -> sp.Expr:
    rates = {"a-priori": C.mu, "along-trajectory": long_flow.rate_high if line.claim.label.endswith("above") else long_flow.rate_low}
    return gronwall(Q.loss0, -rates[line.claim.inputs], Q.t)


def _long_adjoint(line: Lines) -> sp.Expr:
    """(25) with a for K₁: adjoint states grow by e^{K₁} from 2|B||F - y|."""
    grown = line.rhs("prop8.p-growth[sharpened]").subs(prop7.K1, C.a)
    return grown.subs(p_last_size, 2 * line.rhs("prop8.long-norm-B") * sp.sqrt(Q.loss_t))


def _successive(line: Lines) -> sp.Expr:
    """Grönwall's inequality for the rate of Proposition 7, ∫ of the adjoint states at most Π, gaps 0 at the start."""
    names = (_LONG[name] for name in ("PI", "H", "K1", "K2", "K21", "K22"))
    rate = model.rate(*names)
    return gronwall(rate[prop7.beta] / Q.L, rate[prop7.alpha], _ONE)


def long_constants(line: Lines) -> Definitions:
    """Constants of Proposition 7 over the ball or along the run, and Π."""
    bounds = model.constants(_LONG["H"], _LONG["v"], _LONG["w"])
    along = line.claim.inputs != "a-priori"
    return {
        **constants_of_the_sup_ball(),
        **bounds,
        _LONG["PI"]: layers(C.a) * 2 * (1 + Q.R_B) * C.tau,
        _LONG["v"]: Q.v_sup if along else Q.R_V,
        _LONG["w"]: Q.w_sup if along else _sum(Q.w0, Q.R_W),
        _LONG["H"]: Q.h_sup if along else layers(C.a) * (1 + Q.R_A) * Q.M_X,
    }


LONG: dict[str, Rule] = {
    "prop8.long-decay": _long_decay,
    "prop8.long-decay-above": _long_decay,
    "prop8.long-norm-A": lambda line: _sum(_ONE, Q.R_A),
    "prop8.long-norm-B": lambda line: _sum(_ONE, Q.R_B),
    "prop8.long-chord": lambda line: _length(long_flow.loss_before, Q.loss_t, C.mu),
    "prop8.long-distance": lambda line: line.rhs("prop8.long-chord").subs({long_flow.loss_before: Q.loss0, Q.loss_t: 0}),
    "prop8.long-tail": lambda line: line.rhs("prop8.long-chord").subs({long_flow.loss_before: Q.loss_t, Q.loss_t: 0}, simultaneous=True),
    "prop8.long-adjoint": _long_adjoint,
    "prop8.long-adjoint-decay": lambda line: line.rhs("prop8.long-adjoint").subs(Q.loss_t, gronwall(Q.loss0, -C.mu, Q.t)),
    "prop8.long-successive": _successive,
}
