"""Samples as people send them, and the signature that they and an estimator make."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from modelyard.core.errors import InvalidInput, UnsupportedFormat
from modelyard.core.signature import Column, DataType
from modelyard.runtimes.estimators import Facts
from modelyard.runtimes.inference import column_names, columns_of, read_sample
from modelyard.runtimes.samples import Sample, held

FRAME = pd.DataFrame(
    {"age": [41, 17], "height": [1.75, None], "town": ["Oslo", None], "known": [True, False]},
)


def csv_of(rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def npy_of(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


def sent(folder: Path, name: str, data: bytes) -> Sample:
    path = folder / "sample"
    path.write_bytes(data)
    return read_sample(name, path)


def read(folder: Path, name: str, data: bytes) -> dict[str, np.ndarray]:
    sample = sent(folder, name, data)
    return sample.taken(sample.names)[0]


ROWS = json.loads(FRAME.to_json(orient="records"))
SAME = {
    "s.csv": FRAME.to_csv(index=False).encode(),
    "S.PARQUET": FRAME.to_parquet(),
    "rows.json": json.dumps(ROWS).encode(),
    "wrapped.json": json.dumps({"rows": ROWS}).encode(),
    "split.json": FRAME.to_json(orient="split").encode(),
    "columns.json": json.dumps({name: [row[name] for row in ROWS] for name in ROWS[0]}).encode(),
}


@pytest.mark.parametrize("name", SAME)
def test_the_same_rows_in_every_form(name: str, tmp_path: Path) -> None:
    table = read(tmp_path, name, SAME[name])
    assert list(table) == ["age", "height", "town", "known"]
    assert [array.dtype.kind for array in table.values()] == ["i", "f", "O", "b"]
    assert table["age"].tolist() == [41, 17]
    assert np.isnan(table["height"][1])
    assert table["town"].tolist() == ["Oslo", None]
    assert table["known"].tolist() == [True, False]


@pytest.mark.parametrize(
    ("name", "data"), [("s.csv", b"1,2.5\n3,4\n"), ("s.npy", npy_of(np.array([[1, 2.5], [3, 4]])))]
)
def test_columns_without_names(name: str, data: bytes, tmp_path: Path) -> None:
    table = read(tmp_path, name, data)
    assert list(table) == ["x0", "x1"]
    assert table["x1"].tolist() == [2.5, 4.0]


BAD: dict[str, tuple[str, bytes, str]] = {
    "no names": ("s.csv", b"5.1,3.5,setosa\n4.9,3.0,setosa\n", "`5.1` among the columns' names"),
    "no rows": ("s.csv", b"a,b\n", "has no rows"),
    "an empty list": ("s.json", b"[]", "expected rows"),
    "a number": ("s.json", b"7", "expected rows"),
    "cut off": ("s.json", b"[[[", "cannot be read as json"),
    "mixed rows": ("s.json", b'[{"a": 1}, 2]', "expected each row as an object or a list"),
    "nested values": ("s.json", b'[{"a": {"b": 1}}]', "column `a` of the sample holds dict values"),
    "texts among numbers": ("s.json", b'[{"a": 1}, {"a": "x"}]', "column `a` of the sample holds int and str values"),
    "days": ("s.csv", b"a\n2026-01-31\n", "column `a` of the sample holds date values"),
    "the same name twice": ("s.csv", b"a,a\n1,2\n", "the same name"),
    "ragged": ("s.csv", b"a,b\n1,2\n3\n", "cannot be read as csv"),
    "no Parquet": ("s.parquet", b"PAR1nonsense", "cannot be read as parquet"),
    "objects": ("s.npy", npy_of(np.array([[print]], dtype=object)), "cannot be read as npy"),
    "one dimension": ("s.npy", npy_of(np.zeros(3)), "expected numbers in two dimensions"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_samples(what: str, tmp_path: Path) -> None:
    name, data, said = BAD[what]
    with pytest.raises(InvalidInput, match=said):
        read(tmp_path, name, data)


def test_another_kind_of_file(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFormat, match=r"expected a file that ends in \.csv, \.parquet"):
        read(tmp_path, "sample.xlsx", b"PK")


class Fitted:
    def __init__(self, names: list[str] | None = None, width: int | None = None) -> None:
        if names is not None:
            self.feature_names_in_ = np.array(names, dtype=object)
        if width is not None:
            self.n_features_in_ = width


def sample_of(*names: str, **more: Any) -> Sample:
    return Sample({name: np.full(1, place) for place, name in enumerate(names)}, **more)


def test_names_come_from_the_fit_then_the_sample_then_places() -> None:
    sample = sample_of("b", "a", "c")
    assert column_names(Fitted(["a", "b"]), sample) == ["a", "b"]
    assert column_names(Fitted(width=3), sample) == ["b", "a", "c"]
    assert column_names(Fitted(width=2), None) == ["x0", "x1"]


@pytest.mark.parametrize(
    ("fitted", "sample", "said"),
    [
        (Fitted(width=2), sample_of("a"), "has 1 columns, the model takes 2: send all that it takes"),
        (Fitted(width=2), sample_of("", "a", "b"), "has no name: was the CSV written with its index"),
        (Fitted(width=2), sample_of("", "a"), "has no name: was the CSV written with its index"),
        (Fitted(width=2), sample_of("a", unfit={"day": "date"}), "`day` of the sample holds date values"),
        (Fitted(), None, "send a sample"),
    ],
)
def test_names_that_cannot_be_found(fitted: Fitted, sample: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        column_names(fitted, sample)


def test_what_the_model_does_not_take_is_left_out_and_told_whatever_it_holds() -> None:
    sample = sample_of("", "b", "species", "a", unfit={"day": "datetime"})
    table, ignored = sample.taken(["a", "b"])
    assert {name: column.tolist() for name, column in table.items()} == {"a": [3], "b": [1]}
    assert ignored == ["", "species", "day"]
    with pytest.raises(InvalidInput, match="`day` of the sample holds datetime values"):
        sample.taken(["a", "day"])
    with pytest.raises(InvalidInput, match="no column `z`, which the model takes"):
        sample.taken(["a", "z"])


@pytest.mark.parametrize(
    ("name", "data"),
    [("s.npy", npy_of(np.array([[1, 2.5], [3, 4]]))), ("s.csv", b"1,2.5\n3,4\n"), ("s.json", b"[[1, 2.5], [3, 4]]")],
)
def test_a_sample_without_names_is_taken_by_position(name: str, data: bytes, tmp_path: Path) -> None:
    sample = sent(tmp_path, name, data)
    table, ignored = sample.taken(["alcohol", "x0"])
    assert {name: column.tolist() for name, column in table.items()} == {"alcohol": [1, 3], "x0": [2.5, 4]}
    assert ignored == []
    with pytest.raises(InvalidInput, match="has 2 columns, the model takes 1: they have no names"):
        sample.taken(["alcohol"])


def test_a_declared_signature_gives_names_by_position() -> None:
    sample = sample_of("a", "b")
    assert list(sample.taken(["one", "two"], renames=True)[0]) == ["one", "two"]
    assert sample.taken(["b"], renames=True)[1] == ["a"]
    with pytest.raises(InvalidInput, match="has 2 columns, the model takes 1"):
        sample.taken(["one"], renames=True)


def test_columns_as_the_sample_shows_them(tmp_path: Path) -> None:
    table = read(tmp_path, "s.csv", SAME["s.csv"])
    age, height, town, known = columns_of(list(table), [Facts() for _ in table], table)
    assert (age.type, age.optional, age.minimum, age.maximum) == (DataType.INT64, False, 17, 41)
    assert (height.type, height.optional) == (DataType.FLOAT64, True)
    assert (town.type, town.optional, town.categories) == (DataType.STRING, True, ("Oslo",))
    assert known.type is DataType.BOOL


@pytest.mark.parametrize(
    ("given", "mend"), [(5, "send its input only, without the target"), (3, "send all that it takes, in its order")]
)
def test_a_sample_of_another_width_is_told_what_is_likely_wrong(given: int, mend: str) -> None:
    sample = Sample({f"c{place}": np.ones(2) for place in range(given)})
    with pytest.raises(InvalidInput) as refused:
        column_names(Fitted(width=4), sample)
    assert refused.value.message == f"the sample has {given} columns, the model takes 4: {mend}"


TEXTS = np.array(["a", None], dtype=object)
HELD = [
    (np.array([1, 2]), DataType.INT8, False, [1, 2]),
    (np.array([1.0, 2.0]), DataType.INT64, False, [1, 2]),
    (np.array([1.0, np.nan]), DataType.INT64, True, [1.0, None]),
    (np.array([1, 2]), DataType.FLOAT32, False, [1.0, 2.0]),
    (np.array([True, False]), DataType.FLOAT64, False, [1.0, 0.0]),
    (np.array([True, None], dtype=object), DataType.BOOL, True, [True, None]),
    (TEXTS, DataType.STRING, True, ["a", None]),
    (np.array([np.nan]), DataType.FLOAT64, True, [None]),
]


@pytest.mark.parametrize(("seen", "kind", "optional", "expected"), HELD)
def test_values_are_held_as_the_column_holds_them(
    seen: np.ndarray, kind: DataType, optional: bool, expected: list[Any]
) -> None:
    column = Column("a", kind, optional=optional)
    array = held(seen, column)
    assert array.dtype == column.dtype
    assert [None if value is None or value != value else value for value in array.tolist()] == expected


@pytest.mark.parametrize(
    ("seen", "kind", "said"),
    [
        (np.array([1.5, 2.0]), DataType.INT64, "`a` of the sample holds numbers: expected int64 values"),
        (np.array([1, 300]), DataType.INT8, "holds 1 to 300: expected int8 values"),
        (np.array([1e19]), DataType.INT64, "holds 10000000000000000000 to"),
        (np.array([1.0, np.nan]), DataType.FLOAT64, "holds missing values, and is not declared as `optional`"),
        (TEXTS, DataType.STRING, "holds missing values"),
        (np.array([1.0, np.inf]), DataType.FLOAT64, "infinite"),
        (np.array([1e300]), DataType.FLOAT32, "too large"),
        (np.array(["1.5"], dtype=object), DataType.FLOAT64, "holds texts: expected float64 values"),
        (np.array(["yes"], dtype=object), DataType.BOOL, "holds texts: expected bool values"),
        (np.array([7]), DataType.STRING, "holds whole numbers: expected string values"),
        (np.array([1, 0]), DataType.BOOL, "holds whole numbers: expected bool values"),
    ],
)
def test_values_that_no_request_could_send(seen: np.ndarray, kind: DataType, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        held(seen, Column("a", kind))


def test_numbers_where_the_model_was_fitted_with_texts(tmp_path: Path) -> None:
    """`01` is a number to whoever reads a CSV file: what the model would make of it is wrong, or nothing."""
    texts = [Facts(kind="string", categories=["01", "02"])]
    table = read(tmp_path, "s.csv", b"zip\n01\n02\n")
    with pytest.raises(InvalidInput, match=r"`zip` of the sample holds 1, but .* fitted with texts.*JSON and Parquet"):
        columns_of(["zip"], texts, table)
    kept = read(tmp_path, "s.json", b'[{"zip": "01"}, {"zip": "02"}]')
    assert columns_of(["zip"], texts, kept)[0].type is DataType.STRING


def test_a_column_without_one_value_is_what_the_model_takes(tmp_path: Path) -> None:
    table = read(tmp_path, "s.csv", b"town,age\n,1\n,2\n")
    (town,) = columns_of(["town"], [Facts(kind="string")], {"town": table["town"]})
    assert (town.type, town.optional) == (DataType.STRING, True)
    assert held(table["town"], town).tolist() == [None, None]
