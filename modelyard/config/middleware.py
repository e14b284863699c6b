"""What every answer of the control plane carries: a request id, a strict policy, static files by whitenoise."""

import re
import uuid
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.middleware.common import CommonMiddleware
from whitenoise.middleware import WhiteNoiseMiddleware

Next = Callable[[HttpRequest], HttpResponseBase]

GIVEN = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def request_id(given: str | None) -> str:
    """Return the caller's id for the request where it is a plain word, else a new one."""
    return given if given and GIVEN.match(given) else uuid.uuid4().hex


class RequestId:
    """Names each request in its answer, its errors and its log lines."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        name = request_id(request.META.get("HTTP_X_REQUEST_ID"))
        request.META["HTTP_X_REQUEST_ID"] = name
        request.request_id = name  # type: ignore[attr-defined]
        response = self.get_response(request)
        response["X-Request-ID"] = name
        return response


class SecureHeaders:
    """Adds what Django's own middleware does not: no inline code, no foreign origin, no framing."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response


class Slashes(CommonMiddleware):
    """Leads who only reads to the address with the slash: whatever else is redirected loses its body and its method."""

    def should_redirect_with_slash(self, request: HttpRequest) -> bool:
        return request.method in ("GET", "HEAD") and super().should_redirect_with_slash(request)


class Static(WhiteNoiseMiddleware):  # type: ignore[misc]  # it comes without types
    """Answers static files whole: a file that streams would be read synchronously on the event loop."""

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponse:
        found = static_file.get_response(request.method, request.META)
        content = b""
        if found.file is not None:
            with found.file:
                content = found.file.read()
        response = HttpResponse(content, status=int(found.status))
        del response["Content-Type"]
        for name, value in found.headers:
            response[name] = value
        return response
