"""The ASGI door (ASGI 3.0, HTTP and lifespan)."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any

from modelyard.core.errors import TooLarge
from modelyard.serving.core import Core
from modelyard.serving.message import NOT_MODIFIED, Request, Response

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Mailbox:
    """Brings responses from other threads to the loop's: those of one batch with one wake-up."""

    __slots__ = ("_lock", "_thread", "_waiting", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._thread = threading.get_ident()
        self._lock = threading.Lock()
        self._waiting: list[tuple[asyncio.Future[Response], Response]] = []

    def put(self, future: "asyncio.Future[Response]", response: Response) -> None:
        """Settle a future, from any thread; one that was cancelled meanwhile stays so."""
        if threading.get_ident() == self._thread:
            if not future.done():
                future.set_result(response)
            return
        with self._lock:
            self._waiting.append((future, response))
            first = len(self._waiting) == 1
        if first:
            self.loop.call_soon_threadsafe(self._empty)

    def _empty(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for future, response in waiting:
            if not future.done():
                future.set_result(response)


class AsgiDoor:
    """An ASGI application that answers every path with the core."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._max_body_bytes: int = core.settings.max_body_bytes
        self._mailbox: Mailbox | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            await self._http(scope, receive, send)
        elif kind == "lifespan":
            await self._lifespan(receive, send)
        elif kind == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        body = await self._body(headers, receive)
        if body is None:
            return
        if isinstance(body, TooLarge):
            # The rest of the body is not read, so that the connection cannot go on.
            response = self._core.refused(body, headers, [(b"connection", b"close")])
        else:
            query = scope["query_string"].decode("ascii", "replace")
            response = await self._answer(Request(scope["method"], scope["path"], query, headers, body))
        headers = [*response.headers]
        if response.status != NOT_MODIFIED:
            headers.append((b"content-length", str(len(response.body)).encode()))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})

    async def _body(self, headers: list[tuple[bytes, bytes]], receive: Receive) -> bytes | TooLarge | None:
        """Receive the body within its bound; None when the client has gone."""
        most = self._max_body_bytes
        for name, value in headers:
            if name == b"content-length" and value.isdigit() and int(value[:20]) > most:
                return _over(most)
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body: bytes = message.get("body", b"")
        if not message.get("more_body", False):
            return body if len(body) <= most else _over(most)
        parts = [body]
        size = len(body)
        while message.get("more_body", False):
            if size > most:
                return _over(most)
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
            size += len(parts[-1])
        return b"".join(parts) if size <= most else _over(most)

    async def _answer(self, request: Request) -> Response:
        loop = asyncio.get_running_loop()
        mailbox = self._mailbox
        if mailbox is None or mailbox.loop is not loop:
            mailbox = self._mailbox = Mailbox(loop)
        future: asyncio.Future[Response] = loop.create_future()
        self._core.begin(request, partial(mailbox.put, future))
        return await future

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await loop.run_in_executor(None, self._core.start)
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await loop.run_in_executor(None, self._core.stop)
                await send({"type": "lifespan.shutdown.complete"})
                return


def _over(most: int) -> TooLarge:
    return TooLarge(f"the body is too large: expected at most {most} bytes", max_bytes=most)
