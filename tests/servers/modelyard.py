"""Modelyard itself, as its users start it: `modelyard up`."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers.shared import Running, free_port, keep

COMMAND = Path(sys.executable).parent / "modelyard"
READY_SECONDS = 240.0


@dataclass
class Up:
    """A running `modelyard up` and what it said when it was ready."""

    process: "subprocess.Popen[bytes]"
    home: Path
    port: int
    log: Path
    told: dict[str, Any]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self, number: signal.Signals = signal.SIGINT, seconds: float = 60.0) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=seconds)


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment without a test's own settings of Modelyard, with the command on the PATH."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MODELYARD_") and name != "PORT"}
    path = os.pathsep.join([str(COMMAND.parent), kept.get("PATH", os.defpath)])
    return {**kept, "PATH": path, **more}


def up(home: Path, *arguments: str, **more: str) -> Up:
    """Start `modelyard up` on a free port and wait until it says that it is ready."""
    port = free_port()
    out, log = home.with_name(f"{home.name}-{port}.out"), home.with_name(f"{home.name}-{port}.log")
    command = [str(COMMAND), "up", "--json", "--home", str(home), "--port", str(port), *arguments]
    with out.open("wb") as stdout, log.open("wb") as stderr:
        process = subprocess.Popen(
            command,
            env=environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
    give_up = time.monotonic() + READY_SECONDS
    while time.monotonic() < give_up and process.poll() is None:
        text = out.read_text()
        if text.endswith("}\n"):
            return Up(process, home, port, log, json.loads(text))
        time.sleep(0.05)
    process.kill()
    process.wait()
    raise RuntimeError(f"modelyard up did not become ready:\n{log.read_text(errors='replace')[-4000:]}")


def start(folder: Path) -> Running:
    """Start one for the whole run, without a demo; its key is in `key`."""
    running = up(folder / "home", "--no-demo")
    (folder / "key").write_text(running.told["key"])
    keep(running.process)
    return Running(running.url, [running.process.pid])


def processes_of(home: Path) -> list[int]:
    """Return the processes in whose environment or command line the home folder stands; Linux only."""
    named = re.compile(rb"[=\0]" + re.escape(os.fsencode(home)) + rb"\0")
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            words = (entry / "environ").read_bytes() + b"\0" + (entry / "cmdline").read_bytes()
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if re.search(named, words) and state != "Z":
            found.append(int(entry.name))
    return found


def end_all(home: Path) -> None:
    """Kill whatever runs with the home folder, also what its supervisor starts again meanwhile."""
    while left := processes_of(home):
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)
