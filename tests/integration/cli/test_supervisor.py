"""Real processes, started, restarted and ended."""

import os
import shlex
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from modelyard.cli import supervisor as module
from modelyard.cli.supervisor import Supervisor, commands, procfile

ROOT = Path(__file__).parents[3]


class Lines:
    """What the processes wrote."""

    def __init__(self) -> None:
        self.all: list[tuple[str, str]] = []

    def __call__(self, name: str, line: str) -> None:
        self.all.append((name, line))

    def of(self, name: str) -> list[str]:
        return [line for who, line in self.all if who == name]


def wait_for(ready: Callable[[], object]) -> None:
    end = time.monotonic() + 20
    while not ready():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for_end(*pids: str) -> None:
    """What is killed ends a moment after the signal was sent."""
    wait_for(lambda: not any(alive(int(pid)) for pid in pids))


class Session:
    """A supervisor that runs in a thread of the test."""

    def __init__(self, grace_seconds: float = 20.0, **given: str) -> None:
        self.lines = Lines()
        self.stop = threading.Event()
        shells = {name: f"sh -c {shlex.quote(command)}" for name, command in given.items()}
        self.supervisor = Supervisor(shells, dict(os.environ), self.lines, grace_seconds)
        self.thread = threading.Thread(target=self.supervisor.run, args=(self.stop,))

    def __enter__(self) -> "Session":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join(timeout=60)
        assert not self.thread.is_alive()


def test_the_shipped_procfile_is_the_one_at_the_root() -> None:
    assert (ROOT / "Procfile").read_text() == procfile()
    assert commands(procfile()) == {"web": "modelyard web", "worker": "modelyard worker", "tend": "modelyard tend"}


def test_output_is_told_line_by_line_with_its_process() -> None:
    with Session(one="echo 1; echo 2 >&2; sleep 60", two="printf 'no newline'; sleep 60") as session:
        wait_for(lambda: len(session.lines.all) == 2)
        assert session.lines.of("one") == ["1", "2"]


def test_all_end_when_told_to_with_what_they_started() -> None:
    with Session(one="sh -c 'sleep 60 & echo $!; wait'", two="echo $$; sleep 60") as session:
        wait_for(lambda: len(session.lines.all) >= 2)
    assert not session.lines.of("up")
    wait_for_end(*(line for _, line in session.lines.all))
    assert session.supervisor.failed is None


def test_one_that_does_not_listen_is_killed_after_the_grace() -> None:
    with Session(0.5, deaf="trap '' TERM; echo $$; while true; do sleep 0.1; done") as session:
        wait_for(lambda: session.lines.of("deaf"))
    (told,) = session.lines.of("up")
    assert told.startswith("waits for deaf to end, 0.5 s at most")
    wait_for_end(*session.lines.of("deaf"))


def test_one_that_ends_right_after_its_start_ends_all() -> None:
    with Session(broken="echo because; exit 3", fine="echo $$; sleep 60") as session:
        session.thread.join(timeout=20)
        assert session.supervisor.failed == "broken ended with code 3 right after its start"
    assert session.lines.of("broken") == ["because"]
    wait_for_end(*session.lines.of("fine"))


def test_one_that_is_killed_later_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SETTLED_SECONDS", 0.0)
    monkeypatch.setattr(module, "RESTART_SECONDS", 0.1)
    with Session(worker="echo $$; sleep 60 & wait") as session:
        wait_for(lambda: session.lines.of("worker"))
        os.kill(int(session.lines.of("worker")[0]), signal.SIGKILL)
        wait_for(lambda: len(session.lines.of("worker")) == 3)
        first, told, second = session.lines.of("worker")
        assert told == "ended with code -9; it is started again"
        assert alive(int(second))
        wait_for_end(first)


def test_one_that_is_killed_early_gets_one_more_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESTART_SECONDS", 0.1)
    with Session(worker="echo $$; kill -9 $$") as session:
        session.thread.join(timeout=20)
        assert session.supervisor.failed == "worker ended with code -9 right after its start"
    assert session.lines.of("worker")[1] == "ended with code -9; it is started again"
    assert len(session.lines.of("worker")) == 3


class Asked(threading.Event):
    """An event that a signal handler sets in the thread that runs: to wait for it could block for ever."""

    def wait(self, timeout: float | None = None) -> bool:
        raise AssertionError("waited for")


def test_it_never_waits_for_what_a_signal_handler_sets() -> None:
    stop, lines = Asked(), Lines()
    supervisor = Supervisor({"one": "echo $$; exec sleep 60"}, dict(os.environ), lines, 20.0)
    before = signal.signal(signal.SIGUSR1, lambda *_: stop.set())
    try:
        timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGUSR1))
        timer.start()
        supervisor.run(stop)
        timer.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    wait_for_end(lines.of("one")[0])


def test_a_process_goes_on_when_nobody_reads_its_lines(tmp_path: Path) -> None:
    def write(name: str, line: str) -> None:
        raise BrokenPipeError

    stop = threading.Event()
    told = tmp_path / "told"
    supervisor = Supervisor(
        {"one": f"sh -c 'echo 1; sleep 0.3; echo 2; sleep 0.3; echo 3 && touch {told}; sleep 60'"},
        dict(os.environ),
        write,
        20.0,
    )
    thread = threading.Thread(target=supervisor.run, args=(stop,))
    thread.start()
    try:
        wait_for(told.exists)
    finally:
        stop.set()
        thread.join(timeout=60)
    assert supervisor.failed is None
