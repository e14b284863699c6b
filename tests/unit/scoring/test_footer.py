"""Parquet files are joined without reading what they hold."""

import io
import tracemalloc

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from modelyard.core.errors import InvalidInput
from modelyard.scoring import footer
from modelyard.scoring.writing import writer_of

SCHEMA = pa.schema([("carrier", pa.string()), ("prediction", pa.int64()), ("probability", pa.float32())])


def part(first: int, groups: int) -> tuple[bytes, list[pa.Table]]:
    data, tables = bytearray(), []
    writer = writer_of("parquet", SCHEMA, lambda piece: data.extend(memoryview(piece)), first=not first)
    for group in range(first, first + groups):
        numbers = np.arange(1000) + 1000 * group
        texts = pa.array([None if number % 7 == 0 else f"c{number % 5}" for number in numbers.tolist()])
        columns = [texts, pa.array(numbers), pa.array((numbers / 3).astype(np.float32))]
        writer.write(columns)
        tables.append(pa.Table.from_arrays(columns, schema=SCHEMA))
    writer.close()
    return bytes(data), tables


def tail_bytes(data: bytes) -> int:
    return int.from_bytes(data[-8:-4], "little") + 8


def cut(data: bytes) -> tuple[bytes, bytes]:
    """Return a file's pages and its tail."""
    return data[4 : -tail_bytes(data)], data[-tail_bytes(data) :]


def joined(parts: list[bytes]) -> bytes:
    made = [cut(data) for data in parts]
    tail = footer.joined_tail(footer.Piece(len(pages), tail) for pages, tail in made)
    return b"".join([footer.MAGIC, *(pages for pages, _ in made), tail])


def test_the_joined_file_holds_the_rows_of_all_in_order() -> None:
    made = [part(0, 20), part(20, 1), part(21, 3)]
    whole = joined([data for data, _ in made])
    file = parquet.ParquetFile(io.BytesIO(whole))
    assert (file.metadata.num_row_groups, file.metadata.num_rows) == (24, 24_000)
    assert file.read().equals(pa.concat_tables([table for _, tables in made for table in tables]))
    ranges = [file.metadata.row_group(group).column(1).statistics for group in range(24)]
    assert [(one.min, one.max) for one in ranges] == [(1000 * group, 1000 * group + 999) for group in range(24)]


def test_memory_grows_with_the_footer_that_is_written_alone() -> None:
    """As values, the row groups of 12 parts would take some forty times the footer's bytes."""
    pages, tail = cut(part(0, 20)[0])

    def peak(parts: int) -> int:
        tracemalloc.start()
        footer.joined_tail(footer.Piece(len(pages), tail) for _ in range(parts))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(12) - peak(2) < 10 * 4 * len(tail)
    assert peak(1) < 8 * len(tail)


def test_a_footer_is_written_as_it_was_read() -> None:
    pages, tail = cut(part(0, 20)[0])
    assert footer.joined_tail([footer.Piece(len(pages), tail)]) == tail


def test_what_is_no_parquet_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    _, tail = cut(part(0, 1)[0])
    footer.check_tail(tail, 1000)
    with pytest.raises(InvalidInput, match="other rows"):
        footer.check_tail(tail, 999)
    for other in (b"", b"PAR1", b"a,b\n1,2\n", tail[:-1], tail[1:], b"." + tail):
        with pytest.raises(InvalidInput, match="no Parquet"):
            footer.check_tail(other, 1000)
        with pytest.raises(InvalidInput, match="no Parquet"):
            footer.joined_tail([footer.Piece(100, tail), footer.Piece(100, other)])
    monkeypatch.setattr(footer, "MOST_WHOLE_BYTES", len(tail))
    with pytest.raises(InvalidInput, match="of the result is longer than"):
        footer.joined_tail([footer.Piece(100, tail)] * 9)
    monkeypatch.setattr(footer, "MOST_BYTES", len(tail) - 1)
    with pytest.raises(InvalidInput, match="longer than"):
        footer.check_tail(tail, 1000)


@pytest.mark.parametrize(
    "said",
    [
        b"\x33\xc8\x19\x0c\x00",  # its rows are a byte: two of 200 are none
        b"\x38\x01a\x19\x0c\x00",  # texts
        b"\x36\x02\x19\x18\x01a\x00",  # its row groups are texts
        b"\x36\x02\x1c\x00\x00",  # a row group
        b"\x36\x02\x19\x1c\x13\x00\x00",  # one whose columns are a byte
        b"\x36\x02\x19\x0c\x19\xfc\x80\x80\x40" + bytes(1 << 20) + b"\x00",  # a million structs, all of them empty
    ],
)
def test_a_footer_of_other_facts_is_refused(said: bytes) -> None:
    tail = said + len(said).to_bytes(4, "little") + footer.MAGIC
    with pytest.raises(InvalidInput, match="cannot be read"):
        footer.joined_tail([footer.Piece(0, tail)] * 2)


def test_bytes_that_are_no_footer_are_refused_and_nothing_else() -> None:
    """A child's word: whatever it says, reading it ends, with an answer or a refusal."""
    pages, tail = cut(part(0, 2)[0])
    seed = np.random.default_rng(7)
    refused = 0
    for _ in range(300):
        broken = bytearray(tail)
        for place in seed.integers(0, len(tail) - 8, 4):
            broken[place] = seed.integers(0, 256)
        try:
            footer.joined_tail(footer.Piece(len(pages), given) for given in (tail, bytes(broken)))
        except InvalidInput:
            refused += 1
    assert refused > 100
