"""What the jobs of the chaos do, and the processes that do them: `python -m tests.chaos.handlers worker`, or `tend`."""

import os
import select
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HANG = "import time\nwhile True: time.sleep(1)"
CRASH = "import ctypes; ctypes.string_at(0)"
DEVOUR = "import time; kept = []\nwhile True: kept.append(bytearray(16 << 20)); time.sleep(0.01)"


def target(child: str) -> tuple[str, dict[str, Any]]:
    """Return what a sandboxed child is made to do: Python that kills it, or, of no text, nothing but start and end."""
    return ("timeit:timeit", {"stmt": child, "number": 1}) if child else ("json:loads", {"s": "{}"})


class Working:
    """Does its work, some of it in a sandboxed child, and leaves one audit entry as its effect."""

    def run(self, job: Any, report: Any) -> dict[str, Any]:
        from modelyard.control.jobs.children import run_in_child
        from modelyard.control.jobs.services import completing
        from modelyard.control.tenancy.services import record, system_actor

        report(0.1, "working")
        if "started" in job.payload:
            with Path(job.payload["started"]).open("a") as file:
                file.write(f"{os.getpid()}\n")
        time.sleep(job.payload.get("seconds", 0))
        if "child" in job.payload:
            scratch = Path(tempfile.mkdtemp(prefix="chaos-"))
            try:
                run_in_child(job, *target(job.payload["child"]), read=[], scratch=scratch)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        with completing(job, {"token": job.token}):
            record(actor=system_actor(job.tenant, "chaos"), verb="job.effect", subject=f"job:{job.pk}")
        return {}

    def failed(self, job: Any, error: Any) -> None:
        """Nothing follows."""


def set_up() -> None:
    """Set up Django on the database that the environment names, with our kind of job."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "modelyard.config.settings"
    from modelyard.config.folders import lay_out

    lay_out(os.environ)
    import django

    django.setup()
    from modelyard.control.jobs.handlers import register

    register("chaos", Working())


def main(role: str) -> None:
    if "FAKETIME" in os.environ:
        # libfaketime cannot do what `time.sleep` asks of the system: clock_nanosleep until a monotonic time.
        time.sleep = lambda seconds: select.select([], [], [], seconds) and None  # type: ignore[assignment]
    set_up()
    if role == "worker":
        from modelyard.config.celery import run_worker

        run_worker(2)
    else:
        from modelyard.config.tend import run

        run()


if __name__ == "__main__":
    main(sys.argv[1])
