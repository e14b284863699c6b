"""What the housekeeper does with schedules: what has come is started, what has ended is counted.

Each run is a transaction of its own: the schedule's row is locked, the run's row, the job and the next time are
written together. So two housekeepers start nothing twice, one that is killed has started nothing, and a fault that is
one schedule's holds up no other. What time it is the database says.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q
from django.db.models.functions import Now

from modelyard.control.registry.models import Dataset, DatasetState
from modelyard.control.schedules.models import Run, RunState, Schedule
from modelyard.control.schedules.starting import acting_for, begin, failed, fault_of_ours, finish, start, stop
from modelyard.core.errors import InvalidInput, ModelyardError

log = structlog.get_logger(__name__)

BATCH = 100
KEPT_RUNS = 1000
"""Of a schedule; those of datasets are all kept, since they say which of them it has had."""


def turn() -> int:
    """Start what has come, and count what has ended; return how much that was."""
    count = 0
    for run in Run.objects.ended()[:BATCH]:
        with _alone(run.schedule_id):
            count += _end(run)
    for rows, act in ((Schedule.objects.due, _at_time), (Schedule.objects.met, _at_arrival)):
        count += _each(rows, act)
    return count + _each(Schedule.objects.with_waiting, _next_waiting)


def _each(rows: Callable[[], Any], act: Callable[[Schedule, datetime], None]) -> int:
    """Let `act` have each of the rows, locked, if it is one of them still; return how many there were."""
    count = 0
    for key in list(rows().values_list("pk", flat=True)[:BATCH]):
        with _alone(key):
            locked = rows().filter(pk=key).select_related("tenant", "key__tenant", "user").annotate(now=Now())
            schedule = locked.select_for_update(of=("self",), skip_locked=True).first()
            if schedule is not None:
                act(schedule, schedule.now)
                count += 1
    return count


@contextmanager
def _alone(key: int) -> Iterator[None]:
    """Make the block one transaction. A fault in it undoes it, and counts as a failure of the schedule, which pauses
    in the end; where the database is away, all wait.
    """
    try:
        with transaction.atomic():
            yield
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.error("schedule_failed", schedule=key, exc_info=error)
        with transaction.atomic():
            schedule = Schedule.objects.active().select_related("tenant").select_for_update(of=("self",))
            if (row := schedule.filter(pk=key).first()) is not None:
                failed(row, fault_of_ours(error))


def _at_time(schedule: Schedule, now: datetime) -> None:
    """Start the latest time that has come; those before it were missed."""
    try:
        when = schedule.when
    except InvalidInput as error:  # a time zone that this machine does not know
        stop(schedule, error.message)
        return
    if when is None or schedule.next_at is None:
        return
    due = when.until(schedule.next_at, now)
    Schedule.objects.filter(pk=schedule.pk).update(next_at=due.following, missed=F("missed") + due.missed)
    if due.missed:
        log.warning("schedule_times_missed", schedule=schedule.name, tenant=schedule.tenant.name, times=due.missed)
    if not schedule.runs.filter(due_at=due.latest).exists():
        begin(schedule, due_at=due.latest, missed=due.missed)


def _at_arrival(schedule: Schedule, now: datetime) -> None:
    """Start a run on the oldest dataset that has arrived; the next turn takes the next."""
    dataset = schedule.arrivals().only("name", "number").first()
    if dataset is not None:
        begin(schedule, dataset=dataset.name, dataset_number=dataset.number)


def _next_waiting(schedule: Schedule, now: datetime) -> None:
    """Start the run that has waited longest."""
    run = schedule.runs.filter(state=RunState.WAITING).order_by("pk").first()
    if run is None or schedule.runs.filter(state=RunState.STARTED, job__finished_at=None, job__isnull=False).exists():
        return
    try:
        actor = acting_for(schedule)
    except ModelyardError as error:
        stop(schedule, f"{error.message}; resume it, and it acts for you")
        return
    start(schedule, run, actor)


def _end(run: Run) -> int:
    rows = Schedule.objects.select_related("tenant").select_for_update(of=("self",))
    schedule: Schedule | None = rows.filter(pk=run.schedule_id).first()
    open_ = Run.objects.filter(pk=run.pk, state=RunState.STARTED).select_related("job").first()
    if schedule is None or open_ is None:
        return 0
    finish(schedule, open_, open_.job)
    return 1


def sweep() -> int:
    """Forget the oldest runs of schedules that have many, and pass by the datasets that were had; return how many."""
    return _sweep_runs() + sum(_pass_by(schedule) for schedule in Schedule.objects.active().exclude(on_dataset=""))


def _pass_by(schedule: Schedule) -> int:
    """Count the datasets of which nothing can come any more as had, so that no look reads them again: all before the
    first that is checked still, or is ready and has had no run."""
    later = Dataset.objects.filter(
        tenant=schedule.tenant_id, name=schedule.on_dataset, number__gt=schedule.after_number
    )
    had = Run.objects.filter(schedule=schedule, dataset=OuterRef("name"), dataset_number=OuterRef("number"))
    open_ = later.exclude(state=DatasetState.REFUSED).filter(~Exists(had)).aggregate(first=Min("number"))["first"]
    last = open_ - 1 if open_ else later.aggregate(last=Max("number"))["last"]
    if last is None or last == schedule.after_number:
        return 0
    same = {"on_dataset": schedule.on_dataset, "after_number": schedule.after_number}
    return Schedule.objects.active().filter(pk=schedule.pk, **same).update(after_number=last)


def _sweep_runs() -> int:
    ended = Q(runs__dataset="") & ~Q(runs__state__in=(RunState.WAITING, RunState.STARTED))
    many = Schedule.objects.annotate(n=Count("runs", filter=ended)).filter(n__gt=KEPT_RUNS)
    count = 0
    for schedule in many.order_by("pk")[:BATCH]:
        own = schedule.runs.filter(dataset="").exclude(state__in=(RunState.WAITING, RunState.STARTED))
        last = own.order_by("-pk").values_list("pk", flat=True)[KEPT_RUNS - 1]
        count += own.filter(pk__lt=last).delete()[0]
    return count
