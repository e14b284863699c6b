"""Frames to and from a child that stays, as its parent sends and reads them: within bounds, and until a deadline."""

import os
import select
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from modelyard.core.errors import Unavailable
from modelyard.runtimes.frames import PREFIX, FrameError, decode
from modelyard.sandbox.interruption import check_interruption
from modelyard.sandbox.process import SandboxProcess

_TICK_SECONDS = 0.05


class Exceeded(Unavailable):
    """A child that stays took longer, or used more, than it may; `what` says which, as "took too long"."""

    def __init__(self, message: str, what: str = "") -> None:
        super().__init__(message)
        self.what = what


class Died(Unavailable):
    """A child that stays ended before it answered."""


class Watch:
    """Waits for a child's pipes until a deadline, and looks at what it uses at each tick, however busy they are."""

    def __init__(self, child: SandboxProcess, deadline: float) -> None:
        self.child = child
        self._deadline = deadline
        self._look_at = time.monotonic() + _TICK_SECONDS
        self._pollers: dict[tuple[int, int], select.poll] = {}

    def _poller(self, fd: int, event: int) -> "select.poll":
        if (fd, event) not in self._pollers:
            self._pollers[fd, event] = select.poll()
            self._pollers[fd, event].register(fd, event)
        return self._pollers[fd, event]

    def wait(self, fd: int, event: int) -> None:
        """Return when the pipe is ready.

        Raises:
            Exceeded: at the deadline, or when the child uses too much; and what interrupts the work.
        """
        poller = self._poller(fd, event)
        ready = False
        while not ready:
            check_interruption()
            now = time.monotonic()
            if now > self._deadline:  # first: a pipe that is always ready by a byte would never let it be asked
                raise Exceeded("the model did not answer in time; its process is started again", "took too long")
            if now >= self._look_at:
                self._look_at = now + _TICK_SECONDS
                excess = self.child.excess()
                if excess:
                    raise Exceeded(f"the model {excess}; its process is started again", excess)
            ready = bool(poller.poll(_TICK_SECONDS * 1000))


def exchange(
    child: SandboxProcess, pieces: Sequence[bytes | memoryview], deadline: float, most: tuple[int, int]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Send a frame, and return the one that answers it; raises as `Watch.wait` does, and where the child died."""
    watch = Watch(child, deadline)
    send(watch, pieces)
    return receive(watch, most)


def send(watch: Watch, pieces: Sequence[bytes | memoryview]) -> None:
    """Write a frame to the child's standard input."""
    orders = watch.child.orders
    for piece in pieces:
        view = memoryview(piece)
        while view:
            watch.wait(orders, select.POLLOUT)
            try:
                view = view[os.write(orders, view[: 1 << 16]) :]
            except BlockingIOError:
                continue
            except OSError:
                raise _died() from None


def receive(watch: Watch, most: tuple[int, int]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return a frame of the child's, whose header and body have at most so many bytes."""
    header_size, body_size = PREFIX.unpack(_read(watch, PREFIX.size))
    if header_size > most[0] or body_size > most[1]:
        raise Unavailable("the model's process answered more than it may")
    header = bytes(_read(watch, header_size))
    try:
        return decode(header, _read(watch, body_size))
    except FrameError:
        raise Unavailable("the model's process garbled its answer; try again") from None


def _read(watch: Watch, size: int) -> memoryview:
    try:
        received = memoryview(np.empty(size, np.uint8))  # type: ignore[arg-type]  # not touched: nobody has sent it yet
    except MemoryError:  # where memory is not promised beyond what there is
        raise Unavailable("the model's process answered more than there is memory for") from None
    view = received
    while view:
        watch.wait(watch.child.answers, select.POLLIN)
        try:
            count = os.readv(watch.child.answers, [view])
        except BlockingIOError:
            continue
        if not count:
            raise _died()
        view = view[count:]
    return received


def _died() -> Died:
    return Died("the model's process died while it worked on this request; try again")
