"""How a run begins and ends, within the transactions of `services` and `tending`, which hold the schedule's row."""

from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from modelyard.control.jobs.models import Job, State
from modelyard.control.schedules.kinds import KINDS
from modelyard.control.schedules.models import Overlap, Run, RunState, Schedule
from modelyard.control.tenancy.models import Scope
from modelyard.control.tenancy.services import Actor, actor_for, actor_with, record, require, system_actor
from modelyard.core.errors import Forbidden, ModelyardError

log = structlog.get_logger(__name__)

MOST_WAITING = 10
SYSTEM = "schedules"
ENDED: dict[str, RunState] = {
    State.SUCCEEDED: RunState.SUCCEEDED,
    State.FAILED: RunState.FAILED,
    State.CANCELLED: RunState.CANCELLED,
}


def going(schedule: Schedule) -> bool:
    """Tell whether a run of the schedule waits or goes on; one whose job has ended does not."""
    open_ = Q(state=RunState.WAITING) | Q(state=RunState.STARTED, job__isnull=False, job__finished_at=None)
    return bool(schedule.runs.not_ended().filter(open_).exists())


def many_wait(schedule: Schedule) -> bool:
    """Tell whether as many runs wait as may."""
    return bool(schedule.runs.not_ended().filter(state=RunState.WAITING).count() >= MOST_WAITING)


def fault_of_ours(error: Exception) -> str:
    """Return what a schedule says of an error that is none of the caller's."""
    return f"it failed with {type(error).__name__}: the log tells more"


def begin(schedule: Schedule, **columns: Any) -> Run:
    """Make the run of a time or an arrival, and start it, unless the former one goes on.

    Where the one for whom the schedule acts has lost the right to, it is paused.
    """
    run = Run(tenant_id=schedule.tenant_id, schedule=schedule, **columns)
    try:
        actor = acting_for(schedule)
    except ModelyardError as error:
        run.state, run.reason = RunState.REFUSED, error.message
        _keep(run)
        stop(schedule, f"{error.message}; resume it, and it acts for you")
        return run
    if not going(schedule):
        return start(schedule, run, actor)
    if schedule.overlap == Overlap.SKIP:
        run.state, run.reason = RunState.SKIPPED, "the run before went on"
    elif many_wait(schedule):
        run.state, run.reason = RunState.SKIPPED, f"{MOST_WAITING} runs waited already"
    else:
        run.state = RunState.WAITING
    _keep(run)
    return run


def start(schedule: Schedule, run: Run, actor: Actor) -> Run:
    """Submit the job of a run; what refuses it is the run's reason, and counts as a failure."""
    body = {**schedule.body, **({"dataset": run.arrived} if run.dataset else {})}
    try:
        with transaction.atomic():
            run.job = KINDS[schedule.kind].submit(actor, body)
    except ModelyardError as error:
        run.state, run.reason = RunState.REFUSED, error.message
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.error("schedule_failed", schedule=schedule.pk, exc_info=error)
        run.state, run.reason = RunState.REFUSED, fault_of_ours(error)
    else:
        run.state = RunState.STARTED
    _keep(run)
    details = {"run": run.what, "job": str(run.job_id) if run.job_id else None, "refused": run.reason}
    record(actor=actor, verb="schedule.run", subject=f"schedule:{schedule.name}", details=details)
    if run.state == RunState.REFUSED:
        failed(schedule, run.reason)
    return run


def finish(schedule: Schedule, run: Run, job: Job | None) -> None:
    """Write down how the job of a run ended."""
    run.state = ENDED[job.state] if job else RunState.CANCELLED
    run.reason = "its job is gone" if job is None else (job.error or {}).get("message", "")
    Run.objects.filter(pk=run.pk).update(state=run.state, reason=run.reason, ended_at=Now())
    if run.state == RunState.FAILED:
        failed(schedule, run.reason)
    elif run.state == RunState.SUCCEEDED:
        Schedule.objects.filter(pk=schedule.pk).update(failures=0)


def failed(schedule: Schedule, reason: str) -> None:
    """Count a failure; the last that is allowed in a row pauses the schedule."""
    Schedule.objects.filter(pk=schedule.pk).update(failures=F("failures") + 1)
    schedule.failures += 1
    if schedule.failures >= schedule.max_failures and not schedule.is_paused:
        runs = "a run failed" if schedule.failures == 1 else f"{schedule.failures} runs in a row failed"
        stop(schedule, f"{runs}, the last with: {reason}")


def stop(schedule: Schedule, reason: str, by: Actor | None = None) -> None:
    """Pause the schedule; what waits is not started any more."""
    actor = by or system_actor(schedule.tenant, SYSTEM)
    Schedule.objects.filter(pk=schedule.pk).update(paused_at=Now(), paused_by=actor.name, paused_reason=reason)
    schedule.runs.filter(state=RunState.WAITING).update(
        state=RunState.SKIPPED, reason="the schedule was paused", ended_at=Now()
    )
    details = {"reason": reason}
    record(actor=actor, verb="schedule.pause", subject=f"schedule:{schedule.name}", details=details)


def acting_for(schedule: Schedule) -> Actor:
    """Return in whose name the schedule acts, as that one is now.

    Raises:
        Forbidden: when the key, the membership or the right to write has ended.
    """
    name = schedule.acts_for
    try:
        if schedule.key is not None:
            actor = actor_with(schedule.key)
        elif schedule.user is not None:
            actor = actor_for(schedule.user, schedule.tenant.name)
        elif name.startswith("system:"):
            actor = system_actor(schedule.tenant, name.removeprefix("system:"))
        else:
            raise Forbidden("there is no such account any more")
        require(actor, Scope.WRITE)
    except ModelyardError as error:
        raise Forbidden(f"{name}, for whom it acts, may do so no more: {error.message}") from None
    return actor


def _keep(run: Run) -> None:
    """Write a new run, or how far one is that has waited."""
    if run._state.adding:
        run.save(force_insert=True)
    else:
        run.save(update_fields=["state", "reason", "job"])
    if run.state in (RunState.SKIPPED, RunState.REFUSED):
        Run.objects.filter(pk=run.pk).update(ended_at=Now())
