"""Bodies are counted while they arrive, under ASGI and under WSGI."""

import asyncio
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.test import Client
from rest_framework.test import APIClient

from modelyard.config.bounds import SMALL_BYTES, AsgiBound, WsgiBound, bound_of
from modelyard.control.registry.services import create_model
from modelyard.control.tenancy.models import Tenant
from modelyard.control.tenancy.services import system_actor
from modelyard.core.settings import MIB, Settings

UPLOAD = "/api/v1/models/iris/versions/"


@pytest.fixture
def small_uploads(settings: Any) -> None:
    settings.MODELYARD = Settings.read({}, home=settings.MODELYARD.home, max_upload_bytes=4 * MIB)


def headers_of(length: int | None, **more: str) -> list[tuple[bytes, bytes]]:
    told = [(b"content-length", str(length).encode())] if length is not None else [(b"transfer-encoding", b"chunked")]
    return told + [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in more.items()]


async def ask(path: str, sizes: list[int], headers: list[tuple[bytes, bytes]]) -> tuple[int, dict[str, Any], int]:
    """Send chunks of these sizes; return status, body, and how many chunks were taken before the answer began."""
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json"), *headers],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    waiting = list(sizes)
    taken, when_answered, status, body = 0, -1, 0, b""

    async def receive() -> dict[str, Any]:
        nonlocal taken
        if not waiting:
            await asyncio.sleep(60)
        taken += 1
        return {"type": "http.request", "body": b" " * waiting.pop(0), "more_body": bool(waiting)}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status, body, when_answered
        if message["type"] == "http.response.start":
            status, when_answered = message["status"], taken
        body += message.get("body", b"")

    await AsgiBound(get_asgi_application())(scope, receive, send)
    return status, json.loads(body), when_answered


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("sizes", "headers", "most_chunks"),
    [
        ([MIB] * 8, headers_of(8 * MIB), 0),
        ([MIB] * 8, headers_of(None), 3),
        ([MIB] * 8, headers_of(10), 3),
        ([SMALL_BYTES + 1], headers_of(None), 1),
        ([MIB] * 8, [(b"content-length", b"-5")], 3),
        ([MIB] * 8, [(b"content-length", b"9" * 40)], 3),
        ([MIB] * 8, [], 3),
    ],
)
def test_a_large_body_is_refused_while_it_arrives(sizes: list[int], headers: Any, most_chunks: int) -> None:
    status, body, taken = asyncio.run(ask("/api/v1/keys/", sizes, headers))
    assert status == 413
    assert body["error"]["code"] == "too_large"
    assert body["error"]["details"] == {"max_bytes": SMALL_BYTES}
    assert taken <= most_chunks


@pytest.mark.django_db(transaction=True)
def test_a_body_within_its_bound_reaches_the_view() -> None:
    status, _, _ = asyncio.run(ask("/api/v1/keys/", [MIB, MIB], headers_of(None)))
    assert status == 401


@pytest.mark.django_db(transaction=True)
def test_uploads_may_be_larger_for_who_has_a_key(
    small_uploads: None, caller: Callable[..., APIClient], tenant: Tenant
) -> None:
    key = {"authorization": caller(tenant, "write")._credentials["HTTP_AUTHORIZATION"]}
    within, _, taken = asyncio.run(ask(UPLOAD, [MIB] * 4, headers_of(None, **key)))
    assert (within, taken) == (404, 4)
    over, body, taken = asyncio.run(ask(UPLOAD, [MIB] * 9, headers_of(None, **key)))
    assert (over, taken) == (413, 6)
    assert body["error"]["details"] == {"max_bytes": 4 * MIB, "setting": "MODELYARD_MAX_UPLOAD_BYTES"}
    assert f"the {4 * MIB} bytes that an upload may have" in body["error"]["message"]


@pytest.mark.django_db(transaction=True)
def test_uploads_may_be_larger_for_who_is_signed_in(small_uploads: None, person: User, tenant: Tenant) -> None:
    client = Client()
    client.force_login(person)
    cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    status, _, taken = asyncio.run(ask(UPLOAD, [MIB] * 4, headers_of(4 * MIB, cookie=cookie)))
    assert (status, taken) == (403, 4)  # there is no token against forged requests
    person.is_active = False
    person.save()
    status, _, taken = asyncio.run(ask(UPLOAD, [MIB] * 4, headers_of(4 * MIB, cookie=cookie)))
    assert (status, taken) == (401, 0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("length", [4 * MIB, None])
@pytest.mark.parametrize(
    "who",
    [
        {},
        {"authorization": "Bearer x"},
        {"authorization": f"Bearer yard_abcdefgh_{'A' * 43}"},
        {"authorization": "Basic eDp5"},
        {"authorization": "Bearer " + chr(255)},
        {"cookie": "modelyard_session=made-up"},
        {"cookie": "modelyard_session=" + chr(255), "authorization": "Bearer"},
    ],
)
def test_nobody_is_refused_before_any_of_a_large_upload_is_taken(
    small_uploads: None, length: int | None, who: dict[str, str]
) -> None:
    status, body, taken = asyncio.run(ask(UPLOAD, [MIB] * 4, headers_of(length, **who)))
    assert (status, taken, body["error"]["code"]) == (401, 0, "unauthenticated")
    more = {"CONTENT_LENGTH": str(length)} if length else {"HTTP_TRANSFER_ENCODING": "chunked"}
    more |= {f"HTTP_{name.upper()}": value for name, value in who.items()}
    told, body = ask_wsgi(UPLOAD, 4 * MIB, **more)
    assert (told, body["error"]["code"]) == ("401 Unauthorized", "unauthenticated")


def test_only_views_that_say_so_take_uploads(small_uploads: None) -> None:
    assert bound_of(UPLOAD).max_bytes == 5 * MIB
    for path in ("/api/v1/keys/", "/api/v1/models/", "/nothing/here", "/", "", "no-slash"):
        assert bound_of(path).max_bytes == SMALL_BYTES


def ask_wsgi(path: str, size: int, **more: str) -> tuple[str, dict[str, Any]]:
    told: list[str] = []
    environ = {
        "REQUEST_METHOD": "POST", "PATH_INFO": path, "SERVER_NAME": "localhost", "SERVER_PORT": "80",
        "CONTENT_TYPE": "application/json", "wsgi.input": io.BytesIO(b" " * size), "wsgi.errors": io.StringIO(),
        "wsgi.url_scheme": "http", "wsgi.version": (1, 0), **more,
    }  # fmt: skip

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        told.append(status)

    body = b"".join(WsgiBound(get_wsgi_application())(environ, start_response))
    return told[0], json.loads(body)


@pytest.mark.django_db(transaction=True)
def test_under_wsgi_a_large_body_is_refused() -> None:
    status, body = ask_wsgi("/api/v1/keys/", 8 * MIB, CONTENT_LENGTH=str(8 * MIB))
    assert status.startswith("413")
    assert body["error"]["details"] == {"max_bytes": SMALL_BYTES}
    status, _ = ask_wsgi("/api/v1/keys/", 10, CONTENT_LENGTH="10")
    assert status.startswith("401")


@pytest.mark.django_db(transaction=True)
def test_under_wsgi_a_body_of_untold_length_is_counted(caller: Callable[..., APIClient], tenant: Tenant) -> None:
    """A client of the tenant, since Django reads no body of somebody unknown."""
    key = caller(tenant, "admin")._credentials["HTTP_AUTHORIZATION"]
    more = {"HTTP_AUTHORIZATION": key, "HTTP_TRANSFER_ENCODING": "chunked", "CONTENT_LENGTH": str(10**18)}
    status, body = ask_wsgi("/api/v1/keys/", 8 * MIB, **more)
    assert status.startswith("413")
    assert body["error"]["code"] == "too_large"


@pytest.mark.django_db(transaction=True)
def test_under_wsgi_a_body_that_breaks_off_is_no_body(caller: Callable[..., APIClient], tenant: Tenant) -> None:
    key = caller(tenant, "admin")._credentials["HTTP_AUTHORIZATION"]
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.pkl"\r\n\r\n'
    whole = head + b"x" * 100_000 + b"\r\n--b--\r\n"
    more = {"HTTP_AUTHORIZATION": key, "CONTENT_TYPE": "multipart/form-data; boundary=b"}
    create_model(actor=system_actor(tenant, "test"), name="iris")
    for sent, expected in ((whole[:-1], "400"), (whole[:66_000], "400"), (whole, "201")):
        stream = io.BytesIO(sent)
        status, _ = ask_wsgi(UPLOAD, 0, **more, CONTENT_LENGTH=str(len(whole)), **{"wsgi.input": stream})  # type: ignore[arg-type]
        assert status.startswith(expected)
