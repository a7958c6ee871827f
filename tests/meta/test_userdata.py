"""A user's data are taken as stated, or refused with the row, the column and what is accepted."""

from __future__ import annotations

import csv
import importlib
import json
import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from depthlimit.models import userdata
from depthlimit.models.spec import BadInput
from depthlimit.models.userdata import NAMED, UserData, read

U = 2.0**-53
GOOD = "a,b,c\n1,2,3\n2,1,5\n4,0.5,1e1\n-3,+7.,.5\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., str]:
    def _write(content: str | bytes, name: str = "data.csv") -> str:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    return _write


@pytest.fixture
def npz(tmp_path: Path) -> Callable[..., str]:
    def _npz(**arrays: Any) -> str:
        path = tmp_path / "data.npz"
        np.savez(path, **arrays)
        return str(path)

    return _npz


def refused(source: str, *fragments: str, targets: tuple[str, ...] = (), seed: int = 0, **options: int) -> str:
    with pytest.raises(BadInput) as caught:
        read(source, targets, seed, **options)
    message = str(caught.value)
    for fragment in fragments:
        assert fragment in message, message
    return message


def standard(v: Any) -> tuple[Any, float]:
    """Columns standardised in another way, and the rounding by which two computations may differ.

    In deviations, the largest value is `peak`, so the mean is off by n u peak, the difference 2 u peak more
    and the values by u peak; the deviation has that relative error too, and multiplies values of at most √n.
    """
    mean, deviation, n = np.mean(v, axis=0), np.sqrt(np.mean((v - np.mean(v, axis=0)) ** 2, axis=0)), len(v)
    peak = float(np.max(np.abs(mean / deviation))) + math.sqrt(n)
    return (v - mean) / deviation, 2 * (n + 5) * U * peak * (1 + math.sqrt(n))


def standardised(data: UserData, q: int = 7) -> None:
    """The promises about numbers, up to rounding, and that the description is JSON."""
    n, d = len(data.x), data.description
    for a, name in [(data.x, "feature")] + [(data.y, "target")] * (not d["one_hot"]):
        # No value is further than √n deviations from the mean. The mean is off by n u of the largest value,
        # `peak` deviations, and again here; the deviation likewise; four more roundings of that size.
        ratio = np.abs(np.array(d[f"{name}_mean"]) / d[f"{name}_deviation"])
        peak = ratio.max() + math.sqrt(n)
        assert np.abs(a.mean(axis=0)).max() <= 2 * (n + 4) * U * peak
        assert np.abs(a.std(axis=0) - 1).max() <= 2 * (n + 4) * U * peak
    # The norm, its root and the product: (d/2 + 6) u of √q, and as much for the norm taken here.
    norms = np.linalg.norm(data.scaled(q), axis=1)
    assert np.abs(norms / math.sqrt(q) - 1).max() <= (data.x.shape[1] + 12) * U
    for a in (data.x, data.y, data.scaled(q)):
        assert a.dtype == np.float64 and a.flags.c_contiguous and a.ndim == 2
    assert json.loads(json.dumps(data.description, allow_nan=False)) == data.description


# -------------------------------------------------------------------------------------- good .csv


def test_the_last_column_is_the_target_unless_others_are_named(write: Callable[..., str]) -> None:
    data = read(write(GOOD), (), 0)
    table = np.array([[1, 2, 3], [2, 1, 5], [4, 0.5, 10], [-3, 7, 0.5]])
    wanted, error = standard(table)
    assert np.abs(data.x - wanted[:, :2]).max() <= error
    assert np.abs(data.y - wanted[:, 2:]).max() <= error
    standardised(data)
    other = read(write(GOOD), ("c", "a"), 0)
    assert np.abs(other.y - wanted[:, [2, 0]]).max() <= error
    assert np.abs(other.x - wanted[:, [1]]).max() <= error
    assert (other.description["features"], other.description["targets"]) == (["b"], ["c", "a"])


def test_the_description_says_what_was_done(write: Callable[..., str]) -> None:
    description = read(write(GOOD), (), 0).description
    assert description["sentences"] == [
        "data.csv: 4 of 4 rows, all rows.",
        "Features (2): a, b.",
        "Targets (1): c.",
        "Each feature and target column is centred and divided by its standard deviation over these rows.",
        "Then each row of features is rescaled to norm √q.",
    ]
    assert description["rows_taken"] == [1, 2, 3, 4] and description["rows_available"] == 4
    assert description["feature_mean"] == [1.0, 2.625] and description["target_mean"] == [4.625]
    assert description["feature_deviation"][0] == pytest.approx(math.sqrt(6.5), rel=8 * U)  # 8 operations
    assert os.sep not in json.dumps(description)


@pytest.mark.parametrize(
    "content",
    [
        "\ufeff" + GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.rstrip("\n"),
        GOOD + "\n\n",
        GOOD.replace(",", " , "),
        GOOD.replace("a,b", '"a","b"').replace("1,2,3", '"1","2","3"'),
    ],
    ids=["byte order mark", "CRLF", "no last newline", "empty last lines", "blanks", "quotes"],
)
def test_harmless_dialects_of_csv_are_the_same_data(write: Callable[..., str], content: str) -> None:
    plain, other = read(write(GOOD), (), 0), read(write(content, "other.CSV"), (), 0)
    assert np.array_equal(plain.x, other.x) and np.array_equal(plain.y, other.y)
    assert other.description["features"] == ["a", "b"]


@given(
    table=st.integers(4, 12).flatmap(
        lambda n: st.lists(
            st.lists(st.floats(-1e3, 1e3).map(lambda v: round(v, 3)), min_size=n, max_size=n),
            min_size=2,
            max_size=4,
        )
    )
)
def test_what_is_written_to_a_csv_is_what_is_read(table: list[list[float]], tmp_path_factory: pytest.TempPathFactory) -> None:
    columns = np.array(table)
    assume((columns.std(axis=1) > 1e-3).all())
    path = tmp_path_factory.mktemp("csv") / "t.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([f"name, {j}" for j in range(len(columns))])
        writer.writerows(columns.T.tolist())
    assume((np.abs(columns[:-1].T - columns[:-1].mean(axis=1)).max(axis=1) > 1e-6).all())
    data = read(str(path), (), 0)
    standardised(data)
    d = data.description
    assert d["features"] == [f"name, {j}" for j in range(len(columns) - 1)]
    back = [
        data.x * d["feature_deviation"] + d["feature_mean"],
        data.y * d["target_deviation"] + d["target_mean"],
    ]
    # Subtraction, quotient, product and sum: 4 roundings of numbers of size at most |v| + |mean| <= 2e3.
    assert np.abs(np.concatenate(back, axis=1) - columns.T).max() <= 4 * U * 2e3


@pytest.mark.parametrize("factor", [1e-300, 1e-12, 1e12, 1e300])
def test_the_unit_of_a_column_does_not_matter(write: Callable[..., str], factor: float) -> None:
    rows: list[list[float]] = [[1, 2, 3], [2, 1, 5], [4, 0.5, 10], [-3, 7, 0.5]]
    _, error = standard(np.array(rows))
    text = "a,b,c\n" + "\n".join(",".join(repr(v * factor) for v in row) for row in rows)
    plain, other = read(write(GOOD), (), 0), read(write(text, "other.csv"), (), 0)
    standardised(other)
    assert np.abs(plain.x - other.x).max() <= error and np.abs(plain.y - other.y).max() <= error


# ------------------------------------------------------------------------------------------- rows


def long_csv(n: int) -> str:
    """No selection of rows makes a column constant, nor a row the mean of both features."""
    return "i,v,t\n" + "".join(f"{i},{i * i},{-i}\n" for i in range(n))


@given(n=st.integers(5, 60), seed=st.integers(0, 2**32 - 1), most=st.integers(5, 30))
def test_rows_are_drawn_by_the_seed_and_keep_their_order(n: int, seed: int, most: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("rows") / "t.csv"
    path.write_text(long_csv(n))
    d = read(str(path), (), seed, max_rows=most).description
    rows = np.random.RandomState(seed).permutation(n)[:most]
    assert d["rows_taken"] == sorted(int(i) + 1 for i in rows)
    assert d["rows_available"] == n and d["seed"] == seed
    taken = [i - 1 for i in d["rows_taken"]]
    assert d["feature_mean"][0] == pytest.approx(np.mean(taken), rel=2 * n * U)


def test_at_most_a_hundred_rows_and_another_seed_takes_others(write: Callable[..., str]) -> None:
    source = write(long_csv(150))
    first, again, other = (read(source, (), seed) for seed in (0, 0, 1))
    assert len(first.x) == 100 and len(set(first.description["rows_taken"])) == 100
    assert np.array_equal(first.x, again.x) and np.array_equal(first.y, again.y)
    assert first.description == again.description
    assert first.description["rows_taken"] != other.description["rows_taken"]
    assert "data.csv: 100 of 150 rows, drawn with seed 0 and kept in order." in first.description["sentences"]


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_out_of_range_is_refused(write: Callable[..., str], seed: int) -> None:
    refused(write(GOOD), f"seed: {seed}", "0 to 2^32 - 1", seed=seed)


def test_a_programmer_cannot_ask_for_too_few_rows(write: Callable[..., str]) -> None:
    with pytest.raises(ValueError, match="max_rows must be at least 4, got 3"):
        read(write(GOOD), (), 0, max_rows=3)


# --------------------------------------------------------------------------------------- bad .csv


def cell(value: str, row: int = 3) -> str:
    lines = GOOD.splitlines()
    values = lines[row].split(",")
    lines[row] = ",".join([values[0], value, values[2]])
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("value", ["", " ", "NA", "nan", "NaN", "-nan", "null", "None", "?", "n/a", "-"])
def test_a_missing_value_is_refused_with_row_and_column(write: Callable[..., str], value: str) -> None:
    refused(write(cell(value)), f"row 3, column b: a missing value ({value.strip()!r}), expected a finite number")


@pytest.mark.parametrize("value", ["inf", "-Infinity", "+INF"])
def test_an_infinite_value_is_refused_with_row_and_column(write: Callable[..., str], value: str) -> None:
    refused(write(cell(value, 2)), f"row 2, column b: a value that is not finite ({value!r})")


def test_a_number_too_large_for_float64_is_refused_as_infinite(write: Callable[..., str]) -> None:
    refused(write(cell("-1e999", 4)), "row 4, column b: a value that is not finite (-inf)")


@pytest.mark.parametrize(
    "value",
    ["red", "1_000", "0x10", "1e", "1.2.3", "--1", "٣", "1 2", "1d3", "True", '"1,5"', "e5", ".", "1\0"],
)
def test_text_is_refused_with_row_column_and_value(write: Callable[..., str], value: str) -> None:
    refused(write(cell(value, 1)), f"row 1, column b: text ({value.strip(chr(34))!r}), expected a finite number")


def test_a_long_text_is_cut_in_the_message(write: Callable[..., str]) -> None:
    message = refused(write(cell("x" * 5000)), "row 3, column b: text")
    assert len(message) < 400


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        ("a,b,c\n1,2,3\n1,2\n3,4,5\n5,6,7\n", "row 2 has 2 values, the header row has 3"),
        ("a,b,c\n1,2,3\n1,2,3\n3,4,5\n5,6,7,\n", "row 4 has 4 values, the header row has 3"),
        ("a,b,c\n1,2,3\n\n3,4,5\n5,6,7\n", "row 2 has 0 values, the header row has 3"),
        ("a,b,c\n1,2,3\n\n", "1 data rows, at least 4 are needed"),
        ("a,b,c\n", "0 data rows, at least 4 are needed"),
        ("a,b,c\n1,2,3\n4,5,6\n8,7,9\n", "3 data rows, at least 4 are needed"),
        ("", "an empty file"),
        ("\n1,2\n", "the first line is empty, expected a header row"),
        ("a,b,a\n1,2,3\n", "columns 1 and 3 are both called a"),
        ("a,b, a \n1,2,3\n", "columns 1 and 3 are both called a"),
        (",b,c\n0,2,3\n", "column 1 has no name in the header row"),
        ("a,b,\n0,2,3\n", "column 3 has no name in the header row"),
        ("1,2,3\n4,5,6\n", "the first row holds only numbers (1, ...), expected a header row"),
        ("a\n1\n2\n3\n4\n", "no feature column is left, each column is a target: a"),
        (
            "a;b\n1;2\n2;1\n3;5\n4;4\n",
            "no feature column is left, each column is a target: a;b (columns are separated by",
        ),
        ('a,b\n1,"2\n3,4\n', "no .csv with commas and double quotes (unexpected end of data)"),
        ('a,b\n1,"2"3\n3,4\n', "no .csv with commas and double quotes"),
        ("a,b\n" + "1" * 200_000 + ",2\n", "no .csv with commas and double quotes (field larger"),
        (GOOD.replace("1,2,3", "1,\xe9,3").encode("latin-1"), "not UTF-8 text"),
        (GOOD.encode("utf-16"), "not UTF-8 text"),
    ],
)
def test_a_malformed_csv_is_refused(write: Callable[..., str], content: str | bytes, fragment: str) -> None:
    source = write(content)
    assert refused(source, fragment).startswith(f"{source}: ")


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("b", [2, 2, 2, 2]),
        ("c", [7, 7, 7, 7]),
        ("a", [0, 0, 0, 0]),
        ("b", [0.1, 0.1, 0.1, 0.1]),
        ("a", [1e16, 1e16 + 2, 1e16, 1e16 + 2]),  # a spread within the rounding of the mean
    ],
)
def test_a_constant_column_is_refused_by_name(write: Callable[..., str], column: str, values: list[float]) -> None:
    rows = [line.split(",") for line in GOOD.splitlines()[1:]]
    for row, value in zip(rows, values, strict=True):
        row["abc".index(column)] = repr(value)
    source = write("a,b,c\n" + "\n".join(",".join(row) for row in rows))
    refused(source, f"column {column} is constant on all 4 rows ({float(values[0])})", "leave the column out")


@pytest.mark.parametrize("column", ["f", "t"])
def test_a_column_constant_on_the_rows_taken_is_refused_as_such(write: Callable[..., str], column: str) -> None:
    left_out = set(range(300)) - set(np.random.RandomState(0).permutation(300)[:100].tolist())
    odd = min(left_out)
    values: dict[str, Callable[[int], float]] = {"i": lambda i: i, "f": lambda i: i % 7, "t": lambda i: i % 3}
    values[column] = lambda i: 9.5 if i == odd else 0.25
    text = "i,f,t\n" + "".join(",".join(str(v(i)) for v in values.values()) + "\n" for i in range(300))
    source = write(text)
    refused(source, f"column {column} is constant on the 100 of 300 rows taken with seed 0 (0.25)")
    seed = next(s for s in range(1, 50) if odd in np.random.RandomState(s).permutation(300)[:100])
    standardised(read(source, (), seed))


def test_a_row_at_the_mean_of_every_feature_is_refused(write: Callable[..., str]) -> None:
    source = write("a,b,t\n0.1,3,1\n0.3,1,2\n0.2,2,3\n0.3,3,4\n0.1,1,5\n")
    refused(source, "row 3 is zero after standardisation", "leave the row out")


@pytest.mark.parametrize(
    ("targets", "fragment"),
    [
        (("z",), "--target z: no such column in"),
        (("z",), "accepted: a, b, c"),
        (("c", "c"), "--target c: given twice"),
        (("a", "b", "c"), "no feature column is left, each column is a target: a, b, c"),
        (("A",), "--target A: no such column"),
        (("",), "--target : no such column"),
    ],
)
def test_a_target_must_be_a_column(write: Callable[..., str], targets: tuple[str, ...], fragment: str) -> None:
    refused(write(GOOD), fragment, targets=targets)


# ------------------------------------------------------------------------------------ the source


@pytest.mark.parametrize(
    "source",
    ["data.txt", "data", "data.csv.gz", "", ".csv", "data.npy", "sklearn", "SKLEARN:iris", "data.pkl"],
)
def test_another_kind_of_source_is_refused_with_what_is_accepted(source: str) -> None:
    refused(source, "accepted: a .csv file, an .npz file, or sklearn:NAME with NAME one of iris, wine")


@pytest.mark.parametrize("name", ["missing.csv", "missing.npz", "a\0.csv", "missing/folder/x.csv"])
def test_a_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    refused(str(tmp_path / name), "no such file", "accepted: a .csv file")


@pytest.mark.parametrize("suffix", ["csv", "npz"])
def test_a_folder_an_empty_file_and_a_huge_one_are_refused(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"folder.{suffix}").mkdir()
    refused(str(tmp_path / f"folder.{suffix}"), "not a file")
    (tmp_path / f"empty.{suffix}").touch()
    refused(str(tmp_path / f"empty.{suffix}"), "an empty file")
    huge = tmp_path / f"huge.{suffix}"
    with huge.open("wb") as file:
        file.truncate(200_000_001)  # sparse: takes no room
    refused(str(huge), "200000001 bytes, at most 200000000 are read")


@pytest.mark.parametrize("name", ["t.csv", "t.npz"])
def test_a_file_that_cannot_be_opened_is_refused(write: Callable[..., str], monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    source = write(GOOD, name)

    def refuse(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr("io.open", refuse)
    refused(source, f"{source}: cannot be read (Permission denied)")


# --------------------------------------------------------------------------------------------- .npz

X = np.array([[1.0, 2], [2, 1], [4, 0.5], [-3, 7]])
Y = np.array([3, 5, 10, 0.5])


@pytest.mark.parametrize("y", [Y, Y[:, None], np.stack([Y, -(Y**2)], axis=1)], ids=["(n,)", "(n,1)", "(n,2)"])
def test_an_npz_is_read_like_the_csv_of_the_same_numbers(write: Callable[..., str], npz: Callable[..., str], y: Any) -> None:
    data, same = read(npz(x=X, y=y), (), 0), read(write(GOOD), (), 0)
    standardised(data)
    assert np.array_equal(data.x, same.x) and np.array_equal(data.y[:, :1], same.y)
    assert data.y.shape == (4, y.shape[1] if y.ndim == 2 else 1)
    assert data.description["features"] == ["x[:, 0]", "x[:, 1]"]
    assert data.description["targets"] == [f"y[:, {j}]" for j in range(data.y.shape[1])]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int8, np.uint64, ">f8", ">i4"])
def test_real_numbers_of_any_width_are_read(npz: Callable[..., str], dtype: Any) -> None:
    x = np.array([[1, 20], [2, 10], [40, 5], [3, 70]])
    wide = read(npz(x=x, y=x[:, 0] % 3), (), 0)
    narrow = read(npz(x=np.asfortranarray(x.astype(dtype)), y=(x[:, 0] % 3).astype(dtype)), (), 0)
    assert np.array_equal(wide.x, narrow.x) and np.array_equal(wide.y, narrow.y)


BAD = X.copy()
BAD[2, 1] = np.nan
INFINITE = Y.copy()
INFINITE[1] = -np.inf


@pytest.mark.parametrize(
    ("arrays", "fragments"),
    [
        ({"x": X}, ["arrays ['x'], expected x (n,d) and y (n,) or (n,dout) only"]),
        ({"X": X, "y": Y}, ["arrays ['X', 'y']"]),
        ({"x": X, "y": Y, "z": Y}, ["arrays ['x', 'y', 'z']"]),
        ({}, ["arrays []"]),
        ({"x": Y, "y": Y}, ["x has shape (4,) and y (4,), expected (n,d)"]),
        ({"x": X[None], "y": Y}, ["x has shape (1, 4, 2)"]),
        ({"x": X, "y": np.float64(1)}, ["y ()"]),
        ({"x": X, "y": Y[:3]}, ["x has shape (4, 2) and y (3,)"]),
        ({"x": X, "y": X[:, :, None]}, ["y (4, 2, 1)"]),
        ({"x": X[:, :0], "y": Y}, ["x has 0 columns and y 1, at least one each is needed"]),
        ({"x": X, "y": X[:, :0]}, ["x has 2 columns and y 0"]),
        ({"x": X[:0], "y": Y[:0]}, ["0 data rows, at least 4 are needed"]),
        ({"x": X[:3], "y": Y[:3]}, ["3 data rows, at least 4"]),
        ({"x": X.astype(complex), "y": Y}, ["x has dtype complex128, expected real numbers"]),
        ({"x": X > 1, "y": Y}, ["x has dtype bool"]),
        ({"x": X, "y": np.array(["a", "b", "c", "d"])}, ["y has dtype <U1"]),
        ({"x": X, "y": np.array(["", "", "", ""])}, ["y has dtype <U1"]),
        ({"x": X, "y": Y.astype("M8[s]")}, ["y has dtype datetime64[s]"]),
        ({"x": X.astype(np.longdouble), "y": Y}, ["x has dtype", "at most 64 bits"]),
        ({"x": X.astype(object), "y": Y}, ["x holds Python objects"]),
        ({"x": np.zeros(4, dtype=[("a", float)]), "y": Y}, ["x has dtype [('a', '<f8')]"]),
        ({"x": BAD, "y": Y}, ["row 3, column x[:, 1]: a missing value (nan)"]),
        ({"x": X, "y": INFINITE}, ["row 2, column y[:, 0]: a value that is not finite (-inf)"]),
        ({"x": np.ones((4, 2)), "y": Y}, ["column x[:, 0] is constant on all 4 rows (1.0)"]),
        ({"x": X, "y": np.zeros(4)}, ["column y[:, 0] is constant on all 4 rows (0.0)"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_an_npz_of_other_arrays_is_refused(npz: Callable[..., str], arrays: dict[str, Any], fragments: list[str]) -> None:
    source = npz(**arrays)
    assert refused(source, *fragments).startswith(f"{source}: ")


def test_pickled_code_in_an_npz_is_never_run(npz: Callable[..., str], tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (os.mkdir, (str(tmp_path / "sprung"),))

    refused(npz(x=np.array([Trap()]), y=Y), "x holds Python objects")
    assert not (tmp_path / "sprung").exists()


def test_a_cut_or_foreign_npz_is_refused(write: Callable[..., str], npz: Callable[..., str]) -> None:
    whole = Path(npz(x=X, y=Y)).read_bytes()
    for cut in range(1, len(whole), 23):
        refused(write(whole[:cut], "cut.npz"), "not a whole .npz file")
    refused(write(GOOD, "text.npz"), "not a whole .npz file")
    damaged = whole.replace(X.tobytes(), np.ascontiguousarray(X + 1).tobytes())
    refused(write(damaged, "damaged.npz"), "not a whole .npz file", "CRC")


def test_an_npz_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, x=np.zeros((1000, 100)), y=np.zeros(1000))
    monkeypatch.setattr(userdata, "MAX_BYTES", 100_000)
    assert path.stat().st_size < 100_000
    refused(str(path), "bytes unpacked, at most 100000 are read")


@pytest.mark.parametrize("source", ["npz", "sklearn:iris"])
def test_a_target_applies_to_csv_only(npz: Callable[..., str], source: str) -> None:
    source = npz(x=X, y=Y) if source == "npz" else source
    refused(source, "--target y: it names columns of a .csv", source, targets=("y",))


# ---------------------------------------------------------------------------------- scikit-learn

SHAPES = {
    "iris": (150, 4, 3, True),
    "wine": (178, 13, 3, True),
    "breast_cancer": (569, 30, 2, True),
    "digits": (1797, 64, 10, True),
    "diabetes": (442, 10, 1, False),
    "linnerud": (20, 3, 3, False),
}


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("seed", [0, 1])
def test_named_sets_have_their_sizes_and_properties(name: str, seed: int) -> None:
    available, d, dout, one_hot = SHAPES[name]
    data = read(f"sklearn:{name}", (), seed)
    n = min(100, available)
    dropped = data.description["dropped"]
    assert data.x.shape == (n, d - len(dropped)) and data.y.shape == (n, dout)
    assert data.description["rows_available"] == available and data.description["source"] == f"sklearn:{name}"
    assert data.description["one_hot"] is one_hot
    assert len(data.description["features"]) == d - len(dropped)
    assert len(data.description["targets"]) == dout
    standardised(data)
    if one_hot:
        assert set(np.unique(data.y)) == {0.0, 1.0} and (data.y.sum(axis=1) == 1).all()
        assert data.description["target_mean"] is None
        assert "The labels are left as they are." in data.description["sentences"]


def test_named_sets_are_the_numbers_of_scikit_learn() -> None:
    bunch = importlib.import_module("sklearn.datasets").load_diabetes()
    data = read("sklearn:diabetes", (), 3)
    rows = [i - 1 for i in data.description["rows_taken"]]
    for found, columns in [(data.x, bunch.data[rows]), (data.y, bunch.target[rows][:, None])]:
        wanted, error = standard(columns)
        assert np.abs(found - wanted).max() <= error
    digits = importlib.import_module("sklearn.datasets").load_digits()
    data = read("sklearn:digits", (), 3)
    assert data.y.argmax(axis=1).tolist() == [digits.target[i - 1] for i in data.description["rows_taken"]]


def test_constant_columns_of_a_named_set_are_dropped_and_listed() -> None:
    bunch = importlib.import_module("sklearn.datasets").load_digits()
    data = read("sklearn:digits", (), 0)
    rows = [i - 1 for i in data.description["rows_taken"]]
    constant = [f for f, c in zip(bunch.feature_names, bunch.data[rows].T, strict=True) if np.ptp(c) == 0]
    assert data.description["dropped"] == constant
    # Columns 0, 32 and 39 are constant in the whole set; others only on the rows taken.
    assert {"pixel_0_0", "pixel_4_0", "pixel_4_7"} < set(constant)
    assert not set(constant) & set(data.description["features"])
    sentence = next(s for s in data.description["sentences"] if "dropped" in s)
    assert sentence.endswith(f"({len(constant)}): {', '.join(constant)}.")


def test_a_named_set_without_a_varying_feature_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(userdata, "_constant", lambda column: True)
    refused("sklearn:iris", "sklearn:iris: each feature column is constant", "try another seed")


def test_a_class_without_a_row_keeps_its_column() -> None:
    data = read("sklearn:digits", (), 0, max_rows=5)
    assert data.y.shape == (5, 10)
    assert (data.y.sum(axis=0) == 0).any()


@pytest.mark.parametrize("name", ["boston", "", "Iris", "fetch_california_housing", "iris "])
def test_an_unknown_named_set_is_refused_with_the_list(name: str) -> None:
    refused(f"sklearn:{name}", f"sklearn:{name}: no such set", f"one of {', '.join(NAMED)}")


def test_without_scikit_learn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(importlib.import_module("sys").modules, "sklearn.datasets", None)
    message = refused("sklearn:iris", "scikit-learn cannot be imported", "pip install 'depthlimit[data]'")
    assert re.match("sklearn:iris: ", message)
