"""The pages of background work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from modelyard.control.jobs import handlers, services
from modelyard.control.jobs.models import Job, State
from modelyard.control.jobs.services import Line, Part
from modelyard.control.registry.models import Model
from modelyard.control.tenancy.models import Tenant
from modelyard.control.tenancy.services import Actor
from tests.integration.control import tables
from tests.integration.control.console.reading import HOSTILE, HTMX, text_of
from tests.integration.control.jobs.handlers import Summing
from tests.integration.control.versions import register


class Repeatable(Summing):
    repeatable = True


@pytest.fixture
def submit(tenant: Tenant) -> Iterator[Callable[..., Job]]:
    handlers.register("sum", Repeatable())
    handlers.register("other_kind", Summing())

    def make(kind: str = "sum") -> Job:
        return services.submit(tenant=tenant, kind=kind, payload={}, created_by="key:ci")

    yield make
    handlers.unregister("sum")
    handlers.unregister("other_kind")


def claimed(job: Job) -> Job:
    held = services.claim(job.pk, "w")
    assert held is not None
    return held


def test_without_jobs_the_list_says_what_makes_one(editor: Client, tenant: Tenant) -> None:
    page = text_of(editor.get("/t/yard/jobs/"))
    assert "Nothing was done yet" in page
    assert "New model" in page


def test_the_list_is_filtered_and_in_pages(viewer: Client, submit: Callable[..., Job]) -> None:
    made = [submit() for _ in range(30)]
    other = submit("other_kind")
    services.finish(claimed(other), {})
    page = text_of(viewer.get("/t/yard/jobs/"))
    assert "1 to 25 of 31" in page
    assert "?page=2" in page
    assert str(other.pk) in text_of(viewer.get("/t/yard/jobs/?kind=other_kind&state=succeeded"))
    filtered = text_of(viewer.get("/t/yard/jobs/?kind=sum&state=queued&page=2"))
    assert filtered.count('<tr class="reach">') == 5
    assert str(made[0].pk) in filtered
    assert "?kind=sum&amp;state=queued&amp;page=1" in filtered
    assert "No job matches" in text_of(viewer.get("/t/yard/jobs/?state=failed"))
    assert "1 to 25 of 31" in text_of(viewer.get("/t/yard/jobs/?state=dancing"))
    fragment = text_of(viewer.get("/t/yard/jobs/?kind=sum", headers=HTMX))
    assert "<html" not in fragment
    assert 'id="job-list"' in fragment


def test_a_job_is_shown_as_it_goes_on(viewer: Client, submit: Callable[..., Job]) -> None:
    job = submit()
    address = f"/t/yard/jobs/{job.pk}/"
    assert "It waits for a worker" in text_of(viewer.get(address))
    held = claimed(job)
    facts = {"rows_done": 500, "rows_total": 1000, "rows_per_second": 250.0, "eta_seconds": 125.0}
    services.report(held, 0.5, HOSTILE, metrics={"loss": 0.25, HOSTILE: HOSTILE}, **facts)
    services.write_lines(held, [Line("first"), Line(HOSTILE, "error")], skipped=1200)
    page = text_of(viewer.get(address))
    for said in ("50 %", "500", "of 1,000", "250", "2 min 5 s", "loss", "0.25", "first", "202 lines were not kept"):
        assert said in page, said
    assert "<script>alert" not in page
    assert f'hx-get="{address}now/"' in page
    assert f'hx-get="{address}log/?after=1202"' in page
    services.write_lines(held, [Line("third")])
    more = text_of(viewer.get(f"{address}log/?after=1202", headers=HTMX))
    assert ("third" in more, "first" in more) == (True, False)
    assert "?after=1203" in more
    assert text_of(viewer.get(f"{address}log/?after=1203", headers=HTMX)).count("<li") == 1
    services.finish(held, {"sum": 3})
    ended = text_of(viewer.get(f"{address}now/", headers=HTMX))
    assert "succeeded" in ended
    assert "hx-get" not in ended
    assert text_of(viewer.get(f"{address}log/?after=1203", headers=HTMX)).strip() == ""


def test_parts_are_on_their_jobs_page_alone(viewer: Client, submit: Callable[..., Job]) -> None:
    job = submit()
    parts = services.split(claimed(job), [services.Part("sum"), services.Part("sum")])
    services.finish(claimed(parts[0]), {})
    page = text_of(viewer.get(f"/t/yard/jobs/{job.pk}/"))
    assert "waits for its parts" in page
    assert "1 of 2 parts have not ended" in page
    assert "45 %" in page, "half of what the parts are of it"
    assert f"/t/yard/jobs/{parts[1].pk}/" in page
    assert f"/t/yard/jobs/{job.pk}/" in text_of(viewer.get(f"/t/yard/jobs/{parts[1].pk}/"))
    assert str(parts[1].pk) not in text_of(viewer.get("/t/yard/jobs/"))


def test_a_job_is_cancelled_and_run_again(editor: Client, viewer: Client, submit: Callable[..., Job]) -> None:
    job = submit()
    address = f"/t/yard/jobs/{job.pk}/"
    assert "job-cancel-dialog" in text_of(editor.get(address))
    assert "job-cancel-dialog" not in text_of(viewer.get(address))
    assert "Cancel this job?" in text_of(editor.get(f"{address}cancel/"))
    assert Job.objects.get().state == State.QUEUED
    assert editor.post(f"{address}cancel/")["Location"] == address
    page = text_of(editor.get(address))
    assert "The job is cancelled." in page
    assert "user:editor cancelled it" in page
    assert "Run again" in page
    assert "Run again" not in text_of(viewer.get(address))
    assert editor.get(f"{address}cancel/")["Location"] == address
    refused = editor.post(f"{address}cancel/", follow=True)
    assert "the job has ended" in text_of(refused)
    made = editor.post(f"{address}again/")
    new = Job.objects.exclude(pk=job.pk).get()
    assert made["Location"] == f"/t/yard/jobs/{new.pk}/"
    page = text_of(editor.get(made["Location"]))
    assert address in page
    assert f'action="/t/yard/jobs/{new.pk}/cancel/"' in page.partition('class="toast ')[2], "it is undone by that"


def test_a_kind_that_cannot_be_repeated_has_no_button(editor: Client, submit: Callable[..., Job]) -> None:
    job = submit("other_kind")
    editor.post(f"/t/yard/jobs/{job.pk}/cancel/")
    assert "Run again" not in text_of(editor.get(f"/t/yard/jobs/{job.pk}/"))
    refused = editor.post(f"/t/yard/jobs/{job.pk}/again/", follow=True)
    assert "cannot be run again" in text_of(refused)


def test_a_version_and_its_job_lead_to_one_another(viewer: Client, admin: Actor, model: Model) -> None:
    version = register(admin, model)
    job: Any = version.job_id
    assert f"/t/yard/jobs/{job}/" in text_of(viewer.get("/t/yard/models/iris/versions/1/"))
    assert "/t/yard/models/iris/versions/1/" in text_of(viewer.get(f"/t/yard/jobs/{job}/"))


def test_a_job_leads_to_what_it_reads_and_makes(viewer: Client, admin: Actor, model: Model) -> None:
    """A training's version is registered by its part; a dataset that is gone has no link."""
    dataset = tables.ready(admin)
    version = register(admin, model, dataset=dataset)
    payload = {"model": "iris", "dataset": str(dataset), "trainer": "tabular"}
    outcome = {"model": "iris", "number": 1, "metrics": {"accuracy": 0.97}}
    job = Job.objects.create(
        tenant=admin.tenant, kind="training", payload=payload, created_by="user:ann", state="succeeded", outcome=outcome
    )
    Job.objects.filter(pk=version.job_id).update(parent=job, part=1)
    page = text_of(viewer.get(f"/t/yard/jobs/{job.pk}/"))
    for address in ("/t/yard/models/iris/versions/1/", "/t/yard/datasets/flights:1/"):
        assert f'href="{address}"' in page
    assert "<dt>Number</dt><dd>1</dd>" in page
    assert "&quot;accuracy&quot;: 0.97" in page
    assert 'href="/t/yard/datasets/flights:1/"' in text_of(viewer.get(f"/t/yard/jobs/{dataset.job_id}/"))
    listed = text_of(viewer.get("/t/yard/jobs/"))
    assert '<span class="soft">iris on flights:1</span>' in listed
    assert '<span class="soft">flights:1</span>' in listed
    version.delete()
    dataset.delete()
    assert "/t/yard/datasets/flights" not in text_of(viewer.get(f"/t/yard/jobs/{job.pk}/"))


def test_jobs_of_several_tenants_lead_nobody_where_nothing_is(
    viewer: Client, tenant: Tenant, stranger: Tenant, submit: Callable[..., Job]
) -> None:
    """The operator's job names the tenants of its parts; a part is its own tenant's job, of no other."""
    asked = {"kind": "sum", "payload": {}, "created_by": "operator:ops"}
    _, (part,) = services.submit_in_parts(tenant=stranger, parts=[Part("sum", tenant=tenant)], **asked)
    assert str(part.pk) in text_of(viewer.get("/t/yard/jobs/"))
    page = text_of(viewer.get(f"/t/yard/jobs/{part.pk}/"))
    assert "operator" in page
    assert str(part.parent_id) not in page
    whole, (part,) = services.submit_in_parts(tenant=tenant, parts=[Part("sum", tenant=stranger)], **asked)
    page = text_of(viewer.get(f"/t/yard/jobs/{whole.pk}/"))
    assert "stranger" in page
    assert str(part.pk) not in page
