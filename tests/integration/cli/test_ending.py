"""How long a server that shall end waits for a request that it has accepted."""

import signal
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

from tests.servers.modelyard import COMMAND, environment

HALF = b"POST /sign-in/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nhalf"


def wait_until_ready(port: int) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5):
                return
        except OSError:
            assert time.monotonic() < end, "it did not start"
            time.sleep(0.1)


def test_a_web_process_waits_as_long_as_a_request_may_take(tmp_path: Path, free_port: int) -> None:
    told = environment(MODELYARD_HOME=str(tmp_path / "home"), MODELYARD_REQUEST_TIMEOUT_SECONDS="1")
    subprocess.run([str(COMMAND), "init"], env=told, check=True, capture_output=True, timeout=120)
    web = subprocess.Popen([str(COMMAND), "web", "--port", str(free_port)], env=told, stderr=subprocess.DEVNULL)
    try:
        wait_until_ready(free_port)
        with socket.create_connection(("127.0.0.1", free_port)) as caller:
            caller.sendall(HALF)
            time.sleep(0.5)
            began = time.monotonic()
            web.send_signal(signal.SIGTERM)
            web.wait(60)
            took = time.monotonic() - began
    finally:
        web.kill()
        web.wait()
    assert 5 < took < 15
