"""The servers that tests start are real, and each test run has one of each."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import boto3
import psycopg
import pytest
from kombu import Connection

from tests.servers import modelyard, programs, shared
from tests.servers import redis as redis_server

ROOT = Path(__file__).parents[3]


def test_postgresql_answers(postgresql: str) -> None:
    with psycopg.connect(postgresql) as connection:
        row = connection.execute("SELECT 6 * 7").fetchone()
    assert row == (42,)


def test_rabbitmq_hands_a_message_on(rabbitmq: str) -> None:
    with Connection(rabbitmq) as connection:
        queue = connection.SimpleQueue("greetings")
        queue.put({"hello": "yard"})
        message = queue.get(timeout=10)
        message.ack()
        queue.close()
    assert message.payload == {"hello": "yard"}


def test_redis_answers(redis: str) -> None:
    host, _, port = redis.removeprefix("redis://").removesuffix("/0").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(16) == b"+PONG\r\n"


def test_s3_keeps_bytes(s3: str) -> None:
    client = boto3.client(
        "s3", endpoint_url=s3, aws_access_key_id="any", aws_secret_access_key="any", region_name="us-east-1"
    )
    client.create_bucket(Bucket="yard")
    client.put_object(Bucket="yard", Key="greeting", Body=b"hello")
    body = client.get_object(Bucket="yard", Key="greeting")["Body"]
    with body:
        assert body.read() == b"hello"
    client.close()


def test_a_server_is_started_once_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    outer = os.environ[shared.VARIABLE]
    monkeypatch.delenv(shared.VARIABLE)
    assert shared.begin_run()
    assert not shared.begin_run()
    folder = Path(os.environ[shared.VARIABLE])
    first = shared.running("redis", redis_server.start)
    assert shared.running("redis", redis_server.start) == first
    os.kill(first.pids[0], 0)

    shared.end_run()

    assert not folder.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(first.pids[0], 0)
    monkeypatch.setenv(shared.VARIABLE, outer)


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    process = shared.launch(["sh", "-c", "echo no room left; exit 3"], tmp_path)
    with pytest.raises(RuntimeError, match="no room left"):
        shared.wait_until(lambda: False, process, tmp_path)


def test_a_process_that_ignores_the_request_to_end_is_ended(tmp_path: Path) -> None:
    process = shared.launch(["sleep", "60"], tmp_path)
    os.kill(process.pid, signal.SIGSTOP)
    shared.end(process.pid, grace_seconds=0.1)
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_a_server_that_outlives_its_starter_is_no_warning(tmp_path: Path) -> None:
    """As an xdist process does, which started a server that another one ends."""
    program = "from pathlib import Path; from tests.servers import shared; import sys; "
    program += "print(shared.launch(['sleep', '60'], Path(sys.argv[1])).pid); shared.let_go()"
    command = [sys.executable, "-W", "error", "-c", program, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    shared.end(int(done.stdout))
    assert done.stderr == ""


def test_what_a_supervisor_starts_again_is_ended_too(tmp_path: Path) -> None:
    restarting = ["sh", "-c", 'while :; do MODELYARD_HOME="$2" sleep 60; done', "sh", "--home", str(tmp_path)]
    supervisor = subprocess.Popen(restarting)
    while len(modelyard.processes_of(tmp_path)) < 2:
        assert supervisor.poll() is None
    modelyard.end_all(tmp_path)
    assert supervisor.wait(10) == -signal.SIGKILL
    assert modelyard.processes_of(tmp_path) == []


def test_a_missing_program_names_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_look", lambda program: None)
    with pytest.raises(RuntimeError, match="apt-get install -y --no-install-recommends redis-server"):
        programs.find("redis-server")
    assert programs.missing() == sorted(set(programs.PACKAGES.values()))
