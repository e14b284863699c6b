import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from modelyard.control.jobs import services, sweeper
from modelyard.control.jobs.handlers import unregister
from modelyard.control.jobs.models import Job, Outbox, State
from modelyard.control.jobs.services import LeaseLost
from modelyard.control.jobs.tasks import work
from modelyard.control.jobs.work import perform, perform_next
from modelyard.control.tenancy.models import AuditEntry, Tenant
from modelyard.core.errors import Misconfigured, ModelRefused, Unavailable
from tests.integration.control.jobs.handlers import Raising, Summing

Kind = Callable[[str, Any], str]

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def job(tenant: Tenant, kind: Kind) -> Job:
    kind("sum", Summing())
    return services.submit(tenant=tenant, kind="sum", payload={"numbers": [1, 2]}, created_by="key:ci")


def effects(job: Job, verb: str = "job.effect") -> int:
    return AuditEntry.objects.filter(verb=verb, subject=f"job:{job.pk}").count()


def claimed(job: Job, worker: str = "w") -> Job:
    found = services.claim(job.pk, worker)
    assert found is not None
    return found


def expire(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(lease_expires_at=LONG_AGO)


@pytest.mark.django_db
def test_a_job_and_its_message_are_one(job: Job, tenant: Tenant) -> None:
    assert Outbox.objects.get().job == job
    with transaction.atomic():
        services.submit(tenant=tenant, kind="sum", payload={}, created_by="x")
        transaction.set_rollback(True)
    assert (Job.objects.count(), Outbox.objects.count()) == (1, 1)
    with pytest.raises(Misconfigured):
        services.submit(tenant=tenant, kind="dance", payload={}, created_by="x")


@pytest.mark.django_db(transaction=True)
def test_a_job_runs_once_to_its_end(job: Job) -> None:
    perform(str(job.pk))
    perform(str(job.pk))
    job.refresh_from_db()
    assert (job.state, job.outcome) == (State.SUCCEEDED, {"sum": 3, "token": 1})
    assert (job.progress, job.error, job.lease_expires_at) == (1, None, None)
    assert job.created_at <= job.started_at <= job.finished_at
    assert effects(job) == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_claims_one_wins(job: Job) -> None:
    won: list[Job | None] = []

    def claim() -> None:
        try:
            won.append(services.claim(job.pk, threading.current_thread().name))
        finally:
            connection.close()

    threads = [threading.Thread(target=claim) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 8
    assert len([found for found in won if found]) == 1


@pytest.mark.django_db
def test_leases_are_of_the_database_clock(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker whose clock is years off gets the same lease, and is not swept."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: LONG_AGO)
    held = claimed(job)
    left = Job.objects.annotate(now=Now()).get(pk=job.pk)
    assert 25 < (left.lease_expires_at - left.now).total_seconds() <= 31
    assert sweeper.sweep_leases() == 0
    assert services.heartbeat(held)


@pytest.mark.django_db
def test_a_stale_worker_can_write_nothing(job: Job) -> None:
    stale = claimed(job, "frozen")
    expire(job)
    assert sweeper.sweep_leases() == 1
    fresh = claimed(job, "fresh")
    assert (fresh.token, fresh.losses) == (2, 1)
    assert services.heartbeat(stale) is False
    for attempt in (
        lambda: services.report(stale, 0.9, "nearly"),
        lambda: services.finish(stale, {"sum": -1}),
        lambda: services.fail(stale, RuntimeError()),
        lambda: services.fail(stale, ModelRefused("no")),
    ):
        with pytest.raises(LeaseLost):
            attempt()
    services.release(stale)
    assert services.lose(stale) is False
    with pytest.raises(LeaseLost), services.completing(stale, {}):
        pytest.fail("a stale worker was let in")
    services.finish(fresh, {"sum": 3})
    job.refresh_from_db()
    assert (job.state, job.outcome) == (State.SUCCEEDED, {"sum": 3})


@pytest.mark.django_db
def test_between_sweep_and_next_claim_the_stale_worker_is_shut_out_too(job: Job) -> None:
    stale = claimed(job)
    expire(job)
    sweeper.sweep_leases()
    with pytest.raises(LeaseLost):
        services.finish(stale, {})
    job.refresh_from_db()
    assert job.state == State.QUEUED


@pytest.mark.django_db
def test_what_a_failed_completion_wrote_is_gone(job: Job, tenant: Tenant) -> None:
    held = claimed(job)
    with pytest.raises(TypeError), services.completing(held, {"no": object()}):  # no JSON: fails when written
        Tenant.objects.filter(pk=tenant.pk).update(title="half done")
    tenant.refresh_from_db()
    job.refresh_from_db()
    assert (tenant.title, job.state) == ("The yard", State.RUNNING)


@pytest.mark.django_db
def test_a_live_lease_is_left_alone(job: Job) -> None:
    held = claimed(job)
    assert sweeper.sweep_leases() == 0
    expire(job)
    assert services.heartbeat(held)
    assert sweeper.sweep_leases() == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("error", [RuntimeError("secret"), SystemExit(1), KeyboardInterrupt(), MemoryError()])
def test_a_poison_job_is_tried_three_times(tenant: Tenant, kind: Kind, error: BaseException) -> None:
    kind("poison", Raising(error))
    job = services.submit(tenant=tenant, kind="poison", payload={}, created_by="x")
    for attempt in range(1, 6):
        perform(job.pk)
        job.refresh_from_db()
        assert job.attempts == min(attempt, 3)
    assert job.state == State.FAILED
    assert job.error["code"] == "internal"
    assert type(error).__name__ in job.error["message"]
    assert "secret" not in str(job.error)
    assert effects(job, "job.failed") == 1


@pytest.mark.django_db(transaction=True)
def test_a_refusal_is_final(tenant: Tenant, kind: Kind) -> None:
    kind("refused", Raising(ModelRefused("this is no model", format="?")))
    job = services.submit(tenant=tenant, kind="refused", payload={}, created_by="x")
    perform(job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempts) == (State.FAILED, 1)
    assert job.error == {"code": "model_refused", "message": "this is no model", "details": {"format": "?"}}
    assert effects(job, "job.failed") == 1


@pytest.mark.django_db(transaction=True)
def test_a_refusal_is_kept_whatever_letters_it_has(tenant: Tenant, kind: Kind) -> None:
    """It may hold a stranger's words. PostgreSQL keeps no zero character, and no half of a pair."""
    kind("refused", Raising(ModelRefused("no \0 and no \ud800")))
    job = services.submit(tenant=tenant, kind="refused", payload={}, created_by="x")
    perform(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error and job.error["message"]) == (State.FAILED, "no \\0 and no ?")


@pytest.mark.django_db(transaction=True)
def test_a_job_that_cannot_be_claimed_is_not_asked_for_again_at_once(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the database can only be read: the sweeper's message comes later."""
    asked = []

    def claim(*given: Any) -> None:
        asked.append(given)
        raise DatabaseError("cannot execute UPDATE in a read-only transaction")

    monkeypatch.setattr(services, "claim", claim)
    monkeypatch.setattr("modelyard.control.jobs.tasks.WHILE_SECONDS", 1.0)
    work(str(job.pk))
    assert len(asked) == 1


@pytest.mark.django_db(transaction=True)
def test_an_outcome_that_is_no_json_counts_an_attempt(tenant: Tenant, kind: Kind) -> None:
    class Odd(Summing):
        def run(self, job: Job, report: Any) -> dict[str, Any]:
            return {"odd": object()}

    kind("odd", Odd())
    job = services.submit(tenant=tenant, kind="odd", payload={}, created_by="x")
    perform(job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempts) == (State.QUEUED, 1)


@pytest.mark.django_db(transaction=True)
def test_a_job_ends_even_when_its_follow_up_fails(tenant: Tenant, kind: Kind) -> None:
    class Careless(Raising):
        def failed(self, job: Job, error: Any) -> None:
            Tenant.objects.filter(pk=job.tenant_id).update(title="half done")
            raise RuntimeError

    kind("careless", Careless(ModelRefused("no")))
    job = services.submit(tenant=tenant, kind="careless", payload={}, created_by="x")
    perform(job.pk)
    job.refresh_from_db()
    tenant.refresh_from_db()
    assert (job.state, tenant.title) == (State.FAILED, "The yard")


@pytest.mark.django_db(transaction=True)
def test_what_is_unavailable_is_tried_again_and_then_told_as_it_is(tenant: Tenant, kind: Kind) -> None:
    kind("full", Raising(Unavailable("there is no room left")))
    job = services.submit(tenant=tenant, kind="full", payload={}, created_by="x")
    for attempt in (1, 2, 3):
        job.refresh_from_db()
        assert (job.state, job.attempts) == (State.QUEUED, attempt - 1)
        perform(str(job.pk))
    job.refresh_from_db()
    assert (job.state, job.error["code"], job.error["message"]) == (
        State.FAILED, "unavailable", "there is no room left",
    )  # fmt: skip
    assert effects(job, "job.failed") == 1


@pytest.mark.django_db(transaction=True)
def test_a_follow_up_that_the_database_refuses_holds_up_no_sweep(tenant: Tenant, kind: Kind) -> None:
    class Misfit(Summing):
        def failed(self, job: Job, error: Any) -> None:
            Tenant.objects.create(name=tenant.name)

    kind("misfit", Misfit())
    kind("sum", Summing())
    jobs = [services.submit(tenant=tenant, kind=name, payload={}, created_by="x") for name in ("misfit", "sum")]
    for made in jobs:
        held = claimed(made)
        Job.objects.filter(pk=held.pk).update(losses=services.MAX_LOSSES - 1)
        expire(held)
    assert sweeper.sweep_leases() == 2
    assert set(Job.objects.values_list("state", flat=True)) == {State.FAILED}


@pytest.mark.django_db
def test_a_job_that_loses_every_worker_ends(job: Job) -> None:
    for losses in range(1, services.MAX_LOSSES + 1):
        claimed(job)
        expire(job)
        assert sweeper.sweep_leases() == 1
        job.refresh_from_db()
        assert (job.losses, job.attempts) == (losses, 0)
    assert (job.state, job.error["code"]) == (State.FAILED, "unavailable")
    assert effects(job, "job.failed") == 1
    assert services.claim(job.pk, "w") is None


@pytest.mark.django_db(transaction=True)
def test_the_lease_is_kept_alive_while_the_work_lasts(tenant: Tenant, kind: Kind, short_leases: None) -> None:
    kind("longer", Summing(2.5))
    job = services.submit(tenant=tenant, kind="longer", payload={"numbers": []}, created_by="x")
    thread = threading.Thread(target=perform, args=(job.pk,))
    thread.start()
    while thread.is_alive():
        assert sweeper.sweep_leases() == 0
        thread.join(0.2)
    job.refresh_from_db()
    assert (job.state, job.losses) == (State.SUCCEEDED, 0)


@pytest.mark.django_db
def test_a_job_given_back_counts_against_nobody(job: Job) -> None:
    services.release(claimed(job))
    job.refresh_from_db()
    assert (job.state, job.attempts, job.losses) == (State.QUEUED, 0, 0)
    assert Outbox.objects.filter(job=job).count() == 2


@pytest.mark.django_db(transaction=True)
def test_the_tenant_that_has_had_least_is_next(tenant: Tenant, stranger: Tenant, kind: Kind) -> None:
    kind("sum", Summing())
    for owner in (tenant, tenant, tenant, stranger, stranger):
        services.submit(tenant=owner, kind="sum", payload={"numbers": []}, created_by="x")
    order = []
    while (pk := Job.objects.next_up(["sum"])) is not None:
        order.append(claimed(Job.objects.get(pk=pk)))
        if len(order) == 2:
            services.finish(order[1], {})
    names = [made.tenant.name for made in order]
    assert sorted(names[:2]) == ["stranger", "yard"]
    assert names[2] == names[1]  # the other one's job runs still
    assert [made.created_at for made in order if made.tenant == tenant] == sorted(
        made.created_at for made in order if made.tenant == tenant
    )
    assert len(order) == 5


@pytest.mark.django_db(transaction=True)
def test_as_many_messages_as_jobs_do_them_all_in_turns(tenant: Tenant, stranger: Tenant, kind: Kind) -> None:
    kind("sum", Summing())
    jobs = [
        services.submit(tenant=owner, kind="sum", payload={"numbers": [1]}, created_by="x")
        for owner in (tenant, tenant, tenant, stranger)
    ]
    for job in jobs:
        work(str(job.pk))
    work(str(jobs[0].pk))  # a message too many
    assert set(Job.objects.values_list("state", flat=True)) == {State.SUCCEEDED}
    starts = Job.objects.order_by("started_at").values_list("tenant__name", flat=True)
    assert list(starts).index("stranger") <= 1
    assert [effects(job) for job in jobs] == [1, 1, 1, 1]


@pytest.mark.django_db(transaction=True)
def test_what_failed_is_tried_again_after_a_pause_that_grows(tenant: Tenant, kind: Kind, settings: Any) -> None:
    kind("full", Raising(Unavailable("there is no room left")))
    job = services.submit(tenant=tenant, kind="full", payload={}, created_by="x")
    Outbox.objects.all().delete()
    pauses = []
    for _ in (1, 2):
        assert Job.objects.next_up(["full"]) == job.pk
        perform(job.pk)
        job.refresh_from_db()
        assert "tried again" in job.message
        assert Job.objects.next_up(["full"]) is None
        assert (sweeper.sweep_messages(), Outbox.objects.count()) == (0, 0)
        pauses.append((job.retry_at - timezone.now()).total_seconds())
        Job.objects.filter(pk=job.pk).update(retry_at=timezone.now() - timedelta(seconds=1))
        assert (sweeper.sweep_messages(), Outbox.objects.count()) == (1, 1)
        Outbox.objects.all().delete()
    first = settings.MODELYARD.job_retry_seconds
    assert 0 < pauses[0] <= first < pauses[1] <= services.RETRY_GROWTH * first


@pytest.mark.django_db(transaction=True)
def test_a_worker_leaves_the_kinds_that_it_does_not_know(tenant: Tenant, kind: Kind) -> None:
    """While two releases run side by side, an older worker must not fail what is new."""
    kind("newer", Summing())
    job = services.submit(tenant=tenant, kind="newer", payload={"numbers": [1]}, created_by="x")
    unregister("newer")
    perform_next()
    job.refresh_from_db()
    assert (job.state, job.attempts) == (State.QUEUED, 0)
    kind("newer", Summing())
    perform_next()
    job.refresh_from_db()
    assert job.state == State.SUCCEEDED
