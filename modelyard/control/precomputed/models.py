"""Files of stored answers: which a model had, and which one is told from now."""

from typing import ClassVar, Self

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from modelyard.control.jobs.models import Job
from modelyard.control.registry.models import Artifact, Model, Version
from modelyard.control.tenancy.models import TenantOwned, TenantQuerySet


class PrecomputationQuerySet(TenantQuerySet):
    """Reads of precomputations."""

    def with_facts(self) -> Self:
        """Bring the model, and `has_version`: whether the version that gave the answers is there still."""
        given = Version.objects.filter(model=OuterRef("model"), number=OuterRef("version_number"))
        return self.select_related("model").annotate(has_version=Exists(given))

    def current(self) -> Self:
        return self.filter(is_current=True)


class Precomputation(TenantOwned):
    """One file of stored answers of a model, by entity. A row is made once the file is there, and says for good what
    it was made from; `is_current` alone comes and goes.

    `artifact` is the file (`core.precomputed`), `entity` the column whose values are its keys, `n_rows` how many
    answers it has, `n_skipped` how many rows of the scoring had failed. `scoring` is the job whose result it was made
    of, `dataset` what that scored, `job` the one that made it. `version` is set while the row is current, so that the
    version cannot be deleted; `version_number` stays. Of all but the newest few the file is gone: `artifact` is null
    then, and `digest` still tells what it was.
    """

    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="precomputations")
    number = models.PositiveIntegerField()
    is_current = models.BooleanField(default=False)
    version = models.ForeignKey(Version, on_delete=models.RESTRICT, null=True, related_name="+")
    version_number = models.PositiveIntegerField()
    artifact = models.ForeignKey(Artifact, on_delete=models.PROTECT, null=True, related_name="+")
    digest = models.CharField(max_length=64)
    size_bytes = models.PositiveBigIntegerField()
    entity = models.CharField(max_length=255)
    n_rows = models.PositiveBigIntegerField()
    n_skipped = models.PositiveBigIntegerField(default=0)
    dataset = models.CharField(max_length=80, blank=True)
    scoring = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(default=timezone.now)
    has_version: bool

    objects: ClassVar = PrecomputationQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["model", "number"], name="one_precomputation_per_number"),
            models.UniqueConstraint(fields=["model"], condition=Q(is_current=True), name="one_current_precomputation"),
            models.UniqueConstraint(fields=["job"], name="one_precomputation_per_job"),
        ]

    def __str__(self) -> str:
        return f"the stored answers {self.number}"
