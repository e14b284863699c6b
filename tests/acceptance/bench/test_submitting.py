"""The benchmark of jobs runs, on servers of its own."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_a_job_and_a_bare_task_are_timed() -> None:
    command = [sys.executable, "-m", "benchmarks.submitting", "--rounds", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"│ ([\w ]+?) +│ +[\d.]+ │ +([\d.]+) │ +([\d.]+) │ +([-\d.]+) │", done.stdout)
    assert [row[0] for row in rows] == ["bare Celery task", "job"]
    assert all(float(median) > 0 for _, median, _, _ in rows)
    assert float(rows[0][3]) == 0
