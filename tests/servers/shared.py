"""Starts each server once for all processes of a test run, and stops them all at its end.

The first process that asks for a server starts it, under a lock, and leaves a note of it in the run's folder; the
others read the note. The process that began the run stops what the notes name.
"""

import contextlib
import fcntl
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

VARIABLE = "YARD_TEST_SERVERS"
READY_SECONDS = 60.0
_STARTED: "list[subprocess.Popen[bytes]]" = []
"""Kept until `let_go`, because a server outlives the function that starts it."""


@dataclass(frozen=True)
class Running:
    """A server: its address, and the processes to end, in this order."""

    url: str
    pids: list[int]


def begin_run() -> bool:
    """Make the run's folder; False in a process that was started by one that has."""
    if VARIABLE in os.environ:
        return False
    folder = Path(tempfile.mkdtemp(prefix="yard-"))
    folder.chmod(0o755)
    os.environ[VARIABLE] = str(folder)
    return True


def end_run() -> None:
    """Stop every server of the run and remove its folder."""
    folder = Path(os.environ.pop(VARIABLE))
    for note in sorted(folder.glob("*.json")):
        for pid in Running(**json.loads(note.read_text())).pids:
            end(pid)
    shutil.rmtree(folder, ignore_errors=True)


def keep(process: "subprocess.Popen[bytes]") -> None:
    """Hold a server of the run, which ends with the run and not with its starter."""
    _STARTED.append(process)


def let_go() -> None:
    """Forget the servers that this process started: who began the run ends them, and nobody here waits for them."""
    for process in _STARTED:
        if process.poll() is None:
            process.returncode = 0
    _STARTED.clear()


def running(name: str, start: Callable[[Path], Running]) -> Running:
    """Return the run's server called `name`; the first caller starts it in a folder of its own."""
    folder = Path(os.environ[VARIABLE])
    note = folder / f"{name}.json"
    with _lock(folder / f"{name}.lock"):
        if not note.exists():
            own = folder / name
            own.mkdir(mode=0o755)
            note.write_text(json.dumps(asdict(start(own))))
        return Running(**json.loads(note.read_text()))


def free_port() -> int:
    """Return a port that nobody listens on now, and that the system gives to no connection (those begin at 32768): the
    other test processes open many, and one would take it before the server that it is for."""
    while True:
        port = random.SystemRandom().randrange(12_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def launch(
    command: list[str], folder: Path, *, user: str | None = None, **environment: str
) -> "subprocess.Popen[bytes]":
    """Start a server that logs to `folder/log`; as `user`, who gets the folder, when we are root (some refuse root)."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            **as_user(folder, user),
        )
    keep(process)
    return process


def as_user(folder: Path, user: str | None) -> dict[str, str | list[str]]:
    """Give the folder to `user` and return what makes `subprocess` become that user; nothing when we are not root."""
    if user is None or os.geteuid() != 0:
        return {}
    shutil.chown(folder, user, user)
    return {"user": user, "group": user, "extra_groups": []}


def wait_until(ready: Callable[[], object], process: "subprocess.Popen[bytes]", folder: Path) -> None:
    """Wait for `ready()` to return something true without raising; tell the end of the log when it does not."""
    give_up = time.monotonic() + READY_SECONDS
    while time.monotonic() < give_up and process.poll() is None:
        with contextlib.suppress(Exception):
            if ready():
                return
        time.sleep(0.05)
    end(process.pid)
    raise RuntimeError(f"{folder.name} did not start:\n{(folder / 'log').read_text(errors='replace')[-2000:]}")


def listens(port: int) -> bool:
    with socket.create_connection(("127.0.0.1", port), timeout=1):
        return True


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def end(pid: int, grace_seconds: float = 10.0) -> None:
    """Ask a process to end, and end it when it has not within the grace."""
    for sign, seconds in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, 5.0)):
        if not _alive(pid):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sign)
        give_up = time.monotonic() + seconds
        while _alive(pid) and time.monotonic() < give_up:
            time.sleep(0.02)


def _alive(pid: int) -> bool:
    """Tell whether the process runs; one that has ended but that nobody has waited for does not."""
    with contextlib.suppress(ChildProcessError):
        return os.waitpid(pid, os.WNOHANG)[0] == 0
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")
