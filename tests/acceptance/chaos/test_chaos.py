"""A short part of `make chaos`: what it prints when all is well, and that it can tell when all is not."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.chaos.scenarios import expect_once

ROOT = Path(__file__).parents[3]


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("scenario", "where"),
    [
        ("killed", "--servers"),
        *((scenario, "--embedded") for scenario in ("killed", "trained", "wiped", "crash", "poison")),
    ],
)
def test_nothing_is_lost_and_nothing_done_twice(scenario: str, where: str) -> None:
    command = [sys.executable, "-m", "tests.chaos", scenario, "--short", where]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=380)
    assert done.returncode == 0, done.stdout + done.stderr
    seed, figures = done.stdout.strip().splitlines()
    assert seed.startswith("seed ")
    assert "lost 0, doubled 0, without effect 0" in figures


@pytest.mark.parametrize("wrong", ["lost", "doubled", "without effect"])
def test_a_broken_promise_is_told(wrong: str) -> None:
    held = {"lost": 0, "doubled": 0, "without effect": 0}
    expect_once(held)
    with pytest.raises(AssertionError, match=wrong):
        expect_once(held | {wrong: 1})
