"""The housekeeper: what must happen again and again. Several may run, they share by row locks."""

import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from django.conf import settings
from django.db import DatabaseError, connection

from modelyard.config import folders
from modelyard.config.celery import tell
from modelyard.config.waking import waker
from modelyard.control.deployments import publisher, served_bytes
from modelyard.control.jobs.relay import relay
from modelyard.control.jobs.sweeper import sweep
from modelyard.control.registry import uploads
from modelyard.control.registry.storage import SCRATCH, serving_store, store
from modelyard.control.schedules import tending
from modelyard.control.tenancy import sign_ins

log = structlog.get_logger(__name__)

TICK_SECONDS = 0.2
"""How long a job waits for its message where nothing wakes the housekeeper."""
LONGEST_PAUSE_SECONDS = 5.0
MOST_DOUBLINGS = 10
"""Past them the pause is at its longest, and two to the power of all failures would be no float any more."""
DRAFT_SECONDS = 3600
UPLOAD_SECONDS = 24 * 3600


@dataclass
class Chore:
    """Something to do every `seconds`; after a failure it waits, longer each time, and the others go on.

    What is `prompt` is also done as soon as the housekeeper is woken, if it did not fail last time.
    """

    name: str
    seconds: float
    do: Callable[[], object]
    due: float = 0.0
    failures: int = field(default=0)
    prompt: bool = False

    def tick(self, now: float, woken: bool = False) -> None:
        if now < self.due and not (woken and self.prompt and not self.failures):
            return
        try:
            self.do()
        except Exception as error:
            self.failures += 1
            pause = self.seconds * 2 ** min(self.failures, MOST_DOUBLINGS)
            pause = min(pause, max(LONGEST_PAUSE_SECONDS, self.seconds))
            level = log.warning if isinstance(error, DatabaseError) else log.error
            level("chore_failed", chore=self.name, failures=self.failures, pause_seconds=pause, exc_info=error)
            connection.close()
        else:
            if self.failures:
                log.info("chore_works_again", chore=self.name, failures=self.failures)
            self.failures, pause = 0, self.seconds
        self.due = time.monotonic() + pause


def chores() -> list[Chore]:
    """Return all that there is to do."""
    return [
        Chore("relay", TICK_SECONDS, lambda: relay(tell), prompt=True),
        Chore("publish", TICK_SECONDS, publisher.publish_pending),
        Chore("sweep", 1.0, sweep),
        Chore("schedules", 0.5, tending.turn),
        Chore("mend", 10.0, publisher.reconcile),
        Chore("leftovers", 60.0, sweep_leftovers),
        Chore("restore", 300.0, served_bytes.restore),
        Chore("documents", 300.0, publisher.sweep),
        Chore("served", 3600.0, served_bytes.sweep),
        Chore("artifacts", 600.0, uploads.sweep),
        Chore("sign-ins", 600.0, sign_ins.sweep),
        Chore("connection", 60.0, connection.close),
        Chore("runs", 600.0, tending.sweep),
        Chore("orphans", 3600.0, uploads.adopt),
    ]


def tend(stop: threading.Event, work: Iterable[Chore] | None = None) -> None:
    """Do the chores until `stop` is set.

    It is asked, never waited for: `run` has it set by a signal handler, in this very thread, which would wait for ever
    for the lock that `Event.wait` holds for a moment.
    """
    rounds = list(chores() if work is None else work)
    log.info("tend_started", chores=[chore.name for chore in rounds])
    woken, waiting = False, waker()
    while not stop.is_set():
        for chore in rounds:
            if stop.is_set():
                break
            chore.tick(time.monotonic(), woken)
        woken = waiting.wait(TICK_SECONDS)
    waiting.close()
    connection.close()
    log.info("tend_stopped")


def run() -> None:
    """Be the housekeeper's process until SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    tend(stop)


def sweep_leftovers() -> int:
    """Delete files that killed processes left: messages taken or half written, uploads cut off, and scratch."""
    home: Path = settings.MODELYARD.home
    count = _delete_older(home / folders.TAKEN, "*", DRAFT_SECONDS)
    count += _delete_older(home / folders.MESSAGES, "*.draft", DRAFT_SECONDS)
    count += _delete_older(home / folders.UPLOADS, "*", UPLOAD_SECONDS)
    count += _delete_older(home / SCRATCH, "*", UPLOAD_SECONDS)
    return count + sum(place.sweep() for place in (store(), serving_store()) if place is not None)


def _delete_older(folder: Path, pattern: str, seconds: float) -> int:
    count, before = 0, time.time() - seconds
    for path in folder.glob(pattern):
        try:
            if path.stat().st_mtime < before:
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
                count += 1
        except OSError:
            continue
    return count
