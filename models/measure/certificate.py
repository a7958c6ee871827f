"""Measures of the PL certificate: its inputs, points of its ball, and the flow that must stay there."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from depthlimit.models import activations
from depthlimit.models.certificate import Certificate, certify
from depthlimit.models.data import ArrayStore
from depthlimit.models.implementation import Implementation
from depthlimit.models.measure.network import BT
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import U, euclid, frobenius, gamma
from depthlimit.models.spec import LocalPL, Spec
from depthlimit.models.trajectory import BLOCKS, Trajectory, operator_norm
from depthlimit.theory.quantity import Array, Field, number

BTL = ("batch", "time", "layer")
BL = ("batch", "layer")


class Points(Trajectory):
    """An implementation at given states [batch 1 ...] instead of along its flow."""

    def __init__(self, run: Trajectory, states: dict[str, Array]) -> None:
        super().__init__(run.batch, run.implementation)
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
    """The flow of a certified instance, and points of its ball."""

    def __init__(self, spec: Spec, arrays: ArrayStore, implementation: Implementation) -> None:
        self.certificate: Certificate = certify(spec, arrays)
        super().__init__(self.certificate.batch, implementation)

    @cached_property
    def ball(self) -> Points:
        """Centre and points on the ball's boundary: random directions, every second time the same one in all layers; last `pushed`."""
        regime, net, R = self.spec.regime, self.network, self.certificate.radii
        assert isinstance(regime, LocalPL) and self.spec.init.kind == "paper"
        rng = np.random.RandomState((self.spec.init.seed + 104729) % 2**32)
        centre = self.batch.params
        points: dict[str, list[Array]] = {k: [centre[k]] for k in BLOCKS}
        for i in range(regime.points):
            for k in BLOCKS:
                rows, columns = centre[k].shape[-2:]
                layers = 1 if k in "AB" or i % 2 else net["L"]
                step = rng.standard_normal((layers, rows, columns))
                step *= R[f"R_{k}"] * (1 - 1e-12) / frobenius(step)[:, None, None]  # inside in spite of rounding
                points[k].append(centre[k] + (step[0] if k in "AB" else step))
        for k, direction in self.pushed().items():
            points[k].append(centre[k] + R[f"R_{k}"] * (1 - 1e-12) * direction)
        return Points(self, {k: np.stack(v)[:, None] for k, v in points.items()})

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


@measures("s0", "S0", "w0", "X2", "XF", on=Trajectory)
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
    return {
        "s0": number(smallest, drift if smallest else 0.0),
        "S0": number(float(values[0]), drift),
        "w0": number(*map(float, operator_norm(W))),
        "X2": number(*map(float, operator_norm(x))),
        "XF": number(size, gamma(x.size + 2) * size),
    }


@measures("R_A", "R_B", "R_V", "R_W", on=CertificateRun)
def radii(run: CertificateRun) -> Mapping[str, Field]:
    """Radii of the ball."""
    return {k: number(v) for k, v in run.certificate.radii.items()}


@measures("ball_gradient2", "ball_loss", "ball_drift", "ball_h_drift", "ball_Ax", "ball_p", on=CertificateRun)
def ball(run: CertificateRun) -> Mapping[str, Field]:
    """Both sides of the PL condition and of its steps at the points of the ball."""
    points, net = run.ball, run.network
    g, e, r = points.gradients, points.rounding.gradients, points.rounding
    L = net["L"]
    squares = np.zeros(g["A"].shape[:2])
    radius = np.zeros_like(squares)
    for k in BLOCKS:
        norm = frobenius(g[k])
        change = (2 * norm + e[k]) * e[k] + gamma(norm.size + 4) * norm**2
        squares += L * np.sum(norm**2, axis=-1) if k in "VW" else norm**2
        radius += L * np.sum(change, axis=-1) if k in "VW" else change
    hidden = points.forward["hidden"]
    Ax = np.einsum("...qd,nd->...nq", points.states["A"], run.batch.x)[..., None, :, :]
    centre = activations.value(net["activation"], run.batch.x @ run.batch.params["A"].T @ run.batch.params["W"][0].T / np.sqrt(net["q"]))
    together = np.sqrt(np.sum(r.states**2, axis=-1))  # [P 1 L+1]
    drift = frobenius(r.activations - centre)
    slack = np.sqrt(np.sum(r.activation**2, axis=-1)) + r.K * frobenius(points.states["W"]) * together[..., :-1] / np.sqrt(net["q"])
    p, dp = euclid(points.adjoint), r.adjoint
    n = net["n"]
    return {
        "ball_gradient2": Field(squares[:, 0], radius[:, 0], ("batch",)),
        "ball_loss": Field(points.loss[:, 0], r.loss[:, 0], ("batch",)),
        "ball_drift": Field(drift[:, 0], 2 * slack[:, 0] + 1e-14 * drift[:, 0], BL),
        "ball_h_drift": Field(frobenius(hidden - Ax)[:, 0], 2 * together[:, 0], BL),
        "ball_Ax": Field(frobenius(Ax)[:, 0, 0], 2 * together[:, 0, 0], ("batch",)),
        "ball_p": Field(np.sqrt(np.sum(p**2, axis=-1))[:, 0] / n, np.sqrt(np.sum(dp**2, axis=-1))[:, 0] / n, BL),
    }


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
