"""What was uploaded, given back: one file as it came, several as one zip, never whole in memory."""

import hashlib
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

from django.http import HttpResponse, HttpResponseNotModified
from django.http.response import HttpResponseBase
from django.utils.http import parse_etags

from modelyard.control.registry.models import Version, VersionFile
from modelyard.control.registry.services import MODEL_ROLE
from modelyard.control.registry.storage import store
from modelyard.control.rest import ChunksResponse
from modelyard.core.errors import Conflict

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold: the same files give the same zip."""


def answer(request: Any, version: Version) -> HttpResponseBase:
    """Answer with the version's model files; 304 where the caller has them.

    Raises:
        Conflict: when they were not kept, since the version was refused for them.
    """
    files = [file for file in version.files.select_related("artifact") if file.role == MODEL_ROLE]
    if not files:
        raise Conflict(f"the files of {version} were not kept: it was refused for what is in them", state=version.state)
    tag = f'"{_digest(files)}"'
    if tag in parse_etags(request.headers.get("If-None-Match", "")):
        same: HttpResponse = HttpResponseNotModified()
        same["ETag"] = tag
        return same
    tenant = str(version.tenant_id)
    if len(files) == 1:
        artifact = files[0].artifact
        chunks = store().open(tenant, artifact.digest)
        response = ChunksResponse(chunks, filename=files[0].filename, size_bytes=artifact.size_bytes)
    else:
        name = f"{version.model.name}-{version.number}.zip"
        response = ChunksResponse(zipped(tenant, files), filename=name, content_type="application/zip")
    response["ETag"] = tag
    response["Cache-Control"] = "private, no-cache"
    return response


def zipped(tenant: str, files: Sequence[VersionFile]) -> Iterator[bytes]:
    """Give a zip of the files, uncompressed, under their own names; where two have the same, all are numbered."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]
        for name, file in zip(_names(files), files, strict=True):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.file_size = file.artifact.size_bytes
            with archive.open(entry, "w") as member:
                for chunk in store().open(tenant, file.artifact.digest):
                    member.write(chunk)
                    yield sink.taken()
    yield sink.taken()


def _names(files: Sequence[VersionFile]) -> list[str]:
    names = [file.filename for file in files]
    return names if len(set(names)) == len(names) else [f"{index}-{name}" for index, name in enumerate(names, 1)]


def _digest(files: Sequence[VersionFile]) -> str:
    if len(files) == 1:
        return files[0].artifact.digest
    facts = "\n".join(f"{file.artifact.digest} {file.filename}" for file in files)
    return hashlib.sha256(facts.encode()).hexdigest()


class _Sink:
    """A file that can only be written, as `zipfile` needs for streaming; what was written is taken away."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass

    def taken(self) -> bytes:
        data, self._parts = b"".join(self._parts), []
        return data
