"""Models, their versions and aliases, and the artifacts that versions are made of."""

from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Count, OuterRef, Subquery
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.utils import timezone

from modelyard.control.jobs.models import Job
from modelyard.control.registry.dataset_models import HEAVY as HEAVY_OF_DATASET
from modelyard.control.registry.dataset_models import Dataset, DatasetName, DatasetState
from modelyard.control.tenancy.models import TenantOwned, TenantQuerySet
from modelyard.core.charter import Charter
from modelyard.core.metrics import MEASURED, P95, SIZE

__all__ = [
    "Alias",
    "Artifact",
    "CharterRecord",
    "Consumer",
    "Dataset",
    "DatasetName",
    "DatasetState",
    "DeletedVersion",
    "Model",
    "Payload",
    "PayloadChunk",
    "Version",
    "VersionFile",
    "VersionState",
]

MODEL_FACTS: dict[str, Combinable] = {}
VERSION_FACTS: dict[str, Combinable] = {}
"""What apps above this one know of a model or a version: annotations, by name, added in their `AppConfig.ready`."""
ARTIFACT_USERS: dict[str, type[models.Model]] = {}
"""Tables of such apps whose `artifact` is one that must not go."""


HEAVY = ("signature", "sample", "report", "training", "baseline")
"""Fields of a version that may be large; a list does not read them, nor who reads a version those of its parent."""


class ModelQuerySet(TenantQuerySet):
    """Reads of models."""

    def with_facts(self) -> Self:
        """Add `n_ready`, `n_checking`, `n_refused`, `newest_ready` and what higher apps know; two queries a page."""
        versions = Version.objects.filter(model=OuterRef("pk")).order_by()

        def count(state: str) -> Coalesce:
            counted = versions.filter(state=state).values("model").annotate(n=Count("pk")).values("n")
            return Coalesce(Subquery(counted), 0)

        newest = versions.filter(state=VersionState.READY).order_by("-number").values("number")[:1]
        return (
            self.select_related("owner")
            .prefetch_related(models.Prefetch("aliases", Alias.objects.select_related("version")))
            .annotate(
                n_ready=count(VersionState.READY),
                n_checking=count(VersionState.CHECKING),
                n_refused=count(VersionState.REFUSED),
                newest_ready=Subquery(newest),
                **MODEL_FACTS,
            )
        )


class Model(TenantOwned):
    """A named thing to predict; never a file. `last_number` is the newest version's; numbers are never used again.

    `revision` grows with each change that the data plane must know; 0 until the first version is ready or
    refused.
    """

    name = models.CharField(max_length=64)
    problem = models.TextField(blank=True, help_text="what is predicted, for whom, and why")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    last_number = models.PositiveIntegerField(default=0)
    revision = models.PositiveBigIntegerField(default=0)
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar = ModelQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="one_model_per_name")]
        indexes = [
            models.Index(fields=["tenant", "-created_at"], name="model_newest"),
            models.Index(fields=["tenant", "revision"], name="model_revision"),
        ]

    def __str__(self) -> str:
        return self.name


class ArtifactQuerySet(TenantQuerySet):
    """Reads of artifacts."""

    def unused(self) -> Self:
        """Keep those that no version is made of or served from, and no dataset, nor what higher apps have."""
        used = VersionFile.objects.filter(artifact=OuterRef("pk"))
        served = Version.objects.filter(serving=OuterRef("pk"))
        tables = Dataset.objects.filter(models.Q(artifact=OuterRef("pk")) | models.Q(upload=OuterRef("pk")))
        others = (table._default_manager.filter(artifact=OuterRef("pk")) for table in ARTIFACT_USERS.values())
        free = (~models.Exists(rows) for rows in (used, served, tables, *others))
        return self.filter(*free)


class Artifact(TenantOwned):
    """Immutable bytes in the store, named by their sha256 in hexadecimal."""

    digest = models.CharField(max_length=64)
    size_bytes = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar = ArtifactQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["tenant", "digest"], name="one_artifact_per_digest")]
        indexes = [models.Index(fields=["created_at"], name="artifact_age")]

    def __str__(self) -> str:
        return self.digest


class VersionState(models.TextChoices):
    CHECKING = "checking"
    READY = "ready"
    REFUSED = "refused"


class VersionQuerySet(TenantQuerySet):
    """Reads of versions."""

    def with_facts(self) -> Self:
        """Load all that a version is shown with, and add what higher apps know; three queries a page."""
        return (
            self.select_related("model", "serving", "parent", "parent__model", "dataset")
            .prefetch_related(
                "aliases",
                models.Prefetch("files", VersionFile.objects.select_related("artifact")),
            )
            .defer(*(f"parent__{field}" for field in HEAVY), *(f"dataset__{field}" for field in HEAVY_OF_DATASET))
            .annotate(**VERSION_FACTS)
        )

    def ready(self) -> Self:
        return self.filter(state=VersionState.READY)


class Version(TenantOwned):
    """One trained result of a model: `iris:3`. It leaves `checking` once, and then never changes.

    `signature` is a `core.signature.Signature`, `manifest` a `core.manifest.Manifest`, `report` the report of
    `sandbox.examination.Examined`, all as JSON. `serving` holds the bytes that the data plane runs with `runtime`,
    in a sandboxed child if `isolated`, of the Python environment `environment` (empty: the server's own). `measured`
    says how long one row took (see `sandbox.measuring.measured`; {} where it was examined before there was measuring).
    `sample` is a few rows (column name to value). Of what was trained here, `training` is trainer, report and warnings,
    and `baseline` what later data is compared with (`trainers.trainer.Baseline`). `refusal` is code, message, details,
    and the facts of the files, which are not kept when they were at fault.
    """

    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=VersionState.choices, default=VersionState.CHECKING)
    refusal = models.JSONField(null=True)
    description = models.TextField(blank=True)
    format = models.CharField(max_length=32, blank=True)
    signature = models.JSONField(null=True)
    metrics = models.JSONField(default=dict)
    manifest = models.JSONField(default=dict)
    report = models.JSONField(null=True)
    sample = models.JSONField(default=list)
    runtime = models.CharField(max_length=32, blank=True)
    isolated = models.BooleanField(default=False)
    measured = models.JSONField(default=dict)
    environment = models.CharField(max_length=64, blank=True, default="")
    training = models.JSONField(null=True)
    baseline = models.JSONField(null=True)
    serving = models.ForeignKey(Artifact, on_delete=models.PROTECT, null=True, related_name="+")
    parent = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="children")
    dataset = models.ForeignKey(Dataset, on_delete=models.PROTECT, null=True, blank=True, related_name="versions")
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(default=timezone.now)
    checked_at = models.DateTimeField(null=True)

    objects: ClassVar = VersionQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["model", "number"], name="one_version_per_number"),
            models.UniqueConstraint(fields=["job"], name="one_version_per_job"),
        ]
        indexes = [models.Index(fields=["model", "state", "-number"], name="version_by_state")]

    def __str__(self) -> str:
        return f"{self.model.name}:{self.number}"

    @property
    def values(self) -> dict[str, float]:
        """Return what constraints may ask of: the told metrics, and what was measured; `serving` is read."""
        found = {P95: self.measured.get(P95), SIZE: self.serving.size_bytes if self.serving else None}
        told = {name: value for name, value in self.metrics.items() if name not in MEASURED}
        return {**told, **{name: value for name, value in found.items() if value is not None}}

    @property
    def refused_because(self) -> str:
        """Return the end of a sentence that says why it was refused; empty where it was not."""
        reason = (self.refusal or {}).get("message", "")
        return f"; it was refused because: {reason}" if reason else ""


class VersionFile(TenantOwned):
    """A file as it was uploaded. Several make one pipeline, in the order of `position`.

    `filename` is what the client called it: shown and given back, never used as a path.
    """

    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="files")
    artifact = models.ForeignKey(Artifact, on_delete=models.PROTECT, related_name="+")
    position = models.PositiveSmallIntegerField(default=0)
    role = models.CharField(max_length=16, choices=[("model", "model"), ("sample", "sample")], default="model")
    filename = models.CharField(max_length=255)

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.filename

    def facts(self) -> dict[str, str | int]:
        """Return what is told of the file; `artifact` should be loaded."""
        return {
            "filename": self.filename,
            "size_bytes": self.artifact.size_bytes,
            "digest": self.artifact.digest,
            "role": self.role,
        }


class AliasQuerySet(TenantQuerySet):
    """Reads of aliases."""

    def with_facts(self) -> Self:
        return self.select_related("model", "version")


class Alias(TenantOwned):
    """A movable name for a version: `iris@candidate`. A version that has one is not deleted."""

    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="aliases")
    name = models.CharField(max_length=64)
    version = models.ForeignKey(Version, on_delete=models.RESTRICT, related_name="aliases")
    moved_by = models.CharField(max_length=150)
    moved_at = models.DateTimeField(default=timezone.now)
    before: int | None = None
    """On the object that a call just moved: the number of the version that it named before; None: it was not there."""

    objects: ClassVar = AliasQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["model", "name"], name="one_alias_per_name")]

    def __str__(self) -> str:
        return f"the alias {self.name}"


class DeletedVersion(TenantOwned):
    """What stays of a version after its bytes are gone: `facts` is what its row said."""

    model_name = models.CharField(max_length=64)
    number = models.PositiveIntegerField()
    facts = models.JSONField()
    deleted_by = models.CharField(max_length=150)
    deleted_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["tenant", "model_name", "-number"], name="deleted_version_by_name")]

    def __str__(self) -> str:
        return f"{self.model_name}:{self.number} (deleted)"


class Payload(TenantOwned):
    """An artifact's bytes, where artifacts are kept in this database. Without `digest` it is a draft still arriving."""

    digest = models.CharField(max_length=64, null=True)
    size_bytes = models.PositiveBigIntegerField(default=0)
    begun_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["tenant", "digest"], name="one_payload_per_digest")]
        indexes = [
            models.Index(fields=["begun_at"], name="payload_draft_age", condition=models.Q(digest=None)),
        ]

    def __str__(self) -> str:
        return self.digest or "a draft"


class PayloadChunk(TenantOwned):
    """At most `artifacts.database.CHUNK_BYTES` of a payload; `position` counts from 0 without gaps."""

    payload = models.ForeignKey(Payload, on_delete=models.CASCADE, related_name="chunks")
    position = models.PositiveIntegerField()
    data = models.BinaryField()

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["payload", "position"], name="one_chunk_per_position")]

    def __str__(self) -> str:
        return f"chunk {self.position}"


class CharterRecord(TenantOwned):
    """A model's charter as it was agreed at one time; the newest holds. Appended, never changed.

    `charter` is a `core.charter.Charter` as JSON; its problem is the model's own at that time.
    """

    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="charters")
    number = models.PositiveIntegerField()
    charter = models.JSONField()
    reason = models.TextField(blank=True)
    actor = models.CharField(max_length=150)
    at = models.DateTimeField(default=timezone.now)
    before: Charter | None = None
    """On the object that a call just appended: the charter that was in force before."""

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["model", "number"], name="one_charter_per_number")]

    def __str__(self) -> str:
        return f"charter {self.number} of {self.model.name}"


class Consumer(TenantOwned):
    """Who depends on a model, as declared by people: shown before anything that may hurt them.

    `uses` is what they ask for, as it stands after the model's name: empty for the plan in force, `:3` or `@candidate`.
    """

    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="consumers")
    name = models.CharField(max_length=100)
    contact = models.CharField(max_length=200, blank=True)
    purpose = models.TextField(blank=True)
    uses = models.CharField(max_length=80, blank=True)
    declared_by = models.CharField(max_length=150)
    declared_at = models.DateTimeField(default=timezone.now)
    is_new = False
    """True on the object of a call that declared somebody for the first time."""

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["model", "name"], name="one_consumer_per_name")]

    def __str__(self) -> str:
        return f"{self.name} ({self.contact})" if self.contact else self.name
