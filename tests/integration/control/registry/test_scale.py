"""Ten thousand models in one tenant, beside other tenants: few queries, by index, and one document at a change."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from modelyard.core.plan import Plan
from modelyard.exchange.medium import FolderMedium
from modelyard.exchange.publication import write_model
from modelyard.exchange.snapshot import ModelDocument
from tests.integration.control import versions

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from rest_framework.test import APIClient

    from modelyard.control.registry.models import Model
    from modelyard.control.tenancy.models import Tenant
    from modelyard.control.tenancy.services import Actor

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]

MODELS, OTHERS = 10_000, 4
SERVED_EACH = 10
"""Every tenth model serves and has an alias; every tenth from the fifth on has another version made from its first."""
MOST_QUERIES = 12
TABLES = (
    "modelyard_registry_model", "modelyard_registry_version", "modelyard_registry_alias", "modelyard_deployments_arm",
    "modelyard_deployments_deployment", "modelyard_deployments_planrecord",
)  # fmt: skip
API, PAGES = "/api/v1/models/", "/t/yard/"


def make_models(tenant: Tenant) -> list[Model]:
    from modelyard.control.registry.models import Model

    rows = (
        Model(
            tenant=tenant, name=f"model-{index:05}", problem=f"what {index * 7919 % MODELS} means", last_number=1,
            revision=1, created_by="x",
        )
        for index in range(MODELS)
    )  # fmt: skip
    return Model.objects.bulk_create(rows, batch_size=1000)


def make_versions(tenant: Tenant, models: list[Model]) -> None:
    """Give each a ready version of a file, and every tenth one an alias and a plan, as the services leave them."""
    from modelyard.control.deployments.models import Arm, Deployment, PlanRecord
    from modelyard.control.registry.models import Alias, Artifact, Version, VersionFile

    artifacts = Artifact.objects.bulk_create(
        (Artifact(tenant=tenant, digest=f"{index:064}", size_bytes=7) for index in range(len(models))), batch_size=1000
    )
    known: dict[str, Any] = {
        "tenant": tenant, "state": "ready", "runtime": "onnx", "created_by": "x",
        "signature": msgspec.to_builtins(versions.signature()), "measured": {"p95_seconds": 0.001},
    }  # fmt: skip
    made = Version.objects.bulk_create(
        (
            Version(model=model, number=1, serving=artifact, **known)
            for model, artifact in zip(models, artifacts, strict=True)
        ),
        batch_size=1000,
    )
    children = Version.objects.bulk_create(
        Version(model=parent.model, number=2, serving=parent.serving, parent=parent, **known)
        for parent in made[SERVED_EACH // 2 :: SERVED_EACH]
    )
    VersionFile.objects.bulk_create(
        (
            VersionFile(tenant=tenant, version=version, artifact=version.serving, filename="a.onnx")
            for version in (*made, *children)
        ),
        batch_size=1000,
    )
    served = made[::SERVED_EACH]
    Alias.objects.bulk_create(
        Alias(tenant=tenant, model=version.model, name="candidate", version=version, moved_by="x") for version in served
    )
    deployments = Deployment.objects.bulk_create(Deployment(tenant=tenant, model=version.model) for version in served)
    Arm.objects.bulk_create(
        Arm(tenant=tenant, deployment=deployment, version=version, weight=1.0)
        for deployment, version in zip(deployments, served, strict=True)
    )
    plan = {"arms": [{"version": 1, "weight": 1.0}]}
    PlanRecord.objects.bulk_create(
        PlanRecord(tenant=tenant, deployment=deployment, number=1, plan=plan, verb="activate", actor="x")
        for deployment in deployments
    )


@pytest.fixture
def many(tenant: Tenant) -> Model:
    """One of the tenant's ten thousand models; four other tenants have as many."""
    from modelyard.control.tenancy.services import create_tenant

    models = make_models(tenant)
    make_versions(tenant, models)
    for index in range(OTHERS):
        make_models(create_tenant(name=f"other-{index}", created_by="x"))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return models[5000]


def scans(sql: str) -> list[str]:
    """Return the lines of the database's plan by which it reads a whole table of `TABLES`."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            lines = [str(row[3]) for row in cursor.fetchall()]
            names = {*TABLES, *(f"U{number}" for number in range(9)), *(f"V{number}" for number in range(9))}
            return [
                line for line in lines
                if line.startswith("SCAN ") and line.split()[1] in names and " USING " not in line
            ]  # fmt: skip
        cursor.execute(f"EXPLAIN {sql}")
        lines = [str(row[0]).strip() for row in cursor.fetchall()]
        # A table of a handful of rows is read whole by everybody: an index would be slower.
        return [line for line in lines if any(f"Seq Scan on {table} " in line for table in TABLES[:2])]


def asked(call: Callable[[], Any], most_seconds: float = 5) -> Any:
    """Call, and hold what it asked of the database against what was promised."""
    with CaptureQueriesContext(connection) as queries:
        began = time.monotonic()
        answer = call()
        took = time.monotonic() - began
    assert answer.status_code == 200, answer.content
    texts = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
    assert len(queries) <= MOST_QUERIES, [query["sql"][:150] for query in queries]
    assert {sql: found for sql in texts if (found := scans(sql))} == {}
    assert took < most_seconds
    return answer


def test_lists_searches_and_openings(
    caller: Callable[..., APIClient], tenant: Tenant, person: User, many: Model
) -> None:
    client = caller(tenant, "read")
    listed = asked(lambda: client.get(f"{API}?page_size=100")).json()
    assert (listed["count"], len(listed["results"])) == (MODELS, 100)
    assert listed["results"][0]["versions"]["ready"] == 1
    middle = asked(lambda: client.get(f"{API}?page=51&page_size=100")).json()
    assert (middle["results"][0]["champion"], middle["results"][0]["aliases"]) == (1, {"candidate": 1})
    assert asked(lambda: client.get(f"{API}?ordering=-created_at")).json()["count"] == MODELS
    assert asked(lambda: client.get(f"{API}?search=model-0777")).json()["count"] == 10
    assert asked(lambda: client.get(f"{API}?search=WHAT 4321 M")).json()["count"] == 1
    assert asked(lambda: client.get(f"{API}?search=nowhere")).json()["count"] == 0
    assert asked(lambda: client.get(f"{API}model-05000/")).json()["champion"] == 1
    assert asked(lambda: client.get(f"{API}model-05000/versions/")).json()["count"] == 1
    assert asked(lambda: client.get(f"{API}model-05000/versions/1/")).json()["measured"]["size_bytes"] == 7
    assert asked(lambda: client.get(f"{API}model-05000/select?metric=size_bytes")).json()["winner"]["number"] == 1
    pages = Client()
    pages.force_login(person)
    assert "model-00024" in asked(lambda: pages.get(PAGES)).content.decode()
    assert "model-05000" in asked(lambda: pages.get(f"{PAGES}?page=201")).content.decode()
    found = asked(lambda: pages.get(f"{PAGES}?q=model-0500")).content.decode()
    assert "model-05009" in found
    assert "model-04999" not in found
    assert "No model matches" in asked(lambda: pages.get(f"{PAGES}?q=nowhere")).content.decode()
    opened = asked(lambda: pages.get(f"{PAGES}models/model-05000/")).content.decode()
    assert "@candidate" in opened
    assert "/predict/model-05000" in opened
    grown = asked(lambda: pages.get(f"{PAGES}models/model-05000/versions/1/")).content.decode()
    assert "@candidate" in grown
    assert asked(lambda: pages.get(f"{PAGES}models/model-05005/")).status_code == 200
    assert "model-05005:1" in asked(lambda: pages.get(f"{PAGES}models/model-05005/versions/2/")).content.decode()
    assert "model-05005:2" in asked(lambda: pages.get(f"{PAGES}models/model-05005/versions/1/")).content.decode()


class Watched(FolderMedium):
    """Remembers what was written. It does not wait for the disk: ten thousand times that would take minutes."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.written: list[str] = []

    def write(self, key: str, data: bytes) -> None:
        self.written.append(key)
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def test_a_change_of_one_model_writes_its_document_and_the_tenants(
    tenant: Tenant, admin: Actor, many: Model, home: Path
) -> None:
    from modelyard.control.deployments.models import Published
    from modelyard.control.deployments.publisher import publish_pending
    from modelyard.control.deployments.services import deactivate
    from modelyard.control.registry.models import Model
    from modelyard.control.tenancy.models import Tenant as Tenants

    medium = Watched(home / "exchange")
    Tenants.objects.exclude(pk=tenant.pk).update(published_revision=1)
    Published.objects.bulk_create(
        Published(
            tenant=tenant, model=model, revision=1,
            digest=write_model(medium, str(tenant.pk), ModelDocument(model=model.name, plan=Plan(), versions={})),
        )
        for model in Model.objects.of(tenant)
    )  # fmt: skip
    assert publish_pending(medium) == 1
    assert sum(key.startswith("models/") for key in medium.written) == MODELS
    medium.written.clear()
    deactivate(actor=admin, model=many)
    with CaptureQueriesContext(connection) as queries:
        assert publish_pending(medium) == 1
    assert sorted(key.partition("/")[0] for key in medium.written) == ["index.json", "models", "tenants"]
    assert len(queries) <= 20
    assert publish_pending(medium) == 0
