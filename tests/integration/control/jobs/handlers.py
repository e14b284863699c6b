"""Handlers for the tests of jobs, and the processes that run them: `python handlers.py worker` or `tend`."""

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SLOW_SECONDS = 3.0


class Summing:
    """Adds up what it is given, and writes one audit entry as its effect."""

    def __init__(self, seconds: float = 0) -> None:
        self.seconds = seconds

    def run(self, job: Any, report: Callable[[float, str], None]) -> dict[str, Any]:
        from modelyard.control.jobs.services import completing
        from modelyard.control.tenancy.services import record, system_actor

        report(0.5, f"adding {len(job.payload['numbers'])} numbers")
        if "started" in job.payload:
            with Path(job.payload["started"]).open("a") as file:
                file.write(f"{os.getpid()}\n")
        time.sleep(self.seconds)
        with completing(job, {"sum": sum(job.payload["numbers"])}) as outcome:
            outcome["token"] = job.token
            record(actor=system_actor(job.tenant, "test"), verb="job.effect", subject=f"job:{job.pk}")
        return {}

    def failed(self, job: Any, error: Any) -> None:
        from modelyard.control.tenancy.services import record, system_actor

        details = {"code": error.code}
        record(actor=system_actor(job.tenant, "test"), verb="job.failed", subject=f"job:{job.pk}", details=details)


class Raising(Summing):
    """Raises what it was made with."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def run(self, job: Any, report: Callable[[float, str], None]) -> dict[str, Any]:
        raise self.error


def be_process(role: str) -> None:
    """Run the worker or the housekeeper on the database that the test names."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "modelyard.config.settings"
    from django.conf import settings

    from modelyard.config.folders import lay_out

    lay_out(os.environ)

    if "TEST_SQLITE" in os.environ:
        settings.DATABASES["default"]["NAME"] = os.environ["TEST_SQLITE"]
    import django

    django.setup()
    from modelyard.control.jobs.handlers import register

    register("sum", Summing())
    register("slow", Summing(SLOW_SECONDS))
    if "TEST_QUEUE_PATIENCE_SECONDS" in os.environ:
        from modelyard.config import broker

        broker.QUEUE_PATIENCE_SECONDS = float(os.environ["TEST_QUEUE_PATIENCE_SECONDS"])
    if role == "worker":
        from modelyard.config.celery import run_worker

        run_worker(2)
    elif role == "impatient worker":
        from modelyard.config.celery import run_worker

        run_worker(2, patience_seconds=0.1)
    elif role == "tend":
        from modelyard.config.tend import run

        run()
    elif role == "relay-and-die":
        from modelyard.config.celery import app  # noqa: F401
        from modelyard.control.jobs.relay import relay, send

        def send_and_die(job_id: str) -> None:
            send(job_id)
            os._exit(9)

        relay(send_and_die)
    threading.Event().set()


if __name__ == "__main__":
    be_process(sys.argv[1])
