"""`/api/v1/jobs/`: read only. Jobs are made by the verbs of the apps that have them."""

from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from rest_framework.routers import SimpleRouter
from rest_framework.serializers import CharField, JSONField, ModelSerializer
from rest_framework.viewsets import ReadOnlyModelViewSet

from modelyard.control.jobs.models import Job, State
from modelyard.control.rest import actor_of
from modelyard.control.rest.addresses import either
from modelyard.control.rest.choices import ChoiceFilter
from modelyard.control.tenancy.models import Scope


class JobSerializer(ModelSerializer):
    """What a job's row says to its tenant; which worker has it, and what it was given, is ours."""

    state = CharField(read_only=True)
    outcome = JSONField(read_only=True)
    error = JSONField(read_only=True)

    class Meta:
        model = Job
        fields = (
            "id", "kind", "state", "progress", "message", "outcome", "error", "attempts", "losses",
            "created_by", "created_at", "started_at", "finished_at",
        )  # fmt: skip
        read_only_fields = fields


class JobFilter(filters.FilterSet):
    """`?kind=registration&state=failed`."""

    kind = filters.CharFilter()
    state = ChoiceFilter(choices=State.choices)


class Jobs(ReadOnlyModelViewSet):
    """Background work of the tenant, newest first."""

    summaries = {"list": "List jobs, newest first", "retrieve": "Read a job"}
    scopes = {"GET": Scope.READ}
    serializer_class = JobSerializer
    filterset_class = JobFilter
    ordering_fields = ("created_at", "finished_at", "kind", "state")
    lookup_value_converter = "uuid"
    queryset = Job.objects.none()

    def get_queryset(self) -> QuerySet[Any]:
        return Job.objects.of(actor_of(self.request).tenant)


router = SimpleRouter(use_regex_path=False)
router.register("jobs", Jobs, basename="job")
urlpatterns = either(router.urls)
app_name = "jobs"
