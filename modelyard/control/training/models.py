"""What came of training a version again."""

from typing import Any, ClassVar

from django.db import models
from django.utils import timezone

from modelyard.control.jobs.models import Job
from modelyard.control.registry.models import Version
from modelyard.control.tenancy.models import TenantOwned, TenantQuerySet

PARTS = ("parameters", "data", "metrics", "predictions", "artifacts", "environment")


class Reproduction(TenantOwned):
    """A version's training that was run again, and how what came of it compares. Appended, never changed.

    `report` is what `comparing.compare` found, as JSON; `equal` is what it says in one word.
    """

    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="reproductions")
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    equal = models.BooleanField()
    report = models.JSONField()
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar = TenantQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["job"], name="one_reproduction_per_job")]
        indexes = [models.Index(fields=["version", "-id"], name="reproduction_newest")]

    def __str__(self) -> str:
        return f"{self.version}, {self.verdict}"

    @property
    def verdict(self) -> str:
        """Return what came of it, in few words."""
        return "reproduced bit-equal" if self.equal else "reproduced with differences"

    @property
    def parts(self) -> list[tuple[str, dict[str, Any]]]:
        """Return what the report says of each part that was compared."""
        return [(name, self.report[name]) for name in PARTS if name in self.report]
