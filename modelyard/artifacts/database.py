"""Artifacts in a database, in chunks of at most 1 MiB: one backup holds rows and bytes, and no folder is shared.

This module knows no database: it is handed the table. A payload is a draft, which nobody finds, until all its chunks
are there; finishing it is one statement.
"""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from modelyard.artifacts.checking import Arriving, check_digest, check_tenant, checked, is_whole, missing, room
from modelyard.artifacts.store import LEFTOVER_SECONDS, Stored
from modelyard.core.errors import Unavailable

CHUNK_BYTES = 1 << 20
_ATTEMPTS = 3
"""To take the place of rotten bytes. A draft that was swept, or whose tenant is gone, never takes it."""


class Table(Protocol):
    """Payloads and their chunks. A payload is named by a number."""

    def begin(self, tenant: int) -> int:
        """Make a draft without chunks."""

    def add(self, tenant: int, payload: int, position: int, chunk: bytes) -> None:
        """Keep the draft's chunk of that position, counted from 0."""

    def finish(self, payload: int, stored: Stored) -> bool:
        """Let the draft be found by its digest; False, and nothing, when the tenant has one by that digest."""

    def find(self, tenant: int, digest: str) -> int | None:
        """Return the finished payload of that digest."""

    def chunk(self, payload: int, position: int) -> bytes | None:
        """Return a chunk, None past the last."""

    def drop(self, payload: int, *, draft: bool) -> None:
        """Forget a payload and its chunks, if it is still there, and as `draft` says."""

    def finished(self, tenant: int) -> Iterator[Stored]:
        """Give all that can be found, in no order."""

    def sweep(self, older_than_seconds: float) -> int:
        """Forget the drafts that were begun so long ago; return how many."""


class DatabaseStore:
    """An `ArtifactStore` over a `Table`. `scratch` holds the files that `local` lends."""

    def __init__(self, table: Table, scratch: Path) -> None:
        self._table = table
        self._scratch = scratch

    def put(self, tenant: str, chunks: Iterable[bytes], max_bytes: int) -> Stored:
        """See `ArtifactStore.put`. Raises `TooLarge` once more than `max_bytes` came."""
        owner = int(check_tenant(tenant))
        arriving = Arriving(chunks, max_bytes)
        draft = self._table.begin(owner)
        try:
            for position, chunk in enumerate(_even(arriving)):
                self._table.add(owner, draft, position, chunk)
            stored = arriving.stored
            for _ in range(_ATTEMPTS):
                if self._table.finish(draft, stored) or is_whole(self, tenant, stored.digest):
                    return stored
                self.delete(tenant, stored.digest)
            raise Unavailable("what was stored of the file was taken away meanwhile: send it again")
        finally:
            self._table.drop(draft, draft=True)

    def open(self, tenant: str, digest: str) -> Iterator[bytes]:
        """See `ArtifactStore.open`."""
        return checked(self._chunks(self._find(tenant, digest)), digest)

    @contextmanager
    def local(self, tenant: str, digest: str) -> Iterator[Path]:
        """See `ArtifactStore.local`. The file is a copy, and gone afterwards. Raises `Unavailable` on a full disk."""
        chunks = self.open(tenant, digest)
        with room():
            self._scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
            lent = tempfile.TemporaryDirectory(prefix="artifact-", dir=self._scratch)
        with lent as folder:
            path = Path(folder) / digest
            with room(), path.open("xb") as file:
                file.writelines(chunks)
            path.chmod(0o440)
            yield path

    def delete(self, tenant: str, digest: str) -> None:
        """See `ArtifactStore.delete`."""
        payload = self._table.find(int(check_tenant(tenant)), check_digest(digest))
        if payload is not None:
            self._table.drop(payload, draft=False)

    def list(self, tenant: str) -> Iterator[Stored]:
        """See `ArtifactStore.list`."""
        return self._table.finished(int(check_tenant(tenant)))

    def sweep(self, older_than_seconds: float = LEFTOVER_SECONDS) -> int:
        """See `ArtifactStore.sweep`."""
        return self._table.sweep(older_than_seconds)

    def _find(self, tenant: str, digest: str) -> int:
        payload = self._table.find(int(check_tenant(tenant)), check_digest(digest))
        if payload is None:
            raise missing(digest)
        return payload

    def _chunks(self, payload: int) -> Iterator[bytes]:
        position = 0
        while (chunk := self._table.chunk(payload, position)) is not None:
            yield chunk
            position += 1


def _even(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Give the same bytes in chunks of `CHUNK_BYTES`, the last maybe shorter; none is empty."""
    held = bytearray()
    for chunk in chunks:
        held += chunk
        while len(held) >= CHUNK_BYTES:
            yield bytes(held[:CHUNK_BYTES])
            del held[:CHUNK_BYTES]
    if held:
        yield bytes(held)
