"""What Parquet files of all kinds become."""

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from modelyard.core.errors import InvalidInput
from modelyard.tables.examining import TABLE, examine

DAY = datetime.date(2013, 1, 1)
MOMENT = datetime.datetime(2013, 1, 1, 10, 0, 0, 5)


def read(folder: Path, table: Any, **types: str) -> Any:
    path = folder / "given.parquet"
    if isinstance(table, bytes):
        path.write_bytes(table)
    else:
        parquet.write_table(table, path)
    return examine(str(path), "parquet", types, str(folder))


def refusal(folder: Path, table: Any, **types: str) -> str:
    with pytest.raises(InvalidInput) as refused:
        read(folder, table, **types)
    return refused.value.message


def written(table: pa.Table, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink, **options)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("array", "word", "first"),
    [
        (pa.array([1, None], pa.int8()), "int8", 1),
        (pa.array([2**64 - 1, None], pa.uint64()), "uint64", 2**64 - 1),
        (pa.array([np.float16(1.5), None], pa.float16()), "float16", 1.5),
        (pa.array([1.5, float("nan")], pa.float32()), "float32", 1.5),
        (pa.array(["x", None], pa.large_string()), "string", "x"),
        (pa.array(["x", None]).dictionary_encode(), "string", "x"),
        (pa.array([True, None]), "bool", True),
        (pa.array([DAY, None], pa.date32()), "date", "2013-01-01"),
        (pa.array([DAY, None], pa.date64()), "date", "2013-01-01"),
        (pa.array([MOMENT, None], pa.timestamp("ns")), "timestamp", "2013-01-01T10:00:00.000005Z"),
        (pa.array([MOMENT, None], pa.timestamp("us", "Europe/Berlin")), "timestamp", "2013-01-01T10:00:00.000005Z"),
        (pa.array([Decimal("1.25"), None]), "float64", 1.25),
        (pa.array([1, None], pa.int64()), "int64", 1),
    ],
)
def test_flat_columns_are_taken(tmp_path: Path, array: pa.Array, word: str, first: Any) -> None:
    found = read(tmp_path, pa.table({"a": array}))
    assert [found["columns"][0]["type"], found["head"]] == [word, [[first], [None]]]
    assert found["summary"][0]["missing"] == 1


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (pa.array([[1], [2]]), "column `a` holds nested values"),
        (pa.array([{"x": 1}]), "column `a` holds nested values"),
        (pa.array([b"x"]), "column `a` holds values of the type binary"),
        (pa.array([1], pa.duration("s")), "column `a` holds values of the type duration"),
        (pa.array([1], pa.time32("s")), "column `a` holds values of the type time32"),
        (pa.array([], pa.int64()), "has no rows"),
    ],
)
def test_others_are_refused(tmp_path: Path, array: pa.Array, said: str) -> None:
    assert said in refusal(tmp_path, pa.table({"a": array}))


def test_names_are_checked(tmp_path: Path) -> None:
    ones = pa.array([1])
    assert "are both called `a`" in refusal(tmp_path, pa.Table.from_arrays([ones, ones], names=["a", "a"]))
    assert "has no name" in refusal(tmp_path, pa.table({"": ones}))


def test_names_with_dots_are_names(tmp_path: Path) -> None:
    found = read(tmp_path, pa.table({"a": [1, 1], "a.b": ["x", "y"], "a.b.c": [True, False]}))
    assert [one.get("distinct") for one in found["summary"]] == [None, 2, 2]


def test_types_may_be_told(tmp_path: Path) -> None:
    table = pa.table({"a": [1, 2], "b": [1, 300]})
    assert read(tmp_path, table, a="float32")["columns"][0]["type"] == "float32"
    assert "column `b` cannot be read as int8" in refusal(tmp_path, table, b="int8")
    assert "no column `c`" in refusal(tmp_path, table, c="int8")


def test_broken_and_locked_files_are_refused(tmp_path: Path) -> None:
    whole = written(pa.table({"a": list(range(1000))}))
    assert "is no Parquet" in refusal(tmp_path, b"a,b\n1,2\n")
    assert "is no Parquet" in refusal(tmp_path, b"")
    assert "cut off" in refusal(tmp_path, whole[:-40])
    assert "cut off" in refusal(tmp_path, b"PAR1")
    assert "is encrypted" in refusal(tmp_path, b"PARE" + whole[4:-4] + b"PARE")
    rotten = bytearray(whole)
    rotten[20:60] = bytes(40)
    assert "cannot be read" in refusal(tmp_path, bytes(rotten))


def test_texts_that_are_no_utf8_are_refused(tmp_path: Path) -> None:
    array = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(np.array([0, 1], "int32")), pa.py_buffer(b"\xff")]
    )
    assert "column `a` cannot be read as string" in refusal(tmp_path, pa.table({"a": array}))


def test_the_same_rows_give_the_same_bytes_however_they_were_cut(tmp_path: Path) -> None:
    rows = 200_000
    table = pa.table({"n": np.arange(rows), "x": np.sqrt(np.arange(rows)), "t": [f"t{n % 100}" for n in range(rows)]})
    given = []
    for size in (1_000, 70_000, rows):
        read(tmp_path, written(table, row_group_size=size, compression="gzip"))
        given.append((tmp_path / TABLE).read_bytes())
    from pyarrow import csv

    csv.write_csv(table, tmp_path / "table.csv")
    examine(str(tmp_path / "table.csv"), "csv", {}, str(tmp_path))
    given.append((tmp_path / TABLE).read_bytes())
    assert len(set(given)) == 1
    metadata = parquet.read_metadata(tmp_path / TABLE)
    assert [metadata.row_group(place).num_rows for place in range(4)] == [65_536] * 3 + [rows - 3 * 65_536]
    assert metadata.row_group(0).column(0).compression == "ZSTD"
    assert parquet.read_table(tmp_path / TABLE).equals(table)
