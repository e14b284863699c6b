"""What a training child says while it works: lines in a file, since it has no other way out."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection

from modelyard.control.jobs.reporting import Report
from modelyard.control.jobs.services import LeaseLost
from modelyard.core.errors import ModelyardError
from modelyard.trainers.running import PROGRESS

Tell = Callable[[float, str, dict[str, Any]], None]
"""Is told what the child says: how far it is, 0 to 1, a few words, its metrics so far."""
LOOK_SECONDS = 0.25
MOST_BYTES = 1 << 20
"""Of one look; a child that says more is not followed beyond it until the next."""


def telling(report: Report, whole: float) -> Tell:
    """Return what hands on to a job's report, the child's fraction as a share of `whole`."""

    def tell(fraction: float, message: str, metrics: dict[str, Any]) -> None:
        report(whole * fraction, message, metrics=metrics)
        report.log(message)

    return tell


@contextmanager
def followed(folder: Path, tell: Tell) -> Iterator[None]:
    """Hand on what the child writes into `folder`, until the block ends."""
    stop = threading.Event()
    thread = threading.Thread(target=_follow, args=(folder / PROGRESS, tell, stop), name="training-progress")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _follow(path: Path, tell: Tell, stop: threading.Event) -> None:
    place, rest = 0, b""
    ended = False
    try:
        while not ended:
            ended = stop.wait(LOOK_SECONDS)
            place, rest, lines = _read(path, place, rest)
            for line in lines:
                _hand_on(line, tell)
    except (ModelyardError, LeaseLost):
        return  # it is not to go on, which whoever waits for the child is told as well
    finally:
        connection.close()  # this thread's own


def _read(path: Path, place: int, rest: bytes) -> tuple[int, bytes, list[bytes]]:
    """Return the whole lines that came since `place`. What lies there is a child's: a link is not followed."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return place, rest, []
    with os.fdopen(fd, "rb") as file:
        file.seek(place)
        data = file.read(MOST_BYTES)
    *lines, rest = (rest + data).split(b"\n")
    return place + len(data), rest[-MOST_BYTES:], lines


def _hand_on(line: bytes, tell: Tell) -> None:
    try:
        said: Any = json.loads(line)
        fraction, message, metrics = float(said["fraction"]), str(said["message"]), said["metrics"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return  # nonsense of a child's
    if fraction == fraction and isinstance(metrics, dict):
        tell(min(max(fraction, 0.0), 1.0), message, metrics)
