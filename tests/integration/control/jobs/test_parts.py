"""A job that waits for its parts."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from modelyard.control.jobs import services, sweeper
from modelyard.control.jobs.handlers import kinds
from modelyard.control.jobs.models import Job, Outbox, State
from modelyard.control.jobs.reporting import Report
from modelyard.control.jobs.services import LeaseLost, Part
from modelyard.control.jobs.work import perform, perform_next
from modelyard.control.tenancy.models import Tenant
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import Cancelled, Conflict, Misconfigured, ModelRefused
from tests.integration.control.jobs.handlers import Summing
from tests.integration.control.jobs.test_services import Kind, claimed, effects, expire

ONES = [{"numbers": [1]}, {"numbers": [2]}, {"numbers": [3]}]


class Splitting(Summing):
    """Adds up what its parts have added up."""

    def __init__(self, payloads: list[dict[str, Any]], kind: str = "sum", **options: Any) -> None:
        super().__init__()
        self.payloads, self.kind, self.options = payloads, kind, options
        self.runs = 0

    def run(self, job: Job, report: Any) -> dict[str, Any]:
        self.runs += 1
        parts = list(job.parts.order_by("part"))
        if not parts:
            report(0.1, "splitting")
            report.log("into parts")
            services.split(job, [Part(self.kind, payload) for payload in self.payloads], **self.options)
            return {"ignored": True}
        with services.completing(job, {"parts": [part.state for part in parts]}) as outcome:
            outcome["sum"] = sum(part.outcome["sum"] for part in parts if part.outcome)
        return {}


@pytest.fixture
def parent(tenant: Tenant, kind: Kind) -> Job:
    kind("sum", Summing())
    kind("split", Splitting(ONES))
    return services.submit(tenant=tenant, kind="split", payload={}, created_by="key:ci")


def split(parent: Job, **options: Any) -> list[Job]:
    return services.split(claimed(parent), [Part("sum", payload) for payload in ONES], **options)


@pytest.mark.django_db(transaction=True)
def test_a_job_is_done_in_parts(parent: Job) -> None:
    perform(parent.pk)
    parent.refresh_from_db()
    assert (parent.state, parent.waits, parent.parts_open, parent.worker) == (State.RUNNING, True, 3, "")
    parts = list(parent.parts.order_by("part"))
    assert [(part.part, part.payload, part.created_by, part.tenant_id) for part in parts] == [
        (number, payload, "key:ci", parent.tenant_id) for number, payload in enumerate(ONES, 1)
    ]
    assert all(Outbox.objects.filter(job=part).count() == 1 for part in parts)
    assert Outbox.objects.filter(job=parent).count() == 1
    for left, part in zip((2, 1, 0), parts, strict=True):
        perform(part.pk)
        parent.refresh_from_db()
        assert (parent.parts_open, parent.state) == (left, State.RUNNING if left else State.QUEUED)
    assert Outbox.objects.filter(job=parent).count() == 2
    perform(parent.pk)
    parent.refresh_from_db()
    assert (parent.state, parent.outcome) == (State.SUCCEEDED, {"parts": ["succeeded"] * 3, "sum": 6})
    assert (parent.attempts, parent.losses, parent.parts_made) == (0, 0, 3)
    assert [line.text for line in parent.lines.all()] == ["into parts", "its parts have ended"]


@pytest.mark.django_db(transaction=True)
def test_one_worker_is_enough(parent: Job) -> None:
    for _ in range(5):
        perform_next()
    parent.refresh_from_db()
    assert (parent.state, parent.outcome["sum"]) == (State.SUCCEEDED, 6)


@pytest.mark.django_db
def test_a_waiting_job_is_nobodys(parent: Job) -> None:
    held = claimed(parent)
    services.split(held, [Part("sum", ONES[0])])
    assert services.heartbeat(held) is False
    for attempt in (
        lambda: services.report(held, 0.9, "on"),
        lambda: services.split(held, [Part("sum", ONES[0])]),
        lambda: services.fail(held, RuntimeError()),
    ):
        with pytest.raises(LeaseLost):
            attempt()
    services.release(held)
    services.finish(held, {})
    assert services.lose(held, overdue=False) is False
    assert services.claim(parent.pk, "w") is None
    assert sweeper.sweep() == 0
    parent.refresh_from_db()
    assert (parent.waits, parent.parts_open) == (True, 1)


def done(job: Job) -> float:
    return Job.objects.with_parts_progress().get(pk=job.pk).done


@pytest.mark.django_db
def test_the_progress_of_one_that_waits_holds_the_mean_of_its_parts(parent: Job) -> None:
    first, second, _ = split(parent)
    services.finish(claimed(first), {})
    held = claimed(second)
    services.report(held, 0.5, "half")
    assert done(parent) == pytest.approx(0.9 * 0.5)
    services.fail(held, ModelRefused("no"))
    assert done(parent) == pytest.approx(0.9 * 2 / 3)


@pytest.mark.django_db
def test_the_time_that_was_left_of_a_run_is_not_that_of_its_parts(parent: Job) -> None:
    held = claimed(parent)
    services.report(held, 0.9, "on", rows_done=9, rows_total=10, rows_per_second=3.0, eta_seconds=0.3)
    services.split(held, [Part("sum", ONES[0])])
    waiting = Job.objects.with_parts_progress().get(pk=parent.pk)
    assert waiting.waits
    assert (waiting.pace["rows_per_second"], waiting.pace["eta_seconds"]) == (None, None)


@pytest.mark.django_db
def test_what_is_done_stays_done(parent: Job) -> None:
    """As a training whose search is spread: parts, a run that fits with the best, its registration, and the end."""
    seen = [done(parent)]
    for counts in ((0.1,), (0.0, 0.82, 0.9), (0.5,)):
        held = claimed(parent)
        for fraction in counts:
            Report(held)(fraction, "on")
            seen.append(done(parent))
        if counts == (0.5,):
            break
        for part in services.split(held, [Part("sum", payload) for payload in ONES]):
            seen.append(done(parent))
            services.finish(claimed(part), {})
            seen.append(done(parent))
    assert seen == sorted(seen)
    assert seen[-1] < 1
    services.finish(held, {})
    assert done(parent) == 1


@pytest.mark.django_db(transaction=True)
def test_a_part_that_fails_leaves_the_others_alone(tenant: Tenant, kind: Kind) -> None:
    kind("sum", Summing())
    kind("split", Splitting([{"numbers": [1]}, {"numbers": None}, {"numbers": [3]}]))
    job = services.submit(tenant=tenant, kind="split", payload={}, created_by="x")
    for _ in range(7):
        Job.objects.update(retry_at=None)
        perform_next()
    job.refresh_from_db()
    assert (job.state, job.outcome) == (State.SUCCEEDED, {"parts": ["succeeded", "failed", "succeeded"], "sum": 4})


@pytest.mark.django_db(transaction=True)
def test_with_fail_fast_it_ends_them(parent: Job) -> None:
    first, second, third = split(parent, fail_fast=True)
    running = claimed(second)
    services.fail(claimed(first), ModelRefused("no"))
    third.refresh_from_db()
    assert (third.state, third.cancelled_by, effects(third, "job.failed")) == (State.CANCELLED, "system:jobs", 1)
    with pytest.raises(Cancelled) as told:
        services.check(running)
    parent.refresh_from_db()
    assert (parent.parts_open, parent.waits) == (1, True)
    services.fail(running, told.value)
    parent.refresh_from_db()
    assert parent.state == State.QUEUED
    perform(parent.pk)
    parent.refresh_from_db()
    assert parent.outcome == {"parts": ["failed", "cancelled", "cancelled"], "sum": 0}


@pytest.mark.django_db
def test_a_lost_part_with_fail_fast_ends_the_others(parent: Job) -> None:
    parts = split(parent, fail_fast=True)
    held = claimed(parts[0])
    Job.objects.filter(pk=held.pk).update(losses=services.MAX_LOSSES - 1)
    expire(held)
    assert sweeper.sweep_leases() == 1
    assert set(parent.parts.values_list("state", flat=True)) == {State.FAILED, State.CANCELLED}


@pytest.mark.django_db
def test_cancelling_a_job_cancels_its_parts(parent: Job, admin: Actor) -> None:
    first, second, third = split(parent)
    services.finish(claimed(first), {})
    running = claimed(second)
    told = services.cancel(parent, admin)
    assert (told.state, told.waits, told.parts_open) == (State.RUNNING, True, 1)
    third.refresh_from_db()
    assert (third.state, third.cancelled_by) == (State.CANCELLED, admin.name)
    with pytest.raises(Cancelled) as why:
        services.check(running)
    services.fail(running, why.value)
    parent.refresh_from_db()
    assert (parent.state, parent.error["code"], effects(parent, "job.failed")) == (State.CANCELLED, "cancelled", 1)
    with pytest.raises(Conflict):
        services.cancel(parent, admin)


@pytest.mark.django_db
def test_a_job_whose_parts_have_parts(parent: Job, admin: Actor) -> None:
    middle, *_ = split(parent)
    inner = services.split(claimed(middle), [Part("sum", ONES[0])] * 2)
    services.finish(claimed(inner[0]), {})
    middle.refresh_from_db()
    assert (middle.waits, middle.parts_open) == (True, 1)
    services.cancel(parent, admin)
    states = dict(Job.objects.values_list("pk", "state"))
    assert states.pop(inner[0].pk) == State.SUCCEEDED
    assert set(states.values()) == {State.CANCELLED}


@pytest.mark.django_db
def test_a_part_may_be_cancelled_alone_but_not_repeated_alone(parent: Job, admin: Actor) -> None:
    first, *_ = split(parent)
    services.cancel(first, admin)
    parent.refresh_from_db()
    assert (parent.parts_open, parent.cancel_asked_at) == (2, None)
    with pytest.raises(Conflict, match="is a part of"):
        services.again(first, admin)


@pytest.mark.django_db
def test_it_is_split_again_when_it_runs_again(parent: Job) -> None:
    for part in split(parent):
        services.finish(claimed(part), {})
    more = split(parent)
    assert [part.part for part in more] == [4, 5, 6]
    parent.refresh_from_db()
    assert (parent.parts_made, parent.parts_open, parent.progress) == (6, 3, 0.9)


@pytest.mark.django_db
def test_parts_are_made_all_or_none(parent: Job) -> None:
    held = claimed(parent)
    with pytest.raises(Misconfigured):
        services.split(held, [Part("sum", {}), Part("dance", {})])
    with pytest.raises(TypeError):
        services.split(held, [Part("sum", {}), Part("sum", {"no": object()})])
    with pytest.raises(ValueError):
        services.split(held, [])
    assert (Job.objects.count(), Outbox.objects.count()) == (1, 1)
    services.check(held)


@pytest.mark.django_db
def test_the_sweeper_mends_one_whose_parts_have_all_ended(parent: Job) -> None:
    parts = split(parent)
    Job.objects.filter(pk__in=[part.pk for part in parts]).update(state=State.SUCCEEDED)
    assert sweeper.sweep_parts() == 1
    parent.refresh_from_db()
    assert (parent.state, parent.parts_open) == (State.QUEUED, 0)
    assert sweeper.sweep_parts() == 0


@pytest.mark.django_db
def test_the_sweeper_cancels_what_was_left_over(parent: Job, admin: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    split(parent)
    monkeypatch.setattr(services, "CANCELLED_AT_ONCE", 1)
    services.cancel(parent, admin)
    assert Job.objects.filter(state=State.CANCELLED).count() == 1
    assert sweeper.sweep_parts() == 2
    assert set(Job.objects.values_list("state", flat=True)) == {State.CANCELLED}


@pytest.mark.django_db
def test_the_sweeper_fails_fast_too(parent: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    first, *_ = split(parent, fail_fast=True)
    monkeypatch.setattr(services, "cancel_parts", lambda *_: 0)
    services.fail(claimed(first), ModelRefused("no"))
    assert parent.parts.filter(state=State.QUEUED).count() == 2
    assert sweeper.sweep_parts() == 2
    parent.refresh_from_db()
    assert parent.state == State.QUEUED


@pytest.mark.django_db
def test_with_fail_fast_a_part_that_is_cancelled_ends_the_others_too(parent: Job, admin: Actor) -> None:
    """What they would come to is nobody's: the job fails without that part."""
    first, *_ = split(parent, fail_fast=True)
    services.cancel(first, admin)
    assert sweeper.sweep_parts() == 2
    assert set(parent.parts.values_list("state", flat=True)) == {State.CANCELLED}
    parent.refresh_from_db()
    assert parent.state == State.QUEUED


@pytest.mark.django_db
def test_who_waits_counts_as_running_nothing(parent: Job, stranger: Tenant) -> None:
    other = services.submit(tenant=stranger, kind="sum", payload={"numbers": []}, created_by="x")
    assert Job.objects.next_up(kinds()) == parent.pk
    first, *_ = split(parent)
    claimed(other)
    services.submit(tenant=stranger, kind="sum", payload={"numbers": []}, created_by="x")
    # The stranger has a job running; the parent's tenant has none, since that one only waits.
    assert Job.objects.next_up(kinds()) == first.pk


@pytest.mark.django_db(transaction=True)
def test_the_parts_of_a_job_take_turns_with_its_tenants_others(parent: Job, tenant: Tenant) -> None:
    """What is asked for after a large scoring need not wait for all of it, nor holds all of it up."""
    parts = split(parent)
    others = [services.submit(tenant=tenant, kind="sum", payload={"numbers": []}, created_by="x") for _ in range(3)]
    order = []
    while (pk := Job.objects.next_up(kinds())) is not None:
        order.append(pk)
        claimed(Job.objects.get(pk=pk))
        if len(order) == 2:
            late = services.submit(tenant=tenant, kind="sum", payload={"numbers": []}, created_by="x")
            others.append(late)
    assert order[0] == parts[0].pk
    assert [pk for pk in order if pk in {one.pk for one in parts}] == [one.pk for one in parts]
    assert order.index(others[0].pk) == 1
    assert order.index(late.pk) > order.index(parts[1].pk)
    assert len(order) == len(parts) + len(others)


@pytest.mark.django_db(transaction=True)
def test_parts_that_end_at_once_wake_their_parent_once(parent: Job) -> None:
    held = [claimed(part) for part in split(parent)]
    faults: list[Exception] = []

    def end(part: Job) -> None:
        try:
            services.finish(part, {})
        except Exception as fault:
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=end, args=(part,)) for part in held]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    parent.refresh_from_db()
    assert (faults, parent.state, parent.parts_open) == ([], State.QUEUED, 0)
    assert Outbox.objects.filter(job=parent).count() == 2


@pytest.mark.django_db(transaction=True)
def test_cancelling_while_parts_end_is_no_deadlock(tenant: Tenant, kind: Kind, admin: Actor) -> None:
    kind("sum", Summing())
    for _ in range(5):
        parent = services.submit(tenant=tenant, kind="sum", payload={}, created_by="x")
        parts = services.split(claimed(parent), [Part("sum", payload) for payload in ONES * 3], fail_fast=True)
        held = [claimed(part) for part in parts]
        faults: list[Exception] = []

        def end(job: Job, do: Callable[[], Any], faults: list[Exception] = faults) -> None:
            try:
                do()
            except (Cancelled, Conflict) as why:
                if isinstance(why, Cancelled):
                    services.fail(job, why)
            except Exception as fault:
                faults.append(fault)
            finally:
                connection.close()

        doings: list[tuple[Job, Callable[[], Any]]] = [
            (part, lambda part=part: services.finish(part, {})) for part in held[:5]
        ]
        doings += [(part, lambda part=part: services.fail(part, ModelRefused("no"))) for part in held[5:]]
        doings.append((parent, lambda parent=parent: services.cancel(parent, admin)))
        threads = [threading.Thread(target=end, args=doing) for doing in doings]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert faults == []
        sweeper.sweep_parts()
        parent.refresh_from_db()
        assert parent.state in (State.CANCELLED, State.QUEUED)
        assert not parent.parts.filter(state__in=["queued", "running"]).exists()
        assert sweeper.sweep_parts() == 0


@pytest.mark.django_db(transaction=True)
def test_a_thousand_jobs_of_one_tenant_do_not_delay_anothers(tenant: Tenant, stranger: Tenant, kind: Kind) -> None:
    kind("sum", Summing())
    many = [Job(tenant=tenant, kind="sum", payload={"numbers": []}, created_by="x") for _ in range(1000)]
    Job.objects.bulk_create(many)
    for _ in range(4):
        perform_next()
    theirs = services.submit(tenant=stranger, kind="sum", payload={"numbers": [1]}, created_by="x")
    perform_next()
    theirs.refresh_from_db()
    assert theirs.state == State.SUCCEEDED
    assert Job.objects.filter(tenant=tenant, state=State.QUEUED).count() == 996
