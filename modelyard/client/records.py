"""What the server answers, as typed records. Unknown fields are ignored: an older client reads a newer server."""

from typing import Any, TypeVar

import msgspec

from modelyard.core.charter import Charter
from modelyard.core.errors import ModelRefused, ModelyardError


class Alias(msgspec.Struct, frozen=True, kw_only=True):
    """A movable name for a version: `iris@candidate`."""

    name: str
    version: int
    moved_by: str = ""
    moved_at: str | None = None


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A named thing to predict. Times are ISO 8601, UTC.

    Attributes:
        versions: how many are `ready`, `checking` and `refused`.
        last_number: of the newest version.
        newest_ready: number of the newest version that may serve.
        champion: number of the version that answers most; None: the model is not served.
        aliases: name to a version's number.
    """

    name: str
    problem: str = ""
    owner: str | None = None
    versions: dict[str, int] = {}
    last_number: int = 0
    newest_ready: int | None = None
    champion: int | None = None
    aliases: dict[str, int] = {}
    created_by: str = ""
    created_at: str | None = None


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a version, as it was uploaded; `role` is `model` or `sample`."""

    filename: str
    size_bytes: int
    digest: str
    role: str = "model"


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One immutable trained result of a model.

    Attributes:
        state: `checking`, then `ready` or `refused`.
        refusal: code and message, when refused.
        weight: the share of requests that it answers; None when the plan does not name it.
        digest: sha256 of the bytes that serve.
        measured: of what serves, when it was examined: `p50_seconds`, `p95_seconds` (one row a call), `calls`, `rows`,
            `reason` where it could not be, and `size_bytes`.
        report: what the examination of the files found.
    """

    model: str
    number: int
    state: str
    reference: str = ""
    refusal: dict[str, Any] | None = None
    description: str = ""
    format: str = ""
    runtime: str = ""
    isolated: bool = False
    environment: str = ""
    size_bytes: int | None = None
    signature: dict[str, Any] | None = None
    metrics: dict[str, Any] = {}
    measured: dict[str, Any] = {}
    manifest: dict[str, Any] = {}
    report: dict[str, Any] | None = None
    sample: list[dict[str, Any]] = []
    parent: int | str | None = None
    aliases: list[str] = []
    weight: float | None = None
    files: list[File] = []
    digest: str | None = None
    created_by: str = ""
    created_at: str | None = None
    checked_at: str | None = None
    job: str | None = None

    def __str__(self) -> str:
        return f"{self.model}:{self.number}"

    def check(self) -> "Version":
        """Return the version itself.

        Raises:
            ModelRefused: with the server's reason, when the version was refused.
        """
        if self.state == "refused":
            refusal = self.refusal or {}
            raise ModelRefused(
                f"{self} is refused: {refusal.get('message', 'the server gave no reason')}",
                **{**refusal.get("details", {}), "version": str(self), "reason": refusal.get("code", "model_refused")},
            )
        return self


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """How a model is served: `plan` holds weighted arms and shadows; without arms it is not served.

    Attributes:
        number: of the plan; each change appends one.
        champion: the version that answers most.
        limits: the deployment's own; None means the server's.
        restores: number of the plan that a rollback brought back.
        changed: whether the call that answered this changed anything.
        undo: the call that takes the change back: `verb`, `method`, `path`, `body`.
    """

    model: str
    number: int | None = None
    plan: dict[str, Any] = {}
    champion: int | None = None
    limits: dict[str, Any] = {}
    verb: str = ""
    reason: str = ""
    restores: int | None = None
    actor: str = ""
    at: str | None = None
    changed: bool = True
    undo: dict[str, Any] | None = None

    @property
    def versions(self) -> list[int]:
        """Return the versions that answer, the one that answers most first."""
        arms = sorted(self.plan.get("arms", ()), key=lambda arm: -float(arm["weight"]))
        return [int(arm["version"]) for arm in arms]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Predictions, one a row, in the order of the rows.

    Attributes:
        predictions: `(n_rows,)`, or `(n_rows, ...)` of a model with a shaped output.
        probabilities: of a classifier that gives them, one dictionary a row, class to probability.
        prediction_ids: one a row, by which feedback finds its prediction.
        outputs: the model's further outputs, by name.
    """

    model: str
    version: int
    predictions: list[Any]
    probabilities: list[Any] | None = None
    prediction_ids: list[str] = []
    outputs: dict[str, Any] = {}


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """An API key. `key` holds the secret in the one answer that makes it, and is None ever after."""

    id: int | str | None = None
    name: str
    prefix: str
    scopes: list[str] = []
    expires_at: str | None = None
    revoked_at: str | None = None
    created_by: str = ""
    created_at: str | None = None
    key: str | None = None


class CharterInForce(msgspec.Struct, frozen=True, kw_only=True):
    """A model's charter, and when who agreed on it. `number` is 0 where none was written."""

    model: str
    number: int
    charter: Charter
    reason: str = ""
    actor: str = ""
    at: str | None = None
    undo: dict[str, Any] | None = None


class Consumer(msgspec.Struct, frozen=True, kw_only=True):
    """Who depends on a model; `uses` is what they ask for: `iris`, `iris:3` or `iris@candidate`."""

    name: str
    model: str = ""
    uses: str = ""
    contact: str = ""
    purpose: str = ""
    declared_by: str = ""
    declared_at: str | None = None


Record = TypeVar("Record")


def read_record(body: bytes, kind: type[Record]) -> Record:
    """Return the answer's body as a record. Raises `ModelyardError` when it is none."""
    try:
        return msgspec.json.decode(body, type=kind, strict=False)
    except msgspec.DecodeError as error:
        raise ModelyardError(
            f"the server's answer cannot be read: {error}; is the client older than the server?"
        ) from error
