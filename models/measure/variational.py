"""Measures of the variational equation of successive weights, of its comparison equations, and of the block norms.

They live on at most three pairs of successive layers (`models.variational.pairs`). The comparison equations are integrated beside the
flow from the same initial state, at falling tolerances until two runs agree to `AGREED`. Their difference is dominated by the error of the
coarse run, but not always: two runs take the same steps where saved times dictate these, and λ, |M_j|₂ and |ME| have kinks, past which a
stepper may spend more than its tolerance. So `AGREED` of the value is added, five times that for
remainders, whose sources |ME| vanish at times, and for E, whose right side is smooth, a hundred times the tolerance, which is what the
protocol allows a flow. On 50 instances the worst error was four fifths of this for E_3, and six tenths for the others.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from depthlimit.models.measure.network import BTLC, gradients
from depthlimit.models.measure.registry import measures
from depthlimit.models.measure.successive import BTL, _supremum
from depthlimit.models.rounding import U, euclid, frobenius, gamma
from depthlimit.models.trajectory import Trajectory, operator_norm
from depthlimit.models.variational import AGREED, largest, neurons, pairs, rows, settled
from depthlimit.theory.paper.variational import ORDERS
from depthlimit.theory.quantity import Array, Field, number


def _flat(a: Array) -> Array:
    return a.reshape(*a.shape[:-2], a.shape[-2] * a.shape[-1])


@measures("parting", "variation", on=Trajectory)
def equation(run: Trajectory) -> Mapping[str, Field]:
    """Both sides of Δ_k' = -M_k Δ_k - e_k/L: the implementation's velocities; ours at its states.

    Radii: an error of h and p moves the right side as it moves the two gradients, L times their radii. Beyond that it is a sum of terms of
    the sizes in those gradients, with the mixed Φ(h_k, p_{k+1}, Z_k) computed twice (in e_k, and within M_kΔ_k): twice the radii
    cover both. M_kΔ_k is a product with inner dimensions n and 2q, of divided differences with relative error 16 u.
    """
    s, k = run.network, pairs(run.network["L"])
    at = run.linearisation(s, run.states, run.forward["hidden"], run.adjoint)
    right = -np.einsum("...ab,...b->...a", at.matrices, at.difference) - at.source / s["L"]
    v, e = run.velocity, run.rounding.gradients
    left = neurons(v["V"][..., k + 1, :, :], v["W"][..., k + 1, :, :]) - neurons(v["V"][..., k, :, :], v["W"][..., k, :, :])
    joint = s["L"] * np.hypot(e["V"], e["W"])
    radius = joint[..., k + 1] + joint[..., k]
    p, h, moved = euclid(at.p_next), euclid(at.h), at.difference
    first = run.rounding.K * np.mean(p * h, axis=-1) / np.sqrt(s["q"] * s["m"])
    second = run.rounding.S2 * np.mean(p * h**2, axis=-1) * frobenius(at.V) / (s["q"] * np.sqrt(s["m"]))
    own = gamma(s["n"] + 2 * s["q"] + 24) * (2 * first + second) * rows(rows(moved))
    # what the layers' gradients would be without cancellation among samples: late in training nothing better is known
    P, S = run.terms[1][..., 1:, :], euclid(run.rounding.activations)
    pulled = run.rounding.K * frobenius(run.states["V"])[..., None] * P * euclid(run.forward["hidden"])[..., :-1, :]
    terms = np.mean(P * S, axis=-1) / np.sqrt(s["m"]) + np.mean(pulled, axis=-1) / np.sqrt(s["q"] * s["m"])
    scale = terms[..., k + 1] + terms[..., k]
    rounding = gamma(8) * scale
    return {
        "parting": Field(_flat(left), radius + rounding, BTLC, scale),
        "variation": Field(_flat(right), 2 * radius + own + rounding, BTLC, scale),
    }


_BOUNDS = (
    *("parted", "comparison", "comparison_neurons", "comparison_directions"),
    *(f"{order}_{part}" for order in ORDERS for part in ("size", "error", "radius")),
)


@measures(*_BOUNDS, on=Trajectory)
def bounds(run: Trajectory) -> Mapping[str, Field]:
    """L|Δ_k| along the implementation's flow, and what bounds it along ours, at times > 0.

    Under a clip only the first two have points, directions only where they are kept apart; nothing has where the comparison
    equations leave float64.
    """
    s, b, k = run.network, run.batch, pairs(run.network["L"])
    later = run.times > 0  # at t = 0 both sides are what they were given to be
    empty = dict.fromkeys(_BOUNDS, Field(np.zeros((1, int(np.sum(later)), 0)), np.zeros(()), BTL))
    found = settled(s, b.params, b.x, b.y, run.times, run.linearisation)
    if found is None:
        return empty
    fine, coarse, tolerance = found
    fine, coarse = ({name: a[later] for name, a in found.items()} for found in (fine, coarse))

    def solved(name: str, axes: int, share: float = AGREED) -> tuple[Array, Array]:
        """A solution and its radius, reduced to the Euclidean norm over its last axes; [1 T K]."""

        def norm(a: Array) -> Array:
            return np.asarray(np.sqrt(np.sum(a[None] ** 2, axis=tuple(range(3, 3 + axes)))))

        return norm(fine[name]), norm(fine[name] - coarse[name]) + share * norm(fine[name])

    states, error = ({name: a[:, later] for name, a in found.items()} for found in (run.flowed, run.state_error))
    here, after = (neurons(states["V"][:, :, j], states["W"][:, :, j]) for j in (k, k + 1))
    moved = s["L"] * (after - here)
    size = rows(rows(moved))
    allowed = np.sqrt(2) * s["L"] * np.hypot(error["V"], error["W"])[..., None]
    radius = allowed + gamma(2 * s["q"] * s["m"] + 6) * size
    # like `gap`: a difference of floats is known relative to what is subtracted
    terms = s["L"] * (rows(rows(here)) + rows(rows(after)))
    fields = {"parted": Field(size, radius, BTL, terms)}
    if s["clip"] is not None:
        return {**empty, **fields, "comparison": Field(*solved("operator", 0), BTL)}
    fields |= {"comparison": Field(*solved("layer", 0), BTL), "comparison_neurons": Field(*solved("neurons", 1), BTL)}
    fields |= {"comparison_directions": Field(*_directions(fine, coarse), BTL) if "directions" in fine else empty["parted"]}
    centre, spread, length = np.zeros(()), np.zeros(()), np.zeros(())
    for i, order in enumerate(ORDERS, start=1):
        centre = centre + (-1) ** (i - 1) * fine[f"E{i}"][None]
        own, off = solved(f"E{i}", 2, 100 * tolerance)
        spread, length = spread + off, length + own
        fields |= {
            f"{order}_size": Field(rows(rows(centre)), spread, BTL),
            f"{order}_error": Field(rows(rows(moved + centre)), radius + spread + 4 * U * length, BTL, terms + length),
            f"{order}_radius": Field(*solved(f"remainder{i}", 1, 5 * AGREED), BTL),
        }
    return fields


def _directions(fine: Mapping[str, Array], coarse: Mapping[str, Array]) -> tuple[Array, Array]:
    """(Σ_j b_j|G_j|₂)^½ and its radius, [1 T K]: |G_j|₂ is known as well as G_j in the Frobenius norm."""
    (b, b_off), (G, G_off) = ((fine[name], np.abs(fine[name] - coarse[name])) for name in ("weights", "directions"))
    below = np.minimum(b, 0), np.minimum(largest(G), 0)  # b and G are positive: this is error alone
    b, norm = b - below[0], largest(G) - below[1]
    b_off, norm_off = b_off + AGREED * b - below[0], frobenius(G_off) + AGREED * frobenius(G) - below[1]
    square, off = np.sum(b * norm, axis=-1), np.sum(b_off * norm + (b + b_off) * norm_off, axis=-1)
    return np.sqrt(square)[None], (np.sqrt(square + off) - np.sqrt(square))[None]


@measures("clip_apart", on=Trajectory)
def apart(run: Trajectory) -> Field:
    """Whether the clip acts on V and W apart: the radial one does not."""
    return number(float(run.network["clip"] is None or run.network["clip"]["kind"] != "radial"))


def _norms(run: Trajectory) -> dict[str, tuple[Array, Array]]:
    """Block norms at every layer and their radii, [1 T layers]: k = 1..L, for p and h k = 0..L."""
    s, r, hidden = run.network, run.rounding, run.forward["hidden"]
    P = frobenius(run.adjoint) / s["n"]
    X, H = np.linalg.norm(hidden, ord=2, axis=(-2, -1)), np.max(euclid(hidden), axis=-1)
    S = np.linalg.norm(r.activations, ord=2, axis=(-2, -1))
    drift = r.activation + r.K * np.linalg.norm(run.states["W"], ord=2, axis=(-2, -1))[..., None] * r.states[..., :-1, :] / np.sqrt(s["q"])
    step = np.einsum("...lqm,...lnm->...lnq", run.states["V"], r.activations) / np.sqrt(s["m"])
    V2 = np.linalg.norm(run.states["V"], ord=2, axis=(-2, -1))
    own = 4 * max(s["q"], s["m"], s["n"]) * U  # LAPACK's backward error, and sums of squares
    return {
        "P": (P, euclid(r.adjoint) / s["n"] + gamma(s["n"] * s["q"] + 4) * P),
        "X": (X, euclid(r.states) + own * frobenius(hidden)),
        "H": (H, np.max(r.states, axis=-1) + gamma(s["q"] + 4) * H),
        "S": (S, euclid(drift) + own * frobenius(r.activations)),
        "hd_F": (
            frobenius(step),
            (V2 * euclid(drift) + euclid(r.branch)) / np.sqrt(s["m"]) + gamma(s["n"] * s["q"] + 4) * frobenius(step),
        ),
        "v": operator_norm(run.states["V"]),
        "w": operator_norm(run.states["W"]),
    }


@measures(*(f"{name}_block" for name in ("P", "v", "w", "X", "H", "S", "hd_F", "nu_V", "nu_W", "rate_V", "rate_W")), on=Trajectory)
def blocks(run: Trajectory) -> Mapping[str, Field]:
    """Inputs of the norm version at one state, and both of its left sides; π is 1-Lipschitz, so radii of velocities pass through it."""
    k, norms = pairs(run.network["L"]), _norms(run)
    layers = {"P": (k + 1, k + 2), "X": (k, k + 1), "H": (k + 1,), "S": (k,), "hd_F": (k,), "v": (k, k + 1), "w": (k, k + 1)}
    fields = {}
    for name, at in layers.items():
        value, radius = (np.maximum.reduce([a[..., j] for j in at]) for a in norms[name])
        fields[f"{name}_block"] = Field(value, radius, BTL)
    terms = {x: run.network["L"] * np.asarray(gradients(run)[f"grad_{x}"].scale) for x in "VW"}
    if run.network["clip"]:
        terms = dict.fromkeys("VW", np.hypot(terms["V"], terms["W"]))
    for letter in "VW":
        a, v = run.states[letter], run.velocity[letter]
        e = run.network["L"] * (
            np.hypot(*(run.rounding.gradients[x] for x in "VW")) if run.network["clip"] else run.rounding.gradients[letter]
        )
        own = gamma(a.shape[-1] * a.shape[-2] + 8)
        gap, rate = (frobenius(x[..., k + 1, :, :] - x[..., k, :, :]) for x in (a, v))
        together, scale = frobenius(v)[..., k + 1] + frobenius(v)[..., k], terms[letter][..., k + 1] + terms[letter][..., k]
        fields[f"nu_{letter}_block"] = Field(gap, own * gap, BTL)
        fields[f"rate_{letter}_block"] = Field(rate, e[..., k + 1] + e[..., k] + own * together, BTL, scale)
    return fields


@measures("P_run", "X_run", "S_run", "hd_F_run", on=Trajectory)
def suprema(run: Trajectory) -> Mapping[str, Field]:
    """Suprema over all layers and the saved times; as for those of Proposition 7, ten relative errors of the states are added."""
    relative = sum(float(np.max(e)) / max(float(np.max(frobenius(run.states[k]))), 1e-300) for k, e in run.state_error.items())
    norms = _norms(run)
    return {f"{name}_run": _supremum(a, r + 10 * relative * np.max(a)) for name, (a, r) in norms.items() if name in ("P", "X", "S", "hd_F")}
