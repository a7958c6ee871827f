"""Where units run: this process or workers, which may crash and hang without taking the run along.

A worker loads the implementation and the selected claims once. It writes down which method it is about to ask, so that whoever finds it
dead can have the unit run again without that method.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import forkserver
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pebble import ProcessExpired, ProcessFuture, ProcessPool
from threadpoolctl import threadpool_limits

from depthlimit.models import calls
from depthlimit.models.calls import ARGUMENTS
from depthlimit.models.check import THREADS, check
from depthlimit.models.data import stored
from depthlimit.models.implementation import load
from depthlimit.models.spec import Spec
from depthlimit.theory.record import line
from depthlimit.theory.registry import claims

if TYPE_CHECKING:
    from depthlimit.models.verify import Plan

_NOTE = 24  # characters of the name of a method


_WORKER: dict[str, Any] = {}


class _Only:
    """An implementation with some of its methods."""

    def __init__(self, implementation: Any, methods: Sequence[str]) -> None:
        self._all, self._methods = implementation, methods

    def __getattr__(self, name: str) -> Any:
        if name in (*ARGUMENTS, "batch") and name not in self._methods:
            raise AttributeError(name)
        return getattr(self._all, name)


def _start(implementation: tuple[str, str, list[str]], timeout: float | None, ids: list[str], arrays: str, notes: str | None) -> None:
    """Initialise a worker: one thread, one implementation (name, device, methods), the selected claims.

    In a file of its own in `notes` it writes down what it is about to ask, for whoever finds it dead.
    """
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(THREADS)
    wanted = set(ids)
    name, device, methods = implementation
    found = load(name, device)
    _WORKER.update(
        implementation=_Only(found, methods) if methods else found,
        selected=[c for c in claims() if c.id in wanted],
        arrays=stored(Path(arrays)),
    )
    if notes is None:
        calls.watch(timeout)
    else:
        handle = os.open(Path(notes) / str(os.getpid()), os.O_CREAT | os.O_WRONLY)
        calls.watch(timeout, lambda method: os.pwrite(handle, method.ljust(_NOTE).encode(), 0), fatal=True)


def loaded() -> Any:
    """The implementation of this worker."""
    return _WORKER["implementation"]


def single_threaded() -> contextlib.AbstractContextManager[Any]:
    """One thread in BLAS, OpenMP and torch. torch keeps its own count, set only if torch is loaded."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(THREADS)
    limits: contextlib.AbstractContextManager[Any] = threadpool_limits(limits=THREADS)
    return limits


def work(index: int, spec_json: dict[str, Any], fatal: dict[str, tuple[str, str]]) -> tuple[int, list[str], list[str]]:
    """Records and curves of one unit as lines. `fatal`: methods that ended the process on this unit before, with kind and message."""
    with single_threaded(), calls.without(fatal):
        records, curves = check(Spec.model_validate(spec_json), _WORKER["implementation"], _WORKER["arrays"], _WORKER["selected"])
    return index, [line(r) for r in records], [line({"unit": index, **c}) for c in curves]


def start_server() -> BaseContext:
    """The server that worker processes are forked from; it imports what they need, once, while the caller goes on planning.

    It never touches a device and starts no threads, so that forking it is safe. It and its children inherit that SIGINT is blocked: an
    interruption from the keyboard is left to the process that waits for them.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "depthlimit.models.verify", "depthlimit.conformance.faults"])
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # an interruption now comes when it is unblocked here
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
    return context


@contextlib.contextmanager
def interrupted_after() -> Iterator[None]:
    """Hold an interruption back until the block ends: a process cut off while it starts another leaves that one without its locks."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    held: list[Any] = []
    before = signal.signal(signal.SIGINT, lambda *arguments: held.append(arguments))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if held and callable(before):
        before(*held[0])


class Pool:
    """Where units run: worker processes, or this one if there is only one worker. Processes start with the first call.

    with Pool(plan, out) as pool: result = pool.submit(function, *arguments)()
    """

    def __init__(self, plan: Plan, out: Path) -> None:
        self._workers, self._isolated = plan.workers, plan.isolated
        self._notes = tempfile.TemporaryDirectory()
        implementation = plan.implementation, plan.device, plan.methods
        self._setup = (implementation, plan.timeout, [c.id for c in plan.selected], str(out / "arrays"))
        self._pool: ProcessPool | None = None
        self._futures: list[ProcessFuture[Any]] = []
        self._started = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            for future in self._futures:
                if not future.running():
                    future.cancel()  # type: ignore[no-untyped-call]
            self._pool.close()  # type: ignore[no-untyped-call]
            try:
                self._pool.join()  # after an interruption: the units under way end first
            except KeyboardInterrupt:  # a second interruption: they do not
                self.stop()
                raise
        self._notes.cleanup()

    def stop(self) -> None:
        """End the workers with whatever they are doing."""
        if self._pool is not None:
            self._pool.stop()  # type: ignore[no-untyped-call]
            self._pool.join()

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
        """What gives the result when called: waits for a worker, or computes it. Raises `ProcessExpired` if the worker dies of it."""
        if self._workers == 1 and not self._isolated:
            if not self._started:
                _start(*self._setup, None)
                self._started = True
            return lambda: function(*arguments)
        with interrupted_after():
            if self._pool is None:
                setup = (*self._setup, self._notes.name)
                self._pool = ProcessPool(self._workers, initializer=_start, initargs=setup, context=start_server())
            future = self._pool.schedule(function, args=arguments)
        self._futures.append(future)
        return future.result

    def asked_last(self, death: ProcessExpired) -> str:
        """The method that a worker had been asked for when it died; empty if none."""
        note = Path(self._notes.name) / str(death.pid)
        return note.read_text().strip() if note.exists() else ""
