r"""What each hypothesis of the finite-time part is for: toy networks in which it is dropped and the conclusion fails, or a note.

All states are scalars, with closed forms.

* The factor 1/L in (1). f(h, z) = zh, z = 1, K₁ = 1: with 1/L^γ for 1/L, h_L = (1 + L^{-γ})^L h_0. That is below e^{K₁}|h_0|, as (21)
  says, for γ = 1; it is 2^L for γ = 0 and grows like e^{√L} for γ = 1/2, so that no state has a limit as L grows. The weights are smooth
  in k all the same: it is (21) and Theorem 4 (iii) that fail.
  In training: model (3) with q = m = 1, A = B = 1 fixed, σ = tanh, x = 1, y = 2 from V = 0, W = 1. Without 1/L,
  |∂ℓ/∂V_k| >= 2(y - F) tanh 1 at every layer (states, weights and adjoints only grow), so y - F <= e^{-2 tanh²(1) L²t}: at times 1/L² the
  output has moved by Ω(1), while F - 1 = Σ_k V_k tanh(W_k h_{k-1}) >= tanh(1) Σ_k V_k keeps the V_k of order 1/L. The weights tend to
  V = 0, whose neural ODE has output 1, and F tends to y = 2 at every t > 0: Theorem 4 (iii) and (iv) fail after training too.
* f(0, .) = 0. f(h, z) = h + z, z = 1: h_L = 2(1 + 1/L)^L - 1 exceeds e^{K₁}|h_0| = e. What remains is
  |h_k| <= e^{K₁}|h_0| + sup|f(0, z)|(e^{K₁} - 1)/K₁, so the hypothesis costs constants only.
* f(., z) Lipschitz. f(h) = h²: dH/ds = H² with H(0) = 1 blows up at s = 1, and h_L grows without bound in L.
* σ bounded. No failure is known: nothing in A.1 uses sup|σ|, only K_σ, and the bound of Proposition 7 holds on every instance with an
  unbounded activation (identity, GELU, SiLU), which is what `hypothesis.sigma-bounded` checks.
* π Lipschitz. π = sign, entry by entry (bounded by 1): from Z_k(0) = (-1)^k(ε, ε), ε = 1/(2L), the two entries of each layer grow in the
  direction in which they point, as long as F < y: ‖Z_{k+1} - Z_k‖ = 2√2(ε + t) = Ω(1), from √2/L. With Lipschitz π it stays O(1/L).
* π bounded. π(u) = -u has Lipschitz constant 1 and is not bounded: with V = W = 0, y = 0, x = 1 and A(0) = B(0) = 1, A' = 2A³, so that
  A(t) = (1 - 4t)^{-1/2} blows up at t = 1/4. For π(u) = u, the plain flow, no failure exists: the energy bounds the displacement
  (`identities.displacement`).
"""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.quantities import B_, T_
from depthlimit.theory.registry import claims, quantity, register

h_plain = quantity("toy_scaled", r"(1+1/L)^Lh_0", (B_,), "last state of h + h/L, per depth").symbol
h_root = quantity("toy_root", r"(1+1/\sqrt L)^Lh_0", (B_,), "last state of h + h/√L, per depth").symbol
h_free = quantity("toy_unscaled", r"2^Lh_0", (B_,), "last state of h + h, per depth").symbol
h_offset = quantity("toy_offset", r"h_L", (B_,), "last state of h + (h + 1)/L, per depth").symbol
h_square = quantity("toy_square", r"h_L", (B_,), "last state of h + h²/L, per depth after the first").symbol
h_square_before = quantity("toy_square_before", r"h_{L/2}", (B_,), "the same at half the depth").symbol
error = quantity("toy_error", r"y-F^L(x;t)", (B_,), "error of the output without the factor 1/L, at t = 1/L²", local=False).symbol
weight = quantity(
    "toy_weight", r"\textstyle\sum_kV_k(t)", (B_,), "sum of the weights V without the factor 1/L, at t = 1/L²", local=False
).symbol
instant = quantity("toy_instant", r"L^{-2}", (B_,), "the time at which they are measured", exact=True).symbol
sign_gap = quantity(
    "toy_sign_gap", r"\min_k\|Z_{k+1}(T)-Z_k(T)\|", (B_,), "smallest successive difference under the sign of the gradient", local=False
).symbol
sign_gap0 = quantity("toy_sign_start", r"\max_k\|Z_{k+1}(0)-Z_k(0)\|", (B_,), "largest successive difference at the start").symbol
ascent = quantity("toy_ascent", r"\|A(t)\|_F", (T_,), "norm of A under π(u) = -u", local=False).symbol
depth = Q.depth
unbounded = quantity("sigma_unbounded", r"1_{\sup|\sigma|=\infty}", (), "1 if the activation is not bounded", exact=True).symbol


def control(label: str, source: Source, lhs: sp.Expr, relation: str, rhs: sp.Expr, meaning: str, tex: str, **more) -> Claim:  # type: ignore[no-untyped-def]
    """Register a control of the toy networks."""
    settings = {"role": Role.CONTROL, "edition": "explicit", "regimes": ("counterexamples",), "tool": Tool.NONE, **more}
    return register(Claim(label, lhs, relation, rhs, source=source, meaning=meaning, tex=tex, **settings))


_TANH = (sp.exp(2) - 1) / (sp.exp(2) + 1)  # tanh 1
_SCALING = Source("hypothesis", "the factor 1/L", "(1)", 1)
_21 = sp.exp(1)
control(
    "hypothesis.scaling-kept",
    _SCALING,
    h_plain,
    "<=",
    _21,
    "With the factor 1/L the state stays below e^{K₁}|h_0|, as (21) says.",
    r"\|h_L\| \le e^{K_1}\|h_0\|",
)
for _name, _state, _tex in (("unscaled", h_free, "1"), ("root", h_root, r"1/\sqrt L")):
    control(
        f"hypothesis.scaling-{_name}",
        _SCALING,
        _state,
        ">=",
        _21,
        f"With {'no factor' if _name == 'unscaled' else '1/√L'} in place of 1/L, (21) fails at every depth.",
        rf"h_{{k+1}} = h_k+{_tex}\cdot h_k:\ \|h_L\| > e^{{K_1}}\|h_0\|",
        premises=("hypothesis.scaling-kept",),
    )
control(
    "hypothesis.scaling-limit",
    _SCALING,
    sp.log(h_free),
    "=",
    depth * sp.log(2),
    "Without the factor 1/L the last state is 2^L: no limit exists.",
    r"h_L^L = 2^Lh_0 \to \infty",
)
control(
    "hypothesis.scaling-trained",
    _SCALING,
    error,
    "<=",
    sp.exp(-2 * _TANH**2 * depth**2 * instant),
    "Without the factor 1/L the output has moved by Ω(1) at times 1/L², while the weights tend to those of the trivial ODE.",
    r"y-F^L(x;t) \le (y-F^L(x;0))e^{-2\tanh^2(1)L^2t},\quad t = L^{-2}",
    tool=Tool.GRONWALL,
)
control(
    "hypothesis.scaling-trained-weights",
    _SCALING,
    weight * _TANH + error,
    "<=",
    sp.Integer(1),
    "At those times the V_k sum to at most (F - 1)/tanh 1: they are of order 1/L.",
    r"\tanh(1)\textstyle\sum_kV_k(t) \le F^L(x;t)-F^L(x;0) \le 1",
)
_ZERO = Source("hypothesis", "f(0, .) = 0", "(11)", 7)
control(
    "hypothesis.zero-at-zero",
    _ZERO,
    h_offset,
    ">=",
    _21,
    "With f(0, z) = 1, (21) fails at every depth.",
    r"f(h,z) = h+z:\ \|h_L\| > e^{K_1}\|h_0\|",
)
control(
    "hypothesis.zero-at-zero-remains",
    _ZERO,
    h_offset,
    "<=",
    _21 + (_21 - 1),
    "With f(0, z) = 1 the state is bounded by the inhomogeneous inequality: the hypothesis costs constants only.",
    r"\|h_k\| \le e^{K_1}\|h_0\|+\sup\|f(0,z)\|\frac{e^{K_1}-1}{K_1}",
    tool=Tool.DISCRETE_GRONWALL,
)
control(
    "hypothesis.lipschitz-in-h",
    Source("hypothesis", "f(., z) Lipschitz", "(11)", 7),
    h_square,
    ">=",
    sp.Rational(3, 2) * h_square_before,
    "For f(h) = h² doubling the depth multiplies the last state by more than 3/2: no limit exists.",
    r"f(h) = h^2:\ h_{2L}^{2L} \ge \tfrac32h_L^L",
    hypotheses=(Condition("L >= 8", depth, ">=", sp.Integer(8)),),
)
_PI = Source("hypothesis", "π Lipschitz", "(5)", 4)
control(
    "hypothesis.clip-lipschitz-start",
    _PI,
    sign_gap0,
    "=",
    sp.sqrt(2) / depth,
    "The start of the counterexample has successive weights √2/L apart.",
    r"Z_k(0) = (-1)^k(\tfrac1{2L},\tfrac1{2L})",
)
control(
    "hypothesis.clip-lipschitz",
    _PI,
    sign_gap,
    ">=",
    2 * sp.sqrt(2) * Q.T,
    "Under the sign of the gradient, bounded but not Lipschitz, successive weights part by 2√2 T at every depth.",
    r"\pi = \mathrm{sign}:\ \|Z_{k+1}(T)-Z_k(T)\| \ge 2\sqrt2\,T = \Omega(1)",
    premises=("hypothesis.clip-lipschitz-start",),
)
control(
    "hypothesis.clip-bounded",
    Source("hypothesis", "π bounded", "(5)", 4),
    ascent,
    "=",
    1 / sp.sqrt(1 - 4 * Q.t),
    "Under π(u) = -u, Lipschitz but not bounded, A blows up at t = 1/4.",
    r"\pi(u) = -u:\ A(t) = (1-4t)^{-1/2}",
    inputs="along-trajectory",
)
for _claim in [c for c in claims("prop7.gap") if (c.edition, c.inputs) == ("sharpened", "along-trajectory")]:
    register(
        replace(
            _claim,
            label="hypothesis.sigma-bounded",
            source=Source("hypothesis", "σ bounded", "", 3),
            meaning="The bound on successive weights holds for activations that are not bounded too; no failure is known.",
            role=Role.HYPOTHESIS,
            hypotheses=(Condition("σ is not bounded", unbounded, "=", sp.Integer(1)),),
            note="No failure is known: nothing in the finite-time proofs uses sup|σ|, only K_σ and sup|σ''|.",
            premises=("prop7.gap",),
        )
    )
