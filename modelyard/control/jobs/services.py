"""Every write of a job: made, claimed, kept alive, split, completed, failed, cancelled.

The row is the truth. Who claims it gets a `token`; each later write names that token and the state, so that a worker
that froze, and lost its job to another, can write no more. Leases are counted by the database's clock alone.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Case, F, QuerySet, Value, When
from django.db.models.functions import Coalesce, Now

from modelyard.control.jobs.handlers import handler_for, is_repeatable
from modelyard.control.jobs.models import KEPT_LINES, Job, JobLimits, JobLine, State
from modelyard.control.jobs.outbox import announce
from modelyard.control.jobs.parts import Part as Part
from modelyard.control.jobs.parts import check_parts, columns_of, make_parts
from modelyard.control.jobs.transitions import (
    ask_to_cancel,
    cancel_parts,
    cancelled,
    end,
    held,
    lease_end,
    lock_above,
    part_ended,
    requeue,
)
from modelyard.control.tenancy.models import Scope, Tenant
from modelyard.control.tenancy.services import Actor, record, require
from modelyard.core.errors import (
    Cancelled,
    ChildFailed,
    Conflict,
    LimitExceeded,
    ModelyardError,
    NotFound,
    Unavailable,
)

MAX_ATTEMPTS = 3
MAX_LOSSES = 20
RETRY_GROWTH = 4
AGAIN = (Unavailable, LimitExceeded, ChildFailed)
"""Errors of ours after which a job is tried again, until no attempt is left: another try may fare better."""
CANCELLED_AT_ONCE = 100
"""Parts that whoever cancels waits for; the sweeper cancels the rest."""
SYSTEM = "system:jobs"


class LeaseLost(Exception):
    """The job is no longer this worker's: stop, and write nothing."""


class WorkFailed(ModelyardError):
    """The work itself failed, each time that it was tried; what it said is in the log."""

    code = "internal"


@dataclass(frozen=True, slots=True)
class Line:
    """What a run has said, for the job's log."""

    text: str
    level: str = JobLine.Level.INFO


def submit(
    *, tenant: Tenant, kind: str, payload: dict[str, Any], created_by: str, limits: JobLimits | None = None
) -> Job:
    """Make a job, with the message that announces it, in the caller's transaction.

    `limits` are less than the operator's, which hold without them.

    Raises:
        Misconfigured: when nobody does jobs of this kind.
        InvalidInput: when a limit is more than the operator's.
    """
    handler_for(kind)
    with transaction.atomic():
        job = Job.objects.create(tenant=tenant, kind=kind, payload=payload, created_by=created_by, **columns_of(limits))
        announce([job.pk])
    return job


def submit_in_parts(
    *, tenant: Tenant, kind: str, payload: dict[str, Any], parts: Sequence[Part], created_by: str
) -> tuple[Job, list[Job]]:
    """Make a job that waits for its parts from the start, and the parts, in the caller's transaction.

    A part may be another tenant's: then it is that tenant's own job, which may cancel it too.

    Raises:
        Misconfigured: when nobody does jobs of this kind, or of a part's.
    """
    handler_for(kind)
    check_parts(parts)
    with transaction.atomic():
        job = Job.objects.create(
            tenant=tenant,
            kind=kind,
            payload=payload,
            created_by=created_by,
            state=State.RUNNING,
            started_at=Now(),
            parts_made=len(parts),
            parts_open=len(parts),
        )
        return job, make_parts(job, parts, 0)


def again(job: Job, by: Actor) -> Job:
    """Make a new job that does what an ended one did.

    Raises:
        Conflict: when it has not ended, is a part of another, or is of a kind that cannot be repeated.
    """
    require(by, Scope.WRITE)
    with transaction.atomic():
        row = _found(job, by)
        if row.is_open:
            raise Conflict(f"the job is {row.state} still: wait for its end, or cancel it", state=row.state)
        if row.parent_id is not None and row.own_parent is None:
            raise Conflict("the operator asked for the job: ask for one of your own")
        if row.parent_id is not None:
            raise Conflict(f"the job is a part of {row.parent_id}: run that again", parent=str(row.parent_id))
        if not is_repeatable(row.kind):
            raise Conflict(f"jobs of the kind {row.kind!r} cannot be run again: ask anew for what it was to do")
        made = Job.objects.create(
            tenant=row.tenant,
            kind=row.kind,
            payload=row.payload,
            created_by=by.name,
            again_of=row,
            max_seconds=row.max_seconds,
            max_memory_bytes=row.max_memory_bytes,
            max_output_bytes=row.max_output_bytes,
        )
        announce([made.pk])
        details = {"kind": row.kind, "of": str(row.pk)}
        record(actor=by, verb="job.again", subject=f"job:{made.pk}", details=details)
    return made


def cancel(job: Job, by: Actor) -> Job:
    """End a job that is not wanted any more: at once while it is queued, else as soon as its worker has heard of it.

    Its parts are cancelled with it. A job whose outcome is committed first stays SUCCEEDED.

    Raises:
        Conflict: when it has ended.
    """
    require(by, Scope.WRITE)
    with transaction.atomic():
        row = _found(job, by)
        if not row.is_open:
            raise Conflict(f"the job has ended: it {_ENDED[row.state]}", state=row.state)
        if row.cancel_asked_at is None:
            ask_to_cancel(row, by.name)
            record(actor=by, verb="job.cancel", subject=f"job:{row.pk}", details={"kind": row.kind})
    if row.waits:
        cancel_parts(row, by.name, CANCELLED_AT_ONCE)
    return Job.objects.with_parts_progress().select_related("tenant").get(pk=row.pk)


_ENDED: dict[str, str] = {State.SUCCEEDED: "succeeded", State.FAILED: "failed", State.CANCELLED: "was cancelled"}


def _found(job: Job, by: Actor) -> Job:
    lock_above(job)
    row: Job | None = Job.objects.of(by.tenant).select_for_update().filter(pk=job.pk).first()
    if row is None:
        raise NotFound(f"there is no job {job.pk}")
    return row


def claim(job_id: UUID | str, worker: str) -> Job | None:
    """Take a queued job; None when somebody else has it, or it is done."""
    with transaction.atomic():
        taken = Job.objects.filter(pk=job_id, state=State.QUEUED).update(
            state=State.RUNNING,
            token=F("token") + 1,
            worker=worker[:100],
            lease_expires_at=lease_end(),
            started_at=Coalesce("started_at", Now()),
            progress=Case(When(parts_made__gt=0, then=F("progress")), default=Value(0.0)),
            message="",
            retry_at=None,
            rows_per_second=None,
            eta_seconds=None,
        )
        return Job.objects.select_related("tenant").get(pk=job_id) if taken else None


def heartbeat(job: Job) -> bool:
    """Prolong the lease; False when it is lost."""
    return bool(held(job).update(lease_expires_at=lease_end()))


def check(job: Job) -> None:
    """Let go on who holds the job.

    Raises:
        LeaseLost: when the job is no longer this worker's.
        Cancelled: when somebody asked to cancel it.
    """
    _mine(job, held(job).only("cancel_asked_at", "cancelled_by"))


def _locked(job: Job) -> Job:
    """Lock the row of a job that goes on; raises as `check` does."""
    return _mine(job, held(job).select_for_update())


def _mine(job: Job, rows: QuerySet[Job]) -> Job:
    row = rows.first()
    if row is None:
        raise LeaseLost(str(job.pk))
    if row.cancel_asked_at is not None:
        raise cancelled(row)
    return row


def report(job: Job, fraction: float, message: str, **facts: Any) -> None:
    """Say how far the work is, 0 to 1; `facts` are columns: rows_done, rows_total, rows_per_second, eta_seconds,
    metrics.

    Raises:
        LeaseLost: when the job is no longer this worker's.
        Cancelled: when somebody asked to cancel it.
    """
    progress = min(max(fraction, 0.0), 1.0)
    rows = held(job).filter(cancel_asked_at=None)
    if not rows.update(progress=progress, message=message[:200], **facts):
        check(job)


def tell_waiting(job_id: UUID, message: str, metrics: dict[str, Any]) -> None:
    """Say how far a job is that waits for its parts, as one of them sees it; the next says it anew."""
    waiting = Job.objects.waiting().filter(pk=job_id, cancel_asked_at=None)
    waiting.update(message=message[:200], metrics=metrics)


def write_lines(job: Job, lines: Sequence[Line], skipped: int = 0) -> None:
    """Append to the job's log, and forget its oldest lines; `skipped` were said before these, and are not kept.

    Who has ended the job may still write what was said until then.

    Raises:
        LeaseLost: when another worker has had the job since.
    """
    with transaction.atomic():
        rows = Job.objects.filter(pk=job.pk, token=job.token)
        if not rows.update(last_line=F("last_line") + skipped + len(lines)):
            raise LeaseLost(str(job.pk))
        last = rows.values_list("last_line", flat=True).get()
        first = last - len(lines) + 1
        JobLine.objects.bulk_create(
            JobLine(tenant_id=job.tenant_id, job=job, number=first + index, level=line.level, text=line.text)
            for index, line in enumerate(lines)
        )
        JobLine.objects.filter(job=job, number__lte=last - KEPT_LINES).delete()


def split(job: Job, parts: Sequence[Part], *, fail_fast: bool = False) -> list[Job]:
    """Make parts of the job, and give it back until they have all ended: it holds no worker meanwhile.

    Then its handler runs once more, and sees them as `job.parts`. Whoever calls this returns: the job is not its any
    more. With `fail_fast` a part that fails, or is cancelled, cancels the others.

    Raises:
        LeaseLost: when the job is no longer this worker's.
        Cancelled: when somebody asked to cancel it.
    """
    check_parts(parts)
    with holding(job) as row:
        made = make_parts(job, parts, row.parts_made)
        count = row.parts_made + len(parts)
        held(job).update(
            worker="",
            lease_expires_at=None,
            parts_made=count,
            parts_open=len(parts),
            fail_fast=fail_fast,
            message="",
            rows_per_second=None,
            eta_seconds=None,
        )
    job.parts_open = len(parts)
    return made


@contextmanager
def holding(job: Job) -> Iterator[Job]:
    """Lock the job's row before whatever the block locks, as the order of locks has it: one transaction, in which its
    holder may split it.

    Raises:
        LeaseLost: before the block, when the job is no longer this worker's.
        Cancelled: before the block, when somebody asked to cancel it.
    """
    _before_end(job)
    # Not again in the block: the thread that writes the log would wait for the row, and we for that thread.
    before, job.before_end = job.before_end, None
    try:
        with transaction.atomic():
            yield _locked(job)
    finally:
        job.before_end = before


@contextmanager
def completing(job: Job, outcome: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Make what the block writes, and the job's success, one transaction that only the lease's holder can commit.

    The block may still fill `outcome`, which it is given. In the block the job's row is locked, so that neither the
    sweeper nor another worker can come between, and who would cancel it comes too late.

    Raises:
        LeaseLost: before the block, when the job is no longer this worker's.
        Cancelled: before the block, when somebody asked to cancel it.
    """
    _before_end(job)
    with transaction.atomic():
        lock_above(job)
        _locked(job)
        yield outcome
        done = held(job).update(
            state=State.SUCCEEDED,
            outcome=outcome,
            error=None,
            progress=1,
            message="",
            eta_seconds=None,
            lease_expires_at=None,
            finished_at=Now(),
        )
        if not done:
            raise LeaseLost(str(job.pk))
        part_ended(job)
    job.state, job.outcome = State.SUCCEEDED, outcome


def _before_end(job: Job) -> None:
    if job.before_end is not None:
        job.before_end()


def finish(job: Job, outcome: dict[str, Any]) -> None:
    """Complete a job that has no rows to write; nothing is done for one that its handler completed, or split.

    Raises:
        LeaseLost: when the job is no longer this worker's.
        Cancelled: when somebody asked to cancel it.
    """
    if job.state != State.SUCCEEDED and not job.parts_open:
        with completing(job, outcome):
            pass


def tell_after(job: Job, **facts: Any) -> None:
    """Say in the outcome of a job that has ended what has become of it since, in the caller's transaction."""
    row = Job.objects.select_for_update().get(pk=job.pk)
    if not row.is_open:
        Job.objects.filter(pk=row.pk).update(outcome={**(row.outcome or {}), **facts})


def fail(job: Job, error: BaseException) -> None:
    """Write down that a run failed: for good if a `ModelyardError` says why or no attempt is left; else once more.

    Those of `AGAIN` are tried again as well.

    Raises:
        LeaseLost: when the job is no longer this worker's.
    """
    with transaction.atomic():
        lock_above(job)
        if not held(job).select_for_update().exists():
            raise LeaseLost(str(job.pk))
        attempts = job.attempts + 1
        final = attempts >= MAX_ATTEMPTS or not isinstance(error, AGAIN)
        if isinstance(error, Cancelled):
            end(job, error)
        elif isinstance(error, ModelyardError) and final:
            end(job, error, attempts=attempts)
        elif attempts >= MAX_ATTEMPTS:
            said = f"the work failed {attempts} times and is not tried again; the last time with {type(error).__name__}"
            end(job, WorkFailed(said, attempts=attempts), attempts=attempts)
        else:
            requeue(job, settings.MODELYARD.job_retry_seconds * RETRY_GROWTH ** (attempts - 1), attempts=attempts)
    _stop_others(job)


def lose(job: Job, *, overdue: bool = True) -> bool:
    """Queue a job again that its worker lost, or end it after 20 losses; False if it came back to life.

    With `overdue` only if its lease ran out; without, the worker itself gives up, since the database failed it.
    """
    with transaction.atomic():
        lock_above(job)
        mine = held(job).filter(lease_expires_at__lt=Now()) if overdue else held(job)
        if not mine.select_for_update().exists():
            return False
        losses = job.losses + 1
        if losses >= MAX_LOSSES:
            said = f"{losses} workers in turn were lost while they did this work: it is not tried again"
            end(job, Unavailable(said, losses=losses), losses=losses)
        else:
            requeue(job, losses=losses)
    _stop_others(job)
    return True


def release(job: Job) -> None:
    """Give back a job that this worker will not finish, since it stops; that counts against nobody."""
    with transaction.atomic():
        lock_above(job)
        if held(job).select_for_update().exists():
            requeue(job)


def _stop_others(job: Job) -> None:
    """Cancel the other parts where one that failed shall end them all. The sweeper does it if we are killed here."""
    if job.state == State.FAILED and job.parent_id is not None:
        parent = Job.objects.waiting().filter(pk=job.parent_id, fail_fast=True).first()
        if parent is not None:
            cancel_parts(parent, SYSTEM, CANCELLED_AT_ONCE)
