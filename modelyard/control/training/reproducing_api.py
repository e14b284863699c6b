"""`/api/v1/models/{name}/versions/{number}/`: `reproduce`, and what came of it."""

from typing import Any

from django.db.models import QuerySet
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from modelyard.control.jobs.serializers import JobDetailSerializer
from modelyard.control.registry.finding import find_version
from modelyard.control.rest import actor_of
from modelyard.control.rest.addresses import verb
from modelyard.control.rest.public import root
from modelyard.control.tenancy.models import Scope
from modelyard.control.training.models import Reproduction
from modelyard.control.training.reproducing import reproduce
from modelyard.control.training.serializers import ReproductionSerializer


class Reproductions(mixins.ListModelMixin, GenericViewSet):
    """Trainings of a version that were run again."""

    summaries = {"list": "List how the version's training was reproduced, newest first"}
    scopes = {"GET": Scope.READ, "POST": Scope.WRITE}
    serializer_class = ReproductionSerializer
    ordering_fields = ("created_at", "equal")
    queryset = Reproduction.objects.none()

    def get_queryset(self) -> QuerySet[Any]:
        version = find_version(actor_of(self.request).tenant, self.kwargs["name"], self.kwargs["number"])
        return Reproduction.objects.filter(version=version)

    @extend_schema(request=None, responses={201: JobDetailSerializer})
    def reproduce(self, request: Request, name: str, number: int) -> Response:
        """Run the version's training again, and compare.

        The answer is the job, which registers nothing. Its `outcome` tells whether parameters, data, metrics,
        predictions and the files' bytes are equal, and what differs in the environment.
        """
        actor = actor_of(request)
        job = reproduce(actor=actor, version=find_version(actor.tenant, name, number))
        place = f"{root()}api/v1/jobs/{job.pk}/"
        shown = JobDetailSerializer(job, context={"request": request}).data
        return Response(shown, status=status.HTTP_201_CREATED, headers={"Location": place})


_VERSION = "models/<str:name>/versions/<int:number>"
urlpatterns = [
    *verb(f"{_VERSION}/reproduce", Reproductions, {"post": "reproduce"}, "reproduce"),
    path(f"{_VERSION}/reproductions/", Reproductions.as_view({"get": "list"}), name="reproductions"),
]
