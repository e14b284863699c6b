"""The one form in which datasets are kept: Parquet with zstd, cut into row groups by rows alone.

The same rows give the same bytes with the same release of pyarrow, whatever they came from and however they were cut
before.
"""

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from modelyard.tables.types import rows_per_group


def write_table(batches: Iterable[pa.RecordBatch], schema: pa.Schema, path: Path) -> int:
    """Write the batches, row group by row group, and return the number of rows."""
    size, total = rows_per_group(len(schema)), 0
    held: list[pa.RecordBatch] = []
    with parquet.ParquetWriter(path, schema, compression="zstd", version="2.6", store_schema=False) as writer:
        for batch in batches:
            held.append(batch)
            total += batch.num_rows
            if sum(one.num_rows for one in held) >= size:
                held = _write_full(writer, pa.Table.from_batches(held, schema), size)
        if held and sum(one.num_rows for one in held):
            _write_group(writer, pa.Table.from_batches(held, schema))
    return total


def _write_full(writer: parquet.ParquetWriter, table: pa.Table, size: int) -> list[pa.RecordBatch]:
    """Write what fills row groups, and return the rest."""
    whole = table.num_rows // size * size
    for start in range(0, whole, size):
        _write_group(writer, table.slice(start, size))
    return table.slice(whole).to_batches() if whole < table.num_rows else []


def _write_group(writer: parquet.ParquetWriter, table: pa.Table) -> None:
    writer.write_table(table.combine_chunks(), row_group_size=table.num_rows)
