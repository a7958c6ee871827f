r"""The conservation law layer by layer, at every state of the plain flow (any σ, depth and data).

With p the q x n matrix ∂ℓ/∂h: V_k' = -p_k S_kᵀ/√m and V_kS_k/√m = L(h_k - h_{k-1}) give V_k'V_kᵀ = -L p_k (h_k - h_{k-1})ᵀ. Likewise W_k'
= -((V_kᵀp_k) ⊙ σ') h_{k-1}ᵀ/√(qm) and W_kᵀ((V_kᵀp_k) ⊙ σ')/√(qm) = L(p_{k-1} - p_k), by (13), give W_kᵀW_k' = -L(p_{k-1} - p_k) h_{k-1}ᵀ.
The difference telescopes over k. At the ends A' = -p_0 xᵀ, h_0 = Ax, and B' = -(2/n)(F - y)h_Lᵀ, p_L = (2/n)Bᵀ(F - y). Summed, these are
the balance of `identities.balance`; one by one they hold the adjoint (13) against the states (3) at every layer.
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.registry import quantity, register

_LAYERS, _WHOLE = ("batch", "time", "layer", "component"), ("batch", "time", "component")
_ENDS = (Condition("A and B are trained too", Q.trained_ends, "=", sp.Integer(1)),)

for _name, _axes, _lhs, _rhs, _about in (
    ("layer", _LAYERS, r"\dot V_kV_k^\top-W_k^\top\dot W_k", r"-L(p_kh_k^\top-p_{k-1}h_{k-1}^\top)", "of layer k"),
    ("embedding", _WHOLE, r"\dot AA^\top", r"-p_0h_0^\top", "of the embedding A"),
    ("readout", _WHOLE, r"B^\top\dot B", r"-p_Lh_L^\top", "of the readout B"),
):
    register(
        Claim(
            f"identities.balance-{_name}",
            quantity(f"{_name}_balance", _lhs, _axes, f"what the conserved matrix gains by the motion {_about}").symbol,
            "=",
            quantity(f"{_name}_flux", _rhs, _axes, f"the flux of states against adjoints {_about}, p = ∂ℓ/∂h with its 1/n").symbol,
            Source("identities", "derived from (3), (4) and (13)"),
            ("plain-flow",),
            f"The share {_about} in the conservation law is a difference of fluxes p hᵀ.",
            f"{_lhs} = {_rhs}",
            role=Role.IDENTITY,
            edition="sharpened",
            inputs="instantaneous",
            hypotheses=() if _name == "layer" else _ENDS,
            premises=("eq4.V", "eq4.W", "eq13.layer") if _name == "layer" else ("eq4.A", "eq4.B"),
            tool=Tool.CHAIN_RULE,
        )
    )
