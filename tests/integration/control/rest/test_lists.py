from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.test import APIClient, APIRequestFactory

from modelyard.control.rest.ordering import Ordering
from modelyard.control.tenancy import services
from modelyard.control.tenancy.api import Members
from modelyard.control.tenancy.models import Member, Tenant
from modelyard.control.tenancy.services import Actor

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(caller: Callable[..., APIClient], tenant: Tenant, admin: Actor) -> APIClient:
    for number in range(119):
        services.record(actor=admin, verb="thing.do", subject=f"thing:{number}")
    return caller(tenant, "admin")


def test_pages(client: APIClient) -> None:
    first = client.get("/api/v1/audit/").json()
    assert (first["count"], len(first["results"]), first["previous"]) == (121, 50, None)
    last = client.get("/api/v1/audit/?page=3").json()
    assert (len(last["results"]), last["next"]) == (21, None)
    assert len(client.get("/api/v1/audit/?page_size=500").json()["results"]) == 121


@pytest.mark.parametrize(
    "query",
    [
        "page=0", "page=-1", "page=x", "page=", "page=9", "page=99999999999999999999", "page=%00", "page=last",
        "page_size=0", "page_size=501", "page_size=-1", "page_size=x", "page_size=1e3", "page_size=²",
    ],
)  # fmt: skip
def test_odd_pages_are_refused(client: APIClient, query: str) -> None:
    answer = client.get(f"/api/v1/audit/?{query}")
    assert answer.status_code == 400
    assert query.split("=")[0] in answer.json()["error"]["message"]


def test_order(client: APIClient) -> None:
    assert client.get("/api/v1/audit/?ordering=number").json()["results"][0]["number"] == 1
    assert client.get("/api/v1/audit/?ordering=-number").json()["results"][0]["number"] == 121
    refused = client.get("/api/v1/audit/?ordering=-numbr")
    assert refused.status_code == 400
    assert "did you mean 'number'?" in refused.json()["error"]["message"]
    assert client.get("/api/v1/audit/?ordering=tenant__mac_key").status_code == 400


def test_what_has_no_value_comes_last_both_ways(client: APIClient, admin: Actor) -> None:
    services.create_key(actor=admin, name="early", scopes=["read"], expires_at=timezone.now() + timedelta(days=1))
    services.create_key(actor=admin, name="late", scopes=["read"], expires_at=timezone.now() + timedelta(days=2))
    up = [row["name"] for row in client.get("/api/v1/keys/?ordering=expires_at").json()["results"]]
    down = [row["name"] for row in client.get("/api/v1/keys/?ordering=-expires_at").json()["results"]]
    assert (up, down) == (["early", "late", "test-1"], ["late", "early", "test-1"])


def test_rows_that_are_equal_keep_one_order_over_all_pages(client: APIClient, admin: Actor) -> None:
    for number in range(9):
        services.add_member(actor=admin, user=User.objects.create_user(f"user{number}"), role="viewer")
    seen: list[int] = []
    for page in (1, 2, 3):
        answer = client.get(f"/api/v1/members/?ordering=-role&page_size=3&page={page}").json()
        seen += [row["id"] for row in answer["results"]]
    assert seen == sorted(seen)
    view = Members()
    view.format_kwarg = None
    for query in ("", "?ordering=role"):
        asked = Request(APIRequestFactory().get(f"/{query}"))
        ordered = Ordering().filter_queryset(asked, Member.objects.all(), view).query.order_by
        assert ordered[-1] == "pk"
