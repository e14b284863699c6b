"""Keeps the processes of a Procfile running until it is told to stop, and leaves none behind.

Honcho reads the Procfile. Its manager is not used: it ends all processes when one ends, and leaves them running
when it is killed itself.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from honcho.environ import parse_procfile

POLL_SECONDS = 0.1
SETTLED_SECONDS = 10.0
RESTART_SECONDS = 1.0
QUIET_SECONDS = 2.0
"""How long all may take to end before it is said what is waited for."""

Write = Callable[[str, str], None]
"""Told a process's name and a line of its output."""


def procfile() -> str:
    """Return the Procfile that is shipped in the package; the one at the root of the repository is the same."""
    return (Path(__file__).parent / "Procfile").read_text(encoding="utf-8")


def commands(text: str) -> dict[str, str]:
    """Return the command of each process that a Procfile names."""
    return dict(parse_procfile(text).processes)


@dataclass
class Running:
    """A started process."""

    child: subprocess.Popen[str]
    since: float
    reader: threading.Thread


class Supervisor:
    """The processes, started together and ended together; one that ends by itself is started again.

    One that ends by itself within ten seconds of its start would do so again: then all are ended. One that was
    killed so early, by a person or for want of memory, gets one more try.

    Args:
        commands: name to shell command.
        environment: of the processes.
        write: told each line of their output.
        grace_seconds: how long they may take to end before they are killed.
    """

    def __init__(
        self, commands: Mapping[str, str], environment: Mapping[str, str], write: Write, grace_seconds: float
    ) -> None:
        self._commands = dict(commands)
        self._environment = dict(environment)
        self._write = write
        self._grace_seconds = grace_seconds
        self._running: dict[str, Running] = {}
        self._restart_at: dict[str, float] = {}
        self._killed_early: set[str] = set()
        self.failed: str | None = None

    def run(self, stop: threading.Event) -> None:
        """Start all and stay until `stop` is set, or `failed` names the process that could not go on.

        `stop` is asked, never waited for: a signal handler sets it in this very thread, and would wait for ever for
        the lock that `Event.wait` holds for a moment.
        """
        try:
            for name in self._commands:
                self._start(name)
            while not stop.is_set() and self.failed is None:
                time.sleep(POLL_SECONDS)
                self._look()
        finally:
            self._end()

    def _start(self, name: str) -> None:
        """Start in a session of its own: a terminal's Ctrl-C reaches us, and we end all in order."""
        child = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {self._commands[name]}"],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        reader = threading.Thread(target=self._read, args=(name, child), name=f"output of {name}", daemon=True)
        self._running[name] = Running(child, time.monotonic(), reader)
        reader.start()

    def _read(self, name: str, child: subprocess.Popen[str]) -> None:
        assert child.stdout is not None  # noqa: S101  it is a pipe, as asked for
        with child.stdout as lines:
            for line in lines:
                with suppress(OSError):  # nobody reads on; a process whose pipe is full or closed would not go on
                    self._write(name, line.rstrip("\n"))

    def _look(self) -> None:
        now = time.monotonic()
        for name, running in list(self._running.items()):
            code = running.child.poll()
            if code is None:
                continue
            del self._running[name]
            _kill_group(running.child.pid, signal.SIGKILL)
            running.reader.join(timeout=1)
            if now - running.since >= SETTLED_SECONDS:
                self._killed_early.discard(name)
            elif code >= 0 or name in self._killed_early:
                self.failed = f"{name} ended with code {code} right after its start"
                return
            else:
                self._killed_early.add(name)
            self._write(name, f"ended with code {code}; it is started again")
            self._restart_at[name] = now + RESTART_SECONDS
        for name, due in list(self._restart_at.items()):
            if due <= now:
                del self._restart_at[name]
                self._start(name)

    def _end(self) -> None:
        """Ask all to end; after the grace period, kill what is left, with all that it started."""
        for running in self._running.values():
            if running.child.poll() is None:
                running.child.terminate()
        end = time.monotonic() + self._grace_seconds
        self._tell_waiting(min(QUIET_SECONDS, self._grace_seconds))
        for running in self._running.values():
            with suppress(subprocess.TimeoutExpired):
                running.child.wait(timeout=max(0.0, end - time.monotonic()))
            _kill_group(running.child.pid, signal.SIGKILL)
            running.child.wait()
            running.reader.join(timeout=1)
        self._running.clear()

    def _tell_waiting(self, seconds: float) -> None:
        """Say once what is waited for, when some have not ended by then."""
        quiet = time.monotonic() + seconds
        while (left := [name for name, one in self._running.items() if one.child.poll() is None]) and (
            time.monotonic() < quiet
        ):
            time.sleep(POLL_SECONDS)
        if left:
            why = (
                "it ends its jobs, or gives them back after 20 s" if "worker" in left else "what was asked is answered"
            )
            self._write("up", f"waits for {', '.join(left)} to end, {self._grace_seconds:g} s at most: {why}")


def _kill_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return
