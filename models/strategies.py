"""Hypothesis strategies: Specs of each regime, and nothing else. They draw structure; bulk Gaussian entries come from the seeds drawn.

specs("plain-flow")                      # a strategy
draw("plain-flow", count=6, seed=0)      # the same, drawn once and for all: reproducible for a seed
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, get_args

import numpy as np
from hypothesis import HealthCheck, Phase, assume, given, seed, settings
from hypothesis import strategies as st
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

from depthlimit.models.certificate import certify
from depthlimit.models.data import ArrayStore
from depthlimit.models.families import FamilyRun
from depthlimit.models.measure.general_long_run import GeneralLongRun
from depthlimit.models.spec import Residual, Spec
from depthlimit.theory.paper import prop8
from depthlimit.theory.quantity import Array

SMOOTH = ("tanh", "sin", "erf", "arctan", "algebraic", "one_minus_cos", "one_minus_gauss", "gelu", "silu", "identity")
SEEDS = st.integers(0, 2**32 - 1)
RESIDUALS = get_args(Residual)


def _sigma() -> st.SearchStrategy[dict[str, Any]]:
    scale = st.sampled_from([0.25, 0.5, 1.0, 2.0])
    return st.fixed_dictionaries({"name": st.sampled_from(SMOOTH), "a": scale, "b": scale})


def _inits() -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.fixed_dictionaries({"kind": st.just("paper"), "seed": SEEDS}),
        st.fixed_dictionaries(
            {"kind": st.just("gp"), "seed": SEEDS, "length": st.sampled_from([0.2, 0.5, 1.0]), "scale": st.sampled_from([0.1, 0.5, 1.0])}
        ),
        st.fixed_dictionaries(
            {"kind": st.just("fourier"), "seed": SEEDS, "terms": st.integers(1, 3), "scale": st.sampled_from([0.1, 0.5, 1.0])}
        ),
    )


def _clips(*kinds: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"kind": st.sampled_from(kinds or ("coordinate", "radial", "smooth")), "radius": st.sampled_from([0.01, 0.1, 0.5, 2.0])}
    )


@st.composite
def _data(draw: st.DrawFn, n: int, d: int, dout: int) -> dict[str, Any]:
    """Sampled data, or entries that Hypothesis makes itself: zeros, ties, small and large values included.

    Below 1e-4, other than 0, σ drowns in the rounding that 1 - exp(-u²/4) is allowed: such entries become 0.
    """
    kind = draw(st.sampled_from(["sphere", "gaussian", "arrays"]))
    if kind != "arrays":
        return {"kind": kind, "seed": draw(SEEDS), "label_scale": draw(st.sampled_from([0.1, 1.0, 3.0]))}
    number = st.floats(-2, 2, allow_subnormal=False, width=32).map(lambda v: v if abs(v) >= 1e-4 else 0.0)
    entry = st.one_of(st.sampled_from([0.0, 1.0, -1.0, 0.5, 1e-3]), number)
    x = draw(st.lists(entry, min_size=n * d, max_size=n * d))
    y = draw(st.lists(entry, min_size=n * dout, max_size=n * dout))
    return {"kind": "arrays", "arrays": {"inline": [["x", [n, d], x], ["y", [n, dout], y]]}}


@st.composite
def _network(draw: st.DrawFn, kind: str) -> Spec:
    d, dout = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    q = draw(st.integers(max(d, dout), 6))
    n = draw(st.integers(1, 5))
    clip = draw(_clips()) if kind == "clipped-flow" else None
    kinks = clip is not None and clip["kind"] != "smooth"  # these cost ten times the evaluations
    T = draw(st.sampled_from([0.1, 0.5] if kinks else [0.1, 0.5, 1.0, 2.0]))
    return Spec.model_validate(
        {
            "regime": {"kind": kind},
            "d": d,
            "dout": dout,
            "q": q,
            "m": draw(st.integers(1, 7)),
            "L": draw(st.integers(1, 12)),
            "n": n,
            "T": T,
            "rtol": 1e-10 if kinks else 1e-11,  # gaps of weights that have hardly moved are resolved too
            "times": tuple(T * i / 4 for i in range(5)),
            "activation": draw(_sigma()),
            "clip": clip,
            "train": draw(st.sampled_from(["AVWB", "AVWB", "VW"])),
            "init": draw(_inits()),
            "data": draw(_data(n, d, dout)),
        }
    )


@st.composite
def _one_state(draw: st.DrawFn) -> Spec:
    """Sizes beyond those of flows, and layers that are independent: nothing is trained."""
    d, dout, n = draw(st.integers(1, 5)), draw(st.integers(1, 4)), draw(st.integers(1, 7))
    independent = st.fixed_dictionaries({"kind": st.just("iid"), "seed": SEEDS})
    return Spec.model_validate(
        {
            "regime": {"kind": "network"},
            "d": d,
            "dout": dout,
            "q": draw(st.integers(max(d, dout), 9)),
            "m": draw(st.integers(1, 12)),
            "L": draw(st.integers(1, 16)),
            "n": n,
            "times": (0.0,),
            "activation": draw(_sigma()),
            "clip": draw(st.one_of(st.none(), _clips())),
            "train": draw(st.sampled_from(["AVWB", "AVWB", "VW"])),
            "init": draw(st.one_of(independent, _inits())),
            "data": draw(_data(n, d, dout)),
        }
    )


@st.composite
def _euler(draw: st.DrawFn) -> Spec:
    d, dout = draw(st.integers(1, 2)), draw(st.integers(1, 2))
    init = draw(_inits().filter(lambda i: i["kind"] != "paper"))
    return Spec.model_validate(
        {
            "regime": {"kind": "euler-scheme", "depths": (8, 16, 32, 64)},
            "d": d,
            "dout": dout,
            "q": draw(st.integers(max(d, dout), 4)),
            "m": draw(st.integers(1, 5)),
            "L": 8,
            "n": draw(st.integers(1, 4)),
            "activation": draw(_sigma()),
            "init": {**init, "scale": min(init["scale"], 0.5)},
            "data": {"kind": "sphere", "seed": draw(SEEDS)},
        }
    )


@st.composite
def _branch_sizes(draw: st.DrawFn, residual: str, least: int) -> tuple[int, int]:
    """q >= least and m for a branch: a convolution has one or two channels on three positions, attention two or three tokens."""
    if residual == "convolution":
        return 3, draw(st.sampled_from([3, 6]))
    if residual == "attention":
        m = draw(st.integers(2, 3))
        return m * draw(st.integers(-(-least // m), 2)), m
    return draw(st.integers(least, 3)), draw(st.integers(1, 3))


@st.composite
def _general_euler(draw: st.DrawFn) -> Spec:
    """Second differences of the states must stand out against rounding: no σ flat at 0, perceptrons of order 1, e^{C₁} moderate: attention
    has C₁ cubic in the parameters."""
    residual = draw(st.sampled_from(RESIDUALS))
    small = [0.1] if residual in ("linear", "sine") else []
    q, m = draw(_branch_sizes(residual, 1))
    p = {"linear": q * q, "sine": q, "perceptron": 2 * q * m, "convolution": 6 * m // q, "attention": 2 * (q // m) ** 2}[residual]
    random = np.random.RandomState(draw(SEEDS))
    steep = residual == "attention"
    sizes = st.sampled_from([0.0, 0.01, 0.1] if steep else [0.0, 0.01, 0.1, 0.5])
    scale = {"a": draw(st.sampled_from([*small, 1.0])), "theta0": draw(st.sampled_from([0.5] if steep else [*small, 0.5, 1.0]))}
    scale |= {name: draw(sizes) for name in ("a_t", "a_L", "theta1", "theta_t", "theta_L")}
    shapes = {name: q if name.startswith("a") else p for name in sorted(scale)}
    return Spec.model_validate(
        {
            "regime": {
                "kind": "general-euler",
                "residual": residual,
                "sampling": draw(st.sampled_from(["nodes", "midpoints"])),
                "arrays": {"inline": [[k, [n], list(map(float, scale[k] * random.standard_normal(n)))] for k, n in shapes.items()]},
            },
            "d": q,
            "dout": 1,
            "q": q,
            "m": m,
            "L": draw(st.integers(1, 20)),
            "n": 1,
            "times": (0.0, 1.0, 4.0),
            "T": 4.0,
            "activation": draw(_sigma().filter(lambda sigma: sigma["a"] * sigma["b"] <= 1 and not sigma["name"].startswith("one_minus"))),
        }
    )


@st.composite
def _local_pl(draw: st.DrawFn) -> Spec:
    n = draw(st.integers(2, 6))
    d = draw(st.integers(2, n))
    name, a, b = draw(st.sampled_from([("one_minus_cos", 3.0, 1.5), ("one_minus_cos", 3.0, 2.0), ("sin", 3.0, 2.0)]))
    spec = Spec.model_validate(
        {
            "regime": {
                **{"kind": "local-pl", "fraction": draw(st.sampled_from([0.25, 0.5, 1.0])), "points": 8},
                "ball": draw(st.sampled_from(["sup", "averaged", "spectral", "stacked"])),
            },
            "d": d,
            "dout": 1,
            "q": d + draw(st.integers(1, 2)),
            "m": draw(st.sampled_from([32, 64])),
            "L": draw(st.integers(1, 8)),
            "n": n,
            "T": 0.5,
            "rtol": 1e-12,
            "activation": {"name": name, "a": a, "b": b},
            "init": {"kind": "paper", "seed": draw(SEEDS)},
            "data": {"kind": "sphere", "seed": draw(SEEDS), "labels": "orthogonal" if n > d else "gaussian"},
        }
    )
    # labels below 1e-5 drown in the error that a flow is allowed: such a draw measures nothing
    assume(np.linalg.norm(certify(spec, ArrayStore()).batch.y) > 1e-5)
    return spec


@st.composite
def _general(draw: st.DrawFn) -> Spec:
    """General residual networks: constants of ordinary size need small norms, so M_pi T and the initial scale are."""
    d, dout, n = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 3))
    residual = draw(st.sampled_from(RESIDUALS))
    q, m = draw(_branch_sizes(residual, max(d, dout)))
    clip = draw(st.one_of(st.none(), _clips("smooth") if residual == "attention" else _clips()))  # past kinks attention takes seconds
    T = draw(st.sampled_from([0.01, 0.1, 0.5]))
    scale = st.sampled_from([0.01, 0.1, 0.3, 1.0])
    return Spec.model_validate(
        {
            "regime": {"kind": "general-flow", "residual": residual, "gain": draw(st.sampled_from([1.0, 1.0, 3.0])) if clip else 1.0},
            **{"d": d, "dout": dout, "q": q, "m": m, "L": draw(st.integers(1, 6)), "n": n, "T": T},
            "rtol": 1e-10,
            "times": (0.0, T / 2, T),
            "activation": draw(_sigma()) if residual in ("perceptron", "convolution") else {},
            "clip": clip,
            "train": draw(st.sampled_from(["AVWB", "AVWB", "VW"])),
            "init": {"kind": "affine", "seed": draw(SEEDS), "scale": draw(scale), "slope": draw(st.sampled_from([0.0, 0.1, 1.0]))},
            "data": draw(_data(n, d, dout)),
        }
    )


@st.composite
def _general_long(draw: st.DrawFn) -> Spec:
    """Networks on which every hypothesis of Proposition 8 holds: n <= d, and labels so near to the outputs that μ of (22) is below a proven
    PL constant."""
    d, dout = draw(st.integers(1, 3)), draw(st.integers(1, 2))
    n, q, L = draw(st.integers(1, d)), draw(st.integers(max(d, dout), 4)), draw(st.integers(1, 6))
    residual = draw(st.sampled_from(["linear", "sine"]))
    p = {"linear": q * q, "sine": q}[residual]
    random = np.random.RandomState(draw(SEEDS))
    size, M = draw(st.sampled_from([0.1, 0.3, 0.5, 1.0])), draw(st.sampled_from([0.01, 0.02, 0.05]))
    slopes, reach = st.sampled_from([0.0, 0.01, 0.1]), draw(st.sampled_from([0.3, 1.0]))

    def near_isometry(rows: int, columns: int, scale: float) -> Array:
        return np.asarray(scale * (np.eye(rows, columns) + draw(slopes) * random.standard_normal((rows, columns))))

    A, B, x = near_isometry(q, d, size), near_isometry(dout, q, size), near_isometry(n, d, reach)
    Z0, Z1 = (draw(slopes) * random.standard_normal(p) / np.sqrt(p) for _ in range(2))

    def spec(y: Array, T: float) -> Spec:
        inits = [["A", [q, d], A], ["Z0", [p], Z0], ["Z1", [p], Z1], ["B", [dout, q], B]]
        return Spec.model_validate(
            {
                "regime": {"kind": "general-long", "residual": residual, "radius": M},
                **{"d": d, "dout": dout, "q": q, "m": 1, "L": L, "n": n, "T": T, "rtol": 1e-12},
                "times": tuple(T * share for share in (0.0, 0.03, 0.1, 0.3, 0.6, 1.0)),
                "init": {"kind": "arrays", "arrays": {"inline": [[k, shape, a.ravel().tolist()] for k, shape, a in inits]}},
                "data": {
                    "kind": "arrays",
                    "arrays": {"inline": [["x", [n, d], x.ravel().tolist()], ["y", [n, dout], y.ravel().tolist()]]},
                },
            }
        )

    zero = GeneralLongRun(spec(np.zeros((n, dout)), 1.0), ArrayStore())
    output = zero.hidden_states(zero.batch.params)[-1] @ B.T
    error = random.standard_normal((n, dout))
    error /= np.sqrt(np.mean(np.sum(error**2, axis=-1)))
    near = GeneralLongRun(spec(output + 1e-3 * error, 1.0), ArrayStore())
    mu, proven = near.constant(prop8.mu)[1] * 1e3, near.constant(prop8.pl)[0]  # μ is proportional to √ℓ(0)
    assume(proven > 1e-3)
    g = near.gradient(near.batch.params, hidden := near.hidden_states(near.batch.params), near.adjoint_states(near.batch.params, hidden))
    rate = float(np.sum(g["A"] ** 2) + L * np.sum(g["Z"] ** 2) + np.sum(g["B"] ** 2)) / near.initial_loss
    # long enough for the limit weights, and no longer than the loss can be told from the error of the states
    return spec(output + draw(st.sampled_from([0.1, 0.9, 0.99])) * proven / mu * error, min(12 / proven, 28 / rate))


@st.composite
def _pl_ball(draw: st.DrawFn) -> Spec:
    """Small networks at points of the balls of (47) and of the sharpened Proposition 5; wide enough for s_min(S̄) in the second."""
    d, dout, n = draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 4))
    ball = draw(st.sampled_from(["line-47", "sharpened"]))
    name, order = draw(st.sampled_from([("tanh", 3), ("sin", 3), ("erf", 3), ("one_minus_cos", 2), ("one_minus_gauss", 2)]))
    scale = st.sampled_from([0.1, 0.5, 1.0, 2.0])
    return Spec.model_validate(
        {
            "regime": {"kind": "pl-ball", "ball": ball, "order": order, "points": draw(st.integers(1, 6))},
            "d": d,
            "dout": dout,
            "q": d + dout + draw(st.integers(0, 2)),
            "m": draw(st.integers(1, 12)) if ball == "line-47" else draw(st.sampled_from([32, 64, 128])),
            "L": draw(st.integers(1, 10)),
            "n": n,
            "times": (0.0,),
            "activation": {"name": name, "a": draw(scale), "b": draw(st.sampled_from([0.5, 1.0, 1.5]))},
            "init": {"kind": "paper", "seed": draw(SEEDS)},
            "data": {"kind": "sphere", "seed": draw(SEEDS), "labels": "orthogonal" if n > d and ball == "sharpened" else "gaussian"},
        }
    )


@st.composite
def _random_matrix(draw: st.DrawFn) -> Spec:
    sizes = {"d": 1, "dout": 1, "q": draw(st.integers(1, 6)), "m": draw(st.integers(1, 40)), "L": 1, "n": 1}
    level = draw(st.sampled_from([1.0, 1.1, 1.3, 2.0, 3.0, 4.0]))
    regime = {"kind": "random-matrix", "level": level, "draws": draw(st.integers(100, 500))}
    return Spec.model_validate({**sizes, "regime": regime, "init": {"kind": "paper", "seed": draw(SEEDS)}})


@st.composite
def _kernel_matrix(draw: st.DrawFn) -> Spec:
    """Small instances of Lemma 21; columns that Hypothesis makes itself may be equal, opposite or nearly so, but none is 0."""
    d, n = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    data = draw(_data(n, d, 1))
    if data["kind"] == "arrays":
        _, _, x = data["arrays"]["inline"][0]
        assume(all(any(x[i * d : (i + 1) * d]) for i in range(n)))
    return Spec.model_validate(
        {
            "regime": {"kind": "kernel-matrix", "order": draw(st.integers(2, 4)), "draws": draw(st.sampled_from([20, 50]))},
            **{"d": d, "dout": 1, "q": d + draw(st.integers(0, 2)), "m": draw(st.integers(1, 24)), "L": 1, "n": n},
            "activation": {**draw(_sigma()), "a": 1.0},
            "init": {"kind": "paper", "seed": draw(SEEDS)},
            "data": data,
        }
    )


@st.composite
def _relu(draw: st.DrawFn) -> Spec:
    sizes = dict.fromkeys(("d", "dout", "q", "m", "n"), 1)
    x, C = draw(st.sampled_from([0.5, 1.0, 2.0])), draw(st.floats(1.125, 4, width=32))
    T = draw(st.sampled_from([0.1, 1.0, 4.0]))
    return Spec.model_validate(
        {
            **sizes,
            "L": draw(st.integers(1, 10)),
            "regime": {"kind": "relu"},
            "T": T,
            "times": tuple(T * i / 4 for i in range(5)),
            "activation": {"name": draw(st.sampled_from(["relu", "relu", "gelu", "tanh"]))},
            "data": {"kind": "arrays", "arrays": {"inline": [["x", [1, 1], [x]], ["y", [1, 1], [C * x]]]}},
        }
    )


@st.composite
def _family(draw: st.DrawFn) -> Spec:
    """Even depths, so that (-1)^L flip has a limit; sizes from 1/1000 to 1, and a change of sign between two depths at times."""
    q, random = draw(st.integers(1, 3)), np.random.RandomState(draw(SEEDS))
    sizes = {name: draw(st.sampled_from([0.0, 0.001, 0.1, 1.0])) for name in ("base", "slope", "fade", "tilt", "drift", "flip")}
    arrays = {name: size * random.standard_normal(q) for name, size in {**sizes, "start": 1.0}.items()}
    T = draw(st.sampled_from([0.1, 4.0, 100.0]))
    depths = tuple(2 * n for n in sorted(draw(st.sets(st.integers(1, 60), min_size=2, max_size=3))))
    regime = {
        "kind": "family",
        "depths": depths,
        "rate": draw(st.sampled_from([0.1, 1.0, 10.0])),
        "turns": draw(st.sampled_from([1, 20])),
        "bounded": draw(st.booleans()),
        "arrays": {"inline": [[name, [q], values.tolist()] for name, values in sorted(arrays.items())]},
    }
    shape = {"d": q, "dout": 1, "q": q, "m": 1, "L": depths[0], "n": 1}
    spec = Spec.model_validate({"regime": regime, **shape, "T": T, "times": (0.0, T / 10, T)})
    delta = draw(st.sampled_from([0.05, 0.2, 0.5]))  # ε in units of C, so that the finite sets of the proof are small
    return spec.model_copy(update={"regime": spec.regime.model_copy(update={"epsilon": delta * FamilyRun(spec, ArrayStore()).C})})


def specs(kind: str) -> st.SearchStrategy[Spec]:
    """Specs of one regime. Ladders in depth are corpus-only: one of them costs as much as fifty small flows."""
    makers = {
        "plain-flow": _network,
        "clipped-flow": _network,
        "euler-scheme": _euler,
        "general-euler": _general_euler,
        "local-pl": _local_pl,
        "general-flow": _general,
        "general-long": _general_long,
        "network": _one_state,
        "random-matrix": _random_matrix,
        "kernel-matrix": _kernel_matrix,
        "relu": _relu,
        "pl-ball": _pl_ball,
        "family": _family,
    }
    if kind not in makers:
        raise ValueError(f"no strategy for regime {kind!r}; there are {', '.join(makers)}")
    return makers[kind](kind) if makers[kind] is _network else makers[kind]()  # type: ignore[operator, no-any-return]


@contextmanager
def _constants_of_hypothesis_alone() -> Iterator[None]:
    """Without the constants that Hypothesis collects from the modules that happen to be imported from a checkout.

    It tries them now and then, so that otherwise the same seed would draw other Specs from a wheel, or after another import.
    """
    kept = providers._get_local_constants
    providers.CONSTANTS_CACHE.cache.clear()
    providers._get_local_constants = Constants
    try:
        yield
    finally:
        providers._get_local_constants = kept
        providers.CONSTANTS_CACHE.cache.clear()


GENERATED = (
    *("plain-flow", "clipped-flow", "network", "euler-scheme", "general-euler", "local-pl", "general-flow", "random-matrix"),
    *("kernel-matrix", "relu", "pl-ball", "general-long", "family"),
)


_AT_ONCE = 250
STRUCTURES = 6000  # Specs of single states that are drawn at most: beyond, each stands for several networks


def draw(kind: str, count: int, seed_: int) -> list[Spec]:
    """`count` Specs of a regime, distinct, reproducible for a seed (and the installed version of Hypothesis).

    Of the regime network, `count` networks or a few more: beyond `STRUCTURES` several share one Spec.
    """
    networks = -(-count // STRUCTURES) if kind == "network" else 1
    count = -(-count // max(networks, 1))
    found: dict[str, Spec] = {}
    before, part = -1, 0
    while before < len(found) < count:  # in parts: what Hypothesis remembers of a long search slows it down
        before = len(found)
        key = f"{kind}:{seed_}" + (f":{part}" if part else "")

        @seed(zlib.crc32(key.encode()))
        @settings(
            max_examples=2 * min(count, _AT_ONCE),
            phases=[Phase.generate],
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(specs(kind))
        def collect(spec: Spec) -> None:
            found.setdefault(spec.canonical(), spec)

        with _constants_of_hypothesis_alone():
            collect()
        part += 1
    drawn = list(found.values())[:count]
    if networks > 1:
        drawn = [spec.model_copy(update={"regime": spec.regime.model_copy(update={"networks": networks})}) for spec in drawn]
    return drawn
