"""Every write of a job: made, claimed, kept alive, completed, failed.

The row is the truth. Who claims it gets a `token`; each later write names that token and the state, so that a worker
that froze, and lost its job to another, can write no more. Leases are counted by the database's clock alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, QuerySet
from django.db.models.functions import Coalesce, Now

from modelyard.control.jobs.handlers import handler_for
from modelyard.control.jobs.models import Job, Outbox, State
from modelyard.control.tenancy.audit import plain
from modelyard.control.tenancy.models import Tenant
from modelyard.core.errors import ModelyardError, Unavailable

log = structlog.get_logger(__name__)

MAX_ATTEMPTS = 3
MAX_LOSSES = 20


class LeaseLost(Exception):
    """The job is no longer this worker's: stop, and write nothing."""


class WorkFailed(ModelyardError):
    """The work itself failed, each time that it was tried; what it said is in the log."""

    code = "internal"


def submit(*, tenant: Tenant, kind: str, payload: dict[str, Any], created_by: str) -> Job:
    """Make a job, with the message that announces it, in the caller's transaction.

    Raises:
        Misconfigured: when nobody does jobs of this kind.
    """
    handler_for(kind)
    with transaction.atomic():
        job = Job.objects.create(tenant=tenant, kind=kind, payload=payload, created_by=created_by)
        Outbox.objects.create(job=job)
    return job


def claim(job_id: UUID | str, worker: str) -> Job | None:
    """Take a queued job; None when somebody else has it, or it is done."""
    with transaction.atomic():
        taken = Job.objects.filter(pk=job_id, state=State.QUEUED).update(
            state=State.RUNNING,
            token=F("token") + 1,
            worker=worker[:100],
            lease_expires_at=_lease_end(),
            started_at=Coalesce("started_at", Now()),
            progress=0,
            message="",
        )
        return Job.objects.select_related("tenant").get(pk=job_id) if taken else None


def heartbeat(job: Job) -> bool:
    """Prolong the lease; False when it is lost."""
    return bool(_held(job).update(lease_expires_at=_lease_end()))


def report(job: Job, fraction: float, message: str) -> None:
    """Say how far the work is, 0 to 1.

    Raises:
        LeaseLost: when the job is no longer this worker's.
    """
    if not _held(job).update(progress=min(max(fraction, 0.0), 1.0), message=message[:200]):
        raise LeaseLost(str(job.pk))


@contextmanager
def completing(job: Job, outcome: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Make what the block writes, and the job's success, one transaction that only the lease's holder can commit.

    The block may still fill `outcome`, which it is given. In the block the job's row is locked, so that neither the
    sweeper nor another worker can come between.

    Raises:
        LeaseLost: before the block, when the job is no longer this worker's.
    """
    with transaction.atomic():
        if not _held(job).select_for_update().exists():
            raise LeaseLost(str(job.pk))
        yield outcome
        done = _held(job).update(
            state=State.SUCCEEDED,
            outcome=outcome,
            error=None,
            progress=1,
            message="",
            lease_expires_at=None,
            finished_at=Now(),
        )
        if not done:
            raise LeaseLost(str(job.pk))
    job.state, job.outcome = State.SUCCEEDED, outcome


def finish(job: Job, outcome: dict[str, Any]) -> None:
    """Complete a job that has no rows to write, or was completed by its handler already.

    Raises:
        LeaseLost: when the job is no longer this worker's.
    """
    if job.state != State.SUCCEEDED:
        with completing(job, outcome):
            pass


def fail(job: Job, error: BaseException) -> None:
    """Write down that a run failed: for good if a `ModelyardError` says why or no attempt is left; else once more.

    `Unavailable` is tried again as well: it says itself that a later try may succeed.

    Raises:
        LeaseLost: when the job is no longer this worker's.
    """
    with transaction.atomic():
        if not _held(job).select_for_update().exists():
            raise LeaseLost(str(job.pk))
        attempts = job.attempts + 1
        final = attempts >= MAX_ATTEMPTS or not isinstance(error, Unavailable)
        if isinstance(error, ModelyardError) and final:
            _end(job, error, attempts=attempts)
        elif attempts >= MAX_ATTEMPTS:
            said = f"the work failed {attempts} times and is not tried again; the last time with {type(error).__name__}"
            _end(job, WorkFailed(said, attempts=attempts), attempts=attempts)
        else:
            _requeue(job, attempts=attempts)


def lose(job: Job, *, overdue: bool = True) -> bool:
    """Queue a job again that its worker lost, or end it after 20 losses; False if it came back to life.

    With `overdue` only if its lease ran out; without, the worker itself gives up, since the database failed it.
    """
    with transaction.atomic():
        held = _held(job).filter(lease_expires_at__lt=Now()) if overdue else _held(job)
        if not held.select_for_update().exists():
            return False
        losses = job.losses + 1
        if losses >= MAX_LOSSES:
            said = f"{losses} workers in turn were lost while they did this work: it is not tried again"
            _end(job, Unavailable(said, losses=losses), losses=losses)
        else:
            _requeue(job, losses=losses)
    return True


def release(job: Job) -> None:
    """Give back a job that this worker will not finish, since it stops; that counts against nobody."""
    with transaction.atomic():
        if _held(job).select_for_update().exists():
            _requeue(job)


def _held(job: Job) -> QuerySet[Job]:
    return Job.objects.filter(pk=job.pk, token=job.token, state=State.RUNNING)


def _lease_end() -> ExpressionWrapper:
    length = timedelta(seconds=settings.MODELYARD.job_lease_seconds)
    return ExpressionWrapper(Now() + length, output_field=DateTimeField())


def ago(seconds: float) -> ExpressionWrapper:
    """Return the moment `seconds` before now, by the database's clock."""
    return ExpressionWrapper(Now() - timedelta(seconds=seconds), output_field=DateTimeField())


def _requeue(job: Job, **counts: int) -> None:
    """Queue the job again, with a new message; the next claim's token shuts this holder out."""
    _held(job).update(state=State.QUEUED, worker="", lease_expires_at=None, sent_at=None, **counts)
    Outbox.objects.create(job_id=job.pk)


def _end(job: Job, error: ModelyardError, **counts: int) -> None:
    """Make the job FAILED, with what its handler writes about it."""
    said = {"code": error.code, "message": error.message, "details": plain(error.details)}
    ended: datetime | Any = Now()
    _held(job).update(state=State.FAILED, error=said, lease_expires_at=None, finished_at=ended, message="", **counts)
    job.state, job.error = State.FAILED, said
    try:
        with transaction.atomic():
            handler_for(job.kind).failed(job, error)
    except (OperationalError, InterfaceError):
        raise
    except Exception as fault:
        # The job must end all the same: otherwise it would come back for ever, and hold up the sweeper each time.
        log.error("job_failure_not_followed_up", job=str(job.pk), kind=job.kind, exc_info=fault)
