"""One request that trains in several tenants: the operator's, and each tenant's own."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient
from sklearn.datasets import load_iris

from modelyard.control.jobs import handlers
from modelyard.control.jobs import services as jobs
from modelyard.control.jobs.models import Job, State
from modelyard.control.jobs.work import perform
from modelyard.control.registry.models import Model, Version
from modelyard.control.tenancy import services as tenancy
from modelyard.control.tenancy.models import AuditEntry, Tenant
from modelyard.control.tenancy.services import system_actor
from modelyard.core.errors import Cancelled
from modelyard.core.table import TOP
from tests.integration.control import tables

pytestmark = pytest.mark.django_db(transaction=True)

Caller = Callable[..., APIClient]
TRAIN = "/api/v1/trainers/tabular/train"
ASKED = {
    "model": "iris",
    "dataset": "iris",
    "parameters": {"target": "species", "estimator": "LogisticRegression"},
}


def iris() -> bytes:
    data = load_iris(as_frame=True)
    frame = data.frame.assign(species=data.target_names[data.target]).drop(columns="target")
    frame.columns = ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]
    return frame.to_csv(index=False).encode()


def lonely() -> bytes:
    """Classes that are there once, more than the summary of the column tells: it is fit to be trained on, the rows are
    not."""
    alone = [f"5.1,3.5,1.4,0.2,class {number}" for number in range(TOP)]
    return "\n".join([*iris().decode().splitlines(), *alone, ""]).encode()


@pytest.fixture
def others(tenant: Tenant, stranger: Tenant) -> tuple[Tenant, Tenant]:
    """Two tenants, each with a dataset called iris of its own."""
    tables.ready(system_actor(tenant, "test"), iris(), name="iris", filename="iris.csv")
    tables.ready(system_actor(stranger, "test"), lonely(), name="iris", filename="iris.csv")
    return tenant, stranger


def ask(client: APIClient, tenants: Any, **given: Any) -> Any:
    return client.post(TRAIN, {**ASKED, "tenants": tenants, **given}, format="json")


def done(job: Job) -> Job:
    """Do a job, its parts, and the job again that waited for them."""
    perform(job.pk)
    for part in job.parts.filter(state=State.QUEUED):
        perform(part.pk)
        perform(job.pk)
    job.refresh_from_db()
    return job


def test_each_tenant_has_a_version_of_its_own_data(
    operator: APIClient, others: tuple[Tenant, Tenant], caller: Caller
) -> None:
    """One tenant's failure does not stop the other, and only the operator sees both."""
    answer = ask(operator, ["yard", "stranger"])
    assert answer.status_code == 201, answer.content
    told = answer.json()
    assert (told["state"], told["created_by"], told["parts_open"]) == ("running", "operator:ops", 2)
    assert [part["tenant"] for part in told["parts"]] == ["yard", "stranger"]
    mine, theirs = (Job.objects.get(pk=part["id"]) for part in told["parts"])
    assert (done(mine).state, done(theirs).state) == (State.SUCCEEDED, State.FAILED)
    parent = done(Job.objects.get(pk=told["id"]))
    assert parent.state == State.SUCCEEDED, parent.error
    first, second = parent.outcome["tenants"]
    assert (first["tenant"], first["state"], first["number"]) == ("yard", "succeeded", 1)
    assert first["metrics"]["accuracy"] > 0.9
    assert (second["tenant"], second["state"]) == ("stranger", "failed")
    assert "class" in second["error"]["message"]

    version = Version.objects.get()
    assert (version.tenant, version.dataset.tenant, version.created_by) == (others[0], others[0], "operator:ops")
    yard = caller(others[0], "read")
    shown = yard.get(f"/api/v1/jobs/{mine.pk}/").json()
    assert (shown["state"], shown["parent"], shown["part"]) == ("succeeded", None, None)
    assert [one["id"] for one in yard.get("/api/v1/jobs/?kind=training").json()["results"]] == [str(mine.pk)]
    for hidden in (parent.pk, theirs.pk):
        assert yard.get(f"/api/v1/jobs/{hidden}/").status_code == 404
    assert operator.get(f"/api/v1/jobs/{parent.pk}/").json()["outcome"] == parent.outcome
    for one, part in zip(others, (mine, theirs), strict=True):
        entry = AuditEntry.objects.of(one).get(verb="model.train")
        assert (entry.actor, entry.details["job"]) == ("operator:ops", str(part.pk))
        assert tenancy.verify_audit(one) == []


def test_tenants_without_the_dataset_are_named_and_nothing_starts(
    operator: APIClient, others: tuple[Tenant, Tenant]
) -> None:
    bare = tenancy.create_tenant(name="bare", created_by="system:test")
    tables.ready(system_actor(bare, "test"), b"size,kind\n1,a\n2,b\n", name="irises", filename="irises.csv")
    before = Job.objects.count()
    said = ask(operator, "all").json()["error"]["message"]
    assert "bare: it has no dataset iris" in said
    assert "skip_missing" in said
    assert (Job.objects.count(), Model.objects.count()) == (before, 0)
    told = ask(operator, "all", skip_missing=True).json()
    assert [part["tenant"] for part in told["parts"]] == ["yard", "stranger"]
    assert Job.objects.get(pk=told["id"]).payload["skipped"] == {"bare": "it has no dataset iris"}
    said = ask(operator, ["bare"], dataset="irises", skip_missing=True).json()["error"]["message"]
    assert "bare: parameters.target: the dataset has no column `species`" in said
    said = ask(operator, ["yrad"]).json()["error"]["message"]
    assert "did you mean `yard`?" in said


@pytest.mark.parametrize("tenants", [[], "yard", [["yard"]], None, {"yard": 1}])
def test_what_names_no_tenants_is_refused(operator: APIClient, others: Any, tenants: Any) -> None:
    assert ask(operator, tenants).status_code == 400
    assert not Job.objects.filter(kind="training").exists()


def test_the_operator_is_told_to_name_tenants(operator: APIClient, others: Any, caller: Caller) -> None:
    refused = operator.post(TRAIN, ASKED, format="json")
    assert (refused.status_code, "in `tenants` (--tenants)" in refused.json()["error"]["message"]) == (404, True)
    refused = caller(others[0], "write").post(TRAIN, {**ASKED, "dataset": "irsi"}, format="json")
    assert refused.json()["error"]["message"].endswith("; did you mean `iris`?")


def test_no_key_of_a_tenants_may(caller: Caller, others: tuple[Tenant, Tenant]) -> None:
    """Nor can it make itself one that may, nor learn which tenants there are."""
    admin = caller(others[0], "admin")
    answers = [ask(admin, names) for names in (["stranger"], ["nobody"], "all", ["yard"])]
    assert {answer.status_code for answer in answers} == {403}
    assert len({answer.json()["error"]["message"] for answer in answers}) == 1
    made = admin.post("/api/v1/keys/", {"name": "more", "scopes": ["operator"]}, format="json")
    assert made.status_code == 400
    assert not Job.objects.filter(kind="training").exists()


def test_the_operators_key_opens_nothing_of_a_tenants(operator: APIClient, others: tuple[Tenant, Tenant]) -> None:
    assert operator.get("/api/v1/datasets/iris/").status_code == 404
    assert operator.get("/api/v1/models/").json()["results"] == []
    assert operator.get("/api/v1/keys/").status_code == 403


def test_cancelling_it_cancels_every_tenants(operator: APIClient, others: tuple[Tenant, Tenant]) -> None:
    told = ask(operator, ["yard", "stranger"]).json()
    assert operator.post(f"/api/v1/jobs/{told['id']}/cancel").json()["state"] == "cancelled"
    assert set(Job.objects.filter(parent=told["id"]).values_list("state", "cancelled_by")) == {
        ("cancelled", "operator:ops")
    }
    for one in others:
        assert AuditEntry.objects.of(one).get(verb="job.cancel").actor == "operator:ops"


class Meeting:
    """Ends by writing in its tenant's log, and then waits a moment for the other that does."""

    def __init__(self) -> None:
        self.both = threading.Barrier(2)

    def failed(self, job: Job, error: Any) -> None:
        tenancy.record(actor=system_actor(job.tenant, "test"), verb="test.end", subject=f"job:{job.pk}")
        with suppress(threading.BrokenBarrierError):  # on SQLite one writes after the other
            self.both.wait(1.0)


def test_two_that_are_cancelled_at_once_are_no_deadlock(
    operator: APIClient, others: tuple[Tenant, Tenant], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last part of each ends in another tenant, whose log its own part has written in just before."""
    monkeypatch.setitem(handlers._handlers, "meeting", Meeting())
    ends: list[tuple[Job, Cancelled]] = []
    for last in others:
        told = ask(operator, ["yard", "stranger"]).json()
        part = jobs.claim(Job.objects.get(parent=told["id"], tenant=last).pk, "test")
        assert part is not None
        (inner,) = jobs.split(part, [jobs.Part("meeting")])
        held = jobs.claim(inner.pk, "test")
        assert held is not None
        assert operator.post(f"/api/v1/jobs/{told['id']}/cancel").json()["state"] == "running"
        with pytest.raises(Cancelled) as why:
            jobs.check(held)
        ends.append((held, why.value))
    faults: list[Exception] = []

    def end(held: Job, why: Cancelled) -> None:
        try:
            jobs.fail(held, why)
        except Exception as fault:
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=end, args=one) for one in ends]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert set(Job.objects.filter(kind__in=["trainings", "training"]).values_list("state", flat=True)) == {"cancelled"}
    for one in others:
        assert AuditEntry.objects.of(one).filter(verb="job.cancel", actor="operator:ops").count() == 2


def test_a_tenant_cancels_its_own_alone(operator: APIClient, others: tuple[Tenant, Tenant], caller: Caller) -> None:
    told = ask(operator, ["yard", "stranger"]).json()
    mine, theirs = (part["id"] for part in told["parts"])
    yard = caller(others[0], "write")
    assert yard.post(f"/api/v1/jobs/{theirs}/cancel").status_code == 404
    assert yard.post(f"/api/v1/jobs/{mine}/cancel").json()["state"] == "cancelled"
    assert "the operator asked" in yard.post(f"/api/v1/jobs/{mine}/again").json()["error"]["message"]
    assert Job.objects.get(pk=theirs).state == State.QUEUED
    assert Job.objects.get(pk=told["id"]).parts_open == 1
    operator.post(f"/api/v1/jobs/{told['id']}/cancel")
    cancelled = AuditEntry.objects.filter(verb="job.cancel", subject=f"job:{mine}")
    assert [entry.actor.partition(":")[0] for entry in cancelled] == ["key"]  # not the operator's too


def test_a_tenant_that_is_not_the_operators_own_has_no_such_key(tenant: Tenant) -> None:
    with pytest.raises(tenancy.Conflict, match="is not the operator's own"):
        tenancy.create_operator_key(name="ops", tenant_name=tenant.name, created_by="system:command")
