r"""The least PL ratio that a search over the ball and over the labels finds.

Definition 1 asks ‖∇ℓ‖² >= μℓ at every point of the ball, and μ of the certificates does not depend on the labels. At fixed parameters the
labels enter through r = F(x) - y alone, ‖∇ℓ‖² = (4/n²) ⟨r, K r⟩ with K the Gram matrix of the weighted gradients of outputs, so that the
worst labels are y = F(x) - v, v the eigenvector of its least eigenvalue, and the ratio is (4/n) λ_min(K). The implementation is asked at
the point that was found, with those labels.
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import averaged, certificate
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.registry import register

for _name, _premise, _mu, _where, _hypotheses in (
    ("pl", "certificate.pl", certificate.mu, certificate.WHERE, certificate.BALL),
    ("averaged-pl", "averaged.pl", averaged.mu, averaged.WHERE["averaged"], averaged.BALL),
    ("spectral-pl", "averaged.spectral-pl", averaged.mu, averaged.WHERE["spectral"], averaged.BALL),
):
    register(
        Claim(
            f"adversary.{_name}",
            Q.worst_gradient2,
            ">=",
            _mu * Q.worst_loss,
            Source("certificate", "Definition 1 under search"),
            ("local-pl",),
            "The PL condition at the point of the ball, and with the labels, where a search finds it nearest to failing.",
            r"\min_{\theta,\,y}\ \|\nabla\ell\|^2/\ell \ge \mu",
            role=Role.RESULT,
            edition="sharpened",
            where=_where,
            hypotheses=_hypotheses,
            needs=frozenset({"lipschitz", "zero-at-zero"}),
            premises=(_premise,),
            tool=Tool.SUPREMUM,
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
