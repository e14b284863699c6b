"""Models: made, changed, and deleted with all that is theirs."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from modelyard.control.deployments.services import activate
from modelyard.control.registry import services
from modelyard.control.registry.models import Alias, Artifact, DeletedVersion, Model
from modelyard.control.tenancy.models import AuditEntry, Tenant
from modelyard.control.tenancy.services import Actor, system_actor, verify_audit
from modelyard.core.errors import Conflict, InUse, InvalidInput
from tests.integration.control import versions

pytestmark = pytest.mark.django_db

Commits = Callable[..., Any]


def test_made_changed_and_told_to_the_audit_log(admin: Actor, tenant: Tenant, person: User) -> None:
    model = services.create_model(actor=admin, name="churn", owner=person)
    changed = services.change_model(actor=admin, model=model, problem="Who leaves?")
    assert (changed.problem, changed.owner) == ("Who leaves?", person)
    changed = services.change_model(actor=admin, model=model, owner=None)
    assert (changed.problem, changed.owner) == ("Who leaves?", None)
    assert services.change_model(actor=admin, model=model) == model
    verbs = AuditEntry.objects.of(tenant).filter(subject="model:churn").values_list("verb", flat=True)
    assert list(verbs) == ["model.change", "model.change", "model.create"]
    assert verify_audit(tenant) == []


def test_names_are_unique_within_a_tenant(admin: Actor, model: Model, stranger: Tenant) -> None:
    with pytest.raises(Conflict, match="already"):
        services.create_model(actor=admin, name="iris")
    services.create_model(actor=system_actor(stranger, "test"), name="iris")


@pytest.mark.parametrize("name", ["", "Iris", "-iris", "iris:1", "a@b", "../x", "x" * 65, "a\x00", "é"])
def test_a_name_follows_the_rule(admin: Actor, name: str) -> None:
    with pytest.raises(InvalidInput):
        services.create_model(actor=admin, name=name)


def test_an_owner_is_a_member(admin: Actor, model: Model) -> None:
    nobody = User.objects.create_user("nobody")
    with pytest.raises(InvalidInput, match="no member"):
        services.create_model(actor=admin, name="churn", owner=nobody)
    with pytest.raises(InvalidInput, match="no member"):
        services.change_model(actor=admin, model=model, owner=nobody)


def test_deleting_forgets_the_bytes_and_keeps_the_facts(
    admin: Actor, tenant: Tenant, model: Model, django_capture_on_commit_callbacks: Commits
) -> None:
    versions.ready(admin, model, b"one")
    versions.ready(admin, model, b"two")
    assert len(versions.kept(tenant)) == 4
    with django_capture_on_commit_callbacks(execute=True):
        services.delete_model(actor=admin, model=model)
    assert versions.kept(tenant) == set()
    assert not Artifact.objects.of(tenant).exists()
    assert [row.number for row in DeletedVersion.objects.of(tenant)] == [2, 1]
    again = services.create_model(actor=admin, name="iris")
    assert versions.register(admin, again).number == 3


def test_deleting_many_versions_costs_as_many_queries_as_deleting_few(
    admin: Actor,
) -> None:
    counts = []
    for name, count in (("few", 2), ("many", 12)):
        model = services.create_model(actor=admin, name=name)
        for number in range(count):
            versions.ready(admin, model, f"{name} {number}".encode())
        with CaptureQueriesContext(connection) as queries:
            services.delete_model(actor=admin, model=model)
        counts.append(len(queries))
        assert not [query["sql"][:300] for query in queries if '"modelyard_registry_version"."report"' in query["sql"]]
    assert counts[0] == counts[1]
    facts = DeletedVersion.objects.filter(model_name="many").values_list("facts", flat=True)
    assert {len(each["files"]) for each in facts} == {1}


def test_deleting_is_refused_while_it_serves_or_checks(admin: Actor, model: Model) -> None:
    version = versions.ready(admin, model)
    services.move_alias(actor=admin, model=model, name="candidate", version=version)
    activate(actor=admin, version=version)
    with pytest.raises(InUse) as refused:
        services.delete_model(actor=admin, model=model)
    assert refused.value.details["users"] == ["the plan in force of iris"]
    other = services.create_model(actor=admin, name="other")
    versions.register(admin, other)
    with pytest.raises(InUse, match="still being checked"):
        services.delete_model(actor=admin, model=other)


def test_a_models_aliases_go_with_it(admin: Actor, model: Model) -> None:
    version = versions.ready(admin, model)
    services.move_alias(actor=admin, model=model, name="candidate", version=version)
    with pytest.raises(InUse, match="alias candidate"):
        services.delete_version(actor=admin, version=version)
    services.delete_model(actor=admin, model=model)
    assert not Alias.objects.exists()
    told = AuditEntry.objects.get(verb="model.delete")
    assert told.details == {"versions": [1], "aliases": {"candidate": 1}}


@pytest.mark.django_db(transaction=True)
def test_a_name_that_is_freed_while_it_is_taken_again_keeps_its_numbers(
    admin: Actor, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deletion commits after the creation began, before the row is made."""
    versions.ready(admin, model)
    create = Model.objects.create

    def freed(**values: Any) -> Any:
        services.delete_model(actor=admin, model=model)
        return create(**values)

    monkeypatch.setattr(Model.objects, "create", freed)
    assert services.create_model(actor=admin, name="iris").last_number == 1
