"""The part of the client that has datasets scored."""

from collections.abc import Sequence
from pathlib import Path

from modelyard.client.connected import Connected
from modelyard.client.datasets import FORMATS
from modelyard.client.downloading import check_promised, fetch, promised
from modelyard.client.jobs import job_path
from modelyard.client.pushing import Progress, silent
from modelyard.client.records import Dataset, Job
from modelyard.client.transport import API
from modelyard.core.errors import InvalidInput
from modelyard.core.reference import parse_reference
from modelyard.core.table import parse_dataset


class Scoring(Connected):
    """What `Client` inherits."""

    def score(
        self,
        model: str,
        dataset: str | Dataset,
        *,
        format: str = FORMATS[0],
        columns: Sequence[str] = (),
        entity: str = "",
        precompute: bool = False,
    ) -> Job:
        """Have all rows of a dataset scored, and return the job; `download_result` fetches what it came to.

        Args:
            model: `iris:3`, `iris@candidate`, or `iris`, the version that answers alone; it is settled now.
            format: `parquet` or `csv`.
            columns: of the dataset, that stand before the predictions.
            entity: the column that tells rows apart; it stands first.
            precompute: store the answers by entity at the end, for `precomputed`.

        Raises:
            InvalidInput: when the dataset's columns do not fit the version; the message names them.
            Conflict: when the version or the dataset is not ready.

        Example:
            >>> job = yard.score("delays:3", "flights:1")
            >>> for event in yard.watch(job): ...
            >>> yard.download_result(job, to="scored.parquet")
        """
        if format not in FORMATS:
            raise InvalidInput(f"got the format {format!r}, expected one of {', '.join(FORMATS)}")
        body = {
            "model": str(parse_reference(model)),
            "format": format,
            "columns": list(columns),
            "entity": entity,
            "precompute": precompute,
        }
        return self._send("POST", f"{API}/datasets/{parse_dataset(str(dataset))}/score", Job, body)

    def download_result(
        self, job: Job | str, *, to: Path | str = ".", failed: bool = False, progress: Progress = silent
    ) -> Path:
        """Write a scoring's result to `to` (a folder, or the file's name), and return where; with `failed` the rows
        that could not be scored, a line of JSON each.

        Raises:
            Conflict: when the job has not ended, or that file is there already.
            InvalidInput: when the file's name promises another format than the result has.
            NotFound: when it left no such file.
        """
        if (promise := promised(Path(to))) is not None:
            outcome = self._get(job_path(job), Job).outcome or {}
            check_promised(Path(to), "jsonl" if failed else outcome.get("format") or promise)
        what = "failed" if failed else "result"
        return fetch(self._control, f"{job_path(job)}{what}", Path(to), default=what, progress=progress)

    def delete_result(self, job: Job | str) -> None:
        """Delete what a scoring left on the server; the job stays.

        Raises:
            NotFound: when there is nothing, or no more.
        """
        self._control.send("DELETE", f"{job_path(job)}result")
