r"""Proposition 8 on certified instances of model (3), for whatever implementation: flows until ℓ = 1e-12 ℓ(0).

(22) cannot be met there (`depthlimit.theory.paper.prop8` says why), so M and μ are those of `depthlimit.theory.paper.certificate`: R_A,
R_B, R_V and R_W for M, block by block, and μ of the ball. Then, with a of the certificate for K₁, v = R_V, w = |W(0)|₂ + R_W,
H = (1 + R_A) e^a M_X and K₁, K₂, K'₂₂ and K'₂₁ of `depthlimit.theory.paper.prop7` over that ball,

    (1/n) Σ |p_k| <= 2 (1 + R_B) e^a √ℓ(t) <= 2 (1 + R_B) e^a √ℓ(0) e^{-μt/2},  ∫_0^∞ (1/n) Σ |p_k| <= Π = 2 (1 + R_B) e^a τ        (25)
    |Z_{k+1} - Z_k| <= (K₁K₂ + K'₂₁K₁H) Π e^{K'₂₂Π}/L                                                   statement (ii); gaps are 0 at t = 0

In the norm with weight 1/L on Z, -dℓ/dt = |θ'|² >= √(μℓ) |θ'|, so -d√ℓ/dt >= √μ |θ'|/2, and from one time to another

    |θ(t') - θ(t)| <= ∫_t^{t'} |θ'| <= 2 (√ℓ(t) - √ℓ(t'))/√μ,

which for t' -> ∞ is statement (iv), and from t = 0 the distance to the initialisation. Late in training the loss is 1e-12 of what its terms
were; it is compared in logarithms, where an error of the states of 1e-9 of the residual shows.
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Claim, Condition, Role, Source, Tool
from depthlimit.theory.paper import certificate as C
from depthlimit.theory.paper import prop7
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.general import measured
from depthlimit.theory.paper.prop8 import START
from depthlimit.theory.paper.unclipped import A_op, B_op_t, p_mean
from depthlimit.theory.registry import claims, register

left = measured("loss_left", r"\ell(T)/\ell(0)", "", "what is left of the loss at the last time", local=False)
log_loss = measured("log_loss", r"\ln\frac{\ell(0)}{\ell(t)}", "BT", "logarithm of what the implementation's flow has left", local=False)
log_loss_ref = measured("log_loss_ref", r"\ln\frac{\ell(0)}{\ell(\varphi_t)}", "BT", "the same of the reference flow", local=False)
chord = measured(
    "path_chord", r"\|\theta(t_j)-\theta(t_{j-1})\|", "BT", "distance from the saved time before, weight 1/L on Z", local=False
)
loss_before = measured("loss_before", r"\ell(t_{j-1})", "BT", "loss at the saved time before", local=False)
tail = measured("weights_left", r"\|\theta_\infty-\theta(t)\|", "BT", "distance to the limit weights, weight 1/L on Z", local=False)

rate_low = measured(
    "rate_low", r"\inf_t-\dot\ell/\ell", "", "smallest instantaneous rate at the saved times, less the largest change from one to the next"
)
rate_high = measured(
    "rate_high", r"\sup_t-\dot\ell/\ell", "", "largest instantaneous rate at the saved times, and the largest change from one to the next"
)

_PI, _H, _K1, _K2, _K22, _K21, _v, _w = (sp.Symbol(s, nonnegative=True) for s in ("Pi", "H", "K_1", "K_2", "K'_22", "K'_21", "v", "w"))
(_DECAY,) = claims("certificate.decay[sharpened,a-priori]")
CERTIFIED, NEEDS = _DECAY.hypotheses, _DECAY.needs
_ADJOINT = 2 * (1 + Q.R_B) * sp.exp(C.a)
_CURVED = prop7.curvature(_v, _w, _H)
_SUCCESSIVE = {
    **C.WHERE,
    prop7.kappa: Q.K_sigma / sp.sqrt(Q.q * Q.m),
    _PI: _ADJOINT * C.tau,
    _K1: prop7.kappa * _v * _w,
    _K2: prop7.kappa * _H * sp.sqrt(_v**2 + _w**2),
    _K22: _CURVED[0],
    _K21: _CURVED[1],
}
_BALL = {_v: Q.R_V, _w: Q.w0 + Q.R_W, _H: (1 + Q.R_A) * sp.exp(C.a) * Q.M_X}
_RUN = {_v: Q.v_sup, _w: Q.w_sup, _H: Q.h_sup}
SUCCESSIVE, K_TILDE = {**_SUCCESSIVE, **_BALL}, (_K1 * _K2 + _K21 * _K1 * _H) * _PI * sp.exp(_K22 * _PI)


def _long(
    label: str,
    lhs: sp.Expr,
    relation: str,
    rhs: sp.Expr,
    tex: str,
    meaning: str,
    *,
    inputs: str = "a-priori",
    where: dict[sp.Symbol, sp.Expr] | None = None,
    hypotheses: tuple[Condition, ...] = CERTIFIED,
    needs: frozenset[str] = NEEDS,
    equality: Condition | None = None,
    premises: tuple[str, ...] = (),
    tool: Tool = Tool.POLYAK_LOJASIEWICZ,
    role: Role = Role.RESULT,
) -> None:
    register(
        Claim(
            f"prop8.long-{label}",
            lhs,
            relation,
            rhs,
            Source("Proposition 8", "on certified instances of model (3)"),
            ("long-flow",),
            meaning,
            tex,
            role=role,
            edition="sharpened",
            inputs=inputs,
            where=C.WHERE if where is None else where,
            hypotheses=hypotheses,
            needs=needs,
            equality=equality,
            premises=premises,
            tool=tool,
        )
    )


_long(
    "left",
    left,
    "<=",
    sp.Rational(1, 10**12),
    r"\ell^L(T) \le 10^{-12}\,\ell^L(0)",
    "The flow exists, without clipping, until the loss is 1e-12 of what it was.",
    inputs="along-trajectory",
    hypotheses=(),
    role=Role.HYPOTHESIS,
    tool=Tool.DEFINITION,
)
_long(
    "loss",
    log_loss,
    "=",
    log_loss_ref,
    r"\ln\frac{\ell^L(0)}{\ell^L(t)} = \ln\frac{\ell^L(0)}{\ell(\varphi_t(\theta(0)))}",
    "The loss is that of the flow of (4) to the end, relative to what is left of it.",
    inputs="along-trajectory",
    hypotheses=(),
    role=Role.IDENTITY,
    tool=Tool.DEFINITION,
)
for _label, _inputs, _relation, _rate, _tex, _says in (
    ("decay", "a-priori", "<=", C.mu, r"\le e^{-\mu t}", "The loss decays at least at the certified rate."),
    (
        "decay",
        "along-trajectory",
        "<=",
        rate_low,
        r"\le e^{-t\inf(-\dot\ell/\ell)}",
        "It decays at least at the smallest instantaneous rate.",
    ),
    ("decay-above", "along-trajectory", ">=", rate_high, r"\ge e^{-t\sup(-\dot\ell/\ell)}", "It decays at most at the largest one."),
):
    _long(
        _label,
        Q.loss_t,
        _relation,
        Q.loss0 * sp.exp(-_rate * Q.t),
        rf"\ell^L(t) {_tex}\,\ell^L(0)",
        _says,
        inputs=_inputs,
        hypotheses=CERTIFIED if _rate is C.mu else (),
        equality=START,
        premises=("certificate.rate" if _rate is C.mu else "identities.energy-rate",),
        tool=Tool.GRONWALL,
    )
for _name, _size, _R in (("A", A_op, Q.R_A), ("B", B_op_t, Q.R_B)):
    _long(
        f"norm-{_name}",
        _size,
        "<=",
        1 + _R,
        rf"\|{_name}^L(t)\|_2 \le M_{_name} = 1 + R_{_name}",
        f"Statement (i) for {_name}, in the operator norm, with the certified radius.",
        premises=(f"certificate.stays-{_name}",),
        tool=Tool.TRIANGLE,
    )
_long(
    "chord",
    chord,
    "<=",
    2 * (sp.sqrt(loss_before) - sp.sqrt(Q.loss_t)) / sp.sqrt(C.mu),
    r"\|\theta(t_j)-\theta(t_{j-1})\| \le \frac{2}{\sqrt\mu}\Big(\sqrt{\ell^L(t_{j-1})}-\sqrt{\ell^L(t_j)}\Big)",
    "From one saved time to the next the path is no longer than the fall of √ℓ allows.",
    inputs="along-trajectory",
    equality=START,
    premises=("certificate.pl", "identities.energy-rate"),
)
_long(
    "distance",
    sp.sqrt(Q.displacement2),
    "<=",
    2 * sp.sqrt(Q.loss0 / C.mu),
    r"\|\theta(t)-\theta(0)\| \le 2\sqrt{\ell^L(0)/\mu}",
    "Weights stay near the initialisation at all times.",
    premises=("prop8.long-chord",),
    tool=Tool.TRIANGLE,
)
_long(
    "tail",
    tail,
    "<=",
    2 * sp.sqrt(Q.loss_t / C.mu),
    r"\|\theta_\infty-\theta(t)\| \le 2\sqrt{\ell^L(t)/\mu}",
    "Statement (iv): weights converge, and what is left of the loss says how far they still are from their limits.",
    inputs="along-trajectory",
    equality=Condition("t is the last time", Q.t, ">=", Q.T, trivial=True),
    premises=("prop8.long-chord",),
    tool=Tool.TRIANGLE,
)
_long(
    "adjoint",
    p_mean,
    "<=",
    _ADJOINT * sp.sqrt(Q.loss_t),
    r"\frac1n\sum_{i=1}^n\|p_{k,i}^L(t)\| \le 2(1+R_B)e^a\sqrt{\ell^L(t)}",
    "(25) up to its last member, with the certificate's a for K₁.",
    inputs="along-trajectory",
    premises=("prop8.p-growth", "prop8.long-norm-B"),
    tool=Tool.CAUCHY_SCHWARZ,
    role=Role.STEP,
)
_long(
    "adjoint-decay",
    p_mean,
    "<=",
    _ADJOINT * sp.sqrt(Q.loss0) * sp.exp(-C.mu * Q.t / 2),
    r"\frac1n\sum_{i=1}^n\|p_{k,i}^L(t)\| \le 2(1+R_B)e^ae^{-\frac{\mu t}2}\sqrt{\ell^L(0)}",
    "(25) with its last member.",
    premises=("prop8.long-adjoint", "certificate.decay"),
    tool=Tool.GRONWALL,
    role=Role.STEP,
)
for _inputs, _where in (("a-priori", _BALL), ("along-trajectory", _RUN)):
    _long(
        "successive",
        Q.gap,
        "<=",
        K_TILDE / Q.L,
        r"\|Z_{k+1}^L(t)-Z_k^L(t)\| \le \frac{\tilde K}L",
        f"Statement (ii) with K̃ from {'the ball' if _where is _BALL else 'the suprema along this run'}.",
        inputs=_inputs,
        where={**_SUCCESSIVE, **_where},
        needs=NEEDS | prop7.SMOOTH,
        equality=Condition("nothing has moved", Q.displacement2, "=", sp.Integer(0), trivial=True),
        premises=("prop7.gap-rate", "prop8.long-adjoint-decay"),
        tool=Tool.GRONWALL,
    )
