"""The gradient flows (4) and (5), p. 4: velocity, the stepper, and the flow.

`solve` is scipy's DOP853 (Hairer, Nørsett, Wanner, Solving Ordinary Differential Equations I, II.5 and II.10)
for any right-hand side on NumPy vectors. The accuracy asked of a flow is relative to the DISPLACEMENT of each
array: V starts at 0, W of order 1 moves by t², short times move all of them by little. So it integrates the
displacement itself, with an absolute tolerance per block from the block's initial speed, and at least the
rounding of the state: a block that starts to move by t² or t³ has no speed to go by, and one that rests is
all noise. Steps end at the times asked for, so that there is no interpolation error. What accuracy is asked
(`follow`, `tolerances`) holds for any stepper: `depthlimit.models.torch_stepper` is the other.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.integrate import solve_ivp

from depthlimit.models.backward import loss_and_gradients
from depthlimit.models.clip import KINKED, clip
from depthlimit.models.implementation import Arrays, Network
from depthlimit.models.residual import Workspace
from depthlimit.theory.quantity import Array

BLOCKS = ("A", "V", "W", "B")
RightHandSide = Callable[[float, Array], Array]
Rates = Callable[[Arrays], tuple[float, Arrays, float]]

# Errors of steps add up and grow with the sensitivity of the flow; asked are 100 rtol of the displacement, 1000 rtol with kinks. On a
# hundred generated instances the worst spent 0.004 of that at a tenth of rtol. Where a kink lies so that the error estimate of its step
# nearly vanishes, more than was asked may be spent at any tolerance (3 of 3000 at 0.03 rtol): such flows are followed twice.
LOCAL_SHARE = 0.1
KINKED_SHARES = (0.24, 0.03)
FINEST = 1e-13  # finer local tolerances meet the rounding of the right-hand side
MAX_CALLS = 500_000  # ten times what the worst clip with kinks took
_NORM_SHARE = 1e-2  # the protocol's 1e-9 of the norm against 1e-7 of the displacement


def local_tolerance(spec: Network, share: float = LOCAL_SHARE) -> float:
    """The `rtol` of `solve` with which a smooth flow meets what spec["rtol"] asks."""
    return max(share * float(spec["rtol"]), FINEST)


def kinked(spec: Network) -> bool:
    """Whether the flow has a clip with kinks."""
    return spec["clip"] is not None and spec["clip"]["kind"] in KINKED


def asked(spec: Network, moved: Array, size: Array) -> Array:
    """The error that the protocol allows a flow, from norms of an array's displacement and of the array itself.

    100 rtol |displacement| + rtol |array|: at the default rtol 1e-9 these are 1e-7 and 1e-9; ten times as much of the displacement
    for clips with kinks. 0 where nothing has moved.
    """
    share = 1000 if kinked(spec) else 100
    return np.where(moved == 0, 0.0, spec["rtol"] * (share * moved + size))


class Block(NamedTuple):
    """A piece of a state that has a scale of its own: its size, and a bound on how far it can move, if one is known."""

    size: int
    reach: float = math.inf


def follow(spec: Network, run: Callable[[float], Array], state: Array, blocks: Sequence[Block]) -> Array:
    """Displacements [T ... N] from state [... N] to the accuracy that spec["rtol"] asks, by run(rtol), a stepper at a local tolerance.

    Past kinks, at falling tolerances until two runs agree to a quarter of it.
    """
    if not kinked(spec):
        return run(local_tolerance(spec))
    tolerance, finer = (local_tolerance(spec, share) for share in KINKED_SHARES)
    found, ends = run(tolerance), np.cumsum([b.size for b in blocks])[:-1]
    while finer < tolerance:
        coarse, tolerance, finer = found, finer, max(finer / 8, FINEST)
        found = run(tolerance)
        pieces = zip(*(np.split(a, ends, axis=-1) for a in (found - coarse, found, state + found)), strict=True)
        norms = ((np.linalg.norm(a, axis=-1) for a in piece) for piece in pieces)
        if all(np.all(error <= asked(spec, moved, size) / 4) for error, moved, size in norms):
            break
    return found


def velocity(spec: Network, gradients: Arrays) -> dict[str, Array]:
    """The right-hand side of (4), or of (5) with a clip, from ∂ℓ/∂θ; 0 for blocks not in spec["train"]."""
    L, train = spec["L"], spec["train"]
    result = {block: np.zeros_like(gradients[block]) for block in BLOCKS if block not in train}
    for block in "AB":
        if block in train:
            (result[block],) = clip(spec, block, -gradients[block])
    if "V" in train:
        result["V"], result["W"] = clip(spec, "Z", -L * gradients["V"], -L * gradients["W"])
    return result


def pack(blocks: Iterable[Array]) -> Array:
    """One vector from arrays of any shapes."""
    return np.concatenate([block.ravel() for block in blocks])


def unpack(vector: Array, shapes: Sequence[tuple[int, ...]]) -> list[Array]:
    """Views of the consecutive pieces of [... N], each [... *shape]."""
    pieces, start = [], 0
    for shape in shapes:
        end = start + math.prod(shape)
        pieces.append(vector[..., start:end].reshape(vector.shape[:-1] + shape))
        start = end
    return pieces


def rates(spec: Network, x: Array, y: Array) -> Rates:
    """The loss, the velocity of (4) or (5) and <∂ℓ/∂θ, velocity> at parameters, by NumPy. Arrays are good until the next call."""
    work, trained = Workspace(), [block for block in BLOCKS if block in spec["train"]]

    def at(theta: Arrays) -> tuple[float, Arrays, float]:
        loss, gradient = loss_and_gradients(spec, theta, x, y, work)
        v = velocity(spec, gradient)
        return float(loss), v, sum(float(np.vdot(gradient[block], v[block])) for block in trained)

    return at


def integrate(
    spec: Network, params: Arrays, x: Array, y: Array, times: Array, rtol: float | None = None, at: Rates | None = None
) -> dict[str, Array]:
    """The flow from params at time 0: "A", "V", "W", "B" [time ...], "loss" and "energy" [time] at times.

    energy is ∫_0^t <-∂ℓ/∂θ, θ'>, integrated along with the parameters; it equals ℓ(0) - ℓ(t), with or without
    clip. rtol is the local tolerance of `solve`; by default the flow is followed as spec["rtol"] asks. at: other code for `rates`.
    "energy_error" []: the energy is a quadrature, so the local errors that `solve` allows each step (12 evaluations) add up. Raises
    ValueError and RuntimeError as `solve` does.
    """
    trained = [block for block in BLOCKS if block in spec["train"]]
    shapes = [params[block].shape for block in trained]
    at, calls = at or rates(spec, x, y), itertools.count()

    def rhs(_: float, state: Array) -> Array:
        next(calls)
        theta = {**params, **dict(zip(trained, unpack(state[:-1], shapes), strict=True))}
        _, v, change = at(theta)
        return pack([*(v[block] for block in trained), np.array(change / unit)])

    # The last entry of the state is the loss as integrated, in units of ℓ(0): its size says what an error of
    # the energy means, and the unit keeps it from standing out against the parameters.
    unit = at(params)[0] or 1.0
    state = pack([*(params[block] for block in trained), np.array(1.0)])
    blocks = [Block(size) for size in map(math.prod, shapes)] + [Block(1, reach=1.0)]

    def run(rtol: float) -> Array:
        return solve(rhs, state, times, rtol, blocks)

    moved = follow(spec, run, state, blocks) if rtol is None else run(rtol)  # [time N]
    result = {block: np.repeat(params[block][None], len(moved), axis=0) for block in BLOCKS}
    for block, displacement in zip(trained, unpack(moved[:, :-1], shapes), strict=True):
        result[block] += displacement
    result["loss"] = np.array([at({block: result[block][j] for block in BLOCKS})[0] for j in range(len(moved))])
    result["energy"] = -unit * moved[:, -1]
    steps, local = next(calls) / 12, local_tolerance(spec) if rtol is None else rtol
    result["energy_error"] = np.array(2 * steps * local * unit)
    return result


def checked(times: Array, rtol: float) -> Array:
    """The times of a stepper; raises ValueError unless they are finite, strictly increasing, >= 0 and rtol lies in [1e-14, 1)."""
    times = np.asarray(times, dtype=float)
    if times.ndim != 1 or not np.isfinite(times).all() or (np.diff(times) <= 0).any() or (times < 0).any():
        raise ValueError(f"times must be finite, >= 0 and strictly increasing, got {times.tolist()}")
    if not 1e-14 <= rtol < 1:
        raise ValueError(f"rtol must lie in [1e-14, 1), got {rtol}")
    return times


def tolerances(state: Array, speed: Array, horizon: float, rtol: float, blocks: Sequence[Block]) -> Array:
    """What the local error of each entry may be beside rtol times its displacement: [... N] from state and initial speed [... N].

    In the root mean square over the entries of a block: rtol times max(1/100 |block|, horizon |initial speed of the block|), the
    latter within the block's reach. At least the rounding of the block.
    """
    atol, ends = np.empty_like(state), np.cumsum([b.size for b in blocks])
    slices = [slice(end - b.size, end) for b, end in zip(blocks, ends, strict=True)]
    paths = [horizon * np.linalg.norm(speed[..., s], axis=-1) for s in slices]
    # A block that starts at rest at 0 (V while B = 0) has no scale of its own: a thousandth of the longest path serves.
    least = 1e-3 * np.max(paths, axis=0)
    for block, at, path in zip(blocks, slices, paths, strict=True):
        norm = np.linalg.norm(state[..., at], axis=-1)
        allowed = rtol * np.maximum(_NORM_SHARE * norm, np.minimum(block.reach, np.maximum(path, least)))
        allowed = np.maximum(allowed, np.maximum(np.finfo(float).eps * norm, np.finfo(float).tiny))
        atol[..., at] = (allowed / math.sqrt(block.size))[..., None]
    return atol


def gave_up(now: float, target: float, why: str) -> RuntimeError:
    """What a stepper raises where no step is accepted any more."""
    return RuntimeError(
        f"the stepper gave up at t = {now!r} of {target!r} ({why}). A right-hand side that jumps, overflows or is noisier than rtol "
        "does that: try a larger rtol or a shorter time"
    )


def solve(rhs: RightHandSide, state: Array, times: Array, rtol: float, blocks: Sequence[Block]) -> Array:
    """Displacements y(t) - y(0) of y' = rhs(t, y), y(0) = state [N], at times [T]: [T N].

    state consists of consecutive blocks. The estimated local error of an entry is at most rtol times its displacement plus its
    share of `tolerances`. Raises ValueError as `checked` does, and RuntimeError where no step is accepted any more.
    """
    times = checked(times, rtol)
    result = np.zeros((len(times), len(state)))
    if not len(times) or times[-1] == 0:
        return result
    atol = tolerances(state, rhs(0.0, state), float(times[-1]), rtol, blocks)
    moved, now, step, calls = np.zeros_like(state), 0.0, None, itertools.count(1)

    def shifted(t: float, u: Array) -> Array:
        if next(calls) > MAX_CALLS:
            raise gave_up(float(t), float(times[-1]), f"{MAX_CALLS} evaluations")
        return rhs(t, state + u)

    for j, target in enumerate(times):
        if target > now:
            with np.errstate(all="ignore"):  # a trial step may overflow: it is rejected then
                run = solve_ivp(
                    shifted,
                    (now, float(target)),
                    moved,
                    method="DOP853",
                    rtol=max(rtol, FINEST),
                    atol=atol,
                    first_step=None if step is None else min(step, float(target) - now),
                )
            if not run.success or not np.all(np.isfinite(run.y[:, -1])):
                raise gave_up(float(run.t[-1]), float(target), run.message)
            # A step cut short by a target says nothing against the longer one that was due.
            step = float(np.max(np.diff(run.t)))
            moved, now = run.y[:, -1], float(target)
        result[j] = moved
    return result
