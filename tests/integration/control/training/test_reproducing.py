"""A version's training run again, with the real sandbox; and what is refused before."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from rest_framework.test import APIClient

from modelyard.control.jobs.models import Job, State
from modelyard.control.jobs.work import perform
from modelyard.control.registry import services as registry
from modelyard.control.registry.models import Artifact, Dataset, Model, Version, VersionFile
from modelyard.control.registry.storage import SCRATCH, store
from modelyard.control.registry.uploads import keep_upload
from modelyard.control.tenancy.models import AuditEntry, Tenant
from modelyard.control.tenancy.services import Actor
from modelyard.control.training.comparing import differences
from modelyard.control.training.models import Reproduction
from tests.integration.control import tables, versions
from tests.integration.control.training.test_training import ask, done, iris

pytestmark = pytest.mark.django_db(transaction=True)

REPRODUCE = "/api/v1/models/iris/versions/1/reproduce"
REPORTS = "/api/v1/models/iris/versions/1/reproductions/"
PAGE = "/t/yard/models/iris/versions/1/"
PARTS = ("parameters", "data", "metrics", "predictions", "artifacts")


@pytest.fixture
def client(caller: Callable[..., APIClient], tenant: Tenant) -> APIClient:
    return caller(tenant, "write")


@pytest.fixture
def model(admin: Actor) -> Model:
    return registry.create_model(actor=admin, name="iris")


def reproduced(client: APIClient) -> dict[str, Any]:
    answer = client.post(REPRODUCE)
    assert answer.status_code == 201, answer.content
    assert answer.json()["kind"] == "reproduction"
    perform(answer.json()["id"])
    job = Job.objects.get(pk=answer.json()["id"])
    assert job.state == State.SUCCEEDED, job.error
    found: dict[str, Any] = job.outcome
    return found


def test_the_same_training_gives_the_same_bytes_and_another_model_is_told(
    client: APIClient, admin: Actor, person: Any, model: Model
) -> None:
    visitor = Client()
    visitor.force_login(person)
    tables.ready(admin, iris(), name="iris", filename="iris.csv")
    done(ask(client, parameters={"target": "species", "estimator": "LogisticRegression", "seed": 7}).json())
    kept = Artifact.objects.count()

    found = reproduced(client)
    assert found["equal"], found
    assert [found[part]["equal"] for part in PARTS] == [True] * len(PARTS)
    assert found["predictions"]["rows"] == 30
    assert [each["name"] for each in found["predictions"]["outputs"]] == ["prediction", "probabilities"]
    assert found["environment"] == {"equal": True, "differences": []}
    assert (found["version"], found["dataset"], found["trainer"]) == ("iris:1", "iris:1", "tabular")
    assert (Version.objects.count(), Artifact.objects.count()) == (1, kept)
    assert not list((Path(str(django_settings.MODELYARD.home)) / SCRATCH).glob("*"))

    assert "reproduced bit-equal" in visitor.get(PAGE).content.decode()

    _let_another_model_be_kept(admin)
    found = reproduced(client)
    assert [part for part in PARTS if not found[part]["equal"]] == ["metrics", "predictions", "artifacts"]
    assert not found["equal"]
    assert [one["name"] for one in found["metrics"]["differences"]] == ["accuracy"]
    probabilities = found["predictions"]["outputs"][1]
    assert probabilities["differing"] == 30
    assert probabilities["largest"] == pytest.approx(0.98, abs=0.02)
    assert [one["name"] for one in found["artifacts"]["differences"]] == ["pipeline.pkl"]
    assert {"name": "scikit-learn", "then": "1.0", "now": _release()} in found["environment"]["differences"]

    listed = client.get(REPORTS).json()["results"]
    assert [one["equal"] for one in listed] == [False, True]
    assert listed[0]["report"] == found
    assert listed[1]["verdict"] == "reproduced bit-equal"
    assert "reproduced with differences" in visitor.get(PAGE).content.decode()
    assert AuditEntry.objects.filter(verb="version.reproduce", subject="version:iris:1").count() == 2


def _let_another_model_be_kept(admin: Actor) -> None:
    """As if the version had been trained otherwise: other coefficients, another metric, an older scikit-learn."""
    version = Version.objects.get()
    file = version.files.get(role="model")
    pipeline = pickle.loads(b"".join(store().open(str(version.tenant_id), file.artifact.digest)))
    pipeline[-1].coef_ *= -1
    upload = keep_upload(actor=admin, filename=file.filename, chunks=[pickle.dumps(pipeline, protocol=4)])
    VersionFile.objects.filter(pk=file.pk).update(artifact=Artifact.objects.get(digest=upload.stored.digest))
    packages = {**version.manifest["packages"], "scikit-learn": "1.0"}
    manifest, metrics = {**version.manifest, "packages": packages}, {**version.metrics, "accuracy": 0.5}
    Version.objects.filter(pk=version.pk).update(manifest=manifest, metrics=metrics)


def _release() -> str:
    import sklearn

    return str(sklearn.__version__)


def test_a_large_float_that_a_database_gave_back_as_an_integer_is_the_same() -> None:
    assert differences({"rmse": 123450000000000000000000, "mae": 2}, {"rmse": 1.2345e23, "mae": 2.0}) == []
    (told,) = differences({"rmse": 2}, {"rmse": 2.5})
    assert told == {"name": "rmse", "then": 2, "now": 2.5}


TRAINED = {"trainer": "tabular", "version": "1"}


@pytest.mark.parametrize(
    ("training", "change", "said"),
    [
        (None, {}, "was pushed, not trained here"),
        ({"trainer": "tabluar"}, {}, "`tabluar`, which this server does not have (did you mean `tabular`?)"),
        ({"trainer": "tabular", "version": "0"}, {}, "version 0 of `tabular`, and here is version 1"),
        (TRAINED, {"environment": "old"}, "MODELYARD_ENVIRONMENTS"),
        (TRAINED, {"state": "refused"}, "is refused"),
        (TRAINED, {"dataset": None}, "push the same table again"),
        (TRAINED, {"bytes": None}, "bring them back from a backup"),
    ],
    ids=["pushed", "no trainer", "other trainer", "no environment", "refused", "no dataset", "no bytes"],
)
def test_what_cannot_be_trained_again_is_refused_at_once(
    client: APIClient, admin: Actor, model: Model, training: Any, change: dict[str, Any], said: str
) -> None:
    dataset = tables.ready(admin, iris(), name="iris", filename="iris.csv")
    digest = dataset.artifact.digest
    manifest = {"data_digest": f"sha256:{digest}", "parameters": {"target": "species"}}
    version = versions.ready(admin, model, training=training, manifest=manifest, dataset=dataset)
    if "bytes" in change:
        store().delete(str(version.tenant_id), digest)
    else:
        Version.objects.filter(pk=version.pk).update(**change)
    if "dataset" in change:
        Dataset.objects.all().delete()
    before = Job.objects.count()
    answer = client.post(REPRODUCE)
    assert answer.status_code == 409, answer.content
    assert said in answer.json()["error"]["message"]
    assert (Job.objects.count(), Reproduction.objects.count()) == (before, 0)
