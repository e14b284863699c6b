"""How long a job waits until it runs, beside a bare Celery task on the same RabbitMQ.

One at a time, in turns, each at a random moment of the housekeeper's rounds, on a durable PostgreSQL. What a job costs
more is what its promise costs: the row and its message are one commit, the claim is another.
"""

import argparse
import os
import random
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.peers.queue import KIND, bare_app, set_up
from tests.servers.postgresql import Cluster
from tests.servers.rabbitmq import Node
from tests.servers.shared import end, launch

MOST_SECONDS = 30.0
DURABLE = ("max_connections=50", "listen_addresses=127.0.0.1")


def servers(stack: ExitStack, folder: Path) -> None:
    """Start PostgreSQL and RabbitMQ, and let the environment name them."""
    own = [folder / name for name in ("postgresql", "rabbitmq")]
    for each in own:
        each.mkdir(mode=0o755)
    database, broker = Cluster(own[0], DURABLE), Node(own[1])
    stack.callback(broker.stop)
    broker.start()
    database.start()
    stack.callback(database.kill)
    os.environ |= {
        "MODELYARD_HOME": str(folder / "home"),
        "MODELYARD_SECRET_KEY": secrets.token_hex(32),
        "MODELYARD_DATABASE_URL": database.url,
        "MODELYARD_BROKER_URL": broker.url,
    }


def workers(stack: ExitStack, folder: Path) -> None:
    """Start the bare worker, ours, and the housekeeper."""
    for role in ("bare", "worker", "tend"):
        own = folder / role
        own.mkdir()
        command = [sys.executable, "-m", "benchmarks.peers.queue", role]
        process = launch(command, own, PYTHONPATH=str(Path.cwd()))
        stack.callback(end, process.pid)


def waited(send: Callable[[str], object], path: Path) -> tuple[float, float]:
    """Send, and return how long that took and when the work began, in seconds after the beginning."""
    known = len(_lines(path))
    began = time.time()
    send(str(path))
    sent = time.time() - began
    while len(lines := _lines(path)) == known:
        if time.time() - began > MOST_SECONDS:
            raise SystemExit(f"nothing began within {MOST_SECONDS:g} s")
        time.sleep(0.001)
    return sent, float(lines[-1]) - began


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def measure(folder: Path, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Return what each turn took of the bare task and of the job."""
    from modelyard.control.jobs.services import submit
    from modelyard.control.tenancy.services import create_tenant

    tenant = create_tenant(name="bench", created_by="system:bench")
    bare = bare_app(os.environ["MODELYARD_BROKER_URL"])
    senders: dict[str, Callable[[str], object]] = {
        "bare Celery task": lambda path: bare.send_task("bench.note", args=[path]),
        "job": lambda path: submit(tenant=tenant, kind=KIND, payload={"path": path}, created_by="bench"),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in senders}
    moments = random.Random(0)
    for turn in range(rounds + 3):
        for name, send in senders.items():
            time.sleep(moments.uniform(0.2, 0.6))
            taken = waited(send, folder / f"{name}.txt")
            if turn >= 3:  # the first make connections
                found[name].append(taken)
    return found


def table(found: dict[str, list[tuple[float, float]]]) -> Table:
    """Show medians, and what a job takes more."""
    shown = Table(title="From submit to running, RabbitMQ and PostgreSQL, ms")
    for heading in ("what", "submit", "running: median", "95 %", "more than bare"):
        shown.add_column(heading, justify="left" if heading == "what" else "right")
    bare = statistics.median(running for _, running in found["bare Celery task"])
    for name, turns in found.items():
        sent, running = ([1000 * turn[place] for turn in turns] for place in (0, 1))
        median, most = statistics.median(running), statistics.quantiles(running, n=20)[-1]
        cells = [f"{statistics.median(sent):.1f}", f"{median:.1f}", f"{most:.1f}", f"{median - 1000 * bare:.1f}"]
        shown.add_row(name, *cells)
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60, help="turns that count")
    given = parser.parse_args()
    for variable in [name for name in os.environ if name.startswith("MODELYARD_")]:
        del os.environ[variable]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        folder.chmod(0o755)
        servers(stack, folder)
        set_up()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        workers(stack, folder)
        Console().print(table(measure(folder, given.rounds)))


if __name__ == "__main__":
    main()
