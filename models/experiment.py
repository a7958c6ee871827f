"""The experiments of Section 5.1 and Appendix E (p. 40): networks trained by gradient descent, and by the flow that it stands for.

A = B = I are not trained, V(0) = 0, W(0) is Gaussian and the same in all layers, σ is GELU, x and y are Gaussian. Two networks:

    paper       (3) with its 1/√m and 1/√q, and the loss (1/n) Σ|F(x_i) - y_i|²
    published   h + V σ(W h)/L, and the mean over samples and entries: what the authors' published program trains

The second is (3) with W√q for W and V√m for V: there descent moves V by m/d and W by q/d times the velocity of (4). The draws are those of
the published program, from torch's generator, so that published curves can be compared with number by number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from depthlimit.models import flow
from depthlimit.models.implementation import Arrays, Network
from depthlimit.models.residual import Workspace
from depthlimit.models.spec import BadInput
from depthlimit.theory.quantity import Array

NETWORKS = ("paper", "published")
FIGURES = ("fig1-left", "fig1-right", "fig2", "limit")
ONE: Mapping[str, float] = MappingProxyType({"V": 1.0, "W": 1.0})
FLOW_RTOL = 1e-8  # of the displacement; what is drawn differs by a thousandth of it at least


@dataclass(frozen=True)
class Experiment:
    """One training experiment, for all of its depths.

    Args:
        iterations, step: gradient descent with learning rate L·step; iteration i stands for the time i·step of the flow.
        reference: depth of the network that stands for the limit; 0 for the limit itself, None if nothing is compared with it.
        saved: iterations after which something is measured.
        flow: the flow (4) at those times in place of descent; of the paper's network only.
        seed: of torch's generator: W, (16 x 16 entries that the published program of Figure 2 draws and does not use,) x, y.
    """

    figure: str
    network: str
    q: int
    m: int
    n: int
    depths: tuple[int, ...]
    reference: int | None
    iterations: int
    step: float
    saved: tuple[int, ...]
    seed: int
    flow: bool = False

    def to_json(self) -> dict[str, Any]:
        """All settings."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class State:
    """A network on its way.

    Args:
        scaled: V [L q m] and W [L m q] of (3); good until the next state.
        unit: these over the parameters of the network itself, which are `V` and `W`.
        loss: as that network defines it.
    """

    iteration: int
    scaled: Mapping[str, Array]
    loss: float
    unit: Mapping[str, float]

    @property
    def V(self) -> Array:
        """[L q m]."""
        return self.scaled["V"] / self.unit["V"]

    @property
    def W(self) -> Array:
        """[L m q]."""
        return self.scaled["W"] / self.unit["W"]


def experiment(figure: str, network: str = "paper", by_flow: bool = False, small: bool = False) -> Experiment:
    """The experiment of a figure with the sizes of Appendix E, or a small one of the same form. BadInput for unknown names."""
    for option, value, accepted in (("figure", figure, FIGURES), ("--network", network, NETWORKS)):
        if value not in accepted:
            raise BadInput(f"{option} {value}: accepted are {', '.join(accepted)}")
    if by_flow and network != "paper":
        raise BadInput("--flow: (4) is the flow of the paper's network; leave out --network published")
    if figure == "limit" and network != "paper":
        raise BadInput("limit: the limit is that of (4) on the paper's network; leave out --network published")
    if by_flow and figure == "fig2":
        raise BadInput("--flow: Figure 2 is drawn by gradient descent only, whose 80,000 iterations are its subject")
    every = (*range(50, 500, 50), 500)
    if figure == "fig2":
        saved = (0, *range(100, 80_001, 100))
        found = Experiment("fig2", network, 16, 64, 50, (64,), None, 80_000, 5e-3, saved, 0)
    elif figure == "fig1-left":  # depths as they were drawn, which end at 1014
        depths = (2, 16, 64, 256, 1014) if network == "published" else tuple(2**k for k in range(1, 11))
        found = Experiment("fig1-left", network, 16, 32, 100, depths, None, 500, 1e-2, (1, *every), 2)
    else:
        reference = 0 if by_flow or figure == "limit" else 2**14
        depths = tuple(2**k for k in range(1, 11))
        found = Experiment(figure, network, 16, 32, 100, depths, reference, 500, 1e-2, (5, 10, 25, *every), 0)
    found = replace(found, flow=by_flow or figure == "limit")
    return _small(found) if small else found


def _small(full: Experiment) -> Experiment:
    """The same with q = 4, m = 6, n = 7, shallow networks and a tenth of the iterations, or fewer."""
    share = 10 if full.figure != "fig2" else 400
    saved = tuple(sorted({max(0 if full.figure == "fig2" else 2, i // share) for i in full.saved}))
    depths = full.depths if full.figure == "fig2" else tuple(L for L in full.depths if L <= 32) + ((33,) if 1014 in full.depths else ())
    return replace(
        full,
        q=4,
        m=6,
        n=7,
        depths=tuple(min(L, 16) for L in depths) if full.figure == "fig2" else depths,
        reference=256 if full.reference else full.reference,
        iterations=full.iterations // share,
        step=full.step * (10 if full.figure != "fig2" else 1),
        saved=saved,
    )


def start(case: Experiment) -> tuple[Array, Array, Array]:
    """W(0) of one layer [m q], x [n q] and y [n q], the same for all depths and both networks."""
    import torch

    generator = torch.Generator().manual_seed(case.seed)
    W = torch.randn(case.q, case.m, generator=generator)
    if case.figure == "fig2":
        torch.randn(case.q, case.q, generator=generator)
    x, y = (torch.randn(case.n, case.q, generator=generator) for _ in "xy")
    return tuple(np.ascontiguousarray(a.double().numpy()) for a in (W.T, x, y))  # type: ignore[return-value]


def network(case: Experiment, L: int) -> dict[str, Any]:
    """The network as the protocol describes it."""
    sizes = {"L": L, "q": case.q, "m": case.m, "n": case.n, "d": case.q, "dout": case.q}
    return {"version": 1, **sizes, "clip": None, "train": "VW", "rtol": FLOW_RTOL, "activation": {"name": "gelu", "a": 1.0, "b": 1.0}}


def parameters(case: Experiment, L: int) -> dict[str, Array]:
    """The parameters of (3) at the start."""
    W = start(case)[0] * units(case)["W"]
    return {"A": np.eye(case.q), "V": np.zeros((L, case.q, case.m)), "W": np.repeat(W[None], L, axis=0), "B": np.eye(case.q)}


def units(case: Experiment) -> Mapping[str, float]:
    """The parameters of (3) over those of this network, by block."""
    return {"V": case.m**0.5, "W": case.q**0.5} if case.network == "published" else ONE


def right_hand_side(spec: Network) -> Any:
    """The compiled kernel; numba, as torch above, is imported by those who use it only."""
    from depthlimit.models.compiled.implementation import RightHandSide

    return RightHandSide(spec)


def descend(
    spec: Network, params: Arrays, x: Array, y: Array, step: float, iterations: int, unit: Mapping[str, float], mean: float = 1.0
) -> Iterator[State]:
    """Gradient descent with learning rate L·step on the network whose parameters times `unit` and loss times `mean` are those of (3)."""
    theta, out, answer = {k: params[k][None].copy() for k in "AVWB"}, Workspace(), right_hand_side(spec)
    for i in range(iterations + 1):
        slopes = answer("velocity", [theta[k] for k in "AVWB"], x[None], y[None], out)
        yield State(i, {k: theta[k][0] for k in "VW"}, float(slopes["loss"][0]) / mean, unit)
        for k in "VW" if i < iterations else "":  # the last state stays as it is
            slopes[k] *= step * unit[k] ** 2 / mean
            theta[k] += slopes[k]


def descent(case: Experiment, L: int) -> Iterator[State]:
    """The iterates 0, 1, ..., `iterations`; arrays are good until the next."""
    _, x, y = start(case)
    mean = case.q if case.network == "published" else 1
    return descend(network(case, L), parameters(case, L), x, y, case.step, case.iterations, units(case), mean)


def flowed(case: Experiment, L: int) -> Iterator[State]:
    """The flow (4) at the times of the saved iterations."""
    _, x, y = start(case)
    spec, times = network(case, L), np.array([0.0, *(i * case.step for i in case.saved)])
    found = flow.integrate(spec, parameters(case, L), x, y, times, at=right_hand_side(spec).rates(x, y))
    for j, i in enumerate((0, *case.saved)):
        yield State(i, {k: found[k][j] for k in "VW"}, float(found["loss"][j]), ONE)


def states(case: Experiment, L: int) -> Iterator[State]:
    """Descent, or the flow."""
    return flowed(case, L) if case.flow else descent(case, L)
