"""An address is the same with and without a slash at its end; nothing that is sent is lost in a redirect."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import get_resolver
from rest_framework.test import APIClient

from modelyard.config.description import description
from modelyard.control.registry.models import Model
from modelyard.control.registry.services import create_model
from modelyard.control.tenancy.models import Tenant
from modelyard.control.tenancy.services import Actor
from tests.integration.config.test_closed import METHODS, address, routes
from tests.integration.control import tables, versions

pytestmark = pytest.mark.django_db

API = sorted({route.rstrip("/") for route, _ in routes(get_resolver()) if route.startswith("api/v1/")})
WRITING = [method for method in METHODS if method not in ("get", "head")]


def test_both_ends_of_an_address_answer_alike(caller: Callable[..., APIClient], tenant: Tenant) -> None:
    client = caller(tenant, "predict")
    assert len(API) > 20
    for route in API:
        for method in METHODS:
            bare, whole = (client.generic(method.upper(), address(route) + end) for end in ("", "/"))
            assert bare.status_code == whole.status_code, f"{method} {route}"
            assert bare.status_code in (403, 405), f"{method} {route}"
            assert bare.headers.keys() == whole.headers.keys()


def test_what_is_posted_without_the_slash_arrives(caller: Callable[..., APIClient], tenant: Tenant) -> None:
    client = caller(tenant, "write")
    made = client.post("/api/v1/models", {"name": "iris"}, format="json")
    assert (made.status_code, made.json()["name"]) == (201, "iris")
    changed = client.patch("/api/v1/models/iris", {"problem": "which kind"}, format="json")
    assert (changed.status_code, changed.json()["problem"]) == (200, "which kind")
    assert client.get("/api/v1/models").json()["count"] == 1
    assert client.delete("/api/v1/models/iris").status_code == 204
    assert not Model.objects.exists()


def test_a_body_that_is_no_object_is_refused_in_our_words(
    caller: Callable[..., APIClient], tenant: Tenant, admin: Actor, operator: APIClient
) -> None:
    versions.ready(admin, create_model(actor=admin, name="iris"))
    tables.ready(admin, name="iris")
    own, asked, hidden = caller(tenant, "admin"), 0, set()
    for path, methods in description()["paths"].items():
        for method, operation in methods.items():
            if "application/json" not in operation.get("requestBody", {}).get("content", ()):
                continue
            places = [one for one in operation.get("parameters", ()) if one["in"] == "path"]
            filled = path.format(
                **{one["name"]: 1 if one["schema"].get("type") == "integer" else "iris" for one in places}
            )
            client = operator if path == "/api/v1/tenants/" else own
            for body, got in (("[]", "a list"), ("5", "5 (number)"), ("null", "null")):
                answer = client.generic(method.upper(), filled, body, content_type="application/json")
                asked += 1
                if answer.status_code == 404:
                    hidden.add(path.removeprefix("/api/v1/"))
                else:
                    assert answer.status_code == 400, (method, path)
                    assert answer.json()["error"]["message"] == f"the body: got {got}, expected an object", path
    assert hidden == {"members/{id}/", "schedules/{name}/", "schedules/{name}/pause", "tenants/{name}/"}
    assert asked > 60


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/schema", "/api/docs", "/sign-in", "/t/acme/new", "/account"])
def test_only_who_reads_is_sent_on(path: str) -> None:
    for method in WRITING:
        assert Client().generic(method.upper(), path).status_code == 404, method


def test_who_reads_is_sent_on() -> None:
    assert Client().get("/sign-in?next=/").headers["Location"] == "/sign-in/?next=/"


def test_one_of_the_two_is_listed() -> None:
    listed = list(description()["paths"])
    assert len({path.rstrip("/") for path in listed}) == len(listed)
    assert {path.strip("/").split("/")[2] for path in listed} >= {"models", "keys", "members", "jobs", "audit"}
    assert "/api/v1/models/" in listed
