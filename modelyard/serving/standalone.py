"""`modelyard serve`: the data plane as its own process. No Django, no database."""

import signal
import sys
from types import FrameType

import uvicorn

from modelyard.artifacts.filesystem import FilesystemStore
from modelyard.core.settings import Settings
from modelyard.exchange.medium import FolderMedium
from modelyard.serving.core import Core
from modelyard.serving.doors.asgi import AsgiDoor


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; then finish what is under way and seal the spool."""
    signal.signal(signal.SIGTERM, _leave)
    core = Core(settings, FolderMedium(settings.exchange), FilesystemStore(settings.serving_artifacts))
    uvicorn.run(
        AsgiDoor(core),
        host=settings.host,
        port=settings.serve_port,
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=settings.drain_seconds,
    )


def _leave(number: int, frame: FrameType | None) -> None:
    """Make a drained server's end a success: uvicorn raises the signal again once it has stopped."""
    sys.exit(0)
