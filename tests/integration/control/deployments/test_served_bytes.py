"""Where artifacts are kept in the database, the data plane takes them from a folder that the publisher fills."""

import os
import time
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction

from modelyard.artifacts.filesystem import FilesystemStore
from modelyard.control.deployments import publisher, served_bytes, services
from modelyard.control.jobs.models import Job
from modelyard.control.precomputed.services import publish
from modelyard.control.registry.models import Model, PayloadChunk
from modelyard.control.registry.services import delete_version, move_alias
from modelyard.control.registry.storage import store
from modelyard.control.registry.uploads import lock
from modelyard.control.tenancy.services import Actor
from modelyard.core.settings import Settings
from tests.integration.control import versions

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def in_the_database(settings: Any, home: Path) -> None:
    given = {"artifacts": home / "artifacts", "exchange": home / "exchange", "artifact_store": "database"}
    settings.MODELYARD = Settings.read({}, home=settings.MODELYARD.home, max_upload_bytes=1 << 20, **given)


@pytest.fixture
def place(home: Path) -> FilesystemStore:
    return FilesystemStore(home / "exchange" / "artifacts")


def there(place: FilesystemStore, actor: Actor) -> set[bytes]:
    tenant = str(actor.tenant.pk)
    return {b"".join(place.open(tenant, stored.digest)) for stored in place.list(tenant)}


def test_bytes_are_there_before_a_document_names_them(admin: Actor, model: Model, place: FilesystemStore) -> None:
    versions.ready(admin, model, b"one")
    assert there(place, admin) == set()
    publisher.publish_pending()
    assert there(place, admin) == {b"served: one"}
    assert PayloadChunk.objects.count() == 2


def test_what_the_folder_lost_or_holds_cut_short_is_restored(
    admin: Actor, model: Model, place: FilesystemStore
) -> None:
    for content in (b"one", b"two", b"three"):
        versions.ready(admin, model, content)
    publisher.publish_pending()
    assert served_bytes.restore() == 0
    paths = sorted(path for path in place.root.rglob("*") if path.is_file())
    paths[0].unlink()
    paths[1].chmod(0o640)
    paths[1].write_bytes(b"cut")
    assert served_bytes.restore() == 2
    assert there(place, admin) == {b"served: one", b"served: two", b"served: three"}


def test_old_versions_are_restored_when_a_plan_or_an_alias_needs_them(
    admin: Actor, model: Model, place: FilesystemStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served_bytes, "MOST_VERSIONS", 1)
    first, second, *_ = [versions.ready(admin, model, content) for content in (b"1", b"2", b"3", b"4")]
    services.activate(actor=admin, version=first)
    move_alias(actor=admin, model=model, name="candidate", version=second)
    served_bytes.restore()
    assert there(place, admin) == {b"served: 1", b"served: 2", b"served: 4"}


def test_a_rotten_version_keeps_no_other_from_being_published(
    admin: Actor, model: Model, place: FilesystemStore
) -> None:
    rotten = versions.ready(admin, model, b"rotten")
    versions.ready(admin, model, b"good")
    assert rotten.serving is not None
    chunks = PayloadChunk.objects.filter(payload__digest=rotten.serving.digest)
    for change in (b"rot", b"longer than it ever was, by some bytes"):
        chunks.update(data=change)
        model.revision += 1
        publisher.publish(admin.tenant, publisher.medium())
        assert there(place, admin) == {b"served: good"}
        assert served_bytes.restore() == 0
    admin.tenant.refresh_from_db()
    assert admin.tenant.published_revision == admin.tenant.wanted_revision


def test_what_no_version_needs_any_more_is_swept_a_day_later(
    admin: Actor, model: Model, place: FilesystemStore
) -> None:
    gone, kept = versions.ready(admin, model, b"gone"), versions.ready(admin, model, b"kept")
    assert kept.serving is not None
    publisher.publish_pending()
    delete_version(actor=admin, version=gone)
    assert served_bytes.sweep() == 0
    yesterday = time.time() - 25 * 3600
    for path in place.root.rglob("*"):
        if path.is_file():
            os.utime(path, (yesterday, yesterday))
    assert served_bytes.sweep() == 1
    assert there(place, admin) == {b"served: kept"}


def test_where_the_store_is_that_folder_nothing_is_done(settings: Any, home: Path, admin: Actor, model: Model) -> None:
    given = {"artifacts": home / "artifacts", "exchange": home / "exchange"}
    settings.MODELYARD = Settings.read({}, home=settings.MODELYARD.home, **given)
    versions.ready(admin, model, b"one")
    publisher.publish_pending()
    assert (served_bytes.restore(), served_bytes.sweep(0)) == (0, 0)
    assert not (home / "exchange" / "artifacts").exists()


def test_stored_answers_are_brought_restored_and_swept_like_versions(
    admin: Actor, model: Model, place: FilesystemStore
) -> None:
    version = versions.ready(admin, model, b"1")
    for number, content in enumerate((b"former answers", b"answers"), 1):
        stored = store().put(str(admin.tenant.pk), [content], 1 << 20)
        job = Job.objects.create(tenant=admin.tenant, kind="precomputing", created_by="system:test")
        with transaction.atomic():
            artifact = lock(admin.tenant, [stored], make=True)[stored.digest]
            publish(
                actor=admin, model=model, artifact=artifact, job=job, version=version, version_number=1, entity="id",
                n_rows=number,
            )  # fmt: skip
        publisher.publish_pending()
    assert there(place, admin) == {b"served: 1", b"former answers", b"answers"}
    for path in place.root.rglob("*"):
        if path.is_file():
            os.utime(path, (0, 0))
    assert served_bytes.sweep() == 1
    assert there(place, admin) == {b"served: 1", b"answers"}
    next(path for path in place.root.rglob("*") if path.is_file() and path.read_bytes() == b"answers").unlink()
    assert served_bytes.restore() == 1
