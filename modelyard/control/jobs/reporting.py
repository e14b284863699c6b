"""What a handler says while it works, and what it is told: how far it is, its log lines, and whether to go on."""

import json
import threading
import time
from collections import deque
from typing import Any

from django.db import DatabaseError

from modelyard.control.jobs import services
from modelyard.control.jobs.models import KEPT_LINES, Job, JobLine
from modelyard.control.jobs.services import LeaseLost, Line
from modelyard.control.tenancy.audit import plain
from modelyard.core.errors import Cancelled, InvalidInput

EVEN_SECONDS, EVEN_SHARE = 2.0, 0.25
"""Of so long an observation no single step may have taken more than this share."""
WRITE_SECONDS = 0.5
MESSAGE_CHARACTERS = 200
LINE_CHARACTERS = 500
METRICS_BYTES = 16 << 10


class Report:
    """Handed to a handler's `run`. May be used from several threads.

    Progress is written at once if the last was half a second ago, else, with the log lines, by the next beat of the
    worker's heart: a line costs no transaction.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._stop: Exception | None = None
        self._lines: deque[Line] = deque(maxlen=KEPT_LINES)
        self._skipped = 0
        self._begin = self._fraction = job.progress
        self._message = job.message
        self._facts: dict[str, Any] = {}
        self._metrics: dict[str, Any] = dict(job.metrics)
        self._is_new = False
        self._written_at = float("-inf")
        self._pace = Pace()

    def __call__(
        self,
        fraction: float,
        message: str | None = None,
        *,
        rows_done: int | None = None,
        rows_total: int | None = None,
        metrics: dict[str, Any] | None = None,
    ) -> None:
        """Say how far this run is, 0 to 1, what it does now, and which metrics it has so far (added to those before).
        Of a run after parts, 0 is where these have left off.

        Raises:
            LeaseLost: the job is no longer ours.
            Cancelled, LimitExceeded: it is not to go on.
            InvalidInput: the metrics are no JSON, or more than 16 KiB.
        """
        self.check()
        with self._lock:
            self._fraction = self._begin + (1 - self._begin) * min(max(fraction, 0.0), 1.0)
            self._message = self._message if message is None else clean(message, MESSAGE_CHARACTERS)
            if metrics:
                self._metrics |= _checked(metrics)
                self._facts["metrics"] = dict(self._metrics)
            self._facts |= self._pace.facts(self._fraction, rows_done, rows_total)
            self._is_new = True
        if time.monotonic() - self._written_at >= WRITE_SECONDS:
            self.flush_progress()

    def log(self, text: str, level: str = JobLine.Level.INFO) -> None:
        """Add lines to the job's log: `level` is info, warning or error."""
        level = JobLine.Level(level)
        with self._lock:
            for part in text.splitlines() or [""]:
                self._skipped += len(self._lines) == KEPT_LINES
                self._lines.append(Line(clean(part, LINE_CHARACTERS), level))

    def check(self) -> None:
        """Raise why the work is not to go on, if so; it asks no database, and may be called as often as one likes."""
        if self._stop is not None:
            raise self._stop

    def stop(self, why: Exception) -> None:
        """Let whatever the handler calls next raise `why`. A lost lease outdoes every other reason."""
        if self._stop is None or isinstance(why, LeaseLost):
            self._stop = why

    @property
    def stopped(self) -> Exception | None:
        """Return why the work is not to go on."""
        return self._stop

    def flush(self) -> None:
        """Write what was said and is not written yet."""
        self.flush_progress()
        self.flush_lines()

    def flush_progress(self) -> None:
        """Write how far the work is.

        Raises:
            LeaseLost, Cancelled: see `services.report`.
        """
        with self._writing:
            with self._lock:
                fraction, message, facts, is_new = self._fraction, self._message, self._facts, self._is_new
                self._facts, self._is_new = {}, False
            if is_new and self._stop is None:
                self._written_at = time.monotonic()
                try:
                    services.report(self._job, fraction, message, **facts)
                except (LeaseLost, Cancelled) as why:
                    self.stop(why)
                    raise

    def flush_lines(self) -> None:
        """Write the log lines; the next flush has those that the database did not take.

        Raises:
            LeaseLost: another worker has had the job since.
        """
        with self._writing:
            with self._lock:
                lines, skipped = list(self._lines), self._skipped
                self._lines.clear()
                self._skipped = 0
            if not lines:
                return
            try:
                services.write_lines(self._job, lines, skipped)
            except DatabaseError:
                with self._lock:
                    lines += self._lines
                    self._skipped += skipped + max(0, len(lines) - KEPT_LINES)
                    self._lines = deque(lines, maxlen=KEPT_LINES)
                raise


class Pace:
    """How fast the work goes: from the first report on, so that what a run before had done counts for nothing.

    The time left is told of rows, and of fractions that came evenly: steps of which one took most of the time, as the
    fits of a training, say nothing of the next.
    """

    def __init__(self) -> None:
        self._began: tuple[float, float, int | None] | None = None
        self._rows_total: int | None = None
        self._told_at = self._longest = 0.0

    def facts(self, fraction: float, rows_done: int | None, rows_total: int | None) -> dict[str, Any]:
        """Return the columns that follow from a report."""
        now = time.monotonic()
        if self._began is None or (self._began[2] is None and rows_done is not None):
            self._began, self._told_at, self._longest = (now, fraction, rows_done), now, 0.0
        self._longest, self._told_at = max(self._longest, now - self._told_at), now
        began, first_fraction, first_rows = self._began
        passed, self._rows_total = now - began, rows_total if rows_total is not None else self._rows_total
        found: dict[str, Any] = {"eta_seconds": None}
        if self._rows_total is not None:
            found["rows_total"] = self._rows_total
        if rows_done is not None:
            found["rows_done"] = rows_done
        if passed <= 0:
            return found
        if rows_done is not None and first_rows is not None and rows_done > first_rows:
            rate = (rows_done - first_rows) / passed
            found["rows_per_second"] = rate
            if self._rows_total is not None:
                return found | {"eta_seconds": max(0, self._rows_total - rows_done) / rate}
        if fraction > first_fraction and passed >= EVEN_SECONDS and self._longest <= passed * EVEN_SHARE:
            found["eta_seconds"] = passed * (1 - fraction) / (fraction - first_fraction)
        return found


def clean(text: str, characters: int) -> str:
    """Return a text that either database takes and a terminal shows, cut to a length."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text[: characters + 1])
    shown = shown.encode("utf-8", "replace").decode()
    return shown if len(shown) <= characters else shown[: characters - 1] + "…"


def _checked(metrics: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = plain(metrics)
    if len(json.dumps(found)) > METRICS_BYTES:
        raise InvalidInput(f"the metrics of a job are more than {METRICS_BYTES} bytes of JSON")
    return found
