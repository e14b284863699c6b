"""Answers of a scoring, stored by entity: published by a job in the real sandbox, gone back from, taken away."""

import io
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest
from pyarrow import parquet
from rest_framework.test import APIClient
from sklearn.datasets import load_iris

from modelyard.control.deployments.documents import build
from modelyard.control.deployments.publisher import publish_pending
from modelyard.control.jobs.models import Job, State
from modelyard.control.jobs.work import perform
from modelyard.control.precomputed import services
from modelyard.control.precomputed.models import Precomputation
from modelyard.control.registry import services as registry
from modelyard.control.registry import uploads
from modelyard.control.registry.consumers import declare_consumer
from modelyard.control.registry.models import Artifact, Consumer, Model, Version
from modelyard.control.registry.storage import store
from modelyard.control.tenancy.models import AuditEntry, Tenant
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import InUse
from tests.integration.control import versions

pytestmark = pytest.mark.django_db(transaction=True)

PATH = "/api/v1/models/iris/precomputed/"


@pytest.fixture
def client(caller: Callable[..., APIClient], tenant: Tenant) -> APIClient:
    return caller(tenant, "write")


@pytest.fixture
def version(admin: Actor) -> Version:
    return versions.ready(admin, registry.create_model(actor=admin, name="iris"))


def scored(actor: Actor, *, ids: Any = None, **said: Any) -> Job:
    """A scoring of iris that has succeeded, with its result in the store."""
    predictions = versions.fitted().predict(load_iris().data)
    table = pa.table({"flower": ids or [f"flower-{row}" for row in range(150)], "prediction": predictions})
    sink = io.BytesIO()
    parquet.write_table(table, sink)
    stored = store().put(str(actor.tenant.pk), [sink.getvalue()], 1 << 30)
    uploads.keep_stored(actor, stored)
    files = {"result": {"pieces": [stored.digest], "size_bytes": stored.size_bytes}}
    facts = {"model": "iris", "number": 1, "dataset": "flowers:1", "format": "parquet", "entity": "flower"}
    job: Job = Job.objects.create(
        tenant=actor.tenant,
        kind="scoring",
        state=said.pop("state", State.SUCCEEDED),
        outcome={**facts, "files": files, **said},
        created_by=actor.name,
    )
    return job


def published(client: APIClient, job: Job) -> Job:
    answer = client.post(PATH, {"job": str(job.pk)}, format="json")
    assert answer.status_code == 201, answer.content
    assert answer.headers["Location"] == f"/api/v1/jobs/{answer.json()['id']}/"
    perform(answer.json()["id"])
    return Job.objects.get(pk=answer.json()["id"])


def test_a_scorings_answers_are_published(client: APIClient, admin: Actor, version: Version) -> None:
    scoring = scored(admin)
    revision = version.model.revision
    job = published(client, scoring)
    assert (job.state, job.error) == (State.SUCCEEDED, None)
    (row,) = client.get(PATH).json()["results"]
    assert row["address"].endswith("/precomputed/iris/")
    facts = {"number": 1, "current": True, "version": 1, "dataset": "flowers:1", "entity": "flower", "rows": 150}
    assert facts.items() <= row.items()
    assert (row["kept"], row["scoring"], row["job"], row["skipped"]) == (True, str(scoring.pk), str(job.pk), 0)
    assert job.outcome == {
        "model": "iris", "version": 1, "digest": row["digest"], "number": 1, "rows": 150, "skipped": 0
    }  # fmt: skip
    assert client.get(f"{PATH}1/").json() == row
    model = Model.objects.get(pk=version.model.pk)
    assert model.revision == revision + 1
    named = build(model).precomputed
    assert named is not None
    assert (named.number, named.digest, named.version_id, named.rows) == (1, row["digest"], version.pk, 150)
    assert publish_pending() == 1
    verbs = AuditEntry.objects.filter(verb__startswith="precomputed").order_by("number").values_list("verb", flat=True)
    assert list(verbs) == ["precomputed.ask", "precomputed.publish"]


def test_going_back_and_away(client: APIClient, admin: Actor, version: Version) -> None:
    for _ in range(2):
        published(client, scored(admin))
    assert [row["current"] for row in client.get(PATH).json()["results"]] == [True, False]
    answer = client.post(f"{PATH}1/activate").json()
    assert (answer["number"], answer["current"]) == (1, True)
    assert answer["undo"]["path"] == f"{PATH}2/activate"
    assert client.post(answer["undo"]["path"]).json()["undo"]["path"] == f"{PATH}1/activate"
    with pytest.raises(InUse, match="the stored answers 2"):
        registry.delete_version(actor=admin, version=version)
    declare_consumer(actor=admin, model=version.model, name="nightly", uses=":1")
    consumer = declare_consumer(actor=admin, model=version.model, name="checkout", contact="a@example.com")
    refused = client.delete(PATH)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "has_consumers")
    assert "checkout (a@example.com); tell them" in refused.json()["error"]["message"]
    assert build(Model.objects.get(pk=version.model.pk)).precomputed is not None
    assert client.delete(f"{PATH}?despite_consumers=maybe").status_code == 400
    assert client.delete(f"{PATH}?despite_consumers=true").status_code == 204
    Consumer.objects.filter(model=consumer.model).delete()
    assert build(Model.objects.get(pk=version.model.pk)).precomputed is None
    assert client.delete(PATH).status_code == 404
    assert client.post(f"{PATH}1/activate").json()["undo"]["method"] == "DELETE"
    assert client.post(f"{PATH}3/activate").status_code == client.get(f"{PATH}3/").status_code == 404
    client.delete(PATH)
    assert client.get(f"{PATH}1/").json()["kept"]
    registry.delete_version(actor=admin, version=version)
    assert not any(row["kept"] for row in client.get(PATH).json()["results"])
    refused = client.post(f"{PATH}1/activate")
    assert (refused.status_code, "version 1" in refused.json()["error"]["message"]) == (409, True)
    registry.delete_model(actor=admin, model=version.model)
    assert not Precomputation.objects.exists()


def test_of_old_files_only_those_are_kept_that_one_may_go_back_to(
    client: APIClient, admin: Actor, version: Version
) -> None:
    digests: list[str] = []

    def publish_others(count: int) -> dict[int, bool]:
        for _ in range(count):
            names = [f"flower-{len(digests)}-{row}" for row in range(150)]
            digests.append(published(client, scored(admin, ids=names)).outcome["digest"])
        return {row["number"]: row["kept"] for row in client.get(PATH).json()["results"]}

    publish_others(3)
    client.post(f"{PATH}1/activate")
    assert publish_others(1) == {4: True, 3: True, 2: True, 1: True}
    assert publish_others(1) == {5: True, 4: True, 3: True, 2: False, 1: False}
    assert set(digests[2:]) <= versions.kept(admin.tenant)
    assert not set(digests[:2]) & versions.kept(admin.tenant)
    assert not Artifact.objects.unused().filter(digest__in=digests).exists()
    refused = client.post(f"{PATH}1/activate")
    assert (refused.status_code, "only the newest 3" in refused.json()["error"]["message"]) == (409, True)


def test_a_job_that_fails_changes_nothing(client: APIClient, admin: Actor, version: Version) -> None:
    published(client, scored(admin))
    before = versions.kept(admin.tenant)
    twice = scored(admin, ids=["same"] * 150)
    job = published(client, twice)
    assert job.state == State.FAILED
    assert "'same' is the entity of 150 rows (0, 1, 2, 3, 4, ...; the first row is 0)" in job.error["message"]
    gone = scored(admin, ids=[f"other-{row}" for row in range(150)])
    answer = client.post(PATH, {"job": str(gone.pk)}, format="json")
    uploads.release(admin.tenant, gone.outcome["files"]["result"]["pieces"])
    perform(answer.json()["id"])
    assert "score again" in Job.objects.get(pk=answer.json()["id"]).error["message"]
    assert [row["number"] for row in client.get(PATH).json()["results"] if row["current"]] == [1]
    assert versions.kept(admin.tenant) - before == set(twice.outcome["files"]["result"]["pieces"])


@pytest.mark.parametrize(
    ("said", "status", "hint"),
    [
        ({"state": State.RUNNING}, 409, "once it has succeeded"),
        ({"entity": ""}, 409, "score again with `entity`"),
        ({"format": "csv"}, 409, "score again with the format `parquet`"),
        ({"files": {}}, 409, "was deleted: score again"),
        ({"model": "wine"}, 409, "the scoring is of wine, not of iris"),
        ({"number": 7}, 404, "no version by this number"),
    ],
)
def test_what_can_be_refused_at_once_is(
    client: APIClient, admin: Actor, version: Version, said: dict[str, Any], status: int, hint: str
) -> None:
    answer = client.post(PATH, {"job": str(scored(admin, **said).pk)}, format="json")
    assert answer.status_code == status, answer.content
    assert hint in answer.json()["error"]["message"]


def test_a_job_must_be_the_tenants_own_scoring(
    client: APIClient, admin: Actor, version: Version, stranger: Tenant, caller: Callable[..., APIClient]
) -> None:
    from modelyard.control.tenancy.services import system_actor

    theirs = scored(system_actor(stranger, "test"))
    missing, foreign = (client.post(PATH, {"job": str(key)}, format="json") for key in (uuid4(), theirs.pk))
    assert missing.status_code == foreign.status_code == 400
    assert "expected that of a scoring" in foreign.json()["error"]["message"]
    other = client.post(PATH, {"job": str(version.job_id)}, format="json")
    assert (other.status_code, "no scoring" in other.json()["error"]["message"]) == (409, True)
    assert client.post(PATH, {"job": "x"}, format="json").status_code == 400
    assert client.post(PATH, {"job": str(theirs.pk), "entity": "x"}, format="json").status_code == 400
    assert client.get(f"{PATH}?curent=true").status_code == 400
    assert caller(admin.tenant, "read").delete(PATH).status_code == 403
    assert services.current_of(version.model) is None
