"""Real data: a user's .csv or .npz file, or a set bundled with scikit-learn, as x, y and a statement of them.

`read` takes at most 100 rows by a seed, standardises them and says so in `UserData.description`;
`UserData.scaled(q)` then gives the rows norm √q, as the sphere's. A user's file is never repaired: what
cannot be taken as it stands is refused with its row and column.

    >>> data = read("sklearn:diabetes", (), seed=0)
    >>> data.x.shape, data.description["rows_available"]
    ((100, 10), 442)
"""

from __future__ import annotations

import csv
import importlib
import math
import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from depthlimit.models.data import read_npz
from depthlimit.models.spec import BadInput
from depthlimit.theory.quantity import Array

MAX_BYTES = 200_000_000
MIN_ROWS = 4
NAMED = ("iris", "wine", "breast_cancer", "digits", "diabetes", "linnerud")  # bundled: nothing is downloaded
ACCEPTED = f"a .csv file, an .npz file, or sklearn:NAME with NAME one of {', '.join(NAMED)}"
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE)
_MISSING = {"", "na", "n/a", "nan", "+nan", "-nan", "null", "none", "?", "-"}
_U = 2.0**-53  # unit roundoff


@dataclass(frozen=True, eq=False)
class UserData:
    """Data taken from a source.

    Args:
        x: standardised features (n, d).
        y: standardised targets, or one-hot labels as they are (n, dout).
        description: JSON-able: source, features, targets, rows_available, rows_taken (from 1), seed, dropped,
            one_hot, feature_mean, feature_deviation, target_mean, target_deviation (None for one-hot labels),
            and sentences, which say all that matters of it to a reader.
    """

    x: Array  # [sample d]
    y: Array  # [sample dout]
    description: dict[str, Any]

    def scaled(self, q: int) -> Array:
        """x with each row rescaled to norm √q, a fresh array (n, d)."""
        return np.ascontiguousarray(self.x * (math.sqrt(q) / np.linalg.norm(self.x, axis=1, keepdims=True)))


@dataclass(frozen=True, eq=False)
class _Table:
    """Columns as they were found."""

    source: str
    features: tuple[str, ...]
    targets: tuple[str, ...]
    x: Array  # [row feature]
    y: Array  # [row target]
    named: bool = False  # of scikit-learn: its constant columns are dropped rather than refused
    one_hot: bool = False


def read(source: str, targets: Sequence[str], seed: int, max_rows: int = 100) -> UserData:
    """Features and targets from a source, at most `max_rows` rows, standardised over these rows.

    Args:
        source: a path ending with .csv (header row, comma, UTF-8) or .npz (x (n,d), y (n,) or (n,dout)), or
            sklearn:NAME.
        targets: target columns of a .csv; empty for the last column.
        seed: of the draw of rows, `RandomState(seed).permutation`; they keep their order.
        max_rows: at least 4.

    Raises:
        BadInput: the source, a row, a column or a value that cannot be taken, with what is accepted.
    """
    if max_rows < MIN_ROWS:
        raise ValueError(f"max_rows must be at least {MIN_ROWS}, got {max_rows}")
    if not 0 <= seed < 2**32:
        raise BadInput(f"seed: {seed}, expected an integer from 0 to 2^32 - 1")
    table = _table(source, targets)
    if (available := len(table.x)) < MIN_ROWS:
        raise BadInput(f"{source}: {available} data rows, at least {MIN_ROWS} are needed")
    _refuse_infinite(table)
    rows = np.sort(np.random.RandomState(seed).permutation(available)[:max_rows])
    taken = replace(table, x=table.x[rows], y=table.y[rows])
    dropped: tuple[str, ...] = ()
    if table.named:
        taken, dropped = _drop_constant(taken)
    else:
        _refuse_constant(table, f"all {available} rows")
        _refuse_constant(taken, f"the {len(rows)} of {available} rows taken with seed {seed}")
    x, feature_mean, feature_deviation = _standardise(taken.x)
    y, target_mean, target_deviation = (taken.y, None, None) if taken.one_hot else _standardise(taken.y)
    _refuse_zero_rows(taken, x, rows)
    description = {
        "source": _short(source),
        "features": list(taken.features),
        "targets": list(taken.targets),
        "rows_available": available,
        "rows_taken": [int(i) + 1 for i in rows],
        "seed": seed,
        "dropped": list(dropped),
        "one_hot": taken.one_hot,
        "feature_mean": feature_mean,
        "feature_deviation": feature_deviation,
        "target_mean": target_mean,
        "target_deviation": target_deviation,
        "sentences": _sentences(taken, dropped, available, seed),
    }
    return UserData(np.ascontiguousarray(x), np.ascontiguousarray(y), description)


def _short(source: str) -> str:
    """The source without its folder: records and reports hold no paths."""
    return source if source.startswith("sklearn:") else Path(source).name


def _sentences(taken: _Table, dropped: Sequence[str], available: int, seed: int) -> list[str]:
    def columns(names: Sequence[str]) -> str:
        return f"({len(names)}): {', '.join(names)}."

    n = len(taken.x)
    how = "all rows" if n == available else f"drawn with seed {seed} and kept in order"
    lines = [
        f"{_short(taken.source)}: {n} of {available} rows, {how}.",
        f"Features {columns(taken.features)}",
        f"{'One-hot labels' if taken.one_hot else 'Targets'} {columns(taken.targets)}",
    ]
    if dropped:
        lines.append(f"Features dropped because they are constant on these rows {columns(dropped)}")
    which = "feature" if taken.one_hot else "feature and target"
    lines.append(f"Each {which} column is centred and divided by its standard deviation over these rows.")
    if taken.one_hot:
        lines.append("The labels are left as they are.")
    lines.append("Then each row of features is rescaled to norm √q.")
    return lines


# ---------------------------------------------------------------------------------------------- sources


def _table(source: str, targets: Sequence[str]) -> _Table:
    if source.startswith("sklearn:"):
        _refuse_targets(source, targets, "a named set has its own targets")
        return _named(source)
    path = Path(source)
    kind = path.suffix.lower()
    if kind not in (".csv", ".npz"):
        raise BadInput(f"{source!r}: no kind of data that is read; accepted: {ACCEPTED}")
    try:
        if not path.is_file():
            problem = "not a file" if path.exists() else "no such file"
            raise BadInput(f"{source}: {problem}; accepted: {ACCEPTED}")
        size = path.stat().st_size
    except OSError as error:
        raise BadInput(f"{source}: cannot be read ({error.strerror}); accepted: {ACCEPTED}") from None
    if size == 0:
        raise BadInput(f"{source}: an empty file; accepted: {ACCEPTED}")
    if size > MAX_BYTES:
        raise BadInput(f"{source}: {size} bytes, at most {MAX_BYTES} are read")
    if kind == ".csv":
        return _csv(source, targets)
    _refuse_targets(source, targets, "the targets of an .npz are its array y")
    return _npz(source)


def _refuse_targets(source: str, targets: Sequence[str], reason: str) -> None:
    if targets:
        raise BadInput(f"--target {targets[0]}: it names columns of a .csv, but for {source} {reason}")


def _named(source: str) -> _Table:
    name = source.removeprefix("sklearn:")
    if name not in NAMED:
        raise BadInput(f"{source}: no such set; accepted: sklearn:NAME with NAME one of {', '.join(NAMED)}")
    try:
        datasets = importlib.import_module("sklearn.datasets")
    except ImportError as error:
        raise BadInput(f"{source}: scikit-learn cannot be imported ({error}); pip install 'depthlimit[data]' installs it") from None
    bunch = getattr(datasets, f"load_{name}")()
    x, y = np.array(bunch.data, dtype=np.float64), np.asarray(bunch.target)
    features = tuple(str(f) for f in bunch.feature_names)
    if name == "diabetes":
        y = y[:, None].astype(np.float64)
        return _Table(source, features, ("disease progression",), x, y, named=True)
    names = tuple(str(t) for t in bunch.target_names)
    if name == "linnerud":
        return _Table(source, features, names, x, y.astype(np.float64), named=True)
    labels = np.eye(len(names))[y]  # every class has its column, even one of which no row is taken
    return _Table(source, features, names, x, labels, named=True, one_hot=True)


def _npz(source: str) -> _Table:
    arrays = read_npz(Path(source), MAX_BYTES)
    if set(arrays) != {"x", "y"}:
        raise BadInput(f"{source}: arrays {sorted(arrays)}, expected x (n,d) and y (n,) or (n,dout) only")
    for name, a in arrays.items():
        if a.dtype.kind not in "fiu" or a.dtype.itemsize > 8:
            raise BadInput(f"{source}: {name} has dtype {a.dtype}, expected real numbers of at most 64 bits")
    x, y = arrays["x"], arrays["y"]
    if x.ndim != 2 or y.ndim not in (1, 2) or len(x) != len(y):
        raise BadInput(f"{source}: x has shape {x.shape} and y {y.shape}, expected (n,d) and (n,) or (n,dout)")
    y = y[:, None] if y.ndim == 1 else y
    if x.shape[1] == 0 or y.shape[1] == 0:
        raise BadInput(f"{source}: x has {x.shape[1]} columns and y {y.shape[1]}, at least one each is needed")
    features, targets = (tuple(f"{name}[:, {j}]" for j in range(a.shape[1])) for name, a in (("x", x), ("y", y)))
    return _Table(source, features, targets, x.astype(np.float64), y.astype(np.float64))


def _csv(source: str, targets: Sequence[str]) -> _Table:
    numbers = array("d")
    try:
        with open(source, encoding="utf-8-sig", newline="") as file:
            records = csv.reader(file, strict=True)
            header = _header(source, next(records, []))
            wanted = _target_columns(source, header, targets)
            for values in _rows(source, header, records):
                numbers.extend(values)
    except UnicodeDecodeError as error:
        raise BadInput(f"{source}: not UTF-8 text ({error}); expected a .csv saved as UTF-8") from None
    except csv.Error as error:
        raise BadInput(f"{source}: no .csv with commas and double quotes ({error})") from None
    except OSError as error:
        raise BadInput(f"{source}: cannot be read ({error.strerror}); accepted: {ACCEPTED}") from None
    table: Array = np.array(numbers, dtype=np.float64).reshape(-1, len(header))
    rest = [j for j in range(len(header)) if j not in wanted]
    names, chosen = tuple(header[j] for j in rest), tuple(header[j] for j in wanted)
    return _Table(source, names, chosen, table[:, rest], table[:, wanted])


def _header(source: str, cells: Sequence[str]) -> list[str]:
    header = [cell.strip() for cell in cells]
    if not header:
        raise BadInput(f"{source}: the first line is empty, expected a header row with the columns' names")
    for j, name in enumerate(header):
        if not name:
            raise BadInput(f"{source}: column {j + 1} has no name in the header row")
        if name in header[:j]:
            raise BadInput(f"{source}: columns {header.index(name) + 1} and {j + 1} are both called {name}")
    if all(_NUMBER.fullmatch(name) for name in header):
        raise BadInput(f"{source}: the first row holds only numbers ({header[0]}, ...), expected a header row")
    return header


def _target_columns(source: str, header: Sequence[str], targets: Sequence[str]) -> list[int]:
    for i, name in enumerate(targets):
        if name not in header:
            raise BadInput(f"--target {name}: no such column in {source}; accepted: {', '.join(header)}")
        if name in targets[:i]:
            raise BadInput(f"--target {name}: given twice")
    wanted = [header.index(name) for name in targets] or [len(header) - 1]
    if len(wanted) == len(header):
        raise BadInput(
            f"{source}: no feature column is left, each column is a target: {', '.join(header)} (columns are separated by commas)"
        )
    return wanted


def _rows(source: str, header: Sequence[str], records: Iterator[list[str]]) -> Iterator[list[float]]:
    """The numbers of each data row; empty lines are accepted at the end of the file only."""
    empty = 0
    for i, record in enumerate(records, start=1):
        if not record:
            empty = empty or i
            continue
        if empty or len(record) != len(header):
            row, found = (empty, 0) if empty else (i, len(record))
            raise BadInput(f"{source}: row {row} has {found} values, the header row has {len(header)}")
        yield [_number(source, i, name, cell.strip()) for name, cell in zip(header, record, strict=True)]


def _number(source: str, row: int, column: str, cell: str) -> float:
    if _NUMBER.fullmatch(cell):
        return float(cell)  # one that is too large becomes infinite, which is refused later
    infinite = _NOT_FINITE.fullmatch(cell) is not None
    what = "a missing value" if cell.lower() in _MISSING else "a value that is not finite" if infinite else "text"
    raise BadInput(f"{source}: row {row}, column {column}: {what} ({cell[:40]!r}), expected a finite number")


# ---------------------------------------------------------------------------------- checks and scaling


def _columns(table: _Table) -> Iterator[tuple[str, Array]]:
    yield from zip(table.features, table.x.T, strict=True)
    yield from zip(table.targets, table.y.T, strict=True)


def _refuse_infinite(table: _Table) -> None:
    for name, column in _columns(table):
        finite = np.isfinite(column)
        if not finite.all():
            i = int(np.argmin(finite))
            what = "a missing value" if np.isnan(column[i]) else "a value that is not finite"
            raise BadInput(f"{table.source}: row {i + 1}, column {name}: {what} ({column[i]}), expected a finite number")


def _unit(column: Array) -> tuple[Array, int]:
    """The column divided, exactly, by 2^e so that its peak is in [1/2, 1): its squares cannot overflow."""
    exponent = int(np.frexp(np.max(np.abs(column)))[1])
    return np.ldexp(column, -exponent), exponent


def _constant(column: Array) -> bool:
    """Whether the spread is within the mean's rounding error: n - 1 additions and a division, each of u."""
    unit, _ = _unit(column)
    return bool(np.ptp(unit) <= len(column) * _U)


def _refuse_constant(table: _Table, where: str) -> None:
    for name, column in _columns(table):
        if _constant(column):
            raise BadInput(
                f"{table.source}: column {name} is constant on {where} ({column[0]}), so there is no "
                "standard deviation to divide by; leave the column out"
            )


def _drop_constant(table: _Table) -> tuple[_Table, tuple[str, ...]]:
    keep = [j for j in range(len(table.features)) if not _constant(table.x[:, j])]
    dropped = tuple(name for j, name in enumerate(table.features) if j not in keep)
    if not keep:
        raise BadInput(f"{table.source}: each feature column is constant on the rows taken; try another seed")
    return replace(table, x=table.x[:, keep], features=tuple(table.features[j] for j in keep)), dropped


def _standardise(columns: Array) -> tuple[Array, list[float], list[float]]:
    """Columns centred and divided by their standard deviation (1/n), the means, and the deviations."""
    out, means, deviations = np.empty(columns.shape), [], []
    for j, column in enumerate(columns.T):
        unit, exponent = _unit(column)
        mean, deviation = np.mean(unit), np.std(unit)
        out[:, j] = (unit - mean) / deviation
        means.append(float(np.ldexp(mean, exponent)))
        deviations.append(float(np.ldexp(deviation, exponent)))
    return out, means, deviations


def _refuse_zero_rows(taken: _Table, x: Array, rows: NDArray[np.intp]) -> None:
    """Refuse a row that equals the mean of every column: it has no direction, only rounding errors.

    For columns of peak below 1 the mean is within n u and the subtraction adds u; the deviation divides both.
    """
    error = np.array([(len(x) + 2) * _U / np.std(_unit(column)[0]) for column in taken.x.T])
    small = np.flatnonzero(np.linalg.norm(x, axis=1) <= np.linalg.norm(error))
    if len(small):
        raise BadInput(
            f"{taken.source}: row {int(rows[small[0]]) + 1} is zero after standardisation (each feature is "
            "at its mean), so it cannot be rescaled to norm √q; leave the row out or try another seed"
        )
