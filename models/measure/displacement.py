"""How far each block has moved along the flow, and how fast the clip lets it (Proposition 1)."""

from __future__ import annotations

from collections.abc import Mapping

from depthlimit.models.clip import euclidean_supremum
from depthlimit.models.measure.registry import measures
from depthlimit.models.rounding import U, frobenius
from depthlimit.models.trajectory import BLOCKS, Trajectory
from depthlimit.theory.quantity import Field, number


@measures("moved_A", "moved_B", "moved_V", "moved_W", on=Trajectory)
def displacements(run: Trajectory) -> Mapping[str, Field]:
    """Displacements along the implementation's flow, within the error that the protocol allows; differences of what has hardly moved."""
    s, e = run.flowed, run.state_error
    fields = {}
    for k in BLOCKS:
        moved = frobenius(s[k] - s[k][:, :1])
        layers = k in "VW"
        terms = frobenius(s[k]) + frobenius(s[k][:, :1])
        axes = ("batch", "time", "layer") if layers else ("batch", "time")
        fields[f"moved_{k}"] = Field(moved, e[k][..., None] if layers else e[k], axes, terms)
    return fields


@measures("M_pi_A", "M_pi_B", on=Trajectory)
def speeds(run: Trajectory) -> Mapping[str, Field]:
    """Suprema of the clip on A and on B."""
    sizes = {block: euclidean_supremum(run.network, block) for block in "AB"}
    return {f"M_pi_{block}": number(size, 4 * U * size) for block, size in sizes.items()}
