"""Every address of registry and deployments, called by everybody who may not: the list is made from the URLs."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import URLPattern
from rest_framework.test import APIClient

from modelyard.control.deployments import api as deployments
from modelyard.control.deployments.models import PlanRecord
from modelyard.control.deployments.services import activate
from modelyard.control.registry import api as registry
from modelyard.control.registry.models import Alias, Model, Version
from modelyard.control.registry.services import declare_consumer, move_alias
from modelyard.control.rest.permissions import needed_scope
from modelyard.control.tenancy.models import ApiKey, Tenant
from modelyard.control.tenancy.services import Actor, create_key, revoke_key, system_actor
from tests.integration.control import versions

pytestmark = pytest.mark.django_db

THERE = {"name": "iris", "number": "1", "alias": "candidate", "consumer": "checkout"}
MISSING = {"name": "nothing", "number": "1", "alias": "candidate", "consumer": "checkout"}
BODIES: dict[str, Any] = {
    "aliases/<str:alias>/": {"version": 1},
    "charter": {"charter": {"metric": "accuracy"}},
    "promote": {"version": 1},
    "deployment": {"limits": {"max_rows": 5}},
    "select": {"metric": "accuracy", "activate": True},
}


def calls() -> Iterator[tuple[str, str]]:
    """Give each route and method that names a model."""
    for pattern in (*registry.urlpatterns, *deployments.urlpatterns):
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
    return version


def state() -> Any:
    return (
        list(Model.objects.values_list("name", "problem", "revision")),
        list(Version.objects.values_list("number", "state")),
        list(Alias.objects.values_list("name", "version__number")),
        PlanRecord.objects.count(),
    )


def test_the_list_is_whole() -> None:
    assert len({route for route, _ in ALL}) >= 20
    assert {method for _, method in ALL} == {"get", "post", "put", "patch", "delete"}


@pytest.mark.parametrize(("route", "method"), ALL)
def test_a_stranger_sees_what_is_missing(
    caller: Callable[..., APIClient], served: Version, stranger: Tenant, route: str, method: str
) -> None:
    before = state()
    foreign = caller(stranger, "admin")
    theirs, nothing = call(foreign, route, method, THERE), call(foreign, route, method, MISSING)
    assert theirs.status_code == nothing.status_code == 404, theirs.content
    assert told(theirs) == told(nothing)
    assert theirs.headers.keys() == nothing.headers.keys()
    assert state() == before


@pytest.mark.parametrize(("route", "method"), ALL)
def test_who_is_not_known_is_refused(tenant: Tenant, admin: Actor, served: Version, route: str, method: str) -> None:
    before = state()
    anonymous, revoked, unknown = APIClient(), APIClient(), APIClient()
    key, secret = create_key(actor=admin, name="lost", scopes=["admin"])
    revoke_key(actor=admin, key=ApiKey.objects.get(pk=key.pk))
    revoked.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    unknown.credentials(HTTP_AUTHORIZATION="Bearer yard_abcdefgh_" + "x" * 43)
    for client in (anonymous, revoked, unknown):
        for values in (THERE, MISSING):
            refused = call(client, route, method, values)
            assert refused.status_code == 401, refused.content
            assert told(refused)["error"]["code"] == "unauthenticated"
    assert state() == before


@pytest.mark.parametrize(("route", "method"), ALL)
def test_a_scope_that_is_too_small_is_refused(
    caller: Callable[..., APIClient], tenant: Tenant, served: Version, route: str, method: str
) -> None:
    before = state()
    low = caller(tenant, "predict" if method == "get" else "read")
    for values in (THERE, MISSING):
        refused = call(low, route, method, values)
        assert refused.status_code == 403, refused.content
        assert told(refused)["error"]["code"] == "forbidden"
    assert state() == before


def test_each_view_says_which_scope_its_methods_need() -> None:
    for pattern in (*registry.urlpatterns, *deployments.urlpatterns):
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
