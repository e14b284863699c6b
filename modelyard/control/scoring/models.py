"""What scoring leaves: files in the artifact store, each a job's."""

from typing import ClassVar

from django.db import models
from django.utils import timezone

from modelyard.control.jobs.models import Job
from modelyard.control.registry.models import Artifact
from modelyard.control.tenancy.models import TenantOwned, TenantQuerySet


class Role(models.TextChoices):
    RESULT = "result"
    FAILED = "failed"


class ScoredFile(TenantOwned):
    """A piece of a file: of a part of a scoring until all parts are done, then of the scoring, until it is deleted.

    A file is its pieces by `place`, one behind the other: `result` is the scored table, `failed` are the rows without
    a prediction, a line of JSON each. A part's Parquet ends with its pages: its `tail` waits here, until one is made of
    the tails of all, which is the last piece. What the file is made of stands in the job's outcome.
    """

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="scored_files")
    role = models.CharField(max_length=8, choices=Role.choices)
    place = models.PositiveSmallIntegerField(default=0)
    tail = models.BinaryField(default=b"")
    artifact = models.ForeignKey(Artifact, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar = TenantQuerySet.as_manager()

    class Meta:
        ordering = ["place"]
        constraints = [models.UniqueConstraint(fields=["job", "role", "place"], name="one_scored_piece_per_place")]

    def __str__(self) -> str:
        return f"{self.role} of {self.job_id}"
