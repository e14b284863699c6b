"""Real workers and housekeepers, killed, frozen and robbed of their messages."""

import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelyard.control.jobs import services
from modelyard.control.jobs.models import Job, Outbox, State
from modelyard.control.tenancy.models import AuditEntry, Tenant
from tests.integration.control.jobs.conftest import Processes
from tests.integration.control.jobs.handlers import Summing

pytestmark = pytest.mark.django_db(transaction=True)

Until = Callable[..., None]


@pytest.fixture(autouse=True)
def kinds(kind: Callable[[str, Any], str]) -> None:
    kind("sum", Summing())
    kind("slow", Summing())


def submit(tenant: Tenant, kind: str, **payload: Any) -> Job:
    return services.submit(tenant=tenant, kind=kind, payload={"numbers": [1, 2], **payload}, created_by="x")


def state(job: Job) -> str:
    return Job.objects.get(pk=job.pk).state


def effects(job: Job) -> int:
    return AuditEntry.objects.filter(verb="job.effect", subject=f"job:{job.pk}").count()


def test_a_killed_worker_loses_no_job(tenant: Tenant, processes: Processes, until: Until, tmp_path: Path) -> None:
    started = tmp_path / "started"
    job = submit(tenant, "slow", started=str(started))
    processes.start("tend")
    doomed = processes.start("worker")
    until(started.exists)
    doomed.send_signal(signal.SIGKILL)
    doomed.wait()
    processes.start("worker")
    until(lambda: state(job) == State.SUCCEEDED)
    job.refresh_from_db()
    assert (job.losses, job.attempts, effects(job)) == (1, 0, 1)
    assert len(started.read_text().split()) == 2


def test_a_frozen_worker_that_comes_back_is_shut_out(
    tenant: Tenant, processes: Processes, until: Until, tmp_path: Path
) -> None:
    started = tmp_path / "started"
    job = submit(tenant, "slow", started=str(started))
    processes.start("tend")
    frozen = processes.start("worker")
    until(started.exists)
    os.kill(frozen.pid, signal.SIGSTOP)
    processes.start("worker")
    until(lambda: state(job) == State.SUCCEEDED)
    os.kill(frozen.pid, signal.SIGCONT)
    later = submit(tenant, "sum")
    until(lambda: state(later) == State.SUCCEEDED)
    frozen.terminate()
    frozen.wait(60)
    job.refresh_from_db()
    assert (job.outcome, effects(job)) == ({"sum": 3, "token": 2}, 1)


def test_a_busy_worker_leaves_messages_to_others(tenant: Tenant, processes: Processes, until: Until) -> None:
    for _ in range(5):
        submit(tenant, "slow")
    processes.environment["MODELYARD_JOB_RESEND_SECONDS"] = "60"
    processes.start("tend")
    until(lambda: not Outbox.objects.exists())
    processes.start("worker")
    until(lambda: Job.objects.filter(state=State.RUNNING).count() == 2)
    time.sleep(0.5)
    assert len(list((processes.home / "broker" / "messages").iterdir())) == 3
    until(lambda: Job.objects.filter(state=State.SUCCEEDED).count() == 5)


def test_a_worker_goes_on_with_what_waits_without_a_message_of_its_own(
    tenant: Tenant, processes: Processes, until: Until
) -> None:
    for _ in range(5):
        submit(tenant, "sum")
    processes.environment["MODELYARD_JOB_RESEND_SECONDS"] = "60"
    processes.start("tend")
    until(lambda: not Outbox.objects.exists())
    _, *others = (processes.home / "broker" / "messages").iterdir()
    for message in others:
        message.unlink()
    processes.start("worker")
    until(lambda: Job.objects.filter(state=State.SUCCEEDED).count() == 5, seconds=50)


def test_lost_messages_are_made_up_for(tenant: Tenant, processes: Processes, until: Until) -> None:
    jobs = [submit(tenant, "sum") for _ in range(20)]
    tend = processes.start("tend")
    until(lambda: not Outbox.objects.exists())
    tend.terminate()
    tend.wait()
    messages = processes.home / "broker" / "messages"
    assert len(list(messages.iterdir())) == 20
    shutil.rmtree(messages)
    messages.mkdir()
    processes.start("tend")
    processes.start("worker")
    until(lambda: Job.objects.filter(state=State.SUCCEEDED).count() == 20)
    assert [effects(job) for job in jobs] == [1] * 20


def test_a_relay_that_dies_after_sending_sends_again(tenant: Tenant, processes: Processes, until: Until) -> None:
    jobs = [submit(tenant, "sum") for _ in range(3)]
    for _ in range(2):
        assert processes.start("relay-and-die").wait() == 9
    assert Outbox.objects.count() == 3
    assert len(list((processes.home / "broker" / "messages").iterdir())) == 2
    processes.start("tend")
    processes.start("worker")
    until(lambda: Job.objects.filter(state=State.SUCCEEDED).count() == 3)
    assert [effects(job) for job in jobs] == [1] * 3


def test_a_worker_stops_when_told(tenant: Tenant, processes: Processes, until: Until) -> None:
    processes.start("tend")
    worker = processes.start("worker")
    job = submit(tenant, "sum")
    until(lambda: state(job) == State.SUCCEEDED)
    for process in processes.running:
        process.terminate()
    assert [process.wait(20) for process in processes.running] == [0, 0]
    assert worker.returncode == 0


def test_a_worker_that_stops_gives_back_what_it_cannot_end(
    tenant: Tenant, processes: Processes, until: Until, tmp_path: Path
) -> None:
    started = tmp_path / "started"
    job = submit(tenant, "slow", started=str(started))
    processes.start("tend")
    stopping = processes.start("impatient worker")
    until(started.exists)
    stopping.send_signal(signal.SIGTERM)
    until(lambda: state(job) == State.QUEUED)
    processes.start("worker")
    until(lambda: state(job) == State.SUCCEEDED)
    job.refresh_from_db()
    assert (job.losses, job.attempts, effects(job)) == (0, 0, 1)
    assert job.outcome["token"] == 2
    assert stopping.wait(60) == 0
