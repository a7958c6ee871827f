"""Errors in units of what is allowed: along layers and times where a claim fails, and by quantity, of what passes too."""

from __future__ import annotations

from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest

from depthlimit.conformance.oracle.folder import Run
from depthlimit.conformance.oracle.outcome import Outcome
from depthlimit.models.check import check
from depthlimit.models.reference import NumpyImplementation
from depthlimit.models.spec import Spec
from depthlimit.reports import svg
from depthlimit.reports.errors import by_quantity, of_failures
from depthlimit.reports.records import Curve
from depthlimit.theory.record import claim_id

SIZES = {"d": 2, "dout": 1, "q": 3, "m": 4, "L": 5, "n": 3}
STATE = Spec.model_validate({**SIZES, "regime": {"kind": "network"}, "init": {"kind": "iid", "seed": 3}})
FLOW = Spec.model_validate(
    {**SIZES, "regime": {"kind": "plain-flow"}, "T": 0.2, "times": (0.0, 0.1, 0.2), "init": {"kind": "gp", "seed": 2}}
)
LAYER = 3  # of the paper; the one that is wrong


class WrongLayer(NumpyImplementation):
    """One layer's V is off by a thousandth: in the states, in the gradient, in the flow."""

    def forward(self, spec: Any, params: Any, x: Any) -> Any:
        V = params["V"].copy()
        V[LAYER - 1 :][:1] *= 1.001
        return super().forward(spec, {**params, "V": V}, x)

    def gradients(self, spec: Any, params: Any, x: Any, y: Any) -> Any:
        g = super().gradients(spec, params, x, y)
        g["V"][LAYER - 1 :][:1] *= 1.001
        return g

    def velocity(self, spec: Any, params: Any, x: Any, y: Any) -> Any:
        return NumpyImplementation().velocity(spec, params, x, y)

    def flow(self, spec: Any, params: Any, x: Any, y: Any, times: Any) -> Any:
        out = NumpyImplementation().flow(spec, params, x, y, times)
        out["V"][1:, LAYER - 1] *= 1.001
        return out


def beyond(curve: dict[str, Any]) -> list[float]:
    return [x for x, v in zip(curve["x"], curve["lhs"], strict=True) if v > 1]


def curves_of(spec: Spec, implementation: Any) -> tuple[list[dict[str, Any]], dict[tuple[str, str], dict[str, Any]]]:
    records, curves = check(spec, implementation)
    return records, {(c["claim"].partition("[")[0], c["axis"][-1]): c for c in curves if c["axis"].startswith("errors-")}


@pytest.mark.parametrize(
    ("claim", "wrong"),
    [
        ("agreement.hidden", [3, 4, 5]),  # what is wrong in layer 3 is carried on
        ("eq3.layer", [3]),  # and is made there
        ("agreement.gradient-V", [3]),
    ],
)
def test_an_error_begins_at_the_layer_that_is_wrong(claim: str, wrong: list[float]) -> None:
    records, curves = curves_of(STATE, WrongLayer())
    curve = curves[claim, "k"]
    assert beyond(curve) == wrong and curve["x"] == [float(k) for k in range(0 if claim == "agreement.hidden" else 1, 6)]
    (record,) = (r for r in records if r["claim"] == claim)
    assert max(curve["lhs"]) == pytest.approx(10 ** record["log10_tightness"], rel=1e-12)


def test_the_layers_of_a_flow_have_shares_in_its_error() -> None:
    records, curves = curves_of(FLOW, WrongLayer())
    shares, times = curves["eq4.flow-V", "k"], curves["eq4.flow-V", "t"]
    assert beyond(shares) == [LAYER] and beyond(times) == [0.1, 0.2]
    (record,) = (r for r in records if r["claim"] == "eq4.flow-V")
    assert max(times["lhs"]) == pytest.approx(10 ** record["log10_tightness"], rel=1e-12)
    assert np.linalg.norm(shares["lhs"]) == pytest.approx(max(times["lhs"]), rel=1e-3)


def test_what_holds_leaves_no_errors_nor_does_a_claim_that_is_refuted() -> None:
    for spec in (STATE, FLOW):
        assert not curves_of(spec, NumpyImplementation())[1]


def test_margins_are_the_largest_and_the_median_error_of_each_quantity() -> None:
    records = [record for spec in (STATE, FLOW) for record in check(spec, WrongLayer())[0]]
    found = {(m.method, m.quantity): m for m in Outcome(Run(Path(), {"implementation": "wrong"}, records, "", [])).margins}
    blocks = [("flow", k) for k in "AVWB"] + [(method, k) for method in ("gradients", "velocity") for k in "AVWB"]
    assert set(found) == {("forward", "hidden"), ("forward", "output"), ("loss", "loss"), *blocks}
    for row in found.values():
        own = [r["log10_tightness"] for r in records if claim_id(r) in row.claims]
        errors = [0.0 if value is None else 10**value for value in own]
        assert (row.records, row.exact) == (len(errors), errors.count(0.0))
        assert (row.worst, row.median) == (max(errors), median(errors))
    assert found["gradients", "V"].worst > 1 > found["velocity", "V"].worst > 0


def test_the_drawings_say_where_it_begins_and_prefer_layers() -> None:
    curves = [
        Curve(c["claim"], "corpus", c["spec"], c["label"], c["axis"], "linear", tuple(c["x"]), tuple(c["lhs"]), tuple(c["rhs"]))
        for c in curves_of(FLOW, WrongLayer())[1].values()
    ]
    claims = ["agreement.hidden[sharpened,instantaneous]", "eq4.flow-V[as-printed,along-trajectory]", "prop7.gap[explicit,a-priori]"]
    with svg.defaults():
        drawn = of_failures(claims, curves)
        margins = [{"method": "loss", "quantity": "loss", "worst": 0.0, "median": 0.0, "records": 2, "exact": 2}]
        strip = by_quantity(margins)
    assert len(drawn) == 2 and strip is not None and by_quantity([]) is None
    assert drawn[0].caption.startswith("agreement.hidden along layer k: beyond 1 first at layer 3, at 3 of 6 layers")
    assert "share / tolerance" in drawn[1].svg and len(drawn[1].rows) == 5 and strip.rows[0][:2] == ("loss", "loss")
