"""Planted faults: wrong implementations, wrong claims and a wrong control, each naming claims that must catch it.

A check that no fault can make fail is not trusted. `matrix` runs every fault against the claims and says which caught it; the report
shows for each claim the faults that it alone catches, and a survivor is a failing test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from depthlimit.conformance.faults import (
    adjoint,
    branches,
    certificates,
    comparison,
    consistency,
    controls,
    double,
    families,
    flows,
    forward,
    general,
    interface,
    kernel,
    limit_map,
    limits,
    long,
    numerics,
    odes,
    planting,
    prop5,
    relu,
    section51,
    statements,
    steps,
    variational,
    velocity,
)
from depthlimit.conformance.faults.planting import Fault
from depthlimit.models import calls
from depthlimit.models.check import applicable, judge, run
from depthlimit.models.data import ArrayStore
from depthlimit.models.measure.euler import EulerRun
from depthlimit.models.measure.registry import Fields
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.spec import Spec
from depthlimit.models.trajectory import StateRun, Trajectory
from depthlimit.models.workers import single_threaded
from depthlimit.theory import judgement as J
from depthlimit.theory.activation import CATALOGUE
from depthlimit.theory.claim import Claim
from depthlimit.theory.registry import claims

_PARTS = (
    *(forward, adjoint, velocity, flows, odes, numerics, interface),
    *(
        statements,
        general,
        consistency,
        controls,
        variational,
        steps,
        comparison,
        kernel,
        prop5,
        certificates,
        long,
        families,
        branches,
        relu,
        limit_map,
        double,
        limits,
        section51,
    ),
)
# Comparison equations cost as much as all other claims together, and flows in a batch a fourth of them.
_COSTLY = (*(f"variational.{name}" for name in ("one-sided", "two-sided", "second-order", "third-order")), "batch.flow")
_ALSO = steps.ALSO
FAULTS: tuple[Fault, ...] = tuple(
    replace(fault, specs=tuple(dict.fromkeys((*fault.specs, *more))), caught_by=tuple(dict.fromkeys((*fault.caught_by, *ids))))
    for part in _PARTS
    for fault in part.FAULTS
    for more, ids in (_ALSO.get(fault.name, ((), ())),)
)
SPECS: dict[str, Spec] = {name: spec for part in (planting, *_PARTS) for name, spec in getattr(part, "SPECS", {}).items()}
_RUNS: dict[str, Fields] = {}


def _fields(name: str) -> Fields:
    """The right implementation's fields at an instance, measured once per process."""
    return _RUNS.setdefault(name, Fields(run(SPECS[name], NumpyImplementation())))


def _wrong(name: str, implementation: NumpyImplementation) -> Fields:
    """A wrong implementation's fields at an instance; what has no part in it, the reference flow or ODE, is that of the right one."""
    found = run(SPECS[name], implementation)
    if isinstance(found, Trajectory | EulerRun) and not isinstance(found, StateRun):
        vars(found)["reference"] = _fields(name).run.reference
    return Fields(found)


def caught(fault: Fault, selected: Iterable[Claim] | None = None) -> list[str]:
    """Ids of the claims that notice a fault (violated or errored), in order of registration; of `_COSTLY` those alone that it names."""
    found: dict[str, None] = {}
    for name in fault.specs:
        spec = SPECS[name]
        properties = CATALOGUE[spec.activation.name].properties
        known = [c for c in applicable(spec, selected) if c.id in fault.caught_by or not c.label.startswith(_COSTLY)]
        if fault.claim is not None:
            known = [fault.claim(c) for c in known if c.id in fault.caught_by]
            fields = _fields(name)
        elif fault.runs is not None:
            fields = Fields(fault.runs(spec, ArrayStore()))
        else:
            assert fault.implementation is not None
            fields = _wrong(name, fault.implementation())
        if fault.seconds is not None:
            calls.watch(fault.seconds)
        try:
            for c in known:
                if c.expect is None and judge(c, fields, properties).verdict in (J.VIOLATED, J.ERRORED):
                    found[c.id] = None
        finally:
            if fault.seconds is not None:
                calls.watch(None)
    return list(found)


def caught_by_name(name: str, ids: Sequence[str]) -> list[str]:
    """`caught` for another process: the fault's name and the ids of the selected claims."""
    wanted = set(ids)
    with single_threaded():
        return caught(next(f for f in FAULTS if f.name == name), [c for c in claims() if c.id in wanted])


def matrix(selected: Iterable[Claim], submit: Callable[..., Callable[[], list[str]]]) -> Callable[[], dict[str, Any]]:
    """Submit every fault that concerns the selected claims; what is returned collects {"faults": {name: {"meaning", "cause",
    "of", "expected", "caught_by"}}}, as run.json holds it."""
    ids = [c.id for c in selected]
    relevant = [f for f in FAULTS if set(ids) & set(f.caught_by)]
    results = {f.name: submit(caught_by_name, f.name, ids) for f in relevant}
    return lambda: {
        "faults": {
            f.name: {
                "meaning": f.meaning,
                "cause": f.cause,
                "of": "implementation" if f.implementation else "claim" if f.claim else "run",
                "expected": [c for c in f.caught_by if c in ids],
                "caught_by": results[f.name](),
            }
            for f in relevant
        }
    }
