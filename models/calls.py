"""Calls of an implementation: fresh inputs, checked outputs, and misbehaviour named as such.

Every call hands over fresh, writable, C-contiguous float64 copies and checks what comes back: shape, dtype, finiteness, inputs unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from depthlimit.models.implementation import Implementation
from depthlimit.theory.quantity import Array

Params = Mapping[str, Array]


class Misbehaviour(RuntimeError):
    """An implementation's answer breaks the protocol: wrong shape or dtype, non-finite values, inputs changed in place."""


class MethodUnsupported(Exception):
    """The implementation lacks a method, or declined it with a reason."""


def _fresh(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return np.array(value, dtype=np.float64, order="C", copy=True)
    if isinstance(value, Mapping):
        return {k: _fresh(v) for k, v in value.items()}
    return value


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b)
    if isinstance(a, Mapping):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    return bool(a == b)


def _check(method: str, name: str, value: Any, shape: tuple[int, ...]) -> Array:
    if not isinstance(value, np.ndarray):
        raise Misbehaviour(f"{method}: {name} is a {type(value).__name__}, expected a NumPy array of shape {shape}")
    if value.dtype != np.float64:
        raise Misbehaviour(f"{method}: {name} has dtype {value.dtype}, expected float64")
    if value.shape != shape:
        raise Misbehaviour(f"{method}: {name} has shape {value.shape}, expected {shape}")
    if not np.all(np.isfinite(value)):
        raise Misbehaviour(f"{method}: {name} has {np.count_nonzero(~np.isfinite(value))} non-finite values")
    return np.ascontiguousarray(value)


def shapes(method: str, spec: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Shapes that the protocol asks of a method's answer."""
    d, dout, q, m, L = (spec[k] for k in ("d", "dout", "q", "m", "L"))
    n = len(arguments["x"])
    if method == "forward":
        return {"hidden": (L + 1, n, q), "output": (n, dout)}
    if method in ("gradients", "velocity"):
        return {"A": (q, d), "V": (L, q, m), "W": (L, m, q), "B": (dout, q)}
    if method == "flow":
        t = len(arguments["times"])
        return {"A": (t, q, d), "V": (t, L, q, m), "W": (t, L, m, q), "B": (t, dout, q), "loss": (t,)}
    if method == "neural_ode":
        return {"hidden": (len(arguments["s"]), n, q), "output": (n, dout)}
    raise ValueError(f"no such method in the protocol: {method}")


def call(implementation: Implementation, method: str, spec: Mapping[str, Any], **arguments: Any) -> Any:
    """One method of the implementation at fresh copies of the arguments, its answer checked.

    Returns a dict of float64 arrays, or a float for `loss`. Raises `MethodUnsupported` or `Misbehaviour`; any other exception is the
    implementation's own.
    """
    function = getattr(implementation, method, None)
    if function is None:
        raise MethodUnsupported(f"the implementation has no method {method}")
    given_spec, given = _fresh(dict(spec)), {k: _fresh(v) for k, v in arguments.items()}
    try:
        answer = function(given_spec, *given.values())
    except NotImplementedError as error:
        raise MethodUnsupported(f"{method}: {str(error) or 'not implemented'}") from error
    if not _same(given_spec, dict(spec)) or not all(_same(given[k], arguments[k]) for k in given):
        raise Misbehaviour(f"{method}: the implementation changed its inputs in place")
    if method == "loss":
        if isinstance(answer, np.generic | np.ndarray) and (answer.dtype != np.float64 or answer.ndim):
            raise Misbehaviour(f"loss: dtype {answer.dtype} and shape {answer.shape}, expected a float (float64)")
        if not isinstance(answer, float | np.generic | np.ndarray):
            raise Misbehaviour(f"loss: a {type(answer).__name__}, expected a float")
        value = float(answer)
        if not np.isfinite(value):
            raise Misbehaviour(f"loss: {value} is not finite")
        return value
    expected = shapes(method, spec, arguments)
    if not isinstance(answer, Mapping) or not set(expected) <= set(answer):
        keys = sorted(map(str, answer)) if isinstance(answer, Mapping) else type(answer).__name__
        raise Misbehaviour(f"{method}: answered {keys}, expected the keys {sorted(expected)}")
    return {name: _check(method, name, answer[name], shape) for name, shape in expected.items()}
