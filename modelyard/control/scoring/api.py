"""Scoring over REST: a verb of a dataset makes the job, and the job has what came of it."""

from typing import Any

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from modelyard.control.jobs.models import Job
from modelyard.control.jobs.serializers import JobDetailSerializer
from modelyard.control.registry.finding import find_dataset
from modelyard.control.rest import actor_of
from modelyard.control.rest.addresses import verb
from modelyard.control.rest.given import checked
from modelyard.control.rest.public import root
from modelyard.control.scoring import services
from modelyard.control.scoring.downloads import download
from modelyard.control.scoring.models import Role
from modelyard.control.scoring.serializers import AskedScoring
from modelyard.control.tenancy.models import Scope
from modelyard.core.errors import NotFound

BYTES = {(200, "application/octet-stream"): OpenApiTypes.BINARY}


class Scorings(ViewSet):
    """Predictions for all rows of a dataset."""

    scopes = {"GET": Scope.READ, "POST": Scope.WRITE, "DELETE": Scope.WRITE}

    @extend_schema(request=AskedScoring, responses={201: JobDetailSerializer})
    def score(self, request: Request, ref: str) -> Response:
        """Score all rows of a dataset with a version of a model, in the background.

        The answer is the job. Which version an alias, or the model's name, stands for is settled now. Once the job
        has succeeded, `jobs/{id}/result` is the scored table, in the order of the dataset.
        """
        actor, given = actor_of(request), checked(AskedScoring, request)
        job = services.score(actor=actor, dataset=find_dataset(actor.tenant, ref), **given)
        place = f"{root()}api/v1/jobs/{job.pk}/"
        shown = JobDetailSerializer(job, context={"request": request}).data
        return Response(shown, status=status.HTTP_201_CREATED, headers={"Location": place})

    @extend_schema(responses=BYTES)
    def result(self, request: Request, pk: Any) -> HttpResponseBase:
        """Download what a scoring came to: Parquet or CSV, a row for each of the dataset's, in its order.

        A row that could not be scored has no values in the columns of the predictions.
        """
        return download(_found(request, pk), Role.RESULT)

    @extend_schema(responses=BYTES)
    def failed(self, request: Request, pk: Any) -> HttpResponseBase:
        """Download the rows that could not be scored, a line of JSON each: `row` (from 0), `reason`, `values`."""
        return download(_found(request, pk), Role.FAILED)

    @extend_schema(responses={204: None})
    def delete_result(self, request: Request, pk: Any) -> Response:
        """Delete what a scoring came to, its failed rows too. The job stays."""
        services.delete_result(actor=actor_of(request), job=_found(request, pk))
        return Response(status=status.HTTP_204_NO_CONTENT)


def _found(request: Request, key: Any) -> Job:
    job: Job | None = Job.objects.of(actor_of(request).tenant).filter(pk=key).first()
    if job is None:
        raise NotFound("there is no job by this id, or none that you may see")
    return job


urlpatterns = [
    *verb("datasets/<str:ref>/score", Scorings, {"post": "score"}, "dataset-score"),
    *verb("jobs/<uuid:pk>/result", Scorings, {"get": "result", "delete": "delete_result"}, "job-result"),
    *verb("jobs/<uuid:pk>/failed", Scorings, {"get": "failed"}, "job-failed"),
]
app_name = "scoring"
