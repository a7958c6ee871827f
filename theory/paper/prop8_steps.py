r"""Proposition 8, line by line: (22)-(25), the bootstrap of the ball, the limit weights, successive weights (pages 17-20).

What the print has otherwise than it must read is in `depthlimit.theory.paper.prop8_differences`. A chain is registered inequality by
inequality; a line between two expressions in the constants alone says that (22) was used as it can be.
"""

from __future__ import annotations

import sympy as sp

from depthlimit.theory.claim import Condition, Role, Tool
from depthlimit.theory.paper import prop7_quantities as P
from depthlimit.theory.paper import prop8 as S
from depthlimit.theory.paper import quantities as Q
from depthlimit.theory.paper.prop7 import E_h, K
from depthlimit.theory.paper.prop8 import ADJOINT, C1, C2, DEEP, FADING, K1, M_A, M_B, M_Z, PL_SHARP, START, Kt, R_pl, b, line, mu, pl
from depthlimit.theory.paper.unclipped import A_op, B_op_t, p_mean

_RESULT, _LAST = Role.RESULT, 4 * sp.exp(K) * sp.sqrt(Q.loss0) / mu
_SINCE = 2 / mu * (1 - FADING)  # ∫_0^t e^{-μτ/2} dτ
_NORMS = (
    "M_A and M_B have operator norms of the initial values, and Frobenius norms are larger: with d = 2 orthonormal columns ‖A(0)‖_F = √2."
)

# --- (22) and the ball
line(
    "eq22",
    mu,
    "<=",
    pl,
    18,
    r"\mu = \max(M_BK, M_BM_X, M_AM_X)\frac{8e^K}{M}\sup_{L\in\mathbb N^*}\sqrt{\ell^L(0)}",
    "μ of (22) is at most a proven PL constant of the ball: the hypothesis of the proposition is met.",
    hypotheses=(DEEP,),
    equation="(22)",
    role=Role.HYPOTHESIS,
    tool=Tool.PERTURBATION,
)
line(
    "pl",
    S.gradient2,
    ">=",
    mu * Q.loss,
    18,
    r"\Big\|\frac{\partial\ell^L}{\partial A^L}\Big\|_F^2 + L\sum_{k=1}^L\Big\|\frac{\partial\ell^L}{\partial Z_k^L}\Big\|^2"
    r" + \Big\|\frac{\partial\ell^L}{\partial B^L}\Big\|_F^2 \ge \mu\,\ell^L(t)",
    "The PL condition along the flow.",
    premises=("eq22",),
    tool=Tool.POLYAK_LOJASIEWICZ,
)
line(
    "pl",
    S.gradient2,
    ">=",
    pl * Q.loss,
    None,
    r"\Big\|\frac{\partial\ell^L}{\partial A^L}\Big\|_F^2 + \Big\|\frac{\partial\ell^L}{\partial B^L}\Big\|_F^2 \ge \mu_{PL}\,\ell^L(t)",
    "The PL condition along the flow with the proven constant.",
    edition="sharpened",
    premises=("eq22",),
    tool=Tool.PERTURBATION,
)
line(
    "chain-rule",
    S.inner_rate,
    "=",
    S.gradient2,
    18,
    r"\Big\langle\frac{\partial\ell^L}{\partial A^L},\frac{dA^L}{dt}\Big\rangle + \dots"
    r" = -\Big\|\frac{\partial\ell^L}{\partial A^L}\Big\|_F^2"
    r" - L\sum_{k=1}^L\Big\|\frac{\partial\ell^L}{\partial Z_k^L}\Big\|^2 - \Big\|\frac{\partial\ell^L}{\partial B^L}\Big\|_F^2",
    "The loss falls by the squared gradient: derivatives by forward mode, velocities by the recurrence.",
    inputs="instantaneous",
    hypotheses=(),
    premises=("eq5.general-A", "eq5.general-Z", "eq5.general-B"),
    tool=Tool.CHAIN_RULE,
)
line(
    "descent",
    S.inner_rate,
    ">=",
    mu * Q.loss,
    18,
    r"\frac{d\ell^L}{dt}(t) \le -\mu\,\ell^L(t)",
    "The loss falls at rate μ at least, at every saved time.",
    premises=("chain-rule", "pl"),
    tool=Tool.POLYAK_LOJASIEWICZ,
)
line(
    "eq24",
    Q.loss_t,
    "<=",
    sp.exp(-mu * Q.t) * Q.loss0,
    19,
    r"\ell^L(t) \le e^{-\mu t}\ell^L(0)",
    "The loss decays exponentially.",
    equation="(24)",
    equality=START,
    premises=("descent",),
    tool=Tool.GRONWALL,
)
line(
    "decay",
    Q.mean_rate,
    ">=",
    mu,
    18,
    r"\ell^L(t) \le e^{-\mu t}\ell^L(0)",
    "Statement (v) in the form ln(ℓ(0)/ℓ(t))/t >= μ, whose ratio shows what could fail.",
    role=_RESULT,
    premises=("eq24",),
    tool=Tool.GRONWALL,
)
line(
    "decay",
    Q.mean_rate,
    ">=",
    pl,
    None,
    r"\ell^L(t) \le e^{-\mu_{PL}t}\ell^L(0)",
    "The loss decays at the proven PL constant, which may exceed μ of (22).",
    edition="sharpened",
    role=_RESULT,
    premises=("pl",),
    tool=Tool.GRONWALL,
)
for _k, _norm, _op, _bound, _t, _init in (
    ("A", Q.A_norm, A_op, M_A, r"\|A^L(t)\|", r"\|A^{\mathrm{init}}\|_2"),
    ("B", Q.B_norm, B_op_t, M_B, r"\|B^L(t)\|", r"\|B^{\mathrm{init}}\|_2"),
):
    for _edition, _lhs, _sub in (("as-printed", _norm, "_F"), ("corrected", _op, "_2")):
        line(
            f"norm-{_k}",
            _lhs,
            "<=",
            _bound,
            17,
            rf"{_t}{_sub} \le M_{_k} = {_init} + M",
            f"Statement (i) for {_k}{', in the Frobenius norm' if _sub == '_F' else ', in the operator norm'}.",
            edition=_edition,
            role=_RESULT,
            expect="prop8-ball-witness" if _sub == "_F" else None,
            note=_NORMS if _sub == "_F" else "",
        )
line(
    "norm-Z",
    P.Z_size,
    "<=",
    M_Z,
    17,
    r"\|Z_k^L(t)\| \le M_Z = \sup_{s\in[0,1]}\|Z^{\mathrm{init}}(s)\| + M",
    "Statement (i) for Z_k.",
    role=_RESULT,
)
_MOVED = {"A": (Q.moved_A, r"\|A^L(t)-A^L(0)\|_F"), "Z": (S.moved_Z, r"\|Z_k^L(t)-Z_k^L(0)\|"), "B": (Q.moved_B, r"\|B^L(t)-B^L(0)\|_F")}
for _k, (_moved, _tex) in _MOVED.items():
    line(
        f"eq23-{_k}",
        _moved,
        "<=",
        R_pl,
        18,
        rf"{_tex} \le M",
        f"{_k} stays in the ball.",
        equation="(23)",
        equality=START,
        tool=Tool.DEFINITION,
    )
    line(
        f"eq23-{_k}",
        _moved,
        "<=",
        R_pl,
        None,
        rf"{_tex} \le M",
        f"{_k} stays in the ball under the weaker condition μ♯ <= μ_PL.",
        edition="sharpened",
        hypotheses=PL_SHARP,
        equality=START,
        tool=Tool.GRONWALL,
    )

# --- adjoint states
line(
    "compact-h",
    P.h_size,
    "<=",
    E_h,
    19,
    r"(h_{k-1,i}^L(t), Z_k^L(t)) \in E",
    "Hidden states lie in E; that Z_k does is statement (i).",
    premises=("norm-A", "norm-Z", "prop7.hidden-bound"),
    tool=Tool.SUPREMUM,
)
for _edition, _factor, _tex, _more in (
    ("as-printed", 2 * sp.exp(K), "2e^K", ", with the 2 that belongs to the next line"),
    ("corrected", sp.exp(K), "e^K", ""),
    ("sharpened", sp.exp(K1), "e^{K_1}", ", K₁ for K"),
):
    line(
        "p-growth",
        P.p_size,
        "<=",
        _factor * P.p_last_size,
        None if _edition == "sharpened" else 19,
        rf"\|p_{{k-1,i}}^L(t)\| \le {_tex}\|p_{{L,i}}^L(t)\|",
        f"Adjoint states grow by at most e^K{_more}.",
        edition=_edition,
        premises=("compact-h", "prop7.p-bound"),
        tool=Tool.DISCRETE_GRONWALL,
    )
for _edition, _factor in (("as-printed", 1), ("corrected", 2)):
    line(
        "p-last",
        P.p_last_size,
        "<=",
        _factor * M_B * S.r_size,
        19,
        r"2e^K\|p_{L,i}^L(t)\| \le 2e^KM_B\|F^L(x_i;t)-y_i\|" if _factor == 1 else r"e^K\|p_{L,i}^L(t)\| \le 2e^KM_B\|F^L(x_i;t)-y_i\|",
        "The last adjoint state against the error, without the common factor.",
        edition=_edition,
        premises=("norm-B", "eq13.general-last"),
        tool=Tool.SUPREMUM,
        expect="prop8-ball-witness" if _factor == 1 else None,
        note="p_L = 2Bᵀ(F - y): the 2 was spent on the inequality before." if _factor == 1 else "",
    )
_25 = {"equation": "(25)"}
line(
    "eq25-adjoint",
    p_mean,
    "<=",
    2 * sp.exp(K) * M_B * S.r_mean,
    19,
    r"\frac1n\sum_{i=1}^n\|p_{k,i}^L(t)\| \le \frac{2e^KM_B}{n}\sum_{i=1}^n\|F^L(x_i;t)-y_i\|",
    "Mean adjoint states, k = 0..L, against the mean error.",
    premises=("p-growth", "p-last"),
    **_25,  # type: ignore[arg-type]
)
line(
    "eq25-cauchy",
    S.r_mean,
    "<=",
    sp.sqrt(Q.loss_t),
    19,
    r"\frac1n\sum_{i=1}^n\|F^L(x_i;t)-y_i\| \le \sqrt{\ell^L(t)}",
    "The mean error against the root of the loss, without the common factor.",
    hypotheses=(),
    equality=Condition("all errors are of one size", S.r_mean, "=", sp.sqrt(Q.loss_t)),
    tool=Tool.CAUCHY_SCHWARZ,
    **_25,  # type: ignore[arg-type]
)
line(
    "eq25-decay",
    sp.sqrt(Q.loss_t),
    "<=",
    FADING * sp.sqrt(Q.loss0),
    19,
    r"\sqrt{\ell^L(t)} \le e^{-\frac{\mu t}2}\sqrt{\ell^L(0)}",
    "The root of (24), without the common factor.",
    equality=START,
    premises=("eq24",),
    tool=Tool.GRONWALL,
    **_25,  # type: ignore[arg-type]
)
line(
    "eq25",
    p_mean,
    "<=",
    ADJOINT * FADING,
    19,
    r"\frac1n\sum_{i=1}^n\|p_{k,i}^L(t)\| \le 2e^KM_Be^{-\frac{\mu t}2}\sqrt{\ell^L(0)}",
    "The first and the last side of (25).",
    premises=("eq25-adjoint", "eq25-cauchy", "eq25-decay"),
    tool=Tool.GRONWALL,
    **_25,  # type: ignore[arg-type]
)
line(
    "eq25",
    p_mean,
    "<=",
    2 * sp.exp(K1) * M_B * sp.exp(-pl * Q.t / 2) * sp.sqrt(Q.loss0),
    None,
    r"\frac1n\sum_{i=1}^n\|p_{k,i}^L(t)\| \le 2e^{K_1}M_Be^{-\frac{\mu_{PL}t}2}\sqrt{\ell^L(0)}",
    "The same with K₁ for K and the proven PL constant.",
    edition="sharpened",
    premises=("p-growth", "p-last", "pl"),
    tool=Tool.GRONWALL,
)

# --- the three chains: each inequality of the displays of page 19
_CHAINS = {  # path, split sums and their integrals, speed over 2e^K√ℓ(0)e^{-μt/2}, TeX of the split sum
    "Z": (
        P.path_Z,
        S.pull_path,
        K * M_B,
        r"\frac1n\sum_{i=1}^n\int_0^t\|\partial_2f(h_{k-1,i}^L,Z_k^L)^\top p_{k,i}^L\|d\tau",
        "KM_B",
        "15",
    ),
    "A": (P.path_A, S.px_path, M_B * Q.M_X, r"\int_0^t\frac1n\sum_{i=1}^n\|p_{0,i}^Lx_i^\top\|_Fd\tau", "M_BM_X", "14"),
    "B": (P.path_B, S.rh_path, M_A * Q.M_X, r"\int_0^t\frac2n\sum_{i=1}^n\|(F^L(x_i)-y_i)h_{L,i}^{L\top}\|_Fd\tau", "M_AM_X", "16"),
}
for _k, (_path, _sum, _speed, _tex_sum, _tex_speed, _eq) in _CHAINS.items():
    _moved, _tex = _MOVED[_k]
    _tex_path = rf"\int_0^t\Big\|\frac{{d{_k}^L}}{{dt}}\Big\|d\tau"
    line(
        f"{_k}-path",
        _moved,
        "<=",
        _path,
        19,
        rf"{_tex} \le {_tex_path}",
        f"{_k} moves at most the length of its path.",
        equality=Condition("the path is straight", _moved, "=", _path),
    )
    line(
        f"{_k}-split",
        _path,
        "<=",
        _sum,
        19,
        rf"{_tex_path} \le {_tex_sum}",
        f"The speed of {_k}, sample by sample.",
        equality=Condition("one sample, or samples that agree", _path, "=", _sum),
        hypotheses=(),
        premises=(f"eq{_eq}.general-{_k}", f"{_k}-path"),
    )
    if _k == "Z":
        line(
            "Z-K",
            _sum,
            "<=",
            K * S.p_path,
            19,
            rf"{_tex_sum} \le \frac Kn\sum_{{i=1}}^n\int_0^t\|p_{{k,i}}^L(t)\|dt",
            "∂₂f is at most K on E.",
            equality=START,
            premises=("compact-h", "Z-split"),
            tool=Tool.SUPREMUM,
        )
    line(
        f"{_k}-integral",
        _sum if _k != "Z" else K * S.p_path,
        "<=",
        2 * sp.exp(K) * _speed * sp.sqrt(Q.loss0) * _SINCE,
        19,
        rf"{_tex_sum if _k != 'Z' else 'K p'} \le 2e^K{_tex_speed}\sqrt{{\ell^L(0)}}\int_0^te^{{-\frac{{\mu\tau}}2}}d\tau",
        f"(25){' and the bound on h_L' if _k == 'B' else ''} under the integral.",
        equality=START,
        premises=(f"{_k}-split", "eq25", *(("compact-h",) if _k == "B" else ())),
        tool=Tool.CAUCHY_SCHWARZ if _k == "B" else Tool.SUPREMUM,
    )
    line(
        f"{_k}-total",
        2 * sp.exp(K) * _speed * sp.sqrt(Q.loss0) * _SINCE,
        "<=",
        _LAST * _speed,
        19,
        rf"2e^K{_tex_speed}\sqrt{{\ell^L(0)}}\int_0^te^{{-\frac{{\mu\tau}}2}}d\tau \le \frac{{4e^K{_tex_speed}}}{{\mu}}\sqrt{{\ell^L(0)}}",
        "The integral is at most 2/μ, which it reaches as t grows.",
        equality=Condition("t -> ∞", FADING, "<=", sp.Rational(1, 10**6)),
        premises=(f"{_k}-integral",),
        tool=Tool.SUPREMUM,
    )
    line(
        f"{_k}-half",
        _LAST * _speed,
        "<=",
        R_pl / 2,
        19,
        rf"\frac{{4e^K{_tex_speed}}}{{\mu}}\sqrt{{\ell^L(0)}} \le \frac M2",
        f"The definition of μ; an equality where {_tex_speed.replace('_', '')} is the largest of the three.",
        equality=Condition("this is the largest of the three in (22)", _LAST * _speed, "=", R_pl / 2),
        premises=("eq22", f"{_k}-total"),
        tool=Tool.DEFINITION,
    )
    line(
        f"{_k}-moved",
        _moved,
        "<=",
        R_pl / 2,
        19,
        rf"{_tex} \le \frac M2",
        f"{_k} moves at most half of the radius.",
        equality=START,
        premises=(f"{_k}-path", f"{_k}-half"),
    )

# --- (iii), and the limits of (iv)
for _k, _quantity in (("A", S.A_flow_speed), ("Z", S.Z_flow_speed), ("B", S.B_flow_speed)):
    line(
        f"speed-{_k}",
        _quantity,
        "<=",
        b,
        18,
        rf"\Big\|\frac{{d{_k}^L}}{{dt}}(t)\Big\| \le b(t)",
        f"Statement (iii) for {_k} with b(t) = (μM/4)e^{{-μt/2}}, which (25) and (22) give; its integral is M/2.",
        edition="explicit",
        role=_RESULT,
        premises=("eq25", "eq22"),
        tool=Tool.SUPREMUM,
    )
line(
    "tail-path",
    S.tail_A,
    "<=",
    S.rest_A,
    20,
    r"\|A_\infty^L-A^L(t)\|_F \le \int_t^\infty\Big\|\frac{dA^L}{d\tau}(\tau)\Big\|_Fd\tau",
    "A is no farther from its limit than the rest of its path is long.",
    equality=Condition("the rest of the path is straight", S.tail_A, "=", S.rest_A),
)
line(
    "tail-integral",
    S.rest_A,
    "<=",
    _LAST * M_B * Q.M_X * FADING,
    20,
    r"\int_t^\infty\Big\|\frac{dA^L}{d\tau}\Big\|_Fd\tau \le 2e^KM_BM_X\sqrt{\ell^L(0)}\int_t^\infty e^{\frac{-\mu\tau}2}d\tau"
    r" = \frac{4e^KM_BM_X}\mu e^{\frac{-\mu t}2}\sqrt{\ell^L(0)}",
    "(25) under the integral from t on.",
    premises=("tail-path", "eq25"),
    tool=Tool.SUPREMUM,
)
for _k, _quantity in (("A", S.tail_A), ("Z", S.tail_Z), ("B", S.tail_B)):
    line(
        f"tail-{_k}",
        _quantity,
        "<=",
        R_pl / 2 * FADING,
        20,
        rf"\|{_k}_\infty^L-{_k}^L(t)\| \le \frac M2e^{{\frac{{-\mu t}}2}}",
        f"{_k} converges to its limit, uniformly over depths{' and layers' if _k == 'Z' else ''}: statement (iv) with its constant.",
        edition="as-printed" if _k == "A" else "explicit",
        role=_RESULT,
        premises=("tail-integral", "eq22"),
        tool=Tool.SUPREMUM,
    )

# --- (ii): successive weights
_TEX_GAP = r"\|Z_{k+1}^L(t)-Z_k^L(t)\|"
_TEX_RATE = r"\Big\|\frac{dZ_{k+1}^L}{dt}(t)-\frac{dZ_k^L}{dt}(t)\Big\| \le "
for _edition, _p, _tex_p in (
    ("as-printed", P.mean_p, r"\|p_{k,i}^L(t)\|"),
    ("corrected", Q.p_pair, r"\max(\|p_{k,i}^L\|,\|p_{k+1,i}^L\|)"),
):
    line(
        "successive-rate",
        Q.gap_rate,
        "<=",
        _p * (C1 / Q.L + C2 * Q.gap_here),
        20,
        _TEX_RATE + rf"\frac1n\sum_{{i=1}}^n{_tex_p}\Big(\frac{{C_1}}L + C_2{_TEX_GAP}\Big)",
        "Successive velocities against adjoint states, with C₁ = K² + K'K e^K M_A M_X and C₂ = K' of the proof of Proposition 7.",
        edition=_edition,
        hypotheses=(),
        premises=("prop7.thus",),
        expect="prop8-successive-witness" if _edition == "as-printed" else None,
        note="As in the proof of Proposition 7: p_{k+1} enters too, and p_k may vanish alone." if _edition == "as-printed" else "",
    )
_FORCE = ADJOINT * _SINCE
line(
    "successive-decay",
    S.velocity_gap,
    "<=",
    ADJOINT * FADING * (C1 / Q.L + C2 * Q.gap),
    20,
    _TEX_RATE + rf"2e^KM_Be^{{-\frac{{\mu t}}2}}\sqrt{{\ell^L(0)}}\Big(\frac{{C_1}}L + C_2{_TEX_GAP}\Big)",
    "The same with (25).",
    premises=("successive-rate", "eq25"),
    tool=Tool.SUPREMUM,
)
_GROWTH = ADJOINT * C2 * S.gap_decay_path
_TEX_GROWTH = r"\int_0^t2e^KM_Be^{-\frac{\mu\tau}2}\sqrt{\ell^L(0)}C_2\|Z_{k+1}^L(\tau)-Z_k^L(\tau)\|d\tau"
_TEX_START = r"\|Z_{k+1}^L(0)-Z_k^L(0)\|"
for _label, _from, _rhs, _tex_rhs, _tool in (
    (
        "successive-integral",
        ("successive-decay",),
        Q.gap0 + _FORCE * C1 / Q.L + _GROWTH,
        rf"{_TEX_START} + \int_0^t2e^KM_Be^{{-\frac{{\mu\tau}}2}}\sqrt{{\ell^L(0)}}\frac{{C_1}}Ld\tau + {_TEX_GROWTH}",
        Tool.TRIANGLE,
    ),
    (
        "successive-mu",
        ("successive-integral", "eq22"),
        Q.gap0 + C1 * R_pl / (2 * Q.M_X * Q.L) + _GROWTH,
        rf"{_TEX_START} + \frac{{C_1M}}{{2M_XL}} + {_TEX_GROWTH}",
        Tool.SUPREMUM,
    ),
    (
        "successive-gronwall",
        ("successive-mu",),
        (Q.gap0 + C1 * R_pl / (2 * Q.M_X * Q.L)) * sp.exp(_FORCE * C2),
        rf"\Big({_TEX_START} + \frac{{C_1M}}{{2M_XL}}\Big)\exp\Big(\int_0^t2e^KM_Be^{{-\frac{{\mu\tau}}2}}\sqrt{{\ell^L(0)}}C_2d\tau\Big)",
        Tool.GRONWALL,
    ),
    (
        "successive-bound",
        ("successive-gronwall", "eq22"),
        (Q.gap0 + C1 * R_pl / (2 * Q.M_X * Q.L)) * sp.exp(C2 * R_pl / (2 * Q.M_X)),
        rf"\Big({_TEX_START} + \frac{{C_1M}}{{2M_XL}}\Big)\exp\Big(\frac{{C_2M}}{{2M_X}}\Big)",
        Tool.SUPREMUM,
    ),
):
    line(
        _label,
        Q.gap,
        "<=",
        _rhs,
        20,
        rf"{_TEX_GAP} \le {_tex_rhs}",
        "Successive weights stay apart by what they were at the start and O(1/L), at all times.",
        equality=Condition("nothing has moved", Q.gap, "=", Q.gap0, trivial=True),
        premises=_from,
        tool=_tool,
    )
line(
    "successive",
    Q.gap,
    "<=",
    Kt / Q.L,
    18,
    r"\|Z_k^L(t)-Z_{k+1}^L(t)\| \le \frac{\tilde K}L,\quad k \in \{1,\dots,L-1\}",
    "Statement (ii) with K̃ = (Lip(Z_init) + C₁M/(2M_X)) exp(C₂M/(2M_X)), independent of L, t and k.",
    edition="explicit",
    role=_RESULT,
    premises=("successive-bound",),
    tool=Tool.SUPREMUM,
)
