"""The fixed corpus: Specs per regime, chosen so that every claim of the regime is exercised and each bound is pressed where it can be.

It holds Specs and nothing else. The same corpus serves `verify`, the tests and every implementation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from depthlimit.models import (
    corpus_branches,
    corpus_certificate,
    corpus_double,
    corpus_families,
    corpus_general,
    corpus_kernel,
    corpus_limit,
    corpus_limit_map,
    corpus_long,
    corpus_prop5,
    corpus_relu,
    corpus_section51,
)
from depthlimit.models.spec import Spec

_QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)
_LADDER = (8, 16, 32, 64)


def _spec(kind: str, d: int, dout: int, q: int, m: int, L: int, n: int, *, regime: Mapping[str, Any] | None = None, **more: Any) -> Spec:
    sizes = {"d": d, "dout": dout, "q": q, "m": m, "L": L, "n": n}
    return Spec.model_validate({"regime": {"kind": kind, **(regime or {})}, **sizes, **more})


def _arrays(**named: Any) -> dict[str, Any]:
    """Arrays inline, from nested lists."""
    flat = {name: np.array(value, dtype=float) for name, value in named.items()}
    return {"kind": "arrays", "arrays": {"inline": [[name, list(a.shape), a.ravel().tolist()] for name, a in flat.items()]}}


def _sphere(seed: int = 0, scale: float = 1.0) -> dict[str, Any]:
    return {"kind": "sphere", "seed": seed, "label_scale": scale}


def _clip(kind: str, radius: float) -> dict[str, Any]:
    return {"kind": kind, "radius": radius}


FIGURE_1 = {"d": 16, "dout": 16, "q": 16, "m": 32, "L": 32, "n": 100, "T": 1.0, "train": "VW"}  # Appendix E's sizes

PLAIN: tuple[Spec, ...] = (
    _spec("plain-flow", 2, 1, 4, 5, 6, 3, times=_QUARTERS),
    _spec("plain-flow", 1, 1, 2, 2, 2, 1, times=(0.0, 0.01, 0.1, 1.0)),
    _spec("plain-flow", 1, 1, 2, 1, 1, 1, times=_QUARTERS),
    _spec("plain-flow", 3, 2, 5, 4, 8, 4, init={"kind": "gp", "seed": 1}, activation={"name": "sin"}, times=_QUARTERS),
    _spec("plain-flow", 2, 2, 3, 6, 5, 4, init={"kind": "fourier", "seed": 2}, activation={"name": "gelu"}, times=_QUARTERS),
    _spec("plain-flow", 2, 2, 4, 4, 8, 2, T=3.0, data=_sphere(3, 2.0), activation={"name": "erf", "a": 2.0}),
    _spec("plain-flow", 2, 2, 4, 4, 16, 3, train="VW", init={"kind": "gp", "seed": 4, "length": 0.3}, times=_QUARTERS),
    _spec("plain-flow", 2, 1, 3, 3, 4, 2, activation={"name": "algebraic", "b": 2.0}, data={"kind": "gaussian", "seed": 5}),
)


def _given(d: int, L: int, V: list[float], W: list[float], x: list[float], y: list[float], **more: Any) -> Spec:
    """All sizes d but L, A = B = I, the same V and W in each layer where one is given."""
    eye = [float(i % (d + 1) == 0) for i in range(d * d)]
    V, W = (a if len(a) == L * d * d else a * L for a in (V, W))
    start = [["A", [d, d], eye], ["V", [L, d, d], V], ["W", [L, d, d], W], ["B", [d, d], eye]]
    data = {"kind": "arrays", "arrays": {"inline": [["x", [d, d], x], ["y", [d, d], y]]}}
    return _spec("plain-flow", d, d, d, d, L, d, init={"kind": "arrays", "arrays": {"inline": start}}, data=data, **more)


# Layers differ, V is small and σ nearly linear: the block norms of the norm version are attained.
ALIGNED = _given(1, 2, [0.0, 0.01], [0.01, 0.02], [1.0], [-1.0], T=0.1, activation={"name": "sin"})
# Layers agree; found by search for the constant of their source: with |V_kS_k|_2 for |V_kS_k|_F it would be too small by 1.1.
FROBENIUS = _given(
    2,
    2,
    [0.45, 0.65, 0.64, -0.45],
    [-1.95, 1.35, 1.35, 1.95],
    [-1.62, 1.05, -0.08, -0.01],
    [-1.89, 2.04, 0.04, -0.52],
    T=0.01,
    activation={"name": "sin"},
)
# one neuron near the maximum of sin: V grows as fast as it can
SATURATED = _spec(
    "plain-flow", 1, 1, 2, 1, 2, 1, T=0.002, rtol=1e-11, data=_sphere(35), init={"kind": "paper", "seed": 35}, activation={"name": "sin"}
)
SHORT = _spec("plain-flow", 1, 1, 2, 4, 8, 3, T=0.01, rtol=1e-11)  # T ℓ(0) = 0.03
# Found by search: the bounds without clipping at their tightest. One sample, so small that σ is linear: successive weights at the factor √2
# by which the norm version exceeds two projections that cannot add up; 1 - cos where σσ' is largest: W moves as fast as it can.
UNCLIPPED = (
    _spec(
        *("plain-flow", 1, 1, 2, 3, 2, 1),
        T=0.1,
        rtol=1e-11,
        init={"kind": "paper", "seed": 6478},
        data={"kind": "gaussian", "seed": 9800, "label_scale": 0.27},
    ),
    _spec(
        *("plain-flow", 1, 1, 2, 1, 2, 1),
        T=0.002,
        rtol=1e-11,
        init={"kind": "paper", "seed": 3085},
        activation={"name": "one_minus_cos"},
    ),
)
# Long, with large labels: the logarithmic norm charges every direction with the growth of the worst one, 15 times too much per layer.
HARD = _spec("plain-flow", 2, 2, 4, 5, 2, 4, T=10.0, times=(0.0, 10.0), data=_sphere(3, 3.0))
PLAIN += (ALIGNED, FROBENIUS, SATURATED, SHORT, *UNCLIPPED, HARD)
CLIPPED = (
    _spec("clipped-flow", 2, 2, 4, 4, 2, 3, clip=_clip("coordinate", 0.25), T=0.1),
    _spec("clipped-flow", 2, 1, 4, 5, 6, 3, clip=_clip("radial", 0.2), T=0.25),
    _spec("clipped-flow", 2, 1, 4, 5, 6, 3, clip=_clip("smooth", 0.5), times=_QUARTERS),
    _spec("clipped-flow", 1, 1, 2, 2, 3, 2, clip=_clip("radial", 0.05), data=_sphere(1, 10.0), times=_QUARTERS),
    _spec("clipped-flow", 1, 1, 2, 1, 1, 1, clip=_clip("coordinate", 0.01), T=0.25, data=_sphere(2, 10.0), init={"kind": "gp"}),
    _spec(
        "clipped-flow",
        3,
        2,
        5,
        4,
        8,
        4,
        clip=_clip("smooth", 1.0),
        init={"kind": "fourier", "seed": 1},
        activation={"name": "arctan"},
    ),
    _spec(
        "clipped-flow",
        2,
        2,
        4,
        4,
        4,
        2,
        clip=_clip("smooth", 0.5),
        T=0.25,
        activation={"name": "one_minus_gauss"},
        data=_sphere(4, 3.0),
    ),
    Spec.model_validate(
        {
            "regime": {"kind": "clipped-flow"},
            **FIGURE_1,
            "clip": _clip("smooth", 0.25),
            "times": (0.0, 0.5, 1.0),
            "data": {"kind": "gaussian", "seed": 0},
        }
    ),
)
LADDERS = tuple(
    _spec("depth-ladder", 2, 1, 3, 4, 64, 3, regime={"depths": depths}, rtol=1e-12, T=0.1, times=(0.0, 0.1), init=init)
    for depths, init in (
        (_LADDER, {"kind": "paper"}),
        (_LADDER, {"kind": "gp", "seed": 1, "length": 1.0}),
        ((*_LADDER, 128), {"kind": "fourier", "seed": 2, "terms": 1, "scale": 0.5}),  # its corrections are larger
    )
)
IID = (_spec("iid-ladder", 2, 1, 3, 4, 8, 3, regime={"depths": (8, 16, 32, 64, 128, 256), "draws": 400}, init={"kind": "iid"}),)
_ODE = {"depths": (8, 16, 32, 64, 128)}
EULER: tuple[Spec, ...] = (
    _spec("euler-ladder", 2, 2, 4, 5, 8, 3, regime=_ODE, rtol=1e-12, init={"kind": "fourier", "seed": 0, "terms": 1, "scale": 0.3}),
    _spec("euler-ladder", 1, 1, 1, 1, 8, 1, regime=_ODE, rtol=1e-12, init={"kind": "gp", "seed": 1, "length": 10.0, "scale": 0.3}),
    _spec(
        "euler-ladder",
        1,
        1,
        1,
        1,
        8,
        1,
        regime=_ODE,
        rtol=1e-12,
        init={"kind": "gp", "seed": 3, "length": 10.0, "scale": 0.3},
        activation={"name": "identity"},
    ),
    _spec("euler-ladder", 2, 1, 3, 4, 8, 4, regime=_ODE, rtol=1e-12, init={"kind": "gp", "seed": 2, "length": 1.0, "scale": 0.3}),
)


def _scalar_ode(seed: int, scale: float, x: float) -> Spec:
    """U' = v(s) w(s) U from x, with weights that hardly bend."""
    return _spec(
        "euler-ladder",
        *(1, 1, 1, 1, 8, 1),
        regime=_ODE,
        rtol=1e-12,
        init={"kind": "gp", "seed": seed, "length": 10.0, "scale": scale},
        activation={"name": "identity"},
        data=_arrays(x=[[x]], y=[[0.0]]),
    )


# Found by a search over seeds: weights nearly constant (the error is that of Euler's scheme for e^{1.3s}; printed constants, C₂ = C₁ and
# C' = e^C C̃/C), and weights that turn along ∂₂g (the error is that of sampling Θ).
GROWING, DRIFTING = _scalar_ode(1295, 0.95, 0.22), _scalar_ode(1680, 0.1, 1.0)
EULER += (GROWING, DRIFTING)


def _certificate(n: int, d: int, q: int, m: int, activation: Mapping[str, Any], T: float, fraction: float = 0.25) -> Spec:
    """Shapes with n > d, labels orthogonal to the rows of x: A and B alone cannot fit them."""
    return _spec(
        "local-pl",
        d,
        1,
        q,
        m,
        8,
        n,
        regime={"fraction": fraction},
        activation=activation,
        T=T,
        rtol=1e-12,
        data={"kind": "sphere", "labels": "orthogonal"},
    )


LOCAL_PL = (
    _certificate(4, 3, 4, 64, {"name": "one_minus_cos", "a": 3.0, "b": 1.5}, 0.25),
    _certificate(8, 4, 5, 256, {"name": "sin", "a": 3.0, "b": 2.0}, 0.25, 1.0),
    _certificate(16, 6, 7, 512, {"name": "sin", "a": 3.0, "b": 2.0}, 0.25),
)


def _toy(
    residual: str, L: int, q: int = 1, times: tuple[float, ...] = (0.0,), sampling: str = "nodes", **arrays: float | tuple[float, ...]
) -> Spec:
    """Proposition 11 on a branch with constants of ordinary size; arrays that are not given are 0, one number fills all entries."""
    p = {"linear": q * q, "sine": q, "perceptron": 2 * q}[residual]
    inline = []
    for name in ("a", "a_t", "a_L", "theta0", "theta1", "theta_t", "theta_L"):
        size, given = q if name.startswith("a") else p, arrays.get(name, 0.0)
        inline.append([name, [size], [given] * size if isinstance(given, float) else given])
    regime = {"residual": residual, "sampling": sampling, "arrays": {"inline": inline}}
    return _spec("general-euler", q, 1, q, 1, L, 1, regime=regime, times=times, T=max(times[-1], 1.0))


GENERAL_EULER = {
    "growth": _toy("linear", 16, a=0.05, theta0=0.1, theta_L=0.001),  # a small: C is the Lipschitz constant in the state
    "one-step": _toy("linear", 1, a=0.5, theta0=0.01, theta_L=0.0001),
    "start": _toy("linear", 32, a_L=0.05, theta0=0.3),  # U = 0: the gap is that of the starts, grown
    "slope": _toy("linear", 4, a=1.0, theta0=0.001, theta1=0.01),
    "shifted": _toy("linear", 2, a=1.0, theta0=0.01, theta1=-0.01, theta_L=0.02),
    "mismatch": _toy("linear", 16, a=1.0, theta_L=0.02),
    "midpoints": _toy("linear", 16, sampling="midpoints", a=0.1, theta0=0.1, theta1=-0.01),  # U'' is small: θ' = -θ² at s = 0
    "late": _toy("linear", 32, times=(0.0, 2.0), a=0.2, a_t=0.1, theta0=0.01, theta_t=0.02),
    "sine": _toy(
        "sine", 6, q=2, times=(0.0, 1.0), a=(0.3, -0.2), a_t=0.1, a_L=0.01, theta0=(0.5, 1.4), theta1=0.3, theta_t=0.2, theta_L=0.05
    ),
    "rotation": _toy("linear", 12, q=2, a=(1.0, 0.5), a_L=(0.0, 0.1), theta0=(0.0, -1.0, 1.0, 0.0), theta1=0.1),
    "perceptron": _toy("perceptron", 5, q=2, times=(0.0, 1.0), a=(1.0, -0.5), theta0=(0.5, -0.8, 1.0, 0.3), theta1=0.2, theta_t=0.1),
}


def _chain(L: int, x: float, C: float, **more: Any) -> Spec:
    """Appendix D, followed until exp(-x²t) is 1e-7."""
    times = tuple(t / x**2 for t in (0.0, 0.1, 0.5, 1.0, 2.0, 4.0, 16.0))
    more = {"activation": {"name": "relu"}, "times": times, "T": times[-1], **more}
    return _spec("relu", 1, 1, 1, 1, L, 1, data=_arrays(x=[[x]], y=[[C * x]]), **more)


RANDOM_MATRIX = (
    _spec("random-matrix", 1, 1, 1, 256, 1, 1, regime={"level": 4.0}),
    _spec("random-matrix", 1, 1, 1, 256, 1, 1, regime={"level": 2.0}),
    _spec("random-matrix", 1, 1, 4, 8, 1, 1, regime={"level": 1.0, "draws": 300}),
    _spec("random-matrix", 1, 1, 1, 256, 1, 1, regime={"level": 1.00001, "draws": 100}),
    _spec("random-matrix", 1, 1, 402, 1, 1, 1, regime={"level": 1.1, "draws": 500}),
)
RELU = (
    *(_chain(L, 1.0, 2.0) for L in (1, 2, 4, 8, 16, 32)),
    _chain(3, 2.0, 3.0),
    *(_chain(L, 1.0, 1.5, activation={"name": "gelu"}, T=0.1, times=(0.0, 0.025, 0.05, 0.1)) for L in (2, 16)),
)
COUNTEREXAMPLES = tuple(
    _spec("counterexamples", 1, 1, 1, 1, 1, 1, regime={"depths": depths}, T=0.24, times=(0.0, 0.1, 0.2, 0.24))
    for depths in ((2, 4, 8, 16), (8, 16, 32, 64))
)
# For q = m = n = 1 and σ(Wh) = Vσ'(Wh)h the gradient in V and in W have the same norm: the sum norm exceeds the Euclidean one by √2.
SUM_NORM = _spec(
    "plain-flow",
    *(1, 1, 1, 1, 1, 1),
    T=0.01,
    init=_arrays(A=[[1.0]], V=[[[0.588]]], W=[[[0.5]]], B=[[1.0]]),
    data=_arrays(x=[[1.0]], y=[[3.0]]),
)
# K₁ above K₂: x is small and σ linear, so that the steps of Proposition 7 in K are equalities for model (3) too
STEEP = _given(1, 2, [1.0], [1.0], [0.15], [1.0], T=0.01, activation={"name": "identity"})
STEPS = (
    SUM_NORM,
    STEEP,
    _spec("clipped-flow", 1, 1, 1, 1, 2, 1, T=0.1, clip=_clip("smooth", 0.01), init={"kind": "paper", "seed": 1104}),  # |W(0)| = 1.992
    _spec("clipped-flow", 1, 1, 1, 1, 3, 1, T=0.1, clip=_clip("coordinate", 0.01), init={"kind": "gp", "seed": 1}, data=_sphere(2, 10.0)),
    _spec("clipped-flow", 2, 1, 2, 2, 3, 2, T=0.1, clip=_clip("smooth", 100.0), activation={"name": "identity"}),
    _spec("plain-flow", 1, 1, 1, 1, 2, 1, T=0.01, init={"kind": "gp", "seed": 1}, activation={"name": "identity"}),
    _spec("plain-flow", 1, 1, 1, 1, 16, 1, T=0.01, init={"kind": "fourier", "seed": 2, "terms": 1}),
    # every entry of A and of B saturated, and √(qd) > 2√(qm): there they move as fast as M_π
    _spec("clipped-flow", 5, 5, 5, 1, 1, 2, T=0.1, clip=_clip("coordinate", 0.001), data=_sphere(0, 100.0)),
)

# All sizes differ and layers are independent, so that whatever is mixed up, or scaled by a wrong size, shows; every activation and clip.
_SIGMAS = (
    *(("tanh", 1.0, 1.0), ("sin", 0.5, 2.0), ("erf", 2.0, 1.0), ("arctan", 1.0, 0.5), ("algebraic", 1.0, 1.0), ("relu", 1.0, 1.0)),
    *(("gelu", 1.0, 1.0), ("silu", 1.0, 2.0), ("one_minus_cos", 1.0, 1.0), ("one_minus_gauss", 2.0, 1.0), ("identity", 0.5, 1.0)),
)
NETWORKS = (
    *(
        _spec("network", 2, 3, 5, 4, 3 + i % 4, 6, times=(0.0,), init={"kind": "iid", "seed": i}, activation={"name": name, "a": a, "b": b})
        for i, (name, a, b) in enumerate(_SIGMAS)
    ),
    *(
        _spec("network", 3, 2, 4, 6, 5, 1 + 4 * i, times=(0.0,), init={"kind": "iid", "seed": 20 + i}, clip=_clip(kind, 0.02), train=train)
        for i, (kind, train) in enumerate([("coordinate", "AVWB"), ("radial", "AVWB"), ("smooth", "VW")])
    ),
    _spec("network", 1, 1, 1, 1, 1, 1, times=(0.0,), init={"kind": "iid", "seed": 30}),
    _spec("network", 4, 1, 6, 2, 1, 3, times=(0.0,), init={"kind": "gp", "seed": 31}, train="VW"),
    _spec("network", 2, 1, 3, 9, 12, 5, times=(0.0,), init={"kind": "iid", "seed": 32}, data=_sphere(3, 100.0)),
)

_QUICK = (
    *(PLAIN + CLIPPED + LADDERS + IID + EULER + tuple(GENERAL_EULER.values()) + LOCAL_PL + corpus_general.GENERAL),
    *(RANDOM_MATRIX + corpus_kernel.KERNEL_MATRIX + RELU + COUNTEREXAMPLES + STEPS + NETWORKS),
    *(
        corpus_prop5.PROP5
        + corpus_certificate.QUICK
        + corpus_long.QUICK
        + tuple(corpus_families.FAMILIES.values())
        + corpus_branches.QUICK
        + corpus_relu.QUICK
        + corpus_limit_map.ALL
        + corpus_limit.QUICK
        + corpus_double.QUICK
        + corpus_section51.SECTION51
    ),
)
_MORE: dict[str, tuple[Spec, ...]] = {  # what a profile adds to those before it
    "quick": _QUICK,
    "standard": (
        *corpus_certificate.STANDARD,
        *corpus_long.STANDARD,
        *corpus_branches.STANDARD,
        *corpus_relu.STANDARD,
        *corpus_double.STANDARD,
        *corpus_limit_map.STANDARD,
        *corpus_limit.STANDARD,
    ),
    "deep": (*corpus_certificate.DEEP, *corpus_prop5.DEEP, *corpus_limit.DEEP),
}
WITNESSES = {
    "eq13-witness": PLAIN[3],
    "appendix-d-witness": RELU[6],
    "sum-norm-witness": SUM_NORM,
    **corpus_general.WITNESSES,
    **corpus_kernel.WITNESSES,
    **corpus_prop5.WITNESSES,
    **corpus_long.WITNESSES,
    **corpus_families.WITNESSES,
    **corpus_limit_map.WITNESSES,
    **corpus_section51.WITNESSES,
}
NAMED = {**WITNESSES, **corpus_prop5.NAMED}  # what `replay` runs by name


def corpus(profile: str = "quick") -> tuple[Spec, ...]:
    """The Specs of a profile (quick, standard or deep), in their fixed order: those of the profiles before it come first."""
    profiles = list(_MORE)
    return tuple(spec for name in profiles[: profiles.index(profile) + 1] for spec in _MORE[name])
