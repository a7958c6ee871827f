"""Measures of the PL certificate: its inputs, points of its ball, and the flow that must stay there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np

from depthlimit.models import activations, adversary
from depthlimit.models.certificate import Certificate, certify, stacked
from depthlimit.models.data import ArrayStore
from depthlimit.models.implementation import Implementation
from depthlimit.models.measure.network import BT
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import U, euclid, frobenius, gamma
from depthlimit.models.spec import LocalPL, Spec
from depthlimit.models.trajectory import BLOCKS, Batch, Trajectory, operator_norm
from depthlimit.theory.quantity import Array, Field, number

BTL = ("batch", "time", "layer")
BL = ("batch", "layer")


class Points(Trajectory):
    """An implementation at given states [batch 1 ...] instead of along its flow, with the run's labels or others."""

    def __init__(self, run: Trajectory, states: dict[str, Array], batch: Batch | None = None) -> None:
        super().__init__(batch or run.batch, run.implementation)
        self._states = states

    @property
    def states(self) -> dict[str, Array]:
        """The given states."""
        return self._states


def _leading(matrix: Array) -> Array:
    """The right singular vector of the largest singular value, its largest entry positive, so that LAPACK's sign does not matter."""
    vector: Array = np.linalg.svd(matrix, full_matrices=False)[2][0]
    return np.asarray(vector * np.sign(vector[np.argmax(np.abs(vector))]))


class CertificateRun(Trajectory):
    """The flow of a certified instance, points of its ball, and the point that the adversary finds."""

    def __init__(self, spec: Spec, arrays: ArrayStore, implementation: Implementation) -> None:
        self.certificate: Certificate = certify(spec, arrays)
        super().__init__(self.certificate.batch, implementation)

    @property
    def weight(self) -> float:
        """Of the squared gradients in V and W in Definition 1."""
        return float(self.network["L"])

    @cached_property
    def ball(self) -> Points:
        """Centre and points on the ball's boundary: random directions, every second time the same one in all layers; last `pushed`."""
        regime, L = self.spec.regime, self.network["L"]
        assert isinstance(regime, LocalPL) and self.spec.init.kind == "paper"
        rng = np.random.RandomState((self.spec.init.seed + 104729) % 2**32)
        centre = self.batch.params
        directions: list[dict[str, Array]] = []
        for i in range(regime.points):
            drawn = {}
            for k in BLOCKS:
                layers = 1 if k in "AB" or i % 2 else L
                drawn[k] = rng.standard_normal((layers, *centre[k].shape[-2:]))
                drawn[k] = np.broadcast_to(drawn[k] / frobenius(drawn[k])[:, None, None], (1 if k in "AB" else L, *centre[k].shape[-2:]))
            directions.append({k: v[0] if k in "AB" else v / L for k, v in drawn.items()})
        pushed = {k: v if k in "AB" else np.broadcast_to(v, (L, *v.shape)) / L for k, v in self.pushed().items()}
        if regime.ball != "sup":  # there all of the radius may be spent on one block
            directions += [{k: v * (k == only) for k, v in pushed.items()} for only in BLOCKS]
        steps = [self.certificate.extreme(direction) for direction in (*directions, pushed)]
        states = {k: np.stack([centre[k], *(centre[k] + s[k] for s in steps)]) for k in BLOCKS}
        return Points(self, {k: v[:, None] for k, v in states.items()})

    @cached_property
    def worst(self) -> Points:
        """The point of the ball, and the labels, that the adversary finds."""
        assert isinstance(self.spec.regime, LocalPL)
        return self.attacked(self.certificate.extreme, self.spec.regime.starts)

    def attacked(self, extreme: Callable[[dict[str, Array]], dict[str, Array]], starts: int) -> Points:
        """The same for a ball given by its farthest points."""
        found = adversary.search(self.batch, extreme, starts)
        return Points(self, {k: v[None, None] for k, v in found.params.items()}, replace(self.batch, y=found.y))

    def pushed(self) -> dict[str, Array]:
        """Directions of norm 1 that change hidden states and activations most, to first order: each block's leading singular vectors."""
        params, net = self.batch.params, self.network
        W, start = params["W"][0], self.batch.x @ params["A"].T  # [m q], [n q]
        S = activations.value(net["activation"], start @ W.T / np.sqrt(net["q"]))  # [n m]
        slope = activations.derivative(net["activation"], start @ W.T / np.sqrt(net["q"]))
        by_state = _leading(start)
        neuron = np.eye(1, net["m"], int(np.argmax(np.linalg.norm(slope * (start @ by_state)[:, None], axis=0))))[0]
        return {
            "A": np.outer(_leading(W), _leading(self.batch.x)),
            "V": np.outer(by_state, _leading(S)),
            "W": np.outer(neuron, by_state),
            "B": np.eye(*params["B"].shape) / np.sqrt(net["dout"]),
        }


@measures("s0", "S0", "s_all", "w0", "X2", "XF", on=Trajectory)
def inputs(run: Trajectory) -> Mapping[str, Field]:
    """Singular values and norms at the initialisation, with LAPACK's and the evaluation's errors."""
    b, net = run.batch, run.network
    W, x = b.params["W"][0], b.x
    u = x @ b.params["A"].T @ W.T / np.sqrt(net["q"])  # [n m]
    S = activations.value(net["activation"], u)
    error = activations.evaluation_error(net["activation"], u)
    argument = gamma(net["q"] + net["d"] + 4) * np.outer(euclid(x), euclid(W)) / np.sqrt(net["q"])
    drift = float(frobenius(error + run.rounding.K * argument)) + 4 * max(S.shape) * U * float(frobenius(S))
    values = np.linalg.svd(S, compute_uv=False)
    smallest = float(values[net["n"] - 1]) if net["m"] >= net["n"] else 0.0
    size = float(frobenius(x))
    stack = stacked(S, x)
    lapack = 4 * max(stack.shape) * U * float(frobenius(stack))
    return {
        "s_all": number(float(np.linalg.svd(stack, compute_uv=False)[-1]), drift / np.sqrt(net["m"]) + lapack),
        "s0": number(smallest, drift if smallest else 0.0),
        "S0": number(float(values[0]), drift),
        "w0": number(*map(float, operator_norm(W))),
        "X2": number(*map(float, operator_norm(x))),
        "XF": number(size, gamma(x.size + 2) * size),
    }


@measures("R_A", "R_B", "R_V", "R_W", "R_ball", "averaged_ball", on=CertificateRun)
def radii(run: CertificateRun) -> Mapping[str, Field]:
    """Radii of the ball, 0 of the other kind."""
    names = ("R_A", "R_B", "R_V", "R_W", "R_ball")
    found = {k: number(run.certificate.radii.get(k, 0.0)) for k in names}
    return {**found, "averaged_ball": number(float(run.certificate.radii.get("R_ball", 0.0) > 0))}


def _squared_gradient(run: CertificateRun, points: Points) -> tuple[Array, Array]:
    """The left side of Definition 1 and its radius [batch]."""
    L, e = run.weight, points.rounding.gradients
    squares = np.zeros(len(points.states["A"]))
    radius = np.zeros_like(squares)
    for k in BLOCKS:
        norm, error = frobenius(points.gradients[k])[:, 0], e[k][:, 0]
        change = (2 * norm + error) * error + gamma(norm.size + 4) * norm**2
        squares += L * np.sum(norm**2, axis=-1) if k in "VW" else norm**2
        radius += L * np.sum(change, axis=-1) if k in "VW" else change
    return squares, radius


@measures("worst_gradient2", "worst_loss", on=CertificateRun)
def worst(run: CertificateRun) -> Mapping[str, Field]:
    """Both sides of the PL condition where the adversary finds it nearest to failing."""
    points = run.worst
    return {
        "worst_gradient2": Field(*_squared_gradient(run, points), ("batch",)),
        "worst_loss": Field(points.loss[:, 0], points.rounding.loss[:, 0], ("batch",)),
    }


@measures("ball_gradient2", "ball_loss", "ball_drift", "ball_drift_rms", "ball_h_drift", "ball_Ax", "ball_p", on=CertificateRun)
def ball(run: CertificateRun) -> Mapping[str, Field]:
    """Both sides of the PL condition and of its steps at the points of the ball."""
    points, net, r = run.ball, run.network, run.ball.rounding
    hidden = points.forward["hidden"]
    Ax = np.einsum("...qd,nd->...nq", points.states["A"], run.batch.x)[..., None, :, :]
    centre = activations.value(net["activation"], run.batch.x @ run.batch.params["A"].T @ run.batch.params["W"][0].T / np.sqrt(net["q"]))
    together = np.sqrt(np.sum(r.states**2, axis=-1))  # [P 1 L+1]
    drift = frobenius(r.activations - centre)
    slack = np.sqrt(np.sum(r.activation**2, axis=-1)) + r.K * frobenius(points.states["W"]) * together[..., :-1] / np.sqrt(net["q"])
    p, dp = euclid(points.adjoint), r.adjoint
    n = net["n"]
    drift, slack = drift[:, 0], 2 * slack[:, 0] + 1e-14 * drift[:, 0]
    mean, rms = (np.sqrt(np.mean(a**2, axis=-1)) for a in (slack, drift))
    return {
        "ball_gradient2": Field(*_squared_gradient(run, points), ("batch",)),
        "ball_loss": Field(points.loss[:, 0], r.loss[:, 0], ("batch",)),
        "ball_drift": Field(drift, slack, BL),
        "ball_drift_rms": Field(rms, mean + 1e-14 * rms, ("batch",)),
        "ball_h_drift": Field(frobenius(hidden - Ax)[:, 0], 2 * together[:, 0], BL),
        "ball_Ax": Field(frobenius(Ax)[:, 0, 0], 2 * together[:, 0, 0], ("batch",)),
        "ball_p": Field(np.sqrt(np.sum(p**2, axis=-1))[:, 0] / n, np.sqrt(np.sum(dp**2, axis=-1))[:, 0] / n, BL),
    }


@measures("label_excess", on=CertificateRun)
def excess(run: CertificateRun) -> Field:
    """By how much the labels exceed those that are admitted, as the Spec says."""
    assert isinstance(run.spec.regime, LocalPL)
    return number(run.spec.regime.excess)


@measures("ball_left", on=CertificateRun)
def left(run: CertificateRun) -> Field:
    """The largest displacement of a block over its radius, or of all together over that of a ball of averages; its error at that time."""
    R, e = run.certificate.radii, run.state_error
    moved = {k: frobenius(run.flowed[k] - run.flowed[k][:, :1]) for k in BLOCKS}  # [1 T] or [1 T L]
    if "R_ball" in R:
        squares = moved["A"] ** 2 + moved["B"] ** 2 + np.mean(moved["V"] ** 2 + moved["W"] ** 2, axis=-1)
        ratios, errors = [np.sqrt(squares) / R["R_ball"]], [sum(e[k] for k in BLOCKS) / R["R_ball"]]
    else:
        ratios = [moved[k] / R[f"R_{k}"] if k in "AB" else np.max(moved[k], axis=-1) / R[f"R_{k}"] for k in BLOCKS]
        errors = [e[k] / R[f"R_{k}"] for k in BLOCKS]
    largest = int(np.argmax([np.max(r) for r in ratios]))
    return Field(np.max(ratios[largest], axis=1), np.max(errors[largest], axis=1), ("batch",))


@measures("mean_rate", on=CertificateRun)
def rate(run: CertificateRun) -> Field:
    """The mean rate of decay of the loss at t > 0."""
    late = run.times > 0
    loss, error = run.flow["loss"], run.loss_error
    start = run.loss[:, :1]
    t = run.times[late]
    mean = np.log(start / loss[:, late]) / t
    radius = (error[:, late] / loss[:, late] + run.rounding.loss[:, :1] / start) / t + 8 * U * np.abs(mean)
    return Field(mean, radius, BT)
