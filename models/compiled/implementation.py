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
from depthlimit.models.compiled.kernel import FORWARD, GRADIENTS, VELOCITY, evaluate
from depthlimit.models.implementation import Arrays, Network, Unsupported
from depthlimit.models.residual import Workspace
from depthlimit.theory.quantity import Array

_BLOCKS = ("A", "V", "W", "B")
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
        """ "hidden", "output", "loss" [batch]; or the blocks, "loss" and for a velocity also "change", <∂ℓ, velocity>.

        theta: A, V, W, B; all arrays with the batch axis first, C-contiguous and float64. The answer lies in `out` until the next call
        with it.
        """
        law, work = _LAWS[method], self._work
        (batch, n, _), (_, L, q, m), dout = x.shape, theta[1].shape, theta[3].shape[1]
        back = law != FORWARD
        span = math.isqrt(L - 1) + 1 if self._checkpoint or method == "loss" else L
        output, loss, change = out.empty("output", batch, n, dout), out.empty("loss", batch), out.empty("change", batch)
        hidden = out.empty("hidden", batch, L + 1, n, q) if method == "forward" else work.empty("span", 1, span + 1, n, q)
        kept = span if back else 1
        slopes = [out.empty(k, *block.shape) if back else np.empty((0,) * block.ndim) for k, block in zip(_BLOCKS, theta, strict=True)]
        evaluate(
            law,
            self._sigma,
            self._clip,
            (theta[0], theta[1], theta[2], theta[3]),
            (x, output if y is None else y),
            (work.empty("starts", -(-L // span), n, q), hidden, work.empty("s", kept, n, m), work.empty("d", kept, n, m)),
            (work.empty("u", n, m), work.empty("p", n, q)),
            (output, loss, change),
            (slopes[0], slopes[1], slopes[2], slopes[3]),
        )
        answer = {"hidden": hidden, "output": output} if method == "forward" else dict(zip(_BLOCKS, slopes, strict=True))
        return answer | {"loss": loss, "change": change}

    def rates(self, x: Array, y: Array) -> flow.Rates:
        """`flow.rates` by this kernel."""
        out, data = Workspace(), (_checked(x)[None], _checked(y)[None])

        def at(theta: Arrays) -> tuple[float, Arrays, float]:
            found = self("velocity", [_checked(theta[k])[None] for k in _BLOCKS], *data, out)
            return float(found["loss"][0]), {k: found[k][0] for k in _BLOCKS}, float(found["change"][0])

        return at


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
        self._local = threading.local()

    def forward(self, spec: Network, params: Arrays, x: Array) -> dict[str, Array]:
        """Hidden states and output of (3)."""
        return dict(self.batch("forward", [(spec, params, x)])[0])

    def loss(self, spec: Network, params: Arrays, x: Array, y: Array) -> float:
        """The mean squared error."""
        return float(self.batch("loss", [(spec, params, x, y)])[0])

    def gradients(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """∂ℓ/∂θ by (14)-(16)."""
        return dict(self.batch("gradients", [(spec, params, x, y)])[0])

    def velocity(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """The right-hand side of (4) or (5)."""
        return dict(self.batch("velocity", [(spec, params, x, y)])[0])

    def flow(self, spec: Network, params: Arrays, x: Array, y: Array, times: Array) -> dict[str, Array]:
        """The flow (4) or (5) at times, stepped by `depthlimit.models.flow`."""
        result = flow.integrate(spec, params, x, y, times, at=RightHandSide(spec).rates(x, y))
        return {k: result[k] for k in (*_BLOCKS, "loss")}

    def neural_ode(self, spec: Network, weights: Arrays, x: Array, s: Array) -> dict[str, Array]:
        """The neural ODE (6) by NumPy."""
        return limit.neural_ode(spec, weights, x, s)

    def batch(self, method: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Many calls; those of forward, loss, gradients and velocity with the same spec and shapes are one call of the kernel."""
        if method not in _LAWS:
            return [getattr(self, method)(*given) for given in arguments]
        groups: dict[Any, list[int]] = {}
        for i, (spec, params, *data) in enumerate(arguments):
            key = (repr(spec), *(np.shape(a) for a in (*(params[k] for k in _BLOCKS), *data))) if len(arguments) > 1 else ()
            groups.setdefault(key, []).append(i)
        results: list[Any] = [None] * len(arguments)
        for members in groups.values():
            for i, answer in zip(members, self._together(method, [arguments[i] for i in members]), strict=True):
                results[i] = answer
        return results

    def _together(self, method: str, calls: list[tuple[Any, ...]]) -> list[Any]:
        """Calls of one spec and shape."""
        if not hasattr(self._local, "work"):
            self._local.work = Workspace()
        theta = [_stacked([params[k] for _, params, *_ in calls]) for k in _BLOCKS]
        data = [_stacked(column) for column in zip(*(rest for _, _, *rest in calls), strict=True)]
        out = Workspace()
        found = RightHandSide(calls[0][0], self._local.work)(method, theta, data[0], data[1] if len(data) > 1 else None, out)
        if method == "loss":
            return list(map(float, found["loss"]))
        names = ("hidden", "output") if method == "forward" else _BLOCKS
        return [{k: found[k][i] for k in names} for i in range(len(calls))]


def _checked(array: Array) -> Array:
    if np.asarray(array).dtype != np.float64:
        raise TypeError(f"arrays must be float64, got {np.asarray(array).dtype} of shape {np.shape(array)}")
    return np.ascontiguousarray(array)


def _stacked(arrays: Sequence[Array]) -> Array:
    """[batch ...]; of one array a view."""
    return _checked(arrays[0])[None] if len(arrays) == 1 else _checked(np.stack(arrays))
