from pathlib import Path
from typing import cast

import pytest

from modelyard.artifacts.filesystem import FilesystemStore
from modelyard.artifacts.store import ArtifactStore
from modelyard.control.registry import services
from modelyard.control.registry.models import Artifact, Model, PayloadChunk
from modelyard.control.registry.moving import copy_artifacts, forget_artifacts
from modelyard.control.registry.storage import named_store
from modelyard.control.tenancy.models import Tenant
from modelyard.control.tenancy.services import Actor, system_actor
from modelyard.core.errors import NotFound
from tests.integration.control import versions

pytestmark = pytest.mark.django_db


@pytest.fixture
def contents(admin: Actor, model: Model, stranger: Tenant) -> list[bytes]:
    """What two tenants have in the filesystem store."""
    contents = [f"artifact {number}".encode() * 1000 for number in range(6)]
    for content in contents[:5]:
        versions.register(admin, model, content)
    other = services.create_model(actor=system_actor(stranger, "test"), name="theirs")
    versions.register(system_actor(stranger, "test"), other, contents[5])
    return contents


def nothing(part: float, done: str) -> None:
    pass


def all_in(store: ArtifactStore) -> list[bytes]:
    rows = Artifact.objects.order_by("pk").values_list("tenant_id", "digest")
    return [b"".join(store.open(str(tenant), digest)) for tenant, digest in rows]


def test_all_is_copied_and_told_and_a_second_call_copies_nothing(contents: list[bytes]) -> None:
    told: list[float] = []
    files, database = named_store("filesystem"), named_store("database")
    moved = copy_artifacts(source=files, target=database, report=lambda part, of: told.append(part))
    assert (moved.copied, moved.were_there, moved.failed) == (6, 0, [])
    assert moved.copied_bytes == sum(map(len, contents))
    assert all_in(database) == all_in(files) == contents
    assert told == sorted(told)
    assert told[-1] == 1.0
    again = copy_artifacts(source=files, target=database, report=nothing)
    assert (again.copied, again.were_there) == (0, 6)


def test_cut_off_it_goes_on_where_it_was(contents: list[bytes]) -> None:
    files, database = named_store("filesystem"), named_store("database")

    def pull_the_plug(part: float, of: str) -> None:
        if part > 0.4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_artifacts(source=files, target=database, report=pull_the_plug)
    moved = copy_artifacts(source=files, target=database, report=nothing)
    assert (moved.copied, moved.were_there) == (3, 3)
    assert all_in(database) == contents


def test_what_is_rotten_is_told_and_keeps_none_of_the_others(contents: list[bytes]) -> None:
    files, database = named_store("filesystem"), named_store("database")
    assert isinstance(files, FilesystemStore)
    rotten, gone = Artifact.objects.order_by("pk")[1:3]
    for artifact in (rotten, gone):
        path: Path = files.root / str(artifact.tenant_id) / artifact.digest[:2] / artifact.digest
        path.chmod(0o640)
        path.write_bytes(b"rot") if artifact is rotten else path.unlink()
    moved = copy_artifacts(source=files, target=database, report=nothing)
    assert moved.copied == 4
    assert [digest for _, digest, _ in moved.failed] == [rotten.digest, gone.digest]
    assert "have changed" in moved.failed[0][2]
    forgotten = forget_artifacts(source=files, target=database, report=nothing)
    assert forgotten.forgotten == 4
    assert [digest for _, digest, _ in forgotten.failed] == [rotten.digest, gone.digest]


def test_what_rotted_in_the_target_is_copied_again(contents: list[bytes]) -> None:
    files, database = named_store("filesystem"), named_store("database")
    copy_artifacts(source=files, target=database, report=nothing)
    PayloadChunk.objects.filter(pk=PayloadChunk.objects.order_by("pk")[0].pk).update(data=b"rot")
    moved = copy_artifacts(source=files, target=database, report=nothing)
    assert (moved.copied, moved.were_there) == (1, 5)
    assert all_in(database) == contents


def test_only_what_the_target_has_whole_is_forgotten(contents: list[bytes]) -> None:
    files, database = named_store("filesystem"), named_store("database")
    kept = forget_artifacts(source=files, target=database, report=nothing)
    assert (kept.forgotten, len(kept.failed)) == (0, 6)
    assert all_in(files) == contents
    copy_artifacts(source=files, target=database, report=nothing)
    assert forget_artifacts(source=files, target=database, report=nothing).forgotten == 6
    assert isinstance(files, FilesystemStore)
    assert [path for path in files.root.rglob("*") if path.is_file()] == []


def test_what_is_deleted_meanwhile_is_no_failure(contents: list[bytes]) -> None:
    files, database = named_store("filesystem"), named_store("database")
    copy_artifacts(source=files, target=database, report=nothing)

    class Deleting:
        """The database store, while somebody deletes what is about to be looked at."""

        def open(self, tenant: str, digest: str) -> object:
            Artifact.objects.filter(tenant_id=int(tenant), digest=digest).update(digest=digest[::-1])
            raise NotFound("deleted in this moment")

    moved = forget_artifacts(source=files, target=cast(ArtifactStore, Deleting()), report=nothing)
    assert (moved.forgotten, moved.failed) == (0, [])
