r"""Proposition 11 (pages 24-25): the recursion for Δ_k, (35), (36), and Corollaries 12 and 13.

With S = sup_s|Θ(s) - Θ^L(s)|, θ_{k+1} = Θ^L(k/(L-1)) and |k/L - k/(L-1)| = k/(L(L-1)) <= 1/L for k <= L-1,

    Δ_{k+1} <= (1 + C₁/L) Δ_k + (C₂/L)(S + C_Θ/L) + C̃/(2L²)

and, with the geometric sum of the discrete Grönwall inequality kept (for k+1 steps),

    Δ_{k+1} <= (1+C₁/L)^{k+1} Δ_0 + (C₂ (S + C_Θ/L) + C̃/(2L)) ((1+C₁/L)^{k+1} - 1)/C₁.

The print has C for C₁ and C₂, C̃ for C̃/2 and e^C for both powers; since C₂/C <= 1 and C̃/(2LC₁) is C̃/(LC) with another constant, the
rate is the same. Where L = 1, k/(L-1) reads 0/0: Θ^L is then constant, and s = 0 serves.
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Role, Tool
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.prop11_setting import (
    A_PRIORI,
    BOTH,
    C1,
    C2,
    EVERY,
    HERE,
    LAYER,
    TIME,
    VECTOR,
    C,
    Ct,
    D,
    k_step,
    measured,
    remainder,
    remainder_integral,
    step,
)

Delta = measured("Delta", r"\Delta_k^L", BOTH, "distance of the ODE at k/L and the scheme, k = 0..L-1")
Delta_next = measured("Delta_next", r"\Delta_{k+1}^L", BOTH, "distance of the ODE at (k+1)/L and the scheme, k = 0..L-1")
Delta_start = measured("Delta_start", r"\Delta_0^L", TIME, "distance of the ODE and the scheme at k = 0")
start_gap = measured("start_gap", r"\|a^L-a\|", TIME, "distance of the initial states")
g_gap = measured("g_gap", r"\|g(U(\tfrac kL),\Theta(\tfrac kL))-g(u_k,\theta_{k+1})\|", BOTH, "difference of the branches")
theta_gap = measured("theta_gap", r"\|\Theta(\tfrac kL)-\theta_{k+1}\|", BOTH, "distance of the parameters of a step")
theta_sup = measured("theta_sup", r"\sup_s\|\Theta(s)-\Theta^L(s)\|", TIME, "largest distance of Θ and its piecewise constant counterpart")
theta_shift = measured(
    "theta_shift", r"\|\Theta(\tfrac kL)-\Theta(\tfrac k{L-1})\|", LAYER, "change of Θ between k/L and k/(L-1); 0 for L = 1"
)
theta_next = measured("theta_next", r"\theta_{k+1}", VECTOR, "the parameter of step k")
Theta_at = measured("Theta_at", r"\Theta^L(\tfrac k{L-1})", VECTOR, "the piecewise constant function at k/(L-1), the index in integers")
U_change = measured("U_change", r"\sup\|U(s)-U(\tfrac{\lfloor Ls\rfloor}L)\|", BOTH, "change of U within a step, on a grid of s")
path_gap = measured("path_gap", r"\sup\|U(s)-u_{\lfloor Ls\rfloor}\|", BOTH, "distance of U and the scheme within a step, on a grid of s")
speed_run = measured("speed_run", r"\sup_s\|U'(s)\|", (), "largest speed of the ODE's solution")
start_sup = measured("start_sup", r"\sup_t\|a^L(t)-a(t)\|", (), "largest distance of initial states over t")
theta_sup_t = measured("theta_sup_t", r"\sup_{s,t}\|\Theta(s,t)-\Theta^L(s,t)\|", (), "largest distance of Θ and Θ^L over s and t")
limit_gap = measured(
    "limit_gap", r"\sup\|U_\infty(s)-u_{\lfloor Ls\rfloor}(t)\|", BOTH, "distance of the scheme at t and the limit's solution"
)
limit_start = measured("limit_start", r"\|a^L(t)-a_\infty\|", TIME, "distance of the initial state at t and its limit")
limit_theta = measured("limit_theta", r"\sup_s\|\Theta_\infty(s)-\Theta^L(s,t)\|", TIME, "largest distance of Θ^L at t and the limit")

C_U = sp.Symbol("C_U", nonnegative=True)
_L = Q.L

step(
    "prop11.start",
    Delta_start,
    "=",
    start_gap,
    24,
    r"\Delta_0^L = \|a^L-a\|",
    "At depth 0 the gap is that of the initial states.",
    inputs=HERE,
    premises=("eq32.layer", "eq33.state"),
    tool=Tool.DEFINITION,
)
for _label, _remainder, _meaning in (
    ("triangle", remainder_integral, "The gap grows by the difference of the branches and the Taylor remainder."),
    ("triangle-sharp", remainder, "The same with the norm of the remainder in place of the integral of norms."),
):
    step(
        f"prop11.{_label}",
        Delta_next,
        "<=",
        Delta + g_gap / _L + _remainder,
        24,
        r"\Delta_{k+1}^L \le \Big\|U\Big(\frac kL\Big)-u_k^L\Big\|"
        r" + \Big\|\frac1Lg\Big(U\Big(\frac kL\Big),\Theta\Big(\frac kL\Big)\Big)-\frac1Lg(u_k^L,\theta_{k+1}^L)\Big\|"
        r" + \int_{k/L}^{(k+1)/L}\Big(\frac{k+1}L-s\Big)\Big\|\frac{d^2U}{ds^2}(s)\Big\|ds",
        _meaning,
        edition="as-printed" if _label == "triangle" else "sharpened",
        inputs="along-trajectory",
        where={},
        premises=("prop11.taylor",),
        tool=Tool.TRIANGLE,
    )
for _edition, _by_state, _by_parameter, _half in (("as-printed", C, C, 1), ("sharpened", C1, C2, 2)):
    step(
        "prop11.lipschitz",
        g_gap,
        "<=",
        _by_state * Delta + _by_parameter * theta_gap,
        24,
        r"\Big\|g\Big(U\Big(\frac kL\Big),\Theta\Big(\frac kL\Big)\Big)-g(u_k^L,\theta_{k+1}^L)\Big\|"
        r" \le C\Delta_k^L + C\Big\|\Theta\Big(\frac kL\Big)-\theta_{k+1}^L\Big\|",
        "The branches differ by at most C times the distances of states and of parameters.",
        edition=_edition,
        inputs=EVERY,
        premises=("prop11.U-ball", "prop11.u-ball"),
        tool=Tool.SUPREMUM,
    )
    step(
        "prop11.recursion",
        Delta_next,
        "<=",
        Delta + _by_state / _L * Delta + _by_parameter / _L * theta_gap + Ct / (_half * _L**2),
        24,
        r"\Delta_{k+1}^L \le \Delta_k^L + \frac CL\Delta_k^L + \frac CL\Big\|\Theta\Big(\frac kL\Big)-\theta_{k+1}^L\Big\|"
        r" + \frac{\tilde C}{L^2}",
        "The gap obeys a recursion over the steps.",
        edition=_edition,
        inputs=EVERY,
        premises=("prop11.triangle", "prop11.lipschitz", "prop11.remainder"),
        tool=Tool.TRIANGLE,
    )
step(
    "prop11.index",
    theta_next,
    "=",
    Theta_at,
    24,
    r"\theta_{k+1}^L = \Theta^L\Big(\frac k{L-1}\Big)",
    "The parameter of step k is the value of the piecewise constant function at k/(L-1) (for L = 1: at 0).",
    inputs=HERE,
    premises=("eq32.layer",),
    tool=Tool.DEFINITION,
    note="Printed for every L, yet 0/0 at L = 1, where Θ^L is constant.",
)
step(
    "prop11.theta-triangle",
    theta_gap,
    "<=",
    theta_sup + theta_shift,
    24,
    r"\Big\|\Theta\Big(\frac kL\Big)-\Theta^L\Big(\frac k{L-1}\Big)\Big\|"
    r" \le \sup_{s\in[0,1]}\|\Theta(s)-\Theta^L(s)\| + \Big\|\Theta\Big(\frac kL\Big)-\Theta\Big(\frac k{L-1}\Big)\Big\|",
    "The distance of the parameters of a step is at most that of Θ and Θ^L plus a shift of the argument.",
    inputs=HERE,
    premises=("prop11.index",),
    tool=Tool.TRIANGLE,
)
step(
    "prop11.theta-shift",
    theta_shift,
    "<=",
    Q.C_Theta / _L,
    24,
    r"\Big\|\Theta\Big(\frac kL\Big)-\Theta\Big(\frac k{L-1}\Big)\Big\| \le \frac{C_\Theta}L",
    "The shift of the argument, k/(L(L-1)), is at most 1/L; the last step attains it.",
    tool=Tool.SUPREMUM,
    where={},
)
step(
    "prop11.recursion-sup",
    Delta_next,
    "<=",
    (1 + C / _L) * Delta + C / _L * theta_sup + C * Q.C_Theta / _L**2 + Ct / _L**2,
    24,
    r"\Delta_{k+1}^L \le \Big(1+\frac CL\Big)\Delta_k^L + \frac CL\sup_{s\in[0,1]}\|\Theta(s)-\Theta^L(s)\|"
    r" + \frac{CC_\Theta}{L^2} + \frac{\tilde C}{L^2}",
    "The recursion with constants that do not depend on k.",
    inputs=EVERY,
    premises=("prop11.recursion", "prop11.theta-triangle", "prop11.theta-shift"),
    tool=Tool.TRIANGLE,
)

GAP_TEX = r"\Delta_{k+1}^L \le \Big(\|a^L-a\| + \sup_{s\in[0,1]}\|\Theta(s)-\Theta^L(s)\| + \frac{C_\Theta}L + \frac{\tilde C}{LC}\Big)e^C"


def printed(start: sp.Expr, parameters: sp.Expr) -> sp.Expr:
    """The right side of (35)."""
    return (start + parameters + Q.C_Theta / _L + Ct / (_L * C)) * sp.exp(C)


growth = sp.exp((k_step + 1) * sp.log(1 + C1 / _L))
step(
    "prop11.gap",
    Delta_next,
    "<=",
    printed(start_gap, theta_sup),
    24,
    GAP_TEX,
    "The scheme is consistent: the gap at every layer, with the constants of the proof.",
    equation="(35)",
    inputs=EVERY,
    role=Role.RESULT,
    premises=("prop11.recursion-sup", "prop11.start"),
    tool=Tool.DISCRETE_GRONWALL,
)
step(
    "prop11.gap",
    Delta_next,
    "<=",
    growth * start_gap + (C2 * (theta_sup + Q.C_Theta / _L) + Ct / (2 * _L)) * (growth - 1) / C1,
    24,
    GAP_TEX,
    "The same with each constant in its place, half the Taylor remainder, and Grönwall's sum kept.",
    equation="(35)",
    edition="sharpened",
    inputs=EVERY,
    role=Role.RESULT,
    premises=("prop11.recursion-sup", "prop11.start"),
    tool=Tool.DISCRETE_GRONWALL,
)
_SPEED = {"a-priori": {**A_PRIORI, C_U: C1 * D}, "along-trajectory": {C_U: speed_run}}
for _inputs, _where in _SPEED.items():
    step(
        "prop11.U-lipschitz",
        U_change,
        "<=",
        C_U / _L,
        25,
        r"\Big\|U(s)-U\Big(\frac{\lfloor Ls\rfloor}L\Big)\Big\| \le \frac{C_U}L",
        "Within a step the ODE's solution moves by at most its Lipschitz constant over L.",
        equation="(36)",
        inputs=_inputs,
        where=_where,
        premises=("prop11.speed",),
        tool=Tool.SUPREMUM,
    )
    step(
        "prop11.path",
        path_gap,
        "<=",
        C_U / _L + Delta,
        25,
        r"\|U(s)-u_{\lfloor Ls\rfloor}^L\| \le \Big\|U(s)-U\Big(\frac{\lfloor Ls\rfloor}L\Big)\Big\|"
        r" + \Big\|U\Big(\frac{\lfloor Ls\rfloor}L\Big)-u_{\lfloor Ls\rfloor}^L\Big\| \le \frac{C_U}L + \Delta_{\lfloor Ls\rfloor}^L",
        "The scheme as a function of s is close to the ODE's solution for every s.",
        equation="(36)",
        inputs=_inputs,
        where=_where,
        role=Role.RESULT,
        premises=("prop11.U-lipschitz",),
        tool=Tool.TRIANGLE,
    )

step(
    "prop11.path-triangle",
    path_gap,
    "<=",
    U_change + Delta,
    25,
    r"\|U(s)-u_{\lfloor Ls\rfloor}^L\| \le \Big\|U(s)-U\Big(\frac{\lfloor Ls\rfloor}L\Big)\Big\|"
    r" + \Big\|U\Big(\frac{\lfloor Ls\rfloor}L\Big)-u_{\lfloor Ls\rfloor}^L\Big\|",
    "Distance within a step: change of U plus the gap.",
    equation="(36)",
    inputs="along-trajectory",
    where={},
    tool=Tool.TRIANGLE,
)
step(
    "cor12.gap",
    Delta_next,
    "<=",
    printed(start_sup, theta_sup_t),
    25,
    r"u_{\lfloor Ls\rfloor}^L(t) \to U(s,t) \text{ uniformly over } s\in[0,1],\ t\in I",
    "The gap of (35) with suprema over the parameter t: uniform in t.",
    item="Corollary 12",
    part="uniform in t",
    edition="explicit",
    inputs=EVERY,
    role=Role.RESULT,
    premises=("prop11.gap",),
    tool=Tool.DISCRETE_GRONWALL,
)
step(
    "cor13.gap",
    limit_gap,
    "<=",
    C_U / _L + printed(limit_start, limit_theta),
    25,
    r"u_{\lfloor Ls\rfloor}^L(t) \to U(s) \text{ uniformly over } s\in[0,1] \text{ as } L,t\to\infty",
    "Distance to the solution of the limiting ODE: (36) and (35) with the distances at t to the limits.",
    item="Corollary 13",
    part="limit in L and t",
    edition="explicit",
    inputs="a-priori",
    where=_SPEED["a-priori"],
    role=Role.RESULT,
    premises=("prop11.gap", "prop11.path"),
    tool=Tool.DISCRETE_GRONWALL,
)
