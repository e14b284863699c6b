"""Redis, in memory only."""

from pathlib import Path

from tests.servers.programs import find
from tests.servers.shared import Running, free_port, launch, listens, wait_until


def start(folder: Path) -> Running:
    port = free_port()
    command = [find("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    process = launch([*command, "--dir", str(folder)], folder)
    wait_until(lambda: listens(port), process, folder)
    return Running(f"redis://127.0.0.1:{port}/0", [process.pid])
