"""Rows of a SQL query on PostgreSQL databases that the operator has named (`dataset_databases`).

The query is the caller's own text. It runs in a read-only transaction, as the one statement of a cursor, with a time
limit; but what it may see, and which functions it may call, only the role in the operator's address bounds.
"""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
from django.conf import settings
from pyarrow import parquet

from modelyard.control.registry.facts import check_text
from modelyard.control.tenancy.models import Scope
from modelyard.core.errors import DatasetRefused, InvalidInput, TooLarge, Unavailable
from modelyard.core.table import DATE, TIMESTAMP
from modelyard.tables.types import ARROW, check_names

CHUNK_BYTES = 1 << 20
ROWS_AT_ONCE = 5_000
MAX_QUERY = 20_000
CONNECT_SECONDS = 10
TYPES = {
    "bool": "bool", "int2": "int16", "int4": "int32", "int8": "int64", "float4": "float32", "float8": "float64",
    "numeric": "float64", "text": "string", "varchar": "string", "bpchar": "string", "name": "string",
    "uuid": "string", "date": DATE, "timestamp": TIMESTAMP, "timestamptz": TIMESTAMP,
}  # fmt: skip
"""PostgreSQL's types, and those that they become."""


class QuerySource:
    """`query` is one SELECT; its columns become the dataset's."""

    kind = "sql"
    field = "query"
    scope = Scope.ADMIN

    def places(self) -> list[str]:
        return list(settings.MODELYARD.dataset_databases)

    def check(self, given: dict[str, str]) -> str:
        if not check_text(given["query"], "source.query", MAX_QUERY).strip():
            raise InvalidInput.at("source.query", "is empty: expected one SELECT")
        return "parquet"

    def fetch(self, given: dict[str, Any], scratch: Path, max_bytes: int) -> Iterator[bytes]:
        address = settings.MODELYARD.dataset_databases.get(given["place"])
        if address is None:
            raise InvalidInput(f"there is no database {given['place']!r} any more")
        path = scratch / "rows.parquet"
        seconds = settings.MODELYARD.dataset_query_seconds
        try:
            with psycopg.connect(address, connect_timeout=CONNECT_SECONDS) as connection:
                connection.read_only = True
                connection.execute("SELECT set_config('statement_timeout', %s, true)", [f"{seconds * 1000:.0f}"])
                _write(connection, given["query"], path, max_bytes, seconds)
        except psycopg.errors.QueryCanceled:
            raise _too_slow(seconds) from None
        except psycopg.OperationalError as error:
            raise Unavailable(f"the database {given['place']} does not answer") from error
        except psycopg.Error as error:
            said = (str(error).splitlines() or [type(error).__name__])[0]
            raise InvalidInput(f"the database refused the query: {said[:300]}") from None
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk


def _write(connection: "psycopg.Connection[Any]", query: str, path: Path, max_bytes: int, seconds: float) -> None:
    """Write the rows as they come, so that memory does not grow with them."""
    end = time.monotonic() + seconds  # the database's own limit begins anew with each batch of rows
    with connection.cursor(name="dataset") as cursor:
        cursor.itersize = ROWS_AT_ONCE
        cursor.execute(query.strip().removesuffix(";").encode())
        schema = _schema(connection, cursor.description or [])
        with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
            while rows := cursor.fetchmany(ROWS_AT_ONCE):
                arrays = [_array(values, field) for values, field in zip(zip(*rows, strict=True), schema, strict=True)]
                writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=schema))
                if time.monotonic() > end:
                    raise _too_slow(seconds)
                if path.stat().st_size > max_bytes:
                    raise TooLarge(f"the query gives more than the {max_bytes} bytes that a dataset may have")


def _too_slow(seconds: float) -> DatasetRefused:
    return DatasetRefused(f"the query took longer than {seconds:g} s: ask for less, or have the operator allow more")


def _schema(connection: "psycopg.Connection[Any]", description: Any) -> pa.Schema:
    fields = []
    for column in description:
        info = connection.adapters.types.get(column.type_code)
        word = TYPES.get(info.name) if info and column.type_code == info.oid else None
        if word is None:
            raise InvalidInput(
                f"column `{column.name[:60]}` is of a type that no dataset has "
                f"({info.name if info else column.type_code}): cast it in the query, as in `{column.name[:60]}::text`"
            )
        fields.append((column.name, ARROW[word]))
    check_names([name for name, _ in fields])
    return pa.schema(fields)


def _array(values: tuple[Any, ...], field: pa.Field) -> pa.Array:
    if pa.types.is_string(field.type):
        values = tuple(None if value is None else str(value) for value in values)
    elif field.type == ARROW["float64"]:
        values = tuple(None if value is None else float(value) for value in values)
    return pa.array(values, field.type)
