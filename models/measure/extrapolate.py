"""Slopes against depth: local slopes on doubling depths, extrapolated.

For smooth initialisations g(L) = c L^{-1} (1 + a₁/L + a₂/L² + ...), so the local slope log₂(g(2L)/g(L)) is -1 + b₁/L + b₂/L² + ...
and Romberg's table in 1/L removes one power per column. A least-squares slope would reject the true rate (it never sees the limit).
"""

from __future__ import annotations

import numpy as np

from depthlimit.theory.quantity import Array


def romberg(values: Array, sign: float = -1.0) -> list[Array]:
    """values [depths ...] on doubling depths, then with one power of 1/L removed after the other: [depths-j ...].

    With sign 1, of radii of the values: those of all that.
    """
    table = [values]
    while len(table[-1]) > 1:
        factor = 2.0 ** len(table)
        table.append((factor * table[-1][1:] + sign * table[-1][:-1]) / (factor - 1))
    return table


def limit(values: Array, radii: Array) -> tuple[float, float]:
    """Limit of values on doubling depths that have an expansion in 1/L, and its radius, by Romberg's table.

    The radius is the larger of the last two corrections (from the column before, and from the depth before: one alone can be small by
    accident) plus the radii's propagation; the column is the one where that is smallest. For the values themselves it is twice the
    last change: what is left of b₁/L is as large as that, and larger by the next order.

    values, radii: [depths], at least 2.
    """
    table, noise = romberg(np.asarray(values, dtype=float)), romberg(np.asarray(radii, dtype=float), 1.0)
    found = [(2 * abs(float(values[-1] - values[-2])) + float(radii[-1]), float(values[-1]))]
    for before, column, error in zip(table, table[1:-1], noise[1:], strict=False):
        correction = max(abs(float(column[-1] - before[-1])), abs(float(column[-1] - column[-2])))
        found.append((correction + float(error[-1]), float(column[-1])))
    radius, value = min(found)
    return value, radius


def slope(values: Array, radii: Array) -> tuple[float, float]:
    """Extrapolated local slope of values on doubling depths, and its radius: the `limit` of the local slopes.

    values, radii: [depths], at least 4, all positive. Raises ValueError otherwise.
    """
    values, radii = np.asarray(values, dtype=float), np.asarray(radii, dtype=float)
    if len(values) < 4 or not np.all((values > 0) & np.isfinite(values)):
        raise ValueError(f"a slope needs at least 4 positive values on doubling depths, got {values.tolist()}")
    error = (radii[1:] / values[1:] + radii[:-1] / values[:-1]) / np.log(2)
    return limit(np.log2(values[1:] / values[:-1]), error)
