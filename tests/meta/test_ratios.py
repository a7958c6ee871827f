"""Tables of certificates in units of μ, of a run made by hand."""

from __future__ import annotations

from depthlimit.models.corpus_certificate import SHAPES, certificate
from depthlimit.reports.aggregate import Point, Result, Run, Unit
from depthlimit.reports.ratios import draws, least
from depthlimit.theory.registry import claims


def test_ratios_are_inverse_tightness_by_ball_and_shape_and_the_smallest_names_its_record() -> None:
    specs = [certificate(SHAPES[0], 0, 1.0), certificate(SHAPES[0], 1, 1.0), certificate(SHAPES[0], 2, 1.0, excess=100.0)]
    values = {"certificate.pl": (-1.0, -0.5, 0.0), "adversary.pl": (-0.25, -0.125, 0.0)}
    results = {}
    for claim in claims(*values):
        points = [Point(v, 8, 64, 4, None, unit) for unit, v in enumerate(values[claim.label])]
        results[claim.id] = Result(claim, {"log10_tightness": -0.125, "line": 7}, points)
    units = tuple(Unit(i, s.to_json()) for i, s in enumerate(specs))
    run = Run({}, results, {}, {}, (), units, (), {}, (), (), None)
    assert draws(run) == [{"ball": "sup", "shape": (*SHAPES[0], 1.0), "draws": 2, "cells": ["1.3, 1.8", "3.2, 10", "–"]}]
    (found,) = least(run)
    assert (found["label"], found["ratio"], found["line"]) == ("adversary.pl", "1.33", 7)
