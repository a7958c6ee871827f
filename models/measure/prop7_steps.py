r"""The steps of Proposition 7 on an implementation's own network: model (3) is the general network with f(h, (V, W)) = Vσ(Wh/√q)/√m.

`ModelRun` presents a `Trajectory` as a `GeneralRun`: parameters, states and output are the implementation's, the adjoint is ours at its
states, and the radii are those of `depthlimit.models.rounding`. ∂₂f has q x 2qm entries per sample and layer, and no such array is made:
with S = σ(Wh/√q), D = V diag σ'(Wh/√q) and r = Dᵀp,

    ∂₂f ∂₂fᵀ = |S|² I/m + |h|² DDᵀ/(qm),    ∂₂fᵀp = (p Sᵀ/√m, r hᵀ/√(qm))

A difference D₁⊗h₁ - D₀⊗h₀ is X⊗e + Y⊗e' in an orthonormal basis e, e' of the plane of h₁ and h₀, e along h₁, with

    X = (D₁ - D₀)|h₁| + D₀ <h₁ - h₀, e>,    Y = D₀ |h₁ - h₀ - <h₁ - h₀, e> e|

so that nothing large cancels, as it would in the difference of Gram matrices.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from depthlimit.models import activations
from depthlimit.models.general import Perceptron
from depthlimit.models.general_run import GeneralRun
from depthlimit.models.measure import general
from depthlimit.models.measure.network import flat, gradients
from depthlimit.models.measure.registry import measures
from depthlimit.models.residual import transposed
from depthlimit.models.rounding import U, euclid, frobenius
from depthlimit.models.trajectory import Trajectory
from depthlimit.theory.quantity import Array, Field, number


def plane(one: Array, zero: Array) -> tuple[Array, Array, Array]:
    """|h₁|, <h₁ - h₀, e> and |h₁ - h₀ - <h₁ - h₀, e> e| [...] of vectors [... q]; e = h₁/|h₁|, or 0."""
    length = euclid(one)
    e = np.divide(one, length[..., None], out=np.zeros_like(one), where=length[..., None] > 0)
    step = one - zero
    along = np.sum(step * e, axis=-1)
    return length, along, euclid(step - along[..., None] * e)


def outer_change(a: Array, b: Array) -> Array:
    """|a₁b₁ᵀ - a₀b₀ᵀ|_F [... L-1 n] from one layer to the next, of vectors a [... L n i] and b [... L n j]."""
    length, along, across = plane(b[..., 1:, :, :], b[..., :-1, :, :])
    kept = a[..., :-1, :, :]
    return np.hypot(euclid(np.diff(a, axis=-3) * length[..., None] + kept * along[..., None]), euclid(kept) * across)


class ModelRun(GeneralRun):
    """A trajectory of model (3) in the terms of a general network.

    Args:
        run: what an implementation did on a spec of model (3).
    """

    def __init__(self, run: Trajectory) -> None:
        self.run, self.spec, self.network, self.times, self.batch = run, run.spec, run.network, run.times, run.batch
        self.branch, self.gain = Perceptron(run.spec.q, run.spec.m, run.network["activation"]), 1.0
        s, r = run.states, run.rounding
        self.states = {"A": s["A"], "Z": np.concatenate([flat(s["V"], 3), flat(s["W"], 3)], axis=-1), "B": s["B"]}
        self.hidden, self.output, self.p = run.forward["hidden"], run.forward["output"], run.adjoint
        self.hidden_error, self.step_error = r.states, r.step
        self.residual_error, self.adjoint_error = r.residuals, r.adjoint
        self.state_norm = r.jacobian * run.spec.L

    @cached_property
    def slope(self) -> Array:
        """σ'(W_{k+1} h_k/√q) [1 T L n m]."""
        return activations.derivative(self.network["activation"], self.run.rounding.pre)

    @cached_property
    def parameter_norms(self) -> tuple[Array, Array]:
        """In closed form, layer by layer: D of all layers together would be n times the weights."""
        s, S, h = self.spec, self.run.rounding.activations, self.hidden[..., :-1, :, :]
        by_V, by_W = 1 / s.m, 1 / (s.q * s.m)
        length, along, across = plane(h[..., 1:, :, :], h[..., :-1, :, :])
        size, step = euclid(S), euclid(np.diff(S, axis=-3))
        norms, changes = [], []
        before = gram_before = np.zeros(())
        for k in range(s.L):
            D = self.run.states["V"][..., k, None, :, :] * self.slope[..., k, :, None, :]  # [1 T n q m]
            gram = D @ transposed(D)
            norms.append(by_V * size[..., k, :] ** 2 + by_W * euclid(h[..., k, :, :]) ** 2 * np.linalg.eigvalsh(gram)[..., -1])
            if k:
                one, by, off = (v[..., k - 1, :, None, None] for v in (length, along, across))
                X = (D - before) * one + before * by
                top = np.linalg.eigvalsh(X @ transposed(X) + off**2 * gram_before)[..., -1]
                changes.append(by_V * step[..., k - 1, :] ** 2 + by_W * top)
            before, gram_before = D, gram
        none = np.zeros((*size.shape[:-2], 0, size.shape[-1]))
        return np.sqrt(np.stack(norms, axis=-2)), np.sqrt(np.maximum(np.stack(changes, axis=-2), 0)) if changes else none

    def pull_change(self, p: Array) -> Array:
        """In closed form, from p and r = σ' ⊙ Vᵀp."""
        r = np.einsum("...lqm,...lnq->...lnm", self.run.states["V"], p) * self.slope
        by_V = outer_change(p, self.run.rounding.activations)
        by_W = outer_change(r, self.hidden[..., :-1, :, :]) / np.sqrt(self.spec.q)
        return np.asarray(np.hypot(by_V, by_W) / np.sqrt(self.spec.m))


_FROM_STATES = (
    *("h_size", "h_next_size", "dh_size", "f_size", "h0_size", "Ax_size", "dh_pair"),
    *("p_size", "p_next_size", "dp_size", "Jt_size", "p_last_size", "B_error_size"),
    *("Bh_size", "y_size", "J1_norm", "J2_norm", "dJ2_norm", "sum_20", "split_20", "mean_dp", "mean_p", "mean_p_dh"),
    *("M_now", "K1_now", "K2_now", "K22_now", "K21_now", "K1_here", "K1_pair", "K2_pair", "K22_pair", "K21_pair"),
)


@measures(*_FROM_STATES, on=Trajectory)
def from_states(run: Trajectory) -> Mapping[str, Field]:
    """What the steps speak of, at the implementation's states."""
    view = ModelRun(run)
    fields: dict[str, Field] = {"M_now": general.largest(view)}
    for measure in (general.hidden_sizes, general.adjoint_sizes, general.derivative_norms, general.products, general.means):
        fields |= measure(view)
    fields |= {**general.at_time(view), **general.at_layers(view)}
    return {name: fields[name] for name in _FROM_STATES}


@measures("grad_gap", "K_pi", on=Trajectory)
def gradient_gap(run: Trajectory) -> Mapping[str, Field]:
    """L |∂ℓ/∂Z_{k+1} - ∂ℓ/∂Z_k| of the implementation's gradients, and Lip(π) = 1 of its clip."""
    L, g, e, own = run.network["L"], run.gradients, run.rounding.gradients, gradients(run)
    value = L * np.hypot(*(frobenius(np.diff(g[k], axis=2)) for k in "VW"))
    radius, terms = L * np.hypot(e["V"], e["W"]), L * np.hypot(*(np.asarray(own[f"grad_{k}"].scale) for k in "VW"))
    both = terms[..., 1:] + terms[..., :-1]
    return {
        "grad_gap": general.size(value, radius[..., 1:] + radius[..., :-1] + 4 * U * both, general.BTL, both),
        "K_pi": number(1.0),
    }
