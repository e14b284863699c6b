"""Errors, repeats and pages, against a real server that answers what it is told to."""

import json
import socket
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from modelyard.client.transport import CLASSES, Transport, check_url, is_loopback
from modelyard.core import errors
from modelyard.core.errors import InvalidInput, ModelyardError, QuotaExceeded, Unavailable
from modelyard.core.statuses import HTTP_STATUS

Answer = tuple[int, dict[str, str], bytes]


class Script:
    """Answers in turn, the last one for ever; and what was asked."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.asked: list[tuple[str, str, dict[str, str]]] = []

    def then(self, status: int, body: Any = b"", **headers: str) -> "Script":
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers.append((status, {name.replace("_", "-"): value for name, value in headers.items()}, content))
        return self

    def next(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def url(script: Script) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length", 0)))
            script.asked.append(
                (self.command, self.path, {name.lower(): value for name, value in self.headers.items()})
            )
            status, headers, body = script.next()
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = answer  # noqa: N815

        def log_message(self, *arguments: Any) -> None:
            return None

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def transport(url: str) -> Iterator[Transport]:
    with Transport(url, "yard_abcdefgh_secret", 5) as made:
        yield made


def refusal(code: str, message: str = "no", **details: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "details": details, "request_id": "r1"}}


def test_every_code_of_the_table_has_its_class() -> None:
    assert set(HTTP_STATUS) == set(CLASSES)
    assert CLASSES["in_use"] is errors.InUse


@pytest.mark.parametrize("code", sorted(HTTP_STATUS))
def test_the_servers_error_is_raised_as_its_class(transport: Transport, script: Script, code: str) -> None:
    script.then(HTTP_STATUS[code], refusal(code, "the message", column="age"))
    with pytest.raises(ModelyardError) as raised:
        transport.send("POST", "/x")
    assert type(raised.value) is CLASSES[code]
    assert raised.value.message == "the message"
    assert raised.value.details == {"column": "age", "request_id": "r1"}


def test_a_code_of_a_newer_server_is_kept(transport: Transport, script: Script) -> None:
    script.then(418, refusal("teapot"))
    with pytest.raises(ModelyardError) as raised:
        transport.send("POST", "/x")
    assert raised.value.details["code"] == "teapot"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": "text"}', b'{"error": {}}', b"\xff"])
def test_another_servers_error_names_the_status(transport: Transport, script: Script, body: bytes) -> None:
    script.then(404, body)
    with pytest.raises(ModelyardError, match=r"status 404 .*is this the address of a Modelyard server"):
        transport.send("POST", "/x")


@pytest.mark.parametrize("body", [b"", b"<html>hello", b"\xff"])
def test_an_answer_that_is_no_json_is_another_servers(transport: Transport, script: Script, body: bytes) -> None:
    script.then(200, body)
    with pytest.raises(ModelyardError, match=r"status 200 and no JSON: is this the address of a Modelyard server"):
        transport.get("/x")


@pytest.mark.parametrize("body", [b"{}", b"3", b'{"results": 3}'])
def test_nor_is_one_without_a_list_ours(transport: Transport, script: Script, body: bytes) -> None:
    script.then(200, body)
    with pytest.raises(ModelyardError, match="is this the address of a Modelyard server"):
        list(transport.pages("/x"))


def test_an_answer_that_cannot_be_unpacked_is_an_error_of_ours(transport: Transport, script: Script) -> None:
    script.then(200, b"no gzip", **{"content-encoding": "gzip"})
    with pytest.raises(Unavailable):
        transport.get("/x")
    with pytest.raises(Unavailable):
        transport.download("/x", lambda chunk: None, lambda done, total: None)


def test_no_proxy_stands_before_this_machine(url: str, script: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    script.then(200, {"fine": True})
    with Transport(url, None, 5) as transport:
        assert transport.get("/x") == {"fine": True}


@pytest.mark.parametrize(
    ("url", "own"), [("http://localhost:1", True), ("http://[::1]", True), ("http://h.com", False)]
)
def test_what_is_this_machine(url: str, own: bool) -> None:
    assert is_loopback(url) is own


@pytest.mark.parametrize("status", [502, 503, 504])
def test_reading_is_tried_again(transport: Transport, script: Script, status: int) -> None:
    script.then(status).then(200, {"fine": True})
    assert transport.get("/x") == {"fine": True}
    assert len(script.asked) == 2


def test_reading_is_given_up_after_three_tries(transport: Transport, script: Script) -> None:
    script.then(503, refusal("unavailable"))
    with pytest.raises(Unavailable):
        transport.get("/x")
    assert len(script.asked) == 3


@pytest.mark.parametrize("status", [500, 502, 503])
def test_changing_is_never_tried_again(transport: Transport, script: Script, status: int) -> None:
    script.then(status, **{"retry-after": "0"})
    with pytest.raises(ModelyardError):
        transport.send("POST", "/x", json={})
    assert len(script.asked) == 1


def test_a_prediction_is_asked_again_when_told_so(transport: Transport, script: Script) -> None:
    script.then(503, refusal("unavailable"), **{"retry-after": "0"}).then(200, {})
    assert transport.send("POST", "/predict/iris", json={}, tries=3, repeat_only_if_told=True).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"retry-after": "3600"}, {"retry-after": "soon"}])
def test_a_prediction_is_not_asked_again_otherwise(
    transport: Transport, script: Script, headers: dict[str, str]
) -> None:
    script.then(503, refusal("unavailable"), **headers)
    with pytest.raises(Unavailable):
        transport.send("POST", "/predict/iris", json={}, tries=3, repeat_only_if_told=True)
    assert len(script.asked) == 1


def test_a_spent_quota_is_not_asked_again(transport: Transport, script: Script) -> None:
    script.then(429, refusal("quota_exceeded"), **{"retry-after": "0"})
    with pytest.raises(QuotaExceeded):
        transport.get("/x")
    assert len(script.asked) == 1


def test_pages_follow_each_other_on_this_server_whatever_host_the_next_one_names(
    transport: Transport, script: Script
) -> None:
    script.then(200, {"results": [1, 2], "next": "https://elsewhere.example.com/other?page=2&state=ready"})
    script.then(200, {"results": [3], "next": None})
    assert list(transport.pages("/list", {"state": "ready"})) == [1, 2, 3]
    assert [path for _, path, _ in script.asked] == ["/list?state=ready", "/list?state=ready&page=2"]


def test_the_key_is_sent_as_bearer_and_no_redirect_is_followed(transport: Transport, script: Script) -> None:
    script.then(302, **{"location": "http://elsewhere.example.com/"})
    with pytest.raises(ModelyardError, match="status 302"):
        transport.get("/x")
    assert script.asked[0][2]["authorization"] == "Bearer yard_abcdefgh_secret"


def test_nobody_there(free_port: int) -> None:
    with (
        Transport(f"http://127.0.0.1:{free_port}", None, 5) as transport,
        pytest.raises(Unavailable, match="modelyard up"),
    ):
        transport.get("/x")


def test_who_meets_no_server_reads_that_last_and_no_chain_before_it(free_port: int) -> None:
    """In a script the error's traceback is what a person sees: it held sixty lines of the transport beneath."""
    with (
        Transport(f"http://127.0.0.1:{free_port}", None, 5) as nobody,
        pytest.raises(Unavailable) as error,
    ):
        nobody.get("/x")
    shown = "".join(traceback.format_exception(error.value))
    assert "httpcore" not in shown
    assert "httpx2" not in shown.replace("httpx2.Response", "")


def test_a_silent_server(free_port: int) -> None:
    with (
        socket.create_server(("127.0.0.1", free_port)),
        Transport(f"http://127.0.0.1:{free_port}", None, 0.1) as silent,
        pytest.raises(Unavailable, match="did not answer in time"),
    ):
        silent.get("/x")


def test_of_a_change_without_an_answer_nobody_is_told_to_ask_again(free_port: int) -> None:
    with (
        socket.create_server(("127.0.0.1", free_port)),
        Transport(f"http://127.0.0.1:{free_port}", None, 0.1) as silent,
        pytest.raises(Unavailable, match="it may have done what was asked, so look before you ask again"),
    ):
        silent.send("POST", "/x")


def test_a_download_has_a_name_without_a_path(transport: Transport, script: Script) -> None:
    script.then(200, b"bytes", **{"content-disposition": 'attachment; filename="../../etc/iris.pkl"'})
    parts: list[bytes] = []
    seen: list[tuple[int, int | None]] = []
    assert transport.download("/x", parts.append, lambda done, total: seen.append((done, total))) == "iris.pkl"
    assert b"".join(parts) == b"bytes"
    assert seen[-1] == (5, 5)


def test_a_refused_download_is_an_error(transport: Transport, script: Script) -> None:
    script.then(404, refusal("not_found"))
    with pytest.raises(errors.NotFound):
        transport.download("/x", lambda chunk: None, lambda done, total: None)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:8000",
        "ftp://x",
        "http://",
        "/t/demo",
        "http://[::1",
        "http://h:abc",
        "http://h:99999",
        "http://h:0",
        "http://a..b",
        "http://h/?x=1",
        "http://h/#x",
        "http://h h",
        "http://h\n:80",
    ],
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"http://127\.0\.0\.1:8000"):
        check_url(url)


def test_a_password_in_the_address_is_refused_without_being_shown() -> None:
    with pytest.raises(InvalidInput) as raised:
        check_url("http://me:hidden@example.com")
    assert "hidden" not in raised.value.message


@pytest.mark.parametrize("url", ["http://me:hidden@example.com:port", "me:hidden@example.com"])
def test_nor_is_it_shown_of_an_address_that_is_none(url: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        check_url(url)
    assert "hidden" not in raised.value.message


@pytest.mark.parametrize("key", ["yard_x\n", "yard x", "schlüssel"])
def test_a_key_that_is_no_header_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        Transport("http://127.0.0.1", key, 1)
    assert key not in raised.value.message
