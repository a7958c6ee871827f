"""Runge-Kutta steps on torch tensors, on whichever device they lie: no stage leaves it.

The stepper is torchdiffeq's dopri8 (Prince and Dormand, High order embedded Runge-Kutta formulae, J. Comput. Appl. Math. 7, 1981),
so NumPy and torch share none; what accuracy is asked is `depthlimit.models.flow`'s. Several states are stepped together, by steps that
each of them would accept: they cost as much as the worst of them, and each keeps its own tolerances.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torchdiffeq import odeint

from depthlimit.models.flow import FINEST, MAX_CALLS, Block, checked, gave_up, tolerances
from depthlimit.theory.quantity import Array

RightHandSide = Callable[[Tensor, Tensor], Tensor]


@torch.no_grad()
def solve(rhs: RightHandSide, state: Tensor, times: Array, rtol: float, blocks: Sequence[Block]) -> Array:
    """Displacements y(t) - y(0) of y' = rhs(t, y), y(0) = state [batch N], at times [T]: [T batch N].

    Each of the batch consists of consecutive blocks. The estimated local error of an entry is at most rtol times its displacement plus
    its share of `tolerances`, in the root mean square over the entries of each of the batch. Raises ValueError as `checked` does, and
    RuntimeError where no step is accepted any more.
    """
    times = checked(times, rtol)
    result = state.new_zeros((len(times), *state.shape))
    if not len(times) or times[-1] == 0:
        return _numpy(result)
    horizon = float(times[-1])  # the unit of time: the first trial step of odeint is 1e-6 of it
    zero = torch.zeros((), dtype=torch.float64, device=state.device)
    atol = tolerances(_numpy(state), _numpy(rhs(zero, state)), horizon, rtol, blocks)
    equation = _Equation(rhs, state, horizon)
    moved, now, step = torch.zeros_like(state), 0.0, None
    for j, target in enumerate(times / horizon):
        if target > now:
            equation.longest = 0.0
            ends = torch.tensor([now, target], dtype=torch.float64, device=state.device)
            try:
                moved = odeint(
                    equation,
                    moved,
                    ends,
                    method="dopri8",
                    rtol=max(rtol, FINEST),
                    atol=torch.tensor(atol, device=state.device),
                    options={"step_t": ends[1:], "norm": _norm, "first_step": None if step is None else min(step, target - now)},
                )[-1]
            except AssertionError as error:  # steps too small, or no finite state: odeint has no exception of its own
                raise gave_up(equation.reached * horizon, float(times[j]), str(error)) from error
            # A step cut short by a target says nothing against the longer one that was due.
            step, now = equation.longest, float(target)
        result[j] = moved
    return _numpy(result)


class _Equation:
    """The displacement's equation in units of the horizon; odeint calls back as it steps."""

    def __init__(self, rhs: RightHandSide, start: Tensor, horizon: float) -> None:
        self.rhs, self.start, self.horizon = rhs, start, horizon
        self.longest = self.reached = 0.0
        self.calls = 0

    def __call__(self, t: Tensor, moved: Tensor) -> Tensor:
        self.calls += 1
        if self.calls > MAX_CALLS:
            raise gave_up(self.reached * self.horizon, self.horizon, f"{MAX_CALLS} evaluations")
        return self.horizon * self.rhs(self.horizon * t, self.start + moved)

    def callback_step(self, t: Tensor, moved: Tensor, step: Tensor) -> None:
        self.reached = float(t)

    def callback_accept_step(self, t: Tensor, moved: Tensor, step: Tensor) -> None:
        self.longest = max(self.longest, float(step))


def _norm(errors: Tensor) -> Tensor:
    """Of errors in units of what they may be: the root mean square of the worst of the batch. A step that overflows is rejected."""
    return errors.square().mean(-1).sqrt().nan_to_num(nan=torch.inf, posinf=torch.inf).max()


def _numpy(tensor: Tensor) -> Array:
    array: Array = tensor.cpu().numpy()
    return array
