from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from modelyard.control.tenancy import services
from modelyard.control.tenancy.models import ApiKey, AuditEntry, Member, Tenant
from modelyard.control.tenancy.services import Actor

pytestmark = pytest.mark.django_db

Caller = Callable[..., APIClient]


def test_the_own_tenant_is_read_and_changed(caller: Caller, tenant: Tenant, stranger: Tenant) -> None:
    client = caller(tenant, "admin")
    listed = client.get("/api/v1/tenants/").json()
    assert [row["name"] for row in listed["results"]] == ["yard"]
    changed = client.patch("/api/v1/tenants/yard/", {"title": "New", "runs_code": False})
    assert changed.status_code == 200
    assert {**changed.json(), "created_at": None} == {
        "name": "yard",
        "title": "New",
        "runs_code": False,
        "created_at": None,
    }
    assert client.put("/api/v1/tenants/yard/", {"title": "x"}).status_code == 405


def test_a_key_is_shown_once(caller: Caller, tenant: Tenant) -> None:
    client = caller(tenant, "admin")
    made = client.post("/api/v1/keys/", {"name": "ci", "scopes": ["predict", "write"]})
    assert made.status_code == 201
    assert made["Cache-Control"] == "no-store"
    body = made.json()
    assert body["scopes"] == ["predict", "read", "write"]
    assert services.authenticate(body["key"]).name == "key:ci"
    again = client.get(f"/api/v1/keys/{body['id']}/").json()
    assert "key" not in again
    assert "sha256" not in again
    assert (again["prefix"], again["is_live"]) == (body["key"][5:13], True)
    assert client.delete(f"/api/v1/keys/{body['id']}/").status_code == 204
    assert client.get(f"/api/v1/keys/{body['id']}/").json()["is_live"] is False
    assert [row["name"] for row in client.get("/api/v1/keys/?revoked=true").json()["results"]] == ["ci"]
    assert [row["name"] for row in client.get("/api/v1/keys/?revoked=false").json()["results"]] == ["test-1"]


@pytest.mark.parametrize(
    ("method", "path", "body", "place"),
    [
        ("post", "keys/", {"name": "ci", "scopes": ["read"], "expires": "2030-01-01T00:00:00Z"}, "expires"),
        ("post", "members/", {"username": "ada", "rôle": "admin"}, "rôle"),
        ("patch", "members/{member}/", {"username": "eve"}, "username"),
        ("patch", "tenants/yard/", {"name": "other"}, "name"),
    ],
)
def test_a_field_that_is_unknown_is_refused_not_passed_over(
    caller: Caller, tenant: Tenant, person: User, method: str, path: str, body: dict, place: str
) -> None:
    """A slip in `expires_at` would make a key that lives for ever."""
    member = Member.objects.get(user=person).pk
    answer = getattr(caller(tenant, "admin"), method)(f"/api/v1/{path.format(member=member)}", body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert [row["place"] for row in error["details"]["places"]] == [place]
    assert f"unknown field `{place}`" in error["message"]
    assert not ApiKey.objects.filter(name="ci").exists()


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"name": "ci", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "a\u200bb", "scopes": ["read"]}, "name"),
        ({}, "name"),
        ({"name": "ci"}, "scopes"),
        ({"name": "ci", "scopes": []}, "scopes"),
        ({"name": "ci", "scopes": ["root"]}, "scopes.0"),
        ({"name": "ci", "scopes": "read"}, "scopes"),
        ({"name": "", "scopes": ["read"]}, "name"),
        ({"name": "a\0b", "scopes": ["read"]}, "name"),
        ({"name": "x" * 200, "scopes": ["read"]}, "name"),
        ({"name": "ci", "scopes": ["read"], "expires_at": "tomorrow"}, "expires_at"),
        ({"name": "ci", "scopes": ["read"], "expires_at": "2001-01-01T00:00:00Z"}, "expires_at"),
    ],
)
def test_an_unfit_key_is_refused_with_its_place(caller: Caller, tenant: Tenant, body: dict, place: str) -> None:
    answer = caller(tenant, "admin").post("/api/v1/keys/", body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] == "invalid_input"
    assert error["message"].lstrip("`").startswith(place)
    assert ApiKey.objects.count() == 1


def test_members_come_change_and_go(caller: Caller, tenant: Tenant, person: User) -> None:
    client = caller(tenant, "admin")
    User.objects.create_user("bob")
    made = client.post("/api/v1/members/", {"username": "bob", "role": "editor"})
    assert (made.status_code, made.json()["username"], made.json()["role"]) == (201, "bob", "editor")
    address = f"/api/v1/members/{made.json()['id']}/"
    assert client.patch(address, {"role": "viewer"}).json()["role"] == "viewer"
    assert client.post("/api/v1/members/", {"username": "bob"}).status_code == 409
    assert client.post("/api/v1/members/", {"username": "nobody"}).status_code == 400
    assert client.patch(address, {"role": "owner"}).status_code == 400
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404
    last = Member.objects.get(user=person)
    assert client.delete(f"/api/v1/members/{last.pk}/").status_code == 409
    assert client.patch(f"/api/v1/members/{last.pk}/", {"role": "viewer"}).status_code == 409


def test_the_audit_log_is_read_and_filtered(caller: Caller, tenant: Tenant, admin: Actor) -> None:
    client = caller(tenant, "admin")
    client.post("/api/v1/keys/", {"name": "ci", "scopes": ["read"]})
    newest = client.get("/api/v1/audit/").json()["results"][0]
    assert (newest["actor"], newest["verb"], newest["subject"]) == ("key:test-1", "key.create", "key:ci")
    assert client.get("/api/v1/audit/?verb=tenant.create").json()["count"] == 1
    later = (timezone.now() + timedelta(hours=1)).isoformat().replace("+", "%2B")
    assert client.get(f"/api/v1/audit/?since={later}").json()["count"] == 0
    assert client.get("/api/v1/audit/?since=yesterday").status_code == 400
    assert client.get(f"/api/v1/audit/{newest['number']}/").json() == newest
    for method in (client.post, client.put, client.patch, client.delete):
        assert method(f"/api/v1/audit/{newest['number']}/").status_code == 405


@pytest.mark.parametrize("scope", ["predict", "read", "write"])
def test_small_keys_do_not_administer(caller: Caller, tenant: Tenant, person: User, scope: str) -> None:
    client = caller(tenant, scope)
    member = Member.objects.get(user=person).pk
    for answer in (
        client.get("/api/v1/keys/"),
        client.post("/api/v1/keys/", {"name": "x", "scopes": ["admin"]}),
        client.delete(f"/api/v1/keys/{ApiKey.objects.get().pk}/"),
        client.get("/api/v1/audit/"),
        client.post("/api/v1/members/", {"username": "ada"}),
        client.patch(f"/api/v1/members/{member}/", {"role": "viewer"}),
        client.delete(f"/api/v1/members/{member}/"),
        client.patch("/api/v1/tenants/yard/", {"title": "x"}),
    ):
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "forbidden"
    assert client.get("/api/v1/members/").status_code == (403 if scope == "predict" else 200)


def test_a_stranger_finds_nothing(caller: Caller, tenant: Tenant, stranger: Tenant, person: User) -> None:
    """What belongs to another tenant looks exactly like what does not exist."""
    services.create_key(actor=services.system_actor(tenant, "x"), name="ci", scopes=["read"])
    key, member = ApiKey.objects.of(tenant).get(), Member.objects.of(tenant).get()
    entry = AuditEntry.objects.of(tenant).order_by("-number").first()
    client = caller(stranger, "admin")
    for path, theirs, missing, methods in (
        ("keys", key.pk, 987654, ("get", "delete")),
        ("members", member.pk, 987654, ("get", "patch", "delete")),
        ("audit", entry.number + 50, 987654, ("get",)),
        ("tenants", "yard", "nothing-here", ("get", "patch")),
    ):
        for method in methods:
            bodies = []
            for name in (theirs, missing):
                answer = getattr(client, method)(
                    f"/api/v1/{path}/{name}/", {"role": "viewer"} if method == "patch" else None
                )
                assert answer.status_code == 404
                bodies.append({**answer.json()["error"], "request_id": None})
            assert bodies[0] == bodies[1]
        listed = client.get(f"/api/v1/{path}/").json()["results"]
        assert "yard" not in str(listed)
        assert "'ada'" not in str(listed)
    assert ApiKey.objects.get(pk=key.pk).is_live
    assert Member.objects.get(pk=member.pk).role == "admin"


def test_numbers_of_the_audit_log_are_each_tenants_own(caller: Caller, tenant: Tenant, stranger: Tenant) -> None:
    client = caller(stranger, "admin")
    assert client.get("/api/v1/audit/1/").json()["subject"] == "tenant:stranger"
