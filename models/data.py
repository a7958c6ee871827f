"""Data: the inputs x and labels y of a Spec, and the store of arrays that a Spec names by their SHA-256.

A Spec is plain JSON. What does not fit in it (Hypothesis-made data, user files, adversarial parameters) lies
in an `ArrayStore`, whose keys are digests of names, shapes and numbers. The digest does not depend on how a
file was written, so that the same arrays have the same name everywhere, and a damaged file is noticed when it
is read.

    >>> store = ArrayStore()
    >>> reference = store.reference({"x": np.ones((2, 1)), "y": np.zeros((2, 1))})
    >>> sorted(store.resolve(reference))
    ['x', 'y']
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthlimit.models.spec import INLINE_LIMIT, ArraysData, ArraySet, BadInput, Spec
from depthlimit.theory.quantity import Array

MAX_BYTES = 2**32  # of one set of arrays: above it neither written nor read
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def digest(arrays: Mapping[str, Array]) -> str:
    """SHA-256 over names, shapes and little-endian float64 numbers, in the order of the names.

    Each name and shape is preceded by its length, so that different sets never yield the same bytes.
    """
    h = hashlib.sha256()
    for name in sorted(arrays):
        encoded, a = name.encode(), arrays[name]
        h.update(np.array([len(encoded), a.ndim, *a.shape], dtype="<u8").tobytes() + encoded)
        h.update(a.astype("<f8").tobytes(order="C"))
    return h.hexdigest()


class ArrayStore:
    """Sets of named float64 arrays by their digest. The arrays kept are read-only: copy one to change it."""

    def __init__(self) -> None:
        self._sets: dict[str, dict[str, Array]] = {}

    def __contains__(self, sha256: object) -> bool:
        return sha256 in self._sets

    def __len__(self) -> int:
        return len(self._sets)

    def add(self, arrays: Mapping[str, Array]) -> str:
        """Keep a copy of the arrays and return its digest.

        Raises:
            BadInput: no arrays, a name that is no identifier, a dtype other than float64, a number that is
                not finite, or more than `MAX_BYTES`.
        """
        if not arrays:
            raise BadInput("arrays: an empty set; expected at least one named array")
        for name, a in arrays.items():
            if not _NAME.fullmatch(name):
                raise BadInput(f"arrays: the name {name!r} is no identifier; expected letters, digits and _")
            if a.dtype != np.float64:
                raise BadInput(f"arrays: {name} has dtype {a.dtype}, expected float64")
            if not np.isfinite(a).all():
                where = tuple(int(i) for i in np.argwhere(~np.isfinite(a))[0])
                raise BadInput(f"arrays: {name}{list(where)} is {a[where]}, expected finite numbers")
        if (size := sum(a.nbytes for a in arrays.values())) > MAX_BYTES:
            raise BadInput(f"arrays: {size} bytes, at most {MAX_BYTES} are kept in one set")
        kept = {name: np.array(a, dtype=np.float64, order="C") for name, a in arrays.items()}
        for a in kept.values():
            a.flags.writeable = False
        key = digest(kept)
        self._sets[key] = kept
        return key

    def reference(self, arrays: Mapping[str, Array], source: str = "") -> ArraySet:
        """What a Spec holds for these arrays: the numbers when they are few, else a digest. They are kept."""
        sha256 = self.add(arrays)
        if sum(a.size for a in arrays.values()) > INLINE_LIMIT:
            return ArraySet(sha256=sha256, inline=None, source=source)
        inline = tuple((k, arrays[k].shape, tuple(arrays[k].ravel().tolist())) for k in sorted(arrays))
        return ArraySet(sha256=None, inline=inline, source=source)

    def resolve(self, array_set: ArraySet) -> dict[str, Array]:
        """The arrays that an ArraySet means, by name.

        Raises:
            BadInput: the digest is not in this store, or an inline array has a repeated name or negative
                length.
        """
        if array_set.inline is None:
            if array_set.sha256 not in self._sets:
                raise BadInput(
                    f"arrays: {array_set.sha256} is not among the {len(self)} sets at hand; expected "
                    f"arrays/{array_set.sha256}.npz beside the file that names it"
                )
            return dict(self._sets[array_set.sha256])
        found: dict[str, Array] = {}
        for name, shape, numbers in array_set.inline:
            if name in found or min(shape, default=0) < 0:
                raise BadInput(f"arrays: {name} with shape {shape}: a repeated name or a negative length")
            found[name] = np.array(numbers, dtype=np.float64).reshape(shape)
        return found

    def save(self, folder: Path) -> None:
        """Write each set as `<sha256>.npz`: equal sets give equal bytes, and no file is left half-written."""
        folder.mkdir(parents=True, exist_ok=True)
        for key, arrays in self._sets.items():
            partial = folder / f"{key}.npz.partial"
            with zipfile.ZipFile(partial, "w") as archive:
                for name in sorted(arrays):  # ZipInfo's own date is fixed
                    with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                        np.lib.format.write_array(member, arrays[name].astype("<f8"), (1, 0), False)
            os.replace(partial, folder / f"{key}.npz")

    def load(self, folder: Path, sha256: str) -> dict[str, Array]:
        """Read `<sha256>.npz` from the folder into this store.

        Raises:
            BadInput: no digest, no such file, a damaged or too large file, arrays that are not float64, or
                arrays of another digest.
        """
        if not _SHA256.fullmatch(sha256):
            raise BadInput(f"arrays: {sha256!r} is no SHA-256 of 64 lower-case hexadecimal digits")
        path = folder / f"{sha256}.npz"
        arrays = read_npz(path, MAX_BYTES)
        for name, a in arrays.items():
            if a.dtype != np.float64:
                raise BadInput(f"{path}: {name} has dtype {a.dtype}, expected float64")
        if (found := digest(arrays)) != sha256:
            raise BadInput(f"{path}: its arrays have the digest {found}, not the one in its name: it was changed")
        self.add(arrays)
        return self._sets[sha256]


def read_npz(path: Path, limit: int) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz of at most `limit` bytes. Nothing in it is executed; sizes are checked first.

    Raises:
        BadInput: unreadable, not an .npz, truncated, damaged, too large, Python objects, or a name twice.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if (size := sum(m.file_size for m in members)) > limit:
                raise BadInput(f"{path}: {size} bytes unpacked, at most {limit} are read")
            names = [m.filename.removesuffix(".npy") for m in members]
            if len(set(names)) < len(names) or any(not m.filename.endswith(".npy") for m in members):
                raise BadInput(f"{path}: holds {[m.filename for m in members]}, expected distinct NAME.npy only")
            return {name: _array(archive.read(m), name) for name, m in zip(names, members, strict=True)}
    except BadInput:
        raise
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror or error}); expected an .npz file") from None
    except Exception as error:  # a hostile or damaged file may fail anywhere in zip, zlib or the header
        raise BadInput(f"{path}: not a whole .npz file ({type(error).__name__}: {error})") from None


def _array(member: bytes, name: str) -> NDArray[Any]:
    """One .npy file's array, a copy."""
    stream = io.BytesIO(member)
    version = np.lib.format.read_magic(stream)
    if version not in _HEADERS:
        raise ValueError(f"{name} has .npy version {version}, expected (1, 0) or (2, 0)")
    shape, fortran, dtype = _HEADERS[version](stream)
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects, expected numbers")
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(member) - stream.tell():
        raise ValueError(f"{name} has {len(member) - stream.tell()} bytes for shape {shape} of {dtype}")
    return np.ndarray(shape, dtype, member, stream.tell(), order="F" if fortran else "C").copy(order="C")


def expect_shapes(what: str, arrays: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise `BadInput` unless the arrays have exactly these names and shapes."""
    if set(arrays) != set(shapes):
        raise BadInput(f"{what}: arrays {sorted(arrays)}, expected {sorted(shapes)}")
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            raise BadInput(f"{what}: {name} has shape {arrays[name].shape}, the spec's sizes ask for {shape}")


def inputs(spec: Spec, arrays: ArrayStore) -> tuple[Array, Array]:
    """The data of a Spec: x (n,d) and y (n,dout), fresh float64 arrays.

    Order of draws: x, n·d numbers; then the labels, n·dout. "sphere" rescales each row of x to norm √q.

    Raises:
        BadInput: orthogonal labels with n <= d, or arrays of other names or shapes than the spec's.
    """
    n, d, dout = spec.n, spec.d, spec.dout
    if isinstance(spec.data, ArraysData):
        given = arrays.resolve(spec.data.arrays)
        expect_shapes("data.arrays", given, {"x": (n, d), "y": (n, dout)})
        return given["x"].copy(), given["y"] * spec.data.label_scale
    if spec.data.labels == "orthogonal" and n <= d:
        raise BadInput(f"data.labels: orthogonal needs more samples than input dimensions, got n={n}, d={d}; take n > d or labels gaussian")
    random = np.random.RandomState(spec.data.seed)
    x = random.standard_normal((n, d))  # [sample d]
    y = random.standard_normal((n, dout))  # [sample dout]
    if spec.data.kind == "sphere":
        x *= math.sqrt(spec.q) / np.linalg.norm(x, axis=1, keepdims=True)
    if spec.data.labels == "orthogonal":
        basis = np.linalg.qr(x)[0]  # [sample d]
        y -= basis @ (basis.T @ y)
    return x, y * spec.data.label_scale


def stored(folder: Path) -> ArrayStore:
    """Every set of arrays in a folder; empty if there is no such folder."""
    store = ArrayStore()
    for path in sorted(folder.glob("*.npz")):
        store.load(folder, path.stem)
    return store
