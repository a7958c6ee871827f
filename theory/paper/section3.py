r"""The running text of Sections 1, 3 and 4.1: (1), (2), the start as a trivial ODE, π, (8), and the Lipschitz weights of page 6.

* (1) and (2) are (3) and (6); the introduction's dV_k/dt = -L ∂ℓ/∂V_k is (4).
* At the start V = 0, so every hidden state is Ax: the trivial ODE dH/ds = 0 of pages 2 and 4. A(0)ᵀA(0) = I and B(0)B(0)ᵀ = I; B(0)A(0)
  has max(0, d + d' - q) ones, so B(0)A(0) = 0 iff q >= d + d'.
* Page 4 says that without further assumptions the gradient flow (4) can diverge in finite time. It cannot: ℓ >= 0 and the energy identity
  give |θ(t) - θ(0)|² <= t ℓ(0) in the norm with weight 1/L on Z, for every σ with a locally Lipschitz gradient (`identities.displacement`).
* π by coordinates at C is the projection on the ball of ℓ_∞: entries at most C, Lipschitz constant 1, and |g - π(g)|_∞ = (|g|_∞ - C)_+.
* (8): Z^L(s) = Z_{⌊(L-1)s⌋+1}. For weights Z_k = Θ(k/L) with Θ of Lipschitz constant 1, sup_s |s - (⌊(L-1)s⌋+1)/L| = 1/L exactly:
  s ∈ [k/(L-1), (k+1)/(L-1)) has |s - (k+1)/L| <= max((L-1-k), k+1)/(L(L-1)), at most 1/L, attained at s = 0. Z_L is used at s = 1 alone.
* Page 6: ‖Z_j - Z_k‖ <= K|j - k|/L by telescoping, equality for neighbours; so 𝒱(., t) has Lipschitz constant K.
* Page 6 also says that "the bounds diverge exponentially with T" for M and K of (7): M = T M_π + 2√(qm) is affine in T, so
  M(2T) <= 2 M(T); K = βT e^{αT} grows faster than any exponential, since α and β contain e^{K} with K of Proposition 7, which grows itself
  with M.
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.difference import Difference, differ
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.quantities import B_, C_, L_, N_, T_
from depthlimit.theory.quantity import maximum
from depthlimit.theory.registry import quantity, register

FLOWS = ("plain-flow", "clipped-flow")
EULER = ("euler-scheme", "euler-ladder")
_BTL = (B_, T_, L_)
_INIT = Condition("starts at the initialisation of Section 3", Q.paper_init, "=", sp.Integer(1))

h_start = quantity("h_start", r"h_k(0)", (B_, L_, N_, C_), "hidden states k = 1..L of the initial network").symbol
Ax_start = quantity("Ax_start", r"A(0)x", (B_, N_, C_), "embedded inputs of the initial network").symbol
AtA = quantity("AtA", r"A(0)^\top A(0)", (B_, C_), "Gram matrix of the columns of the initial A").symbol
I_d = quantity("I_d", r"I_d", (B_, C_), "identity matrix of size d", exact=True).symbol
overlap = quantity("overlap", r"\|B(0)A(0)\|_F^2", (), "squared Frobenius norm of the product of the initial B and A").symbol
spread_V = quantity("spread_V", r"\max_k\|V_{k+j}-V_k\|_F", _BTL, "largest difference of V over j layers, j = 1..L-1").symbol
spread_W = quantity("spread_W", r"\max_k\|W_{k+j}-W_k\|_F", _BTL, "largest difference of W over j layers, j = 1..L-1").symbol
lag = quantity("lag", "j", (L_,), "distance of two layers, 1..L-1", exact=True).symbol
step_V = quantity("step_V", r"\max_k\|V_{k+1}-V_k\|_F", (B_, T_), "largest successive difference of V, saved state").symbol
step_W = quantity("step_W", r"\max_k\|W_{k+1}-W_k\|_F", (B_, T_), "largest successive difference of W, saved state").symbol
shift = quantity(
    "shift",
    r"\sup_s\big|s-\tfrac{\lfloor(L-1)s\rfloor+1}{L}\big|",
    (),
    "distance of (8) from the grid k/L, in rational arithmetic",
    exact=True,
).symbol
layers_seen = quantity("layers_seen", r"\#\{\lfloor(L-1)s\rfloor+1\}", (), "layers that (8) visits for s in [0, 1]", exact=True).symbol
clip_radius = quantity("clip_radius", "C", (), "radius of the clip", exact=True).symbol
clip_cube = quantity("clip_cube", r"1_{\ell_\infty}", (), "1 if π clips each coordinate, 0 else", exact=True).symbol
entry = quantity("entry", r"|\pi(-L\,\partial\ell/\partial Z_k)|_\infty", _BTL, "largest entry of the velocity of Z_k").symbol
clipped_by = quantity("clipped_by", r"|g-\pi(g)|_\infty", _BTL, "what π takes from the largest entry of g = -L ∂ℓ/∂Z_k").symbol
descent_entry = quantity("descent_entry", r"|g|_\infty", _BTL, "largest entry of g = -L ∂ℓ/∂Z_k").symbol
descent_gap = quantity("descent_gap", r"\|g_{k+1}-g_k\|", _BTL, "successive difference of g_k = -L ∂ℓ/∂Z_k, Euclidean").symbol


def _claim(label: str, source: Source, lhs: sp.Expr, relation: str, rhs: sp.Expr, meaning: str, tex: str, tool: Tool, **more) -> Claim:  # type: ignore[no-untyped-def]
    settings = {"role": Role.DEFINITION, "inputs": "instantaneous", "regimes": FLOWS, **more}
    return register(Claim(label, lhs, relation, rhs, source=source, meaning=meaning, tex=tex, tool=tool, **settings))


_claim(
    "eq1.layer",
    Source("Section 1", "residual network", "(1)", 1),
    Q.h_next,
    "=",
    Q.h + Q.branch / (Q.L * sp.sqrt(Q.m)),
    "The network of the introduction is that of (3).",
    r"h_{k+1} = h_k + \frac1{L\sqrt m}V_{k+1}\sigma\Big(\frac1{\sqrt q}W_{k+1}h_k\Big)",
    Tool.DEFINITION,
)
_claim(
    "eq1.flow",
    Source("Section 1", "training", "", 2),
    Q.V_dot,
    "=",
    -Q.L * Q.grad_V,
    "The introduction's gradient flow carries the factor L.",
    r"\frac{dV_k}{dt}(t) = -L\frac{\partial\ell}{\partial V_k}(t)",
    Tool.DEFINITION,
    regimes=("plain-flow",),
)
_claim(
    "eq2.state",
    Source("Section 1", "neural ODE", "(2)", 1),
    Q.H_s,
    "=",
    Q.H_ref,
    "The neural ODE of the introduction is that of (6).",
    r"\frac{dH}{ds}(s) = \frac1{\sqrt m}\mathcal V(s)\sigma\Big(\frac1{\sqrt q}\mathcal W(s)H(s)\Big)",
    Tool.DEFINITION,
    regimes=EULER,
    inputs="along-trajectory",
)
_S3 = Source("Section 3", "initialisation", "", 3)
_claim(
    "section3.isometry",
    _S3,
    AtA,
    "=",
    I_d,
    "The initial A is an isometry: the identity over zeros.",
    r"A^L = (I_{\mathbb R^{d\times d}}, 0_{\mathbb R^{(q-d)\times d}})",
    Tool.DEFINITION,
    hypotheses=(_INIT,),
)
_claim(
    "section3.overlap",
    _S3,
    overlap + 1,
    "=",
    maximum(Q.d + Q.dout - Q.q, 0) + 1,
    "B(0)A(0) has d + d' - q ones, and vanishes iff q >= d + d' (1 is added to both sides, so that 0 = 0 has power).",
    r"B^L = (0_{\mathbb R^{d'\times(q-d')}}, I_{\mathbb R^{d'\times d'}})",
    Tool.DEFINITION,
    hypotheses=(_INIT,),
)
_claim(
    "section3.trivial-ode",
    Source("Section 3", "initialisation as an ODE", "", 4),
    h_start,
    "=",
    Ax_start,
    "Initially every hidden state is the first one: the trivial ODE dH/ds = 0.",
    r"\frac{dH}{ds}(s) = 0",
    Tool.DEFINITION,
    role=Role.STEP,
    hypotheses=(_INIT,),
    premises=("eq3.layer", "eq3.input"),
)
_PI = Source("Section 3", "clip", "(5)", 4)
_CUBE = Condition("π clips each coordinate", clip_cube, "=", sp.Integer(1))
_claim(
    "section3.clip-entries",
    _PI,
    entry,
    "<=",
    clip_radius,
    "Clipping each coordinate at C leaves entries of at most C.",
    r"|\pi(g)|_\infty \le C",
    Tool.DEFINITION,
    regimes=("clipped-flow",),
    hypotheses=(_CUBE,),
    equality=Condition("the clip acts", descent_entry, ">=", clip_radius),
)
_claim(
    "section3.clip-projection",
    _PI,
    clipped_by + clip_radius,
    "=",
    maximum(descent_entry, clip_radius),
    "Clipping each coordinate moves g by its distance to the ball of radius C for the ℓ∞ norm: a projection.",
    r"|g-\pi(g)|_\infty = (|g|_\infty-C)_+",
    Tool.DEFINITION,
    regimes=("clipped-flow",),
    hypotheses=(_CUBE,),
    premises=("eq5.V", "eq5.W"),
)
_claim(
    "section3.clip-lipschitz",
    _PI,
    Q.gap_rate,
    "<=",
    descent_gap,
    "π has Lipschitz constant 1, which the proof of Proposition 7 uses and Section 3 does not say.",
    r"\|\pi(g_{k+1})-\pi(g_k)\| \le \|g_{k+1}-g_k\|",
    Tool.DEFINITION,
    regimes=FLOWS,
    role=Role.HYPOTHESIS,
    edition="explicit",
    equality=Condition("the clip does not act", Q.gap_rate, ">=", descent_gap),
)
_8 = Source("Section 4.1", "interpolation", "(8)", 5)
_claim(
    "eq8.shift",
    _8,
    Q.L * shift,
    "=",
    sp.Integer(1),
    "The interpolation (8) is exactly 1/L off the grid k/L at worst.",
    r"\mathcal Z^L(s,t) = Z^L_{\lfloor(L-1)s\rfloor+1}(t)",
    Tool.DEFINITION,
    edition="explicit",
    inputs="a-priori",
)
_claim(
    "eq8.layers",
    _8,
    layers_seen,
    "=",
    Q.L,
    "The interpolation (8) visits every layer 1..L, the last one at s = 1 alone.",
    r"\lfloor(L-1)s\rfloor+1 \in \{1,\dots,L\}",
    Tool.DEFINITION,
    edition="explicit",
    inputs="a-priori",
)
for _name, _spread, _step in (("V", spread_V, step_V), ("W", spread_W, step_W)):
    _claim(
        f"section4.lipschitz-{_name}",
        Source("Section 4.1", "Lipschitz weights", "", 6),
        _spread,
        "<=",
        lag * _step,
        f"Layers of {_name} are as far apart as the largest successive difference allows: the discrete Lipschitz bound.",
        rf"\|\mathcal {_name}(s',t)-\mathcal {_name}(s,t)\|_F \le K|s'-s|",
        Tool.TRIANGLE,
        role=Role.RESULT,
        equality=Condition("neighbours, or layers as far apart as can be", _spread, ">=", lag * _step),
        premises=("prop3.gap",),
    )
_M = Q.T * Q.M_pi + 2 * sp.sqrt(Q.q * Q.m)
_claim(
    "section4.growth-of-M",
    Source("Section 4.1", "growth of the bounds with T", "(7)", 6),
    _M.subs(Q.T, 2 * Q.T),
    "<=",
    2 * _M,
    "M of (7) is affine in T: doubling T does no more than double it.",
    r"M = TM_\pi+2\sqrt{qm},\quad M(2T) \le 2M(T)",
    Tool.DEFINITION,
    role=Role.STEP,
    edition="corrected",
    inputs="a-priori",
    regimes=("clipped-flow",),
)

differ(
    Difference(
        "d-section3-blow-up",
        Source("Section 3", "training algorithm", "", 4),
        r"\text{without further assumptions, the gradient flow can diverge in finite time}",
        r"\|A(t)-A(0)\|_F^2+\tfrac1L\sum_k\|Z_k(t)-Z_k(0)\|^2+\|B(t)-B(0)\|_F^2 \le t\,\ell(0)",
        "false as printed",
        "(4) has a unique solution for all t >= 0 at every L: clipping is not needed for Proposition 1 nor, with other constants, for "
        "Theorem 4.",
        (
            "The displacement stays below t(ℓ(0) - ℓ(t)) on every instance of the plain flow, large labels included.",
            "Energy identity and Cauchy-Schwarz: |θ(t) - θ(0)| <= ∫|θ'| <= √t (∫|θ'|²)^{1/2} = √(t(ℓ(0) - ℓ(t))), and ℓ >= 0; a maximal "
            "solution that stays bounded is global (Lemma 16).",
        ),
        "depthlimit explain identities.displacement",
    )
)
differ(
    Difference(
        "d-section4-exponentially",
        Source("Section 4.1", "growth of the bounds with T", "(7)", 6),
        r"\text{the bounds } M \text{ and } K \text{ diverge exponentially with } T",
        r"M \text{ is affine in } T;\ K = \beta Te^{\alpha T} \text{ grows faster than any exponential}",
        "misprint without consequence",
        "The argument for early stopping stands: it rests on K.",
        (
            "M(2T) <= 2 M(T) on every clipped instance.",
            "(7): M = T M_π + 2√(qm). α and β of Proposition 7 grow with M like exponentials of K₁ and K₂, hence with T, so ln K is not "
            "O(T).",
        ),
        "depthlimit explain section4.growth-of-M",
    )
)
