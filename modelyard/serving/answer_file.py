"""A file of stored answers, opened: `core.precomputed` says what form it has.

What lies in it was written by a process that read a stranger's bytes, so nothing but its one table is believed: the
schema must be ours to the letter, before a statement of ours meets it (https://www.sqlite.org/security.html).
"""

import sqlite3
import threading
import time
from pathlib import Path
from urllib.parse import quote

from modelyard.core.errors import ArtifactCorrupt
from modelyard.core.precomputed import APPLICATION_ID, FIND, FORMAT, MAX_ANSWER_BYTES, TABLE
from modelyard.exchange.snapshot import Precomputed
from modelyard.serving.cost import Cost

_CACHE_KIB = 2048
"""Of one connection. The file's pages are in the system's cache, whoever reads them."""
_ROW_BYTES = 4096
"""That a row may have beside its answer: the bound is on whole rows."""


class AnswerFile:
    """A read-only file that never changes. Safe in threads: each lookup has a connection to itself.

    Attributes:
        told: what the model's document says of it.
        cost: of a lookup, in seconds of the clock: a page that lies on a slow disk costs no processor time.

    Raises (when made, and while it is read):
        ArtifactCorrupt: when it is no such file, or is damaged.
    """

    def __init__(self, path: Path, told: Precomputed) -> None:
        self.told = told
        self.cost = Cost()
        self._path = path
        self._free: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._closed = False
        try:
            self._free.append(self._connect())
        except sqlite3.Error as error:
            raise _damaged(error) from None
        self.find("")

    def find(self, entity: str) -> bytes | None:
        """Return the stored answer of an entity; None when it has none."""
        started = time.perf_counter()
        try:
            connection = self._taken()
            try:
                row = connection.execute(FIND, (entity,)).fetchone()
            finally:
                self._give_back(connection)
        except UnicodeEncodeError:
            return None  # a lone surrogate, which no key has
        except sqlite3.Error as error:
            raise _damaged(error) from None
        self.cost.measured(1, time.perf_counter() - started)
        if row is None:
            return None
        if not isinstance(row[0], bytes):
            raise ArtifactCorrupt("the file of stored answers is damaged: an answer is no bytes")
        return row[0]

    def close(self) -> None:
        """Let go of the file; lookups under way end first."""
        with self._lock:
            self._closed = True
            free, self._free = self._free, []
        for connection in free:
            connection.close()

    def _taken(self) -> sqlite3.Connection:
        with self._lock:
            if self._free:
                return self._free.pop()
        return self._connect()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed:
                self._free.append(connection)
                return
        connection.close()

    def _connect(self) -> sqlite3.Connection:
        """Open the file as one that nobody changes: no locks, no journal is looked for.

        https://www.sqlite.org/uri.html, "immutable".
        """
        address = f"file:{quote(str(self._path))}?mode=ro&immutable=1"
        connection = sqlite3.connect(address, uri=True, check_same_thread=False, isolation_level=None)
        try:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_ANSWER_BYTES + _ROW_BYTES)
            for pragma in ("trusted_schema=OFF", "query_only=ON", "cell_size_check=ON", f"cache_size=-{_CACHE_KIB}"):
                connection.execute(f"PRAGMA {pragma}")
            marks = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
            schema = connection.execute("SELECT type, name, sql FROM sqlite_schema").fetchmany(2)
            if marks != [APPLICATION_ID, FORMAT] or schema != [("table", "answers", TABLE)]:
                raise ArtifactCorrupt("the file of stored answers is none that this release wrote")
        except BaseException:
            connection.close()
            raise
        return connection


def _damaged(error: sqlite3.Error) -> ArtifactCorrupt:
    return ArtifactCorrupt(f"the file of stored answers cannot be read: {error}")
