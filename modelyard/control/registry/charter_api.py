"""`/api/v1/models/{name}/charter` with its history, and `consumers/`."""

from typing import Any

from django.db.models import QuerySet
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet, ViewSet

from modelyard.control.registry import services
from modelyard.control.registry.charter_serializers import (
    ChangedCharter,
    CharterInForce,
    CharterRecordSerializer,
    ConsumerSerializer,
    DeclaredConsumer,
    WrittenCharter,
)
from modelyard.control.registry.charters import charter_of, doubts_of, read_charter
from modelyard.control.registry.finding import find_consumer, find_model
from modelyard.control.registry.models import CharterRecord, Consumer, Model
from modelyard.control.rest import actor_of
from modelyard.control.rest.addresses import verb
from modelyard.control.rest.given import checked
from modelyard.control.rest.public import root
from modelyard.control.tenancy.models import Scope
from modelyard.core.charter import Charter


class Charters(ViewSet):
    """Why a model exists, and how it is looked after."""

    scopes = {"GET": Scope.READ, "PUT": Scope.WRITE}

    @extend_schema(responses=CharterInForce)
    def retrieve(self, request: Request, name: str) -> Response:
        """Tell the charter in force; `number` is 0 where none was written."""
        return Response(_in_force(find_model(actor_of(request).tenant, name)))

    @extend_schema(request=WrittenCharter, responses=ChangedCharter)
    def update(self, request: Request, name: str) -> Response:
        """Agree on another charter, whole. The answer says how to undo that."""
        actor, given = actor_of(request), checked(WrittenCharter, request)
        model = find_model(actor.tenant, name)
        charter = read_charter(given["charter"])
        written = services.write_charter(
            actor=actor,
            model=model,
            charter=charter,
            reason=given["reason"],
            replaces=given["replaces"],
        )
        told = {"undo": _undo(name, written.before), "notes": doubts_of(model, charter)}
        return Response({"model": name, **CharterRecordSerializer(written).data, **told})


class CharterHistory(mixins.ListModelMixin, GenericViewSet):
    """Every charter that the model had, newest first."""

    summaries = {"list": "List every charter that the model had, newest first"}
    scopes = {"GET": Scope.READ}
    serializer_class = CharterRecordSerializer
    ordering_fields = ("number",)
    queryset = CharterRecord.objects.none()

    def get_queryset(self) -> QuerySet[Any]:
        model = find_model(actor_of(self.request).tenant, self.kwargs["name"])
        return CharterRecord.objects.filter(model=model)


class Consumers(mixins.ListModelMixin, GenericViewSet):
    """Who depends on a model, as declared: named in what is refused to protect them."""

    summaries = {"list": "List who depends on a model"}
    scopes = {"GET": Scope.READ, "PUT": Scope.WRITE, "DELETE": Scope.WRITE}
    serializer_class = ConsumerSerializer
    ordering_fields = ("name", "declared_at")
    queryset = Consumer.objects.none()

    def get_queryset(self) -> QuerySet[Any]:
        model = find_model(actor_of(self.request).tenant, self.kwargs["name"])
        return Consumer.objects.filter(model=model).select_related("model")

    def retrieve(self, request: Request, name: str, consumer: str) -> Response:
        """Read a consumer."""
        model = find_model(actor_of(request).tenant, name)
        return Response(ConsumerSerializer(find_consumer(model, consumer)).data)

    @extend_schema(request=DeclaredConsumer, responses={200: ConsumerSerializer, 201: ConsumerSerializer})
    def update(self, request: Request, name: str, consumer: str) -> Response:
        """Declare who depends on the model, or say it anew."""
        actor, given = actor_of(request), checked(DeclaredConsumer, request)
        model = find_model(actor.tenant, name)
        declared = services.declare_consumer(actor=actor, model=model, name=consumer, **given)
        code = status.HTTP_201_CREATED if declared.is_new else status.HTTP_200_OK
        return Response(ConsumerSerializer(declared).data, status=code)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, name: str, consumer: str) -> Response:
        """Remove a consumer, who does not depend on the model any more."""
        actor = actor_of(request)
        model = find_model(actor.tenant, name)
        services.remove_consumer(actor=actor, model=model, name=find_consumer(model, consumer).name)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _undo(name: str, before: Charter | None) -> dict[str, Any] | None:
    """Return the call that brings back the charter that was in force before; None where nothing was appended."""
    if before is None:
        return None
    body = {"charter": CharterRecordSerializer.shown(before)}
    return {"method": "PUT", "path": f"{root()}api/v1/models/{name}/charter", "body": body}


def _in_force(model: Model) -> dict[str, Any]:
    newest = CharterRecord.objects.filter(model=model).first()
    shown: dict[str, Any] = dict(CharterRecordSerializer(newest).data) if newest else CharterRecordSerializer.none()
    return {"model": model.name, **shown, "charter": CharterRecordSerializer.shown(charter_of(model))}


_MODEL = "models/<str:name>"
urlpatterns = [
    *verb(f"{_MODEL}/charter", Charters, {"get": "retrieve", "put": "update"}, "charter"),
    *verb(f"{_MODEL}/charter/history", CharterHistory, {"get": "list"}, "charter-history"),
    path(f"{_MODEL}/consumers/", Consumers.as_view({"get": "list"}), name="consumers"),
    path(
        f"{_MODEL}/consumers/<str:consumer>/",
        Consumers.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
        name="consumer",
    ),
]
