"""Who depends on a model, and what is refused until they were told."""

from collections.abc import Callable

import pytest
from msgspec import structs
from rest_framework.test import APIClient

from modelyard.control.deployments.selecting import select
from modelyard.control.deployments.selection import Pool
from modelyard.control.deployments.services import activate, deactivate, in_force, promote, rollback
from modelyard.control.registry import consumers, services
from modelyard.control.registry.consumers import declare_consumer, remove_consumer
from modelyard.control.registry.models import Consumer, Model, Version
from modelyard.control.tenancy.models import AuditEntry, Tenant
from modelyard.control.tenancy.services import Actor, system_actor
from modelyard.core.errors import HasConsumers, InvalidInput, NotFound, QuotaExceeded
from modelyard.core.signature import Column, DataType, Output, Role
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


def test_over_the_api_less_than_was_taken_so_far_says_so(api: APIClient) -> None:
    path = "/api/v1/models/iris/deployment"
    assert api.patch(path, {"limits": {"max_rows": 100, "timeout_seconds": 5}}).status_code == 200
    api.put(f"{CONSUMERS}nightly/", {"uses": "iris:1", "contact": "a@example.com"})
    for limits in ({"max_rows": 99}, {"timeout_seconds": 0.5}, {"max_rows": 200, "max_body_bytes": 1000}):
        refused = api.patch(path, {"limits": limits})
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "has_consumers")
        message = refused.json()["error"]["message"]
        assert (
            f"{list(limits)[-1]} becomes {list(limits.values())[-1]}: iris has declared consumers: nightly" in message
        )
        kept = {"max_rows": 100, "max_body_bytes": None, "timeout_seconds": 5}
        assert api.get(path).json()["limits"] == kept
    for limits in ({"max_rows": 100}, {"max_rows": 101}, {"max_rows": None}):
        assert api.patch(path, {"limits": limits}).json()["limits"]["max_rows"] == limits["max_rows"]
    told = api.patch(path, {"limits": {"max_rows": 99}, "despite_consumers": True})
    assert told.json()["limits"]["max_rows"] == 99


@pytest.fixture
def narrow(admin: Actor, model: Model, version: Version) -> Version:
    """A version that does not take one of the columns that version 1 takes; version 1 answers, and is `@candidate`."""
    whole = versions.signature()
    found = {"signature": structs.replace(whole, columns=whole.columns[:3])}
    narrow = versions.ready(admin, model, b"narrow", found=found)
    activate(actor=admin, version=version)
    services.move_alias(actor=admin, model=model, name="candidate", version=version)
    return narrow


DROPPED = r"version 2 \(columns `petal_width`\), and declared are: checkout \(a@example.com\)"


def test_who_would_be_refused_is_named_before_another_version_answers(
    admin: Actor, model: Model, version: Version, narrow: Version
) -> None:
    declare_consumer(actor=admin, model=model, name="checkout", contact="a@example.com")
    for change in (
        lambda **told: activate(actor=admin, version=narrow, **told),
        lambda **told: promote(actor=admin, model=model, number=2, **told),
        lambda **told: select(
            actor=admin, model=model, metric="size_bytes", pool=Pool(first=2), activates=True, **told
        ),
    ):
        with pytest.raises(HasConsumers, match=DROPPED) as refused:
            change()
        assert refused.value.details["columns"] == ["petal_width"]
        assert in_force(model).as_plan().champion == 1
        change(despite_consumers=True)
        assert in_force(model).as_plan().champion == 2
        assert rollback(actor=admin, model=model).as_plan().champion == 1
    services.move_alias(actor=admin, model=model, name="candidate", version=narrow)


def test_who_asks_by_an_alias_is_named_before_it_moves(
    admin: Actor, model: Model, version: Version, narrow: Version
) -> None:
    declare_consumer(actor=admin, model=model, name="checkout", contact="a@example.com", uses="@candidate")
    for change in (
        lambda **told: services.move_alias(actor=admin, model=model, name="candidate", version=narrow, **told),
        lambda **told: select(
            actor=admin, model=model, metric="size_bytes", pool=Pool(first=2), alias="candidate", **told
        ),
    ):
        with pytest.raises(HasConsumers, match=f"who asks iris@candidate as version 1 takes it .* {DROPPED}"):
            change()
        assert model.aliases.get().version == version
        change(despite_consumers=True)
        assert model.aliases.get().version == narrow
        services.move_alias(actor=admin, model=model, name="candidate", version=version, despite_consumers=True)
    activate(actor=admin, version=narrow)


LABEL = Output("label", DataType.INT64, role=Role.PREDICTION, classes=(0, 1, 2))


@pytest.mark.parametrize(
    "output",
    [
        structs.replace(LABEL, name="species"),
        structs.replace(LABEL, type=DataType.INT32),
        structs.replace(LABEL, classes=(0, 1)),
        structs.replace(LABEL, classes=(2, 1, 0)),
        structs.replace(LABEL, classes=None),
        structs.replace(LABEL, shape=(2,)),
        structs.replace(LABEL, role=Role.OTHER),
    ],
)
def test_who_reads_an_output_is_named_before_a_version_that_answers_otherwise(
    admin: Actor, model: Model, version: Version, output: Output
) -> None:
    activate(actor=admin, version=version)
    declare_consumer(actor=admin, model=model, name="checkout", contact="a@example.com")
    found = {"signature": structs.replace(versions.signature(), outputs=(output,))}
    other = versions.ready(admin, model, b"other", found=found)
    expected = r"who reads of iris what version 1 answers .* version 2 \(`label`\), and declared are: checkout \(a@"
    with pytest.raises(HasConsumers, match=expected) as refused:
        activate(actor=admin, version=other)
    assert (refused.value.details["columns"], refused.value.details["outputs"]) == ([], ["label"])
    assert in_force(model).as_plan().champion == 1
    assert activate(actor=admin, version=other, despite_consumers=True).as_plan().champion == 2


def test_an_output_more_hurts_nobody(admin: Actor, model: Model, version: Version) -> None:
    activate(actor=admin, version=version)
    declare_consumer(actor=admin, model=model, name="checkout")
    found = {"signature": structs.replace(versions.signature(), outputs=(LABEL, Output("odds", DataType.FLOAT64)))}
    more = versions.ready(admin, model, b"more", found=found)
    assert activate(actor=admin, version=more).as_plan().champion == 2


def test_a_version_that_takes_all_that_was_taken_hurts_nobody(admin: Actor, model: Model, version: Version) -> None:
    activate(actor=admin, version=version)
    declare_consumer(actor=admin, model=model, name="checkout")
    whole = versions.signature()
    more = (*whole.columns, Column("age", DataType.FLOAT64, optional=True))
    wider = versions.ready(admin, model, b"wider", found={"signature": structs.replace(whole, columns=more)})
    assert activate(actor=admin, version=wider).as_plan().champion == 2


def test_over_the_api_a_change_that_hurts_says_so_and_its_undo_works(api: APIClient, narrow: Version) -> None:
    for uses in ("", "@candidate"):
        api.put(f"{CONSUMERS}checkout{uses[1:]}/", {"uses": uses})
    iris = "/api/v1/models/iris/"
    for call, path, body in (
        (api.post, "promote", {"version": 2}),
        (api.post, "versions/2/activate", {}),
        (api.post, "select", {"metric": "size_bytes", "pool_from": 2, "activate": True}),
        (api.post, "select", {"metric": "size_bytes", "pool_from": 2, "alias": "candidate"}),
        (api.put, "aliases/candidate/", {"version": 2}),
    ):
        refused = call(f"{iris}{path}", body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "has_consumers")
        done = call(f"{iris}{path}", {**body, "despite_consumers": True})
        assert done.status_code == 200, done.json()
        assert done.json().get("consumers", ["checkout"]) == ["checkout"]
        undo = done.json()["undo"]
        assert getattr(api, undo["method"].lower())(undo["path"], undo["body"]).status_code == 200
    api.put(f"{CONSUMERS}shop/", {"contact": "a@example.com"})
    assert api.post(f"{iris}rollback", {}).json()["consumers"] == ["checkout", "shop (a@example.com)"]
    back = {"version": 1, "despite_consumers": True}
    assert api.post(f"{iris}promote", back).json()["consumers"] == ["checkout", "shop (a@example.com)"]
    assert api.post(f"{iris}promote", back).json()["consumers"] == []
    assert api.get(f"{iris}deployment").json()["champion"] == 1
    assert api.get(f"{iris}aliases/candidate/").json()["version"] == 1


@pytest.mark.parametrize("uses", ["", ":1", "@candidate"])
def test_who_asks_for_code_is_named_before_the_tenant_runs_none(
    admin: Actor, tenant: Tenant, model: Model, caller: Callable[..., APIClient], uses: str
) -> None:
    code = versions.ready(admin, model, isolated=True)
    graph = versions.ready(admin, model, b"graph")
    activate(actor=admin, version=code)
    services.move_alias(actor=admin, model=model, name="candidate", version=code)
    services.move_alias(actor=admin, model=model, name="graph", version=graph)
    for other in (":2", "@graph"):
        declare_consumer(actor=admin, model=model, name=f"reader of {other[1:]}", uses=other)
    declare_consumer(actor=admin, model=model, name="checkout", contact="a@example.com", uses=uses)
    client, path = caller(tenant, "admin"), "/api/v1/tenants/yard/"
    refused = client.patch(path, {"runs_code": False, "title": "other"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "has_consumers")
    expected = f"without `runs_code` iris{uses} answer no more, and declared are: checkout (a@example.com); tell them"
    assert expected in refused.json()["error"]["message"]
    shown = client.get(path).json()
    assert (shown["runs_code"], shown["title"] == "other") == (True, False)
    assert not client.patch(path, {"runs_code": False, "despite_consumers": True}).json()["runs_code"]
    assert not client.patch(path, {"runs_code": False}).json()["runs_code"]


def test_where_no_code_answers_the_tenant_runs_none_at_once(
    admin: Actor, tenant: Tenant, model: Model, version: Version, caller: Callable[..., APIClient]
) -> None:
    versions.ready(admin, model, b"code", isolated=True)
    activate(actor=admin, version=version)
    declare_consumer(actor=admin, model=model, name="checkout")
    assert not caller(tenant, "admin").patch("/api/v1/tenants/yard/", {"runs_code": False}).json()["runs_code"]
