"""How the housekeeper waits, and hears at once that a message is in the outbox.

PostgreSQL says so (`NOTIFY`, at the commit of who wrote it), to a connection kept for that. SQLite has no such word:
there the database's version is read again and again, which opens no transaction. Where neither can be had the wait is a
sleep, and the message is found after it.
"""

import sqlite3
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import psycopg
from django.db import DatabaseError, connection

from modelyard.control.jobs.outbox import CHANNEL

LOOK_SECONDS = 0.02
"""Between two looks at SQLite's version, of some 10 us each."""
CONNECT_SECONDS = 5


class Waker(Protocol):
    """Waits, and may be woken."""

    def wait(self, seconds: float) -> bool:
        """Return True as soon as there may be a message, False after `seconds`. Raises nothing."""

    def close(self) -> None:
        """Let go what is held open."""


def waker() -> Waker:
    """Return what suits the database."""
    if connection.vendor == "postgresql":
        return Listening()
    if connection.vendor == "sqlite" and not connection.is_in_memory_db():  # type: ignore[attr-defined]
        return Watching(Path(connection.settings_dict["NAME"]))
    return Sleeping()


class Sleeping:
    """Nobody wakes it."""

    def wait(self, seconds: float) -> bool:
        time.sleep(seconds)
        return False

    def close(self) -> None:
        """Nothing is open."""


class Listening:
    """A connection of its own, beside the pool's: what it hears between two waits is kept for the next."""

    def __init__(self) -> None:
        self._own: Any = None

    def wait(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        try:
            self._connect()
            left = max(0.0, end - time.monotonic())
            return any(True for _ in self._own.connection.notifies(timeout=left, stop_after=1))
        except (DatabaseError, psycopg.Error):
            self.close()
            time.sleep(max(0.0, end - time.monotonic()))
            return False

    def close(self) -> None:
        dropped, self._own = self._own, None
        if dropped is not None:
            with suppress(DatabaseError, psycopg.Error):
                dropped.close()

    def _connect(self) -> None:
        if self._own is None:
            own = connection.copy()
            options = own.settings_dict["OPTIONS"]
            own.settings_dict["OPTIONS"] = {"connect_timeout": CONNECT_SECONDS, **options, "pool": False}
            self._own = own
            with own.cursor() as cursor:
                cursor.execute(f"LISTEN {CHANNEL}")


class Watching:
    """SQLite's `data_version`: another number after another connection's commit."""

    def __init__(self, path: Path) -> None:
        self._address = f"{path.absolute().as_uri()}?mode=rw"
        self._own: sqlite3.Connection | None = None
        self._seen = 0

    def wait(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(LOOK_SECONDS, left))
            if self._changed():
                return True
        return False

    def close(self) -> None:
        dropped, self._own = self._own, None
        if dropped is not None:
            dropped.close()

    def _changed(self) -> bool:
        try:
            if self._own is None:
                self._own = sqlite3.connect(self._address, uri=True, timeout=0)
            (version,) = self._own.execute("PRAGMA data_version").fetchone()
        except sqlite3.Error:
            self.close()
            return False
        before, self._seen = self._seen, version
        return before not in (0, version)
