"""What the housekeeper starts, and what it does not: times, arrivals, overlaps, failures, rights and crashes."""

import re
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from modelyard.control.jobs import services as jobs
from modelyard.control.jobs.models import Job, Outbox
from modelyard.control.jobs.transitions import ago
from modelyard.control.jobs.work import perform
from modelyard.control.registry import services as registry
from modelyard.control.registry.models import Dataset
from modelyard.control.schedules import services, starting, tending
from modelyard.control.schedules.kinds import KINDS
from modelyard.control.schedules.models import Run, RunState, Schedule
from modelyard.control.tenancy import services as tenancy
from modelyard.control.tenancy.models import ApiKey, AuditEntry, Member, Tenant
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import Conflict, ModelRefused, NotFound
from tests.integration.control import tables, versions
from tests.integration.control.schedules.conftest import BODY, iris

pytestmark = pytest.mark.django_db(transaction=True)

Make = Callable[..., Schedule]


def come(schedule: Schedule, seconds: float = 1.0) -> None:
    """Let the schedule's next time be so long ago."""
    Schedule.objects.filter(pk=schedule.pk).update(next_at=ago(seconds))


def now(schedule: Schedule) -> Schedule:
    return Schedule.objects.get(pk=schedule.pk)


def states(schedule: Schedule) -> list[str]:
    return list(Run.objects.filter(schedule=schedule).order_by("pk").values_list("state", flat=True))


def end(run: Run | None, *, well: bool = True) -> None:
    """Let a worker end the run's job."""
    assert run is not None
    job = jobs.claim(run.job_id, "test")
    assert job is not None
    if well:
        jobs.finish(job, {"state": "ready"})
    else:
        jobs.fail(job, ModelRefused("no class has two rows"))


def test_a_time_that_has_come_starts_one_job(schedule: Make) -> None:
    often = schedule()
    assert tending.turn() == 0  # its first time is a minute away
    come(often)
    due = now(often).next_at
    assert tending.turn() == 1
    assert tending.turn() == 0
    run = Run.objects.get()
    assert (run.state, run.due_at, run.missed) == (RunState.STARTED, due, 0)
    assert run.job.kind == "training"
    assert run.job.payload["parameters"] == {"target": "species"}
    assert run.job.created_by == often.acts_for
    assert now(often).next_at == due + timedelta(seconds=60)
    assert Outbox.objects.filter(job=run.job).exists()
    assert AuditEntry.objects.filter(verb="schedule.run", subject="schedule:often").count() == 1
    end(run)
    tending.turn()
    assert states(often) == [RunState.SUCCEEDED]


def test_several_housekeepers_start_nothing_twice(schedule: Make, tenant: Tenant) -> None:
    made = [schedule(f"often-{number}") for number in range(8)]
    Schedule.objects.update(next_at=ago(1))
    faults: list[BaseException] = []
    gate = threading.Barrier(4)

    def tend() -> None:
        gate.wait()
        try:
            for _ in range(3):
                tending.turn()
        except BaseException as fault:
            faults.append(fault)
        finally:
            connection.close()

    housekeepers = [threading.Thread(target=tend) for _ in range(4)]
    for one in housekeepers:
        one.start()
    for one in housekeepers:
        one.join()
    assert not faults
    assert [states(one) for one in made] == [[RunState.STARTED]] * 8
    assert Job.objects.filter(kind="training").count() == 8
    assert tenancy.verify_audit(tenant) == []


def test_a_crash_before_the_end_of_the_transaction_loses_and_doubles_nothing(
    schedule: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    often = schedule()
    come(often)
    due = now(often).next_at
    with monkeypatch.context() as patch:

        def die(**_: Any) -> None:
            raise KeyboardInterrupt

        patch.setattr(starting, "record", die)
        with pytest.raises(KeyboardInterrupt):
            tending.turn()
    assert not Run.objects.exists()
    assert not Job.objects.filter(kind="training").exists()
    assert now(often).next_at == due
    tending.turn()
    assert states(often) == [RunState.STARTED]


def test_a_fault_of_one_schedule_holds_up_no_other(schedule: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the database refuses what is written of it, or what its request writes."""
    first = schedule("first", max_failures=2)
    second, other = schedule("second", body={**BODY, "model": "second"}), schedule("other")
    at_time, submit = tending._at_time, KINDS["training"].submit

    def misfit(actor: Actor, body: Any) -> Job:
        job = submit(actor, body)
        return Job.objects.create(pk=job.pk, tenant=actor.tenant) if body["model"] == "second" else job

    def failing(schedule: Schedule, now: Any) -> None:
        at_time(schedule, now)
        if schedule == first:
            Tenant.objects.create(name=schedule.tenant.name)

    monkeypatch.setattr(tending, "_at_time", failing)
    monkeypatch.setitem(KINDS, "training", replace(KINDS["training"], submit=misfit))
    for number, one in enumerate((first, second, other)):
        come(one, 9 - number)
    for _ in range(2):
        tending.turn()
    assert [states(one) for one in (first, second, other)] == [[], [RunState.REFUSED], [RunState.STARTED]]
    assert now(second).failures == 1
    assert now(first).paused_reason.endswith("the last with: it failed with IntegrityError: the log tells more")
    assert Job.objects.filter(kind="training").count() == 1


def test_times_that_nobody_was_there_for_are_counted_and_the_latest_is_run(schedule: Make) -> None:
    often, daily = schedule("often"), schedule("daily", cron="0 3 * * *", time_zone="Europe/Berlin")
    come(often, 60 * 10 + 1)
    Schedule.objects.filter(pk=daily.pk).update(next_at=daily.next_at - timedelta(days=4))
    tending.turn()
    run = Run.objects.get(schedule=often)
    assert (run.missed, now(often).missed) == (10, 10)
    assert Run.objects.get(schedule=daily).missed == 3
    assert now(often).next_at == run.due_at + timedelta(seconds=60)
    tending.turn()
    assert Run.objects.filter(schedule=often).count() == 1


def test_the_clock_of_this_process_decides_nothing(schedule: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    often = schedule()
    wrong = timezone.now() + timedelta(hours=1)
    monkeypatch.setattr("django.utils.timezone.now", lambda: wrong)
    assert tending.turn() == 0
    other = schedule("other")
    assert other.next_at < wrong
    come(often)
    tending.turn()
    assert Run.objects.get().schedule == often


def test_a_time_is_skipped_while_the_former_run_goes_on(schedule: Make, admin: Actor) -> None:
    often = schedule()
    for _ in range(2):
        come(often)
        tending.turn()
    assert states(often) == [RunState.STARTED, RunState.SKIPPED]
    assert Run.objects.first().reason == "the run before went on"
    with pytest.raises(Conflict, match="still goes on"):
        services.run_schedule(actor=admin, schedule=often)
    end(Run.objects.last())
    come(often)
    tending.turn()
    assert states(often)[2:] == [RunState.STARTED]


def test_a_time_waits_for_the_former_run_where_that_is_wanted(schedule: Make, admin: Actor) -> None:
    often = schedule(overlap="queue")
    for _ in range(3):
        come(often)
        tending.turn()
    assert states(often) == [RunState.STARTED, RunState.WAITING, RunState.WAITING]
    assert Job.objects.filter(kind="training").count() == 1
    end(Run.objects.last())
    tending.turn()
    assert states(often) == [RunState.SUCCEEDED, RunState.STARTED, RunState.WAITING]
    for _ in range(starting.MOST_WAITING - 1):
        assert services.run_schedule(actor=admin, schedule=often).state == RunState.WAITING
    with pytest.raises(Conflict, match="10 runs of often wait already"):
        services.run_schedule(actor=admin, schedule=often)
    services.pause_schedule(actor=admin, schedule=often, reason="the holidays")
    assert states(often) == [RunState.SUCCEEDED, RunState.STARTED, *[RunState.SKIPPED] * 10]


def test_each_new_dataset_starts_one_run_on_it(schedule: Make, admin: Actor, irises: Dataset) -> None:
    fresh = schedule("fresh", on_dataset="iris", body={"model": "iris", "parameters": {"target": "species"}})
    assert (fresh.next_at, fresh.overlap, fresh.body["dataset"]) == (None, "queue", "iris")
    assert tending.turn() == 0  # the one that was there before
    tables.ready(admin, iris(120), name="iris", filename="iris.csv")
    tables.ready(admin, iris(130), name="iris", filename="iris.csv")
    tables.register(admin, iris(140), name="iris", filename="iris.csv")
    tables.ready(admin, name="flights")
    for _ in range(4):
        tending.turn()
    assert states(fresh) == [RunState.STARTED, RunState.WAITING]
    first, second = Run.objects.order_by("pk")
    assert (first.arrived, second.arrived) == ("iris:2", "iris:3")
    assert first.job.payload["dataset"] == "iris:2"
    end(first)
    for _ in range(2):
        tending.turn()
    second.refresh_from_db()
    assert second.job.payload["dataset"] == "iris:3"
    assert Run.objects.count() == 2
    tables.ready(admin, iris(145), name="iris", filename="iris.csv")
    assert (tending.sweep(), now(fresh).after_number) == (1, 3)  # the fourth is checked still, the fifth has no run
    tending.turn()
    perform(Dataset.objects.get(number=4).job_id)
    tending.turn()
    assert sorted(Run.objects.values_list("dataset_number", flat=True)) == [2, 3, 4, 5]
    assert (tending.sweep(), now(fresh).after_number) == (1, 5)
    assert (tending.turn(), tending.sweep(), Run.objects.count()) == (0, 0, 4)


def test_each_new_dataset_is_scored(admin: Actor) -> None:
    """The alias stands for the version that it names when the dataset arrives."""
    model = registry.create_model(actor=admin, name="iris")
    for number in (1, 2):
        version = versions.ready(admin, model, str(number).encode())
        registry.move_alias(actor=admin, model=model, name="candidate", version=version)
        table = (",".join([*versions.IRIS, "species"]) + "\n").encode() + iris(50 + number).split(b"\n", 1)[1]
        tables.ready(admin, table, name="flowers", filename="flowers.csv")
        if number == 1:
            made = services.create_schedule(
                actor=admin,
                name="answers",
                kind="scoring",
                body={"model": "iris@candidate", "entity": "species"},
                trigger=services.Trigger(on_dataset="flowers"),
            )
    with pytest.raises(NotFound):
        services.change_schedule(actor=admin, schedule=made, body={"model": "iris@champion-to-be"})
    tending.turn()
    run = Run.objects.get()
    assert run.state == RunState.STARTED, run.reason
    assert (run.job.kind, run.job.payload["number"], run.job.payload["dataset"]) == ("scoring", 2, "flowers:2")


def test_failures_in_a_row_pause_it(schedule: Make, admin: Actor) -> None:
    often = schedule(max_failures=2)
    for well in (False, True, False, False):
        come(often)
        tending.turn()
        end(Run.objects.first(), well=well)
        tending.turn()
    paused = now(often)
    assert (paused.state, paused.failures, paused.paused_by) == ("paused", 2, "system:schedules")
    assert paused.paused_reason == "2 runs in a row failed, the last with: no class has two rows"
    assert AuditEntry.objects.filter(verb="schedule.pause").count() == 1
    come(often)
    assert tending.turn() == 0
    again = services.resume_schedule(actor=admin, schedule=often)
    assert (again.state, again.failures) == ("active", 0)
    assert again.next_at > services.clock(admin.tenant)


def test_what_is_refused_when_its_time_comes_is_told_and_counted(schedule: Make, admin: Actor) -> None:
    often = schedule()
    Dataset.objects.filter(name="iris").update(name="roses")
    come(often)
    tending.turn()
    run = Run.objects.get()
    assert (run.state, run.job, now(often).failures) == (RunState.REFUSED, None, 1)
    assert "no dataset" in run.reason
    assert AuditEntry.objects.get(verb="schedule.run").details["refused"] == run.reason


def as_key(admin: Actor) -> Actor:
    _, secret = tenancy.create_key(actor=admin, name="ci", scopes=["write"])
    return tenancy.authenticate(secret)


def as_person(admin: Actor, role: str = "editor") -> Actor:
    user = User.objects.create_user("ada")
    tenancy.add_member(actor=admin, user=user, role=role)
    return tenancy.actor_for(user, admin.tenant.name)


def revoke(admin: Actor) -> None:
    tenancy.revoke_key(actor=admin, key=ApiKey.objects.get(name="ci"))


def expel(admin: Actor) -> None:
    tenancy.remove_member(actor=admin, member=Member.objects.get(user__username="ada"))


def demote(admin: Actor) -> None:
    tenancy.change_role(actor=admin, member=Member.objects.get(user__username="ada"), role="viewer")


def forget(admin: Actor) -> None:
    User.objects.filter(username="ada").delete()


@pytest.mark.parametrize(
    ("who", "lose", "said"),
    [
        (as_key, revoke, "the key 'ci' was revoked"),
        (as_person, expel, "you are not a member"),
        (as_person, demote, "'write'"),
        (as_person, forget, "no such account"),
    ],
)
def test_who_may_write_no_more_starts_nothing(
    schedule: Make, admin: Actor, who: Callable[[Actor], Actor], lose: Callable[[Actor], None], said: str
) -> None:
    actor = who(admin)
    often = schedule(actor=actor)
    come(often)
    tending.turn()
    assert Run.objects.get().job.created_by == actor.name
    end(Run.objects.get())
    lose(admin)
    come(often)
    tending.turn()
    paused = now(often)
    assert paused.is_paused
    assert paused.paused_reason.startswith(f"{actor.name}, for whom it acts, may do so no more: ")
    assert said in paused.paused_reason
    assert states(often) == [RunState.SUCCEEDED, RunState.REFUSED]
    services.resume_schedule(actor=admin, schedule=often)
    come(often)
    tending.turn()
    assert Run.objects.first().job.created_by == admin.name


def test_a_key_of_the_same_name_does_not_inherit(schedule: Make, admin: Actor) -> None:
    often = schedule(actor=as_key(admin))
    revoke(admin)
    tenancy.create_key(actor=admin, name="ci", scopes=["admin"])
    come(often)
    tending.turn()
    assert now(often).is_paused


def test_old_runs_are_forgotten_but_those_of_datasets(schedule: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    often = schedule()
    rows = [Run(tenant=often.tenant, schedule=often, state=RunState.SKIPPED) for _ in range(7)]
    rows.insert(0, Run(tenant=often.tenant, schedule=often, state=RunState.FAILED, dataset="iris", dataset_number=1))
    rows.insert(1, Run(tenant=often.tenant, schedule=often, state=RunState.STARTED))
    Run.objects.bulk_create(rows)
    monkeypatch.setattr(tending, "KEPT_RUNS", 3)
    assert tending.sweep() == 4
    assert states(often) == [RunState.FAILED, RunState.STARTED, *[RunState.SKIPPED] * 3]
    assert tending.sweep() == 0


def test_the_looks_at_all_schedules_read_no_run_that_has_ended(schedule: Make) -> None:
    """There may be a thousand of each schedule, and the housekeeper looks twice a second."""
    often = schedule()
    Run.objects.bulk_create(
        Run(tenant=often.tenant, schedule=often, state=RunState.SUCCEEDED, ended_at=timezone.now()) for _ in range(300)
    )
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE modelyard_schedules_run")
    for rows in (Run.objects.ended(), Schedule.objects.with_waiting()):
        reads = [
            line for line in rows.explain().splitlines() if re.search(r"(SCAN|SEARCH|Scan).*(schedules_run|U0)", line)
        ]
        assert reads
        assert [line for line in reads if "run_open" not in line] == []
