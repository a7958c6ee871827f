"""The gradient flow with momentum of Remark 1 on a general residual network: θ'' + θ' = -D∇ℓ from rest."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from depthlimit.models import flow
from depthlimit.models.measure.general import BT
from depthlimit.models.measure.general_long_run import GeneralLongRun
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import U
from depthlimit.theory.quantity import Array, Field

RTOL = 1e-9  # as loose as the claims allow: nothing here is small late


def follow(run: GeneralLongRun) -> tuple[Array, Array, Array, float]:
    """ℓ, |θ'|² and ∫ |θ'|² [T] with weight 1/L on Z, and the error of each.

    It is the local errors of all steps, ten times over for what the flow makes of them: of states RTOL times displacement and 1/100 of the
    norm, which change ℓ by |∂ℓ| times that; of velocities and of the integral RTOL times √ℓ(0) and ℓ(0).
    """
    start = run.batch.params
    shapes = [a.shape for a in start.values()]
    sizes = [a.size for a in start.values()]
    weight = np.concatenate([np.full(n, 1 / run.spec.L if k == "Z" else 1.0) for k, n in zip(start, sizes, strict=True)])
    N, calls = sum(sizes), [0]

    def parameters(theta: Array) -> dict[str, Array]:
        return dict(zip(start, flow.unpack(theta, shapes), strict=True))

    def rhs(_: float, state: Array) -> Array:
        calls[0] += 1
        v = state[N : 2 * N]
        force = run.speed(parameters(state[:N]))
        return np.concatenate([v, flow.pack(force[k] for k in start) - v, [np.sum(weight * v**2) / run.initial_loss]])

    speed = np.sqrt(run.initial_loss)  # the scale of the velocities, which are 0 at first
    state = np.concatenate([flow.pack(start.values()), np.zeros(N), [0.0]])
    blocks = [*(flow.Block(n) for n in sizes), flow.Block(N, reach=speed), flow.Block(1, reach=1.0)]
    moved = flow.solve(rhs, state, run.times, RTOL, blocks)
    at = state + moved
    hidden = [run.hidden_states(p)[-1] @ p["B"].T for p in map(parameters, at[:, :N])]
    loss = np.array([np.mean(np.sum((out - run.batch.y) ** 2, axis=-1)) for out in hidden])
    force = max(float(np.linalg.norm(flow.pack(run.speed(p).values()))) for p in map(parameters, at[:, :N]))
    reach = float(np.linalg.norm(state[:N])) / 100 + float(np.max(np.linalg.norm(moved[:, :N], axis=-1)))
    error = 10 * RTOL * calls[0] / 12 * (force * reach + 4 * run.initial_loss)
    return loss, np.sum(weight * at[:, N : 2 * N] ** 2, axis=-1), at[:, -1] * run.initial_loss, error


@measures("momentum_loss", "momentum_speed2", "momentum_spent", on=GeneralLongRun)
def momentum(run: GeneralLongRun) -> Mapping[str, Field]:
    """Where the loss goes."""
    loss, speed2, spent, off = follow(run)
    error: Array = np.where(run.times > 0, off, 0.0) + 2 * float(run.loss[1][0, 0]) + 64 * U * run.initial_loss
    fields = {"momentum_loss": loss, "momentum_speed2": speed2, "momentum_spent": spent}
    return {name: Field(value[None], error[None], BT) for name, value in fields.items()}
