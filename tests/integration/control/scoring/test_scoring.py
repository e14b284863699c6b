"""Scoring over REST, with the real sandbox: from a dataset and a version to a table of predictions."""

import io
import json
import pickle
import select
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from django.apps import apps
from django.db import connection
from palmerpenguins import load_penguins
from rest_framework.test import APIClient
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from modelyard.control.deployments import services as deployments
from modelyard.control.deployments.documents import build
from modelyard.control.jobs.models import Job, State
from modelyard.control.jobs.services import cancel, claim
from modelyard.control.jobs.work import perform
from modelyard.control.precomputed.services import current_of
from modelyard.control.registry import services as registry
from modelyard.control.registry.models import Artifact, Dataset, Model, Version
from modelyard.control.registry.storage import store
from modelyard.control.registry.uploads import keep_stored, sweep
from modelyard.control.scoring import files, kept, work
from modelyard.control.scoring.models import ScoredFile
from modelyard.control.tenancy.models import AuditEntry, Tenant
from modelyard.control.tenancy.services import Actor
from modelyard.core.signature import Column, DataType, Output, Role, Signature
from modelyard.runtimes.runtime import runtime_class
from modelyard.sandbox.examination import examine
from modelyard.sandbox.limits import Limits
from modelyard.scoring.scorer import SPARE, Failed, Scored, Scorer
from modelyard.serving.answer_file import AnswerFile
from modelyard.serving.protocols.decoder import Decoder
from modelyard.tables.writing import write_table
from tests.integration.control import tables, versions

results_of_before = import_module("modelyard.control.scoring.migrations.0003_results_of_before")
pytestmark = pytest.mark.django_db(transaction=True)

Caller = Callable[..., APIClient]


@pytest.fixture(autouse=True)
def no_child_stays() -> Any:
    yield
    kept.close_idle(0)


@pytest.fixture
def client(caller: Caller, tenant: Tenant) -> APIClient:
    return caller(tenant, "write")


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, Signature]:
    """What the sandbox makes of the fitted pipeline, once."""
    folder = tmp_path_factory.mktemp("graph")
    (folder / "model.pkl").write_bytes(versions.pickled())
    (folder / "scratch").mkdir()
    found = examine([("model.pkl", folder / "model.pkl")], scratch=folder / "scratch", limits=Limits(seconds=120))
    assert found.runtime == "onnx"
    return found.serving.read_bytes(), found.signature


@pytest.fixture
def iris(admin: Actor, graph: tuple[bytes, Signature]) -> Version:
    model = registry.create_model(actor=admin, name="iris")
    return versions.ready(admin, model, serving=graph[0], found={"signature": graph[1]})


def flowers(actor: Actor, **more: list[Any]) -> pd.DataFrame:
    """The flowers as the dataset `flowers`, with columns that no model takes."""
    frame = pd.DataFrame(load_iris().data, columns=["x0", "x1", "x2", "x3"])
    frame = frame.assign(plant=[f"plant {number}" for number in range(len(frame))], **more)
    tables.ready(actor, frame.to_csv(index=False).encode(), name="flowers", filename="flowers.csv")
    return frame


def ask(client: APIClient, dataset: str = "flowers", **given: Any) -> Any:
    return client.post(f"/api/v1/datasets/{dataset}/score", {"model": "iris:1", **given}, format="json")


def done(answer: Any) -> Job:
    """Do the job, its parts, and the job again that waited for them."""
    assert answer.status_code == 201, answer.content
    key = answer.json()["id"]
    perform(key)
    for part in Job.objects.filter(parent=key).order_by("part"):
        perform(part.pk)
    perform(key)
    return Job.objects.get(pk=key)


def result(client: APIClient, job: Job, what: str = "result") -> bytes:
    answer = client.get(f"/api/v1/jobs/{job.pk}/{what}")
    assert answer.status_code == 200, answer.content
    data = b"".join(answer.streaming_content)
    assert int(answer["Content-Length"]) == len(data)
    return data


@pytest.fixture
def several(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of 64 rows."""
    monkeypatch.setattr(work, "rows_per_group", lambda n_columns: 64)
    monkeypatch.setattr(work, "PART_ROWS", 64)
    monkeypatch.setattr("modelyard.tables.writing.rows_per_group", lambda n_columns: 64)


def test_a_dataset_is_scored_in_parts_as_the_pipeline_predicts(
    client: APIClient, admin: Actor, tenant: Tenant, iris: Version, several: None
) -> None:
    frame = flowers(admin)
    before = set(Artifact.objects.of(tenant).values_list("digest", flat=True))
    job = done(ask(client, entity="plant", columns=["x3"]))
    assert (job.state, job.error) == (State.SUCCEEDED, None)
    found = pd.read_parquet(io.BytesIO(result(client, job)))
    assert list(found.columns) == ["plant", "x3", "prediction"]
    expected = versions.fitted().predict(frame[["x0", "x1", "x2", "x3"]].to_numpy())
    assert found["prediction"].tolist() == expected.tolist()
    assert found["plant"].tolist() == frame["plant"].tolist()
    said = job.outcome
    assert (said["version"], said["dataset"], said["entity"]) == ("iris:1", "flowers:1", "plant")
    assert (said["rows"], said["failed_rows"], said["parts"]) == (150, 0, 3)
    assert said["rows_per_second"] > 0
    assert job.rows_done == 150
    assert client.get(f"/api/v1/jobs/{job.pk}/failed").status_code == 404
    # The parts' files are the result's pieces, and stay whatever is swept.
    left = set(Artifact.objects.of(tenant).values_list("digest", flat=True)) - before
    assert left == set(said["files"]["result"]["pieces"])
    assert len(said["files"]["result"]["pieces"]) == said["parts"] + 1
    assert said["files"]["result"]["size_bytes"] == len(result(client, job))
    assert not ScoredFile.objects.exclude(job=job).exists()
    assert {bytes(piece.tail) for piece in ScoredFile.objects.filter(job=job)} == {b""}
    sweep(-1)
    assert result(client, job)
    assert AuditEntry.objects.filter(verb="version.score", subject="version:iris:1").count() == 1


def test_a_worker_has_a_child_ready_for_the_next_scoring(
    client: APIClient, admin: Actor, iris: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "_prepares", [False])
    flowers(admin)
    try:
        assert done(ask(client)).state == State.SUCCEEDED
        kept.close_idle(0)
        assert SPARE._waiting is None  # this process is no worker
        kept.prepare()
        waiting = SPARE._waiting
        assert waiting is not None
        assert select.select([waiting.answers], [], [], 60)[0]
        assert done(ask(client)).state == State.SUCCEEDED
        assert [one.scorer._child.pid for _, one in kept._waiting] == [waiting.process.pid]
        assert SPARE._waiting is None
        kept.close_idle(0)
        assert SPARE._waiting is not None
    finally:
        SPARE.end()


def test_what_is_scored_is_what_the_data_plane_answers(client: APIClient, admin: Actor, iris: Version) -> None:
    """The same rows through the decoder and runtime of `/predict`, rows among them that both refuse."""
    frame = flowers(admin)
    frame.loc[3, "x1"] = np.nan
    tables.ready(admin, frame.to_csv(index=False).encode(), name="gaps", filename="gaps.csv")
    job = done(ask(client, "gaps", format="csv"))
    found = pd.read_csv(io.BytesIO(result(client, job)))
    assert iris.serving is not None
    signature = msgspec.convert(iris.signature, Signature)
    with store().local(str(iris.tenant_id), iris.serving.digest) as path:
        runtime = runtime_class(iris.runtime).load(path, signature)
    rows = frame[["x0", "x1", "x2", "x3"]].drop(index=3).to_dict("records")
    answer = runtime.predict(Decoder(signature).from_rows(rows))
    assert found["prediction"].drop(index=3).tolist() == answer[signature.prediction.name].tolist()
    assert np.isnan(found["prediction"][3])
    assert (job.outcome["failed_rows"], job.outcome["failed_kept"]) == (1, 1)
    (line,) = result(client, job, "failed").splitlines()
    assert json.loads(line) == {
        "row": 3,
        "reason": "column `x1`: got null, expected float64",
        "values": {"x0": 4.6, "x1": None, "x2": 1.5, "x3": 0.2},
    }


def test_what_is_no_graph_is_asked_in_its_own_child(client: APIClient, admin: Actor) -> None:
    """Rows with a category that it never saw make it fail; the others are answered as the pipeline does."""
    birds = load_penguins().dropna(subset=["bill_length_mm", "sex"]).reset_index(drop=True)
    wanted = birds[["island", "sex", "bill_length_mm", "body_mass_g"]]
    known = birds["island"] != "Torgersen"
    encoder = make_column_transformer((OneHotEncoder(sparse_output=False), ["island", "sex"]), remainder="passthrough")
    pipeline = make_pipeline(encoder, HistGradientBoostingClassifier(max_iter=5))
    pipeline.fit(wanted[known], birds["species"][known])
    signature = Signature(
        (
            Column("island", DataType.STRING),
            Column("sex", DataType.STRING),
            Column("bill_length_mm", DataType.FLOAT64),
            Column("body_mass_g", DataType.FLOAT64),
        ),
        (
            Output("label", DataType.STRING, role=Role.PREDICTION, classes=tuple(pipeline.classes_)),
            Output("probabilities", DataType.FLOAT64, (len(pipeline.classes_),), Role.PROBABILITIES),
        ),
    )
    model, pickled = registry.create_model(actor=admin, name="iris"), pickle.dumps(pipeline, protocol=4)
    versions.ready(admin, model, isolated=True, serving=pickled, found={"signature": signature})
    tables.ready(admin, birds.to_csv(index=False).encode(), name="birds", filename="birds.csv")
    job = done(ask(client, "birds"))
    assert job.state == State.SUCCEEDED, job.error
    found = pd.read_parquet(io.BytesIO(result(client, job)))
    assert found["prediction"][known].tolist() == pipeline.predict(wanted[known]).tolist()
    shares = found[[f"probability_{name}" for name in pipeline.classes_]][known].to_numpy()
    np.testing.assert_array_equal(shares, pipeline.predict_proba(wanted[known]))
    assert found[~known].isna().all().all()
    failed = [json.loads(line) for line in result(client, job, "failed").splitlines()]
    assert [one["row"] for one in failed] == np.flatnonzero(~known).tolist()
    assert "Torgersen" in failed[0]["reason"]


@pytest.mark.parametrize(
    ("given", "status", "said"),
    [
        ({"model": "iris:7"}, 404, "version"),
        ({"model": "irish"}, 404, "did you mean `iris`?"),
        ({"model": "iris@candidate"}, 404, "alias"),
        ({"model": "iris"}, 409, "iris is not served: name the version, as iris:1"),
        ({"model": "Iris!"}, 400, "Iris!"),
        ({"format": "xlsx"}, 400, "(string), expected one of parquet, csv"),
        ({"columns": ["plants"]}, 400, "did you mean `plant`?"),
        ({"entity": "x1"}, 400, "expected texts or whole numbers"),
        ({"entity": "prediction"}, 400, "leave it out"),
        ({"colums": []}, 400, "did you mean `columns`?"),
    ],
)
def test_what_can_be_refused_at_once_is(
    client: APIClient, admin: Actor, given: dict[str, Any], status: int, said: str
) -> None:
    versions.ready(admin, registry.create_model(actor=admin, name="iris"), found={"signature": of_flowers()})
    flowers(admin, prediction=list(range(150)))
    jobs = Job.objects.count()
    answer = ask(client, **given)
    assert answer.status_code == status, answer.content
    assert said in str(answer.json()["error"])
    assert Job.objects.count() == jobs


def of_flowers() -> Signature:
    signature = versions.signature()
    columns = tuple(msgspec.structs.replace(column, name=f"x{place}") for place, column in enumerate(signature.columns))
    return Signature(columns, signature.outputs)


def test_all_columns_that_lack_are_named(client: APIClient, admin: Actor) -> None:
    versions.ready(admin, registry.create_model(actor=admin, name="iris"))
    tables.ready(admin, b"sepal_length,petal_width\n1.5,a\n", name="flowers", filename="flowers.csv")
    answer = ask(client)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["details"]["missing"] == ["sepal_width", "petal_length"]
    assert "column `petal_width` holds string, expected float64" in error["message"]


def test_names_are_settled_when_it_is_asked_for(client: APIClient, admin: Actor) -> None:
    model = registry.create_model(actor=admin, name="iris")
    first = versions.ready(admin, model, found={"signature": of_flowers()})
    second = versions.ready(admin, model, b"another", found={"signature": of_flowers()})
    flowers(admin)
    registry.move_alias(actor=admin, model=model, name="candidate", version=second)
    deployments.promote(actor=admin, model=model, number=1)
    asked = {name: ask(client, model=name).json() for name in ("iris", "iris@candidate", "iris@champion")}
    registry.move_alias(actor=admin, model=model, name="candidate", version=first)
    numbers = {name: Job.objects.get(pk=job["id"]).payload["number"] for name, job in asked.items()}
    assert numbers == {"iris": 1, "iris@candidate": 2, "iris@champion": 1}


def many(actor: Actor, rows: int, folder: Path) -> Dataset:
    """Random flowers with a text each, about 60 bytes a row that no compression makes much fewer."""
    dataset = tables.ready(actor, b"x0,x1,x2,x3,plant\n1.5,1.5,1.5,1.5,a\n", name=f"rows-{rows}", filename="a.csv")
    random = np.random.default_rng(rows)
    names = ["x0", "x1", "x2", "x3"]
    schema = pa.schema([*((name, pa.float64()) for name in names), ("plant", pa.string())])

    def batches() -> Iterator[pa.RecordBatch]:
        for first in range(0, rows, 50_000):
            count = min(50_000, rows - first)
            texts = pa.array(random.integers(1 << 62, size=count)).cast(pa.string())
            yield pa.record_batch([*(pa.array(random.random(count)) for _ in names), texts], schema)

    write_table(batches(), schema, folder / "table.parquet")
    with (folder / "table.parquet").open("rb") as file:
        stored = store().put(str(actor.tenant.pk), iter(lambda: file.read(1 << 20), b""), 1 << 30)
    keep_stored(actor, stored)
    artifact = Artifact.objects.of(actor.tenant).get(digest=stored.digest)
    Dataset.objects.filter(pk=dataset.pk).update(artifact=artifact, n_rows=rows)
    return dataset


def peak_mib(process: int | str) -> int:
    """Return the most memory that a process had resident (proc(5): VmHWM)."""
    (line,) = (line for line in Path(f"/proc/{process}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) >> 10


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="no peak of memory can be reset here")
def test_memory_does_not_grow_with_the_file(client: APIClient, admin: Actor, iris: Version, tmp_path: Path) -> None:
    """Neither that of the child, which reads and writes, nor that of the worker, through which the result goes."""
    peaks = []
    for rows in (200_000, 2_000_000):
        dataset = many(admin, rows, tmp_path)
        Path("/proc/self/clear_refs").write_text("5")
        key = ask(client, dataset.name, columns=["plant", "x0", "x1", "x2", "x3"]).json()["id"]
        perform(key)
        for part in Job.objects.filter(parent=key).order_by("part"):
            perform(part.pk)
        ((_, held),) = kept._waiting
        child = peak_mib(held.scorer._child.pid)
        perform(key)
        job = Job.objects.get(pk=key)
        peaks.append((child, peak_mib("self")))
        assert (job.state, job.outcome["rows"], job.outcome["failed_rows"]) == (State.SUCCEEDED, rows, 0)
        kept.close_idle(0)
    (child, worker), (child_of_many, worker_of_many) = peaks
    assert child_of_many - child < 30, peaks
    assert worker_of_many - worker < 30, peaks


def test_a_job_of_which_every_row_fails_has_failed(client: APIClient, admin: Actor, iris: Version) -> None:
    lines = "".join(f"1,2,,{number}\n" for number in range(5))
    tables.ready(admin, f"x0,x1,x2,x3\n1,2,1.5,1\n{lines}".encode(), name="half", filename="half.csv")
    assert done(ask(client, "half")).outcome["failed_rows"] == 5
    tables.ready(admin, f"x0,x1,x2,x3\n{lines}".encode(), name="none", filename="none.csv", types={"x2": "float64"})
    job = done(ask(client, "none"))
    assert job.state == State.FAILED
    assert "no row of none:1 could be scored" in job.error["message"]
    assert "column `x2`: got null" in job.error["message"]
    assert not ScoredFile.objects.filter(job__parent=job).exists()


def test_a_killed_worker_costs_its_part_alone(
    client: APIClient, admin: Actor, iris: Version, several: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it had kept is not done again, and a worker that comes back too late keeps nothing."""
    frame = flowers(admin)
    key = ask(client).json()["id"]
    perform(key)
    first, second, third = Job.objects.filter(parent=key).order_by("part")
    perform(first.pk)
    file = ScoredFile.objects.get(job=first)
    # The second is another's by the time that its file is whole: its lease was lost.
    whole = store().put

    def late(*arguments: Any) -> Any:
        stored = whole(*arguments)
        Job.objects.filter(pk=second.pk).update(state=State.QUEUED, lease_expires_at=None)
        assert claim(second.pk, "another") is not None
        return stored

    class Store:
        put = staticmethod(late)

        def __getattr__(self, name: str) -> Any:
            return getattr(store(), name)

    with monkeypatch.context() as patch:
        patch.setattr(files, "store", Store)
        perform(second.pk)
    assert not ScoredFile.objects.filter(job=second).exists()
    Job.objects.filter(pk=second.pk).update(state=State.QUEUED, lease_expires_at=None)
    for part in (second, third):
        perform(part.pk)
    assert ScoredFile.objects.get(job=first) == file
    perform(key)
    job = Job.objects.get(pk=key)
    found = pd.read_parquet(io.BytesIO(result(client, job)))
    expected = versions.fitted().predict(frame[["x0", "x1", "x2", "x3"]].to_numpy())
    assert found["prediction"].tolist() == expected.tolist()
    again = client.post(f"/api/v1/jobs/{key}/again", {}, format="json")
    assert done(again).outcome["files"] == job.outcome["files"]


def test_a_result_that_is_too_large_leaves_nothing(
    client: APIClient, admin: Actor, tenant: Tenant, iris: Version, several: None
) -> None:
    """Each part is within the bound, and all of them are not."""
    flowers(admin)
    before = versions.kept(tenant)
    job = done(ask(client))
    size_bytes = job.outcome["files"]["result"]["size_bytes"]
    assert client.delete(f"/api/v1/jobs/{job.pk}/result").status_code == 204
    again = client.post(f"/api/v1/jobs/{job.pk}/again", {}, format="json")
    Job.objects.filter(pk=again.json()["id"]).update(max_output_bytes=size_bytes - 1)
    job = done(again)
    assert {part.state for part in job.parts.all()} == {State.SUCCEEDED}
    assert (job.state, job.error["code"]) == (State.FAILED, "too_large")
    assert versions.kept(tenant) == before


def test_parts_that_were_scored_before_pieces_are_not_joined(
    client: APIClient, admin: Actor, iris: Version, several: None
) -> None:
    """Such a part has left a whole Parquet file, and its row no tail."""
    flowers(admin)
    key = ask(client).json()["id"]
    perform(key)
    first, *others = Job.objects.filter(parent=key).order_by("part")
    for part in (first, *others):
        perform(part.pk)
    ScoredFile.objects.filter(job=first).update(tail=b"")
    perform(key)
    job = Job.objects.get(pk=key)
    assert (job.state, job.error["code"]) == (State.FAILED, "conflict")
    assert "run the job again" in job.error["message"]
    assert done(client.post(f"/api/v1/jobs/{key}/again", {}, format="json")).state == State.SUCCEEDED


def test_what_is_cancelled_leaves_nothing(
    client: APIClient, admin: Actor, tenant: Tenant, iris: Version, several: None
) -> None:
    flowers(admin)
    before = set(Artifact.objects.of(tenant).values_list("digest", flat=True))
    key = ask(client).json()["id"]
    assert client.get(f"/api/v1/jobs/{key}/result").status_code == 409
    refused = client.delete(f"/api/v1/jobs/{key}/result")
    assert (refused.status_code, "the job is queued: it has no result yet" in str(refused.json())) == (409, True)
    perform(key)
    first, *_ = Job.objects.filter(parent=key).order_by("part")
    perform(first.pk)
    shown = client.get(f"/api/v1/jobs/{key}/").json()
    assert (shown["rows_done"], shown["rows_total"]) == (64, 150)
    cancel(Job.objects.get(pk=key), admin)
    job = Job.objects.get(pk=key)
    assert job.state == State.CANCELLED
    assert set(Artifact.objects.of(tenant).values_list("digest", flat=True)) == before
    assert "was cancelled: it left nothing" in client.get(f"/api/v1/jobs/{key}/result").json()["error"]["message"]


def test_a_result_is_read_by_readers_and_deleted_by_writers(
    client: APIClient, caller: Caller, admin: Actor, tenant: Tenant, stranger: Tenant, iris: Version
) -> None:
    flowers(admin)
    reader, theirs = caller(tenant, "read"), caller(stranger, "write")
    assert ask(reader).status_code == 403
    assert ask(theirs).status_code == 404
    job = done(ask(client))
    place = f"/api/v1/jobs/{job.pk}/result"
    assert reader.get(place).status_code == 200
    for path in (place, f"/api/v1/jobs/{job.pk}/failed"):
        refused = reader.get(path, {"format": "csv"})
        assert (refused.status_code, "none is taken here" in str(refused.json()["error"])) == (400, True)
    assert reader.delete(place).status_code == 403
    assert (theirs.get(place).status_code, theirs.delete(place).status_code) == (404, 404)
    assert client.delete(place).status_code == 204
    assert client.delete(place).status_code == 404
    assert "it was deleted: run the job again" in client.get(place).json()["error"]["message"]
    assert not set(job.outcome["files"]["result"]["pieces"]) & versions.kept(tenant)
    assert client.get(f"/api/v1/jobs/{job.pk}/").json()["outcome"] == {**job.outcome, "files": {}}
    assert Model.objects.filter(name="iris").exists()


def test_a_result_of_which_a_piece_is_gone_is_told_before_a_byte_is_sent(
    client: APIClient, admin: Actor, tenant: Tenant, iris: Version, several: None
) -> None:
    flowers(admin)
    job = done(ask(client))
    store().delete(str(tenant.pk), job.outcome["files"]["result"]["pieces"][1])
    answer = client.get(f"/api/v1/jobs/{job.pk}/result")
    assert answer.status_code == 404
    assert "a piece of it is not in the store any more: run the job again" in answer.json()["error"]["message"]
    assert client.delete(f"/api/v1/jobs/{job.pk}/result").status_code == 204
    assert not ScoredFile.objects.exists()


def test_a_result_of_before_pieces_is_read_stored_by_entity_and_deleted(
    client: APIClient, admin: Actor, tenant: Tenant, iris: Version
) -> None:
    """It is one file, of which the outcome told the digest, as did the payload of what was made of it."""
    flowers(admin)
    job = done(ask(client, entity="plant"))
    whole = result(client, job)
    stored = store().put(str(tenant.pk), [whole], 1 << 30)
    keep_stored(admin, stored)
    artifact = Artifact.objects.get(digest=stored.digest)
    ScoredFile.objects.filter(job=job).delete()
    ScoredFile.objects.create(tenant=tenant, job=job, role="result", artifact=artifact)
    old = {"digest": stored.digest, "size_bytes": stored.size_bytes}
    Job.objects.filter(pk=job.pk).update(outcome={**job.outcome, "files": {"result": old}})
    results_of_before.forwards(apps, connection.schema_editor())
    asked = client.post("/api/v1/models/iris/precomputed/", {"job": str(job.pk)}, format="json")
    assert asked.status_code == 201, asked.content
    made = Job.objects.get(pk=asked.json()["id"])
    del made.payload["pieces"]
    Job.objects.filter(pk=made.pk).update(payload={**made.payload, "digest": stored.digest})
    results_of_before.forwards(apps, connection.schema_editor())
    perform(made.pk)
    made.refresh_from_db()
    assert (made.state, made.outcome["rows"]) == (State.SUCCEEDED, 150)
    assert result(client, job) == whole
    shown = client.get(f"/api/v1/jobs/{job.pk}/").json()["outcome"]["files"]
    assert shown == {"result": {"pieces": [stored.digest], "size_bytes": stored.size_bytes}}
    assert client.delete(f"/api/v1/jobs/{job.pk}/result").status_code == 204
    assert stored.digest not in versions.kept(tenant)


def test_answers_are_stored_by_entity_where_that_is_asked_for(
    client: APIClient, admin: Actor, iris: Version, several: None
) -> None:
    """As the last of the scoring itself: each is what the pipeline predicts."""
    frame = flowers(admin)
    job = done(ask(client, entity="plant", precompute=True))
    perform(job.outcome["precomputing"])
    row = current_of(iris.model)
    assert row is not None
    assert (row.n_rows, row.scoring, row.dataset, row.created_by) == (150, job, "flowers:1", job.created_by)
    with store().local(str(admin.tenant.pk), row.digest) as path:
        named = build(iris.model).precomputed
        assert named is not None
        file = AnswerFile(path, named)
        told = [json.loads(file.find(plant) or b"")["predictions"][0] for plant in frame["plant"]]
        file.close()
    assert told == versions.fitted().predict(load_iris().data).tolist()
    for given in ({"precompute": True}, {"precompute": True, "entity": "plant", "format": "csv"}):
        refused = ask(client, **given)
        assert (refused.status_code, "name `entity`" in refused.json()["error"]["message"]) == (400, True)
    frame.assign(plant=[None, *frame["plant"][1:]]).to_csv(gaps := io.StringIO(), index=False)
    tables.ready(admin, gaps.getvalue().encode(), name="gaps", filename="gaps.csv")
    refused = ask(client, "gaps", entity="plant", precompute=True)
    assert (refused.status_code, "`plant` has missing values" in refused.json()["error"]["message"]) == (400, True)
    frame.assign(plant=["a", "b"] * 75).to_csv(twice := io.StringIO(), index=False)
    tables.ready(admin, twice.getvalue().encode(), name="twice", filename="twice.csv")
    refused = ask(client, "twice", entity="plant", precompute=True)
    assert (refused.status_code, "has 2 values in 150 rows in" in refused.json()["error"]["message"]) == (400, True)
    frame.assign(plant=["plant 1", *frame["plant"][1:]]).to_csv(once := io.StringIO(), index=False)
    tables.ready(admin, once.getvalue().encode(), name="once", filename="once.csv")
    refused = ask(client, "once", entity="plant", precompute=True)
    assert (refused.status_code, "has 149 values in 150 rows" in refused.json()["error"]["message"]) == (400, True)


def test_a_version_deleted_meanwhile_costs_the_stored_answers_alone(
    client: APIClient, admin: Actor, iris: Version
) -> None:
    """What was scored stays, and the job says why it ends there."""
    flowers(admin)
    key = ask(client, entity="plant", precompute=True).json()["id"]
    perform(key)
    for part in Job.objects.filter(parent=key):
        perform(part.pk)
    registry.delete_version(actor=admin, version=iris)
    perform(key)
    job = Job.objects.get(pk=key)
    assert (job.state, job.error) == (State.SUCCEEDED, None)
    assert len(pd.read_parquet(io.BytesIO(result(client, job)))) == 150
    assert "precomputing" not in job.outcome
    assert "no version by this number" in job.outcome["not_precomputed"]


def lie(monkeypatch: pytest.MonkeyPatch, **said: Any) -> None:
    """Let the child say this of what it did."""
    score = Scorer.score

    def lies(self: Scorer, *given: Any) -> Any:
        for one in score(self, *given):
            yield msgspec.structs.replace(one, **said) if isinstance(one, Scored) else one

    monkeypatch.setattr(Scorer, "score", lies)


FAILED = Failed(3, "no \0 and no \ud800", {"x0": "\0"})


@pytest.mark.parametrize(
    ("form", "lies", "said"),
    [
        ("parquet", {"rows": 151}, "counted other rows"),
        ("parquet", {"n_failed": 151}, "counted other rows"),
        ("parquet", {"failed": [FAILED]}, "counted other rows"),
        ("parquet", {"failed": [msgspec.structs.replace(FAILED, row=150)], "n_failed": 1}, "counted other rows"),
        ("parquet", {"tail": b""}, "no Parquet file"),
        ("csv", {"tail": b"more"}, "wrote on after its end"),
    ],
)
def test_what_a_child_says_of_itself_is_checked(
    client: APIClient, admin: Actor, iris: Version, monkeypatch: pytest.MonkeyPatch,
    form: str, lies: dict[str, Any], said: str,
) -> None:  # fmt: skip
    flowers(admin)
    lie(monkeypatch, **lies)
    key = ask(client, format=form).json()["id"]
    perform(key)
    Job.objects.filter(parent=key).update(attempts=2)
    part = Job.objects.get(parent=key)
    perform(part.pk)
    part.refresh_from_db()
    assert part.state == State.FAILED
    assert said in part.error["message"]


def test_a_reason_is_kept_whatever_letters_it_has(
    client: APIClient, admin: Actor, iris: Version, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL keeps no zero character, and no half of a pair."""
    flowers(admin)
    lie(monkeypatch, n_failed=1, failed=[FAILED])
    job = done(ask(client))
    assert (job.state, job.error) == (State.SUCCEEDED, None)
    assert json.loads(result(client, job, "failed"))["reason"] == "no \0 and no ?"


@pytest.mark.parametrize(
    ("lost", "code", "said"),
    [
        ("memory", "limit_exceeded", "part 1: the process that scores needed more than 1 MiB of memory"),
        ("killed", "child_failed", "part 1: the process that scores died"),
        ("output", "too_large", "part 1: the result has more than the 100 B that a job may leave: keep fewer columns"),
    ],
)
def test_what_a_part_dies_of_is_told_as_jobs_tell_it(
    client: APIClient, admin: Actor, iris: Version, monkeypatch: pytest.MonkeyPatch, lost: str, code: str, said: str
) -> None:
    flowers(admin)
    key = ask(client).json()["id"]
    perform(key)
    bounds = {"memory": {"max_memory_bytes": 1 << 20}, "output": {"max_output_bytes": 100}}.get(lost, {})
    Job.objects.filter(parent=key).update(attempts=2, **bounds)
    if lost == "killed":
        score = Scorer.score

        def killed(self: Scorer, *given: Any) -> Any:
            self._child.kill()
            return score(self, *given)

        monkeypatch.setattr(Scorer, "score", killed)
    part = Job.objects.get(parent=key)
    perform(part.pk)
    perform(key)
    part.refresh_from_db()
    assert (part.state, part.error["code"]) == (State.FAILED, code)
    job = Job.objects.get(pk=key)
    assert (job.error["code"], job.error["details"]) == ("model_failed", {"part": 1, "code": code})
    assert job.error["message"].startswith(said)
