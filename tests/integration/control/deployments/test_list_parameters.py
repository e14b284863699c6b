"""Every list of the API, asked for what it does not know: the addresses are read from the routes."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from modelyard.control.deployments import api as deployments
from modelyard.control.jobs import api as jobs
from modelyard.control.registry import api as registry
from modelyard.control.registry.models import Model
from modelyard.control.schedules import api as schedules
from modelyard.control.schedules.models import Schedule
from modelyard.control.tenancy import api as tenancy
from modelyard.control.tenancy.models import Tenant

pytestmark = pytest.mark.django_db

ROUTES: list[Any] = [
    *tenancy.urlpatterns,
    *jobs.urlpatterns,
    *registry.urlpatterns,
    *schedules.urlpatterns,
    *deployments.urlpatterns,
]
LISTS = sorted({str(route.pattern).rstrip("/") for route in ROUTES if route.callback.actions.get("get") == "list"})


@pytest.fixture
def ask(caller: Callable[..., APIClient], tenant: Tenant, model: Model) -> Callable[[str], Any]:
    Schedule.objects.create(tenant=tenant, name="iris", kind="training", cron="0 2 * * *", acts_for="key:x")
    client = caller(tenant, "admin")
    return lambda path: client.get(f"/api/v1/{path}")


def test_there_are_lists() -> None:
    assert {"keys", "jobs", "models", "models/<str:name>/history", "models/<str:name>/consumers"} <= set(LISTS)


@pytest.mark.parametrize("route", LISTS)
def test_what_a_list_does_not_know_is_refused_with_the_nearest(ask: Callable[[str], Any], route: str) -> None:
    path = route.replace("<str:name>", "iris")
    refused = ask(f"{path}?pagesize=2")
    assert refused.status_code == 400, refused.content
    error = refused.json()["error"]
    assert error["code"] == "invalid_input"
    assert error["message"] == "`pagesize`: unknown parameter `pagesize`; did you mean `page_size`?"
    assert error["details"]["places"][0]["place"] == "pagesize"
    assert ask(f"{path}?page_size=2&page=1").status_code == 200
    twice = ask(f"{path}?page_size=2&page_size=3")
    assert (twice.status_code, "comes 2 times: expected once" in twice.json()["error"]["message"]) == (400, True)


@pytest.mark.parametrize("path", ["keys/?revoked=", "models/iris/versions/?isolated="])
def test_a_word_that_is_neither_true_nor_false_is_refused(ask: Callable[[str], Any], path: str) -> None:
    name = path.partition("?")[2].removesuffix("=")
    for wrong in ("maybe", "yes", "2", "truee"):
        refused = ask(f"{path}{wrong}")
        assert refused.status_code == 400, wrong
        said = f'`{name}`: got "{wrong}" (string), expected true or false'
        assert refused.json()["error"]["message"] == said
    for right in ("true", "false", "True", "1", "0", ""):
        assert ask(f"{path}{right}").status_code == 200, right


def test_what_a_filter_is_called_is_told(ask: Callable[[str], Any]) -> None:
    assert "did you mean `revoked`?" in ask("keys/?revokd=true").json()["error"]["message"]
    assert "did you mean `owner`?" in ask("models/?ownr=ada").json()["error"]["message"]
    assert (
        "expected some of kind, state, parent, begins, ordering, page, page_size"
        in ask("jobs/?x=1").json()["error"]["message"]
    )
    assert ask("models/iris/history?at=2026-01-01T00:00:00Z").status_code == 200


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-12:00"])
@pytest.mark.parametrize(
    "path", ["models/?created_after=", "models/iris/versions/?created_before=", "audit/?since=", "audit/?until="]
)
def test_a_time_that_no_database_has_is_refused(ask: Callable[[str], Any], path: str, moment: str) -> None:
    refused = ask(f"{path}{moment}")
    assert refused.status_code == 400
    assert "expected a date and time, as 2026-01-31T12:00:00Z" in refused.json()["error"]["message"]


def test_an_order_that_names_a_field_again_is_refused(ask: Callable[[str], Any]) -> None:
    for order in ("name,-name", ",".join(["name"] * 3000)):
        refused = ask(f"models/?ordering={order}")
        assert refused.status_code == 400, refused.content[:200]
        assert "expected each field once" in refused.json()["error"]["message"]
