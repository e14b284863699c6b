"""How a job's row goes from one state to the next, within the transactions of `services`.

Rows are locked from the top: a transaction that may end a job locks first those of which it is a part
(`lock_above`), then the job, then what its handler writes, the tenant's audit log last. Whoever cancels a job lets go
of its row before the parts are asked for.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, QuerySet
from django.db.models.functions import Coalesce, Now

from modelyard.control.jobs.handlers import handler_for
from modelyard.control.jobs.models import OPEN, PARTS_SHARE, Job, State
from modelyard.control.jobs.outbox import announce
from modelyard.control.tenancy.audit import plain
from modelyard.core.errors import Cancelled, ModelyardError

log = structlog.get_logger(__name__)


def held(job: Job) -> QuerySet[Job]:
    """Return the job's row if it is still its worker's; a job that waits for its parts is nobody's."""
    return Job.objects.filter(pk=job.pk, token=job.token, state=State.RUNNING, lease_expires_at__isnull=False)


def lock_above(job: Job) -> None:
    """Lock the jobs of which this one is a part, and of which those are, in the caller's transaction."""
    above: list[UUID] = []
    key = job.parent_id
    while key is not None:
        above.append(key)
        key = Job.objects.filter(pk=key).values_list("parent_id", flat=True).first()
    for key in reversed(above):
        Job.objects.select_for_update().filter(pk=key).values("pk").first()


def lease_end() -> ExpressionWrapper:
    """Return when a lease that is taken or prolonged now runs out."""
    length = timedelta(seconds=settings.MODELYARD.job_lease_seconds)
    return ExpressionWrapper(Now() + length, output_field=DateTimeField())


def ago(seconds: float) -> ExpressionWrapper:
    """Return the moment `seconds` before now, by the database's clock."""
    return ExpressionWrapper(Now() - timedelta(seconds=seconds), output_field=DateTimeField())


def cancelled(job: Job) -> Cancelled:
    """Return the error of a job that somebody asked to cancel."""
    return Cancelled(f"{job.cancelled_by or 'somebody'} cancelled it", by=job.cancelled_by)


def requeue(job: Job, pause_seconds: float = 0.0, **counts: int) -> None:
    """Queue the job again, with a new message, or, after a pause, with that which the sweeper sends; the next claim's
    token shuts this holder out. One that somebody asked to cancel ends instead."""
    row = held(job).only("cancel_asked_at", "cancelled_by").get()
    if row.cancel_asked_at is not None:
        end(job, cancelled(row), None, **counts)
        return
    told: dict[str, Any] = {"retry_at": None}
    if pause_seconds:
        told = {"retry_at": ago(-pause_seconds), "message": f"it failed, and is tried again after {pause_seconds:g} s"}
    held(job).update(state=State.QUEUED, worker="", lease_expires_at=None, sent_at=None, **told, **counts)
    if not pause_seconds:
        announce([job.pk])


def end(job: Job, error: ModelyardError, rows: QuerySet[Job] | None = None, **counts: int) -> None:
    """Make the job FAILED, or CANCELLED where that is the error, with what its handler writes about it.

    `rows` finds the job where it is no worker's.
    """
    message = plain(error.message).encode("utf-8", "replace").decode()  # maybe a stranger's words
    said = {"code": error.code, "message": message, "details": plain(error.details)}
    state = State.CANCELLED if isinstance(error, Cancelled) else State.FAILED
    (held(job) if rows is None else rows).update(
        state=state, error=said, lease_expires_at=None, finished_at=Now(), message="", eta_seconds=None, **counts
    )
    job.state, job.error = state, said
    try:
        with transaction.atomic():
            handler_for(job.kind).failed(job, error)
    except (OperationalError, InterfaceError):
        raise
    except Exception as fault:
        # The job must end all the same: otherwise it would come back for ever, and hold up the sweeper each time.
        log.error("job_failure_not_followed_up", job=str(job.pk), kind=job.kind, exc_info=fault)
    part_ended(job)


def part_ended(job: Job) -> None:
    """Tell the job's parent, if it has one, in the transaction that ends the job."""
    if job.parent_id is not None:
        waiting = Job.objects.waiting().filter(pk=job.parent_id, parts_open__gt=0)
        if waiting.update(parts_open=F("parts_open") - 1):
            resume(job.parent_id)


def resume(parent: UUID) -> bool:
    """Queue a job again whose parts have all ended, or end it if somebody asked to cancel it; False if neither.

    What is above it is locked already.
    """
    rows = Job.objects.waiting().filter(pk=parent, parts_open=0)
    job = rows.select_for_update().first()
    if job is None:
        return False
    if job.cancel_asked_at is not None:
        end(job, cancelled(job), rows)
        return True
    done = F("progress") + (1 - F("progress")) * PARTS_SHARE
    rows.update(state=State.QUEUED, sent_at=None, progress=done, message="")
    announce([parent])
    return True


def ask_to_cancel(job: Job, by: str) -> None:
    """Cancel a job whose row the caller has locked: at once if nobody runs it, else its worker is told.

    One that waits ends with the last of its parts.
    """
    Job.objects.filter(pk=job.pk).update(
        cancel_asked_at=Coalesce("cancel_asked_at", Now()), cancelled_by=job.cancelled_by or by[:150]
    )
    job.cancelled_by = job.cancelled_by or by[:150]
    if job.state == State.QUEUED:
        end(job, cancelled(job), Job.objects.filter(pk=job.pk, state=State.QUEUED))


def cancel_parts(job: Job, by: str, most: int) -> int:
    """Cancel what has not ended of the parts of a job that waits, each in a transaction of its own; return how many.

    `most` bounds how many of them at once: the sweeper goes on with the others.
    """
    parts = Job.objects.filter(parent=job, state__in=OPEN, cancel_asked_at=None).order_by("part")
    count = 0
    for key in list(parts.values_list("pk", flat=True)[:most]):
        with transaction.atomic():
            lock_above(Job(pk=key, parent=job))
            part = Job.objects.select_for_update().get(pk=key)
            if part.is_open:
                ask_to_cancel(part, by)
                count += 1
        if part.waits:
            count += cancel_parts(part, by, most)
    return count
