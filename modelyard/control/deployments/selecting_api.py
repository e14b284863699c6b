"""`/api/v1/models/{name}/select`: the best of a model's versions."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from modelyard.control.deployments.selecting import MOST_ALIASES, MOST_CONSTRAINTS, select
from modelyard.control.deployments.selection import Pool
from modelyard.control.deployments.serializers import Despite, UndoSerializer
from modelyard.control.registry.facts import MAX_METRIC_NAME
from modelyard.control.registry.finding import find_model
from modelyard.control.registry.serializers import LARGEST_NUMBER, NameField
from modelyard.control.rest import Choice, Given, Several, actor_of, checked
from modelyard.control.tenancy.models import Scope
from modelyard.core.metrics import MAX_TEXT, Direction


class Wanted(Given):
    """What is looked for, and among which versions."""

    metric = serializers.CharField(
        max_length=MAX_METRIC_NAME,
        trim_whitespace=False,
        required=False,
        default="",
        help_text="of the versions, or `p95_seconds`, `size_bytes`; else the charter's",
    )
    direction = Choice(
        [(str(each), str(each)) for each in Direction],
        required=False,
        default="",
        help_text="known of well-known metrics",
    )
    constraints = Several(
        child=serializers.CharField(max_length=MAX_TEXT),
        required=False,
        default=list,
        max_length=MOST_CONSTRAINTS,
        help_text="as `p95_seconds<=5ms`, `size_bytes<=50MiB`, `accuracy>=0.95`",
    )
    pool_aliases = Several(
        child=NameField(), required=False, default=list, max_length=MOST_ALIASES, help_text="only what these name"
    )
    pool_from = serializers.IntegerField(
        min_value=1, max_value=LARGEST_NUMBER, required=False, default=None, help_text="smallest number"
    )
    pool_to = serializers.IntegerField(
        min_value=1, max_value=LARGEST_NUMBER, required=False, default=None, help_text="largest number"
    )
    pool_since = serializers.DateTimeField(required=False, default=None, help_text="pushed then, or later")
    expect = serializers.IntegerField(
        min_value=1,
        max_value=LARGEST_NUMBER,
        required=False,
        default=None,
        help_text="the winner that was told before; is it another one now, this is refused",
    )


class Selecting(Wanted, Despite):
    """With neither `alias` nor `activate` it is only told which version would win."""

    alias = NameField(required=False, default="")
    activate = serializers.BooleanField(required=False, default=False)


class FailureSerializer(serializers.Serializer):
    constraint = serializers.CharField()
    metric = serializers.CharField()
    value = serializers.FloatField(allow_null=True)
    by = serializers.FloatField(allow_null=True, help_text="how far it is off")
    reason = serializers.CharField()


class LoserSerializer(serializers.Serializer):
    number = serializers.IntegerField()
    code = serializers.ChoiceField(choices=["no_metric", "constraint", "runs_code", "worse", "tie"])
    reason = serializers.CharField()
    value = serializers.FloatField(allow_null=True)
    failures = FailureSerializer(many=True)


class WinnerSerializer(serializers.Serializer):
    number = serializers.IntegerField()
    reference = serializers.CharField()
    value = serializers.FloatField()
    values = serializers.DictField(child=serializers.FloatField())


class SelectionSerializer(serializers.Serializer):
    """Who won, why the others lost, and what was done."""

    model = serializers.CharField()
    metric = serializers.CharField()
    direction = serializers.CharField()
    constraints = Several(child=serializers.CharField())
    ties = serializers.CharField(help_text="how one of several equal ones is chosen")
    winner = WinnerSerializer()
    losers = LoserSerializer(many=True)
    champion = serializers.IntegerField(allow_null=True, help_text="the version that answered most before")
    alias = serializers.CharField(allow_null=True)
    activate = serializers.BooleanField()
    changed = serializers.BooleanField(help_text="false: only told, or it was so already")
    undo = UndoSerializer(allow_null=True)


class Selections(ViewSet):
    """The best of a model's ready versions."""

    scopes = {"GET": Scope.READ, "POST": Scope.WRITE}
    asks = {"tell": tuple(Wanted().fields)}
    asks_several = tuple(name for name, field in Wanted().fields.items() if isinstance(field, Several))

    @extend_schema(parameters=[Wanted], responses=SelectionSerializer)
    def tell(self, request: Request, name: str) -> Response:
        """Tell which version would win; nothing is changed."""
        actor = actor_of(request)
        model = find_model(actor.tenant, name)
        given = Wanted(data=request.query_params)
        given.is_valid(raise_exception=True)
        return Response(select(actor=actor, model=model, **_arguments(given.validated_data)).facts())

    @extend_schema(request=Selecting, responses=SelectionSerializer)
    def select(self, request: Request, name: str) -> Response:
        """Choose the best version, and let an alias name it, or activate it; with neither, only tell."""
        actor = actor_of(request)
        model = find_model(actor.tenant, name)
        given = checked(Selecting, request)
        return Response(select(actor=actor, model=model, **_arguments(given)).facts())


def _arguments(given: dict[str, Any]) -> dict[str, Any]:
    """Return what was sent as `select` takes it."""
    arguments = dict(given)
    pool = {name: arguments.pop(f"pool_{name}") for name in ("aliases", "from", "to", "since")}
    if "activate" in arguments:
        arguments["activates"] = arguments.pop("activate")
    return {**arguments, "pool": Pool(tuple(pool["aliases"]), pool["from"], pool["to"], pool["since"])}
