"""Networks at doubling depths against the limit of training: instances of model (3) and of general residual networks.

Depths and constants are such that four orders in 1/L can be told from rounding. The quick ones have a smooth clip, so that every claim
finds its hypotheses; the others are weight-tied, rougher, unclipped or have clips with kinks.
"""

from __future__ import annotations

from typing import Any

from depthlimit.models.spec import Spec

_DEPTHS = (4, 8, 16, 32, 64)
_SHORT: dict[str, Any] = {"T": 0.25, "times": (0.0, 0.125, 0.25)}
_SIZES: dict[str, Any] = {"d": 2, "dout": 1, "q": 2, "m": 2, "L": 64, "n": 2, "rtol": 1e-13, **_SHORT}
_GP = {"kind": "gp", "seed": 1, "length": 4.0, "scale": 0.7}


def _networks(depths: tuple[int, ...] = _DEPTHS, **more: Any) -> Spec:
    return Spec.model_validate({"regime": {"kind": "training-limit", "depths": depths}, **_SIZES, **more})


def _general(residual: str, **more: Any) -> Spec:
    regime = {"kind": "general-limit", "residual": residual, "depths": (*_DEPTHS, 128)}
    init = {"kind": "affine", "seed": 2, "scale": 0.5, "slope": 0.3}
    return Spec.model_validate({"regime": regime, **_SIZES, "d": 1, "init": init, "T": 0.1, "times": (0.0, 0.05, 0.1), **more})


SMOOTH = {"kind": "smooth", "radius": 0.3}
NETWORKS = _networks(init=_GP, clip=SMOOTH, activation={"name": "sin"})
GENERAL = _general("linear", clip=SMOOTH)
QUICK = (NETWORKS, GENERAL)
_TIED: dict[str, Any] = {"q": 3, "m": 3, "dout": 2}
_DEEP = (*_DEPTHS[1:], 128, 256)
STANDARD = (
    _networks(**_TIED, T=0.5, times=(0.0, 0.25, 0.5), data={"kind": "sphere", "label_scale": 2.0}),
    _networks((*_DEPTHS, 128), **_TIED, clip={"kind": "coordinate", "radius": 0.1}),
    _networks((*_DEPTHS, 128), init=_GP, activation={"name": "sin"}, clip={"kind": "radial", "radius": 0.3}),
    _networks(_DEEP, init={"kind": "gp", "seed": 1, "length": 1.0, "scale": 0.7}),
    _networks(_DEEP, init={"kind": "fourier", "seed": 2, "terms": 1, "scale": 0.5}, activation={"name": "sin"}),
    _general("sine", m=1),
    _general("perceptron", d=2),
    _general("perceptron", d=2, init={"kind": "affine", "seed": 2, "scale": 0.5, "slope": 0.0}),  # weight-tied
    _general("perceptron", d=2, q=3, m=3, init=_GP, activation={"name": "sin"}, clip=SMOOTH),
    _general("sine", d=2, m=1, init={**_GP, "length": 1.0}),
)
# A kink of the clip moves through s: 54 points leave an error of 1e-5 in Z, up to 5e-4 with a coordinate clip of small radius. The same
# entries are clipped at all saved times of the instances above, whose errors (1e-14 and 1e-11) say nothing of such kinks.
DEEP = (_general("perceptron", rtol=1e-9, T=0.25, times=(0.0, 0.125, 0.25), clip={"kind": "radial", "radius": 0.2}),)
