"""Modelyard's data plane beside what people have, on one core: `make bench`.

The programs run in turns, each pinned to one core with the load on another, and every number is the median of the
turns. There is no pass mark: machines differ, ratios less so. Before anything is measured each must give the fitted
estimator's own answers.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from rich.console import Console
from rich.table import Table

from benchmarks import models
from tests.servers.programs import find
from tests.servers.shared import end, free_port, launch, wait_until

LUA = Path(__file__).with_name("load.lua")
CONNECTIONS = 32
BIN = Path(sys.executable).parent

Results = dict[str, list[dict[str, Any]]]
"""A program's name to what each of its turns gave."""


@dataclass(frozen=True)
class Contestant:
    """A running program."""

    name: str
    url: str
    answers: bool


def pinned(core: int, command: list[str]) -> list[str]:
    """Keep a program on one core, where that can be done and there are two."""
    if not shutil.which("taskset") or (os.cpu_count() or 1) < 2:
        return command
    return ["taskset", "-c", str(core), *command]


@contextmanager
def server(command: list[str], folder: Path, url: str, key: str, row: bytes, **environment: str) -> Iterator[None]:
    """Run a program until it answers, and end it afterwards."""
    folder.mkdir()
    process = launch(pinned(0, command), folder, **environment)
    try:
        wait_until(lambda: ask(url, key, row).status_code == 200, process, folder)
        yield
    finally:
        end(process.pid)


def ask(url: str, key: str, body: bytes) -> httpx2.Response:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    return httpx2.post(url, content=body, headers=headers)


def contestants(stack: ExitStack, folder: Path, iris: models.Iris) -> tuple[str, list[Contestant]]:
    """Start all programs; return the key, and them."""
    home = folder / "home"
    key = models.publish(iris, home)
    wrapped = folder / "iris.pkl"
    iris.save_pickle(wrapped)
    row = body_of(iris, 1)
    found = []

    def add(name: str, command: list[str], port: int, path: str, answers: bool, **environment: str) -> None:
        url = f"http://127.0.0.1:{port}{path}"
        own = folder / f"server-{len(found)}"
        stack.enter_context(server(command, own, url, key, row, PYTHONPATH=str(Path.cwd()), **environment))
        found.append(Contestant(name, url, answers))

    port = free_port()
    command = [str(BIN / "modelyard"), "serve", "--home", str(home), "--port", str(port)]
    add("modelyard serve", command, port, "/predict/iris", True)
    port = free_port()
    # Threads keep connections open, which the default worker does not: the peer's better side.
    command = [str(BIN / "gunicorn"), "-w", "1", "-k", "gthread", "--threads", "4", "-b", f"127.0.0.1:{port}"]
    command.append("benchmarks.peers.wrapper:application")
    add("Flask, gunicorn, pickle", command, port, "/predict", True, WRAPPED_MODEL=str(wrapped))
    port = free_port()
    command = [str(BIN / "uvicorn"), "--port", str(port), "--no-access-log", "--http", "httptools"]
    command.append("benchmarks.peers.constant:application")
    add("uvicorn, a constant", command, port, "/", False)
    return key, found


def body_of(iris: models.Iris, count: int) -> bytes:
    return json.dumps({"rows": iris.rows(count)}).encode()


def check(contestant: Contestant, key: str, iris: models.Iris, count: int) -> None:
    """Refuse to measure a program that answers something else than the fitted estimator."""
    given = ask(contestant.url, key, body_of(iris, count)).json()["predictions"]
    if given != iris.classes(count):
        raise SystemExit(f"{contestant.name} does not answer as the fitted estimator does")


def load(contestant: Contestant, key: str, body: Path, seconds: int) -> dict[str, Any]:
    """Load one program as fast as it answers."""
    command = [find("wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(LUA), contestant.url]
    environment = {**os.environ, "BENCH_KEY": key, "BENCH_BODY": str(body)}
    done = subprocess.run(pinned(1, command), env=environment, capture_output=True, text=True, check=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    result: dict[str, Any] = json.loads(line.removeprefix("RESULT "))
    return result


def measure(
    key: str, running: list[Contestant], body: Path, rounds: int, seconds: int
) -> dict[str, list[dict[str, Any]]]:
    """Load each in turn, `rounds` times, after one turn that does not count."""
    results: dict[str, list[dict[str, Any]]] = {contestant.name: [] for contestant in running}
    for turn in range(rounds + 1):
        for contestant in running:
            result = load(contestant, key, body, seconds)
            if turn:
                results[contestant.name].append(result)
    return results


def table(results: Results, count: int) -> Table:
    """Show medians, and the ratio to the slowest."""
    shown = Table(title=f"{count} row{'s' * (count > 1)} a request, {CONNECTIONS} connections, one core")
    for heading in ("program", "requests/s", "median ms", "p99 ms", "failed", "ratio"):
        shown.add_column(heading, justify="left" if heading == "program" else "right")
    speeds = {name: statistics.median(r["requests"] / r["seconds"] for r in turns) for name, turns in results.items()}
    slowest = min(speeds.values())
    for name, turns in sorted(results.items(), key=lambda item: -speeds[item[0]]):
        median, p99 = (statistics.median(turn[key] for turn in turns) for key in ("median_ms", "p99_ms"))
        failed = sum(turn["failed"] for turn in turns)
        shown.add_row(
            name, f"{speeds[name]:,.0f}", f"{median:.2f}", f"{p99:.2f}", str(failed), f"{speeds[name] / slowest:.1f}"
        )
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="turns that count")
    parser.add_argument("--seconds", type=int, default=3, help="of each turn")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 32], help="rows a request")
    given = parser.parse_args()
    for variable in [name for name in os.environ if name.startswith("MODELYARD_")]:
        del os.environ[variable]
    console = Console()
    iris = models.fit()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        key, running = contestants(stack, folder, iris)
        for count in given.rows:
            for contestant in running:
                if contestant.answers:
                    check(contestant, key, iris, count)
            body = folder / f"rows-{count}.json"
            body.write_bytes(body_of(iris, count))
            console.print(table(measure(key, running, body, given.rounds, given.seconds), count))


if __name__ == "__main__":
    main()
