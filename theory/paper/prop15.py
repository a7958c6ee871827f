r"""Appendix A.6 (page 30) and Lemmas 16, 17 and 19 (pages 36-37): Proposition 15, its index maps, (45), and ODEs with rough right sides.

The index maps: ⌊(L-1)s⌋ + 1 of (8) takes every value 1..L, L at s = 1 alone (if L > 1); ⌊Ls⌋, which Proposition 15 prints for weights, is 0
for s < 1/L, where no layer is. Since (L-1)s + 1 - Ls = 1 - s ∈ [0, 1], they differ by 0 or 1, and what they select by at most C/L.

Lipschitz continuity of Z_∞, which the proposition concludes and Corollary 13 needs, follows from ‖Z_{k+1} - Z_k‖ <= C/L, which it does not
assume: Z_k = √(k/L) converges uniformly (`hypothesis.successive`). Where the proposition is used, Proposition 8 supplies it.

Families have f(h, z) = z ⊙ h, for which the ODE with piecewise constant Z^L(., t) is solved by exponentials; C and D below are the
Lipschitz constants of f in h and in z, for |h| <= D.
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Role, Source, Tool
from depthlimit.theory.paper import hypotheses
from depthlimit.theory.paper import prop9 as A
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.prop9 import BT, BTL, family, known
from depthlimit.theory.paper.quantities import B_, C_, L_, T_
from depthlimit.theory.quantity import maximum, minimum

floor = known("family_floor", r"\lfloor Ls\rfloor", (B_, L_), "index that Proposition 15 prints, in integers", exact=True)
index = known("family_index", r"\lfloor(L-1)s\rfloor+1", (B_, L_), "index of (8), in integers", exact=True)
two = known("family_two", r"\|Z_i-Z_j\|", BTL, "distance of the layers that the two maps select")
U = known("family_U", "U(s)", (*BTL, C_), "solution with piecewise constant parameters, by exponentials")
U_integral = known("family_U_integral", r"U_0+\int_0^sg", (*BTL, C_), "right side of (54), by quadrature piece by piece")
U_norm = known("family_U_norm", r"\|U(s)\|", BTL, "norm of that solution")
U0_norm = known("family_U0_norm", r"\|U_0\|", (), "norm of its start", exact=True)
lipschitz = known("family_lipschitz", "C_g", BT, "Lipschitz constant of g(., r), for all r")
H = known("family_H", "H(s)", (L_, C_), "solution with the parameters of the limit in t and L, by an explicit stepper of order eight")
H_closed = known("family_H_closed", r"A_\infty xe^{\int_0^s\mathcal Z_\infty}", (L_, C_), "the same by exponentials")
hidden_gap = known("family_hidden_gap", r"\|h-H\|", BTL, "distance of the hidden state from the limit")
far = known("family_far", r"\sup\|\mathcal Z^L-\mathcal Z_\infty\|", BT, "distance of the parameters from the limit in t and L")
Theta_slope = known("family_slope", r"C_\Theta", (), "Lipschitz constant of the limit in t and L")
first_t = known("family_first_t", r"\lim_L\lim_te_{L,t}", (C_,), "the last layer, first in the limit of t, then extrapolated in 1/L")
first_L = known("family_first_L", r"\lim_t\lim_Le_{L,t}", (C_,), "the last layer of the limit in L, then at the end of time")

_L = Q.depth
_15, _17 = {"item": "Proposition 15"}, {"item": "Lemma 17"}
family("prop15.index", floor, ">=", sp.Integer(1), 30, r"Z^L_{\lfloor Ls\rfloor}(t),\quad s\in[0,1]", "The index is that of a layer.",
       part="assumptions", role=Role.DEFINITION, expect="prop15-index-witness", note="⌊Ls⌋ = 0 for s < 1/L, and layers begin with 1.",
       **_15)  # fmt: skip
family("prop15.index", minimum(index, _L + 1 - index), ">=", sp.Integer(1), 30, r"Z^L_{\lfloor(L-1)s\rfloor+1}(t),\quad s\in[0,1]",
       "The index of (8) is that of a layer.", part="assumptions", role=Role.DEFINITION, edition="corrected", **_15)  # fmt: skip
family("prop15.maps", two, "<=", A.C / _L, 30, r"\|Z^L_{\max(\lfloor Ls\rfloor,1)}(t)-Z^L_{\lfloor(L-1)s\rfloor+1}(t)\| \le \frac CL",
       "The index maps of Theorem 14 and Proposition 15 differ by a layer at most.", edition="explicit", premises=("prop9.floor",),
       tool=Tool.SUPREMUM, **_15)  # fmt: skip
family("prop15.iterated", first_t, "=", first_L, 37, r"\lim_{x\to\infty}e_{x,\infty} = \lim_{y\to\infty}e_{\infty,y} = e_\infty",
       "The iterated limits agree.", item="Lemma 19", part="statement", role=Role.LEMMA, inputs="along-trajectory", tool=Tool.EXTRAPOLATION,
       note="The proof ends with the joint limit; y₂ → ∞ in its last display gives the others.")  # fmt: skip
family("prop15.eq45", H, "=", H_closed, 30, r"H(0) = A_\infty x,\quad \frac{dH}{ds}(s) = f(H(s),\mathcal Z_\infty(s))",
       "The neural ODE with the limits of the weights.", equation="(45)", role=Role.DEFINITION, tool=Tool.DEFINITION, **_15)  # fmt: skip
_D = U0_norm * sp.exp(A.C)
_Cf = maximum(A.C, _D)
_CURVATURE = A.C**2 * _D + _D * Theta_slope
family("prop15.hidden", hidden_gap, "<=", A.C * _D / _L + (far + Theta_slope / _L + _CURVATURE / (_L * _Cf)) * sp.exp(_Cf), 30,
       r"h^L_{\lfloor Ls\rfloor}(t) \to H(s)\text{ uniformly over }s",
       "Corollary 13 with Z_∞: the bound (36) with the distance from the limit.",
       part="(iii)", edition="explicit", role=Role.RESULT, premises=("prop15.eq45", "prop15.maps"), tool=Tool.DISCRETE_GRONWALL,
       **_15)  # fmt: skip
family("prop15.eq54", U, "=", U_integral, 36, r"U(s) = U_0+\int_0^sg(U(r),r)dr", "The solution exists though g jumps at every layer.",
       equation="(54)", role=Role.DEFINITION, tool=Tool.DEFINITION, **_17)  # fmt: skip
family("prop15.ball", U_norm, "<=", U0_norm * sp.exp(lipschitz), 36, r"\|U(s)\| \le \|U_0\|\exp(C)",
       "The solution stays in the ball that D holds.", premises=("prop15.eq54",), tool=Tool.GRONWALL,
       note="C is one number for almost all r, as page 14 defines uniformly Lipschitz: see hypothesis.one-constant.", **_17)  # fmt: skip

# --- what is dropped, as toy families at the depths of `counterexamples`

sine_late = known("toy_late", r"\sup_t|\sin(t/L)|", (B_,), "largest distance of sin(t/L) from its pointwise limit 0")
root_rate = known("toy_root_rate", r"L\max_k|Z_{k+1}-Z_k|", (B_,), "largest successive difference of Z_k = √(k/L), times L")
root_far = known("toy_root_far", r"\sup_s|Z_{\lfloor Ls\rfloor}-\sqrt s|", (B_,), "distance of these from √s")
parted = known("toy_parted", r"U(s)-\tilde U(s)", (T_, C_), "difference of the functions s² and s²/2, and of 0 and -s²")
parted_integral = known(
    "toy_parted_integral",
    r"\int_0^s(g(U)-g(\tilde U))",
    (T_, C_),
    "that of the right sides of (54), g(u, r) = 2u/r between -2r and 2r",
)
hypotheses.control(
    "hypothesis.integrable",
    Source("hypothesis", "b integrable", "Proposition 9", 21),
    sine_late,
    ">=",
    sp.Rational(1, 2),
    "Z^L(t) = sin(t/L), with b = 1 not integrable on R_+, tends to 0 at every t and not uniformly.",
    r"\sup_{t\in\mathbb R_+}|\sin(t/L)| = 1",
)
hypotheses.control(
    "hypothesis.successive",
    Source("hypothesis", "successive weights", "Proposition 15", 30),
    minimum(root_rate, 1 / root_far),
    ">=",
    sp.Rational(2, 5) * sp.sqrt(Q.depth),
    "Z_k = √(k/L), constant in t, meets (i) to (iii) of Proposition 15: it tends to √s uniformly, which is not Lipschitz continuous.",
    r"\sup_s|Z_{\lfloor Ls\rfloor}-\sqrt s| \le \tfrac52L^{-1/2},\quad L\max_k|Z_{k+1}-Z_k| \ge \tfrac25\sqrt L",
)
hypotheses.control(
    "hypothesis.one-constant",
    Source("hypothesis", "g(., r) Lipschitz with one constant", "Lemma 16", 36),
    parted,
    "=",
    parted_integral,
    "g(u, r) = 2u/r, cut at ±2r, is continuous, each g(., r) is Lipschitz, g(0, r) = 0; from 0, (54) has the solutions as², |a| <= 1.",
    r"as^2 = \int_0^sg(ar^2,r)dr,\quad |a| \le 1",
    note="Page 14 asks for one constant for all r of a compact; with one for each r, which is what is dropped here, Lemma 16 fails.",
)
