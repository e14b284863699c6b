"""How deployments and their history look in the API, and what is taken from it."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from modelyard.control.deployments.models import PlanRecord
from modelyard.control.deployments.services import LARGEST, MAX_REASON
from modelyard.control.registry.serializers import LARGEST_NUMBER, DespiteConsumers
from modelyard.control.rest.given import Given


class Reason(Given):
    reason = serializers.CharField(max_length=MAX_REASON, required=False, allow_blank=True, default="")


class Despite(Reason):
    despite_consumers = DespiteConsumers()


class Promotion(Despite):
    version = serializers.IntegerField(min_value=1, max_value=LARGEST_NUMBER)


class LimitsSerializer(Given):
    """null means the server's own limit."""

    max_rows = serializers.IntegerField(
        min_value=1, max_value=int(LARGEST["max_rows"]), required=False, allow_null=True, help_text="of one request"
    )
    max_body_bytes = serializers.IntegerField(
        min_value=1, max_value=int(LARGEST["max_body_bytes"]), required=False, allow_null=True
    )
    timeout_seconds = serializers.FloatField(max_value=LARGEST["timeout_seconds"], required=False, allow_null=True)


class ChangedDeployment(Given):
    limits = LimitsSerializer()
    despite_consumers = DespiteConsumers()


class ArmSerializer(serializers.Serializer):
    version = serializers.IntegerField()
    weight = serializers.FloatField()


class PlanSerializer(serializers.Serializer):
    arms = ArmSerializer(many=True)
    shadows = serializers.ListField(child=serializers.IntegerField())


class PlanRecordSerializer(serializers.ModelSerializer):
    """One change of what serves."""

    model = serializers.CharField(source="deployment.model.name", read_only=True)
    plan = serializers.SerializerMethodField()
    champion = serializers.SerializerMethodField(help_text="the version that answers most; null: nothing is served")
    digests = serializers.DictField(
        child=serializers.CharField(), read_only=True, help_text="version to the sha256 of what was served"
    )
    verb = serializers.CharField(read_only=True)
    restores = serializers.IntegerField(
        read_only=True, allow_null=True, help_text="number of the plan that a rollback brought back"
    )

    class Meta:
        model = PlanRecord
        fields: tuple[str, ...] = (
            "model",
            "number",
            "plan",
            "champion",
            "digests",
            "verb",
            "reason",
            "restores",
            "actor",
            "at",
        )
        read_only_fields = fields

    @extend_schema_field(PlanSerializer)
    def get_plan(self, record: PlanRecord) -> dict[str, Any]:
        return {"arms": [], "shadows": [], **record.plan}

    def get_champion(self, record: PlanRecord) -> int | None:
        return record.as_plan().champion


class UndoSerializer(serializers.Serializer):
    """The call that takes back the change."""

    verb = serializers.CharField()
    method = serializers.CharField()
    path = serializers.CharField()
    body = serializers.DictField(allow_null=True)
    says = serializers.CharField(help_text="for people")


class ChangeSerializer(PlanRecordSerializer):
    """What a changing call answers with."""

    undo = UndoSerializer(allow_null=True)
    changed = serializers.BooleanField(help_text="false: it was so already, and nothing was appended")
    notes = serializers.ListField(
        child=serializers.CharField(), help_text="what the charter asks for, and the champion does not keep to"
    )
    consumers = serializers.ListField(
        child=serializers.CharField(), help_text="who is declared to ask for the model by its name, to be told"
    )

    class Meta(PlanRecordSerializer.Meta):
        fields = (*PlanRecordSerializer.Meta.fields, "undo", "changed", "notes", "consumers")
        read_only_fields = fields


class DeploymentSerializer(serializers.Serializer):
    """How a model is served now; `number` and what follows are of the plan in force, null where it never was served."""

    model = serializers.CharField()
    plan = PlanSerializer()
    champion = serializers.IntegerField(allow_null=True)
    limits = serializers.DictField()
    number = serializers.IntegerField(allow_null=True)
    verb = serializers.CharField()
    reason = serializers.CharField()
    restores = serializers.IntegerField(allow_null=True)
    digests = serializers.DictField()
    actor = serializers.CharField()
    at = serializers.DateTimeField(allow_null=True)
    published = serializers.BooleanField(help_text="the data plane was told of all changes up to now")
