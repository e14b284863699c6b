"""Schedules over REST: made, read, changed, paused, run, deleted, and what is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from modelyard.control.jobs.models import Job
from modelyard.control.registry.models import Dataset, Model
from modelyard.control.schedules import services
from modelyard.control.schedules.models import Run, Schedule
from modelyard.control.tenancy.models import AuditEntry, Tenant
from modelyard.control.tenancy.services import system_actor
from tests.integration.control import tables
from tests.integration.control.schedules.conftest import BODY, iris

pytestmark = pytest.mark.django_db

Caller = Callable[..., APIClient]
PLACE = "/api/v1/schedules"


@pytest.fixture
def client(caller: Caller, tenant: Tenant) -> APIClient:
    return caller(tenant, "write")


def made(client: APIClient, **given: Any) -> Any:
    said = {"name": "nightly", "kind": "training", "body": BODY, "cron": "30 2 * * *", **given}
    return client.post(f"{PLACE}/", {name: each for name, each in said.items() if each is not None}, format="json")


def test_a_schedule_is_made_read_changed_and_deleted(client: APIClient, irises: Dataset) -> None:
    answer = made(client, time_zone="Europe/Berlin")
    assert answer.status_code == 201, answer.content
    assert answer["Location"] == f"{PLACE}/nightly/"
    told = answer.json()
    assert (told["state"], told["overlap"], told["acts_for"]) == ("active", "skip", "key:test-1")
    assert told["body"] == {**BODY, "trainer": "tabular", "description": ""}
    assert len(told["next_times"]) == 5
    assert told["next_times"][0] == told["next_at"]
    assert client.get(f"{PLACE}/nightly").json() == told

    changed = client.patch(f"{PLACE}/nightly/", {"interval_seconds": 90, "max_failures": 7}, format="json").json()
    assert (changed["cron"], changed["interval_seconds"], changed["max_failures"]) == ("", 90, 7)
    assert changed["body"] == told["body"]
    zoned = client.patch(f"{PLACE}/nightly/", {"cron": "0 1 * * mon"}, format="json").json()
    assert (zoned["cron"], zoned["time_zone"], zoned["interval_seconds"]) == ("0 1 * * mon", "Europe/Berlin", None)

    assert client.delete(f"{PLACE}/nightly/").status_code == 204
    assert client.get(f"{PLACE}/nightly/").status_code == 404
    verbs = AuditEntry.objects.filter(subject="schedule:nightly").order_by("number").values_list("verb", flat=True)
    assert list(verbs) == ["schedule.create", "schedule.change", "schedule.change", "schedule.delete"]


def test_paused_resumed_and_run_now(client: APIClient, irises: Dataset) -> None:
    made(client)
    paused = client.post(f"{PLACE}/nightly/pause", {"reason": "the holidays"}, format="json").json()
    assert (paused["state"], paused["paused"]["reason"], paused["next_times"]) == ("paused", "the holidays", [])
    assert [one["name"] for one in client.get(f"{PLACE}/?state=paused").json()["results"]] == ["nightly"]
    assert client.get(f"{PLACE}/?state=active").json()["count"] == 0
    run = client.post(f"{PLACE}/nightly/run")
    assert run.status_code == 201, run.content
    assert (run.json()["state"], run.json()["asked_by"], run.json()["due_at"]) == ("started", "key:test-1", None)
    assert client.get(run.json()["job_url"]).json()["id"] == run.json()["job"]
    assert client.post(f"{PLACE}/nightly/run").status_code == 409
    assert client.post(f"{PLACE}/nightly/resume").json()["state"] == "active"
    listed = client.get(f"{PLACE}/nightly/runs/?state=started&page_size=1").json()
    assert (listed["count"], listed["results"]) == (1, [run.json()])
    assert client.get(f"{PLACE}/nightly/").json()["last_run"] == run.json()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"cron": "61 * * * *"}, "the minute is '61', expected 0 to 59"),
        ({"time_zone": "Europe/Berln"}, "did you mean 'Europe/Berlin'?"),
        ({"cron": None}, "got none of them"),
        ({"interval_seconds": 60}, "got `cron` and `interval_seconds`"),
        ({"cron": None, "interval_seconds": 0}, "`interval_seconds`: got 0 (number), expected 1 or more"),
        ({"kind": "trainings"}, "expected one of training, scoring"),
        ({"name": "Nightly!"}, "is no name"),
        ({"overlap": "kill"}, "expected one of skip, queue"),
        ({"max_failures": 0}, "`max_failures`: got 0 (number), expected 1 or more"),
        ({"crom": "* * * * *"}, "did you mean `cron`?"),
        ({"body": [1]}, "expected an object"),
        ({"body": {**BODY, "modle": "x"}}, "did you mean `model`?"),
        ({"body": {"dataset": "iris"}}, "`model` is missing"),
        ({"cron": None, "on_dataset": "roses", "body": BODY}, "got 'iris', expected 'roses'"),
        # What the request itself is refused for.
        ({"body": {**BODY, "parameters": {"target": "spezies"}}}, "did you mean `species`?"),
        ({"body": {**BODY, "trainer": "tabulr"}}, "did you mean `tabular`?"),
        ({"body": {**BODY, "model": "Iris!"}}, "Iris!"),
        ({"body": {**BODY, "dataset": "roses"}}, "there is no dataset"),
    ],
)
def test_what_would_be_refused_later_is_refused_now(
    client: APIClient, irises: Dataset, given: dict[str, Any], said: str
) -> None:
    answer = made(client, **given)
    assert answer.status_code in (400, 404), answer.content
    assert said in answer.json()["error"]["message"]
    assert not Schedule.objects.exists()
    assert not Model.objects.exists()
    assert not Job.objects.filter(kind="training").exists()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"cron": ""}, "got none of them"),
        ({"cron": "* * * * *", "interval_seconds": 60}, "got `cron` and `interval_seconds`"),
        ({"time_zone": "Mars/Olympus"}, "there is no time zone"),
        ({"name": "daily"}, "unknown field `name`"),
        ({"body": {**BODY, "parameters": {"target": "spezies"}}}, "did you mean `species`?"),
        ({"on_dataset": "roses"}, "got 'iris', expected 'roses'"),
    ],
)
def test_a_change_is_refused_as_a_new_one_is(
    client: APIClient, irises: Dataset, given: dict[str, Any], said: str
) -> None:
    before = made(client).json()
    answer = client.patch(f"{PLACE}/nightly/", given, format="json")
    assert (answer.status_code, said in answer.json()["error"]["message"]) == (400, True), answer.content
    assert client.get(f"{PLACE}/nightly/").json() == before


def test_a_name_is_taken_once(client: APIClient, irises: Dataset) -> None:
    made(client)
    again = made(client)
    assert (again.status_code, "is a schedule called 'nightly' already" in again.json()["error"]["message"]) == (
        409,
        True,
    )


def test_a_tenant_has_so_many_and_no_more(
    caller: Caller, client: APIClient, irises: Dataset, stranger: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert services.MOST_SCHEDULES == 1000
    monkeypatch.setattr(services, "MOST_SCHEDULES", 2)
    assert [made(client, name=name).status_code for name in ("one", "two")] == [201, 201]
    refused = made(client, name="three")
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "quota_exceeded")
    assert "delete one first" in refused.json()["error"]["message"]
    tables.ready(system_actor(stranger, "test"), iris(), name="iris", filename="iris.csv")
    assert made(caller(stranger, "write"), name="three").status_code == 201  # another tenant's do not count
    client.delete(f"{PLACE}/one/")
    assert made(client, name="three").status_code == 201


def test_a_reader_reads(caller: Caller, client: APIClient, tenant: Tenant, irises: Dataset) -> None:
    made(client)
    reader = caller(tenant, "read")
    assert reader.get(f"{PLACE}/").json()["count"] == 1
    assert reader.get(f"{PLACE}/nightly/runs/").json()["count"] == 0
    assert made(reader, name="other").status_code == 403
    assert not Run.objects.exists()
