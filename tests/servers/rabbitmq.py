"""RabbitMQ, one node with its own Erlang port mapper."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.servers.programs import find
from tests.servers.shared import Running, free_port, launch, listens, wait_until


class Node:
    """A node that may be killed and started again, on the same port and with the same data."""

    def __init__(self, folder: Path, **settings: int) -> None:
        self.folder, self.port = folder, free_port()
        self._settings = " ".join(f"-rabbit {name} {value}" for name, value in settings.items())
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        self._mapper_port, self._distribution_port = free_port(), free_port()
        self._identity = folder / "pid"
        self.mapper = self._map()
        self.process: subprocess.Popen[bytes] | None = None

    def _map(self) -> "subprocess.Popen[bytes]":
        folder = self.folder / "epmd"
        folder.mkdir()
        mapper = launch([find("epmd"), "-port", str(self._mapper_port), "-address", "127.0.0.1"], folder)
        wait_until(lambda: listens(self._mapper_port), mapper, folder)
        return mapper

    @property
    def pid(self) -> int:
        """Return the process that is the broker; the other is its wrapper."""
        return int(self._identity.read_text())

    def start(self) -> None:
        """Start it. The wrapper changes to the user rabbitmq, so the folder must be that user's before it starts."""
        (self.folder / "plugins").write_text("[].\n")
        self._identity.unlink(missing_ok=True)
        self.process = launch(
            [find("rabbitmq-server")],
            self.folder,
            user="rabbitmq",
            HOME=str(self.folder),
            RABBITMQ_NODENAME=f"yard{self.port}@localhost",
            RABBITMQ_NODE_IP_ADDRESS="127.0.0.1",
            RABBITMQ_NODE_PORT=str(self.port),
            RABBITMQ_DIST_PORT=str(self._distribution_port),
            ERL_EPMD_PORT=str(self._mapper_port),
            RABBITMQ_MNESIA_BASE=str(self.folder / "mnesia"),
            RABBITMQ_LOG_BASE=str(self.folder / "logs"),
            RABBITMQ_ENABLED_PLUGINS_FILE=str(self.folder / "plugins"),
            RABBITMQ_PID_FILE=str(self._identity),
            RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=self._settings,
        )
        try:
            wait_until(lambda: listens(self.port), self.process, self.folder)
        except BaseException:
            self.mapper.kill()
            self.mapper.wait()
            raise

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self.process is not None
        with suppress(ProcessLookupError, FileNotFoundError):
            os.kill(self.pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Kill it, if it was started, and its mapper."""
        if self.process is not None:
            self.kill()
        self.mapper.kill()
        self.mapper.wait()


def start(folder: Path) -> Running:
    """Start a node."""
    node = Node(folder)
    node.start()
    assert node.process is not None
    return Running(node.url, [node.pid, node.process.pid, node.mapper.pid])
