from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from modelyard.control.console.templatetags import console
from modelyard.control.jobs import services
from modelyard.control.jobs.models import Job
from modelyard.control.jobs.services import Line
from modelyard.control.tenancy.models import Tenant
from tests.integration.control.jobs.handlers import Summing

pytestmark = pytest.mark.django_db

Caller = Callable[..., APIClient]


class Repeatable(Summing):
    repeatable = True


@pytest.fixture
def job(tenant: Tenant, kind: Callable[[str, Any], str]) -> Job:
    kind("sum", Repeatable())
    return services.submit(tenant=tenant, kind="sum", payload={"path": "/secret"}, created_by="key:ci")


def test_a_job_is_read(caller: Caller, tenant: Tenant, job: Job) -> None:
    client = caller(tenant, "read")
    body = client.get(f"/api/v1/jobs/{job.pk}/").json()
    assert (body["id"], body["kind"], body["state"], body["progress"]) == (str(job.pk), "sum", "queued", 0)
    assert not {"payload", "worker", "token", "lease_expires_at"} & set(body)
    assert body.pop("parts") == []
    assert client.get("/api/v1/jobs/").json()["results"] == [body]
    assert client.get("/api/v1/jobs/?state=failed").json()["count"] == 0
    assert client.get("/api/v1/jobs/?kind=sum&state=queued").json()["count"] == 1
    assert client.get("/api/v1/jobs/?kind=training").json()["count"] == 0
    assert client.get("/api/v1/jobs/?state=dancing").status_code == 400
    slip = client.get("/api/v1/jobs/?kind=traning")
    assert (slip.status_code, "did you mean `training`?" in slip.json()["error"]["message"]) == (400, True)


def test_what_a_job_is_about_is_told(caller: Caller, tenant: Tenant) -> None:
    """The same words as in the console; a long list costs no query more than a short one."""
    cases = (
        ("training", {"model": "late", "dataset": "small:1"}, "late on small:1"),
        ("scoring", {"model": "late", "number": 3, "dataset": "small:1"}, "late:3 on small:1"),
        ("precomputing", {"model": "late", "version": 3, "dataset": "small:1"}, "late:3 on small:1"),
        ("registration", {"model": "late", "number": 3}, "late:3"),
        ("dataset", {"dataset": "small", "number": 1}, "small:1"),
        ("search", {"first": 0, "last": 4}, "candidates 1 to 4"),
    )
    client = caller(tenant, "read")
    for name, payload, said in cases:
        made = services.submit(tenant=tenant, kind=name, payload=payload, created_by="key:ci")
        assert client.get(f"/api/v1/jobs/{made.pk}/").json()["about"] == said == console.about(made)
    with CaptureQueriesContext(connection) as few:
        assert len(client.get("/api/v1/jobs/?page_size=1").json()["results"]) == 1
    with CaptureQueriesContext(connection) as many:
        assert len(client.get("/api/v1/jobs/").json()["results"]) == 6
    assert len(many) == len(few)


def test_a_job_is_found_by_how_its_id_begins(caller: Caller, tenant: Tenant, stranger: Tenant, job: Job) -> None:
    client, text = caller(tenant, "read"), str(job.pk)
    services.submit(tenant=tenant, kind="sum", payload={}, created_by="key:ci")
    for beginning in (text[:8], text[:8].upper(), text[:13], text[:20], text):
        assert [one["id"] for one in client.get(f"/api/v1/jobs/?begins={beginning}").json()["results"]] == [text]
    assert caller(stranger, "read").get(f"/api/v1/jobs/?begins={text[:8]}").json()["count"] == 0
    for wrong in (text[:7], "not-an-id-at-all", text + "0"):
        refused = client.get(f"/api/v1/jobs/?begins={wrong}")
        assert (refused.status_code, "8 or more" in refused.json()["error"]["message"]) == (400, True)


def test_jobs_are_not_written_here(caller: Caller, tenant: Tenant, job: Job) -> None:
    client = caller(tenant, "admin")
    assert client.post("/api/v1/jobs/", {"kind": "sum"}).status_code == 405
    for method in (client.put, client.patch, client.delete, client.post):
        assert method(f"/api/v1/jobs/{job.pk}/").status_code == 405
    for verb in ("cancel", "again"):
        assert client.get(f"/api/v1/jobs/{job.pk}/{verb}").status_code == 405
    for read in ("lines", "events"):
        assert client.post(f"/api/v1/jobs/{job.pk}/{read}").status_code == 405
    assert Job.objects.get().state == "queued"


def test_a_stranger_finds_no_job(caller: Caller, stranger: Tenant, job: Job) -> None:
    client = caller(stranger, "admin")
    theirs = client.get(f"/api/v1/jobs/{job.pk}/")
    missing = client.get("/api/v1/jobs/6d1d1c40-0000-4000-8000-000000000000/")
    assert theirs.status_code == missing.status_code == 404
    assert {**theirs.json()["error"], "request_id": 0} == {**missing.json()["error"], "request_id": 0}
    assert client.get("/api/v1/jobs/").json()["count"] == 0
    for below in ("cancel", "again", "lines", "events"):
        method = client.post if below in ("cancel", "again") else client.get
        refused = method(f"/api/v1/jobs/{job.pk}/{below}", HTTP_ACCEPT="text/event-stream, application/json")
        assert (refused.status_code, refused.json()["error"]["code"]) == (404, "not_found")
    assert Job.objects.get().state == "queued"


@pytest.mark.parametrize("name", ["x", "1", "..", "%2e%2e%2fkeys", "0" * 400])
def test_what_is_no_job_id_is_a_404(caller: Caller, tenant: Tenant, name: str) -> None:
    answer = caller(tenant, "read").get(f"/api/v1/jobs/{name}/")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


def test_a_job_is_cancelled_and_run_again(caller: Caller, tenant: Tenant, job: Job) -> None:
    reader, writer = caller(tenant, "read"), caller(tenant, "write")
    for verb in ("cancel", "again"):
        refused = reader.post(f"/api/v1/jobs/{job.pk}/{verb}")
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
    early = writer.post(f"/api/v1/jobs/{job.pk}/again")
    assert (early.status_code, early.json()["error"]["code"]) == (409, "conflict")
    ended = writer.post(f"/api/v1/jobs/{job.pk}/cancel").json()
    assert (ended["state"], ended["error"]["code"], ended["cancelled_by"]) == ("cancelled", "cancelled", "key:test-2")
    assert writer.post(f"/api/v1/jobs/{job.pk}/cancel").status_code == 409
    made = writer.post(f"/api/v1/jobs/{job.pk}/again")
    assert (made.status_code, made.json()["state"], made.json()["again_of"]) == (201, "queued", str(job.pk))


def test_a_job_is_read_with_its_parts(caller: Caller, tenant: Tenant, job: Job) -> None:
    held = services.claim(job.pk, "w")
    assert held is not None
    first, second = services.split(held, [services.Part("sum", {}), services.Part("sum", {})])
    services.finish(services.claim(first.pk, "w"), {})
    client = caller(tenant, "read")
    body = client.get(f"/api/v1/jobs/{job.pk}/").json()
    assert (body["state"], body["progress"], body["parts_made"], body["parts_open"]) == ("running", 0.45, 2, 1)
    assert [(part["id"], part["part"], part["state"]) for part in body["parts"]] == [
        (str(first.pk), 1, "succeeded"), (str(second.pk), 2, "queued"),
    ]  # fmt: skip
    assert client.get(f"/api/v1/jobs/{second.pk}/").json()["parent"] == str(job.pk)
    beneath = client.get(f"/api/v1/jobs/?parent={job.pk}&ordering=part").json()["results"]
    assert [part["id"] for part in beneath] == [str(first.pk), str(second.pk)]
    assert client.get(f"/api/v1/jobs/?parent={first.pk}").json()["count"] == 0
    assert client.get("/api/v1/jobs/?parent=x").status_code == 400


def test_the_log_is_read_from_a_line_on(caller: Caller, tenant: Tenant, job: Job) -> None:
    held = services.claim(job.pk, "w")
    assert held is not None
    services.write_lines(held, [Line("one"), Line("two", "warning")], skipped=5)
    client = caller(tenant, "read")
    body = client.get(f"/api/v1/jobs/{job.pk}/lines").json()
    assert [(line["number"], line["level"], line["text"]) for line in body["results"]] == [
        (6, "info", "one"), (7, "warning", "two"),
    ]  # fmt: skip
    assert (body["last_line"], body["dropped"]) == (7, 0)
    assert [line["number"] for line in client.get(f"/api/v1/jobs/{job.pk}/lines?after=6").json()["results"]] == [7]
    for wrong in ("x", "-1", "1" * 20):
        assert client.get(f"/api/v1/jobs/{job.pk}/lines?after={wrong}").status_code == 400


def test_under_wsgi_a_stream_is_one_look(caller: Caller, tenant: Tenant, job: Job) -> None:
    held = services.claim(job.pk, "w")
    assert held is not None
    services.report(held, 0.25, "reading")
    services.write_lines(held, [Line("one"), Line("two")])
    client = caller(tenant, "read")
    address = f"/api/v1/jobs/{job.pk}/events"
    answer = client.get(address, HTTP_ACCEPT="text/event-stream")
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
    retry, first, second, state, progress = b"".join(answer).decode().strip().split("\n\n")
    assert retry == "retry: 1000"
    assert first.startswith("id: 1\nevent: line\ndata: {")
    assert '"text": "one"' in first
    assert second.startswith("id: 2\nevent: line\n")
    assert '"state": "running"' in state
    assert '"progress": 0.25' in progress
    services.finish(held, {"sum": 3})
    later = b"".join(client.get(address, HTTP_LAST_EVENT_ID="1")).decode()
    assert '"text": "one"' not in later
    assert '"text": "two"' in later
    assert later.rstrip().split("\n\n")[-1].startswith('event: end\ndata: {"id":')
