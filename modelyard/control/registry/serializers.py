"""How models, versions and aliases look in the API, and what is taken from it."""

import json
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from modelyard.control.registry.facts import MAX_DEPTH, MAX_SIGNATURE_BYTES, MAX_TEXT
from modelyard.control.registry.models import Alias, Model, Version
from modelyard.control.registry.services import MAX_FILES, MODEL_ROLE
from modelyard.control.rest.given import Given
from modelyard.control.rest.wording import shown
from modelyard.control.tenancy.people import MAX_NAME
from modelyard.core.faults import json_fault
from modelyard.core.reference import NAME, NAME_RULE

LARGEST_NUMBER = 2**31 - 1


class NameField(serializers.CharField):
    """A model's or an alias's name."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=64, trim_whitespace=False, help_text=NAME_RULE, **options)

    def to_internal_value(self, data: Any) -> str:
        text: str = super().to_internal_value(data)
        if not NAME.match(text):
            raise serializers.ValidationError(f"{text[:64]!r} is no name: expected {NAME_RULE}")
        return text


@extend_schema_field({"type": "string", "description": "a JSON object, as text"})
class JsonTextField(serializers.Field):
    """JSON within a form's text field."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            raise serializers.ValidationError("expected a JSON object as text, not as a file")
        if len(data) > 2 * MAX_SIGNATURE_BYTES:
            raise serializers.ValidationError(f"{len(data)} characters, expected at most {2 * MAX_SIGNATURE_BYTES}")
        try:
            return json.loads(data)
        except RecursionError:
            raise serializers.ValidationError(f"nested too deep: expected at most {MAX_DEPTH} levels") from None
        except ValueError as error:
            raise serializers.ValidationError(f"is no JSON: {json_fault(error)}") from None

    def to_representation(self, value: Any) -> Any:
        return value


class OwnerField(serializers.CharField):
    """A member, by username; `finding.named_owner` looks whether there is one."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=MAX_NAME, trim_whitespace=False, help_text="the username of a member", **options)


class DespiteConsumers(serializers.BooleanField):
    """Said by a caller who knows whom it hurts."""

    def __init__(self, **options: Any) -> None:
        told = "true: the declared consumers were told"
        super().__init__(**{"required": False, "default": False, "help_text": told, **options})


class NewModel(Given):
    name = NameField()
    problem = serializers.CharField(max_length=MAX_TEXT, required=False, allow_blank=True, default="")
    owner = OwnerField(required=False, allow_null=True)


class ChangedModel(Given):
    problem = serializers.CharField(max_length=MAX_TEXT, required=False, allow_blank=True)
    owner = OwnerField(required=False, allow_null=True)


class VersionCounts(serializers.Serializer):
    ready = serializers.IntegerField(source="n_ready")
    checking = serializers.IntegerField(source="n_checking")
    refused = serializers.IntegerField(source="n_refused")


class ModelSerializer(serializers.ModelSerializer):
    """A model as it is shown; `ModelQuerySet.with_facts` brings what is not its own."""

    owner = serializers.CharField(source="owner.get_username", default=None, read_only=True, help_text="a username")
    versions = VersionCounts(source="*", read_only=True)
    newest_ready = serializers.IntegerField(read_only=True, allow_null=True)
    champion = serializers.IntegerField(
        read_only=True, allow_null=True, default=None, help_text="the version that answers most; null: not served"
    )
    aliases = serializers.SerializerMethodField(help_text="name to the version's number")

    class Meta:
        model = Model
        fields = (
            "name", "problem", "owner", "versions", "last_number", "newest_ready", "champion", "aliases",
            "created_by", "created_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_aliases(self, model: Model) -> dict[str, int]:
        return {alias.name: alias.version.number for alias in model.aliases.all()}


class FileSerializer(serializers.Serializer):
    filename = serializers.CharField()
    size_bytes = serializers.IntegerField()
    digest = serializers.CharField()
    role = serializers.ChoiceField(choices=["model", "sample"])


class RefusalSerializer(serializers.Serializer):
    code = serializers.CharField()
    message = serializers.CharField()
    details = serializers.DictField()


class MeasuredSerializer(serializers.Serializer):
    """What was measured here when the version was examined, of what is served; null: it was not."""

    p50_seconds = serializers.FloatField(allow_null=True, help_text="one row a call: half of the calls took no longer")
    p95_seconds = serializers.FloatField(allow_null=True, help_text="95 % of the calls took no longer")
    calls = serializers.IntegerField(help_text="that were timed, after some that were not")
    rows = serializers.IntegerField(help_text="different ones of the sample, taken in turn")
    reason = serializers.CharField(help_text="why it was not timed; empty when it was")
    size_bytes = serializers.IntegerField(allow_null=True, help_text="of what is served")


class VersionLine(serializers.ModelSerializer):
    """A version as a list shows it; `VersionQuerySet.with_facts` brings what is not its own."""

    model = serializers.CharField(source="model.name", read_only=True)
    reference = serializers.CharField(source="__str__", read_only=True, help_text="how to ask for it: `iris:3`")
    state = serializers.ChoiceField(choices=["checking", "ready", "refused"], read_only=True)
    refusal = serializers.SerializerMethodField()
    size_bytes = serializers.SerializerMethodField(help_text="of the uploaded model files together")
    metrics = serializers.DictField(child=serializers.FloatField(), read_only=True)
    measured = serializers.SerializerMethodField()
    manifest = serializers.DictField(read_only=True)
    parent = serializers.IntegerField(  # type: ignore[assignment]
        source="parent.number", default=None, read_only=True
    )
    dataset = serializers.SerializerMethodField(help_text="what it was trained on: `flights:2`; null: not told")
    aliases = serializers.SerializerMethodField()
    weight = serializers.FloatField(
        read_only=True,
        allow_null=True,
        default=None,
        help_text="in the plan in force; null: not in it, or watching",
    )
    files = serializers.SerializerMethodField()
    digest = serializers.CharField(
        source="serving.digest", default=None, read_only=True, help_text="sha256 of what is served"
    )
    job = serializers.UUIDField(source="job_id", read_only=True, allow_null=True)

    class Meta:
        model = Version
        fields: tuple[str, ...] = (
            "model", "number", "reference", "state", "refusal", "description", "format", "runtime", "isolated",
            "environment", "dataset",
            "size_bytes", "metrics", "measured", "manifest", "parent", "aliases", "weight", "files", "digest",
            "created_by", "created_at", "checked_at", "job",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(RefusalSerializer(allow_null=True))
    def get_refusal(self, version: Version) -> dict[str, Any] | None:
        if version.refusal is None:
            return None
        return {name: version.refusal.get(name, {}) for name in ("code", "message", "details")}

    @extend_schema_field(MeasuredSerializer)
    def get_measured(self, version: Version) -> dict[str, Any]:
        nothing = {"p50_seconds": None, "p95_seconds": None, "calls": 0, "rows": 0, "reason": ""}
        size = version.serving.size_bytes if version.serving else None
        return {**nothing, **version.measured, "size_bytes": size}

    def get_size_bytes(self, version: Version) -> int:
        return sum(int(file["size_bytes"]) for file in self.get_files(version) if file["role"] == MODEL_ROLE)

    def get_dataset(self, version: Version) -> str | None:
        return str(version.dataset) if version.dataset else None

    def get_aliases(self, version: Version) -> list[str]:
        return [alias.name for alias in version.aliases.all()]

    @extend_schema_field(FileSerializer(many=True))
    def get_files(self, version: Version) -> list[dict[str, Any]]:
        return [file.facts() for file in version.files.all()] or (version.refusal or {}).get("files", [])


class VersionSerializer(VersionLine):
    """All of a version."""

    signature = serializers.DictField(read_only=True, allow_null=True)
    sample = serializers.ListField(child=serializers.DictField(), read_only=True)
    report = serializers.DictField(read_only=True, allow_null=True)

    class Meta(VersionLine.Meta):
        fields = (*VersionLine.Meta.fields, "signature", "sample", "report")
        read_only_fields = fields


class NewVersion(Given):
    """A form: `file` once for each file, in the order in which they are applied (a scaler, then a classifier)."""

    file = serializers.ListField(
        child=serializers.FileField(max_length=255),
        min_length=1,
        max_length=MAX_FILES,
        help_text="the model: .onnx, .skops, .pkl or .joblib; several become one pipeline",
    )
    sample = serializers.FileField(required=False, max_length=255, help_text="rows as CSV, Parquet or .npy")
    metrics = JsonTextField(required=False, default=dict, help_text='numbers by name, as {"accuracy": 0.97}')
    manifest = JsonTextField(required=False, default=dict, help_text="what is needed to make the version again")
    signature = JsonTextField(required=False, default=None, help_text="columns and outputs, where they are known")
    description = serializers.CharField(required=False, allow_blank=True, default="", max_length=MAX_TEXT)
    environment = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        max_length=64,
        help_text="the Python environment that opens and serves it, for an old pickle; without, one that fits is found",
    )
    dataset = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        max_length=80,
        help_text="the dataset that it was trained on, as flights:2",
    )
    parent = serializers.IntegerField(  # type: ignore[assignment]
        required=False,
        allow_null=True,
        default=None,
        min_value=1,
        max_value=LARGEST_NUMBER,
        help_text="number of the version that this one was made from",
    )


class AliasSerializer(serializers.ModelSerializer):
    model = serializers.CharField(source="model.name", read_only=True)
    reference = serializers.SerializerMethodField(help_text="how to ask for it: `iris@candidate`")
    version = serializers.IntegerField(source="version.number", read_only=True)

    class Meta:
        model = Alias
        fields = ("name", "model", "reference", "version", "moved_by", "moved_at")
        read_only_fields = fields

    def get_reference(self, alias: Alias) -> str:
        return f"{alias.model.name}@{alias.name}"


class NumberField(serializers.IntegerField):
    """A version's number, which nothing else stands for: so no alias can lead to another, let alone back to itself."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, str) and NAME.match(data) and any(letter.isalpha() for letter in data):
            raise serializers.ValidationError(
                f"got {shown(data)}, expected the number of a version: an alias does not name another alias"
            )
        number: int = super().to_internal_value(data)
        return number


class MovedAlias(Given):
    version = NumberField(min_value=1, max_value=LARGEST_NUMBER)
    despite_consumers = DespiteConsumers()
