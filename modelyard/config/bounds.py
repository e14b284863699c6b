"""How many bytes of a body the control plane takes, counted while they arrive.

Django would keep a body of any size on disk before a view sees it. Here the count stops it, whatever
`Content-Length` says: a small bound for all, and `max_upload_bytes` where the view says `takes_uploads = True`, or
the setting that it names there. There who sends a large body must be known before the first byte of it is taken.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import UnreadablePostError
from django.urls import Resolver404, resolve

from modelyard.config.callers import refusal_of
from modelyard.config.middleware import request_id
from modelyard.config.origins import headers_of_refusal
from modelyard.control.rest.errors import headers as headers_of
from modelyard.control.rest.limits import OVERHEAD_BYTES, SMALL_BYTES, bound_by, most_bytes, upload_too_large
from modelyard.core.errors import ModelyardError, TooLarge, Unauthenticated
from modelyard.core.settings import MIB
from modelyard.core.statuses import http_status

LINGER_SECONDS = 2.0
LINGER_BYTES = 64 * MIB

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Application = Callable[..., Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Bound:
    """How many bytes a body may have, by which setting; by none of its own: a small one."""

    setting: str | None = None

    @property
    def max_bytes(self) -> int:
        return SMALL_BYTES if self.setting is None else most_bytes(self.setting) + OVERHEAD_BYTES

    def passed(self) -> TooLarge:
        """Return the refusal of a larger body."""
        if self.setting is not None:
            return upload_too_large(self.setting)
        return TooLarge(f"the body is larger than the {SMALL_BYTES} bytes that are taken here", max_bytes=SMALL_BYTES)


SMALL = Bound()


def bound_of(path: str) -> Bound:
    """Return the bound of a body sent to `path`."""
    try:
        return Bound(bound_by(resolve(path).func))
    except Resolver404:
        return SMALL


def refusal(error: ModelyardError, name: str) -> tuple[bytes, list[tuple[str, str]]]:
    """Return the body and the headers that refuse; the connection ends, since the rest of the body is not read."""
    body = json.dumps(error.body(name)).encode()
    headers = [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
        ("X-Request-ID", name),
        ("X-Content-Type-Options", "nosniff"),
        *headers_of(error, None).items(),
    ]
    if isinstance(error, Unauthenticated):
        headers.append(("HX-Redirect", settings.LOGIN_URL))  # a form of the console, whose session has ended
    return body, headers


class _Exceeded(RequestDataTooBig):
    """The body has more bytes than its bound. Under WSGI Django sees it first, and answers 413 as for its own."""


class AsgiBound:
    """Stands before Django under ASGI."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name: value for name, value in scope["headers"] if name in KEPT}
        bound = SMALL
        error: ModelyardError | None = None
        told = _told(headers.get(b"content-length", b"").decode("latin-1"))
        if told > bound.max_bytes or b"transfer-encoding" in headers:
            bound = bound_of(scope["path"])
        if told > bound.max_bytes:
            error = bound.passed()
        elif bound.setting:
            who = [headers.get(header, b"").decode("latin-1") for header in (b"authorization", b"cookie")]
            error = await asyncio.to_thread(refusal_of, *who)
        name = request_id(headers.get(b"x-request-id", b"").decode("latin-1"))
        if error is not None:
            await _refuse(receive, send, error, name, await _crossing(scope))
            return
        await self._counted(scope, receive, send, bound, name)

    async def _counted(self, scope: Scope, receive: Receive, send: Send, bound: Bound, name: str) -> None:
        received, started, most = 0, False, bound.max_bytes

        async def counted() -> dict[str, Any]:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            # To Django the client has gone, so that it lets go of what it kept of the body.
            return message if received <= most else {"type": "http.disconnect"}

        async def noting(message: dict[str, Any]) -> None:
            nonlocal started
            started = True
            await send(message)

        await self.application(scope, counted, noting)
        if received > most and not started:
            await _refuse(receive, send, bound.passed(), name, await _crossing(scope))


KEPT = frozenset({b"content-length", b"transfer-encoding", b"authorization", b"cookie", b"x-request-id"})
CROSSING = {b"origin": "HTTP_ORIGIN", b"authorization": "HTTP_AUTHORIZATION", b"cookie": "HTTP_COOKIE"}


def _told(length: str) -> int:
    return int(length) if length.isascii() and length.isdigit() and len(length) < 19 else 0


async def _crossing(scope: Scope) -> list[tuple[str, str]]:
    """Return what lets a page from elsewhere read the refusal."""
    environ = {CROSSING[name]: value.decode("latin-1") for name, value in scope["headers"] if name in CROSSING}
    if CROSSING[b"origin"] not in environ:
        return []
    return await asyncio.to_thread(headers_of_refusal, environ, scope["path"])


async def _refuse(
    receive: Receive, send: Send, error: ModelyardError, name: str, crossing: Iterable[tuple[str, str]]
) -> None:
    """Answer, and then read on for a moment: a connection that is closed on unread bytes is reset, and a client that
    still sends would never see the answer."""
    body, headers = refusal(error, name)
    raw = [(key.lower().encode(), value.encode()) for key, value in (*headers, *crossing)]
    await send({"type": "http.response.start", "status": http_status(error), "headers": raw})
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


class CountedInput:
    """A WSGI input that stops at the bound; of a body without a told length, too.

    One that ends before the length that was told is a connection that broke, which Django would take for a body's end.
    """

    def __init__(self, stream: Any, bound: int, told: int) -> None:
        self._stream, self._bound, self._told, self._read = stream, bound, told, 0

    def read(self, size: int = -1) -> bytes:
        wanted = self._wanted(size)
        return self._count(self._stream.read(wanted), wanted)

    def readline(self, size: int = -1) -> bytes:
        wanted = self._wanted(size)
        return self._count(self._stream.readline(wanted), wanted)

    def __iter__(self) -> Iterable[bytes]:
        while line := self.readline():
            yield line

    def _wanted(self, size: int | None) -> int:
        left = self._bound + 1 - self._read
        return left if size is None or size < 0 else min(size, left)

    def _count(self, data: bytes, wanted: int) -> bytes:
        self._read += len(data)
        if self._read > self._bound:
            raise _Exceeded
        if not data and wanted and self._read < self._told:
            raise UnreadablePostError(f"{self._read} bytes of {self._told} came")
        return data


class WsgiBound:
    """Stands before Django under WSGI. A server there reads the body only as it is asked to."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        told = _told(environ.get("CONTENT_LENGTH") or "")
        bound = SMALL
        error: ModelyardError | None = None
        if told > bound.max_bytes or "HTTP_TRANSFER_ENCODING" in environ:
            bound = bound_of(environ.get("PATH_INFO", ""))
        if told > bound.max_bytes:
            error = bound.passed()
        elif bound.setting:
            error = refusal_of(environ.get("HTTP_AUTHORIZATION", ""), environ.get("HTTP_COOKIE", ""))
        if error is not None:
            return self._refuse(environ, start_response, error)
        whole = 0 if "HTTP_TRANSFER_ENCODING" in environ else told
        environ["wsgi.input"] = CountedInput(environ["wsgi.input"], bound.max_bytes, whole)
        try:
            return self.application(environ, start_response)
        except _Exceeded:
            return self._refuse(environ, start_response, bound.passed())

    def _refuse(
        self, environ: Mapping[str, Any], start_response: Callable[..., Any], error: ModelyardError
    ) -> Iterable[bytes]:
        body, headers = refusal(error, request_id(environ.get("HTTP_X_REQUEST_ID")))
        status = http_status(error)
        headers += headers_of_refusal(environ, environ.get("PATH_INFO", ""))
        start_response(f"{status} {HTTPStatus(status).phrase}", headers)
        return [body]
