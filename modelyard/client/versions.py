"""The part of the client that speaks of versions: pushing them, waiting for them, and having them back."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from modelyard.client.aliases import Aliases
from modelyard.client.downloading import fetch
from modelyard.client.models import Models
from modelyard.client.pushing import Progress, about, job_progress, send, silent
from modelyard.client.records import Dataset, Version, read_record
from modelyard.client.serving import await_named
from modelyard.client.transport import API
from modelyard.client.uploads import model_files, sample_file
from modelyard.core.errors import Conflict, DeadlineExceeded, ModelyardError, NotFound, Unavailable
from modelyard.core.manifest import Manifest
from modelyard.core.reference import check_name

POLL_SECONDS = 0.2


class Versions(Models, Aliases):
    """What `Client` inherits."""

    def push(
        self,
        *models: Any,
        name: str,
        sample: Any = None,
        metrics: Mapping[str, float] | None = None,
        description: str = "",
        parent: Version | int | None = None,
        dataset: Dataset | str = "",
        manifest: Manifest | Mapping[str, Any] | None = None,
        signature: Mapping[str, Any] | None = None,
        environment: str = "",
        wait: bool = True,
        progress: Progress = silent,
        timeout_seconds: float = 600.0,
    ) -> Version:
        """Upload a model as a new version of `name`, which is made when there is none.

        Once it is ready it answers by its number, as `iris:3`; for the model's name alone, once it is promoted.

        Args:
            models: files (several are joined into one pipeline, in this order), or a fitted estimator, which is
                pickled with protocol 4.
            sample: rows that the model can predict: a DataFrame, an array `(n_rows, n_columns)`, or a file (.csv,
                .parquet, .json or .npy). It gives names, types and ranges of the columns, and the rows on which what
                is served is compared with what was fitted.
            metrics: name to number, as `{"accuracy": 0.97}`.
            parent: the version that this one was made from.
            dataset: what it was trained on, as "flights:2".
            manifest: facts that win over those captured from this process.
            signature: columns and outputs, instead of inferred ones.
            environment: the Python environment of the server that opens and serves it, for an old pickle; without, one
                that fits is found.
            wait: return when the version was examined, and the data plane knows it; else at once, while it is
                `checking`.
            progress: told how far it is.
            timeout_seconds: for the examination.

        Raises:
            ModelRefused: when the files cannot become a version.
            DeadlineExceeded: when the examination takes longer; it goes on nevertheless.

        Example:
            >>> yard.push(make_pipeline(StandardScaler(), Perceptron()).fit(X, y), name="iris", sample=X)
        """
        check_name(name, "a model")
        data = about(
            models, metrics=metrics, manifest=manifest, signature=signature, description=description,
            environment=environment, dataset=str(dataset),
            parent=parent.number if isinstance(parent, Version) else parent,
        )  # fmt: skip
        version = self._upload(name, models, sample, data, progress)
        if wait:
            version = self.wait(version, progress=progress, timeout_seconds=timeout_seconds).check()
            await_named(self._data, f"{version.model}:{version.number}", version.number)
        return version

    def _upload(
        self, name: str, models: Sequence[Any], sample: Any, data: dict[str, str], progress: Progress
    ) -> Version:
        """Send the files and what is said of them; a model that was made for their sake goes with them."""
        with tempfile.TemporaryDirectory(prefix="modelyard-") as folder:
            scratch = Path(folder)
            files = [("file", path) for path in model_files(models, scratch)]
            if sample is not None:
                files.append(("sample", sample_file(sample, scratch)))
            made = self._make_model(name)
            try:
                answer = send(self._control, f"{API}/models/{name}/versions/", files, data, progress).content
            except ModelyardError as error:
                if made:
                    self._take_back(name, error)
                raise
        return read_record(answer, Version)

    def _make_model(self, name: str) -> bool:
        """Make a model where there is none, and tell whether that was so."""
        try:
            self.model(name)
        except NotFound:
            with suppress(Conflict):  # somebody else made it in between
                self._control.send("POST", f"{API}/models/", json={"name": name})
                return True
        return False

    def _take_back(self, name: str, error: ModelyardError) -> None:
        """Delete the model that was made for a push without a version; what may be under way there is left alone."""
        if isinstance(error, Unavailable | DeadlineExceeded):
            return
        with suppress(ModelyardError):  # the refusal is what matters
            if not self.model(name).last_number:
                self.delete(name)

    def wait(self, version: Version, *, progress: Progress = silent, timeout_seconds: float = 600.0) -> Version:
        """Return `version` once it is `ready` or `refused`.

        Raises:
            DeadlineExceeded: when it is still `checking` after `timeout_seconds`.
            Unavailable: when the server cannot be asked any more.
        """
        end = time.monotonic() + timeout_seconds
        while version.state == "checking":
            if time.monotonic() > end:
                raise DeadlineExceeded(
                    f"{version} is still being examined after {timeout_seconds:g} s; it goes on: ask for it later"
                )
            progress("check", *job_progress(self._control, version.job))
            time.sleep(POLL_SECONDS)
            try:
                version = self.version(version.model, version.number)
            except Unavailable as error:
                raise Unavailable(
                    f"{error.message}; {version} was uploaded and is kept: ask for it later, push it no second time"
                ) from error
        progress("check", 1.0, version.state)
        return version

    def versions(self, model: str, **filters: str) -> list[Version]:
        """Return a model's versions, the newest first; `filters` are the API's, as `state="ready"`."""
        return list(self._list(f"{API}/models/{check_name(model, 'a model')}/versions/", Version, filters))

    def version(self, model: str, number: int | None = None) -> Version:
        """Return one version.

        Args:
            model: its name; or a reference, as `iris:3`, without `number`.
        """
        name, number = self._numbered(model, number)
        return self._get(f"{API}/models/{name}/versions/{number}/", Version)

    def download(
        self, model: str, number: int | None = None, *, to: Path | str = ".", progress: Progress = silent
    ) -> Path:
        """Write a version's files to `to` (a folder, or the file's name) and return where; several come as one zip.

        Raises:
            Conflict: when that file is there already.
            InvalidInput: when nothing can be written there.
        """
        name, number = self._numbered(model, number)
        path = f"{API}/models/{name}/versions/{number}/artifact"
        return fetch(self._control, path, Path(to), default=f"{name}-{number}", progress=progress)
