from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from modelyard.control.deployments.publisher import publish_pending
from modelyard.control.registry.models import Model, Version
from modelyard.control.tenancy.models import Tenant
from modelyard.control.tenancy.services import Actor
from tests.integration.control import versions

pytestmark = pytest.mark.django_db

Caller = Callable[..., APIClient]
IRIS = "/api/v1/models/iris"


@pytest.fixture
def client(caller: Caller, tenant: Tenant) -> APIClient:
    return caller(tenant, "write")


@pytest.fixture
def two(admin: Actor, model: Model) -> list[Version]:
    return [versions.ready(admin, model, content) for content in (b"1", b"2")]


def test_a_model_that_was_never_served(client: APIClient, model: Model) -> None:
    shown = client.get(f"{IRIS}/deployment").json()
    assert (shown["plan"], shown["champion"], shown["number"]) == ({"arms": [], "shadows": []}, None, None)
    assert shown["limits"] == {"max_rows": None, "max_body_bytes": None, "timeout_seconds": None}
    assert client.get(f"{IRIS}/history").json()["results"] == []
    for verb in ("rollback", "deactivate"):
        refused = client.post(f"{IRIS}/{verb}", {})
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")


def test_changed_and_changed_back_by_what_the_answers_say(client: APIClient, two: list[Version]) -> None:
    assert client.post(f"{IRIS}/versions/1/activate", {"reason": "first"}).json()["undo"]["verb"] == "deactivate"
    promoted = client.post(f"{IRIS}/promote", {"version": 2, "reason": "better"})
    assert promoted.status_code == 200
    body = promoted.json()
    assert (body["model"], body["number"], body["verb"], body["champion"]) == ("iris", 2, "activate", 2)
    assert (body["reason"], body["actor"], body["changed"]) == ("better", "key:test-1", True)
    undone = client.post(body["undo"]["path"], body["undo"]["body"])
    assert undone.json()["champion"] == 1
    again = client.post(f"{IRIS}/promote", {"version": 1}).json()
    assert (again["changed"], again["undo"], again["number"]) == (False, None, 3)
    assert client.post(f"{IRIS}/rollback/").json()["champion"] == 2
    assert client.post(f"{IRIS}/deactivate").json()["champion"] is None
    shown = client.get(f"{IRIS}/deployment/").json()
    assert (shown["champion"], shown["verb"], shown["number"]) == (None, "deactivate", 5)
    story = client.get(f"{IRIS}/history").json()["results"]
    assert [(row["number"], row["verb"], row["champion"]) for row in story] == [
        (5, "deactivate", None), (4, "rollback", 2), (3, "activate", 1), (2, "activate", 2), (1, "activate", 1),
    ]  # fmt: skip
    assert story[1]["restores"] == 2


def test_what_the_charter_asks_for_and_the_version_has_not_is_told(
    client: APIClient, admin: Actor, model: Model
) -> None:
    versions.ready(admin, model, b"1", metrics={"accuracy": 0.847})
    versions.ready(admin, model, b"2", metrics={"accuracy": 0.97})
    charter = {"metric": "accuracy", "thresholds": [{"metric": "accuracy", "at_least": 0.95}]}
    assert client.put(f"{IRIS}/charter", {"charter": charter}).json()["notes"] == []
    told = client.post(f"{IRIS}/promote", {"version": 1}).json()["notes"]
    assert told == ["accuracy is 0.847, the charter asks for at least 0.95"]
    assert client.post(f"{IRIS}/promote", {"version": 2}).json()["notes"] == []
    wrong = client.put(f"{IRIS}/charter", {"charter": {"metric": "acuracy"}})
    assert wrong.json()["notes"] == ["no version has the metric `acuracy`; did you mean `accuracy`?"]


def test_what_answered_then(client: APIClient, two: list[Version]) -> None:
    client.post(f"{IRIS}/promote", {"version": 1})
    between = timezone.now()
    client.post(f"{IRIS}/promote", {"version": 2})
    for text in (quote(between.isoformat()), between.isoformat(), between.strftime("%Y-%m-%dT%H:%M:%S.%f")):
        then = client.get(f"{IRIS}/history?at={text}").json()["results"]
        assert [row["champion"] for row in then] == [1], text
    assert client.get(f"{IRIS}/history?at=2020-01-01T00:00:00Z").json()["results"] == []
    for wrong in ("", "yesterday", "2026-13-01T00:00:00Z", "%00", "0001-01-01T00:00:00%2B14:00", "x" * 999):
        assert client.get(f"{IRIS}/history?at={wrong}").status_code == 400, wrong


def test_published_is_told(client: APIClient, two: list[Version]) -> None:
    client.post(f"{IRIS}/promote", {"version": 1})
    assert client.get(f"{IRIS}/deployment").json()["published"] is False
    publish_pending()
    assert client.get(f"{IRIS}/deployment").json()["published"] is True


def test_limits(client: APIClient, model: Model) -> None:
    set_ = client.patch(f"{IRIS}/deployment", {"limits": {"max_rows": 5, "timeout_seconds": 0.5}})
    assert set_.json()["limits"] == {"max_rows": 5, "max_body_bytes": None, "timeout_seconds": 0.5}
    back = client.patch(f"{IRIS}/deployment", {"limits": {"max_rows": None}})
    assert back.json()["limits"] == {"max_rows": None, "max_body_bytes": None, "timeout_seconds": 0.5}


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("promote", {}), ("promote", {"version": None}), ("promote", {"version": "x"}), ("promote", {"version": 0}),
        ("promote", {"version": 9}), ("promote", {"version": 10**30}), ("promote", {"version": 1, "raeson": "x"}),
        ("promote", {"version": 1, "reason": "x" * 2001}), ("promote", {"version": 1, "reason": "\x00"}),
        ("promote", []), ("rollback", {"version": 1}), ("rollback", {"reason": {}}), ("deactivate", {"reason": [1]}),
        ("versions/1/activate", {"reason": 10**5000}), ("versions/1/activate", "x"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(client: APIClient, two: list[Version], verb: str, body: Any) -> None:
    import json
    import sys

    sys.set_int_max_str_digits(0)
    try:
        text = json.dumps(body)
    finally:
        sys.set_int_max_str_digits(4300)
    refused = client.post(f"{IRIS}/{verb}", text, content_type="application/json")
    assert refused.status_code == 400, refused.content
    assert refused.json()["error"]["code"] == "invalid_input"


@pytest.mark.parametrize(
    "limits",
    [
        {"max_rows": 0}, {"max_rows": "x"}, {"max_rows": 10**9}, {"max_body_bytes": -1}, {"timeout_seconds": 0},
        {"timeout_seconds": -1}, {"timeout_seconds": "nan"}, {"timeout_seconds": 1e9}, {"rows": 1}, [], None, "x",
    ],
)  # fmt: skip
def test_limits_that_do_not_fit_are_refused(client: APIClient, model: Model, limits: Any) -> None:
    refused = client.patch(f"{IRIS}/deployment", {"limits": limits})
    assert refused.status_code == 400, refused.content


def test_only_a_ready_version_is_activated(client: APIClient, admin: Actor, model: Model) -> None:
    versions.register(admin, model)
    for path, body in (("versions/1/activate", {}), ("promote", {"version": 1})):
        refused = client.post(f"{IRIS}/{path}", body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
    assert client.post(f"{IRIS}/versions/9/activate", {}).status_code == 404
