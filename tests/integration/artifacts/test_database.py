import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from modelyard.artifacts.database import CHUNK_BYTES, DatabaseStore
from modelyard.artifacts.store import ArtifactStore
from modelyard.control.registry.models import Payload, PayloadChunk
from modelyard.control.registry.payloads import PayloadTable
from modelyard.control.tenancy.models import Tenant
from modelyard.core.errors import NotFound, Unavailable
from tests.integration.artifacts.store_suite import LIMIT, StoreSuite, digest_of, some_bytes

pytestmark = pytest.mark.django_db(transaction=True)


class TestDatabaseStore(StoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path, transactional_db: None) -> DatabaseStore:
        for number in (1, 2):
            Tenant.objects.create(pk=number, name=f"tenant-{number}")
        return DatabaseStore(PayloadTable(), tmp_path / "scratch")

    def end_of_thread(self) -> None:
        connection.close()

    def flip(self, store: ArtifactStore, tenant: str, digest: str, position: int) -> None:
        chunks = PayloadChunk.objects.filter(payload__tenant_id=int(tenant), payload__digest=digest)
        chunk = chunks.get(position=position // CHUNK_BYTES)
        data = bytearray(chunk.data)
        data[position % CHUNK_BYTES] ^= 0x10
        chunks.filter(pk=chunk.pk).update(data=bytes(data))

    def test_chunks_are_bounded_and_nothing_stays_of_a_deleted_artifact(self, store: DatabaseStore) -> None:
        data = some_bytes(2 * CHUNK_BYTES + 1)
        stored = store.put("1", [data], LIMIT)
        sizes = [len(chunk.data) for chunk in PayloadChunk.objects.all()]
        assert sizes == [CHUNK_BYTES, CHUNK_BYTES, 1]
        store.delete("1", stored.digest)
        assert not PayloadChunk.objects.exists()
        assert not Payload.objects.exists()

    def test_nothing_is_left_of_refused_doubled_and_failed_uploads(self, store: DatabaseStore) -> None:
        def failing() -> Iterator[bytes]:
            yield b"x" * CHUNK_BYTES
            raise RuntimeError

        with pytest.raises(RuntimeError):
            store.put("1", failing(), LIMIT)
        assert not PayloadChunk.objects.exists()
        for _ in range(2):
            store.put("1", [b"the same"], LIMIT)
        assert Payload.objects.count() == PayloadChunk.objects.count() == 1

    def test_a_lost_chunk_is_found(self, store: DatabaseStore) -> None:
        stored = store.put("1", [some_bytes(2 * CHUNK_BYTES)], LIMIT)
        PayloadChunk.objects.filter(position=0).delete()
        with pytest.raises(Exception, match="have changed"):
            list(store.open("1", stored.digest))

    def test_deleting_reads_no_bytes_and_stands_or_falls_with_its_transaction(self, store: DatabaseStore) -> None:
        stored = store.put("1", [some_bytes(CHUNK_BYTES)], LIMIT)

        def delete_and_fail() -> None:
            with transaction.atomic():
                store.delete("1", stored.digest)
                raise RuntimeError

        with CaptureQueriesContext(connection) as asked, pytest.raises(RuntimeError):
            delete_and_fail()
        assert not any('"data"' in query["sql"] for query in asked)
        assert digest_of(b"".join(store.open("1", stored.digest))) == stored.digest

    def test_a_lent_file_is_read_only_and_gone_afterwards(self, store: DatabaseStore, tmp_path: Path) -> None:
        stored = store.put("1", [b"bytes"], LIMIT)
        with store.local("1", stored.digest) as path:
            assert path.stat().st_mode & 0o777 == 0o440
        assert list((tmp_path / "scratch").iterdir()) == []

    def test_a_full_disk_is_told_as_such(self, tmp_path: Path, transactional_db: None) -> None:
        class Full(PayloadTable):
            def chunk(self, payload: int, position: int) -> bytes | None:
                raise OSError(28, "No space left on device")  # as a write of the one before would

        Tenant.objects.create(pk=1, name="tenant-1")
        stored = DatabaseStore(PayloadTable(), tmp_path / "scratch").put("1", [b"bytes"], LIMIT)
        full = DatabaseStore(Full(), tmp_path / "scratch")
        with pytest.raises(Unavailable, match="no room"), full.local("1", stored.digest):
            pytest.fail("half a file was lent")
        assert list((tmp_path / "scratch").iterdir()) == []

    def test_a_killed_upload_is_invisible_and_swept_by_age(self, store: DatabaseStore) -> None:
        table = PayloadTable()
        draft = table.begin(1)
        table.add(1, draft, 0, b"half")
        assert list(store.list("1")) == []
        with pytest.raises(NotFound):
            store.open("1", digest_of(b"half"))
        assert store.sweep(3600) == 0
        kept = store.put("1", [b"whole"], LIMIT)
        assert store.sweep(0) == 1
        assert list(PayloadChunk.objects.values_list("payload__digest", flat=True)) == [kept.digest]

    def test_an_upload_whose_draft_was_swept_ends_and_says_so(self, store: DatabaseStore) -> None:
        def slow() -> Iterator[bytes]:
            yield bytes(CHUNK_BYTES)
            assert store.sweep(0) == 1

        with pytest.raises(Unavailable, match="send it again"):
            store.put("1", slow(), LIMIT)
        assert not Payload.objects.exists()

    def test_digests_are_found_by_index(self, store: DatabaseStore) -> None:
        for number in range(100):  # of few rows a planner may take any index
            store.put("1", [f"{number}".encode()], LIMIT)
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("ANALYZE modelyard_registry_payload")
                cursor.execute("SET enable_seqscan = off")
            plan = Payload.objects.filter(tenant_id=1, digest="a" * 64).explain()
        assert "one_payload_per_digest" in plan or "tenant_id=? AND digest=?" in plan


def test_the_store_itself_knows_no_django() -> None:
    code = "import sys, modelyard.artifacts.database; assert 'django' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
