"""One run of one job: claim it, keep its lease alive, do it, write down how it ended."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections, connection

from modelyard.control.jobs import services
from modelyard.control.jobs.handlers import handler_for
from modelyard.control.jobs.models import Job
from modelyard.control.jobs.services import LeaseLost
from modelyard.core.errors import ModelyardError

log = structlog.get_logger(__name__)

BEATS_PER_LEASE = 6

_stopped = threading.Event()
_running: dict[UUID, Job] = {}
"""The jobs of this process. Single operations on it are safe from any thread."""


def worker_name() -> str:
    """Return who works: host, process and thread."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}:{threading.get_native_id()}"


def perform_next() -> None:
    """Do one queued job: that of the tenant that has had least. Raises nothing."""
    try:
        while (job_id := Job.objects.next_up()) is not None:
            if perform(job_id):
                return
    except DatabaseError as error:
        # The message is spent: the sweeper sends another.
        log.warning("next_job_not_found", exc_info=error)
        connection.close()


def perform(job_id: UUID | str) -> bool:
    """Do the job if it is still to be done, and this worker still works. Raises nothing: how it ended is in its row.

    Returns:
        False when somebody else has taken the job.

    When the database stays away, nothing is written, and the lease runs out: the sweeper brings the job back.
    """
    if _stopped.is_set():
        return True
    close_old_connections()
    try:
        job = services.claim(job_id, worker_name())
        if job is None:
            return False
        with structlog.contextvars.bound_contextvars(job=str(job.pk), tenant=job.tenant.name):
            _run(job)
    except LeaseLost:
        log.warning("job_lease_lost", job=str(job_id))
    except Exception as error:
        log.error("job_not_written", job=str(job_id), exc_info=error)
    finally:
        close_old_connections()
    return True


def give_back() -> int:
    """Queue again what this process still runs, since it stops, and take nothing more; return how many jobs it was.

    What its threads go on to do is shut out, as that of any worker that lost its job.
    """
    _stopped.set()
    given = list(_running.values())
    try:
        for job in given:
            services.release(job)
            log.info("job_given_back", job=str(job.pk), kind=job.kind)
    finally:
        connection.close()
    return len(given)


def _run(job: Job) -> None:
    log.info("job_started", kind=job.kind, token=job.token)
    _running[job.pk] = job
    try:
        with _kept_alive(job) as lost:

            def report(fraction: float, message: str) -> None:
                if lost.is_set():
                    raise LeaseLost(str(job.pk))
                services.report(job, fraction, message)

            outcome = handler_for(job.kind).run(job, report)
            services.finish(job, outcome)
    except LeaseLost:
        raise
    except (OperationalError, InterfaceError) as error:
        log.warning("job_database_failed", kind=job.kind, exc_info=error)
        close_old_connections()
        services.lose(job, overdue=False)
    except ModelyardError as error:
        log.info("job_refused", kind=job.kind, code=error.code)
        services.fail(job, error)
    except BaseException as error:
        # SystemExit among them: raised in a worker's thread, it would end the worker.
        log.error("job_attempt_failed", kind=job.kind, attempt=job.attempts + 1, exc_info=error)
        services.fail(job, error)
    else:
        log.info("job_succeeded", kind=job.kind)
    finally:
        _running.pop(job.pk, None)


@contextmanager
def _kept_alive(job: Job) -> Iterator[threading.Event]:
    """Prolong the lease from a thread of its own; the event is set once it is lost."""
    stop, lost = threading.Event(), threading.Event()
    thread = threading.Thread(target=_beat, args=(job, stop, lost), name=f"heartbeat-{job.pk}", daemon=True)
    thread.start()
    try:
        yield lost
    finally:
        stop.set()
        thread.join()


def _beat(job: Job, stop: threading.Event, lost: threading.Event) -> None:
    seconds = settings.MODELYARD.job_lease_seconds / BEATS_PER_LEASE
    try:
        while not stop.wait(seconds):
            try:
                if not services.heartbeat(job):
                    lost.set()
                    return
            except DatabaseError as error:
                log.warning("heartbeat_failed", job=str(job.pk), error=type(error).__name__)
                connection.close()
    finally:
        connection.close()
