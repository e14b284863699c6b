"""Where the control plane's truth is kept: SQLite in the home folder, or PostgreSQL by address."""

from typing import Any

import dj_database_url

from modelyard.core.errors import Misconfigured
from modelyard.core.settings import Settings

POSTGRES = ("postgres://", "postgresql://")
POOL = {"min_size": 1, "max_size": 16, "timeout": 10.0, "max_idle": 300.0}
PRAGMAS = "; ".join(
    [
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = NORMAL",
        "PRAGMA foreign_keys = ON",
        "PRAGMA temp_store = MEMORY",
        "PRAGMA journal_size_limit = 67108864",
    ]
)
BUSY_SECONDS = 20


def database(settings: Settings) -> dict[str, Any]:
    """Return Django's description of the database.

    Connections are closed after each request: under ASGI each request runs in a thread of its own. PostgreSQL's
    are handed out by a pool, SQLite's cost some 100 us to open.

    Raises:
        Misconfigured: when the address is none of PostgreSQL.
    """
    if settings.database_url is None:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": settings.home / "modelyard.sqlite3",
            "OPTIONS": {"transaction_mode": "IMMEDIATE", "timeout": BUSY_SECONDS, "init_command": PRAGMAS},
            "CONN_MAX_AGE": 0,
            "TEST": {"NAME": settings.home / "test.sqlite3"},
        }
    if not settings.database_url.startswith(POSTGRES):
        raise Misconfigured(
            "MODELYARD_DATABASE_URL: expected postgres://user:password@host:port/name, or nothing for SQLite"
        )
    try:
        described: dict[str, Any] = dict(dj_database_url.parse(settings.database_url, conn_max_age=0))
    except ValueError:
        # What it says may hold a part of the password.
        raise Misconfigured(
            "MODELYARD_DATABASE_URL: this is no address; special characters of the password are written as %40 for @"
        ) from None
    described["OPTIONS"] = {**described.get("OPTIONS", {}), "pool": POOL}
    return described
