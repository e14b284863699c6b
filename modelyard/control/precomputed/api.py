"""`/api/v1/models/{name}/precomputed/`: answers stored by entity, which `GET /precomputed/{model}/{entity}` tells."""

from typing import Any

from django.db.models import QuerySet
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from modelyard.control.jobs.models import Job
from modelyard.control.jobs.serializers import JobDetailSerializer
from modelyard.control.precomputed import services
from modelyard.control.precomputed.models import Precomputation
from modelyard.control.precomputed.serializers import AskedPrecomputation, PrecomputationSerializer
from modelyard.control.registry.despite import DESPITE, despite_consumers
from modelyard.control.registry.finding import find_model
from modelyard.control.rest import actor_of
from modelyard.control.rest.addresses import either, verb
from modelyard.control.rest.given import checked
from modelyard.control.rest.public import root
from modelyard.control.tenancy.models import Scope, Tenant
from modelyard.core.errors import InvalidInput, NotFound


class Precomputations(mixins.ListModelMixin, GenericViewSet):
    """Answers stored by entity."""

    summaries = {"list": "List what stored answers a model had, newest first"}
    scopes = {"GET": Scope.READ, "POST": Scope.WRITE, "DELETE": Scope.WRITE}
    serializer_class = PrecomputationSerializer
    asks = {"destroy": (DESPITE.name,)}
    ordering_fields = ("number",)
    queryset = Precomputation.objects.none()

    def get_queryset(self) -> QuerySet[Any]:
        model = find_model(actor_of(self.request).tenant, self.kwargs["name"])
        return Precomputation.objects.with_facts().filter(model=model)

    @extend_schema(request=AskedPrecomputation, responses={201: JobDetailSerializer})
    def create(self, request: Request, name: str) -> Response:
        """Store the answers of a scoring by entity, and tell them from then on.

        The answer is the job that does it. Until it has succeeded, what was told before is.
        """
        actor = actor_of(request)
        model = find_model(actor.tenant, name)
        scoring = _scoring(actor.tenant, checked(AskedPrecomputation, request)["job"])
        job = services.precompute(actor=actor, model=model, scoring=scoring)
        shown = JobDetailSerializer(job, context={"request": request}).data
        place = f"{root()}api/v1/jobs/{job.pk}/"
        return Response(shown, status=status.HTTP_201_CREATED, headers={"Location": place})

    def retrieve(self, request: Request, name: str, number: int) -> Response:
        """Read what a file of stored answers was made of."""
        row = self.get_queryset().filter(number=number).first()
        if row is None:
            raise NotFound("there are no stored answers by this number, or none that you may see")
        return Response(PrecomputationSerializer(row).data)

    @extend_schema(request=None, responses=PrecomputationSerializer)
    def activate(self, request: Request, name: str, number: int) -> Response:
        """Tell answers from a former file again. The answer says how to undo that."""
        actor = actor_of(request)
        model = find_model(actor.tenant, name)
        before = services.current_of(model)
        row = services.activate(actor=actor, model=model, number=number)
        undo = services.undo_of(name, before.number if before else None)
        return Response({**PrecomputationSerializer(row).data, "undo": undo})

    @extend_schema(responses={204: None}, parameters=[DESPITE])
    def destroy(self, request: Request, name: str) -> Response:
        """Tell no stored answers any more. A former file can be activated again while it is kept."""
        actor, despite = actor_of(request), despite_consumers(request)
        services.withdraw(actor=actor, model=find_model(actor.tenant, name), despite_consumers=despite)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _scoring(tenant: Tenant, key: Any) -> Job:
    found: Job | None = Job.objects.of(tenant).select_related("tenant").filter(pk=key).first()
    if found is None:
        raise InvalidInput.at("job", f"there is no job {key}, or none that you may see: expected that of a scoring")
    return found


_ALL = "models/<str:name>/precomputed"
urlpatterns = either(
    [
        path(
            f"{_ALL}/",
            Precomputations.as_view({"get": "list", "post": "create", "delete": "destroy"}),
            name="precomputations",
        ),
        path(f"{_ALL}/<int:number>/", Precomputations.as_view({"get": "retrieve"}), name="precomputation"),
        *verb(f"{_ALL}/<int:number>/activate", Precomputations, {"post": "activate"}, "precomputation-activate"),
    ]
)
app_name = "precomputed"
