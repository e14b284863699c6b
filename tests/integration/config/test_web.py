"""The web process as a process: it starts, answers on both planes, and stops."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from modelyard.config.folders import lay_out

ROOT = Path(__file__).parents[3]
SERVER = """
import sys, uvicorn
uvicorn.run("modelyard.config.asgi:application", port=int(sys.argv[1]), http="httptools", ws="none", lifespan="on",
            log_config=None, access_log=False, server_header=False)
"""


def environment(home: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MODELYARD_", "DJANGO_"))}
    return {**kept, "MODELYARD_HOME": str(home), "DJANGO_SETTINGS_MODULE": "modelyard.config.settings", **more}


class Web:
    def __init__(self, home: Path, port: int, **more: str) -> None:
        told = environment(home, MODELYARD_PORT=str(port), **more)
        lay_out(told)
        subprocess.run([sys.executable, "-m", "django", "migrate", "-v0"], env=told, cwd=ROOT, check=True)
        self.log = (home / "log").open("wb")
        self.process = subprocess.Popen([sys.executable, "-c", SERVER, str(port)], env=told, cwd=ROOT, stderr=self.log)
        self.client = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=20, trust_env=False)
        end = time.monotonic() + 60
        while True:
            try:
                if self.client.get("/health/ready").status_code == 200:
                    break
            except httpx2.TransportError:
                pass
            assert self.process.poll() is None, (home / "log").read_text()
            assert time.monotonic() < end, "it did not start"
            time.sleep(0.1)

    def stop(self) -> int:
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        self.log.close()
        return code


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    from tests.servers import shared

    started = Web(tmp_path_factory.mktemp("home"), shared.free_port(), MODELYARD_MAX_UPLOAD_BYTES="4000000")
    yield started
    started.stop()


def test_both_planes_answer(web: Web) -> None:
    assert web.client.get("/health/live").json() == {"status": "live"}
    assert web.client.get("/v2/health/live").status_code == 200
    assert web.client.get("/api/v1/keys/").status_code == 401
    refused = web.client.post("/predict/iris", json={"rows": []})
    assert refused.status_code == 401
    assert refused.json()["error"]["code"] == "unauthenticated"


def test_static_files_come_with_their_type(web: Web) -> None:
    answer = web.client.get("/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui.css")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/css")
    again = {"If-None-Match": answer.headers["etag"]} if "etag" in answer.headers else {
        "If-Modified-Since": answer.headers["last-modified"]
    }  # fmt: skip
    assert web.client.get(answer.request.url.path, headers=again).status_code == 304
    assert web.client.get("/static/../settings.py").status_code == 404
    assert web.client.get("/static/%2e%2e/%2e%2e/settings.py").status_code == 404


def test_a_large_body_gets_its_answer(web: Web) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(64):
            yield b"x" * 131_072

    for content in (chunks(), b"x" * (8 << 20)):
        answer = web.client.post("/api/v1/keys/", content=content)
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "too_large"
    assert web.client.get("/health/live").status_code == 200


def test_it_starts_without_a_secret_and_keeps_one(web: Web, tmp_path: Path) -> None:
    command = [sys.executable, "-c", "import modelyard.config.wsgi"]
    done = subprocess.run(command, env=environment(tmp_path), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("secret", ["changeme", "x" * 50, ""])
def test_it_refuses_to_start_with_a_weak_secret(tmp_path: Path, secret: str) -> None:
    told = environment(tmp_path, MODELYARD_SECRET_KEY=secret)
    command = [sys.executable, "-m", "django", "check"]
    done = subprocess.run(command, env=told, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "MODELYARD_SECRET_KEY" in done.stderr


def test_it_stops_when_told(tmp_path: Path, free_port: int) -> None:
    started = Web(tmp_path, free_port, MODELYARD_EMBEDDED="false")
    assert started.client.get("/v2/health/live").status_code == 404
    began = time.monotonic()
    assert started.stop() in (0, -signal.SIGTERM)
    assert time.monotonic() - began < 15
    assert "Traceback" not in (tmp_path / "log").read_text()
