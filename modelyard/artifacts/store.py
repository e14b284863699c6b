"""What every artifact store can do."""

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

LEFTOVER_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Stored:
    """An artifact: `digest` is 64 lower-case hexadecimal digits of the sha256 of its `size_bytes` bytes."""

    digest: str
    size_bytes: int


class ArtifactStore(Protocol):
    """Five verbs, and a broom. `tenant` is the tenant's id as decimal digits; others do not see what belongs to it.

    Every verb raises `InvalidInput` where a tenant or digest is named in another way.
    """

    def put(self, tenant: str, chunks: Iterable[bytes], max_bytes: int) -> Stored:
        """Keep the bytes; nothing is visible before all are there and on disk.

        Raises:
            TooLarge: once more than `max_bytes` came; nothing stays behind.
        """

    def open(self, tenant: str, digest: str) -> Iterator[bytes]:
        """Give the bytes in chunks.

        Raises:
            NotFound: when there is no such artifact.
            ArtifactCorrupt: before the last chunk, when the digest is wrong.
        """

    def local(self, tenant: str, digest: str) -> AbstractContextManager[Path]:
        """Give a read-only local file with the bytes, their digest checked; it may be gone afterwards.

        Raises:
            NotFound, ArtifactCorrupt: as `open`.
        """

    def delete(self, tenant: str, digest: str) -> None:
        """Forget the bytes; nothing happens when they are not there."""

    def list(self, tenant: str) -> Iterator[Stored]:
        """Give all that is there, in no order."""

    def sweep(self, older_than_seconds: float = LEFTOVER_SECONDS) -> int:
        """Delete the beginnings of artifacts that a killed process left so long ago; return how many."""
