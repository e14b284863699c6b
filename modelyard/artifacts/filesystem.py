"""Artifacts as files: `<root>/<tenant>/<first 2 digits>/<digest>`. The root may be on NFS.

A file is written under `<root>/<tenant>/drafts/`, flushed to disk, and renamed once its digest is known: what has a
digest for a name is whole. The rename stays within the tenant's folder, so that each tenant may be a mount of its own.
"""

import os
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from modelyard.artifacts.checking import (
    DIGEST,
    TENANT,
    Arriving,
    check_digest,
    check_tenant,
    checked,
    is_whole,
    missing,
    room,
)
from modelyard.artifacts.store import LEFTOVER_SECONDS, Stored

CHUNK_BYTES = 1 << 20
DRAFTS = "drafts"


class FilesystemStore:
    """An `ArtifactStore` over a folder. Any number of processes and hosts may use it at once."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, tenant: str, chunks: Iterable[bytes], max_bytes: int) -> Stored:
        """See `ArtifactStore.put`.

        Raises:
            TooLarge: once more than `max_bytes` came.
            Unavailable: when the disk is full.
        """
        folder = self._folder(tenant)
        draft = folder / DRAFTS / uuid.uuid4().hex
        try:
            with room():
                draft.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
                arriving = Arriving(chunks, max_bytes)
                with draft.open("xb") as file:
                    file.writelines(arriving)
                    file.flush()
                    os.fsync(file.fileno())
                self._settle(tenant, draft, arriving.stored.digest)
        finally:
            draft.unlink(missing_ok=True)
        return arriving.stored

    def open(self, tenant: str, digest: str) -> Iterator[bytes]:
        """See `ArtifactStore.open`."""
        path = self._path(tenant, digest)
        if not path.is_file():
            raise missing(digest)
        return checked(_chunks(path, digest), digest)

    @contextmanager
    def local(self, tenant: str, digest: str) -> Iterator[Path]:
        """See `ArtifactStore.local`. The file is the stored one itself: nothing is copied."""
        for _ in self.open(tenant, digest):
            pass
        yield self._path(tenant, digest)

    def delete(self, tenant: str, digest: str) -> None:
        """See `ArtifactStore.delete`."""
        path = self._path(tenant, digest)
        if path.is_file():
            path.unlink(missing_ok=True)
            _flush_folder(path.parent)

    def list(self, tenant: str) -> Iterator[Stored]:
        """See `ArtifactStore.list`."""
        for path in self._folder(tenant).glob("??/*"):
            if DIGEST.match(path.name):
                try:
                    size = path.stat().st_size
                except FileNotFoundError:
                    continue
                yield Stored(path.name, size)

    def sweep(self, older_than_seconds: float = LEFTOVER_SECONDS) -> int:
        """See `ArtifactStore.sweep`. The age of a draft counts from when it was last written to."""
        count, before = 0, time.time() - older_than_seconds
        for draft in self.root.glob(f"*/{DRAFTS}/*"):
            try:
                if draft.stat().st_mtime <= before:
                    draft.unlink()
                    count += 1
            except FileNotFoundError:
                continue
        return count

    def touch(self, tenant: str, digest: str, size_bytes: int) -> bool:
        """Count the artifact's age from now; False when it is not there, or not of that size."""
        path = self._path(tenant, digest)
        try:
            if path.stat().st_size != size_bytes:
                return False
            os.utime(path)
        except FileNotFoundError:
            return False
        return True

    def untouched(self, seconds: float) -> Iterator[tuple[str, str]]:
        """Give tenant and digest of what was neither put nor touched for so long."""
        before = time.time() - seconds
        for folder in self.root.glob("*"):
            if not TENANT.match(folder.name):
                continue
            for path in folder.glob("??/*"):
                try:
                    if DIGEST.match(path.name) and path.stat().st_mtime <= before:
                        yield folder.name, path.name
                except FileNotFoundError:
                    continue

    def _settle(self, tenant: str, draft: Path, digest: str) -> None:
        """Give the draft its name, unless the same bytes are there already; rotten ones are replaced."""
        target = self._path(tenant, digest)
        new_folder = not target.parent.exists()
        target.parent.mkdir(mode=0o750, exist_ok=True)
        if new_folder:
            _flush_folder(target.parent.parent)
        if is_whole(self, tenant, digest):
            return
        draft.chmod(0o440)
        draft.replace(target)
        _flush_folder(target.parent)

    def _folder(self, tenant: str) -> Path:
        return self.root / check_tenant(tenant)

    def _path(self, tenant: str, digest: str) -> Path:
        return self._folder(tenant) / check_digest(digest)[:2] / digest


def _chunks(path: Path, digest: str) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except FileNotFoundError:
        raise missing(digest) from None


def _flush_folder(folder: Path) -> None:
    """Make a rename or deletion in the folder last over a loss of power."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
