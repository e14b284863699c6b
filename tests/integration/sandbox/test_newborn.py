"""Children that wait for their job: real processes, locked when they are told it."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from modelyard.sandbox import layers
from modelyard.sandbox.limits import Limits
from modelyard.sandbox.newborn import Newborn, Spare
from modelyard.sandbox.process import SandboxProcess
from modelyard.scoring.scorer import SPARE

pytestmark = pytest.mark.skipif(bool(layers.missing()), reason="the sandbox is not whole on this machine")

Until = Callable[[Callable[[], bool]], None]

MODULES = ("numpy", "modelyard.sandbox.layers")


@pytest.fixture
def until() -> Until:
    """Wait until something is so."""

    def wait(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < end
            time.sleep(0.02)

    return wait


@pytest.fixture
def spare() -> Iterator[Spare]:
    made = Spare(MODULES)
    yield made
    made.end()


def waiting(spare: Spare) -> Newborn | None:
    return spare._waiting


def warm(spare: Spare, seconds: float = 60.0) -> Newborn:
    """Keep one, wait until it is ready, and take it."""
    spare.keep()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        taken = spare.take(1)
        if taken is not None:
            return taken
        time.sleep(0.02)
    raise AssertionError("no spare was ready")


def ready(spare: Spare) -> int:
    """Keep one, and return its id once it only waits to be taken."""
    spare.keep()
    kept = waiting(spare)
    assert kept is not None
    poller = select.poll()
    poller.register(kept.answers, select.POLLIN)
    assert poller.poll(60_000)
    return kept.process.pid


def asked(target: str, spare: Spare, scratch: Path, **arguments: Any) -> tuple[int, dict[str, Any]]:
    """Have a child call a function; return its id and its answer."""
    child = SandboxProcess(target, arguments, read=[], scratch=scratch, limits=Limits(), spare=spare)
    try:
        os.set_blocking(child.answers, True)
        data = b"".join(iter(lambda: os.read(child.answers, 1 << 16), b""))
        return child.pid, json.loads(data)
    finally:
        child.end()


def test_a_spare_does_the_next_job_and_is_locked_for_it(spare: Spare, tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "other").mkdir()
    pid = ready(spare)
    done, answer = asked("os:listdir", spare, tmp_path / "scratch", path=str(tmp_path / "other"))
    assert done == pid
    assert (answer["failed"], "Permission denied" in answer["message"]) == ("exception", True)
    cold, answer = asked("os:getcwd", spare, tmp_path / "scratch")
    assert cold != pid
    assert answer == {"result": str((tmp_path / "scratch").resolve())}
    pid = ready(spare)
    assert asked("os:getcwd", spare, tmp_path / "scratch") == (pid, {"result": str((tmp_path / "scratch").resolve())})
    ready(spare)
    assert asked("os:getenv", spare, tmp_path / "scratch", key="TMPDIR")[1] == answer


def test_a_spare_is_locked_as_one_that_is_cold_is(spare: Spare, tmp_path: Path, until: Until) -> None:
    script, told = tmp_path / "wait.py", tmp_path / "told"
    script.write_text(f"import pathlib, time\npathlib.Path({str(told)!r}).touch()\ntime.sleep(600)\n")
    given: dict[str, Any] = {
        "target": "runpy:run_path",
        "arguments": {"path_name": str(script)},
        "read": [],
        "scratch": tmp_path,
    }
    found = []
    for pid, kept in ((0, None), (ready(spare), spare)):
        child = SandboxProcess(**given, limits=Limits(), spare=kept)
        try:
            assert child.pid == pid or kept is None
            until(told.exists)
            found.append(held_back(child.pid))
        finally:
            child.end()
        told.unlink()
    assert found[0] == found[1]
    assert {("CapEff", "0" * 16), ("NoNewPrivs", "1"), ("Seccomp", "2")} <= found[0].items()


def held_back(pid: int) -> dict[str, str]:
    """Return what the system says of how a process is locked, and what it has open."""
    process = Path(f"/proc/{pid}")
    lines = (process / "status").read_text().splitlines()
    facts = dict(line.split(":\t", 1) for line in lines if line.startswith(("Cap", "Seccomp", "NoNewPrivs", "Uid")))
    return {**facts, "limits": (process / "limits").read_text(), "open": str(len(list((process / "fd").iterdir())))}


def test_what_cannot_be_told_leaves_no_child_behind(spare: Spare, tmp_path: Path) -> None:
    """`_nothing_left` counts descriptors and processes."""
    for arguments, read in (({}, [None]), ({"path": object()}, [])):
        with pytest.raises((AttributeError, TypeError)):
            SandboxProcess("os:listdir", arguments, read=read, scratch=tmp_path, limits=Limits())  # type: ignore[arg-type]


def test_one_is_kept_and_it_is_for_its_number_of_threads(spare: Spare) -> None:
    pid = ready(spare)
    spare.keep()
    kept = waiting(spare)
    assert kept is not None
    assert kept.process.pid == pid
    assert spare.take(2) is None
    taken = spare.take(1)
    assert taken is not None
    assert spare.take(1) is None
    taken.end()


def test_one_that_is_not_ready_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package, go_on = tmp_path / "modelyard", tmp_path / "go-on"
    package.mkdir()
    (package / "__init__.py").touch()
    slow_one = f"import pathlib, time\nwhile not pathlib.Path({str(go_on)!r}).exists():\n    time.sleep(0.01)\n"
    (package / "slow.py").write_text(slow_one)
    monkeypatch.setattr(layers, "PACKAGE", package)
    slow = Spare(("modelyard.that_is_not_there", "modelyard.slow"))
    slow.keep()
    assert slow.take(1) is None
    go_on.touch()
    warm(slow).end()


def test_one_that_was_killed_is_replaced(spare: Spare, until: Until) -> None:
    pid = ready(spare)
    kept = waiting(spare)
    assert kept is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: kept.process.poll() is not None)
    assert spare.take(1) is None
    assert ready(spare) != pid


def test_what_starts_a_thread_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, until: Until) -> None:
    """Locked, its other thread would stay free."""
    package = tmp_path / "modelyard"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "busy.py").write_text("import threading\nthreading.Thread(target=threading.Event().wait).start()\n")
    monkeypatch.setattr(layers, "PACKAGE", package)
    unfit = Spare(("modelyard.busy",))
    unfit.keep()
    kept = waiting(unfit)
    assert kept is not None
    until(lambda: kept.process.poll() is not None)
    assert unfit.take(1) is None
    unfit.keep()
    assert waiting(unfit) is None


def test_one_that_has_started_a_thread_since_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, until: Until
) -> None:
    package = tmp_path / "modelyard"
    package.mkdir()
    (package / "__init__.py").touch()
    later = "import signal, threading\nsignal.signal(10, lambda *_: threading.Thread(target=signal.pause).start())\n"
    (package / "later.py").write_text(later)
    monkeypatch.setattr(layers, "PACKAGE", package)
    spoilt = Spare(("modelyard.later",))
    pid = ready(spoilt)
    os.kill(pid, signal.SIGUSR1)
    until(lambda: len(list(Path(f"/proc/{pid}/task").iterdir())) == 2)
    assert spoilt.take(1) is None
    spoilt.keep()
    assert waiting(spoilt) is None


def test_it_goes_with_who_keeps_it(until: Until) -> None:
    program = (
        "import sys, time\nfrom modelyard.sandbox.newborn import Spare\n"
        "spare = Spare(('numpy',))\nspare.keep()\nprint(spare._waiting.process.pid, flush=True)\ntime.sleep(600)\n"
    )
    keeper = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert keeper.stdout is not None
        pid = int(keeper.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
    finally:
        keeper.kill()
        keeper.communicate()
    until(lambda: not _runs(pid))


def test_scoring_has_one_that_is_fit() -> None:
    taken = warm(SPARE)
    try:
        assert len(list(Path(f"/proc/{taken.process.pid}/task").iterdir())) == 1
    finally:
        taken.end()


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
