"""Measures of the exact identities: energy, displacement, the conserved matrix, the growth of B."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from depthlimit.models.measure.network import BT, BTC, flat, gradients
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import U, frobenius, gamma
from depthlimit.models.trajectory import BLOCKS, Trajectory
from depthlimit.theory.quantity import Array, Field


def weighted(run: Trajectory, blocks: Mapping[str, Array], other: Mapping[str, Array] | None = None) -> Array:
    """⟨a, b⟩ over all blocks with weight 1/L on V and W [batch time]."""
    other = blocks if other is None else other
    total = np.zeros(blocks["A"].shape[:2])
    for k in BLOCKS:
        weight = 1 / run.network["L"] if k in "VW" else 1.0
        total += weight * np.sum(flat(blocks[k], 2) * flat(other[k], 2), axis=-1)
    return total


def _entries(run: Trajectory) -> int:
    return sum(flat(run.states[k], 2).shape[-1] for k in BLOCKS)


@measures("loss0", "loss_t", "dissipated", on=Trajectory)
def energy(run: Trajectory) -> Mapping[str, Field]:
    """Losses along the implementation's flow, and the dissipation that the reference flow integrates."""
    reference, error = run.reference
    loss = run.flow["loss"]
    # `loss` at t = 0 has the rounding of one evaluation; later values carry the error that the protocol allows the state.
    start = run.loss[:, 0]
    return {
        "loss0": Field(start, run.rounding.loss[:, 0], ("batch",)),
        "loss_t": Field(loss, run.loss_error, BT),
        "dissipated": Field(reference["energy"], error["energy"], BT),
    }


@measures("descent_rate", "speed2", on=Trajectory)
def rates(run: Trajectory) -> Mapping[str, Field]:
    """-⟨∇ℓ, θ'⟩ and the weighted squared speed; first-order propagation of the gradients' radii, with 1.01 for the second."""
    g, v, e = run.gradients, run.velocity, run.rounding.gradients
    L = run.network["L"]
    # ⟨∇ℓ, θ'⟩ has no weight 1/L: multiply by L what `weighted` divides
    scaled = {k: g[k] * (L if k in "VW" else 1) for k in BLOCKS}
    rate = -weighted(run, scaled, v)
    speed2 = weighted(run, v)
    trained = {k: k in run.network["train"] for k in BLOCKS}
    radius_rate = np.zeros_like(rate)
    for k in BLOCKS:
        per_layer = k in "VW"
        gn, vn = (frobenius(a[k]) for a in (g, v))
        change = e[k] * vn + gn * e[k] * (L if per_layer else 1) * trained[k]
        radius_rate += np.sum(change, axis=-1) if per_layer else change
    size = np.abs(rate) + speed2
    radius = 1.01 * radius_rate + gamma(_entries(run) + 8) * size
    squares = {k: np.asarray(gradients(run)[f"grad_{k}"].scale) ** 2 * trained[k] for k in BLOCKS}  # late in training sums cancel
    terms = squares["A"] + squares["B"] + L * np.sum(squares["V"] + squares["W"], axis=-1)
    return {"descent_rate": Field(rate, radius, BT, terms), "speed2": Field(speed2, 2 * radius, BT, terms)}


@measures("sum_gradient2", on=Trajectory)
def sums(run: Trajectory) -> Field:
    """The squared gradient with |V|_F + |W|_F for the norm of Z; each norm is off by the radius of its array."""
    norms = {k: frobenius(run.gradients[k]) * (k in run.network["train"]) for k in BLOCKS}
    sizes = {"A": norms["A"], "Z": norms["V"] + norms["W"], "B": norms["B"]}
    e = run.rounding.gradients
    errors = {"A": e["A"], "Z": e["V"] + e["W"], "B": e["B"]}
    value, radius = np.zeros(run.states["A"].shape[:2]), np.zeros(run.states["A"].shape[:2])
    for k, size in sizes.items():
        change = (2 * size + errors[k]) * errors[k] + gamma(_entries(run) + 8) * size**2
        value += run.network["L"] * np.sum(size**2, axis=-1) if k == "Z" else size**2
        radius += run.network["L"] * np.sum(change, axis=-1) if k == "Z" else change
    return Field(value, radius, BT)


@measures("displacement2", on=Trajectory)
def displacement(run: Trajectory) -> Field:
    """Weighted squared displacement; |a² - b²| <= (2a + r) r for the state's error r in the weighted norm."""
    s = run.flowed
    moved = {k: s[k] - s[k][:, :1] for k in BLOCKS}
    value = weighted(run, moved)
    L = run.network["L"]
    e = run.state_error
    r = np.sqrt(e["A"] ** 2 + e["B"] ** 2 + (e["V"] ** 2 + e["W"] ** 2) / L)
    radius = (2 * np.sqrt(value) + r) * r + gamma(_entries(run)) * value
    return Field(value, radius, BT)


@measures("balance_AV", "balance_BW", on=Trajectory)
def balance(run: Trajectory) -> Mapping[str, Field]:
    """Both sides of the conservation law's derivative at the saved states."""
    s, v, e, L = run.states, run.velocity, run.rounding.gradients, run.network["L"]
    left = np.einsum("...qd,...rd->...qr", v["A"], s["A"]) + np.einsum("...lqm,...lrm->...qr", v["V"], s["V"]) / L
    right = np.einsum("...oq,...or->...qr", s["B"], v["B"]) + np.einsum("...lmq,...lmr->...qr", s["W"], v["W"]) / L
    own = gamma(run.network["L"] * run.network["m"] + 8)
    f = {k: (frobenius(s[k]), frobenius(v[k])) for k in BLOCKS}
    terms = {k: gradients(run)[f"grad_{k}"] for k in "AB"}

    def radius(outer: str, inner: str) -> Array:
        # velocities of V_k and W_k are L times the gradients, which cancels the 1/L of the sum
        a = f[outer][0] * (e[outer] + own * f[outer][1])
        b = np.sum(f[inner][0] * (e[inner] + own * f[inner][1] / L), axis=-1)
        return np.asarray(a + b)

    return {
        "balance_AV": Field(flat(left, 2), radius("A", "V"), BTC, f["A"][0] * terms["A"].scale),
        "balance_BW": Field(flat(right, 2), radius("B", "W"), BTC, f["B"][0] * terms["B"].scale),
    }


@measures("conserved", "conserved0", on=Trajectory)
def conserved(run: Trajectory) -> Mapping[str, Field]:
    """AAᵀ - BᵀB + (1/L) Σ (V_k V_kᵀ - W_kᵀ W_k) along the flow."""
    s, e, L = run.flowed, run.state_error, run.network["L"]
    value = (
        np.einsum("...qd,...rd->...qr", s["A"], s["A"])
        - np.einsum("...oq,...or->...qr", s["B"], s["B"])
        + (np.einsum("...lqm,...lrm->...qr", s["V"], s["V"]) - np.einsum("...lmq,...lmr->...qr", s["W"], s["W"])) / L
    )
    size = {k: np.sqrt(np.sum(flat(s[k], 2) ** 2, axis=-1)) for k in BLOCKS}
    weight = {k: 1 / L if k in "VW" else 1.0 for k in BLOCKS}
    spread = sum(weight[k] * (2 * size[k] + e[k]) * e[k] for k in BLOCKS)
    own = gamma(L * run.network["m"] + 8) * sum(weight[k] * size[k] ** 2 for k in BLOCKS)
    radius = np.asarray(spread + own)
    return {
        "conserved": Field(flat(value, 2), radius, BTC),
        "conserved0": Field(flat(value[:, 0], 1), own[:, 0], ("batch", "component")),
    }


@measures("B_growth", "alignment", on=Trajectory)
def growth(run: Trajectory) -> Mapping[str, Field]:
    """2⟨B, B'⟩ and Σ ⟨F(x_i) - y_i, y_i⟩."""
    B, v, y = run.states["B"], run.velocity["B"], run.batch.y
    value = 2 * np.sum(B * v, axis=(-2, -1))
    size = frobenius(B)
    radius = 2 * size * (run.rounding.gradients["B"] + gamma(B.shape[-1] * B.shape[-2] + 4) * frobenius(v))
    error = run.forward["output"] - y
    aligned = np.sum(error * y, axis=(-2, -1))
    labels = np.sqrt(np.sum(y**2, axis=-1))
    spread = np.sum(run.rounding.residuals * labels, axis=-1)
    own = gamma(y.size + 4) * np.sum(np.sqrt(np.sum(error**2, axis=-1)) * labels, axis=-1)
    terms = 2 * size * np.asarray(gradients(run)["grad_B"].scale)
    size_aligned = np.sum(run.terms[0] * labels, axis=-1)
    return {"B_growth": Field(value, radius, BT, terms), "alignment": Field(aligned, spread + own, BT, size_aligned)}


@measures("B_norm2", "B0_norm2", on=Trajectory)
def B_norms(run: Trajectory) -> Mapping[str, Field]:
    """|B(t)|_F² and its value at 0."""
    value = np.sum(flat(run.flowed["B"], 2) ** 2, axis=-1)
    e = run.state_error["B"]
    own = (run.network["q"] * run.network["dout"] + 4) * U * value
    return {
        "B_norm2": Field(value, (2 * np.sqrt(value) + e) * e + own, BT),
        "B0_norm2": Field(value[:, 0], own[:, 0], ("batch",)),
    }
