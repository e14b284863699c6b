"""The core's life under an ASGI server, which says when it starts and when it ends; Django itself does not listen.

In the project's `asgi.py`::

    application = modelyard.embed.asgi.living(get_asgi_application())

It may be imported before Django is set up, as the imports at the head of that file are.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import structlog

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]

LOADING_SECONDS = 30.0

log = structlog.get_logger(__name__)


def living(application: Application) -> Application:
    """Return the application with a core that starts before the first request, and stops with the server.

    The first request waits for what is preloaded, `LOADING_SECONDS` at most.
    """

    async def live(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        else:
            await application(scope, receive, send)

    return live


async def _lifespan(receive: Receive, send: Send) -> None:
    from modelyard.embed import process  # our tables, which can be imported once Django is set up

    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            try:
                core = await asyncio.to_thread(process.core)
                await asyncio.to_thread(core.await_loaded, LOADING_SECONDS)
            except Exception as error:
                log.exception("data_plane_did_not_start")
                await send({"type": "lifespan.startup.failed", "message": str(error) or type(error).__name__})
                return
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await asyncio.to_thread(process.stop)
            await send({"type": "lifespan.shutdown.complete"})
            return
