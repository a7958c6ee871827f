r"""The general residual network (11)-(12) of Appendix A: its quantities, and (12)-(16) and (5) as defining equations.

They are checked on f(h, Z) = Zh, f(h, z) = h ⊙ sin z and the branch of model (3), on code of our own: the protocol of implementations knows
model (3) only. Gradients are taken twice: by the backward recurrence (13), and by forward mode, which pushes directions through the layers
and shares with the recurrence nothing but the Jacobians of f.
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Claim, Role, Source, Tool
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.registry import quantity, register

B_, T_, L_, N_, C_ = "batch", "time", "layer", "sample", "component"
REGIMES = ("general-flow",)


def measured(name: str, latex: str, axes: str, meaning: str, *, exact: bool = False, local: bool = True, signed: bool = False) -> sp.Symbol:
    """A quantity on axes abbreviated by their letters, as in "BTLN"."""
    names = {"B": B_, "T": T_, "L": L_, "N": N_, "C": C_}
    return quantity(name, latex, tuple(names[a] for a in axes), meaning, exact=exact, local=local, signed=signed).symbol


f_value = measured("f_value", "f(h_k,Z_{k+1})", "BTLNC", "the residual branch, k = 0..L-1")
f_at_zero = measured("f_at_zero", r"\|f(0,Z_k)\|", "BTL", "norm of the residual branch at the state 0")
adj = measured("adj", "p_k", "BTLNC", "∂ℓ_i/∂h_k by forward mode, k = 0..L-1")
adj_next = measured("adj_next", "p_{k+1}", "BTLNC", "∂ℓ_i/∂h_{k+1} by forward mode, k+1 = 1..L")
adj_last = measured("adj_last", "p_L", "BTNC", "∂ℓ_i/∂h_L by the backward recurrence")
B_error = measured("B_error", r"B^\top(F(x_i)-y_i)", "BTNC", "B transposed applied to the error of each sample")
J_adj = measured("J_adj", r"\partial_1f(h_k,Z_{k+1})\,p_{k+1}", "BTLNC", "∂₁f applied to the next adjoint state, as (13) is printed")
Jt_adj = measured("Jt_adj", r"\partial_1f(h_k,Z_{k+1})^\top p_{k+1}", "BTLNC", "∂₁f transposed applied to the next adjoint state")
slope_A = measured("slope_A", r"\partial\ell/\partial A", "BTC", "derivatives of the loss in A by forward mode")
slope_Z = measured("slope_Z", r"\partial\ell/\partial Z_k", "BTLC", "derivatives of the loss in Z_k by forward mode")
slope_B = measured("slope_B", r"\partial\ell/\partial B", "BTC", "derivatives of the loss in B by forward mode")
sum_14 = measured("sum_14", r"\sum_ip_{0,i}x_i^\top", "BTC", "the sum in (14), from the recurrence (13)")
sum_15 = measured("sum_15", r"\sum_i\partial_2f(h_{k-1,i},Z_k)^\top p_{k,i}", "BTLC", "the sum in (15), from the recurrence (13)")
sum_16 = measured("sum_16", r"\sum_i(F(x_i)-y_i)h_{L,i}^\top", "BTC", "the sum in (16)")
Z_dot = measured("Z_dot", r"\dot Z_k", "BTLC", "velocity of Z_k")
pi_Z = measured("pi_Z", r"\pi(-L\,\partial\ell/\partial Z_k)", "BTLC", "clip of L times the descent direction in Z_k, by forward mode")
Z_t = measured("Z_t", "Z(t)", "BTC", "all Z_k along the flow", local=False)
Z_ref = measured("Z_ref", r"\varphi_t(\theta(0))_Z", "BTC", "all Z_k along a finer flow with gradients by forward mode", local=False)


def _define(label: str, lhs: sp.Expr, rhs: sp.Expr, source: Source, tex: str, meaning: str, **more: object) -> None:
    kwargs: dict[str, object] = {"role": Role.DEFINITION, "inputs": "instantaneous", "tool": Tool.DEFINITION, **more}
    register(Claim(label, lhs, "=", rhs, source, REGIMES, meaning, tex, **kwargs))  # type: ignore[arg-type]


_12 = Source("Appendix A", "general residual network", "(12)", 14)
_define("eq12.input", Q.h0, Q.Ax, _12, r"h_0^L(t) = A^L(t)x", "The first hidden state is the embedded input.")
_define(
    "eq12.layer",
    Q.h_next,
    Q.h + f_value / Q.L,
    _12,
    r"h_{k+1}^L(t) = h_k^L(t) + \frac1L f(h_k^L(t), Z_{k+1}^L(t))",
    "Each layer adds its branch, scaled by the depth; (11) on page 7 is the same equation.",
)
_define("eq12.output", Q.output, Q.Bh, _12, r"F^L(x;t) = B^L(t)h_L^L(t)", "The output is linear in the last hidden state.")
_define(
    "eq12.vanishes",
    f_at_zero,
    sp.Integer(0),
    _12,
    r"f(0,\cdot) \equiv 0",
    "The branch vanishes at the state 0.",
    role=Role.HYPOTHESIS,
)
_13 = Source("Appendix A", "backpropagation", "(13)", 14)
_define(
    "eq13.general-last",
    adj_last,
    2 * B_error,
    _13,
    r"p_L^L(t) = 2 B^L(t)^\top (F^L(x;t)-y)",
    "The last adjoint state is the gradient of the squared error in the last hidden state.",
    tool=Tool.CHAIN_RULE,
)
for _edition, _product, _t, _expect in (("as-printed", J_adj, "", "eq13-general-witness"), ("corrected", Jt_adj, r"^\top", None)):
    _define(
        "eq13.general-layer",
        adj,
        adj_next + _product / Q.L,
        _13,
        rf"p_k^L(t) = p_{{k+1}}^L(t) + \frac1L \partial_1 f(h_k^L(t), Z_{{k+1}}^L(t)){_t} p_{{k+1}}^L(t)",
        f"The backward recurrence {'with the transposed Jacobian' if _t else 'as printed, with the Jacobian itself'}.",
        edition=_edition,
        expect=_expect,
        tool=Tool.CHAIN_RULE,
        note="" if _t else "The print lacks the transpose of ∂₁f; see eq13.layer. For f = Zh the correct product is Zᵀp.",
    )
for _label, _lhs, _rhs, _number, _tex in (
    ("eq14.general-A", slope_A, sum_14 / Q.n, "(14)", r"\frac{\partial\ell^L}{\partial A^L}(t) = \frac1n\sum_{i=1}^n p_{0,i}^L(t)x_i^\top"),
    (
        "eq15.general-Z",
        slope_Z,
        sum_15 / (Q.n * Q.L),
        "(15)",
        r"\frac{\partial\ell^L}{\partial Z_k^L}(t) = \frac{1}{nL}\sum_{i=1}^n \partial_2 f(h_{k-1,i}^L(t), Z_k^L(t))^\top p_{k,i}^L(t)",
    ),
    (
        "eq16.general-B",
        slope_B,
        2 * sum_16 / Q.n,
        "(16)",
        r"\frac{\partial\ell^L}{\partial B^L}(t) = \frac2n\sum_{i=1}^n (F^L(x_i;t)-y_i) h_{L,i}^L(t)^\top",
    ),
):
    _define(
        _label,
        _lhs,
        _rhs,
        Source("Appendix A", "backpropagation", _number, 15),
        _tex,
        f"The gradient in {_label[-1]} follows from the adjoint of (13) with the transpose.",
        premises=("eq13.general-layer",),
        tool=Tool.CHAIN_RULE,
    )
_5 = Source("Section 3", "training algorithm", "(5)", 4)
for _block, _lhs, _rhs, _scale in (
    ("A", Q.A_dot, Q.trained_ends * Q.pi_A, ""),
    ("Z", Z_dot, pi_Z, "L"),
    ("B", Q.B_dot, Q.trained_ends * Q.pi_B, ""),
):
    _k = "Z_k" if _block == "Z" else _block
    _define(
        f"eq5.general-{_block}",
        _lhs,
        _rhs,
        _5,
        rf"\frac{{d{_k}^L}}{{dt}}(t) = \pi\Big(-{_scale}\frac{{\partial\ell^L}}{{\partial {_k}^L}}(t)\Big)",
        f"The gradient flow of {_k}, clipped where the instance has a clip.",
    )
for _block, _lhs, _rhs in (("A", Q.A_t, Q.A_ref), ("Z", Z_t, Z_ref), ("B", Q.B_t, Q.B_ref)):
    _define(
        f"eq5.general-flow-{_block}",
        _lhs,
        _rhs,
        _5,
        rf"t \mapsto {_block}^L(t) \text{{ solves }} (5)",
        f"{_block} at the saved times is where the flow leads from the initial state.",
        inputs="along-trajectory",
    )
