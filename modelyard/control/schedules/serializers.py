"""How schedules look in the API, and what is taken from it."""

from dataclasses import replace
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from modelyard.control.registry.facts import MAX_TEXT
from modelyard.control.registry.serializers import NameField
from modelyard.control.rest.choices import Choice
from modelyard.control.rest.given import Given
from modelyard.control.rest.public import root
from modelyard.control.schedules.kinds import KINDS
from modelyard.control.schedules.models import Overlap, Run, RunState, Schedule
from modelyard.control.schedules.services import MOST_FAILURES, Trigger
from modelyard.control.schedules.times import MAX_CRON, MAX_SECONDS, MIN_SECONDS

WHEN = "give one of `cron`, `interval_seconds` and `on_dataset`"


class RunSerializer(serializers.ModelSerializer):
    """A run: a time or an arrival at which a job was started, or why none was."""

    state = Choice(RunState.choices, read_only=True)
    dataset = serializers.CharField(source="arrived", read_only=True, help_text="that had arrived: `flights:7`")
    job_url = serializers.SerializerMethodField(help_text="where the job is read")

    class Meta:
        model = Run
        fields = (
            "id", "state", "reason", "due_at", "dataset", "asked_by", "missed", "job", "job_url", "created_at",
            "ended_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_job_url(self, run: Run) -> str | None:
        return f"{root()}api/v1/jobs/{run.job_id}/" if run.job_id else None


class PausedSerializer(serializers.Serializer):
    """Since when a schedule is paused, by whom, and why."""

    at = serializers.DateTimeField(source="paused_at")
    by = serializers.CharField(source="paused_by")
    reason = serializers.CharField(source="paused_reason")


class ScheduleLine(serializers.ModelSerializer):
    """A schedule as a list shows it."""

    state = Choice([("active", "active"), ("paused", "paused")], read_only=True)
    overlap = Choice(Overlap.choices, read_only=True)
    paused = serializers.SerializerMethodField()

    class Meta:
        model = Schedule
        fields: tuple[str, ...] = (
            "name", "kind", "body", "cron", "time_zone", "interval_seconds", "on_dataset", "overlap", "max_failures",
            "state", "paused", "next_at", "missed", "failures", "acts_for", "created_by", "created_at",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(PausedSerializer(allow_null=True))
    def get_paused(self, schedule: Schedule) -> dict[str, Any] | None:
        return dict(PausedSerializer(schedule).data) if schedule.is_paused else None


class ScheduleSerializer(ScheduleLine):
    """All of a schedule."""

    next_times = serializers.ListField(
        child=serializers.DateTimeField(), read_only=True, help_text="five; none of one that waits for a dataset"
    )
    last_run = serializers.SerializerMethodField()

    class Meta(ScheduleLine.Meta):
        fields = (*ScheduleLine.Meta.fields, "next_times", "last_run")
        read_only_fields = fields

    @extend_schema_field(RunSerializer(allow_null=True))
    def get_last_run(self, schedule: Schedule) -> dict[str, Any] | None:
        last = schedule.runs.first()
        return dict(RunSerializer(last).data) if last else None


class ChangedSchedule(Given):
    """What may change of a schedule; what is not given stays."""

    body = serializers.JSONField(required=False, help_text="the request that each run makes, as its kind takes it")
    cron = serializers.CharField(required=False, max_length=MAX_CRON, allow_blank=True, help_text=WHEN)
    time_zone = serializers.CharField(required=False, max_length=64, help_text="of `cron`, as Europe/Berlin; else UTC")
    interval_seconds = serializers.IntegerField(
        required=False, min_value=MIN_SECONDS, max_value=MAX_SECONDS, allow_null=True, help_text=WHEN
    )
    on_dataset = serializers.CharField(required=False, max_length=64, allow_blank=True, help_text=WHEN)
    overlap = Choice(
        Overlap.choices,
        required=False,
        help_text="when the former run still goes on: `skip`, as times do unless told, or `queue`, as arrivals do",
    )
    max_failures = serializers.IntegerField(
        required=False, min_value=1, max_value=MOST_FAILURES, help_text="in a row, after which it pauses itself"
    )

    def trigger_after(self, before: Trigger) -> Trigger | None:
        """Return what was said of when, which replaces what said so `before`; None where nothing was said."""
        said = self._when()
        if set(said) <= {"time_zone"}:
            return replace(before, **said) if said else None
        return Trigger(**{"time_zone": before.time_zone, **said})

    def rest(self) -> dict[str, Any]:
        """Return what was said of all else."""
        return {name: each for name, each in self.validated_data.items() if name not in Trigger.__slots__}

    def _when(self) -> dict[str, Any]:
        return {name: each for name, each in self.validated_data.items() if name in Trigger.__slots__}


class NewSchedule(ChangedSchedule):
    """A new schedule."""

    name = NameField()
    kind = Choice([(kind, kind) for kind in KINDS])
    body = serializers.JSONField(help_text="the request that each run makes, as its kind takes it")

    def trigger(self) -> Trigger:
        """Return what was said of when."""
        return Trigger(**self._when())


class WhyPaused(Given):
    """Why a schedule is paused."""

    reason = serializers.CharField(required=False, allow_blank=True, default="", max_length=MAX_TEXT)
