"""The protocol that every implementation meets, and how one is found by name.

`Implementation` is the law: torch, NumPy, compiled and foreign code are called through it and through nothing
else. `load` turns what the user wrote after `--implementation` into such an object:

    >>> load("numpy").name
    'numpy'
    >>> load("my_package.adapter:factory")           # doctest: +SKIP
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from depthlimit.models.spec import BadInput
from depthlimit.theory.quantity import Array as Array  # also found here, beside the protocol

Arrays = Mapping[str, Array]
# The `spec` of the protocol: version, d, dout, q, m, L, n, activation, clip, train, rtol.
Network = Mapping[str, Any]

ACCEPTED = "'numpy', 'torch', 'compiled' or 'package.module:factory' (the current directory is searched too)"


class Unsupported(NotImplementedError):
    """Raised for a method, activation or clip that an implementation lacks; its message is the reason."""


class Implementation(Protocol):
    """One network at a time on NumPy arrays; version 1 of the protocol.

    Shapes: params A (q,d), V (L,q,m), W (L,m,q), B (dout,q); x (n,d), y (n,dout); layer k of the paper is
    index k-1. `n` is len(x), not necessarily spec["n"].

    The law: arrays given are fresh, writable, C-contiguous float64 and stay unchanged; arrays returned are
    float64 of the shapes below, any strides. The same call gives the same result up to rounding, whatever was
    called between. Scalings are those of (3)-(5), p. 3-4, loss (1/n) Σ|F(x_i) - y_i|², no normalisation of x
    or y. A method that is missing or raises `NotImplementedError(reason)` is unsupported, which is no
    failure; any other exception fails that case. Attributes name, version, language, device, activations
    (names), clips (kinds) and a method `batch` are optional:

        batch(method, arguments) -> list of results

    with one tuple of arguments per call; its results do not depend on which calls stand together.
    """

    def forward(self, spec: Network, params: Arrays, x: Array) -> Arrays:
        """{"hidden": (L+1,n,q), "output": (n,dout)} of (3)."""
        ...

    def loss(self, spec: Network, params: Arrays, x: Array, y: Array) -> float:
        """(1/n) Σ|F(x_i) - y_i|²."""
        ...

    def gradients(self, spec: Network, params: Arrays, x: Array, y: Array) -> Arrays:
        """{"A","V","W","B"}: the plain ∂ℓ/∂θ, shaped as params."""
        ...

    def velocity(self, spec: Network, params: Arrays, x: Array, y: Array) -> Arrays:
        """{"A","V","W","B"}: the right-hand side of (4) or (5); 0 for blocks not in spec["train"]."""
        ...

    def flow(self, spec: Network, params: Arrays, x: Array, y: Array, times: Array) -> Arrays:
        """{"A": (T,q,d), "V": (T,L,q,m), "W": (T,L,m,q), "B": (T,dout,q), "loss": (T,)} at times.

        params is the state at time 0; times increase strictly from a first one >= 0. Each array's error is at
        most 1e-7 (1e-6 for the kinds coordinate and radial) of its displacement plus 1e-9 of its norm.
        """
        ...

    def neural_ode(self, spec: Network, weights: Arrays, x: Array, s: Array) -> Arrays:
        """{"hidden": (S,n,q), "output": (n,dout)} of (6): H at s, B H(1).

        weights: A, B, and Chebyshev coefficients V (N,q,m), W (N,m,q): V(s) = Σ_j V[j] T_j(2s-1). s increases
        strictly in [0, 1]. Error at most 1e-7 of |H(s) - H(0)|_F plus 1e-9 of |H(s)|_F.
        """
        ...


def load(name: str, device: str = "cpu") -> Any:
    """The implementation of that name, on that device.

    Raises `BadInput` (a ValueError) for a name that is none of those accepted or leads nowhere, and for a
    device that the implementation lacks. What a factory raises is passed on. The result may lack methods: it
    is an `Implementation` as far as it goes.
    """
    if name == "numpy":
        if device != "cpu":
            raise BadInput(f"implementation numpy runs on cpu only, got device {device!r}; torch runs on others")
        from depthlimit.models.reference import NumpyImplementation

        return NumpyImplementation()
    if name == "torch":  # imported here, because importing torch takes seconds
        from depthlimit.models.torch_implementation import TorchImplementation

        return TorchImplementation(device)
    if name == "compiled":  # imported here, because importing numba takes half a second
        if device != "cpu":
            raise BadInput(f"implementation compiled runs on cpu only, got device {device!r}; torch runs on others")
        from depthlimit.models.compiled.implementation import CompiledImplementation

        return CompiledImplementation()
    return _on_device(name, _factory(name)(), device)


def _factory(name: str) -> Any:
    module, _, attribute = name.partition(":")
    parts: Sequence[str] = [*module.split("."), *attribute.split(".")]
    if not all(part.isidentifier() for part in parts):
        raise BadInput(f"implementation {name!r} is unknown; accepted: {ACCEPTED}")
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # the module is there and misses something of its own: its message says more than ours
        raise BadInput(f"implementation {name!r}: no module {error.name!r}; accepted: {ACCEPTED}") from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise BadInput(f"implementation {name!r}: {module!r} has no {attribute!r}; accepted: {ACCEPTED}")
        found = getattr(found, part)
    if not callable(found):
        kind = type(found).__name__
        raise BadInput(f"implementation {name!r} must be a factory, called without arguments; got a {kind}")
    return found


def _on_device(name: str, implementation: Any, device: str) -> Any:
    own = str(getattr(implementation, "device", "cpu"))
    if device != "cpu" and own != device:
        raise BadInput(f"implementation {name!r} runs on {own!r}, got device {device!r}; it chooses its device itself")
    return implementation
