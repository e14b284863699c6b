"""How soon `modelyard up` answers, on a new home with the demo and on one that is there, and how soon it has ended.

Seconds, not ratios: what they hold is the machine's. The processor's time, of all processes together, is less so.
"""

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import httpx2
from rich.console import Console
from rich.table import Table

from benchmarks.scoring import used_seconds
from tests.servers.modelyard import up

ROW = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    found: dict[str, list[float]] = defaultdict(list)
    for _ in range(given.rounds):
        with tempfile.TemporaryDirectory(prefix="modelyard-bench-") as folder:
            _round(Path(folder) / "home", found)
    table = Table("", title="Starting and ending", title_justify="left")
    for column in ("median, s", "least", "most"):
        table.add_column(column, justify="right")
    for what, seconds in found.items():
        table.add_row(what, *(f"{one:.2f}" for one in (statistics.median(seconds), min(seconds), max(seconds))))
    Console(width=100).print(table)


def _round(home: Path, found: dict[str, list[float]]) -> None:
    key = ""
    for which in ("first", "second"):
        began = time.perf_counter()
        running = up(home)
        key = key or running.told["key"]
        try:
            answer = httpx2.post(
                f"{running.url}/predict/iris",
                json={"rows": [ROW]},
                headers={"authorization": f"Bearer {key}"},
                trust_env=False,
            )
            found[f"{which} start, to an answer"].append(time.perf_counter() - began)
            answer.raise_for_status()
            found[f"{which} start, processor"].append(used_seconds(running.process.pid))
        finally:
            began = time.perf_counter()
            running.stop()
        found["Ctrl-C, to the end"].append(time.perf_counter() - began)


if __name__ == "__main__":
    main()
