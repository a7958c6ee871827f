"""The torch implementation of the protocol: no numerical code shared with the NumPy side.

Gradients come from autograd through (3), so they know nothing of (13)-(16); activations, clips, packing, the
Chebyshev series and the stepper (`depthlimit.models.torch_stepper`) are written again in torch. What is shared is
the accuracy that a stepper is asked for, `depthlimit.models.flow`.

Every call runs on a leading batch axis; a single call is a batch of one. Results of `batch` agree with those
of single calls up to rounding, not bit by bit: vectorised elementary functions and batched products may round
an entry by where it lies in memory; flows agree up to what each may err, since a batch takes common steps.
On CUDA, calls of one spec and shape are replayed from a graph (`depthlimit.models.graphs`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from depthlimit.models.flow import Block, follow, local_tolerance
from depthlimit.models.graphs import Graphs
from depthlimit.models.implementation import Arrays, Network, Unsupported
from depthlimit.models.spec import BadInput
from depthlimit.models.torch_stepper import solve
from depthlimit.theory.quantity import Array

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "identity": lambda u: u,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sin": torch.sin,
    "erf": torch.erf,
    "arctan": torch.atan,
    "algebraic": lambda u: u * torch.rsqrt(1 + u * u),
    "one_minus_cos": lambda u: 2 * torch.sin(u / 2) ** 2,  # no cancellation near 0
    "one_minus_gauss": lambda u: -torch.expm1(-u * u / 4),
    "gelu": lambda u: u * torch.special.erfc(-u / math.sqrt(2)) / 2,  # exact; erfc does not cancel for u < 0
    "silu": lambda u: u * torch.sigmoid(u),
}
_BLOCKS = ("A", "V", "W", "B")
Tensors = Mapping[str, Tensor]


class TorchImplementation:
    """`Implementation` by torch autograd in float64, on the device "cpu" or "cuda", which is "cuda:0" (also "cuda:1", ...).

    CUDA numbers the devices that CUDA_VISIBLE_DEVICES leaves. `graphs` is None where nothing is captured. Raises `BadInput` for another
    device or one that is not there, TypeError for arrays that are not float64.
    """

    name = "torch"
    version = str(torch.__version__)
    language = "Python"
    activations = tuple(_ACTIVATIONS)
    clips = ("coordinate", "radial", "smooth")

    def __init__(self, device: str = "cpu") -> None:
        kind, _, index = device.partition(":")
        if kind not in ("cpu", "cuda") or (index and not index.isdigit()) or (kind == "cpu" and index):
            raise BadInput(f"implementation torch runs on cpu and cuda (or cuda:0, ...), got device {device!r}")
        count = torch.cuda.device_count()
        if kind == "cuda" and int(index or 0) >= count:
            raise BadInput(f"implementation torch: got device {device!r}, but torch sees {count} CUDA device(s)")
        self.device = device
        self.graphs = Graphs() if kind == "cuda" else None
        self._device = torch.device(kind, int(index or 0))

    def forward(self, spec: Network, params: Arrays, x: Array) -> dict[str, Array]:
        """Hidden states and output of (3)."""
        return dict(self.batch("forward", [(spec, params, x)])[0])

    def loss(self, spec: Network, params: Arrays, x: Array, y: Array) -> float:
        """The mean squared error."""
        return float(self.batch("loss", [(spec, params, x, y)])[0])

    def gradients(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """∂ℓ/∂θ by autograd."""
        return dict(self.batch("gradients", [(spec, params, x, y)])[0])

    def velocity(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """The right-hand side of (4) or (5)."""
        return dict(self.batch("velocity", [(spec, params, x, y)])[0])

    def flow(self, spec: Network, params: Arrays, x: Array, y: Array, times: Array) -> dict[str, Array]:
        """The flow (4) or (5) at times."""
        return dict(self.batch("flow", [(spec, params, x, y, times)])[0])

    def batch(self, method: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Many calls of forward, loss, gradients, velocity or flow; those with equal spec, shapes and times run as one.

        Raises `Unsupported` for another method.
        """
        if method not in (*_METHODS, "flow"):
            raise Unsupported(f"batch runs {', '.join(_METHODS)} and flow, got {method!r}")
        groups: dict[Any, list[int]] = {}
        for i, (spec, params, *data) in enumerate(arguments):
            times = tuple(np.ravel(data.pop())) if method == "flow" else ()
            shapes = tuple(np.shape(a) for a in (*(params[k] for k in _BLOCKS), *data))
            groups.setdefault((_key(spec), shapes, times), []).append(i)
        results: list[Any] = [None] * len(arguments)
        for members in groups.values():
            spec = arguments[members[0]][0]
            theta = {k: self._stack([arguments[i][1][k] for i in members]) for k in _BLOCKS}
            data = [self._stack([arguments[i][j] for i in members]) for j in range(2, 3 if method == "forward" else 4)]
            if method == "flow":
                answer = self._flow(spec, theta, data[0], data[1], arguments[members[0]][4])
            else:
                answer = {k: _numpy(v) for k, v in self._answer(method, spec, theta, *data).items()}
            for j, i in enumerate(members):
                results[i] = {k: v[j] for k, v in answer.items()}
        return [float(result["loss"]) for result in results] if method == "loss" else results

    def neural_ode(self, spec: Network, weights: Arrays, x: Array, s: Array) -> dict[str, Array]:
        """The neural ODE (6) at s."""
        A, V, W, B = (self._tensor(weights[k]) for k in _BLOCKS)
        sigma, root_m, root_q = _sigma(spec), math.sqrt(spec["m"]), math.sqrt(spec["q"])
        H0 = self._tensor(x) @ A.mT  # [n q]

        def at(coefficients: Tensor, s: Tensor) -> Tensor:
            angle = torch.acos((2 * s - 1).clamp(-1, 1))  # T_j(cos angle) = cos(j angle)
            T = torch.cos(torch.arange(len(coefficients), device=self._device, dtype=torch.float64) * angle)
            return torch.einsum("jrc,j->rc", coefficients, T)

        def rhs(s: Tensor, state: Tensor) -> Tensor:
            f = sigma(state.view_as(H0) @ at(W, s).mT / root_q) @ at(V, s).mT / root_m  # [n q]
            return f.view_as(state)

        stops, start = np.append(s, [1.0] if len(s) == 0 or s[-1] < 1 else []), H0.reshape(1, -1)
        H = _numpy(H0) + solve(rhs, start, stops, local_tolerance(spec), [Block(start.numel())]).reshape(len(stops), *H0.shape)
        return {"hidden": H[: len(s)], "output": _numpy(self._tensor(H[-1]) @ B.mT)}

    def _answer(self, method: str, spec: Network, theta: Tensors, *data: Tensor) -> Tensors:
        """A method on the device, the batch axis first."""

        def function(A: Tensor, V: Tensor, W: Tensor, B: Tensor, *data: Tensor) -> Tensors:
            return _METHODS[method](spec, {"A": A, "V": V, "W": W, "B": B}, *data)

        tensors = [*(theta[k] for k in _BLOCKS), *data]
        if self.graphs is None:
            return function(*tensors)
        return self.graphs((method, _key(spec), *(tensor.shape for tensor in tensors)), function, tensors)

    def _flow(self, spec: Network, theta: Tensors, x: Tensor, y: Tensor, times: Array) -> dict[str, Array]:
        """Flows of one spec, [batch time ...]."""
        trained = [k for k in _BLOCKS if k in spec["train"]]
        sizes = [theta[k][0].numel() for k in trained]

        def at(state: Tensor) -> dict[str, Tensor]:
            pieces = torch.split(state, sizes, dim=-1)
            return {**theta, **{k: piece.view_as(theta[k]) for k, piece in zip(trained, pieces, strict=True)}}

        def rhs(_: Tensor, state: Tensor) -> Tensor:
            v = self._answer("velocity", spec, at(state), x, y)
            return torch.cat([v[k].flatten(1) for k in trained], dim=1)

        def run(rtol: float) -> Array:
            return solve(rhs, start, times, rtol, blocks)

        start, blocks = torch.cat([theta[k].flatten(1) for k in trained], dim=1), [Block(size) for size in sizes]
        moved = follow(spec, run, _numpy(start), blocks)  # [time batch N]
        rows: dict[str, list[Array]] = {k: [] for k in (*_BLOCKS, "loss")}
        for displacement in moved:
            theta_t = at(start + self._tensor(displacement))
            for k, value in {**theta_t, **self._answer("loss", spec, theta_t, x, y)}.items():
                rows[k].append(_numpy(value))
        return {k: np.stack(row, axis=1) for k, row in rows.items()}

    def _tensor(self, array: Array) -> Tensor:
        """A copy on the device, never a view: what the caller owns stays the caller's."""
        array = np.ascontiguousarray(array)
        if array.dtype != np.float64:
            raise TypeError(f"arrays must be float64, got {array.dtype} of shape {array.shape}")
        return torch.tensor(array, device=self._device)

    def _stack(self, arrays: Sequence[Array]) -> Tensor:
        """[batch ...] on the device."""
        return self._tensor(np.stack(arrays) if len(arrays) > 1 else np.asarray(arrays[0])[None])


def _key(value: Any) -> Any:
    """A hashable form of a JSON value."""
    return tuple((k, _key(v)) for k, v in sorted(value.items())) if isinstance(value, Mapping) else value


def _numpy(tensor: Tensor) -> Array:
    return tensor.detach().cpu().numpy()


def _sigma(spec: Network) -> Callable[[Tensor], Tensor]:
    name, a, b = spec["activation"]["name"], spec["activation"]["a"], spec["activation"]["b"]
    if name not in _ACTIVATIONS:
        raise Unsupported(f"activation {name!r}: torch has {', '.join(_ACTIVATIONS)}")
    phi = _ACTIVATIONS[name]
    return phi if a == b == 1 else lambda u: a * phi(b * u)


def _layers(spec: Network, theta: Tensors, x: Tensor) -> tuple[list[Tensor], Tensor]:
    """h_0..h_L [batch n q] and the output [batch n dout] of (3); theta has the batch axis first."""
    sigma, weight = _sigma(spec), 1 / (spec["L"] * math.sqrt(spec["m"]))
    W = (theta["W"] / math.sqrt(spec["q"])).mT.unbind(1)  # L times [batch q m]
    V = theta["V"].mT.unbind(1)  # L times [batch m q]
    h = [x @ theta["A"].mT]
    for W_k, V_k in zip(W, V, strict=True):
        h.append(torch.baddbmm(h[-1], sigma(torch.bmm(h[-1], W_k)), V_k, alpha=weight))
    return h, h[-1] @ theta["B"].mT


def _forward(spec: Network, theta: Tensors, x: Tensor) -> Tensors:
    with torch.inference_mode():
        h, output = _layers(spec, theta, x)
        return {"hidden": torch.stack(h, dim=1), "output": output}


def _loss(spec: Network, theta: Tensors, x: Tensor, y: Tensor) -> Tensors:
    with torch.inference_mode():
        return {"loss": (_layers(spec, theta, x)[1] - y).square().sum(-1).mean(-1)}


def _gradients(spec: Network, theta: Tensors, x: Tensor, y: Tensor) -> Tensors:
    with torch.enable_grad():
        leaves = {k: theta[k].detach().requires_grad_() for k in _BLOCKS}
        # The sum over the batch: the loss of each network depends on its own parameters only.
        total = (_layers(spec, leaves, x)[1] - y).square().sum() / y.shape[1]
        return dict(zip(_BLOCKS, torch.autograd.grad(total, list(leaves.values())), strict=True))


def _velocity(spec: Network, theta: Tensors, x: Tensor, y: Tensor) -> Tensors:
    downhill = {k: g * (-spec["L"] if k in "VW" else -1) for k, g in _gradients(spec, theta, x, y).items()}
    clipped = {k: g for block in (("A",), ("V", "W"), ("B",)) for k, g in _clip(spec, block, downhill).items()}
    return {k: clipped[k] if k in spec["train"] else torch.zeros_like(theta[k]) for k in _BLOCKS}


def _clip(spec: Network, block: tuple[str, ...], tensors: Tensors) -> Tensors:
    """π on one block: its tensors [... rows columns], taken together, are one vector."""
    g = {k: tensors[k] for k in block}
    if spec["clip"] is None:
        return g
    kind, r = spec["clip"]["kind"], spec["clip"]["radius"]
    if kind == "coordinate":
        return {k: v.clamp(-r, r) for k, v in g.items()}
    if kind == "smooth":
        return {k: r * torch.tanh(v / r) for k, v in g.items()}
    if kind == "radial":
        norms = torch.stack([torch.linalg.matrix_norm(v, keepdim=True) for v in g.values()])
        factor = (r / torch.linalg.vector_norm(norms, dim=0)).clamp(max=1)  # r/0 = inf: factor 1
        return {k: factor * v for k, v in g.items()}
    raise Unsupported(f"clip {kind!r}: torch has {', '.join(TorchImplementation.clips)}")


_METHODS: dict[str, Callable[..., Tensors]] = {
    "forward": _forward,
    "loss": _loss,
    "gradients": _gradients,
    "velocity": _velocity,
}
