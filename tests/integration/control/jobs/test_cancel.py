"""Jobs that nobody wants any more, in every state that they may be in."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from modelyard.control.jobs import services, sweeper
from modelyard.control.jobs import work as working
from modelyard.control.jobs.children import run_in_child
from modelyard.control.jobs.models import Job, JobLine, Outbox, State
from modelyard.control.jobs.work import perform
from modelyard.control.tenancy.models import AuditEntry, Scope, Tenant
from modelyard.control.tenancy.services import Actor, system_actor
from modelyard.core.errors import Cancelled, Conflict, Forbidden, NotFound
from modelyard.sandbox.newborn import _spawner
from tests.integration.control.jobs import poison
from tests.integration.control.jobs.handlers import Summing
from tests.integration.control.jobs.test_services import Kind, claimed, effects, expire
from tests.integration.sandbox.conftest import children

Until = Callable[..., None]


def submit(tenant: Tenant, kind: str, **payload: Any) -> Job:
    return services.submit(tenant=tenant, kind=kind, payload={"numbers": [1, 2], **payload}, created_by="key:ci")


@pytest.fixture
def job(tenant: Tenant, kind: Kind) -> Job:
    kind("sum", Summing())
    return submit(tenant, "sum")


class Running:
    """A job that is performed by a thread of its own."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.thread = threading.Thread(target=self._perform)
        self.thread.start()

    def _perform(self) -> None:
        try:
            perform(self.job.pk)
        finally:
            connection.close()

    def seconds_to_end(self) -> float:
        began = time.monotonic()
        self.thread.join(60)
        assert not self.thread.is_alive()
        return time.monotonic() - began


@pytest.mark.django_db
def test_a_queued_job_ends_at_once(job: Job, admin: Actor) -> None:
    ended = services.cancel(job, admin)
    assert (ended.state, ended.error["code"], ended.cancelled_by) == (State.CANCELLED, "cancelled", admin.name)
    assert ended.finished_at is not None
    assert services.claim(job.pk, "w") is None
    assert effects(job, "job.failed") == 1
    entry = AuditEntry.objects.get(verb="job.cancel")
    assert (entry.actor, entry.subject) == (admin.name, f"job:{job.pk}")


@pytest.mark.django_db
def test_an_ended_job_is_not_cancelled(job: Job, admin: Actor) -> None:
    services.finish(claimed(job), {"sum": 3})
    with pytest.raises(Conflict, match="it succeeded"):
        services.cancel(job, admin)
    assert Job.objects.get().state == State.SUCCEEDED
    assert not AuditEntry.objects.filter(verb="job.cancel").exists()


@pytest.mark.django_db
def test_who_may_not_write_or_is_a_stranger_cancels_nothing(job: Job, tenant: Tenant, stranger: Tenant) -> None:
    reader = Actor(tenant, "key:reader", frozenset({str(Scope.READ)}))
    with pytest.raises(Forbidden):
        services.cancel(job, reader)
    with pytest.raises(NotFound):
        services.cancel(job, system_actor(stranger, "test"))
    assert Job.objects.get().state == State.QUEUED


@pytest.mark.django_db
def test_the_worker_of_a_running_job_is_told(job: Job, admin: Actor) -> None:
    held = claimed(job)
    assert services.cancel(job, admin).state == State.RUNNING
    services.cancel(job, admin)
    assert AuditEntry.objects.filter(verb="job.cancel").count() == 1
    assert services.heartbeat(held)
    for attempt in (
        lambda: services.check(held),
        lambda: services.report(held, 0.5, "on"),
        lambda: services.finish(held, {}),
        lambda: services.split(held, [services.Part("sum")]),
    ):
        with pytest.raises(Cancelled, match="system:test cancelled it"):
            attempt()
    with pytest.raises(Cancelled) as told:
        services.check(held)
    services.fail(held, told.value)
    ended = Job.objects.get()
    assert (ended.state, ended.attempts, effects(job, "job.failed")) == (State.CANCELLED, 0, 1)


@pytest.mark.django_db
@pytest.mark.parametrize("end", ["lease", "release", "attempt", "database"])
def test_a_cancelled_job_is_never_queued_again(end: str, job: Job, admin: Actor) -> None:
    held = claimed(job)
    services.cancel(job, admin)
    if end == "lease":
        expire(job)
        assert sweeper.sweep_leases() == 1
    elif end == "release":
        services.release(held)
    elif end == "attempt":
        services.fail(held, RuntimeError())
    else:
        services.lose(held, overdue=False)
    assert Job.objects.get().state == State.CANCELLED
    assert Outbox.objects.count() == 1
    assert effects(job, "job.failed") == 1


@pytest.mark.django_db(transaction=True)
def test_whose_outcome_is_committed_first_stays_succeeded(job: Job, admin: Actor) -> None:
    held = claimed(job)
    cancelling: list[Exception | None] = []

    def cancel() -> None:
        try:
            services.cancel(job, admin)
            cancelling.append(None)
        except Exception as error:
            cancelling.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=cancel)
    with services.completing(held, {"sum": 3}):
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()  # it waits for the row
    thread.join(30)
    assert isinstance(cancelling[0], Conflict)
    ended = Job.objects.get()
    assert (ended.state, ended.cancel_asked_at, ended.outcome) == (State.SUCCEEDED, None, {"sum": 3})


class Reporting(Summing):
    """Reports all the while, and does nothing else."""

    def run(self, job: Job, report: Any) -> dict[str, Any]:
        while True:
            report(0.5, "going round")
            time.sleep(0.02)


@pytest.mark.django_db(transaction=True)
def test_a_handler_that_reports_stops_within_a_second(tenant: Tenant, kind: Kind, admin: Actor, until: Until) -> None:
    kind("round", Reporting())
    job = submit(tenant, "round")
    running = Running(job)
    until(lambda: Job.objects.get().message == "going round")
    services.cancel(job, admin)
    assert running.seconds_to_end() < 1.5
    ended = Job.objects.get()
    assert (ended.state, ended.error["code"], ended.attempts) == (State.CANCELLED, "cancelled", 0)
    assert [(line.level, line.text) for line in JobLine.objects.all()] == [("warning", "system:test cancelled it")]
    assert effects(job, "job.failed") == 1


class InAChild(Summing):
    """Does something in a sandboxed child."""

    def __init__(self, scratch: Path, does: str) -> None:
        super().__init__()
        self.scratch, self.does = scratch, does

    def run(self, job: Job, report: Any) -> dict[str, Any]:
        report.log("the child starts")
        return run_in_child(job, *poison.target(self.does), read=[], scratch=self.scratch)


@pytest.mark.django_db(transaction=True)
def test_a_sandboxed_child_is_killed_within_a_second(
    tenant: Tenant, kind: Kind, admin: Actor, until: Until, tmp_path: Path
) -> None:
    kind("child", InAChild(tmp_path, poison.HANG))
    _spawner().submit(int).result()
    before = len(children())
    job = submit(tenant, "child")
    running = Running(job)
    until(lambda: len(children()) > before)
    services.cancel(job, admin)
    assert running.seconds_to_end() < 1.5
    assert len(children()) <= before
    assert Job.objects.get().state == State.CANCELLED


class Deaf(Summing):
    """Neither reports nor asks."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def run(self, job: Job, report: Any) -> dict[str, Any]:
        self.released.wait(60)
        return {"too": "late"}


@pytest.mark.django_db(transaction=True)
def test_a_handler_that_hears_nothing_ends_nevertheless(
    tenant: Tenant, kind: Kind, admin: Actor, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(working, "DEAF_SECONDS", 0.5)
    deaf = Deaf()
    kind("deaf", deaf)
    job = submit(tenant, "deaf")
    running = Running(job)
    until(lambda: Job.objects.get().state == State.RUNNING)
    services.cancel(job, admin)
    until(lambda: Job.objects.get().state == State.CANCELLED, seconds=10)
    deaf.released.set()
    running.seconds_to_end()
    ended = Job.objects.get()
    assert (ended.state, ended.outcome, effects(job, "job.failed")) == (State.CANCELLED, None, 1)


@pytest.mark.django_db(transaction=True)
def test_who_swallows_the_error_commits_nothing(tenant: Tenant, kind: Kind, admin: Actor) -> None:
    class Stubborn(Summing):
        def run(self, job: Job, report: Any) -> dict[str, Any]:
            services.cancel(job, admin)
            return super().run(job, report)

    kind("stubborn", Stubborn())
    job = submit(tenant, "stubborn")
    perform(job.pk)
    assert Job.objects.get().state == State.CANCELLED
    assert effects(job) == 0


@pytest.mark.django_db
def test_an_ended_job_is_run_again_where_its_kind_allows(tenant: Tenant, kind: Kind, admin: Actor) -> None:
    class Repeatable(Summing):
        repeatable = True

    kind("sum", Repeatable())
    kind("once", Summing())
    job = submit(tenant, "sum")
    with pytest.raises(Conflict, match="queued still"):
        services.again(job, admin)
    services.finish(claimed(job), {})
    made = services.again(job, admin)
    assert (made.kind, made.payload, made.again_of, made.created_by) == ("sum", job.payload, job, admin.name)
    assert (made.state, Outbox.objects.filter(job=made).count()) == (State.QUEUED, 1)
    assert AuditEntry.objects.get(verb="job.again").details == {"kind": "sum", "of": str(job.pk)}
    once = submit(tenant, "once")
    services.cancel(once, admin)
    with pytest.raises(Conflict, match="cannot be run again"):
        services.again(once, admin)
