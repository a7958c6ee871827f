r"""Section 4.3 (page 7) and the initialisation of Appendix A (page 15): smooth initialisations, as discretisations of Lipschitz functions.

V_k(0) = 𝒱_0(k/L) and W_k(0) = 𝒲_0(k/L), k = 1..L, so ‖V_{k+1}(0) - V_k(0)‖_F <= Lip(𝒱_0)/L. The example is a Gaussian process
with covariance exp(-(s - s')²/(2ℓ²)): here a finite sum Σ_j f_j(s) C_j with independent Gaussian matrices C_j, whose covariance
Σ_j f_j(s) f_j(s') is compared with the formula, with no sampling error (a factor scale² beside it).
Its Lipschitz constant is proved draw by draw, from its derivative on a grid; over draws it has no bound.
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper.quantities import B_, C_, L_
from depthlimit.theory.paper.quantities import L as depth
from depthlimit.theory.registry import quantity, register

FLOWS = ("plain-flow", "clipped-flow")
Z_initial = quantity("Z_initial", r"Z_k^L(0)", (B_, L_, C_), "initial parameters of layers 1..L").symbol
Z_function = quantity("Z_function", r"Z^{\mathrm{init}}(k/L)", (B_, L_, C_), "the function that is discretised, at k/L").symbol
smooth = quantity("smooth_init", r"1_{\mathrm{smooth}}", (), "1 if the initialisation is a function of depth", exact=True).symbol
process = quantity("gp_init", r"1_{\mathrm{GP}}", (), "1 if the initialisation is the Gaussian process", exact=True).symbol
known = quantity("lipschitz_init", r"1_{\mathrm{Lip}}", (), "1 if a Lipschitz constant of the initialisation is proved", exact=True).symbol
covariance = quantity("gp_covariance", r"K(\tfrac1L,\tfrac kL)", (L_,), "covariance of entries at the first and the k-th layer").symbol
apart = quantity("gp_distance", r"\tfrac{k-1}{L}", (L_,), "distance of the k-th layer from the first").symbol
length = quantity("gp_length", r"\ell_{\mathrm{GP}}", (), "length of the Gaussian process", exact=True).symbol
scale = quantity("gp_scale", r"\varsigma", (), "standard deviation of the Gaussian process; 1 in the paper", exact=True).symbol


def _claim(label: str, lhs: sp.Expr, relation: str, rhs: sp.Expr, meaning: str, tex: str, tool: Tool, **more) -> Claim:  # type: ignore[no-untyped-def]
    settings = {"source": Source("Section 4.3", "initialisation", "", 7), "role": Role.DEFINITION, "regimes": FLOWS, **more}
    return register(Claim(label, lhs, relation, rhs, meaning=meaning, tex=tex, tool=tool, **settings))


_claim(
    "section43.discretisation",
    Z_initial,
    "=",
    Z_function,
    "A smooth initialisation takes its function at k/L, k = 1..L.",
    r"V_k^L(0) = \mathcal V_0\Big(\frac kL\Big),\quad W_k^L(0) = \mathcal W_0\Big(\frac kL\Big)",
    Tool.DEFINITION,
    regimes=(*FLOWS, "general-flow"),
    hypotheses=(Condition("the initialisation is smooth in depth", smooth, "=", sp.Integer(1)),),
)
_claim(
    "section43.covariance",
    covariance,
    "=",
    scale**2 * sp.exp(-(apart**2) / (2 * length**2)),
    "The entries of the Gaussian process have the squared exponential covariance.",
    r"K(x,x') = \exp\Big(-\frac{(x-x')^2}{2\ell^2}\Big)",
    Tool.EXACT_DISTRIBUTION,
    hypotheses=(Condition("the initialisation is the Gaussian process", process, "=", sp.Integer(1)),),
)
for _name in "VW":
    _step = quantity(
        f"start_step_{_name}", rf"\|{_name}_{{k+1}}(0)-{_name}_k(0)\|_F", (B_, L_), f"successive difference of the initial {_name}"
    )
    _lip = quantity(f"lip_{_name}", rf"\mathrm{{Lip}}(\mathcal {_name}_0)", (), f"proved Lipschitz constant of the initial {_name}")
    _claim(
        f"section43.start-{_name}",
        depth * _step.symbol,
        "<=",
        _lip.symbol,
        f"Initially successive {_name} are at most the Lipschitz constant over L apart.",
        rf"\|{_name}_{{k+1}}^L(0)-{_name}_k^L(0)\|_F \le \frac{{\mathrm{{Lip}}(\mathcal {_name}_0)}}{{L}}",
        Tool.SUPREMUM,
        role=Role.STEP,
        hypotheses=(Condition("a Lipschitz constant is proved", known, "=", sp.Integer(1)),),
        premises=("section43.discretisation",),
    )
