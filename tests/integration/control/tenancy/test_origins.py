"""Allowed origins: the verbs, the addresses, and whom they let in."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from modelyard.control.tenancy import services
from modelyard.control.tenancy.models import AllowedOrigin, AuditEntry, Tenant
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import Conflict, Forbidden, InvalidInput, ModelyardError, NotFound
from modelyard.core.origins import MAX_LENGTH, MAX_ORIGINS

pytestmark = pytest.mark.django_db

Caller = Callable[..., APIClient]
APP = "https://app.example"


def wanted(tenant: Tenant) -> int:
    return Tenant.objects.get(pk=tenant.pk).wanted_revision


def told(tenant: Tenant) -> list[tuple[str, str, str]]:
    entries = AuditEntry.objects.of(tenant).filter(verb__startswith="origin.").order_by("number")
    return list(entries.values_list("actor", "verb", "subject"))


def test_origins_come_and_go(tenant: Tenant, admin: Actor) -> None:
    before = wanted(tenant)
    allowed = services.allow_origin(actor=admin, origin="HTTPS://App.Example:443/")
    assert (allowed.origin, allowed.created_by, wanted(tenant)) == (APP, "system:test", before + 1)
    services.remove_origin(actor=admin, allowed=allowed)
    assert wanted(tenant) == before + 2
    with pytest.raises(NotFound):
        services.remove_origin(actor=admin, allowed=allowed)
    assert wanted(tenant) == before + 2
    assert told(tenant) == [
        ("system:test", "origin.allow", f"origin:{APP}"),
        ("system:test", "origin.remove", f"origin:{APP}"),
    ]
    assert services.verify_audit(tenant) == []


def test_an_origin_is_kept_once_however_it_is_written(tenant: Tenant, admin: Actor) -> None:
    services.allow_origin(actor=admin, origin=APP)
    before = wanted(tenant)
    with pytest.raises(Conflict, match="is allowed already"):
        services.allow_origin(actor=admin, origin="https://APP.example/")
    with pytest.raises(InvalidInput):
        services.allow_origin(actor=admin, origin="*")
    assert (wanted(tenant), AllowedOrigin.objects.count()) == (before, 1)


def test_their_number_has_a_bound(tenant: Tenant, stranger: Tenant, admin: Actor) -> None:
    for number in range(MAX_ORIGINS):
        services.allow_origin(actor=admin, origin=f"https://app{number}.example")
    with pytest.raises(Conflict, match="there are 20 origins"):
        services.allow_origin(actor=admin, origin=APP)
    services.allow_origin(actor=services.system_actor(stranger, "test"), origin=APP)


@pytest.mark.django_db(transaction=True)
def test_the_bound_holds_when_two_come_at_once(tenant: Tenant, admin: Actor) -> None:
    for number in range(MAX_ORIGINS - 1):
        services.allow_origin(actor=admin, origin=f"https://app{number}.example")
    gate, outcomes = threading.Barrier(4), []

    def allow(number: int) -> None:
        gate.wait()
        try:
            services.allow_origin(actor=admin, origin=f"https://late{number}.example")
            outcomes.append("kept")
        except ModelyardError as error:
            outcomes.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=allow, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["conflict"] * 3 + ["kept"]


def test_another_tenants_origin_is_not_removed(tenant: Tenant, stranger: Tenant, admin: Actor) -> None:
    allowed = services.allow_origin(actor=admin, origin=APP)
    with pytest.raises(NotFound):
        services.remove_origin(actor=services.system_actor(stranger, "test"), allowed=allowed)
    small = services.Actor(tenant=tenant, name="key:small", scopes=frozenset({"read", "write", "predict"}))
    with pytest.raises(Forbidden):
        services.remove_origin(actor=small, allowed=allowed)
    with pytest.raises(Forbidden):
        services.allow_origin(actor=small, origin="https://b.example")
    assert AllowedOrigin.objects.count() == 1


@pytest.mark.parametrize(
    "origin", ["", "null", "*", "x" * 10_000, "https://a\0b", "https://\u00fc.example", APP.upper()]
)
def test_what_no_browser_sends_is_admitted_nowhere(tenant: Tenant, admin: Actor, origin: str) -> None:
    services.allow_origin(actor=admin, origin=APP)
    assert services.admits(APP, None)
    assert not services.admits(origin, None)


def test_a_key_decides_by_its_own_tenant(tenant: Tenant, stranger: Tenant, admin: Actor) -> None:
    services.allow_origin(actor=admin, origin=APP)
    key, own = services.create_key(actor=admin, name="own", scopes=["read"])
    _, foreign = services.create_key(actor=services.system_actor(stranger, "test"), name="ci", scopes=["read"])
    assert services.admits(APP, own)
    assert not services.admits(APP, foreign)
    assert services.admits(APP, "yard_abcdefgh_" + "x" * 43)
    services.revoke_key(actor=admin, key=key)
    assert services.admits(APP, own)
    assert not services.admits("https://b.example", own)


def test_the_question_is_answered_by_the_index(tenant: Tenant, admin: Actor) -> None:
    with CaptureQueriesContext(
        connection,
    ) as queries:
        services.admits(APP, None)
    assert len(queries) == 1
    for number in range(MAX_ORIGINS):
        services.allow_origin(actor=admin, origin=f"https://app{number}.example")
    plan = AllowedOrigin.objects.filter(origin=APP).order_by().explain()
    if connection.vendor == "sqlite":
        assert "USING INDEX" in plan or "USING COVERING INDEX" in plan


def test_the_api_lists_makes_and_removes(caller: Caller, tenant: Tenant) -> None:
    client = caller(tenant, "admin")
    assert client.get("/api/v1/origins/").json()["results"] == []
    made = client.post("/api/v1/origins/", {"origin": "https://App.example/"})
    assert (made.status_code, made.json()["origin"], made.json()["created_by"]) == (201, APP, "key:test-1")
    address = f"/api/v1/origins/{made.json()['id']}/"
    assert client.get(address).json() == made.json()
    assert client.get("/api/v1/origins/?origin=https://app.example").json()["count"] == 1
    assert client.get("/api/v1/origins/?origin=https://b.example").json()["count"] == 0
    assert client.post("/api/v1/origins/", {"origin": APP}).status_code == 409
    for method in (client.put, client.patch):
        assert method(address, {"origin": "https://b.example"}).status_code == 405
    assert client.delete(address).status_code == 204
    assert client.delete(address).status_code == 404
    assert client.get(address).status_code == 404


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "origin"),
        ({"origin": ""}, "origin"),
        ({"origin": None}, "origin"),
        ({"origin": 7}, "no scheme"),
        ({"origin": [APP]}, "origin"),
        ({"origin": "*"}, "strangers"),
        ({"origin": "null"}, "sandboxed"),
        ({"origin": "http://app.example"}, "plain http"),
        ({"origin": "https://a.example/x"}, "more than an origin"),
        ({"origin": "y" * (MAX_LENGTH + 5)}, "characters"),
        ({"origin": "https://a\0b"}, "origin"),
        ({"origins": [APP]}, "did you mean `origin`?"),
    ],
)
def test_an_unfit_origin_is_refused_with_its_place(caller: Caller, tenant: Tenant, body: Any, said: str) -> None:
    answer = caller(tenant, "admin").post("/api/v1/origins/", body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert said in error["message"]
    assert error["details"]["places"][0]["place"].startswith("origin")
    assert not AllowedOrigin.objects.exists()


@pytest.mark.parametrize("scope", ["predict", "read", "write"])
def test_small_keys_allow_nobody(caller: Caller, tenant: Tenant, admin: Actor, scope: str) -> None:
    there = services.allow_origin(actor=admin, origin=APP)
    client = caller(tenant, scope)
    assert client.post("/api/v1/origins/", {"origin": "https://b.example"}).status_code == 403
    assert client.delete(f"/api/v1/origins/{there.pk}/").status_code == 403
    assert client.get("/api/v1/origins/").status_code == (403 if scope == "predict" else 200)
    assert AllowedOrigin.objects.count() == 1


def test_a_stranger_finds_nothing(caller: Caller, tenant: Tenant, stranger: Tenant, admin: Actor) -> None:
    there = services.allow_origin(actor=admin, origin=APP)
    client = caller(stranger, "admin")
    for method in ("get", "delete"):
        bodies = []
        for number in (there.pk, 987654):
            answer = getattr(client, method)(f"/api/v1/origins/{number}/")
            assert answer.status_code == 404
            bodies.append({**answer.json()["error"], "request_id": None})
        assert bodies[0] == bodies[1]
    assert client.get("/api/v1/origins/").json()["results"] == []
    assert client.post("/api/v1/origins/", {"origin": APP}).status_code == 201
    assert AllowedOrigin.objects.of(tenant).count() == 1
