"""The WSGI door with a real core behind it: answers, bounds on what it reads, and what HEAD may not have."""

import io
import json
from collections.abc import Iterator
from typing import Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from modelyard.serving.core import Core
from modelyard.serving.doors.wsgi import WsgiDoor
from tests.integration.serving.yard import SECRET, Trained, Yard


@pytest.fixture(scope="module")
def door(shared_yard: Yard, iris: Trained) -> Iterator[WsgiDoor]:
    shared_yard.publish("iris", {1: shared_yard.version(iris, 11)})
    core = Core(shared_yard.settings, shared_yard.medium, shared_yard.store)
    core.start()
    yield WsgiDoor(core)
    core.stop()


def ask(door: WsgiDoor, method: str, path: str, body: bytes = b"", **more: Any) -> tuple[int, dict[str, str], bytes]:
    environment: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_AUTHORIZATION": f"Bearer {SECRET}",
        "wsgi.input": io.BytesIO(body),
        **more,
    }
    setup_testing_defaults(environment)
    told: list[Any] = []
    given = validator(door)(environment, lambda *started: told.extend(started))
    answer = b"".join(given)
    given.close()
    return int(told[0].split()[0]), dict(told[1]), answer


def test_a_prediction(door: WsgiDoor, iris: Trained) -> None:
    status, headers, body = ask(door, "POST", "/predict/iris", json.dumps({"rows": iris.sample(2)}).encode())
    assert (status, headers["content-length"]) == (200, str(len(body)))
    assert json.loads(body)["predictions"] == [0, 0]


class Endless(io.RawIOBase):
    """A body without end, that counts what is read of it."""

    def __init__(self) -> None:
        self.given = 0

    def read(self, size: int = -1) -> bytes:
        self.given += size
        return b" " * size


@pytest.mark.parametrize("length", ["99999999999", "0" * 30 + "99999999999", "9" * 4000, None])
def test_a_body_over_the_bound_is_not_read_on(door: WsgiDoor, length: str | None) -> None:
    body = Endless()
    more = {"CONTENT_LENGTH": length} if length else {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}
    status, _, _ = ask(door, "POST", "/predict/iris", **{"wsgi.input": body, **more})
    assert status == 413
    assert body.given <= (9 << 20 if length is None else 0)


@pytest.mark.parametrize(("length", "body"), [("x", b""), ("-1", b""), ("\u0663", b""), ("10", b"{}")])
def test_a_length_that_does_not_fit_is_refused(door: WsgiDoor, length: str, body: bytes) -> None:
    environment = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/predict/iris",
        "CONTENT_LENGTH": length,
        "wsgi.input": io.BytesIO(body),
    }
    told: list[str] = []
    answer = door(environment, lambda status, headers: told.append(status))
    assert told[0].startswith("400")
    assert b"invalid_input" in b"".join(answer)


def test_head_has_the_headers_alone(door: WsgiDoor) -> None:
    status, headers, body = ask(door, "HEAD", "/v2/health/live")
    assert (status, body) == (405, b"")
    assert int(headers["content-length"]) > 0
