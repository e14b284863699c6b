"""The benchmark runs, and measures only programs that give the right answers."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import models, serving
from tests.servers.shared import free_port

ROOT = Path(__file__).parents[3]


def test_every_program_is_measured_without_a_failure() -> None:
    command = [sys.executable, "-m", "benchmarks.serving", "--rounds", "1", "--seconds", "1", "--rows", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"│ ([\w ,]+?) +│ +([\d,]+) │ +[\d.]+ │ +[\d.]+ │ +(\d+) │ +([\d.]+) │", done.stdout)
    assert {row[0] for row in rows} == {"modelyard serve", "Flask, gunicorn, pickle", "uvicorn, a constant"}
    assert all(int(speed.replace(",", "")) > 0 for _, speed, _, _ in rows)
    assert [failed for _, _, failed, _ in rows] == ["0", "0", "0"]


def test_a_program_that_answers_something_else_is_not_measured(tmp_path: Path) -> None:
    iris = models.fit()
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    command = [sys.executable, "-m", "uvicorn", "--port", str(port), "benchmarks.peers.constant:application"]
    with (
        serving.server(command, tmp_path / "own", url, "none", b"{}", PYTHONPATH=str(ROOT)),
        pytest.raises(SystemExit, match="does not answer as the fitted estimator does"),
    ):
        serving.check(serving.Contestant("a constant", url, True), "none", iris, 5)
