"""PostgreSQL, without a password, durable no longer than the test run."""

import subprocess
from pathlib import Path

import psycopg

from tests.servers.programs import find
from tests.servers.shared import Running, as_user, free_port, launch, wait_until

OPTIONS = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=200",
    "listen_addresses=127.0.0.1",
)
SURVIVES = tuple(option for option in OPTIONS if not option.startswith(("synchronous_commit", "full_page")))
"""For a cluster that is killed: what was committed is with the system then, if not on the disk."""


class Cluster:
    """A cluster with one database, `modelyard`; it may be killed and started again."""

    def __init__(self, folder: Path, options: tuple[str, ...] = OPTIONS) -> None:
        self._initdb = Path(find("initdb"))
        self._folder, self._data = folder, folder / "data"
        create = [str(self._initdb), "-D", str(self._data), "-A", "trust", "-U", "modelyard", "-E", "UTF8"]
        create += ["--locale=C", "--no-sync"]
        subprocess.run(create, cwd=folder, check=True, capture_output=True, **as_user(folder, "postgres"))
        self.port = free_port()
        self.url = f"postgres://modelyard@127.0.0.1:{self.port}/modelyard"
        self._options = [part for option in options for part in ("-c", option)]
        self.process: subprocess.Popen[bytes] | None = None
        self._made = False

    def start(self) -> None:
        """Start it, and wait until it answers."""
        program = str(self._initdb.with_name("postgres"))
        command = [program, "-D", str(self._data), "-p", str(self.port), "-k", str(self._folder), *self._options]
        self.process = launch(command, self._folder, user="postgres")
        wait_until(self._ready, self.process, self._folder)

    def _ready(self) -> bool:
        with psycopg.connect(self.url.removesuffix("modelyard") + "postgres", autocommit=True) as connection:
            if not self._made:
                connection.execute("CREATE DATABASE modelyard")
                self._made = True
        return True

    def kill(self) -> None:
        """End it at once; what serves its connections ends when it sees that, a moment later."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()


def start(folder: Path) -> Running:
    """Start a cluster."""
    cluster = Cluster(folder)
    cluster.start()
    assert cluster.process is not None
    return Running(cluster.url, [cluster.process.pid])
