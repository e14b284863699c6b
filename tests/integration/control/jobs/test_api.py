from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from modelyard.control.jobs import services
from modelyard.control.jobs.models import Job
from modelyard.control.tenancy.models import Tenant
from tests.integration.control.jobs.handlers import Summing

pytestmark = pytest.mark.django_db

Caller = Callable[..., APIClient]


@pytest.fixture
def job(tenant: Tenant, kind: Callable[[str, Any], str]) -> Job:
    kind("sum", Summing())
    return services.submit(tenant=tenant, kind="sum", payload={"path": "/secret"}, created_by="key:ci")


def test_a_job_is_read(caller: Caller, tenant: Tenant, job: Job) -> None:
    client = caller(tenant, "read")
    body = client.get(f"/api/v1/jobs/{job.pk}/").json()
    assert (body["id"], body["kind"], body["state"], body["progress"]) == (str(job.pk), "sum", "queued", 0)
    assert not {"payload", "worker", "token", "lease_expires_at"} & set(body)
    assert client.get("/api/v1/jobs/").json()["results"] == [body]
    assert client.get("/api/v1/jobs/?state=failed").json()["count"] == 0
    assert client.get("/api/v1/jobs/?kind=sum&state=queued").json()["count"] == 1
    assert client.get("/api/v1/jobs/?state=dancing").status_code == 400


def test_jobs_are_not_written_here(caller: Caller, tenant: Tenant, job: Job) -> None:
    client = caller(tenant, "admin")
    assert client.post("/api/v1/jobs/", {"kind": "sum"}).status_code == 405
    for method in (client.put, client.patch, client.delete, client.post):
        assert method(f"/api/v1/jobs/{job.pk}/").status_code == 405
    assert Job.objects.get().state == "queued"


def test_a_stranger_finds_no_job(caller: Caller, stranger: Tenant, job: Job) -> None:
    client = caller(stranger, "admin")
    theirs = client.get(f"/api/v1/jobs/{job.pk}/")
    missing = client.get("/api/v1/jobs/6d1d1c40-0000-4000-8000-000000000000/")
    assert theirs.status_code == missing.status_code == 404
    assert {**theirs.json()["error"], "request_id": 0} == {**missing.json()["error"], "request_id": 0}
    assert client.get("/api/v1/jobs/").json()["count"] == 0


@pytest.mark.parametrize("name", ["x", "1", "..", "%2e%2e%2fkeys", "0" * 400])
def test_what_is_no_job_id_is_a_404(caller: Caller, tenant: Tenant, name: str) -> None:
    answer = caller(tenant, "read").get(f"/api/v1/jobs/{name}/")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"
