"""The Python environment that a version needs, over REST: named, found, kept, published, refused where gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from modelyard.control.deployments.documents import build
from modelyard.control.jobs.work import perform
from modelyard.control.registry.models import Model, Version
from modelyard.control.tenancy.models import Tenant
from modelyard.core.settings import Settings
from tests.integration.control import versions
from tests.servers.old_environment import fit_forest, old_python

pytestmark = pytest.mark.django_db(transaction=True)

Caller = Callable[..., APIClient]


@pytest.fixture
def client(caller: Caller, tenant: Tenant, model: Model, settings: Any, home: Path) -> APIClient:
    named = {"old": old_python(), "gone": Path("/nonexistent/bin/python")}
    given = {"artifacts": home / "artifacts", "exchange": home / "exchange", "environments": named}
    settings.MODELYARD = Settings.read({}, home=settings.MODELYARD.home, **given)
    return caller(tenant, "write")


def push(client: APIClient, content: bytes, **fields: Any) -> Any:
    form = {"file": [SimpleUploadedFile("forest.pkl", content)], **fields}
    return client.post("/api/v1/models/iris/versions/", form, format="multipart")


def examined(client: APIClient, answer: Any) -> Any:
    assert answer.status_code == 201, answer.json()
    perform(answer.json()["job"])
    return client.get(f"/api/v1/models/iris/versions/{answer.json()['number']}/").json()


def test_a_version_keeps_the_environment_that_was_found(client: APIClient, model: Model, tmp_path: Path) -> None:
    pickled, _ = fit_forest(old_python(), tmp_path / "forest")
    version = examined(client, push(client, pickled.read_bytes(), manifest='{"packages": {"scikit-learn": "9.9"}}'))
    assert (version["state"], version["environment"]) == ("ready", "old"), version["refusal"]
    assert version["manifest"]["environment"] == "old"
    assert version["manifest"]["packages"]["scikit-learn"] == "1.2.2"
    assert version["report"]["environment"] == "old"
    assert build(model).versions[1].environment == "old"


def test_one_that_nobody_knows_is_refused_at_once(client: APIClient) -> None:
    answer = push(client, versions.pickled(), environment="odl")
    assert answer.status_code == 400
    assert "there is no environment `odl`" in answer.json()["error"]["message"]
    assert not Version.objects.exists()


def test_one_that_is_gone_refuses_the_version_and_keeps_its_files(client: APIClient) -> None:
    version = examined(client, push(client, versions.pickled(), environment="gone"))
    assert (version["state"], version["environment"]) == ("refused", "gone")
    assert version["refusal"]["code"] == "misconfigured"
    assert "`gone` is gone" in version["refusal"]["message"]
    assert "MODELYARD_ENVIRONMENTS" in version["refusal"]["message"]
    assert Version.objects.get().files.count() == 1, "they were not at fault"
