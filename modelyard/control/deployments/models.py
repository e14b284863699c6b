"""How each model is served now, and how it was served before."""

from typing import Any, ClassVar, NoReturn, Self

import msgspec
from django.db import models
from django.utils import timezone

from modelyard.control.registry.models import Model, Version
from modelyard.control.tenancy.models import TenantOwned, TenantQuerySet
from modelyard.core.plan import Plan


class Deployment(TenantOwned):
    """How a model is served: the newest `PlanRecord` plus `limits` (`exchange.snapshot.Limits` as JSON)."""

    model = models.OneToOneField(Model, on_delete=models.CASCADE, related_name="deployment")
    limits = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"the deployment of {self.model.name}"


class AppendOnly(TypeError):
    """Code tried to change or delete a row of the history."""


class PlanRecordQuerySet(TenantQuerySet):
    """Reads of the history; it offers no way to change it."""

    def in_force(self, at: Any = None) -> Self:
        """Keep, of one deployment's records, the one in force at the moment `at` (aware), or now."""
        known = self if at is None else self.filter(at__lte=at)
        return known.order_by("-number")[:1]

    def update(self, **changes: Any) -> NoReturn:
        raise AppendOnly("a plan record never changes: append one")

    def delete(self) -> NoReturn:
        raise AppendOnly("a plan record is never deleted by itself")


class PlanRecord(TenantOwned):
    """One appended change of what serves. Never changed: the newest is in force.

    `plan` is a `core.plan.Plan` as JSON; `digests` names the serving artifact of each of its versions, so that the
    history can be read after a version is gone. `restores` is the number of the older record whose plan a rollback
    brought back: the next rollback goes on from there.
    """

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="plans")
    number = models.PositiveIntegerField()
    plan = models.JSONField()
    digests = models.JSONField(default=dict)
    verb = models.CharField(max_length=32)
    reason = models.TextField(blank=True)
    restores = models.PositiveIntegerField(null=True)
    actor = models.CharField(max_length=150)
    at = models.DateTimeField(default=timezone.now)
    appended = False
    """True on the object that a call just appended; False on one that was read."""

    objects: ClassVar = PlanRecordQuerySet.as_manager()

    class Meta:
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["deployment", "number"], name="one_plan_per_number")]
        indexes = [models.Index(fields=["deployment", "-at"], name="plan_by_time")]

    def __str__(self) -> str:
        return f"plan {self.number}"

    def save(self, *args: Any, **options: Any) -> None:
        if not self._state.adding:
            raise AppendOnly("a plan record never changes: append one")
        super().save(*args, **options)

    def delete(self, *args: Any, **options: Any) -> NoReturn:
        raise AppendOnly("a plan record is never deleted by itself")

    def as_plan(self) -> Plan:
        return msgspec.convert(self.plan, Plan)


class Arm(TenantOwned):
    """A version that the plan in force needs, so that it cannot be deleted; `weight` is None for a shadow."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="arms")
    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="arms")
    weight = models.FloatField(null=True)

    class Meta:
        ordering = ["-weight", "id"]
        constraints = [models.UniqueConstraint(fields=["deployment", "version"], name="one_arm_per_version")]

    def __str__(self) -> str:
        return f"the plan in force of {self.deployment.model.name}"


class Published(TenantOwned):
    """The model's document as last written for the data plane: at which `Model.revision`, and its digest."""

    model = models.OneToOneField(Model, on_delete=models.CASCADE, related_name="published")
    revision = models.PositiveBigIntegerField()
    digest = models.CharField(max_length=64)
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.model.name} at {self.revision}"
