"""A Parquet file, read as a stream."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from modelyard.core.errors import InvalidInput
from modelyard.tables.types import ARROW, BATCH_ROWS, check_names, settled, word_of

_MAGIC, _ENCRYPTED = b"PAR1", b"PARE"
"""First and last four bytes: Parquet's format specification, "File format" and "Parquet Modular Encryption"."""
_BUFFER_BYTES = 1 << 20


def open_parquet(path: Path) -> Any:
    """Return a `ParquetFile` that reads column chunks bit by bit, not whole."""
    return parquet.ParquetFile(path, memory_map=False, pre_buffer=False, buffer_size=_BUFFER_BYTES)


class ParquetFile:
    """Flat columns of numbers, texts, truth values, dates and timestamps; `given` are types, by column.

    Raises (when made, and while it is read):
        InvalidInput: naming the column where it is one.
    """

    def __init__(self, path: Path, given: Mapping[str, str]) -> None:
        _check_ends(path)
        try:
            self._file = open_parquet(path)
            kinds = self._file.schema_arrow
        except (pa.ArrowException, OSError) as error:
            raise _unread(error) from None
        self.names = list(kinds.names)
        check_names(self.names)
        for name in given:
            if name not in self.names:
                raise InvalidInput.at("types", f"the file has no column `{name[:60]}`")
        self.types = [word_of(field.name, field.type) for field in kinds]
        self.types = [given.get(name, word) for name, word in zip(self.names, self.types, strict=True)]
        self.schema = pa.schema([(name, ARROW[word]) for name, word in zip(self.names, self.types, strict=True)])

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Give the rows, converted."""
        try:
            for batch in self._file.iter_batches(batch_size=BATCH_ROWS, use_threads=False):
                yield pa.RecordBatch.from_arrays(self._settled(batch), schema=self.schema)
        except (pa.ArrowException, OSError) as error:
            raise _unread(error) from None

    def _settled(self, batch: pa.RecordBatch) -> list[pa.Array]:
        columns = []
        for name, word, array in zip(self.names, self.types, batch.columns, strict=True):
            try:
                columns.append(settled(array, word))
            except pa.ArrowException as error:
                raise InvalidInput(f"column `{name}` cannot be read as {word}: {_first_line(error)}") from None
        return columns


def _check_ends(path: Path) -> None:
    with path.open("rb") as file:
        start = file.read(4)
        size = file.seek(0, 2)
        file.seek(max(0, size - 4))
        end = file.read(4)
    if _ENCRYPTED in (start, end):
        raise InvalidInput("the Parquet file is encrypted: write it without encryption, then send it again")
    if start != _MAGIC:
        raise InvalidInput("the file is no Parquet, although its name says so")
    if end != _MAGIC or size < 12:
        raise InvalidInput("the Parquet file ends before its footer: it was cut off; send it again whole")


def _unread(error: Exception) -> InvalidInput:
    said = _first_line(error)
    if "crypt" in said.lower():
        return InvalidInput("the Parquet file is encrypted: write it without encryption, then send it again")
    return InvalidInput(f"the Parquet file cannot be read: {said}")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
