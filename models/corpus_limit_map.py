"""Continuous depth in the corpus: two parameters (Z, A, B) each, of small size where the steps of Theorem 14's proof are nearly equalities.

states    f = hz, z and z̃ the same number: the states part by |α||x|e^{z}, and a and x are so small that K_f = K₁
weights   f = hz, z = 0 and z̃ a small number: they part by K₂|ζ|
slope     f = hz with a slope in s: C_Z/L is most of the distance of Z^L from Z
plane     f = Zh, Z no symmetric matrix, so that the transpose tells; two samples, three states

Those of `TRAINED` are followed for a while, with and without a clip.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from depthlimit.models.spec import Spec


def _given(**arrays: Any) -> dict[str, Any]:
    named = {name: np.array(a, dtype=float) for name, a in arrays.items()}
    return {"inline": [[name, list(a.shape), a.ravel().tolist()] for name, a in named.items()]}


def _pair(residual: str, d: int, dout: int, q: int, L: int, n: int, shift: dict[str, Any], *, m: int = 1, **more: Any) -> Spec:
    sizes = {"d": d, "dout": dout, "q": q, "m": m, "L": L, "n": n, "times": (0.0, more["T"]) if "T" in more else (0.0,)}
    return Spec.model_validate({"regime": {"kind": "limit-map", "residual": residual, "shift": shift}, **sizes, **more})


def _scalar(L: int, start: tuple[float, ...], shift: tuple[float, ...], x: float, y: float) -> Spec:
    """f = hz from A, Z0, Z1, B and their shifts."""
    one, other = (_given(A=[[a]], Z0=[z0], Z1=[z1], B=[[b]]) for a, z0, z1, b in (start, shift))
    return _pair(
        "linear", 1, 1, 1, L, 1, other, init={"kind": "arrays", "arrays": one}, data={"kind": "arrays", "arrays": _given(x=[[x]], y=[[y]])}
    )


def _generic(residual: str, d: int, dout: int, q: int, L: int, n: int, p: int, seed: int, *, m: int = 1, **more: Any) -> Spec:
    """Everything generic, the shift about a tenth of the parameters."""
    random = np.random.RandomState(seed)
    shift = {k: np.round(random.standard_normal(shape) * 0.1, 3) for k, shape in (("A", (q, d)), ("Z0", p), ("Z1", p), ("B", (dout, q)))}
    init = {"kind": "affine", "seed": seed, "scale": 1.0, "slope": 0.5}
    return _pair(residual, d, dout, q, L, n, _given(**shift), m=m, init=init, **more)


LIMIT_MAPS = {
    "states": _scalar(8, (0.05, 0.2, 0.0, 0.5), (0.01, 0.0, 0.0, 0.0), 0.5, 1.0),
    "weights": _scalar(4, (0.5, 0.0, 0.0, 1.0), (0.0, 0.01, 0.0, 0.0), 1.0, 1.0),
    "slope": _scalar(5, (0.5, 0.01, 0.1, 1.0), (0.0, 0.0, 0.01, 0.1), 1.0, 2.0),
    "plane": _generic("linear", 2, 2, 3, 16, 2, 9, 1),
    "sine": _generic("sine", 2, 1, 2, 1, 3, 2, 2),
    "perceptron": _generic("perceptron", 2, 1, 2, 4, 2, 12, 3, m=3, clip={"kind": "smooth", "radius": 0.2}),
}
TRAINED = {
    "trained-plane": _generic("linear", 1, 1, 2, 1, 2, 4, 4, T=0.1),
    "trained-perceptron": _generic("perceptron", 1, 1, 2, 1, 2, 8, 5, m=2, T=0.1, clip={"kind": "smooth", "radius": 1.0}),
}
ALL = (*LIMIT_MAPS.values(), *TRAINED.values())
STANDARD = (
    _generic("convolution", 2, 1, 3, 5, 2, 6, 1, m=3),
    _generic("attention", 2, 1, 4, 5, 2, 8, 1, m=2, clip={"kind": "coordinate", "radius": 0.1}),
)
WITNESSES = {"eq44-witness": LIMIT_MAPS["plane"], "a5-adjoint-witness": LIMIT_MAPS["states"]}
