"""The way up, at its beginning: records appended to local files before the answers leave.

Each process has a folder of its own below the host's spool folder, and holds a lock in it as long as it lives. The
promise: what `append` took is with the operating system, and so survives a killed process; it is on disk within a
second, and so at most a second is lost with the power. Every second, or when it has grown large, the file is
sealed: synced, named after what is in it, handed to the medium. The next process to start hands over what a
killed one left.
"""

import fcntl
import logging
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from modelyard.exchange.frames import pack, unpack
from modelyard.exchange.medium import Medium, sync_folder
from modelyard.exchange.segments import Segment, parse_name, segment_key, segments_in

log = logging.getLogger(__name__)

SEAL_BYTES = 8 << 20
SEAL_SECONDS = 1.0
_OPEN = re.compile(r"([0-9]{20})\.open\Z")


class Spool:
    """Appends from any thread; one thread of its own syncs, seals, hands over and bounds.

    Attributes:
        dropped: records lost so far: to a full disk, to the bound, or to rot.
        host: the name that this host's segments have in the medium.
    """

    def __init__(
        self,
        folder: Path,
        medium: Medium,
        max_bytes: int,
        *,
        seal_bytes: int = SEAL_BYTES,
        seal_seconds: float = SEAL_SECONDS,
    ) -> None:
        self.dropped = 0
        self.host = ""
        self._folder = folder
        self._medium = medium
        self._max_bytes = max_bytes
        self._seal_bytes = seal_bytes
        self._seal_seconds = seal_seconds
        self._process = secrets.token_hex(4)
        self._own = folder / self._process
        self._lock = threading.Lock()
        self._held = -1
        self._file = -1
        self._begun_ns = 0
        self._written = 0
        self._records = 0
        self._full: list[tuple[int, Segment]] = []
        self._in_medium = 0
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Take a folder, hand over what dead processes left, and begin to seal."""
        hidden = self._folder / f".{self._process}"
        hidden.mkdir(parents=True)
        self._held = os.open(hidden / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._held, fcntl.LOCK_EX)
        hidden.rename(self._own)
        self.host = _host_name(self._folder)
        self._in_medium = self._max_bytes
        with self._lock:
            self._open()
        self._thread = threading.Thread(target=self._work, name="spool", daemon=True)
        self._thread.start()

    def append(self, payloads: Sequence[bytes]) -> bool:
        """Append records, all or none; False, and counted as dropped, when the disk does not take them."""
        data = pack(payloads)
        with self._lock:
            if self._file < 0:
                self.dropped += len(payloads)
                return False
            try:
                written = os.write(self._file, data)
                while written < len(data):
                    written += os.write(self._file, data[written:])
            except OSError as error:
                self._take_back(len(payloads), error)
                return False
            self._written += len(data)
            self._records += len(payloads)
            if self._written >= self._seal_bytes:
                self._rotate()
                self._wake.set()
        return True

    def count_dropped(self, records: int) -> None:
        """Count records that the caller had to drop."""
        with self._lock:
            self.dropped += records

    def stop(self) -> None:
        """Seal and hand over all that is there. What the medium does not take now, the next process hands over."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._held < 0:
            return
        with self._lock:
            if self._file >= 0:
                self._rotate(last=True)
        self._try(self._seal, self._hand_over_own)
        os.close(self._held)
        self._held = -1
        if not [path for path in self._own.iterdir() if path.name != "lock"]:
            shutil.rmtree(self._own, ignore_errors=True)

    def _take_back(self, count: int, error: OSError) -> None:
        """Cut a part of a frame off, so that later ones can be read."""
        if not self.dropped:
            log.error("spool_dropped", extra={"action": "spool_dropped", "reason": error.strerror})
        self.dropped += count
        try:
            os.ftruncate(self._file, self._written)
        except OSError:
            self._rotate()

    def _open(self) -> None:
        self._begun_ns = max(time.time_ns(), self._begun_ns + 1)
        self._written = 0
        self._records = 0
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._file = os.open(self._own / f"{self._begun_ns:020d}.open", flags, 0o600)

    def _rotate(self, last: bool = False) -> None:
        """Put the file aside for `_seal`, and open the next. The lock is held."""
        segment = Segment(self._begun_ns, self._process, self._records, self._written)
        self._full.append((self._file, segment))
        self._file = -1
        if not last:
            try:
                self._open()
            except OSError as error:
                log.error("spool_closed", extra={"action": "spool_closed", "reason": error.strerror})

    def _work(self) -> None:
        recovered = self._recover()
        while not self._stopping:
            self._wake.wait(self._seal_seconds)
            recovered = recovered or self._recover()
            self._wake.clear()
            self._tick()

    def _tick(self) -> None:
        """Do each step even where one before it failed: handing over makes room, and the bound holds regardless."""
        with self._lock:
            if self._written and time.time_ns() - self._begun_ns >= self._seal_seconds * 0.9e9:
                self._rotate()
        self._try(self._seal, self._hand_over_own, self._bound, self._reopen)

    @staticmethod
    def _try(*steps: Callable[[], None]) -> None:
        for step in steps:
            try:
                step()
            except OSError as error:
                log.warning("spool_waits", extra={"action": "spool_waits", "reason": error.strerror})

    def _reopen(self) -> None:
        """Open a file where none could be opened before."""
        with self._lock:
            if self._file < 0:
                self._open()

    def _seal(self) -> None:
        """Sync what was put aside and give it its name; what gets none stays aside.

        A sync that failed is not tried again: the kernel has let the pages go, and a second one succeeds without them.
        """
        while self._full:
            file, segment = self._full[0]
            path = self._own / f"{segment.begun_ns:020d}.open"
            try:
                os.fdatasync(file)
            except OSError as error:
                log.error("spool_unsynced", extra={"action": "spool_unsynced", "reason": error.strerror})
            if segment.n_bytes:
                path.rename(self._own / segment.name)
            else:
                path.unlink(missing_ok=True)
            del self._full[0]
            os.close(file)

    def _hand_over_own(self) -> None:
        self._hand_over(self._own)

    def _hand_over(self, folder: Path) -> None:
        for path in sorted(folder.iterdir()):
            segment = parse_name(path.name)
            if segment is None:
                continue
            self._medium.write(segment_key(self.host, segment), path.read_bytes())
            path.unlink(missing_ok=True)
            self._in_medium += segment.disk_bytes

    def _recover(self) -> bool:
        """Hand over what processes that no longer hold their lock have left; False where that has to wait."""
        whole = True
        for folder in sorted(self._folder.iterdir()):
            if folder == self._own or folder.name.startswith(".") or not folder.is_dir():
                continue
            try:
                self._recover_one(folder)
            except OSError as error:
                whole = False
                log.warning("spool_waits", extra={"action": "spool_waits", "reason": error.strerror})
        return whole

    def _recover_one(self, folder: Path) -> None:
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            for path in sorted(folder.iterdir()):
                match = _OPEN.match(path.name)
                if match:
                    _seal_tail(path, int(match[1]), folder.name)
            self._hand_over(folder)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)

    def _bound(self) -> None:
        """Drop the oldest segments beyond the bound, here and in the medium, and count their records."""
        here = {segment for path in self._own.iterdir() if (segment := parse_name(path.name))}
        size_here = sum(segment.disk_bytes for segment in here)
        if size_here + self._in_medium < self._max_bytes:
            return
        try:
            there = set(segments_in(self._medium, self.host))
        except OSError:  # out of reach, and then what lies here has to be bounded alone
            there = set()
        self._in_medium = sum(segment.disk_bytes for segment in there)
        excess = size_here + self._in_medium - self._max_bytes
        for segment in sorted(here | there):
            if excess <= 0:
                break
            if segment in there:
                self._medium.delete(segment_key(self.host, segment))
                self._in_medium -= segment.disk_bytes
            (self._own / segment.name).unlink(missing_ok=True)
            excess -= segment.disk_bytes
            self.count_dropped(segment.records)
            log.error("spool_dropped", extra={"action": "spool_dropped", "records": segment.records})


def _seal_tail(path: Path, begun_ns: int, process: str) -> None:
    """Cut the file at its first broken frame and give it a segment's name."""
    payloads, good = unpack(path.read_bytes())
    if not payloads:
        path.unlink()
        return
    with path.open("r+b") as file:
        file.truncate(good)
        os.fsync(file.fileno())
    name = process if re.fullmatch("[0-9a-f]{8}", process) else "0" * 8
    path.rename(path.parent / Segment(begun_ns, name, len(payloads), good).name)
    sync_folder(path.parent)


def _host_name(folder: Path) -> str:
    """Return the random name that the folder keeps, made by the first process that asks."""
    path = folder / "host"
    try:
        with path.open("x") as file:
            file.write(secrets.token_hex(8))
    except FileExistsError:
        pass
    for _ in range(100):
        name = path.read_text()
        if re.fullmatch("[0-9a-f]{16}", name):
            return name
        time.sleep(0.01)
    raise OSError("the spool folder's host file is broken: delete it")
