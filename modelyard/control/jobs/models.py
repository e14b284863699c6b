"""The job: a unit of background work. Its row is the truth; a queue message only says that there is work."""

import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Avg, Case, Count, F, OuterRef, Q, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from modelyard.control.tenancy.models import Tenant, TenantOwned, TenantQuerySet


class State(models.TextChoices):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = (State.QUEUED, State.RUNNING)
KEPT_LINES = 1000
PARTS_SHARE = 0.9
"""Of what was left of a job's progress when it was split, the share that is done when its parts have ended."""


@dataclass(frozen=True, slots=True)
class JobLimits:
    """How much one run of a job may use: wall time, memory of the process that does it, and what it leaves on disk."""

    seconds: float
    memory_bytes: int
    output_bytes: int


class JobQuerySet(TenantQuerySet):
    """Reads of jobs."""

    def due(self) -> Self:
        """Return the queued jobs whose time has come."""
        return self.filter(Q(retry_at=None) | Q(retry_at__lte=Now()), state=State.QUEUED)

    def next_up(self, kinds: Collection[str]) -> uuid.UUID | None:
        """Return which queued job of these kinds is next: of the tenant that has had least, what has waited longest.

        That is the tenant with the fewest running jobs, and among equals the one that has waited longest for a start.
        A job that waits for its parts does not count: it holds no worker. Parts have waited since one of them was
        started last, so that a job of a hundred parts takes turns with what its tenant asks for meanwhile.
        """
        of_tenant = self.filter(tenant=OuterRef("pk")).order_by()
        held = of_tenant.filter(state=State.RUNNING, lease_expires_at__isnull=False)
        running = held.values("tenant").annotate(n=Count("pk")).values("n")
        started = of_tenant.filter(started_at__isnull=False).order_by("-started_at").values("started_at")[:1]
        queued = self.due().filter(kind__in=kinds)
        tenant = (
            Tenant.objects.filter(pk__in=queued.order_by().values("tenant"))
            .annotate(n_running=Coalesce(Subquery(running), 0), last_start=Subquery(started))
            .order_by("n_running", F("last_start").asc(nulls_first=True), "pk")
            .first()
        )
        if tenant is None:
            return None
        own = queued.filter(tenant=tenant).order_by("created_at", "pk")
        alone = own.filter(parent=None).values_list("pk", "created_at").first()
        parent = own.filter(parent__isnull=False)._longest_waiting_parent()
        if parent is None or (alone is not None and alone[1] <= parent[1]):
            return alone[0] if alone else None
        return own.filter(parent=parent[0]).values_list("pk", flat=True).first()

    def _longest_waiting_parent(self) -> tuple[uuid.UUID, datetime] | None:
        """Return the job of which these are parts whose last start of one is the longest ago, and since when."""
        parts = Job.objects.filter(parent=OuterRef("pk"), started_at__isnull=False).order_by("-started_at")
        parents = Job.objects.filter(pk__in=self.order_by().values("parent"))
        since = Coalesce(Subquery(parts.values("started_at")[:1]), F("created_at"))
        return parents.annotate(since=since).order_by("since", "pk").values_list("pk", "since").first()

    def waiting(self) -> Self:
        """Return the jobs that wait for their parts: RUNNING, and nobody's."""
        return self.filter(state=State.RUNNING, lease_expires_at=None)

    def whole(self) -> Self:
        """Return the jobs that are no parts of another of the same tenant."""
        return self.filter(Q(parent=None) | ~Q(parent__tenant=F("tenant")))

    def with_parts_progress(self) -> Self:
        """Add what `Job.done` and `Job.pace` need of the jobs that wait: how far their parts are, and how fast."""
        part = Case(When(state__in=OPEN, then=F("progress")), default=Value(1.0))
        parts = Job.objects.filter(parent=OuterRef("pk")).order_by().values("parent")
        running = Q(state=State.RUNNING)
        return self.annotate(
            parts_progress=Subquery(parts.annotate(mean=Avg(part)).values("mean")),
            parts_rows=Subquery(parts.annotate(n=Sum("rows_done")).values("n")),
            parts_pace=Subquery(parts.annotate(n=Sum("rows_per_second", filter=running)).values("n")),
        )


class Job(TenantOwned):
    """One unit of work.

    `kind` names a handler in `jobs.handlers`; `payload` is its input and `outcome` its result, both JSON.
    Whoever holds the newest `token` (it grows with each claim) may write the row, until `lease_expires_at`.
    `attempts` counts runs in which the work itself failed, `losses` leases that ran out.

    A job may wait for parts, which are jobs too: then it is RUNNING without a lease, and `parts_open` of its parts
    have not ended. With `fail_fast` one that fails, or is cancelled, ends the others. A part may be another tenant's,
    where the operator asked for work in several; who looks at it there sees no parent (`own_parent`). `part` is a
    part's number among its parent's, from 1. `last_line` is the number of the newest log line; the newest `KEPT_LINES`
    are kept.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=32)
    state = models.CharField(max_length=16, choices=State.choices, default=State.QUEUED)
    payload = models.JSONField(default=dict)
    parent = models.ForeignKey("self", on_delete=models.CASCADE, null=True, related_name="parts")
    part = models.PositiveIntegerField(null=True)
    parts_made = models.PositiveIntegerField(default=0)
    parts_open = models.PositiveIntegerField(default=0)
    fail_fast = models.BooleanField(default=False)
    again_of = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="+")
    max_seconds = models.FloatField(null=True)
    max_memory_bytes = models.BigIntegerField(null=True)
    max_output_bytes = models.BigIntegerField(null=True)
    outcome = models.JSONField(null=True)
    error = models.JSONField(null=True, help_text="code, message and details of the last failure")
    attempts = models.PositiveSmallIntegerField(default=0)
    losses = models.PositiveSmallIntegerField(default=0)
    token = models.PositiveIntegerField(default=0)
    worker = models.CharField(max_length=100, blank=True)
    lease_expires_at = models.DateTimeField(null=True)
    progress = models.FloatField(default=0, help_text="0 to 1")
    message = models.CharField(max_length=200, blank=True)
    rows_done = models.BigIntegerField(null=True)
    rows_total = models.BigIntegerField(null=True)
    rows_per_second = models.FloatField(null=True)
    eta_seconds = models.FloatField(null=True, help_text="that the work still takes, as it was last reported")
    metrics = models.JSONField(default=dict, help_text="so far")
    last_line = models.PositiveIntegerField(default=0)
    cancel_asked_at = models.DateTimeField(null=True)
    cancelled_by = models.CharField(max_length=150, blank=True)
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(default=timezone.now)
    retry_at = models.DateTimeField(null=True, help_text="before which it is not tried again")
    sent_at = models.DateTimeField(null=True, help_text="when the broker was last told that there is work")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects: ClassVar = JobQuerySet.as_manager()

    before_end: Callable[[], None] | None = None
    """What its worker does before the job ends or is split: its log is written, so that who follows it misses none."""

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["tenant", "-created_at"], name="job_newest"),
            models.Index(fields=["tenant", "-started_at"], name="job_last_start"),
            models.Index(fields=["created_at"], condition=Q(state="queued"), name="job_queued"),
            models.Index(fields=["lease_expires_at"], condition=Q(state="running"), name="job_leases"),
        ]
        constraints = [models.UniqueConstraint(fields=["parent", "part"], name="one_job_per_part")]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def is_open(self) -> bool:
        """Tell whether it has not ended."""
        return self.state in OPEN

    @property
    def own_parent(self) -> uuid.UUID | None:
        """Return the job that this is a part of; None where that is another tenant's, the operator's."""
        return self.parent_id if self.parent is not None and self.parent.tenant_id == self.tenant_id else None

    @property
    def own_part(self) -> int | None:
        """Return its number among the parts of `own_parent`: among several tenants' it would tell of the others."""
        return self.part if self.own_parent else None

    @property
    def waits(self) -> bool:
        """Tell whether it waits for its parts."""
        return self.state == State.RUNNING and self.lease_expires_at is None

    @property
    def done(self) -> float:
        """Return how far it is, 0 to 1; of a job that waits, read `with_parts_progress`, with what its parts have done.

        It never goes back while what was done is kept: a run after parts divides what was left by then.
        """
        mean = getattr(self, "parts_progress", None)
        if not self.waits or mean is None:
            return self.progress
        return self.progress + (1 - self.progress) * PARTS_SHARE * float(mean)

    @property
    def pace(self) -> dict[str, int | float | None]:
        """Return `rows_done`, `rows_per_second` and `eta_seconds`; of a job that waits the sums of its parts."""
        rows, rate = getattr(self, "parts_rows", None), getattr(self, "parts_pace", None)
        if not (self.waits or (self.state == State.QUEUED and self.parts_made)) or rows is None:
            own = ("rows_done", "rows_per_second", "eta_seconds")
            return {name: getattr(self, name) for name in own}
        left = max(0, self.rows_total - rows) / rate if rate and self.rows_total is not None else None
        return {"rows_done": int(rows), "rows_per_second": rate, "eta_seconds": left}

    @property
    def lines_dropped(self) -> int:
        """Return how many of its log lines were not kept."""
        return max(0, self.last_line - KEPT_LINES)

    @property
    def limits(self) -> JobLimits:
        """Return how much one run may use: what was said when it was submitted, else what the operator set."""
        own = settings.MODELYARD
        return JobLimits(
            seconds=self.max_seconds or own.job_timeout_seconds,
            memory_bytes=self.max_memory_bytes or own.job_memory_bytes,
            output_bytes=self.max_output_bytes or own.job_output_bytes,
        )


class JobLine(TenantOwned):
    """A line of a job's log. `number` counts from 1 in each job, and goes on over its runs."""

    class Level(models.TextChoices):
        INFO = "info"
        WARNING = "warning"
        ERROR = "error"

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="lines")
    number = models.PositiveIntegerField()
    at = models.DateTimeField(default=timezone.now)
    level = models.CharField(max_length=8, choices=Level.choices, default=Level.INFO)
    text = models.CharField(max_length=500)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="one_line_per_number")]

    def __str__(self) -> str:
        return f"{self.number}: {self.text}"


class Outbox(models.Model):
    """A message that must still reach the broker: written with the job, deleted once it was sent."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"message for {self.job_id}"
