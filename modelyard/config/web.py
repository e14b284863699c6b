"""The web process, put together: data-plane addresses to the embedded data plane, all others to Django."""

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

import structlog

from modelyard.artifacts.filesystem import FilesystemStore
from modelyard.config.bounds import Application, AsgiBound, Receive, Scope, Send, WsgiBound
from modelyard.config.predictor import predictor_for
from modelyard.control.console.predictor import hand_in
from modelyard.core.settings import Settings
from modelyard.exchange.medium import FolderMedium
from modelyard.serving.core import Core
from modelyard.serving.doors.asgi import AsgiDoor
from modelyard.serving.doors.wsgi import WsgiDoor
from modelyard.serving.paths import is_data_path

log = structlog.get_logger(__name__)


def embedded_core(settings: Settings) -> Core | None:
    """Return a core that is not started yet, which the console may ask; None where the data plane runs alone."""
    core = None
    if settings.embedded:
        core = Core(settings, FolderMedium(settings.exchange), FilesystemStore(settings.serving_artifacts))
    hand_in(predictor_for(settings, core))
    return core


class AsgiWeb:
    """One ASGI application out of the two planes. The core lives from the server's start to its end."""

    def __init__(self, django: Application, core: Core | None) -> None:
        self.django = AsgiBound(django)
        self.core = core
        self.door: Application | None = AsgiDoor(core) if core else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
        elif self.door and is_data_path(scope["path"]):
            await self.door(scope, receive, send)
        else:
            await self.django(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                try:
                    await self._start()
                except Exception as error:
                    log.exception("data_plane_did_not_start")
                    await send({"type": "lifespan.startup.failed", "message": type(error).__name__})
                    return
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                if self.core:
                    await asyncio.to_thread(self.core.stop)
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _start(self) -> None:
        if self.core:
            await asyncio.to_thread(self.core.start)


class WsgiWeb:
    """One WSGI application out of the two planes.

    The core starts with the first request: servers load the application before they fork, and its threads would not
    come along.
    """

    def __init__(self, django: Callable[..., Iterable[bytes]], core: Core | None) -> None:
        self.django = WsgiBound(django)
        self.core = core
        self.door = WsgiDoor(core) if core else None
        self._lock = threading.Lock()
        self._started_in: int | None = None

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if self.core and self._started_in != os.getpid():
            self._start(self.core)
        if self.door and is_data_path(environ.get("PATH_INFO", "").encode("latin-1").decode(errors="replace")):
            return self.door(environ, start_response)
        return self.django(environ, start_response)

    def _start(self, core: Core) -> None:
        with self._lock:
            if self._started_in != os.getpid():
                core.start()
                atexit.register(core.stop)
                self._started_in = os.getpid()
