"""Every write of schedules that somebody asks for; what the housekeeper writes is in `tending`."""

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.db.models.functions import Now

from modelyard.control.registry import facts
from modelyard.control.registry.models import Dataset
from modelyard.control.schedules.kinds import KINDS, read_body
from modelyard.control.schedules.models import TRIGGERS, USUAL_FAILURES, Overlap, Run, RunState, Schedule, rule_of
from modelyard.control.schedules.starting import MOST_WAITING, going, many_wait, start, stop
from modelyard.control.schedules.times import MAX_SECONDS, MIN_SECONDS, read_zone
from modelyard.control.tenancy.models import Scope, Tenant
from modelyard.control.tenancy.services import Actor, record, require
from modelyard.core.errors import Conflict, InvalidInput, NotFound, QuotaExceeded
from modelyard.core.reference import check_name
from modelyard.core.table import check_dataset_name

MOST_SCHEDULES = 1000
"""Of a tenant."""
MOST_FAILURES = 1000


@dataclass(frozen=True, slots=True)
class Trigger:
    """What has a schedule start: one of the three."""

    cron: str = ""
    time_zone: str = "UTC"
    interval_seconds: int | None = None
    on_dataset: str = ""

    def check(self) -> None:
        """Raises InvalidInput where it is not one of the three, or cannot be read."""
        given = [name for name in TRIGGERS if getattr(self, name) not in ("", None)]
        if len(given) != 1:
            said = " and ".join(f"`{name}`" for name in given) or "none of them"
            raise InvalidInput(f"expected one of `cron`, `interval_seconds` and `on_dataset`: got {said}")
        seconds = self.interval_seconds
        if seconds is not None and not MIN_SECONDS <= seconds <= MAX_SECONDS:
            raise InvalidInput.at("interval_seconds", f"got {seconds}, expected {MIN_SECONDS} to {MAX_SECONDS}")
        if self.on_dataset:
            check_dataset_name(self.on_dataset)
        read_zone(self.time_zone)
        rule_of(self.cron, self.time_zone, seconds)

    def columns(self, tenant: Tenant) -> dict[str, Any]:
        """Return the schedule's columns, as it begins to wait now: what came before does not count."""
        rule = rule_of(self.cron, self.time_zone, self.interval_seconds)
        there = Dataset.objects.of(tenant).ready().filter(name=self.on_dataset) if self.on_dataset else None
        number = there.aggregate(last=Max("number"))["last"] if there is not None else None
        begins = {"next_at": rule.after(clock(tenant)) if rule else None, "after_number": number or 0}
        return {**asdict(self), **begins}


def trigger_of(schedule: Schedule) -> Trigger:
    """Return what has the schedule start."""
    return Trigger(schedule.cron, schedule.time_zone, schedule.interval_seconds, schedule.on_dataset)


def clock(tenant: Tenant) -> datetime:
    """Return what time it is, by the database's clock."""
    now: datetime = Tenant.objects.filter(pk=tenant.pk).values_list(Now(), flat=True).get()
    return now


def create_schedule(
    *,
    actor: Actor,
    name: str,
    kind: str,
    body: dict[str, Any],
    trigger: Trigger,
    overlap: str = "",
    max_failures: int = USUAL_FAILURES,
) -> Schedule:
    """Make a schedule, which acts for the actor. `body` is the request that each run makes.

    Without `overlap` a time is skipped when the former run still goes on, and a dataset waits for its end.

    Raises:
        ModelyardError: when the name or the times cannot be, or the request would be refused just now.
        Conflict: when there is a schedule by that name.
    """
    require(actor, Scope.WRITE)
    check_name(name, "a schedule")
    _check(kind, overlap, max_failures)
    trigger.check()
    read = _checked_body(actor, kind, body, trigger)
    if Schedule.objects.of(actor.tenant).count() >= MOST_SCHEDULES:
        raise QuotaExceeded(f"there are {MOST_SCHEDULES} schedules already: delete one first")
    try:
        with transaction.atomic():
            schedule: Schedule = Schedule.objects.create(
                tenant=actor.tenant,
                name=name,
                kind=kind,
                body=read,
                overlap=overlap or (Overlap.QUEUE if trigger.on_dataset else Overlap.SKIP),
                max_failures=max_failures,
                created_by=actor.name,
                **_acting(actor),
                **trigger.columns(actor.tenant),
            )
            details = {"kind": kind, "body": read, **_said(trigger)}
            record(actor=actor, verb="schedule.create", subject=f"schedule:{name}", details=details)
    except IntegrityError:
        message = f"there is a schedule called {name!r} already: change it, or choose another name"
        raise Conflict(message, name=name) from None
    return schedule


def change_schedule(
    *,
    actor: Actor,
    schedule: Schedule,
    body: dict[str, Any] | None = None,
    trigger: Trigger | None = None,
    overlap: str | None = None,
    max_failures: int | None = None,
) -> Schedule:
    """Change what is given of a schedule, which acts for the actor from now on; the times begin anew where they change.

    Raises:
        ModelyardError: as `create_schedule`.
    """
    require(actor, Scope.WRITE)
    _check(schedule.kind, overlap or "", USUAL_FAILURES if max_failures is None else max_failures)
    if trigger is not None:
        trigger.check()
    with transaction.atomic():
        row = _locked(actor, schedule)
        given = {"overlap": overlap, "max_failures": max_failures}
        changes: dict[str, Any] = {name: each for name, each in given.items() if each}
        if body is not None or trigger is not None:
            kept = row.body if body is None else body
            if body is None and trigger is not None and row.on_dataset and trigger.on_dataset:
                kept = {**kept, "dataset": trigger.on_dataset}
            changes["body"] = _checked_body(actor, row.kind, kept, trigger or trigger_of(row))
        if trigger is not None and trigger != trigger_of(row):
            changes |= trigger.columns(actor.tenant)
        if changes:
            Schedule.objects.filter(pk=row.pk).update(**changes, **_acting(actor))
            details = {name: each for name, each in changes.items() if name not in ("next_at", "after_number")}
            record(actor=actor, verb="schedule.change", subject=f"schedule:{row.name}", details=details)
    return _again(row)


def pause_schedule(*, actor: Actor, schedule: Schedule, reason: str = "") -> Schedule:
    """Start nothing more until it is resumed; what goes on goes on. One that is paused already stays as it is."""
    require(actor, Scope.WRITE)
    facts.check_text(reason, "reason")
    with transaction.atomic():
        row = _locked(actor, schedule)
        if not row.is_paused:
            stop(row, reason, actor)
    return _again(row)


def resume_schedule(*, actor: Actor, schedule: Schedule) -> Schedule:
    """Go on, for the actor from now on. What came while it was paused does not count, and failures are forgotten."""
    require(actor, Scope.WRITE)
    with transaction.atomic():
        row = _locked(actor, schedule)
        if row.is_paused:
            going_on = {"paused_at": None, "paused_by": "", "paused_reason": "", "failures": 0}
            begins = trigger_of(row).columns(actor.tenant)
            Schedule.objects.filter(pk=row.pk).update(**going_on, **begins, **_acting(actor))
            record(actor=actor, verb="schedule.resume", subject=f"schedule:{row.name}")
    return _again(row)


def run_schedule(*, actor: Actor, schedule: Schedule) -> Run:
    """Start a run now, for the actor, paused or not.

    Raises:
        Conflict: when the former run still goes on, and none may wait for it, or ten do already.
    """
    require(actor, Scope.WRITE)
    with transaction.atomic():
        row = _locked(actor, schedule)
        run = Run(tenant=actor.tenant, schedule=row, asked_by=actor.name)
        if not going(row):
            return start(row, run, actor)
        if row.overlap == Overlap.SKIP or row.is_paused:
            raise Conflict(f"a run of {row.name} still goes on: wait for its end, or cancel its job")
        if many_wait(row):
            raise Conflict(f"{MOST_WAITING} runs of {row.name} wait already: wait for the first, or cancel its job")
        run.state = RunState.WAITING
        run.save(force_insert=True)
        record(actor=actor, verb="schedule.queue", subject=f"schedule:{row.name}")
    return run


def delete_schedule(*, actor: Actor, schedule: Schedule) -> None:
    """Forget a schedule and its runs; the jobs that it started stay."""
    require(actor, Scope.WRITE)
    with transaction.atomic():
        row = _locked(actor, schedule)
        details = {"kind": row.kind, "body": row.body, **_said(trigger_of(row))}
        row.delete()
        record(actor=actor, verb="schedule.delete", subject=f"schedule:{row.name}", details=details)


def _check(kind: str, overlap: str, max_failures: int) -> None:
    if kind not in KINDS:
        raise InvalidInput.at("kind", f"got {kind[:60]!r}, expected one of {', '.join(KINDS)}")
    if overlap and overlap not in Overlap.values:
        raise InvalidInput.at("overlap", f"got {overlap[:60]!r}, expected one of {', '.join(Overlap.values)}")
    if not 1 <= max_failures <= MOST_FAILURES:
        raise InvalidInput.at("max_failures", f"got {max_failures}, expected 1 to {MOST_FAILURES}")


def _checked_body(actor: Actor, kind: str, body: dict[str, Any], trigger: Trigger) -> dict[str, Any]:
    read = read_body(kind, body, trigger.on_dataset)
    KINDS[kind].check(actor, read)
    return read


def _acting(actor: Actor) -> dict[str, Any]:
    return {"acts_for": actor.name, "key": actor.key, "user": actor.user}


def _said(trigger: Trigger) -> dict[str, Any]:
    said = asdict(trigger if trigger.cron else replace(trigger, time_zone=""))
    return {name: each for name, each in said.items() if each}


def _locked(actor: Actor, schedule: Schedule) -> Schedule:
    rows = Schedule.objects.of(actor.tenant).select_related("tenant")
    row: Schedule | None = rows.select_for_update(of=("self",)).filter(pk=schedule.pk).first()
    if row is None:
        raise NotFound("there is no schedule by this name, or none that you may see", what="schedule")
    return row


def _again(schedule: Schedule) -> Schedule:
    found: Schedule = Schedule.objects.select_related("tenant").get(pk=schedule.pk)
    return found


def find_schedule(tenant: Tenant, name: str) -> Schedule:
    """Return the tenant's schedule.

    Raises:
        NotFound: when there is none by that name.
    """
    found: Schedule | None = None
    if "\x00" not in name:
        found = Schedule.objects.of(tenant).select_related("tenant").filter(name=name).first()
    if found is None:
        raise NotFound("there is no schedule by this name, or none that you may see", what="schedule")
    return found
