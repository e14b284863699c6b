"""The scorer's side of `Scorer`: reads row groups of a dataset, asks the model, sends a file of predictions.

The dataset was written by a child that a stranger's bytes may have taken over, so only a child reads it. A graph runs
here, by the data plane's own runtime. What is not a graph runs in a child of its own, as in the data plane: each
batch goes there by way of the parent, so that neither sees the other.
"""

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from modelyard.core.errors import ModelFailed, ModelyardError
from modelyard.core.signature import Signature
from modelyard.core.tensors import Answer, Batch, take
from modelyard.runtimes.frames import batch_arrays, encode
from modelyard.runtimes.runtime import runtime_class
from modelyard.sandbox.answering import read_frame, send
from modelyard.scoring.batches import batch_of
from modelyard.scoring.footer import MAGIC
from modelyard.scoring.naming import PARQUET
from modelyard.scoring.predicting import MOST_FAILED, Model, answer_rows
from modelyard.scoring.writing import made_columns, schema_of, writer_of
from modelyard.tables.parquet_file import open_parquet

CHUNK_ROWS = 16_384
"""Rows that a graph is asked at once; more are no faster, and hold more memory."""
ISOLATED_ROWS = 8_192
MOST_TEXT_BYTES = 8 << 20
"""Of texts that a model in another child is asked at once: they travel in a header of 64 MiB at most, as JSON, where a
byte may take six."""
MOST_ROW_CHARACTERS = 4_000
_FLUSH_BYTES = 1 << 20


class Elsewhere:
    """The model that lives in another child: asked through the parent."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def predict(self, batch: Batch) -> Answer:
        facts, arrays = batch_arrays(batch)
        send(self._fd, encode({"ask": facts}, arrays))
        header, answer = read_frame()
        if "error" in header:
            raise ModelFailed(str(header["message"]))
        return answer


class Part:
    """Some row groups of the dataset, scored; what is to be sent goes by `tell`."""

    def __init__(self, scoring: "Scoring", order: dict[str, Any], fd: int) -> None:
        self._scoring, self._fd = scoring, fd
        self._first, self._groups, self._row = int(order["first"]), int(order["groups"]), int(order["first_row"])
        self._rows = self._n_failed = 0
        self._failed: list[dict[str, Any]] = []
        self._held = bytearray()
        self._is_tail = False

    def score(self) -> None:
        """Send the file bit by bit, of Parquet the pages; at last its tail, which is Parquet's alone, and how many rows
        there were."""
        scoring = self._scoring
        writer = writer_of(scoring.form, scoring.schema, self._keep, first=self._first == 0)
        if scoring.form == PARQUET:
            del self._held[: len(MAGIC)]
        for group in range(self._first, self._first + self._groups):
            table = scoring.file.read_row_group(group, columns=scoring.names, use_threads=False).combine_chunks()
            made = [self._chunk(chunk) for chunk in _chunks(table, scoring.rows, scoring.text_bytes)]
            columns = [pa.chunked_array(list(parts)) for parts in zip(*made, strict=True)]
            writer.write([*(table.column(name) for name in scoring.keep), *columns])
            self._send()
        self._is_tail = True
        writer.close()
        said = {"rows": self._rows, "n_failed": self._n_failed, "failed": self._failed}
        send(self._fd, encode({"done": said}, {"tail": np.frombuffer(self._held, np.uint8)}))

    def _chunk(self, table: pa.RecordBatch) -> list[pa.Array]:
        scoring, n_rows = self._scoring, table.num_rows
        batch, refused = batch_of(table, scoring.signature)
        rows: np.ndarray | None = None
        reasons = refused.reasons
        if refused.mask is not None:
            rows = np.flatnonzero(~refused.mask)
            batch = take(batch, rows)
        answer, failed = answer_rows(scoring.model, batch) if batch.n_rows else ({}, {})
        if failed:
            rows = np.arange(n_rows) if rows is None else rows
            reasons |= {int(rows[row]): reason for row, reason in failed.items()}
            rows = np.delete(rows, list(failed))
        self._note(table, reasons)
        self._rows += n_rows
        return made_columns(scoring.signature, answer, rows, n_rows)

    def _note(self, table: pa.RecordBatch, reasons: dict[int, str]) -> None:
        self._n_failed += len(reasons)
        for row in sorted(reasons)[: max(0, MOST_FAILED - len(self._failed))]:
            values = {name: table.column(name)[row].as_py() for name in table.schema.names}
            self._failed.append({"row": self._row + self._rows + row, "reason": reasons[row], "values": _plain(values)})

    def _keep(self, data: Any) -> None:
        self._held += memoryview(data)
        if len(self._held) >= _FLUSH_BYTES and not self._is_tail:
            self._send()

    def _send(self) -> None:
        held, self._held = self._held, bytearray()
        send(self._fd, encode({"rows": self._rows}, {"data": np.frombuffer(held, np.uint8)}))


class Scoring:
    """A dataset, a model, and what is written."""

    def __init__(self, dataset: str, model: Model, signature: Signature, keep: list[str], form: str, rows: int) -> None:
        self.file = open_parquet(Path(dataset))
        self.model, self.signature, self.keep, self.form, self.rows = model, signature, keep, form, rows
        self.text_bytes = MOST_TEXT_BYTES if isinstance(model, Elsewhere) else None
        there = self.file.schema_arrow
        wanted = {*keep, *signature.names}
        self.names = [name for name in there.names if name in wanted]
        self.schema = schema_of(pa.schema([there.field(name) for name in keep]), signature)


class _WithoutPandas:
    """Tells pyarrow, which asks at its first array, that there is no pandas: to import it takes longer than to score a
    million rows."""

    @staticmethod
    def find_spec(name: str, *_: Any) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name=name)


def serve(
    dataset: str, model: str | None, runtime: str, signature: dict[str, Any], keep: list[str], form: str, answer_fd: int
) -> None:
    """Open the table, and the model if it is a graph; then score parts until standard input ends."""
    sys.meta_path.insert(0, _WithoutPandas)
    try:
        known = msgspec.convert(signature, Signature)
        loaded: Model = Elsewhere(answer_fd)
        if model is not None:
            loaded = runtime_class(runtime).load(Path(model), known)
        scoring = Scoring(dataset, loaded, known, keep, form, CHUNK_ROWS if model is not None else ISOLATED_ROWS)
        send(answer_fd, encode({"ready": True}))
    except ModelyardError as error:
        send(answer_fd, encode({"error": error.code, "message": error.message[:2000]}))
        return
    while True:
        order, _ = read_frame()
        try:
            Part(scoring, order, answer_fd).score()
        except (ModelyardError, pa.ArrowException, OSError, MemoryError) as error:
            said = error.message if isinstance(error, ModelyardError) else f"{type(error).__name__}: {error}"
            send(answer_fd, encode({"error": "model_failed", "message": said[:2000]}))


def _chunks(table: pa.Table, rows: int, text_bytes: int | None) -> Iterator[pa.RecordBatch]:
    """Cut a table into chunks of at most so many rows, and, but for a single row, bytes of texts."""
    for batch in table.to_batches():
        for start in range(0, batch.num_rows, rows):
            yield from _within(batch.slice(start, rows), text_bytes)


def _within(chunk: pa.RecordBatch, text_bytes: int | None) -> Iterator[pa.RecordBatch]:
    texts = sum(column.nbytes for column in chunk.columns if pa.types.is_string(column.type))
    if text_bytes is None or texts <= text_bytes or chunk.num_rows == 1:
        yield chunk
        return
    middle = chunk.num_rows // 2
    yield from _within(chunk.slice(0, middle), text_bytes)
    yield from _within(chunk.slice(middle), text_bytes)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Return a row as JSON values; one that is very long keeps the beginning of its texts, and its first columns."""
    said = {name: _scalar(value) for name, value in values.items()}
    if sum(len(name) + len(str(value)) for name, value in said.items()) <= MOST_ROW_CHARACTERS:
        return said
    return {name: value[:50] if isinstance(value, str) else value for name, value in list(said.items())[:50]}


def _scalar(value: Any) -> str | int | float | bool | None:
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return value if value is None or isinstance(value, str | int | bool) else str(value)
