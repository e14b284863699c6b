"""Short leases, handlers for every test, and real workers and housekeepers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("handlers.py")
ROOT = Path(__file__).parents[4]


class Processes:
    """Workers and housekeepers on the test's database, with a home folder of their own."""

    def __init__(self, home: Path, environment: dict[str, str]) -> None:
        self.home = home
        self.environment = environment
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, role: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(SCRIPT), role]
        process = subprocess.Popen(command, env=self.environment, cwd=ROOT, stderr=subprocess.DEVNULL)
        self.running.append(process)
        return process

    def stop(self) -> None:
        for process in self.running:
            process.kill()
        for process in self.running:
            process.wait()


@pytest.fixture
def short_leases(settings: Any) -> None:
    from modelyard.core.settings import Settings

    given = {
        "home": settings.MODELYARD.home,
        "job_lease_seconds": 1.0,
        "job_resend_seconds": 1.0,
        "job_retry_seconds": 0.01,
    }
    settings.MODELYARD = Settings.read({}, **given)


@pytest.fixture
def processes(transactional_db: None, tmp_path: Path) -> Iterator[Processes]:
    from django.db import connection

    environment = {name: value for name, value in os.environ.items() if not name.startswith("MODELYARD_")}
    environment |= {
        "MODELYARD_HOME": str(tmp_path / "home"),
        "MODELYARD_SECRET_KEY": "0123456789abcdef" * 4,
        "MODELYARD_JOB_LEASE_SECONDS": "2",
        "MODELYARD_JOB_RESEND_SECONDS": "1",
        "MODELYARD_JOB_RETRY_SECONDS": "0.1",
        "PYTHONPATH": str(ROOT),
    }
    described = connection.settings_dict
    if connection.vendor == "sqlite":
        environment["TEST_SQLITE"] = str(described["NAME"])
    else:
        login = f"{described['USER']}:{described['PASSWORD'] or ''}"
        place = f"{described['HOST'] or '127.0.0.1'}:{described['PORT']}"
        environment["MODELYARD_DATABASE_URL"] = f"postgres://{login}@{place}/{described['NAME']}"
    made = Processes(tmp_path / "home", environment)
    yield made
    made.stop()


@pytest.fixture
def kind() -> Iterator[Callable[[str, Any], str]]:
    """Register a handler for the length of the test: `kind("sum", Summing())`."""
    from modelyard.control.jobs import handlers

    made: list[str] = []

    def register(name: str, handler: Any) -> str:
        handlers.register(name, handler)
        made.append(name)
        return name

    yield register
    for name in made:
        handlers.unregister(name)


@pytest.fixture
def until() -> Callable[..., None]:
    """Wait for something to become true: `until(lambda: ..., seconds=60)`."""

    def wait(condition: Callable[[], bool], seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it did not come true in time"
            time.sleep(0.05)

    return wait
