"""Quantities and Fields: the vocabulary that theory and models share.

A `Quantity` names something that the paper speaks of and says on which axes it lives; its SymPy symbol stands in formulas. A `Field`
is what a run supplied for it: float64 values on those axes and a radius within which the true value lies. Theory never computes a
Field from tensors, and models never write a formula of the paper: a claim is checked by a join on names.

Axes, always in this order: batch, time, layer, sample, component. Vector-valued quantities carry the last axis, `component`; their
radius is Euclidean over it and so has one axis less.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

Array = NDArray[np.float64]
AXES = ("batch", "time", "layer", "sample", "component")


@dataclass(frozen=True)
class Quantity:
    """A named quantity of the paper.

    Args:
        name: identifier, the key of the join.
        latex: how it is typeset.
        axes: subset of `AXES` in their order; () for a number of the instance.
        meaning: one sentence.
        exact: read off the spec (its only radius is that of its float).
        local: a function of one computed state, so that its radius is rounding only.
        signed: may be negative; other quantities are assumed nonnegative in formulas.
    """

    name: str
    latex: str
    axes: tuple[str, ...]
    meaning: str
    exact: bool = False
    local: bool = True
    signed: bool = False
    symbol: sp.Symbol = field(init=False, compare=False)

    def __post_init__(self) -> None:
        if tuple(a for a in AXES if a in self.axes) != self.axes:
            raise ValueError(f"{self.name}: axes must be a subset of {AXES} in that order, got {self.axes}")
        vector = "component" in self.axes
        assumptions = {"real": True} if self.signed or vector else {"nonnegative": True}
        object.__setattr__(self, "symbol", sp.Symbol(self.name, **assumptions))


@dataclass(frozen=True)
class Field:
    """Values of a quantity on named axes, and the radius of each.

    Args:
        values: float64, one array axis per name in `axes`.
        radius: float64, broadcastable to `values` without its component axis; the true value lies within it.
        axes: names of the axes of `values`.
        scale: size of the terms that the value is a sum of, before cancellation; |values| unless given. An equality is resolved
            against it: a gradient that cancels to 1e-20 is known to 1e-14 of its terms, and no better.
    """

    values: Array
    radius: Array
    axes: tuple[str, ...]
    scale: Array | None = None

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        if values.dtype != np.float64:
            raise TypeError(f"a Field holds float64, got {values.dtype}")
        if values.ndim != len(self.axes):
            raise ValueError(f"axes {self.axes} need {len(self.axes)} dimensions, got shape {values.shape}")
        shape = values.shape[:-1] if self.vector else values.shape
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "radius", np.broadcast_to(np.asarray(self.radius, dtype=np.float64), shape))
        scale = self.norm() if self.scale is None else np.maximum(self.scale, self.norm())
        object.__setattr__(self, "scale", np.broadcast_to(scale, shape))

    @property
    def vector(self) -> bool:
        """Whether the last axis is `component`."""
        return bool(self.axes) and self.axes[-1] == "component"

    @property
    def grid(self) -> tuple[str, ...]:
        """The axes on which a verdict is passed: all but `component`."""
        return self.axes[:-1] if self.vector else self.axes

    def norm(self) -> Array:
        """|values|, Euclidean over the component axis."""
        return np.sqrt(np.sum(self.values**2, axis=-1)) if self.vector else np.abs(self.values)


def number(value: float, radius: float = 0.0) -> Field:
    """A Field without axes."""
    return Field(np.float64(value) * np.ones(()), np.float64(radius) * np.ones(()), ())


def maximum(*expressions: Any) -> sp.Expr:
    """sp.Max as it stands: SymPy would compare its arguments, which settles nothing here and takes a third of the import."""
    return sp.Max(*expressions, evaluate=False)


def minimum(*expressions: Any) -> sp.Expr:
    """sp.Min, likewise."""
    return sp.Min(*expressions, evaluate=False)
