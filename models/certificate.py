"""Balls of the PL certificates, the admissible loss, and labels scaled to it.

The bounds are those of `depthlimit.theory.paper.certificate` and `averaged` (read from their SymPy formulas, not written again). Sup ball:
for a path length τ the radii are a fixed point of R_j = g_j(R) τ, reached from 0; the loss that they admit is
ℓ₀ = (μ(R) τ/2)². Ball of averages: its radius R is the path length, and ℓ₀ = R² μ(R)/4. `fraction` is of the path length that maximises
ℓ₀, `excess` a factor on the labels. Any radii that satisfy the claims' hypotheses would do; nothing here is part of a proof, and the claims
check their hypotheses with enclosures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import sympy as sp

from depthlimit.models import activations, adversary
from depthlimit.models.data import ArrayStore
from depthlimit.models.rounding import frobenius
from depthlimit.models.spec import BadInput, LocalPL, Spec
from depthlimit.models.trajectory import Batch, realise
from depthlimit.theory.activation import constants
from depthlimit.theory.paper import averaged
from depthlimit.theory.paper import certificate as theory
from depthlimit.theory.quantity import Array

_SLACK = 1e-7  # radii are this much larger than the fixed point and ℓ₀ this much smaller, so that enclosures decide the hypotheses
_INSIDE = 1 - 1e-12  # points of a ball are inside in spite of rounding
_ITERATIONS = 200
_LARGEST = 0.99  # of what must be below 1


@dataclass(frozen=True)
class Certificate:
    """A batch with scaled labels, its ball and μ in floating point (for display; claims enclose it).

    radii: R_A, R_B, R_V, R_W of a sup ball, R_ball of one of averages; 0 where there is no certificate.
    """

    batch: Batch
    radii: dict[str, float]
    mu: float

    def extreme(self, direction: Mapping[str, Array]) -> dict[str, Array]:
        """The displacement within the ball that goes farthest along a direction, a gradient: A (q,d), V (L,q,m), W (L,m,q), B (dout,q)."""
        if "R_ball" in self.radii:
            D = adversary.weights(self.batch)
            size = math.sqrt(sum(D[k] * float(np.sum(v**2)) for k, v in direction.items()))
            return {k: self.radii["R_ball"] * _INSIDE * D[k] / (size or 1.0) * v for k, v in direction.items()}
        out = {}
        for k, v in direction.items():
            norm = frobenius(v)[..., None, None]
            out[k] = v * np.divide(self.radii[f"R_{k}"] * _INSIDE, norm, out=np.zeros_like(norm), where=norm > 0)
        return out


@cache
def _formulas(kind: str) -> list[tuple[str, tuple[str, ...], Callable[..., float]]]:
    """Compiled definitions in the order of need, those of the sup ball with its speeds g_A, ..: name, names of arguments, function."""
    where = theory.WHERE if kind == "sup" else averaged.WHERE[kind]
    definitions = {k.name: v for k, v in where.items() if k is not theory.tau}
    if kind == "sup":
        definitions |= {f"g_{k}": speed for k, (_, _, speed) in theory.SPEEDS.items()}
    compiled, pending = [], dict(definitions)
    while pending:  # a definition after those that it uses
        name = next(k for k, v in pending.items() if not {str(symbol) for symbol in v.free_symbols} & pending.keys())
        arguments = sorted(pending[name].free_symbols, key=str)
        function = sp.lambdify(arguments, pending.pop(name), modules=["math", {"Max": max, "Min": min}])
        compiled.append((name, tuple(map(str, arguments)), function))
    return compiled


def _evaluate(numbers: Mapping[str, float], kind: str = "sup") -> dict[str, float]:
    """Every definition of a certificate at given numbers and radii."""
    values = dict(numbers)
    for name, arguments, function in _formulas(kind):
        values[name] = function(*(values[a] for a in arguments))
    return values


def stacked(S: Array, x: Array) -> Array:
    """S̄/√m and √2 x, samples as rows, side by side, filled up to n columns [n m+d or n]."""
    both = np.concatenate([S / math.sqrt(S.shape[1]), math.sqrt(2) * x], axis=1)
    return np.pad(both, ((0, 0), (0, max(0, len(both) - both.shape[1]))))


def data_numbers(batch: Batch) -> dict[str, float]:
    """Sizes, activation constants and singular values that the certificates read off the initialisation."""
    net = batch.network
    W, x = batch.params["W"][0], batch.x
    S = activations.value(net["activation"], x @ batch.params["A"].T @ W.T / math.sqrt(net["q"]))  # [n m]
    values = np.linalg.svd(S, compute_uv=False)
    c = constants(net["activation"]["name"], net["activation"]["a"], net["activation"]["b"])
    return {
        **{k: float(net[k]) for k in ("q", "m", "L", "n")},
        "K_sigma": c["K_sigma"].hi,
        "s0": float(values[net["n"] - 1]) if net["m"] >= net["n"] else 0.0,
        "S0": float(values[0]),
        "s_all": float(np.linalg.svd(stacked(S, x), compute_uv=False)[-1]),
        "w0": float(np.linalg.norm(W, 2)),
        "X2": float(np.linalg.norm(x, 2)),
        "XF": float(np.linalg.norm(x)),
    }


Found = tuple[dict[str, float], float]  # radii and μ


def _radii(numbers: Mapping[str, float], tau: float) -> Found | None:
    """The fixed point at path length τ that is reached from 0, and its μ; None if there is none within the certificate's conditions."""
    R = {f"R_{k}": 0.0 for k in theory.SPEEDS}
    for _ in range(_ITERATIONS):
        if R["R_B"] >= _LARGEST or R["R_V"] * (numbers["w0"] + R["R_W"]) * numbers["K_sigma"] >= _LARGEST * numbers["L"] * math.sqrt(
            numbers["q"] * numbers["m"]
        ):
            return None
        try:
            values = _evaluate({**numbers, **R})
        except OverflowError:
            return None
        if values["mu"] <= 0:
            return None
        new = {f"R_{k}": values[f"g_{k}"] * tau * (1 + _SLACK) for k in theory.SPEEDS}
        if all(new[k] <= R[k] * (1 + _SLACK / 4) for k in R):
            return R, values["mu"]
        R = new
    return None


def _averages(numbers: Mapping[str, float], R: float, kind: str) -> Found | None:
    """The ball of averages of a radius and its μ; None outside the certificate's conditions."""
    growth = numbers["K_sigma"] / math.sqrt(numbers["q"] * numbers["m"])
    if R >= _LARGEST or growth * max(R * (numbers["w0"] + R), R * numbers["w0"] / math.sqrt(numbers["L"]) + R**2 / 2) >= _LARGEST:
        return None
    mu = _evaluate({**numbers, "R_ball": R}, kind)["mu"]
    return ({"R_ball": R}, mu) if mu > 0 else None


def _best(found: Callable[[float], Found | None], admits: Callable[[float, float], float]) -> float:
    """The path length that maximises the admissible loss (a grid refined three times is plainer than golden section)."""
    grid: Iterable[float] = np.geomspace(1e-8, 1e4, 49)
    for _ in range(3):
        lengths = [float(v) for v in grid]
        losses = [admits(v, f[1]) if (f := found(v)) else 0.0 for v in lengths]
        best = int(np.argmax(losses))
        if losses[best] == 0:
            return 0.0
        grid = np.linspace(lengths[max(best - 1, 0)], lengths[min(best + 1, len(lengths) - 1)], 21)
    return lengths[best]


def certify(spec: Spec, arrays: ArrayStore) -> Certificate:
    """The certificate of a spec of regime local-pl. Where none exists (s₀ = 0, say) the radii are 0, labels stay and μ = 0.

    Raises BadInput if every label is 0.
    """
    regime = spec.regime
    assert isinstance(regime, LocalPL)
    batch = realise(spec, arrays)
    numbers = data_numbers(batch)

    def found(length: float) -> Found | None:
        return _radii(numbers, length) if regime.ball == "sup" else _averages(numbers, length, regime.ball)

    def admits(length: float, mu: float) -> float:
        return (mu * length / 2) ** 2 if regime.ball == "sup" else mu * length**2 / 4

    length = regime.fraction * _best(found, admits)
    certified = found(length) if length > 0 else None
    if certified is None:
        names = ("R_A", "R_B", "R_V", "R_W") if regime.ball == "sup" else ("R_ball",)
        return Certificate(batch, dict.fromkeys(names, 0.0), 0.0)
    radii, mu = certified
    y: Array = batch.y if regime.labels == "given" else adversary.kernel(batch, batch.params)[1][0]
    size = float(np.mean(np.sum(y**2, axis=-1)))
    if size == 0:
        raise BadInput("regime local-pl needs labels that are not all 0")
    y = np.ascontiguousarray(y * (math.sqrt(admits(length, mu) / size) * (1 - _SLACK) * regime.excess))
    return Certificate(replace(batch, y=y), radii, mu)
