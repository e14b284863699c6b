"""Publishing: what is named is there, nobody's entry is lost, and rot is noticed."""

import threading
from pathlib import Path

import pytest

from modelyard.core.errors import ArtifactCorrupt, Conflict, Misconfigured, Unavailable
from modelyard.core.plan import Arm, Plan
from modelyard.exchange import publication
from modelyard.exchange.medium import FolderMedium
from modelyard.exchange.snapshot import IndexEntry, ModelDocument, TenantDocument

MODEL = ModelDocument(model="iris", plan=Plan(arms=(Arm(1, 1.0),)))


@pytest.fixture
def medium(tmp_path: Path) -> FolderMedium:
    return FolderMedium(tmp_path)


def tenant(name: str = "1", revision: int = 1, **models: str) -> TenantDocument:
    return TenantDocument(tenant=name, name="demo", revision=revision, mac_key="00" * 32, models=models)


def entry(medium: FolderMedium, name: str) -> IndexEntry:
    index = publication.read_index(medium)
    assert index is not None
    return index.tenants[name]


def test_what_is_published_can_be_read(medium: FolderMedium) -> None:
    digest = publication.write_model(medium, "1", MODEL)
    document = tenant(iris=digest)
    publication.write_tenant(medium, document)
    assert publication.read_tenant(medium, "1", entry(medium, "1").digest) == document
    assert publication.read_model(medium, "1", digest) == MODEL


def test_an_earlier_revision_does_not_replace_a_later_one(medium: FolderMedium) -> None:
    publication.write_tenant(medium, tenant(revision=6))
    publication.write_tenant(medium, tenant(revision=5))
    assert entry(medium, "1").revision == 6


def test_a_document_that_is_not_there_cannot_be_named(medium: FolderMedium) -> None:
    with pytest.raises(Conflict):
        publication.write_tenant(medium, tenant(iris="0" * 64))
    assert publication.read_index(medium) is None


def test_several_publishers_keep_each_others_entries(medium: FolderMedium) -> None:
    def publish(name: str) -> None:
        for revision in range(1, 6):
            publication.write_tenant(FolderMedium(medium.root), tenant(name, revision))

    threads = [threading.Thread(target=publish, args=(str(number),)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry(medium, str(number)).revision for number in range(4)] == [5] * 4


def test_every_flipped_byte_is_noticed(medium: FolderMedium) -> None:
    digest = publication.write_model(medium, "1", MODEL)
    key = publication.model_key("1", digest)
    data = medium.read(key) or b""
    for position in range(len(data)):
        medium.write(key, data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        with pytest.raises(ArtifactCorrupt):
            publication.read_model(medium, "1", digest)
    assert publication.write_model(medium, "1", MODEL) == digest
    assert publication.read_model(medium, "1", digest) == MODEL


def test_a_cut_index_and_a_missing_document_are_told_apart(medium: FolderMedium) -> None:
    medium.write(publication.INDEX, b'{"tenants": {"1": {"rev')
    with pytest.raises(ArtifactCorrupt):
        publication.read_index(medium)
    with pytest.raises(Unavailable):
        publication.read_model(medium, "1", "0" * 64)


def test_an_index_that_is_not_readable_is_written_again_whole_and_a_readable_one_stays(medium: FolderMedium) -> None:
    medium.write(publication.INDEX, b'{"tenants": {"1": {"rev')
    publication.restore_index(medium, [tenant("1", 3), tenant("2", 5)])
    assert [entry(medium, name).revision for name in ("1", "2")] == [3, 5]
    assert publication.read_tenant(medium, "2", entry(medium, "2").digest) == tenant("2", 5)
    publication.restore_index(medium, [tenant("1", 1)])
    assert [entry(medium, name).revision for name in ("1", "2")] == [3, 5]


def test_another_releases_index_is_told_from_a_rotten_one_and_stays(medium: FolderMedium) -> None:
    medium.write(publication.INDEX, b'{"tenants":{},"format":2}')
    for act in (lambda: publication.restore_index(medium, []), lambda: publication.write_tenant(medium, tenant())):
        with pytest.raises(Misconfigured, match="another release"):
            act()
    assert medium.read(publication.INDEX) == b'{"tenants":{},"format":2}'


def test_a_rotten_note_of_the_unnamed_does_not_stop_the_sweep(medium: FolderMedium) -> None:
    publication.write_model(medium, "1", MODEL)
    medium.write(publication.UNNAMED, b"{rot")
    assert publication.sweep_documents(medium, now=1000) == 0
    assert publication.sweep_documents(medium, now=4600) == 1


def test_another_tenants_document_is_refused(medium: FolderMedium) -> None:
    publication.write_tenant(medium, tenant("1"))
    digest = entry(medium, "1").digest
    medium.write(publication.tenant_key("2", digest), medium.read(publication.tenant_key("1", digest)) or b"")
    with pytest.raises(ArtifactCorrupt):
        publication.read_tenant(medium, "2", digest)


def test_a_sweep_deletes_what_nobody_named_for_an_hour(medium: FolderMedium) -> None:
    old = publication.write_model(medium, "1", MODEL)
    publication.write_tenant(medium, tenant(revision=1, iris=old))
    new = publication.write_model(medium, "1", ModelDocument(model="iris", plan=Plan()))
    publication.write_tenant(medium, tenant(revision=2, iris=new))
    assert publication.sweep_documents(medium, now=1000) == 0
    assert publication.sweep_documents(medium, now=4599) == 0
    assert publication.sweep_documents(medium, now=4600) == 2
    assert publication.read_model(medium, "1", new).plan == Plan()
    with pytest.raises(Unavailable):
        publication.read_model(medium, "1", old)


def test_a_document_that_is_named_again_is_kept(medium: FolderMedium) -> None:
    digest = publication.write_model(medium, "1", MODEL)
    assert publication.sweep_documents(medium, now=1000) == 0
    publication.write_tenant(medium, tenant(iris=digest))
    assert publication.sweep_documents(medium, now=9000) == 0
    assert publication.read_model(medium, "1", digest) == MODEL


def test_a_forgotten_tenant_leaves_the_index(medium: FolderMedium) -> None:
    publication.write_tenant(medium, tenant("1"))
    publication.write_tenant(medium, tenant("2"))
    publication.forget_tenant(medium, "1")
    publication.forget_tenant(medium, "3")
    index = publication.read_index(medium)
    assert index is not None
    assert set(index.tenants) == {"2"}
