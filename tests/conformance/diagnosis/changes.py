"""What may become of an array on its way: layers, layout, numbers, and weights that are made into others before they are used."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from depthlimit.models.implementation import Array


def following(a: Array) -> Array:
    """Each layer's place taken by the next one; the last keeps its own."""
    return np.concatenate([a[1:], a[-1:]])


def preceding(a: Array) -> Array:
    """Each layer's place taken by the one before; the first keeps its own."""
    return np.concatenate([a[:1], a[:-1]])


def without(k: int) -> Callable[[Array], Array]:
    """The layer of index k set to 0."""

    def change(a: Array) -> Array:
        b = a.copy()
        b[k] = 0
        return b

    return change


def columns(a: Array) -> Array:
    """The entries [... rows columns] laid down column by column, and read row by row."""
    return a.swapaxes(-1, -2).reshape(a.shape)


def fortran(a: Array) -> Array:
    """The entries laid down row by row, and read column by column."""
    return a.reshape(*a.shape[:-2], *a.shape[:-3:-1]).swapaxes(-1, -2)


def rounded(bits: int) -> Callable[[Array], Array]:
    """To so many binary digits: 24 are those of float32, 11 of float16 and TF32, 8 of bfloat16."""

    def change(a: Array) -> Array:
        mantissa, exponent = np.frexp(a)
        return np.asarray(np.ldexp(np.rint(np.ldexp(mantissa, bits)), exponent - bits))

    return change


def _over(norm: Callable[[Array], Array]) -> Callable[[Array], Array]:
    return lambda a: a / np.where((size := norm(a)) == 0, 1, size)


def _polar(a: Array) -> Array:
    U, _, Vt = np.linalg.svd(a, full_matrices=False)
    return np.asarray(U @ Vt)


# Reparametrisations of a weight matrix [... rows columns].
WEIGHTS: dict[str, Callable[[Array], Array]] = {
    "is made orthonormal": _polar,
    "is divided by its spectral norm": _over(lambda a: np.linalg.norm(a, 2, axis=(-2, -1), keepdims=True)),
    "is divided by its Frobenius norm": _over(lambda a: np.linalg.norm(a, axis=(-2, -1), keepdims=True)),
    "has rows of norm 1": _over(lambda a: np.linalg.norm(a, axis=-1, keepdims=True)),
    "has columns of norm 1": _over(lambda a: np.linalg.norm(a, axis=-2, keepdims=True)),
    "is centred": lambda a: a - a.mean(axis=(-2, -1), keepdims=True),
    "has centred rows": lambda a: a - a.mean(axis=-1, keepdims=True),
    "has centred columns": lambda a: a - a.mean(axis=-2, keepdims=True),
    "is taken in absolute value": np.abs,
    "is laid down column by column": columns,
    "is read column by column": fortran,
    "has its rows in reversed order": lambda a: a[..., ::-1, :],
    "has its columns in reversed order": lambda a: a[..., ::-1],
}
