"""The part of the client that speaks of datasets."""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from modelyard.client.connected import Connected
from modelyard.client.downloading import check_promised, fetch, promised
from modelyard.client.pushing import Progress, form, job_progress, send, silent
from modelyard.client.records import Dataset, Preview, read_record
from modelyard.client.transport import API
from modelyard.client.uploads import table_file
from modelyard.core.errors import DeadlineExceeded, InvalidInput, Unavailable
from modelyard.core.table import SUFFIXES, check_dataset_name, check_types, format_of, parse_dataset

POLL_SECONDS = 0.2
DATASETS = f"{API}/datasets/"
FORMATS = ("parquet", "csv")
FOUND = 200
"""The status of an answer that made nothing, where 201 is one that did."""


class Datasets(Connected):
    """What `Client` inherits."""

    def push_dataset(
        self,
        table: Any,
        *,
        name: str,
        types: Mapping[str, str] | None = None,
        description: str = "",
        wait: bool = True,
        progress: Progress = silent,
        timeout_seconds: float = 3600.0,
    ) -> Dataset:
        """Upload a table as a new dataset of that name; the same file again is the dataset that there is.

        Args:
            table: a file (.csv or .parquet), a DataFrame (its index stays here), or an Arrow table.
            types: of columns, where they shall not be found: column name to a type, as {"zip": "string"}.
            wait: return when it was examined; else at once, while it is `checking`.
            progress: told how far it is.
            timeout_seconds: for the examination.

        Raises:
            DatasetRefused: when the file cannot become a dataset; the message names line and column.
            DeadlineExceeded: when the examination takes longer; it goes on nevertheless.

        Example:
            >>> yard.push_dataset(flights, name="flights")
        """
        check_dataset_name(name)
        data = form(name=name, types=check_types(dict(types)) if types else None, description=description)
        with tempfile.TemporaryDirectory(prefix="modelyard-") as folder:
            file = table_file(table, Path(folder))
            if format_of(file.name) is None:
                raise InvalidInput(f"{file.name} is no table: expected {' or '.join(SUFFIXES)}")
            answer = send(self._control, DATASETS, [("file", file)], data, progress)
        dataset = read_record(answer.content, Dataset)
        if wait:
            dataset = self.wait_dataset(dataset, progress=progress, timeout_seconds=timeout_seconds)
        return msgspec.structs.replace(dataset, already=answer.status_code == FOUND)

    def fetch_dataset(
        self,
        source: Mapping[str, str],
        *,
        name: str,
        types: Mapping[str, str] | None = None,
        description: str = "",
        wait: bool = True,
        progress: Progress = silent,
        timeout_seconds: float = 3600.0,
    ) -> Dataset:
        """Have the server fetch a table from a place that its operator allowed; see `dataset_sources`.

        Example:
            >>> yard.fetch_dataset({"kind": "folder", "place": "exports", "file": "flights.csv"}, name="flights")
        """
        check_dataset_name(name)
        body = {
            "name": name,
            "source": dict(source),
            "types": check_types(dict(types or {})),
            "description": description,
        }
        dataset = self._send("POST", DATASETS, Dataset, body)
        return self.wait_dataset(dataset, progress=progress, timeout_seconds=timeout_seconds) if wait else dataset

    def dataset_sources(self) -> list[dict[str, Any]]:
        """Return where datasets may come from: `kind`, the names of its `places`, the `field` to say, the `scope`."""
        return list(self._control.get(f"{DATASETS}sources/"))

    def wait_dataset(
        self, dataset: Dataset, *, progress: Progress = silent, timeout_seconds: float = 3600.0
    ) -> Dataset:
        """Return `dataset` once it is `ready`.

        Raises:
            DatasetRefused: when it was refused.
            DeadlineExceeded: when it is still `checking` after `timeout_seconds`.
        """
        end = time.monotonic() + timeout_seconds
        while dataset.state == "checking":
            if time.monotonic() > end:
                raise DeadlineExceeded(
                    f"{dataset} is still being examined after {timeout_seconds:g} s; it goes on: ask for it later"
                )
            progress("check", *job_progress(self._control, dataset.job))
            time.sleep(POLL_SECONDS)
            try:
                dataset = self.dataset(str(dataset))
            except Unavailable as error:
                raise Unavailable(f"{error.message}; {dataset} was uploaded and is kept: ask for it later") from error
        progress("check", 1.0, dataset.state)
        return dataset.check()

    def datasets(self, **filters: str) -> list[Dataset]:
        """Return the tenant's datasets, by name, newest first; `filters` are the API's, as `name="flights"`."""
        return list(self._list(DATASETS, Dataset, filters))

    def dataset(self, reference: str | Dataset) -> Dataset:
        """Return one dataset: `flights` is the newest that is ready, `flights:2` itself."""
        return self._get(_path(reference), Dataset)

    def preview_dataset(self, reference: str | Dataset, *, rows: int = 50, offset: int = 0) -> Preview:
        """Return some rows."""
        asked = {"rows": str(rows), "offset": str(offset)}
        return self._get(f"{_path(reference)}preview", Preview, asked)

    def download_dataset(
        self,
        reference: str | Dataset,
        *,
        to: Path | str = ".",
        format: str = "",
        progress: Progress = silent,
    ) -> Path:
        """Write a dataset to `to` (a folder, or the file's name) as Parquet or CSV, and return where.

        Without a `format` it is the one that the file's name promises, else Parquet.

        Raises:
            Conflict: when that file is there already, or the dataset is not ready.
            InvalidInput: when nothing can be written there, there is no such format, or the name promises another.
        """
        format = format or promised(Path(to)) or FORMATS[0]
        if format not in FORMATS:
            raise InvalidInput(f"got the format {format!r}, expected one of {', '.join(FORMATS)}")
        check_promised(Path(to), format)
        default = f"{str(reference).replace(':', '-')}.{format}"
        path = f"{_path(reference)}download?format={format}"
        return fetch(self._control, path, Path(to), default=default, progress=progress)

    def delete_dataset(self, reference: str | Dataset) -> None:
        """Delete a dataset, named with its number.

        Raises:
            InUse: while a version was trained on it, or it is being examined.
        """
        self._control.send("DELETE", _path(reference))


def _path(reference: str | Dataset) -> str:
    return f"{DATASETS}{parse_dataset(str(reference))}/"
