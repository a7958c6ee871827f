"""Several networks in one Spec: which they are, that one batch and one judgement reach each, and how many are drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from depthlimit.conformance.faults import FAULTS
from depthlimit.models import strategies
from depthlimit.models.check import check, run
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.spec import Spec
from depthlimit.theory import judgement as J

SEED = 2**32 - 2
METHODS = ("forward", "loss", "gradients", "velocity")


def networks(count: int, seed: int = SEED, **more: Any) -> Spec:
    regime = {"kind": "network", "networks": count}
    sizes = {"d": 2, "dout": 1, "q": 3, "m": 4, "L": 3, "n": 2}
    return Spec.model_validate({**sizes, "regime": regime, "times": (0.0,), "init": {"kind": "iid", "seed": seed}, **more})


def test_each_network_is_that_of_its_own_seed() -> None:
    together = run(networks(4), NumpyImplementation()).flowed
    for i, seed in enumerate((SEED, SEED + 1, 0, 1)):  # seeds are counted modulo 2^32
        alone = run(networks(1, seed), NumpyImplementation()).flowed
        assert all(np.array_equal(together[k][:, i : i + 1], alone[k]) for k in "AVWB")
    with pytest.raises(ValidationError, match="several networks need an initialisation with a seed"):
        networks(2, init={"kind": "arrays", "arrays": {"inline": []}})


@pytest.mark.parametrize(("method", "claim"), [*zip(METHODS, ("hidden", "loss", "gradient-V", "velocity-V"), strict=True)])
def test_an_error_on_any_of_the_networks_is_noticed(method: str, claim: str) -> None:
    """Wrong by 1e-9 on the network that has one given first entry of W."""
    spec = networks(5)
    for i in range(5):
        entry = run(spec, NumpyImplementation()).flowed["W"][0, i, 0, 0, 0]

        class WrongOnce(NumpyImplementation):
            pass

        def wrong(self: Any, network: Any, params: Any, *data: Any, entry: float = entry) -> Any:
            answer = getattr(NumpyImplementation, method)(self, network, params, *data)
            factor = 1 + 1e-9 * (params["W"][0, 0, 0] == entry and len(params["W"]) == 3)
            return {k: v * factor for k, v in answer.items()} if isinstance(answer, dict) else answer * factor

        setattr(WrongOnce, method, wrong)
        records, curves = check(spec, WrongOnce())
        found = {r["claim"]: r for r in records}
        record = found[f"agreement.{claim}"]
        assert record["verdict"] == J.VIOLATED and dict(record["where"]).get("time", 0) == i, record
        assert all(len(c["x"]) == len(c["lhs"]) and not c["axis"].endswith("t") for c in curves)
        assert claim == "loss" or any(c["claim"].startswith(record["claim"]) for c in curves)


def verdicts(implementation: Any, count: int = 5) -> dict[str, str]:
    return {r["claim"]: r["verdict"] for r in check(networks(count), implementation)[0]}


@pytest.mark.parametrize("count", [1, 5])
def test_several_networks_are_asked_in_one_batch_and_one_alone_in_a_call(count: int) -> None:
    batches = Counter[tuple[str, int]]()

    class Counting(NumpyImplementation):
        def batch(self, method: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
            batches[method, len(arguments)] += 1
            return super().batch(method, arguments)

    answers = run(networks(count), Counting())
    alone = [run(networks(1, (SEED + i) % 2**32), NumpyImplementation()) for i in range(count)]
    assert np.array_equal(answers.loss, np.concatenate([one.loss for one in alone], axis=1))
    for method in ("forward", "gradients", "velocity"):
        for k, v in getattr(answers, method).items():
            assert np.array_equal(v, np.concatenate([getattr(one, method)[k] for one in alone], axis=1))
    assert batches == ({} if count == 1 else {(method, count): 1 for method in METHODS})


COUPLED = [fault for fault in FAULTS if fault.caught_by[0].startswith("batch.forward")]


@pytest.mark.parametrize("fault", COUPLED, ids=[fault.name for fault in COUPLED])
def test_several_networks_show_that_the_answers_of_a_batch_depend_on_its_make_up(fault: Any) -> None:
    found = verdicts(fault.implementation())
    assert all(found[f"batch.{method}"] in (J.VIOLATED, J.ERRORED) for method in METHODS), found


def test_a_batch_that_fails_beyond_sixteen_calls_is_noticed_by_so_many_networks() -> None:
    """As a buffer of sixteen answers does; a flow has fewer saved times."""

    class Ring(NumpyImplementation):
        def batch(self, method: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
            answers = super().batch(method, arguments)
            return answers[16:] + answers[len(answers[16:]) :]

    few, many = verdicts(Ring(), 13), verdicts(Ring(), 17)
    assert all(few[f"batch.{method}"] == J.HOLDS and many[f"batch.{method}"] == J.VIOLATED for method in METHODS)


@pytest.mark.parametrize(("error", "verdict"), [(NotImplementedError, J.UNSUPPORTED), (ValueError, J.ERRORED), (None, J.UNSUPPORTED)])
def test_networks_are_asked_one_by_one_where_the_batch_fails(error: type[Exception] | None, verdict: str) -> None:
    """What is said of the methods is as without a batch, and of the batch that it fails."""

    class Failing(NumpyImplementation):
        def batch(self, method: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
            raise (error or ValueError)("no batches")

    if error is None:
        Failing.batch = None  # type: ignore[assignment,method-assign]
    right, found = verdicts(NumpyImplementation()), verdicts(Failing())
    assert found == {**right, **{f"batch.{method}": verdict for method in METHODS}}


def test_beyond_the_structures_each_one_stands_for_several_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {spec.regime.networks for spec in strategies.draw("network", 7, 0)} == {1}  # type: ignore[union-attr]
    monkeypatch.setattr(strategies, "STRUCTURES", 5)
    found = strategies.draw("network", 12, 0)
    assert [spec.regime.networks for spec in found] == [3] * 4  # type: ignore[union-attr]
    assert len({spec.canonical() for spec in found}) == 4
