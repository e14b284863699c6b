"""Models over REST."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from modelyard.control.deployments.services import activate
from modelyard.control.registry import services
from modelyard.control.registry.models import Model, Version
from modelyard.control.tenancy.models import Tenant
from modelyard.control.tenancy.services import Actor, add_member, system_actor
from tests.integration.control import versions

pytestmark = pytest.mark.django_db

Caller = Callable[..., APIClient]
MODELS = "/api/v1/models/"
IRIS = "/api/v1/models/iris/"


@pytest.fixture
def client(caller: Caller, tenant: Tenant) -> APIClient:
    return caller(tenant, "write")


class TestModels:
    def test_made_read_changed_deleted(self, client: APIClient, person: Any) -> None:
        made = client.post(MODELS, {"name": "churn", "problem": "Who leaves?", "owner": "ada"})
        assert made.status_code == 201
        assert {**made.json(), "created_at": None} == {
            "name": "churn", "problem": "Who leaves?", "owner": "ada", "last_number": 0, "newest_ready": None,
            "versions": {"ready": 0, "checking": 0, "refused": 0}, "champion": None, "aliases": {},
            "created_by": "key:test-1", "created_at": None,
        }  # fmt: skip
        changed = client.patch(f"{MODELS}churn/", {"problem": "Who stays?"})
        assert (changed.json()["problem"], changed.json()["owner"]) == ("Who stays?", "ada")
        assert client.patch(f"{MODELS}churn/", {"owner": None}).json()["owner"] is None
        assert client.put(f"{MODELS}churn/", {}).status_code == 405
        assert client.delete(f"{MODELS}churn/").status_code == 204
        assert client.get(f"{MODELS}churn/").status_code == 404

    def test_shown_with_what_is_known_of_its_versions(self, client: APIClient, admin: Actor, model: Model) -> None:
        first, second = versions.ready(admin, model, b"1"), versions.ready(admin, model, b"2")
        versions.register(admin, model)
        activate(actor=admin, version=first)
        services.move_alias(actor=admin, model=model, name="candidate", version=second)
        shown = client.get(IRIS).json()
        assert shown["versions"] == {"ready": 2, "checking": 1, "refused": 0}
        assert (shown["champion"], shown["newest_ready"], shown["last_number"]) == (1, 2, 3)
        assert shown["aliases"] == {"candidate": 2}

    @pytest.mark.parametrize(
        ("body", "place"),
        [
            ({}, "name"),
            ({"name": ""}, "name"),
            ({"name": None}, "name"),
            ({"name": "Iris"}, "name"),
            ({"name": "../../etc/passwd"}, "name"),
            ({"name": "a" * 65}, "name"),
            ({"name": ["x"]}, "name"),
            ({"name": "a\x00"}, "name"),
            ({"name": "a", "problem": "x" * 20_001}, "problem"),
            ({"name": "a", "problem": "\x00"}, "problem"),
            ({"name": "a", "problem": "\ud800"}, "problem"),
            ({"name": "a", "problem": {"x": 1}}, "problem"),
            ({"name": "a", "owner": "nobody"}, "owner"),
            ({"name": "a", "owner": 5}, "owner"),
            ({"name": "a", "owner": "\x00"}, "owner"),
            ({"name": "a", "problme": "x"}, "`problem`"),
            ({"name": "a", "last_number": 7}, "last_number"),
            ([], "body"),
            ("x", "body"),
        ],
    )  # fmt: skip
    def test_what_does_not_fit_is_refused_with_its_place(self, client: APIClient, body: Any, place: str) -> None:
        refused = client.post(MODELS, json.dumps(body), content_type="application/json")
        assert refused.status_code == 400, refused.content
        assert refused.json()["error"]["code"] == "invalid_input"
        assert place in refused.json()["error"]["message"]
        assert not Model.objects.exists()

    @pytest.mark.parametrize("more", [{}, {"name": "No Name"}, {"problem": 7, "colour": "red"}])
    def test_somebody_elsewhere_looks_like_nobody(
        self, client: APIClient, model: Model, stranger: Tenant, more: dict[str, Any]
    ) -> None:
        add_member(actor=system_actor(stranger, "test"), user=User.objects.create_user("eve"), role="admin")
        for call in (
            lambda name: client.post(MODELS, {"name": "churn", "owner": name, **more}),
            lambda name: client.patch(IRIS, {"owner": name, **more}),
        ):
            theirs, nobody = call("eve"), call("bob")
            assert theirs.status_code == nobody.status_code == 400
            bodies = [{**answer.json()["error"], "request_id": None} for answer in (theirs, nobody)]
            assert str(bodies[0]).replace("eve", "?") == str(bodies[1]).replace("bob", "?")
            assert more or "is no member of this tenant: expected" in nobody.json()["error"]["message"]

    @pytest.mark.parametrize("body", [b"{", b"[" * 100_000, b"\xff", b'{"name": NaN}', b""])
    def test_what_is_no_json_is_refused(self, client: APIClient, body: bytes) -> None:
        refused = client.generic("POST", MODELS, body, content_type="application/json")
        assert refused.status_code == 400, refused.content

    def test_a_name_in_use_is_a_conflict(self, client: APIClient, model: Model) -> None:
        assert client.post(MODELS, {"name": "iris"}).status_code == 409

    def test_found_ordered_and_paged(self, client: APIClient, admin: Actor, person: Any) -> None:
        for name, problem, owner in (("a", "apples", None), ("b", "pears", person), ("c", "more apples", person)):
            services.create_model(actor=admin, name=name, problem=problem, owner=owner)

        def names(query: str) -> list[str]:
            answer = client.get(f"{MODELS}?{query}")
            assert answer.status_code == 200, answer.content
            return [row["name"] for row in answer.json()["results"]]

        assert names("") == ["a", "b", "c"]
        assert names("search=APPLES") == ["a", "c"]
        assert names("owner=ada&ordering=-name") == ["c", "b"]
        assert names("page_size=2&page=2") == ["c"]
        assert names("created_before=2020-01-01T00:00:00Z") == []
        assert names("ordering=-created_at") == ["c", "b", "a"]
        for wrong in ("ordering=problem", "search=" + "x" * 101, "created_after=soon", "page=0", "page_size=501"):
            assert client.get(f"{MODELS}?{wrong}").status_code == 400, wrong
        assert client.get(f"{MODELS}?search=%00&owner=%00").status_code == 400

    def test_ten_thousand_models_cost_few_queries(self, client: APIClient, admin: Actor, tenant: Tenant) -> None:
        rows = [Model(tenant=tenant, name=f"model-{number}", created_by="x") for number in range(10_000)]
        Model.objects.bulk_create(rows, batch_size=1000)
        made = Model.objects.of(tenant).order_by("name")[:60]
        Version.objects.bulk_create(
            Version(tenant=tenant, model=one, number=number, created_by="x", state="ready")
            for one in made for number in (1, 2)
        )  # fmt: skip
        activate(actor=admin, version=Version.objects.get(model=made[0], number=2))
        with CaptureQueriesContext(connection) as queries:
            began = time.monotonic()
            listed = client.get(f"{MODELS}?page_size=100").json()
            took = time.monotonic() - began
        assert listed["count"] == 10_000
        assert listed["results"][0]["versions"]["ready"] == 2
        assert listed["results"][0]["champion"] == 2
        assert len(queries) <= 12
        assert took < 5
