"""The double limit: its measures on sequences and functions made by hand, and both orders against the doubled one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from depthlimit.conformance import faults
from depthlimit.models.certificate import certify
from depthlimit.models.corpus_double import QUICK
from depthlimit.models.data import ArrayStore
from depthlimit.models.measure.double_limit import richardson
from depthlimit.models.measure.registry import Fields
from depthlimit.models.spec import Spec


@pytest.fixture(scope="module")
def fields() -> Fields:
    """The run that the planted faults are compared with."""
    return faults._fields("double")


def test_all_powers_but_the_last_are_removed() -> None:
    """3 + 2/L + 5/L² at L = 4, 8, 16 is extrapolated exactly; with one power removed 5/L² leaves -5/(8·16)."""
    L = np.array([[4.0], [8.0], [16.0]])
    value, correction = richardson(3 + 2 / L + 5 / L**2)
    np.testing.assert_allclose(value, 3, rtol=1e-14)
    np.testing.assert_allclose(correction, 5 / 128, rtol=1e-12)


def test_both_orders_and_the_ode_agree_far_below_the_distance_of_the_deepest_network(fields: Fields) -> None:
    """Between the iterated limits lies a millionth of what lies between the limit and 32 layers."""
    own = float(fields["Z_end"].values[-2])
    apart = np.linalg.norm(fields["Z_t_first"].values - fields["Z_L_first"].values, axis=-1).max()
    assert apart < 1e-6 * own and fields["Z_t_first"].radius.max() < 1e-8 and fields["Z_L_first"].radius.max() < 1e-9
    outputs, labels = fields["F_limit"], fields["y_all"].values
    assert np.linalg.norm(outputs.values - labels, axis=-1).max() < outputs.radius.max() < 1e-8


def test_the_distance_in_the_depth_does_not_grow_with_time(fields: Fields) -> None:
    """Uniformly over t: L times the distance settles, and what changes after a time is a small part of what is left of √ℓ there."""
    far, end = fields["Z_double"].values[:-1], fields["Z_end"].values[:-1]
    depths = np.array(fields.run.depths)
    assert np.ptp(depths * end) < 1e-3 * np.max(depths * end)
    assert np.all(np.abs(far[:, -1] - end) < 1e-3 * end)


def test_the_certificate_at_the_shallowest_depth_holds_at_deeper_ones() -> None:
    spec = QUICK[0]
    radii, mus = None, []
    for L in (4, 5, 8, 1000):
        found = certify(spec.model_copy(update={"L": L}), ArrayStore())
        mus.append(found.mu)
        radii = radii or found.radii
        assert all(found.radii[k] >= 0.99 * radii[k] for k in radii)
    assert mus == sorted(mus) and mus[-1] < 1.01 * mus[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"L": 8}, "at the first of its depths"),
        ({"train": "VW"}, "trains A and B too"),
        ({"init": {"kind": "gp"}}, "paper's initialisation"),
        ({"regime": {"kind": "double-limit", "depths": (2, 4, 6, 8)}}, "successive doublings"),
    ],
)
def test_a_spec_outside_the_regime_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Spec.model_validate({**QUICK[0].to_json(), **change})
