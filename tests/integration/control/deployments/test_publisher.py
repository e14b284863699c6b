import threading
import time
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from modelyard.control.deployments import documents, publisher, services
from modelyard.control.deployments.models import Published
from modelyard.control.registry.models import Model, Version
from modelyard.control.registry.registration import Registration
from modelyard.control.registry.services import create_model, delete_model, move_alias
from modelyard.control.tenancy.models import Tenant
from modelyard.control.tenancy.services import (
    Actor,
    allow_origin,
    create_key,
    delete_tenant,
    operator_actor,
    remove_origin,
    revoke_key,
    system_actor,
)
from modelyard.core.errors import ModelRefused
from modelyard.exchange.medium import FolderMedium
from modelyard.exchange.publication import INDEX, read_index, read_model, read_tenant
from modelyard.exchange.snapshot import Limits, ModelDocument, TenantDocument
from tests.integration.control import versions

pytestmark = pytest.mark.django_db


@pytest.fixture
def medium(home: Path) -> FolderMedium:
    return FolderMedium(home / "exchange")


def read(medium: FolderMedium, tenant: Tenant) -> TenantDocument:
    index = read_index(medium)
    assert index is not None
    return read_tenant(medium, str(tenant.pk), index.tenants[str(tenant.pk)].digest)


def model_of(medium: FolderMedium, tenant: Tenant, name: str = "iris") -> ModelDocument:
    return read_model(medium, str(tenant.pk), read(medium, tenant).models[name])


def test_a_new_tenant_is_published_without_models(tenant: Tenant, model: Model, medium: FolderMedium) -> None:
    assert publisher.publish_pending() == 1
    document = read(medium, tenant)
    assert (document.name, document.models, document.keys, document.runs_code) == ("yard", {}, (), True)
    assert document.mac_key == tenant.mac_key
    tenant.refresh_from_db()
    assert document.revision == tenant.wanted_revision == tenant.published_revision
    assert publisher.publish_pending() == 0


def test_keys_come_and_go(tenant: Tenant, admin: Actor, medium: FolderMedium) -> None:
    key, _ = create_key(actor=admin, name="ci", scopes=["predict"])
    publisher.publish_pending()
    assert [(entry.prefix, entry.sha256, entry.scopes) for entry in read(medium, tenant).keys] == [
        (key.prefix, key.sha256, ("predict",))
    ]
    revoke_key(actor=admin, key=key)
    assert publisher.publish_pending() == 1
    assert read(medium, tenant).keys == ()


def test_a_document_says_all_that_serving_needs(
    tenant: Tenant, admin: Actor, model: Model, medium: FolderMedium
) -> None:
    first, second = (versions.ready(admin, model, content, isolated=content == b"2") for content in (b"1", b"2"))
    versions.register(admin, model, b"3")
    services.activate(actor=admin, version=first)
    move_alias(actor=admin, model=model, name="candidate", version=second)
    services.change_limits(actor=admin, model=model, max_rows=10)
    publisher.publish_pending()
    document = model_of(medium, tenant)
    assert document.plan.champion == 1
    assert document.aliases == {"candidate": 2, "champion": 1}
    assert document.limits == Limits(max_rows=10)
    assert sorted(document.versions) == [1, 2]
    served = document.versions[2]
    assert second.serving is not None
    assert (served.id, served.digest, served.size_bytes) == (
        second.pk, second.serving.digest, second.serving.size_bytes,
    )  # fmt: skip
    assert (served.runtime, served.isolated, served.signature) == ("sklearn", True, versions.signature())
    assert served.sample == second.sample


def test_a_model_whose_only_version_was_refused_is_known_though_nothing_answers(
    tenant: Tenant, admin: Actor, model: Model, medium: FolderMedium
) -> None:
    version = versions.register(admin, model, b"1")
    assert version.job is not None
    Registration().failed(version.job, ModelRefused("it is broken"))
    publisher.publish_pending()
    document = model_of(medium, tenant)
    assert (document.model, document.versions, document.plan.arms) == ("iris", {}, ())


def test_only_what_changed_is_written(
    tenant: Tenant, admin: Actor, model: Model, medium: FolderMedium, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [create_model(actor=admin, name=f"model-{number}") for number in range(5)]
    for one in (model, *others):
        versions.ready(admin, one)
    publisher.publish_pending()
    built: list[str] = []

    def counting(model: Model) -> ModelDocument:
        built.append(model.name)
        return documents.build(model)

    monkeypatch.setattr(publisher, "build", counting)
    services.activate(actor=admin, version=Version.objects.get(model=others[2]))
    with CaptureQueriesContext(connection, ) as queries:  # fmt: skip
        assert publisher.publish_pending() == 1
    assert built == ["model-2"]
    assert len(queries) <= 20
    assert len(read(medium, tenant).models) == 6
    create_key(actor=admin, name="ci", scopes=["read"])
    publisher.publish_pending()
    assert built == ["model-2"]


def test_a_deleted_model_is_no_longer_named(tenant: Tenant, admin: Actor, model: Model, medium: FolderMedium) -> None:
    versions.ready(admin, model)
    publisher.publish_pending()
    delete_model(actor=admin, model=model)
    publisher.publish_pending()
    assert read(medium, tenant).models == {}


def test_a_document_is_bounded_and_keeps_what_is_needed(
    admin: Actor, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [versions.ready(admin, model, str(number).encode()) for number in range(8)]
    services.activate(actor=admin, version=made[0])
    move_alias(actor=admin, model=model, name="old", version=made[1])
    monkeypatch.setattr(documents, "MOST_VERSIONS", 4)
    assert sorted(documents.build(model).versions) == [1, 2, 7, 8]
    monkeypatch.setattr(documents, "MOST_BYTES", 10)
    assert sorted(documents.build(model).versions) == [1, 2]


def test_a_late_publisher_takes_nothing_back(tenant: Tenant, admin: Actor, model: Model, medium: FolderMedium) -> None:
    first, second = versions.ready(admin, model, b"1"), versions.ready(admin, model, b"2")
    services.activate(actor=admin, version=first)
    stale = Tenant.objects.get(pk=tenant.pk)
    stale_model = Model.objects.get(pk=model.pk)
    stale_digest = publisher.write_model(medium, str(tenant.pk), documents.build(stale_model))
    stale_document = publisher._document(stale)
    services.activate(actor=admin, version=second)
    publisher.publish_pending()
    publisher._note(tenant, stale_model, stale_digest)
    publisher.write_tenant(medium, stale_document)
    assert model_of(medium, tenant).plan.champion == 2
    assert publisher.publish_pending() == 0


def test_an_emptied_medium_is_filled_again(tenant: Tenant, admin: Actor, model: Model, home: Path) -> None:
    versions.ready(admin, model)
    publisher.publish_pending()
    empty = FolderMedium(home / "other")
    assert publisher.reconcile(empty) == 1
    assert publisher.publish_pending(empty) == 1
    assert sorted(model_of(empty, tenant).versions) == [1]
    assert publisher.reconcile(empty) == 0


def test_a_rotten_index_is_written_again_at_once_with_every_tenant(
    tenant: Tenant, stranger: Tenant, admin: Actor, model: Model, medium: FolderMedium
) -> None:
    versions.ready(admin, model)
    publisher.publish_pending()
    whole = medium.read(INDEX) or b""
    medium.write(INDEX, whole[:-3])
    assert publisher.reconcile() == 2
    assert medium.read(INDEX) == whole
    assert publisher.publish_pending() == 2
    assert sorted(model_of(medium, tenant).versions) == [1]
    assert publisher.reconcile() == 0


def test_documents_that_nobody_names_go_after_an_hour(
    tenant: Tenant, admin: Actor, model: Model, medium: FolderMedium, monkeypatch: pytest.MonkeyPatch
) -> None:
    for content in (b"1", b"2"):
        versions.ready(admin, model, content)
        publisher.publish_pending()
    assert len(list(medium.keys("models/"))) == 2
    assert publisher.sweep() == 0
    later = time.time() + 3601
    monkeypatch.setattr(time, "time", lambda: later)
    assert publisher.sweep() >= 1
    assert len(list(medium.keys("models/"))) == 1
    assert sorted(model_of(medium, tenant).versions) == [1, 2]


def test_missing_documents_are_written_again(tenant: Tenant, admin: Actor, model: Model, medium: FolderMedium) -> None:
    versions.ready(admin, model)
    publisher.publish_pending()
    for key in list(medium.keys("models/")):
        medium.delete(key)
    Tenant.objects.update(wanted_revision=F("wanted_revision") + 1)
    assert publisher.publish_pending() == 0
    assert publisher.publish_pending() == 1
    assert sorted(model_of(medium, tenant).versions) == [1]


def test_a_deleted_tenant_is_forgotten_at_once(tenant: Tenant, stranger: Tenant, medium: FolderMedium) -> None:
    create_key(actor=system_actor(stranger, "test"), name="ci", scopes=["predict"])
    publisher.publish_pending()
    gone = str(stranger.pk)
    delete_tenant(actor=operator_actor("test"), tenant=stranger)
    publisher.publish_pending()
    index = read_index(medium)
    assert index is not None
    assert gone not in index.tenants
    assert str(tenant.pk) in index.tenants


def test_a_deleted_tenant_that_an_older_copy_names_is_forgotten_again(
    tenant: Tenant, stranger: Tenant, medium: FolderMedium
) -> None:
    publisher.publish_pending()
    old = medium.read(INDEX)
    gone = str(stranger.pk)
    delete_tenant(actor=operator_actor("test"), tenant=stranger)
    publisher.publish_pending()
    assert old is not None
    medium.write(INDEX, old)
    publisher.reconcile()
    index = read_index(medium)
    assert index is not None
    assert gone not in index.tenants


def test_a_tenant_that_goes_while_it_is_published_stops_nobody(stranger: Tenant, medium: FolderMedium) -> None:
    delete_tenant(actor=operator_actor("test"), tenant=Tenant.objects.get(pk=stranger.pk))
    assert publisher.publish(stranger, medium) is False


def test_a_failing_tenant_does_not_stop_the_others(
    tenant: Tenant, stranger: Tenant, admin: Actor, model: Model, medium: FolderMedium
) -> None:
    version = versions.ready(admin, model)
    Version.objects.filter(pk=version.pk).update(signature={"columns": "rotten"})
    with pytest.raises(Exception, match="array"):
        publisher.publish_pending()
    assert read(medium, stranger).name == "stranger"
    index = read_index(medium)
    assert index is not None
    assert read(medium, tenant).models == {}


def test_a_model_that_cannot_be_told_keeps_no_key_alive(
    tenant: Tenant, admin: Actor, model: Model, medium: FolderMedium, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The place that serving artifacts are copied to is full, say."""
    key, _ = create_key(actor=admin, name="ci", scopes=["predict"])
    first, second = versions.ready(admin, model, b"1"), versions.ready(admin, model, b"2")
    other = create_model(actor=admin, name="other")
    services.activate(actor=admin, version=first)
    publisher.publish_pending()

    def full(tenant: str, document: ModelDocument) -> None:
        if document.model == "iris":
            raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(publisher.served_bytes, "bring", full)
        services.activate(actor=admin, version=second)
        versions.ready(admin, other, b"3")
        revoke_key(actor=admin, key=key)
        for _ in range(2):
            with pytest.raises(OSError, match="no space"):
                publisher.publish_pending()
        assert read(medium, tenant).keys == ()
        assert model_of(medium, tenant).plan.champion == 1
        assert sorted(model_of(medium, tenant, "other").versions) == [1]
    assert publisher.publish_pending() == 1
    assert model_of(medium, tenant).plan.champion == 2
    assert publisher.publish_pending() == 0


@pytest.mark.django_db(transaction=True)
def test_several_publishers_at_once_end_with_the_truth(
    tenant: Tenant, admin: Actor, model: Model, medium: FolderMedium
) -> None:
    made = [versions.ready(admin, model, str(number).encode()) for number in range(4)]
    stop, errors = threading.Event(), []

    def work() -> None:
        try:
            while not stop.is_set():
                publisher.publish_pending()
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(20):
            services.activate(actor=admin, version=made[turn % 4])
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []
    publisher.publish_pending()
    assert model_of(medium, tenant).plan.champion == 4
    known: Any = Published.objects.get()
    model.refresh_from_db()
    assert known.revision == model.revision


def test_allowed_origins_come_and_go(tenant: Tenant, admin: Actor, medium: FolderMedium) -> None:
    publisher.publish_pending()
    assert read(medium, tenant).origins == ()
    allowed = allow_origin(actor=admin, origin="https://b.example")
    allow_origin(actor=admin, origin="https://a.example")
    assert publisher.publish_pending() == 1
    assert read(medium, tenant).origins == ("https://a.example", "https://b.example")
    remove_origin(actor=admin, allowed=allowed)
    assert publisher.publish_pending() == 1
    assert read(medium, tenant).origins == ("https://a.example",)
