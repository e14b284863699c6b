"""`/api/v1/models/{name}/`: `deployment`, `history`, and the verbs that change what serves."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet, ViewSet

from modelyard.control.deployments import services
from modelyard.control.deployments.models import Deployment, PlanRecord, Published
from modelyard.control.deployments.selecting_api import Selections
from modelyard.control.deployments.serializers import (
    ChangedDeployment,
    ChangeSerializer,
    DeploymentSerializer,
    Despite,
    PlanRecordSerializer,
    Promotion,
    Reason,
)
from modelyard.control.deployments.undo import undo_of
from modelyard.control.registry.charters import shortfalls_of
from modelyard.control.registry.consumers import hurt
from modelyard.control.registry.finding import find_model, find_version
from modelyard.control.registry.models import Model
from modelyard.control.rest import actor_of
from modelyard.control.rest.addresses import verb
from modelyard.control.rest.given import checked
from modelyard.control.tenancy.models import Scope
from modelyard.core.errors import InvalidInput


class Deployments(ViewSet):
    """How a model is served."""

    scopes = {"GET": Scope.READ, "PATCH": Scope.WRITE}

    @extend_schema(responses=DeploymentSerializer)
    def retrieve(self, request: Request, name: str) -> Response:
        """Tell which plan is in force."""
        return Response(_deployment(find_model(actor_of(request).tenant, name)))

    @extend_schema(request=ChangedDeployment, responses=DeploymentSerializer)
    def partial_update(self, request: Request, name: str) -> Response:
        """Set the model's own limits; what is not given stays."""
        actor = actor_of(request)
        model = find_model(actor.tenant, name)
        given = checked(ChangedDeployment, request)
        despite = given["despite_consumers"]
        services.change_limits(actor=actor, model=model, despite_consumers=despite, **given["limits"])
        return Response(_deployment(model))


class Changes(ViewSet):
    """The verbs that change what serves; each appends a plan, and answers with how to undo it."""

    scopes = {"POST": Scope.WRITE}

    @extend_schema(request=Despite, responses=ChangeSerializer)
    def activate(self, request: Request, name: str, number: int) -> Response:
        """Let this version answer everything."""
        actor = actor_of(request)
        version = find_version(actor.tenant, name, number)
        given = checked(Despite, request)
        record = services.activate(actor=actor, version=version, **given)
        return self._answer(version.model, record, given["despite_consumers"])

    @extend_schema(request=Promotion, responses=ChangeSerializer)
    def promote(self, request: Request, name: str) -> Response:
        """Let the version of that number answer everything."""
        actor = actor_of(request)
        model, given = find_model(actor.tenant, name), checked(Promotion, request)
        number = given.pop("version")
        record = services.promote(actor=actor, model=model, number=number, **given)
        return self._answer(model, record, given["despite_consumers"])

    @extend_schema(request=Reason, responses=ChangeSerializer)
    def rollback(self, request: Request, name: str) -> Response:
        """Bring back what served before; called again, what served before that."""
        actor = actor_of(request)
        model = find_model(actor.tenant, name)
        return self._answer(model, services.rollback(actor=actor, model=model, **checked(Reason, request)))

    @extend_schema(request=Despite, responses=ChangeSerializer)
    def deactivate(self, request: Request, name: str) -> Response:
        """Answer no more for the model's name alone; by number and by alias its versions answer on."""
        actor = actor_of(request)
        model = find_model(actor.tenant, name)
        return self._answer(model, services.deactivate(actor=actor, model=model, **checked(Despite, request)))

    def _answer(self, model: Model, record: PlanRecord, despite: bool = False) -> Response:
        changed = record.appended
        undo = undo_of(record, model.name, despite=despite) if changed else None
        champion = record.as_plan().champion
        notes = (
            []
            if champion is None
            else shortfalls_of(model.versions.select_related("model", "serving").get(number=champion))
        )
        told = [str(consumer) for consumer in hurt(model, "")] if changed else []
        shown = {"undo": undo, "changed": changed, "notes": notes, "consumers": told}
        return Response({**PlanRecordSerializer(record).data, **shown})


class History(mixins.ListModelMixin, GenericViewSet):
    """What served when, newest first."""

    summaries = {"list": "List what served when, newest first"}
    scopes = {"GET": Scope.READ}
    serializer_class = PlanRecordSerializer
    ordering_fields = ("number",)
    asks = {"list": ("at",)}
    queryset = PlanRecord.objects.none()

    def get_queryset(self) -> QuerySet[Any]:
        model = find_model(actor_of(self.request).tenant, self.kwargs["name"])
        records = PlanRecord.objects.filter(deployment__model=model).select_related("deployment__model")
        at = self.request.query_params.get("at")
        return records if at is None else records.filter(pk__in=_known_at(records, at))

    @extend_schema(
        parameters=[OpenApiParameter("at", OpenApiTypes.DATETIME, description="only the plan in force at that time")]
    )
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().list(request, *args, **kwargs)


def _known_at(records: Any, text: str) -> list[int]:
    try:
        at = parse_datetime(text.replace(" ", "+"))
    except (ValueError, OverflowError):
        at = None
    if at is None:
        raise InvalidInput.at("at", f"got {text[:40]!r}, expected a time, as 2026-11-20T14:03:00Z")
    if timezone.is_naive(at):
        at = timezone.make_aware(at, timezone.get_default_timezone())
    try:
        at = at.astimezone(timezone.get_default_timezone())
    except OverflowError:
        raise InvalidInput.at("at", f"{text[:40]!r} is out of range") from None
    return [record.pk for record in records.in_force(at)]


def _deployment(model: Model) -> dict[str, Any]:
    deployment = Deployment.objects.filter(model=model).first()
    records = PlanRecord.objects.filter(deployment__model=model).select_related("deployment__model")
    current = records.in_force().first()
    model.refresh_from_db(fields=["revision"])
    told = Published.objects.filter(model=model, revision__gte=model.revision).exists()
    shown: dict[str, Any] = {
        "model": model.name,
        "plan": {"arms": [], "shadows": []},
        "champion": None,
        "limits": {name: (deployment.limits if deployment else {}).get(name) for name in services.LARGEST},
        "number": None,
        "verb": "",
        "reason": "",
        "restores": None,
        "digests": {},
        "actor": "",
        "at": None,
        "published": told or model.revision == 0,
    }
    return {**shown, **PlanRecordSerializer(current).data} if current else shown


_MODEL = "models/<str:name>"
urlpatterns = [
    *verb(f"{_MODEL}/deployment", Deployments, {"get": "retrieve", "patch": "partial_update"}, "deployment"),
    *verb(f"{_MODEL}/versions/<int:number>/activate", Changes, {"post": "activate"}, "activate"),
    *verb(f"{_MODEL}/promote", Changes, {"post": "promote"}, "promote"),
    *verb(f"{_MODEL}/rollback", Changes, {"post": "rollback"}, "rollback"),
    *verb(f"{_MODEL}/deactivate", Changes, {"post": "deactivate"}, "deactivate"),
    *verb(f"{_MODEL}/select", Selections, {"get": "tell", "post": "select"}, "select"),
    *verb(f"{_MODEL}/history", History, {"get": "list"}, "history"),
]
app_name = "deployments"
