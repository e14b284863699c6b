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


def start(folder: Path) -> Running:
    """Start a cluster with one database, `modelyard`."""
    initdb = Path(find("initdb"))
    data = folder / "data"
    create = [str(initdb), "-D", str(data), "-A", "trust", "-U", "modelyard", "-E", "UTF8", "--locale=C", "--no-sync"]
    subprocess.run(create, cwd=folder, check=True, capture_output=True, **as_user(folder, "postgres"))
    port = free_port()
    options = [part for option in OPTIONS for part in ("-c", option)]
    command = [str(initdb.with_name("postgres")), "-D", str(data), "-p", str(port), "-k", str(folder), *options]
    process = launch(command, folder, user="postgres")
    url = f"postgres://modelyard@127.0.0.1:{port}"

    def ready() -> bool:
        with psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE modelyard")
        return True

    wait_until(ready, process, folder)
    return Running(f"{url}/modelyard", [process.pid])
