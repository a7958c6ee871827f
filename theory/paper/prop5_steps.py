r"""Proof of Proposition 5, pages 32 and 33: Lemma 18 where it is applied, (47) to (52), line by line at points of a ball.

Under (48) alone a layer may shrink the adjoint by the factor 1 - a/L, a = 2√2 K_σ, and all L of them by (1 - a/L)^L, which is less than
the e^{-a} that page 33 prints: V = -e₂e₁ᵀ and W = w e₁e₂ᵀ with the error along e₂ do it. The lower bounds (51) and (52) are false there
with it. In the ball of Definition 1 |V_k| is at most M and not 1, so that they hold, and with them c₄.
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import prop5_setting as P
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.quantity import minimum
from depthlimit.theory.registry import register

REGIME = "pl-ball"
ALIGNED = Condition("unmoved, or moved along the singular vectors: within the radii", P.at_S_drift, ">=", sp.Integer(0))
_UNMOVED_B = Condition("B is shortened", P.dist_B, "=", 1 - P.at_B_min)
_STILL = Condition("V = 0", P.at_V, "<=", sp.Integer(0), trivial=True)
_ONE = Condition("one output, or rows of B of equal length", (Q.dout - 1) * P.at_B, "=", (Q.dout - 1) * P.at_B_min)


def line(label: str, lhs: sp.Expr, relation: str, rhs: sp.Expr, meaning: str, tex: str, page: int, **more: Any) -> Claim:
    """Register a line of B.5 at points of a ball; `eq` is its number and `part` where it stands, if not in the proof."""
    settings: dict[str, Any] = {"role": Role.STEP, "needs": P.NEEDS, "tool": Tool.SUPREMUM, "inputs": "instantaneous", **more}
    part, equation = settings.pop("part", "proof"), settings.pop("eq", "")
    item = settings.pop("item", "Proposition 5")
    place = None if settings.get("edition", "as-printed") in ("explicit", "sharpened") and page == 0 else page
    conditions = settings.get("hypotheses", ())
    settings["where"] = P.used(lhs, rhs, *(side for c in conditions for side in (c.lhs, c.rhs)))
    return register(Claim(label, lhs, relation, rhs, Source(item, part, equation, place), (REGIME,), meaning, tex, **settings))


# --- Lemma 18 (page 37) on the matrices to which the proof applies it: Aᵀ = B, B = R = Bh_L - y, and A = p_{k+1}, B = S_{k+1}ᵀ
_18: dict[str, Any] = {"item": "Lemma 18", "role": Role.LEMMA, "tool": Tool.PERTURBATION, "inputs": "instantaneous"}
_PROOF = {**_18, "role": Role.STEP}
line("lemma18.loyka", P.at_s + P.at_S_drift2, ">=", Q.s0, "Singular values move by at most the operator norm of the change.",
     r"s_{\min}(A+A') \ge s_{\min}(A)-s_{\max}(A')", 37, equality=ALIGNED, **_PROOF)  # fmt: skip
line("lemma18.operator", P.at_S_drift_max, "=", Q.S0, "The largest singular value of A' is the operator norm of A.",
     r"s_{\max}(A') = \|A\|_2", 37, expect="prop5-adjoint-witness", note="A' for A: the perturbation is meant.", **_PROOF)  # fmt: skip
line("lemma18.operator", P.at_S_drift_max, "=", P.at_S_drift2, "The largest singular value of A' is its operator norm.",
     r"s_{\max}(A') = \|A'\|_2", 37, edition="corrected", **_PROOF)  # fmt: skip
line("lemma18.frobenius", P.at_S_drift2, "<=", P.at_S_drift, "The operator norm is at most the Frobenius norm.",
     r"\|A'\|_2 \le \|A'\|_F", 37, equality=Condition("a change of rank one", P.at_S_drift, "=", P.at_S_drift2), **_PROOF)  # fmt: skip
line("lemma18.perturbation", P.at_s + P.at_S_drift, ">=", Q.s0, "Singular values move by at most the Frobenius norm of the change.",
     r"s_{\min}(A+A') \ge s_{\min}(A)-\|A'\|_F", 37, part="statement", premises=("lemma18.loyka", "lemma18.frobenius"),
     equality=ALIGNED, **_18)  # fmt: skip
line("lemma18.trace", P.at_pulled**2, "=", P.at_trace, "The trace is cyclic.",
     r"\|AB\|_F^2 = \mathrm{Tr}(ABB^\top A^\top) = \mathrm{Tr}(BB^\top A^\top A)", 37, **_PROOF)  # fmt: skip
line("lemma18.eigenvalue", P.at_trace, ">=", P.at_BB_min * P.at_residual**2, "The trace is at least an eigenvalue times the other.",
     r"\mathrm{Tr}(BB^\top A^\top A) \ge \lambda_{\min}(A^\top A)\mathrm{Tr}(BB^\top) = \lambda_{\min}(A^\top A)\|B\|_F^2", 37,
     equality=_ONE, premises=("lemma18.trace",), **_PROOF)  # fmt: skip
line("lemma18.square", P.at_BB_min * P.at_residual**2, "=", P.at_B_min * P.at_residual, "The right side of the proof is that of the lemma.",
     r"\lambda_{\min}(A^\top A)\|B\|_F^2 = s_{\min}(A)\|B\|_F", 37, expect="prop5-adjoint-witness",
     note="Both squares are missing; the lemma follows with them.", premises=("lemma18.eigenvalue",), **_PROOF)  # fmt: skip
line("lemma18.square", P.at_BB_min * P.at_residual**2, "=", P.at_B_min**2 * P.at_residual**2,
     "The right side of the proof is the square of that of the lemma.",
     r"\lambda_{\min}(A^\top A)\|B\|_F^2 = s_{\min}(A)^2\|B\|_F^2", 37, edition="corrected", **_PROOF)  # fmt: skip
line("lemma18.left", P.at_pulled, ">=", P.at_B_min * P.at_residual, "A tall matrix shrinks by at most its smallest singular value.",
     r"\|AB\|_F \ge s_{\min}(A)\|B\|_F", 37, part="statement", equality=_ONE, premises=("lemma18.eigenvalue", "lemma18.square"),
     hypotheses=(Condition("q >= d'", Q.q, ">=", Q.dout),), **_18)  # fmt: skip
line("lemma18.right", P.at_pS, ">=", P.at_p_next * P.at_s, "A wide matrix from the right shrinks by at most its smallest singular value.",
     r"\|AB\|_F \ge \|A\|_F s_{\min}(B)", 37, part="statement", hypotheses=P.WIDE, premises=("lemma18.left",),
     equality=Condition("one sample", Q.n, "=", sp.Integer(1)), **_18)  # fmt: skip

# --- page 32
line("prop5.radius", P.M, "=", minimum(P.eta / (32 * Q.K_sigma * sp.sqrt(2 * Q.n * Q.q)), P.half),
     "The radius of page 32 is that of the statement: in neither minimum is ½ ever the smaller.",
     r"M = \min\Big(\frac{\eta_r(\sigma)}{32K_\sigma\sqrt{2nq}}, \frac12\Big) = \frac{c_3}{\sqrt{nq}}", 32,
     inputs="a-priori", tool=Tool.DEFINITION)  # fmt: skip
line("prop5.eta-bound", sp.sqrt(P.r) * P.eta, "<=", Q.K_sigma, "A Hermite coefficient is at most the Lipschitz constant over √r.",
     r"\sqrt r|\eta_r(\sigma)| \le K_\sigma", 0, edition="explicit", inputs="a-priori", part="the constants",
     note="r η_r² <= Σ_j j η_j² = E|σ'(N)|² <= K_σ². So c_1 >= 1024 r, and ½ and 1 in c_3, M and c_1 never act.")  # fmt: skip
line("prop5.half", P.M, "<=", P.half, "The radius is at most ½.", r"M \le \frac12 \le \sqrt{2qm}", 32, inputs="a-priori", eq="(47)")
for _name, _lhs, _rhs, _tex in (
    ("A", P.dist_A, P.M, r"\|A-\bar A\|_F \le M"),
    ("B", P.dist_B, P.half, r"\|B-\bar B\|_F \le \frac12"),
    ("V", P.at_V, sp.Integer(1), r"\|V_k\|_F \le 1"),
    ("W", P.dist_W, P.half, r"\|W_k-\bar W\|_F \le \frac12 \le \sqrt{2qm}"),
):
    line(f"prop5.near-{_name}", _lhs, "<=", _rhs, f"The distance of {_name} from the centre, in the ball of Definition 1.", _tex, 32,
         eq="(47)", hypotheses=P.ball(P.M), note="k in {1, ..., n} is printed for k in {1, ..., L}.")  # fmt: skip
line("prop5.layer", P.at_h_next, "=", P.at_layer, "A layer in matrix notation.",
     r"h_{k+1} = h_k+\frac1{L\sqrt m}V_{k+1}\sigma\Big(\frac1{\sqrt q}W_{k+1}h_k\Big)", 32, eq="(46)", tool=Tool.DEFINITION)  # fmt: skip
line("prop5.loss", Q.ball_loss, "=", P.at_residual**2 / Q.n, "The loss in matrix notation.", r"\ell = \frac1n\|Bh_L-y\|_F^2", 32,
     tool=Tool.DEFINITION)  # fmt: skip

# --- page 33
line("prop5.smin-B", P.at_B_min + P.dist_B, ">=", sp.Integer(1), "B̄ has orthonormal rows.",
     r"s_{\min}(B) \ge s_{\min}(\bar B)-\|B-\bar B\|_F = 1-\|B-\bar B\|_F", 33, premises=("lemma18.perturbation",),
     equality=_UNMOVED_B)  # fmt: skip
for _name, _lhs, _relation, _rhs, _tex in (
    ("norm-A", P.at_A, "<=", sp.Integer(2), r"\|A\|_2 \le 2"),
    ("smin-half", P.at_B_min, ">=", P.half, r"s_{\min}(B) \ge \frac12"),
    ("norm-B", P.at_B, "<=", sp.Rational(3, 2), r"\|B\|_2 \le \frac32"),
    ("norm-W", P.at_W, "<=", 2 * sp.sqrt(2 * Q.q * Q.m), r"\|W_k\|_F \le 2\sqrt{2qm}"),
):
    line(f"prop5.{_name}", _lhs, _relation, _rhs, "One of the bounds (48), from (47) and the event of Lemma 20.", _tex, 33, eq="(48)",
         hypotheses=(*P.EVENT_W, *P.LINE_47), tool=Tool.TRIANGLE,
         premises=("prop5.event", "prop5.smin-B") if _name == "smin-half" else ("prop5.event",))  # fmt: skip
_48, _FULL = P.LINE_48, (*P.LINE_48, *P.DATA)
_SPREAD = Q.K_sigma / (Q.L * sp.sqrt(Q.m) * sp.sqrt(Q.q)) * P.at_V * P.at_W
line("prop5.h0-norm", P.at_h0, "<=", P.at_A * Q.XF, "The first hidden states.", r"\|h_0\|_F = \|Ax\|_F \le \|A\|_2\|x\|_F", 33, eq="(49)",
     equality=Condition("A multiplies the data by its norm", P.at_h0, "=", P.at_A * Q.XF))  # fmt: skip
line("prop5.h0-bound", P.at_A * Q.XF, "<=", 2 * P.root_nq, "The first hidden states are bounded.",
     r"\|A\|_2\|x\|_F \le 2\sqrt{qn}", 33, eq="(49)", hypotheses=_FULL)  # fmt: skip
line("prop5.h-growth", P.at_h_next, "<=", P.at_h + _SPREAD * P.at_h, "Hidden states grow by what the branch adds.",
     r"\|h_{k+1}\|_F \le \|h_k\|_F+\frac{K_\sigma}{L\sqrt m\sqrt q}\|V_{k+1}\|_F\|W_{k+1}\|_F\|h_k\|_F", 33, tool=Tool.TRIANGLE,
     equality=_STILL)  # fmt: skip
line("prop5.h-step", P.at_h_next, "<=", (1 + P.a / Q.L) * P.at_h, "Hidden states grow by a factor per layer.",
     r"\|h_{k+1}\|_F \le \Big(1+\frac{2\sqrt2K_\sigma}L\Big)\|h_k\|_F", 33, hypotheses=_48, premises=("prop5.h-growth",))  # fmt: skip
line("prop5.h-power", P.at_h_next, "<=", sp.exp(P.a) * P.at_h0, "Hidden states stay within e^{2√2K_σ} of the first.",
     r"\|h_k\|_F \le \exp(2\sqrt2K_\sigma)\|h_0\|_F", 33, eq="(50)", hypotheses=_48, premises=("prop5.h-step",),
     tool=Tool.DISCRETE_GRONWALL)  # fmt: skip
line("prop5.h-bound", P.at_h_next, "<=", 2 * sp.exp(P.a) * P.root_nq, "Hidden states are bounded.",
     r"\|h_k\|_F \le 2\exp(2\sqrt2K_\sigma)\sqrt{qn}", 33, eq="(50)", hypotheses=_FULL,
     premises=("prop5.h-power", "prop5.h0-bound"))  # fmt: skip
line("prop5.p-growth", P.at_p + _SPREAD * P.at_p_next, ">=", P.at_p_next, "The adjoint shrinks by at most what a layer can take.",
     r"\|p_k\|_F \ge \|p_{k+1}\|_F-\frac{K_\sigma}{L\sqrt{qm}}\|W_{k+1}\|_F\|V_{k+1}\|_F\|p_{k+1}\|_F", 33, tool=Tool.TRIANGLE,
     equality=_STILL)  # fmt: skip
line("prop5.p-step", P.at_p + P.a / Q.L * P.at_p_next, ">=", P.at_p_next, "The adjoint shrinks by at most a factor per layer.",
     r"\|p_k\|_F \ge \Big(1-\frac{2\sqrt2K_\sigma}L\Big)\|p_{k+1}\|_F", 33, hypotheses=_48, premises=("prop5.p-growth",))  # fmt: skip
SHRUNK = sp.exp(Q.L * sp.log(1 - P.a / Q.L))  # (1 - a/L)^L
_FACTOR = r"\Big(1-\frac{2\sqrt2K_\sigma}L\Big)^L"
_E = r"\exp(-2\sqrt2K_\sigma)"
_WRONG = "(1 - a/L)^L < e^{-a} for 0 < a < L: from factors 1 - a/L follows the smaller bound, and a < L is needed too."


def _three(label: str, lhs: sp.Expr, rhs: sp.Expr, meaning: str, tex: str, *, extra: tuple[Condition, ...] = (), **more: Any) -> None:
    """A lower bound with e^{-a}: under (48) it is refuted, (1 - a/L)^L holds there, and e^{-a} in the ball of Definition 1."""
    common: dict[str, Any] = {"tool": Tool.DISCRETE_GRONWALL, **more}
    line(label, lhs, ">=", sp.exp(-P.a) * rhs, meaning, tex.replace("FACTOR", _E), 33, hypotheses=(*_48, *extra),
         expect="prop5-adjoint-witness", note=_WRONG, **common)  # fmt: skip
    line(label, lhs, ">=", SHRUNK * rhs, meaning, tex.replace("FACTOR", _FACTOR), 33, edition="corrected",
         hypotheses=(*P.SHALLOW, *_48, *extra), **common)  # fmt: skip
    line(label, lhs, ">=", sp.exp(-P.a) * rhs, meaning[:-1] + ", in the ball of Proposition 5.", tex.replace("FACTOR", _E), 33,
         edition="explicit", hypotheses=(*P.PRINTED, *extra),
         note="There a layer takes at most K_σM(√2 + M/√(qm))/L, less than 1/(32L).", **common)  # fmt: skip


_three("prop5.p-power", P.at_p, P.at_p_last, "The adjoint cannot shrink further than that.",
       r"\|p_k\|_F \ge FACTOR\|p_L\|_F", premises=("prop5.p-step",))  # fmt: skip
line("prop5.p-last", P.at_p_last, "=", 2 / Q.n * P.at_pulled, "The last adjoint state.",
     r"p_L = \frac{\partial\ell}{\partial h_L} = \frac2nB^\top(Bh_L-y)", 33, tool=Tool.CHAIN_RULE)  # fmt: skip
line("prop5.p-last-lower", P.at_p_last, ">=", 2 / Q.n * P.at_B_min * P.at_residual, "The last adjoint state from below.",
     r"\|p_L\|_F \ge \frac2ns_{\min}(B)\|Bh_L-y\|_F", 33, premises=("prop5.p-last", "lemma18.left"), equality=_ONE)  # fmt: skip
line("prop5.p-last-loss", P.at_p_last, ">=", sp.sqrt(Q.ball_loss / Q.n), "The last adjoint state cannot vanish while the loss does not.",
     r"\|p_L\|_F \ge \frac1{\sqrt n}\sqrt\ell", 33, hypotheses=_48, premises=("prop5.p-last-lower",),
     equality=Condition("s_min(B) = ½ and one output", P.at_B_min * Q.dout, "=", P.half))  # fmt: skip
_three("prop5.p-lower", P.at_p, sp.sqrt(Q.ball_loss / Q.n), "No adjoint state can vanish while the loss does not.",
       r"\|p_k\|_F \ge \frac1{\sqrt n}FACTOR\sqrt\ell", eq="(51)", premises=("prop5.p-power", "prop5.p-last-loss"))  # fmt: skip
line("prop5.p-upper", P.at_p, "<=", 3 * sp.exp(P.a) * sp.sqrt(Q.ball_loss / Q.n), "Adjoint states are bounded by the loss.",
     r"\|p_k\|_F \le \frac3{\sqrt n}\exp(2\sqrt2K_\sigma)\sqrt\ell", 33, hypotheses=_48, tool=Tool.DISCRETE_GRONWALL)  # fmt: skip
line("prop5.grad-V", P.at_grad_V, "=", P.at_pS / (Q.L * sp.sqrt(Q.m)), "The gradient in V.",
     r"\frac{\partial\ell}{\partial V_{k+1}} = \frac1{L\sqrt m}p_{k+1}\sigma\Big(\frac1{\sqrt q}W_{k+1}h_k\Big)^\top", 33,
     tool=Tool.CHAIN_RULE)  # fmt: skip
line("prop5.grad-V-lower", P.at_grad_V, ">=", P.at_p_next * P.at_s / (Q.L * sp.sqrt(Q.m)), "The gradient in V from below.",
     r"\Big\|\frac{\partial\ell}{\partial V_{k+1}}\Big\|_F \ge"
     r" \frac1{L\sqrt m}\|p_{k+1}\|_F\,s_{\min}\Big(\sigma\Big(\frac1{\sqrt q}W_{k+1}h_k\Big)\Big)", 33,
     eq="(52)", hypotheses=P.WIDE, premises=("prop5.grad-V", "lemma18.right"), tool=Tool.PERTURBATION,
     equality=Condition("one sample", Q.n, "=", sp.Integer(1)))  # fmt: skip
_three("prop5.grad-V-loss", P.at_grad_V, P.at_s * sp.sqrt(Q.ball_loss / (Q.m * Q.n)) / Q.L,
       "The gradient in V cannot vanish while the loss does not.",
       r"\Big\|\frac{\partial\ell}{\partial V_{k+1}}\Big\|_F \ge"
       r" \frac1{L\sqrt{mn}}FACTOR\sqrt\ell\,s_{\min}\Big(\sigma\Big(\frac1{\sqrt q}W_{k+1}h_k\Big)\Big)",
       extra=P.WIDE, eq="(52)", premises=("prop5.grad-V-lower", "prop5.p-lower"))  # fmt: skip
