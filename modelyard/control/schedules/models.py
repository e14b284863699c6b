"""Schedules, and what they have started."""

from datetime import datetime
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone

from modelyard.control.jobs.models import Job
from modelyard.control.registry.models import Dataset
from modelyard.control.schedules.times import Cron, Every, When, read_cron
from modelyard.control.tenancy.models import ApiKey, TenantOwned, TenantQuerySet

USUAL_FAILURES = 3


class Overlap(models.TextChoices):
    """What happens at a time when the former run still goes on."""

    SKIP = "skip"
    QUEUE = "queue"


class RunState(models.TextChoices):
    """How far a run is. `waiting` waits for the former one's end, `started` has a job that has not ended."""

    WAITING = "waiting"
    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    REFUSED = "refused"


TRIGGERS = ("cron", "interval_seconds", "on_dataset")


class ScheduleQuerySet(TenantQuerySet):
    """Reads of schedules. What is due is told by the database's clock alone."""

    def active(self) -> Self:
        return self.filter(paused_at=None)

    def due(self) -> Self:
        """Return those of which a time has come."""
        return self.active().filter(next_at__lte=Now()).order_by("next_at", "pk")

    def met(self) -> Self:
        """Return those whose dataset has arrived anew."""
        own = OuterRef(OuterRef("pk"))
        came = arrived(OuterRef("tenant"), OuterRef("on_dataset"), OuterRef("after_number"), own)
        return self.active().exclude(on_dataset="").filter(Exists(came)).order_by("pk")

    def with_waiting(self) -> Self:
        """Return those of which a run waits, and none goes on."""
        runs = Run.objects.not_ended().filter(schedule=OuterRef("pk"))
        waits, goes = runs.filter(state=RunState.WAITING), runs.filter(state=RunState.STARTED)
        return self.active().filter(Exists(waits), ~Exists(goes)).order_by("pk")


class Schedule(TenantOwned):
    """Starts jobs of one kind, at times or when a dataset arrives; exactly one of `cron`, `interval_seconds` and
    `on_dataset` says when.

    `body` is the request that each run makes anew, as the kind takes it. `next_at` is the next time, by the database's
    clock; none where a dataset is waited for. Of that, versions up to `after_number` were there before, or were had.
    `acts_for` names whose rights the runs have: who made it, or changed or resumed it last; `key` or `user` is that
    one, and where both are empty it is the system, or somebody who is gone. `failures` counts those in a row; at
    `max_failures` it pauses itself.
    """

    name = models.CharField(max_length=64)
    kind = models.CharField(max_length=32)
    body = models.JSONField(default=dict)
    cron = models.CharField(max_length=200, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    interval_seconds = models.PositiveIntegerField(null=True)
    on_dataset = models.CharField(max_length=64, blank=True)
    after_number = models.PositiveIntegerField(default=0)
    overlap = models.CharField(max_length=8, choices=Overlap.choices, default=Overlap.SKIP)
    next_at = models.DateTimeField(null=True)
    missed = models.PositiveIntegerField(default=0, help_text="times at which nothing could be started")
    failures = models.PositiveIntegerField(default=0, help_text="runs that failed in a row")
    max_failures = models.PositiveSmallIntegerField(default=USUAL_FAILURES)
    acts_for = models.CharField(max_length=150)
    key = models.ForeignKey(ApiKey, on_delete=models.SET_NULL, null=True, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    paused_at = models.DateTimeField(null=True)
    paused_by = models.CharField(max_length=150, blank=True)
    paused_reason = models.TextField(blank=True)
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar = ScheduleQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="one_schedule_per_name"),
            models.CheckConstraint(
                name="schedule_has_one_trigger",
                condition=Q(~Q(cron=""), interval_seconds=None, on_dataset="")
                | Q(cron="", interval_seconds__isnull=False, on_dataset="")
                | Q(~Q(on_dataset=""), cron="", interval_seconds=None),
            ),
        ]
        indexes = [
            models.Index(fields=["next_at"], condition=Q(paused_at=None), name="schedule_due"),
            models.Index(fields=["tenant", "on_dataset"], condition=~Q(on_dataset=""), name="schedule_met"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_paused(self) -> bool:
        return self.paused_at is not None

    @property
    def state(self) -> str:
        return "paused" if self.is_paused else "active"

    @property
    def when(self) -> When | None:
        """Return the rule of its times; None where it waits for a dataset."""
        return rule_of(self.cron, self.time_zone, self.interval_seconds)

    def arrivals(self) -> Any:
        """Return the datasets that have arrived and for which no run was made, the oldest first."""
        return arrived(self.tenant_id, self.on_dataset, self.after_number, self.pk).order_by("number")

    @property
    def next_times(self) -> list[datetime]:
        """Return the next five times; none where it is paused, or waits for a dataset."""
        if self.when is None or self.next_at is None or self.is_paused:
            return []
        found = [self.next_at]
        while len(found) < 5:
            found.append(self.when.after(found[-1]))
        return found


def rule_of(cron: str, time_zone: str, interval_seconds: int | None) -> Cron | Every | None:
    """Return the rule of a schedule's times.

    Raises:
        InvalidInput: when the expression or the time zone is none.
    """
    if cron:
        return read_cron(cron, time_zone)
    return Every(interval_seconds) if interval_seconds else None


class RunQuerySet(TenantQuerySet):
    """Reads of runs."""

    def not_ended(self) -> Self:
        """Return those that wait or go on: the few that the housekeeper's looks read."""
        return self.filter(ended_at=None)

    def ended(self) -> Self:
        """Return those whose job has ended, or is gone, and of which that is not written yet."""
        done = Q(job__finished_at__isnull=False) | Q(job=None)
        return self.not_ended().filter(done, state=RunState.STARTED).order_by("job__finished_at", "pk")


class Run(TenantOwned):
    """A time, or an arrival, at which a schedule started a job, or why it did not.

    The row is made in the transaction that submits the job. `due_at` is the time that had come, `dataset` and
    `dataset_number` the version that had arrived; neither: `asked_by` had it run. `missed` counts the times just
    before `due_at` at which nothing could be started.
    """

    schedule = models.ForeignKey(Schedule, on_delete=models.CASCADE, related_name="runs")
    state = models.CharField(max_length=16, choices=RunState.choices)
    reason = models.TextField(blank=True)
    due_at = models.DateTimeField(null=True)
    dataset = models.CharField(max_length=64, blank=True)
    dataset_number = models.PositiveIntegerField(null=True)
    asked_by = models.CharField(max_length=150, blank=True)
    missed = models.PositiveIntegerField(default=0)
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)

    objects: ClassVar = RunQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["schedule", "due_at"], name="one_run_per_time"),
            models.UniqueConstraint(fields=["schedule", "dataset", "dataset_number"], name="one_run_per_dataset"),
            models.UniqueConstraint(fields=["job"], name="one_run_per_job"),
        ]
        indexes = [
            models.Index(fields=["schedule", "-id"], name="run_newest"),
            # SQLite looks into it only where the query says just the same of `ended_at`.
            models.Index(fields=["schedule", "state"], condition=Q(ended_at=None), name="run_open"),
        ]

    def __str__(self) -> str:
        return f"{self.schedule_id} {self.what}"

    @property
    def what(self) -> str:
        """Return what had it start."""
        if self.due_at is not None:
            return f"{self.due_at:%Y-%m-%d %H:%M:%S} UTC"
        return self.arrived or f"asked for by {self.asked_by}"

    @property
    def arrived(self) -> str:
        """Return the dataset that had arrived: `flights:7`."""
        return f"{self.dataset}:{self.dataset_number}" if self.dataset else ""


def arrived(tenant: Any, name: Any, after: Any, schedule: Any) -> Any:
    """Return the ready datasets of a name past a number for which the schedule made no run.

    Each may be an `OuterRef`.
    """
    made = Run.objects.filter(schedule=schedule, dataset=OuterRef("name"), dataset_number=OuterRef("number"))
    return Dataset.objects.ready().filter(~Exists(made), tenant=tenant, name=name, number__gt=after)
