"""Models, their versions and aliases, and the artifacts that versions are made of."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from modelyard.control.jobs.models import Job
from modelyard.control.tenancy.models import TenantOwned


class Model(TenantOwned):
    """A named thing to predict; never a file. `last_number` is the newest version's; numbers are never used again."""

    name = models.CharField(max_length=64)
    problem = models.TextField(blank=True, help_text="what is predicted, for whom, and why")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    last_number = models.PositiveIntegerField(default=0)
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="one_model_per_name")]

    def __str__(self) -> str:
        return self.name


class Artifact(TenantOwned):
    """Immutable bytes in the store, named by their sha256 in hexadecimal."""

    digest = models.CharField(max_length=64)
    size_bytes = models.PositiveBigIntegerField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["tenant", "digest"], name="one_artifact_per_digest")]


class VersionState(models.TextChoices):
    CHECKING = "checking"
    READY = "ready"
    REFUSED = "refused"


class Version(TenantOwned):
    """One trained result of a model: `iris:3`. It leaves `checking` once, and then never changes.

    `signature` is a `core.signature.Signature`, `manifest` a `core.manifest.Manifest`, `report` a
    `runtimes.examination.Report`, all as JSON. `serving` holds the bytes that the data plane runs with `runtime`,
    in a sandboxed child if `isolated`. `sample` is a few rows (column name to value). `refusal` is code and message.
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
    serving = models.ForeignKey(Artifact, on_delete=models.PROTECT, null=True, related_name="+")
    parent = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="children")
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(default=timezone.now)
    checked_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["model", "number"], name="one_version_per_number"),
            models.UniqueConstraint(fields=["job"], name="one_version_per_job"),
        ]

    def __str__(self) -> str:
        return f"{self.model.name}:{self.number}"


class VersionFile(TenantOwned):
    """A file as it was uploaded. Several make one pipeline, in the order of `position`."""

    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="files")
    artifact = models.ForeignKey(Artifact, on_delete=models.PROTECT, related_name="+")
    position = models.PositiveSmallIntegerField(default=0)
    role = models.CharField(max_length=16, choices=[("model", "model"), ("sample", "sample")], default="model")
    filename = models.CharField(max_length=255)

    class Meta:
        ordering = ["position", "id"]


class Alias(TenantOwned):
    """A movable name for a version: `iris@candidate`. A version that has one is not deleted."""

    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="aliases")
    name = models.CharField(max_length=64)
    version = models.ForeignKey(Version, on_delete=models.RESTRICT, related_name="aliases")
    moved_by = models.CharField(max_length=150)
    moved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["model", "name"], name="one_alias_per_name")]


class DeletedVersion(TenantOwned):
    """What stays of a version after its bytes are gone: `facts` is what its row said."""

    model_name = models.CharField(max_length=64)
    number = models.PositiveIntegerField()
    facts = models.JSONField()
    deleted_by = models.CharField(max_length=150)
    deleted_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]
