"""A diagnosis names the cause of each planted fault, says why, and tells consequences from causes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from depthlimit.conformance.diagnosis import diagnose, told
from depthlimit.conformance.diagnosis.departures import departures
from depthlimit.conformance.diagnosis.questions import METHODS, questions
from depthlimit.conformance.faults import FAULTS, SPECS
from depthlimit.conformance.faults.planting import Fault, Faulty
from depthlimit.conformance.faults.unseen import UNSEEN
from depthlimit.models import calls
from depthlimit.models.calls import Death
from depthlimit.models.implementation import Array, Arrays, Network
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.workers import single_threaded

PLANTED = [fault for fault in FAULTS if fault.implementation is not None]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with single_threaded():
        yield


def _fault(name: str) -> Fault:
    return next(fault for fault in PLANTED if fault.name == name)


def _implementation(name: str) -> Any:
    made = _fault(name).implementation
    assert made is not None
    return made()


def test_right_implementations_have_nothing_to_diagnose() -> None:
    assert diagnose(NumpyImplementation()) == []
    assert diagnose(Faulty(), [SPECS["plain"], SPECS["clipped"]]) == []


def test_the_first_cause_of_nine_in_ten_planted_faults_is_named_right(pytestconfig: pytest.Config) -> None:
    """In the quick profile of every eighth."""
    tried = PLANTED[:: 8 if pytestconfig.option.depthlimit_profile == "quick" else 1]
    missed = []
    for fault in tried:
        calls.watch(fault.seconds)
        try:
            causes = diagnose(_implementation(fault.name), first=True)
        finally:
            calls.watch(None)
        if not causes or causes[0].sentence != (fault.cause or fault.meaning):
            missed.append(f"{fault.name}: {fault.cause or fault.meaning!r}, told {causes[0].text() if causes else 'nothing'}")
    assert len(missed) <= len(tried) / 10, "\n".join(missed)


def test_nearly_all_causes_are_told_right_without_the_catalogue(pytestconfig: pytest.Config) -> None:
    """No planted fault is among the hypotheses. In the quick profile of every twelfth."""
    step = 12 if pytestconfig.option.depthlimit_profile == "quick" else 1
    groups = {name: faults[::step] for name, faults in told.GROUPS.items()}
    found = [(name, [told.tell(fault) for fault in faults]) for name, faults in groups.items()]
    verdicts = [one.verdict for _, group in found for one in group]
    text = told.table(found)
    print(text)
    assert verdicts.count(told.RIGHT) >= 0.95 * len(verdicts) and verdicts.count(told.WRONG) <= 0.05 * len(verdicts), text
    assert all([one.verdict for one in group].count(told.RIGHT) >= 0.9 * len(group) for _, group in found), text


def test_most_causes_are_told_of_faults_that_nothing_was_written_for(pytestconfig: pytest.Config) -> None:
    step = 6 if pytestconfig.option.depthlimit_profile == "quick" else 1
    found = [told.tell(fault) for fault in UNSEEN[::step]]
    verdicts, text = [one.verdict for one in found], told.table([("unseen", found)])
    print(text)
    assert verdicts.count(told.RIGHT) >= 0.75 * len(verdicts) and verdicts.count(told.WRONG) <= 0.1 * len(verdicts), text


class Outside(Faulty):
    """The last sample's output is mixed into the first state by a formula that no one would think of."""

    def forward(self, spec: Network, params: Arrays, x: Array) -> dict[str, Array]:
        """(3), and then something else."""
        f = super().forward(spec, params, x)
        twisted = f["hidden"] + 0.1 * np.sin(3 * f["hidden"]) * np.cos(f["hidden"][..., ::-1])
        return {"hidden": twisted, "output": f["output"] + 0.1 * np.sin(f["output"] ** 2)}


class OutsideVelocity(Faulty):
    """Blocks push each other."""

    def velocity(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """(4) and a term that is none of its own."""
        v = super().velocity(spec, params, x, y)
        return {k: a + 0.1 * np.sin(5 * params[k]) * np.linalg.norm(a) for k, a in v.items()}


class OutsideOde(Faulty):
    """Another equation altogether."""

    def neural_ode(self, spec: Network, weights: Arrays, x: Array, s: Array) -> dict[str, Array]:
        """(6), bent."""
        f = super().neural_ode(spec, weights, x, s)
        return {k: v + np.sin(v) for k, v in f.items()}


@pytest.mark.parametrize("made", [Outside, OutsideVelocity, OutsideOde])
def test_a_fault_outside_all_families_is_called_unexplained(made: type[Faulty]) -> None:
    first = diagnose(made(), planted=())[0]
    assert first.explained == 0, first.text()


# What is told of a fault if no planted one is among the hypotheses.
WITHOUT_CATALOGUE = {
    "drop-depth-scaling": "the factor 1/L of (3) is missing",
    "inner-of-d": "the factor 1/√q of (3) is 1/√d",
    "first-layer-skipped": "the first layer is skipped",
    "states-normalised": "the hidden states are normalised",
    "mean-over-outputs": "`loss`: loss is 1/dout times what it should be",
    "weight-decay": "there is a penalty on the parameters",
    "untransposed-jacobian": "the Jacobian of (13) is not transposed",
    "W-without-q": "`gradients`: W is √q times what it should be",
    "A-detached": "A of `gradients` is 0",
    "float32-gradients": "the numbers are single precision inside",
    "clip-before-L": "the clip acts before the factor L",
    "flow-twice-as-fast": "time runs twice too fast",
    "loose-tolerance": "the flow is not followed accurately",
    "monomials": "the weights of (6) are Σ V_j (2s-1)^j",
    "hidden-transposed": "an answer has another shape",
    "states-running": "an answer depends on the calls before",
    "noisy-loss": "the same question has another answer each time",
    "batch-normalisation": "an answer depends on the other samples",
    "n-from-spec": "n is read off spec for len(x)",
    "batch-with-one-network": "an answer depends on the other calls of a batch",
}


@pytest.mark.parametrize("name", WITHOUT_CATALOGUE)
def test_causes_are_found_without_the_catalogue(name: str) -> None:
    first = diagnose(_implementation(name), planted=())[0]
    assert first.sentence == WITHOUT_CATALOGUE[name], first.text()


def test_evidence_shows_the_missing_factor_at_several_depths() -> None:
    first = diagnose(_implementation("drop-depth-scaling"))[0]
    assert "(h_1 - h_0)/right = 4.000000 = L at L=4, (h_1 - h_0)/right = 7.000000 = L at L=7" in first.text()
    assert first.method == "forward" and first.explained == first.wrong > 10
    assert set(first.consequences) == {"loss", "gradients", "velocity", "flow"}


class ThreeTimes(Faulty):
    """∂ℓ/∂W is three times too large."""

    def gradients(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """Of no size that the model knows."""
        g = super().gradients(spec, params, x, y)
        return {**g, "W": 3 * g["W"]}


class Two(Faulty):
    """σ acts once more on the states, and the neural ODE ends at B H(0): two faults that have nothing to do with each other."""

    def forward(self, spec: Network, params: Arrays, x: Array) -> dict[str, Array]:
        """States past σ."""
        f = super().forward(spec, params, x)
        return {"hidden": np.tanh(f["hidden"]), "output": np.tanh(f["output"])}

    def loss(self, spec: Network, params: Arrays, x: Array, y: Array) -> float:
        """Of those outputs."""
        return float(np.sum((self.forward(spec, params, x)["output"] - y) ** 2) / len(x))

    def neural_ode(self, spec: Network, weights: Arrays, x: Array, s: Array) -> dict[str, Array]:
        """B H(0)."""
        out = super().neural_ode(spec, weights, x, s)
        return {**out, "output": x @ weights["A"].T @ weights["B"].T}


class OnlyRadial(Faulty):
    """Cannot clip radially."""

    def velocity(self, spec: Network, params: Arrays, x: Array, y: Array) -> dict[str, Array]:
        """Refuses the radial clip."""
        if spec["clip"] and spec["clip"]["kind"] == "radial":
            raise ValueError("radial")
        return super().velocity(spec, params, x, y)


class ForwardAlone:
    """Has one method."""

    def forward(self, spec: Network, params: Arrays, x: Array) -> dict[str, Array]:
        """(3)."""
        return NumpyImplementation().forward(spec, params, x)


def test_what_no_hypothesis_explains_is_told_by_its_ratio() -> None:
    (cause,) = diagnose(ThreeTimes())
    assert cause.method == "gradients" and cause.blocked == ("velocity", "flow"), cause.text()
    assert cause.sentence == "`gradients`: W is 3 times what it should be" and "W/right = 3.000000" in cause.evidence[-1]


def test_two_faults_have_two_causes_and_what_builds_on_one_is_blocked() -> None:
    first, second = diagnose(Two())
    assert (first.method, first.blocked) == ("forward", ("loss", "flow"))
    assert (second.method, second.sentence) == ("neural_ode", "the output of (6) is B H(0)")


def test_what_sets_failing_questions_apart_is_told() -> None:
    first = diagnose(OnlyRadial())[0]
    assert first.sentence == "a call raises an exception" and any("only with a radial clip" in one for one in first.evidence)


def test_what_an_implementation_lacks_is_no_failure() -> None:
    assert diagnose(ForwardAlone()) == []


@pytest.mark.parametrize("method", METHODS)
def test_every_departure_shows_in_the_questions(method: str) -> None:
    asked = [q for q in questions() if q.method == method]
    unseen = [d.sentence for d in departures(method) for made in [d.make()] if all(q.right(q.put(made)) for q in asked)]
    assert not unseen


def test_a_method_that_is_known_to_end_its_process_is_not_asked() -> None:
    with calls.without({"gradients": Death("crash", "the process ended with signal SIGSEGV")}):
        first = diagnose(NumpyImplementation())[0]
    assert (first.method, first.sentence) == ("gradients", "a call ends its process")
