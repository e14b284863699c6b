"""The queue's application, and the worker process."""

import os
import warnings

from celery import Celery
from celery.platforms import SecurityWarning

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "modelyard.config.settings")

app = Celery("modelyard")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def run_worker(concurrency: int = 2) -> None:
    """Work until told to stop. Threads only: a job's own code runs in a child process of its own."""
    # Celery warns root of pickled messages; ours are JSON, and `modelyard doctor` speaks of root.
    warnings.simplefilter("ignore", SecurityWarning)
    arguments = ["--quiet", "worker", "--pool", "threads", "--concurrency", str(concurrency), "--loglevel", "WARNING"]
    app.worker_main([*arguments, "--without-gossip", "--without-mingle", "--without-heartbeat"])
