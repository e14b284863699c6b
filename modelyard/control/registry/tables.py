"""What a dataset's table gives: some rows, the whole as Parquet, or as CSV.

The Parquet was written by a child that a stranger's bytes may have taken over, so only a child reads it.
"""

import shutil
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from modelyard.control.registry.dataset_models import Dataset, DatasetState
from modelyard.control.registry.datasets import limits
from modelyard.control.registry.models import Artifact
from modelyard.control.registry.registration import CHUNK_BYTES, new_scratch
from modelyard.control.registry.storage import store
from modelyard.control.rest import ChunksResponse
from modelyard.core.errors import ArtifactCorrupt, Conflict, InvalidInput, ModelRefused, Unavailable
from modelyard.sandbox.examination import new_folder, take_left
from modelyard.sandbox.findings import kept
from modelyard.sandbox.run import run
from modelyard.tables.examining import PART, PRELOAD

FORMATS = ("parquet", "csv")
MAX_ROWS, MAX_CELLS = 1_000, 100_000
GROUPS_AT_ONCE = 8
MOST_READING, READ_SECONDS, PLACE_SECONDS = 4, 120.0, 10.0
_reading = threading.BoundedSemaphore(MOST_READING)
"""Places of children that read for somebody who waits, in this process: each may have as much memory as any child."""
_ROWS, _CSV = "modelyard.tables.examining:rows", "modelyard.tables.examining:csv_part"


def table_of(dataset: Dataset) -> Artifact:
    """Return what holds the table. Raises `Conflict` unless the dataset is ready."""
    if dataset.state != DatasetState.READY or dataset.artifact is None:
        raise Conflict(f"{dataset} is {dataset.state}: it has no rows{dataset.refused_because}", state=dataset.state)
    return dataset.artifact


def preview(dataset: Dataset, offset: int, rows: int) -> list[list[Any]]:
    """Return at most `rows` rows from the `offset`th on, as JSON values in the order of the columns.

    Raises:
        Conflict: when it is not ready.
        InvalidInput: when that are too many values for one answer.
    """
    table = table_of(dataset)
    most = max(1, min(MAX_ROWS, MAX_CELLS // len(dataset.columns)))
    if rows > most:
        raise InvalidInput.at("rows", f"got {rows}, expected at most {most} of a table this wide")
    if offset + rows <= len(dataset.head) or len(dataset.head) == dataset.n_rows:
        return list(dataset.head[offset : offset + rows])
    if offset >= (dataset.n_rows or 0):
        return []
    scratch = new_scratch()
    try:
        with store().local(str(dataset.tenant_id), table.digest) as path:
            arguments = {"path": str(path.resolve()), "offset": offset, "rows": rows}
            said = _read(_ROWS, arguments, path, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    found = said.get("rows")
    width = len(dataset.columns)
    if not isinstance(found, list) or any(not isinstance(row, list) or len(row) != width for row in found):
        raise ArtifactCorrupt(f"the table of {dataset} could not be read")
    return list(kept(found[:rows]))


def download(dataset: Dataset, form: str) -> ChunksResponse:
    """Answer with the whole table.

    Raises:
        Conflict: when it is not ready.
        InvalidInput: when there is no such format.
    """
    table = table_of(dataset)
    if form not in FORMATS:
        raise InvalidInput.at("format", f"got {form[:40]!r}, expected one of {', '.join(FORMATS)}")
    name = f"{dataset.name}-{dataset.number}.{form}"
    if form == "csv":
        return ChunksResponse(_csv(dataset, table), filename=name, content_type="text/csv; charset=utf-8")
    chunks = store().open(str(dataset.tenant_id), table.digest)
    return ChunksResponse(chunks, filename=name, size_bytes=table.size_bytes)


def _read(target: str, arguments: dict[str, Any], path: Path, scratch: Path) -> dict[str, Any]:
    """Call what reads a table in a child. Raises `Unavailable` where as many as may are reading."""
    if not _reading.acquire(timeout=PLACE_SECONDS):
        raise Unavailable("as many tables are being read here as may be: try again in some seconds")
    try:
        bounds = limits().within(READ_SECONDS)
        return run(target, arguments, read=[path], scratch=scratch, limits=bounds, preload=PRELOAD)
    finally:
        _reading.release()


def _csv(dataset: Dataset, table: Artifact) -> Iterator[bytes]:
    """Give the table as CSV, some row groups at a time: a child writes them, and they are gone once they were sent."""
    scratch = new_scratch()
    try:
        with store().local(str(dataset.tenant_id), table.digest) as path:
            first, groups = 0, 1
            while first < groups:
                folder = new_folder(scratch, str(first))
                arguments = {
                    "path": str(path.resolve()), "first": first, "groups": GROUPS_AT_ONCE,
                    "scratch": str(folder.resolve()),
                }  # fmt: skip
                said = _read(_CSV, arguments, path, folder)
                part = take_left(folder / PART, scratch / PART, limits())
                groups = said["groups"]
                if part is None or not isinstance(groups, int):
                    raise ModelRefused("the process that read the table left nothing")
                with part.open("rb") as written:
                    yield from iter(partial(written.read, CHUNK_BYTES), b"")
                part.unlink()
                shutil.rmtree(folder)
                first += GROUPS_AT_ONCE
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
