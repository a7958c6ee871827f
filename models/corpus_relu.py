"""Instances without smoothness that are followed over depths: chains with ReLU and beside it, model (3) with ReLU, and (3) from the
start of Appendix D with a smooth activation."""

from __future__ import annotations

from typing import Any

from depthlimit.models.spec import Spec

_ONE = dict.fromkeys(("d", "dout", "q", "m", "n", "L"), 1)


def _chain(name: str, C: float, depths: tuple[int, ...], T: float = 0.25, **scales: float) -> Spec:
    data = {"kind": "arrays", "arrays": {"inline": [["x", [1, 1], [1.0]], ["y", [1, 1], [C]]]}}
    regime = {"kind": "relu-ladder", "depths": depths}
    return Spec.model_validate({**_ONE, "regime": regime, "T": T, "activation": {"name": name, **scales}, "data": data})


def _tied(seed: int, T: float) -> Spec:
    """Model (3) from equal layers."""
    body: dict[str, Any] = {"d": 2, "dout": 1, "q": 3, "m": 4, "n": 3, "L": 64, "rtol": 1e-11, "T": T, "times": (0.0, T)}
    data = {"kind": "sphere", "seed": seed, "label_scale": 2.0}
    regime = {"kind": "depth-ladder", "depths": (4, 8, 16, 32, 64)}
    return Spec.model_validate(
        {**body, "regime": regime, "init": {"kind": "paper", "seed": seed}, "activation": {"name": "relu"}, "data": data}
    )


def _alternating(L: int) -> Spec:
    """Model (3) of width 1 from V_k = W_k - 1 = (-1)^k/(2L): successive weights O(1/L) apart, of no Lipschitz function."""
    weights = [(-1.0) ** k / (2 * L) for k in range(1, L + 1)]
    start = [["A", [1, 1], [1.0]], ["V", [L, 1, 1], weights], ["W", [L, 1, 1], [1 + w for w in weights]], ["B", [1, 1], [1.0]]]
    data = [["x", [1, 1], [1.0]], ["y", [1, 1], [2.0]]]
    init, given = ({"kind": "arrays", "arrays": {"inline": inline}} for inline in (start, data))
    return Spec.model_validate({**_ONE, "L": L, "regime": {"kind": "plain-flow"}, "T": 0.25, "init": init, "data": given})


_DEPTHS = (4, 8, 16, 32, 64)
QUICK = (_chain("relu", 3.0, _DEPTHS), _chain("silu", 1.5, (2, 4, 8, 16, 32)), _tied(0, 0.3))  # in the last no argument changes its sign
STANDARD = (
    *(_chain(name, 1.5, _DEPTHS) for name in ("tanh", "gelu")),
    _chain("gelu", 1.5, _DEPTHS, a=0.5, b=2.0),  # nearer to ReLU
    _chain("relu", 2.0, (16, 32, 64, 128, 256), T=0.5),
    _tied(1, 2.0),  # some do
    _alternating(8),
    _alternating(32),
)
