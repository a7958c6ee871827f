"""The clip π of (5), p. 4: three bounded maps with Lipschitz constant 1, and the suprema of their norms.

π acts after the factor L, on A and on B each, and on Z_k = (V_k, W_k) as one vector:

    coordinate   each entry projected on [-r, r]         kinks wherever an entry reaches r
    radial       g min(1, r/|g|), |g| Euclidean          a kink where |g| = r
    smooth       r tanh(g/r), entry by entry             no kink
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from depthlimit.models.implementation import Network
from depthlimit.theory.quantity import Array

KINDS = ("coordinate", "radial", "smooth")
KINKED = frozenset({"coordinate", "radial"})


def clip(spec: Network, block: str, *arrays: Array) -> tuple[Array, ...]:
    """π on the block "A" or "B" (one array) or "Z" (V_k and W_k, as one vector), [... rows columns] each.

    Without a clip the arrays themselves. Raises ValueError for another block, number of arrays or kind.
    """
    expected = len(_sizes(spec, block))
    if len(arrays) != expected:
        raise ValueError(f"block {block} consists of {expected} array(s), got {len(arrays)}")
    return project(spec["clip"], *arrays)


def project(clip: Mapping[str, Any] | None, *arrays: Array) -> tuple[Array, ...]:
    """π on arrays [... rows columns] that are one vector together; the arrays themselves if `clip` is None."""
    if clip is None:
        return arrays
    kind, r = clip["kind"], clip["radius"]
    if kind == "coordinate":
        return tuple(np.minimum(np.maximum(g, -r), r) for g in arrays)
    if kind == "radial":
        square = sum(np.einsum("...ij,...ij->...", g, g) for g in arrays)
        factor = r / np.maximum(np.sqrt(square), r)
        return tuple(factor[..., None, None] * g for g in arrays)
    if kind == "smooth":
        return tuple(r * np.tanh(g / r) for g in arrays)
    raise ValueError(f"clip kind {kind!r} is unknown; accepted: {', '.join(KINDS)}")


def euclidean_supremum(spec: Network, block: str) -> float:
    """sup |π| over the block in the Euclidean norm, |Z|² = |V|_F² + |W|_F²; infinite without a clip."""
    return supremum(spec["clip"], sum(_sizes(spec, block)))


def supremum(clip: Mapping[str, Any] | None, size: int) -> float:
    """sup |π| over vectors of that size, Euclidean; infinite if `clip` is None."""
    if clip is None:
        return math.inf
    r = float(clip["radius"])
    return r if clip["kind"] == "radial" else r * math.sqrt(size)


def sum_norm_supremum(spec: Network, block: str) -> float:
    """sup |π| in the paper's norm (p. 3), |Z| = |V|_F + |W|_F, and |A|_F, |B|_F; infinite without a clip.

    Radial: |V|_F + |W|_F is at most √2 times the Euclidean norm, with equality for |V|_F = |W|_F.
    """
    if spec["clip"] is None:
        return math.inf
    r, sizes = float(spec["clip"]["radius"]), _sizes(spec, block)
    return r * (math.sqrt(len(sizes)) if spec["clip"]["kind"] == "radial" else sum(map(math.sqrt, sizes)))


def _sizes(spec: Network, block: str) -> tuple[int, ...]:
    """The number of entries of each array of a block."""
    q = spec["q"]
    sizes = {"A": (q * spec["d"],), "B": (spec["dout"] * q,), "Z": (q * spec["m"], spec["m"] * q)}
    if block not in sizes:
        raise ValueError(f"block {block!r} is unknown; π acts on A, B and Z = (V, W)")
    return sizes[block]
