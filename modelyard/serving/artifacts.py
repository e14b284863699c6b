"""Serving artifacts on the local disk, so that the data plane starts without the store.

A file is a hard link to the store's where that is possible, so that it takes no room; its digest is checked at
every load, whoever wrote it.
"""

import hashlib
import logging
import os
import secrets
import shutil
import time
from pathlib import Path

from modelyard.artifacts.store import ArtifactStore
from modelyard.core.errors import ArtifactCorrupt, NotFound

log = logging.getLogger(__name__)

KEEP_SECONDS = 7 * 86_400.0
_CHUNK = 1 << 20


class LocalArtifacts:
    """Files named `<tenant>/<digest>` below a folder."""

    def __init__(self, folder: Path, store: ArtifactStore) -> None:
        self._folder = folder
        self._store = store
        self.in_use: frozenset[str] = frozenset()
        """Digests of files that are read while they serve, and not only when they are loaded."""

    def fetch(self, tenant: str, digest: str) -> Path:
        """Return a file that has the digest, and stays.

        Raises:
            NotFound, ArtifactCorrupt: when neither the local disk nor the store has it whole.
            OSError: when the store is out of reach and the local disk has none.
        """
        path = self._folder / tenant / digest
        if path.exists():
            if file_digest(path) == digest:
                os.utime(path)
                return path
            log.error("artifact_rotten", extra={"action": "artifact_rotten", "tenant": tenant, "digest": digest})
            path.unlink(missing_ok=True)
        with self._store.local(tenant, digest) as stored:
            self._keep(stored, path)
        if file_digest(path) != digest:
            path.unlink(missing_ok=True)
            raise ArtifactCorrupt("the stored bytes do not have the digest that they are named by")
        return path

    def prune(self, keep: set[str], now: float | None = None, keep_seconds: float = KEEP_SECONDS) -> None:
        """Delete the files that no load has touched for a week, but those in use, or whose digest is in `keep`."""
        moment = time.time() if now is None else now
        for path in self._folder.glob("*/*"):
            if path.name in keep or path.name in self.in_use:
                continue
            try:
                if moment - path.stat().st_mtime > keep_seconds:
                    path.unlink()
            except FileNotFoundError:
                continue

    @staticmethod
    def _keep(stored: Path, path: Path) -> None:
        if not stored.is_file():
            raise NotFound("no such artifact")
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.parent / f".{secrets.token_hex(8)}"
        try:
            try:
                os.link(stored, temporary)
            except OSError:
                shutil.copyfile(stored, temporary)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def file_digest(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal."""
    hashed = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            hashed.update(chunk)
    return hashed.hexdigest()
