"""Planted faults of implementations by name, as `--implementation` takes them:

depthlimit replay spec.json --implementation depthlimit.conformance.faults.planted:drop_depth_scaling
"""

from __future__ import annotations

from depthlimit.conformance.faults import FAULTS
from depthlimit.conformance.faults.planting import Fault
from depthlimit.models.reference import NumpyImplementation


def _attribute(name: str) -> str:
    return name.replace("-", "_")


def path(fault: Fault) -> str:
    """What to give after `--implementation` to have the fault."""
    return f"{__name__}:{_attribute(fault.name)}"


def __getattr__(name: str) -> type[NumpyImplementation]:
    for fault in FAULTS:
        if fault.implementation is not None and _attribute(fault.name) == name:
            return fault.implementation
    raise AttributeError(f"no planted fault of an implementation is called {name!r}")
