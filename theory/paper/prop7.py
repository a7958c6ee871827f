r"""Proposition 7 (Appendix A.1, pages 15-17) for model (3): weights stay bounded and successive weights O(1/L) apart.

The constants of (18)-(19) for f(h, (V, W)) = V σ(Wh/√q)/√m, with κ = K_σ/√(qm), |h| <= H, |V| <= v, |W| <= w (Frobenius or operator):

    |∂₁f| = |V diag(σ') W|/√(qm)                                          <= κ v w
    |∂₂f (dV, dW)| <= |dV| |σ|/√m + κ v H |dW|,  |σ| <= K_σ w H/√q         <= κ H √(v² + w²) |(dV, dW)|
    |∂₂₂f|: bilinear with blocks VV 0, VW κH, WW b = v S2 H²/(q√m)         <= (b + √(b² + 4κ²H²))/2
    |∂₂₁f (dV, dW, dh)| <= κ w |dV| + (κ v + v w S2 H/(q√m)) |dW|          <= √((κw)² + (κv + vwS2H/(q√m))²)

A priori, v² + w² <= M² gives v w <= M²/2; in the paper's norm |V|_F + |W|_F <= M (Appendix B.3) gives v w <= M²/4. σ need not be bounded.

Where the print is loose: the difference of velocities is written with p_k, p_{k-1} against Z_{k+1}, Z_k, an index early (harmless: the
bound on p holds for all k); the step from (5) to gradients uses that π is 1-Lipschitz, which is not among the hypotheses (true of all
three clips here); and the Euclidean operator norms of A.1 do not fit the sum norm that B.3 puts on Z. The edition `corrected` is Euclidean
throughout.
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.quantity import maximum
from depthlimit.theory.registry import register

_S = sp.Symbol
M, K1, K2, K, Kp, E_h, alpha, beta = (_S(s, nonnegative=True) for s in ("M", "K_1", "K_2", "K", "K'", "H_E", "alpha", "beta"))
kappa, K21, K22 = (_S(s, nonnegative=True) for s in ("kappa", "K'_21", "K'_22"))
SMOOTH = frozenset({"C2", "lipschitz", "zero-at-zero"})
FLOWS = ("plain-flow", "clipped-flow")


def curvature(v: sp.Expr, w: sp.Expr, H: sp.Expr) -> tuple[sp.Expr, sp.Expr]:
    """Bounds on |∂₂₂f| and |∂₂₁f| for |V| <= v, |W| <= w, |h| <= H."""
    b = v * Q.S2 * H**2 / (Q.q * sp.sqrt(Q.m))
    c = v * w * Q.S2 * H / (Q.q * sp.sqrt(Q.m))
    d22 = (b + sp.sqrt(b**2 + 4 * kappa**2 * H**2)) / 2
    d21 = sp.sqrt((kappa * w) ** 2 + (kappa * v + c) ** 2)
    return d22, d21


def a_priori(initial: sp.Expr, supremum: sp.Expr, product: sp.Expr) -> dict[sp.Symbol, sp.Expr]:
    """The constants of Proposition 7 over its a-priori ball; `product` bounds v w/M² there."""
    b = M * Q.S2 * E_h**2 / (Q.q * sp.sqrt(Q.m))
    return {
        M: initial + Q.T * supremum,
        kappa: Q.K_sigma / sp.sqrt(Q.q * Q.m),
        K1: kappa * product * M**2,
        E_h: sp.exp(K1) * M * Q.M_X,
        K2: kappa * M * E_h,
        K: maximum(K1, K2),
        K22: b + kappa * E_h,
        K21: kappa * M + product * M**2 * Q.S2 * E_h / (Q.q * sp.sqrt(Q.m)),
        Kp: maximum(K22, K21),
        alpha: 2 * sp.exp(K) * Kp * M * (sp.exp(K) * M**2 * Q.M_X + Q.M_Y),
        beta: 2 * K * sp.exp(K) * M * (K + sp.exp(K) * Kp * M * Q.M_X) * (sp.exp(K) * M**2 * Q.M_X + Q.M_Y),
    }


PRINTED_CONSTANTS = a_priori(Q.M0_sum, Q.M_pi, sp.Rational(1, 4))
_P7 = "Proposition 7"
_TEX_GAP = r"\|Z_{k+1}^L(t)-Z_k^L(t)\| \le \Big(\|Z_{k+1}^L(0)-Z_k^L(0)\| + \frac{\beta T}{L}\Big) e^{\alpha T}"
_LIPSCHITZ_CLIP = "π is 1-Lipschitz (used, not stated; true of the coordinate, radial and smooth clips)"

for _name, _norm, _tex in (
    ("A", Q.A_norm, r"\|A^L(t)\|_F \le M"),
    ("Z", Q.Z_norm, r"\|Z_k^L(t)\| \le M"),
    ("B", Q.B_norm, r"\|B^L(t)\|_F \le M"),
):
    register(
        Claim(
            f"prop7.norm-{_name}",
            _norm,
            "<=",
            M,
            Source(_P7, "bounded weights", "(17)", 15),
            ("clipped-flow",),
            f"The clipped flow keeps {_name} within M = M₀ + T M_π.",
            _tex,
            where={M: PRINTED_CONSTANTS[M]},
            equality=Condition("the clip is saturated all the way, along the weights", _norm, "=", M),
            tool=Tool.TRIANGLE,
        )
    )
register(
    Claim(
        "prop7.speed",
        Q.Z_speed,
        "<=",
        Q.M_pi_Z,
        Source(_P7, "proof", "", 16),
        ("clipped-flow",),
        "No layer moves faster than the clip allows; a saturated clip attains it.",
        r"\Big\|\frac{dZ_k^L}{dt}(t)\Big\| \le \max_Z\|\pi(Z)\|",
        role=Role.STEP,
        inputs="instantaneous",
        equality=Condition("the clip is saturated", Q.Z_speed, ">=", Q.M_pi_Z),
        premises=("eq5.V", "eq5.W"),
        tool=Tool.SUPREMUM,
    )
)
register(
    Claim(
        "prop7.gap",
        Q.gap_sum,
        "<=",
        (Q.gap0_sum + beta * Q.T / Q.L) * sp.exp(alpha * Q.T),
        Source(_P7, "successive weights", "", 16),
        ("clipped-flow",),
        "Successive weights stay O(1/L) apart: the printed constants, in the norm of Appendix B.3.",
        _TEX_GAP,
        where=PRINTED_CONSTANTS,
        needs=SMOOTH,
        premises=("prop7.norm-A", "prop7.norm-Z", "prop7.norm-B"),
        equality=Condition("inputs and labels are 0: nothing moves", Q.M_X + Q.M_Y, "=", sp.Integer(0), trivial=True),
        tool=Tool.GRONWALL,
        scale="log10log10",
        note=f"{_LIPSCHITZ_CLIP}. K₁, K₂, K' are replaced by upper bounds for model (3), see the module.",
    )
)

_run = {
    kappa: Q.K_sigma / sp.sqrt(Q.q * Q.m),
    K1: kappa * Q.v_sup * Q.w_sup,
    K2: kappa * Q.h_sup * sp.sqrt(Q.v_sup**2 + Q.w_sup**2),
    K22: curvature(Q.v_sup, Q.w_sup, Q.h_sup)[0],
    K21: curvature(Q.v_sup, Q.w_sup, Q.h_sup)[1],
}
_printed_run = {
    **_run,
    K: maximum(K1, K2),
    Kp: maximum(K22, K21),
    alpha: Q.p_sup * Kp,
    beta: Q.p_sup * (K**2 + Kp * K * Q.h_sup),
}
_sharp_run = {**_run, alpha: Q.p_sup * K22, beta: Q.p_sup * (K1 * K2 + K21 * K1 * Q.h_sup)}
_pair = {
    kappa: Q.K_sigma / sp.sqrt(Q.q * Q.m),
    K1: kappa * Q.v_pair * Q.w_pair,
    K2: kappa * Q.h_pair * sp.sqrt(Q.v_pair**2 + Q.w_pair**2),
    K22: curvature(Q.v_pair, Q.w_pair, Q.h_pair)[0],
    K21: curvature(Q.v_pair, Q.w_pair, Q.h_pair)[1],
}
_printed_pair = {
    **_pair,
    K: maximum(K1, K2),
    Kp: maximum(K22, K21),
    alpha: Q.p_pair * Kp,
    beta: Q.p_pair * (K**2 + Kp * K * Q.h_pair),
}
_sharp_pair = {**_pair, alpha: Q.p_pair * K22, beta: Q.p_pair * (K1 * K2 + K21 * K1 * Q.h_pair)}
_TEX_RATE = r"\Big\|\frac{dZ_k^L}{dt}(t)-\frac{dZ_{k+1}^L}{dt}(t)\Big\| \le \alpha\|Z_k^L(t)-Z_{k+1}^L(t)\| + \frac{\beta}{L}"

for _edition, _instant, _along in (("as-printed", _printed_pair, _printed_run), ("sharpened", _sharp_pair, _sharp_run)):
    register(
        Claim(
            "prop7.gap-rate",
            Q.gap_rate,
            "<=",
            alpha * Q.gap_here + beta / Q.L,
            Source(_P7, "proof, before Grönwall", "", 17),
            FLOWS,
            "The differential inequality before Grönwall, every constant at this time and layer"
            + ("; one constant for each derivative instead of K and K'." if _edition == "sharpened" else "."),
            _TEX_RATE,
            role=Role.STEP,
            edition=_edition,
            inputs="instantaneous",
            where=_instant,
            needs=SMOOTH,
            equality=Condition("nothing moves", Q.gap_rate, "=", sp.Integer(0), trivial=True),
            premises=("eq15.V", "eq15.W"),
            tool=Tool.TRIANGLE,
            note=_LIPSCHITZ_CLIP,
        )
    )
    register(
        Claim(
            "prop7.gap",
            Q.gap,
            "<=",
            (Q.gap0 + beta * Q.t / Q.L) * sp.exp(alpha * Q.t),
            Source(_P7, "successive weights", "", 16),
            FLOWS,
            "Successive weights with the suprema taken along this run, Euclidean norm"
            + ("; one constant for each derivative." if _edition == "sharpened" else "."),
            _TEX_GAP,
            edition=_edition,
            inputs="along-trajectory",
            where=_along,
            needs=SMOOTH,
            equality=Condition("nothing has moved", Q.displacement2, "=", sp.Integer(0), trivial=True),
            premises=("prop7.gap-rate",),
            tool=Tool.GRONWALL,
            note=_LIPSCHITZ_CLIP,
        )
    )
