"""The workers of `benchmarks.submitting`: `python -m benchmarks.peers.queue bare|worker|tend`.

Each notes when its task begins, as a line in the file that it is told: `bare` in a Celery task, `worker` in a job.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

from celery import Celery
from kombu import Exchange, Queue

KIND, BARE = "bench", "bare"


def bare_app(url: str) -> Celery:
    """Return Celery as we set it up, on a queue of its own: a quorum queue, publisher confirms, JSON."""
    from modelyard.config.broker import options
    from modelyard.core.settings import Settings

    given = options(Settings.read({}, broker_url=url))
    arguments = given["task_queues"][0].queue_arguments
    given["task_queues"] = [Queue(BARE, Exchange(BARE, "topic"), routing_key=BARE, queue_arguments=arguments)]
    app = Celery(BARE)
    app.conf.update({**given, **{f"task_default_{word}": BARE for word in ("queue", "exchange", "routing_key")}})
    app.task(note, name="bench.note")
    return app


def note(path: str) -> None:
    """Write down that the work begins now."""
    with Path(path).open("a") as file:
        file.write(f"{time.time()}\n")


class Noting:
    """Does jobs of the kind "bench"."""

    def run(self, job: Any, report: Any) -> dict[str, Any]:
        note(job.payload["path"])
        return {}

    def failed(self, job: Any, error: Any) -> None:
        """Nothing follows."""


def set_up() -> None:
    """Set up Django on the servers that the environment names, with the benchmark's kind of job."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "modelyard.config.settings"
    from modelyard.config.folders import lay_out

    lay_out(os.environ)
    import django

    django.setup()
    from modelyard.control.jobs.handlers import register

    register(KIND, Noting())


def main(role: str) -> None:
    if role == BARE:
        flags = ["--pool", "threads", "--concurrency", "2", "--without-gossip", "--without-mingle"]
        bare_app(os.environ["MODELYARD_BROKER_URL"]).worker_main(["--quiet", "worker", *flags, "--without-heartbeat"])
        return
    set_up()
    if role == "tend":
        from modelyard.config.tend import run

        run()
    else:
        from modelyard.config.celery import run_worker

        run_worker(2)


if __name__ == "__main__":
    main(sys.argv[1])
