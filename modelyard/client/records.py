"""What the server answers, as typed records. Unknown fields are ignored: an older client reads a newer server."""

from typing import Any, TypeVar

import msgspec

from modelyard.core.charter import Charter
from modelyard.core.errors import DatasetRefused, ModelRefused, ModelyardError


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
    dataset: str | None = None
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


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    """One immutable table.

    Attributes:
        state: `checking`, then `ready` or `refused`.
        refusal: code and message, when refused.
        source: `kind`, and what it came from.
        types: of columns, as they were told with the file.
        digest: sha256 of the table as it is kept, which `n_bytes` and `n_rows` are of.
        columns: `name`, `type`, `optional`, `categories`; a list of datasets has them not.
        summary: of each column; `exact` is false where a part is estimated, and `method` says how.
        versions: those that were trained on it.
        already: `push_dataset` has found it there: the same file, under the same name.
    """

    name: str
    number: int
    state: str
    already: bool = False
    reference: str = ""
    refusal: dict[str, Any] | None = None
    description: str = ""
    source: dict[str, Any] = {}
    format: str = ""
    types: dict[str, str] = {}
    original_digest: str = ""
    original_bytes: int | None = None
    digest: str | None = None
    n_bytes: int | None = None
    n_rows: int | None = None
    columns: list[dict[str, Any]] = []
    summary: list[dict[str, Any]] = []
    versions: list[str] = []
    created_by: str = ""
    created_at: str | None = None
    checked_at: str | None = None
    job: str | None = None

    def __str__(self) -> str:
        return f"{self.name}:{self.number}"

    def check(self) -> "Dataset":
        """Return the dataset itself.

        Raises:
            DatasetRefused: with the server's reason, when it was refused.
        """
        if self.state == "refused":
            refusal = self.refusal or {}
            raise DatasetRefused(
                f"{self} is refused: {refusal.get('message', 'the server gave no reason')}",
                **{**refusal.get("details", {}), "dataset": str(self), "reason": refusal.get("code", "")},
            )
        return self


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """Some rows of a dataset; `data` holds a list of values for each, in the order of `columns`."""

    reference: str
    columns: list[str]
    data: list[list[Any]]
    offset: int
    n_rows: int


class Deployment(msgspec.Struct, frozen=True, kw_only=True):
    """How a model is served: `plan` holds weighted arms and shadows; without arms it is not served.

    Attributes:
        number: of the plan; each change appends one.
        champion: the version that answers most.
        limits: the deployment's own; None means the server's.
        restores: number of the plan that a rollback brought back.
        changed: whether the call that answered this changed anything.
        undo: the call that takes the change back: `verb`, `method`, `path`, `body`.
        notes: what the charter asks for, and the champion does not keep to.
        consumers: who is declared to ask for the model by its name, where the call changed what answers them.
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
    notes: list[str] = []
    consumers: list[str] = []

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


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """Who owns models, datasets, keys and all else. `runs_code`: files that carry code may be served."""

    name: str
    title: str = ""
    runs_code: bool = True
    created_at: str | None = None


class CharterInForce(msgspec.Struct, frozen=True, kw_only=True):
    """A model's charter, and when who agreed on it. `number` is 0 where none was written.

    `notes` say what of a charter that was just written looks like a slip.
    """

    model: str
    number: int
    charter: Charter
    reason: str = ""
    actor: str = ""
    at: str | None = None
    undo: dict[str, Any] | None = None
    notes: list[str] = []


class Consumer(msgspec.Struct, frozen=True, kw_only=True):
    """Who depends on a model; `uses` is what they ask for: `iris`, `iris:3` or `iris@candidate`."""

    name: str
    model: str = ""
    uses: str = ""
    contact: str = ""
    purpose: str = ""
    declared_by: str = ""
    declared_at: str | None = None


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """A unit of background work.

    Attributes:
        state: `queued`, `running`, `succeeded`, `failed` or `cancelled`.
        progress: 0 to 1; of one that waits for its parts, the mean of theirs.
        about: model, version and dataset that it was asked for, as `late on small:1`.
        eta_seconds: how long it takes still, as it was last reported.
        metrics: those that it has so far.
        error: code, message and details, when it failed or was cancelled.
        limits: how much one run may use: `seconds`, `memory_bytes`, `output_bytes`.
        parent, part: the job that this is a part of, and its number there.
        again_of: the job that this one repeats.
    """

    id: str
    kind: str
    state: str
    about: str = ""
    progress: float = 0.0
    message: str = ""
    rows_done: int | None = None
    rows_total: int | None = None
    rows_per_second: float | None = None
    eta_seconds: float | None = None
    metrics: dict[str, Any] = {}
    outcome: Any = None
    error: dict[str, Any] | None = None
    attempts: int = 0
    losses: int = 0
    limits: dict[str, Any] = {}
    parent: str | None = None
    part: int | None = None
    parts_made: int = 0
    parts_open: int = 0
    parts: list[dict[str, Any]] = []
    again_of: str | None = None
    last_line: int = 0
    cancel_asked_at: str | None = None
    cancelled_by: str = ""
    created_by: str = ""
    created_at: str | None = None
    started_at: str | None = None
    finished_at: str | None = None

    @property
    def is_open(self) -> bool:
        """Tell whether it has not ended."""
        return self.state in ("queued", "running")


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What a schedule started at a time (`due_at`), for a `dataset` that had arrived, or because it was asked to.

    Attributes:
        state: `waiting`, `started`, `succeeded`, `failed`, `cancelled`, `skipped` or `refused`.
        reason: why nothing was started, or why it failed.
        missed: times just before `due_at` at which nothing could be started.
        job: id of the job that it started.
    """

    id: int
    state: str
    reason: str = ""
    due_at: str | None = None
    dataset: str = ""
    asked_by: str = ""
    missed: int = 0
    job: str | None = None
    created_at: str | None = None
    ended_at: str | None = None


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """What is started again and again. One of `cron`, `interval_seconds` and `on_dataset` says when.

    Attributes:
        body: the request that each run makes.
        state: `active` or `paused`; `paused` says since when (`at`), `by` whom and for what `reason`.
        missed: times at which nothing could be started.
        failures: runs that failed in a row; at `max_failures` it is paused.
        acts_for: whose rights the runs have.
        next_times, last_run: a list of schedules has them not.
    """

    name: str
    kind: str
    body: dict[str, Any] = {}
    cron: str = ""
    time_zone: str = "UTC"
    interval_seconds: int | None = None
    on_dataset: str = ""
    overlap: str = "skip"
    max_failures: int = 0
    state: str = "active"
    paused: dict[str, Any] | None = None
    next_at: str | None = None
    missed: int = 0
    failures: int = 0
    acts_for: str = ""
    created_by: str = ""
    created_at: str | None = None
    next_times: list[str] = []
    last_run: Run | None = None

    def __str__(self) -> str:
        return self.name


class Trainer(msgspec.Struct, frozen=True, kw_only=True):
    """A way to make a version of a dataset; `parameters` is a JSON Schema."""

    name: str
    title: str = ""
    parameters: dict[str, Any] = {}

    @property
    def names(self) -> list[str]:
        """Return the names of its parameters."""
        reference = str(self.parameters.get("$ref", "")).rpartition("/")[2]
        return list(self.parameters.get("$defs", {}).get(reference, self.parameters).get("properties", {}))


class Remark(msgspec.Struct, frozen=True, kw_only=True):
    """Something that whoever trains should know; `code` is for programs."""

    code: str = ""
    message: str = ""
    column: str | None = None

    def __str__(self) -> str:
        return f"{self.column}: {self.message}" if self.column else self.message


class MeasuredMetric(msgspec.Struct, frozen=True, kw_only=True):
    """A metric on the rows held out.

    Attributes:
        baseline: what always saying the commonest class, or the mean, reached; `no_better` tells that it is not beaten.
        folds: `mean` and `std` by k-fold.
    """

    name: str
    value: float
    baseline: float | None = None
    no_better: bool = False
    folds: dict[str, float] | None = None


class Trained(msgspec.Struct, frozen=True, kw_only=True):
    """What a version's training told.

    Attributes:
        rows: of the `dataset`, `used`, `drawn` (of more), `trained` and `held_out`.
        confusion: `classes`, and `counts[i][j]`: rows of class i that were predicted as class j.
        search: `parameters`, `metric`, `value` and `failure` of each candidate, the best first.
        report: all that the trainer told, in its own words.
    """

    version: str
    trainer: str = ""
    estimator: str = ""
    estimator_parameters: dict[str, Any] = {}
    task: str = ""
    target: str = ""
    rows: dict[str, Any] | None = None
    refit: str = ""
    metrics: list[MeasuredMetric] = []
    warnings: list[Remark] = []
    confusion: dict[str, Any] | None = None
    search: list[dict[str, Any]] = []
    report: Any = None

    @property
    def no_better(self) -> str:
        """Return in words which metrics do not beat the baseline; nothing where all do."""
        names = [one.name for one in self.metrics if one.no_better]
        usual = "the mean" if self.task == "regression" else "the commonest class"
        return f"no better than always saying {usual}: {', '.join(names)}" if names else ""


class Reproduction(msgspec.Struct, frozen=True, kw_only=True):
    """A version's training that was run again.

    Attributes:
        report: of `parameters`, `data`, `metrics`, `predictions` and `artifacts` whether they are `equal`, and what
            differs; what differs in the `environment` may explain them.
    """

    equal: bool
    verdict: str = ""
    report: dict[str, Any] = {}
    job: str | None = None
    created_by: str = ""
    created_at: str | None = None


class Precomputation(msgspec.Struct, frozen=True, kw_only=True):
    """A file of stored answers that a model had.

    Attributes:
        current: answers are told from it.
        version: that gave the answers.
        entity: the column of the dataset whose values find them.
        rows: how many answers there are; `skipped` rows of the dataset had none.
        kept: the file is there still, so that it can be activated.
        address: where an entity's answer is told, followed by its id.
        scoring: the job whose result it was made of; `job` the one that made it.
    """

    model: str
    number: int
    current: bool
    version: int
    dataset: str = ""
    entity: str = ""
    rows: int = 0
    skipped: int = 0
    digest: str = ""
    size_bytes: int = 0
    kept: bool = False
    address: str = ""
    scoring: str | None = None
    job: str | None = None
    created_by: str = ""
    created_at: str | None = None


class JobEvent(msgspec.Struct, frozen=True):
    """What is new of a job: `kind` is `state`, `progress`, `line` or `end`."""

    kind: str
    data: dict[str, Any]


Record = TypeVar("Record")


def read_record(body: bytes, kind: type[Record]) -> Record:
    """Return the answer's body as a record. Raises `ModelyardError` when it is none."""
    try:
        return msgspec.json.decode(body, type=kind, strict=False)
    except msgspec.DecodeError as error:
        raise _not_read(error) from error


def as_record(value: Any, kind: type[Record]) -> Record:
    """Return an item of an answer, decoded from JSON, as a record. Raises `ModelyardError` when it is none."""
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _not_read(error) from error


def _not_read(error: msgspec.DecodeError) -> ModelyardError:
    return ModelyardError(f"the server's answer cannot be read: {error}; is the client older than the server?")
