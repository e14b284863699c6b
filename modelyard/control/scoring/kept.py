"""Scorers that wait for the next part of the same job, and a child that waits to become one: starting one costs as much
as scoring a million rows."""

import threading
import time
from collections.abc import Callable
from uuid import UUID

from modelyard.sandbox import layers
from modelyard.scoring.scorer import SPARE, Scorer

IDLE_SECONDS = 5.0
MOST = 2
"""That wait in this process at once; each has a child's memory."""


class Kept:
    """A scorer, and what is to be done once it is closed."""

    def __init__(self, scorer: Scorer, closed: Callable[[], None]) -> None:
        self.scorer = scorer
        self.since = time.monotonic()
        self._closed = closed

    def close(self) -> None:
        self.scorer.close()
        self._closed()


_waiting: list[tuple[UUID, Kept]] = []
_prepares = [False]
_lock = threading.Lock()


def take(job: UUID) -> Kept | None:
    """Return one of this job's that waits, if one does; it is the caller's to `give` back or to close."""
    with _lock:
        place = next((place for place, (owner, _) in enumerate(_waiting) if owner == job), None)
        kept = _waiting.pop(place)[1] if place is not None else None
    if kept is not None and not kept.scorer.alive():
        kept.close()
        return None
    return kept


def give(job: UUID, kept: Kept) -> None:
    """Let it wait for the job's next part. It is closed after a while, or where others wait for their turn."""
    kept.since = time.monotonic()
    with _lock:
        _waiting.append((job, kept))
        over = [one for _, one in _waiting[:-MOST]]
        del _waiting[:-MOST]
    for one in over:
        one.close()
    timer = threading.Timer(IDLE_SECONDS, close_idle)
    timer.daemon = True
    timer.start()


def prepare() -> None:
    """Have a child ready for the next scoring from now on, where the sandbox is whole: this process is a worker."""
    if not layers.missing():
        _prepares[0] = True
        SPARE.keep()


def close_idle(seconds: float = IDLE_SECONDS) -> None:
    """Close those that have waited so long, and prepare for what comes after them."""
    before = time.monotonic() - seconds
    with _lock:
        idle = [one for one in _waiting if one[1].since <= before]
        _waiting[:] = [one for one in _waiting if one[1].since > before]
    for _, kept in idle:
        kept.close()
    if idle and _prepares[0]:
        SPARE.keep()
