"""An address is the same with and without a slash at its end; nothing that is sent is lost in a redirect."""

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import get_resolver
from rest_framework.test import APIClient

from modelyard.config.description import description
from modelyard.control.registry.models import Model
from modelyard.control.tenancy.models import Tenant
from tests.integration.config.test_closed import METHODS, address, routes

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
