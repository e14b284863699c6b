"""Every address of the API that names a thing, called by all who may not: the list is made from the URLs."""

import json
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import product
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import URLPattern
from rest_framework.test import APIClient

from modelyard.config.urls import API
from modelyard.control.deployments.models import PlanRecord
from modelyard.control.deployments.services import activate
from modelyard.control.jobs.models import Job
from modelyard.control.registry.models import Alias, Dataset, Model, Version
from modelyard.control.registry.services import declare_consumer, move_alias
from modelyard.control.rest.permissions import needed_scope
from modelyard.control.schedules.models import Run, Schedule
from modelyard.control.tenancy.models import AllowedOrigin, ApiKey, AuditEntry, Member, Tenant
from modelyard.control.tenancy.services import Actor, allow_origin, create_key, revoke_key, system_actor
from tests.integration.control import tables, versions

pytestmark = pytest.mark.django_db

ROUTES = tuple(entry for app in API for entry in import_module(f"modelyard.control.{app}.api").urlpatterns)
NOBODYS = "trainers/"
"""What is beneath it is no tenant's."""

NAMED = {"name": "iris", "number": "1", "alias": "candidate", "consumer": "checkout", "ref": "flights:1"}
MISSING = {
    **NAMED,
    "name": "nothing",
    "ref": "nothing:1",
    "tenants": "nothing",
    "members": "987654",
    "keys": "987654",
    "origins": "987654",
    "audit": "987654",
    "jobs": "00000000-0000-0000-0000-000000000000",
}
LATER = ("/result", "/failed", "/precomputed/<int:number>", "/training")
"""Of this the tenant has nothing here: it comes of trainings and scorings."""
ADMINISTERED = ("keys", "audit")
"""Even to read them takes the scope `admin`."""
TENANCY = (*ADMINISTERED, "tenants", "members", "origins")
OPERATED = (("tenants", "post"), ("tenants/<str:name>", "delete"))
"""Even an administrator's key is refused: this takes the scope `operator`."""
BODIES: dict[str, Any] = {
    "aliases/<str:alias>/": {"version": 1},
    "charter": {"charter": {"metric": "accuracy"}},
    "promote": {"version": 1},
    "deployment": {"limits": {"max_rows": 5}},
    "precomputed": {"job": "00000000-0000-0000-0000-000000000000"},
    "select": {"metric": "accuracy", "activate": True},
    "score": {"model": "iris:1"},
    "members/<int:pk>/": {"role": "viewer"},
    "tenants/<str:name>/": {"title": "Mine"},
}


def calls() -> Iterator[tuple[str, str]]:
    """Give each route and method that names a thing of a tenant's."""
    for pattern in ROUTES:
        assert isinstance(pattern, URLPattern)
        route = str(pattern.pattern)
        for method in pattern.callback.actions:
            if "<" in route and not route.startswith(NOBODYS):
                yield route, method


ALL = sorted(calls())


def call(client: APIClient, route: str, method: str, values: dict[str, str]) -> Any:
    """Call the route, with `values` by the first word of the route or by the parameter's name."""
    noun = route.partition("/")[0]
    path = "/api/v1/" + re.sub(r"<\w+:(\w+)>", lambda found: values.get(noun, values.get(found[1], "")), route)
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


@pytest.fixture
def there(served: Version, admin: Actor, person: User) -> dict[str, str]:
    """What is the tenant's: one of each kind, by the first word of its addresses or by the parameter's name."""
    key, _ = create_key(actor=admin, name="ci", scopes=["read"])
    numbers = {
        "members": Member.objects.of(admin.tenant).get().pk,
        "keys": key.pk,
        "origins": allow_origin(actor=admin, origin="https://app.example").pk,
        "audit": AuditEntry.objects.of(admin.tenant).count(),
        "jobs": served.job_id,
    }
    return {**NAMED, "tenants": admin.tenant.name, **{noun: str(number) for noun, number in numbers.items()}}


def state() -> Any:
    return (
        list(Model.objects.values_list("name", "problem", "revision")),
        list(Version.objects.values_list("number", "state")),
        list(Alias.objects.values_list("name", "version__number")),
        PlanRecord.objects.count(),
        list(Dataset.objects.values_list("name", "number", "state")),
        list(Schedule.objects.values_list("name", "paused_at", "max_failures")),
        Run.objects.count(),
        list(Tenant.objects.values_list("name", "title")),
        list(Member.objects.values_list("user__username", "role")),
        list(ApiKey.objects.values_list("name", "revoked_at")),
        AllowedOrigin.objects.count(),
        list(Job.objects.values_list("kind", "state", "cancel_asked_at")),
    )


def test_the_list_is_whole() -> None:
    assert {route.partition("/")[0] for route, _ in ALL} == {*MISSING, "models", "datasets", "schedules"} - {*NAMED}
    assert {method for _, method in ALL} == {"get", "post", "put", "patch", "delete"}


# Each of these makes all calls in turn, against one tenant that is set up once: none may change anything.


def test_a_stranger_sees_what_is_missing(
    caller: Callable[..., APIClient], there: dict[str, str], stranger: Tenant
) -> None:
    foreign = caller(stranger, "admin")
    before = state()
    for route, method in ALL:
        theirs, nothing = call(foreign, route, method, there), call(foreign, route, method, MISSING)
        expected = 403 if (route.rstrip("/"), method) in OPERATED else 404
        assert theirs.status_code == nothing.status_code == expected, (route, method, theirs.content)
        assert told(theirs) == told(nothing), (route, method)
        assert theirs.headers.keys() == nothing.headers.keys(), (route, method)
        assert state() == before, (route, method)


def test_the_operator_opens_nothing_of_a_tenant_but_the_tenant(operator: APIClient, there: dict[str, str]) -> None:
    """Its key reads tenants, makes and deletes them; of what they own it sees what a stranger does."""
    before = state()
    for route, method in ALL:
        theirs, nothing = call(operator, route, method, there), call(operator, route, method, MISSING)
        if route.startswith("tenants/") and method in ("get", "delete"):
            assert (theirs.status_code, nothing.status_code) == (200 if method == "get" else 409, 404), method
        else:
            assert theirs.status_code == nothing.status_code, (route, method, theirs.content)
            assert theirs.status_code in (403, 404), (route, method, theirs.content)
            assert told(theirs) == told(nothing), (route, method)
        assert state() == before, (route, method)


def test_the_tenant_itself_finds_what_a_stranger_does_not(
    caller: Callable[..., APIClient], tenant: Tenant, there: dict[str, str]
) -> None:
    own = caller(tenant, "admin")
    reads = [route for route, method in ALL if method == "get" and not route.rstrip("/").endswith(LATER)]
    assert len(reads) > 40
    for route in reads:
        assert call(own, route, "get", there).status_code in (200, 400), route


def test_who_is_not_known_is_refused(tenant: Tenant, admin: Actor, there: dict[str, str]) -> None:
    anonymous, revoked, unknown = APIClient(), APIClient(), APIClient()
    key, secret = create_key(actor=admin, name="lost", scopes=["admin"])
    revoke_key(actor=admin, key=ApiKey.objects.get(pk=key.pk))
    revoked.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    unknown.credentials(HTTP_AUTHORIZATION="Bearer yard_abcdefgh_" + "x" * 43)
    before = state()
    for route, method in ALL:
        for client, values in product((anonymous, revoked, unknown), (there, MISSING)):
            refused = call(client, route, method, values)
            assert refused.status_code == 401, (route, method, refused.content)
            assert told(refused)["error"]["code"] == "unauthenticated", (route, method)
        assert state() == before, (route, method)


def test_a_scope_that_is_too_small_is_refused(
    caller: Callable[..., APIClient], tenant: Tenant, there: dict[str, str]
) -> None:
    reader, predictor = caller(tenant, "read"), caller(tenant, "predict")
    before = state()
    for route, method in ALL:
        for values in (there, MISSING):
            refused = call(predictor if method == "get" else reader, route, method, values)
            assert refused.status_code == 403, (route, method, refused.content)
            assert told(refused)["error"]["code"] == "forbidden", (route, method)
        assert state() == before, (route, method)


def test_each_view_says_which_scope_its_methods_need() -> None:
    for pattern in ROUTES:
        view, route = pattern.callback.cls(), str(pattern.pattern)
        reading = "admin" if route.startswith(ADMINISTERED) else "read"
        writing = "admin" if route.startswith(TENANCY) else "write"
        for method in pattern.callback.actions:
            needed = (
                "operator"
                if (route.rstrip("/"), method) in OPERATED
                else reading
                if method in ("get", "head")
                else writing
            )
            assert needed_scope(view, method.upper()) == needed, route


def test_lists_hold_only_the_own(caller: Callable[..., APIClient], served: Version, stranger: Tenant) -> None:
    from modelyard.control.registry.services import create_model

    foreign = caller(stranger, "read")
    assert foreign.get("/api/v1/models/").json()["results"] == []
    create_model(actor=system_actor(stranger, "test"), name="iris")
    assert [row["versions"]["ready"] for row in foreign.get("/api/v1/models/").json()["results"]] == [0]
    assert foreign.get("/api/v1/models/iris/versions/").json()["results"] == []
    assert foreign.get("/api/v1/models/iris/versions/1/artifact").status_code == 404
