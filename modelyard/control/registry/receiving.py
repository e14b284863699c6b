"""Files of a multipart body go straight into the store while they are read: no copy of each on the web server's disk.

Django pushes chunks to its upload handlers, and a store pulls them, so each file has a thread that puts what the
handler gives it. The handler runs after the caller was authenticated, since a view reads the body late. (Under ASGI
Django itself has put the whole body into a temporary file of its own before the view begins.)
"""

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler
from django.db import connection
from rest_framework.request import Request

from modelyard.artifacts.store import ArtifactStore, Stored
from modelyard.control.registry.facts import check_filename
from modelyard.control.registry.services import MAX_FILES, Upload
from modelyard.control.registry.storage import store
from modelyard.control.registry.uploads import keep_stored, keep_upload, release
from modelyard.control.rest.limits import UPLOAD, most_bytes, upload_too_large
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import InvalidInput, TooLarge

CHUNK_BYTES = 1 << 20
WAITING_CHUNKS = 4
"""How far the network may be ahead of the disk."""


class StoredFile(UploadedFile):
    """An uploaded file that is in the store already."""

    def __init__(self, name: str, stored: Stored, content_type: str | None) -> None:
        super().__init__(file=None, name=name, content_type=content_type, size=stored.size_bytes)
        self.stored = stored

    def close(self) -> None:
        """There is nothing open: the bytes are in the store."""


class _CutOff(Exception):
    """The upload ended before the file did."""


class _Putting(threading.Thread):
    """Puts one file, whose chunks are given by `write`, into the store."""

    def __init__(self, to: ArtifactStore, tenant: str, max_bytes: int, setting: str) -> None:
        super().__init__(name="upload", daemon=True)
        self._to, self._tenant, self._max_bytes, self._setting = to, tenant, max_bytes, setting
        self._chunks: queue.Queue[bytes | _CutOff | None] = queue.Queue(WAITING_CHUNKS)
        self._stored: Stored | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._stored = self._to.put(self._tenant, self._arriving(), self._max_bytes)
        except TooLarge:
            self._error = upload_too_large(self._setting)
        except BaseException as error:
            self._error = error
        finally:
            connection.close()  # this thread's own, opened where the store is the database

    def write(self, chunk: bytes) -> None:
        """Give the next bytes; raises what the store raised."""
        self._give(chunk)

    def end(self) -> Stored:
        """Say that the file is whole, and return what was stored; raises what the store raised."""
        self._give(None)
        self.join()
        if self._error is not None:
            raise self._error
        if self._stored is None:
            raise RuntimeError("the store ended without an answer")
        return self._stored

    def cut_off(self) -> None:
        """Say that the rest will not come; nothing stays behind."""
        while self.is_alive():
            try:
                self._chunks.put(_CutOff(), timeout=0.05)
                break
            except queue.Full:
                continue
        self.join()

    def _give(self, item: bytes | None) -> None:
        while True:
            if self._error is not None:
                raise self._error
            try:
                self._chunks.put(item, timeout=0.05)
                return
            except queue.Full:
                continue

    def _arriving(self) -> Iterator[bytes]:
        while (item := self._chunks.get()) is not None:
            if isinstance(item, _CutOff):
                raise item
            yield item


class StoreUploadHandler(FileUploadHandler):
    """Puts the files of one request into the actor's tenant's place; the setting bounds all of them together."""

    chunk_size = CHUNK_BYTES

    def __init__(self, actor: Actor, setting: str = UPLOAD) -> None:
        super().__init__()
        self.actor, self.setting = actor, setting
        self.left_bytes = most_bytes(setting)
        self.files: list[StoredFile] = []
        self._putting: _Putting | None = None

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        check_filename(self.file_name)
        if len(self.files) > MAX_FILES:
            raise InvalidInput.at("file", f"more than {MAX_FILES} files and a sample")
        self._putting = _Putting(store(), str(self.actor.tenant.pk), self.left_bytes, self.setting)
        self._putting.start()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if self._putting is not None:
            self._putting.write(raw_data)

    def file_complete(self, file_size: int) -> StoredFile | None:
        if self._putting is None:
            return None
        putting, self._putting = self._putting, None
        stored = putting.end()
        self.left_bytes -= stored.size_bytes
        keep_stored(self.actor, stored)
        file = StoredFile(str(self.file_name), stored, self.content_type)
        self.files.append(file)
        return file

    def upload_interrupted(self) -> None:
        self.cut_off()

    def cut_off(self) -> None:
        """Stop the file that is arriving."""
        if self._putting is not None:
            putting, self._putting = self._putting, None
            putting.cut_off()


@contextmanager
def receive_into_store(request: Request, actor: Actor, setting: str = UPLOAD) -> Iterator[None]:
    """Let the files of `request` go into the store while they arrive; what the block does not use is released.

    Where the body was read already, its files are on the web server's disk, and `given_files` copies them.
    """
    handler = StoreUploadHandler(actor, setting)
    if not hasattr(request._request, "_files"):
        request._request.upload_handlers = [handler]
    try:
        yield
    finally:
        handler.cut_off()
        release(actor.tenant, [file.stored.digest for file in handler.files])


def given_files(actor: Actor, files: list[Any], sample: Any) -> tuple[list[Upload], Upload | None]:
    """Return uploaded files as what a version is made of."""
    return [given_file(actor, file) for file in files], given_file(actor, sample) if sample is not None else None


def given_file(actor: Actor, file: Any, setting: str = UPLOAD) -> Upload:
    """Return one uploaded file as what a version or a dataset is made of."""
    if isinstance(file, StoredFile):
        return Upload(str(file.name), file.stored)
    return keep_upload(actor=actor, filename=file.name, chunks=file.chunks(), setting=setting)
