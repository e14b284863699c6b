"""What is said of a model that is not there: the nearest of the tenant's own names, and nobody else's."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from modelyard.control.registry import services
from modelyard.control.registry.finding import COMPARED, find_model
from modelyard.control.registry.models import Model
from modelyard.control.tenancy.models import Tenant
from modelyard.control.tenancy.services import Actor, system_actor
from modelyard.core.errors import NotFound

pytestmark = pytest.mark.django_db


def missed(tenant: Tenant, name: str) -> str:
    with pytest.raises(NotFound) as raised:
        find_model(tenant, name)
    return raised.value.message


@pytest.mark.parametrize("name", ["irsi", "iris2", "Iris", "riis"])
def test_the_nearest_of_the_own_names_is_offered(tenant: Tenant, model: Model, name: str) -> None:
    assert missed(tenant, name) == "there is no model by this name, or none that you may see; did you mean `iris`?"


@pytest.mark.parametrize("name", ["zebra", "", "\x00", "../../etc/passwd", "x" * 5000, "%", "ﬁ"])
def test_where_nothing_is_near_nothing_is_offered(tenant: Tenant, model: Model, name: str) -> None:
    assert missed(tenant, name) == "there is no model by this name, or none that you may see"


def test_a_strangers_model_looks_like_a_missing_one(
    caller: Callable[..., APIClient], tenant: Tenant, model: Model, stranger: Tenant
) -> None:
    def said(name: str) -> Any:
        answer = caller(stranger, "admin").get(f"/api/v1/models/{name}/")
        return answer.status_code, {**answer.json()["error"], "request_id": ""}

    assert said("iris") == said("zebra") == (404, said("irsi")[1])
    services.create_model(actor=system_actor(stranger, "test"), name="iri")
    assert said("iris") == said("irsi")
    assert said("iris")[1]["message"].endswith("did you mean `iri`?")


def test_only_some_hundred_names_are_compared(tenant: Tenant, admin: Actor) -> None:
    names = [f"a{number:04}" for number in range(COMPARED + 100)]
    Model.objects.bulk_create(Model(tenant=tenant, name=name, created_by="test") for name in [*names, "zebra"])
    with CaptureQueriesContext(connection) as queries:
        assert "did you mean `zebra`?" in missed(tenant, "zebar")
    assert all(f"LIMIT {COMPARED}" in query["sql"] for query in queries[1:])
    assert len(queries) <= 3
