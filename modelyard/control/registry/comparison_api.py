"""`/api/v1/models/{name}/compare`: two versions beside one another."""

from collections.abc import Mapping
from difflib import get_close_matches

from django.db.models import Q
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from modelyard.control.registry.comparison import compare
from modelyard.control.registry.finding import find_model
from modelyard.control.registry.models import Model, Version
from modelyard.control.registry.serializers import LARGEST_NUMBER
from modelyard.control.registry.services import RESERVED_ALIAS
from modelyard.control.rest import actor_of
from modelyard.control.tenancy.models import Scope
from modelyard.core.errors import InvalidInput
from modelyard.core.reference import NAME, VERSION


class SideSerializer(serializers.Serializer):
    number = serializers.IntegerField()
    reference = serializers.CharField()
    state = serializers.CharField()
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    aliases = serializers.ListField(child=serializers.CharField())
    measured = serializers.DictField()


class RowSerializer(serializers.Serializer):
    """One fact of both; null on a side that has it not."""

    name = serializers.CharField()
    change = serializers.ChoiceField(choices=["same", "changed", "added", "dropped"])
    left = serializers.JSONField(allow_null=True)
    right = serializers.JSONField(allow_null=True)


class FieldRowSerializer(RowSerializer):
    what = serializers.ListField(child=serializers.CharField(), help_text="in what it differs: type, shape, required")
    breaks = serializers.BooleanField(help_text="who asks as the left one wants is refused, or misses what it answered")


class SignatureRowsSerializer(serializers.Serializer):
    known = serializers.BooleanField()
    columns = FieldRowSerializer(many=True, help_text="those that differ")
    outputs = FieldRowSerializer(many=True, help_text="those that differ")
    same_columns = serializers.IntegerField()
    same_outputs = serializers.IntegerField()
    reordered = serializers.BooleanField()


class FeaturesSerializer(serializers.Serializer):
    known = serializers.BooleanField()
    where = serializers.ChoiceField(choices=["predictor", "inputs"], help_text="what reaches the predictor, or goes in")
    added = serializers.ListField(child=serializers.CharField())
    dropped = serializers.ListField(child=serializers.CharField())
    same = serializers.IntegerField()


class StepRowSerializer(RowSerializer):
    parameters = RowSerializer(many=True, help_text="those that differ")


class StepsSerializer(serializers.Serializer):
    known = serializers.BooleanField()
    rows = StepRowSerializer(many=True)
    reordered = serializers.BooleanField()


class WeighedRowSerializer(RowSerializer):
    difference = serializers.FloatField(allow_null=True, help_text="right less left")
    direction = serializers.ChoiceField(choices=["maximize", "minimize"], allow_null=True)
    better = serializers.ChoiceField(choices=["left", "right", "same"], allow_null=True)


class ComparisonSerializer(serializers.Serializer):
    """Two versions; see `comparison.compare`."""

    model = serializers.CharField()
    left = SideSerializer()
    right = SideSerializer()
    same = serializers.BooleanField()
    differences = serializers.DictField(child=serializers.IntegerField(), help_text="part to the rows that differ")
    signature = SignatureRowsSerializer()
    features = FeaturesSerializer()
    steps = StepsSerializer()
    parameters = RowSerializer(many=True)
    metrics = WeighedRowSerializer(many=True)
    measured = WeighedRowSerializer(many=True)
    packages = RowSerializer(many=True)
    data = RowSerializer(many=True)  # type: ignore[assignment]
    manifest = RowSerializer(many=True)
    about = RowSerializer(many=True)


LEFT, RIGHT = (
    OpenApiParameter(side, str, required=True, description="a number, an alias or `champion`")
    for side in ("left", "right")
)


class Comparisons(ViewSet):
    """Two versions beside one another."""

    scopes = {"GET": Scope.READ}
    asks = {"retrieve": (LEFT.name, RIGHT.name)}

    @extend_schema(parameters=[LEFT, RIGHT], responses=ComparisonSerializer)
    def retrieve(self, request: Request, name: str) -> Response:
        """Compare two versions: signature, steps, parameters, metrics, packages, data, manifest, speed."""
        model = find_model(actor_of(request).tenant, name, Model.objects.with_facts())
        left, right = named_versions(model, {side: request.query_params.get(side, "") for side in ("left", "right")})
        return Response(compare(left, right))


def named_versions(model: Model, texts: Mapping[str, str]) -> list[Version]:
    """Return the version that each place's text names, a number, an alias, or `champion`; by one read of them all."""
    champion = str(getattr(model, "champion", None) or "")
    keys = {place: champion if text == RESERVED_ALIAS else text for place, text in texts.items()}
    numbers = [int(key) for key in keys.values() if VERSION.match(key) and int(key) <= LARGEST_NUMBER]
    names = [key for key in keys.values() if NAME.match(key) and not VERSION.match(key)]
    of_model = Version.objects.with_facts().filter(model=model)
    found = {version.number: version for version in of_model.filter(Q(number__in=numbers) | Q(aliases__name__in=names))}
    called = {alias.name: version for version in found.values() for alias in version.aliases.all()}
    called |= {str(number): version for number, version in found.items()}
    for place, key in keys.items():
        if key not in called:
            raise InvalidInput.at(place, _nobody(model, texts[place]))
        called[key].model = model
    return [called[key] for key in keys.values()]


def _nobody(model: Model, text: str) -> str:
    """Return why `text` names none of the model's versions, and what would."""
    expected = f"expected a number, an alias or `{RESERVED_ALIAS}`"
    if not text:
        return f"got nothing: {expected}"
    if text == RESERVED_ALIAS:
        return f"nothing answers for {model.name} now: expected a number or an alias"
    near = get_close_matches(text[:64], [*model.aliases.values_list("name", flat=True), RESERVED_ALIAS], 1)
    hint = f"did you mean `{near[0]}`?" if near else expected
    return f"{text[:64]!r} names no version of {model.name}: {hint}"
