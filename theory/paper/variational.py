r"""Successive weights: the exact equation of their differences, and the bounds that follow from it.

1. *Equation.* Along (4), Z_k' = -Φ(h_{k-1}, p_k, Z_k). Add and subtract Φ(h_k, p_{k+1}, Z_k): Δ_k = Z_{k+1} - Z_k has Δ_k' = -M_k Δ_k -
e_k/L with e_k = L(Φ(h_k, p_{k+1}, Z_k) - Φ(h_{k-1}, p_k, Z_k)), and, since σ(U⁺) - σ(U) = σ[U,U⁺] ⊙ (U⁺ - U) and U⁺ - U = (W_{k+1} -
W_k)h/√q, M_k is block diagonal over hidden neurons; its blocks stand in `models/variational.py`. It is an identity: every bound below
loses only after it.
2. *One side.* |Δ|' <= λ|Δ| + |e|/L with λ = λ_max(-(M+Mᵀ)/2), the logarithmic norm of -M: b' = λb + |e_k|, b(0) = L|Δ_k(0)| bounds
L|Δ_k|. It holds for the whole layer (λ = max_j λ_j) and neuron by neuron. A clip that is 1-Lipschitz gives |Δ'| <= |MΔ + e/L| and no
sign: |M|₂ for λ.
3. *Two sides.* X = LΔ + E, E = ∫e - LΔ(0), has X(0) = 0 and X' = -MX + ME: |X| <= c, c' = λc + |ME|. Once more: Y = X - E₂, E₂ = ∫ME, has
Y' = -MY - ME₂: |Y| <= d, d' = λd + |ME₂|. So L|Δ| lies within c of |E| and within d of |E - E₂|.
4. *Norms.* With P >= |p|_F, v, w, X, S >= operator norms of V, W, h, S_k, H >= columns of h and ν = (|ΔV|_F, |ΔW|_F):

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
first_size = _along("first_size", r"\|E_k\|", "size of E_k = ∫e_k - LΔ_k(0)")
first_error = _along("first_error", r"\|L\Delta_k+E_k\|", "distance of LΔ_k from -E_k")
first_radius = _along("first_radius", "c_k", "solution of c' = λc + |M_kE_k|")
second_size = _along("second_size", r"\|E_k-E_k^{(2)}\|", "size of E_k - ∫M_kE_k")
second_error = _along("second_error", r"\|L\Delta_k+E_k-E_k^{(2)}\|", "distance of LΔ_k from ∫M_kE_k - E_k")
second_radius = _along("second_radius", "d_k", "solution of d' = λd + |M_k∫M_kE_k|")

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
for _order, _size, _error, _radius, _centre, _letter in (
    ("two-sided", first_size, first_error, first_radius, "E_k", "c_k"),
    ("second-order", second_size, second_error, second_radius, "E_k - E_k^{(2)}", "d_k"),
):
    _claim(
        _order,
        _error,
        "<=",
        _radius,
        rf"\|L\Delta_k(t) + {_centre}(t)\| \le {_letter}(t)",
        f"LΔ is known up to a remainder: {'E + O(t) of it' if _order == 'two-sided' else 'one more iteration'}.",
        equality=_short(_error, _radius),
    )
    _claim(
        f"{_order}-above",
        parted,
        "<=",
        _size + _radius,
        rf"L\|\Delta_k(t)\| \le \|{_centre}\| + {_letter}",
        "From above by the two-sided bound.",
        premises=(f"variational.{_order}",),
        tool=Tool.TRIANGLE,
        equality=_short(parted, _size + _radius),
    )
    _claim(
        f"{_order}-below",
        _size,
        "<=",
        parted + _radius,
        rf"L\|\Delta_k(t)\| \ge \|{_centre}\| - {_letter}",
        "From below by the two-sided bound: successive weights do part.",
        premises=(f"variational.{_order}",),
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
