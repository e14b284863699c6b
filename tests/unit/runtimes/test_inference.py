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
from modelyard.core.signature import DataType, Role
from modelyard.runtimes.estimators import Facts
from modelyard.runtimes.inference import column_names, columns_of, outputs_of, read_sample
from modelyard.runtimes.samples import Sample

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


def test_outputs_keep_their_classes() -> None:
    answer = {"prediction": np.array(["a", "b"]), "probabilities": np.zeros((2, 2))}
    prediction, probabilities = outputs_of(answer, ["a", "b"])
    assert (prediction.type, prediction.role, prediction.shape) == (DataType.STRING, Role.PREDICTION, ())
    assert (probabilities.shape, probabilities.role, probabilities.classes) == ((2,), Role.PROBABILITIES, ("a", "b"))


@pytest.mark.parametrize(
    ("given", "mend"), [(5, "send its input only, without the target"), (3, "send all that it takes, in its order")]
)
def test_a_sample_of_another_width_is_told_what_is_likely_wrong(given: int, mend: str) -> None:
    sample = Sample({f"c{place}": np.ones(2) for place in range(given)})
    with pytest.raises(InvalidInput) as refused:
        column_names(Fitted(width=4), sample)
    assert refused.value.message == f"the sample has {given} columns, the model takes 4: {mend}"
