"""Who depends on a model, and what is refused until they were told."""

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from modelyard.control.deployments.services import activate, deactivate
from modelyard.control.registry import consumers, services
from modelyard.control.registry.consumers import declare_consumer, remove_consumer
from modelyard.control.registry.models import Consumer, Model, Version
from modelyard.control.tenancy.models import AuditEntry, Tenant
from modelyard.control.tenancy.services import Actor, system_actor
from modelyard.core.errors import HasConsumers, InvalidInput, NotFound, QuotaExceeded
from tests.integration.control import versions

pytestmark = pytest.mark.django_db


@pytest.fixture
def version(admin: Actor, model: Model) -> Version:
    return versions.ready(admin, model)


def test_declared_again_it_is_changed(admin: Actor, model: Model, version: Version) -> None:
    services.move_alias(actor=admin, model=model, name="candidate", version=version)
    declare_consumer(actor=admin, model=model, name=" checkout ", contact="a@example.com")
    declare_consumer(actor=admin, model=model, name="checkout", contact="b@example.com", uses="iris@candidate")
    one = Consumer.objects.get(model=model)
    assert (one.name, one.contact, one.uses, one.declared_by) == ("checkout", "b@example.com", "@candidate", admin.name)
    remove_consumer(actor=admin, model=model, name="checkout")
    verbs = AuditEntry.objects.of(admin.tenant).filter(verb__startswith="consumer.").order_by("number")
    assert [entry.verb for entry in verbs] == ["consumer.declare", "consumer.declare", "consumer.remove"]
    with pytest.raises(NotFound):
        remove_consumer(actor=admin, model=model, name="checkout")


@pytest.mark.parametrize(("uses", "kept"), [("", ""), ("iris", ""), (":1", ":1"), ("iris@champion", ""), ("@a", "@a")])
def test_what_is_used_is_a_reference_to_the_model(
    uses: str, kept: str, admin: Actor, model: Model, version: Version
) -> None:
    services.move_alias(actor=admin, model=model, name="a", version=version)
    assert declare_consumer(actor=admin, model=model, name="x", uses=uses).uses == kept


@pytest.mark.parametrize(
    ("name", "uses", "said"),
    [
        ("", "", "expected who"),
        ("a/b", "", "without slashes"),
        ("..", "", "without slashes"),
        ("a\x00", "", "cannot be kept"),
        ("a" * 101, "", "at most 100"),
        ("x", "wine:1", "of another model"),
        ("x", "iris:zero", "whole number"),
        ("x", "Not A Name", "cannot name"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, uses: str, said: str, admin: Actor, model: Model) -> None:
    with pytest.raises(InvalidInput, match=said):
        declare_consumer(actor=admin, model=model, name=name, uses=uses)
    assert not Consumer.objects.exists()


@pytest.mark.parametrize(
    ("uses", "said"),
    [
        (":9", "uses: iris has no version 9; the newest is 1"),
        ("iris:9", "uses: iris has no version 9; the newest is 1"),
        ("@candidat", "uses: iris has no alias 'candidat'; did you mean `candidate`?"),
        ("iris@nightly", "uses: iris has no alias 'nightly'; expected one of candidate"),
    ],
)
def test_what_is_not_there_is_used_by_nobody(
    uses: str, said: str, admin: Actor, model: Model, version: Version, stranger: Tenant
) -> None:
    theirs = services.create_model(actor=system_actor(stranger, "test"), name="iris")
    theirs.versions.create(tenant=stranger, number=9, created_by="x")
    services.move_alias(actor=admin, model=model, name="candidate", version=version)
    with pytest.raises(InvalidInput) as refused:
        declare_consumer(actor=admin, model=model, name="x", uses=uses)
    assert refused.value.message == said
    assert not Consumer.objects.exists()


def test_where_there_is_nothing_yet_that_is_said(admin: Actor, model: Model) -> None:
    for uses in (":1", "@candidate"):
        with pytest.raises(InvalidInput, match="it has none yet"):
            declare_consumer(actor=admin, model=model, name="x", uses=uses)


def test_there_is_a_bound(admin: Actor, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "MOST", 2)
    for name in ("a", "b"):
        declare_consumer(actor=admin, model=model, name=name)
    with pytest.raises(QuotaExceeded, match="has 2 consumers"):
        declare_consumer(actor=admin, model=model, name="c")
    assert declare_consumer(actor=admin, model=model, name="b", contact="x").contact == "x"
    assert Consumer.objects.count() == 2


def test_a_model_goes_once_all_its_consumers_were_told(admin: Actor, model: Model) -> None:
    declare_consumer(actor=admin, model=model, name="checkout", contact="a@example.com")
    declare_consumer(actor=admin, model=model, name="nightly", uses=f":{versions.ready(admin, model).number}")
    with pytest.raises(HasConsumers, match=r"checkout \(a@example.com\), nightly") as caught:
        services.delete_model(actor=admin, model=model)
    assert caught.value.details["users"] == ["checkout (a@example.com)", "nightly"]
    services.delete_model(actor=admin, model=model, despite_consumers=True)
    assert not Model.objects.exists()


def test_only_those_who_ask_for_just_that_stand_in_the_way(admin: Actor, model: Model, version: Version) -> None:
    second = versions.ready(admin, model, b"2")
    services.move_alias(actor=admin, model=model, name="candidate", version=second)
    activate(actor=admin, version=second)
    declare_consumer(actor=admin, model=model, name="one", uses=":1")
    declare_consumer(actor=admin, model=model, name="alias", uses="@candidate")
    deactivate(actor=admin, model=model)
    activate(actor=admin, version=second)
    declare_consumer(actor=admin, model=model, name="plan")
    with pytest.raises(HasConsumers, match="iris has declared consumers: plan"):
        deactivate(actor=admin, model=model)
    with pytest.raises(HasConsumers, match="iris@candidate has declared consumers: alias"):
        services.delete_alias(actor=admin, model=model, name="candidate")
    with pytest.raises(HasConsumers, match="iris:1 has declared consumers: one"):
        services.delete_version(actor=admin, version=version)
    assert model.aliases.count() == 1
    services.delete_version(actor=admin, version=version, despite_consumers=True)
    services.delete_alias(actor=admin, model=model, name="candidate", despite_consumers=True)
    assert not deactivate(actor=admin, model=model, despite_consumers=True).as_plan().arms


@pytest.fixture
def api(tenant: Tenant, version: Version, caller: Callable[..., APIClient]) -> APIClient:
    return caller(tenant, "write")


CONSUMERS = "/api/v1/models/iris/consumers/"


def test_over_the_api_they_are_declared_listed_and_removed(api: APIClient) -> None:
    made = api.put(f"{CONSUMERS}checkout%20service/", {"contact": "a@example.com", "uses": "iris:1"})
    assert (made.status_code, made.json()["name"], made.json()["uses"]) == (201, "checkout service", "iris:1")
    assert api.put(f"{CONSUMERS}checkout%20service/", {}).status_code == 200
    assert [each["uses"] for each in api.get(CONSUMERS).json()["results"]] == ["iris"]
    assert api.delete(f"{CONSUMERS}checkout%20service/").status_code == 204
    assert api.get(f"{CONSUMERS}checkout%20service/").status_code == 404


def test_over_the_api_what_would_hurt_them_says_so(api: APIClient) -> None:
    api.post("/api/v1/models/iris/promote", {"version": 1})
    api.put(f"{CONSUMERS}checkout/", {})
    api.put(f"{CONSUMERS}nightly/", {"uses": "iris:1"})
    for refused in (
        api.post("/api/v1/models/iris/deactivate", {}),
        api.delete("/api/v1/models/iris/"),
        api.delete("/api/v1/models/iris/versions/1/"),
    ):
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "has_consumers")
    assert api.delete("/api/v1/models/iris/?despite_consumers=perhaps").status_code == 400
    assert api.post("/api/v1/models/iris/deactivate", {"despite_consumers": True}).status_code == 200
    assert api.delete("/api/v1/models/iris/?despite_consumers=true").status_code == 204
