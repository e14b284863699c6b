"""Background work at the terminal: a file that never opens is pushed, followed, and cancelled."""

import json
import os
import pickle
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from modelyard.client import Client
from modelyard.core.errors import Unavailable
from tests.acceptance.command.conftest import Iris, Run, Yard, command
from tests.servers import modelyard as modelyard_server
from tests.servers import shared


class Hanging:
    """A pickle that never opens."""

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, ("import time\nwhile True: time.sleep(1)",)


@pytest.fixture
def hanging(run: Run, yard: Yard, tmp_path: Path) -> str:
    """A job that runs, and would for minutes."""
    path = tmp_path / "hanging.pkl"
    path.write_bytes(pickle.dumps(Hanging(), protocol=4))
    name = f"hanging-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    job = str(run("push", path, "--name", name, "--no-wait", "--json").json["result"]["job"])
    with Client(yard.url, yard.key) as client:
        while "sandbox" not in client.job(job).message:
            time.sleep(0.1)
    return job


def test_a_job_is_watched_left_alone_and_cancelled(run: Run, yard: Yard, hanging: str) -> None:
    rows = run("jobs", "list", "--state", "running", "--kind", "registration", "--json").json
    assert hanging in [row["id"] for row in rows]
    assert hanging in (listed := run("jobs", "list").out)
    assert f"hanging-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}:1" in listed
    environment = modelyard_server.environment(MODELYARD_URL=yard.url, MODELYARD_KEY=yard.key)
    watching = subprocess.Popen(
        [str(modelyard_server.COMMAND), "jobs", "watch", hanging, "--json"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert watching.stdout is not None
    assert json.loads(watching.stdout.readline())["event"] == "state"
    watching.send_signal(signal.SIGINT)
    _, err = watching.communicate(timeout=20)
    assert watching.returncode == 130
    assert "the job goes on" in err
    assert f"jobs cancel {hanging}" in err
    assert run("jobs", "show", hanging, "--json").json["state"] == "running"
    cancelled = run("jobs", "cancel", hanging)
    assert "is being cancelled" in cancelled.out
    assert f"/api/v1/jobs/{hanging}/cancel" in cancelled.out
    followed = run("jobs", "watch", hanging)
    assert (followed.code, "the job was cancelled" in followed.err) == (1, True)
    assert "cancelled it" in followed.out
    shown = run("jobs", "show", hanging[:8])
    assert "state    cancelled" in shown.out
    assert f"{yard.url}/t/demo/jobs/{hanging}/" in shown.out
    refused = run("jobs", "cancel", hanging)
    assert (refused.code, "has ended" in refused.err) == (1, True)
    assert "where its kind can be repeated" in cancelled.out
    refused = run("jobs", "again", hanging)
    assert (refused.code, "cannot be run again" in refused.err) == (1, True)


def test_a_job_that_succeeded_is_watched_to_its_end(run: Run, iris: Iris) -> None:
    name = f"watched-{os.environ.get('PYTEST_XDIST_WORKER', 'alone')}"
    pushed = run("push", iris.pipeline, "--name", name, "--sample", iris.sample, "--no-wait", "--json")
    job = pushed.json["result"]["job"]
    followed = run("jobs", "watch", job, "--json")
    events = [json.loads(line) for line in followed.out.splitlines()]
    assert (followed.code, events[-1]["event"], events[-1]["data"]["state"]) == (0, "end", "succeeded")
    assert events[-1]["data"]["outcome"]["model"] == name
    followed = run("jobs", "watch", job[:8])
    assert f"registration {job}: {name}:1" in followed.err
    assert f"the job has succeeded: {name}:1 is ready" in followed.err
    assert f"version  {name}:1" in run("jobs", "show", job).out
    assert "no job begins with 'ffffffff'" in run("jobs", "show", "ffffffff").err
    assert "no job is of kind search" in run("jobs", "list", "--kind", "search").out


@pytest.mark.parametrize("name", ["x", "../keys", "6d1d1c40-0000-4000-8000-000000000000"])
def test_what_is_no_job_is_said_so(run: Run, name: str) -> None:
    for verb in ("show", "watch", "cancel", "again"):
        answer = run("jobs", verb, name)
        assert answer.code == 1
        assert "Traceback" not in answer.err


def test_the_web_process_ends_though_somebody_follows_a_job(tmp_path: Path, iris: Iris) -> None:
    """Without a worker the job stays queued, and its stream open."""
    home, port = tmp_path / "home", shared.free_port()
    made = command("init", "--home", home, "--json").json
    web = subprocess.Popen(
        [str(modelyard_server.COMMAND), "web", "--home", str(home), "--port", str(port)],
        env=modelyard_server.environment(), stderr=subprocess.DEVNULL,
    )  # fmt: skip
    with Client(f"http://127.0.0.1:{port}", made["key"]) as client:
        try:
            while True:
                try:
                    version = client.push(iris.pipeline, name="iris", sample=iris.sample, wait=False)
                    break
                except Unavailable:
                    assert web.poll() is None
                    time.sleep(0.2)
            watching = client.watch(str(version.job))
            assert next(watching).kind == "state"
            began = time.monotonic()
            web.send_signal(signal.SIGTERM)
            assert web.wait(60) in (0, -signal.SIGTERM)
            assert time.monotonic() - began < 10
            watching.close()  # type: ignore[attr-defined]
        finally:
            web.kill()
            web.wait()
