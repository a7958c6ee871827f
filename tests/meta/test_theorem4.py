"""Limits in the depth: a polynomial made by hand, and a network whose limit is known."""

from __future__ import annotations

import numpy as np

from depthlimit.models.check import run
from depthlimit.models.corpus import LADDERS
from depthlimit.models.corpus_long import LADDER
from depthlimit.models.measure.registry import Fields
from depthlimit.models.measure.theorem4 import series
from depthlimit.models.reference import NumpyImplementation


def test_weights_become_the_polynomial_that_they_sample() -> None:
    """s² = (T_0 + 4 T_1/3 ... at u = 2s - 1: (u + 1)²/4 = (3 T_0 + 4 T_1 + T_2)/8."""
    s = np.arange(1, 6) / 5
    found = series((s**2)[:, None, None] * np.array([[1.0, -2.0]]), 3)
    expected = np.array([3, 4, 1, 0])[:, None, None] / 8 * np.array([[1.0, -2.0]])
    np.testing.assert_allclose(found, expected, atol=1e-14)


def test_the_limit_lies_closer_than_the_deepest_network_by_two_orders() -> None:
    fields = Fields(run(LADDERS[1], NumpyImplementation()))
    h, H, deepest = fields["h_limit"], fields["H_limit"], fields.run.trained[-1].forward["hidden"][0, -1]
    nodes = len(H.values) - 1
    own = np.linalg.norm(deepest[:: (len(deepest) - 1) // nodes].reshape(nodes + 1, -1) - H.values, axis=-1).max()
    assert np.linalg.norm(h.values - H.values, axis=-1).max() < own / 100
    assert h.radius.max() < own / 10


def test_a_network_trained_to_the_end_tends_to_a_neural_ode_that_interpolates() -> None:
    fields = Fields(run(LADDER, NumpyImplementation()))
    outputs, labels = fields["F_limit"], fields["y_all"].values
    gap = np.linalg.norm(outputs.values - labels, axis=-1)
    assert np.all(gap < outputs.radius) and outputs.radius.max() < 1e-5 * np.abs(labels).max()
    assert fields["ladder_left"].values < 1e-14
