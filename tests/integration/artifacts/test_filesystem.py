import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from modelyard.artifacts.filesystem import FilesystemStore
from modelyard.artifacts.store import ArtifactStore
from modelyard.core.errors import Unavailable
from tests.integration.artifacts.store_suite import LIMIT, StoreSuite

UPLOAD = """
import sys, time
from pathlib import Path
from modelyard.artifacts.filesystem import FilesystemStore
def chunks():
    while True:
        yield b"x" * 65536
        print("more", flush=True)
        time.sleep(0.01)
FilesystemStore(Path(sys.argv[1])).put("1", chunks(), 1 << 40)
"""


class TestFilesystemStore(StoreSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> FilesystemStore:
        return FilesystemStore(tmp_path / "artifacts")

    def flip(self, store: ArtifactStore, tenant: str, digest: str, position: int) -> None:
        assert isinstance(store, FilesystemStore)
        path = store.root / tenant / digest[:2] / digest
        path.chmod(0o640)
        with path.open("r+b") as file:
            file.seek(position)
            byte = file.read(1)[0]
            file.seek(position)
            file.write(bytes([byte ^ 0x10]))

    def test_files_are_read_only_and_where_the_layout_says(self, store: FilesystemStore) -> None:
        stored = store.put("7", [b"bytes"], LIMIT)
        path = store.root / "7" / stored.digest[:2] / stored.digest
        assert stat.S_IMODE(path.stat().st_mode) == 0o440

    def test_nothing_is_left_of_refused_and_failed_uploads(self, store: FilesystemStore) -> None:
        def failing():
            yield b"x"
            raise RuntimeError

        with pytest.raises(RuntimeError):
            store.put("1", failing(), LIMIT)
        assert [path for path in store.root.rglob("*") if path.is_file()] == []

    def test_a_full_disk_is_told_as_such(self, store: FilesystemStore) -> None:
        def full():
            yield b"x"
            raise OSError(28, "No space left on device")

        with pytest.raises(Unavailable, match="no room"):
            store.put("1", full(), LIMIT)

    def test_a_killed_upload_is_invisible_and_swept_by_age(self, store: FilesystemStore) -> None:
        child = subprocess.Popen([sys.executable, "-c", UPLOAD, str(store.root)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        for _ in range(5):
            child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        drafts = list(store.root.glob("1/drafts/*"))
        assert len(drafts) == 1
        assert list(store.list("1")) == []
        assert store.sweep(older_than_seconds=60) == 0
        os.utime(drafts[0], (time.time() - 120, time.time() - 120))
        assert store.sweep(older_than_seconds=60) == 1
        assert list(store.root.glob("1/drafts/*")) == []

    def test_strange_files_in_the_folder_are_no_artifacts(self, store: FilesystemStore) -> None:
        stored = store.put("1", [b"bytes"], LIMIT)
        (store.root / "1" / stored.digest[:2] / "notes.txt").write_text("hello")
        (store.root / "1" / "drafts" / "half").write_bytes(b"half")
        assert list(store.list("1")) == [stored]
