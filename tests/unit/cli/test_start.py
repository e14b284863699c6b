"""Whether something answers, and whether it is ours."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from modelyard.cli.home import TENANT
from modelyard.cli.start import answers, is_ours, is_served
from modelyard.core.plan import Arm, Plan
from modelyard.core.settings import Settings
from modelyard.exchange.medium import FolderMedium
from modelyard.exchange.publication import write_model, write_tenant
from modelyard.exchange.snapshot import ModelDocument, TenantDocument

REFUSAL = b'{"error": {"code": "invalid_input", "message": "no", "request_id": "r1"}}'


@pytest.fixture
def asked() -> Iterator[tuple[str, list[tuple[int, bytes]]]]:
    """A server and what it answers with."""
    said: list[tuple[int, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = said[0]
            if not status:
                self.wfile.write(b"SSH-2.0-x\r\n")
                return
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: Any) -> None:
            return None

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", said
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "there", "ours"),
    [
        (200, b'{"status": "ready"}', True, True),
        (400, REFUSAL, True, True),
        (503, REFUSAL, False, True),
        (404, b"<html>Not Found", True, False),
        (200, b"[]", True, False),
        (200, b'{"error": null}', True, False),
        (0, b"", False, False),
    ],
)
def test_what_answers(
    asked: tuple[str, list[tuple[int, bytes]]], status: int, body: bytes, there: bool, ours: bool
) -> None:
    url, said = asked
    said.append((status, body))
    assert (answers(url), is_ours(url)) == (there, ours)


def test_nothing_answers(free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}"
    assert (answers(url), is_ours(url)) == (False, False)


def test_no_proxy_is_asked(asked: tuple[str, list[tuple[int, bytes]]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    url, said = asked
    said.append((200, b""))
    assert answers(url)


def test_a_model_is_served_while_a_plan_names_a_version(tmp_path: Path) -> None:
    """The line to copy at a start is of the demo: it may have been stopped, or deleted, or never pushed."""
    settings = Settings.of({"HOME": tmp_path})
    medium = FolderMedium(settings.exchange)

    def publish(revision: int, name: str, **plans: Plan) -> bool:
        documents = {
            model: write_model(medium, "1", ModelDocument(model=model, plan=plan, versions={}))
            for model, plan in plans.items()
        }
        document = TenantDocument(tenant="1", name=name, revision=revision, mac_key="0" * 64, models=documents)
        write_tenant(medium, document)
        return is_served(settings, "iris")

    serving = Plan(arms=(Arm(1, 1.0),))
    assert not is_served(settings, "iris")
    assert not publish(1, TENANT, wine=serving)
    assert publish(2, TENANT, wine=serving, iris=serving)
    assert not publish(3, TENANT, iris=Plan())
    assert not publish(4, "another", iris=serving)
    (tmp_path / "exchange" / "index.json").write_bytes(b"rot")
    assert not is_served(settings, "iris")
