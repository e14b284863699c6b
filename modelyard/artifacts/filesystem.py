"""Artifacts as files: `<root>/<tenant>/<first 2 digits>/<digest>`. The root may be on NFS.

A file is written under `<root>/<tenant>/drafts/`, flushed to disk, and renamed once its digest is known: what has a
digest for a name is whole. The rename stays within the tenant's folder, so that each tenant may be a mount of its own.
"""

import errno
import hashlib
import os
import re
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from modelyard.artifacts.store import Stored
from modelyard.core.errors import ArtifactCorrupt, InvalidInput, NotFound, TooLarge, Unavailable

CHUNK_BYTES = 1 << 20
DRAFTS = "drafts"
LEFTOVER_SECONDS = 24 * 3600
TENANT = re.compile(r"[0-9]{1,19}\Z")
DIGEST = re.compile(r"[0-9a-f]{64}\Z")
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


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
            draft.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            with draft.open("xb") as file:
                stored = _write(file, chunks, max_bytes)
            self._settle(tenant, draft, stored.digest)
        except OSError as error:
            if error.errno in NO_ROOM:
                raise Unavailable("there is no room left for artifacts: an operator must make some") from error
            raise
        finally:
            draft.unlink(missing_ok=True)
        return stored

    def open(self, tenant: str, digest: str) -> Iterator[bytes]:
        """See `ArtifactStore.open`."""
        path = self._path(tenant, digest)
        if not path.is_file():
            raise _missing(digest)
        return _checked(path, digest)

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
        """Delete drafts that nobody has written to for that long: a killed process left them. Return how many."""
        count, before = 0, time.time() - older_than_seconds
        for draft in self.root.glob(f"*/{DRAFTS}/*"):
            try:
                if draft.stat().st_mtime <= before:
                    draft.unlink()
                    count += 1
            except FileNotFoundError:
                continue
        return count

    def _settle(self, tenant: str, draft: Path, digest: str) -> None:
        """Give the draft its name, unless the same bytes are there already; rotten ones are replaced."""
        target = self._path(tenant, digest)
        new_folder = not target.parent.exists()
        target.parent.mkdir(mode=0o750, exist_ok=True)
        if new_folder:
            _flush_folder(target.parent.parent)
        if target.exists():
            try:
                for _ in _checked(target, digest):
                    pass
                return
            except (ArtifactCorrupt, NotFound):
                pass
        draft.chmod(0o440)
        draft.replace(target)
        _flush_folder(target.parent)

    def _folder(self, tenant: str) -> Path:
        if not TENANT.match(tenant):
            raise InvalidInput("a tenant is named by its id, decimal digits")
        return self.root / tenant

    def _path(self, tenant: str, digest: str) -> Path:
        if not DIGEST.match(digest):
            raise InvalidInput("an artifact is named by its sha256, 64 lower-case hexadecimal digits")
        return self._folder(tenant) / digest[:2] / digest


def _write(file: BinaryIO, chunks: Iterable[bytes], max_bytes: int) -> Stored:
    """Write the chunks through to the disk, and tell their digest and size."""
    sha256, size = hashlib.sha256(), 0
    for chunk in chunks:
        size += len(chunk)
        if size > max_bytes:
            raise TooLarge(f"the file is larger than the {max_bytes} bytes that are taken here", max_bytes=max_bytes)
        sha256.update(chunk)
        file.write(chunk)
    file.flush()
    os.fsync(file.fileno())
    return Stored(sha256.hexdigest(), size)


def _checked(path: Path, digest: str) -> Iterator[bytes]:
    """Give the file's bytes, the last chunk only after the digest was found right."""
    sha256, held = hashlib.sha256(), b""
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                sha256.update(chunk)
                if held:
                    yield held
                held = chunk
    except FileNotFoundError:
        raise _missing(digest) from None
    if sha256.hexdigest() != digest:
        raise ArtifactCorrupt(f"the stored bytes of {digest[:12]} have changed: upload the file again", digest=digest)
    if held:
        yield held


def _missing(digest: str) -> NotFound:
    return NotFound(f"there is no artifact {digest[:12]}", digest=digest)


def _flush_folder(folder: Path) -> None:
    """Make a rename or deletion in the folder last over a loss of power."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
