"""A Django project of somebody else's, in which Modelyard is an app among others, under each server that runs such."""

import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import Perceptron
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modelyard.exchange.medium import FolderMedium
from modelyard.exchange.records import Answered, Event, Failed
from modelyard.exchange.segments import read_segment
from tests.servers import forked
from tests.servers.modelyard import environment
from tests.servers.shared import free_port

PROJECT = Path(__file__).parent / "project"
PASSWORD = "narcissus-poeticus-1753"
COLUMNS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
START_SECONDS = 90.0
SET_UP = """
from django.contrib.auth import get_user_model
from flowers.models import Bed, Flower
get_user_model().objects.create_superuser("root@garden.nl", "%s")
bed = Bed.objects.create(name="south", petal_width=2.3)
for row in %s:
    Flower.objects.create(**row, bed=bed)
"""


@dataclass
class Garden:
    """The project with a database and a home of its own, its worker and its housekeeper.

    Attributes:
        rows: measurements of 15 flowers, as they are in its table too.
        expected: what the fitted estimator says of each.
        key: of the tenant `garden`.
    """

    place: Path
    rows: list[dict[str, float]]
    expected: list[int]
    files: dict[str, Path]
    key: str = ""
    processes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.place / "modelyard"

    @property
    def environment(self) -> dict[str, str]:
        told = environment(GARDEN_PLACE=str(self.place), DJANGO_SETTINGS_MODULE="garden.settings")
        return {**told, "PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1", "HOME": str(self.place)}

    def manage(self, *words: object, check: bool = True, **more: str) -> "subprocess.CompletedProcess[str]":
        """Run `manage.py` to its end."""
        done = forked.run(["manage.py", *words], environment={**self.environment, **more}, folder=PROJECT)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def start(self, name: str, *command: object, **more: str) -> "subprocess.Popen[bytes]":
        with (self.place / f"{name}.out").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *map(str, command)],
                cwd=PROJECT, env={**self.environment, **more}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def said(self, name: str) -> str:
        return (self.place / f"{name}.out").read_text(errors="replace")

    def logged(self) -> list[str]:
        """Return the request part of each prediction id that was handed over to the control plane."""
        medium = FolderMedium(self.home / "exchange")
        kinds = Answered | Failed | Event
        payloads = [payload for key in medium.keys("spool/") for payload in read_segment(medium, key)]
        records = [msgspec.msgpack.decode(payload, type=kinds) for payload in payloads]
        return [record.id for record in records if isinstance(record, Answered)]

    def spooling(self) -> list[Path]:
        """Return the folders of processes that have not handed everything over."""
        return [path for path in (self.home / "spool").iterdir() if path.is_dir()]


@dataclass
class Server:
    """The project under one of the servers."""

    name: str
    url: str
    garden: Garden
    process: "subprocess.Popen[bytes]"
    client: httpx2.Client

    def ask(self, path: str, **more: Any) -> Any:
        answer = self.client.request("POST" if more else "GET", path, **more)
        assert answer.status_code == 200, answer.text[:2000] + self.garden.said(self.name)[-3000:]
        return answer.json()

    def stop(self) -> int:
        """End it as it is ended: servers by SIGTERM, the development server by Ctrl-C."""
        self.client.close()
        self.process.send_signal(signal.SIGINT if self.name == "runserver-noreload" else signal.SIGTERM)
        return self.process.wait(60)


def stop_all(garden: Garden) -> None:
    for process in garden.processes:
        if process.poll() is None:
            process.terminate()
    for process in garden.processes:
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("iris")
    rows, species = load_iris(return_X_y=True, as_frame=True)
    rows = rows.set_axis(COLUMNS, axis=1)
    model = make_pipeline(StandardScaler(), Perceptron(random_state=0)).fit(rows, species.to_numpy())
    (folder / "iris.pkl").write_bytes(pickle.dumps(model, protocol=4))
    rows.iloc[::3].to_csv(folder / "sample.csv", index=False)
    shown = rows.iloc[5::10]
    return {
        "files": {"model": folder / "iris.pkl", "sample": folder / "sample.csv"},
        "rows": shown.to_dict("records"),
        "expected": [int(one) for one in model.predict(shown)],
    }


@pytest.fixture(scope="session")
def garden(tmp_path_factory: pytest.TempPathFactory, fitted: dict[str, Any]) -> Iterator[Garden]:
    """The project as a developer sets it up: migrate, a tenant, a pushed and promoted model, all by manage.py."""
    made = Garden(tmp_path_factory.mktemp("garden"), **fitted)
    assert len(set(made.expected)) == 3
    try:
        made.manage("migrate", "-v0")
        made.manage("shell", "-v0", "-c", SET_UP % (PASSWORD, made.rows))
        made.manage("modelyard", "tenants", "create", "garden")
        made.manage("modelyard", "members", "add", "root@garden.nl", "--role", "admin")
        told = made.manage("modelyard", "keys", "create", "--name", "tests", "--scope", "admin", "--json")
        made.key = msgspec.json.decode(told.stdout)["key"]
        made.start("worker", "manage.py", "modelyard", "worker")
        made.start("tend", "manage.py", "modelyard", "tend")
        made.manage("modelyard", "push", made.files["model"], "--name", "iris", "--sample", made.files["sample"])
        made.manage("modelyard", "promote", "iris:1", "--reason", "the first one")
        yield made
    finally:
        stop_all(made)


COMMANDS: dict[str, list[str]] = {
    "runserver": ["manage.py", "runserver", "{port}"],
    "runserver-noreload": ["manage.py", "runserver", "--noreload", "{port}"],
    "gunicorn": ["-m", "gunicorn", "garden.wsgi", "-b", "127.0.0.1:{port}", "-w", "2", "--graceful-timeout", "20"],
    "gunicorn-preload": ["-m", "gunicorn", "garden.wsgi", "-b", "127.0.0.1:{port}", "-w", "2", "--preload"],
    "gunicorn-threads": ["-m", "gunicorn", "garden.wsgi", "-b", "127.0.0.1:{port}", "-w", "2", "--threads", "4"],
    "uvicorn": ["-m", "uvicorn", "garden.asgi:application", "--port", "{port}", "--lifespan", "on"],
    "uvicorn-plain": ["-m", "uvicorn", "garden.asgi:plain", "--port", "{port}"],
}


def serve(garden: Garden, name: str, **more: str) -> Server:
    port = free_port()
    process = garden.start(name, *(word.format(port=port) for word in COMMANDS[name]), **more)
    url = f"http://127.0.0.1:{port}"
    client = httpx2.Client(base_url=url, timeout=60, trust_env=False)
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            if client.get("/ml/health/ready").status_code == 200:
                return Server(name, url, garden, process, client)
        except httpx2.TransportError:
            pass
        assert process.poll() is None, garden.said(name)
        assert time.monotonic() < end, garden.said(name)
        time.sleep(0.1)
