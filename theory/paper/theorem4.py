r"""Theorem 4 (page 5) and Theorem 14 (page 26): networks at doubling depths against the limit of training, which is solved by itself.

The theorems state convergence without a rate. Where the initialisation is smooth in depth the distances have expansions in 1/L: they fall
like 1/L, and j steps of Richardson's extrapolation leave what falls like L^{-(j+1)}; extrapolated networks meet the limit. Suprema over s
are over all of [0, 1], those over t over the saved times.

The first order of (8): with Z_k - 𝒵(k/L) = E_k and |s - k/L| < 1/L on the piece of Z_k,

    sup_s |Z_k - 𝒵(s)| = max |E_k - (s - k/L) ∂_s𝒵(k/L)| over its ends s = (k-1)/(L-1) and k/(L-1), up to 1/L²

and likewise for h_⌊Ls⌋, whose pieces end at k/L and (k+1)/L: times L both sides have the same limit.

(9) is (6) with the limits A(t), 𝒱(., t), 𝒲(., t) of the trained weights. In `eq9.state` these are extrapolated from networks and given to
the implementation's own neural ODE.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.prop7 import SMOOTH
from depthlimit.theory.paper.prop7_quantities import K_pi, M0_euclid, M_pi_euclid, clipped
from depthlimit.theory.paper.quantities import B_, C_, L_, T_
from depthlimit.theory.quantity import maximum
from depthlimit.theory.registry import quantity, register

h_limit = quantity(
    "h_limit",
    r"\lim_{L\to\infty}h^L_{\lfloor Ls\rfloor}(T)",
    (L_, C_),
    "hidden states of the trained network at s = k/L, extrapolated in 1/L; all samples together",
    local=False,
).symbol
H_limit = quantity(
    "H_limit", "H(s,T)", (L_, C_), "states of the implementation's neural ODE with the trained weights extrapolated in 1/L", local=False
).symbol

register(
    Claim(
        "eq9.state",
        h_limit,
        "=",
        H_limit,
        Source("Theorem 4", "(iii)", "(9)", 5),
        ("depth-ladder",),
        "At t = T the hidden states of the trained networks tend to the solution of the neural ODE with the limit of their weights.",
        r"H(0,t) = A(t)x,\quad"
        r" \frac{\partial H}{\partial s}(s,t) = \frac1{\sqrt m}\mathcal V(s,t)\sigma\Big(\frac1{\sqrt q}\mathcal W(s,t)H(s,t)\Big)",
        role=Role.RESULT,
        inputs="along-trajectory",
        needs=SMOOTH,
        premises=("eq6.state", "prop3.rate"),
        tool=Tool.EXTRAPOLATION,
        note="The paper proves convergence without a rate. That there is an expansion in 1/L is measured: radii are the last corrections.",
    )
)


# --- networks against the limit: Theorem 4 for model (3), Theorem 14 for general residual networks

BOTH = ("training-limit", "general-limit")
_SUP, _H = r"\sup_{s,t}", r"\|h^L_{\lfloor Ls\rfloor}(t)-H(s,t)\|"
_Z = r"\|\mathcal Z^L(s,t)-\mathcal Z(s,t)\|"
PARTS = {  # name: part of the theorem, equation, distance, what it is
    "ends": ("(i)", "", r"\sup_t\|(A^L(t),B^L(t))-(A(t),B(t))\|", "A and B"),
    "weights": ("(ii)", "(8)", _SUP + _Z, "the weights (8), over all s"),
    "states": ("(iii)", "(9)", _SUP + _H, "the hidden states, over all s and samples"),
    "outputs": ("(iv)", "", r"\sup_t\|F^L(x;t)-B(t)H(1,t)\|", "the outputs"),
}


def _number(name: str, latex: str, meaning: str, *axes: str, **more: bool) -> sp.Symbol:
    return quantity(name, latex, axes, meaning, local=False, **more).symbol


smooth = _number("limit_smooth", r"1_{\mathrm{smooth}}", "1 if π has no kinks, so that everything is analytic in s", exact=True)
bend = _number(
    "limit_bend",
    r"\frac{\sup\|\Delta_h^3\mathcal Z\|}{\sup\|\Delta_h\mathcal Z\|},\ h=\tfrac1{\max(L_0,3)}",
    "third over first differences of the limit in s, a layer of the first depth apart",
)
_SMOOTH = (
    Condition("the clip has no kinks", smooth, "=", sp.Integer(1)),
    Condition("layers of the first depth are short for the limit", bend, "<=", sp.Rational(1, 4)),
)

deeper = _number("limit_deeper", r"L/L_0", "depth over the first depth of the ladder", B_, exact=True)
for _part, (_item, _equation, _tex, _what) in PARTS.items():
    _near = _number(f"near_{_part}", _tex, f"distance of {_what} from the limit, at each depth but the first", B_)
    _far = _number(f"far_{_part}", _tex.replace("^L", "^{L_0}"), f"the same for {_what} at the first depth")
    _rate = _number(f"rate_{_part}", rf"\frac{{d\ln {_tex}}}{{d\ln L}}", f"extrapolated slope for {_what}", B_, signed=True)
    for _theorem, _page, _regime in (("4", 5, BOTH[0]), ("14", 26, BOTH[1])):
        _common: dict[str, Any] = {"needs": SMOOTH, "inputs": "along-trajectory", "role": Role.RESULT, "tool": Tool.EXTRAPOLATION}
        _from = Source(f"Theorem {_theorem}", _item, _equation if _theorem == "4" else "", _page)
        register(
            Claim(
                f"thm{_theorem}.{_part}",
                _near,
                "<=",
                2 * _far / deeper ** sp.Rational(2, 3),
                _from,
                (_regime,),
                f"The distance of {_what} from the limit of training tends to 0, within a factor 2 like the power -2/3 of L or faster.",
                _tex + r"\to 0",
                edition="explicit",
                note="The theorem has no rate: 2/3 lies between the 1/2 of independent layers and the 1 of smooth ones, and 2 is for "
                "depths at which the expansion in 1/L does not yet count. Suprema over t are over the saved times, over s over [0, 1].",
                **_common,
            )
        )
        register(
            Claim(
                f"thm{_theorem}.{_part}",
                _rate,
                "=",
                sp.Integer(-1),
                _from,
                (_regime,),
                f"The distance of {_what} falls like 1/L, extrapolated over doubling depths.",
                _tex + r"\sim L^{-1}",
                edition="sharpened",
                hypotheses=_SMOOTH,
                **_common,
            )
        )


def _claim(label: str, lhs: sp.Expr, relation: str, rhs: sp.Expr, meaning: str, tex: str, tool: Tool, **more) -> Claim:  # type: ignore[no-untyped-def]
    settings = {
        "source": Source("Theorem 4", "(ii)", "(8)", 5),
        "regimes": BOTH,
        "role": Role.RESULT,
        "edition": "sharpened",
        "inputs": "along-trajectory",
        "needs": SMOOTH,
        **more,
    }
    return register(Claim(f"thm4.{label}", lhs, relation, rhs, meaning=meaning, tex=tex, tool=tool, **settings))


order = _number("limit_order", r"\log_2\frac{e_j(L)}{e_j(L/2)}", "slope of the error after j = 1, 2, 3 extrapolations", B_, signed=True)
expected = _number("limit_expected", r"j+1", "the order that j extrapolations should have", B_, exact=True)
apart = _number("limit_apart", r"\|\lim_R\theta^L-\theta\|", "distance of extrapolated networks from the limit: A, Z, B, h, F", B_)
size = _number("limit_size", r"\|\theta\|", "sizes of these in the limit", B_)
declared = _number("limit_declared", r"\delta", "declared error of the limit relative to sizes: A, Z, B, H", B_)
asked = _number("limit_asked", r"\varepsilon", "1e-8, or 1e-3 where the clip has kinks", exact=True)
fall = _number("limit_fall", r"\ell(0)-\ell(t)", "what the limit has lost of its loss", T_)
energy = _number(
    "limit_energy",
    r"\int_0^t\langle-\nabla\ell,\dot\theta\rangle",
    "integral of descent direction times speed; without a clip, of squared speeds",
    T_,
)
constant = _number("limit_constant", r"\lim L\sup", "L times the distances of weights and hidden states, extrapolated", B_)
first = _number("limit_first", r"\lim L\max_k", "the same by the first order in 1/L", B_)
nodes = _number("limit_nodes", r"Z^L_k(0)", "initial parameters of the deepest network", L_, C_)
function = _number("limit_function", r"\mathcal Z(k/L,0)", "the limit at t = 0 and s = k/L", L_, C_)
discrete = _number("limit_discrete", r"\lim(L\max\|Z_{k+1}-Z_k\|,\max\|\dot Z_k\|)", "of networks, extrapolated", B_)
lipschitz = _number("limit_lipschitz", r"(\sup\|\partial_s\mathcal Z\|,\sup\|\partial_t\mathcal Z\|)", "of the limit", B_)
slope = _number("limit_slope", r"\sup_s\|\partial_s\mathcal Z(s,t)\|", "Lipschitz constant in s of the limit", T_)
before = _number("limit_slope0", r"\sup_s\|\partial_s\mathcal Z(s,0)\|", "the same at t = 0")
norms = _number("limit_norms", r"\|A\|,\sup_s\|\mathcal Z\|,\|B\|", "largest norms of the limit", B_, T_)
K1, K2, K22, K21 = (
    _number(f"limit_{k}", rf"\sup\|{tex}\|", f"largest norm of {tex} along the limit, or an upper bound")
    for k, tex in (("K1", r"\partial_1f"), ("K2", r"\partial_2f"), ("K22", r"\partial_{22}f"), ("K21", r"\partial_{21}f"))
)
h_sup, p_sup = (_number(f"limit_{k}", rf"\sup\|{k.upper()}\|", f"largest {k} along the limit") for k in "hp")
_K, _Kp = maximum(K1, K2), maximum(K22, K21)

_claim(
    "order",
    maximum(order + expected, -order - expected),
    "<=",
    sp.Rational(1, 2),
    "After one, two and three steps of Richardson's extrapolation the distance of A and B, weights, states and outputs at common nodes "
    "falls with order 2, 3 and 4: no other integer is nearer.",
    r"e_j(L) \sim L^{-(j+1)},\quad e_j(L)=\frac{2^je_{j-1}(L)-e_{j-1}(L/2)}{2^j-1}",
    Tool.EXTRAPOLATION,
    hypotheses=_SMOOTH,
    note="Each is read at the two deepest networks between which radii do not blur it; errors below the radii at all depths have no order.",
)
_claim(
    "agreement",
    apart,
    "<=",
    size / 10**8,
    "Networks extrapolated in depth agree with the limit to 1e-8, radii of both included.",
    r"\|\lim_R\theta^L-\theta\| \le 10^{-8}\|\theta\|",
    Tool.EXTRAPOLATION,
    hypotheses=_SMOOTH,
)
_claim(
    "constant",
    constant,
    "=",
    first,
    "L times the distances of (8) and of the hidden states have the limits that the places of the pieces of [0, 1] give them.",
    r"\lim_{L\to\infty}L\sup_s\|Z_k-\mathcal Z(s)\|"
    r"=\lim_{L\to\infty}L\max_k\|Z_k-\mathcal Z(\tfrac kL)-(s-\tfrac kL)\partial_s\mathcal Z(\tfrac kL)\|",
    Tool.EXTRAPOLATION,
    hypotheses=_SMOOTH,
)
_claim(
    "start",
    nodes,
    "=",
    function,
    "At t = 0 the limit at k/L is where layer k starts.",
    r"Z_k^L(0)=\mathcal Z(k/L,0)",
    Tool.DEFINITION,
    role=Role.DEFINITION,
)
_claim(
    "declared",
    declared,
    "<=",
    asked,
    "Two numbers of points in s and two tolerances in t differ by at most 1e-8; by 1e-3 if the clip has kinks, which may move through s.",
    r"\|\theta_N-\theta_{2N/3}\| \le \varepsilon\|\theta\|",
    Tool.NONE,
    role=Role.STEP,
)
_claim(
    "energy",
    fall,
    "=",
    energy,
    "The limit loses of its loss what its speed pays for: (38)-(41) descend along the gradient of the loss.",
    r"\ell(0)-\ell(t)=\int_0^t\langle-\nabla\ell,\dot\theta\rangle",
    Tool.CHAIN_RULE,
    role=Role.IDENTITY,
)
_claim(
    "lipschitz",
    discrete,
    "=",
    lipschitz,
    "The Lipschitz constants of the limit in s and in t are the limits of those of networks.",
    r"\lim_{L\to\infty}L\max_k\|Z_{k+1}^L-Z_k^L\|=\sup\|\partial_s\mathcal Z\|,\quad"
    r"\lim_{L\to\infty}\max_k\|\dot Z_k^L\|=\sup\|\partial_t\mathcal Z\|",
    Tool.EXTRAPOLATION,
    hypotheses=_SMOOTH,
)
_CARRIED = Source("Theorem 4", "bounds that carry over", "", 6)
_claim(
    "K",
    slope,
    "<=",
    (before + p_sup * (_K**2 + _Kp * _K * h_sup) * Q.t) * sp.exp(p_sup * _Kp * Q.t),
    "The limit is Lipschitz in s with the constant K of its networks, the suprema in it taken along the limit.",
    r"\|\mathcal Z(s',t)-\mathcal Z(s,t)\| \le K|s'-s|",
    Tool.GRONWALL,
    source=_CARRIED,
    edition="as-printed",
    premises=("prop7.gap",),
    hypotheses=(Condition("π is 1-Lipschitz", K_pi, "<=", sp.Integer(1)),),
    equality=Condition("nothing has moved", Q.t, "=", sp.Integer(0), trivial=True),
)
_claim(
    "M",
    norms,
    "<=",
    M0_euclid + Q.T * M_pi_euclid,
    "The limit is bounded by the M of its networks.",
    r"\max(\|A(t)\|,\|\mathcal Z(s,t)\|,\|B(t)\|) \le M",
    Tool.SUPREMUM,
    source=_CARRIED,
    edition="as-printed",
    inputs="a-priori",
    premises=("prop7.norm-A", "prop7.norm-Z", "prop7.norm-B"),
    hypotheses=(Condition("the flow is clipped", clipped, "=", sp.Integer(1)),),
)
