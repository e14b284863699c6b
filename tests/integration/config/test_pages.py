from collections.abc import Callable

import pytest
from django.http import HttpRequest
from django.test import Client
from rest_framework.test import APIClient

from modelyard.config import pages
from modelyard.config.middleware import POLICY
from modelyard.control.tenancy.models import Tenant

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/api/nothing", "/api/v1/", "/api/v1/nothing/", "/health/", "/predict/iris", "/v2/x"])
def test_programs_get_json_where_nothing_is(path: str) -> None:
    answer = Client().get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"
    assert answer.json()["error"]["request_id"] == answer["X-Request-ID"]


def test_people_get_a_page_where_nothing_is() -> None:
    answer = Client().get("/nothing-here")
    assert answer.status_code in (302, 404)
    assert "json" not in answer.get("Content-Type", "")


@pytest.mark.parametrize(
    "path", ["/health/live", "/api/nothing", "/nothing", "/api/docs/", "/api/schema/", "/sign-in/"]
)
def test_every_answer_has_the_strict_headers(path: str) -> None:
    answer = Client().get(path)
    assert answer["Content-Security-Policy"] == POLICY
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] == "same-origin"


def test_a_foreign_host_is_refused() -> None:
    answer = Client().get("/api/v1/keys/", HTTP_HOST="evil.example")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_input"
    assert "evil" not in answer.content.decode()


def test_a_fault_of_ours_shows_nothing(
    caller: Callable[..., APIClient], tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret in /home/somebody")

    monkeypatch.setattr("modelyard.control.tenancy.api.Keys.get_queryset", broken)
    client = caller(tenant, "admin")
    answer = client.get("/api/v1/keys/")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"
    assert "secret" not in answer.content.decode()
    assert "Traceback" not in answer.content.decode()


def test_a_fault_outside_of_views_shows_nothing() -> None:
    request = HttpRequest()
    request.path_info = "/api/v1/x"
    assert pages.server_error(request).status_code == 500
    assert b"internal" in pages.server_error(request).content


@pytest.mark.parametrize(
    ("kwargs", "status"),
    [
        ({"data": b"{", "content_type": "application/json"}, 400),
        ({"data": b"[1]", "content_type": "application/json"}, 400),
        ({"data": b"NaN", "content_type": "application/json"}, 400),
        ({"data": b"\xff\xfe", "content_type": "application/json"}, 400),
        ({"data": b"", "content_type": "application/json"}, 400),
        ({"data": b"[" * 100_000, "content_type": "application/json"}, 400),
        ({"data": b"x", "content_type": "application/python-pickle"}, 415),
        ({"data": b"x", "content_type": "text/plain"}, 415),
        ({"data": b"x", "content_type": "multipart/form-data"}, 415),
        ({"data": b"{}", "content_type": "application/json", "HTTP_ACCEPT": "text/csv"}, 406),
    ],
)
def test_odd_bodies_are_refused(caller: Callable[..., APIClient], tenant: Tenant, kwargs: dict, status: int) -> None:
    client = caller(tenant, "admin")
    answer = client.generic("POST", "/api/v1/keys/", **kwargs)
    assert answer.status_code == status
    assert answer.json()["error"]["code"]


def test_the_api_description_is_whole_and_open() -> None:
    body = Client().get("/api/schema/").json()
    assert body["openapi"].startswith("3.1")
    assert "key" in body["components"]["securitySchemes"]
    made = body["paths"]["/api/v1/keys/"]["post"]
    assert "Scope: `admin`" in made["description"]
    assert "401" in made["responses"]
    page = Client().get("/api/docs/").content.decode()
    assert "<script>" not in page
