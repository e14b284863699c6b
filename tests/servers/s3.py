"""An S3-compatible endpoint: moto's server, in memory."""

import sys
from pathlib import Path

from tests.servers.shared import Running, free_port, launch, listens, wait_until


def start(folder: Path) -> Running:
    """Start it; any access key and secret will do."""
    port = free_port()
    process = launch([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], folder)
    wait_until(lambda: listens(port), process, folder)
    return Running(f"http://127.0.0.1:{port}", [process.pid])
