"""Every address of registry, schedules and deployments, called by all who may not: the list is made from the URLs."""

import json
import re
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import URLPattern
from rest_framework.test import APIClient

from modelyard.control.deployments import api as deployments
from modelyard.control.deployments.models import PlanRecord
from modelyard.control.deployments.services import activate
from modelyard.control.precomputed import api as precomputed
from modelyard.control.registry import api as registry
from modelyard.control.registry.models import Alias, Dataset, Model, Version
from modelyard.control.registry.services import declare_consumer, move_alias
from modelyard.control.rest.permissions import needed_scope
from modelyard.control.schedules import api as schedules
from modelyard.control.schedules.models import Run, Schedule
from modelyard.control.tenancy.models import ApiKey, Tenant
from modelyard.control.tenancy.services import Actor, create_key, revoke_key, system_actor
from modelyard.control.training import reproducing_api as training
from tests.integration.control import tables, versions

pytestmark = pytest.mark.django_db

ROUTES = (
    *registry.urlpatterns,
    *training.urlpatterns,
    *schedules.urlpatterns,
    *deployments.urlpatterns,
    *precomputed.urlpatterns,
)

THERE = {"name": "iris", "number": "1", "alias": "candidate", "consumer": "checkout", "ref": "flights:1"}
MISSING = {**THERE, "name": "nothing", "ref": "nothing:1"}
BODIES: dict[str, Any] = {
    "aliases/<str:alias>/": {"version": 1},
    "charter": {"charter": {"metric": "accuracy"}},
    "promote": {"version": 1},
    "deployment": {"limits": {"max_rows": 5}},
    "precomputed": {"job": "00000000-0000-0000-0000-000000000000"},
    "select": {"metric": "accuracy", "activate": True},
}


def calls() -> Iterator[tuple[str, str]]:
    """Give each route and method that names a model or a dataset."""
    for pattern in ROUTES:
        assert isinstance(pattern, URLPattern)
        route = str(pattern.pattern)
        for method in pattern.callback.actions:
            if "<" in route:
                yield route, method


ALL = sorted(calls())


def call(client: APIClient, route: str, method: str, values: dict[str, str]) -> Any:
    path = "/api/v1/" + re.sub(r"<\w+:(\w+)>", lambda found: values[found[1]], route)
    if method == "post" and route.rstrip("/").endswith("versions"):
        form = {"file": [SimpleUploadedFile("a.pkl", b"x")]}
        return client.post(path, form, format="multipart")
    body = next((body for end, body in BODIES.items() if route.rstrip("/").endswith(end.rstrip("/"))), {})
    return getattr(client, method)(path, *([] if method == "get" else [body]))


def told(answer: Any) -> Any:
    """Return an error body without what differs in each request."""
    body = json.loads(answer.content)
    body["error"].pop("request_id")
    return body


@pytest.fixture
def served(admin: Actor, model: Model) -> Version:
    version = versions.ready(admin, model)
    versions.ready(admin, model, b"2")
    move_alias(actor=admin, model=model, name="candidate", version=version)
    declare_consumer(actor=admin, model=model, name="checkout")
    activate(actor=admin, version=version)
    tables.ready(admin)
    Schedule.objects.create(tenant=admin.tenant, name="iris", kind="training", cron="0 2 * * *", acts_for="key:x")
    return version


def state() -> Any:
    return (
        list(Model.objects.values_list("name", "problem", "revision")),
        list(Version.objects.values_list("number", "state")),
        list(Alias.objects.values_list("name", "version__number")),
        PlanRecord.objects.count(),
        list(Dataset.objects.values_list("name", "number", "state")),
        list(Schedule.objects.values_list("name", "paused_at", "max_failures")),
        Run.objects.count(),
    )


def test_the_list_is_whole() -> None:
    assert len({route for route, _ in ALL}) >= 20
    assert {method for _, method in ALL} == {"get", "post", "put", "patch", "delete"}


# Each of these makes all calls in turn, against one tenant that is set up once: none may change anything.


def test_a_stranger_sees_what_is_missing(caller: Callable[..., APIClient], served: Version, stranger: Tenant) -> None:
    before = state()
    foreign = caller(stranger, "admin")
    for route, method in ALL:
        theirs, nothing = call(foreign, route, method, THERE), call(foreign, route, method, MISSING)
        assert theirs.status_code == nothing.status_code == 404, (route, method, theirs.content)
        assert told(theirs) == told(nothing), (route, method)
        assert theirs.headers.keys() == nothing.headers.keys(), (route, method)
        assert state() == before, (route, method)


def test_who_is_not_known_is_refused(tenant: Tenant, admin: Actor, served: Version) -> None:
    before = state()
    anonymous, revoked, unknown = APIClient(), APIClient(), APIClient()
    key, secret = create_key(actor=admin, name="lost", scopes=["admin"])
    revoke_key(actor=admin, key=ApiKey.objects.get(pk=key.pk))
    revoked.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    unknown.credentials(HTTP_AUTHORIZATION="Bearer yard_abcdefgh_" + "x" * 43)
    for route, method in ALL:
        for client, values in product((anonymous, revoked, unknown), (THERE, MISSING)):
            refused = call(client, route, method, values)
            assert refused.status_code == 401, (route, method, refused.content)
            assert told(refused)["error"]["code"] == "unauthenticated", (route, method)
        assert state() == before, (route, method)


def test_a_scope_that_is_too_small_is_refused(
    caller: Callable[..., APIClient], tenant: Tenant, served: Version
) -> None:
    before = state()
    reader, predictor = caller(tenant, "read"), caller(tenant, "predict")
    for route, method in ALL:
        for values in (THERE, MISSING):
            refused = call(predictor if method == "get" else reader, route, method, values)
            assert refused.status_code == 403, (route, method, refused.content)
            assert told(refused)["error"]["code"] == "forbidden", (route, method)
        assert state() == before, (route, method)


def test_each_view_says_which_scope_its_methods_need() -> None:
    for pattern in ROUTES:
        view = pattern.callback.cls()
        for method in pattern.callback.actions:
            assert needed_scope(view, method.upper()) == ("read" if method in ("get", "head") else "write")


def test_lists_hold_only_the_own(caller: Callable[..., APIClient], served: Version, stranger: Tenant) -> None:
    from modelyard.control.registry.services import create_model

    foreign = caller(stranger, "read")
    assert foreign.get("/api/v1/models/").json()["results"] == []
    create_model(actor=system_actor(stranger, "test"), name="iris")
    assert [row["versions"]["ready"] for row in foreign.get("/api/v1/models/").json()["results"]] == [0]
    assert foreign.get("/api/v1/models/iris/versions/").json()["results"] == []
    assert foreign.get("/api/v1/models/iris/versions/1/artifact").status_code == 404
