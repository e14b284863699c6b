"""Both predictors, against a real data plane with nothing published, and a server that answers as it is told."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from modelyard.artifacts.filesystem import FilesystemStore
from modelyard.config.predictor import InProcess, OverHttp, predictor_for
from modelyard.control.tenancy.models import Tenant
from modelyard.core.errors import DeadlineExceeded, InvalidInput, ModelyardError, NotFound, Unavailable
from modelyard.core.settings import Settings
from modelyard.exchange import passes
from modelyard.exchange.medium import FolderMedium
from modelyard.exchange.publication import write_tenant
from modelyard.exchange.snapshot import TenantDocument
from modelyard.serving.core import Core

pytestmark = pytest.mark.django_db


class Told(HTTPServer):
    """Answers each POST with `answer`, and keeps what was asked."""

    answer: tuple[int, bytes] = (200, b"{}")
    asked: list[tuple[str, dict[str, str], bytes]]


class Handler(BaseHTTPRequestHandler):
    server: Told

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, dict(self.headers), body))
        status, answer = self.server.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def told() -> Iterator[Told]:
    server = Told(("127.0.0.1", 0), Handler)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def over_http(told: Told) -> Iterator[OverHttp]:
    predictor = OverHttp(f"http://127.0.0.1:{told.server_port}/", 5)
    yield predictor
    predictor.client.close()


def test_over_http_a_pass_is_brought(told: Told, over_http: OverHttp, tenant: Tenant) -> None:
    told.answer = (200, b'{"predictions": ["setosa"]}')
    assert over_http.predict(tenant, "iris@candidate", [{"a": 1}]) == {"predictions": ["setosa"]}
    path, headers, body = told.asked[0]
    assert path == "/predict/iris@candidate"
    assert json.loads(body) == {"rows": [{"a": 1}]}
    bearer = headers["Authorization"].removeprefix("Bearer ")
    assert passes.parse(bearer).tenant == str(tenant.pk)


@pytest.mark.parametrize("reference", ["../admin", "iris?x=1", "iris#x", "iris/../../v2", "a b"])
def test_a_reference_stays_one_part_of_the_path(
    told: Told, over_http: OverHttp, tenant: Tenant, reference: str
) -> None:
    over_http.predict(tenant, reference, [])
    path = told.asked[0][0]
    assert path.startswith("/predict/")
    assert not set("?# ") & set(path)
    assert path.count("/") == 2


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((404, b'{"error": {"code": "not_found", "message": "no such model"}}'), NotFound),
        ((400, b'{"error": {"code": "invalid_input", "message": "m", "details": {"column": "a"}}}'), InvalidInput),
        ((504, b'{"error": {"code": "deadline_exceeded", "message": "late"}}'), DeadlineExceeded),
        ((418, b'{"error": {"code": "never heard of", "message": "m"}}'), Unavailable),
        ((502, b"<html>bad gateway</html>"), Unavailable),
        ((500, b'{"error": "text"}'), Unavailable),
        ((200, b"[]"), Unavailable),
    ],
)
def test_over_http_refusals_are_raised(
    told: Told, over_http: OverHttp, tenant: Tenant, answer: tuple[int, bytes], kind: type[ModelyardError]
) -> None:
    told.answer = answer
    with pytest.raises(kind):
        over_http.predict(tenant, "iris", [{"a": 1}])


def test_a_data_plane_that_is_away_is_told(tenant: Tenant, free_port: int) -> None:
    predictor = OverHttp(f"http://127.0.0.1:{free_port}", 1)
    with pytest.raises(Unavailable, match="cannot be reached"):
        predictor.predict(tenant, "iris", [])
    predictor.client.close()


def test_in_process_the_core_answers(tenant: Tenant, tmp_path: Path) -> None:
    settings = Settings.read({}, home=tmp_path)
    medium = FolderMedium(settings.exchange)
    write_tenant(medium, TenantDocument(tenant=str(tenant.pk), name="yard", revision=1, mac_key=tenant.mac_key))
    core = Core(settings, medium, FilesystemStore(settings.artifacts))
    core.start()
    try:
        predictor = predictor_for(settings, core)
        assert isinstance(predictor, InProcess)
        with pytest.raises(NotFound):
            predictor.predict(tenant, "iris", [{"a": 1}])
    finally:
        core.stop()


def test_split_planes_are_asked_over_http() -> None:
    settings = Settings.read({"MODELYARD_EMBEDDED": "false", "MODELYARD_PREDICT_URL": "http://127.0.0.1:9"})
    predictor = predictor_for(settings, None)
    assert isinstance(predictor, OverHttp)
    assert predictor.url == "http://127.0.0.1:9"
    predictor.client.close()
