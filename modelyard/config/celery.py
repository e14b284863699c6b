"""The queue's application, and the worker process."""

import os
import threading
import warnings
from typing import Any

from celery import Celery
from celery.platforms import SecurityWarning
from celery.signals import worker_shutting_down
from django.conf import settings

from modelyard.config.broker import options
from modelyard.config.folders import make_folders

OWN_SETTINGS = "modelyard.config.settings"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", OWN_SETTINGS)

app = Celery("modelyard", set_as_current=os.environ["DJANGO_SETTINGS_MODULE"] == OWN_SETTINGS)
"""In a project it is not the current one: that may be the project's own."""
app.add_defaults(lambda: options(settings.MODELYARD))
app.autodiscover_tasks(lambda: [name for name in settings.INSTALLED_APPS if name.startswith("modelyard.")])


def tell(job_id: str) -> None:
    """Tell our broker that there is work on the job."""
    app.send_task("modelyard.work", args=[job_id])


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
    worker_shutting_down.connect(stopping, weak=False)
    # Celery warns root of pickled messages; ours are JSON, and `modelyard doctor` speaks of root.
    warnings.simplefilter("ignore", SecurityWarning)
    arguments = ["--quiet", "worker", "--pool", "threads", "--concurrency", str(concurrency), "--loglevel", "WARNING"]
    app.worker_main([*arguments, "--without-gossip", "--without-mingle", "--without-heartbeat"])


def _give_back() -> None:
    # Only in a worker that runs is Django set up, as the jobs' own modules need it.
    from modelyard.control.jobs.work import give_back

    give_back()
