"""Where the two planes leave documents for each other: a folder (also on NFS), or later a bucket."""

import fcntl
import os
import re
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

KEY = re.compile(r"(?=.{1,400}\Z)[A-Za-z0-9_][A-Za-z0-9._-]*(?:/[A-Za-z0-9_][A-Za-z0-9._-]*)*\Z")

Edit = Callable[[bytes | None], bytes | None]
"""From what a key holds to what it shall hold; None leaves it as it is."""


_THREADS = threading.Lock()
"""`fcntl` locks belong to a process, so that they do not part its threads; this one does."""


class Medium(Protocol):
    """Five verbs. A key is names joined by slashes; no name begins with a dot or a dash.

    Every verb may raise `OSError` when the medium is out of reach.
    """

    def read(self, key: str) -> bytes | None:
        """Return the bytes, whole as one `write` left them, or None when there are none."""

    def write(self, key: str, data: bytes) -> None:
        """Keep the bytes. A reader sees the old or the new ones, also after a crash or a loss of power."""

    def edit(self, key: str, edit: Edit) -> None:
        """Read, change and write, such that of several writers none loses another's change."""

    def delete(self, key: str) -> None:
        """Forget the bytes; nothing happens when there are none."""

    def keys(self, prefix: str) -> Iterator[str]:
        """Give the keys below `prefix` (a name and slash, or empty for all), sorted."""


class FolderMedium:
    """A file for each key.

    A write goes to a hidden file beside, is synced, renamed over the key's file, and the folder is synced. On NFS the
    rename is atomic on the server, and a reader that opens a file has it whole (close-to-open consistency, RFC 7530,
    section 10.3). `edit` locks with `fcntl`, which NFS version 4 carries to the server, unlike some `flock`s.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, key: str) -> bytes | None:
        try:
            return self._path(key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write(self, key: str, data: bytes) -> None:
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.parent / f".{path.name[:100]}.{secrets.token_hex(8)}"
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)

    def edit(self, key: str, edit: Edit) -> None:
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked(path.parent / f".{path.name}.lock"):
            changed = edit(self.read(key))
            if changed is not None:
                self.write(key, changed)

    def delete(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def keys(self, prefix: str) -> Iterator[str]:
        if prefix and not prefix.endswith("/"):
            raise ValueError(f"{prefix!r} is no prefix: expected names that each end with a slash")
        top = self._path(prefix.rstrip("/")) if prefix else self.root
        for folder, folders, files in os.walk(top):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            relative = Path(folder).relative_to(self.root)
            for name in sorted(files):
                if not name.startswith("."):
                    yield (relative / name).as_posix()

    def _path(self, key: str) -> Path:
        if not KEY.match(key):
            raise ValueError(f"{key!r} is no key: expected names of letters, digits, '.', '_' and '-', joined by '/'")
        return self.root / key

    @staticmethod
    @contextmanager
    def _locked(path: Path) -> Iterator[None]:
        """Keep out the other threads of this process, then other processes."""
        with _THREADS:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.lockf(descriptor, fcntl.LOCK_EX)
                yield
            finally:
                os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the names in the folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
