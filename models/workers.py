"""Where units run: this process or workers, which may crash and hang without taking the run along.

A worker loads the implementation once. It writes down which method it is about to ask, so that whoever finds it dead can have the unit
run again without that method, and keeps apart what the implementation prints.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pebble import ProcessExpired, ProcessFuture, ProcessPool
from threadpoolctl import threadpool_limits

from depthlimit.models import calls
from depthlimit.models.calls import ARGUMENTS, Death, Misbehaviour
from depthlimit.models.check import THREADS, check
from depthlimit.models.data import stored
from depthlimit.models.implementation import load
from depthlimit.models.printed import Printed, last_words
from depthlimit.models.server import start_server
from depthlimit.models.spec import BadInput, Spec
from depthlimit.theory.record import line
from depthlimit.theory.registry import claims

if TYPE_CHECKING:
    from depthlimit.models.verify import Plan

_NOTE = 24  # characters of the name of a method
_PRINTED, _REFUSED = ".printed", "refused.json"
FACTORY, STARTING = "factory", 60.0  # what makes the implementation, named like a method, and the seconds that it may take in any case
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

    In a file of its own in `notes` it writes down what it is about to ask, for whoever finds it dead, and in another what that prints.
    """
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(THREADS)
    gc.freeze()  # what was imported stays: no collection need look through it again
    wanted = set(ids)
    _WORKER.clear()
    _WORKER.update(named=implementation, selected=[c for c in claims() if c.id in wanted], arrays=stored(Path(arrays)))
    if notes is None:
        calls.watch(timeout)
        return
    note = Path(notes) / str(os.getpid())
    handle = os.open(note, os.O_CREAT | os.O_WRONLY)
    printed = Printed(note.with_suffix(_PRINTED))
    _WORKER.update(printed=printed, refused=Path(notes) / _REFUSED)

    def around(method: str) -> contextlib.AbstractContextManager[None]:
        os.pwrite(handle, method.ljust(_NOTE).encode(), 0)
        return printed.during(method)

    calls.watch(timeout, around, fatal=True)


def loaded() -> Any:
    """The implementation of this worker, made when it is first asked for; what its factory raises is passed on."""
    if "implementation" not in _WORKER:
        name, device, methods = _WORKER["named"]
        with calls.limited(FACTORY, STARTING):
            found = load(name, device)
        _WORKER["implementation"] = _Only(found, methods) if methods else found
    return _WORKER["implementation"]


def tried(plan: Plan) -> str:
    """Why the implementation of a plan cannot be made, found out in a process of its own; empty if it can."""
    with Pool(replace(plan, workers=1, isolated=True), Path()) as pool:
        return str(pool.surviving(_trouble)())


def _trouble(fatal: Mapping[str, Death]) -> str:
    try:
        with calls.without(fatal):
            loaded()
    except (BadInput, Misbehaviour) as error:
        last = fatal[FACTORY].printed if FACTORY in fatal else ""
        return f"{error}\n{last}".strip()
    except BaseException as error:  # whatever the factory raises, and of a class that another process need not know
        return f"{FACTORY}: {type(error).__name__}: {error}"
    return ""


def single_threaded() -> contextlib.AbstractContextManager[Any]:
    """One thread in BLAS, OpenMP and torch. torch keeps its own count, set only if torch is loaded."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(THREADS)
    limits: contextlib.AbstractContextManager[Any] = threadpool_limits(limits=THREADS)
    return limits


def check_here(
    spec_json: dict[str, Any], ids: Sequence[str] | None, fatal: Mapping[str, Death]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Records, curves and what was printed on one Spec, by the claims of the plan or those named.

    fatal: methods that ended the process on this Spec before. One that hung on `PATIENCE` others so that it had to is not asked again.
    """
    wanted = set(ids or ())
    selected = _WORKER["selected"] if ids is None else [c for c in claims() if c.id in wanted]
    spec, printed, refused = Spec.model_validate(spec_json), _WORKER.get("printed"), dict(fatal)
    if printed is not None and _WORKER["refused"].exists():
        refused = {k: Death(*v) for k, v in json.loads(_WORKER["refused"].read_text()).items()} | refused
    with single_threaded(), calls.without(refused), contextlib.nullcontext() if printed is None else printed.of_unit():
        records, curves = check(spec, loaded(), _WORKER["arrays"], selected)
    heard = {method: {"calls": 1, "text": death.printed} for method, death in fatal.items() if death.printed}
    heard |= {} if printed is None else printed.heard
    return records, curves, [{"spec": spec.digest(), "method": method, **words} for method, words in heard.items()]


def work(index: int, spec_json: dict[str, Any], fatal: Mapping[str, Death]) -> tuple[int, list[str], list[str], list[str]]:
    """One unit: records, curves and what was printed, as lines."""
    records, *more = check_here(spec_json, None, fatal)
    curves, printed = ([line({"unit": index, **item}) for item in items] for items in more)
    return index, [line(r) for r in records], curves, printed


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
        self._hung: Counter[str] = Counter()

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
                self._pool = ProcessPool(self._workers, initializer=_start, initargs=setup, context=start_server(self._setup[0][0]))
            future = self._pool.schedule(function, args=arguments)
        future.add_done_callback(self._mourn)
        self._futures.append(future)
        return future.result

    def surviving(self, function: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
        """`submit` for a function whose last argument is what methods ended a process (see `calls.without`).

        It is called again without the method of which a process died. Raises `ProcessExpired` if it died of something else.
        """
        waiting, fatal = self.submit(function, *arguments, {}), dict[str, Death]()

        def result() -> Any:
            nonlocal waiting
            while True:
                try:
                    return waiting()
                except ProcessExpired as death:
                    method, cause = self._autopsy(death)
                    if not method or method in fatal:
                        raise
                    fatal[method] = cause
                    waiting = self.submit(function, *arguments, fatal)

        return result

    def _autopsy(self, death: ProcessExpired) -> tuple[str, Death]:
        """The method that a worker had been asked for when it died, empty if none, and of what."""
        note = Path(self._notes.name) / str(death.pid)
        method = note.read_text().strip() if note.exists() else ""
        seconds = STARTING if method == FACTORY else self._setup[1]
        return method, calls.epitaph(death.exitcode, seconds, last_words(note.with_suffix(_PRINTED)))

    def _mourn(self, future: Future[Any]) -> None:
        """Have a method that hung too often not asked again, by the next process already: each time costs the timeout."""
        error = None if future.cancelled() else future.exception()
        method, death = self._autopsy(error) if isinstance(error, ProcessExpired) else ("", Death("", ""))
        self._hung[method] += death.kind == "hang"
        if death.kind == "hang" and self._hung[method] == calls.PATIENCE:
            path = Path(self._notes.name) / _REFUSED
            before = json.loads(path.read_text()) if path.exists() else {}
            said = f"{death.message}, {calls.PATIENCE} times; not asked again"
            temporary = path.with_suffix(".tmp")
            temporary.write_text(json.dumps({**before, method: Death(death.kind, said)}))
            os.replace(temporary, path)
