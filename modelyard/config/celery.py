"""The queue's application, and the worker process."""

import os
import threading
import warnings
from typing import Any

from celery import Celery
from celery.platforms import SecurityWarning
from celery.signals import worker_shutting_down

from modelyard.config.folders import lay_out

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "modelyard.config.settings")

app = Celery("modelyard")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

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

    lay_out(os.environ)
    worker_shutting_down.connect(stopping, weak=False)
    # Celery warns root of pickled messages; ours are JSON, and `modelyard doctor` speaks of root.
    warnings.simplefilter("ignore", SecurityWarning)
    arguments = ["--quiet", "worker", "--pool", "threads", "--concurrency", str(concurrency), "--loglevel", "WARNING"]
    app.worker_main([*arguments, "--without-gossip", "--without-mingle", "--without-heartbeat"])


def _give_back() -> None:
    # Only in a worker that runs is Django set up, as the jobs' own modules need it.
    from modelyard.control.jobs.work import give_back

    give_back()
