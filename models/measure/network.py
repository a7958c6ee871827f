"""Measures of the setting: states, gradients, velocities and the flow, each with its radius (`depthlimit.models.rounding`)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from depthlimit.models import activations, backward
from depthlimit.models.calls import call
from depthlimit.models.clip import clip
from depthlimit.models.measure.instance import register_instance
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import Rounding, U, euclid, frobenius, gamma
from depthlimit.models.trajectory import BLOCKS, Trajectory
from depthlimit.theory.quantity import Array, Field

register_instance(Trajectory)

BTNC = ("batch", "time", "sample", "component")
BTLNC = ("batch", "time", "layer", "sample", "component")
BTC = ("batch", "time", "component")
BTLC = ("batch", "time", "layer", "component")
BT = ("batch", "time")


def flat(a: Array, keep: int) -> Array:
    """All axes after the first `keep` as one component axis."""
    return a.reshape(*a.shape[:keep], -1)


@measures("h0", "Ax", "h", "h_next", "branch", "output", "Bh", on=Trajectory)
def states(run: Trajectory) -> Mapping[str, Field]:
    """(3) at the implementation's states: each side's radius is that of one step in float64."""
    r, f, s = run.rounding, run.forward, run.states
    hidden = f["hidden"]
    Ax = np.einsum("...qd,nd->...nq", s["A"], run.batch.x)
    branch = np.einsum("...lqm,...lnm->...lnq", s["V"], r.activations)
    Bh = np.einsum("...oq,...nq->...no", s["B"], hidden[..., -1, :, :])
    zero = np.zeros(())
    return {
        "h0": Field(hidden[..., 0, :, :], r.embedded, BTNC),
        "Ax": Field(Ax, r.embedded, BTNC),
        "h": Field(hidden[..., :-1, :, :], zero, BTLNC),
        "h_next": Field(hidden[..., 1:, :, :], r.step, BTLNC),
        "branch": Field(branch, r.branch, BTLNC),
        "output": Field(f["output"], r.readout, BTNC),
        "Bh": Field(Bh, r.readout, BTNC, frobenius(s["B"])[..., None] * euclid(hidden[..., -1, :, :])),
    }


@measures("loss", "sum_squares", on=Trajectory)
def losses(run: Trajectory) -> Mapping[str, Field]:
    """The loss that is reported against the squared errors at the implementation's outputs."""
    error = run.forward["output"] - run.batch.y
    total = np.sum(error**2, axis=(-2, -1))
    # The implementation's loss may use a forward pass of its own: `rounding.loss` covers both.
    n = run.network["n"]
    terms = np.sum(run.terms[0] ** 2, axis=-1)
    return {
        "loss": Field(run.loss, run.rounding.loss, BT, terms / n),
        "sum_squares": Field(total, n * run.rounding.loss, BT, terms),
    }


@measures("p", "p_next", "p_last", "B_residual", "jacobian_p", "jacobian_t_p", on=Trajectory)
def adjoint(run: Trajectory) -> Mapping[str, Field]:
    """p_k = ∂ℓ_i/∂h_k of the sample with the largest input, from the implementation: the gradient in A of the network truncated
    before layer k+1, with input h_k.

    Truncated to its last L - k layers with V scaled by (L - k)/L the network computes the same, and for one sample ∂ℓ/∂A = p_k h_kᵀ, so
    that p_k = (∂ℓ/∂A) h_k/|h_k|² with A the identity. Its radius is that of the gradient of the truncated network.
    """
    L, q = run.network["L"], run.network["q"]
    s = {k: run.states[k][:, -1] for k in BLOCKS}
    i = int(np.argmax(euclid(run.batch.x)))
    h = run.forward["hidden"][:, -1, :, i]  # [batch L+1 q]
    y = run.batch.y[i : i + 1]
    if not np.all(euclid(h) > 0):  # a state 0 hides its adjoint: there is nothing to read off
        empty = np.zeros((0,))
        shapes = {"p": 3, "p_next": 3, "p_last": 2, "B_residual": 2, "jacobian_p": 3, "jacobian_t_p": 3}
        axes = {3: ("batch", "layer", "component"), 2: ("batch", "component")}
        return {k: Field(empty.reshape((0, L, q)[:r] if r == 3 else (0, q)), np.zeros(()), axes[r]) for k, r in shapes.items()}
    p, radius = np.zeros_like(h), np.zeros(h.shape[:2])
    for k in range(L + 1):
        rest = max(L - k, 1)
        V = s["V"][0, L - rest :] * (rest / L) if k < L else np.zeros((1, q, run.network["m"]))
        params = {"A": np.eye(q), "V": V, "W": s["W"][0, L - rest :], "B": s["B"][0]}
        net = {**run.network, "d": q, "L": rest, "n": 1, "clip": None, "train": "AVWB"}
        x = h[0, k][None]
        size = float(np.sum(x**2))
        g = call(run.implementation, "gradients", net, params=params, x=x, y=y)
        p[0, k] = g["A"] @ x[0] / size
        f = call(run.implementation, "forward", net, params=params, x=x)
        lead = {n: a[None] for n, a in params.items()}
        own = backward.adjoint(net, lead, f["hidden"][None], y)
        r = Rounding(net, lead, x, y, f["hidden"][None], f["output"][None], own)
        radius[0, k] = float(r.gradients["A"][0]) / np.sqrt(size) + gamma(q + 4) * float(euclid(p[0, k]))
    W, V = s["W"], s["V"]
    u = np.einsum("blmq,blq->blm", W, h[:, :-1]) / np.sqrt(q)
    slope = activations.derivative(run.network["activation"], u)
    scale = 1 / np.sqrt(q * run.network["m"])
    forwards = np.einsum("blqm,blm,blmr,blr->blq", V, slope, W, p[:, 1:], optimize=True) * scale
    backwards = np.einsum("blqm,blm,blmr,blq->blr", V, slope, W, p[:, 1:], optimize=True) * scale
    K = run.rounding.K
    size = K * scale * frobenius(V) * frobenius(W)
    Kp = size * radius[:, 1:] + (gamma(2 * q + run.network["m"] + 6) * size + _slope_error(run, u, h, size)) * euclid(p[:, 1:])
    residual = run.forward["output"][:, -1, i] - y[0]
    terms = run.terms[1][:, -1, :, i]  # [batch L+1]
    BLC, BC = ("batch", "layer", "component"), ("batch", "component")
    B_residual = np.einsum("boq,bo->bq", s["B"], residual)
    own_error = frobenius(s["B"]) * (run.rounding.residuals[:, -1, i] + gamma(len(y[0]) + 2) * euclid(residual))
    return {
        "p": Field(p[:, :-1], radius[:, :-1], BLC, terms[:, :-1]),
        "p_next": Field(p[:, 1:], radius[:, 1:], BLC, terms[:, 1:]),
        "p_last": Field(p[:, -1], radius[:, -1] + 2 * own_error, BC, terms[:, -1]),
        "B_residual": Field(B_residual, own_error, BC, frobenius(s["B"]) * (euclid(residual) + euclid(y[0]))),
        "jacobian_p": Field(forwards, Kp, BLC),
        "jacobian_t_p": Field(backwards, Kp, BLC),
    }


def _slope_error(run: Trajectory, u: Array, h: Array, size: Array) -> Array:
    """Relative weight of errors of σ' in ∂₁f: own evaluation and argument, over K_σ (their share of `size`)."""
    activation = run.network["activation"]
    own = np.max(activations.derivative_error(activation, u), axis=-1)
    argument = np.max(np.abs(u), axis=-1) * gamma(run.network["q"] + 2)
    curvature = run.rounding.S2 if np.isfinite(run.rounding.S2) else 0.0
    return np.asarray(size / run.rounding.K * (own + curvature * argument))


@measures("grad_A", "grad_V", "grad_W", "grad_B", "sum_p0_x", "sum_vjp_V", "sum_vjp_W", "sum_error_h", on=Trajectory)
def gradients(run: Trajectory) -> Mapping[str, Field]:
    """(14)-(16): the implementation's gradients, and ours from the adjoint at its hidden states, each within its rounding of the truth."""
    n, L, q, m = (run.network[k] for k in ("n", "L", "q", "m"))
    g, e, p = run.gradients, run.rounding.gradients, run.adjoint
    hidden, s = run.forward["hidden"], run.states
    activation = run.network["activation"]
    pull = np.einsum("...lqm,...lnq->...lnm", s["V"], p[..., 1:, :, :])
    back = pull * activations.derivative(activation, run.rounding.pre)
    error = run.forward["output"] - run.batch.y
    ours = {
        "sum_p0_x": (np.einsum("...nq,nd->...qd", p[..., 0, :, :], run.batch.x), n * e["A"], 2),
        "sum_vjp_V": (np.einsum("...lnq,...lnm->...lqm", p[..., 1:, :, :], run.rounding.activations) / np.sqrt(m), n * L * e["V"], 3),
        "sum_vjp_W": (np.einsum("...lnm,...lnq->...lmq", back, hidden[..., :-1, :, :]) / np.sqrt(q * m), n * L * e["W"], 3),
        "sum_error_h": (np.einsum("...no,...nq->...oq", error, hidden[..., -1, :, :]), n * e["B"] / 2, 2),
    }
    size = {k: euclid(a) for k, a in (("h", hidden), ("x", run.batch.x), ("S", run.rounding.activations))}
    size["e"], size["p"] = run.terms
    size["r"] = run.rounding.K * frobenius(s["V"])[..., None] * size["p"][..., 1:, :]
    terms = {  # what the sums over samples would be without cancellation
        "sum_p0_x": np.sum(size["p"][..., 0, :] * size["x"], axis=-1),
        "sum_vjp_V": np.sum(size["p"][..., 1:, :] * size["S"], axis=-1) / np.sqrt(m),
        "sum_vjp_W": np.sum(size["r"] * size["h"][..., :-1, :], axis=-1) / np.sqrt(q * m),
        "sum_error_h": np.sum(size["e"] * size["h"][..., -1, :], axis=-1),
    }
    fields = {k: Field(flat(v, keep), r, BTC if keep == 2 else BTLC, terms[k]) for k, (v, r, keep) in ours.items()}
    factor = {"A": ("sum_p0_x", n), "V": ("sum_vjp_V", n * L), "W": ("sum_vjp_W", n * L), "B": ("sum_error_h", n / 2)}
    for k in BLOCKS:
        keep = 3 if k in "VW" else 2
        name, by = factor[k]
        fields[f"grad_{k}"] = Field(flat(g[k], keep), e[k], BTLC if keep == 3 else BTC, terms[name] / by)
    return fields


@measures("A_dot", "V_dot", "W_dot", "B_dot", "pi_A", "pi_V", "pi_W", "pi_B", on=Trajectory)
def velocities(run: Trajectory) -> Mapping[str, Field]:
    """The implementation's velocities, and the clip of its descent directions (π is 1-Lipschitz, so radii pass through it)."""
    L = run.network["L"]
    g, e = run.gradients, run.rounding.gradients
    radius = {
        "A": e["A"] * ("A" in run.network["train"]),
        "V": L * e["V"],
        "W": L * e["W"],
        "B": e["B"] * ("B" in run.network["train"]),
    }
    joint = np.hypot(radius["V"], radius["W"])
    scales = {k: np.asarray(gradients(run)[f"grad_{k}"].scale) * (L if k in "VW" else 1) for k in BLOCKS}
    if run.network["clip"]:
        scales["V"] = scales["W"] = np.hypot(scales["V"], scales["W"])
    clipped = dict(zip("VW", clip(run.network, "Z", -L * g["V"], -L * g["W"]), strict=True))
    clipped |= {k: clip(run.network, k, -g[k])[0] for k in "AB"}
    fields = {}
    for k in BLOCKS:
        keep, axes = (3, BTLC) if k in "VW" else (2, BTC)
        r = joint if k in "VW" and run.network["clip"] else radius[k]
        # the product with L and the clip round once more, relative to the result
        velocity = flat(run.velocity[k], keep)
        scale = scales[k]
        fields[f"{k}_dot"] = Field(velocity, r + 16 * U * euclid(velocity), axes, scale)
        value = flat(clipped[k], keep)
        fields[f"pi_{k}"] = Field(value, r + 16 * U * euclid(value), axes, scale)
    return fields


@measures("t", on=Trajectory)
def times(run: Trajectory) -> Field:
    """Saved times."""
    return Field(run.times, np.zeros(()), ("time",))


@measures("A_t", "V_t", "W_t", "B_t", "A_ref", "V_ref", "W_ref", "B_ref", on=Trajectory)
def flows(run: Trajectory) -> Mapping[str, Field]:
    """The implementation's flow within the error that the protocol allows, the reference flow within its own."""
    reference, error = run.reference
    fields = {}
    for k in BLOCKS:
        fields[f"{k}_t"] = Field(flat(run.flowed[k], 2), run.state_error[k], BTC)
        fields[f"{k}_ref"] = Field(flat(reference[k], 2), error[k], BTC)
    return fields
