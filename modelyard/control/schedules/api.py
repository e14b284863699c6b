"""`/api/v1/schedules/`: what is started again and again."""

from typing import Any

from django.db.models import QuerySet
from django.urls import path
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from modelyard.control.rest import actor_of
from modelyard.control.rest.addresses import either, verb
from modelyard.control.rest.choices import ChoiceFilter
from modelyard.control.rest.given import checked
from modelyard.control.rest.public import root
from modelyard.control.schedules import services
from modelyard.control.schedules.models import Run, RunState, Schedule
from modelyard.control.schedules.serializers import (
    ChangedSchedule,
    NewSchedule,
    RunSerializer,
    ScheduleLine,
    ScheduleSerializer,
    WhyPaused,
)
from modelyard.control.tenancy.models import Scope

STATES = (("active", "active"), ("paused", "paused"))


class ScheduleFilter(filters.FilterSet):
    """`?kind=training&state=paused&on_dataset=flights`."""

    kind = filters.CharFilter(max_length=32)
    state = ChoiceFilter(choices=STATES, method="in_state")
    on_dataset = filters.CharFilter(max_length=64)

    def in_state(self, rows: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return rows.filter(paused_at__isnull=value == "active")


class RunFilter(filters.FilterSet):
    """`?state=failed`."""

    state = ChoiceFilter(choices=RunState.choices)


class Schedules(mixins.ListModelMixin, GenericViewSet):
    """What is started again and again, at times or when a dataset arrives."""

    summaries = {"list": "List the schedules, by name"}
    scopes = {"GET": Scope.READ, "POST": Scope.WRITE, "PATCH": Scope.WRITE, "DELETE": Scope.WRITE}
    serializer_class = ScheduleLine
    filterset_class = ScheduleFilter
    ordering_fields = ("name", "kind", "next_at", "created_at", "failures")
    queryset = Schedule.objects.none()

    def get_queryset(self) -> QuerySet[Any]:
        return Schedule.objects.of(actor_of(self.request).tenant)

    @extend_schema(request=NewSchedule, responses={201: ScheduleSerializer})
    def create(self, request: Request) -> Response:
        """Make a schedule. It acts for the caller, and what would be refused just now is refused."""
        given = NewSchedule(data=request.data)
        given.is_valid(raise_exception=True)
        made = services.create_schedule(actor=actor_of(request), trigger=given.trigger(), **given.rest())
        place = f"{root()}api/v1/schedules/{made.name}/"
        return Response(ScheduleSerializer(made).data, status=status.HTTP_201_CREATED, headers={"Location": place})

    @extend_schema(responses=ScheduleSerializer)
    def retrieve(self, request: Request, name: str) -> Response:
        """Read a schedule, with its next five times and its last run."""
        return Response(ScheduleSerializer(self._found(request, name)).data)

    @extend_schema(request=ChangedSchedule, responses=ScheduleSerializer)
    def partial_update(self, request: Request, name: str) -> Response:
        """Change a schedule, which acts for the caller from now on. Other times replace those that it had."""
        schedule = self._found(request, name)
        given = ChangedSchedule(data=request.data)
        given.is_valid(raise_exception=True)
        trigger = given.trigger_after(services.trigger_of(schedule))
        changed = services.change_schedule(actor=actor_of(request), schedule=schedule, trigger=trigger, **given.rest())
        return Response(ScheduleSerializer(changed).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, name: str) -> Response:
        """Delete a schedule and its runs; the jobs that it started stay."""
        services.delete_schedule(actor=actor_of(request), schedule=self._found(request, name))
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=WhyPaused, responses=ScheduleSerializer)
    def pause(self, request: Request, name: str) -> Response:
        """Start nothing more until it is resumed; what goes on goes on."""
        schedule = self._found(request, name)
        paused = services.pause_schedule(actor=actor_of(request), schedule=schedule, **checked(WhyPaused, request))
        return Response(ScheduleSerializer(paused).data)

    @extend_schema(request=None, responses=ScheduleSerializer)
    def resume(self, request: Request, name: str) -> Response:
        """Go on, for the caller from now on. What came in between does not count."""
        schedule = self._found(request, name)
        return Response(ScheduleSerializer(services.resume_schedule(actor=actor_of(request), schedule=schedule)).data)

    @extend_schema(request=None, responses={201: RunSerializer})
    def run(self, request: Request, name: str) -> Response:
        """Start a run now, for the caller, paused or not."""
        run = services.run_schedule(actor=actor_of(request), schedule=self._found(request, name))
        return Response(RunSerializer(run).data, status=status.HTTP_201_CREATED)

    def _found(self, request: Request, name: str) -> Schedule:
        return services.find_schedule(actor_of(request).tenant, name)


class Runs(mixins.ListModelMixin, GenericViewSet):
    """What a schedule has started, the newest first."""

    summaries = {"list": "List a schedule's runs, the newest first"}
    scopes = {"GET": Scope.READ}
    serializer_class = RunSerializer
    filterset_class = RunFilter
    ordering_fields = ("created_at", "due_at", "ended_at", "state")
    queryset = Run.objects.none()

    def get_queryset(self) -> QuerySet[Any]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        schedule = services.find_schedule(actor_of(self.request).tenant, self.kwargs["name"])
        return schedule.runs.all()


ONE: dict[str, Any] = {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}
urlpatterns = either(
    [
        path("schedules/", Schedules.as_view({"get": "list", "post": "create"}), name="schedules"),
        path("schedules/<str:name>/", Schedules.as_view(ONE), name="schedule"),
        path("schedules/<str:name>/runs/", Runs.as_view({"get": "list"}), name="schedule-runs"),
        *verb("schedules/<str:name>/pause", Schedules, {"post": "pause"}, "schedule-pause"),
        *verb("schedules/<str:name>/resume", Schedules, {"post": "resume"}, "schedule-resume"),
        *verb("schedules/<str:name>/run", Schedules, {"post": "run"}, "schedule-run"),
    ]
)
app_name = "schedules"
