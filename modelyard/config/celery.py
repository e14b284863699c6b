"""The queue's application, and the worker process."""

import os
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from celery import Celery
from celery.platforms import SecurityWarning
from celery.signals import worker_ready, worker_shutting_down
from django.conf import settings
from structlog import get_logger

from modelyard.config import broker
from modelyard.config.broker import ANSWER_SECONDS, QUEUE, options, sending
from modelyard.config.folders import make_folders

log = get_logger(__name__)

OWN_SETTINGS = "modelyard.config.settings"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", OWN_SETTINGS)

app = Celery("modelyard", set_as_current=os.environ["DJANGO_SETTINGS_MODULE"] == OWN_SETTINGS)
"""In a project it is not the current one: that may be the project's own."""
app.add_defaults(lambda: options(settings.MODELYARD))
app.autodiscover_tasks(lambda: [name for name in settings.INSTALLED_APPS if name.startswith("modelyard.")])


class Sender:
    """Tells the broker that there is work, and waits for no answer longer than it must.

    It keeps one connection of its own, and drops it after any fault: a late answer on it would be taken for that to the
    next message. (A pool of connections does not recover from one that a frozen broker holds.)

    A broker may come back from a power cut with a queue that takes nothing any more. (RabbitMQ 3.10 loses where the
    log of a young quorum queue lies: it has no leader then, or no process.) A queue that has refused for
    `broker.QUEUE_PATIENCE_SECONDS` is deleted, and the next message declares it: the jobs' rows hold the truth, and the
    sweeper announces them again.
    """

    def __init__(self, given: Callable[[], dict[str, Any]]) -> None:
        self._app = Celery("modelyard-sender", set_as_current=False)
        self._app.add_defaults(given)
        self._connection: Any = None
        self._refused_since: float | None = None
        self._lock = threading.Lock()

    def tell(self, job_id: str) -> None:
        """Tell of the job; raises when the broker does not confirm that it has kept the message."""
        with self._lock:
            try:
                self._connect()
                told = {"connection": self._connection, "confirm_timeout": ANSWER_SECONDS}
                self._app.send_task("modelyard.work", args=[job_id], **told)
                self._refused_since = None
            except BaseException:
                self.close()
                self._lose_patience()
                raise

    def _connect(self) -> None:
        """Connect where there is no connection; whoever does not let us in refuses no message."""
        if self._connection is None:
            since, self._refused_since = self._refused_since, None
            self._connection = self._app.connection_for_write()
            self._connection.connect()
            self._refused_since = since or time.monotonic()

    def _lose_patience(self) -> None:
        since = self._refused_since
        if since is None or time.monotonic() - since < broker.QUEUE_PATIENCE_SECONDS:
            return
        self._refused_since = None
        with suppress(Exception), self._app.connection_for_write() as connection:
            connection.default_channel.queue_delete(QUEUE)
            log.error("queue_deleted", queue=QUEUE, reason="it took no message", seconds=time.monotonic() - since)

    def close(self) -> None:
        """Drop the connection; the next message makes another."""
        dropped, self._connection = self._connection, None
        if dropped is not None:
            with suppress(Exception):
                dropped.collect(socket_timeout=1.0)


tell = Sender(lambda: sending(settings.MODELYARD)).tell


PATIENCE_SECONDS = 20.0
"""How long a worker that is told to stop still lets its jobs end: less than supervisors wait before they kill."""


def run_worker(concurrency: int = 2, patience_seconds: float = PATIENCE_SECONDS) -> None:
    """Work until told to stop. Threads only: a job's own code runs in a child process of its own.

    A worker that stops takes no more jobs, and after `patience_seconds` gives back those that it still has, so that
    another goes on with them at once and nobody waits for a lease to run out.
    """

    def stopping(**_: Any) -> None:
        # A timer's thread: this runs in a signal handler.
        timer = threading.Timer(patience_seconds, _give_back)
        timer.daemon = True
        timer.start()

    make_folders(settings.MODELYARD)
    worker_ready.connect(_prepare, weak=False)
    worker_shutting_down.connect(stopping, weak=False)
    # Celery warns root of pickled messages; ours are JSON, and `modelyard doctor` speaks of root.
    warnings.simplefilter("ignore", SecurityWarning)
    arguments = ["--quiet", "worker", "--pool", "threads", "--concurrency", str(concurrency), "--loglevel", "WARNING"]
    app.worker_main([*arguments, "--without-gossip", "--without-mingle", "--without-heartbeat"])


def _prepare(**_: Any) -> None:
    from modelyard.control.scoring.kept import prepare

    prepare()


def _give_back() -> None:
    # Only in a worker that runs is Django set up, as the jobs' own modules need it.
    from modelyard.control.jobs.work import give_back

    give_back()
