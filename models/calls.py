"""Calls of an implementation: fresh inputs, checked outputs, and misbehaviour named as such.

Every call hands over fresh, writable, C-contiguous float64 copies and checks what comes back: shape, dtype, finiteness, inputs unchanged.
Whatever else the implementation does wrong becomes a `Misbehaviour` too, so that no error of ours is taken for one of its own.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from typing import Any, ClassVar, NamedTuple

import numpy as np

from depthlimit.models.implementation import Implementation
from depthlimit.theory.quantity import Array

Params = Mapping[str, Array]
ARGUMENTS = {
    "forward": ("params", "x"),
    **dict.fromkeys(("loss", "gradients", "velocity"), ("params", "x", "y")),
    "flow": ("params", "x", "y", "times"),
    "neural_ode": ("weights", "x", "s"),
}
PATIENCE = 3
_LATE = 1  # the status with which faulthandler ends a process
KINDS = ("exception", "hang", "crash", "inputs changed", "wrong type", "wrong shape", "wrong dtype", "non-finite")


class Misbehaviour(RuntimeError):
    """An implementation breaks the protocol. `method` and `kind` (one of `KINDS`) stand in front of the message."""

    def __init__(self, method: str, kind: str, message: str) -> None:
        super().__init__(f"{method}: {kind}: {message}")
        self.method, self.kind = method, kind


class Death(NamedTuple):
    """Of what a process died in a method: kind and message of the misbehaviour, and what the method printed before."""

    kind: str
    message: str
    printed: str = ""


class MethodUnsupported(Exception):
    """The implementation lacks a method, or declined it with a reason."""


class _Late(BaseException):
    """Raised by the alarm; no `except Exception` of an implementation swallows it."""


class _Watch:
    """Settings of the process, made by whoever runs it; see `watch` and `without`."""

    seconds: float | None = None
    around: Callable[[str], AbstractContextManager[object]] = nullcontext
    fatal = False
    refused: ClassVar[Mapping[str, Death]] = {}
    late: ClassVar[Counter[str]] = Counter()


def watch(seconds: float | None, around: Callable[[str], AbstractContextManager[object]] = nullcontext, fatal: bool = False) -> None:
    """Stop calls after so many seconds, where Python can (in the main thread, and not inside compiled code).

    around: given a method, the context of its call. fatal: what cannot be stopped so ends the process, a second later. A method that was
    late `PATIENCE` times is not asked again.
    """
    _Watch.seconds, _Watch.around, _Watch.fatal = seconds, around, fatal
    _Watch.late.clear()


@contextmanager
def without(methods: Mapping[str, Death]) -> Iterator[None]:
    """Within the block these methods are not asked; each is answered for by what is known of it."""
    before, _Watch.refused = _Watch.refused, methods
    try:
        yield
    finally:
        _Watch.refused = before


@contextmanager
def unlimited() -> Iterator[None]:
    """Within the block calls take as long as they take and none is refused: they are of implementations of ours."""
    seconds, around, refused = _Watch.seconds, _Watch.around, _Watch.refused
    _Watch.seconds, _Watch.around, _Watch.refused = None, nullcontext, {}
    try:
        yield
    finally:
        _Watch.seconds, _Watch.around, _Watch.refused = seconds, around, refused


def epitaph(status: int, seconds: float | None, printed: str = "") -> Death:
    """Of a process that ended with that status, negative for a signal, in a method that had printed something."""
    if status == _LATE and seconds is not None:
        return Death("hang", f"no answer within {seconds:g} s, and it could not be stopped", printed)
    how = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
    return Death("crash", f"the process ended with {how}", printed)


@contextmanager
def limited(method: str, least: float = 0.0) -> Iterator[None]:
    """What a method does within the block is watched: refused if it is known to end processes, stopped after the time that it may take.

    least: so many seconds in any case.
    """
    if method in _Watch.refused:
        raise Misbehaviour(method, _Watch.refused[method].kind, _Watch.refused[method].message)
    with _Watch.around(method), _timed(method, least):
        yield


@contextmanager
def _timed(method: str, least: float) -> Iterator[None]:
    if _Watch.seconds is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    seconds = max(_Watch.seconds, least)
    if _Watch.late[method] == PATIENCE:
        raise Misbehaviour(method, "hang", f"no answer within {seconds:g} s, {PATIENCE} times; not asked again")

    def late(*_: object) -> None:
        raise _Late

    previous = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    if _Watch.fatal:  # a thread of its own, which needs nothing of the interpreter
        faulthandler.dump_traceback_later(seconds + 1, exit=True, file=_nowhere())
    try:
        yield
    except _Late:
        _Watch.late[method] += 1
        raise Misbehaviour(method, "hang", f"no answer within {seconds:g} s") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        if _Watch.fatal:
            faulthandler.cancel_dump_traceback_later()


@cache
def _nowhere() -> Any:
    return open(os.devnull, "w")  # held for the life of the process: faulthandler writes to its descriptor


def _fresh(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return np.array(value, dtype=np.float64, order="C", copy=True)
    if isinstance(value, Mapping):
        return {k: _fresh(v) for k, v in value.items()}
    return value


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and b.dtype == np.float64 and np.array_equal(a, b)
    if isinstance(a, Mapping):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    return bool(a == b)


def _check(method: str, name: str, value: Any, shape: tuple[int, ...]) -> Array:
    if not isinstance(value, np.ndarray):
        raise Misbehaviour(method, "wrong type", f"{name} is a {type(value).__name__}, expected a NumPy array of shape {shape}")
    if value.dtype != np.float64:
        raise Misbehaviour(method, "wrong dtype", f"{name} has dtype {value.dtype}, expected float64")
    if value.shape != shape:
        raise Misbehaviour(method, "wrong shape", f"{name} has shape {value.shape}, expected {shape}")
    if not np.all(np.isfinite(value)):
        raise Misbehaviour(method, "non-finite", f"{name} has {np.count_nonzero(~np.isfinite(value))} non-finite values")
    return np.array(value, order="C")  # ours: an implementation may go on using its own


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

    Returns a dict of float64 arrays, or a float for `loss`. Raises `MethodUnsupported` or `Misbehaviour`.
    """
    given = (dict(spec), *(arguments[name] for name in ARGUMENTS[method]))
    return _checked(method, given, _asked(implementation, method, method, (given,), lambda function, calls: [function(*calls[0])])[0])


def batch(implementation: Any, method: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
    """`call` for each tuple of positional arguments (spec first), through the implementation's `batch`."""
    name = f"batch of {method}"
    answers = _asked(implementation, "batch", name, arguments, lambda function, calls: function(method, calls))
    if not isinstance(answers, list | tuple) or len(answers) != len(arguments):
        found = f"{len(answers)} answers" if isinstance(answers, list | tuple) else f"a {type(answers).__name__}"
        raise Misbehaviour(name, "wrong type", f"{found}, expected a list of {len(arguments)}")
    return [_checked(method, given, answer) for given, answer in zip(arguments, answers, strict=True)]


def _asked(implementation: Any, attribute: str, name: str, calls: Sequence[tuple[Any, ...]], how: Callable[[Any, list[Any]], Any]) -> Any:
    """What a method answers to fresh copies of the arguments of some calls, which it must not change; `name` is said of misbehaviour."""
    function = getattr(implementation, attribute, None)
    if function is None:
        raise MethodUnsupported(f"the implementation has no method {attribute}")
    fresh = [tuple(_fresh(a) for a in arguments) for arguments in calls]
    try:
        with limited(name):
            answer = how(function, list(fresh))
    except NotImplementedError as error:
        raise MethodUnsupported(f"{name}: {str(error) or 'not implemented'}") from error
    except (Misbehaviour, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        raise Misbehaviour(name, "exception", f"{type(error).__name__}: {error}") from error
    for was, now in zip(calls, fresh, strict=True):
        if not all(_same(a, b) for a, b in zip(was, now, strict=True)):
            raise Misbehaviour(name, "inputs changed", "the implementation changed its arguments in place")
    return answer


def _checked(method: str, given: tuple[Any, ...], answer: Any) -> Any:
    spec, arguments = given[0], dict(zip(ARGUMENTS[method], given[1:], strict=True))
    if method == "loss":
        if isinstance(answer, np.generic | np.ndarray) and answer.dtype != np.float64:
            raise Misbehaviour(method, "wrong dtype", f"dtype {answer.dtype}, expected a float (float64)")
        if isinstance(answer, np.ndarray) and answer.ndim:
            raise Misbehaviour(method, "wrong shape", f"shape {answer.shape}, expected a float")
        if not isinstance(answer, float | np.generic | np.ndarray):
            raise Misbehaviour(method, "wrong type", f"a {type(answer).__name__}, expected a float")
        value = float(answer)
        if not np.isfinite(value):
            raise Misbehaviour(method, "non-finite", f"{value}")
        return value
    expected = shapes(method, spec, arguments)
    if not isinstance(answer, Mapping) or not set(expected) <= set(answer):
        keys = sorted(map(str, answer)) if isinstance(answer, Mapping) else type(answer).__name__
        raise Misbehaviour(method, "wrong type", f"answered {keys}, expected the keys {sorted(expected)}")
    return {name: _check(method, name, answer[name], shape) for name, shape in expected.items()}
