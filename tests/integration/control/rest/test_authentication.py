from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from modelyard.control.tenancy import services
from modelyard.control.tenancy.models import ApiKey, Tenant
from modelyard.control.tenancy.services import Actor

pytestmark = pytest.mark.django_db

WHO = "/api/v1/tenants/"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "bearer yard_x",
        "Bearer yard_00000000_" + "x" * 43,
        "Token x",
        "Bearer \xff",
    ],
)
def test_what_is_no_key_is_a_401(header: str) -> None:
    answer = APIClient().get(WHO, HTTP_AUTHORIZATION=header)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="modelyard"'
    assert answer.json()["error"]["code"] == "unauthenticated"


def test_nobody_is_a_401_and_each_answer_has_its_request_id() -> None:
    answer = APIClient().get(WHO, HTTP_X_REQUEST_ID="my-request-0001")
    assert answer.status_code == 401
    assert answer["X-Request-ID"] == "my-request-0001" == answer.json()["error"]["request_id"]
    for odd in ("x", "a" * 65, "<script>alert(1)</script>", "a\tb c d e f g"):
        answered = APIClient().get(WHO, HTTP_X_REQUEST_ID=odd)
        assert answered["X-Request-ID"] != odd
        assert answered["X-Request-ID"] == answered.json()["error"]["request_id"]


def test_a_revoked_key_is_refused_at_once(caller: Callable[..., APIClient], tenant: Tenant, admin: Actor) -> None:
    client = caller(tenant, "read")
    assert client.get(WHO).status_code == 200
    services.revoke_key(actor=admin, key=ApiKey.objects.get())
    assert client.get(WHO).status_code == 401


def test_a_key_wins_over_the_tenant_header(caller: Callable[..., APIClient], tenant: Tenant, stranger: Tenant) -> None:
    answer = caller(tenant, "read").get(WHO, HTTP_MODELYARD_TENANT="stranger")
    assert [row["name"] for row in answer.json()["results"]] == ["yard"]


def signed_in(user: User) -> APIClient:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(user)
    return client


def test_a_member_of_one_tenant_needs_no_header(person: User) -> None:
    assert [row["name"] for row in signed_in(person).get(WHO).json()["results"]] == ["yard"]


def test_a_member_of_two_says_which(person: User, stranger: Tenant) -> None:
    services.add_member(actor=services.system_actor(stranger, "test"), user=person, role="viewer")
    client = signed_in(person)
    unsaid = client.get(WHO)
    assert unsaid.status_code == 400
    assert "Modelyard-Tenant" in unsaid.json()["error"]["message"]
    said = client.get(WHO, HTTP_MODELYARD_TENANT="stranger")
    assert [row["name"] for row in said.json()["results"]] == ["stranger"]
    assert client.get("/api/v1/keys/", HTTP_MODELYARD_TENANT="stranger").status_code == 403
    assert client.get("/api/v1/keys/", HTTP_MODELYARD_TENANT="yard").status_code == 200


def test_a_tenant_of_others_looks_like_none(person: User, stranger: Tenant) -> None:
    client = signed_in(person)
    bodies = []
    for name in ("stranger", "nothing"):
        answer = client.get(WHO, HTTP_MODELYARD_TENANT=name)
        assert answer.status_code == 404
        bodies.append(answer.json()["error"]["message"].replace(name, "?"))
    assert bodies[0] == bodies[1]
    nobody = signed_in(User.objects.create_user("nobody"))
    assert nobody.get(WHO).status_code == 404


def test_a_session_needs_the_token_against_forgery(person: User) -> None:
    client = signed_in(person)
    refused = client.post("/api/v1/keys/", {"name": "x", "scopes": ["read"]})
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "forbidden"
    assert ApiKey.objects.count() == 0
    token = "a" * 32
    client.cookies["modelyard_csrf"] = token
    made = client.post("/api/v1/keys/", {"name": "x", "scopes": ["read"]}, HTTP_X_CSRFTOKEN=token)
    assert made.status_code == 201
    assert made.json()["created_by"] == "user:ada"


def test_a_signed_in_person_who_was_shut_out_is_out(person: User) -> None:
    client = signed_in(person)
    User.objects.update(is_active=False)
    assert client.get(WHO).status_code == 401
