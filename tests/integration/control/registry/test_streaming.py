"""Uploads chunk by chunk, too large, and cut off; and through Django's ASGI handler there and back."""

import asyncio
import hashlib
import io
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient, APIRequestFactory

from modelyard.control.registry import receiving, services
from modelyard.control.registry.downloads import zipped
from modelyard.control.registry.models import Model
from modelyard.control.registry.receiving import StoredFile, StoreUploadHandler, given_files, receive_into_store
from modelyard.control.registry.storage import store
from modelyard.control.tenancy.models import Tenant
from modelyard.control.tenancy.services import Actor
from modelyard.core.errors import InvalidInput, TooLarge

pytestmark = pytest.mark.django_db

Caller = Callable[..., APIClient]


def handler(actor: Actor) -> StoreUploadHandler:
    made = StoreUploadHandler(actor)
    made.new_file("file", "a.pkl", "application/octet-stream", None)
    return made


def drafts(home: Path) -> list[Path]:
    return [path for path in (home / "artifacts").rglob("*") if path.is_file()]


def test_a_file_is_in_the_store_as_it_came(admin: Actor, tenant: Tenant, home: Path) -> None:
    receiver, chunks = handler(admin), [os.urandom(1000) for _ in range(50)]
    for chunk in chunks:
        receiver.receive_data_chunk(chunk, 0)
    file = receiver.file_complete(50_000)
    assert isinstance(file, StoredFile)
    assert file.stored.digest == hashlib.sha256(b"".join(chunks)).hexdigest()
    assert file.size == 50_000
    uploads, sample = given_files(admin, [file], None)
    assert (uploads[0].filename, uploads[0].stored, sample) == ("a.pkl", file.stored, None)


def test_the_bound_stops_it_while_it_arrives(admin: Actor, home: Path) -> None:
    receiver, sent = handler(admin), []

    def send() -> None:
        for _ in range(1000):
            receiver.receive_data_chunk(b"x" * 100_000, 0)
            sent.append(100_000)

    with pytest.raises(TooLarge, match="all together"):
        send()
    assert sum(sent) <= (1 << 20) + (receiving.WAITING_CHUNKS + 2) * 100_000
    receiver.cut_off()
    assert drafts(home) == []


def test_what_is_cut_off_leaves_nothing(admin: Actor, home: Path) -> None:
    for count in (0, 1, 3, receiving.WAITING_CHUNKS + 3):
        receiver = handler(admin)
        for _ in range(count):
            receiver.receive_data_chunk(b"x" * 1000, 0)
        receiver.upload_interrupted()
        receiver.cut_off()
        assert drafts(home) == []


def test_a_store_that_fails_is_told_at_once(admin: Actor, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def put(self, *args: Any) -> Any:
            raise OSError("no disk")

    monkeypatch.setattr(receiving, "store", Broken)
    receiver = handler(admin)

    def send() -> None:
        for _ in range(receiving.WAITING_CHUNKS + 2):
            receiver.receive_data_chunk(b"x", 0)

    with pytest.raises(OSError, match="no disk"):
        send()


def test_a_bad_name_is_refused_before_a_byte_is_read(admin: Actor) -> None:
    with pytest.raises(InvalidInput, match="file name"):
        StoreUploadHandler(admin).new_file("file", "a\nb", "x/y", None)


def test_a_body_that_was_read_already_is_copied(admin: Actor, tenant: Tenant) -> None:
    """As with a session: Django's check against forged requests reads the form before the view does."""
    from django.core.files.uploadedfile import SimpleUploadedFile
    from rest_framework.parsers import MultiPartParser
    from rest_framework.request import Request

    form = {"file": SimpleUploadedFile("a.pkl", b"content")}
    raw = APIRequestFactory().post("/", form, format="multipart")
    assert raw.POST == {}
    request = Request(raw, parsers=[MultiPartParser()])
    with receive_into_store(request, admin):
        files, _ = given_files(admin, [request.data["file"]], None)
        assert files[0].stored.digest == hashlib.sha256(b"content").hexdigest()


@pytest.mark.django_db(transaction=True)
def test_a_member_with_a_session_uploads(person: Any, model: Model) -> None:
    client = APIClient()
    client.force_login(person)
    from django.core.files.uploadedfile import SimpleUploadedFile

    form = {"file": [SimpleUploadedFile("a.pkl", b"content")]}
    made = client.post("/api/v1/models/iris/versions/", form, format="multipart")
    assert made.status_code == 201, made.content
    assert made.json()["created_by"] == "user:ada"


@pytest.mark.django_db(transaction=True)
def test_through_asgi_it_comes_back_as_it_went(caller: Caller, tenant: Tenant, model: Model) -> None:
    from asgiref.sync import async_to_sync
    from django.core.handlers.asgi import ASGIHandler

    client = caller(tenant, "write")
    secret = client._credentials["HTTP_AUTHORIZATION"]
    content = os.urandom(900_000)
    boundary = b"no-random-bytes-hold-this"
    head = b'--%s\r\nContent-Disposition: form-data; name="file"; filename="a.pkl"\r\n\r\n' % boundary
    body = head + content + b"\r\n--%s--\r\n" % boundary

    async def call(method: str, path: str, parts: Iterator[bytes]) -> tuple[int, list[bytes]]:
        messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
        messages.append({"type": "http.request", "body": b"", "more_body": False})
        answered: list[Any] = []

        async def receive() -> Any:
            if messages:
                return messages.pop(0)
            await asyncio.sleep(3600)
            return None

        async def send(message: Any) -> None:
            answered.append(message)

        headers = [(b"host", b"localhost"), (b"authorization", secret.encode())]
        if method == "POST":
            headers += [
                (b"content-type", b"multipart/form-data; boundary=" + boundary),
                (b"content-length", str(len(body)).encode()),
            ]
        scope = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"",
            "headers": headers, "server": ("localhost", 80), "client": ("127.0.0.1", 1), "scheme": "http",
            "http_version": "1.1",
        }  # fmt: skip
        from django.test.utils import override_settings

        with override_settings(MIDDLEWARE=[]):
            application = ASGIHandler()
            await application(scope, receive, send)
        return answered[0]["status"], [message.get("body", b"") for message in answered[1:]]

    both = async_to_sync(call)
    pieces = (body[start : start + 65_536] for start in range(0, len(body), 65_536))
    status, parts = both("POST", "/api/v1/models/iris/versions/", pieces)
    assert status == 201, parts
    status, parts = both("GET", "/api/v1/models/iris/versions/1/artifact", iter(()))
    assert (status, b"".join(parts)) == (200, content)
    assert [stored.size_bytes for stored in store().list(str(tenant.pk))] == [900_000]


def test_files_of_one_name_are_all_in_the_zip(admin: Actor, model: Model) -> None:
    uploads = [
        services.keep_upload(actor=admin, filename=name, chunks=[content])
        for name, content in (("a.pkl", b"1"), ("a.pkl", b"2"), ("1-a.pkl", b"3"))
    ]
    version = services.register_version(actor=admin, model=model, files=uploads)
    files = list(version.files.select_related("artifact"))
    archive = zipfile.ZipFile(io.BytesIO(b"".join(zipped(str(admin.tenant.pk), files))))
    assert len(set(archive.namelist())) == 3
    assert [archive.read(name) for name in archive.namelist()] == [b"1", b"2", b"3"]


PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n%s\r\n'
WHOLE = (
    PART % (b"scaler.pkl", bytes(range(256)) * 400)
    + PART % (b"classifier.pkl", bytes(range(255, -1, -1)) * 400)
    + b'--b\r\nContent-Disposition: form-data; name="description"\r\n\r\nwhole\r\n--b--\r\n'
)


@pytest.mark.parametrize("told", ["as much as came", "as much as was meant to come"])
@pytest.mark.parametrize("left", [3, 5, 30, 70, 90, 200, 100_000, 105_000, 200_000])
def test_a_form_that_ends_too_early_makes_no_version(
    caller: Caller, tenant: Tenant, model: Model, left: int, told: str
) -> None:
    """A server hands on what came before the connection broke; Django takes that for the whole form."""
    cut = WHOLE[:-left]
    length = len(cut) if told == "as much as came" else len(WHOLE)
    given: Any = {"wsgi.input": io.BytesIO(cut), "CONTENT_LENGTH": str(length)}
    refused = caller(tenant, "write").generic(
        "POST", "/api/v1/models/iris/versions/", cut, content_type="multipart/form-data; boundary=b", **given
    )
    assert refused.status_code == 400, refused.content
    assert "ends before its closing boundary" in refused.json()["error"]["message"]
    assert not model.versions.exists()
    assert list(store().list(str(tenant.pk))) == []


def test_a_form_that_is_whole_is_taken(caller: Caller, tenant: Tenant, model: Model) -> None:
    for end in (b"", b"\r\n", b"--", b"an epilogue\r\n"):
        body = WHOLE.removesuffix(b"--\r\n") + b"--" + end
        made = caller(tenant, "write").generic(
            "POST", "/api/v1/models/iris/versions/", body, content_type='multipart/form-data; boundary="b"'
        )
        assert (made.status_code, made.json()["description"]) == (201, "whole")
