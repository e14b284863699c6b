"""One run of one job: claim it, keep its lease alive, do it, write down how it ended."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, close_old_connections, connection

from modelyard.control.jobs import services
from modelyard.control.jobs.handlers import handler_for, kinds
from modelyard.control.jobs.models import Job
from modelyard.control.jobs.reporting import Report
from modelyard.control.jobs.services import LeaseLost
from modelyard.core.errors import Cancelled, LimitExceeded, ModelyardError
from modelyard.sandbox.interruption import interrupted_by

log = structlog.get_logger(__name__)

BEATS_PER_LEASE = 6
LOOK_SECONDS = 0.5
"""How often a worker looks whether its job was cancelled, and writes what it said."""
DEAF_SECONDS = 10.0
"""How long a handler may go on that was told to stop; then its job ends without it."""

_stopped = threading.Event()
_running: dict[UUID, Job] = {}
"""The jobs of this process. Single operations on it are safe from any thread."""


def worker_name() -> str:
    """Return who works: host, process and thread."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}:{threading.get_native_id()}"


def perform_next() -> bool:
    """Do one queued job of a kind known here: that of the tenant that has had least. Raises nothing.

    Returns:
        False when there was none, none could be had, or this worker stops.
    """
    close_old_connections()
    job = None
    try:
        while job is None:
            job_id = None if _stopped.is_set() else Job.objects.next_up(kinds())
            if job_id is None:
                return False
            job = services.claim(job_id, worker_name())
    except DatabaseError as error:
        # The message is spent: the sweeper sends another.
        log.warning("next_job_not_taken", exc_info=error)
        connection.close()
        return False
    _do(job)
    return True


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
    except DatabaseError as error:
        log.error("job_not_taken", job=str(job_id), exc_info=error)
        close_old_connections()
        return True
    if job is not None:
        _do(job)
    return job is not None


def _do(job: Job) -> None:
    """Do a job that is this worker's. Raises nothing."""
    try:
        with structlog.contextvars.bound_contextvars(job=str(job.pk), tenant=job.tenant.name):
            _run(job)
    except LeaseLost:
        log.warning("job_lease_lost", job=str(job.pk))
    except Exception as error:
        log.error("job_not_written", job=str(job.pk), exc_info=error)
    finally:
        close_old_connections()


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
        with _kept_alive(job) as report, interrupted_by(report.check):
            if job.token > 1:
                report.log("its parts have ended" if job.parts_made else f"begun again: run {job.token}")
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
        log.info("job_waits_for_parts" if job.parts_open else "job_succeeded", kind=job.kind)
    finally:
        _running.pop(job.pk, None)


@contextmanager
def _kept_alive(job: Job) -> Iterator[Report]:
    """Prolong the lease from a thread of its own, which also looks whether the work is to go on, and writes what it
    has said."""
    stop, report = threading.Event(), Report(job)
    job.before_end = report.flush_lines
    thread = threading.Thread(target=_beat, args=(job, stop, report), name=f"heartbeat-{job.pk}", daemon=True)
    thread.start()
    try:
        yield report
    except LeaseLost:
        raise
    except BaseException as error:
        told = error.message if isinstance(error, ModelyardError) else f"it failed with {type(error).__name__}"
        report.log(told, "warning" if isinstance(error, Cancelled) else "error")
        raise
    finally:
        stop.set()
        thread.join()
        try:
            report.flush_lines()
        except (LeaseLost, DatabaseError) as error:
            log.warning("job_lines_not_written", job=str(job.pk), error=type(error).__name__)


def _beat(job: Job, stop: threading.Event, report: Report) -> None:
    pause = settings.MODELYARD.job_lease_seconds / BEATS_PER_LEASE
    began = beaten = time.monotonic()
    told = None
    try:
        while not stop.wait(min(LOOK_SECONDS, pause)):
            now = time.monotonic()
            try:
                if now - beaten >= pause:
                    beaten = now
                    services.heartbeat(job)
                services.check(job)
                if now - began > job.limits.seconds:
                    report.stop(LimitExceeded(f"it took longer than {job.limits.seconds:g} s"))
                report.flush()
            except (LeaseLost, Cancelled) as why:
                report.stop(why)
            except DatabaseError as error:
                log.warning("heartbeat_failed", job=str(job.pk), error=type(error).__name__)
                connection.close()
            if isinstance(report.stopped, LeaseLost):
                return
            told = told or (now if report.stopped else None)
            if told is not None and now - told > DEAF_SECONDS:
                _abandon(job, report)
                return
    finally:
        connection.close()


def _abandon(job: Job, report: Report) -> None:
    """Write down how the job ended whose handler does not hear that it is to stop; it is shut out from now on."""
    why = report.stopped
    log.error("job_abandoned", job=str(job.pk), kind=job.kind, seconds=DEAF_SECONDS)
    try:
        services.fail(job, why or LeaseLost())
    except LeaseLost:
        pass
    except DatabaseError as error:
        log.warning("job_not_abandoned", job=str(job.pk), error=type(error).__name__)
    report.stop(LeaseLost(str(job.pk)))
