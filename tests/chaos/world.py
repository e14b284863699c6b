"""The servers and processes that a scenario torments: PostgreSQL and RabbitMQ, or SQLite and a folder."""

import os
import random
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.servers import shared
from tests.servers.postgresql import SURVIVES, Cluster
from tests.servers.rabbitmq import Node

ROOT = Path(__file__).parents[2]
LIBFAKETIME = "*/faketime/libfaketime.so.1"


class World:
    """One set of servers, and the workers and housekeepers on it."""

    def __init__(self, embedded: bool, seed: int, lease_seconds: float) -> None:
        self.embedded, self.seed = embedded, seed
        self.random = random.Random(seed)
        self.folder = Path(tempfile.mkdtemp(prefix="chaos-", dir=os.environ[shared.VARIABLE]))
        self.folder.chmod(0o755)
        self.home = self.folder / "home"
        self.lease_seconds = lease_seconds
        self.database = None if embedded else Cluster(self._own("postgresql"), SURVIVES)
        self.broker = None if embedded else Node(self._own("rabbitmq"))
        self.running: dict[str, list[subprocess.Popen[bytes]]] = {"worker": [], "tend": []}
        self.environment = {
            "MODELYARD_HOME": str(self.home),
            "MODELYARD_SECRET_KEY": secrets.token_hex(32),
            "MODELYARD_JOB_LEASE_SECONDS": str(lease_seconds),
            "MODELYARD_JOB_RESEND_SECONDS": str(lease_seconds),
            "MODELYARD_JOB_RETRY_SECONDS": "0.1",
        }

    def _own(self, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(mode=0o755)
        return folder

    def begin(self) -> None:
        """Start the servers, and set up Django in this process, on the same database."""
        if self.database is not None and self.broker is not None:
            self.database.start()
            self.broker.start()
            self.environment |= {"MODELYARD_DATABASE_URL": self.database.url, "MODELYARD_BROKER_URL": self.broker.url}
        for name in [name for name in os.environ if name.startswith("MODELYARD_")]:
            del os.environ[name]
        os.environ.update(self.environment)
        from tests.chaos.handlers import set_up

        set_up()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)

    def end(self) -> None:
        for process in [*self.running["worker"], *self.running["tend"]]:
            process.kill()
            process.wait()
        for server in (self.broker, self.database):
            if isinstance(server, Node):
                server.stop()
            elif server is not None and server.process is not None:
                server.kill()

    def start(self, role: str, count: int = 1, **environment: str) -> list["subprocess.Popen[bytes]"]:
        made = []
        for _ in range(count):
            with (self.folder / f"{role}.log").open("ab") as log:
                made.append(
                    subprocess.Popen(
                        [sys.executable, "-m", "tests.chaos.handlers", role],
                        env={**os.environ, **self.environment, **environment},
                        cwd=ROOT,
                        stdin=subprocess.DEVNULL,
                        stderr=log,
                    )
                )
        self.running[role] += made
        return made

    def stop(self, role: str) -> None:
        """Kill every process of a role."""
        for process in self.running[role]:
            process.kill()
            process.wait()
        self.running[role] = []

    def kill_one(self, role: str) -> None:
        """Kill one process at random, and start another in its place."""
        doomed = self.random.choice(self.running[role])
        doomed.kill()
        doomed.wait()
        self.running[role].remove(doomed)
        self.start(role)

    def kill_child(self) -> bool:
        """Kill one sandboxed child of a worker; False when there is none just now."""
        found = [pid for worker in self.running["worker"] for pid in children_of(worker.pid) if not _is_spare(pid)]
        if not found:
            return False
        with suppress(ProcessLookupError):
            os.kill(self.random.choice(found), 9)
        return True

    def submit(self, count: int, **payload: Any) -> list[Any]:
        """Make jobs of a tenant of their own."""
        from modelyard.control.jobs.services import submit
        from modelyard.control.tenancy.services import create_tenant

        tenant = create_tenant(name=f"t{secrets.token_hex(6)}", created_by="system:chaos")
        return [submit(tenant=tenant, kind="chaos", payload=payload, created_by="chaos").pk for _ in range(count)]


def children_of(pid: int) -> list[int]:
    """Return the ids of a process's children, whichever thread started them."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*"):
        with suppress(OSError):
            found += [int(text) for text in (task / "children").read_text().split()]
    return found


def _is_spare(pid: int) -> bool:
    """Tell whether a child waits for a scoring: none is asked for here."""
    with suppress(OSError):
        return b"modelyard.scoring.child" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def until(condition: Callable[[], bool], seconds: float) -> float:
    """Wait for something to come true, and return how long that took; a database that is away is asked again."""
    from django.db import DatabaseError, connection

    began = time.monotonic()
    while True:
        try:
            if condition():
                return time.monotonic() - began
        except DatabaseError:
            connection.close()
        if time.monotonic() - began > seconds:
            raise AssertionError(f"it did not come true within {seconds:g} s")
        time.sleep(0.1)


@contextmanager
def world(embedded: bool, seed: int, lease_seconds: float) -> Iterator[World]:
    """A world for one scenario."""
    made = World(embedded, seed, lease_seconds)
    try:
        made.begin()
        yield made
    finally:
        made.end()
