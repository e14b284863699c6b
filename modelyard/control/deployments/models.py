"""How each model is served now, and how it was served before."""

from django.db import models
from django.utils import timezone

from modelyard.control.registry.models import Model, Version
from modelyard.control.tenancy.models import TenantOwned


class Deployment(TenantOwned):
    """How a model is served: the newest `PlanRecord` plus `limits` (`exchange.snapshot.Limits` as JSON)."""

    model = models.OneToOneField(Model, on_delete=models.CASCADE, related_name="deployment")
    limits = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)


class PlanRecord(TenantOwned):
    """One appended change of what serves. Never changed: the newest is in force.

    `plan` is a `core.plan.Plan` as JSON; `digests` names the serving artifact of each of its versions, so that the
    history can be read after a version is gone.
    """

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="plans")
    number = models.PositiveIntegerField()
    plan = models.JSONField()
    digests = models.JSONField(default=dict)
    verb = models.CharField(max_length=32)
    reason = models.TextField(blank=True)
    actor = models.CharField(max_length=150)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["deployment", "number"], name="one_plan_per_number")]


class Arm(TenantOwned):
    """A version that the plan in force needs, so that it cannot be deleted; `weight` is None for a shadow."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="arms")
    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="arms")
    weight = models.FloatField(null=True)

    class Meta:
        ordering = ["-weight", "id"]
        constraints = [models.UniqueConstraint(fields=["deployment", "version"], name="one_arm_per_version")]
