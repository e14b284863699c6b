"""What the API says of jobs: what a worker has of one, and what it was given, is ours."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from modelyard.control.jobs import handlers
from modelyard.control.jobs.models import Job, JobLine, State
from modelyard.control.rest.choices import Choice


class LimitsSerializer(serializers.Serializer):
    """How much one run may use."""

    seconds = serializers.FloatField()
    memory_bytes = serializers.IntegerField()
    output_bytes = serializers.IntegerField()


class JobSerializer(serializers.ModelSerializer):
    """A job. Of one that waits for its parts `progress` holds the mean of theirs, and rows and pace are their sums."""

    about = serializers.SerializerMethodField(help_text="model, version and dataset that it was asked for, in words")
    state = serializers.CharField(read_only=True)
    progress = serializers.FloatField(source="done", read_only=True)
    parent: Any = serializers.UUIDField(source="own_parent", read_only=True, allow_null=True)
    part: Any = serializers.IntegerField(source="own_part", read_only=True, allow_null=True)
    rows_done = serializers.IntegerField(source="pace.rows_done", read_only=True, allow_null=True)
    rows_per_second = serializers.FloatField(source="pace.rows_per_second", read_only=True, allow_null=True)
    eta_seconds = serializers.FloatField(
        source="pace.eta_seconds", read_only=True, allow_null=True, help_text="that the work still takes"
    )
    outcome = serializers.JSONField(read_only=True)
    error = serializers.JSONField(read_only=True)
    metrics = serializers.JSONField(read_only=True)
    limits = LimitsSerializer(read_only=True)

    class Meta:
        model = Job
        fields: tuple[str, ...] = (
            "id", "kind", "about", "state", "progress", "message", "rows_done", "rows_total", "rows_per_second",
            "eta_seconds", "metrics", "outcome", "error", "attempts", "losses", "limits", "parent", "part",
            "parts_made", "parts_open", "again_of", "last_line", "cancel_asked_at", "cancelled_by", "created_by",
            "created_at", "started_at", "finished_at",
        )  # fmt: skip
        read_only_fields: tuple[str, ...] = fields

    def get_about(self, job: Job) -> str:
        return handlers.about(job)


class PartSerializer(serializers.ModelSerializer):
    """A part, in few words."""

    tenant = serializers.CharField(source="tenant.name", read_only=True)
    state = Choice(State.choices, read_only=True)
    progress = serializers.FloatField(source="done", read_only=True)

    class Meta:
        model = Job
        fields = ("id", "part", "tenant", "kind", "state", "progress", "message")
        read_only_fields = fields


class JobDetailSerializer(JobSerializer):
    """A job with its first parts; `?parent=` lists them all."""

    MOST_PARTS = 100

    parts = serializers.SerializerMethodField()

    class Meta(JobSerializer.Meta):
        fields = (*JobSerializer.Meta.fields, "parts")
        read_only_fields = fields

    @extend_schema_field(PartSerializer(many=True))
    def get_parts(self, job: Job) -> list[dict[str, Any]]:
        if not job.parts_made:
            return []
        rows = Job.objects.filter(parent=job).with_parts_progress().select_related("tenant").order_by("part")
        return list(PartSerializer(rows[: self.MOST_PARTS], many=True).data)


class LineSerializer(serializers.ModelSerializer):
    """A line of a job's log."""

    level = Choice(JobLine.Level.choices, read_only=True)

    class Meta:
        model = JobLine
        fields = ("number", "at", "level", "text")
        read_only_fields = fields


class LinesSerializer(serializers.Serializer):
    """The lines after one, oldest first; `dropped` of the job's lines were not kept."""

    results = LineSerializer(many=True)
    last_line = serializers.IntegerField()
    dropped = serializers.IntegerField()
