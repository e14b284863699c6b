import os
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError

from modelyard.config import tend
from modelyard.config.tend import Chore
from modelyard.core.settings import Settings


def run_for(seconds: float, chores: list[Chore]) -> None:
    stop = threading.Event()
    timer = threading.Timer(seconds, stop.set)
    timer.start()
    tend.tend(stop, chores)
    timer.join()


@pytest.mark.django_db
def test_chores_go_on_when_one_fails() -> None:
    done: list[float] = []
    tries: list[float] = []

    def fails() -> None:
        tries.append(time.monotonic())
        raise OperationalError("the database is gone")

    run_for(2.5, [Chore("broken", 0.2, fails), Chore("fine", 0.2, lambda: done.append(0))])
    assert len(done) >= 5
    assert 2 <= len(tries) <= 5
    gaps = [later - sooner for sooner, later in pairwise(tries)]
    assert gaps == sorted(gaps)


@pytest.mark.django_db
def test_a_chore_recovers() -> None:
    outcomes = iter([RuntimeError("once"), None])
    chore = Chore("unsteady", 0.1, lambda: None)

    def do() -> None:
        outcome = next(outcomes, None)
        if outcome:
            raise outcome

    chore.do = do
    chore.tick(time.monotonic())
    assert chore.failures == 1
    time.sleep(0.25)
    chore.tick(time.monotonic())
    assert chore.failures == 0


def test_the_longest_pause_is_bounded() -> None:
    def fails() -> None:
        raise RuntimeError

    chore = Chore("broken", 0.2, fails)
    for _ in range(40):
        chore.due = 0
        chore.tick(1.0)
    assert chore.due - time.monotonic() <= tend.LONGEST_PAUSE_SECONDS


def test_a_chore_that_fails_for_hours_stops_nothing() -> None:
    """Five seconds apart, the 1,100th failure comes after an hour and a half of a database that is away."""

    def fails() -> None:
        raise OperationalError("the database is gone")

    chore = Chore("broken", 0.2, fails, failures=1100)
    chore.tick(time.monotonic())
    assert 0 < chore.due - time.monotonic() <= tend.LONGEST_PAUSE_SECONDS


@pytest.mark.django_db(transaction=True)
def test_all_chores_run_on_an_empty_installation() -> None:
    names = []
    for chore in tend.chores():
        chore.tick(time.monotonic())
        names.append(chore.name)
        assert chore.failures == 0
    assert names == [
        "relay",
        "publish",
        "sweep",
        "schedules",
        "mend",
        "leftovers",
        "restore",
        "documents",
        "served",
        "artifacts",
        "sign-ins",
        "connection",
        "runs",
        "orphans",
    ]


@pytest.mark.django_db
def test_it_stops_at_once_when_told() -> None:
    stop = threading.Event()
    stop.set()
    tend.tend(stop, [Chore("never", 0.1, lambda: pytest.fail("it was told to stop"))])


def test_leftovers_are_swept_by_age(settings: Any, tmp_path: Path) -> None:
    settings.MODELYARD = Settings.read({}, home=tmp_path)
    old, new = time.time() - 10 * 24 * 3600, time.time()
    expected = []
    for place in ("broker/taken/a", "broker/messages/a.draft", "uploads/a", "artifacts/1/drafts/a"):
        for name, when in (("old", old), ("new", new)):
            path = tmp_path / place.replace("/a", f"/{name}", 1)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
            os.utime(path, (when, when))
            expected += [path] if name == "new" else []
    for name, when in (("old", old), ("new", new)):
        scratch = tmp_path / "scratch" / f"registration-{name}"
        (scratch / "deep").mkdir(parents=True)
        (scratch / "deep" / "model.pkl").write_bytes(b"x")
        os.utime(scratch, (when, when))
    waiting = tmp_path / "broker/messages/waiting.msg"
    waiting.write_bytes(b"x")
    os.utime(waiting, (old, old))
    assert tend.sweep_leftovers() == 5
    assert [path.name for path in (tmp_path / "scratch").iterdir()] == ["registration-new"]
    assert all(path.exists() for path in [*expected, waiting])


@pytest.mark.django_db
def test_what_is_prompt_is_done_when_woken_unless_it_failed() -> None:
    done: list[str] = []
    prompt = Chore("prompt", 60, lambda: done.append("prompt"), prompt=True)
    other = Chore("other", 60, lambda: done.append("other"))
    for chore in (prompt, other):
        chore.due = time.monotonic() + 60
        chore.tick(time.monotonic(), woken=True)
    prompt.failures = 1
    prompt.tick(time.monotonic(), woken=True)
    assert done == ["prompt"]
