"""The WSGI door (PEP 3333): for gunicorn's threads and whatever else speaks it."""

import threading
from collections.abc import Callable, Iterable, MutableMapping
from http import HTTPStatus
from typing import Any

from modelyard.core.errors import InvalidInput, ModelyardError, TooLarge
from modelyard.serving.core import Core
from modelyard.serving.message import NOT_MODIFIED, Request, Response

Environment = MutableMapping[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]

_CHUNK = 64 << 10
_MAX_DIGITS = 19


class WsgiDoor:
    """A WSGI application that answers every path with the core; the caller starts and stops the core."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._max_body_bytes: int = core.settings.max_body_bytes

    def __call__(self, environment: Environment, start_response: StartResponse) -> Iterable[bytes]:
        try:
            response = self._answer(_request(environment, self._max_body_bytes))
        except ModelyardError as error:
            response = self._core.refused(error, _headers(environment))
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers]
        if response.status != NOT_MODIFIED:
            headers.append(("content-length", str(len(response.body))))
        start_response(f"{response.status} {HTTPStatus(response.status).phrase}", headers)
        return [] if environment["REQUEST_METHOD"] == "HEAD" else [response.body]

    def _answer(self, request: Request) -> Response:
        there = threading.Event()
        responses: list[Response] = []

        def done(response: Response) -> None:
            responses.append(response)
            there.set()

        self._core.begin(request, done)
        there.wait()
        return responses[0]


def _request(environment: Environment, most: int) -> Request:
    """Read the request; the strings that WSGI hands over are bytes read as Latin-1."""
    path = (environment.get("SCRIPT_NAME", "") + environment.get("PATH_INFO", "")).encode("latin-1")
    return Request(
        environment["REQUEST_METHOD"],
        path.decode("utf-8", "replace"),
        environment.get("QUERY_STRING", ""),
        _headers(environment),
        _body(environment, most),
    )


def _headers(environment: Environment) -> list[tuple[bytes, bytes]]:
    headers = [
        (name[5:].replace("_", "-").lower().encode("latin-1"), str(value).encode("latin-1"))
        for name, value in environment.items()
        if name.startswith("HTTP_")
    ]
    if environment.get("CONTENT_TYPE"):
        headers.append((b"content-type", str(environment["CONTENT_TYPE"]).encode("latin-1")))
    return headers


def _body(environment: Environment, most: int) -> bytes:
    """Read the body within its bound, whose length may be unknown (a chunked one that the server ends).

    Raises:
        TooLarge: past the bound.
        InvalidInput: for a length that is none, or a body that is shorter.
    """
    given = environment.get("CONTENT_LENGTH") or ""
    if given and not (given.isascii() and given.isdigit()):
        raise InvalidInput("the Content-Length header is no whole number")
    given = given.lstrip("0") or given[:1]  # many zeros would get a long number past a look at its first digits
    if len(given) > _MAX_DIGITS or int(given or 0) > most:
        raise _over(most)
    if not given and not environment.get("wsgi.input_terminated") and "HTTP_TRANSFER_ENCODING" not in environment:
        return b""
    length = int(given) if given else most + 1
    parts: list[bytes] = []
    size = 0
    while size < length:
        part = environment["wsgi.input"].read(min(_CHUNK, length - size))
        if not part:
            break
        parts.append(part)
        size += len(part)
    if size > most:
        raise _over(most)
    if given and size < length:
        raise InvalidInput("the body is shorter than its Content-Length says")
    return b"".join(parts)


def _over(most: int) -> TooLarge:
    return TooLarge(f"the body is too large: expected at most {most} bytes", max_bytes=most)
