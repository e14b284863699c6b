"""How charters and consumers look in the API, and what is taken from it."""

from typing import Any

import msgspec
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from modelyard.control.registry.charters import MAX_REASON
from modelyard.control.registry.consumers import MAX_CONTACT, MAX_NAME, MAX_PURPOSE
from modelyard.control.registry.models import CharterRecord, Consumer
from modelyard.control.rest.given import Given
from modelyard.core.charter import Charter

_SCHEMA = msgspec.json.schema_components([Charter], ref_template="#/{name}")[1]


def _described() -> dict[str, Any]:
    """Return the charter's JSON schema, whole."""
    charter = dict(_SCHEMA["Charter"])
    charter["properties"] = {
        **charter["properties"],
        "thresholds": {"type": "array", "items": _SCHEMA["Threshold"], "default": []},
    }
    return charter


@extend_schema_field(_described())
class CharterField(serializers.JSONField):
    """A charter, whole; `charters.read_charter` checks it."""


class CharterRecordSerializer(serializers.ModelSerializer):
    """A charter, and when who agreed on it, and why."""

    charter = serializers.SerializerMethodField()

    class Meta:
        model = CharterRecord
        fields = ("number", "charter", "reason", "actor", "at")
        read_only_fields = fields

    @extend_schema_field(_described())
    def get_charter(self, record: CharterRecord) -> dict[str, Any]:
        return self.shown(msgspec.convert(record.charter, Charter))

    @staticmethod
    def shown(charter: Charter) -> dict[str, Any]:
        """Return every field, also those that are empty."""
        shown = {name: getattr(charter, name) for name in Charter.__struct_fields__}
        whole: dict[str, Any] = msgspec.to_builtins(shown)
        return whole

    @staticmethod
    def none() -> dict[str, Any]:
        """Return what stands in the place of a charter that was never written."""
        return {"number": 0, "reason": "", "actor": "", "at": None}


class CharterInForce(serializers.Serializer):
    model = serializers.CharField()
    number = serializers.IntegerField(help_text="0: none was written")
    charter = CharterField()
    reason = serializers.CharField()
    actor = serializers.CharField()
    at = serializers.DateTimeField(allow_null=True)


class ChangedCharter(CharterInForce):
    undo = serializers.DictField(allow_null=True, help_text="the call that brings back the one before")
    notes = serializers.ListField(child=serializers.CharField(), help_text="what looks like a slip")


class WrittenCharter(Given):
    charter = CharterField(help_text="whole: a field that is not given is empty")
    reason = serializers.CharField(max_length=MAX_REASON, required=False, allow_blank=True, default="")
    replaces = serializers.IntegerField(
        min_value=0,
        max_value=2**31 - 1,
        required=False,
        allow_null=True,
        default=None,
        help_text="number of the charter that was read before; refused when another is in force by now",
    )


class ConsumerSerializer(serializers.ModelSerializer):
    """Who depends on a model."""

    model = serializers.CharField(source="model.name", read_only=True)
    uses = serializers.SerializerMethodField(help_text="what is asked for: `iris`, `iris:3` or `iris@candidate`")

    class Meta:
        model = Consumer
        fields = ("name", "model", "uses", "contact", "purpose", "declared_by", "declared_at")
        read_only_fields = fields

    def get_uses(self, consumer: Consumer) -> str:
        return f"{consumer.model.name}{consumer.uses}"


class DeclaredConsumer(Given):
    contact = serializers.CharField(max_length=MAX_CONTACT, required=False, allow_blank=True, default="")
    purpose = serializers.CharField(max_length=MAX_PURPOSE, required=False, allow_blank=True, default="")
    uses = serializers.CharField(
        max_length=MAX_NAME, required=False, allow_blank=True, default="", help_text="`iris:3`; empty: the plan"
    )
