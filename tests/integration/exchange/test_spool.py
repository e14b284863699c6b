"""The spool on a real disk: what was appended comes up, whoever dies, and the bound holds."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from modelyard.exchange.medium import FolderMedium
from modelyard.exchange.segments import parse_name, read_segment
from modelyard.exchange.spool import Spool


def eventually(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def came_up(medium: FolderMedium) -> list[bytes]:
    return [payload for key in medium.keys("spool/") for payload in read_segment(medium, key)]


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def medium(tmp_path: Path) -> FolderMedium:
    return FolderMedium(tmp_path / "medium")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def test_records_come_up_within_seconds_and_in_order(folder: Path, medium: FolderMedium) -> None:
    spool = Spool(folder, medium, 1 << 30, seal_seconds=0.1)
    spool.start()
    assert spool.append([b"one", b"two"])
    eventually(lambda: came_up(medium) == [b"one", b"two"])
    assert spool.append([b"three"])
    spool.stop()
    assert came_up(medium) == [b"one", b"two", b"three"]
    assert sorted(path.name for path in folder.iterdir()) == ["host"]
    names = [parse_name(key.rpartition("/")[2]) for key in medium.keys("spool/")]
    assert sum(name.records for name in names if name) == 3


def test_a_full_segment_is_sealed_at_once(folder: Path, medium: FolderMedium) -> None:
    spool = Spool(folder, medium, 1 << 30, seal_bytes=10_000, seal_seconds=60)
    spool.start()
    for _ in range(100):
        spool.append([b"x" * 1000])
    eventually(lambda: len(came_up(medium)) >= 90)
    spool.stop()
    assert len(came_up(medium)) == 100


def test_a_killed_process_loses_nothing_that_was_appended(folder: Path, medium: FolderMedium) -> None:
    program = """
import sys; from pathlib import Path
from modelyard.exchange.medium import FolderMedium; from modelyard.exchange.spool import Spool
spool = Spool(Path(sys.argv[1]), FolderMedium(Path(sys.argv[2])), 1 << 30, seal_seconds=0.3)
spool.start(); number = 0
while True:
    spool.append([str(number).encode()]); print(number, flush=True); number += 1
"""
    command = [sys.executable, "-c", program, str(folder), str(medium.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(0.8)
        child.send_signal(signal.SIGKILL)
        told = 1 + len([line for line in child.stdout.read().splitlines() if line.strip()])
    own = next(path for path in folder.iterdir() if path.is_dir())
    tails = list(own.glob("*.open"))
    with tails[-1].open("ab") as tail:
        tail.write(b"MYR1\x10\0\0\0half of a fr")
    after = Spool(folder, medium, 1 << 30)
    after.start()
    eventually(lambda: not own.exists())
    after.stop()
    found = [int(payload) for payload in came_up(medium)]
    assert sorted(found) == list(range(len(found)))
    assert len(found) >= told - 1


def test_a_living_process_keeps_its_own(folder: Path, medium: FolderMedium) -> None:
    one = Spool(folder, medium, 1 << 30, seal_seconds=60)
    other = Spool(folder, medium, 1 << 30, seal_seconds=60)
    one.start()
    one.append([b"one"])
    other.start()
    time.sleep(0.3)
    assert came_up(medium) == []
    assert one.host == other.host
    other.stop()
    one.stop()
    assert came_up(medium) == [b"one"]


def test_the_bound_drops_the_oldest_and_counts(folder: Path, medium: FolderMedium) -> None:
    spool = Spool(folder, medium, 5 * 4096, seal_seconds=0.05)
    spool.start()
    for number in range(12):
        spool.append([str(number).encode(), b"-"])
        eventually(partial(lambda wanted: wanted in came_up(medium), str(number).encode()))
    spool.stop()
    left = [payload for payload in came_up(medium) if payload != b"-"]
    assert left == [str(number).encode() for number in range(12)][-len(left) :]
    assert spool.dropped == 2 * (12 - len(left)) > 0


def test_with_the_medium_gone_it_waits(folder: Path, medium: FolderMedium) -> None:
    medium.root.write_bytes(b"no folder")
    spool = Spool(folder, medium, 1 << 30, seal_seconds=0.05)
    spool.start()
    spool.append([b"one"])
    time.sleep(0.3)
    medium.root.unlink()
    eventually(lambda: came_up(medium) == [b"one"])
    spool.stop()


def test_what_a_dead_process_left_waits_for_the_medium(folder: Path, medium: FolderMedium) -> None:
    medium.root.write_bytes(b"no folder")
    first = Spool(folder, medium, 1 << 30, seal_seconds=0.05)
    first.start()
    first.append([b"one"])
    first.stop()
    second = Spool(folder, medium, 1 << 30, seal_seconds=0.05)
    second.start()
    time.sleep(0.2)
    medium.root.unlink()
    eventually(lambda: came_up(medium) == [b"one"])
    second.stop()


def test_with_the_medium_gone_the_bound_holds_here(folder: Path, medium: FolderMedium) -> None:
    medium.root.write_bytes(b"no folder")
    spool = Spool(folder, medium, 5 * 4096, seal_seconds=0.05)
    spool.start()
    for number in range(12):
        spool.append([str(number).encode()])
        time.sleep(0.1)
    eventually(lambda: spool.dropped >= 6)
    medium.root.unlink()
    eventually(lambda: came_up(medium)[-1:] == [b"11"])
    spool.stop()
    left = came_up(medium)
    assert left == [str(number).encode() for number in range(12)][-len(left) :]
    assert spool.dropped == 12 - len(left)


def test_a_sync_that_fails_leaves_nothing_behind(
    folder: Path, medium: FolderMedium, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [OSError(errno.EIO, "broken"), OSError(errno.EIO, "broken")]

    def sync(file: int) -> None:
        if failures:
            raise failures.pop()

    monkeypatch.setattr(os, "fdatasync", sync)
    spool = Spool(folder, medium, 1 << 30, seal_bytes=1, seal_seconds=60)
    spool.start()
    before = open_files()
    for name in (b"one", b"two", b"three"):
        spool.append([name])
    eventually(lambda: came_up(medium) == [b"one", b"two", b"three"])
    eventually(lambda: open_files() <= before)
    spool.stop()


def test_a_disk_that_takes_no_more_drops_counts_and_goes_on(folder: Path, medium: FolderMedium) -> None:
    program = """
import resource, sys; from pathlib import Path
from modelyard.exchange.medium import FolderMedium; from modelyard.exchange.spool import Spool
spool = Spool(Path(sys.argv[1]), FolderMedium(Path(sys.argv[2])), 1 << 30, seal_seconds=60)
spool.start()
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
taken = [spool.append([b"x" * 200]) for _ in range(8)]
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
taken.append(spool.append([b"last"])); spool.stop(); print(taken.count(True), spool.dropped)
"""
    command = [sys.executable, "-c", program, str(folder), str(medium.root)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert said == ["5", "4"]
    assert came_up(medium) == [b"x" * 200] * 4 + [b"last"]
