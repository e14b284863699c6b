"""Training over REST, with the real sandbox: from a dataset to a version that is ready."""

import threading
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from palmerpenguins import load_penguins
from rest_framework.test import APIClient
from sklearn.datasets import load_iris

from modelyard.control.jobs.models import Job, State
from modelyard.control.jobs.services import Part, cancel, claim, split
from modelyard.control.jobs.work import perform
from modelyard.control.registry import services as registry
from modelyard.control.registry.models import Artifact, Dataset, Model, Version, VersionState
from modelyard.control.registry.storage import SCRATCH
from modelyard.control.tenancy.models import Tenant
from modelyard.control.tenancy.services import Actor
from modelyard.control.training import work
from modelyard.core.errors import TooLarge
from modelyard.core.settings import Settings
from modelyard.trainers.table import trainers
from modelyard.trainers.trainer import Baseline, Fitted
from tests.integration.control import tables

pytestmark = pytest.mark.django_db(transaction=True)

Caller = Callable[..., APIClient]
TRAIN = "/api/v1/trainers/tabular/train"


def iris() -> bytes:
    data = load_iris(as_frame=True)
    frame = data.frame.assign(target=data.target_names[data.target])
    frame.columns = ["sepal_length", "sepal_width", "petal_length", "petal_width", "species"]
    return frame.to_csv(index=False).encode()


@pytest.fixture
def client(caller: Caller, tenant: Tenant) -> APIClient:
    return caller(tenant, "write")


@pytest.fixture
def model(admin: Actor) -> Model:
    return registry.create_model(actor=admin, name="iris")


def done(job: Any) -> Job:
    """Do the job, its parts, and the job again that waited for them."""
    perform(job["id"])
    for part in Job.objects.filter(parent=job["id"], state=State.QUEUED):
        perform(part.pk)
        perform(job["id"])
    return Job.objects.get(pk=job["id"])


def ask(client: APIClient, **given: Any) -> Any:
    body = {"model": "iris", "dataset": "iris", "parameters": {"target": "species"}, **given}
    return client.post(TRAIN, body, format="json")


def test_a_dataset_becomes_a_version(client: APIClient, admin: Actor, model: Model) -> None:
    dataset = tables.ready(admin, iris(), name="iris", filename="iris.csv")
    answer = ask(client, parameters={"target": "species", "estimator": "LogisticRegression", "seed": 7})
    assert answer.status_code == 201, answer.content
    assert answer.json()["kind"] == "training"
    job = done(answer.json())
    assert (job.state, job.error) == (State.SUCCEEDED, None)
    version = Version.objects.get(model=model)
    assert (job.outcome["model"], job.outcome["number"]) == ("iris", version.number)
    assert version.state == VersionState.READY
    assert version.dataset == dataset
    assert version.created_by == job.created_by
    assert version.manifest["data_digest"] == f"sha256:{dataset.artifact.digest}"
    assert version.manifest["seed"] == 7
    assert version.metrics["accuracy"] > 0.9
    assert version.training["trainer"] == "tabular"
    assert {one["name"] for one in version.baseline["features"]} == {
        "sepal_length",
        "sepal_width",
        "petal_length",
        "petal_width",
    }
    assert version.job.parent_id == job.pk
    assert job.lines.exists()


def test_text_columns_and_missing_values_are_learnt_from(client: APIClient, admin: Actor) -> None:
    """What is served answers as the fitted pipeline does, on the rows that its registration compares."""
    content = load_penguins().to_csv(index=False).encode()
    tables.ready(admin, content, name="penguins", filename="penguins.csv")
    body = {"model": "penguins", "dataset": "penguins", "parameters": {"target": "species", "exclude": ["year"]}}
    answer = client.post(TRAIN, body, format="json")
    assert answer.status_code == 201, answer.content
    job = done(answer.json())
    assert job.state == State.SUCCEEDED, job.error
    version = Version.objects.get(model__name="penguins")
    assert version.metrics["accuracy"] > 0.9
    assert [column["name"] for column in version.signature["columns"]] == [
        "island",
        "bill_length_mm",
        "bill_depth_mm",
        "flipper_length_mm",
        "body_mass_g",
        "sex",
    ]
    told = client.get("/api/v1/models/penguins/versions/1/training/").json()
    assert (told["version"], told["trainer"], told["target"]) == ("penguins:1", "tabular", "species")
    assert told["rows"] == {"dataset": 344, "used": 344, "drawn": False, "trained": 275, "held_out": 69}
    accuracy = told["metrics"][0]
    assert (accuracy["name"], accuracy["value"]) == ("accuracy", version.metrics["accuracy"])
    assert accuracy["baseline"] < 0.5
    assert not accuracy["no_better"]
    assert sum(map(sum, told["confusion"]["counts"])) == 69
    assert told["report"] == version.training["report"]


@pytest.mark.parametrize(
    ("given", "status", "said"),
    [
        ({"parameters": {"target": "spezies"}}, 400, "species"),
        ({"parameters": {"target": "species", "estimater": "SVC"}}, 400, "estimator"),
        ({"parameters": {"target": "species", "estimator": "LogisticRegresion"}}, 400, "LogisticRegression"),
        ({"parameters": {"target": "species", "task": "regression"}}, 400, "species"),
        ({"parameters": {"target": "species", "holdout": 2}}, 400, "parameters.holdout"),
        ({"parameters": {}}, 400, "target"),
        ({"parameters": []}, 400, "parameters"),
        ({"parameters": 5}, 400, "got 5, expected an object"),
        ({"parameters": {"target": "species", "parameters": {"C": "c" * 200_000}}}, 400, "expected at most 131072"),
        ({"parameters": reduce(lambda inner, _: {"C": inner}, range(20), 1)}, 400, "nested more than"),
        ({"dataset": "irises"}, 404, "dataset"),
        ({"model": "Iris!"}, 400, "Iris!"),
        ({"target": "species"}, 400, "target"),
    ],
)
def test_what_can_be_refused_at_once_is(
    client: APIClient, admin: Actor, model: Model, given: dict[str, Any], status: int, said: str
) -> None:
    tables.ready(admin, iris(), name="iris", filename="iris.csv")
    jobs = Job.objects.count()
    answer = ask(client, **{"model": "flowers", **given})
    assert answer.status_code == status, answer.content
    assert said in str(answer.json()["error"])
    assert Job.objects.count() == jobs
    assert list(Model.objects.all()) == [model]


def test_a_model_that_is_too_large_is_told_with_what_makes_it_smaller(
    client: APIClient, admin: Actor, model: Model, settings: Any, tmp_path: Path
) -> None:
    """After the first fit by the built-in trainer; by one's own once it is there. Nothing stays of it."""
    tables.ready(admin, iris(), name="iris", filename="iris.csv")
    settings.MODELYARD = Settings.read({}, home=settings.MODELYARD.home, max_upload_bytes=20_000)
    job = done(ask(client, parameters={"target": "species", "estimator": "RandomForestClassifier"}).json())
    assert (job.state, job.error["code"]) == (State.FAILED, "too_large")
    said = job.error["message"]
    assert "larger than the 19.53 KiB that a version may have: bound the trees of `RandomForestClassifier`" in said
    assert "`n_estimators`, `max_depth`, `max_leaf_nodes`, `min_samples_leaf`" in said
    assert "MODELYARD_MAX_UPLOAD_BYTES" in said
    assert "upload" not in said.lower().replace("modelyard_max_upload_bytes", "")
    lines = [line.text for line in job.lines.all()]
    assert any("fitting on" in line for line in lines)
    assert not any("fitting at last" in line for line in lines)
    assert not Version.objects.exists()
    (tmp_path / "own.pkl").write_bytes(bytes(20_001))
    with pytest.raises(TooLarge, match="let the trainer `tabular` make a smaller one, or have the operator"):
        work._keep(job, [tmp_path / "own.pkl"])
    assert not Artifact.objects.filter(size_bytes=20_001).exists()


@pytest.mark.parametrize(
    ("last", "said"),
    [("setosa", "column `species` has one class only"), ("virginica", "class `virginica` has 1 row, too few")],
)
def test_too_little_of_a_class_is_refused_at_once(
    client: APIClient, admin: Actor, model: Model, last: str, said: str
) -> None:
    content = f"size,species\n1,setosa\n2,setosa\n3,{last}\n".encode()
    tables.ready(admin, content, name="iris", filename="iris.csv")
    answer = ask(client)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]


def test_a_dataset_that_was_refused_says_why(client: APIClient, admin: Actor) -> None:
    """One without a row, say."""
    dataset = tables.register(admin, b"size,species\n", name="iris", filename="iris.csv")
    perform(dataset.job_id)
    answer = ask(client)
    assert answer.status_code == 409
    assert "iris:1 is refused: train on one that is ready; it was refused because" in answer.json()["error"]["message"]
    assert "has no rows" in answer.json()["error"]["message"]


def test_an_unknown_trainer_is_not_there(client: APIClient, admin: Actor, model: Model) -> None:
    answer = client.post("/api/v1/trainers/tabluar/train", {"model": "iris", "dataset": "iris"}, format="json")
    assert answer.status_code == 404
    assert "tabular" in answer.json()["error"]["message"]


def test_the_trainers_say_what_they_take(client: APIClient) -> None:
    listed = client.get("/api/v1/trainers/").json()
    assert {one["name"] for one in listed} >= {"tabular", "function"}
    told = client.get("/api/v1/trainers/tabular/").json()["parameters"]
    (fields,) = [each["properties"] for name, each in told["$defs"].items() if name == "TabularParameters"]
    assert fields["holdout"]["minimum"] == 0.01


def test_a_reader_may_not_train(caller: Caller, tenant: Tenant, admin: Actor, model: Model) -> None:
    tables.ready(admin, iris(), name="iris", filename="iris.csv")
    assert ask(caller(tenant, "read")).status_code == 403


def test_strangers_find_neither_model_nor_dataset(caller: Caller, stranger: Tenant, admin: Actor, model: Model) -> None:
    tables.ready(admin, iris(), name="iris", filename="iris.csv")
    theirs = ask(caller(stranger, "write"))
    assert theirs.status_code == 404
    missing = ask(caller(stranger, "write"), dataset="nothing")
    assert missing.status_code == 404
    assert {**theirs.json()["error"], "request_id": ""} == {**missing.json()["error"], "request_id": ""}
    assert list(Model.objects.all()) == [model]


def test_what_is_cancelled_after_the_fit_makes_no_version(
    client: APIClient, admin: Actor, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The version and the handing on are one transaction, of a job that is still wanted."""
    tables.ready(admin, iris(), name="iris", filename="iris.csv")
    kept = Artifact.objects.count()
    job = Job.objects.get(pk=ask(client).json()["id"])
    fit = work._fit

    def fit_and_cancel(*arguments: Any) -> Any:
        found = fit(*arguments)
        cancel(Job.objects.get(pk=job.pk), admin)
        return found

    monkeypatch.setattr(work, "_fit", fit_and_cancel)
    perform(job.pk)
    job.refresh_from_db()
    assert job.state == State.CANCELLED
    assert not Version.objects.exists()
    assert not Job.objects.filter(parent=job).exists()
    assert Artifact.objects.count() == kept
    assert not list((Path(str(django_settings.MODELYARD.home)) / SCRATCH).glob("*"))


def test_cancelling_while_it_is_registered_is_no_deadlock(
    client: APIClient, admin: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both lock the job and the tenant's log: a model that is made with the version writes there."""
    dataset = tables.ready(admin, iris(), name="iris", filename="iris.csv")
    job = claim(ask(client).json()["id"], "test")
    assert job is not None
    faults: list[Exception] = []

    def cancelled() -> None:
        try:
            cancel(Job.objects.get(pk=job.pk), admin)
        except Exception as fault:
            faults.append(fault)
        finally:
            connection.close()

    cancelling = threading.Thread(target=cancelled)

    def register(*, part_of: Job, **_: Any) -> None:
        cancelling.start()
        cancelling.join(0.5)
        split(part_of, [Part("registration")])

    monkeypatch.setattr(work, "register_version", register)
    work._register(job, dataset, Fitted((), {}, (), (), None, Baseline(), {}), [])
    cancelling.join()
    assert faults == []
    job.refresh_from_db()
    assert (job.state, job.parts.get().state) == (State.CANCELLED, State.CANCELLED)


def test_what_its_registration_refuses_fails_the_training(
    client: APIClient, admin: Actor, model: Model, settings: Any
) -> None:
    tables.ready(admin, iris(), name="iris", filename="iris.csv")
    settings.MODELYARD = Settings.read({}, home=settings.MODELYARD.home, register_timeout_seconds=0.2)
    job = done(ask(client).json())
    assert job.state == State.FAILED
    assert "iris:1 is refused" in job.error["message"]


def test_rows_that_do_not_fit_end_the_job_with_the_reason_and_leave_nothing(
    client: APIClient, admin: Actor, model: Model
) -> None:
    """Each class is there but once: that the summary does not tell, and the rows do. The model was not there before."""
    rows = "".join(f"{number},class-{number}\n" for number in range(40))
    tables.ready(admin, b"size,species\n" + rows.encode(), name="iris", filename="iris.csv")
    kept = Artifact.objects.count()
    answer = ask(client, model="flowers", parameters={"target": "species", "task": "classification"})
    assert answer.status_code == 201, answer.content
    job = done(answer.json())
    assert job.state == State.FAILED
    assert "class" in job.error["message"]
    assert not Version.objects.exists()
    assert list(Model.objects.all()) == [model]
    assert Artifact.objects.count() == kept


def test_a_model_that_was_deleted_meanwhile_stays_so(client: APIClient, admin: Actor, model: Model) -> None:
    tables.ready(admin, iris(), name="iris", filename="iris.csv")
    answer = ask(client, parameters={"target": "species", "estimator": "LogisticRegression"})
    registry.delete_model(actor=admin, model=model)
    assert done(answer.json()).state == State.FAILED
    assert not Model.objects.exists()


def test_the_manifest_tells_the_release_of_a_functions_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mine_package-1.2.dist-info").mkdir()
    (tmp_path / "mine_package-1.2.dist-info" / "METADATA").write_text("Name: mine-package\nVersion: 1.2\n")
    (tmp_path / "mine_package-1.2.dist-info" / "top_level.txt").write_text("mine\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(work, "known_trainers", lambda: trainers((), ["mine.train:fit"]))
    job = Job(payload={"trainer": "function", "parameters": {"function": "mine.train:fit"}})
    packages = work._manifest(job, Dataset())["packages"]
    assert packages["mine-package"] == "1.2"
    assert packages["scikit-learn"]


def test_an_exception_of_the_trainings_own_is_told_as_such(
    client: APIClient, admin: Actor, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "TRAIN", "json:loads")  # which takes other arguments
    tables.ready(admin, iris(), name="iris", filename="iris.csv")
    job = done(ask(client).json())
    assert job.state == State.FAILED
    assert job.error["message"].startswith("the training failed: TypeError: loads()")
