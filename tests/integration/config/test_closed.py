"""Deny by default: every address and method, asked by nobody, is shut, but for one list."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, path
from rest_framework.response import Response
from rest_framework.views import APIView

from modelyard.control.rest.permissions import Anonymous, needed_scope
from modelyard.control.tenancy import services

METHODS = ("get", "head", "post", "put", "patch", "delete", "options", "trace")

OPEN = {
    "health/live": "health",
    "health/ready": "health",
    "api/schema/": "the API description",
    "api/docs/": "the API description",
    "sign-in/": "sign-in",
}
"""All that anybody may see. An address that is added here is a decision."""

PREFLIGHT = "api/v1/"
"""Beneath it a browser may ask, with OPTIONS and without a key, whether any tenant allows its page's origin. It learns
that, and nothing of the address."""

EXAMPLES = {
    "int": "1",
    "str": "iris",
    "slug": "iris",
    "uuid": "6d1d1c40-0000-4000-8000-000000000000",
    "path": "a/b",
}


def routes(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    for entry in resolver.url_patterns:
        text = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from routes(entry, text)
        else:
            yield text, entry


def address(route: str) -> str:
    """Fill the route's converters with values that fit."""
    filled = route
    while "<" in filled:
        before, _, rest = filled.partition("<")
        inner, _, after = rest.partition(">")
        kind = inner.partition(":")[0] if ":" in inner else "str"
        filled = before + EXAMPLES.get(kind, "iris") + after
    return "/" + filled


def shut(client: Client, route: str) -> list[str]:
    """Return the methods by which nobody gets through to the view."""
    passed = []
    for method in METHODS:
        answer = getattr(client, method)(address(route))
        sent_to_sign_in = answer.status_code == 302 and "/sign-in/" in answer.get("Location", "")
        if answer.status_code not in (401, 403) and not sent_to_sign_in:
            passed.append(f"{method} {answer.status_code}")
    return passed


@pytest.mark.django_db
def test_every_route_is_shut_to_nobody() -> None:
    client, found = Client(), {}
    all_routes = list(routes(get_resolver()))
    assert len(all_routes) > 12
    for route, _ in all_routes:
        if route not in OPEN:
            passed = [told for told in shut(client, route) if not told.endswith(" 405")]
            if passed:
                found[route] = passed
    assert found == {}


@pytest.mark.django_db
def test_every_view_of_the_api_says_its_scopes() -> None:
    for route, pattern in routes(get_resolver()):
        view: Any = getattr(pattern.callback, "cls", None)
        if view is None or not route.startswith("api/v1/"):
            continue
        actions = getattr(pattern.callback, "actions", None) or {
            method: None for method in view.http_method_names if hasattr(view, method)
        }
        for method, action in actions.items():
            if method in view.http_method_names and method not in ("head", "options"):
                probe = type("Probe", (), {"scopes": getattr(view, "scopes", {}), "action": action})
                assert needed_scope(probe, method.upper()), f"{method} {route} does not say which scope it needs"


@pytest.mark.django_db
def test_the_open_list_is_what_answers() -> None:
    client = Client()
    for route in ("health/live", "health/ready", "api/schema/", "api/docs/"):
        assert client.get("/" + route).status_code == 200


@pytest.mark.django_db
def test_who_asks_for_an_allowed_page_learns_the_same_everywhere_and_nothing_elsewhere(admin: Any) -> None:
    services.allow_origin(actor=admin, origin="https://app.example")
    client = Client()
    asks = {"HTTP_ORIGIN": "https://app.example", "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "GET"}
    beneath: list[dict[str, str]] = []
    for route, _ in [*routes(get_resolver()), (f"{PREFLIGHT}nothing/there/", None)]:
        answer = client.options(address(route), **asks)
        told = {name: value for name, value in answer.headers.items() if name != "X-Request-ID"}
        if route.startswith(PREFLIGHT):
            assert (answer.status_code, answer.content) == (200, b""), route
            beneath.append(told)
        else:
            assert not any(name.startswith("Access-Control") for name in told), route
        refused = client.options(address(route), **{**asks, "HTTP_ORIGIN": "https://b.example"})
        assert route in OPEN or refused.status_code in (302, 401, 403, 405), route
    assert len(beneath) > 20
    assert all(told == beneath[0] for told in beneath)


@pytest.mark.django_db
def test_an_allowed_page_without_a_key_is_shut_out_like_everybody(admin: Any) -> None:
    services.allow_origin(actor=admin, origin="https://app.example")
    client = Client(HTTP_ORIGIN="https://app.example")
    found = {route: shut(client, route) for route, _ in routes(get_resolver()) if route not in OPEN}
    assert {route: told for route, told in found.items() if [one for one in told if not one.endswith(" 405")]} == {}


@pytest.mark.django_db
def test_a_method_that_is_not_taken_is_told_with_those_that_are(tenant: Any, caller: Any) -> None:
    """OPTIONS too, which the framework would answer by itself: what an address takes, its description tells."""
    admin = caller(tenant, "admin")
    for route, pattern in routes(get_resolver()):
        if route.startswith("api/v1/"):
            answer = admin.options(address(route))
            taken = {method.upper() for method in pattern.callback.actions} - {"HEAD"}
            assert answer.status_code == 405, route
            said = answer.json()["error"]["message"].removeprefix("OPTIONS is not taken here: expected ")
            assert set(said.split(" or ")) == taken, route


class Forgotten(APIView):
    """A view whose author said nothing about who may use it."""

    def get(self, request: Any) -> Response:
        return Response({"secret": 1})


class Opened(Forgotten):
    permission_classes = [Anonymous]


urlpatterns = [path("api/v1/forgotten/", Forgotten.as_view()), path("api/v1/opened/", Opened.as_view())]


@pytest.mark.django_db
@pytest.mark.urls("tests.integration.config.test_closed")
def test_a_new_view_without_scopes_is_shut_to_everybody(tenant: Any, caller: Any) -> None:
    assert Client().get("/api/v1/forgotten/").status_code == 401
    assert caller(tenant, "admin").get("/api/v1/forgotten/").status_code == 403


@pytest.mark.django_db
@pytest.mark.urls("tests.integration.config.test_closed")
def test_the_walk_finds_a_new_open_view() -> None:
    assert shut(Client(), "api/v1/forgotten/") == []
    assert "get 200" in shut(Client(), "api/v1/opened/")
