"""`/api/v1/datasets/`: immutable tables."""

import io
from typing import Any

from django.db.models import QuerySet
from django.http.response import HttpResponseBase
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, status
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from modelyard.control.registry import datasets, tables
from modelyard.control.registry.dataset_models import HEAVY, Dataset, DatasetState
from modelyard.control.registry.dataset_serializers import (
    DatasetLine,
    DatasetSerializer,
    FetchedDataset,
    NewDataset,
    PreviewSerializer,
    SourceSerializer,
)
from modelyard.control.registry.filters import DatasetFilter
from modelyard.control.registry.finding import find_dataset
from modelyard.control.registry.receiving import given_file, receive_into_store
from modelyard.control.registry.sources import SOURCES
from modelyard.control.registry.waiting import WAIT, wait_seconds, wait_while
from modelyard.control.rest import actor_of
from modelyard.control.rest.addresses import verb
from modelyard.control.rest.forms import WholeForm
from modelyard.control.rest.given import checked
from modelyard.control.rest.limits import SMALL_BYTES
from modelyard.control.rest.public import root
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import InvalidInput, TooLarge

USUAL_ROWS = 50


class SmallJson(JSONParser):
    """JSON of the usual size, at an address whose bound is that of whole tables."""

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        body = stream.read(SMALL_BYTES + 1)
        if len(body) > SMALL_BYTES:
            raise TooLarge(
                f"the body is larger than the {SMALL_BYTES} bytes that are taken here", max_bytes=SMALL_BYTES
            )
        return super().parse(io.BytesIO(body), media_type, parser_context)


class Datasets(mixins.ListModelMixin, GenericViewSet):
    """Immutable tables. `{ref}` is `flights`, the newest that is ready, or `flights:2`."""

    summaries = {"list": "List the datasets, by name, newest first"}
    scopes = {"GET": Scope.READ, "POST": Scope.WRITE, "DELETE": Scope.WRITE}
    takes_uploads = datasets.UPLOAD_SETTING
    parser_classes = (WholeForm, SmallJson)
    serializer_class = DatasetLine
    filterset_class = DatasetFilter
    asks = {
        "create": (WAIT.name,),
        "retrieve": (WAIT.name,),
        "preview": ("rows", "offset"),
        "download": ("format",),
    }
    ordering_fields = ("name", "number", "created_at", "checked_at", "n_rows")
    queryset = Dataset.objects.none()

    def get_queryset(self) -> QuerySet[Any]:
        return Dataset.objects.of(actor_of(self.request).tenant).with_facts().defer(*HEAVY)

    @extend_schema(
        request={"multipart/form-data": NewDataset, "application/json": FetchedDataset},
        responses={200: DatasetSerializer, 201: DatasetSerializer},
        parameters=[WAIT],
    )
    def create(self, request: Request) -> Response:
        """Upload a table, or have one fetched. It is `checking` until it was read in the background.

        It is then `ready` or `refused`. The same file under the same name again is answered with 200 and the dataset
        that there is.
        """
        actor, seconds = actor_of(request), wait_seconds(request)
        if str(request.content_type).startswith("application/json"):
            dataset, new = datasets.fetch_dataset(actor=actor, **checked(FetchedDataset, request)), True
        else:
            dataset, new = _uploaded(request, actor)
        wait_while(_checking(dataset), seconds)
        place = f"{root()}api/v1/datasets/{dataset}/"
        shown = self._shown(request, str(dataset))
        code = status.HTTP_201_CREATED if new else status.HTTP_200_OK
        return Response(shown, status=code, headers={"Location": place})

    @extend_schema(responses=SourceSerializer(many=True))
    def sources(self, request: Request) -> Response:
        """List where datasets may come from: kinds, and the places that the operator allowed, by name."""
        return Response(
            [
                {"kind": one.kind, "places": one.places(), "field": one.field, "scope": one.scope.value}
                for one in SOURCES.values()
            ]
        )

    @extend_schema(responses=DatasetSerializer, parameters=[WAIT])
    def retrieve(self, request: Request, ref: str) -> Response:
        """Read a dataset: its columns, and a summary of each. `wait` comes back when it was examined."""
        seconds = wait_seconds(request)
        dataset = find_dataset(actor_of(request).tenant, ref)
        if dataset.state == DatasetState.CHECKING:
            wait_while(_checking(dataset), seconds)
        return Response(self._shown(request, str(dataset)))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, ref: str) -> Response:
        """Delete a dataset, named with its number; refused while a version was trained on it."""
        actor = actor_of(request)
        dataset = find_dataset(actor.tenant, ref)
        if ref != str(dataset):
            raise InvalidInput.at("ref", f"{ref!r} may be another one tomorrow: name the number, as {dataset}")
        datasets.delete_dataset(actor=actor, dataset=dataset)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(
        parameters=[
            OpenApiParameter("rows", OpenApiTypes.INT, description=f"how many; {USUAL_ROWS} unless told"),
            OpenApiParameter("offset", OpenApiTypes.INT, description="rows before the first"),
        ],
        responses=PreviewSerializer,
    )
    def preview(self, request: Request, ref: str) -> Response:
        """Read some rows of the table."""
        dataset = find_dataset(actor_of(request).tenant, ref)
        offset, rows = _number(request, "offset", 0, 0), _number(request, "rows", USUAL_ROWS, 1)
        names = [column["name"] for column in dataset.columns]
        found = tables.preview(dataset, offset, rows)
        shown = {"reference": str(dataset), "columns": names, "data": found}
        return Response({**shown, "offset": offset, "n_rows": dataset.n_rows})

    @extend_schema(
        parameters=[OpenApiParameter("format", str, enum=tables.FORMATS, description="parquet unless told")],
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def download(self, request: Request, ref: str) -> HttpResponseBase:
        """Download the table, as Parquet or CSV."""
        dataset = find_dataset(actor_of(request).tenant, ref)
        return tables.download(dataset, request.query_params.get("format", tables.FORMATS[0]))

    def _shown(self, request: Request, ref: str) -> dict[str, Any]:
        return dict(DatasetSerializer(find_dataset(actor_of(request).tenant, ref)).data)


def _uploaded(request: Request, actor: Actor) -> tuple[Dataset, bool]:
    with receive_into_store(request, actor, datasets.UPLOAD_SETTING):
        given = checked(NewDataset, request)
        upload = given_file(actor, given.pop("file"), datasets.UPLOAD_SETTING)
        return datasets.register_dataset(actor=actor, upload=upload, **given)


def _checking(dataset: Dataset) -> QuerySet[Dataset]:
    return Dataset.objects.filter(pk=dataset.pk, state=DatasetState.CHECKING)


def _number(request: Request, name: str, usual: int, least: int) -> int:
    text = request.query_params.get(name, str(usual))
    if not text.isascii() or not text.isdigit() or len(text) > 18 or int(text) < least:
        raise InvalidInput.at(name, f"got {text[:40]!r}, expected a whole number of {least} or more")
    return int(text)


urlpatterns = [
    path("datasets/", Datasets.as_view({"get": "list", "post": "create"}), name="datasets"),
    path("datasets/sources/", Datasets.as_view({"get": "sources"}), name="dataset-sources"),
    path("datasets/<str:ref>/", Datasets.as_view({"get": "retrieve", "delete": "destroy"}), name="dataset"),
    *verb("datasets/<str:ref>/preview", Datasets, {"get": "preview"}, "dataset-preview"),
    *verb("datasets/<str:ref>/download", Datasets, {"get": "download"}, "dataset-download"),
]
