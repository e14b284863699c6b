"""`/api/v1/models/`, with their versions and aliases."""

from typing import Any

import msgspec
from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from modelyard.control.registry import charter_api, dataset_api, downloads, services
from modelyard.control.registry.comparison_api import Comparisons
from modelyard.control.registry.despite import DESPITE, despite_consumers
from modelyard.control.registry.filters import ModelFilter, VersionFilter
from modelyard.control.registry.finding import (
    find_alias,
    find_model,
    find_version,
    named_dataset,
    named_owner,
    numbered_version,
)
from modelyard.control.registry.models import HEAVY, Alias, Model, Version, VersionState
from modelyard.control.registry.receiving import given_files, receive_into_store
from modelyard.control.registry.serializers import (
    AliasSerializer,
    ChangedModel,
    ModelSerializer,
    MovedAlias,
    NewModel,
    NewVersion,
    VersionLine,
    VersionSerializer,
)
from modelyard.control.registry.waiting import WAIT, wait_seconds, wait_while
from modelyard.control.rest import actor_of
from modelyard.control.rest.addresses import either, verb
from modelyard.control.rest.forms import WholeForm
from modelyard.control.rest.given import checked
from modelyard.control.rest.public import predict_url, root
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import Conflict
from modelyard.core.schema import openapi
from modelyard.core.signature import Signature


class Models(mixins.ListModelMixin, GenericViewSet):
    """Named things to predict."""

    summaries = {"list": "List the models"}
    scopes = {"GET": Scope.READ, "POST": Scope.WRITE, "PATCH": Scope.WRITE, "DELETE": Scope.WRITE}
    serializer_class = ModelSerializer
    filterset_class = ModelFilter
    asks = {"destroy": (DESPITE.name,)}
    ordering_fields = ("name", "created_at", "last_number")
    queryset = Model.objects.none()

    def get_queryset(self) -> QuerySet[Any]:
        return Model.objects.of(actor_of(self.request).tenant).with_facts()

    @extend_schema(request=NewModel, responses={201: ModelSerializer})
    def create(self, request: Request) -> Response:
        """Make a model without versions."""
        actor = actor_of(request)
        model = services.create_model(actor=actor, **{"owner": actor.user, **_owned(actor, checked(NewModel, request))})
        return Response(self._shown(request, model.name), status=status.HTTP_201_CREATED)

    @extend_schema(responses=ModelSerializer)
    def retrieve(self, request: Request, name: str) -> Response:
        """Read a model."""
        return Response(self._shown(request, name))

    @extend_schema(request=ChangedModel, responses=ModelSerializer)
    def partial_update(self, request: Request, name: str) -> Response:
        """Change the problem statement or the owner; a name never changes."""
        actor = actor_of(request)
        model = find_model(actor.tenant, name)
        services.change_model(actor=actor, model=model, **_owned(actor, checked(ChangedModel, request)))
        return Response(self._shown(request, name))

    @extend_schema(responses={204: None}, parameters=[DESPITE])
    def destroy(self, request: Request, name: str) -> Response:
        """Delete the model with its versions, aliases, charter and consumers.

        Refused while it serves, or has consumers of whom nothing was said.
        """
        actor, despite = actor_of(request), despite_consumers(request)
        services.delete_model(actor=actor, model=find_model(actor.tenant, name), despite_consumers=despite)
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _shown(self, request: Request, name: str) -> dict[str, Any]:
        model = find_model(actor_of(request).tenant, name, Model.objects.with_facts())
        return dict(ModelSerializer(model).data)


class Versions(mixins.ListModelMixin, GenericViewSet):
    """Trained results of a model. A version never changes."""

    summaries = {"list": "List a model's versions, newest first"}
    scopes = {"GET": Scope.READ, "POST": Scope.WRITE, "DELETE": Scope.WRITE}
    takes_uploads = True
    parser_classes = (WholeForm,)
    serializer_class = VersionLine
    filterset_class = VersionFilter
    asks = {"create": (WAIT.name,), "retrieve": (WAIT.name,), "destroy": (DESPITE.name,)}
    ordering_fields = ("number", "created_at", "checked_at")
    queryset = Version.objects.none()

    def get_queryset(self) -> QuerySet[Any]:
        model = find_model(actor_of(self.request).tenant, self.kwargs["name"])
        return Version.objects.with_facts().filter(model=model).defer(*HEAVY)

    @extend_schema(request={"multipart/form-data": NewVersion}, responses={201: VersionSerializer}, parameters=[WAIT])
    def create(self, request: Request, name: str) -> Response:
        """Upload a version. It is `checking` until it was examined in the background, then `ready` or `refused`."""
        actor = actor_of(request)
        seconds = wait_seconds(request)
        model = find_model(actor.tenant, name)
        with receive_into_store(request, actor):
            given = checked(NewVersion, request)
            if given["parent"] is not None:
                given["parent"] = numbered_version(model, "parent", given["parent"])
            reference = given.pop("dataset")
            if reference:
                given["dataset"] = named_dataset(actor.tenant, reference)
            files, sample = given_files(actor, given.pop("file"), given.pop("sample", None))
            version = services.register_version(actor=actor, model=model, files=files, sample=sample, **given)
        wait_while(_checking(version), seconds)
        shown = VersionSerializer(self._full(request, name, version.number)).data
        place = f"{root()}api/v1/models/{name}/versions/{version.number}/"
        return Response(shown, status=status.HTTP_201_CREATED, headers={"Location": place})

    @extend_schema(responses=VersionSerializer, parameters=[WAIT])
    def retrieve(self, request: Request, name: str, number: int) -> Response:
        """Read a version. `wait` comes back when it was examined."""
        seconds = wait_seconds(request)
        version = self._full(request, name, number)
        if seconds and version.state == VersionState.CHECKING:
            wait_while(_checking(version), seconds)
            version = self._full(request, name, number)
        return Response(VersionSerializer(version).data)

    @extend_schema(responses={204: None}, parameters=[DESPITE])
    def destroy(self, request: Request, name: str, number: int) -> Response:
        """Delete the version; refused while the plan in force or an alias needs it."""
        actor, despite = actor_of(request), despite_consumers(request)
        version = find_version(actor.tenant, name, number)
        services.delete_version(actor=actor, version=version, despite_consumers=despite)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def artifact(self, request: Request, name: str, number: int) -> HttpResponseBase:
        """Download what was uploaded: one file as it came, several as a zip."""
        version = find_version(actor_of(request).tenant, name, number)
        return downloads.answer(request, version)

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def openapi(self, request: Request, name: str, number: int) -> Response:
        """Describe the version's own prediction endpoint, as an OpenAPI document."""
        version = find_version(actor_of(request).tenant, name, number)
        if version.signature is None:
            raise Conflict(f"{version} is {version.state}: it has no signature yet", state=version.state)
        signature = msgspec.convert(version.signature, Signature)
        return Response(openapi(str(version), signature, predict_url()))

    def _full(self, request: Request, name: str, number: int) -> Version:
        return find_version(actor_of(request).tenant, name, number, Version.objects.with_facts())


class Aliases(mixins.ListModelMixin, GenericViewSet):
    """Movable names for a model's versions."""

    summaries = {"list": "List a model's aliases"}
    scopes = {"GET": Scope.READ, "PUT": Scope.WRITE, "DELETE": Scope.WRITE}
    serializer_class = AliasSerializer
    asks = {"destroy": (DESPITE.name,)}
    ordering_fields = ("name", "moved_at")
    queryset = Alias.objects.none()

    def get_queryset(self) -> QuerySet[Any]:
        model = find_model(actor_of(self.request).tenant, self.kwargs["name"])
        return Alias.objects.with_facts().filter(model=model)

    def retrieve(self, request: Request, name: str, alias: str) -> Response:
        """Read an alias."""
        model = find_model(actor_of(request).tenant, name)
        return Response(AliasSerializer(find_alias(model, alias)).data)

    @extend_schema(request=MovedAlias, responses={200: AliasSerializer, 201: AliasSerializer})
    def update(self, request: Request, name: str, alias: str) -> Response:
        """Let the alias name another version, or make it. The answer says how to undo that."""
        actor = actor_of(request)
        model = find_model(actor.tenant, name)
        given = checked(MovedAlias, request)
        version, despite = numbered_version(model, "version", given["version"]), given["despite_consumers"]
        moved = services.move_alias(actor=actor, model=model, name=alias, version=version, despite_consumers=despite)
        undo = services.alias_undo(name, alias, moved.before, despite=despite)
        shown = {**AliasSerializer(moved).data, "undo": undo}
        return Response(shown, status=status.HTTP_201_CREATED if moved.before is None else status.HTTP_200_OK)

    @extend_schema(responses={204: None}, parameters=[DESPITE])
    def destroy(self, request: Request, name: str, alias: str) -> Response:
        """Forget an alias; its version stays."""
        actor = actor_of(request)
        model = find_model(actor.tenant, name)
        despite = despite_consumers(request)
        services.delete_alias(actor=actor, model=model, name=find_alias(model, alias).name, despite_consumers=despite)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _owned(actor: Actor, given: dict[str, Any]) -> dict[str, Any]:
    """Return what was given of a model, with the owner in the place of the name."""
    name = given.get("owner")
    return {**given, "owner": named_owner(actor.tenant, name)} if name is not None else given


def _checking(version: Version) -> QuerySet[Version]:
    return Version.objects.filter(pk=version.pk, state=VersionState.CHECKING)


_VERSION = "models/<str:name>/versions/<int:number>"
urlpatterns = [
    path("models/", Models.as_view({"get": "list", "post": "create"}), name="models"),
    path(
        "models/<str:name>/",
        Models.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="model",
    ),
    path("models/<str:name>/versions/", Versions.as_view({"get": "list", "post": "create"}), name="versions"),
    path(f"{_VERSION}/", Versions.as_view({"get": "retrieve", "delete": "destroy"}), name="version"),
    *verb(f"{_VERSION}/artifact", Versions, {"get": "artifact"}, "artifact"),
    *verb(f"{_VERSION}/openapi", Versions, {"get": "openapi"}, "version-openapi"),
    *verb("models/<str:name>/compare", Comparisons, {"get": "retrieve"}, "compare"),
    path("models/<str:name>/aliases/", Aliases.as_view({"get": "list"}), name="aliases"),
    path(
        "models/<str:name>/aliases/<str:alias>/",
        Aliases.as_view({"get": "retrieve", "put": "update", "delete": "destroy"}),
        name="alias",
    ),
]
urlpatterns = either([*urlpatterns, *charter_api.urlpatterns, *dataset_api.urlpatterns])
app_name = "registry"
