"""From a table of predictions to a file of stored answers, in the form of `core.precomputed`.

Rows pass through a table that SQLite keeps in a temporary file, and from there, sorted by SQLite itself (an external
merge sort; https://www.sqlite.org/tempfiles.html), into the file. So memory does not grow with the table, and
the same predictions leave the same bytes with the same release of SQLite, in whatever order they came.
"""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from modelyard.core.errors import InvalidInput
from modelyard.core.precomputed import APPLICATION_ID, FORMAT, MAX_ANSWER_BYTES, MAX_ENTITY, TABLE
from modelyard.tables.parquet_file import open_parquet

FILE = "answers.sqlite"
"""Name of what is left in the scratch folder."""
PRELOAD = ("numpy", "msgspec", "pyarrow", "pyarrow.compute", "pyarrow.parquet", "sqlite3")
BATCH_ROWS, _BATCH_CELLS = 16_384, 1 << 18
"""That are Python's own values at once; of many classes fewer rows."""
PAGE_BYTES = 4096
CACHE_KIB = 32 << 10
_SHOWN = 60
_TOLD = 5
_STAGED = "CREATE TEMP TABLE staged (entity TEXT NOT NULL, row INTEGER NOT NULL, answer BLOB NOT NULL)"
_TWICE = "SELECT entity, count(*) FROM staged GROUP BY entity HAVING count(*) > 1 LIMIT 1"
_ITS_ROWS = "SELECT row FROM staged WHERE entity = ? ORDER BY row LIMIT ?"
_encode = msgspec.json.Encoder().encode


class Columns(msgspec.Struct, frozen=True):
    """Where in a table the parts of an answer are.

    Attributes:
        prediction: one column, or one for each place of a prediction that is a list.
        is_list: the prediction is a list, though it may be of one.
        probabilities: one for each class; empty where there are none.
        labels: of the classes; empty where they have none, so that the probabilities are a list.
    """

    prediction: tuple[str, ...]
    is_list: bool = False
    probabilities: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


def precompute(path: str, scratch: str, entity: str, columns: dict[str, Any]) -> dict[str, Any]:
    """Write the file of a table's answers into `scratch`; a target of `sandbox.run`.

    A row without a prediction, which the scoring told as failed, has no answer: it is counted as skipped.

    Raises:
        InvalidInput: when the table has no such columns, or its entities are not one for each row.
    """
    said = msgspec.convert(columns, Columns)
    rows, skipped = write_answers(Path(path), Path(scratch) / FILE, entity, said)
    return {"rows": rows, "skipped": skipped}


def write_answers(source: Path, target: Path, entity: str, columns: Columns) -> tuple[int, int]:
    """Write the answers in `source`, a Parquet file, to `target`; return how many there are, and how many rows have
    none. Raises as `precompute`."""
    file = open_parquet(source)
    wanted = [entity, *columns.prediction, *columns.probabilities]
    lacking = [name for name in wanted if name not in file.schema_arrow.names]
    if lacking:
        raise InvalidInput(f"the table has no column `{lacking[0][:_SHOWN]}`: expected it beside the predictions")
    to_text = _reader_of(entity, file.schema_arrow.field(entity).type)
    connection = sqlite3.connect(target, isolation_level=None)
    try:
        for pragma in (
            f"page_size={PAGE_BYTES}", f"cache_size=-{CACHE_KIB}", "temp_store=FILE", "locking_mode=EXCLUSIVE",
            "journal_mode=OFF", "synchronous=OFF", f"application_id={APPLICATION_ID}", f"user_version={FORMAT}",
        ):  # fmt: skip
            connection.execute(f"PRAGMA {pragma}")
        connection.execute(TABLE)
        connection.execute(_STAGED)
        seen = 0
        connection.execute("BEGIN")
        rows = max(1, min(BATCH_ROWS, _BATCH_CELLS // len(wanted)))
        for batch in file.iter_batches(batch_size=rows, columns=list(dict.fromkeys(wanted)), use_threads=False):
            entities = to_text(batch.column(entity), seen)
            connection.executemany("INSERT INTO staged VALUES (?, ?, ?)", _answers(batch, entities, seen, columns))
            seen += batch.num_rows
        return _sorted_in(connection, entity), seen - _count(connection, "staged")
    finally:
        connection.close()


def _sorted_in(connection: sqlite3.Connection, entity: str) -> int:
    """Bring what was staged into its place, and return how many answers there are."""
    try:
        connection.execute("INSERT INTO answers SELECT entity, answer FROM staged ORDER BY entity")
    except sqlite3.IntegrityError:
        name, times = connection.execute(_TWICE).fetchone()
        its_rows = connection.execute(_ITS_ROWS, (name, _TOLD))
        told = ", ".join(str(row) for (row,) in its_rows) + (", ..." if times > _TOLD else "")
        raise InvalidInput(
            f"column `{entity}`: {name[:_SHOWN]!r} is the entity of {times} rows ({told}; the first row is 0): "
            "expected each entity once, as a stored answer is found by it alone"
        ) from None
    rows = _count(connection, "answers")
    if not rows:
        raise InvalidInput("the table has no predictions: expected one row or more with one")
    connection.execute("COMMIT")
    return rows


def _count(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - a name of ours


def _answers(
    batch: pa.RecordBatch, entities: list[str], first: int, columns: Columns
) -> Iterator[tuple[str, int, bytes]]:
    """Give entity, row and answer of the rows that have a prediction."""
    predictions = [batch.column(name).to_pylist() for name in columns.prediction]
    shares = [batch.column(name).to_pylist() for name in columns.probabilities]
    labels = columns.labels
    for place, values in enumerate(zip(*predictions, strict=True)):
        if all(value is None for value in values):
            continue
        answer: dict[str, Any] = {"predictions": [values if columns.is_list else values[0]]}
        if shares:
            row = [one[place] for one in shares]
            answer["probabilities"] = [dict(zip(labels, row, strict=True)) if labels else row]
        encoded = _encode(answer)
        if len(encoded) > MAX_ANSWER_BYTES:
            raise InvalidInput(
                f"row {first + place} (the first row is 0): the answer has {len(encoded):,} bytes; expected at most "
                f"{MAX_ANSWER_BYTES:,}"
            )
        yield entities[place], first + place, encoded


def _reader_of(entity: str, kind: pa.DataType) -> Callable[[pa.Array, int], list[str]]:
    """Return what makes texts of the entities of a batch, whose first row has that number."""
    if not (pa.types.is_string(kind) or pa.types.is_integer(kind)):
        raise InvalidInput(f"column `{entity}` is {kind}: expected an entity's id, as a text or a whole number")

    def read(values: pa.Array, first: int) -> list[str]:
        texts = values if pa.types.is_string(kind) else pc.cast(values, pa.string())
        found: list[str] = texts.to_pylist()
        for place, text in enumerate(found):
            if not text or len(text) > MAX_ENTITY or text in (".", ".."):
                raise InvalidInput(f"column `{entity}`, row {first + place} (the first row is 0): {_wrong(text)}")
        return found

    return read


def _wrong(text: str | None) -> str:
    if text is None:
        return "the entity is missing; expected one in each row"
    if len(text) > MAX_ENTITY:
        return f"the entity has {len(text)} characters; expected at most {MAX_ENTITY}"
    return f"{text!r} names no entity: it cannot be a part of an address"
