"""`/api/v1/trainers/`: ways to make a version of a dataset. What is asked for is a job, followed at `jobs/`."""

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from modelyard.control.jobs.models import Job
from modelyard.control.jobs.serializers import JobDetailSerializer
from modelyard.control.registry.finding import find_dataset
from modelyard.control.registry.models import Dataset
from modelyard.control.rest import actor_of
from modelyard.control.rest.addresses import either, verb
from modelyard.control.rest.given import checked
from modelyard.control.rest.public import root
from modelyard.control.tenancy.models import Scope, Tenant
from modelyard.control.training import reproducing_api, services, trained_api
from modelyard.control.training.serializers import AskedTraining, TrainerSerializer
from modelyard.control.training.tenants import train_tenants
from modelyard.core.errors import InvalidInput, NotFound
from modelyard.trainers.parameters import schema_of
from modelyard.trainers.table import find
from modelyard.trainers.trainer import Trainer


class TrainerViews(ViewSet):
    """Ways to make a version of a dataset."""

    scopes = {"GET": Scope.READ, "POST": Scope.WRITE}

    @extend_schema(responses=TrainerSerializer(many=True))
    def list(self, request: Request) -> Response:
        """List the trainers, with what each takes."""
        return Response([_shown(trainer) for trainer in services.known_trainers().values()])

    @extend_schema(responses=TrainerSerializer)
    def retrieve(self, request: Request, trainer: str) -> Response:
        """Read a trainer: the JSON Schema of its parameters."""
        return Response(_shown(_find(trainer)))

    @extend_schema(request=AskedTraining, responses={201: JobDetailSerializer})
    def train(self, request: Request, trainer: str) -> Response:
        """Train a version of a model on a dataset, in the background.

        The answer is the job. Once it has succeeded, its `outcome` names the version, which is ready, and serves
        nothing yet. With `tenants` (scope `operator`) each of them trains a version of its own, of the dataset that it
        has by that name; the answer is the job that waits for theirs, and its `outcome` tells what came of each.
        """
        actor, given = actor_of(request), checked(AskedTraining, request)
        asked: dict[str, Any] = {
            "actor": actor,
            "trainer": _find(trainer).name,
            "model": given["model"],
            "parameters": given["parameters"],
            "description": given["description"],
        }
        skip_missing = given["skip_missing"]
        if "tenants" in given:
            tenants = given["tenants"]
            made = train_tenants(**asked, dataset=given["dataset"], tenants=tenants, skip_missing=skip_missing)
        elif skip_missing:
            raise InvalidInput.at("skip_missing", "expected with `tenants`, which it belongs to")
        else:
            made = services.train(**asked, dataset=_dataset(actor.tenant, given["dataset"]))
        job = Job.objects.with_parts_progress().select_related("tenant", "parent").get(pk=made.pk)
        place = f"{root()}api/v1/jobs/{job.pk}/"
        shown = JobDetailSerializer(job, context={"request": request}).data
        return Response(shown, status=status.HTTP_201_CREATED, headers={"Location": place})


def _dataset(tenant: Tenant, reference: str) -> Dataset:
    """Return the caller's own dataset; an operator who has none by that name is told how others' are trained on."""
    try:
        return find_dataset(tenant, reference)
    except NotFound as error:
        if tenant.operates:
            error.message += "; this is the operator's own tenant: name those that train in `tenants` (--tenants)"
        raise


def _find(name: str) -> Trainer[Any]:
    try:
        return find(services.known_trainers(), name)
    except InvalidInput as error:
        raise NotFound(error.message, what="trainer") from None


def _shown(trainer: Trainer[Any]) -> dict[str, Any]:
    return {"name": trainer.name, "title": trainer.title, "parameters": schema_of(trainer.Parameters)}


urlpatterns = either(
    [
        path("trainers/", TrainerViews.as_view({"get": "list"}), name="trainers"),
        path("trainers/<str:trainer>/", TrainerViews.as_view({"get": "retrieve"}), name="trainer"),
        *verb("trainers/<str:trainer>/train", TrainerViews, {"post": "train"}, "train"),
        *reproducing_api.urlpatterns,
        *trained_api.urlpatterns,
    ]
)
app_name = "training"
