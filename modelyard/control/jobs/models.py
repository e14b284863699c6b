"""The job: a unit of background work. Its row is the truth; a queue message only says that there is work."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from modelyard.control.tenancy.models import TenantOwned


class State(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


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

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["tenant", "-created_at"], name="job_newest"),
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
