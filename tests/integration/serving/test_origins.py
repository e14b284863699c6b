"""Pages from elsewhere on the data plane, through the core and both doors, with real models.

Fetch standard, section 3.3 (CORS protocol).
"""

import asyncio
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from modelyard.core.settings import Settings
from modelyard.serving.core import LARGE_BODY_BYTES, Core
from modelyard.serving.doors.asgi import AsgiDoor
from modelyard.serving.doors.wsgi import WsgiDoor
from modelyard.serving.message import Request, Response
from tests.integration.serving.yard import SECRET, STRANGER, Server, Trained, Yard, wait_until

APP = b"https://app.example"
OTHER = b"https://other.example"
KEY = (b"authorization", b"Bearer " + SECRET.encode())
ASKS = (b"access-control-request-method", b"POST")
ALLOWS = b"access-control-allow-origin"
PATHS = [
    ("POST", "/predict/iris"), ("GET", "/predict/iris"), ("POST", "/predict/none"), ("PUT", "/predict/iris"),
    ("GET", "/v2"), ("GET", "/v2/health/live"), ("GET", "/v2/health/ready"), ("GET", "/v2/models/iris"),
    ("GET", "/v2/models/iris/ready"), ("POST", "/v2/models/iris/infer"), ("GET", "/v2/nothing"),
]  # fmt: skip

Headers = list[tuple[bytes, bytes]]


def ask(core: Core, method: str, path: str, *headers: tuple[bytes, bytes], body: bytes = b"{}") -> Response:
    there = threading.Event()
    responses: list[Response] = []

    def done(response: Response) -> None:
        responses.append(response)
        there.set()

    core.begin(Request(method, path, "", list(headers), body), done)
    assert there.wait(30)
    assert len(responses) == 1
    return responses[0]


def told(response: Response) -> dict[bytes, bytes]:
    """Return the headers, none of which may be doubled: a browser refuses two of `Access-Control-Allow-Origin`."""
    names = [name for name, _ in response.headers]
    assert len(names) == len(set(names)), names
    return dict(response.headers)


@pytest.fixture(scope="module")
def core(shared_yard: Yard, iris: Trained, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Core]:
    """Two tenants: `1` allows APP, `2`, the stranger, allows OTHER."""
    yard = Yard(home := tmp_path_factory.mktemp("origins"), Settings.read({}, home=home, max_body_bytes=200_000))
    yard.publish("iris", {1: yard.version(iris, 11)})
    yard.publish_tenant("1", origins=(APP.decode(),))
    yard.add_key("2", STRANGER)
    yard.add_key("2", "expired", expires_at=time.time() - 5)
    yard.publish_tenant("2", origins=(OTHER.decode(),))
    made = Core(yard.settings, yard.medium, yard.store)
    made.start()
    assert made.pickup.settled.wait(30)
    yield made
    made.stop()


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_a_page_reads_every_answer_to_its_tenants_key(core: Core, method: str, path: str) -> None:
    with_origin = ask(core, method, path, KEY, (b"origin", APP))
    headers = told(with_origin)
    assert headers[ALLOWS] == APP
    assert {b"x-request-id", b"retry-after", b"modelyard-error-code"} <= set(
        headers[b"access-control-expose-headers"].split(b", ")
    )
    assert headers[b"vary"] == b"origin"
    assert b"access-control-allow-credentials" not in headers
    without = ask(core, method, path, KEY)
    assert without.status == with_origin.status
    assert not any(name.startswith((b"access-control", b"vary")) for name, _ in without.headers)


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_another_tenants_origin_does_not_open_this_one(core: Core, method: str, path: str) -> None:
    for origin, secret in ((OTHER, SECRET), (APP, STRANGER)):
        headers = told(ask(core, method, path, (b"authorization", b"Bearer " + secret.encode()), (b"origin", origin)))
        assert ALLOWS not in headers
        assert headers[b"vary"] == b"origin"


def test_the_stranger_is_opened_by_its_own(core: Core) -> None:
    answer = ask(core, "GET", "/v2", (b"authorization", b"Bearer " + STRANGER.encode()), (b"origin", OTHER))
    assert (answer.status, told(answer)[ALLOWS]) == (200, OTHER)


@pytest.mark.parametrize(
    "header", [None, b"Bearer", b"Basic x", b"Bearer nonsense", b"Bearer expired", b"Bearer pass_1_1_0"]
)
def test_who_is_not_known_reads_why(core: Core, header: bytes | None) -> None:
    who = [(b"authorization", header)] if header is not None else []
    for origin in (APP, OTHER):
        answer = ask(core, "POST", "/predict/iris", *who, (b"origin", origin))
        assert (answer.status, told(answer)[ALLOWS]) == (401, origin)
    assert ALLOWS not in told(ask(core, "POST", "/predict/iris", *who, (b"origin", b"https://b.example")))


@pytest.mark.parametrize("path", [*sorted({path for _, path in PATHS}), "/v2/x/y/z", "/predict/" + "x" * 10_000])
def test_a_browser_that_asks_first_is_answered_without_a_key(core: Core, path: str) -> None:
    answer = ask(core, "OPTIONS", path, (b"origin", APP), ASKS, (b"x-request-id", b"mine"), body=b"")
    assert (answer.status, answer.body) == (200, b"")
    assert told(answer) == {
        ALLOWS: APP,
        b"access-control-allow-methods": b"GET, POST",
        b"access-control-allow-headers": b"authorization, content-type, if-none-match, x-request-id",
        b"access-control-max-age": b"600",
        b"vary": b"origin",
        b"x-request-id": b"mine",
    }
    refused = ask(core, "OPTIONS", path, (b"origin", b"https://b.example"), ASKS, body=b"")
    assert (refused.status, ALLOWS in told(refused)) == (403, False)
    assert b"modelyard tenants origins add" in refused.body


def test_who_asks_is_told_of_private_networks_only_when_it_asks(core: Core) -> None:
    private = (b"access-control-request-private-network", b"true")
    name = b"access-control-allow-private-network"
    assert told(ask(core, "OPTIONS", "/predict/iris", (b"origin", APP), ASKS, private))[name] == b"true"
    assert name not in told(ask(core, "OPTIONS", "/predict/iris", (b"origin", APP), ASKS))
    assert name not in told(ask(core, "OPTIONS", "/predict/iris", (b"origin", b"https://b.example"), ASKS, private))


def test_options_without_the_question_is_a_request_like_others(core: Core) -> None:
    assert ask(core, "OPTIONS", "/predict/iris").status == 401
    assert ask(core, "OPTIONS", "/predict/iris", ASKS).status == 401
    assert ask(core, "OPTIONS", "/predict/iris", (b"origin", APP)).status == 401
    assert ask(core, "OPTIONS", "/predict/iris", (b"origin", APP), KEY).status == 405
    assert ask(core, "POST", "/predict/iris", (b"origin", APP), ASKS).status == 401


@pytest.mark.parametrize(
    "origin",
    [b"", b"null", b"*", b"HTTPS://APP.EXAMPLE", APP + b"/", APP + b":443", APP + b"," + APP, APP + b" " + OTHER,
     APP + b".evil.example", b"http://app.example", b"\xff\xfe", APP + b"\0", b"x" * 60_000],
)  # fmt: skip
def test_only_the_very_origin_will_do(core: Core, origin: bytes) -> None:
    assert ask(core, "OPTIONS", "/predict/iris", (b"origin", origin), ASKS).status == 403
    answer = ask(core, "GET", "/v2", KEY, (b"origin", origin))
    assert (answer.status, ALLOWS in told(answer)) == (200, False)


def test_of_two_origins_neither_is_believed(core: Core) -> None:
    for second in (APP, OTHER):
        answer = ask(core, "GET", "/v2", KEY, (b"origin", APP), (b"origin", second))
        assert (answer.status, ALLOWS in told(answer)) == (200, False)


def test_what_is_answered_by_a_model_or_in_a_thread_is_read_too(core: Core, iris: Trained) -> None:
    body = json.dumps({"rows": iris.sample(3)}).encode()
    answer = ask(core, "POST", "/predict/iris", KEY, (b"origin", APP), body=body)
    assert (answer.status, told(answer)[ALLOWS]) == (200, APP)
    assert json.loads(answer.body)["predictions"] == [0, 0, 0]
    large = ask(core, "POST", "/predict/iris", KEY, (b"origin", APP), body=body + b" " * LARGE_BODY_BYTES)
    assert (large.status, told(large)[ALLOWS]) == (200, APP)


def through_asgi(core: Core, headers: Headers, body: bytes) -> tuple[int, dict[bytes, bytes]]:
    sent: list[Any] = []
    scope = {"type": "http", "method": "POST", "path": "/predict/iris", "query_string": b"", "headers": headers}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(AsgiDoor(core)(scope, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"])


def through_wsgi(core: Core, headers: Headers, body: bytes) -> tuple[int, dict[bytes, bytes]]:
    heads: list[Any] = []
    environ = {
        "REQUEST_METHOD": "POST", "PATH_INFO": "/predict/iris", "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        **{"HTTP_" + name.decode().upper().replace("-", "_"): value.decode("latin-1") for name, value in headers},
    }  # fmt: skip
    b"".join(WsgiDoor(core)(environ, lambda status, headers: heads.append((status, headers))))
    status, given = heads[0]
    return int(status[:3]), {name.encode(): value.encode() for name, value in given}


@pytest.mark.parametrize("door", [through_asgi, through_wsgi])
def test_each_door_says_the_same(core: Core, iris: Trained, door: Callable[..., Any]) -> None:
    body = json.dumps({"rows": iris.sample(1)}).encode()
    status, headers = door(core, [KEY, (b"origin", APP)], body)
    assert (status, headers[ALLOWS], headers[b"vary"]) == (200, APP, b"origin")
    for origin, reads in ((APP, True), (OTHER, False)):
        status, headers = door(core, [KEY, (b"origin", origin), (b"x-request-id", b"mine")], b" " * 300_000)
        assert (status, ALLOWS in headers, headers[b"x-request-id"]) == (413, reads, b"mine")
    status, headers = door(core, [KEY], b" " * 300_000)
    assert (status, b"vary" in headers) == (413, False)


def test_it_reaches_the_data_plane_within_a_second(yard: Yard, iris: Trained, serve: Callable[..., Server]) -> None:
    yard.publish("iris", {1: yard.version(iris, 11)})
    server = serve()
    asks = {"origin": APP.decode(), "access-control-request-method": "POST"}
    with server.client() as client:

        def is_open() -> bool:
            answer = client.options("/predict/iris", headers=asks)
            assert answer.status_code in (200, 403)
            return answer.status_code == 200

        assert not is_open()
        for origins, opened in (((APP.decode(),), True), ((), False)):
            yard.publish_tenant(origins=origins)
            began = time.monotonic()
            wait_until(lambda opened=opened: is_open() is opened, 5)  # type: ignore[misc]
            assert time.monotonic() - began < 1
            answer = client.get("/v2", headers={"origin": APP.decode()})
            assert (answer.headers.get("access-control-allow-origin") == APP.decode()) is opened
