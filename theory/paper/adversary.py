r"""The least PL ratio that a search over the ball and over the labels finds.

Definition 1 asks ‖∇ℓ‖² >= μℓ at every point of the ball, and μ of the certificates does not depend on the labels. At fixed parameters the
labels enter through r = F(x) - y alone, ‖∇ℓ‖² = (4/n²) ⟨r, K r⟩ with K the Gram matrix of the weighted gradients of outputs, so that the
worst labels are y = F(x) - v, v the eigenvector of its least eigenvalue, and the ratio is (4/n) λ_min(K). The implementation is asked at
the point that was found, with those labels; so it is for the balls and the constants of Proposition 5, as printed and in other editions.
"""

from __future__ import annotations

from dataclasses import replace

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.registry import claims, quantity, register

_SEARCHED = {
    "certificate.pl": "pl",
    "averaged.pl": "averaged-pl",
    "averaged.spectral-pl": "spectral-pl",
    "averaged.stacked-pl": "stacked-pl",
    "prop5.pl": "prop5",
    "prop5.sharp-pl": "prop5-sharp",
}
for _claim in claims(*_SEARCHED):
    register(
        replace(
            _claim,
            label=f"adversary.{_SEARCHED[_claim.label]}",
            lhs=Q.worst_gradient2,
            rhs=_claim.rhs.xreplace({Q.ball_loss: Q.worst_loss}),
            meaning="The PL condition at the point of the ball, and with the labels, where a search finds it nearest to failing.",
            premises=(_claim.label,),
            tool=Tool.SUPREMUM,
        )
    )
sum_gradient2 = quantity(
    "sum_gradient2",
    r"\|\partial_A\ell\|_F^2+L\sum_k(\|\partial_{V_k}\ell\|_F+\|\partial_{W_k}\ell\|_F)^2+\|\partial_B\ell\|_F^2",
    (Q.B_, Q.T_),
    "the left side of Definition 1 with the sum of the norms of V and W, over the blocks that are trained",
).symbol
register(
    Claim(
        "adversary.sum-norm",
        2 * Q.descent_rate,
        ">=",
        sum_gradient2,
        Source("certificate", "Definition 1 in the sum norm"),
        ("plain-flow", "local-pl"),
        "A PL condition with μ in the norm |V|_F + |W|_F on Z gives the rate μ/2 and no more: the flow descends in the Euclidean norm.",
        r"-2\frac{d\ell}{dt} \ge \|\nabla\ell\|_{\mathrm{sum}}^2",
        edition="explicit",
        inputs="instantaneous",
        premises=("identities.energy-rate",),
        tool=Tool.CAUCHY_SCHWARZ,
    )
)
register(
    Claim(
        "adversary.leaves",
        Q.ball_left,
        ">=",
        sp.Integer(1),
        Source("certificate", "negative control: large labels"),
        ("local-pl",),
        "With labels a hundred times as large as those that a certificate admits the flow leaves its ball: the bounds on its way can fail.",
        r"\max_{j,t}\|\theta_j(t)-\theta_j(0)\| \ge R_j",
        role=Role.CONTROL,
        edition="sharpened",
        hypotheses=(Condition("labels a hundred times those that are admitted", Q.label_excess, ">=", sp.Integer(100)),),
        needs=frozenset({"lipschitz", "zero-at-zero"}),
    )
)
