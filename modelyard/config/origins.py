"""Pages from elsewhere on the control plane's API (the CORS protocol; Fetch standard, section 3.3).

Beneath `/api/v1/` alone, and by key alone: no header here lets a cookie cross.
"""

from collections.abc import Mapping
from typing import Any

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from modelyard.config.middleware import Next
from modelyard.control.rest.errors import json_answer, translate
from modelyard.control.tenancy.services import admits
from modelyard.core import origins
from modelyard.core.errors import Forbidden

PATHS = "/api/v1/"


class Origins:
    """Answers preflights, and lets a page read an answer where its origin is allowed."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(PATHS):
            return self.get_response(request)
        origin = request.META.get("HTTP_ORIGIN")
        if origin is None:
            response = self.get_response(request)
        elif request.method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in request.META:
            response = _preflight(request, origin)
        else:
            response = self.get_response(request)
            for name, value in headers_for(request.META, request.path_info):
                response[name] = value
        patch_vary_headers(response, ["Origin"])
        return response


def headers_for(environ: Mapping[str, Any], path: str) -> list[tuple[str, str]]:
    """Return the headers that let the page read the answer to its request; none where it may not.

    A request that is known by a cookie gets none, even of the tenant's own pages elsewhere. Nor does one that the
    database cannot be asked about.
    """
    origin = environ.get("HTTP_ORIGIN")
    if origin is None or not path.startswith(PATHS):
        return []
    scheme, _, secret = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
    secret = secret.strip() if scheme.lower() == "bearer" else ""
    if not secret and environ.get("HTTP_COOKIE"):
        return []
    try:
        allowed = admits(origin, secret or None)
    except DatabaseError:
        return []
    return _text(origins.allowing(origin.encode())) if allowed else []


def headers_of_refusal(environ: Mapping[str, Any], path: str) -> list[tuple[str, str]]:
    """Return the same for what is refused before Django sees it, on whatever thread."""
    if "HTTP_ORIGIN" not in environ or not path.startswith(PATHS):
        return []
    try:
        return [*headers_for(environ, path), ("Vary", "Origin")]
    finally:
        if not connection.in_atomic_block:
            connection.close()


def _preflight(request: HttpRequest, origin: str) -> HttpResponse:
    try:
        allowed = admits(origin, None)
    except DatabaseError as error:
        return json_answer(request, translate(error))
    if not allowed:
        return json_answer(request, Forbidden(origins.NOT_ALLOWED))
    private = request.META.get("HTTP_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK") == "true"
    headers = origins.preflight(origin.encode(), origins.CONTROL_METHODS, private_network=private)
    return HttpResponse(headers=dict(_text(headers)))


def _text(headers: origins.Headers) -> list[tuple[str, str]]:
    return [(name.decode().title(), value.decode()) for name, value in headers]
