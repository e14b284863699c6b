"""`/api/v1/jobs/`: looked at, followed, cancelled, run again. Jobs are made by the verbs of the apps that have them."""

import re
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.viewsets import ReadOnlyModelViewSet

from modelyard.control.jobs import events, services
from modelyard.control.jobs.handlers import kinds
from modelyard.control.jobs.models import KEPT_LINES, Job, State
from modelyard.control.jobs.serializers import JobDetailSerializer, JobSerializer, LinesSerializer
from modelyard.control.rest import actor_of
from modelyard.control.rest.addresses import either, verb
from modelyard.control.rest.choices import ChoiceFilter
from modelyard.control.tenancy.models import Scope
from modelyard.core.errors import InvalidInput
from modelyard.core.metrics import nearest

AFTER = OpenApiParameter("after", OpenApiTypes.INT, description="number of the last line that is known")
_BEGINS = re.compile("[0-9a-f]{8,32}")


class JobFilter(filters.FilterSet):
    """`?kind=registration&state=failed`, the parts of a job: `?parent=<id>`, or `?begins=0a21a1a9`."""

    kind = filters.CharFilter(method="named")
    state = ChoiceFilter(choices=State.choices)
    parent = filters.UUIDFilter()
    begins = filters.CharFilter(method="beginning", help_text="how the id begins: 8 of its letters and digits, or more")

    def named(self, jobs: QuerySet[Any], name: str, kind: str) -> QuerySet[Any]:
        """Return the jobs of this kind, which is one that is done here, or was."""
        own = Job.objects.of(actor_of(self.request).tenant)
        if kind not in kinds() and not own.filter(kind=kind).exists():
            raise InvalidInput.at(name, f"there are no jobs of the kind {kind[:40]!r}; {nearest(kind[:40], kinds())}")
        return jobs.filter(kind=kind)

    def beginning(self, jobs: QuerySet[Any], name: str, text: str) -> QuerySet[Any]:
        """Return the jobs whose ids begin so."""
        digits = text.replace("-", "").lower()
        if not _BEGINS.fullmatch(digits):
            raise InvalidInput.at(name, f"got {text[:40]!r}, expected 8 or more letters and digits of a job's id")
        return jobs.filter(pk__gte=UUID(digits.ljust(32, "0")), pk__lte=UUID(digits.ljust(32, "f")))


class Jobs(ReadOnlyModelViewSet):
    """Background work of the tenant, newest first."""

    summaries = {"list": "List jobs, newest first", "retrieve": "Read a job, with its parts"}
    scopes = {"GET": Scope.READ, "POST": Scope.WRITE}
    http_method_names = ("get", "head", "post")
    filterset_class = JobFilter
    asks = {"lines": ("after",), "events": ("after",)}
    ordering_fields = ("created_at", "finished_at", "kind", "state", "part")
    lookup_value_converter = "uuid"
    queryset = Job.objects.none()

    def get_queryset(self) -> QuerySet[Any]:
        return Job.objects.of(actor_of(self.request).tenant).with_parts_progress().select_related("tenant", "parent")

    def get_serializer_class(self) -> type[JobSerializer]:
        return JobSerializer if self.action == "list" else JobDetailSerializer

    def perform_content_negotiation(self, request: Request, force: bool = False) -> Any:
        # Whoever follows a job accepts text/event-stream; what is refused is told as JSON there too.
        if self.action == "events":
            return JSONRenderer(), JSONRenderer.media_type
        return super().perform_content_negotiation(request, force)

    @extend_schema(request=None, responses=JobDetailSerializer)
    def cancel(self, request: Request, pk: Any) -> Response:
        """End a job that is not wanted any more.

        One that runs is told, and ends within a second or two; its state says when.
        """
        return self._answer(services.cancel(self.get_object(), actor_of(request)))

    @extend_schema(request=None, responses={201: JobDetailSerializer})
    def again(self, request: Request, pk: Any) -> Response:
        """Run an ended job again, as a new one."""
        return self._answer(services.again(self.get_object(), actor_of(request)), status=201)

    @extend_schema(parameters=[AFTER], responses=LinesSerializer)
    def lines(self, request: Request, pk: Any) -> Response:
        """Read a job's log; the newest 1,000 lines are kept."""
        job = self.get_object()
        after = request.query_params.get("after", "0")
        if not after.isascii() or not after.isdigit() or len(after) > 9:
            raise InvalidInput.at("after", f"got {after[:40]!r}, expected the number of a line")
        found = job.lines.filter(number__gt=int(after))[:KEPT_LINES]
        said = {"results": found, "last_line": job.last_line, "dropped": job.lines_dropped}
        return Response(LinesSerializer(said).data)

    @extend_schema(parameters=[AFTER], responses={(200, "text/event-stream"): OpenApiTypes.STR})
    def events(self, request: Request, pk: Any) -> StreamingHttpResponse:
        """Follow a job as server-sent events: `state`, `progress`, `line` and, at last, `end`.

        The id of a line is its number, so that `Last-Event-ID` goes on after it. A stream ends after ten minutes, and
        at once where the server cannot keep it open; come back then, after what `retry` says.
        """
        return events.stream(request, self.get_object())

    def _answer(self, job: Job, status: int = 200) -> Response:
        return Response(JobDetailSerializer(self.get_queryset().get(pk=job.pk)).data, status=status)


router = SimpleRouter(use_regex_path=False)
router.register("jobs", Jobs, basename="job")
urlpatterns = [
    *either(router.urls),
    *verb("jobs/<uuid:pk>/cancel", Jobs, {"post": "cancel"}, "job-cancel"),
    *verb("jobs/<uuid:pk>/again", Jobs, {"post": "again"}, "job-again"),
    *verb("jobs/<uuid:pk>/lines", Jobs, {"get": "lines"}, "job-lines"),
    *verb("jobs/<uuid:pk>/events", Jobs, {"get": "events"}, "job-events"),
]
app_name = "jobs"
