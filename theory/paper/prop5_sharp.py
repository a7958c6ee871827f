r"""Proposition 5 for every depth and linear width, without c₁ and c₂; the proof, each line a claim.

Let r >= 2, η = |η_r(σ)| > 0, σ K_σ-Lipschitz with σ(0) = 0, |x|_F <= √(nq), q >= d, d', qm >= 2, m >= n, any L >= 1; M as below; and
|W̄|_F <= √(2qm), s_min(S̄) >= √m η/4 (S̄ = σ(W̄Āx/√q)). At every point of the ball of radius M, each of A, B, V_k, W_k in its own norm:

1. M = η/(32√2 K_σ max(1,K_σ) √(nq)) and √2 η <= √r η <= K_σ give M <= 1/64, and a = K_σ M (√2 + M/√(qm)) bounds L times what a layer
   stretches h and p by: K_σ |V_k| |W_k|/√(qm) <= a <= 1/(32√2) + 1/(64·64√2) < 0.0224.
2. |h_k - Ax|_F <= (e^a - 1)|Ax|_F and |p_k|_F >= (1 - a/L)^L |p_L|_F >= 2 (1 - M)(1 - a/L)^L √(ℓ/n), by s_min(B) >= 1 - M.
3. |S_k - S̄|_F <= D = (K_σ/√q) [ M(1 + M)e^a + √(2qm)(1 + M)(e^a - 1) + √(2qm) M ] √(nq). The three terms are at most 0.0163, 0.0458 and
   0.0313 times √m η, for M√(nq) K_σ max(1,K_σ) = η/(32√2), qm >= 2 and e^a - 1 <= 1.0113 a; so D <= (3/32) √m η.
4. s_min(S_k) >= (1/4 - 3/32) √m η = (5/32) √m η at every layer, the first included.
5. LΣ|∂ℓ/∂V_k|_F² >= (1/m) min|p_k|_F² s_min(S_k)² >= (4/n)(63/64)² (1 - 0.0224)² (5/32)² η² ℓ >= η²ℓ/(11.1n) >= η²ℓ/(12n).

The event fails with probability at most e^{-qm/16} (Lemma 20) + n e^{-9mη²/(128M_σ²n)} + n(n-1)exp(-(d/2v_x²)(3/4n)^{2/r}):
E[σ(x_i·w)σ(x_j·w)] = Σ_j η_j² ⟨x_i,x_j⟩^j >= η² ⟨x_i,x_j⟩^r as matrices, Gershgorin with all |⟨x_i,x_j⟩|^r <= 3/(4n) leaves
1 - (n-1)·3/(4n) >= 1/4 of it, there are n(n-1)/2 pairs, and the matrix Chernoff bound at the level t = 1/4 of
mη²/4 has the exponent (1-t)² (mη²/4)/(2M_σ²n).

The factor max(1,K_σ) is needed in 3: without it the second term is K_σ times as large, and D exceeds s_min(S̄) for K_σ > 5.
With M = θη/(√2K_σ max(1,K_σ)√(nq)) the admissible loss, proportional to (Mμ)², is largest at θ = 1/36: 1/32 loses 2 % of that.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from depthlimit.theory.claim import Condition, Role, Tool
from depthlimit.theory.paper import prop5_setting as P
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.prop5_steps import line
from depthlimit.theory.quantity import maximum

_S: dict[str, Any] = {"edition": "sharpened", "part": "any depth", "hypotheses": P.SHARPENED}
_EXPLICIT: dict[str, Any] = {**_S, "inputs": "a-priori", "hypotheses": P.SHARP_SIZES}
_grown = sp.exp(P.a_sharp)
D = Q.K_sigma / sp.sqrt(Q.q) * P.root_nq * (
    P.M_sharp * (1 + P.M_sharp) * _grown + sp.sqrt(2 * Q.q * Q.m) * ((1 + P.M_sharp) * (_grown - 1) + P.M_sharp)
)  # fmt: skip
_SHRUNK = sp.exp(Q.L * sp.log(1 - P.a_sharp / Q.L))
_STILL = Condition("V = 0", P.at_V, "<=", sp.Integer(0), trivial=True)
_RADIUS = r"M = \frac\eta{32\sqrt2K_\sigma\max(1,K_\sigma)\sqrt{nq}}"

line("prop5.sharp-radius", P.M_sharp, "<=", sp.Rational(1, 64), "The radius is small.", rf"{_RADIUS} \le \frac1{{64}}", 0,
     premises=("prop5.eta-bound",), equality=Condition("nq = 1 and √r η = K_σ", Q.n * Q.q, "=", sp.Integer(1)), **_EXPLICIT)  # fmt: skip
line("prop5.sharp-stretch", P.a_sharp, "<=", sp.Rational(224, 10000), "A layer stretches by little.",
     r"a = K_\sigma M(\sqrt2+M/\sqrt{qm}) \le 0.0224", 0, premises=("prop5.sharp-radius",), **_EXPLICIT)  # fmt: skip
line("prop5.sharp-hidden", P.at_h_drift, "<=", (_grown - 1) * P.at_h0, "Hidden states change little with depth.",
     r"\|h_k-Ax\|_F \le (e^a-1)\|Ax\|_F", 0, premises=("prop5.h-growth",), tool=Tool.DISCRETE_GRONWALL, equality=_STILL, **_S)  # fmt: skip
line("prop5.sharp-drift", P.at_S_drift, "<=", D, "Activations stay near those at the centre.", r"\|S_k-\bar S\|_F \le D", 0,
     premises=("prop5.drift-split", "prop5.sharp-hidden"), tool=Tool.TRIANGLE, **_S)  # fmt: skip
line("prop5.sharp-drift-bound", D, "<=", sp.Rational(3, 32) * sp.sqrt(Q.m) * P.eta, "What the activations may change by.",
     r"D \le \frac3{32}\sqrt m\,\eta", 0, premises=("prop5.sharp-radius", "prop5.sharp-stretch"), **_EXPLICIT)  # fmt: skip
line("prop5.sharp-s", P.at_s, ">=", sp.Rational(5, 32) * sp.sqrt(Q.m) * P.eta, "The activations of every layer from below.",
     r"s_{\min}(S_k) \ge \frac5{32}\sqrt m\,\eta", 0, premises=("prop5.s-perturbed", "prop5.sharp-drift", "prop5.sharp-drift-bound"),
     tool=Tool.PERTURBATION, **_S)  # fmt: skip
line("prop5.sharp-p", P.at_p, ">=", 2 * (1 - P.M_sharp) * _SHRUNK * sp.sqrt(Q.ball_loss / Q.n), "Adjoint states from below.",
     r"\|p_k\|_F \ge 2(1-M)\Big(1-\frac aL\Big)^L\sqrt{\ell/n}", 0, premises=("prop5.p-growth", "prop5.smin-B"),
     tool=Tool.DISCRETE_GRONWALL, **_S)  # fmt: skip
line("prop5.sharp-pl", Q.ball_gradient2, ">=", P.mu_sharp * Q.ball_loss,
     "The local PL condition of Definition 1 for every depth and every width m >= n, on its event.",
     rf"\Big\|\frac{{\partial\ell}}{{\partial A}}\Big\|_F^2+L\sum_k\Big\|\frac{{\partial\ell}}{{\partial Z_k}}\Big\|_F^2"
     rf"+\Big\|\frac{{\partial\ell}}{{\partial B}}\Big\|_F^2 \ge \frac{{\eta^2}}{{12n}}\ell,\quad {_RADIUS}", 0, role=Role.RESULT,
     premises=("prop5.sharp-s", "prop5.sharp-p"), tool=Tool.POLYAK_LOJASIEWICZ, **_S)  # fmt: skip
_OWN = 4 / (Q.m * Q.n) * (1 - P.M_sharp) ** 2 * _SHRUNK**2 * maximum(Q.s0 - D, 0) ** 2
line("prop5.sharp-draw", Q.ball_gradient2, ">=", _OWN * Q.ball_loss, "The same with s_min(S̄) of the draw in place of its lower bound.",
     r"\mu = \frac4{mn}(1-M)^2\Big(1-\frac aL\Big)^{2L}(s_{\min}(\bar S)-D)_+^2", 0, role=Role.RESULT,
     premises=("prop5.sharp-drift", "prop5.sharp-p"), tool=Tool.POLYAK_LOJASIEWICZ,
     **{**_S, "hypotheses": tuple(c for c in P.SHARPENED if c not in P.EVENT_S)})  # fmt: skip
line("prop5.sharp-rate", 4 * sp.Rational(5, 32) ** 2 * (1 - P.M_sharp) ** 2 * _SHRUNK**2, ">=", sp.Rational(1, 12),
     "The constant 12 in μ: 11.1 could stand there.",
     r"4\Big(\frac5{32}\Big)^2(1-M)^2\Big(1-\frac aL\Big)^{2L} \ge \frac1{12}", 0,
     premises=("prop5.sharp-radius", "prop5.sharp-stretch"), **_EXPLICIT)  # fmt: skip
