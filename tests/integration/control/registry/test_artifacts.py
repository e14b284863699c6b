"""The bytes that versions are made of: kept while they are needed, and gone afterwards."""

import threading
from typing import Any

import pytest
from django.db import connection

from modelyard.artifacts.filesystem import FilesystemStore
from modelyard.control.registry import services, uploads
from modelyard.control.registry.models import Artifact, Model, Version, VersionFile
from modelyard.control.registry.storage import named_store
from modelyard.control.tenancy.models import Tenant
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import Unavailable
from tests.integration.control import versions

pytestmark = pytest.mark.django_db


def test_bytes_deleted_in_between_are_asked_for_again(admin: Actor, tenant: Tenant, model: Model) -> None:
    upload = services.keep_upload(actor=admin, filename="a.pkl", chunks=[b"x"])
    assert uploads.release(tenant, [upload.stored.digest]) == 1
    with pytest.raises(Unavailable, match="send it again"):
        services.register_version(actor=admin, model=model, files=[upload])
    assert not VersionFile.objects.exists()


def test_the_sweep_takes_what_nobody_used_for_a_day(admin: Actor, tenant: Tenant, model: Model) -> None:
    versions.ready(admin, model)
    services.keep_upload(actor=admin, filename="a", chunks=[b"abandoned"])
    assert len(versions.kept(tenant)) == 3
    assert uploads.sweep() == 0
    assert uploads.sweep(older_than_seconds=0) == 1
    assert len(versions.kept(tenant)) == 2


@pytest.mark.django_db(transaction=True)
def test_bytes_that_cannot_be_deleted_now_do_not_turn_a_deletion_into_a_failure(
    admin: Actor, tenant: Tenant, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = versions.ready(admin, model)

    def broken(*_: Any) -> None:
        raise OSError("the share is away")

    with monkeypatch.context() as patched:
        patched.setattr("modelyard.artifacts.filesystem.FilesystemStore.delete", broken)
        services.delete_version(actor=admin, version=version)
    assert not Version.objects.exists()
    assert len(versions.kept(tenant)) == 2
    assert uploads.sweep(older_than_seconds=0) == 2
    assert versions.kept(tenant) == set()


@pytest.mark.django_db(transaction=True)
def test_uploading_and_deleting_the_same_bytes_at_once_never_leaves_a_version_without(
    admin: Actor, tenant: Tenant, model: Model
) -> None:
    stop, errors = threading.Event(), []

    def delete() -> None:
        try:
            while not stop.is_set():
                for version in Version.objects.filter(state="ready").select_related("model"):
                    services.delete_version(actor=admin, version=version)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=delete)
    thread.start()
    try:
        for _ in range(15):
            try:
                versions.ready(admin, model, b"same", serving=b"same")
            except (Unavailable, Version.DoesNotExist):
                continue
    finally:
        stop.set()
        thread.join()
    assert errors == []
    needed = set(
        Artifact.objects.of(tenant).filter(pk__in=VersionFile.objects.values("artifact")).values_list("digest")
    )
    assert {digest for (digest,) in needed} <= versions.kept(tenant)


@pytest.mark.parametrize("kind", ["filesystem", "database"])
def test_bytes_that_a_crash_left_without_a_row_go_too(
    admin: Actor, tenant: Tenant, model: Model, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The process dies when the bytes are in the store, and before their row is made."""
    for module in ("uploads.store", "storage.store"):
        monkeypatch.setattr(f"modelyard.control.registry.{module}", lambda: named_store(kind))
    monkeypatch.setattr(uploads, "SWEEP_BATCH", 2)
    upload = services.keep_upload(actor=admin, filename="a.pkl", chunks=[b"needed"])
    services.register_version(actor=admin, model=model, files=[upload])
    for content in (b"one", b"two", b"three"):
        named_store(kind).put(str(tenant.pk), [content], 100)
    assert uploads.sweep(older_than_seconds=0) == 0, "a sweep goes by the rows"
    assert uploads.adopt() == 3
    assert uploads.adopt() == 0
    assert uploads.sweep() == 0
    assert sum(uploads.sweep(older_than_seconds=0) for _ in range(2)) == 3
    assert versions.kept(tenant) == {upload.stored.digest}


def test_bytes_that_cannot_be_deleted_keep_no_others(
    admin: Actor, tenant: Tenant, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    uploaded = [
        services.keep_upload(actor=admin, filename="a.pkl", chunks=[b"%d" % number]).stored.digest
        for number in range(3)
    ]
    delete = FilesystemStore.delete

    def refusing(self: FilesystemStore, tenant: str, digest: str) -> None:
        if digest == uploaded[0]:
            raise PermissionError("it is somebody else's")
        delete(self, tenant, digest)

    monkeypatch.setattr(FilesystemStore, "delete", refusing)
    with pytest.raises(PermissionError):
        uploads.sweep(older_than_seconds=0)
    assert versions.kept(tenant) == {uploaded[0]}
