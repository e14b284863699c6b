"""How precomputed answers look in the API, and what is taken from it."""

from rest_framework import serializers

from modelyard.control.precomputed.models import Precomputation
from modelyard.control.rest.given import Given
from modelyard.control.rest.public import predict_url


class AskedPrecomputation(Given):
    """A publication that is asked for."""

    job = serializers.UUIDField(help_text="a scoring of the model that has succeeded, with an entity column")


class PrecomputationSerializer(serializers.ModelSerializer):
    """A file of stored answers."""

    model = serializers.CharField(source="model.name", read_only=True)
    current = serializers.BooleanField(source="is_current", read_only=True, help_text="answers are told from it")
    version = serializers.IntegerField(source="version_number", read_only=True, help_text="that gave the answers")
    rows = serializers.IntegerField(source="n_rows", read_only=True, help_text="answers in it")
    skipped = serializers.IntegerField(source="n_skipped", read_only=True, help_text="rows that had none")
    kept = serializers.SerializerMethodField(help_text="the file is there still, and its version: it can be activated")
    address = serializers.SerializerMethodField(help_text="where an entity's answer is told, followed by its id")
    scoring = serializers.UUIDField(source="scoring_id", read_only=True, allow_null=True)
    job = serializers.UUIDField(source="job_id", read_only=True, allow_null=True)

    class Meta:
        model = Precomputation
        fields = (
            "model",
            "number",
            "current",
            "version",
            "dataset",
            "entity",
            "rows",
            "skipped",
            "digest",
            "size_bytes",
            "kept",
            "address",
            "scoring",
            "job",
            "created_by",
            "created_at",
        )
        read_only_fields = fields

    def get_kept(self, row: Precomputation) -> bool:
        return row.artifact_id is not None and row.has_version

    def get_address(self, row: Precomputation) -> str:
        return f"{predict_url()}/precomputed/{row.model.name}/"
