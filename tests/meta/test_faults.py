"""Every planted fault is caught by the claims it names, and every claim is caught out by some fault."""

from __future__ import annotations

import pytest

from depthlimit.conformance.faults import FAULTS, SPECS, caught
from depthlimit.models.check import check
from depthlimit.models.reference import NumpyImplementation
from depthlimit.theory import judgement as J
from depthlimit.theory.record import claim_id
from depthlimit.theory.registry import claims

pytestmark = pytest.mark.xdist_group("faults")
_CAUGHT: dict[str, list[str]] = {}


def _caught(name: str) -> list[str]:
    """Claims that notice a fault; of a wrong implementation those alone that it names, since `verify` judges them all."""
    if name not in _CAUGHT:
        fault = next(f for f in FAULTS if f.name == name)
        _CAUGHT[name] = caught(fault, claims(*fault.caught_by) if fault.implementation else None)
    return _CAUGHT[name]


def test_names_of_faults_are_unique() -> None:
    assert len({f.name for f in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize("name", [f.name for f in FAULTS])
def test_a_planted_fault_is_caught_by_the_claims_that_it_names(name: str) -> None:
    fault = next(f for f in FAULTS if f.name == name)
    survived = [c for c in fault.caught_by if c not in _caught(name)]
    assert not survived, f"{name} ({fault.meaning}) is not noticed by {survived}; it is by {_caught(name)}"


@pytest.mark.parametrize("name", list(SPECS))
def test_without_a_fault_the_same_instances_raise_no_alarm(name: str) -> None:
    records, _ = check(SPECS[name], NumpyImplementation())
    refuted = {c.id for c in claims() if c.expect is not None}
    wrong = [r for r in records if r["verdict"] not in (J.HOLDS, J.OUT_OF_HYPOTHESIS) and claim_id(r) not in refuted]
    assert not wrong, [(r["claim"], r["verdict"], r["reason"]) for r in wrong]


def test_every_claim_with_power_is_made_to_fail_by_some_fault() -> None:
    noticed = {c for f in FAULTS for c in _caught(f.name)}
    # Towers cannot fail on any computer (they read "no power"); a refuted claim fails as it stands.
    powerless = {c.id for c in claims() if c.scale == "log10log10" or c.expect is not None}
    never = {c.id for c in claims()} - noticed - powerless
    assert not never, f"no planted fault makes these fail: {sorted(never)}"
