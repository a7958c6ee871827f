"""The setting: equations (3)-(6) of the network, its flows and its neural ODE, (13)-(16) of its gradients, as defining equations.

With inequalities alone a flow that ran twice as fast would survive every check; these equalities are what pins an implementation down.
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.registry import register

FLOWS = ("plain-flow", "clipped-flow", "local-pl", "network")


def _define(
    label: str,
    lhs: sp.Expr,
    rhs: sp.Expr,
    source: Source,
    tex: str,
    meaning: str,
    *,
    regimes: tuple[str, ...] = FLOWS,
    edition: str = "as-printed",
    premises: tuple[str, ...] = (),
    tool: Tool = Tool.DEFINITION,
    inputs: str = "instantaneous",
    expect: str | None = None,
    note: str = "",
    hypotheses: tuple[Condition, ...] = (),
) -> Claim:
    return register(
        Claim(
            label,
            lhs,
            "=",
            rhs,
            source,
            regimes,
            meaning,
            tex,
            role=Role.DEFINITION,
            edition=edition,
            inputs=inputs,
            premises=premises,
            tool=tool,
            expect=expect,
            note=note,
            hypotheses=hypotheses,
        )
    )


_3 = Source("Section 3", "residual network", "(3)", 3)
_define("eq3.input", Q.h0, Q.Ax, _3, r"h_0^L = A^L x", "The first hidden state is the embedded input.")
_define(
    "eq3.layer",
    Q.h_next,
    Q.h + Q.branch / (Q.L * sp.sqrt(Q.m)),
    _3,
    r"h_{k+1}^L = h_k^L + \frac{1}{L\sqrt m} V_{k+1}^L \sigma\Big(\frac{1}{\sqrt q} W_{k+1}^L h_k^L\Big)",
    "Each layer adds its branch, scaled by the depth and the root of the width.",
)
_define("eq3.output", Q.output, Q.Bh, _3, r"F^L(x) = B^L h_L^L", "The output is linear in the last hidden state.")
_define(
    "loss.mean-squared-error",
    Q.loss,
    Q.sum_squares / Q.n,
    Source("Section 3", "data and loss", "", 3),
    r"\ell^L = \frac1n \sum_{i=1}^n \|F^L(x_i)-y_i\|^2",
    "The empirical risk is the sum over outputs and the mean over samples of squared errors.",
)

_13 = Source("Appendix A", "backpropagation", "(13)", 14)
_define(
    "eq13.last",
    Q.p_last,
    2 * Q.B_residual,
    _13,
    r"p_L^L(t) = 2 B^L(t)^\top (F^L(x;t)-y)",
    "The last adjoint state is the gradient of the squared error in the last hidden state.",
    tool=Tool.CHAIN_RULE,
)
_define(
    "eq13.layer",
    Q.p,
    Q.p_next + Q.jacobian_p / Q.L,
    _13,
    r"p_k^L(t) = p_{k+1}^L(t) + \frac1L \partial_1 f(h_k^L(t), Z_{k+1}^L(t)) p_{k+1}^L(t)",
    "The backward recurrence as printed, with the Jacobian itself.",
    tool=Tool.CHAIN_RULE,
    expect="eq13-witness",
    note="The print lacks the transpose of ∂₁f: by the chain rule ∂ℓ/∂h_k = (I + ∂₁f/L)ᵀ ∂ℓ/∂h_{k+1}. The norms used later are "
    "those of ∂₁f either way, so nothing that follows depends on it.",
)
_define(
    "eq13.layer",
    Q.p,
    Q.p_next + Q.jacobian_t_p / Q.L,
    _13,
    r"p_k^L(t) = p_{k+1}^L(t) + \frac1L \partial_1 f(h_k^L(t), Z_{k+1}^L(t))^\top p_{k+1}^L(t)",
    "The backward recurrence with the transposed Jacobian.",
    edition="corrected",
    tool=Tool.CHAIN_RULE,
)
_gradients = {
    "eq14.A": (Q.grad_A, Q.sum_p0_x / Q.n, "(14)", r"\frac{\partial\ell^L}{\partial A^L} = \frac1n\sum_{i=1}^n p_{0,i}^L x_i^\top"),
    "eq15.V": (
        Q.grad_V,
        Q.sum_vjp_V / (Q.n * Q.L),
        "(15)",
        r"\frac{\partial\ell^L}{\partial Z_k^L} = \frac{1}{nL}\sum_{i=1}^n \partial_2 f(h_{k-1,i}^L, Z_k^L)^\top p_{k,i}^L",
    ),
    "eq15.W": (
        Q.grad_W,
        Q.sum_vjp_W / (Q.n * Q.L),
        "(15)",
        r"\frac{\partial\ell^L}{\partial Z_k^L} = \frac{1}{nL}\sum_{i=1}^n \partial_2 f(h_{k-1,i}^L, Z_k^L)^\top p_{k,i}^L",
    ),
    "eq16.B": (
        Q.grad_B,
        2 * Q.sum_error_h / Q.n,
        "(16)",
        r"\frac{\partial\ell^L}{\partial B^L} = \frac2n\sum_{i=1}^n (F^L(x_i)-y_i) h_{L,i}^{L\top}",
    ),
}
for _label, (_lhs, _rhs, _number, _tex) in _gradients.items():
    _define(
        _label,
        _lhs,
        _rhs,
        Source("Appendix A", "backpropagation", _number, 15),
        _tex,
        f"The gradient in {_label[-1]} follows from the adjoint of (13) with the transpose.",
        premises=("eq13.layer",),
        tool=Tool.CHAIN_RULE,
    )

_4 = Source("Section 3", "training algorithm", "(4)", 4)
_5 = Source("Section 3", "training algorithm", "(5)", 4)
_velocities = {
    "A": (Q.A_dot, -Q.trained_ends * Q.grad_A, Q.trained_ends * Q.pi_A, r"\frac{dA^L}{dt} = %s"),
    "V": (Q.V_dot, -Q.L * Q.grad_V, Q.pi_V, r"\frac{dZ_k^L}{dt} = %s"),
    "W": (Q.W_dot, -Q.L * Q.grad_W, Q.pi_W, r"\frac{dZ_k^L}{dt} = %s"),
    "B": (Q.B_dot, -Q.trained_ends * Q.grad_B, Q.trained_ends * Q.pi_B, r"\frac{dB^L}{dt} = %s"),
}
for _block, (_lhs, _plain, _clipped, _tex) in _velocities.items():
    _g = rf"\frac{{\partial\ell^L}}{{\partial {'Z_k' if _block in 'VW' else _block}^L}}"
    _scale = "L" if _block in "VW" else ""
    _define(
        f"eq4.{_block}",
        _lhs,
        _plain,
        _4,
        _tex % f"-{_scale}{_g}",
        f"The gradient flow of {_block}{'_k, with the factor L' if _scale else ''}.",
        regimes=("plain-flow", "local-pl"),
    )
    _define(
        f"eq5.{_block}",
        _lhs,
        _clipped,
        _5,
        _tex % rf"\pi\Big(-{_scale}{_g}\Big)",
        f"The clipped gradient flow of {_block}{'_k: a clip acts after the factor L' if _scale else ', clipped if there is a clip'}.",
        regimes=("clipped-flow", "network"),
    )

for _regime, _label, _source in (("plain-flow", "eq4", _4), ("clipped-flow", "eq5", _5)):
    for _block, (_lhs, _rhs) in {
        "A": (Q.A_t, Q.A_ref),
        "V": (Q.V_t, Q.V_ref),
        "W": (Q.W_t, Q.W_ref),
        "B": (Q.B_t, Q.B_ref),
    }.items():
        _define(
            f"{_label}.flow-{_block}",
            _lhs,
            _rhs,
            _source,
            rf"t \mapsto {_block}^L(t) \text{{ solves }} {_source.equation}",
            f"{_block} at the saved times is where the flow of {_source.equation} leads from the initial state.",
            regimes=(_regime,) if _regime == "clipped-flow" else (_regime, "local-pl", "long-flow"),
            inputs="along-trajectory",
        )

_6 = Source("Section 3", "neural ODE", "(6)", 4)
_define(
    "eq6.state",
    Q.H_s,
    Q.H_ref,
    _6,
    r"\frac{dH}{ds}(s) = \frac{1}{\sqrt m}\mathcal V(s)\sigma\Big(\frac{1}{\sqrt q}\mathcal W(s)H(s)\Big),\ H(0)=Ax",
    "The neural ODE's states at saved s agree with an independent solver of another kind (implicit, fifth order).",
    regimes=("euler-scheme", "euler-ladder"),
    inputs="along-trajectory",
)
_define(
    "eq6.output",
    Q.F_ode,
    Q.B_H1,
    _6,
    r"F(x) = BH(1)",
    "The neural ODE's output is linear in its last state.",
    regimes=("euler-scheme", "euler-ladder"),
    inputs="along-trajectory",
)
