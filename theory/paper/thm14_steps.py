r"""The proof of Theorem 14 (Appendix A.5, pages 26-30): quantities and lines, (37)-(44).

Constants are over E x {|z| <= M_Z}, |h| <= R = max|A x_i| e^{K₁} on E, M_Z, M_A, M_B of both parameters: K₁, K₂ bound ∂₁f and ∂₂f, K₁₁,
K₂₁, K₂₂ the second derivatives, K_f = max(K₁, K₂), and |P| <= D_P = 2M_B(M_B R + M_Y)e^{K₁}. "Locally Lipschitz" and "converges uniformly"
become inequalities between them and C_Z, the Lipschitz constant of Z in s:

    G   = (K₁²R + K₂C_Z)e^{K₁}/(2L)     bounds |h_k - H(k/L)| where layer k takes Z(k/L)
    δ_H = (|α|M_X + K₂δ_Z)e^{K₁}        bounds |H̃ - H| where |Z̃ - Z| <= δ_Z, and α, β stand for Ã - A, B̃ - B
    δ_P = (δ_1 + D_P(K₁₁δ_H + K₂₁δ_Z))e^{K₁},  δ_1 = 2|β|(M_B R + M_Y) + 2M_B(|β|R + M_Bδ_H)
"""

from __future__ import annotations

from typing import Any

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.prop7_quantities import K_pi
from depthlimit.theory.quantity import maximum
from depthlimit.theory.registry import quantity, register

N_, LN, LNC = ("sample",), ("layer", "sample"), ("layer", "sample", "component")
LAYER, LC, TC = ("layer",), ("layer", "component"), ("time", "component")
REGIMES = ("limit-map",)
ITEM = "Theorem 14"


def measured(name: str, latex: str, axes: tuple[str, ...], meaning: str, *, signed: bool = False) -> sp.Symbol:
    """A quantity of the two parameters, and its symbol."""
    return quantity(name, latex, axes, meaning, local=False, signed=signed).symbol


K1, K2, K11, K21, K22 = (
    measured(f"K{k}_E", f"K_{{{k}}}", (), f"bound of {what} over E and |z| <= M_Z")
    for k, what in (("1", "∂₁f"), ("2", "∂₂f"), ("11", "∂₁₁f"), ("21", "∂₂₁f"), ("22", "∂₂₂f"))
)
R = measured("R_E", "R", (), "radius of E, max|A x_i| e^{K₁} of both parameters")
M_B = measured("M_B_E", "M_B", (), "the larger |B| of both parameters")
C_Z = measured("C_Z", r"C_{\mathcal Z}", (), "Lipschitz constant of Z in s")
H_picard = measured("H_picard", "H_i(s)-Ax_i", LNC, "displacement of the neural ODE, by Picard's iteration")
H_stepped = measured("H_stepped", r"\Phi_s(Ax_i)-Ax_i", LNC, "the same by an explicit stepper of order eight")
P_solved = measured("P_solved", "P_i(s)", LNC, "solution of the backward ODE with sign and transpose")
P_printed = measured("P_printed", "P_i(s)", LNC, "solution of the backward ODE as printed")
P_forward = measured("P_forward", r"\partial\ell_i/\partial H_i(s)", LNC, "gradient of a sample's loss in the state at s, by forward mode")
Z_gap_s = measured(
    "Z_gap_s", r"\|\mathcal Z^L(s)-\mathcal Z(s)\|", LAYER, "distance of Z_{⌊(L-1)s⌋+1} from Z(s), at both ends of its pieces"
)
h_gap_s = measured("h_gap_s", r"\|H^L(s)-H(s)\|", LN, "distance of h_{⌊Ls⌋} from H(s)")
p_gap_s = measured("p_gap_s", r"\|P^L(s)-P(s)\|", LN, "distance of p_{⌊Ls⌋} from the solution of the corrected backward ODE")
p_gap_printed = measured("p_gap_printed", r"\|P^L(s)-P(s)\|", LN, "distance of p_{⌊Ls⌋} from the solution of the printed backward ODE")
h_gap_37 = measured("h_gap_37", r"\max_i\|h_{\lfloor(L-1)s\rfloor,i}-H_i(s)\|", LAYER, "distance of the state in (37) from that in (38)")
p_gap_37 = measured(
    "p_gap_37", r"\max_i\|p_{\lfloor(L-1)s\rfloor+1,i}-P_i(s)\|", LAYER, "distance of the adjoint in (37) from that in (38)"
)
velocity_37 = measured(
    "velocity_37", r"\partial\mathcal Z^L/\partial t", LC, "velocity of Z_{⌊(L-1)s⌋+1}, π(-L ∂ℓ/∂Z_k) with the gradient by forward mode"
)
right_37 = measured(
    "right_37",
    r"\pi(-\tfrac1n\sum_i\partial_2f(H^L_i,\mathcal Z^L)^\top P^L_i)",
    LC,
    "right side of (37) in its second form, H^L at ⌊(L-1)s⌋/L and P^L at (⌊(L-1)s⌋+1)/L",
)
velocity_gap = measured(
    "velocity_gap_37", r"\|\partial_t\mathcal Z^L-\partial_t\mathcal Z\|", LAYER, "distance of the right sides of (37) and (38)"
)
_slopes = {
    k: (
        measured(f"loss_slope_{k}", rf"\partial_{{{k}}}\ell\cdot{d}", (), f"slope of the loss in the direction {d} of {k}", signed=True),
        measured(f"loss_inner_{k}", inner, (), f"that direction times what stands inside π for {k}, negative", signed=True),
    )
    for k, d, inner in (
        ("Z", r"\zeta", r"\int\langle\tfrac1n\sum_i\partial_2f(H_i,\mathcal Z)^\top P_i,\zeta\rangle ds"),
        ("A", r"\alpha", r"\langle\tfrac1n\sum_iP_i(0)x_i^\top,\alpha\rangle"),
        ("B", r"\beta", r"\langle\tfrac2n\sum_i(BH_i(1)-y_i)H_i(1)^\top,\beta\rangle"),
    )
}
moved = measured(
    "depth_moved", r"(A,\mathcal Z,B)(t)-(A,\mathcal Z,B)(0)", TC, "change of A, of Z at nine s and of B in training, by a spectral method"
)
moved_by = measured(
    "depth_moved_by", r"\int_0^t\partial_t(A,\mathcal Z,B)", TC, "integral of what (38), (40) and (41) say of them along it"
)
H_apart = measured("H_apart", r"\|\tilde H_i(s)-H_i(s)\|", LN, "distance of the states of two parameters")
f_apart = measured("f_apart", r"\|f(\tilde H_i,\tilde{\mathcal Z})-f(H_i,\mathcal Z)\|", LN, "distance of their speeds")
H_integral = measured("H_integral", r"\int_0^s\|\tilde H_i-H_i\|dr", LN, "integral up to s of the distance of states")
x_norm = measured("x_norm", r"\|x_i\|", N_, "norm of an input")
dZ = measured("Z_apart", r"\sup_s\|\tilde{\mathcal Z}-\mathcal Z\|", (), "distance of two Z")
dA = measured("A_apart", r"\|\tilde A-A\|_2", (), "distance of two A")
dB = measured("B_apart", r"\|\tilde B-B\|_2", (), "distance of two B")
map_apart = measured(
    "map_apart",
    r"\|\Psi(\tilde{\mathcal Z},\tilde A,\tilde B)-\Psi(\mathcal Z,A,B)\|",
    (),
    "distance of the values of (42), sup|Z| + |A|_F + |B|_F",
)

K_f, G, D_P, dH, d1, dP = (sp.Symbol(name, nonnegative=True) for name in ("K_f", "G", "D_P", "delta_H", "delta_1", "delta_P"))
CONSTANTS: dict[sp.Symbol, sp.Expr] = {
    K_f: maximum(K1, K2),
    G: (K1**2 * R + K2 * C_Z) * sp.exp(K1) / (2 * Q.L),
    D_P: 2 * M_B * (M_B * R + Q.M_Y) * sp.exp(K1),
    dH: (dA * Q.M_X + K2 * dZ) * sp.exp(K1),
    d1: 2 * (dB * (M_B * R + Q.M_Y) + M_B * (dB * R + M_B * dH)),
    dP: (d1 + D_P * (K11 * dH + K21 * dZ)) * sp.exp(K1),
}


def _used(*sides: sp.Expr) -> dict[sp.Symbol, sp.Expr]:
    found: set[sp.Symbol] = set()
    pending = list(sides)
    while pending:
        new = (pending.pop().free_symbols & CONSTANTS.keys()) - found
        found |= new
        pending += [CONSTANTS[k] for k in new]
    return {k: v for k, v in CONSTANTS.items() if k in found}


def step(label: str, lhs: sp.Expr, relation: str, rhs: sp.Expr, page: int, tex: str, meaning: str, equation: str = "", **more: Any) -> None:
    """Register a line of the proof."""
    attained = Condition("the two sides agree", lhs, ">=", rhs) if relation == "<=" else None
    known = {"role": Role.STEP, "where": _used(lhs, rhs), "equality": attained, **more}
    register(Claim(label, lhs, relation, rhs, Source(ITEM, "proof", equation, page), REGIMES, meaning, tex, **known))


_EXACT: dict[str, Any] = {"inputs": "instantaneous"}
step(
    "a5.eq39",
    Z_gap_s,
    "<=",
    C_Z / Q.L,
    28,
    r"\mathcal Z^\phi(s, 0) = Z^{\mathrm{init}}(s)",
    "Layers that take Z(k/L), read by Z_{⌊(L-1)s⌋+1}, lie within C_Z/L of Z(s): that is their limit.",
    "(39)",
    edition="explicit",
    tool=Tool.SUPREMUM,
    premises=("section43.start-V",),
)
step(
    "a5.eq43",
    H_picard,
    "=",
    H_stepped,
    28,
    r"H_i(0) = Ax_i, \quad \frac{dH_i}{ds}(s) = f(H_i(s), \mathcal Z(s))",
    "The neural ODE has a solution, found by Picard's iteration and by a stepper of order eight.",
    "(43)",
    role=Role.DEFINITION,
    tool=Tool.DEFINITION,
    inputs="along-trajectory",
)
step(
    "a5.hidden",
    h_gap_s,
    "<=",
    G + K1 * R / Q.L,
    26,
    r"H^{\phi(L)}(s,t) = h^{\phi(L)}_{\lfloor\phi(L)s\rfloor}(t) \to H^\phi(s,t)",
    "Hidden states converge to the neural ODE, at the rate that Grönwall's inequality gives for layers that take Z(k/L).",
    edition="explicit",
    premises=("eq12.layer", "a5.eq43", "cor12.gap"),
    tool=Tool.DISCRETE_GRONWALL,
)
_TEX_44 = r"P_i(1) = 2B^\top(BH_i(1)-y_i), \quad \frac{dP_i}{ds}(s) = \partial_1f(H_i(s),\mathcal Z(s))P_i(s)"
_NOTE = (
    "The recurrence (13) runs down in k: with the transpose that it lacks, P' = -∂₁fᵀP. As printed, sign and transpose are missing here, "
    "on page 27 and on page 30."
)
for _edition, _P, _gap, _expect, _also in (
    ("as-printed", P_printed, p_gap_printed, "eq44-witness", "a5-adjoint-witness"),
    ("corrected", P_solved, p_gap_s, None, None),
):
    step(
        "a5.eq44",
        _P,
        "=",
        P_forward,
        28,
        _TEX_44 if _expect else _TEX_44.replace(r"= \partial_1f(H_i(s),\mathcal Z(s))P", r"= -\partial_1f(H_i(s),\mathcal Z(s))^\top P"),
        "The backward ODE yields the gradients of the loss in the states, which forward mode finds without it.",
        "(44)",
        edition=_edition,
        expect=_expect,
        premises=("a5.eq43",),
        tool=Tool.CHAIN_RULE,
        inputs="along-trajectory",
        note=_NOTE if _expect else "",
    )
    step(
        "a5.adjoint",
        _gap,
        "<=",
        sp.exp(K1) * (2 * M_B**2 * G + D_P * (K11 * (G + K1 * R / (2 * Q.L)) + (K21 * C_Z + K1**2) / (2 * Q.L))) + K1 * D_P / Q.L,
        27,
        r"P^{\phi(L)}(s,t) = p^{\phi(L)}_{\lfloor\phi(L)s\rfloor}(t) \to P^\phi(s,t),\ \frac{\partial P^\phi}{\partial s}"
        + (r" = \partial_1f\,P^\phi" if _expect else r" = -\partial_1f^\top P^\phi"),
        "Backward states converge to the backward ODE, at the rate that Grönwall's inequality gives down from s = 1.",
        edition=_edition,
        expect=_also,
        premises=("eq13.general-layer", "eq13.general-last", "a5.hidden", "a5.eq44"),
        tool=Tool.DISCRETE_GRONWALL,
        note=_NOTE if _expect else "",
    )
step(
    "a5.eq37",
    velocity_37,
    "=",
    right_37,
    27,
    r"\frac{\partial\mathcal Z^{\phi(L)}(s,t)}{\partial t} = \pi\Big(-\frac1n\sum_{i=1}^n\partial_2f\Big(H_i^{\phi(L)}\Big("
    r"\frac{\lfloor(\phi(L)-1)s\rfloor}{\phi(L)},t\Big),\mathcal Z^{\phi(L)}(s,t)\Big)^\top "
    r"P_i^{\phi(L)}\Big(\frac{\lfloor(\phi(L)-1)s\rfloor+1}{\phi(L)},t\Big)\Big)",
    "The velocity of the layer that s reads, from the states and adjoints that the two arguments read.",
    "(37)",
    premises=("eq15.general-Z", "eq5.general-Z"),
    tool=Tool.CHAIN_RULE,
    **_EXACT,
)
step(
    "a5.velocity",
    velocity_gap,
    "<=",
    K_pi * (K2 * p_gap_37 + D_P * (K21 * h_gap_37 + K22 * Z_gap_s)),
    27,
    r"\text{the right-hand side of (37) converges uniformly to }"
    r" \pi\Big(-\frac1n\sum_{i=1}^n\partial_2f(H_i^\phi,\mathcal Z^\phi)^\top P_i^\phi\Big)",
    "Right sides of (37) and (38) differ by the distances of states, adjoints and weights times Lipschitz constants of f.",
    edition="explicit",
    premises=("a5.eq37", "a5.adjoint"),
    tool=Tool.CHAIN_RULE,
    **_EXACT,
)
for _k, _number, _tex in (
    (
        "Z",
        38,
        r"\frac{\partial\mathcal Z^\phi}{\partial t}(s,t)"
        r" = \pi\Big(-\frac1n\sum_{i=1}^n\partial_2f(H_i^\phi,\mathcal Z^\phi)^\top P_i^\phi\Big)",
    ),
    ("A", 40, r"\frac{dA^\phi}{dt}(t) = \pi\Big(-\frac1n\sum_{i=1}^nP_i^\phi(0,t)x_i^\top\Big)"),
    ("B", 41, r"\frac{dB^\phi}{dt}(t) = \pi\Big(-\frac2n\sum_{i=1}^n(B^\phi(t)H_i^\phi(1,t)-y_i)H_i^\phi(1,t)^\top\Big)"),
):
    step(
        f"a5.eq{_number}",
        _slopes[_k][0],
        "=",
        _slopes[_k][1],
        28,
        _tex,
        "What stands inside π is the negative gradient of the neural ODE's loss"
        + (", for the inner product ∫<., .> ds." if _k == "Z" else f" in {_k}."),
        f"({_number})",
        premises=() if _k == "B" else ("a5.eq44",),
        tool=Tool.CHAIN_RULE,
        inputs="along-trajectory",
        note="" if _k == "B" else "With the corrected P of (44).",
    )
step(
    "a5.path",
    moved,
    "=",
    moved_by,
    29,
    r"\frac{dA}{dt}(t) = \pi(\dots),\ \frac{\partial\mathcal Z}{\partial t}(s,t) = \pi(\dots),\ \frac{dB}{dt}(t) = \pi(\dots)",
    "In continuous depth A, Z and B move by the integrals of (38), (40) and (41), π included, with gradients by forward mode.",
    premises=("a5.eq38", "a5.eq40", "a5.eq41"),
    tool=Tool.CHAIN_RULE,
    inputs="along-trajectory",
)
step(
    "a5.lipschitz",
    f_apart,
    "<=",
    K_f * dZ + K_f * H_apart,
    29,
    r"\|f(\tilde H_i,\tilde{\mathcal Z})-f(\tilde H_i,\mathcal Z)\| + \|f(\tilde H_i,\mathcal Z)-f(H_i,\mathcal Z)\|"
    r" \le K_f\sup_{r\in[0,1]}\|\tilde{\mathcal Z}(r)-\mathcal Z(r)\| + K_f\|\tilde H_i(r)-H_i(r)\|",
    "Speeds part by K_f times what weights and states do: f is Lipschitz continuous on E and the weights that occur.",
    premises=("a5.eq43",),
    tool=Tool.CHAIN_RULE,
)
step(
    "a5.unfolded",
    H_apart,
    "<=",
    dA * x_norm + K_f * dZ + K_f * H_integral,
    29,
    r"\|\tilde H_i(s)-H_i(s)\| \le \|\tilde A-A\|_2\|x_i\| + K_f\sup_{r\in[0,1]}\|\tilde{\mathcal Z}(r)-\mathcal Z(r)\|"
    r" + \int_0^sK_f\|\tilde H_i(r)-H_i(r)\|dr",
    "States part by the integral of what speeds do; the second printed ≤ above it is an equality.",
    premises=("a5.lipschitz",),
    tool=Tool.SUPREMUM,
)
step(
    "a5.gronwall",
    H_apart,
    "<=",
    (dA * x_norm + K_f * dZ) * sp.exp(K_f),
    29,
    r"\|\tilde H_i(s)-H_i(s)\|"
    r" \le \Big(\|\tilde A-A\|_2\|x_i\| + K_f\sup_{r\in[0,1]}\|\tilde{\mathcal Z}(r)-\mathcal Z(r)\|\Big)\exp(K_f)",
    "H is Lipschitz continuous in (Z, A).",
    premises=("a5.unfolded",),
    tool=Tool.GRONWALL,
)
step(
    "a5.eq42",
    map_apart,
    "<=",
    K_pi * ((K2 + Q.M_X) * dP + D_P * (K21 * dH + K22 * dZ) + 2 * ((dB * R + M_B * dH) * R + (M_B * R + Q.M_Y) * dH)),
    28,
    r"\text{the mapping (42) is locally Lipschitz continuous with respect to } \sup_{s\in[0,1]}\|\mathcal Z(s)\| + \|A\|_2 + \|B\|_2",
    "(42) is Lipschitz continuous between parameters of a bounded set: as H, P is by similar arguments.",
    "(42)",
    edition="explicit",
    premises=("a5.gronwall", "a5.eq44"),
    tool=Tool.CHAIN_RULE,
)
