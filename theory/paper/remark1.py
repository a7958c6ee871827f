r"""Remark 1 (page 17): scenarios in which weights do not blow up, so that no clip is needed.

The first is the PL condition, Proposition 8. The second is momentum, "because the gradient updates in the momentum case are bounded by
construction". For θ'' + θ' = -D∇ℓ, D the factors 1, L and 1 of (4), from rest, in the norm with weight 1/L on Z,

    d/dt (|θ'|²/2 + ℓ) = <θ', θ''> + <∇ℓ, θ'> = -|θ'|²,   hence   |θ'(t)|² <= 2ℓ(0)   and   |θ(t) - θ(0)| <= t √(2ℓ(0)):

at any depth weights exist for all times. For one layer it gives |Z_k'| <= √(2Lℓ(0)), which is not independent of L as M_π is; the plain
flow has the same, |θ(t) - θ(0)|² <= t ℓ(0) (`identities.displacement`).
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.general import measured
from depthlimit.theory.paper.prop7 import SMOOTH
from depthlimit.theory.paper.prop8 import REGIMES
from depthlimit.theory.registry import register

momentum_speed2 = measured(
    "momentum_speed2", r"\|\dot\theta\|^2", "BT", "squared speed of the flow with momentum, weight 1/L on Z", local=False
)
momentum_loss = measured("momentum_loss", r"\ell(t)", "BT", "loss along the flow with momentum", local=False)
momentum_spent = measured("momentum_spent", r"\int_0^t\|\dot\theta\|^2d\tau", "BT", "what its friction has taken", local=False)
_REST = Condition("t = 0", Q.t, "=", sp.Integer(0), trivial=True)
for _label, _lhs, _relation, _rhs, _tex, _meaning, _premises, _role in (
    (
        "energy",
        Q.loss0,
        "=",
        momentum_loss + momentum_speed2 / 2 + momentum_spent,
        r"\ell(0) = \ell(t) + \frac12\|\dot\theta(t)\|^2 + \int_0^t\|\dot\theta\|^2d\tau",
        "Where the loss goes along the gradient flow with momentum and friction 1.",
        ("eq5.general-A", "eq5.general-Z", "eq5.general-B"),
        Role.IDENTITY,
    ),
    (
        "bounded",
        momentum_speed2,
        "<=",
        2 * Q.loss0,
        r"\|\dot\theta(t)\| \le \sqrt{2\ell(0)}",
        "Updates with momentum are bounded by construction, all layers together.",
        ("remark1.energy",),
        Role.RESULT,
    ),
):
    register(
        Claim(
            f"remark1.{_label}",
            _lhs,
            _relation,
            _rhs,
            Source("Remark 1", "gradient flow with momentum", "", 17),
            REGIMES,
            _meaning,
            _tex,
            role=_role,
            edition="explicit",
            inputs="along-trajectory" if _relation == "=" else "a-priori",
            needs=SMOOTH,
            equality=_REST if _relation == "<=" else None,
            premises=_premises,
            tool=Tool.CHAIN_RULE if _relation == "=" else Tool.NONE,
            note=""
            if _relation == "="
            else "The paper says so in words. One layer may move √L times as fast: a bound by M_π does not depend on L.",
        )
    )
