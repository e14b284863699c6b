"""How datasets look in the API, and what is taken from it."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from modelyard.control.registry.dataset_models import Dataset
from modelyard.control.registry.facts import MAX_TEXT
from modelyard.control.registry.serializers import JsonTextField, NameField, RefusalSerializer
from modelyard.control.rest.given import Given
from modelyard.core.table import TYPES


class ColumnSerializer(serializers.Serializer):
    """A column; `categories` are all its values where they are few."""

    name = serializers.CharField()
    type = serializers.ChoiceField(choices=TYPES)
    optional = serializers.BooleanField(help_text="values are missing")
    categories = serializers.ListField(child=serializers.JSONField(), allow_null=True)


class BinsSerializer(serializers.Serializer):
    edges = serializers.ListField(child=serializers.FloatField(), help_text="one more than counts")
    counts = serializers.ListField(child=serializers.IntegerField())


class FrequentSerializer(serializers.Serializer):
    value = serializers.JSONField()
    count = serializers.IntegerField()


class SummarySerializer(serializers.Serializer):
    """What a column holds: of numbers `infinite` to `histogram`, of texts `distinct` and `top`."""

    name = serializers.CharField()
    type = serializers.ChoiceField(choices=TYPES)
    count = serializers.IntegerField(help_text="values that are there")
    missing = serializers.IntegerField()
    exact = serializers.BooleanField(required=False, default=True, help_text="false: a part is estimated")
    method = serializers.CharField(required=False, help_text="which part is estimated, and how")
    infinite = serializers.IntegerField(required=False)
    mean = serializers.FloatField(required=False, allow_null=True)
    std = serializers.FloatField(required=False, allow_null=True)
    min = serializers.JSONField(required=False)
    max = serializers.JSONField(required=False)
    quantiles = serializers.DictField(child=serializers.FloatField(), required=False)
    histogram = BinsSerializer(required=False, allow_null=True)
    distinct = serializers.IntegerField(required=False)
    top = FrequentSerializer(many=True, required=False)


class DatasetLine(serializers.ModelSerializer):
    """A dataset as a list shows it."""

    reference = serializers.CharField(source="__str__", read_only=True, help_text="how to name it: `flights:2`")
    state = serializers.ChoiceField(choices=["checking", "ready", "refused"], read_only=True)
    refusal = serializers.SerializerMethodField()
    source = serializers.DictField(  # type: ignore[assignment]
        read_only=True, help_text="`kind`, and what it came from"
    )
    types = serializers.DictField(source="given", read_only=True, help_text="column types that were told")
    digest = serializers.SerializerMethodField(help_text="sha256 of the table as it is kept")
    n_bytes = serializers.IntegerField(read_only=True, allow_null=True, help_text="of the table as it is kept")
    n_rows = serializers.IntegerField(read_only=True, allow_null=True)
    job = serializers.UUIDField(source="job_id", read_only=True, allow_null=True)

    class Meta:
        model = Dataset
        fields: tuple[str, ...] = (
            "name", "number", "reference", "state", "refusal", "description", "source", "format", "types",
            "original_digest", "original_bytes", "digest", "n_bytes", "n_rows", "created_by", "created_at",
            "checked_at", "job",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(RefusalSerializer(allow_null=True))
    def get_refusal(self, dataset: Dataset) -> dict[str, Any] | None:
        return dataset.refusal

    def get_digest(self, dataset: Dataset) -> str | None:
        return dataset.artifact.digest if dataset.artifact else None


class DatasetSerializer(DatasetLine):
    """All of a dataset."""

    columns = ColumnSerializer(many=True, read_only=True)
    summary = SummarySerializer(many=True, read_only=True)
    versions = serializers.SerializerMethodField(help_text="those that were trained on it")

    class Meta(DatasetLine.Meta):
        fields = (*DatasetLine.Meta.fields, "columns", "summary", "versions")
        read_only_fields = fields

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_versions(self, dataset: Dataset) -> list[str]:
        return [str(one) for one in dataset.versions.select_related("model").order_by("model__name", "number")]


class NewDataset(Given):
    """A form with the file."""

    name = NameField()
    file = serializers.FileField(max_length=255, help_text="a table: .csv or .parquet")
    types = JsonTextField(required=False, default=dict, help_text='types of columns, as {"zip": "string"}')
    description = serializers.CharField(required=False, allow_blank=True, default="", max_length=MAX_TEXT)


class FetchedDataset(Given):
    """What shall be fetched from a place that the operator allowed."""

    name = NameField()
    source = serializers.DictField(  # type: ignore[assignment]
        help_text="`kind`, `place`, and `file` or `query`; `datasets/sources/` lists kinds and places"
    )
    types = serializers.DictField(required=False, default=dict, help_text='types of columns, as {"zip": "string"}')
    description = serializers.CharField(required=False, allow_blank=True, default="", max_length=MAX_TEXT)


class SourceSerializer(serializers.Serializer):
    """Where datasets may come from: what the operator allowed, by name."""

    kind = serializers.CharField()
    places = serializers.ListField(child=serializers.CharField())
    field = serializers.CharField(help_text="what is said besides the place: `file` or `query`")
    scope = serializers.CharField(help_text="that a caller needs")


class PreviewSerializer(serializers.Serializer):
    """Some rows; `data` has a list of values for each, in the order of `columns`."""

    reference = serializers.CharField()
    columns = serializers.ListField(child=serializers.CharField())
    data = serializers.ListField(child=serializers.ListField(child=serializers.JSONField()))  # type: ignore[assignment]
    offset = serializers.IntegerField()
    n_rows = serializers.IntegerField(help_text="of the whole table")
