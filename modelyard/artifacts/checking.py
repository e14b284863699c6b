"""What every store checks: names before they are looked up, sizes while bytes arrive, digests before bytes leave."""

import errno
import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from modelyard.artifacts.store import ArtifactStore, Stored
from modelyard.core.errors import ArtifactCorrupt, InvalidInput, NotFound, TooLarge, Unavailable

TENANT = re.compile(r"[0-9]{1,19}\Z", re.ASCII)
DIGEST = re.compile(r"[0-9a-f]{64}\Z")
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def check_tenant(tenant: str) -> str:
    """Return `tenant`. Raises `InvalidInput` when it is no tenant's id."""
    if not TENANT.match(tenant):
        raise InvalidInput("a tenant is named by its id, decimal digits")
    return tenant


def check_digest(digest: str) -> str:
    """Return `digest`. Raises `InvalidInput` when it is no sha256."""
    if not DIGEST.match(digest):
        raise InvalidInput("an artifact is named by its sha256, 64 lower-case hexadecimal digits")
    return digest


def missing(digest: str) -> NotFound:
    """Return the error that says that there is no such artifact."""
    return NotFound(f"there is no artifact {digest[:12]}", digest=digest)


@contextmanager
def room() -> Iterator[None]:
    """Say of a full disk that it is one. Raises `Unavailable`."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise Unavailable("there is no room left for artifacts: an operator must make some") from error
        raise


class Arriving:
    """Chunks on their way into a store; once they are through, `stored` names them."""

    def __init__(self, chunks: Iterable[bytes], max_bytes: int) -> None:
        self._chunks = chunks
        self._max_bytes = max_bytes
        self._sha256 = hashlib.sha256()
        self._size_bytes = 0

    def __iter__(self) -> Iterator[bytes]:
        """Give the chunks. Raises `TooLarge` once more than `max_bytes` came."""
        for chunk in self._chunks:
            self._size_bytes += len(chunk)
            if self._size_bytes > self._max_bytes:
                raise TooLarge(
                    f"the file is larger than the {self._max_bytes} bytes that are taken here",
                    max_bytes=self._max_bytes,
                )
            self._sha256.update(chunk)
            yield chunk

    @property
    def stored(self) -> Stored:
        return Stored(self._sha256.hexdigest(), self._size_bytes)


def checked(chunks: Iterable[bytes], digest: str) -> Iterator[bytes]:
    """Give the chunks, the last only after the digest was found right. Raises `ArtifactCorrupt` where it is wrong."""
    sha256, held = hashlib.sha256(), b""
    for chunk in chunks:
        sha256.update(chunk)
        if held:
            yield held
        held = chunk
    if sha256.hexdigest() != digest:
        raise ArtifactCorrupt(f"the stored bytes of {digest[:12]} have changed: upload the file again", digest=digest)
    if held:
        yield held


def is_whole(store: ArtifactStore, tenant: str, digest: str) -> bool:
    """Tell whether the store has the artifact with the right digest, by reading it."""
    try:
        for _ in store.open(tenant, digest):
            pass
    except (ArtifactCorrupt, NotFound):
        return False
    return True
