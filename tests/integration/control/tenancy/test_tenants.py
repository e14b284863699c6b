"""Tenants are made and deleted by an operator, over REST; everybody else has their own alone."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from modelyard.control.jobs.models import Job, State
from modelyard.control.registry.models import Artifact
from modelyard.control.registry.services import create_model
from modelyard.control.registry.storage import store
from modelyard.control.registry.uploads import keep_upload
from modelyard.control.schedules.models import Schedule
from modelyard.control.scoring.models import ScoredFile
from modelyard.control.tenancy import services
from modelyard.control.tenancy.models import ApiKey, AuditEntry, Member, Tenant
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import Conflict, Forbidden, NotFound
from tests.integration.control import tables

pytestmark = pytest.mark.django_db

Caller = Callable[..., APIClient]
TENANTS = "/api/v1/tenants/"


def names(answer: Any) -> list[str]:
    return [row["name"] for row in answer.json()["results"]]


def error(answer: Any) -> Any:
    return answer.json()["error"]


def test_an_operator_makes_reads_and_deletes_tenants(operator: APIClient, tenant: Tenant) -> None:
    made = operator.post(TENANTS, {"name": "acme", "title": "Acme"})
    assert (made.status_code, made.json()["name"], made.json()["title"]) == (201, "acme", "Acme")
    assert names(operator.get(TENANTS)) == ["acme", "operator", "yard"]
    assert names(operator.get(TENANTS + "?own=true")) == ["operator"]
    assert names(operator.get(TENANTS + "?own=false&ordering=-name")) == ["yard", "acme"]
    assert operator.get(TENANTS + "acme/").json() == made.json()
    acme = Tenant.objects.get(name="acme")
    assert AuditEntry.objects.of(acme).get().actor == "operator:ops"
    gone = operator.delete(TENANTS + "acme/")
    assert (gone.status_code, gone.content) == (204, b"")
    assert operator.get(TENANTS + "acme/").status_code == operator.delete(TENANTS + "acme/").status_code == 404
    assert operator.post(TENANTS, {"name": "acme"}).status_code == 201
    assert Tenant.objects.get(name="acme").pk != acme.pk


def test_the_operators_own_log_tells_of_it(operator: APIClient, tenant: Tenant) -> None:
    operator.post(TENANTS, {"name": "acme", "title": "Acme"})
    end = AuditEntry.objects.get(tenant__name="acme")
    operator.delete(TENANTS + "acme/")
    own = Tenant.objects.get(operates=True)
    deleted, made = AuditEntry.objects.of(own)[:2]
    assert (made.actor, made.verb, made.subject) == ("operator:ops", "tenant.create", "tenant:acme")
    assert (deleted.actor, deleted.verb, deleted.subject) == ("operator:ops", "tenant.delete", "tenant:acme")
    assert deleted.details == {"title": "Acme", "entries": 1, "hash": end.hash}
    assert services.verify_audit(own) == []


@pytest.mark.parametrize(
    ("body", "status", "place"),
    [
        ({"name": "yard"}, 409, None),
        ({"name": "A C M E"}, 400, None),
        ({"name": ""}, 400, "name"),
        ({"name": "a" * 65}, 400, "name"),
        ({}, 400, "name"),
        ({"name": "acme", "title": "x" * 201}, 400, "title"),
        ({"name": "acme", "runs_code": False}, 400, "runs_code"),
        ({"name": "acme", "operates": True}, 400, "operates"),
    ],
)
def test_an_unfit_tenant_is_refused(
    operator: APIClient, tenant: Tenant, body: dict[str, Any], status: int, place: str | None
) -> None:
    refused = operator.post(TENANTS, body)
    assert refused.status_code == status, refused.content
    if place:
        assert [one["place"] for one in error(refused)["details"]["places"]] == [place]
    assert set(Tenant.objects.values_list("name", flat=True)) == {"yard", "operator"}


def test_a_tenant_that_holds_something_stays_and_is_told_what(
    operator: APIClient, tenant: Tenant, admin: Actor, stranger: Tenant
) -> None:
    """What another tenant holds is not counted."""
    create_model(actor=services.system_actor(stranger, "test"), name="theirs")
    for name in ("iris", "wine"):
        create_model(actor=admin, name=name)
    tables.ready(admin)
    Job.objects.filter(tenant=tenant).update(state=State.SUCCEEDED)
    Schedule.objects.create(tenant=tenant, name="nightly", kind="training", cron="0 2 * * *", acts_for="key:x")
    for number in range(3):
        Job.objects.create(tenant=tenant, kind="training", state=State.QUEUED if number else State.RUNNING)
    scored = Job.objects.create(tenant=tenant, kind="scoring", state=State.SUCCEEDED)
    artifact = Artifact.objects.create(tenant=tenant, digest="0" * 64, size_bytes=1)
    for place in (0, 1):
        ScoredFile.objects.create(tenant=tenant, job=scored, role="result", place=place, artifact=artifact)
    refused = operator.delete(TENANTS + "yard/")
    assert (refused.status_code, error(refused)["code"]) == (409, "in_use")
    held = {"open job": 3, "model": 2, "dataset": 1, "schedule": 1, "scored table": 1}
    assert error(refused)["details"]["held"] == held
    for text in ("3 open jobs", "2 models", "1 dataset", "1 schedule", "1 scored table"):
        assert text in error(refused)["message"]
    assert Tenant.objects.filter(pk=tenant.pk).exists()
    assert not AuditEntry.objects.filter(verb="tenant.delete").exists()


@pytest.mark.parametrize("what", ["model", "dataset", "open job", "schedule"])
def test_one_thing_is_enough_to_stay(operator: APIClient, tenant: Tenant, admin: Actor, what: str) -> None:
    if what == "model":
        create_model(actor=admin, name="iris")
    elif what == "dataset":
        tables.ready(admin)
        Job.objects.all().delete()
    elif what == "open job":
        Job.objects.create(tenant=tenant, kind="training")
    else:
        Schedule.objects.create(tenant=tenant, name="nightly", kind="training", cron="0 2 * * *", acts_for="key:x")
    refused = operator.delete(TENANTS + "yard/")
    assert (refused.status_code, error(refused)["details"]["held"]) == (409, {what: 1})
    assert f"'yard' still holds 1 {what}:" in error(refused)["message"]
    assert Tenant.objects.filter(pk=tenant.pk).exists()


def test_all_that_is_left_goes_with_it_and_nothing_of_others(
    operator: APIClient,
    tenant: Tenant,
    admin: Actor,
    person: User,
    stranger: Tenant,
    caller: Caller,
    django_capture_on_commit_callbacks: Any,
) -> None:
    """Members, keys, ended jobs, the log, and the bytes of an upload that nothing was made of."""
    client, other = caller(tenant, "admin"), caller(stranger, "admin")
    Job.objects.create(tenant=tenant, kind="training", state=State.SUCCEEDED)
    mine = keep_upload(actor=admin, filename="a.csv", chunks=[b"a,b\n1,2\n"]).stored.digest
    foreign = services.system_actor(stranger, "test")
    theirs = keep_upload(actor=foreign, filename="a.csv", chunks=[b"a,b\n3,4\n"]).stored.digest
    with django_capture_on_commit_callbacks(execute=True):
        assert operator.delete(TENANTS + "yard/").status_code == 204
    assert client.get(TENANTS).status_code == 401
    assert [stored.digest for stored in store().list(str(tenant.pk))] == []
    assert [stored.digest for stored in store().list(str(stranger.pk))] == [theirs] != [mine]
    for table in (Job, Member, ApiKey, AuditEntry, Artifact):
        assert not table.objects.filter(tenant_id=tenant.pk).exists(), table
    assert User.objects.filter(pk=person.pk).exists()
    assert names(other.get(TENANTS)) == ["stranger"]


def test_the_operators_own_tenant_stays(operator: APIClient) -> None:
    refused = operator.delete(TENANTS + "operator/")
    assert (refused.status_code, error(refused)["code"]) == (409, "conflict")
    assert "the operator's own" in error(refused)["message"]
    assert operator.get(TENANTS + "operator/").status_code == 200


@pytest.mark.parametrize("scope", ["predict", "read", "write", "admin"])
def test_no_key_of_a_tenants_makes_or_deletes_one(caller: Caller, tenant: Tenant, stranger: Tenant, scope: str) -> None:
    client = caller(tenant, scope)
    told = []
    for name in ("yard", "stranger", "nothing"):
        refused = client.delete(f"{TENANTS}{name}/")
        assert (refused.status_code, error(refused)["code"]) == (403, "forbidden")
        assert error(refused)["details"] == {"scope": "operator"}
        told.append(error(refused)["message"])
    assert len(set(told)) == 1
    assert client.post(TENANTS, {"name": "acme"}).status_code == 403
    assert Tenant.objects.count() == 2
    if scope != "predict":
        assert names(client.get(TENANTS)) == ["yard"]
        assert client.get(TENANTS + "stranger/").status_code == client.get(TENANTS + "nothing/").status_code == 404


@pytest.mark.parametrize("role", ["viewer", "editor", "admin"])
def test_no_member_makes_or_deletes_one(tenant: Tenant, admin: Actor, stranger: Tenant, role: str) -> None:
    user = User.objects.create_user("bob", is_superuser=True, is_staff=True)
    services.add_member(actor=admin, user=user, role=role)
    client = APIClient()
    client.force_login(user)
    assert client.post(TENANTS, {"name": "acme"}).status_code == 403
    assert client.delete(TENANTS + "yard/").status_code == client.delete(TENANTS + "stranger/").status_code == 403
    assert names(client.get(TENANTS)) == ["yard"]
    assert Tenant.objects.count() == 2


def test_an_operator_changes_no_tenant(operator: APIClient, tenant: Tenant) -> None:
    assert operator.patch(TENANTS + "yard/", {"title": "Mine"}).status_code == 403
    tenant.refresh_from_db()
    assert tenant.title == "The yard"


def test_a_command_of_the_operators_has_a_tenant_of_its_own(tenant: Tenant, admin: Actor) -> None:
    actor = services.operator_actor("command")
    assert (actor.tenant.name, actor.name) == ("operator", "system:command")
    assert services.operator_actor("command").tenant == actor.tenant
    services.delete_tenant(actor=actor, tenant=tenant)
    assert AuditEntry.objects.of(actor.tenant)[0].actor == "system:command"
    with pytest.raises(NotFound):
        services.delete_tenant(actor=actor, tenant=Tenant(pk=987654, name="yard"))


def test_a_tenants_own_actor_deletes_none_in_process_either(tenant: Tenant, admin: Actor) -> None:
    with pytest.raises(Forbidden):
        services.delete_tenant(actor=admin, tenant=tenant)
    with pytest.raises(Forbidden):
        services.add_tenant(actor=admin, name="acme")


def test_a_name_that_a_tenant_has_is_not_made_the_operators(db: None) -> None:
    services.create_tenant(name="operator", created_by="system:test")
    with pytest.raises(Conflict, match="not the operator's own"):
        services.operator_actor("command")
