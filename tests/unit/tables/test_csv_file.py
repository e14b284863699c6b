"""What a CSV becomes, and what is said of one that becomes nothing."""

from pathlib import Path
from typing import Any

import pytest

from modelyard.core.errors import InvalidInput
from modelyard.tables.csv_faults import MAX_LINE_BYTES
from modelyard.tables.examining import examine

MANY = 300_000
"""Rows: more than a block holds, from which alone pyarrow would tell the types."""


def read(folder: Path, content: bytes, **types: str) -> Any:
    path = folder / "table.csv"
    path.write_bytes(content)
    return examine(str(path), "csv", types, str(folder))


def refusal(folder: Path, content: bytes, **types: str) -> str:
    with pytest.raises(InvalidInput) as refused:
        read(folder, content, **types)
    return refused.value.message


def types_of(found: Any) -> dict[str, str]:
    return {column["name"]: column["type"] for column in found["columns"]}


@pytest.mark.parametrize(
    ("values", "word"),
    [
        (["1", "2"], "int64"),
        (["1", "2.5"], "float64"),
        (["1", "NA", ""], "int64"),
        (["NaN", "1.5", "inf"], "float64"),
        (["1", "x"], "string"),
        (["1.5", "x"], "string"),
        (["true", "False"], "bool"),
        (["true", "x"], "string"),
        (["0", "1"], "int64"),
        (["2013-01-01", "2013-12-31"], "date"),
        (["2013-01-01", "2013-12-31 10:00:00"], "timestamp"),
        (["2013-12-31T10:00:00Z", "2013-12-31T10:00:00+02:00"], "timestamp"),
        (["2013-12-31 10:00:00.123456789", "2013-12-31 10:00:00"], "timestamp"),
        (["2013-01-01", "soon"], "string"),
        (["99999999999999999999", "1"], "string"),
        (["12345678901234567", "1.5"], "string"),
        ([" 1", "2 "], "int64"),
        (["NA", ""], "float64"),
    ],
)  # fmt: skip
def test_the_narrowest_type_of_all_values_is_found(tmp_path: Path, values: list[str], word: str) -> None:
    rows = "".join(f"{value},0\n" for value in values)
    assert types_of(read(tmp_path, f"a,b\n{rows}".encode())) == {"a": word, "b": "int64"}


@pytest.mark.parametrize(
    ("last", "word"), [("7", "int64"), ("7.5", "float64"), ("seven", "string"), ("NA", "int64"), ("true", "string")]
)
def test_a_late_row_may_widen_a_column(tmp_path: Path, last: str, word: str) -> None:
    found = read(tmp_path, b"a,b\n" + b"1,2\n" * MANY + f"{last},2\n".encode())
    assert (found["n_rows"], types_of(found)["a"]) == (MANY + 1, word)


def test_long_integers_stay_as_they_are_whatever_comes_later(tmp_path: Path) -> None:
    found = read(tmp_path, b"a,b\n" + b"123456789012345678,2\n" + b"1,2\n" * MANY + b"1.5,2\n")
    assert (types_of(found)["a"], found["head"][0][0]) == ("string", "123456789012345678")


def test_values_are_kept_as_they_are(tmp_path: Path) -> None:
    content = b'\xef\xbb\xbfi,t,b,d,w\r\n1,"x, ""y""\nz",TRUE,2013-01-01,2013-01-01 10:00:00+02:00\r\nNA,,false,,\r\n'
    found = read(tmp_path, content)
    assert found["head"] == [
        [1, 'x, "y"\nz', True, "2013-01-01", "2013-01-01T08:00:00Z"],
        [None, None, False, None, None],
    ]
    assert [column["optional"] for column in found["columns"]] == [True, True, False, True, True]


def test_types_may_be_told(tmp_path: Path) -> None:
    found = read(tmp_path, b"zip,n,h\n00123,1,1.5\n99999,2,2.5\n", zip="string", n="int8", h="float16")
    assert types_of(found) == {"zip": "string", "n": "int8", "h": "float16"}
    assert found["head"] == [["00123", 1, 1.5], ["99999", 2, 2.5]]


def test_blank_lines_are_none(tmp_path: Path) -> None:
    assert read(tmp_path, b"a,b\n\n1,2\n\n3,4\n")["n_rows"] == 2
    assert read(tmp_path, b'a,b\n1,"x\ny"' + b"\n" * 100)["head"] == [[1, "x\ny"]]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"\n \n", "the file is empty"),
        (b"\na,b\n1,2\n", "line 1 is empty"),
        (b"a,b\n", "has no rows"),
        (b"a,b", "has no rows"),
        (b"a,b,a\n1,2,3\n", "columns 1 and 3 are both called `a`"),
        (b"a,,c\n1,2,3\n", "column 2 has no name"),
        (b"a;b\n1;2\n", "expected commas"),
        (b"a,b\n1,2\n3\n", "line 3 has 1 field, the header has 2"),
        (b"a,b\n1,2\n\n3,4,5\n", "line 4 has 3 fields, the header has 2"),
        (b'a,b\n1,"x\ny"\n3\n', "line 4 has 1 field, the header has 2"),
        (b'a,b,c\n1,"x,2\n3,4,5\n', "line 2 has 2 fields, the header has 3; one of them runs on to line 3: is a quote"),
        (b'a,b\n"x,1\n2,3\n4,"y",z,w\n', "line 2 has 3 fields, the header has 2; one of them runs on to line 4"),
        (b'a,b\n1,"x\n3,z\n4,4\n', "line 2 begins a value in quotes that is never closed"),
        (b"a,b\n1,2\n3,\xff\n", "line 3 is no UTF-8 (byte 0xff)"),
        (b"a\xff,b\n1,2\n", "line 1 is no UTF-8"),
        (b"a\xff,b\n" + b"1,2\n" * MANY, "line 1 is no UTF-8"),
        (b"a,b\n1,2\n3," + b"x" * (3 * MAX_LINE_BYTES) + b"\n", "line 3 is longer than 1 MiB"),
        (b'a,b\n1,"' + b"x\n" * MAX_LINE_BYTES, "line 2 begins a value that does not end within 1 MiB"),
        (b'a,b\n1,"x\n' + b"3,4\n" * 60_000, "line 2 begins a value in quotes that is never closed"),
        (b'a,"b\n' + b"3,4\n" * 60_000, "column 2 is called 'b\\n3,4"),
        (b"a," + b"b" * 201 + b"\n1,2\n", "at most 200 printable characters"),
        (b"a,b\0\n1,2\n", "printable characters"),
        (b",".join(b"c%d" % number for number in range(2001)) + b"\n", "2001 columns, expected 1 to 2000"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused_with_its_line(tmp_path: Path, content: bytes, said: str) -> None:
    assert said in refusal(tmp_path, content)


def test_the_line_of_a_broken_row_far_down_is_told(tmp_path: Path) -> None:
    content = b"a,b\n" + b"1,2\n" * MANY + b"1,2,3\n" + b"1,2\n" * MANY
    assert refusal(tmp_path, content) == "line 300,002 has 3 fields, the header has 2"


def test_the_line_and_column_of_a_value_that_does_not_fit_are_told(tmp_path: Path) -> None:
    content = b'a,b\n"x\ny",1\n' + b"z,2\n" * MANY + b"z,1.5\n"
    assert refusal(tmp_path, content, b="int64") == "line 300,004, column `b`: got '1.5', expected int64"
    assert "did you mean `b`?" in refusal(tmp_path, b"a,b\n1,2\n", bb="int64")
