"""The web process: data-plane addresses to the embedded data plane, all others to Django."""

import asyncio
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "modelyard.config.settings")

import structlog
from django.conf import settings
from django.core.asgi import get_asgi_application

from modelyard.config.bounds import Application, AsgiBound, Receive, Scope, Send
from modelyard.config.plane import embedded_core
from modelyard.config.predictor import predictor_for
from modelyard.control.console.predictor import hand_in
from modelyard.core.settings import Settings
from modelyard.serving.core import Core
from modelyard.serving.doors.asgi import AsgiDoor
from modelyard.serving.paths import is_data_path

log = structlog.get_logger(__name__)


class Web:
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


def compose(given: Settings) -> Web:
    """Put the web process together, and let the console ask its data plane."""
    django = get_asgi_application()
    core = embedded_core(given)
    hand_in(predictor_for(given, core))
    return Web(django, core)


application = compose(settings.MODELYARD)
