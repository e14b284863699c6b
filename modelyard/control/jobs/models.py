"""The job: a unit of background work. Its row is the truth; a queue message only says that there is work."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Count, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from modelyard.control.tenancy.models import Tenant, TenantOwned, TenantQuerySet


class State(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobQuerySet(TenantQuerySet):
    """Reads of jobs."""

    def next_up(self) -> uuid.UUID | None:
        """Return which queued job is next: the oldest of the tenant that has had least.

        That is the tenant with the fewest running jobs, and among equals the one that has waited longest for a start.
        """
        of_tenant = self.filter(tenant=OuterRef("pk")).order_by()
        running = of_tenant.filter(state=State.RUNNING).values("tenant").annotate(n=Count("pk")).values("n")
        started = of_tenant.filter(started_at__isnull=False).order_by("-started_at").values("started_at")[:1]
        queued = self.filter(state=State.QUEUED)
        tenant = (
            Tenant.objects.filter(pk__in=queued.order_by().values("tenant"))
            .annotate(n_running=Coalesce(Subquery(running), 0), last_start=Subquery(started))
            .order_by("n_running", F("last_start").asc(nulls_first=True), "pk")
            .first()
        )
        if tenant is None:
            return None
        return queued.filter(tenant=tenant).order_by("created_at", "pk").values_list("pk", flat=True).first()


class Job(TenantOwned):
    """One unit of work.

    `kind` names a handler in `jobs.handlers`; `payload` is its input and `outcome` its result, both JSON.
    Whoever holds the newest `token` (it grows with each claim) may write the row, until `lease_expires_at`.
    `attempts` counts runs in which the work itself failed, `losses` leases that ran out.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=32)
    state = models.CharField(max_length=16, choices=State.choices, default=State.QUEUED)
    payload = models.JSONField(default=dict)
    outcome = models.JSONField(null=True)
    error = models.JSONField(null=True, help_text="code, message and details of the last failure")
    attempts = models.PositiveSmallIntegerField(default=0)
    losses = models.PositiveSmallIntegerField(default=0)
    token = models.PositiveIntegerField(default=0)
    worker = models.CharField(max_length=100, blank=True)
    lease_expires_at = models.DateTimeField(null=True)
    progress = models.FloatField(default=0, help_text="0 to 1")
    message = models.CharField(max_length=200, blank=True)
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, help_text="when the broker was last told that there is work")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects: ClassVar = JobQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["tenant", "-created_at"], name="job_newest"),
            models.Index(fields=["tenant", "-started_at"], name="job_last_start"),
            models.Index(fields=["created_at"], condition=Q(state="queued"), name="job_queued"),
            models.Index(fields=["lease_expires_at"], condition=Q(state="running"), name="job_leases"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


class Outbox(models.Model):
    """A message that must still reach the broker: written with the job, deleted once it was sent."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"message for {self.job_id}"
