"""Files in folders that the operator has named (`dataset_folders`)."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings

from modelyard.control.registry.facts import check_filename
from modelyard.control.registry.sources.formats import taken_format
from modelyard.control.tenancy.models import Scope
from modelyard.core.errors import InvalidInput, Unavailable

CHUNK_BYTES = 1 << 20


class FolderSource:
    """A caller's name is compared with the folder's own listing, and the listing's is opened: no text of a caller's
    becomes a path. What is no regular file, a link for one, is not there."""

    kind = "folder"
    field = "file"
    scope = Scope.WRITE

    def places(self) -> list[str]:
        return list(settings.MODELYARD.dataset_folders)

    def check(self, given: dict[str, str]) -> str:
        check_filename(given["file"])
        found = taken_format(given["file"])
        folder = self._folder(given)
        if folder.is_dir():  # elsewhere it may be the workers' alone
            _listed(folder, given)
        return found

    def fetch(self, given: dict[str, Any], scratch: Path, max_bytes: int) -> Iterator[bytes]:
        folder = self._folder(given)
        if not folder.is_dir():
            raise Unavailable(f"the folder {given['place']} is not there: an operator must look")
        name = _listed(folder, given)
        try:
            handle = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            raise InvalidInput(f"the file {name} of {given['place']} cannot be read") from None
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise _no_file(given)
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def _folder(self, given: dict[str, str]) -> Path:
        folders: dict[str, Path] = settings.MODELYARD.dataset_folders
        if given["place"] not in folders:
            raise InvalidInput(f"there is no folder {given['place']!r} any more")
        return folders[given["place"]]


def _listed(folder: Path, given: dict[str, str]) -> str:
    """Return the name as the folder has it. Raises `InvalidInput` when it has none."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name == given["file"] and entry.is_file(follow_symlinks=False):
                    return entry.name
    except OSError:
        raise Unavailable(f"the folder {given['place']} cannot be listed: an operator must look") from None
    raise _no_file(given)


def _no_file(given: dict[str, str]) -> InvalidInput:
    return InvalidInput.at("source.file", f"{given['place']} has no file {given['file'][:80]!r}")
