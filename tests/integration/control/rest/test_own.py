"""What an address that is no list is asked for, and does not know."""

from collections.abc import Callable

import pytest
from django.urls import URLPattern, get_resolver
from rest_framework.test import APIClient

from modelyard.control.deployments.selecting_api import Selections
from modelyard.control.registry.models import Model
from modelyard.control.registry.services import create_model
from modelyard.control.tenancy.models import Tenant
from modelyard.control.tenancy.services import Actor

pytestmark = pytest.mark.django_db
IRIS = "/api/v1/models/iris/"


@pytest.fixture
def client(caller: Callable[..., APIClient], tenant: Tenant, admin: Actor) -> APIClient:
    create_model(actor=admin, name="iris")
    return caller(tenant, "admin")


@pytest.mark.parametrize(
    "address",
    [
        IRIS, f"{IRIS}versions/1/", f"{IRIS}deployment", f"{IRIS}charter", f"{IRIS}compare", f"{IRIS}select",
        "/api/v1/trainers/", "/api/v1/trainers/tabular/", "/api/v1/datasets/sources/", "/api/v1/schedules/nightly/",
        "/api/v1/jobs/6f0f4b9e-59b9-4d6c-9d33-0d3c3f8ab9c1/", "/api/v1/tenants/yard/",
    ],
)  # fmt: skip
def test_what_a_query_asks_for_beyond_what_is_read_is_refused(client: APIClient, address: str) -> None:
    refused = client.get(f"{address}?x=1")
    assert refused.status_code == 400
    assert "unknown parameter `x`" in refused.json()["error"]["message"]


def test_nothing_is_written_then(client: APIClient) -> None:
    assert client.post("/api/v1/models/?x=1", {"name": "other"}, format="json").status_code == 400
    assert client.patch(f"{IRIS}?x=1", {"problem": "why"}, format="json").status_code == 400
    assert client.delete(f"{IRIS}?despite=true").status_code == 400
    assert list(Model.objects.values_list("name", "problem")) == [("iris", "")]


def test_what_is_read_is_named_with_the_nearest_of_it(client: APIClient) -> None:
    refused = client.get(f"{IRIS}versions/1/?wiat=3").json()["error"]["message"]
    assert refused == "`wiat`: unknown parameter `wiat`; did you mean `wait`?"
    twice = client.get(f"{IRIS}versions/1/?wait=1&wait=2").json()["error"]["message"]
    assert twice == "`wait`: comes 2 times: expected once"


def test_a_list_of_values_comes_as_often_as_it_has_some(client: APIClient) -> None:
    assert "constraints" in Selections.asks_several
    query = "metric=accuracy&constraints=size_bytes<=1MiB&constraints=accuracy>=0.5"
    answer = client.get(f"{IRIS}select?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")  # it has no version to choose


def test_who_may_not_read_is_told_that_first() -> None:
    assert APIClient().get(f"{IRIS}?x=1").status_code == 401


def test_every_action_that_is_said_to_read_a_query_is_there() -> None:
    for pattern in _patterns(get_resolver().url_patterns):
        view = getattr(pattern.callback, "cls", None)
        for action in getattr(view, "asks", {}):
            assert callable(getattr(view, action, None)), (view, action)


def _patterns(entries: list[object]) -> list[URLPattern]:
    found: list[URLPattern] = []
    for entry in entries:
        found += [entry] if isinstance(entry, URLPattern) else _patterns(entry.url_patterns)  # type: ignore[attr-defined]
    return found
