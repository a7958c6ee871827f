"""Several networks in one Spec: which they are, that one judgement reaches each, and how many are drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from depthlimit.models import strategies
from depthlimit.models.check import check, run
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.spec import Spec
from depthlimit.theory import judgement as J

SEED = 2**32 - 2


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


@pytest.mark.parametrize(
    ("method", "claim"), [("forward", "hidden"), ("loss", "loss"), ("gradients", "gradient-V"), ("velocity", "velocity-V")]
)
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


def test_beyond_the_structures_each_one_stands_for_several_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {spec.regime.networks for spec in strategies.draw("network", 7, 0)} == {1}  # type: ignore[union-attr]
    monkeypatch.setattr(strategies, "STRUCTURES", 5)
    found = strategies.draw("network", 12, 0)
    assert [spec.regime.networks for spec in found] == [3] * 4  # type: ignore[union-attr]
    assert len({spec.canonical() for spec in found}) == 4
