"""Measures of the comparison system without clipping: its inputs, its bounds at the saved times, and what its steps need."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from depthlimit.models.comparison import solve
from depthlimit.models.measure.certificate import inputs as norms
from depthlimit.models.measure.displacement import displacements
from depthlimit.models.measure.instance import instance
from depthlimit.models.measure.network import BT
from depthlimit.models.measure.registry import measures
from depthlimit.models.measure.unclipped import supremum
from depthlimit.models.rounding import U
from depthlimit.models.trajectory import Trajectory
from depthlimit.theory.paper import comparison as theory
from depthlimit.theory.quantity import Field, number


@measures("x_least", on=Trajectory)
def least(run: Trajectory) -> Field:
    """s_n(x) with LAPACK's error, as for the norms of the certificate."""
    x = run.batch.x
    if len(x) > x.shape[1]:
        return number(0.0)
    values = np.linalg.svd(x, compute_uv=False)
    return number(float(values[-1]), 4 * max(x.shape) * U * float(np.linalg.norm(x)))


@measures("moved_W_most", on=Trajectory)
def most(run: Trajectory) -> Field:
    """The largest displacement of a W_k."""
    moved = displacements(run)["moved_W"]
    return Field(np.max(moved.values, axis=-1), np.max(moved.radius, axis=-1), BT)


@measures(*(f"{name}_compared" for name in (*theory.BOUNDS, "loss", "p")), on=Trajectory)
def compared(run: Trajectory) -> Mapping[str, Field]:
    """The bounds at the saved times. They are what the steps return, which are bounds as they stand: no radius.

    The loss is known relative to the labels, which cancel in its errors.
    """
    found: dict[str, Field] = {**instance(run), **norms(run), "M_sigma": supremum(run), "x_least": least(run)}
    inputs = {}
    for symbol in theory.INPUTS:
        value, radius = float(found[symbol.name].values), float(found[symbol.name].radius)
        lower = symbol in theory.LOWER
        inputs[symbol.name] = max(0.0, value - radius) * (1 - 2 * U) if lower else (value + radius) * (1 + 2 * U * (radius > 0))
    bounds = solve(inputs, run.times, run.comparison)
    scales = {"loss": np.full(len(run.times), inputs["mean_y2"])}
    return {f"{name}_compared": Field(a, np.zeros_like(a), ("time",), scales.get(name)) for name, a in bounds.items()}
