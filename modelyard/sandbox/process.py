"""A sandboxed child as its parent holds it: started, watched, and always ended."""

import base64
import json
import os
import select
import signal
import stat
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from modelyard.core.errors import ChildFailed, Unavailable
from modelyard.core.settings import MIB
from modelyard.sandbox import layers, seccomp
from modelyard.sandbox.limits import Crashed, Limits
from modelyard.sandbox.newborn import Newborn, Spare

_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
_JOB_SECONDS = 30.0
"""An interpreter that has not read its job by then hangs: another environment's, say, on a disk that is gone."""


class SandboxProcess:
    """One child. `answers` is the reading end of its pipe, `orders` the writing end of its standard input. `python` is
    another environment's interpreter, which then needs nothing of ours installed; a `spare` is taken where one waits.

    Raises (when made):
        Misconfigured: where the sandbox is not whole.
        Unavailable: when no process can be started.
    """

    def __init__(
        self,
        target: str,
        arguments: Mapping[str, Any],
        *,
        read: Sequence[Path],
        scratch: Path,
        limits: Limits,
        preload: Sequence[str] = (),
        lasting: bool = False,
        python: Path | None = None,
        spare: Spare | None = None,
    ) -> None:
        layers.require(limits)
        self._limits = limits
        self._scratch = scratch.resolve()
        job = {
            "target": target,
            "arguments": dict(arguments),
            "read": [str(path.resolve()) for path in read],
            "scratch": str(self._scratch),
            "limits": asdict(limits),
            "preload": list(preload),
            "lasting": lasting,
            "parent": os.getpid(),
        }
        newborn = spare.take(limits.threads) if spare else None
        self._newborn = newborn or Newborn(str(python or sys.executable), limits.threads)
        self._process = self._newborn.process
        assert self._process.stdin is not None  # noqa: S101
        self.orders = self._process.stdin.fileno()
        os.set_blocking(self.orders, False)
        try:
            text = json.dumps({**job, "answer_fd": self._newborn.theirs, "seccomp": self._filter()}).encode()
            with suppress(BrokenPipeError):  # its end shows when the answer is awaited
                self._hand_over(b"%08d" % len(text) + text)
        except BaseException:
            self.end()
            raise

    def _hand_over(self, job: bytes) -> None:
        """Write the job, as far as the child reads it.

        Raises:
            Unavailable: it does not.
        """
        deadline = deadline_after(_JOB_SECONDS)
        poller = select.poll()
        poller.register(self.orders, select.POLLOUT)
        view = memoryview(job)
        while view:
            if not poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise Unavailable("a sandboxed child was started, but does not run; try again later")
            with suppress(BlockingIOError):
                view = view[os.write(self.orders, view[: 1 << 16]) :]

    def _filter(self) -> tuple[int, str] | None:
        """Return what locks the child's system calls, None where the machine lacks it."""
        if any(name.startswith("seccomp") for name in layers.missing()):
            return None
        number, program = seccomp.program_for(self.pid)
        return number, base64.b64encode(program).decode()

    @property
    def answers(self) -> int:
        return self._newborn.answers

    @property
    def pid(self) -> int:
        return self._process.pid

    def ended(self) -> int | None:
        """Return the exit status (negative: the signal) once it has ended."""
        return self._process.poll()

    def excess(self) -> str | None:
        """Return what it uses too much of, for a person, None when all is within bounds."""
        if self.resident_bytes() > self._limits.memory_bytes:
            return f"needed more than {self._limits.memory_bytes // MIB} MiB of memory"
        bytes_, entries = usage(self._scratch, self._limits.scratch_files)
        if bytes_ > self._limits.scratch_bytes:
            return f"wrote more than {self._limits.scratch_bytes // MIB} MiB to disk"
        if entries > self._limits.scratch_files:
            return f"made more than {self._limits.scratch_files} files"
        return None

    def resident_bytes(self) -> int:
        """Return its resident memory; 0 when it has ended, or where there is no /proc."""
        try:
            return int(Path(f"/proc/{self.pid}/statm").read_text("ascii").split()[1]) * _PAGE
        except (OSError, IndexError, ValueError):
            return 0

    def kill(self) -> None:
        """Kill it, from any thread; whoever waits for its answer sees it end, and then calls `end`."""
        self._newborn.kill()

    def end(self) -> int:
        """Kill it, reap it and close every descriptor; return its exit status."""
        return self._newborn.end()


def usage(folder: Path, most_entries: int) -> tuple[int, int]:
    """Return bytes on disk and number of entries beneath `folder`, following no link; stops past `most_entries`."""
    total = entries = 0
    pending = [folder]
    while pending and entries <= most_entries:
        try:
            with os.scandir(pending.pop()) as found:
                for entry in found:
                    entries += 1
                    status = entry.stat(follow_symlinks=False)
                    total += status.st_blocks * 512
                    if stat.S_ISDIR(status.st_mode):
                        pending.append(Path(entry.path))
                    if entries > most_entries:
                        break
        except OSError:
            continue
    return total, entries


def deadline_after(seconds: float) -> float:
    """Return the monotonic time `seconds` from now."""
    return time.monotonic() + seconds


def ended_badly(status: int) -> Crashed | ChildFailed:
    """Say how a child ended that gave no answer. Of one that was killed nobody knows whether its file was at fault."""
    if status == -signal.SIGXCPU:
        return Crashed("the file was stopped: it used up the processor time that it may use")
    if status == -signal.SIGKILL:
        return ChildFailed("the file was killed: for want of memory, or by somebody")
    if status < 0:
        return Crashed(f"the file crashed the process that opened it (signal {-status})")
    return Crashed("the file ended the process that opened it before there was an answer")
