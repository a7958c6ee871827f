"""The protocol, answered by the compiled kernel: arrays are checked, stacked and handed over."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from typing import Any

import numba
import numpy as np

from depthlimit.models import flow, limit
from depthlimit.models.compiled import clips, sigma
from depthlimit.models.compiled.kernel import FORWARD, GRADIENTS, VELOCITY, evaluate, rooms
from depthlimit.models.implementation import Arrays, Network, Unsupported
from depthlimit.models.residual import Workspace
from depthlimit.theory.quantity import Array

_BLOCKS = ("A", "V", "W", "B")
_NO_STATES = np.empty((0, 0, 0, 0))
_NO_SLOPES = np.empty((0, 0, 0)), _NO_STATES, _NO_STATES, np.empty((0, 0, 0))
_LAWS = {"forward": FORWARD, "loss": FORWARD, "gradients": GRADIENTS, "velocity": VELOCITY}


class RightHandSide:
    """What networks of one spec answer, many of one shape in a call, and again and again without new memory.

    work: where everything lies that is not the answer. checkpoint: there O(√L) of it is enough, for a third more arithmetic. Raises
    `Unsupported` for an activation or a clip that the kernel lacks.
    """

    def __init__(self, spec: Network, work: Workspace | None = None, checkpoint: bool = False) -> None:
        phi, clip = spec["activation"], spec["clip"] or {"kind": "none", "radius": 0.0}
        if phi["name"] not in sigma.NAMES:
            raise Unsupported(f"activation {phi['name']!r}: compiled has {', '.join(sigma.NAMES)}")
        if clip["kind"] not in clips.KINDS:
            raise Unsupported(f"clip {clip['kind']!r}: compiled has {', '.join(clips.KINDS[1:])}")
        self._sigma = sigma.NAMES.index(phi["name"]), float(phi["a"]), float(phi["b"])
        self._clip = clips.KINDS.index(clip["kind"]), float(clip["radius"]), "A" in spec["train"]
        self._work, self._checkpoint = work or Workspace(), checkpoint

    def __call__(self, method: str, theta: Sequence[Array], x: Array, y: Array | None, out: Workspace) -> dict[str, Array]:
        """ "output" and "loss" [batch], and "hidden" if asked for; or also the blocks, and for a velocity "change", <∂ℓ, velocity>.

        theta: A, V, W, B; all arrays with the batch axis first, C-contiguous and float64. The answer lies in `out` until the next call
        with it.
        """
        law, (A, V, W, B), (batch, n, _) = _LAWS[method], theta, x.shape
        _, L, q, m = V.shape
        span = math.isqrt(L - 1) + 1 if self._checkpoint or method == "loss" else L
        room = self._work.empty("room", rooms(L, span, 1 if law == FORWARD else span, n, q, m))
        output, numbers = out.empty("output", batch, n, B.shape[1]), out.empty("numbers", 2, batch)
        answer = {"output": output, "loss": numbers[0], "change": numbers[1]}
        hidden, slopes = _NO_STATES, _NO_SLOPES
        if law != FORWARD:
            slopes = out.empty("A", *A.shape), out.empty("V", *V.shape), out.empty("W", *W.shape), out.empty("B", *B.shape)
            answer["A"], answer["V"], answer["W"], answer["B"] = slopes
        elif method == "forward":
            answer["hidden"] = hidden = out.empty("hidden", batch, L + 1, n, q)
        evaluate(law, self._sigma, self._clip, span, (A, V, W, B), (x, output if y is None else y), room, (hidden, output), numbers, slopes)
        return answer

    def rates(self, x: Array, y: Array) -> flow.Rates:
        """`flow.rates` by this kernel."""
        out, data = Workspace(), (_checked(x)[None], _checked(y)[None])

        def at(theta: Arrays) -> tuple[float, Arrays, float]:
            found = self("velocity", [_checked(theta[k])[None] for k in _BLOCKS], *data, out)
            return float(found["loss"][0]), {k: found[k][0] for k in _BLOCKS}, float(found["change"][0])

        return at


class _Own(threading.local):
    """What each thread has for itself."""

    def __init__(self) -> None:
        self.work = Workspace()


class CompiledImplementation:
    """`Implementation` on the CPU, compiled; TypeError for arrays that are not float64.

    A batch runs network by network, so its answers are those of single calls to the last bit. Calls from several threads run side by side.
    """

    name = "compiled"
    version = f"numba {numba.__version__}"
    language = "Python"
    device = "cpu"
    activations = sigma.NAMES
    clips = clips.KINDS[1:]

    def __init__(self) -> None:
        self._own = _Own()

    def forward(self, spec: Network, params: Arrays, x: Array) -> dict[str, Array]:
        """Hidden states and output of (3)."""
        return self._answer("forward", ("hidden", "output"), spec, params, x)

    def loss(self, spec: Network, params: Arrays, x: Array, y: Array) -> float:
        """The mean squared error."""
        return float(self._answer("loss", ("loss",), spec, params, x, y)["loss"])

    def gradients(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """∂ℓ/∂θ by (14)-(16)."""
        return self._answer("gradients", _BLOCKS, spec, params, x, y)

    def velocity(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """The right-hand side of (4) or (5)."""
        return self._answer("velocity", _BLOCKS, spec, params, x, y)

    def flow(self, spec: Network, params: Arrays, x: Array, y: Array, times: Array) -> dict[str, Array]:
        """The flow (4) or (5) at times, stepped by `depthlimit.models.flow`."""
        result = flow.integrate(spec, params, x, y, times, at=RightHandSide(spec).rates(x, y))
        return {k: result[k] for k in (*_BLOCKS, "loss")}

    def neural_ode(self, spec: Network, weights: Arrays, x: Array, s: Array) -> dict[str, Array]:
        """The neural ODE (6) by NumPy."""
        return limit.neural_ode(spec, weights, x, s)

    def batch(self, method: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Many calls, one after the other: a call of the kernel costs so little that stacking their arrays would cost as much."""
        return [getattr(self, method)(*given) for given in arguments]

    def _answer(
        self, method: str, names: Sequence[str], spec: Network, params: Arrays, x: Array, y: Array | None = None
    ) -> dict[str, Array]:
        """What the method says of one network, without the batch axis."""
        theta = [_checked(params[k])[None] for k in _BLOCKS]
        found = RightHandSide(spec, self._own.work)(method, theta, _checked(x)[None], None if y is None else _checked(y)[None], Workspace())
        return {k: found[k][0] for k in names}


def _checked(array: Array) -> Array:
    found = np.ascontiguousarray(array)
    if found.dtype != np.float64:
        raise TypeError(f"arrays must be float64, got {found.dtype} of shape {found.shape}")
    return found
