"""Folders, bounds and watchers for what runs in the sandbox."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from modelyard.core.settings import MIB
from modelyard.sandbox.examination import Examined, examine
from modelyard.sandbox.limits import Limits


@pytest.fixture
def limits() -> Limits:
    return Limits(seconds=60, memory_bytes=1024 * MIB, scratch_bytes=64 * MIB)


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


class Outside:
    """What a hostile file must not reach: a file to write, a file to read, a socket to connect to."""

    def __init__(self, folder: Path) -> None:
        self.marker = folder / "marker"
        self.secret = folder / "secret"
        self.secret.write_text("the-database-password")
        self.connections = 0
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self._tcp.getsockname()[1]
        self.unix_path = str(folder / "socket")
        self._unix = socket.socket(socket.AF_UNIX)
        self._unix.bind(self.unix_path)
        self.abstract = f"\0modelyard-test-{os.getpid()}-{id(self)}"
        self._abstract = socket.socket(socket.AF_UNIX)
        self._abstract.bind(self.abstract)
        for listener in (self._unix, self._abstract):
            listener.listen()
        self._closing = False
        self._threads = [
            threading.Thread(target=self._accept, args=(s,)) for s in (self._tcp, self._unix, self._abstract)
        ]
        for thread in self._threads:
            thread.start()

    def _accept(self, listener: socket.socket) -> None:
        listener.settimeout(0.2)
        while not self._closing:
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            self.connections += 1
            connection.close()

    def close(self) -> None:
        self._closing = True
        for thread in self._threads:
            thread.join()
        for listener in (self._tcp, self._unix, self._abstract):
            listener.close()

    def check_untouched(self) -> None:
        assert not self.marker.exists(), "the file wrote outside of the sandbox"
        assert self.secret.read_text() == "the-database-password"
        assert self.secret.stat().st_mode & 0o777 == 0o644
        assert self.connections == 0, "the file reached a listening socket"


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    folder = tmp_path / "outside"
    folder.mkdir()
    reachable = Outside(folder)
    reachable.secret.chmod(0o644)
    yield reachable
    reachable.close()


Examine = Callable[..., Examined]


@pytest.fixture
def examine_bytes(tmp_path: Path, scratch: Path, limits: Limits) -> Examine:
    """Return a function that examines (filename, bytes) pairs as an upload."""

    def call(*files: tuple[str, bytes], **given: Any) -> Examined:
        stored = []
        for number, (name, data) in enumerate(files):
            path = tmp_path / f"upload-{number}"
            path.write_bytes(data)
            stored.append((name, path))
        return examine(stored, **{"scratch": scratch, "limits": limits, **given})

    return call


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def children() -> list[int]:
    """Return the ids of this process's children, zombies too."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError):  # a thread that has just ended
            found += [int(text) for text in (task / "children").read_text().split()]
    return found


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """No test of the sandbox leaves a process or a descriptor more than there were."""
    from modelyard.sandbox.newborn import _spawner

    _spawner().submit(int).result()
    before = descriptors(), len(children())
    yield
    assert len(children()) <= before[1]
    assert descriptors() <= before[0]
