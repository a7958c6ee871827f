"""Whole gradient flows at equal error: each stepper by the largest tolerance of a ladder at which it meets the same target.

The error is that of the displacement at the end, relative to its norm, against the flow at rtol 1e-13. Tolerances are found with the
compiled right-hand side behind each stepper, and what is timed is judged again. Times are of the steps alone: what JAX compiles is
compiled before.
"""

from __future__ import annotations

import importlib.util
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torchdiffeq import odeint

from benchmarks.rhs import BLOCKS
from benchmarks.timing import Disagreement, rows, turns
from depthlimit.models import flow
from depthlimit.models.compiled.implementation import RightHandSide
from depthlimit.models.data import ArrayStore
from depthlimit.models.spec import Spec
from depthlimit.models.trajectory import realise

SIZES = ({"q": 16, "m": 32, "n": 100, "L": 64, "d": 16, "dout": 16}, {"q": 4, "m": 6, "n": 8, "L": 16, "d": 3, "dout": 2})
TARGET = 1e-8
LADDER = tuple(10.0 ** (-k / 4) for k in range(20, 43))  # from 1e-5
Stepper = Callable[[float], tuple[np.ndarray, int]]  # from a tolerance: displacement and evaluations


class Problem:
    """A flow to time T, its state as one vector in the order of `flow`, and the reference."""

    def __init__(self, sizes: Mapping[str, int], T: float) -> None:
        values = {**sizes, "T": T, "regime": {"kind": "plain-flow"}, "init": {"kind": "gp", "seed": 0}}
        b = realise(Spec.model_validate(values), ArrayStore())
        self.spec, self.params, self.x, self.y, self.T = b.network, b.params, b.x, b.y, T
        self.blocks = [k for k in BLOCKS if k in self.spec["train"]]
        self.shapes = [self.params[k].shape for k in self.blocks]
        self.start = flow.pack(self.params[k] for k in self.blocks)
        self.inside = 0.0  # processor seconds within our right-hand side
        self.reference = self.ours(flow.FINEST)[0]

    def theta(self, state: Any) -> dict[str, Any]:
        """The blocks of a state, of NumPy or torch."""
        return {**self.params, **dict(zip(self.blocks, flow.unpack(state, self.shapes), strict=True))}

    def error(self, moved: np.ndarray) -> float:
        """Relative to the displacement."""
        return float(np.linalg.norm(moved - self.reference) / np.linalg.norm(self.reference))

    def ours(self, tolerance: float) -> tuple[np.ndarray, int]:
        """`flow.integrate` with the compiled right-hand side."""
        rates, calls = RightHandSide(self.spec).rates(self.x, self.y), 0

        def at(theta: Any) -> Any:
            nonlocal calls
            calls += 1
            begun = time.process_time()
            answer = rates(theta)
            self.inside += time.process_time() - begun
            return answer

        found = flow.integrate(self.spec, self.params, self.x, self.y, np.array([self.T]), tolerance, at)
        return flow.pack(found[k][0] for k in self.blocks) - self.start, calls

    def torchdiffeq(self, method: str, velocity: Callable[[torch.Tensor], torch.Tensor]) -> Stepper:
        """`odeint`, which ends with a step at T."""

        def run(tolerance: float) -> tuple[np.ndarray, int]:
            calls = 0

            def rhs(_: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
                nonlocal calls
                calls += 1
                return velocity(state)

            start, times = torch.tensor(self.start), torch.tensor([0.0, self.T], dtype=torch.float64)
            end = odeint(rhs, start, times, rtol=tolerance, atol=tolerance, method=method, options={"step_t": times[1:]})[-1]
            return end.detach().numpy() - self.start, calls

        return run

    def compiled(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """The compiled velocity of a state of torch."""
        at = RightHandSide(self.spec).rates(self.x, self.y)

        def velocity(state: torch.Tensor) -> torch.Tensor:
            v = at(self.theta(state.numpy()))[1]
            return torch.tensor(flow.pack(v[k] for k in self.blocks))

        return velocity

    def by_autograd(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """The velocity by a loop over layers and autograd."""
        spec, x, y = self.spec, torch.tensor(self.x), torch.tensor(self.y)
        fixed = {k: torch.tensor(v) for k, v in self.params.items()}
        q, m, L, n = spec["q"], spec["m"], spec["L"], len(x)
        speed = torch.tensor(flow.pack(np.full(s, -L if k in "VW" else -1.0) for k, s in zip(self.blocks, self.shapes, strict=True)))

        def velocity(state: torch.Tensor) -> torch.Tensor:
            state = state.detach().requires_grad_()
            t = {**fixed, **self.theta_of(state)}
            h = x @ t["A"].T
            for V_k, W_k in zip(t["V"].unbind(), t["W"].unbind(), strict=True):
                h = h + torch.tanh(h @ W_k.T / q**0.5) @ V_k.T / (L * m**0.5)
            loss = ((h @ t["B"].T - y) ** 2).sum() / n
            return speed * torch.autograd.grad(loss, state)[0]

        return velocity

    def by_hand(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """The velocity by (13)-(16) in torch, into memory that is there."""
        spec, x, y = self.spec, torch.tensor(self.x), torch.tensor(self.y)
        fixed = {k: torch.tensor(v) for k, v in self.params.items()}
        q, m, L, n = spec["q"], spec["m"], spec["L"], len(x)
        weight = 1 / (L * m**0.5)
        h, s, u = (torch.empty(shape, dtype=torch.float64) for shape in ((L + 1, n, q), (L, n, m), (n, m)))
        hs, ss = h.unbind(0), s.unbind(0)

        @torch.no_grad()
        def velocity(state: torch.Tensor) -> torch.Tensor:
            t = {**fixed, **self.theta_of(state)}
            slope = torch.empty_like(state)
            g = self.theta_of(slope)
            V, W, gV, gW = t["V"].unbind(), t["W"].unbind(), g["V"].unbind(), g["W"].unbind()
            torch.mm(x, t["A"].T, out=hs[0])
            for k in range(L):
                torch.mm(hs[k], W[k].T, out=u)
                torch.tanh(u.mul_(q**-0.5), out=ss[k])
                torch.addmm(hs[k], ss[k], V[k].T, alpha=weight, out=hs[k + 1])
            error = 2 / n * (hs[L] @ t["B"].T - y)
            p = error @ t["B"]
            for k in reversed(range(L)):
                torch.mm(p.T, ss[k], out=gV[k]).mul_(-L * weight)
                torch.mm(p, V[k], out=u)
                torch.addcmul(u, ss[k] * ss[k], u, value=-1, out=u).mul_(weight * q**-0.5)
                torch.mm(u.T, hs[k], out=gW[k]).mul_(-L)
                p.addmm_(u, W[k])
            for k, slope_k in (("A", p.T @ x), ("B", error.T @ hs[L])):
                if k in g:
                    g[k].copy_(-slope_k)
            return slope

        return velocity

    def theta_of(self, state: torch.Tensor) -> dict[str, torch.Tensor]:
        """Views of the trained blocks of a state of torch."""
        pieces = state.split([math.prod(s) for s in self.shapes])
        return {k: p.view(s) for k, p, s in zip(self.blocks, pieces, self.shapes, strict=True)}

    def diffrax(self, method: str, autograd: bool) -> Stepper:
        """`diffeqsolve` around two scans by hand, or one scan and autograd; jitted, with the tolerance an argument."""
        import diffrax
        import jax
        import jax.numpy as jnp

        jax.config.update("jax_enable_x64", True)
        spec, x, y = self.spec, jnp.asarray(self.x), jnp.asarray(self.y)
        q, m, L, n = spec["q"], spec["m"], spec["L"], len(self.x)
        weight = 1 / (L * m**0.5)

        def forth(h: Any, layer: Any) -> Any:
            V, W = layer
            s = jnp.tanh(h @ W.T / q**0.5)
            return h + weight * (s @ V.T), (h, s)

        def back(p: Any, layer: Any) -> Any:
            V, W, h, s = layer
            r = weight / q**0.5 * ((p @ V) * (1 - s * s))
            return p + r @ W, (weight * (p.T @ s), r.T @ h)

        def loss(trained: Any) -> Any:
            t = {**self.params, **trained}
            end, _ = jax.lax.scan(forth, x @ t["A"].T, (t["V"], t["W"]))
            return ((end @ t["B"].T - y) ** 2).sum() / n

        def gradients(trained: Any) -> Any:
            t = {**self.params, **trained}
            end, (h, s) = jax.lax.scan(forth, x @ t["A"].T, (t["V"], t["W"]))
            error = 2 / n * (end @ t["B"].T - y)
            p, (gV, gW) = jax.lax.scan(back, error @ t["B"], (t["V"], t["W"], h, s), reverse=True)
            return {"A": p.T @ x, "V": gV, "W": gW, "B": error.T @ end}

        def velocity(_t: Any, trained: Any, _args: Any) -> Any:
            g = jax.grad(loss)(trained) if autograd else gradients(trained)
            return {k: (-L if k in "VW" else -1) * g[k] for k in trained}

        start, solver = {k: jnp.asarray(self.params[k]) for k in self.blocks}, getattr(diffrax, method)()

        @jax.jit
        def solve(start: Any, tolerance: Any) -> Any:
            found = diffrax.diffeqsolve(
                diffrax.ODETerm(velocity),
                solver,
                0.0,
                self.T,
                None,
                start,
                stepsize_controller=diffrax.PIDController(rtol=tolerance, atol=tolerance),
                adjoint=diffrax.ForwardMode(),
                max_steps=100_000,
            )
            return found.ys, found.stats["num_steps"]

        def run(tolerance: float) -> tuple[np.ndarray, int]:
            end, steps = jax.block_until_ready(solve(start, tolerance))
            moved = flow.pack(np.asarray(end[k][0]) for k in self.blocks) - self.start
            return moved, int(steps) * (solver.tableau.num_stages - 1) + 1  # both reuse the last stage

        return run


def tolerance(step: Stepper, error: Callable[[np.ndarray], float], target: float, ladder: Sequence[float] = LADDER) -> float:
    """The largest tolerance of a falling ladder whose error meets the target, by bisection; the least if none does."""
    low, high = 0, len(ladder) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if error(step(ladder[middle])[0]) <= target else (middle + 1, high)
    return ladder[low]


def one(sizes: Mapping[str, int], T: float, target: float, seconds: float) -> dict[str, Any]:
    """All contestants on one problem."""
    problem = Problem(sizes, T)
    found: dict[str, tuple[Stepper, float]] = {"compiled": (problem.ours, tolerance(problem.ours, problem.error, target))}
    for method in ("dopri5", "dopri8"):
        least = tolerance(problem.torchdiffeq(method, problem.compiled()), problem.error, target)
        ways = {"hand-written": problem.by_hand()} | ({} if method == "dopri5" else {"autograd": problem.by_autograd()})  # the better one
        for how, velocity in ways.items():
            found[f"torchdiffeq {method}, {how}"] = problem.torchdiffeq(method, velocity), least
    absent = [name for name in ("jax", "diffrax") if not importlib.util.find_spec(name)]
    for method in () if absent else ("Tsit5", "Dopri8"):
        steppers = {how: problem.diffrax(method, how == "autograd") for how in ("hand-written", "autograd")}
        least = tolerance(steppers["hand-written"], problem.error, target)
        found |= {f"diffrax {method}, {how}": (step, least) for how, step in steppers.items()}
    judged = {}
    for name, (step, least) in found.items():
        moved, calls = step(least)
        judged[name] = {"tolerance": least, "error": problem.error(moved), "evaluations": calls}
        if not judged[name]["error"] <= 2 * target:  # the same steps by a right-hand side that rounds otherwise
            raise Disagreement(f"{name} is off by {judged[name]['error']:.2g}, target {target:.2g}")
    problem.inside, begun = 0.0, time.process_time()
    problem.ours(found["compiled"][1])
    inside = problem.inside / (time.process_time() - begun)
    taken = turns({name: lambda step=step, least=least: step(least) for name, (step, least) in found.items()}, seconds, warm=True)
    return {
        "sizes": dict(sizes),
        "T": T,
        "target": target,
        "inside": inside,
        "rows": [line | judged[line["name"]] for line in rows(taken, 1e-3)],
        "not_installed": absent,
    }


def measure(
    sizes: Sequence[Mapping[str, int]] = SIZES, T: float = 5.0, target: float = TARGET, seconds: float = 5.0
) -> list[dict[str, Any]]:
    """Per problem: milliseconds, ratios, tolerance, error and evaluations of each stepper."""
    return [one(s, T, target, seconds) for s in sizes]
