from typing import Any

import pytest

from modelyard.core.errors import InvalidInput
from modelyard.core.reference import Reference
from modelyard.core.signature import DataType
from modelyard.core.table import TYPES, check_types, format_of, parse_dataset


@pytest.mark.parametrize(("text", "name", "number"), [("flights", "flights", None), ("flights:2", "flights", 2)])
def test_a_dataset_is_named_with_or_without_its_number(text: str, name: str, number: int | None) -> None:
    assert parse_dataset(text) == Reference(name, version=number)


@pytest.mark.parametrize(
    "text", ["", "Flights", "flights:", "flights:0", "flights:x", "a@b", "a/b", "..", "sources", "a:1:2"]
)
def test_what_names_no_dataset_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_dataset(text)


@pytest.mark.parametrize(
    ("filename", "form"),
    [
        ("a.csv", "csv"),
        ("A.CSV", "csv"),
        ("a.b.parquet", "parquet"),
        ("a.txt", None),
        ("csv", None),
        ("a.csv.gz", None),
    ],
)
def test_a_format_is_told_by_the_suffix(filename: str, form: str | None) -> None:
    assert format_of(filename) == form


def test_types_are_words_of_the_list() -> None:
    assert check_types({"a": "int8", "b": "timestamp"}) == {"a": "int8", "b": "timestamp"}
    assert [word for word in TYPES if word not in ("date", "timestamp")] == [one.value for one in DataType]


@pytest.mark.parametrize("given", [[], "x", {"a": "int"}, {"a": 1}, {"a": None}, {"a": ["int8"]}])
def test_other_types_are_refused(given: Any) -> None:
    with pytest.raises(InvalidInput, match="types"):
        check_types(given)
