"""Pages from elsewhere on the control plane's API: who may read what (Fetch standard, section 3.3)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.test import Client
from rest_framework.test import APIClient

from modelyard.config import origins as config_origins
from modelyard.control.tenancy import services
from modelyard.control.tenancy.models import Tenant
from modelyard.control.tenancy.services import Actor
from modelyard.core.settings import MIB
from tests.integration.config import test_bounds

pytestmark = pytest.mark.django_db

APP = "https://app.example"
MODELS = "/api/v1/models/"
ASKS = {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST", "HTTP_ACCESS_CONTROL_REQUEST_HEADERS": "authorization"}


@pytest.fixture
def allowed(admin: Actor) -> str:
    services.allow_origin(actor=admin, origin=APP)
    return APP


def crossing(answer: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in answer.headers.items() if name.lower().startswith("access-control")}


def test_by_default_no_page_may_call(caller: Callable[..., APIClient], tenant: Tenant) -> None:
    answer = caller(tenant, "read").get(MODELS, HTTP_ORIGIN=APP)
    assert (answer.status_code, crossing(answer)) == (200, {})
    asked = Client().options(MODELS, HTTP_ORIGIN=APP, **ASKS)
    assert (asked.status_code, crossing(asked)) == (403, {})
    assert "modelyard tenants origins add" in asked.json()["error"]["message"]


def test_a_browser_that_asks_first_is_answered_without_a_key(allowed: str) -> None:
    answer = Client().options(MODELS, HTTP_ORIGIN=allowed, **ASKS)
    assert (answer.status_code, answer.content) == (200, b"")
    assert crossing(answer) == {
        "access-control-allow-origin": APP,
        "access-control-allow-methods": "GET, POST, PUT, PATCH, DELETE",
        "access-control-allow-headers": "authorization, content-type, if-none-match, x-request-id",
        "access-control-max-age": "600",
    }
    assert answer["Vary"] == "Origin"
    private = Client().options(MODELS, HTTP_ORIGIN=allowed, HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK="true", **ASKS)
    assert private["Access-Control-Allow-Private-Network"] == "true"


def test_the_page_reads_answers_to_the_tenants_keys(
    caller: Callable[..., APIClient], tenant: Tenant, allowed: str
) -> None:
    client = caller(tenant, "read")
    for path, status in ((MODELS, 200), (f"{MODELS}none/", 404), ("/api/v1/keys/", 403), ("/api/v1/none/", 404)):
        answer = client.get(path, HTTP_ORIGIN=allowed)
        assert (answer.status_code, crossing(answer)["access-control-allow-origin"]) == (status, APP)
        assert "x-request-id" in answer["Access-Control-Expose-Headers"]
        assert "retry-after" in answer["Access-Control-Expose-Headers"]
        assert "Origin" in answer["Vary"]
        assert "Access-Control-Allow-Credentials" not in answer.headers


def test_another_tenants_key_is_not_opened_by_it(
    caller: Callable[..., APIClient], tenant: Tenant, stranger: Tenant, allowed: str
) -> None:
    """The browser was let ask, since one tenant allows the page; what the other's key gives it may not read."""
    foreign = caller(stranger, "admin")
    for path in (MODELS, "/api/v1/keys/", f"{MODELS}none/", "/api/v1/none/"):
        answer = foreign.get(path, HTTP_ORIGIN=allowed)
        assert crossing(answer) == {}
        assert "Origin" in answer["Vary"]
    services.allow_origin(actor=services.system_actor(stranger, "test"), origin="https://theirs.example")
    assert crossing(foreign.get(MODELS, HTTP_ORIGIN="https://theirs.example"))
    assert crossing(caller(tenant, "admin").get(MODELS, HTTP_ORIGIN="https://theirs.example")) == {}


def test_who_is_not_known_reads_why(admin: Actor, allowed: str) -> None:
    key, secret = services.create_key(actor=admin, name="old", scopes=["read"])
    services.revoke_key(actor=admin, key=key)
    for header in ("", "Bearer", "Basic x", "Bearer yard_abcdefgh_" + "x" * 43, f"Bearer {secret}"):
        more = {"HTTP_AUTHORIZATION": header} if header else {}
        answer = Client().get(MODELS, HTTP_ORIGIN=allowed, **more)
        assert (answer.status_code, crossing(answer)["access-control-allow-origin"]) == (401, APP)
        assert crossing(Client().get(MODELS, HTTP_ORIGIN="https://b.example", **more)) == {}


def test_a_cookie_opens_nothing_to_a_page_elsewhere(person: User, allowed: str) -> None:
    client = Client()
    client.force_login(person)
    answer = client.get(MODELS, HTTP_ORIGIN=allowed)
    assert (answer.status_code, crossing(answer)) == (200, {})
    assert client.post(MODELS, {"name": "iris"}, "application/json", HTTP_ORIGIN=allowed).status_code in (201, 403)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(person)
    refused = strict.post(MODELS, {"name": "other"}, "application/json", HTTP_ORIGIN=allowed)
    assert (refused.status_code, crossing(refused)) == (403, {})


@pytest.mark.parametrize(
    "origin",
    ["null", "*", "", " ", "HTTPS://APP.EXAMPLE", f"{APP}/", f"{APP}:443", f"{APP}, {APP}", f"{APP},https://b.example",
     f"{APP}.evil.example", f"{APP}:8443", "http://app.example", "https://xapp.example", "https://\u00fc.example",
     f"{APP}\0", "x" * 60_000, f"{APP}\r\nx: y"],
)  # fmt: skip
def test_only_the_very_origin_will_do(
    caller: Callable[..., APIClient], tenant: Tenant, allowed: str, origin: str
) -> None:
    asked = Client().options(MODELS, HTTP_ORIGIN=origin, **ASKS)
    assert (asked.status_code, crossing(asked)) == (403, {})
    answer = caller(tenant, "read").get(MODELS, HTTP_ORIGIN=origin)
    assert (answer.status_code, crossing(answer)) == (200, {})


@pytest.mark.parametrize("path", ["/", "/t/yard/", "/sign-in/", "/account/", "/api/schema/", "/api/docs/", "/api/v2/"])
def test_pages_and_all_else_stay_shut(path: str, allowed: str) -> None:
    assert crossing(Client().get(path, HTTP_ORIGIN=allowed)) == {}
    asked = Client().options(path, HTTP_ORIGIN=allowed, **ASKS)
    assert crossing(asked) == {}


def test_answers_of_the_api_say_that_they_vary(caller: Callable[..., APIClient], tenant: Tenant) -> None:
    """A cache that kept the answer without the header would give it to the page (Fetch standard, section 3.3.5)."""
    assert "Origin" in caller(tenant, "read").get(MODELS)["Vary"]
    assert "Origin" not in Client().get("/sign-in/").get("Vary", "")


def test_a_removed_origin_is_shut_at_once(caller: Callable[..., APIClient], tenant: Tenant, admin: Actor) -> None:
    kept = services.allow_origin(actor=admin, origin=APP)
    client = caller(tenant, "read")
    assert crossing(client.get(MODELS, HTTP_ORIGIN=APP))
    services.remove_origin(actor=admin, allowed=kept)
    assert crossing(client.get(MODELS, HTTP_ORIGIN=APP)) == {}


def test_a_database_that_is_gone_opens_nothing(allowed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: Any) -> bool:
        raise DatabaseError

    monkeypatch.setattr(config_origins, "admits", gone)
    assert crossing(Client().get(MODELS, HTTP_ORIGIN=APP)) == {}
    asked = Client().options(MODELS, HTTP_ORIGIN=APP, **ASKS)
    assert (asked.status_code, crossing(asked)) == (500, {})


@pytest.mark.django_db(transaction=True)
def test_what_is_refused_before_django_is_read_too(tenant: Tenant, admin: Actor) -> None:
    services.allow_origin(actor=admin, origin=APP)
    heads: list[dict[bytes, bytes]] = []

    async def ask(origin: str) -> None:
        from django.core.asgi import get_asgi_application

        from modelyard.config.bounds import AsgiBound

        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
            "path": "/api/v1/keys/", "raw_path": b"/api/v1/keys/", "query_string": b"", "root_path": "",
            "headers": [(b"host", b"localhost"), (b"origin", origin.encode()), *test_bounds.headers_of(8 * MIB)],
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
        }  # fmt: skip

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b" " * 8 * MIB, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                assert message["status"] == 413
                heads.append(dict(message["headers"]))

        await AsgiBound(get_asgi_application())(scope, receive, send)

    for origin in (APP, "https://b.example"):
        asyncio.run(ask(origin))
    assert heads[0][b"access-control-allow-origin"] == APP.encode()
    assert b"access-control-allow-origin" not in heads[1]
    assert heads[0][b"vary"] == heads[1][b"vary"] == b"Origin"


@pytest.mark.django_db(transaction=True)
def test_what_is_refused_before_django_is_read_too_under_wsgi(tenant: Tenant, admin: Actor) -> None:
    import io

    from django.core.wsgi import get_wsgi_application

    from modelyard.config.bounds import WsgiBound

    services.allow_origin(actor=admin, origin=APP)
    heads: list[dict[str, str]] = []
    for origin in (APP, "https://b.example"):
        environ = {
            "REQUEST_METHOD": "POST", "PATH_INFO": "/api/v1/keys/", "CONTENT_LENGTH": str(8 * MIB),
            "HTTP_ORIGIN": origin, "wsgi.input": io.BytesIO(b""), "SERVER_NAME": "localhost", "SERVER_PORT": "80",
        }  # fmt: skip
        list(WsgiBound(get_wsgi_application())(environ, lambda status, headers: heads.append(dict(headers))))
    assert heads[0]["Access-Control-Allow-Origin"] == APP
    assert "Access-Control-Allow-Origin" not in heads[1]
