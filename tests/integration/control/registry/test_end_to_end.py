"""The whole path over REST with real pickles, which are opened in the sandbox."""

import io
import os
import pickle
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from modelyard.control.deployments.publisher import publish_pending
from modelyard.control.jobs.work import perform
from modelyard.control.registry.models import Artifact, Model
from modelyard.control.registry.storage import store
from modelyard.control.tenancy.models import Tenant
from modelyard.core.signature import Signature
from modelyard.core.tensors import Batch
from modelyard.exchange.medium import FolderMedium
from modelyard.exchange.publication import read_index, read_model, read_tenant
from modelyard.runtimes.runtime import runtime_class
from modelyard.sandbox import run
from modelyard.sandbox.limits import Limits
from modelyard.sandbox.process import SandboxProcess
from tests.integration.control import versions

pytestmark = pytest.mark.django_db(transaction=True)

Caller = Callable[..., APIClient]


def push(client: APIClient, *files: tuple[str, bytes], model: str = "iris", **fields: Any) -> Any:
    form = {"file": [SimpleUploadedFile(name, content) for name, content in files], **fields}
    return client.post(f"/api/v1/models/{model}/versions/", form, format="multipart")


def test_a_pickle_becomes_an_endpoint(caller: Caller, tenant: Tenant, home: Path) -> None:
    client = caller(tenant, "write")
    assert client.post("/api/v1/models/", {"name": "iris", "problem": "Which iris is it?"}).status_code == 201
    sample = SimpleUploadedFile("sample.csv", versions.csv())
    pushed = push(
        client, ("iris.pkl", versions.pickled()), sample=sample, metrics='{"accuracy": 0.95}',
        manifest='{"seed": 0, "packages": {"mine": "1.0"}}', description="first",
    )  # fmt: skip
    assert pushed.status_code == 201, pushed.json()
    body = pushed.json()
    assert (body["reference"], body["state"], body["digest"]) == ("iris:1", "checking", None)
    assert [file["role"] for file in body["files"]] == ["model", "sample"]
    assert pushed["Location"] == "/api/v1/models/iris/versions/1/"
    perform(body["job"])
    version = client.get("/api/v1/models/iris/versions/1/").json()
    assert version["state"] == "ready", version["refusal"]
    assert version["format"] == "sklearn-pickle"
    assert (version["runtime"], version["isolated"]) == ("onnx", False)
    assert version["manifest"]["packages"]["mine"] == "1.0"
    assert "scikit-learn" in version["manifest"]["packages"]
    assert [column["name"] for column in version["signature"]["columns"]] == list(versions.IRIS)

    activated = client.post("/api/v1/models/iris/versions/1/activate", {"reason": "the first"})
    assert activated.status_code == 200, activated.json()
    assert activated.json()["plan"] == {"arms": [{"version": 1, "weight": 1.0}], "shadows": []}
    assert activated.json()["undo"]["path"] == "/api/v1/models/iris/deactivate"
    assert publish_pending() == 1
    assert publish_pending() == 0
    medium = FolderMedium(home / "exchange")
    index = read_index(medium)
    assert index is not None
    document = read_tenant(medium, str(tenant.pk), index.tenants[str(tenant.pk)].digest)
    served = read_model(medium, str(tenant.pk), document.models["iris"])
    assert served.plan.champion == 1
    assert served.aliases == {"champion": 1}

    with store().local(str(tenant.pk), served.versions[1].digest) as path:
        signature = served.versions[1].signature
        runtime = runtime_class(served.versions[1].runtime).load(path, msgspec.convert(signature, Signature))
        answer = runtime.predict(Batch(150, matrix=np.ascontiguousarray(versions.rows(150))))
    assert answer[signature.prediction.name].tolist() == versions.fitted().predict(versions.rows(150)).tolist()


def test_a_scaler_and_a_bare_classifier_become_one_pipeline(caller: Caller, tenant: Tenant, model: Model) -> None:
    client = caller(tenant, "write")
    scaler, classifier = versions.parts()
    pushed = push(client, ("scaler.pkl", scaler), ("iris.pkl", classifier))
    assert pushed.status_code == 201, pushed.json()
    perform(pushed.json()["job"])
    version = client.get("/api/v1/models/iris/versions/1/").json()
    assert version["state"] == "ready", version["refusal"]
    download = client.get("/api/v1/models/iris/versions/1/artifact")
    assert download["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(b"".join(download.streaming_content))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "scaler.pkl": scaler,
            "iris.pkl": classifier,
        }


def kill_first_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kill the first child that is waited for, as the system does that lacks memory."""
    whole, killed = run._await_answer, []

    def answer(child: SandboxProcess, limits: Limits) -> bytes:
        if not killed:
            killed.append(child.pid)
            os.kill(child.pid, signal.SIGKILL)
        return whole(child, limits)

    monkeypatch.setattr(run, "_await_answer", answer)


def test_a_child_that_was_killed_says_nothing_of_its_file(
    caller: Caller, tenant: Tenant, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is tried again, as any whose process is killed, and the version becomes ready; so does a dataset."""
    client = caller(tenant, "write")
    version = push(client, ("model.pkl", versions.pickled())).json()
    form = {"name": "small", "file": SimpleUploadedFile("small.csv", b"a\n1\n")}
    dataset = client.post("/api/v1/datasets/", form, format="multipart").json()
    for job, place in (
        (version["job"], "/api/v1/models/iris/versions/1/"),
        (dataset["job"], "/api/v1/datasets/small:1/"),
    ):
        with monkeypatch.context() as patch:
            kill_first_child(patch)
            perform(job)
        assert client.get(place).json()["state"] == "checking"
        tried = client.get(f"/api/v1/jobs/{job}/").json()
        assert (tried["state"], tried["attempts"]) == ("queued", 1)
        perform(job)
        assert client.get(place).json()["state"] == "ready"


class Hostile:
    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("/tmp/modelyard-escaped"),)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.pkl", pickle.dumps(Hostile())),
        ("model.pkl", pickle.dumps({"not": "a model"})),
        ("model.pkl", b"\x80\x04garbage"),
        ("model.onnx", b"not a graph at all"),
        ("model.pkl", versions.pickled()[:200]),
    ],
    ids=["hostile", "no model", "garbage", "no graph", "truncated"],
)
def test_a_bad_file_is_refused_with_a_reason_and_leaves_nothing(
    caller: Caller, tenant: Tenant, model: Model, name: str, content: bytes
) -> None:
    client = caller(tenant, "write")
    pushed = push(client, (name, content))
    assert pushed.status_code == 201
    perform(pushed.json()["job"])
    version = client.get("/api/v1/models/iris/versions/1/").json()
    assert version["state"] == "refused"
    assert version["refusal"]["code"] == "model_refused"
    assert version["refusal"]["message"]
    assert version["files"][0]["filename"] == name
    assert version["size_bytes"] == len(content)
    assert not Path("/tmp/modelyard-escaped").exists()
    assert list(store().list(str(tenant.pk))) == []
    assert not Artifact.objects.of(tenant).exists()
    assert client.get("/api/v1/models/iris/versions/1/artifact").status_code == 409
    assert client.post("/api/v1/models/iris/versions/1/activate", {}).json()["error"]["code"] == "conflict"
    assert client.get(f"/api/v1/jobs/{version['job']}/").json()["state"] == "failed"
    assert client.delete("/api/v1/models/iris/versions/1/").status_code == 204
    assert client.get("/api/v1/models/iris/versions/1/").status_code == 404
