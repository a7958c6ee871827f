"""Every planted fault is caught by the claims it names, and every claim is caught out by some fault."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from depthlimit.conformance.faults import FAULTS, SPECS, _fields, caught
from depthlimit.conformance.faults.interface import CAUSES
from depthlimit.conformance.faults.planting import Fault, Faulty
from depthlimit.conformance.faults.written import Written, wrong
from depthlimit.models import calls
from depthlimit.models.check import applicable, check, judge
from depthlimit.models.corpus import NETWORKS
from depthlimit.models.data import ArrayStore
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.trajectory import realise
from depthlimit.theory import judgement as J
from depthlimit.theory.activation import CATALOGUE
from depthlimit.theory.quantity import Array
from depthlimit.theory.registry import claims

_RULES = ("eq3", "eq13", "eq4", "eq5", "loss", "identities", "agreement", "repeat", "rows", "batch")
_CAUGHT: dict[str, list[str]] = {}


def _caught(name: str) -> list[str]:
    """Claims that notice a fault; of a wrong implementation those alone that it names, since `verify` judges them all."""
    if name not in _CAUGHT:
        fault = next(f for f in FAULTS if f.name == name)
        _CAUGHT[name] = caught(fault, claims(*fault.caught_by) if fault.implementation else None)
    return _CAUGHT[name]


IMPLEMENTATIONS = [f for f in FAULTS if f.implementation is not None]


def test_names_of_faults_are_unique() -> None:
    assert len({f.name for f in FAULTS}) == len(FAULTS)


def test_there_are_wrong_implementations_enough_and_each_has_a_cause_in_words() -> None:
    assert len(IMPLEMENTATIONS) >= 80
    for fault in IMPLEMENTATIONS:
        assert fault.cause and fault.cause[-1] not in ".!" and fault.meaning[-1] == ".", fault
        # a comparison with the reference says where an implementation differs; this says what rule it breaks
        assert any(not c.startswith("agreement.") for c in fault.caught_by), fault


@pytest.mark.parametrize("name", ["plain", "clipped", "saturated", "inside", "sigma", "state", "weights-only"])
@pytest.mark.parametrize("base", [Faulty, Written])
def test_the_network_written_out_is_right_until_a_part_is_replaced(base: type[NumpyImplementation], name: str) -> None:
    wrong = caught(Fault("none", "Nothing is wrong.", (name,), (), implementation=base), claims(*_RULES))
    assert not wrong


def test_wrong_numbers_are_wrong_numbers_on_any_network_and_raise_nothing() -> None:
    """With and without a clip, other activations, one layer and one sample: a diagnosis tries faults on whatever network failed."""
    raised = []
    for spec in (NETWORKS[5], *NETWORKS[11:16]):
        b = realise(spec, ArrayStore())
        for fault in IMPLEMENTATIONS:
            assert fault.implementation is not None
            implementation: Any = fault.implementation()
            for method in ("forward", "loss", "gradients", "velocity") if fault.cause not in CAUSES.values() else ():
                try:
                    calls.call(implementation, method, b.network, params=b.params, x=b.x, y=b.y)
                except calls.Misbehaviour as error:
                    raised.append((fault.name, str(error)))
    assert not raised


def _fortran(a: Array) -> Array:
    return np.asfortranarray(a)


def _strided(a: Array) -> Array:
    return np.repeat(a, 2, axis=-1)[..., ::2]


class Buffered(NumpyImplementation):
    """Each method answers in the buffer in which it answered before, and asks NumPy for nothing new."""

    def __init__(self) -> None:
        self.buffers: dict[Any, Array] = {}

    def forward(self, spec: Any, params: Any, x: Array) -> dict[str, Array]:
        found = super().forward(spec, params, x)
        for k, v in found.items():
            np.copyto(self.buffers.setdefault((k, v.shape), np.empty(v.shape)), v)
        return {k: self.buffers[k, v.shape] for k, v in found.items()}

    def batch(self, method: str, arguments: Any) -> tuple[Any, ...]:
        return tuple(NumpyImplementation().batch(method, arguments[::-1])[::-1])


class Memoised(NumpyImplementation):
    """Gradients are looked up by all that they depend on."""

    def __init__(self) -> None:
        self.known: dict[bytes, dict[str, Array]] = {}

    def gradients(self, spec: Any, params: Any, x: Array, y: Array) -> dict[str, Array]:
        key = pickle.dumps((spec, {k: params[k].tobytes() for k in "AVWB"}, x.tobytes(), y.tobytes()))
        return self.known.setdefault(key, super().gradients(spec, params, x, y))


class Reordered(NumpyImplementation):
    """Sums run over samples and layers in another order, and the last bit is another one."""

    def gradients(self, spec: Any, params: Any, x: Array, y: Array) -> dict[str, Array]:
        return {k: v * (1 + 2.0**-52) for k, v in super().gradients(spec, params, x[::-1], y[::-1]).items()}

    def loss(self, spec: Any, params: Any, x: Array, y: Array) -> Any:
        return np.float64(super().loss(spec, params, x[::-1], y[::-1])) * (1 + 2.0**-52)


def _answering(what: Any) -> type[NumpyImplementation]:
    """All answers changed, and with a key more."""
    methods = ("forward", "gradients", "velocity", "flow", "neural_ode")
    change = {m: lambda found, *_: {k: what(v) for k, v in found.items()} | {"more": "of no concern"} for m in methods}
    made = wrong("allowed", "nothing", "plain", "eq3.layer", of=NumpyImplementation, answers=change)
    assert made.implementation is not None
    return made.implementation


@pytest.mark.parametrize("name", ["plain", "saturated", "small-ode", "state"])
@pytest.mark.parametrize("allowed", [_answering(_fortran), _answering(_strided), Buffered, Memoised, Reordered])
def test_what_the_protocol_allows_is_no_fault(allowed: type[NumpyImplementation], name: str) -> None:
    assert not caught(Fault("none", "Nothing is wrong.", (name,), (), implementation=allowed), claims(*_RULES, "eq6"))


@pytest.mark.parametrize("fault", [f for f in IMPLEMENTATIONS if f.cause in CAUSES.values()], ids=lambda f: f.name)
def test_what_breaks_the_protocol_is_named_by_its_kind(fault: Fault) -> None:
    (kind,) = (k for k, cause in CAUSES.items() if cause == fault.cause)
    assert fault.implementation is not None
    calls.watch(fault.seconds)
    records, _ = check(SPECS[fault.specs[0]], fault.implementation(), selected=claims(*fault.caught_by))
    calls.watch(None)
    assert records and all(r["verdict"] == J.ERRORED and f": {kind}: " in r["reason"] for r in records), [r["reason"] for r in records]


def test_every_kind_that_python_can_name_is_planted() -> None:
    assert set(CAUSES) == set(calls.KINDS) - {"crash"} and set(CAUSES.values()) <= {f.cause for f in FAULTS}


@pytest.mark.parametrize("name", [f.name for f in FAULTS])
def test_a_planted_fault_is_caught_by_the_claims_that_it_names(name: str) -> None:
    fault = next(f for f in FAULTS if f.name == name)
    survived = [c for c in fault.caught_by if c not in _caught(name)]
    assert not survived, f"{name} ({fault.meaning}) is not noticed by {survived}; it is by {_caught(name)}"


@pytest.mark.parametrize("name", list(SPECS))
def test_without_a_fault_the_same_instances_raise_no_alarm(name: str) -> None:
    properties = CATALOGUE[SPECS[name].activation.name].properties
    judged = {c.id: judge(c, _fields(name), properties) for c in applicable(SPECS[name]) if c.expect is None}
    wrong = {c: (j.verdict, j.reason) for c, j in judged.items() if j.verdict not in (J.HOLDS, J.OUT_OF_HYPOTHESIS)}
    assert not wrong, wrong


def test_one_claim_alone_sees_wrong_nodes_and_wrong_places_of_layers() -> None:
    """Left nodes have the same limit and the same orders; other places of the layers converge just as fast."""
    alone = {"left-nodes": {"thm4.start"}, "floor-next": {"thm4.constant"}, "states-as-weights": {"thm4.constant"}}
    for name, labels in alone.items():
        assert {c.split("[")[0] for c in _caught(f"thm4-{name}")} == labels, name


def test_every_claim_with_power_is_made_to_fail_by_some_fault() -> None:
    noticed = {c for f in FAULTS for c in _caught(f.name)}
    # Towers cannot fail on any computer (they read "no power"); a refuted claim fails as it stands.
    powerless = {c.id for c in claims() if c.scale == "log10log10" or c.expect is not None}
    never = {c.id for c in claims()} - noticed - powerless
    assert not never, f"no planted fault makes these fail: {sorted(never)}"
