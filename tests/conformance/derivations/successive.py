"""The norm version of the variational bounds, and the bounds without clipping: from products of norms and from the energy."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sympy as sp

from depthlimit.conformance.derivations.lines import Definitions, Lines
from depthlimit.conformance.derivations.tools import (
    euclidean,
    gronwall,
    layers,
    product_rule,
    spectral_norm,
    supremum_over_disc,
    triangle,
    v,
    w,
)
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper import unclipped, variational
from depthlimit.theory.registry import quantities

Rule = Callable[[Lines], sp.Expr]
n1, n2, c_V, c_W, a, hd, hd_F = (getattr(variational, name) for name in ("n1", "n2", "c_V", "c_W", "a", "hd", "hd_F"))
D, a_D, G, H, M_sigma = unclipped.D, unclipped.a, unclipped.G, unclipped.H, unclipped.M_sigma
_NAMES = ("P", "v", "w", "X", "H", "S", "nu_V", "nu_W")
_P, _v, _w, _X, _H, _S, _nu_V, _nu_W = (sp.Symbol(f"any_{name}", nonnegative=True) for name in _NAMES)
_s = sp.Symbol("s", positive=True)
_x, _y = sp.symbols("x y")


def _rates() -> tuple[sp.Expr, sp.Expr]:
    """Bounds on the successive differences of V' = pSᵀ/√m and W' = ((Vᵀp) ⊙ σ') hᵀ/√(qm), factor by factor.

    A layer moves p by at most aP/L and h by hd/L, in Frobenius norm where an entrywise σ follows; σ' <= K_σ, and its entries move by
    S₂ times those of Wh/√q.
    """
    p = (_P, a * _P / Q.L)
    by_states = product_rule((_w, _nu_W), (_X, hd_F / Q.L)) / sp.sqrt(Q.q)
    rate_V = product_rule(p, (_S, Q.K_sigma * by_states)) / sp.sqrt(Q.m)
    slope = Q.S2 * product_rule((_w, _nu_W), (_H, hd / Q.L)) / sp.sqrt(Q.q)
    rate_W = product_rule((_v, _nu_V), p, (Q.K_sigma, slope), (_X, hd / Q.L)) / sp.sqrt(Q.q * Q.m)
    return sp.expand(rate_V / _P), sp.expand(rate_W / _P)


def _constants(norms: Mapping[str, sp.Expr]) -> dict[sp.Symbol, sp.Expr]:
    """N and c, and what they use, for bounds on the norms by name."""
    rate_V, rate_W = _rates()
    still = {_nu_V: 0, _nu_W: 0}
    found = {
        a: Q.K_sigma * _v * _w / sp.sqrt(Q.q * Q.m),  # ∂₁f
        hd: _v * _S / sp.sqrt(Q.m),
        n1: rate_V.coeff(_nu_W),
        n2: rate_W.coeff(_nu_W),
        c_V: sp.expand(rate_V.subs(still) * Q.L),
        c_W: sp.expand(rate_W.subs(still) * Q.L),
    }
    unlike = rate_V - found[n1] * _nu_W - found[c_V] / Q.L, rate_W - found[n1] * _nu_V - found[n2] * _nu_W - found[c_W] / Q.L
    if any(sp.expand(rest) != 0 for rest in unlike):
        raise ValueError("the rates are not P(Nν + c/L) with N symmetric and N_VV = 0")
    put = dict(zip((_P, _v, _w, _X, _H, _S), (norms[name] for name in _NAMES[:6]), strict=True))
    return {symbol: value.xreplace(put) for symbol, value in found.items()} | {hd_F: norms["hd_F"]}


def _growth() -> sp.Expr:
    return spectral_norm(sp.Matrix([[0, n1], [n1, n2]]))


def _norm(line: Lines) -> sp.Expr:
    """Grönwall's inequality for |ν|' <= P(|N| |ν| + |c|/L)."""
    P = variational._run["P"]
    return gronwall(Q.gap0 + sp.integrate(P * euclidean(c_V, c_W) / Q.L, (_s, 0, Q.t)), P * _growth(), Q.t)


# --- without clipping


def _energy(time: sp.Expr) -> dict[sp.Symbol, sp.Expr]:
    """D² = t ℓ(0) bounds the mean of |V_k|² + |W_k - W|², which share it; growth of the layers, and what it does to h and p."""
    by_layer = Q.K_sigma / sp.sqrt(Q.q * Q.m) * (_x + _y)
    return {
        D: sp.sqrt(time * Q.mean_y2),
        a_D: by_layer.subs({_x: supremum_over_disc(v, D) * Q.w0, _y: supremum_over_disc(v * w, D)}),
        G: 2 * (1 + D) * layers(a_D) * sp.sqrt(Q.mean_y2),
        H: layers(a_D) * (1 + D) * sp.sqrt(Q.q),
    }


def _moved_V(time: sp.Expr) -> sp.Expr:
    """∫|p| |S| ds/√m, with G of the end and |S| <= M_σ√m."""
    return sp.integrate(G * M_sigma * sp.sqrt(Q.m) / sp.sqrt(Q.m), (_s, 0, time))


def _moved_W(time: sp.Expr) -> sp.Expr:
    """∫|V_k(s)| |p| K_σ |h| ds/√(qm), with G and H of the end."""
    return sp.integrate(_moved_V(_s) * G * Q.K_sigma * H / sp.sqrt(Q.q * Q.m), (_s, 0, time))


def _rounds(time: sp.Expr, rounds: int = 2) -> dict[sp.Symbol, sp.Expr]:
    """Bounds on norms that feed each other: each round takes the smaller of the energy's bound and what the round before gives."""
    found: dict[sp.Symbol, sp.Expr] = dict(_energy(time))
    error = sp.sqrt(Q.mean_y2 / Q.n)
    by_A, by_B, growth, by_W = D, D, a_D, None
    norms: dict[str, sp.Expr] = {}
    for j in range(rounds + 1):
        P, X, S, V, R_W, e = (sp.Symbol(f"{name}_{j}", nonnegative=True) for name in ("P", "X", "S", "v", "R_W", "a"))
        grown = e * sp.exp(e)  # e^e - 1 at most
        found[e] = growth
        found[P] = 2 * (1 + by_B) * layers(e) * error
        found[X] = (1 + by_A) * Q.X2 + grown * (1 + by_A) * Q.XF
        found[S] = M_sigma * sp.sqrt(Q.m * Q.n)
        if by_W is not None:  # σ(Wh) from σ(W̄Āx): W, then h by its growth, then A
            drift = product_rule((Q.w0, by_W), (X, (1 + by_A) * grown * Q.XF + by_A * Q.X2))
            found[S] = sp.Min(found[S], Q.S0 + Q.K_sigma / sp.sqrt(Q.q) * drift)
        found[V] = sp.integrate(P * S / sp.sqrt(Q.m), (_s, 0, time))
        found[R_W] = sp.integrate(Q.K_sigma * P * (V * _s / time) * X / sp.sqrt(Q.q * Q.m), (_s, 0, time))
        norms = {"P": P, "v": V, "w": Q.w0 + R_W, "X": X, "H": (1 + by_A) * layers(e) * sp.sqrt(Q.q), "S": S, "hd_F": V * S / sp.sqrt(Q.m)}
        by_W = R_W
        by_A, by_B = sp.Min(D, sp.integrate(P * Q.X2, (_s, 0, time))), sp.Min(D, sp.integrate(2 * error * X, (_s, 0, time)))
        growth = sp.Min(e, Q.K_sigma * V * (Q.w0 + R_W) / sp.sqrt(Q.q * Q.m))
    return found | _constants(norms)


def _gap(line: Lines) -> sp.Expr:
    """c_V grows like s at most and c_W like s², so that their integrals are a half and a third."""
    P = sp.Symbol("P_2", nonnegative=True)
    by_V, by_W = (sp.integrate(P * c * (_s / Q.T) ** k / Q.L, (_s, 0, Q.T)) for c, k in ((c_V, 1), (c_W, 2)))
    return gronwall(euclidean(by_V, by_W), P * _growth(), Q.T)


RULES: dict[str, Rule] = {
    "variational.norm-rate-V": lambda line: variational._here["P"] * (n1 * variational._here["nu_W"] + c_V / Q.L),
    "variational.norm-rate-W": lambda line: (
        variational._here["P"] * (n1 * variational._here["nu_V"] + n2 * variational._here["nu_W"] + c_W / Q.L)
    ),
    "variational.norm": _norm,
    **{
        f"variational.{order}-{side}": lambda line, size=size, radius=radius: triangle(_x + _y, {_x: size, _y: radius})  # type: ignore[misc]
        for name, order in variational.ORDERS.items()
        for bound, end in [(quantities()[f"{name}_{part}"].symbol for part in ("size", "radius"))]
        for side, size, radius in (("above", bound, end), ("below", variational.parted, end))
    },
    **dict.fromkeys(("unclipped.A", "unclipped.B"), lambda line: triangle(_x + _y, {_x: sp.Integer(1), _y: D})),
    "unclipped.hidden": lambda line: H,
    "unclipped.adjoint": lambda line: G,
    "unclipped.V": lambda line: _moved_V(Q.t),
    "unclipped.W": lambda line: _moved_W(Q.t),
    "unclipped.gap": _gap,
}


def constants(line: Lines) -> Definitions:
    """By the claim: norms at a layer, along the run, from the energy, or after the rounds."""
    label = line.claim.label
    if label == "unclipped.gap":
        return _rounds(Q.T)
    if label.startswith("unclipped"):
        return _energy(Q.t)
    return _constants(variational._run if label == "variational.norm" else variational._here)
