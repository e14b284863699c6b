from collections.abc import Callable
from typing import Any

import pytest

from modelyard.control.jobs import relay, services, sweeper
from modelyard.control.jobs.models import Job, Outbox
from modelyard.control.jobs.tasks import work
from modelyard.control.tenancy.models import Tenant
from tests.integration.control.jobs.handlers import Summing
from tests.integration.control.jobs.test_services import LONG_AGO

pytestmark = pytest.mark.django_db


@pytest.fixture
def jobs(tenant: Tenant, kind: Callable[[str, Any], str]) -> list[str]:
    kind("sum", Summing())
    made = [services.submit(tenant=tenant, kind="sum", payload={}, created_by="x") for _ in range(5)]
    return [str(job.pk) for job in made]


def test_messages_go_out_once_and_in_order(jobs: list[str]) -> None:
    sent: list[str] = []
    assert relay.relay(sent.append) == 5
    assert relay.relay(sent.append) == 0
    assert sent == jobs
    assert Job.objects.filter(sent_at=None).count() == 0


def test_what_was_not_sent_stays(jobs: list[str]) -> None:
    sent: list[str] = []

    def breaks(job_id: str) -> None:
        if len(sent) == 2:
            raise ConnectionError("broker gone")
        sent.append(job_id)

    with pytest.raises(ConnectionError):
        relay.relay(breaks)
    assert [str(row.job_id) for row in Outbox.objects.all()] == jobs[2:]
    relay.relay(sent.append)
    assert sent == jobs


def test_a_long_outbox_goes_out_in_batches(jobs: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "BATCH", 2)
    assert [relay.relay(lambda _: None) for _ in range(4)] == [2, 2, 1, 0]


def test_unclaimed_jobs_are_announced_again(jobs: list[str]) -> None:
    relay.relay(lambda _: None)
    assert sweeper.sweep_messages() == 0
    Job.objects.filter(pk__in=jobs[:3]).update(sent_at=LONG_AGO)
    assert sweeper.sweep_messages() == 3
    assert sweeper.sweep_messages() == 0
    sent: list[str] = []
    relay.relay(sent.append)
    assert sorted(sent) == sorted(jobs[:3])
    assert sweeper.sweep_messages() == 0


def test_only_the_head_of_a_long_queue_is_announced_again(jobs: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeper, "BATCH", 2)
    relay.relay(lambda _: None)
    Job.objects.update(sent_at=LONG_AGO)
    assert sweeper.sweep_messages() == 2
    assert {str(row.job_id) for row in Outbox.objects.all()} == set(jobs[:2])


@pytest.mark.parametrize("message", ["", "x", "../../etc/passwd", None, 7, ["a"], {"a": 1}])
def test_a_message_that_makes_no_sense_is_dropped(db: None, message: Any) -> None:
    assert work(message) is None


def test_a_message_for_a_job_that_is_gone_changes_nothing(db: None) -> None:
    assert work("6d1d1c40-0000-4000-8000-000000000000") is None
