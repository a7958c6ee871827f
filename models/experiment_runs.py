"""Runs of an experiment in a folder, one file per depth: what is there already is not run again.

Who has nothing to do while the reference is trained trains a network that waits for it, and leaves its states for what comes later.
"""

from __future__ import annotations

import csv
import json
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from depthlimit.models.experiment import Experiment, State, states, units
from depthlimit.models.experiment_measures import Curve, Row, curve, rows_of, to_json
from depthlimit.models.spec import BadInput
from depthlimit.models.workers import single_threaded

Progress = Callable[[str], None]


def file_of(case: Experiment, L: int, folder: Path) -> Path:
    """Where the rows of one depth lie; of the reference its curve, also that of the limit, L = 0."""
    way, name = "flow" if case.flow else "descent", "fig1-right" if case.figure == "limit" else case.figure  # of the same networks
    return folder / "runs" / f"{name}-{case.network}-{way}-L{L}.{'npz' if case.reference == L else 'json'}"


def states_file(case: Experiment, L: int, folder: Path) -> Path:
    """Where the states of a network lie that waits for its reference."""
    return file_of(case, L, folder).with_suffix(".states.npz")


def _settings(case: Experiment) -> str:
    return json.dumps({k: v for k, v in case.to_json().items() if k != "figure"}, sort_keys=True)


def done(case: Experiment, L: int, folder: Path) -> bool:
    """Whether that depth has been run. BadInput if it was with other settings."""
    return _kept(case, file_of(case, L, folder))


def _kept(case: Experiment, path: Path) -> bool:
    if not path.exists():
        return False
    try:
        kept = str(np.load(path)["settings"]) if path.suffix == ".npz" else json.loads(path.read_text())["settings"]
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{path}: cannot be read ({error}); remove it to have that depth run again") from None
    if kept != _settings(case):
        raise BadInput(f"{path}: was run with other settings; use another --out, or remove {path.parent}")
    return True


def one(case: Experiment, L: int, folder: Path) -> float:
    """Run one depth and keep what was measured; its seconds. What is cut short leaves no file."""
    begun, states_of = time.monotonic(), states_file(case, L, folder)
    with single_threaded(), _writing(file_of(case, L, folder)) as path:
        if case.reference == L:
            np.savez(path, settings=np.array(_settings(case)), **to_json(curve(case)))
        else:
            limit = None if case.reference is None else read_curve(case, folder)
            along = read_states(case, states_of) if _kept(case, states_of) else states(case, L)
            path.write_text(json.dumps({"settings": _settings(case), "rows": rows_of(case, L, along, limit)}))
    states_of.unlink(missing_ok=True)
    return time.monotonic() - begun


def ahead(case: Experiment, L: int, folder: Path) -> float:
    """Train a network and keep what `one` will measure; the seconds of it."""
    begun = time.monotonic()
    with single_threaded(), _writing(states_file(case, L, folder)) as path:
        found = [(s.iteration, s.loss, s.scaled["V"].copy(), s.scaled["W"].copy()) for s in states(case, L) if s.iteration in case.saved]
        iteration, loss, V, W = map(np.array, zip(*found, strict=True))
        np.savez(path, settings=np.array(_settings(case)), iteration=iteration, loss=loss, V=V, W=W)
    return time.monotonic() - begun


@contextmanager
def _writing(path: Path) -> Iterator[Path]:
    """Where to write what becomes the file when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cut = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield cut
        cut.replace(path)
    finally:
        cut.unlink(missing_ok=True)


def read_states(case: Experiment, path: Path) -> Iterator[State]:
    """What was trained ahead."""
    kept = np.load(path)
    for i, loss, V, W in zip(kept["iteration"], kept["loss"], kept["V"], kept["W"], strict=True):
        yield State(int(i), {"V": V, "W": W}, float(loss), units(case))


def read_curve(case: Experiment, folder: Path) -> Curve:
    """What the reference left."""
    assert case.reference is not None
    kept = np.load(file_of(case, case.reference, folder))
    return Curve(int(kept["layers"]), {k: kept[k] for k in "VW"}, float(kept["error"]))


def read_rows(case: Experiment, folder: Path) -> list[Row]:
    """The rows of all depths."""
    return [Row(*row) for L in case.depths for row in json.loads(file_of(case, L, folder).read_text())["rows"]]


def _now(function: Callable[..., float], *arguments: Any) -> Future[float]:
    """What an executor's `submit` does, in this process and at once."""
    done_now: Future[float] = Future()
    try:
        done_now.set_result(function(*arguments))
    except Exception as error:
        done_now.set_exception(error)
    return done_now


def run(cases: Sequence[Experiment], folder: Path, workers: int, tell: Progress) -> None:
    """Run what is missing, deepest first, in that many processes; networks that are compared with a reference wait for it.

    Raises BadInput for a folder of other settings, and RuntimeError if a process dies: what was complete is kept.
    """
    jobs = {file_of(c, L, folder): (c, L) for c in cases for L in (*c.depths, *(() if c.reference is None else (c.reference,)))}
    pending = sorted(jobs.values(), key=lambda job: -(job[1] or math.inf) * job[0].iterations)
    pending = [job for job in pending if not done(*job, folder)]
    total = len(pending)
    running: dict[Future[float], tuple[Experiment, int, bool]] = {}
    with ExitStack() as stack:
        submit = stack.enter_context(ProcessPoolExecutor(workers, mp_context=get_context("spawn"))).submit if workers > 1 else _now
        while pending or running:
            ready = [(c, L) for c, L in pending if c.reference in (L, None) or done(c, c.reference, folder)]
            early = [job for job in pending if job not in ready and not _kept(job[0], states_file(*job, folder))]
            for case, L in [*ready, *early][: workers - len(running)]:
                pending.remove((case, L))
                waits = (case, L) in early
                running[submit(ahead if waits else one, case, L, folder)] = case, L, waits
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                case, L, waits = running.pop(future)
                try:
                    seconds = future.result()
                except Exception as error:
                    raise RuntimeError(f"{case.figure}, L = {L}: {error}. Complete depths are kept; the same command continues") from error
                pending += [(case, L)] * waits
                name = f"{case.figure} {f'L = {L}' if L else 'limit'}{' waits for its reference' * waits}"
                tell(f"{total - len(pending) - len(running)}/{total} {name}: {seconds:.1f} s")


def write_csv(path: Path, comments: Sequence[str], header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A CSV file whose first lines are comments that begin with #."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        file.writelines(f"# {text}\n" for text in comments)
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(["" if v is None else repr(v) if isinstance(v, float) else v for v in row] for row in rows)
