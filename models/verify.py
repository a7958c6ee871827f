"""verify: plan the Specs, run them on workers, write a run folder that can be resumed.

    plan.jsonl      one {"origin", "spec"} a line, written and synced first: corpus, generated, data, spec
    arrays/         arrays of user data, named by SHA-256
    records.jsonl   written unit by unit (one Spec = one unit) in the order of the plan, whatever finished first
    curves.jsonl    lines for plots;  printed.jsonl   what an implementation printed in its calls, if it did
    run.json        identity, times, faults, what could be detected;  summary.json   counts and, per claim, verdict and worst tightness
    constants.json  the constants of the claims on the first Spec of each regime

A unit has a known number of records, so a folder tells by itself how far it got: on resume a cut line and an incomplete unit are dropped.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from depthlimit import __version__
from depthlimit.models import detectable
from depthlimit.models.check import applicable
from depthlimit.models.constants import tables
from depthlimit.models.corpus import WITNESSES, corpus
from depthlimit.models.data import ArrayStore, stored
from depthlimit.models.implementation import load
from depthlimit.models.server import OURS
from depthlimit.models.spec import BadInput, Spec
from depthlimit.models.userdata import UserData
from depthlimit.models.workers import Pool, single_threaded, work
from depthlimit.theory import judgement as J
from depthlimit.theory.claim import Claim
from depthlimit.theory.record import claim_id, summarise, unexpected
from depthlimit.theory.registry import claims

PAPER = "arXiv:2309.01213v3"
PROFILES = {"quick": "dev", "standard": "ci", "deep": "nightly"}
COUNTS = {  # generated Specs per regime
    "quick": {
        **{"plain-flow": 3, "clipped-flow": 3, "euler-scheme": 1, "general-euler": 2, "local-pl": 1, "general-flow": 3},
        **{"random-matrix": 1, "kernel-matrix": 1, "relu": 1, "network": 10, "pl-ball": 2, "general-long": 1},
        "family": 1,
    },
    "standard": {
        **{"plain-flow": 80, "clipped-flow": 80, "euler-scheme": 10, "general-euler": 40, "local-pl": 20, "general-flow": 80},
        **{"random-matrix": 10, "kernel-matrix": 10, "relu": 10, "network": 500, "pl-ball": 40, "general-long": 40},
        "family": 40,
    },
    "deep": {
        **{"plain-flow": 3000, "clipped-flow": 3000, "euler-scheme": 200, "general-euler": 1000, "local-pl": 400, "general-flow": 3000},
        **{"random-matrix": 200, "kernel-matrix": 200, "relu": 200, "network": 100_000, "pl-ball": 1000, "general-long": 1000},
        "family": 1000,
    },
}
_AHEAD = 64  # by so many units at most does the work run ahead of the records, so that an interruption loses no more
EXPECTED, FAILED, BAD_INPUT, UNDECIDED, INTERRUPTED = 0, 1, 2, 3, 130
_IDENTITY = ("paper", "version", "profile", "seed", "implementation", "device", "methods", "only", "data", "versions")


@dataclass(frozen=True)
class Unit:
    """One Spec and where it comes from."""

    spec: Spec
    origin: str

    def line(self) -> str:
        """The unit's line of plan.jsonl."""
        return json.dumps({"origin": self.origin, "spec": self.spec.to_json()}, separators=(",", ":")) + "\n"


@dataclass
class Plan:
    """What to run and how; `units` in the order in which records are written.

    Args:
        methods: those of the implementation that may be asked; none named, all of them.
        timeout: seconds that one call may take.
        isolated: even a single worker is a process of its own, which may crash.
        fail_fast: end with the first unit that is not as registered.
    """

    units: list[Unit]
    selected: list[Claim]
    profile: str = "quick"
    seed: int = 0
    implementation: str = "compiled"
    device: str = "cpu"
    workers: int = 1
    only: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    data: UserData | None = None
    arrays: ArrayStore = field(default_factory=ArrayStore)
    methods: list[str] = field(default_factory=list)
    timeout: float | None = None
    isolated: bool = False
    fail_fast: bool = False


def select(only: Sequence[str]) -> list[Claim]:
    """The claims that --only names; BadInput if one names nothing."""
    try:
        return claims(*only)
    except KeyError as error:
        known = ", ".join(dict.fromkeys(c.label.split(".")[0] for c in claims()))
        raise BadInput(f"--only {error.args[0]}: no claim has this id, label or prefix; prefixes are {known}") from None


def data_units(data: UserData, seed: int, arrays: ArrayStore) -> list[Unit]:
    """The regimes on real data: both flows, a ladder in depth, and a certificate (labels scaled to what it admits)."""
    n, d = data.x.shape
    dout = data.y.shape[1]
    q = d + dout
    digest = arrays.add({"x": data.scaled(q), "y": data.y})
    common = {
        "d": d,
        "dout": dout,
        "q": q,
        "n": n,
        "L": 16,
        "m": 16,
        "init": {"kind": "paper", "seed": seed},
        "data": {"kind": "arrays", "arrays": {"sha256": digest, "source": data.description["source"]}},
        "times": (0.0, 0.25, 0.5, 0.75, 1.0),
    }
    values: list[dict[str, Any]] = [
        {**common, "regime": {"kind": "plain-flow"}},
        {**common, "regime": {"kind": "clipped-flow"}, "clip": {"kind": "smooth", "radius": 0.25}},
        {**common, "regime": {"kind": "depth-ladder", "depths": (8, 16, 32, 64)}, "rtol": 1e-11, "times": (0.0, 0.5, 1.0)},
        {
            **common,
            "regime": {"kind": "local-pl", "fraction": 0.25, "points": 4},
            "m": 8 * n,
            "L": 4,
            "T": 0.5,
            "times": (0.0, 0.25, 0.5),
            "activation": {"name": "one_minus_cos", "a": 3.0, "b": 1.5},
        },
    ]
    return [Unit(Spec.model_validate(v), "data") for v in values]


def make_plan(
    *,
    profile: str = "quick",
    seed: int = 0,
    only: Sequence[str] = (),
    specs: Sequence[Spec] = (),
    data: UserData | None = None,
    arrays: ArrayStore | None = None,
    implementation: str = "compiled",
    device: str = "cpu",
    workers: int = 1,
    command: Sequence[str] = (),
    counts: Mapping[str, int] | None = None,
    trusted: bool = True,
) -> Plan:
    """The plan of a run: the given Specs, or the corpus, the profile's generated Specs and the user's data. Raises BadInput.

    counts: generated Specs per regime, in place of the profile's. trusted: the implementation is made here, to see whether it can be.
    """
    if profile not in PROFILES:
        raise BadInput(f"--profile {profile}: accepted are {', '.join(PROFILES)}")
    if trusted and not (implementation in OURS and device == "cpu"):  # these cannot fail, and torch takes seconds
        load(implementation, device)  # a name that leads nowhere is bad input, before anything is written
    selected = select(only)
    store = arrays if arrays is not None else ArrayStore()
    if specs:
        units = [Unit(s, "spec") for s in specs]
    else:
        from depthlimit.models.strategies import draw

        units = [Unit(s, "corpus") for s in corpus(profile)]
        wanted = {regime for c in selected for regime in c.regimes}
        for kind, count in (COUNTS[profile] if counts is None else counts).items():
            if kind in wanted and count:
                units += [Unit(s, "generated") for s in draw(kind, count, seed)]
    if data is not None:
        units += data_units(data, seed, store)
    units = [u for u in units if applicable(u.spec, selected)]
    return Plan(units, selected, profile, seed, implementation, device, workers, list(only), list(command), data, store)


# --- running


def cost(spec: Spec) -> float:
    """A rough relative cost, to start long units first: steps times layers, more for clips with kinks."""
    depths: Sequence[int] = getattr(spec.regime, "depths", (spec.L,))
    light = (
        *("iid-ladder", "euler-scheme", "euler-ladder", "random-matrix", "kernel-matrix", "relu", "relu-ladder", "counterexamples"),
        *("general-long", "descent"),
    )
    if spec.regime.kind in light:
        return float(sum(depths))
    if spec.regime.kind in ("general-euler", "network", "pl-ball", "family", "limit-map"):
        return float(spec.L)
    kinks = 8 if spec.clip is not None and spec.clip.kind == "coordinate" else 1
    return kinks * sum(depths) * (50.0 + spec.n * spec.m * spec.q / 100) * (1 + spec.T)


def execute(plan: Plan, todo: Sequence[int], pool: Pool) -> Iterator[tuple[int, list[str], list[str], list[str]]]:
    """Results of the units `todo`, in that order; with several workers the longest of each `_AHEAD` start first."""
    order = todo if plan.workers == 1 or plan.fail_fast else sorted(todo, key=lambda i: (i // _AHEAD, -cost(plan.units[i].spec)))
    results = {i: pool.surviving(work, i, plan.units[i].spec.to_json()) for i in order}
    for i in todo:
        yield results.pop(i)()


# --- the run folder


def _versions() -> dict[str, str]:
    packages = ("numpy", "scipy", "sympy", "python-flint", "torch", "hypothesis")
    return {"python": platform.python_version(), **{p: version(p) for p in packages}}


def identity(plan: Plan) -> dict[str, Any]:
    """run.json of a plan that has just started."""
    return {
        "paper": PAPER,
        "version": __version__,
        "command": plan.command,
        "profile": plan.profile,
        "seed": plan.seed,
        "implementation": plan.implementation,
        "device": plan.device,
        "methods": plan.methods,
        "workers": plan.workers,
        "versions": _versions(),
        "started": _now(),
        "finished": None,
        "data": None if plan.data is None else {**plan.data.description, "description": plan.data.description["sentences"]},
        "only": plan.only,
        "skipped": []
        if plan.device == "cuda"
        else [{"what": "the same checks on CUDA", "reason": "the run asked for the CPU; use --device cuda"}],
        "faults": None,
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def write_json(path: Path, value: Any) -> None:
    """Write JSON through a temporary file, so that an interruption leaves the old one."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")
    os.replace(temporary, path)


def read_lines(path: Path) -> list[str]:
    """Complete lines of a file; a last line without newline is dropped."""
    text = path.read_text() if path.exists() else ""
    lines = text.splitlines(keepends=True)
    return lines if not lines or lines[-1].endswith("\n") else lines[:-1]


def _sync(handle: Any) -> None:
    handle.flush()
    os.fsync(handle.fileno())


def prepare(plan: Plan, out: Path, resume: bool) -> int:
    """Make the folder, or check that it holds the same plan; returns how many units are complete. Raises BadInput."""
    plan_text = "".join(u.line() for u in plan.units)
    existing = out.exists() and any(out.iterdir()) if out.is_dir() or not out.exists() else None
    if existing is None:
        raise BadInput(f"--out {out}: is a file; give a folder")
    if not existing:
        if resume:
            raise BadInput(f"--resume: {out} holds no run")
        out.mkdir(parents=True, exist_ok=True)
        plan.arrays.save(out / "arrays")
        with (out / "plan.jsonl").open("w") as handle:
            handle.write(plan_text)
            _sync(handle)
        write_json(out / "run.json", identity(plan))
        return 0
    if not resume:
        raise BadInput(f"--out {out}: holds files already; give a new folder, or --resume to continue the run in it")
    try:
        before = json.loads((out / "run.json").read_text())
        saved = (out / "plan.jsonl").read_text()
    except (OSError, ValueError) as error:
        raise BadInput(f"--resume: {out} holds no run that can be continued ({error})") from None
    now = identity(plan)
    for key in _IDENTITY:
        if before.get(key) != now[key]:
            raise BadInput(f"--resume: {key} was {before.get(key)!r} in {out} and is {now[key]!r} now; use the same, or a new --out")
    if saved != plan_text:
        raise BadInput(f"--resume: the plan in {out} differs from that of this command (Specs or data changed); use a new --out")
    plan.arrays.save(out / "arrays")
    return _trim(plan, out)


def _trim(plan: Plan, out: Path) -> int:
    """Drop what an interruption left incomplete; the number of complete units."""
    records = read_lines(out / "records.jsonl")
    complete, used = 0, 0
    for unit in plan.units:
        size = len(applicable(unit.spec, plan.selected))
        if used + size > len(records):
            break
        complete, used = complete + 1, used + size
    (out / "records.jsonl").write_text("".join(records[:used]))
    for name in ("curves.jsonl", "printed.jsonl"):
        kept = [text for text in read_lines(out / name) if json.loads(text)["unit"] < complete]
        if kept or (out / name).exists():
            (out / name).write_text("".join(kept))
    return complete


def run(
    plan: Plan,
    out: Path,
    *,
    resume: bool = False,
    progress: Callable[[int, int, Unit | None], None] = lambda *_: None,
    beside: Callable[[Pool], Callable[[], dict[str, Any]]] | None = None,
) -> dict[str, Any]:
    """Run a plan into a folder and return its summary. `progress` is told (units done, units in all, unit).

    `beside` may submit more work to the pool; what it returns is called at the end and its result becomes `faults` of run.json.
    """
    done = prepare(plan, out, resume)
    total, stopped = len(plan.units), False
    progress(done, total, None)
    with (
        Pool(plan, out) as pool,
        (out / "records.jsonl").open("a") as records,
        (out / "curves.jsonl").open("a") as curves,
    ):
        results = execute(plan, range(done, total), pool)
        more = None
        for index, record_lines, curve_lines, printed_lines in results:
            more = more or (beside(pool) if beside else None)  # after the units, which `execute` submits first
            if printed_lines:
                with (out / "printed.jsonl").open("a") as printed:
                    printed.writelines(printed_lines)
                    _sync(printed)
            curves.writelines(curve_lines)
            _sync(curves)
            records.writelines(record_lines)
            _sync(records)
            progress(index + 1, total, plan.units[index])
            if plan.fail_fast and status(map(json.loads, record_lines)) == FAILED:
                pool.stop()
                stopped = index + 1 < total
                break
        more = more or (beside(pool) if beside else None)
        found = {} if more is None else {"faults": more()}
    return finish(out, **found, **({"finished": None} if stopped else {}))


def finish(out: Path, **more: Any) -> dict[str, Any]:
    """Write summary.json from the records and constants.json from the plan, and close run.json with what could be detected."""
    registry = {c.id: c for c in claims()}
    summary = summarise((json.loads(text) for text in read_lines(out / "records.jsonl")), registry)
    write_json(out / "summary.json", summary)
    identity_now = json.loads((out / "run.json").read_text())
    specs = [Spec.model_validate(json.loads(text)["spec"]) for text in read_lines(out / "plan.jsonl")]
    with single_threaded():
        write_json(out / "constants.json", tables(specs, claims(*identity_now["only"]), stored(out / "arrays")))
        changes = [] if identity_now["only"] else detectable.tables(specs)
    write_json(out / "run.json", {**identity_now, "detectable": changes, "finished": _now(), **more})
    return summary


def status(records: Iterable[dict[str, Any]]) -> int:
    """The exit status of records: 1 for a violation, an error or a witness that fails to refute, 3 for undecided only, 0 as expected."""
    registry = {c.id: c for c in claims()}
    code = EXPECTED
    for item in records:
        claim = registry[claim_id(item)]
        if unexpected(claim, item["verdict"]) or _witness_failed(claim, item):
            return FAILED
        if item["verdict"] == J.UNDECIDED:
            code = UNDECIDED
    return code


def _witness_failed(claim: Claim, item: dict[str, Any]) -> bool:
    return (
        claim.expect is not None
        and item["verdict"] not in (J.VIOLATED, J.UNSUPPORTED)
        and Spec.model_validate(item["spec"]) == WITNESSES[claim.expect]
    )


def as_registered(item: dict[str, Any]) -> bool:
    """Whether one record came out as its claim is registered."""
    return status([item]) == EXPECTED
