"""The benchmark of starting runs, on homes of its own."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(400)

ROOT = Path(__file__).parents[3]


def test_starts_are_timed_to_an_answer() -> None:
    command = [sys.executable, "-m", "benchmarks.starting", "--rounds", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=380)
    assert done.returncode == 0, done.stderr
    rows = re.findall(r"│ ([\w, -]+?) +│ +([\d.]+) │ +([\d.]+) │ +([\d.]+) │", done.stdout)
    assert [row[0] for row in rows] == [
        "first start, to an answer",
        "first start, processor",
        "Ctrl-C, to the end",
        "second start, to an answer",
        "second start, processor",
    ]
    assert all(0 < float(least) <= float(median) <= float(most) for _, median, least, most in rows)
