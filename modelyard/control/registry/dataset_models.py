"""Datasets: immutable tables, numbered by name."""

from typing import ClassVar, Self

from django.db import models
from django.utils import timezone

from modelyard.control.jobs.models import Job
from modelyard.control.tenancy.models import TenantOwned, TenantQuerySet

HEAVY = ("columns", "summary", "head")
"""Fields of a dataset that may be large; a list does not read them."""


class DatasetState(models.TextChoices):
    CHECKING = "checking"
    READY = "ready"
    REFUSED = "refused"


class DatasetName(TenantOwned):
    """A name under which a tenant's datasets are numbered; it stays when they go, so that no number comes again."""

    name = models.CharField(max_length=64)
    last_number = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="one_dataset_name_per_name")]

    def __str__(self) -> str:
        return self.name


class DatasetQuerySet(TenantQuerySet):
    """Reads of datasets."""

    def with_facts(self) -> Self:
        return self.select_related("artifact", "job")

    def ready(self) -> Self:
        return self.filter(state=DatasetState.READY)


class Dataset(TenantOwned):
    """An immutable table: `flights:2`. It leaves `checking` once, and then never changes.

    `artifact` is the table as Parquet, in the one form of `tables.writing`; `upload` what came, until it was examined.
    `source` says where it came from (`kind`, and what that kind keeps), `given` the column types that were told,
    `original_digest` and `format` what came. `columns`, `summary`, `head` and `n_rows` are those of
    `tables.facts.Examined`, as JSON. `refusal` is code, message and details.
    """

    name = models.CharField(max_length=64)
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=DatasetState.choices, default=DatasetState.CHECKING)
    refusal = models.JSONField(null=True)
    description = models.TextField(blank=True)
    source = models.JSONField(default=dict)
    given = models.JSONField(default=dict)
    format = models.CharField(max_length=16, blank=True)
    original_digest = models.CharField(max_length=64, blank=True)
    original_bytes = models.PositiveBigIntegerField(null=True)
    upload = models.ForeignKey("modelyard_registry.Artifact", on_delete=models.PROTECT, null=True, related_name="+")
    artifact = models.ForeignKey("modelyard_registry.Artifact", on_delete=models.PROTECT, null=True, related_name="+")
    columns = models.JSONField(default=list)
    summary = models.JSONField(default=list)
    head = models.JSONField(default=list)
    n_rows = models.PositiveBigIntegerField(null=True)
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(default=timezone.now)
    checked_at = models.DateTimeField(null=True)

    objects: ClassVar = DatasetQuerySet.as_manager()

    class Meta:
        ordering = ["name", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name", "number"], name="one_dataset_per_number"),
            models.UniqueConstraint(fields=["job"], name="one_dataset_per_job"),
        ]
        indexes = [
            models.Index(fields=["tenant", "-created_at"], name="dataset_newest"),
            models.Index(fields=["tenant", "name", "original_digest"], name="dataset_by_original"),
        ]

    def __str__(self) -> str:
        return f"{self.name}:{self.number}"

    @property
    def reference(self) -> str:
        return str(self)

    @property
    def refused_because(self) -> str:
        """Return the end of a sentence that says why it was refused; empty where it was not."""
        reason = (self.refusal or {}).get("message", "")
        return f"; it was refused because: {reason}" if reason else ""

    @property
    def n_bytes(self) -> int | None:
        """Return the size of the table as it is kept; `artifact` should be loaded."""
        return self.artifact.size_bytes if self.artifact else None
