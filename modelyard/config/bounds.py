"""How many bytes of a body the control plane takes, counted while they arrive.

Django would keep a body of any size on disk before a view sees it. Here the count stops it, whatever
`Content-Length` says: a small bound for all, and `max_upload_bytes` where the view says `takes_uploads = True` and
the caller has shown a key or a session.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.urls import Resolver404, resolve

from modelyard.config.middleware import request_id
from modelyard.core.errors import TooLarge
from modelyard.core.settings import MIB

LINGER_SECONDS = 2.0
LINGER_BYTES = 64 * MIB

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[..., Awaitable[None]]

SMALL_BYTES = 2 * MIB
OVERHEAD_BYTES = 1 * MIB
"""What multipart boundaries and the text fields beside the files may add."""


def bound_of(path: str, *, shown_who: bool) -> int:
    """Return how many bytes a body sent to `path` may have."""
    try:
        view: Any = resolve(path).func
    except Resolver404:
        return SMALL_BYTES
    owner = getattr(view, "cls", None) or getattr(view, "view_class", None) or view
    if shown_who and getattr(owner, "takes_uploads", False):
        return int(settings.MODELYARD.max_upload_bytes) + OVERHEAD_BYTES
    return SMALL_BYTES


def refusal(bound: int, name: str) -> tuple[bytes, list[tuple[str, str]]]:
    """Return the body and the headers of a 413; the connection ends, since the rest of the body is not read."""
    error = TooLarge(f"the body is larger than the {bound} bytes that are taken here", max_bytes=bound)
    body = json.dumps(error.body(name)).encode()
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
        ("X-Request-ID", name),
        ("X-Content-Type-Options", "nosniff"),
    ]
    return body, headers


class _Exceeded(RequestDataTooBig):
    """The body has more bytes than its bound. Under WSGI Django sees it first, and answers 413 as for its own."""


class AsgiBound:
    """Stands before Django under ASGI."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name: value for name, value in scope["headers"] if name in KEPT}
        bound = SMALL_BYTES
        length = headers.get(b"content-length", b"0")
        told = int(length) if length.isdigit() and len(length) < 19 else 0
        if told > bound or b"transfer-encoding" in headers:
            shown_who = b"authorization" in headers or b"cookie" in headers
            bound = bound_of(scope["path"], shown_who=shown_who)
        name = request_id(headers.get(b"x-request-id", b"").decode("latin-1"))
        if told > bound:
            await _refuse(receive, send, bound, name)
            return
        await self._counted(scope, receive, send, bound, name)

    async def _counted(self, scope: Scope, receive: Receive, send: Send, bound: int, name: str) -> None:
        received, started = 0, False

        async def counted() -> dict[str, Any]:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            # To Django the client has gone, so that it lets go of what it kept of the body.
            return message if received <= bound else {"type": "http.disconnect"}

        async def noting(message: dict[str, Any]) -> None:
            nonlocal started
            started = True
            await send(message)

        await self.application(scope, counted, noting)
        if received > bound and not started:
            await _refuse(receive, send, bound, name)


KEPT = frozenset({b"content-length", b"transfer-encoding", b"authorization", b"cookie", b"x-request-id"})


async def _refuse(receive: Receive, send: Send, bound: int, name: str) -> None:
    """Answer, and then read on for a moment: a connection that is closed on unread bytes is reset, and a client that
    still sends would never see the answer."""
    body, headers = refusal(bound, name)
    raw = [(key.lower().encode(), value.encode()) for key, value in headers]
    await send({"type": "http.response.start", "status": 413, "headers": raw})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            await _discard(receive)
    await send({"type": "http.response.body", "body": b""})


async def _discard(receive: Receive) -> None:
    left = LINGER_BYTES
    while left > 0:
        message = await receive()
        left -= len(message.get("body", b""))
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return


class _CountedInput:
    """A WSGI input that stops at the bound; of a body without a told length, too."""

    def __init__(self, stream: Any, bound: int) -> None:
        self._stream, self._bound, self._read = stream, bound, 0

    def read(self, size: int = -1) -> bytes:
        left = self._bound + 1 - self._read
        return self._count(self._stream.read(left if size is None or size < 0 else min(size, left)))

    def readline(self, size: int = -1) -> bytes:
        left = self._bound + 1 - self._read
        return self._count(self._stream.readline(left if size is None or size < 0 else min(size, left)))

    def __iter__(self) -> Iterable[bytes]:
        while line := self.readline():
            yield line

    def _count(self, data: bytes) -> bytes:
        self._read += len(data)
        if self._read > self._bound:
            raise _Exceeded
        return data


class WsgiBound:
    """Stands before Django under WSGI. A server there reads the body only as it is asked to."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        length = environ.get("CONTENT_LENGTH") or "0"
        told = int(length) if length.isdigit() and len(length) < 19 else 0
        bound = SMALL_BYTES
        if told > bound or "HTTP_TRANSFER_ENCODING" in environ:
            shown_who = "HTTP_AUTHORIZATION" in environ or "HTTP_COOKIE" in environ
            bound = bound_of(environ.get("PATH_INFO", ""), shown_who=shown_who)
        if told > bound:
            return self._refuse(environ, start_response, bound)
        environ["wsgi.input"] = _CountedInput(environ["wsgi.input"], bound)
        try:
            return self.application(environ, start_response)
        except _Exceeded:
            return self._refuse(environ, start_response, bound)

    def _refuse(self, environ: Mapping[str, Any], start_response: Callable[..., Any], bound: int) -> Iterable[bytes]:
        body, headers = refusal(bound, request_id(environ.get("HTTP_X_REQUEST_ID")))
        start_response("413 Content Too Large", headers)
        return [body]
