"""Rows, metrics and JSON from files and options."""

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from modelyard.cli.tables import parse_rows, read_metrics, read_object, read_rows, read_types
from modelyard.cli.usage import NotUnderstood
from modelyard.core.errors import InvalidInput


def test_metrics() -> None:
    assert read_metrics(["accuracy=0.97", "rows=150"]) == {"accuracy": 0.97, "rows": 150.0}


@pytest.mark.parametrize("pair", ["accuracy", "accuracy=", "accuracy=high", "accuracy=nan", "accuracy=inf", "=0.97"])
def test_a_metric_is_a_name_and_a_number(pair: str) -> None:
    with pytest.raises(NotUnderstood, match=r"accuracy=0\.97"):
        read_metrics([pair])


def test_a_metric_is_given_once() -> None:
    with pytest.raises(NotUnderstood, match=r"`accuracy` was given before"):
        read_metrics(["accuracy=0.1", "accuracy=0.2"])


def test_types() -> None:
    assert read_types(["zip=string", "a=b=int64"]) == {"zip": "string", "a=b": "int64"}


@pytest.mark.parametrize(
    ("pairs", "why"),
    [
        (["zip"], "--type 'zip': expected a column and its type, as zip=string"),
        (["=string"], "--type '=string': expected a column and its type"),
        (["zip=string", "zip=int64"], "--type 'zip=int64': `zip` was given before"),
        (["zip=text"], "types.zip: got 'text', expected one of"),
    ],
)
def test_what_is_no_column_and_type_is_not_understood(pairs: list[str], why: str) -> None:
    with pytest.raises(NotUnderstood, match=re.escape(why)):
        read_types(pairs)


def test_rows_of_csv_are_typed(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("age,plan,height\n41,pro,1.8\n7,,\n")
    assert read_rows(path) == [{"age": 41, "plan": "pro", "height": 1.8}, {"age": 7, "plan": "", "height": None}]


def test_rows_of_parquet(tmp_path: Path) -> None:
    path = tmp_path / "rows.PARQUET"
    parquet.write_table(pa.table({"a": [1, 2]}), path)
    assert read_rows(path) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("text", "expected"),
    [('[{"a": 1}]', [{"a": 1}]), ('{"a": 1}', {"a": 1}), ('{"rows": [{"a": 1}]}', [{"a": 1}]), ("[[1, 2]]", [[1, 2]])],
)
def test_rows_of_json(tmp_path: Path, text: str, expected: Any) -> None:
    path = tmp_path / "rows.json"
    path.write_text(text)
    assert read_rows(path) == expected


def test_rows_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('[{"a": 1}]'))
    assert read_rows(Path("-")) == [{"a": 1}]


@pytest.mark.parametrize("text", ["", "{", "7", '"text"', "null"])
def test_what_is_no_rows_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(InvalidInput, match="--rows"):
        parse_rows(text, "--rows")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("rows.xlsx", b"x", "of no format"),
        ("rows.parquet", b"x", "cannot be read"),
        ("rows.csv", b"", "cannot be read"),
        ("rows.json", b"\xff\xfe", "cannot be read"),
        ("rows.npy", b"x", "cannot be read"),
        ("rows.npy", b"", "cannot be read"),
        ("missing.csv", None, "there is no file"),
        ("missing.json", None, "there is no file"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, name: str, content: bytes | None, expected: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidInput, match=expected):
        read_rows(tmp_path / name)


def test_an_object_is_an_object(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text('{"seed": 3}')
    assert read_object(str(path), "--manifest") == {"seed": 3}
    assert read_object(None, "--manifest") is None
    path.write_text("[]")
    with pytest.raises(InvalidInput, match="expected a JSON object"):
        read_object(str(path), "--manifest")


def test_an_object_may_be_typed() -> None:
    assert read_object(' {"seed": 3}', "--manifest") == {"seed": 3}
    with pytest.raises(NotUnderstood, match="--manifest is no JSON"):
        read_object('{"seed": 3', "--manifest")


def test_rows_of_numpy_but_no_pickle_in_them(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.eye(2))
    assert read_rows(tmp_path / "rows.npy").tolist() == [[1.0, 0.0], [0.0, 1.0]]
    np.save(tmp_path / "objects.npy", np.array([[{}]]), allow_pickle=True)
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_rows(tmp_path / "objects.npy")
