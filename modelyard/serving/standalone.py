"""`modelyard serve`: the data plane as its own process. No Django, no database."""

import uvicorn

from modelyard.artifacts.filesystem import FilesystemStore
from modelyard.core.settings import Settings
from modelyard.exchange.medium import FolderMedium
from modelyard.serving.core import Core
from modelyard.serving.doors.asgi import AsgiDoor

DRAIN_SECONDS = 30


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; then finish what is under way and seal the spool."""
    core = Core(settings, FolderMedium(settings.exchange), FilesystemStore(settings.artifacts))
    uvicorn.run(
        AsgiDoor(core),
        host=settings.host,
        port=settings.serve_port,
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
