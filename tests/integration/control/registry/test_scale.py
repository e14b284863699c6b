"""Ten thousand models in one tenant, beside other tenants: few queries, by index, and one document at a change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.integration.control import versions

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from rest_framework.test import APIClient

    from modelyard.control.registry.models import Model
    from modelyard.control.tenancy.models import Tenant
    from modelyard.control.tenancy.services import Actor

pytestmark = [pytest.mark.django_db, pytest.mark.timeout(600)]

MODELS, OTHERS = 10_000, 4
MOST_QUERIES = 12
TABLES = ("modelyard_registry_model", "modelyard_registry_version", "modelyard_registry_alias",
          "modelyard_deployments_arm", "modelyard_deployments_planrecord", "modelyard_deployments_deployment")  # fmt: skip
API, PAGES = "/api/v1/models/", "/t/yard/"


def fill(tenant: Tenant, count: int, number: Iterator[int]) -> None:
    """Give the tenant `count` models with one ready version each, as the services leave them."""
    from modelyard.control.registry.models import Artifact, Model, Version

    models = Model.objects.bulk_create(
        (
            Model(tenant=tenant, name=f"model-{index:05}", problem=f"what {index * 7919 % count} means",
                  last_number=1, revision=1, created_by="x")
            for index in range(count)
        ),
        batch_size=500,
    )  # fmt: skip
    artifact = Artifact.objects.create(tenant=tenant, digest=f"{next(number):064x}", size_bytes=1)
    shown = msgspec.to_builtins(versions.signature())
    Version.objects.bulk_create(
        (
            Version(tenant=tenant, model=model, number=1, state="ready", runtime="onnx", created_by="x",
                    signature=shown, serving=artifact, measured={"p95_seconds": 0.001})
            for model in models
        ),
        batch_size=200,
    )  # fmt: skip


@pytest.fixture
def many(tenant: Tenant, admin: Actor) -> Model:
    """The tenant's ten thousand, and as many of four others; one of the tenant's own serves and has an alias."""
    from modelyard.control.deployments.services import activate
    from modelyard.control.registry.models import Model
    from modelyard.control.registry.services import move_alias
    from modelyard.control.tenancy.services import create_tenant

    number = iter(range(1000))
    fill(tenant, MODELS, number)
    for index in range(OTHERS):
        fill(create_tenant(name=f"other-{index}", created_by="x"), MODELS, number)
    model = Model.objects.of(tenant).get(name="model-05000")
    version = model.versions.get()
    activate(actor=admin, version=version)
    move_alias(actor=admin, model=model, name="candidate", version=version)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return model


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


def test_the_api_lists_searches_and_opens(
    caller: Callable[..., APIClient], tenant: Tenant, many: Model, capsys: pytest.CaptureFixture[str]
) -> None:
    client = caller(tenant, "read")
    listed = asked(lambda: client.get(f"{API}?page_size=100")).json()
    assert (listed["count"], len(listed["results"])) == (MODELS, 100)
    assert listed["results"][0]["versions"]["ready"] == 1
    middle = asked(lambda: client.get(f"{API}?page=51&page_size=100")).json()
    assert (middle["results"][0]["champion"], middle["results"][0]["aliases"]) == (1, {"candidate": 1})
    assert asked(lambda: client.get(f"{API}?ordering=-created_at")).json()["count"] == MODELS
    assert asked(lambda: client.get(f"{API}?search=model-0777")).json()["count"] == 10
    by_problem = asked(lambda: client.get(f"{API}?search=WHAT 4321 M")).json()
    assert by_problem["count"] == 1
    assert asked(lambda: client.get(f"{API}?search=nowhere")).json()["count"] == 0
    assert asked(lambda: client.get(f"{API}model-05000/")).json()["champion"] == 1
    assert asked(lambda: client.get(f"{API}model-05000/versions/")).json()["count"] == 1
    assert asked(lambda: client.get(f"{API}model-05000/versions/1/")).json()["measured"]["p95_seconds"] == 0.001
    assert asked(lambda: client.get(f"{API}model-05000/select?metric=size_bytes")).json()["winner"]["number"] == 1


def test_the_console_lists_searches_and_opens(person: User, many: Model) -> None:
    client = Client()
    client.force_login(person)
    assert "model-00024" in asked(lambda: client.get(PAGES)).content.decode()
    assert "model-05000" in asked(lambda: client.get(f"{PAGES}?page=201")).content.decode()
    found = asked(lambda: client.get(f"{PAGES}?q=model-0500"), 5).content.decode()
    assert "model-05009" in found
    assert "model-04999" not in found
    assert "No model matches" in asked(lambda: client.get(f"{PAGES}?q=nowhere")).content.decode()


def test_a_change_of_one_model_writes_its_document_and_the_tenants(
    tenant: Tenant, admin: Actor, many: Model, home: Path
) -> None:
    from modelyard.control.deployments.publisher import publish_pending
    from modelyard.control.deployments.services import deactivate
    from modelyard.control.tenancy.models import Tenant as Tenants
    from modelyard.exchange.medium import FolderMedium

    written: list[str] = []

    class Watched(FolderMedium):
        def write(self, key: str, data: bytes) -> None:
            written.append(key)
            super().write(key, data)

    medium = Watched(home / "exchange")
    Tenants.objects.exclude(pk=tenant.pk).update(published_revision=1)
    assert publish_pending(medium) == 1
    assert sum(key.startswith("models/") for key in written) == MODELS
    written.clear()
    deactivate(actor=admin, model=many)
    with CaptureQueriesContext(connection) as queries:
        assert publish_pending(medium) == 1
    assert sorted(key.partition("/")[0] for key in written) == ["index.json", "models", "tenants"]
    assert len(queries) <= 20
    assert publish_pending(medium) == 0
