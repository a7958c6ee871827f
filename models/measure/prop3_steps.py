"""Measures of the steps of B.3: the initialisation's norms, the sum norm beside the Euclidean one, ∂₂f against the gradient."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from depthlimit.models import activations
from depthlimit.models.measure.network import BT, gradients
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import U, euclid, frobenius, gamma
from depthlimit.models.trajectory import Trajectory
from depthlimit.theory.quantity import Array, Field, number

BTL = ("batch", "time", "layer")


def _vectors(V: Array, W: Array) -> Array:
    """Z_k = (V_k, W_k) as vectors [... 2qm]."""
    return np.concatenate([V.reshape(*V.shape[:-2], -1), W.reshape(*W.shape[:-2], -1)], axis=-1)


@measures("A0_norm", "B0_norm", "Z0_here", "Z0_next", on=Trajectory)
def start(run: Trajectory) -> Mapping[str, Field]:
    """The drawn initial parameters."""
    params = run.batch.params
    Z = _vectors(params["V"], params["W"])[None]
    fields = {
        "Z0_here": Field(Z[:, :-1], np.zeros(()), ("batch", "layer", "component")),
        "Z0_next": Field(Z[:, 1:], np.zeros(()), ("batch", "layer", "component")),
    }
    for name, block in (("A0_norm", "A"), ("B0_norm", "B")):
        value = float(frobenius(params[block]))
        fields[name] = number(value, gamma(params[block].size + 2) * value)
    return fields


@measures("Z_euclid", "V_here", "W_here", "gap_V", "gap_W", on=Trajectory)
def norms(run: Trajectory) -> Mapping[str, Field]:
    """Norms of the saved states and of their successive differences: roots of sums of at most 2qm squares."""
    V, W = run.states["V"], run.states["W"]
    own = gamma(2 * run.network["q"] * run.network["m"] + 6)
    values = {
        "Z_euclid": euclid(_vectors(V, W)),
        "V_here": frobenius(V),
        "W_here": frobenius(W),
        "gap_V": frobenius(np.diff(V, axis=2)),
        "gap_W": frobenius(np.diff(W, axis=2)),
    }
    return {name: Field(value, own * value, BTL) for name, value in values.items()}


def _terms(run: Trajectory) -> Array:
    """Size of L ∂ℓ/∂Z_k before cancellation [1 T L]: late in training it is known relative to that and no better."""
    return np.asarray(run.network["L"] * np.hypot(*(np.asarray(gradients(run)[f"grad_{k}"].scale) for k in "VW")))


@measures("A_speed", "B_speed", "Z_speed_sum", "descent", "descent_sum", on=Trajectory)
def speeds(run: Trajectory) -> Mapping[str, Field]:
    """Norms of velocities and of L times the gradient; every π here has Lipschitz constant 1 in each block, so radii carry over."""
    v, g, e, L = run.velocity, run.gradients, run.rounding.gradients, run.network["L"]
    q, m, d = run.network["q"], run.network["m"], run.network["d"]
    own = gamma(2 * q * max(m, d, run.network["dout"]) + 8)
    A, B = frobenius(v["A"]), frobenius(v["B"])
    V, W = frobenius(v["V"]), frobenius(v["W"])
    gV, gW = L * frobenius(g["V"]), L * frobenius(g["W"])
    eV, eW = L * e["V"], L * e["W"]
    # The radial clip acts on (V, W) as one vector: an error in one block moves the other too.
    error = np.sqrt(2) * np.hypot(eV, eW)
    return {
        "A_speed": Field(A, e["A"] + own * A, BT),
        "B_speed": Field(B, e["B"] + own * B, BT),
        "Z_speed_sum": Field(V + W, error + own * (V + W), BTL),
        "descent": Field(np.hypot(gV, gW), np.hypot(eV, eW) + own * np.hypot(gV, gW), BTL, _terms(run)),
        "descent_sum": Field(gV + gW, eV + eW + own * (gV + gW), BTL, _terms(run)),
    }


@measures("pull", on=Trajectory)
def pull(run: Trajectory) -> Field:
    r"""(1/n) Σ_i ‖∂₂f(h_{k-1,i}, Z_k)‖₂ |p_{k,i}|.

    ∂₂f ∂₂fᵀ = |S|²/m I + V diag(σ'²) Vᵀ |h|²/(qm), so ‖∂₂f‖₂² = |S|²/m + ‖V diag σ'‖₂²|h|²/(qm). Its error times |p|, and that of p times
    it, are bounded term by term by L times the radii of the gradients in V and W; the singular value adds its own.
    """
    s, r, net = run.states, run.rounding, run.network
    q, m = net["q"], net["m"]
    h, p, S = euclid(run.forward["hidden"])[..., :-1, :], euclid(run.adjoint)[..., 1:, :], euclid(r.activations)
    largest, size = np.empty_like(h), np.empty_like(h)
    for k in range(net["L"]):
        slope = activations.derivative(net["activation"], r.pre[..., k, :, :])
        product = s["V"][..., k, None, :, :] * slope[..., None, :]
        largest[..., k, :] = np.linalg.norm(product, ord=2, axis=(-2, -1))
        size[..., k, :] = frobenius(product)
    value = np.mean(np.hypot(S / np.sqrt(m), largest * h / np.sqrt(q * m)) * p, axis=-1)
    singular = 4 * max(q, m) * U * np.mean(size * h * p, axis=-1) / np.sqrt(q * m)
    carried = net["L"] * (r.gradients["V"] + r.gradients["W"])
    return Field(value, carried + singular + gamma(net["n"] + m + q + 8) * value, BTL, _terms(run))
