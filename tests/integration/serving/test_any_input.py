"""Whatever is sent, on whatever path and by whichever door: never a 500, and always our form."""

import asyncio
import io
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelyard.core.settings import Settings
from modelyard.serving.core import Core
from modelyard.serving.doors.asgi import AsgiDoor
from modelyard.serving.doors.wsgi import WsgiDoor
from modelyard.serving.message import Request, Response
from tests.integration.serving.yard import IRIS, SECRET, Trained, Yard

KEY = f"Bearer {SECRET}"


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory, iris: Trained) -> Iterator[Core]:
    home = tmp_path_factory.mktemp("any")
    yard = Yard(home, Settings.read({}, home=home, max_body_bytes=100_000))
    yard.publish("iris", {1: yard.version(iris, 11)})
    core = Core(yard.settings, yard.medium, yard.store)
    core.start()
    assert core.pickup.settled.wait(60)
    yield core
    core.stop()


def send(core: Core, method: str, path: str, body: bytes) -> Response:
    there = threading.Event()
    responses: list[Response] = []
    headers = [(b"authorization", KEY.encode())]
    core.begin(Request(method, path, "", headers, body), lambda response: (responses.append(response), there.set())[0])
    assert there.wait(30)
    return responses[0]


def by_asgi(core: Core, method: str, path: str, body: bytes, pieces: int = 1) -> tuple[int, bytes]:
    size = max(1, -(-len(body) // pieces))
    parts = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
    messages = [
        {"type": "http.request", "body": part, "more_body": place < len(parts) - 1} for place, part in enumerate(parts)
    ]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def put(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", KEY.encode())]
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": headers}
    asyncio.run(AsgiDoor(core)(scope, receive, put))
    return sent[0]["status"], sent[1]["body"]


def by_wsgi(core: Core, method: str, path: str, body: bytes) -> tuple[int, bytes]:
    status: list[str] = []
    environment = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path.encode().decode("latin-1"),
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_AUTHORIZATION": KEY,
        "wsgi.input": io.BytesIO(body),
    }
    parts = WsgiDoor(core)(environment, lambda line, headers: status.append(line))
    return int(status[0][:3]), b"".join(parts)


SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats() | st.text(max_size=6) | st.just(10**400)
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=3), inner))
ROW = st.dictionaries(st.sampled_from([*IRIS, "other"]), SCALARS, max_size=5)
ROWS = st.fixed_dictionaries(
    {"rows": st.lists(ROW | VALUES, max_size=4)}, optional={"entity_ids": VALUES, "options": VALUES}
)
DATA = st.fixed_dictionaries(
    {"data": st.lists(st.lists(SCALARS, max_size=5) | VALUES, max_size=4)}, optional={"columns": VALUES}
)
TENSOR = st.fixed_dictionaries(
    {
        "name": st.sampled_from([*IRIS, "x"]),
        "shape": st.lists(st.integers(-2, 5) | st.just(10**15), max_size=3),
        "datatype": st.sampled_from(["FP64", "INT8", "BYTES", "BOOL", "UINT64", "FP16", "x"]),
    },
    optional={"data": st.lists(SCALARS, max_size=6) | VALUES, "parameters": VALUES},
)
TENSORS = st.fixed_dictionaries(
    {"inputs": st.lists(TENSOR | VALUES, max_size=4)}, optional={"id": VALUES, "outputs": VALUES}
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS | DATA | TENSORS | VALUES, st.sampled_from(["/predict/iris", "/v2/models/iris/infer"]))
def test_any_body_is_answered_or_refused(core: Core, body: Any, path: str) -> None:
    response = send(core, "POST", path, json.dumps(body).encode())
    assert response.status in (200, 400, 413, 415), (response.body, body)
    json.loads(response.body)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["GET", "POST", "PUT", "X"]),
    st.text(max_size=30),
    st.sampled_from(["/predict/", "/v2/models/", "/v2/", "/"]),
)
def test_any_path_is_found_or_not(core: Core, method: str, tail: str, head: str) -> None:
    response = send(core, method, head + tail, b"{}")
    assert response.status in (200, 400, 404, 405), (response.body, tail)
    json.loads(response.body)


GOOD = json.dumps({"data": [[5.1, 3.5, 1.4, 0.2]]}).encode()
CASES = [
    ("POST", "/predict/iris", GOOD),
    ("POST", "/predict/iris", b'{"rows": [{"sepal length (cm)": 1, "sepal length (cm)": 2}]}'),
    ("POST", "/predict/iris", b'{"a":' * 50_000),
    ("POST", "/predict/iris", b'{"data": [' + b"[1,2,3,4]," * 9_000 + b"[1,2,3,4]]}"),
    ("POST", "/predict/iris", b" " * 100_001),
    ("POST", "/predict/\u00fc/../x", b""),
    ("GET", "/predict/iris", b""),
    ("GET", "/v2/health/ready", b""),
]


@pytest.mark.parametrize(("method", "path", "body"), CASES, ids=range(len(CASES)))
def test_the_doors_answer_alike(core: Core, method: str, path: str, body: bytes) -> None:
    def plain(answer: tuple[int, bytes]) -> tuple[int, Any]:
        read = json.loads(answer[1])
        read.pop("prediction_ids", None)
        if isinstance(read.get("error"), dict):
            read["error"].pop("request_id")
        return answer[0], read

    wsgi = plain(by_wsgi(core, method, path, body))
    assert plain(by_asgi(core, method, path, body)) == wsgi
    assert plain(by_asgi(core, method, path, body, pieces=7)) == wsgi
    assert wsgi[0] < 500
