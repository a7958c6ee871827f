"""Proposition 5 at points of a ball around the paper's initialisation: both sides of each line of Appendix B.5."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp

from depthlimit.models import activations
from depthlimit.models.data import ArrayStore
from depthlimit.models.implementation import Implementation
from depthlimit.models.initialisation import parameters
from depthlimit.models.measure.certificate import CertificateRun, Points
from depthlimit.models.measure.registry import Fields, measures
from depthlimit.models.rounding import U, euclid, frobenius, gamma
from depthlimit.models.spec import PLBall, Spec
from depthlimit.models.tails import variance_proxy
from depthlimit.models.trajectory import BLOCKS, Trajectory, operator_norm, realise
from depthlimit.theory.enclosure import evaluate
from depthlimit.theory.hermite import coefficient
from depthlimit.theory.paper import prop5_setting as theory
from depthlimit.theory.quantity import Array, Field, number

B, BL = ("batch",), ("batch", "layer")
_INSIDE = 1 - 1e-12  # of the radius: inside in spite of rounding


def lower(run: Trajectory, expression: sp.Expr) -> float:
    """The lower end of a formula of the theory on a run."""
    return float(evaluate(expression, Fields(run), theory.used(expression)).lo.item())


class BallRun(CertificateRun):
    """Points of the ball that the regime names: nothing is trained."""

    def __init__(self, spec: Spec, arrays: ArrayStore, implementation: Implementation) -> None:
        Trajectory.__init__(self, realise(spec, arrays), implementation)
        self.times = np.zeros(1)
        assert isinstance(spec.regime, PLBall)
        self.regime = spec.regime
        self.given = arrays.resolve(spec.regime.state) if spec.regime.state else None

    @property
    def flowed(self) -> dict[str, Array]:
        """The centre [1 1 ...]: nothing moves."""
        return {k: self.batch.params[k][None, None] for k in BLOCKS}

    @cached_property
    def radii(self) -> dict[str, float]:
        """The radius of each block, Frobenius; of V and W in each layer."""
        if self.regime.ball == "line-47":
            return {"A": 0.5, "B": 0.5, "V": 1.0, "W": float(np.sqrt(2 * self.network["q"] * self.network["m"]))}
        return dict.fromkeys(BLOCKS, lower(self, theory.M if self.regime.ball == "printed" else theory.M_sharp))

    @cached_property
    def ball(self) -> Points:
        """The centre, random directions (every second time the same in all layers), two harmful ones, and the state that was given."""
        assert self.spec.init.kind == "paper"
        rng = np.random.RandomState((self.spec.init.seed + 15485863) % 2**32)
        centre = self.batch.params
        points = [centre]
        for i in range(self.regime.points):
            steps = {}
            for k in BLOCKS:
                step = rng.standard_normal(centre[k].shape if i % 2 else (1,) * (k in "VW") + centre[k].shape[-2:])
                steps[k] = step / frobenius(step)[..., None, None]
            points.append(self._at(steps))
        points += [self._at(self.pushed()), self._at(self.shrunk())] if self.regime.points else []
        points += [self.given] if self.given else []
        return Points(self, {k: np.stack([p[k] for p in points])[:, None] for k in BLOCKS})

    def _at(self, steps: Mapping[str, Array]) -> dict[str, Array]:
        return {k: self.batch.params[k] + _INSIDE * self.radii[k] * steps[k] for k in BLOCKS}

    @cached_property
    def worst(self) -> Points:
        """The point of the ball, and the labels, that the adversary finds."""

        def extreme(direction: Mapping[str, Array]) -> dict[str, Array]:
            norms = {k: frobenius(v)[..., None, None] for k, v in direction.items()}
            return {k: _INSIDE * self.radii[k] * v / np.where(norms[k] > 0, norms[k], 1.0) for k, v in direction.items()}

        return self.attacked(extreme, 1)

    def shrunk(self) -> dict[str, Array]:
        """Directions of norm 1 that shorten A, B and the adjoint: V sends the adjoint against the row of W that it meets most."""
        params, net = self.batch.params, self.network
        W = params["W"][0]
        p = -self.batch.y @ params["B"]  # of the samples at the centre [n q]
        along = p[np.argmax(euclid(p))]
        along = along / max(float(euclid(along)), U) if along.any() else np.eye(net["q"])[-1]
        start = self.batch.x @ params["A"].T @ W.T / np.sqrt(net["q"])
        meets = (W @ along) * np.mean(activations.derivative(net["activation"], start), axis=0)  # [m]
        j = int(np.argmax(np.abs(meets)))
        neuron = np.eye(1, net["m"], j)[0] * (1.0 if meets[j] >= 0 else -1.0)
        ends = {k: -params[k] / frobenius(params[k]) for k in "AB"}
        return {**ends, "V": -np.outer(along, neuron), "W": np.outer(np.abs(neuron), along * np.sign(W[j] @ along or 1.0))}


@measures("hermite_order", "eta", "v_x2", on=BallRun)
def constants(run: BallRun) -> Mapping[str, Field]:
    """Numbers of σ and of the law of the data; 1 is a variance proxy of any bounded law here that is no smaller than its own."""
    return sigma_numbers(run.network, run.regime.order)


def sigma_numbers(network: Mapping[str, Any], order: int) -> dict[str, Field]:
    """r, |η_r(σ)| and the variance proxy of the uniform law on the sphere."""
    sigma = network["activation"]
    value = abs(coefficient(sigma["name"], sigma["a"], sigma["b"], order))
    mid = float(value.mid())
    return {
        "hermite_order": number(float(order)),
        "eta": number(mid, float((value - mid).abs_upper())),
        "v_x2": number(variance_proxy(int(network["d"]))[1]),
    }


@measures("W_bar", "W_bar_4", "s_tilde", "loss_start", on=BallRun)
def start(run: BallRun) -> Mapping[str, Field]:
    """Norms at the centre. The initialisation draws W row by row, so at width 4m its first rows are those of width m."""
    net, W, x = run.network, run.batch.params["W"][0], run.batch.x
    wide = parameters(run.spec.model_copy(update={"m": 4 * net["m"]}), 1, ArrayStore())["W"][0]
    norms = [float(frobenius(w)) for w in (W, wide)]
    u = x @ (W[:, : net["d"]] / np.sqrt(net["q"])).T
    S = activations.value(net["activation"], u)
    argument = gamma(net["q"] + net["d"] + 4) * np.outer(euclid(x), euclid(W)) / np.sqrt(net["q"])
    error = float(frobenius(activations.evaluation_error(net["activation"], u) + run.ball.rounding.K * argument))
    value = float(np.linalg.svd(S, compute_uv=False)[net["n"] - 1]) if net["m"] >= net["n"] else 0.0
    at = run.ball
    return {
        "W_bar": number(norms[0], gamma(W.size + 2) * norms[0]),
        "W_bar_4": number(norms[1], gamma(wide.size + 2) * norms[1]),
        "s_tilde": Field(
            np.asarray(value), np.asarray((error + 4 * max(S.shape) * U * frobenius(S)) * (value > 0)), (), np.asarray(frobenius(S))
        ),
        "loss_start": number(float(at.loss[0, 0]), float(at.rounding.loss[0, 0])),
    }


def _norm(values: Array) -> Field:
    """A Frobenius norm over the last two axes: rounding of the sum of squares alone; a time axis of length 1 is dropped."""
    found = frobenius(values)
    found = found[:, 0] if found.ndim > 1 else found
    return Field(found, gamma(values.shape[-1] * values.shape[-2] + 3) * found, B if found.ndim == 1 else BL)


@measures("at_A", "at_B", "at_B_min", "at_BB_min", "at_V", "at_W", "dist_A", "dist_B", "dist_W", on=BallRun)
def parameters_at(run: BallRun) -> Mapping[str, Field]:
    """Norms of the parameters and their distances from the centre."""
    s, centre = run.ball.states, run.batch.params
    A, E = operator_norm(s["A"][:, 0]), operator_norm(s["B"][:, 0])
    own = E[1]
    values = np.asarray(np.linalg.svd(s["B"][:, 0], compute_uv=False), dtype=np.float64)[:, run.network["dout"] - 1]
    gram = s["B"][:, 0] @ np.swapaxes(s["B"][:, 0], -1, -2)
    lowest = np.maximum(np.linalg.eigvalsh(gram)[:, 0], 0.0)
    far = {k: s[k] - centre[k] for k in "AWB"}
    return {
        "at_A": Field(A[0], A[1], B),
        "at_B": Field(E[0], E[1], B),
        "at_B_min": Field(values, own, B),
        "at_BB_min": Field(lowest, (gamma(run.network["q"]) + 8 * run.network["dout"] * U) * frobenius(gram) + own * E[0], B),
        "at_V": _norm(s["V"]),
        "at_W": _norm(s["W"]),
        **{f"dist_{k}": _norm(far[k]) for k in "AB"},
        "dist_W": _norm(far["W"]),
    }


@measures("at_h0", "at_h", "at_h_next", "at_h_drift", "at_A_drift", "k_step", on=BallRun)
def states_at(run: BallRun) -> Mapping[str, Field]:
    """Hidden states of all samples and their changes."""
    points, net = run.ball, run.network
    hidden, delta = points.forward["hidden"][:, 0], np.sqrt(np.sum(points.rounding.states[:, 0] ** 2, axis=-1))  # [P L+1 n q], [P L+1]
    Ax = np.einsum("pqd,nd->pnq", points.states["A"][:, 0], run.batch.x)
    centre = run.batch.x @ run.batch.params["A"].T
    size, drift, moved = frobenius(hidden), frobenius(hidden - hidden[:, :1]), frobenius(Ax - centre)
    delta = delta + gamma(net["n"] * net["q"] + 3) * size
    return {
        "at_h0": Field(size[:, 0], delta[:, 0], B),
        "at_h": Field(size[:, :-1], delta[:, :-1], BL),
        "at_h_next": Field(size[:, 1:], delta[:, 1:], BL),
        "at_h_drift": Field(drift[:, :-1], np.where(np.arange(net["L"]) > 0, 2 * delta[:, :-1], 0.0), BL),  # h_0 = Ax
        "at_A_drift": Field(moved, 2 * delta[:, 0], B),
        "k_step": Field(np.arange(float(net["L"])), np.zeros(()), ("layer",)),
    }


@measures("at_p", "at_p_next", "at_p_last", "at_residual", "at_pulled", "at_trace", on=BallRun)
def adjoint_at(run: BallRun) -> Mapping[str, Field]:
    """Adjoint states of all samples with the 1/n of the loss, errors, and Bᵀ applied to them."""
    points, net = run.ball, run.network
    n = net["n"]
    p, dp = frobenius(points.adjoint[:, 0]) / n, np.sqrt(np.sum(points.rounding.adjoint[:, 0] ** 2, axis=-1)) / n
    dp = dp + gamma(n * net["q"] + 3) * p
    matrix = points.states["B"][:, 0]
    R = points.forward["output"][:, 0] - run.batch.y  # [P n dout]
    size, dR = frobenius(R), np.sqrt(np.sum(points.rounding.residuals[:, 0] ** 2, axis=-1))
    dR = dR + gamma(n * net["dout"] + 3) * size
    pulled, norm = frobenius(R @ matrix), frobenius(matrix)
    dpulled = norm * dR + gamma(net["dout"] + n * net["q"] + 4) * norm * size
    trace = np.einsum("pni,pnj,piq,pjq->p", R, R, matrix, matrix, optimize=True)
    dtrace = 2 * norm * size * dpulled + gamma(n + net["q"] + net["dout"] ** 2 + 6) * (norm * size) ** 2
    return {
        "at_p": Field(p[:, :-1], dp[:, :-1], BL),
        "at_p_next": Field(p[:, 1:], dp[:, 1:], BL),
        "at_p_last": Field(p[:, -1], dp[:, -1], B),
        "at_residual": Field(size, dR, B),
        "at_pulled": Field(pulled, dpulled, B),
        "at_trace": Field(np.maximum(trace, 0.0), dtrace, B),
    }


@measures("at_s", "at_S_drift", "at_S_drift2", "at_S_drift_max", "at_pS", "at_layer", on=BallRun)
def activations_at(run: BallRun) -> Mapping[str, Field]:
    """Singular values of S_{k+1}, its distance from S̄ in both norms, and its product with the adjoint."""
    points, net = run.ball, run.network
    n, m, q = net["n"], net["m"], net["q"]
    rounding, S = points.rounding, points.rounding.activations[:, 0]  # [P L n m]
    states = np.sqrt(np.sum(rounding.states[:, 0, :-1] ** 2, axis=-1))
    error = np.sqrt(np.sum(rounding.activation[:, 0] ** 2, axis=-1)) + rounding.K * frobenius(points.states["W"][:, 0]) * states / np.sqrt(
        q
    )
    size, drift = frobenius(S), S - S[0, 0]  # of the centre, whose first layer has h = Āx and W = W̄
    lapack = 4 * max(n, m) * U
    singular = np.asarray(np.linalg.svd(S, compute_uv=False), dtype=np.float64)
    least = singular[..., n - 1] if m >= n else np.zeros(S.shape[:2])
    norm, own = operator_norm(drift)
    gram = drift @ np.swapaxes(drift, -1, -2)
    largest = np.sqrt(np.maximum(np.linalg.eigvalsh(gram)[..., -1], 0.0))
    p = points.adjoint[:, 0, 1:] / n
    dp = np.sqrt(np.sum(rounding.adjoint[:, 0, 1:] ** 2, axis=-1)) / n
    product = frobenius(np.swapaxes(p, -1, -2) @ S)
    V = points.states["V"][:, 0]
    before, step = points.forward["hidden"][:, 0, :-1], S @ np.swapaxes(V, -1, -2) / (net["L"] * np.sqrt(m))
    local = np.sqrt(np.sum((rounding.branch[:, 0] / (net["L"] * np.sqrt(m))) ** 2, axis=-1)) + gamma(q + m + n + 6) * frobenius(before)
    return {
        "at_s": Field(least, (error + lapack * size) * (m >= n), BL, size),
        "at_S_drift": Field(frobenius(drift), 2 * error + gamma(n * m + 3) * frobenius(drift), BL),
        "at_layer": Field(frobenius(before + step), states + local, BL),
        "at_S_drift2": Field(norm, 2 * error + own, BL),
        "at_S_drift_max": Field(largest, 2 * error + (gamma(m) + lapack) * np.sqrt(n) * frobenius(drift), BL),
        "at_pS": Field(product, dp * size + frobenius(p) * error + gamma(n + q * m + 4) * frobenius(p) * size, BL, frobenius(p) * size),
    }


@measures("at_grad_V", "at_sum_V", on=BallRun)
def gradients_at(run: BallRun) -> Mapping[str, Field]:
    """Gradients in V from the implementation, and the sum of their squares from the second layer on."""
    net, rounding = run.network, run.ball.rounding
    norm, radius = frobenius(run.ball.gradients["V"][:, 0]), rounding.gradients["V"][:, 0]
    terms = frobenius(run.ball.adjoint[:, 0, 1:]) * frobenius(rounding.activations[:, 0]) / (net["n"] * net["L"] * np.sqrt(net["m"]))
    radius = radius + gamma(net["q"] * net["m"] + 3) * norm
    later = np.arange(net["L"]) > 0  # V_1 is in none of the sums
    total, change, size = (np.cumsum(later * a, axis=1) for a in (norm**2, (2 * norm + radius) * radius, terms**2))
    return {
        "at_grad_V": Field(norm, radius, BL, terms),
        "at_sum_V": Field(total, change + gamma(net["L"] + 2) * total, BL, size),
    }
