"""The verbs of the client: each is one or two requests to the server's API."""

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx2
import msgspec

from modelyard.client import choosing
from modelyard.client import manifest as manifests
from modelyard.client.charters import Charters
from modelyard.client.choosing import Comparison, Selection
from modelyard.client.downloading import fetch
from modelyard.client.pushing import API, Progress, form, job_progress, send, silent
from modelyard.client.records import Alias, Answer, Deployment, Key, Model, Record, Version, read_record
from modelyard.client.rows import body_of, plain
from modelyard.client.serving import await_served
from modelyard.client.transport import TRIES, Transport
from modelyard.client.uploads import model_files, sample_file
from modelyard.core.errors import (
    Conflict,
    DeadlineExceeded,
    InvalidInput,
    ModelyardError,
    NotFound,
    Unavailable,
)
from modelyard.core.manifest import Manifest
from modelyard.core.reference import Reference, check_name, parse_reference

POLL_SECONDS = 0.2


class Client(Charters):
    """A Modelyard server, seen with one API key.

    Every verb raises the classes of `modelyard.core.errors`, by the code that the server answered with.

    Args:
        url: of the server.
        key: an API key, `yard_...`; what may be done is what its scopes allow.
        predict_url: of the data plane, where it has an address of its own.
        timeout_seconds: for connecting, and for each wait for an answer.
        through: what carries requests, instead of a network: an application in this process, say.

    Example:
        >>> yard = Client("http://127.0.0.1:8000", key="yard_...")
        >>> version = yard.push("scaler.pkl", "iris_predictor.pkl", name="iris", sample=X_test)
        >>> yard.promote("iris", version)
        >>> yard.predict("iris", X_test[:5]).predictions
        [0, 2, 1, 1, 0]
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        predict_url: str | None = None,
        timeout_seconds: float = 60.0,
        through: httpx2.BaseTransport | None = None,
    ) -> None:
        self._control = Transport(url, key, timeout_seconds, through)
        self._data = Transport(predict_url, key, timeout_seconds) if predict_url else self._control

    @property
    def url(self) -> str:
        """Return the server's address, without a slash at its end."""
        return self._control.url

    @property
    def predict_url(self) -> str:
        """Return the data plane's address."""
        return self._data.url

    def close(self) -> None:
        """Close the connections; the client is not used again."""
        self._control.close()
        self._data.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # Versions

    def push(
        self,
        *models: Any,
        name: str,
        sample: Any = None,
        metrics: Mapping[str, float] | None = None,
        description: str = "",
        parent: Version | int | None = None,
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
            manifest: facts that win over those captured from this process.
            signature: columns and outputs, instead of inferred ones.
            environment: the Python environment of the server that opens and serves it, for an old pickle; without, one
                that fits is found.
            wait: return when the version was examined; else at once, while it is `checking`.
            progress: told how far it is.
            timeout_seconds: for the examination.

        Raises:
            ModelRefused: when the files cannot become a version.
            DeadlineExceeded: when the examination takes longer; it goes on nevertheless.

        Example:
            >>> yard.push(make_pipeline(StandardScaler(), Perceptron()).fit(X, y), name="iris", sample=X)
        """
        check_name(name, "a model")
        data = form(
            metrics=dict(metrics) if metrics else None,
            manifest=manifests.facts(models, manifest),
            signature=dict(signature) if signature else None,
            description=description,
            environment=environment,
            parent=parent.number if isinstance(parent, Version) else parent,
        )
        with tempfile.TemporaryDirectory(prefix="modelyard-") as folder:
            scratch = Path(folder)
            files = [("file", path) for path in model_files(models, scratch)]
            if sample is not None:
                files.append(("sample", sample_file(sample, scratch)))
            made = self._make_model(name)
            try:
                answer = send(self._control, f"{API}/models/{name}/versions/", files, data, progress)
            except ModelyardError as error:
                if made:
                    self._take_back(name, error)
                raise
        version = read_record(answer, Version)
        return self.wait(version, progress=progress, timeout_seconds=timeout_seconds).check() if wait else version

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
        return read_record(msgspec.json.encode(self._control.get(f"{API}/models/{name}/versions/{number}/")), Version)

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

    # Models

    def models(self, **filters: str) -> list[Model]:
        """Return the tenant's models, by name; `filters` are the API's, as `search="iris"`."""
        return list(self._list(f"{API}/models/", Model, filters))

    def model(self, name: str) -> Model:
        """Return one model."""
        return read_record(
            msgspec.json.encode(self._control.get(f"{API}/models/{check_name(name, 'a model')}/")), Model
        )

    def create_model(self, name: str, *, problem: str = "") -> Model:
        """Make a model without versions. `problem` says what is predicted, for whom, and why."""
        json = {"name": check_name(name, "a model"), "problem": problem}
        return read_record(self._control.send("POST", f"{API}/models/", json=json).content, Model)

    def delete(self, model: str, number: int | None = None, *, despite_consumers: bool = False) -> None:
        """Delete a version, or, when none is named, a whole model with its aliases, its charter and its consumers.

        Raises:
            InUse: when the plan names it, or an alias names the version; or consumers are declared, and not
                `despite_consumers`.

        Example:
            >>> yard.delete("iris:3")
        """
        reference = parse_reference(model)
        number = number if number is not None else reference.version
        if reference.alias:
            raise InvalidInput(
                f"{model!r} names an alias: expected a model, or a version as in 'iris:3'; see `delete_alias`"
            )
        path = f"{API}/models/{reference.model}/" + (f"versions/{number}/" if number is not None else "")
        self._control.send("DELETE", path + _despite(despite_consumers))

    # What serves

    def promote(
        self, model: str, version: Version | int | str | None = None, *, reason: str = "", wait: bool = True
    ) -> Deployment:
        """Let a `ready` version answer all requests for its model.

        Args:
            version: a record, a number, or a reference, as `iris:3`; None where `model` names it.
            wait: return when the data plane does so without a load before: mostly within a second, for a version
                that runs in a child within some ten; after 40 seconds in any case.

        Raises:
            Conflict: when it is not `ready`.

        Example:
            >>> yard.promote("iris", 3)
            >>> yard.promote("iris:3", reason="better on the new sensors")
        """
        name, number = self._chosen(model, version)
        return self._deploy(name, "promote", {"version": number, "reason": reason}, wait)

    def rollback(self, model: str, *, reason: str = "", wait: bool = True) -> Deployment:
        """Serve again what was served before; called again, what was served before that."""
        return self._deploy(model, "rollback", {"reason": reason}, wait)

    def deactivate(
        self, model: str, *, reason: str = "", wait: bool = True, despite_consumers: bool = False
    ) -> Deployment:
        """Answer no more for the model's name alone; by number and by alias its versions answer on.

        `rollback` undoes it.

        Raises:
            InUse: when consumers are declared, and not `despite_consumers`.
        """
        json = {"reason": reason, "despite_consumers": despite_consumers}
        return self._deploy(model, "deactivate", json, wait)

    def deployment(self, model: str) -> Deployment:
        """Return how a model is served now."""
        return read_record(
            msgspec.json.encode(self._control.get(f"{API}/models/{check_name(model, 'a model')}/deployment")),
            Deployment,
        )

    def _deploy(self, model: str, verb: str, json: dict[str, Any], wait: bool) -> Deployment:
        path = f"{API}/models/{check_name(model, 'a model')}/{verb}"
        deployment = read_record(self._control.send("POST", path, json=json).content, Deployment)
        if wait:
            await_served(self._data, deployment.model, deployment.champion)
        return deployment

    def aliases(self, model: str) -> list[Alias]:
        """Return a model's aliases, by name."""
        return list(self._list(f"{API}/models/{check_name(model, 'a model')}/aliases/", Alias, {}))

    def set_alias(self, model: str, name: str, version: Version | int | str, *, wait: bool = True) -> Alias:
        """Let `model@name` mean `version` from now on; `version` and `wait` as in `promote`."""
        _, number = self._chosen(model, version)
        alias = read_record(
            self._control.send("PUT", _alias_path(model, name), json={"version": number}).content, Alias
        )
        if wait:
            await_served(self._data, f"{model}@{name}", alias.version)
        return alias

    def delete_alias(self, model: str, name: str, *, wait: bool = True, despite_consumers: bool = False) -> None:
        """Forget an alias; the version stays. `wait` as in `promote`, consumers as in `delete`."""
        self._control.send("DELETE", _alias_path(model, name) + _despite(despite_consumers))
        if wait:
            await_served(self._data, f"{model}@{name}", None)

    # Which version

    def select(
        self,
        model: str,
        metric: str,
        *,
        direction: str = "",
        constraints: str | Sequence[str] = (),
        alias: str = "",
        activate: bool = False,
        pool_aliases: str | Sequence[str] = (),
        pool_from: int | None = None,
        pool_to: int | None = None,
        pool_since: datetime | str | None = None,
        expect: int | None = None,
        reason: str = "",
        wait: bool = True,
    ) -> Selection:
        """Choose the best ready version of a model by a metric; let an alias name it, or activate it, or only tell.

        Args:
            metric: one of the versions', or `p95_seconds` or `size_bytes`, which were measured when they were pushed.
            direction: `maximize` or `minimize`; known of well-known metrics.
            constraints: as `p95_seconds<=5ms`, `size_bytes<=50MB`, `accuracy>=0.95`.
            pool_aliases, pool_from, pool_to, pool_since: look only at what these name, at these numbers, at what was
                pushed since.
            expect: the winner that was told before; is it another one now, nothing is changed.
            wait: as in `promote`.

        Raises:
            Conflict: when no version keeps to the constraints; `details["losers"]` says why of each.

        Example:
            >>> yard.select("iris", "accuracy", constraints=["p95_seconds<=5ms"], alias="candidate").winner.number
            3
        """
        body = choosing.wish(
            metric=metric, direction=direction, constraints=choosing.listed(constraints), alias=alias,
            activate=activate, pool_aliases=choosing.listed(pool_aliases), pool_from=pool_from, pool_to=pool_to,
            pool_since=pool_since, expect=expect, reason=reason,
        )  # fmt: skip
        path = f"{API}/models/{check_name(model, 'a model')}/select"
        if not (alias or activate):
            body.pop("reason", None)
            return read_record(msgspec.json.encode(self._control.get(path, body)), Selection)
        selection = read_record(self._control.send("POST", path, json=body).content, Selection)
        if wait:
            await_served(self._data, f"{model}@{alias}" if alias else model, selection.winner.number)
        return selection

    def compare(self, model: str, left: Version | int | str, right: Version | int | str) -> Comparison:
        """Put two versions of a model beside one another; each is a number, an alias or `champion`.

        Example:
            >>> [row for row in yard.compare("iris", "champion", 3).metrics if row["better"] == "right"]
        """
        sides = {"left": choosing.side(model, left), "right": choosing.side(model, right)}
        path = f"{API}/models/{check_name(model, 'a model')}/compare"
        return read_record(msgspec.json.encode(self._control.get(path, sides)), Comparison)

    # Predictions

    def predict(
        self,
        model: str,
        inputs: Any,
        *,
        entity_ids: Sequence[str | int] | None = None,
        outputs: Sequence[str] = (),
    ) -> Answer:
        """Ask for predictions; a server that says "not now, try again" is asked again, for a few seconds at most.

        Args:
            model: `iris` (the plan decides which version answers), `iris:3` or `iris@candidate`.
            inputs: a DataFrame or Table, an array `(n_rows, n_columns)`, a list of dictionaries or of rows, or one
                dictionary. NaN means a missing value.
            entity_ids: one a row; the same entity is answered by the same version while several share the requests.
            outputs: names of further outputs to give.

        Raises:
            InvalidInput: when a row does not fit the version's signature; the message says where.

        Example:
            >>> yard.predict("churn:3", [{"age": 41, "plan": "pro"}])
        """
        path = f"/predict/{parse_reference(model)}"
        body = body_of(inputs)
        if entity_ids is not None:
            body["entity_ids"] = plain(list(entity_ids))
        if outputs:
            body["options"] = {"outputs": list(outputs)}
        response = self._data.send("POST", path, json=body, tries=TRIES, repeat_only_if_told=True)
        return read_record(response.content, Answer)

    # Keys

    def keys(self) -> list[Key]:
        """Return the tenant's keys, without their secrets."""
        return list(self._list(f"{API}/keys/", Key, {}))

    def create_key(self, name: str, scopes: list[str], *, expires_at: str | None = None) -> Key:
        """Make a key; `key` of the record is the secret, which is never shown again.

        Args:
            scopes: of `predict`, `read`, `write`, `admin`.
            expires_at: ISO 8601, with a time zone; None: never.
        """
        json = {"name": name, "scopes": scopes, "expires_at": expires_at}
        return read_record(self._control.send("POST", f"{API}/keys/", json=json).content, Key)

    def revoke_key(self, key: Key | int | str) -> None:
        """Let a key open nothing any more, within a second."""
        self._control.send("DELETE", f"{API}/keys/{key.id if isinstance(key, Key) else key}/")

    # The rest

    def tenant(self) -> str:
        """Return the name of the tenant that the key belongs to."""
        return str(next(self._control.pages(f"{API}/tenants/"))["name"])

    def _numbered(self, model: str, number: int | None) -> tuple[str, int]:
        """Return a model's name and a version's number; an alias is looked up."""
        reference: Reference = parse_reference(model)
        if number is not None:
            if reference.version is not None or reference.alias:
                raise InvalidInput(f"{model!r} names a version already: expected it once")
            return reference.model, number
        if reference.version is not None:
            return reference.model, reference.version
        if reference.alias:
            for alias in self.aliases(reference.model):
                if alias.name == reference.alias:
                    return reference.model, alias.version
            raise NotFound(f"model `{reference.model}` has no alias `{reference.alias}`")
        raise InvalidInput(f"{model!r} names no version: expected one, as in '{model}:3'")

    def _chosen(self, model: str, version: Version | int | str | None) -> tuple[str, int]:
        """Return a model's name and a version's number, whichever way they were named.

        Raises:
            InvalidInput: when `version` is another model's, or there is none.
        """
        if version is None or isinstance(version, int):
            return self._numbered(model, version)
        named = str(version)
        if parse_reference(model) != Reference(parse_reference(named).model):
            raise InvalidInput(f"{named!r} is no version of {model!r}: expected one, as '{model}:3'")
        return self._numbered(named, None)

    def _list(self, path: str, kind: type[Record], filters: Mapping[str, str]) -> Iterator[Record]:
        for item in self._control.pages(path, filters):
            yield read_record(msgspec.json.encode(item), kind)


def _alias_path(model: str, name: str) -> str:
    return f"{API}/models/{check_name(model, 'a model')}/aliases/{check_name(name, 'an alias')}/"


def _despite(consumers: bool) -> str:
    return "?despite_consumers=true" if consumers else ""
