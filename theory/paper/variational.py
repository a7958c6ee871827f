r"""Successive weights: the exact equation of their differences, and the bounds that follow from it.

1. *Equation.* Along (4), Z_k' = -Φ(h_{k-1}, p_k, Z_k). Add and subtract Φ(h_k, p_{k+1}, Z_k): Δ_k = Z_{k+1} - Z_k has Δ_k' = -M_k Δ_k -
e_k/L with e_k = L(Φ(h_k, p_{k+1}, Z_k) - Φ(h_{k-1}, p_k, Z_k)), and, since σ(U⁺) - σ(U) = σ[U,U⁺] ⊙ (U⁺ - U) and U⁺ - U = (W_{k+1} -
W_k)h/√q, M_k is block diagonal over hidden neurons; its blocks stand in `models/variational.py`. It is an identity: every bound below
loses only after it.
2. *One side.* |Δ|' <= λ|Δ| + |e|/L with λ = λ_max(-(M+Mᵀ)/2), the logarithmic norm of -M: b' = λb + |e_k|, b(0) = L|Δ_k(0)| bounds
L|Δ_k|. It holds for the whole layer (λ = max_j λ_j) and neuron by neuron. A clip that is 1-Lipschitz gives |Δ'| <= |MΔ + e/L| and no
sign: |M|₂ for λ.
3. *One side, directions kept apart.* λ_j charges all of Δ_j with the growth of the worst direction. For any numbers μ_j(t), b_j' = μ_jb_j +
|e_j| and G_j' = -M_jG_j - G_jM_jᵀ - μ_jG_j + e_je_jᵀ/|e_j|, b_j(0) = L|Δ_j(0)| and G_j(0) = LΔ_jΔ_jᵀ/|Δ_j| (0 where e_j or Δ_j is),

    L²Δ_jΔ_jᵀ <= b_jG_j as symmetric matrices, hence L|Δ_j| <= (b_j|G_j|₂)^½.

  Proof, without j, and b > 0 (else enlarge b(0) a little): D = LΔ has D' = -MD - e, and R = bG - DDᵀ has R(0) >= 0, R' = -MR - RMᵀ +
  (|e|/b)R + zzᵀ, z = (|e|/b)^½ D + (b/|e|)^½ e. A linear flow R' = NR + RNᵀ keeps the cone of positive matrices, and so does adding zzᵀ to
  it. (In integrals: Cauchy and Schwarz on D(t) = Ψ(t,0)D(0) - ∫Ψe with the weight |e|e^{-∫μ}.) With μ = λ the bound is never worse than 2.:
  S = bI - G has S(0) >= 0, S' = -MS - SMᵀ - λS + b(2λI + M + Mᵀ) + (|e|I - eeᵀ/|e|). Taken is μ = max(0, -tr MG/tr G), the mean over what G
  holds: the only choice of several (0, λ/2, λ, -tr MG/tr G) that stayed below 6 on all of 24 runs to T = 10 with labels 3 to 10.
4. *Two sides.* X_1 = LΔ + E_1, E_1 = ∫e - LΔ(0), has X_1(0) = 0 and X_1' = -MX_1 + ME_1: |X_1| <= c, c' = λc + |ME_1|. Again, with
E_{i+1} = ∫ME_i: X_{i+1} = X_i ∓ E_{i+1} has X_{i+1}' = -MX_{i+1} ∓ ME_{i+1}. So L|Δ| lies within c_i of |E_1 - E_2 + ... ± E_i|, and c_i is
of size (|M|t)^i/i! of E_1: a series for short and middle times, of no use once |M|t is large.
5. *Norms.* With P >= |p|_F, v, w, X, S >= operator norms of V, W, h, S_k, H >= columns of h and ν = (|ΔV|_F, |ΔW|_F):

    |p(σ(U⁺)-σ(U))ᵀ|_F/√m <= |p|₂ K_σ |ΔW h|_F/√(qm)                              <= P K_σX/√(qm) ν_W
    |((ΔVᵀp) ⊙ σ'(U⁺)) hᵀ|_F/√(qm)                                                 <= P K_σX/√(qm) ν_V
    |((Vᵀp) ⊙ (σ'(U⁺)-σ'(U))) hᵀ|_F/√(qm), entries (Vᵀp)_ji S₂ |ΔW_j| |h_i|/√q     <= P v S₂HX/(q√m) ν_W

  e_V = L((p_{k+1}-p_k)S_kᵀ + p_{k+1}(σ(W_kh_k/√q)-S_k)ᵀ)/√m, |p_{k+1}-p_k|_F <= aP/L, h_k - h_{k-1} = V_kS_k/(L√m), a = K_σvw/√(qm): c_V
  P with c_V = Sa/√m + K_σ w hd_F/√(qm), hd_F = |V_kS_k|_F/√m. The second factor must be Frobenius: σ acts entrywise, and |σ(U)-σ(U')|₂ <=
  K_σ|U-U'|₂ is false (a planted fault has an instance). e_W is split in p, h and σ' in turn: c_W = (K_σvXa + K_σv hd)/√(qm) + vS₂Xw
  hd/(q√m), where hd = vS/√m bounds |V_kS_k|₂/√m and so each column. N = [[0, n₁],[n₁, n₂]] is symmetric, nonnegative off the diagonal:
  with suprema along the run |ν(t)| <= e^{μΠ}(|ν(0)| + Π|c|/L), Π = t sup P, μ = (n₂ + √(n₂² + 4n₁²))/2 the norm of N. A clip must act on
  V and W apart for this.
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.prop7 import SMOOTH
from depthlimit.theory.registry import quantity, register

_AXES, _VECTOR = ("batch", "time", "layer"), ("batch", "time", "layer", "component")


def _along(name: str, latex: str, meaning: str, *, local: bool = False, axes: tuple[str, ...] = _AXES) -> sp.Symbol:
    return quantity(name, latex, axes, f"{meaning}, at up to three k", local=local).symbol


def _sup(name: str, latex: str, meaning: str) -> sp.Symbol:
    return quantity(name, latex, (), meaning).symbol


parting = _along("parting", r"\dot Z_{k+1}-\dot Z_k", "difference of successive velocities, by neuron", local=True, axes=_VECTOR)
variation = _along("variation", r"-M_k\Delta_k-e_k/L", "right side of the variational equation, by neuron", local=True, axes=_VECTOR)
parted = _along("parted", r"L\|\Delta_k\|", "L times the successive difference, Euclidean")
comparison = _along("comparison", "b_k", "solution of b' = λb + |e_k|, λ the logarithmic norm of the layer (clip: the operator norm)")
comparison_neurons = _along(
    "comparison_neurons", r"(\sum_jb_{kj}^2)^{1/2}", "the same neuron by neuron, then the root of the sum of squares"
)
comparison_directions = _along(
    "comparison_directions",
    r"(\sum_jb_{kj}\|G_{kj}\|_2)^{1/2}",
    "L|Δ| bounded with b' = μb + |e| and G' = -MG - GMᵀ - μG + eeᵀ/|e|, which keeps directions apart",
)
# Orders of the two-sided bounds, and their labels.
ORDERS = {"first": "two-sided", "second": "second-order", "third": "third-order"}

clip_apart = quantity("clip_apart", r"1_{\pi=\pi_V\times\pi_W}", (), "1 without a clip, or if it acts on V and W apart", exact=True).symbol
_here = {
    name: _along(f"{name}_block", latex, meaning, local=True)
    for name, latex, meaning in (
        ("P", r"\max(\|p_k\|_F,\|p_{k+1}\|_F)", "Frobenius norm of the adjoint matrices (1/n inside)"),
        ("v", r"\max(\|V_k\|_2,\|V_{k+1}\|_2)", "operator norms of two successive V"),
        ("w", r"\max(\|W_k\|_2,\|W_{k+1}\|_2)", "operator norms of two successive W"),
        ("X", r"\max(\|h_{k-1}\|_2,\|h_k\|_2)", "operator norms of two successive matrices of states"),
        ("H", r"\max_i\|h_{k,i}\|", "largest state"),
        ("S", r"\|S_k\|_2", "operator norm of the activations"),
        ("hd_F", r"\|V_kS_k\|_F/\sqrt m", "Frobenius norm of L times the step of the states"),
        ("nu_V", r"\|V_{k+1}-V_k\|_F", "successive difference of V"),
        ("nu_W", r"\|W_{k+1}-W_k\|_F", "successive difference of W"),
        ("rate_V", r"\|\dot V_{k+1}-\dot V_k\|_F", "successive difference of the velocities of V"),
        ("rate_W", r"\|\dot W_{k+1}-\dot W_k\|_F", "successive difference of the velocities of W"),
    )
}
_run = {
    "P": _sup("P_run", r"\sup\|p_k\|_F", "largest Frobenius norm of the adjoint matrix (1/n inside) along the run"),
    "v": Q.v_sup,
    "w": Q.w_sup,
    "X": _sup("X_run", r"\sup\|h_k\|_2", "largest operator norm of the states along the run"),
    "H": Q.h_sup,
    "S": _sup("S_run", r"\sup\|S_k\|_2", "largest operator norm of the activations along the run"),
    "hd_F": _sup("hd_F_run", r"\sup\|V_kS_k\|_F/\sqrt m", "largest Frobenius norm of L times a step of the states along the run"),
}
a, hd, hd_F, n1, n2, c_V, c_W = (sp.Symbol(s, nonnegative=True) for s in ("a", "h_d", "h_dF", "N_1", "N_2", "c_V", "c_W"))


def norm_constants(n: dict[str, sp.Expr]) -> dict[sp.Symbol, sp.Expr]:
    """N and c of the norm version from bounds on the norms, by the names of the module's docstring."""
    qm, bend = sp.sqrt(Q.q * Q.m), Q.q * sp.sqrt(Q.m)
    return {
        a: Q.K_sigma * n["v"] * n["w"] / qm,
        hd: n["v"] * n["S"] / sp.sqrt(Q.m),
        hd_F: n["hd_F"],
        n1: Q.K_sigma * n["X"] / qm,
        n2: n["v"] * Q.S2 * n["H"] * n["X"] / bend,
        c_V: n["S"] * a / sp.sqrt(Q.m) + Q.K_sigma * n["w"] * hd_F / qm,
        c_W: (Q.K_sigma * n["v"] * n["X"] * a + Q.K_sigma * n["v"] * hd) / qm + n["v"] * Q.S2 * n["X"] * n["w"] * hd / bend,
    }


def growth() -> sp.Expr:
    """μ, the norm of N."""
    return (n2 + sp.sqrt(n2**2 + 4 * n1**2)) / 2


_FLOWS = ("plain-flow", "clipped-flow")
_APART = (Condition("the clip, if any, acts on V and W apart", clip_apart, "=", sp.Integer(1)),)
_SUM = ("variational.equation",)


def _claim(
    name: str,
    lhs: sp.Expr,
    relation: str,
    rhs: sp.Expr,
    tex: str,
    meaning: str,
    *,
    regimes: tuple[str, ...] = ("plain-flow",),
    inputs: str = "along-trajectory",
    role: Role = Role.RESULT,
    premises: tuple[str, ...] = _SUM,
    tool: Tool = Tool.GRONWALL,
    where: dict[sp.Symbol, sp.Expr] | None = None,
    hypotheses: tuple[Condition, ...] = (),
    equality: Condition | None = None,
) -> Claim:
    return register(
        Claim(
            f"variational.{name}",
            lhs,
            relation,
            rhs,
            Source("Proposition 7", "successive weights, exact equation"),
            regimes,
            meaning,
            tex,
            role=role,
            edition="sharpened",
            inputs=inputs,
            where=where or {},
            hypotheses=hypotheses,
            needs=SMOOTH,
            equality=equality,
            premises=premises,
            tool=tool,
        )
    )


def _short(lhs: sp.Expr, rhs: sp.Expr) -> Condition:
    return Condition("the two sides agree within the radii (short times)", lhs, "=", rhs, trivial=True)


_claim(
    "equation",
    parting,
    "=",
    variation,
    r"\dot\Delta_k = -M_k\Delta_k - e_k/L",
    "Successive differences obey a linear equation whose matrix, block diagonal over neurons, and source are known.",
    inputs="instantaneous",
    role=Role.IDENTITY,
    premises=("eq4.V", "eq4.W"),
    tool=Tool.CHAIN_RULE,
)
_ONE = r"L\|\Delta_k(t)\| \le e^{\int_0^t\lambda_k}L\|\Delta_k(0)\| + \int_0^te^{\int_s^t\lambda_k}\|e_k(s)\|ds"
_claim(
    "one-sided",
    parted,
    "<=",
    comparison,
    _ONE,
    "The logarithmic norm bounds successive differences, one exponent per layer.",
    equality=_short(parted, comparison),
)
_claim(
    "one-sided-neurons",
    parted,
    "<=",
    comparison_neurons,
    r"L\|\Delta_k(t)\| \le \Big(\sum_jb_{kj}(t)^2\Big)^{1/2},\quad \dot b_{kj} = \lambda_{kj}b_{kj}+\|e_{kj}\|",
    "The same with one exponent per neuron, which is sharper.",
    equality=_short(parted, comparison_neurons),
)
_claim(
    "one-sided-directions",
    parted,
    "<=",
    comparison_directions,
    r"L\|\Delta_k(t)\| \le \Big(\sum_jb_{kj}\|G_{kj}\|_2\Big)^{1/2},\quad \dot b_{kj} = \mu_{kj}b_{kj}+\|e_{kj}\|,"
    r"\ \dot G_{kj} = -M_{kj}G_{kj}-G_{kj}M_{kj}^\top-\mu_{kj}G_{kj}+\frac{e_{kj}e_{kj}^\top}{\|e_{kj}\|}",
    "A matrix per neuron in place of a number: what one direction gains is not charged to the others.",
    equality=_short(parted, comparison_directions),
)
_claim(
    "one-sided-clipped",
    parted,
    "<=",
    comparison,
    r"L\|\Delta_k(t)\| \le e^{\int_0^t\|M_k\|_2}L\|\Delta_k(0)\| + \int_0^te^{\int_s^t\|M_k\|_2}\|e_k(s)\|ds",
    "Under a clip with Lipschitz constant 1 the operator norm takes the place of the logarithmic one.",
    regimes=("clipped-flow",),
    equality=_short(parted, comparison),
    premises=("eq5.V", "eq5.W"),
)
for _number, (_order, _label) in enumerate(ORDERS.items(), start=1):
    _centre = "".join(f"{'+-'[(i + 1) % 2] if i > 1 else ''}E_k^{{({i})}}" for i in range(1, _number + 1))
    _size = _along(f"{_order}_size", rf"\|{_centre}\|", f"size of E_1 - E_2 + ... up to order {_number}")
    _error = _along(f"{_order}_error", rf"\|L\Delta_k+{_centre}\|", f"distance of LΔ_k from minus the sum up to order {_number}")
    _radius = _along(f"{_order}_radius", f"c_k^{{({_number})}}", f"solution of c' = λc + |M_kE_{_number}|")
    _claim(
        _label,
        _error,
        "<=",
        _radius,
        rf"\|L\Delta_k(t) + {_centre}\| \le c_k^{{({_number})}}",
        f"LΔ is known up to a remainder, after {_order} order{'' if _number == 1 else ', by one more iteration'}.",
        equality=_short(_error, _radius),
    )
    _claim(
        f"{_label}-above",
        parted,
        "<=",
        _size + _radius,
        rf"L\|\Delta_k(t)\| \le \|{_centre}\| + c_k^{{({_number})}}",
        "From above by the two-sided bound.",
        premises=(f"variational.{_label}",),
        tool=Tool.TRIANGLE,
        equality=_short(parted, _size + _radius),
    )
    _claim(
        f"{_label}-below",
        _size,
        "<=",
        parted + _radius,
        rf"L\|\Delta_k(t)\| \ge \|{_centre}\| - c_k^{{({_number})}}",
        "From below by the two-sided bound: successive weights do part.",
        premises=(f"variational.{_label}",),
        tool=Tool.TRIANGLE,
        equality=_short(_size, parted + _radius),
    )
_N = norm_constants({**_here, "w": _here["w"]})
for _name, _rate, _rhs, _tex in (
    ("V", _here["rate_V"], n1 * _here["nu_W"] + c_V / Q.L, r"N_1\nu_W + c_V/L"),
    ("W", _here["rate_W"], n1 * _here["nu_V"] + n2 * _here["nu_W"] + c_W / Q.L, r"N_1\nu_V + N_2\nu_W + c_W/L"),
):
    _claim(
        f"norm-rate-{_name}",
        _rate,
        "<=",
        _here["P"] * _rhs,
        rf"\|\dot {_name}_{{k+1}}-\dot {_name}_k\|_F \le P({_tex})",
        f"The norm version for {_name} before Grönwall: block norms at this time and layer.",
        regimes=_FLOWS,
        inputs="instantaneous",
        role=Role.STEP,
        where=_N,
        hypotheses=_APART,
        equality=Condition("nothing moves", _rate, "=", sp.Integer(0), trivial=True),
        premises=("eq15.V", "eq15.W"),
        tool=Tool.TRIANGLE,
    )
_claim(
    "norm",
    Q.gap,
    "<=",
    sp.exp(growth() * Q.t * _run["P"]) * (Q.gap0 + Q.t * _run["P"] * sp.sqrt(c_V**2 + c_W**2) / Q.L),
    r"\|\nu(t)\| \le e^{\mu\Pi}\Big(\|\nu(0)\| + \Pi\frac{\|c\|}{L}\Big),\quad \Pi = t\sup\|p_k\|_F,\ \mu = \|N\|_2",
    "The norm version with suprema along the run: it knows no directions, which costs one to two orders of magnitude.",
    regimes=_FLOWS,
    where=norm_constants(_run),
    hypotheses=_APART,
    equality=Condition("nothing has moved, or layers have not parted", Q.displacement2 * Q.gap, "=", sp.Integer(0), trivial=True),
    premises=("variational.norm-rate-V", "variational.norm-rate-W"),
)
