"""The scored table as it is written: what was kept, then the predictions; Parquet or CSV, to a stream."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from modelyard.core.signature import DataType, Output, Signature
from modelyard.scoring.naming import PARQUET, written_outputs

_NO_TEXTS = (pa.types.is_floating, pa.types.is_integer, pa.types.is_temporal)


class Writer(Protocol):
    """Takes row groups; what it makes of them goes on at once."""

    def write(self, columns: Sequence[pa.Array | pa.ChunkedArray]) -> None: ...

    def close(self) -> None: ...


class Stream:
    """What pyarrow writes to as if it were a file."""

    def __init__(self, write: Callable[[Any], None]) -> None:
        self._write, self._place, self.closed = write, 0, False

    def write(self, data: Any) -> int:
        self._write(data)
        size = memoryview(data).nbytes
        self._place += size
        return size

    def tell(self) -> int:
        return self._place

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        self.closed = True


def schema_of(kept: pa.Schema, signature: Signature) -> pa.Schema:
    """Return the scored table's columns."""
    made = [(name, _type(written.output)) for written in written_outputs(signature) for name in written.names]
    return pa.schema([*kept, *(pa.field(name, kind) for name, kind in made)])


def made_columns(
    signature: Signature, answer: Mapping[str, np.ndarray], rows: np.ndarray | None, n_rows: int
) -> list[pa.Array]:
    """Return an answer's columns, `n_rows` each: `rows` says which row each place of the answer is, None: all in order.

    A row without an answer is null in each, and so is a number that JSON does not have, NaN.
    """
    found: list[pa.Array] = []
    places = None
    if rows is not None:
        there = np.full(n_rows, -1, dtype=np.int64)
        there[rows] = np.arange(len(rows))
        places = pa.array(there, mask=there < 0)
    for written in written_outputs(signature):
        kind = _type(written.output)
        array = answer.get(written.output.name)
        for place in range(len(written.names)):
            if array is None:
                found.append(pa.nulls(n_rows, kind))
                continue
            column = array if array.ndim == 1 else array[:, place]
            values = pa.array(column, type=kind, from_pandas=True)
            found.append(values if places is None else values.take(places))
    return found


def writer_of(form: str, schema: pa.Schema, write: Callable[[Any], None], *, first: bool) -> Writer:
    """Return what writes rows of `schema`; of CSV the first part brings the header."""
    return ParquetRows(schema, write) if form == PARQUET else CsvRows(schema, write, first)


class ParquetRows:
    """Row groups as they come. Only texts and truth values repeat enough for a dictionary to be worth its time."""

    def __init__(self, schema: pa.Schema, write: Callable[[Any], None]) -> None:
        self._schema = schema
        repeated = [one.name for one in schema if not any(is_(one.type) for is_ in _NO_TEXTS)]
        sink = pa.PythonFile(Stream(write), mode="w")
        self._writer = parquet.ParquetWriter(
            sink,
            schema,
            compression="zstd",
            compression_level=1,
            version="2.6",
            use_dictionary=repeated or False,
            store_schema=False,
        )

    def write(self, columns: Sequence[pa.Array | pa.ChunkedArray]) -> None:
        table = pa.Table.from_arrays(list(columns), schema=self._schema)
        self._writer.write_table(table, row_group_size=max(table.num_rows, 1))

    def close(self) -> None:
        self._writer.close()


class CsvRows:
    """Lines as `tables` writes them: a missing value is empty. In a table of one column it is `NA`, since many a
    reader passes over an empty line."""

    def __init__(self, schema: pa.Schema, write: Callable[[Any], None], first: bool) -> None:
        self._lone = len(schema) == 1
        texts = pa.types.is_string(schema[0].type)
        self._schema = pa.schema([(schema[0].name, pa.string())]) if self._lone else schema
        options = csv.WriteOptions(include_header=first, quoting_style="none" if self._lone and not texts else "needed")
        sink = pa.PythonFile(Stream(write), mode="w")
        self._writer = csv.CSVWriter(sink, self._schema, write_options=options)

    def write(self, columns: Sequence[pa.Array | pa.ChunkedArray]) -> None:
        given = [columns[0].cast(pa.string()).fill_null("NA")] if self._lone else list(columns)
        self._writer.write_table(pa.Table.from_arrays(given, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


def _type(output: Output) -> pa.DataType:
    return pa.string() if output.type is DataType.STRING else pa.from_numpy_dtype(output.type.dtype)
