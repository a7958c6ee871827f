"""Families of the corpus, in one or two dimensions: Proposition 9 where its steps are nearly equalities.

aligned   slope and speed both C = 1, in the same direction: (26) and (27) are attained for short times
turned    Z^L = -Z below depth 2000, and e^{-rate t} falls to ε soon: both functions move away from each other as fast as they may, and the
          proof's bounds on their distance are attained up to C/L; t_1 = t_0/2 alone is a cover of [0, t_0]
planar    two components, (-1)^L kept out by a subsequence, layers that differ in speed
still     constant layers on a bounded interval: states grow like e^{Cs}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from depthlimit.models.spec import Spec

NAMES = ("base", "slope", "fade", "tilt", "drift", "flip", "start")


def family(q: int, depths: Sequence[int], times: Sequence[float], *, epsilon: float = 0.1, **more: Any) -> Spec:
    """A Spec of the regime: arrays that are not given are 0 (start: 1), one number fills all entries."""
    values = {name: more.pop(name, float(name == "start")) for name in NAMES}
    inline = [[name, [q], [v] * q if isinstance(v, float) else v] for name, v in values.items()]
    regime = {"kind": "family", "depths": tuple(depths), "epsilon": epsilon, "arrays": {"inline": inline}, **more}
    sizes = {"d": q, "dout": 1, "q": q, "m": 1, "L": depths[0], "n": 1}
    return Spec.model_validate({"regime": regime, **sizes, "T": times[-1], "times": tuple(times)})


_FADE = 0.1515  # 1.5 ε
_TURNED: Mapping[str, Any] = {"epsilon": 0.101, "rate": 1 / _FADE, "turns": 2000, "base": -0.2, "slope": 1.0, "fade": _FADE}
_PLANAR: Mapping[str, Any] = {
    **{"epsilon": 0.2, "rate": 0.5, "base": (0.2, -0.1), "slope": (0.5, 0.3), "fade": (-0.2, 0.4), "tilt": (-0.3, 0.2)},
    **{"drift": (0.1, 0.2), "flip": (0.05, 0.0), "start": (1.0, -0.5)},
}
FAMILIES = {
    "aligned": family(1, (1, 2, 3, 8, 64), (0.0, 0.001, 0.25, 40.0), epsilon=0.25, base=-1.0, slope=1.0, fade=1.0),
    "turned": family(1, (64, 1024, 4096), (0.0, 0.001, 0.1, 10.0), **_TURNED),
    "planar": family(2, (2, 4, 6, 16), (0.0, 0.5, 30.0), **_PLANAR),
    "still": family(1, (1, 4), (0.0, 1.0), bounded=True, base=0.5, start=0.01),
}
WITNESSES = {
    "prop9-index-witness": FAMILIES["planar"],
    "prop9-cover-witness": FAMILIES["turned"],
    "prop15-index-witness": FAMILIES["aligned"],
}
