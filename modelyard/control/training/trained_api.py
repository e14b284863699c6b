"""`/api/v1/models/{name}/versions/{number}/training/`: what the version's training told."""

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from modelyard.control.registry.finding import find_version
from modelyard.control.rest import actor_of
from modelyard.control.tenancy.models import Scope
from modelyard.control.training.serializers import TrainedSerializer
from modelyard.control.training.trained import trained


class TrainingViews(ViewSet):
    """What a version's training told."""

    scopes = {"GET": Scope.READ}

    @extend_schema(responses=TrainedSerializer)
    def retrieve(self, request: Request, name: str, number: int) -> Response:
        """Read what a version's training told: metrics and their baseline, warnings, confusion matrix, search."""
        version = find_version(actor_of(request).tenant, name, number)
        return Response(TrainedSerializer(trained(version)).data)


urlpatterns = [
    path(
        "models/<str:name>/versions/<int:number>/training/",
        TrainingViews.as_view({"get": "retrieve"}),
        name="version-training",
    )
]
