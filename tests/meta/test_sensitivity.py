"""Errors of one entry: which are noticed, and that none is imagined."""

from __future__ import annotations

import numpy as np
import pytest

from depthlimit.conformance.oracle.sensitivity import ENTRIES, PARTS, Perturbed, cases, smallest
from depthlimit.models.corpus import NETWORKS
from depthlimit.models.data import ArrayStore
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.trajectory import realise


def test_one_entry_is_changed_by_the_factor_and_no_other() -> None:
    b = realise(NETWORKS[0], ArrayStore())
    right = NumpyImplementation().forward(b.network, b.params, b.x)
    for entry in ENTRIES:
        wrong = Perturbed(NumpyImplementation(), "forward", "hidden", entry, 1e-3).forward(b.network, b.params, b.x)
        (at,) = np.argwhere(wrong["hidden"] != right["hidden"])
        assert wrong["hidden"][tuple(at)] == right["hidden"][tuple(at)] * (1 + 1e-3)
        rank = np.sum(np.abs(right["hidden"]) < np.abs(right["hidden"][tuple(at)]))
        assert rank == (right["hidden"].size - 1 if entry == "largest" else right["hidden"].size // 2)
        assert np.array_equal(wrong["output"], right["output"])


def test_every_part_of_every_method_has_its_rows_and_what_is_missing_has_none() -> None:
    assert len(list(cases(tuple(PARTS)))) == 2 * sum(len(p) for p in PARTS.values()) - 1
    assert list(cases(["loss"])) == [("loss", "", "largest")]


@pytest.mark.parametrize(("method", "part", "below"), [("forward", "output", 1e-12), ("gradients", "W", 1e-9), ("velocity", "A", 1e-9)])
def test_a_small_error_is_noticed_without_the_reference_too(method: str, part: str, below: float) -> None:
    row = smallest(NumpyImplementation(), method, part, "median")
    assert row["epsilon"] is not None and row["epsilon"] <= below and row["without_reference"]


def test_an_error_far_below_rounding_is_not_noticed() -> None:
    """Otherwise the tolerances, and not the error, would be what is seen."""
    from depthlimit.conformance.oracle.sensitivity import _noticing, _spec
    from depthlimit.models.check import applicable

    spec = _spec("gradients")
    listening = [c for c in applicable(spec) if c.expect is None]
    assert not _noticing(Perturbed(NumpyImplementation(), "gradients", "W", "largest", 1e-17), spec, listening)
