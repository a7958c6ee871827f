r"""The exact equation of successive weights, and the comparison equations that bound them, integrated beside the flow.

Along (4), Z_k' = -Φ(h_{k-1}, p_k, Z_k) with p the q x n matrix ∂ℓ/∂h (1/n inside) and

    Φ(h, p, (V, W)) = ( p σ(Wh/√q)ᵀ/√m , (Vᵀp ⊙ σ'(Wh/√q)) hᵀ/√(qm) ).

Adding and subtracting Φ(h_k, p_{k+1}, Z_k), Δ_k = Z_{k+1} - Z_k has Δ_k' = -M_k Δ_k - e_k/L, e_k = L(Φ(h_k, p_{k+1}, Z_k) - Φ(h_{k-1},
p_k, Z_k)), and M_k is block diagonal over the hidden neurons j, whose parameters are z_j = (column j of V, row j of W): with h = h_k, p =
p_{k+1}, U = W_k h/√q, U⁺ = W_{k+1} h/√q and divided differences σ[U, U⁺],

    M_j = [[0, C_j], [C_j⁺ᵀ, D_j]],   C_j = Σ_i σ[U,U⁺]_ji p_i h_iᵀ/√(qm),   C_j⁺ the same with σ'(U⁺),
    D_j = Σ_i (V_kᵀp)_ji σ'[U,U⁺]_ji h_i h_iᵀ/(q√m).

Arrays here: samples are rows, h and p per sample (p without 1/n), neurons [... K m 2q] = (Vᵀ, W) for K pairs of successive layers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from depthlimit.models import activations, backward, flow, residual
from depthlimit.models.implementation import Arrays, Network
from depthlimit.theory.paper.variational import ORDERS
from depthlimit.theory.quantity import Array

_NUMBERS = range(1, len(ORDERS) + 1)
PAIRS = 3  # pairs of successive layers that are followed, the first and the last among them: their matrices are the cost
APART = 8192  # numbers in the matrices G of a layer up to which directions are kept apart
TOLERANCES = (1e-6, 1e-8, 1e-10, 1e-12)  # of the stepper: each run is there for the error of the one before
AGREED = 1e-4  # relative difference of two runs at which the finer one is taken
_NEAR = 0.25  # below this distance (times b) a divided difference is an integral of the derivative, which does not cancel
# Eight Gauss points: the poles of every φ lie at distance 1 from the line or further, so that the error is below 16⁻¹⁶ of the supremum.
_NODES, _WEIGHTS = (np.asarray(a) / 2 for a in np.polynomial.legendre.leggauss(8))


def pairs(L: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """k - 1 for the followed pairs (Z_k, Z_{k+1}), at most `PAIRS` of the L - 1."""
    return np.unique(np.round(np.linspace(0, L - 2, min(PAIRS, L - 1))).astype(np.int64)) if L > 1 else np.zeros(0, np.int64)


def divided(activation: Mapping[str, Any], u: Array, v: Array) -> tuple[Array, Array]:
    """σ[u, v] and σ'[u, v], the divided differences of σ and σ' (their derivatives at u = v), entry by entry."""
    step = v - u
    near = np.abs(activation["b"] * step) <= _NEAR
    at = u[..., None] + (0.5 + _NODES) * step[..., None]  # [... node]
    first, second = (np.asarray(f(activation, at) @ _WEIGHTS) for f in (activations.derivative, activations.second_derivative))
    if np.all(near):
        return first, second
    with np.errstate(divide="ignore", invalid="ignore"):
        far = [(f(activation, v) - f(activation, u)) / step for f in (activations.value, activations.derivative)]
    return np.where(near, first, far[0]), np.where(near, second, far[1])


def neurons(V: Array, W: Array) -> Array:
    """[... m 2q] from V [... q m] and W [... m q]."""
    return np.concatenate([residual.transposed(V), W], axis=-1)


def descent(spec: Network, h: Array, p: Array, V: Array, W: Array) -> Array:
    """Φ(h, p, (V, W)) as neurons [... m 2q] from h, p [... n q]."""
    u = h @ residual.transposed(W) / np.sqrt(spec["q"])
    s, slope = activations.value(spec["activation"], u), activations.derivative(spec["activation"], u)
    left = residual.transposed(s) @ p / np.sqrt(spec["m"])
    right = residual.transposed(slope * (p @ V)) @ h / np.sqrt(spec["q"] * spec["m"])
    return np.asarray(np.concatenate([left, right], axis=-1) / h.shape[-2])


def largest(symmetric: Array) -> Array:
    """Largest eigenvalue over the last two axes; NaN where a trial step of the stepper has overflowed."""
    if not np.all(np.isfinite(symmetric)):
        return np.full(symmetric.shape[:-2], np.nan)
    return np.asarray(np.linalg.eigvalsh(symmetric)[..., -1])


def rows(a: Array) -> Array:
    """Euclidean norm over the last axis."""
    return np.asarray(np.sqrt(np.sum(a * a, axis=-1)))


class Linearisation:
    """Δ_k, e_k and M_k at given states, for the pairs of successive layers in `pairs`.

    Args:
        spec: the protocol's mapping. params: V [... L q m], W [... L m q]. hidden, p: [... L+1 n q], p per sample.
    """

    def __init__(self, spec: Network, params: Arrays, hidden: Array, p: Array) -> None:
        self.spec, k = spec, pairs(spec["L"])
        self.V, self.V_next = params["V"][..., k, :, :], params["V"][..., k + 1, :, :]
        self.W, self.W_next = params["W"][..., k, :, :], params["W"][..., k + 1, :, :]
        self.h_before, self.h = hidden[..., k, :, :], hidden[..., k + 1, :, :]
        self.p, self.p_next = p[..., k + 1, :, :], p[..., k + 2, :, :]

    @property
    def difference(self) -> Array:
        """Δ_k [... K m 2q]."""
        return neurons(self.V_next - self.V, self.W_next - self.W)

    @property
    def source(self) -> Array:
        """e_k [... K m 2q]."""
        here, before = (descent(self.spec, h, p, self.V, self.W) for h, p in ((self.h, self.p_next), (self.h_before, self.p)))
        return np.asarray(self.spec["L"] * (here - before))

    @property
    def matrices(self) -> Array:
        """M_j [... K m 2q 2q]."""
        s, q, m = self.spec, self.spec["q"], self.spec["m"]
        h, p, n = self.h, self.p_next, self.h.shape[-2]
        U, U_next = (h @ residual.transposed(W) / np.sqrt(q) for W in (self.W, self.W_next))
        first, second = divided(s["activation"], U, U_next)
        slope = activations.derivative(s["activation"], U_next)
        ph = (p[..., :, None] * h[..., None, :]).reshape(*h.shape[:-1], q * q)
        hh = (h[..., :, None] * h[..., None, :]).reshape(*h.shape[:-1], q * q)

        def over_samples(weight: Array, outer: Array) -> Array:
            return np.asarray((residual.transposed(weight) @ outer).reshape(*weight.shape[:-2], m, q, q) / n)

        M = np.zeros((*U.shape[:-2], m, 2 * q, 2 * q))
        M[..., :q, q:] = over_samples(first, ph) / np.sqrt(q * m)
        M[..., q:, :q] = residual.transposed(over_samples(slope, ph)) / np.sqrt(q * m)
        M[..., q:, q:] = over_samples((p @ self.V) * second, hh) / (q * np.sqrt(m))
        return M

    def growth(self, M: Array) -> Array:
        """The logarithmic norm of -M_j, λ_max(-(M_j + M_jᵀ)/2) [... K m]."""
        return largest(-(M + residual.transposed(M)) / 2)

    def size(self, M: Array) -> Array:
        """|M_j|₂ [... K m]."""
        return np.sqrt(largest(residual.transposed(M) @ M))

    def drift(self, MG: Array, G: Array, growth: Array) -> Array:
        """μ_j, the mean of -M_j over what G_j holds, at least 0: -tr(M_jG_j)/tr G_j <= λ_j for a positive G_j [... K m]."""
        traces = [np.trace(a, axis1=-2, axis2=-1) for a in (MG, G)]
        mean = -traces[0] / np.where(traces[1] > 0, traces[1], 1)
        return np.asarray(np.clip(mean, 0, np.maximum(growth, 0)))  # the upper end only matters while G_j is rounding

    @property
    def apart(self) -> bool:
        """Whether directions are kept apart: not where their matrices would be most of the work."""
        return bool(self.spec["m"] * (2 * self.spec["q"]) ** 2 <= APART)

    def start(self) -> dict[str, Array]:
        """Initial values of the comparison equations."""
        D = self.spec["L"] * self.difference
        size = rows(D)
        if self.spec["clip"] is not None:
            return {"operator": rows(size)}
        unit = D / np.where(size > 0, size, 1)[..., None]
        return {
            "layer": rows(size),
            "neurons": size,
            **({"weights": size, "directions": D[..., :, None] * unit[..., None, :]} if self.apart else {}),
            **{f"E{i}": -D if i == 1 else np.zeros_like(D) for i in _NUMBERS},
            **{f"remainder{i}": np.zeros_like(size) for i in _NUMBERS},
        }

    def rates(self, now: Mapping[str, Array]) -> dict[str, Array]:
        """Right-hand sides of the comparison equations at one state; their solutions bound L|Δ_k| and |LΔ_k + E_1 - E_2 + ...|.

            layer        b' = λ b + |e_k|               λ = max_j of the logarithmic norms, b(0) = L|Δ_k(0)|
            neurons      b_j' = λ_j b_j + |e_kj|        the same, neuron by neuron
            weights      b_j' = μ_j b_j + |e_kj|        μ_j = `drift`: any number would do
            directions   G_j' = -M_jG_j - G_jM_jᵀ - μ_jG_j + e_je_jᵀ/|e_j|, G_j(0) = LΔ_jΔ_jᵀ/|Δ_j|: L²Δ_jΔ_jᵀ <= b_jG_j as matrices
            E1, E2, ...  E_1' = e_k, E_{i+1}' = M E_i   E_1(0) = -LΔ_k(0), the others start at 0
            remainder1   c_j' = λ_j c_j + |(M E_i)_j|   c(0) = 0: X_0 = LΔ, X_i = X_{i-1} ± E_i has X_i' = -MX_i ± ME_i
            operator     b' = max_j |M_j|₂ b + |e_k|    for a clip with Lipschitz constant 1, where |Δ_k'| <= |M_k Δ_k + e_k/L|

        Without a clip all but `operator`, weights and directions only if they are kept `apart`; with one `operator` alone.
        """
        e, M = self.source, self.matrices
        total = rows(rows(e))
        if self.spec["clip"] is not None:
            return {"operator": np.max(self.size(M), axis=-1) * now["operator"] + total}
        growth, pulled = self.growth(M), rows(e)
        ME = np.moveaxis(M @ np.stack([now[f"E{i}"] for i in _NUMBERS], axis=-1), -1, 0)
        directions = {}
        if self.apart:
            G = now["directions"]
            MG, unit = M @ G, e / np.where(pulled > 0, pulled, 1)[..., None]
            drift = self.drift(MG, G, growth)
            directions = {
                "weights": drift * now["weights"] + pulled,
                "directions": e[..., :, None] * unit[..., None, :] - MG - residual.transposed(MG) - drift[..., None, None] * G,
            }
        return {
            "layer": np.max(growth, axis=-1) * now["layer"] + total,
            "neurons": growth * now["neurons"] + pulled,
            **directions,
            **{f"E{i}": source for i, source in zip(_NUMBERS, [e, *ME], strict=False)},
            **{f"remainder{i}": growth * now[f"remainder{i}"] + rows(source) for i, source in zip(_NUMBERS, ME, strict=True)},
        }


def integrate(
    spec: Network, params: Arrays, x: Array, y: Array, times: Array, rtol: float, kind: type[Linearisation] = Linearisation
) -> dict[str, Array]:
    """The comparison equations along the flow from params: those of `Linearisation.rates` by name, [time K ...].

    rtol: the local tolerance of `solve`.
    """
    trained = [block for block in flow.BLOCKS if block in spec["train"]]
    params = {k: np.asarray(v) for k, v in params.items()}

    def linearised(theta: Arrays) -> tuple[Linearisation, Array, Array]:
        hidden = np.array(residual.forward(spec, theta, x)[0])
        p = np.array(backward.adjoint(spec, theta, hidden, y))
        return kind(spec, theta, hidden, p), hidden, p

    initial = linearised(params)[0].start()
    names = list(initial)
    shapes = [params[block].shape for block in trained] + [initial[name].shape for name in names]

    def rhs(_: float, state: Array) -> Array:
        pieces = flow.unpack(state, shapes)
        theta = {**params, **dict(zip(trained, pieces, strict=False))}
        at, hidden, p = linearised(theta)
        v = flow.velocity(spec, backward.gradients(spec, theta, hidden, p, x, y))
        found = at.rates(dict(zip(names, pieces[len(trained) :], strict=True)))
        return flow.pack([*(v[block] for block in trained), *(found[name] for name in names)])

    state = flow.pack([*(params[block] for block in trained), *(initial[name] for name in names)])
    if not pairs(spec["L"]).size:
        return {name: np.zeros((len(times), *initial[name].shape)) for name in names}
    moved = flow.solve(rhs, state, times, rtol, [flow.Block(int(np.prod(shape))) for shape in shapes])
    return dict(zip(names, flow.unpack(state + moved, shapes)[len(trained) :], strict=True))


def settled(
    spec: Network, params: Arrays, x: Array, y: Array, times: Array, kind: type[Linearisation] = Linearisation
) -> tuple[dict[str, Array], dict[str, Array], float] | None:
    """The comparison equations at falling tolerances until two runs agree: the finer, the coarser, and the tolerance of the finer.

    None where they leave float64: a bound e^700 times too large says nothing.
    """
    try:
        runs = ((tolerance, integrate(spec, params, x, y, times, tolerance, kind)) for tolerance in TOLERANCES)
        _, coarse = next(runs)
        for tolerance, fine in runs:
            sizes = {name: rows(a.reshape(len(times), -1)) for name, a in fine.items()}
            changes = {name: rows((a - coarse[name]).reshape(len(times), -1)) for name, a in fine.items()}
            # the later terms of a series matter beside its first one
            if tolerance == TOLERANCES[-1] or all(
                np.all(change <= AGREED * np.maximum(sizes[name], sizes.get("E1", 0))) for name, change in changes.items()
            ):
                break
            coarse = fine
    except RuntimeError:  # the stepper gave up
        return None
    return (fine, coarse, tolerance) if all(np.all(np.isfinite(a)) for a in fine.values()) else None
