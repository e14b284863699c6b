"""Work that takes more than it may, and work that kills its child: three attempts, then the reason."""

import time
from pathlib import Path
from typing import Any

import pytest

from modelyard.control.jobs import services
from modelyard.control.jobs import work as working
from modelyard.control.jobs.models import Job, JobLimits, JobLine, State
from modelyard.control.jobs.work import perform
from modelyard.control.tenancy.models import Tenant
from modelyard.core.errors import InvalidInput
from modelyard.core.settings import MIB
from tests.integration.control.jobs import poison
from tests.integration.control.jobs.handlers import Summing
from tests.integration.control.jobs.test_cancel import InAChild
from tests.integration.control.jobs.test_services import Kind, effects

SMALL = JobLimits(seconds=60, memory_bytes=200 * MIB, output_bytes=32 * MIB)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("does", "limits", "code", "said"),
    [
        (poison.CRASH, SMALL, "child_failed", "signal 11"),
        (poison.DEVOUR, SMALL, "limit_exceeded", "it needed more than 200 MiB of memory"),
        (poison.SCRIBBLE, SMALL, "limit_exceeded", "it wrote more than 32 MiB"),
        (poison.HANG, JobLimits(0.5, 200 * MIB, MIB), "limit_exceeded", "it took longer than 0.5 s"),
    ],
)
def test_a_poison_child_is_tried_three_times(
    does: str, limits: JobLimits, code: str, said: str, tenant: Tenant, kind: Kind, tmp_path: Path
) -> None:
    kind("poison", InAChild(tmp_path, does))
    job = services.submit(tenant=tenant, kind="poison", payload={}, created_by="x", limits=limits)
    for attempt in (1, 2, 3):
        for left in tmp_path.iterdir():
            left.unlink()
        perform(job.pk)
        job.refresh_from_db()
        assert (job.attempts, job.state) == (attempt, State.QUEUED if attempt < 3 else State.FAILED)
    assert (job.error["code"], job.losses) == (code, 0)
    assert said in job.error["message"]
    assert effects(job, "job.failed") == 1
    assert len([line for line in JobLine.objects.filter(level="error") if said in line.text]) == 3


@pytest.mark.django_db(transaction=True)
def test_a_hang_without_a_child_counts_as_well(tenant: Tenant, kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging(Summing):
        def run(self, job: Job, report: Any) -> dict[str, Any]:
            time.sleep(1.5)
            return {}

    monkeypatch.setattr(working, "DEAF_SECONDS", 0.1)
    kind("hanging", Hanging())
    limits = JobLimits(0.1, MIB, MIB)
    job = services.submit(tenant=tenant, kind="hanging", payload={}, created_by="x", limits=limits)
    for _ in range(3):
        perform(job.pk)
    job.refresh_from_db()
    assert (job.state, job.attempts) == (State.FAILED, 3)
    assert job.error["code"] == "limit_exceeded"


@pytest.mark.django_db
def test_limits_are_the_operators_at_most(tenant: Tenant, kind: Kind, settings: Any) -> None:
    kind("sum", Summing())
    own = settings.MODELYARD
    job = services.submit(tenant=tenant, kind="sum", payload={}, created_by="x")
    assert job.limits == JobLimits(own.job_timeout_seconds, own.job_memory_bytes, own.job_output_bytes)
    job = services.submit(tenant=tenant, kind="sum", payload={}, created_by="x", limits=SMALL)
    assert Job.objects.get(pk=job.pk).limits == SMALL
    for wrong in (
        JobLimits(own.job_timeout_seconds + 1, MIB, MIB),
        JobLimits(1, own.job_memory_bytes + 1, MIB),
        JobLimits(1, MIB, own.job_output_bytes + 1),
        JobLimits(0, MIB, MIB),
    ):
        with pytest.raises(InvalidInput, match="limits"):
            services.submit(tenant=tenant, kind="sum", payload={}, created_by="x", limits=wrong)
    assert Job.objects.count() == 2
