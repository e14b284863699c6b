from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from modelyard.control.deployments import services
from modelyard.control.deployments.models import AppendOnly, Arm, Deployment, PlanRecord
from modelyard.control.deployments.undo import undo_of
from modelyard.control.registry.models import Model, Version
from modelyard.control.registry.services import create_model, delete_version
from modelyard.control.tenancy.models import AuditEntry, Tenant
from modelyard.control.tenancy.services import Actor, change_tenant
from modelyard.core.errors import Conflict, Forbidden, InvalidInput
from tests.integration.control import versions

pytestmark = pytest.mark.django_db


@pytest.fixture
def three(admin: Actor, model: Model) -> list[Version]:
    return [versions.ready(admin, model, bytes([65 + number])) for number in range(3)]


def serving(model: Model) -> list[tuple[int, float | None]]:
    return list(Arm.objects.filter(deployment__model=model).values_list("version__number", "weight"))


def story(model: Model) -> list[tuple[str, int | None]]:
    records = PlanRecord.objects.filter(deployment__model=model).order_by("number")
    return [(record.verb, record.as_plan().champion) for record in records]


def test_activating_appends_a_plan_and_keeps_the_arms_in_step(
    admin: Actor, tenant: Tenant, model: Model, three: list[Version]
) -> None:
    wanted = Tenant.objects.get(pk=tenant.pk).wanted_revision
    record = services.activate(actor=admin, version=three[0], reason="the first")
    assert (record.number, record.verb, record.reason, record.actor) == (1, "activate", "the first", "system:test")
    assert record.plan == {"arms": [{"version": 1, "weight": 1.0}]}
    assert three[0].serving is not None
    assert record.digests == {"1": three[0].serving.digest}
    assert serving(model) == [(1, 1.0)]
    services.activate(actor=admin, version=three[1])
    assert serving(model) == [(2, 1.0)]
    assert story(model) == [("activate", 1), ("activate", 2)]
    assert Tenant.objects.get(pk=tenant.pk).wanted_revision == wanted + 2
    entry = AuditEntry.objects.of(tenant).filter(verb="deployment.activate").first()
    assert entry is not None
    assert entry.details["number"] == 2


def test_what_is_so_already_appends_nothing(admin: Actor, tenant: Tenant, model: Model, three: list[Version]) -> None:
    first = services.activate(actor=admin, version=three[0])
    wanted = Tenant.objects.get(pk=tenant.pk).wanted_revision
    assert first.appended
    again = services.promote(actor=admin, model=model, number=1)
    assert (again, again.appended) == (first, False)
    services.deactivate(actor=admin, model=model)
    assert services.deactivate(actor=admin, model=model).number == 2
    assert Tenant.objects.get(pk=tenant.pk).wanted_revision == wanted + 1


def test_only_a_ready_version_serves(admin: Actor, tenant: Tenant, model: Model) -> None:
    with pytest.raises(Conflict, match="checking"):
        services.activate(actor=admin, version=versions.register(admin, model))
    with pytest.raises(InvalidInput, match="no version 9"):
        services.promote(actor=admin, model=model, number=9)
    code = versions.ready(admin, model, isolated=True)
    change_tenant(actor=admin, runs_code=False)
    with pytest.raises(Conflict, match="carries code"):
        services.activate(actor=admin, version=code)
    change_tenant(actor=admin, runs_code=True)
    services.activate(actor=admin, version=code)
    assert not Deployment.objects.exclude(model=model).exists()


def test_rolling_back_walks_back(admin: Actor, model: Model, three: list[Version]) -> None:
    for version in three:
        services.activate(actor=admin, version=version)
    assert services.rollback(actor=admin, model=model, reason="worse").as_plan().champion == 2
    assert services.rollback(actor=admin, model=model).as_plan().champion == 1
    with pytest.raises(Conflict, match="nothing else served"):
        services.rollback(actor=admin, model=model)
    assert serving(model) == [(1, 1.0)]
    services.activate(actor=admin, version=three[2])
    record = services.rollback(actor=admin, model=model)
    assert (record.as_plan().champion, record.restores) == (1, 1)
    with pytest.raises(Conflict, match="nothing else served"):
        services.rollback(actor=admin, model=model)
    assert [champion for _, champion in story(model)] == [1, 2, 3, 2, 1, 3, 1]


def test_rolling_back_after_a_deactivation_serves_again(admin: Actor, model: Model, three: list[Version]) -> None:
    services.activate(actor=admin, version=three[0])
    services.activate(actor=admin, version=three[1])
    services.deactivate(actor=admin, model=model)
    assert serving(model) == []
    assert services.rollback(actor=admin, model=model).as_plan().champion == 2
    assert services.rollback(actor=admin, model=model).as_plan().champion == 1


def test_a_gap_is_never_gone_back_to(admin: Actor, model: Model, three: list[Version]) -> None:
    services.activate(actor=admin, version=three[0])
    services.deactivate(actor=admin, model=model)
    services.activate(actor=admin, version=three[1])
    assert services.rollback(actor=admin, model=model).as_plan().champion == 1


def test_nothing_to_go_back_to_is_said(admin: Actor, model: Model, three: list[Version]) -> None:
    for verb in (services.rollback, services.deactivate):
        with pytest.raises(Conflict, match="was never served"):
            verb(actor=admin, model=model)
    services.activate(actor=admin, version=three[0])
    with pytest.raises(Conflict, match="nothing else served"):
        services.rollback(actor=admin, model=model)
    services.activate(actor=admin, version=three[1])
    delete_version(actor=admin, version=three[0])
    with pytest.raises(Conflict, match="version 1, which was deleted"):
        services.rollback(actor=admin, model=model)
    assert serving(model) == [(2, 1.0)]


def test_history_never_changes(admin: Actor, model: Model, three: list[Version]) -> None:
    record = services.activate(actor=admin, version=three[0])
    record.reason = "changed"
    with pytest.raises(AppendOnly):
        record.save()
    with pytest.raises(AppendOnly):
        record.delete()
    with pytest.raises(AppendOnly):
        PlanRecord.objects.update(reason="changed")
    with pytest.raises(AppendOnly):
        PlanRecord.objects.all().delete()
    assert PlanRecord.objects.get().reason == ""


def test_what_answered_then(admin: Actor, model: Model, three: list[Version]) -> None:
    before = timezone.now()
    services.activate(actor=admin, version=three[0])
    between = timezone.now()
    services.activate(actor=admin, version=three[1])
    records = PlanRecord.objects.filter(deployment__model=model)
    assert records.in_force(before).first() is None
    assert records.in_force(between).get().as_plan().champion == 1
    assert records.in_force(timezone.now() + timedelta(days=1)).get().as_plan().champion == 2


def test_each_change_says_how_to_undo_it(admin: Actor, model: Model, three: list[Version]) -> None:
    first = undo_of(services.activate(actor=admin, version=three[0]), "iris")
    second = undo_of(services.activate(actor=admin, version=three[1]), "iris")
    stopped = undo_of(services.deactivate(actor=admin, model=model), "iris")
    assert first is not None
    assert second is not None
    assert stopped is not None
    assert (first["path"], first["body"]) == ("/api/v1/models/iris/deactivate", {})
    assert (second["path"], second["body"]) == ("/api/v1/models/iris/promote", {"version": 1})
    assert (stopped["path"], stopped["body"]) == ("/api/v1/models/iris/promote", {"version": 2})


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_rows": 0}, {"max_rows": -1}, {"max_rows": 1.5}, {"max_rows": "9"}, {"max_rows": True},
        {"max_rows": 10**9}, {"max_body_bytes": 1 << 40}, {"timeout_seconds": float("nan")}, {"timeout_seconds": 0},
        {"timeout_seconds": 1e9}, {"rows": 5},
    ],
)  # fmt: skip
def test_limits_are_checked(admin: Actor, model: Model, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        services.change_limits(actor=admin, model=model, **wrong)
    assert not Deployment.objects.exists()


def test_limits_are_merged_and_taken_back(admin: Actor, model: Model) -> None:
    services.change_limits(actor=admin, model=model, max_rows=100)
    deployment = services.change_limits(actor=admin, model=model, timeout_seconds=1.5)
    assert deployment.limits == {"max_rows": 100, "timeout_seconds": 1.5}
    services.change_limits(actor=admin, model=model, max_rows=None)
    assert Deployment.objects.get().limits == {"timeout_seconds": 1.5}
    model.refresh_from_db()
    assert model.revision == 3
    services.change_limits(actor=admin, model=model)
    model.refresh_from_db()
    assert model.revision == 3


def test_a_reader_changes_nothing(tenant: Tenant, admin: Actor, model: Model, three: list[Version]) -> None:
    low = Actor(tenant=tenant, name="key:reader", scopes=frozenset({"predict", "read"}))
    for call in (
        lambda: services.activate(actor=low, version=three[0]),
        lambda: services.promote(actor=low, model=model, number=1),
        lambda: services.rollback(actor=low, model=model),
        lambda: services.deactivate(actor=low, model=model),
        lambda: services.change_limits(actor=low, model=model, max_rows=1),
    ):
        with pytest.raises(Forbidden):
            call()


def test_models_do_not_touch_each_other(admin: Actor, model: Model, three: list[Version]) -> None:
    other = create_model(actor=admin, name="other")
    services.activate(actor=admin, version=versions.ready(admin, other))
    services.activate(actor=admin, version=three[2])
    assert (serving(other), serving(model)) == ([(1, 1.0)], [(3, 1.0)])
    assert PlanRecord.objects.filter(number=1).count() == 2
